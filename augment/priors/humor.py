"""HuMoR: how bodies go on from one moment to the next, as a conditional VAE over changes of state.

Three networks: the prior says which changes z are likely after a state, the posterior which z a seen change was, the decoder
what z changes, and which feet then stand. States are those of ``humor_state``, 30 a second. A mixture of Gaussians says which
states are likely at all.

Differences from the paper: states are in the root's own frame instead of one turned by the heading (the same to the floor's
symmetries, and defined for people who lie); the layers are narrower; the networks are smooth, as an energy wants them; the
mixture, which there judges the first state of a roll-out, here judges every frame, for the frames of a fit are free.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..motion.contacts import foot_contacts
from .dataset import FPS, PoseDataset, mirror_sequence, sequence_at, windows_of
from .humor_mixture import MOMENT_DIM, Moments, fit_moments
from .humor_net import HumorConfig, Scales, Transitions
from .humor_state import STATE_DIM, at_rate, between, bones_of, follow, states_of, tidy
from .load import PriorFile, check_sizes
from .loop import Run, train_network
from .state import PoseSequence
from .train import Trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Humor:
    """Trained transitions as a prior."""

    transitions: Transitions
    scales: Scales
    error: Float[Tensor, "262"]
    """Standard deviation of the decoder's error in training, of the scaled change."""
    moments: Moments
    config: HumorConfig
    normalisation: float

    @property
    def name(self) -> str:
        """``humor``."""
        return "humor"

    def energy(self, sequence: PoseSequence) -> Float[Tensor, "*b t"]:
        """How unlikely each frame is, and is after the one before; the first frame takes the second's transition.

        Mean over z of rho((z - mean) / std), z being what the posterior makes of the change and mean and std the prior's, plus
        ``residual`` times the mean over the state of rho(error / error in training), the decoder's error given that z, plus
        ``state`` times the mixture's term (``humor_mixture.Moments.energy``).
        rho(u) = (1 + u^2)^(1/2) - 1 is u^2 / 2, a Gaussian's negative log density, for small u and grows like |u|, so that
        absurd frames do not drown all others. The density's normaliser is left out: the energy is never negative.

        A sequence of another rate is resampled to 30 frames a second, its energies back.
        """
        frames = sequence.joints.shape[-3]
        if frames == 1:
            sequence = PoseSequence(
                rotations=sequence.rotations.expand(*sequence.rotations.shape[:-4], 2, 24, 3, 3),
                joints=sequence.joints.expand(*sequence.joints.shape[:-3], 2, 24, 3),
                fps=sequence.fps,
            )
        resampled = at_rate(sequence)
        if resampled.joints.shape[-3] == 1:  # two frames so near in time that one remains of them
            resampled = PoseSequence(rotations=sequence.rotations, joints=sequence.joints, fps=FPS)
        states = states_of(resampled).to(self.scales.mean)
        energies = self._transitions(states)
        energies = torch.cat([energies[..., :1], energies], dim=-1)
        energies = (energies + self.config.state * self.moments.energy(self.scales.inside(states))) / self.normalisation
        energies = energies.to(sequence.joints)
        if resampled.joints.shape[-3] == frames:
            return energies
        return between(energies[..., None], torch.arange(frames) * (FPS / sequence.fps))[..., 0]

    def contacts(self, sequence: PoseSequence) -> Float[Tensor, "*b t 4"]:
        """Chance that left ankle, left foot, right ankle, right foot stand; a sequence of 30 frames a second, two or more."""
        states = self.scales.inside(states_of(sequence))
        before, now = states[..., :-1, :], states[..., 1:, :]
        z, _ = self.transitions.between(before, now)
        chances = self.transitions.change(before, z)[1].sigmoid()
        return torch.cat([chances[..., :1, :], chances], dim=-2)

    def rollout(
        self, initial: PoseSequence, frames: int, *, generator: torch.Generator, temperature: float = 1.0
    ) -> PoseSequence:
        """Let somebody go on: the ``frames`` frames that follow, drawn from the prior, 30 a second.

        Args:
            initial: How they move so far, two frames or more; the bones of its last frame are kept.
            frames: How many to draw.
            generator: Decides them.
            temperature: Times the prior's standard deviation; 0 gives the likeliest change each time.
        Raises:
            ValueError: If ``initial`` has fewer than two frames.
        """
        if initial.joints.shape[-3] < 2:
            raise ValueError(f"rollout: field initial: expected two frames or more, found {initial.joints.shape[-3]}")
        with torch.no_grad():
            so_far = at_rate(initial)
            bones = bones_of(so_far)
            last = PoseSequence(rotations=so_far.rotations[..., -2:, :, :, :], joints=so_far.joints[..., -2:, :, :], fps=FPS)
            drawn = []
            for _ in range(frames):
                state = states_of(last)[..., -1, :]
                before = self.scales.inside(state)
                mean, log_std = self.transitions.after(before)
                noise = torch.randn(mean.shape, generator=generator)
                change, _ = self.transitions.change(before, mean + temperature * log_std.exp() * noise)
                frame = follow(last, tidy(state + change * self.scales.change), bones)
                drawn.append(frame)
                last = _joined([last, frame], keep=2)
        return _joined(drawn, keep=frames)

    def _transitions(self, states: Float[Tensor, "*b t 262"]) -> Tensor:
        """Not normalised, (*b, t - 1)."""
        inside = self.scales.inside(states)
        before, now = inside[..., :-1, :], inside[..., 1:, :]
        z, _ = self.transitions.between(before, now)
        mean, log_std = self.transitions.after(before)
        change, _ = self.transitions.change(before, z)
        error = ((states[..., 1:, :] - states[..., :-1, :]) / self.scales.change - change) / self.error
        return _rho((z - mean) / log_std.exp()).mean(-1) + self.config.residual * _rho(error).mean(-1)


def humor_from_file(stored: PriorFile) -> Humor:
    """The prior in a file.

    Raises:
        ValueError: If a size is out of bounds or a tensor has the wrong shape.
    """
    options: dict[str, Any] = dict(stored.config)
    config = HumorConfig(**options)
    check_sizes(stored.where, {"latent": config.latent, "width": config.width, "layers": config.layers})
    net = Transitions(config)
    net.load_state_dict({name: stored.tensor(f"net.{name}", value.shape) for name, value in net.state_dict().items()})
    row = (STATE_DIM,)
    return Humor(
        transitions=net.eval().requires_grad_(False),
        scales=Scales(mean=stored.tensor("mean", row), std=stored.tensor("std", row), change=stored.tensor("change", row)),
        error=stored.tensor("error", row),
        moments=Moments(
            means=stored.tensor("moments.means", (None, MOMENT_DIM)),
            whiteners=stored.tensor("moments.whiteners", (None, MOMENT_DIM, MOMENT_DIM)),
            offsets=stored.tensor("moments.offsets", (None,)),
        ),
        config=config,
        normalisation=stored.normalisation,
    )


def train_humor(dataset: PoseDataset, config: HumorConfig | None, generator: torch.Generator, run: Run) -> Trained:
    """Train the networks on a dataset's training motions, which must be at 30 frames a second; see ``train.Trainer``.

    Raises:
        ValueError: If the rate is another, or no motion is long enough for a window.
    """
    config = config or HumorConfig()
    if dataset.fps != FPS:
        raise ValueError(f"humor: field fps: expected motions at {FPS:g} frames a second, found {dataset.fps:g}")
    length = config.window + 2  # the first frame only gives the second its rates
    starts = windows_of(dataset, length, held_out=False)
    if len(starts) == 0:
        raise ValueError(f"humor: expected motions of at least {length} frames, found none; add longer ones to the store")
    standing = _standing(dataset)
    scales = _scales(dataset, starts, length, generator=generator)
    net = Transitions(config)
    steps = run.steps or config.steps

    def windows(count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        first = starts[torch.randint(len(starts), (count,), generator=draw)]
        seen, feet = sequence_at(dataset, first, length), standing[first[:, None] + torch.arange(2, length)]
        flipped = torch.rand(count, generator=draw) < 0.5
        mirrored = mirror_sequence(seen)
        seen = PoseSequence(
            rotations=torch.where(flipped[:, None, None, None, None], mirrored.rotations, seen.rotations),
            joints=torch.where(flipped[:, None, None, None], mirrored.joints, seen.joints),
            fps=seen.fps,
        )
        feet = torch.where(flipped[:, None, None], feet[..., [2, 3, 0, 1]], feet)
        return states_of(seen)[:, 1:], feet

    def losses(step: int, draw: torch.Generator) -> dict[str, Tensor]:
        states, feet = windows(config.batch, draw)
        share = step / steps
        own = config.own_most * max(0.0, (share - config.own_from) / (1 - config.own_from))
        error, logits, divergence = _go_through(net, scales, states, own, draw)
        parts = {
            "change": 2 * _rho(error).mean(),
            "contacts": binary_cross_entropy_with_logits(logits, feet),
            "kl": divergence.mean(),
        }
        weight = config.kl * min(1.0, share / config.kl_warmup) if config.kl_warmup > 0 else config.kl
        return {"total": parts["change"] + config.contacts * parts["contacts"] + weight * parts["kl"], **parts}

    origin = {"kind": "humor", "config": repr(asdict(config)), "data": dataset.digest}
    last = train_network(net, losses, steps=steps, rate=config.rate, run=run, origin=origin)
    with torch.no_grad():
        draw = torch.Generator().manual_seed(run.seed)
        moments, _ = windows(max(1, config.moments_from // (config.window + 1)), draw)
        states, _ = windows(min(1024, 4 * len(starts)), draw)
        error, _, _ = _go_through(net, scales, states, 0.0, None)
    tensors = {f"net.{name}": value for name, value in net.state_dict().items()}
    tensors |= {"mean": scales.mean, "std": scales.std, "change": scales.change}
    tensors["error"] = error.flatten(0, -2).square().mean(0).sqrt().clamp(min=1e-3)
    fitted = fit_moments(
        scales.inside(moments.flatten(0, 1)), components=config.moments, smallest=config.smallest, seed=run.seed
    )
    tensors |= {f"moments.{name}": value for name, value in fitted.items()}
    return Trained(tensors=tensors, config=config, facts={"steps": steps, "windows": len(starts), "loss": last})


def _go_through(
    net: Transitions, scales: Scales, states: Tensor, own: float, draw: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Errors of the scaled change (b, t - 1, 262), contact logits (b, t - 1, 4) and divergences (b, t - 1) along windows.

    Args:
        own: How often a step starts from the networks' own last state instead of the true one (scheduled sampling).
        draw: For z and for whose state it is; None takes the posterior's mean.
    """
    if own == 0.0:
        return _step(net, scales, states[:, :-1], states[:, 1:], draw)[:3]
    before, rows = states[:, 0], []
    for time in range(1, states.shape[1]):
        error, logits, divergence, change = _step(net, scales, before, states[:, time], draw)
        rows.append((error, logits, divergence))
        guess = tidy(before + change.detach() * scales.change)
        mine = torch.rand(len(states), 1, generator=draw) < own
        before = torch.where(mine, guess, states[:, time])
    errors, logits, divergences = zip(*rows, strict=True)
    return torch.stack(errors, dim=1), torch.stack(logits, dim=1), torch.stack(divergences, dim=1)


def _step(
    net: Transitions, scales: Scales, before: Tensor, now: Tensor, draw: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Error, contact logits, divergence and predicted change of one transition, any leading shape."""
    inside = scales.inside(before)
    mean, log_std = net.between(inside, scales.inside(now))
    z = mean if draw is None else mean + log_std.exp() * torch.randn(mean.shape, generator=draw)
    change, logits = net.change(inside, z)
    prior_mean, prior_log_std = net.after(inside)
    ratio = (2 * (log_std - prior_log_std)).exp()
    away = ((mean - prior_mean) / prior_log_std.exp()).square()
    divergence = 0.5 * (ratio + away - 1 - ratio.log()).sum(-1)
    return change - (now - before) / scales.change, logits, divergence, change


def _scales(dataset: PoseDataset, starts: Tensor, length: int, *, generator: torch.Generator) -> Scales:
    chosen = starts[torch.randint(len(starts), (2000,), generator=generator)]
    seen = sequence_at(dataset, chosen, length)
    states = torch.cat([states_of(seen)[:, 1:], states_of(mirror_sequence(seen))[:, 1:]])
    changes = states[:, 1:] - states[:, :-1]
    # A number that never changes in this data (a straight joint's) must not make noise in it infinitely surprising.
    return Scales(
        mean=states.mean((0, 1)),
        std=states.std((0, 1)).clamp(min=0.02),
        change=changes.square().mean((0, 1)).sqrt().clamp(min=2e-3),
    )


def _standing(dataset: PoseDataset) -> Float[Tensor, "n 4"]:
    """Contact labels of all frames."""
    parts = [
        torch.as_tensor(foot_contacts(dataset.joints[int(a) : int(b)].numpy(), dataset.fps))
        for a, b in pairwise(dataset.starts.tolist())
    ]
    return torch.cat(parts).float()


def _joined(sequences: list[PoseSequence], *, keep: int) -> PoseSequence:
    """The last ``keep`` frames of sequences laid end to end."""
    rotations = torch.cat([each.rotations for each in sequences], dim=-4)[..., -keep:, :, :, :]
    joints = torch.cat([each.joints for each in sequences], dim=-3)[..., -keep:, :, :]
    return PoseSequence(rotations=rotations, joints=joints, fps=sequences[0].fps)


def _rho(value: Tensor) -> Tensor:
    return (1 + value.square()).sqrt() - 1
