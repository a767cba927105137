"""Sew cut garments into one mesh with the skin: how far each stands off, and what closes the steps between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

from ..compiled import compiled
from .pattern import Points
from .tailor import Garment, Sheet

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
    taken = np.zeros(len(sheet.points.values) * KINDS * (len(garments) + 1), np.bool_)
    taken[key] = True
    unique, number = np.flatnonzero(taken), np.empty(len(taken), np.int64)
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
    order = np.concatenate([np.arange(count), count + np.searchsorted(chosen, below)])
    order[inked] = count + np.searchsorted(chosen, inked)
    rows, mix, smooth = rows_of(sheet), sheet.pattern.mix, np.concatenate([smooth, smooth[below]])
    assert mix.shape is not None
    starts, columns, shares = _mixed(
        (order, smooth, vertex), (chosen, *_around(faces, chosen, count)), (rows.indptr, rows.indices, rows.data),
        (mix.indptr, mix.indices, mix.data), mix.shape,
    )  # fmt: skip
    dark = np.array([garment.rim for garment in garments])[worn[rims]] if len(rims) else np.zeros(0)
    return (
        csr_array((shares, columns, starts), shape=(len(order), mix.shape[1])),
        np.concatenate([faces, bands]),
        np.concatenate([colors, colors[rims] * dark[:, None]]),
        np.concatenate([offsets, offsets[below] - SUNK]),
    )


def rows_of(sheet: Sheet) -> csr_array:
    """The sheet's vertices as means of its pattern's, (n, p)."""
    own, count = len(sheet.pattern.points.values), len(sheet.points.values)
    starts, columns, shares = _composed(own, sheet.parents, sheet.between)
    return csr_array((shares, columns, starts), shape=(count, own))


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


def _around(faces: np.ndarray, chosen: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the faces that some vertices belong to, (k, 3), and where each one's begin, (c + 1,)."""
    slot = np.full(count, -1)
    slot[chosen] = np.arange(len(chosen))
    owner = slot[faces]
    face, side = np.nonzero(owner >= 0)
    owner = owner[face, side]
    return np.searchsorted(np.sort(owner), np.arange(len(chosen) + 1)), faces[face[np.argsort(owner, kind="stable")]]


@compiled
def _composed(own, parents, between):
    count = own + len(parents)
    starts, total, touched = np.zeros(count + 1, np.int32), np.zeros(own), np.empty(own, np.int32)
    columns, shares = np.empty(2 * own + 4 * len(parents), np.int32), np.empty(2 * own + 4 * len(parents))
    for row in range(count):
        used = starts[row]
        if row < own:
            columns[used], shares[used] = row, 1.0
            starts[row + 1] = used + 1
            continue
        many, at = 0, row - own
        for end in range(2):
            parent, share = parents[at, end], between[at] if end else 1.0 - between[at]
            for term in range(starts[parent], starts[parent + 1]):
                if total[columns[term]] == 0.0:
                    touched[many] = columns[term]
                    many += 1
                total[columns[term]] += share * shares[term]
        if used + many > len(columns) - own:
            columns, shares = np.concatenate((columns, columns)), np.concatenate((shares, shares))
        for term in range(many):
            columns[used + term], shares[used + term] = touched[term], total[touched[term]]
            total[touched[term]] = 0.0
        starts[row + 1] = used + many
    return starts, columns[: starts[count]], shares[: starts[count]]


@compiled
def _mixed(final, drawn, rows, mix, shape):
    order, smooth, vertex = final
    chosen, first, around = drawn
    own, count = shape[0] // 2, len(vertex)
    # Means of the pattern's vertices, then of the body's.
    inner, near, outer, far = np.zeros(own), np.empty(own, np.int32), np.zeros(shape[1]), np.empty(shape[1], np.int32)
    starts, columns, shares = np.zeros(len(order) + 1, np.int32), np.empty(8 * len(order), np.int32), np.empty(8 * len(order))
    for row in range(len(order)):
        slot = order[row] - count
        source = order[row] if slot < 0 else chosen[slot]
        many = _add(rows, vertex[source], 1.0 if slot < 0 else 1.0 - INSET, inner, near, 0)
        if slot >= 0:
            # Drawn in a little towards the faces it belongs to.
            part = INSET / max(3 * (first[slot + 1] - first[slot]), 1)
            for face in range(first[slot], first[slot + 1]):
                for corner in range(3):
                    at = vertex[around[face, corner]]
                    many = _add(rows, at, part, inner, near, many)
        reached = 0
        for term in range(many):
            column = near[term]
            weight, inner[column] = inner[column], 0.0
            if smooth[row] < 1.0:
                plain = (1.0 - smooth[row]) * weight
                reached = _add(mix, column, plain, outer, far, reached)
            if smooth[row] > 0.0:
                reached = _add(mix, own + column, smooth[row] * weight, outer, far, reached)
        used = starts[row]
        while used + reached > len(columns):
            columns, shares = np.concatenate((columns, columns)), np.concatenate((shares, shares))
        for term in range(reached):
            columns[used + term], shares[used + term] = far[term], outer[far[term]]
            outer[far[term]] = 0.0
        starts[row + 1] = used + reached
    return starts, columns[: starts[-1]], shares[: starts[-1]]


@compiled
def _add(rows, row, weight, total, touched, many):
    starts, columns, shares = rows
    for term in range(starts[row], starts[row + 1]):
        if total[columns[term]] == 0.0:
            touched[many] = columns[term]
            many += 1
        total[columns[term]] += weight * shares[term]
    return many
