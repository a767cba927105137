"""Production: the overhead of Ray, time and memory of a long run into an S3 bucket, and what a million clips would cost.

    python -m benchmarks.production --clips 10000 --workers 2

Clips are keypoints alone, of daily actions, in two rooms. The bucket is moto's server on this machine, in a process of its own.
Needs the extras ``cloud``, ``cluster`` and ``dev``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from augment.engines import map_on_ray
from augment.generate.recipe import Recipe
from augment.generate.run import generate
from augment.remote import Remote

from .watch import EVERY, Mark, watched

ACTIONS = ("walk", "sit_down", "stand", "pick_up")


def recipe_of(clips: int) -> Recipe:
    """So many clips of keypoints, rounded down to a multiple of four."""
    lines = [{"action": name, "count": clips // len(ACTIONS)} for name in ACTIONS]
    film = {"fps": 10, "layers": ["keypoints"]}
    return Recipe.model_validate({"name": "many", "scenes": [{"rooms": 2}], "clips": lines, "film": film})


@contextmanager
def bucket() -> Iterator[None]:
    """A bucket ``s3://bucket`` on this machine; its server ends with the block."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": address}
    os.environ.update(keys)
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=quiet, stderr=quiet)
    try:
        for _ in range(600):
            with socket.socket() as found:
                if found.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        fsspec.filesystem("s3").mkdir("bucket")
        yield
    finally:
        server.terminate()
        server.wait()


def wait_for_ray(workers: int) -> None:
    """Start Ray, so that a run's time is that of the run."""
    list(map_on_ray(str, range(workers), workers=workers))


def timed(recipe: Recipe, out: Path | Remote, *, workers: int, engine: str = "local") -> tuple[float, list[Mark], int]:
    """Seconds of a run, marks of it, and bytes of its shards."""
    started = time.perf_counter()
    with watched() as marks:
        manifest = generate(recipe, out, workers=workers, engine=engine)
    return time.perf_counter() - started, marks, sum(shard["bytes"] for shard in manifest["shards"])


def growth(marks: list[Mark], start: int) -> str:
    """Pace and memory from clip ``start`` on, in one line."""
    kept = [mark for mark in marks if mark.clips >= start]
    if len(kept) < 3:
        return f"fewer than three marks from clip {start} on: more clips are needed to judge pace and memory"
    first, middle, last = kept[0], kept[len(kept) // 2], kept[-1]
    early, late = ((b.seconds - a.seconds) / (b.clips - a.clips) for a, b in ((first, middle), (middle, last)))
    writer, worker = max(mark.parent for mark in kept), max(mark.memory for mark in kept)
    return (
        f"from clip {first.clips} on: {1e3 * early:.1f} ms a clip in the first half, {1e3 * late:.1f} in the second; memory of "
        f"the writer {first.parent:.3f} GiB, at most {writer:.3f} ({writer / first.parent - 1:+.1%}); of the largest worker "
        f"{first.memory:.3f}, at most {worker:.3f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=400, help="clips of each run")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--settled", type=int, default=1000, help="memory and pace are judged from this clip on")
    parser.add_argument("--out", type=Path, default=Path("runs/production"), help="folder for the runs; it is emptied first")
    options = parser.parse_args()
    recipe, workers = recipe_of(options.clips), options.workers
    shutil.rmtree(options.out, ignore_errors=True)
    timed(recipe_of(4), options.out / "first", workers=1)  # compiles, and builds the rooms
    with bucket():
        seconds, marks, size = timed(recipe, Remote("s3://bucket/run"), workers=workers)
    clips = options.clips // len(ACTIONS) * len(ACTIONS)
    print(f"S3: {clips} clips in {seconds:.1f} s with {workers} workers, {size / clips / 1e3:.1f} kB a clip")
    print(growth(marks, min(options.settled, options.clips // EVERY // 2 * EVERY)))
    print(f"a million clips: {1e6 * seconds * workers / clips / 3600:.0f} core hours, {1e6 * size / clips / 1e9:.0f} GB")
    local, _, _ = timed(recipe, options.out / "local", workers=workers)
    wait_for_ray(workers)
    ray, _, _ = timed(recipe, options.out / "ray", workers=workers, engine="ray")
    same = all(
        (options.out / "ray" / path.name).read_bytes() == path.read_bytes() for path in (options.out / "local").glob("*.tar")
    )
    print(f"local {local:.1f} s, Ray {ray:.1f} s ({ray / local - 1:+.1%}); shards {'the same' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
