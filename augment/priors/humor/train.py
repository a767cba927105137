"""Train HuMoR's networks, and fit the mixture over states."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ...motion.contacts import foot_contacts
from ..loop import Trained, TrainOptions, train_network
from ..poses import FPS, PoseDataset, mirror_sequence, sequence_at, windows_of
from ..prior import PoseSequence
from .humor import rho
from .mixture import fit_mixture
from .net import HumorConfig, Scales, Transitions
from .state import states_of, tidy


def train_humor(dataset: PoseDataset, config: HumorConfig, generator: torch.Generator, options: TrainOptions) -> Trained:
    """Train the networks and the mixture on the training motions of a dataset at 30 frames a second.

    Raises:
        ValueError: If the rate is another one, or no motion is long enough for a window.
    """
    if dataset.fps != FPS:
        raise ValueError(f"humor: field fps: expected motions at {FPS:g} frames a second, found {dataset.fps:g}")
    length = config.window + 2  # the first frame is needed for the rates of the second
    starts = windows_of(dataset, length, held_out=False)
    if len(starts) == 0:
        raise ValueError(f"humor: expected motions of at least {length} frames, found none; add longer ones to the store")
    contacts = _contacts(dataset)
    scales = _scales(dataset, starts, length, generator=generator)
    net = Transitions(config)

    def windows(count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        first = starts[torch.randint(len(starts), (count,), generator=draw)]
        seen, feet = sequence_at(dataset, first, length), contacts[first[:, None] + torch.arange(2, length)]
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
        share = step / options.steps
        own = config.own_most * max(0.0, (share - config.own_from) / (1 - config.own_from))
        error, logits, divergence = _predict(net, scales, states, own, draw)
        parts = {
            "change": 2 * rho(error).mean(),
            "contacts": binary_cross_entropy_with_logits(logits, feet),
            "kl": divergence.mean(),
        }
        weight = config.kl * min(1.0, share / config.kl_warmup) if config.kl_warmup > 0 else config.kl
        return {"total": parts["change"] + config.contacts * parts["contacts"] + weight * parts["kl"], **parts}

    origin = {"kind": "humor", "config": repr(asdict(config)), "data": dataset.digest}
    last = train_network(net, losses, rate=config.rate, options=options, origin=origin)
    with torch.no_grad():
        draw = torch.Generator().manual_seed(options.seed)
        mixed, _ = windows(max(1, config.moments_from // (config.window + 1)), draw)
        states, _ = windows(min(1024, 4 * len(starts)), draw)
        error, _, _ = _predict(net, scales, states, 0.0, None)
    tensors = {f"net.{name}": value for name, value in net.state_dict().items()}
    tensors |= {"mean": scales.mean, "std": scales.std, "change": scales.change}
    tensors["error"] = error.flatten(0, -2).square().mean(0).sqrt().clamp(min=1e-3)
    fitted = fit_mixture(
        scales.scaled(mixed.flatten(0, 1)), components=config.moments, smallest=config.smallest, seed=options.seed
    )
    tensors |= {f"moments.{name}": value for name, value in fitted.items()}
    return tensors, {"steps": options.steps, "windows": len(starts), "loss": last}


def _predict(
    net: Transitions, scales: Scales, states: Tensor, own: float, draw: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Errors of the scaled change (b, t - 1, 262), contact logits (b, t - 1, 4) and divergences (b, t - 1) along windows.

    Args:
        own: Chance that a step starts from the predicted state instead of the true one (scheduled sampling).
        draw: Source of randomness for z and for that choice; None takes the posterior's mean.
    """
    if own == 0.0:
        return _step(net, scales, states[:, :-1], states[:, 1:], draw)[:3]
    before, rows = states[:, 0], []
    for time in range(1, states.shape[1]):
        error, logits, divergence, change = _step(net, scales, before, states[:, time], draw)
        rows.append((error, logits, divergence))
        predicted = tidy(before + change.detach() * scales.change)
        use_own = torch.rand(len(states), 1, generator=draw) < own
        before = torch.where(use_own, predicted, states[:, time])
    errors, logits, divergences = zip(*rows, strict=True)
    return torch.stack(errors, dim=1), torch.stack(logits, dim=1), torch.stack(divergences, dim=1)


def _step(
    net: Transitions, scales: Scales, before: Tensor, now: Tensor, draw: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Error, contact logits, divergence and predicted change of one transition; any leading shape."""
    scaled = scales.scaled(before)
    mean, log_std = net.posterior_z(scaled, scales.scaled(now))
    z = mean if draw is None else mean + log_std.exp() * torch.randn(mean.shape, generator=draw)
    change, logits = net.decode(scaled, z)
    prior_mean, prior_log_std = net.prior_z(scaled)
    ratio = (2 * (log_std - prior_log_std)).exp()
    distance = ((mean - prior_mean) / prior_log_std.exp()).square()
    divergence = 0.5 * (ratio + distance - 1 - ratio.log()).sum(-1)
    return change - (now - before) / scales.change, logits, divergence, change


def _scales(dataset: PoseDataset, starts: Tensor, length: int, *, generator: torch.Generator) -> Scales:
    chosen = starts[torch.randint(len(starts), (2000,), generator=generator)]
    seen = sequence_at(dataset, chosen, length)
    states = torch.cat([states_of(seen)[:, 1:], states_of(mirror_sequence(seen))[:, 1:]])
    changes = states[:, 1:] - states[:, :-1]
    # A channel that is constant in the data (a joint that stays straight) must not give noise an infinite energy.
    return Scales(
        mean=states.mean((0, 1)),
        std=states.std((0, 1)).clamp(min=0.02),
        change=changes.square().mean((0, 1)).sqrt().clamp(min=2e-3),
    )


def _contacts(dataset: PoseDataset) -> Float[Tensor, "n 4"]:
    """Foot contacts of all frames."""
    parts = [
        torch.as_tensor(foot_contacts(dataset.joints[int(a) : int(b)].numpy(), dataset.fps))
        for a, b in pairwise(dataset.starts.tolist())
    ]
    return torch.cat(parts).float()
