"""Exactness of the layers: labels agree with the mesh that was filmed, and pictures with an independent renderer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import KDTree

from augment.body.model import pose_body
from augment.film.appearance import OUTFITS, sample_look, wear
from augment.film.costume import fit_look, pose_costume, pose_joints
from augment.film.detail import finest_detail
from augment.film.film import LAYERS, film
from augment.film.keypoints import LAYOUTS, film_keypoints
from augment.film.style import Style
from augment.film.view import prepare_view
from augment.geometry import invert_transform, pixel_grid, project, transform_points, unproject
from augment.motion.library.scripted.act import make_action
from augment.placement.place import move_motion
from augment.raster.rasterize import make_rasterizer
from augment.types import Motion
from tests.make.rooms import performance, room, standing, the_body

CLEAN = Style(blur=0.0, noise=0.0)
HEIGHT = 224


def shoot(people, layers=LAYERS, height=HEIGHT, scene=None, style=CLEAN, **options):
    rng = np.random.default_rng(3)
    looks = [sample_look(the_body(), rng=rng, outfit="scrubs") for _ in people]
    view = prepare_view(scene or room(), height=height)
    shot = film(performance(*people), view, the_body(), looks, rng=rng, fps=10.0, style=style, layers=layers, **options)
    return shot, view, looks


def walker(frames: int = 8) -> Motion:
    rng = np.random.default_rng(0)
    motion = make_action("walk", rng=rng, body=the_body(), betas=np.zeros(10), fps=10.0).take(slice(10, 10 + frames))
    middle = np.array([motion.transl[frames // 2, 0], 0.0, motion.transl[frames // 2, 2]])
    return move_motion(motion, 0.8, np.array([0.4, 0, 0.4]) - middle, the_body())


_SHARES = np.array([(a, b, 6 - a - b) for a in range(7) for b in range(7 - a)]) / 6
"""Places all over a triangle."""


@pytest.fixture(scope="module")
def walk():
    return shoot([walker()])


def dressed(shot, looks) -> np.ndarray:
    """Dressed vertices of the first person, by posing the body's mesh and putting the look on it."""
    bare, _ = pose_body(the_body(), shot["people"][0])
    return np.stack([wear(looks[0], vertices) for vertices in bare])


def surface_points(shot, view, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the person's pixels lie in the world, and those pixels' indices."""
    hit = shot["mask"][frame] == 1
    local = unproject(pixel_grid(*hit.shape)[hit], shot["depth"][frame][hit].astype(float), view.camera.K)
    return transform_points(view.camera.T_world_camera, local), np.argwhere(hit)


@pytest.mark.parametrize("outfit", sorted(OUTFITS))
def test_a_posed_costume_is_the_look_worn_by_the_posed_body(outfit):
    body, rng = the_body(), np.random.default_rng(1)
    look, betas = sample_look(body, rng=rng, outfit=outfit), rng.normal(size=10) * 0.7
    motion = make_action("sit_down", rng=rng, body=body, betas=betas, fps=10.0).take(slice(0, 40, 8))
    joints, rotations = pose_joints(body, motion)
    posed = pose_costume(fit_look(look, body, betas), motion, joints, rotations, slice(None))
    bare, expected_joints = pose_body(body, motion)
    np.testing.assert_allclose(joints, expected_joints, atol=1e-5)
    plain = replace(look, offsets=np.zeros_like(look.offsets))
    without = pose_costume(fit_look(plain, body, betas), motion, joints, rotations, slice(None))
    np.testing.assert_allclose(without, np.stack([plain.mix @ vertices for vertices in bare]), atol=2e-4)
    # Cloth stands off along the skinned normal of the rest pose instead of the posed surface's own.
    away = np.linalg.norm(posed - np.stack([wear(look, vertices) for vertices in bare]), axis=-1)
    assert away.mean() < 0.002
    assert np.quantile(away, 0.99) < 0.02


def test_pictures_agree_with_pyrender():
    try:
        reference = make_rasterizer("pyrender")
    except RuntimeError as error:
        pytest.skip(str(error))
    people, layers = [walker(3), standing(the_body(), frames=3, at=(-0.3, 0.9))], ("rgb", "mask", "depth")
    ours, _, _ = shoot(people, layers)
    theirs, _, _ = shoot(people, layers, rasterizer=reference)
    for frame in range(3):
        a, b = ours["mask"][frame] > 0, theirs["mask"][frame] > 0
        assert (a & b).sum() / (a | b).sum() >= 0.995
        both = a & b & (ours["mask"][frame] == theirs["mask"][frame])
        assert both.sum() > 2000
        off = np.abs(ours["frames"][frame].astype(float) - theirs["frames"][frame])[both]
        assert off.mean() <= 2.0
        assert np.quantile(np.abs(ours["depth"][frame] - theirs["depth"][frame])[both], 0.95) <= 0.002


def test_depth_lies_on_the_mesh(walk):
    shot, view, looks = walk
    meshes = dressed(shot, looks)
    for frame in (0, 4):
        points, _ = surface_points(shot, view, frame)
        corners = meshes[frame][looks[0].faces]
        dense = [np.einsum("fkd,k->fd", corners, shares) for shares in _SHARES]
        away, _ = KDTree(np.concatenate(dense)).query(points)
        assert np.quantile(away, 0.95) < 0.012


def test_a_part_is_the_joint_that_moves_the_nearest_vertex_most(walk):
    shot, view, looks = walk
    weights = looks[0].mix @ the_body().weights
    agree = []
    for frame, mesh in enumerate(dressed(shot, looks)):
        points, at = surface_points(shot, view, frame)
        _, near = KDTree(mesh).query(points, k=3)
        part = shot["parts"][frame][at[:, 0], at[:, 1]].astype(int) - 1
        agree.append((weights[near].argmax(-1) == part[:, None]).any(1))
        assert (shot["parts"][frame][shot["mask"][frame] == 0] == 0).all()
    assert np.concatenate(agree).mean() > 0.97


def test_flow_leads_every_surface_point_to_where_it_is_in_the_next_frame(walk):
    shot, view, looks = walk
    meshes, T = dressed(shot, looks), invert_transform(view.camera.T_world_camera)
    errors, lengths = [], []
    for frame in range(len(meshes) - 1):
        points, at = surface_points(shot, view, frame)
        _, near = KDTree(meshes[frame]).query(points)
        now, after = (
            project(transform_points(T, mesh[near].astype(float)), view.camera.K) for mesh in meshes[frame : frame + 2]
        )
        flow = shot["flow"][frame][at[:, 0], at[:, 1]]
        errors.append(np.linalg.norm(flow - (after - now), axis=1))
        lengths.append(np.linalg.norm(after - now, axis=1))
    assert np.median(np.concatenate(lengths)) > 2  # the person does move
    assert np.median(np.concatenate(errors)) < 0.2
    assert np.quantile(np.concatenate(errors), 0.95) < 1
    assert not shot["flow"][-1].any()


def test_flow_warps_a_frame_onto_the_next(walk):
    shot, _, _ = walk
    grid = np.floor(pixel_grid(*shot["mask"].shape[1:])).astype(int)
    for frame in range(3):
        hit = shot["mask"][frame] == 1
        target = np.rint(grid[hit] + shot["flow"][frame][hit]).astype(int)
        inside = ((target >= 0) & (target < [shot["mask"].shape[2], shot["mask"].shape[1]])).all(1)
        target = target[inside]
        stays = shot["mask"][frame + 1][target[:, 1], target[:, 0]] == 1
        assert stays.mean() > 0.85
        moved = np.abs(shot["frames"][frame][hit][inside].astype(float) - shot["frames"][frame + 1][target[:, 1], target[:, 0]])
        still = np.abs(shot["frames"][frame][hit].astype(float) - shot["frames"][frame + 1][hit])
        assert np.median(moved) < 0.6 * np.median(still) + 1


def test_normals_are_unit_face_the_camera_and_match_the_depth(walk):
    shot, view, _ = walk
    for frame in (0, 5):
        normals, hit = shot["normals"][frame], shot["mask"][frame] == 1
        known = hit | view.solid
        np.testing.assert_allclose(np.linalg.norm(normals[known], axis=-1), 1, atol=1e-3)
        rays = unproject(pixel_grid(*hit.shape), np.ones(hit.shape), view.camera.K)
        assert ((normals * rays).sum(-1)[hit] < 0.1).mean() > 0.97
        # Inside the person the surface's slope is that of the depth's.
        points = unproject(pixel_grid(*hit.shape), shot["depth"][frame].astype(float), view.camera.K)
        across, down = points[:-1, 1:] - points[:-1, :-1], points[1:, :-1] - points[:-1, :-1]
        slope = np.cross(down, across)
        slope /= np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-12)
        inner = hit[:-1, :-1] & hit[1:, :-1] & hit[:-1, 1:]
        inner &= (np.linalg.norm(across, axis=-1) < 0.04) & (np.linalg.norm(down, axis=-1) < 0.04)
        assert np.median((slope * normals[:-1, :-1]).sum(-1)[inner]) > 0.95


def test_visible_keypoints_lie_on_or_beside_the_mask(walk):
    shot, _, _ = walk
    grown = np.stack([np.asarray(mask > 0) for mask in shot["mask"]])
    for _ in range(3):
        grown = grown | np.roll(grown, 1, 1) | np.roll(grown, -1, 1) | np.roll(grown, 1, 2) | np.roll(grown, -1, 2)
    for name in ("joints2d", "keypoints_coco", "keypoints_mediapipe"):
        for frame, points in enumerate(shot[name]):
            seen = points[points[:, 2] > 0]
            assert len(seen) > 0.7 * len(points)
            assert grown[frame][seen[:, 1].astype(int), seen[:, 0].astype(int)].mean() > 0.95


def _inner(mask: np.ndarray) -> np.ndarray:
    shifts = [np.roll(mask, step, axis) for axis in (1, 2) for step in (-1, 1)]
    return np.logical_and.reduce([mask, *shifts])


def test_of_two_people_the_nearer_is_seen_in_a_thousand_random_poses():
    rng, frames = np.random.default_rng(5), 1000
    people, front = [], rng.choice([-1.0, 1.0], frames)
    for side in (-1, 1):
        base = standing(the_body(), frames=frames)
        place = rng.uniform([-0.5, 0.0, -0.3], [0.5, 0.3, 0.3], (frames, 3))
        place[:, 2] += 0.5 * side * front  # either may be the nearer one
        people.append(
            replace(
                base,
                body_pose=base.body_pose + rng.normal(0, 0.3, base.body_pose.shape),
                transl=base.transl + place,
                global_orient=rng.normal(0, 0.6, (frames, 3)),
            )
        )
    empty = replace(room(), depth=np.zeros_like(room().depth))
    alone = [shoot([person], ("mask", "depth"), 48, empty)[0] for person in people]
    both = shoot(people, ("mask", "depth"), 48, empty)[0]
    covered = (alone[0]["mask"] > 0) & (alone[1]["mask"] > 0)
    gap = alone[0]["depth"] - alone[1]["depth"]
    expected = np.where(gap < 0, 1, 2)
    # Inside the nearer one's outline: on it, both may cover a part of the pixel.
    inside = np.stack([_inner(shot["mask"] > 0) for shot in alone])
    clear = covered & (np.abs(gap) > 0.10) & np.where(expected == 1, *inside)
    assert clear.any((1, 2)).sum() > 500
    assert (both["mask"] == expected)[clear].mean() > 0.995


@pytest.mark.parametrize(("height", "at"), [(112, (0.3, 0.3)), (224, (-0.4, -0.3))])
def test_a_mesh_as_coarse_as_the_picture_allows_gives_the_same_picture(height, at):
    motion = standing(the_body(), frames=2, at=at)
    view, films, sizes = prepare_view(room(), height=height), [], []
    for finest in (0.0, finest_detail(motion, the_body(), view.camera)):
        looks = [sample_look(the_body(), rng=np.random.default_rng(0), outfit="scrubs", finest=finest)]
        sizes.append(len(looks[0].faces))
        options = {"rng": np.random.default_rng(1), "fps": 10.0, "style": CLEAN, "layers": LAYERS}
        films.append(film(performance(motion), view, the_body(), looks, **options))
    assert sizes[1] < 0.75 * sizes[0]
    fine, coarse = films
    both = (fine["mask"] > 0) & (coarse["mask"] > 0)
    assert both.sum() / ((fine["mask"] > 0) | (coarse["mask"] > 0)).sum() > 0.97
    assert np.abs(fine["frames"].astype(float) - coarse["frames"])[both].mean() < 5
    assert np.abs(fine["frames"].astype(float) - coarse["frames"])[(fine["mask"] == 0) & (coarse["mask"] == 0)].mean() < 0.2
    assert np.quantile(np.abs(fine["depth"] - coarse["depth"])[both], 0.95) < 0.010
    assert (fine["parts"] == coarse["parts"])[both].mean() > 0.93


def test_details_are_finer_the_larger_the_picture_and_the_nearer_the_person():
    camera = prepare_view(room(), height=448).camera
    people = [standing(the_body(), frames=2, at=(0.0, z)) for z in (-1.0, 0.5, 2.0)]
    away = [np.linalg.norm(person.transl[0] - camera.T_world_camera[:3, 3]) for person in people]
    for person in people:
        sizes = [finest_detail(person, the_body(), camera.scaled_to(height)) for height in (448, 224, 112, 56)]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1]
    sizes = [finest_detail(people[index], the_body(), camera) for index in np.argsort(away)]
    assert sizes == sorted(sizes)


def test_layers_that_are_not_asked_for_are_not_there_and_change_nothing():
    person = [walker(2)]
    everything, _, _ = shoot(person)
    for name in LAYERS:
        alone, _, _ = shoot(person, (name,))
        key = "frames" if name == "rgb" else name
        np.testing.assert_array_equal(alone[key], everything[key])
        assert not ({"frames", *LAYERS} - {key}) & set(alone)
        np.testing.assert_array_equal(alone["keypoints_coco"], everything["keypoints_coco"])


def test_an_unknown_layer_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="unknown layer 'masks'; expected one of: rgb, mask"):
        shoot([walker(1)], ("masks",))


def test_pyrender_gives_no_layers_that_need_triangles():
    try:
        reference = make_rasterizer("pyrender")
    except RuntimeError as error:
        pytest.skip(str(error))
    with pytest.raises(ValueError, match="'flow' needs the compiled rasterizer"):
        shoot([walker(1)], ("rgb", "flow"), rasterizer=reference)


def test_keypoints_without_pictures_are_those_of_the_film():
    same, hidden = [], []
    for seed, action in enumerate(["walk", "sit", "crawl", "pick_up"], start=2):
        rng = np.random.default_rng(seed)
        motion = make_action(action, rng=rng, body=the_body(), betas=np.zeros(10), fps=10.0)
        motion = motion.take(slice(0, len(motion), 6))
        middle = np.array([motion.transl[:, 0].mean(), 0.0, motion.transl[:, 2].mean()])
        crossing = move_motion(motion, 2.0, np.array([0.3, 0, 0.2]) - middle, the_body())
        people = [crossing, standing(the_body(), len(motion), (0.4, 1.0))]
        shot, view, _ = shoot(people, ("mask",))
        quick = film_keypoints(performance(*people), view, the_body(), fps=10.0)
        for name in LAYOUTS:
            np.testing.assert_allclose(quick[name][..., :2], shot[name][..., :2], atol=1e-3)
            same.append(((quick[name][..., 2] > 0) == (shot[name][..., 2] > 0)).ravel())
            hidden.append((shot[name][..., 2] == 0).ravel())
        np.testing.assert_allclose(quick["joints"], shot["joints"], atol=1e-6)
    assert np.concatenate(same).mean() > 0.92
    assert 0.1 < np.concatenate(hidden).mean() < 0.8  # behind the other person
