"""Train one classifier on one arm's clips with one seed; save and load it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .classifiers import build_model, normalize
from .clips import Recording, WindowSampler
from .frames import FrameStore, ahead
from .study import Arm, Study

CHECKPOINT_FORMAT = "understudy-classifier-1"
KEPT = (
    "classes", "rare_class", "window_sec", "frames", "size", "model", "precision", "eval_stride_sec", "alarm_recall",
    "max_bad_share",
)  # fmt: skip
"""What a checkpoint keeps of its study: all that using it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained network and how its loss went."""

    network: nn.Module
    losses: list[float]
    """Cross-entropy of each update's batch."""


SETTLING = 24
"""Batches over which normalization statistics are settled after training; no more than there were updates."""


def compute_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """What ``Study.precision`` means on this machine."""
    if precision == "auto":
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        fast = device.type == "cuda" or bool(supported())
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def batches(
    study: Study,
    arm: Arm,
    real: Sequence[Recording],
    synthetic: Sequence[Recording],
    *,
    store: FrameStore,
    seed: int,
    settling: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of one run, in order: uint8 video (b, 3, t, size, size) and classes (b,).

    For every window a class is drawn uniformly (so rare ones are seen as often as common ones), then real or synthetic where
    the class has both, then a recording, then an instant. The seed alone decides the draws.

    Args:
        settling: Give the ``SETTLING`` batches that ``settle_normalization`` wants instead: other draws, the last phase's mix.
    Raises:
        ValueError: If no clip has a segment of any class.
    """
    rng = np.random.default_rng([seed, 21 if settling else 20])
    samplers = [
        WindowSampler(clips, study.classes, window_sec=study.window_sec) if clips else None for clips in (real, synthetic)
    ]
    first, last = (study.steps, study.steps + min(SETTLING, study.steps)) if settling else (0, study.steps)
    for step in range(first, last):
        if arm.pretrain:
            allowed = [samplers[1] if step < study.steps // 2 else samplers[0]]
        else:
            allowed = samplers
        usable = [sampler for sampler in allowed if sampler is not None]
        labels = sorted({label for sampler in usable for label in sampler.classes})
        videos, targets = [], []
        for _ in range(study.batch):
            label = labels[int(rng.integers(len(labels)))]
            having = [sampler for sampler in usable if label in sampler.classes]
            pick = int(rng.random() < arm.synthetic_share) if len(having) == 2 else 0
            window = having[pick].draw(label, rng=rng)
            recording = having[pick].recordings[window.recording]
            videos.append(store.augmented(recording, window, rng=rng) if arm.augment else store.plain(recording, window))
            targets.append(label)
        yield torch.stack(videos), torch.tensor(targets)


def train(
    study: Study,
    arm: Arm,
    real: Sequence[Recording],
    synthetic: Sequence[Recording],
    *,
    store: FrameStore,
    seed: int,
    tick: Callable[[], Any] = lambda: None,
) -> Trained:
    """Train from scratch for ``study.steps`` updates.

    The same seed gives the same network on the same machine with the same number of threads.

    Args:
        study: Model, windows, optimizer.
        arm: How clips are mixed and augmented.
        real: The arm's real recordings, maybe none.
        synthetic: The arm's synthetic recordings, maybe none.
        store: Where small frames are.
        seed: Decides weights, batches and dropout.
        tick: Called after each update.
    Raises:
        ValueError: If the clips have no segment of any class, or the loss is no longer finite.
    """
    device = compute_device()
    dtype = compute_dtype(study.precision, device)
    losses = []
    # Initial weights and dropout know no generator argument: the global one is forked, seeded, and put back afterwards.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_model(study.model, len(study.classes), frames=study.frames, size=study.size).to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=study.lr, weight_decay=study.weight_decay, foreach=True)
        warm = max(1, study.steps // 10)
        fall = max(study.steps - warm, 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm, 0.5 + 0.5 * float(np.cos(np.pi * max(step - warm, 0) / fall)))
        )
        for step, (video, target) in enumerate(ahead(batches(study, arm, real, synthetic, store=store, seed=seed))):
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                logits = network(normalize(video.to(device)))
            loss = functional.cross_entropy(logits.float(), target.to(device))
            if not torch.isfinite(loss):
                raise ValueError(f"arm {arm.name!r}, seed {seed}: the loss is {loss.item()} at step {step}; lower `lr`")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            tick()
        settle_normalization(network, batches(study, arm, real, synthetic, store=store, seed=seed, settling=True), dtype)
    return Trained(network=network.eval(), losses=losses)


def settle_normalization(network: nn.Module, stream: Iterator[tuple[Tensor, Tensor]], dtype: torch.dtype) -> None:
    """Set every batch normalization's running statistics to their mean over the batches, with the weights as they are now.

    The running statistics kept during training lag behind the weights; after a few hundred updates a network that fits its
    training clips can give one class for everything because of it.
    """
    device = next(network.parameters()).device
    layers = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean of all batches
    network.train()
    with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for video, _ in ahead(stream):
            network(normalize(video.to(device)))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def save_checkpoint(path: Path, network: nn.Module, study: Study, *, arm: str, seed: int) -> None:
    """Write weights (safetensors) with what is needed to use them, atomically."""
    from safetensors.torch import save_file

    about = {"format": CHECKPOINT_FORMAT, "arm": arm, "seed": seed, **study.model_dump(mode="json", include=set(KEPT))}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    try:
        save_file(tensors, temporary, metadata={"understudy": json.dumps(about, sort_keys=True)})
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network, ready to evaluate, and what was written about it.

    Raises:
        ValueError: If it is not a checkpoint of ``recognition train``.
        OSError: If it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(2, "no such checkpoint", str(path))
    try:
        with safe_open(path, framework="pt") as stored:
            about = json.loads((stored.metadata() or {}).get("understudy", "{}"))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a checkpoint of `recognition train` ({error})") from error
    if about.get("format") != CHECKPOINT_FORMAT:
        found = about.get("format")
        raise ValueError(f"{path}: expected a checkpoint of `recognition train` ({CHECKPOINT_FORMAT}), found {found!r}")
    network = build_model(about["model"], len(about["classes"]), frames=about["frames"], size=about["size"])
    network.load_state_dict(tensors)
    return network.to(compute_device()).eval(), about
