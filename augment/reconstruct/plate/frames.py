"""Frames sampled evenly from videos of one fixed camera, kept on disk, with the pixels that no detected person covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...sources.people.mediapipe import Keypoints
from ...sources.video import VideoInfo, probe, read_frames
from ..watch.masks import followed, keeps_still, person_mask
from .config import Sampling

Outlines = Sequence[Sequence[Keypoints]]
"""For each video the keypoints of everybody found in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Sampled frames of all videos, on disk."""

    frames: np.memmap
    """RGB. Shape (n, h, w, 3), uint8."""
    free: np.memmap
    """Pixels that nobody covers. Shape (n, h, w), bool."""
    video: np.ndarray
    """Index of the video of each frame. Shape (n,)."""


def sample_videos(videos: Sequence[Path], outlines: Outlines | None, folder: Path, sampling: Sampling) -> Samples:
    """Decode evenly spaced frames of every video to files in ``folder``.

    Where somebody keeps still throughout a video, no pixel they ever covered is free: detected outlines jitter.

    Raises:
        ValueError: If the videos differ in size, the empty stretch lies outside the first one, or nobody is detected.
    """
    infos = [probe(video) for video in videos]
    if sampling.empty is not None:
        videos, infos, outlines = videos[:1], infos[:1], None
    sizes = {(info.width, info.height) for info in infos}
    if len(sizes) != 1:
        raise ValueError(f"the videos differ in size ({sorted(sizes)}); a scene is made from videos of ONE fixed camera")
    ((width, height),) = sizes
    picked = _pick_frames(infos, outlines, sampling)
    total = sum(map(len, picked))
    if not total:
        raise ValueError("the detector found nobody in the frames of these videos; nothing to sample (see trust_undetected)")
    frames = np.memmap(folder / "frames", np.uint8, "w+", shape=(total, height, width, 3))
    free = np.memmap(folder / "free", bool, "w+", shape=(total, height, width))
    row = 0
    for number, (video, indices) in enumerate(zip(videos, picked, strict=True)):
        people = () if outlines is None else outlines[number]
        still = [person for person in people if keeps_still(person, infos[number].frames)]
        never = np.zeros((height, width), bool)
        for index in indices.tolist():
            never |= _covered(still, index, height, width)
        for index, frame in read_frames(video, indices) if len(indices) else ():
            frames[row], free[row] = frame, ~(never | _covered(people, index, height, width))
            row += 1
    return Samples(frames=frames, free=free, video=np.repeat(np.arange(len(videos)), [len(p) for p in picked]))


def _covered(people: Sequence[Keypoints], index: int, height: int, width: int) -> np.ndarray:
    """Pixels that anybody may cover in a frame. Shape (h, w)."""
    covered = np.zeros((height, width), bool)
    for person in people:
        covered |= person_mask(person, index, height, width)
    return covered


def _pick_frames(infos: Sequence[VideoInfo], outlines: Outlines | None, sampling: Sampling) -> list[np.ndarray]:
    """Frame numbers to be sampled from each video."""
    if sampling.empty is not None:
        return [_evenly(_stretch(infos[0], sampling.empty), sampling.frames)]
    share = max(4, sampling.frames // len(infos))
    picked = []
    for number, info in enumerate(infos):
        usable = np.arange(info.frames)
        if outlines is not None and not sampling.trust_undetected:
            usable = np.flatnonzero(_reliable_frames(outlines[number], info.frames))
        picked.append(_evenly(usable, min(share, len(usable))))
    return picked


def _evenly(frames: np.ndarray, count: int) -> np.ndarray:
    """``count`` of the frames, evenly spaced; fewer where there are not as many."""
    return frames[np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))]


def _stretch(info: VideoInfo, seconds: tuple[float, float]) -> np.ndarray:
    """Frames of a stretch of a video."""
    start, stop = (round(second * info.fps) for second in seconds)
    if not 0 <= start < stop <= info.frames + 1:
        raise ValueError(
            f"the empty stretch {seconds[0]:g} to {seconds[1]:g} s does not lie in {info.path} "
            f"(0 to {info.frames / info.fps:.2f} s)"
        )
    return np.arange(start, min(stop, info.frames))


def _reliable_frames(people: Sequence[Keypoints], length: int) -> np.ndarray:
    """Frames in which somebody is tracked, and nobody's track is interrupted: what is not covered then is the room.

    Where there is no such frame, those in which somebody is tracked. Shape (length,), bool.
    """
    anybody, lost = np.zeros(length, bool), np.zeros(length, bool)
    for person in people:
        on = np.zeros(length, bool)
        track = followed(person)[:length]
        on[: len(track)] = track
        anybody |= on
        # somebody who keeps still is covered whether detected or not
        if len(people) > 1 and on.any() and not keeps_still(person, length):
            first, last = np.flatnonzero(on)[[0, -1]]
            lost[first : last + 1] |= ~on[first : last + 1]
    return anybody & ~lost if (anybody & ~lost).any() else anybody
