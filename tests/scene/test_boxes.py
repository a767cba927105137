"""Laws of a room's boxes: they are where the drawn box is, they only bring depth nearer, and measured depth stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.geometry import axis_rotation, invert_transform, project, transform_points
from augment.raster.zbuffer import rasterize
from augment.scene.boxes import (
    blocking_boxes,
    box_depth,
    draw_boxes,
    furnished_depth,
    hiding_boxes,
    inside_box,
    piece_from_corners,
    solid_part,
    volume,
)
from augment.scene.solid import box_rows
from augment.types import Obstacle, Surface
from tests.make.rooms import box, camera, room
from tests.make.solid_checks import behind_box

GUESS = {"guessed": ["depth: the calibrated floor and 3 upright walls"]}
BED = Surface(kind="bed", center=np.array([0.2, 0.5, -0.3]), size=(1.0, 2.0), yaw=0.4)
CHAIR = Surface(kind="chair", center=np.array([0.2, 0.45, -0.3]), size=(0.5, 0.5), yaw=0.4)


@settings(max_examples=20, deadline=None)
@given(yaw=st.floats(-3.1, 3.1), x=st.floats(-0.6, 0.6), z=st.floats(-1.5, 0.3), tall=st.floats(0.1, 1.2))
def test_a_box_has_the_depth_of_the_same_box_drawn_as_triangles(yaw, x, z, tall):
    obstacle = Obstacle(name="box", center=np.array([x, tall / 2, z]), size=np.array([0.7, tall, 0.4]), yaw=yaw)
    mesh = box([0, 0, 0], obstacle.size, [0, 0, 0])
    vertices = mesh.vertices @ axis_rotation("y", yaw).T + obstacle.center
    drawn, _ = rasterize(vertices, mesh.faces, np.zeros((8, 0)), camera())
    analytic = box_depth((obstacle,), camera())
    both = (drawn > 0) & np.isfinite(analytic)
    assert both.sum() > 50
    assert ((drawn > 0) != np.isfinite(analytic)).sum() <= 2  # a ray along an edge may fall on either side
    np.testing.assert_allclose(analytic[both], drawn[both], atol=1e-4)


def test_furniture_brings_a_guessed_depth_nearer_and_never_farther():
    scene = replace(room(), depth=np.full_like(room().depth, 4.0), provenance=GUESS)
    depth = furnished_depth(scene, scene.camera, scene.depth)
    assert (depth <= scene.depth).all()
    assert (depth < 3.5).sum() > 500


def test_measured_depth_stays_and_boxes_fill_its_holes():
    hole = np.zeros_like(room().depth, dtype=bool)
    hole[50:, :60] = True
    scene = replace(room(), depth=np.where(hole, 0, 4.0).astype(np.float32))
    depth = furnished_depth(scene, scene.camera, scene.depth)
    np.testing.assert_array_equal(depth[~hole], scene.depth[~hole])
    boxes = box_depth(hiding_boxes(scene), scene.camera)
    np.testing.assert_allclose(depth[hole], np.where(np.isfinite(boxes[hole]), boxes[hole], 0), rtol=1e-6)
    assert (depth[hole] > 0).any()


def test_furnishing_twice_changes_nothing():
    scene = replace(room(), depth=np.full_like(room().depth, 4.0), provenance=GUESS)
    once = furnished_depth(scene, scene.camera, scene.depth)
    np.testing.assert_array_equal(furnished_depth(scene, scene.camera, once), once)


def test_the_floor_is_seen_under_a_chair_and_not_under_a_bed():
    under = np.array([0.2, 0.2, -0.3])
    for surface, hidden in ((CHAIR, False), (BED, True)):
        assert inside_box(solid_part(surface), under) == hidden
        assert inside_box(volume(surface), under)  # but nobody walks there
    scene = replace(room(), surfaces=(CHAIR,), obstacles=())
    assert hiding_boxes(scene)[0].size[1] < blocking_boxes(scene)[0].size[1]


def test_a_camera_inside_a_box_sees_out_of_it():
    around = Obstacle(name="box", center=camera().T_world_camera[:3, 3], size=np.array([1.0, 1.0, 1.0]))
    assert np.isinf(box_depth((around,), camera())).all()


@settings(max_examples=20, deadline=None)
@given(yaw=st.floats(-3.1, 3.1), seed=st.integers(0, 99))
def test_points_are_hidden_where_the_boxs_depth_says_so(yaw, seed):
    obstacle = Obstacle(name="box", center=np.array([0.1, 0.4, -0.2]), size=np.array([0.9, 0.8, 0.5]), yaw=yaw)
    view = camera(480, 640)
    points = np.random.default_rng(seed).uniform([-1, 0.05, -1.9], [1, 1.5, 1], (300, 3))
    local = transform_points(invert_transform(view.T_world_camera), points)
    column, row = np.floor(project(local, view.K)).astype(int).T
    front = box_depth((obstacle,), view)[np.clip(row, 0, 479), np.clip(column, 0, 639)]
    inside = (row >= 0) & (row < 480) & (column >= 0) & (column < 640)
    behind = (local[:, 2] - front) * np.linalg.norm(local, axis=1) / local[:, 2]
    clear = inside & (np.abs(behind - 0.15) > 0.02)
    told = behind_box(box_rows([obstacle]), points[None], view.T_world_camera[:3, 3])[0]
    assert (told[clear] != (behind[clear] > 0.15)).sum() <= 5  # a pixel's middle is not the point's own ray


@pytest.mark.parametrize("grow", [-0.05, 0.0, 0.1])
def test_a_point_is_inside_a_turned_box_if_it_is_when_turned_back(grow):
    obstacle = Obstacle(name="box", center=np.array([0.5, 0.4, 1.0]), size=np.array([0.6, 0.8, 0.3]), yaw=0.7)
    local = np.random.default_rng(0).uniform(-0.6, 0.6, (500, 3))
    world = local @ axis_rotation("y", 0.7).T + obstacle.center
    expected = (np.abs(local) <= obstacle.size / 2 + grow).all(1)
    np.testing.assert_array_equal(inside_box(obstacle, world, grow), expected)
    assert 0 < expected.sum() < 500


def top_in_picture(surface: Surface) -> np.ndarray:
    """Pixels of the corners of a top, head end or back first, in turn."""
    across, along = np.array(surface.size) / 2
    front = 1.0 if surface.kind == "bed" else -1.0
    local = np.array([[across, 0, front * along], [-across, 0, front * along], [-across, 0, -front * along],
                      [across, 0, -front * along]])  # fmt: skip
    world = local @ axis_rotation("y", surface.yaw).T + surface.center
    return project(transform_points(invert_transform(camera().T_world_camera), world), camera().K)


@settings(max_examples=25, deadline=None)
@given(yaw=st.floats(-3.1, 3.1), x=st.floats(-0.8, 0.8), z=st.floats(-1.2, 0.2), kind=st.sampled_from(["bed", "chair"]))
def test_a_top_seen_in_a_picture_is_found_where_it_is(yaw, x, z, kind):
    surface = Surface(kind=kind, center=np.array([x, 0.45, z]), size=(0.9, 1.8) if kind == "bed" else (0.4, 0.5), yaw=yaw)
    found = piece_from_corners(top_in_picture(surface), 0.45, camera(), kind)
    assert isinstance(found, Surface)
    np.testing.assert_allclose(found.center, surface.center, atol=1e-6)
    np.testing.assert_allclose(found.size, surface.size, atol=1e-6)
    assert np.cos(found.yaw - yaw) == pytest.approx(1.0)


def test_any_other_kind_is_an_obstacle_from_the_floor_up():
    table = piece_from_corners(top_in_picture(replace(BED, kind="bed")), 0.5, camera(), "table")
    assert isinstance(table, Obstacle)
    assert table.name == "table"
    assert table.center[1] - table.size[1] / 2 == pytest.approx(0.0)
    assert table.center[1] + table.size[1] / 2 == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: (c[[0, 1, 3, 2]], 0.5), "no rectangle.*in turn"),
        (lambda c: (c + [[0, 0], [60, 0], [0, 0], [0, 0]], 0.5), "no rectangle"),
        (lambda c: (c - [0, 200], 0.5), "above the horizon"), (lambda c: (c, 2.5), "less than the camera's 2.20 m"),
        (lambda c: (c, 0.0), "more than 0"),
    ],
)  # fmt: skip
def test_corners_that_make_no_top_are_refused(change, words):
    corners, height = change(top_in_picture(BED))
    with pytest.raises(ValueError, match=words) as caught:
        piece_from_corners(corners, height, camera(), "bed")
    assert "\n" not in str(caught.value)


def test_edges_are_drawn_where_boxes_are_and_nowhere_else():
    scene = replace(room(), surfaces=(BED,), obstacles=())
    changed = (draw_boxes(scene) != scene.plate).any(-1)
    assert 50 < changed.sum() < 2000
    for u, v in top_in_picture(BED):
        if 1 < u < 127 and 1 < v < 95:
            assert changed[int(v) - 1 : int(v) + 2, int(u) - 1 : int(u) + 2].any()
    assert (draw_boxes(replace(scene, surfaces=())) == scene.plate).all()
