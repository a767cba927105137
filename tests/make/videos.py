"""Small made-up videos whose class can be seen: a bright bar stands, tips over, or lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from augment.shards.sample import clip_to_sample
from augment.shards.tar import ShardRecord, write_manifest, write_shard
from augment.shards.video_codec import encode_video
from augment.sources.people.keypoints import to_mediapipe
from augment.sources.people.people import People
from augment.types import Clip, Segment
from recognition.inputs.rgb import FrameStore
from recognition.recordings import Recording

FPS = 8.0
CLASSES = {"standing": ["standing"], "fall": ["fall"], "down": ["fallen"]}
SEGMENTS = (
    Segment(label="standing", start_sec=0.0, end_sec=2.0),
    Segment(label="fall", start_sec=2.0, end_sec=3.0),
    Segment(label="fallen", start_sec=3.0, end_sec=5.0),
)


def bar_video(*, rng: np.random.Generator, height: int = 48, width: int = 64) -> np.ndarray:
    """Five seconds: upright for two, tipping for one, lying for two. Shape (40, height, width, 3)."""
    frames = rng.integers(0, 40, (round(5 * FPS), height, width, 3)).astype(np.uint8)
    left, color = int(rng.integers(4, 28)), rng.integers(150, 255, 3)
    for index, frame in enumerate(frames):
        fallen = float(np.clip(index / FPS - 2, 0, 1))
        tall, wide = round(34 - 26 * fallen), round(8 + 26 * fallen)
        frame[44 - tall : 44, left : left + wide] = color
    return frames


def write_videos(
    folder: Path, count: int, *, seed: int, prefix: str = "v", columns: dict[str, str] | None = None, keypoints: bool = False
) -> Path:
    """Videos and their ``labels.csv``; returns the CSV. ``columns`` are added to every row, and files of keypoints if asked."""
    rng = np.random.default_rng(seed)
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    text = ";".join(f"{s.label}:{s.start_sec}-{s.end_sec}" for s in SEGMENTS)
    extra = {**(columns or {}), **({"keypoints": ""} if keypoints else {})}
    path = folder / f"labels-{prefix}.csv"
    lines = [",".join(["video", "trial", "fps", "frames", *extra, "segments"])]
    for number in range(count):
        name = f"videos/{prefix}{number}.mp4"
        (folder / name).write_bytes(encode_video(bar_video(rng=rng), fps=FPS))
        if keypoints:
            extra["keypoints"] = f"keypoints/{prefix}{number}.npz"
            write_npz_keypoints(folder / extra["keypoints"], bar_keypoints(rng=rng), size=(64, 48))
        lines.append(",".join([name, f"{prefix}{number}", str(FPS), str(round(5 * FPS)), *extra.values(), text]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_samples(folder: Path, *counts: int, seed: int, provenance: dict | None = None) -> Path:
    """The same kind of clips as shards, so many in each tar; returns the folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    records: list[ShardRecord] = []
    for number, count in enumerate(counts):
        samples = []
        for first in range(count):
            clip = Clip(
                frames=bar_video(rng=rng), fps=FPS, action="fall_sideways", segments=SEGMENTS, provenance=provenance or {},
                arrays={"keypoints_coco": bar_keypoints(rng=rng)},
            )  # fmt: skip
            samples.append(clip_to_sample(f"clip{sum(counts[:number]) + first}", clip))
        records.append(write_shard(folder / f"clips-{number:06d}.tar", samples))
    write_manifest(folder, records)
    return folder


def write_sound(path: Path) -> None:
    """An mp4 with sound alone."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_npz_keypoints(path: Path, points: np.ndarray, *, size: tuple[int, int]) -> None:
    """COCO's points as MediaPipe's landmarks of a video: the points that COCO lacks lie where the nearest one does."""
    people = People(
        path=path, source="test", frame=np.arange(len(points)), track=np.zeros(len(points), int), layout="coco17",
        keypoints2d=points.astype(float),
    )  # fmt: skip
    found = to_mediapipe(people, frames=len(points), width=size[0], height=size[1], fps=FPS)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, landmarks2d=found.landmarks2d, fps=FPS, size=np.array(size))


def bar_keypoints(*, rng: np.random.Generator) -> np.ndarray:
    """COCO's points of somebody who falls as the bar does, all seen. Shape (40, 17, 3), pixels."""
    upright = np.column_stack([rng.uniform(-4, 4, 17), np.linspace(-34, 0, 17)])
    fallen = np.clip(np.arange(round(5 * FPS)) / FPS - 2, 0, 1)[:, None, None]
    place = (1 - fallen) * upright + fallen * upright[:, ::-1] + [rng.uniform(30, 40), 44]
    return np.concatenate([place, np.ones((len(place), 17, 1))], axis=-1).astype(np.float32)


def study_data(real_csv: Path, test_csv: Path, **changes: object) -> dict:
    """A study small enough for a test, as plain data."""
    return {
        "classes": CLASSES, "window_sec": 1.0, "frames": 4, "size": 32, "steps": 40, "batch": 8, "seeds": [0], "lr": 3e-3,
        "group_by": ["trial"], "real": {"csv": str(real_csv)}, "test": {"csv": str(test_csv)}, "arms": ["real"],
        "precision": "float32", **changes,
    }  # fmt: skip


def recording(name: str = "a", **changes: Any) -> Recording:
    """A recording of five seconds whose file need not exist."""
    values = {"name": name, "path": Path(f"{name}.mp4"), "fps": 10.0, "frames": 50, "segments": SEGMENTS, "group": name}
    return Recording(**{**values, **changes})


def small_store(folder: Path) -> FrameStore:
    """Four frames at 32 px of one-second windows."""
    return FrameStore(folder=folder, size=32, frames=4, window_sec=1.0)
