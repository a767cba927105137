"""The camera drawn on the plate: its lines are the floor's metres, its horizon is where the floor ends."""

from __future__ import annotations

import numpy as np
import pytest

from augment.geometry import floor_points, invert_transform, project, transform_points
from augment.reconstruct.report.floor_grid import draw_floor_grid, grid_lines, horizon
from tests.make.scenery import camera_of


@pytest.mark.parametrize(("pitch", "roll"), [(12, 0), (35, 3), (-4, -2)])
def test_the_lines_are_on_every_metre_of_the_floor(pitch, roll):
    camera = camera_of(focal=560, height=1.9, pitch=pitch, roll=roll)
    lines = grid_lines(camera)
    assert len(lines) > 10
    ends = floor_points(lines.reshape(-1, 2), camera).reshape(-1, 2, 2)
    same = np.abs(ends[:, 0] - ends[:, 1]) < 1e-3
    assert same.any(axis=1).all()  # each runs along x or z
    fixed = np.where(same[:, 0], ends[:, 0, 0], ends[:, 0, 1])
    np.testing.assert_allclose(fixed, np.round(fixed), atol=1e-3)


@pytest.mark.parametrize(("pitch", "roll"), [(12, 0), (35, 3), (-4, -2)])
def test_the_horizon_is_where_the_floor_ends(pitch, roll):
    camera = camera_of(focal=560, height=1.9, pitch=pitch, roll=roll)
    left, right = horizon(camera)
    for heading in np.radians([-20, 0, 15]):
        far = 1e7 * np.array([[np.sin(heading), 0, np.cos(heading)]])
        ((u, v),) = project(transform_points(invert_transform(camera.T_world_camera), far), camera.K)
        assert v == pytest.approx(left + (right - left) * u / camera.width, abs=1e-2)


def test_it_is_drawn_without_changing_the_plate():
    camera = camera_of(focal=560, height=1.9, pitch=20)
    plate = np.full((camera.height, camera.width, 3), 90, np.uint8)
    drawn = draw_floor_grid(plate, camera)
    assert (plate == 90).all()
    assert 0.01 < (drawn != plate).any(axis=2).mean() < 0.5
    upper = round(min(horizon(camera))) - 4
    assert (drawn[: max(upper, 0)] == 90).all()  # no floor above the horizon
