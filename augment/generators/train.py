"""Train the motion generator: seeded per step, so that a resumed run gives the same weights as an uninterrupted one."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..files import write_atomic
from .checkpoint import FILE_NAME, MotionGenerator, load_generator, new_generator, save_generator
from .conditions import CHANNELS
from .dataset import TrainingSet, draw_batch, part_of, split_rows
from .denoiser import Denoiser, DenoiserConfig
from .inherit import digest_of, inherit
from .losses import batch_losses, energy_error
from .options import TrainConfig
from .refit import fit_last_layer

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
SAVE_EVERY = 100
"""Steps between checkpoints."""
ABOUT = 1.1
"""Validations are noisy: one is about as good as the best if its error is at most so many times that."""
KEPT = ("done", "average", "origin", "best", "best_energy", "best_step", "waited")
"""Fields of a run that its checkpoint holds as they are."""


def train(
    data: TrainingSet,
    out: Path,
    *,
    steps: int,
    config: TrainConfig,
    resume: str = "automatic",
    start: MotionGenerator | None = None,
    report: Callable[[int, dict[str, float]], None] | None = None,
) -> MotionGenerator:
    """Train to ``steps`` steps, from the checkpoint in ``out`` if there is one.

    Args:
        data: Training data.
        out: Folder of the run.
        steps: Total number of steps, including those before a resume.
        config: Options.
        resume: ``automatic`` continues from a checkpoint if there is one; ``never`` starts over.
        start: Trained weights to start from, see ``inherit``; random ones if None.
        report: Called after every step with its number and its losses.
    Returns:
        The trained generator, read back from its file.
    Raises:
        ValueError: If ``resume`` is unknown, or the checkpoint was made with other data or options.
    """
    if resume not in ("automatic", "never"):
        raise ValueError(f"unknown resume mode {resume!r}; expected one of: automatic, never")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, found {steps}")
    out.mkdir(parents=True, exist_ok=True)
    run = _start(data, config, start)
    learnt, held = _parts(data, config)
    if resume == "automatic" and (out / CHECKPOINT).exists():
        _restore(out, run)
    elif start is not None and start.denoiser.config.overlap != run.model.denoiser.config.overlap:
        fit_last_layer(run.model, learnt, generator=torch.Generator().manual_seed(config.seed))
        run.average = _weights(run.model)
    started = time.monotonic()
    for step in range(run.done, steps):
        if run.waited >= config.patience:
            break
        losses = _train_step(run, learnt, config, step)
        run.log.append({"step": step + 1, "seconds": round(time.monotonic() - started, 2), **losses})
        run.done = step + 1
        if report is not None:
            report(step + 1, losses)
        if run.done % config.validate_every == 0:
            _validate(run, held)
        if run.done % SAVE_EVERY == 0 or run.done == steps:
            _save(out, run, len(data))
    if not (out / FILE_NAME).exists():
        _save(out, run, len(data))
    return load_generator(out / FILE_NAME)


@dataclass(slots=True, kw_only=True)
class _Run:
    """State of a training run."""

    model: MotionGenerator
    optimisers: tuple[torch.optim.Optimizer, ...]
    """Muon for the blocks' matrices, which learns them in fewer steps, AdamW for the rest."""
    average: dict[str, Tensor]
    """Running average of the weights."""
    origin: dict[str, Any]
    """Options and digest of the data."""
    log: list[dict[str, Any]]
    """One row per step."""
    done: int = 0
    """Number of steps done."""
    best: dict[str, Tensor] | None = None
    """The running average of the last validation that was about as good as the best."""
    best_energy: float = math.inf
    """The least ``energy_error``."""
    best_step: int = 0
    """The step of ``best``."""
    waited: int = 0
    """Validations since then."""


def _parts(data: TrainingSet, config: TrainConfig) -> tuple[TrainingSet, TrainingSet]:
    """Motions to learn from, and those held out (all of them where every action has too few)."""
    generator = torch.Generator().manual_seed(config.seed)
    learnt, held = split_rows(data, held_out=config.held_out, generator=generator)
    return part_of(data, learnt), part_of(data, held) if held else data


def _validate(run: _Run, held: TrainingSet) -> None:
    """Keep the running average if its motions move about as much like those held out as the best before."""
    denoiser = Denoiser(run.model.denoiser.config)
    denoiser.load_state_dict(run.average)
    error = energy_error(replace(run.model, denoiser=denoiser.requires_grad_(False).eval()), held)
    run.log[-1]["energy_error"] = error
    run.waited += 1
    if error <= ABOUT * run.best_energy:
        run.best = {name: value.clone() for name, value in run.average.items()}
        run.best_energy, run.best_step, run.waited = min(error, run.best_energy), run.done, 0


def _start(data: TrainingSet, config: TrainConfig, start: MotionGenerator | None = None) -> _Run:
    size = DenoiserConfig(
        channels=CHANNELS,
        actions=len(data.actions),
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        overlap=config.overlap,
        fine=config.fine,
        copies_below=config.copies_below,
        coloured=config.coloured,
        goals=True,
        diffusion_steps=config.diffusion_steps,
    )
    if start is not None:
        # Noise and size are those that its weights know.
        theirs = start.denoiser.config
        size = replace(theirs, actions=size.actions, overlap=max(size.overlap, theirs.overlap), goals=True)
    model = new_generator(data, size, seed=config.seed)
    if start is not None:
        inherit(model, start)
    matrices = [weight for block in model.denoiser.blocks for weight in block.parameters() if is_matrix(weight)]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in model.denoiser.parameters() if id(weight) not in chosen]
    decay = config.weight_decay
    return _Run(
        model=model,
        optimisers=(
            torch.optim.Muon(matrices, lr=config.rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=config.rate, betas=(0.9, 0.99), weight_decay=decay),
        ),
        average=_weights(model),
        origin={"config": asdict(config), "data": data.digest} | ({} if start is None else {"start": digest_of(start)}),
        log=[],
    )


def _weights(model: MotionGenerator) -> dict[str, Tensor]:
    """A copy of the network's weights."""
    return {name: value.detach().clone() for name, value in model.denoiser.state_dict().items()}


def is_matrix(weight: Tensor) -> bool:
    """Whether a weight of a block maps tokens to tokens: its other weights are shares and shifts of single channels."""
    return weight.ndim == 2 and min(weight.shape) > 6


def _train_step(run: _Run, data: TrainingSet, config: TrainConfig, step: int) -> dict[str, float]:
    """One step of gradient descent; random numbers depend on the seed and the step's number alone."""
    denoiser = run.model.denoiser
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    batch = draw_batch(data, config.batch, generator=generator, mirror=config.mirror, trim=config.trim)
    losses = batch_losses(run.model, batch, config, generator=generator)
    denoiser.zero_grad(set_to_none=True)
    losses["total"].backward()
    torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
    for optimiser in run.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config, step)
        optimiser.step()
    decay = min(config.average, (1 + step) / (10 + step))
    for name, value in denoiser.state_dict().items():
        run.average[name].lerp_(value, 1 - decay)
    return {name: float(value.detach()) for name, value in losses.items()}


def _save(out: Path, run: _Run, motions: int) -> None:
    """Write log, generator and checkpoint."""
    state = {name: getattr(run, name) for name in KEPT} | {"model": run.model.denoiser.state_dict()}
    buffer = io.BytesIO()
    torch.save(state | {"optimisers": [optimiser.state_dict() for optimiser in run.optimisers]}, buffer)
    write_atomic(out / LOG, "".join(json.dumps(row) + "\n" for row in run.log).encode())
    loss = run.log[(run.best_step or run.done) - 1] if run.log else {}
    facts = run.origin | {"steps": run.best_step or run.done, "motions": motions, "loss": loss}
    save_generator(replace(run.model, facts=facts), out / FILE_NAME, weights=run.best or run.average)
    write_atomic(out / CHECKPOINT, buffer.getvalue())


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, a plateau, then 1 / sqrt(step), or down to zero at ``ends``; independent of the number of steps."""
    number = step + 1
    if config.ends:
        left = (config.ends - step) / max(config.ends - config.hold, 1)
        return config.rate * min(number / config.warmup, 1.0, max(left, 0.0))
    return config.rate * min(number / config.warmup, 1.0, (config.hold / max(number, 1)) ** 0.5)


def _restore(out: Path, run: _Run) -> None:
    """Load the checkpoint and the log of a run in place.

    Raises:
        ValueError: If the checkpoint was made with other data or options.
    """
    path = out / CHECKPOINT
    state = torch.load(path, weights_only=True)
    for key, what in (("data", "another motion store"), ("config", "other options"), ("start", "other weights to start from")):
        if state["origin"].get(key) != run.origin.get(key):
            raise ValueError(f"{path} was trained with {what}; use another --out, or --resume never to start over")
    run.model.denoiser.load_state_dict(state["model"])
    for optimiser, kept in zip(run.optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(kept)
    for name in KEPT:
        setattr(run, name, state[name])
    log = out / LOG
    rows = map(json.loads, log.read_text().splitlines() if log.exists() else [])
    run.log = [row for row in rows if row["step"] <= run.done]
