"""Fit the people of all videos, one video at a time; stored fits are loaded, and people inside furniture fitted again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from .bodies.fit import depth_in_boxes, fit_people, rejected_people
from .bodies.problem import Setting
from .bodies.terms import Boxes
from .cache import fit_key, load_fit, save_fit
from .camera.calibrate import Calibration
from .people import Recovered, Rejected
from .recordings import Recording
from .watch.watch import TrackedVideo, track_of

_INSIDE = 0.06
"""People deeper inside furniture than this, metres, are fitted again."""


def refine_camera(
    recordings: Sequence[Recording], calibration: Calibration, setting: Setting
) -> tuple[Calibration, Counter[str]]:
    """The camera refined by a fit to the people of one video; all videos share it afterwards.

    The video is the one in which a person's size in the picture changes most, as that determines the focal length.
    """
    seen = max((recording.seen for recording in recordings), key=_size_range)
    if not seen.people:
        return calibration, Counter()
    fitted = fit_people(seen.people, replace(setting, fps=seen.info.fps, camera_sigma=_camera_sigma(calibration)))
    rejections = count_rejected(fitted.rejected)
    if not fitted.people:
        return calibration, rejections
    T_world_camera = fitted.camera.T_world_camera
    pitch = float(np.arcsin(np.clip(-T_world_camera[1, 2], -1, 1)))
    focal, height = float(fitted.camera.K[0, 0]), float(T_world_camera[1, 3])
    return replace(calibration, focal=focal, height=height, pitch=pitch), rejections


def _camera_sigma(calibration: Calibration) -> tuple[float, float, float]:
    """Expected error of focal length (share), pitch (radians) and height (share)."""
    if not calibration.people:
        return 0.2, 0.2, 0.2
    std = calibration.std
    return max(2 * std["focal"], 0.02), max(2 * std["pitch"], 0.01), max(2 * std["height"] / calibration.height, 0.02)


def _size_range(seen: TrackedVideo) -> float:
    """Ratio of a person's largest to smallest size in the picture, the largest over all people."""
    best = 0.0
    for outline in seen.outlines:
        points = outline.landmarks2d[outline.found][:, [11, 12, 23, 24], :2].astype(float)
        if len(points) < 10:
            continue
        trunk = np.linalg.norm(points[:, :2].mean(axis=1) - points[:, 2:].mean(axis=1), axis=-1)
        small, large = np.percentile(trunk, [10, 90])
        best = max(best, float(large / max(small, 1.0)))
    return best


def fit_recordings(
    recordings: Sequence[Recording], setting: Setting, *, prior: Path | None, work: Path, progress: Callable[[str, float], None]
) -> tuple[list[Recovered], Counter[str]]:
    """Fit every video's people.

    Args:
        recordings: The videos.
        setting: Camera, body, prior and options; of the first video's rate.
        prior: File of the prior, which stored fits depend on; None for the package's own.
        work: Folder of stored fits.
        progress: Called with the name of the step and the share of it that is done, 0..1.
    Returns:
        The people, and how many could not be fitted by reason.
    """
    people: list[Recovered] = []
    rejections: Counter[str] = Counter()
    for number, recording in enumerate(recordings):
        seen, item = recording.seen, recording.inputs
        if not seen.people:
            continue
        own = replace(setting, fps=seen.info.fps)
        path = work / f"{item.video.stem}-{fit_key(item, prior, own)}.npz"
        found = load_fit(path)
        if found is None:

            def step(stage: str, done: int, steps: int, name: str = item.video.name, number: int = number) -> None:
                progress(f"fit {name}: {stage} {done}/{steps}", number / len(recordings))

            fitted = fit_people(seen.people, own, video=number, progress=step)
            found = list(fitted.people)
            rejections += count_rejected(fitted.rejected)
            work.mkdir(parents=True, exist_ok=True)
            save_fit(path, found)
        elif len(found) < len(seen.people):
            rejections += count_rejected(rejected_people(seen.people, own))
        classes = {track_of(tables): name for tables, name in zip(seen.people, seen.classes, strict=True)}
        people += [replace(person, video=number, person_class=classes[person.track]) for person in found]
    return people, rejections


def count_rejected(rejected: Sequence[Rejected]) -> Counter[str]:
    """People who could not be fitted, by reason."""
    return Counter(f"person not fitted: {person.reason}" for person in rejected)


def refit_inside(
    people: Sequence[Recovered], recordings: Sequence[Recording], setting: Setting, boxes: Boxes
) -> list[Recovered]:
    """Fit the people who intersect measured furniture again; the others are kept."""
    result = list(people)
    for index, person in enumerate(people):
        if depth_in_boxes(person, boxes) < _INSIDE:
            continue
        tables = next(own for own in recordings[person.video].seen.people if track_of(own) == person.track)
        own = replace(setting, fps=person.motion.fps, boxes=boxes)
        (again,) = fit_people([tables], own, video=person.video, start=[person]).people
        result[index] = replace(again, video=person.video, person_class=person.person_class)
    return result
