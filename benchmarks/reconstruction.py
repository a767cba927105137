"""Accuracy of recovered people and rooms, against known truth, between two real cameras and beside a peer, and speed.

    python -m benchmarks.reconstruction --data DATA --work DIR [--only truth|room|depth|video|tracking|peer|speed]

Every part stores its figures as JSON in ``--work`` and is not repeated unless they are deleted; at the end of each run the
tables of all stored figures are printed and written to ``tables.md`` beside them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import numpy as np
import tyro

from augment.reconstruct.people import Reconstruction
from benchmarks import reconstruction_tables as tables

OUTLIERS = (0.02, 0.10, 0.20, 0.30)
Part = Literal["truth", "room", "depth", "video", "tracking", "peer", "speed"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Measure the reconstruction."""

    data: Path
    """Folder with ``upfall`` and ``rgbd``."""
    work: Path
    """Folder for figures, overlays and films."""
    only: tuple[Part, ...] = ("truth", "room", "depth", "tracking", "peer", "speed", "video")
    """Parts to measure."""
    sequences: int = 24
    """Known-truth sequences; the twelve cases of ``known_truth.CASES`` in turn."""
    seconds: float = 4.0
    """Length of each."""
    rooms: int = 8
    """Known-truth rooms whose depth is recovered."""
    peers: int = 6
    """Sequences the peer is run on."""
    stride: int = 10
    """The peer fits one frame of so many; it treats frames independently."""
    prior: str = "default"
    """Pose prior of the fit: the shipped one, a file that ``augment priors train`` wrote, or ``none``."""
    camera_error: float = 0.0
    """1: give the fit a camera off by 10 % in focal length, 2 degrees in pitch, 3 % in height, to refine; 0: the true one."""


def main() -> None:
    settings = tyro.cli(Settings, description=__doc__)
    settings.work.mkdir(parents=True, exist_ok=True)
    for part in settings.only:
        PARTS[part](settings)
    text = tables.all_tables(settings.work)
    (settings.work / "tables.md").write_text(text)
    print(text)


def kept(settings: Settings, name: str, make: Callable[[], Any]) -> Any:
    """The figures of one step, measured unless stored already; of a failed step its error message is stored."""
    path = settings.work / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text())
    path.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    try:
        figures = make()
    except ValueError as error:
        figures = {"refused": str(error)}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(figures, indent=1, default=float))
    temporary.replace(path)
    print(f"{name}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return figures


def open_prior(name: str) -> Any:
    """The prior the fit is given."""
    if name == "none":
        return None
    from augment.priors.registry import load_prior

    return load_prior(None if name == "default" else Path(name))


def truth(settings: Settings) -> None:
    """People: errors of the input and of the fit."""
    from benchmarks.known_truth import judge_sequence

    folder = f"truth-{settings.camera_error:g}-{Path(settings.prior).stem}"
    for number in range(settings.sequences):
        kept(
            settings,
            f"{folder}/{number:03d}",
            lambda number=number: judge_sequence(
                number, seconds=settings.seconds, prior=open_prior(settings.prior), camera_error=settings.camera_error
            ),
        )


def room(settings: Settings) -> None:
    """Rooms: the fused depth's error at each share of outliers."""
    from benchmarks.known_truth import judge_room

    for number in range(settings.rooms):
        kept(
            settings,
            f"room/{number:03d}",
            lambda number=number: judge_room(
                number, seconds=settings.seconds, prior=open_prior(settings.prior), outliers=OUTLIERS
            ),
        )


def depth(settings: Settings) -> None:
    """Real depth pictures."""
    from benchmarks.real_depth import judge_scene, scenes

    for name, scene in scenes(settings.data / "rgbd" / "open3d").items():
        kept(settings, f"depth/{name}", lambda name=name, scene=scene: judge_scene(name, scene, outliers=OUTLIERS))


def peer(settings: Settings) -> None:
    """SMPLify alone."""
    from benchmarks.known_truth import judge_peer

    for number in range(settings.peers):
        kept(
            settings,
            f"peer/{number:03d}",
            lambda number=number: judge_peer(
                number, seconds=settings.seconds, stride=settings.stride, prior=open_prior(settings.prior)
            ),
        )


def video(settings: Settings) -> None:
    """Both cameras of UP-Fall, each alone."""
    from benchmarks.real_views import BYSTANDER, compare, keep, recordings

    clips = {}
    for camera in ("1", "2"):
        clips[camera] = recordings(settings.data / "upfall", camera)
        folder = settings.work / "video" / f"camera{camera}"

        def view(camera: str = camera, folder: Path = folder) -> dict[str, Any]:
            start = time.perf_counter()
            result = reconstruct_clips(
                [clip.video for clip in clips[camera]], [clip.keypoints for clip in clips[camera]], folder / "scene",
                prior=settings.prior, mask_polygon=BYSTANDER if camera == "2" else (),
            )  # fmt: skip
            keep(result, clips[camera], folder, bystander=camera == "2")
            seconds = time.perf_counter() - start
            return {"seconds": seconds, "steps": result.seconds, "rejections": result.rejections, "people": len(result.people)}

        kept(settings, f"video/camera{camera}", view)
    first, second = (settings.work / "video" / f"camera{camera}" for camera in "12")
    if all((folder / f"{clips['1'][0].name}.npz").exists() for folder in (first, second)):
        kept(settings, "video/compared", lambda: compare(first, second, clips["1"]))


def reconstruct_clips(
    videos: list[Path], keypoints: list[Path], out: Path, *, prior: str, mask_polygon: tuple[tuple[float, float], ...]
) -> Reconstruction:
    """The package's own entry point: all clips of one camera as one scene."""
    from augment.reconstruct.config import Inputs, ReconstructConfig
    from augment.reconstruct.pipeline import reconstruct
    from augment.reconstruct.plate.mask import mask_from_polygon
    from augment.sources.video import probe

    info = probe(videos[0])
    mask = mask_from_polygon(mask_polygon, info.width, info.height) if mask_polygon else None
    config = ReconstructConfig(mask=mask, prior=None if prior == "default" else Path(prior))
    inputs = [Inputs(video=video, keypoints=points) for video, points in zip(videos, keypoints, strict=True)]
    last = [""]

    def report(what: str, share: float) -> None:
        step = what.split(":")[0]
        if step != last[0]:
            print(f"{time.strftime('%H:%M:%S')} {out.parent.name} {share:.0%} {step}", file=sys.stderr, flush=True)
        last[0] = step

    return reconstruct(inputs, out, config=config, progress=report)


def speed(settings: Settings) -> None:
    """The command on a synthetic 10 s film: wall time of the process and of each step it reports."""
    from benchmarks.truth.maker import film_truth, make_truth, write_mediapipe

    folder = settings.work / "speed"
    folder.mkdir(parents=True, exist_ok=True)
    clip, points = folder / "clip.mp4", folder / "clip.npz"
    if not clip.exists():
        case = make_truth(2000, "walk", seconds=10.0, fps=25.0)
        write_mediapipe(case.detections("mediapipe33", rng=np.random.default_rng(0)), points)
        film_truth(case, clip, rng=np.random.default_rng(0))

    def run() -> dict[str, Any]:
        command = [sys.executable, "-m", "augment.cli", "reconstruct", str(clip), "--keypoints", str(points)]
        start = time.perf_counter()
        done = subprocess.run([*command, "--out", str(folder / "scene")], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"augment reconstruct failed: {done.stderr[-2000:]}")
        return {"seconds": time.perf_counter() - start, "said": done.stdout[-2000:]}

    kept(settings, "speed/reconstruct", run)


def tracking(settings: Settings) -> None:
    """Run ``benchmarks.tracking`` and keep its output."""

    def run() -> dict[str, Any]:
        done = subprocess.run([sys.executable, "-m", "benchmarks.tracking"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"benchmarks.tracking failed: {done.stderr[-2000:]}")
        return {"said": done.stdout}

    kept(settings, "tracking", run)


PARTS: dict[str, Callable[[Settings], None]] = {
    "truth": truth, "room": room, "depth": depth, "video": video, "tracking": tracking, "peer": peer, "speed": speed,
}  # fmt: skip


if __name__ == "__main__":
    main()
