"""The mesh that clothes are cut from: a body's own surface, thinned where nobody sees the difference, with measures of it.

Every vertex of a dressed person is a fixed linear mix of the body's vertices (rows of a sparse matrix), so clothes follow any
pose by one product.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.interpolate import RegularGridInterpolator
from scipy.sparse import csr_array, diags_array, eye_array, vstack
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

from ..body.model import Body
from ..files import DAMAGED_NPZ, cache_dir, code_digest, npz_arrays, npz_bytes, sha256_of, write_atomic
from ..raster.shading import vertex_normals
from ..types import JOINT
from .thin import edges_of, thin

SIDES = ("left", "right")
PARTS = tuple(
    tuple(JOINT[name] for name in names)
    for names in (
        ("head",),
        tuple(f"{side}_{part}" for side in SIDES for part in ("shoulder", "elbow", "wrist", "hand")),
        tuple(f"{side}_{part}" for side in SIDES for part in ("wrist", "hand")),
        tuple(f"{side}_{part}" for side in SIDES for part in ("hip", "knee", "ankle", "foot")),
        tuple(f"{side}_{part}" for side in SIDES for part in ("ankle", "foot")),
    )
)
"""Joints of the parts that ``Points.share`` knows."""
HEAD, ARMS, HANDS, LEGS, FEET = range(5)
"""Indices of ``PARTS``."""

THINNING = {"face": (0.008, 0.0003), "head": (0.018, 0.0008), "hands": (0.016, 0.0010), "feet": (0.022, 0.0012)}
"""Part of the body to the longest edge and the largest change that thinning may make there, metres."""
ELSEWHERE = (0.035, 0.0008)
"""The same for all other parts."""
COARSE = (3.0, 0.12)
"""The same for the whole body where only coarse details matter, as factors on the size of the finest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points of a body's surface in its zero pose and mean shape."""

    values: Float[np.ndarray, "n 15"]
    """All that is known at each point, in one array, as every cut puts points between others."""
    joints: Float[np.ndarray, "24 3"]
    stature: float
    """Sole to crown, metres."""

    @property
    def rest(self) -> Float[np.ndarray, "n 3"]:
        """Zero pose, metres."""
        return self.values[:, :3]

    @property
    def normals(self) -> Float[np.ndarray, "n 3"]:
        """Unit normals in the zero pose."""
        return self.values[:, 3:6]

    @property
    def slack(self) -> Float[np.ndarray, "n"]:
        """How far cloth that hangs from the shoulders stays off the skin, metres."""
        return self.values[:, 6]

    @property
    def hollow(self) -> Float[np.ndarray, "n"]:
        """How far the convex outline of the trunk at this height is off the skin, metres: at most ``slack``."""
        return self.values[:, 7]

    @property
    def room(self) -> Float[np.ndarray, "n"]:
        """How far cloth can stand off before it meets itself in a hollow, metres."""
        return self.values[:, 8]

    @property
    def eye(self) -> Float[np.ndarray, "n"]:
        """1 on separate eyeballs, 0 elsewhere."""
        return self.values[:, 9]

    def share(self, part: int) -> Float[np.ndarray, "n"]:
        """How much each point belongs to one of ``PARTS``, 0..1."""
        return self.values[:, 10 + part]

    def pick(self, index: Int[np.ndarray, "m"]) -> Points:
        """Some of the points."""
        return replace(self, values=self.values[index])

    def at(self, joint: str) -> Float[np.ndarray, "3"]:
        """A joint in the zero pose; ``hip`` and the like mean the left one."""
        return self.joints[JOINT.get(joint, JOINT.get(f"left_{joint}", 0))]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pattern:
    """A body's thinned surface; two are equal if they are the same object."""

    points: Points
    faces: Int[np.ndarray, "f 3"]
    mix: csr_array
    """(2 n, v): this mesh's vertices as means of the body's, as they are, and once more drawn towards their neighbours: what
    cloth lies on."""


@lru_cache(maxsize=8)
def pattern_of(body: Body, finest: float = 0.0) -> Pattern:
    """The body's pattern, made once per body and kept on this machine: thinning takes as long as filming ten clips.

    Args:
        finest: Size of the finest details that matter, metres; with 0 as fine as a picture from close by needs it.
    """
    package = Path(__file__).parents[1]
    code = code_digest(Path(__file__), package / "film" / "thin.py", package / "raster" / "shading.py")
    measures = body.rest_vertices(np.zeros(10)), body.rest_joints(np.zeros(10)), body.faces, body.weights
    surface = sha256_of(b"".join(np.ascontiguousarray(array).tobytes() for array in measures))
    path = cache_dir() / "patterns" / f"{code[:12]}-{surface[:12]}-{finest:g}.npz"
    with contextlib.suppress(KeyError, *DAMAGED_NPZ):  # not made yet, or damaged: it is only kept
        return _unpacked(npz_arrays(path))
    packed = _packed(make_pattern(body, finest))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, npz_bytes(packed))
    return _unpacked(packed)


def _packed(pattern: Pattern) -> dict[str, np.ndarray]:
    points, mix = pattern.points, pattern.mix
    return {
        "values": points.values, "joints": points.joints, "stature": np.array([points.stature]), "faces": pattern.faces,
        "data": mix.data, "indices": mix.indices, "indptr": mix.indptr, "shape": np.array(mix.shape),
    }  # fmt: skip


def _unpacked(arrays: dict[str, np.ndarray]) -> Pattern:
    # The same layout in memory whether it was kept or just made: another one may round differently.
    kept = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    points = Points(values=kept["values"], joints=kept["joints"], stature=float(kept["stature"][0]))
    shape = tuple(int(size) for size in kept["shape"])
    return Pattern(
        points=points, faces=kept["faces"], mix=csr_array((kept["data"], kept["indices"], kept["indptr"]), shape=shape)
    )


def make_pattern(body: Body, finest: float = 0.0) -> Pattern:
    """Make the body's pattern, see ``pattern_of``."""
    rest, joints = body.rest_vertices(np.zeros(10)), body.rest_joints(np.zeros(10))
    count, faces, (eyes, _) = len(rest), _thinned(body, finest), _loose_pieces(body)
    used, flat = np.unique(faces, return_inverse=True)
    faces = flat.reshape(-1, 3)
    mix = csr_array((np.ones(len(used)), used, np.arange(len(used) + 1)), shape=(len(used), count))
    vertices = rest[used]
    near = _cotangents(vertices, faces)
    means = csr_array(diags_array(1 / np.maximum(near.sum(1), 1e-9)) @ near)
    step = 0.3 * eye_array(len(used)) + 0.7 * means
    values = np.column_stack(
        [
            vertices, vertex_normals(vertices, faces), np.zeros((len(used), 2)), _room(step @ (step @ vertices), faces),
            eyes[used], part_shares(body.weights[used]),
        ]
    )  # fmt: skip
    points = Points(values=values, joints=joints, stature=float(np.ptp(vertices[:, 1])))
    values[:, 6], values[:, 7] = _slack(points)
    return Pattern(points=points, faces=faces, mix=csr_array(vstack([mix, step @ step @ mix])))


@lru_cache(maxsize=8)
def _thinned(body: Body, finest: float) -> Int[np.ndarray, "f 3"]:
    """The faces of the body that are kept, in its own vertices."""
    rest = body.rest_vertices(np.zeros(10))
    faces = body.faces[~_loose_pieces(body)[1][body.faces].any(1)] if finest == 0 else _thinned(body, 0.0)
    longest, tolerance = _limits(body, rest)
    return thin(
        rest, faces, longest=np.maximum(longest, COARSE[0] * finest), tolerance=np.maximum(tolerance, COARSE[1] * finest)
    )  # fmt: skip


def _loose_pieces(body: Body) -> tuple[Bool[np.ndarray, "v"], Bool[np.ndarray, "v"]]:
    """Vertices of separate eyeballs, and of what nobody sees (teeth, tongue)."""
    rest, count = body.rest_vertices(np.zeros(10)), len(body.weights)
    pieces, piece = connected_components(edges_of(body.faces, count), directed=False)
    eyes, hidden = np.zeros(count, bool), np.zeros(count, bool)
    for index in range(pieces):
        inside = piece == index
        if inside.sum() < 0.1 * count:
            # Eyeballs are a pair beside the middle.
            (eyes if abs(rest[inside, 0].mean()) > 0.01 else hidden)[inside] = True
    return eyes, hidden


def part_shares(weights: Float[np.ndarray, "n 24"]) -> Float[np.ndarray, "n 5"]:
    """Sums of skinning weights over ``PARTS``."""
    return np.stack([weights[:, list(part)].sum(1) for part in PARTS], axis=1)


def _limits(body: Body, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longest edge and largest change at each vertex of the body, for ``thin``."""
    shares = part_shares(body.weights)
    kind = np.full(len(rest), "other")
    for name, part in (("head", HEAD), ("hands", HANDS), ("feet", FEET)):
        kind[shares[:, part] > 0.5] = name
    head = rest[kind == "head"]
    front, top = head[:, 2].max(), head[:, 1].max()
    kind[(kind == "head") & (rest[:, 2] > front - 0.075) & (rest[:, 1] < top - 0.07)] = "face"
    table = THINNING | {"other": ELSEWHERE}
    limits = np.array([table[name] for name in table])[[list(table).index(name) for name in kind.tolist()]]
    return limits[:, 0], limits[:, 1]


def _cotangents(vertices: np.ndarray, faces: np.ndarray) -> csr_array:
    """Weights of neighbours that smooth a surface without moving its vertices along it."""
    start, end, weight = [], [], []
    for corner in range(3):
        tip, a, b = (faces[:, (corner + k) % 3] for k in range(3))
        to_a, to_b = vertices[a] - vertices[tip], vertices[b] - vertices[tip]
        sine = np.linalg.norm(np.cross(to_a, to_b), axis=1)
        cotangent = np.clip((to_a * to_b).sum(1) / np.maximum(sine, 1e-12), 0.05, 4.0)
        start += [a, b]
        end += [b, a]
        weight += [cotangent, cotangent]
    pairs = np.concatenate(start), np.concatenate(end)
    return csr_array((np.concatenate(weight), pairs), shape=(len(vertices), len(vertices)))


def _room(vertices: np.ndarray, faces: np.ndarray) -> Float[np.ndarray, "n"]:
    """Radius of the tightest hollow at each vertex or beside it, metres; large where the surface bulges."""
    normals = vertex_normals(vertices, faces).astype(np.float64)
    a, b = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    edge = vertices[b] - vertices[a]
    bend = ((normals[a] - normals[b]) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-9)
    tightest = np.zeros(len(vertices))
    np.maximum.at(tightest, a, bend)
    np.maximum.at(tightest, b, bend)
    beside = tightest.copy()
    np.maximum.at(beside, a, 0.7 * tightest[b])
    np.maximum.at(beside, b, 0.7 * tightest[a])
    return 1 / np.maximum(beside, 1.0)


def _slack(points: Points) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """``slack``: distance to a cloth around the trunk that does not go in again below where it is wide; and ``hollow``."""
    rest = points.rest
    top, low = points.at("neck")[1], points.at("hip")[1] - 0.06 * points.stature
    trunk = (points.share(ARMS) < 0.5) & (points.share(HEAD) < 0.5)
    heights, around = np.linspace(top, low, 40), 36
    reach, middle = np.zeros((2, len(heights), around + 1)), np.zeros((len(heights), 2))
    angle = 2 * np.pi * np.arange(around) / around
    ray = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    for index, height in enumerate(heights):
        band = slice_at(rest[trunk], height)
        a, b, share = outline(band, around)
        middle[index] = (band.min(0) + band.max(0)) / 2
        reach[:, index, :-1] = ((a + share[:, None] * (b - a) - middle[index]) * ray).sum(1)
        if index and height < points.at("shoulder")[1] - 0.1:
            reach[0, index] = np.maximum(reach[0, index], reach[0, index - 1] - 0.35 * (heights[index - 1] - height))
    reach[..., -1] = reach[..., 0]
    center = np.stack([np.interp(-rest[:, 1], -heights, middle[:, axis]) for axis in range(2)], axis=1)
    away = rest[:, [0, 2]] - center
    turn = np.mod(np.arctan2(away[:, 0], away[:, 1]), 2 * np.pi)
    distance = np.linalg.norm(away, axis=1)
    outward = (points.normals[:, [0, 2]] * away).sum(1) / np.maximum(distance, 1e-6)
    most = np.interp(rest[:, 1], [points.at("hip")[1], points.at("pelvis")[1] + 0.1], [0.02, 0.06])
    gaps = []
    for table in reach:
        grid = RegularGridInterpolator((-heights, np.append(angle, 2 * np.pi)), table, bounds_error=False, fill_value=0.0)
        gap = np.clip(grid(np.column_stack([-rest[:, 1], turn])) - distance, 0.0, most)
        gaps.append(gap * np.clip(outward, 0, 1) ** 2 * trunk)
    return gaps[0], gaps[1]


def slice_at(rest: Float[np.ndarray, "n 3"], height: float) -> Float[np.ndarray, "m 2"]:
    """(x, z) of the points within 2.5 cm of a height, at least of the 30 nearest."""
    away = np.abs(rest[:, 1] - height)
    return rest[np.argsort(away, kind="stable")[: max(int((away < 0.025).sum()), 30)]][:, [0, 2]]


def outline(points: Float[np.ndarray, "n 2"], around: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convex outline of (x, z) points at even angles about its middle, from +z towards +x.

    Returns:
        The edge that each ray hits, as two corners (around, 2) each, and the share of the way between them (around,).
    """
    corner = points[ConvexHull(points).vertices]
    middle = (points.min(0) + points.max(0)) / 2
    along = np.roll(corner, -1, axis=0) - corner
    angle = 2 * np.pi * np.arange(around) / around
    ray = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    cross = along[None, :, 0] * ray[:, None, 1] - along[None, :, 1] * ray[:, None, 0]
    away = middle - corner
    share = (away[None, :, 0] * ray[:, None, 1] - away[None, :, 1] * ray[:, None, 0]) / np.where(cross == 0, 1e-12, cross)
    reach = np.einsum("aed,ad->ae", (corner - middle)[None] + share[..., None] * along[None], ray)
    hit = (share >= -1e-9) & (share <= 1 + 1e-9) & (reach > 0)
    edge = np.argmax(np.where(hit, reach, -np.inf), axis=1)
    return corner[edge], corner[(edge + 1) % len(corner)], share[np.arange(around), edge]
