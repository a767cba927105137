"""Make a mesh leaner: short edges are collapsed where the surface stays, so that every frame draws fewer vertices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

FLIP = 0.2
"""Smallest cosine between a face's normal before and after a collapse."""


def thin(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    *,
    longest: Float[np.ndarray, "v"],
    tolerance: Float[np.ndarray, "v"],
) -> Int[np.ndarray, "g 3"]:
    """Faces over fewer of the vertices: edges are collapsed into one of their ends, the cheapest first.

    Args:
        vertices: Metres.
        faces: A closed surface or several.
        longest: No collapse at a vertex makes an edge longer than this, metres.
        tolerance: No collapse at a vertex moves the surface by more than about this, metres.
    Returns:
        The remaining faces, with the indices of ``vertices``.
    Source:
        Garland & Heckbert 1997, "Surface simplification using quadric error metrics" (the error of a collapse).
    """
    quadrics = _quadrics(vertices, faces)
    refused = np.zeros(0, np.int64)
    while True:
        near = edges_of(faces, len(vertices))
        start, end = _candidates(near, vertices, quadrics, longest, tolerance)
        fresh = ~np.isin(start * len(vertices) + end, refused)
        start, end = start[fresh], end[fresh]
        chosen = _apart(near, start)
        if len(chosen) < 40:
            return faces
        gone, kept = start[chosen], end[chosen]
        good = _keeps_shape(vertices, faces, gone, kept, longest)
        refused = np.concatenate([refused, gone[~good] * len(vertices) + kept[~good]])
        gone, kept = gone[good], kept[good]
        target = np.arange(len(vertices))
        target[gone] = kept
        np.add.at(quadrics, kept, quadrics[gone])
        faces = target[faces]
        faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]


def _quadrics(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Sum of squared distances to the planes around each vertex, as (v, 4, 4) forms."""
    normal = _normals(vertices[faces])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    plane = np.column_stack([normal, -np.einsum("fk,fk->f", normal, vertices[faces[:, 0]])])
    forms = np.einsum("fa,fb->fab", plane, plane)
    total = np.zeros((len(vertices), 4, 4))
    for corner in range(3):
        np.add.at(total, faces[:, corner], forms)
    return total


def _normals(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def edges_of(faces: np.ndarray, count: int) -> csr_array:
    """Which vertices are neighbours, (v, v)."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    ones, both = np.ones(2 * len(start), np.float32), (np.concatenate([start, end]), np.concatenate([end, start]))
    near = csr_array((ones, both), shape=(count, count))
    near.sum_duplicates()
    near.data[:] = 1
    return near


def _candidates(
    near: csr_array, vertices: np.ndarray, quadrics: np.ndarray, longest: np.ndarray, tolerance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Possible collapses, the cheapest first: vertices that would go, and those that they would become."""
    start, end = near.nonzero()
    length = np.linalg.norm(vertices[start] - vertices[end], axis=1)
    longest_here, limit = np.minimum(longest[start], longest[end]), np.minimum(tolerance[start], tolerance[end])
    short = length < longest_here
    start, end, length, longest_here, limit = (a[short] for a in (start, end, length, longest_here, limit))
    point = np.column_stack([vertices[end], np.ones(len(end))])
    forms = quadrics[start] + quadrics[end]
    error = (point[:, None] @ forms @ point[:, :, None])[:, 0, 0] / np.einsum("ebb->e", forms[:, :3, :3])
    cost = error / limit**2 + 0.3 * (length / longest_here) ** 2
    # Two faces at an edge, and two common neighbours: anything else would pinch the surface.
    index = np.flatnonzero(error < limit**2)
    if not len(index):
        return start[index], end[index]
    common = np.asarray((near @ near)[start[index], end[index]]).ravel()
    index = index[common == 2]
    index = index[np.argsort(cost[index], kind="stable")]
    return start[index], end[index]


def _apart(near: csr_array, start: np.ndarray) -> list[int]:
    """As many collapses as do not touch each other, the first ones first: no two of them share a vertex around."""
    first = np.asarray(near.indptr)
    taken = np.zeros(len(first), bool)
    chosen = []
    for index, gone in enumerate(start.tolist()):
        around = near.indices[first[gone] : first[gone + 1]]
        if taken[gone] or taken[around].any():
            continue
        taken[around] = True
        taken[gone] = True
        chosen.append(index)
    return chosen


def _keeps_shape(
    vertices: np.ndarray, faces: np.ndarray, start: np.ndarray, end: np.ndarray, longest: np.ndarray
) -> np.ndarray:
    """Which collapses neither turn a face over nor stretch an edge too far."""
    order = np.argsort(faces.ravel(), kind="stable")
    first = np.searchsorted(faces.ravel()[order], np.arange(len(vertices) + 1))
    many = first[start + 1] - first[start]
    which = np.repeat(np.arange(len(start)), many)
    slot = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + first[start][which]
    face, corner = np.divmod(order[slot], 3)
    touched = faces[face]
    stays = ~(touched == end[which][:, None]).any(1)
    which, corner, touched = which[stays], corner[stays], touched[stays]
    before = vertices[touched]
    after = before.copy()
    after[np.arange(len(after)), corner] = vertices[end[which]]
    old, new = _normals(before), _normals(after)
    cosine = (old * new).sum(1) / np.maximum(np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1), 1e-18)
    reach = np.linalg.norm(after - np.roll(after, 1, axis=1), axis=-1)
    # A sliver has hardly any height over its longest side.
    thin_face = np.linalg.norm(new, axis=1) < 0.12 * reach.max(1) ** 2
    worse = thin_face & (np.linalg.norm(new, axis=1) < np.linalg.norm(old, axis=1))
    bad = (cosine < FLIP) | (reach.max(1) > longest[start[which]]) | worse
    return np.bincount(which[bad], minlength=len(start)) == 0
