"""What input `motion` keeps of a square around the person: its difference to the empty room, and optical flow.

Neither shows colours or the room, so films and real video differ less in them than as pictures. To make them more alike,
both are blurred slightly, the change of the camera's exposure is taken out, and what video noise or a cast shadow can cause
counts as nothing.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from augment.shards.video_codec import decode_mask

from ..recordings import Recording
from .places import AROUND, cut_square, empty_room, followed, person_boxes
from .rgb import MARGIN, each_frame

BLUR = 1.0
"""Spread of the blur before anything is computed, pixels of the kept square."""
NOISE = 12
"""Differences to the plate below this, of 255, count as none."""
FULL = 60
"""Differences from this on are shown white: how much brighter or darker the clothes are than the room does not matter."""
SHADOW, SAME_COLOUR = 0.55, 0.08
"""A shadow leaves more than this share of the light, and shares that differ less than this between the colours."""
STILL = 0.15
"""Motion slower than this, extents of the person a second, counts as none."""
PER_SPEED = 48.0
"""Grey values for one extent of the person a second; 128 is no motion. A fall is at about 2, a swinging foot at 3."""


def motion_crops(recording: Recording, *, side: int, rate: float) -> UInt8[np.ndarray, "n side side 3"]:
    """Difference to the empty room (0..255), and flow to the right and downwards (around 128), in a square around the person.

    Flow is measured between neighbouring kept frames inside one and the same square, so that the square's own motion is not in
    it, and divided by the time between them and by the person's extent. Where a sample's room is not known because the person
    never leaves a place, its mask stands for the difference.

    Args:
        recording: What to decode.
        side: Pixels of the kept squares.
        rate: Frames a second to keep.
    Raises:
        ValueError: If the video cannot be decoded, or shows nobody.
    """
    boxes = person_boxes(recording)
    squares = followed(boxes, fps=recording.fps)
    room = empty_room(recording, boxes=boxes)
    mask = decode_mask(recording.mask.read()) if recording.mask is not None and room.unknown.any() else None
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    kept: list[np.ndarray] = []
    last: tuple[int, np.ndarray] | None = None
    for index, frame in each_frame(recording, rate=rate):
        picture = frame.to_ndarray(format="rgb24")
        square = squares[min(index, len(squares) - 1)]
        crop = _blurred(picture, square, side)
        channels = np.full((side, side, 3), 128, np.uint8)
        channels[..., 0] = _difference(crop, _blurred(room.picture, square, side))
        if mask is not None:
            shown = cv2.bitwise_and(cv2.inRange(mask[min(index, len(mask) - 1)], 1, 1), room.unknown.astype(np.uint8) * 255)  # pyright: ignore
            channels[..., 0] = np.maximum(channels[..., 0], cut_square(shown, square, side=side, outside=(0,)))
        if last is not None:
            then, before = last
            # From this frame back to the one before: the field then lies on the person as it is now.
            back = dense.calc(_grey(crop), _grey(_blurred(before, square, side)), None)  # pyright: ignore
            channels[..., 1:] = _flow_as_grey(-back * (AROUND * MARGIN / side * recording.fps / (index - then)))
        kept.append(channels)
        last = index, picture
    if len(kept) > 1:
        kept[0][..., 1:] = kept[1][..., 1:]
    return np.stack(kept)


def _blurred(picture: np.ndarray, square: np.ndarray, side: int) -> UInt8[np.ndarray, "side side 3"]:
    return cv2.GaussianBlur(cut_square(picture, square, side=side, outside=(0, 0, 0)), (0, 0), BLUR)


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _difference(crop: np.ndarray, plate: np.ndarray) -> UInt8[np.ndarray, "side side"]:
    difference = crop.astype(np.float32) - plate
    difference -= np.median(difference, axis=(0, 1))
    largest = _over_colours(np.maximum, np.abs(difference))
    # A cast shadow darkens all colours alike; how dark it is depends on the room's lamps, and is guessed in films.
    left = (plate + difference + 1) / (plate + np.float32(1))
    most, least = _over_colours(np.maximum, left), _over_colours(np.minimum, left)
    shadow = (most < 1) & (least > SHADOW) & (most - least < SAME_COLOUR)
    largest[shadow] = 0
    return np.clip((largest - NOISE) * (255 / (FULL - NOISE)), 0, 255).astype(np.uint8)


def _over_colours(choose: np.ufunc, picture: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """As ``choose.reduce`` over the last axis, which is slow where that is short."""
    return choose(choose(picture[..., 0], picture[..., 1]), picture[..., 2])


def _flow_as_grey(speed: Float32[np.ndarray, "h w 2"]) -> UInt8[np.ndarray, "h w 2"]:
    fast = np.linalg.norm(speed, axis=-1, keepdims=True)
    speed = speed * np.clip((fast - STILL) / np.maximum(fast, 1e-6), 0, None)
    return np.clip(np.round(128 + PER_SPEED * speed), 1, 255).astype(np.uint8)


def mirrored_motion(video: UInt8[Tensor, "t 3 h w"]) -> UInt8[Tensor, "t 3 h w"]:
    """Left and right exchanged: motion to the right becomes motion to the left."""
    video = video.flip(-1)
    return torch.stack([video[:, 0], (256 - video[:, 1].int()).clamp(1, 255).to(torch.uint8), video[:, 2]], dim=1)


def vary_motion(video: UInt8[Tensor, "t 3 h w"], *, rng: np.random.Generator) -> UInt8[Tensor, "t 3 h w"]:
    """One draw for all frames: the difference up to 40 % weaker or stronger, motion up to 25 % slower or faster."""
    strength, speed = float(np.exp(rng.uniform(-0.34, 0.34))), float(np.exp(rng.uniform(-0.22, 0.22)))
    difference = (video[:, :1].float() * strength).clamp(0, 255)
    flow = (128 + (video[:, 1:].float() - 128) * speed).round().clamp(1, 255)
    return torch.cat([difference, flow], dim=1).to(torch.uint8)
