"""Real video with two cameras: each view of UP-Fall reconstructed alone, then the two compared."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from augment.body.model import Body, load_body, pose_body
from augment.geometry import project_clamped
from augment.motion.contacts import FOOT_JOINTS
from augment.reconstruct.bodies.cover import trusted
from augment.reconstruct.people import Reconstruction, Recovered
from augment.types import JOINT, SMPL_PARENTS, Camera, SceneMesh
from benchmarks.truth.pose_errors import align, pa_mpjpe
from benchmarks.upfall import BYSTANDER as BYSTANDER


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


def fragments(people: Sequence[Recovered], *, bystander: bool) -> list[Recovered]:
    """Tracks of the recording's subject, the longest first; there are several where tracking lost them.

    In camera 2 a bystander sits at the picture's edge throughout, and the detector, which gives one person a frame, sometimes
    detects them instead: tracks that stay in ``BYSTANDER`` are left out.
    """
    import cv2

    polygon, own = np.asarray(BYSTANDER, np.float32), []
    for person in people:
        middle = np.nanmedian(person.observed2d[person.observed][..., :2], axis=(0, 1))
        sits = bystander and cv2.pointPolygonTest(polygon, (float(middle[0]), float(middle[1])), False) >= 0
        if not sits:
            own.append(person)
    return sorted(own, key=lambda person: -int(person.observed.sum()))


def keep(result: Reconstruction, clips: list[Recording], folder: Path, *, bystander: bool) -> None:
    """Write one ``.npz`` a clip: the person's joints in trusted frames, and what the comparison needs; then overlays."""
    folder.mkdir(parents=True, exist_ok=True)
    body, camera = load_body(), result.scene.camera
    numbers = {path.stem: number for number, path in enumerate(result.videos)}
    for clip in clips:
        people = [person for person in result.people if person.video == numbers.get(clip.video.stem)]
        own = fragments(people, bystander=bystander)
        joints = np.full((clip.frames, 24, 3), np.nan)
        off, share, soles = np.full(clip.frames, np.nan), np.full(clip.frames, np.nan), []
        for person in reversed(own):
            good = np.array([trusted(person, int(frame)) for frame in person.frames])
            joints[person.frames[good]] = person.joints[good]
            depth = ((person.joints[:, 0] - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]).clip(0.1)
            size = person.height_m * camera.K[1, 1] / depth
            off[person.frames[good]] = person.reprojection_px[good]
            share[person.frames[good]] = (person.reprojection_px / size)[good]
            soles.append(_sole_heights(person, good, body))
        figures = {"joints": joints, "tracks": len(own), "others": len(people) - len(own), "reprojection": off, "share": share}
        if own:
            figures |= {"height": own[0].height_m, "soles": np.concatenate(soles)}
            overlay(own, clip, camera, body, folder / f"{clip.name}.png")
        np.savez(folder / f"{clip.name}.npz", **figures)


def _sole_heights(person: Recovered, good: Bool[np.ndarray, " t"], body: Body) -> Float[np.ndarray, " n"]:
    """Height of ankles and toes at contact above that in somebody who stands flat on the floor, metres."""
    rest = body.rest_joints(person.motion.betas)
    lowest = float(body.rest_vertices(person.motion.betas)[:, 1].min())
    feet = list(FOOT_JOINTS)
    above = person.joints[:, feet, 1] - (rest[feet, 1] - lowest)
    return above[(person.contact > 0.5) & good[:, None]]


def overlay(people: Sequence[Recovered], clip: Recording, camera: Camera, body: Body, path: Path, *, count: int = 12) -> None:
    """A sheet of frames, half of them from the fall where there is one: the body over the picture, its left blue, right red,
    the detector's points green."""
    import cv2

    from augment.raster.rasterize import make_rasterizer
    from augment.shards.video_codec import decode_video

    frames, _ = decode_video(clip.video)
    rasterizer, grey = make_rasterizer("auto"), np.full((len(body.weights), 3), 160, np.uint8)
    pictures = []
    for frame in _frames_to_show(clip, count):
        picture, label = np.ascontiguousarray(frames[frame][..., ::-1]), f"{clip.name} {frame}"
        for person in people:
            row = frame - int(person.frames[0])
            if not 0 <= row < len(person.frames):
                continue
            vertices, _ = pose_body(body, person.motion, slice(row, row + 1))
            drawn, depth = rasterizer.render_mesh(
                SceneMesh(vertices=vertices[0].astype(float), faces=body.faces, colors=grey), camera
            )
            picture[depth > 0] = (0.45 * picture + 0.55 * np.asarray(drawn)[..., ::-1])[depth > 0].astype(np.uint8)
            local = (person.joints[row] - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, :3]
            uv = project_clamped(local, camera.K, nearest=0.1)
            for joint, parent in enumerate(SMPL_PARENTS):
                if parent >= 0:
                    name = next((n for n, number in JOINT.items() if number == joint), "")
                    color = {"left": (255, 80, 0), "righ": (0, 0, 255)}.get(name[:4], (255, 255, 255))
                    ends = np.clip(uv[[parent, joint]], -2000, 4000).astype(np.int32)
                    cv2.polylines(picture, [ends], False, color, 2)
            for u, v, sure in person.observed2d[row]:
                if np.isfinite(u) and sure > 0.3:
                    cv2.circle(picture, (int(np.clip(u, -99, 4000)), int(np.clip(v, -99, 4000))), 2, (0, 255, 0), -1)
            state = "" if trusted(person, frame) else " NOT TRUSTED" if person.observed[row] else " gap"
            label += f" #{person.track} {local[0, 2]:.1f} m{state}"
        cv2.putText(picture, label, (5, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 2)
        pictures.append(picture)
    while len(pictures) % 4:
        pictures.append(np.zeros_like(pictures[0]))
    lines = [np.hstack(pictures[start : start + 4]) for start in range(0, len(pictures), 4)]
    cv2.imwrite(str(path), cv2.resize(np.vstack(lines), None, fx=0.6, fy=0.6))


def _frames_to_show(clip: Recording, count: int) -> list[int]:
    falling = np.flatnonzero(_labelled(clip, ("fall",)))
    frames = np.linspace(0, clip.frames - 1, count // 2 if len(falling) else count)
    if len(falling):
        end = min(falling[-1] + 6, clip.frames - 1)
        frames = np.concatenate([frames, np.linspace(falling[0], end, count - len(frames))])
    return np.unique(frames.astype(int)).tolist()


def compare(first: Path, second: Path, clips: list[Recording]) -> dict[str, Any]:
    """Both cameras' results per recording, and over all; only frames that both views trust are compared.

    Returns:
        ``recordings``: for each, frames both trust; ``rigid``: mean joint distance after ONE rigid motion (no scale) of all
        joints over all those frames, metres; ``frame``: after a rigid motion for every frame; ``pa``: after a similarity for
        every frame; the same for frames labelled fall or fallen; ``scale`` of the second view to the first; and each camera's
        own figures. ``room``: all recordings after one rigid motion, for the cameras do not move.
    """
    table, views = [], {}
    for clip in clips:
        pair = [dict(np.load(folder / f"{clip.name}.npz")) for folder in (first, second)]
        views[clip.name] = pair
        down = _labelled(clip, ("fall", "fallen"))
        row = {"name": clip.name, "action": clip.action, **_agreement(pair[0]["joints"], pair[1]["joints"], down)}
        for camera, view in enumerate(pair, start=1):
            if "height" in view:
                row |= {
                    f"height {camera}": float(view["height"]), f"tracks {camera}": int(view["tracks"]),
                    f"trusted {camera}": int(np.isfinite(view["joints"][:, 0, 0]).sum()),
                    f"reprojection {camera}": float(np.nanmedian(view["reprojection"])),
                    f"share {camera}": float(np.nanmedian(view["share"])),
                    f"soles {camera}": [float(v) for v in np.percentile(view["soles"], [10, 50, 90])]
                    if len(view["soles"]) else None,
                }  # fmt: skip
        table.append(row)
    result: dict[str, Any] = {"recordings": table, "room": _one_room(views)}
    for camera in (1, 2):
        heights = np.array([row[f"height {camera}"] for row in table if f"height {camera}" in row])
        result[f"stature {camera}"] = _spread(heights)
    result["stature difference"] = _spread(np.array([
        row["height 2"] - row["height 1"] for row in table if "height 1" in row and "height 2" in row
    ]))  # fmt: skip
    return result


def _spread(values: Float[np.ndarray, " n"]) -> dict[str, float]:
    low, high = np.percentile(values, [5, 95])
    return {
        "mean": float(values.mean()), "std": float(values.std()), "range": float(np.ptp(values)), "p5-p95": float(high - low),
        "clips": len(values),
    }  # fmt: skip


def _one_room(views: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Every recording's joints together after one rigid motion of the first camera's world onto the second's, metres."""
    counts = {name: min(len(view["joints"]) for view in pair) for name, pair in views.items()}
    a, b = (np.concatenate([pair[i]["joints"][: counts[name]] for name, pair in views.items()]) for i in (0, 1))
    both = np.isfinite(a).all(axis=(1, 2)) & np.isfinite(b).all(axis=(1, 2))
    a, b = a[both], b[both]
    errors = np.linalg.norm(align(a.reshape(-1, 3), b.reshape(-1, 3), scale=False).reshape(a.shape) - b, axis=-1)
    return {"mean": float(errors.mean()), "median": float(np.median(errors)), "frames": int(both.sum())}


def _agreement(a: Float[np.ndarray, "t 24 3"], b: Float[np.ndarray, "t 24 3"], down: np.ndarray) -> dict[str, Any]:
    count = min(len(a), len(b))
    a, b, down = a[:count], b[:count], down[:count]
    both = np.isfinite(a).all(axis=(1, 2)) & np.isfinite(b).all(axis=(1, 2))
    result: dict[str, Any] = {"frames": int(both.sum()), "of": count}
    if both.sum() < 5:
        return result
    a, b, down = a[both], b[both], down[both]
    moved = align(a.reshape(-1, 3), b.reshape(-1, 3), scale=False).reshape(a.shape)
    aligned = {
        "rigid": np.linalg.norm(moved - b, axis=-1).mean(-1), "root": np.linalg.norm((moved - b)[:, 0], axis=-1),
        "frame": pa_mpjpe(a, b, scale=False), "pa": pa_mpjpe(a, b),
    }  # fmt: skip
    for name, errors in aligned.items():
        result[name] = float(errors.mean())
        if down.any():
            result[f"{name} down"] = float(errors[down].mean())
    spread = [np.sqrt(((p - p.reshape(-1, 3).mean(0)) ** 2).sum(-1).mean()) for p in (a, b)]
    return result | {"scale": float(spread[1] / spread[0])}


def _labelled(clip: Recording, labels: tuple[str, ...]) -> Bool[np.ndarray, " t"]:
    """Frames with one of these labels."""
    marked = np.zeros(clip.frames, bool)
    for segment in clip.segments.split(";"):
        label, span = segment.split(":")
        start, end = (round(float(second) * clip.fps) for second in span.split("-"))
        marked[start:end] |= label in labels
    return marked
