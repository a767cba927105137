"""Patches where bodies or floor overlap a depth map, and the alignment of the maps of single frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

_ACROSS = 8
"""Patches across a body, about."""
_FLOOR_FRAMES, _FLOOR_PATCHES = 8, 150
_GRID = 48
"""Points along each side of a map at which frames are compared with each other."""


@runtime_checkable
class Maps(Protocol):
    """Depth maps of one video as ``sources.depth`` reads them."""

    @property
    def frame(self) -> Int[np.ndarray, " n"]:
        """Frame of the video each map is of."""
        ...

    @property
    def kind(self) -> str:
        """``disparity`` (larger is nearer) or ``depth`` (larger is farther)."""
        ...

    @property
    def metric(self) -> bool:
        """Whether values are metres already (or inverse metres), up to a scale."""
        ...

    @property
    def per_frame_affine(self) -> bool:
        """Whether every map has its own scale and offset, as from estimators for single pictures."""
        ...

    def load(self, index: int) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """Values and validity of the map number ``index`` (not the video's frame)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Medians over patches in which a body (or the floor) and a map were both seen, ``m`` of them."""

    index: Int[np.ndarray, " m"]
    """Index of the map."""
    value: Float[np.ndarray, " m"]
    """Median of the map."""
    z: Float[np.ndarray, " m"]
    """Median depth of the body or the floor, metres."""
    floor: Bool[np.ndarray, " m"]
    """Whether the patch is floor."""
    weight: Float[np.ndarray, " m"]
    """Every frame has the same total weight, and all floor together as much as all bodies."""
    maps: int
    """Number of maps."""
    bodies: dict[int, Bool[np.ndarray, "g k"]]
    """Points of the coarse grid that bodies cover, widened, for each map that has some."""
    skipped: dict[str, int]
    """Frames left out, counted by reason."""


def look_at_overlap(
    maps: Maps, bodies: Iterable[tuple[int, Float32[np.ndarray, "h w"]]], floor: Float32[np.ndarray, "h w"] | None
) -> Overlap:
    """Compare bodies and floor with the maps, patch by patch, one map in memory at a time.

    Raises:
        ValueError: If a z-buffer's size is not the map's.
    """
    number = {int(frame): i for i, frame in enumerate(np.asarray(maps.frame))}
    parts: list[tuple[int, np.ndarray, np.ndarray, bool]] = []
    covered: dict[int, np.ndarray] = {}
    skipped: Counter[str] = Counter()

    for frame, buffer in bodies:
        if int(frame) not in number:
            skipped["no depth map of it"] += 1
            continue
        index = number[int(frame)]
        values, valid = maps.load(index)
        _same_size(buffer, values, "the bodies' z-buffer")
        covered[index] = covered.get(index, False) | _coarse(_widened(buffer > 0))
        value, z = _patches(values, buffer, _inner(buffer > 0) & valid & np.isfinite(values))
        if not len(z):
            skipped["its bodies are too small or covered by no valid depth"] += 1
            continue
        parts.append((index, value, z, False))
    if floor is not None:
        for index in np.unique(np.linspace(0, len(maps.frame) - 1, _FLOOR_FRAMES).round().astype(int)).tolist():
            values, valid = maps.load(index)
            _same_size(floor, values, "the floor's depth")
            free = (floor > 0) & valid & np.isfinite(values)
            if index in covered:
                free &= ~_fine(covered[index], values.shape)
            value, z = _patches(values, floor, free, size=int(np.sqrt(max(1, (floor > 0).sum()) / _FLOOR_PATCHES)) + 1)
            parts.append((index, value, z, True))
    return _join(parts, len(maps.frame), covered, skipped)


def _join(parts: list, maps: int, covered: dict[int, np.ndarray], skipped: dict[str, int]) -> Overlap:
    count = [len(z) for _, _, z, _ in parts]

    def column(values: list, kind: type) -> np.ndarray:
        return np.concatenate([np.asarray(v, kind) for v in values]) if values else np.zeros(0, kind)

    floor = np.repeat(np.array([f for *_, f in parts], bool), count)
    weight = np.repeat([1 / max(1, n) for n in count], count)
    for group in (floor, ~floor):
        weight[group] /= max(weight[group].sum(), 1e-12)
    return Overlap(
        index=np.repeat(np.array([i for i, *_ in parts], int), count), value=column([v for _, v, _, _ in parts], float),
        z=column([z for _, _, z, _ in parts], float), floor=floor, weight=weight, maps=maps, bodies=covered, skipped=skipped,
    )  # fmt: skip


def _same_size(picture: np.ndarray, values: np.ndarray, what: str) -> None:
    if picture.shape != values.shape:
        raise ValueError(
            f"depth maps: {what} is {picture.shape[1]}x{picture.shape[0]} but the maps are "
            f"{values.shape[1]}x{values.shape[0]}; draw it with the camera scaled to the maps' size"
        )


def _inner(mask: np.ndarray) -> np.ndarray:
    """The mask without its rim: outlines are inexact by some pixels, and clothes extend beyond them."""
    import cv2

    radius = max(1, round(0.035 * np.sqrt(mask.sum())))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return cv2.erode(mask.astype(np.uint8), disc).astype(bool)


def _widened(mask: np.ndarray) -> np.ndarray:
    import cv2

    radius = max(2, round(0.06 * np.sqrt(mask.sum())))
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)).astype(bool)


def _patches(values: np.ndarray, z: np.ndarray, use: np.ndarray, *, size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Medians of both pictures over square cells that are at least a quarter used."""
    size = size or max(3, round(np.sqrt(use.sum()) / _ACROSS))
    rows, columns = np.nonzero(use)
    if not len(rows):
        return np.zeros(0), np.zeros(0)
    cell = rows // size * (use.shape[1] // size + 1) + columns // size
    order = np.argsort(cell, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(cell[order])) + 1)
    groups = [g for g in groups if len(g) >= max(3, 0.25 * size**2)]
    flat = rows * use.shape[1] + columns
    return tuple(np.array([np.median(picture.ravel()[flat[g]]) for g in groups]) for picture in (values, z))  # type: ignore


def _coarse(picture: np.ndarray) -> np.ndarray:
    rows, columns = (np.linspace(0, n - 1, _GRID).round().astype(int) for n in picture.shape)
    return picture[np.ix_(rows, columns)]


def _fine(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (np.linspace(0, _GRID - 1, n).round().astype(int) for n in shape)
    return coarse[np.ix_(rows, columns)]


def align_frames(maps: Maps, overlap: Overlap) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
    """Factor and summand that bring every map's values to common ones, from the static background.

    Each frame is fitted, robustly, to the middle frame where neither is covered by a body; then once more to the median of
    all aligned frames, which is steadier than any of them.

    Returns:
        Factor and summand of each map; whether it could be aligned.
    """
    looks = np.full((overlap.maps, _GRID, _GRID), np.nan)
    for index in range(overlap.maps):
        values, valid = maps.load(index)
        looks[index] = _coarse(np.where(valid & np.isfinite(values), values, np.nan))
        if index in overlap.bodies:
            looks[index][overlap.bodies[index]] = np.nan
    looks = looks.reshape(overlap.maps, -1)
    known = np.isfinite(looks).mean(axis=1)
    reference = looks[int(np.argmin(np.abs(np.arange(len(looks)) - len(looks) / 2) + len(looks) * (known < 0.7 * known.max())))]
    affine, good = np.tile([1.0, 0.0], (overlap.maps, 1)), np.ones(overlap.maps, bool)
    for _ in range(2):
        for index, look in enumerate(looks):
            affine[index], good[index] = _affine(look, reference)
        if not good.any():
            break
        aligned = affine[good, :1] * looks[good] + affine[good, 1:]
        seen = np.isfinite(aligned).any(axis=0)
        reference = np.full(looks.shape[1], np.nan)
        reference[seen] = np.nanmedian(aligned[:, seen], axis=0)
    return affine, good


def _affine(look: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, bool]:
    """Robust (factor, summand) with factor * look + summand = reference; the noisier one, look, is regressed on the other."""
    both = np.isfinite(look) & np.isfinite(reference)
    if both.sum() < 50 or np.ptp(reference[both]) < 1e-12:
        return np.array([1.0, 0.0]), False
    x, y = reference[both], look[both]
    weight = np.ones(len(x))
    slope, shift = 1.0, 0.0
    for _ in range(25):
        mx, my = np.average(x, weights=weight), np.average(y, weights=weight)
        slope = float((weight * (x - mx) * (y - my)).sum() / max((weight * (x - mx) ** 2).sum(), 1e-300))
        shift = float(my - slope * mx)
        off = np.abs(y - slope * x - shift)
        weight = 1 / np.maximum(off, 1e-3 * np.median(off) + 1e-12 * np.ptp(y) + 1e-300)  # least absolute deviations
    spread = np.median(np.abs(y - np.median(y)))
    if slope <= 0 or np.median(off) > 0.5 * spread:
        return np.array([1.0, 0.0]), False
    return np.array([1 / slope, -shift / slope]), True
