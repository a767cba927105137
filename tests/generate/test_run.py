"""Laws of generation: the same bytes for any number of workers, however often it was stopped; nothing is lost silently."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from augment.actions import ACTIONS
from augment.generate.journal import FinishedShard, append, open_journal, require_own_folder
from augment.generate.recipe import Recipe, load_recipe
from augment.generate.run import generate, plan_table
from augment.generate.studio import end_segments
from augment.motion.resample import fit_seconds
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene
from augment.shards.tar import ShardRecord, describe_shard, read_manifest
from augment.shards.verify import verify
from augment.types import Motion, Segment
from tests.make.shards import read_shards

RECIPE = """
name: tiny
seed: 5
scenes: [{path: room}]
clips: [{action: walk, count: 2}, {action: stand, count: 2}]
film: {height: 64, fps: 6, seconds: 1.5, layers: [rgb, mask]}
shards: {samples_per_shard: 1}
"""


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory) -> Path:
    """A folder with a small recipe and its room."""
    folder = tmp_path_factory.mktemp("kitchen")
    save_scene(make_room(seed=1, height=96), folder / "room")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def reference(kitchen: Path) -> Path:
    """The recipe made by one worker in one go."""
    generate(load_recipe(kitchen / "recipe.yaml"), kitchen / "one", workers=1)
    return kitchen / "one"


def assert_same_bytes(a: Path, b: Path) -> None:
    names = sorted(path.name for path in a.iterdir() if path.is_file())
    assert names == sorted(path.name for path in b.iterdir() if path.is_file())
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def start(kitchen: Path, out: str, workers: int = 1) -> subprocess.Popen:
    command = "from pathlib import Path; from augment.commands.generate import Generate;"
    command += f"Generate(recipe=Path('recipe.yaml'), out=Path({out!r}), workers={workers}).run()"
    return subprocess.Popen(
        [sys.executable, "-c", command], cwd=kitchen, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def wait_for_lines(path: Path, lines: int, process: subprocess.Popen) -> None:
    for _ in range(2400):
        if path.exists() and path.read_text().count("\n") >= lines:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {lines} lines")


def test_generated_shards_verify_and_hold_what_was_asked_for(reference: Path):
    assert verify(reference) == []
    samples = list(read_shards(reference))
    assert Counter(sample["json"]["label"] for sample in samples) == {"walk": 2, "stand": 2}
    for sample in samples:
        height, width = sample["mp4"].shape[1:3]
        assert (height, width) == (64, 84)
        confident = sample["npz"]["joints2d"][..., 2] > 0.5
        assert confident.any()
        u, v = sample["npz"]["joints2d"][confident][:, :2].T
        assert ((u > -1) & (u < width + 1) & (v > -1) & (v < height + 1)).all()
        assert sample["mask.mp4"].any()
    manifest = read_manifest(reference)
    assert manifest["planned"] == manifest["samples"] + len(manifest["given_up"]) == 4
    assert (reference / "sheet.png").exists()
    coverage = read_manifest(reference)["coverage"]
    assert (reference / coverage["picture"]).read_bytes()[:4] == b"\x89PNG"
    assert coverage["cameras"] == 1


def test_two_workers_killed_half_way_give_the_same_bytes_as_one(kitchen: Path, reference: Path):
    out = kitchen / "two"
    process = start(kitchen, "two", workers=2)
    wait_for_lines(out / "journal.jsonl", 3, process)
    children = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True).stdout.split()
    process.kill()
    process.communicate()
    for _ in range(600):
        if not any(Path(f"/proc/{child}").exists() for child in children):
            break
        time.sleep(0.05)
    else:
        raise AssertionError("workers outlive their parent")
    assert not (out / "manifest.json").exists()
    assert "unfinished" in verify(out)[0]

    first, second = sorted(out.glob("*.tar"))[:2]
    damaged = bytearray(first.read_bytes())
    damaged[700] ^= 1
    first.write_bytes(damaged)
    kept = second.stat().st_mtime_ns
    generate(load_recipe(kitchen / "recipe.yaml"), out, workers=2)
    assert_same_bytes(reference, out)
    assert second.stat().st_mtime_ns == kept, "a finished shard is reused, not remade"


def test_a_finished_run_is_left_alone_and_another_recipe_or_seed_is_refused(kitchen: Path, reference: Path):
    recipe = load_recipe(kitchen / "recipe.yaml")
    stamp = (reference / "manifest.json").stat().st_mtime_ns
    assert generate(recipe, reference) == read_manifest(reference)
    assert (reference / "manifest.json").stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match="another recipe, seed or version"):
        generate(recipe, reference, seed=6)


def test_an_output_folder_with_other_things_is_refused(kitchen: Path, tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"not empty \(thesis.tex\)"):
        generate(load_recipe(kitchen / "recipe.yaml"), tmp_path)


def test_a_full_disk_stops_with_the_path_and_with_more_room_the_run_goes_on(kitchen: Path, reference: Path, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    sizes = [(reference / f"clips-{number:06d}.tar").stat().st_size for number in range(2)]
    # Room for the first shard, the journal and half of the second.
    size = sizes[0] + sizes[1] // 2 + 8192
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk]).returncode:
        pytest.skip("cannot mount a small tmpfs here; test_tar covers the write that fails")
    try:
        with pytest.raises(OSError, match="cannot write") as caught:
            generate(load_recipe(kitchen / "recipe.yaml"), disk / "out", workers=1)
        assert caught.value.errno == errno.ENOSPC
        assert "clips-000001.tar" in str(caught.value.filename)
        left = sorted(path.name for path in (disk / "out").iterdir())
        assert left == ["clips-000000.tar", "journal.jsonl"]
        assert (disk / "out/clips-000000.tar").read_bytes() == (reference / "clips-000000.tar").read_bytes()
        subprocess.run(["mount", "-o", "remount,size=40m", disk], check=True)
        generate(load_recipe(kitchen / "recipe.yaml"), disk / "out", workers=1)
        assert_same_bytes(reference, disk / "out")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_missing_sources_are_named_before_any_work(kitchen: Path, tmp_path: Path):
    def recipe(**clip) -> Recipe:
        return Recipe.model_validate({"scenes": [{"path": str(kitchen / "room")}], "clips": [clip]})

    with pytest.raises(ValueError, match="'dance' is not in the library; expected one of: walk"):
        generate(recipe(action="dance"), tmp_path / "out")
    with pytest.raises(ValueError, match="nowhere"):
        generate(recipe(action="walk", **{"from": "store"}, path=tmp_path / "nowhere"), tmp_path / "out")
    absent = Recipe.model_validate({"scenes": [{"path": str(tmp_path / "absent")}], "clips": [{"action": "walk"}]})
    with pytest.raises(ValueError, match=r"absent.*no such file"):
        generate(absent, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_plan_can_be_looked_at_first(kitchen: Path):
    rows = plan_table(load_recipe(kitchen / "recipe.yaml"))
    assert [(row["action"], row["from"], row["clips"]) for row in rows] == [("stand", "library", 2), ("walk", "library", 2)]


def motion(seconds: float, core: tuple[float, float]) -> Motion:
    frames = round(seconds * 20)
    return Motion(
        global_orient=np.zeros((frames, 3)), body_pose=np.zeros((frames, 23, 3)), transl=np.zeros((frames, 3)),
        betas=np.zeros(10), fps=20, action="fall_backward",
        segments=(
            Segment(label="walk", start_sec=0, end_sec=core[0]),
            Segment(label="fall", start_sec=core[0], end_sec=core[1]),
            Segment(label="fallen", start_sec=core[1], end_sec=seconds),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("core", [(0.5, 1.5), (8.0, 9.0), (11.0, 11.9), (2.0, 9.0)])
@pytest.mark.parametrize("seconds", [3.0, 6.0])
def test_a_cut_clip_shows_the_start_of_what_it_is_named_for(core: tuple[float, float], seconds: float):
    for seed in range(20):
        cut = fit_seconds(motion(12.0, core), seconds, rng=np.random.default_rng(seed))
        assert cut.seconds == pytest.approx(seconds, abs=0.06)
        fall = next(segment for segment in cut.segments if segment.label == "fall")
        assert fall.end_sec - fall.start_sec >= min(core[1] - core[0], seconds) - 0.06
        assert cut.segments[-1].end_sec == pytest.approx(cut.seconds)
        assert cut.segments[0].start_sec == 0


def test_a_short_motion_is_not_cut():
    whole = motion(5.0, (1.0, 2.0))
    assert fit_seconds(whole, 10.0, rng=np.random.default_rng(0)) is whole
    assert fit_seconds(whole, None, rng=np.random.default_rng(0)) is whole


def test_segments_end_with_the_film():
    segments = motion(3.0, (1.0, 2.0)).segments
    assert end_segments(segments, 2.9)[-1] == Segment(label="fallen", start_sec=2.0, end_sec=2.9)
    assert [segment.label for segment in end_segments(segments, 1.5)] == ["walk", "fall"]


def test_clips_are_filmed_from_the_cameras_that_the_recipe_names(kitchen: Path, tmp_path: Path):
    """A sweep's numbers and a scene's own list of cameras both reach the samples."""
    text = RECIPE.replace("layers: [rgb, mask]", "camera: sweep, views: 2").replace(
        "clips: [", "clips: [{action: walk, count: 3}, "
    )
    (kitchen / "sweep.yaml").write_text(text)
    generate(load_recipe(kitchen / "sweep.yaml"), tmp_path / "sweep", workers=1)
    cameras = {s["json"]["provenance"]["scene"]["camera"]: s["npz"]["T_world_camera"] for s in read_shards(tmp_path / "sweep")}
    assert cameras.keys() == {"sweep 0", "sweep 1"}
    assert not np.allclose(cameras["sweep 0"], cameras["sweep 1"])
    given = "{path: room, cameras: [{position: [0.4, 2.2, 0.5], yaw: 40, pitch: 30, fov: 85}]}"
    (kitchen / "given.yaml").write_text(RECIPE.replace("{path: room}", given))
    generate(load_recipe(kitchen / "given.yaml"), tmp_path / "given", workers=1)
    for sample in read_shards(tmp_path / "given"):
        assert np.allclose(sample["npz"]["T_world_camera"][:3, 3], [0.4, 2.2, 0.5])


def test_lens_look_exposure_and_compression_reach_the_samples(kitchen: Path, tmp_path: Path):
    """Joints in view stay on the mask behind a lens, and night clips have no colour."""
    options = "lens: wide, distortion: [-0.2, 0.05, 0, 0, 0], look: night, exposure: auto, compression: jpeg"
    (kitchen / "night.yaml").write_text(RECIPE.replace("fps: 6", f"fps: 6, {options}"))
    generate(load_recipe(kitchen / "night.yaml"), tmp_path / "night", workers=1)
    assert verify(tmp_path / "night") == []
    for sample in read_shards(tmp_path / "night"):
        provenance, arrays = sample["json"]["provenance"], sample["npz"]
        assert provenance["look"] == "night"
        assert provenance["sensor"]["compression"] == "jpeg"
        assert provenance["sensor"]["drift"] > 0
        assert np.allclose(arrays["distortion"], [-0.2, 0.05, 0, 0, 0])
        assert np.ptp(sample["mp4"].astype(int), axis=-1).mean() < 3
        u, v, seen = np.moveaxis(arrays["joints2d"], -1, 0)
        at = np.argwhere(seen == 1)
        mask = sample["mask.mp4"]
        near = [
            mask[t, max(int(v[t, j]) - 1, 0) : int(v[t, j]) + 2, max(int(u[t, j]) - 1, 0) : int(u[t, j]) + 2] for t, j in at
        ]
        assert np.mean([cut.any() for cut in near]) > 0.97


def test_a_camera_outside_the_room_stops_the_run_before_any_clip(kitchen: Path, tmp_path: Path):
    given = "{path: room, cameras: [{position: [9, 2.2, 0.5]}]}"
    (kitchen / "far.yaml").write_text(RECIPE.replace("{path: room}", given))
    with pytest.raises(ValueError, match=r"camera at \(9, 2.2, 0.5\): outside the floor") as error:
        generate(load_recipe(kitchen / "far.yaml"), tmp_path / "far", workers=1)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "far").glob("*.tar"))


def test_the_journal_trusts_digests_and_survives_a_torn_line(tmp_path: Path):
    assert open_journal(tmp_path, "plan") == {}
    for number in range(2):
        path = tmp_path / f"clips-{number:06d}.tar"
        path.write_bytes(bytes([number]) * 100)
        append(tmp_path, FinishedShard(record=describe_shard(path, samples=1)).to_line())
    append(
        tmp_path, FinishedShard(record=ShardRecord(name="clips-000002.tar", samples=0, bytes=0, sha256="", md5="")).to_line()
    )
    with open(tmp_path / "journal.jsonl", "a") as stream:
        stream.write('{"record": {"na')
    (tmp_path / ".clips-000003.tar.tmp-1").write_bytes(b"half")
    (tmp_path / "clips-000001.tar").write_bytes(b"changed")
    assert set(open_journal(tmp_path, "plan")) == {"clips-000000.tar", "clips-000002.tar"}
    assert not (tmp_path / ".clips-000003.tar.tmp-1").exists()
    assert set(open_journal(tmp_path, "plan")) == {"clips-000000.tar", "clips-000002.tar"}
    require_own_folder(tmp_path, ())
    with pytest.raises(ValueError, match="another recipe"):
        open_journal(tmp_path, "other plan")


def test_every_action_of_the_library_can_be_planned():
    from augment.generate.casting import check_sources
    from augment.generate.recipe import make_plan
    from augment.motion.library.scripted.act import SCRIPTS

    clips = [{"action": name} for name in ACTIONS if name in SCRIPTS or ACTIONS[name].is_fall]
    assert check_sources(make_plan(Recipe.model_validate({"scenes": [{"room": 0}], "clips": clips}), 0)) == {}


def test_a_run_of_keypoints_alone_makes_no_pictures(kitchen: Path, tmp_path: Path):
    """Layers without rgb: no video member, keypoints of the same clips, a sheet of stick figures."""
    (kitchen / "points.yaml").write_text(RECIPE.replace("layers: [rgb, mask]", "layers: [keypoints]"))
    generate(load_recipe(kitchen / "points.yaml"), tmp_path / "points", workers=1)
    assert verify(tmp_path / "points") == []
    samples = list(read_shards(tmp_path / "points"))
    assert samples
    for sample in samples:
        assert {name for name in sample if not name.startswith("__")} == {"json", "npz"}
        assert sample["json"]["layers"] == ["keypoints"]
        seen = sample["npz"]["keypoints_coco"][..., 2] > 0
        assert 0.3 < seen.mean() <= 1
    sheet = cv2.imread(str(tmp_path / "points" / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[0] >= 180
