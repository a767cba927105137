"""A study on shards behind a URL, or larger than the disk: the same result as from a copy that is kept whole."""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np
import pytest

from augment import remote
from recognition import url_parts
from recognition.ablation import ablate
from recognition.data import open_input
from recognition.inputs.kept import KeptArrays
from recognition.shard_samples import read_samples
from recognition.study_file import make_study
from recognition.url_parts import read_part
from tests.make.server import served
from tests.make.videos import study_data, write_samples, write_videos


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    real = write_videos(folder / "real", 4, seed=1, prefix="r")
    test = write_videos(folder / "test", 3, seed=2, prefix="t")
    return folder, real, test, write_samples(folder / "shards", 3, 2, seed=3)


def test_a_study_gives_the_same_from_a_url_and_from_a_disk_without_room(world, tmp_path):
    _, real, test, shards = world
    data = study_data(real, test, arms=["synthetic", "real_synthetic_mixed"], steps=3, synthetic=str(shards))
    kept = ablate(make_study(data), tmp_path / "kept", workers=1, threads=1)
    without = ablate(make_study({**data, "keep_gb": 0}), tmp_path / "without", workers=1, threads=1)
    asked: list[str] = []
    with served(shards, asked=asked) as url:
        remote = ablate(make_study({**data, "synthetic": url, "keep_gb": 1e-6}), tmp_path / "remote", workers=1, threads=1)
    assert len(asked) >= 2
    arms = [result["inputs"]["rgb"]["arms"] for result in (kept, without, remote)]
    assert arms[0] == arms[1] == arms[2]
    assert kept["data"]["training"] == remote["data"]["training"]


def test_samples_behind_a_url_are_those_of_the_copy(world):
    _, _, _, shards = world
    local = read_samples(shards)
    with served(shards) as url:
        tars = url + "clips-{000000..000001}.tar"
        for source in (url, tars):
            remote = read_samples(source)
            assert [r.segments for r in remote] == [r.segments for r in local]
            assert [r.digest() for r in remote] == [r.digest() for r in local]
            assert [r.video() for r in remote] == [r.video() for r in local]
            assert all(r.keypoints is None or r.keypoints.read() for r in remote)


def test_a_clip_is_asked_for_again_after_503_and_named_when_it_is_gone(world, monkeypatch):
    _, _, _, shards = world
    for module in (url_parts, remote):
        monkeypatch.setattr(module, "WAIT_SEC", 0.001)
    tar = sorted(shards.glob("*.tar"))[0]
    with served(shards, failures=2) as url:
        assert read_part(url + tar.name, 512, 100) == tar.read_bytes()[512:612]
        with pytest.raises(OSError, match=r"missing.tar: bytes 0 to 9 cannot be read \(HTTP 404\)"):
            read_part(url + "missing.tar", 0, 9)
    with served(shards, failures=99) as url, pytest.raises(OSError, match=r"HTTP 503"):
        read_part(url + tar.name, 0, 9)
    with served(shards, parts=False) as url, pytest.raises(OSError, match="hands out whole files only"):
        read_part(url + tar.name, 0, 9)
    fsspec.filesystem("memory").pipe_file("/parts/clips.tar", tar.read_bytes())
    assert read_part("memory://parts/clips.tar", 3, 9) == tar.read_bytes()[3:12]
    with pytest.raises(OSError, match=r"4 of 9 bytes came"):
        read_part("memory://parts/clips.tar", tar.stat().st_size - 4, 9)
    with pytest.raises(ValueError, match="nowhere"):
        read_part("nowhere://bucket/clips.tar", 0, 9)


def test_kept_files_take_no_more_room_than_they_are_given(tmp_path):
    arrays = KeptArrays(tmp_path, room_gb=5e-6)  # 5 kB
    made: list[int] = []

    def get(number: int) -> np.ndarray:
        def make() -> np.ndarray:
            made.append(number)
            return np.full(1500, number, np.uint8)

        return arrays.get(str(number), lambda: [number], make)

    for _ in range(2):
        for number in range(6):
            assert (get(number) == number).all()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5000
    assert made == [0, 1, 2, 3, 4, 5, 3, 4, 5]  # the first three found room
    assert len(arrays.opened) == 3


@pytest.mark.parametrize("input", ["keypoints", "heatmaps", "person"])
def test_every_input_takes_the_limit(input):
    study = make_study({"classes": {"a": ["fall"], "b": ["walk"]}, "rare_class": "a", "test": "x.csv", "arms": ["synthetic"],
                        "synthetic": "s", "input": input, "keep_gb": 0.5})  # fmt: skip
    store = open_input(study, Path("unused"))
    assert getattr(store, "keypoints", store).arrays.room_gb == 0.5
