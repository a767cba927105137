"""Matching tracks to annotated people: known costs, the miss penalty, only shared points; and segments read from CSV."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.actions import FRAME_LABELS
from augment.reconstruct.annotate.match import match_tracks
from augment.reconstruct.annotate.segments import cut_segments, read_segments
from augment.reconstruct.watch.assign import ASSIGNMENTS
from augment.sources.people.people import LAYOUTS, People
from augment.types import Segment
from tests.make.realdata import require


def table(layout: str, frame, track, middle, name="tracks.json") -> People:
    """People whose every keypoint lies at (u, v) + its place in the alphabet of names, so that layouts agree by name."""
    order = sorted({n for names in LAYOUTS.values() for n in names})
    offset = np.array([[order.index(n), 2 * order.index(n)] for n in LAYOUTS[layout]], float)
    points = np.asarray(middle, float)[:, None] + offset
    return People(
        path=Path(name), source="made", frame=np.asarray(frame), track=np.asarray(track), layout=layout,
        keypoints2d=np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2),
    )  # fmt: skip


def persons(layout="coco17", frames=10) -> People:
    """Two annotated people, 5 and 9, at u = 100 and u = 300."""
    t = np.arange(frames)
    middle = np.repeat([[100.0, 100.0], [300.0, 100.0]], frames, axis=0)
    return table(layout, np.tile(t, 2), np.repeat([5, 9], frames), middle, "truth.json")


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("layout", ["coco17", "openpose25", "mediapipe33"])
def test_cost_is_the_shift_in_pixels_whatever_the_layout(assignment, layout):
    """Known answer: shifted by (3, 4) px for 8 of 10 frames, 2 frames missed at 20 px each: 8 * 5 + 2 * 20 = 80."""
    t = np.arange(8)
    tracks = table(layout, np.tile(t, 2), np.repeat([0, 1], 8), np.repeat([[303.0, 104.0], [103.0, 104.0]], 8, axis=0))
    result = match_tracks(tracks, persons(), miss_px=20.0, assignment=assignment)
    assert [(m.person, m.track) for m in result] == [(5, 1), (9, 0)]
    assert [m.cost for m in result] == pytest.approx([80.0, 80.0])


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_no_better_than_missing_every_frame_is_no_match(assignment):
    t = np.arange(10)
    tracks = table("coco17", np.tile(t, 2), np.repeat([0, 1], 10), np.repeat([[100.0, 100.0], [330.0, 100.0]], 10, axis=0))
    result = match_tracks(tracks, persons(), miss_px=30.0, assignment=assignment)
    assert [(m.person, m.track) for m in result] == [(5, 0)]
    assert len(match_tracks(tracks, persons(), miss_px=30.1, assignment=assignment)) == 2
    elsewhen = replace(tracks, frame=tracks.frame + 50)
    assert match_tracks(elsewhen, persons(), miss_px=30.0, assignment=assignment) == ()


def test_hungarian_costs_no_more_than_greedy():
    rng, differ = np.random.default_rng(0), 0
    for _ in range(50):
        people, tracks = (
            table("coco17", np.zeros(4, int), np.arange(4), rng.uniform(0, 100, (4, 2))) for _ in range(2)
        )  # fmt: skip
        totals = []
        for assignment in ("hungarian", "greedy"):
            found = match_tracks(tracks, people, miss_px=60.0, assignment=assignment)
            totals.append(sum(m.cost for m in found) + 60.0 * (4 - len(found)))
        assert totals[0] <= totals[1] + 1e-9
        differ += totals[1] > totals[0] + 1e-6
    assert differ > 2


def test_ids_are_only_names_and_points_not_found_do_not_count():
    annotations = persons()
    tracks = replace(annotations, path=Path("tracks.json"), track=np.where(annotations.track == 5, 77, 2))
    assert [(m.person, m.track) for m in match_tracks(tracks, annotations, miss_px=9.0)] == [(5, 77), (9, 2)]
    points = np.array(tracks.keypoints2d)
    points[:, 3] = np.nan
    points[0] = np.nan
    result = match_tracks(replace(tracks, keypoints2d=points), annotations, miss_px=9.0)
    assert [m.cost for m in result] == [9.0, 0.0]


def test_boxes_will_do_where_there_are_no_points():
    annotations = persons()
    boxes = np.concatenate([annotations.keypoints2d[:, 0, :2], annotations.keypoints2d[:, 0, :2] + 50], axis=1)
    bare = replace(annotations, keypoints2d=None, layout="", bbox=boxes)
    result = match_tracks(replace(persons("openpose25"), bbox=boxes + 2.0), bare, miss_px=50.0)
    assert [m.cost for m in result] == pytest.approx([10 * np.hypot(2, 2)] * 2)
    with pytest.raises(ValueError, match=r"truth\.json.*nothing to compare"):
        match_tracks(persons("smpl24"), annotations, miss_px=50.0)


@pytest.mark.parametrize(
    ("change", "word"), [({"track": np.full(20, -1)}, "no id"), ({"track": np.zeros(20, int)}, "twice in frame 0"),
                         ({"width": 320}, "width")],
)  # fmt: skip
def test_tables_that_cannot_be_matched_are_refused(change, word):
    with pytest.raises(ValueError, match=rf"truth\.json.*{word}"):
        match_tracks(replace(persons(), path=Path("tracks.json"), width=640), replace(persons(), **change), miss_px=5.0)


def test_options_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="greedy"):
        match_tracks(persons(), persons(), miss_px=5.0, assignment="nearest")
    with pytest.raises(ValueError, match="miss_px"):
        match_tracks(persons(), persons(), miss_px=0.0)


def write(folder: Path, text: str) -> Path:
    path = folder / "segments.csv"
    path.write_text(text)
    return path


def test_segments_of_people_and_of_omnifall(tmp_path):
    own = read_segments(write(tmp_path, "person,label,start,end\n1,walk,0,2.5\n0,lying,0,9\n1,fall,2.5,4\n"))
    assert own["1"] == (Segment(label="walk", start_sec=0, end_sec=2.5), Segment(label="fall", start_sec=2.5, end_sec=4))
    assert list(own) == ["1", "0"]
    omnifall = read_segments(
        write(tmp_path, "path,label,start,end,subject,cam,dataset\nfall/a,2,1.5,3,1,1,x\nfall/a,1,0,1.5,1,1,x\n")
    )
    assert [s.label for s in omnifall["fall/a"]] == ["fall", "fallen"]


def test_labels_have_their_own_numbers(tmp_path):
    rows = "".join(f"{i},{i},0,1\n" for i in range(len(FRAME_LABELS)))
    read = read_segments(write(tmp_path, "track,label,start,end\n" + rows))
    assert tuple(read[str(i)][0].label for i in range(len(FRAME_LABELS))) == FRAME_LABELS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1.*header"), ("person,label,start\n", "line 1.*header"), ("person,label,start,end\n", "no segment"),
        ("person,label,start,end\n1,16,0,1\n", "line 2: field label"),
        ("person,label,start,end\n1,walk,zero,1\n", "line 2: field start.*'zero'"),
        ("person,label,start,end\n1,walk,0\n", "line 2: field end"),
        ("person,label,start,end\n1,walk,3,3\n", "line 2: fields start, end"),
        ("person,label,start,end\n1,walk,0,nan\n", "line 2: fields start, end"),
        ("person,label,start,end\n,walk,0,3\n", "line 2: field person"),
        ("person,label,start,end\n1,walk,0,3\n2,walk,2,3\n1,fall,2,4\n", "line 4.*line 2.*overlap"),
    ],
)  # fmt: skip
def test_bad_segments_name_file_line_and_field(tmp_path, text, words):
    with pytest.raises(ValueError, match=rf"segments\.csv.*{words}"):
        read_segments(write(tmp_path, text))


def test_no_file_and_no_text_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_segments(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ValueError, match="UTF-8"):
        read_segments(tmp_path / "binary.csv")


def test_cut_segments_cover_the_motion_without_gaps():
    given = (Segment(label="walk", start_sec=1, end_sec=3), Segment(label="fall", start_sec=4, end_sec=5))
    cut = cut_segments(given, 2.0, 6.0)
    assert [(s.label, s.start_sec, s.end_sec) for s in cut] == [
        ("walk", 0, 1),
        ("other", 1, 2),
        ("fall", 2, 3),
        ("other", 3, 4),
    ]
    assert cut_segments((), 0.0, 2.0) == (Segment(label="other", start_sec=0.0, end_sec=2.0),)
    rng = np.random.default_rng(0)
    for _ in range(50):
        edges = np.sort(rng.uniform(0, 10, 6))
        segments = [Segment(label="walk", start_sec=a, end_sec=b) for a, b in edges.reshape(3, 2)]
        start, end = np.sort(rng.uniform(0, 10, 2))
        cut = cut_segments(segments, start, end, filler="standing")
        assert cut[0].start_sec == 0
        assert cut[-1].end_sec == pytest.approx(end - start)
        assert all(a.end_sec == b.start_sec for a, b in itertools.pairwise(cut))
        walked = sum(s.end_sec - s.start_sec for s in cut if s.label == "walk")
        assert walked == pytest.approx(sum(max(0.0, min(b, end) - max(a, start)) for a, b in edges.reshape(3, 2)), abs=0.01)
    with pytest.raises(ValueError, match="end after"):
        cut_segments(given, 3.0, 3.0)


def test_segments_of_the_real_labels(tmp_path):
    """UP-Fall's own table, written as OmniFall's columns, reads back in full."""
    import csv

    with open(require("upfall") / "labels.csv", encoding="utf-8") as file:
        videos = list(csv.DictReader(file))
    lines = ["path,label,start,end"]
    for video in videos:
        for part in video["segments"].split(";"):
            label, times = part.split(":")
            lines.append(",".join([video["video"], label, *times.split("-")]))
    read = read_segments(write(tmp_path, "\n".join(lines)))
    assert len(read) == len(videos) == 44
    assert sum(map(len, read.values())) == len(lines) - 1


def test_a_label_of_the_users_own_is_read_as_it_is(tmp_path):
    read = read_segments(write(tmp_path, "person,label,start,end\n1,walk,0,1\n1,stumble,1,2\n"))
    assert [segment.label for segment in read["1"]] == ["walk", "stumble"]
