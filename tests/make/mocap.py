"""A motion with every field set, the arrays of an AMASS file, and BVH files of CMU's skeleton."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import roma
import torch

from augment.sources.mocap.amass import SMPL_REST_PELVIS, save_amass
from augment.sources.mocap.bvh import parse_bvh
from augment.types import Motion, Segment

CMU_TREE = [
    ("Hips", None, (0, 0, 0)), ("LHipJoint", "Hips", (0, 0, 0)), ("LeftUpLeg", "LHipJoint", (1.4, -1.8, 0.8)),
    ("LeftLeg", "LeftUpLeg", (2.45, -6.73, 0)), ("LeftFoot", "LeftLeg", (2.56, -7.04, 0)),
    ("LeftToeBase", "LeftFoot", (0.16, -0.43, 2.32)), ("RHipJoint", "Hips", (0, 0, 0)),
    ("RightUpLeg", "RHipJoint", (-1.4, -1.8, 0.8)), ("RightLeg", "RightUpLeg", (-2.45, -6.73, 0)),
    ("RightFoot", "RightLeg", (-2.56, -7.04, 0)), ("RightToeBase", "RightFoot", (-0.16, -0.43, 2.32)),
    ("LowerBack", "Hips", (0, 0, 0)), ("Spine", "LowerBack", (0, 2, 0)), ("Spine1", "Spine", (0, 2, 0)),
    ("Neck", "Spine1", (0, 2.2, 0)), ("Neck1", "Neck", (0, 1, 0)), ("Head", "Neck1", (0, 1, 0.2)),
    ("LeftShoulder", "Spine1", (0, 1.2, 0)), ("LeftArm", "LeftShoulder", (3.3, 0.6, 0)),
    ("LeftForeArm", "LeftArm", (5, 0, 0)), ("LeftHand", "LeftForeArm", (3.5, 0, 0)),
    ("RightShoulder", "Spine1", (0, 1.2, 0)), ("RightArm", "RightShoulder", (-3.3, 0.6, 0)),
    ("RightForeArm", "RightArm", (-5, 0, 0)), ("RightHand", "RightForeArm", (-3.5, 0, 0)),
]  # fmt: skip
"""A skeleton of CMU's joint names and about its proportions, in its odd unit: (joint, parent, offset)."""

STRAIGHT = {"LeftUpLeg": (-20, 0, 0), "RightUpLeg": (20, 0, 0)}
"""Brings the splayed rest legs under the hips."""


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


def foreign_amass(motion, rest_pelvis) -> dict:
    """The arrays of somebody else's AMASS file of a motion: on SMPL's body, without what only our files hold."""
    buffer = io.BytesIO()
    moved = replace(motion, transl=np.asarray(motion.transl) + rest_pelvis - SMPL_REST_PELVIS)
    save_amass(buffer, moved, rest_pelvis=SMPL_REST_PELVIS)
    with np.load(io.BytesIO(buffer.getvalue())) as arrays:
        return {name: arrays[name] for name in arrays.files if name not in ("understudy", "rest_pelvis", "smpl_hands")}


def wandering_bvh(frames=240) -> str:
    """Somebody with hanging arms who glides along a winding line."""
    arms = {"LeftArm": (-80, 0, 0), "RightArm": (80, 0, 0)}
    path = [(6 * np.sin(frame / 20), 16, 0.1 * frame) for frame in range(frames)]
    return cmu_bvh_text([STRAIGHT | arms | {"at": place} for place in path])


def cmu_bvh_text(poses, *, unit=1.0, rename=None, fps=30) -> str:
    """A BVH file; ``poses`` gives a frame as {joint: (z, x, y) degrees}, ``"at"`` being the root's place."""
    lines, tree = ["HIERARCHY"], {name: [each for each in CMU_TREE if each[1] == name] for name, _, _ in CMU_TREE}
    order = []

    def emit(name, offset, depth):
        order.append(name)
        shown = (rename or {}).get(name, name)
        position = "" if depth else "Xposition Yposition Zposition "
        lines.append(f"{'ROOT' if depth == 0 else 'JOINT'} {shown}\n{{\nOFFSET {' '.join(str(o * unit) for o in offset)}")
        lines.append(f"CHANNELS {3 if depth else 6} {position}Zrotation Xrotation Yrotation")
        for child, _, child_offset in tree[name]:
            emit(child, child_offset, depth + 1)
        if not tree[name]:
            lines.append("End Site\n{\nOFFSET 0 0 0\n}")
        lines.append("}")

    emit("Hips", (0, 0, 0), 0)
    rows = []
    for pose in poses:
        at = [value * unit for value in pose.get("at", (0, 16, 0))]
        rows.append(" ".join(str(v) for v in at + [angle for name in order for angle in pose.get(name, (0, 0, 0))]))
    return "\n".join([*lines, "MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps}", *rows])


def cmu_bvh(poses, **options):
    """The same, parsed."""
    return parse_bvh(cmu_bvh_text(poses, **options), name="made")
