"""The body: SMPL's conventions, measured on the open default body and on files of each family made from it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import trimesh

from augment.body.model import joints_of, load_body, pose_body
from augment.body.shapes import betas_from_phenotype, sample_betas
from augment.types import JOINT, SMPL_JOINTS, Motion
from tests.make.body_files import family_file


def _motion(body_pose, betas, **options):
    frames = len(body_pose)
    fields = {"global_orient": np.zeros((frames, 3)), "transl": np.zeros((frames, 3)), "fps": 20.0} | options
    return Motion(body_pose=np.asarray(body_pose, float), betas=betas, **fields)


def _winding(vertices, faces, points):
    """How often the closed surface winds round each point (1 inside, 0 outside): the sum of its triangles' solid angles."""
    a, b, c = (vertices[faces[:, k]][None] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(x, axis=-1) for x in (a, b, c))
    volume = np.einsum("pfk,pfk->pf", a, np.cross(b, c))
    below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(volume, below).sum(axis=1) / (2 * np.pi)


def test_zero_pose_is_smpl_t_pose(body):
    """Arms along x (left towards +x), legs straight down, feet and face towards +z."""
    joints = body.rest_joints(np.zeros(10))
    for side, sign in (("left_", 1), ("right_", -1)):
        arm = joints[JOINT[side + "wrist"]] - joints[JOINT[side + "shoulder"]]
        leg = joints[JOINT[side + "ankle"]] - joints[JOINT[side + "hip"]]
        foot = joints[JOINT[side + "foot"]] - joints[JOINT[side + "ankle"]]
        assert sign * arm[0] / np.linalg.norm(arm) > 0.995
        assert -leg[1] / np.linalg.norm(leg) > 0.995
        assert foot[2] > 0.08
    vertices = body.rest_vertices(np.zeros(10))
    head = vertices[body.part_of_vertex == JOINT["head"]]
    nose = head[head[:, 2].argmax()]
    assert abs(nose[0]) < 0.01
    assert nose[2] > joints[JOINT["head"], 2] + 0.05


def test_joint_order_is_smpls(body):
    """Each part of the surface lies around its own joint: nearer to it than to joints two bones away."""
    vertices, joints = body.rest_vertices(np.zeros(10)), body.rest_joints(np.zeros(10))
    for index, name in enumerate(SMPL_JOINTS):
        part = vertices[body.part_of_vertex == index]
        assert len(part), name
        assert np.linalg.norm(part.mean(axis=0) - joints[index]) < 0.25, name
        assert np.sign(part[:, 0].mean()) == {"l": 1, "r": -1}.get(name[0] if "_" in name else "", np.sign(part[:, 0].mean()))


@pytest.mark.parametrize("height", [1.5, 1.7, 1.9])
@pytest.mark.parametrize("gender", [0.0, 1.0])
def test_asked_height_is_measured_height(body, height, gender):
    betas = betas_from_phenotype(body, height_m=height, gender=gender)
    assert body.height(betas) == pytest.approx(height, abs=0.02)
    assert body.height(betas) == pytest.approx(np.ptp(body.rest_vertices(betas)[:, 1]), abs=1e-5)


def test_drawn_people_are_ordinary_adults_with_joints_inside(body):
    """All 24 joints lie inside the mesh of every drawn person."""
    rng = np.random.default_rng(3)
    heights = []
    for _ in range(4):
        betas = sample_betas(body, rng=rng)
        heights.append(body.height(betas))
        joints = body.rest_joints(betas)
        inside = _winding(body.rest_vertices(betas), body.faces, joints) > 0.5
        assert inside.all(), [name for name, yes in zip(SMPL_JOINTS, inside, strict=True) if not yes]
    assert all(1.40 < height < 2.0 for height in heights)


def test_named_phenotypes_steer(body):
    heavy, thin = (betas_from_phenotype(body, height_m=1.7, weight=w) for w in (0.9, 0.1))
    volume = [trimesh.Trimesh(body.rest_vertices(b), body.faces, process=False).volume for b in (heavy, thin)]
    assert volume[0] > 1.15 * volume[1]
    with pytest.raises(ValueError, match="age"):
        betas_from_phenotype(body, age=30.0)


def test_bent_limbs_do_not_collapse(body):
    """The volume of the bent body stays within 8 % of the T-pose's over the range that people move in."""
    bends = {
        "elbows": {"left_elbow": (0, -140, 0), "right_elbow": (0, 140, 0)},
        "knees": {"left_knee": (140, 0, 0), "right_knee": (140, 0, 0)},
        "hips": {"left_hip": (-110, 0, 0), "right_hip": (-110, 0, 0)},
        "shoulders": {"left_shoulder": (0, 0, -80), "right_shoulder": (0, 0, 80)},
    }
    rest = trimesh.Trimesh(body.rest_vertices(np.zeros(10)), body.faces, process=False).volume
    for name, angles in bends.items():
        pose = np.zeros((1, 23, 3))
        for joint, degrees in angles.items():
            pose[0, JOINT[joint] - 1] = np.radians(degrees)
        vertices, _ = pose_body(body, _motion(pose, np.zeros(10)))
        volume = trimesh.Trimesh(vertices[0], body.faces, process=False).volume
        assert abs(volume / rest - 1) < 0.08, (name, volume / rest)


def test_forward_kinematics_agrees_with_smplx(body):
    rng = np.random.default_rng(0)
    motion = _motion(
        rng.normal(size=(5, 23, 3)) * 0.4,
        rng.normal(size=10),
        global_orient=rng.normal(size=(5, 3)),
        transl=rng.normal(size=(5, 3)),
    )
    assert np.abs(pose_body(body, motion)[1] - joints_of(body, motion)).max() < 1e-4


def test_body_turns_and_moves_with_the_root(body):
    """Equivariance: turning the root turns every vertex about the pelvis, translation adds."""
    turned = _motion(
        np.zeros((1, 23, 3)), np.zeros(10), global_orient=np.array([[0, np.pi / 2, 0]]), transl=np.array([[1.0, 2, 3]])
    )
    still = _motion(np.zeros((1, 23, 3)), np.zeros(10))
    pelvis = body.rest_joints(np.zeros(10))[0]
    moved, base = pose_body(body, turned)[0][0], pose_body(body, still)[0][0]
    rotation = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    assert np.abs(moved - ((base - pelvis) @ rotation.T + pelvis + [1, 2, 3])).max() < 1e-5


@pytest.mark.parametrize(("joints", "suffix"), [(24, ".npz"), (24, ".pkl"), (52, ".npz"), (55, ".npz")])
def testfamily_files_pose_like_the_open_body(body, tmp_path, joints, suffix):
    """One code path: the same pose on the same mesh in each family's file gives the same surface."""
    loaded = load_body(family_file(body, joints, tmp_path / f"model{suffix}"))
    rng = np.random.default_rng(1)
    pose = rng.normal(size=(2, 23, 3)) * 0.3
    pose[:, 21:] = 0
    motion = _motion(pose, rng.normal(size=10))
    for ours, theirs in zip(pose_body(body, motion), pose_body(loaded, motion), strict=True):
        assert np.abs(ours - theirs).max() < 1e-4
    assert np.abs(joints_of(loaded, motion) - joints_of(body, motion)).max() < 1e-4
    assert loaded.weights.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


class _Hostile:
    def __reduce__(self):
        return (print, ("executed",))


def test_wrong_model_files_are_refused_by_name(tmp_path, capsys):
    (tmp_path / "hostile.pkl").write_bytes(pickle.dumps({"v_template": _Hostile()}))
    with pytest.raises(ValueError, match=r"builtins\.print"):
        load_body(tmp_path / "hostile.pkl")
    assert "executed" not in capsys.readouterr().out
    np.savez(tmp_path / "half.npz", v_template=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="J_regressor"):
        load_body(tmp_path / "half.npz")
    with pytest.raises(FileNotFoundError, match="absent"):
        load_body(tmp_path / "absent.npz")


def test_a_body_just_built_computes_like_one_read_back(monkeypatch, tmp_path):
    """The first run on a machine gives the bytes of all later ones, whatever memory layout the built arrays had."""
    from augment.body import model

    whole = next(model.cache_dir().glob("open-body-*.npz"))
    odd = {key: np.repeat(value, 2, axis=-1)[..., ::2] if value.ndim else value for key, value in np.load(whole).items()}
    monkeypatch.setattr(model.open_body, "build_open_body", lambda: odd)
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path))
    first, second = (model._load_default.__wrapped__() for _ in range(2))
    assert str(first.corner_betas.flags) == str(second.corner_betas.flags)
    rng = np.random.default_rng(1)
    for betas in (sample_betas(first, rng=rng) for _ in range(3)):
        np.testing.assert_array_equal(first.rest_vertices(betas), second.rest_vertices(betas))
        np.testing.assert_array_equal(first.rest_joints(betas), second.rest_joints(betas))
