"""Which of the people that a detector found in a video the video is about: the one that moves most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from augment.reconstruct.watch.track import TrackConfig, track_people
from augment.sources.people.people import COCO17, People

SURE = 0.1
"""Points of less confidence do not count in where the person is and how large."""
STEP_SEC = 0.15
"""Movement is measured between medians over so long, in which a detector's jitter cancels."""
STILL = 0.1
"""Points that lie closer to where they were than this (root of the mean square, in lengths of the person) have not moved."""
BODY_LENGTH = 1.0
"""The only person detected moves less than this from one frame to the next: more is somebody else. Who is found again no
farther from where somebody was last seen is the same person. In lengths of the person."""
ALIKE = 0.5
"""Two people of whom one moves this share of what the other does may be confused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """One of the people in a video."""

    number: int
    """The file's own id where it tells people apart; else a number in order of first appearance, from 0."""
    rows: Int[np.ndarray, " m"]
    """Their rows of the table, one a frame, in order of time."""
    moved: float
    """How far their points move along, in lengths of the person."""


def everybody(people: People, *, fps: float, frames: int) -> list[Somebody]:
    """The people of a video, those who move most first, of those who do not those seen longest.

    They are told apart by the file's ids where it has several (one that jumps is split), else by their places, frame by frame.

    Args:
        people: What a detector found.
        fps: Of the video.
        frames: Its length.
    """
    points = _coco(people)
    named = len(np.unique(people.track[people.track >= 0])) > 1
    alone = not named and len(np.unique(people.frame)) == len(people)
    if alone and _stays(points):
        rows = np.argsort(people.frame, kind="stable")
        return [Somebody(number=0, rows=rows, moved=moved(points[rows], people.frame[rows] / fps))]
    tracking = TrackConfig(max_gap=frames, min_frames=1, trust_ids=named, max_cost=BODY_LENGTH if alone else None)
    tracked, report = track_people(people, tracking)
    found = []
    for track in np.unique(tracked.track):
        rows = report.rows[tracked.track == track]
        own = int(people.track[rows[0]])
        number = own if named and own >= 0 else int(track)
        found.append(Somebody(number=number, rows=rows, moved=moved(points[rows], people.frame[rows] / fps)))
    return sorted(found, key=lambda one: (-one.moved, -len(one.rows)))


def choose(people: People, *, fps: float, frames: int, person: int | None = None) -> tuple[People, str]:
    """The rows of the person that a video is about, at most one a frame, and why that is doubtful; empty if it is not.

    That is who moves most, and of people who keep still who is seen longest. Who is seen before or after them near the same
    place, or moves farther than the way there, is taken for the same person.

    Args:
        people: What a detector found.
        fps: Of the video.
        frames: Its length.
        person: The number of the person, where it is known: ``Somebody.number``.
    Raises:
        ValueError: If nobody has this number.
    """
    found = everybody(people, fps=fps, frames=frames)
    if person is not None:
        there = sorted({one.number for one in found})
        if person not in there:
            raise ValueError(
                f"{people.path}: nobody in it has the number {person}; there are: {', '.join(map(str, there[:20]))}"
            )
        return people.take(np.sort(np.concatenate([one.rows for one in found if one.number == person]))), ""
    points, taken, others = _coco(people), found[0].rows, []
    for one in found[1:]:
        together = np.isin(people.frame[one.rows], people.frame[taken]).any()
        if together or _way(points, people.frame, taken, one.rows) > max(BODY_LENGTH, one.moved):
            others.append(one)
        else:
            taken = np.sort(np.concatenate([taken, one.rows]))
    return people.take(taken), _doubt(found[0], len(taken), others, fps)


def moved(points: Float[np.ndarray, "n 17 3"], seconds: Float[np.ndarray, " n"]) -> float:
    """How far one person's points move along, in lengths of the person; standing, sitting and lying are 0 however long.

    Both a walk through the picture and a fall on the spot count: every time that the points have moved by more than ``STILL``
    since they were last counted, that is added.

    Args:
        points: Pixels and confidence; NaN where not found.
        seconds: When, in increasing order.
    """
    places = np.where(points[..., 2:] > SURE, points[..., :2], np.nan)
    starts = np.flatnonzero(np.diff(np.floor(seconds / STEP_SEC), prepend=-1))
    total, last, size = 0.0, np.full((len(COCO17), 2), np.nan), 0.0
    for part in np.split(places, starts[1:]):
        here, extent = _median(part), _extent(part)
        apart = ((here - last) ** 2).sum(axis=1)
        apart = apart[np.isfinite(apart)]
        if not len(apart):  # no point in common: counted from here on
            last, size = (here, extent) if np.isfinite(here).any() else (last, size)
        elif (step := float(np.sqrt(apart.mean())) / max(size, extent, 1.0)) > STILL:
            total, last, size = total + step, here, extent
    return total


def _stays(points: Float[np.ndarray, "n 17 3"]) -> bool:
    """Whether no row is farther than half a length from the one before: then tracking, which is slow, would not part them."""
    places = points[..., :2]
    steps = np.sqrt((np.diff(places, axis=0) ** 2).sum(axis=-1))
    common = np.isfinite(steps)
    mean = np.where(common, steps, 0).sum(axis=1) / np.maximum(common.sum(axis=1), 1)
    return bool(common.any(axis=1).all() and (mean <= 0.5 * BODY_LENGTH * _sides(places)[1:]).all())


def _coco(people: People) -> Float[np.ndarray, "n 17 3"]:
    return np.stack([people.point(name) for name in COCO17], axis=1)


def _median(places: Float[np.ndarray, "n 17 2"]) -> Float[np.ndarray, "17 2"]:
    """Each point's median over some frames; NaN where it was never found."""
    order = np.sort(places, axis=0)  # NaN last
    count = np.isfinite(order).all(axis=-1).sum(axis=0)
    middle = np.maximum(count - 1, 0) // 2
    return np.take_along_axis(order, middle[None, :, None], axis=0)[0]


def _extent(places: Float[np.ndarray, "n 17 2"]) -> float:
    """Longer side of the box around the points of some frames, pixels: their median; 0 where there are none."""
    sides = _sides(places)
    sides = sides[np.isfinite(sides)]
    return float(np.median(sides)) if len(sides) else 0.0


def _sides(places: Float[np.ndarray, "n 17 2"]) -> Float[np.ndarray, " n"]:
    """Longer side of the box around the points of each frame, pixels; not finite where there are none."""
    found = np.isfinite(places)
    high, low = np.where(found, places, -np.inf).max(axis=1), np.where(found, places, np.inf).min(axis=1)
    return (high - low).max(axis=1)


def _way(points: np.ndarray, frame: np.ndarray, taken: np.ndarray, rows: np.ndarray) -> float:
    """How far somebody is found from where another was seen last before, or first after, in lengths of the larger."""
    before, after = taken[frame[taken] < frame[rows[0]]], taken[frame[taken] > frame[rows[-1]]]
    ways = []
    for near, edge in ((before[-1:], rows[:1]), (after[:1], rows[-1:])):
        if len(near):
            pair = points[[near[0], edge[0]]][..., :2]
            middles = np.nanmean(pair, axis=1)
            ways.append(float(np.linalg.norm(middles[0] - middles[1])) / max(_extent(pair[:1]), _extent(pair[1:]), 1.0))
    return min(ways, default=np.inf)


def _doubt(main: Somebody, frames: int, others: list[Somebody], fps: float) -> str:
    """In words, where somebody else may be meant."""

    def described(number: int, moved: float, count: int) -> str:
        return f"{number} ({moved:.1f} body lengths moved, seen {count / fps:.1f} s)"

    rivals = [
        one for one in others if len(one.rows) >= ALIKE * fps and (one.moved >= ALIKE * main.moved or len(one.rows) > frames)
    ]
    if not rivals:
        return ""
    named = " and ".join(described(one.number, one.moved, len(one.rows)) for one in rivals[:3])
    return f"person {described(main.number, main.moved, frames)} is taken, but may be meant: {named}"
