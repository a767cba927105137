"""The clips in a report mean something, can be played, and never show real people unless the study says so."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

from augment.shards.video_codec import decode_video, encode_video
from augment.types import Segment
from recognition.ablation import ablate
from recognition.clip_films import GROUND, HEIGHT, LARGEST, LEFT, MIDDLE, RIGHT, clip_film
from recognition.report import write_report
from recognition.shown_clips import LONGEST_SEC, MOST, Judged, Said, choose, stretch
from recognition.study_file import make_study
from tests.make.videos import recording, study_data, write_samples, write_videos


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of a report of real videos with keypoints, and of films, by what the study says of showing them."""
    folder = tmp_path_factory.mktemp("shown")
    real, test = (write_videos(folder / name, 2, seed=len(name), prefix=name, keypoints=True) for name in ("r", "te"))
    shards = write_samples(folder / "shards", 3, seed=3)

    def clips(**changes):
        arms = ["real", "real_synthetic"]
        data = study_data(real, test, synthetic=str(shards), arms=arms, steps=1, held_out=0, **changes)
        out = folder / "-".join(map(str, changes.values()))
        result = ablate(make_study(data), out, workers=1, threads=1)
        write_report(result, out)
        return result["clips"], (out / "report.html").read_text(), (out / "report.json").read_text()

    return clips


def frames_of(clip):
    return decode_video(base64.b64decode(clip["film"]))


def near(frames, color):
    return np.abs(frames.astype(int) - color).max(axis=-1) < 40


def test_a_report_never_shows_footage_of_a_table_by_default(clips):
    shown, html, data = clips(input="rgb")
    real = [clip for clip in shown if not clip["is_synthetic"]]
    assert len(real) == 2
    assert all(clip["film"] is None and "show_clips: all" in clip["hidden"] for clip in real)
    films = [clip["film"] for clip in shown if clip["is_synthetic"]]
    assert len(films) == 1
    assert re.findall('data:video/mp4;base64,([^"]*)', html) == films
    assert "show_clips: all" in html
    assert "base64" not in data
    assert all("film" not in clip for clip in json.loads(data)["clips"])


def test_real_clips_are_shown_as_drawn_keypoints_where_the_classifiers_look_at_these(clips, monkeypatch):
    monkeypatch.setattr("recognition.clip_films.each_frame", lambda recording, **_: pytest.fail(f"{recording.name} was decoded")
                        if not recording.is_synthetic else iter(()))  # fmt: skip
    shown, _, _ = clips(input="keypoints")
    skeletons = [clip for clip in shown if not clip["is_synthetic"]]
    assert len(skeletons) == 2
    for clip in skeletons:
        frames, _ = frames_of(clip)
        assert near(frames, GROUND).mean() > 0.5
        assert all(near(frames, color).any() for color in (LEFT, RIGHT, MIDDLE))


def test_footage_is_shown_if_the_study_says_so(clips):
    shown, _, _ = clips(input="rgb", show_clips="all")
    assert all(clip["film"] for clip in shown)
    frames, fps = frames_of(next(clip for clip in shown if not clip["is_synthetic"]))
    assert fps == 8
    assert frames[:, 180:210].max() > 140  # the bar
    assert not near(frames, GROUND).mean() > 0.9


def test_a_study_may_show_none(clips):
    shown, html, _ = clips(input="rgb", show_clips="none")
    assert shown == []
    assert "<video" not in html
    assert "<h2>Clips" not in html


def test_films_are_small_and_can_be_played(clips):
    shown, html, _ = clips(input="keypoints", show_clips="all")
    films = re.findall('<video src="data:video/mp4;base64,([^"]+)"', html)
    assert 0 < len(films) == len(shown) <= MOST
    for clip, film in zip(shown, films, strict=True):
        data = base64.b64decode(film)
        frames, fps = decode_video(data)
        assert frames.shape[1] == HEIGHT
        assert len(frames) / fps == pytest.approx(clip["seconds"], abs=0.2)
        assert len(data) <= LARGEST


def test_a_film_is_not_larger_than_it_should_be_however_noisy(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 60, 80, 3), np.uint8)
    noise = noise.repeat(4, axis=1).repeat(4, axis=2)
    path = tmp_path / "noise.mp4"
    path.write_bytes(encode_video(noise, fps=10))
    noisy = recording("noise", path=path, fps=10.0, frames=30)
    assert len(clip_film(noisy, start_sec=0, end_sec=3, pictures=True, points=False)) <= LARGEST


def said(found: int, false: int, highest: float) -> Said:
    times = np.arange(5) + 0.5
    return Said(
        runs=5, found=found, false=false, times=times, probability=np.interp(times, [0, 2.5, 5], [0, highest, 0]), threshold=0.5
    )


def judged(name: str, action: str, best: Said, baseline: Said, *, event: bool = True) -> Judged:
    return Judged(
        recording=recording(name, row={"action": action}), events=[(2.0, 3.0)] if event else [],
        said={"real_synthetic": best, "real": baseline},
    )  # fmt: skip


CANDIDATES = [
    judged("a", "fall", said(5, 0, 0.9), said(5, 0, 0.9)),
    judged("b", "fall", said(5, 0, 0.9), said(0, 0, 0.1)),
    judged("c", "fall", said(0, 0, 0.2), said(0, 0, 0.1)),
    judged("d", "faint", said(1, 0, 0.2), said(5, 0, 0.8)),
    judged("e", "walk", said(0, 0, 0.1), said(0, 0, 0.1), event=False),
    judged("f", "sit_down", said(0, 2, 0.8), said(0, 0, 0.1), event=False),
    judged("g", "lying", said(0, 0, 0.1), said(0, 0, 0.1), event=False),
]
"""Seven clips: gained, found by both, missed by both, lost, quiet, falsely alarmed, a quiet hard negative."""


def test_the_clips_of_a_report_show_what_was_gained_and_what_goes_wrong():
    study = make_study({"classes": {"walk": "walk", "fall": "fall"}, "test": "t", "real": "r", "arms": ["real"]})
    titles = {clip.recording.name: title for title, clip in reversed(choose(CANDIDATES, study))}
    first = [clip.recording.name for _, clip in choose(CANDIDATES, study)][: MOST - 1]
    assert first == ["b", "d", "f", "g"]
    assert titles["b"] == "Test: “fall” found, which the baseline misses"
    assert titles["d"] == "Test: “fall” missed in 4 of 5 runs"
    assert titles["f"] == "Test: false alarm"
    assert titles["g"] == "Test: no “fall”, no alarm"
    names = [clip.recording.name for _, clip in choose(CANDIDATES, study)]
    assert len(names) == len(set(names))
    # Without anything missed or alarmed there are more of the others.
    good = [clip for clip in CANDIDATES if clip.recording.name in "abeg"]
    assert [clip.recording.name for _, clip in choose(good, study)] == ["b", "g", "e", "a"]


def test_of_a_long_recording_the_event_is_shown():
    long = recording("long", frames=36_000, fps=10.0, segments=(Segment(label="fall", start_sec=700.0, end_sec=702.0),))
    event = Judged(recording=long, events=[(700.0, 702.0)], said={"real": said(5, 0, 0.9)})
    start, end = stretch(long, event)
    assert end - start == LONGEST_SEC
    assert start < 700 < 702 < end
    last = Judged(recording=long, events=[(3599.0, 3600.0)], said={"real": said(5, 0, 0.9)})
    assert stretch(long, last) == (3590.0, 3600.0)
    # Without an event, where it seems likeliest: near the beginning here.
    assert stretch(long, Judged(recording=long, events=[], said={"real": said(0, 1, 0.9)})) == (0.0, LONGEST_SEC)
    assert stretch(recording("short"), None) == (0.0, 5.0)
