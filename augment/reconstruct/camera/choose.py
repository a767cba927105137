"""The camera of a reconstruction: from people who stand and walk, and refined by how they move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...body.model import Body
from ...priors.state import Prior
from ..bodies.fit import fit_people
from ..bodies.problem import Setting
from ..config import ReconstructConfig
from ..people import Rejected
from ..watch.watch import Watched
from .calibrate import Calibration, calibrate, guess_calibration
from .upright import find_upright


def calibrate_from(watched: Sequence[Watched], config: ReconstructConfig) -> Calibration:
    """The camera over its floor, from everybody who stands or walks in any of the videos; guessed if nobody does."""
    width, height = watched[0].info.width, watched[0].info.height
    x0, y0, x1, y1 = _content(watched[0])
    center = ((x0 + x1) / 2, (y0 + y1) / 2)
    outlines = [outline for w in watched for outline in w.outlines]
    if not outlines:
        return guess_calibration(width, height, center, config.given, x1 - x0)
    guess = guess_calibration(width, height, center, config.given, x1 - x0)
    try:
        found = calibrate(
            find_upright(outlines), width=width, height=height, person_height=config.person_height, center=center,
            given=config.given, content_width=x1 - x0,
        )  # fmt: skip
    except ValueError as error:
        if "upright" not in str(error):
            raise
        return guess
    # a camera in the floor, under the roof or through a telescope was calibrated on bodies that are wrong: a guess is better
    wide = 0.4 < found.focal / guess.focal < 3.0 or config.given.focal is not None
    high = 0.4 < found.height < 5.0 or config.given.height is not None
    down = np.radians(-20) < found.pitch < np.radians(80) or config.given.pitch is not None
    return found if wide and high and down else guess


def refine(
    calibration: Calibration, watched: Sequence[Watched], body: Body, prior: Prior, config: ReconstructConfig,
    rejections: dict[str, int],
) -> Calibration:  # fmt: skip
    """The camera that lets the people of the most telling video stand and move best; all videos share it afterwards.

    The most telling video is the one in which somebody's size in the picture changes most: near and far tell the focal length.
    """
    telling = max(watched, key=_near_and_far)
    if not telling.people:
        return calibration
    std = calibration.std
    sigma = (max(2 * std["focal"], 0.02), max(2 * std["pitch"], 0.01), max(2 * std["height"] / calibration.height, 0.02)) if (
        calibration.rods
    ) else (0.2, 0.2, 0.2)  # fmt: skip
    setting = Setting(
        camera=calibration.camera, body=body, fps=telling.info.fps, prior=prior, person_height=config.person_height,
        camera_sigma=sigma, config=config.fit,
    )  # fmt: skip
    fitted = fit_people(telling.people, setting)
    count_rejected(fitted.rejected, rejections)
    if not fitted.people:
        return calibration
    camera = fitted.camera
    pitch = float(np.arcsin(np.clip(-camera.T_world_camera[1, 2], -1, 1)))
    return replace(calibration, focal=float(camera.K[0, 0]), height=float(camera.T_world_camera[1, 3]), pitch=pitch)


def _near_and_far(watched: Watched) -> float:
    """How many times larger somebody is in the picture at the nearest than at the farthest, the best over all people."""
    best = 0.0
    for outline in watched.outlines:
        points = outline.landmarks2d[outline.found][:, [11, 12, 23, 24], :2].astype(float)
        if len(points) < 10:
            continue
        trunk = np.linalg.norm(points[:, :2].mean(axis=1) - points[:, 2:].mean(axis=1), axis=-1)
        small, large = np.percentile(trunk, [10, 90])
        best = max(best, float(large / max(small, 1.0)))
    return best


def _content(watched: Watched) -> tuple[int, int, int, int]:
    from ..plate.looks import content_box
    from ..watch.stillness import sample_frames

    sampled = sample_frames(watched.info.path, 6)
    box = content_box(np.median(sampled.frames, axis=0).astype(np.uint8))
    x0, y0, x1, y1 = (round(value / sampled.scale) for value in box)
    return x0, y0, min(x1, watched.info.width), min(y1, watched.info.height)


def count_rejected(rejected: Sequence[Rejected], rejections: dict[str, int]) -> None:
    """Count the people who could not be fitted by reason."""
    for person in rejected:
        reason = f"person not fitted: {person.reason}"
        rejections[reason] = rejections.get(reason, 0) + 1
