"""A run made in parts by several processes or machines: who makes which shards, and what a part tells ``augment merge``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..files import plain
from .coverage import RoomOutline
from .motion_pool import Pool

ROWS = "rows"
"""Folder in a part's output: its clips' rows of the contact sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Part ``number`` of ``of``, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def shards(self, names: Sequence[str]) -> list[str]:
        """This part's shards, neighbours: all parts together have each shard once, and sizes differ by one shard at most.

        Raises:
            ValueError: If there are fewer shards than parts.
        """
        if len(names) < self.of:
            raise ValueError(
                f"--part {self}: the run has {len(names)} shards; use at most so many parts, or a smaller "
                "shards.samples_per_shard"
            )
        first, last = (len(names) * number // self.of for number in (self.number - 1, self.number))
        return list(names[first:last])


def parse_part(text: str) -> Part:
    """Read ``2/4``: the second of four parts.

    Raises:
        ValueError: If it is not of that form, or there is no such part.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"--part {text}: expected i/n, i from 1 to n, such as 2/4 for the second of four parts")
    return Part(number=int(found[1]), of=int(found[2]))


def describe_part(part: Part, pool: Pool | None, rows: dict[str, str], rooms: dict[str, RoomOutline]) -> dict[str, Any]:
    """What a part's manifest says beyond a run's, for ``augment merge``.

    Args:
        part: Which.
        pool: Shared motions that it made.
        rows: Keys of its pictured clips with the names of their rows.
        rooms: The run's rooms by digest.
    """
    outlines = {digest: {name: plain_numbers(value) for name, value in asdict(room).items()} for digest, room in rooms.items()}
    failed = {name: dict(reasons) for name, reasons in pool.failed.items()} if pool else {}
    return {"number": part.number, "of": part.of, "rows": rows, "rooms": outlines, "failed_motions": failed}


def plain_numbers(value: Any) -> Any:
    """Arrays in a value as lists."""
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    return value if isinstance(value, str) else plain(value)


def row_name(key: str) -> str:
    """Where a part keeps a clip's row of the contact sheet, below its folder."""
    return f"{ROWS}/{key}.jpg"
