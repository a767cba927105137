"""The camera of one short clip: edges, feet and upright people, each alone and joined, against known truth."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from augment.reconstruct.camera.calibrate import Calibration, Uncalibrated, calibrate
from augment.reconstruct.camera.given import Given, Picture
from augment.reconstruct.camera.lines import RoomLines, line_residuals, line_starts, room_lines
from augment.reconstruct.camera.rotation import rotation_world_camera
from augment.reconstruct.camera.upright import find_upright
from augment.reconstruct.camera.whole_body import heights_above, whole_bodies
from augment.sources.people.keypoints import to_mediapipe
from benchmarks.truth.maker import make_truth

VGA = Picture(width=640, height=480)


@functools.lru_cache
def sitting():
    """Somebody sits in a furnished room: the truth, exact points with 3D ones, and what a detector makes of them."""
    truth = make_truth(3, "sit", seconds=4.0, stature=1.70)
    found = truth.detections("mediapipe33", rng=np.random.default_rng(0), strength=0.0)
    spoiled = truth.detections("mediapipe33", rng=np.random.default_rng(1))
    return truth, [to_mediapipe(p, frames=len(truth), width=640, height=480, fps=truth.fps) for p in (found, spoiled)]


def test_a_rooms_edges_give_focal_length_and_pitch():
    truth, (_, spoiled) = sitting()
    lines = room_lines(truth.scene.plate, VGA.center)
    found = calibrate(find_upright([spoiled]), VGA, Given(person_height=1.70), lines=lines, bodies=whole_bodies([spoiled]))
    assert isinstance(found, Calibration)
    T, focal = truth.camera.T_world_camera, truth.camera.K[0, 0]
    assert found.focal == pytest.approx(focal, rel=0.1)
    assert found.pitch == pytest.approx(np.arcsin(-T[1, 2]), abs=np.radians(2))
    assert found.height == pytest.approx(T[1, 3], rel=0.15)
    assert found.people == 0  # nobody stands
    assert abs(np.log(found.focal / focal)) < 3 * found.std["focal"]


def test_the_feet_of_a_sitting_person_tell_the_cameras_height():
    truth, (exact, _) = sitting()
    bodies = whole_bodies([exact])
    T = truth.camera.T_world_camera
    above = heights_above(bodies, truth.camera.K[0, 0], T[:3, :3], stature=1.70, center=VGA.center)
    assert len(bodies) == 10
    assert np.median(above) == pytest.approx(T[1, 3], rel=0.12)


def test_people_without_3d_points_are_no_bodies_and_sitting_ones_do_not_stand():
    _, (exact, _) = sitting()
    assert len(whole_bodies([exact])) == 10
    assert len(whole_bodies([])) == 0
    assert len(find_upright([exact])) == 0


def box_lines(focal, pitch, roll, yaw, rng) -> RoomLines:
    """Edges along the three directions of a room, and as many at random."""
    T = rotation_world_camera(pitch, roll)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    segments = []
    for number in range(60):
        start = T @ np.array([*rng.uniform(-1.5, 1.5, 2), rng.uniform(3, 6)])
        ends = np.stack([start, start + 0.8 * turn[:, number % 3]]) @ T
        segments.append((focal * ends[:, :2] / ends[:, 2:]).ravel())
    segments += [rng.uniform(-200, 200, 4) for _ in range(20)]
    found = np.array(segments)
    return RoomLines(segments=found, sigma=np.full(len(found), np.radians(1)), weight=np.ones(len(found)))


@pytest.mark.parametrize(("focal", "pitch", "roll", "yaw"), [(450.0, 0.1, 0.02, 0.4), (700.0, 0.5, -0.03, 1.2)])
def test_edges_of_a_box_are_most_probable_at_its_camera(focal, pitch, roll, yaw):
    lines = box_lines(focal, pitch, roll, yaw, np.random.default_rng(0))

    def cost(*camera) -> float:
        f, p, r, y = camera
        return float((line_residuals(lines, f, rotation_world_camera(p, r), y) ** 2).sum())

    best = cost(focal, pitch, roll, yaw)
    for moved in ((focal * 1.1, pitch, roll, yaw), (focal, pitch + 0.05, roll, yaw), (focal, pitch, roll + 0.05, yaw),
                  (focal, pitch, roll, yaw + 0.05)):  # fmt: skip
        assert cost(*moved) > best
    assert cost(focal, pitch, roll, yaw + np.pi / 2) == pytest.approx(best)  # a quarter turn is the same room
    grid = focal * np.array([0.8, 1.0, 1.25]), np.radians(np.arange(-12, 62, 4.0)), np.radians([-3.0, 0, 3])
    start = line_starts(lines, *grid, np.zeros((3, len(grid[1]), 3)))[0]
    assert start[0] == pytest.approx(focal, rel=0.01)
    assert start[1] == pytest.approx(pitch, abs=np.radians(4))


def test_without_edges_and_people_there_is_no_camera():
    nobody = find_upright([])
    assert isinstance(calibrate(nobody, VGA), Uncalibrated)
    few = box_lines(500.0, 0.2, 0.0, 0.3, np.random.default_rng(0))
    few = RoomLines(segments=few.segments[:5], sigma=few.sigma[:5], weight=few.weight[:5])
    assert isinstance(calibrate(nobody, VGA, lines=few), Uncalibrated)


def test_what_nothing_determines_is_said_to_be_uncertain():
    lines = box_lines(500.0, 0.2, 0.0, 0.3, np.random.default_rng(0))
    found = calibrate(find_upright([]), VGA, lines=lines)
    assert isinstance(found, Calibration)
    assert found.focal == pytest.approx(500, rel=0.1)
    assert found.std["focal"] < 0.12
    assert found.std["height"] / found.height > 0.3
    assert not found.observed
