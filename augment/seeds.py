"""Where random numbers come from: a run's seed, a clip's key and the number of the attempt, and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np


def clip_rng(seed: int, key: str, attempt: int) -> np.random.Generator:
    """The random numbers of one attempt at one clip: the same whatever else is made, in whatever order, by how many workers."""
    digest = hashlib.sha256(f"{seed}/{key}/{attempt}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
