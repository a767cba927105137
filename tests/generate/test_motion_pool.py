"""Laws of the pool of motions: the same bytes for any number of workers and after kills, and each motion in several clips."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.generate.motion_pool import POOL, Pool, PoolTask, make_motion, with_motions
from augment.generate.recipe import Recipe, load_recipe, make_plan
from augment.generate.run import generate
from augment.generate.studio import FilmingJob, init_worker, make_clip
from augment.motion.store import StoreWriter, read_store
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene
from augment.shards.tar import read_manifest
from augment.shards.verify import verify
from augment.types import Motion
from tests.make.shards import read_shards

RECIPE = """
name: shared
seed: 5
scenes: [{path: room}]
clips: [{action: stand, count: 5, motions: 2}, {action: fall_backward, count: 2, motions: 1}, {action: walk, count: 1}]
film: {height: 64, fps: 6, seconds: 1.5, layers: [rgb]}
shards: {samples_per_shard: 4}
"""


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory) -> Path:
    """A folder with a recipe whose clips share motions, its room, and the run of one worker in ``one``."""
    folder = tmp_path_factory.mktemp("kitchen")
    save_scene(make_room(seed=1, height=96), folder / "room")
    (folder / "recipe.yaml").write_text(RECIPE)
    generate(load_recipe(folder / "recipe.yaml"), folder / "one", workers=1)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_so_many_motions_are_made_and_each_is_seen_on_several_bodies(kitchen: Path):
    assert verify(kitchen / "one") == []
    manifest = read_manifest(kitchen / "one")
    assert manifest["motions"]["made"] == len(read_store(kitchen / "one" / POOL)) == 3
    assert manifest["samples"] + len(manifest["given_up"]) == 8
    bodies, pooled = defaultdict(list), {row["name"] for row in read_store(kitchen / "one" / POOL).rows}
    for sample in read_shards(kitchen / "one"):
        bodies[sample["json"]["provenance"]["motion"]["name"]].append(sample["npz"]["betas"])
    for name in pooled & bodies.keys():
        assert len(np.unique(np.array(bodies[name]), axis=0)) == len(bodies[name])
    stands = [name for name in bodies if name.startswith("stand-0-")]
    assert len(stands) == 2
    assert sum(len(bodies[name]) for name in stands) == 5
    assert len(bodies.keys() - pooled) == 1, "the walk has a motion of its own"


def test_a_clip_whose_shared_motion_does_not_fit_the_room_gets_one_of_its_own(kitchen: Path, tmp_path: Path):
    recipe = load_recipe(kitchen / "recipe.yaml")
    out = tmp_path / "out"
    with StoreWriter(out / POOL) as pool:  # a walk through every wall, in place of the pool's
        clip = next(clip for clip in make_plan(recipe, 5) if clip.action == "walk")
        assert clip.motion is None
        _, motion, _ = make_motion(PoolTask(clip=replace(clip, motion="far"), recipe=recipe, seed=5))
        assert motion is not None
        pool.add(replace(motion, transl=motion.transl * [40.0, 1.0, 40.0]))
    scenes = {"room": (kitchen / "room", "")}
    init_worker(FilmingJob(recipe=recipe, seed=5, recipe_sha256="", scenes=scenes, pool=out / POOL))
    made = make_clip(replace(clip, motion="far"))
    assert made.rejections.total() > recipe.attempts // 2
    assert made.sample is not None
    assert json.loads(made.sample["json"])["provenance"]["motion"]["name"] != "far"


def test_tries_that_failed_are_in_the_manifest(kitchen: Path):
    tries = [motion.provenance["pool"]["rejections"] for motion in read_store(kitchen / "one" / POOL)]
    found = read_manifest(kitchen / "one")["rejections"]
    for counted in tries:
        assert all(found[reason] >= count for reason, count in counted.items())


def test_two_workers_and_a_run_killed_in_the_pool_give_the_same_bytes(kitchen: Path):
    recipe = load_recipe(kitchen / "recipe.yaml")
    generate(recipe, kitchen / "two", workers=2)
    whole = content(kitchen / "one")
    assert content(kitchen / "two") == whole
    # As a kill leaves it: no manifest, shards or index; one motion journalled, one damaged, one cut off, a torn line.
    out = kitchen / "two"
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "journal.jsonl").write_text(json.dumps({"plan_sha256": manifest["plan_sha256"]}) + "\n")
    for path in [*out.glob("*.tar"), out / "manifest.json"]:
        path.unlink()
    rows = read_store(out / POOL).rows
    (out / POOL / "index.json").unlink()
    lines = [json.dumps(row, sort_keys=True) for row in rows[:2]]
    (out / POOL / "journal.jsonl").write_text("\n".join(lines) + '\n{"name": "st')
    kept, damaged, missing = (out / POOL / row["file"] for row in rows)
    damaged.write_bytes(damaged.read_bytes()[:-9])
    missing.rename(missing.with_name(f".{missing.name}.tmp-1"))
    stamp = kept.stat().st_mtime_ns
    generate(recipe, out, workers=2)
    assert content(out) == whole
    assert kept.stat().st_mtime_ns == stamp, "a finished motion is reused, not remade"


def planned(**item):
    return make_plan(Recipe.model_validate({"scenes": [{"rooms": 4}], "clips": [item]}), 0)


def made(recipe: Recipe, seed: int) -> Motion:
    clip = next(clip for clip in make_plan(recipe, seed) if clip.motion == "stand-0-000001")
    name, motion, _ = make_motion(PoolTask(clip=clip, recipe=recipe, seed=seed))
    assert name == "stand-0-000001"
    assert motion is not None
    return motion


def test_a_motion_depends_on_seed_and_name_alone():
    recipe = Recipe.model_validate({"scenes": [{"room": 0}], "clips": [{"action": "stand", "count": 9, "motions": 2}]})
    other = recipe.model_copy(update={"clips": tuple(item.model_copy(update={"count": 5}) for item in recipe.clips)})
    motion = made(recipe, 3)
    np.testing.assert_array_equal(motion.body_pose, made(other, 3).body_pose)
    elsewhere = made(recipe, 4)
    assert elsewhere.body_pose.shape != motion.body_pose.shape or not np.allclose(elsewhere.body_pose, motion.body_pose)


@pytest.mark.parametrize(("count", "motions"), [(12, 4), (12, 2), (10, 3), (5, 5), (4, 1)])
def test_motions_are_used_equally_often_and_are_not_tied_to_a_scene(count: int, motions: int):
    scenes = defaultdict(set)
    uses = defaultdict(int)
    for clip in planned(action="walk", count=count, motions=motions):
        scenes[clip.motion].add(clip.scene)
        uses[clip.motion] += 1
    assert len(uses) == motions
    assert max(uses.values()) - min(uses.values()) <= 1
    assert all(len(found) >= min(uses[name], 2) for name, found in scenes.items())


def test_clips_of_a_motion_that_could_not_be_made_get_another_of_their_line():
    clips = planned(action="walk", count=6, motions=3)
    names = sorted({clip.motion for clip in clips if clip.motion})
    pool = Pool(folder=Path("pool"), sha256="", names=(*names[:2], "walk-1-000000"))
    assert {clip.motion for clip in with_motions(clips, pool)} == set(names[:2])
    for before, after in zip(clips, with_motions(clips, pool), strict=True):
        assert after.motion == (before.motion if before.motion in names[:2] else after.motion)
        assert after.key == before.key


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"action": "walk", "count": 2, "motions": 3}, "motions: expected at most count, 2, found 3"),
        ({"action": "walk", "from": "store", "path": "s", "motions": 1}, "motions is for motions that a run makes"),
        ({"action": "walk", "motions": 0}, "greater than or equal to 1"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(item, message):
    with pytest.raises(ValueError, match=message):
        planned(**item)
