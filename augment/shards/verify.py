"""Check shards: digests, schema, shapes, labels, segments, video. Each problem is one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..actions import require_action_name, require_label
from ..files import DAMAGED_NPZ
from ..remote import Remote, file_names, local_copy, read_bytes
from .sample import DECODERS, ENCODERS, KEY_PATTERN, LAYERS, SCHEMA, Sample
from .tar import INDEX, describe_shard, read_manifest, read_shard

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list,), "dict": (dict,),
}  # fmt: skip
"""Schema kind to the Python types JSON may give for it."""


def verify(folder: Path | Remote, *, decode_frames: bool = True) -> list[str]:
    """Check a folder of shards against its manifest and the schema.

    Args:
        folder: What ``augment generate --out`` wrote. Behind a URL, one shard after the other is fetched.
        decode_frames: Decode every video and count its frames (slow and thorough); otherwise videos are only sized.
    Returns:
        One line for each problem; empty if there is none.
    """
    if isinstance(folder, Path) and not folder.is_dir():
        return [f"{folder}: no such folder"]
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        return [str(error)]
    seen: dict[str, str] = {}
    listed = {shard["name"] for shard in manifest["shards"]}
    tars = [name for name in file_names(folder) if name.endswith(".tar") and "/" not in name]
    problems = [f"{folder / name}: not in the manifest" for name in tars if name not in listed]
    for shard in manifest["shards"]:
        if shard["name"] not in tars:
            problems.append(f"{folder / shard['name']}: missing; run the same `augment generate` again to remake it")
            continue
        with local_copy(folder, shard["name"]) as path:
            problems += _shard_problems(path, str(folder / shard["name"]), shard, seen=seen, decode_frames=decode_frames)
    total = sum(shard["samples"] for shard in manifest["shards"])
    if manifest.get("samples") != total:
        problems.append(f"{folder}: manifest counts {manifest.get('samples')} samples, its shards {total}")
    return problems + list(index_problems(folder, manifest))


def _shard_problems(
    path: Path, where: str, shard: dict[str, Any], *, seen: dict[str, str], decode_frames: bool
) -> Iterator[str]:
    """Problems of one shard against its line in the manifest; ``where`` is what users know its path as."""
    actual = describe_shard(path, samples=shard["samples"])
    if actual.sha256 != shard["sha256"]:
        yield (
            f"{where}: digest differs from the manifest ({actual.bytes} bytes, {shard['bytes']} expected); "
            "delete it and run the same `augment generate` again"
        )
    found, problems = verify_shard(path, seen=seen, decode_frames=decode_frames)
    yield from (problem.replace(str(path), where) for problem in problems)
    if found != shard["samples"]:
        yield f"{where}: {found} samples, the manifest says {shard['samples']}"


def verify_shard(path: Path, *, seen: dict[str, str], decode_frames: bool) -> tuple[int, list[str]]:
    """Check one tar. ``seen`` (key to shard) is updated, so that duplicate keys are found across shards.

    Returns:
        Number of samples read, and the problems.
    """
    count, problems = 0, []
    try:
        for sample in read_shard(path, decode=False):
            count += 1
            key = sample["__key__"]
            if key in seen:
                problems.append(f"{path}: {key}: key used before, in {seen[key]}")
            seen[key] = path.name
            problems += [f"{path}: {key}: {problem}" for problem in sample_problems(sample, decode_frames=decode_frames)]
    except (ValueError, OSError, EOFError) as error:
        problems.append(str(error) if str(path) in str(error) else f"{path}: {error}")
    return count, problems


def sample_problems(sample: Sample, *, decode_frames: bool = True) -> Iterator[str]:
    """Problems of one raw sample."""
    if not KEY_PATTERN.fullmatch(sample["__key__"]):
        yield "key has characters other than letters, digits, '_' and '-'"
    known = {field.member for field in SCHEMA.values()}
    for member in sample:
        if not member.startswith("__") and member not in known:
            yield f"unknown member .{member}; expected {', '.join(sorted(known))}"
    meta, lost = _decoded(sample, "json")
    yield from lost
    if not isinstance(meta, dict):
        return
    yield from json_problems(meta)
    if not isinstance(meta.get("frames"), int):
        return
    sizes: dict[str, int] = {"t": meta["frames"], "h": meta.get("height", 0), "w": meta.get("width", 0)}
    if meta.get("is_synthetic", True) or "npz" in sample:
        arrays, lost = _decoded(sample, "npz")
        yield from lost
        if isinstance(arrays, dict):
            yield from npz_problems(arrays, sizes)
    members = {"rgb": "mp4"} | {name: member for name, (member, _) in ENCODERS.items()}
    layers = meta.get("layers", ["rgb"])
    for name in layers if isinstance(layers, list) else ():
        if name not in LAYERS:
            yield f"json: layers: {name!r} is not one of: {', '.join(LAYERS)}"
        elif name in members and members[name] not in sample:
            yield f"member .{members[name]} is missing"
    for member in members.values() if decode_frames else ():
        if member not in sample:
            continue
        value, lost = _decoded(sample, member)
        yield from lost
        expected = tuple(sizes.get(str(size), size) for size in SCHEMA[member].shape)
        if value is not None and value.shape != expected:
            yield f"{member}: shape {value.shape}, expected {expected}"
        elif value is not None and member.endswith(".npz") and value.dtype != SCHEMA[member].kind:
            yield f"{member}: {value.dtype}, expected {SCHEMA[member].kind}"


def json_problems(meta: dict[str, Any]) -> Iterator[str]:
    """Check the ``json`` member: fields, types, names, segments. Any well-formed name of an action or label is valid."""
    wrong = set()
    for name, field in SCHEMA.items():
        if field.member != "json":
            continue
        value = meta.get(name)
        kinds = JSON_TYPES[field.kind]
        if name not in meta:
            if field.required:
                wrong.add(name)
                yield f"json: {name} is missing"
        elif not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wrong.add(name)
            yield f"json: {name} is {type(value).__name__}, expected {field.kind}"
    for name in meta.keys() - SCHEMA.keys():
        yield f"json: unknown field {name!r}"
    if "label" not in wrong:
        yield from _malformed(require_action_name, meta["label"], "json: label")
    if not wrong & {"segments", "fps", "frames"}:
        if not 0 < meta["fps"] < math.inf or meta["frames"] <= 0:
            yield f"json: fps {meta['fps']} and frames {meta['frames']} must be positive numbers"
        else:
            yield from segment_problems(meta["segments"], seconds=meta["frames"] / meta["fps"], tolerance=1 / meta["fps"])


def segment_problems(segments: list[Any], *, seconds: float, tolerance: float) -> Iterator[str]:
    """Segments must be well formed, in order, and cover 0..seconds without gap or overlap (to 1 ms; ends to a frame)."""
    if not segments:
        yield "segments: none; they must cover the clip"
        return
    end = 0.0
    for number, segment in enumerate(segments):
        if not isinstance(segment, dict) or segment.keys() != {"label", "start_sec", "end_sec"}:
            yield f"segments[{number}]: expected label, start_sec, end_sec, found {segment}"
            return
        times = (segment["start_sec"], segment["end_sec"])
        if not all(isinstance(time, int | float) and math.isfinite(time) for time in times):
            yield f"segments[{number}]: expected seconds for start_sec and end_sec, found {times[0]!r} and {times[1]!r}"
            return
        yield from _malformed(require_label, segment["label"], f"segments[{number}]: label")
        if abs(segment["start_sec"] - end) > 1e-3:
            yield f"segments[{number}]: starts at {segment['start_sec']:.3f} s, expected {end:.3f} s (gap or overlap)"
        if segment["end_sec"] <= segment["start_sec"]:
            yield f"segments[{number}]: ends at {segment['end_sec']:.3f} s, before it starts"
        end = segment["end_sec"]
    if abs(end - seconds) > tolerance + 1e-6:
        yield f"segments: end at {end:.3f} s, the clip at {seconds:.3f} s"


def npz_problems(arrays: dict[str, np.ndarray], sizes: dict[str, int]) -> Iterator[str]:
    """Check the ``npz`` member: fields, types, shapes that agree with the video, finite numbers."""
    sizes = dict(sizes)
    if "others_transl" in arrays and arrays["others_transl"].ndim:
        sizes["p"] = len(arrays["others_transl"])
    for name, field in SCHEMA.items():
        if field.member != "npz":
            continue
        if name not in arrays:
            if field.required:
                yield f"npz: {name} is missing"
            continue
        array = arrays[name]
        expected = tuple(sizes.get(str(size), size) for size in field.shape)
        others = {"T_world_camera": [(4, 4), (sizes["t"], 4, 4)], "distortion": [(4,), (5,)]}
        allowed = others.get(name, [expected])
        if array.shape not in allowed:
            yield f"npz: {name} has shape {array.shape}, expected {' or '.join(map(str, allowed))}"
        elif array.dtype != field.kind:
            yield f"npz: {name} is {array.dtype}, expected {field.kind}"
        elif not np.isfinite(array).all():
            yield f"npz: {name} holds numbers that are not finite"
    for name in arrays.keys() - {name for name, field in SCHEMA.items() if field.member == "npz"}:
        yield f"npz: unknown array {name!r}"


def index_problems(folder: Path | Remote, manifest: dict[str, Any]) -> Iterator[str]:
    """The random-access index must list what the manifest lists."""
    try:
        index = json.loads(read_bytes(folder, INDEX))
        listed = [(shard["url"], shard["nsamples"]) for shard in index["shardlist"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"{folder / INDEX}: unreadable ({error})"
        return
    if listed != [(shard["name"], shard["samples"]) for shard in manifest["shards"]]:
        yield f"{folder / INDEX}: lists other shards than the manifest"


def _malformed(require: Callable[[str], str], name: Any, where: str) -> Iterator[str]:
    """The problem of a name that is no text or that ``require`` refuses."""
    if not isinstance(name, str):
        yield f"{where} is {type(name).__name__}, expected a name"
        return
    try:
        require(name)
    except ValueError as error:
        yield f"{where}: {error}"


def _decoded(sample: Sample, member: str) -> tuple[Any, list[str]]:
    """A member's value, or None and the reason."""
    if member not in sample:
        return None, [f"member .{member} is missing"]
    try:
        return DECODERS[member](sample[member]), []
    except DAMAGED_NPZ as error:
        return None, [f"{member}: cannot be read ({error})"]
