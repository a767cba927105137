"""Watch a run of ``augment generate`` from its parent process: time, processor time and memory of the workers by clips."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVERY = 50
"""Clips between two marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The workers when so many clips were finished."""

    clips: int
    seconds: float
    """Wall time since the run began."""
    processor: float
    """Processor seconds of all workers so far."""
    memory: float
    """Resident memory of the largest worker, GiB."""
    parent: float = 0.0
    """Resident memory of the process that collects and writes the clips, GiB."""


def _workers(seconds: float, clips: int) -> Mark:
    processor, memory = 0.0, 0.0
    for child in multiprocessing.active_children():
        folder = Path("/proc") / str(child.pid)
        numbers = (folder / "stat").read_text().rpartition(")")[2].split()
        processor += (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
        memory = max(memory, _resident(folder))
    return Mark(clips=clips, seconds=seconds, processor=processor, memory=memory, parent=_resident(Path("/proc/self")))


def _resident(process: Path) -> float:
    """Resident memory of a process, GiB."""
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30


@contextmanager
def watched() -> Iterator[list[Mark]]:
    """Marks of the run made within the block, one for every ``EVERY`` clips."""
    from augment.generate import run

    marks: list[Mark] = []
    started, original = time.perf_counter(), run.Progress

    class Watching(original):  # type: ignore[misc, valid-type]
        def update(self, what: str, done: int, total: int | None = None, *rest: Any, **named: Any) -> None:
            super().update(what, done, total, *rest, **named)
            if what == "clips" and done and (done % EVERY == 0 or done == total):
                marks.append(_workers(time.perf_counter() - started, done))

    run.Progress = Watching  # type: ignore[misc]
    try:
        yield marks
    finally:
        run.Progress = original  # type: ignore[misc]


def describe(marks: list[Mark], frames: float) -> str:
    """A table of the run, and what one worker makes once it runs: a line of each.

    Args:
        marks: Of a run.
        frames: Mean number of frames of its clips.
    """
    lines = ["clips    wall s    processor s    ms of it a clip    largest worker, GiB"]
    before = Mark(clips=0, seconds=0, processor=0, memory=0)
    for mark in marks:
        each = 1e3 * (mark.processor - before.processor) / max(mark.clips - before.clips, 1)
        lines.append(f"{mark.clips:>5} {mark.seconds:>9.1f} {mark.processor:>14.1f} {each:>18.1f} {mark.memory:>22.3f}")
        before = mark
    if len(marks) > 1:
        clips, spent = marks[-1].clips - marks[0].clips, marks[-1].processor - marks[0].processor
        lines.append(f"after the first {marks[0].clips} clips: {clips * frames / spent:.0f} frames a processor second")
    return "\n".join(lines)
