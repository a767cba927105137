"""Worker processes on this machine. Results do not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")
"""Environment variables that set the number of threads of NumPy, torch and the software OpenGL driver."""
POLL_SEC = 0.5
"""How often ``on_steps`` is called."""

_stop: Any = None
_steps: Any = None


class Stopped(Exception):
    """Raised in a worker by ``count_step`` once its results are no longer wanted."""


def map_unordered(
    work: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    workers: int,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    threads: int = 1,
    on_steps: Callable[[int], Any] | None = None,
    batch: int = 1,
) -> Generator[Any, None, None]:
    """Run tasks in worker processes and yield their results as they finish.

    Iterate within ``contextlib.closing``: the processes end with the generator, and a generator that an error leaves open is
    collected at an arbitrary time in an arbitrary thread, which can wait for itself.

    Args:
        work: A module-level function of one task; its result is pickled.
        tasks: Taken a few at a time, so a long plan does not fill the memory.
        workers: Number of processes. One is a process too, so that one and many compute alike.
        initializer: Called once in each process with ``initargs``, for what the tasks share.
        threads: Threads of each process. Sums in another order give other bytes, so the default is one.
        on_steps: Called twice a second with the number of ``count_step`` calls so far, over all workers.
        batch: Tasks handed over, and results sent back, at once: where a task takes milliseconds. An error loses its batch.
    Raises:
        OSError: If a process dies (most often because memory ran out); results finished before are yielded first.
    """
    context = multiprocessing.get_context("spawn")
    # Neither setting ``stop`` nor reading ``steps`` takes a lock: a killed worker may have died holding it.
    stop, steps = context.RawValue("b", 0), context.Value("q", 0)
    with _threads_of_children(threads):
        pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_start, initargs=(stop, steps, initializer, initargs)
        )
        try:
            waiting: set[Future[Any]] = set()
            source, exhausted = iter(tasks), False
            while waiting or not exhausted:
                while not exhausted and len(waiting) < 3 * workers:
                    some = list(islice(source, batch))
                    exhausted = len(some) < batch
                    if some:
                        waiting.add(_submit(pool, work, some))
                done, waiting = wait(waiting, timeout=POLL_SEC if on_steps else None, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    yield from future.result()
                if on_steps:
                    on_steps(steps.get_obj().value)
        except BrokenProcessPool as error:
            raise OSError(
                f"a worker process died ({error}); if memory ran out, use fewer --workers; run the same command again to go on"
            ) from error
        finally:
            stop.value = 1
            pool.shutdown(wait=True, cancel_futures=True)


def stopping() -> bool:
    """In a worker: whether results are no longer wanted. Long tasks check this between steps and may then return anything."""
    return _stop is not None and bool(_stop.value)


def count_step() -> None:
    """In a worker: one step of a long task is done.

    Raises:
        Stopped: If results are no longer wanted.
    """
    with _steps.get_lock():
        _steps.value += 1
    if stopping():
        raise Stopped


@contextmanager
def _threads_of_children(threads: int) -> Iterator[None]:
    """Set the environment that processes started in this block inherit."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _submit(pool: ProcessPoolExecutor, work: Callable[[Any], Any], tasks: list[Any]) -> Future[Any]:
    # Ctrl-C reaches the whole process group; workers, which inherit the mask, ignore it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_work, work, tasks)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _start(stop: Any, steps: Any, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    """Prepare a worker process."""
    global _stop, _steps
    _stop, _steps = stop, steps
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _end_with_parent() -> None:
    """End this worker when its parent ends: a killed parent cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(work: Callable[[Any], Any], tasks: list[Any]) -> list[Any]:
    # After an interruption the tasks already handed over are skipped.
    return [None if stopping() else work(task) for task in tasks]
