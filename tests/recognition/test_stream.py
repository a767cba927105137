"""Windows streamed from shards: each clip once an epoch, whoever reads it, and the same order after an interruption."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from augment.remote import Remote, file_names
from augment.shards.tar import read_shard, write_shard
from recognition.recordings import checked_classes
from recognition.shard_samples import read_samples
from recognition.shard_stream import find_shards
from recognition.stream import Streaming, WindowStream, stream_windows
from recognition.torch_data import ClipDataset, StreamedClipDataset
from recognition.windows import Window
from tests.make.bucket import bucket
from tests.make.server import served
from tests.make.shards import cut_between_samples
from tests.make.videos import CLASSES, small_store, write_samples

COUNTS = (3, 4, 1, 5)


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return write_samples(tmp_path_factory.mktemp("stream") / "shards", *COUNTS, seed=0)


@pytest.fixture(scope="module")
def address(shards) -> Iterator[str]:
    """The shards' folder served over HTTP on this machine."""
    with served(shards) as url:
        yield url


def small(**changes: Any) -> Streaming:
    values = {"classes": CLASSES, "window_sec": 1.0, "frames": 4, "size": 32, "batch": 2, "windows": 1, "buffer": 3}
    return Streaming(**{**values, **changes})


def names(stream: WindowStream) -> list[str]:
    return [name.partition("#")[2] for batch in stream for name in batch.names]


EVERY = sorted(f"clip{number}" for number in range(sum(COUNTS)))


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_an_epoch_gives_every_clip_once_over_all_processes_and_workers(shards, workers):
    ranks = [stream_windows(shards, small(), workers=workers, rank=rank, world=2) for rank in range(2)]
    for _ in range(2):
        assert sorted(name for stream in ranks for name in names(stream)) == EVERY
    assert [stream.epoch for stream in ranks] == [2, 2]


def test_a_path_and_an_address_give_the_same(shards, address):
    paths = names(stream_windows(shards, small(), rank=0, world=1))
    assert names(stream_windows(address, small(), rank=0, world=1)) == paths
    tars = address + "clips-{000000..000003}.tar"
    assert names(stream_windows(tars, small(), workers=2, rank=0, world=1)) != paths  # two workers, another order
    assert sorted(names(stream_windows(tars, small(), rank=0, world=1))) == EVERY
    local = [f"file:{path}" for path in sorted(shards.glob("*.tar"))]
    assert names(stream_windows(local, small(), rank=0, world=1)) == paths


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bucket_gives_the_same(shards, monkeypatch, workers):
    """A real S3 server, its folder and one of its tars."""
    with bucket(monkeypatch):
        for name in file_names(shards):
            Remote("s3://bucket/run").put(shards / name, name)
        here, there = (
            stream_windows(source, small(), workers=workers, rank=0, world=1) for source in (shards, "s3://bucket/run")
        )
        for near, far in zip(here, there, strict=True):
            assert torch.equal(near.windows, far.windows)
            assert [name.rpartition("/")[2] for name in near.names] == [name.rpartition("/")[2] for name in far.names]
        tar = min(name for name in file_names(shards) if name.endswith(".tar"))
        assert find_shards(f"s3://bucket/run/{tar}")[0].samples == find_shards(shards / tar)[0].samples
        with pytest.raises(ValueError, match=r"s3://bucket/nothing/manifest.json: not a readable manifest"):
            stream_windows("s3://bucket/nothing", small(), rank=0, world=1)


@pytest.mark.parametrize(("workers", "windows"), [(0, 2), (2, 1), (3, 2)])
def test_a_resumed_stream_goes_on_in_the_same_order(shards, workers, windows):
    def made(state: dict | None = None) -> WindowStream:
        return stream_windows(shards, small(windows=windows, augment=True), workers=workers, rank=0, world=1, state=state)

    def content(stream: WindowStream) -> list[tuple[list[str], torch.Tensor]]:
        return [(batch.names, batch.windows) for batch in stream]

    whole, counted = content(made()), made()
    assert len(whole) == len(made())
    states = [json.loads(json.dumps(counted.state())) for _ in counted]
    for done in {1, 3, len(states) - 1}:
        rest = content(made(states[done - 1]))
        assert [batch[0] for batch in rest] == [batch[0] for batch in whole[done:]]
        assert all(torch.equal(mine, theirs) for (_, mine), (_, theirs) in zip(rest, whole[done:], strict=True))


def test_a_state_of_another_stream_is_refused(shards):
    state = stream_windows(shards, small(), rank=0, world=1).state()
    for other in ({"rank": 1, "world": 2}, {"rank": 0, "world": 1, "workers": 2}):
        with pytest.raises(ValueError, match="belongs to other shards, settings, or numbers"):
            stream_windows(shards, small(), state=state, **other)
    with pytest.raises(ValueError, match="field 'stream' is missing"):
        stream_windows(shards, small(), state={"epoch": 0, "batches": 1, "rank": 0})


def test_a_streamed_window_is_the_kept_stores_window_of_its_class(shards, tmp_path):
    """Pictures: some window of the same clip and class in the kept store is the same; keypoints have their own shape."""
    kept = {recording.name.partition("/")[2]: recording for recording in read_samples(shards)}
    store = small_store(tmp_path)
    (batch, *_) = stream_windows(shards, small(), rank=0, world=1)
    for window, label, name in zip(batch.windows, batch.labels, batch.names, strict=True):
        recording, label = kept[name.partition("#")[2]], int(label)
        segment = recording.segments[label]
        times = [segment.start_sec + share / 100 * (segment.end_sec - segment.start_sec) for share in range(101)]
        others = [store.plain(recording, Window(recording=0, middle_sec=time, label=label)) for time in times]
        assert any(torch.equal(window, other) for other in others)
    points = next(iter(stream_windows(shards, small(input="keypoints"), rank=0, world=1)))
    assert points.windows.shape == (2, 3, 4, 17)


@pytest.mark.parametrize("kind", ["person", "motion", "heatmaps"])
def test_every_input_can_be_streamed_and_kept(shards, tmp_path, kind):
    def windows(**changes: Any) -> list[torch.Tensor]:
        made = stream_windows(shards, small(input=kind, **changes), rank=0, world=1)
        batches = [batch.windows for batch in made]
        assert made.problems == []
        return batches

    streamed = windows()
    assert sum(map(len, streamed)) == sum(COUNTS)
    kept = windows(keep=tmp_path, keep_clips=100)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(kept, streamed, strict=True))


def test_two_processes_of_torchrun_see_halves_without_a_common_clip(shards, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import json, sys, torch\n"
        "from pathlib import Path\n"
        "from recognition.stream import Streaming, stream_windows\n"
        "torch.distributed.init_process_group('gloo')\n"
        "streaming = Streaming(classes={'standing': ['standing'], 'fall': ['fall']}, frames=4, size=32, batch=2, even=True)\n"
        "stream = stream_windows(sys.argv[1], streaming, workers=1)\n"
        "names = [name for batch in stream for name in batch.names]\n"
        "steps = torch.tensor([len(names)])\n"
        "torch.distributed.all_reduce(steps)\n"
        "Path(sys.argv[2], f'{torch.distributed.get_rank()}.json').write_text(json.dumps([names, int(steps)]))\n"
        "torch.distributed.destroy_process_group()\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(
        [*command, f"--master-port={port}", str(program), str(shards), str(tmp_path)], check=True, env=environment, timeout=240
    )
    halves = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    first, second = (Counter(found) for found, _ in halves)
    assert not first & second
    assert len(first) == len(second) == sum(COUNTS) // 2  # `even` leaves one of the 13 out
    assert set((first + second).values()) == {4}  # each clip in `windows` batches
    assert halves[0][1] == halves[1][1] == sum(COUNTS) // 2 * 2 * 4


def test_kept_clips_change_nothing_and_no_others_are_kept(shards, tmp_path):
    def windows(**changes: Any) -> list[torch.Tensor]:
        stream = stream_windows(shards, small(windows=2, **changes), workers=1, rank=0, world=1)
        return [batch.windows for _ in range(2) for batch in stream]

    kept = windows(keep=tmp_path / "kept", keep_clips=5)
    assert len(list((tmp_path / "kept").iterdir())) == 5
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(kept, windows(), strict=True))
    with pytest.raises(ValueError, match="keep_clips 5: needs `keep`"):
        small(keep_clips=5)


@pytest.mark.parametrize("kind", ["keypoints", "heatmaps"])
def test_clips_kept_in_memory_change_nothing_and_are_not_read_again(tmp_path, kind):
    """Law: later epochs and a resumed one are the same, also when the shards are gone; a clip without a class is told again."""
    folder = write_samples(tmp_path / "shards", 3, 2, seed=0)
    settings = small(input=kind, windows=2, classes={"fall": ["fall"]})

    def batches(stream: WindowStream) -> list[torch.Tensor]:
        return [batch.windows for batch in stream]

    plain, kept = (stream_windows(folder, replace(settings, keep_clips=count), rank=0, world=1) for count in (0, 4))
    expected = [batches(plain) for _ in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(batches(kept), expected[0], strict=True))
    assert len(kept.held) == 4
    assert all(torch.equal(a, b) for a, b in zip(batches(kept), expected[1], strict=True))
    whole = stream_windows(folder, replace(settings, keep_clips=5), rank=0, world=1)
    begun = iter(whole)
    next(begun)
    again = stream_windows(folder, replace(settings, keep_clips=5), rank=0, world=1, state=whole.state())
    assert all(torch.equal(a, b) for a, b in zip(batches(again), expected[0][1:], strict=True))
    list(begun)
    for tar in folder.glob("*.tar"):
        tar.unlink()
    assert all(torch.equal(a, b) for a, b in zip(batches(whole), expected[1], strict=True))
    with pytest.raises(ValueError, match="keep_clips 5: 2 workers keep no clips in memory; name a folder, `keep`"):
        stream_windows(folder, replace(settings, keep_clips=5), workers=2, rank=0, world=1)


def test_memory_does_not_grow_with_the_epochs(shards):
    stream = stream_windows(shards, small(), rank=0, world=1)
    names(stream)
    tracemalloc.start()
    levels = []
    for _ in range(3):
        names(stream)
        levels.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert levels[2] - levels[0] < 200_000  # a decoded clip takes 480,000


def test_a_tar_cut_short_stops_the_stream_and_is_named(shards, tmp_path):
    folder = tmp_path / "cut"
    folder.mkdir()
    for path in shards.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tar = folder / "clips-000003.tar"
    tar.write_bytes(tar.read_bytes()[:20_000])
    for workers in (0, 2):
        with pytest.raises(
            ValueError, match=r"clips-000003.tar: cut short or damaged after \d+ files .*copy it again"
        ) as error:
            names(stream_windows(folder, small(), workers=workers, rank=0, world=1))
        assert "\n" not in str(error.value)
    cut_between_samples(shards / "clips-000000.tar", tar)
    for source, message in ((tar, "it lacks the zeros that a tar ends with"), (folder, r"holds 1 of \d+ samples")):
        with pytest.raises(ValueError, match=rf"clips-000003.tar: cut short: {message}"):
            names(stream_windows(source, small(), rank=0, world=1))


def test_unusable_clips_are_left_out_and_told(shards, tmp_path):
    samples = list(read_shard(shards / "clips-000003.tar", decode=False))
    for sample in samples[1:]:
        sample["json"] = sample["json"].replace(b"fall", b"walk").replace(b"standing", b"walk")
    write_shard(tmp_path / "clips-000000.tar", samples)
    stream = stream_windows(tmp_path / "clips-000000.tar", small(), rank=0, world=1)
    assert names(stream) == [samples[0]["__key__"]]
    assert len(stream.problems) == COUNTS[3] - 1
    assert "no segment of any class" in stream.problems[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_without_any_usable_clip_is_refused_in_one_line(shards, workers):
    """A loop that asks for so many updates would otherwise never end."""
    streaming = small(classes={"walk": ["walk"], "jump": ["jump"]})
    stream = stream_windows(shards, streaming, workers=workers, rank=0, world=1)
    message = r"clips-000000.tar and 3 more: none of 13 clips can be used: .*no segment of any class"
    with pytest.raises(ValueError, match=message) as error:
        names(stream)
    assert "\n" not in str(error.value)
    dataset = StreamedClipDataset(shards, streaming, workers=workers, rank=0, world=1)
    with pytest.raises(ValueError, match=message):
        list(dataset)


def test_a_single_label_needs_no_list(shards, tmp_path):
    single, several = ({name: labels[0] if one else labels for name, labels in CLASSES.items()} for one in (True, False))
    first, second = (stream_windows(shards, small(classes=classes), rank=0, world=1) for classes in (single, several))
    assert [batch.labels.tolist() for batch in first] == [batch.labels.tolist() for batch in second]
    assert first.digest == second.digest
    settings = {"folder": tmp_path, "window_sec": 1.0, "frames": 4, "size": 32}
    assert ClipDataset(shards, single, **settings).windows == ClipDataset(shards, several, **settings).windows


@pytest.mark.parametrize("classes", [{"fall": []}, {"fall": ["fall"], "walk": ()}, {}])
def test_classes_that_gather_no_labels_are_refused_in_one_line(shards, tmp_path, classes):
    for make in (lambda: small(classes=classes), lambda: ClipDataset(shards, classes, folder=tmp_path)):
        with pytest.raises(ValueError, match=r"^classes: .*expected") as error:
            make()
        assert "\n" not in str(error.value)


def test_classes_that_are_no_mapping_are_refused():
    with pytest.raises(ValueError, match=r"expected a mapping from class to frame labels, .* found 'fall'"):
        checked_classes("fall")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing/clips-000000.tar", "nothing/clips-000000.tar"),
        ("http://127.0.0.1:9/", "manifest.json: not a readable manifest"),
    ],
)
def test_a_source_that_is_not_there_is_named(source, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        stream_windows(source, small(), rank=0, world=1)
