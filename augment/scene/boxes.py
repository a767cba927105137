"""What stands in a room as upright boxes: they hide people where no depth was measured, and nobody walks through them."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from ..geometry import invert_transform, pixel_grid, pixel_rays, project_clamped, transform_points, turn_about_y
from ..types import Camera, Obstacle, Scene, Surface

SEAT_THICK = 0.06
"""Assumed thickness of a seat, metres: legs and floor are seen below it."""
_NEAR = 0.05
"""Metres from the camera within which a box hides nothing."""


_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_EDGES = np.array([(0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6), (3, 7)])
_STEPS = np.linspace(0, 1, 41)[:, None]


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


def piece_from_corners(corners: Float[np.ndarray, "4 2"], height: float, camera: Camera, kind: str) -> Surface | Obstacle:
    """Furniture from where the corners of its top are in a picture.

    Args:
        corners: Pixels, in turn around the top, also outside the picture; the first two at a bed's head or a seat's back.
        height: Of the top above the floor, metres.
        camera: Calibrated, fixed.
        kind: ``bed`` or ``chair``; any other name makes an obstacle from the floor up to its top.
    Raises:
        ValueError: If a corner is above the horizon, the top not below the camera, or the corners no rectangle.
    """
    eye = camera.T_world_camera[:3, 3]
    if not 0 < height < eye[1]:
        raise ValueError(f"height {height:g} m: expected more than 0 and less than the camera's {eye[1]:.2f} m")
    rays = pixel_rays(corners, camera)
    if (rays[:, 1] >= 0).any():
        raise ValueError(
            f"corner {corners[np.argmax(rays[:, 1])].tolist()} is above the horizon; a top below the camera is not"
        )
    points = eye + rays * ((height - eye[1]) / rays[:, 1])[:, None]
    edges = np.roll(points, -1, axis=0) - points
    sides = np.linalg.norm(edges, axis=1)
    turns = np.sign(np.cross(edges, np.roll(edges, -1, axis=0))[:, 1])
    diagonals = np.linalg.norm(points[:2] - points[2:], axis=1)
    expected = np.hypot(sides[[0, 2]].mean(), sides[[1, 3]].mean())
    skew = (np.abs(diagonals - expected) > 0.2 * expected).any() or (np.abs(sides[:2] - sides[2:]) > 0.25 * sides.max()).any()
    if skew or abs(turns.sum()) < 4:
        raise ValueError(
            f"the corners are no rectangle at {height:g} m: sides of {', '.join(f'{side:.2f}' for side in sides)} m; give them "
            "in turn around the top, and check the height"
        )
    first, last = points[:2].mean(0), points[2:].mean(0)
    along = (first - last if kind == "bed" else last - first) / np.linalg.norm(first - last)
    yaw, size = float(np.arctan2(along[0], along[2])), (float(sides[[0, 2]].mean()), float(sides[[1, 3]].mean()))
    surface = Surface(kind=kind, center=points.mean(0), size=size, yaw=yaw)
    return surface if kind in ("bed", "chair") else volume(surface)


def draw_boxes(scene: Scene) -> UInt8[np.ndarray, "h w 3"]:
    """The plate with the edges of everything that hides: red seats and beds, blue obstacles; to see how well they fit."""
    picture = scene.plate.copy()
    for boxes, color in ((scene.obstacles, (40, 90, 255)), (tuple(map(solid_part, scene.surfaces)), (255, 40, 40))):
        for box in boxes:
            _draw_edges(picture, box, scene.camera, color)
    return picture


def _draw_edges(picture: np.ndarray, box: Obstacle, camera: Camera, color: tuple[int, int, int]) -> None:
    corners = turn_about_y(_CORNERS * box.size, box.yaw) + box.center
    # In short steps, so that an edge that passes the camera is drawn up to there.
    way = corners[_EDGES[:, :1]] * (1 - _STEPS) + corners[_EDGES[:, 1:]] * _STEPS
    local = transform_points(invert_transform(camera.T_world_camera), way.reshape(-1, 3)).reshape(way.shape)
    uv = project_clamped(local, camera.K, nearest=0.05)
    shown = (local[..., 2] > 0.05) & (np.abs(uv) < 4 * camera.width).all(-1)
    for edge, step in np.argwhere(shown[:, :-1] & shown[:, 1:]):
        start, end = np.rint(uv[edge, step : step + 2]).astype(int).tolist()
        cv2.line(picture, start, end, color, 1 + camera.height // 400)


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
