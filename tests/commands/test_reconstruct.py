"""The command `augment reconstruct`: what cannot be used ends in one line that names the file and what to do."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.cli import main
from augment.motion.store import read_store
from augment.reconstruct import pipeline
from augment.reconstruct.config import ReconstructConfig
from augment.reconstruct.people import Reconstruction
from augment.scene.store import load_scene
from benchmarks.truth.maker import make_truth, write_mediapipe
from tests.make.clip import refilmed, respelled, write_wham

# --- messages, as a user meets them -------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Let the command fit in a few steps."""
    real = pipeline.reconstruct

    def reconstruct(*inputs: Any, config: ReconstructConfig, **options: Any) -> Reconstruction:
        return real(*inputs, config=replace(config, fit=replace(config.fit, iterations=(2, 2, 2))), **options)

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)


@pytest.fixture
def refused(clip, tmp_path, capsys, quick):
    """Run the command on the clip with some options changed; the one line it ends with."""

    def run(*, video: Path | None = None, **options: Any) -> str:
        named = {"keypoints": clip.keypoints} | options
        given = clip.given
        arguments = ["reconstruct", str(video or clip.video), "--out", str(tmp_path / "out"), "--focal", str(given.focal),
                     "--camera-height", str(given.camera_height), "--pitch", str(given.pitch),
                     "--max-overlays", "0"]  # fmt: skip
        for name, value in named.items():
            arguments += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        text = capsys.readouterr().err
        assert stopped.value.code == 2, text
        lines = [line for line in text.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, text
        assert "Traceback" not in text
        assert not (tmp_path / "out" / "scene.json").exists()
        return lines[0]

    return run


def test_absent_files_are_named(refused, tmp_path):
    assert "absent.mp4" in refused(video=tmp_path / "absent.mp4")
    assert "absent.npz" in refused(keypoints=tmp_path / "absent.npz")
    assert "absent.pkl" in refused(hmr=tmp_path / "absent.pkl")
    assert "absent_depth" in refused(depth=tmp_path / "absent_depth")
    assert "absent.csv" in refused(annotations=tmp_path / "absent.csv")
    assert "absent.png" in refused(mask=tmp_path / "absent.png")
    assert "absent.pt" in refused(prior=tmp_path / "absent.pt")


def test_keypoints_of_another_video_are_refused(refused, tmp_path):
    other = make_truth(3, "walk", seconds=3.0, fps=10.0, size=(320, 240))
    line = refused(keypoints=write_mediapipe(other.people("mediapipe33"), tmp_path / "other.npz"))
    assert "other.npz" in line
    assert "clip.mp4" in line


def test_a_wrong_frame_count_is_refused(refused, clip, tmp_path):
    line = refused(keypoints=respelled(clip, tmp_path / "cut.npz", lambda points: points[:20]))
    assert "cut.npz: has 20 frames" in line


def test_nobody_in_view_is_refused(refused, clip, tmp_path):
    assert "nobody.npz: nobody found" in refused(
        keypoints=respelled(clip, tmp_path / "nobody.npz", lambda points: points * np.nan)
    )


def test_a_video_upside_down_is_refused(refused, clip, tmp_path):
    people = make_truth(3, "walk", seconds=3.0, fps=10.0, size=(320, 240)).people("mediapipe33")
    assert people.keypoints2d is not None
    turned = replace(people, keypoints2d=people.keypoints2d * [-1, -1, 1] + [320, 240, 0])
    video = refilmed(clip, tmp_path / "turned.mp4", lambda frames: frames[:, ::-1, ::-1])
    line = refused(video=video, keypoints=write_mediapipe(turned, tmp_path / "turned.npz"))
    assert "turned.npz: the video is upside down" in line


def test_a_moving_camera_is_refused(refused, clip, tmp_path):
    def pan(frames):
        wide = np.concatenate([frames, frames[:, :, ::-1]], axis=2)
        return np.stack([wide[i, :, 4 * i : 4 * i + 320] for i in range(len(wide))])

    line = refused(video=refilmed(clip, tmp_path / "pan.mp4", pan), keypoints=None)
    assert "pan.mp4" in line
    assert "camera" in line


def test_depth_that_does_not_fit_is_refused(refused, tmp_path):
    """Another aspect, frames the video lacks, and flat maps: each names the file, and nothing is written."""
    frames = np.arange(0, 30, 4)
    np.savez(tmp_path / "wide.npz", disparity=np.ones((8, 240, 480), np.float32), frame=frames)
    line = refused(depth=tmp_path / "wide.npz")
    assert "wide.npz" in line
    assert "480x240" in line
    np.savez(tmp_path / "late.npz", disparity=np.random.default_rng(0).random((8, 240, 320), np.float32), frame=frames + 20)
    assert "late.npz" in refused(depth=tmp_path / "late.npz")
    np.savez(tmp_path / "flat.npz", disparity=np.ones((8, 240, 320), np.float32), frame=frames)
    assert "flat.npz" in refused(depth=tmp_path / "flat.npz")


def test_depth_without_anybody_is_refused(refused, clip):
    line = refused(depth=clip.depth, keypoints=None)
    assert "clip_depth.npz: nobody was found in the video" in line
    assert "--keypoints" in line


def test_a_file_in_the_scenes_place_is_refused(refused, tmp_path):
    """Before anything is computed, and the file stays."""
    (tmp_path / "out").write_text("mine")
    assert "out: is a file" in refused()
    assert (tmp_path / "out").read_text() == "mine"


def test_a_corrupt_video_is_refused(refused, clip, tmp_path):
    """Cut short, and no video at all."""
    (tmp_path / "cut.mp4").write_bytes(clip.video.read_bytes()[:5000])
    assert "cut.mp4" in refused(video=tmp_path / "cut.mp4")
    (tmp_path / "text.mp4").write_text("this is no video")
    assert "text.mp4" in refused(video=tmp_path / "text.mp4")


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_hostile_pickle_is_refused_by_name(refused, tmp_path):
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"pose": Touch(tmp_path / "it_ran")}))
    line = refused(hmr=tmp_path / "bad.pkl")
    assert "bad.pkl: refused to unpickle" in line
    assert not (tmp_path / "it_ran").exists()


def test_unknown_formats_say_what_is_known(refused, tmp_path):
    (tmp_path / "odd.json").write_text('{"joints": [1, 2, 3]}')
    line = refused(keypoints=tmp_path / "odd.json")
    assert "odd.json" in line
    assert "COCO" in line
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps({"nothing": [1, 2]}))
    line = refused(hmr=tmp_path / "odd.pkl")
    assert "odd.pkl" in line
    assert "WHAM" in line


def test_bodies_of_a_longer_video_are_refused(refused, clip, tmp_path):
    from augment.sources.people.hmr import read_hmr

    bodies = read_hmr(clip.hmr, width=320, height=240)
    path = write_wham(replace(bodies, frame=bodies.frame + 500), tmp_path / "late.pkl")
    assert "late.pkl: field frame" in refused(hmr=path)


def test_several_videos_need_a_file_each(refused, clip, tmp_path):
    """One keypoint file for a folder of videos, or a folder that lacks one: refused before anything is made."""
    folder = tmp_path / "videos"
    folder.mkdir()
    assert "no video in" in refused(video=folder)
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(clip.video, folder / name)
    assert "one file for 2 videos" in refused(video=folder)
    points = tmp_path / "points"
    points.mkdir()
    shutil.copy(clip.keypoints, points / "a.npz")
    line = refused(video=folder, keypoints=points)
    assert "named like b.mp4" in line


def test_the_command_makes_a_scene_of_what_is_right(clip, tmp_path, capsys, quick):
    """A folder of two videos, the first of which is corrupt: exit 0, the reason among the notes, scene and report made."""
    folder, points = tmp_path / "videos", tmp_path / "points"
    folder.mkdir()
    points.mkdir()
    (folder / "a.mp4").write_bytes(clip.video.read_bytes()[:5000])
    shutil.copy(clip.video, folder / "b.mp4")
    for name in ("a.npz", "b.npz"):
        shutil.copy(clip.keypoints, points / name)
    main(["reconstruct", str(folder), "--keypoints", str(points), "--out", str(tmp_path / "out"), "--max-overlays", "0"])
    text = capsys.readouterr().out
    assert "a.mp4" in text
    assert load_scene(tmp_path / "out").provenance["videos"] == ["b.mp4"]
    assert [motion.name for motion in read_store(tmp_path / "out" / "motions")] == ["b_p0_0"]
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--focal", "-1"), ("--camera-height", "0"), ("--pitch", "200"), ("--person-height", "17"), ("--smoothness", "-1"),
     ("--prior-weight", "-2"), ("--depth-scale", "0")],
)  # fmt: skip
def test_numbers_that_mean_nothing_are_refused_by_name(option, value, tmp_path, capsys):
    """Before any work: the option, what was given and what is expected, and exit code 2."""
    from augment.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "out"), option, value])
    assert stop.value.code == 2
    assert option in capsys.readouterr().err


def test_a_scene_of_another_making_is_not_overwritten(tmp_path, capsys):
    """Known answer: an embedded room in --out stays as it is."""
    from augment.cli import main

    out = tmp_path / "room"
    out.mkdir()
    (out / "scene.json").write_text('{"provenance": {"source": "embedded"}}')
    with pytest.raises(SystemExit):
        main(["reconstruct", str(tmp_path / "none.mp4"), "--out", str(out)])
    assert "another scene" in capsys.readouterr().err
    assert (out / "scene.json").read_text() == '{"provenance": {"source": "embedded"}}'


def test_a_solved_camera_gives_its_focal_length_at_the_videos_size(clip, tmp_path):
    """Known answer: a camera of twice the video's size has twice its focal length; lenses that disagree are refused."""

    from augment.commands.reconstruct import Reconstruct

    def focal(*lengths: float, height: int = 480) -> float | None:
        one = {"transform_matrix": np.eye(4).tolist()}
        frames = [one | {"file_path": f"{i}.png", "fl_x": length} for i, length in enumerate(lengths)]
        solved = {"w": 640, "h": height, "cx": 320, "cy": height / 2, "camera_model": "PINHOLE", "frames": frames}
        (tmp_path / "transforms.json").write_text(json.dumps(solved))
        command = Reconstruct(video=[clip.video], out=tmp_path / "out", camera=tmp_path / "transforms.json")
        return command._solved_focal([clip.video])

    assert focal(600.0, 600.0) == pytest.approx(300.0)
    with pytest.raises(ValueError, match="a fixed camera has one"):
        focal(600.0, 700.0)
    with pytest.raises(ValueError, match="another shape"):
        focal(600.0, height=640)
