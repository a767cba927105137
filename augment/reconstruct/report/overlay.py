"""Clips with the fitted bodies drawn over them: as a video a browser plays, and as a strip of a few frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from ...body.model import Body, pose_body
from ...raster.rasterize import Rasterizer
from ...shards.video_codec import encode_video
from ...sources.video import probe, read_frames
from ...types import Camera, SceneMesh
from ..people import Recovered
from .summary import label_of

COLORS: tuple[tuple[int, int, int], ...] = (
    (61, 129, 214), (226, 125, 40), (150, 100, 205), (60, 178, 190), (220, 95, 160), (160, 125, 80), (120, 145, 235),
    (140, 140, 140),
)  # fmt: skip
"""RGB of the people, in the order they are listed; reused beyond that. Not green or red, which are colours of ``STATES``."""
OBSERVED, BRIDGED, REJECTED, ABSENT = 0, 1, 2, 3
STATES: dict[int, tuple[str, tuple[int, int, int]]] = {
    OBSERVED: ("seen", (74, 165, 100)), BRIDGED: ("bridged: not seen, filled in", (232, 178, 50)),
    REJECTED: ("not trusted", (200, 55, 60)), ABSENT: ("not there", (70, 74, 82)),
}  # fmt: skip
"""State of a person in a frame: its name and colour."""
ALPHA = {OBSERVED: 0.55, BRIDGED: 0.3, REJECTED: 0.3}
BAR = 8
"""Height of each person's bar, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """Draws bodies over a clip."""

    camera: Camera
    """The camera the people were fitted with, at the size that is drawn."""
    body: Body
    """The body they were fitted with."""
    rasterizer: Rasterizer
    scale: float = 1.0
    """Pixels drawn to a pixel of the clip."""

    def at_height(self, height: int) -> Renderer:
        """The renderer at about another height, at most the clip's; both sides even, as video codecs need."""
        camera = self.camera
        small = camera.scaled_to(2 * round(min(height, camera.height) / 2))
        small = camera.scaled_to(small.height, 2 * round(small.width / 2))
        return replace(self, camera=small, scale=small.height / camera.height)


def color_of(index: int) -> tuple[int, int, int]:
    """A person's colour by its index in ``Reconstruction.people``."""
    return COLORS[index % len(COLORS)]


def states_of(person: Recovered, frames: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """State of a person in given frames of the video: a key of ``STATES``."""
    own = np.where(person.accepted, np.where(person.observed, OBSERVED, BRIDGED), REJECTED)
    if not len(own):
        return np.full(len(frames), ABSENT)
    row = np.asarray(frames) - person.frames[0]
    return np.where((row >= 0) & (row < len(own)), own[np.clip(row, 0, len(own) - 1)], ABSENT)


def draw_overlay(
    video: Path, people: Sequence[tuple[int, Recovered]], renderer: Renderer, *, height: int, pictures: int
) -> tuple[bytes, bytes, dict[str, Any]]:
    """Draw the people of one clip over it.

    Args:
        people: With their indices in ``Reconstruction.people``.
        height: Of the picture without its bars, pixels; never more than the clip's own.
        pictures: At most so many are drawn; a longer clip is played faster.
    Returns:
        The mp4; a JPEG of its middle frame, shown before it plays; and facts for the caption: pictures (``frames``), frames of
        the clip from one to the next (``stride``), their rate, times real time at which they play (``speed``), size, people.
    Raises:
        ValueError: If the video cannot be read; the message is the reason.
    """
    info = probe(video)
    # About ten frames a second still look smooth.
    stride = max(1, round(info.fps / 10), -(-info.frames // pictures))
    speed = max(1.0, min(stride * 10 / info.fps, 4.0)) if stride > round(info.fps / 10) else 1.0
    chosen = np.arange(0, info.frames, stride)
    drawn = list(_draw(video, chosen, info.frames, people, renderer.at_height(height)))
    fps = info.fps / stride * speed
    mp4 = encode_video(np.stack(drawn), fps=fps, crf=25)
    return mp4, jpeg(drawn[len(drawn) // 2]), {
        "frames": len(drawn), "stride": stride, "fps": fps, "speed": speed, "width": drawn[0].shape[1],
        "height": drawn[0].shape[0], "bytes": len(mp4),
        "people": [{"label": label_of(who), "color": css(color_of(index)), "layout": who.layout} for index, who in people],
    }  # fmt: skip


def draw_strip(
    video: Path, people: Sequence[tuple[int, Recovered]], renderer: Renderer, *, height: int, pictures: int = 4
) -> bytes:
    """A few evenly spaced frames of a clip side by side, with the bodies on them: JPEG.

    Raises:
        ValueError: If the video cannot be read; the message is the reason.
    """
    info = probe(video)
    chosen = np.unique(((np.arange(pictures) + 0.5) / pictures * info.frames).astype(int))
    strip = np.concatenate(list(_draw(video, chosen, info.frames, people, renderer.at_height(height))), axis=1)
    return jpeg(strip)


def jpeg(picture: UInt8[np.ndarray, "h w 3"], quality: int = 82) -> bytes:
    """Encode RGB."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def _draw(
    video: Path, chosen: np.ndarray, total: int, people: Sequence[tuple[int, Recovered]], renderer: Renderer
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Yield the chosen frames with bodies, points and bars."""
    small = renderer.camera
    bars = _bars(people, total, small.width)
    posed = {index: _pose(person, chosen, renderer.body) for index, person in people}
    for frame, picture in read_frames(video, chosen):
        canvas = cv2.resize(picture, (small.width, small.height), interpolation=cv2.INTER_AREA)
        here = [(i, p, int(states_of(p, np.array([frame]))[0])) for i, p in people]
        here = [(i, p, state) for i, p, state in here if state != ABSENT]
        if here:
            meshes = [posed[i][frame] for i, _, _ in here]
            _blend(canvas, meshes, [(index, state) for index, _, state in here], renderer)
        for index, person, state in here:
            _points(canvas, person, frame - int(person.frames[0]), index, state, renderer.scale)
        foot = bars.copy()
        if len(foot):
            x = min(round(frame / max(total - 1, 1) * (small.width - 1)), small.width - 2)
            foot[:, x : x + 2] = 255
        yield np.concatenate([canvas, foot])


def _pose(person: Recovered, chosen: np.ndarray, body: Body) -> dict[int, Float[np.ndarray, "v 3"]]:
    """Vertices at those of the chosen frames that the person's track covers."""
    rows = chosen - (person.frames[0] if len(person.frames) else 0)
    rows = rows[(rows >= 0) & (rows < len(person.frames))]
    vertices, _ = pose_body(body, person.motion.take(rows))
    return {int(person.frames[row]): each for row, each in zip(rows, vertices, strict=True)}


def _blend(canvas: np.ndarray, meshes: list[np.ndarray], states: list[tuple[int, int]], renderer: Renderer) -> None:
    """Draw bodies half-transparent into a picture; the nearer one hides the other."""
    body = renderer.body
    count = len(body.weights)
    faces = np.concatenate([body.faces + n * count for n in range(len(meshes))])
    colors = np.concatenate([np.tile(np.array(color_of(i), np.uint8), (count, 1)) for i, _ in states])
    mesh = SceneMesh(vertices=np.concatenate(meshes).astype(float), faces=faces, colors=colors)
    rgb, depth = renderer.rasterizer.render_mesh(mesh, renderer.camera)
    alpha = max(ALPHA[state] for _, state in states)
    hit = depth > 0
    canvas[hit] = np.rint(canvas[hit] * (1 - alpha) + rgb[hit] * alpha).astype(np.uint8)


def _points(canvas: np.ndarray, person: Recovered, row: int, index: int, state: int, scale: float) -> None:
    """The detector's points as dots, the same points on the fitted body as rings, a line between the two."""
    color = color_of(index)
    bright = tuple(min(255, value + 60) for value in color)
    fitted_points = person.fitted2d[row][np.isfinite(person.fitted2d[row]).all(axis=1)]
    tall = scale * float(np.ptp(fitted_points[:, 1])) if len(fitted_points) else 0.0
    dot = round(16 * np.clip(tall / 140, 0.9, 2.0))
    for seen, fitted in zip(person.observed2d[row], person.fitted2d[row], strict=True):
        a = _pixel(fitted, scale)
        b = _pixel(seen, scale) if np.isfinite(seen[:2]).all() and seen[2] > 0 else None
        if a and b:
            cv2.line(canvas, a, b, bright, 1, cv2.LINE_AA, 4)
        if a:
            cv2.circle(canvas, a, 2 * dot, STATES[state][1] if state else bright, 1, cv2.LINE_AA, 4)
        if b:
            cv2.circle(canvas, b, dot, (255, 255, 255), -1, cv2.LINE_AA, 4)


def _pixel(point: np.ndarray, scale: float) -> tuple[int, int] | None:
    """A point in OpenCV's sixteenths of a pixel, whose centres are whole numbers there; None if far outside the picture."""
    u, v = float(point[0]) * scale - 0.5, float(point[1]) * scale - 0.5
    if not (np.isfinite(u) and np.isfinite(v)) or max(abs(u), abs(v)) > 5000:
        return None
    return round(u * 16), round(v * 16)


def _bars(people: Sequence[tuple[int, Recovered]], total: int, width: int) -> UInt8[np.ndarray, "b w 3"]:
    """One bar a person: their states over the clip from left to right, their colour at the left end; an even height."""
    frames = np.floor((np.arange(width) + 0.5) / width * total).astype(int)
    palette = np.array([STATES[state][1] for state in sorted(STATES)], np.uint8)
    rows = np.zeros((BAR * len(people), width, 3), np.uint8)
    for place, (index, person) in enumerate(people):
        part = rows[place * BAR : (place + 1) * BAR]
        part[1:] = palette[states_of(person, frames)]
        part[1:, : BAR + 2] = color_of(index)
    return rows


def css(color: tuple[int, int, int]) -> str:
    """A colour in CSS notation."""
    return "#" + "".join(f"{value:02x}" for value in color)
