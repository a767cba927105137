"""Where a run goes: a folder, or a folder behind a URL that finished shards are sent to. The manifest comes last in both."""

from __future__ import annotations

import json
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import cache_dir, canonical_json, remove_unfinished, sha256_of
from ..remote import Remote, Stored, local_copy
from ..shards.tar import INDEX, MANIFEST, read_manifest
from .journal import (
    FinishedShard,
    append,
    check_header,
    close_journal,
    finished_of,
    header_of,
    manifest_lines,
    open_journal,
    require_own_folder,
)

NOTES = "journal"
"""Folder behind the URL: a small file for each finished shard, until the manifest takes them over."""
PLAN = f"{NOTES}/plan.json"


@dataclass(frozen=True, slots=True)
class LocalOutput:
    """A folder on this machine."""

    folder: Path
    """Where shards are written, and what workers read."""

    def require_own(self, known: tuple[str, ...]) -> None:
        """Raises ValueError if there are files other than ``known``, but no run."""
        require_own_folder(self.folder, known)

    def open(self, plan_sha256: str, part: str | None) -> dict[str, FinishedShard]:
        """The finished shards of a plan; see ``journal.open_journal``."""
        return open_journal(self.folder, plan_sha256, part=part)

    def manifest(self) -> dict[str, Any] | None:
        """That of a finished run."""
        return read_manifest(self.folder) if (self.folder / MANIFEST).exists() else None

    def reopen(self) -> None:
        """The run is not finished after all: without its manifest it counts as such."""
        (self.folder / MANIFEST).unlink(missing_ok=True)

    def add(self, shard: FinishedShard) -> None:
        """A shard was written to the folder."""
        append(self.folder, shard.to_line())

    def shard(self, name: str) -> AbstractContextManager[Path]:
        """A finished shard as a file."""
        return local_copy(self.folder, name)

    def close(self) -> None:
        """All is finished, and the manifest is in the folder unless it was finished before."""
        close_journal(self.folder)


@dataclass(frozen=True, slots=True)
class RemoteOutput:
    """A folder behind a URL. Shards are written to a folder here, sent when finished, and deleted here.

    A shard counts as finished once its note lies beside it: notes are written after shards, and compared with what the store
    says about them. No clock takes part in it.
    """

    remote: Remote
    folder: Path
    """On this machine, kept until the run is finished."""

    def require_own(self, known: tuple[str, ...]) -> None:
        files = self.remote.files()
        if files and MANIFEST not in files and PLAN not in files:
            raise ValueError(
                f"{self.remote}: not empty ({min(files)}) and not made by `augment generate`; choose another --out"
            )

    def open(self, plan_sha256: str, part: str | None) -> dict[str, FinishedShard]:
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self.folder)
        files, header = self.remote.files(), header_of(plan_sha256, part)
        if MANIFEST in files:
            lines = manifest_lines(read_manifest(self.remote))
        else:
            names = [name for name in files if name.startswith(f"{NOTES}/") and name != PLAN]
            notes = self.remote.read_all([PLAN, *names] if PLAN in files else [])
            lines = [line for name in (PLAN, *names) if name in notes and (line := _parsed(notes[name])) is not None]
        check_header(lines, header, self.remote)
        if PLAN not in files and MANIFEST not in files:
            self.remote.write(PLAN, canonical_json(header))
        found = {shard.record.name: shard for shard in finished_of(lines[1:])}
        return {name: shard for name, shard in sorted(found.items()) if _arrived(files.get(name), shard)}

    def manifest(self) -> dict[str, Any] | None:
        return read_manifest(self.remote) if MANIFEST in self.remote.files() else None

    def reopen(self) -> None:
        manifest = self.manifest()
        if manifest is None:
            return
        # The manifest vouched for these shards; from now on their notes do.
        header, *_ = manifest_lines(manifest)
        self.remote.write(PLAN, canonical_json(header))
        for shard in finished_of(manifest["finished"]):
            self._note(shard)
        self.remote.remove([MANIFEST])

    def add(self, shard: FinishedShard) -> None:
        if shard.record.samples:
            self.remote.put(self.folder / shard.record.name, shard.record.name)
        self._note(shard)
        (self.folder / shard.record.name).unlink(missing_ok=True)

    def shard(self, name: str) -> AbstractContextManager[Path]:
        return local_copy(self.remote, name)

    def close(self) -> None:
        files = [path.relative_to(self.folder).as_posix() for path in sorted(self.folder.rglob("*")) if path.is_file()]
        hidden = ("scenes/", ".")
        for name in files:
            if MANIFEST in files and name not in (INDEX, MANIFEST) and not name.startswith(hidden):
                self.remote.put(self.folder / name, name)
        for name in (INDEX, MANIFEST):
            if name in files:
                self.remote.put(self.folder / name, name)
        self.remote.remove([name for name in self.remote.files() if name.startswith(f"{NOTES}/")])
        shutil.rmtree(self.folder, ignore_errors=True)

    def _note(self, shard: FinishedShard) -> None:
        self.remote.write(f"{NOTES}/{shard.record.name}.json", canonical_json(shard.to_line()))


Output = LocalOutput | RemoteOutput
"""Where a run goes."""


def output_to(place: Path | Remote) -> Output:
    """The output that a path or URL names."""
    if isinstance(place, Path):
        return LocalOutput(place)
    return RemoteOutput(place, cache_dir() / "runs" / sha256_of(place.url.encode())[:16])


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _arrived(stored: Stored | None, shard: FinishedShard) -> bool:
    """Whether the store holds the shard as it was made, as far as it tells: always its size, often its MD5."""
    record = shard.record
    if record.samples == 0:
        return True
    return stored is not None and stored.size == record.bytes and stored.md5 in (None, record.md5)
