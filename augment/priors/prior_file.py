"""The file of a prior: safetensors, with the options and facts as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..files import write_atomic

FORMAT = "understudy-prior-1"
Network = TypeVar("Network", bound=nn.Module)

MAX_SIZE = 4096
"""Largest size of a part of a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorFile:
    """Content of a prior's file."""

    kind: str
    """A key of ``registry.PRIORS``."""
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    """The kind's config dataclass as a dict: options the tensors were trained with."""
    normalisation: float
    """Raw energies are divided by this, their median over held-out real poses."""
    training_data: tuple[dict[str, Any], ...]
    """One row per data set: ``source``, ``licence``, ``motions``, ``frames``."""
    facts: dict[str, Any] = field(default_factory=dict)
    """How it was trained: seed, steps, frame rate, digest of the data."""
    where: str = "prior"
    """The file's name, for messages."""

    def tensor(self, name: str, shape: Sequence[int | None]) -> Tensor:
        """Look up a tensor and check its shape (None = any size).

        Raises:
            ValueError: Naming the file and the tensor.
        """
        if name not in self.tensors:
            raise ValueError(f"{self.where}: tensor {name}: expected in a {self.kind} prior, found none; train it again")
        found = self.tensors[name]
        fits = found.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, found.shape, strict=True))
        if not fits:
            expected = tuple("any" if size is None else size for size in shape)
            raise ValueError(f"{self.where}: tensor {name}: expected shape {expected}, found {tuple(found.shape)}")
        return found


def load_network(network: Network, stored: PriorFile, *, prefix: str = "") -> Network:
    """Set a network's weights, whose names in the file begin with ``prefix``, and freeze it.

    Raises:
        ValueError: If a weight is missing or has another shape.
    """
    network.load_state_dict({name: stored.tensor(prefix + name, value.shape) for name, value in network.state_dict().items()})
    return network.requires_grad_(False).eval()


def read_file(path: Path) -> PriorFile:
    """Read a prior's file.

    Raises:
        ValueError: If it is not a prior's file; names the file and the field or tensor.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: expected a prior (safetensors), found something else ({error})") from error
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path}: field format: expected {FORMAT!r}, found {metadata.get('format')!r}; "
            "make a prior with `augment priors train`"
        )
    bad = sorted(name for name, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all())
    if bad:
        raise ValueError(f"{path}: tensor {bad[0]}: expected finite numbers, found NaN or infinity; train the prior again")
    rows = _field(path, metadata, "training_data", list)
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: field training_data: expected a list of objects, found something else")
    return PriorFile(
        kind=metadata.get("kind", ""),
        tensors=tensors,
        config=_field(path, metadata, "config", dict),
        normalisation=_normalisation(path, metadata),
        training_data=tuple(rows),
        facts=_field(path, metadata, "facts", dict),
        where=str(path),
    )


def save_prior(stored: PriorFile, path: Path | str) -> Path:
    """Write a prior's file atomically; the same content gives the same bytes.

    Args:
        stored: What to write.
        path: The file.
    Raises:
        ValueError: If the normalisation is not a positive number.
    """
    _positive("prior to save", stored.normalisation)
    tensors = {name: value.detach().contiguous() for name, value in sorted(stored.tensors.items())}
    metadata = {
        "format": FORMAT,
        "kind": stored.kind,
        "config": json.dumps(stored.config, sort_keys=True),
        "normalisation": repr(float(stored.normalisation)),
        "training_data": json.dumps(list(stored.training_data), sort_keys=True),
        "facts": json.dumps(stored.facts, sort_keys=True),
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, _sorted_header(save(tensors, metadata)))
    return path


def check_sizes(where: str, sizes: Mapping[str, object]) -> None:
    """Check that network sizes are positive whole numbers up to ``MAX_SIZE``, before anything is allocated.

    Raises:
        ValueError: Naming the file and the option.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_SIZE:
            raise ValueError(f"{where}: field config.{name}: expected a whole number from 1 to {MAX_SIZE}, found {size!r}")


def _field(path: Path, metadata: Mapping[str, str], name: str, kind: type) -> Any:
    try:
        value = json.loads(metadata[name])
    except KeyError as error:
        raise ValueError(f"{path}: field {name}: expected in a prior's metadata, found none; train it again") from error
    except ValueError as error:
        raise ValueError(f"{path}: field {name}: expected JSON, found something else ({error})") from error
    if not isinstance(value, kind):
        raise ValueError(f"{path}: field {name}: expected a JSON {kind.__name__}, found {type(value).__name__}")
    return value


def _normalisation(path: Path, metadata: Mapping[str, str]) -> float:
    try:
        value = float(metadata["normalisation"])
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: field normalisation: expected a positive number, found {metadata.get('normalisation')!r}"
        ) from error
    return _positive(str(path), value)


def _positive(where: str, value: float) -> float:
    if not 0.0 < value < float("inf"):
        raise ValueError(f"{where}: field normalisation: expected a positive number, found {value}")
    return value


def _sorted_header(data: bytes) -> bytes:
    """Sort the keys of the file's JSON header: safetensors writes metadata in no fixed order."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]
