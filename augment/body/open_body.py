"""Build the open default body: anny's mesh and bone weights, brought to SMPL's skeleton, zero pose and 10 shape numbers.

Built once per machine (about 10 s) and cached by ``body.load_body``. Three steps:

1. anny's rest meshes at the corners of its adult phenotypes (sex, age, muscle, weight, height, proportions);
2. each reposed from anny's A-pose to SMPL's T-pose through the skinning weights merged onto 24 joints. The *inverse* blend
   is taken, so that posing the result back gives anny's own surface: arms that hang, the common case, show no skinning error;
3. principal components of people drawn between the corners: ``betas``, in standard deviations.
"""

from __future__ import annotations

import gzip
import itertools
from typing import Any

import numpy as np
from jaxtyping import Float

from ..geometry import axis_rotation
from ..types import JOINT, SMPL_JOINTS, SMPL_PARENTS

_SEED = 0
"""Seed of the people whose shapes give the principal components: every build gives the same body."""
PHENOTYPE_GRID: dict[str, tuple[float, ...]] = {
    "gender": (0.0, 1.0),
    "age": (2 / 3, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
}
"""anny's own interpolation anchors for adults: between them its meshes are linear, so the corners suffice."""

_BONES: dict[str, str] = {
    "pelvis": "root", "spine1": "spine03", "spine2": "spine02", "spine3": "spine01", "neck": "neck01", "head": "head",
    "left_hip": "upperleg01.L", "left_knee": "lowerleg01.L", "left_ankle": "foot.L", "left_foot": "toe2-1.L",
    "left_collar": "clavicle.L", "left_shoulder": "upperarm01.L", "left_elbow": "lowerarm01.L", "left_wrist": "wrist.L",
    "left_hand": "finger3-1.L",
}  # fmt: skip
"""The bone whose head is the joint (left side; the right mirrors)."""

_MERGE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pelvis", ("root", "pelvis", "spine05")),
    ("spine1", ("spine03",)),
    ("spine2", ("spine02",)),
    ("spine3", ("spine01",)),
    ("neck", ("neck",)),
    ("head", ("head", "eye", "tongue", "jaw")),
    ("left_hip", ("upperleg",)),
    ("left_knee", ("lowerleg",)),
    ("left_ankle", ("foot",)),
    ("left_foot", ("toe",)),
    ("left_collar", ("clavicle", "shoulder")),
    ("left_shoulder", ("upperarm",)),
    ("left_elbow", ("lowerarm",)),
    ("left_wrist", ("wrist", "metacarpal", "finger1")),
    ("left_hand", ("finger",)),
)
"""Joint and the bone-name prefixes whose weights it takes; the first match wins."""

Y_PELVIS = -0.2
"""Height of the pelvis in the zero pose, metres: off the origin, as in SMPL, so that ``transl`` is never taken for it."""


def _load_blend_shape(filename: str, vertices_count: int, world_transformation: Any, dtype: Any) -> Any:
    """A faster reader of anny's target files: anny's own makes a tensor per line and takes 40 s for all of them."""
    import torch

    with gzip.open(filename, "rt") as archive:
        rows = np.array(archive.read().split(), dtype=np.float64).reshape(-1, 4)
    shape = np.zeros((vertices_count, 3))
    shape[rows[:, 0].astype(int)] = rows[:, 1:]
    return world_transformation.apply(torch.as_tensor(shape, dtype=dtype))


def _anny_model() -> Any:
    import anny
    from anny.models import full_model

    original = full_model.load_blend_shape
    full_model.load_blend_shape = _load_blend_shape
    try:
        return anny.Anny(skinning_method="lbs")
    finally:
        full_model.load_blend_shape = original


def _merged_weights(labels: list[str], weights: Float[np.ndarray, "v b"]) -> Float[np.ndarray, "v 24"]:
    merged = np.zeros((len(weights), 24))
    for bone, label in enumerate(labels):
        side = {".L": "left_", ".R": "right_"}.get(label[-2:], "")
        if label == "spine04":  # between pelvis and spine1, whose pivot is spine03's: shared, for a smooth waist
            merged[:, JOINT["pelvis"]] += 0.5 * weights[:, bone]
            merged[:, JOINT["spine1"]] += 0.5 * weights[:, bone]
            continue
        for joint, prefixes in _MERGE:
            if label.startswith(prefixes):
                name = side + joint.removeprefix("left_") if joint.startswith("left_") else joint
                merged[:, JOINT[name]] += weights[:, bone]
                break
        else:
            raise ValueError(f"open body: anny's bone {label!r} is unknown; is this a version of anny other than 0.6?")
    return merged / merged.sum(axis=1, keepdims=True)


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation that takes direction ``a`` to direction ``b``, (3, 3)."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    cross, cosine = np.cross(a, b), float(a @ b)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def _to_t_pose(joints: np.ndarray, knuckles: dict[str, np.ndarray]) -> np.ndarray:
    """World rotation of every joint from anny's rest pose to SMPL's zero pose, (24, 3, 3)."""
    turn = np.tile(np.eye(3), (24, 1, 1))

    def bone(parent: str, child: str) -> np.ndarray:
        return joints[JOINT[child]] - joints[JOINT[parent]]

    for side, sign in (("left_", 1.0), ("right_", -1.0)):
        out, down = np.array([sign, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
        turn[JOINT[side + "hip"]] = _between(bone(side + "hip", side + "knee"), down)
        turn[JOINT[side + "knee"]] = _between(bone(side + "knee", side + "ankle"), down)
        foot = bone(side + "ankle", side + "foot")
        yaw = sign * np.radians(6.0) - np.arctan2(foot[0], foot[2])  # toes a little outwards, the sole left flat
        turn[JOINT[side + "ankle"]] = turn[JOINT[side + "foot"]] = axis_rotation("y", yaw)
        turn[JOINT[side + "shoulder"]] = _between(bone(side + "shoulder", side + "elbow"), out)
        forearm = _between(turn[JOINT[side + "shoulder"]] @ bone(side + "elbow", side + "wrist"), out)
        forearm = forearm @ turn[JOINT[side + "shoulder"]]
        palm = np.cross(knuckles[side + "index"] - joints[JOINT[side + "wrist"]],
                        knuckles[side + "little"] - joints[JOINT[side + "wrist"]]) * -sign  # fmt: skip
        now = forearm @ palm
        twist = np.arctan2(now[2], -now[1])  # about +x, so that the palm faces down
        about_arm = axis_rotation("x", twist)
        turn[JOINT[side + "elbow"]] = about_arm @ forearm
        hand = _between(about_arm @ forearm @ bone(side + "wrist", side + "hand"), out) @ about_arm @ forearm
        turn[JOINT[side + "wrist"]] = turn[JOINT[side + "hand"]] = hand
    return turn


def _repose(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undo the skinning that would lead from the T-pose to the given rest pose; T-pose vertices and joints."""
    posed = np.zeros_like(joints)
    posed[0] = [0.0, Y_PELVIS, 0.0]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        posed[joint] = posed[parent] + turn[parent] @ (joints[joint] - joints[parent])
    back = turn.transpose(0, 2, 1)
    rotation = np.einsum("vj,jab->vab", weights, back)
    shift = np.einsum("vj,ja->va", weights, joints - np.einsum("jab,jb->ja", back, posed))
    return np.linalg.solve(rotation, (vertices - shift)[..., None])[..., 0], posed


def _joint_regressor(meshes: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rows that read each joint off the vertices around it, exactly over the shape space; each row sums to 1.

    Args:
        meshes: Shape (n, v, 3). joints: Shape (n, 24, 3). weights: Skinning weights, shape (v, 24).
    """
    regressor = np.zeros((24, meshes.shape[1]))
    mean_mesh, mean_joints = meshes.mean(0), joints.mean(0)
    for joint in range(24):
        near = np.linalg.norm(mean_mesh - mean_joints[joint], axis=1) + 0.5 * (weights[:, joint] < 0.05)
        chosen = np.argsort(near)[:240]
        system = meshes[:, chosen].transpose(0, 2, 1).reshape(-1, len(chosen))
        system = np.vstack([system, 10.0 * np.ones(len(chosen))])
        target = np.append(joints[:, joint].reshape(-1), 10.0)
        uniform = np.full(len(chosen), 1 / len(chosen))
        gram = system.T @ system + 1e-4 * np.eye(len(chosen))
        row = uniform + np.linalg.solve(gram, system.T @ (target - system @ uniform))
        regressor[joint, chosen] = row / row.sum()
    return regressor


def build_open_body() -> dict[str, np.ndarray]:
    """Make the default body.

    Returns:
        SMPL's own arrays (``v_template`` (v,3), ``shapedirs`` (v,3,10), ``posedirs`` (v,3,207), ``J_regressor`` (24,v),
        ``weights`` (v,24), ``kintree_table`` (2,24), ``f`` (f,3)) and ``corner_betas`` (2,2,3,3,2,2,10): the shape at every
        corner of ``PHENOTYPE_GRID``.
    """
    import torch

    model = _anny_model()
    labels = list(model.bone_labels)
    axes = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])  # anny: z up, front -y; here: y up, front +z
    weights = _merged_weights(labels, model.dense_vertex_bone_weights.numpy())

    corners = np.array(list(itertools.product(*PHENOTYPE_GRID.values())))
    order = [list(PHENOTYPE_GRID).index(label) for label in model.phenotype_labels]
    none = torch.zeros(1, 0, dtype=torch.float64)
    coefficients = model._get_phenotype_blendshape_coefficients(torch.as_tensor(corners[:, order]), none, none)
    meshes, joints = [], []
    for row in coefficients:
        rest = model.get_rest_vertices(row[None])[0].numpy() @ axes.T
        heads = (model.template_bone_heads + torch.einsum("k,kbc->bc", row, model.bone_heads_blendshapes)).numpy() @ axes.T
        where = {label: heads[i] for i, label in enumerate(labels)}
        named = _BONES | {k.replace("left_", "right_"): v[:-1] + "R" for k, v in _BONES.items() if v.endswith(".L")}
        rest_joints = np.stack([where[named[name]] for name in SMPL_JOINTS])
        rest_joints[0] = 0.5 * (where["root"] + where["spine04"])  # SMPL's pelvis lies above the hip line
        knuckles = {
            f"{side}_{name}": where[f"{bone}.{side[0].upper()}"]
            for side in ("left", "right")
            for name, bone in (("index", "finger2-1"), ("little", "finger5-1"))
        }
        mesh, posed = _repose(rest, rest_joints, weights, _to_t_pose(rest_joints, knuckles))
        meshes.append(mesh)
        joints.append(posed)
    corner_meshes, corner_joints = np.stack(meshes), np.stack(joints)
    regressor = _joint_regressor(corner_meshes, corner_joints, weights)

    flat = corner_meshes.reshape(len(corners), -1)
    people = _mixtures(400, rng=np.random.default_rng(_SEED)) @ flat
    mean = people.mean(axis=0)
    _, spread, components = np.linalg.svd(people - mean, full_matrices=False)
    scale = spread[:10] / np.sqrt(len(people) - 1)
    signs = np.sign(components[np.arange(10), np.abs(components[:10]).argmax(axis=1)])
    components = components[:10] * signs[:, None]
    corner_betas = (flat - mean) @ components.T / scale
    faces = model.get_triangular_faces().numpy()
    return {
        "v_template": mean.reshape(-1, 3),
        "shapedirs": (components.T * scale).reshape(-1, 3, 10),
        "posedirs": np.zeros((len(weights), 3, 207), dtype=np.float32),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.array([SMPL_PARENTS, range(24)], dtype=np.int64),
        "f": faces.astype(np.int64),
        "corner_betas": corner_betas.reshape(*(len(v) for v in PHENOTYPE_GRID.values()), 10),
    }


def _mixtures(count: int, *, rng: np.random.Generator) -> np.ndarray:
    """People drawn between the corners, as multilinear weights over them, (count, corners).

    Sex is drawn near its ends; stature from anny's 1.2-2.4 m so that adults of 1.68 +- 0.1 m result; the others around their
    middle: betas near zero are ordinary adults.
    """
    total = np.ones((count, 1))
    for name, anchors in PHENOTYPE_GRID.items():
        unit = rng.beta(*{"gender": (0.5, 0.5), "height": (13.0, 21.0)}.get(name, (2.0, 2.0)), count)
        value = anchors[0] + unit * (anchors[-1] - anchors[0])
        hats = np.stack([np.interp(value, anchors, np.eye(len(anchors))[k]) for k in range(len(anchors))], axis=1)
        total = (total[:, :, None] * hats[:, None, :]).reshape(count, -1)
    return total
