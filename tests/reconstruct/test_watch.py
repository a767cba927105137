"""What goes in is checked before anything is made of it: detections are tracked, paired, and refused if of another video."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.reconstruct.watch.track import TrackConfig
from augment.reconstruct.watch.watch import bodies_as_points, track_of, track_video
from augment.sources.people.hmr import read_hmr
from augment.sources.people.keypoints import read_keypoints
from augment.sources.people.people import LAYOUTS, People
from benchmarks.truth.maker import make_truth, write_mediapipe
from tests.make.clip import Clip, refilmed, respelled, write_wham


def look(clip: Clip, body, **changes):
    return track_video(**({"video": clip.video, "keypoints": clip.keypoints, "hmr": None, "body": body} | changes))


def write_coco(people: People, path: Path, **fields) -> Path:
    """COCO's list of detections, one a person and frame."""
    assert people.keypoints2d is not None
    rows = []
    for frame, track, points in zip(people.frame, people.track, people.keypoints2d, strict=True):
        known = np.nan_to_num(points)
        rows.append({"image_id": int(frame), "category_id": 1, "score": 0.9, "keypoints": known.ravel().tolist(),
                     "track_id": int(track)} | fields)  # fmt: skip
    path.write_text(json.dumps(rows))
    return path


def test_keypoints_and_bodies_of_one_person_come_together(clip, body):
    """Two tables of one person, keypoints first; outlines of the whole video; the estimators' notes are kept."""
    seen = look(clip, body, hmr=clip.hmr, focal=clip.given.focal)
    assert [[table.has_bodies for table in person] for person in seen.people] == [[False, True]]
    assert seen.people[0][0].layout == "mediapipe33"
    assert track_of(seen.people[0]) == 0
    assert (seen.info.frames, seen.info.width, seen.info.height) == (30, 320, 240)
    assert [len(outline) for outline in seen.outlines] == [30]
    assert seen.classes == ("person",)


def test_keypoints_and_bodies_of_two_people_stay_apart(clip, body, tmp_path):
    """Bodies that lie elsewhere in the picture are another person with a track of their own."""
    bodies = read_hmr(clip.hmr, width=320, height=240)
    assert bodies.transl is not None
    aside = write_wham(replace(bodies, transl=bodies.transl + [1.5, 0.0, 0.0]), tmp_path / "aside.pkl")
    seen = look(clip, body, hmr=aside)
    assert [[table.has_bodies for table in person] for person in seen.people] == [[False], [True]]
    tracks = [track_of(person) for person in seen.people]
    assert len(set(tracks)) == 2
    assert len(seen.outlines) == len(seen.classes) == 2


def test_bodies_alone_give_outlines_where_they_stand(clip, body):
    """Law: points drawn from an estimator's bodies lie on the keypoints of the same person, to a few pixels."""
    seen = look(clip, body, keypoints=None, hmr=clip.hmr)
    drawn = bodies_as_points(seen.people[0][0], body)
    truth = clip.truth.people("mediapipe33")
    assert drawn.keypoints2d is not None
    assert truth.keypoints2d is not None
    _, a, b = np.intersect1d(drawn.frame, truth.frame, return_indices=True)
    off = np.linalg.norm(drawn.keypoints2d[a][..., :2] - truth.keypoints2d[b][..., :2], axis=-1)
    assert np.nanmedian(off) < 12.0  # pixels of a person 100 px tall, through an estimator's noise


def test_bodies_without_a_place_need_keypoints(clip, body):
    bodies = read_hmr(clip.hmr, width=320, height=240)
    with pytest.raises(ValueError, match=r"clip\.pkl: WHAM: bodies without a place in the picture; give --keypoints"):
        bodies_as_points(replace(bodies, transl=None), body)


def test_a_video_without_detections_has_nobody(clip, body):
    """Neither keypoints nor bodies: an empty room, nobody in it."""
    seen = look(clip, body, keypoints=None)
    assert seen.people == seen.outlines == seen.classes == ()


def test_every_layout_is_tracked(clip, body, tmp_path):
    """COCO's 17 points give the same person as MediaPipe's 33."""
    seen = look(clip, body, keypoints=write_coco(clip.truth.people("coco17"), tmp_path / "coco.json"))
    assert [person[0].layout for person in seen.people] == ["coco17"]
    assert len(seen.people[0][0]) == 30
    assert len(LAYOUTS["mediapipe33"]) == seen.outlines[0].landmarks2d.shape[1]


def test_two_people_under_one_id_become_two(clip, body, tmp_path):
    """Detections of two people that carry one id are two tracks; the split is counted."""
    one = clip.truth.people("coco17")
    assert one.keypoints2d is not None
    other = np.repeat(one.keypoints2d[:1], len(one), axis=0)  # a bystander: whoever walks must change the picture
    other[..., 0] += 90.0
    rows = np.argsort(np.r_[one.frame, one.frame], kind="stable")
    both = replace(
        one, frame=np.r_[one.frame, one.frame][rows], track=np.zeros(2 * len(one), int),
        keypoints2d=np.concatenate([one.keypoints2d, other])[rows],
    )  # fmt: skip
    seen = look(clip, body, keypoints=write_coco(both, tmp_path / "both.json"))
    assert len(seen.people) == 2
    for person in seen.people:
        assert len(np.unique(person[0].frame)) == len(person[0]) == 30
        assert person[0].keypoints2d is not None
        assert np.abs(np.diff(np.nanmean(person[0].keypoints2d[..., 0], axis=1))).max() < 20.0


def test_frames_without_a_person_are_gaps(clip, body, tmp_path):
    """NaN keypoints in some frames: those rows are missing, the track goes on, the bridged frames are counted."""

    def blank(points):
        points[12:16] = np.nan
        return points

    seen = look(clip, body, keypoints=respelled(clip, tmp_path / "gap.npz", blank))
    table = seen.people[0][0]
    assert not set(range(12, 16)) & set(table.frame.tolist())
    assert {11, 16} <= set(table.frame.tolist())
    assert seen.counts["frames bridged over a gap"] == 4
    assert np.isnan(seen.outlines[0].landmarks2d[12:16, :, :2]).all()


def test_scattered_detections_are_nobody(clip, body, tmp_path):
    """A flicker here and there is no person: refused with the file's name, and what to do."""

    def flicker(points):
        points[[i for i in range(30) if i not in (3, 20)]] = np.nan
        return points

    with pytest.raises(ValueError, match=r"few\.npz: nobody is followed for 5 frames.*2 detections"):
        look(clip, body, keypoints=respelled(clip, tmp_path / "few.npz", flicker))
    seen = look(clip, body, keypoints=respelled(clip, tmp_path / "few.npz", flicker),
                tracking=TrackConfig(max_gap=20, min_frames=1))  # fmt: skip
    assert len(seen.people) >= 1


def test_keypoints_of_another_video_are_refused(clip, body, tmp_path):
    """Same size, same length, same camera even; but somebody else who walks somewhere else."""
    other = make_truth(3, "walk", seconds=3.0, fps=10.0, size=(320, 240))
    assert len(other) == 30
    path = write_mediapipe(other.people("mediapipe33"), tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"other\.npz: these detections are not of .*clip\.mp4"):
        look(clip, body, keypoints=path)


def test_keypoints_of_another_length_are_refused(clip, body, tmp_path):
    cut = respelled(clip, tmp_path / "cut.npz", lambda points: points[:20])
    with pytest.raises(ValueError, match=r"cut\.npz: has 20 frames but .*clip\.mp4 has 30"):
        look(clip, body, keypoints=cut)


def test_nobody_in_view_is_refused(clip, body, tmp_path):
    nobody = respelled(clip, tmp_path / "nobody.npz", lambda points: points * np.nan)
    with pytest.raises(ValueError, match=r"nobody\.npz"):
        look(clip, body, keypoints=nobody)


def test_a_video_upside_down_is_refused(body, clip, tmp_path):
    """Turned by 180 degrees, keypoints and all: said to be so, with what to do."""
    truth = make_truth(3, "walk", seconds=3.0, fps=10.0, size=(320, 240))
    people = truth.people("mediapipe33")
    assert people.keypoints2d is not None
    people = replace(people, keypoints2d=people.keypoints2d * [-1, -1, 1] + [320, 240, 0])
    video = refilmed(clip, tmp_path / "turned.mp4", lambda frames: frames[:, ::-1, ::-1])
    with pytest.raises(ValueError, match=r"turned\.npz: the video is upside down.*rotate it by 180 degrees"):
        look(clip, body, video=video, keypoints=write_mediapipe(people, tmp_path / "turned.npz"))


def test_a_moving_camera_is_refused(clip, body, tmp_path):
    """A pan of 4 pixels a frame."""

    def pan(frames):
        wide = np.concatenate([frames, frames[:, :, ::-1]], axis=2)
        return np.stack([wide[i, :, 4 * i : 4 * i + 320] for i in range(len(wide))])

    def follow(points):
        points[..., 0] -= 4 * np.arange(30)[:, None]
        return points

    video = refilmed(clip, tmp_path / "pan.mp4", pan)
    with pytest.raises(ValueError, match=r"pan\.mp4: .*camera (moves|pans|turns)"):
        look(clip, body, video=video, keypoints=respelled(clip, tmp_path / "pan.npz", follow))


def test_a_detectors_table_is_as_good_as_its_file(clip, body):
    """Law: handing over the table gives what handing over the file gives."""
    table = read_keypoints(clip.keypoints, width=320, height=240)
    one, other = look(clip, body), look(clip, body, keypoints=table)
    np.testing.assert_array_equal(one.outlines[0].landmarks2d, other.outlines[0].landmarks2d)
    assert one.counts == other.counts
