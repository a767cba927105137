"""Furniture of a care room, each in its own frame: on the floor, middle at the origin, front towards +z.

A bed is the exception: its head is at +z, as ``Surface`` has it. Every piece has its extent on the floor and its seat or bed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...types import SceneMesh
from .parts import Color, box, merge, moved, painted, pillow, rod, sheet, smooth_noise, speckled, tinted, tube, wheel

WOODS: tuple[Color, ...] = ((176, 132, 88), (205, 170, 125), (120, 82, 54), (222, 200, 165), (150, 108, 72), (235, 232, 225))
FABRICS: tuple[Color, ...] = (
    (70, 96, 130), (96, 120, 92), (140, 66, 60), (118, 104, 92), (60, 110, 115), (150, 126, 84), (98, 78, 112), (176, 160, 140),
)  # fmt: skip
LINENS: tuple[Color, ...] = ((238, 238, 234), (214, 226, 236), (236, 226, 206), (206, 222, 206), (226, 208, 214))
METAL: Color = (172, 175, 180)
DARK: Color = (48, 50, 54)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of furniture in its own frame."""

    name: str
    mesh: SceneMesh
    size: tuple[float, float, float]
    """Extent of the box that nobody may walk through, metres: x, y, z."""
    surface: tuple[str, float, float, float, float] | None = None
    """The seat or bed on it: kind, height, middle's z in the piece's frame, extent along x and along z (metres)."""


def bed(*, rng: np.random.Generator) -> Piece:
    """A care bed: frame on castors, mattress, pillow, blanket, end boards, perhaps side rails."""
    width, length, top = rng.uniform(0.92, 1.06), rng.uniform(2.04, 2.18), rng.uniform(0.46, 0.58)
    wood, linen, cover = _pick(WOODS, rng), _pick(LINENS, rng), _pick(LINENS + FABRICS, rng)
    mattress = rng.uniform(0.14, 0.18)
    below = top - mattress
    pieces = [
        box((0, below - 0.05, 0), (width - 0.02, 0.1, length - 0.06), METAL if rng.random() < 0.5 else wood, bevel=0.01),
        box((0, top - mattress / 2, 0), (width, mattress, length - 0.08), linen, bevel=0.04),
        box((0, top + 0.16, length / 2 - 0.02), (width + 0.02, 0.62, 0.04), wood, bevel=0.015),
        box((0, top + 0.04, -length / 2 + 0.02), (width + 0.02, 0.42, 0.04), wood, bevel=0.015),
        _blanket(width, length, top, cover, rng),
    ]
    plump = rng.uniform(0.85, 1.1)
    head = pillow((rng.uniform(-0.05, 0.05), top + 0.055, length / 2 - 0.32), (0.66 * plump, 0.15, 0.44), linen)
    pieces.append(painted(head, lambda v: 1 + 0.05 * smooth_noise(v[:, 0], v[:, 2], rng=rng, scale=2.0)))
    for x in (-width / 2 + 0.08, width / 2 - 0.08):
        for z in (-length / 2 + 0.2, length / 2 - 0.2):
            pieces.append(rod((x, 0.08, z), (x, below - 0.08, z), 0.025, METAL))
            pieces.append(rod((x - 0.02, 0.05, z), (x + 0.02, 0.05, z), 0.05, DARK, n=12))
    if rng.random() < 0.35:
        side = float(rng.choice([-1.0, 1.0])) * (width / 2 + 0.02)
        for y in (top + 0.08, top + 0.2):
            pieces.append(rod((side, y, -0.1), (side, y, length / 2 - 0.1), 0.014, METAL))
        for z in (-0.1, 0.35, length / 2 - 0.1):
            pieces.append(rod((side, below - 0.05, z), (side, top + 0.21, z), 0.014, METAL))
    return Piece(
        name="bed", mesh=merge(pieces), size=(width + 0.06, top, length), surface=("bed", top, 0.0, width, length - 0.1)
    )


def _blanket(width: float, length: float, top: float, color: Color, rng: np.random.Generator) -> SceneMesh:
    """A cover over the foot part of the bed, hanging down both sides, wrinkled, its upper edge folded back."""
    reach, drop = rng.uniform(0.58, 0.72) * length, rng.uniform(0.1, 0.2)
    across = np.linspace(-width / 2 - drop, width / 2 + drop, 49)
    along = np.linspace(-length / 2 + 0.07, -length / 2 + reach, 46)
    u, v = np.meshgrid(across, along)
    over = np.maximum(np.abs(u) - width / 2, 0.0)
    wrinkle = 0.008 * smooth_noise(u, v, rng=rng, waves=7, scale=1.1)
    fold = 0.02 * (v > along[-1] - 0.16)
    x = np.clip(u, -width / 2 - 0.012, width / 2 + 0.012)
    y = top + 0.014 + wrinkle + fold - over
    points = np.stack([x + np.sign(u) * 0.01 * (over > 0), y, v], axis=-1)
    tint = np.asarray(color, float) * (1 + 0.03 * smooth_noise(u, v, rng=rng, scale=3.0))[..., None]
    tint = np.where((v > along[-1] - 0.16)[..., None], np.minimum(tint * 1.12 + 12, 245), tint)
    # Rows run along +z, columns along +x: d/dn x d/dm = x × z points down, so turn the columns round.
    return sheet(points[:, ::-1], tint[:, ::-1])


def armchair(*, rng: np.random.Generator) -> Piece:
    """A high-backed upholstered armchair with wooden legs."""
    width, depth, seat = rng.uniform(0.66, 0.76), rng.uniform(0.7, 0.8), rng.uniform(0.43, 0.49)
    back, arm = rng.uniform(0.98, 1.12), seat + rng.uniform(0.17, 0.22)
    cloth, wood = _pick(FABRICS, rng), _pick(WOODS, rng)
    light = tinted(cloth, 1.08)
    inside = width - 0.2
    pieces = [
        box((0, seat - 0.16, 0.02), (inside + 0.02, 0.14, depth - 0.16), cloth, bevel=0.03),
        pillow((0, seat - 0.045, 0.06), (inside, 0.13, depth - 0.22), light, squareness=0.25),
        box((0, (seat + back) / 2 - 0.05, -depth / 2 + 0.08), (inside + 0.04, back - seat + 0.1, 0.13), cloth, bevel=0.05),
        pillow((0, seat + 0.3, -depth / 2 + 0.15), (inside - 0.04, 0.5, 0.12), light, squareness=0.3),
    ]
    for side in (-1, 1):
        x = side * (width / 2 - 0.05)
        pieces.append(box((x, (0.14 + arm) / 2, 0.0), (0.1, arm - 0.14, depth - 0.06), cloth, bevel=0.035))
        for z in (-depth / 2 + 0.08, depth / 2 - 0.08):
            pieces.append(rod((x, 0.0, z), (x, 0.16, z), 0.018, wood, tip=0.026))
    mesh = speckled(merge(pieces), 0.015, rng)
    surface = ("chair", seat, 0.05, inside, depth - 0.25)
    return Piece(name="armchair", mesh=mesh, size=(width, arm, depth), surface=surface)


def chair(*, rng: np.random.Generator) -> Piece:
    """A plain wooden chair with a padded seat, perhaps with arms."""
    width, depth, seat = rng.uniform(0.44, 0.5), rng.uniform(0.46, 0.52), rng.uniform(0.43, 0.48)
    wood, cloth = _pick(WOODS, rng), _pick(FABRICS, rng)
    back = seat + rng.uniform(0.38, 0.48)
    pieces = [
        box((0, seat - 0.05, 0), (width - 0.02, 0.04, depth - 0.02), wood, bevel=0.008),
        pillow((0, seat - 0.012, 0.01), (width - 0.04, 0.055, depth - 0.05), cloth, squareness=0.2),
        box((0, back - 0.09, -depth / 2 + 0.02), (width - 0.04, 0.17, 0.025), wood, bevel=0.008),
        box((0, back - 0.28, -depth / 2 + 0.02), (width - 0.04, 0.06, 0.022), wood, bevel=0.006),
    ]
    for x in (-width / 2 + 0.025, width / 2 - 0.025):
        pieces.append(box((x, back / 2, -depth / 2 + 0.02), (0.036, back, 0.036), wood))
        pieces.append(box((x, (seat - 0.04) / 2, depth / 2 - 0.03), (0.036, seat - 0.04, 0.036), wood))
    if rng.random() < 0.5:
        for x in (-width / 2 + 0.01, width / 2 - 0.01):
            pieces.append(box((x, seat + 0.2, 0.0), (0.045, 0.03, depth - 0.05), wood, bevel=0.008))
            pieces.append(box((x, seat + 0.08, depth / 2 - 0.06), (0.032, 0.22, 0.032), wood))
    surface = ("chair", seat, 0.0, width - 0.04, depth - 0.06)
    return Piece(name="chair", mesh=merge(pieces), size=(width, seat, depth), surface=surface)


def table(*, rng: np.random.Generator) -> Piece:
    """A small table with a cloth or a few things on it."""
    width, depth, height = rng.uniform(0.75, 1.2), rng.uniform(0.65, 0.8), rng.uniform(0.71, 0.76)
    wood = _pick(WOODS, rng)
    pieces = [box((0, height - 0.015, 0), (width, 0.03, depth), wood, bevel=0.008, step=0.3)]
    pieces.append(box((0, height - 0.07, 0), (width - 0.12, 0.07, depth - 0.12), wood))
    for x in (-width / 2 + 0.05, width / 2 - 0.05):
        for z in (-depth / 2 + 0.05, depth / 2 - 0.05):
            pieces.append(box((x, (height - 0.03) / 2, z), (0.05, height - 0.03, 0.05), wood))
    if rng.random() < 0.6:
        pieces.append(moved(_vase(rng), x=rng.uniform(-0.2, 0.2), y=height, z=rng.uniform(-0.15, 0.15)))
    for _ in range(int(rng.integers(0, 3))):
        x, z = rng.uniform(-width / 2 + 0.15, width / 2 - 0.15), rng.uniform(-depth / 2 + 0.15, depth / 2 - 0.15)
        paper = box((0, 0.008, 0), (0.21, 0.016, 0.29), _pick(((230, 228, 220), (90, 120, 160), (170, 80, 70)), rng))
        pieces.append(moved(paper, x=x, y=height, z=z, yaw=rng.uniform(0, 3)))
        cup = rod((x + 0.2, height, z), (x + 0.2, height + 0.09, z), 0.035, (225, 225, 220), tip=0.04)
        pieces.append(cup)
    return Piece(name="table", mesh=merge(pieces), size=(width, height, depth))


def cabinet(*, rng: np.random.Generator) -> Piece:
    """A bedside cabinet with drawers and a lamp, a glass or a book on it."""
    width, depth, height = rng.uniform(0.42, 0.5), rng.uniform(0.38, 0.45), rng.uniform(0.56, 0.7)
    wood = _pick(WOODS, rng)
    front = tinted(wood, 1.07)
    pieces = [box((0, height / 2 + 0.03, 0), (width, height - 0.06, depth), wood, bevel=0.008)]
    for y in (height * 0.28, height * 0.72):
        pieces.append(box((0, y + 0.02, depth / 2), (width - 0.05, height * 0.38, 0.02), front, bevel=0.006))
        pieces.append(box((0, y + 0.05, depth / 2 + 0.02), (0.12, 0.015, 0.02), METAL))
    if rng.random() < 0.7:
        pieces.append(moved(_lamp(rng), x=-0.08, y=height))
    pieces.append(rod((0.13, height, 0.08), (0.13, height + 0.11, 0.08), 0.03, (205, 222, 226)))
    return Piece(name="cabinet", mesh=merge(pieces), size=(width, height, depth))


def wardrobe(*, rng: np.random.Generator) -> Piece:
    """A two-door wardrobe."""
    width, depth, height = rng.uniform(0.95, 1.3), rng.uniform(0.55, 0.62), rng.uniform(1.85, 2.1)
    wood = _pick(WOODS, rng)
    front = tinted(wood, 1.06)
    pieces = [box((0, height / 2, 0), (width, height, depth), wood, bevel=0.008, step=0.3)]
    for side in (-1, 1):
        door = box(
            (side * width / 4, height / 2 + 0.03, depth / 2), (width / 2 - 0.015, height - 0.12, 0.024), front, bevel=0.008
        )
        pieces.append(door)
        pieces.append(box((side * 0.05, height * 0.52, depth / 2 + 0.025), (0.015, 0.18, 0.025), METAL))
    return Piece(name="wardrobe", mesh=merge(pieces), size=(width, height, depth))


def dresser(*, rng: np.random.Generator) -> Piece:
    """A chest of drawers with a television or a plant on it."""
    width, depth, height = rng.uniform(0.8, 1.2), rng.uniform(0.4, 0.48), rng.uniform(0.72, 0.85)
    wood = _pick(WOODS, rng)
    front = tinted(wood, 1.07)
    pieces = [box((0, height / 2 + 0.02, 0), (width, height - 0.04, depth), wood, bevel=0.01, step=0.3)]
    for row in range(3):
        y = 0.09 + (row + 0.5) * (height - 0.1) / 3
        for side in (-1, 1):
            x = side * width / 4
            pieces.append(box((x, y, depth / 2), (width / 2 - 0.03, (height - 0.1) / 3 - 0.02, 0.02), front, bevel=0.006))
            pieces.append(box((x, y, depth / 2 + 0.02), (0.1, 0.014, 0.02), METAL))
    if rng.random() < 0.55:
        pieces.append(box((0, height + 0.02, -0.03), (0.3, 0.03, 0.16), DARK))
        pieces.append(box((0, height + 0.34, -0.04), (min(width, 0.92), 0.54, 0.04), (26, 27, 30), bevel=0.01))
    else:
        pieces.append(moved(_plant(rng, 0.45), x=rng.uniform(-0.2, 0.2), y=height))
    return Piece(name="dresser", mesh=merge(pieces), size=(width, height, depth))


def rollator(*, rng: np.random.Generator, grip: float = 0.9) -> Piece:
    """A walker on four wheels; ``grip`` is the height of its handles, metres."""
    paint = _pick(((150, 40, 45), (60, 70, 85), (40, 80, 130), METAL), rng)
    pieces = []
    for side in (-0.28, 0.28):
        bend = (side, grip - 0.28, 0.06)
        pieces.append(tube([(side, 0.1, 0.28), bend, (side, grip - 0.02, -0.22), (side, grip, -0.34)], 0.014, paint))
        pieces.append(tube([(side, 0.1, -0.28), bend], 0.014, paint))
        pieces.append(rod((side, grip, -0.34), (side, grip, -0.22), 0.02, DARK))
        pieces += [wheel((side, 0.1, z), 0.09, DARK) for z in (-0.28, 0.28)]
    pieces.append(box((0, grip - 0.32, 0.06), (0.5, 0.03, 0.2), DARK, bevel=0.01))
    pieces.append(tube([(-0.28, grip - 0.15, -0.08), (0.28, grip - 0.15, -0.08)], 0.012, paint))
    pieces.append(box((0, grip - 0.48, 0.16), (0.38, 0.2, 0.16), (70, 72, 78), bevel=0.02))
    return Piece(name="rollator", mesh=merge(pieces), size=(0.62, grip, 0.72))


def wheelchair(*, rng: np.random.Generator, seat: float = 0.5, footrests: bool = True) -> Piece:
    """A folding wheelchair, empty; ``footrests`` are swung away where somebody's feet are on the floor."""
    cloth = _pick(((40, 42, 48), (40, 60, 100), (90, 40, 45)), rng)
    pieces = [
        box((0, seat, 0.0), (0.44, 0.03, 0.42), cloth, bevel=0.01),
        box((0, seat + 0.22, -0.22), (0.44, 0.42, 0.025), cloth, bevel=0.01),
    ]
    for side in (-0.26, 0.26):
        pieces.append(wheel((side * 1.16, 0.3, -0.12), 0.3, DARK, width=0.035))
        pieces.append(wheel((side * 0.9, 0.08, 0.3), 0.08, DARK))
        pieces.append(tube([(side, seat + 0.42, -0.34), (side, seat + 0.42, -0.24), (side, 0.18, -0.2)], 0.013, METAL))
        front = [(side, 0.3, 0.24), (side, 0.1, 0.42)] if footrests else [(side, 0.3, 0.22), (side * 0.9, 0.12, 0.29)]
        pieces.append(tube([(side, seat + 0.2, -0.22), (side, seat + 0.2, 0.18), *front], 0.013, METAL))
        pieces.append(box((side, seat + 0.22, 0.0), (0.05, 0.03, 0.28), DARK, bevel=0.01))
        if footrests:
            pieces.append(box((side * 0.5, 0.1, 0.46), (0.16, 0.015, 0.14), DARK))
    return Piece(name="wheelchair", mesh=merge(pieces), size=(0.68, 0.92, 0.95))


def plant(*, rng: np.random.Generator) -> Piece:
    """A large pot plant on the floor."""
    height = rng.uniform(0.8, 1.3)
    return Piece(name="plant", mesh=_plant(rng, height), size=(0.45, height, 0.45))


def bin_(*, rng: np.random.Generator) -> Piece:
    """A waste bin."""
    color = _pick((METAL, DARK, (200, 200, 196)), rng)
    return Piece(name="bin", mesh=rod((0, 0, 0), (0, 0.32, 0), 0.11, color, n=16, tip=0.13), size=(0.26, 0.32, 0.26))


FURNITURE: dict[str, Callable[..., Piece]] = {
    "bed": bed, "armchair": armchair, "chair": chair, "table": table, "cabinet": cabinet, "wardrobe": wardrobe,
    "dresser": dresser, "rollator": rollator, "wheelchair": wheelchair, "plant": plant, "bin": bin_,
}  # fmt: skip
"""Every piece by its name. Extending = one function and one line here."""


def _pick(choices: tuple[Color, ...], rng: np.random.Generator) -> Color:
    """One of the colours, a little varied."""
    color = np.array(choices[int(rng.integers(len(choices)))]) * rng.uniform(0.92, 1.06) + rng.normal(0, 3, 3)
    return tinted(color, 1.0)


def _lamp(rng: np.random.Generator) -> SceneMesh:
    shade = _pick(((240, 226, 196), (236, 236, 230), (200, 120, 80)), rng)
    return merge([
        rod((0, 0, 0), (0, 0.02, 0), 0.07, DARK, n=14), rod((0, 0.02, 0), (0, 0.24, 0), 0.012, METAL),
        rod((0, 0.2, 0), (0, 0.38, 0), 0.13, shade, n=18, tip=0.08),
    ])  # fmt: skip


def _vase(rng: np.random.Generator) -> SceneMesh:
    pot = rod((0, 0, 0), (0, 0.2, 0), 0.05, _pick(((90, 130, 160), (220, 216, 205), (160, 90, 70)), rng), n=14, tip=0.07)
    blossom = _pick(((220, 80, 90), (240, 200, 80), (240, 235, 235), (190, 110, 180)), rng)
    pieces = [pot]
    for _ in range(9):
        x, y, z = rng.normal(0, 0.07), rng.uniform(0.28, 0.4), rng.normal(0, 0.07)
        pieces.append(rod((0, 0.18, 0), (x, y, z), 0.005, (70, 110, 60), n=5))
        pieces.append(pillow((x, y, z), (0.07, 0.06, 0.07), blossom, squareness=1.0, n=6))
    return merge(pieces)


def _plant(rng: np.random.Generator, height: float) -> SceneMesh:
    pieces = [
        rod(
            (0, 0, 0),
            (0, height * 0.28, 0),
            height * 0.12,
            _pick(((150, 90, 66), (225, 222, 215), DARK), rng),
            n=16,
            tip=height * 0.15,
        )
    ]
    green = np.array(_pick(((66, 110, 58), (90, 130, 70), (50, 92, 60)), rng))
    for _ in range(26):
        angle, lean, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.32) * height, rng.uniform(0.55, 1.0) * height
        t = np.linspace(0, 1, 6)[:, None]
        spine = np.concatenate(
            [
                lean * t**1.6 * np.cos(angle),
                height * 0.26 + (reach - height * 0.26) * (t - 0.28 * t**3),
                lean * t**1.6 * np.sin(angle),
            ],
            1,
        )
        across = np.array([-np.sin(angle), 0, np.cos(angle)]) * (0.06 * height * np.sin(np.pi * np.clip(t, 0.04, 0.97)))
        leaf = np.stack([spine - across, spine + across], axis=1)
        tint = tinted(green, rng.uniform(0.8, 1.25))
        pieces += [sheet(leaf, tint), sheet(leaf[:, ::-1], tint)]
    return merge(pieces)
