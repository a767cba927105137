"""Networks that look at pictures: X3D-XS (pytorchvideo) and R(2+1)D-18 (torchvision)."""

from __future__ import annotations

import torch
from torch import nn

from .depthwise import use_fast_layers


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
