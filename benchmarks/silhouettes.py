"""Make the silhouette network's weights again: films of many rooms, cameras and people, and what misleads beside them.

    python -m benchmarks.silhouettes --out DIR [--steps 2000] [--data DATA] [--install]

1. film clips with masks of falls and daily actions in embedded rooms, and test clips in rooms and with motions of their own,
2. train the network (``recognition/networks/silhouette.py``) on pictures drawn from them (``benchmarks/silhouette_pairs.py``),
3. test it on the test clips and, where ``--data`` holds UP-Fall, against a detector's keypoints there (trial 1 alone),
4. write ``silhouette.safetensors`` (half precision) and its card, ``silhouette.md``.

Every step is kept in ``--out`` and not repeated. The weights are free of third-party data.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro
from jaxtyping import Float
from rich.progress import track
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional

from augment.demo import write_yaml
from augment.files import write_atomic
from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from recognition.csv_table import read_csv
from recognition.inputs.places import person_boxes
from recognition.networks.silhouette import SilhouetteNetwork, as_seen, silhouettes
from recognition.networks.weights import FOLDER

from . import pretraining
from .silhouette_pairs import View, draw, read_views

BATCH, LEARNING_RATE = 12, 2e-3


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Train the network that finds people in pictures of a fixed camera."""

    out: Path
    """Folder for films and results."""
    data: Path | None = None
    """Folder with ``upfall``, to test on; each camera's empty room as ``CAMERA.png`` in ``--plates``."""
    plates: Path | None = None
    """Folder of pictures of UP-Fall's empty room: ``1.png``, ``2.png``."""
    steps: int = 2000
    """Updates."""
    workers: int = 2
    """Processes that film."""
    threads: int = 2
    """Threads of the training."""
    install: bool = False
    """Put the result into ``recognition/weights``."""


def films(settings: Settings) -> tuple[Path, Path]:
    """The folders of training and test films."""
    wanted = pretraining.Settings(out=settings.out, falls=160, daily=100, motions=20)
    for part in ("train", "test"):
        recipe = pretraining.recipe(wanted, pictures=True, test=part == "test")
        recipe["film"] |= {"height": 160, "fps": 4.0, "layers": ["rgb", "mask"]}
        path = write_yaml(settings.out / f"{part}.yaml", recipe | {"name": f"silhouettes-{part}"}, "augment generate")
        generate(load_recipe(path), settings.out / part, workers=settings.workers)
    return settings.out / "train", settings.out / "test"


def train(views: list[View], *, steps: int) -> SilhouetteNetwork:
    """Train on drawn pictures, with cross-entropy and Dice's coefficient."""
    rng = np.random.default_rng(1)
    torch.manual_seed(0)
    network = SilhouetteNetwork().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for _ in track(range(steps), "training"):
        pictures, plates, usual, masks = (
            np.stack(each) for each in zip(*(draw(views, rng=rng) for _ in range(BATCH)), strict=True)
        )
        wanted = functional.avg_pool2d(torch.as_tensor(masks).float()[:, None] / 255, 2)[:, 0]
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(as_seen(pictures, plates, usual).contiguous(memory_format=torch.channels_last))
        loss = _loss(logits.float(), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _loss(logits: Float[Tensor, "b h w"], wanted: Float[Tensor, "b h w"]) -> Tensor:
    found = logits.sigmoid()
    both, either = (found * wanted).sum((1, 2)), found.sum((1, 2)) + wanted.sum((1, 2))
    dice = 1 - (2 * both + 20) / (either + 20)  # 20 pixels: a picture with nobody in it has a gradient too
    return functional.binary_cross_entropy_with_logits(logits, wanted) + 0.5 * dice.mean()


def overlap_on_films(network: SilhouetteNetwork, views: list[View]) -> dict[str, float]:
    """Intersection over union of silhouettes and masks: of plain films, and of drawn pictures with all that misleads."""
    plain, drawn = [], []
    rng = np.random.default_rng(2)
    for view in views:
        plates = np.broadcast_to(view.plate, view.pictures.shape)
        found = silhouettes(view.pictures, plates=plates, usual=plates, network=network)
        plain += [_overlap(one, mask) for one, mask in zip(found, view.masks, strict=True)]
    for _ in range(400):
        picture, plate, usual, mask = draw(views, rng=rng)
        found = silhouettes(picture[None], plates=plate[None], usual=usual[None], network=network)[0]
        drawn.append(_overlap(found, mask))
    return {"films": float(np.nanmean(plain)), "with all that misleads": float(np.nanmean(drawn))}


def _overlap(found: np.ndarray, mask: np.ndarray) -> float:
    """NaN where nobody is and nobody is found."""
    there = cv2.resize(mask, found.shape[::-1], interpolation=cv2.INTER_AREA) > 127
    union = ((found > 0.5) | there).sum()
    return float(((found > 0.5) & there).sum() / union) if union else float("nan")


def against_keypoints(data: Path, plates: Path) -> dict[str, float]:
    """Share of UP-Fall's frames, trial 1, whose box lies where a detector's points are, by camera and kind of activity.

    Middles within 0.3 of the person's length, lengths within a factor of 1.7. Uses the installed weights.
    """
    found: dict[str, list[float]] = {}
    for camera in ("1", "2"):
        for recording in read_csv(data / "upfall" / "labels.csv", where={"camera": [camera], "trial": ["1"]}):
            theirs = person_boxes(recording)
            ours = person_boxes(replace(recording, keypoints=None, plate=plates / f"{camera}.png"))
            both = np.isfinite(ours).all(axis=1) & np.isfinite(theirs).all(axis=1)
            ours, theirs = ours[both], theirs[both]
            length = (theirs[:, 2:] - theirs[:, :2]).max(axis=1)
            apart = np.linalg.norm((ours[:, :2] + ours[:, 2:] - theirs[:, :2] - theirs[:, 2:]) / 2, axis=1) / length
            longer = np.abs(np.log((ours[:, 2:] - ours[:, :2]).max(axis=1) / length))
            kind = "falls" if recording.row["action"].startswith("fall") else "daily activities"
            found.setdefault(f"camera {camera}, {kind}", []).append(float(((apart < 0.3) & (longer < np.log(1.7))).mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def card(*, steps: int, clips: int, hours: float, figures: dict[str, float], sha256: str) -> str:
    """What a user of the weights must know, as Markdown."""
    rows = "".join(f"| {name} | {value:.2f} |\n" for name, value in figures.items())
    return f"""# silhouette: people in pictures of a fixed camera

For inputs `person` and `motion` of videos without keypoints. Half precision, SHA-256 `{sha256[:16]}`. Code and weights:
Apache-2.0.

## Data
{clips} films made by this package alone, with masks: five simulated falls and 14 scripted daily actions in 100 rooms with two
cameras each, with furniture moved, other people and changed light drawn into them. No real video, no third-party data.

## Training
{steps} updates of {BATCH} pictures, {hours:.2f} hours on a machine with two cores.
Made by `python -m benchmarks.silhouettes --out DIR --steps {steps}`.

## Figures
Mean intersection over union with the masks of films in eight other rooms, with other motions and people.

| on | overlap |
|---|---|
{rows}
## Limits
It is made to follow one person in a room with a fixed camera. White clothes on a white bed, people who are mostly outside of
the picture, and passers-by behind glass mislead it; make the latter's place transparent in the plate.
"""


def main() -> None:
    settings = tyro.cli(Settings, description=__doc__)
    settings.out.mkdir(parents=True, exist_ok=True)
    train_films, test_films = films(settings)
    torch.set_num_threads(settings.threads)
    made, hours = settings.out / "silhouette.safetensors", settings.out / "hours.json"
    if not made.exists():
        started = time.perf_counter()
        network = train(read_views(train_films, per_clip=3, rng=np.random.default_rng(0)), steps=settings.steps)
        halves = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
        write_atomic(made, save({name: value.contiguous() for name, value in halves.items()}))
        write_atomic(hours, json.dumps((time.perf_counter() - started) / 3600).encode())
    network = SilhouetteNetwork()
    network.load_state_dict({name: value.float() for name, value in load_file(made).items()})
    figures = overlap_on_films(network.eval(), read_views(test_films, per_clip=3, rng=np.random.default_rng(0)))
    text = card(
        steps=settings.steps, clips=json.loads((train_films / "manifest.json").read_text())["samples"],
        hours=json.loads(hours.read_text()), figures=figures, sha256=hashlib.sha256(made.read_bytes()).hexdigest(),
    )  # fmt: skip
    write_atomic(made.with_suffix(".md"), text.encode())
    if settings.install:
        for path in (made, made.with_suffix(".md")):
            write_atomic(FOLDER / path.name, path.read_bytes())
    if settings.data and settings.plates:
        figures |= against_keypoints(settings.data, settings.plates)
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    print(f"weights: {FOLDER / made.name if settings.install else made}")


if __name__ == "__main__":
    main()
