"""ACTOR, the comparator: it learns, says what it is asked for, and does not depend on padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from augment.generators.dataset import TrainingSet, training_set, valid_frames
from augment.motion.features import FEATURES
from benchmarks.actor import POSE, Actor, load_actor, sample_actor, save_actor, train_actor
from benchmarks.motion import retrieved
from tests.make.actor import moving, rest_joints


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    rng = np.random.default_rng(0)
    return training_set([moving(action=name, frames=20 + k, rng=rng) for k, name in enumerate(("wave", "walk"))], rest_joints)


@pytest.fixture(scope="module")
def trained(data: TrainingSet) -> Actor:
    return train_actor(data, generator=torch.Generator().manual_seed(0), steps=60, width=32, rate=3e-3)


def test_it_learns_and_answers_each_request(trained: Actor, data: TrainingSet):
    """Law: as many motions as asked for, of their lengths, nearer to the true ones than an untrained model's."""
    untrained = train_actor(data, generator=torch.Generator().manual_seed(0), steps=0, width=32)

    def error(model: Actor) -> float:
        made = sample_actor(model, data, generator=torch.Generator().manual_seed(0))
        assert [len(motion) for motion in made] == [20, 21]
        pairs = zip(made, data.channels, strict=True)
        return float(np.mean([float((a - b[:, :295])[:, FEATURES["joints"]].square().mean()) for a, b in pairs]))

    assert error(trained) < 0.8 * error(untrained)


def test_padding_does_not_matter(trained: Actor):
    poses = torch.randn(1, 12, len(POSE), generator=torch.Generator().manual_seed(0))
    action, latent = torch.tensor([0]), torch.ones(1, 32)
    padded = torch.cat([poses, torch.full((1, 5, len(POSE)), 1e3)], dim=1)
    short, long = valid_frames([12]), torch.cat([valid_frames([12]), torch.zeros(1, 5, dtype=torch.bool)], dim=1)
    for one, other in zip(trained.encode(poses, action, short), trained.encode(padded, action, long), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    said = trained.decode(latent, action, long)[:, :12]
    torch.testing.assert_close(said, trained.decode(latent, action, short), atol=1e-5, rtol=1e-4)


def test_its_file_gives_the_same_motions(trained: Actor, data: TrainingSet, tmp_path: Path):
    save_actor(trained, data.actions, tmp_path / "actor.safetensors")
    again, actions = load_actor(tmp_path / "actor.safetensors")
    assert actions == data.actions
    one, other = (sample_actor(model, data, generator=torch.Generator().manual_seed(3)) for model in (trained, again))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="no model of ACTOR; train one"):
        load_actor(tmp_path / "other.safetensors")


def test_the_nearest_motion_of_a_known_one_is_itself(data: TrainingSet):
    assert all(torch.equal(a, b) for a, b in zip(retrieved(data, data), data.channels, strict=True))
