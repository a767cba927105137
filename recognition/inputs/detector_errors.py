"""A real detector's errors added to true keypoints: drift, misplaced, swapped and lost points, and confidences.

``MEDIAPIPE_UPFALL`` holds what ``benchmarks/truth/detector_noise.py`` measured. All lengths are shares of the person's extent
in the picture (the long side of the box around the points), so they hold at any distance.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from augment.sources.people.people import LAYOUTS
from augment.types import Segment

GROUPS: dict[str, tuple[str, ...]] = {
    "foot": ("ankle", "heel", "foot", "toe"),
    "knee": ("knee",),
    "hand": ("wrist", "pinky", "index", "thumb", "hand"),
    "elbow": ("elbow",),
    "shoulder": ("shoulder", "neck", "collar", "spine3"),
    "hip": ("hip", "pelvis", "spine"),
    "head": ("nose", "eye", "ear", "mouth", "head"),
}
"""Parts of the body with errors of their own, and words in the names of their points; the first match counts."""

STATES: dict[str, tuple[str, ...]] = {
    "still": ("standing", "sitting", "lying", "kneeling", "squatting"),
    "moving": ("walk", "jump", "other", "sit_down", "stand_up", "lie_down", "kneel_down", "squat_down", "crawl"),
    "falling": ("fall",),
    "fallen": ("fallen",),
}
"""Frame labels whose errors are alike."""

ERROR_BINS: tuple[float, ...] = (0.0, 0.02, 0.05, 0.10, np.inf)
"""Bins of errors, each with its own distribution of the confidence."""
QUANTILES: tuple[float, ...] = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorNoise:
    """Errors of a detector; spreads are standard deviations of one coordinate without the tails."""

    lasting: dict[str, float]
    """By part: spread of the error that lasts through a recording."""
    changing: dict[str, dict[str, float]]
    """By state, then part: spread of the error that changes."""
    shared: dict[str, float]
    """By state: spread of the error that all points share."""
    correlation_sec: dict[str, float]
    """By state: seconds after which the changing part has fallen to 1/e."""
    misplaced: dict[str, dict[str, float]]
    """By state, then part: share of the points off by more than a tenth of the extent."""
    misplaced_by: float
    """Median error of misplaced points along one coordinate."""
    misplaced_sec: dict[str, float]
    """By state: mean duration of a misplacement, seconds."""
    lost_per_sec: dict[str, float]
    """By state: rate at which the whole person is lost though in the picture."""
    lost_sec: dict[str, tuple[float, ...]]
    """By state: observed durations of losses, from which they are drawn, seconds."""
    swaps_per_sec: dict[str, float]
    """By state: rate of exchanges of left and right."""
    swap_sec: float
    """Mean duration of an exchange, seconds."""
    confidence: tuple[tuple[float, ...], ...]
    """For each of ``ERROR_BINS``: the confidence's quantiles at ``QUANTILES``."""
    confidence_outside: tuple[float, ...]
    """The same for points outside the picture, which the detector guesses."""
    unseen: float
    """Factor on errors where a point is not visible."""


MEDIAPIPE_UPFALL = DetectorNoise(
    lasting={
        "head": 0.002, "shoulder": 0.019, "elbow": 0.020, "hand": 0.012, "hip": 0.021, "knee": 0.015, "foot": 0.022,
    },
    changing={
        "still": {
            "head": 0.0026, "shoulder": 0.0055, "elbow": 0.0074, "hand": 0.0068, "hip": 0.0059, "knee": 0.0083, "foot": 0.0068,
        },
        "moving": {
            "head": 0.0026, "shoulder": 0.0094, "elbow": 0.0144, "hand": 0.0148, "hip": 0.0135, "knee": 0.0136, "foot": 0.0217,
        },
        "falling": {
            "head": 0.010, "shoulder": 0.030, "elbow": 0.048, "hand": 0.051, "hip": 0.032, "knee": 0.056, "foot": 0.097,
        },
        "fallen": {
            "head": 0.019, "shoulder": 0.059, "elbow": 0.092, "hand": 0.056, "hip": 0.030, "knee": 0.045, "foot": 0.047,
        },
    },
    shared={"still": 0.005, "moving": 0.0085, "falling": 0.015, "fallen": 0.012},
    correlation_sec={"still": 1.2, "moving": 0.19, "falling": 0.15, "fallen": 3.6},
    misplaced={
        "still": {"head": 0.0, "shoulder": 0.0, "elbow": 0.0006, "hand": 0.004, "hip": 0.0, "knee": 0.0002, "foot": 0.0001},
        "moving": {
            "head": 0.010, "shoulder": 0.008, "elbow": 0.009, "hand": 0.052, "hip": 0.014, "knee": 0.019, "foot": 0.023,
        },
        "falling": {"head": 0.023, "shoulder": 0.07, "elbow": 0.13, "hand": 0.21, "hip": 0.10, "knee": 0.22, "foot": 0.37},
        "fallen": {"head": 0.095, "shoulder": 0.14, "elbow": 0.25, "hand": 0.28, "hip": 0.093, "knee": 0.23, "foot": 0.22},
    },
    misplaced_by=0.17,
    misplaced_sec={"still": 0.16, "moving": 0.13, "falling": 0.14, "fallen": 0.62},
    lost_per_sec={"still": 0.0, "moving": 0.027, "falling": 0.27, "fallen": 0.062},
    lost_sec={
        "still": (0.056,), "moving": (0.056, 0.056, 0.22, 0.28, 0.39, 0.5, 0.72, 0.89),
        "falling": (0.056, 0.056, 0.056, 0.056, 0.056, 0.11), "fallen": (0.056, 0.056, 0.056, 0.056, 0.11, 0.17, 5.3),
    },
    swaps_per_sec={"still": 0.0, "moving": 0.0034, "falling": 0.13, "fallen": 0.035},
    swap_sec=0.15,
    confidence=(
        (0.08, 0.36, 0.80, 0.98, 0.998, 0.999), (0.05, 0.17, 0.47, 0.89, 0.99, 0.998),
        (0.03, 0.08, 0.18, 0.45, 0.83, 0.98), (0.03, 0.08, 0.21, 0.38, 0.79, 0.996),
    ),
    confidence_outside=(0.09, 0.20, 0.40, 0.59, 0.92, 0.99),
    unseen=2.0,
)  # fmt: skip
"""MediaPipe Pose (full model, tracking) on UP-Fall, 22 recordings with two views, 18 frames a second: statistics only.

Taken as measured but for falls: ``shared`` came out as 0.069 falling and 0.019 fallen with the cameras' own geometry (which is
four fifths of it when upright and is taken out there), 0.033 and 0.040 without; the cameras are some tenths of a frame apart,
which in a fall looks like an error, so less is set. ``changing`` and ``misplaced`` count the same tails twice where a part is
mostly tail. ``swap_sec``, ``unseen`` (errors at visibility below 0.2 against above 0.95) and the label-to-state map are coarse.
"""


@functools.cache
def group_of(name: str) -> str:
    """The part of ``GROUPS`` a point of any layout belongs to."""
    return next((part for part, words in GROUPS.items() if any(word in name for word in words)), "head")


def states_of(segments: tuple[Segment, ...], *, frames: int, fps: float) -> list[str]:
    """Key of ``STATES`` for each frame of labelled video; ``moving`` where there is no label."""
    states = ["moving"] * frames
    for segment in segments:
        name = next((state for state, labels in STATES.items() if segment.label in labels), "moving")
        for frame in range(max(round(segment.start_sec * fps), 0), min(round(segment.end_sec * fps), frames)):
            states[frame] = name
    return states


def spoil_keypoints(
    truth2d: Float[np.ndarray, "t k 2"],
    visible: Bool[np.ndarray, "t k"],
    *,
    rng: np.random.Generator,
    layout: str,
    fps: float,
    size: tuple[int, int],
    states: list[str] | None = None,
    noise: DetectorNoise = MEDIAPIPE_UPFALL,
    strength: float = 1.0,
) -> Float[np.ndarray, "t k 3"]:
    """Detections of the true points with the detector's errors.

    Args:
        truth2d: True points, pixels; NaN behind the camera.
        visible: Whether the camera sees each (inside the picture and not hidden).
        layout: Key of ``LAYOUTS`` that names the points.
        size: Width and height of the picture.
        states: Key of ``STATES`` for each frame (``states_of``); all ``moving`` when None.
        noise: The detector.
        strength: Errors are this many times as large.
    Returns:
        u, v, confidence; NaN frames where the person was lost, and for OpenPose, NaN points where it is unsure.
    """
    names, frames = LAYOUTS[layout], len(truth2d)
    states = states or ["moving"] * frames
    extent = _extent(truth2d)
    parts = [group_of(name) for name in names]
    kinds, which = np.unique(states, return_inverse=True)
    waves = unit_waves(frames, len(names), states, fps, noise, rng=rng)
    spread = np.array([[noise.changing[state][part] for part in parts] for state in kinds])[which]
    # Where most of a part is misplaced, its spread contains that already: do not add it twice.
    spread = np.minimum(spread, 0.05)
    error = spread[..., None] * waves + rng.normal(size=(len(names), 2)) * [[noise.lasting[p]] * 2 for p in parts]
    error += np.array([noise.shared[s] for s in states])[:, None, None] * unit_waves(frames, 1, states, fps, noise, rng=rng)
    error *= np.where(visible, 1.0, noise.unseen)[..., None]
    error += _misplacements(names, states, fps, noise, rng=rng)
    error *= strength
    confidence = _confidence(np.abs(error).max(-1), truth2d, visible, size, fps, noise, rng=rng)
    points = _swapped(truth2d, names, states, fps, noise, rng=rng) + error * extent[:, None, None]
    result = np.concatenate([points, confidence[..., None]], axis=-1)
    if layout == "openpose25":
        result[confidence < 0.1] = np.nan
    result[_lost(truth2d, size, states, fps, noise, rng=rng)] = np.nan
    return result


def _extent(points: np.ndarray) -> np.ndarray:
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    return (high - low).max(axis=-1)


def unit_waves(frames: int, count: int, states: list[str], fps: float, noise: DetectorNoise, *, rng: np.random.Generator):
    """Unit noise (t, count, 2) that changes as fast as the state says.

    Still people get a smooth wave: the detector's own filter holds points that do not move (frame-to-frame noise measured:
    0.0001 of the extent). Moving ones get a first-order autoregression, which has the measured jitter by itself.
    """
    seconds = np.array([noise.correlation_sec[state] for state in states])
    keep = np.exp(-1.0 / (seconds * fps))
    fast = rng.normal(size=(frames, count, 2))
    fresh, flat = np.sqrt(1 - keep**2), fast.reshape(frames, -1)
    for frame in range(1, frames):
        flat[frame] = keep[frame] * flat[frame - 1] + fresh[frame] * flat[frame]
    width = float(np.median(seconds[seconds > 1.0])) / 2 * fps if (seconds > 1.0).any() else fps
    slow = gaussian_filter1d(rng.normal(size=(frames + round(8 * width), count, 2)), width, axis=0)
    slow = slow[round(4 * width) :][:frames] * np.sqrt(2 * np.sqrt(np.pi) * width)
    share = np.clip(gaussian_filter1d((seconds < 1.0).astype(float), 0.1 * fps), 0.0, 1.0)[:, None, None]
    return np.sqrt(share) * fast + np.sqrt(1 - share) * slow


def _stretches(rate: np.ndarray, seconds: np.ndarray, fps: float, *, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Frames [start, end) of events that begin ``rate`` (t,) times a second and last ``seconds`` (t,) on average."""
    starts = (rng.random(len(rate)) < rate / fps).nonzero()[0]
    lengths = [1 + round(float(rng.exponential(max(seconds[start] * fps - 1, 1e-6)))) for start in starts]
    return [(int(start), min(int(start) + length, len(rate))) for start, length in zip(starts, lengths, strict=True)]


def _misplacements(names, states: list[str], fps: float, noise: DetectorNoise, *, rng: np.random.Generator) -> np.ndarray:
    """Gross errors (t, k, 2), shared by a hand and its fingers, and by a foot and its heel."""
    error = np.zeros((len(states), len(names), 2))
    kinds, which = np.unique(states, return_inverse=True)
    each = np.array([noise.misplaced_sec[state] for state in kinds])
    seconds = each[which]
    rates = {part: np.array([noise.misplaced[state][part] for state in kinds]) / each for part in GROUPS}
    for part, members in limbs_of(tuple(names)):
        for start, end in _stretches(rates[part][which], seconds, fps, rng=rng):
            angle, far = rng.uniform(0, 2 * np.pi), noise.misplaced_by * np.sqrt(2) * np.exp(0.35 * rng.normal())
            error[start:end, members] += far * np.array([np.cos(angle), np.sin(angle)])
    return error


@functools.cache
def limbs_of(names: tuple[str, ...]) -> list[tuple[str, list[int]]]:
    """Points that are misplaced together, with the part they belong to: a hand with its fingers, a foot with its heel."""
    limbs: dict[tuple[str, str], list[int]] = {}
    for index, name in enumerate(names):
        limbs.setdefault((name.replace("smpl_", "").partition("_")[0], group_of(name)), []).append(index)
    return [(part, members) for (_, part), members in limbs.items()]


def _swapped(truth2d, names, states: list[str], fps: float, noise: DetectorNoise, *, rng: np.random.Generator) -> np.ndarray:
    """The points with left and right exchanged in some stretches."""
    other = [names.index(_mirrored(name)) for name in names]
    rate = np.array([noise.swaps_per_sec[state] for state in states])
    points = truth2d.copy()
    for start, end in _stretches(rate, np.full(len(states), noise.swap_sec), fps, rng=rng):
        points[start:end] = truth2d[start:end][:, other]
    return points


def _mirrored(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def _confidence(error, truth2d, visible, size, fps: float, noise: DetectorNoise, *, rng: np.random.Generator) -> np.ndarray:
    """Confidence (t, k) drawn from the real detector's at errors of this size; it changes over about a second."""
    from scipy.special import ndtr

    width = 0.5 * fps
    wave = gaussian_filter1d(rng.normal(size=(len(error) + round(8 * width), error.shape[1])), width, axis=0)
    chance = ndtr(wave[round(4 * width) :][: len(error)] * np.sqrt(2 * np.sqrt(np.pi) * width))
    bins = np.digitize(error, ERROR_BINS[1:-1])
    inside = (truth2d > 0).all(-1) & (truth2d < np.array(size)).all(-1)
    bins[~visible & inside] = len(noise.confidence) - 1
    tables = np.array([*noise.confidence, noise.confidence_outside])
    bins[~inside] = len(tables) - 1
    grid, result = np.array([0.0, *QUANTILES, 1.0]), np.zeros(error.shape)
    for row, table in enumerate(tables):
        mine = bins == row
        result[mine] = np.interp(chance[mine], grid, [0.0, *table, 1.0])
    return result


def _lost(truth2d, size, states: list[str], fps: float, noise: DetectorNoise, *, rng: np.random.Generator) -> np.ndarray:
    """Frames (t,) without anybody: by chance, and when little of the person is left in the picture."""
    inside = ((truth2d > 0).all(-1) & (truth2d < np.array(size)).all(-1)).mean(axis=1)
    lost = inside < 0.3
    rate = np.array([noise.lost_per_sec[state] for state in states])
    for start in np.flatnonzero(rng.random(len(states)) < rate / fps):
        lost[start : start + max(1, round(float(rng.choice(noise.lost_sec[states[start]])) * fps))] = True
    return lost
