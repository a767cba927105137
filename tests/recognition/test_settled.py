"""A checkpoint keeps the temperature and the alarm threshold that its study's run has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file

from recognition.ablation import run_one
from recognition.alarms import UNSET_THRESHOLD
from recognition.checkpoint import load_checkpoint, rule_of
from recognition.cli import main
from recognition.data import open_input, read_data
from recognition.scoring import with_figures
from recognition.study_file import load_study
from tests.make.sticks import stick_study, write_stick_films, write_sticks


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A study whose films are enough to hold some out."""
    folder = tmp_path_factory.mktemp("settled")
    real, test = (
        write_sticks(folder / name, 6, seed=seed, prefix=name, noise=0.3) for seed, name in enumerate(("real", "test"))
    )
    films = write_stick_films(folder / "films", 40, seed=3, noise=0.2)
    plan = stick_study(real, test, synthetic=str(films), arms=["real_synthetic"], alarm_windows=1, alarm_release=0.7)
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


@pytest.fixture(scope="module")
def trained(study) -> Path:
    path = study.parent / "classifier.safetensors"
    assert main(["train", str(study), "--out", str(path)]) == 0
    return path


def test_training_keeps_what_the_studys_run_has(study, trained, capsys):
    plan = load_study(study)
    store = open_input(plan, study.parent / "frames")
    run = with_figures(run_one(read_data(plan), plan.arms[0], 0, store=store), plan)
    _, about = load_checkpoint(trained)
    assert about["temperature"] == pytest.approx(run["temperature"], rel=1e-2)
    assert about["alarm_threshold"] == pytest.approx(run["alarms"]["threshold"], abs=1e-4)
    rule = rule_of(about, watch_for="fall")
    assert (rule.windows, rule.release, rule.threshold) == (1, 0.7, about["alarm_threshold"])
    assert rule_of(about, watch_for="fall", threshold=0.9).threshold == 0.9
    assert rule_of(about, watch_for="down").threshold == UNSET_THRESHOLD
    assert main(["evaluate", str(trained), "--data", str(plan.test.csv), "--out", str(study.parent / "figures.json")]) == 0
    figures = json.loads((study.parent / "figures.json").read_text())
    for name in ("calibration_error", "calibration_error_after"):
        assert figures[name] == pytest.approx(run[name], abs=1e-3)
    assert figures["alarms"]["false_alarms"] == run["alarms"]["false_alarms"]


def test_the_last_lines_say_what_was_set_and_on_what(study, tmp_path, capsys):
    given = yaml.safe_load(study.read_text())
    cases = {
        "set on 4 synthetic clips held out": {},
        "set on 6 clips of `validation`": {"validation": str(study.parent / "real" / "real.csv"), "real": None},
        "not set, no clips were held out": {"held_out": 0},
    }
    for words, changes in cases.items():
        plan = {key: value for key, value in {**given, "steps": 2, **changes}.items() if value is not None}
        if "validation" in changes:
            plan["arms"] = ["synthetic"]
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(plan))
        assert main(["train", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out.safetensors")]) == 0
        assert words in capsys.readouterr().out.splitlines()[-2]
    assert load_checkpoint(tmp_path / "out.safetensors")[1]["temperature"] is None


def test_an_older_checkpoint_without_these_fields_is_still_used_and_a_broken_one_is_named(trained, tmp_path):
    with safe_open(trained, framework="pt") as stored:
        about = json.loads(stored.metadata()["understudy"])
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
    older = {name: value for name, value in about.items() if "alarm" not in name and name != "temperature"}
    assert len(older) == len(about) - 4
    save_file(tensors, tmp_path / "older.safetensors", metadata={"understudy": json.dumps(older)})
    broken = {"input": "smell", "window_sec": -1, "temperature": "hot", "alarm_threshold": 2, "classes": {"fall": ["fall"]}}
    for name, value in broken.items():
        path = tmp_path / f"{name}.safetensors"
        save_file(tensors, path, metadata={"understudy": json.dumps({**about, name: value})})
        with pytest.raises(ValueError, match=f"^{path}: ") as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value)
    network, read = load_checkpoint(tmp_path / "older.safetensors")
    rule = rule_of(read, watch_for="fall")
    assert (rule.windows, rule.release, rule.threshold, read["temperature"]) == (2, 0.6, UNSET_THRESHOLD, None)
    assert all(torch.equal(value, tensors[name].to(value.device)) for name, value in network.state_dict().items())


def test_rows_are_chosen_of_a_table_only(study, trained, capsys):
    """One line that says it once, whichever command it is."""
    shards = study.parent / "films"
    for command in (
        ["evaluate", str(trained), "--data", str(shards)],
        ["export", str(shards), "--format", "coco", "--out", "x"],
    ):
        capsys.readouterr()
        assert main([*command, "--where", "camera=1"]) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
        assert line.count("rows of a CSV") == 1
        assert str(shards) in line
