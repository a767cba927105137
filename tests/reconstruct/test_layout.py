from __future__ import annotations

import numpy as np
import pytest

from augment.polygon import convex_hull, inside_polygon
from augment.reconstruct.guess.layout import guess_layout, inside_picture, layout_depth
from augment.reconstruct.guess.manhattan import line_segments, manhattan_angle
from augment.scene.rooms.care_room import make_room
from tests.make.scenery import box_room, camera_of

CAMERA = camera_of(focal=260, height=1.8, pitch=20, roll=2, width=320, tall=240)


def guess(plate, camera, feet, **options):
    """The guess for a floor that is the hull of where people stood."""
    return guess_layout(plate, camera, feet, convex_hull(feet), **options)


def feet_in(room, count=60):
    x, z, _ = room.provenance["clear_square"]
    return np.array([x, z]) + np.random.default_rng(0).uniform(-0.9, 0.9, size=(count, 2))


@pytest.fixture(scope="module", params=[3, 5, 6])
def guessed(request):
    room = make_room(seed=request.param, height=300)
    feet = feet_in(room)
    return room, feet, guess(room.plate, room.camera, feet)


def plain_room(wall=4.0):
    """A plate of grey floor before a light wall ``wall`` metres ahead."""
    depth = box_room(CAMERA, (), wall=wall)
    alone = box_room(CAMERA, (), wall=1e6)
    floor = (alone > 0) & (np.abs(alone - depth) < 1e-4)
    return np.where(floor[..., None], np.uint8(90), np.uint8(200)).repeat(3, axis=2), depth


def test_the_rooms_turn_is_known(guessed):
    room, _, layout = guessed
    assert np.degrees(abs((layout.turn + np.pi / 4) % (np.pi / 2) - np.pi / 4)) < 1.5
    angle, sure = manhattan_angle(line_segments(room.plate), room.camera)
    assert angle == layout.turn
    assert sure > 0.3


def test_walls_seen_are_where_they_are_and_depth_is_about_right(guessed):
    room, _, layout = guessed
    low, high = room.floor.min(axis=0), room.floor.max(axis=0)
    off = [w.offset - float((np.where(w.normal > 0, high, low) * w.normal).sum()) for w in layout.walls if w.confidence > 0]
    assert off
    assert np.min(np.abs(off)) < 0.15
    assert np.max(np.abs(off)) < 0.4
    known = (room.depth > 0) & (layout.depth > 0)
    assert known.mean() > 0.95
    assert np.median(np.abs(layout.depth[known] / room.depth[known] - 1)) < 0.12


def test_no_wall_stands_before_where_people_walked(guessed):
    _, feet, layout = guessed
    for wall in layout.walls:
        assert (feet @ wall.normal).max() < wall.offset - 0.3
        assert 0 <= wall.confidence <= 1
    assert layout.floor.size
    middle = layout.floor.mean(axis=0)
    assert inside_polygon(middle, layout.floor)
    assert all((layout.floor @ w.normal <= w.offset + 1e-6).all() for w in layout.walls)


def test_a_wall_in_a_plain_picture_is_found_at_its_foot():
    plate, depth = plain_room()
    feet = np.array([[-0.4, 2.2], [0.4, 2.5], [0.0, 3.0], [0.2, 2.0]])
    layout = guess(plate, CAMERA, feet)
    far = max(layout.walls, key=lambda w: w.normal[1])
    assert far.confidence > 0.3
    assert far.offset == pytest.approx(4.0, abs=0.1)
    np.testing.assert_allclose(far.normal, [0, 1], atol=0.03)
    middle = (slice(60, 200), slice(100, 220))
    assert np.median(np.abs(layout.depth[middle] / depth[middle] - 1)) < 0.03


def test_an_empty_picture_gives_walls_at_the_margin_and_says_so():
    feet = np.array([[-0.4, 2.2], [0.4, 2.5], [0.0, 3.0]])
    layout = guess(np.full((240, 320, 3), 100, np.uint8), CAMERA, feet)
    assert all(wall.confidence == 0 for wall in layout.walls)
    far = max(layout.walls, key=lambda w: w.normal[1])
    assert far.offset == pytest.approx(4.0, abs=1e-6)
    assert "do not tell how the room is turned" in layout.guessed[1]
    assert "0 of them at edges" in layout.guessed[0]


def test_walls_as_boxes_lie_behind_their_planes(guessed):
    layout = guessed[2]
    assert len(layout.obstacles) == len(layout.walls)
    for wall, box in zip(layout.walls, layout.obstacles, strict=True):
        assert box.center[[0, 2]] @ wall.normal == pytest.approx(wall.offset + box.size[2] / 2)
        np.testing.assert_allclose([np.sin(box.yaw), np.cos(box.yaw)], wall.normal, atol=1e-9)


def test_depth_of_one_wall_is_the_ray_casters():
    plate, depth = plain_room(3.0)
    layout = guess(plate, CAMERA, np.array([[0.0, 2.0], [0.3, 2.2], [-0.3, 2.1]]))
    far = [w for w in layout.walls if w.normal[1] > 0.9]
    np.testing.assert_allclose(
        layout_depth(CAMERA, []) > 0, (box_room(CAMERA, (), wall=1e6) > 0) | (layout_depth(CAMERA, []) > 8.9)
    )
    cut = layout_depth(CAMERA, far, (10, 0, 310, 240))
    assert not cut[:, :10].any()
    assert np.median(np.abs(cut[:, 10:310] - depth[:, 10:310])) < 0.1


def test_rims_of_black_bars_are_no_edges_of_the_room():
    plate, _ = plain_room()
    plate[:, :20] = plate[:, 300:] = 0
    every = line_segments(plate)
    kept = inside_picture(every, (20, 0, 300, 240))
    on_rim = (np.abs(every[:, [0, 2]] - 20) < 3).all(axis=1) | (np.abs(every[:, [0, 2]] - 300) < 3).all(axis=1)
    assert on_rim.any()
    np.testing.assert_array_equal(kept, every[~on_rim])
    layout = guess(plate, CAMERA, np.array([[-0.4, 2.2], [0.4, 2.5], [0.0, 3.0]]), content=(20, 0, 300, 240))
    assert not layout.depth[:, :20].any()
