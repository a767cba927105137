"""Put drawn people into a plate: depth test against the room, smooth edges, shadows, and the camera's blur and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from ..raster.shading import AMBIENT, direct, linear_to_srgb, shoulder, srgb_to_linear
from ..types import Camera
from .body_shadow import BodyShadow, contact_light
from .view import View

SUPERSAMPLE = 2
"""Samples a pixel along each axis at which people are drawn."""
TOLERANCE = 0.03
"""Metres by which a person may lie behind a surface and still be seen: soles in a carpet, a back in a mattress."""

SHADOW_REACH = 1.8
"""How far from a person cast shadows are looked for, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A camera's effects on a clip; drawn once per clip."""

    blur: float = 0.35
    """Radius (sigma) that softens people to the plate's sharpness, pixels at 224 px height."""
    noise: float = 1.0
    """Sensor noise, standard deviation in 8-bit steps at middle grey."""
    exposure: float = 1.0
    """Factor on the light that falls on people."""
    shadow: float = 1.0
    """Strength of cast shadows; 1 = all of a lamp's light is missing in its shadow."""


def sample_style(*, rng: np.random.Generator) -> Style:
    """Draw a camera."""
    return Style(
        blur=float(rng.uniform(0.1, 0.45)),
        noise=float(rng.gamma(2.0, 0.6)),
        exposure=float(np.exp(rng.normal(0.0, 0.08))),
        shadow=float(rng.uniform(0.75, 1.0)),
    )


Drawn = tuple[UInt8[np.ndarray, "H W 3"], Float32[np.ndarray, "H W"]]
"""One drawn person at ``SUPERSAMPLE`` times the picture's size: RGB, and depth in metres."""


def compose(
    view: View,
    people: Sequence[Drawn],
    shadow: Float[np.ndarray, "h w"] | None,
    style: Style,
    noise: Float32[np.ndarray, "h w c"] | None = None,
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """One frame of a clip.

    Args:
        people: As drawn, not yet cut by the room.
        shadow: Share of the plate's light that is left (``plate_light``); None for all of it.
        style: Its blur; exposure and shadow have been applied by the callers.
        noise: Added to the frame, 8-bit steps.
    Returns:
        frame (h, w, 3); mask (h, w): 0 = room, n = the n-th person (1-based) covers most of the pixel;
        depth (h, w): metres, of the frame as composed, 0 = unknown.
    """
    height, width = view.depth.shape
    frame = view.plate.astype(np.float32)
    mask, depth = np.zeros((height, width), np.uint8), view.depth.copy()
    if shadow is not None:
        changed = shadow < 0.999
        linear = srgb_to_linear(view.plate[changed] / 255) * shadow[changed][:, None]
        frame[changed] = linear_to_srgb(linear) * 255
    box = _bounds(people, height, width)
    if box is not None:
        rows, columns = box
        color, alpha, who, near = _merge(view, people, rows, columns)
        sigma = style.blur * height / 224
        if sigma > 0.05:
            color, alpha = cv2.GaussianBlur(color, (0, 0), sigma), cv2.GaussianBlur(alpha, (0, 0), sigma)
        frame[rows, columns] = frame[rows, columns] * (1 - alpha[..., None]) + color
        covered = who > 0
        mask[rows, columns] = who
        depth[rows, columns] = np.where(covered, near, depth[rows, columns])
    if noise is not None:
        frame += noise
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8), mask, depth


class Grain:
    """Sensor noise of each frame, cut at drawn places from one larger field (drawing anew is slower and looks the same)."""

    def __init__(self, view: View, style: Style, *, rng: np.random.Generator) -> None:
        self._shape, self._rng = view.depth.shape, rng
        height, width = self._shape
        size = (height + 61, width + 61, 1 if view.grey else 3)
        self._field = rng.standard_normal(size, dtype=np.float32) * np.float32(style.noise) if style.noise > 0 else None

    def next(self) -> Float32[np.ndarray, "h w c"] | None:
        """The next frame's noise; None for a camera without any."""
        if self._field is None:
            return None
        row, column, flip = self._rng.integers(62), self._rng.integers(62), self._rng.integers(4)
        cut = self._field[row : row + self._shape[0], column : column + self._shape[1]]
        return cut[:: -1 if flip & 1 else 1, :: -1 if flip & 2 else 1]


def _bounds(people: Sequence[Drawn], height: int, width: int) -> tuple[slice, slice] | None:
    """Picture rows and columns that hold every person, with room for the blur."""
    seen = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE), bool)
    for _, depth in people:
        seen |= depth > 0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not len(rows):
        return None
    margin = 2 + height // 100

    def stretch(found: np.ndarray, size: int) -> slice:
        low, high = int(found[0]) // SUPERSAMPLE - margin, int(found[-1]) // SUPERSAMPLE + 1 + margin
        return slice(max(low, 0), min(high, size))

    return stretch(rows, height), stretch(columns, width)


def _merge(
    view: View, people: Sequence[Drawn], rows: slice, columns: slice
) -> tuple[Float32[np.ndarray, "a b 3"], Float32[np.ndarray, "a b"], UInt8[np.ndarray, "a b"], Float32[np.ndarray, "a b"]]:
    """Colour (times alpha), alpha, the person that covers most of a pixel, and that person's mean depth, inside a box."""
    n = SUPERSAMPLE
    fine = (slice(rows.start * n, rows.stop * n), slice(columns.start * n, columns.stop * n))
    room = view.depth[rows, columns]
    wall = np.where(room > 0, room + TOLERANCE, np.inf).repeat(n, 0).repeat(n, 1)
    nearest, owner = wall.astype(np.float32), np.zeros(wall.shape, np.uint8)
    color = np.zeros((*wall.shape, 3), np.float32)
    for index, (rgb, whole) in enumerate(people, start=1):
        depth = whole[fine]
        front = (depth > 0) & (depth < nearest)
        nearest = np.where(front, depth, nearest)
        owner[front] = index
        color[front] = rgb[fine][front]

    def pool(fine_values: np.ndarray) -> np.ndarray:
        shape = (wall.shape[0] // n, n, wall.shape[1] // n, n, *fine_values.shape[2:])
        return fine_values.reshape(shape).mean((1, 3), dtype=np.float32)

    alpha = pool(owner > 0)
    who = np.zeros(room.shape, np.uint8)
    best = np.full(room.shape, 0.4999, np.float32)
    for index in range(1, len(people) + 1):
        share = pool(owner == index)
        who[share > best] = index
        best = np.maximum(best, share)
    near = pool(np.where(owner > 0, nearest, 0.0)) / np.maximum(alpha, 1e-6)
    return pool(color), alpha, who, near


def light_body(
    view: View,
    vertices: Float[np.ndarray, "v 3"],
    normals: Float[np.ndarray, "v 3"],
    surface: Float[np.ndarray, "v 3"],
    shadows: Sequence[BodyShadow],
    style: Style,
) -> UInt8[np.ndarray, "v 3"]:
    """Colours (sRGB) of a body's surface (linear 0..1) in this room's light, with its shadows on itself."""
    # A surface close above the floor gets less light back from it.
    open_below = 1 - 0.6 * np.maximum(-normals[:, 1], 0) * np.exp(-np.maximum(vertices[:, 1], 0) / 0.25)
    light = (AMBIENT * (0.75 + 0.25 * normals[:, 1]) * open_below)[:, None] * np.ones(3, np.float32)
    for lamp, shadow in zip(view.lights, shadows, strict=True):
        falls = direct(vertices, normals, lamp) * (1 - style.shadow * (1 - shadow.visibility(vertices, bias=0.07, looks=4)))
        light = light + falls[:, None] * (lamp.color * lamp.intensity)
    lit = shoulder(surface * light.astype(np.float32) * (view.gain * np.float32(style.exposure)))
    if view.grey:
        lit = np.repeat((lit @ np.array([0.2126, 0.7152, 0.0722]))[:, None], 3, axis=1)
    return np.rint(linear_to_srgb(lit) * 255).astype(np.uint8)


def plate_light(
    view: View,
    shadows: Sequence[Sequence[BodyShadow]],
    balls: Sequence[tuple[np.ndarray, np.ndarray]],
    style: Style,
) -> Float32[np.ndarray, "h w"]:
    """Share of its light that the plate keeps once people stand in it, 0..1; 1 far from them.

    Args:
        shadows: For every person, one shadow per lamp of the view.
        balls: For every person, centres (b, 3) and radii (b,) of balls that fill it, metres.
    """
    total = np.maximum(view.ambient + view.direct.sum(0), 1e-6)
    share = np.ones(view.depth.shape, np.float32)
    for lamps, (centers, radii) in zip(shadows, balls, strict=True):
        lost = np.zeros(view.depth.shape, np.float32)
        touch = _within(view, centers, 0.5)
        lost[touch] = view.ambient[touch] * (1 - contact_light(centers, radii, view.points[touch], view.normals[touch]))
        near = _within(view, centers, SHADOW_REACH)
        points = view.points[near] + 0.02 * view.normals[near]
        for lamp, shadow in enumerate(lamps):
            lost[near] += view.direct[lamp][near] * (style.shadow * (1 - shadow.visibility(points)))
        share *= 1 - lost / total
    # Few samples a pixel give noise; a shadow has no detail finer than this blur.
    return np.minimum(cv2.GaussianBlur(share, (0, 0), 0.8 * view.depth.shape[0] / 224), 1.0)


def _within(view: View, centers: np.ndarray, reach: float) -> np.ndarray:
    """Pixels whose surface lies in the box around some points, stretched by ``reach`` metres. Shape (h, w)."""
    low, high = centers.min(0) - reach, centers.max(0) + reach
    inside = view.solid.copy()
    for axis in range(3):
        inside &= (view.points[..., axis] > low[axis]) & (view.points[..., axis] < high[axis])
    return inside


def joint_visibility(
    joints2d: Float[np.ndarray, "j 2"],
    z: Float[np.ndarray, "j"],
    mask: UInt8[np.ndarray, "h w"],
    depth: Float[np.ndarray, "h w"],
    person: int,
) -> Float32[np.ndarray, "j"]:
    """Confidence of 2D joints: 1 seen, 0.5 hidden behind the person's own body, 0 out of the picture or behind something else.

    Joints lie inside the body, so one up to 20 cm behind the surface that covers it counts as seen.
    """
    height, width = mask.shape
    column, row = np.floor(joints2d[:, 0]).astype(int), np.floor(joints2d[:, 1]).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (z > 0)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    front, who = depth[row, column], mask[row, column]
    behind = (front > 0) & (z > front + 0.20)
    own = who == person
    covered = np.where(own, np.where(behind, 0.5, 1.0), np.where((front > 0) & (z > front + 0.06), 0.0, 1.0))
    return np.where(inside, covered, 0.0).astype(np.float32)


def fine_camera(camera: Camera) -> Camera:
    """The camera at which people are drawn."""
    return camera.scaled_to(camera.height * SUPERSAMPLE, camera.width * SUPERSAMPLE)
