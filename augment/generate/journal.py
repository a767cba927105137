"""What a run has finished so far, one line a shard, so that a killed run goes on where it was."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..files import remove_unfinished, write_atomic
from ..shards.tar import MANIFEST, ShardRecord, describe_shard, read_manifest

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One finished shard."""

    record: ShardRecord
    """``record.samples == 0``: every clip was given up, and there is no file."""
    rejections: Counter[str] = field(default_factory=Counter)
    given_up: tuple[str, ...] = ()
    """Keys of the clips there are not."""
    actions: Counter[str] = field(default_factory=Counter)
    """Clips of each action in it."""

    def to_line(self) -> dict[str, Any]:
        # asdict copies a Counter by counting its items, so the counters are turned to dicts here.
        return {
            "record": asdict(self.record), "rejections": dict(self.rejections), "given_up": list(self.given_up),
            "actions": dict(self.actions),
        }  # fmt: skip

    @staticmethod
    def from_line(line: dict[str, Any]) -> Finished:
        return Finished(
            record=ShardRecord(**line["record"]),
            rejections=Counter(line["rejections"]),
            given_up=tuple(line["given_up"]),
            actions=Counter(line["actions"]),
        )


def open_journal(folder: Path, plan_sha256: str) -> dict[str, Finished]:
    """What of this plan is finished: shards whose file still has the digest that was recorded.

    Args:
        folder: The run's output; made if absent.
        plan_sha256: Stands for recipe, seed and everything drawn from.
    Raises:
        ValueError: If the folder holds another run's shards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)
    lines = _manifest_lines(folder) or _journal_lines(folder)
    header = {"plan_sha256": plan_sha256}
    if lines and lines[0] != header:
        raise ValueError(
            f"{folder}: holds clips of another recipe, seed or version; choose another --out, or delete it to start anew"
        )
    found = [shard for line in lines[1:] if (shard := _whole(line)) is not None]
    finished = {shard.record.name: shard for shard in found if _intact(folder, shard.record)}
    _rewrite(folder, [header, *(shard.to_line() for shard in finished.values())])
    return finished


def _whole(line: dict[str, Any]) -> Finished | None:
    """A line's shard; None for a line that does not describe one (a damaged disk): its shard is made again."""
    try:
        return Finished.from_line(line)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def refuse_strangers(folder: Path, own: tuple[str, ...]) -> None:
    """Raises ValueError if ``folder`` holds files but no run of ours (neither journal nor manifest)."""
    if not folder.exists() or (folder / MANIFEST).exists() or (folder / JOURNAL).exists():
        return
    strangers = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and path.name not in own)
    if strangers:
        raise ValueError(f"{folder}: not empty ({strangers[0]}) and no run of ours; choose another --out")


def append(folder: Path, line: dict[str, Any]) -> None:
    """Add a line, on disk before this returns.

    Raises:
        OSError: If the disk refuses; the message names the path.
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
    """The manifest says it all now."""
    (folder / JOURNAL).unlink(missing_ok=True)


def _intact(folder: Path, record: ShardRecord) -> bool:
    if record.samples == 0:
        return True
    path = folder / record.name
    return path.exists() and describe_shard(path, samples=record.samples) == record


def _manifest_lines(folder: Path) -> list[dict[str, Any]]:
    """A finished run's manifest as journal lines."""
    if not (folder / MANIFEST).exists():
        return []
    manifest = read_manifest(folder)
    return [{"plan_sha256": manifest.get("plan_sha256")}, *manifest.get("finished", [])]


def _journal_lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / JOURNAL
    if not path.exists():
        return []
    lines = []
    for text in path.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            # A kill may tear the last line; its shard is made again.
            break
    return lines


def _rewrite(folder: Path, lines: list[dict[str, Any]]) -> None:
    write_atomic(folder / JOURNAL, "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines).encode())
