"""The fit against known truth: it keeps what is right, mends what is spoiled, and says what it was not sure of.

Short clips and few steps: the bounds are what these reach, not what the fit can do (``benchmarks/reconstruction.py``).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from augment.body.balls import ball_centers
from augment.body.model import Body, joints_of
from augment.reconstruct.bodies import terms as terms
from augment.reconstruct.bodies.config import FitConfig
from augment.reconstruct.bodies.evidence import gather, partners
from augment.reconstruct.bodies.fit import depth_in_boxes, fit_people, rejected_people
from augment.reconstruct.bodies.problem import HEIGHT_SIGMA, OTHERS_SIGMA, Setting, set_up
from augment.reconstruct.bodies.start import betas_of_height
from augment.reconstruct.cache import save_fit
from augment.reconstruct.people import Recovered
from augment.sources.people.people import People
from augment.types import Camera, Obstacle
from benchmarks.truth.maker import Truth, make_truth
from benchmarks.truth.spoil_bodies import WHAM_LIKE, BodyNoise, bodies_to_joints, spoil_bodies

FPS = 12.0
STEPS = (15, 20, 30)
QUIET = BodyNoise(**(dict.fromkeys(BodyNoise.__dataclass_fields__, 0.0) | {"slow_sec": 0.5, "lost_sec": 0.1, "flip_sec": 0.1}))


@cache
def case(name: str = "walk") -> Truth:
    if name == "cut":
        return make_truth(6, "walk", seconds=2.0, fps=FPS, size=(320, 240), cut_legs=True)
    return make_truth(1, "walk", seconds=2.0, fps=FPS, size=(320, 240))


@cache
def points(layout: str = "mediapipe33") -> People:
    """Perfect keypoints, without 3D points."""
    return case().people(layout)


@cache
def bodies(noise: BodyNoise = QUIET, focal: float | None = None) -> People:
    truth = case()
    return spoil_bodies(truth.motions[0], truth.camera, truth.body, rng=np.random.default_rng(0), noise=noise, focal=focal)


def setting(truth: Truth | None = None, iterations: tuple[int, int, int] = STEPS, **changes: Any) -> Setting:
    truth = truth or case()
    fields: dict[str, Any] = {
        "camera": truth.camera, "body": truth.body, "fps": FPS, "person_height": truth.heights()[0],
        "config": FitConfig(iterations=iterations),
    }  # fmt: skip
    return Setting(**(fields | changes))


def fit(*tables: People, **changes: Any) -> tuple[Recovered, Camera]:
    found = fit_people([tables], setting(**changes))
    assert found.rejected == ()
    return found.people[0], found.camera


@cache
def fit_of_points() -> Recovered:
    return fit(points())[0]


def errors(person: Recovered, truth: Truth | None = None) -> tuple[float, float]:
    """MPJPE and root error, metres."""
    truth = truth or case()
    off = np.linalg.norm(person.joints - truth.joints[0][person.frames], axis=-1)
    return float(off.mean()), float(off[:, 0].mean())


def empty_frames(people: People, first: int, end: int) -> People:
    return people.take((people.frame < first) | (people.frame >= end))


def test_the_truth_is_kept():
    """Fixed point: from perfect keypoints and bodies the fit stays within centimetres, and everything it says agrees."""
    truth, (person, camera) = case(), fit(points(), bodies())
    mpjpe, root = errors(person)
    assert mpjpe < 0.03
    assert root < 0.035
    assert camera is truth.camera
    assert np.nanmean(person.reprojection_px) < 1.5
    assert person.height_m == pytest.approx(truth.heights()[0], abs=0.03)
    assert person.rejected == ()
    assert person.frames.tolist() == list(range(len(truth)))
    assert person.observed.all()
    assert set(person.stages) == {"root", "pose", "all"}
    pixels = truth.camera
    assert person.fitted2d.shape == person.observed2d[..., :2].shape == (len(truth), 33, 2)
    assert (person.fitted2d > -0.2 * pixels.width).all()


def test_the_motion_holds_the_joints(body):
    """Consistency: posing the body with the recovered motion gives the recovered joints."""
    person = fit_of_points()
    np.testing.assert_allclose(joints_of(body, person.motion), person.joints, atol=2e-3)
    assert person.motion.fps == FPS


def test_a_body_estimators_error_falls():
    """At least 40 % lower than the unoptimised input, joints and root, with the true focal length and with a wrong one."""
    truth, seen = case(), case().detections("mediapipe33", rng=np.random.default_rng(3))
    for focal in (None, 1.3 * truth.camera.K[0, 0]):
        spoiled = bodies(WHAM_LIKE, focal)
        before = np.linalg.norm(
            bodies_to_joints(spoiled, truth.camera, truth.body, frames=len(truth)) - truth.joints[0], axis=-1
        )
        mpjpe, root = errors(fit(seen, spoiled)[0])
        assert mpjpe < 0.6 * before.mean()
        assert root < 0.6 * before[:, 0].mean()


@pytest.mark.parametrize("layout", ["coco17", "mediapipe33", "openpose25"])
def test_keypoints_alone_are_enough(layout):
    """No bodies, no 3D points: the person stands where they stood, to a hand's breadth, facing the way they faced."""
    person = fit_of_points() if layout == "mediapipe33" else fit(points(layout))[0]
    mpjpe, root = errors(person)
    assert mpjpe < 0.13
    assert root < 0.18
    across = person.joints[:, 1] - person.joints[:, 2]
    truth = case().joints[0][:, 1] - case().joints[0][:, 2]
    assert ((across * truth).sum(-1) > 0).mean() > 0.9


def test_a_detectors_own_3d_points_are_used_and_not_followed():
    """Their absolute place, and a constant shift of it, say nothing; noisy as they are the fit stays near the truth."""
    seen = case().detections("mediapipe33", rng=np.random.default_rng(3))
    assert seen.keypoints3d is not None
    one = fit(seen)[0]
    assert errors(one)[0] < 0.12
    shifted = fit(replace(seen, keypoints3d=seen.keypoints3d + [0.5, -0.2, 3.0]))[0]
    assert np.linalg.norm(one.joints - shifted.joints, axis=-1).mean() < 0.01


def test_half_a_second_without_detections_is_bridged():
    """The gap is on the row of frames, marked unseen, and the root goes through it within 15 cm of the truth."""
    first, end = 9, 15
    person = fit(empty_frames(points(), first, end))[0]
    assert person.frames.tolist() == list(range(len(case())))
    assert np.flatnonzero(~person.observed).tolist() == list(range(first, end))
    off = np.linalg.norm(person.joints[first:end, 0] - case().joints[0][first:end, 0], axis=-1)
    assert off.max() < 0.15
    assert np.isnan(person.reprojection_px[first:end]).all()
    assert np.isnan(person.observed2d[first:end, :, :2]).all()
    assert person.rejected == ()


def test_a_long_gap_is_bridged_and_not_trusted():
    """Fifteen frames at twelve a second are more than a second: named among the rejected stretches."""
    person = fit(empty_frames(points(), 6, 21), iterations=(5, 5, 5))[0]
    assert (6, 21, "not seen for more than a second") in person.rejected


@pytest.mark.parametrize("upper", [False, True])
def test_exchanged_sides_are_exchanged_back(upper):
    """A stretch of frames with left for right (whole, or arms only) is counted and restored to what it was."""
    truth, clean = case(), points()
    assert clean.keypoints2d is not None
    exchange = partners("mediapipe33")
    if upper:
        exchange = np.where(np.arange(33) < 23, exchange, np.arange(33))
    mixed = clean.keypoints2d.copy()
    mixed[7:15] = mixed[7:15][:, exchange]
    rest = truth.body.rest_joints(np.zeros(10))
    found = gather(replace(clean, keypoints2d=mixed), truth.camera, fps=FPS, rest_joints=rest)
    assert found.swapped == 8
    original = gather(clean, truth.camera, fps=FPS, rest_joints=rest)
    assert original.swapped == 0
    np.testing.assert_array_equal(found.uv, original.uv)
    np.testing.assert_array_equal(found.weight, original.weight)


def test_exchanged_sides_do_not_mirror_the_pose():
    clean = points()
    assert clean.keypoints2d is not None
    mixed = clean.keypoints2d.copy()
    mixed[7:15] = mixed[7:15][:, partners("mediapipe33")]
    np.testing.assert_array_equal(fit(replace(clean, keypoints2d=mixed))[0].joints, fit_of_points().joints)


def test_cut_legs_stay_finite_and_on_the_floor():
    """Nothing of shins and feet in the picture: they are finite, on the floor, not in it, and the trunk is where it was."""
    truth = case("cut")
    person = fit(truth.people("mediapipe33"), truth=truth)[0]
    assert np.isfinite(person.joints).all()
    lowest = person.joints[..., 1].min(axis=1)
    assert (lowest > -0.02).all()
    assert (lowest < 0.15).all()
    assert errors(person, truth)[1] < 0.2


def test_a_wrong_focal_length_is_refined_towards_the_truth():
    """12 % off: with ``camera_sigma`` it comes nearer by a third at least, without it stays; the camera stays level."""
    truth = case()
    wrong = replace(truth.camera, K=truth.camera.K * np.array([[1.12, 1, 1], [1, 1.12, 1], [1, 1, 1]]))
    _, same = fit(points(), bodies(), camera=wrong, iterations=(3, 3, 3))
    assert same is wrong
    _, better = fit(points(), bodies(), camera=wrong, camera_sigma=(0.1, 0.05, 0.05), iterations=(30, 40, 100))
    before, after = wrong.K[0, 0] / truth.camera.K[0, 0] - 1, better.K[0, 0] / truth.camera.K[0, 0] - 1
    assert abs(after) < 0.67 * before
    assert better.K[1, 1] / better.K[0, 0] == pytest.approx(wrong.K[1, 1] / wrong.K[0, 0])
    assert better.T_world_camera[:3, 0] == pytest.approx(wrong.T_world_camera[:3, 0], abs=1e-6)
    assert 0.8 < better.T_world_camera[1, 3] / wrong.T_world_camera[1, 3] < 1.25


def test_two_people_under_one_id_are_refused_by_frame():
    clean = points()
    twice = clean.take(np.sort(np.r_[np.arange(len(clean)), 5]))
    with pytest.raises(ValueError, match=r"truth\.json: one track holds two people at frame 5; run track_people"):
        fit(twice)


def test_nothing_to_fit_to_is_refused_by_file():
    bare = replace(points(), keypoints2d=None, layout="")
    with pytest.raises(ValueError, match=r"truth\.json: neither keypoints nor bodies"):
        fit(bare)


def test_who_shows_too_little_is_rejected_and_the_others_are_fitted_as_without_them():
    """Five points of a face: rejected with file, track and reason; the other person's result keeps its bytes."""
    clean = points()
    assert clean.keypoints2d is not None
    few = clean.keypoints2d.copy()
    few[:, 5:] = np.nan
    face = replace(clean, keypoints2d=few, track=clean.track + 7)
    short = setting(iterations=(5, 5, 5))
    found, alone = fit_people([(face,), (clean,)], short), fit_people([(clean,)], short)
    (rejected,) = found.rejected
    assert rejected.track == 7
    assert "truth.json: track 7" in rejected.reason
    assert "no frame shows enough of this person" in rejected.reason
    np.testing.assert_array_equal(found.people[0].joints, alone.people[0].joints)
    assert rejected_people([(face,), (clean,)], short) == found.rejected
    nobody = fit_people([(face,)], short)
    assert (nobody.people, nobody.rejected, nobody.camera) == ((), found.rejected, case().camera)


def test_whose_place_no_frame_shows_is_rejected():
    """Two points a frame with an estimator's bodies that have no place: the pose is known, the place is not."""
    clean, own = points(), replace(bodies(), transl=None, K=None)
    assert clean.keypoints2d is not None
    few = clean.keypoints2d.copy()
    few[:, 2:] = np.nan
    found = fit_people([(replace(clean, keypoints2d=few), own)], setting(iterations=(5, 5, 5)))
    assert found.people == ()
    assert "place could not be found in any frame" in found.rejected[0].reason


def test_nobody_is_nobody():
    found = fit_people([], setting())
    assert (found.people, found.rejected, found.camera) == ((), (), case().camera)


def overlap(one: Recovered, other: Recovered) -> float:
    """Mean cost of two people's overlap a frame."""
    balls = ball_centers(torch.as_tensor(np.concatenate([one.joints, other.joints])))
    count = len(one.joints)
    pairs = torch.stack([torch.arange(count), torch.arange(count) + count], dim=1)
    return float(terms.between_people(balls, pairs).mean())


def test_people_in_one_another_are_pushed_apart():
    """Two bodies 15 cm apart: fitted together their overlap falls to a fraction of what it is when each is fitted alone."""
    own = bodies()
    assert own.transl is not None
    aside = replace(own, transl=own.transl + case().camera.T_world_camera[:3, :3].T @ [0.0, 0.0, 0.15], track=own.track + 1)
    together = fit_people([(own,), (aside,)], setting()).people
    assert [person.track for person in together] == [0, 1]
    assert overlap(*together) < 0.4 * overlap(fit(own)[0], fit(aside)[0])


def test_bodies_in_the_floor_are_lifted_onto_it():
    """An estimator's bodies half a metre too low end with their lowest joint on the floor."""
    truth, own = case(), bodies()
    assert own.transl is not None
    low = replace(own, transl=own.transl + truth.camera.T_world_camera[:3, :3].T @ [0.0, -0.5, 0.0])
    assert bodies_to_joints(low, truth.camera, truth.body, frames=len(truth))[..., 1].min() < -0.4
    assert fit(low)[0].joints[..., 1].min() > -0.02


def test_an_obstacle_is_left():
    """Somebody whom the fit put in a box leaves it when fitted again."""
    start = fit_of_points()
    at = start.joints[len(start.joints) // 2, 0]
    box = Obstacle(name="table", center=np.array([at[0] + 0.35, 0.4, at[2]]), size=np.array([0.6, 0.8, 3.0]), yaw=0.0)
    boxes = terms.boxes_of((box,), ())
    assert boxes is not None
    before = depth_in_boxes(start, boxes)
    again = fit_people([(points(),)], setting(boxes=boxes), start=[start])
    assert before > 0.03
    assert depth_in_boxes(again.people[0], boxes) < 0.6 * before


def test_the_same_input_gives_the_same_bytes(tmp_path: Path):
    truth = case()
    for name in ("a.npz", "b.npz"):
        person, _ = fit(points(), bodies(WHAM_LIKE), iterations=(5, 5, 10))
        save_fit(tmp_path / name, [person])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert len(truth) == 24


def test_detections_gone_mad_are_not_trusted():
    """Frames whose points are nowhere near a body are named as rejected stretches."""
    clean = points()
    assert clean.keypoints2d is not None
    mad = clean.keypoints2d.copy()
    mad[10:14, :, :2] = np.random.default_rng(0).uniform([0, 0], [320, 240], size=(4, 33, 2))
    person = fit(replace(clean, keypoints2d=mad))[0]
    stretches = [(a, b) for a, b, reason in person.rejected if "of the stature off" in reason]
    assert any(a <= 10 and b >= 14 for a, b in stretches)
    assert np.isfinite(person.joints).all()


def test_progress_is_told():
    told = []
    fit_people([(points(),)], setting(iterations=(2, 1, 3)), progress=lambda *what: told.append(what))
    assert told == [("root", 1, 2), ("root", 2, 2), ("pose", 1, 1), ("all", 1, 3), ("all", 2, 3), ("all", 3, 3)]


def test_the_most_ordinary_body_of_a_stature_has_it(body: Body):
    for height in (1.5, 1.7, 1.95):
        assert body.height(betas_of_height(body, height)) == pytest.approx(height, abs=0.01)


def test_the_given_stature_is_that_of_the_person_seen_longest():
    """Known answer: of two people the longer seen is held to the stature tightly, the other loosely."""
    truth = case()
    long, short = points(), points()
    short = replace(short.take(np.arange(6)), track=np.full(6, 1))
    evidence = [gather(t, truth.camera, fps=truth.fps, rest_joints=truth.body.rest_joints(np.zeros(10))) for t in (short, long)]
    for order, expected in ((evidence, [OTHERS_SIGMA, HEIGHT_SIGMA]), (evidence[:1], [HEIGHT_SIGMA])):
        ready, _ = set_up(order, setting())
        assert ready is not None
        assert ready[0].height_sigma.tolist() == pytest.approx(expected)
