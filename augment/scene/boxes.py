"""What stands in a room as upright boxes: they hide people where no depth was measured, and nobody walks through them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32

from ..geometry import pixel_grid, pixel_rays, turn_about_y
from ..types import Camera, Obstacle, Scene, Surface

SEAT_THICK = 0.06
"""Assumed thickness of a seat, metres: legs and floor are seen below it."""
_NEAR = 0.05
"""Metres from the camera within which a box hides nothing."""


def volume(surface: Surface) -> Obstacle:
    """The furniture that a seat or bed is the top of: a box from the floor up to it."""
    top = float(surface.center[1])
    across, along = surface.size
    return Obstacle(
        name=surface.kind, center=surface.center * [1.0, 0.5, 1.0], size=np.array([across, top, along]), yaw=surface.yaw
    )


def solid_part(surface: Surface) -> Obstacle:
    """What of a seat or bed hides what is behind it: all of a bed's volume, of a chair its seat.

    A chair's back is left out: not every seat has one, and a wrong one would cut a hole into who sits in front of it.
    """
    whole = volume(surface)
    if surface.kind != "chair":
        return whole
    thick = min(SEAT_THICK, float(whole.size[1]))
    top = float(surface.center[1])
    return Obstacle(
        name=whole.name, center=np.array([surface.center[0], top - thick / 2, surface.center[2]]),
        size=np.array([whole.size[0], thick, whole.size[2]]), yaw=whole.yaw,
    )  # fmt: skip


def hiding_boxes(scene: Scene) -> tuple[Obstacle, ...]:
    """Every obstacle, and what of each seat and bed is solid."""
    return (*scene.obstacles, *(solid_part(surface) for surface in scene.surfaces))


def blocking_boxes(scene: Scene) -> tuple[Obstacle, ...]:
    """Every obstacle, and the whole volume of each seat and bed: nobody walks through a chair's legs either."""
    return (*scene.obstacles, *(volume(surface) for surface in scene.surfaces))


def depth_is_guessed(scene: Scene) -> bool:
    """Whether the room's depth is a guess of floor and walls without furniture, as ``provenance["guessed"]`` says."""
    return any(str(note).startswith("depth:") for note in scene.provenance.get("guessed", ()))


def furnished_depth(scene: Scene, camera: Camera, depth: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """A room's depth with its furniture in it.

    Args:
        scene: The room.
        camera: The fixed camera that the depth was seen by, at its size.
        depth: z-depth, metres, 0 = unknown.
    Returns:
        The nearest of depth and boxes where the depth is a guess; the boxes where it is unknown; elsewhere the depth as it
        is: measured furniture is not a box.
    """
    known = depth > 0
    open_ = np.ones_like(known) if depth_is_guessed(scene) else ~known
    if not open_.any():
        return depth
    boxes = box_depth(hiding_boxes(scene), camera)
    nearest = np.where(known, np.minimum(depth, boxes), boxes)
    return np.where(open_ & np.isfinite(nearest), nearest, depth).astype(np.float32)


def box_depth(boxes: tuple[Obstacle, ...], camera: Camera) -> Float[np.ndarray, "h w"]:
    """z-depth at which each pixel's ray first enters a box from outside, metres; inf where it enters none.

    A box with the camera inside hides nothing.
    """
    rays = pixel_rays(pixel_grid(camera.height, camera.width), camera)
    depth = np.full(rays.shape[:2], np.inf)
    for box in boxes:
        depth = np.minimum(depth, _entry(box, camera.T_world_camera[:3, 3], rays))
    return depth


def hidden_by(boxes: tuple[Obstacle, ...], points: Float[np.ndarray, "*batch 3"], camera: Camera) -> Bool[np.ndarray, "*batch"]:
    """Whether a box lies between a fixed camera and each point (world, metres), and the point outside or deep in it."""
    origin, hidden = camera.T_world_camera[:3, 3], np.zeros(points.shape[:-1], bool)
    for box in boxes:
        # The way to a point has length 1: the box is entered at a share of it.
        share = _entry(box, origin, points - origin)
        reach = np.linalg.norm(points - origin, axis=-1)
        hidden |= (1 - share) * reach > 0.15
    return hidden


def inside_box(
    box: Obstacle, points: Float[np.ndarray, "*batch 3"], grow: Float[np.ndarray, "*#batch"] | float = 0.0
) -> Bool[np.ndarray, "*batch"]:
    """Whether points (world, metres) lie in a box made larger by ``grow`` metres on all sides."""
    reach = np.linalg.norm(box.size[[0, 2]]) / 2 + np.max(grow)
    flat = points[..., [0, 2]].reshape(-1, 2) - box.center[[0, 2]]
    if (flat.min(0) > reach).any() or (flat.max(0) < -reach).any():
        return np.zeros(points.shape[:-1], bool)  # nothing near it: the usual case, and quick
    local = np.abs(turn_about_y(points - box.center, -box.yaw))
    return np.asarray((local <= box.size / 2 + np.asarray(grow)[..., None]).all(-1))


def _entry(box: Obstacle, origin: Float[np.ndarray, "3"], rays: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
    """Multiple of each ray at which it enters the box; inf where it misses it or starts inside."""
    start, along, half = turn_about_y(origin - box.center, -box.yaw), turn_about_y(rays, -box.yaw), box.size / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = (-half - start) / along, (half - start) / along
    # A ray along a face (0 / 0) is in the slab.
    near = np.nan_to_num(np.minimum(first, last), nan=-np.inf, posinf=np.inf, neginf=-np.inf).max(-1)
    far = np.nan_to_num(np.maximum(first, last), nan=np.inf, posinf=np.inf, neginf=-np.inf).min(-1)
    return np.where((near > _NEAR) & (near <= far), near, np.inf)
