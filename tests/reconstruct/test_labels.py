"""Whose labels go to whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.body.model import load_body
from augment.reconstruct.annotate.labels import annotated_as, identify, labels_of
from augment.reconstruct.people import Recovered
from augment.reconstruct.watch.watch import TrackedVideo
from augment.sources.people.people import People, check_people, join_people
from augment.sources.video import VideoInfo
from augment.types import Motion, Segment


def person(track: int, left: float, path: str = "a.json") -> People:
    """Someone who stands at ``left`` for ten frames."""
    rng = np.random.default_rng(track)
    points = np.concatenate([rng.uniform(0, 60, (10, 17, 2)) + [left, 100], np.ones((10, 17, 1))], axis=-1)
    return check_people(
        People(
            path=Path(path), source="test", frame=np.arange(10), track=np.full(10, track), layout="coco17", keypoints2d=points
        )
    )


def tracked_video(*people: People) -> TrackedVideo:
    info = VideoInfo(path=Path("ward.mp4"), width=640, height=480, fps=10.0, frames=10)
    return TrackedVideo(info=info, people=tuple((p,) for p in people), classes=("person",) * len(people), outlines=())


def recovered(track: int, video: int = 0) -> Recovered:
    n = 10
    motion = Motion(
        global_orient=np.zeros((n, 3)), body_pose=np.zeros((n, 23, 3)), transl=np.zeros((n, 3)), betas=np.zeros(10), fps=10.0
    )
    return Recovered(
        video=video, track=track, person_class="person", frames=np.arange(n), observed=np.ones(n, bool), motion=motion,
        joints=np.zeros((n, 24, 3)), layout="", observed2d=np.zeros((n, 0, 3)), fitted2d=np.zeros((n, 0, 2)),
        reprojection_px=np.zeros(n), contact=np.zeros((n, 4)), height_m=1.7,
    )  # fmt: skip


WALK = (Segment(label="walk", start_sec=0.0, end_sec=1.0),)
FALL = (Segment(label="fall", start_sec=0.0, end_sec=1.0),)


def test_labels_follow_the_annotated_person_to_the_track_that_lies_on_them():
    """Known answer: annotated 7 stands where track 1 is, annotated 9 where track 0 is."""
    seen = tracked_video(person(0, 400), person(1, 100))
    marked = join_people([replace(person(1, 100), track=np.full(10, 7)), replace(person(0, 400), track=np.full(10, 9))])
    who = identify(seen, marked, load_body())
    assert who == {1: 7, 0: 9}
    segments = {"7": FALL, "9": WALK}
    assert labels_of(recovered(1), [seen], segments, [who]) == FALL
    assert labels_of(recovered(0), [seen], segments, [who]) == WALK


def test_labels_without_persons_go_by_file_then_by_track():
    seen = tracked_video(person(0, 400), person(1, 100))
    assert labels_of(recovered(1), [seen], {"videos/ward.mp4": WALK}, [{}]) == WALK
    assert labels_of(recovered(1), [seen], {"ward": WALK}, [{}]) == WALK
    assert labels_of(recovered(1), [seen], {"1": FALL}, [{}]) == FALL
    assert labels_of(recovered(1), [seen], {"other.mp4": WALK}, [{}]) == ()
    assert labels_of(recovered(1), [seen], None, [{}]) == ()


def test_joined_tables_keep_every_row_in_order_and_only_common_columns():
    first, second = person(0, 100), replace(person(1, 300), confidence=np.ones(10))
    both = join_people([second, first])
    assert len(both) == 20
    assert (np.diff(both.frame) >= 0).all()
    assert both.confidence is None
    assert both.keypoints2d is not None
    np.testing.assert_array_equal(both.keypoints2d[both.track == 0], first.keypoints2d)


def test_tables_of_different_layouts_do_not_join():
    with pytest.raises(ValueError, match="one layout"):
        join_people([person(0, 1), replace(person(1, 2), layout="", keypoints2d=None)])


@pytest.mark.parametrize(
    ("names", "found"),
    [(["clip.mp4", "other.mp4"], "clip.mp4"), (["clip"], "clip"), (["day1/clip", "day2/clip"], "day2/clip"),
     (["clip", "day2/clip.mp4"], "day2/clip.mp4"), (["x/day2/clip", "ward/day2/clip"], "ward/day2/clip"),
     (["other", "4"], None), ([], None)],
)  # fmt: skip
def test_labels_go_to_the_video_they_name(names, found):
    """Known answers: by file name with or without its ending; of several by the most folders shared."""
    assert annotated_as(Path("/data/ward/day2/clip.mp4"), names) == found
