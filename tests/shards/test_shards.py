"""Laws of shards: round trip, same bytes for same samples, readable by stock webdataset, every damage found."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import resource
import tarfile
from pathlib import Path

import numpy as np
import pytest

from augment.shards.sample import canonical_json, motion_arrays, npz_arrays, npz_bytes, schema_table
from augment.shards.tar import (
    SCHEMA,
    clip_to_sample,
    member_offsets,
    read_manifest,
    read_shard,
    read_shards,
    sample_to_clip,
    samples_at,
    write_manifest,
    write_shard,
)  # fmt: skip
from augment.shards.verify import sample_problems, verify
from augment.shards.video_codec import decode_mask, decode_video, encode_mask, encode_video, rgb_to_planes
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
        arrays=motion_arrays((motion,) * (1 + others), camera, joints, joints),
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "shards")


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


def test_a_clip_survives_the_round_trip():
    clip = tiny_clip(others=2)
    back = sample_to_clip(clip_to_sample("a-1", clip, crf=1))
    for name in ("fps", "action", "segments", "caption", "is_synthetic", "provenance"):
        assert getattr(back, name) == getattr(clip, name)
    assert back.arrays.keys() == clip.arrays.keys()
    for name, array in clip.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
    assert back.frames.shape == clip.frames.shape
    # yuv420p halves the chroma, so even a near-lossless video is a few grey levels off.
    assert np.abs(back.frames.astype(int) - clip.frames).mean() < 6


def test_a_mask_is_lossless():
    mask = np.random.default_rng(0).integers(0, 256, (9, 34, 50), dtype=np.uint8)
    np.testing.assert_array_equal(decode_mask(encode_mask(mask, fps=10)), mask)


@pytest.mark.parametrize("fps", [10.0, 20.0, 29.97, 12.5])
def test_a_video_keeps_its_rate_and_its_frame_count(fps):
    frames, rate = decode_video(encode_video(tiny_clip(frames=31).frames, fps=fps))
    assert len(frames) == 31
    assert rate == pytest.approx(fps, rel=1e-3)


def test_the_same_frames_give_the_same_bytes_whatever_the_memory_held():
    # Encoders that read memory they never wrote give themselves away when the heap is stirred.
    rng, held, frames = np.random.default_rng(0), [], tiny_clip().frames
    seen = set()
    for _ in range(150):
        held.append(np.full(int(rng.integers(1000, 200_000)), rng.integers(255), np.uint8))
        if len(held) > 30:
            held.pop(int(rng.integers(30)))
        seen.add(encode_video(frames, fps=10))
    assert len(seen) == 1


def test_colors_are_those_of_bt601():
    import av

    ramp = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(-1, 1, 1, 3).astype(np.uint8)
    picture = np.repeat(np.repeat(ramp[:1024], 2, axis=1), 2, axis=2).reshape(64, 64, 3)
    ours = rgb_to_planes(picture).astype(int)
    theirs = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p").to_ndarray()
    assert np.abs(ours[:64] - theirs[:64]).max() <= 1


def test_odd_sizes_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="even, found 47x64"):
        encode_video(tiny_clip().frames[:, :47], fps=10)


def test_bytes_that_are_no_video_are_refused():
    with pytest.raises(ValueError, match="not a decodable video"):
        decode_video(b"nonsense" * 50)


def test_the_same_samples_give_the_same_bytes(tmp_path):
    first, second = write_folder(tmp_path / "a"), write_folder(tmp_path / "b")
    for path in sorted(first.iterdir()):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_members_of_a_sample_are_adjacent_sorted_and_undated(folder):
    with tarfile.open(folder / "clips-000000.tar") as tar:
        infos = tar.getmembers()
    assert [info.name for info in infos] == [f"c-0-{i}.{member}" for i in range(2) for member in ("json", "mp4", "npz")]
    assert {(info.mtime, info.uid, info.gid, info.uname) for info in infos} == {(0, 0, 0, "")}


@pytest.mark.parametrize("key", ["a.b", "a/b", "", "ä", "a b"])
def test_a_key_has_no_dots_or_slashes(key):
    with pytest.raises(ValueError, match="letters, digits"):
        clip_to_sample(key, tiny_clip())


def test_a_key_is_used_once(tmp_path):
    sample = clip_to_sample("a", tiny_clip())
    with pytest.raises(ValueError, match="two samples are called 'a'"):
        write_shard(tmp_path / "x.tar", [sample, sample])
    assert list(tmp_path.iterdir()) == []


def test_stock_webdataset_reads_the_shards(folder):
    import webdataset

    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert [sample["__key__"] for sample in samples] == ["c-0-0", "c-0-1", "c-1-0", "c-1-1"]
    sample = samples[0]
    assert sample["json"]["label"] == "fall_backward"
    assert sample["npz"]["joints"].shape == (12, 24, 3)
    assert decode_video(sample["mp4"])[0].shape == (12, 48, 64, 3)


def test_reading_gives_what_was_written_in_order(folder):
    keys = [sample["__key__"] for sample in read_shards(folder)]
    assert keys == ["c-0-0", "c-0-1", "c-1-0", "c-1-1"]
    assert [set(sample) for sample in read_shards(folder, members=("json",))] == [{"__key__", "json"}] * 4


def test_offsets_give_random_access(folder):
    path = folder / "clips-000001.tar"
    whole = {sample["__key__"]: sample for sample in read_shard(path, decode=False)}
    offsets = member_offsets(path)
    assert samples_at(path, offsets["c-1-1"]) == {k: v for k, v in whole["c-1-1"].items() if k != "__key__"}


def test_sound_shards_have_no_problems(folder):
    assert verify(folder) == []


def test_an_optional_layer_is_checked_too(folder):
    layers = clip_to_sample("x", tiny_clip(), mask=np.ones((12, 48, 64), np.uint8), depth=np.ones((12, 48, 64), np.float32))
    rewrite(folder, lambda samples: [layers, *samples])
    assert verify(folder) == []
    short = encode_mask(np.ones((5, 48, 64), np.uint8), fps=10)
    rewrite(folder, lambda samples: [samples[0] | {"mask.mp4": short}, *samples[1:]])
    assert any("mask.mp4: shape (5, 48, 64), expected (12, 48, 64)" in problem for problem in verify(folder))


def test_a_flipped_byte_is_found(folder):
    path = folder / "clips-000001.tar"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert any("clips-000001.tar: digest differs" in problem for problem in verify(folder))


def test_a_truncated_shard_is_found(folder):
    path = folder / "clips-000000.tar"
    path.write_bytes(path.read_bytes()[:3000])
    assert any("clips-000000.tar" in problem for problem in verify(folder))


def test_a_missing_shard_a_stranger_and_a_missing_manifest_are_found(folder):
    (folder / "clips-000001.tar").rename(folder / "other.tar")
    problems = verify(folder)
    assert any("clips-000001.tar: missing" in problem for problem in problems)
    assert any("other.tar: not in the manifest" in problem for problem in problems)
    (folder / "manifest.json").unlink()
    assert "unfinished" in verify(folder)[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (with_json(label="sliping"), "label 'sliping' is not one of: walk"),
        (with_json(label=None), "json: label is missing"),
        (with_json(extra=1), "unknown field 'extra'"),
        (with_json(fps="10"), "fps is str, expected float"),
        (with_json(is_synthetic=1), "is_synthetic is int, expected bool"),
        (with_json(segments=[]), "segments: none"),
        (with_json(segments=[{"label": "fall", "start_sec": 0.0, "end_sec": 0.6}]), "segments: end at 0.600 s, the clip at"),
        (
            with_json(
                segments=[
                    {"label": "walk", "start_sec": 0.0, "end_sec": 0.4},
                    {"label": "fall", "start_sec": 0.6, "end_sec": 1.2},
                ]
            ),
            "starts at 0.600 s, expected 0.400 s (gap or overlap)",
        ),
        (with_json(segments=[{"label": "flying", "start_sec": 0.0, "end_sec": 1.2}]), "'flying' is not one of: walk, fall"),
        (
            with_json(segments=[{"label": "fall", "start_sec": "0", "end_sec": 1.2}]),
            "expected seconds for start_sec and end_sec",
        ),
        (with_json(segments=[{"label": "fall", "start_sec": 0.0, "end_sec": float("nan")}]), "expected seconds for start_sec"),
        (with_json(segments=[{"label": ["fall"], "start_sec": 0.0, "end_sec": 1.2}]), "['fall'] is not one of"),
        (with_json(fps=float("nan")), "must be positive numbers"),
        (with_json(frames=13), "expected (13, 24, 3)"),
        (with_npz(joints=None), "npz: joints is missing"),
        (with_npz(transl=np.zeros((5, 3), np.float32)), "npz: transl has shape (5, 3), expected (12, 3)"),
        (with_npz(betas=np.zeros(10)), "npz: betas is float64, expected float32"),
        (with_npz(betas=np.full(10, np.nan, np.float32)), "not finite"),
        (with_npz(poses=np.zeros(3)), "unknown array 'poses'"),
        (lambda s: [{k: v for k, v in s[0].items() if k != "npz"}, s[1]], "member .npz is missing"),
        (lambda s: [{k: v for k, v in s[0].items() if k != "mp4"}, s[1]], "member .mp4 is missing"),
        (lambda s: [{k: v for k, v in s[0].items() if k != "json"}, s[1]], "member .json is missing"),
        (lambda s: [s[0] | {"mp4": b"x" * 900}, s[1]], "mp4: cannot be read"),
        (lambda s: [s[0] | {"npz": b"x" * 900}, s[1]], "npz: cannot be read"),
        (lambda s: [s[0] | {"txt": b"x"}, s[1]], "unknown member .txt"),
        (lambda s: [s[0], s[1] | {"__key__": "c-1-0"}], "key used before, in clips-000000.tar"),
        (
            lambda s: [s[0] | {"mp4": encode_video(tiny_clip(frames=7).frames, fps=10)}, s[1]],
            "mp4: shape (7, 48, 64, 3), expected (12, 48, 64, 3)",
        ),
    ],
)
def test_each_kind_of_damage_is_named(folder, change, expected):
    rewrite(folder, change)
    problems = verify(folder)
    assert any(expected in problem for problem in problems), problems


@pytest.mark.parametrize("shards", [None, 3, [3], [{"name": "clips-000000.tar"}]])
def test_a_manifest_that_describes_no_shards_is_named(folder, shards):
    manifest = read_manifest(folder) | {"shards": shards}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (problem,) = verify(folder)
    assert "manifest.json: expected `samples` and a list `shards`" in problem


def test_flipped_bytes_in_a_member_are_a_problem_not_a_crash():
    rng = np.random.default_rng(0)
    depth = rng.integers(0, 9, (12, 48, 64)).astype(np.float32)
    sound = clip_to_sample("x", tiny_clip(), depth=depth)
    for member in ("npz", "depth.npz"):
        for _ in range(60):
            data = bytearray(sound[member])
            for place in rng.integers(0, len(data), 3):
                data[place] = rng.integers(256)
            list(sample_problems(sound | {member: bytes(data)}))


def test_real_video_needs_no_body(folder):
    clip = dataclasses.replace(tiny_clip(), is_synthetic=False, arrays={})
    sample = clip_to_sample("real", clip)
    del sample["npz"]
    rewrite(folder, lambda samples: [sample, *samples])
    assert verify(folder) == []


def test_a_sample_that_pickles_is_refused(folder):
    buffer = io.BytesIO()
    np.savez(buffer, joints=np.array([{"a": 1}], dtype=object))
    rewrite(folder, lambda samples: [samples[0] | {"npz": buffer.getvalue()}, *samples[1:]])
    assert any("npz: cannot be read" in problem for problem in verify(folder))


def test_a_full_disk_names_the_path_and_leaves_no_debris(tmp_path):
    good = write_shard(tmp_path / "clips-000000.tar", [clip_to_sample("a", tiny_clip())])
    samples = [clip_to_sample("b", tiny_clip(frames=60))]
    pid = os.fork()
    if pid == 0:
        # A process of its own: a file-size limit stands in for a full disk and cannot be raised again.
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        try:
            write_shard(tmp_path / "clips-000001.tar", samples)
        except OSError as error:
            os._exit(0 if "clips-000001.tar" in str(error) and error.errno == errno.EFBIG else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["clips-000000.tar"]
    assert good.samples == 1


def test_the_manifest_vouches_for_every_shard(folder):
    manifest = read_manifest(folder)
    assert manifest["samples"] == 4
    assert [shard["samples"] for shard in manifest["shards"]] == [2, 2]
    index = json.loads((folder / "index.json").read_bytes())
    assert index["__kind__"] == "wids-shard-index-v1"
    assert [shard["url"] for shard in index["shardlist"]] == ["clips-000000.tar", "clips-000001.tar"]


def test_the_table_names_every_field():
    table = schema_table()
    assert all(f"`{name}`" in table for name in SCHEMA)
