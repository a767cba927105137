"""What the network is trained on: its error on a batch, and how much its motions move, on motions held out."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..motion.contacts import FOOT_JOINTS
from ..motion.features import FEATURES, features_to_rotations, pose_joints, velocities_of
from .checkpoint import MotionGenerator
from .conditions import ANNOTATIONS, CHANNELS, drop_some
from .dataset import FPS, MAX_FRAMES, Batch, TrainingSet
from .diffusion import noise_levels, q_sample, spread_steps
from .noise import smooth
from .options import TrainConfig
from .sample import STEPS, denoise

PART_WEIGHTS = {"root": 8.0, "orient": 4.0, "velocities": 0.5, "center": 4.0, "yaw": 2.0}
"""Weights of channels in the simple loss that are not 1: the few that move the whole body weigh more."""

STILL = 1e-3
"""Motion energy, (m/s)^2, that counts as none: breathing and swaying."""


def channel_weights() -> Float[Tensor, "315"]:
    """``PART_WEIGHTS`` for every channel, with mean 1."""
    weights = torch.ones(CHANNELS)
    for part, weight in PART_WEIGHTS.items():
        weights[(FEATURES | ANNOTATIONS)[part]] = weight
    return weights / weights.mean()


def batch_losses(model: MotionGenerator, batch: Batch, config: TrainConfig, *, generator: torch.Generator) -> dict[str, Tensor]:
    """Losses of a batch at random noise levels: ``simple``, ``joints``, ``velocity``, ``foot``, their weighted ``total``."""
    x0 = (batch.x0 - model.mean) / model.std * batch.valid[..., None]
    step = spread_steps(len(model.schedule), len(x0), generator=generator)
    noise = torch.randn(x0.shape, generator=generator)
    noise = smooth(noise) if model.denoiser.config.coloured else noise
    conditions = drop_some(
        batch.conditions,
        unknown=len(model.actions),
        action=config.drop_action,
        others=config.drop_others,
        goal=config.drop_goal,
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


def energy_error(model: MotionGenerator, held: TrainingSet, *, most: int = 80) -> float:
    """How far the motion energy of samples is from that of held-out motions with the same conditions.

    Energy is the mean squared speed of the joints; the result is the mean over motions of ``abs(log(energy ratio))``. Networks
    that have learnt a small set by heart freeze: their loss still falls, and this rises (as does that of a jittery network).
    """
    errors = []
    for row in torch.linspace(0, len(held) - 1, min(len(held), most)).long().tolist():
        truth = held.channels[row][:MAX_FRAMES]
        generator = torch.Generator().manual_seed(row)
        conditions = held.conditions.rows(slice(row, row + 1))
        conditions = replace(conditions, seconds=torch.tensor([len(truth) / FPS]))
        noise = torch.randn((len(truth), CHANNELS), generator=generator)
        levels = noise_levels(model.schedule, min(STEPS, len(model.schedule)))
        made = denoise(model, conditions, noise, guidance={}, levels=levels)
        rest = held.rest_joints[row]
        energies = []
        for channels in (made, truth):
            joints = pose_joints(*features_to_rotations(channels), rest)
            energies.append(float(velocities_of(joints, fps=FPS).square().sum(-1).mean()))
        errors.append(abs(math.log((energies[0] + STILL) / (energies[1] + STILL))))
    return sum(errors) / len(errors)
