"""Labelled videos, real or synthetic, before they are decoded.

A *recording* is one video with its frame-level segments, whether it comes from a CSV of real videos or from shards.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from augment.types import Segment

from .url_parts import read_part


@functools.lru_cache(maxsize=100_000)
def _digest(path: Path, member: tuple[int, int] | None, _modified_ns: int) -> str:
    """SHA-256 of a video; ``_modified_ns`` is part of the cache's key, so that a rewritten file is read again."""
    offset, size = member or (0, -1)
    with open(path, "rb") as stream:
        stream.seek(offset)
        return hashlib.sha256(stream.read(size)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file, or a part of one."""

    path: Path
    member: tuple[int, int] | None = None
    """Offset and size in the file, bytes; None for the whole."""
    content: bytes | None = None
    """Its bytes, where they were streamed."""
    url: str = ""
    """Where it is read from, a part at a time, where it is no file of this machine."""
    known: str = ""
    """SHA-256 of its bytes, where it need not be read for that."""

    def read(self) -> bytes:
        """Its bytes; OSError if there is no such file."""
        if self.content is not None:
            return self.content
        if self.url and self.member:
            return read_part(self.url, *self.member)
        offset, size = self.member or (0, -1)
        with open(self.path, "rb") as stream:
            stream.seek(offset)
            return stream.read(size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One video with its labels, not yet decoded."""

    name: str
    """The ``video`` column, or the sample's key with its tar's name."""
    path: Path
    """The video file, or the tar that holds it."""
    member: tuple[int, int] | None = None
    """Offset and size of the video in the tar, bytes; None for a video file."""
    fps: float
    frames: int
    segments: tuple[Segment, ...]
    is_synthetic: bool = False
    group: str = ""
    """The real event or person: the values of the ``group_by`` columns, or the video's path."""
    row: Mapping[str, str] = field(default_factory=dict)
    """The CSV row, as text."""
    sources: frozenset[str] = frozenset()
    """Names and digests of the real recordings it was made from (synthetic clips)."""
    declares_sources: bool = False
    """Whether its provenance has a ``recordings`` entry, which may be empty; without it a leak can go unnoticed."""
    has_video: bool = True
    """False for a sample of keypoints alone; ``path`` and ``member`` are then those of its npz."""
    keypoints: Place | None = None
    """A detector's results (the column ``keypoints``), or a sample's npz."""
    person: int | None = None
    """Whose keypoints count, where several people are in them: a number as ``inputs.who`` gives it (the column `person`)."""
    mask: Place | None = None
    """A sample's mask of people, `mask.mp4`."""
    plate: Path | None = None
    """A picture of the empty room from the same camera (the column `plate`, or the study's); transparent where people do
    not count."""
    size: tuple[int, int] | None = None
    """Width and height of the picture, pixels, where known without decoding."""
    content: bytes | None = None
    """The video's bytes, where they were streamed."""
    url: str = ""
    """Where the video is read from, a part at a time, where ``path`` is no file of this machine."""
    known: str = ""
    """SHA-256 of the video's bytes, where it need not be read for that."""

    @property
    def seconds(self) -> float:
        """Length, seconds."""
        return self.frames / self.fps

    @property
    def place(self) -> tuple[Path, tuple[int, int] | None]:
        """File and position of the video: equal for equal videos of one study."""
        return self.path, self.member

    def video(self) -> Path | bytes:
        """The decoder's input: the path, or the bytes from the tar.

        Raises:
            ValueError: If it is a sample without pictures.
        """
        if not self.has_video:
            raise ValueError(f"{self.name}: it holds keypoints and no video; use `input: keypoints`, or film it with layer rgb")
        if self.content is not None:
            return self.content
        return self.path if self.member is None else self._place().read()

    def _place(self) -> Place:
        return Place(path=self.path, member=self.member, content=self.content, url=self.url, known=self.known)

    def digest(self) -> str:
        """SHA-256 of the video's bytes; empty if the file is missing (which is reported when it is decoded)."""
        return place_digest(self._place())


def place_digest(place: Place | None) -> str:
    """SHA-256 of a place's bytes; of names and sizes where it is a folder; empty if there is nothing."""
    if place is None:
        return ""
    if place.known:
        return place.known
    if place.content is not None:
        return hashlib.sha256(place.content).hexdigest()
    try:
        if place.path.is_dir():
            listing = sorted((path.name, path.stat().st_size) for path in place.path.iterdir())
            return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
        return _digest(place.path, place.member, place.path.stat().st_mtime_ns)
    except OSError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingClips:
    """Training clips of one arm."""

    real: list[Recording]
    synthetic: list[Recording]

    @property
    def all(self) -> list[Recording]:
        """Real and synthetic recordings."""
        return [*self.real, *self.synthetic]

    def without(self, groups: Set[str]) -> TrainingClips:
        """The clips that are of none of the groups."""
        real, synthetic = (
            [recording for recording in recordings if recording.group not in groups]
            for recordings in (self.real, self.synthetic)
        )
        return TrainingClips(real=real, synthetic=synthetic)


def checked_classes(classes: Any) -> dict[str, list[str]]:
    """Class name to frame labels, from a mapping that a caller wrote; a single label needs no list.

    Raises:
        ValueError: If it is no mapping, or a class gathers no labels.
    """
    if not isinstance(classes, Mapping) or not classes:
        raise ValueError(
            f"classes: expected a mapping from class to frame labels, such as {{'fall': ['fall']}}, found {classes!r:.60}"
        )
    checked = {name: [labels] if isinstance(labels, str) else list(labels) for name, labels in classes.items()}
    for name, labels in checked.items():
        if not labels or not all(isinstance(label, str) for label in labels):
            raise ValueError(f"classes: class {name!r}: expected one or more frame labels, found {labels!r:.60}")
    return checked


def class_of_label(classes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Frame label to class index."""
    return {label: index for index, labels in enumerate(classes.values()) for label in labels}


def describe(recordings: Sequence[Recording], classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Counts for the report: recordings, groups that show a class, minutes, seconds of each class and of labels outside all."""
    index, names = class_of_label(classes), list(classes)
    seconds: dict[str, float] = dict.fromkeys(names, 0.0)
    ignored: dict[str, float] = {}
    for recording in recordings:
        for segment in recording.segments:
            length = max(0.0, min(segment.end_sec, recording.seconds) - segment.start_sec)
            if segment.label in index:
                seconds[names[index[segment.label]]] += length
            else:
                ignored[segment.label] = ignored.get(segment.label, 0.0) + length
    return {
        "recordings": len(recordings),
        "synthetic": sum(recording.is_synthetic for recording in recordings),
        "groups": len({r.group for r in recordings if any(segment.label in index for segment in r.segments)}),
        "minutes": round(sum(recording.seconds for recording in recordings) / 60, 2),
        "seconds_per_class": {name: round(value, 2) for name, value in seconds.items()},
        "seconds_without_class": {name: round(value, 2) for name, value in ignored.items()},
    }


def recordings_digest(recordings: Sequence[Recording]) -> str:
    """SHA-256 over names, labels, and bytes of videos, keypoints, masks and plates; empty without recordings."""
    if not recordings:
        return ""
    rows = [
        [
            r.name,
            r.fps,
            r.frames,
            [[s.label, s.start_sec, s.end_sec] for s in r.segments],
            r.digest(),
            place_digest(r.keypoints),
            r.person,
            place_digest(r.mask),
            place_digest(r.plate and Place(path=r.plate)),
        ]
        for r in recordings
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
