"""Energy of a fit and its minimisation: three stages of Adam on a pyramid in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...body.balls import ball_centers
from ...body.landmarks import place_landmarks
from ...motion.contacts import FOOT_JOINTS
from ...priors.prior import PoseSequence, Prior
from ...types import JOINT
from . import terms as terms
from .problem import Problem, Unknowns, as_tensor, pixels, posed_bodies, view

# Weights of the energy terms. Each is in squared standard deviations: those that are not listed weigh 1.
POINTS3D_WEIGHT = 0.5
"""The detector's own 3D points: they resolve ambiguities of a single view, but are often wrong."""
START_WEIGHT = 1.5
"""Staying near the bodies the fit started from; counts only where an estimator gave them."""
BEND_WEIGHT = 0.3
"""Elbows and knees bent the wrong way."""
ACCELERATION_WEIGHT = 0.3
"""Joints that change their speed; times ``FitConfig.smoothness``."""
SUPPORT_WEIGHT = 0.3
"""The lowest point of a body touches the floor, unless it is far above it."""
SHIFT_SIGMA = 0.015
"""Expected constant offset of a detected point from its landmark, as a share of the stature."""
REPROJECTION_SCALE = (8.0, 4.0, 3.0)
"""Where the robust loss of reprojection levels off in each stage, in units of the expected error."""
FRAME_SCALE = 20.0
"""Reprojection cost of a frame beyond which it counts ever less."""


def run_stages(
    problem: Problem, unknowns: Unknowns, *, last_only: bool, progress: Callable[[str, int, int], None] | None
) -> dict[str, dict[str, float]]:
    """All stages in order; the value of each energy term at the end of each."""
    iterations = problem.setting.config.iterations
    stages: dict[str, dict[str, float]] = {}
    for number, name in enumerate(("root", "pose", "all")):
        if last_only and number < 2:
            continue
        if number:
            problem.contact = _contacts(problem, unknowns)
        report = None if progress is None else lambda step, name=name, n=number: progress(name, step, iterations[n])
        stages[name] = _minimise(problem, unknowns, number, report)
    return stages


def energy_of(problem: Problem, unknowns: Unknowns, stage: int) -> dict[str, Tensor]:
    """Every term, weighted, summed over frames and divided by their number."""
    posed = posed_bodies(problem, unknowns)
    count = len(posed["joints"])
    # Terms of a whole clip weigh as much as ten frames, as errors of neighbouring frames are correlated; at least a tenth of
    # all frames, as some errors of a detector persist through a clip of any length.
    lasting = max(10 / count, 0.1)
    energy = _observation_terms(problem, unknowns, stage, posed)
    energy["shift"] = (unknowns.shift**2).sum() / SHIFT_SIGMA**2 * lasting
    energy |= _prior_terms(problem, unknowns, stage, posed, lasting)
    energy |= _contact_terms(problem, stage, posed["joints"])
    if problem.setting.camera_sigma is not None:
        # the camera is one for all frames: its prior counts as one observation, not one a frame
        energy["camera"] = ((unknowns.camera / torch.tensor(problem.setting.camera_sigma)) ** 2).sum() / count * 10
    return energy


def _observation_terms(
    problem: Problem, unknowns: Unknowns, stage: int, posed: dict[str, Tensor]
) -> dict[str, Tensor]:  # fmt: skip
    """Terms of the observations: the detector's 2D and 3D points, and an estimator's bodies."""
    R, at, K = view(problem, unknowns)
    joints, count = posed["joints"], len(posed["joints"])
    scale = REPROJECTION_SCALE[stage]
    energy: dict[str, Tensor] = {"reprojection": joints.new_zeros(())}
    for i, (item, marks, rows) in enumerate(zip(problem.evidence, problem.landmarks, problem.rows, strict=True)):
        points = place_landmarks(marks, joints[rows], posed["worlds"][rows], unknowns.betas[i])
        stature = (K[0, 0] * 1.7 / ((joints[rows, 0].detach() - at) @ R)[:, 2].clamp_min(0.3)).detach()
        sigma = stature[:, None] * as_tensor(marks.sigma)
        uv = pixels(points, R, at, K) + unknowns.shift[i, : len(marks.names)] * stature[:, None, None]
        cost = terms.reprojection(uv, as_tensor(item.uv), as_tensor(item.weight), sigma, scale)
        if item.own_uv is not None and item.own_weight is not None:
            uv = pixels(joints[rows], R, at, K)
            sigma = 0.03 * stature[:, None].expand(-1, 24)
            cost = cost + terms.reprojection(uv, as_tensor(item.own_uv), as_tensor(item.own_weight), sigma, scale)
        # frames in which most points are off, as in falls, have less weight as a whole
        cost = FRAME_SCALE * torch.log1p(cost / FRAME_SCALE)
        energy["reprojection"] = energy["reprojection"] + cost.sum() / count
        if item.points3d is not None and item.weight3d is not None:
            cost = terms.relative_points(points @ R, as_tensor(item.points3d), as_tensor(item.weight3d), 0.08)
            energy["points3d"] = energy.get("points3d", 0) + POINTS3D_WEIGHT * cost.sum() / count
    if problem.start_weight.any():
        angles = torch.tensor([0.15, *[0.2] * 23])
        turned = terms.turned_from(posed["rotations"], problem.start, angles)
        energy["start"] = START_WEIGHT * (problem.start_weight * turned).mean()
    return energy


def _prior_terms(
    problem: Problem, unknowns: Unknowns, stage: int, posed: dict[str, Tensor], lasting: float
) -> dict[str, Tensor]:  # fmt: skip
    """Terms of prior knowledge: smooth motion, joint limits, usual poses, shapes and statures."""
    setting = problem.setting
    energy = {
        "acceleration": ACCELERATION_WEIGHT
        * setting.config.smoothness
        * terms.acceleration(posed["joints"], problem.chain, 4.0).mean()
        * 24
        / 4,
        "turning": terms.turning(posed["rotations"], problem.chain, 60.0).mean(),
    }
    if stage == 0:
        return energy
    energy["bend"] = BEND_WEIGHT * terms.bend(posed["rotations"]).mean()
    energy["shape"] = (unknowns.betas**2).sum() / 4 * lasting
    if setting.person_height is not None:
        height = problem.height0 + unknowns.betas @ problem.height_basis
        off = (height - setting.person_height) / problem.height_sigma
        energy["shape"] = energy["shape"] + (off**2).sum() * lasting
    if setting.prior is not None:
        energy["prior"] = setting.config.prior_weight * _prior_energy(problem, setting.prior, posed)
    return energy


def _contact_terms(problem: Problem, stage: int, joints: Tensor) -> dict[str, Tensor]:
    """Terms of contact: standing feet stay on the floor, and bodies do not intersect anything.

    The floor counts from the first stage on: it determines the depth, which the picture leaves open, and must do so before
    the pose adapts to it.
    """
    balls = ball_centers(joints)
    unit, gap, scale = ((0.08, 0.2, 1.5), (0.04, 0.1, 1.5), (0.02, 0.05, 3.0))[stage]
    energy = {
        "penetration": terms.floor_penetration(balls, unit).mean(),
        "support": SUPPORT_WEIGHT * terms.unsupported(balls, gap, scale).mean(),
        "hover": terms.hover(joints, problem.contact, unit).mean(),
        "skate": terms.foot_skate(joints, problem.contact, problem.chain).mean(),
    }
    if stage < 2:
        return energy
    energy["self_contact"] = terms.self_contact(balls).mean()
    if len(problem.partner):
        energy["people"] = terms.between_people(balls, problem.partner).sum() / len(joints)
    if problem.setting.boxes is not None:
        energy["scene"] = terms.inside_boxes(balls, problem.setting.boxes).mean()
    return energy


def _prior_energy(problem: Problem, prior: Prior, posed: dict[str, Tensor]) -> Tensor:
    """Mean over frames of the prior's energy, person by person (a motion prior looks at neighbours)."""
    total = posed["joints"].new_zeros(())
    for item, rows in zip(problem.evidence, problem.rows, strict=True):
        sequence = PoseSequence(rotations=posed["rotations"][rows], joints=posed["joints"][rows], fps=item.fps)
        total = total + prior.energy(sequence).sum()
    return total / len(posed["joints"])


def _minimise(problem: Problem, unknowns: Unknowns, stage: int, report: Callable[[int], None] | None) -> dict[str, float]:
    """Adam with a one-cycle learning rate, on a pyramid in time.

    Rotations and pelvis are sums of a value per frame and of interpolated values every few frames, so that slow components
    converge in tens of steps instead of thousands.
    """
    unknowns.rebase()
    turns = torch.ones(24, 1)
    turns[[JOINT["left_hand"], JOINT["right_hand"]]] = 0.0  # no landmark determines the rotation of a hand
    if stage == 0:
        turns[1:] = 0.0
    pyramid = _pyramid(problem)
    names = ("turn", "pelvis", "betas", "camera", "shift")
    start = [getattr(unknowns, name).clone() for name in names]
    free = [torch.zeros_like(tensor, requires_grad=True) for tensor in start]
    coarse = [torch.zeros(pyramid.shape[1], *start[k].shape[1:], requires_grad=True) for k in (0, 1)]
    refined = stage == 2 and problem.setting.camera_sigma is not None
    rates = (0.03, 0.02, 0.03 if stage else 0.0, 0.004 if refined else 0.0,
             0.002 if stage else 0.0, 0.02, 0.02)  # fmt: skip
    steps = problem.setting.config.iterations[stage]
    groups: list[dict[str, Any]] = [{"params": [f], "lr": r} for f, r in zip([*free, *coarse], rates, strict=True)]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, list(rates), total_steps=steps + 1, pct_start=0.1)

    def assign() -> None:
        for k, (name, first, move) in enumerate(zip(names, start, free, strict=True)):
            whole = first + move
            if k < 2:
                whole = whole + torch.tensordot(pyramid, coarse[k], dims=1)
            setattr(unknowns, name, whole * turns if name == "turn" else whole)

    for step in range(steps):
        optimiser.zero_grad()
        assign()
        torch.stack(list(energy_of(problem, unknowns, stage).values())).sum().backward()
        optimiser.step()
        schedule.step()
        if report is not None:
            report(step + 1)
    with torch.no_grad():
        assign()
        for name in names:
            setattr(unknowns, name, getattr(unknowns, name).detach())
        return {name: float(value) for name, value in energy_of(problem, unknowns, stage).items()}


def _pyramid(problem: Problem) -> Tensor:
    """Interpolation from knots every 4, 16 and 64 frames of each person to all frames. Shape (t, knots)."""
    columns = []
    for rows in problem.rows:
        count = rows.stop - rows.start
        for stride in (4, 16, 64):
            if count < 2 * stride:
                continue
            knots = np.linspace(0, count - 1, count // stride + 1)
            hats = np.stack([np.interp(np.arange(count), knots, unit) for unit in np.eye(len(knots))], axis=1)
            column = np.zeros((problem.rows[-1].stop, len(knots)))
            column[rows] = hats
            columns.append(column)
    whole = np.concatenate(columns, axis=1) if columns else np.zeros((problem.rows[-1].stop, 0))
    return torch.as_tensor(whole, dtype=torch.float32)


def _contacts(problem: Problem, unknowns: Unknowns) -> Tensor:
    """Confidence that each ankle and foot stands on the floor, 0..1, from its current speed and height. Shape (t, 4)."""
    with torch.no_grad():
        joints = posed_bodies(problem, unknowns)["joints"]
    contact = torch.zeros(len(joints), 4)
    for item, rows in zip(problem.evidence, problem.rows, strict=True):
        feet = joints[rows][:, list(FOOT_JOINTS)].numpy().astype(float)
        if len(feet) < 2:
            continue
        speed = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * item.fps
        height = feet[..., 1] - np.array(terms.SOLE)
        sure = 1 / (1 + np.exp((speed - 0.45) / 0.1)) / (1 + np.exp((height - 0.2) / 0.04))
        contact[rows] = torch.as_tensor(sure, dtype=torch.float32)
    return contact
