"""HuMoR as a prior: a conditional variational autoencoder of changes of state, and a mixture of Gaussians over states.

Three networks: the prior of the latent change z given a state, the posterior of z given two consecutive states, and the decoder
from a state and z to the change of state and the foot contacts. States are those of ``state.py``, 30 a second.

Differences from the paper: states are in the root's frame instead of one turned by the heading (the same invariances on the
floor, and defined for lying people); the layers are narrower; activations are smooth, because poses are optimised through
them; the mixture, which in the paper judges the first state of a roll-out, judges every frame, because a fit may change any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..poses import FPS
from ..prior import PoseSequence
from ..prior_file import PriorFile, check_sizes, load_network
from .mixture import MIXTURE_DIM, StateMixture
from .net import HumorConfig, Scales, Transitions
from .state import STATE_DIM, at_rate, between, bones_of, follow, states_of, tidy


@dataclass(frozen=True, slots=True, kw_only=True)
class HumorPrior:
    """Trained networks and mixture as a prior."""

    transitions: Transitions
    scales: Scales
    error: Float[Tensor, "262"]
    """Standard deviation of the decoder's error of the scaled change in training."""
    mixture: StateMixture
    config: HumorConfig
    normalisation: float
    name: str = "humor"

    def energy(self, sequence: PoseSequence) -> Float[Tensor, "*b t"]:
        """Energy of each frame's state and of its transition from the frame before; the first frame takes the second's.

        The sum of: the mean over z of rho((z - mean) / std), with z the posterior's mean for the transition, and mean and std
        the prior's; ``residual`` times the mean over the state of rho(error / error in training), with the decoder's error
        given that z; and ``state`` times the mixture's energy (``mixture.StateMixture.energy``).
        rho(u) = (1 + u^2)^(1/2) - 1 is u^2 / 2 for small u and grows like |u|, which limits the influence of outliers.
        Normalisers of the densities are left out, so the energy is not negative.

        A sequence at another rate is resampled to 30 frames a second, and its energies back.
        """
        frames = sequence.joints.shape[-3]
        if frames == 1:
            sequence = _joined([sequence, sequence], keep=2)
        resampled = at_rate(sequence)
        if resampled.joints.shape[-3] == 1:  # two frames closer in time than one frame at 30 frames a second
            resampled = replace(sequence, fps=FPS)
        states = states_of(resampled).to(self.scales.mean)
        energies = self._transitions(states)
        energies = torch.cat([energies[..., :1], energies], dim=-1)
        energies = (energies + self.config.state * self.mixture.energy(self.scales.scaled(states))) / self.normalisation
        energies = energies.to(sequence.joints)
        if resampled.joints.shape[-3] == frames:
            return energies
        return between(energies[..., None], torch.arange(frames) * (FPS / sequence.fps))[..., 0]

    def rollout(self, initial: PoseSequence, frames: int, *, generator: torch.Generator) -> PoseSequence:
        """Draw the following frames from the prior, 30 a second.

        Args:
            initial: Two frames or more; the bone lengths of its last frame are kept.
            frames: Number of frames to draw.
            generator: Source of randomness.
        Raises:
            ValueError: If ``initial`` has fewer than two frames.
        """
        if initial.joints.shape[-3] < 2:
            raise ValueError(f"rollout: field initial: expected two frames or more, found {initial.joints.shape[-3]}")
        with torch.no_grad():
            start = at_rate(initial)
            bones = bones_of(start)
            last = PoseSequence(rotations=start.rotations[..., -2:, :, :, :], joints=start.joints[..., -2:, :, :], fps=FPS)
            drawn = []
            for _ in range(frames):
                state = states_of(last)[..., -1, :]
                before = self.scales.scaled(state)
                mean, log_std = self.transitions.prior_z(before)
                noise = torch.randn(mean.shape, generator=generator)
                change, _ = self.transitions.decode(before, mean + log_std.exp() * noise)
                frame = follow(last, tidy(state + change * self.scales.change), bones)
                drawn.append(frame)
                last = _joined([last, frame], keep=2)
        return _joined(drawn, keep=frames)

    def _transitions(self, states: Float[Tensor, "*b t 262"]) -> Tensor:
        """Energies of transitions before normalisation, (*b, t - 1)."""
        scaled = self.scales.scaled(states)
        before, now = scaled[..., :-1, :], scaled[..., 1:, :]
        z, _ = self.transitions.posterior_z(before, now)
        mean, log_std = self.transitions.prior_z(before)
        change, _ = self.transitions.decode(before, z)
        error = ((states[..., 1:, :] - states[..., :-1, :]) / self.scales.change - change) / self.error
        return rho((z - mean) / log_std.exp()).mean(-1) + self.config.residual * rho(error).mean(-1)


def humor_from_file(stored: PriorFile) -> HumorPrior:
    """Make the prior from its file.

    Raises:
        ValueError: If a size is out of bounds or a tensor has the wrong shape.
    """
    config = HumorConfig(**stored.config)
    check_sizes(stored.where, {"latent": config.latent, "width": config.width, "layers": config.layers})
    row = (STATE_DIM,)
    return HumorPrior(
        transitions=load_network(Transitions(config), stored, prefix="net."),
        scales=Scales(mean=stored.tensor("mean", row), std=stored.tensor("std", row), change=stored.tensor("change", row)),
        error=stored.tensor("error", row),
        mixture=StateMixture(
            means=stored.tensor("moments.means", (None, MIXTURE_DIM)),
            whiteners=stored.tensor("moments.whiteners", (None, MIXTURE_DIM, MIXTURE_DIM)),
            offsets=stored.tensor("moments.offsets", (None,)),
        ),
        config=config,
        normalisation=stored.normalisation,
    )


def _joined(sequences: list[PoseSequence], *, keep: int) -> PoseSequence:
    """The last ``keep`` frames of concatenated sequences."""
    rotations = torch.cat([each.rotations for each in sequences], dim=-4)[..., -keep:, :, :, :]
    joints = torch.cat([each.joints for each in sequences], dim=-3)[..., -keep:, :, :]
    return PoseSequence(rotations=rotations, joints=joints, fps=sequences[0].fps)


def rho(value: Tensor) -> Tensor:
    """Robust penalty: u^2 / 2 for small u, |u| for large."""
    return (1 + value.square()).sqrt() - 1
