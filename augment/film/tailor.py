"""The mesh that clothes are cut from: the body's own surface, finer where cloth meets skin, as weighted means of its vertices.

Every vertex of a dressed person is a fixed linear mix of the body's vertices (rows of a sparse matrix), so clothes follow any
pose by one product. Smoothing the rows smooths the surface: toes become a shoe, buttocks a pair of trousers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array, diags_array, vstack
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, KDTree

from ..body.model import Body
from ..raster.shading import vertex_normals
from ..types import JOINT

LONGEST_EDGE = 0.02
"""Metres; longer edges are halved (twice at most), so that hems and stripes come out straight."""

HEAD = (JOINT["head"],)
ARMS = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "elbow", "wrist", "hand"))
HANDS = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "hand"))
LEGS = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "foot"))
FEET = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A body's surface in its zero pose and mean shape, with the measures that clothes need."""

    mix: csr_array
    """(n, v): this mesh's vertices as means of the body's."""
    faces: Int[np.ndarray, "f 3"]
    rest: Float[np.ndarray, "n 3"]
    """Zero pose, metres."""
    normals: Float[np.ndarray, "n 3"]
    weights: Float[np.ndarray, "n 24"]
    joints: Float[np.ndarray, "24 3"]
    neighbours: csr_array
    """(n, n): the mean over each vertex's neighbours."""
    eyes: Int[np.ndarray, " e"]
    """Vertices of separate eyeballs; empty for a body without them."""

    def share(self, parts: tuple[int, ...]) -> Float[np.ndarray, "n"]:
        """How much each vertex belongs to these joints, 0..1."""
        return self.weights[:, list(parts)].sum(1)

    def at(self, joint: str) -> Float[np.ndarray, "3"]:
        """A joint in the zero pose; ``hip`` and the like mean the left one."""
        return self.joints[JOINT.get(joint, JOINT.get(f"left_{joint}", 0))]

    @property
    def stature(self) -> float:
        """Sole to crown, metres."""
        return float(np.ptp(self.rest[:, 1]))


@lru_cache(maxsize=4)
def pattern_of(body: Body) -> Pattern:
    """The body's pattern (made once per body)."""
    rest, joints = body.rest_vertices(np.zeros(10)), body.rest_joints(np.zeros(10))
    count = len(rest)
    pieces, piece = connected_components(_edge_matrix(body.faces, count), directed=False)
    eyes, hidden = np.zeros(count, bool), np.zeros(count, bool)
    for index in range(pieces):
        inside = piece == index
        if inside.sum() < 0.1 * count:
            # Loose pieces: a pair of eyeballs beside the middle, or teeth and tongue, which nobody sees.
            (eyes if abs(rest[inside, 0].mean()) > 0.01 else hidden)[inside] = True
    faces = body.faces[~hidden[body.faces].any(1)]
    mix = csr_array(diags_array(np.ones(count)))
    for _ in range(2):
        faces, mix = _halve_long_edges(faces, mix, mix @ rest)
    used = np.unique(faces)
    renumber = np.full(mix.indptr.size - 1, -1)
    renumber[used] = np.arange(len(used))
    faces, mix = renumber[faces], csr_array(mix[used])
    vertices = mix @ rest
    edges = _edge_matrix(faces, len(vertices))
    return Pattern(
        mix=mix,
        faces=faces,
        rest=vertices,
        normals=vertex_normals(vertices, faces),
        weights=mix @ body.weights,
        joints=joints,
        neighbours=csr_array(diags_array(1 / np.maximum(edges.sum(1), 1)) @ edges),
        eyes=np.flatnonzero(mix @ eyes.astype(float) > 0.5),
    )


def _edge_matrix(faces: np.ndarray, count: int) -> csr_array:
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return csr_array(coo_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)))


def _halve_long_edges(faces: np.ndarray, mix: csr_array, rest: np.ndarray) -> tuple[np.ndarray, csr_array]:
    """Put a vertex in the middle of every long edge and cut the faces around it to fit, without cracks."""
    sides = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1)
    pairs, which = np.unique(np.sort(sides.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    long = np.linalg.norm(rest[pairs[:, 0]] - rest[pairs[:, 1]], axis=1) > LONGEST_EDGE
    middle = np.full(len(pairs), -1)
    middle[long] = (mix.indptr.size - 1) + np.arange(long.sum())
    m = middle[which.reshape(-1)].reshape(-1, 3)
    split = m >= 0
    count = split.sum(1)
    # Turn every face so that an unsplit side comes last (one or two splits), or any (none, three).
    turn = np.where(count == 1, np.argmax(split, 1), np.where(count == 2, (np.argmin(split, 1) + 1) % 3, 0))
    order = (turn[:, None] + np.arange(3)) % 3
    f, m = np.take_along_axis(faces, order, 1), np.take_along_axis(m, order, 1)
    (a, b, c), (ab, bc, ca) = f.T, m.T
    one, two, three = count == 1, count == 2, count == 3

    def take(where: np.ndarray, *triangles: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[np.ndarray]:
        return [np.stack(t, axis=1)[where] for t in triangles]

    parts = [faces[count == 0]]
    parts += take(one, (a, ab, c), (ab, b, c))
    parts += take(two, (ab, b, bc), (a, ab, bc), (a, bc, c))
    parts += take(three, (a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    halves = 0.5 * (mix[pairs[long, 0]] + mix[pairs[long, 1]])
    return np.concatenate(parts), csr_array(vstack([mix, halves]))


def smoothed(pattern: Pattern, amount: Float[np.ndarray, "n"], rounds: int) -> csr_array:
    """The pattern's mix with the surface averaged over neighbours ``rounds`` times where ``amount`` (0..1) says."""
    where = np.flatnonzero(amount > 0)
    step = diags_array(1 - amount) + diags_array(amount) @ pattern.neighbours
    rows = csr_array(step)[where]
    for _ in range(rounds - 1):
        rows = rows @ step
    rows = csr_array(rows @ pattern.mix)
    others = np.flatnonzero(~(amount > 0))
    order = np.concatenate([others, where])
    stacked = csr_array(vstack([csr_array(pattern.mix)[others], rows]))
    return csr_array(stacked[np.argsort(order)])


def soft(distance: Float[np.ndarray, "n"], width: float = 0.012) -> Float[np.ndarray, "n"]:
    """A soft edge: 0 outside, 1 inside, smooth over ``width`` metres around distance 0 (positive inside)."""
    x = np.clip(distance / width + 0.5, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def ripple(
    points: Float[np.ndarray, "n 3"], *, rng: np.random.Generator, period: tuple[float, float]
) -> Float[np.ndarray, "n"]:
    """Smooth random bumps, about -1..1: waves of drawn directions, phases and periods (metres)."""
    total, waves = np.zeros(len(points)), 6
    for _ in range(waves):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        length = rng.uniform(*period)
        bend = 0.5 * np.sin(points @ rng.normal(size=3) * 9 + rng.uniform(0, 6.28))
        total += np.sin(points @ direction * 2 * np.pi / length + rng.uniform(0, 6.28) + bend)
    return total / np.sqrt(waves / 2) / 1.6


def skirt(pattern: Pattern, top: float, hem: float, flare: float) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """A tube around both legs that follows them: it runs along the legs' common outline, straight across the gap between them.

    Args:
        top, hem: Heights in the zero pose, metres.
        flare: How far the hem stands off more than the top, metres.
    Returns:
        mix rows (n, v), faces (f, 3), offsets (n,) along the normal, metres.
    """
    rings, around = 18, 40
    lower = np.flatnonzero((pattern.share(ARMS) < 0.3) & (pattern.rest[:, 1] < top + 0.05))
    rest = pattern.rest[lower]
    ends, shares = [], []
    for height in np.linspace(top, hem, rings):
        band = rest[np.abs(rest[:, 1] - height) < 0.03][:, [0, 2]]
        a, b, share = _outline(band, around)
        ends += [np.insert(a, 1, height, axis=1), np.insert(b, 1, height, axis=1)]
        shares.append(share)
    first, second = np.concatenate(ends[0::2]), np.concatenate(ends[1::2])
    share = np.concatenate(shares)
    rows = diags_array(1 - share) @ _near_rows(pattern, lower, first) + diags_array(share) @ _near_rows(pattern, lower, second)
    drop = np.repeat(np.linspace(0, 1, rings), around)
    return csr_array(rows @ pattern.mix), tube_faces(rings, around), 0.014 + flare * drop


def tube_faces(rings: int, around: int) -> Int[np.ndarray, "f 3"]:
    """Faces of a tube whose vertices lie ring after ring from the top down, ``around`` of them in each."""
    ring, k = np.divmod(np.arange((rings - 1) * around), around)
    a, b = ring * around + k, ring * around + (k + 1) % around
    return np.concatenate([np.stack([a, a + around, b], 1), np.stack([b, a + around, b + around], 1)])


def _near_rows(pattern: Pattern, lower: np.ndarray, points: np.ndarray, count: int = 24) -> csr_array:
    """Rows over the pattern that reproduce points from the vertices around them, smoothly from point to point."""
    distance, near = KDTree(pattern.rest[lower]).query(points, k=count)
    near = lower[near]
    weight = np.exp(-0.5 * (distance / 0.03) ** 2) + 1e-6
    weight /= weight.sum(1, keepdims=True)
    # The smallest change of the weights that makes them give the point itself, still summing to 1.
    around = np.concatenate([pattern.rest[near] - points[:, None], np.full((*near.shape, 1), 0.05)], axis=-1)
    wrong = np.concatenate([np.zeros_like(points), np.full((len(points), 1), 0.05)], axis=-1) - np.einsum(
        "nk,nkd->nd", weight, around
    )
    gram = np.einsum("nkd,nke->nde", around, around) + 1e-7 * np.eye(4)
    weight = weight + np.einsum("nkd,nd->nk", around, np.linalg.solve(gram, wrong[..., None])[..., 0])
    rows = np.repeat(np.arange(len(points)), count)
    return csr_array(coo_array((weight.reshape(-1), (rows, near.reshape(-1))), shape=(len(points), len(pattern.rest))))


def _outline(points: np.ndarray, around: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convex outline of (x, z) points at even angles about its middle: the edge hit, as two corners and the share between."""
    outline = points[ConvexHull(points).vertices]
    middle = (points.min(0) + points.max(0)) / 2
    along = np.roll(outline, -1, axis=0) - outline
    angle = 2 * np.pi * np.arange(around) / around
    ray = np.stack([np.sin(angle), np.cos(angle)], axis=1)  # from +z towards +x
    cross = along[None, :, 0] * ray[:, None, 1] - along[None, :, 1] * ray[:, None, 0]
    away = middle - outline
    share = (away[None, :, 0] * ray[:, None, 1] - away[None, :, 1] * ray[:, None, 0]) / np.where(cross == 0, 1e-12, cross)
    reach = np.einsum("aed,ad->ae", (outline - middle)[None] + share[..., None] * along[None], ray)
    hit = (share >= -1e-9) & (share <= 1 + 1e-9) & (reach > 0)
    edge = np.argmax(np.where(hit, reach, -np.inf), axis=1)
    return outline[edge], outline[(edge + 1) % len(outline)], share[np.arange(around), edge]


def shoe(pattern: Pattern, side: str, top: float) -> tuple[csr_array, np.ndarray]:
    """A shoe: the convex hulls of the fore- and the hindfoot below ``top`` (height in the zero pose, metres), toes and all.

    Returns:
        mix rows (n, v) and faces (f, 3).
    """
    ankle = pattern.joints[JOINT[f"{side}_ankle"]]
    foot = pattern.weights[:, [JOINT[f"{side}_ankle"], JOINT[f"{side}_foot"]]].sum(1) > 0.5
    foot &= pattern.rest[:, 1] < top
    front = pattern.rest[:, 2] - ankle[2]
    rows, faces, base = [], [], 0
    for part in (foot & (front > 0.035), foot & (front < 0.10)):
        index = np.flatnonzero(part)
        hull = ConvexHull(pattern.rest[index])
        corners = pattern.rest[index][hull.simplices]
        outward = (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * hull.equations[:, :3]).sum(1) > 0
        triangles = np.where(outward[:, None], hull.simplices, hull.simplices[:, ::-1])
        used, triangles = np.unique(triangles, return_inverse=True)
        mix = csr_array(diags_array(np.ones(len(pattern.rest))))[index[used]]
        triangles, mix = _halve_long_edges(triangles.reshape(-1, 3), csr_array(mix), mix @ pattern.rest)
        rows.append(mix)
        faces.append(triangles + base)
        base += mix.indptr.size - 1
    return csr_array(csr_array(vstack(rows)) @ pattern.mix), np.concatenate(faces)


def attach(pattern: Pattern, anchors: Int[np.ndarray, " a"], points: Float[np.ndarray, "n 3"]) -> csr_array:
    """Rows that carry zero-pose points along rigidly with some vertices: the smallest affine weights that give each point."""
    system = np.vstack([pattern.rest[anchors].T, np.ones(len(anchors))])
    weights = np.linalg.pinv(system) @ np.vstack([points.T, np.ones(len(points))])
    rows = np.repeat(np.arange(len(points)), len(anchors))
    columns = np.tile(anchors, len(points))
    flat = csr_array(coo_array((weights.T.reshape(-1), (rows, columns)), shape=(len(points), len(pattern.rest))))
    return csr_array(flat @ pattern.mix)
