"""HuMoR's state: pose and rates of one frame, invariant to place and heading; conversion from and to pose sequences."""

from __future__ import annotations

import math

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from ...geometry import matrix_to_rotation6d, rotation6d_to_matrix
from ...types import SMPL_PARENTS
from ..poses import FPS, POSED_JOINTS
from ..prior import PoseSequence

STATE: dict[str, slice] = {
    "height": slice(0, 1),
    "up": slice(1, 4),
    "velocity": slice(4, 7),
    "turning": slice(7, 10),
    "body": slice(10, 136),
    "joints": slice(136, 199),
    "velocities": slice(199, 262),
}
"""Slices of the state. ``height`` of the pelvis, m; ``up``, the world's +y; ``velocity`` of the pelvis, m/s; ``turning``,
angular velocity of the root, rad/s; ``body``, rotations of joints 1..21, 6D; ``joints`` 1..21 from the pelvis, m;
``velocities`` of these joints, m/s. Vectors are in the root's frame; rates are backward differences."""

STATE_DIM = 262
"""Size of a state."""

_BODY = slice(1, POSED_JOINTS + 1)


def states_of(sequence: PoseSequence) -> Float[Tensor, "*b t 262"]:
    """States of all frames; the first frame takes its rates from the second (0 if there is only one frame).

    The root's frame makes states independent of heading and place on the floor; unlike the heading, it is also defined for a
    lying body.
    """
    rotations, joints = sequence.rotations, sequence.joints
    root = rotations[..., 0, :, :]
    inward = root.transpose(-1, -2)[..., None, :, :]
    pelvis = joints[..., :1, :]
    moved = (inward[..., 1:, :, :, :] @ (joints[..., 1:, :, :] - joints[..., :-1, :, :])[..., None])[..., 0] * sequence.fps
    turn = root[..., :-1, :, :].transpose(-1, -2) @ root[..., 1:, :, :]
    # sin(angle) * axis: close to the angle for the small rotations of one frame, and smooth for all.
    skew = (turn - turn.transpose(-1, -2)) / 2 * sequence.fps
    turning = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], dim=-1)
    return torch.cat(
        [
            pelvis[..., 0, 1:2],
            root[..., 1, :],
            _first_repeated(moved[..., 0, :]),
            _first_repeated(turning),
            matrix_to_rotation6d(rotations[..., _BODY, :, :]).flatten(-2),
            (inward @ (joints[..., _BODY, :] - pelvis)[..., None])[..., 0].flatten(-2),
            _first_repeated(moved[..., _BODY, :].flatten(-2)),
        ],
        dim=-1,
    )


def tidy(states: Float[Tensor, "*b 262"]) -> Float[Tensor, "*b 262"]:
    """Project predicted states onto valid ones: orthogonal rotations and a unit up vector."""
    up = states[..., STATE["up"]]
    body = rotation6d_to_matrix(states[..., STATE["body"]].unflatten(-1, (POSED_JOINTS, 6)))
    return torch.cat(
        [
            states[..., STATE["height"]],
            up / up.norm(dim=-1, keepdim=True).clamp(min=1e-6),
            states[..., STATE["velocity"]],
            states[..., STATE["turning"]],
            matrix_to_rotation6d(body).flatten(-2),
            states[..., STATE["joints"].start :],
        ],
        dim=-1,
    )


def follow(last: PoseSequence, state: Float[Tensor, "*b 262"], bones: Float[Tensor, "*b 24 3"]) -> PoseSequence:
    """The frame after the last frame of ``last`` that has the given state, with the same bones.

    The up vector overrides the tilt that follows from the angular velocity, so that errors do not accumulate; likewise the
    height overrides the vertical velocity. Joints follow from rotations and bones.
    """
    before, pelvis = last.rotations[..., -1, 0, :, :], last.joints[..., -1, 0, :]
    root = before @ roma.rotvec_to_rotmat(state[..., STATE["turning"]] / last.fps)
    root = root @ roma.rotvec_to_rotmat(torch.linalg.cross(state[..., STATE["up"]], root[..., 1, :]))
    place = pelvis + (root @ state[..., STATE["velocity"], None])[..., 0] / last.fps
    place = torch.stack([place[..., 0], state[..., 0], place[..., 2]], dim=-1)
    rotations = last.rotations[..., -1, :, :, :].clone()
    rotations[..., 0, :, :] = root
    rotations[..., _BODY, :, :] = rotation6d_to_matrix(state[..., STATE["body"]].unflatten(-1, (POSED_JOINTS, 6)))
    joints = pose_bones(rotations, place, bones)
    return PoseSequence(rotations=rotations[..., None, :, :, :], joints=joints[..., None, :, :], fps=last.fps)


def bones_of(sequence: PoseSequence) -> Float[Tensor, "*b 24 3"]:
    """Offset of each joint in its parent's frame in the last frame, metres; zero for the root."""
    rotations, joints = sequence.rotations[..., -1, :, :, :], sequence.joints[..., -1, :, :]
    worlds, bones = [rotations[..., 0, :, :]], [torch.zeros_like(joints[..., 0, :])]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        offset = joints[..., joint, :] - joints[..., parent, :]
        bones.append((worlds[parent].transpose(-1, -2) @ offset[..., None])[..., 0])
        worlds.append(worlds[parent] @ rotations[..., joint, :, :])
    return torch.stack(bones, dim=-2)


def pose_bones(
    rotations: Float[Tensor, "*b 24 3 3"], pelvis: Float[Tensor, "*b 3"], bones: Float[Tensor, "*b 24 3"]
) -> Float[Tensor, "*b 24 3"]:
    """Joints, metres, by forward kinematics on given bones and pelvis position."""
    worlds, joints = [rotations[..., 0, :, :]], [pelvis]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        joints.append(joints[parent] + (worlds[parent] @ bones[..., joint, :, None])[..., 0])
        worlds.append(worlds[parent] @ rotations[..., joint, :, :])
    return torch.stack(joints, dim=-2)


def at_rate(sequence: PoseSequence, fps: float = FPS) -> PoseSequence:
    """Resample linearly: joints, and rotations in 6D followed by orthogonalisation.

    Frames lie at 0, 1/fps, 2/fps, ... up to the last one's time.
    """
    if math.isclose(sequence.fps, fps, rel_tol=1e-3):
        return sequence
    count = math.floor((sequence.joints.shape[-3] - 1) * fps / sequence.fps + 1e-6) + 1
    at = torch.arange(count) * (sequence.fps / fps)
    sixes = between(matrix_to_rotation6d(sequence.rotations).flatten(-2), at).unflatten(-1, (24, 6))
    joints = between(sequence.joints.flatten(-2), at).unflatten(-1, (24, 3))
    return PoseSequence(rotations=rotation6d_to_matrix(sixes), joints=joints, fps=fps)


def between(values: Float[Tensor, "*b t d"], at: Float[Tensor, " n"]) -> Float[Tensor, "*b n d"]:
    """Linear interpolation at fractional frames, clamped at the ends."""
    last = values.shape[-2] - 1
    at = at.clamp(0, last)
    low = at.floor().long().clamp(max=max(last - 1, 0))
    share = (at - low).to(values.dtype)[:, None]
    return values[..., low, :] * (1 - share) + values[..., (low + 1).clamp(max=last), :] * share


def _first_repeated(rates: Tensor) -> Tensor:
    """(*b, t - 1, d) to (*b, t, d)."""
    first = rates[..., :1, :] if rates.shape[-2] else rates.new_zeros(*rates.shape[:-2], 1, rates.shape[-1])
    return torch.cat([first, rates], dim=-2)
