"""Pickles of SMPL parameters: InterHuman's two people, HumanAct12 and NTU13 as ACTOR reads them.

InterHuman is z-up like AMASS. HumanAct12 and NTU13 have their cameras' frame: y down, z away. HumanAct12 says where its joints
are, NTU13 (fitted by VIBE) not where people are. Unpickling runs no code (``safe_pickle``).

Source: the loading code of Petrovich et al. 2021, "ACTOR"; Liang et al. 2023, "InterGen".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ...geometry import turn_about_y
from ...safe_pickle import load_pickle
from ...types import Motion
from .amass import SMPL_REST_PELVIS

_Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_Y_UP_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])
INTERHUMAN_FPS, HUMANACT12_FPS, NTU13_FPS = 30.0, 20.0, 30.0

HUMANACT12_ACTIONS = (
    "warm_up", "walk", "run", "jump", "drink", "lift_dumbbell", "sit", "eat", "turn steering wheel", "phone", "boxing", "throw",
)  # fmt: skip
"""What the numbers of its ``y`` mean."""
NTU13_ACTIONS = {
    6: "pick up", 7: "throw", 8: "sit down", 9: "stand up", 22: "cheer up", 23: "wave a hand", 24: "kick", 38: "salute",
    80: "squat down", 93: "shake a fist", 99: "run on the spot", 100: "kick backward", 102: "kick to the side",
}  # fmt: skip
"""The thirteen actions that ACTOR keeps, by the number after ``A`` in a file's name."""
_NTU_NAME = re.compile(r".*A(\d{3})")


def load_smpl_pickle(data: bytes, *, name: str) -> Iterator[Motion]:
    """The motions of a pickle: InterHuman's two people, all clips of HumanAct12's one file, or one of NTU13's.

    ``provenance["foreign_body"]`` says that translation and betas are those of SMPL's own body (``motion.reshape.adopt``); what
    the data set calls the motion is in its ``caption``. Two people know each other by ``provenance["partner"]``.

    Raises:
        ValueError: If it is none of the three, or a field is missing, of another shape or not finite.
    """
    content = load_pickle(Path(name), data=data)
    if isinstance(content, dict) and {"person1", "person2"} <= content.keys():
        yield from _interhuman(content, name)
    elif isinstance(content, dict) and {"poses", "y", "joints3D"} <= content.keys():
        yield from _humanact12(content, name)
    elif isinstance(content, dict) and isinstance(content.get(1), dict) and "pose" in content[1]:
        yield from _ntu13(content[1], name)
    else:
        keys = ", ".join(sorted(map(str, content))[:8]) if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"{name}: expected a pickle of InterHuman (person1, person2), HumanAct12 (poses, y, joints3D) or NTU13 (1: pose), "
            f"found {keys}"
        )


def _interhuman(content: dict[Any, Any], name: str) -> Iterator[Motion]:
    people = []
    for number in (1, 2):
        person = content[f"person{number}"]
        n_frames = len(np.atleast_1d(person.get("trans", ()))) if isinstance(person, dict) else 0
        trans, root, body, betas = (
            _field(person, key, f"{name}: person{number}", shape)
            for key, shape in (
                ("trans", (n_frames, 3)), ("root_orient", (n_frames, 3)), ("pose_body", (n_frames, 63)), ("betas", (10,))
            )
        )  # fmt: skip
        poses = np.concatenate([root, body, np.zeros((n_frames, 6))], axis=1)
        people.append(_motion(f"{name}-{number}", poses, trans, _Y_UP_FROM_Z_UP, fps=INTERHUMAN_FPS, betas=betas))
    for one, other in (people, people[::-1]):
        yield _with_partner(one, other)


def _with_partner(one: Motion, other: Motion) -> Motion:
    """``provenance["partner"]``: the other's name, and where it is in the first frame, seen from this one."""
    headings = [_heading(each) for each in (one, other)]
    way = (other.transl - one.transl)[0].astype(np.float64)
    at = turn_about_y(way, -headings[0])
    turned = (headings[1] - headings[0] + np.pi) % (2 * np.pi) - np.pi
    partner = {"name": other.name, "at": [round(float(at[0]), 4), round(float(at[2]), 4)], "yaw": round(float(turned), 4)}
    one.provenance["partner"] = partner
    return one


def _heading(motion: Motion) -> float:
    front = Rotation.from_rotvec(motion.global_orient[0]).apply([0.0, 0.0, 1.0])
    return float(np.arctan2(front[0], front[2]))


def _humanact12(content: dict[Any, Any], name: str) -> Iterator[Motion]:
    poses, joints, labels = (list(content[key]) for key in ("poses", "joints3D", "y"))
    if not len(poses) == len(joints) == len(labels) > 0:
        raise ValueError(
            f"{name}: expected as many poses as joints3D and y, found {len(poses)}, {len(joints)} and {len(labels)}"
        )
    for number, (pose, joint, label) in enumerate(zip(poses, joints, labels, strict=True)):
        part = f"{name}-{number:04d}"
        n_frames = len(np.atleast_1d(pose))
        pose = _field({"poses": pose}, "poses", part, (n_frames, 72))
        place = _field({"joints3D": joint}, "joints3D", part, (n_frames, 24, 3))[:, 0]
        if not 0 <= int(label) < len(HUMANACT12_ACTIONS):
            raise ValueError(f"{part}: field y: expected 0 to {len(HUMANACT12_ACTIONS) - 1}, found {label}")
        said = HUMANACT12_ACTIONS[int(label)].replace("_", " ")
        yield _motion(
            part, pose, place - SMPL_REST_PELVIS, _Y_UP_FROM_CAMERA, fps=HUMANACT12_FPS, caption=said, floor="unknown"
        )


def _ntu13(content: dict[Any, Any], name: str) -> Iterator[Motion]:
    n_frames = len(np.atleast_1d(content["pose"]))
    poses = _field(content, "pose", name, (n_frames, 72))
    match = _NTU_NAME.fullmatch(name)
    said = NTU13_ACTIONS.get(int(match[1]), "") if match else ""
    yield _motion(name, poses, np.zeros((n_frames, 3)), _Y_UP_FROM_CAMERA, fps=NTU13_FPS, caption=said, floor="unknown")


def _motion(
    name: str,
    poses: np.ndarray,
    trans: np.ndarray,
    up: np.ndarray,
    *,
    fps: float,
    betas: np.ndarray | None = None,
    caption: str = "",
    **facts: str,
) -> Motion:
    """SMPL's parameters in our y-up world; ``up`` turns the file's axes into ours. The root turns about the rest pelvis.

    ``facts`` go into the provenance.
    """
    if not len(poses):
        raise ValueError(f"{name}: expected at least one frame, found none")
    root = Rotation.from_matrix(up) * Rotation.from_rotvec(poses[:, :3])
    return Motion(
        global_orient=root.as_rotvec().astype(np.float32),
        body_pose=poses[:, 3:].reshape(len(poses), 23, 3).astype(np.float32),
        transl=((trans + SMPL_REST_PELVIS) @ up.T - SMPL_REST_PELVIS).astype(np.float32),
        betas=(np.zeros(10) if betas is None else betas).astype(np.float32),
        fps=fps,
        name=name,
        caption=caption,
        provenance={"foreign_body": True} | facts,
    )


def _field(values: Any, key: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(values, dict) or key not in values:
        raise ValueError(f"{name}: field {key}: expected it, found none")
    array = np.asarray(values[key])
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: field {key}: expected numbers of shape {shape}, found {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: field {key}: expected finite numbers, found NaN or infinity; leave the motion out")
    return array.astype(np.float64)
