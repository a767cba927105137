"""Random numbers of a clip: they depend on the run's seed, the clip's key and the number of the attempt alone."""

from __future__ import annotations

import hashlib

import numpy as np


def clip_rng(seed: int, key: str, attempt: int) -> np.random.Generator:
    """Random numbers of one attempt at one clip, independent of other clips, their order and the number of workers.

    Args:
        seed: The run's: the recipe's ``seed``, or ``--seed``.
        key: The clip's, as in the plan (``generate.recipe``).
        attempt: From 0; a rejected attempt is followed by another.
    """
    digest = hashlib.sha256(f"{seed}/{key}/{attempt}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
