"""Make the shipped weights again (``weights: understudy``): films of many rooms, cameras and people, and a classifier on them.

    python -m benchmarks.pretraining --out DIR [--weights keypoints person] [--install]

1. film clips of all falls and daily actions in embedded rooms, and test clips in rooms and with motions of their own,
2. train each network to tell 13 frame labels apart,
3. test it on the test clips, and write ``<weights>.safetensors`` (half precision) and its card, ``<weights>.md``.

Every step is kept in ``--out`` and not repeated. Everything is made here: the weights are free of third-party data.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from safetensors.torch import save

from augment.actions import FALLS
from augment.demo import write_yaml
from augment.files import write_atomic
from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from recognition.cli import Evaluate, Train
from recognition.networks.weights import FOLDER, read_checkpoint

DAILY = (
    "walk", "stand", "sit_down", "sit", "stand_up", "lie_down", "lie", "get_up", "pick_up", "wave", "reach", "jump", "kneel",
    "crawl",
)  # fmt: skip
LABELS = (
    "walk", "fall", "fallen", "sit_down", "sitting", "lie_down", "lying", "stand_up", "standing", "other", "kneeling", "crawl",
    "jump",
)  # fmt: skip
"""The frame labels of these actions, each a class."""

ROOMS, VIEWS = {False: 120, True: 100}, {False: 4, True: 2}
"""Rooms to train in, and cameras in each: of keypoints alone, and of films with pictures."""

TRAINING: dict[str, dict[str, Any]] = {
    "keypoints": {"input": "keypoints", "model": "keypoint_cnn", "steps": 6000},
    "person": {"input": "person", "model": "frame_cnn", "steps": 3000, "size": 96, "batch": 16},
    "person-x3d_xs": {"input": "person", "model": "x3d_xs", "steps": 2400, "size": 96, "batch": 16},
    "rgb": {"input": "rgb", "model": "frame_cnn", "steps": 2000, "size": 96, "batch": 16},
    "rgb-x3d_xs": {"input": "rgb", "model": "x3d_xs", "steps": 2400, "size": 96, "batch": 16},
}
"""Name of the weights to the settings of their study, beside its defaults."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Train the weights that ``weights: understudy`` starts from."""

    out: Path
    """Folder for films, studies and results."""
    weights: tuple[Literal["keypoints", "person", "person-x3d_xs", "rgb", "rgb-x3d_xs"], ...] = ("keypoints", "person", "rgb")
    """Which to train: an input, and the network if it is not the small one."""
    falls: int = 720
    """Films of each of the five falls."""
    daily: int = 480
    """Films of each daily action."""
    motions: int = 60
    """Different motions of each."""
    workers: int = 2
    """Processes that film."""
    threads: int = 2
    """Threads of a training."""
    install: bool = False
    """Put the results into ``recognition/weights``."""


def recipe(settings: Settings, *, pictures: bool, test: bool) -> dict[str, Any]:
    """Films for training or testing, of keypoints alone or with pictures. Test films have rooms and motions of their own."""
    share, shared = (25, 5) if test else (1, 1)
    clips = [
        {"action": action, "count": max(1, count // share), "from": source, "motions": max(1, settings.motions // shared)}
        for actions, count, source in ((FALLS, settings.falls, "physics"), (DAILY, settings.daily, "library"))
        for action in actions
    ]
    rooms = [{"room": 5000 + number} for number in range(8)] if test else [{"rooms": ROOMS[pictures]}]
    film = {"height": 208, "fps": 10.0, "seconds": 4.0, "layers": ["rgb", "keypoints"] if pictures else ["keypoints"]}
    return {
        "name": f"pretraining-{'test' if test else 'train'}", "seed": 9001 if test else 9000, "scenes": rooms, "clips": clips,
        "people": {"height_m": [1.45, 2.0], "age": [18.0, 90.0]}, "film": film | {"camera": "sweep", "views": VIEWS[pictures]},
    }  # fmt: skip


def films(settings: Settings, *, pictures: bool) -> tuple[Path, Path]:
    """The folders of training and test films."""
    folder = settings.out / ("pictures" if pictures else "points")
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        path = write_yaml(folder / f"{part}.yaml", recipe(settings, pictures=pictures, test=part == "test"), "augment generate")
        generate(load_recipe(path), folder / part, workers=settings.workers)
    return folder / "train", folder / "test"


def pretrain(settings: Settings, name: str) -> Path:
    """Train and test one network; the file of weights, with its card beside it."""
    train, test = films(settings, pictures=has_pictures(name))
    study = write_yaml(
        settings.out / f"{name}.yaml",
        {
            "name": "pretraining", "classes": {label: [label] for label in LABELS}, "rare_class": "fall",
            "synthetic": str(train.resolve()), "test": str(test.resolve()), "held_out": 0,
            "arms": [{"name": "synthetic", "real": False, "synthetic": True, "augment": True}], "seeds": [0],
            **TRAINING[name],
        },
        "recognition train",
    )  # fmt: skip
    whole, made, hours = (settings.out / f"{name}{end}" for end in ("-float32.safetensors", ".safetensors", "-hours.json"))
    if not whole.exists():
        started = time.perf_counter()
        torch.set_num_threads(settings.threads)
        Train(study=study, out=whole).run()
        write_atomic(hours, json.dumps(round((time.perf_counter() - started) / 3600, 2)).encode())
    tensors, about = read_checkpoint(whole)
    half = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    write_atomic(made, save(half, metadata={"understudy": json.dumps(about)}))
    figures = settings.out / f"{name}-test.json"
    Evaluate(checkpoint=made, data=test, out=figures).run()
    write_atomic(
        made.with_suffix(".md"),
        card(
            settings, name, film=json.loads((train / "manifest.json").read_text()), figures=json.loads(figures.read_text()),
            hours=json.loads(hours.read_text()), sha256=hashlib.sha256(made.read_bytes()).hexdigest(),
        ).encode(),
    )  # fmt: skip
    return made


def has_pictures(name: str) -> bool:
    """Whether a network looks at pictures, not at keypoints alone."""
    return TRAINING[name]["input"] != "keypoints"


def card(settings: Settings, name: str, *, film: dict[str, Any], figures: dict[str, Any], hours: float, sha256: str) -> str:
    """What a user of the weights must know, as Markdown."""
    pictures, made = has_pictures(name), TRAINING[name]
    recalls = "".join(f"| {label} | {recall:.2f} |\n" for label, recall in figures["recall"].items() if recall is not None)
    return f"""# {name}: weights to start from

For `input: {made["input"]}`, `model: {made["model"]}`, `weights: understudy`.
Half precision, SHA-256 `{sha256[:16]}`. Code and weights: Apache-2.0.

## Data
{film["samples"]} films made by this package alone: {settings.falls} of each of five simulated falls and {settings.daily} of
each of {len(DAILY)} scripted daily actions, with {settings.motions} motions of each, in {ROOMS[pictures]} rooms with
{VIEWS[pictures]} cameras each, of people of 1.45 to 2 m and 18 to 90 years. No real video, no third-party data.

## Training
{made["steps"]} updates, {hours:.2f} hours on a machine with two cores, to tell {len(LABELS)} frame labels apart.
Made by `python -m benchmarks.pretraining --out DIR --weights {name}`.

## Figures
On films of eight other rooms, with other motions and people ({figures["windows"]} windows): macro accuracy
{figures["macro_accuracy"]:.3f}, average precision of falls {figures["rare_average_precision"]:.3f}.

| label | recall |
|---|---|
{recalls}
## Limits
It has seen one person at a time, embedded rooms, and motions of scripts and a simulator. It is meant to be trained further on
clips of the place where it will be used, not to be used as it is.
"""


def main() -> None:
    settings = tyro.cli(Settings, description=__doc__)
    settings.out.mkdir(parents=True, exist_ok=True)
    for name in settings.weights:
        made = pretrain(settings, name)
        if settings.install:
            for path in (made, made.with_suffix(".md")):
                write_atomic(FOLDER / path.name, path.read_bytes())
        print(f"weights: {FOLDER / made.name if settings.install else made}")


if __name__ == "__main__":
    main()
