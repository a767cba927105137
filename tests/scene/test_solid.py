"""Laws of a room's solid parts as arrays: the same answers as box by box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.polygon import inside_polygon
from augment.scene.boxes import inside_box
from augment.scene.solid import box_rows, in_some_box, solid_of
from augment.types import Obstacle
from tests.make.rooms import room
from tests.make.solid_checks import any_in_box, behind_box, on_ground


def _boxes(rng: np.random.Generator) -> tuple[Obstacle, ...]:
    return tuple(
        Obstacle(name="box", center=rng.uniform(-2, 2, 3), size=rng.uniform(0.1, 2, 3), yaw=float(rng.uniform(-3, 3)))
        for _ in range(6)
    )


@pytest.mark.parametrize("seed", range(8))
def test_points_are_in_the_boxes_they_are_in_one_by_one(seed):
    rng = np.random.default_rng(seed)
    boxes, points, grow = _boxes(rng), rng.uniform(-2, 2, (4, 7, 3)), rng.uniform(-0.05, 0.2, 7)
    wanted = [inside_box(box, points, grow).any() for box in boxes]
    np.testing.assert_array_equal(any_in_box(box_rows(boxes), points, grow), wanted)


@pytest.mark.parametrize("seed", range(8))
def test_a_point_in_some_box_is_in_one_that_is_not_passed(seed):
    rng = np.random.default_rng(seed)
    boxes, points, grow = box_rows(_boxes(rng)), rng.uniform(-2, 2, (4, 2, 3)), rng.uniform(-0.05, 0.2, 2)
    each = any_in_box(boxes, points, grow)
    for passed in (np.zeros(len(boxes), bool), each, rng.random(len(boxes)) < 0.5):
        assert in_some_box(boxes, passed, points, grow) == (each & ~passed).any()


def test_scenes_with_the_same_furniture_share_its_boxes_and_others_do_not():
    scene = room()
    assert solid_of(replace(scene, name="other")) is solid_of(scene)
    moved = replace(scene, obstacles=scene.obstacles[:1])
    assert len(solid_of(moved).blocking) == 1 + len(scene.surfaces)
    assert len(solid_of(scene).blocking) == len(scene.obstacles) + len(scene.surfaces)


@pytest.mark.parametrize("seed", range(8))
def test_points_are_hidden_if_the_way_to_them_goes_through_a_box(seed):
    rng = np.random.default_rng(seed)
    boxes, points, eye = _boxes(rng), rng.uniform(-3, 3, (30, 9, 3)), np.array([0.0, 2.5, 5.0])
    share = np.linspace(0, 1, 3001)[:, None, None]
    reach, wanted = np.linalg.norm(points - eye, axis=-1), np.zeros((30, 9), bool)
    for box in boxes:
        inside = inside_box(box, eye + share[..., None] * (points - eye))
        wanted |= inside.any(0) & ((1 - share[inside.argmax(0), 0, 0]) * reach > 0.15)
    hidden = behind_box(box_rows(boxes), points, eye)
    assert 0 < hidden.sum() < hidden.size
    assert (hidden != wanted).sum() <= 1  # a step of the way is not the box's own edge


def test_a_ray_along_a_box_is_not_hidden_by_it():
    boxes = box_rows([Obstacle(name="box", center=np.array([0.0, 0.0, 0.0]), size=np.array([1.0, 1.0, 1.0]))])
    beside, through = np.array([[[2.0, 0.0, -3.0]]]), np.array([[[0.0, 0.0, -3.0]]])
    assert not behind_box(boxes, beside, np.array([2.0, 0.0, 3.0])).any()
    assert behind_box(boxes, through, np.array([0.0, 0.0, 3.0])).all()


def test_points_are_on_the_floor_as_in_a_polygon():
    rng = np.random.default_rng(0)
    floor = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 2.0], [1.0, 2.0], [1.0, 1.0], [0.0, 1.0]])
    points = rng.uniform(-1, 4, (20, 15, 2))
    np.testing.assert_array_equal(on_ground(points, floor), inside_polygon(points, floor))
