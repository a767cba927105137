"""SMPL-family bodies through smplx: the open default one, or any SMPL / SMPL-H / SMPL-X file the user names.

Whatever the model, this package sees SMPL's 24 joints: SMPL-H and SMPL-X take joints 1..21 as they are, and their hands stay
flat (``body_pose[:, 21:]`` turns only SMPL's two hand joints, which they do not have).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from ..files import cache_dir, code_digest, open_atomic, sha256_of_json
from ..safe_pickle import load_pickle
from ..types import JOINT, Motion
from . import open_body
from .kinematics import joint_positions, world_rotations_of

KINDS = {24: "smpl", 52: "smplh", 55: "smplx"}
"""Number of joints in a model file to the kind of model."""

CHUNK = 32
"""Frames skinned at once; bounds the memory."""

_HAND_JOINTS = {"smplh": (25, 40), "smplx": (28, 43)}
"""Index of the left and the right middle finger's first joint: where SMPL has its hand joint."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """A loaded body model, with the same interface for the whole family; two are equal if they are the same object."""

    name: str
    kind: str
    """``smpl``, ``smplh`` or ``smplx``."""
    licence: str
    model: Any
    """The smplx module."""
    faces: Int[np.ndarray, "f 3"]
    weights: Float[np.ndarray, "v 24"]
    """Skinning weights on SMPL's 24 joints."""
    part_of_vertex: Int[np.ndarray, " v"]
    """The joint that moves each vertex most."""
    corner_betas: Float[np.ndarray, "*grid 10"] | None = None
    """Shapes at the corners of ``open_body.PHENOTYPE_GRID``; None for a body without named phenotypes."""

    def rest_vertices(self, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "v 3"]:
        """Vertices in the zero pose, metres, model frame (+y up, facing +z, left hand towards +x)."""
        return _rest_vertices(self, _checked(betas).tobytes())

    def rest_joints(self, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "24 3"]:
        """SMPL's 24 joints in the zero pose, metres, model frame."""
        return _rest_joints(self, _checked(betas).tobytes())

    def rest_points(self, betas: Float[np.ndarray, "10"], rows: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Some vertices in the zero pose, metres: without the work for all the others."""
        template, shapes = _shape_basis(self)[0]
        return template[rows] + (shapes[rows].reshape(-1, 10) @ _checked(betas)).reshape(-1, 3)

    def height(self, betas: Float[np.ndarray, "10"]) -> float:
        """Stature from sole to crown in the zero pose, metres."""
        template, shapes = _heights(self)
        return float(np.ptp(template + shapes @ _checked(betas)))


def _checked(betas: np.ndarray) -> np.ndarray:
    numbers = np.ascontiguousarray(betas, np.float64)
    if numbers.shape != (10,):
        raise ValueError(f"betas: expected 10 numbers, found shape {numbers.shape}")
    return numbers


@lru_cache(maxsize=4)
def _heights(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Height of the vertices about crown and soles in the mean shape (n,), and its change with betas (n, 10)."""
    template, shapes = (array[:, 1] for array in _shape_basis(body)[0])
    known = np.zeros((1, 10)) if body.corner_betas is None else body.corner_betas.reshape(-1, 10)
    ends = np.zeros(len(template), np.bool_)
    for betas in np.concatenate([known, 3 * np.eye(10), -3 * np.eye(10)]):
        height = template + shapes @ betas
        ends |= (height > height.max() - 0.01) | (height < height.min() + 0.01)
    return np.ascontiguousarray(template[ends]), np.ascontiguousarray(shapes[ends])


@lru_cache(maxsize=64)
def _rest_vertices(body: Body, betas: bytes) -> np.ndarray:
    model = body.model
    with torch.no_grad():
        shape = torch.as_tensor(np.frombuffer(betas).copy(), dtype=model.v_template.dtype)
        vertices = (model.v_template + model.shapedirs[..., :10] @ shape).numpy().astype(np.float64)
    vertices.setflags(write=False)
    return vertices


@lru_cache(maxsize=64)
def _rest_joints(body: Body, betas: bytes) -> np.ndarray:
    mean, shapes = _shape_basis(body)[1]
    joints = mean + shapes @ np.frombuffer(betas)
    joints.setflags(write=False)
    return joints


@lru_cache(maxsize=4)
def _shape_basis(body: Body) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Vertices, and joints, as functions of the shape: of the mean shape (n, 3), and the change with betas (n, 3, 10)."""
    model = body.model
    with torch.no_grad():
        template, shapes = model.v_template.double(), model.shapedirs[..., :10].double()
        regressor = model.J_regressor.double()
        mean = _to_24(body, regressor @ template)
        change = torch.stack([_to_24(body, regressor @ shapes[..., k]) for k in range(10)], dim=-1)
    return (template.numpy(), shapes.contiguous().numpy()), (mean.numpy(), change.numpy())


def _to_24(body: Body, joints: Any) -> Any:
    """SMPL's 24 of a family member's joints, shape (..., j, 3) to (..., 24, 3)."""
    if body.kind == "smpl":
        return joints[..., :24, :]
    left, right = _HAND_JOINTS[body.kind]
    return torch.cat([joints[..., :22, :], joints[..., [left, right], :]], dim=-2)


def load_body(path: str | Path | None = None) -> Body:
    """Load a body.

    Args:
        path: A SMPL, SMPL-H or SMPL-X model file (.npz, or .pkl of plain arrays); None for the open default body, which is
            built on first use (about 10 s) and cached in ``cache_dir()``.
    Raises:
        ValueError: If the file is not a body model; the message names the missing field.
        FileNotFoundError: If there is no such file.
    """
    return _load_default() if path is None else _load_file(Path(path))


@lru_cache(maxsize=1)
def _load_default() -> Body:
    import importlib.metadata

    build = [code_digest(Path(open_body.__file__)), importlib.metadata.version("anny")]
    path = cache_dir() / f"open-body-{sha256_of_json(build)[:12]}.npz"
    try:
        return _make("open-body", "CC0-1.0", dict(np.load(path)))
    except (OSError, ValueError, KeyError):  # not built yet, or damaged: it is only a cache
        arrays = open_body.build_open_body()
    small: dict[str, Any] = {
        k: v.astype(np.float32) if v.dtype == np.float64 and k != "corner_betas" else v for k, v in arrays.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomic(path) as file:
        np.savez(file, **small)
    # Read back instead of used as built: arrays of another memory layout round differently, so the first run would give
    # other bytes than later ones.
    return _make("open-body", "CC0-1.0", dict(np.load(path)))


def _load_file(path: Path) -> Body:
    if not path.exists():
        raise FileNotFoundError(f"body model: no file {path}; name a SMPL, SMPL-H or SMPL-X .npz or .pkl, or leave it out")
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files if stored[key].dtype != object}
    elif path.suffix == ".pkl":
        arrays = load_pickle(path)
    else:
        raise ValueError(f"body model {path}: expected .npz or .pkl, found {path.suffix!r}")
    missing = {"v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f"} - set(arrays)
    if missing:
        raise ValueError(f"body model {path}: lacks {', '.join(sorted(missing))}; is it a SMPL, SMPL-H or SMPL-X file?")
    return _make(path.stem, "SMPL body model licence (brought by the user)", arrays)


def _make(name: str, licence: str, arrays: dict[str, Any]) -> Body:
    import contextlib
    import io
    import tempfile

    import smplx
    from smplx.utils import Struct

    joints = np.asarray(arrays["kintree_table"]).shape[1]
    if joints not in KINDS:
        raise ValueError(
            f"body model {name}: kintree_table has {joints} joints; expected 24 (SMPL), 52 (SMPL-H) or 55 (SMPL-X)"
        )
    kind = KINDS[joints]
    data = dict(arrays)
    if hasattr(data["J_regressor"], "toarray"):
        data["J_regressor"] = data["J_regressor"].toarray()
    options: dict[str, Any] = {"num_betas": 10, "batch_size": 1, "model_path": "", "data_struct": Struct(**data)}
    if kind == "smpl":
        options["vertex_ids"] = _landmark_vertices(np.asarray(data["v_template"]))
    else:
        options |= {"use_pca": False, "flat_hand_mean": True}
        for side in "lr":  # an SMPL-H .npz without hand statistics is still a body
            data.setdefault(f"hands_mean{side}", np.zeros(45))
            data.setdefault(f"hands_components{side}", np.eye(45))
        options["data_struct"] = Struct(**data)
    factory = {"smpl": smplx.SMPL, "smplh": smplx.SMPLH, "smplx": smplx.SMPLX}[kind]
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as scratch:
        # smplx prints a warning for every model of 10 shape numbers, and reads SMPL-X from files alone: ours holds arrays only
        if kind == "smplx":
            options["model_path"] = str(Path(scratch) / "SMPLX_NEUTRAL.npz")
            np.savez(options["model_path"], **data)
            del options["data_struct"]
        model = factory(**options).eval()
    model.requires_grad_(False)
    weights = _weights_24(np.asarray(data["weights"], np.float64), np.asarray(data["kintree_table"])[0].astype(int))
    return Body(
        name=name,
        kind=kind,
        licence=licence,
        model=model,
        faces=np.asarray(data["f"]).astype(np.int64),
        weights=weights,
        part_of_vertex=weights.argmax(axis=1),
        corner_betas=data.get("corner_betas"),
    )


def _weights_24(weights: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Add the finger, jaw and eye columns of SMPL-H and SMPL-X to SMPL's hands and head."""
    if weights.shape[1] == 24:
        return weights
    folded = weights[:, :24].copy()
    folded[:, 22:] = 0.0
    for joint in range(22, weights.shape[1]):
        ancestor = joint
        while ancestor >= 22:
            ancestor = int(parents[ancestor])
        target = {JOINT["left_wrist"]: JOINT["left_hand"], JOINT["right_wrist"]: JOINT["right_hand"]}.get(ancestor, ancestor)
        folded[:, target] += weights[:, joint]
    return folded


def _landmark_vertices(template: np.ndarray) -> dict[str, int]:
    """Vertices for smplx's extra landmarks on a mesh that is not SMPL's, found by where they lie in the T-pose."""
    low, high = template.min(0), template.max(0)
    head = template[:, 1] > high[1] - 0.12 * (high[1] - low[1])

    def best(score: np.ndarray, where: np.ndarray) -> int:
        return int(np.where(where, score, -np.inf).argmax())

    found = {"nose": best(template[:, 2], head)}
    for side, sign in (("l", 1.0), ("r", -1.0)):
        half, foot = sign * template[:, 0] > 0.01, template[:, 1] < low[1] + 0.08
        found[f"{side}ear"] = best(sign * template[:, 0], head)
        found[f"{side}eye"] = best(template[:, 2] + 0.5 * sign * template[:, 0], head & half)
        found[f"{side.upper()}BigToe"] = best(template[:, 2] - 0.3 * sign * template[:, 0], foot & half)
        found[f"{side.upper()}SmallToe"] = best(template[:, 2] + sign * template[:, 0], foot & half)
        found[f"{side.upper()}Heel"] = best(-template[:, 2], foot & half)
        for finger in ("thumb", "index", "middle", "ring", "pinky"):
            found[f"{side}{finger}"] = best(sign * template[:, 0], half)
    return found


def pose_body(
    body: Body, motion: Motion, frames: slice | None = None
) -> tuple[Float[np.ndarray, "t v 3"], Float[np.ndarray, "t 24 3"]]:
    """Vertices and joints of a motion, metres, in the motion's frame (world), float32.

    Args:
        motion: Its ``betas`` give the shape.
        frames: Which frames; all when None.
    """
    chosen = frames or slice(None)
    orient, pose, transl = motion.global_orient[chosen], motion.body_pose[chosen], motion.transl[chosen]
    betas = torch.as_tensor(motion.betas, dtype=torch.float32)[None]
    vertices, joints = [], []
    with torch.no_grad():
        for start in range(0, len(transl), CHUNK):
            part = slice(start, start + CHUNK)
            count = len(transl[part])
            body_pose = torch.as_tensor(pose[part], dtype=torch.float32)
            keep = 23 if body.kind == "smpl" else 21
            extra = {} if body.kind == "smpl" else _still_hands_and_face(body.kind, count)
            output = body.model(
                betas=betas.expand(count, -1),
                global_orient=torch.as_tensor(orient[part], dtype=torch.float32),
                body_pose=body_pose[:, :keep].reshape(count, -1),
                transl=torch.as_tensor(transl[part], dtype=torch.float32),
                **extra,
            )
            vertices.append(output.vertices.numpy())
            joints.append(_to_24(body, output.joints).numpy())
    if not vertices:
        return np.zeros((0, len(body.weights), 3), np.float32), np.zeros((0, 24, 3), np.float32)
    return np.concatenate(vertices), np.concatenate(joints)


def _still_hands_and_face(kind: str, count: int) -> dict[str, Any]:
    zeros = {"left_hand_pose": 45, "right_hand_pose": 45}
    if kind == "smplx":
        zeros |= {"jaw_pose": 3, "leye_pose": 3, "reye_pose": 3, "expression": 10}
    return {name: torch.zeros(count, size) for name, size in zeros.items()}


def joints_of(body: Body, motion: Motion) -> Float[np.ndarray, "t 24 3"]:
    """Joints of a motion by forward kinematics alone, metres, world: the same as ``pose_body``'s, without the mesh."""
    worlds = world_rotations_of(np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1))
    rest = body.rest_joints(motion.betas)
    return joint_positions(worlds, rest, rest[0] + motion.transl)
