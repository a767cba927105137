"""A reconstruction that is run again takes what it kept, fits what changed, and gives the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from augment.motion.store import read_store
from augment.reconstruct import fitting as module
from augment.reconstruct.annotate.segments import read_segments
from augment.reconstruct.bodies.config import FitConfig
from augment.reconstruct.config import Inputs
from tests.make.clip import STEPS, reconstruct_clip, respelled


def produced(out: Path) -> dict[str, bytes]:
    """Scene description and motions, byte for byte."""
    return {str(p.relative_to(out)): p.read_bytes() for p in (out / "scene.json", *sorted((out / "motions").iterdir()))}


def test_the_same_again_is_taken_from_work_to_the_same_bytes(clip, guessed, tmp_path, monkeypatch):
    """Determinism: a fresh run elsewhere gives the same bytes; a second run there does not fit again and changes nothing."""
    inputs = Inputs(video=clip.video, keypoints=clip.keypoints)
    segments = {"clip": guessed[1].people and read_segments(guessed[0].parent / "labels.csv")["day1/clip.mp4"]}
    out = tmp_path / "ward"
    reconstruct_clip(clip, out, inputs, segments=segments)
    assert produced(out) == produced(guessed[0])

    def refuse(*_, **__):
        raise AssertionError("fitted again")

    monkeypatch.setattr(module, "fit_people", refuse)
    reconstruct_clip(clip, out, inputs, segments=segments)
    assert produced(out) == produced(guessed[0])


def test_other_inputs_or_weights_are_fitted_anew(clip, guessed, monkeypatch, tmp_path):
    """What is kept belongs to one set of inputs: another weight, another keypoint file, and it is not taken."""
    shutil.copytree(guessed[0] / "work", tmp_path / "ward" / "work")

    class Fitted(Exception):
        pass

    def stop(*_, **__):
        raise Fitted

    monkeypatch.setattr(module, "fit_people", stop)
    other = respelled(clip, tmp_path / "clip.npz", lambda points: points + [0.5, 0, 0])
    lighter = FitConfig(iterations=STEPS, prior_weight=0.5)
    for keypoints, fit in ((clip.keypoints, lighter), (other, FitConfig(iterations=STEPS))):
        with pytest.raises(Fitted):
            reconstruct_clip(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=keypoints), fit=fit)


KILLED = """
import sys
from pathlib import Path
from augment.reconstruct.bodies.config import FitConfig
from augment.reconstruct.camera.given import Given
from augment.reconstruct.config import Inputs, ReconstructConfig
from augment.reconstruct.pipeline import reconstruct
folder, out, height, focal, up, pitch = Path(sys.argv[1]), Path(sys.argv[2]), *map(float, sys.argv[3:])
config = ReconstructConfig(given=Given(person_height=height, focal=focal, camera_height=up, pitch=pitch),
                           fit=FitConfig(iterations=(15, 20, 30)), max_overlays=0)
reconstruct([Inputs(video=folder / f"{n}.mp4", keypoints=folder / f"{n}.npz") for n in "ab"], out, config=config)
"""


def test_killed_in_the_middle_it_goes_on(clip, tmp_path, monkeypatch):
    """SIGKILL after the first of two fits: that one is kept and taken, only the other is fitted by the next run."""
    for name in "ab":
        shutil.copy(clip.video, tmp_path / f"{name}.mp4")
        shutil.copy(clip.keypoints, tmp_path / f"{name}.npz")
    out, given = tmp_path / "ward", clip.given
    numbers = [given.person_height, given.focal, given.camera_height, given.pitch]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), str(out), *map(repr, numbers)], cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((out / "work").glob("*.npz")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    kept = {path.name: path.read_bytes() for path in (out / "work").glob("*.npz")}
    assert [name[:2] for name in kept] == ["a-"]
    assert not (out / "scene.json").exists()
    fitted, real = [], module.fit_people

    def watch(tracks, setting, **options):
        fitted.append(options["video"])
        return real(tracks, setting, **options)

    monkeypatch.setattr(module, "fit_people", watch)
    result = reconstruct_clip(clip, out, *(Inputs(video=tmp_path / f"{n}.mp4", keypoints=tmp_path / f"{n}.npz") for n in "ab"))
    assert fitted == [1]
    assert all((out / "work" / name).read_bytes() == data for name, data in kept.items())
    assert [person.video for person in result.people] == [0, 1]
    np.testing.assert_allclose(result.people[0].joints, result.people[1].joints, atol=1e-5)
    assert sorted(motion.name for motion in read_store(out / "motions")) == ["a_p0_0", "b_p0_0"]
