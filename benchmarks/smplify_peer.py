"""The peer: SMPLify through smplx alone, frame by frame, without pose prior and without smoothness.

Energy of Bogo et al. 2016, "Keep it SMPL", eq. 1 without its pose prior: Geman-McClure reprojection (100 pixels), the
exponential penalty on elbows and knees, and the shape prior, in stages of falling weight; first the root alone from the trunk,
from several headings (the paper tries two), then everything. Frames are independent; one L-BFGS solves them together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from augment.body.model import Body
from augment.geometry import invert_transform, matrix_to_axis_angle, project_clamped, yaw_to_matrix
from augment.sources.people.people import LAYOUTS
from augment.types import JOINT, Camera

EXTRA: dict[str, int] = {
    "nose": 24, "right_eye": 25, "left_eye": 26, "right_ear": 27, "left_ear": 28, "left_foot_index": 29, "left_small_toe": 30,
    "left_heel": 31, "right_foot_index": 32, "right_small_toe": 33, "right_heel": 34,
}  # fmt: skip
"""smplx's joints taken from vertices, after SMPL's 24."""
LIMBS = ("shoulder", "elbow", "wrist", "knee", "ankle")
SIGMA_PX = 100.0
"""Scale of the robust reprojection, pixels."""
STAGES: tuple[tuple[float, float], ...] = ((100.0, 12.0), (50.0, 6.0), (10.0, 3.0), (5.0, 1.0))
"""Weight of the shape prior and of the joint-angle term in each stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerResult:
    """Joints of every frame asked for."""

    joints: Float[np.ndarray, "n 24 3"]
    """World, metres."""
    cost: Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class _Problem:
    """Targets of the fit."""

    body: Body
    index: list[tuple[int, int]]
    """Pairs of smplx joints whose middle each target is."""
    target: Tensor
    """(n, p, 2) pixels."""
    weight: Tensor
    """(n, p)."""
    K: Tensor


def smplify(
    keypoints: Float[np.ndarray, "n k 3"], layout: str, camera: Camera, body: Body, *, steps: int = 20, headings: int = 4
) -> PeerResult:
    """Fit each frame by itself.

    Args:
        keypoints: u, v, confidence; frames with NaN points are fitted to the rest.
        layout: Key of ``LAYOUTS``.
        camera: The calibrated camera, as our fit is given it.
        steps: L-BFGS iterations of each stage.
        headings: Headings tried for the standing start.
    Raises:
        ValueError: If a frame shows fewer than four usable points.
    """
    index, target, weight = _targets(keypoints, layout)
    if int((weight > 0).sum(1).min()) < 4:
        raise ValueError("smplify: a frame has fewer than four usable points; leave it out")
    problem = _Problem(body, index, target, weight, torch.as_tensor(camera.K, dtype=torch.float32))
    best: tuple[np.ndarray, dict[str, Tensor]] | None = None
    for number in range(headings):
        unknowns = _standing(target, weight, camera, body, 2 * np.pi * number / headings)
        trunk = replace(problem, weight=_trunk_only(index, weight))
        cost = _minimise(trunk, unknowns, ("orient", "transl"), (0.0, 0.0), steps)
        if best is None:
            best = cost, unknowns
        else:
            better = torch.as_tensor(cost < best[0])
            for name, value in unknowns.items():
                best[1][name][better] = value[better]
            best = np.minimum(cost, best[0]), best[1]
    assert best is not None
    unknowns = best[1]
    cost = best[0]
    for stage in STAGES:
        cost = _minimise(problem, unknowns, tuple(unknowns), stage, steps)
    with torch.no_grad():
        joints = _posed(unknowns, body)[:, :24].numpy().astype(float)
    T = camera.T_world_camera
    return PeerResult(joints=joints @ T[:3, :3].T + T[:3, 3], cost=cost)


def _targets(keypoints: np.ndarray, layout: str) -> tuple[list[tuple[int, int]], Tensor, Tensor]:
    """Pairs of smplx joints whose middle each target is, targets (n, p, 2) and weights (n, p)."""
    names = LAYOUTS[layout]
    pairs, points = [], []
    for number, name in enumerate(names):
        if name in EXTRA:
            pairs.append((EXTRA[name], EXTRA[name]))
        elif name.partition("_")[2] in LIMBS:
            pairs.append((JOINT[name], JOINT[name]))
        else:
            continue
        points.append(keypoints[:, number])
    # Detectors' hips lie wider than SMPL's joints; their middle is the same.
    hips = keypoints[:, [names.index("left_hip"), names.index("right_hip")]]
    middle = hips.mean(axis=1)
    middle[:, 2] = hips[..., 2].min(axis=1)
    pairs.append((JOINT["left_hip"], JOINT["right_hip"]))
    points.append(middle)
    table = np.stack(points, axis=1)
    known = np.isfinite(table[..., 0])
    weight = np.where(known, np.nan_to_num(table[..., 2]), 0.0)
    return pairs, torch.as_tensor(np.nan_to_num(table[..., :2]), dtype=torch.float32), torch.as_tensor(weight).float()


def _trunk_only(index: list[tuple[int, int]], weight: Tensor) -> Tensor:
    trunk = {(JOINT["left_shoulder"],) * 2, (JOINT["right_shoulder"],) * 2, (JOINT["left_hip"], JOINT["right_hip"])}
    return weight * torch.tensor([1.0 if pair in trunk else 0.05 for pair in index])


def _standing(target: Tensor, weight: Tensor, camera: Camera, body: Body, heading: float) -> dict[str, Tensor]:
    """Bodies upright in the world at one heading, at the distance that their height in the picture gives."""
    count = len(target)
    down = torch.as_tensor(invert_transform(camera.T_world_camera)[:3, :3])
    root = down @ yaw_to_matrix(torch.tensor(heading, dtype=torch.float64))
    orient = matrix_to_axis_angle(root).float().expand(count, 3).clone()
    seen = weight > 0.1
    low = torch.where(seen[..., None], target, torch.inf).amin(1)
    high = torch.where(seen[..., None], target, -torch.inf).amax(1)
    extent = (high - low).amax(-1).clamp(min=20.0)
    z = float(camera.K[0, 0]) * 1.5 / extent
    center = (high + low) / 2 - torch.as_tensor(camera.K[:2, 2]).float()
    place = torch.cat([center / float(camera.K[0, 0]) * z[:, None], z[:, None]], dim=1)
    pelvis = torch.as_tensor(np.array(body.rest_joints(np.zeros(10)))[0]).float()
    return {"orient": orient, "transl": place - pelvis, "pose": torch.zeros(count, 69), "betas": torch.zeros(count, 10)}


def _posed(unknowns: dict[str, Tensor], body: Body) -> Tensor:
    if body.kind != "smpl":
        raise ValueError(f"smplify: expected a body with SMPL's 24 joints, found {body.kind}")
    output: Any = body.model(
        betas=unknowns["betas"], global_orient=unknowns["orient"], body_pose=unknowns["pose"], transl=unknowns["transl"]
    )
    return output.joints


def _minimise(
    problem: _Problem, unknowns: dict[str, Tensor], free: tuple[str, ...], stage: tuple[float, float], steps: int
) -> np.ndarray:
    """Move the ``free`` unknowns in place; the cost of each frame."""
    first, second = (torch.tensor([pair[side] for pair in problem.index]) for side in (0, 1))
    variables = [unknowns[name].requires_grad_(True) for name in free]
    optimiser = torch.optim.LBFGS(variables, max_iter=steps, line_search_fn="strong_wolfe")
    last = torch.zeros(len(problem.target))

    def closure() -> Tensor:
        nonlocal last
        optimiser.zero_grad()
        joints = _posed(unknowns, problem.body)
        points = (joints[:, first] + joints[:, second]) / 2
        pixels = project_clamped(points, problem.K, nearest=0.1)
        squared = ((pixels - problem.target) ** 2).sum(-1)
        # Points behind the camera have no gradient in the clamp: this moves them in front of it.
        behind = (0.3 - points[..., 2]).clamp(min=0.0).sum(1) * 1e4
        last = (problem.weight**2 * SIGMA_PX**2 * squared / (SIGMA_PX**2 + squared)).sum(1) + behind
        last = last + stage[0] * (unknowns["betas"] ** 2).sum(1) + stage[1] * _bend(unknowns["pose"])
        total = last.sum()
        total.backward()
        return total

    optimiser.step(closure)
    for variable in variables:
        variable.requires_grad_(False)
    return last.detach().numpy().copy()


def _bend(pose: Tensor) -> Tensor:
    """Exponential of knees and elbows bent the wrong way; signs as in SMPL's zero pose."""
    angles = pose.reshape(-1, 23, 3)
    wrong = torch.stack(
        [
            -angles[:, JOINT["left_knee"] - 1, 0], -angles[:, JOINT["right_knee"] - 1, 0],
            angles[:, JOINT["left_elbow"] - 1, 1], -angles[:, JOINT["right_elbow"] - 1, 1],
        ],
        dim=1,
    )  # fmt: skip
    return torch.exp(wrong.clamp(max=5.0)).sum(1)
