"""2D keypoints of a filmed person, in SMPL's, COCO's and MediaPipe's layouts, with true visibility."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float32

from ..body.landmarks import Landmarks, landmarks_of, place_landmarks
from ..body.model import Body
from ..compiled import compiled
from ..geometry import invert_transform, transform_points
from ..types import Camera

LAYOUTS = {"joints2d": 24, "keypoints_coco": 17, "keypoints_mediapipe": 33}
"""Name of each set of 2D keypoints to the number of its points; ``joints2d`` are SMPL's joints."""
INSIDE = 0.20
"""Metres behind the surface that covers it at which a keypoint still counts as seen: joints lie inside the body."""
BEHIND = 0.06
"""Metres behind another surface at which a keypoint is hidden by it."""


@lru_cache(maxsize=8)
def _landmarks(body: Body, layout: str) -> Landmarks:
    return landmarks_of(body, layout)


def keypoints_3d(
    body: Body, betas: np.ndarray, joints: Float32[np.ndarray, "t 24 3"], rotations: Float32[np.ndarray, "t 24 3 3"]
) -> Float32[np.ndarray, "t 74 3"]:
    """All keypoints of ``LAYOUTS``, one layout after the other, metres, in the joints' frame.

    Args:
        betas: Body shape.
        joints: Of every frame.
        rotations: Of every joint, in the same frame.
    """
    at, turned, shape = torch.as_tensor(joints), torch.as_tensor(rotations), torch.as_tensor(betas, dtype=torch.float32)
    placed = [place_landmarks(_landmarks(body, layout), at, turned, shape).numpy() for layout in ("coco17", "mediapipe33")]
    return np.concatenate([joints, *placed], axis=1).astype(np.float32)


def project_keypoints(points: Float32[np.ndarray, "t k 3"], camera: Camera) -> Float32[np.ndarray, "t k 3"]:
    """u, v in pixels, and z in metres; points behind the camera get pixels far outside the picture."""
    local = transform_points(invert_transform(camera.T_world_camera), points.astype(np.float64))
    uv = (local @ camera.K.T)[..., :2] / np.maximum(local[..., 2:], 1e-3)
    return np.concatenate([uv, local[..., 2:]], axis=-1).astype(np.float32)


@compiled
def visibility(uvz, mask, depth, person, confidence):
    """Write each keypoint's confidence: 1 seen, 0.5 hidden behind the person's own body, 0 outside or behind something else.

    Args:
        uvz: Pixels, and z in metres. Shape (k, 3).
        mask: uint8; who covers each pixel. Shape (h, w).
        depth: z of what covers each pixel, metres, 0 = unknown. Shape (h, w).
        person: The keypoints' own value in ``mask``.
        confidence: Written. Shape (k).
    """
    height, width = mask.shape
    for k in range(uvz.shape[0]):
        u, v, z = uvz[k, 0], uvz[k, 1], uvz[k, 2]
        confidence[k] = 0
        if not (z > 0 and 0 <= u < width and 0 <= v < height):
            continue
        row, column = int(v), int(u)
        front = depth[row, column]
        if mask[row, column] == person:
            confidence[k] = 0.5 if front > 0 and z > front + np.float32(INSIDE) else 1.0
        elif not (front > 0 and z > front + np.float32(BEHIND)):
            confidence[k] = 1.0
