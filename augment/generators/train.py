"""Train the motion generator: seeded step by step, so that a run cut anywhere and resumed equals one that was not."""

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
from .dataset import FPS, Batch, TrainingSet, draw_batch, load_training_set
from .denoiser import Denoiser, DenoiserConfig
from .diffusion import Schedule, q_sample

PART_WEIGHTS = {"root": 8.0, "orient": 4.0, "velocities": 0.5, "center": 4.0, "yaw": 2.0}
"""Weight of a channel in the simple loss where it is not 1: the few that move the whole body must be heard among the many."""

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How to train; the number of steps is no part of it, so a run may be prolonged."""

    seed: int = 0
    batch: int = 32
    rate: float = 6e-4
    """Highest learning rate: reached after ``warmup`` steps, held to ``hold``, then falling with 1 / sqrt(step)."""
    warmup: int = 200
    hold: int = 1000
    weight_decay: float = 0.01
    average: float = 0.998
    """Decay of the running average of the weights, which is what gets shipped."""
    diffusion_steps: int = 1000
    drop_action: float = 0.1
    """Chance of training without the action, for classifier-free guidance."""
    drop_others: float = 0.1
    """Chance of training without the support, and without the body shape."""
    joints_weight: float = 5.0
    """Loss on joints through forward kinematics, a square metre."""
    velocity_weight: float = 0.2
    """Loss on the same joints' velocities, a (m/s)^2."""
    foot_weight: float = 0.2
    """Loss on the speed of feet that stand, a (m/s)^2."""
    window: int = 24
    """Frames of each example that the three losses above look at; kinematics on all of them would double the time of a step."""
    width: int = 256
    layers: int = 5
    heads: int = 4
    mirror: bool = True
    """Show each motion in the mirror as often as not."""
    trim: float = 0.25
    """Chance of cutting up to 15 % off either end."""
    mixed: bool = True
    """Matrix products in bfloat16."""


def train_generator(
    store_dir: Path,
    out: Path,
    *,
    steps: int,
    config: TrainConfig | None = None,
    resume: str = "automatic",
    report: Callable[[int, dict[str, float]], None] | None = None,
) -> MotionGenerator:
    """Train on a motion store into the folder ``out`` (``generator.safetensors``, ``checkpoint.pt``, ``log.jsonl``)."""
    data = load_training_set(Path(store_dir))
    return train(data, Path(out), steps=steps, config=config or TrainConfig(), resume=resume, report=report)


def train(
    data: TrainingSet,
    out: Path,
    *,
    steps: int,
    config: TrainConfig,
    resume: str = "automatic",
    save_every: int = 100,
    report: Callable[[int, dict[str, float]], None] | None = None,
) -> MotionGenerator:
    """Train to ``steps`` steps, from the checkpoint in ``out`` if there is one.

    Args:
        data: What to learn from.
        out: Folder of the run.
        steps: Total number of steps, those before a resume included.
        config: Options.
        resume: ``automatic`` continues from a checkpoint where there is one; ``never`` starts over.
        save_every: Steps between checkpoints.
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
    size = DenoiserConfig(
        channels=CHANNELS,
        actions=len(data.actions),
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        diffusion_steps=config.diffusion_steps,
    )
    model = new_generator(data, size, seed=config.seed)
    denoiser = model.denoiser
    optimiser = torch.optim.AdamW(denoiser.parameters(), lr=config.rate, betas=(0.9, 0.99), weight_decay=config.weight_decay)
    average = {name: value.detach().clone() for name, value in denoiser.state_dict().items()}
    origin = {"config": asdict(config), "data": data.digest}
    done = 0
    if resume == "automatic" and (out / CHECKPOINT).exists():
        done, average = _restore(out / CHECKPOINT, denoiser, optimiser, origin)
    log = _read_log(out / LOG, done)
    started = time.monotonic()

    def keep(step: int) -> None:
        state = {"step": step, "model": denoiser.state_dict(), "average": average, "origin": origin}
        buffer = io.BytesIO()
        torch.save(state | {"optimiser": optimiser.state_dict()}, buffer)
        write_atomic(out / LOG, "".join(json.dumps(row) + "\n" for row in log).encode())
        facts = origin | {"steps": step, "motions": len(data), "loss": log[-1] if log else {}}
        save_generator(replace(model, facts=facts), out / FILE_NAME, weights=average)
        write_atomic(out / CHECKPOINT, buffer.getvalue())

    for step in range(done, steps):
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        batch = draw_batch(data, config.batch, generator=generator, mirror=config.mirror, trim=config.trim)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config, step)
        losses = batch_losses(model, batch, config, generator=generator)
        optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimiser.step()
        decay = min(config.average, (1 + step) / (10 + step))
        for name, value in denoiser.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        plain = {name: float(value.detach()) for name, value in losses.items()}
        log.append({"step": step + 1, "seconds": round(time.monotonic() - started, 2), **plain})
        if report is not None:
            report(step + 1, plain)
        if (step + 1) % save_every == 0 or step + 1 == steps:
            keep(step + 1)
    if not (out / FILE_NAME).exists():
        keep(done)
    return load_generator(out / FILE_NAME)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, a plateau, then 1 / sqrt(step); it does not depend on when training will end."""
    number = step + 1
    return config.rate * min(number / config.warmup, 1.0, (config.hold / max(number, 1)) ** 0.5)


def channel_weights() -> Float[Tensor, "315"]:
    """``PART_WEIGHTS`` laid out over the channels, with mean 1."""
    weights = torch.ones(CHANNELS)
    for part, weight in PART_WEIGHTS.items():
        weights[(FEATURES | ANNOTATIONS)[part]] = weight
    return weights / weights.mean()


def batch_losses(model: MotionGenerator, batch: Batch, config: TrainConfig, *, generator: torch.Generator) -> dict[str, Tensor]:
    """Losses of a batch at random noise levels: ``simple``, ``joints``, ``velocity``, ``foot``, their weighted ``total``."""
    schedule: Schedule = model.schedule
    x0 = (batch.x0 - model.mean) / model.std * batch.valid[..., None]
    step = torch.randint(len(schedule), (len(x0),), generator=generator)
    noise = torch.randn(x0.shape, generator=generator)
    conditions = drop_some(
        batch.conditions,
        unknown=len(model.actions),
        action=config.drop_action,
        others=config.drop_others,
        generator=generator,
    )
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.mixed):
        predicted = model.denoiser(q_sample(schedule, x0, step, noise), step, conditions, batch.valid)
    predicted = predicted.float()
    # A mean over each motion's own frames, then over motions: a long motion counts no more than a short one.
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
    """Losses on the joints that the predicted rotations really give, over a random stretch of each motion."""
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


def _restore(
    path: Path, denoiser: Denoiser, optimiser: torch.optim.Optimizer, origin: dict[str, Any]
) -> tuple[int, dict[str, Tensor]]:
    """Load a checkpoint in place; the step it was made at and the running average."""
    state = torch.load(path, weights_only=True)
    for key, what in (("data", "another motion store"), ("config", "other options")):
        if state["origin"][key] != origin[key]:
            raise ValueError(f"{path} was trained with {what}; use another --out, or --resume never to start over")
    denoiser.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["average"]


def _read_log(path: Path, done: int) -> list[dict[str, Any]]:
    """Rows of an earlier run up to its checkpoint."""
    if done == 0 or not path.exists():
        return []
    return [row for row in map(json.loads, path.read_text().splitlines()) if row["step"] <= done]
