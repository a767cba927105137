"""Initial bodies of a fit in every frame, from estimated bodies, a detector's 3D points, or its 2D points alone."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...body.landmarks import Landmarks
from ...body.model import Body
from ...geometry import axis_angle_to_matrix, rotation_vector_between, slerp
from ...sources.people.people import LAYOUTS
from ...types import JOINT, Camera
from .evidence import Evidence

_LEAST_POINTS = 6
"""Least number of points in a frame to compare it with exemplars."""
_ARMS_DOWN = 1.2
"""Angle by which arms hang in the initial pose, radians."""


def starting_rotations(
    evidence: Evidence, camera: Camera, landmarks: Landmarks | None, body: Body, betas: Float[np.ndarray, "10"]
) -> Float[Tensor, "t 24 3 3"] | None:
    """World rotation of the root and relative rotations of the joints for every frame, gaps interpolated.

    Returns:
        The rotations; None if no frame shows enough of the person to start from.
    """
    R_world_camera = torch.as_tensor(camera.T_world_camera[:3, :3], dtype=torch.float32)
    if evidence.bodies is not None:
        known, rows = _from_bodies(evidence), evidence.body_rows
    elif evidence.points3d is not None:
        known, rows = _from_points(evidence)
    else:
        assert landmarks is not None
        known, rows = _from_pixels(evidence, landmarks, body, betas)
    if not len(rows):
        return None
    rotations = interpolate_rotations(known, rows, len(evidence.frames))
    rotations[:, 0] = R_world_camera @ rotations[:, 0]
    return rotations


def _from_bodies(evidence: Evidence) -> Tensor:
    bodies = evidence.bodies
    assert bodies is not None
    assert bodies.global_orient is not None
    assert bodies.body_pose is not None
    pose = np.concatenate([bodies.global_orient[:, None], bodies.body_pose], axis=1)
    return axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float32))


def _from_points(evidence: Evidence) -> tuple[Tensor, np.ndarray]:
    """Trunk orientation from shoulders and hips; limbs in the zero pose with hanging arms."""
    assert evidence.points3d is not None
    assert evidence.weight3d is not None
    table = {name: index for index, name in enumerate(LAYOUTS[evidence.layout])}
    corners = [table[name] for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
    rows = np.flatnonzero((evidence.weight3d[:, corners] > 0).all(axis=1))
    left_shoulder, right_shoulder, left_hip, right_hip = np.moveaxis(evidence.points3d[rows][:, corners], 1, 0)
    up = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
    across = left_shoulder - right_shoulder + left_hip - right_hip
    rotations = _with_neutral_limbs(_frame_from(across, up))
    points = torch.as_tensor(evidence.points3d[rows], dtype=torch.float32)
    for side in ("left", "right"):
        _aim_leg(rotations, points, table, side)
        _aim_arm(rotations, points, table, side)
    return rotations, rows


def _aim_leg(rotations: Tensor, points: Float[Tensor, "n k 3"], table: dict[str, int], side: str) -> None:
    """Rotate hip and knee so that thigh and shank point as detected; a bent knee determines the twist. In place."""
    hip, knee, ankle = (points[:, table[f"{side}_{part}"]] for part in ("hip", "knee", "ankle"))
    thigh, shank = _unit(knee - hip), _unit(ankle - knee)
    axis = torch.linalg.cross(thigh, shank)  # a knee bends backwards about the body's left
    bent = axis.norm(dim=-1, keepdim=True).clamp(max=1)
    trunk = rotations[:, 0, :, 0]
    sure = ((bent - 0.2) / 0.2).clamp(0, 1) * ((axis * trunk).sum(-1, keepdim=True) > 0)
    x = _unit((1 - sure) * trunk + sure * _unit(axis))
    y = -thigh
    x = _unit(x - (x * y).sum(-1, keepdim=True) * y)
    upper = torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)
    rotations[:, JOINT[f"{side}_hip"]] = rotations[:, 0].transpose(-1, -2) @ upper
    down = torch.tensor([0.0, -1.0, 0.0])
    rotations[:, JOINT[f"{side}_knee"]] = _swing(down, (upper.transpose(-1, -2) @ shank[..., None])[..., 0])


def _aim_arm(rotations: Tensor, points: Float[Tensor, "n k 3"], table: dict[str, int], side: str) -> None:
    """Rotate shoulder and elbow likewise: in the zero pose arms point sideways and elbows bend forwards."""
    shoulder, elbow, wrist = (points[:, table[f"{side}_{part}"]] for part in ("shoulder", "elbow", "wrist"))
    out = 1.0 if side == "left" else -1.0
    upper, fore = _unit(elbow - shoulder), _unit(wrist - elbow)
    trunk = rotations[:, 0]
    rest = torch.tensor([out, 0.0, 0.0])
    free = trunk @ _swing(rest, (trunk.transpose(-1, -2) @ upper[..., None])[..., 0])
    axis = torch.linalg.cross(fore, upper) * out
    sure = ((axis.norm(dim=-1, keepdim=True).clamp(max=1) - 0.2) / 0.2).clamp(0, 1)
    x = out * upper
    y = (1 - sure) * free[..., 1] + sure * _unit(axis)
    y = _unit(y - (y * x).sum(-1, keepdim=True) * x)
    frame = torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)
    rotations[:, JOINT[f"{side}_shoulder"]] = trunk.transpose(-1, -2) @ frame
    rotations[:, JOINT[f"{side}_elbow"]] = _swing(rest, (frame.transpose(-1, -2) @ fore[..., None])[..., 0])


def _unit(vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    return vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def _swing(start: Float[Tensor, "3"], end: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
    """The smallest turn that takes one direction to another."""
    return axis_angle_to_matrix(rotation_vector_between(start.expand_as(end), end))


def _frame_from(across: np.ndarray, up: np.ndarray) -> Tensor:
    """Rotation whose columns are left (+x), head (+y) and front (+z) of a body, from rough left and head directions."""
    y = up / np.linalg.norm(up, axis=-1, keepdims=True).clip(1e-6)
    x = across - (across * y).sum(-1, keepdims=True) * y
    x = x / np.linalg.norm(x, axis=-1, keepdims=True).clip(1e-6)
    return torch.as_tensor(np.stack([x, y, np.cross(x, y)], axis=-1), dtype=torch.float32)


def _with_neutral_limbs(root: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 24 3 3"]:
    pose = torch.zeros(len(root), 24, 3)
    pose[:, JOINT["left_shoulder"], 2], pose[:, JOINT["right_shoulder"], 2] = -_ARMS_DOWN, _ARMS_DOWN
    for knee in ("left_knee", "right_knee"):
        pose[:, JOINT[knee], 0] = 0.15
    for hip in ("left_hip", "right_hip"):
        pose[:, JOINT[hip], 0] = -0.1
    rotations = axis_angle_to_matrix(pose)
    rotations[:, 0] = root
    return rotations


def _from_pixels(evidence: Evidence, landmarks: Landmarks, body: Body, betas: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """The most likely path through a bank of poses seen from all sides.

    Every frame is compared with every exemplar (a pose drawn from the package's prior, rotated and tilted) after the best
    translation, scale and rotation in the picture; of the closest dozen the path that fits well and rotates little from frame
    to frame (Viterbi) is taken. Undetected limbs do not count.
    """
    from .exemplars import compare, exemplars

    rows = np.flatnonzero((evidence.weight > 0.02).sum(axis=1) >= _LEAST_POINTS)
    if not len(rows):
        return torch.zeros(0, 24, 3, 3), rows
    bank = exemplars(body, landmarks, betas)
    best, cost, turn = compare(bank, evidence.uv[rows], evidence.weight[rows])
    roots = bank.rotations[best, 0]
    cosine, sine = np.cos(turn), np.sin(turn)
    in_picture = np.zeros((*turn.shape, 3, 3))
    in_picture[..., 0, 0], in_picture[..., 0, 1], in_picture[..., 1, 0], in_picture[..., 1, 1] = cosine, -sine, sine, cosine
    in_picture[..., 2, 2] = 1.0
    turned = in_picture @ roots
    chosen = _smoothest(cost, turned, bank.rotations[best][:, :, 1:], np.diff(rows, prepend=rows[0] - 1))
    rotations = bank.rotations[best[np.arange(len(rows)), chosen]].copy()
    rotations[:, 0] = turned[np.arange(len(rows)), chosen]
    return torch.as_tensor(rotations, dtype=torch.float32), rows


def _smoothest(
    cost: Float[np.ndarray, "n h"], roots: Float[np.ndarray, "n h 3 3"], limbs: Float[np.ndarray, "n h 23 3 3"], gap: np.ndarray
) -> np.ndarray:
    """Path through ``h`` candidates a frame: cost of each plus squared rotations between them, less after a gap."""
    total, back = cost[0], []
    for i in range(1, len(cost)):
        turn = ((roots[i][:, None] - roots[i - 1][None]) ** 2).sum((-1, -2)) / 2
        bend = ((limbs[i][:, None] - limbs[i - 1][None]) ** 2).sum((-1, -2)).mean(-1) / 2
        whole = total[None] + (0.5 * turn + bend) / gap[i]
        back.append(whole.argmin(axis=1))
        total = cost[i] + whole.min(axis=1)
    path = [int(total.argmin())]
    for previous in reversed(back):
        path.append(int(previous[path[-1]]))
    return np.array(path[::-1])


def interpolate_rotations(known: Float[Tensor, "n 24 3 3"], rows: np.ndarray, count: int) -> Float[Tensor, "t 24 3 3"]:
    """Rotations at every frame from those at ``rows``: slerp between neighbours, the nearest one beyond the ends."""
    at = np.arange(count)
    after = np.searchsorted(rows, at).clip(0, len(rows) - 1)
    before = np.where(rows[after] > at, np.maximum(after - 1, 0), after)
    span = np.maximum(rows[after] - rows[before], 1)
    share = torch.as_tensor(np.clip((at - rows[before]) / span, 0, 1), dtype=torch.float32)
    return slerp(known[before], known[after], share[:, None])


def solve_translation(
    points: Float[Tensor, "t k 3"], uv: Float[np.ndarray, "t k 2"], weight: Float[np.ndarray, "t k"],
    K: Float[np.ndarray, "3 3"],
) -> Float[Tensor, "t 3"]:  # fmt: skip
    """Translation with which a body's points project onto ``uv``: weighted linear least squares, camera frame, metres.

    Args:
        points: Relative to the pelvis, camera axes.
        uv: Pixels; rows without weight are ignored.
    Returns:
        Translation; NaN in frames with fewer than three weighted points or an answer behind the camera.
    """
    pixel = torch.as_tensor(uv, dtype=torch.float64)
    w = torch.as_tensor(weight, dtype=torch.float64)
    x = (pixel[..., 0] - K[0, 2]) / K[0, 0]
    y = (pixel[..., 1] - K[1, 2]) / K[1, 1]
    p = points.to(torch.float64)
    result = torch.full((len(p), 3), torch.nan, dtype=torch.float64)
    for _ in range(3):
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        rows = torch.cat([torch.stack([one, zero, -x], -1), torch.stack([zero, one, -y], -1)], dim=1)
        right = torch.cat([x * p[..., 2] - p[..., 0], y * p[..., 2] - p[..., 1]], dim=1)
        double = torch.cat([w, w], dim=1)
        normal = torch.einsum("tki,tk,tkj->tij", rows, double, rows) + 1e-9 * torch.eye(3, dtype=torch.float64)
        result = torch.linalg.solve(normal, torch.einsum("tki,tk,tk->ti", rows, double, right)[..., None])[..., 0]
        where = p + result[:, None]
        error = torch.stack([where[..., 0] / where[..., 2] - x, where[..., 1] / where[..., 2] - y], -1).norm(dim=-1)
        spread = (torch.as_tensor(weight) * error).sum(1) / torch.as_tensor(weight).sum(1).clamp_min(1e-9)
        w = torch.as_tensor(weight, dtype=torch.float64) / (1 + (error / (2 * spread[:, None] + 1e-9)) ** 2)
    bad = (torch.as_tensor(weight) > 0).sum(1) < 3
    result[bad | (result[:, 2] < 0.2)] = torch.nan
    return result.to(torch.float32)


def fill_gaps(values: Float[np.ndarray, "t 3"], weight: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t 3"] | None:
    """Linear interpolation over NaN rows after a running median over five frames; constant beyond the ends.

    Returns:
        The values without gaps; None if every row is NaN.
    """
    from scipy.ndimage import median_filter

    rows = np.flatnonzero(np.isfinite(values).all(axis=1) & (weight > 0))
    if not len(rows):
        return None
    smooth = median_filter(values[rows], size=(5, 1), mode="nearest")
    at = np.arange(len(values))
    return np.stack([np.interp(at, rows, smooth[:, axis]) for axis in range(3)], axis=1)


def betas_of_height(body: Body, height: float) -> Float[np.ndarray, "10"]:
    """The most likely shape of a given stature: the shortest ``betas``, along the gradient of stature."""
    mean = body.height(np.zeros(10))
    slope = np.array([body.height(row) - mean for row in np.eye(10)])
    return slope * (height - mean) / max(float(slope @ slope), 1e-9)
