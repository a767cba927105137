"""Windows: their class, where they lie, and how many there are."""

from __future__ import annotations

import numpy as np
import pytest

from augment.types import Segment
from recognition.windows import LEAST_WINDOWS, STRIDE_SEC, WindowSampler, evaluation_windows
from tests.make.videos import CLASSES, SEGMENTS, recording


def class_at(second: float) -> int:
    """Index of the class of the segment at a time of ``recording()``."""
    label = next(segment.label for segment in SEGMENTS if segment.start_sec <= second < segment.end_sec)
    return next(index for index, labels in enumerate(CLASSES.values()) if label in labels)


def test_a_short_segment_has_three_windows_inside_it():
    windows = evaluation_windows([recording()], CLASSES, window_sec=1.0)
    assert [window.label for window in windows] == [0] * 3 + [1] * 3 + [2] * 3
    assert [window.middle_sec for window in windows] == pytest.approx(
        [0.75, 1.25, 1.75, 2 + 1 / 6, 2.5, 3 - 1 / 6, 3.25, 3.75, 4.25]
    )
    assert sum(window.seconds for window in windows) == pytest.approx(5.0)
    assert all(class_at(window.middle_sec) == window.label for window in windows)
    assert LEAST_WINDOWS == 3


def test_windows_of_a_long_segment_are_a_stride_apart():
    segment = Segment(label="standing", start_sec=0.0, end_sec=21.0)
    windows = evaluation_windows([recording(frames=210, segments=(segment,))], CLASSES, window_sec=1.0)
    assert np.diff([window.middle_sec for window in windows]) == pytest.approx(STRIDE_SEC)
    assert len(windows) == 20
    assert sum(window.seconds for window in windows) == pytest.approx(21.0)


def test_a_segment_without_a_class_or_beyond_the_video_has_no_window():
    assert evaluation_windows([recording()], {"jump": ["jump"]}, window_sec=1.0) == []
    assert {window.label for window in evaluation_windows([recording(frames=25)], CLASSES, window_sec=1.0)} == {0, 1}


def test_training_windows_have_the_class_that_was_drawn():
    sampler = WindowSampler([recording(), recording("b")], CLASSES, window_sec=1.0)
    rng = np.random.default_rng(0)
    for label in (0, 1, 2) * 20:
        window = sampler.draw(label, rng=rng)
        assert class_at(window.middle_sec) == label
        assert 0.5 <= window.middle_sec <= 4.5
    with pytest.raises(ValueError, match="compare `classes`"):
        WindowSampler([recording()], {"jump": ["jump"]}, window_sec=1.0)
