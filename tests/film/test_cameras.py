"""Laws of cameras: they stand inside the room and see people's places; a number means the same camera each time."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from augment.film.cameras import CAMERAS, MOUNTS, ceiling, given_camera, outside, sight, standing_places
from augment.film.reshoot import check_reach, limit_of, unseen_share
from augment.geometry import turn_about_y
from augment.polygon import inside_polygon
from augment.scene.rooms.care_room import make_room
from augment.types import Camera, Scene
from tests.make.rooms import room


@lru_cache(maxsize=2)
def care_room(seed: int) -> Scene:
    return make_room(seed=seed, height=96)


def one_picture(scene: Scene, *, guessed: bool = False) -> Scene:
    return replace(scene, mesh=None, provenance={"guessed": ["depth: walls"] if guessed else []})


def numbers(camera: Camera) -> tuple[float, ...]:
    return (*camera.K.ravel(), *camera.T_world_camera.ravel())


def in_a_box(scene: Scene, eye: np.ndarray) -> bool:
    for obstacle in scene.obstacles:
        local = turn_about_y(eye - obstacle.center, -obstacle.yaw)
        if (np.abs(local) < np.asarray(obstacle.size) / 2).all():
            return True
    return False


@pytest.mark.parametrize("seed", [1, 3])
def test_a_sweep_stays_in_the_room_and_sees_where_people_stand(seed: int):
    scene = care_room(seed)
    places = standing_places(scene)
    for number in range(9):
        camera = CAMERAS["sweep"](scene, number)
        eye = camera.T_world_camera[:3, 3]
        assert inside_polygon(eye[[0, 2]], scene.floor)
        assert 0 < eye[1] < ceiling(scene)
        assert not in_a_box(scene, eye)
        assert sight(scene, camera, places).enough
        assert np.allclose(camera.T_world_camera[:3, :3] @ camera.T_world_camera[:3, :3].T, np.eye(3))


def test_a_sweep_goes_through_corner_wall_and_bedside_with_other_directions_and_focal_lengths():
    cameras = [CAMERAS["sweep"](care_room(1), number) for number in range(6)]
    assert len({numbers(camera) for camera in cameras}) == 6
    assert np.ptp([camera.K[0, 0] for camera in cameras]) > 5
    assert len(MOUNTS) == 3
    heights = [camera.T_world_camera[1, 3] for camera in cameras]
    assert min(heights[0], heights[3]) > ceiling(care_room(1)) - 0.5  # corners
    assert max(heights[2], heights[5]) < 1.6  # bedside


@pytest.mark.parametrize("kind", CAMERAS)
def test_the_same_scene_and_number_give_the_same_camera(kind: str):
    for number in range(3):
        assert numbers(CAMERAS[kind](care_room(1), number)) == numbers(CAMERAS[kind](care_room(1), number))


def test_jittered_cameras_stay_near_and_differ():
    scene = care_room(1)
    eyes = [CAMERAS["jitter"](scene, number).T_world_camera[:3, 3] for number in range(6)]
    assert len({tuple(eye) for eye in eyes}) == 6
    for eye in eyes:
        assert (eye[[0, 2]] > 0).all()
        assert 0.02 < np.linalg.norm(eye - scene.camera.T_world_camera[:3, 3]) < 0.5


@pytest.mark.parametrize("guessed", [False, True])
def test_jitter_stays_within_what_one_picture_bears(guessed: bool):
    scene = one_picture(care_room(1), guessed=guessed)
    for number in range(5):
        camera = CAMERAS["jitter"](scene, number)
        check_reach(scene, camera)
        assert unseen_share(scene, camera) <= limit_of(scene).unseen


def test_a_given_camera_has_the_measures_it_was_given():
    camera = given_camera(room(), position=(2.0, 2.2, 1.5), yaw=-120, pitch=25, fov=70)
    forward = camera.T_world_camera[:3, 2]
    assert np.allclose(camera.T_world_camera[:3, 3], [2.0, 2.2, 1.5])
    assert np.degrees(np.arctan2(forward[0], forward[2])) == pytest.approx(-120)
    assert np.degrees(np.arcsin(-forward[1])) == pytest.approx(25)
    assert np.degrees(2 * np.arctan(camera.width / 2 / camera.K[0, 0])) == pytest.approx(70)


@pytest.mark.parametrize(
    ("position", "fault"),
    [
        ((2.6, 2.0, 0.0), "outside the floor"),
        ((0.0, 2.7, 0.0), "ceiling"),
        ((-0.9, 0.3, 0.2), "table"),
        ((0, -0.1, 1.5), "floor"),
    ],
)
def test_a_camera_outside_the_room_is_refused_in_one_line(position, fault: str):
    with pytest.raises(ValueError, match=fault) as error:
        given_camera(room(), position=position, yaw=0, pitch=20, fov=70)
    assert "\n" not in str(error.value)
    assert outside(room(), np.array(position, float)) is not None


def test_a_room_known_from_one_picture_refuses_a_sweep_and_says_how_far_it_bears():
    with pytest.raises(ValueError, match=r"up to 0\.\d+ m and \d+ degrees"):
        CAMERAS["sweep"](one_picture(room()), 0)
