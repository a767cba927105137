"""Camera motion: corners of the background, tracked from the first sampled frame to each of the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...sources.people.people import People
from ...sources.video import probe, read_frames

_CORNERS = 200
_AT_REST_PX = 0.8
"""Corners that move less, in pixels of the sampled picture, are at rest; twice the tracking error on still video."""
_LEAST = 12
"""Fewer tracked corners are too few to measure the camera's motion."""
_NOMINAL_FOCAL = 0.9
"""Focal length over picture width, for shifts as angles: a field of view of 58 degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Evenly spaced, reduced frames of one video, decoded once for all checks."""

    path: Path
    frames: UInt8[np.ndarray, "n h w 3"]
    """RGB, at most 320 pixels wide."""
    number: Int[np.ndarray, " n"]
    """Frame of the video, from 0."""
    scale: float
    """Sampled pixels to a pixel of the video."""

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMotion:
    """Motion of the background relative to the first sampled frame."""

    verdict: str
    """``still``, ``moving``, or ``unclear`` where too few corners are tracked."""
    largest_px: float
    """Largest median shift of the background, pixels of the video, over the frames in which the camera has moved; else over
    all."""
    largest_deg: float
    """``largest_px`` as an angle of the camera's rotation; the focal length is taken as 0.9 picture widths."""
    limit_px: float
    """A larger shift counts as movement."""
    lost: float
    """Share of the sampled frames in which the background could not be tracked."""


def sample_frames(video: Path | str, count: int = 48, *, width: int = 320) -> Sampled:
    """Decode evenly spaced frames of a video once, reduced to at most ``width`` pixels across.

    Raises:
        ValueError: If the video cannot be read, or fewer than two frames are asked for.
    """
    import cv2

    if count < 2:
        raise ValueError(f"count must be at least 2 frames; found {count}")
    info = probe(video)
    scale = min(1.0, width / info.width)
    size = (max(1, round(info.width * scale)), max(1, round(info.height * scale)))
    wanted = np.unique(np.linspace(0, info.frames - 1, count).round().astype(int))
    found = [(i, cv2.resize(frame, size, interpolation=cv2.INTER_AREA)) for i, frame in read_frames(video, wanted)]
    return Sampled(
        path=Path(video), frames=np.stack([frame for _, frame in found]), number=np.array([i for i, _ in found]),
        scale=size[0] / info.width,
    )  # fmt: skip


def camera_motion(sampled: Sampled, masks: Bool[np.ndarray, "n h w"] | None = None) -> CameraMotion:
    """Measure how the camera moved.

    A frame counts as moved where most corners are not at rest and agree on one shift, rotation and scale beyond the limit
    (0.3 % of the width, at least 1.5 pixels), so that walking people, lights and compression do not count. Where no corner of
    the first frame is left (a wide pan), motion is measured from the previous frame.

    Args:
        sampled: ``sample_frames`` of the video.
        masks: Pixels of the sampled frames that people cover, see ``people_masks``; their corners are left out.
    """
    width = sampled.frames.shape[2] / sampled.scale
    limit = max(1.5, 0.003 * width)
    grey = _grey(sampled.frames)
    shift, at_rest = np.full(len(sampled), np.nan), np.zeros(len(sampled))
    shift[0], at_rest[0] = 0.0, 1.0
    first = _corners(grey[0], None if masks is None else masks[0])
    for i in range(1, len(sampled)):
        shift[i], at_rest[i] = _compare(grey[0], grey[i], first, sampled.scale)
        if np.isnan(shift[i]) and np.isfinite(shift[i - 1]):
            before = _corners(grey[i - 1], None if masks is None else masks[i - 1])
            shift[i] = shift[i - 1] + _compare(grey[i - 1], grey[i], before, sampled.scale)[0]
    # A person who fills the picture may cover more than half of the corners, but hardly 60 %.
    moved = (shift > limit) & (at_rest < 0.4)
    lost = float(np.isnan(shift).mean())
    verdict = "moving" if moved.sum() >= 2 else "unclear" if lost > 0.2 else "still"
    counted = np.where(moved if verdict == "moving" else np.isfinite(shift), np.nan_to_num(shift), 0.0)
    largest = float(counted.max())
    return CameraMotion(
        verdict=verdict, largest_px=largest, limit_px=limit, lost=lost,
        largest_deg=float(np.degrees(np.arctan(largest / (_NOMINAL_FOCAL * width)))),
    )  # fmt: skip


def require_still(sampled: Sampled, masks: Bool[np.ndarray, "n h w"] | None = None) -> CameraMotion:
    """Refuse video of a camera that moves.

    Raises:
        ValueError: With the figures, and what to do.
    """
    motion = camera_motion(sampled, masks)
    if motion.verdict == "moving":
        raise ValueError(
            f"{sampled.path}: the camera moves: the background shifts by up to {motion.largest_px:.1f} px (about "
            f"{motion.largest_deg:.1f} degrees; a still camera stays below {motion.limit_px:.1f} px); reconstruction needs a "
            "fixed camera: use a recording from a tripod or wall, or cut out a stretch in which it rests"
        )
    if motion.verdict == "unclear":
        raise ValueError(
            f"{sampled.path}: the picture is not one view: in {motion.lost:.0%} of the sampled frames the background of the "
            "first is not found again (a cut to another camera, a covered lens, or darkness); cut the video to one lit shot"
        )
    return motion


def people_masks(sampled: Sampled, people: People) -> Bool[np.ndarray, "n h w"]:
    """Pixels of the sampled frames that people may cover: the hull of keypoints or box, widened by a tenth of its extent."""
    height, width = sampled.frames.shape[1:3]
    masks = np.zeros((len(sampled), height, width), bool)
    for i, number in enumerate(sampled.number):
        for row in np.flatnonzero(people.frame == number):
            masks[i] |= person_hull(people, int(row), sampled.scale, height, width, widen=0.1)
    return masks


def person_hull(people: People, row: int, scale: float, height: int, width: int, *, widen: float) -> Bool[np.ndarray, "h w"]:
    """Convex hull of one row's keypoints (or its box) in a picture reduced by ``scale``, widened by a share of its extent."""
    import cv2

    mask = np.zeros((height, width), np.uint8)
    points = outline_of(people, row)
    if points is not None:
        points = np.clip(points * scale, [-width, -height], [2 * width, 2 * height])
        hull = cv2.convexHull(points.astype(np.float32)).round().astype(np.int32)
        cv2.fillConvexPoly(mask, hull, 1)
        radius = round(widen * float(np.linalg.norm(np.ptp(points, axis=0))))
        if radius:
            cv2.polylines(mask, [hull], True, 1, 2 * radius)
    return mask.astype(bool)


def outline_of(people: People, row: int) -> Float[np.ndarray, "k 2"] | None:
    """Finite keypoints of a row, else the corners of its box, pixels of the video; None with fewer than three points."""
    if people.keypoints2d is not None:
        points = np.asarray(people.keypoints2d[row, :, :2], float)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) >= 3:
            return points
    if people.bbox is not None and np.isfinite(people.bbox[row]).all():
        x0, y0, x1, y1 = np.asarray(people.bbox[row], float)
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return None


def _grey(frames: np.ndarray) -> list[np.ndarray]:
    """Grey pictures with local mean and contrast normalised, so that a lamp switched on does not change them."""
    import cv2

    result = []
    for frame in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
        apart = grey - cv2.GaussianBlur(grey, (0, 0), 8)
        spread = np.sqrt(cv2.GaussianBlur(apart * apart, (0, 0), 8))
        result.append(np.clip(128 + 40 * apart / (spread + 4), 0, 255).astype(np.uint8))
    return result


def _corners(grey: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    import cv2

    allowed = None if mask is None else (~mask).astype(np.uint8)
    found = cv2.goodFeaturesToTrack(grey, _CORNERS, 0.01, 7, mask=allowed)
    return np.zeros((0, 1, 2), np.float32) if found is None else found


def _compare(one: np.ndarray, other: np.ndarray, corners: np.ndarray, scale: float) -> tuple[float, float]:
    """Median shift, pixels of the video, NaN where it cannot be tracked; and the share of corners at rest."""
    import cv2

    if len(corners) < _LEAST:
        return np.nan, 0.0
    options = {"winSize": (21, 21), "maxLevel": 3}
    there, forth, _ = cv2.calcOpticalFlowPyrLK(one, other, corners, None, **options)  # pyright: ignore[reportCallIssue,reportArgumentType]
    back, again, _ = cv2.calcOpticalFlowPyrLK(other, one, there, None, **options)  # pyright: ignore[reportCallIssue,reportArgumentType]
    good = (forth[:, 0] > 0) & (again[:, 0] > 0) & (np.linalg.norm((back - corners)[:, 0], axis=1) < 0.7)
    if good.sum() < max(_LEAST, 0.15 * len(corners)):
        return np.nan, 0.0
    a, b = corners[good][:, 0], there[good][:, 0]
    at_rest = float((np.linalg.norm(b - a, axis=1) < _AT_REST_PX).mean())
    transform, agreed = cv2.estimateAffinePartial2D(a, b, ransacReprojThreshold=1.0)
    if transform is None or (agreed.mean() < 0.5 and at_rest < 0.4):
        return np.nan, at_rest
    return float(np.median(np.linalg.norm((b - a)[agreed[:, 0] > 0], axis=1))) / scale, at_rest
