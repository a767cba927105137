"""One depth picture of the empty room out of a clip's depth maps: per pixel a robust mean over frames free of people."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from .overlap import Maps
from .scale import DepthFit

_STRIP_BYTES = 24_000_000
"""Working set of one strip of rows; memory stays flat whatever the number of frames."""
_MAX_FRAMES = 60
"""Frames used at most, evenly spaced: more hardly change the mean."""
_ALIKE = 0.08
"""Relative depth difference up to which two frames show the same surface."""
_SMALL_HOLE = 0.03
"""Holes with a smaller inscribed radius than this share of the picture's height are filled from around them."""
_STEEP = 0.03
"""Least change of depth from one pixel to the next, as a share of the depth, at a jump."""


def fuse_depth(
    maps: Maps, fit: DepthFit, person_masks: Callable[[int], Bool[np.ndarray, "h w"]], *, max_frames: int = _MAX_FRAMES
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """The empty room's depth from all frames that agreed.

    Args:
        maps: The maps.
        fit: Their scale and which of them agreed.
        person_masks: For a frame of the video, the pixels people may cover, map-sized.
        max_frames: Frames used at most.
    Returns:
        z-depth, metres, 0 = unknown (never seen free, and too large a gap to be filled from around it); number of frames
        that agree on each pixel, 0 where it was filled or is unknown.
    Raises:
        ValueError: If no frame agreed, a mask has another size, or no pixel was ever seen free.
    """
    rows = np.flatnonzero(fit.agreed)
    if not len(rows):
        raise ValueError("depth maps: no frame agreed with the bodies; nothing to fuse")
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(max_frames, len(rows))).round().astype(int))]
    with tempfile.TemporaryDirectory(prefix="understudy-depth-") as folder:
        stack = _stack(maps, fit, person_masks, rows, Path(folder))
        depth, seen = np.zeros(stack.shape[1:], np.float32), np.zeros(stack.shape[1:], np.float32)
        step = max(1, _STRIP_BYTES // (4 * len(rows) * stack.shape[2]))
        for top in range(0, len(depth), step):
            strip = slice(top, top + step)
            depth[strip], seen[strip] = _robust_mean(np.asarray(stack[:, strip]), inverse=fit.kind == "disparity")
    if not (depth > 0).any():
        raise ValueError("depth maps: no pixel was ever seen free of people; give a longer video or check the person masks")
    cleaned = without_flying_pixels(depth)
    return fill_small_holes(cleaned), seen


def _stack(maps: Maps, fit: DepthFit, person_masks: Callable, rows: np.ndarray, folder: Path) -> np.memmap:
    """Depth of the chosen frames on disk, (n, h, w) metres, NaN where covered by people or unknown."""
    stack = None
    for number, index in enumerate(rows.tolist()):
        values, valid = maps.load(index)
        if stack is None:
            stack = np.memmap(folder / "depth", np.float32, "w+", shape=(len(rows), *values.shape))
        frame = int(maps.frame[index])
        person = person_masks(frame)
        if person.shape != values.shape:
            raise ValueError(
                f"frame {frame}: the person mask is {person.shape[1]}x{person.shape[0]} but the depth map "
                f"{values.shape[1]}x{values.shape[0]}; resize it"
            )
        depth = fit.depth(values, index)
        stack[number] = np.where(valid & ~person & (depth > 0), depth, np.nan)
    assert stack is not None
    return stack


def _robust_mean(stack: np.ndarray, *, inverse: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the values that agree with the median, (h, w), 0 where there are none; in the map's own (inverse) depth."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.nanmedian(stack, axis=0)
    alike = np.abs(stack - middle) <= _ALIKE * middle
    count = alike.sum(axis=0)
    value = np.where(alike, 1 / stack if inverse else stack, 0).sum(axis=0) / np.maximum(count, 1)
    mean = np.where(value > 0, 1 / np.where(value > 0, value, 1) if inverse else value, 0)
    return np.where(count > 0, mean, 0).astype(np.float32), count.astype(np.float32)


def without_flying_pixels(depth: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Give pixels between a near and a far surface the depth of the nearest pixel on one of them.

    Such a pixel is one through which, along a row or a column, depth changes by at least ``_STEEP`` a pixel on both sides, but
    not one pixel farther on one of them: a plane seen at a grazing angle continues (evenly in inverse depth), a smear ends.
    """
    known = depth > 0
    flying = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        z, seen = np.moveaxis(depth, axis, 0), np.moveaxis(known, axis, 0)
        inverse = np.where(seen, 1 / np.where(seen, z, 1), np.nan)
        step = np.diff(inverse, axis=0)
        four = np.stack([step[k : len(step) - 3 + k] for k in range(4)])
        four = four * np.sign(four[1])
        steep = np.minimum(four[1], four[2]) > _STEEP * inverse[2:-2]
        np.moveaxis(flying, axis, 0)[2:-2] |= steep & (np.minimum(four[0], four[3]) < 0.3 * np.maximum(four[1], four[2]))
    if not flying.any() or not (known & ~flying).any():
        return depth
    return np.where(flying, _nearest(depth, known & ~flying), depth)


def fill_small_holes(depth: Float32[np.ndarray, "h w"], *, share: float = _SMALL_HOLE) -> Float32[np.ndarray, "h w"]:
    """Fill holes that are nowhere wider than ``share`` of the height to either side, from around them; larger ones stay 0."""
    import cv2

    hole = (depth <= 0).astype(np.uint8)
    if not hole.any() or hole.all():
        return depth
    inside = cv2.distanceTransform(np.pad(hole, 1, mode="edge"), cv2.DIST_L2, 3)[1:-1, 1:-1]
    count, labels = cv2.connectedComponents(hole)
    labels = np.asarray(labels, np.int64)
    widest = np.zeros(count)
    np.maximum.at(widest, labels, inside)
    small = (hole > 0) & (widest[labels] <= max(1.5, share * depth.shape[0]))
    if not small.any():
        return depth
    # inverse depth of a plane is linear in the picture
    inverse = np.where(depth > 0, 1 / np.where(depth > 0, depth, 1), 0).astype(np.float32)
    rest = np.where((hole > 0) & ~small, _nearest(inverse, depth > 0), inverse).astype(np.float32)
    filled = cv2.inpaint(rest, small.astype(np.uint8), 3, cv2.INPAINT_NS)
    return np.where(small & (filled > 0), 1 / np.where(filled > 0, filled, 1), depth).astype(np.float32)


def _nearest(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    at: np.ndarray = distance_transform_edt(~known, return_distances=False, return_indices=True)  # type: ignore
    return values[at[0], at[1]]
