"""Watching an untrimmed video, and what becomes of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from augment.shards.video_codec import decode_video, encode_video
from recognition.alarms import AlarmRule
from recognition.checkpoint import load_checkpoint, save_checkpoint
from recognition.cli import main
from recognition.csv_table import read_csv
from recognition.evaluate import watch_whole
from recognition.event_alarms import alarm_figures
from recognition.inputs.keypoints import KeypointStore
from recognition.networks.build import build_model
from recognition.networks.weights import FOLDER
from recognition.study_file import make_study
from recognition.watch_pictures import OTHERS, RED
from tests.make.videos import (
    CLASSES,
    FPS,
    bar_keypoints,
    bar_video,
    study_data,
    write_npz_keypoints,
    write_sound,
    write_videos,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A trained classifier of pictures, one of keypoints, and a video with a fall between 10 and 11 s."""
    root = tmp_path_factory.mktemp("watch")
    train = write_videos(root, 4, seed=0, prefix="train", keypoints=True)
    test = write_videos(root, 2, seed=1, prefix="test", keypoints=True)
    for name, changes in {
        "rgb": {"steps": 4},
        "keypoints": {"input": "keypoints", "model": "keypoint_cnn", "steps": 60},
    }.items():
        study = root / f"{name}.json"
        study.write_text(json.dumps(study_data(train, test, **changes)))  # JSON is YAML
        assert main(["train", str(study), "--out", str(root / f"{name}.safetensors")]) == 0
    rng = np.random.default_rng(5)
    fall, points = bar_video(rng=rng), bar_keypoints(rng=rng)
    (root / "long.mp4").write_bytes(encode_video(np.concatenate([*[fall[:16]] * 4, fall]), fps=FPS))
    write_npz_keypoints(root / "long.npz", np.concatenate([*[points[:16]] * 4, points]), size=(64, 48))
    return root


def test_watching_finds_the_fall_and_marks_its_frames(folder, capsys):
    out, video, points = folder / "watched", folder / "long.mp4", folder / "long.npz"
    given = ["--out", str(out), "--keypoints", str(points)]
    assert main(["watch", str(folder / "keypoints.safetensors"), str(video), *given]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].startswith(f"{out / 'timeline.png'}: 1 alarm(s) in 13.0 s")
    assert "long.npz: these detections are not of" in printed[0]  # they were drawn for a bar somewhere else
    timeline = json.loads((out / "timeline.json").read_text())
    assert timeline["classes"] == ["standing", "fall", "down"]  # the study's order, which is not the alphabet's
    (alarm,) = timeline["alarms"]
    assert alarm["start_sec"] < 10.8 < alarm["raised_sec"]
    assert alarm["end_sec"] > 10.2
    first, *_, last = timeline["segments"]
    assert (first["label"], first["start_sec"], last["label"]) == ("standing", 0, "down")
    assert first["end_sec"] > 9
    assert last["end_sec"] == 13
    frames, fps = decode_video(out / "annotated.mp4")
    assert (len(frames), fps) == (104, FPS)
    red = (frames[:, :3, :, 0].astype(int) - frames[:, :3, :, 1]).mean(axis=(1, 2)) > 80
    times = (np.arange(104) + 0.5) / FPS
    assert (red == ((times >= alarm["start_sec"]) & (times < alarm["end_sec"]))).all()
    picture = cv2.imread(str(out / "timeline.png"))
    assert picture is not None
    assert picture.std() > 20


def test_pictures_need_no_keypoints(folder, capsys):
    """The network has hardly learnt anything: all that counts is that each window has a probability."""
    out, options = folder / "watched-rgb", ["--watch-for", "down", "--threshold", "0"]
    arguments = [str(folder / "rgb.safetensors"), str(folder / "long.mp4"), "--out", str(out), *options]
    assert main(["watch", *arguments]) == 0
    assert "alarm: down from 0.0 to 13.0 s, raised at 1.5 s" in capsys.readouterr().out
    timeline = json.loads((out / "timeline.json").read_text())
    assert timeline["times"] == [0.5 * number + 0.5 for number in range(25)]
    np.testing.assert_allclose(np.sum(timeline["probabilities"], axis=1), 1, atol=1e-3)


def test_a_video_has_the_alarms_that_a_study_counts_on_it(folder, tmp_path):
    """The same windows, the same rule: whatever the threshold."""
    network, about = load_checkpoint(folder / "keypoints.safetensors")
    table = folder / "long.csv"
    table.write_text(f"video,fps,frames,keypoints,segments\nlong.mp4,{FPS},104,long.npz,fall:30-31\n")
    (recording,) = read_csv(table)
    store = KeypointStore(folder=None, size=about["size"], frames=about["frames"], window_sec=about["window_sec"])
    settings = {"window_sec": about["window_sec"], "precision": about["precision"], "store": store}
    (seen,) = watch_whole(network, [recording], **settings)
    counts = set()
    for threshold in np.unique(seen.probabilities[:, 1])[::4].tolist():
        rule = AlarmRule(windows=about["alarm_windows"], release=about["alarm_release"], threshold=threshold)
        given = ["--keypoints", str(folder / "long.npz"), "--out", str(tmp_path), "--threshold", str(threshold - 1e-7)]
        assert main(["watch", str(folder / "keypoints.safetensors"), str(folder / "long.mp4"), *given]) == 0
        alarms = json.loads((tmp_path / "timeline.json").read_text())["alarms"]
        counts.add(len(alarms))
        assert len(alarms) == alarm_figures([seen], 1, ["fall"], rule=rule)["false_alarms"]
    assert len(counts) > 1


def test_where_nobody_is_seen_there_is_neither_a_class_nor_an_alarm(folder, tmp_path, capsys):
    """Whatever the class and however low the threshold."""
    with np.load(folder / "long.npz") as stored:
        arrays = dict(stored)
    arrays["landmarks2d"][:40] = np.nan  # five seconds
    np.savez(tmp_path / "gone.npz", **arrays)
    given = ["--keypoints", str(tmp_path / "gone.npz"), "--out", str(tmp_path / "out"), "--threshold", "0"]
    for name in ("standing", "fall", "down"):
        arguments = [str(folder / "keypoints.safetensors"), str(folder / "long.mp4"), *given, "--watch-for", name]
        assert main(["watch", *arguments]) == 0
        timeline = json.loads((tmp_path / "out" / "timeline.json").read_text())
        first, second, *_ = timeline["segments"]
        assert (first["label"], first["start_sec"], second["label"]) == ("nobody seen", 0, "standing")
        assert 4 < first["end_sec"] < 5
        assert timeline["alarms"][0]["start_sec"] == first["end_sec"]
    assert f"most probable: nobody seen 0.0-{first['end_sec']:.1f} s, standing" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["person", "motion", "heatmaps"])
def test_every_input_can_be_watched(folder, tmp_path, kind, capsys):
    """An untrained network does: its checkpoint says what it looks at."""
    table = folder / "labels-train.csv"
    settings = {"input": kind, "size": 48, "window_sec": 2.0, "frames": 4, "classes": CLASSES, "arms": ["real"]}
    study = make_study({**settings, "real": {"csv": str(table)}, "test": {"csv": str(table)}})
    network = build_model(study.model, len(CLASSES), frames=study.frames, size=study.size)
    save_checkpoint(tmp_path / "untrained.safetensors", network, study, arm="real", seed=0)
    given = ["--keypoints", str(folder / "long.npz"), "--out", str(tmp_path / "out")]
    assert main(["watch", str(tmp_path / "untrained.safetensors"), str(folder / "long.mp4"), *given]) == 0
    timeline = json.loads((tmp_path / "out" / "timeline.json").read_text())
    assert np.shape(timeline["probabilities"]) == (23, 3)
    assert (tmp_path / "out" / "annotated.mp4").stat().st_size > 1000


def test_a_kept_classifier_gives_the_figures_that_training_printed(folder, capsys):
    """Whatever the order of the classes' names."""
    assert main(["train", str(folder / "keypoints.json"), "--out", str(folder / "again.safetensors")]) == 0
    trained = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith(("macro", "recall", "rare", "calib", "alarms"))
    ]
    data = ["--data", str(folder / "labels-test.csv")]
    assert main(["evaluate", str(folder / "again.safetensors"), *data]) == 0
    kept = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith(("macro", "recall", "rare", "calib", "alarms"))
    ]
    assert kept == trained
    assert len(kept) == 7


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command refuses its input."""
    capsys.readouterr()
    assert main(["watch", *map(str, arguments)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    return line


def test_bad_input_is_refused_in_one_line_that_names_it(folder, tmp_path, capsys):
    video, out = folder / "long.mp4", ("--out", tmp_path / "out")
    checkpoint, points = folder / "rgb.safetensors", folder / "keypoints.safetensors"
    assert "--keypoints is missing" in refused(capsys, points, video, *out)
    assert "no such file, and no detector" in refused(capsys, points, video, "--keypoints", "nobody.npz", *out)
    other = folder / "keypoints" / "test0.npz"
    assert "test0.npz: holds 40 frames, the video long.mp4 has 104" in refused(
        capsys, points, video, "--keypoints", other, *out
    )
    write_npz_keypoints(tmp_path / "large.npz", np.full((104, 17, 3), 300.0), size=(640, 480))
    assert "large.npz: field size: found in a 640x480" in refused(
        capsys, points, video, "--keypoints", tmp_path / "large.npz", *out
    )
    (tmp_path / "one.mp4").write_bytes(encode_video(np.zeros((1, 48, 64, 3), np.uint8), fps=8.0))
    assert "one.mp4: frames: expected a video of 2 or more, found 1" in refused(capsys, checkpoint, tmp_path / "one.mp4", *out)
    assert "one.mp4: frames: expected" in refused(capsys, "understudy:person", tmp_path / "one.mp4", *out)
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:3000])
    assert "cut.mp4: cannot be opened as a video" in refused(capsys, checkpoint, tmp_path / "cut.mp4", *out)
    write_sound(tmp_path / "sound.mp4")
    assert "sound.mp4: holds no video stream" in refused(capsys, checkpoint, tmp_path / "sound.mp4", *out)
    assert "nothing.mp4: no such video" in refused(capsys, checkpoint, tmp_path / "nothing.mp4", *out)
    assert "long.mp4: not a checkpoint of" in refused(capsys, video, video, *out)
    assert "--watch-for jump: " in refused(capsys, checkpoint, video, "--watch-for", "jump", *out)
    assert "--plate nothing.png: no such picture" in refused(capsys, checkpoint, video, "--plate", "nothing.png", *out)
    assert "threshold 1.5: expected a probability" in refused(capsys, checkpoint, video, "--threshold", 1.5, *out)


def test_thirteen_classes_have_colours_of_their_own():
    assert len({*OTHERS, RED}) == len(OTHERS) + 1 >= 13


def test_shipped_weights_are_watched_with_by_name(folder, tmp_path, capsys):
    """Law: the name means the file; a name that is none tells those there are."""
    given = [str(folder / "long.mp4"), "--keypoints", str(folder / "long.npz"), "--out", str(tmp_path / "out")]
    timelines = []
    for name in ("understudy:keypoints", str(FOLDER / "keypoints.safetensors")):
        assert main(["watch", name, *given]) == 0
        timelines.append(json.loads((tmp_path / "out" / "timeline.json").read_text())["probabilities"])
    assert timelines[0] == timelines[1]
    assert "most probable: " in capsys.readouterr().out
    for name in ("understudy", "understudy:keypoint", "none.safetensors"):
        assert main(["watch", name, *given]) == 2
        line = capsys.readouterr().err
        assert name in line
        assert "understudy:keypoints" in line
