"""Laws of skinning chosen vertices over many frames."""

from __future__ import annotations

import numpy as np

from augment.body.model import load_body, pose_body
from augment.body.skinning import join, lowest_skin, make_terms, skinned
from augment.geometry import axis_angle_to_matrix, forward_kinematics
from augment.types import Motion


def posed():
    """Vertices of some random poses by the body model, and what skinning starts from."""
    import torch

    body, rng = load_body(), np.random.default_rng(3)
    pose = rng.normal(0.0, 0.4, (5, 24, 3))
    pose[:, 22:] = 0.0
    betas, transl = rng.normal(0.0, 0.5, 10), rng.normal(0.0, 1.0, (5, 3))
    motion = Motion(global_orient=pose[:, 0], body_pose=pose[:, 1:], transl=transl, betas=betas, fps=10.0)
    rest = body.rest_joints(betas)
    joints, worlds = forward_kinematics(axis_angle_to_matrix(torch.as_tensor(pose)), torch.as_tensor(rest.copy()))
    terms = make_terms(body.rest_vertices(betas), body.weights, rest)
    return pose_body(body, motion)[0], terms, joints.numpy() + transl[:, None], worlds.numpy()


def test_vertices_are_those_of_the_body_model():
    vertices, terms, joints, worlds = posed()
    np.testing.assert_allclose(skinned(terms, joints, worlds), vertices, atol=1e-5)


def test_the_lowest_skin_is_the_lowest_of_the_vertices_within_the_radius():
    _, terms, joints, worlds = posed()
    points = skinned(terms, joints, worlds)
    np.testing.assert_allclose(lowest_skin(terms, joints, worlds), points[..., 1].min(axis=1), atol=1e-12)
    away = np.linalg.norm((points - joints[:, :1])[..., [0, 2]], axis=-1)
    for radius in (0.2, 0.5):
        expected = np.where(away < radius, points[..., 1], np.inf).min(axis=1)
        np.testing.assert_allclose(lowest_skin(terms, joints, worlds, radius), expected, atol=1e-12)


def test_no_skin_counts_as_infinitely_high():
    _, terms, joints, worlds = posed()
    assert np.isinf(lowest_skin(terms, joints, worlds, 1e-6)).all()


def test_only_what_is_lower_counts():
    _, terms, joints, worlds = posed()
    low = lowest_skin(terms, joints, worlds)
    shift = np.array([-0.3, -1e-3, 0.0, 1e-3, 0.3])
    np.testing.assert_array_equal(lowest_skin(terms, joints, worlds, below=low + shift), low + np.minimum(shift, 0.0))


def test_what_all_shapes_share_gives_each_shape_its_own_terms():
    body, rng = load_body(), np.random.default_rng(5)
    rows, (first, second) = np.arange(0, len(body.weights), 7), rng.normal(0.0, 1.0, (2, 10))
    joined = join(body.rest_vertices(first)[rows], body.weights[rows], body.rest_joints(first))
    points, rest = body.rest_vertices(second)[rows], body.rest_joints(second)
    shared, own = joined.at(points, rest), make_terms(points, body.weights[rows], rest)
    np.testing.assert_array_equal(shared.values, own.values)
    _, _, joints, worlds = posed()
    np.testing.assert_array_equal(lowest_skin(shared, joints, worlds), lowest_skin(own, joints, worlds))
