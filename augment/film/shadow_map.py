"""What lamps see of people and props: small depth maps, in compiled code, and the shadows that they give.

Every person has a small depth map for every lamp, splatted from the vertices. The person's own shading compares depths in it;
shadows on the room take the mean over a square whose side grows with the distance behind the blocker (a lamp is not a point),
looked up in summed-area tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled, inlined

MAP_SIZE = 96
"""Pixels along one side of a person's shadow map: about 2 cm each."""
LAMP_RADIUS = 0.18
"""Metres; how large a lamp is, which sets how fast a shadow softens away from the body."""
SUN_DISTANCE = 50.0
"""Metres at which a directional light is put."""
_SELF_BIAS = 0.07
"""Metres by which a blocker must be nearer to the lamp than the body's own surface."""
_TURN = np.arange(4) * 7.19
_LOOKS = (np.sqrt((np.arange(4) + 0.5) / 4) * np.stack([np.cos(_TURN), np.sin(_TURN)])).T.astype(np.float32)
"""Places on a disc at which the body's own shadow is sampled."""


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


def new_shadow_maps(objects: int, lamps: int) -> ShadowMaps:
    """Maps to be filled by ``draw_shadow_maps``."""

    def empty(*shape: int) -> np.ndarray:
        return np.zeros((objects, lamps, *shape), np.float32)

    size = MAP_SIZE
    return ShadowMaps(empty(20), empty(size, size), empty(size + 1, size + 1), empty(size + 1, size + 1))


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


@inlined
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


@inlined
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


@inlined
def _mean_blocker(count, depth, x, y, half):
    """Number of covered map pixels in a square, rounded outwards to whole pixels, and the mean of their depths."""
    last, zero, one = np.float32(count.shape[0] - 1), np.float32(0), np.float32(1)
    left, right = np.uint32(min(max(x - half, zero), last)), np.uint32(min(max(x + half + one, zero), last))
    top, bottom = np.uint32(min(max(y - half, zero), last)), np.uint32(min(max(y + half + one, zero), last))
    covered = count[bottom, right] - count[top, right] - count[bottom, left] + count[top, left]
    total = depth[bottom, right] - depth[top, right] - depth[bottom, left] + depth[top, left]
    return covered, total / max(covered, np.float32(1))


@inlined
def _box_sum(table, x, y, half):
    a, b = _table_at(table, x - half, y - half), _table_at(table, x + half, y - half)
    c, d = _table_at(table, x - half, y + half), _table_at(table, x + half, y + half)
    return d - b - c + a


@inlined
def numbers_of(view):
    """A row of ``ShadowMaps.views`` as a tuple, which loops keep at hand."""
    return (
        view[0], view[1], view[2], view[3], view[4], view[5], view[6], view[7], view[8], view[9],
        view[10], view[11], view[12], view[13], view[14], view[15], view[16], view[17], view[18], view[19],
    )  # fmt: skip


@inlined
def may_shade(view, size, sphere):
    """Whether some point in a sphere may see less than all of a lamp, as ``lamp_share`` judges it.

    Args:
        view: One row of ``ShadowMaps.views``.
        size: Pixels along a side of its map.
        sphere: Centre and radius, world, metres.
    """
    right, down, forward = _local(view, sphere[0], sphere[1], sphere[2])
    radius, one = sphere[3], np.float32(1)
    far = forward + radius
    if far <= view[NEAREST]:
        return False
    # The largest square that ``lamp_share`` looks at for any point of the sphere, as a slope off the lamp's axis.
    blocker = max(min(view[MIDDLE], forward - radius - np.float32(0.1)), np.float32(0.1))
    inverse = one / view[FOCAL]
    soft = max(view[RADIUS] * np.float32(0.886) * (one / blocker - one / far), inverse) + np.float32(1e-4)
    middle = np.float32(size) * np.float32(0.5)
    low, high = (view[BOUNDS] - middle) * inverse - soft, (view[BOUNDS + 1] - middle) * inverse + soft
    if right - low * forward < -radius * (one + abs(low)) or right - high * forward > radius * (one + abs(high)):
        return False
    low, high = (view[BOUNDS + 2] - middle) * inverse - soft, (view[BOUNDS + 3] - middle) * inverse + soft
    return down - low * forward >= -radius * (one + abs(low)) and down - high * forward <= radius * (one + abs(high))


@inlined
def lamp_share(view, count, depth, x, y, z):
    """Share of a lamp that a point of the room sees past an object, 0..1; softer the farther the point is behind it.

    Args:
        view: One row of ``ShadowMaps.views``, or ``numbers_of`` it; ``count`` and ``depth`` are its tables.
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


@inlined
def own_share(view, nearest, x, y, z):
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
