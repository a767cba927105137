"""Checks of a performance in a room: each gate looks at posed people and returns a reason to reject, or None."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from ..compiled import compiled
from ..geometry import invert_transform, project_clamped, quantile, transform_points
from ..motion.contacts import FOOT_JOINTS
from ..scene.boxes import volume
from ..scene.solid import Boxes, Solid, behind_some_box, box_rows, in_some_box, on_floor
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
_NEAREST = 1e-3
"""Least z, metres, at which a point is projected."""

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


_SHINS = np.array([JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle", "foot")])
_ANKLES, _TOES = ([JOINT[f"{side}_{part}"] for side in ("left", "right")] for part in ("ankle", "foot"))
_TRUNK = [JOINT[name] for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")]
_GROUND = np.array([JOINT["pelvis"], *FOOT_JOINTS])
_ROUND = ROOT_MARGIN * np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
_PARENTS = list(SMPL_PARENTS[1:])
_OF_JOINT = np.array([BODY_RADIUS if joint in _TRUNK else LIMB_RADIUS for joint in range(24)])
_RADIUS = np.concatenate([_OF_JOINT, np.minimum(_OF_JOINT[1:], _OF_JOINT[_PARENTS]), [LIMB_RADIUS] * 2])
_NO_SEAT, _NO_BOXES, _NO_DEPTH = np.zeros(8), np.zeros((0, 8)), np.zeros((0, 0), np.float32)
_STANDING = (None, "off_floor", "in_furniture")
_VIEWING = (None, "out_of_view", "too_small", "too_near", "hidden")


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
    if quantile(sunk, 0.9) > 0:
        return "penetrates"
    speed = np.zeros(len(joints))
    if len(joints) > 1:
        step = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(1) * fps
        speed = np.maximum(np.append(step, step[-1]), np.append(step[0], step))
    resting = speed < REST_SPEED
    if resting.any() and quantile(lowest[resting], 0.9) > FLOAT:
        return "floats"
    return None


def body_points(joints: Float[np.ndarray, "t 24 3"]) -> Float[np.ndarray, "t 49 3"]:
    """Joints, middles of the bones and tips of the toes: what ``body_free`` checks. They move with the body."""
    middles = 0.5 * (joints[:, 1:] + joints[:, _PARENTS])
    ankle, toe = joints[:, _ANKLES], joints[:, _TOES]
    tips = toe + 0.5 * (toe - ankle) * [1.0, 0.0, 1.0]
    return np.ascontiguousarray(np.concatenate([joints, middles, tips], axis=1), np.float64)


def body_free(points: Float[np.ndarray, "t 49 3"], solid: Solid, support: Surface | None) -> str | None:
    """Check that root and feet stay on the floor and no body part is inside furniture or a wall.

    Seats and beds count as boxes from the floor up. What carries the body (``support``) is no obstacle to it, but shins and
    feet may not be inside a bed below its top. Points as ``body_points`` gives them.
    """
    seat = _NO_SEAT if support is None else box_rows([volume(support)])[0]
    kind = 0 if support is None else 2 if support.kind == "bed" else 1
    return _STANDING[_stands(points, solid.floor, solid.blocking, _not_in_the_way(solid, support), seat, kind)]


def props_free(points: Float[np.ndarray, "t k 3"], solid: Solid, support: Surface | None) -> str | None:
    """Check that what somebody carries or pushes stays over the floor and out of furniture; ``support`` is exempt."""
    points = np.ascontiguousarray(points, np.float64)
    reach = np.full(points.shape[1], 0.02)
    return _STANDING[_clear(points, solid.floor, solid.blocking, _not_in_the_way(solid, support), reach)]


def furniture_free(grid: Float[np.ndarray, "k 3"], solid: Solid) -> str | None:
    """Check that furniture brought along, as points all over its footprint, is over the floor and clear of everything."""
    reach = np.full(len(grid), BODY_RADIUS)
    return _STANDING[_clear(np.ascontiguousarray(grid[None]), solid.floor, solid.blocking, _not_in_the_way(solid, None), reach)]


def pierces(vertices: Float[np.ndarray, "t v 3"], solid: Solid, support: Surface | None) -> bool:
    """Whether skin (world) is deeper in furniture or a wall than a body may sink; ``support`` is exempt."""
    boxes = solid.blocking.copy()
    # Of a thin board there would be nothing left.
    boxes[:, 3:6] -= np.minimum(FLOOR_TOLERANCE, 0.5 * boxes[:, 3:6].min(axis=1, initial=np.inf, keepdims=True))
    points = np.ascontiguousarray(vertices, np.float64)
    return bool(in_some_box(boxes, _not_in_the_way(solid, support), points, np.zeros(points.shape[1])))


def _not_in_the_way(solid: Solid, support: Surface | None) -> Bool[np.ndarray, " b"]:
    """Which boxes do not hinder who rests on ``support``."""
    if support is None:
        return np.zeros(len(solid.blocking), np.bool_)
    return _belong(solid.blocking, support)


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
    joints = np.ascontiguousarray(joints, np.float64)
    T, K = camera.T_world_camera, camera.K
    uvz = np.empty(joints.shape)
    if camera.lens is None:
        _through_pinhole(joints, T, (K[0, 0], K[1, 1], K[0, 2], K[1, 2]), uvz)
    else:
        local = transform_points(invert_transform(T), joints)
        uvz[..., :2], uvz[..., 2] = project_clamped(local, K, nearest=_NEAREST, lens=camera.lens), local[..., 2]
    wall = _NO_DEPTH if depth is None else np.ascontiguousarray(depth, np.float32)
    hiding = _NO_BOXES if boxes is None else boxes
    return _VIEWING[_looks(uvz, (camera.width, camera.height), wall, joints, hiding, T[:3, 3])]


def _belong(boxes: Boxes, surface: Surface) -> Bool[np.ndarray, " b"]:
    """Which boxes are the furniture that a surface is the top of, or stand at its edge (a bedside table does not)."""
    x, z = surface.center[0] - boxes[:, 0], surface.center[2] - boxes[:, 2]
    aside, along = boxes[:, 6] * x - boxes[:, 7] * z, boxes[:, 7] * x + boxes[:, 6] * z
    return (np.abs(aside) <= boxes[:, 3] + 0.02) & (np.abs(along) <= boxes[:, 5] + 0.02)


@compiled
def _stands(points, floor, boxes, passed, seat, kind):
    for frame in range(len(points)):
        for number in range(len(_GROUND)):
            point = points[frame, _GROUND[number]]
            inside = True
            # The pelvis keeps a distance from the edge.
            for step in range(len(_ROUND) if number == 0 else 1):
                if not on_floor(point[0] + _ROUND[step, 0], point[2] + _ROUND[step, 1], floor):
                    inside = False
                    break
            if not inside and not (kind > 0 and _over(seat, point, 0.1)):
                return 1
    if in_some_box(boxes, passed, points, _RADIUS):
        return 2
    if kind == 2:
        # Shins or feet clearly below the bed's top and off its edge.
        top = 2 * seat[4]
        for frame in range(len(points)):
            for joint in _SHINS:
                point = points[frame, joint]
                if point[1] < top - min(0.10, 0.5 * top) and _over(seat, point, -_RIM):
                    return 2
    return 0


@compiled
def _clear(points, floor, boxes, passed, reach):
    for frame in range(len(points)):
        for row in range(points.shape[1]):
            if not on_floor(points[frame, row, 0], points[frame, row, 2], floor):
                return 1
    return 2 if in_some_box(boxes, passed, points, reach) else 0


@compiled
def _over(seat, point, margin):
    x, z = point[0] - seat[0], point[2] - seat[2]
    aside, along = seat[6] * x - seat[7] * z, seat[7] * x + seat[6] * z
    return abs(aside) <= seat[3] + margin and abs(along) <= seat[5] + margin


@compiled
def _through_pinhole(points, T_world_camera, optics, uvz):
    fx, fy, cx, cy = optics
    R, eye = T_world_camera[:3, :3], T_world_camera[:3, 3]
    for frame in range(len(points)):
        for row in range(points.shape[1]):
            x, y, z = points[frame, row, 0] - eye[0], points[frame, row, 1] - eye[1], points[frame, row, 2] - eye[2]
            deep = R[0, 2] * x + R[1, 2] * y + R[2, 2] * z
            near = max(deep, _NEAREST)
            uvz[frame, row, 0] = (R[0, 0] * x + R[1, 0] * y + R[2, 0] * z) / near * fx + cx
            uvz[frame, row, 1] = (R[0, 1] * x + R[1, 1] * y + R[2, 1] * z) / near * fy + cy
            uvz[frame, row, 2] = deep


@compiled
def _looks(uvz, size, wall, joints, boxes, eye):
    frames, count = uvz.shape[0], uvz.shape[1]
    width, height = size
    inside, shown, extent = np.zeros((frames, count), np.bool_), np.zeros(frames), np.zeros(frames)
    well = 0
    for frame in range(frames):
        left, right, top, bottom = np.inf, -np.inf, np.inf, -np.inf
        for row in range(count):
            u, v = uvz[frame, row, 0], uvz[frame, row, 1]
            if uvz[frame, row, 2] > 0.2 and u > 0 and v > 0 and u < width and v < height:
                inside[frame, row] = True
                shown[frame] += 1
                left, right, top, bottom = min(left, u), max(right, u), min(top, v), max(bottom, v)
        if shown[frame] > 0:
            extent[frame] = np.sqrt((right - left) ** 2 + (bottom - top) ** 2)
        if shown[frame] / count >= IN_VIEW:
            well += 1
    if well / frames < IN_VIEW_FRAMES or shown[-1] / count < 0.5:
        return 1
    usual = np.median(extent) / height
    if usual < SMALLEST:
        return 2
    if usual > LARGEST:
        return 3
    hidden = np.zeros(frames)
    for frame in range(frames):
        for row in range(count):
            if inside[frame, row] and (_walled(uvz[frame, row], size, wall) or behind_some_box(boxes, joints[frame, row], eye)):
                hidden[frame] += 1
        hidden[frame] /= max(shown[frame], 1.0)
    return 4 if hidden.mean() > HIDDEN or hidden[frames // 2 :].mean() > HIDDEN + 0.1 else 0


@compiled
def _walled(uvz, size, wall):
    # Whether the room's depth is in front of a point in the picture.
    rows, columns = wall.shape
    if rows == 0:
        return False
    front = wall[min(int(uvz[1] * (rows / size[1])), rows - 1), min(int(uvz[0] * (columns / size[0])), columns - 1)]
    return front > 0 and uvz[2] > front + np.float32(0.15)


@compiled
def lowest_height(vertices):
    """Height of the lowest of vertices (t, v, 3), metres."""
    low = np.inf
    for frame in range(len(vertices)):
        for row in range(vertices.shape[1]):
            low = min(low, vertices[frame, row, 1])
    return low


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
