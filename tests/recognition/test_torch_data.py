"""Clips for other people's loops: PyTorchVideo's dictionary, with any loader."""

from __future__ import annotations

import gc

import pytest
import torch
from torch.utils.data import DataLoader

from recognition.stream import Streaming
from recognition.torch_data import ClipDataset, StreamedClipDataset
from tests.make.videos import CLASSES, write_samples, write_videos

KEYS = {"video", "label", "video_name", "video_index", "clip_index", "aug_index"}
SMALL = {"window_sec": 1.0, "frames": 4, "size": 32}


def test_the_items_have_pytorchvideos_fields_and_shapes(tmp_path):
    from pytorchvideo.data import LabeledVideoDataset, make_clip_sampler
    from torch.utils.data import SequentialSampler

    table = write_videos(tmp_path, 2, seed=0)
    theirs = next(
        iter(
            LabeledVideoDataset(
                [(str(tmp_path / "videos/v0.mp4"), {"label": 0})], make_clip_sampler("uniform", 1.0),
                video_sampler=SequentialSampler, decode_audio=False,
            )
        )
    )  # fmt: skip
    ours = ClipDataset(table, CLASSES, folder=tmp_path / "kept", **SMALL)[0]
    assert ours.keys() == KEYS == theirs.keys() - {"audio"}
    assert {name: type(value) for name, value in ours.items()} == {name: type(theirs[name]) for name in KEYS}
    assert (ours["video"].dtype, ours["video"].shape) == (theirs["video"].dtype, (3, 4, 32, 32))
    assert 0 <= ours["video"].min() < 128 < ours["video"].max() <= 255
    assert abs(float(ours["video"].mean() - theirs["video"].mean())) < 15


def test_a_csv_and_shards_of_equal_clips_give_equal_windows_in_order(tmp_path):
    shards = write_samples(tmp_path / "shards", 2, seed=0)
    table = write_videos(tmp_path, 2, seed=0)
    # PyTorchVideo, in other tests, leaves decoders with threads in reference cycles. Collected in a forked worker, where those
    # threads are not, they would be waited for without end.
    gc.collect()
    for source in (shards, table):
        dataset = ClipDataset(source, CLASSES, folder=tmp_path / "kept", **SMALL)
        items = list(DataLoader(dataset, batch_size=None, num_workers=2))
        assert [item["video_index"] for item in items] == [0] * 9 + [1] * 9
        assert [item["clip_index"] for item in items] == [*range(9), *range(9)]
        assert [item["label"] for item in items] == ([0] * 3 + [1] * 3 + [2] * 3) * 2


def test_augmentation_depends_on_seed_epoch_and_index_alone(tmp_path):
    table = write_videos(tmp_path, 1, seed=0)

    def item(**changes: int) -> torch.Tensor:
        dataset = ClipDataset(table, CLASSES, folder=tmp_path / "kept", augment=True, seed=changes.get("seed", 0), **SMALL)
        dataset.epoch = changes.get("epoch", 0)
        return dataset[2]["video"]

    assert torch.equal(item(), item())
    assert not torch.equal(item(), item(epoch=1))
    assert not torch.equal(item(), item(seed=1))


def test_streamed_items_are_the_same_kind_and_every_clip_comes(tmp_path):
    shards = write_samples(tmp_path / "shards", 2, 3, seed=0)
    streaming = Streaming(classes=CLASSES, batch=2, windows=3, buffer=2, **SMALL)
    dataset = StreamedClipDataset(shards, streaming, workers=1, rank=0, world=1)
    items = list(DataLoader(dataset, batch_size=None))
    assert all(item.keys() == KEYS for item in items)
    assert len(items) == 5 * 3
    assert {(item["video_index"], item["clip_index"]) for item in items} == {(v, c) for v in range(5) for c in range(3)}
    with pytest.raises(ValueError, match="num_workers=0"):
        list(DataLoader(dataset, batch_size=None, num_workers=1))


def test_bad_input_is_named(tmp_path):
    table = write_videos(tmp_path, 1, seed=0)
    with pytest.raises(ValueError, match=r"labels-v.csv: no segment has a label of: jump"):
        ClipDataset(table, {"jump": ["jump"]}, folder=tmp_path)
    with pytest.raises(FileNotFoundError):
        ClipDataset(tmp_path / "nothing", CLASSES, folder=tmp_path)
    (tmp_path / "videos" / "v0.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"videos/v0.mp4: not a decodable video"):
        ClipDataset(table, CLASSES, folder=tmp_path / "kept", **SMALL)[0]
