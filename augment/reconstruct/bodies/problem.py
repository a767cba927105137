"""A fit as tensors: the detections of all people, concatenated; the unknowns; and their start."""

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
from ...geometry import axis_angle_to_matrix, forward_kinematics, project_clamped
from ...priors.prior import Prior
from ...types import Camera
from ..people import Recovered, Rejected
from . import terms as terms
from .config import FitConfig
from .evidence import Evidence
from .start import betas_of_height, fill_gaps, solve_translation, starting_rotations

HEIGHT_SIGMA = 0.015
"""Expected difference between the given stature and that of the person seen longest, metres: shoes and posture."""
OTHERS_SIGMA = 0.08
"""The same for everybody else: they have statures of their own."""
_ORDINARY_HEIGHT = 1.70
"""Stature a fit starts with where none is given, metres."""
_NO_START = "no frame shows enough of this person to start a fit from (shoulders and hips, or six points of any kind)"
_NO_PLACE = "the person's place could not be found in any frame: fewer than three points in the picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Inputs of a fit besides the people, shared by everybody in the video."""

    camera: Camera
    """The calibrated camera in the gravity-aligned world."""
    body: Body
    """The body to fit."""
    fps: float
    """Frames a second of the video."""
    prior: Prior | None = None
    """Pose or motion prior; None for none."""
    person_height: float | None = None
    """Expected stature, metres; None = any."""
    camera_sigma: tuple[float, float, float] | None = None
    """Expected error of the camera's focal length (share), pitch (radians) and height (share); None holds the camera fixed."""
    boxes: terms.Boxes | None = None
    """Furniture and walls, which people are not inside of."""
    config: FitConfig = field(default_factory=FitConfig)


@dataclass(slots=True)
class Problem:
    """Everything the energy depends on; the ``t`` frames of all ``p`` people lie one after another."""

    setting: Setting
    chain: terms.Chain
    """Person and frame rate of each row."""
    evidence: list[Evidence]
    """Each person's detections."""
    landmarks: list[Landmarks]
    """Each person's landmarks: places of the detected points on the body."""
    rows: list[slice]
    """Each person's rows."""
    start: Tensor
    """Rotations the fit starts from, root in the world, joints relative to their parents. Shape (t, 24, 3, 3)."""
    start_weight: Tensor
    """1 where ``start`` comes from a body estimator, else 0. Shape (t,)."""
    K: Tensor
    """Intrinsics, pixels. Shape (3, 3)."""
    T_world_camera: Tensor
    """Camera to world, metres. Shape (4, 4)."""
    joints0: Tensor
    """Joints of the mean body in its zero pose, metres. Shape (24, 3)."""
    joints_basis: Tensor
    """Their change with each shape coefficient, metres. Shape (24, 3, 10)."""
    height0: float
    """Stature of the mean body, metres."""
    height_basis: Tensor
    """Its change with each shape coefficient, metres. Shape (10,)."""
    partner: Tensor
    """Pairs of rows that show two people in the same frame. Shape (n, 2)."""
    height_sigma: Tensor
    """Expected difference between each person's stature and the given one, metres. Shape (p,)."""
    contact: Tensor
    """Confidence that each of ``FOOT_JOINTS`` stands on the floor, 0..1. Shape (t, 4)."""


@dataclass(slots=True)
class Unknowns:
    """Unknowns of a fit."""

    base: Tensor
    """Rotations of root (world) and joints (relative), held fixed within a stage. Shape (t, 24, 3, 3)."""
    turn: Tensor
    """Axis-angle on top of ``base``, radians. Shape (t, 24, 3)."""
    pelvis: Tensor
    """World, metres. Shape (t, 3)."""
    betas: Tensor
    """Body shapes. Shape (p, 10)."""
    camera: Tensor
    """Change of the camera's log focal length, pitch (radians) and log height. Shape (3,)."""
    shift: Tensor
    """Constant offset of each detected point from its landmark, in the picture, as a share of the stature. Shape (p, k, 2)."""

    def rotations(self) -> Tensor:
        return self.base @ axis_angle_to_matrix(self.turn)

    def rebase(self) -> None:
        """Move the rotations into ``base``: small ones are well conditioned."""
        with torch.no_grad():
            self.base = self.rotations()
            self.turn = torch.zeros_like(self.turn)


def set_up(evidence: Sequence[Evidence], setting: Setting) -> tuple[tuple[Problem, Unknowns] | None, tuple[Rejected, ...]]:
    """The problem of a fit and a rough start of its unknowns.

    Args:
        evidence: Each person's detections.
        setting: Shared inputs.
    Returns:
        Problem and start of the people who show enough to start from, None if nobody does; and the people who do not.
    """
    betas = betas_of_height(setting.body, setting.person_height or _ORDINARY_HEIGHT)
    able: list[tuple[Evidence, Tensor]] = []
    rejected: list[Rejected] = []
    for item in evidence:
        start = starting_rotations(item, setting.camera, _marks(setting.body, item.layout), setting.body, betas)
        if start is None:
            reason = f"{item.name}, frames {item.frames[0]} to {item.frames[-1]}: {_NO_START}"
            rejected.append(Rejected(track=item.track, reason=reason))
        else:
            able.append((item, start))
    while able:
        problem, unknowns = _lay_out(able, setting, betas)
        places = _initial_places(problem, unknowns)
        known = [place for place in places if place is not None]
        if len(known) == len(able):
            unknowns.pelvis = torch.cat(known)
            return (problem, unknowns), tuple(rejected)
        pairs = list(zip(able, places, strict=True))
        rejected += [Rejected(track=item.track, reason=_NO_PLACE) for (item, _), place in pairs if place is None]
        able = [one for one, place in pairs if place is not None]
    return None, tuple(rejected)


def _lay_out(people: list[tuple[Evidence, Tensor]], setting: Setting, betas: np.ndarray) -> tuple[Problem, Unknowns]:
    """People's frames concatenated, every pelvis still at the origin."""
    body, camera = setting.body, setting.camera
    evidence, base = [item for item, _ in people], torch.cat([start for _, start in people])
    landmarks = [_marks(body, item.layout) for item in evidence]
    ends = np.cumsum([0, *(len(item.frames) for item in evidence)])
    rows = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    person = torch.repeat_interleave(torch.arange(len(evidence)), torch.as_tensor(np.diff(ends)))
    mean = body.rest_joints(np.zeros(10))
    basis = np.stack([body.rest_joints(row) - mean for row in np.eye(10)], axis=-1)
    heights = np.array([body.height(row) for row in np.eye(10)]) - body.height(np.zeros(10))
    problem = Problem(
        setting=setting, chain=terms.Chain(person, torch.full((len(base),), setting.fps)), evidence=evidence,
        landmarks=landmarks, rows=rows, start=base.clone(),
        start_weight=torch.cat([_start_weight(item) for item in evidence]), K=as_tensor(camera.K),
        T_world_camera=as_tensor(camera.T_world_camera), joints0=torch.tensor(mean, dtype=torch.float32),
        joints_basis=as_tensor(basis), height0=body.height(np.zeros(10)), height_basis=as_tensor(heights),
        partner=_partners(evidence, rows), height_sigma=_height_sigmas(evidence), contact=torch.zeros(len(base), 4),
    )  # fmt: skip
    unknowns = Unknowns(
        base=base, turn=torch.zeros(len(base), 24, 3), pelvis=torch.zeros(len(base), 3),
        betas=as_tensor(betas).repeat(len(evidence), 1), camera=torch.zeros(3),
        shift=torch.zeros(len(evidence), max(len(marks.names) for marks in landmarks), 2),
    )  # fmt: skip
    return problem, unknowns


def start_from(problem: Problem, unknowns: Unknowns, start: Sequence[Recovered]) -> None:
    """Replace the rough start by an earlier result."""
    for i, (person, rows) in enumerate(zip(start, problem.rows, strict=True)):
        motion = person.motion
        pose = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
        unknowns.base[rows] = axis_angle_to_matrix(as_tensor(pose))
        unknowns.pelvis[rows] = as_tensor(motion.transl + problem.setting.body.rest_joints(motion.betas)[0])
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


def _height_sigmas(evidence: list[Evidence]) -> Tensor:
    """The given stature is that of the person seen longest."""
    seen = [int(item.observed.sum()) for item in evidence]
    return torch.tensor([HEIGHT_SIGMA if i == seen.index(max(seen)) else OTHERS_SIGMA for i in range(len(evidence))])


def _partners(evidence: list[Evidence], rows: list[slice]) -> Tensor:
    """Pairs of rows that show two people in the same frame."""
    pairs = []
    for i in range(len(evidence)):
        for j in range(i):
            _, a, b = np.intersect1d(evidence[i].frames, evidence[j].frames, return_indices=True)
            pairs.append(np.stack([a + rows[i].start, b + rows[j].start], axis=1))
    return torch.as_tensor(np.concatenate(pairs) if pairs else np.zeros((0, 2), int))


def _initial_places(problem: Problem, unknowns: Unknowns) -> list[Tensor | None]:
    """Each person's pelvis in every frame from the points' projection, world, metres; None where no frame shows it."""
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
        local = solve_translation(points @ R, uv, weights, problem.setting.camera.K).numpy().astype(float)
        filled = fill_gaps(local, weights.sum(axis=1))
        places.append(None if filled is None else as_tensor(filled) @ R.T + problem.T_world_camera[:3, 3])
    return places


def posed_bodies(problem: Problem, unknowns: Unknowns) -> dict[str, Tensor]:
    """Joints, their world rotations, and the relative rotations, for the current unknowns."""
    rotations = unknowns.rotations()
    rest = problem.joints0 + torch.einsum("jcb,pb->pjc", problem.joints_basis, unknowns.betas)
    joints, worlds = forward_kinematics(rotations, rest[problem.chain.person])
    joints = joints - joints[:, :1] + unknowns.pelvis[:, None]
    return {"rotations": rotations, "joints": joints, "worlds": worlds}


def view(problem: Problem, unknowns: Unknowns) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation and position of the camera in the world, and K, refined."""
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
    return project_clamped((points - at) @ R_world_camera, K, nearest=0.1)


def as_tensor(array: np.ndarray) -> Any:
    """The array as a float32 tensor."""
    return torch.as_tensor(array, dtype=torch.float32)
