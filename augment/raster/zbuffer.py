"""A z-buffer in compiled code: needs no OpenGL and no GPU, and gives the same bytes on every run.

Two steps: ``draw_triangles`` keeps the nearest triangle at every pixel centre; whoever needs colours, normals or motion looks
them up afterwards, for what is visible alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int

from ..compiled import compiled
from ..geometry import invert_transform, transform_points
from ..types import Camera, Light, SceneMesh
from .shading import DEFAULT_LIGHTS, Rendered, shade_vertices

NEAR = 0.05
"""Metres; what is nearer to the camera is cut away."""
_SLACK = 1e-6
"""Relative error of an edge function that still counts as inside."""


class CompiledRasterizer:
    """Draws meshes in compiled code. Stateless; see ``rasterize.Rasterizer``."""

    name = "compiled"

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
    points = transform_points(invert_transform(camera.T_world_camera), np.asarray(vertices, np.float64))
    faces, points, values = clip_near(np.asarray(faces), points, np.asarray(attributes, np.float32))
    homogeneous = points @ camera.K.T
    pixels = np.column_stack([homogeneous[:, :2] / homogeneous[:, 2:], 1 / points[:, 2]])
    faces = np.ascontiguousarray(faces, np.int32)
    nearness = np.zeros((camera.height, camera.width))
    triangle = np.full(nearness.shape, -1, np.int32)
    draw_triangles(pixels, faces, 0, cull, nearness, triangle)
    picture = np.zeros((*nearness.shape, values.shape[1]), np.float32)
    depth = np.zeros(nearness.shape, np.float32)
    _interpolate((pixels, faces, values), (nearness, triangle), depth, picture)
    return depth, picture


@compiled
def draw_triangles(pixels, faces, first_index, cull, nearness, triangle):
    """Draw triangles into a z-buffer; at equal depth the one drawn first stays.

    Args:
        pixels: u, v in pixels and 1/z of each vertex; triangles with a vertex of 1/z <= 0 are left out. Shape (v, 3).
        faces: int32, counter-clockwise seen from the front. Shape (f, 3).
        first_index: Index of the first of these triangles in ``triangle``.
        cull: Leave out triangles seen from behind.
        nearness: 1/z of what has been drawn, 0 = nothing; changed in place. Shape (h, w).
        triangle: Index of the triangle there, int32; changed in place. Shape (h, w).
    Returns:
        First and last row, first and last column that may have been drawn to (last < first if none).
    """
    height, width = nearness.shape
    half, one, zero = pixels.dtype.type(0.5), pixels.dtype.type(1), pixels.dtype.type(0)
    top, bottom, leftmost, rightmost = height, -1, width, -1
    chosen = np.empty(faces.shape[0], np.int32)
    for at in range(_choose(pixels, faces, cull, nearness.shape, chosen)):
        index = chosen[at]
        i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
        ax, ay, az = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        bx, by, bz = pixels[j, 0], pixels[j, 1], pixels[j, 2]
        cx, cy, cz = pixels[k, 0], pixels[k, 1], pixels[k, 2]
        # Counter-clockwise seen from the front turns the other way in pixels, whose v runs down.
        area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
        if area < 0:
            bx, by, bz, cx, cy, cz = cx, cy, cz, bx, by, bz
            area = -area
        low_x, high_x = min(ax, min(bx, cx)), max(ax, max(bx, cx))
        low_y, high_y = min(ay, min(by, cy)), max(ay, max(by, cy))
        left, right = max(int(np.ceil(low_x - half)), 0), min(int(np.floor(high_x - half)), width - 1)
        first, last = max(int(np.ceil(low_y - half)), 0), min(int(np.floor(high_y - half)), height - 1)
        # From the first pixel's centre on, the three edge functions and 1/z change by constant steps.
        x, y = pixels.dtype.type(left) + half, pixels.dtype.type(first) + half
        ax, ay, bx, by, cx, cy = ax - x, ay - y, bx - x, by - y, cx - x, cy - y
        edge_a, edge_b, edge_c = cy * bx - cx * by, ay * cx - ax * cy, by * ax - bx * ay
        across_a, across_b, across_c = by - cy, cy - ay, ay - by
        down_a, down_b, down_c = cx - bx, ax - cx, bx - ax
        scale = -one / area
        near = (edge_a * az + edge_b * bz + edge_c * cz) * scale
        near_x = (across_a * az + across_b * bz + across_c * cz) * scale
        near_y = (down_a * az + down_b * bz + down_c * cz) * scale
        # Rounding must not leave a gap between two triangles: a pixel on their edge belongs to both.
        slack = pixels.dtype.type(_SLACK) * (high_x - low_x + one) * (high_y - low_y + one)
        step = zero
        for row in range(first, last + 1):
            row_a, row_b, row_c = edge_a + step * down_a, edge_b + step * down_b, edge_c + step * down_c
            row_near, aside = near + step * near_y, zero
            step += one
            for column in range(left, right + 1):
                outside = max(row_a + aside * across_a, max(row_b + aside * across_b, row_c + aside * across_c))
                here = row_near + aside * near_x
                aside += one
                # One condition: two would be guessed wrong twice as often.
                if (outside <= slack) & (here > nearness[row, column]):
                    nearness[row, column] = here
                    triangle[row, column] = first_index + index
        top, bottom = min(top, first), max(bottom, last)
        leftmost, rightmost = min(leftmost, left), max(rightmost, right)
    return top, bottom, leftmost, rightmost


@compiled
def _choose(pixels, faces, cull, shape, chosen):
    """Write the indices of triangles that can be seen and reach a pixel's centre into ``chosen`` (f); gives their number."""
    half, zero, tiny = pixels.dtype.type(0.5), pixels.dtype.type(0), pixels.dtype.type(1e-12)
    last_row, last_column = pixels.dtype.type(shape[0] - 1), pixels.dtype.type(shape[1] - 1)
    count = 0
    for index in range(faces.shape[0]):
        i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
        ax, ay, bx, by, cx, cy = pixels[i, 0], pixels[i, 1], pixels[j, 0], pixels[j, 1], pixels[k, 0], pixels[k, 1]
        area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
        if not cull:
            area = abs(area)
        left, right = max(min(ax, min(bx, cx)) - half, zero), min(max(ax, max(bx, cx)) - half, last_column)
        first, last = max(min(ay, min(by, cy)) - half, zero), min(max(ay, max(by, cy)) - half, last_row)
        nearest = min(pixels[i, 2], min(pixels[j, 2], pixels[k, 2]))
        # No branches: which way they would go is hardly foreseeable.
        chosen[count] = index
        count += np.int64((area > tiny) & (nearest > zero) & (np.ceil(left) <= right) & (np.ceil(first) <= last))
    return count


@compiled
def corner_shares(pixels, i, j, k, x, y):
    """How much each corner of a triangle counts at (x, y), perspective-correct; the three sum to 1."""
    ax, ay, bx, by, cx, cy = pixels[i, 0], pixels[i, 1], pixels[j, 0], pixels[j, 1], pixels[k, 0], pixels[k, 1]
    a = ((cy - y) * (bx - x) - (cx - x) * (by - y)) * pixels[i, 2]
    b = ((ay - y) * (cx - x) - (ax - x) * (cy - y)) * pixels[j, 2]
    c = ((by - y) * (ax - x) - (bx - x) * (ay - y)) * pixels[k, 2]
    scale = pixels.dtype.type(1) / (a + b + c)
    return a * scale, b * scale, c * scale


@compiled
def _interpolate(mesh, canvas, depth, picture):
    (pixels, faces, values), (nearness, triangle) = mesh, canvas
    for row in range(triangle.shape[0]):
        for column in range(triangle.shape[1]):
            index = triangle[row, column]
            if index < 0:
                continue
            i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
            a, b, c = corner_shares(pixels, i, j, k, column + 0.5, row + 0.5)
            depth[row, column] = 1.0 / nearness[row, column]
            for channel in range(values.shape[1]):
                picture[row, column, channel] = a * values[i, channel] + b * values[j, channel] + c * values[k, channel]


def clip_near(
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
