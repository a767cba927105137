"""A tiny generator end to end: it learns, resumes to the bit, and samples what it was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from augment.actions import FRAME_LABELS
from augment.generators.checkpoint import MotionGenerator, load_generator, new_generator, save_generator
from augment.generators.conditions import (
    CHANNELS,
    WITHOUT,
    annotations_of,
    drop_some,
    label_channels,
    segments_from_labels,
)
from augment.generators.dataset import (
    MAX_FRAMES,
    TrainingSet,
    collate,
    draw_batch,
    example,
    part_of,
    split_rows,
    training_set,
    valid_frames,
)
from augment.generators.denoiser import DenoiserConfig, skip_shares
from augment.generators.diffusion import sampling_steps, spread_steps
from augment.generators.inherit import inherit
from augment.generators.losses import batch_losses, energy_error
from augment.generators.noise import SPANS, smooth
from augment.generators.options import TrainConfig
from augment.generators.sample import Wish, denoise, profile_conditions, reach, sample
from augment.generators.train import learning_rate, train
from augment.geometry import axis_rotation
from augment.motion.features import FEATURES, canonical_start, velocities_of
from augment.motion.posture import turn_and_shift
from augment.types import Motion, Segment
from tests.make.actor import moving, rest_joints

TINY = TrainConfig(
    width=64,
    layers=2,
    heads=2,
    fine=32,
    batch=8,
    warmup=20,
    hold=200,
    rate=3e-3,
    average=0.98,
    window=8,
    mixed=False,
    mirror=False,
    trim=0.0,
)


@pytest.fixture(scope="module")
def two_motions() -> list[Motion]:
    rng = np.random.default_rng(0)
    return [moving(action="wave", frames=32, rng=rng), moving(action="sit", frames=24, rng=rng, support="chair")]


@pytest.fixture(scope="module")
def data(two_motions: list[Motion]) -> TrainingSet:
    return training_set(two_motions, rest_joints)


@pytest.fixture(scope="module")
def trained(data: TrainingSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[MotionGenerator, list[float]]:
    losses: list[float] = []
    model = train(
        data, tmp_path_factory.mktemp("run"), steps=250, config=TINY, report=lambda step, parts: losses.append(parts["simple"])
    )
    return model, losses


def _ask(model: MotionGenerator, actions: list[str], *, seed: int = 0, **options: Any) -> list[Motion]:
    generator = torch.Generator().manual_seed(seed)
    return sample(model, actions, generator=generator, wish=Wish(**options), rest_joints_of=rest_joints)


def test_it_memorises_two_motions(trained: tuple[MotionGenerator, list[float]], data: TrainingSet):
    model, losses = trained
    # The first steps' loss is that of predicting zero.
    assert np.mean(losses[-40:]) < 0.1 * np.mean(losses[:5])
    conditions = profile_conditions(model.profiles)
    for index, truth in enumerate(data.channels):
        noise = torch.randn(len(truth), 315, generator=torch.Generator().manual_seed(4))
        levels = sampling_steps(len(model.schedule), 8)
        made = denoise(model, conditions.rows(slice(index, index + 1)), noise, guidance={}, levels=levels)
        joints = (made - truth)[:, FEATURES["joints"]].unflatten(-1, (24, 3))
        assert joints.norm(dim=-1).mean() < 0.05


def test_resumed_run_equals_the_uninterrupted_one(data: TrainingSet, tmp_path: Path):
    config = replace(TINY, mixed=True)
    train(data, tmp_path / "straight", steps=20, config=config)
    train(data, tmp_path / "broken", steps=10, config=config)
    train(data, tmp_path / "broken", steps=20, config=config)
    straight, broken = (load_file(tmp_path / name / "generator.safetensors") for name in ("straight", "broken"))
    assert all(torch.equal(straight[name], broken[name]) for name in straight)
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("straight", "broken")]
    assert [len(rows) for rows in logs] == [20, 20]


def test_resume_refuses_other_data_and_other_options(data: TrainingSet, two_motions: list[Motion], tmp_path: Path):
    train(data, tmp_path, steps=1, config=TINY)
    with pytest.raises(ValueError, match="another motion store"):
        train(training_set(two_motions[:1], rest_joints), tmp_path, steps=2, config=TINY)
    with pytest.raises(ValueError, match="other options"):
        train(data, tmp_path, steps=2, config=replace(TINY, rate=1e-3))
    train(data, tmp_path, steps=1, config=replace(TINY, rate=1e-3), resume="never")


def test_seed_decides_the_training(data: TrainingSet, tmp_path: Path):
    runs = [train(data, tmp_path / str(k), steps=2, config=replace(TINY, seed=seed)) for k, seed in enumerate((0, 0, 1))]
    weights = [run.denoiser.state_dict()["frames_out.weight"] for run in runs]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_learning_rate_does_not_know_the_end():
    rates = [learning_rate(TINY, step) for step in range(1000)]
    assert rates[0] < rates[19] == TINY.rate == rates[199] > rates[999] > 0


@pytest.mark.parametrize("option", ["joints_weight", "velocity_weight", "foot_weight"])
def test_every_loss_weight_counts(option: str, trained: tuple[MotionGenerator, list[float]], data: TrainingSet):
    model, _ = trained

    def total(config: TrainConfig) -> float:
        generator = torch.Generator().manual_seed(1)
        batch = draw_batch(data, 4, generator=generator, mirror=False, trim=0.0)
        stands = batch.x0.clone()
        stands[..., FEATURES["contacts"]] = 1.0
        return float(batch_losses(model, replace(batch, x0=stands), config, generator=generator)["total"])

    assert total(replace(TINY, **{option: 0.0})) < total(TINY)


def test_padding_does_not_matter(trained: tuple[MotionGenerator, list[float]], data: TrainingSet):
    model, _ = trained
    batch = collate([example(data, k, generator=torch.Generator().manual_seed(0), mirror=False, trim=0.0) for k in range(2)])
    step = torch.tensor([25, 25])
    junk = torch.where(batch.valid[..., None], batch.x0, 1e3)
    short, frames = batch.conditions.rows(slice(1, 2)), len(data.channels[1])
    together = model.denoiser(junk, step, batch.conditions, batch.valid)[1, :frames]
    alone = model.denoiser(batch.x0[1:, :frames], step[1:], short, valid_frames([frames]))[0]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_sampling_is_deterministic_and_seeded(trained: tuple[MotionGenerator, list[float]]):
    model, _ = trained
    first, again, other = (_ask(model, ["wave", "sit"], seed=seed, steps=4) for seed in (7, 7, 8))
    for one, two, three in zip(first, again, other, strict=True):
        assert np.array_equal(one.body_pose, two.body_pose)
        assert np.array_equal(one.transl, two.transl)
        assert not np.array_equal(one.body_pose, three.body_pose)


def test_a_motion_does_not_depend_on_what_else_is_asked_for(trained: tuple[MotionGenerator, list[float]]):
    """Law: the n-th motion of an action has the same bytes in any request with the same seed, on any number of threads."""
    model, _ = trained
    together = _ask(model, ["wave", "sit", "wave", "sit", "sit"], steps=4)
    apart = [*_ask(model, ["sit", "sit"], steps=4), *_ask(model, ["wave", "wave"], steps=4)]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        elsewhere = _ask(model, ["wave", "sit", "wave", "sit", "sit"], steps=4)
    finally:
        torch.set_num_threads(threads)
    pairs = [*zip([together[k] for k in (1, 3, 0, 2)], apart, strict=True), *zip(together, elsewhere, strict=True)]
    for one, two in pairs:
        assert (one.name, one.caption) == (two.name, two.caption)
        for field in ("global_orient", "body_pose", "transl", "betas"):
            assert np.array_equal(getattr(one, field), getattr(two, field))
    assert not np.array_equal(together[0].body_pose, together[2].body_pose)


def test_a_motion_arrives_complete(trained: tuple[MotionGenerator, list[float]]):
    model, _ = trained
    wave, sit = _ask(model, ["wave", "sit"])
    assert (wave.action, wave.support, wave.support_center) == ("wave", "floor", None)
    assert (sit.action, sit.support, sit.support_height) == ("sit", "chair", pytest.approx(0.45))
    assert sit.segments[0].start_sec == 0.0
    assert sit.segments[-1].end_sec == pytest.approx(sit.seconds)
    assert {segment.label for segment in sit.segments} == {"standing", "sitting"}
    assert wave.name != sit.name
    assert wave.caption.endswith(".")


def test_support_comes_out_where_the_data_had_it(trained: tuple[MotionGenerator, list[float]], data: TrainingSet):
    model, _ = trained
    motion = _ask(model, ["sit"])[0]
    assert motion.support_center is not None
    truth = data.channels[1][0, 311:315]
    found = np.array([*motion.support_center, np.sin(motion.support_yaw), np.cos(motion.support_yaw)])
    assert np.abs(found - truth.numpy()).max() < 0.1


@pytest.mark.parametrize("seconds", [0.5, 3.0, 10.0])
def test_any_length_up_to_ten_seconds(seconds: float, trained: tuple[MotionGenerator, list[float]]):
    motion = _ask(trained[0], ["wave"], seconds=seconds, steps=2)[0]
    assert motion.seconds == pytest.approx(seconds)
    assert np.isfinite(motion.body_pose).all()


def test_options_change_the_sample(trained: tuple[MotionGenerator, list[float]]):
    model, _ = trained
    plain = _ask(model, ["sit"], steps=4)[0]
    options: list[dict[str, Any]] = [{"guidance": {"action": 3.0}}, {"steps": 8}, {"heading": 90.0}, {"seconds": 1.0}]
    for option in options:
        other = _ask(model, ["sit"], **({"steps": 4} | option))[0]
        assert not np.array_equal(plain.body_pose, other.body_pose), option


@pytest.mark.parametrize("name", WITHOUT)
def test_guidance_of_one_is_as_trained_and_of_none_leaves_it_out(name: str, trained: tuple[MotionGenerator, list[float]]):
    model, _ = trained
    given = torch.tensor([False])
    conditions = replace(profile_conditions(model.profiles[:1]), goal=torch.ones(1, 2), drop_goal=given, drop_heading=given)
    noise, levels = torch.randn(24, 315, generator=torch.Generator().manual_seed(3)), sampling_steps(50, 4)
    plain, one, nearly, none = (
        denoise(model, conditions, noise, guidance=guidance, levels=levels)
        for guidance in ({}, {name: 1.0}, {name: 1.0 + 1e-9}, {name: 0.0})
    )
    assert torch.equal(plain, one)
    torch.testing.assert_close(one, nearly, atol=1e-5, rtol=1e-4)
    left_out = denoise(model, WITHOUT[name](conditions, len(model.actions)), noise, guidance={}, levels=levels)
    torch.testing.assert_close(none, left_out, atol=1e-4, rtol=1e-3)


def test_conditions_are_dropped_as_often_as_asked(data: TrainingSet):
    many = data.conditions.rows(torch.zeros(4000, dtype=torch.long))
    many = replace(many, goal=many.goal + 1, drop_goal=torch.zeros(4000, dtype=torch.bool))
    dropped = drop_some(many, unknown=9, action=0.1, others=0.3, goal=0.6, generator=torch.Generator().manual_seed(0))
    assert float((dropped.action == 9).float().mean()) == pytest.approx(0.1, abs=0.02)
    assert float(dropped.drop_support.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float(dropped.drop_goal.float().mean()) == pytest.approx(0.6, abs=0.03)
    assert (dropped.context()[dropped.drop_betas][:, 4:14] == 0).all()
    assert (dropped.context()[dropped.drop_goal][:, 18:20] == 0).all()
    assert (dropped.context()[~dropped.drop_goal][:, 18:20] == 1).all()


def test_wrong_requests_are_refused_with_what_is_right(trained: tuple[MotionGenerator, list[float]], tmp_path: Path):
    model, _ = trained
    with pytest.raises(ValueError, match=r"'moonwalk'.*sit, wave"):
        _ask(model, ["moonwalk"])
    with pytest.raises(ValueError, match="to 10"):
        _ask(model, ["wave"], seconds=11.0)
    with pytest.raises(ValueError, match=r"1\.\.50"):
        _ask(model, ["wave"], steps=51)
    with pytest.raises(ValueError, match="unknown condition 'weather'; expected some of: action, support, body, goal, heading"):
        _ask(model, ["wave"], guidance={"weather": 2.0})
    with pytest.raises(ValueError, match=r"goal: 9\.0 m away, more than the 5\.0 m"):
        _ask(model, ["wave"], goal=(9.0, 0.0), seconds=2.0)
    with pytest.raises(ValueError, match="'sit' ends on a chair or bed, which decides where; leave the goal out"):
        _ask(model, ["sit"], goal=(1.0, 0.0))
    with pytest.raises(ValueError, match="augment motions train"):
        load_generator(tmp_path)
    (tmp_path / "generator.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load_generator(tmp_path)


@pytest.mark.parametrize(("start", "goal"), [((0.0, 0.0), (0.0, 1.0)), ((2.0, -1.0), (1.0, -2.0))])
def test_a_motion_starts_and_ends_where_it_was_asked_to(
    start: tuple[float, float], goal: tuple[float, float], trained: tuple[MotionGenerator, list[float]]
):
    """Also of a network that has not learnt to walk there; and it faces the goal at first."""
    motion = _ask(trained[0], ["wave"], start=start, goal=goal, steps=4)[0]
    pelvis = motion.transl + rest_joints(motion.betas)[0]
    assert np.abs(pelvis[0, [0, 2]] - start).max() < 0.05
    assert np.abs(pelvis[-1, [0, 2]] - goal).max() < 0.05
    turned = turn_and_shift(motion, 0.7, np.array([1.0, 0.0, 2.0]), rest_joints(motion.betas)[0])
    back = turn_and_shift(turned, -0.7, -axis_rotation("y", -0.7) @ [1.0, 0.0, 2.0], rest_joints(motion.betas)[0])
    assert np.abs(back.transl - motion.transl).max() < 1e-6


def test_a_clean_motion_is_copied_and_pure_noise_is_not():
    """Law: the shares of input and prediction together keep a motion's size, whatever the level; without a skip path, none."""
    alpha_bar = torch.tensor([1.0, 0.5, 1e-9], dtype=torch.float64)
    skip, predicted = skip_shares(alpha_bar, 0.1)
    torch.testing.assert_close(predicted, torch.tensor([0.0, 0.99, 1.0], dtype=torch.float64), atol=1e-2, rtol=0)
    torch.testing.assert_close(skip * alpha_bar.sqrt() + predicted, torch.ones(3, dtype=torch.float64))
    assert (skip_shares(alpha_bar[1:], 0.0)[0] == 0).all()


def test_smooth_noise_keeps_its_size_and_changes_as_slowly_as_asked():
    white = torch.randn(300, MAX_FRAMES, CHANNELS, generator=torch.Generator().manual_seed(0))
    noise = smooth(white)
    for part in ("joints", "velocities"):
        values = noise[..., FEATURES[part]]
        assert float(values.square().mean()) == pytest.approx(1.0, abs=0.05)
        scaled = 3**0.5 / SPANS[part]  # Matern 3/2, one frame apart
        change = 2 - 2 * (1 + scaled) * np.exp(-scaled)
        assert float(values.diff(dim=1).square().mean()) == pytest.approx(change, rel=0.05)
    assert torch.equal(smooth(white[0, :24]), noise[0, :24])  # the first frames do not depend on those that follow


@pytest.mark.parametrize("option", [{"coloured": False}, {"copies_below": 0.0}, {"fine": 0}, {"overlap": 0}])
def test_every_part_of_the_network_counts(option: dict[str, Any], data: TrainingSet, tmp_path: Path):
    runs = [
        train(data, tmp_path / str(number), steps=3, config=replace(TINY, **changed))
        for number, changed in enumerate(({}, option))
    ]
    assert getattr(runs[1].denoiser.config, next(iter(option))) == next(iter(option.values()))
    one, other = (_ask(run, ["wave"], steps=4)[0] for run in runs)
    assert not np.array_equal(one.body_pose, other.body_pose)


def test_a_generator_without_goals_says_so(data: TrainingSet):
    """Weights of earlier versions: white noise, tokens alone; a goal is reached all the same, a heading has to be learnt."""
    model = new_generator(data, DenoiserConfig(channels=CHANNELS, actions=2, width=32, layers=1, heads=2), seed=0)
    assert _ask(model, ["wave"], steps=2)[0].action == "wave"
    motion = _ask(model, ["wave"], goal=(1.0, 0.5), steps=2)[0]
    assert (motion.transl[-1] + rest_joints(motion.betas)[0])[[0, 2]] == pytest.approx((1.0, 0.5), abs=0.01)
    with pytest.raises(ValueError, match="heading: this generator learnt none; train another"):
        _ask(model, ["wave"], heading=10.0)


def test_a_led_path_keeps_its_features_consistent(data: TrainingSet):
    """Law: joints move with the pelvis, velocities stay those of the joints, and a path that leads there is not changed."""
    channels = data.channels[0]
    joints, speeds = FEATURES["joints"], FEATURES["velocities"]
    led = reach(channels, torch.tensor([2.0, -1.0]))
    assert torch.allclose(led[[0, -1]][:, [0, 2]], torch.tensor([[0.0, 0.0], [2.0, -1.0]]), atol=1e-5)
    moved = (led - channels)[:, joints].unflatten(-1, (24, 3))
    torch.testing.assert_close(moved, (led - channels)[:, None, :3].expand(-1, 24, -1), atol=1e-5, rtol=0)
    change = velocities_of(moved, fps=20.0)
    torch.testing.assert_close((led - channels)[:, speeds].unflatten(-1, (24, 3)), change, atol=1e-3, rtol=0)
    torch.testing.assert_close(reach(led, torch.tensor([2.0, -1.0])), led, atol=1e-4, rtol=0)


def test_training_keeps_the_best_validation_and_stops(data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    errors = iter([0.5, 0.3, 0.32, 0.4, 0.6, 0.1])
    monkeypatch.setattr("augment.generators.train.energy_error", lambda model, held: next(errors))
    model = train(data, tmp_path, steps=100, config=replace(TINY, validate_every=2, patience=2))
    rows = [json.loads(row) for row in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row.get("energy_error") for row in rows] == [None, 0.5, None, 0.3, None, 0.32, None, 0.4, None, 0.6]
    assert model.facts["steps"] == 6  # the last one that is about as good as the best
    assert model.facts["loss"]["energy_error"] == 0.32


def test_validation_is_on_motions_that_are_not_learnt():
    rng = np.random.default_rng(5)
    data = training_set([moving(frames=24, rng=rng) for _ in range(10)], rest_joints)
    learnt, held = split_rows(data, held_out=0.2, generator=torch.Generator().manual_seed(0))
    assert sorted([*learnt, *held]) == list(range(10))
    assert len(held) == 2
    part = part_of(data, held)
    assert len(part) == len(part.conditions) == len(part.rest_joints) == 2
    assert torch.equal(part.channels[1], data.channels[held[1]])


def test_a_still_network_has_a_large_energy_error(data: TrainingSet):
    model = new_generator(data, DenoiserConfig(channels=CHANNELS, actions=2, width=32, layers=1, heads=2), seed=0)
    assert energy_error(model, data) > 1.0  # an untrained network predicts the mean pose


def test_noise_levels_of_a_batch_are_spread():
    levels = spread_steps(50, 10, generator=torch.Generator().manual_seed(0))
    assert sorted((levels // 5).tolist()) == list(range(10))


def test_crops_start_canonically_and_long_motions_are_cut():
    motion = moving(frames=260, rng=np.random.default_rng(1), support="chair", action="sit")
    data = training_set([motion], rest_joints)
    for seed in range(6):
        channels, _, conditions = example(data, 0, generator=torch.Generator().manual_seed(seed), mirror=True, trim=1.0)
        assert torch.equal(conditions.goal[0], channels[-1, FEATURES["root"]][[0, 2]])
        yaw, origin = canonical_start(channels)
        assert len(channels) <= 200
        assert float(conditions.seconds[0]) == pytest.approx(len(channels) / 20)
        assert abs(float(yaw)) < 1e-4
        assert origin.abs().max() < 1e-4


def test_the_chair_stays_beside_the_sitter_in_every_crop():
    """Distance from pelvis to seat, and the seat's heading relative to the body's, do not depend on crop and mirror."""
    motion = moving(frames=100, rng=np.random.default_rng(2), support="chair", action="sit")
    data = training_set([motion], rest_joints)

    def last_distance(channels: torch.Tensor) -> float:
        return float((channels[:, [0, 2]] - channels[:, 311:313]).norm(dim=-1).min())

    whole = last_distance(data.channels[0][20:80])
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        draws = torch.rand(5, generator=torch.Generator().manual_seed(seed))
        first = int(draws[1] * 0.15 * 100)
        channels, _, _ = example(data, 0, generator=generator, mirror=True, trim=1.0)
        assert last_distance(channels[20 - first : 80 - first]) == pytest.approx(whole, abs=1e-4)
        assert float(channels[0, 313:315].norm()) == pytest.approx(1.0, abs=1e-4)


def wandering(name: str = "a", *, caption: str = "Ann {paces}.") -> Motion:
    """An action and a frame label that no table of ours has."""
    motion = moving(action="wander", frames=40, rng=np.random.default_rng(3))
    parts = (("walk", 0.0, 0.5), ("pacing about", 0.5, 1.5), ("other", 1.5, 2.0))
    segments = tuple(Segment(label=label, start_sec=start, end_sec=end) for label, start, end in parts)
    return replace(motion, name=name, label="pacing about", segments=segments, caption=caption)


def test_frame_labels_of_ones_own_survive_the_channels():
    """Law: segments to channels and back, with whatever labels a store has; those of our table keep their places."""
    motion = wandering()
    names = label_channels(segment.label for segment in motion.segments)
    assert len(names) == len(set(names)) == len(FRAME_LABELS)
    assert [a for a, b in zip(names, FRAME_LABELS, strict=True) if a != b] == ["pacing about"]
    channels = annotations_of(motion, np.eye(4), names)
    assert segments_from_labels(channels[:, :16], fps=motion.fps, names=names) == motion.segments
    assert label_channels(FRAME_LABELS[:3]) == FRAME_LABELS


def test_as_many_labels_as_channels_fit_and_no_more():
    own = [f"own {number:02d}" for number in range(15)]
    assert set(label_channels(own)) == {*own, "other"}
    with pytest.raises(ValueError, match=r"17 frame labels, .* at most 16 .*: own 00, .*, own 16: give some of them the same"):
        label_channels([f"own {number:02d}" for number in range(17)])


def test_a_generator_samples_actions_of_ones_own_with_their_label_and_words(two_motions: list[Motion], tmp_path: Path):
    own = [wandering("a"), wandering("b", caption="Ann roams.")]
    data = training_set([*two_motions, *own], rest_joints)
    assert data.digest != training_set([*two_motions, *(replace(m, label="x") for m in own)], rest_joints).digest
    model = new_generator(data, DenoiserConfig(channels=CHANNELS, actions=3, width=32, layers=1, heads=2), seed=0)
    save_generator(model, tmp_path / "generator.safetensors")
    read = load_generator(tmp_path)
    assert (read.own, read.labels, read.actions) == (model.own, model.labels, ("sit", "wander", "wave"))
    assert read.own["wander"].label == "pacing about"
    made = _ask(read, ["wander"] * 8, steps=2)
    assert {(motion.action, motion.label) for motion in made} == {("wander", "pacing about")}
    assert {motion.caption for motion in made} == {"Ann {paces}.", "Ann roams."}
    assert {segment.label for motion in made for segment in motion.segments} <= set(model.labels)
    with pytest.raises(ValueError, match=r"does not know the action 'wandr' \(did you mean 'wander'\?\)"):
        read.action_index("wandr")


def test_what_has_only_our_names_is_written_as_before(trained: tuple[MotionGenerator, list[float]], tmp_path: Path):
    """Generators of our own actions need no names of labels: theirs are ``FRAME_LABELS``."""
    save_generator(trained[0], tmp_path / "generator.safetensors")
    with safe_open(tmp_path / "generator.safetensors", framework="pt") as file:
        assert not {"labels", "own"} & (file.metadata() or {}).keys()
    assert load_generator(tmp_path).labels == FRAME_LABELS


def test_training_starts_from_trained_weights(
    trained: tuple[MotionGenerator, list[float]], data: TrainingSet, two_motions: list[Motion], tmp_path: Path
):
    """Law: before the first step a network with the same actions samples what the trained one does, however it normalises."""
    stretched = replace(data, channels=tuple(1.3 * channels for channels in data.channels))
    model = new_generator(stretched, trained[0].denoiser.config, seed=5)
    assert not torch.allclose(model.std, trained[0].std)
    inherit(model, trained[0])
    x_t = torch.randn(1, 24, CHANNELS, generator=torch.Generator().manual_seed(0))
    level, valid = torch.tensor([30]), valid_frames([24])
    conditions = profile_conditions(model.profiles[:1])
    factor = model.std / trained[0].std
    ours = model.denoiser(x_t / factor, level, conditions, valid) * model.std + model.mean
    theirs = trained[0].denoiser(x_t, level, conditions, valid) * trained[0].std + trained[0].mean
    torch.testing.assert_close(ours, theirs, atol=2e-2, rtol=1e-3)  # the skip path's share of the means differs

    more = training_set([*two_motions, wandering()], rest_joints)
    first = train(more, tmp_path / "a", steps=1, config=TINY, start=trained[0])
    again = train(more, tmp_path / "b", steps=1, config=TINY)
    assert first.facts["start"] != again.facts.get("start")
    assert not torch.equal(first.denoiser.action.weight, again.denoiser.action.weight)
    with pytest.raises(ValueError, match="other weights to start from"):
        train(more, tmp_path / "a", steps=2, config=TINY)
    with pytest.raises(ValueError, match="start: expected a network with width 32, found 64"):
        inherit(new_generator(more, replace(trained[0].denoiser.config, width=32), seed=0), trained[0])
