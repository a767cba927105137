"""Motions that are there already: those of stores, of the run's pool, and of motion files; each opened once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ..actions import did_you_mean
from ..body.model import Body
from ..motion.resample import resample
from ..motion.store import read_store
from ..types import Motion


@lru_cache(maxsize=64)
def store_rows(path: Path, action: str, two: bool) -> tuple[Any, list[int]]:
    """A store and which of its motions show an action; of two people those of the first one, whom the label is about.

    Args:
        path: The store's folder.
        action: The action.
        two: Both people are wanted.
    Raises:
        ValueError: If it is no store or shows no such action.
    """
    store = read_store(path)
    rows = [index for index, row in enumerate(store.rows) if row["action"] == action]
    if not rows:
        found = ", ".join(sorted({row["action"] for row in store.rows})) or "nothing"
        hint = did_you_mean(action, {row["action"] for row in store.rows})
        raise ValueError(f"{path}: no motion of action {action!r}{hint}; it holds: {found}")
    firsts = [index for index in rows if store.rows[index].get("partner", {}).get("number", 1) == 1]
    pairs = [index for index in firsts if "partner" in store.rows[index]]
    if two and not pairs:
        raise ValueError(f"{path}: people: 2, but its motions of action {action!r} are of one person; say people: 1")
    return store, pairs if two else firsts or rows


@lru_cache(maxsize=256)
def pooled(pool: Path, name: str, fps: float | None) -> Motion:
    """A motion of the run's pool, at most at ``fps`` frames a second.

    Raises:
        ValueError: If it could not be made, or its file is missing or damaged.
    """
    store, rows = _pool_rows(pool)
    if name not in rows:
        raise ValueError("no motion could be made")
    return thinned(store[rows[name]], fps)


@lru_cache(maxsize=2)
def _pool_rows(pool: Path) -> tuple[Any, dict[str, int]]:
    store = read_store(pool)
    return store, {row["name"]: index for index, row in enumerate(store.rows)}


def thinned(motion: Motion, fps: float | None) -> Motion:
    """The motion at ``fps`` frames a second if it has more."""
    return motion if fps is None or fps >= motion.fps else resample(motion, fps)


@lru_cache(maxsize=16)
def read_motion_file(path: Path, body: Body, action: str, label: str, support: str) -> Motion:
    """The motion of a file; see ``motion.importing.read_motion``."""
    from ..motion.importing import read_motion

    return read_motion(path, body, action=action, label=label, support=support)
