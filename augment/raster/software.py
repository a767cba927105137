"""A z-buffer in pure NumPy: needs no system library, no GPU, and gives the same bytes everywhere.

Triangles are clipped at the near plane, cut into pixel rows, rows into pixels; the nearest triangle wins each pixel.
The work is proportional to covered pixels, so that a body's thousands of small triangles and a room's few large ones both do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Float32, Int

from ..geometry import invert_transform, transform_points
from ..types import Camera, Light, SceneMesh
from .shading import DEFAULT_LIGHTS, Rendered, shade_vertices

NEAR = 0.05
"""Metres; what is nearer to the camera is cut away."""
CHUNK = 3_000_000
"""Pixels worked on at once; bounds the memory that a large room takes."""


class SoftwareRasterizer:
    """Draws meshes with NumPy alone. Stateless; see ``rasterize.Rasterizer``."""

    name = "software"

    def render_mesh(
        self, mesh: SceneMesh, camera: Camera, *, lights: Sequence[Light] | None = DEFAULT_LIGHTS, cull: bool = True
    ) -> Rendered:
        """See ``rasterize.Rasterizer.render_mesh``."""
        depth, rgb = rasterize(mesh.vertices, mesh.faces, shade_vertices(mesh, lights), camera, cull=cull)
        return np.rint(rgb * 255).astype(np.uint8), depth


def rasterize(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    attributes: Float[np.ndarray, "v k"],
    camera: Camera,
    *,
    cull: bool = True,
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w k"]]:
    """z-depth and perspective-correct vertex attributes of the nearest surface at every pixel centre.

    Args:
        vertices: World, metres. Shape (v, 3).
        faces: Counter-clockwise seen from the front. Shape (f, 3).
        attributes: Anything to interpolate (colour, normal, position). Shape (v, k).
        camera: ``T_world_camera`` must be one (4, 4).
        cull: Leave out triangles seen from behind.
    Returns:
        depth (h, w), metres, 0 = nothing there; attributes (h, w, k), 0 where nothing is.
    """
    height, width = camera.height, camera.width
    points = transform_points(invert_transform(camera.T_world_camera), np.asarray(vertices, np.float64))
    faces, points, values = _clip_near(np.asarray(faces), points, np.asarray(attributes, np.float32))
    inverse_z = np.zeros(height * width)
    picture = np.zeros((height * width, values.shape[1]), np.float32)
    faces, edges, planes = _set_up(faces, points, camera.K, cull)
    for triangle, row, left, count in _rows(faces, points, edges, camera.K, height, width):
        of_row = np.repeat(np.arange(len(row)), count)
        column = np.arange(len(of_row)) - np.repeat(np.cumsum(count) - count, count) + left[of_row]
        x, y, face = column + 0.5, row[of_row] + 0.5, triangle[of_row]
        pixel = row[of_row] * width + column
        nearness = planes[face, 0] * x + planes[face, 1] * y + planes[face, 2]
        np.maximum.at(inverse_z, pixel, nearness)
        wins = np.flatnonzero(nearness == inverse_z[pixel])
        x, y, face, pixel = x[wins], y[wins], face[wins], pixel[wins]
        inside = edges[face]
        weight = (inside[:, :, 0] * x[:, None] + inside[:, :, 1] * y[:, None] + inside[:, :, 2]) / nearness[wins, None]
        picture[pixel] = np.einsum("pc,pck->pk", weight.astype(np.float32), values[faces[face]])
    depth = np.zeros(height * width, np.float32)
    hit = inverse_z > 0
    depth[hit] = 1.0 / inverse_z[hit]
    return depth.reshape(height, width), picture.reshape(height, width, -1)


def _set_up(
    faces: Int[np.ndarray, "f 3"], points: Float[np.ndarray, "v 3"], K: Float[np.ndarray, "3 3"], cull: bool
) -> tuple[Int[np.ndarray, "g 3"], Float[np.ndarray, "g 3 3"], Float[np.ndarray, "g 3"]]:
    """Faces worth drawing; for each, three functions of (x, y, 1) that weigh its corners by 1/z; and their sum, 1/z."""
    homogeneous = points @ K.T
    corner = homogeneous[faces]
    x, y, z = corner[..., 0] / corner[..., 2], corner[..., 1] / corner[..., 2], points[faces, 2]
    after, before = [1, 2, 0], [2, 0, 1]
    # Corner c weighs by its distance from the edge between the two others.
    a, b = y[:, after] - y[:, before], x[:, before] - x[:, after]
    c = x[:, after] * y[:, before] - x[:, before] * y[:, after]
    area = c.sum(1)
    # Counter-clockwise seen from the front turns the other way in pixels, whose v runs down.
    keep = (area < -1e-10) if cull else (np.abs(area) > 1e-10)
    edges = np.stack([a, b, c], axis=-1)[keep] / area[keep, None, None] / z[keep, :, None]
    return faces[keep], edges, edges.sum(1)


def _rows(
    faces: Int[np.ndarray, "f 3"],
    points: Float[np.ndarray, "v 3"],
    edges: Float[np.ndarray, "f 3 3"],
    K: Float[np.ndarray, "3 3"],
    height: int,
    width: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Cut triangles into pixel rows: chunks of (triangle, row, first column, number of pixels)."""
    homogeneous = points @ K.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    corners = pixels[faces]
    low, high = corners.min(1), corners.max(1)
    first = np.maximum(np.ceil(low - 0.5), 0).astype(np.int64)
    last = np.minimum(np.floor(high - 0.5), [width - 1, height - 1]).astype(np.int64)
    drawn = np.flatnonzero((first <= last).all(1))
    count = last[drawn, 1] - first[drawn, 1] + 1
    triangle = np.repeat(drawn, count)
    row = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count) + first[triangle, 1]
    left, right = low[triangle, 0], high[triangle, 0]
    for corner in range(3):
        slope = edges[triangle, corner, 0]
        rest = edges[triangle, corner, 1] * (row + 0.5) + edges[triangle, corner, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -rest / slope
        left = np.where(slope > 0, np.fmax(left, crossing), left)
        right = np.where(slope < 0, np.fmin(right, crossing), right)
    # The slack keeps a pixel centre on a shared edge in both triangles: no cracks.
    left = np.maximum(np.ceil(left - 0.5 - 1e-9), 0).astype(np.int64)
    right = np.minimum(np.floor(right - 0.5 + 1e-9), width - 1).astype(np.int64)
    covers = np.flatnonzero(left <= right)
    triangle, row, left, count = triangle[covers], row[covers], left[covers], (right - left + 1)[covers]
    chunk = np.cumsum(count) // CHUNK
    bounds = np.flatnonzero(np.diff(chunk)) + 1
    for part in np.split(np.arange(len(triangle)), bounds):
        if len(part):
            yield triangle[part], row[part], left[part], count[part]


def _clip_near(
    faces: Int[np.ndarray, "f 3"], points: Float[np.ndarray, "v 3"], values: Float[np.ndarray, "v k"]
) -> tuple[Int[np.ndarray, "g 3"], Float[np.ndarray, "w 3"], Float[np.ndarray, "w k"]]:
    """Drop what is nearer than ``NEAR`` (camera frame); triangles that cross the plane are cut, which adds vertices."""
    front = points[:, 2] > NEAR
    fronts = front[faces].sum(1)
    whole = faces[fronts == 3]
    cut = faces[(fronts == 1) | (fronts == 2)]
    # Corners behind the plane are projected though never drawn: keep them off the division by zero.
    safe = np.where(front[:, None], points, [0.0, 0.0, NEAR])
    if not len(cut):
        return whole, safe, values
    # Turn each triangle so that its odd corner (alone on its side of the plane) comes first.
    side = front[cut]
    odd = np.argmax(side == (side.sum(1) == 1)[:, None], axis=1)
    cut = np.take_along_axis(cut, (odd[:, None] + np.arange(3)) % 3, axis=1)
    count, one, two = len(cut), [], []
    for end, store in ((1, one), (2, two)):
        z_odd, z_end = points[cut[:, 0], 2], points[cut[:, end], 2]
        share = ((NEAR - z_odd) / (z_end - z_odd))[:, None]
        store.append(points[cut[:, 0]] * (1 - share) + points[cut[:, end]] * share)
        store.append((values[cut[:, 0]] * (1 - share) + values[cut[:, end]] * share).astype(np.float32))
    base = len(points)
    first, second = np.arange(base, base + count), np.arange(base + count, base + 2 * count)
    points = np.concatenate([safe, one[0], two[0]])
    points[base:, 2] = NEAR
    values = np.concatenate([values, one[1], two[1]])
    alone = front[cut[:, 0]]
    tips = np.stack([cut[:, 0], first, second], axis=1)[alone]
    stumps_a = np.stack([first, cut[:, 1], cut[:, 2]], axis=1)[~alone]
    stumps_b = np.stack([first, cut[:, 2], second], axis=1)[~alone]
    return np.concatenate([whole, tips, stumps_a, stumps_b]), points, values
