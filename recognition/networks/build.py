"""The classifiers by name, the windows they take, and the weights they start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .attention import mvit_v2_s, swin3d_t, videomae_s
from .frames import frame_cnn
from .graph import st_gcn
from .keypoints import keypoint_cnn
from .video import r2plus1d_18, s3d, slowfast_r50, x3d, x3d_heatmaps
from .weights import (
    NONE,
    SHIPPED,
    UNDERSTUDY,
    Library,
    from_pytorchvideo,
    from_torchvision,
    from_transformers,
    library_weights,
    load_backbone,
    read_checkpoint,
    weights_file,
)

MEAN, STD = 0.45, 0.225
"""Pixels (0..1) are normalized with these before they enter a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A classifier that a study may name."""

    build: Callable[..., nn.Module]
    """From the number of classes, ``frames`` and ``size`` to a network with fresh weights."""
    least_size: int = 32
    size_step: int = 1
    """The picture's side must be a multiple of it."""
    least_frames: int = 1
    frame_step: int = 1
    """Likewise the number of frames."""
    library: Library = field(default_factory=dict)
    """What gives a library's own weights."""


def _x3d(name: str) -> Network:
    return Network(build=x3d, library={"pytorchvideo": from_pytorchvideo(name)})


MODELS: dict[str, Network] = {
    "x3d_xs": _x3d("x3d_xs"),
    "x3d_s": _x3d("x3d_s"),
    "x3d_m": _x3d("x3d_m"),
    "slowfast_r50": Network(
        build=slowfast_r50, least_frames=4, frame_step=4,
        library={"pytorchvideo": from_pytorchvideo("slowfast_r50", prefix="network.")},
    ),
    "r2plus1d_18": Network(build=r2plus1d_18, library={"torchvision": from_torchvision("r2plus1d_18")}),
    "s3d": Network(build=s3d, least_frames=8, library={"torchvision": from_torchvision("s3d")}),
    "mvit_v2_s": Network(
        build=mvit_v2_s, least_size=64, size_step=32, least_frames=2, frame_step=2,
        library={"torchvision": from_torchvision("mvit_v2_s")},
    ),
    "swin3d_t": Network(build=swin3d_t, least_frames=2, library={"torchvision": from_torchvision("swin3d_t")}),
    "videomae_s": Network(
        build=videomae_s, size_step=16, least_frames=2, frame_step=2,
        library={"transformers": from_transformers("MCG-NJU/videomae-small-finetuned-kinetics")},
    ),
    "frame_cnn": Network(build=frame_cnn),
    "keypoint_cnn": Network(build=keypoint_cnn),
    "st_gcn": Network(build=st_gcn),
    "x3d_heatmaps": Network(build=x3d_heatmaps),
}  # fmt: skip
"""Name to network. Extending = one function and one line here."""

PICTURE_MODELS = (
    "frame_cnn", "x3d_xs", "x3d_s", "x3d_m", "slowfast_r50", "r2plus1d_18", "s3d", "mvit_v2_s", "swin3d_t", "videomae_s",
)  # fmt: skip
"""Those that take three channels of pictures."""


def check_windows(name: str, *, frames: int, size: int) -> None:
    """Check that a network takes windows of this kind.

    Raises:
        ValueError: If it is unknown, or they are too small for it, or no multiple of what it divides them into.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; expected one of: {', '.join(MODELS)}")
    network = MODELS[name]
    for what, value, least, step in (
        ("size", size, network.least_size, network.size_step),
        ("frames", frames, network.least_frames, network.frame_step),
    ):
        if value < least or value % step:
            of = f", a multiple of {step}" if step > 1 else ""
            nearest = max(-(-least // step), round(value / step)) * step
            raise ValueError(f"{what}: model {name!r} takes {least} or more{of}, found {value}; try {nearest}")


def check_weights(weights: str, *, model: str, input: str) -> None:
    """Check that ``weights`` of a study names something that its network can start from; files are read when training starts.

    Raises:
        ValueError: If it does not; the message lists what there is.
    """
    if weights == NONE or weights_file(weights, input=input, model=model) is not None:
        return
    if weights not in MODELS[model].library:
        valid = ", ".join([NONE, *([SHIPPED] if (input, model) in UNDERSTUDY else []), *MODELS[model].library])
        raise ValueError(f"weights: unknown {weights!r} for model {model!r}; expected one of: {valid}, or a .safetensors file")


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
        ValueError: If the name is unknown, or the network takes no such windows.
    """
    check_windows(name, frames=frames, size=size)
    return MODELS[name].build(classes, frames=frames, size=size)


def start_from(network: nn.Module, weights: str, *, model: str, input: str) -> None:
    """Fill a fresh network, all but its head, with a study's ``weights``.

    Args:
        network: What ``build_model`` gave.
        weights: ``none``, ``understudy``, a library's name, or the file of a checkpoint.
        model: The network's name.
        input: The study's input, which shipped weights depend on.
    Raises:
        ValueError: If they are of another network, unknown, or cannot be had; the message names the field and the file.
    """
    check_weights(weights, model=model, input=input)
    if weights == NONE:
        return
    path = weights_file(weights, input=input, model=model)
    if path is None:
        load_backbone(network, library_weights(weights, MODELS[model].library, model=model), source=weights)
        return
    try:
        tensors, about = read_checkpoint(path)
    except FileNotFoundError as error:
        raise ValueError(f"weights: {path}: no such file; expected a checkpoint of `recognition train`") from error
    except (ValueError, OSError) as error:
        raise ValueError(f"weights: {error}") from error
    if about.get("model") != model:
        raise ValueError(
            f"weights: {path}: its field model is {about.get('model')!r}, the study's {model!r}; give weights of that one"
        )
    load_backbone(network, tensors, source=str(path))


def to_network(windows: Tensor) -> Tensor:
    """A batch as the networks expect it: uint8 video (b, 3, t, h, w) normalized and channels-last; others as they are."""
    if windows.dtype != torch.uint8:
        return windows
    return ((windows.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last_3d)
