"""Laws of shards: round trip, same bytes for same samples, readable by stock webdataset."""

from __future__ import annotations

import errno
import json
import os
import resource
import tarfile

import numpy as np
import pytest

from augment.shards.sample import clip_to_sample
from augment.shards.tar import member_offsets, read_manifest, read_shard, write_shard
from augment.shards.video_codec import decode_video
from tests.make.shards import cut_between_samples, read_shards, sample_to_clip, tiny_clip, write_folder


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
    data = path.read_bytes()
    found = {member: data[offset : offset + size] for member, offset, size in member_offsets(path)["c-1-1"]}
    assert found == {k: v for k, v in whole["c-1-1"].items() if k != "__key__"}


def test_a_tar_cut_anywhere_is_refused(folder, tmp_path):
    """Also between two samples, where every header that is left is whole."""
    path, cut = folder / "clips-000001.tar", tmp_path / "clips-000001.tar"
    whole = path.read_bytes()
    cut_between_samples(path, cut)
    (kept,) = read_shard(cut, decode=False)
    for length in (cut.stat().st_size, 100, 700, len(whole) // 2, whole.rstrip(b"\0").__len__()):
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"clips-000001.tar: (not a readable tar|cut short)"):
            member_offsets(cut)
    assert kept["__key__"] == "c-1-0"


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
