"""2D keypoints of a filmed person, in SMPL's, COCO's and MediaPipe's layouts, with true visibility."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from ..body.landmarks import landmarks_of
from ..body.model import Body
from ..compiled import compiled
from ..geometry import invert_transform, transform_points
from ..motion.resample import resample
from ..types import JOINT, Camera, Performance
from .costume import pose_joints
from .props import furnish_depth
from .view import View

LAYOUTS = {"joints2d": 24, "keypoints_coco": 17, "keypoints_mediapipe": 33}
"""Name of each set of 2D keypoints to the number of its points; ``joints2d`` are SMPL's joints."""
INSIDE = 0.20
"""Metres behind the surface that covers it at which a keypoint still counts as seen: joints lie inside the body."""
BEHIND = 0.06
"""Metres behind another surface at which a keypoint is hidden by it."""
CAPSULES: tuple[tuple[str, str, float], ...] = (
    ("pelvis", "spine2", 0.11), ("spine2", "neck", 0.10), ("neck", "head", 0.06), ("head", "head", 0.095),
    ("left_shoulder", "right_shoulder", 0.07), ("left_hip", "right_hip", 0.10), ("left_hip", "left_shoulder", 0.07),
    ("right_hip", "right_shoulder", 0.07),
    *((f"{side}_{a}", f"{side}_{b}", radius) for side in ("left", "right") for a, b, radius in (
        ("hip", "knee", 0.062), ("knee", "ankle", 0.043), ("ankle", "foot", 0.035), ("shoulder", "elbow", 0.040),
        ("elbow", "wrist", 0.033), ("wrist", "hand", 0.027),
    )),
)  # fmt: skip
"""Capsules that stand for a body where no mesh is drawn: the two joints between which each lies, and its radius in metres.

Thinner than the limbs: so sized, nineteen in twenty keypoints are as visible as with the mesh (two people who cross)."""
_ENDS = np.array([(JOINT[first], JOINT[second]) for first, second, _ in CAPSULES])
_RADII = np.array([radius for _, _, radius in CAPSULES], np.float32)


@lru_cache(maxsize=4)
def _marks(body: Body) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, "k 3"], Float[np.ndarray, "k 3 10"]]:
    """All landmarks: the joint of each, its offset from there in the mean shape, metres, and its change with ``betas``."""
    marks = [landmarks_of(body, layout) for layout in ("coco17", "mediapipe33")]
    joint, base, basis = (np.concatenate([getattr(each, name) for each in marks]) for name in ("joint", "base", "basis"))
    return joint, base, basis


def keypoints_3d(
    body: Body, betas: np.ndarray, joints: Float32[np.ndarray, "t 24 3"], rotations: Float32[np.ndarray, "t 24 3 3"]
) -> Float32[np.ndarray, "t 74 3"]:
    """All keypoints of ``LAYOUTS``, one layout after the other, metres, in the joints' frame.

    Args:
        betas: Body shape.
        joints: Of every frame.
        rotations: Of every joint, in the same frame.
    """
    joint, base, basis = _marks(body)
    points = np.empty((len(joints), 24 + len(joint), 3), np.float32)
    _ride(joints, rotations, joint, base + basis @ betas, points)
    return points


def project_keypoints(points: Float32[np.ndarray, "t k 3"], camera: Camera) -> Float32[np.ndarray, "t k 3"]:
    """u, v in pixels, and z in metres; points behind the camera get pixels far outside the picture."""
    local = transform_points(invert_transform(camera.T_world_camera), points.astype(np.float64))
    uv = (local @ camera.K.T)[..., :2] / np.maximum(local[..., 2:], 1e-3)
    return np.concatenate([uv, local[..., 2:]], axis=-1).astype(np.float32)


@compiled
def visibility(uvz, mask, depth, person, confidence):
    """Write each keypoint's confidence: 1 seen, 0.5 hidden behind the person's own body, 0 outside or behind something else.

    Args:
        uvz: Pixels, and z in metres. Shape (k, 3).
        mask: uint8; who covers each pixel. Shape (h, w).
        depth: z of what covers each pixel, metres, 0 = unknown. Shape (h, w).
        person: The keypoints' own value in ``mask``.
        confidence: Written. Shape (k).
    """
    height, width = mask.shape
    for k in range(uvz.shape[0]):
        u, v, z = uvz[k, 0], uvz[k, 1], uvz[k, 2]
        confidence[k] = 0
        if not (z > 0 and 0 <= u < width and 0 <= v < height):
            continue
        row, column = int(v), int(u)
        front = depth[row, column]
        if mask[row, column] == person:
            confidence[k] = 0.5 if front > 0 and z > front + np.float32(INSIDE) else 1.0
        elif not (front > 0 and z > front + np.float32(BEHIND)):
            confidence[k] = 1.0


def film_keypoints(performance: Performance, view: View, body: Body, *, fps: float) -> dict[str, Any]:
    """The keypoints of a performance without drawing it: what ``film`` gives besides pictures, in milliseconds.

    Args:
        performance: Already in the view's scene, as for ``film.film``.
        view: The room as ``prepare_view`` gives it.
        fps: Frames a second of the clip.
    Returns:
        ``joints``, the sets of ``LAYOUTS``, ``people`` and ``camera`` as ``film.film`` gives them. Confidence follows the same
        rules, with the room's depth map and ``CAPSULES`` for the bodies; props that people carry hide nothing.
    """
    people = tuple(motion if motion.fps == fps else resample(motion, fps) for motion in performance.people)
    count = min(len(motion) for motion in people)
    people = tuple(motion.take(slice(count)) for motion in people)
    # Furniture brought along hides people.
    depth = furnish_depth(view, performance.provenance.get("props", ()))
    skeletons = [pose_joints(body, motion) for motion in people]
    keypoints = project_keypoints(keypoints_3d(body, people[0].betas, *skeletons[0]), view.camera)
    local = [transform_points(invert_transform(view.camera.T_world_camera), joints) for joints, _ in skeletons]
    capsules = np.stack([points[:, _ENDS] for points in local], axis=1).astype(np.float32)
    confidence = np.zeros(keypoints.shape[:2], np.float32)
    K = view.camera.K
    optics = (np.float32(K[0, 0]), np.float32(K[1, 1]), np.float32(K[0, 2]), np.float32(K[1, 2]))
    _visible_among_capsules(keypoints, capsules, _RADII, depth, optics, confidence)
    keypoints[..., 2] = confidence
    return {**by_layout(keypoints), "joints": skeletons[0][0], "people": people, "camera": view.camera}


def by_layout(keypoints: Float32[np.ndarray, "t 74 3"]) -> dict[str, np.ndarray]:
    """The sets of ``LAYOUTS`` out of all keypoints."""
    named, start = {}, 0
    for name, size in LAYOUTS.items():
        named[name], start = keypoints[:, start : start + size], start + size
    return named


@compiled
def _ride(joints, rotations, joint_of, offsets, points):
    for frame in range(len(points)):
        points[frame, :24] = joints[frame]
        for mark in range(len(joint_of)):
            joint, offset = joint_of[mark], offsets[mark]
            turn = rotations[frame, joint]
            for axis in range(3):
                out = turn[axis, 0] * offset[0] + turn[axis, 1] * offset[1] + turn[axis, 2] * offset[2]
                points[frame, 24 + mark, axis] = joints[frame, joint, axis] + out


@compiled
def _visible_among_capsules(uvz, capsules, radii, room_depth, optics, confidence):
    """Like ``visibility`` for all frames, of the first person; capsules (t, people, c, 2, 3) in camera axes, metres.

    A capsule whose nearest point is not near enough to hide a keypoint is passed over.
    """
    height, width = room_depth.shape
    fx, fy, cx, cy = optics
    people, parts = capsules.shape[1], capsules.shape[2]
    nearest = np.empty((people, parts), np.float32)
    for frame in range(len(uvz)):
        for who in range(people):
            for part in range(parts):
                ends = capsules[frame, who, part]
                nearest[who, part] = min(ends[0, 2], ends[1, 2]) - radii[part] - np.float32(1e-4)
        for k in range(uvz.shape[1]):
            u, v, z = uvz[frame, k, 0], uvz[frame, k, 1], uvz[frame, k, 2]
            confidence[frame, k] = 0
            if not (z > 0 and 0 <= u < width and 0 <= v < height):
                continue
            wall = room_depth[int(v), int(u)]
            if wall > 0 and z > wall + np.float32(BEHIND):
                continue
            confidence[frame, k] = 1
            ray = (np.float32((u - cx) / fx), np.float32((v - cy) / fy), np.float32(1))
            for who in range(people):
                gap = np.float32(BEHIND) if who > 0 else np.float32(INSIDE)
                for part in range(parts):
                    if nearest[who, part] + gap >= z:
                        continue
                    ends = capsules[frame, who, part]
                    if _front_of_capsule(ray, ends[0], ends[1], radii[part]) + gap < z:
                        confidence[frame, k] = 0 if who > 0 else min(confidence[frame, k], np.float32(0.5))


@compiled
def _front_of_capsule(ray, start, end, radius):
    """z at which a ray from the camera, direction (x, y, 1), meets a capsule; inf if it misses."""
    inf = np.float32(np.inf)
    dx, dy, dz = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    rr = ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2]
    dd = dx * dx + dy * dy + dz * dz
    rd = ray[0] * dx + ray[1] * dy + ray[2] * dz
    rs = ray[0] * start[0] + ray[1] * start[1] + ray[2] * start[2]
    ds = dx * start[0] + dy * start[1] + dz * start[2]
    # The point of the axis that is nearest to the ray.
    low = rr * dd - rd * rd
    share = (rd * rs - rr * ds) / low if low > np.float32(1e-9) else np.float32(0)
    share = min(max(share, np.float32(0)), np.float32(1))
    x, y, z = start[0] + share * dx, start[1] + share * dy, start[2] + share * dz
    along = (ray[0] * x + ray[1] * y + ray[2] * z) / rr
    off = (x - along * ray[0]) ** 2 + (y - along * ray[1]) ** 2 + (z - along * ray[2]) ** 2
    if off >= radius * radius or along <= 0:
        return inf
    return along - np.sqrt((radius * radius - off) / rr)
