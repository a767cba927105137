"""Tracks matched to annotated people: the same points compared frame by frame, with a penalty for each missed frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from ...sources.people.people import LAYOUTS, People
from ..watch.assign import require_assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One track and the annotated person it was matched to."""

    track: int
    person: int
    """The annotation's own id."""
    cost: float
    """Matching cost, pixels summed over the person's annotated frames."""


def match_tracks(tracks: People, annotations: People, *, miss_px: float, assignment: str = "hungarian") -> tuple[Match, ...]:
    """Match tracks to annotated people.

    The cost of a track T and a person G is the sum over G's frames of ``||T(t) - G(t)||`` where T has the frame, else
    ``miss_px``; the norm is the root of the mean square over the keypoints that both have.

    Args:
        tracks: Tracked detections, each row with an id (``track.track_people``).
        annotations: Annotated people of the same video, each row with a person's id in ``track``.
        miss_px: Penalty of an annotated frame in which the track is absent, pixels.
        assignment: A key of ``assign.ASSIGNMENTS``.
    Returns:
        The matched pairs, sorted by person. A person whose cheapest track costs no less than missing every frame is in none.
    Raises:
        ValueError: If a row has no id, an id occurs twice in a frame, the two tables have no point in common, their
            pictures differ in size, or ``miss_px`` is not positive.
    """
    assign = require_assignment(assignment)
    if not miss_px > 0:
        raise ValueError(f"miss_px must be positive, the pixels a missed frame costs; found {miss_px}")
    _check(tracks, annotations)
    ours, theirs = _common_points(tracks, annotations)
    track_ids, people = np.unique(tracks.track), np.unique(annotations.track)
    cost = np.zeros((len(people), len(track_ids)))
    lengths = np.array([(annotations.track == p).sum() for p in people], int)
    for i, person in enumerate(people):
        rows = np.flatnonzero(annotations.track == person)
        for j, track in enumerate(track_ids):
            total, shared = _distance(tracks.frame, ours, tracks.track == track, annotations.frame[rows], theirs[rows])
            cost[i, j] = total + miss_px * (lengths[i] - shared)
    # Each person has a gate, so people are the columns; a cost equal to missing every frame is no match.
    columns, rows = assign(cost.T, np.nextafter(miss_px * lengths, 0))
    return tuple(
        Match(track=int(track_ids[j]), person=int(people[i]), cost=float(cost[i, j]))
        for i, j in sorted(zip(rows, columns, strict=True))
    )


def _check(tracks: People, annotations: People) -> None:
    for people, what in ((tracks, "track them first (track_people)"), (annotations, "give every annotated person an id")):
        if (people.track < 0).any():
            frame = int(people.frame[np.flatnonzero(people.track < 0)[0]])
            raise ValueError(f"{people.path}: field track: a row of frame {frame} has no id (-1); {what}")
        pairs, counts = np.unique(np.stack([people.frame, people.track], axis=1), axis=0, return_counts=True)
        if (counts > 1).any():
            frame, own = pairs[int(np.argmax(counts > 1))]
            raise ValueError(f"{people.path}: field track: id {own} occurs twice in frame {frame}; one person, one row a frame")
    for side in ("width", "height"):
        one, other = getattr(tracks, side), getattr(annotations, side)
        if one is not None and other is not None and one != other:
            raise ValueError(
                f"{annotations.path}: field {side}: annotated in pictures of {other} pixels, but the tracks of {tracks.path} "
                f"are of {one}; scale the annotations to the video, or annotate this very video"
            )


def _common_points(tracks: People, annotations: People) -> tuple[np.ndarray, np.ndarray]:
    """The (n, k, 2) points of both tables: the keypoints that both have, else the corners of their boxes."""
    if tracks.keypoints2d is not None and annotations.keypoints2d is not None:
        mine, other = LAYOUTS[tracks.layout], LAYOUTS[annotations.layout]
        names = tuple(name for name in mine if name in other)
        if names:
            ours = np.asarray(tracks.keypoints2d[:, [mine.index(n) for n in names], :2], float)
            return ours, np.asarray(annotations.keypoints2d[:, [other.index(n) for n in names], :2], float)
    if tracks.bbox is not None and annotations.bbox is not None:
        return np.asarray(tracks.bbox, float).reshape(-1, 2, 2), np.asarray(annotations.bbox, float).reshape(-1, 2, 2)
    raise ValueError(
        f"{annotations.path}: nothing to compare with {tracks.path}: no keypoint is named in both layouts "
        f"({annotations.layout or 'none'} and {tracks.layout or 'none'}) and not both have boxes (bbox)"
    )


def _distance(
    frames: Int[np.ndarray, " n"], points: np.ndarray, mine: np.ndarray, wanted: Int[np.ndarray, " g"], given: np.ndarray
) -> tuple[float, int]:
    """Sum of the distances over the frames that both have, and their number."""
    rows = np.flatnonzero(mine)
    _, here, there = np.intersect1d(frames[rows], wanted, return_indices=True)
    squares = ((points[rows[here]] - given[there]) ** 2).sum(axis=2)
    seen = np.isfinite(squares)
    both = np.asarray(seen.any(axis=1))
    mean = np.where(seen, squares, 0.0).sum(axis=1)[both] / seen.sum(axis=1)[both]
    return float(np.sqrt(mean).sum()), int(both.sum())
