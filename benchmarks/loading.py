"""Speed of recognition's loaders: beside PyTorchVideo's ``LabeledVideoDataset``, PyAV's limit, and streaming.

    python -m benchmarks.loading [--data ../shared/data/upfall] [--clips 60] [--updates 12] [--keypoints SHARDS]

First: two-second windows of 8 frames at 112 px from the falls' 640x480 videos, at random. PyTorchVideo decodes the stretch of
video for every window; ours decodes each video once, small, and cuts windows from that: its first pass is counted too, and
shown separately, since a training run of a few hundred updates draws from each video hundreds of times. The limit is PyAV
decoding the same videos in a bare loop and scaling the same frames.

Second: the same videos as shards of films' size (5 s, 10 frames a second, 240 px), streamed and from the kept store after its
first pass: windows alone, and updates of X3D-XS at the default size that take them.

Third, with ``--keypoints`` (shards of films made by ``augment generate``): windows of keypoints, streamed in the first epoch,
which draws a detector's errors, and in later ones, with clips kept in memory, beside the kept store. Rounds alternate, the best
counts.

One thread throughout. Processor time is given beside wall time, as it holds on a busy machine.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from augment.files import canonical_json
from augment.shards.tar import write_manifest, write_shard
from augment.shards.video_codec import decode_video, encode_video
from recognition.csv_table import read_csv
from recognition.inputs.keypoints import KeypointStore
from recognition.inputs.rgb import FrameStore
from recognition.networks.build import build_model, to_network
from recognition.recordings import Recording
from recognition.shard_samples import read_samples
from recognition.stream import Streaming, WindowStream, stream_windows
from recognition.windows import WindowSampler

FRAMES, SIZE, WINDOW_SEC = 8, 112, 2.0
CLASSES = {"standing": ["standing"], "fall": ["fall"], "down": ["fallen"]}
BATCH = 8
Rates = tuple[float, float]
"""Items a second of wall time, and of processor time."""


def measure(name: str, count: int, work: Callable[[], object]) -> Rates:
    """Print and return how many a second of wall time and of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    rates = count / (time.perf_counter() - wall), count / (time.process_time() - processor)
    print(f"{name:62s} {rates[0]:9.1f} {rates[1]:9.1f}", flush=True)
    return rates


def ratio(name: str, ours: Rates, other: Rates, unit: str = "x") -> None:
    """Print ours by other, in wall and processor time."""
    factor = 100 if unit == "%" else 1
    print(
        f"-> {name}: {factor * ours[0] / other[0]:.1f}{unit} wall, {factor * ours[1] / other[1]:.1f}{unit} processor",
        flush=True,
    )


def pytorchvideo_windows(recordings: Sequence[Recording], count: int) -> None:
    """Draw windows with PyTorchVideo."""
    from pytorchvideo.data import LabeledVideoDataset, make_clip_sampler
    from torch.utils.data import SequentialSampler
    from torchvision.transforms.v2 import functional

    pairs: list = [(str(recording.path), {"label": 0}) for recording in recordings]
    sampler, made = make_clip_sampler("random", WINDOW_SEC), 0
    dataset = LabeledVideoDataset(pairs, sampler, video_sampler=SequentialSampler, decode_audio=False)
    while made < count:
        for clip in itertools.islice(dataset, count - made):
            video = clip["video"]  # (3, t, h, w), float
            index = torch.linspace(0, video.shape[1] - 1, FRAMES).long()
            functional.resize(video[:, index].permute(1, 0, 2, 3), [SIZE, SIZE], antialias=True)
            made += 1


def pyav_limit(recordings: Sequence[Recording], *, side: int, rate: float) -> None:
    """Decode all frames, scale those that the store keeps; nothing else."""
    import av

    for recording in recordings:
        with av.open(str(recording.path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            kept, step = 0, recording.fps / min(rate, recording.fps)
            for number, frame in enumerate(container.decode(stream)):
                if number >= round(kept * step):
                    frame.reformat(width=side, height=side, format="rgb24", interpolation="AREA").to_ndarray()
                    kept += 1


def from_videos(recordings: Sequence[Recording], clips: int) -> None:
    """The first part."""
    peer = measure("PyTorchVideo LabeledVideoDataset, windows", clips, lambda: pytorchvideo_windows(recordings, clips))
    with tempfile.TemporaryDirectory() as folder:
        store = FrameStore(folder=Path(folder), size=SIZE, frames=FRAMES, window_sec=WINDOW_SEC)
        frames = sum(recording.frames for recording in recordings)
        limit = measure("PyAV's limit, frames", frames, lambda: pyav_limit(recordings, side=store.side, rate=store.rate))

        def first() -> None:
            for recording in recordings:
                store.get(recording)

        passed = measure("recognition's first pass over all videos, frames", frames, first)
        sampler, rng = WindowSampler(recordings, CLASSES, window_sec=WINDOW_SEC), np.random.default_rng(0)

        def draw() -> None:
            for _ in range(10 * clips):
                window = sampler.draw(int(rng.integers(3)), rng=rng)
                store.plain(recordings[window.recording], window)

        after = measure("recognition, windows after the first pass", 10 * clips, draw)
    training = 300 * BATCH
    whole = tuple(training / (frames / p + training / a) for p, a in zip(passed, after, strict=True))
    ratio("first pass of PyAV's limit", passed, limit, "%")
    ratio("windows after the first pass, of PyTorchVideo", after, peer)
    ratio("300 updates of 8 windows with the first pass, of PyTorchVideo", (whole[0], whole[1]), peer)


def film_like(recordings: Sequence[Recording], folder: Path, *, per_shard: int = 6) -> int:
    """The videos' first five seconds as shards of films' size; returns the number of clips."""
    fps, records, samples = 10.0, [], []
    for number, recording in enumerate(recordings):
        frames, _ = decode_video(recording.path)
        index = (np.arange(min(50, int(recording.seconds * fps))) * recording.fps / fps).astype(int)
        small = np.stack([cv2.resize(frames[i], (320, 240), interpolation=cv2.INTER_AREA) for i in index])
        segments = [{"label": s.label, "start_sec": s.start_sec, "end_sec": min(s.end_sec, len(small) / fps)}
                    for s in recording.segments if s.start_sec < len(small) / fps]  # fmt: skip
        meta = {"label": "clip", "segments": segments, "fps": fps, "frames": len(small), "width": 320, "height": 240,
                "is_synthetic": False, "provenance": {}}  # fmt: skip
        samples.append({"__key__": f"clip{number}", "json": canonical_json(meta), "mp4": encode_video(small, fps=fps)})
    for number, start in enumerate(range(0, len(samples), per_shard)):
        records.append(write_shard(folder / f"clips-{number:06d}.tar", samples[start : start + per_shard]))
    write_manifest(folder, records)
    return len(samples)


def kept_batches(folder: Path, kept: Path, *, augment: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches from the kept store, whose first pass is over."""
    recordings = read_samples(folder / "clips-000000.tar") if folder.is_file() else read_samples(folder)
    store = FrameStore(folder=kept, size=160, frames=FRAMES, window_sec=WINDOW_SEC)
    for recording in recordings:
        store.get(recording)
    sampler, rng = WindowSampler(recordings, CLASSES, window_sec=WINDOW_SEC), np.random.default_rng(0)
    while True:
        windows = [sampler.draw(int(rng.integers(3)), rng=rng) for _ in range(BATCH)]
        some = [(recordings[window.recording], window) for window in windows]
        videos = [store.augmented(*pair, rng=rng) if augment else store.plain(*pair) for pair in some]
        yield torch.stack(videos), torch.tensor([window.label for window in windows])


def streamed_batches(folder: Path, *, augment: bool, windows: int, kept: Path | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches from the stream, read and decoded in this process; with ``kept`` from the second epoch on."""
    streaming = Streaming(
        classes=CLASSES, augment=augment, windows=windows, batch=BATCH, frames=FRAMES, size=160, keep=kept,
        keep_clips=10**6 if kept else 0,
    )  # fmt: skip
    stream = stream_windows(folder, streaming, rank=0, world=1)
    if kept is not None:
        for _ in stream:
            pass
    while True:
        for batch in stream:
            yield batch.windows, batch.labels


def train(batches: Iterator[tuple[Tensor, Tensor]], updates: int) -> None:
    """Updates of X3D-XS."""
    torch.manual_seed(0)
    network = build_model("x3d_xs", len(CLASSES), frames=FRAMES, size=160).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for windows, labels in itertools.islice(batches, updates):
        loss = torch.nn.functional.cross_entropy(network(to_network(windows)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def streaming(recordings: Sequence[Recording], updates: int) -> None:
    """The second part."""

    def use(batches: Iterator[tuple[Tensor, Tensor]]) -> Callable[[], object]:
        next(batches)  # the first pass, or the first clips
        return lambda: [None for _ in itertools.islice(batches, 64)]

    with tempfile.TemporaryDirectory() as name:
        folder, kept = Path(name) / "shards", Path(name) / "kept"
        folder.mkdir()
        print(f"{film_like(recordings, folder)} clips of 5 s in shards, windows of {FRAMES} frames at 160 px")
        for augment in (False, True):
            how = "augmented" if augment else "plain"
            store = measure(f"kept store, {how} windows", 64 * BATCH, use(kept_batches(folder, kept, augment=augment)))
            for windows, again in ((4, None), (16, None), (4, Path(name) / "again"), (16, Path(name) / "again")):
                batches = streamed_batches(folder, augment=augment, windows=windows, kept=again)
                title = f"{how}, {windows} windows a clip, {'decoded clips kept' if again else 'nothing kept'}"
                streamed = measure(f"streamed, {title}", 64 * BATCH, use(batches))
                ratio(f"streamed of kept store, {title}", streamed, store, "%")
        slow = measure("training from the kept store, augmented, updates", updates,
                       lambda: train(kept_batches(folder, kept, augment=True), updates))  # fmt: skip
        for windows in (4, 16):
            trained = measure(f"training from the stream, {windows} windows a clip, updates", updates,
                              lambda n=windows: train(streamed_batches(folder, augment=True, windows=n), updates))  # fmt: skip
            ratio(f"training, streamed of kept, {windows} windows a clip", trained, slow, "%")


def keypoints(folder: Path, *, rounds: int = 4, count: int = 2048) -> None:
    """The third part."""
    labels: dict[str, list[str]] = {name: [name] for name in ("walk", "fall", "standing", "sitting", "lying", "fallen")}
    recordings = [one for one in read_samples(folder) if any(segment.label in labels for segment in one.segments)]
    store = KeypointStore(folder=None, size=32, frames=16, window_sec=WINDOW_SEC)
    measure("keypoints: clips read, with a detector's errors", len(recordings), lambda: [store.get(one) for one in recordings])
    sampler, rng = WindowSampler(recordings, labels, window_sec=WINDOW_SEC), np.random.default_rng(0)

    def kept(augment: bool) -> None:
        for _ in range(count // 64):
            windows = [sampler.draw(sampler.classes[int(rng.integers(len(sampler.classes)))], rng=rng) for _ in range(64)]
            some = [(recordings[window.recording], window) for window in windows]
            torch.stack([store.augmented(*pair, rng=rng) if augment else store.plain(*pair) for pair in some])

    def epoch(stream: WindowStream) -> float:
        started = time.process_time()
        return sum(len(batch.labels) for batch in stream) / (time.process_time() - started)

    for augment, windows in itertools.product((False, True), (4, 16)):
        settings = Streaming(
            classes=labels, input="keypoints", augment=augment, windows=windows, batch=64, frames=16, size=32, keep_clips=10**6
        )
        stream = stream_windows(folder, settings, rank=0, world=1)
        first, base, later = epoch(stream), [], []
        for _ in range(rounds):
            started = time.process_time()
            kept(augment)
            base.append(count / (time.process_time() - started))
            later.append(epoch(stream))
        title = f"keypoints, {'augmented' if augment else 'plain'}, {windows} windows a clip"
        print(
            f"{title}: kept store {max(base):.0f} windows a processor second, first epoch {first:.0f} "
            f"({100 * first / max(base):.0f} %), later {max(later):.0f} ({100 * max(later) / max(base):.0f} %)",
            flush=True,
        )


def main() -> None:
    """Measure and print tables with the ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data") / "upfall"
    options.add_argument("--data", type=Path, default=default, help="folder with labels.csv")
    options.add_argument("--clips", type=int, default=60, help="windows to draw from each")
    options.add_argument("--updates", type=int, default=12, help="updates of the network")
    options.add_argument("--keypoints", type=Path, help="shards of films; only the third part is measured then")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    if chosen.keypoints is not None:
        return keypoints(chosen.keypoints)
    recordings = read_csv(chosen.data / "labels.csv", where={"group": ["fall"]}, group_by=["action", "trial"])
    print(f"{len(recordings)} videos, windows of {FRAMES} frames at {SIZE} px")
    print(f"{'a second of':62s} {'wall':>9s} {'processor':>9s}")
    from_videos(recordings, chosen.clips)
    streaming(recordings, chosen.updates)
    return None


if __name__ == "__main__":
    main()
