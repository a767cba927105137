"""Laws of bending a plate over its depth: no move changes nothing, a small move gives what the camera would have seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.film.reshoot import GUESSED, MEASURED, has_whole_geometry, limit_of, reshoot, unseen_share
from augment.geometry import look_at
from augment.raster.room import render_room
from augment.scene.mesh import mesh_from_depth
from augment.types import Camera, Scene
from tests.make.realdata import require
from tests.make.rooms import room


def one_picture() -> Scene:
    return replace(room(), mesh=None)


def moved(camera: Camera, step=(0.0, 0.0, 0.0), turn: float = 0.0, zoom: float = 1.0) -> Camera:
    """The camera shifted (world, metres), turned about its own vertical (degrees), zoomed."""
    T = camera.T_world_camera
    way = T[:3, 2] * np.cos(np.radians(turn)) + T[:3, 0] * np.sin(np.radians(turn))
    K = camera.K.copy()
    K[:2, :2] *= zoom
    eye = T[:3, 3] + step
    return replace(camera, K=K, T_world_camera=look_at(eye, eye + way))


def off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_the_own_camera_gives_the_plate_back():
    scene = one_picture()
    again = reshoot(scene, scene.camera)
    assert off(again.plate[4:-4, 4:-4], scene.plate[4:-4, 4:-4]) < 1.5
    near = again.depth[4:-4, 4:-4], scene.depth[4:-4, 4:-4]
    assert np.median(np.abs(near[0] - near[1])) < 0.01


@pytest.mark.parametrize("change", [{"step": (0.15, 0.0, 0.0)}, {"step": (0.0, -0.1, 0.0)}, {"turn": 4.0}, {"zoom": 1.2}])
def test_a_small_move_gives_what_the_camera_would_have_seen(change: dict):
    scene = one_picture()
    camera = moved(scene.camera, **({"zoom": 1.1} | change))
    again = reshoot(scene, camera)
    mesh = room().mesh
    assert mesh is not None
    plate, depth = render_room(mesh, camera, room().lights)
    known = again.depth > 0
    assert known.mean() > 0.85
    assert np.median(np.abs(again.depth - depth)[known]) < 0.02
    # Much nearer to the truth than the plate that did not move.
    assert off(again.plate, plate) < 0.4 * off(scene.plate, plate)


def test_what_was_never_seen_has_no_depth_and_grows_with_the_turn():
    scene = one_picture()
    shares = [unseen_share(scene, moved(scene.camera, turn=turn)) for turn in (0, 4, 8)]
    assert shares[0] < shares[1] < shares[2]
    depth = reshoot(scene, moved(scene.camera, turn=4)).depth
    assert (depth[:, -2:] == 0).mean() > 0.8  # the rim that came into view


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"step": (0.5, 0, 0)}, "0.50 m and 0.0 degrees away"), ({"turn": 20.0}, "20.0 degrees"), ({"zoom": 0.7}, "is not in it")],
)
def test_a_far_camera_is_refused_in_one_line(change: dict, fault: str):
    scene = one_picture()
    with pytest.raises(ValueError, match=fault) as error:
        reshoot(scene, moved(scene.camera, **change))
    assert "\n" not in str(error.value)


def test_a_guessed_depth_bears_less():
    guessed = replace(one_picture(), provenance={"guessed": ["depth: the floor and 2 upright walls"]})
    assert limit_of(guessed) is GUESSED
    assert limit_of(one_picture()) is MEASURED
    assert GUESSED.metres < MEASURED.metres
    with pytest.raises(ValueError, match="guessed"):
        reshoot(guessed, moved(guessed.camera, step=(0.25, 0, 0)))


def test_a_mesh_made_from_one_picture_is_not_whole():
    scene = room()
    bent = mesh_from_depth(scene.camera, scene.depth, scene.plate, stride=2)
    assert has_whole_geometry(scene)
    assert not has_whole_geometry(replace(scene, mesh=bent))
    assert not has_whole_geometry(replace(scene, mesh=None))


def test_a_recorded_room_is_seen_as_its_camera_saw_it_from_the_next_places():
    """The first frame of an RGB-D recording, bent to where later frames were taken, shows what they show."""
    from augment.reconstruct.depth.from_rgbd import scene_from_rgbd
    from augment.sources.depth.rgbd import read_color

    root = require("rgbd/open3d")
    rows = [line.split() for line in (root / "trajectory.log").read_text().splitlines()]
    T = [np.array(rows[5 * k + 1 : 5 * k + 5], float) for k in range(5)]
    files = (root / "color/00000.jpg", root / "depth/00000.png", root / "camera_primesense.json")
    scene = scene_from_rgbd(*files, name="real")
    for k in (2, 4):
        camera = replace(scene.camera, T_world_camera=scene.camera.T_world_camera @ np.linalg.inv(T[0]) @ T[k])
        real = read_color(root / f"color/0000{k}.jpg")
        assert off(reshoot(scene, camera).plate, real) < 0.4 * off(scene.plate, real)
