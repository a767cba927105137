"""Pose-NDF as a prior: energy, projection and sampling with a trained distance field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from ..poses import POSED_JOINTS
from ..prior import PoseSequence
from ..prior_file import PriorFile, check_sizes, load_network
from .field import PoseField, PoseNDFConfig, field_and_gradient, inverse_metric, one_hemisphere, pose_quaternions


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseNDFPrior:
    """A trained field as a prior."""

    field: PoseField
    normalisation: float
    """The field's value, a distance, at the median held-out pose."""
    center: Float[Tensor, "21 4"]
    """Mean rotation of each joint in training, unit quaternions."""
    spread: Float[Tensor, "21 3 3"]
    """Square root of the covariance of each joint's rotation vector about that mean, radians."""
    name: str = "posendf"

    def energy(self, sequence: PoseSequence) -> Float[Tensor, "*b t"]:
        """Distance from plausible poses, in units of that of the median held-out pose."""
        return self.distance(pose_quaternions(sequence.rotations)) / self.normalisation

    def distance(self, quaternions: Float[Tensor, "*b 21 4"]) -> Float[Tensor, "*b"]:
        """The field, in the unit of ``pose_distance``; q and -q give the same value."""
        single = one_hemisphere(quaternions).to(self.center)
        return self.field(single).to(quaternions)

    def project(
        self, rotations: Float[Tensor, "*b 24 3 3"], *, steps: int = 50, rate: float = 0.5
    ) -> Float[Tensor, "*b 24 3 3"]:
        """Project poses towards plausible ones: q <- q - rate f(q) grad f(q), normalised to unit length.

        A step that would increase a pose's field is undone and its rate halved, so the field never increases. Root and hands
        are not changed.

        Source:
            Tiwari et al. 2022, section 3.3, with the gradient in the metric of the distance.
        """
        lead = rotations.shape[:-3]
        quaternions = pose_quaternions(rotations.detach()).reshape(-1, POSED_JOINTS, 4)
        rates = quaternions.new_full((len(quaternions),), rate)
        with torch.enable_grad():
            value, gradient = self._gradient(quaternions)
            for _ in range(steps):
                moved = quaternions - (rates * value)[:, None, None] * gradient
                moved = one_hemisphere(moved / moved.norm(dim=-1, keepdim=True))
                new_value, new_gradient = self._gradient(moved)
                better = new_value < value
                rates = torch.where(better, rates, rates / 2)
                quaternions = torch.where(better[:, None, None], moved, quaternions)
                gradient = torch.where(better[:, None, None], new_gradient, gradient)
                value = torch.where(better, new_value, value)
        result = rotations.detach().clone()
        result[..., 1 : POSED_JOINTS + 1, :, :] = roma.unitquat_to_rotmat(quaternions).reshape(*lead, POSED_JOINTS, 3, 3)
        return result

    def sample(self, count: int, *, generator: torch.Generator, steps: int = 100) -> Float[Tensor, "n 21 3 3"]:
        """Draw poses of the joints 1..21: every joint independently, then projected."""
        noise = torch.randn(count, POSED_JOINTS, 3, generator=generator)
        turns = roma.rotvec_to_unitquat(torch.einsum("jab,njb->nja", self.spread, noise))
        drawn = roma.quat_product(self.center.expand(count, -1, -1), turns)
        rotations = torch.eye(3).repeat(count, 24, 1, 1)
        rotations[:, 1 : POSED_JOINTS + 1] = roma.unitquat_to_rotmat(drawn)
        return self.project(rotations, steps=steps)[:, 1 : POSED_JOINTS + 1]

    def _gradient(self, quaternions: Tensor) -> tuple[Tensor, Tensor]:
        """The field (n,) and its gradient in the metric of the distance (n, 21, 4), both detached."""
        value, gradient = field_and_gradient(self.field, quaternions, create_graph=False)
        return value.detach(), gradient.detach() * inverse_metric(gradient)


def posendf_from_file(stored: PriorFile) -> PoseNDFPrior:
    """Make the prior from its file.

    Raises:
        ValueError: If a size is out of bounds or a tensor has the wrong shape.
    """
    config_fields: dict[str, Any] = {**stored.config, "noise": tuple(stored.config["noise"])}
    config = PoseNDFConfig(**config_fields)
    check_sizes(stored.where, {"code": config.code, "width": config.width, "layers": config.layers})
    return PoseNDFPrior(
        field=load_network(PoseField(config), stored, prefix="field."),
        normalisation=stored.normalisation,
        center=stored.tensor("center", (POSED_JOINTS, 4)),
        spread=stored.tensor("spread", (POSED_JOINTS, 3, 3)),
    )
