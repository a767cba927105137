"""Linear blend skinning of chosen vertices over many frames, compiled: whole points, or only how low they come.

A vertex is a sum of terms, one for each joint that moves it. The frames are the innermost loop: each sum is taken for many
frames at once, in the same order in every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..compiled import compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Vertices in the rest pose as terms of the joints that move them."""

    bounds: Int[np.ndarray, " bounds"]
    """Where each vertex's terms begin, and where the last one's end."""
    joint: Int[np.ndarray, " p"]
    """Joint of each term."""
    values: Float[np.ndarray, "p 4"]
    """Weight times the vertex relative to the joint, metres, and the weight."""

    def __len__(self) -> int:
        return len(self.bounds) - 1


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
    out = np.empty((len(terms), 3, len(joints)))
    _points(terms.bounds, terms.joint, terms.values, _moves(joints, worlds), out)
    return out.transpose(2, 0, 1)


def lowest_skin(
    terms: Terms, joints: Float[np.ndarray, "t 24 3"], worlds: Float[np.ndarray, "t 24 3 3"], radius: float = np.inf
) -> Float[np.ndarray, " t"]:
    """Height of the lowest vertex in every frame, metres; inf where none counts.

    Args:
        terms: The vertices.
        joints: Posed joints, metres, +y up.
        worlds: Their rotations.
        radius: Only vertices nearer to the pelvis than this count, metres, measured horizontally.
    """
    low = np.full(len(joints), np.inf)
    _lowest(terms.bounds, terms.joint, terms.values, _moves(joints, worlds), radius, low)
    return low


def _moves(joints: np.ndarray, worlds: np.ndarray) -> Float[np.ndarray, "24 3 4 t"]:
    """Transforms of the joints, frames last."""
    moves = np.empty((24, 3, 4, len(joints)))
    moves[:, :, :3] = worlds.transpose(1, 2, 3, 0)
    moves[:, :, 3] = joints.transpose(1, 2, 0)
    return moves


@compiled
def _points(bounds, joint, values, moves, out):
    for vertex in range(len(bounds) - 1):
        for axis in range(3):
            row = out[vertex, axis]
            row[:] = 0.0
            for term in range(bounds[vertex], bounds[vertex + 1]):
                _add(values[term], moves[joint[term], axis], row)


@compiled
def _lowest(bounds, joint, values, moves, radius, low):
    frames = len(low)
    position = np.empty((3, frames))
    near = np.inf if radius == np.inf else radius * radius
    for vertex in range(len(bounds) - 1):
        for axis in range(3):
            if axis != 1 and near == np.inf:
                continue
            position[axis] = 0.0
            for term in range(bounds[vertex], bounds[vertex + 1]):
                _add(values[term], moves[joint[term], axis], position[axis])
        if near == np.inf:
            for frame in range(frames):
                low[frame] = min(low[frame], position[1, frame])
        else:
            for frame in range(frames):
                x = position[0, frame] - moves[0, 0, 3, frame]
                z = position[2, frame] - moves[0, 2, 3, frame]
                if x * x + z * z < near:
                    low[frame] = min(low[frame], position[1, frame])


@compiled
def _add(value, move, row):
    a, b, c, w = value[0], value[1], value[2], value[3]
    ma, mb, mc, mw = move[0], move[1], move[2], move[3]
    for frame in range(len(row)):
        row[frame] += a * ma[frame] + b * mb[frame] + c * mc[frame] + w * mw[frame]
