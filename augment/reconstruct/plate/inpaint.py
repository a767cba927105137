"""Fill pixels that were never seen: narrow gaps by diffusion, wide ones with patches from elsewhere in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

_RADIUS = 3
"""Patches are (2 r + 1) squared pixels."""
_SEED = 0
"""Seed of the patch search: the same picture and hole always give the same result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """The patches to be filled, and where patches to fill them with may come from."""

    hole: Bool[np.ndarray, "h w"]
    targets: Int[np.ndarray, "n 2"]
    """Centres (row, column) of the patches that touch the hole."""
    index: Int[np.ndarray, "h w"]
    """Number of the target at each pixel, -1 elsewhere."""
    usable: Bool[np.ndarray, "h w"]
    """Centres of patches that are known throughout."""
    trust: Float[np.ndarray, " n"]
    """Weight of each target's vote: more near the rim, where more of the patch is known."""


def fill_holes(image: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Paint the pixels of ``hole`` from the rest; deterministic; pixels outside the hole stay as they are.

    Coarse-to-fine patch voting with a PatchMatch search.
    """
    import cv2

    if not hole.any() or hole.all():
        return image.copy()
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max()
    if depth <= 4:
        return np.where(hole[..., None], _diffuse(image, hole), image)
    levels = [(image, hole)]
    while depth > 5 and min(levels[-1][0].shape[:2]) > 40:
        levels.append(_half(*levels[-1]))
        depth /= 2
    filled, rng = None, np.random.default_rng(_SEED)
    field = None
    for number, (picture, gap) in enumerate(reversed(levels)):
        if filled is None:
            filled = np.where(gap[..., None], _diffuse(picture, gap), picture)
        else:
            larger = cv2.resize(filled, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            filled = np.where(gap[..., None], larger, picture)
        filled, field = _complete(
            filled, gap, field, rng=rng, rounds=8 if number == 0 else 3 if number < len(levels) - 1 else 1
        )
    assert filled is not None
    return filled


def _diffuse(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.inpaint(np.ascontiguousarray(image), hole.astype(np.uint8), 4, cv2.INPAINT_TELEA)


def _half(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half size; a coarse pixel is a hole if any of its fine pixels is, and known pixels average known ones only."""
    import cv2

    size = (image.shape[1] // 2, image.shape[0] // 2)
    known = (~hole).astype(np.float32)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    color = cv2.resize(image.astype(np.float32) * known[..., None], size, interpolation=cv2.INTER_AREA)
    color /= np.maximum(weight, 1e-6)[..., None]
    return color.round().astype(np.uint8), weight < 0.999


def _complete(
    image: np.ndarray, hole: np.ndarray, field: np.ndarray | None, *, rng: np.random.Generator, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Alternate: find for every patch that touches the hole its nearest known patch; those patches vote for the colours.

    ``field`` is a dense map (h, w, 2) of source offsets (dy, dx) from the coarser level, or None.
    """
    import cv2

    height, width = hole.shape
    box = np.ones((2 * _RADIUS + 1,) * 2, np.uint8)
    touch = cv2.dilate(hole.astype(np.uint8), box).astype(bool)
    inner = np.zeros_like(hole)
    inner[_RADIUS : height - _RADIUS, _RADIUS : width - _RADIUS] = True
    sources = np.argwhere(~touch & inner)
    targets = np.argwhere(touch & inner)
    if not len(sources) or not len(targets):
        return image, np.zeros((height, width, 2), int)
    index = np.full((height, width), -1)
    index[tuple(targets.T)] = np.arange(len(targets))
    # how far inside the hole
    inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)[tuple(targets.T)]
    gap = _Gap(hole=hole, targets=targets, index=index, usable=~touch & inner, trust=1.3**-inside)
    if field is None:
        match = sources[rng.integers(len(sources), size=len(targets))]
    else:
        coarse = np.minimum(targets // 2, np.array(field.shape[:2]) - 1)
        match = _snap(targets + 2 * field[tuple(coarse.T)], gap.usable, sources, rng)
    work = image.astype(np.float32)
    for _ in range(rounds):
        match, cost = _search(work, gap, match, rng)
        work = _vote(work, image, gap, match, cost)
    dense = np.zeros((height, width, 2), int)
    dense[tuple(targets.T)] = match - targets
    return work.round().clip(0, 255).astype(np.uint8), dense


_OFFSETS = np.stack(np.meshgrid(*(np.arange(-_RADIUS, _RADIUS + 1),) * 2, indexing="ij"), axis=-1).reshape(-1, 2)


def _patch_cost(work: np.ndarray, targets: np.ndarray, match: np.ndarray) -> np.ndarray:
    cost = np.zeros(len(targets), np.float32)
    for dy, dx in _OFFSETS[::2]:
        difference = work[targets[:, 0] + dy, targets[:, 1] + dx] - work[match[:, 0] + dy, match[:, 1] + dx]
        cost += np.einsum("nc,nc->n", difference, difference)
    return cost


def _snap(match: np.ndarray, usable: np.ndarray, sources: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace matches outside the known region by random known ones."""
    limit = np.array(usable.shape) - 1
    match = np.clip(match, 0, limit)
    bad = ~usable[tuple(match.T)]
    match[bad] = sources[rng.integers(len(sources), size=int(bad.sum()))]
    return match


def _search(work: np.ndarray, gap: _Gap, match: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Propagate neighbours' matches at several strides, then search at random in shrinking windows."""
    targets, usable = gap.targets, gap.usable
    height, width = usable.shape
    limit = np.array([height - 1, width - 1])
    cost = _patch_cost(work, targets, match)

    def consider(candidate: np.ndarray, allowed: np.ndarray) -> None:
        inside = allowed & (candidate >= 0).all(axis=1) & (candidate <= limit).all(axis=1)
        inside[inside] = usable[tuple(candidate[inside].T)]
        rows = np.flatnonzero(inside)
        fresh = _patch_cost(work, targets[rows], candidate[rows])
        better = fresh < cost[rows]
        match[rows[better]], cost[rows[better]] = candidate[rows[better]], fresh[better]

    for stride in (4, 2, 1):
        for step in ((-stride, 0), (stride, 0), (0, -stride), (0, stride)):
            beside = targets + step
            inside = (beside >= 0).all(axis=1) & (beside <= limit).all(axis=1)
            neighbour = np.full(len(targets), -1)
            neighbour[inside] = gap.index[tuple(beside[inside].T)]
            consider(match[neighbour] - step, neighbour >= 0)
    radius = min(64, max(height, width) // 2)
    while radius >= 1:
        consider(match + rng.integers(-radius, radius + 1, size=match.shape), np.ones(len(targets), bool))
        radius //= 2
    return match, cost


def _vote(work: np.ndarray, image: np.ndarray, gap: _Gap, match: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """The hole filled with the weighted mean of what the matched patches show at each pixel."""
    hole, targets = gap.hole, gap.targets
    scale = np.percentile(cost, 75) + 1e-3
    weight = (gap.trust * np.exp(-cost / (2 * scale))).astype(np.float32) + 1e-8
    total, votes = np.zeros(hole.shape, np.float32), np.zeros_like(work)
    height, width = hole.shape
    for dy, dx in _OFFSETS:
        flat = (targets[:, 0] + dy) * width + targets[:, 1] + dx
        colors = work[match[:, 0] + dy, match[:, 1] + dx] * weight[:, None]
        total += np.bincount(flat, weight, minlength=height * width).reshape(height, width).astype(np.float32)
        for c in range(3):
            votes[..., c] += np.bincount(flat, colors[:, c], minlength=height * width).reshape(height, width)
    painted = np.where((hole & (total > 0))[..., None], votes / np.maximum(total, 1e-12)[..., None], work)
    return np.where(hole[..., None], painted, image.astype(np.float32))
