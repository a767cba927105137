"""Reading clips, naming windows, and refusing leaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from augment.shards.tar import read_shard, write_shard
from augment.types import Segment
from recognition import clips
from recognition.clips import Recording, WindowSampler, evaluation_windows, label_at, named_sources, refuse_leaks
from recognition.frames import FrameStore, ahead, decodable
from tests.make.realdata import require
from tests.make.videos import CLASSES, FPS, SEGMENTS, write_samples, write_videos


def recording(name: str = "a", **changes) -> Recording:
    values = {"name": name, "path": Path(f"{name}.mp4"), "fps": 10.0, "frames": 50, "segments": SEGMENTS, "group": name}
    return Recording(**{**values, **changes})


def store(folder: Path) -> FrameStore:
    return FrameStore(folder=folder, size=32, frames=4, window_sec=1.0)


def test_a_window_has_the_label_at_its_middle():
    assert [label_at(SEGMENTS, s, CLASSES) for s in (0.0, 1.99, 2.0, 2.5, 3.0, 4.99, 5.0)] == [0, 0, 1, 1, 2, 2, None]
    assert label_at(SEGMENTS, 0.5, {"fall": ["fall"]}) is None


def test_test_windows_stand_at_a_fixed_stride_with_three_at_least():
    windows = evaluation_windows([recording()], CLASSES, window_sec=1.0, stride_sec=0.5)
    assert [window.label for window in windows] == [0] * 3 + [1] * 3 + [2] * 3
    assert [window.middle_sec for window in windows] == pytest.approx(
        [0.75, 1.25, 1.75, 2 + 1 / 6, 2.5, 3 - 1 / 6, 3.25, 3.75, 4.25]
    )
    assert sum(window.seconds for window in windows) == pytest.approx(5.0)
    assert all(label_at(SEGMENTS, window.middle_sec, CLASSES) == window.label for window in windows)


def test_training_windows_have_the_class_that_was_drawn():
    sampler = WindowSampler([recording(), recording("b")], CLASSES, window_sec=1.0)
    rng = np.random.default_rng(0)
    for label in (0, 1, 2) * 20:
        window = sampler.draw(label, rng=rng)
        assert label_at(SEGMENTS, window.middle_sec, CLASSES) == label
        assert 0.5 <= window.middle_sec <= 4.5
    with pytest.raises(ValueError, match="compare `classes`"):
        WindowSampler([recording()], {"jump": ["jump"]}, window_sec=1.0)


def test_a_shared_group_is_refused_by_name():
    with pytest.raises(ValueError, match=r"arm 'real' leaks: 1 group\(s\) are in training and test: trial=2; change `where`"):
        refuse_leaks([recording("a", group="trial=2")], [recording("b", group="trial=2")], arm="real")


def test_the_same_video_under_another_name_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(b"same")
    pair = [recording(name, path=tmp_path / f"{name}.mp4") for name in ("a", "b")]
    with pytest.raises(ValueError, match="a is the same video as b"):
        refuse_leaks(pair[:1], pair[1:], arm="real")


@pytest.mark.parametrize(
    "provenance",
    [
        {"scene": {"recordings": ["trial=2"]}},
        {"scene": {"made_from": ["/somewhere/else/b.mp4"]}},
        {"motion": {"digests": ["2" * 64]}},
    ],
)
def test_a_synthetic_clip_made_from_a_test_recording_is_refused(tmp_path, provenance, monkeypatch):
    monkeypatch.setattr(Recording, "digest", lambda self: ("1" if self.is_synthetic else "2") * 64)
    made = recording("clip", is_synthetic=True, sources=frozenset(named_sources(provenance)))
    with pytest.raises(
        ValueError, match=r"1 synthetic clip\(s\), such as clip, were made from test recording\(s\) videos/b.mp4"
    ):
        refuse_leaks([made], [recording("videos/b.mp4", group="trial=2")], arm="synthetic")


def test_what_does_not_leak_passes():
    made = recording("clip", is_synthetic=True, group="sample clip", sources=frozenset({"trial=1", "c.mp4"}))
    refuse_leaks([recording("a"), made], [recording("b")], arm="real")


def test_csv_and_shards_of_the_same_videos_give_the_same_tensors(tmp_path):
    folder = write_samples(tmp_path / "shards", 2, seed=0)
    (tmp_path / "videos").mkdir()
    text = ";".join(f"{s.label}:{s.start_sec}-{s.end_sec}" for s in SEGMENTS)
    rows = ["video,fps,frames,segments"]
    for sample in read_shard(folder / "clips-000000.tar", decode=False):
        (tmp_path / f"videos/{sample['__key__']}.mp4").write_bytes(sample["mp4"])
        rows.append(f"videos/{sample['__key__']}.mp4,{FPS},40,{text}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    real, synthetic = clips.read_csv(tmp_path / "labels.csv"), clips.read_samples(folder)
    assert [r.segments for r in real] == [r.segments for r in synthetic]
    windows = [evaluation_windows(found, CLASSES, window_sec=1.0, stride_sec=0.5) for found in (real, synthetic)]
    assert windows[0] == windows[1]
    kept = store(tmp_path / "frames")
    for window in windows[0]:
        ours, theirs = (kept.plain(found[window.recording], window) for found in (real, synthetic))
        assert ours.shape == (3, 4, 32, 32)
        assert torch.equal(ours, theirs)
        rngs = [np.random.default_rng(1), np.random.default_rng(1)]
        pair = [kept.augmented(f[window.recording], window, rng=g) for f, g in zip((real, synthetic), rngs, strict=True)]
        assert torch.equal(*pair)


def test_a_window_shows_its_own_time(tmp_path):
    found = clips.read_csv(write_videos(tmp_path, 1, seed=0))
    kept = store(tmp_path / "frames")
    pictures = [kept.plain(found[0], clips.Window(recording=0, middle_sec=s, label=0)).float() for s in (1.0, 4.5)]
    upper = [float(picture[:, :, 8:16].amax()) for picture in pictures]
    assert upper[0] > 120 > upper[1]


def test_only_matching_rows_are_read(tmp_path):
    path = write_videos(tmp_path, 3, seed=0, columns={"camera": "1"})
    assert [r.group for r in clips.read_csv(path, where={"trial": ["v1", "v2"]}, group_by=["trial", "camera"])] == [
        "trial=v1|camera=1",
        "trial=v2|camera=1",
    ]
    with pytest.raises(ValueError, match=r"no row matches where=\{'camera': \[2\]\}; values there: camera: 1"):
        clips.read_csv(path, where={"camera": [2]})
    with pytest.raises(ValueError, match=r"kamera named by `where` but not there; it has: video, trial, fps"):
        clips.read_csv(path, where={"kamera": [2]})


def test_a_csv_saved_by_a_spreadsheet_is_read_and_another_encoding_is_named(tmp_path):
    path = write_videos(tmp_path, 1, seed=0)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(clips.read_csv(path)) == 1
    path.write_bytes(path.read_text(encoding="utf-8-sig").encode("utf-16"))
    with pytest.raises(ValueError, match=r"\.csv: expected a CSV in UTF-8"):
        clips.read_csv(path)


def test_needed_columns_and_bad_segments_are_named(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,fps\na.mp4,8\n")
    with pytest.raises(ValueError, match=r"column\(s\) frames, segments needed but not there"):
        clips.read_csv(path)
    for segments, message in (
        ("fall:a-b", "label:start-end"),
        ("fly:0-1", "unknown frame label 'fly'"),
        ("fall:2-1", "expected 0 <= start < end"),
        ("fall:nan-1", "expected 0 <= start < end"),
        ("fall:0-inf", "expected 0 <= start < end"),
    ):
        path.write_text(f"video,fps,frames,segments\na.mp4,8,40,{segments}\n")
        with pytest.raises(ValueError, match=f"line 2: .*{message}"):
            clips.read_csv(path)


def test_bad_videos_are_counted_with_reasons_and_stop_the_study_when_many(tmp_path):
    found = clips.read_csv(write_videos(tmp_path, 3, seed=0))
    whole = found[0].path.read_bytes()
    found[0].path.write_bytes(whole[: len(whole) // 2])
    found[1].path.unlink()
    good, problems = decodable(found, store(tmp_path / "frames"), max_bad_share=0.9)
    assert [r.name for r in good] == ["videos/v2.mp4"]
    assert "videos/v0.mp4: not a decodable video" in problems[0]
    assert "videos/v1.mp4: no such file" in problems[1]
    with pytest.raises(ValueError, match=r"2 of 3 videos cannot be read: videos/v0.mp4: not a decodable"):
        decodable(found, store(tmp_path / "frames"), max_bad_share=0.05)


def test_a_video_that_ends_early_is_truncated(tmp_path):
    found = clips.read_csv(write_videos(tmp_path, 1, seed=0))[0]
    longer = Recording(name=found.name, path=found.path, fps=FPS, frames=80, segments=found.segments)
    with pytest.raises(ValueError, match="truncated: 40 of 80 frames"):
        store(tmp_path / "frames").get(longer)


def test_shards_without_needed_members_are_refused(tmp_path):
    path = tmp_path / "clips-000000.tar"
    write_shard(path, [{"__key__": "a", "json": b"{}"}])
    with pytest.raises(ValueError, match="sample 'a' has json; expected mp4 and json"):
        clips.read_samples(path)
    with pytest.raises(FileNotFoundError):
        clips.read_samples(tmp_path / "nothing")


def test_the_background_thread_keeps_order_and_passes_errors_on():
    assert list(ahead(range(20), depth=2)) == list(range(20))

    def failing():
        yield 1
        raise ValueError("from the thread")

    with pytest.raises(ValueError, match="from the thread"):
        list(ahead(failing()))
    stream = ahead(iter(range(1000)), depth=1)
    assert next(stream) == 0
    stream.close()


def test_segments_are_read_as_written():
    assert clips.parse_segments("walk:0-1.5; fall:1.5-2", where="x") == (
        Segment(label="walk", start_sec=0, end_sec=1.5),
        Segment(label="fall", start_sec=1.5, end_sec=2),
    )


def test_the_real_table_is_read_and_two_cameras_of_an_event_are_one_group():
    path = require("upfall") / "labels.csv"
    group = ["action", "trial"]
    found = clips.read_csv(path, where={"trial": [1]}, group_by=group)
    assert len(found) == 22
    assert len({r.group for r in found}) == 11
    with pytest.raises(ValueError, match=r"11 group\(s\)"):
        refuse_leaks(
            clips.read_csv(path, where={"camera": [1]}, group_by=group),
            clips.read_csv(path, where={"camera": [2], "trial": [2]}, group_by=group),
            arm="real",
        )
