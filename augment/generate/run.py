"""Film a recipe: plan, clips, shards. The bytes depend neither on the number of workers nor on interruptions nor on parts."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..engines import ENGINES
from ..files import code_digest, sha256_of_json, write_atomic
from ..progress import Progress
from ..remote import Remote
from ..shards.sample import Sample
from ..shards.tar import FORMAT, SHARD_NAME, ShardRecord, write_shard
from .casting import check_sources
from .contact import chosen, pictured
from .coverage import Take, covered, read_takes
from .finish import Outcome, write_end
from .journal import FinishedShard
from .motion_pool import make_pool, with_motions
from .output import Output, output_to
from .parts import ROWS, Part, describe_part, row_name
from .recipe import PlannedClip, Recipe, make_plan, recipe_digest
from .rooms import SCENES, check_rooms, prepare_scenes
from .studio import FilmingJob, MadeClip, init_worker, make_clip

BATCH = 8
"""Clips of keypoints alone that a worker makes and sends at once: each takes milliseconds."""


def generate(
    recipe: Recipe,
    out: Path | Remote,
    *,
    seed: int | None = None,
    workers: int = 1,
    part: Part | None = None,
    engine: str = "local",
) -> dict[str, Any]:
    """Make every clip of a recipe, or of one part of it.

    Args:
        recipe: See ``recipe.load_recipe``.
        out: Folder for shards, scenes, shared motions, contact sheet and manifest. A folder with part of this run is completed.
            Behind a URL it gets all but the scenes; each shard is sent when it is finished.
        seed: The run's seed; the recipe's own if None.
        workers: Processes; 0, with ``engine="ray"``: all processors of the cluster.
        part: Only these shards; ``merge.merge`` joins the parts. None: all.
        engine: A key of ``engines.ENGINES``.
    Returns:
        The manifest.
    Raises:
        ValueError: If a scene, store or generator is missing or does not fit; if ``out`` holds something else; if no clip could
            be made at all.
        OSError: If the disk is full, a store refuses a file or a worker dies; finished shards stay, and the same call continues
            from them.
        KeyboardInterrupt: Likewise.
    """
    seed = recipe.seed if seed is None else seed
    plan = make_plan(recipe, seed)
    shards = _shards(plan, recipe.shards.samples_per_shard, part)
    sources = check_sources(plan, recipe.people.body)
    output = output_to(out)
    output.require_own((SCENES,))
    scenes = prepare_scenes(recipe, output.folder, workers=workers or 1)
    rooms = check_rooms(recipe, scenes)
    digest = recipe_digest(recipe)
    job = FilmingJob(recipe=recipe, seed=seed, recipe_sha256=digest, scenes=scenes, pictured=pictured(plan))
    facts = {
        "recipe_sha256": digest, "seed": seed, "scenes": {name: sha for name, (_, sha) in scenes.items()},
        "sources": sources, "version": version("understudy"), "code_sha256": code_digest(*_code()), "format": FORMAT,
    }  # fmt: skip
    plan_sha256 = sha256_of_json(facts)
    finished = output.open(plan_sha256, str(part) if part else None)
    if finished.keys() == shards.keys() and (manifest := output.manifest()) is not None:
        output.close()
        return manifest
    output.reopen()
    try:
        wanted = [clip for some in shards.values() for clip in some]
        pool = make_pool(recipe, seed, plan, output.folder, clips=wanted, workers=workers, engine=engine)
        if pool is not None:
            job = replace(job, pool=pool.folder)
            shards = {name: with_motions(clips, pool) for name, clips in shards.items()}
        rows, takes = _make_shards(job, output, shards, finished, workers=workers, engine=engine, keep_rows=part is not None)
    except (KeyboardInterrupt, OSError):
        done = sum(name in finished for name in shards)
        print(
            f"stopped: {done} of {len(shards)} shards in {out} are finished and stay; run the same command again to go on",
            file=sys.stderr,
        )
        raise
    lost = {key for shard in finished.values() for key in shard.given_up}
    made = {clip.key: clip for clips in shards.values() for clip in clips if clip.key not in lost}
    keys = chosen(job.pictured, made) if part is None else [key for key in job.pictured if key in made]
    rows |= _rows_again(job, [made[key] for key in keys if key not in rows], engine, workers=workers)
    for key in keys if part is not None else ():
        write_atomic(output.folder / row_name(key), rows[key])
    described = describe_part(part, pool, {key: job.pictured[key] for key in keys}, rooms) if part else None
    outcome = Outcome(
        name=recipe.name, plan_sha256=plan_sha256, facts=facts, planned=sum(map(len, shards.values())), pool=pool, rooms=rooms,
        shards=[finished[name] for name in sorted(shards)], part=described,
    )  # fmt: skip
    return write_end(output, outcome, [rows[key] for key in chosen(job.pictured, made)], takes)


def _shards(plan: list[PlannedClip], size: int, part: Part | None) -> dict[str, list[PlannedClip]]:
    """Clips of each shard by its name; those of one part if one is given."""
    shards = {SHARD_NAME.format(start // size): plan[start : start + size] for start in range(0, len(plan), size)}
    return shards if part is None else {name: shards[name] for name in part.shards(list(shards))}


def _code() -> list[Path]:
    """Source code that decides the bytes of a clip: a run is not continued with other code."""
    package = Path(__file__).parents[1]
    return [path for path in package.iterdir() if path.name not in ("commands", "cli.py", "demo.py", "__pycache__")]


def _make_shards(
    job: FilmingJob,
    output: Output,
    shards: dict[str, list[PlannedClip]],
    finished: dict[str, FinishedShard],
    *,
    workers: int,
    engine: str,
    keep_rows: bool,
) -> tuple[dict[str, bytes], dict[str, list[Take]]]:
    """Add every missing shard to ``finished``, writing each as soon as its clips are made; sheet's rows, and takes of shards.

    With ``keep_rows`` they are files as well, and those of an earlier, interrupted run are read.
    """
    out, takes = output.folder, {}
    if keep_rows:
        (out / ROWS).mkdir(exist_ok=True)
    rows = {key: path.read_bytes() for key in job.pictured if keep_rows and (path := out / row_name(key)).exists()}
    tasks = [clip for name, clips in shards.items() if name not in finished for clip in clips]
    shown = set(covered(list(shards), sum(map(len, shards.values()))))
    home = {clip.key: name for name, clips in shards.items() for clip in clips}
    pending: dict[str, dict[str, MadeClip]] = {name: {} for name in shards}
    done, rejected = len(home) - len(tasks), 0
    batch = BATCH if set(job.recipe.film.layers) == {"keypoints"} else 1
    if engine != "local":
        batch = job.recipe.shards.samples_per_shard
    results = _film(job, tasks, engine, workers=workers, batch=batch)
    with Progress() as progress, closing(results):
        progress.update("clips", done, len(home))
        for made in results:
            name = home[made.key]
            pending[name][made.key] = replace(made, row=None)
            if made.row is not None:
                rows[made.key] = made.row
                if keep_rows:
                    write_atomic(out / row_name(made.key), made.row)
            done, rejected = done + 1, rejected + made.rejections.total()
            progress.update("clips", done, len(home), note=f"{rejected} tries rejected")
            if len(pending[name]) == len(shards[name]):
                shard = _write_finished(out, name, shards[name], pending.pop(name))
                if name in shown and shard.record.samples:
                    takes[name] = list(read_takes([out / name]))
                output.add(shard)
                finished[name] = shard
    return rows, takes


def _film(
    job: FilmingJob, clips: list[PlannedClip], engine: str, *, workers: int, batch: int = 1
) -> Generator[MadeClip, None, None]:
    """Make clips, in any order."""
    recipe = job.recipe
    given = [recipe.people.body, job.pool, *dict.fromkeys(clip.path for clip in clips)]
    files = [folder for folder, _ in job.scenes.values()] + [path for path in given if path is not None]
    return ENGINES[engine](
        make_clip, clips, workers=workers, initializer=init_worker, initargs=(job,), batch=batch, files=files
    )


def _rows_again(job: FilmingJob, clips: list[PlannedClip], engine: str, *, workers: int) -> dict[str, bytes]:
    """Rows of the contact sheet of clips that an earlier, interrupted run made: they are filmed again."""
    if not clips:
        return {}
    with closing(_film(job, clips, engine, workers=workers)) as again:
        return {clip.key: clip.row for clip in again if clip.row is not None}


def _write_finished(out: Path, name: str, clips: list[PlannedClip], made: dict[str, MadeClip]) -> FinishedShard:
    """Write one shard, its clips in the order of the plan."""
    kept: list[tuple[PlannedClip, Sample]] = [(clip, sample) for clip in clips if (sample := made[clip.key].sample) is not None]
    if kept:
        record = write_shard(out / name, (sample for _, sample in kept))
    else:
        record = ShardRecord(name=name, samples=0, bytes=0, sha256="", md5="")
    return FinishedShard(
        record=record,
        rejections=sum((made[clip.key].rejections for clip in clips), Counter()),
        given_up=tuple(clip.key for clip in clips if made[clip.key].sample is None),
        actions=Counter(clip.action for clip, _ in kept),
    )


def plan_table(recipe: Recipe, seed: int | None = None) -> list[dict[str, Any]]:
    """Summarize the plan: one row for each action and source, with the number of clips and their scenes."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for clip in make_plan(recipe, recipe.seed if seed is None else seed):
        source = clip.path.name if clip.source == "file" and clip.path else clip.source
        row = rows.setdefault((clip.action, source), {"action": clip.action, "from": source, "clips": 0, "scenes": Counter()})
        row["clips"] += 1
        row["scenes"][clip.scene] += 1
    return sorted(rows.values(), key=lambda row: (row["action"], row["from"]))
