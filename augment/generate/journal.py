"""The journal of a run: one line for each finished shard, so that a killed run continues where it stopped."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..files import remove_unfinished, write_atomic
from ..shards.tar import MANIFEST, ShardRecord, describe_shard, read_manifest

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedShard:
    """One finished shard."""

    record: ShardRecord
    """``record.samples == 0``: no clip could be made, and there is no file."""
    rejections: Counter[str] = field(default_factory=Counter)
    given_up: tuple[str, ...] = ()
    """Keys of the clips that could not be made."""
    actions: Counter[str] = field(default_factory=Counter)
    """Clips of each action in it."""

    def to_line(self) -> dict[str, Any]:
        # asdict copies a Counter by counting its items, so the counters are turned to dicts here.
        return {
            "record": asdict(self.record), "rejections": dict(self.rejections), "given_up": list(self.given_up),
            "actions": dict(self.actions),
        }  # fmt: skip


def open_journal(folder: Path, plan_sha256: str, *, part: str | None = None) -> dict[str, FinishedShard]:
    """Read which shards of a plan are finished: those whose file still has the recorded digest.

    Args:
        folder: The run's output; made if absent.
        plan_sha256: Digest of recipe, seed, code and all sources.
        part: Which part of the plan is made here, such as ``2/4``; None: all of it.
    Raises:
        ValueError: If the folder holds another run's shards, or another part's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)
    lines = manifest_lines(read_manifest(folder)) if (folder / MANIFEST).exists() else _journal_lines(folder)
    header = header_of(plan_sha256, part)
    check_header(lines, header, folder)
    finished = {shard.record.name: shard for shard in finished_of(lines[1:]) if _intact(folder, shard.record)}
    kept = [header, *(shard.to_line() for shard in finished.values())]
    write_atomic(folder / JOURNAL, "".join(json.dumps(line, sort_keys=True) + "\n" for line in kept).encode())
    return finished


def header_of(plan_sha256: str | None, part: str | None) -> dict[str, Any]:
    """The first line of a journal: whose it is."""
    return {"plan_sha256": plan_sha256} | ({"part": part} if part else {})


def check_header(lines: Sequence[dict[str, Any]], header: dict[str, Any], where: object) -> None:
    """Raises ValueError if the lines found are of another run than ``header`` says, or of another part of it."""
    if not lines or lines[0] == header:
        return
    if lines[0].get("plan_sha256") == header["plan_sha256"]:
        held, asked = (f"part {line['part']}" if "part" in line else "the whole" for line in (lines[0], header))
        raise ValueError(f"{where}: holds {held} of this run, and {asked} of it is asked for; choose another --out")
    raise ValueError(
        f"{where}: holds clips of another recipe, seed or version; choose another --out, or delete it to start anew"
    )


def finished_of(lines: Iterable[dict[str, Any]]) -> list[FinishedShard]:
    """The shards that lines of a journal or a manifest's ``finished`` describe; damaged lines are left out."""
    return [shard for line in lines if (shard := _shard_of(line)) is not None]


def _shard_of(line: dict[str, Any]) -> FinishedShard | None:
    """The shard a line describes; None if it is damaged: its shard is made again."""
    try:
        return FinishedShard(
            record=ShardRecord(**line["record"]),
            rejections=Counter(line["rejections"]),
            given_up=tuple(line["given_up"]),
            actions=Counter(line["actions"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def require_own_folder(folder: Path, known: tuple[str, ...]) -> None:
    """Raises ValueError if ``folder`` holds files other than ``known`` but neither a journal nor a manifest."""
    if not folder.exists() or (folder / MANIFEST).exists() or (folder / JOURNAL).exists():
        return
    foreign = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and path.name not in known)
    if foreign:
        raise ValueError(f"{folder}: not empty ({foreign[0]}) and not made by `augment generate`; choose another --out")


def append(folder: Path, line: dict[str, Any]) -> None:
    """Add a line and flush it to disk.

    Raises:
        OSError: If it cannot be written; the message names the path.
    """
    path = folder / JOURNAL
    try:
        with open(path, "a") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror or error}", str(path)) from error


def close_journal(folder: Path) -> None:
    """Remove the journal: the manifest now holds its content."""
    (folder / JOURNAL).unlink(missing_ok=True)


def _intact(folder: Path, record: ShardRecord) -> bool:
    if record.samples == 0:
        return True
    path = folder / record.name
    return path.exists() and describe_shard(path, samples=record.samples) == record


def manifest_lines(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """A finished run's manifest as journal lines."""
    part = manifest.get("part")
    header = header_of(manifest.get("plan_sha256"), f"{part['number']}/{part['of']}" if part else None)
    return [header, *manifest.get("finished", [])]


def _journal_lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / JOURNAL
    if not path.exists():
        return []
    lines = []
    for text in path.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            # A killed run may leave an incomplete last line; its shard is made again.
            break
    return lines
