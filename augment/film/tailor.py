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
    values, faces = np.ascontiguousarray(sheet.points.values), np.ascontiguousarray(sheet.faces)
    if snap > 0:
        a, b, t, level = _snapped(_crossed(faces, part, value, every), value, every, sheet.fixed)
        # What is moved becomes a new vertex in the old one's place.
        number = np.arange(len(value))
        number[a] = len(value) + np.arange(len(a))
        faces, value = number[faces], np.concatenate([value, level])
    else:
        a, b, t = np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    keys = _crossed(faces, part, value, every)
    sides, level, share = _ends(keys, value, every)
    parents = np.concatenate([np.stack([a, b], axis=1), sides])
    between = np.concatenate([t, share])
    fixed = np.concatenate([sheet.fixed, np.ones(len(between), bool)])
    # Also what lay on the line already, or was moved onto it.
    _fix(faces, part, value, every, fixed)
    faces, origin = _divided(faces, keys, len(value))
    sheet = replace(
        sheet, faces=faces, worn=sheet.worn[origin], ink=sheet.ink[origin], fixed=fixed,
        points=replace(sheet.points, values=_between(values, parents, between)),
        parents=np.concatenate([sheet.parents, parents]), between=np.concatenate([sheet.between, between]),
    )  # fmt: skip
    return sheet, np.concatenate([value, level])


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


@compiled
def _means(faces, value):
    out = np.empty(len(faces))
    for face in range(len(faces)):
        out[face] = (value[faces[face, 0]] + value[faces[face, 1]] + value[faces[face, 2]]) / 3.0
    return out


@compiled
def _crossed(faces, part, value, every):
    """Edges of some faces that a line crosses, each once and in order: the lower end in the upper 32 bits."""
    keys, found = np.empty(3 * len(faces), np.int64), 0
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
    keys, kept = np.sort(keys[:found]), 0
    for key in keys:
        if kept == 0 or key != keys[kept - 1]:
            keys[kept] = key
            kept += 1
    return keys[:kept]


@compiled
def _ends(keys, value, every):
    """Ends of edges (e, 2), the value where the line crosses them, and where between the ends that is."""
    sides, levels, shares = np.empty((len(keys), 2), np.int64), np.zeros(len(keys)), np.empty(len(keys))
    for edge in range(len(keys)):
        a, b = keys[edge] >> 32, keys[edge] & 0xFFFFFFFF
        sides[edge, 0], sides[edge, 1] = a, b
        if every:
            levels[edge] = np.floor(min(value[a], value[b])) + 1.0
        shares[edge] = (levels[edge] - value[a]) / (value[b] - value[a])
    return sides, levels, shares


@compiled
def _snapped(keys, value, every, fixed):
    """Vertices close to the line that are moved onto it: which, towards which, how far along that edge, and the value there."""
    sides, levels, shares = _ends(keys, value, every)
    edge_of, least = np.full(len(value), -1), np.full(len(value), SNAP)
    for edge in range(len(keys)):
        first = shares[edge] < 0.5
        vertex, amount = sides[edge, 0 if first else 1], shares[edge] if first else 1.0 - shares[edge]
        # The shortest way for each vertex.
        if amount < least[vertex] and not fixed[vertex]:
            edge_of[vertex], least[vertex] = edge, amount
    moved, count = np.empty((2, len(keys)), np.int64), 0
    amounts, at = np.empty(len(keys)), np.empty(len(keys))
    for vertex in range(len(value)):
        edge = edge_of[vertex]
        if edge < 0:
            continue
        target = sides[edge, 1] if sides[edge, 0] == vertex else sides[edge, 0]
        # The target must not move itself.
        if edge_of[target] < 0:
            moved[0, count], moved[1, count], amounts[count], at[count] = vertex, target, least[vertex], levels[edge]
            count += 1
    return moved[0, :count], moved[1, :count], amounts[:count], at[:count]


@compiled
def _between(values, parents, between):
    """Points, and after them those between two each, which may be new ones before them."""
    own, width = values.shape
    out = np.empty((own + len(parents), width))
    out[:own] = values
    for new in range(len(parents)):
        first, second, share = out[parents[new, 0]], out[parents[new, 1]], between[new]
        for column in range(width):
            out[own + new, column] = (1.0 - share) * first[column] + share * second[column]
    return out


@compiled
def _divided(faces, keys, first):
    """Faces with a vertex (numbered from ``first``) on each split edge, and the face that each comes from."""
    end, middle = np.zeros(first, np.bool_), np.full((len(faces), 3), -1)
    for key in keys:
        end[key >> 32] = end[key & 0xFFFFFFFF] = True
    splits, counts = np.zeros(len(faces), np.int64), np.zeros(4, np.int64)
    for face in range(len(faces)):
        a, b, c = faces[face]
        if (end[a] and (end[b] or end[c])) or (end[b] and end[c]):
            for corner in range(3):
                p, q = faces[face, corner], faces[face, (corner + 1) % 3]
                wanted = (min(p, q) << 32) | max(p, q)
                slot = np.searchsorted(keys, wanted)
                if slot < len(keys) and keys[slot] == wanted:
                    middle[face, corner] = first + slot
                    splits[face] += 1
        counts[splits[face]] += 1
    out = np.empty((counts[0] + 2 * counts[1] + 3 * counts[2] + 4 * counts[3], 3), np.int64)
    origin = np.empty(len(out), np.int64)
    # Those of one kind together: the whole ones, then the first, second, ... piece of each face with one split, and so on.
    start = np.array([0, counts[0], counts[0] + 2 * counts[1], counts[0] + 2 * counts[1] + 3 * counts[2]])
    done, pieces = np.zeros(4, np.int64), np.empty((4, 3), np.int64)
    for face in range(len(faces)):
        kind = splits[face]
        # Turn the face so that an unsplit side comes last (one or two splits), or any (none, three).
        turn = 0
        if kind == 1:
            turn = 0 if middle[face, 0] >= 0 else 1 if middle[face, 1] >= 0 else 2
        elif kind == 2:
            turn = 1 if middle[face, 0] < 0 else 2 if middle[face, 1] < 0 else 0
        a, b, c = faces[face, turn], faces[face, (turn + 1) % 3], faces[face, (turn + 2) % 3]
        ab, bc, ca = middle[face, turn], middle[face, (turn + 1) % 3], middle[face, (turn + 2) % 3]
        if kind == 0:
            pieces[0] = a, b, c
        elif kind == 1:
            pieces[0], pieces[1] = (a, ab, c), (ab, b, c)
        elif kind == 2:
            pieces[0], pieces[1], pieces[2] = (ab, b, bc), (a, ab, bc), (a, bc, c)
        else:
            pieces[0], pieces[1], pieces[2], pieces[3] = (a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)
        for piece in range(kind + 1):
            row = start[kind] + piece * counts[kind] + done[kind]
            out[row], origin[row] = pieces[piece], face
        done[kind] += 1
    return out, origin


@compiled
def _fix(faces, part, value, every, fixed):
    for face in range(len(faces)):
        if part[face]:
            for corner in range(3):
                vertex = faces[face, corner]
                if value[vertex] == (np.rint(value[vertex]) if every else 0.0):
                    fixed[vertex] = True
