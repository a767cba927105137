"""Reading tables of real videos: what is accepted, and how mistakes are named."""

from __future__ import annotations

import pytest

from augment.types import Segment
from recognition.csv_table import parse_segments, read_csv
from recognition.leaks import refuse_leaks
from tests.make.realdata import require
from tests.make.videos import write_videos


def test_segments_are_read_as_written():
    assert parse_segments("walk:0-1.5; pacing about:1.5-2", where="x") == (
        Segment(label="walk", start_sec=0, end_sec=1.5),
        Segment(label="pacing about", start_sec=1.5, end_sec=2),
    )


def test_only_matching_rows_are_read(tmp_path):
    path = write_videos(tmp_path, 3, seed=0, columns={"camera": "1"})
    assert [r.group for r in read_csv(path, where={"trial": ["v1", "v2"]}, group_by=["trial", "camera"])] == [
        "trial=v1|camera=1",
        "trial=v2|camera=1",
    ]
    with pytest.raises(ValueError, match=r"no row matches where=\{'camera': \[2\]\}; values there: camera: 1"):
        read_csv(path, where={"camera": [2]})
    with pytest.raises(ValueError, match=r"kamera named by `where` but not there; it has: video, trial, fps"):
        read_csv(path, where={"kamera": [2]})


def test_a_csv_saved_by_a_spreadsheet_is_read_and_another_encoding_is_named(tmp_path):
    path = write_videos(tmp_path, 1, seed=0)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_csv(path)) == 1
    path.write_bytes(path.read_text(encoding="utf-8-sig").encode("utf-16"))
    with pytest.raises(ValueError, match=r"\.csv: expected a CSV in UTF-8"):
        read_csv(path)


def test_needed_columns_and_bad_segments_are_named(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,fps\na.mp4,8\n")
    with pytest.raises(ValueError, match=r"column\(s\) frames, segments needed but not there"):
        read_csv(path)
    for segments, message in (
        ("fall:a-b", "label:start-end"),
        (":0-1", "segment ':0-1': frame label '': expected a name"),
        ("3:0-1", "segment '3:0-1': frame label '3': expected a name"),
        ("fall:2-1", "expected 0 <= start < end"),
        ("fall:nan-1", "expected 0 <= start < end"),
        ("fall:0-inf", "expected 0 <= start < end"),
    ):
        path.write_text(f"video,fps,frames,segments\na.mp4,8,40,{segments}\n")
        with pytest.raises(ValueError, match=f"line 2: .*{message}"):
            read_csv(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",8,40", "video: empty; expected the path of a video"),
        ("a.mp4,8,x", "must be numbers, found '8', 'x'"),
        ("a.mp4,inf,40", "must be positive, frames whole, found 'inf', '40'"),
        ("a.mp4,nan,40", "must be positive, frames whole, found 'nan', '40'"),
        ("a.mp4,8,40.5", "must be positive, frames whole, found '8', '40.5'"),
        ("a.mp4,8,0", "must be positive, frames whole, found '8', '0'"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(tmp_path, row, message):
    path = tmp_path / "labels.csv"
    path.write_text(f"video,fps,frames,segments\n{row},fall:0-1\n")
    with pytest.raises(ValueError, match=rf"labels.csv, line 2: .*{message}"):
        read_csv(path)


def test_a_spreadsheets_whole_number_with_a_point_is_read(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,fps,frames,segments\na.mp4,8.0,40.0,fall:0-1\n")
    assert read_csv(path)[0].frames == 40


def test_the_real_table_is_read_and_two_cameras_of_an_event_are_one_group():
    path = require("upfall") / "labels.csv"
    group = ["action", "trial"]
    found = read_csv(path, where={"trial": [1]}, group_by=group)
    assert len(found) == 22
    assert len({r.group for r in found}) == 11
    with pytest.raises(ValueError, match=r"11 group\(s\)"):
        refuse_leaks(
            read_csv(path, where={"camera": [1]}, group_by=group),
            read_csv(path, where={"camera": [2], "trial": [2]}, group_by=group),
            arm="real",
        )
