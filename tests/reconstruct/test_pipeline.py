"""From a clip to a scene with the people in it: complete, near the truth, repeatable, and honest about what cannot be used."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.cli import main
from augment.motion.store import read_store
from augment.reconstruct import pipeline as module
from augment.reconstruct.annotate.labels import annotated_as
from augment.reconstruct.annotate.segments import read_segments
from augment.reconstruct.bodies.fit import FitConfig
from augment.reconstruct.camera.calibrate import Given
from augment.reconstruct.people import Reconstruction
from augment.reconstruct.pipeline import Inputs, ReconstructConfig, reconstruct
from augment.scene.store import load_scene
from augment.sources.people.keypoints import read_keypoints
from benchmarks.truth.maker import make_truth, write_mediapipe
from tests.make.clip import Clip, refilmed, respelled, write_wham

STEPS = (15, 20, 30)


def config_of(clip: Clip, **changes: Any) -> ReconstructConfig:
    fields = {
        "person_height": clip.truth.heights()[0], "given": Given(**clip.camera_given), "fit": FitConfig(iterations=STEPS),
        "max_overlays": 0,
    }  # fmt: skip
    return ReconstructConfig(**(fields | changes))


def make(clip: Clip, out: Path, *inputs: Inputs, segments: Any = None, **changes: Any) -> Reconstruction:
    return reconstruct(inputs, out, config=config_of(clip, **changes), segments=segments)


def depth_error(clip: Clip, result: Reconstruction) -> float:
    """Median relative error of the room's depth."""
    found, truth = result.scene.depth, clip.truth.scene.depth
    both = (found > 0) & (truth > 0)
    assert both.mean() > 0.9
    return float(np.median(np.abs(found - truth)[both] / truth[both]))


def off(clip: Clip, result: Reconstruction) -> float:
    """MPJPE of the one person, metres."""
    (person,) = result.people
    return float(np.linalg.norm(person.joints - clip.truth.joints[0][person.frames], axis=-1).mean())


def produced(out: Path) -> dict[str, bytes]:
    """Scene description and motions, byte for byte."""
    return {str(p.relative_to(out)): p.read_bytes() for p in (out / "scene.json", *sorted((out / "motions").iterdir()))}


@pytest.fixture(scope="module")
def guessed(clip, tmp_path_factory) -> tuple[Path, Reconstruction]:
    """From keypoints alone, with labels."""
    out = tmp_path_factory.mktemp("guessed") / "ward"
    (out.parent / "labels.csv").write_text("path,label,start,end\nday1/clip.mp4,standing,0,1\nday1/clip.mp4,walk,1,9\n")
    segments = read_segments(out.parent / "labels.csv")
    return out, make(clip, out, Inputs(video=clip.video, keypoints=clip.keypoints), segments=segments)


@pytest.fixture(scope="module")
def measured(clip, tmp_path_factory) -> tuple[Path, Reconstruction]:
    """From keypoints, bodies and depth."""
    out = tmp_path_factory.mktemp("measured") / "ward"
    return out, make(clip, out, Inputs(video=clip.video, keypoints=clip.keypoints, hmr=clip.hmr, depth=clip.depth))


def test_everything_is_there_and_loads(clip, guessed, measured):
    """The scene folder is complete: it loads, with plate and depth of the video's size, mesh, cloud, report and store."""
    for out, result in (guessed, measured):
        scene = load_scene(out)
        assert scene.plate.shape == (240, 320, 3)
        assert scene.depth.shape == (240, 320)
        assert scene.mesh is not None
        assert len(scene.floor) >= 3
        assert pytest.approx(result.scene.camera.K) == scene.camera.K
        assert list(out.glob("*.ply"))
        assert list(out.glob("*.glb"))
        assert "<html" in (out / "report.html").read_text()[:400].lower()
        assert json.loads((out / "report.json").read_text())
        assert (out / "report.html").stat().st_size > 50_000
        assert set(result.seconds) >= {"watch", "calibrate", "fit", "plate", "room", "write", "report"}
        assert result.videos == (clip.video,)


def test_without_depth_the_room_is_said_to_be_a_guess(guessed, measured):
    """``scene.json`` names the guess, and only where it is one."""
    description = json.loads((guessed[0] / "scene.json").read_text())
    assert any(line.startswith("depth:") for line in description["provenance"]["guessed"])
    assert description["provenance"]["depth"] == {}
    description = json.loads((measured[0] / "scene.json").read_text())
    assert not any(line.startswith("depth:") for line in description["provenance"]["guessed"])
    assert description["provenance"]["depth"]["frames_agreed"] >= 4
    assert {"MediaPipe", "WHAM"} <= set(description["provenance"]["estimators"])


def test_measured_depth_is_the_rooms(clip, measured):
    """Known truth: disparity under an unknown affine map becomes the room's depth in metres, within 5 % at the median."""
    _, result = measured
    assert depth_error(clip, result) < 0.05
    assert result.depth["inlier_ratio"] > 0.8
    assert result.depth["floor_tilt_deg"] < 5.0


def test_the_person_is_where_they_were(clip, guessed, measured):
    """MPJPE in the world within 10 cm from keypoints alone, 6 cm with an estimator's bodies; the stature is the given one."""
    assert off(clip, guessed[1]) < 0.10
    assert off(clip, measured[1]) < 0.06
    for _, result in (guessed, measured):
        assert result.people[0].height_m == pytest.approx(clip.truth.heights()[0], abs=0.05)


def test_motions_are_in_the_store_with_their_labels(guessed):
    """The store loads; the motion carries its labels, cut to it, and says where it is from."""
    out, result = guessed
    (motion,) = list(read_store(out / "motions"))
    assert motion.name == "clip_p0_0"
    assert [(s.label, round(s.start_sec, 3), round(s.end_sec, 3)) for s in motion.segments] == [
        ("standing", 0.0, 1.0), ("walk", 1.0, 3.0),
    ]  # fmt: skip
    assert motion.action == "walk"
    assert motion.provenance["origin"] == "reconstruction"
    np.testing.assert_allclose(motion.body_pose, result.people[0].motion.body_pose, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "found"),
    [(["clip.mp4", "other.mp4"], "clip.mp4"), (["clip"], "clip"), (["day1/clip", "day2/clip"], "day2/clip"),
     (["clip", "day2/clip.mp4"], "day2/clip.mp4"), (["x/day2/clip", "ward/day2/clip"], "ward/day2/clip"),
     (["other", "4"], None), ([], None)],
)  # fmt: skip
def test_labels_go_to_the_video_they_name(names, found):
    """Known answers: by file name with or without its ending; of several by the most folders shared."""
    assert annotated_as(Path("/data/ward/day2/clip.mp4"), names) == found


def test_labels_of_no_video_here_are_counted(clip, guessed, tmp_path):
    """A mistyped name is not passed over in silence."""
    shutil.copytree(guessed[0] / "work", tmp_path / "ward" / "work")
    segments = {"klip.mp4": read_segments(guessed[0].parent / "labels.csv")["day1/clip.mp4"]}
    result = make(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=clip.keypoints), segments=segments)
    assert [count for reason, count in result.rejections.items() if reason.startswith("annotations:")] == [1]
    (motion,) = list(read_store(tmp_path / "ward" / "motions"))
    assert motion.segments == ()
    assert motion.action == "other"


def test_the_same_again_is_taken_from_work_to_the_same_bytes(clip, guessed, tmp_path, monkeypatch):
    """Determinism: a fresh run elsewhere gives the same bytes; a second run there does not fit again and changes nothing."""
    inputs = Inputs(video=clip.video, keypoints=clip.keypoints)
    segments = {"clip": guessed[1].people and read_segments(guessed[0].parent / "labels.csv")["day1/clip.mp4"]}
    out = tmp_path / "ward"
    make(clip, out, inputs, segments=segments)
    assert produced(out) == produced(guessed[0])

    def refuse(*tracks, config=None, **_):
        assert config is not None
        assert config.iterations == (0, 0, 0), "fitted again"
        return [], None

    monkeypatch.setattr(module, "fit_people", refuse)
    make(clip, out, inputs, segments=segments)
    assert produced(out) == produced(guessed[0])


def test_other_inputs_or_weights_are_fitted_anew(clip, guessed, monkeypatch, tmp_path):
    """What is kept belongs to one set of inputs: another weight, another keypoint file, and it is not taken."""
    shutil.copytree(guessed[0] / "work", tmp_path / "ward" / "work")

    class Fitted(Exception):
        pass

    real = module.fit_people

    def stop(*tracks, config=None, **rest):
        if config.iterations == (0, 0, 0):
            return real(*tracks, config=config, **rest)
        raise Fitted

    monkeypatch.setattr(module, "fit_people", stop)
    other = respelled(clip, tmp_path / "clip.npz", lambda points: points + [0.5, 0, 0])
    for keypoints, fit in ((clip.keypoints, FitConfig(iterations=STEPS, prior=0.5)), (other, FitConfig(iterations=STEPS))):
        with pytest.raises(Fitted):
            make(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=keypoints), fit=fit)


KILLED = """
import sys
from pathlib import Path
from augment.reconstruct.bodies.fit import FitConfig
from augment.reconstruct.camera.calibrate import Given
from augment.reconstruct.pipeline import Inputs, ReconstructConfig, reconstruct
folder, out, height, focal, up, pitch = Path(sys.argv[1]), Path(sys.argv[2]), *map(float, sys.argv[3:])
config = ReconstructConfig(person_height=height, given=Given(focal=focal, height=up, pitch=pitch),
                           fit=FitConfig(iterations=(15, 20, 30)), max_overlays=0)
reconstruct([Inputs(video=folder / f"{n}.mp4", keypoints=folder / f"{n}.npz") for n in "ab"], out, config=config)
"""


def test_killed_in_the_middle_it_goes_on(clip, tmp_path, monkeypatch):
    """SIGKILL after the first of two fits: that one is kept and taken, only the other is fitted by the next run."""
    for name in "ab":
        shutil.copy(clip.video, tmp_path / f"{name}.mp4")
        shutil.copy(clip.keypoints, tmp_path / f"{name}.npz")
    out, given = tmp_path / "ward", clip.camera_given
    numbers = [clip.truth.heights()[0], given["focal"], given["height"], given["pitch"]]
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

    def watch(tracks, *rest, config=None, **options):
        if config.iterations != (0, 0, 0):
            fitted.append(options["videos"])
        return real(tracks, *rest, config=config, **options)

    monkeypatch.setattr(module, "fit_people", watch)
    result = make(clip, out, *(Inputs(video=tmp_path / f"{n}.mp4", keypoints=tmp_path / f"{n}.npz") for n in "ab"))
    assert fitted == [[1]]
    assert all((out / "work" / name).read_bytes() == data for name, data in kept.items())
    assert [person.video for person in result.people] == [0, 1]
    np.testing.assert_allclose(result.people[0].joints, result.people[1].joints, atol=1e-5)
    assert sorted(motion.name for motion in read_store(out / "motions")) == ["a_p0_0", "b_p0_0"]


def test_one_bad_video_of_several_is_counted_and_the_rest_is_done(clip, tmp_path):
    """A corrupt video, one of another size, and keypoints of another length: three reasons, and a scene from the good one."""
    (tmp_path / "corrupt.mp4").write_bytes(clip.video.read_bytes()[:5000])
    small = refilmed(clip, tmp_path / "small.mp4", lambda frames: frames[:, ::2, ::2])
    shutil.copy(clip.video, tmp_path / "cut.mp4")
    cut = respelled(clip, tmp_path / "cut.npz", lambda points: points[:20])
    halved = respelled(clip, tmp_path / "small.npz", lambda points: points * [0.5, 0.5, 1])
    with np.load(halved) as data:
        np.savez(halved, **(dict(data) | {"size": np.array([160, 120])}))
    result = make(
        clip, tmp_path / "ward", Inputs(video=tmp_path / "corrupt.mp4", keypoints=clip.keypoints),
        Inputs(video=clip.video, keypoints=clip.keypoints), Inputs(video=small, keypoints=halved),
        Inputs(video=tmp_path / "cut.mp4", keypoints=cut), fit=FitConfig(iterations=(5, 5, 5)),
    )  # fmt: skip
    reasons = [reason for reason in result.rejections if reason.startswith("video: ")]
    assert sorted(name for name in ("corrupt.mp4", "small.mp4", "cut.npz") if any(name in r for r in reasons)) == [
        "corrupt.mp4", "cut.npz", "small.mp4",
    ]  # fmt: skip
    assert len(reasons) == 3
    assert result.videos == (clip.video,)
    assert load_scene(tmp_path / "ward").provenance["videos"] == ["clip.mp4"]


def test_bodies_alone_are_enough(clip, tmp_path):
    """WHAM's bodies and nothing else: nobody's keypoints are needed; the error of the input falls by 40 %."""
    from augment.sources.people.hmr import read_hmr
    from benchmarks.truth.spoil_bodies import bodies_to_joints

    result = make(clip, tmp_path / "ward", Inputs(video=clip.video, hmr=clip.hmr))
    believed = read_hmr(clip.hmr, width=320, height=240, focal=clip.camera_given["focal"])
    before = bodies_to_joints(believed, clip.truth.camera, clip.truth.body, frames=30) - clip.truth.joints[0]
    assert off(clip, result) < 0.6 * float(np.linalg.norm(before, axis=-1).mean())
    assert result.people[0].layout == ""
    assert "WHAM" in result.scene.provenance["estimators"]


def test_an_empty_room_is_a_scene(clip, tmp_path):
    """Neither keypoints nor bodies: a guessed room with nobody in it, and an empty store; said so."""
    result = make(clip, tmp_path / "ward", Inputs(video=clip.video))
    assert result.people == ()
    assert len(read_store(tmp_path / "ward" / "motions")) == 0
    assert any("without keypoints" in line for line in load_scene(tmp_path / "ward").provenance["guessed"])


def test_a_person_who_cannot_be_fitted_stops_nobody(clip, tmp_path):
    """A second track of five points of a face: counted with its reason; the other person is fitted all the same."""
    table = read_keypoints(clip.keypoints, width=320, height=240)
    assert table.keypoints2d is not None
    face = np.full_like(table.keypoints2d, np.nan)
    face[:, :5] = [250.0, 60.0, 0.9] + np.arange(5)[:, None] * np.array([2.0, 1.0, 0.0])
    rows = np.argsort(np.r_[table.frame, table.frame], kind="stable")
    both = replace(
        table, frame=np.r_[table.frame, table.frame][rows], track=np.r_[table.track, table.track + 1][rows],
        keypoints2d=np.concatenate([table.keypoints2d, face])[rows], keypoints3d=None,
    )  # fmt: skip
    result = make(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=both), fit=FitConfig(iterations=(5, 5, 5)))
    assert len(result.people) == 1
    assert sum(count for reason, count in result.rejections.items() if reason.startswith("person not fitted")) == 1


def test_gaps_and_untrusted_frames_are_counted(clip, tmp_path):
    """NaN keypoints in some frames: the person goes on through the gap, which the result counts and marks."""

    def blank(points):
        points[12:16] = np.nan
        return points

    keypoints = respelled(clip, tmp_path / "gap.npz", blank)
    result = make(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=keypoints), fit=FitConfig(iterations=(5, 5, 5)))
    assert result.rejections["frames bridged over a gap"] == 4
    assert np.flatnonzero(~result.people[0].observed).tolist() == [12, 13, 14, 15]
    assert np.isfinite(result.people[0].joints).all()


# --- messages, as a user meets them -------------------------------------------------------------------------------------


@pytest.fixture
def refused(clip, tmp_path, capsys, monkeypatch):
    """Run the command on the clip with some options changed; the one line it ends with."""
    from augment.commands.reconstruct import FitOptions

    monkeypatch.setattr(FitOptions, "config", lambda self: FitConfig(iterations=(2, 2, 2)))

    def run(*, video: Path | None = None, **options: Any) -> str:
        named = {"keypoints": clip.keypoints} | options
        given = clip.camera_given
        arguments = ["reconstruct", str(video or clip.video), "--out", str(tmp_path / "out"), "--focal", str(given["focal"]),
                     "--camera-height", str(given["height"]), "--pitch", str(np.degrees(given["pitch"])),
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


def test_the_command_makes_a_scene_of_what_is_right(clip, tmp_path, capsys, monkeypatch):
    """A folder of two videos, the first of which is corrupt: exit 0, the reason among the notes, scene and report made."""
    from augment.commands.reconstruct import FitOptions

    monkeypatch.setattr(FitOptions, "config", lambda self: FitConfig(iterations=(2, 2, 2)))
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
    assert "1 people in 1 videos" in text
    assert load_scene(tmp_path / "out").provenance["videos"] == ["b.mp4"]
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
    import json

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
