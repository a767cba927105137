"""Strips of motions without a room: whole bodies side by side in time, for looking at motions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from ..body.model import Body, pose_body
from ..geometry import heading_vector, look_at
from ..motion.posture import world_rotations
from ..raster.zbuffer import CompiledRasterizer
from ..types import Camera, Motion, SceneMesh

COLORS = ((214, 126, 92), (92, 134, 214), (120, 180, 110))
"""sRGB of the first person, the second one, and others."""
_GROUND = (196, 196, 190)
_PITCH, _LENS = np.radians(14.0), 1.5
"""How far down the camera looks, and its focal length, heights of the picture."""


def strip(
    people: Sequence[Motion], body: Body, *, columns: int = 8, height: int = 240, yaw: float = 70.0
) -> UInt8[np.ndarray, "c h w 3"]:
    """Pictures at even times of people in one frame, all from the same side and as near as all of them allow.

    Args:
        people: Motions of the same length.
        body: The body of all.
        columns: Number of pictures.
        height: Of each, pixels; each is as wide.
        yaw: From where they are seen, degrees from the way the first person faces at first to that one's left.
    """
    rows = np.linspace(0, len(people[0]) - 1, columns).round().astype(int)
    skins = [pose_body(body, motion.take(rows))[0].astype(np.float64) for motion in people]
    everybody = np.concatenate(skins, axis=1)
    middles = 0.5 * (everybody.min(axis=1) + everybody.max(axis=1)) * [1.0, 0.0, 1.0]
    reach = float((np.abs(everybody - middles[:, None])[..., [0, 2]]).max())
    tall = float(everybody[..., 1].max())
    front = _front_of(people[0])
    camera_of = _Cameras(height=height, way=front + np.radians(yaw), size=max(1.15 * tall, 2.1 * reach), middle=0.5 * tall)
    return np.stack([_picture([skin[i] for skin in skins], body, camera_of.at(middles[i])) for i in range(columns)])


def _front_of(motion: Motion) -> float:
    """The way a person faces at first, radians about +y."""
    x, _, z = world_rotations(motion.take(slice(1)))[0, 0, :, 2]
    return float(np.arctan2(x, z))


class _Cameras:
    """One view of every moment, moved along with the people."""

    def __init__(self, *, height: int, way: float, size: float, middle: float) -> None:
        self.height, self.middle = height, middle
        self.away = _LENS * size * (np.cos(_PITCH) * heading_vector(way) + np.sin(_PITCH) * np.array([0.0, 1.0, 0.0]))

    def at(self, middle: Float[np.ndarray, "3"]) -> Camera:
        target = middle + [0.0, self.middle, 0.0]
        f, c = _LENS * self.height, 0.5 * self.height
        K = np.array([[f, 0.0, c], [0.0, f, c], [0.0, 0.0, 1.0]])
        return Camera(K=K, T_world_camera=look_at(target + self.away, target), width=self.height, height=self.height)


def _picture(skins: list[Float[np.ndarray, "v 3"]], body: Body, camera: Camera) -> UInt8[np.ndarray, "h w 3"]:
    """Bodies on a floor."""
    at = np.concatenate(skins).mean(axis=0)
    corners = 12.0 * np.array([[-1, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1]], float) + at * [1.0, 0.0, 1.0]
    vertices = np.concatenate([*skins, corners])
    first = np.cumsum([0, *(len(skin) for skin in skins)])
    floor = first[-1] + np.array([[0, 1, 2], [0, 2, 3]])
    colors = [np.tile(COLORS[min(number, 2)], (len(skin), 1)) for number, skin in enumerate(skins)]
    mesh = SceneMesh(
        vertices=vertices,
        faces=np.concatenate([*(body.faces + start for start in first[:-1]), floor]),
        colors=np.concatenate([*colors, np.tile(_GROUND, (4, 1))]).astype(np.uint8),
    )
    picture, depth = CompiledRasterizer().render_mesh(mesh, camera, cull=False)
    return np.where(depth[..., None] > 0, picture, np.uint8(235))
