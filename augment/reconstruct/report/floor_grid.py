"""The camera drawn on the empty room: the floor's metres and the horizon, so that one sees at once whether it is right."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from ...geometry import invert_transform, project, transform_points
from ...types import Camera

REACH = 10
"""The grid's lines lie within so many metres of the point on the floor below the camera."""
_NEAREST = 0.2
"""Least depth of what is drawn, metres."""
_LINE, _HORIZON = (0, 190, 210), (230, 80, 60)


def draw_floor_grid(plate: UInt8[np.ndarray, "h w 3"], camera: Camera) -> UInt8[np.ndarray, "h w 3"]:
    """A picture of the room with a line for every metre of its floor, and the horizon.

    Args:
        plate: RGB, of the camera's size.
        camera: Over a floor at y = 0.
    """
    import cv2

    drawn, width = plate.copy(), max(1, round(plate.shape[1] / 640))
    lines = drawn.copy()
    for ends in grid_lines(camera):
        first, last = (tuple(int(v) for v in np.clip(np.round(end), -1e5, 1e5)) for end in ends)
        cv2.line(lines, first, last, _LINE, width, cv2.LINE_AA)
    drawn = cv2.addWeighted(lines, 0.7, drawn, 0.3, 0)
    left, right = horizon(camera)
    if all(abs(v) < 1e5 for v in (left, right)):
        cv2.line(drawn, (0, round(left)), (camera.width, round(right)), _HORIZON, width + 1, cv2.LINE_AA)
    return drawn


def grid_lines(camera: Camera) -> Float[np.ndarray, "n 2 2"]:
    """Both ends (u, v) of every metre's line on the floor that lies before the camera, pixels; not clipped to the picture."""
    spot = np.round(camera.T_world_camera[[0, 2], 3])
    at = np.arange(-REACH, REACH + 1.0)
    far = np.full(len(at), float(REACH))
    along_z = np.stack([np.stack([at, -far], -1), np.stack([at, far], -1)], axis=1)
    places = np.concatenate([along_z, along_z[..., ::-1]]) + spot
    world = np.stack([places[..., 0], np.zeros(places.shape[:2]), places[..., 1]], axis=-1)
    local = transform_points(invert_transform(camera.T_world_camera), world.reshape(-1, 3)).reshape(-1, 2, 3)
    found = []
    for first, last in local:
        if max(first[2], last[2]) <= _NEAREST:
            continue
        ends = []
        for end, other in ((first, last), (last, first)):
            if end[2] < _NEAREST:  # cut where it comes too near
                end = end + (other - end) * (_NEAREST - end[2]) / (other[2] - end[2])
            ends.append(end)
        found.append(project(np.array(ends), camera.K))
    return np.array(found).reshape(-1, 2, 2)


def horizon(camera: Camera) -> tuple[float, float]:
    """Where the horizon meets the picture's left and right edge, pixels from its top."""
    normal = np.linalg.inv(camera.K).T @ camera.T_world_camera[1, :3]  # a u + b v + c = 0
    down = normal[1] if abs(normal[1]) > 1e-12 else 1e-12
    return float(-normal[2] / down), float(-(normal[0] * camera.width + normal[2]) / down)
