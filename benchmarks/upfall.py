"""The main claim: from real mocap, real rooms and the embedded library to an ablation on UP-Fall's other camera.

    python benchmarks/upfall.py --data DATA --work DIR [--source library] [--input keypoints person]

1. for ``--source generator``: import the Bandai-Namco motions, add the embedded falls and daily actions, train the generator,
2. build rooms from both cameras of UP-Fall and from the care room,
3. film synthetic clips in the new camera's empty room, in the training camera's, and in embedded rooms,
4. compare: real clips of camera 1, trial 1, with and without the synthetic ones, tested on camera 2, trial 2; beside them the
   oracle, trained on real clips of camera 2, trial 1.

The rooms are built from trial-1 recordings alone, so no test recording is used before the test. Every step is kept in
``--work`` and not repeated; a changed setting repeats the steps that depend on it.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import tyro

from augment.actions import FALLS
from augment.demo import write_yaml
from recognition.cli import compare_arms

BYSTANDER = ((492.0, 105.0), (640.0, 105.0), (640.0, 330.0), (575.0, 330.0), (545.0, 290.0), (492.0, 235.0))
"""Where somebody sits throughout in camera 2's pictures, pixels: painted out of the plate."""

MATTRESS = {
    "1": ((62.0, 517.0), (107.0, 433.0), (412.0, 415.0), (455.0, 490.0)),
    "2": ((253.0, 278.0), (380.0, 277.5), (382.5, 424.0), (181.0, 417.5)),
}
"""Corners of the mattress's top in each camera's plate, pixels; 0.25 m high. Two of them are below camera 1's picture."""

CLASSES = {
    "walk": ["walk"],
    "fall": ["fall"],
    "down": ["fallen", "lying"],
    "sitting": ["sitting"],
    "standing": ["standing"],
    "jump": ["jump"],
    "pick_up": ["other"],
}
"""The seven window classes; UP-Fall labels the whole of picking up as ``other``."""

DAILY = ("walk", "stand", "sit", "lie", "jump", "pick_up")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Measure the value of synthetic clips on a camera without real training clips."""

    data: Path
    """Folder with ``upfall``, ``mocap`` and ``care_room``."""
    work: Path
    """Folder for all results."""
    library_per_action: int = 40
    """Motions of each embedded action and fall."""
    generator_steps: int = 3000
    """Training steps of the generator."""
    falls: int = 40
    """Synthetic clips of each of the five falls in each set of rooms."""
    daily: int = 60
    """Synthetic clips of each daily action in each set of rooms."""
    motions: int = 20
    """Simulated falls of each kind that the clips share; twice as many of each daily action."""
    embedded_rooms: int = 12
    """Rooms from a seed, each with four cameras."""
    source: str = "generator"
    """Source of the synthetic motions: ``generator`` (trained here) or ``library`` (scripts and physics)."""
    input: tuple[str, ...] = ("keypoints",)
    """What the classifiers look at: ``recognition.inputs.kinds.INPUTS``."""
    steps: int = 300
    """Updates of each classifier."""
    size: int = 96
    """Side of the classifier's picture, pixels."""
    model: str = ""
    """Network; by default the first input's own."""
    arms: tuple[str, ...] = ()
    """Names of the arms; by default all."""
    weights: str = "none"
    """What training starts from: ``none``, ``understudy``, or a checkpoint."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    workers: int = 2
    """Processes."""
    seed: int = 0
    """Seed of all random numbers."""
    until: Literal["motions", "generator", "rooms", "film", "study"] = "study"
    """Stop after this step."""


def motions(settings: Settings) -> Path:
    """Both stores as one: imported mocap and the embedded library."""
    from augment.commands.motions_import import MotionsImport
    from augment.motion.library.build import build_library

    library, merged = settings.work / "library", settings.work / "motions"
    if not (merged / "index.json").exists():
        build_library(library, per_action=settings.library_per_action, seed=settings.seed, workers=settings.workers)
        MotionsImport(sources=(settings.data / "mocap" / "bandai_bvh.tar.xz", library), out=merged).run()
    return merged


def generator(settings: Settings, store: Path) -> Path:
    """Weights trained on the merged store."""
    from augment.commands.motions_train import MotionsTrain

    out = settings.work / "generator"
    MotionsTrain(store=store, out=out, steps=settings.generator_steps, seed=settings.seed).run()
    return out


def trial_one(settings: Settings, camera: str) -> tuple[list[Path], list[Path]]:
    """Videos and keypoints of a camera's trial-1 recordings."""
    folder = settings.data / "upfall"
    with open(folder / "labels.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["camera"] == camera and row["trial"] == "1"]
    return [folder / row["video"] for row in rows], [folder / row["keypoints"] for row in rows]


def rooms(settings: Settings) -> dict[str, Path]:
    """Empty rooms: both cameras of UP-Fall, and the care room (no keypoints there, so its camera is guessed)."""
    from augment.commands.scenes_furniture import SceneFurniture
    from augment.commands.scenes_real import SceneFromVideo

    out = {name: settings.work / "rooms" / name for name in ("upfall-camera1", "upfall-camera2", "care-room")}
    for camera in ("1", "2"):
        folder = out[f"upfall-camera{camera}"]
        if not (folder / "scene.json").exists():
            videos, keypoints = trial_one(settings, camera)
            polygon = BYSTANDER if camera == "2" else ()
            SceneFromVideo(videos=tuple(videos), keypoints=tuple(keypoints), out=folder, mask_polygon=polygon).run()
            SceneFurniture(scene=folder, corners=MATTRESS[camera], height=0.25).run()
    if not (out["care-room"] / "scene.json").exists():
        videos = tuple(sorted((settings.data / "care_room").glob("*.mp4")))
        SceneFromVideo(videos=videos, out=out["care-room"]).run()
    return out


def film(settings: Settings, weights: Path, scenes: dict[str, Path]) -> dict[str, Path]:
    """Synthetic clips in three sets of rooms, and for whole pictures a few in the care room, to look at."""
    from augment.generate.recipe import load_recipe
    from augment.generate.run import generate

    def clips(falls: int, daily: int) -> list[dict[str, Any]]:
        if settings.source == "generator":
            sources = [{"from": "generator", "path": str(weights.resolve())}] * 2
        else:
            pools = (min(settings.motions, falls), min(2 * settings.motions, daily))
            sources = [{"from": source, "motions": pool} for source, pool in zip(("physics", "library"), pools, strict=True)]
        return [
            {"action": action, "count": count, **source}
            for actions, count, source in zip((FALLS, DAILY), (falls, daily), sources, strict=True)
            for action in actions
        ]

    keypoints_alone = set(settings.input) <= {"keypoints", "heatmaps"}
    filming: dict[str, Any] = {
        "height": 240,
        "fps": 9.0,
        "seconds": 5.0,
        "layers": ["keypoints"] if keypoints_alone else ["rgb", "mask", "keypoints"],
    }
    out, found = settings.work / f"synthetic-{settings.source}{'' if keypoints_alone else '-rgb'}", {}
    for number, (name, rooms, camera) in enumerate(
        (
            ("new-camera", [{"path": str(scenes["upfall-camera2"].resolve())}], {}),
            ("training-camera", [{"path": str(scenes["upfall-camera1"].resolve())}], {}),
            ("embedded", [{"rooms": settings.embedded_rooms}], {"camera": "sweep", "views": 4}),
            ("look-care-room", [{"path": str(scenes["care-room"].resolve())}], {}),
        )
    ):
        looked_at = name.startswith("look")
        if looked_at and keypoints_alone:
            continue
        path = settings.work / f"{out.name}-{name}.yaml"
        recipe = {
            "name": name, "seed": settings.seed + number, "scenes": rooms,
            "clips": clips(1, 1) if looked_at else clips(settings.falls, settings.daily),
            "people": {"height_m": [1.5, 1.95], "age": [20.0, 80.0]}, "film": filming | camera,
        }  # fmt: skip
        write_yaml(path, recipe, "augment generate")
        manifest = generate(load_recipe(path), out / name, workers=settings.workers)
        print(f"{out / name}: {manifest['samples']} of {manifest['planned']} clips, rejected tries: {manifest['rejections']}")
        found[name] = out / name
    return found


def labels(settings: Settings, scenes: dict[str, Path]) -> Path:
    """UP-Fall's table; for pictures alone without its keypoints, with the empty rooms: people are then found by silhouettes."""
    table = (settings.data / "upfall" / "labels.csv").resolve()
    if set(settings.input) & {"keypoints", "heatmaps"}:
        return table
    plates = {camera: plate(settings, scenes, camera) for camera in ("1", "2")}
    with open(table, newline="") as file:
        rows = [
            {**row, "video": str(table.parent / row["video"]), "plate": str(plates[row["camera"]])}
            for row in csv.DictReader(file)
        ]
    plain = settings.work.resolve() / "labels-of-pictures.csv"
    with open(plain, "w", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "keypoints"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return plain


def plate(settings: Settings, scenes: dict[str, Path], camera: str) -> Path:
    """A camera's empty room; transparent, which is where people are not looked for, where the bystander sits."""
    picture = cv2.imread(str(scenes[f"upfall-camera{camera}"] / "plate.png"))
    assert picture is not None
    opaque = np.full(picture.shape[:2], 255, np.uint8)
    if camera == "2":
        cv2.fillPoly(opaque, [np.array(BYSTANDER).astype(np.int32)], 0)
    place = settings.work.resolve() / f"plate-{camera}.png"
    cv2.imwrite(str(place), np.dstack([picture, opaque]))
    return place


def study(settings: Settings, shards: dict[str, Path], scenes: dict[str, Path]) -> Path:
    """New camera: the arms on the same test windows."""
    table = str(labels(settings, scenes))
    everywhere, new, embedded = (
        {"shards": [str(shards[name].resolve()) for name in names]}
        for names in (("new-camera", "training-camera", "embedded"), ("new-camera",), ("embedded",))
    )
    path = settings.work / f"study-{settings.source}-{'-'.join(settings.input)}.yaml"
    pictures = not set(settings.input) <= {"keypoints", "heatmaps"}
    arms: list[Any] = [
        "real", "real_augmented", "real_synthetic", "real_synthetic_mixed", "synthetic",
        {"name": "synthetic_new_camera", "real": False, "synthetic": new, "augment": True},
        {"name": "synthetic_embedded", "real": False, "synthetic": embedded, "augment": True},
        {"name": "oracle", "real": {"csv": table, "where": {"camera": 2, "trial": 1}}, "augment": True, "reference": True},
    ]  # fmt: skip
    settings_of_study = {
        "name": "UP-Fall, new camera",
        "note": "Real clips: camera 1, trial 1. Tested on camera 2, trial 2. Synthetic clips: the rooms of both cameras, built "
        "from trial 1, and embedded rooms.",
        "classes": CLASSES,
        "rare_class": "fall",
        "window_sec": 2.0,
        "input": list(settings.input),
        "steps": settings.steps,
        "seeds": list(settings.seeds),
        **({"size": settings.size} if pictures else {}),
        **({"model": settings.model} if settings.model else {}),
        "weights": settings.weights,
        "arms": [arm for arm in arms if not settings.arms or (arm if isinstance(arm, str) else arm["name"]) in settings.arms],
        "baseline": "real_augmented",
        "synthetic": everywhere,
        "real": {"csv": table, "where": {"camera": 1, "trial": 1}},
        "test": {"csv": table, "where": {"camera": 2, "trial": 2}},
        "group_by": ["action", "trial"],
    }
    return compare_arms(
        write_yaml(path, settings_of_study, "recognition ablate"),
        settings.work / f"report-{settings.source}-{'-'.join(settings.input)}",
        workers=settings.workers,
    )


def main() -> None:
    settings = tyro.cli(Settings, description=__doc__)
    settings.work.mkdir(parents=True, exist_ok=True)
    steps = ("motions", "generator", "rooms", "film", "study")
    wanted = steps[: steps.index(settings.until) + 1]
    weights, scenes, report = Path(), {}, settings.work
    if settings.source == "generator":
        store = motions(settings)
        if "generator" in wanted:
            weights = generator(settings, store)
    if "rooms" in wanted:
        scenes = rooms(settings)
    if "film" in wanted:
        shards = film(settings, weights, scenes)
        if "study" in wanted:
            report = study(settings, shards, scenes)
    (settings.work / f"settings-{settings.source}.json").write_text(json.dumps(asdict(settings), default=str, indent=1))
    print(f"until {settings.until}: {report}")


if __name__ == "__main__":
    main()
