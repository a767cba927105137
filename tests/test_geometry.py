"""Geometry: identities that hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augment import geometry as g


def _rotations(count=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return g.axis_angle_to_matrix(torch.randn(count, 3, generator=generator, dtype=torch.float64))


def test_axis_angle_round_trip():
    matrix = _rotations()
    assert torch.allclose(g.axis_angle_to_matrix(g.matrix_to_axis_angle(matrix)), matrix, atol=1e-9)


def test_rotation6d_round_trip_and_projection():
    """Back and forth is exact; any two independent columns give a right-handed rotation."""
    matrix = _rotations()
    assert torch.allclose(g.rotation6d_to_matrix(g.matrix_to_rotation6d(matrix)), matrix, atol=1e-9)
    noisy = g.rotation6d_to_matrix(torch.randn(20, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    assert torch.allclose(noisy @ noisy.mT, torch.eye(3, dtype=torch.float64).expand(20, 3, 3), atol=1e-9)
    assert torch.allclose(torch.linalg.det(noisy), torch.ones(20, dtype=torch.float64))


def test_heading_of_a_turn_is_the_turn():
    yaw = torch.linspace(-3, 3, 13, dtype=torch.float64)
    assert torch.allclose(g.heading_of(g.yaw_to_matrix(yaw)), yaw, atol=1e-9)


@pytest.mark.parametrize("pitch", [1.3, -1.3, 1.55, -1.55])
def test_heading_survives_tipping_over(pitch):
    """Tipping a body forward or backward, up to lying flat, leaves its heading."""
    yaw = g.yaw_to_matrix(torch.tensor(0.7, dtype=torch.float64))
    tipped = yaw @ g.axis_angle_to_matrix(torch.tensor([pitch, 0.0, 0.0], dtype=torch.float64))
    assert float(g.heading_of(tipped)) == pytest.approx(0.7, abs=1e-6)


def test_unproject_undoes_project():
    rng = np.random.default_rng(0)
    K = np.array([[500.0, 0, 320], [0, 480, 240], [0, 0, 1]])
    points = rng.normal(size=(40, 3)) + [0, 0, 5]
    assert np.allclose(g.unproject(g.project(points, K), points[:, 2], K), points)
    with pytest.raises(ValueError, match="behind"):
        g.project(np.array([[0.0, 0.0, -1.0]]), K)


def test_look_at_centres_its_target_upright():
    T_world_camera = g.look_at([1.0, 2.5, 3.0], [0.2, 0.9, -0.5])
    camera = g.transform_points(g.invert_transform(T_world_camera), np.array([[0.2, 0.9, -0.5], [0.2, 1.4, -0.5]]))
    assert np.allclose(camera[0, :2], 0, atol=1e-9)
    assert abs(camera[1, 0]) < 1e-9
    assert camera[1, 1] < 0  # up in the world is up in the picture (OpenCV: -y)
    assert np.linalg.det(T_world_camera[:3, :3]) == pytest.approx(1.0)


def test_invert_transform_is_the_inverse():
    transform = g.rigid(_rotations(1)[0].numpy(), [1.0, 2, 3])
    assert np.allclose(g.invert_transform(transform) @ transform, np.eye(4))


def test_a_quantile_is_numpys():
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 30):
        values = rng.normal(size=count)
        for share in (0.0, 0.05, 0.5, 0.9, 1.0):
            assert g.quantile(values, share) == pytest.approx(np.quantile(values, share), abs=1e-12)
