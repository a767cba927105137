"""Read samples of shards as recordings, without decoding them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from augment.shards.tar import member_offsets, read_shard, shard_paths
from augment.types import Segment

from .leaks import declares_sources, named_sources
from .recordings import Place, Recording


def read_samples(source: Path) -> list[Recording]:
    """The samples of shards (a finished folder, or one tar).

    Raises:
        ValueError: If the folder is unfinished, a tar is unreadable or cut short, or a sample lacks a member or field.
        OSError: If there is no such folder or file.
    """
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


def streamed_recording(url: str, sample: Mapping[str, Any]) -> Recording:
    """A sample of a stream, whose members are bytes.

    Raises:
        ValueError: If it lacks a member or field.
    """
    try:
        meta = json.loads(sample["json"]) if "json" in sample else {}
    except ValueError as error:
        raise ValueError(f"{url}: sample {sample['__key__']!r}: its json is damaged ({error})") from error
    known = {"__key__": sample["__key__"], **({"json": meta} if "json" in sample else {})}
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
