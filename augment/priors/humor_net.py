"""HuMoR's three networks, their options, and what their numbers are scaled by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .humor_state import STATE_DIM


@dataclass(frozen=True, slots=True, kw_only=True)
class HumorConfig:
    """The networks' size and how they are trained."""

    latent: int = 32
    """Numbers in z."""
    width: int = 384
    layers: int = 2
    """Hidden layers of each network."""
    window: int = 12
    """Changes in a row that training goes through."""
    batch: int = 48
    """Windows a step."""
    kl: float = 3e-3
    """Weight of the divergence of posterior from prior, against the error of the scaled change, squared where small."""
    kl_warmup: float = 0.2
    """Share of the steps over which that weight grows to its own."""
    contacts: float = 0.02
    """Weight of the feet's cross-entropy."""
    own_from: float = 0.25
    """Share of the steps after which the networks more and more often see their own last state instead of the true one."""
    own_most: float = 0.9
    """How often that is at the end."""
    residual: float = 1.0
    """Weight of the decoder's error in the energy, against the prior's term."""
    moments: int = 12
    """Gaussians of the mixture over states."""
    moments_from: int = 20_000
    """States, about, that it is fitted to."""
    smallest: float = 0.3
    """Added to the variance of each scaled number there."""
    state: float = 1.0
    """Weight of the mixture's term in the energy."""
    steps: int = 5000
    rate: float = 7e-4


class Transitions(nn.Module):
    """Prior, posterior and decoder over scaled states (n, 262)."""

    def __init__(self, config: HumorConfig) -> None:
        super().__init__()
        hidden = [config.width] * config.layers
        self.prior = _network([STATE_DIM, *hidden, 2 * config.latent])
        self.posterior = _network([2 * STATE_DIM, *hidden, 2 * config.latent])
        self.decoder = _network([STATE_DIM + config.latent, *hidden, STATE_DIM + 4])

    def after(self, before: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of z, (n, latent) each, by the prior."""
        return _gaussian(self.prior(before))

    def between(self, before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        """The same by the posterior."""
        return _gaussian(self.posterior(torch.cat([before, now], dim=-1)))

    def change(self, before: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled change of state (n, 262), and logits of the four foot contacts after it (n, 4)."""
        out = self.decoder(torch.cat([before, z], dim=-1))
        return out[..., :STATE_DIM], out[..., STATE_DIM:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """What states and changes are scaled by before the networks see them."""

    mean: Float[Tensor, "262"]
    std: Float[Tensor, "262"]
    change: Float[Tensor, "262"]
    """Standard deviation of a change from one frame to the next."""

    def inside(self, states: Float[Tensor, "*b 262"]) -> Float[Tensor, "*b 262"]:
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
