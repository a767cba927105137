"""A tiny filmed clip, a folder of shards of such clips, and ways to write a folder anew with damage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from augment.files import canonical_json, npz_arrays, npz_bytes
from augment.shards.sample import Sample, clip_to_sample, decode_sample, motion_arrays
from augment.shards.tar import member_offsets, read_shard, shard_paths, write_manifest, write_shard
from augment.types import Camera, Clip, Motion, Segment


def tiny_clip(seed: int = 0, *, others: int = 0, frames: int = 12) -> Clip:
    rng = np.random.default_rng(seed)
    picture = np.linspace(40, 200, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    motion = Motion(
        global_orient=rng.normal(size=(frames, 3)), body_pose=rng.normal(size=(frames, 23, 3)),
        transl=rng.normal(size=(frames, 3)), betas=np.zeros(10), fps=10.0,
    )  # fmt: skip
    camera = Camera(K=np.diag([50.0, 50, 1]), T_world_camera=np.eye(4), width=64, height=48)
    joints = rng.normal(size=(frames, 24, 3))
    return Clip(
        frames=np.stack([np.roll(picture, shift, axis=1) for shift in range(frames)]),
        fps=10.0,
        action="fall_backward",
        segments=(
            Segment(label="standing", start_sec=0.0, end_sec=0.5),
            Segment(label="fall", start_sec=0.5, end_sec=frames / 10),
        ),
        caption="A person falls backward.",
        arrays=motion_arrays((motion,) * (1 + others), camera, joints, {"joints2d": joints}),
        provenance={"seed": seed},
    )


def write_folder(folder: Path) -> Path:
    folder.mkdir()
    records = [
        write_shard(folder / f"clips-{shard:06d}.tar", [clip_to_sample(f"c-{shard}-{i}", tiny_clip(i)) for i in range(2)])
        for shard in range(2)
    ]
    write_manifest(folder, records, name="tiny")
    return folder


def cut_between_samples(tar: Path, out: Path) -> None:
    """Write a tar's first sample alone, whole but without the tar's end, as a copy that broke off."""
    offsets = iter(member_offsets(tar).values())
    next(offsets)
    second = min(offset for _, offset, _ in next(offsets)) - 512  # a member's header is one block
    out.write_bytes(tar.read_bytes()[:second])


def rewrite(folder: Path, change) -> None:
    """Write the folder's first sample anew with something changed, manifest included (so only the content is wrong)."""
    records = []
    for number, path in enumerate(sorted(folder.glob("*.tar"))):
        samples = list(read_shard(path, decode=False))
        if number == 0:
            samples = change(samples)
        path.unlink()
        records.append(write_shard(path, samples))
    write_manifest(folder, records, name="tiny")


def with_json(**changes):
    def change(samples):
        meta = json.loads(samples[0]["json"]) | changes
        return [samples[0] | {"json": canonical_json({k: v for k, v in meta.items() if v is not None})}, *samples[1:]]

    return change


def with_npz(**changes):
    def change(samples):
        arrays = npz_arrays(samples[0]["npz"]) | changes
        return [samples[0] | {"npz": npz_bytes({k: v for k, v in arrays.items() if v is not None})}, *samples[1:]]

    return change


def read_shards(source: Path, *, decode: bool = True, members: tuple[str, ...] | None = None) -> Iterator[Sample]:
    """The samples of a folder of shards, or of one tar. See ``read_shard``."""
    for path in shard_paths(source):
        yield from read_shard(path, decode=decode, members=members)


def sample_to_clip(sample: Sample) -> Clip:
    """Decode a sample (raw, or as ``read_shard`` gives it) back to a clip."""
    decoded = decode_sample(sample)
    meta = decoded["json"]
    return Clip(
        frames=decoded["mp4"],
        fps=meta["fps"],
        action=meta["label"],
        segments=tuple(Segment(**segment) for segment in meta["segments"]),
        caption=meta["caption"],
        is_synthetic=meta["is_synthetic"],
        arrays=decoded.get("npz", {}),
        provenance=meta["provenance"],
    )
