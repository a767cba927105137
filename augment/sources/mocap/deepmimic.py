"""DeepMimic's motions: JSON with a root position, and a quaternion or an angle for each joint, in each frame.

Its frame has +x ahead, +y up and +z to the right; here positions and rotations are given with +x to the left and +z ahead.

Source: Peng et al. 2018, "DeepMimic", and the joint places of its ``humanoid3d.txt``.
"""

from __future__ import annotations

import json

import numpy as np
from scipy.spatial.transform import Rotation

from .skeleton import SkeletonRecording, whole_rate

_OURS_FROM_THEIRS = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
_SPHERE, _HINGE, _FIXED = 4, 1, 0
"""Numbers of a frame that a joint takes."""
_JOINTS: tuple[tuple[str, str, tuple[float, float, float], int], ...] = (
    ("chest", "root", (0.0, 0.236151, 0.0), _SPHERE), ("neck", "chest", (0.0, 0.223894, 0.0), _SPHERE),
    ("right_hip", "root", (0.0, 0.0, 0.084887), _SPHERE), ("right_knee", "right_hip", (0.0, -0.421546, 0.0), _HINGE),
    ("right_ankle", "right_knee", (0.0, -0.40987, 0.0), _SPHERE),
    ("right_shoulder", "chest", (-0.02405, 0.2435, 0.18311), _SPHERE),
    ("right_elbow", "right_shoulder", (0.0, -0.274788, 0.0), _HINGE),
    ("left_hip", "root", (0.0, 0.0, -0.084887), _SPHERE), ("left_knee", "left_hip", (0.0, -0.421546, 0.0), _HINGE),
    ("left_ankle", "left_knee", (0.0, -0.40987, 0.0), _SPHERE),
    ("left_shoulder", "chest", (-0.02405, 0.2435, -0.18311), _SPHERE),
    ("left_elbow", "left_shoulder", (0.0, -0.274788, 0.0), _HINGE),
    # No joints of theirs: the ends of their bodies, which tell where head, hands and feet point.
    ("head", "neck", (0.0, 0.12, 0.0), _FIXED),
    ("right_wrist", "right_elbow", (0.0, -0.258947, 0.0), _FIXED), ("left_wrist", "left_elbow", (0.0, -0.258947, 0.0), _FIXED),
    ("right_toes", "right_ankle", (0.11, -0.04, 0.0), _FIXED), ("left_toes", "left_ankle", (0.11, -0.04, 0.0), _FIXED),
)  # fmt: skip
"""Joint, parent, place in its parent (metres, their axes), numbers in a frame; in the order of the file."""
_WIDTH = 8 + sum(width for *_, width in _JOINTS)
"""Seconds, root position and quaternion, joints."""


def load_deepmimic(text: str, *, name: str) -> SkeletonRecording:
    """A motion of DeepMimic, which its text alone tells from other JSON by ``Frames``.

    Raises:
        ValueError: If it is no such JSON, a frame has another number of values, or values are not finite.
    """
    try:
        content = json.loads(text)
        frames = np.array(content["Frames"], np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{name}: field Frames: expected rows of {_WIDTH} numbers as DeepMimic writes them ({error})"
        ) from error
    if frames.ndim != 2 or len(frames) < 2 or frames.shape[1] != _WIDTH:
        raise ValueError(
            f"{name}: field Frames: expected 2 or more rows of {_WIDTH} numbers (DeepMimic's humanoid3d), found {frames.shape}"
        )
    if not np.isfinite(frames).all():
        raise ValueError(f"{name}: field Frames: expected finite numbers, found NaN or infinity")
    seconds = float(np.median(frames[:-1, 0]))
    if not 1e-4 < seconds < 1:
        raise ValueError(f"{name}: field Frames: expected the seconds of a frame as its first number, found {seconds}")
    places, turns = _placed(frames)
    return SkeletonRecording(
        name=name,
        joints=("root", *(joint for joint, *_ in _JOINTS)),
        positions=places @ _OURS_FROM_THEIRS.T,
        rotations=_OURS_FROM_THEIRS @ turns @ _OURS_FROM_THEIRS.T,
        fps=whole_rate(seconds),
    )


def _placed(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (t, j, 3) and rotations (t, j, 3, 3) of root and joints, by forward kinematics in their axes."""
    places, turns = {"root": frames[:, 1:4]}, {"root": _matrices(frames[:, 4:8])}
    column = 8
    for joint, parent, offset, width in _JOINTS:
        places[joint] = places[parent] + turns[parent] @ np.array(offset)
        numbers = frames[:, column : column + width]
        column += width
        if width == _SPHERE:
            turns[joint] = turns[parent] @ _matrices(numbers)
        elif width == _HINGE:
            turns[joint] = turns[parent] @ Rotation.from_euler("z", numbers).as_matrix()
        else:
            turns[joint] = turns[parent]
    return np.stack(list(places.values()), axis=1), np.stack(list(turns.values()), axis=1)


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotations of quaternions with the real part first; all zeros, which some files have, is no rotation."""
    still = np.linalg.norm(quaternions, axis=1, keepdims=True) < 1e-6
    quaternions = np.where(still, [1.0, 0.0, 0.0, 0.0], quaternions)
    return Rotation.from_quat(quaternions, scalar_first=True).as_matrix()
