"""Studies of several inputs: each with its own settings, all tested on the same windows, their mean beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recognition.ablation import ablate
from recognition.evaluate import Predictions, fuse, score
from recognition.report import write_report
from recognition.study_file import make_study
from tests.make.sticks import stick_study, write_stick_films, write_sticks
from tests.make.videos import study_data, write_videos

TWO = ["keypoints", {"kind": "keypoints", "name": "short", "frames": 3, "steps": 10}]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sticks")
    return (
        write_sticks(folder / "real", 4, seed=1, prefix="r"),
        write_sticks(folder / "test", 4, seed=2, prefix="t"),
        write_stick_films(folder / "films", 6, seed=3),
    )


def data(**changes: object) -> dict:
    return study_data(Path("real.csv"), Path("test.csv"), **changes)


def test_an_inputs_own_setting_comes_before_the_studys_and_that_before_its_kinds():
    given = {key: value for key, value in data().items() if key not in ("frames", "size", "steps", "batch", "lr")}
    study = make_study({**given, "input": ["keypoints", {"kind": "rgb", "steps": 20}], "batch": 4, "steps": 50})
    keypoints, rgb = study.each_input().values()
    assert (keypoints.input, keypoints.model, keypoints.frames, keypoints.batch, keypoints.steps) == (
        "keypoints", "keypoint_cnn", 16, 4, 50,
    )  # fmt: skip
    assert (rgb.input, rgb.model, rgb.frames, rgb.batch, rgb.steps) == ("rgb", "x3d_xs", 8, 4, 20)
    alone = make_study({**given, "input": {"kind": "rgb", "steps": 20}, "batch": 4})
    assert alone.each_input() == {"rgb": rgb}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["rgb", "rgb"], "two inputs are named 'rgb'"),
        ([], "the list is empty"),
        (["rgb", "keypoint"], r"unknown input 'keypoint' \(did you mean 'keypoints'\?\)"),
        (["rgb", {"kind": "keypoints", "stepz": 3}], r"'input.1.stepz' \(did you mean 'steps'\?\)"),
        (["rgb", {"kind": "keypoints", "steps": 0}], r"input.1.steps: .*greater than or equal to 1"),
        (
            ["rgb", {"kind": "keypoints", "model": "x3d_xs"}],
            "model 'x3d_xs' takes input rgb or person or motion, not keypoints",
        ),
        (["rgb", {"kind": "keypoints", "name": "fused"}], "input name 'fused'"),
    ],
)
def test_a_mistake_in_the_inputs_is_named_in_one_line(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_study(data(input=given))
    assert "\n" not in str(caught.value)


def predictions(probabilities: list[list[float]], truth: tuple[int, ...] = (0, 1)) -> Predictions:
    return Predictions(
        probabilities=np.array(probabilities, float),
        truth=np.array(truth),
        recordings=["a", "b"],
        groups=["a", "b"],
        seconds=np.ones(2),
    )


def test_fusing_is_the_mean_and_of_one_changes_nothing():
    first, second = predictions([[0.9, 0.1], [0.4, 0.6]]), predictions([[0.5, 0.5], [0.8, 0.2]])
    np.testing.assert_allclose(fuse([first, second]).probabilities, [[0.7, 0.3], [0.6, 0.4]])
    np.testing.assert_array_equal(fuse([first]).probabilities, first.probabilities)
    with pytest.raises(ValueError, match="different windows"):
        fuse([first, predictions([[1, 0], [1, 0]], truth=(0, 0))])


def test_predictions_survive_json():
    first = predictions([[0.9, 0.1], [0.4, 0.6]])
    again = Predictions.from_json(first.to_json())
    assert again.to_json() == first.to_json()
    assert again.groups == first.groups


def test_two_inputs_resume_to_the_same_report_and_are_fused(tables, tmp_path):
    real, test, films = tables
    study = make_study(
        stick_study(real, test, input=TWO, synthetic=str(films), arms=["real", "real_synthetic"], seeds=[0, 1], note="sticks")
    )
    result = ablate(study, tmp_path, workers=1, threads=1)
    assert list(result["inputs"]) == ["keypoints", "short", "fused"]
    first, second, fused = (
        next(run for run in result["runs"] if (run["input"], run["arm"], run["seed"]) == (name, "real", 1))
        for name in result["inputs"]
    )
    mean = (np.array(first["test"]["probabilities"]) + np.array(second["test"]["probabilities"])) / 2
    np.testing.assert_allclose(fused["test"]["probabilities"], mean, atol=1e-6)
    assert fused["macro_accuracy"] == score(Predictions.from_json(fused["test"]), study)["macro_accuracy"]
    assert (len(first["losses"]), len(second["losses"])) == (30, 10)
    files = sorted((tmp_path / "runs").iterdir())
    assert len(files) == 8
    for lost in files[::3]:
        lost.unlink()
    again = ablate(study, tmp_path, workers=1, threads=1)
    assert again["reused_runs"] == 5
    for name in result["inputs"]:
        assert again["inputs"][name]["arms"] == result["inputs"][name]["arms"]
        assert again["inputs"][name]["comparisons"] == result["inputs"][name]["comparisons"]
    write_report(again, tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert all(f"<h2>{name}: " in html for name in result["inputs"])


def test_all_inputs_are_tested_on_the_recordings_that_each_can_read(tmp_path):
    # Of five videos with pictures, one lacks its keypoints: the classifiers that look at pictures are not tested on it either.
    real, test = (
        write_videos(tmp_path / name, 5, seed=seed, prefix=name, keypoints=True) for seed, name in enumerate(("r", "t"))
    )
    test.write_text(test.read_text().replace("keypoints/t0.npz", ""))
    given = study_data(real, test, input=["rgb", "keypoints"], steps=2, max_bad_share=0.2)
    result = ablate(make_study(given), tmp_path / "out", workers=1, threads=1)
    tested = [set(run["test"]["recordings"]) for run in result["runs"]]
    assert tested[0] == tested[1] == {f"videos/t{number}.mp4" for number in range(1, 5)}
    assert any("could not be read" in warning for warning in result["warnings"])
