"""Laws of the pose autoencoder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from augment.geometry import axis_angle_to_matrix
from augment.priors.loop import TrainOptions
from augment.priors.pose_sheet import pose_sheet, sample_poses
from augment.priors.poses import mirror_sequence, sequences
from augment.priors.prior import PoseSequence
from augment.priors.registry import load_prior
from augment.priors.train import energies_of, train_prior
from augment.priors.vposer import VPoserConfig, VPoserNetwork, VPoserPrior, train_vposer, vposer_losses
from tests.make.priors import few_poses

CONFIG = VPoserConfig(latent=8, width=64, steps=400, batch=64, rate=3e-3)


@pytest.fixture(scope="module")
def data():
    return few_poses()


@pytest.fixture(scope="module")
def prior(data, tmp_path_factory) -> VPoserPrior:
    return train_prior("vposer", data, tmp_path_factory.mktemp("vposer") / "vposer.safetensors", config=CONFIG)


def at_angle(angle: float, *, seed: int = 1) -> PoseSequence:
    axes = torch.nn.functional.normalize(torch.randn(6, 24, 3, generator=torch.Generator().manual_seed(seed)), dim=-1)
    return PoseSequence(rotations=axis_angle_to_matrix(axes * angle), joints=torch.zeros(6, 24, 3), fps=30.0)


def test_what_is_decoded_is_a_rotation(prior) -> None:
    rotations = prior.network.decode(10 * torch.randn(50, 8, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(rotations @ rotations.mT, torch.eye(3).expand_as(rotations), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(50, 21), atol=1e-5)


def test_training_poses_survive_the_bottleneck_better_than_random_ones(prior, data) -> None:
    train = sequences(data, held_out=False)[0]
    back = prior.network.decode(prior.network.encode(train.rotations[:, 1:22])[0])
    off = (back - train.rotations[:, 1:22]).square().sum((-1, -2)).mean()
    random = at_angle(2.0).rotations
    off_random = (
        (prior.network.decode(prior.network.encode(random[:, 1:22])[0]) - random[:, 1:22]).square().sum((-1, -2)).mean()
    )
    assert float(off) < 0.1
    assert float(off_random) > 10 * float(off)


def test_the_median_over_held_out_poses_is_one(prior, data) -> None:
    assert float(energies_of(prior, data, held_out=True).median()) == pytest.approx(1.0, abs=1e-4)


def test_training_poses_cost_less_than_noise(prior, data) -> None:
    real = energies_of(prior, data, held_out=False)
    assert float(real.median()) < 0.2 * float(prior.energy(at_angle(1.0)).min())


@pytest.mark.parametrize("angle", [0.0, 1.0, torch.pi])
def test_energy_and_gradient_are_finite_at_any_angle(prior, angle) -> None:
    sequence = at_angle(float(angle))
    rotations = sequence.rotations.requires_grad_(True)
    energy = prior.energy(sequence)
    energy.sum().backward()
    assert bool(torch.isfinite(energy).all())
    assert bool((energy >= 0).all())
    assert rotations.grad is not None
    assert bool(torch.isfinite(rotations.grad).all())


def test_gradient_is_the_slope(prior) -> None:
    """Along a random direction, in the network's single precision."""
    generator = torch.Generator().manual_seed(2)
    pose = 0.3 * torch.randn(1, 24, 3, generator=generator)
    along = torch.randn(1, 24, 3, generator=generator)

    def energy(step: torch.Tensor) -> torch.Tensor:
        rotations = axis_angle_to_matrix(pose + step * along)
        return prior.energy(PoseSequence(rotations=rotations, joints=torch.zeros(1, 24, 3), fps=30.0)).sum()

    step = torch.zeros((), requires_grad=True)
    (slope,) = torch.autograd.grad(energy(step), step)
    difference = (energy(torch.tensor(5e-3)) - energy(torch.tensor(-5e-3))) / 1e-2
    assert float(slope) == pytest.approx(float(difference), rel=0.02)


def test_a_mirror_image_costs_about_the_same(prior, data) -> None:
    """Trained on both, the network learns the symmetry only roughly: within a third at the median."""
    ratios = torch.cat([prior.energy(mirror_sequence(s)) / prior.energy(s) for s in sequences(data, held_out=False)])
    assert 0.67 < float(ratios.median()) < 1.5


def test_the_second_term_is_the_distance_to_the_reconstruction(prior, data) -> None:
    sequence = sequences(data, held_out=True)[0]
    bare = replace(prior, config=replace(CONFIG, off_manifold=0.0), normalisation=1.0)
    assert torch.allclose(
        bare.energy(sequence), prior.network.encode(sequence.rotations[:, 1:22])[0].square().sum(-1), rtol=1e-5
    )
    away = prior.network.decode(prior.network.encode(sequence.rotations[:, 1:22])[0]) - sequence.rotations[:, 1:22]
    extra = replace(prior, normalisation=1.0).energy(sequence) - bare.energy(sequence)
    assert torch.allclose(extra, CONFIG.off_manifold * away.square().sum((-1, -2, -3)), rtol=1e-3, atol=1e-4)


def test_losses_vanish_for_a_perfect_autoencoder() -> None:
    """A decoder of zeros gives the zero pose; an encoder of zeros gives the unit Gaussian: nothing is left to pay."""
    network = VPoserNetwork(CONFIG)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    still = torch.eye(3).expand(4, 21, 3, 3)
    rest = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    losses = vposer_losses(network, still, rest, CONFIG, generator=torch.Generator().manual_seed(0))
    assert all(float(value.detach()) == pytest.approx(0.0, abs=1e-9) for value in losses.values())


def test_drawn_poses_are_ordinary(prior, tmp_path) -> None:
    rotations, energies = sample_poses(prior, 64, generator=torch.Generator().manual_seed(0))
    again, _ = sample_poses(prior, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rotations, again)
    assert float(energies.median()) < float(prior.energy(at_angle(1.0)).min())
    pose_sheet(rotations, energies, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_run_cut_and_resumed_ends_like_one_that_was_not(data, tmp_path) -> None:
    config = replace(CONFIG, steps=12)

    class Cut(KeyboardInterrupt):
        pass

    def cut(step: int, steps: int, losses: dict[str, float]) -> None:
        if step == 7:
            raise Cut

    paths = [tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"]
    whole = train_prior("vposer", data, paths[0], config=config)
    with pytest.raises(Cut):
        train_prior("vposer", data, paths[1], config=config, report=cut)
    seen: list[int] = []
    train_prior("vposer", data, paths[1], config=config, report=lambda step, steps, losses: seen.append(step))
    assert seen == [8, 9, 10, 11, 12]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.safetensors", "whole.safetensors"]
    sequence = sequences(data, held_out=True)[0]
    assert torch.equal(load_prior(paths[1]).energy(sequence), whole.energy(sequence))


def test_a_checkpoint_of_another_run_is_refused(data, tmp_path) -> None:
    checkpoint = tmp_path / "c.pt"
    run = TrainOptions(steps=3, checkpoint=checkpoint, save_seconds=0.0)
    train_vposer(data, CONFIG, torch.Generator(), run)
    with pytest.raises(ValueError, match="field seed"):
        train_vposer(data, CONFIG, torch.Generator(), replace(run, seed=1))
    with pytest.raises(ValueError, match="field data"):
        train_vposer(few_poses(seed=9), CONFIG, torch.Generator(), run)
    checkpoint.write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"c\.pt: expected a checkpoint"):
        train_vposer(data, CONFIG, torch.Generator(), run)
