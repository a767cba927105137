"""Linear blend skinning of chosen vertices over many frames, compiled: whole points, or only how low they come.

A vertex is a sum of terms, one for each joint that moves it. The frames are the innermost loop: each sum is taken for many
frames at once, in the same order in every frame. To find the lowest, vertices are taken in small groups: a posed vertex is a
mean of where its joints alone would carry it, so a box around a group at each joint tells how low the group can come.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from ..compiled import compiled

GROUP = 0.08
"""Size of a group of vertices in the rest pose, metres."""
REACH = 20.0
"""Metres from the origin within which weights that do not quite sum to 1 are allowed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Neighbouring vertices together, and boxes around them."""

    order: Int[np.ndarray, " n"]
    """The vertices, group after group."""
    first: Int[np.ndarray, " groups"]
    """Where each group begins, and where the last one ends."""
    first_box: Int[np.ndarray, " groups"]
    """Where each group's boxes begin, and where the last one's end: one for each joint that moves any of it."""
    joint: Int[np.ndarray, " b"]
    """Joint of each box."""
    middle: Float[np.ndarray, "b 3"]
    """Of the box, in the rest pose, relative to its joint, metres."""
    half: Float[np.ndarray, "b 3"]
    """Half its extents, metres."""
    slack: float
    """How much lower a vertex may be than the boxes say, metres."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """Vertices in the rest pose as terms of the joints that move them."""

    bounds: Int[np.ndarray, " bounds"]
    """Where each vertex's terms begin, and where the last one's end."""
    joint: Int[np.ndarray, " p"]
    """Joint of each term."""
    values: Float[np.ndarray, "p 4"]
    """Weight times the vertex relative to the joint, metres, and the weight."""
    group: Int[np.ndarray, " n"] | None = None
    """Number of each vertex's group; None: those near each other are put together."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @cached_property
    def groups(self) -> Groups:
        """The vertices in groups."""
        group = _grouped(self) if self.group is None else self.group
        count = int(group.max(initial=-1)) + 1
        low, high, sums = np.full((count, 24, 3), np.inf), np.full((count, 24, 3), -np.inf), np.empty(len(self))
        _enclose(group, (self.bounds, self.joint, self.values), low, high, sums)
        owner, joint = np.nonzero(low[..., 0] < np.inf)
        low, high = low[owner, joint], high[owner, joint]
        return Groups(
            order=np.argsort(group, kind="stable"), first=np.searchsorted(np.sort(group), np.arange(count + 1)),
            first_box=np.searchsorted(owner, np.arange(count + 1)), joint=joint, middle=(low + high) / 2,
            half=(high - low) / 2, slack=1e-6 + REACH * float(np.abs(sums - 1.0).max(initial=0.0)),
        )  # fmt: skip


def _grouped(terms: Terms) -> Int[np.ndarray, " n"]:
    keys = np.empty(len(terms), np.int64)
    _place(terms.bounds, terms.joint, terms.values, keys)
    return np.unique(keys, return_inverse=True)[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """Vertices and the joints that move them, of any shape of a body."""

    bounds: Int[np.ndarray, " bounds"]
    """As in ``Terms``, like the next."""
    joint: Int[np.ndarray, " p"]
    vertex: Int[np.ndarray, " p"]
    """Vertex of each term."""
    weight: Float[np.ndarray, "p 1"]
    group: Int[np.ndarray, " n"]
    """Number of each vertex's group."""

    def at(self, points: Float[np.ndarray, "n 3"], rest: Float[np.ndarray, "24 3"]) -> Terms:
        """The vertices of one shape, from where they and the joints are in the rest pose, metres."""
        values = np.concatenate([self.weight * (points[self.vertex] - rest[self.joint]), self.weight], axis=1)
        return Terms(bounds=self.bounds, joint=self.joint, values=values, group=self.group)


def join(points: Float[np.ndarray, "n 3"], weights: Float[np.ndarray, "n 24"], rest: Float[np.ndarray, "24 3"]) -> Joined:
    """Prepare vertices for skinning in many shapes.

    Args:
        points: In the rest pose of any of them, metres.
        weights: Skinning weights.
        rest: That shape's joints, metres.
    """
    terms = make_terms(points, weights, rest)
    vertex, joint = np.nonzero(weights)
    return Joined(
        bounds=terms.bounds, joint=joint, vertex=vertex, weight=weights[vertex, joint][:, None], group=_grouped(terms)
    )


def make_terms(points: Float[np.ndarray, "n 3"], weights: Float[np.ndarray, "n 24"], rest: Float[np.ndarray, "24 3"]) -> Terms:
    """Prepare vertices for skinning.

    Args:
        points: In the rest pose, metres.
        weights: Skinning weights.
        rest: Joints in the rest pose, metres.
    """
    vertex, joint = np.nonzero(weights)
    weight = weights[vertex, joint][:, None]
    return Terms(
        bounds=np.searchsorted(vertex, np.arange(len(points) + 1)),
        joint=joint,
        values=np.concatenate([weight * (points[vertex] - rest[joint]), weight], axis=1),
    )


def skinned(
    terms: Terms, joints: Float[np.ndarray, "t 24 3"], worlds: Float[np.ndarray, "t 24 3 3"]
) -> Float[np.ndarray, "t n 3"]:
    """The vertices in every frame, metres, in the frame of ``joints``.

    Args:
        terms: The vertices.
        joints: Posed joints, metres.
        worlds: Their rotations.
    """
    out = np.empty((len(joints), len(terms), 3))
    _points(terms.bounds, terms.joint, terms.values, _moves(joints, worlds), out)
    return out


def lowest_skin(
    terms: Terms, joints: Float[np.ndarray, "t 24 3"], worlds: Float[np.ndarray, "t 24 3 3"], radius: float = np.inf,
    below: Float[np.ndarray, " t"] | None = None,
) -> Float[np.ndarray, " t"]:  # fmt: skip
    """Height of the lowest vertex in every frame, metres; inf where none counts.

    Args:
        terms: The vertices.
        joints: Posed joints, metres, +y up.
        worlds: Their rotations.
        radius: Only vertices nearer to the pelvis than this count, metres, measured horizontally.
        below: Only vertices lower than this count, metres; where there is none, this is the result. Saves most of the work
            if it is seldom the case.
    """
    low, groups = np.full(len(joints), np.inf) if below is None else np.array(below, np.float64), terms.groups
    boxes = groups.first_box, groups.joint, groups.middle, groups.half, groups.slack
    members = groups.order, groups.first
    _lowest((terms.bounds, terms.joint, terms.values), members, boxes, _moves(joints, worlds), radius, low)
    return low


def _moves(joints: np.ndarray, worlds: np.ndarray) -> Float[np.ndarray, "24 3 4 t"]:
    """Transforms of the joints, frames last."""
    moves = np.empty((24, 3, 4, len(joints)))
    moves[:, :, :3] = worlds.transpose(1, 2, 3, 0)
    moves[:, :, 3] = joints.transpose(1, 2, 0)
    return moves


@compiled
def _points(bounds, joint, values, moves, out):
    row = np.empty(len(out))
    for vertex in range(len(bounds) - 1):
        for axis in range(3):
            row[:] = 0.0
            for term in range(bounds[vertex], bounds[vertex + 1]):
                _add(values[term], moves[joint[term], axis], row)
            for frame in range(len(out)):
                out[frame, vertex, axis] = row[frame]


@compiled
def _lowest(terms, members, boxes, moves, radius, low):
    bounds, joint, values = terms
    order, first = members
    slack, frames, groups = boxes[4], len(low), len(first) - 1
    floor, position = np.empty((groups, frames)), np.empty((3, frames))
    near = np.inf if radius == np.inf else radius * radius
    mean = np.empty(groups)
    for group in range(groups):
        _height_of_boxes(boxes, group, moves, floor[group])
        mean[group] = floor[group].mean()
    for group in np.argsort(mean):
        begin, end = frames, 0
        for frame in range(frames):
            if floor[group, frame] - slack < low[frame]:
                begin, end = min(begin, frame), frame + 1
        if begin >= end:
            continue
        for member in range(first[group], first[group + 1]):
            vertex = order[member]
            for axis in range(3):
                if axis != 1 and near == np.inf:
                    continue
                row = position[axis, begin:end]
                row[:] = 0.0
                for term in range(bounds[vertex], bounds[vertex + 1]):
                    _add(values[term], moves[joint[term], axis, :, begin:end], row)
            if near == np.inf:
                for frame in range(begin, end):
                    low[frame] = min(low[frame], position[1, frame])
            else:
                for frame in range(begin, end):
                    x = position[0, frame] - moves[0, 0, 3, frame]
                    z = position[2, frame] - moves[0, 2, 3, frame]
                    if x * x + z * z < near:
                        low[frame] = min(low[frame], position[1, frame])


@compiled
def _height_of_boxes(boxes, group, moves, floor):
    first_box, joint, middle, half, _ = boxes
    floor[:] = np.inf
    for box in range(first_box[group], first_box[group + 1]):
        up = moves[joint[box], 1]
        a, b, c = middle[box, 0], middle[box, 1], middle[box, 2]
        ha, hb, hc = half[box, 0], half[box, 1], half[box, 2]
        for frame in range(len(floor)):
            x, y, z = up[0, frame], up[1, frame], up[2, frame]
            lowest = a * x + b * y + c * z + up[3, frame] - (ha * abs(x) + hb * abs(y) + hc * abs(z))
            floor[frame] = min(floor[frame], lowest)


@compiled
def _place(bounds, joint, values, keys):
    for vertex in range(len(bounds) - 1):
        heaviest = bounds[vertex]
        for term in range(bounds[vertex], bounds[vertex + 1]):
            if values[term, 3] > values[heaviest, 3]:
                heaviest = term
        key = np.int64(joint[heaviest])
        for axis in range(3):
            cell = np.int64(np.floor(values[heaviest, axis] / values[heaviest, 3] / GROUP)) + 64
            key = key * 128 + min(max(cell, 0), 127)
        keys[vertex] = key


@compiled
def _enclose(group, terms, low, high, sums):
    bounds, joint, values = terms
    for vertex in range(len(bounds) - 1):
        sums[vertex] = 0.0
        for term in range(bounds[vertex], bounds[vertex + 1]):
            sums[vertex] += values[term, 3]
            least, most = low[group[vertex], joint[term]], high[group[vertex], joint[term]]
            for axis in range(3):
                at = values[term, axis] / values[term, 3]
                least[axis], most[axis] = min(least[axis], at), max(most[axis], at)


@compiled
def _add(value, move, row):
    a, b, c, w = value[0], value[1], value[2], value[3]
    ma, mb, mc, mw = move[0], move[1], move[2], move[3]
    for frame in range(len(row)):
        row[frame] += a * ma[frame] + b * mb[frame] + c * mc[frame] + w * mw[frame]
