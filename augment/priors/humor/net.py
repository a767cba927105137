"""HuMoR's three networks, their options, and the scales of their inputs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .state import STATE_DIM


@dataclass(frozen=True, slots=True, kw_only=True)
class HumorConfig:
    """Size and training of the networks."""

    latent: int = 32
    """Dimensions of z."""
    width: int = 384
    """Width of the hidden layers."""
    layers: int = 2
    """Hidden layers of each network."""
    window: int = 12
    """Consecutive transitions per training window."""
    batch: int = 48
    """Windows per step."""
    kl: float = 3e-3
    """Weight of the divergence of the posterior from the prior, relative to the error of the scaled change."""
    kl_warmup: float = 0.2
    """Share of the steps over which that weight rises from 0."""
    contacts: float = 0.02
    """Weight of the cross-entropy of the foot contacts."""
    own_from: float = 0.25
    """Share of the steps after which scheduled sampling starts: the predicted state replaces the true one as input."""
    own_most: float = 0.9
    """Chance of that replacement at the end of training."""
    residual: float = 1.0
    """Weight of the decoder's error in the energy."""
    moments: int = 12
    """Number of Gaussians of the mixture over states."""
    moments_from: int = 20_000
    """Approximate number of states that it is fitted to."""
    smallest: float = 0.3
    """Added to the variance of each scaled dimension of the mixture."""
    state: float = 1.0
    """Weight of the mixture in the energy."""
    steps: int = 5000
    """Training steps."""
    rate: float = 7e-4
    """Highest learning rate."""


class Transitions(nn.Module):
    """Prior, posterior and decoder over scaled states (n, 262)."""

    def __init__(self, config: HumorConfig) -> None:
        super().__init__()
        hidden = [config.width] * config.layers
        self.prior = _network([STATE_DIM, *hidden, 2 * config.latent])
        self.posterior = _network([2 * STATE_DIM, *hidden, 2 * config.latent])
        self.decoder = _network([STATE_DIM + config.latent, *hidden, STATE_DIM + 4])

    def prior_z(self, before: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of z given a state, (n, latent) each."""
        return _gaussian(self.prior(before))

    def posterior_z(self, before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of z given two consecutive states, (n, latent) each."""
        return _gaussian(self.posterior(torch.cat([before, now], dim=-1)))

    def decode(self, before: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled change of state (n, 262), and logits of the foot contacts after it (n, 4)."""
        out = self.decoder(torch.cat([before, z], dim=-1))
        return out[..., :STATE_DIM], out[..., STATE_DIM:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Mean and scales that normalise states and changes for the networks."""

    mean: Float[Tensor, "262"]
    std: Float[Tensor, "262"]
    change: Float[Tensor, "262"]
    """Standard deviation of a change from one frame to the next."""

    def scaled(self, states: Float[Tensor, "*b 262"]) -> Float[Tensor, "*b 262"]:
        """Scaled states."""
        return (states - self.mean) / self.std


def _network(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def _gaussian(out: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_std = out.chunk(2, dim=-1)
    return mean, 4 * torch.tanh(log_std / 4)
