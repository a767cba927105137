"""Keypoints of a whole table of videos, by a detector that runs here."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.files import write_atomic
from augment.sources.people.detectors import DetectOptions, detect_keypoints
from augment.sources.video import probe

from .csv_table import KEYPOINTS, PLATE, rows_of
from .export.formats import write_detections

TABLE, FOLDER = "labels.csv", "keypoints"
"""Names of what is written: the table, and the folder of the keypoints' files."""
NOBODY = "nobody in it"
"""What the detectors' error says of a video without people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What a run of a detector gave."""

    table: Path
    """The table with the column ``keypoints``, for studies and `recognition watch`."""
    videos: int
    """Videos in it."""
    reused: int
    """Of these, so many had their keypoints from an earlier run."""
    without_people: tuple[str, ...]
    """Videos in which nobody was found; their rows are left out."""


def detect_table(
    table: Path,
    out: Path,
    *,
    detector: str,
    weights: Path | None = None,
    options: DetectOptions | None = None,
    where: Mapping[str, Sequence[Any]] = {},
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> Detected:
    """Find people's keypoints in all videos of a table, and write the table again with their files named in it.

    A video whose file of keypoints is newer than the video is not looked through again, so an interrupted run goes on.

    Args:
        table: CSV as studies take it; its column ``keypoints``, if any, is replaced.
        out: Folder for ``labels.csv`` and ``keypoints/``.
        detector: A key of ``augment.sources.people.detectors.DETECTORS``.
        weights: See ``detect_keypoints``.
        options: How people are detected.
        where: Rows to take.
        progress: Called after each video with their number, and how many there are.
    Raises:
        ValueError: If the table is malformed, a video cannot be read, the detector cannot run, or nobody is in any video.
        OSError: If a file cannot be read or written.
    """
    rows = rows_of(table, where=where)
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    written: list[dict[str, str]] = []
    without_people: list[str] = []
    reused = 0
    for number, row in enumerate(rows, start=1):
        video = table.parent / row["video"]
        info = probe(video)
        path = out / FOLDER / f"{_name(row['video'])}.json"
        if path.exists() and path.stat().st_mtime > video.stat().st_mtime:
            reused += 1
        else:
            try:
                people = detect_keypoints(video, weights=weights, detector=detector, options=options)
            except ValueError as error:
                if NOBODY not in str(error):
                    raise
                without_people.append(row["video"])
                continue
            finally:
                progress(number, len(rows))
            write_detections(people, path, frames=info.frames)
        moved = {column: os.path.relpath(table.parent / row[column], out) for column in ("video", PLATE) if row.get(column)}
        written.append({**row, **moved, KEYPOINTS: f"{FOLDER}/{path.name}"})
        progress(number, len(rows))
    if not written:
        raise ValueError(f"{table}: {detector} found nobody in any of its {len(rows)} videos")
    _write(out / TABLE, written)
    return Detected(table=out / TABLE, videos=len(written), reused=reused, without_people=tuple(without_people))


def _name(video: str) -> str:
    """A file's name for a video, another one for each path."""
    return "-".join(part for part in Path(video).with_suffix("").parts if part not in ("..", "/"))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue().encode())
