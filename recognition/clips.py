"""Recordings and windows: real videos of a CSV and samples of shards read as one kind of thing.

A *recording* is one video with its frame-level segments. A *window* is ``window_sec`` of it; its class is the class of the
segment at the window's middle (a fall lasts a second, so no majority rule would ever call a two-second window a fall).
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from augment.actions import FRAME_LABELS
from augment.types import Segment

from .study import Source

COLUMNS = ("video", "fps", "frames", "segments")
"""Columns a CSV of real videos must have; more are allowed and may be used in ``where`` and ``group_by``."""
VIDEO_ENDINGS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")


@functools.lru_cache(maxsize=100_000)
def _digest(path: Path, member: tuple[int, int] | None, changed: int) -> str:
    """``changed`` makes the cache forget a file that was written anew."""
    offset, size = member or (0, -1)
    with open(path, "rb") as stream:
        stream.seek(offset)
        return hashlib.sha256(stream.read(size)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One video with its labels, not yet decoded."""

    name: str
    """The ``video`` column, or the sample's key with its tar's name."""
    path: Path
    """The video file, or the tar that holds it."""
    member: tuple[int, int] | None = None
    """Offset and size of the video in the tar; None for a file of its own."""
    fps: float
    frames: int
    segments: tuple[Segment, ...]
    is_synthetic: bool = False
    group: str = ""
    """The real event or person: what ``group_by`` names, or the video itself."""
    row: Mapping[str, str] = field(default_factory=dict)
    """The CSV row, as text."""
    sources: frozenset[str] = frozenset()
    """Names and digests of real recordings that it was made from (synthetic clips)."""
    declares_sources: bool = False
    """Whether its provenance has a ``recordings`` entry, maybe an empty one; without it a leak could go unseen."""

    @property
    def seconds(self) -> float:
        """Length, seconds."""
        return self.frames / self.fps

    def video(self) -> Path | bytes:
        """What a decoder opens: the path, or the bytes out of the tar."""
        if self.member is None:
            return self.path
        offset, size = self.member
        with open(self.path, "rb") as stream:
            stream.seek(offset)
            return stream.read(size)

    def digest(self) -> str:
        """SHA-256 of the video's bytes; empty where the file is missing (which is reported when it is decoded)."""
        try:
            return _digest(self.path, self.member, self.path.stat().st_mtime_ns)
        except OSError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of one recording, by its middle."""

    recording: int
    """Index into a list of recordings."""
    middle_sec: float
    label: int
    """Index of its class."""
    seconds: float = 0.0
    """How much time it stands for, in evaluation."""


def parse_segments(text: str, *, where: str) -> tuple[Segment, ...]:
    """Read ``standing:0.00-2.83;fall:2.83-3.67``.

    Raises:
        ValueError: If a part is not ``label:start-end`` or its label is none of ``FRAME_LABELS``.
    """
    segments = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        label, _, span = part.partition(":")
        start, _, end = span.partition("-")
        try:
            segment = Segment(label=label.strip(), start_sec=float(start), end_sec=float(end))
        except ValueError as error:
            raise ValueError(f"{where}: segment {part!r}: expected label:start-end in seconds") from error
        if segment.label not in FRAME_LABELS:
            raise ValueError(f"{where}: unknown frame label {segment.label!r}; expected one of: {', '.join(FRAME_LABELS)}")
        if not 0 <= segment.start_sec < segment.end_sec < math.inf:
            raise ValueError(f"{where}: segment {part!r}: expected 0 <= start < end, in seconds")
        segments.append(segment)
    if not segments:
        raise ValueError(f"{where}: no segments; expected label:start-end;...")
    return tuple(segments)


def read_csv(path: Path, *, where: Mapping[str, Sequence[Any]] = {}, group_by: Sequence[str] = ()) -> list[Recording]:
    """Real videos of a table; video paths are relative to its folder.

    Args:
        path: The CSV.
        where: Column to accepted values, compared as text.
        group_by: Columns that together name a real event or person.
    Raises:
        ValueError: If a needed column is missing, nothing matches, or a row is malformed; the message names it.
        OSError: If the file cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or [])
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a CSV in UTF-8 ({error}); save it as such") from error
    for use, names in (("needed", COLUMNS), ("named by `where`", tuple(where)), ("named by `group_by`", tuple(group_by))):
        if missing := [name for name in names if name not in columns]:
            has = ", ".join(columns) or "none"
            raise ValueError(f"{path}: column(s) {', '.join(missing)} {use} but not there; it has: {has}")
    accepted = {column: {str(value) for value in values} for column, values in where.items()}
    recordings = []
    for number, row in enumerate(rows, start=2):
        if any(row[column] not in values for column, values in accepted.items()):
            continue
        place = f"{path}, line {number}"
        try:
            fps, frames = float(row["fps"]), int(row["frames"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{place}: fps and frames must be numbers, found {row['fps']!r}, {row['frames']!r}") from error
        if not (fps > 0 and frames > 0):
            raise ValueError(f"{place}: fps and frames must be positive, found {row['fps']!r}, {row['frames']!r}")
        recordings.append(
            Recording(
                name=row["video"],
                path=path.parent / row["video"],
                fps=fps,
                frames=frames,
                segments=parse_segments(row["segments"] or "", where=place),
                group="|".join(f"{column}={row[column]}" for column in group_by) or str((path.parent / row["video"]).resolve()),
                row={key: value or "" for key, value in row.items() if isinstance(key, str) and isinstance(value, str | None)},
            )
        )
    if not recordings:
        found = "; ".join(f"{column}: {', '.join(sorted({row[column] for row in rows})[:8])}" for column in where)
        values = f"; values there: {found}" if found else ": it is empty"
        raise ValueError(f"{path}: no row matches where={dict(where)}{values}")
    return recordings


def read_samples(source: Path) -> list[Recording]:
    """The samples of shards (a finished folder, or one tar), without decoding any video.

    Raises:
        ValueError: If the folder is unfinished, a tar is unreadable, or a sample lacks what is needed.
        OSError: If there is no such folder or file.
    """
    from augment.shards.tar import member_offsets, read_shard, shard_paths

    if not source.exists():
        raise FileNotFoundError(2, "no such folder or tar of shards", str(source))
    recordings = []
    for path in shard_paths(source):
        offsets = member_offsets(path)
        for sample in read_shard(path, members=("json",)):
            key = sample["__key__"]
            place = {member: (offset, size) for member, offset, size in offsets[key]}
            if "json" not in sample or "mp4" not in place:
                raise ValueError(f"{path}: sample {key!r} has {', '.join(sorted(place))}; expected mp4 and json")
            meta = sample["json"]
            try:
                segments = tuple(Segment(**segment) for segment in meta["segments"])
                fps, frames = float(meta["fps"]), int(meta["frames"])
                synthetic, provenance = bool(meta["is_synthetic"]), meta.get("provenance", {})
            except (KeyError, TypeError) as error:
                raise ValueError(f"{path}: sample {key!r}: its json lacks or misnames a field ({error})") from error
            recordings.append(
                Recording(
                    name=f"{path.stem}/{key}",
                    path=path,
                    member=place["mp4"],
                    fps=fps,
                    frames=frames,
                    segments=segments,
                    is_synthetic=synthetic,
                    group=f"{path.resolve()}:{key}"
                    if synthetic
                    else str(provenance.get("group") or provenance.get("video") or key),
                    row={"action": str(meta.get("label", ""))},
                    sources=frozenset(named_sources(provenance)),
                    declares_sources=_has_key(provenance, "recordings"),
                )
            )
    if not recordings:
        raise ValueError(f"{source}: no samples in it")
    return recordings


def read_source(source: Source, *, group_by: Sequence[str] = ()) -> list[Recording]:
    """The recordings of a CSV or of shards."""
    if source.csv is not None:
        return read_csv(source.csv, where=source.where, group_by=group_by)
    return [recording for path in source.shards for recording in read_samples(path)]


def named_sources(provenance: Any, *, inside: bool = False) -> set[str]:
    """Everything in a provenance that may name a real recording.

    That is: what stands under ``recordings`` (group ids, names or digests), every name of a video file, every SHA-256 digest.
    """
    if isinstance(provenance, Mapping):
        return set().union(*(named_sources(value, inside=inside or key == "recordings") for key, value in provenance.items()))
    if isinstance(provenance, list | tuple):
        return set().union(*(named_sources(value, inside=inside) for value in provenance))
    if not isinstance(provenance, str):
        return set()
    if provenance.lower().endswith(VIDEO_ENDINGS):
        return {provenance, Path(provenance).name}
    is_digest = len(provenance) == 64 and set(provenance) <= set("0123456789abcdef")
    return {provenance} if inside or is_digest else set()


def _has_key(provenance: Any, key: str) -> bool:
    if isinstance(provenance, Mapping):
        return key in provenance or any(_has_key(value, key) for value in provenance.values())
    return isinstance(provenance, list | tuple) and any(_has_key(value, key) for value in provenance)


def refuse_leaks(train: Iterable[Recording], test: Iterable[Recording], *, arm: str) -> None:
    """Refuse training clips that show, or were made from, what is tested on.

    Raises:
        ValueError: Naming the shared groups, or the synthetic clips and the test recording they come from, and what to do.
    """
    train, test = list(train), list(test)
    groups = {recording.group for recording in test}
    shared = sorted({recording.group for recording in train} & groups)
    if shared:
        raise ValueError(
            f"arm {arm!r} leaks: {len(shared)} group(s) are in training and test: {_some(shared)}; "
            "change `where` so that each is on one side only (two cameras that film one event are one "
            "group), or add the column to `group_by` that tells them apart"
        )
    digests = {recording.digest(): recording.name for recording in test}
    digests.pop("", None)
    for recording in train:
        if twin := digests.get(recording.digest()):
            raise ValueError(f"arm {arm!r} leaks: {recording.name} is the same video as {twin}, which is tested on; remove one")
    if not any(recording.sources for recording in train):
        return
    known = {alias: recording.name for recording in test for alias in aliases(recording)}
    guilty = sorted({(source, recording.name) for recording in train for source in recording.sources & known.keys()})
    if guilty:
        made = sorted({name for _, name in guilty})
        raise ValueError(
            f"arm {arm!r} leaks: {len(made)} synthetic clip(s), such as {made[0]}, were made from test recording(s) "
            f"{_some(sorted({known[source] for source, _ in guilty}))}; make them from other recordings, or test on others"
        )


def aliases(recording: Recording) -> set[str]:
    """Everything by which a provenance may name a real recording."""
    return {recording.group, recording.name, Path(recording.name).name, recording.digest()} - {""}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def class_of_label(classes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Frame label to class index."""
    return {label: index for index, labels in enumerate(classes.values()) for label in labels}


def label_at(segments: Iterable[Segment], second: float, classes: Mapping[str, Sequence[str]]) -> int | None:
    """Class of the window whose middle is at ``second``: that of the segment there; None where no class has its label."""
    index = class_of_label(classes)
    for segment in segments:
        if segment.start_sec <= second < segment.end_sec:
            return index.get(segment.label)
    return None


def middles(recording: Recording, segment: Segment, window_sec: float) -> tuple[float, float]:
    """The range in which a segment's windows may have their middles: inside the segment and, where that leaves any, so that
    the whole window lies inside the recording (otherwise edge frames are repeated)."""
    start, end = segment.start_sec, min(segment.end_sec, recording.seconds)
    low, high = max(start, window_sec / 2), min(end, recording.seconds - window_sec / 2)
    return (low, high) if low < high else (start, max(start, end))


def evaluation_windows(
    recordings: Sequence[Recording],
    classes: Mapping[str, Sequence[str]],
    *,
    window_sec: float,
    stride_sec: float,
    least: int = 3,
) -> list[Window]:
    """Windows at a fixed stride through every segment that a class has, ``least`` in a short one; recordings in order."""
    index = class_of_label(classes)
    windows = []
    for number, recording in enumerate(recordings):
        for segment in sorted(recording.segments, key=lambda segment: segment.start_sec):
            if segment.label not in index or segment.start_sec >= recording.seconds:
                continue
            low, high = middles(recording, segment, window_sec)
            count = max(least, round((high - low) / stride_sec))
            seconds = (min(segment.end_sec, recording.seconds) - segment.start_sec) / count
            for i in range(count):
                middle = low + (i + 0.5) * (high - low) / count
                windows.append(Window(recording=number, middle_sec=middle, label=index[segment.label], seconds=seconds))
    return windows


class WindowSampler:
    """Draws training windows: a class uniformly, then one of its recordings, then a middle in its segments of that class."""

    def __init__(self, recordings: Sequence[Recording], classes: Mapping[str, Sequence[str]], *, window_sec: float) -> None:
        self.window_sec = window_sec
        self.recordings = recordings
        self.segments: list[dict[int, list[Segment]]] = [{} for _ in classes]
        index = class_of_label(classes)
        for number, recording in enumerate(recordings):
            for segment in recording.segments:
                if segment.label in index and segment.start_sec < recording.seconds:
                    self.segments[index[segment.label]].setdefault(number, []).append(segment)
        self.classes = [label for label, found in enumerate(self.segments) if found]
        """Indices of the classes that have a window."""
        if not self.classes:
            raise ValueError("no training clip has a segment of any class; compare `classes` with the segments' labels")

    def draw(self, label: int, *, rng: np.random.Generator) -> Window:
        """A random window of a class (one of ``classes``)."""
        numbers = list(self.segments[label])
        number = numbers[int(rng.integers(len(numbers)))]
        recording, segments = self.recordings[number], self.segments[label][number]
        ranges = [middles(recording, segment, self.window_sec) for segment in segments]
        lengths = np.array([high - low for low, high in ranges]) + 1e-9
        low, high = ranges[int(rng.choice(len(ranges), p=lengths / lengths.sum()))]
        return Window(recording=number, middle_sec=float(rng.uniform(low, high)), label=label)


def describe(recordings: Sequence[Recording], classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Counts for the report: recordings, groups, minutes, and seconds of each class; labels that no class takes."""
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
        "groups": len({recording.group for recording in recordings}),
        "minutes": round(sum(recording.seconds for recording in recordings) / 60, 2),
        "seconds_per_class": {name: round(value, 2) for name, value in seconds.items()},
        "seconds_without_class": {name: round(value, 2) for name, value in ignored.items()},
    }


def digest_of(recordings: Sequence[Recording]) -> str:
    """SHA-256 over names, labels and video bytes: what a result's data were."""
    rows = [[r.name, r.fps, r.frames, [[s.label, s.start_sec, s.end_sec] for s in r.segments], r.digest()] for r in recordings]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
