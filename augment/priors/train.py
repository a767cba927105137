"""Train a prior of any kind, scale its energy, and write its file."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .loop import Report, TrainOptions
from .poses import PoseDataset, sequences
from .prior import Prior
from .prior_file import PriorFile, save_prior
from .registry import PRIORS, load_prior, prior_of

MEDIAN_FRAMES = 20_000
"""Largest number of held-out frames that an energy's scale is computed from."""


def train_prior(
    kind: str,
    dataset: PoseDataset,
    out: Path | str,
    *,
    config: Any = None,
    seed: int = 0,
    steps: int | None = None,
    report: Report | None = None,
) -> Prior:
    """Train a prior and write it to one file; an interrupted run resumes from ``<out>.checkpoint.pt``.

    Args:
        kind: A key of ``registry.PRIORS``.
        dataset: Poses to learn from; those held out set the scale of the energy.
        out: The file to write, ``.safetensors``.
        config: The kind's options; its defaults if None.
        seed: Determines initial weights, batches and noise: the same seed gives the same bytes.
        steps: Training steps; the kind's own number if None.
        report: Called after every step.
    Returns:
        The prior, read back from its file.
    Raises:
        ValueError: If the kind is unknown, or the data cannot be used.
    """
    if kind not in PRIORS:
        raise ValueError(f"unknown prior {kind!r}; expected one of: {', '.join(sorted(PRIORS))}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, found {seed}")
    out = Path(out)
    if out.is_dir():
        raise ValueError(f"{out}: expected a file to write the prior to, found a folder; name a .safetensors file")
    checkpoint = out.with_name(out.name + ".checkpoint.pt")
    config = config or PRIORS[kind].config()
    options = TrainOptions(seed=seed, steps=steps or config.steps, checkpoint=checkpoint, report=report)
    with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
        torch.manual_seed(seed)
        tensors, facts = PRIORS[kind].train(dataset, config, torch.Generator().manual_seed(seed), options)
    held = int(dataset.held_out.sum())
    unscaled = PriorFile(
        kind=kind,
        tensors=tensors,
        config=asdict(config),
        normalisation=1.0,
        training_data=dataset.origins,
        facts={
            "seed": seed,
            "fps": dataset.fps,
            "motions": len(dataset) - held,
            "held_out_motions": held,
            "data": dataset.digest,
            **facts,
        },
    )
    save_prior(_scaled(unscaled, dataset), out)
    checkpoint.unlink(missing_ok=True)
    return load_prior(out)


def _scaled(unscaled: PriorFile, dataset: PoseDataset) -> PriorFile:
    """Set the normalisation so that the median energy over held-out poses is 1 (over all poses if none are held out).

    Raises:
        ValueError: If that median is not a positive number.
    """
    energies = energies_of(prior_of(unscaled), dataset, held_out=bool(dataset.held_out.any()))
    median = float(energies.double().median())
    if not 0.0 < median < float("inf"):
        raise ValueError(
            f"{unscaled.kind}: the median energy over held-out poses is {median}; expected a positive number: train longer"
        )
    return replace(unscaled, normalisation=median)


def energies_of(prior: Prior, dataset: PoseDataset, *, held_out: bool) -> Float[Tensor, " k"]:
    """Energies of the frames of whole motions, evenly picked so that there are about ``MEDIAN_FRAMES`` of them."""
    motions = sequences(dataset, held_out=held_out)
    total = sum(len(each.rotations) for each in motions)
    every = max(1, -(-total // MEDIAN_FRAMES))
    with torch.no_grad():
        return torch.cat([prior.energy(each) for each in motions[::every]])
