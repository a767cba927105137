"""Input of the fit: each person's detections on consecutive frames, with weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ...geometry import axis_angle_to_matrix, forward_kinematics, project_clamped
from ...sources.people.people import LAYOUTS, People
from ...types import JOINT, SMPL_JOINTS, Camera

LEAST_CONFIDENCE = 0.1
"""Points of lower confidence are ignored."""
_ENOUGH = 3.0
"""Sum of weights from which a frame's keypoints need no points of estimated bodies."""
_OWN_WEIGHT = np.array([0.0 if "hand" in name or "spine" in name or "collar" in name else 1.0 for name in SMPL_JOINTS])
_GROUP = 0.25
"""Weight of points with correlated errors (of the face or a hand)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One tracked person from the first frame they were seen to the last; rows without a detection have weight 0."""

    path: Path
    """File of the detections, for messages."""
    source: str
    """Name of the estimator."""
    track: int
    """Unique within the video."""
    frames: Int[np.ndarray, " t"]
    observed: Bool[np.ndarray, " t"]
    fps: float
    layout: str
    uv: Float[np.ndarray, "t k 2"]
    """Pixels; 0 where the weight is 0."""
    weight: Float[np.ndarray, "t k"]
    points3d: Float[np.ndarray, "t k 3"] | None
    """The detector's own 3D points, camera axes, metres."""
    weight3d: Float[np.ndarray, "t k"] | None
    bodies: People | None
    """An estimator's bodies, where there are any; their frames are among ``observed``."""
    own_uv: Float[np.ndarray, "t 24 2"] | None = None
    """SMPL joints of those bodies, pixels, where they have a translation."""
    own_weight: Float[np.ndarray, "t 24"] | None = None
    swapped: int = 0
    """Frames in which left and right were exchanged."""

    @property
    def name(self) -> str:
        """File and track, for messages."""
        return f"{self.path}: track {self.track}"

    @property
    def body_rows(self) -> Int[np.ndarray, " n"]:
        """Indices of the rows of ``bodies`` in the row of frames."""
        return np.zeros(0, int) if self.bodies is None else np.asarray(self.bodies.frame - self.frames[0], int)


def gather(track: People | Sequence[People], camera: Camera, *, fps: float, rest_joints: Float[np.ndarray, "24 3"]) -> Evidence:
    """A track on consecutive frames.

    Bodies with a translation also give points: their projected joints. These replace missing keypoints, and have little weight
    beside keypoints.

    Args:
        track: Rows of one person, one a frame; or several tables of the same person, such as one with keypoints and one with
            bodies, which need not cover the same frames. The first table with keypoints and the first with bodies are used.
        camera: For the picture's size: points outside it are extrapolated and have little weight.
        fps: Of the video.
        rest_joints: Of the body to be fitted; an estimator's shape does not transfer to another body's shape space.
    Raises:
        ValueError: If two rows of a table share a frame, or there is neither a keypoint nor a body.
    """
    tables = [track] if isinstance(track, People) else list(track)
    for table in tables:
        if len(np.unique(table.frame)) != len(table):
            twice = table.frame[:-1][np.diff(table.frame) == 0][0]
            raise ValueError(f"{table.path}: one track holds two people at frame {twice}; run track_people on it first")
    points = next((table for table in tables if table.keypoints2d is not None), None)
    bodies = next((table for table in tables if table.has_bodies), None)
    if bodies is not None:
        bodies = bodies.take(steady_bodies(bodies, fps))
    if points is None and bodies is None:
        raise ValueError(f"{tables[0].path}: neither keypoints nor bodies to fit to")
    used = [table for table in (points, bodies) if table is not None]
    first, last = min(int(table.frame[0]) for table in used), max(int(table.frame[-1]) for table in used)
    frames = np.arange(first, last + 1)
    observed = np.zeros(len(frames), bool)
    for table in used:
        observed[table.frame - first] = True
    layout = points.layout if points is not None else ""
    names = LAYOUTS.get(layout, ())
    uv, weight = np.zeros((len(frames), len(names), 2)), np.zeros((len(frames), len(names)))
    points3d = weight3d = None
    if points is not None and points.keypoints2d is not None:
        rows = points.frame - first
        weight[rows] = _weights(points.keypoints2d, camera) * group_weights(layout)
        uv[rows] = np.where(weight[rows][..., None] > 0, np.nan_to_num(points.keypoints2d[..., :2]), 0.0)
        if points.keypoints3d is not None:
            known = np.asarray(np.isfinite(points.keypoints3d).all(axis=-1))
            points3d, weight3d = np.zeros((*uv.shape[:2], 3)), np.zeros(uv.shape[:2])
            points3d[rows] = np.where(known[..., None], points.keypoints3d, 0.0)
            weight3d[rows] = known * group_weights(layout) * np.maximum(weight[rows] > 0, 0.3)
    evidence = unswap(Evidence(
        path=tables[0].path, source=tables[0].source, track=int(tables[0].track[0]), frames=frames, observed=observed, fps=fps,
        layout=layout, uv=uv, weight=weight, points3d=points3d, weight3d=weight3d, bodies=bodies,
    ))  # fmt: skip
    if bodies is None or bodies.transl is None or bodies.K is None:
        return evidence
    own_uv, own = np.zeros((len(frames), 24, 2)), np.zeros((len(frames), 24))
    rows = bodies.frame - first
    own_uv[rows] = _own_pixels(bodies, rest_joints)
    alone = evidence.weight[rows].sum(axis=1) < _ENOUGH
    own[rows] = np.where(alone, 0.5, 0.02)[:, None] * _OWN_WEIGHT
    return replace(evidence, own_uv=own_uv, own_weight=own)


def _own_pixels(bodies: People, rest_joints: np.ndarray) -> Float[np.ndarray, "n 24 2"]:
    """Joints of an estimator's bodies projected with its own intrinsics, pixels."""
    assert bodies.global_orient is not None
    assert bodies.body_pose is not None
    assert bodies.transl is not None
    assert bodies.K is not None
    pose = np.concatenate([bodies.global_orient[:, None], bodies.body_pose], axis=1)
    rotations = axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float64))
    joints = forward_kinematics(rotations, torch.tensor(rest_joints))[0].numpy() + bodies.transl[:, None]
    return project_clamped(joints, bodies.K, nearest=0.1)


def steady_bodies(bodies: People, fps: float) -> Bool[np.ndarray, " n"]:
    """Bodies that agree with their neighbours in time; estimators confuse front and back, or left and right, for a few frames.

    A body is compared with all others within a quarter of a second and kept if at least 40 % of them are close.
    """
    assert bodies.global_orient is not None
    assert bodies.body_pose is not None
    limbs = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "shoulder", "elbow")]
    pose = np.concatenate([bodies.global_orient[:, None], bodies.body_pose], axis=1)
    rotations = axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float32)).numpy()
    reach = max(2, round(0.25 * fps))
    agree, compared = np.zeros(len(pose)), np.zeros(len(pose))
    for step in range(1, 2 * reach + 1):
        if step >= len(pose):
            break
        near = (bodies.frame[step:] - bodies.frame[:-step]) <= reach
        apart = np.sqrt(((rotations[step:] - rotations[:-step]) ** 2).sum((-1, -2)) / 2)  # chord of the angle, radians
        close = near & (apart[:, 0] < 0.8) & (apart[:, limbs].mean(axis=1) < 0.6)
        for part in (slice(step, None), slice(None, -step)):
            agree[part] += close
            compared[part] += near
    return (compared == 0) | (agree >= 0.4 * compared)


def group_weights(layout: str) -> Float[np.ndarray, " k"]:
    """Weight of each point of a layout."""
    face = ("eye", "ear", "mouth", "nose")
    hand = ("index", "pinky", "thumb")
    return np.array([
        _GROUP if any(part in name for part in (*face, *hand)) and "foot" not in name
        else 0.6 if any(part in name for part in ("heel", "toe", "foot_index")) else 1.0
        for name in LAYOUTS.get(layout, ())
    ])  # fmt: skip


def _weights(keypoints: Float[np.ndarray, "n k 3"], camera: Camera) -> Float[np.ndarray, "n k"]:
    """Confidence cubed, as errors grow that fast when it falls; 0 below ``LEAST_CONFIDENCE``, a tenth outside the picture."""
    known = np.isfinite(keypoints).all(axis=-1)
    filled = np.nan_to_num(keypoints)
    u, v, confidence = filled[..., 0], filled[..., 1], filled[..., 2].clip(0, 1)
    margin = 0.01 * camera.width
    inside = (u > margin) & (v > margin) & (u < camera.width - margin) & (v < camera.height - margin)
    weight = np.where(known & (confidence >= LEAST_CONFIDENCE), confidence**3, 0.0)
    return weight * np.where(inside, 1.0, 0.1)


def unswap(evidence: Evidence) -> Evidence:
    """Correct frames in which a detector exchanged left and right.

    Upper and lower body each are swapped or not; the cheapest path through the frames (Viterbi) minimises the movement of
    points and the number of swapped frames, so that the detector's most frequent assignment is kept.
    """
    names = LAYOUTS.get(evidence.layout, ())
    partner = partners(evidence.layout)
    rows = np.flatnonzero((evidence.weight > 0).sum(axis=1) >= 4)
    if not len(names) or len(rows) < 3 or (partner == np.arange(len(names))).all():
        return evidence
    low = np.array([any(part in name for part in ("hip", "knee", "ankle", "heel", "toe", "foot")) for name in names])
    swaps = [np.arange(len(names)), np.where(low, partner, np.arange(len(names)))]
    swaps += [np.where(low, np.arange(len(names)), partner), partner]
    uv, weight = evidence.uv[rows], evidence.weight[rows]
    extent = np.array([max(np.ptp(u[w > 0], axis=0).max(), 20.0) for u, w in zip(uv, weight, strict=True)])
    variants = np.stack([uv[:, s] for s in swaps])
    weights = np.stack([weight[:, s] for s in swaps])
    gap = np.diff(rows)
    cost, back = np.array([0.0, 0.5, 0.5, 0.5]), []
    for i in range(1, len(rows)):
        moved = np.linalg.norm(variants[:, None, i] - variants[None, :, i - 1], axis=-1) / extent[i]
        both = np.minimum(weights[:, None, i], weights[None, :, i - 1])
        step = (both * np.minimum(moved, 0.5)).sum(-1) / np.sqrt(gap[i - 1])
        total = cost[None, :] + step + np.array([0.0, 0.02, 0.02, 0.02])[:, None]
        back.append(total.argmin(axis=1))
        cost = total.min(axis=1)
    state = [int(cost.argmin())]
    for previous in reversed(back):
        state.append(int(previous[state[-1]]))
    states = np.array(state[::-1])
    if not states.any():
        return evidence
    new = {name: None if array is None else array.copy() for name, array in (
        ("uv", evidence.uv), ("weight", evidence.weight), ("points3d", evidence.points3d), ("weight3d", evidence.weight3d),
    )}  # fmt: skip
    for row, chosen in zip(rows, states, strict=True):
        for array in new.values():
            if chosen and array is not None:
                array[row] = array[row][swaps[chosen]]
        if chosen == 3 and new["points3d"] is not None:  # a detector that confuses front and back mirrors its depth as well
            new["points3d"][row, :, 2] *= -1
    return replace(evidence, swapped=int((states > 0).sum()), **new)  # type: ignore[arg-type]


def partners(layout: str) -> Int[np.ndarray, " k"]:
    """For each point of a layout the index of its mirror image; a point on the midline is its own."""
    names = LAYOUTS.get(layout, ())
    table = {name: index for index, name in enumerate(names)}

    def mirrored(name: str) -> str:
        if "left" in name:
            return name.replace("left", "right")
        return name.replace("right", "left")

    return np.array([table.get(mirrored(name), index) for index, name in enumerate(names)], int)
