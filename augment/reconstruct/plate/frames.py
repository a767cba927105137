"""Frames sampled evenly from videos of one fixed camera, kept on disk, with the pixels that are free of the people found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from ...sources.people.mediapipe import LANDMARK, Keypoints
from ...sources.video import probe, read_frames

_TRUNK = [LANDMARK[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "hip")]

_STILL, _STAYS = 0.35, 0.5
"""Who strays less than this share of the own extent, and is found in at least this share of a video, never left the place."""

People = Sequence[Keypoints | Sequence[Keypoints]]
"""For each video the one person found in it, or several."""
Masks = Callable[[int, int], Any]
"""Exact person masks where there are some: (video, frame) to (h, w) bool, or None where nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Sampled frames of all videos, on disk, with what is free of people in each."""

    frames: np.memmap
    """(n, h, w, 3) u8, RGB."""
    free: np.memmap
    """(n, h, w) bool."""
    video: np.ndarray
    """(n,) which video a frame is from."""


def sample_videos(
    videos: Sequence[Path],
    keypoints: People | None,
    folder: Path,
    *,
    max_frames: int,
    trust_undetected: bool,
    empty: tuple[float, float] | None = None,
    masks: Masks | None = None,
) -> Samples:
    """Decode evenly spaced frames of every video to files in ``folder``, with their person-free pixels.

    Where somebody keeps still throughout a video, nothing is ever free in it, however the outline found jitters.
    """
    infos = [probe(video) for video in videos]
    if empty is not None:
        start, stop = (round(second * infos[0].fps) for second in empty)
        if not 0 <= start < stop <= infos[0].frames + 1:
            raise ValueError(
                f"the empty stretch {empty[0]:g} to {empty[1]:g} s does not lie in {videos[0]} "
                f"(0 to {infos[0].frames / infos[0].fps:.2f} s)"
            )
        stretch = np.arange(start, min(stop, infos[0].frames))
        videos, infos, keypoints = videos[:1], infos[:1], None
        masks = None
    people = None if keypoints is None else [people_of(entry) for entry in keypoints]
    sizes = {(info.width, info.height) for info in infos}
    if len(sizes) != 1:
        raise ValueError(f"the videos differ in size ({sorted(sizes)}); a scene is made from videos of ONE fixed camera")
    ((width, height),) = sizes
    picked = _pick_frames([info.frames for info in infos], people, max_frames, trust_undetected)
    if empty is not None:
        picked = [stretch[np.unique(np.linspace(0, len(stretch) - 1, max_frames).round().astype(int))]]
    total = sum(map(len, picked))
    if not total:
        raise ValueError("the detector found nobody in the frames of these videos; nothing to sample (see trust_undetected)")
    frames = np.memmap(folder / "frames", np.uint8, "w+", shape=(total, height, width, 3))
    free = np.memmap(folder / "free", bool, "w+", shape=(total, height, width))
    row = 0
    for number, (video, indices) in enumerate(zip(videos, picked, strict=True)):
        persons = () if people is None else people[number]
        never = _never_free([p for p in persons if keeps_still(p, infos[number].frames)], indices, height, width)
        for index, frame in read_frames(video, indices) if len(indices) else ():
            covered = never.copy()
            for person in persons:
                covered |= person_mask(person, index, height, width)
            if masks is not None:
                covered |= _given_mask(masks, number, index, height, width)
            frames[row], free[row] = frame, ~covered
            row += 1
    return Samples(frames=frames, free=free, video=np.repeat(np.arange(len(videos)), [len(p) for p in picked]))


def people_of(entry: Keypoints | Sequence[Keypoints]) -> tuple[Keypoints, ...]:
    """One video's people, whether one or several were given."""
    return (entry,) if isinstance(entry, Keypoints) else tuple(entry)


def _never_free(persons: Sequence[Keypoints], indices: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where those who kept still ever were."""
    covered = np.zeros((height, width), bool)
    for person in persons:
        for index in indices.tolist():
            covered |= person_mask(person, index, height, width)
    return covered


def _given_mask(masks: Masks, video: int, frame: int, height: int, width: int) -> np.ndarray:
    """A given mask, widened by two pixels for the codec's blur."""
    import cv2

    mask = masks(video, frame)
    if mask is None:
        return np.zeros((height, width), bool)
    if mask.shape != (height, width):
        raise ValueError(
            f"video {video}, frame {frame}: the person mask is {mask.shape[1]}x{mask.shape[0]} but the video {width}x{height}"
        )
    return cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)


def keeps_still(keypoints: Keypoints, frames: int) -> bool:
    """Whether somebody is in one place throughout a video of ``frames`` frames, as a bystander on a chair is."""
    rows = np.flatnonzero(keypoints.found)
    if len(rows) < max(5, _STAYS * frames):
        return False
    middle = keypoints.landmarks2d[rows][:, _TRUNK, :2].astype(float).mean(axis=1)
    extent = np.median(np.linalg.norm(np.ptp(keypoints.landmarks2d[rows, :, :2], axis=1), axis=1))
    astray = np.linalg.norm(middle - np.median(middle, axis=0), axis=1)
    return bool(np.percentile(astray, 97) < _STILL * extent)


def _pick_frames(
    lengths: list[int], people: Sequence[Sequence[Keypoints]] | None, max_frames: int, trust_undetected: bool
) -> list[np.ndarray]:
    share = max(4, max_frames // len(lengths))
    picked = []
    for number, length in enumerate(lengths):
        usable = np.arange(length)
        if people is not None and not trust_undetected:
            usable = np.flatnonzero(_proof(people[number], length))
        picked.append(usable[np.unique(np.linspace(0, len(usable) - 1, min(share, len(usable))).round().astype(int))])
    return picked


def _proof(persons: Sequence[Keypoints], length: int) -> np.ndarray:
    """Frames (length,) that prove something about the room: somebody is followed, and nobody is lost for the time being."""
    anybody, lost = np.zeros(length, bool), np.zeros(length, bool)
    for person in persons:
        on = np.zeros(length, bool)
        track = followed(person)[:length]
        on[: len(track)] = track
        anybody |= on
        # who keeps still is covered whether found or not
        if len(persons) > 1 and on.any() and not keeps_still(person, length):
            first, last = np.flatnonzero(on)[[0, -1]]
            lost[first : last + 1] |= ~on[first : last + 1]
    return anybody & ~lost if (anybody & ~lost).any() else anybody


def followed(keypoints: Keypoints) -> Bool[np.ndarray, "t"]:
    """Frames in which the detector is on the person who moves, and has not jumped to a bystander.

    The track is cut where its middle jumps by more than a third of the body a frame. The stretch
    that moves about most is the person; before and after it only stretches count that go on where the last one that
    counted left off. A detector that lost someone in mid-fall leaves frames that prove nothing about the floor.
    """
    rows = np.flatnonzero(keypoints.found)
    result = np.zeros(len(keypoints), bool)
    if not len(rows):
        return result
    points = keypoints.landmarks2d[rows][:, _TRUNK, :2].astype(float)
    middle = points.mean(axis=1)
    body = np.linalg.norm(np.ptp(np.clip(keypoints.landmarks2d[rows, :, :2], -9999, 9999), axis=1), axis=1)
    jumps = np.linalg.norm(np.diff(middle, axis=0), axis=1) > 0.35 * np.diff(rows) * np.maximum(body[1:], body[:-1])
    stretches = np.split(np.arange(len(rows)), np.flatnonzero(jumps) + 1)
    roaming = [
        np.diff(np.percentile(middle[s], [5, 95], axis=0), axis=0).sum() / np.median(body[s]) + 1e-4 * len(s) for s in stretches
    ]
    lead = int(np.argmax(roaming))
    result[rows[stretches[lead]]] = True
    for order, here, there in ((range(lead + 1, len(stretches)), 0, -1), (range(lead - 1, -1, -1), -1, 0)):
        last = stretches[lead][there]
        for number in order:
            stretch = stretches[number]
            if np.linalg.norm(middle[stretch[here]] - middle[last]) < 0.5 * max(body[stretch[here]], body[last]):
                result[rows[stretch]] = True
                last = stretch[there]
    return result


def person_mask(keypoints: Keypoints, index: int, height: int, width: int, *, reach: int = 2) -> Bool[np.ndarray, "h w"]:
    """Pixels the person may cover in a frame: the convex hull of the landmarks nearby in time, widened by body and head.

    Landmarks lie inside the body and the topmost ones on the face, so the hull is widened by a tenth of the body's extent
    and a disc is put over the head. ``reach`` neighbouring frames on both sides are joined in, against jitter.
    """
    import cv2

    covered = np.zeros((height, width), np.uint8)
    for i in range(max(0, index - reach), min(len(keypoints), index + reach + 1)):
        if not keypoints.found[i]:
            continue
        points = keypoints.landmarks2d[i, :, :2]
        points = np.clip(points, [-width, -height], [2 * width, 2 * height])
        extent = float(np.linalg.norm(np.ptp(points, axis=0)))
        hull = cv2.convexHull(points.astype(np.float32)).round().astype(np.int32)
        radius = int(np.clip(0.1 * extent, 6, 0.12 * max(height, width)))
        cv2.fillConvexPoly(covered, hull, 1)
        cv2.polylines(covered, [hull], True, 1, 2 * radius)
        ears = points[[LANDMARK["left_ear"], LANDMARK["right_ear"]]].mean(axis=0)
        shoulders = points[[LANDMARK["left_shoulder"], LANDMARK["right_shoulder"]]].mean(axis=0)
        head = ears + 0.5 * (ears - shoulders)
        cv2.circle(covered, head.round().astype(int).tolist(), int(0.7 * np.linalg.norm(ears - shoulders)) + radius // 2, 1, -1)
    return covered.astype(bool)
