"""The end of a run, of a part, and of parts that were merged: contact sheet, coverage and manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..shards.tar import write_manifest
from .contact import SHEET, write_sheet
from .coverage import COVERAGE, RoomOutline, Take, covered, draw_coverage, figures, read_takes
from .journal import FinishedShard
from .motion_pool import Pool
from .output import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was made of a plan."""

    name: str
    """The recipe's."""
    plan_sha256: str
    """Digest of ``facts``."""
    facts: dict[str, Any]
    """What decides the bytes: digests of recipe, scenes, sources and code; seed and versions."""
    planned: int
    shards: Sequence[FinishedShard]
    """In the plan's order."""
    pool: Pool | None
    """Motions that clips share."""
    rooms: dict[str, RoomOutline]
    """By digest."""
    part: dict[str, Any] | None = None
    """See ``parts.describe_part``; None for a whole run."""


def write_end(output: Output, outcome: Outcome, rows: Sequence[bytes], takes: dict[str, list[Take]]) -> dict[str, Any]:
    """Write sheet, coverage and, last, the manifest; the journal is removed.

    Args:
        output: Where the shards are.
        outcome: What was made.
        rows: Of the contact sheet.
        takes: Of shards by name; those of others are read from them.
    Returns:
        The manifest.
    Raises:
        ValueError: If no clip of a whole run could be made.
    """
    out, shards, pool = output.folder, outcome.shards, outcome.pool
    records = [shard.record for shard in shards if shard.record.samples]
    rejections = sum((shard.rejections for shard in shards), pool.rejections if pool else Counter())
    if not records and outcome.part is None:
        reasons = "; ".join(f"{reason} ({count}x)" for reason, count in rejections.most_common(3))
        raise ValueError(f"{outcome.name}: none of {outcome.planned} clips could be made: {reasons}")
    if rows:
        write_sheet(rows, out / SHEET)
    manifest = write_manifest(
        out, records, name=outcome.name, plan_sha256=outcome.plan_sha256, **outcome.facts, planned=outcome.planned,
        actions=dict(sum((shard.actions for shard in shards), Counter())), rejections=dict(rejections),
        given_up=[key for shard in shards for key in shard.given_up], finished=[shard.to_line() for shard in shards],
        coverage=_write_coverage(output, outcome, takes), motions=pool.describe() if pool else None,
        **({} if outcome.part is None else {"part": outcome.part}),
    )  # fmt: skip
    output.close()
    return manifest


def _write_coverage(output: Output, outcome: Outcome, takes: dict[str, list[Take]]) -> dict[str, Any] | None:
    """Draw what the clips cover; the numbers behind it and the picture's name, for the manifest."""
    made = {shard.record.name for shard in outcome.shards if shard.record.samples}
    names = [name for name in covered([shard.record.name for shard in outcome.shards], outcome.planned) if name in made]
    shown = [take for name in names for take in (takes[name] if name in takes else _takes_of(output, name))]
    if not shown:
        return None
    draw_coverage(shown, outcome.rooms, output.folder / COVERAGE)
    return {"picture": COVERAGE, **figures(shown)}


def _takes_of(output: Output, name: str) -> list[Take]:
    with output.shard(name) as path:
        return list(read_takes([path]))
