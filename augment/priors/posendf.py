"""Pose-NDF: how far a pose is from the poses people take, as a neural field over the rotations of 21 joints.

The field f looks at unit quaternions: a small network per joint reads that joint's quaternion and its parent's code, down the
kinematic tree, and a further network turns all codes into one distance. Zero lies on the training poses; following the
gradient down leads to them.

Differences from the paper: quaternions q and -q are one rotation, so the field sees them in one hemisphere instead of being
shown both; gradients are measured in the metric that the distance itself is in, so that their length should be 1.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import roma
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..types import SMPL_PARENTS
from .dataset import POSED_JOINTS, PoseDataset, frames_of, mirror_rotations
from .load import PriorFile, check_sizes
from .loop import Run, train_network
from .state import PoseSequence
from .train import Trained


def _depth(joint: int) -> int:
    return 0 if joint == 0 else 1 + _depth(SMPL_PARENTS[joint])


DEPTHS: tuple[int, ...] = tuple(_depth(joint) for joint in range(1, POSED_JOINTS + 1))
"""Steps from the root to each of the joints 1..21."""

JOINT_WEIGHTS: tuple[float, ...] = tuple((8 - depth) / sum(8 - each for each in DEPTHS) for depth in DEPTHS)
"""What each joint counts for in the distance: 7 next to the root down to 1 at the wrists, brought to sum 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseNDFConfig:
    """The field's size and how it is trained."""

    code: int = 6
    """Numbers that describe a joint and what lies above it."""
    width: int = 320
    """Width of the layers between the codes and the distance."""
    layers: int = 4
    sharpness: float = 20.0
    """Of the softplus between layers: the greater, the nearer to a ReLU."""
    poses: int = 30_000
    """Training poses, at most, that distances are taken to; half of them seen in the mirror."""
    pairs: int = 60_000
    """Spoiled poses with their distances."""
    noise: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    """Standard deviations, radians about each axis, that poses are spoiled by; each is drawn as often."""
    swap: float = 0.2
    """Share of spoiled poses that get some joints of another pose before noise: limbs that do not go together."""
    candidates: int = 64
    """Poses nearest by a fast measure, among which the nearest by the exact one are sought."""
    neighbours: int = 5
    """Nearest poses whose mean distance the field shall give."""
    on_poses: float = 0.5
    """Weight of the field's value on training poses, where it shall be 0."""
    eikonal: float = 0.1
    """Weight of the gradient's length, which shall be 1, on a quarter of each batch."""
    batch: int = 384
    steps: int = 4000
    rate: float = 1e-3


class Field(nn.Module):
    """Quaternions (*b, 21, 4) of unit length to the distance (*b)."""

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
        for level in self.levels:  # joints of one level do not wait for each other
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseNDF:
    """A trained field as a prior."""

    field: Field
    normalisation: float
    """The field's value, a distance, at the median held-out pose."""
    center: Float[Tensor, "21 4"]
    """Mean rotation of each joint in training, unit quaternions."""
    spread: Float[Tensor, "21 3 3"]
    """Square root of the covariance of each joint's rotation vector about that mean, radians."""

    @property
    def name(self) -> str:
        """``posendf``."""
        return "posendf"

    def energy(self, sequence: PoseSequence) -> Float[Tensor, "*b t"]:
        """Distance from the poses people take, in units of the median held-out pose's."""
        return self.distance(pose_quaternions(sequence.rotations)) / self.normalisation

    def distance(self, quaternions: Float[Tensor, "*b 21 4"]) -> Float[Tensor, "*b"]:
        """The field itself; see ``pose_distance`` for its unit. The sign of a quaternion does not matter."""
        single = one_hemisphere(quaternions).to(self.center)
        return self.field(single).to(quaternions)

    def project(
        self, rotations: Float[Tensor, "*b 24 3 3"], *, steps: int = 50, rate: float = 0.5
    ) -> Float[Tensor, "*b 24 3 3"]:
        """Poses nearby where the field is lower: q <- q - rate f(q) grad f(q), brought back to unit length.

        A step that would raise a pose's field is undone and halved for that pose, so the result's field is never higher than
        the start's. Root and hands stay as they are.

        Source:
            Tiwari et al. 2022, section 3.3, with the gradient taken in the distance's own metric.
        """
        lead = rotations.shape[:-3]
        quaternions = pose_quaternions(rotations.detach()).reshape(-1, POSED_JOINTS, 4)
        rates = quaternions.new_full((len(quaternions),), rate)
        with torch.enable_grad():
            value, slope = self._slope(quaternions)
            for _ in range(steps):
                moved = quaternions - (rates * value)[:, None, None] * slope
                moved = one_hemisphere(moved / moved.norm(dim=-1, keepdim=True))
                new_value, new_slope = self._slope(moved)
                better = new_value < value
                rates = torch.where(better, rates, rates / 2)
                quaternions = torch.where(better[:, None, None], moved, quaternions)
                slope = torch.where(better[:, None, None], new_slope, slope)
                value = torch.where(better, new_value, value)
        result = rotations.detach().clone()
        result[..., 1 : POSED_JOINTS + 1, :, :] = roma.unitquat_to_rotmat(quaternions).reshape(*lead, POSED_JOINTS, 3, 3)
        return result

    def sample(self, count: int, *, generator: torch.Generator, steps: int = 100) -> Float[Tensor, "n 21 3 3"]:
        """Poses of the joints 1..21, drawn joint by joint as if joints knew nothing of each other, then projected."""
        noise = torch.randn(count, POSED_JOINTS, 3, generator=generator)
        turns = roma.rotvec_to_unitquat(torch.einsum("jab,njb->nja", self.spread, noise))
        drawn = roma.quat_product(self.center.expand(count, -1, -1), turns)
        rotations = torch.eye(3).repeat(count, 24, 1, 1)
        rotations[:, 1 : POSED_JOINTS + 1] = roma.unitquat_to_rotmat(drawn)
        return self.project(rotations, steps=steps)[:, 1 : POSED_JOINTS + 1]

    def _slope(self, quaternions: Tensor) -> tuple[Tensor, Tensor]:
        """The field (n,) and its gradient in the distance's metric (n, 21, 4), both detached."""
        value, slope = field_and_slope(self.field, quaternions, create_graph=False)
        return value.detach(), slope.detach() * _inverse_metric(slope)


def posendf_from_file(stored: PriorFile) -> PoseNDF:
    """The prior in a file.

    Raises:
        ValueError: If a size is out of bounds or a tensor has the wrong shape.
    """
    options: dict[str, Any] = {**stored.config, "noise": tuple(stored.config["noise"])}
    config = PoseNDFConfig(**options)
    check_sizes(stored.where, {"code": config.code, "width": config.width, "layers": config.layers})
    field = Field(config)
    field.load_state_dict({name: stored.tensor(f"field.{name}", value.shape) for name, value in field.state_dict().items()})
    return PoseNDF(
        field=field.eval().requires_grad_(False),
        normalisation=stored.normalisation,
        center=stored.tensor("center", (POSED_JOINTS, 4)),
        spread=stored.tensor("spread", (POSED_JOINTS, 3, 3)),
    )


def train_posendf(dataset: PoseDataset, config: PoseNDFConfig | None, generator: torch.Generator, run: Run) -> Trained:
    """Train the field on a dataset's training poses; see ``train.Trainer``."""
    config = config or PoseNDFConfig()
    poses = training_poses(dataset, config.poses, generator=generator)
    spoiled = spoil(poses, config.pairs, noise=config.noise, swap=config.swap, generator=generator)
    distances = nearest_distances(spoiled, poses, candidates=config.candidates, neighbours=config.neighbours)
    field = Field(config)

    def losses(step: int, draw: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(len(spoiled), (config.batch,), generator=draw)
        real = torch.randint(len(poses), (config.batch // 2,), generator=draw)
        few = max(1, config.batch // 4)
        value, slope = field_and_slope(field, spoiled[chosen[:few]], create_graph=True)
        length = (slope.square().sum(-1) * _inverse_metric(slope)[..., 0]).sum(-1).add(1e-12).sqrt()
        value = torch.cat([value, field(spoiled[chosen[few:]])])
        parts = {
            "distance": (value - distances[chosen]).abs().mean(),
            "poses": field(poses[real]).mean(),
            "eikonal": (length - 1).square().mean(),
        }
        return {"total": parts["distance"] + config.on_poses * parts["poses"] + config.eikonal * parts["eikonal"], **parts}

    origin = {"kind": "posendf", "config": repr(asdict(config)), "data": dataset.digest}
    last = train_network(field, losses, steps=run.steps or config.steps, rate=config.rate, run=run, origin=origin)
    center = roma.special_procrustes(roma.unitquat_to_rotmat(poses).mean(0))
    center = roma.rotmat_to_unitquat(center)
    vectors = roma.unitquat_to_rotvec(roma.quat_product(roma.quat_conjugation(center).expand_as(poses), poses))
    centred = vectors - vectors.mean(0)
    covariance = torch.einsum("nja,njb->jab", centred, centred) / len(poses) + 1e-8 * torch.eye(3)
    tensors = {f"field.{name}": value for name, value in field.state_dict().items()}
    return Trained(
        tensors=tensors | {"center": center, "spread": torch.linalg.cholesky(covariance)},
        config=config,
        facts={"steps": run.steps or config.steps, "poses": len(poses), "pairs": len(spoiled), "loss": last},
    )


def pose_quaternions(rotations: Float[Tensor, "*b 24 3 3"]) -> Float[Tensor, "*b 21 4"]:
    """Unit quaternions (x, y, z, w) of the joints 1..21, w >= 0."""
    return one_hemisphere(roma.rotmat_to_unitquat(rotations[..., 1 : POSED_JOINTS + 1, :, :]))


def one_hemisphere(quaternions: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 4"]:
    """Of q and -q, the one with w >= 0."""
    return torch.where(quaternions[..., 3:] < 0, -quaternions, quaternions)


def pose_distance(first: Float[Tensor, "*b 21 4"], second: Float[Tensor, "*b 21 4"]) -> Float[Tensor, "*b"]:
    """sqrt(sum_i w_i / 2 arccos(|q_i . q'_i|)^2) with ``JOINT_WEIGHTS`` w: if every joint is turned by r radians, r / 8^(1/2).

    Source:
        Tiwari et al. 2022, "Pose-NDF", eq. 2, as ../shared/method.md quotes it; the weights' ratios are those of the authors'
        code (garvita-tiwari/PoseNDF, data/dist_utils.py), which are not stated in the paper's text as we have it.
    """
    apart, joined = (first - second).norm(dim=-1), (first + second).norm(dim=-1)
    angle = 2 * torch.atan2(torch.minimum(apart, joined), torch.maximum(apart, joined))  # arccos loses digits near 1
    weights = torch.tensor(JOINT_WEIGHTS, dtype=angle.dtype)
    return (angle.square() * weights / 2).sum(-1).sqrt()


def nearest_distances(
    queries: Float[Tensor, "n 21 4"], poses: Float[Tensor, "m 21 4"], *, candidates: int, neighbours: int, chunk: int = 1024
) -> Float[Tensor, " n"]:
    """Mean ``pose_distance`` to the nearest poses.

    The nearest by the weighted straight-line distance of quaternions are looked at only: for small angles that is the same
    distance, up to one factor for all.
    """
    candidates = min(max(candidates, neighbours), len(poses))
    scale = torch.tensor(JOINT_WEIGHTS).sqrt()[:, None]
    flat, result = (poses * scale).flatten(1), []
    for part in queries.split(chunk):
        found = (
            ((part * scale).flatten(1) @ flat.T).topk(candidates, dim=1).indices
        )  # all have the same length: largest product
        exact = pose_distance(part[:, None].expand(-1, candidates, -1, -1), poses[found])
        result.append(exact.topk(min(neighbours, candidates), dim=1, largest=False).values.mean(1))
    return torch.cat(result)


def training_poses(dataset: PoseDataset, count: int, *, generator: torch.Generator) -> Float[Tensor, "n 21 4"]:
    """Quaternions of at most ``count`` training frames, every other one seen in the mirror."""
    frames = frames_of(dataset, held_out=False)
    frames = frames[torch.randperm(len(frames), generator=generator)[:count]]
    rotations = dataset.rotations[frames]
    rotations[1::2] = mirror_rotations(rotations[1::2])
    return pose_quaternions(rotations)


def spoil(
    poses: Float[Tensor, "n 21 4"], count: int, *, noise: tuple[float, ...], swap: float, generator: torch.Generator
) -> Float[Tensor, "m 21 4"]:
    """Poses nobody takes: noise of several scales on all joints or on some, and joints of one pose in another."""
    chosen = poses[torch.randint(len(poses), (count,), generator=generator)]
    other = poses[torch.randint(len(poses), (count,), generator=generator)]
    swapped = torch.rand(count, 1, generator=generator) < swap
    taken = swapped & (torch.rand(count, POSED_JOINTS, generator=generator) < 0.3)
    chosen = torch.where(taken[..., None], other, chosen)
    scales = torch.tensor(noise)[torch.randint(len(noise), (count,), generator=generator)]
    touched = torch.rand(count, 1, generator=generator).clamp(min=0.15)
    turned = torch.rand(count, POSED_JOINTS, generator=generator) < touched
    vectors = torch.randn(count, POSED_JOINTS, 3, generator=generator) * (scales[:, None] * turned)[..., None]
    return one_hemisphere(roma.quat_product(chosen, roma.rotvec_to_unitquat(vectors)))


def field_and_slope(field: Field, quaternions: Float[Tensor, "n 21 4"], *, create_graph: bool) -> tuple[Tensor, Tensor]:
    """The field (n,) and its gradient along the spheres (n, 21, 4): what changes the lengths is taken out."""
    quaternions = quaternions.detach().requires_grad_(True)
    value = field(quaternions)
    (slope,) = torch.autograd.grad(value.sum(), quaternions, create_graph=create_graph)
    return value, slope - (slope * quaternions).sum(-1, keepdim=True) * quaternions


def _inverse_metric(like: Tensor) -> Float[Tensor, "21 1"]:
    """2 / w of each joint: turns a gradient in quaternions into the steepest way down by ``pose_distance``."""
    return 2.0 / torch.tensor(JOINT_WEIGHTS, dtype=like.dtype)[:, None]
