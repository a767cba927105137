"""Every kind of prior: how it is trained and how it is made from its file. Loading a prior by path or by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .gmm import GmmConfig, gmm_from_file, train_gmm
from .humor.humor import humor_from_file
from .humor.net import HumorConfig
from .humor.train import train_humor
from .loop import Trained, TrainOptions
from .posendf.field import PoseNDFConfig
from .posendf.posendf import posendf_from_file
from .posendf.train import train_posendf
from .poses import PoseDataset
from .prior import Prior
from .prior_file import PriorFile, read_file
from .vposer import VPoserConfig, train_vposer, vposer_from_file

WEIGHTS = Path(__file__).parent / "weights"
"""Priors shipped with the package, one ``<kind>.safetensors`` each."""

DEFAULT = "gmm"
"""The shipped prior that ``load_prior(None)`` gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorKind:
    """One kind of prior."""

    title: str
    """One sentence for the model card."""
    config: Callable[[], Any]
    """The kind's config dataclass."""
    train: Callable[[PoseDataset, Any, torch.Generator, TrainOptions], Trained]
    """From data, config, random generator and options to tensors with unscaled energy, and facts."""
    from_file: Callable[[PriorFile], Prior]


PRIORS: dict[str, PriorKind] = {
    "gmm": PriorKind(
        title="Mixture of Gaussians over 21 joints in axis-angle (SMPLify's form, each Gaussian with its mirror image).",
        config=GmmConfig,
        train=train_gmm,
        from_file=gmm_from_file,
    ),
    "vposer": PriorKind(
        title="Variational autoencoder over 21 joints' rotations (VPoser's form).",
        config=VPoserConfig,
        train=train_vposer,
        from_file=vposer_from_file,
    ),
    "posendf": PriorKind(
        title="Neural distance field over 21 joints' quaternions (Pose-NDF's form).",
        config=PoseNDFConfig,
        train=train_posendf,
        from_file=posendf_from_file,
    ),
    "humor": PriorKind(
        title="Conditional variational autoencoder over changes from frame to frame (HuMoR's form).",
        config=HumorConfig,
        train=train_humor,
        from_file=humor_from_file,
    ),
}
"""Every kind by its name. Extending = one module and one entry here."""


def load_prior(path_or_name: str | Path | None = None) -> Prior:
    """Read a prior.

    Args:
        path_or_name: A file made by ``augment priors train``; the name of a shipped kind; None for the shipped default.
    Raises:
        ValueError: If there is no such prior, or the file is not a prior's; names file and field.
    """
    return prior_of(read_prior_file(path_or_name))


def read_prior_file(path_or_name: str | Path | None = None) -> PriorFile:
    """Read the file of a prior; arguments and errors as in ``load_prior``."""
    path = _find(path_or_name)
    stored = read_file(path)
    if stored.kind not in PRIORS:
        raise ValueError(f"{path}: field kind: expected one of {', '.join(sorted(PRIORS))}, found {stored.kind!r}")
    return stored


def prior_of(stored: PriorFile) -> Prior:
    """Make the prior from its file's content.

    Raises:
        ValueError: If a tensor or option is missing or does not fit.
    """
    try:
        return PRIORS[stored.kind].from_file(stored)
    except (TypeError, KeyError, RuntimeError) as error:
        # An option that the kind's dataclass does not have, or weights that do not fit its network.
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{stored.where}: field config: does not fit a {stored.kind} prior ({reason}); train it again"
        ) from error


def shipped() -> tuple[str, ...]:
    """Names of the priors shipped with the package."""
    return tuple(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))


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
