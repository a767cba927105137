"""Training and test data of `benchmarks/priors.py`: motions split by the style they are acted in."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from augment.motion.store import read_store
from augment.priors.poses import PoseDataset, dataset_of
from augment.priors.prior import Prior
from augment.priors.registry import load_prior
from augment.priors.train import train_prior
from augment.types import Motion

TEST_STYLES = ("old", "tired", "musical", "giant", "elderly")
"""Styles of the Bandai-Namco data that are used for tests only."""
VALIDATION_STYLES = ("sad", "chimpira", "exhausted")
"""Styles by which weights are chosen and energies scaled."""


def style_of(motion: Motion | str) -> str:
    """The style in a Bandai-Namco motion's name: ``dataset-1_walk_old_001`` is ``old``."""
    return (motion if isinstance(motion, str) else motion.name).rsplit("_", 2)[-2]


def motions_of(store: Path, *, styles: Iterable[str] | None = None, without: Iterable[str] = ()) -> Iterator[Motion]:
    """Motions of a store, of some styles only or without some; read one by one."""
    opened = read_store(store)
    without, wanted = set(without), None if styles is None else set(styles)
    for index, row in enumerate(opened.rows):
        style = style_of(row["name"]) if "_" in row["name"] else ""
        if style not in without and (wanted is None or style in wanted):
            yield opened[index]


def training_set(bandai: Path, library: Path) -> PoseDataset:
    """Everything but the test styles; the validation styles are held out from training."""
    motions = [*motions_of(bandai, without=TEST_STYLES), *motions_of(library)]
    dataset = dataset_of(motions, held_out=0.0)
    held = torch.tensor([name.count("_") >= 2 and style_of(name) in VALIDATION_STYLES for name in dataset.names])
    digest = hashlib.sha256(f"{dataset.digest} {held.tolist()}".encode()).hexdigest()
    return replace(dataset, held_out=held, digest=digest)


def trained_priors(kinds: Iterable[str], dataset: PoseDataset, work: Path) -> dict[str, Prior]:
    """Priors from ``work``, trained first where they are missing."""
    priors = {}
    for kind in kinds:
        path = work / f"{kind}.safetensors"
        if path.exists():
            priors[kind] = load_prior(path)
            continue
        started, used, told = time.monotonic(), time.process_time(), [time.monotonic()]

        def report(done: int, steps: int, losses: dict[str, float], kind: str = kind, told: list[float] = told) -> None:
            if time.monotonic() - told[0] > 30 or done == steps:
                told[0] = time.monotonic()
                print(f"{kind} {done}/{steps} " + " ".join(f"{k} {v:.4f}" for k, v in losses.items()), flush=True)

        priors[kind] = train_prior(kind, dataset, path, seed=0, report=report)
        wall, cpu = time.monotonic() - started, time.process_time() - used
        print(f"{kind}: trained in {wall:.0f} s, {cpu:.0f} s of one core; {path.stat().st_size / 1e6:.1f} MB", flush=True)
    return priors
