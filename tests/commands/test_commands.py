"""The commands, as a user meets them: help that teaches, one line for a mistake, nothing lost when broken off.

Each case is a process of its own, so that exit codes, tracebacks and signals are the real ones.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

import av
import cv2
import numpy as np
import pytest
import yaml

import augment.cli
import recognition.cli
from augment.body.model import load_body
from augment.motion.partners import name_pair
from augment.motion.store import StoreWriter
from augment.scene.store import load_scene, save_scene
from tests.make.realdata import require
from tests.make.rooms import room, standing

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "140"}

TINY = {
    "name": "tiny",
    "seed": 5,
    "scenes": [{"room": 3}],
    "clips": [{"action": "stand", "count": 6, "from": "library"}],
    "film": {"height": 48, "fps": 5.0, "seconds": 1.0},
    "shards": {"samples_per_shard": 1},
}


def run(*arguments: object, package: str = "augment", environment: dict[str, str] | None = None, prefix: str = ""):
    """One command to its end: (exit code, all that it printed)."""
    command = [sys.executable, "-m", f"{package}.cli", *map(str, arguments)]
    if prefix:
        command = ["bash", "-c", f'{prefix}; exec "$@"', "bash", *command]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT | (environment or {}), capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


def refused(text: str, code: int, *words: str) -> None:
    """A user's mistake: exit code 2, one line that names what is wrong, no traceback."""
    assert code == 2, text
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, text
    for word in words:
        assert word in lines[0], lines[0]


def write_recipe(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump(TINY | changes))
    return path


def write_video(path: Path, frames: int = 30, size: tuple[int, int] = (64, 48)) -> Path:
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def commands(choice: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type]]:
    """Every command below a union of subcommands: how it is called, and its class."""
    for option in get_args(choice):
        kind, settings = get_args(option)
        inner = get_type_hints(kind, include_extras=True).get("command")
        if inner is None:
            yield (*path, settings.name), kind
        else:
            yield from commands(inner, (*path, settings.name))


def options(kind: type) -> Iterator[tuple[str, bool, str]]:
    """Name, whether positional, and docstring of each option that a command shows, nested dataclasses included."""
    hints, body = get_type_hints(kind), ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body
    for field, doc in pairwise(body):
        if isinstance(field, ast.AnnAssign) and "Suppress" not in ast.unparse(field.annotation):
            if is_dataclass(hints[field.target.id]):
                yield from options(hints[field.target.id])
            else:
                words = doc.value.value if isinstance(doc, ast.Expr) else ""
                annotation = ast.unparse(field.annotation)
                renamed = re.search(r"\bname='([^']+)'", annotation)  # ``from`` is no name of a field
                yield renamed[1] if renamed else field.target.id, "Positional" in annotation, words


def letters(text: str) -> str:
    """Without spaces, line ends and frames, which help lays out in its own way."""
    return "".join(re.findall(r"[^\W_]+", text))


@pytest.mark.parametrize(("package", "path", "kind"), [
    *(("augment", *each) for each in commands(augment.cli.Command)),
    *(("recognition", (name,), kind) for name, kind in recognition.cli.COMMANDS.items()),
])  # fmt: skip
def test_help_explains_every_option_of_every_command(package, path, kind, capsys, monkeypatch):
    """Law: help says what the command does, and names each of its options with what the option's docstring says."""
    monkeypatch.setenv("COLUMNS", "1000")
    main = {"augment": augment.cli.main, "recognition": recognition.cli.main}[package]
    with pytest.raises(SystemExit) as stop:
        main([*path, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert letters(kind.__doc__) in letters(text)
    for name, positional, doc in options(kind):
        flag = name.replace("_", "-")
        assert positional or f"--{flag}" in text or f".{flag} " in text, name
        assert doc, f"{name} has no docstring"
        assert letters(doc) in letters(text), name


def test_help_names_every_command():
    names = {"augment": {path[0] for path, _ in commands(augment.cli.Command)}, "recognition": set(recognition.cli.COMMANDS)}
    for package, expected in names.items():
        code, text = run("--help", package=package)
        assert code == 0, text
        assert expected <= set(re.findall(r"[\w-]+", text))


def test_help_does_not_load_what_is_heavy():
    """``--help`` and ``import augment`` stay fast: no torch, pyrender, smplx, mujoco."""
    code = "import sys, augment, augment.cli, recognition.cli; print([m for m in sys.modules if m in sys.argv[1:]])"
    heavy = ["torch", "pyrender", "smplx", "mujoco", "cv2", "scipy", "matplotlib"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_files_are_named(tmp_path):
    code, text = run("generate", tmp_path / "absent.yaml", "--out", tmp_path / "o")
    refused(text, code, "absent.yaml")
    code, text = run("scenes", "from-video", tmp_path / "absent.mp4", "--out", tmp_path / "s")
    refused(text, code, "absent.mp4")
    code, text = run("motions", "train", tmp_path / "store", "--out", tmp_path / "m")
    refused(text, code, "store")
    code, text = run("ablate", tmp_path / "absent.yaml", "--out", tmp_path / "r", package="recognition")
    refused(text, code, "absent.yaml")


def test_numbers_out_of_range_are_named(tmp_path):
    recipe = write_recipe(tmp_path / "a.yaml")
    code, text = run("generate", recipe, "--out", tmp_path / "o", "--workers", "-1")
    refused(text, code, "--workers -1", "0 (one for each core) or more")
    code, text = run("generate", recipe, "--out", tmp_path / "o", "--seed", "-1")
    refused(text, code, "--seed -1")
    code, text = run("scenes", "room", "--out", tmp_path / "o", "--height", "0")
    refused(text, code, "--height 0", "32 to 2160")
    assert not (tmp_path / "o").exists()


def test_recipe_typo_and_unknown_action_say_what_is_valid(tmp_path):
    code, text = run("generate", write_recipe(tmp_path / "a.yaml", filn={"height": 64}), "--out", tmp_path / "o")
    refused(text, code, "a.yaml", "filn", "film")
    clips = [{"action": "fall_upward", "count": 1}]
    code, text = run("generate", write_recipe(tmp_path / "b.yaml", clips=clips), "--out", tmp_path / "o")
    refused(text, code, "fall_upward", "fall_backward")
    code, text = run("motions", "sample", "shipped", "--action", "levitate", "--out", tmp_path / "m")
    refused(text, code, "levitate", "walk")
    assert not (tmp_path / "o").exists()


def test_a_sheet_shows_motions_and_both_of_two_people(tmp_path):
    store, body = tmp_path / "store", load_body()
    one, other = standing(body, frames=4), standing(body, frames=4, at=(0.0, 0.9))
    with StoreWriter(store) as writer:
        for motion in (replace(one, name="alone"), *name_pair(one, other, "two", body)):
            writer.add(motion, rest_pelvis=np.asarray(body.rest_joints(motion.betas))[0])
    code, text = run("motions", "sheet", store, "--out", tmp_path / "a.png", "--columns", "3", "--height", "80")
    assert code == 0, text
    assert "a.png: 2 of 2 motions" in text
    picture = cv2.imread(str(tmp_path / "a.png")).astype(int)
    red, blue = (picture[..., first] - picture[..., second] > 40 for first, second in ((2, 0), (0, 2)))
    half = len(picture) // 2
    assert red[:half].any()
    assert not blue[:half].any()
    assert red[half:].any()
    assert blue[half:].any()
    code, text = run("motions", "sheet", store, "--out", tmp_path / "b.png", "--actions", "fly")
    refused(text, code, "'fly'", "stand")


def test_furniture_is_added_by_its_corners_and_shown(tmp_path):
    save_scene(replace(room(), surfaces=(), obstacles=()), tmp_path / "s")
    corners = (40, 60, 90, 60, 100, 90, 30, 90)
    code, text = run("scenes", "furniture", tmp_path / "s", "--corners", *corners, "--height", "0.3")
    assert code == 0, text
    (bed,) = load_scene(tmp_path / "s").surfaces
    assert bed.center[1] == pytest.approx(0.3)
    assert (tmp_path / "s" / "boxes.png").stat().st_size > 100
    code, text = run("scenes", "furniture", tmp_path / "s", "--corners", *corners, "--kind", "table")
    assert code == 0, text
    assert [box.name for box in load_scene(tmp_path / "s").obstacles] == ["table"]
    code, text = run("scenes", "furniture", tmp_path / "s", "--corners", *corners[:6])
    refused(text, code, "4 corners", "3")
    code, text = run("scenes", "furniture", tmp_path / "absent")
    refused(text, code, "absent")


def test_truncated_video_is_refused_by_name(tmp_path):
    whole = write_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    code, text = run("scenes", "from-video", tmp_path / "cut.mp4", "--out", tmp_path / "s")
    refused(text, code, "cut.mp4")


def test_keypoints_of_nobody_are_refused(tmp_path):
    """NaN keypoints throughout: nobody was found, and the command says what to do."""
    video = write_video(tmp_path / "v.mp4")
    nothing = np.full((30, 33, 3), np.nan, np.float32)
    keypoints = tmp_path / "k.npz"
    np.savez(keypoints, landmarks2d=nothing, landmarks_world=nothing, fps=10.0, size=np.array([64, 48]))
    code, text = run("scenes", "from-video", video, "--keypoints", keypoints, "--out", tmp_path / "s")
    refused(text, code, "k.npz")


def test_half_a_bvh_is_counted_and_the_run_goes_on(tmp_path):
    source = next(require("mocap/cmu_bvh").glob("*.bvh")).read_text()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cut.bvh").write_text(source[: len(source) // 2])
    (tmp_path / "in" / "whole.bvh").write_text(source)
    code, text = run("motions", "import", tmp_path / "in", "--out", tmp_path / "store")
    assert code == 0, text
    assert "Traceback" not in text
    assert re.search(r"rejected 1: .*cut short.*such as cut", " ".join(text.split())), text
    assert len(list((tmp_path / "store").rglob("*.npz"))) == 1


def test_filming_needs_no_opengl_and_says_nothing_about_it(tmp_path):
    clips = [{"action": "stand", "count": 1, "from": "library"}]
    recipe = write_recipe(tmp_path / "r.yaml", clips=clips)
    code, text = run("generate", recipe, "--out", tmp_path / "o", "--workers", 1, environment={"PYOPENGL_PLATFORM": "osmesa"})
    assert code == 0, text
    assert "EGL" not in text
    assert "arning" not in text
    assert run("verify", tmp_path / "o")[0] == 0


def test_interrupt_keeps_finished_shards_and_the_same_command_goes_on(tmp_path):
    recipe = write_recipe(tmp_path / "r.yaml")
    command = [sys.executable, "-m", "augment.cli", "generate", str(recipe), "--out", str(tmp_path / "o"), "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C; a user's shell does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not list((tmp_path / "o").glob("*.tar")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    finished = {path.name: path.read_bytes() for path in (tmp_path / "o").glob("*.tar")}
    assert finished
    assert process.returncode == 130, text
    assert "Traceback" not in text, text
    assert "run the same command again to go on" in text
    assert not (tmp_path / "o" / "manifest.json").exists()
    code, text = run("generate", recipe, "--out", tmp_path / "o")
    assert code == 0, text
    assert all((tmp_path / "o" / name).read_bytes() == data for name, data in finished.items())
    assert run("verify", tmp_path / "o")[0] == 0
