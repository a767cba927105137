"""Plans of streamed epochs: each sample once, over all processes and workers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.epoch_plan import WorkerPlan, turns, worker_plans


def samples(plan: WorkerPlan) -> list[tuple[int, int]]:
    """A plan's samples (shard, number) in the order in which they are handed on."""
    read = [(shard, number) for shard, first, last in plan.read for number in range(first, last)]
    return [read[place] for place in plan.order]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any),
    world=st.integers(1, 5),
    workers=st.integers(1, 4),
    batch=st.integers(1, 5),
    buffer=st.integers(1, 7),
    epoch=st.integers(0, 3),
)
def test_all_plans_together_hold_every_sample_once(counts, world, workers, batch, buffer, epoch):
    plans = [
        worker_plans(counts, seed=7, epoch=epoch, rank=rank, world=world, workers=workers, batch=batch, buffer=buffer)
        for rank in range(world)
    ]
    every = sorted(sample for rank in plans for plan in rank for sample in samples(plan))
    assert every == [(shard, number) for shard, count in enumerate(counts) for number in range(count)]
    shares = [sum(len(plan.order) for plan in rank) for rank in plans]
    assert max(shares) - min(shares) <= 1
    for plan in (plan for rank in plans for plan in rank):
        # what is handed on at a time was read no further ahead than the buffer holds
        assert all(place < turn + buffer for turn, place in enumerate(plan.order))


def test_even_shares_leave_out_fewer_samples_than_processes():
    plans = [worker_plans([5, 6], seed=0, epoch=0, rank=rank, world=4, even=True) for rank in range(4)]
    assert [sum(len(plan.order) for plan in rank) for rank in plans] == [2, 2, 2, 2]


def test_epochs_and_seeds_have_orders_of_their_own():
    def order(**changes: int) -> list[tuple[int, int]]:
        return samples(worker_plans([20, 20], **{"seed": 0, "epoch": 0, "buffer": 8, **changes})[0])

    assert order() == order()
    assert order() != order(epoch=1)
    assert order() != order(seed=1)


@pytest.mark.parametrize(("batches", "expected"), [([2, 2], [0, 1, 0, 1]), ([3, 1], [0, 1, 0, 0]), ([0, 0], [])])
def test_workers_take_turns_until_they_have_no_more(batches, expected):
    assert turns(batches) == expected
