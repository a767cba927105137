"""A room known from one picture, seen from a camera near its own: the plate is bent over its depth, gaps are painted in.

What the own camera never saw cannot be shown, and a guessed depth moves things wrongly, so such a room bears small moves only;
``benchmarks/reshoot.py`` measures how small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy.ndimage import distance_transform_edt

from ..geometry import invert_transform, pixel_grid, project_clamped, transform_points, unproject
from ..raster.room import render_room
from ..scene.mesh import mesh_from_depth
from ..types import Camera, Scene

_STEEP = 14.0
"""Depth gained a metre across the line of sight (its tangent) from which a slope counts as an edge and is cut."""
_RIM = 5
"""Pixels around a gap that are painted anew with it: they mix what is in front with what is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How far from its own camera a room that is known from one picture can be filmed."""

    metres: float
    degrees: float
    unseen: float
    """Share of the new picture that the own camera may not have seen."""
    depth: str
    """``measured`` or ``guessed``."""

    def __str__(self) -> str:
        return f"{self.metres:g} m and {self.degrees:g} degrees (depth {self.depth})"


MEASURED = Limit(metres=0.4, degrees=12.0, unseen=0.12, depth="measured")
GUESSED = Limit(metres=0.15, degrees=12.0, unseen=0.12, depth="guessed")


def has_whole_geometry(scene: Scene) -> bool:
    """Whether the room is known from all sides: a mesh made from one depth picture lies inside that picture."""
    if scene.mesh is None:
        return False
    camera = scene.camera
    local = transform_points(invert_transform(camera.T_world_camera), scene.mesh.vertices)
    u, v = project_clamped(local, camera.K, nearest=1e-3).T
    slack = 0.02 * camera.width
    seen = (u > -slack) & (u < camera.width + slack) & (v > -slack) & (v < camera.height + slack) & (local[:, 2] > 0)
    return bool(np.mean(~seen) > 0.01)


def limit_of(scene: Scene) -> Limit:
    """How far the scene's own picture bears other cameras; see ``has_whole_geometry`` for rooms without such a limit."""
    guessed = any(str(part).startswith("depth") for part in scene.provenance.get("guessed", ()))
    return GUESSED if guessed or not (scene.depth > 0).any() else MEASURED


def check_reach(scene: Scene, camera: Camera) -> None:
    """Raises ValueError if a camera is farther from the scene's own than its picture bears."""
    limit, own = limit_of(scene), scene.camera.T_world_camera
    moved = float(np.linalg.norm(camera.T_world_camera[:3, 3] - own[:3, 3]))
    cosine = float((camera.T_world_camera[:3, 2] * own[:3, 2]).sum())
    turned = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    if moved > limit.metres + 1e-6 or turned > limit.degrees + 1e-6:
        raise ValueError(
            f"scene {scene.name!r} is known from one picture, which bears cameras up to {limit} from its own; this one is "
            f"{moved:.2f} m and {turned:.1f} degrees away; move it nearer"
        )


def reshoot(scene: Scene, camera: Camera) -> Scene:
    """The scene with another camera, its plate and depth as that camera would see them.

    Args:
        scene: Its depth may have gaps; they are bridged for the picture and stay unknown in the result.
        camera: Still, near the scene's own; any size.
    Returns:
        The scene with ``camera``, plate and depth replaced.
    Raises:
        ValueError: If the camera is too far away, or sees too much that the own camera did not.
    """
    check_reach(scene, camera)
    depth, unseen, known, uv = bent(scene, camera)
    _require_seen(scene, float(unseen.mean()))
    plate = cv2.remap(scene.plate, uv[..., 0] - 0.5, uv[..., 1] - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    plate = _painted(plate, unseen)
    return replace(scene, camera=camera, plate=plate, depth=np.where(known, depth, 0).astype(np.float32))


def check_unseen(scene: Scene, camera: Camera) -> None:
    """Raises ValueError if the room is known from one picture, in which too much of what a camera sees is not."""
    if camera is not scene.camera and not has_whole_geometry(scene):
        _require_seen(scene, unseen_share(scene, camera))


def _require_seen(scene: Scene, unseen: float) -> None:
    most = limit_of(scene).unseen
    if unseen > most:
        raise ValueError(
            f"scene {scene.name!r} is known from one picture, and {unseen:.0%} of what this camera sees is not in it (at most "
            f"{most:.0%}); turn the camera less or narrow its field of view"
        )


def unseen_share(scene: Scene, camera: Camera) -> float:
    """Share of a camera's picture that the scene's own camera did not see."""
    return float(bent(scene, camera)[1].mean())


def bent(
    scene: Scene, camera: Camera
) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"], Float32[np.ndarray, "h w 2"]]:
    """The new camera's depth without gaps; pixels whose colour is unknown; whose depth is known; where the plate shows them."""
    own, solid = scene.camera, _solid(scene.depth)
    stride = 2 if own.height >= 240 else 1
    jump = max(_STEEP * np.sqrt(stride) / own.K[0, 0], 0.03)
    mesh = mesh_from_depth(own, solid, scene.plate, stride=stride, jump=jump)
    _, depth = render_room(mesh, camera, supersample=1, shadows=False)
    gap = depth == 0
    depth = _farther(depth, gap)
    points = unproject(pixel_grid(camera.height, camera.width), depth.astype(float), camera.K).reshape(-1, 3)
    points = transform_points(invert_transform(own.T_world_camera) @ camera.T_world_camera, points)
    uv = project_clamped(points, own.K, nearest=1e-3).reshape(*depth.shape, 2)
    inside = (uv > -1).all(-1) & (uv < [own.width + 1, own.height + 1]).all(-1)
    column, row = np.moveaxis(np.clip(uv, 0, [own.width - 1, own.height - 1]).astype(int), -1, 0)
    return depth, gap | ~inside, inside & (scene.depth[row, column] > 0), uv.astype(np.float32)


def _solid(depth: np.ndarray) -> np.ndarray:
    """Depth whose gaps take the nearest known pixel's; 10 m everywhere if nothing is known."""
    gap = depth <= 0
    if gap.all():
        return np.full(depth.shape, 10.0, np.float32)
    nearest = distance_transform_edt(gap, return_distances=False, return_indices=True)
    assert isinstance(nearest, np.ndarray)
    return depth[tuple(nearest)]


def _farther(depth: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Depth with its gaps filled from the farther of the nearest known pixels left and right: what is uncovered is behind."""
    sides = []
    for flipped in (False, True):
        d, g = (depth[:, ::-1], gap[:, ::-1]) if flipped else (depth, gap)
        last = np.maximum.accumulate(np.where(g, -1, np.arange(d.shape[1])), axis=1)
        value = np.where(last >= 0, np.take_along_axis(d, np.maximum(last, 0), axis=1), 0.0)
        sides.append(value[:, ::-1] if flipped else value)
    filled = np.where(gap, np.maximum(*sides), depth)
    return _solid(filled)


def _painted(plate: UInt8[np.ndarray, "h w 3"], unseen: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The plate with unseen pixels painted in from around them."""
    if not unseen.any():
        return plate
    wide = cv2.dilate(unseen.astype(np.uint8), np.ones((_RIM, _RIM), np.uint8))
    return np.asarray(cv2.inpaint(plate, wide, 3, cv2.INPAINT_TELEA))
