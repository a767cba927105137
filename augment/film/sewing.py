"""Sew cut garments into one mesh with the skin: how far each stands off, and what closes the steps between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array, diags_array, hstack, vstack

from .pattern import Points
from .tailor import Garment, Sheet

INSET = 0.12
"""How far a line of ink is drawn into its own side, as a share of its faces: room for the band to the other ink."""
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
    unique, flat = np.unique(key, return_inverse=True)
    faces = flat.reshape(-1, 3)
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
    bands, rims, inked = _bands(faces, vertex, kind, offsets)
    rows = _drawn_in(csr_array(sheet.rows[vertex]), faces, inked)
    rows = csr_array(hstack([diags_array(1 - smooth) @ rows, diags_array(smooth) @ rows]))
    rows.eliminate_zeros()
    rows = csr_array(rows @ sheet.pattern.mix)
    dark = np.array([garment.rim for garment in garments])[worn[rims]] if len(rims) else np.zeros(0)
    return (
        csr_array(vstack([rows, rows[rims]])),
        np.concatenate([faces, bands]),
        np.concatenate([colors, colors[rims] * dark[:, None]]),
        np.concatenate([offsets, np.zeros(len(rims))]),
    )


def _bands(
    faces: np.ndarray, vertex: np.ndarray, kind: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bands that lead from hems down to the skin, and join garments and inks that meet.

    Returns:
        Faces; the rim vertices whose copies (numbered after all vertices) are the bands' lower edge; vertices at a line of ink.
    """
    worn = kind // KINDS
    count, start, end = len(vertex), faces.ravel(), faces[:, [1, 2, 0]].ravel()
    across = (vertex[start].astype(np.int64) << 32) | vertex[end]
    back = (vertex[end].astype(np.int64) << 32) | vertex[start]
    order = np.argsort(across)
    slot = np.minimum(np.searchsorted(across[order], back), len(order) - 1)
    other = order[slot]
    border = (across[other] == back) & (kind[start] > kind[start[other]])
    same = worn[start] == worn[start[other]]
    # Between two garments, and two inks, the band joins both sides: each side's own normals would open a crack there.
    raised = np.maximum(offsets[end[other]], offsets[start[other]]) > 1e-4
    flat = np.maximum(np.abs(offsets[start] - offsets[end[other]]), np.abs(offsets[end] - offsets[start[other]])) < 1e-4
    hem, seam = border & ~(same | raised | flat), border & (same | raised)
    far_start, far_end = end[other[seam]], start[other[seam]]
    seams = [np.stack([end[seam], start[seam], far_start], 1), np.stack([end[seam], far_start, far_end], 1)]
    ink = border & same
    rim_start, rim_end = start[hem], end[hem]
    rims, flat = np.unique(np.concatenate([rim_start, rim_end]), return_inverse=True)
    low_start, low_end = count + flat[: len(rim_start)], count + flat[len(rim_start) :]
    hems = [np.stack([rim_end, rim_start, low_start], 1), np.stack([rim_end, low_start, low_end], 1)]
    bands = np.concatenate([*hems, *seams])
    return bands, rims, np.unique(np.concatenate([start[ink], end[ink]]))


def _drawn_in(rows: csr_array, faces: np.ndarray, chosen: np.ndarray) -> csr_array:
    """Rows with some vertices moved a little towards the faces they belong to."""
    corner = np.full(rows.indptr.size - 1, -1)
    corner[chosen] = np.arange(len(chosen))
    slot = corner[faces]
    face, side = np.nonzero(slot >= 0)
    around = (np.repeat(slot[face, side], 3), faces[face].ravel())
    toward = csr_array((np.ones(3 * len(face)), around), shape=(len(chosen), len(corner)))
    keep = np.ones(len(corner))
    keep[chosen] = 1 - INSET
    place = csr_array((np.ones(len(chosen)), (chosen, np.arange(len(chosen)))), shape=(len(corner), len(chosen)))
    toward = diags_array(INSET / np.maximum(toward.sum(1), 1)) @ toward
    return csr_array((diags_array(keep) + place @ toward) @ rows)
