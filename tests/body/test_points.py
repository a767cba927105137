"""Laws of sampled skin: it is the whole mesh's, and its extreme points tell where the body ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from augment.body.model import load_body, pose_body
from augment.body.outline import extreme_points, sole_height
from augment.body.points import pose_points, sample_skin
from tests.make.body_files import family_file
from tests.make.rooms import standing, the_body


def _moving(seed: int):
    rng, motion = np.random.default_rng(seed), standing(the_body(), frames=5)
    return replace(
        motion, betas=rng.normal(size=10), global_orient=rng.normal(size=(5, 3)), transl=rng.normal(size=(5, 3)),
        body_pose=0.5 * rng.normal(size=(5, 23, 3)),
    )  # fmt: skip


@pytest.mark.parametrize("joints", [24, 52, 55])
@pytest.mark.parametrize("blend", [False, True])
def test_some_vertices_are_where_the_whole_mesh_has_them(tmp_path, joints, blend):
    body = load_body(family_file(the_body(), joints, tmp_path / "body.npz"))
    if blend:  # the surface also changes with the pose
        body.model.posedirs.normal_(0, 0.01, generator=torch.Generator().manual_seed(0))
    motion, rows = _moving(joints), np.arange(5, len(body.weights), 37)
    points, placed = pose_points(body, motion, sample_skin(body, rows))
    vertices, whole = pose_body(body, motion)
    np.testing.assert_allclose(points, vertices[:, rows], atol=2e-5)
    np.testing.assert_allclose(placed, whole, atol=2e-5)


def test_extreme_points_end_where_the_body_ends():
    body, rows = the_body(), extreme_points(the_body())
    assert len(rows) < 0.2 * len(body.weights)
    for seed in range(5):
        vertices, _ = pose_body(body, _moving(seed))
        for axis in range(3):
            low, high = vertices[:, rows, axis].min(1), vertices[:, rows, axis].max(1)
            np.testing.assert_allclose(low, vertices[..., axis].min(1), atol=0.006)
            np.testing.assert_allclose(high, vertices[..., axis].max(1), atol=0.006)


def test_soles_are_the_lowest_of_the_mesh_in_every_shape():
    for seed in range(10):
        betas = np.random.default_rng(seed).normal(size=10)
        assert sole_height(the_body(), betas) == pytest.approx(the_body().rest_vertices(betas)[:, 1].min(), abs=1e-6)
