"""A fit as a problem on torch: what is known of all people laid end to end, what is solved for, and where it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...body.landmarks import Landmarks, landmarks_of, place_landmarks
from ...body.model import Body
from ...geometry import axis_angle_to_matrix, forward_kinematics
from ...priors.state import Prior
from ...types import Camera, Obstacle, Surface
from ..people import Recovered
from . import terms as terms
from .evidence import Evidence
from .start import betas_of_height, fill_gaps, solve_translation, starting_rotations


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """Weights of the energy and how long it is minimised. Terms are in squared standard deviations: 1 is the natural weight."""

    reprojection: float = 1.0
    """Distance to the detector's points in the picture."""
    points3d: float = 0.5
    """The detector's own 3D points, where it gives any: they settle what a single view leaves open, and are often wrong."""
    start: float = 1.5
    """Staying near the bodies the fit started from; counts only where an estimator gave them."""
    shift: float = 0.015
    """Expected distance between a detector's idea of a point and ours, as a share of the stature, for the whole clip."""
    prior: float = 1.0
    """Pose or motion prior."""
    bend: float = 0.3
    """Elbows and knees bent the wrong way."""
    shape: float = 1.0
    """Unusual body shapes."""
    person_height: float | None = None
    """Stature, metres, that people are expected to have; None = any."""
    height_sigma: float = 0.015
    """How far whoever is seen longest in a video may be from it, metres: as exactly as a stature is known, shoes and all."""
    others_sigma: float = 0.08
    """How far everybody else may be from it: visitors have statures of their own."""
    acceleration: float = 0.3
    """Jerky joints."""
    turning: float = 1.0
    """Jerky rotations, which the joints' places do not show."""
    skate: float = 1.0
    """Feet that slide while they stand."""
    hover: float = 1.0
    """Feet that stand above the floor."""
    penetration: float = 1.0
    """Bodies in the floor."""
    support: float = 0.3
    """The lowest point of a body touches the floor, unless it is far above it."""
    self_contact: float = 1.0
    """Limbs in one another."""
    people: float = 1.0
    """People in one another."""
    scene: float = 1.0
    """People in furniture and walls."""
    iterations: tuple[int, int, int] = (80, 100, 150)
    """Steps of each stage."""
    refine_camera: bool = False
    """Let focal length, pitch and height of the camera move, held by ``camera_sigma``."""
    camera_sigma: tuple[float, float, float] = (0.1, 0.05, 0.05)
    """Expected error of the given focal length (share), pitch (radians) and height (share)."""
    reprojection_scale: tuple[float, float, float] = (8.0, 4.0, 3.0)
    """Where the robust loss of reprojection levels off in each stage, in units of the expected error."""
    frame_scale: float = 20.0
    """Reprojection cost of a frame beyond which it counts ever less."""
    trust_px: float = 0.08
    """A frame half of whose points are more than this share of the person's stature off is not trusted."""


@dataclass(slots=True)
class Problem:
    """Everything the energy looks at, as tensors over the long row of frames of all people."""

    chain: terms.Chain
    evidence: list[Evidence]
    landmarks: list[Landmarks]
    rows: list[slice]
    start: Tensor
    start_weight: Tensor
    K: Tensor
    T_world_camera: Tensor
    joints0: Tensor
    joints_basis: Tensor
    height0: float
    height_basis: Tensor
    boxes: terms.Boxes | None
    partner: Tensor
    prior: Prior | None
    height_sigma: Tensor
    """Expected distance of each person's stature from the one told, metres."""
    contact: Tensor = field(default_factory=lambda: torch.zeros(0, 4))


@dataclass(slots=True)
class Unknowns:
    """What is solved for: turns on top of ``base``, pelvis, shape, log focal, pitch and log height of the camera, and how far a
    detector's idea of each point lies from ours throughout, in the picture, as a share of the stature."""

    base: Tensor
    turn: Tensor
    pelvis: Tensor
    betas: Tensor
    camera: Tensor
    shift: Tensor

    def rotations(self) -> Tensor:
        return self.base @ axis_angle_to_matrix(self.turn)

    def rebase(self) -> None:
        """Take the turns into ``base``: small turns are well conditioned."""
        with torch.no_grad():
            self.base = self.rotations()
            self.turn = torch.zeros_like(self.turn)


def set_up(
    evidence: list[Evidence], camera: Camera, body: Body, prior: Prior | None, config: FitConfig, videos: list[int],
    obstacles: tuple[Obstacle, ...], surfaces: tuple[Surface, ...],
) -> tuple[Problem, Unknowns]:  # fmt: skip
    """The problem of a fit and a rough start for what is solved for.

    Args:
        evidence: What is known of each person; their frames are laid end to end.
        videos: Which video each is from.
    Raises:
        ValueError: If somebody shows too little to start from; the message names file and track.
    """
    betas0 = betas_of_height(body, config.person_height or 1.70)
    landmarks = [_marks(body, item.layout) for item in evidence]
    ends = np.cumsum([0, *(len(item.frames) for item in evidence)])
    rows = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    base = torch.cat([_started(item, camera, marks, body, betas0) for item, marks in zip(evidence, landmarks, strict=True)])
    person = torch.repeat_interleave(torch.arange(len(evidence)), torch.as_tensor(np.diff(ends)))
    fps = torch.tensor([item.fps for item in evidence], dtype=torch.float32)[person]
    mean = body.rest_joints(np.zeros(10))
    basis = np.stack([body.rest_joints(row) - mean for row in np.eye(10)], axis=-1)
    heights = np.array([body.height(row) for row in np.eye(10)]) - body.height(np.zeros(10))
    problem = Problem(
        chain=terms.Chain(person, fps), evidence=evidence, landmarks=landmarks, rows=rows, start=base.clone(),
        start_weight=torch.cat([_start_weight(item) for item in evidence]), K=torch.as_tensor(camera.K, dtype=torch.float32),
        T_world_camera=torch.as_tensor(camera.T_world_camera, dtype=torch.float32),
        joints0=torch.tensor(mean, dtype=torch.float32), joints_basis=torch.as_tensor(basis, dtype=torch.float32),
        height0=body.height(np.zeros(10)), height_basis=torch.as_tensor(heights, dtype=torch.float32),
        boxes=terms.boxes_of(obstacles, surfaces), partner=_partners(evidence, rows, videos),
        height_sigma=_height_sigmas(evidence, videos, config), prior=prior,
    )  # fmt: skip
    problem.contact = torch.zeros(len(base), 4)
    unknowns = Unknowns(
        base=base, turn=torch.zeros(len(base), 24, 3), pelvis=torch.zeros(len(base), 3),
        betas=torch.as_tensor(betas0, dtype=torch.float32).repeat(len(evidence), 1), camera=torch.zeros(3),
        shift=torch.zeros(len(evidence), max(len(marks.names) for marks in landmarks), 2),
    )  # fmt: skip
    unknowns.pelvis = _first_places(problem, unknowns, camera)
    return problem, unknowns


def _started(item: Evidence, camera: Camera, marks: Landmarks, body: Body, betas: np.ndarray) -> Tensor:
    try:
        return starting_rotations(item, camera, marks, body, betas)
    except ValueError as error:
        raise ValueError(f"{item.name}, frames {item.frames[0]} to {item.frames[-1]}: {error}") from error


def take_over(problem: Problem, unknowns: Unknowns, start: Sequence[Recovered], body: Body) -> None:
    """Put an earlier result in place of the rough start."""
    for i, (person, rows) in enumerate(zip(start, problem.rows, strict=True)):
        motion = person.motion
        pose = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
        unknowns.base[rows] = axis_angle_to_matrix(as_tensor(pose))
        unknowns.pelvis[rows] = as_tensor(motion.transl + body.rest_joints(motion.betas)[0])
        unknowns.betas[i] = as_tensor(motion.betas)


def _marks(body: Body, layout: str) -> Landmarks:
    if layout:
        return landmarks_of(body, layout)
    empty = np.zeros((0, 3))
    return Landmarks(names=(), joint=np.zeros(0, int), base=empty, basis=np.zeros((0, 3, 10)), sigma=np.zeros(0))


def _start_weight(item: Evidence) -> Tensor:
    weight = torch.zeros(len(item.frames))
    if item.bodies is not None:
        weight[torch.as_tensor(item.body_rows)] = 1.0
    return weight


def _height_sigmas(evidence: list[Evidence], videos: list[int], config: FitConfig) -> Tensor:
    """The told stature is the one of whoever is seen longest in a video."""
    seen = [int(item.observed.sum()) for item in evidence]
    main = {max((i for i, v in enumerate(videos) if v == video), key=lambda i: seen[i]) for video in set(videos)}
    return torch.tensor([config.height_sigma if i in main else config.others_sigma for i in range(len(evidence))])


def _partners(evidence: list[Evidence], rows: list[slice], videos: list[int]) -> Tensor:
    """Pairs of rows that show two people of one video in the same frame."""
    pairs = []
    for i in range(len(evidence)):
        for j in range(i):
            if videos[i] == videos[j]:
                _, a, b = np.intersect1d(evidence[i].frames, evidence[j].frames, return_indices=True)
                pairs.append(np.stack([a + rows[i].start, b + rows[j].start], axis=1))
    return torch.as_tensor(np.concatenate(pairs) if pairs else np.zeros((0, 2), int))


def _first_places(problem: Problem, unknowns: Unknowns, camera: Camera) -> Tensor:
    """Pelvis in every frame from the points' projection, else from the estimator's own translation; world, metres."""
    posed = posed_bodies(problem, unknowns)
    R = problem.T_world_camera[:3, :3]
    places = []
    for item, marks, rows in zip(problem.evidence, problem.landmarks, problem.rows, strict=True):
        betas = unknowns.betas[0]
        joints = posed["joints"][rows] - posed["joints"][rows][:, :1]
        points, uv, weights = place_landmarks(marks, joints, posed["worlds"][rows], betas), item.uv, item.weight
        if item.own_uv is not None and item.own_weight is not None:
            points = torch.cat([points, joints], dim=1)
            uv, weights = np.concatenate([uv, item.own_uv], 1), np.concatenate([weights, item.own_weight], 1)
        local = solve_translation(points @ R, uv, weights, camera.K).numpy().astype(float)
        weight = weights.sum(axis=1)
        filled = torch.as_tensor(fill_gaps(local, weight), dtype=torch.float32)
        places.append(filled @ R.T + problem.T_world_camera[:3, 3])
    return torch.cat(places)


def posed_bodies(problem: Problem, unknowns: Unknowns) -> dict[str, Tensor]:
    """Joints, their world rotations, and the relative rotations, for the unknowns as they are."""
    rotations = unknowns.rotations()
    rest = problem.joints0 + torch.einsum("jcb,pb->pjc", problem.joints_basis, unknowns.betas)
    joints, worlds = forward_kinematics(rotations, rest[problem.chain.person])
    joints = joints - joints[:, :1] + unknowns.pelvis[:, None]
    return {"rotations": rotations, "joints": joints, "worlds": worlds}


def view(problem: Problem, unknowns: Unknowns) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation and place of the camera in the world, and K, with the refinement in."""
    focal, pitch, height = unknowns.camera
    zero = torch.zeros(())
    turn = axis_angle_to_matrix(torch.stack([-pitch, zero, zero]))
    R = problem.T_world_camera[:3, :3] @ turn
    at = problem.T_world_camera[:3, 3] * torch.stack([torch.ones(()), torch.exp(height), torch.ones(())])
    K = torch.stack([
        torch.stack([problem.K[0, 0] * torch.exp(focal), zero, problem.K[0, 2]]),
        torch.stack([zero, problem.K[1, 1] * torch.exp(focal), problem.K[1, 2]]),
        torch.tensor([0.0, 0.0, 1.0]),
    ])  # fmt: skip
    return R, at, K


def pixels(points: Tensor, R_world_camera: Tensor, at: Tensor, K: Tensor) -> Tensor:
    """Project world points; those behind the camera end up far outside the picture."""
    local = (points - at) @ R_world_camera
    z = local[..., 2].clamp_min(0.1)
    return torch.stack([local[..., 0] / z * K[0, 0] + K[0, 2], local[..., 1] / z * K[1, 1] + K[1, 2]], dim=-1)


def as_tensor(array: np.ndarray) -> Any:
    """The array as a float32 tensor."""
    return torch.as_tensor(array, dtype=torch.float32)
