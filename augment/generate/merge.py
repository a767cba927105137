"""Parts of a run joined to what one process would have made: the same shards, sheet, coverage and manifest."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import open_atomic
from ..progress import track
from ..shards.tar import describe_shard, read_manifest
from .contact import chosen
from .coverage import RoomOutline, outline_from_json
from .finish import Outcome, write_end
from .journal import FinishedShard, append, finished_of, open_journal, require_own_folder
from .motion_pool import POOL, Pool, join_pools, pool_of
from .parts import row_path
from .rooms import SCENES

FACTS = ("recipe_sha256", "seed", "scenes", "sources", "version", "code_sha256", "format")
"""What parts of one run have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePart:
    """A finished part."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def number(self) -> int:
        return self.manifest["part"]["number"]


def merge(folders: Sequence[Path], out: Path) -> dict[str, Any]:
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
    require_own_folder(out, (SCENES, POOL))
    finished = open_journal(out, manifest["plan_sha256"])
    lines = [(part, shard) for part in parts for shard in finished_of(part.manifest["finished"])]
    for part, shard in track(lines, "shards", total=len(lines)):
        if shard.record.name not in finished:
            _take_shard(part, shard, out)
            append(out, shard.to_line())
    if (parts[0].folder / SCENES).is_dir():
        shutil.copytree(parts[0].folder / SCENES, out / SCENES, dirs_exist_ok=True)
    names = {key: (name, part) for part in parts for key, name in part.manifest["part"]["rows"].items()}
    keys = chosen({key: name for key, (name, _) in names.items()}, names)
    outcome = Outcome(
        name=manifest["name"], plan_sha256=manifest["plan_sha256"], facts={name: manifest[name] for name in FACTS},
        planned=sum(part.manifest["planned"] for part in parts), rooms=_rooms(manifest),
        shards=sorted((shard for _, shard in lines), key=lambda shard: shard.record.name), pool=_join_motions(parts, out),
    )  # fmt: skip
    return write_end(out, outcome, [_read_row(names[key][1], key) for key in keys])


def read_parts(folders: Sequence[Path]) -> list[MadePart]:
    """All parts of one run, in order.

    Raises:
        ValueError: As ``merge``.
    """
    parts = [MadePart(folder=Path(folder), manifest=read_manifest(Path(folder))) for folder in folders]
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
    source, target = part.folder / shard.record.name, out / shard.record.name
    if not source.exists() or describe_shard(source, samples=shard.record.samples) != shard.record:
        number, of = part.number, part.manifest["part"]["of"]
        raise ValueError(f"{source}: missing or changed since it was made; run part {number}/{of} again")
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
    join_pools([part.folder / POOL for part in pooled], out / POOL)
    failed = {name: reasons for part in pooled for name, reasons in part.manifest["part"]["failed_motions"].items()}
    return pool_of(out / POOL, {name: Counter(reasons) for name, reasons in failed.items()})


def _rooms(manifest: dict[str, Any]) -> dict[str, RoomOutline]:
    return {digest: outline_from_json(fields) for digest, fields in manifest["part"]["rooms"].items()}


def _read_row(part: MadePart, key: str) -> bytes:
    path = row_path(part.folder, key)
    if not path.exists():
        raise ValueError(f"{path}: missing; run part {part.number}/{part.manifest['part']['of']} again")
    return path.read_bytes()
