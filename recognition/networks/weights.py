"""Weights to start from: a checkpoint's, a library's own, or those shipped with this package."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

CHECKPOINT_FORMAT = "understudy-classifier-2"
NONE, SHIPPED = "none", "understudy"

FOLDER = Path(__file__).parents[1] / "weights"
UNDERSTUDY: dict[tuple[str, str], str] = {
    ("keypoints", "keypoint_cnn"): "keypoints.safetensors",
    ("person", "frame_cnn"): "person.safetensors",
    ("person", "x3d_xs"): "person-x3d_xs.safetensors",
    ("rgb", "frame_cnn"): "rgb.safetensors",
    ("rgb", "x3d_xs"): "rgb-x3d_xs.safetensors",
}
"""Input and model to the file in ``FOLDER`` with weights trained on films made here (``benchmarks/pretraining.py``)."""


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and what was written about them.

    Args:
        path: A file, or one of ``shipped_names()`` for weights shipped here.
    Raises:
        ValueError: If it is not a checkpoint of ``recognition train``, or no such weights are shipped.
        OSError: If it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    path = shipped_file(path) or path
    if not path.is_file():
        reason = f"no such checkpoint (those shipped with this package: {', '.join(shipped_names())})"
        raise FileNotFoundError(2, reason, str(path))
    try:
        with safe_open(path, framework="pt") as stored:
            about = json.loads((stored.metadata() or {}).get("understudy", "{}"))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path}: not a checkpoint of `recognition train` ({error})") from error
    found = about.get("format") if isinstance(about, dict) else about
    if found != CHECKPOINT_FORMAT:
        raise ValueError(
            f"{path}: field format: expected a checkpoint of `recognition train` ({CHECKPOINT_FORMAT}), found {found!r}; "
            "train it again (the first format did not keep the order of the classes)"
        )
    return tensors, about


def shipped_names() -> list[str]:
    """What to write instead of a checkpoint's file: the input, with the network where it is not the small one."""
    return [f"{SHIPPED}:{Path(file).stem}" for file in UNDERSTUDY.values()]


def shipped_file(path: Path) -> Path | None:
    """The file of shipped weights that ``understudy:INPUT`` or ``understudy:INPUT-MODEL`` means; None for any other path.

    Raises:
        ValueError: If none are shipped under this name.
    """
    name = str(path)
    if not name.startswith(f"{SHIPPED}:") and name != SHIPPED:
        return None
    if name not in shipped_names():
        raise ValueError(f"{name}: no such weights are shipped; there are: {', '.join(shipped_names())}")
    return FOLDER / f"{name.removeprefix(f'{SHIPPED}:')}.safetensors"


def from_torchvision(name: str) -> Callable[[], Mapping[str, Tensor]]:
    """torchvision's weights of one of its networks, pre-trained on Kinetics-400."""

    def get() -> Mapping[str, Tensor]:
        from torchvision.models import get_model_weights

        return next(iter(get_model_weights(name))).get_state_dict(progress=False)

    return get


def from_pytorchvideo(name: str, *, prefix: str = "") -> Callable[[], Mapping[str, Tensor]]:
    """pytorchvideo's weights of one of its networks, pre-trained on Kinetics-400."""

    def get() -> Mapping[str, Tensor]:
        from pytorchvideo.models.hub import slowfast, x3d

        address = {**x3d.checkpoint_paths, **slowfast.checkpoint_paths}[name]
        state = torch.hub.load_state_dict_from_url(address, map_location="cpu", progress=False)["model_state"]
        return {prefix + key: value for key, value in state.items()}

    return get


def from_transformers(name: str) -> Callable[[], Mapping[str, Tensor]]:
    """VideoMAE's weights from Hugging Face, fine-tuned on Kinetics-400."""

    def get() -> Mapping[str, Tensor]:
        from transformers import VideoMAEForVideoClassification

        return {
            f"network.{key}": value for key, value in VideoMAEForVideoClassification.from_pretrained(name).state_dict().items()
        }

    return get


def weights_file(weights: str, *, input: str, model: str) -> Path | None:
    """The file that ``weights`` of a study means; None for a library's name, or none.

    Raises:
        ValueError: If no weights are shipped for this input and model.
    """
    if weights == SHIPPED:
        if (input, model) not in UNDERSTUDY:
            there = ", ".join(f"input {i} with model {m}" for i, m in UNDERSTUDY) or "none yet"
            raise ValueError(f"weights: no shipped weights for input {input!r} with model {model!r}; there are: {there}")
        return FOLDER / UNDERSTUDY[input, model]
    return Path(weights) if is_file(weights) else None


def is_file(weights: str) -> bool:
    """Whether ``weights`` of a study means a file of the user's."""
    return weights.endswith(".safetensors")


def head_of(network: nn.Module) -> tuple[str, ...]:
    """Names of the weights that depend on the classes: those of the last linear or convolutional layer."""
    name = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv3d)][-1]
    return f"{name}.weight", f"{name}.bias"


def load_backbone(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Fill all of a network but its head.

    Raises:
        ValueError: If a weight is missing or of another shape, or there are others: they are of another network or window.
    """
    head, wanted = head_of(network), network.state_dict()
    body = {name: value for name, value in tensors.items() if name not in head}
    for name, value in wanted.items():
        if name not in head and (name not in body or body[name].shape != value.shape):
            found = f"has shape {tuple(body[name].shape)}" if name in body else "is missing"
            raise ValueError(
                f"weights: {source}: {name} {found}, expected {tuple(value.shape)}; these are weights of another network, or "
                "of windows of another size or number of frames"
            )
    if unknown := sorted(body.keys() - wanted.keys()):
        raise ValueError(f"weights: {source}: {unknown[0]} is no weight of this network; these are weights of another one")
    network.load_state_dict(body, strict=False)


Library = Mapping[str, Callable[[], Mapping[str, Tensor]]]
"""Name of a library to what gives its weights for one network."""


def library_weights(weights: str, library: Library, *, model: str) -> Mapping[str, Tensor]:
    """A library's own weights, downloaded or from its cache.

    Raises:
        ValueError: If they cannot be had.
    """
    try:
        return library[weights]()
    except ImportError as error:
        raise ValueError(f"weights: {weights}: {error}") from error
    except OSError as error:  # also what urllib raises without a network
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"weights: {weights}: the weights of {model} could not be downloaded ({reason}); connect to a network once, or use "
            f"weights: {NONE}, or a file"
        ) from error
