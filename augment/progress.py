"""Progress of long work, on stderr: a bar on a terminal, elsewhere a plain line every 30 seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

EVERY_SEC = 30.0
"""Seconds between two lines where stderr is not a terminal."""


@dataclass(slots=True)
class _Row:
    """The state of one piece of work."""

    what: str
    started: float
    done: int = 0
    total: int | None = None
    note: str = ""
    line: str = ""
    """The last line printed for it, without the time."""


class Progress:
    """Shows the progress of work; a context manager.

    Example::

        with Progress() as progress:
            progress.update("clips", 3, 10, note="2 rejected")

    On a terminal every name gets a bar of its own. Elsewhere every name gets a line when it begins, the running work a line
    every ``EVERY_SEC`` seconds (also while one step takes longer), and each name a last line when the block ends.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        if console.is_interactive and sys.stderr.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False), console=console,
            )  # fmt: skip
            self._bar.start()
        else:
            self._thread = threading.Thread(target=self._print_regularly, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            return
        self._ended.set()
        self._thread.join()
        for row in self._rows.values():
            self._print(row)

    def update(self, what: str, done: int, total: int | None = None, *, note: str = "") -> None:
        """Report the progress of a piece of work.

        Args:
            what: Its name.
            done: Steps done.
            total: Steps there are; None while that is unknown.
            note: Text shown after the numbers.
        """
        if self._bar is not None:
            if what not in self._tasks:
                self._tasks[what] = self._bar.add_task(what, total=total, note=note)
            self._bar.update(self._tasks[what], completed=done, total=total, note=note)
            return
        with self._lock:
            new = what not in self._rows
            row = self._rows.setdefault(what, _Row(what, time.monotonic()))
            row.done, row.total, row.note = done, total, note
        if new:
            self._print(row)

    def _print_regularly(self) -> None:
        while not self._ended.wait(EVERY_SEC):
            with self._lock:
                rows = list(self._rows.values())
            running = [row for row in rows if row.total is None or row.done < row.total]
            for row in running[-1:] or rows[-1:]:
                self._print(row, again=True)

    def _print(self, row: _Row, *, again: bool = False) -> None:
        """Print a row unless its last line was the same; with ``again`` also then."""
        with self._lock:
            line = f"{row.what}: {row.done}" + ("" if row.total is None else f"/{row.total}")
            line += f", {row.note}" if row.note else ""
            if line != row.line or again:
                minutes, seconds = divmod(round(time.monotonic() - row.started), 60)
                print(f"{line} ({minutes}:{seconds:02d})", file=sys.stderr, flush=True)
            row.line = line


def track(items: Iterable[Any], what: str, *, total: int) -> Iterator[Any]:
    """The same items, with their progress shown."""
    with Progress() as progress:
        progress.update(what, 0, total)
        for number, item in enumerate(items, start=1):
            yield item
            progress.update(what, number, total)
