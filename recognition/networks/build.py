"""The classifiers by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .keypoints import keypoint_cnn
from .video import r2plus1d_18, x3d_xs

MEAN, STD = 0.45, 0.225
"""Pixels (0..1) are normalized with these before they enter a network."""

MODELS: dict[str, Callable[..., nn.Module]] = {
    "x3d_xs": x3d_xs,
    "r2plus1d_18": r2plus1d_18,
    "keypoint_cnn": keypoint_cnn,
}
"""Name to builder. Extending = one function and one line here."""


def build_model(name: str, classes: int, *, frames: int, size: int) -> nn.Module:
    """Build a classifier with fresh weights (drawn from torch's current generator).

    Args:
        name: A key of ``MODELS``.
        classes: Number of logits.
        frames: Frames a window.
        size: Picture side, pixels.
    Returns:
        A module from windows, as its input gives them and ``to_network`` normalizes them, to logits (b, classes).
    Raises:
        ValueError: If the name is unknown, or the windows are too small for the network.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; expected one of: {', '.join(MODELS)}")
    if size < 32 or frames < 1:
        raise ValueError(f"size {size}, frames {frames}: the networks halve pictures five times; use size >= 32, frames >= 1")
    return MODELS[name](classes, frames=frames, size=size)


def to_network(windows: Tensor) -> Tensor:
    """A batch as the networks expect it: uint8 video (b, 3, t, h, w) normalized and channels-last; others as they are."""
    if windows.dtype != torch.uint8:
        return windows
    return ((windows.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last_3d)
