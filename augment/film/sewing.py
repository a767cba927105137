"""Sew cut garments into one mesh with the skin: how far each stands off, and what closes the steps between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array, diags_array, hstack, vstack

from .pattern import Points
from .tailor import Garment, Sheet, rows_of

INSET = 0.12
"""How far the line between two inks, or below a hem, is drawn into its side, as a share of the faces there."""
SUNK = 0.001
"""How deep the lower edge of a hem lies in what is under it, metres."""
KINDS = 8
"""More than any garment has inks."""
THICK = 0.004
"""Least distance between two layers, metres."""
FADE = 0.06
"""Cloth lies on the skin at its hem, and on the smoothed body from this far inside, metres."""


def sew(
    sheet: Sheet, garments: Sequence[Garment], skin: Callable[[Points], Float[np.ndarray, "n 3"]]
) -> tuple[csr_array, np.ndarray, np.ndarray, np.ndarray]:
    """The cut sheet as one closed mesh: garments stand off the skin, and hems over skin have a narrow dark underside.

    Returns:
        mix rows (n, v), faces (f, 3), colours (n, 3) sRGB 0..255, offsets (n,) metres.
    """
    key = sheet.faces * (KINDS * (len(garments) + 1)) + ((sheet.worn + 1) * KINDS + sheet.ink)[:, None]
    # Numbers in order, by a table instead of a sort.
    number = np.zeros(len(sheet.points.values) * KINDS * (len(garments) + 1), np.int64)
    number[key] = 1
    unique = np.flatnonzero(number)
    number[unique] = np.arange(len(unique))
    faces = number[key]
    vertex, kind = np.divmod(unique, KINDS * (len(garments) + 1))
    worn, ink = kind // KINDS - 1, kind % KINDS
    points, count = sheet.points, len(unique)
    colors, offsets = np.empty((count, 3)), np.zeros(count)
    smooth = np.zeros(count)
    under, bridged = np.zeros(len(points.rest)), np.zeros(len(points.rest))
    bare = worn < 0
    colors[bare] = skin(points.pick(vertex[bare]))
    for index, garment in enumerate(garments):
        inside = garment.inside(points)
        covered = np.flatnonzero(inside >= 0)
        lifted = np.minimum(garment.stand_off(points.pick(covered)), 0.7 * points.room[covered])
        lifted = np.where(under[covered] > 0, np.maximum(lifted, under[covered] + THICK), lifted)
        depth = np.clip(inside[covered] / FADE, 0, 1)
        # What lies on other cloth bridges what that bridges.
        under[covered] = lifted
        bridged[covered] = np.maximum(depth * depth * (3 - 2 * depth) * garment.smooth, bridged[covered])
        mine = worn == index
        offsets[mine], smooth[mine] = under[vertex[mine]], bridged[vertex[mine]]
        for number in np.unique(ink[mine]):
            these = mine & (ink == number)
            colors[these] = garment.color(points.pick(vertex[these]), int(number))
    bands, rims, below, inked = _bands(faces, vertex, kind, offsets)
    # A hem's lower edge, and lines between inks, are drawn into their own sides: the band at them needs some width.
    chosen = np.union1d(below, inked)
    rows = csr_array(rows_of(sheet)[vertex])
    rows = csr_array(vstack([rows, _drawn_in(rows, faces, chosen)]))
    order = np.concatenate([np.arange(count), count + np.searchsorted(chosen, below)])
    order[inked] = count + np.searchsorted(chosen, inked)
    rows, smooth = rows[order], np.concatenate([smooth, smooth[below]])
    rows = csr_array(hstack([diags_array(1 - smooth) @ rows, diags_array(smooth) @ rows]))
    rows.eliminate_zeros()
    dark = np.array([garment.rim for garment in garments])[worn[rims]] if len(rims) else np.zeros(0)
    return (
        csr_array(rows @ sheet.pattern.mix),
        np.concatenate([faces, bands]),
        np.concatenate([colors, colors[rims] * dark[:, None]]),
        np.concatenate([offsets, offsets[below] - SUNK]),
    )


def _bands(
    faces: np.ndarray, vertex: np.ndarray, kind: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bands that lead from every hem down into what is under it, and join inks that meet.

    Returns:
        Faces; the lower edge of hems (numbered after all vertices) as the rim vertices above it and the vertices of the surface
        below that it lies at; vertices at a line between inks.
    """
    worn = kind // KINDS
    count, start, end = len(vertex), faces.ravel(), faces[:, [1, 2, 0]].ravel()
    # Only vertices of several kinds lie on a line.
    several = np.bincount(vertex)[vertex] > 1
    both = several[start] & several[end]
    start, end = start[both], end[both]
    across = (vertex[start].astype(np.int64) << 32) | vertex[end]
    back = (vertex[end].astype(np.int64) << 32) | vertex[start]
    order = np.argsort(across)
    slot = np.minimum(np.searchsorted(across[order], back), len(order) - 1)
    other = order[slot]
    border = (across[other] == back) & (kind[start] > kind[start[other]])
    far_start, far_end = end[other[border]], start[other[border]]
    start, end = start[border], end[border]
    ink = worn[start] == worn[far_start]
    # Where both sides lie at one height (the edge of the hair) there is no step to close.
    step = np.maximum(np.abs(offsets[start] - offsets[far_start]), np.abs(offsets[end] - offsets[far_end])) > 1e-4
    hem = step & ~ink
    pairs = (np.concatenate([start[hem], end[hem]]) << 32) | np.concatenate([far_start[hem], far_end[hem]])
    pairs, low = np.unique(pairs, return_inverse=True)
    low_start, low_end = count + low[: hem.sum()], count + low[hem.sum() :]
    bands = [
        np.stack([end[hem], start[hem], low_start], 1), np.stack([end[hem], low_start, low_end], 1),
        # Each side's own normals would open a crack between two inks.
        np.stack([end[ink], start[ink], far_start[ink]], 1), np.stack([end[ink], far_start[ink], far_end[ink]], 1),
    ]  # fmt: skip
    inked = np.unique(np.concatenate([start[ink], end[ink], far_start[ink], far_end[ink]]))
    return np.concatenate(bands), pairs >> 32, pairs & 0xFFFFFFFF, inked


def _drawn_in(rows: csr_array, faces: np.ndarray, chosen: np.ndarray) -> csr_array:
    """Rows of some vertices, moved a little towards the faces they belong to."""
    corner = np.full(rows.indptr.size - 1, -1)
    corner[chosen] = np.arange(len(chosen))
    slot = corner[faces]
    face, side = np.nonzero(slot >= 0)
    around = (np.repeat(slot[face, side], 3), faces[face].ravel())
    toward = csr_array((np.ones(3 * len(face)), around), shape=(len(chosen), len(corner)))
    toward = diags_array(INSET / np.maximum(toward.sum(1), 1)) @ toward
    own = csr_array((np.full(len(chosen), 1 - INSET), (np.arange(len(chosen)), chosen)), shape=toward.shape)
    return csr_array((own + toward) @ rows)
