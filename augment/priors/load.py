"""A prior's one file (safetensors: tensors, and facts as metadata), and which function makes a prior of each kind from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..files import write_atomic
from .state import Prior

FORMAT = "understudy-prior-1"

WEIGHTS = Path(__file__).parent / "weights"
"""Priors that come with the package, one ``<kind>.safetensors`` each."""

DEFAULT = "gmm"
"""The shipped prior that ``load_prior(None)`` gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorFile:
    """What a prior's file holds."""

    kind: str
    """A key of ``PRIORS``."""
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    """Options that the tensors were made with: the kind's config dataclass as a dict."""
    normalisation: float
    """Raw energies are divided by this; chosen so that the median over held-out real poses is 1."""
    training_data: tuple[dict[str, Any], ...]
    """One row a data set: ``source``, ``licence``, ``motions``, ``frames``."""
    facts: dict[str, Any] = field(default_factory=dict)
    """How it was trained: seed, steps, rate, digest of the data."""
    where: str = "prior"
    """The file's name, for messages."""

    def tensor(self, name: str, shape: Sequence[int | None]) -> Tensor:
        """A tensor that must have this shape (None = any size).

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


def _gmm(stored: PriorFile) -> Prior:
    from .gmm import gmm_from_file

    return gmm_from_file(stored)


def _vposer(stored: PriorFile) -> Prior:
    from .vposer import vposer_from_file

    return vposer_from_file(stored)


def _posendf(stored: PriorFile) -> Prior:
    from .posendf import posendf_from_file

    return posendf_from_file(stored)


def _humor(stored: PriorFile) -> Prior:
    from .humor import humor_from_file

    return humor_from_file(stored)


PRIORS: dict[str, Callable[[PriorFile], Prior]] = {"gmm": _gmm, "vposer": _vposer, "posendf": _posendf, "humor": _humor}
"""From a kind's file to the prior. A new kind is one module, one function here and one in ``train.TRAINERS``."""


def load_prior(path_or_name: str | Path | None = None) -> Prior:
    """Read a prior.

    Args:
        path_or_name: A file made by ``augment priors train``; the name of a kind that comes with the package; None for the
            shipped default.
    Raises:
        ValueError: If there is no such prior, or the file is not one of ours; names file and field.
    """
    return prior_of(read_prior_file(path_or_name))


def prior_of(stored: PriorFile) -> Prior:
    """The prior that a file's content makes.

    Raises:
        ValueError: If a tensor or option is missing or does not fit.
    """
    try:
        return PRIORS[stored.kind](stored)
    except (TypeError, KeyError, RuntimeError) as error:
        # An option that the kind's dataclass does not know, or weights that do not fit its network.
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{stored.where}: field config: does not fit a {stored.kind} prior ({reason}); train it again"
        ) from error


def read_prior_file(path_or_name: str | Path | None = None) -> PriorFile:
    """Read a prior's file without making the prior.

    Raises:
        ValueError: As ``load_prior``.
    """
    path = _find(path_or_name)
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
    kind = metadata.get("kind", "")
    if kind not in PRIORS:
        raise ValueError(f"{path}: field kind: expected one of {', '.join(sorted(PRIORS))}, found {kind!r}")
    bad = sorted(name for name, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all())
    if bad:
        raise ValueError(f"{path}: tensor {bad[0]}: expected finite numbers, found NaN or infinity; train the prior again")
    rows = _field(path, metadata, "training_data", list)
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: field training_data: expected a list of objects, found something else")
    return PriorFile(
        kind=kind,
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
        ValueError: If the kind is unknown or the normalisation is not a positive number.
    """
    if stored.kind not in PRIORS:
        raise ValueError(f"field kind: expected one of {', '.join(sorted(PRIORS))}, found {stored.kind!r}")
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


def shipped() -> tuple[str, ...]:
    """Names of the priors that come with the package."""
    return tuple(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))


def check_sizes(where: str, sizes: Mapping[str, object], limit: int = 4096) -> None:
    """Refuse network sizes that are not small positive whole numbers, before anything is allocated.

    Raises:
        ValueError: Naming the file and the option.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= limit:
            raise ValueError(f"{where}: field config.{name}: expected a whole number from 1 to {limit}, found {size!r}")


def _find(path_or_name: str | Path | None) -> Path:
    name = DEFAULT if path_or_name is None else path_or_name
    if isinstance(name, str) and name in PRIORS and not Path(name).exists():
        path = WEIGHTS / f"{name}.safetensors"
        if not path.is_file():
            raise ValueError(
                f"prior {name!r}: none comes with the package (shipped: {', '.join(shipped()) or 'none'}); "
                f"make one with `augment priors train {name} STORE --out {name}.safetensors`"
            )
        return path
    path = Path(name)
    if not path.is_file():
        raise ValueError(
            f"{path}: no such prior; name a file made with `augment priors train`, or one of {', '.join(shipped()) or 'none'}"
        )
    return path


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
    """The same file with its JSON header's keys sorted: the writer keeps metadata in no fixed order."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]
