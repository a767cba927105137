"""A few seconds of a recording as a small mp4 for a report: its pictures, a drawn skeleton, or one over the other."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from augment.shards.video_codec import encode_video
from augment.sources.people.people import COCO17, COCO17_LIMBS

from .inputs.keypoints import SURE, person_points
from .inputs.rgb import each_frame
from .recordings import Recording

HEIGHT = 240
"""Height of the film, pixels."""
WIDEST = 16 / 9
"""Width of a skeleton's picture, in heights, at most."""
RATE = 10.0
"""Frames a second, where the recording has as many."""
LARGEST = 100_000
"""Size of the mp4 that compression aims at, bytes."""
QUALITIES = (26, 31, 36, 41, 46)
"""x264's rate factors to try for it, best first."""
LEFT, RIGHT, MIDDLE = (255, 176, 64), (92, 176, 255), (240, 240, 240)
"""Colours of lines: of the body's left and right side, and across it."""
GROUND = (34, 40, 49)
"""Colour behind a skeleton drawn alone."""


def clip_film(recording: Recording, *, start_sec: float, end_sec: float, pictures: bool, points: bool) -> bytes:
    """An mp4 (H.264) of a stretch of a recording, at most ``HEIGHT`` px high.

    Args:
        recording: What to show.
        start_sec: Start of the stretch, seconds.
        end_sec: Its end.
        pictures: Show the video's pictures; without them the points are drawn on a plain ground.
        points: Draw the person's 2D keypoints.
    Raises:
        ValueError: If the recording lacks what is asked for or it cannot be read.
        OSError: If a file cannot be read.
    """
    places = person_points(recording) if points else None
    step = recording.fps / min(RATE, recording.fps)
    wanted = np.arange(0, recording.frames, step).round().astype(int)
    wanted = wanted[(wanted >= round(start_sec * recording.fps)) & (wanted < round(end_sec * recording.fps))]
    if pictures:
        frames = _pictures(recording, places, first=int(wanted[0]), last=int(wanted[-1]))
    else:
        assert places is not None, "neither pictures nor points"
        frames = _skeletons(places[np.minimum(wanted, len(places) - 1)])
    return _small_mp4(frames, fps=recording.fps / step)


def _pictures(
    recording: Recording, places: Float[np.ndarray, "t 17 3"] | None, *, first: int, last: int
) -> UInt8[np.ndarray, "n h w 3"]:
    """Small pictures between two frames of the video, with the points drawn over them if there are any."""
    frames = []
    for index, frame in each_frame(recording, rate=RATE):
        if index > last:
            break
        if index < first:
            continue
        size = (max(2, round(frame.width * HEIGHT / frame.height / 2) * 2), HEIGHT)
        picture = cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA)
        if places is not None:
            scale = np.array([size[0] / frame.width, HEIGHT / frame.height, 1])
            draw_skeleton(picture, places[min(index, len(places) - 1)] * scale)
        frames.append(picture)
    return np.stack(frames)


def _skeletons(places: Float[np.ndarray, "t 17 3"]) -> UInt8[np.ndarray, "t h w 3"]:
    """The points alone, in the part of the picture that they move in."""
    sure = places[places[..., 2] > SURE]
    if not len(sure):
        sure = np.zeros((1, 3))
    low, high = sure[:, :2].min(axis=0), sure[:, :2].max(axis=0)
    tall = float(max(high[1] - low[1], (high[0] - low[0]) / WIDEST, 1.0)) * 1.2
    wide = float(max((high[0] - low[0]) * 1.2, tall))
    scale = HEIGHT / tall
    frames = np.full((len(places), HEIGHT, round(wide * scale / 2) * 2, 3), GROUND, np.uint8)
    corner = (low + high) / 2 - np.array([wide, tall]) / 2
    for frame, points in zip(frames, places, strict=True):
        draw_skeleton(frame, np.column_stack([(points[:, :2] - corner) * scale, points[:, 2]]))
    return frames


def draw_skeleton(picture: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "17 3"]) -> None:
    """Draw lines between COCO's points into a picture, where both are seen.

    Args:
        picture: RGB; changed.
        points: Pixels of the picture, and confidence.
    """
    at = np.clip(np.nan_to_num(points[:, :2]), -10_000, 10_000).round().astype(int).tolist()
    width = max(1, picture.shape[0] // 100)
    for one, other in COCO17_LIMBS:
        sides = {COCO17[end].split("_")[0] for end in (one, other)}
        color = LEFT if sides == {"left"} else RIGHT if sides == {"right"} else MIDDLE
        if min(points[one, 2], points[other, 2]) > SURE:
            cv2.line(picture, at[one], at[other], color, width, cv2.LINE_AA)


def _small_mp4(frames: UInt8[np.ndarray, "n h w 3"], *, fps: float) -> bytes:
    """The best quality that is not larger than ``LARGEST``; of noise that none makes so small, a smaller picture."""
    data = b""
    for shrink in (1, 2, 4):
        size = (frames.shape[2] // (2 * shrink) * 2, frames.shape[1] // (2 * shrink) * 2)
        small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
        for quality in QUALITIES:
            data = encode_video(small, fps=fps, crf=quality)
            if len(data) <= LARGEST:
                return data
    return data
