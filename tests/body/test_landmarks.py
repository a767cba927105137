"""Detectors' points on a body: mirror images of each other, linear in the shape, the same place whatever layout names them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augment.body.landmarks import HIP_HALF_SHARE, landmarks_of, place_landmarks
from augment.body.model import load_body, pose_body
from augment.geometry import axis_angle_to_matrix, forward_kinematics
from augment.reconstruct.bodies.evidence import group_weights, partners
from augment.sources.people.people import LAYOUTS
from augment.types import JOINT, Motion
from tests.make.body_files import family_file

MIRROR = np.array([-1.0, 1.0, 1.0])


def posed(body, layout: str, pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Points (k, 3), the root where the zero pose has it."""
    rotations = axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float64))
    joints, worlds = forward_kinematics(rotations, torch.tensor(body.rest_joints(betas), dtype=torch.float64))
    return place_landmarks(landmarks_of(body, layout), joints, worlds, torch.as_tensor(betas, dtype=torch.float64)).numpy()


def at_rest(body, layout: str, betas: np.ndarray | None = None) -> dict[str, np.ndarray]:
    points = posed(body, layout, np.zeros((24, 3)), np.zeros(10) if betas is None else betas)
    return dict(zip(LAYOUTS[layout], points, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_left_and_right_are_mirror_images(body, layout):
    """Mirror law: in the zero pose each left point is the right one mirrored, to a centimetre; sigmas are the same."""
    marks = landmarks_of(body, layout)
    points = posed(body, layout, np.zeros((24, 3)), np.zeros(10))
    other = partners(layout)
    np.testing.assert_allclose(points, points[other] * MIRROR, atol=0.012)
    assert np.array_equal(marks.sigma, marks.sigma[other])
    assert np.array_equal(other[other], np.arange(len(other)))
    for name, index in {name: i for i, name in enumerate(LAYOUTS[layout])}.items():
        if "left" in name:
            assert points[index, 0] > 0.005, name
            assert marks.names[other[index]] == name.replace("left", "right")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_points_of_a_mirrored_pose_are_the_mirrored_points(body, layout):
    """Equivariance: mirroring pose and body mirrors every point."""
    pose = np.random.default_rng(0).normal(scale=0.4, size=(24, 3))
    joint_partner = partners("smpl24")
    mirrored = pose[joint_partner] * [1.0, -1.0, -1.0]
    points, other = posed(body, layout, pose, np.zeros(10)), posed(body, layout, mirrored, np.zeros(10))
    np.testing.assert_allclose(other, points[partners(layout)] * MIRROR, atol=0.04)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_points_are_affine_in_the_shape(body, layout):
    """Linearity: a landmark's offset from its joint at a + b is that at a plus that at b, in any pose."""
    rng = np.random.default_rng(1)
    pose, one, other = rng.normal(scale=0.3, size=(24, 3)), rng.normal(size=10), rng.normal(size=10)

    def at(betas):
        return posed(body, layout, pose, betas)

    np.testing.assert_allclose(at(one + other) + at(np.zeros(10)), at(one) + at(other), atol=2e-5)


def test_points_of_the_skin_are_on_the_skin_of_any_shape(body):
    """Known answer: what is read off a vertex stays on that vertex when the shape changes (recomputed by the body itself)."""
    betas = np.random.default_rng(2).normal(size=10)
    rest = Motion(
        global_orient=np.zeros((1, 3)), body_pose=np.zeros((1, 23, 3)), transl=np.zeros((1, 3)), betas=betas, fps=30.0
    )
    vertices = pose_body(body, rest, slice(0, 1))[0][0]
    names = ("nose", "left_ear", "right_ear", "left_heel", "right_heel", "left_foot_index", "right_foot_index")
    points = at_rest(body, "mediapipe33", betas)
    for name in names:
        assert np.linalg.norm(vertices - points[name], axis=1).min() < 2e-4, name


def test_the_same_name_is_the_same_place_in_every_layout(body):
    """One name, one place, one joint it rides on."""
    seen: dict[str, tuple[np.ndarray, int]] = {}
    for layout in LAYOUTS:
        marks = landmarks_of(body, layout)
        for index, (name, point) in enumerate(at_rest(body, layout).items()):
            if name in seen:
                np.testing.assert_array_equal(point, seen[name][0])
                assert marks.joint[index] == seen[name][1]
            seen[name] = point, int(marks.joint[index])
    assert len(seen) > 55


def test_known_places(body):
    """Known answers: limb points are SMPL's joints; hips as wide apart as detectors have them; faces look ahead."""
    rest, points = body.rest_joints(np.zeros(10)), at_rest(body, "mediapipe33")
    for name in ("left_knee", "right_elbow", "left_wrist", "right_ankle", "left_shoulder"):
        np.testing.assert_allclose(points[name], rest[JOINT[name]], atol=1e-5)
    skeleton = at_rest(body, "smpl24")
    np.testing.assert_allclose([skeleton[f"smpl_{name}"] for name in JOINT], rest, atol=1e-6)
    wide = points["left_hip"][0] - points["right_hip"][0]
    assert wide == pytest.approx(2 * HIP_HALF_SHARE * body.height(np.zeros(10)), rel=0.03)
    assert points["nose"][2] > points["left_eye"][2] > points["left_ear"][2]
    assert points["left_ear"][1] > points["mouth_left"][1]
    assert points["left_eye_inner"][0] < points["left_eye"][0] < points["left_eye_outer"][0]
    assert points["left_foot_index"][2] > points["left_ankle"][2] > points["left_heel"][2]
    assert points["left_heel"][1] < rest[JOINT["left_ankle"]][1]
    openpose = at_rest(body, "openpose25")
    np.testing.assert_allclose(openpose["neck"], (points["left_shoulder"] + points["right_shoulder"]) / 2, atol=1e-5)
    assert openpose["left_small_toe"][0] > openpose["left_foot_index"][0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_points_ride_rigidly(body, layout):
    """Equivariance: turning and moving the body turns and moves its points."""
    rng = np.random.default_rng(3)
    pose = rng.normal(scale=0.3, size=(24, 3))
    rotations = axis_angle_to_matrix(torch.as_tensor(pose))
    joints, worlds = forward_kinematics(rotations, torch.tensor(body.rest_joints(np.zeros(10)), dtype=torch.float64))
    turn, shift = axis_angle_to_matrix(torch.as_tensor(rng.normal(size=3))), torch.as_tensor(rng.normal(size=3))
    marks, betas = landmarks_of(body, layout), torch.zeros(10, dtype=torch.float64)
    one = place_landmarks(marks, joints, worlds, betas) @ turn.T + shift
    other = place_landmarks(marks, joints @ turn.T + shift, turn @ worlds, betas)
    torch.testing.assert_close(one, other)


def test_crowds_of_points_count_for_less():
    """A face's eleven points together count for no more than the trunk's four."""
    for layout in ("coco17", "mediapipe33", "openpose25"):
        table, weights = {name: i for i, name in enumerate(LAYOUTS[layout])}, group_weights(layout)
        face = sum(w for n, w in zip(table, weights, strict=True) if any(p in n for p in ("eye", "ear", "nose", "mouth")))
        trunk = sum(w for n, w in zip(table, weights, strict=True) if "shoulder" in n or ("_hip" in n and "mid" not in n))
        assert 0 < face < trunk == 4


def test_an_unknown_layout_is_named_with_what_is_known(body):
    with pytest.raises(ValueError, match=r"unknown keypoint layout 'coco18'; expected one of coco17, openpose25"):
        landmarks_of(body, "coco18")


def test_a_body_model_of_the_smpl_family_gives_the_same_points(body, tmp_path):
    """The open body written as a SMPL-X file and loaded again has its points where it had them."""
    loaded = load_body(family_file(body, 55, tmp_path / "model.npz"))
    for layout in LAYOUTS:
        one, other = at_rest(body, layout), at_rest(loaded, layout)
        for name, point in one.items():
            np.testing.assert_allclose(other[name], point, atol=2e-3, err_msg=name)
