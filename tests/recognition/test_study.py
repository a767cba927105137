"""STUDY.yaml: mistakes are named, with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from recognition.study import ARMS
from recognition.study_file import load_study, make_study
from tests.make.videos import study_data


def data(**changes: object) -> dict:
    return study_data(Path("real.csv"), Path("test.csv"), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"framez": 3}, r"unknown key 'framez' \(did you mean 'frames'\?\)"),
        ({"real": {"csv": "a.csv", "wher": {}}}, r"'real.wher' \(did you mean 'where'\?\); valid: csv, shards, plate, where"),
        ({"arms": ["reel"]}, r"unknown arm 'reel' \(did you mean 'real'\?\); expected one of: real, real_augmented"),
        ({"arms": [{"name": "mine", "augmented": True}]}, r"did you mean 'augment'"),
        ({"arms": ["synthetic"]}, "the study has no `synthetic`"),
        ({"arms": [{"name": "none", "real": False}]}, "neither real nor synthetic"),
        ({"arms": ["real", "real"]}, "must not repeat"),
        ({"model": "x3d_xxs"}, r"unknown model 'x3d_xxs' \(did you mean 'x3d_xs'\?\)"),
        ({"classes": {"a": ["fall:1"], "b": ["walk"]}}, "class 'a': frame label 'fall:1': expected a name"),
        ({"classes": {"fall": ["fall"], "b": ["fall"]}}, "in two classes"),
        ({"rare_class": "jump"}, "expected one of: standing, fall, down"),
        ({"baseline": "reel"}, r"baseline 'reel' is not an arm of the study \(did you mean 'real'\?\); it has: real"),
        ({"classes": {"standing": "standing", "fall": []}}, "class 'fall' gathers no frame labels"),
        ({"steps": 0}, r"steps: .*greater than or equal to 1.*found 0"),
        ({"test": {"shards": "x", "where": {"a": 1}}}, "shards have no columns"),
    ],
)
def test_a_mistake_is_named_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_study(data(**changes))
    assert "\n" not in str(caught.value)


def test_a_mistake_in_one_of_several_inputs_is_told_once_and_where_it_stands():
    two = ["keypoints", "rgb"]
    cases = (
        ({"input": [{"kind": "keypoints", "steps": 0}, "rgb"]}, "study: input.0.steps: "),
        ({"input": ["keypoints", {"kind": "rgb", "steps": 0}]}, "study: input.1.steps: "),
        ({"input": two, "steps": 0}, "study: steps: "),
    )
    for changes, start in cases:
        given = {key: value for key, value in data().items() if key not in ("steps", "size", "frames")}
        with pytest.raises(ValueError, match="greater than or equal to 1") as caught:
            make_study({**given, **changes})
        assert str(caught.value).startswith(start)
        assert str(caught.value).count("greater than") == 1


def test_a_missing_key_is_named():
    with pytest.raises(ValueError, match="key 'test' is missing"):
        make_study({"classes": {"a": ["walk"], "fall": ["fall"]}})


def test_paths_are_relative_to_the_file(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(data(arms=["real", {"name": "oracle", "real": "more.csv"}])))
    study = load_study(path)
    assert study.test.csv == tmp_path / "test.csv"
    oracle = study.source(study.arms[1], "real")
    assert oracle is not None
    assert oracle.csv == tmp_path / "more.csv"


def test_a_single_label_or_value_needs_no_brackets():
    study = make_study(data(classes={"fall": "fall", "walk": "walk"}, real={"csv": "a.csv", "where": {"camera": 1}}))
    assert study.classes["fall"] == ["fall"]
    assert study.real is not None
    assert study.real.where == {"camera": [1]}


def test_the_arms_of_the_issue_are_there():
    assert {"real", "real_augmented", "real_synthetic", "synthetic"} <= ARMS.keys()


def test_a_file_that_is_no_mapping_is_refused(tmp_path):
    path = tmp_path / "study.yaml"
    for text in ("- a\n- b\n", "a: [", ""):
        path.write_text(text)
        with pytest.raises(ValueError, match=str(path)):
            load_study(path)


def test_synthetic_clips_may_come_from_several_folders(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(data(synthetic=["a", "b"])))
    study = load_study(path)
    assert study.synthetic is not None
    assert study.synthetic.shards == (tmp_path / "a", tmp_path / "b")
