"""Gaussian diffusion with x0-prediction: schedule, forward process and deterministic sampling in few steps.

A ``step`` counts noise levels, 0 (nearly clean) to ``steps - 1`` (pure noise); ``t`` is always time within a motion. A schedule
is the literature's alpha bar: the share of the signal's variance that is left at each step, in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor


def cosine_schedule(steps: int) -> Float[Tensor, "steps"]:
    """The cosine schedule, each step's noise capped at 0.999.

    Source:
        Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", eq. 17.
    """
    times = torch.arange(steps + 1, dtype=torch.float64) / steps
    curve = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return torch.cumprod(1 - (1 - curve[1:] / curve[:-1]).clamp(max=0.999), dim=0)


def q_sample(
    schedule: Float[Tensor, "steps"], x0: Float[Tensor, "b *d"], step: Int[Tensor, "b"], noise: Float[Tensor, "b *d"]
) -> Float[Tensor, "b *d"]:
    """Noise a clean sample to ``step``: x_t = sqrt(abar) x_0 + sqrt(1 - abar) noise.

    Source:
        Ho et al. 2020, eq. 4.
    """
    alpha_bar = schedule[step].to(x0.dtype).reshape(-1, *[1] * (x0.ndim - 1))
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise


def ddim_step(
    schedule: Float[Tensor, "steps"], x0: Float[Tensor, "b *d"], x_t: Float[Tensor, "b *d"], step: int, to: int
) -> Float[Tensor, "b *d"]:
    """Move from ``step`` to the cleaner step ``to`` (-1: all the way to x_0) along the predicted noise, eta = 0.

    Source:
        Song et al. 2020, "Denoising Diffusion Implicit Models", eq. 12 with sigma = 0.
    """
    alpha_bar = float(schedule[step])
    target = float(schedule[to]) if to >= 0 else 1.0
    epsilon = (x_t - math.sqrt(alpha_bar) * x0) / math.sqrt(1 - alpha_bar)
    return math.sqrt(target) * x0 + math.sqrt(1 - target) * epsilon


def sampling_steps(total: int, count: int) -> list[int]:
    """``count`` steps out of ``total``, noisiest first, evenly spaced and ending at the last ("trailing" spacing).

    Raises:
        ValueError: If ``count`` is not in 1..total.
    """
    if not 1 <= count <= total:
        raise ValueError(f"sampling steps must lie in 1..{total}, found {count}")
    return [round(total - index * total / count) - 1 for index in range(count)]


def ddim_sample(
    schedule: Float[Tensor, "steps"],
    predict_x0: Callable[[Tensor, int], Tensor],
    x_t: Float[Tensor, "b *d"],
    steps: Sequence[int],
) -> Float[Tensor, "b *d"]:
    """Denoise from pure noise; deterministic given ``x_t``.

    Args:
        schedule: The one the network was trained with.
        predict_x0: From (x_t, step) to the predicted clean sample.
        x_t: Noise at ``steps[0]``.
        steps: Falling steps, see ``sampling_steps``.
    """
    for step, to in zip(steps, [*steps[1:], -1], strict=True):
        x_t = ddim_step(schedule, predict_x0(x_t, step), x_t, step, to)
    return x_t


def guide(unconditional: Tensor, conditional: Tensor, weight: float) -> Tensor:
    """Classifier-free guidance, x_uncond + w (x_cond - x_uncond); w = 1 is the conditional prediction itself.

    Source:
        Ho & Salimans 2022, eq. 6 (there as (1 + w) and w).
    """
    return unconditional + weight * (conditional - unconditional)
