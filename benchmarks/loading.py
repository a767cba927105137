"""Clips a second of recognition's loader beside PyTorchVideo's ``LabeledVideoDataset``, same videos, one thread, one run.

    python benchmarks/loading.py [--data ../shared/data/upfall] [--clips 60]

Both give two-second windows of 8 frames at 112 px from the falls' 640x480 videos, at random. PyTorchVideo decodes the stretch
of video for every window; ours decodes each video once, small, and cuts windows from that: its first pass is counted too, and
shown separately, since a training run of a few hundred updates draws from each video hundreds of times. Processor time is
given beside wall time, as it holds on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recognition.csv_table import read_csv
from recognition.inputs.rgb import FrameStore
from recognition.windows import WindowSampler

FRAMES, SIZE, WINDOW_SEC = 8, 112, 2.0
CLASSES = {"standing": ["standing"], "fall": ["fall"], "down": ["fallen"]}


def measure(name: str, clips: int, work: Callable[[], object]) -> tuple[float, float]:
    """Print and return clips a second of wall time and of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    rates = clips / (time.perf_counter() - wall), clips / (time.process_time() - processor)
    print(f"{name:58s} {rates[0]:9.1f} {rates[1]:9.1f}", flush=True)
    return rates


def main() -> None:
    """Measure and print a table with the ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data") / "upfall"
    options.add_argument("--data", type=Path, default=default, help="folder with labels.csv")
    options.add_argument("--clips", type=int, default=60, help="windows to draw from each")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    recordings = read_csv(chosen.data / "labels.csv", where={"group": ["fall"]}, group_by=["action", "trial"])
    print(f"{len(recordings)} videos, {chosen.clips} windows of {FRAMES} frames at {SIZE} px")
    print(f"{'':58s} {'clips/s':>9s} {'per cpu-s':>9s}")

    from pytorchvideo.data import LabeledVideoDataset, make_clip_sampler
    from torch.utils.data import SequentialSampler
    from torchvision.transforms.v2 import functional

    pairs: list[tuple[str, dict[Any, Any] | None]] = [(str(recording.path), {"label": 0}) for recording in recordings]

    def theirs() -> None:
        made, dataset = 0, LabeledVideoDataset(
            pairs, make_clip_sampler("random", WINDOW_SEC), video_sampler=SequentialSampler, decode_audio=False
        )  # fmt: skip
        while made < chosen.clips:
            for clip in dataset:
                video = clip["video"]  # (3, t, h, w), float
                index = torch.linspace(0, video.shape[1] - 1, FRAMES).long()
                functional.resize(video[:, index].permute(1, 0, 2, 3), [SIZE, SIZE], antialias=True)
                made += 1
                if made == chosen.clips:
                    break

    peer = measure("PyTorchVideo LabeledVideoDataset", chosen.clips, theirs)
    with tempfile.TemporaryDirectory() as folder:
        store = FrameStore(folder=Path(folder), size=SIZE, frames=FRAMES, window_sec=WINDOW_SEC)
        sampler = WindowSampler(recordings, CLASSES, window_sec=WINDOW_SEC)
        rng = np.random.default_rng(0)

        def draw(count: int) -> None:
            for _ in range(count):
                window = sampler.draw(int(rng.integers(3)), rng=rng)
                store.plain(recordings[window.recording], window)

        def first() -> None:
            for recording in recordings:
                store.get(recording)

        started, processor = time.perf_counter(), time.process_time()
        first()
        pass_wall, pass_processor = time.perf_counter() - started, time.process_time() - processor
        ours = measure("recognition, after the first pass", 10 * chosen.clips, lambda: draw(10 * chosen.clips))
    print(f"recognition's first pass over all videos: {pass_wall:.1f} s, {pass_processor:.1f} s of processor time")
    training = 300 * 8
    whole = training / (pass_wall + training / ours[0]), training / (pass_processor + training / ours[1])
    print(f"{'recognition, 300 updates of 8 windows, first pass included':58s} {whole[0]:9.1f} {whole[1]:9.1f}")
    print(f"ratio to PyTorchVideo: {ours[0] / peer[0]:.1f}x after the first pass, {whole[0] / peer[0]:.1f}x over 300 updates")
    print(f"ratio in processor time: {ours[1] / peer[1]:.1f}x and {whole[1] / peer[1]:.1f}x")


if __name__ == "__main__":
    main()
