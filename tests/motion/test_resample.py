"""Resampling and cropping: identities, known answers, and segments that keep covering the motion."""

from __future__ import annotations

import numpy as np
import pytest

from augment.motion.resample import crop, resample
from augment.types import Motion, Segment


def spin(n_frames=61, fps=30.0, rate=1.5):
    """Turns about y at ``rate`` rad/s while it goes along z at 1 m/s."""
    seconds = np.arange(n_frames) / fps
    pose = np.zeros((n_frames, 23, 3), np.float32)
    pose[:, 3, 0] = 0.5 * seconds
    return Motion(
        global_orient=np.stack([0 * seconds, rate * seconds, 0 * seconds], 1).astype(np.float32),
        body_pose=pose,
        transl=np.stack([0 * seconds, 0 * seconds, seconds], 1).astype(np.float32),
        betas=np.zeros(10, np.float32),
        fps=fps,
        name="spin",
        segments=(
            Segment(label="walk", start_sec=0.0, end_sec=1.0),
            Segment(label="other", start_sec=1.0, end_sec=n_frames / fps),
        ),
    )


@pytest.mark.parametrize("fps", [10.0, 20.0, 25.0, 60.0])
def test_uniform_motion_stays_uniform_at_any_rate(fps):
    motion = resample(spin(), fps)
    seconds = np.arange(len(motion)) / fps
    assert motion.fps == fps
    np.testing.assert_allclose(motion.transl[:, 2], seconds, atol=1e-5)
    np.testing.assert_allclose(motion.global_orient[:, 1], 1.5 * seconds, atol=1e-4)
    np.testing.assert_allclose(motion.body_pose[:, 3, 0], 0.5 * seconds, atol=1e-4)
    assert motion.segments[-1].end_sec == pytest.approx(motion.seconds)


def test_same_rate_gives_the_same_motion():
    motion = spin()
    assert resample(motion, motion.fps) is motion


def test_up_and_down_again_is_the_identity():
    motion = spin()
    back = resample(resample(motion, 120.0), 30.0)
    assert len(back) == len(motion)
    np.testing.assert_allclose(back.global_orient, motion.global_orient, atol=1e-5)
    np.testing.assert_allclose(back.transl, motion.transl, atol=1e-6)


def test_turns_take_the_short_way_past_half_a_turn():
    angles = np.array([3.1, -3.1], np.float32)
    motion = spin(2)
    object.__setattr__(motion, "global_orient", np.stack([0 * angles, angles, 0 * angles], 1))
    middle = resample(motion, 60.0).global_orient[1]
    assert abs(np.linalg.norm(middle) - np.pi) < 0.01


def test_one_frame_stays_one_frame():
    assert len(resample(spin(1), 20.0)) == 1


def test_crop_takes_the_frames_and_shifts_the_segments():
    motion = spin()
    part = crop(motion, 0.5, 1.5)
    assert len(part) == 30
    np.testing.assert_array_equal(part.transl, motion.transl[15:45])
    assert [(each.label, round(each.start_sec, 6), round(each.end_sec, 6)) for each in part.segments] == [
        ("walk", 0.0, 0.5),
        ("other", 0.5, 1.0),
    ]


def test_crops_side_by_side_hold_every_frame_once():
    motion = spin()
    parts = [crop(motion, start, start + 0.5) for start in (0.0, 0.5, 1.0, 1.5)]
    assert sum(len(part) for part in parts) == 60


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="expected fps > 0, found 0"):
        resample(spin(), 0.0)
    with pytest.raises(ValueError, match=r"expected a stretch within 0 \.\. 2\.033 s"):
        crop(spin(), 5.0, 6.0)
