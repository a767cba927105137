"""Find the last layer of a network by least squares: it is linear, and its best weights for given tokens have a closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from .checkpoint import MotionGenerator
from .dataset import Batch, TrainingSet, draw_batch
from .diffusion import q_sample, spread_steps
from .noise import smooth

RIDGE = 1e-4
"""Penalty of squared weights, in shares of the number of tokens."""


def fit_last_layer(model: MotionGenerator, data: TrainingSet, *, generator: torch.Generator, batches: int = 120) -> None:
    """Fit the layer from tokens to frames to noisy motions and their clean ones, in place; the other weights stay as they are.

    Args:
        model: Its tokens may see more frames than those that its other weights were trained with (``inherit``).
        data: Motions to learn from.
        generator: Source of randomness.
        batches: Of 16 motions, at noise levels that are spread evenly.
    """
    denoiser, config = model.denoiser, model.denoiser.config
    tokens: list[Tensor] = []
    hook = denoiser.frames_out.register_forward_pre_hook(lambda _, inputs: tokens.append(inputs[0]))
    square, cross = torch.zeros((config.width + 1,) * 2).double(), torch.zeros(config.width + 1, config.seen * config.channels)
    for _ in range(batches):
        batch = draw_batch(data, 16, generator=generator, mirror=True, trim=0.25)
        x0 = (batch.x0 - model.mean) / model.std * batch.valid[..., None]
        step = spread_steps(len(model.schedule), len(x0), generator=generator)
        noise = torch.randn(x0.shape, generator=generator)
        with torch.inference_mode():
            noisy = q_sample(model.schedule, x0, step, smooth(noise) if config.coloured else noise)
            denoiser(noisy, step, batch.conditions, batch.valid)
        given, wanted = _pairs(model, tokens.pop(), x0, batch)
        square += given.T.double() @ given.double()
        cross += given.T @ wanted
    hook.remove()
    square.diagonal().add_(RIDGE * square[-1, -1])
    weights = torch.linalg.solve(square, cross.double()).float()
    with torch.no_grad():
        denoiser.frames_out.weight.copy_(weights[:-1].T)
        denoiser.frames_out.bias.copy_(weights[-1])


def _pairs(model: MotionGenerator, tokens: Tensor, x0: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Each token with a 1 for the bias, and the clean frames that it should say; a motion's ends are held beyond them."""
    patch, overlap = model.denoiser.config.patch, model.denoiser.config.overlap
    given, wanted = [], []
    for own, frames, length in zip(tokens, x0, batch.valid.sum(1).tolist(), strict=True):
        after = -length % patch + overlap
        held = torch.cat([frames[:1].expand(overlap, -1), frames[:length], frames[length - 1 : length].expand(after, -1)])
        windows = held.unfold(0, patch + 2 * overlap, patch).transpose(-1, -2).flatten(1)
        given.append(torch.cat([own[: len(windows)], torch.ones(len(windows), 1)], dim=1))
        wanted.append(windows)
    return torch.cat(given), torch.cat(wanted)
