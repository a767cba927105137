"""Shards: WebDataset tars of labelled clips; write, read, manifest.

A sample is a plain dict ``{"__key__": str, "mp4": bytes, "json": bytes, "npz": bytes, ...}`` (see ``sample.SCHEMA``); a shard
is a tar of them, members of one sample adjacent and named ``KEY.ext``. Stock ``webdataset`` reads it with ``.decode()``. The
manifest is written last: a folder without one is unfinished.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import canonical_json, open_atomic, parse_json, write_atomic
from ..remote import Remote, read_bytes
from .sample import Sample, decode_sample, require_key

MANIFEST = "manifest.json"
"""Written last; it holds the digest of every shard."""
INDEX = "index.json"
"""``wids`` random-access index (shard url, samples, size, md5)."""
SHARD_NAME = "clips-{:06d}.tar"
FORMAT = "understudy-shards-1"
TAR_END = 1024
"""Bytes of zeros that a tar ends with, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """One shard's entry in the manifest."""

    name: str
    samples: int
    bytes: int
    sha256: str
    md5: str


def write_shard(path: Path, samples: Iterable[Sample]) -> ShardRecord:
    """Write one tar: to a temporary name, fsync, rename. The same samples give the same bytes.

    Raises:
        OSError: If it cannot be written; the temporary file is removed and the message names the path.
        ValueError: For a bad or repeated key.
    """
    seen: set[str] = set()
    with open_atomic(path) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            key = require_key(sample["__key__"])
            if key in seen:
                raise ValueError(f"{path}: two samples are called {key!r}")
            seen.add(key)
            for member in sorted(name for name in sample if not name.startswith("__")):
                info = tarfile.TarInfo(f"{key}.{member}")
                info.size, info.mtime, info.mode = len(sample[member]), 0, 0o644
                tar.addfile(info, io.BytesIO(sample[member]))
    return describe_shard(path, samples=len(seen))


def describe_shard(path: Path, *, samples: int) -> ShardRecord:
    """Digests and size of a file on disk."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
            md5.update(block)
    return ShardRecord(
        name=path.name, samples=samples, bytes=path.stat().st_size, sha256=sha256.hexdigest(), md5=md5.hexdigest()
    )


def write_manifest(folder: Path, records: Iterable[ShardRecord], **details: Any) -> dict[str, Any]:
    """Write the random-access index and, last of all, the manifest. ``details`` (recipe digest, rejections, ...) go in too."""
    records = sorted(records, key=lambda record: record.name)
    shardlist = [{"url": r.name, "nsamples": r.samples, "filesize": r.bytes, "md5sum": r.md5} for r in records]
    name = str(details.get("name", folder.name))
    index = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": name, "shardlist": shardlist}
    write_atomic(folder / INDEX, canonical_json(index))
    shards = [{"name": r.name, "samples": r.samples, "bytes": r.bytes, "sha256": r.sha256} for r in records]
    manifest = {"format": FORMAT, "shards": shards, "samples": sum(r.samples for r in records), **details}
    write_atomic(folder / MANIFEST, canonical_json(manifest))
    return manifest


def read_manifest(folder: Path | Remote) -> dict[str, Any]:
    """The manifest of a finished folder.

    Raises:
        ValueError: If there is none (unfinished), it is of another format, or it does not describe its shards.
    """
    path = folder / MANIFEST
    try:
        data = read_bytes(folder, MANIFEST)
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: no {MANIFEST}: unfinished; run the same `augment generate` again to finish it") from error
    remedy = "if `augment generate` wrote it, delete it and run the same command again"
    manifest = parse_json(data, str(path), format=FORMAT, remedy=remedy)
    shards = manifest.get("shards")
    if not isinstance(manifest.get("samples"), int) or not isinstance(shards, list) or not all(map(_is_record, shards)):
        raise ValueError(
            f"{path}: expected `samples` and a list `shards` of name, samples, bytes and sha256, found something else; "
            "delete it and run the same `augment generate` again"
        )
    return manifest


def _is_record(entry: Any) -> bool:
    kinds = {"name": str, "samples": int, "bytes": int, "sha256": str}
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in kinds.items())


def read_shard(path: Path, *, decode: bool = True, members: tuple[str, ...] | None = None) -> Iterator[Sample]:
    """The samples of one tar, in order.

    Args:
        path: A ``.tar``.
        decode: ``mp4`` to (t, h, w, 3) uint8, ``json`` to dict, ``npz`` to dict of arrays; otherwise bytes.
        members: Only these are read (and decoded); all by default. ``("json",)`` lists labels without touching video.
    Raises:
        ValueError: If it is not a readable tar.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            sample: Sample = {}
            for info in tar:
                if not info.isfile():
                    continue
                key, _, member = info.name.partition(".")
                if sample and key != sample["__key__"]:
                    yield decode_sample(sample) if decode else sample
                    sample = {}
                sample["__key__"] = key
                if members is None or member in members:
                    stream = tar.extractfile(info)
                    assert stream is not None
                    sample[member] = stream.read()
            if sample:
                yield decode_sample(sample) if decode else sample
    except tarfile.TarError as error:
        raise ValueError(f"{path}: not a readable tar ({error})") from error


def shard_paths(source: Path) -> list[Path]:
    """The tars of a finished folder in the manifest's order, or the one tar given."""
    if source.is_dir():
        return [source / shard["name"] for shard in read_manifest(source)["shards"]]
    return [source]


def member_offsets(path: Path) -> dict[str, list[tuple[str, int, int]]]:
    """Where each sample's members lie in a tar: key to [(member, offset, size)].

    Raises:
        ValueError: If it is not a readable tar, or cut short.
    """
    offsets: dict[str, list[tuple[str, int, int]]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                key, _, member = info.name.partition(".")
                offsets.setdefault(key, []).append((member, info.offset_data, info.size))
    except tarfile.TarError as error:
        what = f"cut short or damaged after {len(offsets)} samples" if offsets else "not a readable tar"
        raise ValueError(f"{path}: {what} ({error}); copy it again") from error
    require_end(path)
    return offsets


def require_end(path: Path) -> None:
    """Refuse a tar without its end, blocks of zeros: it may have been cut between two samples, where no header tells.

    Raises:
        ValueError: If it has none.
        OSError: If it cannot be read.
    """
    with open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAR_END))
        if stream.read().strip(b"\0"):
            raise ValueError(f"{path}: cut short: it lacks the zeros that a tar ends with; copy it again")
