"""Laws of keypoints for a whole table: the written table is one that studies read, and no video is looked through twice."""

from __future__ import annotations

import os

import numpy as np
import pytest

from augment.sources.people.detectors import DetectOptions
from recognition.cli import main
from recognition.csv_table import read_csv
from recognition.detection import detect_table
from recognition.inputs.keypoints import person_points
from tests.make.detector import write_rcnn
from tests.make.scenery import write_video

QUICK = DetectOptions(short_side=56, max_people=1, every=4, device="cpu")


@pytest.fixture
def table(tmp_path):
    """Two videos of the same name in two folders."""
    rows = ["video,fps,frames,segments,camera"]
    for camera in (1, 2):
        folder = tmp_path / "data" / f"camera{camera}"
        folder.mkdir(parents=True)
        write_video(
            folder / "a.mp4",
            np.repeat(np.random.default_rng(camera).integers(0, 255, (1, 48, 64, 3), dtype=np.uint8), 8, axis=0),
            fps=8,
        )
        rows.append(f"camera{camera}/a.mp4,8,8,walk:0.00-1.00,{camera}")
    path = tmp_path / "data" / "labels.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_the_table_comes_back_with_keypoints_that_are_read(table, tmp_path):
    weights = write_rcnn(tmp_path / "rcnn.pth")
    found = detect_table(table, tmp_path / "out", detector="keypointrcnn", weights=weights, options=QUICK)
    assert (found.videos, found.reused, found.without_people) == (2, 0, ())
    recordings = read_csv(found.table, where={"camera": ["2"]})
    points = person_points(recordings[0])
    assert points.shape == (8, 17, 3)
    assert (points[[0, 4], -1, 2] > 0.9).all()  # the last point is the surest of the network
    before = (tmp_path / "out" / "keypoints" / "camera1-a.json").read_bytes()
    os.utime(table.parent / "camera2" / "a.mp4", (2e9, 2e9))  # changed since
    again = detect_table(table, tmp_path / "out", detector="keypointrcnn", weights=weights, options=QUICK)
    assert (again.videos, again.reused) == (2, 1)
    assert (tmp_path / "out" / "keypoints" / "camera1-a.json").read_bytes() == before


def test_videos_without_people_are_left_out_or_refused(table, tmp_path):
    weights = write_rcnn(tmp_path / "rcnn.pth", person=-9.0)
    with pytest.raises(ValueError, match=r"labels\.csv: keypointrcnn found nobody in any of its 1 videos"):
        detect_table(table, tmp_path / "out", detector="keypointrcnn", weights=weights, options=QUICK, where={"camera": ["1"]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detector", "openpose"], "--detector openpose: unknown; choose one of keypointrcnn, mediapipe"),
        (["--every", "0"], "--every 0: expected 1 or more"),
        (["--where", "camera=7"], "no row matches"),
        (["--detector-weights", "none.pth"], "none.pth: no such file"),
    ],
)
def test_mistakes_are_one_line(table, tmp_path, capsys, arguments, message):
    assert main(["detect", str(table), "--out", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
