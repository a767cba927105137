"""A few small movements as a dataset of priors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from augment.priors.poses import PoseDataset, dataset_of
from augment.types import Motion
from tests.make.actor import moving

ACTIONS = ("wave", "walk", "jump", "kneel")


def few_motions(*, count: int = 8, seed: int = 0) -> list[Motion]:
    """Movements in four recordings of two takes each, 20 frames/s."""
    rng = np.random.default_rng(seed)
    return [
        replace(moving(action=ACTIONS[i // 2 % 4], rng=rng), name=f"take_{ACTIONS[i // 2 % 4]}_{i:03d}", subject="")
        for i in range(count)
    ]


def few_poses(*, held_out: float = 0.25, seed: int = 0) -> PoseDataset:
    """The same, 30 frames/s, one recording held out."""
    return dataset_of(few_motions(seed=seed), held_out=held_out)
