"""Annotated segments from a CSV file, and the part of them that a recovered motion covers."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from ...actions import FRAME_LABELS, require_label
from ...types import Segment

KEYS: tuple[str, ...] = ("track", "person", "path")
"""Columns that name the person or video of a row; the first one in the header counts."""
_TOUCH = 1e-3
"""Overlap of consecutive segments that counts as rounding, seconds."""


def read_segments(path: Path | str) -> dict[str, tuple[Segment, ...]]:
    """Read ``track|person|path,label,start,end``, further columns ignored: OmniFall's own CSV among them.

    Labels are names, of ``actions.FRAME_LABELS`` or the user's own, or numbers of the former; times are seconds.

    Returns:
        Segments in time order for each value of the first column.
    Raises:
        ValueError: If the file cannot be read, a column is missing, a label or time is invalid, or two segments of one person
            overlap; the message names file, line and field.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file of segments")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            key = next((name for name in KEYS if name in columns), None)
            missing = [name for name in ("label", "start", "end") if name not in columns]
            if key is None or missing:
                raise ValueError(
                    f"{path}: line 1: expected a header with one of {', '.join(KEYS)} and label, start, end; "
                    f"found {', '.join(columns) or 'nothing'}"
                )
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a CSV file in UTF-8 ({error}); save it as CSV, UTF-8") from error
    found: dict[str, list[tuple[Segment, int]]] = {}
    for line, row in rows:
        who = (row[key] or "").strip()
        if not who:
            raise ValueError(f"{path}: line {line}: field {key} is empty; name the person or video of the row")
        found.setdefault(who, []).append((_segment(path, line, row), line))
    if not found:
        raise ValueError(f"{path}: holds no segment, only a header")
    return {who: _in_order(path, who, segments) for who, segments in found.items()}


def cut_segments(
    segments: Sequence[Segment], start_sec: float, end_sec: float, *, filler: str = "other"
) -> tuple[Segment, ...]:
    """The segments between two times of the video, relative to the first, gaps filled, as ``types.Motion`` requires them.

    Raises:
        ValueError: If the end does not lie after the start.
    """
    if not end_sec > start_sec:
        raise ValueError(f"a segment must end after it starts; found {start_sec:g} to {end_sec:g} s")
    length, result, now = end_sec - start_sec, [], 0.0
    for segment in segments:
        first, last = max(segment.start_sec - start_sec, now), min(segment.end_sec - start_sec, length)
        if last - first <= _TOUCH:
            continue
        if first - now > _TOUCH:
            result.append(Segment(label=filler, start_sec=now, end_sec=first))
        else:
            first = now
        result.append(Segment(label=segment.label, start_sec=first, end_sec=last))
        now = last
    if length - now > _TOUCH or not result:
        result.append(Segment(label=filler, start_sec=now, end_sec=length))
    elif now != length:
        result[-1] = Segment(label=result[-1].label, start_sec=result[-1].start_sec, end_sec=length)
    return tuple(result)


def _segment(path: Path, line: int, row: dict[str, str | None]) -> Segment:
    label = (row["label"] or "").strip()
    if label.isdecimal() and int(label) < len(FRAME_LABELS):
        label = FRAME_LABELS[int(label)]
    try:
        require_label(label)
    except ValueError as error:
        raise ValueError(f"{path}: line {line}: field label: {error}, or a number below {len(FRAME_LABELS)}") from error
    times = []
    for name in ("start", "end"):
        try:
            times.append(float(row[name] or ""))
        except ValueError as error:
            raise ValueError(f"{path}: line {line}: field {name}: expected seconds, found {row[name]!r}") from error
    if not (math.isfinite(times[0]) and math.isfinite(times[1]) and 0 <= times[0] < times[1]):
        raise ValueError(
            f"{path}: line {line}: fields start, end: expected 0 <= start < end in seconds, found {times[0]:g} and {times[1]:g}"
        )
    return Segment(label=label, start_sec=times[0], end_sec=times[1])


def _in_order(path: Path, who: str, segments: list[tuple[Segment, int]]) -> tuple[Segment, ...]:
    segments = sorted(segments, key=lambda pair: (pair[0].start_sec, pair[0].end_sec))
    for (one, above), (other, line) in itertools.pairwise(segments):
        if other.start_sec < one.end_sec - _TOUCH:
            raise ValueError(
                f"{path}: line {line}: fields start, end: {who!r} is {other.label} from {other.start_sec:g} s, but line "
                f"{above} has {one.label} until {one.end_sec:g} s; segments of one person must not overlap"
            )
    return tuple(segment for segment, _ in segments)
