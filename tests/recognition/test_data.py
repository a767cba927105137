"""Frame labels of one's own: taken as they are, but a class that no clip can have is a mistake."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from recognition.checkpoint import save_checkpoint
from recognition.clip_warnings import belonging_warnings, label_warnings
from recognition.csv_table import read_csv
from recognition.data import read_data, read_source
from recognition.networks.build import build_model
from recognition.study import Study
from recognition.study_file import make_study
from tests.make.realdata import require
from tests.make.videos import CLASSES, study_data, write_samples, write_videos


def renamed(path: Path, **names: str) -> Path:
    """The table with other frame labels."""
    text = path.read_text()
    for old, new in names.items():
        text = text.replace(f"{old}:", f"{new}:")
    path.write_text(text)
    return path


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Training and test videos that end in somebody sliding down, which is no label of OmniFall."""
    train, test = (write_videos(tmp_path, 2, seed=seed, prefix=name) for seed, name in enumerate(("train", "test")))
    return renamed(train, fallen="slid down"), renamed(test, fallen="slid down")


def study_of(tables: tuple[Path, Path], down: str, **changes: object) -> Study:
    return make_study(study_data(*tables, classes=CLASSES | {"down": [down]}, **changes))


def test_a_class_of_a_frame_label_of_ones_own_has_its_windows(tables: tuple[Path, Path]):
    data = read_data(study_of(tables, "slid down"))
    assert not any("frame label" in warning or "No test window" in warning for warning in data.warnings)


def test_a_class_that_no_clip_can_have_is_refused_with_the_nearest_label(tables: tuple[Path, Path]):
    with pytest.raises(ValueError, match=r"no clip has .* 'slip down' \(did you mean 'slid down'\?\); .* fall, slid"):
        read_data(study_of(tables, "slip down"))


def test_a_label_in_clips_of_other_arms_is_no_mistake(tables: tuple[Path, Path], tmp_path: Path):
    """``train --arm real`` of a study whose synthetic clips alone have a label is not refused."""
    plain = tuple(renamed(table, **{"slid down": "standing"}) for table in tables)
    shards = write_samples(tmp_path / "shards", 1, seed=5)
    with pytest.raises(ValueError, match="no clip has the frame label 'slid down'"):
        read_data(study_of((plain[0], plain[1]), "slid down", synthetic=str(shards)))
    real = study_data(*plain)["real"]
    other = renamed(write_videos(tmp_path, 1, seed=7, prefix="own"), fallen="slid down")
    read_data(study_of((plain[0], plain[1]), "slid down", synthetic=str(other), real=real))


def test_a_label_of_omnifall_may_occur_nowhere(tables: tuple[Path, Path]):
    read_data(study_of(tables, "lying"))


def test_a_class_without_labels_and_clips_without_classes_name_field_and_labels(tables: tuple[Path, Path]):
    for empty in ([], None):
        with pytest.raises(ValueError, match="classes: class 'down' gathers no frame labels"):
            make_study(study_data(*tables, classes=CLASSES | {"down": empty}))
    elsewhere = {"fall": ["crawl"], "down": ["lying"]}
    with pytest.raises(ValueError, match=r"test: no clip has a .* `classes` gathers crawl, lying, the clips have: fall, sl"):
        read_data(make_study(study_data(*tables, classes=elsewhere)))


def test_times_in_frames_instead_of_seconds_are_pointed_out(tables: tuple[Path, Path]):
    """Videos last 5 s; a segment that merely ends late is no reason for a warning."""
    table = tables[0]
    lines = table.read_text().splitlines()
    for segments, warned in (("standing:0-16;fall:16-24", True), ("standing:0-2;fall:2-24", False)):
        table.write_text("\n".join([lines[0], f"{lines[1].rpartition(',')[0]},{segments}", lines[2]]) + "\n")
        found = [warning for warning in read_data(study_of(tables, "slid down")).warnings if "behind their end" in warning]
        assert bool(found) == warned
        assert not warned or "videos/train0.mp4 lasts 5.0 s and has one at 16.0 s; `segments` are in seconds" in found[0]


def test_keypoints_of_the_other_camera_are_pointed_out():
    """Two cameras' recordings of one event have the same length and size; right ones are not doubted."""
    recordings = {recording.name: recording for recording in read_csv(require("upfall") / "labels.csv")}
    mine, other = (recordings[f"videos/a06_t1_c{camera}.mp4"] for camera in (1, 2))
    study = make_study({**study_data(Path("r.csv"), Path("t.csv")), "input": "keypoints", "model": "keypoint_cnn"})
    assert belonging_warnings(study, [mine]) == []
    (warning,) = belonging_warnings(study, [dataclasses.replace(mine, keypoints=other.keypoints)])
    assert "videos/a06_t1_c1.mp4: `keypoints`: " in warning
    assert "a06_t1_c2.npz: these detections are not of" in warning
    assert belonging_warnings(make_study(study_data(Path("r.csv"), Path("t.csv"))), [mine]) == []


def test_weights_that_do_not_fit_are_refused_before_anything_is_decoded(tables: tuple[Path, Path], tmp_path: Path):
    """The message names field and file; the tables' videos are gone."""
    network = build_model("keypoint_cnn", 3, frames=4, size=32)
    data = study_data(*tables, classes=CLASSES | {"down": ["slid down"]}, model="frame_cnn")
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, network, make_study({**data, "input": "keypoints", "model": "keypoint_cnn"}), arm="real", seed=0)
    (tmp_path / "text.safetensors").write_text("hello")
    for video in (tmp_path / "videos").iterdir():
        video.unlink()
    for name, message in (
        ("other", "other.safetensors: its field model is 'keypoint_cnn', the study's 'frame_cnn'"),
        ("text", "text.safetensors: not a checkpoint of `recognition train`"),
        ("none", "none.safetensors: no such file; expected a checkpoint"),
    ):
        with pytest.raises(ValueError, match=rf"^weights: .*{message}"):
            read_data(make_study({**data, "weights": f"{name}.safetensors"}, folder=tmp_path))


def test_a_label_that_no_class_has_is_pointed_out(tables: tuple[Path, Path]):
    renamed(tables[1], standing="stnading")
    study = study_of(tables, "fallen")
    (warning,) = [warning for warning in read_data(study).warnings if "frame label" in warning]
    assert "'slid down', 'stnading' (did you mean 'standing'?)" in warning
    assert label_warnings(study, read_source(study.test)) == [warning]
