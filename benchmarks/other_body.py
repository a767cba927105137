"""A test that nothing was tuned on: films with bodies whose proportions no training film had.

    python -m benchmarks.other_body --work DIR [--checkpoint understudy:keypoints]

Makes two SMPL files out of the open body, one with long legs, one heavy with short ones, films the test recipe of
`benchmarks.pretraining` (rooms, motions and people that training had not) with the open body and with each of them, and tests
a classifier on the three sets. Motions are made for each body: scripts and simulator get its own bones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from jaxtyping import Float

from augment.body.model import Body, load_body
from augment.demo import write_yaml
from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from benchmarks.pretraining import Settings as Pretraining
from benchmarks.pretraining import recipe
from recognition.cli import Evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportions:
    """Lengths and girths relative to the open body's."""

    legs: float
    trunk: float
    head: float
    arms: float
    shoulders: float
    """Width between the shoulders."""
    girth: float
    """Depth from front to back."""


BODIES = {
    "long legs": Proportions(legs=1.18, trunk=0.82, head=0.9, arms=1.15, shoulders=0.9, girth=0.9),
    "heavy, short legs": Proportions(legs=0.8, trunk=1.15, head=1.25, arms=0.85, shoulders=1.25, girth=1.4),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Test a classifier of keypoints on films of bodies that its training did not have."""

    work: Path
    """Folder for bodies, films and figures."""
    checkpoint: Path = Path("understudy:keypoints")
    """Checkpoint of `recognition train`, or shipped weights by name."""
    falls: int = 720
    """As in `benchmarks.pretraining`: a 25th of it is filmed for the test."""
    daily: int = 480
    """Likewise."""
    motions: int = 60
    """Likewise: a fifth of it is made for the test, for each body."""
    workers: int = 1
    """Processes that film."""


def stretched(values: Float[np.ndarray, "n"], edges: tuple[float, ...], factors: tuple[float, ...]) -> Float[np.ndarray, "n"]:
    """A continuous map that stretches each interval between the edges, and beyond them, by its factor; 0 stays."""
    knots = np.array([-10.0, *edges, 10.0])
    mapped = np.concatenate([[0.0], np.cumsum(np.diff(knots) * np.array(factors))])
    return np.interp(values, knots, mapped - np.interp(0.0, knots, mapped))


def body_file(body: Body, shape: Proportions, path: Path) -> Path:
    """An SMPL file of the open body in other proportions.

    Args:
        body: The open body.
        shape: The proportions.
        path: The file, `.npz`.
    """
    model = body.model
    joints = (model.J_regressor @ model.v_template).numpy()
    hips, neck, shoulder = float(joints[1, 1]), float(joints[12, 1]), float(joints[16, 0])
    axes = (
        ((-shoulder, shoulder), (shape.arms, shape.shoulders, shape.arms)),
        ((hips, neck), (shape.legs, shape.trunk, shape.head)),
        ((), (shape.girth,)),
    )
    vertices, shapes = model.v_template.numpy().astype(float), model.shapedirs.numpy().astype(float)
    new, new_shapes = vertices.copy(), shapes.copy()
    for axis, (edges, factors) in enumerate(axes):
        new[:, axis] = stretched(vertices[:, axis], edges, factors)
        new_shapes[:, axis] *= np.array(factors)[np.searchsorted(edges, vertices[:, axis])][:, None]
    assert body.corner_betas is not None  # the open body has named phenotypes
    np.savez(
        path, v_template=new, shapedirs=new_shapes, posedirs=np.zeros((len(new), 3, 207), np.float32),
        J_regressor=model.J_regressor.numpy(), weights=model.lbs_weights.numpy(),
        kintree_table=np.array([model.parents.tolist(), range(24)]), f=body.faces, corner_betas=body.corner_betas,
    )  # fmt: skip
    return path


def figures_on(settings: Settings, name: str, body: Path | None) -> dict[str, Any]:
    """Film the test recipe with a body, and test the classifier on it."""
    folder = settings.work / name.replace(" ", "-").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    like = Pretraining(out=settings.work, falls=settings.falls, daily=settings.daily, motions=settings.motions)
    made = recipe(like, pictures=False, test=True)
    if body is not None:
        made["people"]["body"] = str(body.resolve())
    path = write_yaml(folder / "films.yaml", made, "augment generate")
    manifest = generate(load_recipe(path), folder / "films", workers=settings.workers)
    print(f"{name}: {manifest['samples']} of {manifest['planned']} clips, rejected tries: {manifest['rejections']}")
    Evaluate(checkpoint=settings.checkpoint, data=folder / "films", out=folder / "figures.json").run()
    return json.loads((folder / "figures.json").read_text())


def main() -> None:
    """Make, film, test, print a table in Markdown."""
    settings = tyro.cli(Settings, description=__doc__)
    settings.work.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path | None] = {"open body": None}
    for number, (name, shape) in enumerate(BODIES.items()):
        files[name] = body_file(load_body(), shape, settings.work / f"body-{number}.npz")
    found = {name: figures_on(settings, name, file) for name, file in files.items()}
    labels = [label for label, recall in next(iter(found.values()))["recall"].items() if recall is not None]
    columns = ["body", "windows", "macro accuracy", "average precision of falls", *labels]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, figures in found.items():
        values = [figures["macro_accuracy"], figures["rare_average_precision"], *(figures["recall"][label] for label in labels)]
        cells = [name, str(figures["windows"]), *("-" if value is None else f"{value:.3f}" for value in values)]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
