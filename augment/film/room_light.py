"""The light that a room keeps while people stand in it: contact and cast shadows, in compiled code.

Shadows are smooth, so they are computed on a lattice of every few pixels and interpolated where all pixels between lie on one
surface (``plate_shadow.py``); at edges they are computed pixel by pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled, inlined
from .ground import RUN
from .shadow_map import ShadowMaps, lamp_share, may_shade, numbers_of

CONTACT_REACH = 0.8
"""Metres from a body within which it takes ambient light from the room's surfaces."""


class Casters(NamedTuple):
    """What takes light from the room."""

    maps: ShadowMaps
    low: np.ndarray
    """(o, 3) f32: least coordinates of each object's balls."""
    high: np.ndarray
    balls: np.ndarray
    """(o, k, 4) f32: balls that fill each object, centre and radius, metres; radius 0 = none."""


@compiled
def room_light(ground, casters, strength, share):
    """Share of its light that each lattice point keeps, 0..1, into ``share`` (a, b).

    Args:
        ground: Of the view.
        casters: Everything that stands in it.
        strength: Of cast shadows, 0..1.
        share: Written.
    """
    share[:] = np.float32(1)
    lost, touched = np.empty(share.shape, np.float32), np.empty(ground.spheres.shape[:2], np.bool_)
    for which in range(casters.low.shape[0]):
        touched[:] = False
        _take_contact(ground, casters, which, lost, touched)
        for lamp in range(ground.direct.shape[0]):
            _take_cast(ground, casters.maps, (which, lamp), strength, lost, touched)
        _keep_rest(ground.lattice_scale, touched, lost, share)


@compiled
def _take_contact(ground, casters, which, lost, touched):
    """Write the ambient light that one object takes into ``lost`` (a, b), of the runs that it marks as ``touched``."""
    spheres, runs, ambient = ground.spheres, ground.runs, ground.lattice_ambient
    low, high, balls = casters.low[which], casters.high[which], casters.balls[which]
    one, kept = np.float32(1), np.empty(RUN, np.float32)
    for a in range(spheres.shape[0]):
        for run in range(spheres.shape[1]):
            mx, my, mz, radius = spheres[a, run, 0], spheres[a, run, 1], spheres[a, run, 2], spheres[a, run, 3]
            reach = np.float32(CONTACT_REACH) + radius
            if radius < 0 or _away(mx, my, mz, low, high) >= reach:
                continue
            some, points = False, runs[a, run]
            x, y, z, nx, ny, nz = points[0], points[1], points[2], points[3], points[4], points[5]
            for ball in range(balls.shape[0]):
                cx, cy, cz, area = balls[ball, 0], balls[ball, 1], balls[ball, 2], balls[ball, 3] * balls[ball, 3]
                squared = (cx - mx) * (cx - mx) + (cy - my) * (cy - my) + (cz - mz) * (cz - mz)
                if area == 0 or squared >= reach * reach:
                    continue
                if not some:
                    kept[:] = one
                    some = True
                for i in range(x.shape[0]):
                    kept[i] *= one - _hidden(cx - x[i], cy - y[i], cz - z[i], (nx[i], ny[i], nz[i]), area)
            touched[a, run] = some
            if some:
                for i in range(run * RUN, min(run * RUN + RUN, lost.shape[1])):
                    lost[a, i] = ambient[a, i] * (one - kept[i - run * RUN])


@compiled
def _take_cast(ground, maps, pair, strength, lost, touched):
    """Add what one object (``pair``: its number, and the lamp's) takes of a lamp's light, likewise."""
    which, lamp = pair
    view, count, depth = numbers_of(maps.views[which, lamp]), maps.count[which, lamp], maps.depth[which, lamp]
    spheres, runs, falls, size = ground.spheres, ground.runs, ground.lattice_direct[lamp], maps.nearest.shape[2]
    for a in range(spheres.shape[0]):
        for run in range(spheres.shape[1]):
            sphere = (spheres[a, run, 0], spheres[a, run, 1], spheres[a, run, 2], spheres[a, run, 3])
            if sphere[3] < 0 or not may_shade(view, size, sphere):
                continue
            first, last = run * RUN, min(run * RUN + RUN, lost.shape[1])
            if not touched[a, run]:
                touched[a, run] = True
                lost[a, first:last] = np.float32(0)
            for i in range(first, last):
                if falls[a, i] > 0:
                    x, y, z = runs[a, run, 0, i - first], runs[a, run, 1, i - first], runs[a, run, 2, i - first]
                    lost[a, i] += falls[a, i] * strength * (np.float32(1) - lamp_share(view, count, depth, x, y, z))


@compiled
def _keep_rest(scale, touched, lost, share):
    for a in range(touched.shape[0]):
        for run in range(touched.shape[1]):
            if touched[a, run]:
                for i in range(run * RUN, min(run * RUN + RUN, share.shape[1])):
                    share[a, i] *= np.float32(1) - lost[a, i] * scale[a, i]


@inlined
def _away(x, y, z, low, high):
    """How far a point is outside a box along the axis on which it is farthest outside, metres."""
    return max(max(low[0] - x, x - high[0]), max(max(low[1] - y, y - high[1]), max(low[2] - z, z - high[2])))


@inlined
def _hidden(dx, dy, dz, normal, area):
    """Share of the ambient light that a ball takes from a surface point.

    A ball of radius r at distance d on the normal's side hides the cosine-weighted share (r/d)^2 cos of the sky.

    Args:
        dx, dy, dz: From the point to the ball's centre, metres.
        normal: Of the surface.
        area: The ball's radius squared.
    """
    squared = max(dx * dx + dy * dy + dz * dz, np.float32(0.64) * area)
    cosine = (normal[0] * dx + normal[1] * dy + normal[2] * dz) / np.sqrt(squared)
    fade = min(np.float32(2) * max(np.float32(1) - squared * np.float32(1 / CONTACT_REACH**2), np.float32(0)), np.float32(1))
    hidden = min(max(cosine + np.float32(0.1), np.float32(0)), np.float32(1)) * fade
    return hidden * min(area / squared, np.float32(0.95))


@compiled
def light_kept(ground, casters, row, column, strength):
    """Share of its light that one pixel keeps."""
    one, total, ambient = np.float32(1), np.float32(1), ground.ambient[row, column]
    points, normals, maps, all_balls = ground.points, ground.normals, casters.maps, casters.balls
    x, y, z = points[row, column, 0], points[row, column, 1], points[row, column, 2]
    normal = (normals[row, column, 0], normals[row, column, 1], normals[row, column, 2])
    for which in range(casters.low.shape[0]):
        kept = one
        if _away(x, y, z, casters.low[which], casters.high[which]) < np.float32(CONTACT_REACH):
            for ball in range(all_balls.shape[1]):
                cx, cy, cz, radius = (
                    all_balls[which, ball, 0], all_balls[which, ball, 1], all_balls[which, ball, 2], all_balls[which, ball, 3]
                )  # fmt: skip
                if radius > 0:
                    kept *= one - _hidden(cx - x, cy - y, cz - z, normal, radius * radius)
        lost, full = ambient * (one - kept), ambient
        for lamp in range(ground.direct.shape[0]):
            falls = ground.direct[lamp, row, column]
            full += falls
            if falls > 0:
                share = lamp_share(maps.views[which, lamp], maps.count[which, lamp], maps.depth[which, lamp], x, y, z)
                lost += falls * strength * (one - share)
        total *= one - lost / max(full, np.float32(1e-6))
    return total
