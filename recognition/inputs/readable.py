"""Prepare all recordings of a study ahead of its runs, and tell those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..recordings import Recording
from .kinds import ClipInput


def require_video(recording: Recording) -> None:
    """Raises ValueError for a recording of a single frame, which shows no movement."""
    if recording.frames < 2:
        raise ValueError(f"{recording.name}: frames: expected a video of 2 or more, found {recording.frames}")


def decodable(
    recordings: Sequence[Recording],
    store: ClipInput,
    *,
    max_bad_share: float,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> tuple[list[Recording], list[str]]:
    """Read all recordings ahead of time.

    Args:
        recordings: What to read.
        store: The input that reads them.
        max_bad_share: Share of recordings that may be unreadable.
        progress: Called with how many are read, and how many there are.
    Returns:
        The recordings that could be read, and for each of the others the reason.
    Raises:
        ValueError: If more than ``max_bad_share`` of them cannot be read; the first reasons are named.
    """
    good, problems = [], []
    for number, recording in enumerate(recordings, start=1):
        try:
            require_video(recording)
            store.get(recording)
            good.append(recording)
        except ValueError as error:
            problems.append(str(error))
        progress(number, len(recordings))
    if len(problems) > max_bad_share * len(recordings):
        reasons = "; ".join(problems[:3])
        raise ValueError(
            f"{len(problems)} of {len(recordings)} videos cannot be read: {reasons}; repair them or take them out of the table "
            f"(max_bad_share: {max_bad_share})"
        )
    return good, problems
