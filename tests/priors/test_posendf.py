"""Laws of the pose distance field."""

from __future__ import annotations

from dataclasses import replace

import pytest
import roma
import torch

from augment.geometry import axis_angle_to_matrix
from augment.priors.posendf.field import (
    JOINT_WEIGHTS,
    PoseNDFConfig,
    field_and_gradient,
    pose_distance,
    pose_quaternions,
)
from augment.priors.posendf.posendf import PoseNDFPrior
from augment.priors.posendf.train import corrupted, nearest_distances, training_poses
from augment.priors.poses import frames_of, sequences
from augment.priors.prior import PoseSequence
from augment.priors.prior_file import save_prior
from augment.priors.registry import load_prior, read_prior_file
from augment.priors.train import energies_of, train_prior
from tests.make.priors import few_poses

CONFIG = PoseNDFConfig(width=64, layers=2, poses=1000, pairs=3000, batch=128, steps=250, rate=3e-3)


@pytest.fixture(scope="module")
def data():
    return few_poses()


@pytest.fixture(scope="module")
def prior(data, tmp_path_factory) -> PoseNDFPrior:
    return train_prior("posendf", data, tmp_path_factory.mktemp("ndf") / "posendf.safetensors", config=CONFIG)


def drawn(count: int, *, seed: int = 0) -> torch.Tensor:
    """Unit quaternions of any rotations, (n, 21, 4), double precision."""
    values = torch.randn(count, 21, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(values, dim=-1)


def spoiled(data, count: int = 60, noise: float = 0.4) -> torch.Tensor:
    poses = pose_quaternions(data.rotations[frames_of(data, held_out=False)])
    return corrupted(poses, count, noise=(noise,), swap=0.0, generator=torch.Generator().manual_seed(3))


def as_rotations(quaternions: torch.Tensor) -> torch.Tensor:
    rotations = torch.eye(3, dtype=quaternions.dtype).repeat(len(quaternions), 24, 1, 1)
    rotations[:, 1:22] = roma.unitquat_to_rotmat(quaternions)
    return rotations


def test_distance_is_a_metric_blind_to_the_sign_of_a_quaternion() -> None:
    a, b, c = drawn(200), drawn(200, seed=1), drawn(200, seed=2)
    signs = torch.where(torch.rand(200, 21, 1, generator=torch.Generator().manual_seed(4)) < 0.5, -1.0, 1.0)
    assert torch.allclose(pose_distance(a, a), torch.zeros(200, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(pose_distance(a, b), pose_distance(b, a))
    assert torch.allclose(pose_distance(a, b), pose_distance(a * signs, b))
    assert bool((pose_distance(a, c) <= pose_distance(a, b) + pose_distance(b, c) + 1e-12).all())
    assert bool((pose_distance(a, b) > 0.1).all())


def test_distance_is_the_papers_form_and_a_known_answer() -> None:
    a, b = drawn(50), drawn(50, seed=1)
    weights = torch.tensor(JOINT_WEIGHTS, dtype=torch.float64)
    form = ((a * b).sum(-1).abs().clamp(max=1).arccos().square() * weights / 2).sum(-1).sqrt()
    assert torch.allclose(pose_distance(a, b), form, atol=1e-9)
    turn = roma.rotvec_to_unitquat(torch.tensor([0.3, 0.0, 0.0], dtype=torch.float64)).expand(50, 21, 4)
    assert torch.allclose(pose_distance(roma.quat_product(a, turn), a), torch.full((50,), 0.3 / 8**0.5, dtype=torch.float64))


def test_nearest_distance_finds_the_pose_itself_and_what_looking_at_all_finds(data) -> None:
    poses = training_poses(data, 300, generator=torch.Generator().manual_seed(0))
    assert float(nearest_distances(poses, poses, candidates=4, neighbours=1).max()) < 1e-3
    bad = spoiled(data)
    everything = torch.stack([pose_distance(each.expand(300, -1, -1), poses).sort().values[:5].mean() for each in bad])
    fast = nearest_distances(bad, poses, candidates=64, neighbours=5)
    assert torch.allclose(fast, everything, rtol=0.02)
    assert bool((fast >= everything - 1e-6).all())


def test_field_is_never_negative_and_gives_the_distance(prior, data) -> None:
    poses = training_poses(data, 1000, generator=torch.Generator().manual_seed(0))
    bad = torch.cat([spoiled(data, noise=noise) for noise in (0.05, 0.2, 0.8)])
    found, true = prior.distance(bad), nearest_distances(bad, poses, candidates=64, neighbours=5)
    assert bool((prior.distance(drawn(500).float()) >= 0).all())
    assert float(torch.corrcoef(torch.stack([found, true]))[0, 1]) > 0.95


def test_field_does_not_see_the_sign_of_a_quaternion(prior) -> None:
    quaternions = drawn(20).float()
    assert torch.equal(prior.distance(quaternions), prior.distance(-quaternions))


def test_slope_lies_along_the_spheres_and_is_the_rate_of_change(prior, data) -> None:
    at = spoiled(data, 20)
    value, slope = (each.detach() for each in field_and_gradient(prior.field, at, create_graph=False))
    assert float((slope * at).sum(-1).abs().max()) < 1e-5
    moved = torch.nn.functional.normalize(at + 1e-3 * slope, dim=-1)
    assert torch.allclose(prior.field(moved) - value, 1e-3 * slope.square().sum((-1, -2)), rtol=0.1, atol=2e-6)


def test_projection_lowers_the_field_and_leaves_root_and_hands(prior, data) -> None:
    before = as_rotations(spoiled(data))
    before[:, 0] = axis_angle_to_matrix(torch.tensor([0.1, 0.7, 0.3]))
    after = prior.project(before, steps=30)
    was, now = prior.distance(pose_quaternions(before)), prior.distance(pose_quaternions(after))
    assert bool((now <= was + 1e-6).all())
    assert float(now.mean()) < 0.3 * float(was.mean())
    assert torch.equal(after[:, [0, 22, 23]], before[:, [0, 22, 23]])
    assert torch.allclose(after @ after.mT, torch.eye(3).expand_as(after), atol=1e-5)


def test_projection_ends_nearer_to_training_poses(prior, data) -> None:
    poses = training_poses(data, 1000, generator=torch.Generator().manual_seed(0))
    before = spoiled(data)
    after = pose_quaternions(prior.project(as_rotations(before), steps=30))
    was, now = (nearest_distances(each, poses, candidates=64, neighbours=5).mean() for each in (before, after))
    assert float(now) < 0.8 * float(was)


def test_sampled_poses_are_lower_than_their_starts_and_follow_the_generator(prior) -> None:
    def sample(steps: int, seed: int = 0) -> torch.Tensor:
        return prior.sample(30, generator=torch.Generator().manual_seed(seed), steps=steps)

    start, end = sample(0), sample(30)
    assert start.shape == (30, 21, 3, 3)
    assert torch.equal(end, sample(30))
    assert not torch.equal(end, sample(30, seed=1))
    assert float(prior.distance(roma.rotmat_to_unitquat(end)).mean()) < float(
        prior.distance(roma.rotmat_to_unitquat(start)).mean()
    )


@pytest.mark.parametrize("angle", [0.0, 3.0, torch.pi])
def test_energy_and_slope_are_finite_up_to_half_turns(prior, angle) -> None:
    axes = torch.nn.functional.normalize(torch.randn(6, 24, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    axes[0], axes[1] = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, -1.0, 0.0])
    rotations = axis_angle_to_matrix(axes * angle).requires_grad_(True)
    energy = prior.energy(PoseSequence(rotations=rotations, joints=torch.zeros(6, 24, 3), fps=30.0))
    energy.sum().backward()
    assert bool(torch.isfinite(energy).all())
    assert rotations.grad is not None
    assert bool(torch.isfinite(rotations.grad).all())


def test_double_precision_in_gives_double_precision_out(prior, data) -> None:
    rotations = sequences(data, held_out=True)[0].rotations
    energies = [
        prior.energy(PoseSequence(rotations=each, joints=torch.zeros(len(each), 24, 3, dtype=each.dtype), fps=30.0))
        for each in (rotations, rotations.double())
    ]
    assert energies[1].dtype == torch.float64
    assert torch.allclose(energies[0], energies[1].float(), rtol=1e-3, atol=1e-3)


def test_the_median_over_held_out_poses_is_one(prior, data) -> None:
    assert float(energies_of(prior, data, held_out=True).median()) == pytest.approx(1.0, abs=1e-3)


def test_saved_and_loaded_energies_are_equal(prior, data, tmp_path) -> None:
    config = replace(CONFIG, steps=3, pairs=100)
    trained = train_prior("posendf", data, tmp_path / "a.safetensors", config=config)
    copy = save_prior(read_prior_file(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    sequence = sequences(data, held_out=True)[0]
    assert torch.equal(trained.energy(sequence), load_prior(copy).energy(sequence))


def test_a_file_with_an_absurd_size_is_refused_by_name(data, tmp_path) -> None:
    train_prior("posendf", data, tmp_path / "a.safetensors", config=replace(CONFIG, steps=2, pairs=100))
    stored = read_prior_file(tmp_path / "a.safetensors")
    save_prior(replace(stored, config={**stored.config, "width": 10**9}), tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match=r"b\.safetensors: field config\.width"):
        load_prior(tmp_path / "b.safetensors")
