"""Measures on known answers, the model card, the contact sheet, and the two commands' refusals."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from augment.commands.motions_train import MotionsSample
from augment.generators.card import measure_generator, write_card
from augment.generators.checkpoint import SHIPPED, load_generator, new_generator
from augment.generators.cleanup import SampledPoses, clean, smooth_frames
from augment.generators.conditions import segments_from_labels
from augment.generators.dataset import TrainingSet, training_set
from augment.generators.denoiser import DenoiserConfig
from augment.generators.metrics import frechet, nearest_distances, resampled, split_rows, train_evaluator
from augment.generators.motion_sheet import contact_sheet
from augment.generators.sample import fall_side
from augment.motion.features import FEATURES, mirror_features, pose_joints
from augment.types import Segment
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


def test_cleanup_holds_feet_and_lifts_what_sinks(data: TrainingSet):
    """A still pose sunk 5 cm into the floor, its root sliding: afterwards the feet stand still, higher."""
    frames, rest = 30, torch.as_tensor(rest_joints(np.zeros(10)), dtype=torch.float32)
    rotations = torch.eye(3).expand(1, frames, 24, 3, 3).clone()
    height = -float((rest - rest[0])[:, 1].min())
    root = torch.zeros(1, frames, 3)
    root[..., 1], root[0, :, 0] = height - 0.05, 0.004 * torch.arange(frames)
    lowest = torch.full((24,), -1.0)
    lowest[10:12] = 0.0
    turned, moved = clean(
        SampledPoses(
            rotations=rotations,
            root=root,
            contacts=torch.ones(1, frames, 4),
            valid=torch.ones(1, frames, dtype=torch.bool),
            rest_joints=rest[None],
        ),
        lowest=lowest,
        standing=torch.full((4,), 10.0),
    )
    feet = pose_joints(turned, moved, rest[None])[0, :, [10, 11]]
    assert float(feet[..., 1].min()) > -0.02
    assert float(feet[..., 0].diff(dim=0).abs().mean()) < 0.001


def test_smoothing_keeps_lines_and_does_not_cross_the_end():
    line = torch.arange(10.0)[None, :, None].clone()
    valid = torch.arange(10)[None] < 6
    line[0, 6:] = 1e6
    torch.testing.assert_close(smooth_frames(line, valid), line)
    zigzag = torch.tensor([0.0, 1.0] * 5)[None, :, None]
    assert float(smooth_frames(zigzag, torch.ones(1, 10, dtype=torch.bool))[0, 1:-1].std()) < 1e-6


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


def test_sample_command_refuses_what_cannot_be(tmp_path: Path):
    with pytest.raises(ValueError, match="no motion generator"):
        MotionsSample(model=tmp_path / "none", action=("walk",), out=tmp_path / "out").run()


def test_shipped_weights_load_and_are_small():
    assert SHIPPED.stat().st_size <= 10_000_000
    model = load_generator()
    assert {"walk", "fall_backward", "fall_from_chair", "lie_down"} <= set(model.actions)
    assert model.facts["steps"] > 0
