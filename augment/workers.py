"""Where work is done: processes on this machine. Results do not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")
"""One thread a worker: sums in another order give other bytes."""

_stop: Any = None


def run_here(
    work: Callable[[Any], Any], tasks: Iterable[Any], *, workers: int, prepare: Callable[..., None], arguments: tuple[Any, ...]
) -> Iterator[Any]:
    """Do tasks in processes of their own and yield results as they come.

    Args:
        work: A module-level function of one task; its result is pickled.
        tasks: Taken a few at a time, so a long plan does not fill the memory.
        workers: Number of processes. Even one is a process, so that one and many compute alike.
        prepare: Called once in each process with ``arguments``, for what tasks share.
    Raises:
        OSError: If a process dies (most often: out of memory).
    """
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(stop, prepare, arguments))
    try:
        waiting: set[Future[Any]] = set()
        source = iter(tasks)
        exhausted = False
        while waiting or not exhausted:
            while not exhausted and len(waiting) < 3 * workers:
                try:
                    task = next(source)
                except StopIteration:
                    exhausted = True
                    break
                # Ctrl-C reaches the whole process group; workers, which inherit the mask, leave it to the parent.
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
                try:
                    waiting.add(pool.submit(_work, work, task))
                finally:
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            if waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
    except BrokenProcessPool as error:
        raise OSError(
            f"a worker process died ({error}); if memory ran out, use fewer --workers; run the same command again to go on"
        ) from error
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def stopping() -> bool:
    """In a worker: has the run been broken off? Long tasks ask between their steps and return anything."""
    return _stop is not None and _stop.is_set()


def _start(stop: Any, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """First thing in a worker."""
    global _stop
    _stop = stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare(*arguments)


def _end_with_parent() -> None:
    """A parent killed outright cannot stop its workers; they would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(work: Callable[[Any], Any], task: Any) -> Any:
    # After an interruption the few tasks already handed over are let go.
    return None if stopping() else work(task)
