"""The whole workflow on what the package contains: rooms, people, motions, a generator; up to a report.

Nothing here is real footage. What stands in for it is filmed in other rooms than the synthetic clips, of other people, with
other cameras and a worse picture, and its motions come straight from the scripted library and the physics, never from the
generator. The recipes and the study are written into the output folder as YAML: the user's own start from them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import yaml

from .actions import FALLS
from .generate.recipe import load_recipe
from .generate.run import generate

DEMO_ACTIONS: tuple[str, ...] = ("walk", "stand", "sit", "lie", "pick_up", "sit_down")
"""Daily actions of the demo."""

NOTE = (
    "This is a demonstration without any real footage. “Synthetic” are {synthetic} clips by the motion generator, filmed in "
    "{rooms} rooms. “Real” are stand-ins for real footage, {real} to train with and {test} to test on: other motions, from the "
    "scripted library and the physics simulation, by other people in other rooms, with other cameras and coarser pictures. "
    "The classifier of pictures starts, in all arms, from the shipped weights, which were trained on other films made here. "
    "This shows that the whole way works. What synthetic clips are worth on real video, only a study on real video can tell."
)
"""Note at the top of the demo's report, to be filled with counts."""

ROOMS = 6
"""Rooms of the synthetic clips."""


def standin_recipe(name: str, *, rooms: range, seed: int, falls: int, daily: int) -> dict[str, Any]:
    """A recipe of simulated stand-ins for real footage: scripted and simulated motions, low picture quality."""
    clips = [{"action": action, "count": falls, "from": "physics"} for action in FALLS]
    clips += [{"action": action, "count": daily, "from": "library"} for action in DEMO_ACTIONS]
    return {
        "name": name,
        "seed": seed,
        "scenes": [{"room": room} for room in rooms],
        "clips": clips,
        "people": {"height_m": [1.5, 1.95], "age": [25.0, 90.0]},
        "film": {"height": 128, "fps": 8.0, "seconds": 5.0, "crf": 32, "camera": "jitter", "views": 2},
    }


def synthetic_recipe(*, seed: int, falls: int, daily: int) -> dict[str, Any]:
    """The recipe a user would write: the generator in rooms of one's own."""
    clips = [{"action": action, "count": falls, "from": "generator"} for action in FALLS]
    clips += [{"action": action, "count": daily, "from": "generator"} for action in DEMO_ACTIONS]
    return {
        "name": "synthetic",
        "seed": seed,
        "scenes": [{"rooms": ROOMS}],
        "clips": clips,
        "film": {"height": 160, "fps": 8.0, "seconds": 5.0},
    }


def study_settings(*, steps: int, seeds: int, note: str) -> dict[str, Any]:
    """The study: three arms, the same number of updates. The films must be better than augmentation, which costs nothing."""
    return {
        "name": "Demonstration: are films of falls worth training with?",
        "note": note,
        "classes": {
            "walk": ["walk"],
            "fall": ["fall"],
            "down": ["fallen", "lying"],
            "sitting": ["sitting"],
            "standing": ["standing"],
            "other": ["other", "sit_down"],
        },
        "rare_class": "fall",
        "window_sec": 2.0,
        "input": ["keypoints", {"kind": "person", "weights": "understudy", "steps": max(1, steps // 2), "batch": 8}],
        "batch": 32,
        "steps": steps,
        "seeds": list(range(seeds)),
        "arms": ["real_augmented", "real_synthetic", "synthetic"],
        "baseline": "real_augmented",
        "real": "standins-train",
        "synthetic": "synthetic",
        "test": "standins-test",
    }


def demo(out: Path, *, seed: int, workers: int, steps: int, seeds: int, scale: float) -> Path:
    """Film stand-ins and synthetic clips, compare classifiers trained with and without them, report.

    Args:
        out: Folder for recipes, shards, contact sheet and report; an interrupted demo is continued.
        seed: Seed of all random numbers.
        workers: Processes.
        steps: Updates of each classifier.
        seeds: Classifiers of each arm.
        scale: Multiplies the number of clips.
    Returns:
        The report's path.
    Raises:
        ValueError: If ``out`` holds something else.
        OSError: If a file cannot be written.
    """
    from recognition.cli import compare_arms

    started = time.perf_counter()

    def count(clips: int) -> int:
        return max(1, round(clips * scale))

    recipes = {
        "standins-train": standin_recipe("train", rooms=range(101, 103), seed=seed + 1, falls=count(1), daily=count(2)),
        "standins-test": standin_recipe("test", rooms=range(201, 205), seed=seed + 2, falls=count(5), daily=count(4)),
        "synthetic": synthetic_recipe(seed=seed, falls=count(12), daily=count(10)),
    }
    out.mkdir(parents=True, exist_ok=True)
    made: dict[str, int] = {}
    for number, (name, recipe) in enumerate(recipes.items(), start=1):
        _say(f"{number}/4 filming {sum(item['count'] for item in recipe['clips'])} clips: {name}")
        path = write_yaml(out / f"{name}.yaml", recipe, "augment generate")
        manifest = generate(load_recipe(path), out / name, workers=workers)
        made[name] = manifest["samples"]
        _say(f"    {made[name]} clips, look at {out / name / 'sheet.png'}")
    _say(f"4/4 training 3 arms x {seeds} seeds, {steps} updates each")
    note = NOTE.format(synthetic=made["synthetic"], rooms=ROOMS, real=made["standins-train"], test=made["standins-test"])
    study = write_yaml(out / "study.yaml", study_settings(steps=steps, seeds=seeds, note=note), "recognition ablate")
    report = compare_arms(study, out / "report", workers=workers)
    _say(f"finished in {(time.perf_counter() - started) / 60:.1f} minutes")
    _say(f"the films: {out / 'synthetic' / 'sheet.png'}; to start your own from: {out / 'synthetic.yaml'}, {study}")
    return report


def write_yaml(path: Path, data: dict[str, Any], command: str) -> Path:
    """Write settings with a line that says which command takes them."""
    path.write_text(f"# {command} {path.name}\n" + yaml.safe_dump(data, sort_keys=False, width=120))
    return path


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
