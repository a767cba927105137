"""MediaPipe Pose landmarks stored as ``.npz``: 33 points a frame, NaN where nobody was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from ...files import DAMAGED_NPZ, npz_arrays

LANDMARKS: tuple[str, ...] = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
"""MediaPipe Pose's landmarks in its own order."""

LANDMARK = {name: index for index, name in enumerate(LANDMARKS)}
"""Index of a landmark by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypoints:
    """One tracked person's landmarks in one video."""

    path: Path
    landmarks2d: Float32[np.ndarray, "t 33 3"]
    """x and y in pixels, visibility 0..1; NaN where nobody was found."""
    landmarks_world: Float32[np.ndarray, "t 33 3"] | None
    """Metres, hip-centred, x right, y down, z away from the camera; NaN where nobody was found."""
    fps: float
    width: int
    """Width of the video the landmarks were found in, pixels."""
    height: int

    @property
    def found(self) -> np.ndarray:
        """Whether somebody was found, for each frame (t,)."""
        return np.asarray(np.isfinite(self.landmarks2d[:, :, :2]).all(axis=(1, 2)))

    def __len__(self) -> int:
        return len(self.landmarks2d)


def read_mediapipe(path: Path | str) -> Keypoints:
    """Read a landmark file with ``landmarks2d``, ``fps``, ``size [w, h]`` and, where present, ``landmarks_world``.

    Raises:
        ValueError: If the file is absent, is no such archive, or holds arrays of another shape; or if nobody was found in
            any frame.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such keypoints file")
    try:
        data = npz_arrays(path)
    except DAMAGED_NPZ as error:
        raise ValueError(f"{path}: not a readable .npz of keypoints ({error}); write it with numpy.savez") from error
    missing = [key for key in ("landmarks2d", "fps", "size") if key not in data]
    if missing:
        raise ValueError(
            f"{path}: lacks {missing}; a MediaPipe keypoints file has landmarks2d, fps and size, this {sorted(data)}"
        )
    landmarks = np.asarray(data["landmarks2d"], np.float32)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (33, 3) or not len(landmarks):
        raise ValueError(f"{path}: landmarks2d must be (frames, 33, 3) as x, y, visibility; found {landmarks.shape}")
    world = data.get("landmarks_world")
    if world is not None and world.shape != landmarks.shape:
        raise ValueError(f"{path}: landmarks_world is {world.shape} but landmarks2d is {landmarks.shape}; they must match")
    size = np.asarray(data["size"]).reshape(-1)
    if size.shape != (2,) or (size <= 0).any():
        raise ValueError(f"{path}: size must be [width, height] in pixels; found {data['size']}")
    keypoints = Keypoints(
        path=path, landmarks2d=landmarks, landmarks_world=None if world is None else world.astype(np.float32),
        fps=float(data["fps"]), width=int(size[0]), height=int(size[1]),
    )  # fmt: skip
    if not keypoints.found.any():
        raise ValueError(
            f"{path}: nobody found: every landmark of all {len(landmarks)} frames is NaN; run the detector again, or "
            "leave these keypoints out"
        )
    extent = np.nanmax(np.abs(landmarks[:, :, :2]))
    if extent <= 2.0:
        raise ValueError(
            f"{path}: landmarks2d looks normalised (largest coordinate {extent:.2f}); multiply by width and height"
        )
    return keypoints
