"""What a person looks like in one clip: skin, hair and clothes, drawn anew for every clip, on any SMPL-family body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.sparse import csr_array, diags_array, vstack
from scipy.spatial import KDTree

from ..body.model import Body
from ..raster.shading import srgb_to_linear, vertex_normals
from .hair import HAIR_COLORS, HAIR_STYLES, draw_weighted, hair_volumes, paint_brows_and_eyes, scalp, skin_colors
from .tailor import ARMS, FEET, HANDS, HEAD, LEGS, Pattern, attach, pattern_of, ripple, shoe, skirt, smoothed, soft

Color = Float[np.ndarray, "3"]
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


def wear(look: Look, vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "n 3"]:
    """Vertices of the dressed person from the body's posed vertices, metres."""
    surface = (look.mix @ vertices.astype(np.float32)).astype(np.float32)
    return surface + vertex_normals(surface, look.faces) * look.offsets[:, None].astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfit:
    """What is worn, as drawn; lengths are shares: of the arm to the wrist, of the leg to the ankle."""

    top: str
    """``shirt`` or ``vneck``."""
    sleeve: float
    bottom: str
    """``trousers`` or ``skirt`` (a tube around both legs)."""
    leg: float
    """How far down the bottom reaches."""
    one_piece: bool = False
    """Top and bottom are one cloth (gown, dress)."""
    same_cloth: bool = False
    """Top and bottom have the same colour (scrubs, pyjamas)."""
    shoes: str = "shoes"
    """``shoes``, ``slippers``, ``socks`` or ``bare``."""
    palette: str = "day"


def _day(rng: np.random.Generator) -> Outfit:
    sleeve = float(rng.choice([0.32, 0.42, 0.97, 0.97, 0.97, 0.75]))
    leg = float(rng.choice([0.97, 0.97, 0.97, 0.97, 0.9, 0.5]))
    shoes = str(rng.choice(["shoes", "shoes", "shoes", "slippers"]))
    return Outfit(top=str(rng.choice(["shirt", "shirt", "vneck"])), sleeve=sleeve, bottom="trousers", leg=leg, shoes=shoes)


def _skirted(rng: np.random.Generator) -> Outfit:
    return Outfit(top="shirt", sleeve=float(rng.choice([0.35, 0.97])), bottom="skirt", leg=float(rng.uniform(0.5, 0.75)))


def _dress(rng: np.random.Generator) -> Outfit:
    sleeve, leg = float(rng.choice([0.12, 0.35, 0.97])), float(rng.uniform(0.5, 0.8))
    return Outfit(top="vneck", sleeve=sleeve, bottom="skirt", leg=leg, one_piece=True)


def _gown(rng: np.random.Generator) -> Outfit:
    shoes = str(rng.choice(["bare", "socks", "slippers"]))
    leg = float(rng.uniform(0.52, 0.72))
    return Outfit(top="shirt", sleeve=0.42, bottom="skirt", leg=leg, one_piece=True, shoes=shoes, palette="gown")


def _scrubs(rng: np.random.Generator) -> Outfit:
    return Outfit(top="vneck", sleeve=0.38, bottom="trousers", leg=0.97, same_cloth=True, palette="scrubs")


def _pyjamas(rng: np.random.Generator) -> Outfit:
    shoes = str(rng.choice(["bare", "socks", "slippers"]))
    return Outfit(top="vneck", sleeve=0.96, bottom="trousers", leg=0.96, same_cloth=True, shoes=shoes, palette="pyjamas")


OUTFITS: dict[str, tuple[float, Callable[[np.random.Generator], Outfit]]] = {
    "day": (0.46, _day), "skirt": (0.08, _skirted), "dress": (0.08, _dress), "gown": (0.13, _gown),
    "scrubs": (0.12, _scrubs), "pyjamas": (0.13, _pyjamas),
}  # fmt: skip
"""Outfit to its relative frequency and the function that draws it."""

PALETTES: dict[str, list[tuple[int, int, int]]] = {
    "day": [
        (222, 222, 218), (40, 42, 48), (58, 74, 108), (118, 34, 40), (62, 92, 70), (150, 148, 142), (176, 150, 118),
        (92, 120, 156), (200, 176, 96), (132, 92, 128), (196, 112, 84), (74, 60, 52), (178, 196, 204),
    ],
    "bottom": [
        (38, 40, 48), (52, 62, 88), (76, 88, 112), (96, 90, 82), (140, 126, 104), (58, 52, 48), (112, 114, 116), (30, 30, 32),
    ],
    "gown": [(206, 220, 232), (226, 230, 232), (190, 214, 206), (168, 196, 218)],
    "scrubs": [(58, 120, 140), (70, 96, 150), (94, 140, 118), (226, 230, 232), (44, 62, 98), (120, 58, 86)],
    "pyjamas": [(150, 168, 196), (196, 182, 190), (120, 132, 150), (214, 208, 196), (92, 104, 132), (176, 128, 130)],
    "shoes": [(36, 34, 34), (70, 52, 42), (200, 200, 198), (112, 84, 60), (60, 64, 76)],
    "slippers": [(96, 72, 60), (70, 78, 100), (136, 120, 108)],
    "socks": [(210, 210, 206), (52, 54, 60), (120, 126, 136)],
}  # fmt: skip
"""Colours that cloth is drawn from, sRGB, by the name in ``Outfit.palette``."""


def sample_look(body: Body, *, rng: np.random.Generator, outfit: str | None = None) -> Look:
    """Draw what a person looks like.

    Args:
        outfit: A key of ``OUTFITS``; drawn if None.
    Raises:
        ValueError: If there is no such outfit.
    """
    name = outfit or draw_weighted({name: odds for name, (odds, _) in OUTFITS.items()}, rng=rng)
    if name not in OUTFITS:
        raise ValueError(f"unknown outfit {name!r}; expected one of: {', '.join(OUTFITS)}")
    worn = OUTFITS[name][1](rng)
    pattern = pattern_of(body)
    color = skin_colors(pattern, rng=rng)
    offsets = np.zeros(len(color))
    cloth = np.zeros(len(color))
    style = draw_weighted(HAIR_STYLES, rng=rng)
    hair_name = draw_weighted({key: odds for key, (_, odds) in HAIR_COLORS.items()}, rng=rng)
    hair = np.array(HAIR_COLORS[hair_name][0]) * rng.uniform(0.85, 1.15)
    paint_brows_and_eyes(pattern, color, hair)
    folds = ripple(pattern.rest * [1, 0.6, 1], rng=rng, period=(0.07, 0.22))
    top_dye, bottom_dye = _cloth_colors(pattern, worn, rng=rng)
    fit = rng.uniform(0.3, 1.0)

    def put_on(mask: np.ndarray, dye: np.ndarray, stand_off: np.ndarray | float) -> None:
        color[:] = color * (1 - mask[:, None]) + mask[:, None] * dye
        offsets[:] = offsets * (1 - mask) + mask * stand_off
        np.maximum(cloth, mask, out=cloth)

    shoes = _feet(pattern, worn, put_on, rng=rng)
    if worn.bottom == "trousers":
        mask, loose = _trousers(pattern, worn.leg)
        put_on(mask, bottom_dye, 0.006 + 0.012 * fit * loose + 0.003 * folds)
    else:
        put_on(_hips(pattern), bottom_dye, 0.008)
    loose = 0.6 + 0.4 * (1 - pattern.share(ARMS))
    # Below the waist a one-piece lies under its own skirt.
    under = soft(pattern.at("pelvis")[1] + 0.06 - pattern.rest[:, 1], 0.05) if worn.one_piece else 0.0
    put_on(_top(pattern, worn), top_dye, (0.008 + 0.012 * fit * loose + 0.004 * folds) * (1 - 0.7 * under))
    grows = scalp(pattern, style) if style != "bald" else np.zeros(len(color))
    strands = ripple(pattern.rest * [1, 0.5, 1], rng=rng, period=(0.012, 0.05))
    thick = {"receding": 0.006, "short": 0.010, "full": 0.022, "bob": 0.018, "long": 0.016, "bun": 0.010}.get(style, 0.0)
    color[:] = color * (1 - grows[:, None]) + grows[:, None] * hair * (1 + 0.10 * strands[:, None])
    offsets += grows * thick * (1 + 0.15 * strands)
    rows = smoothed(pattern, np.maximum(cloth, grows) * 0.8, 4)
    faces = _without_feet(pattern, pattern.faces) if shoes else pattern.faces
    if worn.bottom == "skirt":
        faces = _without_thighs(pattern, faces, worn)
    pieces = [(rows, faces, color, offsets), *shoes]
    if worn.bottom == "skirt":
        pieces.append(_skirt_piece(pattern, worn, bottom_dye, fit, rng=rng))
    anchors = np.flatnonzero(pattern.share(HEAD) > 0.9)[::97]
    for points, faces in hair_volumes(pattern, style, rng=rng):
        strands = ripple(points * [1, 0.3, 1], rng=rng, period=(0.015, 0.06))[:, None]
        piece = np.tile(hair, (len(points), 1)) * (1 + 0.10 * strands)
        pieces.append((attach(pattern, anchors, points), faces, piece, np.zeros(len(points))))
    description = {
        "outfit": name, "top": worn.top, "sleeve": worn.sleeve, "bottom": worn.bottom, "shoes": worn.shoes, "hair": style,
        "hair_color": hair_name,
    }  # fmt: skip
    return _join(pieces, open=worn.bottom == "skirt", description=description)


def _join(pieces: list[Piece], **rest: Any) -> Look:
    starts = np.cumsum([0] + [len(colors) for _, _, colors, _ in pieces])
    faces = np.concatenate([f + start for (_, f, _, _), start in zip(pieces, starts, strict=False)])
    colors = np.clip(np.rint(np.concatenate([c for _, _, c, _ in pieces])), 0, 255).astype(np.uint8)
    mix = csr_array(vstack([rows for rows, _, _, _ in pieces]))
    # Rows that sum to 1 exactly move with the body exactly.
    mix = csr_array(diags_array(1 / np.asarray(mix.sum(axis=1)).ravel()) @ mix, dtype=np.float32)
    return Look(mix=mix, faces=faces, colors=colors, offsets=np.concatenate([o for _, _, _, o in pieces]), **rest)


def _cloth_colors(pattern: Pattern, worn: Outfit, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the top's and the bottom's cloth at every vertex, sRGB."""

    def pick(palette: str) -> np.ndarray:
        return np.array(PALETTES[palette][int(rng.integers(len(PALETTES[palette])))], float) + rng.normal(0, 8, 3)

    second = pick("bottom") if worn.palette == "day" else pick(worn.palette)
    print_odds = {"day": (0.62, 0.16, 0.1, 0.12), "gown": (0.4, 0.15, 0.0, 0.45), "scrubs": (1.0, 0, 0, 0)}
    odds = print_odds.get(worn.palette, (0.45, 0.3, 0.15, 0.1))
    kind = str(rng.choice(["plain", "stripes", "checks", "dots"], p=odds))
    top = _cloth(pattern, pick(worn.palette), kind, rng=rng)
    if worn.one_piece or worn.same_cloth:
        return top, top
    return top, _cloth(pattern, second, "plain", rng=rng)


def _cloth(pattern: Pattern, base: Color, kind: str, *, rng: np.random.Generator) -> np.ndarray:
    p = pattern.rest
    # Along an arm or down the trunk: the way that rings of a garment are counted.
    arm = pattern.share(ARMS)
    down = np.where(arm > 0.5, np.abs(p[:, 0]), p[:, 1])
    other = np.clip(base + rng.choice([-1, 1]) * rng.uniform(45, 90) + rng.normal(0, 15, 3), 10, 245)
    size = rng.uniform(0.045, 0.11)
    wave = np.sin(2 * np.pi * down / size)
    if kind == "stripes":
        amount = soft(wave * 0.02, 0.02)
    elif kind == "checks":
        across = np.arctan2(p[:, 0], p[:, 2] + 0.05) * 0.15
        amount = 0.5 * soft(wave * 0.02, 0.02) + 0.5 * soft(np.sin(2 * np.pi * across / size) * 0.02, 0.02)
    elif kind == "dots":
        cell = 2 * np.pi / rng.uniform(0.03, 0.06)
        amount = soft((np.sin(p[:, 0] * cell) * np.sin(p[:, 1] * cell) * np.cos(p[:, 2] * cell * 0.5) - 0.35) * 0.02, 0.012)
    else:
        amount = np.zeros(len(p))
    shade = 1 + 0.07 * ripple(p * [1, 0.6, 1], rng=rng, period=(0.06, 0.2)) + 0.03 * ripple(p, rng=rng, period=(0.02, 0.05))
    return (base + amount[:, None] * (other - base)) * shade[:, None]


def _top(pattern: Pattern, worn: Outfit) -> np.ndarray:
    p, s = pattern.rest, pattern.stature
    shoulder, wrist = abs(pattern.at("shoulder")[0]), abs(pattern.at("wrist")[0])
    cuff = shoulder + worn.sleeve * (wrist - shoulder)
    hem = pattern.at("hip")[1] + (0.0 if worn.bottom != "skirt" or worn.one_piece else 0.05 * s)
    neck = pattern.at("neck")
    front = soft(p[:, 2] - neck[2], 0.10)
    # The collar's plane slants down to the front, but cuts only what is near the neck, not the shoulders.
    collar = neck[1] - 0.002 * s - 0.026 * s * front
    if worn.top == "vneck":
        collar = collar - front * np.maximum(0.055 * s - 1.1 * np.abs(p[:, 0]), 0)
    covered = np.maximum(collar - p[:, 1], np.abs(p[:, 0]) - 0.042 * s)
    mask = soft(np.minimum(np.minimum(p[:, 1] - hem, covered), cuff - np.abs(p[:, 0])))
    return mask * (pattern.share(HEAD) < 0.5) * (pattern.share(HANDS) < 0.9)


def _trousers(pattern: Pattern, leg: float) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the trousers, and their looseness (more towards the cuff)."""
    p = pattern.rest
    hip, ankle = pattern.at("hip")[1], pattern.at("ankle")[1]
    cuff = hip + leg * (ankle - hip) - 0.01
    waist = pattern.at("pelvis")[1] + 0.03 * pattern.stature
    mask = soft(np.minimum(waist - p[:, 1], p[:, 1] - cuff)) * (pattern.share(ARMS) < 0.5)
    loose = np.clip((hip - p[:, 1]) / (hip - ankle), 0, 1)
    return mask, 0.4 + 0.9 * loose


def _hips(pattern: Pattern) -> np.ndarray:
    p = pattern.rest
    waist, crotch = pattern.at("pelvis")[1] + 0.04 * pattern.stature, pattern.at("hip")[1] - 0.08 * pattern.stature
    return soft(np.minimum(waist - p[:, 1], p[:, 1] - crotch)) * (pattern.share(ARMS) < 0.5)


def _skirt_heights(pattern: Pattern, worn: Outfit) -> tuple[float, float]:
    hip, ankle = pattern.at("hip")[1], pattern.at("ankle")[1]
    return pattern.at("pelvis")[1] + 0.035 * pattern.stature, hip + worn.leg * (ankle - hip)


def _without_thighs(pattern: Pattern, faces: np.ndarray, worn: Outfit) -> np.ndarray:
    """Faces without those under a skirt, so that nothing shows through it."""
    top, hem = _skirt_heights(pattern, worn)
    y = pattern.rest[:, 1]
    hidden = (pattern.share(LEGS) > 0.3) & (y < top - 0.06) & (y > hem + 0.05)
    return faces[~hidden[faces].all(1)]


def _without_feet(pattern: Pattern, faces: np.ndarray) -> np.ndarray:
    """Faces without those inside a shoe."""
    hidden = (pattern.share(FEET) > 0.6) & (pattern.rest[:, 1] < pattern.at("ankle")[1] - 0.02)
    return faces[~hidden[faces].all(1)]


def _skirt_piece(pattern: Pattern, worn: Outfit, dye: np.ndarray, fit: float, *, rng: np.random.Generator) -> Piece:
    top, hem = _skirt_heights(pattern, worn)
    rows, faces, offsets = skirt(pattern, top, hem, 0.01 + 0.04 * fit)
    # The cloth's colour is looked up on the body's surface nearest to each vertex of the skirt.
    rest = rows @ body_rest(pattern)
    near = KDTree(pattern.rest).query(rest)[1]
    drop = np.clip((top - rest[:, 1]) / (top - hem), 0, 1)
    angle = np.arctan2(rest[:, 0], rest[:, 2])
    pleats = np.sin(angle * int(rng.integers(5, 11)) + rng.uniform(0, 6.28)) * drop
    color = dye[near] * (1 + 0.08 * pleats[:, None])
    return rows, faces, color, offsets + 0.006 * pleats * fit + (0.010 if worn.one_piece else 0.0) * (1 - drop)


def body_rest(pattern: Pattern) -> np.ndarray:
    """Zero-pose vertices of the body itself: the pattern's first rows are the body's own vertices."""
    rest = np.zeros((int((pattern.mix.shape or (0, 0))[1]), 3))
    single = np.flatnonzero(np.diff(pattern.mix.indptr) == 1)
    rest[pattern.mix.indices[pattern.mix.indptr[single]]] = pattern.rest[single]
    return rest


def _feet(pattern: Pattern, worn: Outfit, put_on: Any, *, rng: np.random.Generator) -> list[Piece]:
    """Dress the feet: socks are put on the skin, shoes are pieces of their own."""
    p, s = pattern.rest, pattern.stature
    sole, ankle = float(p[:, 1].min()), pattern.at("ankle")[1]
    if worn.shoes == "bare":
        return []

    def pick(palette: str) -> np.ndarray:
        return np.array(PALETTES[palette][int(rng.integers(len(PALETTES[palette])))], float) * rng.uniform(0.85, 1.1)

    # Nothing may reach below the sole: it stands on the floor.
    up = soft(pattern.normals[:, 1] + 0.35, 0.6)
    sock = soft(ankle + rng.uniform(0.02, 0.08) * s - p[:, 1]) * (pattern.share(LEGS) > 0.5)
    put_on(sock, pick("socks"), 0.003 * up)
    if worn.shoes == "socks":
        return []
    dye = pick(worn.shoes)
    rim = np.array([225.0, 225.0, 220.0]) if rng.random() < 0.35 else dye * 0.6
    top = ankle + (0.012 if worn.shoes == "shoes" else -0.004) * s
    pieces = []
    for side in ("left", "right"):
        rows, faces = shoe(pattern, side, top)
        rest = rows @ body_rest(pattern)
        flat = soft(rest[:, 1] - sole - 0.012, 0.02)
        color = np.where((rest[:, 1] < sole + 0.014)[:, None], rim, dye)
        pieces.append((rows, faces, color, 0.006 * flat))
    return pieces
