"""Small pieces of coloured geometry to build furniture from. Every piece is a ``SceneMesh`` whose faces turn outward."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from ...geometry import axis_rotation
from ...types import SceneMesh

Color = tuple[int, int, int]
"""sRGB, 0..255."""


def tinted(color: Color | np.ndarray, factor: float) -> Color:
    """A colour made lighter (factor above 1) or darker."""
    red, green, blue = np.clip(np.asarray(color, float) * factor, 0, 255).astype(int).tolist()
    return red, green, blue


def merge(pieces: Iterable[SceneMesh]) -> SceneMesh:
    """One mesh of many."""
    pieces = list(pieces)
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    return SceneMesh(
        vertices=np.concatenate([piece.vertices for piece in pieces]),
        faces=np.concatenate([piece.faces + start for piece, start in zip(pieces, starts, strict=False)]),
        colors=np.concatenate([piece.colors for piece in pieces]),
    )


def moved(piece: SceneMesh, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> SceneMesh:
    """Turned by ``yaw`` (radians about +y: +z goes towards +x), then shifted (metres)."""
    vertices = piece.vertices @ axis_rotation("y", yaw).T + [x, y, z]
    return SceneMesh(vertices=vertices, faces=piece.faces, colors=piece.colors)


def painted(piece: SceneMesh, shade: Callable[[np.ndarray], np.ndarray]) -> SceneMesh:
    """Colours multiplied by ``shade(vertices)``, shape (v,) or (v, 3)."""
    factor = np.asarray(shade(piece.vertices))
    colors = piece.colors * (factor[:, None] if factor.ndim == 1 else factor)
    return SceneMesh(vertices=piece.vertices, faces=piece.faces, colors=np.clip(colors, 0, 255).round().astype(np.uint8))


def speckled(piece: SceneMesh, amount: float, rng: np.random.Generator) -> SceneMesh:
    """Each vertex a little lighter or darker (``amount``: one standard deviation), as cloth and lino are."""
    return painted(piece, lambda vertices: 1 + amount * rng.normal(size=len(vertices)))


def sheet(points: Float[np.ndarray, "m n 3"], color: Color | np.ndarray) -> SceneMesh:
    """A grid of points as a surface; its front is where d/dn x d/dm points.

    Args:
        points: Shape (m, n, 3): row m, column n; metres.
        color: One colour or one for each point, (m, n, 3).
    """
    m, n = points.shape[:2]
    index = np.arange(m * n).reshape(m, n)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    colors = np.broadcast_to(np.clip(np.asarray(color, float), 0, 255).round().astype(np.uint8), (m, n, 3))
    return SceneMesh(vertices=points.reshape(-1, 3).astype(float), faces=faces, colors=colors.reshape(-1, 3).copy())


def rectangle(
    origin: Iterable[float], u: Iterable[float], v: Iterable[float], color: Color, *, step: float = 0.25
) -> SceneMesh:
    """A flat rectangle from ``origin`` along edges ``u`` and ``v`` (metres), cut every ``step``; its front is u x v."""
    start, along, up = (np.asarray(list(x), float) for x in (origin, u, v))
    columns = max(1, int(np.ceil(np.linalg.norm(along) / step)))
    rows = max(1, int(np.ceil(np.linalg.norm(up) / step)))
    s, t = np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1)
    return sheet(start + t[:, None, None] * up + s[None, :, None] * along, color)


def tiles(
    origin: Iterable[float], u: Iterable[float], v: Iterable[float], colors: Float[np.ndarray, "m n 3"], *, gap: float
) -> SceneMesh:
    """A rectangle of tiles (m rows along ``v``, n columns along ``u``); ``gap`` is a share of a tile.

    Each tile has a vertex in its middle besides its four corners, so that shading by place varies within it.
    """
    start, along, up = (np.asarray(list(x), float) for x in (origin, u, v))
    m, n = colors.shape[:2]
    corner = start + (np.arange(m)[:, None, None] / m) * up + (np.arange(n)[None, :, None] / n) * along
    side_u, side_v = along / n * (1 - gap), up / m * (1 - gap)
    corners = np.stack([corner, corner + side_u, corner + side_u + side_v, corner + side_v], axis=2).reshape(-1, 4, 3)
    index, hub = np.arange(m * n)[:, None] * 4, np.arange(m * n)[:, None] + m * n * 4
    faces = np.concatenate([np.concatenate([index + k, index + (k + 1) % 4, hub], axis=1) for k in range(4)])
    paint = np.clip(colors.reshape(-1, 3), 0, 255).round().astype(np.uint8)
    return SceneMesh(
        vertices=np.concatenate([corners.reshape(-1, 3), corners.mean(1)]), faces=faces,
        colors=np.concatenate([np.repeat(paint, 4, axis=0), paint]),
    )  # fmt: skip


def box(center: Iterable[float], size: Iterable[float], color: Color, *, bevel: float = 0.0, step: float = 0.5) -> SceneMesh:
    """A box; ``bevel`` (metres) cuts its edges, which catches light as real edges do. Faces are cut every ``step``."""
    middle, half = np.asarray(list(center), float), np.asarray(list(size), float) / 2
    bevel = min(bevel, 0.45 * 2 * float(half.min()))
    pieces = []
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            u, v = np.zeros(3), np.zeros(3)
            u[i], v[j] = 2 * (half[i] - bevel), 2 * (half[j] - bevel)
            corner = middle - (u + v) / 2
            corner[axis] = middle[axis] + sign * half[axis]
            pieces.append(rectangle(corner, *((u, v) if sign > 0 else (v, u)), color, step=step))
    if bevel > 0:
        pieces += _bevels(middle, half, bevel, color)
    return merge(pieces)


def _bevels(middle: np.ndarray, half: np.ndarray, bevel: float, color: Color) -> list[SceneMesh]:
    """The twelve cut edges and eight cut corners of a box."""
    pieces = []
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        for si in (-1.0, 1.0):
            for sj in (-1.0, 1.0):
                a, b = np.zeros(3), np.zeros(3)
                a[i], a[j] = si * half[i], sj * (half[j] - bevel)
                b[i], b[j] = si * (half[i] - bevel), sj * half[j]
                along = np.zeros(3)
                along[axis] = half[axis] - bevel
                strip = np.stack([np.stack([a - along, a + along]), np.stack([b - along, b + along])])
                strip = strip if si * sj > 0 else strip[::-1]
                pieces.append(sheet(strip[:, ::-1] + middle, color))
    for signs in np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T:
        corners = np.tile(signs * (half - bevel), (3, 1)) + np.diag(signs * bevel)
        order = [0, 1, 2] if np.prod(signs) > 0 else [0, 2, 1]
        colors = np.tile(np.array(color, np.uint8), (3, 1))
        pieces.append(SceneMesh(vertices=corners[order] + middle, faces=np.array([[0, 1, 2]]), colors=colors))
    return pieces


def pillow(center: Iterable[float], size: Iterable[float], color: Color, *, squareness: float = 0.45, n: int = 20) -> SceneMesh:
    """A rounded box (superellipsoid): cushions, pillows, lampshades' ends. ``squareness`` 1 = ellipsoid, 0 = box."""
    latitude, longitude = np.meshgrid(np.linspace(-np.pi / 2, np.pi / 2, n), np.linspace(np.pi, -np.pi, 2 * n), indexing="ij")

    def bent(x: np.ndarray, exponent: float) -> np.ndarray:
        return np.sign(x) * np.abs(x) ** exponent

    ring = bent(np.cos(latitude), squareness)
    # The height is rounder than the outline: a pillow bulges, a box of its outline would not.
    rise = bent(np.sin(latitude), max(squareness, 0.8))
    points = np.stack(
        [ring * bent(np.cos(longitude), squareness), rise, ring * bent(np.sin(longitude), squareness)],
        -1,
    )
    return sheet(points * np.asarray(list(size), float) / 2 + np.asarray(list(center), float), color)


def rod(
    start: Iterable[float], end: Iterable[float], radius: float, color: Color, *, n: int = 10, tip: float | None = None
) -> SceneMesh:
    """A cylinder from ``start`` to ``end`` with closed ends; ``tip`` is the radius at the end, where it differs."""
    a, b = np.asarray(list(start), float), np.asarray(list(end), float)
    axis = (b - a) / np.linalg.norm(b - a)
    side = np.cross(axis, [0.0, 0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0, 0])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    angle = np.linspace(0, 2 * np.pi, n + 1)
    ring = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other
    radii = (0.0, radius, radius if tip is None else tip, 0.0)
    ends = (a, a, b, b)
    return sheet(np.stack([e + r * ring for e, r in zip(ends, radii, strict=True)]), color)


def tube(points: Iterable[Iterable[float]], radius: float, color: Color, *, n: int = 8) -> SceneMesh:
    """Rods from point to point: bent metal tube."""
    path = [tuple(point) for point in points]
    return merge(rod(a, b, radius, color, n=n) for a, b in pairwise(path))


def wheel(center: Iterable[float], radius: float, color: Color, *, width: float = 0.03) -> SceneMesh:
    """A wheel that rolls along z: tyre and hub."""
    x, y, z = center
    angle = np.linspace(0, 2 * np.pi, 17)
    rim = [(x, y + radius * np.sin(t), z + radius * np.cos(t)) for t in angle]
    hub = rod((x - width, y, z), (x + width, y, z), radius * 0.18, (150, 150, 155), n=8)
    spokes = [rod((x, y, z), rim[k], 0.006, (170, 170, 175), n=4) for k in range(0, 16, 4)]
    return merge([tube(rim, width / 2, color, n=6), hub, *spokes])


def smooth_noise(u: np.ndarray, v: np.ndarray, *, rng: np.random.Generator, waves: int = 6, scale: float = 1.0) -> np.ndarray:
    """Gentle irregular waves over coordinates (u, v) in metres, about -1..1: wrinkles, stains, wood."""
    total = np.zeros(np.broadcast(u, v).shape)
    for _ in range(waves):
        angle, phase, frequency = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), scale * rng.uniform(1.0, 4.0)
        total += np.sin(2 * np.pi * frequency * (u * np.cos(angle) + v * np.sin(angle)) + phase)
    return total / np.sqrt(waves * 2)
