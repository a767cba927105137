"""Alarms: known answers, laws of the rule, and what a threshold promises."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.types import Segment
from recognition.alarms import AlarmRule, Watched, alarm_level, alarming, find_alarms
from recognition.event_alarms import alarm_figures, alarm_threshold, hard_negative_figures
from recognition.windows import sliding_middles

FALL = 1
CLASSES = {"walk": ["walk"], "fall": ["fall"], "down": ["fallen"]}


def watched(scores: list[float], *segments: tuple[str, float, float], action: str = "") -> Watched:
    """A recording with windows of 2 s, half a second apart, with these probabilities of a fall."""
    rare = np.array(scores, float)
    middles = 1.0 + 0.5 * np.arange(len(scores))
    return Watched(
        recording="a", action=action, seconds=float(middles[-1] + 1), middles=middles, window_sec=2.0,
        segments=tuple(Segment(label=label, start_sec=start, end_sec=end) for label, start, end in segments),
        probabilities=np.stack([0.9 * (1 - rare), rare, 0.1 * (1 - rare)], axis=1),
    )  # fmt: skip


def rule(windows: int = 1, threshold: float = 0.5, release: float = 1.0) -> AlarmRule:
    return AlarmRule(windows=windows, threshold=threshold, release=release)


def figures(*recordings: Watched, **changes: Any) -> dict:
    return alarm_figures(recordings, FALL, ["fall"], rule=rule(**changes))


def test_an_alarm_comes_at_the_end_of_the_last_of_the_windows_in_a_row():
    # The windows end at 2, 2.5, 3, ... s; the fall begins at 3 s; the scores are high in the windows that end at 4 and 4.5 s.
    recording = watched([0, 0, 0, 0, 0.9, 0.8, 0, 0], ("fall", 3.0, 4.0))
    assert figures(recording)["delay_sec"] == pytest.approx(1.0)
    assert figures(recording, windows=2)["delay_sec"] == pytest.approx(1.5)
    assert figures(recording, windows=3)["events_found"] == 0
    assert figures(recording)["false_alarms"] == 0


def test_false_alarms_are_runs_and_those_that_touch_an_event_are_none():
    recording = watched([0.9, 0.9, 0, 0.9, 0, 0, 0.9, 0.9] + 20 * [0] + [0.9], ("walk", 0, 4), ("fall", 5.0, 6.0))
    found = figures(recording)
    # Windows end at 2, 2.5 (one run), 3.5 (another), 5, 5.5 (the fall), and 16 s, later than 5 s after the fall's end.
    assert (found["events_found"], found["false_alarms"]) == (1, 3)
    assert found["false_alarms_an_hour"] == pytest.approx(3 / (recording.seconds / 3600))
    lying = watched(8 * [0] + [0.9], ("fall", 1.0, 2.0), ("fallen", 2.0, 9.0))
    assert figures(lying) | {"hours": 0} == figures(lying) | {
        "events_found": 1.0,
        "false_alarms": 0,
        "delay_sec": 5.0,
        "hours": 0,
    }


def test_a_recording_without_events_has_false_alarms_only():
    found = figures(watched([0.9, 0, 0.9]))
    assert (found["events"], found["events_found"], found["delay_sec"], found["false_alarms"]) == (0, None, None, 2)


def test_the_threshold_finds_the_share_of_events_that_it_promises_and_is_the_highest():
    rng = np.random.default_rng(0)
    recordings = [watched(rng.random(12).tolist(), ("fall", 3.0, 4.0)) for _ in range(20)]
    for recall, release in itertools.product((0.5, 0.9, 1.0), (0.6, 1.0)):
        settings = {"windows": 2, "release": release}
        threshold = alarm_threshold(recordings, FALL, ["fall"], recall=recall, **settings)
        assert threshold is not None
        assert figures(*recordings, threshold=threshold, **settings)["events_found"] >= recall
        assert figures(*recordings, threshold=threshold + 1e-6, **settings)["events_found"] < recall
    assert alarm_threshold([watched([0.5])], FALL, ["fall"], windows=1, release=1, recall=0.9) is None


def test_an_alarm_needs_windows_in_a_row_and_is_kept_up_by_less():
    scores = np.array([0.2, 0.9, 0.8, 0.5, 0.3, 0.9, 0.2])
    np.testing.assert_allclose(alarm_level(scores, windows=2, release=1.0), [0, 0.2, 0.8, 0.5, 0.3, 0.3, 0.2])
    np.testing.assert_allclose(alarm_level(scores, windows=2, release=0.5), [0, 0.2, 0.8, 0.8, 0.6, 0.6, 0.4])
    np.testing.assert_allclose(alarm_level(np.array([0.9, 0.2]), windows=5, release=1.0), [0, 0.2])
    with pytest.raises(ValueError, match="alarm threshold 2: expected a probability"):
        rule(threshold=2)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 4), st.floats(0.1, 1), st.floats(0.05, 1)
)  # fmt: skip
def test_the_level_says_for_every_threshold_what_a_live_system_would_do(scores, windows, release, threshold):
    """Law: one window after another, raised by ``windows`` in a row and ended by one below ``release`` of the threshold."""
    live, on = [], False
    windows = min(windows, len(scores))
    for number in range(len(scores)):
        row = scores[max(number - windows + 1, 0) : number + 1]
        on = (len(row) == windows and min(row) >= threshold) or (on and scores[number] / release >= threshold)
        live.append(on)
    assert alarming(np.array(scores), rule(windows, threshold, release)).tolist() == live


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 4), st.floats(0.1, 1))
def test_alarms_lie_in_the_recording_in_order_and_are_as_many_as_the_study_counts(scores, windows, release):
    recording = watched(scores)
    found = find_alarms(recording, FALL, rule(windows, 0.5, release))
    edges = [edge for alarm in found for edge in (alarm.start_sec, alarm.end_sec)]
    assert edges == sorted(edges)
    assert all(0 <= alarm.start_sec < alarm.end_sec <= recording.seconds for alarm in found)
    assert all(alarm.start_sec < alarm.raised_sec and alarm.peak >= 0.5 - 1e-4 for alarm in found)
    assert len(found) == figures(recording, windows=windows, release=release)["false_alarms"]


def test_an_alarm_lies_where_its_windows_are_and_is_raised_at_the_end_of_the_last_in_a_row():
    (alarm,) = find_alarms(watched([0, 0, 0.9, 0.8, 0.6, 0.2, 0]), FALL, rule(2, 0.7, 0.5))
    # Middles 2, 2.5 and 3 s, each for a quarter of a second before and after; the second window ends at 3.5 s.
    assert (alarm.start_sec, alarm.raised_sec, alarm.end_sec, alarm.peak) == (1.75, 3.5, 3.25, 0.9)


def test_hard_negatives_are_counted_where_they_are_shown():
    lying = watched([0, 0.9, 0.9, 0, 0.9, 0], ("lying", 1.0, 3.0), ("walk", 3.0, 9.0))
    picking = watched([0.9, 0], action="pick_up")
    falling = watched([0.9, 0.9], ("fall", 0.0, 2.0), action="pick_up")
    found = hard_negative_figures(
        [lying, picking, falling], ["lying", "pick_up", "walk", "kneeling"], CLASSES, rare=FALL, rule=rule()
    )
    # Lying is at the middles 1, 1.5, 2, 2.5; picking up at both windows of its recording, which shows no fall.
    assert found["lying"] == {"seconds": 2.0, "recall": None, "taken_for_event": 0.5, "false_alarms": 1}
    assert found["pick_up"] == {"seconds": 2.5, "recall": None, "taken_for_event": 0.5, "false_alarms": 1}
    assert found["walk"]["recall"] == 0.5
    assert "kneeling" not in found


def test_what_was_watched_survives_json():
    recording = watched([0.1, 0.9], ("fall", 0.0, 1.0), action="x")
    assert Watched.from_json(recording.to_json()).to_json() == recording.to_json()


def test_sliding_windows_lie_in_the_recording_and_cover_it():
    middles = sliding_middles(7.3, window_sec=2.0)
    assert middles[0] == 1.0
    assert 7.3 - 2.0 / 2 - 0.5 < middles[-1] <= 6.3
    np.testing.assert_array_equal(sliding_middles(1.2, window_sec=2.0), [0.6])
