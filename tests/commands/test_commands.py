"""The commands, as a user meets them: help that teaches, one line for a mistake, nothing lost when broken off.

Each case is a process of its own, so that exit codes, tracebacks and signals are the real ones.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from tests.make.realdata import require

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


@pytest.mark.parametrize(
    "command",
    ["", "demo", "motions", "motions import", "motions library", "motions train", "motions sample", "scenes", "scenes room",
     "scenes from-video", "scenes from-rgbd", "generate", "verify"],
)  # fmt: skip
def test_help_of_augment_teaches(command):
    code, text = run(*command.split(), "--help")
    assert code == 0, text
    assert len(re.sub(r"[\W_]+", " ", text).split()) > 25, text


@pytest.mark.parametrize("command", ["", "train", "evaluate", "ablate"])
def test_help_of_recognition_teaches(command):
    code, text = run(*command.split(), "--help", package="recognition")
    assert code == 0, text
    assert len(text.split()) > 25


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


def test_without_gl_the_software_rasterizer_films_and_says_so(tmp_path):
    clips = [{"action": "stand", "count": 1, "from": "library"}]
    recipe = write_recipe(tmp_path / "r.yaml", clips=clips)
    code, text = run("generate", recipe, "--out", tmp_path / "o", "--workers", 1, environment={"PYOPENGL_PLATFORM": "osmesa"})
    assert code == 0, text
    assert "libegl1" in text
    assert run("verify", tmp_path / "o")[0] == 0


def test_full_disk_leaves_finished_shards_and_says_where(tmp_path):
    """On a tmpfs with room for the scene and some shards: a clear error, whole shards stay, and more room finishes the run."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", small], check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        recipe = write_recipe(tmp_path / "r.yaml")
        code, _ = run("generate", recipe, "--out", small / "o", "--workers", 1)
        whole = {path.name: path.stat().st_size for path in (small / "o").glob("*.tar")} if code == 0 else {}
        used = int(subprocess.run(["du", "-sk", small / "o"], capture_output=True, text=True, check=True).stdout.split()[0])
        if code == 0:  # it fitted: fill the disk so that the second half of a fresh run does not
            subprocess.run(["rm", "-rf", small / "o"], check=True)
            free = 6 * 1024 - used + 3 * max(whole.values()) // 1024
            (small / "ballast").write_bytes(b"\0" * (max(0, free) * 1024))
            code, text = run("generate", recipe, "--out", small / "o", "--workers", 1)
            refused(text, code, "No space left")
        (small / "ballast").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=40m", small], check=True)
        before = {path.name: path.read_bytes() for path in (small / "o").glob("*.tar")}
        code, text = run("generate", recipe, "--out", small / "o", "--workers", 1)
        assert code == 0, text
        assert all((small / "o" / name).read_bytes() == data for name, data in before.items())
        assert run("verify", small / "o")[0] == 0
    finally:
        subprocess.run(["umount", small], check=True)


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
    code, text = run("generate", recipe, "--out", tmp_path / "o")
    assert code == 0, text
    assert all((tmp_path / "o" / name).read_bytes() == data for name, data in finished.items())
    assert run("verify", tmp_path / "o")[0] == 0
