"""Checks that detections belong to the video and that the video is upright; errors give the figure and a remedy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...sources.people.mediapipe import Keypoints
from ...sources.people.people import People
from ...sources.video import VideoInfo
from .stillness import Sampled, outline_of, person_hull

_CONFIDENT = 0.5
_TILT = 35.0
"""Largest angle between a torso and an axis of the picture it counts as parallel to, degrees."""
_WIDTH = 128
"""Width to which pictures are reduced to compare them with keypoints, pixels."""
_CHANGED = 20
"""Difference in any channel, of 255, from which a pixel counts as changed."""
_JUMP = 0.25
"""Body extents from one detection to the next; a larger jump is another person."""
_BELONGS = 0.35
"""Least share of changed pixels in the areas people left and entered; calibrated in ``belongs``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uprightness:
    """Orientation of bodies in the picture, over the rows with confident shoulders and hips."""

    rows: int
    upright: float
    """Share with the head above the shoulders above the hips, the torso parallel to the picture's vertical."""
    inverted: float
    """Share with the head below the shoulders below the hips."""
    sideways: float
    """Share parallel to the picture's horizontal, legs straight."""
    roaming: float
    """Largest extent of a track of inverted or sideways bodies over the picture, torso lengths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Whether keypoints move where the picture changes."""

    verdict: str
    """``belongs``, ``other`` (of another video), or ``unclear`` (nobody moves enough)."""
    score: float
    """Mean share of changed pixels in the areas that moving people left and entered; NaN where nobody moves."""
    pairs: int
    """Pairs of sampled frames between which somebody moved."""


def uprightness(people: People) -> Uprightness:
    """Measure the orientation of people; a layout without shoulders and hips gives no rows."""
    middle = {name: _middle(people, name) for name in ("shoulder", "hip", "knee", "ankle")}
    head, sure = people.point("nose")[:, :2], np.ones(len(people), bool)
    for name in ("shoulder", "hip"):
        sure &= np.maximum(people.point(f"left_{name}")[:, 2], people.point(f"right_{name}")[:, 2]) > _CONFIDENT
    torso = middle["hip"] - middle["shoulder"]
    length = np.linalg.norm(torso, axis=1)
    with np.errstate(invalid="ignore"):
        sure &= np.isfinite(torso).all(axis=1) & np.isfinite(head).all(axis=1) & (length > 4)
        steep = np.abs(torso[:, 0]) < np.tan(np.radians(_TILT)) * np.abs(torso[:, 1])
        flat = np.abs(torso[:, 1]) < np.tan(np.radians(_TILT)) * np.abs(torso[:, 0])
        crown = middle["shoulder"] - head
        upright, inverted = steep & (torso[:, 1] > 0) & (crown[:, 1] > 0), steep & (torso[:, 1] < 0) & (crown[:, 1] < 0)
        ankle = middle["ankle"][:, 1] - middle["hip"][:, 1]
        inverted &= ~(ankle > 0)  # feet below the hips: bent over, head down
        legs = [
            (middle[b] - middle[a])[:, 0] * np.sign(torso[:, 0]) > 0.4 * length for a, b in (("hip", "knee"), ("knee", "ankle"))
        ]
        sideways = flat & legs[0] & legs[1] & (crown[:, 0] * torso[:, 0] > 0)
    turned = sure & (inverted | sideways)
    rows = int(sure.sum())
    share = [float((kind & sure).sum() / max(rows, 1)) for kind in (upright, inverted, sideways)]
    roaming = _roaming(people, middle["hip"], length, turned)
    return Uprightness(
        rows=rows, upright=share[0], inverted=share[1], sideways=share[2], roaming=roaming,
    )  # fmt: skip


def require_upright(people: People) -> Uprightness:
    """Refuse keypoints of a video that is upside down or on its side.

    People who lie, fall, bend or crawl are not refused: most bodies must be turned, hardly any upright, and they must travel
    as far as only walking people do.

    Raises:
        ValueError: With the figures, and how to turn the video.
    """
    found = uprightness(people)
    if found.rows >= 5 and found.upright <= 0.1 and found.roaming >= 1.0:
        if found.inverted >= 0.6:
            raise ValueError(
                f"{people.path}: the video is upside down: {found.inverted:.0%} of the people found have their feet above "
                "their heads; rotate it by 180 degrees and run the detector again"
            )
        if found.sideways >= 0.7:
            raise ValueError(
                f"{people.path}: the video lies on its side: {found.sideways:.0%} of the people found walk along the picture's "
                "vertical; rotate it by 90 degrees and run the detector again"
            )
    return found


def require_same_video(video: VideoInfo, found: People | Keypoints) -> None:
    """Refuse detections whose picture size or length is not the video's.

    Raises:
        ValueError: Naming both files, what was expected and what was found.
    """
    sizes = ((found.width, video.width), (found.height, video.height))
    if any(theirs is not None and theirs != ours for theirs, ours in sizes):
        raise ValueError(
            f"{found.path}: found in a {found.width}x{found.height} video but {video.path} is {video.width}x{video.height}; "
            "use the detections of this very video"
        )
    slack = max(2, 0.01 * video.frames)
    frames = found.frames if isinstance(found, People) else len(found)
    if frames is not None and abs(frames - video.frames) > slack:
        raise ValueError(
            f"{found.path}: has {frames} frames but {video.path} has {video.frames}; they belong to different "
            "videos (or the video was cut or resampled after detection): run the detector on this very file"
        )
    last = int(found.frame.max(initial=0)) if isinstance(found, People) else 0
    if last >= video.frames + slack:
        raise ValueError(
            f"{found.path}: field frame: holds frame {last} but {video.path} has only {video.frames}; run the detector on "
            "this very file"
        )


def belongs(sampled: Sampled, people: People) -> Belonging:
    """Measure whether keypoints were detected in this video, by where they move.

    A person who moves from one place to another changes the picture in both. For pairs of sampled frames between which a
    track moved smoothly by a quarter of its extent, or changed half of its outline, the score is the share of the pixels in
    one outline but not the other that differ between the two frames. Bystanders do not
    count as they do not move, nor do detectors that switch to them, as the track jumps.

    Calibration: UP-Fall's 44 clips, 48 frames each, 2026-11-20. Of the right keypoints 29 are said to belong (0.47 or more
    against the limit of 0.35), 15 are unclear, none is refused. Of 468 pairings with keypoints of other recordings of the
    same camera, cut to the same length, 168 are found, 59 pass (people who walked the same way at the same time) and 241
    are unclear: in them nobody moves far.

    Args:
        sampled: ``sample_frames`` of the video.
        people: Tracked detections (``track.track_people``).
    """
    import cv2

    height = max(1, round(_WIDTH * sampled.frames.shape[1] / sampled.frames.shape[2]))
    small = np.stack([
        cv2.GaussianBlur(cv2.resize(f, (_WIDTH, height), interpolation=cv2.INTER_AREA), (0, 0), 1) for f in sampled.frames
    ]).astype(np.int16)  # fmt: skip
    scale = sampled.scale * _WIDTH / sampled.frames.shape[2]
    inside = []
    for track in np.unique(people.track):
        rows = np.flatnonzero(people.track == track)
        for one, other, a, b in _moves(people, rows, sampled.number, scale, height):
            changed = np.abs(small[one] - small[other]).max(axis=2) > _CHANGED
            inside.append(float(changed[a ^ b].mean()))
    score = float(np.mean(inside or np.nan))
    verdict = "unclear" if len(inside) < 2 else "belongs" if score >= _BELONGS else "other"
    return Belonging(verdict=verdict, score=score, pairs=len(inside))


def require_belonging(sampled: Sampled, people: People) -> Belonging:
    """Refuse keypoints that were found in another video, though length and size may fit.

    Raises:
        ValueError: With the figure, and what to do.
    """
    found = belongs(sampled, people)
    if found.verdict == "other":
        raise ValueError(
            f"{people.path}: these detections are not of {sampled.path}: where people move according to them, only "
            f"{found.score:.0%} of the picture changes (expected at least {_BELONGS:.0%}, over {found.pairs} moves); run the "
            "detector on this very file, or put videos and keypoints in the same order"
        )
    return found


def _moves(people: People, rows: np.ndarray, numbers: np.ndarray, scale: float, height: int):
    """Pairs of sampled frames between which one track moved smoothly: their indices, and the outlines in both."""
    points = [outline_of(people, int(row)) for row in rows]
    rows = rows[np.array([p is not None for p in points], bool)]
    points = [p for p in points if p is not None]
    if len(rows) < 2:
        return
    frame = people.frame[rows]
    middle = _trunks(people, rows, points)
    extent = np.array([np.linalg.norm(np.ptp(p, axis=0)) for p in points])
    gap = np.diff(frame)
    step = np.linalg.norm(np.diff(middle, axis=0), axis=1) / np.maximum(np.maximum(extent[1:], extent[:-1]), 1.0)
    stretch = np.r_[0, np.cumsum((step > _JUMP) | (gap > np.median(gap)) | (gap < 1))]
    at = {int(f): i for i, f in enumerate(frame)}
    seen = [(s, at[int(f)]) for s, f in enumerate(numbers) if int(f) in at]
    hulls = {i: person_hull(people, int(rows[i]), scale, height, _WIDTH, widen=0.0) for _, i in seen}
    for one, i in seen:
        for other, j in seen:
            if not one < other < one + 6 or stretch[i] != stretch[j]:
                continue
            differ, union = int((hulls[i] ^ hulls[j]).sum()), int((hulls[i] | hulls[j]).sum())
            far = np.linalg.norm(middle[i] - middle[j]) > 0.25 * max(extent[i], extent[j])
            if differ > 0.003 * height * _WIDTH and (far or differ > 0.5 * union):
                yield one, other, hulls[i], hulls[j]
                break


def _trunks(people: People, rows: np.ndarray, points: list[np.ndarray]) -> Float[np.ndarray, "n 2"]:
    """Middle of shoulders and hips, or of the whole outline where those are not named or not found."""
    trunk = (_middle(people, "shoulder")[rows] + _middle(people, "hip")[rows]) / 2
    return np.where(np.isfinite(trunk), trunk, np.stack([p.mean(axis=0) for p in points]))


def _middle(people: People, name: str) -> Float[np.ndarray, "n 2"]:
    return (people.point(f"left_{name}")[:, :2] + people.point(f"right_{name}")[:, :2]) / 2


def _roaming(people: People, hips: np.ndarray, torso: np.ndarray, rows: np.ndarray) -> float:
    """Widest travel of one track's hips over the given rows, in torsos; by percentiles, so that a jump does not count."""
    widest = 0.0
    for track in np.unique(people.track[rows]):
        mine = rows & (people.track == track)
        if mine.sum() >= 5:
            travel = np.ptp(np.percentile(hips[mine], [10, 90], axis=0), axis=0)
            widest = max(widest, float(np.linalg.norm(travel) / np.median(torso[mine])))
    return widest
