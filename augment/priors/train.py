"""Train a prior of any kind from a motion store, scale its energy, and write its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..motion.store import MotionStore
from .dataset import FPS, PoseDataset, pose_dataset, sequences
from .load import PriorFile, load_prior, prior_of, save_prior
from .loop import Report, Run
from .state import Prior

MEDIAN_FRAMES = 20_000
"""Held-out frames, at most, that the scale of an energy is taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a trainer gives back."""

    tensors: dict[str, Tensor]
    config: Any
    """The kind's config dataclass, as used."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What is worth knowing of the run: last losses, steps."""


Trainer = Callable[[PoseDataset, Any, torch.Generator, Run], Trained]
"""From data, the kind's config (None for its defaults), random numbers and the run to tensors; the energy is not scaled yet."""


def _gmm(dataset: PoseDataset, config: Any, generator: torch.Generator, run: Run) -> Trained:
    from .gmm import train_gmm

    return train_gmm(dataset, config, generator, run)


def _vposer(dataset: PoseDataset, config: Any, generator: torch.Generator, run: Run) -> Trained:
    from .vposer import train_vposer

    return train_vposer(dataset, config, generator, run)


def _posendf(dataset: PoseDataset, config: Any, generator: torch.Generator, run: Run) -> Trained:
    from .posendf import train_posendf

    return train_posendf(dataset, config, generator, run)


def _humor(dataset: PoseDataset, config: Any, generator: torch.Generator, run: Run) -> Trained:
    from .humor import train_humor

    return train_humor(dataset, config, generator, run)


TRAINERS: dict[str, Trainer] = {"gmm": _gmm, "vposer": _vposer, "posendf": _posendf, "humor": _humor}
"""From a kind to the function that trains it; the kinds are those of ``load.PRIORS``."""


def train_prior(
    kind: str,
    store: MotionStore | PoseDataset | Path | str,
    out: Path | str,
    *,
    config: Any = None,
    seed: int = 0,
    steps: int | None = None,
    fps: float = FPS,
    held_out: float = 0.1,
    max_frames: int | None = 400_000,
    report: Report | None = None,
) -> Prior:
    """Train a prior and write it to one file; an interrupted run goes on from ``<out>.checkpoint.pt``.

    Args:
        kind: A key of ``TRAINERS``.
        store: A motion store, its folder, or a dataset made from one (``fps``, ``held_out``, ``max_frames`` are then its own).
        out: The file to write, ``.safetensors``.
        config: The kind's options; its defaults if None.
        seed: Decides initial weights, batches and noise: the same seed gives the same bytes.
        steps: Training steps; the kind's own number if None.
        fps: Frames a second.
        held_out: Share of people or recordings kept from training, which the energy is scaled by.
        max_frames: Where the store holds more, motions are left out.
        report: Called after every step.
    Returns:
        The prior, read back from its file.
    Raises:
        ValueError: If the kind is unknown, or the store cannot be used.
    """
    if kind not in TRAINERS:
        raise ValueError(f"unknown prior {kind!r}; expected one of: {', '.join(sorted(TRAINERS))}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, found {seed}")
    out = Path(out)
    if out.is_dir():
        raise ValueError(f"{out}: expected a file to write the prior to, found a folder; name a .safetensors file")
    dataset = store
    if not isinstance(dataset, PoseDataset):
        dataset = pose_dataset(dataset, fps=fps, held_out=held_out, max_frames=max_frames)
    checkpoint = out.with_name(out.name + ".checkpoint.pt")
    run = Run(seed=seed, steps=steps, checkpoint=checkpoint, report=report)
    with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
        torch.manual_seed(seed)
        trained = TRAINERS[kind](dataset, config, torch.Generator().manual_seed(seed), run)
    save_prior(scaled(describe(kind, trained, dataset, seed=seed), dataset), out)
    checkpoint.unlink(missing_ok=True)
    return load_prior(out)


def describe(kind: str, trained: Trained, dataset: PoseDataset, *, seed: int) -> PriorFile:
    """What a trainer gave back as a prior's file, its energy not scaled yet."""
    held = dataset.held_out
    facts = {
        "seed": seed,
        "fps": dataset.fps,
        "motions": int((~held).sum()),
        "held_out_motions": int(held.sum()),
        "data": dataset.digest,
        **trained.facts,
    }
    return PriorFile(
        kind=kind,
        tensors=trained.tensors,
        config=asdict(trained.config),
        normalisation=1.0,
        training_data=dataset.origins,
        facts=facts,
    )


def scaled(stored: PriorFile, dataset: PoseDataset) -> PriorFile:
    """The same prior with the median energy over held-out poses brought to 1 (over all poses where none are held out).

    Raises:
        ValueError: If that median is not a positive number.
    """
    energies = energies_of(prior_of(replace(stored, normalisation=1.0)), dataset, held_out=bool(dataset.held_out.any()))
    median = float(energies.double().median())
    if not 0.0 < median < float("inf"):
        raise ValueError(
            f"{stored.kind}: the median energy over held-out poses is {median}; expected a positive number: train longer"
        )
    return replace(stored, normalisation=median)


def energies_of(prior: Prior, dataset: PoseDataset, *, held_out: bool, max_frames: int = MEDIAN_FRAMES) -> Float[Tensor, " k"]:
    """Energy of the frames of whole motions, evenly picked so that there are about ``max_frames`` of them."""
    motions = sequences(dataset, held_out=held_out)
    total = sum(len(each.rotations) for each in motions)
    every = max(1, -(-total // max_frames))
    with torch.no_grad():
        return torch.cat([prior.energy(each) for each in motions[::every]])
