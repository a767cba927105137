"""Laws of tracking: ids never reused, order and labels of the input do not matter, gaps bridged, doubles dropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.reconstruct.watch.assign import ASSIGNMENTS, assign_greedily, assign_optimally
from augment.reconstruct.watch.track import TrackConfig, track_people, vote_class
from augment.sources.people.people import People

BODY = np.stack([np.linspace(-15, 15, 17), np.linspace(-60, 60, 17)], axis=1)


def table(frame, middle, *, noise=0.0, rng=None, **columns) -> People:
    """Upright people of 120 px around the given middles (n, 2), pixels."""
    points = np.asarray(middle, float)[:, None] + BODY
    if rng is not None:
        points = points + rng.normal(0, noise, points.shape)
    keypoints = np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], axis=2)
    n = len(points)
    columns = {"track": np.full(n, -1), "keypoints2d": keypoints, **columns}
    return People(path=Path("made.json"), source="made", frame=np.asarray(frame), layout="coco17", **columns)


def two_walkers(frames=40, noise=1.0, seed=0) -> tuple[People, np.ndarray]:
    """Two people cross in the picture, 40 px apart in height; the second value says who is who."""
    t = np.arange(frames)
    left = np.stack([100 + 8 * t, np.full(frames, 200)], axis=1)
    right = np.stack([420 - 8 * t, np.full(frames, 240)], axis=1)
    people = table(np.tile(t, 2), np.concatenate([left, right]), noise=noise, rng=np.random.default_rng(seed))
    return people.take(np.argsort(people.frame, kind="stable")), np.argsort(np.tile(t, 2), kind="stable") // frames


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_two_who_cross_keep_their_ids(assignment):
    people, who = two_walkers()
    tracked, report = track_people(people, TrackConfig(assignment=assignment))
    assert report.tracks == 2
    assert (tracked.track == who[report.rows]).all() or (tracked.track == 1 - who[report.rows]).all()
    assert report.unit == "body extents"


def test_order_of_rows_and_given_labels_do_not_matter():
    people, _ = two_walkers()
    people = replace(people, confidence=np.linspace(0.5, 1, len(people)))
    expected, _ = track_people(people, TrackConfig())
    shuffled = np.random.default_rng(1).permutation(len(people))
    other = replace(people.take(shuffled), track=np.random.default_rng(2).integers(0, 9, len(people)))
    found, report = track_people(other, TrackConfig())
    assert np.array_equal(found.track, expected.track)
    assert np.array_equal(found.confidence, expected.confidence)
    assert np.array_equal(other.take(report.rows).keypoints2d, found.keypoints2d)


def test_ids_are_never_reused_and_rows_are_sorted():
    """Somebody leaves, another comes later to the same place: two ids where the gap is longer than allowed, one otherwise."""
    t = np.r_[0:20, 60:80]
    people = table(t, np.tile([200.0, 200.0], (len(t), 1)))
    tracked, report = track_people(people, TrackConfig(max_gap=10))
    assert report.tracks == 2
    assert set(tracked.track[:20]) == {0}
    assert set(tracked.track[20:]) == {1}
    tracked, report = track_people(people, TrackConfig(max_gap=60))
    assert (report.tracks, report.gaps, report.gap_frames) == (1, 1, 40)
    assert (np.diff(tracked.frame) >= 0).all()


def test_gap_is_bridged_at_the_last_speed():
    """Known answer: 8 px a frame for 12 missed frames is 104 px, more than a narrow gate, but where it was predicted."""
    t = np.r_[0:20, 32:50]
    people = table(t, np.stack([50 + 8.0 * t, np.full(len(t), 200.0)], axis=1))
    config = TrackConfig(max_cost=0.2, damping=1.0)
    assert track_people(people, config)[1].tracks == 1
    assert track_people(people, replace(config, damping=0.0))[1].tracks == 2
    assert track_people(people, replace(config, damping=0.0, max_cost=0.4))[1].tracks == 1, "the gate grows with the gap"
    assert track_people(people, replace(config, max_gap=11))[1].tracks == 2
    assert track_people(people, replace(config, max_gap=12))[1].tracks == 1
    assert track_people(people, replace(config, max_cost=0.01))[1].short_tracks == len(t)


def test_doubles_and_short_tracks_are_dropped_and_counted():
    t = np.arange(20)
    walker = np.stack([100 + 5.0 * t, np.full(20, 200.0)], axis=1)
    everyone = np.concatenate([walker, walker[5:8] + 1.0, [[500.0, 100.0], [502.0, 100.0]], [[np.nan, np.nan]]])
    people = table(np.r_[t, 5:8, 9, 10, 3], everyone, confidence=np.r_[np.full(20, 0.8), [0.9, 0.3, 0.3], [0.9, 0.9], 0.9])
    tracked, report = track_people(people, TrackConfig())
    assert (report.detections, report.duplicates, report.short_tracks, report.short_rows, report.unplaceable) == (
        26,
        3,
        1,
        2,
        1,
    )
    assert len(tracked) == 20
    assert tracked.confidence is not None
    assert tracked.confidence[5] == pytest.approx(0.9)
    assert report.detections == len(tracked) + report.duplicates + report.short_rows + report.unplaceable
    assert track_people(people, TrackConfig(min_frames=2))[1].tracks == 2
    assert track_people(people, TrackConfig(duplicate=0.0))[1].duplicates == 0


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_classes_tell_apart_who_stands_in_one_place(assignment):
    """Two people change places between two frames; only their classes say so."""
    t = np.repeat(np.arange(20), 2)
    middle = np.tile([[200.0, 200.0], [220.0, 200.0]], (20, 1))
    middle[20:] = middle[20:][np.arange(20) ^ 1]
    classes = np.tile([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]], (20, 1))
    people = table(t, middle, class_probabilities=classes)
    config = TrackConfig(assignment=assignment, damping=0.0)
    for given, ids in ((people, 1), (replace(people, class_probabilities=None), 2)):
        tracked, report = track_people(given, config)
        assert report.tracks == 2
        assert len(set(tracked.track[classes[report.rows, 0] > 0.5])) == ids


def test_joints_in_space_tell_apart_who_cover_each_other_in_the_picture():
    t = np.repeat(np.arange(20), 2)
    people = table(t, np.tile([[200.0, 200.0], [203.0, 200.0]], (20, 1)))
    joints = np.tile([[0.0, 0.0, 3.0], [0.0, 0.0, 5.0]], (20, 1))[:, None] + np.zeros((1, 24, 1))
    assert track_people(people)[1].tracks == 1
    tracked, report = track_people(people, joints=joints)
    assert (report.tracks, report.unit, report.duplicates) == (2, "metres", 0)
    lifted = replace(
        people, keypoints2d=None, keypoints3d=np.zeros((40, 17, 3)), transl=np.ascontiguousarray(joints[:, 0]),
    )  # fmt: skip
    assert np.array_equal(track_people(lifted)[0].track, tracked.track)
    with pytest.raises(ValueError, match="40"):
        track_people(people, joints=joints[:5])


def test_boxes_alone_will_do_and_nothing_will_not():
    people, who = two_walkers()
    points = np.asarray(people.keypoints2d)[..., :2]
    boxes = replace(people, keypoints2d=None, layout="", bbox=np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1))
    tracked, report = track_people(boxes)
    assert report.tracks == 2
    assert abs(np.corrcoef(tracked.track, who[report.rows])[0, 1]) > 0.999
    with pytest.raises(ValueError, match=r"made\.json.*nothing to track by"):
        track_people(replace(people, keypoints2d=None, layout=""))


def test_trusted_ids_are_kept_and_a_jump_splits_them():
    people, who = two_walkers()
    given = replace(people, track=np.where(who == 0, 7, 3))
    tracked, report = track_people(given, TrackConfig(trust_ids=True))
    assert (report.tracks, report.split_ids) == (2, 0)
    far = 350.0 * (np.arange(30) % 6 >= 3)
    jumping = table(np.arange(30), np.stack([100 + far, np.full(30, 200.0)], axis=1), track=np.full(30, 4))
    tracked, report = track_people(jumping, TrackConfig(trust_ids=True))
    assert (report.tracks, report.split_ids) == (2, 1)
    assert np.array_equal(tracked.track, (far > 0).astype(int))
    partly = replace(given, track=np.where(who == 0, 7, -1))
    assert track_people(partly, TrackConfig(trust_ids=True))[1].tracks == 2


def test_the_same_trusted_id_twice_in_a_frame_is_two_people():
    people, _ = two_walkers()
    tracked, report = track_people(replace(people, track=np.zeros(len(people), int)), TrackConfig(trust_ids=True))
    assert (report.tracks, report.split_ids) == (2, 1)
    assert all(len(set(tracked.track[tracked.frame == t])) == 2 for t in range(40))


def test_hungarian_is_never_dearer_than_greedy_and_no_one_is_used_twice():
    rng = np.random.default_rng(0)
    dearer = 0
    for _ in range(200):
        cost, gate = rng.random((int(rng.integers(1, 7)), int(rng.integers(1, 7)))), float(rng.uniform(0.2, 1.0))
        gates, totals = np.full(cost.shape[1], gate), []
        for assign in (assign_optimally, assign_greedily):
            rows, columns = assign(cost, gates)
            assert len(set(rows)) == len(rows) == len(set(columns))
            assert (cost[rows, columns] <= gate).all()
            totals.append(cost[rows, columns].sum() + gate * (min(cost.shape) - len(rows)))
        assert totals[0] <= totals[1] + 1e-12
        dearer += totals[1] > totals[0] + 1e-9
    assert dearer > 10, "the two differ somewhere, or one of them is not what it says"


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_track_that_was_missed_does_not_take_a_nearer_ones_detection(assignment):
    """One detection, two tracks: the one seen a frame ago is nearest and keeps it, though the other's gate is wider."""
    still, gone = np.tile([[200.0, 200.0]], (30, 1)), np.tile([[225.0, 200.0]], (8, 1))
    people = table(np.r_[np.arange(30), np.arange(8)], np.concatenate([still, gone]))
    tracked, report = track_people(people, TrackConfig(assignment=assignment))
    assert (report.tracks, report.gaps) == (2, 0)
    assert len(set(tracked.track[tracked.frame >= 8])) == 1


def test_assignment_known_answer():
    cost = np.array([[1.0, 2.0], [1.5, 9.0]])
    assert [list(x) for x in assign_greedily(cost, np.full(2, 10.0))] == [[0, 1], [0, 1]]
    assert [list(x) for x in assign_optimally(cost, np.full(2, 10.0))] == [[0, 1], [1, 0]]
    assert [list(x) for x in assign_optimally(np.array([[np.inf, 2.0]]), np.array([5.0, 1.0]))] == [[], []]


def test_class_is_voted():
    n = 5
    classes = np.array([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.05, 0.95, 0.0], [np.nan] * 3])
    people = table(np.arange(n), np.zeros((n, 2)), class_probabilities=classes)
    assert vote_class(people) == ("patient", 0.25), "one sure row outweighs three unsure ones"
    tie = replace(people, class_probabilities=np.tile([0.4, 0.4, 0.2], (n, 1)))
    assert vote_class(tie)[0] == "staff"
    assert vote_class(replace(people, class_probabilities=None)) == ("person", 0.0)
    veto = replace(people, class_probabilities=np.array([[0.9, 0.1, 0.0]] * 4 + [[0.0, 1.0, 0.0]]))
    assert vote_class(veto)[0] == "staff"


@pytest.mark.parametrize(
    ("options", "word"),
    [({"assignment": "best"}, "hungarian"), ({"max_cost": -1.0}, "max_cost"), ({"damping": 2.0}, "damping"),
     ({"min_frames": 0}, "min_frames"), ({"max_gap": -1}, "max_gap")],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(options, word):
    with pytest.raises(ValueError, match=word):
        track_people(two_walkers()[0], TrackConfig(**options))


def test_benchmark_counts_switches():
    """On made-up walkers: no change of id where nothing is spoiled for tracking, some where gaps are not bridged."""
    from benchmarks.tracking import ARMS, cross, score

    t = np.arange(40)[:, None, None] / 10
    shape = np.stack([np.linspace(-0.2, 0.2, 24), np.linspace(0.0, 1.7, 24), np.zeros(24)], axis=1)
    pool = [shape + np.concatenate([1.2 * (t - 2), 0 * t, 0 * t], axis=2) for _ in range(3)]
    crossings = [cross(pool, rng=np.random.default_rng(seed)) for seed in range(5)]
    bridged = [score(c, ARMS["Hungarian, bridged"], in_space=True) for c in crossings]
    cut = [score(c, ARMS["Hungarian, no bridging"], in_space=True) for c in crossings]
    assert sum(s[0] for s in bridged) < sum(s[0] for s in cut)
    assert all(s[1] == 1.0 and s[2] == 1.0 for s in bridged if s[0] == 0)
    assert all(s[2] >= 1.0 for s in cut)
