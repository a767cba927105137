"""The input of a prior (a pose sequence), and the protocol that every prior implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseSequence:
    """A body's pose over time, as tensors that carry gradients."""

    rotations: Float[Tensor, "*b t 24 3 3"]
    """World rotation of the root (+y up), then each joint's rotation relative to its parent."""
    joints: Float[Tensor, "*b t 24 3"]
    """World, metres."""
    fps: float


@runtime_checkable
class Prior(Protocol):
    """An energy that is low for plausible poses and motions, scaled so that its median over held-out real poses is 1."""

    @property
    def name(self) -> str:
        """``gmm``, ``vposer``, ``posendf`` or ``humor``."""
        ...

    def energy(self, sequence: PoseSequence) -> Float[Tensor, "*b t"]:
        """Energy of each frame, differentiable in rotations and joints, finite for any rotations."""
        ...
