"""Checks of a performance in a room: each gate looks at posed people and returns a reason to reject, or None."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from ..compiled import compiled
from ..geometry import invert_transform, project_clamped, transform_points, turn_about_y
from ..motion.contacts import FOOT_JOINTS
from ..scene.boxes import volume
from ..scene.solid import Boxes, Solid, any_in_box, behind_box, box_rows, on_ground
from ..types import JOINT, SMPL_PARENTS, Camera, Surface

FLOOR_TOLERANCE = 0.03
"""Metres a body may sink into the floor."""
CUSHION_TOLERANCE = 0.08
"""Metres it may sink into a seat or mattress; the body model does not deform where it is pressed."""
_RIM = 0.08
"""Metres along a seat's or mattress's edge that are not checked: thighs slope down over it."""
FLOAT = 0.05
"""Metres a resting body may float above its support."""
REST_SPEED = 0.25
"""Metres a second; a body is at rest if no joint is faster."""
BODY_RADIUS, LIMB_RADIUS = 0.10, 0.04
"""Distance kept between an obstacle and the joints of trunk and head, and the other joints, metres."""
ROOT_MARGIN = 0.10
"""Metres between the pelvis and the floor's edge."""
IN_VIEW, IN_VIEW_FRAMES = 0.8, 0.8
"""Share of the joints that must lie in the picture, in which share of the frames."""
SMALLEST = 0.10
"""Least extent of the person in the picture, as a share of its height, in the median frame."""
LARGEST = 2.0
"""Greatest extent, likewise: a closer camera crops the body."""
HIDDEN = 0.5
"""Share of the joints that may be hidden behind the room, mean over the frames."""

REASONS = {
    "penetrates": "sinks into the floor or its support",
    "floats": "floats in the air at rest",
    "off_floor": "leaves the floor",
    "in_furniture": "goes through furniture or a wall",
    "out_of_view": "leaves the camera's view",
    "too_small": "is too small in the picture",
    "too_near": "is too close to the camera",
    "hidden": "is hidden behind furniture",
    "no_support": "no seat or bed of its height, and no space to add one",
}
"""Every reason for which a placement is rejected."""


_SHINS = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle", "foot")]
_ANKLES, _TOES = ([JOINT[f"{side}_{part}"] for side in ("left", "right")] for part in ("ankle", "foot"))
_TRUNK = [JOINT[name] for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")]
_ROUND = ROOT_MARGIN * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
_PARENTS = list(SMPL_PARENTS[1:])
_OF_JOINT = np.array([BODY_RADIUS if joint in _TRUNK else LIMB_RADIUS for joint in range(24)])
_RADIUS = np.concatenate([_OF_JOINT, np.minimum(_OF_JOINT[1:], _OF_JOINT[_PARENTS]), [LIMB_RADIUS] * 2])


def carries(
    vertices: Float[np.ndarray, "t v 3"],
    joints: Float[np.ndarray, "t 24 3"],
    fps: float,
    support: Surface | None,
    part_of_vertex: Int[np.ndarray, " v"],
) -> str | None:
    """Check that floor and support carry the body: not penetrated, and touched whenever the body rests.

    Args:
        vertices: In the motion's own frame, the floor at y = 0; few frames are enough.
        joints: Of the same frames.
        fps: Rate of these frames.
        support: Seat or bed in the motion's frame.
        part_of_vertex: The joint that moves each vertex. Shins and feet may hang down beside a seat's edge.
    """
    sits = np.zeros(len(part_of_vertex), np.bool_) if support is None else ~np.isin(part_of_vertex, _SHINS)
    seat = np.zeros(8) if support is None else box_rows([volume(support)])[0]
    lowest, sunk = np.empty(len(vertices)), np.empty(len(vertices))
    _touch(np.ascontiguousarray(vertices, np.float64), sits, seat, 2 * seat[4], lowest, sunk)
    if np.quantile(sunk, 0.9) > 0:
        return "penetrates"
    speed = np.zeros(len(joints))
    if len(joints) > 1:
        step = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(1) * fps
        speed = np.maximum(np.append(step, step[-1]), np.append(step[0], step))
    resting = speed < REST_SPEED
    if resting.any() and np.quantile(lowest[resting], 0.9) > FLOAT:
        return "floats"
    return None


def stands_free(joints: Float[np.ndarray, "t 24 3"], solid: Solid, support: Surface | None) -> str | None:
    """Check that root and feet stay on the floor and no body part is inside furniture or a wall.

    Seats and beds count as boxes from the floor up. What carries the body (``support``) is no obstacle to it, but shins and
    feet may not be inside a bed below its top.
    """
    ground = joints[:, [0, *FOOT_JOINTS]][..., [0, 2]]
    inside = on_ground(ground, solid.floor)
    inside[:, 0] &= on_ground(ground[:, :1] + _ROUND, solid.floor).all(1)
    if support is not None:
        inside |= _over(support, ground, 0.1)
    if not inside.all():
        return "off_floor"
    points, radius = _body_points(joints)
    if any_in_box(_others(solid, support), points, radius).any():
        return "in_furniture"
    if support is not None and support.kind == "bed" and _wades(joints, support):
        return "in_furniture"
    return None


def props_free(points: Float[np.ndarray, "t k 3"], solid: Solid, support: Surface | None) -> str | None:
    """Check that what somebody carries or pushes stays over the floor and out of furniture; ``support`` is exempt."""
    if not on_ground(points[..., [0, 2]], solid.floor).all():
        return "off_floor"
    return "in_furniture" if any_in_box(_others(solid, support), points, 0.02).any() else None


def pierces(vertices: Float[np.ndarray, "t v 3"], solid: Solid, support: Surface | None) -> bool:
    """Whether skin (world) is deeper in furniture or a wall than a body may sink; ``support`` is exempt."""
    boxes = _others(solid, support).copy()
    # Of a thin board there would be nothing left.
    boxes[:, 3:6] -= np.minimum(FLOOR_TOLERANCE, 0.5 * boxes[:, 3:6].min(axis=1, initial=np.inf, keepdims=True))
    return bool(any_in_box(boxes, vertices).any())


def _others(solid: Solid, support: Surface | None) -> Boxes:
    """The boxes in the way of who rests on ``support``."""
    return solid.blocking if support is None else solid.blocking[~_belong(solid.blocking, support)]


def _body_points(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints, middles of the bones and tips of the toes, (t, p, 3), and the distance each keeps from furniture, (p,)."""
    middles = 0.5 * (joints[:, 1:] + joints[:, _PARENTS])
    ankle, toe = joints[:, _ANKLES], joints[:, _TOES]
    tips = toe + 0.5 * (toe - ankle) * [1.0, 0.0, 1.0]
    return np.concatenate([joints, middles, tips], axis=1), _RADIUS


def _wades(joints: np.ndarray, bed: Surface) -> bool:
    """Whether shins or feet are inside a bed, clearly below its top and off its edge."""
    top = float(bed.center[1])
    legs = joints[:, _SHINS]
    below = legs[..., 1] < top - min(0.10, 0.5 * top)
    return bool((below & _over(bed, legs[..., [0, 2]], -_RIM)).any())


def seen(
    joints: Float[np.ndarray, "t 24 3"],
    camera: Camera,
    depth: Float[np.ndarray, "h w"] | None,
    boxes: Boxes | None = None,
) -> str | None:
    """Check that a fixed camera sees the person: in the picture, neither too small nor too large, not occluded by the room.

    Args:
        joints: World, metres.
        depth: The room's as this camera sees it, 0 = unknown; None if none is known.
        boxes: Furniture that is not in the depth.
    """
    local = transform_points(invert_transform(camera.T_world_camera), joints)
    z = local[..., 2]
    uv = project_clamped(local, camera.K, nearest=1e-3, lens=camera.lens)
    inside = (z > 0.2) & (uv > 0).all(-1) & (uv < [camera.width, camera.height]).all(-1)
    if (inside.mean(1) >= IN_VIEW).mean() < IN_VIEW_FRAMES or inside[-1].mean() < 0.5:
        return "out_of_view"
    size = np.median(np.linalg.norm(_extent(uv, inside), axis=-1)) / camera.height
    if size < SMALLEST:
        return "too_small"
    if size > LARGEST:
        return "too_near"
    covered = np.zeros(inside.shape, np.bool_)
    if boxes is not None:
        covered = behind_box(boxes, joints, camera.T_world_camera[:3, 3])
    if depth is not None:
        scale = np.array([depth.shape[1] / camera.width, depth.shape[0] / camera.height])
        column, row = np.moveaxis(np.clip((uv * scale).astype(int), 0, np.array(depth.shape)[::-1] - 1), -1, 0)
        wall = depth[row, column]
        covered |= (wall > 0) & (z > wall + 0.15)
    hidden = (covered & inside).sum(1) / np.maximum(inside.sum(1), 1)
    if hidden.mean() > HIDDEN or hidden[len(hidden) // 2 :].mean() > HIDDEN + 0.1:
        return "hidden"
    return None


def _extent(uv: np.ndarray, inside: np.ndarray) -> np.ndarray:
    low = np.where(inside[..., None], uv, np.inf).min(1)
    high = np.where(inside[..., None], uv, -np.inf).max(1)
    return np.where(np.isfinite(low) & np.isfinite(high), high - low, 0.0)


def _over(surface: Surface, points: Float[np.ndarray, "*batch 2"], margin: float = 0.0) -> Bool[np.ndarray, "*batch"]:
    local = turn_about_y(points - surface.center[[0, 2]], -surface.yaw)
    return np.asarray((np.abs(local) <= np.array(surface.size) / 2 + margin).all(-1))


def _belong(boxes: Boxes, surface: Surface) -> Bool[np.ndarray, " b"]:
    """Which boxes are the furniture that a surface is the top of, or stand at its edge (a bedside table does not)."""
    x, z = surface.center[0] - boxes[:, 0], surface.center[2] - boxes[:, 2]
    aside, along = boxes[:, 6] * x - boxes[:, 7] * z, boxes[:, 7] * x + boxes[:, 6] * z
    return (np.abs(aside) <= boxes[:, 3] + 0.02) & (np.abs(along) <= boxes[:, 5] + 0.02)


@compiled
def _touch(vertices, sits, seat, top, lowest, sunk):
    for frame in range(len(vertices)):
        low, deep = np.inf, -np.inf
        for row in range(vertices.shape[1]):
            below, give = vertices[frame, row, 1], FLOOR_TOLERANCE
            if sits[row] and below > 0.5 * top:
                x, z = vertices[frame, row, 0] - seat[0], vertices[frame, row, 2] - seat[2]
                aside, along = seat[6] * x - seat[7] * z, seat[7] * x + seat[6] * z
                if abs(aside) <= seat[3] - _RIM and abs(along) <= seat[5] - _RIM:
                    below -= top
                    give = CUSHION_TOLERANCE
            low, deep = min(low, below), max(deep, -below - give)
        lowest[frame], sunk[frame] = low, deep
