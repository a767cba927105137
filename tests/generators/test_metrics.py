"""Measures on known answers, the model card, the contact sheet, and the two commands' refusals."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from augment.body.model import load_body
from augment.commands.motions_train import MotionsSample
from augment.generators.card import measure_generator, write_card
from augment.generators.checkpoint import SHIPPED, load_generator, new_generator, save_generator
from augment.generators.cleanup import FRAMES, MEANS, even_out, settle
from augment.generators.conditions import segments_from_labels
from augment.generators.dataset import TrainingSet, split_rows, training_set
from augment.generators.denoiser import DenoiserConfig
from augment.generators.metrics import (
    fall_figures,
    figures_of,
    frechet,
    load_evaluator,
    nearest_distances,
    resampled,
    save_evaluator,
    train_evaluator,
)
from augment.generators.motion_sheet import contact_sheet
from augment.generators.sample import fall_side
from augment.motion.features import FEATURES, mirror_features
from augment.motion.posture import place_joints, world_rotations
from augment.motion.store import read_store
from augment.types import Motion, Segment
from tests.make.actor import moving, rest_joints

ACTIONS = ("wave", "kick", "sit")


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    rng = np.random.default_rng(0)
    return training_set(
        [
            moving(action=action, frames=int(rng.integers(40, 60)), rng=rng, support="chair" if action == "sit" else "floor")
            for action in ACTIONS
            for _ in range(8)
        ],
        rest_joints,
    )


def test_frechet_of_gaussians_is_the_closed_form():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (200_000, 2)), rng.normal(0, 1, (200_000, 2)) * [1.0, 3.0] + [2.0, 0.0]
    assert frechet(a, b) == pytest.approx(2.0**2 + (3.0 - 1.0) ** 2, rel=0.02)
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-6)


def test_interval_shrinks_with_the_number_of_items():
    rng = np.random.default_rng(0)
    values = rng.normal(size=10_000)
    few, many = (resampled(lambda rows: float(values[rows].mean()), count, rng=rng) for count in (50, 10_000))
    assert many.interval < few.interval


def test_evaluator_learns_to_name_actions_it_has_not_seen(data: TrainingSet):
    generator = torch.Generator().manual_seed(0)
    train_rows, test_rows = split_rows(data, held_out=0.25, generator=generator)
    assert not set(train_rows) & set(test_rows)
    evaluator = train_evaluator(data, train_rows, generator=generator, steps=150)
    _, logits = evaluator([data.channels[row] for row in test_rows])
    assert float((logits.argmax(-1) == data.conditions.action[test_rows]).float().mean()) > 0.8


def test_nearest_distance_knows_copies_and_mirrored_copies(data: TrainingSet):
    motions = list(data.channels)
    copies = nearest_distances([motions[0], mirror_features(motions[1])], motions)
    assert np.abs(copies).max() < 1e-2
    assert (nearest_distances(motions, motions, same=True) > 0.01).all()


def standing_still(frames: int, root: np.ndarray) -> tuple[Motion, np.ndarray]:
    """A motion in the zero pose whose pelvis follows ``root`` (frames, 3), and its body's rest joints."""
    rest = np.asarray(rest_joints(np.zeros(10)), np.float64)
    still = moving(frames=frames, rng=np.random.default_rng(0))
    zeros = np.zeros((frames, 23, 3), np.float32)
    transl = (root - rest[0]).astype(np.float32)
    return replace(still, betas=np.zeros(10), global_orient=zeros[:, 0], body_pose=zeros, transl=transl), rest


def feet_of(motion: Motion, rest: np.ndarray) -> np.ndarray:
    return place_joints(world_rotations(motion), rest, motion.transl + rest[0])[:, [10, 11]]


def test_settled_feet_stand_still_and_nothing_is_too_low():
    """A still pose sunk 5 cm below its lowest allowed height, its root sliding: afterwards the feet stand still, higher."""
    frames, height = 30, 0.9
    motion, rest = standing_still(
        frames, np.stack([0.004 * np.arange(frames), np.full(frames, height), np.zeros(frames)], axis=1)
    )
    lowest = np.full(24, -1.0)
    lowest[10:12] = feet_of(motion, rest)[..., 1].min() + 0.05
    settled = settle(motion, np.ones((frames, 4)), rest, lowest=lowest)
    feet = feet_of(settled, rest)
    assert feet[..., 1].min() > lowest[10] - 0.005
    assert np.abs(np.diff(feet[2:-2], axis=0)).max() < 0.001
    assert np.abs(np.diff(feet_of(motion, rest), axis=0)).max() > 0.003


def test_a_sunk_hand_is_raised_alone():
    """A hand below the floor does not lift the body."""
    motion, rest = standing_still(20, np.tile([0.0, 0.9, 0.0], (20, 1)))
    lowest = np.full(24, -1.0)
    lowest[22] = place_joints(world_rotations(motion), rest, motion.transl + rest[0])[0, 22, 1] + 0.1
    settled = settle(motion, np.zeros((20, 4)), rest, lowest=lowest)
    joints = place_joints(world_rotations(settled), rest, settled.transl + rest[0])
    assert joints[:, 22, 1].min() > lowest[22] - 0.03
    assert np.abs(settled.transl - motion.transl).max() < 1e-6


def test_a_motion_that_stands_well_is_left_as_it_is():
    motion, rest = standing_still(30, np.tile([0.0, 0.9, 0.0], (30, 1)))
    for contacts in (np.ones((30, 4)), np.zeros((30, 4))):
        settled = settle(motion, contacts, rest, lowest=np.full(24, -1.0))
        assert np.abs(feet_of(settled, rest) - feet_of(motion, rest)).max() < 1e-3


def test_steps_between_tokens_are_evened_out_and_lines_and_means_stay():
    """Law: straight lines stay as they are, tokens keep their means, and a staircase becomes a ramp, the last token short."""
    line = torch.arange(14.0)[:, None] * torch.tensor([[1.0, -2.0]])
    torch.testing.assert_close(even_out(line, 4), line)
    stairs = torch.arange(4.0).repeat_interleave(4)[:14, None]
    smoothed = even_out(stairs, 4)
    assert float(smoothed.diff(dim=0).max()) < 0.5
    for first in range(0, 14, 4):
        torch.testing.assert_close(smoothed[first : first + 4].mean(), stairs[first : first + 4].mean(), atol=0.02, rtol=0)
    assert torch.equal(even_out(stairs, 1), stairs)  # one frame a token: nothing to join
    for count in (1, 2, 3, 5):
        torch.testing.assert_close(even_out(line[:count], 4), line[:count])


def test_evening_out_is_the_least_squares_that_it_says():
    """Law: no small change of the result lowers the sum of squares, whatever the length of the last token."""
    given = torch.randn(11, 1, generator=torch.Generator().manual_seed(0)).double()

    def cost(found: torch.Tensor) -> torch.Tensor:
        means = [(found - given)[first : first + 4].mean() ** 2 for first in range(0, 11, 4)]
        return found.diff(n=2, dim=0).square().sum() + FRAMES * (found - given).square().sum() + MEANS * sum(means)

    found = even_out(given, 4).requires_grad_()
    (slope,) = torch.autograd.grad(cost(found), found)
    assert float(slope.abs().max()) < 1e-9


def test_segments_cover_the_motion_and_swallow_blips():
    labels = torch.tensor([8] * 10 + [1] + [8] * 5 + [1] * 10 + [2] * 10)
    segments = segments_from_labels(torch.nn.functional.one_hot(labels, 16).float(), fps=20.0)
    assert [segment.label for segment in segments] == ["standing", "fall", "fallen"]
    assert segments[0].start_sec == 0.0
    assert segments[-1].end_sec == len(labels) / 20
    assert all(a.end_sec == b.start_sec for a, b in itertools.pairwise(segments))


def test_a_fall_to_plus_x_is_a_fall_to_the_left():
    path = np.zeros((20, 3))
    path[10:, 0] = np.linspace(0, 0.8, 10)
    fall = (Segment(label="fall", start_sec=0.5, end_sec=1.0),)
    assert fall_side(path, fall, 20.0) == "left"
    assert fall_side(-path, fall, 20.0) == "right"


def falling(speed: float, *, noise: float = 0.0) -> np.ndarray:
    """Joints (60, 24, 3) whose pelvis stands at 1 m, drops at ``speed`` to 0.1 m, and stays there."""
    heights = np.clip(1.0 - speed * (np.arange(60) / 20 - 1.0), 0.1, 1.0)
    joints = np.zeros((60, 24, 3)) + heights[:, None, None] * [0.0, 1.0, 0.0]
    return joints + np.random.default_rng(0).normal(0, noise, joints.shape)


def test_falls_are_measured_as_they_were_made():
    """Known answer: 0.9 m at 3 m/s; a faster one is faster and shorter; jitter of 5 mm changes the speed by little."""
    rng = np.random.default_rng(0)
    found, faster, rough = (fall_figures([part], rng=rng) for part in (falling(3.0), falling(6.0), falling(3.0, noise=0.005)))
    assert found["fall_speed"].value == pytest.approx(3.0, abs=0.01)
    assert found["fall_seconds"].value == pytest.approx(0.8 * 0.9 / 3.0, abs=0.1)
    assert found["falls_end_low"].value == 1.0
    assert faster["fall_speed"].value == pytest.approx(6.0, abs=0.01)
    assert faster["fall_seconds"].value < found["fall_seconds"].value
    assert faster["fall_acceleration"].value > found["fall_acceleration"].value
    assert rough["fall_speed"].value == pytest.approx(3.0, abs=0.25)


def test_figures_tell_copies_from_strangers(data: TrainingSet, tmp_path: Path):
    """Training motions cover themselves and are near; motions that all look alike cover little and differ little."""
    generator = torch.Generator().manual_seed(0)
    evaluator = train_evaluator(data, range(len(data)), generator=generator, steps=100)
    actions = data.conditions.action.numpy()
    alike = [data.channels[0]] * len(data)
    copies, same = (
        figures_of(evaluator, made, actions, data.channels, falls={0}, rng=np.random.default_rng(0))
        for made in (list(data.channels), alike)
    )
    assert copies["coverage"].value == 1.0
    assert copies["frechet"].value == pytest.approx(0.0, abs=1e-3)
    assert copies["nearest"].value < 1e-2
    assert same["multimodality"].value == same["diversity"].value == 0.0
    assert same["coverage"].value < 0.6
    assert same["accuracy"].value < copies["accuracy"].value
    digest = save_evaluator(evaluator, data.actions, tmp_path / "evaluator.safetensors")
    again, names = load_evaluator(tmp_path / "evaluator.safetensors")
    assert (names, len(digest)) == (data.actions, 64)
    assert torch.equal(again(alike)[1], evaluator(alike)[1])
    (tmp_path / "evaluator.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not an evaluator"):
        load_evaluator(tmp_path / "evaluator.safetensors")


def test_card_and_sheet_are_written(data: TrainingSet, tmp_path: Path):
    size = DenoiserConfig(channels=315, actions=3, width=32, layers=1, heads=2)
    model = new_generator(data, size, seed=0)
    model.denoiser.requires_grad_(False)
    figures = measure_generator(model, data, seed=0, per_action=4, rest_joints_of=rest_joints)
    write_card(model, data, tmp_path, figures, notes=["A note."])
    card = (tmp_path / "README.md").read_text()
    assert "A note." in card
    assert "| recognition accuracy |" in card
    motions = [moving(rng=np.random.default_rng(k)) for k in range(2)]
    joints = [part[:, FEATURES["joints"]].unflatten(-1, (24, 3)).numpy() for part in data.channels[:2]]
    contact_sheet(motions, joints, tmp_path / "sheet.png", columns=3)
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_sample_command_goes_where_it_is_told(data: TrainingSet, tmp_path: Path):
    """The written motion starts and ends at the asked places, and ends on time; its heading is asked of the network."""
    size = DenoiserConfig(channels=315, actions=3, width=32, layers=1, heads=2, goals=True)
    save_generator(new_generator(data, size, seed=0), tmp_path / "generator.safetensors")
    for name, heading in (("ahead", None), ("turned", 90.0)):
        wish = {"start": (1.0, 2.0), "to": (2.0, 2.0), "seconds": 2.0, "heading": heading, "steps": 2}
        MotionsSample(model=tmp_path, action=("wave",), n=1, out=tmp_path / name, **wish).run()
    ahead, turned = (read_store(tmp_path / name)[0] for name in ("ahead", "turned"))
    pelvis = ahead.transl + load_body().rest_joints(ahead.betas)[0]
    assert pelvis[0, [0, 2]] == pytest.approx((1.0, 2.0), abs=0.01)
    assert pelvis[-1, [0, 2]] == pytest.approx((2.0, 2.0), abs=0.01)
    assert ahead.seconds == turned.seconds == 2.0


def test_sample_command_refuses_what_cannot_be(tmp_path: Path):
    with pytest.raises(ValueError, match="no motion generator"):
        MotionsSample(model=tmp_path / "none", action=("walk",), out=tmp_path / "out").run()


def test_shipped_weights_load_and_are_small():
    assert SHIPPED.stat().st_size <= 10_000_000
    model = load_generator()
    assert {"walk", "fall_backward", "fall_from_chair", "lie_down"} <= set(model.actions)
    assert model.facts["steps"] > 0
