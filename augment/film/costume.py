"""A dressed person ready to be posed: the clothes' mixing weights folded into the skinning weights.

A dressed vertex is a weighted mean of body vertices, and linear blend skinning is linear in the vertices. So both weights
multiply out once per clip, and posing a dressed person costs as much as skinning its own vertices: neither the body's mesh nor
a sparse product is needed in a frame. The offset along the normal is folded in too; it turns with the joints like the skin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int, UInt8, UInt32

from ..body.model import Body, pose_body
from ..body.points import has_pose_blend_shapes, skeleton_of
from ..compiled import compiled
from ..types import Motion
from .appearance import Look, wear
from .canvas import sum_normals


@dataclass(frozen=True, slots=True, kw_only=True)
class Costume:
    """A look on one body shape."""

    look: Look
    body: Body
    bounds: Int[np.ndarray, "25"]
    """Where each joint's terms begin and end."""
    vertex: UInt32[np.ndarray, " p"]
    """Vertex of each term."""
    terms: Float32[np.ndarray, "4 p"]
    """Weight times rest position relative to the joint, and the weight: a vertex is the sum of its terms, moved by joints."""
    parts: UInt8[np.ndarray, " n"]
    """Joint that moves each vertex most."""


def fit_look(look: Look, body: Body, betas: np.ndarray) -> Costume:
    """Fit a look to a body shape (about 10 ms)."""
    rest, joints = body.rest_vertices(betas), body.rest_joints(betas)
    mix = look.mix
    surface = (mix @ rest.astype(np.float32)).astype(np.float32)
    normals = np.empty_like(surface)
    sum_normals(surface, look.faces, np.ones(len(surface), np.bool_), normals)
    length = np.sqrt(np.einsum("vk,vk->v", normals, normals))[:, None]
    stand_off = normals / np.maximum(length, 1e-12) * look.offsets[:, None].astype(np.float32)
    entries, joint_of, weight_of, source = _sparse_weights(body)
    weighted = (np.column_stack([rest, np.ones(len(rest))])[source] * weight_of[:, None]).astype(np.float64)
    most = 24 * len(surface)
    vertex, joint, terms = np.empty(most, np.uint32), np.empty(most, np.uint8), np.empty((most, 4), np.float32)
    parts = np.zeros(len(surface), np.uint8)
    used = _multiply_out(
        (mix.indptr, mix.indices, mix.data), (entries, joint_of, weighted), joints, stand_off.astype(np.float64),
        (vertex, joint, terms, parts),
    )  # fmt: skip
    # Joint by joint, so that one joint's transform is applied to a run of terms at once.
    order = np.argsort(joint[:used], kind="stable")
    return Costume(
        look=look, body=body, bounds=np.searchsorted(joint[:used][order], np.arange(25)), vertex=vertex[:used][order],
        terms=np.ascontiguousarray(terms[:used][order].T), parts=parts,
    )  # fmt: skip


def pose_joints(body: Body, motion: Motion) -> tuple[Float32[np.ndarray, "t 24 3"], Float32[np.ndarray, "t 24 3 3"]]:
    """Joints (metres, world) and their world rotations, for every frame of a motion."""
    joints, worlds = skeleton_of(body, motion)
    return joints.astype(np.float32), worlds.astype(np.float32)


def pose_costume(
    costume: Costume,
    motion: Motion,
    joints: Float32[np.ndarray, "t 24 3"],
    rotations: Float32[np.ndarray, "t 24 3 3"],
    part: slice,
) -> Float32[np.ndarray, "c n 3"]:
    """Dressed vertices of the frames in ``part``, metres, world.

    Args:
        costume: For ``motion.betas``.
        motion: All frames.
        joints: Of all frames (``pose_joints``).
        rotations: Likewise.
    """
    if has_pose_blend_shapes(costume.body):
        bare, _ = pose_body(costume.body, motion, part)
        return np.stack([wear(costume.look, vertices) for vertices in bare])
    moves = np.concatenate([rotations[part], joints[part][..., None]], axis=-1)
    vertices = np.zeros((len(moves), len(costume.parts), 3), np.float32)
    _skin(costume.bounds, costume.vertex, costume.terms, moves, np.empty((3, len(costume.vertex)), np.float32), vertices)
    return vertices


@lru_cache(maxsize=4)
def _sparse_weights(body: Body) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where each vertex's skinning weights begin, and joint, weight and vertex of each."""
    vertex, joint = np.nonzero(body.weights)
    entries = np.concatenate([[0], np.cumsum(np.bincount(vertex, minlength=len(body.weights)))])
    return entries.astype(np.int32), joint.astype(np.int32), body.weights[vertex, joint], vertex


@compiled
def _multiply_out(mix, skin, joints, stand_off, outputs):
    indptr, indices, data = mix
    entries, joint_of, weighted = skin
    vertex_of, joint, terms, parts = outputs
    used = 0
    total, known = np.zeros((24, 4)), np.zeros(24, np.bool_)
    for vertex in range(len(indptr) - 1):
        for entry in range(indptr[vertex], indptr[vertex + 1]):
            source, share = indices[entry], data[entry]
            for term in range(entries[source], entries[source + 1]):
                j = joint_of[term]
                known[j] = True
                for axis in range(4):
                    total[j, axis] += share * weighted[term, axis]
        most, heaviest = 0, 0.0
        for j in range(24):
            if not known[j]:
                continue
            known[j] = False
            weight = total[j, 3]
            if weight == 0.0:
                total[j] = 0.0
                continue
            if weight > heaviest:
                most, heaviest = j, weight
            vertex_of[used] = vertex
            joint[used] = j
            for axis in range(3):
                terms[used, axis] = total[j, axis] + weight * (stand_off[vertex, axis] - joints[j, axis])
            terms[used, 3] = weight
            used += 1
            total[j] = 0.0
        parts[vertex] = most
    return used


@compiled
def _skin(bounds, vertex, terms, moves, moved, vertices):
    for frame in range(vertices.shape[0]):
        for joint in range(24):
            low, high = bounds[joint], bounds[joint + 1]
            a, b, c, w = terms[0, low:high], terms[1, low:high], terms[2, low:high], terms[3, low:high]
            x, y, z = moved[0, low:high], moved[1, low:high], moved[2, low:high]
            move = moves[frame, joint]
            xa, xb, xc, xw = move[0, 0], move[0, 1], move[0, 2], move[0, 3]
            ya, yb, yc, yw = move[1, 0], move[1, 1], move[1, 2], move[1, 3]
            za, zb, zc, zw = move[2, 0], move[2, 1], move[2, 2], move[2, 3]
            for term in range(high - low):
                x[term] = xa * a[term] + xb * b[term] + xc * c[term] + xw * w[term]
                y[term] = ya * a[term] + yb * b[term] + yc * c[term] + yw * w[term]
                z[term] = za * a[term] + zb * b[term] + zc * c[term] + zw * w[term]
        for term in range(len(vertex)):
            into = vertex[term]
            vertices[frame, into, 0] += moved[0, term]
            vertices[frame, into, 1] += moved[1, term]
            vertices[frame, into, 2] += moved[2, term]
