"""The two classifiers, both from scratch: X3D-XS (pytorchvideo) and R(2+1)D-18 (torchvision)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .depthwise import use_fast_layers

MEAN, STD = 0.45, 0.225
"""Pixels (0..1) are normalized with these before they enter a network."""


def stock_x3d_xs(classes: int, *, frames: int, size: int) -> nn.Module:
    """pytorchvideo's X3D-XS as it comes, giving logits."""
    from pytorchvideo.models.x3d import create_x3d

    # depth 2.2 and width 2.0 are X3D-XS's; the head's pooling kernel is a constructor argument, hence frames and size.
    return create_x3d(
        input_clip_length=frames,
        input_crop_size=size,
        model_num_class=classes,
        width_factor=2.0,
        depth_factor=2.2,
        head_activation=None,  # pyright: ignore[reportArgumentType]
    )


def x3d_xs(classes: int, *, frames: int, size: int) -> nn.Module:
    """X3D-XS: 3.0 M weights, made for 4 frames at 160 px. Same function as the stock one, faster to train on a CPU."""
    return use_fast_layers(stock_x3d_xs(classes, frames=frames, size=size))


def r2plus1d_18(classes: int, *, frames: int, size: int) -> nn.Module:
    """R(2+1)D-18: 31 M weights, made for 16 frames at 112 px; some 15 times X3D-XS's work."""
    from torchvision.models.video import r2plus1d_18 as build

    del frames, size  # it pools adaptively
    return build(weights=None, num_classes=classes).to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]


MODELS: dict[str, Callable[..., nn.Module]] = {"x3d_xs": x3d_xs, "r2plus1d_18": r2plus1d_18}
"""Name to builder. Extending = one function and one line here."""


def build_model(name: str, classes: int, *, frames: int, size: int) -> nn.Module:
    """Build a classifier with fresh weights (drawn from torch's current generator).

    Args:
        name: A key of ``MODELS``.
        classes: Number of logits.
        frames: Frames a window.
        size: Picture side, pixels.
    Returns:
        A module from video (b, 3, frames, size, size) to logits (b, classes).
    Raises:
        ValueError: If the name is unknown, or the windows are too small for the network.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; expected one of: {', '.join(MODELS)}")
    if size < 32 or frames < 1:
        raise ValueError(f"size {size}, frames {frames}: the networks halve pictures five times; use size >= 32, frames >= 1")
    return MODELS[name](classes, frames=frames, size=size)


def normalize(video: Tensor) -> Float[Tensor, "b 3 t h w"]:
    """uint8 video (b, 3, t, h, w) to what the networks expect, channels-last in memory."""
    return ((video.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last_3d)
