"""Pose-NDF's neural field: the distance of a pose from plausible poses, over the rotations of 21 joints.

The field f takes unit quaternions: along the kinematic tree, a small network per joint encodes the joint's quaternion and its
parent's code; a further network maps all codes to one distance. It is zero on the training poses.

Differences from the paper: quaternions q and -q are one rotation, so the field takes the one with w >= 0 instead of being
trained on both; gradients are measured in the metric of the distance itself, in which their length should be 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import roma
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...types import SMPL_PARENTS
from ..poses import POSED_JOINTS


def _depth(joint: int) -> int:
    return 0 if joint == 0 else 1 + _depth(SMPL_PARENTS[joint])


DEPTHS: tuple[int, ...] = tuple(_depth(joint) for joint in range(1, POSED_JOINTS + 1))
"""Depth of each of the joints 1..21 in the kinematic tree."""

JOINT_WEIGHTS: tuple[float, ...] = tuple((8 - depth) / sum(8 - each for each in DEPTHS) for depth in DEPTHS)
"""Weight of each joint in the distance: from 7 next to the root to 1 at the wrists, normalised to sum 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseNDFConfig:
    """Size and training of the field."""

    code: int = 6
    """Size of the code of a joint and its ancestors."""
    width: int = 320
    """Width of the layers between the codes and the distance."""
    layers: int = 4
    """Number of those layers."""
    sharpness: float = 20.0
    """Of the softplus between layers: higher values are closer to a ReLU."""
    poses: int = 30_000
    """Largest number of training poses that distances are computed to; half of them are mirrored."""
    pairs: int = 60_000
    """Number of corrupted poses with known distances."""
    noise: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    """Standard deviations of the rotation noise, radians about each axis, drawn with equal chance."""
    swap: float = 0.2
    """Share of corrupted poses in which some joints are replaced by those of another pose before noise is added."""
    candidates: int = 64
    """Poses preselected by a fast distance, among which the nearest by the exact distance are found."""
    neighbours: int = 5
    """Number of nearest poses whose mean distance is the field's target."""
    on_poses: float = 0.5
    """Weight of the field's value on training poses (target 0)."""
    eikonal: float = 0.1
    """Weight of the gradient's length (target 1), on a quarter of each batch."""
    batch: int = 384
    """Corrupted poses per step."""
    steps: int = 4000
    """Training steps."""
    rate: float = 1e-3
    """Highest learning rate."""


class PoseField(nn.Module):
    """Unit quaternions (*b, 21, 4) to the distance (*b)."""

    def __init__(self, config: PoseNDFConfig) -> None:
        super().__init__()
        code, hidden = config.code, config.code + 4
        self.enter = nn.Parameter(torch.randn(POSED_JOINTS, hidden, hidden) / math.sqrt(hidden))
        self.enter_bias = nn.Parameter(torch.zeros(POSED_JOINTS, hidden))
        self.leave = nn.Parameter(torch.randn(POSED_JOINTS, hidden, code) / math.sqrt(hidden))
        self.leave_bias = nn.Parameter(torch.zeros(POSED_JOINTS, code))
        sizes = [POSED_JOINTS * code, *[config.width] * config.layers, 64, 1]
        self.trunk = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.soft = nn.Softplus(beta=config.sharpness)
        self.code = code
        self.levels = [[j for j, depth in enumerate(DEPTHS) if depth == level] for level in range(1, max(DEPTHS) + 1)]

    def forward(self, quaternions: Float[Tensor, "*b 21 4"]) -> Float[Tensor, "*b"]:
        lead = quaternions.shape[:-2]
        codes: list[Tensor] = [torch.empty(0)] * POSED_JOINTS
        for level in self.levels:  # joints of one level do not depend on each other
            parents = [SMPL_PARENTS[joint + 1] - 1 for joint in level]
            above = [codes[p] if p >= 0 else quaternions.new_zeros(*lead, self.code) for p in parents]
            seen = torch.cat([quaternions[..., level, :], torch.stack(above, dim=-2)], dim=-1)
            hidden = self.soft(torch.einsum("...ji,jio->...jo", seen, self.enter[level]) + self.enter_bias[level])
            found = self.soft(torch.einsum("...ji,jio->...jo", hidden, self.leave[level]) + self.leave_bias[level])
            for joint, each in zip(level, found.unbind(-2), strict=True):
                codes[joint] = each
        x = torch.cat(codes, dim=-1)
        for layer in self.trunk[:-1]:
            x = self.soft(layer(x))
        return self.soft(self.trunk[-1](x))[..., 0]


def pose_quaternions(rotations: Float[Tensor, "*b 24 3 3"]) -> Float[Tensor, "*b 21 4"]:
    """Unit quaternions (x, y, z, w) of the joints 1..21, w >= 0."""
    return one_hemisphere(roma.rotmat_to_unitquat(rotations[..., 1 : POSED_JOINTS + 1, :, :]))


def one_hemisphere(quaternions: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 4"]:
    """Of q and -q, the one with w >= 0."""
    return torch.where(quaternions[..., 3:] < 0, -quaternions, quaternions)


def pose_distance(first: Float[Tensor, "*b 21 4"], second: Float[Tensor, "*b 21 4"]) -> Float[Tensor, "*b"]:
    """sqrt(sum_i w_i / 2 arccos(|q_i . q'_i|)^2) with ``JOINT_WEIGHTS`` w: if every joint is turned by r radians, r / 8^(1/2).

    Source:
        Tiwari et al. 2022, "Pose-NDF", eq. 2; the ratios of the weights are those of the authors' code
        (garvita-tiwari/PoseNDF, data/dist_utils.py).
    """
    difference, total = (first - second).norm(dim=-1), (first + second).norm(dim=-1)
    angle = 2 * torch.atan2(torch.minimum(difference, total), torch.maximum(difference, total))  # arccos loses precision near 1
    weights = torch.tensor(JOINT_WEIGHTS, dtype=angle.dtype)
    return (angle.square() * weights / 2).sum(-1).sqrt()


def field_and_gradient(field: PoseField, quaternions: Float[Tensor, "n 21 4"], *, create_graph: bool) -> tuple[Tensor, Tensor]:
    """The field (n,) and its gradient (n, 21, 4) projected onto the tangent space of unit quaternions."""
    quaternions = quaternions.detach().requires_grad_(True)
    value = field(quaternions)
    (gradient,) = torch.autograd.grad(value.sum(), quaternions, create_graph=create_graph)
    return value, gradient - (gradient * quaternions).sum(-1, keepdim=True) * quaternions


def inverse_metric(like: Tensor) -> Float[Tensor, "21 1"]:
    """2 / w of each joint: converts a gradient in quaternions to the metric of ``pose_distance``."""
    return 2.0 / torch.tensor(JOINT_WEIGHTS, dtype=like.dtype)[:, None]
