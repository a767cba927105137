"""A scene from one RGB-D frame: floor and gravity, coloured mesh, seats and beds, obstacles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8

from ...sources.depth.rgbd import read_color, read_depth, read_intrinsics
from ...types import Light, Scene
from .floor import pitch_deg
from .room import room_from_depth


def scene_from_rgbd(
    color: Path, depth: Path, intrinsics: Path, *, encoding: str = "plain", depth_scale: float = 1000.0, name: str = "room",
    stride: int = 2,
) -> Scene:  # fmt: skip
    """Read one RGB-D frame and its intrinsics, and build the scene (see ``scene_from_depth``).

    Raises:
        ValueError: If a file cannot be used, the sizes differ, or no floor is found.
    """
    picture, z = read_color(color), read_depth(depth, encoding=encoding, scale=depth_scale)
    K, width, height = read_intrinsics(intrinsics)
    for what, path, shape in (("colour", color, picture.shape), ("depth", depth, z.shape)):
        if shape[:2] != (height, width):
            raise ValueError(
                f"{path}: the {what} picture is {shape[1]}x{shape[0]} but {intrinsics} is for {width}x{height}; use registered "
                "depth and the intrinsics of the colour camera at this size"
            )
    scene = scene_from_depth(picture, z, K, name=name, stride=stride)
    scene.provenance["files"] = [Path(p).name for p in (color, depth, intrinsics)]
    return scene


def scene_from_depth(
    color: UInt8[np.ndarray, "h w 3"], depth: Float32[np.ndarray, "h w"], K: Float[np.ndarray, "3 3"], *, name: str = "room",
    stride: int = 2,
) -> Scene:  # fmt: skip
    """Build a scene from registered colour and depth.

    Args:
        color: RGB plate.
        depth: z-depth, metres, 0 = unknown.
        K: Intrinsics, pixels.
        name: The scene's name.
        stride: Every so many pixels a mesh vertex.
    Returns:
        The scene; origin on the floor below the camera, the camera heading along +z.
    Raises:
        ValueError: If no floor is found.
    """
    room = room_from_depth(color, depth, K, stride=stride)
    T_world_camera = room.camera.T_world_camera
    return Scene(
        name=name, camera=room.camera, plate=color, depth=depth, floor=room.floor, surfaces=room.surfaces,
        obstacles=room.obstacles, mesh=room.mesh,
        lights=(
            Light(kind="point", position=np.array([0.0, 2.6, room.floor[:, 1].mean()]), color=np.ones(3), intensity=1.0),
        ),
        provenance={
            "source": "rgbd", "camera": {"height_m": float(T_world_camera[1, 3]), "pitch_deg": pitch_deg(T_world_camera)},
            "known_depth_share": float((depth > 0).mean()), "floor_share_of_points": room.floor_share,
            "guessed": ["lights", "surfaces and obstacles: only their visible sides were measured"],
        },
    )  # fmt: skip
