"""Laws of worker processes: every result arrives, also when a process dies or the work is broken off."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from augment.workers import Stopped, count_step, map_unordered

_shared: list[int] = []


def _share(number: int) -> None:
    _shared.append(number)


def _describe(task: int) -> tuple[int, list[int], str]:
    return task, list(_shared), os.environ["OMP_NUM_THREADS"]


def test_every_task_is_done_once_with_what_was_shared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for batch in (1, 3):
        results = map_unordered(_describe, range(8), workers=2, initializer=_share, initargs=(5,), threads=3, batch=batch)
        assert sorted(results) == [(task, [5], "3") for task in range(8)]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert list(map_unordered(_describe, [], workers=2)) == []


def _die_at_two(task: int) -> int:
    if task == 2:
        time.sleep(0.5)
        os.kill(os.getpid(), 9)
    return task


def test_a_killed_worker_is_an_error_that_says_what_to_do_after_all_finished_results():
    finished = []
    with pytest.raises(OSError, match="fewer --workers; run the same command again") as caught:
        finished.extend(map_unordered(_die_at_two, [0, 1, 2], workers=1))
    assert finished == [0, 1]
    assert "\n" not in str(caught.value)


def _fail(task: int) -> int:
    raise ValueError(f"task {task} is bad")


def test_an_error_of_the_work_reaches_the_caller():
    with pytest.raises(ValueError, match="task 4 is bad"):
        list(map_unordered(_fail, [4], workers=1))


def _step_until_stopped(path: Path) -> None:
    try:
        for _ in range(6000):
            count_step()
            time.sleep(0.01)
    except Stopped:
        path.touch()
        raise


class _Enough(Exception):
    pass


def test_steps_are_counted_over_all_workers_and_long_tasks_stop_when_nobody_waits(tmp_path: Path):
    seen: list[int] = []

    def look(steps: int) -> None:
        seen.append(steps)
        if steps >= 20:
            raise _Enough

    with pytest.raises(_Enough):
        list(map_unordered(_step_until_stopped, [tmp_path / "a", tmp_path / "b"], workers=2, on_steps=look))
    assert seen == sorted(seen)
    assert {path.name for path in tmp_path.iterdir()} >= {"a"}
