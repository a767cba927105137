"""Film a recipe: plan, clips, shards. The bytes depend neither on the number of workers nor on interruptions nor on parts."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..files import code_digest, sha256_of_json, write_atomic
from ..progress import Progress
from ..shards.sample import Sample
from ..shards.tar import FORMAT, MANIFEST, SHARD_NAME, ShardRecord, read_manifest, write_shard
from ..workers import map_unordered
from .casting import check_sources
from .contact import chosen, pictured
from .finish import Outcome, write_end
from .journal import FinishedShard, append, close_journal, open_journal, require_own_folder
from .motion_pool import make_pool, with_motions
from .parts import ROWS, Part, describe_part, row_path
from .recipe import PlannedClip, Recipe, make_plan, recipe_digest
from .rooms import SCENES, check_rooms, prepare_scenes
from .studio import FilmingJob, MadeClip, init_worker, make_clip

BATCH = 8
"""Clips of keypoints alone that a worker makes and sends at once: each takes milliseconds."""


def generate(
    recipe: Recipe, out: Path, *, seed: int | None = None, workers: int = 1, part: Part | None = None
) -> dict[str, Any]:
    """Make every clip of a recipe, or of one part of it.

    Args:
        recipe: See ``recipe.load_recipe``.
        out: Folder for shards, scenes, shared motions, contact sheet and manifest. A folder with part of this run is completed.
        seed: The run's seed; the recipe's own if None.
        workers: Processes.
        part: Only these shards; ``merge.merge`` joins the parts. None: all.
    Returns:
        The manifest.
    Raises:
        ValueError: If a scene, store or generator is missing or does not fit; if ``out`` holds something else; if no clip could
            be made at all.
        OSError: If the disk is full or a worker dies; finished shards stay, and the same call continues from them.
        KeyboardInterrupt: Likewise.
    """
    seed = recipe.seed if seed is None else seed
    plan = make_plan(recipe, seed)
    shards = _shards(plan, recipe.shards.samples_per_shard, part)
    sources = check_sources(plan, recipe.people.body)
    require_own_folder(out, (SCENES,))
    scenes = prepare_scenes(recipe, out, workers=workers)
    rooms = check_rooms(recipe, scenes)
    digest = recipe_digest(recipe)
    job = FilmingJob(recipe=recipe, seed=seed, recipe_sha256=digest, scenes=scenes, pictured=pictured(plan))
    facts = {
        "recipe_sha256": digest, "seed": seed, "scenes": {name: sha for name, (_, sha) in scenes.items()},
        "sources": sources, "version": version("understudy"), "code_sha256": code_digest(*_code()), "format": FORMAT,
    }  # fmt: skip
    plan_sha256 = sha256_of_json(facts)
    finished = open_journal(out, plan_sha256, part=str(part) if part else None)
    if finished.keys() == shards.keys() and (out / MANIFEST).exists():
        close_journal(out)
        return read_manifest(out)
    (out / MANIFEST).unlink(missing_ok=True)
    try:
        pool = make_pool(recipe, seed, plan, out, clips=[clip for some in shards.values() for clip in some], workers=workers)
        if pool is not None:
            job = replace(job, pool=pool.folder)
            shards = {name: with_motions(clips, pool) for name, clips in shards.items()}
        rows = _make_shards(job, out, shards, finished, workers=workers, keep_rows=part is not None)
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
    rows |= _rows_again(job, [made[key] for key in keys if key not in rows], workers=workers)
    for key in keys if part is not None else ():
        write_atomic(row_path(out, key), rows[key])
    described = describe_part(part, pool, {key: job.pictured[key] for key in keys}, rooms) if part else None
    outcome = Outcome(
        name=recipe.name, plan_sha256=plan_sha256, facts=facts, planned=sum(map(len, shards.values())), pool=pool, rooms=rooms,
        shards=[finished[name] for name in sorted(shards)], part=described,
    )  # fmt: skip
    return write_end(out, outcome, [rows[key] for key in chosen(job.pictured, made)])


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
    out: Path,
    shards: dict[str, list[PlannedClip]],
    finished: dict[str, FinishedShard],
    *,
    workers: int,
    keep_rows: bool,
) -> dict[str, bytes]:
    """Add every missing shard to ``finished``, writing each as soon as its clips are made; rows of the contact sheet.

    With ``keep_rows`` they are files as well, and those of an earlier, interrupted run are read.
    """
    if keep_rows:
        (out / ROWS).mkdir(exist_ok=True)
    rows = {key: path.read_bytes() for key in job.pictured if keep_rows and (path := row_path(out, key)).exists()}
    tasks = [clip for name, clips in shards.items() if name not in finished for clip in clips]
    home = {clip.key: name for name, clips in shards.items() for clip in clips}
    pending: dict[str, dict[str, MadeClip]] = {name: {} for name in shards}
    done, rejected = len(home) - len(tasks), 0
    batch = BATCH if set(job.recipe.film.layers) == {"keypoints"} else 1
    results = map_unordered(make_clip, tasks, workers=workers, initializer=init_worker, initargs=(job,), batch=batch)
    with Progress() as progress, closing(results):
        progress.update("clips", done, len(home))
        for made in results:
            name = home[made.key]
            pending[name][made.key] = replace(made, row=None)
            if made.row is not None:
                rows[made.key] = made.row
                if keep_rows:
                    write_atomic(row_path(out, made.key), made.row)
            done, rejected = done + 1, rejected + made.rejections.total()
            progress.update("clips", done, len(home), note=f"{rejected} tries rejected")
            if len(pending[name]) == len(shards[name]):
                finished[name] = _write_finished(out, name, shards[name], pending.pop(name))
                append(out, finished[name].to_line())
    return rows


def _rows_again(job: FilmingJob, clips: list[PlannedClip], *, workers: int) -> dict[str, bytes]:
    """Rows of the contact sheet of clips that an earlier, interrupted run made: they are filmed again."""
    if not clips:
        return {}
    with closing(map_unordered(make_clip, clips, workers=workers, initializer=init_worker, initargs=(job,))) as again:
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
