"""Laws of the video codec: nothing lost in masks, rate and frames kept, equal frames give equal bytes."""

from __future__ import annotations

import numpy as np
import pytest

from augment.shards.video_codec import decode_mask, decode_video, encode_mask, encode_video, rgb_to_planes
from tests.make.shards import tiny_clip


@pytest.mark.parametrize("height", [34, 36])
def test_a_mask_is_lossless(height):
    mask = np.random.default_rng(0).integers(0, 256, (9, height, 50), dtype=np.uint8)
    np.testing.assert_array_equal(decode_mask(encode_mask(mask, fps=10)), mask)


@pytest.mark.parametrize("fps", [10.0, 20.0, 29.97, 12.5])
def test_a_video_keeps_its_rate_and_its_frame_count(fps):
    frames, rate = decode_video(encode_video(tiny_clip(frames=31).frames, fps=fps))
    assert len(frames) == 31
    assert rate == pytest.approx(fps, rel=1e-3)


def test_a_better_quality_is_nearer_to_the_frames_and_takes_more_bytes():
    frames = tiny_clip(frames=12).frames
    coded = [encode_video(frames, fps=10, crf=crf) for crf in (4, 20, 36)]
    errors = [np.square(decode_video(video)[0].astype(float) - frames).mean() for video in coded]
    assert errors[0] < errors[1] < errors[2]
    assert len(coded[0]) > len(coded[1]) > len(coded[2])


def test_the_same_frames_give_the_same_bytes_whatever_the_memory_held():
    # Encoders that read memory they never wrote give themselves away when the heap is stirred.
    rng, held, frames = np.random.default_rng(0), [], tiny_clip().frames
    seen = set()
    for _ in range(150):
        held.append(np.full(int(rng.integers(1000, 200_000)), rng.integers(255), np.uint8))
        if len(held) > 30:
            held.pop(int(rng.integers(30)))
        seen.add(encode_video(frames, fps=10))
    assert len(seen) == 1


def test_colors_are_those_of_bt601():
    import av

    ramp = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(-1, 1, 1, 3).astype(np.uint8)
    picture = np.repeat(np.repeat(ramp[:1024], 2, axis=1), 2, axis=2).reshape(64, 64, 3)
    ours = rgb_to_planes(picture[None])[0].astype(int)
    theirs = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p").to_ndarray()
    assert np.abs(ours[:64] - theirs[:64]).max() <= 1
    # FFmpeg smooths colours across edges, so these are compared where there are none.
    for color in ramp[::97, 0, 0]:
        flat = np.full((16, 16, 3), color)
        theirs = av.VideoFrame.from_ndarray(flat, format="rgb24").reformat(format="yuv420p").to_ndarray()
        assert np.abs(rgb_to_planes(flat[None])[0].astype(int) - theirs).max() <= 1


def test_odd_sizes_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="even, found 47x64"):
        encode_video(tiny_clip().frames[:, :47], fps=10)


def test_bytes_that_are_no_video_are_refused():
    with pytest.raises(ValueError, match="not a decodable video"):
        decode_video(b"nonsense" * 50)
