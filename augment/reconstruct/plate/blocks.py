"""Plates without a detector: blocks that looked different over time are decided one by one, starting from pixels that never
changed.

Somebody who sat for most of the video is the most frequent appearance there, so frequency alone would keep them. The room
continues from block to block, so an appearance that shows the room also fits the margin it shares with its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from .frames import Samples

_BLOCK, _MARGIN, _AROUND = 8, 6, 12
"""Size of a block; margin within which its appearances are distinguished; margin within which they are compared with the
room. Pixels."""
_ALIKE, _PIXEL_ALIKE, _ODD_SHARE = 7.0, 28.0, 0.03
"""Two frames show a block alike if their mean absolute difference is below the first, and at most the third, a share of the
pixels, differ by more than the second: the tip of a shoe makes a different appearance."""
_INTRUDED = 40.0
"""Cost of an appearance whose whole margin differs from the room, in grey levels of mismatch."""
_EDGES = 0.25
"""Cost of the mean gradient, in grey levels of mismatch: people add edges."""


def grow_room(
    samples: Samples, image: UInt8[np.ndarray, "h w 3"], seen: Float32[np.ndarray, "h w"],
    ignored: Bool[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w 3"]:  # fmt: skip
    """Decide the blocks in which the most frequent appearance is not nearly the only one.

    Args:
        samples: All frames.
        image: The most frequent colour of each pixel.
        seen: How many samples agree with it.
        ignored: Pixels that do not count: black bars, and those to be painted over.
    Returns:
        The plate; the block with the best known margin is decided first, each by the appearance whose margin fits best.
    """
    height, width = seen.shape
    unsure = seen < 0.93 * len(samples.frames)
    down, across = -(-height // _BLOCK), -(-width // _BLOCK)
    padded = np.zeros((down * _BLOCK, across * _BLOCK))
    padded[:height, :width] = unsure & ~ignored
    open_blocks = padded.reshape(down, _BLOCK, across, _BLOCK).mean(axis=(1, 3)) > 0.04
    result = image.astype(np.float32)
    settled = ~np.kron(open_blocks, np.ones((_BLOCK, _BLOCK), bool))[:height, :width]
    settled &= ~ignored
    looks = {tuple(b): _looks(samples, b, height, width) for b in np.argwhere(open_blocks).tolist()}
    while looks:
        # the block whose margin is best known comes next; ties go to the one with fewer appearances
        block = max(looks, key=lambda b: (settled[_window(b, height, width)[0]].mean(), -len(looks[b]), -b[0], -b[1]))
        outer, inner, core = _window(block, height, width)
        known = settled[outer]
        candidates = looks.pop(block)
        costs = []
        for look in candidates:
            off = np.abs(look - result[outer]).max(axis=2)[known]
            around = off.mean() + _INTRUDED * (off > _PIXEL_ALIKE).mean() if known.any() else 0.0
            costs.append(around + _EDGES * _edges(look[core]))
        if costs:
            result[inner] = candidates[int(np.argmin(costs))][core]
        settled[inner] = ~ignored[inner]
    return result.round().clip(0, 255).astype(np.uint8)


def _edges(look: np.ndarray) -> float:
    grey = look.mean(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def _window(block: Sequence[int], height: int, width: int, margin: int = _AROUND) -> tuple[tuple, tuple, tuple]:
    """Slices of a block with its margin, of the block alone, and of the block within its margin."""
    outer, inner, core = [], [], []
    for number, size in zip(block, (height, width), strict=True):
        start, stop = number * _BLOCK, min((number + 1) * _BLOCK, size)
        low, high = max(0, start - margin), min(size, stop + margin)
        outer.append(slice(low, high))
        inner.append(slice(start, stop))
        core.append(slice(start - low, stop - low))
    return tuple(outer), tuple(inner), tuple(core)


def _looks(samples: Samples, block: Sequence[int], height: int, width: int) -> list[np.ndarray]:
    """Appearances of a block over time: medians of groups of at least 3 alike frames, over the block and its margin."""
    wide = samples.frames[:, *_window(block, height, width)[0]]
    frames = samples.frames[:, *_window(block, height, width, _MARGIN)[0]].astype(np.float32)
    left = np.arange(len(frames))
    found = []
    while len(left) and len(found) < 16:
        # the frame most like the next one starts the group, as nobody moves in it
        middle = frames[left]
        step = np.abs(np.diff(middle, axis=0)).mean(axis=(1, 2, 3)) if len(left) > 1 else np.zeros(1)
        leader = middle[int(np.argmin(step))]
        difference = np.abs(middle - leader).max(axis=3)
        alike = (difference.mean(axis=(1, 2)) < _ALIKE) & ((difference > _PIXEL_ALIKE).mean(axis=(1, 2)) <= _ODD_SHARE)
        if not alike.any():
            break
        if alike.sum() >= min(3, len(frames)):
            found.append(np.median(wide[left[alike]], axis=0).astype(np.float32))
        left = left[~alike]
    return found
