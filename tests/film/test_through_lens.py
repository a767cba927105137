"""Laws of a lens in front of a clip: every layer is bent by one map, and the numbers of the camera say which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.film.through_lens import LENSES, add_lens, bend_layers, distort_view, fit_into, given_lens, make_lens_map
from augment.film.view import prepare_view
from augment.geometry import invert_transform, project, project_clamped, transform_points
from augment.types import Camera, Lens
from tests.make.rooms import room

FLAT = Lens(kind="brown", coefficients=(0.0,) * 5)


def bent(kind: str, seed: int = 0) -> Camera:
    return add_lens(room().camera, kind, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("kind", ["wide", "fisheye"])
def test_a_view_shows_the_world_where_the_camera_projects_it(kind: str):
    bend = make_lens_map(bent(kind))
    view = distort_view(prepare_view(room(), height=bend.wide.height, camera=bend.wide), bend)
    assert view.depth.shape == (96, 128)
    camera = view.camera
    rows, columns = np.nonzero(view.solid & (view.depth > 0.3))
    local = transform_points(invert_transform(camera.T_world_camera), view.points[rows, columns].astype(float))
    off = project(local, camera.K, camera.lens) - np.stack([columns + 0.5, rows + 0.5], axis=-1)
    assert np.quantile(np.linalg.norm(off, axis=-1), 0.95) < 1.0
    assert np.median(np.abs(local[:, 2] - view.depth[rows, columns])) < 1e-3  # still z-depth


@pytest.mark.parametrize("kind", ["wide", "fisheye"])
def test_points_in_the_picture_move_as_the_camera_says(kind: str):
    bend = make_lens_map(bent(kind))
    points = np.array([[0.3, 0.5, 0.1], [-1.0, 1.0, -1.0], [1.5, 0.2, 1.0], [0.0, 2.5, 2.2]])
    local = transform_points(invert_transform(bend.camera.T_world_camera), points)
    seen = np.concatenate([project_clamped(local, bend.wide.K, nearest=1e-3), np.ones((4, 1))], axis=-1)[None]
    moved = bend_layers({"joints2d": seen.astype(np.float32)}, bend)["joints2d"][0]
    assert np.allclose(moved[:3, :2], project(local[:3], bend.camera.K, bend.camera.lens), atol=1e-2)
    inside = (moved[:, :2] >= 0).all(1) & (moved[:, :2] < [128, 96]).all(1)
    assert (moved[~inside, 2] == 0).all()
    assert inside.any()


def test_a_lens_that_bends_nothing_changes_nothing():
    camera = replace(room().camera, lens=FLAT)
    bend = make_lens_map(camera, room().camera)
    rng = np.random.default_rng(0)
    flow = rng.normal(size=(2, 96, 128, 2)).astype(np.float32)
    layers = {"mask": rng.integers(0, 3, (2, 96, 128)).astype(np.uint8), "depth": flow[..., 0], "flow": flow, "style": "kept"}
    again = bend_layers(layers, bend)
    assert np.array_equal(again["mask"], layers["mask"])
    assert np.array_equal(again["depth"], layers["depth"])
    assert np.allclose(again["flow"], flow, atol=1e-3)
    assert again["style"] == "kept"
    assert again["camera"].lens == FLAT


def test_flow_carries_a_pixel_to_where_its_point_goes():
    bend = make_lens_map(bent("fisheye"))
    shape = (1, bend.wide.height, bend.wide.width)
    flow = np.full((*shape, 2), [4.0, -2.0], np.float32)
    step = bend_layers({"flow": flow}, bend)["flow"][0]
    start = bend.uv[40, 50].astype(float)
    points = np.concatenate([start, start + [4.0, -2.0]]).reshape(1, 2, 2)
    confident = np.concatenate([points, np.ones((1, 2, 1))], axis=-1).astype(np.float32)
    moved = bend_layers({"joints2d": confident}, bend)["joints2d"][0, :, :2]
    assert np.allclose(moved[1] - moved[0], step[40, 50], atol=1e-2)


@pytest.mark.parametrize("kind", ["wide", "fisheye"])
def test_a_lens_fits_into_a_room_known_from_one_picture(kind: str):
    camera = room().camera
    bend = make_lens_map(fit_into(bent(kind), camera), camera)
    assert bend.inside.all()
    assert (bend.uv >= -0.01).all()
    assert (bend.uv <= [camera.width + 0.01, camera.height + 0.01]).all()
    # As much of the picture as there is.
    assert min(bend.uv[..., 0].min(), bend.uv[..., 1].min()) < 2


@pytest.mark.parametrize("kind", LENSES)
def test_the_same_seed_draws_the_same_lens(kind: str):
    assert bent(kind, 3).lens == bent(kind, 3).lens
    assert (bent(kind, 3).lens is None) == (kind == "none")
    assert bent(kind, 3).lens != bent(kind, 4).lens or kind == "none"


def test_a_lens_of_ones_own_is_checked():
    assert given_lens(room().camera, "wide", (0.1, 0, 0, 0, 0)).lens == Lens(kind="brown", coefficients=(0.1, 0, 0, 0, 0))
    with pytest.raises(ValueError, match="k1, k2, k3, k4, found 5 numbers"):
        given_lens(room().camera, "fisheye", (0.1, 0, 0, 0, 0))
