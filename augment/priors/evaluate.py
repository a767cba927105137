"""What a prior is worth: bodies fitted to noisy or missing joints with it, and how varied and near to life its poses are.

One fit for all priors: Adam on every joint's world rotation (6D) and the pelvis's place; in world rotations a bone moves what
hangs on it, but does not turn it, which descends much faster. Terms, per frame, are negative log densities: joints Gaussian
about what was observed, their accelerations Gaussian about zero, and the prior's energy times its weight. The start is a body
with hanging arms turned to the observed trunk that has followed the observed joints, blurred in time, alone.
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
from .state import PoseSequence, Prior

OCCLUSIONS: dict[str, tuple[str, ...]] = {
    "leg": ("left_knee", "left_ankle", "left_foot"),
    "arm and hand": ("left_elbow", "left_wrist", "left_hand"),
    "shoulder and upper arm": ("right_shoulder", "right_elbow"),
}
"""Joints that are not seen, by the name the literature gives the case."""

_TRUNK = [
    JOINT[name] for name in ("left_hip", "right_hip", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
]
"""Joints whose places hang on the root's turn most; none of them is ever hidden."""


_PARENTS = list(SMPL_PARENTS[1:])


def _bones_to(joint: int) -> list[int]:
    return [] if joint == 0 else [*_bones_to(SMPL_PARENTS[joint]), joint - 1]


_ABOVE = torch.zeros(23, 23)
"""1 where bone ``j + 1`` is on the way from the pelvis to joint ``i + 1``."""
for _joint in range(1, 24):
    _ABOVE[_joint - 1, _bones_to(_joint)] = 1.0

_HANGING = {"left_shoulder": -1.2, "right_shoulder": 1.2}
"""Turns about the body's z axis, radians, that let the T-pose's arms hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is known of a batch of clips."""

    joints: Float[Tensor, "b t 24 3"]
    """Seen places, world, metres."""
    seen: Bool[Tensor, "b 24"]
    """Which joints are seen; for a whole clip."""
    std: Float[Tensor, " b"]
    """Standard deviation of the places' noise along each axis, metres."""
    rest_joints: Float[Tensor, "b 24 3"]
    """Each body in the zero pose, metres."""
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """The fit, the same for all priors."""

    first: int = 80
    """Iterations on the observed joints alone."""
    blur: float = 2.0
    """Standard deviation, frames at 30 a second, that the observed joints are blurred by for these."""
    iterations: int = 250
    """Iterations on everything."""
    rate: float = 0.1
    """Adam's step at the start of either stage, in 6D numbers and metres; falls to zero along a cosine."""
    acceleration: float = 20.0
    """Standard deviation of a joint's acceleration along each axis, m/s^2: smoothness."""
    weight: float = 0.0
    """Of the prior's energy."""


def observe(
    truth: PoseSequence,
    rest_joints: Float[Tensor, "b 24 3"],
    *,
    std: float,
    missing: tuple[str, ...] = (),
    generator: torch.Generator,
) -> Observation:
    """See a batch of true clips through noise, some joints not at all.

    Args:
        truth: Shape (b, t, ...).
        rest_joints: Each body in the zero pose, metres.
        std: Of the noise along each axis, metres.
        missing: Names of joints that are not seen.
        generator: Decides the noise.
    """
    batch = truth.joints.shape[0]
    seen = torch.ones(batch, 24, dtype=torch.bool)
    seen[:, [JOINT[name] for name in missing]] = False
    noise = std * torch.randn(truth.joints.shape, generator=generator)
    return Observation(
        joints=truth.joints + noise, seen=seen, std=torch.full((batch,), std), rest_joints=rest_joints, fps=truth.fps
    )


def together(observations: list[Observation]) -> Observation:
    """Observations of as many frames and one rate as one batch."""
    first = observations[0]
    return Observation(
        joints=torch.cat([each.joints for each in observations]),
        seen=torch.cat([each.seen for each in observations]),
        std=torch.cat([each.std for each in observations]),
        rest_joints=torch.cat([each.rest_joints for each in observations]),
        fps=first.fps,
    )


def fit_sequence(observation: Observation, prior: Prior | None, config: FitConfig) -> PoseSequence:
    """The likeliest movement given what was seen; without a prior, what is not seen is left to smoothness and the start."""
    width = config.blur * observation.fps / 30
    steady = replace(observation, joints=_blurred(observation.joints.flatten(-2), width).unflatten(-1, (24, 3)))

    def seen_alone(sequence: PoseSequence) -> Tensor:
        return _misfit(sequence, steady)

    def everything(sequence: PoseSequence) -> Tensor:
        energy = _misfit(sequence, observation) + _roughness(sequence, config.acceleration)
        return energy if prior is None or config.weight == 0 else energy + config.weight * prior.energy(sequence)

    start = _descend(seen_alone, _start(steady), observation, config.first, config.rate)
    sixes, place = _descend(everything, start, observation, config.iterations, config.rate)
    with torch.no_grad():
        return _posed(sixes, place, observation)


def joint_errors(found: PoseSequence, truth: PoseSequence) -> Float[Tensor, "b 24"]:
    """Mean distance of each joint over a clip, metres, world, nothing aligned."""
    return (found.joints - truth.joints).norm(dim=-1).mean(dim=-2)


def vertex_errors(
    found: PoseSequence,
    truth: PoseSequence,
    rest_joints: Float[Tensor, "24 3"],
    rest_vertices: Float[Tensor, "v 3"],
    weights: Float[Tensor, "v 24"],
) -> Float[Tensor, " b"]:
    """Mean distance of the skin over a clip, metres, world: linear blend skinning of one body's vertices in the zero pose."""
    skins = [_skinned(each, rest_joints, rest_vertices, weights) for each in (found, truth)]
    return (skins[0] - skins[1]).norm(dim=-1).mean(dim=(-1, -2))


def average_pairwise_distance(joints: Float[Tensor, "n 24 3"]) -> float:
    """Diversity of poses: mean over all pairs of the joints' mean distance, metres; lay roots on each other beforehand."""
    count = len(joints)
    total = sum(float((joints - each).norm(dim=-1).mean(-1).sum()) for each in joints)
    return total / (count * (count - 1))


def nearest_pose_distance(joints: Float[Tensor, "n 24 3"], real: Float[Tensor, "m 24 3"]) -> Float[Tensor, " n"]:
    """For each pose the joints' mean distance to the nearest real pose, metres; lay roots on each other beforehand."""
    return torch.stack([(real - each).norm(dim=-1).mean(-1).min() for each in joints])


def root_aligned(rotations: Float[Tensor, "n 24 3 3"], rest_joints: Float[Tensor, "24 3"]) -> Float[Tensor, "n 24 3"]:
    """Joints of poses with an upright root at the origin, metres."""
    upright = rotations.clone()
    upright[:, 0] = torch.eye(3, dtype=rotations.dtype)
    return forward_kinematics(upright, rest_joints - rest_joints[:1])[0]


def _descend(
    energy: Callable[[PoseSequence], Tensor],
    start: tuple[Tensor, Tensor],
    observation: Observation,
    iterations: int,
    rate: float,
) -> tuple[Tensor, Tensor]:
    """World rotations, 6D (b, t, 24, 6), and pelvis (b, t, 3) after Adam."""
    sixes, place = (each.detach().clone().requires_grad_(True) for each in start)
    # A short memory of squared slopes: the data's steep slopes at the start would else hold back what the prior alone moves.
    optimiser = torch.optim.Adam([sixes, place], lr=rate, betas=(0.9, 0.9))
    for step in range(iterations):
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / iterations))
        optimiser.zero_grad(set_to_none=True)
        energy(_posed(sixes, place, observation)).sum().backward()  # clips share no parameters: a sum keeps them apart
        optimiser.step()
    return sixes.detach(), place.detach()


def _blurred(values: Tensor, width: float) -> Tensor:
    """(b, t, d) smoothed along t by a Gaussian of ``width`` frames; ends count as long as there is something to average."""
    frames = torch.arange(values.shape[1], dtype=values.dtype)
    kernel = torch.exp(-0.5 * ((frames[:, None] - frames) / max(width, 1e-3)) ** 2)
    return (kernel / kernel.sum(1, keepdim=True)) @ values


def _start(observation: Observation) -> tuple[Tensor, Tensor]:
    """World rotations, 6D (b, t, 24, 6), of a standing body turned to the seen trunk, and the pelvis (b, t, 3)."""
    rest = observation.rest_joints[:, None]
    body, seen = rest[:, :, _TRUNK], observation.joints[:, :, _TRUNK]
    turned = roma.special_procrustes((seen - seen.mean(2, keepdim=True)).mT @ (body - body.mean(2, keepdim=True)))
    assert isinstance(turned, Tensor)
    standing = torch.eye(3).repeat(24, 1, 1)
    for name, turn in _HANGING.items():
        standing[JOINT[name]] = roma.rotvec_to_rotmat(torch.tensor([0.0, 0.0, turn]))
    _, worlds = forward_kinematics(standing, torch.zeros(24, 3))
    offset = (turned[:, :, None] @ (body - rest[:, :, :1])[..., None])[..., 0]
    return matrix_to_rotation6d(turned[:, :, None] @ worlds), (seen - offset).mean(2)


def _posed(sixes: Tensor, place: Tensor, observation: Observation) -> PoseSequence:
    worlds = rotation6d_to_matrix(sixes)
    above = worlds[:, :, _PARENTS]
    rotations = torch.cat([worlds[:, :, :1], above.mT @ worlds[:, :, 1:]], dim=2)
    rest = observation.rest_joints[:, None]
    bones = (above @ (rest[:, :, 1:] - rest[:, :, _PARENTS])[..., None])[..., 0]
    joints = torch.cat([place[:, :, None], place[:, :, None] + _ABOVE @ bones], dim=2)
    return PoseSequence(rotations=rotations, joints=joints, fps=observation.fps)


def _misfit(sequence: PoseSequence, observation: Observation) -> Tensor:
    """Per frame, (b, t)."""
    away = (sequence.joints - observation.joints).square().sum(-1) * observation.seen[:, None]
    return away.sum(-1) / (2 * observation.std[:, None] ** 2)


def _roughness(sequence: PoseSequence, acceleration: float) -> Tensor:
    """Per frame, (b, t); zero at both ends."""
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
