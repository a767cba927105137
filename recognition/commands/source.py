"""Clips named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def source_of(data: Path, where: tuple[str, ...]) -> dict[str, Any]:
    """A source of clips as a study has it, from a CSV or shards and ``COLUMN=VALUE`` texts.

    Raises:
        ValueError: If a text has no ``=``, or there are no columns to choose by.
        OSError: If there is no such file or folder.
    """
    pairs = [text.partition("=") for text in where]
    if bad := [text for text, (_, equals, _) in zip(where, pairs, strict=True) if not equals]:
        raise ValueError(f"--where {bad[0]}: expected COLUMN=VALUE")
    if not data.exists():
        raise FileNotFoundError(2, "no such CSV, folder or tar of clips", str(data))
    kind = "csv" if data.suffix == ".csv" else "shards"
    if where and kind == "shards":
        raise ValueError(f"--where {where[0]}: it selects rows of a CSV, and {data} holds shards; leave it out")
    return {kind: str(data.resolve()), "where": {column: values.split(",") for column, _, values in pairs}}
