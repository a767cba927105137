"""A room without furniture: floor, ceiling, four walls, a window that shows the sky, a door, skirting, a radiator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...types import SceneMesh
from .furniture import METAL, _pick
from .parts import Color, box, merge, moved, painted, rectangle, rod, sheet, smooth_noise, speckled, tiles

WALL_PAINTS: tuple[Color, ...] = (
    (232, 228, 218), (236, 226, 200), (222, 228, 214), (214, 224, 232), (226, 218, 208), (238, 238, 234), (230, 214, 204),
)  # fmt: skip
ACCENTS: tuple[Color, ...] = ((150, 172, 160), (196, 168, 128), (140, 160, 184), (190, 150, 140), (206, 190, 150))
CURTAINS: tuple[Color, ...] = (
    (206, 190, 160),
    (150, 168, 150),
    (170, 120, 100),
    (140, 150, 176),
    (226, 220, 206),
    (190, 160, 90),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Position and size of the window or the door in a wall."""

    wall: int
    """0: z = 0, 1: x = width, 2: z = length, 3: x = 0."""
    start: float
    """Metres along the wall, from its left end seen from inside."""
    width: float
    bottom: float
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Measures of an empty room; its floor is [0, width] x [0, length] in (x, z)."""

    width: float
    length: float
    height: float
    window: Opening
    door: Opening

    def wall_length(self, wall: int) -> float:
        """Metres along the floor."""
        return self.width if wall % 2 == 0 else self.length

    def on_wall(self, wall: int, along: float, out: float) -> tuple[float, float, float]:
        """(x, z, yaw) of a thing ``along`` metres from the wall's left end and ``out`` metres into the room, facing inward."""
        w, l = self.width, self.length
        # Seen from inside, wall 0 (z = 0, inward +z) runs left to right from x = width to 0; the others follow round.
        x, z = [(w - along, out), (w - out, l - along), (along, l - out), (out, along)][wall]
        return x, z, (0.0, -np.pi / 2, np.pi, np.pi / 2)[wall]


def make_shell(plan: Plan, *, rng: np.random.Generator) -> tuple[SceneMesh, str]:
    """Geometry of the empty room, and which floor it got."""
    kind = str(rng.choice(list(FLOORS)))
    paint = _pick(WALL_PAINTS, rng)
    accent = int(rng.integers(0, 8))
    white: Color = (240, 239, 234)
    pieces = [
        FLOORS[kind](plan.width, plan.length, rng=rng),
        rectangle((0, plan.height, 0), (plan.width, 0, 0), (0, 0, plan.length), (243, 242, 238), step=0.3),
    ]
    for wall in range(4):
        color = _pick(ACCENTS, rng) if wall == accent else paint
        openings = [o for o in (plan.window, plan.door) if o.wall == wall]
        local = [_wall(plan.wall_length(wall), plan.height, openings, color, white)]
        if plan.window.wall == wall:
            local.append(_window(plan.window, plan.height, white, rng=rng))
        if plan.door.wall == wall:
            local.append(_door(plan.door, rng=rng))
        pieces.append(to_wall(merge(local), plan, wall))
    return merge(pieces), kind


def to_wall(piece: SceneMesh, plan: Plan, wall: int) -> SceneMesh:
    """From a wall's own frame (x from its left end seen from inside, y up, z out of the wall) into the room."""
    x, z, yaw = plan.on_wall(wall, 0.0, 0.0)
    flipped = piece.vertices * [-1.0, 1, 1]
    # In the room an inward-facing wall runs right to left, so the wall's own frame is mirrored and its faces turn over.
    mirrored = SceneMesh(vertices=flipped, faces=piece.faces[:, ::-1], colors=piece.colors)
    return moved(mirrored, x=x, z=z, yaw=yaw)


def _wall(length: float, height: float, openings: list[Opening], color: Color, white: Color) -> SceneMesh:
    """Plaster around the openings, with skirting, in the wall's frame (z out of the wall)."""
    edges = sorted({0.0, length, *(o.start for o in openings), *(o.start + o.width for o in openings)})
    pieces = []
    for left, right in pairwise(edges):
        opening = next((o for o in openings if o.start <= left and right <= o.start + o.width), None)
        spans = [(0.0, height)] if opening is None else [(0.0, opening.bottom), (opening.top, height)]
        for low, high in spans:
            if high - low > 1e-6:
                pieces.append(rectangle((left, low, 0), (right - left, 0, 0), (0, high - low, 0), color, step=0.15))
        if opening is None or opening.bottom > 0.12:
            pieces.append(box(((left + right) / 2, 0.05, 0.008), (right - left, 0.1, 0.016), white))
    return merge(pieces)


def _window(window: Opening, height: float, white: Color, *, rng: np.random.Generator) -> SceneMesh:
    """Reveal, sky with what grows below it, frame with a cross bar, sill, curtains on a rail, a radiator."""
    x, w, y, h, deep = window.start, window.width, window.bottom, window.top - window.bottom, 0.14
    pieces = [
        _outside(x, y, w, h, -deep, rng=rng),
        rectangle((x, y, -deep), (0, h, 0), (0, 0, deep), white),
        rectangle((x + w, y, 0), (0, h, 0), (0, 0, -deep), white),
        rectangle((x, y + h, -deep), (w, 0, 0), (0, 0, deep), white),
        rectangle((x, y, 0), (w, 0, 0), (0, 0, -deep), white),
        box((x + w / 2, y - 0.015, 0.04), (w + 0.12, 0.03, 0.2), white, bevel=0.008),
    ]
    bar, z, frame = 0.055, -deep + 0.04, _pick(((206, 204, 198), (188, 186, 182), (150, 120, 90)), rng)
    for cx in (x + bar / 2, x + w / 2, x + w - bar / 2):
        pieces.append(box((cx, y + h / 2, z), (bar, h, 0.05), frame))
    for cy in (y + bar / 2, y + h - bar / 2):
        pieces.append(box((x + w / 2, cy, z), (w, bar, 0.05), frame))
    rail = min(window.top + 0.14, height - 0.06)
    cloth = _pick(CURTAINS, rng)
    foot = 0.08 if rng.random() < 0.5 else max(0.08, y - 0.12)
    pieces.append(rod((x - 0.4, rail, 0.1), (x + w + 0.4, rail, 0.1), 0.014, METAL))
    drawn = rng.uniform(0.22, 0.42)
    for left, right in ((x - 0.36, x - 0.36 + drawn), (x + w + 0.36 - drawn, x + w + 0.36)):
        pieces.append(_curtain(left, right, foot, rail, cloth, rng=rng))
    if y > 0.6:
        ribs = np.arange(x + 0.12, x + w - 0.12, 0.07)
        pieces += [box((rib, 0.42, 0.07), (0.05, 0.5, 0.07), white, bevel=0.012) for rib in ribs]
    return merge(pieces)


def _outside(x: float, y: float, w: float, h: float, z: float, *, rng: np.random.Generator) -> SceneMesh:
    """The view through the window: an overexposed sky over blurred trees and a house."""
    t, s = np.meshgrid(np.linspace(0, 1, 26), np.linspace(0, 1, 26), indexing="ij")
    points = np.stack([x + s * w, y + t * h, np.full_like(s, z)], axis=-1)
    sky = np.array([226, 238, 252]) + (255 - np.array([226, 238, 252])) * t[..., None]
    trees = 0.2 + 0.2 * rng.random() + 0.1 * smooth_noise(s * w, t * 0, rng=rng, scale=0.5)
    green = np.array([120, 146, 104]) * (1 + 0.18 * smooth_noise(s * w, t * h, rng=rng, scale=1.6))[..., None]
    share = 1 / (1 + np.exp((t - trees) * 24))[..., None]
    # The renderer shades it like a wall; a bright albedo and the haze keep it brighter than anything inside.
    return sheet(points, 60 + 0.8 * (share * green + (1 - share) * sky))


def _curtain(left: float, right: float, low: float, high: float, color: Color, *, rng: np.random.Generator) -> SceneMesh:
    """Pleated cloth from the rail down, lit from the window side by its own paler folds."""
    n = max(12, int((right - left) * 90))
    s, t = np.linspace(0, 1, n), np.linspace(0, 1, 8)
    pleats = np.pi * 2 * s * max(2, round((right - left) / 0.11)) + rng.uniform(0, 6)
    sway = 0.01 * smooth_noise(s[None] * 2, t[:, None], rng=rng)
    z = 0.09 + (0.028 + 0.012 * (1 - t[:, None])) * np.sin(pleats)[None] + sway
    points = np.stack(
        [np.broadcast_to(left + s * (right - left), z.shape), np.broadcast_to((low + t * (high - low))[:, None], z.shape), z],
        -1,
    )
    tint = np.asarray(color) * (1 + 0.12 * np.sin(pleats))[None, :, None] * np.ones((8, 1, 1))
    return sheet(points, tint)


def _door(door: Opening, *, rng: np.random.Generator) -> SceneMesh:
    """A wide care-home door with frame, handle and kick plate."""
    x, w, h = door.start, door.width, door.top
    leaf = _pick(((190, 150, 108), (236, 234, 228), (214, 190, 156), (150, 168, 176)), rng)
    frame = _pick(((228, 226, 220), (160, 122, 84)), rng)
    handle = x + w - 0.1 if rng.random() < 0.5 else x + 0.1
    pieces = [
        box((x + w / 2, h / 2, -0.03), (w, h, 0.05), leaf, step=0.3),
        box((x - 0.03, h / 2, 0.0), (0.07, h + 0.06, 0.06), frame),
        box((x + w + 0.03, h / 2, 0.0), (0.07, h + 0.06, 0.06), frame),
        box((x + w / 2, h + 0.03, 0.0), (w + 0.12, 0.07, 0.06), frame),
        box((x + w / 2, 0.16, 0.0), (w - 0.06, 0.24, 0.008), METAL),
        rod((handle, 1.05, 0.04), (handle + (0.13 if handle < x + w / 2 else -0.13), 1.05, 0.04), 0.012, METAL),
        rod((handle, 1.05, -0.01), (handle, 1.05, 0.04), 0.014, METAL),
    ]
    return merge(pieces)


def _planks(width: float, length: float, *, rng: np.random.Generator) -> SceneMesh:
    wood = np.array(_pick(((188, 150, 108), (164, 120, 80), (206, 178, 140), (140, 104, 74), (190, 176, 156)), rng), float)
    pieces, x, broad = [], 0.0, rng.uniform(0.12, 0.2)
    base = rectangle(
        (0, -0.004, 0), (0, 0, length), (width, 0, 0), (int(wood[0] * 0.6), int(wood[1] * 0.6), int(wood[2] * 0.6))
    )
    while x < width:
        side = min(broad, width - x)
        edges = np.concatenate([[0.0], np.cumsum(rng.uniform(0.9, 1.9, int(length / 0.9) + 2))])
        edges = np.append(edges[edges < length], length)
        for start, end in pairwise(edges):
            tone = wood * (1 + rng.normal(0, 0.05)) + rng.normal(0, 2, 3)
            n = max(2, int((end - start) / 0.12))
            grain = 1 + 0.025 * rng.normal(size=(1, 3, 1)) + 0.02 * rng.normal(size=(n, 1, 1))
            z = np.linspace(start + 0.002, end - 0.002, n)
            u = np.linspace(x + 0.0025, x + side - 0.0025, 3)
            points = np.stack(np.broadcast_arrays(u[None, :], 0.0, z[:, None]), axis=-1)
            # Columns run along +x, rows along +z: turned round so that the floor faces up.
            pieces.append(sheet(points[:, ::-1], (tone * grain)[:, ::-1]))
        x += broad
    return merge([base, *pieces])


def _tiled(width: float, length: float, *, rng: np.random.Generator) -> SceneMesh:
    side = rng.uniform(0.3, 0.45)
    m, n = int(np.ceil(width / side)), int(np.ceil(length / side))
    color = np.array(_pick(((206, 196, 180), (176, 120, 92), (190, 194, 194), (222, 220, 212), (140, 140, 136)), rng), float)
    shades = color * (1 + 0.03 * rng.normal(size=(m, n, 1))) + rng.normal(0, 1.5, (m, n, 3))
    grout = _pick(((170, 166, 158), (120, 118, 114)), rng)
    base = rectangle((0, -0.003, 0), (0, 0, length), (width, 0, 0), grout)
    gap = 0.006 / side
    return merge([base, tiles((0, 0, 0), (0, 0, length), (width, 0, 0), shades, gap=gap)])


def _lino(width: float, length: float, *, rng: np.random.Generator) -> SceneMesh:
    palette = ((168, 176, 172), (196, 184, 160), (140, 160, 150), (150, 164, 180), (188, 170, 150))
    color = _pick(palette, rng)
    ground = rectangle((0, 0, 0), (0, 0, length), (width, 0, 0), color, step=0.045)
    clouds = painted(ground, lambda v: 1 + 0.03 * smooth_noise(v[:, 0], v[:, 2], rng=rng, scale=0.6))
    return speckled(clouds, 0.022, rng)


def _carpet(width: float, length: float, *, rng: np.random.Generator) -> SceneMesh:
    color = _pick(((132, 120, 108), (104, 116, 132), (150, 110, 96), (120, 130, 112), (168, 156, 140)), rng)
    ground = rectangle((0, 0, 0), (0, 0, length), (width, 0, 0), color, step=0.035)
    return speckled(painted(ground, lambda v: 1 + 0.03 * smooth_noise(v[:, 0], v[:, 2], rng=rng)), 0.06, rng)


FLOORS: dict[str, Callable[..., SceneMesh]] = {"planks": _planks, "tiles": _tiled, "lino": _lino, "carpet": _carpet}
"""Floor coverings by name."""
