"""HumanML3D: joint positions of SMPL's first 22 joints (``new_joints/*.npy``) and captions (``texts/*.txt``).

Its 263 numbers a frame (``new_joint_vecs``) are not read: inverse kinematics made their rotations, and does not know twist.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...types import SMPL_JOINTS
from .skeleton import SkeletonRecording

FPS = 20.0
N_JOINTS = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionLine:
    """One line of a text file: ``caption#word/TAG ...#start#end``."""

    caption: str
    start_sec: float
    end_sec: float
    """Both 0: the caption is about all of the motion."""


def load_joints(data: bytes, *, name: str) -> SkeletonRecording:
    """A file of ``new_joints``.

    Raises:
        ValueError: If it is no array (t, 22, 3) of finite numbers.
    """
    try:
        joints = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{name}: expected an npy file of HumanML3D's new_joints, found another or a damaged one") from error
    if joints.ndim != 3 or joints.shape[1:] != (N_JOINTS, 3) or joints.dtype.kind != "f":
        raise ValueError(
            f"{name}: expected joints of shape (t, {N_JOINTS}, 3), found {joints.dtype} of shape {joints.shape}; of HumanML3D "
            "give the folder that holds new_joints, or files in it"
        )
    if not np.isfinite(joints).all():
        raise ValueError(f"{name}: expected finite joints, found NaN or infinity")
    positions = joints.astype(np.float64)
    return SkeletonRecording(name=name, joints=SMPL_JOINTS[:N_JOINTS], positions=positions, rotations=None, fps=FPS)


def read_captions(path: Path) -> tuple[CaptionLine, ...]:
    """The captions of a motion; none where there is no such file. Lines that are not of the format are left out."""
    if not path.is_file():
        return ()
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        caption, *rest = line.split("#")
        try:
            start, end = (float(value) for value in rest[-2:]) if len(rest) >= 2 else (0.0, 0.0)
        except ValueError:
            continue
        if caption.strip():
            start, end = (value if np.isfinite(value) else 0.0 for value in (start, end))
            found.append(CaptionLine(caption=caption.strip(), start_sec=start, end_sec=end))
    return tuple(found)
