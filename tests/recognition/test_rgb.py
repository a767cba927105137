"""Decoding recordings and cutting windows from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from augment.shards.tar import read_shard, write_shard
from augment.shards.video_codec import encode_video
from recognition.csv_table import read_csv
from recognition.inputs.readable import decodable
from recognition.prefetch import ahead
from recognition.recordings import Recording
from recognition.shard_samples import read_samples
from recognition.windows import Window, evaluation_windows
from tests.make.videos import CLASSES, FPS, SEGMENTS, small_store, write_samples, write_videos


def test_csv_and_shards_of_the_same_videos_give_the_same_tensors(tmp_path):
    folder = write_samples(tmp_path / "shards", 2, seed=0)
    (tmp_path / "videos").mkdir()
    text = ";".join(f"{s.label}:{s.start_sec}-{s.end_sec}" for s in SEGMENTS)
    rows = ["video,fps,frames,segments"]
    for sample in read_shard(folder / "clips-000000.tar", decode=False):
        (tmp_path / f"videos/{sample['__key__']}.mp4").write_bytes(sample["mp4"])
        rows.append(f"videos/{sample['__key__']}.mp4,{FPS},40,{text}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    real, synthetic = read_csv(tmp_path / "labels.csv"), read_samples(folder)
    assert [r.segments for r in real] == [r.segments for r in synthetic]
    windows = [evaluation_windows(found, CLASSES, window_sec=1.0) for found in (real, synthetic)]
    assert windows[0] == windows[1]
    kept = small_store(tmp_path / "frames")
    for window in windows[0]:
        ours, theirs = (kept.plain(found[window.recording], window) for found in (real, synthetic))
        assert ours.shape == (3, 4, 32, 32)
        assert torch.equal(ours, theirs)
        rngs = [np.random.default_rng(1), np.random.default_rng(1)]
        pair = [kept.augmented(f[window.recording], window, rng=g) for f, g in zip((real, synthetic), rngs, strict=True)]
        assert torch.equal(*pair)


def test_a_window_shows_its_own_time(tmp_path):
    found = read_csv(write_videos(tmp_path, 1, seed=0))
    kept = small_store(tmp_path / "frames")
    pictures = [kept.plain(found[0], Window(recording=0, middle_sec=s, label=0)).float() for s in (1.0, 4.5)]
    upper = [float(picture[:, :, 8:16].amax()) for picture in pictures]
    assert upper[0] > 120 > upper[1]


def test_bad_videos_are_counted_with_reasons_and_stop_the_study_when_many(tmp_path):
    found = read_csv(write_videos(tmp_path, 3, seed=0))
    whole = found[0].path.read_bytes()
    found[0].path.write_bytes(whole[: len(whole) // 2])
    found[1].path.unlink()
    good, problems = decodable(found, small_store(tmp_path / "frames"), max_bad_share=0.9)
    assert [r.name for r in good] == ["videos/v2.mp4"]
    assert "videos/v0.mp4: not a decodable video" in problems[0]
    assert "videos/v1.mp4: no such file" in problems[1]
    with pytest.raises(ValueError, match=r"2 of 3 videos cannot be read: videos/v0.mp4: not a decodable"):
        decodable(found, small_store(tmp_path / "frames"), max_bad_share=0.05)


def test_a_single_frame_is_no_video(tmp_path):
    (tmp_path / "one.mp4").write_bytes(encode_video(np.zeros((1, 48, 64, 3), np.uint8), fps=FPS))
    found = Recording(name="one.mp4", path=tmp_path / "one.mp4", fps=FPS, frames=1, segments=SEGMENTS)
    with pytest.raises(ValueError, match=r"one.mp4: frames: expected a video of 2 or more, found 1;"):
        decodable([found], small_store(tmp_path / "frames"), max_bad_share=0.05)


def test_a_video_longer_than_its_row_says_is_another(tmp_path):
    found = read_csv(write_videos(tmp_path, 1, seed=0))[0]
    with pytest.raises(ValueError, match=r"videos/v0.mp4: frames: the table says 30, the video has 40; correct"):
        small_store(tmp_path / "frames").get(dataclasses.replace(found, frames=30))
    assert len(small_store(tmp_path / "frames").get(dataclasses.replace(found, frames=38)))


def test_a_video_that_ends_early_is_truncated(tmp_path):
    found = read_csv(write_videos(tmp_path, 1, seed=0))[0]
    longer = Recording(name=found.name, path=found.path, fps=FPS, frames=80, segments=found.segments)
    with pytest.raises(ValueError, match="truncated: 40 of 80 frames"):
        small_store(tmp_path / "frames").get(longer)


def test_shards_without_needed_members_are_refused(tmp_path):
    path = tmp_path / "clips-000000.tar"
    write_shard(path, [{"__key__": "a", "json": b"{}"}])
    with pytest.raises(ValueError, match="sample 'a' has json; expected json, and mp4 or npz"):
        read_samples(path)
    with pytest.raises(FileNotFoundError):
        read_samples(tmp_path / "nothing")


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
