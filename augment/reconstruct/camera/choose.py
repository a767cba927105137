"""The camera of one or more videos: calibrated with the people in them, or guessed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..plate.looks import content_box
from ..watch.stillness import sample_frames
from ..watch.watch import TrackedVideo
from .calibrate import Calibration, Uncalibrated, calibrate, guess_calibration
from .given import Given, Picture
from .upright import find_upright


def calibrate_videos(videos: Sequence[TrackedVideo], picture: Picture, given: Given) -> Calibration | Uncalibrated:
    """The camera calibrated from upright people in any of the videos; guessed if nobody was detected."""
    outlines = [outline for seen in videos for outline in seen.outlines]
    return calibrate(find_upright(outlines), picture, given) if outlines else guess_calibration(picture, given)


def calibrate_or_guess(videos: Sequence[TrackedVideo], picture: Picture, given: Given) -> Calibration:
    """As ``calibrate_videos``, but guessed also if too few people are upright or the result is implausible."""
    found = calibrate_videos(videos, picture, given)
    guess = guess_calibration(picture, given)
    return found if isinstance(found, Calibration) and _is_plausible(found, guess, given) else guess


def _is_plausible(found: Calibration, guess: Calibration, given: Given) -> bool:
    """Whether those of focal length, height and pitch that were not given are plausible for a room camera."""
    focal = 0.4 < found.focal / guess.focal < 3.0 or given.focal is not None
    height = 0.4 < found.height < 5.0 or given.camera_height is not None
    pitch = np.radians(-20) < found.pitch < np.radians(80) or given.pitch is not None
    return bool(focal and height and pitch)


def picture_of(video: TrackedVideo) -> Picture:
    """Size of a video's frames and the content inside black bars, from the median of a few frames."""
    info, sampled = video.info, sample_frames(video.info.path, 6)
    box = content_box(np.median(sampled.frames, axis=0).astype(np.uint8))
    x0, y0, x1, y1 = (round(value / sampled.scale) for value in box)
    return Picture(width=info.width, height=info.height, content=(x0, y0, min(x1, info.width), min(y1, info.height)))
