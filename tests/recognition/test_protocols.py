"""Protocols of a study: shares, few real events, clips held out, ready lists of classes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from augment.actions import FRAME_LABELS
from recognition.ablation import ablate
from recognition.data import read_data
from recognition.held_out import hold_out
from recognition.recordings import TrainingClips
from recognition.report import write_report
from recognition.study_file import make_study
from recognition.subsets import clips_of, rare_recordings
from tests.make.sticks import FPS, Segment, stick_study, write_stick_films, write_sticks
from tests.make.videos import CLASSES, recording, study_data

DAILY = (Segment(label="standing", start_sec=0.0, end_sec=4.0), Segment(label="lying", start_sec=4.0, end_sec=6.0))
ASLEEP = (Segment(label="lying", start_sec=0.0, end_sec=6.0),)
"""Of no class: such a recording has no test window."""


def data(**changes: object) -> dict:
    return study_data(Path("real.csv"), Path("test.csv"), synthetic="shards", **changes)


def names(**changes: object) -> list[str]:
    return [arm.name for arm in make_study(data(**changes)).arms]


def test_shares_make_an_arm_each_of_those_that_mix():
    study = make_study(data(arms=["real", "real_synthetic", "synthetic"], shares=[0.25, 0.5]))
    assert [(arm.name, arm.synthetic_share) for arm in study.arms[1:3]] == [
        ("real_synthetic_25", 0.25), ("real_synthetic_50", 0.5),
    ]  # fmt: skip
    assert [arm.name for arm in study.arms] == ["real", "real_synthetic_25", "real_synthetic_50", "synthetic"]


def test_few_and_films_make_smaller_versions_of_the_baseline_and_of_arms_that_mix():
    made = names(arms=["real", "real_augmented", "real_synthetic"], few=[0, 2], films=[10])
    assert made[3:] == [
        "real_few0", "real_synthetic_few0", "real_few2", "real_synthetic_few2", "real_synthetic_films10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": ["real"], "shares": [0.5]}, "need an arm that uses real and synthetic clips"),
        ({"arms": ["real", "real_synthetic"], "films": [4]}, "`films` needs `few`"),
        ({"arms": ["synthetic"], "few": [4]}, "the baseline 'synthetic' uses none"),
        ({"shares": [1.5]}, "less than 1"),
        ({"few": [-1]}, "greater than or equal to 0"),
        ({"labels": "omnifal"}, r"unknown list 'omnifal' \(did you mean 'omnifall'\?\); expected one of: omnifall, care_home"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_study(data(**changes))
    assert "\n" not in str(caught.value)


def test_a_ready_list_of_classes_gives_its_labels_to_ones_own():
    given = {key: value for key, value in data(labels="care_home").items() if key != "classes"}
    ready = make_study(given).classes
    labels = [label for found in ready.values() for label in found]
    assert sorted(labels) == sorted(FRAME_LABELS)
    own = make_study({**given, "classes": {"in_bed": ["lying", "slid down"], "kneels": "kneeling"}}).classes
    assert own["in_bed"] == ["lying", "slid down"]
    assert own["kneels"] == ["kneeling"]
    assert "kneeling" not in own["bending"]
    assert len(make_study({**given, "labels": "omnifall"}).classes) == len(FRAME_LABELS)


def test_a_smaller_set_of_events_is_part_of_a_larger_one_and_depends_on_the_seed():
    study = make_study(data(arms=["real", "real_synthetic"], few=[0, 1, 2, 4]))
    falls = [recording(f"f{number}") for number in range(8)]
    daily = [recording("d", segments=DAILY)]
    clips = TrainingClips(real=[*falls, *daily], synthetic=[])
    arms = {arm.name: arm for arm in study.arms}

    def drawn(name: str, seed: int) -> set[str]:
        found = clips_of(study, arms[name], clips, seed=seed).real
        assert daily[0] in found
        return {one.name for one in rare_recordings(study, found)}

    for seed in range(3):
        sets = [drawn(f"real_few{count}", seed) for count in (0, 1, 2, 4)]
        assert [len(found) for found in sets] == [0, 1, 2, 4]
        assert all(small < large for small, large in itertools.pairwise(sets))
        assert drawn("real_synthetic_few2", seed) == drawn("real_few2", seed)
    assert len({frozenset(drawn("real_few4", seed)) for seed in range(5)}) > 1
    assert clips_of(study, arms["real"], clips, seed=0).real == clips.real


def test_clips_are_held_out_only_where_every_class_keeps_enough():
    many = [recording(f"f{number}") for number in range(40)]
    chosen = hold_out(many, CLASSES, rare="fall", share=0.1)
    assert len(chosen) == 4
    assert chosen == hold_out(many[::-1], CLASSES, rare="fall", share=0.1)
    assert hold_out(many[:10], CLASSES, rare="fall", share=0.1) == set()
    assert hold_out(many, CLASSES, rare="fall", share=0) == set()
    # A class that few recordings show keeps them all.
    both = [*many, *(recording(f"d{number}", segments=DAILY) for number in range(5))]
    classes = {**CLASSES, "lying": ["lying"]}
    assert hold_out(both, classes, rare="fall", share=0.4) <= {one.name for one in many}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocols")
    real = write_sticks(folder / "real", 6, seed=1, prefix="r", noise=0.3)
    daily = write_sticks(folder / "real", 4, seed=5, prefix="d", noise=0.3, segments=DAILY)
    real.write_text(real.read_text() + "".join(daily.read_text().splitlines(keepends=True)[1:]))
    test = write_sticks(folder / "test", 5, seed=2, prefix="t", noise=0.3)
    resting = write_sticks(folder / "test", 3, seed=6, prefix="u", noise=0.3, segments=DAILY)
    asleep = write_sticks(folder / "test", 1, seed=8, prefix="w", noise=0.3, segments=ASLEEP)
    test.write_text(test.read_text() + "".join(
        line for table in (resting, asleep) for line in table.read_text().splitlines(keepends=True)[1:]
    ))  # fmt: skip
    other = write_sticks(folder / "other", 3, seed=7, prefix="v", noise=0.3)
    return real, test, other, write_stick_films(folder / "films", 40, seed=3, noise=0.2)


def test_held_out_clips_are_in_no_arm_and_validation_may_not_leak(world):
    real, test, other, films = world
    plan = stick_study(real, test, synthetic=str(films), arms=["real", "real_synthetic", "synthetic"])
    found = read_data(make_study(plan))
    assert {one.is_synthetic for one in found.held_out} == {True}  # six real falls are too few to hold some out
    held = {one.group for one in found.held_out}
    assert all(held.isdisjoint(one.group for one in clips.all) for clips in found.training.values())
    assert len(found.training["synthetic"].synthetic) + len(held) == 40
    assert read_data(make_study({**plan, "held_out": 0})).held_out == []
    validation = read_data(make_study({**plan, "validation": str(other)}))
    assert len(validation.held_out) == 3
    assert len(validation.training["synthetic"].synthetic) == 40
    for leak, words in ((real, "training and validation"), (test, "validation and test")):
        with pytest.raises(ValueError, match=words):
            read_data(make_study({**plan, "validation": str(leak)}))


def test_smaller_arms_that_would_change_nothing_or_train_on_nothing_are_left_out_and_said(world):
    real, test, other, films = world
    plan = stick_study(real, test, synthetic=str(films), arms=["real", "real_synthetic"], few=[0, 2, 6, 8])
    found = read_data(make_study(plan))
    assert [arm.name for arm in found.study.arms if arm.smaller == "real"] == ["real_few0", "real_few2"]
    assert any("real_few8" in warning for warning in found.warnings)
    without_daily = read_data(make_study({**plan, "real": str(other), "few": [0, 1]}))
    assert "real_few0" not in without_daily.training
    assert any("none is left to train these on: real_few0" in warning for warning in without_daily.warnings)


def test_a_study_with_every_protocol_reports_them_and_resumes_to_the_same(world, tmp_path):
    real, test, _, films = world
    plan = stick_study(
        real, test, synthetic=str(films), arms=["real", "real_synthetic"], shares=[0.3, 0.6], few=[0, 2], films=[4],
        seeds=[0, 1], hard_negatives=["lying"], steps=20, alarm_windows=1, alarm_recall=1.0,
    )  # fmt: skip
    result = ablate(make_study(plan), tmp_path, workers=1, threads=1)
    one = result["inputs"]["keypoints"]
    assert list(one["arms"]) == ["real", "real_synthetic_30", "real_synthetic_60"]
    assert [comparison["arm"] for comparison in one["comparisons"]] == ["real_synthetic_30", "real_synthetic_60"]
    assert [point["events"] for point in one["few"]["curves"]["real"]] == [0, 2, 6]
    assert one["arms"]["real"]["hard_negatives"]["lying"]["seconds"] == 12.0
    alarms = one["arms"]["real"]["alarms"]
    assert alarms["events"] == 5
    assert alarms["hours"] == pytest.approx(9 * 48 / FPS / 3600, abs=1e-4)
    # Law: wherever the report counts test events, it is one number: here the recordings that have a test window.
    assert {comparison["events"] for comparison in one["comparisons"]} == {result["data"]["test"]["groups"]} == {8}
    assert any(warning.startswith("The test windows are of 8 test events") for warning in result["warnings"])
    assert result["held_out"]["from"] == "synthetic clips held out"
    assert one["arms"]["real"]["brier_score_after"] is not None
    # As if killed midway: half of the runs are lost.
    for lost in sorted((tmp_path / "runs").iterdir())[::2]:
        lost.unlink()
    again = ablate(make_study(plan), tmp_path, workers=1, threads=1)
    assert again["reused_runs"] == len(result["runs"]) // 2
    changing = ("run_seconds",)
    assert {k: v for k, v in again["inputs"]["keypoints"].items() if k not in changing} == {
        k: v for k, v in one.items() if k not in changing
    }
    write_report(again, tmp_path)
    html = (tmp_path / "report.html").read_text()
    for heading in ("Alarms on whole recordings", "Hard negatives", "Few real recordings", "<h2>Time</h2>"):
        assert heading in html
    assert "probabilities" not in (tmp_path / "report.json").read_text()
