"""Film a recipe: plan, clips, shards. The bytes depend neither on the number of workers nor on interruptions."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..files import cache_dir, code_digest, sha256_of_json
from ..progress import Progress
from ..shards.sample import Sample
from ..shards.tar import FORMAT, MANIFEST, SHARD_NAME, ShardRecord, read_manifest, write_manifest, write_shard
from ..workers import map_unordered
from .casting import check_sources
from .contact import SHEET, chosen, pictured, write_sheet
from .coverage import COVERAGE, draw_coverage, figures, read_takes
from .journal import FinishedShard, append, close_journal, open_journal, require_own_folder
from .motion_pool import make_pool, with_motions
from .recipe import PlannedClip, Recipe, make_plan, recipe_digest, scene_cameras, scene_names
from .studio import FilmingJob, MadeClip, init_worker, make_clip
from .views import camera_of

BATCH = 8
"""Clips of keypoints alone that a worker makes and sends at once: each takes milliseconds."""
SCENES = "scenes"
"""Folder in the output where embedded rooms are kept."""


def generate(recipe: Recipe, out: Path, *, seed: int | None = None, workers: int = 1) -> dict[str, Any]:
    """Make every clip of a recipe.

    Args:
        recipe: See ``recipe.load_recipe``.
        out: Folder for shards, scenes, shared motions, contact sheet and manifest. A folder with part of this run is completed.
        seed: The run's seed; the recipe's own if None.
        workers: Processes.
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
    sources = check_sources(plan, recipe.people.body)
    require_own_folder(out, (SCENES,))
    scenes = prepare_scenes(recipe, out, workers=workers)
    check_cameras(recipe, scenes)
    digest = recipe_digest(recipe)
    job = FilmingJob(recipe=recipe, seed=seed, recipe_sha256=digest, scenes=scenes, pictured=pictured(plan))
    facts = {
        "recipe_sha256": digest, "seed": seed, "scenes": {name: sha for name, (_, sha) in scenes.items()},
        "sources": sources, "version": version("understudy"), "code_sha256": code_digest(*_code()), "format": FORMAT,
    }  # fmt: skip
    plan_sha256 = sha256_of_json(facts)
    size = recipe.shards.samples_per_shard
    shards = {SHARD_NAME.format(start // size): plan[start : start + size] for start in range(0, len(plan), size)}
    finished = open_journal(out, plan_sha256)
    if finished.keys() == shards.keys() and (out / MANIFEST).exists():
        close_journal(out)
        return read_manifest(out)
    (out / MANIFEST).unlink(missing_ok=True)
    try:
        pool = make_pool(recipe, seed, plan, out, workers=workers)
        if pool is not None:
            job = replace(job, pool=pool.folder)
            shards = {name: with_motions(clips, pool) for name, clips in shards.items()}
        rows = _make_shards(job, out, shards, finished, workers=workers)
    except (KeyboardInterrupt, OSError):
        done = sum(name in finished for name in shards)
        print(
            f"stopped: {done} of {len(shards)} shards in {out} are finished and stay; run the same command again to go on",
            file=sys.stderr,
        )
        raise
    ordered = [finished[name] for name in sorted(finished)]
    records = [shard.record for shard in ordered if shard.record.samples]
    rejections = sum((shard.rejections for shard in ordered), pool.rejections if pool else Counter())
    if not records:
        reasons = "; ".join(f"{reason} ({count}x)" for reason, count in rejections.most_common(3))
        raise ValueError(f"{recipe.name}: none of {len(plan)} clips could be made: {reasons}")
    lost = {key for shard in ordered for key in shard.given_up}
    planned = [clip for name in sorted(shards) for clip in shards[name]]
    write_sheet(_all_rows(job, [clip for clip in planned if clip.key not in lost], rows, workers=workers), out / SHEET)
    coverage = write_coverage(out, records, scenes)
    manifest = write_manifest(
        out, records, name=recipe.name, plan_sha256=plan_sha256, **facts,
        planned=len(plan), actions=dict(sum((shard.actions for shard in ordered), Counter())), rejections=dict(rejections),
        given_up=[key for shard in ordered for key in shard.given_up], finished=[shard.to_line() for shard in ordered],
        coverage=coverage, motions=pool.describe() if pool else None,
    )  # fmt: skip
    close_journal(out)
    return manifest


def _code() -> list[Path]:
    """Source code that decides the bytes of a clip: a run is not continued with other code."""
    package = Path(__file__).parents[1]
    return [path for path in package.iterdir() if path.name not in ("commands", "cli.py", "demo.py", "__pycache__")]


def prepare_scenes(recipe: Recipe, out: Path, *, workers: int) -> dict[str, tuple[Path, str]]:
    """Each scene's folder and digest; embedded rooms that are missing or damaged are built into ``out``."""
    from ..scene.store import scene_digest

    folders, missing = {}, []
    for name, scene in scene_names(recipe).items():
        folders[name] = scene if isinstance(scene, Path) else out / SCENES / name
        if isinstance(scene, Path) or _room_is_intact(folders[name], scene):
            continue
        if _room_is_intact(_kept_room(scene), scene):
            _copy_room(scene, folders[name])
        else:
            missing.append((scene, folders[name]))
    if missing:
        with Progress() as progress, closing(map_unordered(_build_room, missing, workers=min(workers, len(missing)))) as built:
            progress.update("rooms", 0, len(missing))
            for done, name in enumerate(built, start=1):
                progress.update("rooms", done, len(missing), note=name)
    return {name: (folder, scene_digest(folder)) for name, folder in folders.items()}


def check_cameras(recipe: Recipe, scenes: dict[str, tuple[Path, str]]) -> None:
    """Raises ValueError if a scene is damaged or does not bear the cameras asked for."""
    from ..film.reshoot import check_unseen
    from ..scene.store import load_scene

    embedded = {name for name, scene in scene_names(recipe).items() if not isinstance(scene, Path)}
    for name, cameras in scene_cameras(recipe).items():
        scene = load_scene(scenes[name][0])
        # Drawn cameras of embedded rooms always exist.
        for number in range(0 if name in embedded and not cameras.given else cameras.views):
            check_unseen(scene, camera_of(scene, cameras, number))


def _make_shards(
    job: FilmingJob, out: Path, shards: dict[str, list[PlannedClip]], finished: dict[str, FinishedShard], *, workers: int
) -> dict[str, bytes]:
    """Add every missing shard to ``finished``, writing each as soon as its clips are made; rows of the contact sheet."""
    rows: dict[str, bytes] = {}
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
            done, rejected = done + 1, rejected + made.rejections.total()
            progress.update("clips", done, len(home), note=f"{rejected} tries rejected")
            if len(pending[name]) == len(shards[name]):
                finished[name] = _write_finished(out, name, shards[name], pending.pop(name))
                append(out, finished[name].to_line())
    return rows


def _all_rows(job: FilmingJob, made: list[PlannedClip], rows: dict[str, bytes], *, workers: int) -> list[bytes]:
    """The contact sheet's rows; clips that an earlier, interrupted run made are filmed again for theirs."""
    clips = {clip.key: clip for clip in made}
    keys = chosen(job.pictured, clips)
    missing = [clips[key] for key in keys if key not in rows]
    if missing:
        with closing(map_unordered(make_clip, missing, workers=workers, initializer=init_worker, initargs=(job,))) as again:
            rows = rows | {clip.key: clip.row for clip in again if clip.row is not None}
    return [rows[key] for key in keys if key in rows]


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


def write_coverage(out: Path, records: list[ShardRecord], scenes: dict[str, tuple[Path, str]]) -> dict[str, Any]:
    """Draw what the clips cover; the numbers behind it and the picture's name, for the manifest."""
    takes = list(read_takes(out / record.name for record in records))
    draw_coverage(takes, {digest: (name, folder) for name, (folder, digest) in scenes.items()}, out / COVERAGE)
    return {"picture": COVERAGE, **figures(takes)}


def plan_table(recipe: Recipe, seed: int | None = None) -> list[dict[str, Any]]:
    """Summarize the plan: one row for each action and source, with the number of clips and their scenes."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for clip in make_plan(recipe, recipe.seed if seed is None else seed):
        source = clip.path.name if clip.source == "file" and clip.path else clip.source
        row = rows.setdefault((clip.action, source), {"action": clip.action, "from": source, "clips": 0, "scenes": Counter()})
        row["clips"] += 1
        row["scenes"][clip.scene] += 1
    return sorted(rows.values(), key=lambda row: (row["action"], row["from"]))


def _room_is_intact(folder: Path, seed: int) -> bool:
    from ..scene.store import load_scene

    try:
        return load_scene(folder).provenance.get("seed") == seed
    except ValueError:
        return False


def _kept_room(seed: int) -> Path:
    """Where this machine keeps an embedded room, as the present code builds it."""
    package = Path(__file__).parents[1]
    code = code_digest(package / "scene", package / "raster", package / "geometry.py")
    return cache_dir() / "rooms" / f"{code[:12]}-{seed}"


def _copy_room(seed: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_kept_room(seed), folder)


def _build_room(task: tuple[int, Path]) -> str:
    """Build an embedded room, for this run and for later ones on this machine."""
    from ..scene.rooms.care_room import make_room
    from ..scene.store import save_scene

    seed, folder = task
    kept = _kept_room(seed)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=kept.parent) as scratch:
        save_scene(make_room(seed=seed), Path(scratch) / "room")
        if kept.exists() and not _room_is_intact(kept, seed):
            shutil.rmtree(kept, ignore_errors=True)
        # Another process may have been faster; its room is the same.
        with contextlib.suppress(OSError):
            (Path(scratch) / "room").rename(kept)
    _copy_room(seed, folder)
    return f"room-{seed}"
