"""Laws of lenses: there and back, OpenCV's numbers, no lens without coefficients, nothing outside folds into the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from augment.geometry import project, project_clamped
from augment.lens import check_lens, distort, undistort
from augment.types import Lens

BROWN = Lens(kind="brown", coefficients=(-0.27, 0.08, 0.0008, -0.0005, 0.001))
FISHEYE = Lens(kind="fisheye", coefficients=(-0.02, 0.006, -0.001, 0.0002))
K = np.array([[300.0, 0, 320], [0, 310, 240], [0, 0, 1]])


def points(reach: float) -> np.ndarray:
    return np.stack(np.meshgrid(np.linspace(-reach, reach, 21), np.linspace(-reach, reach, 17)), axis=-1)


@pytest.mark.parametrize(("lens", "reach"), [(BROWN, 1.0), (FISHEYE, 4.0)])
def test_there_and_back(lens: Lens, reach: float):
    assert np.allclose(undistort(distort(points(reach), lens), lens), points(reach), atol=1e-6)


def test_brown_agrees_with_opencv():
    local = np.concatenate([points(0.9), np.ones((*points(0.9).shape[:2], 1))], axis=-1) * 3.0
    expected, _ = cv2.projectPoints(local.reshape(-1, 3), np.zeros(3), np.zeros(3), K, np.array(BROWN.coefficients))
    assert np.allclose(project(local, K, BROWN).reshape(-1, 2), expected[:, 0], atol=1e-8)


def test_fisheye_agrees_with_opencv():
    local = np.concatenate([points(2.5), np.ones((*points(2.5).shape[:2], 1))], axis=-1) * 2.0
    expected, _ = cv2.fisheye.projectPoints(
        local.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), K, np.array(FISHEYE.coefficients)
    )  # fmt: skip
    assert np.allclose(project(local, K, FISHEYE).reshape(-1, 2), expected[:, 0], atol=1e-8)


def test_coefficients_of_zero_change_nothing():
    none = Lens(kind="brown", coefficients=(0.0,) * 5)
    assert np.allclose(distort(points(2.0), none), points(2.0))


@pytest.mark.parametrize("lens", [BROWN, FISHEYE, Lens(kind="brown", coefficients=(-0.3, 0.0, 0.0, 0.0, 0.0))])
def test_farther_out_stays_farther_out(lens: Lens):
    """Also where a polynomial turns back: nothing outside the picture is folded into it."""
    ray = np.linspace(0, 30, 400)[:, None] * np.array([0.8, 0.6])
    radius = np.linalg.norm(distort(ray, lens), axis=-1)
    assert (np.diff(radius) > -1e-9).all()


def test_a_clamped_projection_agrees_in_front_of_the_camera():
    local = np.array([[0.2, 0.1, 2.0], [-0.5, 0.3, 1.0], [0.1, 0.1, -1.0]])
    assert np.allclose(project_clamped(local, K, nearest=1e-3, lens=BROWN)[:2], project(local[:2], K, BROWN))


def test_a_wrong_lens_is_named():
    with pytest.raises(ValueError, match=r"unknown lens 'zoom'; expected one of: brown, fisheye"):
        check_lens(Lens(kind="zoom", coefficients=()))
    with pytest.raises(ValueError, match=r"expected the coefficients k1, k2, p1, p2, k3, found 2 numbers"):
        check_lens(Lens(kind="brown", coefficients=(0.1, 0.2)))
