from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augment.geometry import floor_points, invert_transform, project, transform_points
from augment.polygon import clip_convex, convex_hull
from augment.reconstruct.camera.calibrate import Calibration, Uncalibrated, places
from augment.reconstruct.camera.calibrate import calibrate as try_calibrate
from augment.reconstruct.camera.floor import visible_floor, walked_floor
from augment.reconstruct.camera.given import Given, Picture
from augment.reconstruct.camera.upright import find_upright, spread_out
from augment.sources.people.mediapipe import LANDMARK, Keypoints
from tests.make.realdata import require
from tests.make.scenery import BODY, camera_of, people_landmarks

VGA = Picture(width=640, height=480)


def calibrate(*known) -> Calibration:
    found = try_calibrate(*known)
    assert isinstance(found, Calibration)
    return found


def rods_seen(camera, feet, **kwargs):
    landmarks = people_landmarks(camera, feet, **kwargs)
    world = np.zeros((len(feet), 33, 3), np.float32)
    for name, index in LANDMARK.items():
        world[:, index, 1] = 0.85 - 1.7 * next((share for part, (share, _) in BODY.items() if name.endswith(part)), 0.93)
    keypoints = Keypoints(
        path=Path("walk.npz"), landmarks2d=landmarks.astype(np.float32), landmarks_world=world, fps=10.0, width=camera.width,
        height=camera.height,
    )  # fmt: skip
    return find_upright([keypoints])


def walk(rng, n=200, near=2.5, far=6.0):
    z = rng.uniform(near, far, n)
    return np.stack([rng.uniform(-0.4, 0.4, n) * z, z], axis=1)


@pytest.mark.parametrize(
    ("focal", "height", "pitch", "roll"), [(560, 1.9, 10, 0), (620, 2.5, 25, 2), (480, 1.4, 14, -1.5), (533, 2.7, 32, 0)]
)
def test_camera_of_a_noisy_walk_is_recovered(focal, height, pitch, roll):
    rng = np.random.default_rng(1)
    camera = camera_of(focal=focal, height=height, pitch=pitch, roll=roll)
    found = calibrate(rods_seen(camera, walk(rng), noise=3.0, rng=rng), VGA)
    assert found.height == pytest.approx(height, rel=0.03)
    assert np.degrees(found.pitch) == pytest.approx(pitch, abs=1.0)
    assert np.degrees(found.roll) == pytest.approx(roll, abs=1.0)
    assert found.focal == pytest.approx(focal, rel=0.05)
    assert found.observed
    assert found.residual_px < 4


def test_measures_scale_with_the_stature():
    rng = np.random.default_rng(2)
    rods = rods_seen(camera_of(focal=560, height=1.9, pitch=12), walk(rng), noise=1.0, rng=rng)
    short, tall = (calibrate(rods, VGA, Given(person_height=h)) for h in (1.5, 1.8))
    assert tall.height / short.height == pytest.approx(1.8 / 1.5, rel=0.03)


def test_people_stand_where_they_stood():
    rng = np.random.default_rng(3)
    feet = walk(rng, 60)
    camera = camera_of(focal=560, height=2.0, pitch=15)
    rods = rods_seen(camera, feet, noise=0.5, rng=rng)
    found = places(rods, calibrate(rods, VGA), 1.70)
    assert np.linalg.norm(found - feet[rods.frame], axis=1).max() < 0.25


def test_feet_outside_the_picture_still_calibrate():
    rng = np.random.default_rng(4)
    camera = camera_of(focal=700, height=1.6, pitch=2)
    feet = walk(rng, 200, near=1.6, far=4.5)
    rods = rods_seen(camera, feet, noise=1.5, rng=rng)
    assert np.isnan(rods.points[:, 0]).any()
    found = calibrate(rods, VGA)
    assert found.height == pytest.approx(1.6, rel=0.06)
    assert np.degrees(found.pitch) == pytest.approx(2, abs=2.0)


def test_one_standing_place_is_reported_as_not_observed():
    rng = np.random.default_rng(5)
    feet = np.array([0.2, 3.5]) + rng.normal(0, 0.03, (100, 2))
    found = calibrate(rods_seen(camera_of(focal=560, height=1.9, pitch=10), feet, noise=2.0, rng=rng), VGA)
    assert not found.observed


def test_what_is_given_is_kept():
    rng = np.random.default_rng(6)
    rods = rods_seen(camera_of(focal=560, height=1.9, pitch=12), walk(rng), noise=1.0, rng=rng)
    given = Given(focal=600.0, camera_height=2.2, pitch=14.0, roll=0.0)
    found = calibrate(rods, VGA, given)
    assert found.focal == pytest.approx(600, rel=1e-3)
    assert found.height == pytest.approx(2.2, rel=1e-3)
    assert np.degrees(found.pitch) == pytest.approx(14, abs=0.05)


def test_sitting_and_lying_people_are_no_rods():
    rng = np.random.default_rng(7)
    camera = camera_of(focal=560, height=1.9, pitch=12)
    landmarks = people_landmarks(camera, walk(rng, 20), rng=rng)
    sitting, lying = landmarks.copy(), landmarks.copy()
    sitting[:, 25:27, 1] = sitting[:, 23:25, 1] + 2
    lying[..., :2] = lying[..., 1::-1]
    for case in (sitting, lying):
        keypoints = Keypoints(
            path=Path("walk.npz"), landmarks2d=case.astype(np.float32), landmarks_world=None, fps=10.0, width=640, height=480
        )
        assert len(find_upright([keypoints])) == 0


def test_too_few_people_say_what_to_do():
    rng = np.random.default_rng(8)
    rods = rods_seen(camera_of(focal=560, height=1.9, pitch=12), walk(rng, 3), rng=rng)
    found = try_calibrate(rods, VGA)
    assert isinstance(found, Uncalibrated)
    assert "only 3 frames" in found.reason
    assert "--camera-height" in found.reason
    with pytest.raises(ValueError, match="person_height"):
        calibrate(rods, VGA, Given(person_height=170))


def test_a_minute_in_one_place_does_not_outvote_the_rest():
    rng = np.random.default_rng(9)
    feet = np.concatenate([np.tile([[0.0, 3.0]], (500, 1)), walk(rng, 50)])
    thinned = spread_out(rods_seen(camera_of(focal=560, height=1.9, pitch=12), feet, rng=rng))
    assert (thinned.frame < 500).mean() < 0.3


def test_floor_points_invert_projection():
    camera = camera_of(focal=500, height=2.0, pitch=20, roll=2)
    ground = np.array([[0.5, 0, 3.0], [-1, 0, 5]])
    pixels = project(transform_points(invert_transform(camera.T_world_camera), ground), camera.K)
    np.testing.assert_allclose(floor_points(pixels, camera), ground[:, [0, 2]], atol=1e-9)


def area(polygon):
    """Signed area, positive if counter-clockwise seen from above (+y up, +z towards the viewer of an (x, -z) plan)."""
    x, z = polygon.T
    return -0.5 * np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z)


def test_floor_is_counter_clockwise_from_above_and_inside_what_is_seen():
    rng = np.random.default_rng(10)
    calibration = calibrate(rods_seen(camera_of(focal=560, height=1.9, pitch=20), walk(rng), rng=rng), VGA)
    seen = visible_floor(calibration, (0, 0, 640, 480))
    floor = walked_floor(rng.normal([0, 4], [0.5, 0.8], (200, 2)), seen)
    assert area(seen) > 0
    assert 0 < area(floor) < area(seen)
    assert area(clip_convex(floor, seen)) == pytest.approx(area(floor))


def test_a_camera_that_looks_up_sees_no_floor():
    rng = np.random.default_rng(11)
    rods = rods_seen(camera_of(focal=560, height=1.9, pitch=12), walk(rng), rng=rng)
    up = calibrate(rods, VGA, Given(pitch=-60.0, camera_height=1.9, focal=560))
    with pytest.raises(ValueError, match="no floor in the picture"):
        visible_floor(up, (0, 0, 640, 480))


def test_hull_of_points_on_a_line_is_still_an_area():
    assert abs(area(convex_hull(np.array([[0.0, 1], [0, 2], [0, 3]])))) > 0


def test_real_cameras_agree_between_trials():
    root = require("upfall")
    from augment.sources.people.mediapipe import read_mediapipe

    for camera, height in ((1, 1.92), (2, 1.85)):
        found = [calibrate(find_upright([read_mediapipe(root / "keypoints" / f"a06_t{t}_c{camera}.npz")]), VGA) for t in (1, 2)]
        assert found[0].height == pytest.approx(found[1].height, rel=0.03)
        assert found[0].height == pytest.approx(height, rel=0.05)
        assert np.degrees(found[0].pitch) == pytest.approx(np.degrees(found[1].pitch), abs=1.5)
        assert max(f.residual_px for f in found) < 10
