"""Schedule and sampler against the closed forms and against diffusers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from augment.generators.diffusion import (
    CLEANEST,
    cosine_schedule,
    dpm_sample,
    guide,
    noise_levels,
    q_sample,
    sampling_steps,
)

STEPS = 1000
COSINE = {"num_train_timesteps": STEPS, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample", "clip_sample": False}


@pytest.fixture
def samples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 5, 3, generator=generator), torch.randn(2, 5, 3, generator=generator)


def test_cosine_schedule_equals_diffusers():
    ours, theirs = cosine_schedule(STEPS), DDPMScheduler(**COSINE)
    torch.testing.assert_close((1 - ours[1:] / ours[:-1]).float(), theirs.betas[1:], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours.float(), theirs.alphas_cumprod, atol=1e-6, rtol=1e-4)


def test_cosine_schedule_closed_form():
    schedule = cosine_schedule(STEPS)

    def curve(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    for step in (0, 10, 500, 900):
        assert float(schedule[step]) == pytest.approx(curve((step + 1) / STEPS) / curve(0), rel=1e-9)
    assert float((1 - schedule[1:] / schedule[:-1]).max()) == pytest.approx(0.999)
    assert (schedule.diff() < 0).all()


def test_q_sample_equals_diffusers(samples: tuple[torch.Tensor, torch.Tensor]):
    x0, noise = samples
    step = torch.tensor([3, 700])
    torch.testing.assert_close(
        q_sample(cosine_schedule(STEPS), x0, step, noise),
        DDPMScheduler(**COSINE).add_noise(x0, noise, step),
        atol=1e-5,
        rtol=1e-4,
    )


@pytest.mark.parametrize("step", [0, 200, 800])
def test_q_sample_mean_and_variance(step: int):
    schedule = cosine_schedule(STEPS)
    noise = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(1))
    x_t = q_sample(schedule, torch.full_like(noise, 2.0), torch.full((len(noise),), step), noise)
    alpha_bar = float(schedule[step])
    assert float(x_t.mean()) == pytest.approx(2.0 * math.sqrt(alpha_bar), abs=0.01)
    assert float(x_t.var()) == pytest.approx(1 - alpha_bar, rel=0.02, abs=1e-6)


@pytest.mark.parametrize(("levels", "count"), [(STEPS, 20), (50, 8), (50, 4), (50, 1)])
def test_dpm_equals_diffusers(levels: int, count: int, samples: tuple[torch.Tensor, torch.Tensor]):
    _, noise = samples
    theirs = DPMSolverMultistepScheduler(
        num_train_timesteps=levels,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        algorithm_type="dpmsolver++",
        solver_order=2,
        lower_order_final=True,
        euler_at_final=True,
        timestep_spacing="trailing",
        final_sigmas_type="zero",
    )
    theirs.set_timesteps(count)
    steps = sampling_steps(levels, count)
    assert steps == theirs.timesteps.tolist()

    def predict(x_t: torch.Tensor, step: int) -> torch.Tensor:
        return torch.tanh(x_t * 0.5 + step / levels)

    x_t = noise
    for step in theirs.timesteps:
        x_t = theirs.step(predict(x_t, int(step)), step, x_t, return_dict=False)[0]
    torch.testing.assert_close(dpm_sample(cosine_schedule(levels), predict, noise, steps), x_t, atol=1e-4, rtol=1e-3)


def test_dpm_with_the_true_x0_ends_at_x0(samples: tuple[torch.Tensor, torch.Tensor]):
    x0, noise = (part.double() for part in samples)
    schedule, seen = cosine_schedule(STEPS), []

    def true(x_t: torch.Tensor, step: int) -> torch.Tensor:
        level = torch.tensor([step, step])
        seen.append((x_t - schedule[step].sqrt() * x0) / (1 - schedule[step]).sqrt())
        assert x_t.shape == q_sample(schedule, x0, level, noise).shape
        return x0

    torch.testing.assert_close(dpm_sample(schedule, true, noise, sampling_steps(STEPS, 5)), x0)
    for residual in seen[1:]:  # it stays on the path of one noise
        torch.testing.assert_close(residual, seen[0])


def test_dpm_of_a_gaussian_gives_that_gaussian():
    """For data N(m, s^2) the best predictor of x_0 is known; sampling with it must return the data's mean and spread."""
    schedule, mean, std = cosine_schedule(STEPS), 1.5, 0.4

    def best(x_t: torch.Tensor, step: int) -> torch.Tensor:
        a = float(schedule[step])
        return mean + math.sqrt(a) * std**2 / (a * std**2 + 1 - a) * (x_t - math.sqrt(a) * mean)

    noise = torch.randn(50_000, 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x0 = dpm_sample(schedule, best, noise, sampling_steps(STEPS, 50))
    assert float(x0.mean()) == pytest.approx(mean, abs=0.02)
    assert float(x0.std()) == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize(("total", "count"), [(STEPS, 8), (STEPS, 50), (50, 8), (50, 50), (50, 2), (1, 1)])
def test_noise_levels_fall_from_pure_noise_to_little(total: int, count: int):
    """Law: as many as asked for, each lower than the one before, the last with little noise where there is a choice."""
    schedule = cosine_schedule(total)
    levels = noise_levels(schedule, count)
    assert (len(levels), levels[0]) == (count, total - 1)
    assert all(later < earlier for earlier, later in itertools.pairwise(levels))
    assert levels[-1] >= 0
    if (total, count) == (STEPS, 8):
        last = float(schedule[levels[-1]])
        assert math.sqrt((1 - last) / last) == pytest.approx(CLEANEST, rel=0.05)


def test_steps_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"1\.\.10"):
        sampling_steps(10, 11)


def test_guidance_of_one_is_the_conditional_and_zero_the_unconditional(samples: tuple[torch.Tensor, torch.Tensor]):
    unconditional, conditional = samples
    torch.testing.assert_close(guide(conditional, [unconditional], [1.0]), conditional)
    torch.testing.assert_close(guide(conditional, [unconditional], [0.0]), unconditional)
    torch.testing.assert_close(guide(conditional, [unconditional], [2.0]), 2 * conditional - unconditional)
    torch.testing.assert_close(guide(conditional, [], []), conditional)


def test_conditions_are_guided_independently(samples: tuple[torch.Tensor, torch.Tensor]):
    first, given = samples
    both = guide(given, [first, -first], [2.0, 3.0])
    torch.testing.assert_close(both - given, (guide(given, [first], [2.0]) - given) + (guide(given, [-first], [3.0]) - given))
