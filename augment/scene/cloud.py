"""Coloured point clouds: from a depth picture, and to PLY."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from ..geometry import pixel_grid, transform_points, unproject
from ..types import Camera


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Coloured points."""

    points: Float[np.ndarray, "n 3"]
    """World, metres."""
    colors: UInt8[np.ndarray, "n 3"]
    """sRGB."""


def cloud_from_depth(
    camera: Camera, depth: Float32[np.ndarray, "h w"], plate: UInt8[np.ndarray, "h w 3"], *, stride: int
) -> Cloud:
    """The known pixels, every ``stride``-th of a row and a column, as coloured points in the world."""
    rows = slice(stride // 2, None, stride)
    known = depth[rows, rows] > 0
    pixels = pixel_grid(*depth.shape)[rows, rows][known]
    local = unproject(pixels, depth[rows, rows][known].astype(float), camera.K)
    return Cloud(points=transform_points(camera.T_world_camera, local), colors=plate[rows, rows][known])


def cloud_to_ply(cloud: Cloud) -> bytes:
    """Binary PLY (float32 places, colours); the same cloud gives the same bytes.

    Raises:
        ValueError: If the cloud is empty.
    """
    import trimesh

    if not len(cloud.points):
        raise ValueError("the point cloud is empty: no pixel has a known depth")
    data = trimesh.PointCloud(cloud.points, colors=cloud.colors).export(file_type="ply")
    assert isinstance(data, bytes)
    return data
