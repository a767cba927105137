"""Recovered people as motions: trusted stretches, each cut, labelled and named on its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augment.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from augment.motion.store import read_store
from augment.reconstruct.motions import SHORTEST_SEC, cut_motion, fall_direction, store_motions, trusted_stretches
from augment.types import Motion, Segment
from tests.make.random_people import COUNT, FPS, a_motion, somebody


def test_trusted_stretches_are_what_no_rejection_touches():
    """Known answer: 40 frames from 100, 8 the shortest; too short rests are left out; frames are those of the video."""
    assert round(SHORTEST_SEC * FPS) == 8
    assert trusted_stretches(somebody()) == [slice(0, 40)]
    person = somebody(first=100, rejected=((90, 102, "a"), (110, 112, "b"), (112, 113, "c"), (120, 125, "d"), (133, 999, "e")))
    assert trusted_stretches(person) == [slice(2, 10), slice(25, 33)]
    assert trusted_stretches(somebody(rejected=((0, 40, "all"),))) == []


def test_motions_are_named_uniquely_and_hold_their_part(tmp_path):
    """Each stretch of each person of each video is a motion of its own, cut as said, in the store under its own name."""
    people = [
        somebody(0, rejected=((15, 20, "x"),)), somebody(1, track=4), somebody(2, video=1, track=3, first=12),
        somebody(3, video=2, track=3), somebody(4, video=3),
    ]  # fmt: skip
    videos = ["ward day.mp4", "b.mp4", "ward_day.mp4", "zimmer-3-tür.mp4"]
    written = store_motions(
        tmp_path, people, videos=videos, segments=[()] * 5, rest_pelvis={i: np.array([0, 0.9, 0]) for i in range(5)}
    )
    store = read_store(tmp_path)
    names = [entry.name for entry in store]
    assert written == len(store) == 6
    assert len(set(names)) == 6, names
    assert sorted(len(motion) for motion in store) == [15, 20, 40, 40, 40, 40]
    assert {motion.source for motion in store} == set(videos)
    assert all(motion.provenance["origin"] == "reconstruction" for motion in store)


def test_a_new_run_replaces_what_an_earlier_one_recovered(tmp_path):
    """Motions of the same video that the new run did not find go, with their files; those of other videos stay."""

    def store(people, videos):
        store_motions(tmp_path, people, videos=videos, segments=[()] * len(people),
                      rest_pelvis=dict.fromkeys(range(len(people)), np.zeros(3)))  # fmt: skip

    store([somebody(0, rejected=((15, 20, "x"),)), somebody(1, track=4)], ["a.mp4"])
    store([somebody(2)], ["b.mp4"])
    store([somebody(0)], ["a.mp4"])
    assert sorted(motion.name for motion in read_store(tmp_path)) == ["a_p3_0", "b_p3_0"]
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["a_p3_0.npz", "b_p3_0.npz"]
    assert len(next(m for m in read_store(tmp_path) if m.source == "a.mp4")) == COUNT


def test_a_cut_motion_is_the_persons_own_frames_with_its_labels():
    """Equality with the slice; labels are cut and counted from the stretch's first frame; provenance says where it is from."""
    person = somebody(first=20)
    labels = (Segment(label="walk", start_sec=0.0, end_sec=3.0), Segment(label="fall", start_sec=3.0, end_sec=4.5))
    part = slice(5, 35)
    motion = cut_motion(person, part, "ward.mp4", 0, labels)
    np.testing.assert_array_equal(motion.transl, person.motion.transl[part])
    np.testing.assert_array_equal(motion.body_pose, person.motion.body_pose[part])
    assert [(s.label, round(s.start_sec, 6), round(s.end_sec, 6)) for s in motion.segments] == [
        ("walk", 0.0, 0.5), ("fall", 0.5, 2.0), ("other", 2.0, 3.0),
    ]  # fmt: skip
    assert motion.action.startswith("fall")
    assert motion.provenance["bridged_share"] == pytest.approx(0.1)
    assert cut_motion(person, part, "ward.mp4", 0, ()).action == "other"


def test_a_stretch_under_a_label_of_ones_own_is_an_action_of_that_name_and_goes_into_the_store(tmp_path):
    labels = (Segment(label="walk", start_sec=0.0, end_sec=1.0), Segment(label="pacing about", start_sec=1.0, end_sec=4.0))
    store_motions(tmp_path, [somebody()], videos=["a.mp4"], segments=[labels], rest_pelvis={0: np.zeros(3)})
    (motion,) = read_store(tmp_path)
    assert (motion.action, motion.label) == ("pacing_about", "pacing about")
    assert {segment.label for segment in motion.segments} == {"walk", "pacing about"}


@pytest.mark.parametrize(
    ("labels", "action"),
    [(("walk",), "walk"), (("standing", "sit_down", "sitting"), "sit_down"), (("sitting",), "sit"), (("lying",), "lie"),
     (("sitting", "fall", "fallen"), "fall_from_chair"), (("other",), "other"), (("standing", "walk"), "walk"),
     (("walk", "pacing about", "sitting"), "pacing_about"), (("pacing about", "fall", "fallen"), "fall_any"),
     (("wave",), "wave"),
     (("sitting", "stand_up", "fall", "fallen"), "fall_any")],
)  # fmt: skip
def test_labels_name_the_action(labels, action):
    segments = tuple(Segment(label=label, start_sec=float(i), end_sec=i + 1.0) for i, label in enumerate(labels))
    found = cut_motion(somebody(), slice(0, 10 * len(labels)), "a.mp4", 0, segments).action
    if action == "fall_any":  # whoever got up first did not fall from the chair
        assert found in ("fall_forward_hands", "fall_backward", "fall_sideways")
    else:
        assert found == action


def falling(heading: float, way: str) -> Motion:
    """Upright, facing ``heading``, then tipped over by 80 degrees forwards, backwards, to the left or to the right."""
    tips = {"forward": (1, 0, 0), "backward": (-1, 0, 0), "left": (0, 0, -1), "right": (0, 0, 1)}
    tip = torch.tensor(tips[way], dtype=torch.float64) * np.radians(80)
    turn = axis_angle_to_matrix(torch.tensor([0.0, heading, 0.0], dtype=torch.float64))
    roots = [turn @ axis_angle_to_matrix(tip * share) for share in np.linspace(0, 1, COUNT)]
    return a_motion(global_orient=matrix_to_axis_angle(torch.stack(roots)).numpy())


@pytest.mark.parametrize("heading", [0.0, 1.0, 2.8, -2.0])
@pytest.mark.parametrize(
    ("way", "action"),
    [("forward", "fall_forward_hands"), ("backward", "fall_backward"), ("left", "fall_sideways"), ("right", "fall_sideways")],
)
def test_a_fall_goes_where_the_head_goes(heading, way, action):
    """Known answers, whichever way the body faces in the world."""
    assert fall_direction(falling(heading, way), 0, COUNT - 1) == action
