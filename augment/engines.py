"""Where tasks run: in processes of this machine, or on a Ray cluster. Results are the same."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import pickle
import tarfile
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

from .files import cache_dir, code_digest, sha256_of
from .workers import THREADS, map_unordered

RETRIES = 5
"""Further tries of a task whose process or node died."""
AHEAD = 2
"""Tasks that are handed over for each processor of the cluster: further ones wait, so that a long plan fills no memory."""
Package = tuple[str, str, Any]
"""Digest and name of a file or folder, and the reference of its content in Ray's store."""

_ready: tuple[str, Callable[[Any], Any]] | None = None


def map_here(
    work: Callable[[Any], Any], tasks: Iterable[Any], *, files: Sequence[Path] = (), **options: Any
) -> Generator[Any, None, None]:
    """``workers.map_unordered``: processes of this machine read ``files`` where they are."""
    return map_unordered(work, tasks, **options)


def map_on_ray(
    work: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    workers: int,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    batch: int = 1,
    files: Sequence[Path] = (),
) -> Generator[Any, None, None]:
    """As ``workers.map_unordered``, on Ray: the cluster of ``RAY_ADDRESS``, else one of this machine's processes.

    Args:
        work: A module-level function of one task; its result is pickled.
        tasks: Taken a few at a time.
        workers: Processors used at a time; 0: all of the cluster.
        initializer: Called once in each process with ``initargs``.
        initargs: See ``initializer``.
        batch: Tasks that run one after the other as one of Ray's, and are made again together if its process or node dies.
        files: Files and folders that tasks read. Each is sent to a node once; paths to and below them, in ``initargs`` and
            tasks, are there those of the copies.
    Raises:
        OSError: If a task's process dies again and again, or the cluster is lost.
        ValueError: If Ray is not installed, or a node has another version of this package.
    """
    ray = _connect(workers)
    roots = {Path(path): number for number, path in enumerate(dict.fromkeys(files))}
    packages = [_put(ray, path) for path in roots]
    common = _dump((work, initializer, initargs), roots)
    shared, code = ray.put((sha256_of(common), common, packages)), _code()
    remote = ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(_run)
    source, exhausted = iter(tasks), False
    waiting: list[Any] = []
    try:
        while waiting or not exhausted:
            while not exhausted and len(waiting) < AHEAD * _processors(ray, workers):
                some = list(islice(source, batch))
                exhausted = len(some) < batch
                if some:
                    waiting.append(remote.remote([shared], _dump(some, roots), code))
            if waiting:
                done, waiting = ray.wait(waiting, num_returns=1)
                results = ray.get(done[0])
                del done
                yield from results
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise OSError(f"Ray gave up a task ({type(error).__name__}: {reason}); run the same command again to go on") from error
    finally:
        for task in waiting:
            ray.cancel(task, force=True)


ENGINES: dict[str, Callable[..., Generator[Any, None, None]]] = {"local": map_here, "ray": map_on_ray}
"""Engines by name."""


def _connect(workers: int) -> Any:
    """Join the cluster of ``RAY_ADDRESS``, or start one for this process, which ends with it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ValueError("the engine ray is not installed; pip install 'understudy[cluster]'") from error
    if ray.is_initialized():
        return ray
    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level=logging.ERROR, log_to_driver=False)
        return ray
    # The node's processes inherit the environment; this one's stays as it is.
    added: dict[str, str] = dict.fromkeys(THREADS, "1")
    added["RAY_worker_niceness"] = "0"  # by default they yield to all other processes of the machine
    added["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        cpus = workers or len(os.sched_getaffinity(0))
        ray.init(num_cpus=cpus, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
    return ray


def _processors(ray: Any, workers: int) -> int:
    there = max(1, int(ray.cluster_resources().get("CPU", 1)))
    return min(workers, there) if workers else there


def _put(ray: Any, path: Path) -> Package:
    """Put a file or folder into Ray's store."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(path, path.name, filter=_undated)
    data = buffer.getvalue()
    return sha256_of(data), path.name, ray.put(data)


def _undated(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
    return info


def _unpacked(ray: Any, package: Package) -> Path:
    """On a node: the copy of a file or folder, fetched by the first process that needs it."""
    digest, name, reference = package
    folder = cache_dir() / "sent" / digest[:24]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as scratch:
            with tarfile.open(fileobj=io.BytesIO(ray.get(reference))) as tar:
                tar.extractall(Path(scratch) / "all", filter="data")
            # Another process may have been faster; its copy is the same.
            with contextlib.suppress(OSError):
                (Path(scratch) / "all").rename(folder)
    return folder / name


class _Pickler(pickle.Pickler):
    """Writes paths to and below ``roots`` as the number of the root and what follows."""

    def __init__(self, stream: io.BytesIO, roots: dict[Path, int]) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self.roots = roots

    def persistent_id(self, obj: Any) -> tuple[int, str] | None:
        if isinstance(obj, PurePath) and self.roots:
            for path in (obj, *obj.parents):
                if path in self.roots:
                    return self.roots[Path(path)], obj.relative_to(path).as_posix()
        return None


class _Unpickler(pickle.Unpickler):
    """Reads them as paths of this node."""

    def __init__(self, data: bytes, roots: Sequence[Path]) -> None:
        super().__init__(io.BytesIO(data))
        self.roots = roots

    def persistent_load(self, pid: tuple[int, str]) -> Path:
        return self.roots[pid[0]] / pid[1]


def _dump(value: Any, roots: dict[Path, int]) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, roots).dump(value)
    return buffer.getvalue()


def _code() -> str:
    return code_digest(Path(__file__).parent)


def _run(shared: list[Any], tasks: bytes, code: str) -> list[Any]:
    """On a node: one of Ray's tasks."""
    global _ready
    import ray

    digest, common, packages = ray.get(shared[0])
    roots = [_unpacked(ray, package) for package in packages]
    key = hashlib.sha256(repr((digest, roots)).encode()).hexdigest()
    if _ready is None or _ready[0] != key:
        if _code() != code:
            raise ValueError(
                f"node {ray.util.get_node_ip_address()} has another version of understudy; install the same on all"
            )
        work, initializer, initargs = _Unpickler(common, roots).load()
        if initializer is not None:
            initializer(*initargs)
        _ready = key, work
    return [_ready[1](task) for task in _Unpickler(tasks, roots).load()]
