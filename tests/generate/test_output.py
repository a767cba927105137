"""Laws of runs that go to a URL: the bytes of a local run; what a store refuses is named, nothing is lost or sent twice."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from augment import remote
from augment.cli import main
from augment.engines import ENGINES
from augment.generate.motion_pool import PoolTask, make_motion
from augment.generate.output import RemoteOutput, output_to
from augment.generate.parts import Part
from augment.generate.recipe import Recipe, load_recipe, make_plan
from augment.generate.run import generate
from augment.motion.store import StoreWriter
from augment.remote import Remote, file_names, local_copy
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene
from augment.shards.tar import read_manifest
from augment.shards.verify import verify
from tests.make.bucket import Failing, bucket, full

RECIPE = """
name: sent
seed: 3
scenes: [{path: room}]
clips: [{action: stand, count: 3, motions: 1}, {action: walk, count: 1}]
film: {height: 64, fps: 6, seconds: 1.5, layers: [keypoints]}
shards: {samples_per_shard: 1}
"""


def in_this_process(work, tasks, *, initializer=None, initargs=(), **_) -> Iterator:
    """What worker processes do, without starting any: the laws here are about where clips go."""
    if initializer:
        initializer(*initargs)
    yield from map(work, tasks)


@pytest.fixture(autouse=True)
def one_process(monkeypatch) -> None:
    monkeypatch.setitem(ENGINES, "local", in_this_process)
    monkeypatch.setattr(remote, "WAIT_SEC", 0.0)


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kitchen")
    save_scene(make_room(seed=1, height=96), folder / "room")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture
def recipe(kitchen: Path) -> Recipe:
    return load_recipe(kitchen / "recipe.yaml")


@pytest.fixture
def local(kitchen: Path, recipe: Recipe) -> dict[str, bytes]:
    """Files of the run made into a folder."""
    generate(recipe, kitchen / "one")
    return content(kitchen / "one")


@pytest.fixture
def store(monkeypatch, tmp_path: Path) -> Remote:
    """An empty folder of a file system whose faults can be ordered."""
    fsspec.register_implementation("failing", Failing, clobber=True)
    monkeypatch.setattr(Failing, "store", {})
    monkeypatch.setattr(Failing, "refuse", {})
    return Remote(f"failing://{tmp_path.name}")


def content(place: Path | Remote) -> dict[str, bytes]:
    found = {}
    for name in file_names(place):
        with local_copy(place, name) as path:
            found[name] = path.read_bytes()
    return found


def test_a_run_behind_a_url_is_that_of_a_folder_and_is_then_left_alone(recipe: Recipe, local, store: Remote):
    manifest = generate(recipe, store)
    assert content(store) == local
    assert verify(store) == []
    output = output_to(store)
    assert isinstance(output, RemoteOutput)
    assert not output.folder.exists(), "nothing stays on this machine"
    Failing.refuse = {"": [full()] * 99}
    assert generate(recipe, store) == manifest == read_manifest(store)
    with pytest.raises(ValueError, match="another recipe, seed or version"):
        generate(recipe, store, seed=9)


@pytest.mark.parametrize(
    "fault", [full(), OSError(errno.EROFS, "Read-only file system"), PermissionError(errno.EACCES, "Denied")]
)
def test_a_store_that_refuses_stops_the_run_by_name_and_later_it_goes_on(
    fault, recipe: Recipe, local, store: Remote, monkeypatch
):
    """Also with a clock that was set back a day meanwhile."""
    Failing.refuse = {"clips-000002.tar": [fault]}
    with pytest.raises(OSError, match=f"cannot write: {fault.strerror}") as caught:
        generate(recipe, store)
    assert str(caught.value.filename).endswith("clips-000002.tar")
    sent = {name: stored for name, stored in store.files().items() if name.endswith(".tar")}
    assert sorted(sent) == ["clips-000000.tar", "clips-000001.tar"]
    assert verify(store) == [f"{store}: no manifest.json: unfinished; run the same `augment generate` again to finish it"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86400)
    Failing.refuse = {name: [AssertionError(f"{name} is sent twice")] for name in sent}
    generate(recipe, store)
    assert content(store) == local


def test_a_shard_that_was_lost_or_cut_behind_the_url_is_made_again(recipe: Recipe, local, store: Remote):
    generate(recipe, store)
    store.remove(["clips-000001.tar"])
    store.write("clips-000003.tar", local["clips-000003.tar"][:700])
    assert len(verify(store)) == 4
    Failing.refuse = {"clips-000003.tar": [full()], "clips-000000.tar": [AssertionError("whole, and sent again")]}
    with pytest.raises(OSError, match="No space left"):
        generate(recipe, store)
    assert "manifest.json" not in store.files(), "half of a run has no manifest"
    generate(recipe, store)
    assert content(store) == local


def test_a_folder_of_something_else_is_refused(recipe: Recipe, store: Remote):
    store.write("thesis.tex", b"precious")
    with pytest.raises(ValueError, match=r"not empty \(thesis.tex\)"):
        generate(recipe, store)
    assert file_names(store) == ["thesis.tex"]


def test_a_poisoned_motion_costs_its_own_clip_and_is_counted_by_reason(kitchen: Path, recipe: Recipe, store: Remote):
    """One that leaps through every wall, alone in its shard: the shard is finished, without a file."""
    walk = next(clip for clip in make_plan(recipe, 3) if clip.action == "walk")
    _, motion, _ = make_motion(PoolTask(clip=replace(walk, motion="leap"), recipe=recipe, seed=3))
    assert motion is not None
    with StoreWriter(kitchen / "poisoned") as motions:
        motions.add(replace(motion, transl=motion.transl * [400.0, 1.0, 400.0]))
    line = "{action: walk, count: 1, from: store, path: poisoned}"
    (kitchen / "poisoned.yaml").write_text(RECIPE.replace("{action: walk, count: 1}", line) + "attempts: 2\n")
    manifest = generate(load_recipe(kitchen / "poisoned.yaml"), store)
    assert manifest["given_up"] == ["sent-walk-000000"]
    assert sum(count for reason, count in manifest["rejections"].items() if reason.startswith("walk: ")) == 2
    assert manifest["samples"] == len(manifest["shards"]) == 3
    assert verify(store) == []


def test_parts_behind_urls_are_merged_to_the_bytes_of_one_run(recipe: Recipe, local, store: Remote, tmp_path: Path, capsys):
    for number in (1, 2):
        generate(recipe, store / f"part-{number}", part=Part(number=number, of=2))
    urls = [f"{store}/part-{number}" for number in (2, 1)]
    main(["merge", *urls, "--out", f"{store}/run"])
    assert content(store / "run") == local
    main(["merge", *urls, "--out", str(tmp_path / "run")])
    assert content(tmp_path / "run") == local
    main(["verify", f"{store}/run"])
    assert "ok: failing://" in capsys.readouterr().out


def test_a_throttled_bucket_gets_every_shard_once(recipe: Recipe, local, monkeypatch):
    """A real S3 server that answers every third PUT with 503, and a bucket that there is not."""
    place = Remote("s3://bucket/run")
    with bucket(monkeypatch) as faults:
        faults.every = 3
        generate(recipe, place)
        assert faults.refused > 2
        assert content(place) == local
        assert verify(place) == []
        assert all(stored.md5 for stored in place.files().values()), "the bucket says each file's MD5"
        faults.every = 0
        place.write("clips-000001.tar", bytes(len(local["clips-000001.tar"])))  # other bytes, the same size
        generate(recipe, place)
        assert content(place) == local
        with pytest.raises(OSError, match="bucket does not exist") as caught:
            generate(recipe, Remote("s3://nowhere/run"))
        assert "s3://nowhere/run" in str(caught.value.filename)
