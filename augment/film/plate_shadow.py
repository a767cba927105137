"""Shadows put on the plate: from the lattice's light to pixels, in compiled code."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from ..compiled import compiled, inlined
from ..raster.shading import linear_to_srgb, srgb_to_linear
from .ground import UNKNOWN, ground_of, share_corners
from .light import lamps_of
from .room_light import Casters, light_kept, room_light
from .shadow_map import draw_shadow_maps, new_shadow_maps
from .view import View

_FULL = 0.996
"""Share of its light above which a pixel stays as it is: the difference would be less than half an 8-bit step."""
_LINEAR = srgb_to_linear(np.arange(256) / np.float32(255)).astype(np.float32)
"""Linear light of each 8-bit sRGB value."""
_SHADE_STEPS = 64
_SHADED = 255 * linear_to_srgb(np.linspace(0, 1, _SHADE_STEPS + 1, dtype=np.float32)[:, None] * _LINEAR).astype(np.float32)
"""sRGB (0..255) of each 8-bit value once only a share of its light is left, for even steps of that share."""


@compiled
def darken_plate(ground, casters, strength, share, plate, picture):
    """Write the plate's pixels in shadow into ``picture`` (h, w, 3), f32 8-bit steps.

    Returns:
        First and last row, first and last column of what may have changed (last < first if nothing).
    """
    top, bottom, leftmost, rightmost = plate.shape[0], -1, plate.shape[1], -1
    full, shares = np.float32(_FULL), ground.shares
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
                        if shares[row, column, 0] == np.float32(UNKNOWN):
                            share_corners(ground, (first, last, left, right), row, column)
                        upper = s00 * shares[row, column, 0] + s01 * shares[row, column, 1]
                        kept = upper + s10 * shares[row, column, 2] + s11 * shares[row, column, 3]
                        if shares[row, column, 0] < 0:
                            kept = light_kept(ground, casters, row, column, strength)
                    if kept < full:
                        _shade(plate, kept, row, column, picture)
    return top, bottom, leftmost, rightmost


@inlined
def _shade(plate, kept, row, column, picture):
    """Write what is left of a plate's pixel once only a share of its light is left."""
    place = kept * np.float32(_SHADE_STEPS)
    step = np.uint32(place)
    above = place - np.float32(step)
    for channel in range(3):
        value = plate[row, column, channel]
        dark = _SHADED[step, value]
        picture[row, column, channel] = dark + above * (_SHADED[step + np.uint32(1), value] - dark)


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
    share, picture = np.ones(ground.lattice_ambient.shape, np.float32), view.plate.astype(np.float32)
    room_light(ground, casters, np.float32(strength), share)
    darken_plate(ground, casters, np.float32(strength), share, view.plate, picture)
    return picture
