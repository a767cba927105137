"""A textured block that moves through a textured room: a person whose place and speed are known."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import cv2
import numpy as np

from augment.shards.video_codec import encode_mask, encode_video
from augment.types import Segment
from recognition.recordings import Place, Recording

FPS, HEIGHT, WIDTH = 8.0, 96, 160
SIZE = (14, 36)
"""Width and height of the block, pixels."""


def room() -> np.ndarray:
    """Smooth patches of grey colours. Shape (96, 160, 3)."""
    rng = np.random.default_rng(7)
    return cv2.resize(rng.integers(60, 110, (8, 12, 3)).astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def boxes_of(places: np.ndarray) -> np.ndarray:
    """Left, top, right, bottom of the block for each place (left, top); NaN stays."""
    return np.concatenate([places, places + SIZE], axis=1)


def film(places: np.ndarray) -> np.ndarray:
    """The room with the block at each place (left, top), pixels; without it where NaN. Shape (t, 96, 160, 3)."""
    rng = np.random.default_rng(8)
    block = cv2.resize(rng.integers(150, 255, (9, 4, 3)).astype(np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    frames = np.repeat(room()[None], len(places), axis=0)
    for frame, place in zip(frames, places, strict=True):
        if np.isfinite(place).all():
            left, top = (round(float(value)) for value in place)
            frame[top : top + SIZE[1], left : left + SIZE[0]] = block
    return frames


def walking(frames: int = 40, *, speed: float = 3.0) -> np.ndarray:
    """Places (left, top) of a walk to the right, ``speed`` pixels a frame."""
    return np.stack([10 + speed * np.arange(frames), np.full(frames, 40.0)], axis=1)


def recording_of(folder: Path, places: np.ndarray, *, plate: bool = False, mask: bool = False) -> Recording:
    """The film as a recording without keypoints; with a picture of the empty room, or a mask of the block."""
    path = folder / "walk.mp4"
    path.write_bytes(encode_video(film(places), fps=FPS))
    segments = (Segment(label="walk", start_sec=0.0, end_sec=len(places) / FPS),)
    found = Recording(name="walk.mp4", path=path, fps=FPS, frames=len(places), segments=segments)
    if plate:
        cv2.imwrite(str(folder / "plate.png"), room()[..., ::-1])
        found = dataclasses.replace(found, plate=folder / "plate.png")
    if mask:
        (folder / "mask.mp4").write_bytes(encode_mask(mask_of(places), fps=FPS))
        found = dataclasses.replace(found, mask=Place(path=folder / "mask.mp4"), is_synthetic=True)
    return found


def mask_of(places: np.ndarray) -> np.ndarray:
    """1 in the block, 0 in the room."""
    mask = np.zeros((len(places), HEIGHT, WIDTH), np.uint8)
    for frame, box in zip(mask, boxes_of(places), strict=True):
        if np.isfinite(box).all():
            left, top, right, bottom = (round(float(value)) for value in box)
            frame[top:bottom, left:right] = 1
    return mask


def keypoints_of(folder: Path, places: np.ndarray) -> Place:
    """COCO's points, spread over the block, as a sample's npz."""
    rng = np.random.default_rng(9)
    points = places[:, None] + rng.uniform(0, 1, (17, 2)) * SIZE
    stream = io.BytesIO()
    np.savez(stream, keypoints_coco=np.concatenate([points, np.ones((len(places), 17, 1))], axis=-1).astype(np.float32))
    (folder / "walk.npz").write_bytes(stream.getvalue())
    return Place(path=folder / "walk.npz")
