"""Plates without a detector: where several looks compete, grow the room inwards from where nothing ever changed.

A person who sat for most of the video is the most frequent look there, so frequency alone would keep them. But the room
continues from block to block, and a look of a block that shows the room also shows it in the margin it shares with its
neighbours.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from .samples import Samples

_BLOCK, _MARGIN = 8, 3
_ALIKE = 9.0
"""Two looks of a block whose mean absolute difference is less are one look."""
_RARITY = 8.0
"""What a look that was hardly ever seen pays against one that was always seen, in grey levels of mismatch."""


def grow_room(
    samples: Samples, image: UInt8[np.ndarray, "h w 3"], seen: Float32[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "h w"] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:  # fmt: skip
    """Decide the blocks in which the most frequent look is not nearly the only one.

    Args:
        samples: All frames.
        image: The most frequent look of each pixel.
        seen: How many samples agree with it.
        mask: Pixels that will be painted over anyway and are no evidence.
    Returns:
        The plate; blocks decided from the best known neighbourhood outwards, each by the look whose margin fits best.
    """
    height, width = seen.shape
    unsure = seen < 0.93 * len(samples.frames)
    down, across = -(-height // _BLOCK), -(-width // _BLOCK)
    padded = np.zeros((down * _BLOCK, across * _BLOCK))
    padded[:height, :width] = unsure if mask is None else unsure & ~mask
    open_blocks = padded.reshape(down, _BLOCK, across, _BLOCK).mean(axis=(1, 3)) > 0.04
    result = image.astype(np.float32)
    settled = ~np.kron(open_blocks, np.ones((_BLOCK, _BLOCK), bool))[:height, :width]
    if mask is not None:
        settled &= ~mask
    looks = {tuple(b): _looks(samples, *_window(b, height, width)[0]) for b in np.argwhere(open_blocks)}
    while looks:
        # the block whose margin is best known comes next; ties go to the one with fewer looks
        block = max(looks, key=lambda b: (settled[_window(b, height, width)[0]].mean(), -len(looks[b]), -b[0], -b[1]))
        outer, inner, core = _window(block, height, width)
        known = settled[outer]
        candidates = looks.pop(block)
        costs = [
            (np.abs(look - result[outer])[known].mean() if known.any() else 0.0) + _RARITY * (1 - share)
            for look, share in candidates
        ]
        if costs:
            result[inner] = candidates[int(np.argmin(costs))][0][core]
        settled[inner] = True
    return result.round().clip(0, 255).astype(np.uint8)


def _window(block: np.ndarray, height: int, width: int) -> tuple[tuple, tuple, tuple]:
    """Slices of a block with its margin, of the block alone, and of the block within its margin."""
    outer, inner, core = [], [], []
    for number, size in zip(block, (height, width), strict=True):
        start, stop = number * _BLOCK, min((number + 1) * _BLOCK, size)
        low, high = max(0, start - _MARGIN), min(size, stop + _MARGIN)
        outer.append(slice(low, high))
        inner.append(slice(start, stop))
        core.append(slice(start - low, stop - low))
    return tuple(outer), tuple(inner), tuple(core)


def _looks(samples: Samples, rows: slice, columns: slice) -> list[tuple[np.ndarray, float]]:
    """What a block looked like: medians of groups of alike frames (at least 3), each with its share of the frames."""
    frames = samples.frames[:, rows, columns].astype(np.float32)
    left = np.arange(len(frames))
    found = []
    while len(left) and len(found) < 8:
        # the frame most like its neighbours in time leads: a stable stretch, not a passer-by
        middle = frames[left]
        step = np.abs(np.diff(middle, axis=0)).mean(axis=(1, 2, 3)) if len(left) > 1 else np.zeros(1)
        leader = middle[int(np.argmin(step))]
        alike = np.abs(middle - leader).mean(axis=(1, 2, 3)) < _ALIKE
        if not alike.any():
            break
        if alike.sum() >= min(3, len(frames)):
            found.append((np.median(middle[alike], axis=0), float(alike.sum()) / len(frames)))
        left = left[~alike]
    return found
