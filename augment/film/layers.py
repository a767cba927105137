"""From a z-buffer to the layers of a frame, in compiled code: what is hidden, edges, blur, labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled
from ..raster.zbuffer import corner_shares

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


class Traced(NamedTuple):
    """What is read off the triangles that are seen."""

    parts: np.ndarray
    """(n) uint8: body part of each vertex."""
    normals: np.ndarray
    """(n, 3) f32, unit, camera axes."""
    after: np.ndarray
    """(n, 3) f32: pixels in the next frame, as ``Drawn.pixels``; 1/z = 0 where there is none."""


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
    for row in range(box[0], box[1] + 1):
        for column in range(box[2], box[3] + 1):
            index = canvas.triangle[row, column]
            if index == -1:
                continue
            wall = room_depth[row // SUPERSAMPLE, column // SUPERSAMPLE]
            if wall > 0 and canvas.nearness[row, column] * (wall + np.float32(TOLERANCE)) <= np.float32(1):
                canvas.triangle[row, column] = -1
                canvas.nearness[row, column] = 0
            elif index >= 0:
                seen[faces[index, 0]] = True
                seen[faces[index, 1]] = True
                seen[faces[index, 2]] = True


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


@compiled
def _single_triangle(triangle, top, left):
    """The triangle that all samples of a pixel show, or -1."""
    index = triangle[top, left]
    for y in range(top, top + SUPERSAMPLE):
        for x in range(left, left + SUPERSAMPLE):
            if triangle[y, x] != index:
                return np.int32(-1)
    return index


@compiled
def resolve(canvas, box, drawn, painted, mask_of, outputs):
    """Average the samples of each pixel.

    Args:
        canvas: After ``hide_behind_room``.
        box: First and last row, first and last column of the picture to work on.
        drawn: The mesh.
        painted: Colours of samples that another rasterizer drew, sRGB 0..255; their ``canvas.triangle`` is -1 - object.
            Shape (H, W, 3), or (0, 0, 3).
        mask_of: (objects + 1) uint8: value in the mask of each object, by its number.
        outputs: rgba (h, w, 4) f32, written: sRGB (0..255) times coverage, and coverage (0..1), of all objects; and, changed
            where an object covers half of a pixel or more: mask (h, w) uint8; depth (h, w) f32, its mean z, metres; sample
            (h, w) int32, index in the canvas of the sample that stands for the pixel.
    """
    rgba, mask, depth, sample = outputs
    n, share, middle = SUPERSAMPLE, np.float32(1 / SUPERSAMPLE**2), np.float32(SUPERSAMPLE / 2)
    width = canvas.triangle.shape[1]
    owners, near = np.zeros(n * n, np.int64), np.zeros(n * n, np.float32)
    for row in range(box[0], box[1] + 1):
        for column in range(box[2], box[3] + 1):
            whole = _single_triangle(canvas.triangle, row * n, column * n)
            if whole >= 0:
                # One triangle fills the pixel: colours change evenly over it, so its middle has the mean.
                i, j, k = drawn.faces[whole, 0], drawn.faces[whole, 1], drawn.faces[whole, 2]
                x, y = np.float32(column * n) + middle, np.float32(row * n) + middle
                a, b, c = corner_shares(drawn.pixels, i, j, k, x, y)
                for channel in range(3):
                    rgba[row, column, channel] = (
                        a * drawn.colors[i, channel] + b * drawn.colors[j, channel] + c * drawn.colors[k, channel]
                    )
                rgba[row, column, 3] = np.float32(1)
                mask[row, column] = mask_of[drawn.owner[i]]
                depth[row, column] = a / drawn.pixels[i, 2] + b / drawn.pixels[j, 2] + c / drawn.pixels[k, 2]
                sample[row, column] = row * n * width + column * n
                continue
            red = green = blue = covered = np.float32(0)
            for at in range(n * n):
                y, x = row * n + at // n, column * n + at % n
                index = canvas.triangle[y, x]
                owners[at], near[at] = 0, canvas.nearness[y, x]
                if index == -1:
                    continue
                covered += share
                if index < -1:
                    owners[at] = -1 - index
                    red += painted[y, x, 0]
                    green += painted[y, x, 1]
                    blue += painted[y, x, 2]
                    continue
                i, j, k = drawn.faces[index, 0], drawn.faces[index, 1], drawn.faces[index, 2]
                a, b, c = corner_shares(drawn.pixels, i, j, k, np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5))
                red += a * drawn.colors[i, 0] + b * drawn.colors[j, 0] + c * drawn.colors[k, 0]
                green += a * drawn.colors[i, 1] + b * drawn.colors[j, 1] + c * drawn.colors[k, 1]
                blue += a * drawn.colors[i, 2] + b * drawn.colors[j, 2] + c * drawn.colors[k, 2]
                owners[at] = drawn.owner[i]
            rgba[row, column, 0], rgba[row, column, 1], rgba[row, column, 2] = red * share, green * share, blue * share
            rgba[row, column, 3] = covered
            if covered < np.float32(0.5):
                continue
            best, best_count, best_z, best_at = 0, 0, np.float32(0), 0
            for at in range(n * n):
                count, total = 0, np.float32(0)
                for other in range(n * n):
                    if owners[at] > 0 and owners[other] == owners[at]:
                        count += 1
                        total += np.float32(1) / near[other]
                mean = total / np.float32(max(count, 1))
                if count > best_count or (count == best_count > 0 and mean < best_z):  # of equal shares the nearer counts
                    best, best_count, best_z, best_at = owners[at], count, mean, at
            if 2 * best_count >= n * n:
                mask[row, column], depth[row, column] = mask_of[best], best_z
                sample[row, column] = (row * n + best_at // n) * width + column * n + best_at % n


@compiled
def soften(rgba, box, sigma, spare):
    """Blur ``rgba`` (h, w, 4) inside a box with a Gaussian of ``sigma`` pixels, in place; ``spare`` is as large."""
    radius = int(np.ceil(np.float32(3) * sigma))
    weights = np.empty(radius + 1, np.float32)
    for k in range(radius + 1):
        weights[k] = np.exp(np.float32(-0.5) * (np.float32(k) / sigma) ** 2)
    weights /= weights[0] + np.float32(2) * weights[1:].sum()
    top, bottom, left, right = box
    span = (right - left + 1) * 4
    for row in range(top, bottom + 1):
        source, into = rgba[row, left : right + 1].reshape(span), spare[row, left : right + 1].reshape(span)
        for i in range(span):
            into[i] = weights[0] * source[i]
        for k in range(1, radius + 1):
            for i in range(4 * k, span):
                into[i] += weights[k] * source[i - 4 * k]
            for i in range(span - 4 * k):
                into[i] += weights[k] * source[i + 4 * k]
            # Beyond the picture's edge the last pixel goes on; beyond the box there is nothing.
            for i in range(min(4 * k, span)):
                if left == 0:
                    into[i] += weights[k] * source[i % 4]
                if right == rgba.shape[1] - 1:
                    into[span - 1 - i] += weights[k] * source[span - 1 - i % 4]
    for row in range(top, bottom + 1):
        into = rgba[row, left : right + 1].reshape(span)
        for i in range(span):
            into[i] = 0
        for k in range(-radius, radius + 1):
            near = row + k
            if near < top and top == 0:
                near = top
            elif near > bottom and bottom == rgba.shape[0] - 1:
                near = bottom
            if top <= near <= bottom:
                source = spare[near, left : right + 1].reshape(span)
                weight = weights[abs(k)]
                for i in range(span):
                    into[i] += weight * source[i]


@compiled
def blend(rgba, box, picture):
    """Put ``rgba`` (h, w, 4) over ``picture`` (h, w, 3), f32 8-bit steps, inside a box."""
    for row in range(box[0], box[1] + 1):
        for column in range(box[2], box[3] + 1):
            left = np.float32(1) - rgba[row, column, 3]
            for channel in range(3):
                picture[row, column, channel] = picture[row, column, channel] * left + rgba[row, column, channel]


@compiled
def develop(picture, noise, place, frame):
    """Add noise and round to 8 bits.

    Args:
        picture: (h, w * 3) f32, 8-bit steps.
        noise: Field of noise, at least as large, (hh, ww) f32.
        place: Row and column of the field where this frame's noise begins, and a factor on it.
        frame: (h, w * 3) uint8, written.
    """
    row0, column0, factor = place
    width = picture.shape[1]
    for row in range(picture.shape[0]):
        light, grain, out = picture[row], noise[row0 + row, column0 : column0 + width], frame[row]
        for i in range(width):
            value = light[i] + grain[i] * factor + np.float32(0.5)
            out[i] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@compiled
def clear(canvas, box):
    """Empty the canvas where it was drawn to."""
    for row in range(box[0], box[1] + 1):
        canvas.nearness[row, box[2] : box[3] + 1] = np.float32(0)
        canvas.triangle[row, box[2] : box[3] + 1] = -1


@compiled
def _seen_from_behind(pixels, i, j, k):
    x, y = pixels[i, 0], pixels[i, 1]
    return (pixels[j, 1] - y) * (pixels[k, 0] - x) < (pixels[j, 0] - x) * (pixels[k, 1] - y)


@compiled
def read_labels(canvas, box, drawn, labels, traced, outputs):
    """Body parts, normals and motion of the samples that stand for pixels.

    Args:
        canvas: As ``resolve`` had it.
        box: Part of the picture.
        drawn: The mesh.
        labels: ``mask`` (h, w) and ``sample`` (h, w) of ``resolve``.
        traced: What the mesh's vertices carry.
        outputs: Written at those pixels: parts (h, w) uint8, 1 + the part; normals (h, w, 3) f32, unit, camera axes; flow
            (h, w, 2) f32, pixels until the next frame.
    """
    mask, sample = labels
    parts, normals, flow = outputs
    width, after = canvas.triangle.shape[1], traced.after
    for row in range(box[0], box[1] + 1):
        for column in range(box[2], box[3] + 1):
            at = sample[row, column]
            if at < 0:
                continue
            y, x = at // width, at % width
            index = canvas.triangle[y, x]
            i, j, k = drawn.faces[index, 0], drawn.faces[index, 1], drawn.faces[index, 2]
            px, py = np.float32(x) + np.float32(0.5), np.float32(y) + np.float32(0.5)
            a, b, c = corner_shares(drawn.pixels, i, j, k, px, py)
            if mask[row, column] > 0:
                most = i if a >= b and a >= c else (j if b >= c else k)
                parts[row, column] = traced.parts[most] + 1
            nx = a * traced.normals[i, 0] + b * traced.normals[j, 0] + c * traced.normals[k, 0]
            ny = a * traced.normals[i, 1] + b * traced.normals[j, 1] + c * traced.normals[k, 1]
            nz = a * traced.normals[i, 2] + b * traced.normals[j, 2] + c * traced.normals[k, 2]
            scale = np.float32(1) / max(np.sqrt(nx * nx + ny * ny + nz * nz), np.float32(1e-12))
            if _seen_from_behind(drawn.pixels, i, j, k):
                scale = -scale
            normals[row, column, 0], normals[row, column, 1], normals[row, column, 2] = nx * scale, ny * scale, nz * scale
            if after[i, 2] > 0 and after[j, 2] > 0 and after[k, 2] > 0:
                # The shares hold in space, so each corner counts times its new depth.
                a, b, c = a / after[i, 2], b / after[j, 2], c / after[k, 2]
                scale = np.float32(1) / (a + b + c)
                u = (a * after[i, 0] + b * after[j, 0] + c * after[k, 0]) * scale
                v = (a * after[i, 1] + b * after[j, 1] + c * after[k, 1]) * scale
                flow[row, column, 0] = (u - px) / np.float32(SUPERSAMPLE)
                flow[row, column, 1] = (v - py) / np.float32(SUPERSAMPLE)
