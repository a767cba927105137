"""From a z-buffer to the layers of a frame, in compiled code: colours and edges, labels, motion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled, inlined
from ..raster.zbuffer import corner_shares
from .canvas import SUPERSAMPLE

_SEVERAL = -(2**31)
"""Stands for different triangles in one pixel."""


class Traced(NamedTuple):
    """What is read off the triangles that are seen."""

    parts: np.ndarray
    """(n) uint8: body part of each vertex."""
    normals: np.ndarray
    """(n, 3) f32, unit, camera axes."""
    after: np.ndarray
    """(n, 3) f32: pixels in the next frame, as ``Drawn.pixels``; 1/z = 0 where there is none."""


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
    n, middle = SUPERSAMPLE, np.float32(SUPERSAMPLE / 2)
    triangle, width = canvas.triangle, canvas.triangle.shape[1]
    pixels, faces, colors, owner = drawn
    owners, near = np.zeros(n * n, np.int64), np.zeros(n * n, np.float32)
    for row in range(box[0], box[1] + 1):
        for column in range(box[2], box[3] + 1):
            whole = _single_triangle(triangle, row * n, column * n)
            if whole == -1:
                for channel in range(4):
                    rgba[row, column, channel] = np.float32(0)
                continue
            if whole >= 0:
                # One triangle fills the pixel: colours change evenly over it, so its middle has the mean.
                i, j, k = faces[whole, 0], faces[whole, 1], faces[whole, 2]
                x, y = np.float32(column * n) + middle, np.float32(row * n) + middle
                a, b, c = corner_shares(pixels, i, j, k, x, y)
                for channel in range(3):
                    rgba[row, column, channel] = a * colors[i, channel] + b * colors[j, channel] + c * colors[k, channel]
                rgba[row, column, 3] = np.float32(1)
                mask[row, column] = mask_of[owner[i]]
                depth[row, column] = a / pixels[i, 2] + b / pixels[j, 2] + c / pixels[k, 2]
                sample[row, column] = row * n * width + column * n
                continue
            covered = _add_samples(canvas, drawn, painted, (row, column), rgba[row, column], (owners, near))
            if covered < np.float32(0.5):
                continue
            best, count, best_z, best_at = _front_object(owners, near)
            if 2 * count >= n * n:
                mask[row, column], depth[row, column] = mask_of[best], best_z
                sample[row, column] = (row * n + best_at // n) * width + column * n + best_at % n


@inlined
def _add_samples(canvas, drawn, painted, pixel, rgba, samples):
    """Write the mean colour and the coverage of a pixel's samples into ``rgba`` (4), and what each one shows.

    Args:
        canvas, drawn, painted: As for ``resolve``.
        pixel: Row and column.
        rgba: Written.
        samples: Object of each sample (0 = none) and its 1/z, written.
    Returns:
        The coverage.
    """
    owners, near = samples
    n, share = SUPERSAMPLE, np.float32(1 / SUPERSAMPLE**2)
    red = green = blue = covered = np.float32(0)
    for at in range(n * n):
        y, x = pixel[0] * n + at // n, pixel[1] * n + at % n
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
    rgba[0], rgba[1], rgba[2], rgba[3] = red * share, green * share, blue * share, covered
    return covered


@inlined
def _front_object(owners, near):
    """The object that most of a pixel's samples show, of equal ones the nearer: its number, how many, its mean z, a sample."""
    best, best_count, best_z, best_at = 0, 0, np.float32(0), 0
    for at in range(len(owners)):
        count, total = 0, np.float32(0)
        for other in range(len(owners)):
            if owners[at] > 0 and owners[other] == owners[at]:
                count += 1
                total += np.float32(1) / near[other]
        mean = total / np.float32(max(count, 1))
        if count > best_count or (count == best_count > 0 and mean < best_z):
            best, best_count, best_z, best_at = owners[at], count, mean, at
    return best, best_count, best_z, best_at


@inlined
def _single_triangle(triangle, top, left):
    """What all samples of a pixel show (-1: nothing), or ``_SEVERAL``."""
    index = triangle[top, left]
    for y in range(top, top + SUPERSAMPLE):
        for x in range(left, left + SUPERSAMPLE):
            if triangle[y, x] != index:
                return np.int32(_SEVERAL)
    return index


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


@inlined
def _seen_from_behind(pixels, i, j, k):
    x, y = pixels[i, 0], pixels[i, 1]
    return (pixels[j, 1] - y) * (pixels[k, 0] - x) < (pixels[j, 0] - x) * (pixels[k, 1] - y)
