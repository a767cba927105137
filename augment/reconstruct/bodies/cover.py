"""Pixels that fitted bodies cover: z-buffers to compare depth maps with, and outlines to keep out of the plate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int

from ...body.model import Body, pose_body
from ...geometry import project_clamped
from ...raster.rasterize import make_rasterizer
from ...sources.people.mediapipe import Keypoints
from ...types import Camera, SceneMesh
from ..people import Recovered
from ..watch.watch import TrackedVideo, posed_landmarks, track_of

_STANDING = 0.4
"""Least height of the pelvis of a standing person, share of the stature."""
_ROAMED = 1.5
"""Ratio of the largest to the smallest distance from which people walked through the depth of the room."""


def trusted(person: Recovered, frame: int) -> bool:
    """Whether a person was seen in a frame of the video and the fit is trusted there."""
    row = frame - int(person.frames[0])
    return 0 <= row < len(person.frames) and bool(person.observed[row] and person.accepted[row])


def depth_frames(
    maps: Int[np.ndarray, " n"], people: Sequence[Recovered], camera: Camera, count: int, *, least: int = 8
) -> list[int]:
    """Frames that have a map and a trusted body whose place is well known, evenly spaced, ``count`` at most.

    People who walk through the depth of the room determine scale and offset in spite of errors of single frames. For people who
    stay in one place errors are correlated: lying or falling bodies are easily 5 % off along the view, while the calibrated
    floor determines the distance of standing ones. For them frames with at most the median reprojection error are taken, and
    of these the standing ones if there are at least ``least``.

    Raises:
        ValueError: If there is none.
    """
    if not people:
        raise ValueError(
            "nobody was found in the video, and only people give the scale of the maps; give --keypoints or --hmr, or "
            "omit --depth for a guessed room"
        )
    usable = [int(frame) for frame in maps if any(trusted(person, int(frame)) for person in people)]
    if not usable:
        raise ValueError(
            "no depth map shows a person where the fit trusts them, so its scale is unknown; give maps of "
            "frames in which somebody stands in full view, or omit --depth for a guessed room"
        )
    columns = zip(*(_placed(people, camera, frame) for frame in usable), strict=True)
    off, stands, away = (np.array(column) for column in columns)
    near, far = np.percentile(away, [5, 95])
    anywhere = np.full(len(usable), far > _ROAMED * max(near, 0.1))
    close = off <= np.median(off)
    tries = (anywhere, close & stands, close, np.ones(len(usable), bool))
    rows = next(np.flatnonzero(rows) for rows in tries if rows.sum() >= min(least, len(usable)))
    return [usable[rows[i]] for i in np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))]


def _placed(people: Sequence[Recovered], camera: Camera, frame: int) -> tuple[float, bool, float]:
    """Largest reprojection error of the trusted bodies, metres at their distance; whether all are standing; and the median
    distance along the view, metres."""
    off, stands, places = 0.0, True, []
    for person in people:
        if not trusted(person, frame):
            continue
        row = frame - int(person.frames[0])
        away = float((person.joints[row, 0] - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2])
        places.append(away)
        off = max(off, float(np.nan_to_num(person.reprojection_px[row], nan=np.inf)) * away / float(camera.K[1, 1]))
        up = person.joints[row, 0, 1] > _STANDING * person.height_m
        stands &= bool(up and person.contact[row].max() > 0.5)
    return off, stands, float(np.median(places))


def z_buffers(
    people: Sequence[Recovered], camera: Camera, body: Body, frames: Sequence[int]
) -> Iterator[tuple[int, Float32[np.ndarray, "h w"]]]:
    """For each frame the z-depth of all trusted bodies, metres, 0 = nobody."""
    rasterizer = make_rasterizer("auto")
    colors = np.full((len(body.weights), 3), 128, np.uint8)
    for frame in frames:
        nearest = np.zeros((camera.height, camera.width), np.float32)
        for person in people:
            if not trusted(person, frame):
                continue
            row = frame - int(person.frames[0])
            vertices, _ = pose_body(body, person.motion, slice(row, row + 1))
            _, depth = rasterizer.render_mesh(
                SceneMesh(vertices=vertices[0].astype(float), faces=body.faces, colors=colors), camera, lights=None
            )
            nearest = np.where((depth > 0) & ((nearest == 0) | (depth < nearest)), depth, nearest)
        yield frame, nearest


def body_outlines(video: TrackedVideo, people: Sequence[Recovered], body: Body, camera: Camera) -> list[Keypoints]:
    """Each person's outline from their first to their last frame: the detector's points, the fit's where it has none."""
    outlines, by_track = [], {person.track: person for person in people}
    for tables, seen in zip(video.people, video.outlines, strict=True):
        person = by_track.get(track_of(tables))
        if person is None:  # not fitted, but still to be kept out of the plate
            outlines.append(seen)
            continue
        fitted = _fitted_points(person, body, camera)
        points = seen.landmarks2d.copy()
        rows = person.frames[person.frames < len(points)]
        fill = ~np.isfinite(points[rows, :, :2]).all(axis=(1, 2))
        points[rows[fill]] = fitted[: len(rows)][fill]
        outlines.append(
            Keypoints(
                path=Path(seen.path), landmarks2d=points, landmarks_world=None, fps=seen.fps, width=seen.width,
                height=seen.height,
            )
        )  # fmt: skip
    return outlines


def _fitted_points(person: Recovered, body: Body, camera: Camera) -> np.ndarray:
    """MediaPipe's landmarks of the fitted body, (t, 33, 3): pixels and visibility 1."""
    motion = person.motion
    pose = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
    points = posed_landmarks(body, motion.betas, pose, motion.transl)
    local = (points - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, :3]
    uv = project_clamped(local, camera.K, nearest=0.05)
    return np.concatenate([uv, np.ones((*uv.shape[:2], 1))], axis=-1).astype(np.float32)
