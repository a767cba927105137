"""What a person looks like in one clip: skin, hair and clothes, drawn anew for every clip, on any SMPL-family body."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.sparse import csr_array, vstack

from ..body.model import Body
from ..raster.shading import srgb_to_linear, vertex_normals
from . import garments
from .cloth import Dye, draw_dye, print_on, ripple, soft
from .hair import HAIR_COLORS, HAIR_STYLES, Skin, draw_skin, draw_weighted, hair_volumes, peak
from .outfits import OUTFITS, Outfit
from .pattern import FEET, HEAD, LEGS, Pattern, Points, pattern_of
from .pieces import attach, shoe, skirt
from .sewing import sew
from .tailor import Garment, Sheet, carve, spread

OVER = {"cardigan": "knit", "jacket": "coat", "coat": "coat", "labcoat": "labcoat", "apron": "apron"}
"""What is worn over the top, and the palette of its cloth."""
COAT_LENGTHS = (0.40, 0.52)
"""How far down a coat or an apron reaches, as a share of the leg: about to the knee."""
Piece = tuple[csr_array, np.ndarray, np.ndarray, np.ndarray]
"""Mix rows, faces, colours and offsets of one part of a look."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A dressed surface that follows a body: ``wear`` puts it on."""

    mix: csr_array
    """(n, v): each vertex as a mean of the body's vertices."""
    faces: Int[np.ndarray, "f 3"]
    colors: UInt8[np.ndarray, "n 3"]
    """Before lighting, sRGB."""
    offsets: Float[np.ndarray, "n"]
    """Along the normal, metres: cloth stands off the body."""
    open: bool = False
    """Its inside can be seen (under a skirt's hem), so both sides are drawn."""
    description: dict[str, Any] = field(default_factory=dict)
    """The drawn options, for the clip's provenance."""

    @cached_property
    def linear(self) -> Float[np.ndarray, "n 3"]:
        """``colors`` in linear light, 0..1."""
        return srgb_to_linear(self.colors / np.float32(255))

    def parts(self, body: Body) -> UInt8[np.ndarray, "n"]:
        """The SMPL joint that moves each vertex most: its index in ``types.SMPL_JOINTS``."""
        return (self.mix @ body.weights).argmax(axis=1).astype(np.uint8)


def wear(look: Look, vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "n 3"]:
    """Vertices of the dressed person from the body's posed vertices, metres."""
    surface = (look.mix @ vertices.astype(np.float32)).astype(np.float32)
    return surface + vertex_normals(surface, look.faces) * look.offsets[:, None].astype(np.float32)


def sample_look(body: Body, *, rng: np.random.Generator, outfit: str | None = None, finest: float = 0.0) -> Look:
    """Draw what a person looks like.

    Args:
        outfit: A key of ``OUTFITS``; drawn if None.
        finest: Size of the finest details that will be seen, metres (``detail.finest_detail``): a coarser mesh of the same
            look is drawn faster.
    Raises:
        ValueError: If there is no such outfit.
    """
    name = outfit or draw_weighted({name: odds for name, (odds, _) in OUTFITS.items()}, rng=rng)
    if name not in OUTFITS:
        raise ValueError(f"unknown outfit {name!r}; expected one of: {', '.join(OUTFITS)}")
    worn = OUTFITS[name][1](rng)
    pattern = pattern_of(body, finest)
    style = draw_weighted(HAIR_STYLES, rng=rng)
    hair_name = draw_weighted({key: odds for key, (_, odds) in HAIR_COLORS.items()}, rng=rng)
    hair = np.array(HAIR_COLORS[hair_name][0]) * rng.uniform(0.85, 1.15)
    skin = draw_skin(pattern, style, hair, rng=rng)
    fit = float(rng.uniform(0.3, 1.0))
    dye = draw_dye(worn.palette, rng=rng)
    bottom = dye if worn.one_piece or worn.same_cloth else draw_dye(_second(worn), rng=rng, plain=worn.palette == "day")
    upper = draw_dye(OVER[worn.over], rng=rng) if worn.over else dye
    layers = _layers(pattern.points, worn, style, skin, (dye, bottom, upper), fit, rng=rng)
    shoes = _shoes(pattern, worn, rng=rng)
    sheet = _without_hidden(spread(pattern), worn)
    for index in reversed(range(len(layers))):
        garment, cloth = layers[index]
        sheet = carve(sheet, garment, index)
        sheet = print_on(sheet, index, cloth) if cloth else sheet
    pieces = [sew(sheet, [garment for garment, _ in layers], skin.color), *shoes]
    pieces += _tubes(pattern, worn, (bottom, upper), fit, rng=rng)
    pieces += _on_head(pattern, worn, style, skin, layers[-1][1], rng=rng)
    description = {
        "outfit": name, "top": worn.top, "sleeve": worn.sleeve, "bottom": worn.bottom, "over": worn.over, "shoes": worn.shoes,
        "hat": worn.hat, "hair": style, "hair_color": hair_name,
    }  # fmt: skip
    return _join(pieces, open=worn.bottom == "skirt" or worn.over in garments.SKIRTED, description=description)


def _second(worn: Outfit) -> str:
    return "bottom" if worn.palette == "day" else worn.palette


def _layers(
    points: Points, worn: Outfit, style: str, skin: Skin, dyes: tuple[Dye, Dye, Dye], fit: float, *, rng: np.random.Generator
) -> list[tuple[Garment, Dye | None]]:
    """What is cut out of the body's surface, from the inside out, each with its cloth."""
    head = skin.head
    dye, bottom, upper = dyes
    folds = ripple(rng=rng, period=(0.09, 0.25))
    layers: list[tuple[Garment, Dye | None]] = []
    if style != "bald":
        strands = ripple(rng=rng, period=(0.02, 0.06))
        layers.append((garments.hair(style, skin, strands), None))
    if worn.shoes != "bare":
        height = points.at("ankle")[1] + rng.uniform(0.02, 0.08) * points.stature
        layers.append((garments.sock(height, draw_dye("socks", rng=rng)), None))
    layers.append(
        (garments.hips(bottom), None) if worn.bottom == "skirt" else (garments.trousers(worn, bottom, fit, folds), bottom)
    )
    layers.append((garments.top(worn, dye, fit, folds), dye))
    if worn.over:
        layers.append((garments.over(worn, upper, fit, folds), upper))
    if worn.hat:
        cloth = draw_dye("surgical cap" if worn.hat == "surgical cap" else "headwear", rng=rng)
        layers.append((garments.hat(head, worn.hat, cloth), cloth))
    return layers


def _without_hidden(sheet: Sheet, worn: Outfit) -> Sheet:
    """The body without what is inside shoes or under a skirt, so that it does not show through."""
    points = sheet.points
    y, legs, hidden = points.rest[:, 1], points.share(LEGS) > 0.3, np.zeros(len(points.rest), bool)
    if worn.shoes in ("shoes", "slippers"):
        hidden |= (points.share(FEET) > 0.6) & (y < points.at("ankle")[1] - 0.02)
    if worn.bottom == "skirt":
        top, hem = _skirt_heights(points, worn.leg)
        hidden |= legs & (y < top - 0.06) & (y > hem + 0.06)
    if worn.over in ("coat", "labcoat"):
        top, hem = _skirt_heights(points, min(COAT_LENGTHS))
        # What an open coat shows in front stays.
        front = np.arctan2(np.abs(points.rest[:, 0]), points.rest[:, 2] - points.at("hip")[2]) < 0.7
        hidden |= legs & (y < top - 0.06) & (y > hem + 0.08) & ~(front & worn.open_front)
    kept = ~hidden[sheet.faces].all(1)
    return replace(sheet, faces=sheet.faces[kept], worn=sheet.worn[kept], ink=sheet.ink[kept])


def _skirt_heights(points: Points, leg: float) -> tuple[float, float]:
    hip, ankle = points.at("hip")[1], points.at("ankle")[1]
    return garments.waist_of_skirt(points), hip + leg * (ankle - hip)


def _tubes(pattern: Pattern, worn: Outfit, dyes: tuple[Dye, Dye], fit: float, *, rng: np.random.Generator) -> list[Piece]:
    """What hangs around both legs: a skirt, a coat's tails, an apron."""
    bottom, upper = dyes
    pieces = []
    if worn.bottom == "skirt":
        top, hem = _skirt_heights(pattern.points, worn.leg)
        tube = skirt(pattern, top, hem, 0.01 + 0.04 * fit)
        pieces.append(_tube(tube, bottom, fit, 0.0, 0.005 if worn.one_piece else 0.0, rng=rng))
    if worn.over in garments.SKIRTED:
        top, hem = _skirt_heights(pattern.points, float(rng.uniform(*COAT_LENGTHS)))
        gap = 0.25 if worn.open_front and worn.over != "apron" else 0.0
        over_skirt = 0.02 if worn.bottom == "skirt" else 0.013
        tube = skirt(pattern, top, hem, 0.02 + 0.03 * fit, gap=gap, front=1.2 if worn.over == "apron" else np.pi)
        pieces.append(_tube(tube, upper, fit, over_skirt, 0.0 if worn.over == "apron" else 0.005, rng=rng))
    return pieces


def _tube(tube: Pattern, dye: Dye, fit: float, off: float, tuck: float, *, rng: np.random.Generator) -> Piece:
    rest = tube.points.rest
    top, hem = rest[:, 1].max(), rest[:, 1].min()
    count, phase = int(rng.integers(5, 11)), rng.uniform(0, 6.28)

    def pleats(points: Points) -> np.ndarray:
        drop = np.clip((top - points.rest[:, 1]) / (top - hem), 0, 1)
        return np.sin(np.arctan2(points.rest[:, 0], points.rest[:, 2]) * count + phase) * drop

    garment = Garment(
        inside=lambda points: np.ones(len(points.rest)),
        # A gown's or coat's skirt is tucked under its upper part.
        stand_off=lambda points: (
            points.slack + off - tuck * soft(points.rest[:, 1] - top + 0.05, 0.04) + 0.006 * fit * pleats(points)
        ),
        color=lambda points, ink: dye.color(points, ink) * (1 + 0.06 * pleats(points)[:, None]),
    )
    sheet = print_on(carve(spread(tube), garment, 0), 0, dye)
    return sew(sheet, [garment], lambda points: points.rest)


def _shoes(pattern: Pattern, worn: Outfit, *, rng: np.random.Generator) -> list[Piece]:
    """Shoes are pieces of their own; feet with their toes would show through anything laid on them."""
    if worn.shoes not in ("shoes", "slippers"):
        return []
    points = pattern.points
    color = draw_dye(worn.shoes, rng=rng).inks[0]
    rim = np.array([220.0, 220.0, 215.0]) if rng.random() < 0.35 else color * 0.6
    top = points.at("ankle")[1] + (0.012 if worn.shoes == "shoes" else -0.004) * points.stature
    pieces = []
    for side in ("left", "right"):
        rows, faces, sole = shoe(pattern, side, top)
        pieces.append((rows, faces, np.where(sole[:, None], rim, color), np.zeros(len(sole))))
    return pieces


def _on_head(
    pattern: Pattern, worn: Outfit, style: str, skin: Skin, hat: Dye | None, *, rng: np.random.Generator
) -> list[Piece]:
    """Shapes that hang from the head: long hair, a cap's peak."""
    anchors = np.flatnonzero(pattern.points.share(HEAD) > 0.9)[::61]
    shapes = [] if worn.hat else [(shape, skin.hair) for shape in hair_volumes(skin.head, style, rng=rng)]
    if worn.hat == "cap" and hat:
        shapes.append((peak(skin.head), hat.inks[0] * 0.9))
    pieces = []
    for (points, faces), color in shapes:
        strands = ripple(rng=rng, period=(0.02, 0.06))(points * [1, 0.3, 1])[:, None]
        pieces.append((attach(pattern, anchors, points), faces, color * (1 + 0.08 * strands), np.zeros(len(points))))
    return pieces


def _join(pieces: list[Piece], **rest: Any) -> Look:
    starts = np.cumsum([0] + [len(colors) for _, _, colors, _ in pieces])
    faces = np.concatenate([f + start for (_, f, _, _), start in zip(pieces, starts, strict=False)])
    colors = np.clip(np.rint(np.concatenate([c for _, _, c, _ in pieces])), 0, 255).astype(np.uint8)
    mix = csr_array(vstack([rows for rows, _, _, _ in pieces]), dtype=np.float64)
    # Rows that sum to 1 exactly move with the body exactly.
    mix.data /= np.repeat(mix.sum(axis=1), np.diff(mix.indptr))
    mix = csr_array(mix, dtype=np.float32)
    return Look(mix=mix, faces=faces, colors=colors, offsets=np.concatenate([o for _, _, _, o in pieces]), **rest)
