"""What people are drawn on, in compiled code: projection, what the room hides, normals of what is seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled

SUPERSAMPLE = 2
"""Samples a pixel along each axis at which people are drawn."""
TOLERANCE = 0.03
"""Metres by which a person may lie behind a surface and still be seen: soles in a carpet, a back in a mattress."""


class Optics(NamedTuple):
    """A camera as numbers."""

    T_camera_world: np.ndarray
    """(3, 4) f32"""
    focal: tuple[np.float32, np.float32]
    """x, y, pixels."""
    center: tuple[np.float32, np.float32]


class Canvas(NamedTuple):
    """Buffers at ``SUPERSAMPLE`` times the picture's size, empty between frames."""

    nearness: np.ndarray
    """(H, W) f32: 1/z, 0 = nothing."""
    triangle: np.ndarray
    """(H, W) int32, -1 = nothing, less = see ``resolve``."""


class Drawn(NamedTuple):
    """What has been drawn: one mesh of all objects."""

    pixels: np.ndarray
    """(n, 3) f32: u, v at ``SUPERSAMPLE`` times the picture's size, and 1/z."""
    faces: np.ndarray
    """(f, 3) int32"""
    colors: np.ndarray
    """(n, 3) f32: sRGB, 0..255."""
    owner: np.ndarray
    """(n) uint8: object of each vertex, counted from 1."""


def new_canvas(height: int, width: int) -> Canvas:
    """An empty canvas for pictures of this size."""
    shape = (height * SUPERSAMPLE, width * SUPERSAMPLE)
    return Canvas(np.zeros(shape, np.float32), np.full(shape, -1, np.int32))


@compiled
def project_vertices(vertices, optics, pixels):
    """Write u, v and 1/z of world points (n, 3); 1/z is 0 for what lies nearer than 5 cm or behind the camera."""
    m, (fx, fy), (cx, cy) = optics.T_camera_world, optics.focal, optics.center
    one = np.float32(1)
    for i in range(vertices.shape[0]):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        depth = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
        scale = one / max(depth, np.float32(0.05))
        pixels[i, 0] = (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) * scale * np.float32(fx) + np.float32(cx)
        pixels[i, 1] = (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) * scale * np.float32(fy) + np.float32(cy)
        pixels[i, 2] = scale if depth > np.float32(0.05) else np.float32(0)


@compiled
def hide_behind_room(canvas, box, room_depth, faces, seen):
    """Remove samples that lie behind the room, and mark in ``seen`` (n) the vertices of the triangles that remain visible.

    Args:
        box: First and last row, first and last column of the canvas that were drawn to.
        room_depth: (h, w) f32, metres, 0 = unknown, at the picture's size.
    """
    nearness, triangle = canvas
    for row in range(box[0], box[1] + 1):
        for column in range(box[2], box[3] + 1):
            index = triangle[row, column]
            if index == -1:
                continue
            wall = room_depth[row // SUPERSAMPLE, column // SUPERSAMPLE]
            if wall > 0 and nearness[row, column] * (wall + np.float32(TOLERANCE)) <= np.float32(1):
                triangle[row, column] = -1
                nearness[row, column] = 0
            elif index >= 0:
                seen[faces[index, 0]] = True
                seen[faces[index, 1]] = True
                seen[faces[index, 2]] = True


@compiled
def clear(canvas, box):
    """Empty the canvas where it was drawn to."""
    for row in range(box[0], box[1] + 1):
        canvas.nearness[row, box[2] : box[3] + 1] = np.float32(0)
        canvas.triangle[row, box[2] : box[3] + 1] = -1


@compiled
def sum_normals(vertices, faces, seen, normals):
    """Area-weighted normals, not normalised, of the vertices that are ``seen``; written to ``normals`` (n, 3)."""
    normals[:] = np.float32(0)
    for index in range(faces.shape[0]):
        i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
        if not (seen[i] or seen[j] or seen[k]):
            continue
        ux, uy, uz = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        vx, vy, vz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (i, j, k):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
