"""Read samples of shards as recordings, without decoding them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from augment.shards.tar import member_offsets, read_shard, shard_paths
from augment.types import Segment

from .leaks import declares_sources, named_sources
from .recordings import Place, Recording
from .shard_stream import MEMBERS, ShardUrl, find_shards, tar_members


def read_samples(source: Path | str) -> list[Recording]:
    """The samples of shards (a finished folder, or one tar).

    Args:
        source: A path, or a URL as ``shard_stream.find_shards`` takes it, which is read through once; of its samples nothing
            is kept but labels and where their members are.
    Raises:
        ValueError: If the folder is unfinished, a tar is unreadable or cut short, or a sample lacks a member or field.
        OSError: If there is no such folder or file.
    """
    if isinstance(source, str):
        return [recording for shard in find_shards(source, count=False) for recording in _remote_samples(shard)]
    if not source.exists():
        raise FileNotFoundError(2, "no such folder or tar of shards", str(source))
    recordings = []
    for path in shard_paths(source):
        offsets = member_offsets(path)
        for sample in read_shard(path, members=("json",)):
            places = {member: (offset, size) for member, offset, size in offsets[sample["__key__"]]}
            recordings.append(_recording(path, sample, places))
    if not recordings:
        raise ValueError(f"{source}: no samples in it")
    return recordings


def _remote_samples(shard: ShardUrl) -> list[Recording]:
    """The samples of a tar behind a URL, in one reading."""
    found: list[Recording] = []
    members: dict[str, tuple[int, int, str]] = {}
    key, text = "", b""

    def finish() -> None:
        if members:
            places = {name: (offset, size) for name, (offset, size, _) in members.items()}
            found.append(
                _elsewhere(shard.url, _recording(Path(shard.url), _sample(shard.url, key, text, members), places), members)
            )

    for name, content, offset in tar_members(shard.url, wanted=lambda name: name.partition(".")[2] in MEMBERS):
        prefix, _, member = name.partition(".")
        if prefix != key:
            finish()
            key, text, members = prefix, b"", {}
        if member in MEMBERS:
            members[member] = (offset, len(content), hashlib.sha256(content).hexdigest())
            text = content if member == "json" else text
    finish()
    if shard.samples and len(found) < shard.samples:
        raise ValueError(f"{shard.url}: cut short: holds {len(found)} of {shard.samples} samples; copy it again")
    return found


def _elsewhere(url: str, recording: Recording, members: Mapping[str, tuple[int, int, str]]) -> Recording:
    """A recording whose members are read from a URL."""

    def placed(place: Place | None, name: str) -> Place | None:
        return place and replace(place, url=url, known=members[name][2])

    return replace(
        recording, url=url, known=members["mp4" if recording.has_video else "npz"][2],
        keypoints=placed(recording.keypoints, "npz"), mask=placed(recording.mask, "mask.mp4"),
    )  # fmt: skip


def _sample(url: str, key: str, text: bytes, members: Container[str]) -> dict[str, Any]:
    """A sample's key and its parsed json, if it has one."""
    try:
        return {"__key__": key, **({"json": json.loads(text)} if "json" in members else {})}
    except ValueError as error:
        raise ValueError(f"{url}: sample {key!r}: its json is damaged ({error})") from error


def streamed_recording(url: str, sample: Mapping[str, Any]) -> Recording:
    """A sample of a stream, whose members are bytes.

    Raises:
        ValueError: If it lacks a member or field.
    """
    known = _sample(url, sample["__key__"], sample.get("json", b""), sample)
    found = _recording(Path(url), known, {name: (0, 0) for name in sample if not name.startswith("__")})
    digest = hashlib.sha256(b"".join(sample[name] for name in sorted(sample) if isinstance(sample[name], bytes))).hexdigest()
    path = found.path / str(sample["__key__"]) / digest  # what is kept of a recording is found by its place
    npz, mask = (Place(path=path, content=sample[name]) if name in sample else None for name in ("npz", "mask.mp4"))
    return replace(found, path=path, member=None, content=sample.get("mp4", sample.get("npz")), keypoints=npz, mask=mask)


def _recording(path: Path, sample: Mapping[str, Any], places: Mapping[str, tuple[int, int]]) -> Recording:
    """A sample of a tar; ``places`` gives offset and size of its members."""
    key = sample["__key__"]
    if "json" not in sample or not {"mp4", "npz"} & set(places):
        raise ValueError(f"{path}: sample {key!r} has {', '.join(sorted(places))}; expected json, and mp4 or npz")
    meta = sample["json"]
    try:
        segments = tuple(Segment(**segment) for segment in meta["segments"])
        fps, frames = float(meta["fps"]), int(meta["frames"])
        synthetic, provenance = bool(meta["is_synthetic"]), meta.get("provenance", {})
        size = (int(meta["width"]), int(meta["height"])) if "width" in meta and "height" in meta else None
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: sample {key!r}: its json lacks or misnames a field ({error})") from error
    group = f"{path.resolve()}:{key}" if synthetic else str(provenance.get("group") or provenance.get("video") or key)
    return Recording(
        name=f"{path.stem}/{key}",
        path=path,
        member=places.get("mp4") or places["npz"],
        has_video="mp4" in places,
        keypoints=Place(path=path, member=places["npz"]) if "npz" in places else None,
        mask=Place(path=path, member=places["mask.mp4"]) if "mask.mp4" in places else None,
        size=size,
        fps=fps,
        frames=frames,
        segments=segments,
        is_synthetic=synthetic,
        group=group,
        row={"action": str(meta.get("label", ""))},
        sources=frozenset(named_sources(provenance)),
        declares_sources=declares_sources(provenance),
    )
