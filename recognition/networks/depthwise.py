"""Depthwise 3D convolutions with a fast backward pass on a CPU; same weights, same results.

On a CPU PyTorch computes the forward pass of a depthwise ``Conv3d`` with a fast kernel if the memory is channels-last, but both
gradients with a slow one (ten times the forward's time). Fast kernels exist for both:

- the gradient of the input is itself a depthwise convolution with the mirrored kernel, after spreading the output's gradient
  over the stride's grid (a *forward* convolution, so the fast kernel);
- the gradient of the weights is, for each temporal tap, that of a depthwise *2D* convolution between frames and the output
  gradient's frames one step earlier or later, which the library does well.

``benchmarks/training.py`` measures it beside the stock network.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_convolution_backward = torch.ops.aten.convolution_backward


def _frames(x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "bt c h w"]:
    """Frames as a batch of channels-last pictures; a view where ``x`` is channels-last."""
    b, c, t, h, w = x.shape
    return x.permute(0, 2, 3, 4, 1).reshape(b * t, h, w, c).permute(0, 3, 1, 2)


def _time_by_space(x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t hw"]:
    """The clip as one picture, time down and space across: a purely temporal kernel is then a 2D one."""
    b, c, t, h, w = x.shape
    return x.permute(0, 2, 3, 4, 1).reshape(b, t, h * w, c).permute(0, 3, 1, 2)


def _weight_gradient_2d(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    padding = [size // 2 for size in weight.shape[2:]]
    return _convolution_backward(
        gradient, x, weight, None, [stride, stride], padding, [1, 1], False, [0, 0], x.shape[1], [False, True, False]
    )[1]


class _Spatiotemporal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.weight_dtype, ctx.stride = weight.dtype, stride
        weight = weight.to(x.dtype)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        ctx.save_for_backward(x, weight)
        padding = [size // 2 for size in weight.shape[2:]]
        return functional.conv3d(x, weight, stride=(1, stride, stride), padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        stride, times = ctx.stride, x.shape[2]
        gradient = gradients[0].to(x.dtype).contiguous(memory_format=torch.channels_last_3d)
        x_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            spread = gradient
            if stride > 1:
                spread = torch.zeros_like(x)
                spread[:, :, :, ::stride, ::stride] = gradient
            padding = [size // 2 for size in weight.shape[2:]]
            x_gradient = functional.conv3d(spread, weight.flip(2, 3, 4), padding=padding, groups=x.shape[1])
        if ctx.needs_input_grad[1]:
            taps = []
            x_frames = _frames(x)
            for tap in range(weight.shape[2]):
                shift = tap - weight.shape[2] // 2
                if shift == 0:
                    taps.append(_weight_gradient_2d(_frames(gradient), x_frames, weight[:, :, tap], stride))
                    continue
                # All clips' frames lie in one row: shifting that row pairs the edge frames of neighbouring clips, so the
                # output's gradient is zeroed where it would meet a frame beyond its own clip.
                inside = gradient.clone()
                edge = slice(None, -shift) if shift < 0 else slice(max(times - shift, 0), None)
                inside[:, :, edge] = 0
                row = _frames(inside)
                if abs(shift) >= len(row):
                    taps.append(torch.zeros_like(weight[:, :, tap]))
                    continue
                y_row, x_row = (row[-shift:], x_frames[:shift]) if shift < 0 else (row[:-shift], x_frames[shift:])
                taps.append(_weight_gradient_2d(y_row, x_row, weight[:, :, tap], stride))
            weight_gradient = torch.stack(taps, dim=2).to(ctx.weight_dtype)
        return x_gradient, weight_gradient, None


class _Temporal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.weight_dtype = weight.dtype
        b, c, t, h, w = x.shape
        x_picture, kernel = _time_by_space(x), weight[..., 0].to(x.dtype)
        ctx.save_for_backward(x_picture, kernel)
        y = functional.conv2d(x_picture, kernel, padding=(kernel.shape[2] // 2, 0), groups=c)
        return y.permute(0, 2, 3, 1).reshape(b, t, h, w, c).permute(0, 4, 1, 2, 3)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x_picture, kernel = ctx.saved_tensors
        b, c, t, h, w = gradients[0].shape
        gradient = _time_by_space(gradients[0].to(x_picture.dtype))
        x_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            y = functional.conv2d(gradient, kernel.flip(2, 3), padding=(kernel.shape[2] // 2, 0), groups=c)
            x_gradient = y.permute(0, 2, 3, 1).reshape(b, t, h, w, c).permute(0, 4, 1, 2, 3)
        if ctx.needs_input_grad[1]:
            weight_gradient = _weight_gradient_2d(gradient, x_picture, kernel, 1)[..., None].to(ctx.weight_dtype)
        return x_gradient, weight_gradient


class DepthwiseConv3d(nn.Conv3d):
    """A depthwise ``Conv3d`` (one filter a channel, odd kernel, half padding, temporal stride 1), fast in training on a CPU."""

    def forward(self, input: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h2 w2"]:
        if input.is_cuda:
            return super().forward(input)
        if self.kernel_size[1:] == (1, 1) and self.stride == (1, 1, 1):
            return _Temporal.apply(input, self.weight)  # pyright: ignore[reportReturnType]
        return _Spatiotemporal.apply(input, self.weight, self.stride[1])  # pyright: ignore[reportReturnType]


class PointwiseConv3d(nn.Conv3d):
    """A 1x1x1 ``Conv3d`` as the matrix product that it is; a spatial stride drops the positions first."""

    def forward(self, input: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        t, h, w = self.stride
        if self.stride != (1, 1, 1):
            input = input[:, :, ::t, ::h, ::w]
        y = functional.linear(input.permute(0, 2, 3, 4, 1), self.weight.flatten(1), self.bias)
        return y.permute(0, 4, 1, 2, 3)


def is_depthwise(module: nn.Module) -> bool:
    """Whether ``DepthwiseConv3d`` can stand in for the module."""
    return (
        isinstance(module, nn.Conv3d)
        and module.groups == module.in_channels == module.out_channels > 1
        and module.bias is None
        and module.stride[0] == 1
        and module.stride[1] == module.stride[2]
        and module.dilation == (1, 1, 1)
        and all(size % 2 == 1 for size in module.kernel_size)
        and tuple(module.padding) == tuple(size // 2 for size in module.kernel_size)
        and module.padding_mode == "zeros"
    )


def is_pointwise(module: nn.Module) -> bool:
    """Whether ``PointwiseConv3d`` can stand in for the module."""
    return (
        isinstance(module, nn.Conv3d)
        and module.kernel_size == (1, 1, 1)
        and module.groups == 1
        and tuple(module.padding) == (0, 0, 0)
    )


def use_fast_layers(network: nn.Module) -> nn.Module:
    """Replace, in place, what is slow on a CPU by an equivalent: depthwise and 1x1x1 convolutions, and Swish by ``SiLU``.

    Parameters keep their names and shapes: a state dict of the stock network fits, and the other way round.
    """
    from pytorchvideo.layers.swish import Swish

    for name, module in list(network.named_children()):
        if is_depthwise(module):
            module.__class__ = DepthwiseConv3d
        elif is_pointwise(module):
            module.__class__ = PointwiseConv3d
        elif isinstance(module, Swish):
            setattr(network, name, nn.SiLU())
        else:
            use_fast_layers(module)
    return network.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
