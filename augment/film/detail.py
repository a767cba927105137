"""How fine a person's mesh needs to be in a film: what is smaller than a pixel need not be drawn."""

from __future__ import annotations

import numpy as np

from ..body.model import Body
from ..geometry import invert_transform, transform_points
from ..types import Camera, Motion

DETAILS = (0.0, 0.006, 0.010, 0.016)
"""Metres: sizes of the finest details that meshes are made for."""
_REACH = 0.3
"""Metres by which a person comes nearer to the camera than the pelvis."""
_NEAR = 0.1
"""Share of the time for which a person may be nearer than the mesh is made for."""


def finest_detail(motion: Motion, body: Body, camera: Camera) -> float:
    """One of ``DETAILS``: at most the size of a pixel at the person, metres.

    Args:
        motion: Placed in the room.
        camera: A still one, at the clip's size.
    """
    pelvis = motion.transl + body.rest_joints(motion.betas)[0]
    depth = transform_points(invert_transform(camera.T_world_camera), pelvis)[:, 2]
    pixel = (np.quantile(depth, _NEAR) - _REACH) / max(camera.K[0, 0], camera.K[1, 1])
    return max((size for size in DETAILS if size <= pixel), default=DETAILS[0])
