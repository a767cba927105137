"""Laws of the mixture of Gaussians, and of the prior that comes with the package."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from augment.geometry import axis_angle_to_matrix
from augment.priors.evaluate import CORRUPTIONS, corruption_rows, share_lower
from augment.priors.gmm import GmmConfig, GmmPrior, body_vector, gmm_from_file, mirror_vector, sample_gmm
from augment.priors.poses import mirror_rotations, mirror_sequence, sequences
from augment.priors.prior import PoseSequence
from augment.priors.prior_file import PriorFile
from augment.priors.registry import load_prior
from augment.priors.train import energies_of, train_prior
from tests.make.priors import few_poses

CONFIG = GmmConfig(components=3, steps=20)


@pytest.fixture(scope="module")
def data():
    return few_poses()


@pytest.fixture(scope="module")
def prior(data, tmp_path_factory) -> GmmPrior:
    return train_prior("gmm", data, tmp_path_factory.mktemp("gmm") / "gmm.safetensors", config=CONFIG)


def turned(axis_angle: torch.Tensor) -> PoseSequence:
    rotations = axis_angle_to_matrix(axis_angle.double())
    return PoseSequence(rotations=rotations, joints=torch.zeros(*rotations.shape[:-2], 3).double(), fps=30.0)


def test_the_median_over_held_out_poses_is_one(prior, data) -> None:
    assert float(energies_of(prior, data, held_out=True).median()) == pytest.approx(1.0, abs=1e-4)


def test_energy_is_the_smpl_form_of_a_known_mixture() -> None:
    """One Gaussian of deviation 0.5 rad about the zero pose: E = d^2 / (2 0.5^2); a second of half the weight adds log 3."""
    whiteners = torch.eye(63).expand(2, 63, 63) / 0.5
    means = torch.zeros(2, 63)
    means[1, 0] = 3.0
    tensors = {"weights": torch.tensor([2.0, 1.0]) / 3, "means": means, "whiteners": whiteners.contiguous()}
    config = {"components": 2, "mirror": False}
    stored = PriorFile(kind="gmm", tensors=tensors, config=config, normalisation=2.0, training_data=())
    pose = torch.zeros(3, 24, 3)
    pose[1, 1, 0] = 0.4
    pose[2, 1, 0] = 3.0
    expected = torch.tensor([np.log(1.5), np.log(1.5) + 0.4**2 / (2 * 0.25), np.log(3.0)]) / 2.0
    assert torch.allclose(gmm_from_file(stored).energy(turned(pose)), expected.double(), atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-7, 1.0, np.pi - 1e-7, np.pi])
def test_energy_and_gradient_are_finite_at_any_angle(prior, angle) -> None:
    axes = torch.nn.functional.normalize(torch.randn(5, 24, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    axes[4] = torch.tensor([0.0, 0.0, 1.0])
    rotations = turned(axes * angle).rotations.requires_grad_(True)
    energy = prior.energy(PoseSequence(rotations=rotations, joints=torch.zeros(5, 24, 3).double(), fps=30.0))
    energy.sum().backward()
    assert bool(torch.isfinite(energy).all())
    assert bool((energy >= 0).all())
    assert rotations.grad is not None
    assert bool(torch.isfinite(rotations.grad).all())


def test_gradient_is_the_slope(prior) -> None:
    pose = 0.2 * torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: prior.energy(turned(p)), (pose.requires_grad_(True),), eps=1e-6, atol=1e-4)


def test_a_pose_and_its_mirror_image_cost_the_same(prior, data) -> None:
    for sequence in sequences(data, held_out=True):
        rotations = sequence.rotations.clone()
        rotations[:, 1:22] = CORRUPTIONS["noise 20 degrees"](rotations[:, 1:22], torch.Generator().manual_seed(3))
        noisy = replace(sequence, rotations=rotations)
        there, back = prior.energy(noisy), prior.energy(mirror_sequence(noisy))
        assert torch.allclose(there, back, rtol=1e-4)


def test_mirroring_the_vector_is_mirroring_the_rotations(data) -> None:
    rotations = data.rotations[:50].double()
    assert torch.allclose(mirror_vector(body_vector(rotations)), body_vector(mirror_rotations(rotations)), atol=1e-6)


def test_real_poses_cost_less_than_spoiled_ones(prior, data) -> None:
    rows = {name: share for name, _, share in corruption_rows(prior, data, generator=torch.Generator().manual_seed(4))}
    assert rows["real, held out"] is None
    assert rows["random rotations"] == 1.0
    shares = [rows[f"noise {degrees} degrees"] for degrees in (5, 10, 20)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.95


def test_share_lower_counts_pairs() -> None:
    assert share_lower(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0])) == pytest.approx(3.5 / 4)
    assert share_lower(torch.tensor([3.0]), torch.tensor([1.0, 2.0])) == 0.0


def test_the_root_does_not_matter(prior, data) -> None:
    sequence = sequences(data, held_out=True)[0]
    rolled = sequence.rotations.clone()
    rolled[:, 0] = axis_angle_to_matrix(torch.tensor([1.0, 2.0, 0.5])) @ rolled[:, 0]
    assert torch.equal(prior.energy(replace(sequence, rotations=rolled)), prior.energy(sequence))


def test_any_batch_shape_gives_the_same_energies(prior, data) -> None:
    sequence = sequences(data, held_out=True)[0]
    halves = PoseSequence(
        rotations=sequence.rotations[:20].unflatten(0, (2, 1, 10)),
        joints=sequence.joints[:20].unflatten(0, (2, 1, 10)),
        fps=30.0,
    )
    assert torch.allclose(prior.energy(halves).flatten(), prior.energy(sequence)[:20], rtol=1e-5)


def test_samples_have_the_mixtures_mean_and_cost_like_real_poses(prior, data) -> None:
    poses = sample_gmm(prior, 4000, generator=torch.Generator().manual_seed(5))
    train = body_vector(data.rotations[~data.held_out.repeat_interleave(data.starts.diff())])
    mean = (train.mean(0) + mirror_vector(train.mean(0))) / 2
    assert torch.allclose(poses.mean(0), mean, atol=0.06)
    again = sample_gmm(prior, 4000, generator=torch.Generator().manual_seed(5))
    assert torch.equal(poses, again)


def test_the_same_seed_gives_the_same_bytes(data, tmp_path) -> None:
    files = [tmp_path / name for name in ("one.safetensors", "two.safetensors", "three.safetensors")]
    for path, seed in zip(files, (1, 1, 2), strict=True):
        train_prior("gmm", data, path, config=CONFIG, seed=seed)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes() != files[2].read_bytes()


def test_the_shipped_prior_prefers_how_people_stand() -> None:
    """Arms down is likelier than a T-pose; knees bend backwards only at a price."""
    shipped = load_prior()
    pose = torch.zeros(4, 24, 3)
    pose[1:, 16, 2], pose[1:, 17, 2] = -1.1, 1.1
    pose[2, 4:6, 0] = 1.0
    pose[3, 4:6, 0] = -1.0
    t_pose, standing, bent, backwards = shipped.energy(turned(pose)).tolist()
    assert standing < t_pose
    assert bent < backwards
    assert standing < 2.0 < backwards


def test_the_wide_gaussian_bounds_what_strange_poses_cost_and_leaves_ordinary_ones(prior, data, tmp_path) -> None:
    narrow = train_prior("gmm", data, tmp_path / "n.safetensors", config=replace(CONFIG, wide=0.0))
    strange = turned(0.8 * torch.randn(50, 24, 3, generator=torch.Generator().manual_seed(6)))
    assert bool((prior.energy(strange) < 0.5 * narrow.energy(strange)).all())
    assert torch.allclose(
        energies_of(prior, data, held_out=False).median(), energies_of(narrow, data, held_out=False).median(), rtol=0.1
    )


def test_too_few_poses_are_refused(tmp_path, data) -> None:
    with pytest.raises(ValueError, match="at least 1000"):
        train_prior("gmm", data, tmp_path / "g.safetensors", config=GmmConfig(components=500))
