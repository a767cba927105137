"""``augment generate``: make the clips of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class Generate:
    """Make every clip of a recipe and store them in shards. Safe to interrupt: the same command continues.

    RECIPE.yaml, paths relative to it:

    - scenes: [{rooms: 4}, {path: rooms/cam2}] -- embedded rooms, and rooms of your own

    - clips: [{action: walk, count: 9, from: library}] -- or from: physics (falls), from: generator, from: store

    - clips: [{action: fall_backward, count: 90, motions: 10}] -- ten falls, each filmed nine times, on other bodies

    - an event of your own: clips: [{action: wander, from: takes/wander.bvh}] -- or .npz (AMASS), with
      actions: {wander: {label: wandering, captions: "{who} wanders about."}} -- its frame label, and words if you like

    - on a cluster: a job array of n jobs, each with a part of its own, then `augment merge`:

      augment generate RECIPE.yaml --part $SLURM_ARRAY_TASK_ID/20 --out parts/$SLURM_ARRAY_TASK_ID   (sbatch --array=1-20)

      augment merge parts/* --out shards

    - further keys: name, seed, people, film, shards, attempts; a wrong one is answered with those that are right
    """

    recipe: Annotated[Path, tyro.conf.Positional]
    """A YAML recipe."""
    out: str
    """Folder for shards, rooms, sheet.png, coverage.png and manifest.json; or its URL: s3://bucket/run (pip install
    'understudy[cloud]'; AWS_... in the environment), or any other that fsspec opens. Shards are sent when they are finished."""
    seed: int | None = None
    """Overrides the recipe's seed."""
    workers: int = 0
    """Processes; 0 takes one for each core. The clips do not depend on it."""
    engine: Literal["local", "ray"] = "local"
    """Where clips are made: by processes of this machine, or by a Ray cluster (pip install 'understudy[cluster]' on each node),
    the one of RAY_ADDRESS, with --workers 0 for all its processors, else one of this machine's. Clips do not depend on it."""
    part: str | None = None
    """Make one part of the run, i/n: the i-th of n, which are as large as whole shards allow. Motions that clips share
    (``motions:``) are made by every part that needs them."""
    dry_run: bool = False
    """Check the recipe and what it names, show the plan and stop."""

    def run(self) -> None:
        import os
        import sys

        from ..generate.casting import check_sources
        from ..generate.events import doubtful_labels
        from ..generate.parts import parse_part
        from ..generate.recipe import load_recipe, make_plan
        from ..generate.run import generate, plan_table
        from ..remote import place_of

        if self.workers < 0:
            raise ValueError(f"--workers {self.workers}: expected 0 (one for each core) or more")
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"--seed {self.seed}: expected 0 or more")
        part = parse_part(self.part) if self.part is not None else None
        out = place_of(self.out)
        recipe = load_recipe(self.recipe)
        for line in doubtful_labels(recipe.actions):
            print(f"note: {line}", file=sys.stderr)
        if self.dry_run:
            check_sources(make_plan(recipe, recipe.seed), recipe.people.body)
            _show(plan_table(recipe, self.seed))
            return
        joined = self.engine == "ray" and os.environ.get("RAY_ADDRESS")
        workers = self.workers or (0 if joined else len(os.sched_getaffinity(0)))
        manifest = generate(recipe, out, seed=self.seed, workers=workers, part=part, engine=self.engine)
        tries = sum(manifest["rejections"].values())
        given_up = ""
        if manifest["given_up"]:
            reason = max(manifest["rejections"], key=manifest["rejections"].__getitem__)
            given_up = f", {len(manifest['given_up'])} given up (most often {reason}; see {out / 'manifest.json'})"
        which = "" if part is None else f"part {part}: "
        print(
            f"{out}: {which}{manifest['samples']} of {manifest['planned']} clips in {len(manifest['shards'])} shards, "
            f"{tries} tries rejected{given_up}; look at {out / 'sheet.png'} and coverage.png"
        )


def _show(rows: list[dict]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("action", "from", "clips", "scenes")
    for row in rows:
        scenes = ", ".join(f"{name} x{count}" for name, count in sorted(row["scenes"].items()))
        table.add_row(row["action"], row["from"], str(row["clips"]), scenes)
    Console().print(table)
    print(f"{sum(row['clips'] for row in rows)} clips planned, nothing made")
