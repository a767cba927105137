"""A monocular network's errors added to true depth: disparity under an unknown affine map, warped, blurred, with outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import gaussian_filter, zoom


@dataclass(frozen=True, slots=True, kw_only=True)
class Disparity:
    """Relative disparity of some frames, with its true affine map and outliers."""

    values: Float32[np.ndarray, "n h w"]
    """Bigger is nearer; no unit."""
    scale: float
    """``1 / z = scale * d + offset`` where the map is right, 1/metres."""
    offset: float
    wrong: Bool[np.ndarray, "n h w"]
    """Pixels that were made outliers."""


def spoil_depth(
    depth: Float32[np.ndarray, "n h w"],
    *,
    rng: np.random.Generator,
    outliers: float = 0.02,
    warp: float = 0.01,
    flicker: float = 0.003,
    blur: float = 1.0,
) -> Disparity:
    """Disparity as a network would give it for each frame of a clip.

    Args:
        depth: z-depth, metres, 0 = nothing there (taken as infinitely far).
        outliers: Share of the pixels that are wrong: half in patches of another distance, which look like surfaces, half in
            specks; the patches stay where they are through the clip, as a network's errors at a mirror or a window do.
        warp: Relative error of inverse depth that changes slowly across the picture and stays through the clip.
        flicker: The same, new in every frame.
        blur: Standard deviation of the smear at outlines, pixels.
    Returns:
        Values between about 0 and 20, the affine map and the outliers.
    Raises:
        ValueError: If ``outliers`` is not within 0 .. 0.9.
    """
    if not 0.0 <= outliers <= 0.9:
        raise ValueError(f"spoil_depth: outliers: expected a share within 0 .. 0.9, found {outliers}")
    inverse = np.divide(1.0, depth, out=np.zeros(depth.shape, np.float64), where=depth > 0)
    shape = depth.shape[1:]
    bent = inverse * (1.0 + warp * _hills(shape, rng=rng))
    for frame in range(len(bent)):
        bent[frame] *= 1.0 + flicker * _hills(shape, rng=rng)
        bent[frame] = gaussian_filter(bent[frame], blur)
    near, far = float(inverse.max()), float(np.percentile(inverse, 2))
    wrong = np.zeros(depth.shape, bool)
    patches, values = _patches(shape, outliers / 2, near, far, rng=rng)
    for frame in range(len(bent)):
        bent[frame][patches] = values[patches]
        specks = (rng.random(shape) < (outliers - patches.mean()) / max(1e-9, 1 - patches.mean())) & ~patches
        bent[frame][specks] = rng.uniform(0.3 * far, 1.3 * near, size=int(specks.sum()))
        wrong[frame] = patches | specks
    # 1/z = scale * d + offset, so d = (1/z - offset) / scale.
    span = rng.uniform(3.0, 20.0)
    offset = float(rng.uniform(-0.1, 0.8) * far)
    scale = (near - offset) / span
    disparity = ((bent - offset) / scale).astype(np.float32)
    return Disparity(values=disparity, scale=float(scale), offset=offset, wrong=wrong)


def _hills(shape: tuple[int, ...], *, rng: np.random.Generator) -> np.ndarray:
    """A smooth surface (h, w) of unit variance: about three hills across the picture."""
    coarse = rng.normal(size=(5, 6))
    hills = np.asarray(zoom(coarse, (shape[0] / 5, shape[1] / 6), order=3, mode="nearest", grid_mode=True))
    return (hills - hills.mean()) / hills.std()


def _patches(
    shape: tuple[int, ...], share: float, near: float, far: float, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Ellipses that cover ``share`` of the picture, each sloping gently at an inverse depth of its own."""
    covered, values = np.zeros(shape, bool), np.zeros(shape)
    v, u = np.mgrid[: shape[0], : shape[1]]
    for _ in range(1000):
        missing = share - covered.mean()
        if missing < 0.05 * share or share <= 0:
            break
        stretch = rng.uniform(0.7, 1.4)
        radius = np.sqrt(min(missing, share / 3) * shape[0] * shape[1] / np.pi) * np.array([stretch, 1 / stretch])
        center = rng.uniform(0, 1, 2) * shape
        inside = ((v - center[0]) / radius[0]) ** 2 + ((u - center[1]) / radius[1]) ** 2 < 1
        level, slope = rng.uniform(far, near), rng.normal(0, 0.1, 2) / max(shape)
        values[inside] = (level * (1 + slope[0] * (v - center[0]) + slope[1] * (u - center[1])))[inside]
        covered |= inside
    return covered, values
