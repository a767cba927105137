"""Train the motion generator: seeded per step, so that a resumed run gives the same weights as an uninterrupted one."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..files import write_atomic
from ..motion.contacts import FOOT_JOINTS
from ..motion.features import FEATURES, features_to_rotations, pose_joints, velocities_of
from .checkpoint import FILE_NAME, MotionGenerator, load_generator, new_generator, save_generator
from .conditions import ANNOTATIONS, CHANNELS, drop_some
from .dataset import FPS, Batch, TrainingSet, draw_batch
from .denoiser import DenoiserConfig
from .diffusion import q_sample

PART_WEIGHTS = {"root": 8.0, "orient": 4.0, "velocities": 0.5, "center": 4.0, "yaw": 2.0}
"""Weights of channels in the simple loss that are not 1: the few that move the whole body weigh more."""

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
SAVE_EVERY = 100
"""Steps between checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Options of training; the number of steps is not one of them, so that a run may be prolonged."""

    seed: int = 0
    batch: int = 32
    rate: float = 6e-4
    """Peak learning rate: reached after ``warmup`` steps, kept up to step ``hold``, then decaying with 1 / sqrt(step)."""
    warmup: int = 200
    hold: int = 1000
    weight_decay: float = 0.01
    average: float = 0.998
    """Decay of the running average of the weights, which is the result."""
    diffusion_steps: int = 1000
    drop_action: float = 0.1
    """Chance of training without the action, for classifier-free guidance."""
    drop_others: float = 0.1
    """Chance of training without the support, and without the body shape."""
    joints_weight: float = 5.0
    """Weight of the joints' error through forward kinematics, per square metre."""
    velocity_weight: float = 0.2
    """Weight of the same joints' velocity error, per (m/s)^2."""
    foot_weight: float = 0.2
    """Weight of the speed of standing feet, per (m/s)^2."""
    window: int = 24
    """Frames of each example that the three losses above are computed on, to save time."""
    width: int = 256
    layers: int = 5
    heads: int = 4
    mirror: bool = True
    """Mirror each motion with chance 1/2."""
    trim: float = 0.25
    """Chance of cutting up to 15 % off either end."""
    mixed: bool = True
    """Matrix products in bfloat16."""


def train(
    data: TrainingSet,
    out: Path,
    *,
    steps: int,
    config: TrainConfig,
    resume: str = "automatic",
    report: Callable[[int, dict[str, float]], None] | None = None,
) -> MotionGenerator:
    """Train to ``steps`` steps, from the checkpoint in ``out`` if there is one.

    Args:
        data: Training data.
        out: Folder of the run.
        steps: Total number of steps, including those before a resume.
        config: Options.
        resume: ``automatic`` continues from a checkpoint if there is one; ``never`` starts over.
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
    run = _start(data, config)
    if resume == "automatic" and (out / CHECKPOINT).exists():
        _restore(out, run)
    started = time.monotonic()
    for step in range(run.done, steps):
        losses = _train_step(run, data, config, step)
        run.log.append({"step": step + 1, "seconds": round(time.monotonic() - started, 2), **losses})
        run.done = step + 1
        if report is not None:
            report(step + 1, losses)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            _save(out, run, len(data))
    if not (out / FILE_NAME).exists():
        _save(out, run, len(data))
    return load_generator(out / FILE_NAME)


@dataclass(slots=True, kw_only=True)
class _Run:
    """State of a training run."""

    model: MotionGenerator
    optimiser: torch.optim.Optimizer
    average: dict[str, Tensor]
    """Running average of the weights."""
    origin: dict[str, Any]
    """Options and digest of the data."""
    log: list[dict[str, Any]]
    """One row per step."""
    done: int = 0
    """Number of steps done."""


def _start(data: TrainingSet, config: TrainConfig) -> _Run:
    size = DenoiserConfig(
        channels=CHANNELS,
        actions=len(data.actions),
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        diffusion_steps=config.diffusion_steps,
    )
    model = new_generator(data, size, seed=config.seed)
    weights = model.denoiser.parameters()
    return _Run(
        model=model,
        optimiser=torch.optim.AdamW(weights, lr=config.rate, betas=(0.9, 0.99), weight_decay=config.weight_decay),
        average={name: value.detach().clone() for name, value in model.denoiser.state_dict().items()},
        origin={"config": asdict(config), "data": data.digest},
        log=[],
    )


def _train_step(run: _Run, data: TrainingSet, config: TrainConfig, step: int) -> dict[str, float]:
    """One step of gradient descent; random numbers depend on the seed and the step's number alone."""
    denoiser = run.model.denoiser
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    batch = draw_batch(data, config.batch, generator=generator, mirror=config.mirror, trim=config.trim)
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate(config, step)
    losses = batch_losses(run.model, batch, config, generator=generator)
    run.optimiser.zero_grad(set_to_none=True)
    losses["total"].backward()
    torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
    run.optimiser.step()
    decay = min(config.average, (1 + step) / (10 + step))
    for name, value in denoiser.state_dict().items():
        run.average[name].lerp_(value, 1 - decay)
    return {name: float(value.detach()) for name, value in losses.items()}


def _save(out: Path, run: _Run, motions: int) -> None:
    """Write log, generator and checkpoint."""
    state = {"step": run.done, "model": run.model.denoiser.state_dict(), "average": run.average, "origin": run.origin}
    buffer = io.BytesIO()
    torch.save(state | {"optimiser": run.optimiser.state_dict()}, buffer)
    write_atomic(out / LOG, "".join(json.dumps(row) + "\n" for row in run.log).encode())
    facts = run.origin | {"steps": run.done, "motions": motions, "loss": run.log[-1] if run.log else {}}
    save_generator(replace(run.model, facts=facts), out / FILE_NAME, weights=run.average)
    write_atomic(out / CHECKPOINT, buffer.getvalue())


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, a plateau, then 1 / sqrt(step); independent of the number of steps."""
    number = step + 1
    return config.rate * min(number / config.warmup, 1.0, (config.hold / max(number, 1)) ** 0.5)


def channel_weights() -> Float[Tensor, "315"]:
    """``PART_WEIGHTS`` for every channel, with mean 1."""
    weights = torch.ones(CHANNELS)
    for part, weight in PART_WEIGHTS.items():
        weights[(FEATURES | ANNOTATIONS)[part]] = weight
    return weights / weights.mean()


def batch_losses(model: MotionGenerator, batch: Batch, config: TrainConfig, *, generator: torch.Generator) -> dict[str, Tensor]:
    """Losses of a batch at random noise levels: ``simple``, ``joints``, ``velocity``, ``foot``, their weighted ``total``."""
    x0 = (batch.x0 - model.mean) / model.std * batch.valid[..., None]
    step = torch.randint(len(model.schedule), (len(x0),), generator=generator)
    noise = torch.randn(x0.shape, generator=generator)
    conditions = drop_some(
        batch.conditions,
        unknown=len(model.actions),
        action=config.drop_action,
        others=config.drop_others,
        generator=generator,
    )
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.mixed):
        predicted = model.denoiser(q_sample(model.schedule, x0, step, noise), step, conditions, batch.valid)
    predicted = predicted.float()
    # A mean over each motion's frames, then over motions: motions weigh the same whatever their length.
    frames = batch.valid.sum(1)
    simple = (((predicted - x0) ** 2 * channel_weights()).mean(-1) * batch.valid).sum(1) / frames
    losses = {"simple": simple.mean(), **_kinematic_losses(model, predicted, batch, config, generator=generator)}
    losses["total"] = (
        losses["simple"]
        + config.joints_weight * losses["joints"]
        + config.velocity_weight * losses["velocity"]
        + config.foot_weight * losses["foot"]
    )
    return losses


def _kinematic_losses(
    model: MotionGenerator, predicted: Tensor, batch: Batch, config: TrainConfig, *, generator: torch.Generator
) -> dict[str, Tensor]:
    """Losses on the joints of the predicted rotations, over a random window of each motion."""
    frames = batch.valid.sum(1)
    window = min(config.window, int(frames.min()))
    first = (torch.rand(len(frames), generator=generator) * (frames - window + 1)).long()
    index = (first[:, None] + torch.arange(window))[..., None].expand(-1, -1, predicted.shape[-1])
    guess = torch.gather(predicted, 1, index) * model.std + model.mean
    truth = torch.gather(batch.x0, 1, index)
    rotations, root = features_to_rotations(guess)
    joints = pose_joints(rotations, root, batch.rest_joints)
    true_joints = truth[..., FEATURES["joints"]].unflatten(-1, (24, 3))
    velocities, true_velocities = velocities_of(joints, fps=FPS), velocities_of(true_joints, fps=FPS)
    stands = truth[..., FEATURES["contacts"]]
    sliding = velocities[..., list(FOOT_JOINTS), :].square().sum(-1)
    return {
        "joints": (joints - true_joints).square().sum(-1).mean(),
        "velocity": (velocities - true_velocities).square().sum(-1).mean(),
        "foot": (stands * sliding).mean(),
    }


def _restore(out: Path, run: _Run) -> None:
    """Load the checkpoint and the log of a run in place.

    Raises:
        ValueError: If the checkpoint was made with other data or options.
    """
    path = out / CHECKPOINT
    state = torch.load(path, weights_only=True)
    for key, what in (("data", "another motion store"), ("config", "other options")):
        if state["origin"][key] != run.origin[key]:
            raise ValueError(f"{path} was trained with {what}; use another --out, or --resume never to start over")
    run.model.denoiser.load_state_dict(state["model"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.done, run.average = state["step"], state["average"]
    log = out / LOG
    rows = map(json.loads, log.read_text().splitlines() if log.exists() else [])
    run.log = [row for row in rows if row["step"] <= run.done]
