"""The light of a room on people and of people on the room, in compiled code: the same Lambert model as ``raster.shading``.

Every person has a small depth map for every lamp, splatted from the vertices. The person's own shading compares depths in it;
shadows on the room take the mean over a square whose side grows with the distance behind the blocker (a lamp is not a point),
looked up in summed-area tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled
from ..raster.shading import AMBIENT, linear_to_srgb, srgb_to_linear
from ..types import Light

MAP_SIZE = 96
"""Pixels along one side of a person's shadow map: about 2 cm each."""
LAMP_RADIUS = 0.18
"""Metres; how large a lamp is, which sets how fast a shadow softens away from the body."""
SUN_DISTANCE = 50.0
"""Metres at which a directional light is put."""
CONTACT_REACH = 0.8
"""Metres from a body within which it takes ambient light from the room's surfaces."""
_SELF_BIAS = 0.07
"""Metres by which a blocker must be nearer to the lamp than the body's own surface."""
_KNEE = 0.7
"""Linear light above which pictures roll off, see ``shading.shoulder``."""
_CURVE_STEPS = 4096
_CURVE = linear_to_srgb((np.arange(_CURVE_STEPS) / (_CURVE_STEPS - 1)) ** 2)
_SRGB = np.concatenate([_CURVE, [1.0, 1.0]]).astype(np.float32) * 255
"""sRGB in 8-bit steps at even steps of the square root of linear light."""
LINEAR = srgb_to_linear(np.arange(256) / np.float32(255)).astype(np.float32)
"""Linear light of each 8-bit sRGB value."""
SHADE_STEPS = 64
SHADED = 255 * linear_to_srgb(np.linspace(0, 1, SHADE_STEPS + 1, dtype=np.float32)[:, None] * LINEAR).astype(np.float32)
"""sRGB (0..255) of each 8-bit value once only a share of its light is left, for even steps of that share."""
_TURN = np.arange(4) * 7.19
_LOOKS = (np.sqrt((np.arange(4) + 0.5) / 4) * np.stack([np.cos(_TURN), np.sin(_TURN)])).T.astype(np.float32)
"""Places on a disc at which the body's own shadow is sampled."""


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


class ShadowMaps(NamedTuple):
    """What the lamps see of the objects: arrays over (objects, lamps)."""

    views: np.ndarray
    """(o, l, 20) f32: the numbers of each view, in the order of ``EYE`` to ``BOUNDS``."""
    nearest: np.ndarray
    """(o, l, s, s) f32: distance of the nearest surface, inf where there is none."""
    count: np.ndarray
    """(o, l, s + 1, s + 1) f32: sums of covered map pixels above and left."""
    depth: np.ndarray
    """Likewise, of their distance less the mean one."""


EYE, RIGHT, DOWN, FORWARD = 0, 3, 6, 9
"""Where a view's position and axes (three numbers each, world) stand in ``ShadowMaps.views``."""
FOCAL, NEAREST, MIDDLE, RADIUS = 12, 13, 14, 15
"""Focal length in map pixels, least and mean distance of the object, the lamp's radius, metres."""
BOUNDS = 16
"""First and last column, first and last row that hold something."""


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


def new_shadow_maps(objects: int, lamps: int) -> ShadowMaps:
    """Maps to be filled by ``draw_shadow_maps``."""

    def empty(*shape: int) -> np.ndarray:
        return np.zeros((objects, lamps, *shape), np.float32)

    size = MAP_SIZE
    return ShadowMaps(empty(20), empty(size, size), empty(size + 1, size + 1), empty(size + 1, size + 1))


@compiled
def encode_srgb(linear):
    """sRGB in 8-bit steps (0..255, not rounded) of linear light."""
    place = np.sqrt(min(max(linear, np.float32(0)), np.float32(1))) * np.float32(_CURVE_STEPS - 1)
    step = np.uint32(place)
    share = place - np.float32(step)
    return _SRGB[step] * (np.float32(1) - share) + _SRGB[step + np.uint32(1)] * share


@compiled
def draw_shadow_maps(maps, which, vertices, lamps):
    """Fill the maps of object ``which`` from its vertices (n, 3), metres, world."""
    low_x, low_y, low_z = vertices[0, 0], vertices[0, 1], vertices[0, 2]
    high_x, high_y, high_z = low_x, low_y, low_z
    for i in range(vertices.shape[0]):
        low_x, high_x = min(low_x, vertices[i, 0]), max(high_x, vertices[i, 0])
        low_y, high_y = min(low_y, vertices[i, 1]), max(high_y, vertices[i, 1])
        low_z, high_z = min(low_z, vertices[i, 2]), max(high_z, vertices[i, 2])
    half = np.float32(0.5)
    middle = np.array([(low_x + high_x) * half, (low_y + high_y) * half, (low_z + high_z) * half], np.float32)
    local = np.empty((vertices.shape[0], 3), np.float32)
    for lamp in range(lamps.position.shape[0]):
        view, nearest = maps.views[which, lamp], maps.nearest[which, lamp]
        view[RADIUS] = LAMP_RADIUS
        for axis in range(3):
            view[EYE + axis] = lamps.position[lamp, axis]
            if lamps.directional[lamp]:
                view[EYE + axis] = middle[axis] + lamps.position[lamp, axis] * np.float32(SUN_DISTANCE)
        if lamps.directional[lamp]:
            view[RADIUS] = LAMP_RADIUS * 20
        _aim(view, middle)
        spread, near, total = _to_lamp(vertices, view, local)
        size = nearest.shape[0]
        view[FOCAL] = (np.float32(size) * half - np.float32(4)) / min(max(spread, np.float32(1e-3)), np.float32(3))
        view[NEAREST], view[MIDDLE] = near, total / np.float32(vertices.shape[0])
        _splat(local, view[FOCAL], nearest)
        _sum_up(nearest, view, maps.count[which, lamp], maps.depth[which, lamp])


@compiled
def _aim(view, target):
    forward = target - view[EYE : EYE + 3]
    forward = forward / max(np.sqrt((forward * forward).sum()), np.float32(1e-6))
    side = np.zeros(3, np.float32)
    if abs(forward[2]) < 0.9:
        side[0], side[1] = forward[1], -forward[0]
    else:
        side[1], side[2] = forward[2], -forward[1]
    side = side / np.sqrt((side * side).sum())
    view[RIGHT : RIGHT + 3], view[DOWN : DOWN + 3], view[FORWARD : FORWARD + 3] = side, np.cross(forward, side), forward


@compiled
def _local(view, x, y, z):
    """A world point in a view's axes, metres."""
    x, y, z = x - view[EYE], y - view[EYE + 1], z - view[EYE + 2]
    return (
        view[RIGHT] * x + view[RIGHT + 1] * y + view[RIGHT + 2] * z,
        view[DOWN] * x + view[DOWN + 1] * y + view[DOWN + 2] * z,
        view[FORWARD] * x + view[FORWARD + 1] * y + view[FORWARD + 2] * z,
    )


@compiled
def _to_lamp(vertices, view, local):
    """Vertices in the lamp's frame; the greatest slope off its axis, the least distance and the sum of distances."""
    spread, near, total = np.float32(0), np.float32(1e9), np.float32(0)
    for i in range(vertices.shape[0]):
        a, b, c = _local(view, vertices[i, 0], vertices[i, 1], vertices[i, 2])
        c = max(c, np.float32(0.1))
        a, b = a / c, b / c
        local[i, 0], local[i, 1], local[i, 2] = a, b, c
        spread = max(spread, max(abs(a), abs(b)))
        near = min(near, c)
        total += c
    return spread, near, total


@compiled
def _splat(local, focal, nearest):
    size = nearest.shape[0]
    raw = np.full((size, size), np.float32(np.inf), np.float32)
    middle = np.float32(size) * np.float32(0.5)
    for i in range(local.shape[0]):
        column, row = int(local[i, 0] * focal + middle), int(local[i, 1] * focal + middle)
        if 0 <= column < size and 0 <= row < size:
            raw[row, column] = min(raw[row, column], local[i, 2])
    # Vertices leave holes between them; the minimum over a neighbourhood closes them.
    for row in range(size):
        above, below = max(row - 1, 0), min(row + 1, size - 1)
        for column in range(size):
            raw_row = nearest[row]
            raw_row[column] = min(raw[above, column], min(raw[row, column], raw[below, column]))
    for row in range(size):
        line = nearest[row].copy()
        for column in range(1, size - 1):
            nearest[row, column] = min(line[column - 1], min(line[column], line[column + 1]))


@compiled
def _sum_up(nearest, view, count, depth):
    size, middle = nearest.shape[0], view[MIDDLE]
    left, right, top, bottom = size, -1, size, -1
    for row in range(size):
        covered, distance = np.float32(0), np.float32(0)
        for column in range(size):
            if nearest[row, column] < np.float32(1e8):
                covered += np.float32(1)
                distance += nearest[row, column] - middle
                left, right, top, bottom = min(left, column), max(right, column), min(top, row), row
            count[row + 1, column + 1] = count[row, column + 1] + covered
            depth[row + 1, column + 1] = depth[row, column + 1] + distance
    view[BOUNDS], view[BOUNDS + 1] = np.float32(left), np.float32(right + 1)
    view[BOUNDS + 2], view[BOUNDS + 3] = np.float32(top), np.float32(bottom + 1)


@compiled
def _table_at(table, x, y):
    """A summed-area table between its nodes."""
    last = np.float32(table.shape[0] - 1)
    x, y = min(max(x, np.float32(0)), last - np.float32(1e-3)), min(max(y, np.float32(0)), last - np.float32(1e-3))
    i, j = np.uint32(x), np.uint32(y)
    u, v = x - np.float32(i), y - np.float32(j)
    one = np.uint32(1)
    upper = table[j, i] * (np.float32(1) - u) + table[j, i + one] * u
    lower = table[j + one, i] * (np.float32(1) - u) + table[j + one, i + one] * u
    return upper * (np.float32(1) - v) + lower * v


@compiled
def _mean_blocker(count, depth, x, y, half):
    """Number of covered map pixels in a square, rounded outwards to whole pixels, and the mean of their depths."""
    last, zero, one = np.float32(count.shape[0] - 1), np.float32(0), np.float32(1)
    left, right = np.uint32(min(max(x - half, zero), last)), np.uint32(min(max(x + half + one, zero), last))
    top, bottom = np.uint32(min(max(y - half, zero), last)), np.uint32(min(max(y + half + one, zero), last))
    covered = count[bottom, right] - count[top, right] - count[bottom, left] + count[top, left]
    total = depth[bottom, right] - depth[top, right] - depth[bottom, left] + depth[top, left]
    return covered, total / max(covered, np.float32(1))


@compiled
def _box_sum(table, x, y, half):
    a, b = _table_at(table, x - half, y - half), _table_at(table, x + half, y - half)
    c, d = _table_at(table, x - half, y + half), _table_at(table, x + half, y + half)
    return d - b - c + a


@compiled
def lamp_share(view, count, depth, x, y, z):
    """Share of a lamp that a point of the room sees past an object, 0..1; softer the farther the point is behind it.

    Args:
        view: One row of ``ShadowMaps.views``; ``count`` and ``depth`` are its tables.
        x, y, z: World, metres.
    """
    one = np.float32(1)
    right, down, forward = _local(view, x, y, z)
    if forward <= view[NEAREST]:
        return one
    focal, size = view[FOCAL], np.float32(count.shape[0] - 1)
    scale = focal / forward
    column, row = right * scale + size * np.float32(0.5), down * scale + size * np.float32(0.5)
    # The square has the area of the lamp's disc.
    radius = view[RADIUS] * focal * np.float32(0.886)
    blocker = max(min(view[MIDDLE], forward - np.float32(0.1)), np.float32(0.1))
    half = max(radius * (forward - blocker) / (forward * blocker), one)
    if column + half < view[BOUNDS] or column - half > view[BOUNDS + 1]:
        return one
    if row + half < view[BOUNDS + 2] or row - half > view[BOUNDS + 3]:
        return one
    covered, blocker = _mean_blocker(count, depth, column, row, half)
    if covered <= 0:
        return one
    blocker += view[MIDDLE]
    if blocker > forward - np.float32(0.03):
        return one
    half = max(radius * (forward - blocker) / (forward * blocker), np.float32(0.7))
    hidden = _box_sum(count, column, row, half) / (np.float32(4) * half * half)
    return one - min(max(hidden, np.float32(0)), one)


@compiled
def _own_share(view, nearest, x, y, z):
    """Share of a lamp that a point of an object's own surface sees past the rest of it."""
    right, down, forward = _local(view, x, y, z)
    if forward <= view[NEAREST]:
        return np.float32(1)
    focal, size = view[FOCAL], nearest.shape[0]
    scale, middle = focal / forward, np.float32(size) * np.float32(0.5)
    column, row = int(right * scale + middle), int(down * scale + middle)
    if not (0 <= column < size and 0 <= row < size):
        return np.float32(1)
    blocker = nearest[row, column]
    if not blocker < forward:
        blocker = min(view[MIDDLE], forward - np.float32(0.1))
    blocker = max(blocker, np.float32(0.1))
    radius = max(focal * view[RADIUS] * (forward - blocker) / (forward * blocker), np.float32(0.7))
    lit = np.float32(0)
    for look in range(4):
        i = min(max(int(np.float32(column) + np.float32(0.5) + _LOOKS[look, 0] * radius), 0), size - 1)
        j = min(max(int(np.float32(row) + np.float32(0.5) + _LOOKS[look, 1] * radius), 0), size - 1)
        if nearest[j, i] > forward - np.float32(_SELF_BIAS):
            lit += np.float32(0.25)
    return lit


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
    view, nearest = maps.views[which, lamp], maps.nearest[which, lamp]
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
        falls *= one - shadow * (one - _own_share(view, nearest, x, y, z))
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
