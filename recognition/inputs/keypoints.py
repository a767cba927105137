"""Input `keypoints`: one person's 2D points in a window, moved and scaled to a common place and size.

Real ones come from a file of a detector's results; synthetic ones are the true ones, with a real detector's errors added
(``detector_errors``), so that a network does not learn to tell films by their exactness.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from augment.files import DAMAGED_NPZ, npz_arrays
from augment.sources.people.keypoints import read_keypoints
from augment.sources.people.people import COCO17, People

from ..recordings import Recording, place_digest
from ..windows import Window
from .detector_errors import spoil_keypoints, states_of
from .kept import KeptArrays
from .stated import picture_size
from .who import SURE, choose

MIRRORED = tuple(
    COCO17.index(name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")) for name in COCO17
)
"""Index of each point's counterpart on the body's other side."""
VARIANTS = 2
"""Drawings of a detector's errors of each synthetic recording."""


@dataclass(slots=True)
class KeypointStore:
    """Keypoints of recordings, read on first use and held in memory (2 kB a second of video)."""

    folder: Path | None
    """Where synthetic ones with their errors are kept, for the other processes of a study; None: nowhere."""
    size: int
    """Not used: keypoints have no picture size."""
    frames: int
    """Times in a window."""
    window_sec: float
    room_gb: float | None = None
    """Disk that the kept files may take, 1e9 bytes; None: no limit."""
    arrays: KeptArrays = field(init=False)
    """Synthetic ones."""
    read: dict[str, Float32[np.ndarray, "t 17 3"]] = field(default_factory=dict)
    """Real ones, by the recording's name and place."""

    def __post_init__(self) -> None:
        self.arrays = KeptArrays(self.folder, self.room_gb)

    def get(self, recording: Recording) -> list[Float32[np.ndarray, "t 17 3"]]:
        """COCO's points of one person in every frame, gaps filled with confidence 0: once for a real recording, ``VARIANTS``
        times, with other errors, for a synthetic one.

        Raises:
            ValueError: If there are no keypoints, they cannot be read, belong to another video, or show nobody; or if the video
                is there and is none.
        """
        key = f"{recording.name}|{recording.place}"
        if recording.is_synthetic:
            return list(self.arrays.get(key, functools.partial(_facts, recording), functools.partial(_variants, recording)))
        if key not in self.read:
            self.read[key] = _detected(recording)
        return [self.read[key]]

    def plain(self, recording: Recording, window: Window) -> Float32[Tensor, "3 t 17"]:
        """A window: x and y relative to the person's middle, in shares of its size, and confidence."""
        variants = self.get(recording)
        which = int(window.middle_sec * 1e3) % len(variants)
        return torch.from_numpy(_tensor(normalized(self._cut(variants[which], recording, window, speed=1.0))))

    def augmented(self, recording: Recording, window: Window, *, rng: np.random.Generator) -> Float32[Tensor, "3 t 17"]:
        """A window after standard augmentation, one draw for all its frames: up to 20 % faster or slower, mirrored half of the
        time, turned by up to 15 degrees, stretched by up to 15 % along each axis, a few points unseen in one of four."""
        variants = self.get(recording)
        points = self._cut(
            variants[int(rng.integers(len(variants)))], recording, window, speed=float(np.exp(rng.uniform(-0.2, 0.2)))
        )
        points = normalized(points)
        if rng.random() < 0.5:
            points = points[:, MIRRORED] * np.array([-1, 1, 1], np.float32)
        angle = np.radians(rng.uniform(-15, 15))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points[..., :2] = points[..., :2] @ (turn * np.exp(rng.uniform(-0.15, 0.15, 2))).T
        if rng.random() < 0.25:
            lost = rng.choice(len(COCO17), int(rng.integers(1, 5)), replace=False)
            points[:, lost] = 0
        return torch.from_numpy(_tensor(points.astype(np.float32)))

    def _cut(self, points: np.ndarray, recording: Recording, window: Window, *, speed: float) -> Float32[np.ndarray, "t 17 3"]:
        """The points at ``frames`` evenly spaced times, interpolated; beyond the ends the edge frame is repeated."""
        seconds = window.middle_sec + ((np.arange(self.frames) + 0.5) / self.frames - 0.5) * self.window_sec * speed
        at = np.clip(seconds * recording.fps - 0.5, 0, len(points) - 1)
        before = np.floor(at).astype(int)
        after, share = np.minimum(before + 1, len(points) - 1), (at - before)[:, None, None].astype(np.float32)
        return points[before] * (1 - share) + points[after] * share


def person_points(recording: Recording) -> Float32[np.ndarray, "t 17 3"]:
    """COCO's points of the person in every frame, as a classifier is given them: pixels and confidence, gaps filled.

    Raises:
        ValueError: As ``KeypointStore.get``.
    """
    return KeypointStore(folder=None, size=0, frames=1, window_sec=1.0).get(recording)[0]


def normalized(points: Float[np.ndarray, "t 17 3"]) -> Float32[np.ndarray, "t 17 3"]:
    """Move and scale a window's points: the person's middle (median over the frames) becomes 0, its largest extent 1.

    One move and one scale for the whole window, so that a fall still goes down in it. Points never found become 0.
    """
    seen = (points[..., 2] > SURE).any(axis=0)
    if not seen.any():
        return np.zeros_like(points, np.float32)
    places = points[:, seen, :2]
    low, high = places.min(axis=1), places.max(axis=1)
    middle = np.sort(low + high, axis=0)[len(low) // 2] / 2
    extent = float(np.sort((high - low).max(axis=1))[int(0.9 * len(low))])
    result = points.astype(np.float32)
    result[..., :2] = np.clip((points[..., :2] - middle) / max(extent, 1e-3), -3, 3)
    result[:, ~seen] = 0
    return result


def _tensor(points: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(points.transpose(2, 0, 1))


def _detected(recording: Recording) -> Float32[np.ndarray, "t 17 3"]:
    """A detector's points of the person that the video is about, gaps filled."""
    points = _filled(one_person(detected_person(recording), frames=recording.frames))
    if not (points[..., 2] > SURE).any():
        file = recording.keypoints.path.name if recording.keypoints else ""
        raise ValueError(
            f"{recording.name}: nobody found in it: `keypoints` ({file}): no point of confidence above {SURE} in any frame"
        )
    return points


def detected_person(recording: Recording) -> People:
    """What a detector found of the person that the video is about.

    Raises:
        ValueError: As ``KeypointStore.get``.
    """
    return choose(_people(recording), fps=recording.fps, frames=recording.frames, person=recording.person)[0]


def person_doubts(recordings: Iterable[Recording]) -> list[str]:
    """For each recording in whose keypoints somebody else may be meant than is taken, a line that says so."""
    found = []
    for recording in recordings:
        if recording.is_synthetic or recording.keypoints is None or recording.person is not None:
            continue
        try:
            _, doubt = choose(_people(recording), fps=recording.fps, frames=recording.frames)
        except ValueError:  # told where it is read for use
            continue
        if doubt:
            found.append(
                f"{recording.name}: {recording.keypoints.path.name}: {doubt}; name one of them in the column `person`."
            )
    return found


def _people(recording: Recording) -> People:
    """Everybody that a detector found, checked against the video."""
    if recording.keypoints is None:
        raise ValueError(f"{recording.name}: no keypoints: the table needs a column `keypoints` with a file for each video")
    width, height = picture_size(recording) or (None, None)
    people = read_keypoints(recording.keypoints.path, width=width, height=height)
    if people.frames is not None and abs(people.frames - recording.frames) > max(2, 0.1 * recording.frames):
        raise ValueError(
            f"{people.path}: holds {people.frames} frames, the video {recording.name} has {recording.frames}: they belong to "
            "different videos"
        )
    if people.frame.max() >= recording.frames + max(2, 0.1 * recording.frames):
        raise ValueError(
            f"{people.path}: a row is of frame {people.frame.max()}, the video {recording.name} has {recording.frames}: they "
            "belong to different videos"
        )
    return people


def one_person(people: People, *, frames: int) -> Float[np.ndarray, "t 17 3"]:
    """COCO's points in every frame of a video; NaN where the detector found none or the layout lacks them."""
    points = np.full((frames, len(COCO17), 3), np.nan)
    inside = people.frame < frames
    for index, name in enumerate(COCO17):
        points[people.frame[inside], index] = people.point(name)[inside]
    return points


def _facts(recording: Recording) -> list[Any]:
    """All that decides a film's points and their errors."""
    labels = [(segment.label, segment.start_sec, segment.end_sec) for segment in recording.segments]
    return ["keypoints", place_digest(recording.keypoints), recording.fps, recording.size, labels]


def _variants(recording: Recording) -> Float32[np.ndarray, "v t 17 3"]:
    """A film's points with drawn errors, ``VARIANTS`` times, gaps filled."""
    if recording.keypoints is None:
        raise ValueError(f"{recording.name}: the sample has no npz, so no keypoints; generate it anew")
    return np.stack([_filled(points) for points in _spoiled(recording, recording.keypoints.read())])


def _spoiled(recording: Recording, data: bytes) -> list[Float[np.ndarray, "t 17 3"]]:
    """A sample's true points, from its npz, with a detector's errors, which depend on the sample's content alone."""
    try:
        truth = np.asarray(npz_arrays(data, names=("keypoints_coco",))["keypoints_coco"], np.float64)
    except (*DAMAGED_NPZ, KeyError) as error:
        raise ValueError(f"{recording.name}: its npz has no readable keypoints_coco ({error}); generate it anew") from error
    if truth.ndim != 3 or truth.shape[1:] != (len(COCO17), 3) or not len(truth):
        raise ValueError(f"{recording.name}: its keypoints_coco has shape {truth.shape}; expected (frames, 17, 3)")
    states = states_of(recording.segments, frames=len(truth), fps=recording.fps)
    seed = list(hashlib.sha256(data).digest()[:16])
    return [
        spoil_keypoints(
            truth[..., :2], truth[..., 2] > 0, rng=np.random.default_rng([*seed, variant]), layout="coco17",
            fps=recording.fps, size=recording.size or (10**6, 10**6), states=states,
        )
        for variant in range(VARIANTS)
    ]  # fmt: skip


def _filled(points: Float[np.ndarray, "t 17 3"]) -> Float32[np.ndarray, "t 17 3"]:
    """Gaps filled by interpolation over time, with confidence 0."""
    finite, times = np.asarray(np.isfinite(points).all(axis=2)), np.arange(len(points))
    filled = np.where(finite[..., None], points, 0.0)
    for point in np.flatnonzero(~finite.all(axis=0) & finite.any(axis=0)):
        found = finite[:, point]
        for axis in range(2):
            filled[:, point, axis] = np.interp(times, times[found], points[found, point, axis])
    return filled.astype(np.float32)
