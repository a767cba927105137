from __future__ import annotations

import numpy as np
import pytest

from augment.sources.video import probe, read_frames
from tests.make.realdata import require
from tests.make.scenery import write_video


def numbered(count: int = 12) -> np.ndarray:
    frames = np.zeros((count, 32, 48, 3), np.uint8)
    frames[...] = (np.arange(count) * 10)[:, None, None, None]
    return frames


def test_frames_come_back_in_order(tmp_path):
    video = write_video(tmp_path / "a.mkv", numbered(), fps=5)
    info = probe(video)
    assert (info.width, info.height, info.fps, info.frames) == (48, 32, 5.0, 12)
    for index, frame in read_frames(video):
        assert (frame == 10 * index).all()


def test_only_the_wanted_frames_are_given(tmp_path):
    video = write_video(tmp_path / "a.mkv", numbered())
    assert [index for index, _ in read_frames(video, np.array([7, 2]))] == [2, 7]
    with pytest.raises(ValueError, match="frame 40 was asked for"):
        list(read_frames(video, np.array([40])))


def test_what_is_no_video_says_so(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").touch()
    for name, message in (("absent.mp4", "no such video"), ("empty.mp4", "is empty"), ("text.mp4", "cannot be opened")):
        with pytest.raises(ValueError, match=message):
            probe(tmp_path / name)


def mp4(path, *, faststart: bool):
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(60):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("faststart", [True, False])
def test_a_truncated_mp4_says_that_it_is_truncated(tmp_path, faststart):
    whole = mp4(tmp_path / "whole.mp4", faststart=faststart).read_bytes()
    assert len(list(read_frames(tmp_path / "whole.mp4"))) == 60
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="truncated"):
        list(read_frames(tmp_path / "cut.mp4"))


def test_real_clip():
    assert probe(require("upfall/videos/a09_t1_c1.mp4")).frames == 132
