"""Read shards from a path or URL through webdataset, sample by sample; no shard is ever held whole."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.remote import open_stream
from augment.shards.tar import FORMAT, MANIFEST, Sample, read_manifest, require_end

from .epoch_plan import WorkerPlan

WEBDATASET = ("pipe:", "http://", "https://")
"""URLs that webdataset opens; others are fsspec's."""
MEMBERS = ("json", "mp4", "npz", "mask.mp4")
"""Members that are read; a sample's further layers are passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardUrl:
    """One tar somewhere."""

    url: str
    """A path, or a URL that webdataset or fsspec opens."""
    samples: int


def find_shards(source: str | Path | Sequence[str | Path], *, count: bool = True) -> list[ShardUrl]:
    """The tars of a source with their numbers of samples.

    Args:
        source: A folder of shards, or its URL (http's ending in ``/``), whose ``manifest.json`` is read; or tars, by path, URL
            or with braces (``http://host/clips-{000000..000009}.tar``), whose headers are read once to count their samples.
            Several as a list.
        count: Count the samples of tars; else only those of a folder are known, and the others 0.
    Raises:
        ValueError: If a source cannot be read, holds no samples, or is no tar.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    found = [shard for one in sources for shard in _shards_of(str(one), count=count)]
    if not found or (count and not sum(shard.samples for shard in found)):
        raise ValueError(f"{', '.join(map(str, sources)) or 'no source'}: no samples in it; expected shards")
    return found


def _shards_of(source: str, *, count: bool) -> list[ShardUrl]:
    from webdataset.shardlists import expand_urls

    local = _local(source)
    if local is not None and local.is_dir():
        return [ShardUrl(url=str(local / s["name"]), samples=s["samples"]) for s in read_manifest(local)["shards"]]
    if not source.startswith(WEBDATASET) and "://" in source and not source.endswith(".tar"):
        source = source.rstrip("/") + "/"
    if source.endswith("/"):
        return _remote_manifest(source)
    return [ShardUrl(url=url, samples=_count(url) if count else 0) for url in expand_urls(source)]


def _local(url: str) -> Path | None:
    """The path that a URL means; None if it lies elsewhere."""
    if "://" not in url and not url.startswith(("pipe:", "file:")):
        return Path(url).expanduser()
    return Path(url.removeprefix("file:").removeprefix("//")) if url.startswith("file:") else None


def _remote_manifest(base: str) -> list[ShardUrl]:
    try:
        with open_url(base + MANIFEST) as stream:
            manifest = json.loads(stream.read())
        if manifest["format"] != FORMAT:
            raise ValueError(f"format: expected {FORMAT}, found {manifest['format']!r}")
        return [ShardUrl(url=base + shard["name"], samples=int(shard["samples"])) for shard in manifest["shards"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{base}{MANIFEST}: not a readable manifest of finished shards ({error}); check the address, or name the tars"
        ) from error


def open_url(url: str) -> Any:
    """A stream of bytes; OSError if there is nothing."""
    from webdataset.gopen import gopen

    path = _local(url)
    if path is None:
        return gopen(url) if url.startswith(WEBDATASET) else open_stream(url)
    if not path.is_file():
        raise FileNotFoundError(2, "no such tar of shards" if path.suffix == ".tar" else "no such folder or file", str(path))
    return open(path, "rb")


def _count(url: str) -> int:
    keys = {name.partition(".")[0] for name, *_ in tar_members(url, wanted=lambda _: False)}
    if (path := _local(url)) is not None:
        require_end(path)
    return len(keys)


def tar_members(url: str, *, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes, int]]:
    """A tar's files in order: name, content (read only where ``wanted(name)``), and where in the tar it begins, bytes.

    Raises:
        ValueError: If the tar is damaged, ends early, or is none.
        FileNotFoundError: If there is no such file.
    """
    count = 0
    try:
        mode: Any = "r|" if _local(url) is None else "r:"  # a file can be skipped through, a stream must be read
        with open_url(url) as stream, tarfile.open(fileobj=stream, mode=mode) as tar:
            for info in tar:
                if info.isfile():
                    member = tar.extractfile(info) if wanted(info.name) else None
                    content = member.read() if member else b""
                    if member and len(content) < info.size:
                        raise tarfile.ReadError("unexpected end of data")
                    yield info.name, content, info.offset_data
                    count += 1
                tar.members = []  # type: ignore[attr-defined]  (or they pile up)
    except FileNotFoundError:
        raise
    except (tarfile.TarError, OSError) as error:
        what = f"cut short or damaged after {count} files" if count else "not a readable tar"
        raise ValueError(f"{url}: {what} ({error}); copy it again") from error


def shard_samples(shard: ShardUrl, last: int, wanted: frozenset[int]) -> Iterator[tuple[int, Sample]]:
    """Some samples of one tar, as bytes, with their numbers in it.

    Args:
        shard: Which.
        last: Number after the last sample of interest; the rest of the tar is not read.
        wanted: Only these numbers are handed on, and held.
    Raises:
        ValueError: If the tar is damaged or ends early.
    """
    number, key, sample = -1, None, {}

    def want(name: str) -> bool:
        prefix, _, member = name.partition(".")
        return member in MEMBERS and (number if prefix == key else number + 1) in wanted

    for name, content, _ in tar_members(shard.url, wanted=want):
        prefix, _, member = name.partition(".")
        if prefix != key:
            if sample:
                yield number, sample
            number, key, sample = number + 1, prefix, {}
            if number >= last:
                return
        if number in wanted:
            sample["__key__"] = prefix
            if member in MEMBERS:
                sample[member] = content
    if sample:
        yield number, sample
    if number + 1 < last:
        raise ValueError(f"{shard.url}: cut short: holds {number + 1} of {shard.samples} samples; copy it again")


def planned_samples(
    shards: Sequence[ShardUrl], plan: WorkerPlan, *, skip: int = 0, without: frozenset[int] = frozenset()
) -> Iterator[tuple[str, int, Sample]]:
    """A worker's samples in the plan's order, as bytes: URL, number in its tar, sample.

    Args:
        shards: All shards.
        plan: Of this worker.
        skip: Samples at the beginning that are left out; shards that hold only such are not opened.
        without: Samples left out likewise, by their number in reading order.
    """
    places = [place for place in plan.order[skip:] if place not in without]
    coming = _read(shards, plan, frozenset(places))
    held: dict[int, tuple[str, int, Sample]] = {}
    for place in places:
        while place not in held:
            number, item = next(coming)
            held[number] = item
        yield held.pop(place)


def _read(
    shards: Sequence[ShardUrl], plan: WorkerPlan, wanted: frozenset[int]
) -> Iterator[tuple[int, tuple[str, int, Sample]]]:
    """The wanted samples in reading order, each with its number in that order."""
    begin = 0
    for index, first, last in plan.read:
        here = frozenset(number for number in range(first, last) if begin + number - first in wanted)
        if here:
            for number, sample in shard_samples(shards[index], last, here):
                yield begin + number - first, (shards[index].url, number, sample)
        begin += last - first
