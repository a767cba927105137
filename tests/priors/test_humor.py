"""Laws of the transition prior."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from augment.geometry import axis_angle_to_matrix, yaw_to_matrix
from augment.priors.humor.humor import HumorPrior
from augment.priors.humor.mixture import StateMixture
from augment.priors.humor.net import HumorConfig
from augment.priors.humor.state import STATE, at_rate, bones_of, follow, pose_bones, states_of, tidy
from augment.priors.poses import dataset_of, sequences
from augment.priors.prior import PoseSequence
from augment.priors.prior_file import save_prior
from augment.priors.registry import load_prior, read_prior_file
from augment.priors.train import energies_of, train_prior
from tests.make.priors import few_motions, few_poses

CONFIG = HumorConfig(latent=8, width=64, window=4, batch=24, moments=2, moments_from=500, smallest=0.02, steps=250, rate=2e-3)


@pytest.fixture(scope="module")
def data():
    return few_poses()


@pytest.fixture(scope="module")
def prior(data, tmp_path_factory) -> HumorPrior:
    return train_prior("humor", data, tmp_path_factory.mktemp("humor") / "humor.safetensors", config=CONFIG)


@pytest.fixture
def real(data) -> PoseSequence:
    return sequences(data, held_out=True)[0]


def part(sequence: PoseSequence, start: int, stop: int | None = None) -> PoseSequence:
    return PoseSequence(rotations=sequence.rotations[start:stop], joints=sequence.joints[start:stop], fps=sequence.fps)


def moved(sequence: PoseSequence, yaw: float, x: float, y: float, z: float) -> PoseSequence:
    turn = yaw_to_matrix(torch.tensor(yaw, dtype=sequence.joints.dtype))
    rotations = sequence.rotations.clone()
    rotations[:, 0] = turn @ rotations[:, 0]
    joints = sequence.joints @ turn.T + torch.tensor([x, y, z], dtype=sequence.joints.dtype)
    return PoseSequence(rotations=rotations, joints=joints, fps=sequence.fps)


def doubled(sequence: PoseSequence) -> PoseSequence:
    return PoseSequence(rotations=sequence.rotations.double(), joints=sequence.joints.double(), fps=sequence.fps)


def test_states_do_not_see_heading_or_place_on_the_floor_but_do_see_height(real) -> None:
    real = doubled(real)
    assert torch.allclose(states_of(moved(real, 2.2, 3.0, 0.0, -5.0)), states_of(real), atol=1e-9)
    raised = states_of(moved(real, 0.0, 0.0, 0.5, 0.0)) - states_of(real)
    assert torch.allclose(raised[:, STATE["height"]], torch.full((len(raised), 1), 0.5, dtype=torch.float64))
    assert float(raised[:, 1:].abs().max()) < 1e-9


def test_rates_are_those_of_a_known_movement() -> None:
    """Walking at 1.5 m/s the way one faces while turning left at 0.6 rad/s."""
    times = torch.arange(20, dtype=torch.float64) / 30
    rotations = torch.eye(3, dtype=torch.float64).repeat(20, 24, 1, 1)
    rotations[:, 0] = yaw_to_matrix(0.6 * times)
    joints = torch.zeros(20, 24, 3, dtype=torch.float64)
    for t in range(1, 20):
        joints[t] = joints[t - 1] + rotations[t, 0] @ torch.tensor([0.0, 0.0, 1.5 / 30], dtype=torch.float64)
    states = states_of(PoseSequence(rotations=rotations, joints=joints, fps=30.0))
    assert torch.allclose(states[:, STATE["velocity"]], torch.tensor([0.0, 0.0, 1.5], dtype=torch.float64).expand(20, 3))
    assert torch.allclose(
        states[:, STATE["turning"]], torch.tensor([0.0, 0.6, 0.0], dtype=torch.float64).expand(20, 3), atol=1e-4
    )


def test_following_a_states_own_rates_gives_the_next_frame_back(real) -> None:
    real = doubled(real)
    states = states_of(real)
    for t in (5, 20):
        frame = follow(part(real, t - 1, t), states[t], bones_of(part(real, t - 1, t)))
        assert torch.allclose(frame.joints[0, :22], real.joints[t, :22], atol=2e-4)
        assert torch.allclose(frame.rotations[0, :22], real.rotations[t, :22], atol=2e-4)


def test_bones_give_the_joints_back(real) -> None:
    real = doubled(real)
    assert torch.allclose(pose_bones(real.rotations[-1], real.joints[-1, 0], bones_of(real)), real.joints[-1], atol=1e-5)


def test_tidying_a_true_state_changes_nothing(real) -> None:
    states = states_of(doubled(real))
    assert torch.allclose(tidy(states), states, atol=1e-6)


def test_energy_does_not_see_heading_or_place_on_the_floor(prior, real) -> None:
    assert torch.allclose(prior.energy(moved(real, -1.3, 4.0, 0.0, 2.0)), prior.energy(real), rtol=2e-2, atol=2e-2)


def test_the_slope_of_energy_does_not_turn_or_push_the_whole_movement(prior, real) -> None:
    joints = real.joints.clone().requires_grad_(True)
    prior.energy(PoseSequence(rotations=real.rotations, joints=joints, fps=30.0)).sum().backward()
    assert joints.grad is not None
    push = joints.grad.sum((0, 1))
    assert float(push[[0, 2]].abs().max()) < 1e-3 * float(joints.grad.abs().sum())


def test_motion_resampled_has_nearly_the_same_energy(prior) -> None:
    motions = [replace(each, name=f"m_{i}") for i, each in enumerate(few_motions(count=4))]
    for rate in (60.0, 25.0):
        at_30, other = (sequences(dataset_of(motions, fps=fps, held_out=0.0), held_out=False) for fps in (30.0, rate))
        medians = [float(torch.cat([prior.energy(each) for each in group]).median()) for group in (at_30, other)]
        assert medians[1] == pytest.approx(medians[0], rel=0.35)
        assert all(len(prior.energy(each)) == len(each.joints) for each in other)


def test_there_and_back_in_time_keeps_frames_and_rotations(real) -> None:
    back = at_rate(at_rate(real, 60.0), 30.0)
    count = len(back.joints)
    assert count in (len(real.joints), len(real.joints) - 1)
    assert torch.allclose(back.joints, real.joints[:count], atol=1e-4)
    assert torch.allclose(back.rotations, real.rotations[:count], atol=1e-3)


def test_jitter_and_doubled_speed_cost_more_than_the_real_movement(prior, real) -> None:
    noise = 0.02 * torch.randn(real.joints.shape, generator=torch.Generator().manual_seed(0))
    shaken = PoseSequence(rotations=real.rotations, joints=real.joints + noise, fps=30.0)
    rushed = PoseSequence(rotations=real.rotations[::3], joints=real.joints[::3], fps=30.0)
    assert float(prior.energy(shaken).median()) > 3 * float(prior.energy(real).median())
    assert float(prior.energy(rushed).median()) > float(prior.energy(real).median())


def test_energy_is_never_negative_and_a_single_frame_is_somebody_who_stands_still(prior, real) -> None:
    assert bool((prior.energy(real) >= 0).all())
    still = PoseSequence(rotations=real.rotations[:1].repeat(9, 1, 1, 1), joints=real.joints[:1].repeat(9, 1, 1), fps=30.0)
    assert torch.allclose(prior.energy(still)[:1], prior.energy(part(real, 0, 1)), rtol=1e-4)


def test_a_knee_bent_backwards_costs_more_even_if_it_stays_so(prior, real) -> None:
    rotations = real.rotations.clone()
    rotations[:, 4] = axis_angle_to_matrix(torch.tensor([-2.0, 0.0, 0.0]))
    joints = pose_bones(rotations, real.joints[:, 0], bones_of(real).expand(len(rotations), -1, -1))
    bent = PoseSequence(rotations=rotations, joints=joints, fps=30.0)
    assert float(prior.energy(bent).median()) > 1.5 * float(prior.energy(real).median())


def test_the_mixtures_term_is_a_known_answer_for_one_gaussian() -> None:
    """Deviations of 2 standard deviations in every number: root mean square 2."""
    moments = StateMixture(means=torch.zeros(1, 130), whiteners=torch.eye(130)[None] / 0.5, offsets=torch.zeros(1))
    assert torch.allclose(moments.energy(torch.ones(3, 262)), torch.full((3,), 2.0), atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("fps", [10.0, 30.0, 120.0])
def test_short_sequences_of_any_rate_have_an_energy_each_frame(prior, frames, fps) -> None:
    rotations, joints = torch.eye(3).repeat(5, frames, 24, 1, 1), torch.zeros(5, frames, 24, 3)
    energy = prior.energy(PoseSequence(rotations=rotations, joints=joints, fps=fps))
    assert energy.shape == (5, frames)
    assert bool(torch.isfinite(energy).all())


@pytest.mark.parametrize("angle", [0.0, 3.0, torch.pi])
def test_energy_and_slope_are_finite_up_to_half_turns(prior, angle) -> None:
    axes = torch.nn.functional.normalize(torch.randn(6, 24, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    rotations = axis_angle_to_matrix(axes * angle).requires_grad_(True)
    energy = prior.energy(PoseSequence(rotations=rotations, joints=torch.randn(6, 24, 3), fps=25.0))
    energy.sum().backward()
    assert bool(torch.isfinite(energy).all())
    assert rotations.grad is not None
    assert bool(torch.isfinite(rotations.grad).all())


def test_double_precision_in_gives_double_precision_out(prior, real) -> None:
    energy = prior.energy(doubled(real))
    assert energy.dtype == torch.float64
    assert torch.allclose(energy.float(), prior.energy(real), rtol=2e-2, atol=2e-2)


def test_rollout_keeps_bones_follows_its_generator_and_goes_on_from_where_one_was(prior, real) -> None:
    start = part(real, 0, 10)

    def go(seed: int) -> PoseSequence:
        return prior.rollout(start, 20, generator=torch.Generator().manual_seed(seed))

    after = go(0)
    assert after.joints.shape == (20, 24, 3)
    assert torch.equal(after.joints, go(0).joints)
    assert not torch.equal(after.joints, go(1).joints)
    assert float((after.joints[0] - start.joints[-1]).norm(dim=-1).mean()) < 0.15
    lengths = [(each.joints[-1, 4] - each.joints[-1, 1]).norm() for each in (start, after)]
    assert float(lengths[0]) == pytest.approx(float(lengths[1]), abs=1e-4)
    assert torch.allclose(after.rotations @ after.rotations.mT, torch.eye(3).expand_as(after.rotations), atol=1e-4)


def test_rollout_of_one_frame_is_refused(prior, real) -> None:
    with pytest.raises(ValueError, match="field initial"):
        prior.rollout(part(real, 0, 1), 5, generator=torch.Generator())


def test_the_median_over_held_out_poses_is_one(prior, data) -> None:
    assert float(energies_of(prior, data, held_out=True).median()) == pytest.approx(1.0, abs=1e-3)


def test_saved_and_loaded_energies_are_equal(data, real, tmp_path) -> None:
    trained = train_prior("humor", data, tmp_path / "a.safetensors", config=replace(CONFIG, steps=3))
    copy = save_prior(read_prior_file(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    assert torch.equal(trained.energy(real), load_prior(copy).energy(real))


def test_another_rate_or_motions_too_short_are_refused(data, tmp_path) -> None:
    with pytest.raises(ValueError, match="field fps"):
        train_prior("humor", dataset_of(few_motions(), fps=20.0, held_out=0.25), tmp_path / "p", config=CONFIG)
    with pytest.raises(ValueError, match="at least 1002 frames"):
        train_prior("humor", data, tmp_path / "p", config=replace(CONFIG, window=1000))
