"""Poses in world rotations: functions shared by retargeting and reshaping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from ..body.kinematics import joint_positions, local_vectors, rotation_matrices, rotation_vectors, world_rotations_of
from ..geometry import (
    axis_angle_to_matrix,
    axis_rotation,
    heading_of,
    matrix_to_axis_angle,
    quantile,
    turn_about_y,
    yaw_to_matrix,
)
from ..types import JOINT, SMPL_PARENTS, Motion


def world_rotations(motion: Motion) -> Float[np.ndarray, "t 24 3 3"]:
    """Every joint's rotation in the world."""
    return world_rotations_of(np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1))


def local_rotations(worlds: Float[np.ndarray, "t 24 3 3"]) -> Float[np.ndarray, "t 24 3 3"]:
    """Rotations relative to the parents; the root's in the world."""
    parents = np.array(SMPL_PARENTS)
    locals_ = worlds.copy()
    locals_[:, 1:] = worlds[:, parents[1:]].swapaxes(-1, -2) @ worlds[:, 1:]
    return locals_


def place_joints(
    worlds: Float[np.ndarray, "t 24 3 3"], rest: Float[np.ndarray, "24 3"], pelvis: Float[np.ndarray, "t 3"]
) -> Float[np.ndarray, "t 24 3"]:
    """Joint positions, metres, by forward kinematics with the pelvis at ``pelvis``."""
    return joint_positions(worlds, rest, pelvis)


def with_pose(
    motion: Motion, worlds: Float[np.ndarray, "t 24 3 3"], pelvis: Float[np.ndarray, "t 3"], rest: Float[np.ndarray, "24 3"]
) -> Motion:
    """Replace the pose of a motion by world rotations and pelvis positions."""
    axis_angles = local_vectors(worlds).astype(np.float32)
    transl = (pelvis - rest[0]).astype(np.float32)
    return replace(motion, global_orient=axis_angles[:, 0], body_pose=axis_angles[:, 1:], transl=transl)


def turn_and_shift(motion: Motion, yaw: float, shift: Float[np.ndarray, "3"], pelvis: Float[np.ndarray, "3"]) -> Motion:
    """The motion turned by ``yaw`` radians about the world's +y through the origin, then shifted (metres).

    ``pelvis`` is the pelvis of the body in the zero pose.
    """
    turn = axis_rotation("y", yaw)
    transl = (np.asarray(motion.transl, np.float64) + pelvis) @ turn.T + shift - pelvis
    center = motion.support_center
    if center is not None:
        moved = turn_about_y(np.array([center[0], 0.0, center[1]]), yaw) + shift
        center = (float(moved[0]), float(moved[2]))
    return replace(
        motion,
        global_orient=rotation_vectors(turn @ rotation_matrices(motion.global_orient)),
        transl=transl,
        support_center=center,
        support_yaw=motion.support_yaw + yaw if motion.support != "floor" else motion.support_yaw,
    )


def mid_hip(joints: Float[np.ndarray, "t 24 3"]) -> Float[np.ndarray, "t 3"]:
    """The point between the hips."""
    return joints[:, [JOINT["left_hip"], JOINT["right_hip"]]].mean(axis=1)


def leg_length(joints: Float[np.ndarray, "24 3"]) -> float:
    """Length of thigh plus shin, metres, mean of both legs."""
    legs = joints[_LEGS]
    return float(np.sqrt(((legs[1:] - legs[:-1]) ** 2).sum(-1)).sum() / 2)


_LEGS = np.array([[JOINT[f"{side}_{name}"] for side in ("left", "right")] for name in ("hip", "knee", "ankle")])


def face_forward(motion: Motion, rest: Float[np.ndarray, "24 3"]) -> Motion:
    """Move a motion so that its first frame is over the origin and faces +z."""
    root = axis_angle_to_matrix(torch.from_numpy(np.asarray(motion.global_orient, np.float64)))
    turn = yaw_to_matrix(-heading_of(root[0]))
    pelvis = np.asarray(motion.transl, np.float64) + rest[0]
    pelvis = (pelvis - pelvis[0] * [1.0, 0.0, 1.0]) @ turn.numpy().T
    return replace(
        motion,
        global_orient=matrix_to_axis_angle(turn @ root).numpy().astype(np.float32),
        transl=(pelvis - rest[0]).astype(np.float32),
    )


def floor_height(
    joints: Float[np.ndarray, "t 24 3"], worlds: Float[np.ndarray, "t 24 3 3"], rest: Float[np.ndarray, "24 3"], sole: float
) -> float:
    """Height of the floor: a low percentile over frames of the lowest of heels, balls and tips of the feet.

    Args:
        joints: World, metres.
        worlds: World rotations of the joints.
        rest: Joints of the zero pose, metres.
        sole: Height of the soles in the zero pose, metres.
    """
    lowest = []
    for joint, ahead in (("ankle", -0.03), ("foot", 0.0), ("foot", 0.05)):
        for side in ("left", "right"):
            index = JOINT[f"{side}_{joint}"]
            offset = np.array([0.0, sole - rest[index, 1], ahead])
            lowest.append(joints[:, index, 1] + worlds[:, index, 1] @ offset)
    return quantile(np.min(lowest, axis=0), 0.05)
