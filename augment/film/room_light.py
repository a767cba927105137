"""The light that a room keeps while people stand in it: contact and cast shadows on the plate, in compiled code.

Shadows are smooth, so they are computed on a lattice of every few pixels and interpolated where all pixels between lie on one
surface; at edges they are computed pixel by pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from ..compiled import compiled
from .light import CONTACT_REACH, SHADE_STEPS, SHADED, ShadowMaps, draw_shadow_maps, lamp_share, lamps_of, new_shadow_maps
from .view import View

LATTICE_ROWS = 75
"""About as many lattice rows as this are computed whatever the picture's height (somewhat more of small pictures)."""
CAST_REACH = 2.5
"""Metres from an object within which its cast shadows are looked for."""
_FULL = 0.996
"""Share of its light above which a pixel stays as it is: the difference would be less than half an 8-bit step."""


class Ground(NamedTuple):
    """What shadows fall on: a view's surfaces, at every pixel and on the lattice."""

    step: int
    """Pixels from one lattice point to the next."""
    points: np.ndarray
    """(h, w, 3) f32, world, metres, 2 cm in front of the surface."""
    normals: np.ndarray
    """(h, w, 3) f32."""
    ambient: np.ndarray
    """(h, w) f32; 0 where no surface is known, which no shadow then changes."""
    direct: np.ndarray
    """(l, h, w) f32."""
    x: np.ndarray
    """(a, b) f32, lattice: the last row and column are the picture's."""
    y: np.ndarray
    z: np.ndarray
    nx: np.ndarray
    ny: np.ndarray
    nz: np.ndarray
    lattice_ambient: np.ndarray
    """(a, b) f32"""
    lattice_direct: np.ndarray
    """(l, a, b) f32"""
    lattice_scale: np.ndarray
    """(a, b) f32: 1 / all light."""
    rows: np.ndarray
    """(a) int32: picture row of each lattice row."""
    columns: np.ndarray
    """(b) int32"""
    even: np.ndarray
    """(a - 1, b - 1) bool: all pixels between four lattice points lie on one surface."""


class Casters(NamedTuple):
    """What takes light from the room."""

    maps: ShadowMaps
    low: np.ndarray
    """(o, 3) f32: least coordinates of each object."""
    high: np.ndarray
    balls: np.ndarray
    """(o, k, 4) f32: balls that fill each object, centre and radius, metres; radius 0 = none."""


def ground_of(view: View) -> Ground:
    """A view's surfaces as shadows need them."""
    height, width = view.depth.shape
    step = max(int(height / LATTICE_ROWS + 0.75), 1)
    rows = np.append(np.arange(0, height - 1, step), height - 1).astype(np.int32)
    columns = np.append(np.arange(0, width - 1, step), width - 1).astype(np.int32)
    normals = np.ascontiguousarray(view.normals, np.float32)
    points = (view.points + np.float32(0.02) * normals).astype(np.float32)
    ambient = np.where(view.solid, view.ambient, 0).astype(np.float32)
    direct = np.where(view.solid, view.direct, 0).astype(np.float32)

    def lattice(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array[..., rows, :][..., columns])

    even = np.zeros((len(rows) - 1, len(columns) - 1), bool)
    _find_even_cells(points, normals, view.solid, rows, columns, even)
    ambient_there, direct_there = lattice(ambient), lattice(direct)
    x, y, z = (lattice(points[..., axis]) for axis in range(3))
    nx, ny, nz = (lattice(normals[..., axis]) for axis in range(3))
    return Ground(
        step=step, points=points, normals=normals, ambient=ambient, direct=direct, x=x, y=y, z=z, nx=nx, ny=ny, nz=nz,
        lattice_ambient=ambient_there, lattice_direct=direct_there,
        lattice_scale=1 / np.maximum(ambient_there + direct_there.sum(0), np.float32(1e-6)), rows=rows, columns=columns,
        even=even,
    )  # fmt: skip


@compiled
def _find_even_cells(points, normals, solid, rows, columns, even):
    one = np.float32(1)
    for a in range(even.shape[0]):
        for b in range(even.shape[1]):
            top, bottom, left, right = rows[a], rows[a + 1], columns[b], columns[b + 1]
            same = True
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    if not solid[row, column]:
                        same = False
                        continue
                    turned = np.float32(0)
                    away = np.float32(0)
                    v = np.float32(row - top) / np.float32(bottom - top)
                    u = np.float32(column - left) / np.float32(right - left)
                    for axis in range(3):
                        turned += normals[row, column, axis] * normals[top, left, axis]
                        upper = points[top, left, axis] * (one - u) + points[top, right, axis] * u
                        lower = points[bottom, left, axis] * (one - u) + points[bottom, right, axis] * u
                        off = points[row, column, axis] - upper * (one - v) - lower * v
                        away += off * off
                    if turned < 0.9 or away > 0.0009:
                        same = False
            even[a, b] = same


@compiled
def _contact(balls, points, normals, kept):
    """Multiply ``kept`` (n) by the share of ambient light that reaches surface points past balls.

    A ball of radius r at distance d on the normal's side hides the cosine-weighted share (r/d)^2 cos of the sky.
    """
    (x, y, z), (nx, ny, nz) = points, normals
    reach = np.float32(1 / CONTACT_REACH**2)
    for ball in range(balls.shape[0]):
        cx, cy, cz, radius = balls[ball, 0], balls[ball, 1], balls[ball, 2], balls[ball, 3]
        area = radius * radius
        if area == 0:
            continue
        for i in range(x.shape[0]):
            dx, dy, dz = cx - x[i], cy - y[i], cz - z[i]
            squared = max(dx * dx + dy * dy + dz * dz, np.float32(0.64) * area)
            cosine = (nx[i] * dx + ny[i] * dy + nz[i] * dz) / np.sqrt(squared)
            fade = min(np.float32(2) * max(np.float32(1) - squared * reach, np.float32(0)), np.float32(1))
            hidden = min(max(cosine + np.float32(0.1), np.float32(0)), np.float32(1)) * fade
            kept[i] *= np.float32(1) - hidden * min(area / squared, np.float32(0.95))


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
    width = share.shape[1]
    kept, lost = np.empty(width, np.float32), np.empty(width, np.float32)
    for which in range(casters.low.shape[0]):
        low, high, balls = casters.low[which], casters.high[which], casters.balls[which]
        for a in range(share.shape[0]):
            x, y, z = ground.x[a], ground.y[a], ground.z[a]
            first, last = _span(x, y, z, low, high, np.float32(CAST_REACH))
            if last < first:
                continue
            lost[:] = np.float32(0)
            near_first, near_last = _span(x, y, z, low, high, np.float32(CONTACT_REACH))
            if near_first <= near_last:
                span = slice(near_first, near_last + 1)
                kept[span] = np.float32(1)
                normals = (ground.nx[a, span], ground.ny[a, span], ground.nz[a, span])
                _contact(balls, (x[span], y[span], z[span]), normals, kept[span])
                lost[span] = ground.lattice_ambient[a, span] * (np.float32(1) - kept[span])
            span = slice(first, last + 1)
            for lamp in range(ground.direct.shape[0]):
                tables = (casters.maps.views[which, lamp], casters.maps.count[which, lamp], casters.maps.depth[which, lamp])
                falls = ground.lattice_direct[lamp, a, span]
                _cast(tables, (x[span], y[span], z[span]), falls, strength, lost[span])
            share[a, span] *= np.float32(1) - lost[span] * ground.lattice_scale[a, span]


@compiled
def _span(x, y, z, low, high, reach):
    """First and last of a row of points that lie in a box stretched by ``reach`` metres (last < first if none)."""
    first, last = x.shape[0], -1
    for i in range(x.shape[0]):
        away = max(max(low[0] - x[i], x[i] - high[0]), max(low[1] - y[i], y[i] - high[1]))
        if max(away, max(low[2] - z[i], z[i] - high[2])) < reach:
            first, last = min(first, i), i
    return first, last


@compiled
def _cast(tables, points, falls, strength, lost):
    """Add what points lose of one lamp's light."""
    (view, count, depth), (x, y, z) = tables, points
    for i in range(x.shape[0]):
        if falls[i] > 0:
            lost[i] += falls[i] * strength * (np.float32(1) - lamp_share(view, count, depth, x[i], y[i], z[i]))


@compiled
def darken_plate(ground, casters, strength, share, plate, picture):
    """Write the plate's pixels in shadow into ``picture`` (h, w, 3), f32 8-bit steps.

    Returns:
        First and last row, first and last column of what may have changed (last < first if nothing).
    """
    top, bottom, leftmost, rightmost = plate.shape[0], -1, plate.shape[1], -1
    full, surface = np.float32(_FULL), (ground.points, ground.normals)
    for a in range(share.shape[0] - 1):
        for b in range(share.shape[1] - 1):
            s00, s01, s10, s11 = share[a, b], share[a, b + 1], share[a + 1, b], share[a + 1, b + 1]
            if s00 > full and s01 > full and s10 > full and s11 > full:
                continue
            first, last, left, right = ground.rows[a], ground.rows[a + 1], ground.columns[b], ground.columns[b + 1]
            # A cell holds its upper and left edge; the last ones also their lower and right edge.
            rows, columns = last + (a == share.shape[0] - 2), right + (b == share.shape[1] - 2)
            top, bottom = min(top, first), max(bottom, rows - 1)
            leftmost, rightmost = min(leftmost, left), max(rightmost, columns - 1)
            even = ground.even[a, b]
            for row in range(first, rows):
                v = np.float32(row - first) / np.float32(last - first)
                start, end = s00 + (s10 - s00) * v, s01 + (s11 - s01) * v
                slope = (end - start) / np.float32(right - left)
                for column in range(left, columns):
                    kept = start + slope * np.float32(column - left)
                    if not even:
                        corners = (s00, s01, s10, s11)
                        kept = _kept_at_edge(surface, corners, (first, last, left, right), row, column)
                        if kept < 0:
                            kept = _light_kept(ground, casters, row, column, strength)
                    if kept < full:
                        _shade(plate, kept, row, column, picture)
    return top, bottom, leftmost, rightmost


@compiled
def _shade(plate, kept, row, column, picture):
    """Write what is left of a plate's pixel once only a share of its light is left."""
    place = kept * np.float32(SHADE_STEPS)
    step = np.uint32(place)
    above = place - np.float32(step)
    for channel in range(3):
        value = plate[row, column, channel]
        dark = SHADED[step, value]
        picture[row, column, channel] = dark + above * (SHADED[step + np.uint32(1), value] - dark)


@compiled
def _kept_at_edge(surface, corners, cell, row, column):
    """Share of its light that a pixel keeps, by the lattice points around that lie on its own surface; -1 if none does.

    Args:
        surface: Points and normals of all pixels, (h, w, 3) each.
        corners: The share that the cell's lattice points keep: upper left, upper right, lower left, lower right.
        cell: Its first and last row, first and last column.
    """
    (points, normals), (s00, s01, s10, s11), (first, last, left, right), one = surface, corners, cell, np.float32(1)
    u, v = np.float32(column - left) / np.float32(right - left), np.float32(row - first) / np.float32(last - first)
    w00 = (one - u) * (one - v) * _alike(points, normals, (row, column), first, left)
    w01 = u * (one - v) * _alike(points, normals, (row, column), first, right)
    w10 = (one - u) * v * _alike(points, normals, (row, column), last, left)
    w11 = u * v * _alike(points, normals, (row, column), last, right)
    weight = w00 + w01 + w10 + w11
    if weight <= np.float32(0.2):
        return np.float32(-1)
    return (s00 * w00 + s01 * w01 + s10 * w10 + s11 * w11) / weight


@compiled
def _alike(points, normals, pixel, other_row, other_column):
    """1 if two pixels lie on one surface, else 0."""
    row, column = pixel
    turned = off = np.float32(0)
    for axis in range(3):
        turned += normals[row, column, axis] * normals[other_row, other_column, axis]
        off += normals[row, column, axis] * (points[other_row, other_column, axis] - points[row, column, axis])
    return np.float32(1) if turned > np.float32(0.9) and abs(off) < np.float32(0.03) else np.float32(0)


@compiled
def _light_kept(ground, casters, row, column, strength):
    """Share of its light that one pixel keeps."""
    total, kept, lost = np.float32(1), np.empty(1, np.float32), np.empty(1, np.float32)
    x, y, z = ground.points[row, column, 0:1], ground.points[row, column, 1:2], ground.points[row, column, 2:3]
    normal, ambient = ground.normals[row, column], ground.ambient[row, column]
    for which in range(casters.low.shape[0]):
        low, high = casters.low[which], casters.high[which]
        if _span(x, y, z, low, high, np.float32(CAST_REACH))[1] < 0:
            continue
        kept[0], lost[0] = 1, 0
        if _span(x, y, z, low, high, np.float32(CONTACT_REACH))[1] == 0:
            _contact(casters.balls[which], (x, y, z), (normal[0:1], normal[1:2], normal[2:3]), kept)
            lost[0] = ambient * (np.float32(1) - kept[0])
        full = ambient
        for lamp in range(ground.direct.shape[0]):
            falls = ground.direct[lamp, row, column : column + 1]
            full += falls[0]
            tables = (casters.maps.views[which, lamp], casters.maps.count[which, lamp], casters.maps.depth[which, lamp])
            _cast(tables, (x, y, z), falls, strength, lost)
        total *= np.float32(1) - lost[0] / max(full, np.float32(1e-6))
    return total


def darkened_plate(
    view: View,
    caster: Float32[np.ndarray, "n 3"],
    contacts: Float32[np.ndarray, "k 3"],
    radius: float,
    *,
    strength: float,
) -> Float32[np.ndarray, "h w 3"]:
    """The plate, in 8-bit steps, with the shadows of one still object.

    Args:
        view: The room.
        caster: Points all over its surface, about 2 cm apart, world, metres.
        contacts: Centres of balls of ``radius`` metres that take ambient light from what is near them.
        strength: Of cast shadows, 0..1.
    """
    ground, maps = ground_of(view), new_shadow_maps(1, len(view.lights))
    draw_shadow_maps(maps, 0, caster, lamps_of(view.lights))
    balls = np.column_stack([contacts, np.full(len(contacts), radius)]).astype(np.float32)[None]
    whole = np.concatenate([caster, contacts])
    casters = Casters(maps, whole.min(0)[None], whole.max(0)[None], balls)
    share, picture = np.ones(ground.x.shape, np.float32), view.plate.astype(np.float32)
    room_light(ground, casters, np.float32(strength), share)
    darken_plate(ground, casters, np.float32(strength), share, view.plate, picture)
    return picture
