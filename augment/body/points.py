"""Chosen vertices of posed bodies: as ``model.pose_body``, without the rest of the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from ..compiled import compiled
from ..types import Motion
from .kinematics import joint_positions, rotation_matrices, world_rotations_of
from .model import Body
from .skinning import Terms, skinned


@lru_cache(maxsize=4)
def has_pose_blend_shapes(body: Body) -> bool:
    """Whether the body's surface changes with the pose beyond skinning (SMPL's does, the open body's does not)."""
    return bool((body.model.posedirs != 0).any())


def skeleton_of(body: Body, motion: Motion) -> tuple[Float[np.ndarray, "t 24 3"], Float[np.ndarray, "t 24 3 3"]]:
    """Joints (metres, world) and their world rotations, for every frame of a motion."""
    pose = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1, dtype=np.float64)
    if body.kind != "smpl":  # their hands stay flat, see ``body.model``
        pose[:, 22:] = 0.0
    worlds, rest = world_rotations_of(pose), body.rest_joints(motion.betas)
    return joint_positions(worlds, rest, rest[0] + motion.transl), worlds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkinSample:
    """Some vertices of a body, ready to be posed in any shape."""

    rows: Int[np.ndarray, " n"]
    """Which vertices."""
    template: Float[np.ndarray, "n 3"]
    """Zero pose, mean shape, metres."""
    shapes: Float[np.ndarray, "m 10"]
    """Change of the coordinates with ``betas``, metres; m = 3 n."""
    bounds: Int[np.ndarray, " bounds"]
    """See ``skinning.Terms``, and the next one."""
    joint: Int[np.ndarray, " p"]
    weight: Float[np.ndarray, " p"]
    """Skinning weight of each term."""


def sample_skin(body: Body, rows: Int[np.ndarray, " n"]) -> SkinSample:
    """Prepare some vertices for ``pose_points``: once for each body."""
    vertex, joint = np.nonzero(body.weights[rows])
    zero = body.rest_points(np.zeros(10), rows)
    shapes = np.stack([body.rest_points(betas, rows) - zero for betas in np.eye(10)], axis=-1)
    return SkinSample(
        rows=rows, template=zero, shapes=shapes.reshape(-1, 10), bounds=np.searchsorted(vertex, np.arange(len(rows) + 1)),
        joint=joint, weight=body.weights[rows][vertex, joint],
    )  # fmt: skip


def terms_of(body: Body, betas: Float[np.ndarray, "10"], sample: SkinSample) -> Terms:
    """Some vertices in a shape, ready for skinning; without what the pose itself changes (``has_pose_blend_shapes``)."""
    values = np.empty((len(sample.joint), 4))
    rest = sample.template, sample.shapes, sample.bounds
    _weigh(rest, sample.joint, sample.weight, np.asarray(betas, np.float64), body.rest_joints(betas), values)
    return Terms(bounds=sample.bounds, joint=sample.joint, values=values)


def pose_points(
    body: Body, motion: Motion, sample: SkinSample
) -> tuple[Float[np.ndarray, "t n 3"], Float[np.ndarray, "t 24 3"]]:
    """Some vertices and the joints of a motion, metres, in the motion's frame (world).

    Args:
        sample: Of this body.
    """
    joints, worlds = skeleton_of(body, motion)
    points = skinned(terms_of(body, motion.betas, sample), joints, worlds)
    if has_pose_blend_shapes(body):
        turned = (body.weights[sample.rows] @ worlds.reshape(-1, 24, 9)).reshape(*points.shape, 3)
        points = points + (turned @ _blend_shapes(body, motion, sample.rows)[..., None])[..., 0]
    return points, joints


@compiled
def _weigh(rest, joint, weight, betas, joints, values):
    template, shapes, bounds = rest
    point = np.empty(3)
    for vertex in range(len(template)):
        for axis in range(3):
            point[axis] = template[vertex, axis]
            for number in range(10):
                point[axis] += shapes[3 * vertex + axis, number] * betas[number]
        for term in range(bounds[vertex], bounds[vertex + 1]):
            for axis in range(3):
                values[term, axis] = weight[term] * (point[axis] - joints[joint[term], axis])
            values[term, 3] = weight[term]


def _blend_shapes(body: Body, motion: Motion, rows: np.ndarray) -> Float[np.ndarray, "t n 3"]:
    """What the pose adds to vertices in the zero pose, metres."""
    keep = 23 if body.kind == "smpl" else 21
    bent = (rotation_matrices(motion.body_pose[:, :keep]) - np.eye(3)).reshape(len(motion), -1)
    shapes = body.model.posedirs[: 9 * keep].numpy().reshape(9 * keep, -1, 3)[:, rows]
    return (bent.astype(np.float32) @ shapes.reshape(9 * keep, -1)).reshape(len(motion), -1, 3)
