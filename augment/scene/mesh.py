"""A coloured triangle mesh out of a depth picture."""

from __future__ import annotations

import numpy as np

from ..geometry import pixel_grid, transform_points, unproject
from ..types import Camera, SceneMesh


def mesh_from_depth(camera: Camera, depth: np.ndarray, colors: np.ndarray, *, stride: int, jump: float = 0.05) -> SceneMesh:
    """Triangulate a depth picture's grid, cut where the depth jumps.

    Args:
        camera: The depth picture's camera, fixed.
        depth: z-depth, metres, 0 = unknown. Shape (h, w).
        colors: RGB, u8, shape (h, w, 3).
        stride: Every so many pixels a vertex.
        jump: An edge is cut if the depth at its ends differs by more than this share of the nearer one, times the
            root of ``stride``.
    Returns:
        The mesh in the world; triangles counter-clockwise seen from the camera.
    Raises:
        ValueError: If no triangle is left.
    """
    rows = slice(0, None, stride)
    z = depth[rows, rows].astype(float)
    height, width = z.shape
    points = unproject(pixel_grid(*depth.shape)[rows, rows], np.where(z > 0, z, 1.0), camera.K)
    vertices = transform_points(camera.T_world_camera, points.reshape(-1, 3))
    limit = jump * np.sqrt(stride)

    def joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        near = np.minimum(a, b)
        return (near > 0) & (np.abs(a - b) <= limit * near)

    index = np.arange(height * width).reshape(height, width)
    nw, ne, sw, se = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    znw, zne, zsw, zse = z[:-1, :-1], z[:-1, 1:], z[1:, :-1], z[1:, 1:]
    diagonal = joined(zne, zsw)
    upper = diagonal & joined(znw, zne) & joined(znw, zsw)
    lower = diagonal & joined(zse, zne) & joined(zse, zsw)
    faces = np.concatenate([np.stack([nw, sw, ne], axis=-1)[upper], np.stack([ne, sw, se], axis=-1)[lower]])
    if not len(faces):
        raise ValueError("the depth picture holds no connected surface: no two neighbouring pixels have similar depths")
    used, compact = np.unique(faces, return_inverse=True)
    return SceneMesh(vertices=vertices[used], faces=compact.reshape(-1, 3), colors=colors[rows, rows].reshape(-1, 3)[used])
