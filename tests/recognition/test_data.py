"""Frame labels of one's own: taken as they are, but a class that no clip can have is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from recognition.data import label_warnings, read_data, read_source
from recognition.study import Study
from recognition.study_file import make_study
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


def test_a_label_that_no_class_has_is_pointed_out(tables: tuple[Path, Path]):
    renamed(tables[1], standing="stnading")
    study = study_of(tables, "fallen")
    (warning,) = [warning for warning in read_data(study).warnings if "frame label" in warning]
    assert "'slid down', 'stnading' (did you mean 'standing'?)" in warning
    assert label_warnings(study, read_source(study.test)) == [warning]
