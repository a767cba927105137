"""Cut clothes out of a pattern: hems and stripes become edges of the mesh, so that colours end where the cloth ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree

from ..compiled import compiled
from .pattern import Pattern, Points

SNAP = 0.3
"""A vertex nearer to a line than this share of an edge is moved onto it instead of cutting the edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garment:
    """One piece of cloth on the body's surface (hair and lips are cut the same way)."""

    inside: Callable[[Points], Float[np.ndarray, "n"]]
    """Signed distance to the hem, about metres, positive where the cloth is."""
    stand_off: Callable[[Points], Float[np.ndarray, "n"]]
    """How far it stands off the skin, metres; always a little more than what is under it."""
    color: Callable[[Points, int], Float[np.ndarray, "n 3"]]
    """Its colour (sRGB 0..255) in one of its inks."""
    rim: float = 0.45
    """Brightness of the hem's underside."""
    smooth: bool = True
    """It bridges the body's hollows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A pattern being cut up."""

    pattern: Pattern
    points: Points
    parents: Int[np.ndarray, "m 2"]
    """The two vertices between which each vertex after the pattern's own lies."""
    between: Float[np.ndarray, "m"]
    """Where between them, 0..1."""
    faces: Int[np.ndarray, "f 3"]
    worn: Int[np.ndarray, " f"]
    """Index of the garment that a face belongs to; -1: none."""
    ink: Int[np.ndarray, " f"]
    """Which of the garment's colours a face has."""
    fixed: Bool[np.ndarray, " n"]
    """Vertices on a line that was cut before: they stay."""


def spread(pattern: Pattern) -> Sheet:
    """The whole pattern, nothing cut."""
    count, faces = len(pattern.points.rest), len(pattern.faces)
    return Sheet(
        pattern=pattern,
        points=pattern.points,
        parents=np.zeros((0, 2), int),
        between=np.zeros(0),
        faces=pattern.faces,
        worn=np.full(faces, -1),
        ink=np.zeros(faces, int),
        fixed=np.zeros(count, bool),
    )


def carve(sheet: Sheet, garment: Garment, index: int) -> Sheet:
    """Cut one garment out of what nothing covers yet."""
    sheet, value = cut(sheet, garment.inside(sheet.points), sheet.worn < 0)
    inside = (sheet.worn < 0) & (_means(sheet.faces, value) > 0)
    return replace(sheet, worn=np.where(inside, index, sheet.worn))


def stripe(
    sheet: Sheet,
    index: int,
    value: Float[np.ndarray, "n"],
    part: Bool[np.ndarray, " f"] | bool = True,
    *,
    every: bool = True,
    ink: int = 1,
    snap: float = SNAP,
) -> Sheet:
    """Cut a garment at every whole number of a value and give every second band in between the next ink.

    Args:
        index: Which garment.
        value: At the sheet's vertices.
        part: Which of its faces; all by default.
        every: False: cut where the value is 0, and ink what is above.
        ink: Added to the ink of those bands.
        snap: See ``SNAP``.
    """
    marked = replace(sheet, worn=np.where((sheet.worn == index) & part, -2, sheet.worn))
    for _ in range(3 if every else 1):
        marked, value = cut(marked, value, marked.worn == -2, every=every, snap=snap)
    part, middle = marked.worn == -2, _means(marked.faces, value)
    inked = np.floor(middle).astype(int) % 2 if every else middle > 0
    return replace(marked, worn=np.where(part, index, marked.worn), ink=marked.ink + np.where(part, ink * inked, 0))


def cut(
    sheet: Sheet,
    value: Float[np.ndarray, "n"],
    part: Bool[np.ndarray, " f"],
    *,
    every: bool = False,
    snap: float = SNAP,
) -> tuple[Sheet, Float[np.ndarray, "m"]]:
    """Cut faces along the line where a value is 0 (or, with ``every``, any whole number).

    Args:
        value: At the sheet's vertices; linear between them.
        part: Which faces to cut; their neighbours are divided to fit.
    Returns:
        The sheet, and the value at its vertices.
    """
    sides, level, share = _crossed(sheet.faces, part, value, every)
    if snap > 0:
        sheet, value = _snap(sheet, value, sides, level, share)
        sides, level, share = _crossed(sheet.faces, part, value, every)
    corners = sheet.faces
    faces, origin = divide(sheet.faces, sides, len(value))
    sheet = _appended(sheet, sides[:, 0], sides[:, 1], share)
    fixed = sheet.fixed.copy()
    # Also what lay on the line already, or was moved onto it.
    _fix(corners, part, value, every, fixed)
    return replace(sheet, faces=faces, worn=sheet.worn[origin], ink=sheet.ink[origin], fixed=fixed), np.concatenate(
        [value, level]
    )  # fmt: skip


def dot(sheet: Sheet, index: int, radius: float, apart: float, *, rng: np.random.Generator) -> Sheet:
    """Cut dots (the next ink) around some of a garment's vertices.

    Args:
        radius: Of a dot, metres.
        apart: Least distance between the middles of two dots, metres.
    """
    rest = sheet.points.rest
    mine = np.setdiff1d(sheet.faces[sheet.worn == index], sheet.faces[sheet.worn != index])
    places = KDTree(rest[mine])
    taken, middles = np.zeros(len(mine), bool), []
    for candidate in rng.permutation(len(mine)):
        if not taken[candidate]:
            middles.append(candidate)
            taken[places.query_ball_point(rest[mine[candidate]], apart)] = True
    value = np.full(len(rest), -1.0)
    if middles:
        value = radius - KDTree(rest[mine[middles]]).query(rest)[0]
    return stripe(sheet, index, value, every=False, snap=0.0)


def _appended(sheet: Sheet, a: np.ndarray, b: np.ndarray, t: np.ndarray) -> Sheet:
    """A sheet with further vertices, each a share ``t`` of the way from one to another (its faces stay)."""
    values = sheet.points.values
    new = (1 - t)[:, None] * values[a] + t[:, None] * values[b]
    return replace(
        sheet,
        points=replace(sheet.points, values=np.concatenate([values, new])),
        parents=np.concatenate([sheet.parents, np.stack([a, b], axis=1)]),
        between=np.concatenate([sheet.between, t]),
        fixed=np.concatenate([sheet.fixed, np.ones(len(a), bool)]),
    )


def _crossed(
    faces: Int[np.ndarray, "f 3"], part: Bool[np.ndarray, " f"], value: Float[np.ndarray, "n"], every: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of some faces that a line crosses, each once: their ends (e, 2), the value there, and where between the ends."""
    found = np.empty(3 * len(faces), np.int64)
    keys = np.unique(found[: _crossings(faces, part, value, every, found)])
    sides = np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)
    start, end = value[sides[:, 0]], value[sides[:, 1]]
    level = np.floor(np.minimum(start, end)) + 1 if every else np.zeros(len(sides))
    return sides, level, (level - start) / (end - start)


def _snap(sheet: Sheet, value: np.ndarray, sides: np.ndarray, level: np.ndarray, share: np.ndarray) -> tuple[Sheet, np.ndarray]:
    """Move vertices that are close to the line onto it, along an edge."""
    from_start = share < 0.5
    move = np.where(from_start, sides[:, 0], sides[:, 1])
    to, amount = np.where(from_start, sides[:, 1], sides[:, 0]), np.where(from_start, share, 1 - share)
    near = np.flatnonzero(amount < SNAP)
    near = near[~sheet.fixed[move[near]]]
    # The shortest way for each vertex; its target must not move itself.
    near = near[np.argsort(amount[near], kind="stable")]
    near = near[np.unique(move[near], return_index=True)[1]]
    moving = np.zeros(len(value), bool)
    moving[move[near]] = True
    near = near[~moving[to[near]]]
    a, b, t = move[near], to[near], amount[near]
    # What is moved becomes a new vertex in the old one's place.
    number = np.arange(len(value))
    number[a] = len(value) + np.arange(len(a))
    sheet = _appended(sheet, a, b, t)
    return replace(sheet, faces=number[sheet.faces]), np.concatenate([value, level[near]])


def divide(faces: np.ndarray, split: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces with a vertex (numbered from ``first``) on each split edge, and the face that each comes from.

    ``split`` has the lower end first and is in order, as from ``_crossed``.
    """
    if not len(split):
        return faces, np.arange(len(faces))
    end = np.zeros(first, bool)
    end[split] = True
    touched = np.flatnonzero(_two_of(faces, end))
    near = faces[touched]
    keys, following = (split[:, 0] << 32) | split[:, 1], near[:, [1, 2, 0]]
    wanted = (np.minimum(near, following) << 32) | np.maximum(near, following)
    slot = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    m = np.where(keys[slot] == wanted, first + slot, -1)
    count = (m >= 0).sum(1)
    # Turn every face so that an unsplit side comes last (one or two splits), or any (none, three).
    turn = np.where(count == 1, np.argmax(m >= 0, 1), np.where(count == 2, (np.argmin(m >= 0, 1) + 1) % 3, 0))
    order = (turn[:, None] + np.arange(3)) % 3
    f, m = np.take_along_axis(near, order, 1), np.take_along_axis(m, order, 1)
    (a, b, c), (ab, bc, ca) = f.T, m.T
    whole = np.ones(len(faces), bool)
    whole[touched[count > 0]] = False
    parts, origins = [faces[whole]], [np.flatnonzero(whole)]

    def take(splits: int, *triangles: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        where = np.flatnonzero(count == splits)
        for triangle in triangles:
            parts.append(np.stack(triangle, axis=1)[where])
            origins.append(touched[where])

    take(1, (a, ab, c), (ab, b, c))
    take(2, (ab, b, bc), (a, ab, bc), (a, bc, c))
    take(3, (a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return np.concatenate(parts), np.concatenate(origins)


@compiled
def _means(faces, value):
    out = np.empty(len(faces))
    for face in range(len(faces)):
        out[face] = (value[faces[face, 0]] + value[faces[face, 1]] + value[faces[face, 2]]) / 3.0
    return out


@compiled
def _crossings(faces, part, value, every, keys):
    found = 0
    for face in range(len(faces)):
        if not part[face]:
            continue
        for corner in range(3):
            a, b = faces[face, corner], faces[face, (corner + 1) % 3]
            low, high = min(value[a], value[b]), max(value[a], value[b])
            level = np.floor(low) + 1.0 if every else 0.0
            if low < level and level < high:
                keys[found] = (min(a, b) << 32) | max(a, b)
                found += 1
    return found


@compiled
def _fix(faces, part, value, every, fixed):
    for face in range(len(faces)):
        if part[face]:
            for corner in range(3):
                vertex = faces[face, corner]
                if value[vertex] == (np.rint(value[vertex]) if every else 0.0):
                    fixed[vertex] = True


@compiled
def _two_of(faces, marked):
    out = np.zeros(len(faces), np.bool_)
    for face in range(len(faces)):
        a, b, c = faces[face]
        out[face] = (marked[a] and (marked[b] or marked[c])) or (marked[b] and marked[c])
    return out
