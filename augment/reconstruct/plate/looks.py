"""The empty room from videos of a fixed camera: per pixel the most frequent colour among the frames in which nobody covers it.

With outlines of the people, a pixel counts only in frames in which nobody covers it; where somebody keeps still throughout it
never counts and is painted in. Frames in which the detector found nobody are left out, because a detector that misses
somebody on the floor must not leave them in the plate. Where two colours compete for a region, the one with fewer edges along
the region's outline is taken for the room (a chair that was there for one take leaves an outline, the floor does not).
Without outlines the plate is made block by block (``blocks.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from .agreement import LEAST_SAMPLES, agreeing_videos
from .blocks import grow_room
from .config import Sampling
from .frames import Outlines, Samples, sample_videos
from .inpaint import fill_holes

_STRIP_BYTES = 24_000_000
"""Working set of one strip of rows; memory stays flat whatever the number of frames."""
_SAME_LOOK = 24
"""Two samples of a pixel that differ by less (of 255, any channel) show the same thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """The empty room, and how well each of its pixels is known."""

    image: UInt8[np.ndarray, "h w 3"]
    """RGB."""
    guessed: Bool[np.ndarray, "h w"]
    """Never seen free of people (or masked): painted in from the surroundings."""
    seen: Float32[np.ndarray, "h w"]
    """Number of sampled frames that agree with the plate there."""
    content: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the picture inside its black bars, pixels."""
    layout_videos: tuple[int, ...]
    """Indices of the videos the plate was taken from; the others show the furniture elsewhere and only fill gaps."""
    frames: int
    """Sampled frames, over all videos."""


def make_plate(
    videos: Sequence[Path], outlines: Outlines | None, *, mask: Bool[np.ndarray, "h w"] | None = None,
    sampling: Sampling | None = None,
) -> Plate:  # fmt: skip
    """Build the plate of one fixed camera from one or more of its videos.

    Args:
        videos: Video files, all of one size.
        outlines: For each video the keypoints of everybody found in it; None where no detector ran.
        mask: True where somebody sat still in every video: painted over and marked as guessed.
        sampling: Which frames are used.
    Raises:
        ValueError: If the videos differ in size, the mask does not fit, or no pixel is ever seen free.
    """
    sampling = sampling or Sampling()
    with tempfile.TemporaryDirectory(prefix="understudy-plate-") as folder:
        samples = sample_videos(videos, outlines, Path(folder), sampling)
        count, height, width, _ = samples.frames.shape
        if mask is not None and mask.shape != (height, width):
            raise ValueError(f"mask is {mask.shape[1]}x{mask.shape[0]} but the video {width}x{height}; draw it on a frame")
        every, known = np.ones(count, bool), np.ones((height, width), bool)
        if sampling.empty is not None:
            layout = np.zeros(1, int)
            image, seen, _ = densest_look(samples, every, np.ones((1, 3)))
        elif outlines is None:
            layout = np.arange(len(videos))
            image, seen, _ = densest_look(samples, every, np.ones((len(videos), 3)))
            ignored = ~_inside(image) if mask is None else ~_inside(image) | mask
            image = grow_room(samples, image, seen, ignored)
        else:
            layout, image, seen, known = _plate_between_people(samples, min(LEAST_SAMPLES, count))
    if not known.any():
        raise ValueError("no pixel was ever seen free of people; give a longer video, or keypoints that fit this video")
    hole = (~known if mask is None else ~known | mask) & _inside(image)
    return Plate(
        image=fill_holes(image, hole), guessed=hole, seen=seen, content=content_box(image),
        layout_videos=tuple(map(int, layout)), frames=count,
    )  # fmt: skip


def _plate_between_people(samples: Samples, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Layout videos, image, agreeing samples and known pixels, from samples whose people are marked."""
    layout, gains = agreeing_videos(samples)
    chosen = np.isin(samples.video, layout)
    image, seen, second = densest_look(samples, chosen, gains, with_second=True)
    if second is not None:
        image = resolve_by_outline(image, *second)
    known = seen >= least
    if not chosen.all():
        other, other_seen, _ = densest_look(samples, ~chosen, gains)
        image, borrowed = fill_from(image, ~known, other, other_seen >= least)
        known |= borrowed
        # seen in one or two videos only: it may be a chair that was there for one take
        weak = (seen > 0) & (seen < 0.3 * chosen.sum()) & (other_seen >= least)
        image = resolve_by_outline(image, other, weak & differing(image, other), other_seen >= least)
    return layout, image, seen, known


def fill_from(
    image: UInt8[np.ndarray, "h w 3"], gap: Bool[np.ndarray, "h w"], other: UInt8[np.ndarray, "h w 3"],
    other_known: Bool[np.ndarray, "h w"],
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:  # fmt: skip
    """Fill gaps from videos with other furniture, but only where both pictures agree all around the gap: otherwise a piece of
    that furniture would be pasted in.

    Returns:
        The picture, and the pixels that were filled.
    """
    import cv2

    filled, done = image.copy(), np.zeros_like(gap)
    count, labels = cv2.connectedComponents((gap & other_known).astype(np.uint8))
    for label in range(1, count):
        region = labels == label
        ring = cv2.dilate(region.astype(np.uint8), np.ones((13, 13), np.uint8)).astype(bool) & ~gap & other_known
        if ring.sum() < 8:
            continue
        offset = np.median(image[ring].astype(int) - other[ring], axis=0)
        residual = np.abs(image[ring].astype(int) - other[ring] - offset).max(axis=1)
        if np.abs(offset).max() <= _SAME_LOOK and np.percentile(residual, 80) <= _SAME_LOOK:
            filled[region] = np.clip(other[region] + offset, 0, 255).astype(np.uint8)
            done |= region
    return filled, done


def densest_look(
    samples: Samples, chosen: Bool[np.ndarray, "n"], gains: Float[np.ndarray, "videos 3"], *, with_second: bool = False
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray] | None]:
    """Each pixel's most frequent colour among its free samples.

    The densest luminance band is found by histogram; the plate is the median of the samples within ``_SAME_LOOK`` of it.

    Returns:
        Image (h, w, 3) u8; agreeing samples (h, w) f32, 0 where never free; with ``with_second`` also the second most
        frequent colour, where it competes (at least a tenth of the samples, clearly different), and where it exists.
    """
    rows_chosen = np.flatnonzero(chosen)
    _, height, width, _ = samples.frames.shape
    curves = np.clip(np.arange(256)[None, :, None] * gains[:, None], 0, 255).round().astype(np.uint8)
    image, seen = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.float32)
    second, competes, available = np.zeros_like(image), np.zeros((height, width), bool), np.zeros((height, width), bool)
    for rows in _strips(height, width * max(1, len(rows_chosen)) * 3):
        pixels = samples.frames[rows_chosen, rows].reshape(len(rows_chosen), -1, 3)
        if (gains != 1).any():
            pixels = np.stack([curves[v][p, range(3)] for v, p in zip(samples.video[rows_chosen], pixels, strict=True)])
        free = samples.free[rows_chosen, rows].reshape(len(rows_chosen), -1)
        look, count, member = _mode(pixels, free)
        shape = image[rows].shape
        image[rows], seen[rows] = look.reshape(shape), count.reshape(shape[:2])
        if with_second:
            other, other_count, _ = _mode(pixels, free & ~member)
            second[rows] = other.reshape(shape)
            available[rows] = (other_count >= min(LEAST_SAMPLES, len(rows_chosen))).reshape(shape[:2])
            competes[rows] = (differing(other, look) & (other_count >= max(3, 0.1 * len(rows_chosen)))).reshape(shape[:2])
    return image, seen, (second, competes, available) if with_second else None


def differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether two colours (..., 3) show different things."""
    return np.abs(a.astype(int) - b).max(axis=-1) > 1.5 * _SAME_LOOK


def _strips(height: int, bytes_per_row: int) -> Iterator[slice]:
    step = max(1, _STRIP_BYTES // max(1, bytes_per_row))
    for start in range(0, height, step):
        yield slice(start, min(height, start + step))


def _mode(pixels: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Densest colour of (n, p, 3) samples where ``free`` (n, p): colour (p, 3), member count (p,), members (n, p)."""
    p = pixels.shape[1]
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    bins = 64
    flat = (np.arange(p)[None] * bins + (luma / 4).astype(np.int64))[free]
    histogram = np.bincount(flat, minlength=p * bins).reshape(p, bins)
    padded = np.pad(histogram, ((0, 0), (2, 2)))
    dense = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1).sum(axis=2)
    center = 4.0 * dense.argmax(axis=1) + 2
    member = free & (np.abs(luma - center) <= 12)
    look = _median(pixels, member)
    member = free & (np.abs(pixels.astype(np.int16) - look) <= _SAME_LOOK).all(axis=2)
    return _median(pixels, member), member.sum(axis=0), member


def _median(pixels: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Lower median over the members, so that the result is a colour that occurs; black where there is none."""
    count = member.sum(axis=0)
    ordered = np.sort(np.where(member[..., None], pixels, 255), axis=0)
    middle = np.maximum(count - 1, 0) // 2
    look = np.take_along_axis(ordered, middle[None, :, None], axis=0)[0]
    look[count == 0] = 0
    return look


def resolve_by_outline(
    first: UInt8[np.ndarray, "h w 3"],
    second: UInt8[np.ndarray, "h w 3"],
    competes: Bool[np.ndarray, "h w"],
    available: Bool[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w 3"]:
    """Where two pictures compete, take for each region the one with the weaker edges along the region's outline.

    A region that is swapped includes its soft rim, as far as the second picture is ``available``.
    """
    import cv2

    regions = cv2.morphologyEx(competes.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    regions = cv2.morphologyEx(regions, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(regions)
    result = first.copy()
    for label in range(1, count):
        region = (labels == label).astype(np.uint8)
        swapped = np.where((region.astype(bool) & competes)[..., None], second, first)
        outline = cv2.morphologyEx(region, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)).astype(bool)
        if _edge_strength(swapped, outline) < _edge_strength(first, outline):
            grown = cv2.dilate(region, np.ones((9, 9), np.uint8)).astype(bool) & available
            result[grown] = second[grown]
    return result


def _edge_strength(image: np.ndarray, where: np.ndarray) -> float:
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))[where].mean())


def content_box(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the picture inside black bars (rows and columns at the rim with nothing above black)."""
    bright = image.max(axis=2) > 28
    columns, rows = np.flatnonzero(bright.mean(axis=0) > 0.02), np.flatnonzero(bright.mean(axis=1) > 0.02)
    if not len(columns) or not len(rows):
        return 0, 0, image.shape[1], image.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _inside(image: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = content_box(image)
    inside = np.zeros(image.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    return inside
