"""Pose-sequence optimisation: all people of a clip, all frames at once, one camera, one shape a person.

    E = reprojection + prior + bend + shape + start + smoothness + feet + floor + overlap        (method.md, section 3)

Three stages: the root (where the body is and how it is turned), then the pose, then everything with contacts and overlaps,
and the camera if it may move. Each stage is one batched problem on torch, minimised by Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...body.landmarks import place_landmarks
from ...body.model import Body
from ...geometry import axis_angle_to_matrix, matrix_to_axis_angle
from ...priors.state import Prior
from ...sources.people.people import People
from ...types import Camera, Motion, Obstacle, Surface
from ..people import Recovered
from . import terms as terms
from .evidence import Evidence, gather
from .problem import FitConfig, Problem, Unknowns, as_tensor, posed_bodies, set_up, take_over
from .solve import run_stages


def fit_people(
    tracks: Sequence[People | Sequence[People]],
    camera: Camera,
    body: Body,
    *,
    fps: float | Sequence[float],
    prior: Prior | None = None,
    config: FitConfig | None = None,
    videos: Sequence[int] | None = None,
    obstacles: tuple[Obstacle, ...] = (),
    surfaces: tuple[Surface, ...] = (),
    start: Sequence[Recovered] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[list[Recovered], Camera]:
    """Fit bodies to tracked people seen by one fixed camera.

    Args:
        tracks: One table a person (rows of one track), or several tables of the same person (see ``gather``), all through the
            same camera; of one or several videos.
        camera: The calibrated camera in the gravity-aligned world.
        body: Whose shape space is used.
        fps: Of the video, or of each track's video.
        prior: Pose or motion prior; None for none.
        config: Weights.
        videos: Which video each track is from; people of the same video must not overlap in space. None = all one video.
        obstacles: Furniture and walls people are not inside of.
        surfaces: Seats and beds that may carry them.
        start: What an earlier fit of the same tracks found: only the last stage is run, from there.
        progress: Called with stage name, step and number of steps.
    Returns:
        One ``Recovered`` a track, in order; and the camera, refined if the config lets it.
    Raises:
        ValueError: If a track gives nothing to start from; the message names its file.
    """
    config = config or FitConfig()
    rates = [float(fps)] * len(tracks) if isinstance(fps, (int, float)) else [float(rate) for rate in fps]
    numbers = list(videos) if videos is not None else [0] * len(tracks)
    if not tracks:
        return [], camera
    rest = body.rest_joints(np.zeros(10))
    evidence = [gather(track, camera, fps=rate, rest_joints=rest) for track, rate in zip(tracks, rates, strict=True)]
    problem, unknowns = set_up(evidence, camera, body, prior, config, numbers, obstacles, surfaces)
    if start is not None:
        take_over(problem, unknowns, start, body)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these tensors are small: a second thread waits more than it works, tenfold on a busy machine
    try:
        stages = run_stages(problem, unknowns, config, start is not None, progress)
    finally:
        torch.set_num_threads(threads)
    final = _camera_of(camera, unknowns)
    posed = posed_bodies(problem, unknowns)
    recovered = [
        _recover(i, track, problem, unknowns, posed, body, final, config, stages, numbers[i]) for i, track in enumerate(tracks)
    ]
    return recovered, final


def depth_in_boxes(person: Recovered, obstacles: tuple[Obstacle, ...], surfaces: tuple[Surface, ...]) -> float:
    """How deep somebody sticks in furniture or walls in the worst tenth of the frames, metres."""
    boxes = terms.boxes_of(obstacles, surfaces)
    if boxes is None:
        return 0.0
    depth = terms.box_depth(terms.body_balls(as_tensor(person.joints)), boxes).amax((0, 2))
    return float(torch.quantile(depth, 0.9))


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


def _recover(
    index: int, track: People | Sequence[People], problem: Problem, unknowns: Unknowns, posed: dict[str, Tensor], body: Body,
    camera: Camera, config: FitConfig, stages: dict[str, dict[str, float]], video: int,
) -> Recovered:  # fmt: skip
    item, rows = problem.evidence[index], problem.rows[index]
    first = track if isinstance(track, People) else track[0]
    betas = unknowns.betas[index].numpy().astype(float)
    pose = matrix_to_axis_angle(posed["rotations"][rows].double()).numpy()
    joints = posed["joints"][rows].numpy().astype(float)
    motion = Motion(
        global_orient=pose[:, 0], body_pose=pose[:, 1:], transl=joints[:, 0] - body.rest_joints(betas)[0], betas=betas,
        fps=item.fps, name=f"v{video}_p{index}", source=first.path.name, provenance={"fitted_from": first.source},
    )  # fmt: skip
    points = place_landmarks(
        problem.landmarks[index], posed["joints"][rows], posed["worlds"][rows], unknowns.betas[index]
    ).numpy().astype(float)  # fmt: skip
    local = (points - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, :3]
    z = np.maximum(local[..., 2], 0.05)
    fitted = np.stack([local[..., k] / z * camera.K[k, k] + camera.K[k, 2] for k in (0, 1)], axis=-1)
    error = np.linalg.norm(fitted - item.uv, axis=-1)
    total = item.weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        reprojection = np.where(total > 0.5, (item.weight * error).sum(axis=1) / total, np.nan)
    observed2d = np.concatenate([item.uv, item.weight[..., None]], axis=-1)
    observed2d[item.weight <= 0, :2] = np.nan
    depth = (joints[:, 0] - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]
    stature_px = camera.K[0, 0] * body.height(betas) / np.maximum(depth, 0.1)
    return Recovered(
        video=video, track=int(first.track[0]), person_class="person", frames=item.frames, observed=item.observed,
        motion=motion, joints=joints, layout=item.layout, observed2d=observed2d, fitted2d=fitted, reprojection_px=reprojection,
        contact=problem.contact[rows].numpy().astype(float), height_m=body.height(betas), stages=stages,
        rejected=_rejected(item, _middle_error(error, item.weight) / stature_px, depth, config),
    )  # fmt: skip


def _middle_error(error: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Error that half of the points' weight stays below, pixels, NaN without points: a misplaced hand condemns no frame."""
    order = np.argsort(error, axis=1)
    share = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    if not error.shape[1]:
        return np.full(len(error), np.nan)
    at = (share < 0.5 * share[:, -1:]).sum(axis=1).clip(0, error.shape[1] - 1)
    middle = np.take_along_axis(np.take_along_axis(error, order, axis=1), at[:, None], axis=1)[:, 0]
    return np.where(share[:, -1] > 0.5, middle, np.nan)


def _rejected(item: Evidence, off: np.ndarray, depth: np.ndarray, config: FitConfig) -> tuple[tuple[int, int, str], ...]:
    """Stretches of frames that are not to be believed, with reasons."""
    reasons: list[tuple[np.ndarray, str]] = [
        (
            np.nan_to_num(off, nan=0.0) > config.trust_px,
            f"half of the points more than {config.trust_px:.0%} of the stature off",
        ),
        (np.asarray(depth < 0.4), "behind or at the camera"),
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
