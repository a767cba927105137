"""Real video with two cameras: each view of UP-Fall reconstructed alone, then the two compared."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from augment.scene.recovered import Reconstruction, Recovered
from benchmarks.pose_errors import align, floor_heights, pa_mpjpe

BYSTANDER = ((492.0, 105.0), (640.0, 105.0), (640.0, 330.0), (575.0, 330.0), (545.0, 290.0), (492.0, 235.0))
"""Where somebody sits throughout in camera 2's pictures, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One clip of one camera."""

    name: str
    """Activity and trial, the same in both cameras."""
    action: str
    video: Path
    keypoints: Path
    frames: int
    segments: str
    fps: float


def recordings(folder: Path, camera: str) -> list[Recording]:
    """All clips of a camera, in the order of ``labels.csv``."""
    with open(folder / "labels.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["camera"] == camera]
    return [
        Recording(
            name=f"{row['action']}-{row['trial']}", action=row["action"], video=folder / row["video"],
            keypoints=folder / row["keypoints"], frames=int(row["frames"]), segments=row["segments"], fps=float(row["fps"]),
        )
        for row in rows
    ]  # fmt: skip


def keep(result: Reconstruction, clips: list[Recording], folder: Path) -> None:
    """Write one ``.npz`` a clip: its longest person's joints and what the comparison needs; then overlays to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(clips):
        people = [person for person in result.people if person.video == number]
        if not people:
            np.savez(folder / f"{clip.name}.npz", joints=np.full((clip.frames, 24, 3), np.nan))
            continue
        person = max(people, key=lambda each: int(each.observed.sum()))
        joints = np.full((clip.frames, 24, 3), np.nan)
        joints[person.frames[person.observed]] = person.joints[person.observed]
        np.savez(
            folder / f"{clip.name}.npz", joints=joints, height=person.height_m, reprojection=person.reprojection_px,
            contact_heights=floor_heights(person.joints, (person.contact > 0.5) & person.observed[:, None]),
            K=result.scene.camera.K, T_world_camera=result.scene.camera.T_world_camera, people=len(people),
            rejected=sum(end - start for start, end, _ in person.rejected),
        )  # fmt: skip
        overlay(person, clip, folder / f"{clip.name}.jpg")


def overlay(person: Recovered, clip: Recording, path: Path, *, count: int = 8) -> None:
    """A sheet of frames with the detector's points (green) and the fitted ones (red), joined by lines."""
    import cv2

    from augment.video_codec import decode_video

    frames, _ = decode_video(clip.video)
    rows = np.unique(np.linspace(0, len(person.frames) - 1, count).astype(int))
    pictures = []
    for row in rows.tolist():
        picture = np.ascontiguousarray(frames[person.frames[row]][..., ::-1])
        for seen, fitted in zip(person.observed2d[row, :, :2], person.fitted2d[row], strict=True):
            if np.isfinite(fitted).all():
                end = tuple(int(v) for v in np.clip(fitted, -2000, 4000))
                cv2.circle(picture, end, 2, (0, 0, 255), -1)
                if np.isfinite(seen).all():
                    start = tuple(int(v) for v in np.clip(seen, -2000, 4000))
                    cv2.line(picture, start, end, (0, 255, 255), 1)
                    cv2.circle(picture, start, 2, (0, 255, 0), -1)
        label = f"{clip.name} frame {person.frames[row]}{'' if person.observed[row] else ' (gap)'}"
        cv2.putText(picture, label, (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1)
        pictures.append(picture)
    while len(pictures) % 4:
        pictures.append(np.zeros_like(pictures[0]))
    lines = [np.hstack(pictures[start : start + 4]) for start in range(0, len(pictures), 4)]
    cv2.imwrite(str(path), cv2.resize(np.vstack(lines), None, fx=0.6, fy=0.6))


def compare(first: Path, second: Path, clips: list[Recording]) -> dict[str, Any]:
    """Both cameras' results per recording, and over all.

    Returns:
        ``recordings``: for each, frames both saw; ``rigid`` and ``similar``: mean joint distance after ONE rigid motion (with
        size: similarity) of all joints over all common frames, metres; ``scale`` between the views; ``pa``: after a
        similarity for every frame; the same for frames labelled fall or fallen; and each camera's own figures.
    """
    table = []
    for clip in clips:
        views = [dict(np.load(folder / f"{clip.name}.npz")) for folder in (first, second)]
        row: dict[str, Any] = {"name": clip.name, **_agreement(views[0]["joints"], views[1]["joints"], _down(clip))}
        for camera, view in enumerate(views, start=1):
            if "height" in view:
                row[f"height {camera}"] = float(view["height"])
                row[f"reprojection {camera}"] = float(np.nanmedian(view["reprojection"]))
                heights = view["contact_heights"]
                row[f"foot {camera}"] = [float(v) for v in np.percentile(heights, [10, 50, 90])] if len(heights) else None
                row[f"rejected {camera}"] = int(view["rejected"])
        table.append(row)
    result: dict[str, Any] = {"recordings": table}
    for camera in (1, 2):
        heights = np.array([row[f"height {camera}"] for row in table if f"height {camera}" in row])
        if len(heights):
            result[f"stature {camera}"] = {
                "median": float(np.median(heights)),
                "range": float(np.ptp(heights)),
                "std": float(heights.std()),
            }
    return result


def _agreement(a: Float[np.ndarray, "t 24 3"], b: Float[np.ndarray, "t 24 3"], down: np.ndarray) -> dict[str, Any]:
    count = min(len(a), len(b))
    a, b, down = a[:count], b[:count], down[:count]
    both = np.isfinite(a).all(axis=(1, 2)) & np.isfinite(b).all(axis=(1, 2))
    result: dict[str, Any] = {"frames": int(both.sum()), "of": count}
    if both.sum() < 5:
        return result
    a, b, down = a[both], b[both], down[both]
    aligned = {
        name: np.linalg.norm(align(a.reshape(-1, 3), b.reshape(-1, 3), scale=size).reshape(a.shape) - b, axis=-1).mean(-1)
        for name, size in (("rigid", False), ("similar", True))
    }
    aligned["pa"] = pa_mpjpe(a, b)
    for name, errors in aligned.items():
        result[name] = float(errors.mean())
        if down.any():
            result[f"{name} down"] = float(errors[down].mean())
    spread = [np.sqrt(((p - p.reshape(-1, 3).mean(0)) ** 2).sum(-1).mean()) for p in (a, b)]
    return result | {"scale": float(spread[1] / spread[0])}


def _down(clip: Recording) -> np.ndarray:
    """Frames labelled fall or fallen."""
    down = np.zeros(clip.frames, bool)
    for segment in clip.segments.split(";"):
        label, span = segment.split(":")
        start, end = (round(float(second) * clip.fps) for second in span.split("-"))
        down[start:end] = label in ("fall", "fallen")
    return down
