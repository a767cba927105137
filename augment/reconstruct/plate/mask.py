"""Masks that a user draws: what is to be painted out of the plate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool


def mask_from_polygon(polygon: Sequence[tuple[float, float]], width: int, height: int) -> Bool[np.ndarray, "h w"]:
    """Fill a polygon of (x, y) pixel corners.

    Raises:
        ValueError: If it has fewer than three corners.
    """
    if len(polygon) < 3:
        raise ValueError(f"a mask polygon needs at least 3 corners x,y; got {len(polygon)}")
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(np.asarray(polygon, float)).astype(np.int32)], 1)
    return mask.astype(bool)


def read_mask(path: Path | str, width: int, height: int) -> Bool[np.ndarray, "h w"]:
    """Read a mask picture: white (above 127) where somebody sat still.

    Raises:
        ValueError: If the file is no picture, has another size than the video, or marks nothing or everything.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if Path(path).is_file() else None
    if picture is None:
        raise ValueError(f"{path}: no readable mask picture")
    if picture.shape != (height, width):
        raise ValueError(
            f"{path}: {picture.shape[1]}x{picture.shape[0]}, but the video is {width}x{height}; draw it on a frame"
        )
    mask = picture > 127
    if not mask.any() or mask.mean() > 0.6:
        raise ValueError(f"{path}: marks {mask.mean():.0%} of the picture; white is what is painted out, and the rest is black")
    return mask
