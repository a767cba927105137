"""Contact sheets: a few frames of each clip in a row, with a title, for visual inspection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ..files import write_atomic
from ..types import SMPL_PARENTS

_BAR = 22
"""Pixels of the title's bar."""


def contact_sheet(
    clips: Sequence[tuple[UInt8[np.ndarray, "_ _ _ 3"], str]],
    path: Path | str | None = None,
    *,
    columns: int = 7,
    height: int = 160,
) -> UInt8[np.ndarray, "_ _ 3"]:
    """Lay clips out as rows of evenly spaced frames.

    Args:
        clips: (frames, title) each; sizes may differ.
        path: Where to write a PNG; nowhere if None.
        columns: Frames a row.
        height: Height of a frame on the sheet, pixels.
    Returns:
        The sheet, RGB.
    Raises:
        ValueError: If there are no clips or one is empty.
    """
    if not clips or any(len(frames) == 0 for frames, _ in clips):
        raise ValueError("contact_sheet: expected at least one clip, each of at least one frame")
    return stack_rows([sheet_row(frames, title, columns=columns, height=height) for frames, title in clips], path)


def stack_rows(rows: Sequence[UInt8[np.ndarray, "_ _ 3"]], path: Path | str | None = None) -> UInt8[np.ndarray, "_ _ 3"]:
    """Rows of ``sheet_row`` below each other, RGB; written as a PNG if there is a path."""
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate([np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows])
    if path is not None:
        ok, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        assert ok
        write_atomic(Path(path), data.tobytes())
    return sheet


def stick_figures(plate: UInt8[np.ndarray, "h w 3"], joints2d: Float[np.ndarray, "t 24 3"]) -> UInt8[np.ndarray, "t h w 3"]:
    """The first person's skeleton over the empty room, for clips without pictures; grey where a joint is hidden.

    Args:
        plate: RGB.
        joints2d: u, v in pixels, confidence.
    """
    frames = np.repeat(plate[None] // 2, len(joints2d), axis=0)
    for frame, points in zip(frames, joints2d, strict=True):
        at = np.clip(points[:, :2], -10_000, 10_000).round().astype(int).tolist()
        for joint, parent in enumerate(SMPL_PARENTS):
            if parent >= 0:
                color = (255, 210, 80) if min(points[joint, 2], points[parent, 2]) > 0 else (130, 130, 130)
                cv2.line(frame, at[joint], at[parent], color, max(plate.shape[0] // 110, 1), cv2.LINE_AA)
    return frames


def closeup(frames: UInt8[np.ndarray, "t h w 3"], joints2d: Float[np.ndarray, "t 24 3"]) -> UInt8[np.ndarray, "t h w 3"]:
    """The part of the picture that the person moves in, with a fifth of room around, enlarged to the whole picture's size.

    Args:
        frames: RGB.
        joints2d: u, v in pixels, confidence.
    """
    height, width = frames.shape[1:3]
    points = np.clip(joints2d[..., :2].reshape(-1, 2), 0, [width, height])
    low, high = points.min(axis=0), points.max(axis=0)
    extent = (high - low) * (1 + 2 * 0.2) + 8
    scale = min(1.0, max(extent[0] / width, extent[1] / height, 0.2))
    size = np.array([round(width * scale), round(height * scale)])
    left, top = np.clip((low + high) / 2 - size / 2, 0, [width - size[0], height - size[1]]).round().astype(int)
    cut = frames[:, top : top + size[1], left : left + size[0]]
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in cut])


def sheet_row(
    frames: UInt8[np.ndarray, "_ _ _ 3"], title: str, *, columns: int = 7, height: int = 160
) -> UInt8[np.ndarray, "_ _ 3"]:
    """One clip as a row of evenly spaced frames with a title, RGB."""
    chosen = np.linspace(0, len(frames) - 1, columns).round().astype(int)
    width = round(frames.shape[2] * height / frames.shape[1])
    shrink = cv2.INTER_AREA if height < frames.shape[1] else cv2.INTER_NEAREST
    tiles = [np.pad(cv2.resize(frames[i], (width, height), interpolation=shrink), ((0, 0), (0, 2), (0, 0))) for i in chosen]
    picture = np.concatenate(tiles, axis=1)
    bar = np.full((_BAR, picture.shape[1], 3), 32, np.uint8)
    cv2.putText(bar, title, (6, _BAR - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (240, 240, 240), 1, cv2.LINE_AA)
    return np.concatenate([bar, picture])
