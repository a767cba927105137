"""A stick figure and its movements: small, smooth, made of formulas, so that tests need neither a body model nor a library."""

from __future__ import annotations

import numpy as np

from augment.types import JOINT, SMPL_PARENTS, Motion, Segment

_OFFSETS = {
    "left_hip": (0.07, -0.09, 0.0), "right_hip": (-0.07, -0.09, 0.0), "spine1": (0.0, 0.11, -0.01),
    "left_knee": (0.02, -0.38, 0.0), "right_knee": (-0.02, -0.38, 0.0), "spine2": (0.0, 0.14, 0.0),
    "left_ankle": (0.0, -0.40, -0.02), "right_ankle": (0.0, -0.40, -0.02), "spine3": (0.0, 0.06, 0.0),
    "left_foot": (0.02, -0.05, 0.12), "right_foot": (-0.02, -0.05, 0.12), "neck": (0.0, 0.21, 0.0),
    "left_collar": (0.08, 0.12, 0.0), "right_collar": (-0.08, 0.12, 0.0), "head": (0.0, 0.09, 0.05),
    "left_shoulder": (0.11, 0.02, 0.0), "right_shoulder": (-0.11, 0.02, 0.0), "left_elbow": (0.26, 0.0, 0.0),
    "right_elbow": (-0.26, 0.0, 0.0), "left_wrist": (0.25, 0.0, 0.0), "right_wrist": (-0.25, 0.0, 0.0),
    "left_hand": (0.08, 0.0, 0.0), "right_hand": (-0.08, 0.0, 0.0),
}  # fmt: skip


def rest_joints(betas: np.ndarray) -> np.ndarray:
    """Joints in the zero pose, metres; betas[0] makes the figure taller."""
    joints = np.zeros((24, 3))
    joints[0] = (0.0, -0.2, 0.01)
    for name, offset in _OFFSETS.items():
        joint = JOINT[name]
        joints[joint] = joints[SMPL_PARENTS[joint]] + np.array(offset) * (1 + 0.03 * betas[0])
    return joints


def moving(*, action: str = "wave", frames: int = 48, rng: np.random.Generator, support: str = "floor") -> Motion:
    """Swings limbs and drifts; every action its own rhythm."""
    betas = np.zeros(10)
    betas[0] = rng.uniform(-1, 1)
    time = np.arange(frames) / 20.0
    body = np.zeros((frames, 23, 3))
    tempo = 1.0 + sum(map(ord, action)) % 5
    for joint, axis in (("left_shoulder", 2), ("left_elbow", 1), ("left_hip", 0), ("left_knee", 0), ("right_shoulder", 2)):
        body[:, JOINT[joint] - 1, axis] = 0.5 * np.sin(tempo * time + rng.uniform(0, 6)) + rng.uniform(-0.3, 0.3)
    body[:, JOINT["spine1"] - 1, 0] = 0.2 * (sum(map(ord, action)) % 7)
    turn = rng.uniform(-3, 3)
    orient = np.stack([0 * time, turn + 0.3 * np.sin(time), 0 * time], axis=1)
    transl = np.stack([rng.uniform(-2, 2) + 0.3 * time, 1.14 + 0.02 * np.sin(3 * time), 0.1 * time], axis=1)
    half = frames // 2 / 20.0
    return Motion(
        global_orient=orient,
        body_pose=body,
        transl=transl,
        betas=betas,
        fps=20.0,
        action=action,
        segments=(
            Segment(label="standing", start_sec=0.0, end_sec=half),
            Segment(label="sitting" if support == "chair" else "other", start_sec=half, end_sec=frames / 20.0),
        ),
        name=f"{action}-{rng.integers(1 << 30)}",
        support=support,
        support_height=0.45 if support == "chair" else 0.0,
        support_center=None if support == "floor" else (transl[0, 0] + 0.2, 0.3),
        support_yaw=0.0 if support == "floor" else turn + 0.4,
    )
