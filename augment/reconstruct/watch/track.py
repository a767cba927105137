"""Multi-object tracking: detections of single frames associated into tracks through gaps, every dropped row counted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from ...sources.people.people import PERSON_CLASSES, People
from .assign import Assigner, require_assignment
from .places import EXTENTS, METRES, Places, cost_matrix, middles_of, places_of

DEFAULT_GATE: dict[str, float] = {METRES: 0.8, EXTENTS: 0.5}
"""``TrackConfig.max_cost`` where none is given, by the unit of the cost. A walker moves 0.1 m or 0.05 extents a frame; the rest
is for fast falls, for the estimators' error in depth, and for frames between detections."""
DEFAULT_DUPLICATE: dict[str, float] = {METRES: 0.12, EXTENTS: 0.06}
"""``TrackConfig.duplicate`` where none is given: how far one detector's points differ when it finds somebody twice."""
CLASS_WEIGHT = 0.3
"""Cost of a class probability that differs by one, in the cost's own unit; only where the source gives classes."""
GATE_GROWTH = 0.1
"""The gate widens by this share of itself with every frame missed."""
WIDEST_GATE = 2.5
"""Largest width of a gate, as a multiple of its initial width."""
MAX_JUMP = 1.0
"""Under ``trust_ids``: body lengths a frame that one person can move at most."""
_BODY_LENGTH: dict[str, float] = {METRES: 1.7, EXTENTS: 1.0}
_MEMORY = 8
"""Frames over which the velocity of a track is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackConfig:
    """How detections become tracks. Costs are in metres where places in space are known, else in body extents.

    ``places.places_of`` says which.
    """

    assignment: str = "hungarian"
    """``hungarian`` (least total cost in a frame) or ``greedy`` (the cheapest pair first, then the cheapest of the rest)."""
    max_cost: float | None = None
    """Largest cost of two detections of one person; None takes ``DEFAULT_GATE`` of the unit."""
    max_gap: int = 30
    """A track that is not seen for more frames is closed; 0 closes it at once."""
    damping: float = 0.9
    """A track continues at its last velocity, multiplied by this with every frame; 0 leaves it where it was last seen."""
    min_frames: int = 5
    """A track of fewer detections is dropped, and counted."""
    duplicate: float | None = None
    """Two detections of a frame closer than this are one person; None takes ``DEFAULT_DUPLICATE`` of the unit, 0 keeps all."""
    trust_ids: bool = False
    """Keep the producer's own ids where it gives them; one that jumps is split. Rows without an id are tracked as usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Association:
    """How detections are assigned to open tracks."""

    assign: Assigner
    gate: float
    """Largest cost of two detections of one person."""
    gate_growth: float
    """Share by which the gate widens with every frame missed."""
    widest: float
    """Largest width of a gate, as a multiple of its initial width."""
    class_weight: float
    max_gap: int
    damping: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReport:
    """Counts of what tracking kept, bridged and dropped."""

    unit: str
    """Unit of the cost: ``metres`` or ``body extents``."""
    detections: int
    """Rows of the input."""
    tracks: int
    """Tracks kept; their ids are 0 .. tracks - 1 in order of first appearance."""
    gaps: int
    """Gaps bridged in kept tracks."""
    gap_frames: int
    """Frames in those gaps, over all tracks."""
    duplicates: int
    """Rows dropped as duplicates of a person in one frame."""
    short_tracks: int
    """Tracks dropped for fewer than ``min_frames`` detections."""
    short_rows: int
    """Rows in the dropped tracks."""
    unplaceable: int
    """Rows dropped because no point of them is finite."""
    split_ids: int
    """Producer's ids that held more than one person and were split, under ``trust_ids``."""
    rows: Int[np.ndarray, " m"]
    """Rows of the input behind the rows of the result, in the result's order."""


@dataclass(slots=True)
class _Track:
    row: int
    frame: int
    past: deque[tuple[int, np.ndarray]]

    def shift(self, frame: int, damping: float) -> np.ndarray:
        """Predicted displacement since the track was last seen."""
        (first, here), (last, there) = self.past[0], self.past[-1]
        if last == first or damping == 0:
            return np.zeros_like(here)
        steps = frame - last
        travelled = float(steps) if damping == 1 else damping * (1 - damping**steps) / (1 - damping)
        return (there - here) / (last - first) * travelled


def track_people(
    people: People, config: TrackConfig | None = None, *, joints: Float[np.ndarray, "n 24 3"] | None = None
) -> tuple[People, TrackReport]:
    """Give every detection a track id.

    Frame by frame, detections are assigned to the open tracks, predicted for this frame at their last velocity, by
    ``||P_points - Q_points|| + CLASS_WEIGHT * ||P_class - Q_class||_inf`` (distance: root of the mean square over the points
    both have). Detections without a track start a new one.

    Args:
        people: Detections of one video, in any order of rows.
        config: Options; the default ones where None.
        joints: SMPL joints of the rows, camera frame, metres; see ``places.places_of``.
    Returns:
        The rows that were kept, sorted by frame and track, ``track`` holding ids from 0 in order of first appearance; and
        the counts. Neither depends on the order of the rows within a frame, nor on the ids given (unless trusted).
    Raises:
        ValueError: If an option is out of range or the table holds nothing to track by.
    """
    config = check_config(config or TrackConfig())
    places = places_of(people, joints)
    placeable = places.weight.any(axis=1) & (places.scale > 0)
    order = _canonical_order(people.frame, places)
    order = order[placeable[order]]
    limit = DEFAULT_DUPLICATE[places.unit] if config.duplicate is None else config.duplicate
    rows = _without_duplicates(order, people.frame, places, limit)
    ids, splits = np.full(len(people), -1), 0
    trusted = (people.track[rows] >= 0) & config.trust_ids
    association = _Association(
        assign=require_assignment(config.assignment),
        gate=DEFAULT_GATE[places.unit] if config.max_cost is None else config.max_cost,
        gate_growth=GATE_GROWTH, widest=WIDEST_GATE, class_weight=CLASS_WEIGHT, max_gap=config.max_gap, damping=config.damping,
    )  # fmt: skip
    fresh = _follow(rows[~trusted], people.frame, places, association, ids, 0)
    within = _within_id(association, places.unit)
    for own in np.unique(people.track[rows[trusted]]):
        group, before = rows[trusted & (people.track[rows] == own)], fresh
        fresh = _follow(group, people.frame, places, within, ids, fresh)
        splits += fresh - before > 1
    lengths = np.bincount(ids[rows], minlength=fresh)
    long = rows[lengths[ids[rows]] >= config.min_frames]
    ids = _by_first_appearance(long, ids)
    long = long[np.lexsort((ids[long], people.frame[long]))]
    kept = replace(people.take(long), track=ids[long])
    steps = [np.diff(kept.frame[kept.track == t]) for t in range(int(ids.max()) + 1)]
    missed = np.concatenate([*steps, np.ones(1, int)]) - 1
    return kept, TrackReport(
        unit=places.unit, detections=len(people), tracks=len(steps), gaps=int((missed > 0).sum()), gap_frames=int(missed.sum()),
        duplicates=len(order) - len(rows), short_tracks=int((lengths < config.min_frames).sum()),
        short_rows=len(rows) - len(long), unplaceable=int((~placeable).sum()), split_ids=int(splits), rows=long,
    )  # fmt: skip


def vote_class(people: People) -> tuple[str, float]:
    """The class of one track: the one with the highest mean log-probability over its rows (the first of equals).

    Returns:
        One of ``PERSON_CLASSES`` and the share of rows that by themselves give it the highest probability; ``person`` and 0
        where the source gives no classes.
    """
    if people.class_probabilities is None:
        return "person", 0.0
    given = np.asarray(people.class_probabilities, float)
    given = given[np.isfinite(given).all(axis=1) & (given.sum(axis=1) > 0)]
    if not len(given):
        return "person", 0.0
    # Probabilities are clipped from below, so that one row cannot rule a class out.
    score = np.log(np.clip(given / given.sum(axis=1, keepdims=True), 0.01, 1.0)).mean(axis=0).round(9)
    best = int(np.argmax(score))
    return PERSON_CLASSES[best], float((given[:, best] >= given.max(axis=1)).mean())


def check_config(config: TrackConfig) -> TrackConfig:
    """Refuse options out of range.

    Raises:
        ValueError: Naming the option, what was expected and what was found.
    """
    require_assignment(config.assignment)
    for name in ("max_gap", "max_cost", "duplicate"):
        value = getattr(config, name)
        if value is not None and not value >= 0:
            raise ValueError(f"{name} must not be negative; found {value}")
    if not 0 <= config.damping <= 1:
        raise ValueError(f"damping must lie in 0..1; found {config.damping}")
    if config.min_frames < 1:
        raise ValueError(f"min_frames must be at least 1; found {config.min_frames}")
    return config


def _follow(
    rows: np.ndarray, frame: np.ndarray, places: Places, association: _Association, ids: np.ndarray, fresh: int
) -> int:  # fmt: skip
    """Track the rows (in time order), writing ids from ``fresh`` on; returns the next free id."""
    middles = middles_of(places.points)
    open_tracks: dict[int, _Track] = {}
    starts = np.flatnonzero(np.diff(frame[rows], prepend=-1))
    for here in np.split(rows, starts[1:]) if len(rows) else ():
        now = int(frame[here[0]])
        open_tracks = {i: t for i, t in open_tracks.items() if now - t.frame - 1 <= association.max_gap}
        numbers, left = list(open_tracks), np.ones(len(here), bool)
        if numbers:
            tracks = [open_tracks[i] for i in numbers]
            shifts = np.stack([t.shift(now, association.damping) for t in tracks])
            previous = np.array([t.row for t in tracks])
            cost = cost_matrix(places, here, previous, shifts, class_weight=association.class_weight)
            missed = np.array([now - t.frame - 1 for t in tracks])
            gates = association.gate * np.minimum(1 + association.gate_growth * missed, association.widest)
            # The wider gate of a missed track must not give it priority over a track that was not missed.
            taken, columns = association.assign(np.where(cost <= gates, cost, np.inf), np.full(len(tracks), gates.max()))
            for row, column in zip(here[taken], columns, strict=True):
                track = tracks[column]
                track.row, track.frame = int(row), now
                track.past.append((now, middles[row]))
                while now - track.past[0][0] > _MEMORY and len(track.past) > 2:
                    track.past.popleft()
                ids[row] = numbers[column]
            left[taken] = False
        for row in here[left]:
            open_tracks[fresh] = _Track(int(row), now, deque([(now, middles[row])]))
            ids[row] = fresh
            fresh += 1
    return fresh


def _within_id(association: _Association, unit: str) -> _Association:
    """Association of the rows of one trusted id: one person, unless they move faster than anybody can."""
    # A gate that grows by itself with every frame missed is a limit on the speed.
    return replace(
        association, gate=MAX_JUMP * _BODY_LENGTH[unit], gate_growth=1.0, widest=np.inf, class_weight=0.0, max_gap=10**9,
        damping=0.0,
    )  # fmt: skip


def _without_duplicates(order: np.ndarray, frame: np.ndarray, places: Places, limit: float) -> np.ndarray:
    keep = np.ones(len(order), bool)
    for here in np.split(np.arange(len(order)), np.flatnonzero(np.diff(frame[order])) + 1) if limit else ():
        if len(here) < 2:
            continue
        close = cost_matrix(places, order[here], order[here], class_weight=0.0) < limit
        ranked = np.argsort(-places.quality[order[here]], kind="stable")
        for position, one in enumerate(ranked):
            if keep[here[one]]:
                worse = ranked[position + 1 :]
                keep[here[worse[close[one, worse]]]] = False
    return order[keep]


def _canonical_order(frame: np.ndarray, places: Places) -> Int[np.ndarray, " n"]:
    """Rows by frame, within it by where they are, so that the result does not depend on the detector's order."""
    return np.lexsort((-places.quality, *np.nan_to_num(middles_of(places.points)).T[::-1], frame))


def _by_first_appearance(rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
    result = np.full(len(ids), -1)
    old, first = np.unique(ids[rows], return_index=True)
    for new, i in enumerate(old[np.argsort(first, kind="stable")]):
        result[ids == i] = new
    return result
