"""A motion with every field set, and the arrays of an AMASS file."""

from __future__ import annotations

import numpy as np
import roma
import torch

from augment.types import Motion, Segment


def some_motion(n_frames=30, seed=0):
    rng = np.random.default_rng(seed)
    return Motion(
        global_orient=rng.normal(size=(n_frames, 3)).astype(np.float32),
        body_pose=rng.normal(scale=0.4, size=(n_frames, 23, 3)).astype(np.float32),
        transl=rng.normal(size=(n_frames, 3)).astype(np.float32),
        betas=rng.normal(size=10).astype(np.float32),
        fps=20.0,
        action="sit_down",
        segments=(Segment(label="sit_down", start_sec=0.0, end_sec=1.0), Segment(label="sitting", start_sec=1.0, end_sec=1.5)),
        caption="A person sits down.",
        name="sit_1",
        source="test",
        licence="CC0-1.0",
        subject="s1",
        support="chair",
        support_height=0.45,
        support_center=(0.1, -0.3),
        support_yaw=0.7,
        provenance={"seed": np.int64(3), "scale": np.float32(0.5), "nested": {"list": [1, 2]}},
    )


def turns(axis_angle):
    return roma.rotvec_to_rotmat(torch.from_numpy(np.asarray(axis_angle, np.float64))).numpy()


def smplh(n_frames=5, **changes):
    arrays = {
        "poses": np.zeros((n_frames, 156)), "trans": np.zeros((n_frames, 3)), "betas": np.zeros(16), "gender": "female",
        "mocap_framerate": 120.0, "dmpls": np.zeros((n_frames, 8)),
    }  # fmt: skip
    return {key: value for key, value in (arrays | changes).items() if value is not None}
