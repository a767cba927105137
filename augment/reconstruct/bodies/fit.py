"""Pose-sequence optimisation: all people of a video, all frames at once, one camera, one shape a person.

    E = reprojection + prior + bend + shape + start + smoothness + feet + floor + overlap

Three stages: the root (where the body is and how it is turned), then the pose, then everything with contacts and overlaps,
and the camera if it may move. Each stage is one batched problem on torch, minimised by Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...body.balls import ball_centers
from ...body.landmarks import place_landmarks
from ...geometry import axis_angle_to_matrix, matrix_to_axis_angle, project_clamped
from ...sources.people.people import People
from ...types import Camera, Motion
from ..people import Recovered, Rejected
from . import terms as terms
from .evidence import Evidence, gather
from .problem import Problem, Setting, Unknowns, as_tensor, posed_bodies, set_up, start_from
from .solve import run_stages

TRUSTED_ERROR = 0.08
"""A frame half of whose points are farther off than this share of the person's stature is not trusted."""
_NEAREST = 0.4
"""Least plausible distance of a pelvis in front of the camera, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Result of a fit."""

    people: tuple[Recovered, ...]
    """Fitted people, in the order of their tracks."""
    rejected: tuple[Rejected, ...]
    """People with too few detections to start from."""
    camera: Camera
    """Refined if ``Setting.camera_sigma`` lets it; else the one that was given."""


def fit_people(
    tracks: Sequence[Sequence[People]],
    setting: Setting,
    *,
    video: int = 0,
    start: Sequence[Recovered] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Fitted:
    """Fit bodies to the tracked people of one video.

    Args:
        tracks: For each person one table (rows of one track), or several (see ``gather``).
        setting: Camera, body, prior and options.
        video: Number of the video, for ``Recovered.video`` and the motions' names.
        start: Result of an earlier fit of the same tracks, from which only the last stage is run.
        progress: Called with stage name, step and number of steps.
    Raises:
        ValueError: If a track holds two people in a frame, or neither keypoints nor bodies; the message names its file.
    """
    ready, rejected = set_up(_evidence(tracks, setting), setting)
    if ready is None:
        return Fitted(people=(), rejected=rejected, camera=setting.camera)
    problem, unknowns = ready
    if start is not None:
        start_from(problem, unknowns, start)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the tensors are small: more threads are slower, tenfold on a busy machine
    try:
        stages = run_stages(problem, unknowns, last_only=start is not None, progress=progress)
    finally:
        torch.set_num_threads(threads)
    solved = _Solved(problem, unknowns, posed_bodies(problem, unknowns), _camera_of(setting.camera, unknowns), stages)
    people = tuple(_recover(solved, index, video) for index in range(len(problem.evidence)))
    return Fitted(people=people, rejected=rejected, camera=solved.camera)


def rejected_people(tracks: Sequence[Sequence[People]], setting: Setting) -> tuple[Rejected, ...]:
    """The people whom ``fit_people`` would reject, without a fit."""
    return set_up(_evidence(tracks, setting), setting)[1]


def _evidence(tracks: Sequence[Sequence[People]], setting: Setting) -> list[Evidence]:
    rest = setting.body.rest_joints(np.zeros(10))
    return [gather(tables, setting.camera, fps=setting.fps, rest_joints=rest) for tables in tracks]


def depth_in_boxes(person: Recovered, boxes: terms.Boxes) -> float:
    """How deep a person is inside furniture or walls in the worst tenth of the frames, metres."""
    depth = terms.box_depth(ball_centers(as_tensor(person.joints)), boxes).amax((0, 2))
    return float(torch.quantile(depth, 0.9))


@dataclass(frozen=True, slots=True)
class _Solved:
    """A problem with its solution."""

    problem: Problem
    unknowns: Unknowns
    posed: dict[str, Tensor]
    camera: Camera
    stages: dict[str, dict[str, float]]


def _camera_of(camera: Camera, unknowns: Unknowns) -> Camera:
    focal, pitch, height = (float(value) for value in unknowns.camera)
    if not (focal or pitch or height):
        return camera
    K, T = camera.K.copy(), camera.T_world_camera.copy()
    K[0, 0] *= np.exp(focal)
    K[1, 1] *= np.exp(focal)
    turn = axis_angle_to_matrix(torch.tensor([-pitch, 0.0, 0.0], dtype=torch.float64)).numpy()
    T[:3, :3] = T[:3, :3] @ turn
    T[1, 3] *= np.exp(height)
    return replace(camera, K=K, T_world_camera=T)


def _recover(solved: _Solved, index: int, video: int) -> Recovered:
    problem, unknowns, posed, camera = solved.problem, solved.unknowns, solved.posed, solved.camera
    item, rows, body = problem.evidence[index], problem.rows[index], problem.setting.body
    betas = unknowns.betas[index].numpy().astype(float)
    pose = matrix_to_axis_angle(posed["rotations"][rows].double()).numpy()
    joints = posed["joints"][rows].numpy().astype(float)
    motion = Motion(
        global_orient=pose[:, 0], body_pose=pose[:, 1:], transl=joints[:, 0] - body.rest_joints(betas)[0], betas=betas,
        fps=item.fps, name=f"v{video}_p{index}", source=item.path.name, provenance={"fitted_from": item.source},
    )  # fmt: skip
    points = place_landmarks(
        problem.landmarks[index], posed["joints"][rows], posed["worlds"][rows], unknowns.betas[index]
    ).numpy().astype(float)  # fmt: skip
    local = (points - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, :3]
    fitted = project_clamped(local, camera.K, nearest=0.05)
    error = np.linalg.norm(fitted - item.uv, axis=-1)
    total = item.weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        reprojection = np.where(total > 0.5, (item.weight * error).sum(axis=1) / total, np.nan)
    observed2d = np.concatenate([item.uv, item.weight[..., None]], axis=-1)
    observed2d[item.weight <= 0, :2] = np.nan
    depth = (joints[:, 0] - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]
    stature_px = camera.K[0, 0] * body.height(betas) / np.maximum(depth, 0.1)
    return Recovered(
        video=video, track=item.track, person_class="person", frames=item.frames, observed=item.observed,
        motion=motion, joints=joints, layout=item.layout, observed2d=observed2d, fitted2d=fitted, reprojection_px=reprojection,
        contact=problem.contact[rows].numpy().astype(float), height_m=body.height(betas), stages=solved.stages,
        rejected=_rejected(item, _middle_error(error, item.weight) / stature_px, depth),
    )  # fmt: skip


def _middle_error(error: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Error that half of the points' weight stays below, pixels; NaN without points. The median ignores a misplaced hand."""
    order = np.argsort(error, axis=1)
    share = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    if not error.shape[1]:
        return np.full(len(error), np.nan)
    at = (share < 0.5 * share[:, -1:]).sum(axis=1).clip(0, error.shape[1] - 1)
    middle = np.take_along_axis(np.take_along_axis(error, order, axis=1), at[:, None], axis=1)[:, 0]
    return np.where(share[:, -1] > 0.5, middle, np.nan)


def _rejected(item: Evidence, off: np.ndarray, depth: np.ndarray) -> tuple[tuple[int, int, str], ...]:
    """Stretches of frames that are not trusted, with reasons."""
    reasons: list[tuple[np.ndarray, str]] = [
        (np.nan_to_num(off, nan=0.0) > TRUSTED_ERROR, f"half of the points more than {TRUSTED_ERROR:.0%} of the stature off"),
        (np.asarray(depth < _NEAREST), "behind or at the camera"),
        (_long_gaps(item.observed, round(item.fps)), "not seen for more than a second"),
    ]
    found = []
    for bad, reason in reasons:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(int), [0]])))
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            found.append((int(item.frames[a]), int(item.frames[b - 1]) + 1, reason))
    return tuple(sorted(found))


def _long_gaps(observed: np.ndarray, longest: int) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[1], observed.astype(int), [1]])))
    gap = np.zeros(len(observed), bool)
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        gap[a:b] = b - a > longest
    return gap
