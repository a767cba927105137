"""ACTOR: a transformer VAE of motions of an action, the usual comparator of samplers of motions.

Source:
    Petrovich et al. 2021, "Action-Conditioned 3D Human Motion Synthesis with Transformer VAE", sections 3 and 4:
    one mean and one deviation token for each action, a latent vector shifted by the action, times as the decoder's queries;
    squared errors of rotations and joints, and 1e-5 of the divergence. The root's place is predicted, as in its appendix.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from augment.files import write_atomic
from augment.generators.dataset import FPS, MAX_FRAMES, TrainingSet, draw_batch, normalisation, valid_frames
from augment.generators.denoiser import sinusoid
from augment.motion.features import FEATURES, features_to_rotations, pose_joints, velocities_of

POSE = [*range(FEATURES["root"].start, FEATURES["orient"].stop), *range(FEATURES["body"].start, FEATURES["body"].stop)]
"""Channels that make a pose: the root's place and rotation, and the rotations of the joints."""
DIVERGENCE = 1e-5
"""Weight of the divergence; five times as much freezes motions."""
RATE, BATCH = 1e-4, 20


class Actor(nn.Module):
    """Motions of an action to latent vectors and back."""

    def __init__(self, actions: int, *, width: int = 256, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.width = width
        size = {"nhead": heads, "dim_feedforward": 4 * width, "activation": "gelu", "batch_first": True}
        self.pose_in = nn.Linear(len(POSE), width)
        self.distributions = nn.Parameter(torch.randn(actions, 2, width))
        self.shifts = nn.Parameter(torch.randn(actions, width))
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(width, **size), layers, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(width, **size), layers)
        self.pose_out = nn.Linear(width, len(POSE))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(len(POSE)))
        self.register_buffer("std", torch.ones(len(POSE)))

    def encode(
        self, poses: Float[Tensor, "b t p"], action: Int[Tensor, "b"], valid: Bool[Tensor, "b t"]
    ) -> tuple[Float[Tensor, "b w"], Float[Tensor, "b w"]]:
        """Mean and logarithm of the variance of each normalised motion's latent vector."""
        tokens = torch.cat([self.distributions[action], self.pose_in(poses)], dim=1)
        tokens = tokens + sinusoid(torch.arange(float(tokens.shape[1])), self.width)
        absent = nn.functional.pad(~valid, (2, 0), value=False)
        mean, log_variance = self.encoder(tokens, src_key_padding_mask=absent)[:, :2].unbind(1)
        return mean, log_variance

    def decode(
        self, latent: Float[Tensor, "b w"], action: Int[Tensor, "b"], valid: Bool[Tensor, "b t"]
    ) -> Float[Tensor, "b t p"]:
        """Normalised poses."""
        times = sinusoid(torch.arange(float(valid.shape[1])), self.width).expand(len(latent), -1, -1)
        shifted = (latent + self.shifts[action])[:, None]
        return self.pose_out(self.decoder(times, shifted, tgt_key_padding_mask=~valid))


def train_actor(data: TrainingSet, *, generator: torch.Generator, steps: int, width: int = 256, rate: float = RATE) -> Actor:
    """Train on motions of any length up to that of a training example, and their mirror images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        model = Actor(len(data.actions), width=width)
        mean, std = (part[POSE] for part in normalisation(data))
        model.mean, model.std = mean, std
        optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
        for _ in range(steps):
            batch = draw_batch(data, BATCH, generator=generator, mirror=True, trim=0.25)
            poses, action = (batch.x0[..., POSE] - mean) / std, batch.conditions.action
            center, log_variance = model.encode(poses, action, batch.valid)
            latent = center + (0.5 * log_variance).exp() * torch.randn(center.shape, generator=generator)
            made = model.decode(latent, action, batch.valid)
            joints = _channels(made * std + mean, batch.rest_joints)[..., FEATURES["joints"]]
            present = batch.valid[..., None]
            error = ((made - poses).square() * present).sum() / present.sum() / len(POSE)
            error = error + ((joints - batch.x0[..., FEATURES["joints"]]).square() * present).sum() / present.sum() / 72
            divergence = 0.5 * (center.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()
            optimiser.zero_grad(set_to_none=True)
            (error + DIVERGENCE * divergence).backward()
            optimiser.step()
    return model.requires_grad_(False).eval()


def sample_actor(model: Actor, asked: TrainingSet, *, generator: torch.Generator) -> list[Float[Tensor, "_ _"]]:
    """One motion for each one asked for, of the same action, length and body."""
    made = []
    for channels, rest, action in zip(asked.channels, asked.rest_joints, asked.conditions.action, strict=True):
        valid = valid_frames([min(len(channels), MAX_FRAMES)])
        poses = model.decode(torch.randn(1, model.width, generator=generator), action[None], valid)
        made.append(_channels(poses * model.std + model.mean, rest)[0])
    return made


def _channels(poses: Float[Tensor, "*b t p"], rest: Float[Tensor, "*b 24 3"]) -> Float[Tensor, "*b t 295"]:
    """Features of poses that are not normalised, without contacts."""
    channels = poses.new_zeros(*poses.shape[:-1], FEATURES["contacts"].stop)
    channels[..., POSE] = poses
    joints = pose_joints(*features_to_rotations(channels), rest)
    parts = {"joints": joints.flatten(-2), "velocities": velocities_of(joints, fps=FPS).flatten(-2)}
    for name, part in parts.items():
        channels[..., FEATURES[name]] = part
    return channels


def save_actor(model: Actor, actions: Sequence[str], path: Path) -> None:
    """Write its file."""
    facts = {"actions": json.dumps(list(actions)), "width": str(model.width)}
    write_atomic(path, save(model.state_dict(), facts))


def load_actor(path: Path) -> tuple[Actor, tuple[str, ...]]:
    """The model, and the actions that it knows.

    Raises:
        ValueError: If the file is not such a model's.
    """
    with safe_open(path, framework="pt") as file:
        facts = file.metadata() or {}
        if not {"actions", "width"} <= facts.keys():
            raise ValueError(f"{path}: no model of ACTOR; train one with `python -m benchmarks.motion actor`")
        actions = tuple(json.loads(facts["actions"]))
        model = Actor(len(actions), width=int(facts["width"]))
        model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - not a mapping
    return model.requires_grad_(False).eval(), actions
