"""Every example runs from beginning to end and leaves what its first line promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from augment.shards.verify import verify
from augment.shards.video_codec import decode_video
from examples import film_one_clip, own_motion, own_room, pytorch_loop, pytorchvideo_loop, stream_loop, study
from tests.make.mocap import wandering_bvh
from tests.make.shards import read_shards
from tests.make.videos import write_samples, write_videos


def clips(folder: Path) -> list[dict]:
    """The samples of a folder of shards that has no problems."""
    assert verify(folder) == []
    return list(read_shards(folder, members=("json",)))


def test_film_one_clip(tmp_path):
    film_one_clip.main(tmp_path)
    frames, fps = decode_video((tmp_path / "fall.mp4").read_bytes())
    with np.load(tmp_path / "fall.npz") as layers:
        assert layers["mask"].shape == layers["depth"].shape == frames.shape[:3]
        assert len(layers["joints"]) == len(frames) == round(4 * fps)
        assert (layers["mask"] == 1).any(axis=(1, 2)).all()  # the person is in every frame


def test_own_room(tmp_path):
    own_room.main(tmp_path)
    (sample,) = clips(tmp_path / "clips")
    assert sample["json"]["provenance"]["scene"]["name"] == "own-room"


def test_own_motion(tmp_path):
    (tmp_path / "wander.bvh").write_text(wandering_bvh(90))
    own_motion.main(tmp_path / "wander.bvh", tmp_path / "out")
    (sample,) = clips(tmp_path / "out" / "clips")
    assert (sample["json"]["label"], sample["json"]["caption"]) == ("wander", "A person wanders about.")
    assert [segment["label"] for segment in sample["json"]["segments"]] == ["wandering"]


def test_pytorch_loop(tmp_path, capsys):
    pytorch_loop.main(write_samples(tmp_path / "shards", 4, seed=0), tmp_path / "out")
    assert capsys.readouterr().out.count("loss") == 4
    assert (tmp_path / "out" / "network.pt").exists()


def test_pytorchvideo_loop(tmp_path, capsys):
    shards = write_samples(tmp_path / "shards", 2, seed=0)
    for source in (str(write_videos(tmp_path, 1, seed=0)), str(shards), f"file://{shards}/"):
        pytorchvideo_loop.main(source, tmp_path / "out")
        assert "and others: loss" in capsys.readouterr().out
    assert (tmp_path / "out" / "network.pt").exists()


def test_stream_loop(tmp_path, capsys):
    shards = write_samples(tmp_path / "shards", 3, 2, seed=0)
    stream_loop.main(str(shards), tmp_path / "out")
    assert capsys.readouterr().out.count("loss") == stream_loop.EPOCHS
    stream_loop.main(str(shards), tmp_path / "out")  # finished: nothing is left to do
    assert capsys.readouterr().out == ""


def test_study(tmp_path, capsys):
    shards = write_samples(tmp_path / "shards", 2, seed=2)
    train, test = (write_videos(tmp_path, 2, seed=seed, prefix=name) for seed, name in enumerate(("train", "test")))
    study.main(train, test, shards, tmp_path / "out")
    assert (tmp_path / "out" / "report" / "report.html").exists()
    assert "real_synthetic against real" in capsys.readouterr().out
