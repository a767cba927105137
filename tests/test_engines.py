"""Laws of engines: on Ray, with processes killed, a run has the bytes of one process; paths mean the copies sent along."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from augment.engines import AHEAD, ENGINES, map_here, map_on_ray
from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene

RECIPE = """
name: spread
seed: 3
scenes: [{path: room}]
clips: [{action: stand, count: 2, motions: 1}, {action: walk, count: 1}]
film: {height: 64, fps: 6, seconds: 1.5, layers: [keypoints]}
shards: {samples_per_shard: 1}
"""
WORKERS = 2


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Ray's processes end with the tests of this file."""
    ray = pytest.importorskip("ray", reason="needs the extra cluster: pip install 'understudy[cluster]'")
    yield
    ray.shutdown()


def die_once(marker: Path, then: Callable[..., None] | None = None, *arguments: Any) -> None:
    """Kill this process the first time that one calls it."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        if then:
            then(*arguments)
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def read(path: Path) -> tuple[str, str]:
    return path.read_text(), str(path)


def die_or_double(task: tuple[Path, int]) -> int:
    die_once(task[0])
    return 2 * task[1]


def refuse(task: int) -> int:
    raise ValueError(f"task {task} is refused")


def double(task: int) -> int:
    return 2 * task


def test_paths_mean_the_copies_that_are_sent_along(tmp_path: Path):
    (tmp_path / "store" / "deep").mkdir(parents=True)
    (tmp_path / "store" / "deep" / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("B")
    files = [tmp_path / "store", tmp_path / "b.txt"]
    tasks = [tmp_path / "store" / "deep" / "a.txt", tmp_path / "b.txt"]
    found = sorted(map_on_ray(read, tasks, workers=WORKERS, files=files))
    assert [text for text, _ in found] == ["A", "B"]
    assert all(Path(path).name == f"{text.lower()}.txt" and str(tmp_path) not in path for text, path in found)
    assert sorted(map_here(read, tasks, workers=1, files=files)) == [("A", str(tasks[0])), ("B", str(tasks[1]))]


def test_tasks_of_a_process_that_is_killed_are_done_again_and_each_once(tmp_path: Path):
    tasks = [(tmp_path / "died", number) for number in range(7)]
    assert sorted(map_on_ray(die_or_double, tasks, workers=WORKERS, batch=3)) == [2 * number for number in range(7)]
    assert (tmp_path / "died").exists()


def test_a_task_s_own_error_is_raised_as_it_is():
    with pytest.raises(ValueError, match="task 0 is refused"):
        list(map_on_ray(refuse, [0], workers=WORKERS))


def test_a_long_plan_is_taken_a_few_tasks_at_a_time():
    taken = []

    def plan() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    with closing(map_on_ray(double, plan(), workers=WORKERS, batch=5)) as results:
        next(results)
    assert len(taken) <= 5 * (AHEAD * WORKERS + 1)


def test_a_run_with_a_killed_process_has_the_bytes_of_one_process(tmp_path: Path, monkeypatch):
    save_scene(make_room(seed=1, height=96), tmp_path / "room")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    recipe = load_recipe(tmp_path / "recipe.yaml")
    generate(recipe, tmp_path / "local", workers=1)

    def with_a_death(work: Any, tasks: Any, *, initializer: Any, initargs: Any = (), **options: Any) -> Any:
        died = (tmp_path / f"died-{work.__name__}", initializer, *initargs)
        return map_on_ray(work, tasks, initializer=die_once, initargs=died, **options)

    monkeypatch.setitem(ENGINES, "ray", with_a_death)
    generate(recipe, tmp_path / "ray", workers=WORKERS, engine="ray")
    assert (tmp_path / "died-make_clip").exists()
    assert content(tmp_path / "ray") == content(tmp_path / "local")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
