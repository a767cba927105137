"""Train one classifier on one arm's clips with one seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import update_bn

from .device import autocast, compute_device
from .inputs.kinds import ClipInput
from .label_check import LabelCheck, label_check
from .networks.build import build_model, start_from, to_network
from .prefetch import ahead
from .recordings import Recording, TrainingClips
from .study import Arm, Study
from .windows import WindowSampler

WEIGHT_DECAY = 0.05
"""AdamW's weight decay."""
STATISTICS_BATCHES = 24
"""Batches from which the statistics of batch normalization are computed after training; at most as many as updates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedClassifier:
    """A trained network and its loss curve."""

    network: nn.Module
    losses: list[float]
    """Cross-entropy of each update's batch."""
    doubted: dict[str, float]
    """Name of each real recording to the share of its drawn windows that were left out (``Arm.check_labels``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one update sees."""

    windows: Tensor
    """As the input gives them; pictures are uint8 video (b, 3, t, size, size)."""
    labels: Int64[Tensor, " b"]
    real: list[Recording | None]
    """The real recording that each window is of; None for a synthetic one."""


def batches(
    study: Study, arm: Arm, clips: TrainingClips, *, store: ClipInput, seed: int, for_statistics: bool = False
) -> Iterator[Batch]:
    """The batches of one run, in order.

    For every window a class is drawn uniformly (so that rare ones are seen as often as common ones), then real or synthetic if
    the class has both, then a recording, then a time. The seed alone decides the draws.

    Args:
        study: Gives classes, windows, and number and size of the batches.
        arm: How clips are mixed and augmented.
        clips: The arm's clips.
        store: The clips' decoded frames.
        seed: Decides the draws.
        for_statistics: Give ``STATISTICS_BATCHES`` other batches, mixed as at the end of training.
    Raises:
        ValueError: If no clip has a segment of any class.
    """
    rng = np.random.default_rng([seed, 21 if for_statistics else 20])
    real, synthetic = (
        WindowSampler(recordings, study.classes, window_sec=study.window_sec) if recordings else None
        for recordings in (clips.real, clips.synthetic)
    )
    steps = range(study.steps)
    if for_statistics:
        steps = range(study.steps, study.steps + min(STATISTICS_BATCHES, study.steps))
    for step in steps:
        alone = step < checked_from(study, arm, clips)
        usable = [sampler for sampler in ([synthetic] if alone else [real, synthetic]) if sampler is not None]
        labels = sorted({label for sampler in usable for label in sampler.classes})
        videos, targets, of_real = [], [], []
        for _ in range(study.batch):
            label = labels[int(rng.integers(len(labels)))]
            having = [sampler for sampler in usable if label in sampler.classes]
            pick = int(rng.random() < arm.synthetic_share) if len(having) == 2 else 0
            window = having[pick].draw(label, rng=rng)
            recording = having[pick].recordings[window.recording]
            videos.append(store.augmented(recording, window, rng=rng) if arm.augment else store.plain(recording, window))
            targets.append(label)
            of_real.append(recording if having[pick] is real else None)
        yield Batch(windows=torch.stack(videos), labels=torch.tensor(targets), real=of_real)


def train(
    study: Study,
    arm: Arm,
    clips: TrainingClips,
    *,
    store: ClipInput,
    seed: int,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> TrainedClassifier:
    """Train for ``study.steps`` updates, from ``study.weights``.

    The same seed gives the same network on the same machine with the same number of threads.

    Args:
        study: Model, windows, optimizer.
        arm: How clips are mixed and augmented.
        clips: The arm's clips.
        store: The clips' decoded frames.
        seed: Decides weights, batches and dropout.
        progress: Called after each update with their number, and how many there will be.
    Raises:
        ValueError: If the clips have no segment of any class, the weights to start from cannot be had or are of another
            network, or the loss is no longer finite.
    """
    device = compute_device()
    losses: list[float] = []
    check: LabelCheck | None = None

    def settled(network: nn.Module, arm: Arm, clips: TrainingClips) -> nn.Module:
        """The network with the statistics of batch normalization computed anew, ready to evaluate.

        The running ones lag behind the weights; after a few hundred updates a network that fits its training clips can predict
        one class for everything because of it.
        """
        others = ahead(batches(study, arm, clips, store=store, seed=seed, for_statistics=True))
        with autocast(study.precision):
            update_bn((to_network(batch.windows.to(device)) for batch in others), network)
        return network.eval()

    # Initial weights and dropout take no generator: the global one is forked, seeded, and restored afterwards.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_model(study.model, len(study.classes), frames=study.frames, size=study.size)
        start_from(network, study.weights, model=study.model, input=study.input)
        network = network.to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=study.lr, weight_decay=WEIGHT_DECAY, foreach=True)
        schedule = warmup_cosine(optimizer, study.steps)
        for step, batch in enumerate(ahead(batches(study, arm, clips, store=store, seed=seed))):
            if step == checked_from(study, arm, clips):
                films = TrainingClips(real=[], synthetic=clips.synthetic)
                check = label_check(settled(copy.deepcopy(network), arm, films), clips, study, store=store)
            seen, labels = to_network(batch.windows.to(device)), batch.labels.to(device)
            with autocast(study.precision):
                weights = torch.ones(len(labels)) if check is None else check.weights(seen, labels, batch.real)
                logits = network(seen)
            loss = weighted_loss(logits.float(), labels, weights.to(device))
            if not torch.isfinite(loss):
                raise ValueError(f"arm {arm.name!r}, seed {seed}: the loss is {loss.item()} at step {step}; lower `lr`")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            progress(len(losses), study.steps)
        network = settled(network, arm, clips)
    return TrainedClassifier(network=network, losses=losses, doubted=check.doubted() if check else {})


def weighted_loss(logits: Float[Tensor, "b c"], labels: Int64[Tensor, " b"], weights: Float[Tensor, " b"]) -> Tensor:
    """Cross-entropy, the mean over the windows of weight 1."""
    each = functional.cross_entropy(logits, labels, reduction="none")
    return (each * weights).sum() / weights.sum().clamp(min=1)


def checked_from(study: Study, arm: Arm, clips: TrainingClips) -> int:
    """The update from which an arm with ``check_labels`` sees real clips; -1 where there is nothing to check, or by nothing."""
    return study.steps // 2 if arm.check_labels and clips.real and clips.synthetic else -1


def warmup_cosine(optimizer: torch.optim.Optimizer, steps: int) -> LambdaLR:
    """A schedule that rises linearly for a tenth of the steps, then falls to zero as a cosine."""
    warm = max(1, steps // 10)
    fall = max(steps - warm, 1)

    def factor(step: int) -> float:
        return min((step + 1) / warm, 0.5 + 0.5 * float(np.cos(np.pi * max(step - warm, 0) / fall)))

    return LambdaLR(optimizer, factor)
