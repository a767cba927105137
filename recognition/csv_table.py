"""Read real videos and their labels from a CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from augment.actions import require_label
from augment.types import Segment

from .recordings import Place, Recording

COLUMNS = ("video", "fps", "frames", "segments")
"""Columns that the CSV must have; others may be used in ``where`` and ``group_by``."""
KEYPOINTS = "keypoints"
"""Column with a detector's results for each video: COCO or OpenPose JSON, AlphaPose's, a folder of OpenPose's, a MediaPipe
npz."""
PERSON = "person"
"""Column with the number of the person that the labels are about, where several are in the keypoints: the file's own id."""
PLATE = "plate"
"""Column with a picture of the empty room from the video's camera, of its size; the inputs `person` and `motion` use it."""


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
    rows = _chosen(path, where=where, group_by=group_by)
    return [_recording(path, row, group_by, place=f"{path}, line {number}") for number, row in rows]


def rows_of(path: Path, *, where: Mapping[str, Sequence[Any]] = {}) -> list[dict[str, str]]:
    """The rows of such a table as they are, with all their columns; errors as of ``read_csv``."""
    return [row for _, row in _chosen(path, where=where, group_by=())]


def _chosen(path: Path, *, where: Mapping[str, Sequence[Any]], group_by: Sequence[str]) -> list[tuple[int, dict[str, Any]]]:
    """The rows that ``where`` accepts, with their line."""
    rows = _read_rows(path, needed={"needed": COLUMNS, "named by `where`": where, "named by `group_by`": group_by})
    accepted = {column: {str(value) for value in values} for column, values in where.items()}
    chosen = [
        (number, row)
        for number, row in enumerate(rows, start=2)
        if all(row[column] in values for column, values in accepted.items())
    ]
    if not chosen:
        found = "; ".join(f"{column}: {', '.join(sorted({row[column] for row in rows})[:8])}" for column in where)
        values = f"; values there: {found}" if found else ": it is empty"
        raise ValueError(f"{path}: no row matches where={dict(where)}{values}")
    return chosen


def _read_rows(path: Path, *, needed: Mapping[str, Sequence[str] | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a table that has all ``needed`` columns (what needs them to their names)."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or [])
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a CSV in UTF-8 ({error}); save it as such") from error
    for use, names in needed.items():
        if missing := [name for name in names if name not in columns]:
            has = ", ".join(columns) or "none"
            raise ValueError(f"{path}: column(s) {', '.join(missing)} {use} but not there; it has: {has}")
    return rows


def _recording(table: Path, row: Mapping[str, Any], group_by: Sequence[str], *, place: str) -> Recording:
    if not (row["video"] or "").strip():
        raise ValueError(f"{place}: video: empty; expected the path of a video")
    try:
        fps, frames = float(row["fps"]), float(row["frames"])  # a spreadsheet may have made 40 to 40.0
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: fps and frames must be numbers, found {row['fps']!r}, {row['frames']!r}") from error
    if not (0 < fps < math.inf and frames > 0 and frames.is_integer()):
        raise ValueError(f"{place}: fps and frames must be positive, frames whole, found {row['fps']!r}, {row['frames']!r}")
    video = table.parent / row["video"]
    keypoints = Place(path=table.parent / row[KEYPOINTS]) if row.get(KEYPOINTS) else None
    return Recording(
        name=row["video"],
        path=video,
        keypoints=keypoints,
        person=_person(row.get(PERSON) or "", place=place),
        plate=table.parent / row[PLATE] if row.get(PLATE) else None,
        fps=fps,
        frames=int(frames),
        segments=parse_segments(row["segments"] or "", where=place),
        group="|".join(f"{column}={row[column]}" for column in group_by) or str(video.resolve()),
        row={key: value or "" for key, value in row.items() if isinstance(key, str) and isinstance(value, str | None)},
    )


def _person(text: str, *, place: str) -> int | None:
    if text and not text.strip().isdecimal():
        raise ValueError(f"{place}: person: expected the number of a person in the keypoints, or nothing, found {text!r}")
    return int(text) if text else None


def parse_segments(text: str, *, where: str) -> tuple[Segment, ...]:
    """Read ``standing:0.00-2.83;fall:2.83-3.67``. Any label is accepted; a study says which ones its classes miss.

    Raises:
        ValueError: If a part is not ``label:start-end``.
    """
    segments = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        label, _, span = part.partition(":")
        start, _, end = span.partition("-")
        try:
            segment = Segment(label=label.strip(), start_sec=float(start), end_sec=float(end))
        except ValueError as error:
            raise ValueError(f"{where}: segment {part!r}: expected label:start-end in seconds") from error
        try:
            require_label(segment.label)
        except ValueError as error:
            raise ValueError(f"{where}: segment {part!r}: {error}") from error
        if not 0 <= segment.start_sec < segment.end_sec < math.inf:
            raise ValueError(f"{where}: segment {part!r}: expected 0 <= start < end, in seconds")
        segments.append(segment)
    if not segments:
        raise ValueError(f"{where}: no segments; expected label:start-end;...")
    return tuple(segments)
