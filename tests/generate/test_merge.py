"""Laws of parts: joined they are the bytes of one run, and a missing, doubled or foreign part is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from augment.cli import main
from augment.generate.merge import merge
from augment.generate.parts import Part, parse_part
from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene
from augment.shards.tar import read_manifest
from augment.shards.verify import verify

RECIPE = """
name: parted
seed: 3
scenes: [{path: room}]
clips: [{action: stand, count: 6, motions: 2}, {action: walk, count: 2}]
film: {height: 64, fps: 6, seconds: 1.5, layers: [keypoints]}
shards: {samples_per_shard: 2}
"""


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory) -> Path:
    """A recipe, its room, the run of one process in ``one`` and three parts of it in ``part-1`` to ``part-3``."""
    folder = tmp_path_factory.mktemp("kitchen")
    save_scene(make_room(seed=1, height=96), folder / "room")
    (folder / "recipe.yaml").write_text(RECIPE)
    recipe = load_recipe(folder / "recipe.yaml")
    generate(recipe, folder / "one")
    for number in (1, 2, 3):
        generate(recipe, folder / f"part-{number}", part=Part(number=number, of=3))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def parts_of(kitchen: Path, *numbers: int) -> list[Path]:
    return [kitchen / f"part-{number}" for number in numbers]


def test_merged_parts_are_the_bytes_of_one_run(kitchen: Path, tmp_path: Path, capsys):
    main(["merge", *map(str, parts_of(kitchen, 3, 1, 2)), "--out", str(tmp_path / "run")])
    assert "8 of 8 clips in 4 shards from 3 parts" in capsys.readouterr().out
    assert content(tmp_path / "run") == content(kitchen / "one")
    assert verify(tmp_path / "run") == []
    assert generate(load_recipe(kitchen / "recipe.yaml"), tmp_path / "run") == read_manifest(kitchen / "one")


def test_each_shard_belongs_to_one_part_and_a_part_is_a_run_of_its_own(kitchen: Path):
    names = [path.name for part in parts_of(kitchen, 1, 2, 3) for path in sorted(part.glob("*.tar"))]
    assert names == [path.name for path in sorted((kitchen / "one").glob("*.tar"))]
    for part in parts_of(kitchen, 1, 2, 3):
        assert verify(part) == []
        assert (part / "sheet.png").exists()


@pytest.mark.parametrize(("count", "of"), [(1, 1), (4, 3), (100, 7), (7, 7)])
def test_parts_share_out_all_shards_evenly(count: int, of: int):
    names = [f"{number:03d}" for number in range(count)]
    shares = [Part(number=number, of=of).shards(names) for number in range(1, of + 1)]
    assert [name for share in shares for name in share] == names
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_killed_merge_is_completed(kitchen: Path, tmp_path: Path):
    out = tmp_path / "run"
    merge(parts_of(kitchen, 1, 2, 3), out)
    whole = content(out)
    manifest = json.loads((out / "manifest.json").read_text())
    lines = [{"plan_sha256": manifest["plan_sha256"]}, manifest["finished"][0]]
    (out / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("manifest.json", "clips-000001.tar", "sheet.png"):
        (out / name).unlink()
    merge(parts_of(kitchen, 1, 2, 3), out)
    assert content(out) == whole


def test_a_part_goes_on_where_it_was_killed(kitchen: Path, tmp_path: Path):
    """Also the rows of its contact sheet, which are not made again."""
    out = tmp_path / "part"
    shutil.copytree(kitchen / "part-3", out)
    manifest = json.loads((out / "manifest.json").read_text())
    lines = [{"plan_sha256": manifest["plan_sha256"], "part": "3/3"}, manifest["finished"][0]]
    (out / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("manifest.json", manifest["finished"][1]["record"]["name"]):
        (out / name).unlink()
    stamps = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    generate(load_recipe(kitchen / "recipe.yaml"), out, part=Part(number=3, of=3))
    assert content(out) == content(kitchen / "part-3")
    assert all((out / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())


def test_missing_and_doubled_parts_are_named(kitchen: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"missing of 3 parts: 1/3, 3/3"):
        merge(parts_of(kitchen, 2), tmp_path / "run")
    shutil.copytree(kitchen / "part-2", tmp_path / "again")
    with pytest.raises(ValueError, match=r"part 2 is given twice: .*part-2 and .*again"):
        merge([*parts_of(kitchen, 1, 2, 3), tmp_path / "again"], tmp_path / "run")
    with pytest.raises(ValueError, match="a whole run, not a part"):
        merge([*parts_of(kitchen, 1, 2, 3), kitchen / "one"], tmp_path / "run")
    with pytest.raises(ValueError, match="unfinished"):
        merge([*parts_of(kitchen, 1, 2), tmp_path], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_parts_of_another_run_or_division_are_refused(kitchen: Path, tmp_path: Path):
    recipe = load_recipe(kitchen / "recipe.yaml")
    manifest = json.loads((kitchen / "part-2" / "manifest.json").read_text())
    half = manifest | {"part": manifest["part"] | {"of": 2}}
    for name, changed in (("half", half), ("other", manifest | {"seed": 4})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=r"half: one of 2 parts, .*part-1 one of 3"):
        merge([*parts_of(kitchen, 1), tmp_path / "half"], tmp_path / "run")
    with pytest.raises(ValueError, match=r"other: not of the run of .*part-1: seed differs"):
        merge([*parts_of(kitchen, 1, 3), tmp_path / "other"], tmp_path / "run")
    with pytest.raises(ValueError, match=r"holds part 1/3 of this run, and part 2/3 of it is asked for"):
        generate(recipe, kitchen / "part-1", part=Part(number=2, of=3))


def test_a_shard_that_changed_since_is_not_merged(kitchen: Path, tmp_path: Path):
    shutil.copytree(kitchen / "part-2", tmp_path / "part-2")
    shard = next((tmp_path / "part-2").glob("*.tar"))
    damaged = bytearray(shard.read_bytes())
    damaged[700] ^= 1
    shard.write_bytes(damaged)
    with pytest.raises(ValueError, match=rf"{shard.name}: missing or changed since it was made; run part 2/3 again"):
        merge([*parts_of(kitchen, 1, 3), tmp_path / "part-2"], tmp_path / "run")


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "a/b", "1/2/3", "-1/4"])
def test_a_part_that_there_is_not_is_refused(text: str):
    with pytest.raises(ValueError, match="expected i/n, i from 1 to n"):
        parse_part(text)
    assert parse_part("2/4") == Part(number=2, of=4)


def test_more_parts_than_shards_are_refused(kitchen: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="the run has 4 shards; use at most so many parts"):
        generate(load_recipe(kitchen / "recipe.yaml"), tmp_path / "out", part=parse_part("1/5"))
