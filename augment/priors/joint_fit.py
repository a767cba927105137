"""Fit bodies to noisy or partly observed 3D joints with a prior, and error and diversity measures, to compare priors.

The fit is the same for all priors: Adam over every joint's world rotation (6D) and the pelvis position; world rotations
converge faster than local ones, because a bone does not rotate its descendants. The terms, per frame, are negative log
densities: joints Gaussian about the observations, their accelerations Gaussian about zero, and the prior's energy times its
weight. It starts from a body with hanging arms, aligned to the observed trunk, and first fits the observed joints alone,
smoothed over time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..geometry import forward_kinematics, matrix_to_rotation6d, rotation6d_to_matrix
from ..types import JOINT, SMPL_PARENTS
from .prior import PoseSequence, Prior

OCCLUSIONS: dict[str, tuple[str, ...]] = {
    "leg": ("left_knee", "left_ankle", "left_foot"),
    "arm and hand": ("left_elbow", "left_wrist", "left_hand"),
    "shoulder and upper arm": ("right_shoulder", "right_elbow"),
}
"""Occluded joints of each test case of the literature."""

_TRUNK = [
    JOINT[name] for name in ("left_hip", "right_hip", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
]
"""Joints that the root's rotation is estimated from; none of them is ever occluded."""

_PARENTS = list(SMPL_PARENTS[1:])


def _bones_to(joint: int) -> list[int]:
    return [] if joint == 0 else [*_bones_to(SMPL_PARENTS[joint]), joint - 1]


_ABOVE = torch.zeros(23, 23)
"""1 if bone ``j + 1`` lies between the pelvis and joint ``i + 1``."""
for _joint in range(1, 24):
    _ABOVE[_joint - 1, _bones_to(_joint)] = 1.0

_HANGING = {"left_shoulder": -1.2, "right_shoulder": 1.2}
"""Rotations about the body's z axis, radians, that lower the arms of the T-pose."""

FIRST_ITERATIONS = 80
"""Iterations of the first stage, on the smoothed observed joints alone."""
SMOOTHING_FRAMES = 2.0
"""Standard deviation of that smoothing, frames at 30 a second."""
RATE = 0.1
"""Adam's step size at the start of either stage, in 6D units and metres; decays to zero along a cosine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Observed joints of a batch of clips."""

    joints: Float[Tensor, "b t 24 3"]
    """Observed positions, world, metres."""
    seen: Bool[Tensor, "b 24"]
    """Which joints are observed, for a whole clip."""
    std: Float[Tensor, " b"]
    """Standard deviation of the noise along each axis, metres."""
    rest_joints: Float[Tensor, "b 24 3"]
    """Each body in the zero pose, metres."""
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFitConfig:
    """Options of the fit."""

    iterations: int = 250
    """Iterations of the second stage, on all terms."""
    acceleration: float = 20.0
    """Standard deviation of a joint's acceleration along each axis, m/s^2."""
    weight: float = 0.0
    """Weight of the prior's energy."""


def observe(
    truth: PoseSequence,
    rest_joints: Float[Tensor, "b 24 3"],
    *,
    std: float,
    missing: tuple[str, ...] = (),
    generator: torch.Generator,
) -> Observation:
    """Observations of a batch of true clips: noise on all joints, some joints occluded.

    Args:
        truth: Shape (b, t, ...).
        rest_joints: Each body in the zero pose, metres.
        std: Standard deviation of the noise along each axis, metres.
        missing: Names of the occluded joints.
        generator: Source of the noise.
    """
    batch = truth.joints.shape[0]
    seen = torch.ones(batch, 24, dtype=torch.bool)
    seen[:, [JOINT[name] for name in missing]] = False
    noise = std * torch.randn(truth.joints.shape, generator=generator)
    return Observation(
        joints=truth.joints + noise, seen=seen, std=torch.full((batch,), std), rest_joints=rest_joints, fps=truth.fps
    )


def concatenated(observations: list[Observation]) -> Observation:
    """Observations with the same number of frames and rate as one batch."""
    first = observations[0]
    return Observation(
        joints=torch.cat([each.joints for each in observations]),
        seen=torch.cat([each.seen for each in observations]),
        std=torch.cat([each.std for each in observations]),
        rest_joints=torch.cat([each.rest_joints for each in observations]),
        fps=first.fps,
    )


def fit_sequence(observation: Observation, prior: Prior | None, config: JointFitConfig) -> PoseSequence:
    """The most likely motion given the observations; without a prior, occluded joints follow from smoothness and the start."""
    width = SMOOTHING_FRAMES * observation.fps / 30
    smoothed = replace(observation, joints=_smoothed(observation.joints.flatten(-2), width).unflatten(-1, (24, 3)))

    def observed_joints(sequence: PoseSequence) -> Tensor:
        return _misfit(sequence, smoothed)

    def all_terms(sequence: PoseSequence) -> Tensor:
        energy = _misfit(sequence, observation) + _roughness(sequence, config.acceleration)
        return energy if prior is None or config.weight == 0 else energy + config.weight * prior.energy(sequence)

    start = _minimise(observed_joints, _start(smoothed), observation, FIRST_ITERATIONS)
    rotations6d, pelvis = _minimise(all_terms, start, observation, config.iterations)
    with torch.no_grad():
        return _posed(rotations6d, pelvis, observation)


def joint_errors(found: PoseSequence, truth: PoseSequence) -> Float[Tensor, "b 24"]:
    """Mean distance of each joint over a clip, metres, world frame, without alignment."""
    return (found.joints - truth.joints).norm(dim=-1).mean(dim=-2)


def vertex_errors(
    found: PoseSequence,
    truth: PoseSequence,
    rest_joints: Float[Tensor, "24 3"],
    rest_vertices: Float[Tensor, "v 3"],
    weights: Float[Tensor, "v 24"],
) -> Float[Tensor, " b"]:
    """Mean vertex distance over a clip, metres, world frame; linear blend skinning of one body's rest vertices."""
    skins = [_skinned(each, rest_joints, rest_vertices, weights) for each in (found, truth)]
    return (skins[0] - skins[1]).norm(dim=-1).mean(dim=(-1, -2))


def average_pairwise_distance(joints: Float[Tensor, "n 24 3"]) -> float:
    """Diversity of root-aligned poses: mean joint distance over all pairs, metres."""
    count = len(joints)
    total = sum(float((joints - each).norm(dim=-1).mean(-1).sum()) for each in joints)
    return total / (count * (count - 1))


def nearest_pose_distance(joints: Float[Tensor, "n 24 3"], real: Float[Tensor, "m 24 3"]) -> Float[Tensor, " n"]:
    """Mean joint distance of each root-aligned pose to the nearest real one, metres."""
    return torch.stack([(real - each).norm(dim=-1).mean(-1).min() for each in joints])


def root_aligned(rotations: Float[Tensor, "n 24 3 3"], rest_joints: Float[Tensor, "24 3"]) -> Float[Tensor, "n 24 3"]:
    """Joints of poses with the identity as root rotation and the pelvis at the origin, metres."""
    upright = rotations.clone()
    upright[:, 0] = torch.eye(3, dtype=rotations.dtype)
    return forward_kinematics(upright, rest_joints - rest_joints[:1])[0]


def _minimise(
    energy: Callable[[PoseSequence], Tensor],
    start: tuple[Tensor, Tensor],
    observation: Observation,
    iterations: int,
) -> tuple[Tensor, Tensor]:
    """World rotations, 6D (b, t, 24, 6), and pelvis (b, t, 3) after Adam."""
    rotations6d, pelvis = (each.detach().clone().requires_grad_(True) for each in start)
    # A short memory of squared gradients: the data's large gradients at the start would slow down what only the prior moves.
    optimiser = torch.optim.Adam([rotations6d, pelvis], lr=RATE, betas=(0.9, 0.9))
    for step in range(iterations):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / iterations))
        optimiser.zero_grad(set_to_none=True)
        energy(_posed(rotations6d, pelvis, observation)).sum().backward()  # clips share no parameters, so they stay independent
        optimiser.step()
    return rotations6d.detach(), pelvis.detach()


def _smoothed(values: Tensor, width: float) -> Tensor:
    """Gaussian smoothing along t of (b, t, d), standard deviation ``width`` frames, normalised at the ends."""
    frames = torch.arange(values.shape[1], dtype=values.dtype)
    kernel = torch.exp(-0.5 * ((frames[:, None] - frames) / max(width, 1e-3)) ** 2)
    return (kernel / kernel.sum(1, keepdim=True)) @ values


def _start(observation: Observation) -> tuple[Tensor, Tensor]:
    """World rotations, 6D (b, t, 24, 6), of a standing body aligned to the observed trunk, and the pelvis (b, t, 3)."""
    rest = observation.rest_joints[:, None]
    body, seen = rest[:, :, _TRUNK], observation.joints[:, :, _TRUNK]
    turned = roma.special_procrustes((seen - seen.mean(2, keepdim=True)).mT @ (body - body.mean(2, keepdim=True)))
    assert isinstance(turned, Tensor)
    standing = torch.eye(3).repeat(24, 1, 1)
    for name, angle in _HANGING.items():
        standing[JOINT[name]] = roma.rotvec_to_rotmat(torch.tensor([0.0, 0.0, angle]))
    _, worlds = forward_kinematics(standing, torch.zeros(24, 3))
    offset = (turned[:, :, None] @ (body - rest[:, :, :1])[..., None])[..., 0]
    return matrix_to_rotation6d(turned[:, :, None] @ worlds), (seen - offset).mean(2)


def _posed(rotations6d: Tensor, pelvis: Tensor, observation: Observation) -> PoseSequence:
    worlds = rotation6d_to_matrix(rotations6d)
    above = worlds[:, :, _PARENTS]
    rotations = torch.cat([worlds[:, :, :1], above.mT @ worlds[:, :, 1:]], dim=2)
    rest = observation.rest_joints[:, None]
    bones = (above @ (rest[:, :, 1:] - rest[:, :, _PARENTS])[..., None])[..., 0]
    joints = torch.cat([pelvis[:, :, None], pelvis[:, :, None] + _ABOVE @ bones], dim=2)
    return PoseSequence(rotations=rotations, joints=joints, fps=observation.fps)


def _misfit(sequence: PoseSequence, observation: Observation) -> Tensor:
    """Negative log density of the observed joints per frame, (b, t)."""
    squared = (sequence.joints - observation.joints).square().sum(-1) * observation.seen[:, None]
    return squared.sum(-1) / (2 * observation.std[:, None] ** 2)


def _roughness(sequence: PoseSequence, acceleration: float) -> Tensor:
    """Negative log density of the accelerations per frame, (b, t); zero at both ends."""
    joints = sequence.joints
    second = (joints[:, 2:] - 2 * joints[:, 1:-1] + joints[:, :-2]) * sequence.fps**2
    inner = second.square().sum((-1, -2)) / (2 * acceleration**2)
    return torch.nn.functional.pad(inner, (1, 1))


def _skinned(sequence: PoseSequence, rest_joints: Tensor, rest_vertices: Tensor, weights: Tensor) -> Tensor:
    """Vertices (b, t, v, 3), metres, world."""
    worlds = forward_kinematics(sequence.rotations, rest_joints)[1]
    shifts = sequence.joints - (worlds @ rest_joints[..., None])[..., 0]
    turned = torch.einsum("vj,btjac,vc->btva", weights, worlds, rest_vertices)
    return turned + torch.einsum("vj,btja->btva", weights, shifts)
