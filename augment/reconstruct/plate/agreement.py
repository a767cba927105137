"""Which videos of a room show the same furniture in the same places, and how their exposures differ."""

from __future__ import annotations

import warnings

import numpy as np

from .frames import Samples

LEAST_SAMPLES = 3
"""Least number of samples of a colour: a single frame may show a missed person."""
_OTHER_LOOK = 48
"""Two videos whose colours of a pixel differ by more (of 255, any channel) show different things there."""


def agreeing_videos(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """The largest set of videos with the same furniture in the same places, and gains that equalise their exposure.

    Each video's own median is taken at a quarter of the size and its brightness equalised. Pixels on which many pairs of
    videos differ are contested: furniture moved there. Videos are grouped so that within a group no pair differs on more than
    a fifth of the contested pixels that both see free; the group with the most videos is taken.

    Returns:
        The videos of that group, ascending; gains (videos, 3) that bring each video's colours to the group's.
    """
    import cv2

    numbers = np.unique(samples.video)
    gains = np.ones((int(numbers.max()) + 1, 3))
    if len(numbers) == 1:
        return numbers, gains
    looks = np.stack([_video_look(samples, number) for number in numbers.tolist()])
    known = np.isfinite(looks[..., 0])
    differs = np.zeros((len(numbers), len(numbers), *known.shape[1:]), bool)
    for i in range(len(numbers)):
        for j in range(i):
            both = known[i] & known[j]
            gain = (np.median(looks[i][both], axis=0) + 1) / (np.median(looks[j][both], axis=0) + 1) if both.any() else 1.0
            differs[i, j] = differs[j, i] = both & (np.abs(looks[i] - looks[j] * gain).max(axis=-1) > _OTHER_LOOK)
    seen_by = known.sum(axis=0)
    share = differs.sum(axis=(0, 1)) / np.maximum(seen_by * (seen_by - 1), 1)
    contested = cv2.morphologyEx((share > 0.25).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(bool)
    chosen = np.ones(len(numbers), bool)
    if contested.mean() >= 0.003:
        chosen = _largest_group(differs, known, contested)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        reference = np.nanmedian(looks[chosen], axis=0)
    for number, look in zip(numbers, looks, strict=True):
        usable = (np.minimum(look, reference) > 30).all(axis=-1) & (np.maximum(look, reference) < 220).all(axis=-1)
        if usable.sum() > 100:
            gains[number] = np.median(reference[usable] / look[usable], axis=0).clip(0.5, 2.0)
    return numbers[chosen], gains


def _largest_group(differs: np.ndarray, known: np.ndarray, contested: np.ndarray) -> np.ndarray:
    """Which videos (n,) belong to the group; ``differs`` (n, n, h, w), ``known`` (n, h, w), ``contested`` (h, w)."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    numbers = np.arange(len(known))
    distance = np.zeros((len(numbers), len(numbers)))
    for i in range(len(numbers)):
        for j in range(i):
            both = known[i] & known[j] & contested
            overlap = both.sum() >= 0.3 * contested.sum()
            distance[i, j] = distance[j, i] = differs[i, j][both].mean() if overlap else 1.0
    groups = fcluster(linkage(squareform(distance), "complete"), 0.2, "distance")
    coverage = [(groups == g).sum() + known[groups == g].any(axis=0).mean() for g in range(1, groups.max() + 1)]
    return groups == 1 + int(np.argmax(coverage))


def _video_look(samples: Samples, number: int) -> np.ndarray:
    """One video's median at a quarter of the size, NaN where fewer than 3 samples are free."""
    rows = np.flatnonzero(samples.video == number)
    pixels, free = samples.frames[rows][:, ::4, ::4].astype(np.float32), samples.free[rows][:, ::4, ::4]
    enough = free.sum(axis=0) >= min(LEAST_SAMPLES, len(rows))
    pixels[~free & enough] = np.nan
    return np.where(enough[..., None], np.nanmedian(pixels, axis=0), np.nan)
