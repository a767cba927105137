"""Contact sheets: what stands on them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from augment.film.sheet import closeup, contact_sheet


def test_closeup_shows_all_joints_of_all_frames_and_enlarges():
    """A mark at each extreme of the person's way is in the cut, which keeps size and aspect and shows the mark larger."""
    frames = np.zeros((3, 120, 160, 3), np.uint8)
    joints2d = np.zeros((3, 24, 3), np.float32)
    for frame, (u, v) in enumerate([(60, 40), (80, 60), (90, 70)]):
        joints2d[frame, :, :2] = u, v
        frames[frame, v - 2 : v + 2, u - 2 : u + 2] = 255
    near = closeup(frames, joints2d)
    assert near.shape == frames.shape
    for frame in range(3):
        assert (near[frame, ..., 0] > 128).sum() > 2 * (frames[frame, ..., 0] > 128).sum()


def test_closeup_of_somebody_everywhere_is_the_whole_picture():
    frames = np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8)
    joints2d = np.zeros((2, 24, 3), np.float32)
    joints2d[:, 0, :2], joints2d[:, 1, :2] = (-50, -50), (500, 500)
    assert np.array_equal(closeup(frames, joints2d), frames)


def test_contact_sheet_is_a_row_a_clip_and_a_png(tmp_path):
    clips = [(np.full((5, 40, 60, 3), 100, np.uint8), f"clip {k}") for k in range(3)]
    sheet = contact_sheet(clips, tmp_path / "s.png", columns=4, height=40)
    picture = cv2.imread(str(tmp_path / "s.png"))
    assert picture is not None
    assert picture.shape == sheet.shape
    assert sheet.shape[0] >= 3 * 40
    assert sheet.shape[1] >= 4 * 60
    with pytest.raises(ValueError, match="at least one clip"):
        contact_sheet([])
