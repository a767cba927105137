"""Laws of looks: drawn from the generator alone, following the body, standing on the floor, on any body."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from augment.body.model import pose_body
from augment.body.shapes import sample_betas
from augment.film.appearance import sample_look, wear
from augment.film.hair import draw_skin
from augment.film.outfits import OUTFITS
from augment.film.pattern import pattern_of
from augment.film.thin import edges_of, thin
from augment.raster.shading import vertex_normals
from augment.types import JOINT
from tests.make.rooms import standing, the_body


@pytest.fixture(scope="module")
def posed():
    motion = standing(the_body(), frames=1)
    motion.body_pose[0, JOINT["left_knee"] - 1, 0] = 0.9
    motion.body_pose[0, JOINT["left_hip"] - 1, 0] = -0.9
    return pose_body(the_body(), motion)[0][0]


def test_the_same_seed_gives_the_same_look_and_another_seed_another():
    a, b, c = (sample_look(the_body(), rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert a.colors.tobytes() == b.colors.tobytes()
    assert a.mix.data.tobytes() == b.mix.data.tobytes()
    assert a.description == b.description
    assert a.colors.shape != c.colors.shape or not np.array_equal(a.colors, c.colors)


def test_a_coarser_mesh_is_the_same_look_and_draws_as_many_numbers():
    for outfit in sorted(OUTFITS):
        rngs = [np.random.default_rng(4), np.random.default_rng(4)]
        fine, coarse = (
            sample_look(the_body(), rng=rng, outfit=outfit, finest=f) for rng, f in zip(rngs, (0.0, 0.016), strict=True)
        )
        assert fine.description == coarse.description
        assert rngs[0].bit_generator.state == rngs[1].bit_generator.state
        assert len(coarse.faces) < 0.75 * len(fine.faces)
        rest = the_body().rest_vertices(np.zeros(10))
        away, _ = KDTree(wear(fine, rest)).query(wear(coarse, rest))
        assert np.quantile(away, 0.95) < 0.02


@pytest.mark.parametrize("outfit", sorted(OUTFITS))
def test_every_outfit_dresses_the_body_closely(posed, outfit):
    look = sample_look(the_body(), rng=np.random.default_rng(1), outfit=outfit)
    worn = wear(look, posed)
    assert look.description["outfit"] == outfit
    assert np.isfinite(worn).all()
    assert look.colors.shape == worn.shape
    assert look.faces.min() >= 0
    assert look.faces.max() < len(worn)
    # Cloth and hair reach at most a hand's breadth past the body, whatever the pose.
    assert (worn.min(0) > posed.min(0) - 0.12).all()
    assert (worn.max(0) < posed.max(0) + 0.12).all()


@pytest.mark.parametrize("outfit", sorted(OUTFITS))
def test_nothing_worn_reaches_below_the_soles(outfit):
    motion = standing(the_body(), frames=1)
    vertices = pose_body(the_body(), motion)[0][0]
    for seed in range(2):
        worn = wear(sample_look(the_body(), rng=np.random.default_rng(seed), outfit=outfit), vertices)
        assert worn[:, 1].min() > -0.012


def test_clothes_follow_a_rigid_motion_exactly(posed):
    look = sample_look(the_body(), rng=np.random.default_rng(2), outfit="gown")
    turn = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    moved = wear(look, (posed @ turn.T + [1, 0.2, -3]).astype(np.float32))
    np.testing.assert_allclose(moved, wear(look, posed) @ turn.T + [1, 0.2, -3], atol=2e-4)


def test_rows_of_the_mix_are_means():
    look = sample_look(the_body(), rng=np.random.default_rng(3), outfit="dress")
    np.testing.assert_allclose(np.asarray(look.mix.sum(axis=1)).ravel(), 1.0, atol=1e-3)


def test_rows_of_the_mix_are_calm():
    """No vertex is extrapolated far from the ones it is mixed of: it would swing about when they move apart."""
    for outfit in OUTFITS:
        look = sample_look(the_body(), rng=np.random.default_rng(1), outfit=outfit)
        assert np.abs(look.mix.data).max() < 2


@pytest.mark.parametrize("outfit", sorted(OUTFITS))
def test_a_dressed_person_has_fewer_vertices_than_the_body_alone(outfit):
    """The engine's time is proportional to it; every vertex is drawn."""
    looks = [sample_look(the_body(), rng=np.random.default_rng(seed), outfit=outfit) for seed in range(4)]
    assert np.median([len(look.colors) for look in looks]) < 0.8 * len(the_body().weights)
    for look in looks:
        assert set(np.unique(look.faces)) == set(range(len(look.colors)))


def test_the_part_of_a_vertex_is_that_of_the_body_beside_it():
    body = the_body()
    look = sample_look(body, rng=np.random.default_rng(2), outfit="pyjamas")
    rest = body.rest_vertices(np.zeros(10))
    parts, near = look.parts(body), KDTree(rest).query(wear(look, rest))[1]
    assert parts.shape == (len(look.colors),)
    assert parts.dtype == np.uint8
    assert set(np.unique(parts)) <= set(range(24))
    # Where a joint's share is not the largest by far, a neighbouring joint may win.
    weight = body.weights[near, parts]
    assert (parts == body.part_of_vertex[near]).mean() > 0.9
    assert np.quantile(weight, 0.02) > 0.2


def test_normals_point_outwards():
    body = the_body()
    rest = body.rest_vertices(np.zeros(10))
    grown = rest + 0.01 * vertex_normals(rest, body.faces)
    assert np.ptp(grown, axis=0) == pytest.approx(np.ptp(rest, axis=0) + 0.02, abs=0.004)


def test_looks_differ_enough_to_teach_a_network_something():
    looks = [sample_look(the_body(), rng=np.random.default_rng(seed)) for seed in range(12)]
    assert len({look.description["outfit"] for look in looks}) >= 3
    assert len({look.description["hair"] for look in looks}) >= 3
    means = np.array([look.colors.mean(0) for look in looks])
    assert means.std(0).min() > 15


def test_other_shapes_are_dressed_too():
    body = the_body()
    rng = np.random.default_rng(4)
    for _ in range(3):
        motion = standing(body, frames=1, betas=sample_betas(body, rng=rng))
        worn = wear(sample_look(body, rng=rng), pose_body(body, motion)[0][0])
        assert worn[:, 1].min() > -0.02


def another_body():
    """A body of another mesh: coarser, in one piece, without eyeballs."""
    body = the_body()
    rest, joints = body.rest_vertices(np.zeros(10)), body.rest_joints(np.zeros(10))
    _, piece = connected_components(edges_of(body.faces, len(rest)), directed=False)
    skin = body.faces[(piece[body.faces] == np.bincount(piece).argmax()).all(axis=1)]
    everywhere = np.ones(len(rest))
    used, flat = np.unique(thin(rest, skin, longest=0.03 * everywhere, tolerance=6e-4 * everywhere), return_inverse=True)
    # The smallest affine weights that give each joint.
    regressor = np.column_stack([joints, np.ones(24)]) @ np.linalg.pinv(np.column_stack([rest[used], np.ones(len(used))]))
    model = SimpleNamespace(
        v_template=body.model.v_template[used],
        shapedirs=body.model.shapedirs[used],
        J_regressor=torch.as_tensor(regressor, dtype=body.model.v_template.dtype),
    )
    return replace(
        body, model=model, faces=flat.reshape(-1, 3), weights=body.weights[used], part_of_vertex=body.part_of_vertex[used]
    )


def test_a_body_of_another_mesh_is_dressed_as_well():
    body = another_body()
    rest = body.rest_vertices(np.zeros(10))
    assert not pattern_of(body).points.eye.any()
    for outfit in OUTFITS:
        look = sample_look(body, rng=np.random.default_rng(1), outfit=outfit)
        worn = wear(look, rest)
        assert np.abs(look.mix.data).max() < 2
        assert (worn.min(0) > rest.min(0) - 0.12).all()
        assert (worn.max(0) < rest.max(0) + 0.12).all()


def test_a_body_without_eyeballs_has_eyes_as_well():
    """SMPL's mesh is one piece; its eyes are painted on the face."""
    pattern = pattern_of(the_body())
    points = pattern.points
    assert points.eye.any()
    skin = draw_skin(pattern, "bald", np.array([50.0, 40, 30]), rng=np.random.default_rng(0))
    middle = points.rest[points.eye > 0.5].mean(0)
    face = (points.eye == 0) & (np.abs(points.rest[:, 1] - middle[1]) < 0.01) & (points.rest[:, 2] > middle[2])
    painted = replace(skin, eyes=None).color(replace(points, values=points.values * (np.arange(15) != 9)))
    assert painted[face].min() < skin.color(points)[face].min() - 15


@pytest.mark.parametrize("name", ["coat", "labcoat", "apron", "gown", "scrubs", "skirt"])
def test_what_is_worn_is_in_the_description(name):
    description = sample_look(the_body(), rng=np.random.default_rng(3), outfit=name).description
    assert description["outfit"] == name
    assert {"top", "sleeve", "bottom", "over", "shoes", "hat", "hair", "hair_color"} <= set(description)
    if name in ("coat", "labcoat", "apron"):
        assert description["over"] == name


def test_hats_and_bare_feet_are_worn_by_some():
    looks = [sample_look(the_body(), rng=np.random.default_rng(seed), outfit=name).description
             for name in ("coat", "scrubs", "pyjamas") for seed in range(12)]  # fmt: skip
    assert {"", "woolly hat", "surgical cap"} <= {look["hat"] for look in looks}
    assert {"bare", "socks", "slippers", "shoes"} == {look["shoes"] for look in looks}


def test_an_unknown_outfit_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="day, skirt, dress, gown, scrubs, pyjamas, coat"):
        sample_look(the_body(), rng=np.random.default_rng(0), outfit="armour")
