"""Gaussian diffusion with x0-prediction: schedule, forward process and deterministic sampling in few steps.

A ``step`` counts noise levels, 0 (nearly clean) to ``steps - 1`` (pure noise); ``t`` is always time within a motion. A schedule
is the literature's alpha bar: the share of the signal's variance that is left at each step, in double precision.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

NOISIEST, CLEANEST, SPREAD = 10.0, 0.2, 3.0
"""Range and spacing of ``noise_levels``: in 8 steps, jumps and falls keep more of their speed than with evenly spaced ones;
falls get faster with a wider range (``benchmarks/README.md``, Sampled motions)."""


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


def spread_steps(levels: int, count: int, *, generator: torch.Generator) -> Int[Tensor, "count"]:
    """Noise levels of a batch: each uniform in 0..levels-1, together spread evenly, so that batches differ less."""
    places = (torch.randperm(count, generator=generator) + torch.rand(1, generator=generator)) / count
    return (places * levels).long().clamp(max=levels - 1)


def sampling_steps(total: int, count: int) -> list[int]:
    """``count`` steps out of ``total``, noisiest first, evenly spaced and ending at the last ("trailing" spacing).

    Raises:
        ValueError: If ``count`` is not in 1..total.
    """
    if not 1 <= count <= total:
        raise ValueError(f"sampling steps must lie in 1..{total}, found {count}")
    return [round(total - index * total / count) - 1 for index in range(count)]


def noise_levels(schedule: Float[Tensor, "steps"], count: int) -> list[int]:
    """``count`` steps, noisiest first: pure noise, then noise on x_0 that falls from ``NOISIEST`` to ``CLEANEST`` deviations.

    Raises:
        ValueError: If ``count`` is more than the schedule has.
    Source:
        Karras et al. 2022, "EDM", eq. 5, with rho = ``SPREAD``.
    """
    steps, noise = sampling_steps(len(schedule), count), ((1 - schedule) / schedule).sqrt()
    ends = NOISIEST ** (1 / SPREAD), CLEANEST ** (1 / SPREAD)
    for index in range(1, count):
        share = (index - 1) / max(count - 2, 1)
        wanted = (ends[0] + share * (ends[1] - ends[0])) ** SPREAD
        nearest = int((noise - wanted).abs().argmin())
        # Where levels are few, each is still lower than the one before, and leaves enough for those after it.
        steps[index] = max(min(nearest, steps[index - 1] - 1), count - 1 - index)
    return steps


def dpm_sample(
    schedule: Float[Tensor, "steps"],
    predict_x0: Callable[[Tensor, int], Tensor],
    x_t: Float[Tensor, "*d"],
    steps: Sequence[int],
) -> Float[Tensor, "*d"]:
    """Denoise from pure noise with DPM-Solver++, second order, two predictions a step; deterministic given ``x_t``.

    The last step ends at the last prediction of x_0.

    Args:
        schedule: The one the network was trained with.
        predict_x0: From (x_t, step) to the predicted clean sample.
        x_t: Noise at ``steps[0]``.
        steps: Falling steps, see ``noise_levels``.
    Source:
        ``DPMSolverMultistepScheduler`` of diffusers (``dpmsolver++``, order 2, ``midpoint``), which it equals.
    """
    alpha, sigma = schedule.sqrt().tolist(), (1 - schedule).sqrt().tolist()
    before: tuple[Tensor, float] | None = None
    for step, to in itertools.pairwise(steps):
        x0 = predict_x0(x_t, step)
        # Half the log of the signal-to-noise ratio is the solver's time.
        stride = math.log(alpha[to] / sigma[to]) - math.log(alpha[step] / sigma[step])
        ahead = x0 if before is None else x0 + (x0 - before[0]) * (stride / (2 * before[1]))
        x_t = sigma[to] / sigma[step] * x_t - alpha[to] * math.expm1(-stride) * ahead
        before = x0, stride
    return predict_x0(x_t, steps[-1])


def guide(given: Tensor, without: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Classifier-free guidance with a weight for each condition: given + sum of (w - 1) (given - without that condition).

    A weight of 1 is as trained. For a single condition this is x_uncond + w (x_cond - x_uncond).

    Source:
        Ho & Salimans 2022, eq. 6 (there as (1 + w) and w), for one condition.
    """
    return given + sum((weight - 1) * (given - other) for other, weight in zip(without, weights, strict=True))
