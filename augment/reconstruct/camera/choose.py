"""The camera of one or more videos: calibrated with the people in them, or guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ...sources.video import probe
from ..plate.looks import content_box
from ..watch.stillness import sample_frames
from ..watch.watch import TrackedVideo
from .calibrate import Calibration, Uncalibrated, calibrate, guess_calibration
from .given import Given, Picture
from .lines import room_lines
from .upright import find_upright
from .whole_body import whole_bodies

_STILL_VIDEOS, _STILL_FRAMES = 4, 12
"""Videos and frames of the picture that edges are looked for in."""


def calibrate_videos(
    videos: Sequence[TrackedVideo], picture: Picture, given: Given, still: UInt8[np.ndarray, "h w 3"]
) -> Calibration | Uncalibrated:
    """The camera calibrated from the people in all of the videos and from the room's edges.

    Args:
        videos: Of one camera.
        picture: Their size.
        given: What is known of the camera.
        still: The room, as empty as may be, at the size of a frame.
    Returns:
        The camera; guessed where nobody was detected, as edges say nothing of its height.
    """
    outlines = [outline for seen in videos for outline in seen.outlines]
    if not outlines:
        return guess_calibration(picture, given)
    return calibrate(
        find_upright(outlines), picture, given, lines=room_lines(still, picture.center, picture.content),
        bodies=whole_bodies(outlines),
    )  # fmt: skip


def calibrate_or_guess(
    videos: Sequence[TrackedVideo], picture: Picture, given: Given, still: UInt8[np.ndarray, "h w 3"]
) -> Calibration:
    """As ``calibrate_videos``, but guessed also if there is too little to go by or the result is implausible."""
    found = calibrate_videos(videos, picture, given, still)
    guess = guess_calibration(picture, given)
    return found if isinstance(found, Calibration) and _is_plausible(found, guess, given) else guess


def _is_plausible(found: Calibration, guess: Calibration, given: Given) -> bool:
    """Whether those of focal length, height and pitch that were not given are plausible for a room camera."""
    focal = 0.4 < found.focal / guess.focal < 3.0 or given.focal is not None
    height = 0.4 < found.height < 5.0 or given.camera_height is not None
    pitch = np.radians(-20) < found.pitch < np.radians(80) or given.pitch is not None
    return bool(focal and height and pitch)


def still_picture(videos: Sequence[Path]) -> UInt8[np.ndarray, "h w 3"]:
    """The median of a few frames of the videos: the room without whoever moves about. RGB, at the size of a frame."""
    chosen = [videos[i] for i in np.unique(np.linspace(0, len(videos) - 1, _STILL_VIDEOS).round().astype(int))]
    count = max(3, _STILL_FRAMES // len(chosen))
    frames = [sample_frames(path, count, width=probe(path).width).frames for path in chosen]
    return np.median(np.concatenate(frames), axis=0).astype(np.uint8)


def picture_of(still: UInt8[np.ndarray, "h w 3"]) -> Picture:
    """Size of a frame, and the content inside black bars."""
    height, width = still.shape[:2]
    return Picture(width=width, height=height, content=content_box(still))
