"""Pieces beside the body's own surface: skirts around both legs, shoes, and what hangs from the head."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array, diags_array, vstack
from scipy.spatial import KDTree

from ..raster.shading import vertex_normals
from .pattern import ARMS, FEET, Pattern, outline, slice_at

RINGS, AROUND = 14, 36
"""Vertices of a skirt: down, and around."""
SOLE = 0.014
"""Thickness of a shoe's sole, metres."""


def skirt(pattern: Pattern, top: float, hem: float, flare: float, *, gap: float = 0.0, front: float = np.pi) -> Pattern:
    """A tube around both legs that follows them: it runs along the legs' common outline, straight across the gap between them.

    Args:
        top, hem: Heights in the zero pose, metres.
        flare: How far the hem stands off more than the top, metres.
        gap: Half the angle that stays open in front, radians.
        front: Half the angle that is covered from the front, radians; pi is all around.
    Returns:
        A pattern of its own, whose ``slack`` is how far it stands off.
    """
    points = pattern.points
    heights, rings = _rings(pattern, top)
    chosen = np.abs(heights - np.linspace(top, hem, RINGS)[:, None]).argmin(axis=1)
    faces = tube_faces(RINGS, AROUND)
    turn = 2 * np.pi * (np.arange(AROUND) + 0.5) / AROUND
    turn = np.minimum(turn, 2 * np.pi - turn)
    kept = ((turn > gap) & (turn < front))[np.tile(np.arange(AROUND), 2 * (RINGS - 1))]
    used, flat = np.unique(faces[kept], return_inverse=True)
    rows, faces = csr_array(rings[(chosen[used // AROUND] * AROUND) + used % AROUND]), flat.reshape(-1, 3)
    values, mix = rows @ points.values, csr_array(rows @ pattern.mix[: len(points.rest)])
    drop = used // AROUND / (RINGS - 1)
    values[:, 3:6] = vertex_normals(values[:, :3], faces)
    # slack, hollow, room, eye
    values[:, 6:10] = np.stack([0.012 + flare * drop, 0 * drop, 0 * drop + 1, 0 * drop], axis=1)
    return Pattern(points=replace(points, values=values), faces=faces, mix=csr_array(vstack([mix, mix])))


@lru_cache(maxsize=8)
def _rings(pattern: Pattern, top: float) -> tuple[np.ndarray, csr_array]:
    """Rings around the legs, a centimetre apart: heights (r,), and ``AROUND`` rows over the pattern for each."""
    points = pattern.points
    lower = np.flatnonzero((points.share(ARMS) < 0.3) & (points.rest[:, 1] < top + 0.05))
    rest = points.rest[lower]
    heights = np.arange(top, points.at("ankle")[1], -0.01)
    ends, shares = [], []
    for height in heights:
        a, b, share = outline(slice_at(rest, height), AROUND)
        ends += [np.insert(a, 1, height, axis=1), np.insert(b, 1, height, axis=1)]
        shares.append(share)
    first, second = np.concatenate(ends[0::2]), np.concatenate(ends[1::2])
    share, near = np.concatenate(shares), KDTree(rest)
    rows = diags_array(1 - share) @ _near_rows(pattern, lower, near, first)
    return heights, csr_array(rows + diags_array(share) @ _near_rows(pattern, lower, near, second))


def tube_faces(rings: int, around: int) -> Int[np.ndarray, "f 3"]:
    """Faces of a tube whose vertices lie ring after ring from the top down, ``around`` of them in each."""
    ring, k = np.divmod(np.arange((rings - 1) * around), around)
    a, b = ring * around + k, ring * around + (k + 1) % around
    return np.concatenate([np.stack([a, a + around, b], 1), np.stack([b, a + around, b + around], 1)])


def _near_rows(pattern: Pattern, lower: np.ndarray, tree: KDTree, points: np.ndarray, count: int = 16) -> csr_array:
    """Rows over the pattern that reproduce points from the vertices around them, smoothly from point to point."""
    distance, near = tree.query(points, k=count)
    near = lower[near]
    weight = np.exp(-0.5 * (distance / 0.03) ** 2) + 1e-6
    weight /= weight.sum(1, keepdims=True)
    # The smallest change of the weights that makes them give the point itself, still summing to 1.
    around = np.concatenate([pattern.points.rest[near] - points[:, None], np.full((*near.shape, 1), 0.05)], axis=-1)
    target = np.concatenate([np.zeros_like(points), np.full((len(points), 1), 0.05)], axis=-1)
    wrong = target - np.einsum("nk,nkd->nd", weight, around)
    gram = np.einsum("nkd,nke->nde", around, around) + 1e-7 * np.eye(4)
    weight = weight + np.einsum("nkd,nd->nk", around, np.linalg.solve(gram, wrong[..., None])[..., 0])
    rows = np.repeat(np.arange(len(points)), count)
    return csr_array(coo_array((weight.reshape(-1), (rows, near.reshape(-1))), shape=(len(points), len(pattern.points.rest))))


@lru_cache(maxsize=16)
def shoe(pattern: Pattern, side: str, top: float) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """A shoe: a sole and an arch over it, from heel to toe, up to ``top`` (height in the zero pose, metres).

    Returns:
        mix rows (n, v); faces (f, 3); which vertices belong to the sole (n,).
    """
    points = pattern.points
    own = points.rest[:, 0] * (1 if side == "left" else -1) > 0
    foot = np.flatnonzero((points.share(FEET) > 0.5) & own & (points.rest[:, 1] < top))
    rest = points.rest[foot]
    floor, heel, toe = rest[:, 1].min(), rest[:, 2].min(), rest[:, 2].max()
    arch = np.linspace(0, np.pi, 9)
    across = np.concatenate([[1, 1], np.sign(np.cos(arch)) * np.abs(np.cos(arch)) ** 0.7, [-1, -1]])
    up = np.concatenate([[0, 0], np.sin(arch) ** 0.8, [0, 0]])
    sole = np.array([True, True] + [False] * len(arch) + [True, True])
    stations = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, 13))
    sections = []
    for share in stations:
        z = heel + share * (toe - heel)
        slab = rest[np.abs(rest[:, 2] - z) < 0.022]
        # Round at both ends.
        ends = np.clip(np.minimum((z - heel + 0.012) / 0.045, (toe + 0.012 - z) / 0.060), 0, 1)
        width = (0.5 * np.ptp(slab[:, 0]) + 0.005) * np.sqrt(1 - (1 - ends) ** 2)
        height = (slab[:, 1].max() - floor) * (0.55 + 0.45 * ends) + 0.006
        x = slab[:, 0].min() / 2 + slab[:, 0].max() / 2 + width * across
        y = np.where(sole, 0.0, SOLE + (height - SOLE) * up)
        y[[1, -2]] = SOLE
        reach = z + np.interp(share, [0, 0.2, 0.8, 1], [-0.008, 0, 0, 0.008])
        sections.append(np.stack([x, floor + y, np.full(len(x), reach)], axis=1))
    shape = np.concatenate(sections)
    count = len(across)
    grid = np.arange(len(shape)).reshape(-1, count)
    # Sole and upper share no vertex, so that their colours meet in a line; the last strip is the underside.
    strips = [k for k in range(count) if sole[k] == sole[(k + 1) % count]]
    faces = []
    for k in strips:
        a, b = grid[:, k], grid[:, (k + 1) % count]
        faces += [np.stack([a[:-1], a[1:], b[:-1]], 1), np.stack([b[:-1], a[1:], b[1:]], 1)]
    for ring, turn in ((grid[0], 1), (grid[-1], -1)):
        for part in (np.flatnonzero(~sole), np.array([count - 2, count - 1, 0, 1])):
            fan = [(ring[part[0]], ring[part[k]], ring[part[k + 1]])[::turn] for k in range(1, len(part) - 1)]
            faces.append(np.array(fan))
    rows = _near_rows(pattern, foot, KDTree(rest), shape, 40)
    return csr_array(rows @ pattern.mix[: len(points.rest)]), np.concatenate(faces), np.tile(sole, len(stations))


def attach(pattern: Pattern, anchors: Int[np.ndarray, " a"], points: Float[np.ndarray, "n 3"]) -> csr_array:
    """Rows that carry zero-pose points along rigidly with some vertices: the smallest affine weights that give each point."""
    system = np.vstack([pattern.points.rest[anchors].T, np.ones(len(anchors))])
    weights = np.linalg.pinv(system) @ np.vstack([points.T, np.ones(len(points))])
    rows = np.repeat(np.arange(len(points)), len(anchors))
    columns = np.tile(anchors, len(points))
    flat = csr_array(coo_array((weights.T.reshape(-1), (rows, columns)), shape=(len(points), len(pattern.points.rest))))
    return csr_array(flat @ pattern.mix[: len(pattern.points.rest)])
