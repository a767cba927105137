"""Resample a motion to another rate, or cut it: a given stretch, or one around its action."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.kinematics import interpolated
from ..types import Motion, Segment
from .labels import core_label


def resample(motion: Motion, fps: float) -> Motion:
    """Resample a motion: rotations by slerp, translation linearly.

    Segments are in seconds and stay, but for the last one's end, which follows the motion's (a length is whole
    frames). Frames lie at 0, 1/fps, 2/fps, ... up to the last source frame, so going down and up again keeps the
    start in place.

    Raises:
        ValueError: If ``fps`` is not positive.
    """
    if not fps > 0:
        raise ValueError(f"resample {motion.name!r}: expected fps > 0, found {fps}")
    if fps == motion.fps:
        return motion
    last = len(motion) - 1
    n_frames = int(np.floor(last * fps / motion.fps + 1e-6)) + 1
    at = np.minimum(np.arange(n_frames) * (motion.fps / fps), last)
    low = np.minimum(np.floor(at + 1e-9).astype(int), max(last - 1, 0))
    high = np.minimum(low + 1, last)
    weight = at - low
    poses = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
    turned = interpolated(poses[low], poses[high], weight).astype(motion.body_pose.dtype)
    transl = motion.transl[low] + (motion.transl[high] - motion.transl[low]) * weight[:, None]
    return replace(
        motion,
        global_orient=turned[:, 0],
        body_pose=turned[:, 1:],
        transl=transl.astype(motion.transl.dtype),
        fps=float(fps),
        segments=_end_at(motion, n_frames / fps),
    )


def crop(motion: Motion, start_sec: float, end_sec: float) -> Motion:
    """The frames with ``start_sec`` <= time < ``end_sec``; segments are cut and shifted alongside.

    Raises:
        ValueError: If no frame lies within.
    """
    start = max(int(np.ceil(start_sec * motion.fps - 1e-6)), 0)
    end = min(int(np.ceil(end_sec * motion.fps - 1e-6)), len(motion))
    if end <= start:
        raise ValueError(
            f"crop {motion.name!r}: expected a stretch within 0 .. {motion.seconds:.3f} s, found {start_sec} .. {end_sec} s"
        )
    offset, length = start / motion.fps, (end - start) / motion.fps
    segments = tuple(
        Segment(label=each.label, start_sec=max(each.start_sec - offset, 0.0), end_sec=min(each.end_sec - offset, length))
        for each in motion.segments
        if each.end_sec - offset > 1e-9 and each.start_sec - offset < length - 1e-9
    )
    return replace(motion.take(slice(start, end)), segments=segments)


def fit_seconds(motion: Motion, seconds: float | None, *, rng: np.random.Generator) -> Motion:
    """Cut a motion to at most ``seconds``, keeping the start of its action where its segments tell it."""
    start = start_of_cut(motion, seconds, rng=rng)
    return motion if start is None or seconds is None else crop(motion, start, start + seconds)


def start_of_cut(motion: Motion, seconds: float | None, *, rng: np.random.Generator) -> float | None:
    """Second at which a cut of at most ``seconds`` starts; None if the motion is not longer."""
    if seconds is None or motion.seconds <= seconds + 1e-6:
        return None
    core = next((segment for segment in motion.segments if segment.label == core_label(motion)), None)
    latest = motion.seconds - seconds
    low, high = 0.0, latest
    if core is not None and len(motion.segments) > 1:
        # Between cuts in which the action ends with the clip and cuts in which it starts at once.
        high = min(latest, core.start_sec)
        low = min(max(0.0, min(core.end_sec, core.start_sec + seconds) - seconds), high)
    return round(rng.uniform(low, high) * motion.fps) / motion.fps


def _end_at(motion: Motion, seconds: float) -> tuple[Segment, ...]:
    """The motion's segments when its length becomes ``seconds``."""
    return tuple(
        replace(each, end_sec=seconds if each.end_sec >= min(motion.seconds - 1e-9, seconds) else each.end_sec)
        for each in motion.segments
        if each.start_sec < seconds
    )
