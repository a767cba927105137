"""A coarse body of about a thousand vertices, for the 3D view and for the depth of bodies in the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from ... import geometry
from ...body.model import Body
from ...types import Motion

CELL = 0.035
"""Cell size, metres: vertices of the zero pose in one cell become one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """A coarse mesh in the zero pose, skinned to 24 joints."""

    vertices: Float[np.ndarray, "v 3"]
    """Zero pose, model frame, metres."""
    faces: Int[np.ndarray, "f 3"]
    joints: Int[np.ndarray, "v 4"]
    """The four joints of largest skinning weight."""
    weights: Float[np.ndarray, "v 4"]
    """Their weights; rows sum to 1."""


def coarse_vertices(body: Body, cell: float = CELL) -> tuple[Int[np.ndarray, " v"], Int[np.ndarray, "f 3"]]:
    """Vertices to keep of a body's mesh, one a cell, and the triangles between them.

    Returns:
        Indices into the body's vertices (v,); triangles as indices into those (f, 3).
    """
    rest = np.asarray(body.rest_vertices(np.zeros(10)))
    # Cells are per body part, so that a hand at the hip is not merged with it.
    keys = np.column_stack([np.floor(rest / cell).astype(np.int64), body.part_of_vertex])
    _, member = np.unique(keys, axis=0, return_inverse=True)
    member = member.reshape(-1)
    count = member.max() + 1
    mean = np.stack([np.bincount(member, rest[:, k], count) for k in range(3)], axis=1) / np.bincount(member)[:, None]
    order = np.lexsort((np.linalg.norm(rest - mean[member], axis=1), member))
    kept = order[np.searchsorted(member[order], np.arange(count))]
    faces = member[body.faces]
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return kept, np.unique(faces[distinct], axis=0)


def make_skin(body: Body, betas: Float[np.ndarray, "10"], coarse: tuple[np.ndarray, np.ndarray]) -> Skin:
    """The coarse mesh of one person's shape; ``coarse`` is what ``coarse_vertices`` gave."""
    kept, faces = coarse
    weights = np.asarray(body.weights)[kept]
    joints = np.argsort(-weights, axis=1)[:, :4]
    shares = np.take_along_axis(weights, joints, axis=1)
    return Skin(
        vertices=np.asarray(body.rest_vertices(betas))[kept], faces=faces, joints=joints,
        weights=shares / shares.sum(axis=1, keepdims=True),
    )  # fmt: skip


def joint_transforms(body: Body, motion: Motion, rows: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 24 3 4"]:
    """Skinning transforms from the zero pose to the world at some frames of a motion, metres."""
    pose = np.concatenate([motion.global_orient[rows, None], motion.body_pose[rows]], axis=1)
    rotations = geometry.axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float64))
    rest = np.array(body.rest_joints(motion.betas))
    joints, worlds = geometry.forward_kinematics(rotations, torch.as_tensor(rest))
    turned = worlds.numpy()
    shift = joints.numpy() + np.asarray(motion.transl)[rows, None] - np.einsum("njab,jb->nja", turned, rest)
    return np.concatenate([turned, shift[..., None]], axis=-1)


def pose_skin(skin: Skin, transforms: Float[np.ndarray, "n 24 3 4"]) -> Float[np.ndarray, "n v 3"]:
    """Vertices of a coarse mesh in the world, metres."""
    points = np.column_stack([skin.vertices, np.ones(len(skin.vertices))])
    result = np.zeros((len(transforms), len(points), 3))
    for slot in range(4):
        moved = np.einsum("nvab,vb->nva", transforms[:, skin.joints[:, slot]], points)
        result += moved * skin.weights[:, slot, None]
    return result
