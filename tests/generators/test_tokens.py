"""Tokens that overlap: no step between them, nothing from beyond a motion's end, and their last layer in closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from augment.generators.checkpoint import MotionGenerator, new_generator
from augment.generators.conditions import CHANNELS
from augment.generators.dataset import TrainingSet, draw_batch, training_set
from augment.generators.denoiser import DenoiserConfig, join, split
from augment.generators.inherit import inherit
from augment.generators.losses import batch_losses
from augment.generators.options import TrainConfig
from augment.generators.refit import fit_last_layer
from augment.generators.train import learning_rate, train
from tests.make.actor import moving, rest_joints

SIZE = DenoiserConfig(channels=CHANNELS, actions=2, width=32, layers=1, heads=2, coloured=True, diffusion_steps=50)
PLAIN = TrainConfig(window=8, mixed=False, mirror=False, trim=0.0)


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    rng = np.random.default_rng(0)
    return training_set([moving(action="wave", frames=30, rng=rng), moving(action="walk", frames=24, rng=rng)], rest_joints)


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_frames_are_those_of_the_tokens_that_agree(overlap: int):
    """Law: join(split(frames)) = frames, and what the tokens past a motion's end say does not matter."""
    frames = torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(0))
    whole = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    tokens = split(frames, 4, overlap)
    assert tokens.shape == (2, 6, (4 + 2 * overlap) * 3)
    said = torch.where(whole[..., None], tokens, 1e6)
    found = join(said, whole, 4, overlap)
    torch.testing.assert_close(found[0], frames[0])
    torch.testing.assert_close(found[1, :16], frames[1, :16])


def test_tokens_that_overlap_pass_smoothly_from_one_to_the_next():
    """Law: between tokens that each hold still, the largest change in a frame is under half of what it is without overlap."""
    still = torch.tensor([0.0, 1.0, 0.0])[None, :, None]
    whole = torch.ones(1, 3, dtype=torch.bool)
    steps = [float(join(still.expand(1, 3, 4 + 2 * o), whole, 4, o).diff(dim=1).abs().max()) for o in (0, 2)]
    assert steps[0] == 1.0
    assert steps[1] < 0.5


def test_an_overlap_of_more_than_half_a_patch_is_refused():
    with pytest.raises(ValueError, match=r"overlap must lie in 0\.\.2, half a patch of 4, found 3"):
        replace(SIZE, overlap=3)


def _widened(data: TrainingSet) -> tuple[MotionGenerator, MotionGenerator]:
    """A network whose tokens do not overlap, and its heir, whose tokens do."""
    old = new_generator(data, SIZE, seed=0)
    torch.nn.init.normal_(old.denoiser.frames_out.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    heir = new_generator(data, replace(SIZE, overlap=2), seed=1)
    inherit(heir, old)
    return old, heir


def test_a_widened_network_says_what_it_said(data: TrainingSet):
    """Law: before training, frames in the middle of the overlap are the mean of the two tokens' nearest ones."""
    old, heir = _widened(data)
    batch = draw_batch(data, 2, generator=torch.Generator().manual_seed(0), mirror=False, trim=0.0)
    step = torch.tensor([20, 30])
    before, after = (m.denoiser(batch.x0, step, batch.conditions, batch.valid)[:, :24] for m in (old, heir))
    torch.testing.assert_close((after[:, 3] + after[:, 4]) / 2, (before[:, 3] + before[:, 4]) / 2, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="start: expected a network with an overlap of at most 0, found 2"):
        inherit(old, heir)


def _error(model: MotionGenerator, data: TrainingSet) -> float:
    generator = torch.Generator().manual_seed(7)
    batch = draw_batch(data, 8, generator=generator, mirror=False, trim=0.0)
    return float(batch_losses(model, batch, PLAIN, generator=generator)["simple"].detach())


def test_a_fitted_last_layer_says_it_better(data: TrainingSet):
    """Law: fitted to what it has to say, the network's error is smaller than as inherited; its other weights stay."""
    heir = _widened(data)[1]
    inherited, into = _error(heir, data), heir.denoiser.frames_in.weight.detach().clone()
    fit_last_layer(heir, data, generator=torch.Generator().manual_seed(0), batches=8)
    assert _error(heir, data) < 0.8 * inherited
    assert torch.equal(heir.denoiser.frames_in.weight, into)


def test_training_goes_on_with_the_noise_and_size_that_the_weights_know(data: TrainingSet, tmp_path: Path):
    start = new_generator(data, replace(SIZE, coloured=False, diffusion_steps=200, width=64), seed=0)
    model = train(data, tmp_path, steps=1, config=replace(PLAIN, batch=2), start=start)
    assert model.denoiser.config == replace(start.denoiser.config, overlap=PLAIN.overlap, goals=True)


def test_the_rate_falls_to_zero_where_it_is_to_end():
    config = replace(PLAIN, warmup=10, hold=100, ends=300)
    rates = [learning_rate(config, step) for step in (9, 99, 200, 300, 400)]
    assert rates == pytest.approx([config.rate, config.rate, config.rate / 2, 0.0, 0.0])
    with pytest.raises(ValueError, match="ends must be 0 or more than 100, up to which the rate is kept, found 100"):
        replace(config, ends=100)
