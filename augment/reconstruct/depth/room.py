"""The room in a depth picture: floor and gravity, seats and beds, obstacles, mesh and point cloud."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32, UInt8

from ...geometry import invert_transform, transform_points
from ...polygon import convex_hull
from ...scene.cloud import Cloud, cloud_from_depth
from ...scene.mesh import mesh_from_depth
from ...types import Camera, Obstacle, SceneMesh, Surface
from .floor import find_floor, points_and_normals, world_from_floor
from .furniture_from_points import find_obstacles, find_surfaces

_TILT_DEG, _RISE_M = 5.0, 0.15
"""Largest tilt and height difference between the depth's floor and the camera's without a warning."""
_LEAST_FLOOR = 30
"""Points needed for a floor polygon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRoom:
    """A room measured from a depth picture, in the world of ``camera``."""

    camera: Camera
    floor: Float[np.ndarray, "n 2"]
    """Polygon (x, z), metres."""
    surfaces: tuple[Surface, ...]
    obstacles: tuple[Obstacle, ...]
    mesh: SceneMesh
    cloud: Cloud
    floor_share: float
    """Share of the points that lie on the floor."""
    floor_tilt_deg: float | None = None
    """Angle between the depth's floor and the given camera's; None without a given camera or without a floor in the depth."""
    floor_rise_m: float | None = None
    """Height of the depth's floor above the given camera's, metres, where people stood or, without
    contacts, below the camera; None as above."""
    notes: tuple[str, ...] = field(default=())
    """Inconsistencies, as text for the report."""


def room_from_depth(
    plate: UInt8[np.ndarray, "a b 3"], depth: Float32[np.ndarray, "h w"], K: Float[np.ndarray, "3 3"],
    camera: Camera | None = None, *, contacts: Float[np.ndarray, "c 3"] | None = None, stride: int = 2,
) -> DepthRoom:  # fmt: skip
    """Floor, seats, beds, obstacles, mesh and cloud from a depth picture.

    Args:
        plate: RGB.
        depth: z-depth, metres, 0 = unknown.
        K: Intrinsics, pixels; of the plate.
        camera: The camera as calibrated from people. Its world is kept, since people live in it, and the depth's own floor
            is only compared with it; None takes gravity and floor from the depth.
        contacts: Where feet touched the floor, world of ``camera``, metres: further points of the floor.
        stride: Every so many pixels a mesh vertex; the cloud has one at every such pixel too.
    Raises:
        ValueError: If there is no ``camera`` and no floor is found, or sizes differ.
    """
    height, width = depth.shape
    if plate.shape[:2] != depth.shape:
        raise ValueError(
            f"plate is {plate.shape[1]}x{plate.shape[0]} but depth {width}x{height}; resize the depth to the plate"
        )
    points, normals = points_and_normals(depth, K)
    tilt = rise = None
    notes: list[str] = []
    if camera is None:
        up, offset = find_floor(points, normals)
        camera = Camera(K=K, T_world_camera=world_from_floor(up, offset), width=width, height=height)
        T_level_camera = camera.T_world_camera
    else:
        T_level_camera, tilt, rise, notes = _compare(points, normals, camera, contacts)
    # heights are measured from the depth's own floor, so that seats have their true height even where both floors differ
    world = transform_points(T_level_camera, points)
    upward = normals @ T_level_camera[1, :3] > np.cos(np.radians(20))
    on_floor = upward & (np.abs(world[:, 1]) < 0.05 + 0.01 * points[:, 2])
    ground = world[on_floor][:, [0, 2]]
    if contacts is not None and len(contacts):
        ground = np.concatenate([ground, contacts[:, [0, 2]]])
    if len(ground) < _LEAST_FLOOR:
        raise ValueError(
            f"only {len(ground)} points of the depth lie on the camera's floor (at least {_LEAST_FLOOR} are needed): scale, "
            "tilt or height do not fit; " + ("; ".join(notes) or "check the depth maps")
        )
    floor = convex_hull(ground)
    return DepthRoom(
        camera=camera, floor=floor, surfaces=find_surfaces(world, upward), obstacles=find_obstacles(world, floor),
        mesh=mesh_from_depth(camera, depth, plate, stride=stride), cloud=cloud_from_depth(camera, depth, plate, stride=stride),
        floor_share=float(on_floor.mean()), floor_tilt_deg=tilt, floor_rise_m=rise, notes=tuple(notes),
    )  # fmt: skip


def _compare(
    points: np.ndarray, normals: np.ndarray, camera: Camera, contacts: np.ndarray | None
) -> tuple[np.ndarray, float | None, float | None, list[str]]:
    """The world of the depth's own floor (the camera's if it has none), that floor's tilt in degrees and rise in metres
    against the camera's, and notes for the report."""
    up, height = camera.T_world_camera[1, :3], float(camera.T_world_camera[1, 3])
    at = -height * up
    if contacts is not None and len(contacts):
        local = transform_points(invert_transform(camera.T_world_camera), contacts)
        at = np.median(local, axis=0)
        points = np.concatenate([points, local])
        normals = np.concatenate([normals, np.repeat(up[None], len(local), axis=0)])
    try:
        seen_up, seen_height = find_floor(points, normals)
    except ValueError as error:
        return camera.T_world_camera, None, None, [f"the depth shows no floor to compare with the camera's ({error})"]
    tilt = float(np.degrees(np.arccos(np.clip(seen_up @ up, -1, 1))))
    rise = float(-(at @ seen_up + seen_height) / (up @ seen_up))
    notes = []
    if tilt > _TILT_DEG or abs(rise) > _RISE_M:
        notes.append(
            f"the depth's floor is tilted by {tilt:.1f} degrees against the camera's and lies {rise:+.2f} m from it: one of "
            "them is off (focal length, person height or depth scale)"
        )
    return world_from_floor(seen_up, seen_height), tilt, rise, notes
