"""Keypoints of a stick person who stands, falls and lies: recordings that a classifier learns in a second, without pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from augment.files import canonical_json, npz_bytes
from augment.shards.tar import write_manifest, write_shard
from augment.types import Segment

from .videos import CLASSES

FPS = 8.0
SEGMENTS = (
    Segment(label="standing", start_sec=0.0, end_sec=3.0),
    Segment(label="fall", start_sec=3.0, end_sec=4.0),
    Segment(label="fallen", start_sec=4.0, end_sec=6.0),
)


def stick(*, rng: np.random.Generator, points: int, noise: float, segments: tuple[Segment, ...] = SEGMENTS) -> np.ndarray:
    """A rod of points, upright until the fall, then level; ``noise`` in shares of its length. Shape (t, points, 3), pixels."""
    times = np.arange(round(segments[-1].end_sec * FPS)) / FPS
    fall = [segment for segment in segments if segment.label == "fall"]
    down = np.clip((times - fall[0].start_sec) / (fall[0].end_sec - fall[0].start_sec), 0, 1) if fall else 0 * times
    angle, along = down * np.pi / 2, np.linspace(0, 100, points)
    place = np.stack([np.sin(angle)[:, None] * along, -np.cos(angle)[:, None] * along], axis=-1)
    place += rng.uniform(150, 300, 2) + 100 * noise * rng.normal(size=place.shape)
    return np.concatenate([place, np.full((*place.shape[:2], 1), 0.9)], axis=-1).astype(np.float32)


def write_sticks(
    folder: Path, count: int, *, seed: int, prefix: str, noise: float = 0.1, segments: tuple[Segment, ...] = SEGMENTS
) -> Path:
    """Real recordings of keypoints (MediaPipe's files) and their table; returns it. The videos do not exist."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    text = ";".join(f"{s.label}:{s.start_sec}-{s.end_sec}" for s in segments)
    lines = ["video,keypoints,trial,fps,frames,segments"]
    for number in range(count):
        points = stick(rng=rng, points=33, noise=noise, segments=segments)
        name = f"{prefix}{number}"
        np.savez(folder / f"{name}.npz", landmarks2d=points, fps=np.float64(FPS), size=np.array([640, 480]))
        lines.append(f"{name}.mp4,{name}.npz,{name},{FPS},{len(points)},{text}")
    path = folder / f"{prefix}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_stick_films(folder: Path, count: int, *, seed: int, noise: float = 0.0) -> Path:
    """The same as shards of keypoints alone; returns the folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    segments = [{"label": s.label, "start_sec": s.start_sec, "end_sec": s.end_sec} for s in SEGMENTS]
    samples = []
    for number in range(count):
        points = stick(rng=rng, points=17, noise=noise)
        meta = {
            "label": "fall_sideways", "segments": segments, "fps": FPS, "frames": len(points), "is_synthetic": True,
            "width": 640, "height": 480, "provenance": {"recordings": []},
        }  # fmt: skip
        samples.append({"__key__": f"clip{number}", "json": canonical_json(meta), "npz": npz_bytes({"keypoints_coco": points})})
    write_manifest(folder, [write_shard(folder / "clips-000000.tar", samples)])
    return folder


def stick_study(real: Path, test: Path, **changes: Any) -> dict[str, Any]:
    """A study of keypoints that takes a second a run."""
    return {
        "classes": CLASSES, "window_sec": 1.0, "frames": 6, "input": "keypoints", "steps": 30, "batch": 16, "seeds": [0],
        "group_by": ["trial"], "real": str(real), "test": str(test), "arms": ["real"], "precision": "float32", **changes,
    }  # fmt: skip
