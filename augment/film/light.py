"""The light of a room on people, in compiled code: the same Lambert model as ``raster.shading``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled
from ..raster.shading import AMBIENT, linear_to_srgb
from ..types import Light
from .shadow_map import lamp_share, numbers_of, own_share

_KNEE = 0.7
"""Linear light above which pictures roll off, see ``shading.shoulder``."""
_CURVE_STEPS = 4096
_CURVE = linear_to_srgb((np.arange(_CURVE_STEPS) / (_CURVE_STEPS - 1)) ** 2)
_SRGB = np.concatenate([_CURVE, [1.0, 1.0]]).astype(np.float32) * 255
"""sRGB in 8-bit steps at even steps of the square root of linear light."""


class Lamps(NamedTuple):
    """The lights of a view as arrays."""

    position: np.ndarray
    """(l, 3) f32, metres; of a directional light the unit vector it shines from."""
    directional: np.ndarray
    """(l) bool."""
    color: np.ndarray
    """(l, 3) f32, linear, times the intensity."""


class Surface(NamedTuple):
    """An object's surface."""

    vertices: np.ndarray
    """(n, 3) f32, world, metres."""
    normals: np.ndarray
    """(n, 3) f32, not normalised."""
    linear: np.ndarray
    """(n, 3) f32: its colour in linear light, 0..1."""
    seen: np.ndarray
    """(n) bool: vertices of triangles in the picture."""


class Exposure(NamedTuple):
    """How light becomes a colour."""

    factor: np.ndarray
    """(3) f32: on red, green and blue light."""
    shadow: np.float32
    """Strength of shadows, 0..1."""
    grey: bool
    """Colours are replaced by their luminance."""


def lamps_of(lights: tuple[Light, ...]) -> Lamps:
    """The lights as arrays."""
    rows = [
        light.position / np.linalg.norm(light.position) if light.kind == "directional" else light.position for light in lights
    ]
    return Lamps(
        position=np.array(rows, np.float32).reshape(-1, 3),
        directional=np.array([light.kind == "directional" for light in lights], bool),
        color=np.array([light.color * light.intensity for light in lights], np.float32).reshape(-1, 3),
    )


@compiled
def encode_srgb(linear):
    """sRGB in 8-bit steps (0..255, not rounded) of linear light."""
    place = np.sqrt(min(max(linear, np.float32(0)), np.float32(1))) * np.float32(_CURVE_STEPS - 1)
    step = np.uint32(place)
    share = place - np.float32(step)
    return _SRGB[step] * (np.float32(1) - share) + _SRGB[step + np.uint32(1)] * share


@compiled
def light_vertices(surface, which, maps, lamps, exposure, colors):
    """sRGB (0..255) of an object's lit vertices into ``colors`` (n, 3), only where they are seen.

    Args:
        surface: The object's.
        which: The object's row in ``maps``.
        maps: Of all objects.
        lamps: Of the view.
        exposure: Of the camera.
        colors: Written.
    """
    vertices, normals, linear, seen = surface
    factor, shadow, grey = exposure
    # One lamp after the other, so that its numbers are at hand: first all light is summed, then it becomes a colour.
    for i in range(vertices.shape[0]):
        if not seen[i]:
            continue
        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        scale = np.float32(1) / max(np.sqrt(nx * nx + ny * ny + nz * nz), np.float32(1e-12))
        normals[i, 0], normals[i, 1], normals[i, 2] = nx * scale, ny * scale, nz * scale
        ambient = np.float32(AMBIENT) * (np.float32(0.75) + np.float32(0.25) * ny * scale)
        if ny < 0:
            # A surface close above the floor gets less light back from it.
            ambient *= np.float32(1) + np.float32(0.6) * ny * scale * np.exp(
                -max(vertices[i, 1], np.float32(0)) * np.float32(4)
            )
        colors[i, 0] = colors[i, 1] = colors[i, 2] = ambient
    for lamp in range(lamps.position.shape[0]):
        _add_lamp(surface, (which, lamp), maps, lamps, shadow, colors)
    for i in range(vertices.shape[0]):
        if not seen[i]:
            continue
        red = _roll_off(linear[i, 0] * colors[i, 0] * factor[0])
        green = _roll_off(linear[i, 1] * colors[i, 1] * factor[1])
        blue = _roll_off(linear[i, 2] * colors[i, 2] * factor[2])
        if grey:
            red = np.float32(0.2126) * red + np.float32(0.7152) * green + np.float32(0.0722) * blue
            green = blue = red
        colors[i, 0], colors[i, 1], colors[i, 2] = encode_srgb(red), encode_srgb(green), encode_srgb(blue)


@compiled
def _add_lamp(surface, pair, maps, lamps, shadow, light):
    """Add one lamp's light, see ``shading.direct``, less what the objects hide of it; ``pair`` is object and lamp."""
    vertices, normals, _, seen = surface
    (which, lamp), one = pair, np.float32(1)
    px, py, pz = lamps.position[lamp, 0], lamps.position[lamp, 1], lamps.position[lamp, 2]
    red, green, blue = lamps.color[lamp, 0], lamps.color[lamp, 1], lamps.color[lamp, 2]
    is_far = lamps.directional[lamp]
    view, nearest = numbers_of(maps.views[which, lamp]), maps.nearest[which, lamp]
    objects = maps.views.shape[0]
    for i in range(vertices.shape[0]):
        if not seen[i]:
            continue
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        tx, ty, tz, falloff = px, py, pz, one
        if not is_far:
            tx, ty, tz = tx - x, ty - y, tz - z
            squared = max(tx * tx + ty * ty + tz * tz, one)
            scale = one / np.sqrt(squared)
            tx, ty, tz = tx * scale, ty * scale, tz * scale
            falloff = np.float32(9) / squared
        cosine = normals[i, 0] * tx + normals[i, 1] * ty + normals[i, 2] * tz + np.float32(0.15)
        if cosine <= 0:
            continue
        falls = cosine * np.float32(1 / 1.15) * falloff
        falls *= one - shadow * (one - own_share(view, nearest, x, y, z))
        for other in range(objects):
            if other != which:
                share = lamp_share(maps.views[other, lamp], maps.count[other, lamp], maps.depth[other, lamp], x, y, z)
                falls *= one - shadow * (one - share)
        light[i, 0] += falls * red
        light[i, 1] += falls * green
        light[i, 2] += falls * blue


@compiled
def _roll_off(linear):
    knee = np.float32(_KNEE)
    if linear <= knee:
        return linear
    return knee + (np.float32(1) - knee) * (np.float32(1) - np.exp(-(linear - knee) / (np.float32(1) - knee)))
