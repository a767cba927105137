"""Convolutional networks that look at pictures: X3D and SlowFast (pytorchvideo), R(2+1)D-18 and S3D (torchvision)."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .depthwise import use_fast_layers

SLOW = 4
"""SlowFast's slow pathway sees every so manieth frame."""


def stock_x3d_xs(classes: int, *, frames: int, size: int, **changes: Any) -> nn.Module:
    """pytorchvideo's X3D-XS as it comes, giving logits; ``changes`` of its construction."""
    from pytorchvideo.models.x3d import create_x3d

    # depth 2.2 and width 2.0 are X3D-XS's; the head's pooling kernel is a constructor argument, hence frames and size.
    return create_x3d(
        input_clip_length=frames,
        input_crop_size=size,
        model_num_class=classes,
        width_factor=2.0,
        depth_factor=2.2,
        head_activation=None,  # pyright: ignore[reportArgumentType]
        **changes,
    )


def x3d(classes: int, *, frames: int, size: int) -> nn.Module:
    """X3D-XS, -S and -M: 3.0 M weights. They are one network, made for 4 frames at 160 px, 13 at 160 and 16 at 224.

    Same function as the stock one, faster to train on a CPU.
    """
    return use_fast_layers(stock_x3d_xs(classes, frames=frames, size=size))


def x3d_heatmaps(classes: int, *, frames: int, size: int) -> nn.Module:
    """X3D on 17 heat maps of half the usual side or less: its first layer does not halve them."""
    return use_fast_layers(
        stock_x3d_xs(classes, frames=frames, size=size, input_channel=17, stem_conv_stride=(1, 1, 1))
    )  # fmt: skip


class _Pathways(nn.Module):
    """SlowFast, taking one video: every frame for its fast pathway, every ``SLOW``-th for its slow one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, video: Float[Tensor, "b 3 t h w"]) -> Float[Tensor, "b c"]:
        return self.network([video[:, :, ::SLOW], video])


def slowfast_r50(classes: int, *, frames: int, size: int) -> nn.Module:
    """SlowFast with ResNet-50: 34 M weights, made for 32 frames at 224 px; here its pooling fits smaller windows."""
    from pytorchvideo.models.slowfast import create_slowfast

    side = math.ceil(size / 32)
    network = create_slowfast(
        model_num_class=classes,
        head_pool_kernel_sizes=((frames // SLOW, side, side), (frames, side, side)),  # pyright: ignore[reportArgumentType]
    )
    return _Pathways(network).to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]


def r2plus1d_18(classes: int, *, frames: int, size: int) -> nn.Module:
    """R(2+1)D-18: 31 M weights, made for 16 frames at 112 px; some 15 times X3D-XS's work."""
    from torchvision.models.video import r2plus1d_18 as build

    del frames, size  # it pools adaptively
    return build(weights=None, num_classes=classes).to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]


def s3d(classes: int, *, frames: int, size: int) -> nn.Module:
    """S3D: 8 M weights, made for 128 frames at 224 px. Here its last pooling takes whatever size is left."""
    from torchvision.models.video import s3d as build

    del frames, size
    network = build(weights=None, num_classes=classes)
    network.avgpool = nn.AdaptiveAvgPool3d(1)  # pyright: ignore[reportAttributeAccessIssue]
    return network.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
