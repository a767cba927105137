"""From a clip to a scene with the people in it: complete, near the truth, and every loss counted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from augment.motion.store import read_store
from augment.reconstruct.annotate.segments import read_segments
from augment.reconstruct.bodies.config import FitConfig
from augment.reconstruct.config import Inputs
from augment.reconstruct.people import Reconstruction
from augment.scene.store import load_scene
from augment.sources.people.keypoints import read_keypoints
from tests.make.clip import Clip, off, reconstruct_clip, refilmed, respelled

QUICK = FitConfig(iterations=(5, 5, 5))


def depth_error(clip: Clip, result: Reconstruction) -> float:
    """Median relative error of the room's depth."""
    found, truth = result.scene.depth, clip.truth.scene.depth
    both = (found > 0) & (truth > 0)
    assert both.mean() > 0.9
    return float(np.median(np.abs(found - truth)[both] / truth[both]))


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


def test_labels_of_no_video_here_are_counted(clip, guessed, tmp_path):
    """A mistyped name is not passed over in silence."""
    shutil.copytree(guessed[0] / "work", tmp_path / "ward" / "work")
    segments = {"klip.mp4": read_segments(guessed[0].parent / "labels.csv")["day1/clip.mp4"]}
    result = reconstruct_clip(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=clip.keypoints), segments=segments)
    assert [count for reason, count in result.rejections.items() if reason.startswith("annotations:")] == [1]
    (motion,) = list(read_store(tmp_path / "ward" / "motions"))
    assert motion.segments == ()
    assert motion.action == "other"


def test_one_bad_video_of_several_is_counted_and_the_rest_is_done(clip, tmp_path):
    """A corrupt video, one of another size, and keypoints of another length: three reasons, and a scene from the good one."""
    (tmp_path / "corrupt.mp4").write_bytes(clip.video.read_bytes()[:5000])
    small = refilmed(clip, tmp_path / "small.mp4", lambda frames: frames[:, ::2, ::2])
    shutil.copy(clip.video, tmp_path / "cut.mp4")
    cut = respelled(clip, tmp_path / "cut.npz", lambda points: points[:20])
    halved = respelled(clip, tmp_path / "small.npz", lambda points: points * [0.5, 0.5, 1])
    with np.load(halved) as data:
        np.savez(halved, **(dict(data) | {"size": np.array([160, 120])}))
    result = reconstruct_clip(
        clip, tmp_path / "ward", Inputs(video=tmp_path / "corrupt.mp4", keypoints=clip.keypoints),
        Inputs(video=clip.video, keypoints=clip.keypoints), Inputs(video=small, keypoints=halved),
        Inputs(video=tmp_path / "cut.mp4", keypoints=cut), fit=QUICK,
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

    result = reconstruct_clip(clip, tmp_path / "ward", Inputs(video=clip.video, hmr=clip.hmr))
    believed = read_hmr(clip.hmr, width=320, height=240, focal=clip.given.focal)
    before = bodies_to_joints(believed, clip.truth.camera, clip.truth.body, frames=30) - clip.truth.joints[0]
    assert off(clip, result) < 0.6 * float(np.linalg.norm(before, axis=-1).mean())
    assert result.people[0].layout == ""
    assert "WHAM" in result.scene.provenance["estimators"]


def test_an_empty_room_is_a_scene(clip, tmp_path):
    """Neither keypoints nor bodies: a guessed room with nobody in it, and an empty store; said so."""
    result = reconstruct_clip(clip, tmp_path / "ward", Inputs(video=clip.video))
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
    result = reconstruct_clip(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=both), fit=QUICK)
    assert len(result.people) == 1
    assert sum(count for reason, count in result.rejections.items() if reason.startswith("person not fitted")) == 1


def test_gaps_and_untrusted_frames_are_counted(clip, tmp_path):
    """NaN keypoints in some frames: the person goes on through the gap, which the result counts and marks."""

    def blank(points):
        points[12:16] = np.nan
        return points

    keypoints = respelled(clip, tmp_path / "gap.npz", blank)
    result = reconstruct_clip(clip, tmp_path / "ward", Inputs(video=clip.video, keypoints=keypoints), fit=QUICK)
    assert result.rejections["frames bridged over a gap"] == 4
    assert np.flatnonzero(~result.people[0].observed).tolist() == [12, 13, 14, 15]
    assert np.isfinite(result.people[0].joints).all()
