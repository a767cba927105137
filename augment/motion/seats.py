"""Seats and beds from people's use of them: where somebody sat or lay still, something supported them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ..geometry import heading_vector
from ..types import JOINT, Surface

_SIT, _LIE = (0.30, 0.75), (0.15, 0.90)
"""Range of heights of a seat and of a bed, metres: lower is the floor."""
_PELVIS_ABOVE_SEAT, _BACK_ABOVE_BED = 0.11, 0.11
"""Height of the pelvis above a seat, and of pelvis and spine above a bed, metres: joints lie inside the body."""
_BEND = np.radians(45.0)
"""Least bend of hips and knees of somebody who sits."""
_KNEES_UP = 0.22
"""Least height of a sitter's knees, metres."""
_SQUAT, _OFF_FEET = 0.40, 0.10
"""Below this height of the seat the middle of the body must be this far behind the ankles, metres: else it may be a squat."""
_LEVEL = np.radians(30.0)
"""Largest slope of a lying trunk."""
_STILL = 0.15
"""Largest speed of a resting pelvis, metres a second."""
_LEAST_SECONDS = 1.0
_SEAT_SIZE, _BED_SIZE = (0.50, 0.48), (0.95, 2.0)
"""Assumed width and depth, metres: a body on a surface does not show its extent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    kind: str
    center: np.ndarray
    yaw: float
    seconds: float


def seats_from_people(joints: Sequence[Float[np.ndarray, "_ 24 3"]], fps: float) -> tuple[Surface, ...]:
    """Support surfaces where people rested.

    Args:
        joints: For each person SMPL's joints, world, metres, the floor at y = 0; frames in which nobody was seen are NaN.
        fps: Frames a second.
    Returns:
        Chairs, where a pelvis kept still for a second at sitting height with hips and knees bent, and beds, where a level
        trunk lay still above the floor (a mattress on the floor is a bed of its own height). Repeated rests at one place are
        one surface; the longest used come first. Extents are assumed, not measured.
    Raises:
        ValueError: If the rate is not positive.
    """
    if not fps > 0:
        raise ValueError(f"fps must be positive; got {fps}")
    rests = [rest for person in joints for rest in _rests(np.asarray(person, float), fps)]
    groups: list[list[_Rest]] = []
    for rest in sorted(rests, key=lambda r: -r.seconds):
        reach = 0.45 if rest.kind == "chair" else 0.9
        home = next((g for g in groups if g[0].kind == rest.kind and _distance(g[0], rest) < reach), None)
        if home is None:
            groups.append([rest])
        else:
            home.append(rest)
    beds = [g[0] for g in groups if g[0].kind == "bed"]
    # sitting on the edge of a bed is no chair
    kept = [g for g in groups if g[0].kind == "bed" or not any(_on_bed(g[0], bed) for bed in beds)]
    kept.sort(key=lambda g: -sum(r.seconds for r in g))
    return tuple(_surface(group) for group in kept)


def _distance(a: _Rest, b: _Rest) -> float:
    return float(np.linalg.norm((a.center - b.center)[[0, 2]]))


def _on_bed(seat: _Rest, bed: _Rest) -> bool:
    away = (seat.center - bed.center)[[0, 2]]
    along = heading_vector(bed.yaw)[[0, 2]]
    lengthwise = abs(float(away @ along))
    across = float(np.sqrt(max(0.0, away @ away - lengthwise**2)))
    level = abs(seat.center[1] - bed.center[1]) < 0.25
    return bool(level and lengthwise < _BED_SIZE[1] / 2 + 0.1 and across < _BED_SIZE[0] / 2 + 0.25)


def _rests(person: np.ndarray, fps: float) -> list[_Rest]:
    seen = np.asarray(np.isfinite(person).all(axis=(1, 2)))
    speed = _pelvis_speed(person, seen, fps)
    found = []
    for kind, posture in (("chair", sitting(person)), ("bed", lying(person))):
        for stretch in _runs(seen & posture & (speed < _STILL), gap=round(0.2 * fps)):
            if len(stretch) >= _LEAST_SECONDS * fps:
                found.append(_rest(kind, person[stretch], len(stretch) / fps))
    return found


def _pelvis_speed(person: np.ndarray, seen: np.ndarray, fps: float) -> np.ndarray:
    """Metres a second over about a third of a second, against jitter."""
    span = max(1, round(fps / 6))
    pelvis = np.where(seen[:, None], person[:, JOINT["pelvis"]], np.nan)
    index = np.arange(len(pelvis))
    before, after = np.maximum(index - span, 0), np.minimum(index + span, len(pelvis) - 1)
    speed = np.linalg.norm(pelvis[after] - pelvis[before], axis=1) * fps / np.maximum(after - before, 1)
    return np.where(np.isfinite(speed), speed, np.inf)


def _runs(mask: Bool[np.ndarray, " t"], gap: int) -> list[np.ndarray]:
    """Stretches of True, gaps of up to ``gap`` frames bridged; the indices that are True."""
    true = np.flatnonzero(mask)
    return [part for part in np.split(true, np.flatnonzero(np.diff(true) > gap + 1) + 1) if len(part)]


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norm = np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-9)
    return np.arccos(np.clip((a * b).sum(axis=-1) / norm, -1, 1))


def _trunk(person: np.ndarray) -> np.ndarray:
    return person[:, JOINT["neck"]] - person[:, JOINT["pelvis"]]


def sitting(person: Float[np.ndarray, "t 24 3"]) -> Bool[np.ndarray, " t"]:
    """Pelvis at sitting height, hips and knees bent, trunk up; neither kneeling nor squatting.

    Kneeling has the knees on the floor; squatting has the middle of the body low and over the feet.
    """
    height = person[:, JOINT["pelvis"], 1] - _PELVIS_ABOVE_SEAT
    bent = np.ones(len(person), bool)
    for part in ("hip", "knee"):
        bends = []
        for side in ("left", "right"):
            hip, knee, ankle = (person[:, JOINT[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
            bends.append(_angle(-_trunk(person), knee - hip) if part == "hip" else _angle(knee - hip, ankle - knee))
        bent &= np.mean(bends, axis=0) > _BEND
    upright = _angle(_trunk(person), np.array([0.0, 1.0, 0.0])) < np.radians(55)
    knees = person[:, [JOINT["left_knee"], JOINT["right_knee"]], 1].mean(axis=1) > _KNEES_UP
    ankles = person[:, [JOINT["left_ankle"], JOINT["right_ankle"]]].mean(axis=1)
    facing = np.cross(person[:, JOINT["left_hip"]] - person[:, JOINT["right_hip"]], [0.0, 1.0, 0.0])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)
    off_feet = ((ankles - person.mean(axis=1)) * facing).sum(axis=1) > _OFF_FEET
    off_feet |= height > _SQUAT
    knees &= off_feet
    return np.asarray((height >= _SIT[0]) & (height <= _SIT[1]) & bent & upright & knees)


def lying(person: Float[np.ndarray, "t 24 3"]) -> Bool[np.ndarray, " t"]:
    """Trunk level, and higher than on the floor."""
    height = person[:, [JOINT["pelvis"], JOINT["spine2"]], 1].mean(axis=1) - _BACK_ABOVE_BED
    slope = np.abs(np.pi / 2 - _angle(_trunk(person), np.array([0.0, 1.0, 0.0])))
    return np.asarray((slope < _LEVEL) & (height >= _LIE[0] - 0.02) & (height <= _LIE[1]))


def _rest(kind: str, person: np.ndarray, seconds: float) -> _Rest:
    middle = person.mean(axis=0)
    pelvis, neck = middle[JOINT["pelvis"]], middle[JOINT["neck"]]
    if kind == "chair":
        across = middle[JOINT["left_hip"]] - middle[JOINT["right_hip"]]
        # facing = across x up
        facing = np.cross(across, [0.0, 1.0, 0.0])
        height = pelvis[1] - _PELVIS_ABOVE_SEAT
    else:
        facing = neck - pelvis
        height = float(np.mean([pelvis[1], middle[JOINT["spine2"]][1]])) - _BACK_ABOVE_BED
    # a lying body's middle is about at the pelvis, too
    center = np.array([pelvis[0], height, pelvis[2]])
    return _Rest(kind=kind, center=center, yaw=float(np.arctan2(facing[0], facing[2])), seconds=seconds)


def _surface(group: Sequence[_Rest]) -> Surface:
    weight = np.array([rest.seconds for rest in group])
    center = np.average([rest.center for rest in group], axis=0, weights=weight)
    # a bed is used from either end; the longest rest decides, others are turned to it
    turn = np.array([np.exp(1j * rest.yaw) for rest in group])
    lead = turn[int(np.argmax(weight))]
    if group[0].kind == "bed":
        turn = np.where((turn * np.conj(lead)).real < 0, -turn, turn)
    size = _SEAT_SIZE if group[0].kind == "chair" else _BED_SIZE
    return Surface(kind=group[0].kind, center=center, size=size, yaw=float(np.angle((weight * turn).sum())))
