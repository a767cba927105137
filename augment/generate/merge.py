"""Parts of a run joined to what one process would have made: the same shards, sheet, coverage and manifest."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..files import open_atomic
from ..progress import track
from ..remote import Remote, copy_folder, local_copy, read_bytes
from ..shards.tar import describe_shard, read_manifest
from .contact import chosen
from .coverage import RoomOutline, covered, outline_from_json, read_takes
from .finish import Outcome, write_end
from .journal import FinishedShard, finished_of
from .motion_pool import POOL, Pool, join_pools, pool_of
from .output import output_to
from .parts import row_name
from .rooms import SCENES

FACTS = ("recipe_sha256", "seed", "scenes", "sources", "version", "code_sha256", "format")
"""What parts of one run have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePart:
    """A finished part."""

    folder: Path | Remote
    manifest: dict[str, Any]

    @property
    def number(self) -> int:
        return self.manifest["part"]["number"]


def merge(folders: Sequence[Path | Remote], out: Path | Remote) -> dict[str, Any]:
    """Join all parts of a run.

    Args:
        folders: What ``generate(..., part=...)`` made, in any order. They stay; on the same disk shards are
            linked, not copied.
        out: Folder for the whole run; what an interrupted merge left there is completed.
    Returns:
        The manifest, that of a run in one process.
    Raises:
        ValueError: If a part is missing, there twice, unfinished, damaged, or of another run.
    """
    parts = read_parts(folders)
    manifest = parts[0].manifest
    output = output_to(out)
    output.require_own((SCENES, POOL))
    finished, takes = output.open(manifest["plan_sha256"], None), {}
    lines = [(part, shard) for part in parts for shard in finished_of(part.manifest["finished"])]
    if len(finished) == len(lines) and (whole := output.manifest()) is not None:
        return whole
    output.reopen()
    planned = sum(part.manifest["planned"] for part in parts)
    shown = covered(sorted(shard.record.name for _, shard in lines), planned)
    for part, shard in track(lines, "shards", total=len(lines)):
        if shard.record.name not in finished:
            _take_shard(part, shard, output.folder)
            if shard.record.name in shown and shard.record.samples:
                takes[shard.record.name] = list(read_takes([output.folder / shard.record.name]))
            output.add(shard)
    copy_folder(parts[0].folder, SCENES, output.folder / SCENES)
    names = {key: (name, part) for part in parts for key, name in part.manifest["part"]["rows"].items()}
    keys = chosen({key: name for key, (name, _) in names.items()}, names)
    outcome = Outcome(
        name=manifest["name"], plan_sha256=manifest["plan_sha256"], facts={name: manifest[name] for name in FACTS},
        planned=planned, rooms=_rooms(manifest),
        shards=sorted((shard for _, shard in lines), key=lambda shard: shard.record.name),
        pool=_join_motions(parts, output.folder),
    )  # fmt: skip
    return write_end(output, outcome, [_read_row(names[key][1], key) for key in keys], takes)


def read_parts(folders: Sequence[Path | Remote]) -> list[MadePart]:
    """All parts of one run, in order.

    Raises:
        ValueError: As ``merge``.
    """
    parts = [MadePart(folder=folder, manifest=read_manifest(folder)) for folder in folders]
    if not parts:
        raise ValueError("no parts given; name the folders that `augment generate --part` wrote")
    for part in parts:
        if "part" not in part.manifest:
            raise ValueError(f"{part.folder}: a whole run, not a part of one; leave it out")
    first = parts[0]
    for part in parts[1:]:
        for name in FACTS:
            if part.manifest[name] != first.manifest[name]:
                raise ValueError(
                    f"{part.folder}: not of the run of {first.folder}: {name} differs; make all parts from one recipe, "
                    "seed and version"
                )
        if part.manifest["part"]["of"] != first.manifest["part"]["of"]:
            raise ValueError(
                f"{part.folder}: one of {part.manifest['part']['of']} parts, {first.folder} one of "
                f"{first.manifest['part']['of']}; make all with the same --part i/n"
            )
    found: dict[int, MadePart] = {}
    for part in parts:
        if twice := found.get(part.number):
            raise ValueError(f"part {part.number} is given twice: {twice.folder} and {part.folder}; leave one out")
        found[part.number] = part
    of = first.manifest["part"]["of"]
    if missing := [f"{number}/{of}" for number in range(1, of + 1) if number not in found]:
        raise ValueError(f"missing of {of} parts: {', '.join(missing)}; name their folders too")
    return [found[number] for number in sorted(found)]


def _take_shard(part: MadePart, shard: FinishedShard, out: Path) -> None:
    """Bring one shard over, if its bytes are those its part's manifest vouches for."""
    if not shard.record.samples:
        return
    target = out / shard.record.name
    try:
        with local_copy(part.folder, shard.record.name) as source:
            if describe_shard(source, samples=shard.record.samples) != shard.record:
                raise FileNotFoundError
            _link(source, target)
    except FileNotFoundError as error:
        raise ValueError(
            f"{part.folder / shard.record.name}: missing or changed since it was made; run part {part.number}/"
            f"{part.manifest['part']['of']} again"
        ) from error


def _link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy of it."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        with open_atomic(target) as copy, open(source, "rb") as original:
            shutil.copyfileobj(original, copy, 1 << 20)


def _join_motions(parts: Sequence[MadePart], out: Path) -> Pool | None:
    """The motions that clips share, of all parts."""
    pooled = [part for part in parts if part.manifest["motions"] is not None]
    if not pooled:
        return None
    with TemporaryDirectory(prefix="understudy-") as scratch:
        folders = []
        for part in pooled:
            folders.append(part.folder / POOL if isinstance(part.folder, Path) else Path(scratch) / str(part.number))
            if isinstance(part.folder, Remote):
                copy_folder(part.folder, POOL, folders[-1])
        join_pools(folders, out / POOL)
    failed = {name: reasons for part in pooled for name, reasons in part.manifest["part"]["failed_motions"].items()}
    return pool_of(out / POOL, {name: Counter(reasons) for name, reasons in failed.items()})


def _rooms(manifest: dict[str, Any]) -> dict[str, RoomOutline]:
    return {digest: outline_from_json(fields) for digest, fields in manifest["part"]["rooms"].items()}


def _read_row(part: MadePart, key: str) -> bytes:
    name = row_name(key)
    try:
        return read_bytes(part.folder, name)
    except FileNotFoundError as error:
        raise ValueError(
            f"{part.folder / name}: missing; run part {part.number}/{part.manifest['part']['of']} again"
        ) from error
