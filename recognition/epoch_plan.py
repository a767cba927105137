"""Who reads what in an epoch of streamed shards: an exact share for each process, then for each of its workers.

Everything here is arithmetic on the numbers of samples, so that an epoch can be repeated, or begun in its middle, without
reading what comes before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What one worker reads in one epoch, and in which order it hands it on."""

    read: tuple[tuple[int, int, int], ...]
    """Stretches of shards in reading order: index of the shard, its first sample, the first one after."""
    order: tuple[int, ...]
    """Order in which the samples are handed on; numbers count them in reading order."""
    buffer: int
    """Samples that must be held at a time, to hand them on in this order."""


def worker_plans(
    counts: Sequence[int], *, seed: int, epoch: int, rank: int = 0, world: int = 1, workers: int = 1, batch: int = 1,
    buffer: int = 1, even: bool = False,
) -> list[WorkerPlan]:  # fmt: skip
    """The plans of one process's workers. Together, all plans of all processes hold every sample once.

    Shards are shuffled, and their samples, counted through, cut into one stretch for each process; the stretch of a process is
    cut into one for each worker at whole batches. A shard on a cut is read by both sides, each up to the cut or from it on.

    Args:
        counts: Number of samples of each shard.
        seed: Decides all orders, with ``epoch``.
        epoch: Number of the epoch, from 0.
        rank: Number of this process.
        world: Number of processes. Their shares differ by one sample at most.
        workers: Number of this process's workers.
        batch: Samples that are handed on together.
        buffer: A sample is handed on before or after this many of those read beside it.
        even: Leave out the last samples of the epoch's order, fewer than ``world``, so that all shares are equal.
    """
    rng = np.random.default_rng([seed, epoch])
    shards = rng.permutation(len(counts))
    ends = np.cumsum(np.asarray(counts, int)[shards])
    total = int(ends[-1]) // world * world if even else int(ends[-1])
    start, end = total * rank // world, total * (rank + 1) // world
    groups = -(-(end - start) // batch)
    plans, first = [], start
    for worker in range(workers):
        last = min(end, first + batch * (groups // workers + (worker < groups % workers)))
        mixed = _buffered_order(last - first, buffer, rng=np.random.default_rng([seed, epoch, rank, worker]))
        plans.append(WorkerPlan(read=_stretches(shards, ends, first, last), order=tuple(mixed), buffer=buffer))
        first = last
    return plans


def turns(batches: Sequence[int]) -> list[int]:
    """Which worker each batch comes from, when workers with so many batches take turns until they have no more."""
    return [worker for turn in range(max(batches, default=0)) for worker, count in enumerate(batches) if turn < count]


def _stretches(shards: np.ndarray, ends: np.ndarray, first: int, last: int) -> tuple[tuple[int, int, int], ...]:
    """The parts of shuffled shards that hold the samples from ``first`` to before ``last``."""
    found, begin = [], 0
    for shard, end in zip(shards, ends, strict=True):
        low, high = max(first, begin), min(last, int(end))
        if low < high:
            found.append((int(shard), low - begin, high - begin))
        begin = int(end)
    return tuple(found)


def _buffered_order(count: int, buffer: int, *, rng: np.random.Generator) -> list[int]:
    """The order in which ``count`` items leave a buffer that is kept full and emptied at random."""
    held, order = list(range(min(buffer, count))), []
    for coming in range(len(held), count + len(held)):
        place = int(rng.integers(len(held)))
        order.append(held[place])
        if coming < count:
            held[place] = coming
        else:
            held[place] = held[-1]
            held.pop()
    return order
