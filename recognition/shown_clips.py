"""The few clips that a report plays: which, and what the classifiers said of them.

A report is mailed. Footage of real people is embedded only where the study says so (``Study.show_clips``).
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from .alarms import UNSET_THRESHOLD, AlarmRule, Watched
from .clip_films import clip_film
from .data import StudyData
from .event_alarms import alarm_figures, events
from .recordings import Recording
from .scoring import whole_recordings
from .study import Study

MOST = 5
"""Clips in a report."""
LONGEST_SEC = 10.0
"""Of a longer recording so much is shown."""
SKELETONS = ("keypoints", "heatmaps")
"""Inputs that look at keypoints: with these a clip may be shown as a skeleton."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the classifiers of one arm said of one test clip."""

    runs: int
    """One for each seed."""
    found: int
    """Runs with an alarm for an event of the clip."""
    false: int
    """Runs with a false alarm."""
    times: Float[np.ndarray, "n"]
    """Middles of the windows, seconds."""
    probability: Float[np.ndarray, "n"]
    """Of the rare class in each window, mean over the runs."""
    threshold: float
    """At which it raises an alarm, mean over the runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A test clip with what was said of it."""

    recording: Recording
    events: list[tuple[float, float]]
    """Start and end of each event of the rare class, seconds."""
    said: dict[str, Said]
    """By arm: the one that the story is about, then the baseline."""

    @property
    def best(self) -> Said:
        """What the first arm said."""
        return next(iter(self.said.values()))

    @property
    def baseline(self) -> Said:
        """What the baseline said."""
        return list(self.said.values())[-1]


def shown_clips(data: StudyData, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Choose up to ``MOST`` clips and film them.

    Args:
        data: The study with its clips.
        result: What ``summary.summarize`` returned of it.
    Returns:
        As JSON values, in the order of the report: ``title``, ``about``, ``recording``, ``film`` (an mp4 in base64, or None
        with the reason in ``hidden``), and for test clips what was said of them, with ``input``. Empty if the study wants none.
    """
    study = data.study
    if study.show_clips == "none":
        return []
    name, arms = _story(result)
    judged = _judge(data, result, name, arms)
    chosen = choose(judged, study)
    films = _films(data, arms, like=[clip for _, clip in chosen])
    shown = [_shown(study, "A film used in training", film, None) for film in films[:1]]
    shown += [_shown(study, title, clip.recording, clip) for title, clip in chosen[: MOST - len(shown)]]
    shown += [_shown(study, "Another film used in training", film, None) for film in films[1 : 1 + MOST - len(shown)]]
    return [{**clip, "input": name} for clip in shown]


def _story(result: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The input that classifies best with the arm that its verdict is about; that arm, and the baseline."""

    def arm_of(view: Mapping[str, Any]) -> str:
        if view["advice"]:
            return view["advice"]["arm"]
        compared = [(comparison["macro_accuracy"]["mean"], comparison["arm"]) for comparison in view["comparisons"]]
        return max(compared)[1] if compared else result["baseline"]

    views = result["inputs"]
    name = max(views, key=lambda name: views[name]["arms"][arm_of(views[name])]["macro_accuracy"]["mean"])
    return name, list(dict.fromkeys([arm_of(views[name]), result["baseline"]]))


def _judge(data: StudyData, result: Mapping[str, Any], name: str, arms: Sequence[str]) -> list[Judged]:
    """Every test clip, by name, with what the arms said of it with this input."""
    study = data.study
    runs = {arm: [run for run in result["runs"] if run["input"] == name and run["arm"] == arm] for arm in arms}
    watched = {arm: [whole_recordings(run["watched"], run["temperature"]) for run in of_arm] for arm, of_arm in runs.items()}
    times = Counter(recording.name for recording in data.test)
    recordings = {recording.name: recording for recording in data.test if times[recording.name] == 1}
    judged = []
    for number, one in enumerate(watched[arms[0]][0]):
        if one.recording in recordings:
            said = {arm: _said([run[number] for run in watched[arm]], runs[arm], study) for arm in arms}
            found = events(one, study.classes[study.rare_class])
            judged.append(Judged(recording=recordings[one.recording], events=found, said=said))
    return sorted(judged, key=lambda clip: clip.recording.name)


def _said(watched: Sequence[Watched], runs: Sequence[Mapping[str, Any]], study: Study) -> Said:
    rare, labels = list(study.classes).index(study.rare_class), study.classes[study.rare_class]
    thresholds = [run["alarms"]["threshold"] if run["alarms"] else UNSET_THRESHOLD for run in runs]
    rules = [
        AlarmRule(windows=study.alarm_windows, release=study.alarm_release, threshold=threshold) for threshold in thresholds
    ]
    figures = [alarm_figures([one], rare, labels, rule=rule) for one, rule in zip(watched, rules, strict=True)]
    return Said(
        runs=len(runs),
        found=sum(bool(one["events_found"]) for one in figures),
        false=sum(one["false_alarms"] > 0 for one in figures),
        times=watched[0].middles,
        probability=np.mean([one.probabilities[:, rare] for one in watched], axis=0),
        threshold=float(np.mean(thresholds)),
    )


def choose(judged: Sequence[Judged], study: Study) -> list[tuple[str, Judged]]:
    """Test clips with a title each: found, missed, a false alarm, something else; then more of them, of other actions."""
    rare = study.rare_class
    chosen: list[tuple[str, Judged]] = []

    def add(clips: Iterable[Judged], key: Callable[[Judged], Any], title: Callable[[Judged], str]) -> None:
        used = [clip.recording.name for _, clip in chosen]
        seen = [_action(clip.recording) for _, clip in chosen]
        left = [clip for clip in clips if clip.recording.name not in used]
        if left:
            best = max(left, key=lambda clip: (_action(clip.recording) not in seen, key(clip)))
            chosen.append((title(best), best))

    found = [clip for clip in judged if clip.events and clip.best.found > clip.best.runs / 2]
    missed = [clip for clip in judged if clip.events and clip.best.found < clip.best.runs]
    alarmed = [clip for clip in judged if clip.best.false]
    quiet = [clip for clip in judged if not clip.events and not clip.best.false]

    def gained(clip: Judged) -> tuple[int, int, int]:
        return clip.best.found - clip.baseline.found, clip.best.found, -clip.best.false

    def found_title(clip: Judged) -> str:
        more = clip.best.found > clip.baseline.found
        return f"Test: “{rare}” found" + (
            ", which the baseline misses" if more and not clip.baseline.found
            else ", more often than by the baseline" if more else ""
        )  # fmt: skip

    def missed_title(clip: Judged) -> str:
        missing = clip.best.runs - clip.best.found
        return f"Test: “{rare}” missed" + (f" in {missing} of {_runs(clip.best)}" if clip.best.found else "")

    def spared(clip: Judged) -> tuple[bool, int, float]:
        hard = _action(clip.recording) in study.hard_negatives
        return hard, clip.baseline.false, float(clip.baseline.probability.max())

    kinds = (
        (found, gained, found_title),
        (missed, lambda clip: -clip.best.found, missed_title),
        (alarmed, lambda clip: (not clip.events, clip.best.false), lambda clip: "Test: false alarm"),
        (quiet, spared, lambda clip: f"Test: no “{rare}”, no alarm"),
    )
    for clips, key, title in (*kinds, *(kinds[3], *kinds[:3]) * MOST):
        add(clips, key, title)
    return chosen[:MOST]


def _action(recording: Recording) -> str:
    """What a recording shows: the action it is named after, else its frame labels."""
    return recording.row.get("action") or ", ".join(dict.fromkeys(segment.label for segment in recording.segments))


def _films(data: StudyData, arms: Sequence[str], *, like: Sequence[Judged]) -> list[Recording]:
    """Synthetic training clips with the rare class: first of the actions that the test clips show, one of each action."""
    labels = data.study.classes[data.study.rare_class]
    used = next((clips for arm in [*arms, *data.training] if (clips := data.training[arm].synthetic)), [])
    films = [film for film in used if film.is_synthetic and any(segment.label in labels for segment in film.segments)]
    wanted = [_action(clip.recording) for clip in like]
    films.sort(key=lambda film: (wanted.index(_action(film)) if _action(film) in wanted else len(wanted), film.name))
    first_of: dict[str, Recording] = {}
    for film in films:
        first_of.setdefault(_action(film), film)
    return list(first_of.values())


def _shown(study: Study, title: str, recording: Recording, judged: Judged | None) -> dict[str, Any]:
    """A clip of the report, as JSON values; times are counted from the start of what is shown."""
    start, end = stretch(recording, judged)
    film, hidden = _film(study, recording, start, end)
    labels = [
        (segment.label, max(segment.start_sec, start) - start, min(segment.end_sec, end) - start)
        for segment in recording.segments
        if segment.start_sec < end and segment.end_sec > start
    ]
    said = judged.said if judged else {}
    return {
        "title": title,
        "about": recording.row.get("action", "").replace("_", " "),
        "labels": [f"{label} {a:.1f}–{b:.1f} s" for label, a, b in labels],
        "recording": recording.name,
        "is_synthetic": recording.is_synthetic,
        "seconds": round(end - start, 3),
        "events": [[round(a, 3), round(b, 3)] for label, a, b in labels if label in study.classes[study.rare_class]],
        "said": [_sentence(arm, words, bool(judged and judged.events), study) for arm, words in said.items()],
        "curves": {arm: _curve(words, start, end) for arm, words in said.items()},
        "threshold": judged and round(judged.best.threshold, 4),
        "film": film and base64.b64encode(film).decode(),
        "hidden": hidden,
        "points": film is not None and _has_points(study, recording),
    }


def stretch(recording: Recording, judged: Judged | None) -> tuple[float, float]:
    """What is shown of a recording, seconds: around its first event, else where the rare class seems likeliest."""
    if recording.seconds <= LONGEST_SEC:
        return 0.0, recording.seconds
    middle = recording.seconds / 2
    if judged:
        likeliest = float(judged.best.times[judged.best.probability.argmax()])
        middle = sum(judged.events[0]) / 2 if judged.events else likeliest
    start = min(max(0.0, middle - LONGEST_SEC / 2), recording.seconds - LONGEST_SEC)
    return start, start + LONGEST_SEC


def _film(study: Study, recording: Recording, start: float, end: float) -> tuple[bytes | None, str]:
    """The mp4, or None and why there is none.

    Real footage is shown if the study says so; else its keypoints, where the study's classifiers look at these.
    """
    skeletons = _has_points(study, recording)
    pictures = recording.has_video and (recording.is_synthetic or study.show_clips == "all")
    if not pictures and not skeletons:
        return None, "Real footage is not shown in a report; `show_clips: all` in the study embeds it."
    try:
        return clip_film(recording, start_sec=start, end_sec=end, pictures=pictures, points=skeletons), ""
    except (ValueError, OSError) as error:
        return None, f"It cannot be shown: {error}"


def _has_points(study: Study, recording: Recording) -> bool:
    return any(one.input in SKELETONS for one in study.each_input().values()) and recording.keypoints is not None


def _sentence(arm: str, said: Said, has_event: bool, study: Study) -> str:
    """What an arm's classifiers said, in words."""
    words = [f"found in {said.found} of {_runs(said)}"] if has_event else []
    if said.false:
        words.append(f"false alarm in {said.false} of {_runs(said)}")
    elif not has_event:
        words.append(f"no alarm in {_runs(said)}")
    return f"{arm}: {', '.join(words)}; highest probability of “{study.rare_class}” {said.probability.max():.2f}"


def _runs(said: Said) -> str:
    return f"{said.runs} run{'' if said.runs == 1 else 's'}"


def _curve(said: Said, start: float, end: float) -> list[list[float]]:
    """Seconds from the start of what is shown, and probability."""
    inside = (said.times >= start) & (said.times <= end)
    pairs = zip(said.times[inside].tolist(), said.probability[inside].tolist(), strict=True)
    return [[round(time - start, 3), round(probability, 4)] for time, probability in pairs]
