"""People put into the room's picture, in compiled code: blur, blend, noise."""

from __future__ import annotations

import numpy as np

from ..compiled import compiled


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
            if rgba[row, column, 3] == 0:
                continue
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
