from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from augment.geometry import transform_points, unproject
from augment.reconstruct.depth.floor import pitch_deg
from augment.reconstruct.depth.fuse import fuse_depth
from augment.reconstruct.depth.room import room_from_depth
from augment.scene.cloud import cloud_to_ply

from augment.reconstruct.depth.fuse import fill_small_holes, without_flying_pixels  # isort: skip
from augment.reconstruct.depth.scale import fit_disparity
from augment.scene.rooms.care_room import make_room
from augment.scene.store import load_scene, save_scene
from augment.types import Camera
from tests.make.depth_scenes import ArrayMaps, film, places_in, scrambled
from tests.make.scenery import box_room, camera_of

COLOR = np.full((240, 320, 3), 128, np.uint8)
CAMERA = camera_of(focal=260, height=1.6, pitch=24, roll=2, width=320, tall=240)


@pytest.fixture(scope="module")
def room():
    return make_room(seed=0, height=150)


@pytest.fixture(scope="module")
def shot(room, body):
    rng = np.random.default_rng(3)
    feet = places_in(room, room.camera, 10, rng)
    return film(room, body, np.concatenate([feet, feet]), rng=rng, body_error=0, bias=0, thicker=0, aside=0)


class Counting(ArrayMaps):
    loaded = 0

    def load(self, index: int):
        self.loaded += 1
        return super().load(index)


def fused(shot, values, masks, **how):
    maps = Counting(values, np.arange(len(values)))
    fit = fit_disparity(maps, shot.bodies, rng=np.random.default_rng(0))
    maps.loaded = 0
    return (*fuse_depth(maps, fit, masks, **how), maps)


def test_the_empty_room_comes_out_where_it_was_ever_seen(shot):
    values = scrambled(shot.depth, scale=2.0, offset=0.1, rng=np.random.default_rng(0), noise=0)
    depth, seen, _ = fused(shot, values, lambda frame: shot.covered[frame])
    known = seen > 0
    assert known.mean() > 0.99
    off = np.abs(depth / shot.room - 1)[known]
    assert np.percentile(off, 98) < 0.005


def test_noise_averages_out(shot):
    values = scrambled(shot.depth, scale=2.0, offset=0.1, rng=np.random.default_rng(0), noise=0.03)
    depth, seen, _ = fused(shot, values, lambda frame: shot.covered[frame])
    many = seen > 15
    low, high = np.percentile((depth / shot.room)[many], [16, 84])
    assert (high - low) / 2 < 1.3 * 0.03 / np.sqrt(16)


def test_what_people_never_left_stays_unknown_and_is_never_depth_of_a_person(shot):
    values = scrambled(shot.depth, scale=2.0, offset=0.1, rng=np.random.default_rng(0), noise=0)
    always = np.zeros(shot.room.shape, bool)
    always[40:100, 80:130] = True
    depth, seen, _ = fused(shot, values, lambda frame: shot.covered[frame] | always)
    assert not depth[42:98, 82:128].any()
    assert not seen[always].any()


def test_work_is_bounded_whatever_the_number_of_frames(shot):
    values = scrambled(shot.depth, scale=2.0, offset=0.1, rng=np.random.default_rng(0), noise=0)
    *_, maps = fused(shot, values, lambda frame: shot.covered[frame], max_frames=5)
    assert maps.loaded == 5


def test_masks_of_another_size_and_no_frame_at_all_are_refused(shot):
    values = scrambled(shot.depth, scale=2.0, offset=0.1, rng=np.random.default_rng(0), noise=0)
    with pytest.raises(ValueError, match=r"person mask is 4x3"):
        fused(shot, values, lambda frame: np.zeros((3, 4), bool))
    with pytest.raises(ValueError, match="no pixel was ever seen free"):
        fused(shot, values, lambda frame: np.ones(shot.room.shape, bool))


def test_flying_pixels_land_on_a_surface_and_slopes_stay():
    step = np.full((40, 60), 2.0, np.float32)
    step[:, 30:] = 4.0
    smeared = step.copy()
    smeared[:, 29:31] = (2.6, 3.3)
    clean = without_flying_pixels(smeared)
    assert set(np.unique(clean)) == {2.0, 4.0}
    grazing = (1 / np.linspace(0.5, 0.2, 40))[:, None].repeat(60, axis=1).astype(np.float32)
    np.testing.assert_array_equal(without_flying_pixels(grazing), grazing)


def test_small_holes_continue_a_plane_and_large_ones_stay():
    plane = (1 / (np.linspace(0.5, 0.2, 100)[:, None] + np.linspace(0, 0.1, 120))).astype(np.float32)
    holed = plane.copy()
    holed[20:24, 20:25] = 0
    holed[60:90, 40:80] = 0
    filled = fill_small_holes(holed)
    np.testing.assert_allclose(filled[20:24, 20:25], plane[20:24, 20:25], rtol=0.02)
    assert not filled[60:90, 40:80].any()
    rest = holed > 0
    np.testing.assert_array_equal(filled[rest], plane[rest])


def test_room_in_depth_is_the_same_with_the_right_camera_as_without():
    depth = box_room(CAMERA, ((0.5, 0.95, 0.45, 2.2, 2.65),))
    alone, given = room_from_depth(COLOR, depth, CAMERA.K), room_from_depth(COLOR, depth, CAMERA.K, CAMERA)
    assert alone.floor_tilt_deg is None
    assert given.floor_tilt_deg == pytest.approx(0, abs=0.6)
    assert given.floor_rise_m == pytest.approx(0, abs=0.03)
    assert not given.notes
    for room in (alone, given):
        assert [s.kind for s in room.surfaces] == ["chair"]
        np.testing.assert_allclose(room.surfaces[0].center, [0.72, 0.45, 2.42], atol=0.1)


def test_a_camera_that_does_not_fit_the_depth_is_measured_and_kept():
    depth = box_room(CAMERA, ((0.5, 0.95, 0.45, 2.2, 2.65),))
    other = camera_of(focal=260, height=1.66, pitch=22, roll=2, width=320, tall=240)
    room = room_from_depth(COLOR, depth, CAMERA.K, other)
    assert room.floor_tilt_deg == pytest.approx(2, abs=0.4)
    assert room.floor_rise_m == pytest.approx(0.06, abs=0.03)
    assert not room.notes
    np.testing.assert_array_equal(room.camera.T_world_camera, other.T_world_camera)
    assert room.surfaces[0].center[1] == pytest.approx(0.45, abs=0.03)
    far_off = camera_of(focal=260, height=2.2, pitch=16, roll=2, width=320, tall=240)
    assert "tilted by 8" in room_from_depth(COLOR, depth, CAMERA.K, far_off).notes[0]


def test_floor_under_the_feet_counts_as_floor():
    depth = box_room(CAMERA, ())
    contacts = np.array([[0.3, 0, 1.0], [-0.4, 0, 0.9], [0.1, 0, 1.1]])
    plain = room_from_depth(COLOR, depth, CAMERA.K, CAMERA)
    widened = room_from_depth(COLOR, depth, CAMERA.K, CAMERA, contacts=contacts)
    assert widened.floor_rise_m == pytest.approx(0, abs=0.03)
    assert widened.floor[:, 1].min() == pytest.approx(0.9)
    assert plain.floor[:, 1].min() > 0.95


def test_sizes_and_floors_that_do_not_fit_are_refused():
    depth = box_room(CAMERA, ())
    with pytest.raises(ValueError, match="plate is 4x3 but depth 320x240"):
        room_from_depth(np.zeros((3, 4, 3), np.uint8), depth, CAMERA.K)
    wall = np.full((240, 320), 2.0, np.float32)
    with pytest.raises(ValueError, match=r"only 0 points of the depth lie on the camera's floor.*shows no floor"):
        room_from_depth(COLOR, wall, CAMERA.K, CAMERA)


def test_cloud_lies_on_the_depth_and_is_kept_with_the_scene(tmp_path, room):
    import trimesh

    camera: Camera = room.camera
    made = room_from_depth(room.plate, room.depth, camera.K, camera, stride=3)
    (tmp_path / "a.ply").write_bytes(cloud_to_ply(made.cloud))
    loaded: Any = trimesh.load(tmp_path / "a.ply")
    np.testing.assert_allclose(loaded.vertices, made.cloud.points, atol=1e-5)
    np.testing.assert_array_equal(loaded.colors[:, :3], made.cloud.colors)
    first = unproject(np.array([1.5, 1.5]), np.float64(room.depth[1, 1]), camera.K)
    np.testing.assert_allclose(made.cloud.points[0], transform_points(camera.T_world_camera, first[None])[0], atol=1e-6)
    save_scene(room, tmp_path / "room", cloud=made.cloud)
    assert load_scene(tmp_path / "room").name == room.name
    assert (tmp_path / "room/cloud.ply").exists()
    (tmp_path / "room/cloud.ply").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"cloud\.ply: changed"):
        load_scene(tmp_path / "room")
    save_scene(room, tmp_path / "room")
    assert not (tmp_path / "room/cloud.ply").exists()
    assert pitch_deg(camera.T_world_camera) > 0
