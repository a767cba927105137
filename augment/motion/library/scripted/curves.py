"""Smooth curves over time: keyframes, minimum-jerk blends, band-limited noise and filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

Times = Float[np.ndarray, "t"]
"""Seconds from the start of the clip."""


def along(t: Times, *keys: tuple[Any, Any]) -> Float[np.ndarray, "t *d"]:
    """Monotone cubic interpolation of (second, value) keys, without overshoot; constant before the first and after the last."""
    times = np.array([key[0] for key in keys], float)
    values = np.array([key[1] for key in keys], float)
    kept = np.concatenate([[True], np.diff(times) > 1e-4])
    times, values = times[kept], values[kept]
    if len(times) == 1:
        return np.broadcast_to(values[0], (len(t), *values.shape[1:])).copy()
    # Repeated keys at both ends make the curve start and end with zero slope.
    times = np.concatenate([[times[0] - 1.0], times, [times[-1] + 1.0]])
    values = np.concatenate([values[:1], values, values[-1:]])
    return PchipInterpolator(times, values, axis=0)(np.clip(t, times[0], times[-1]))


def between(start: float, end: float, share: float) -> float:
    """The time after a share of the way from ``start`` to ``end``."""
    return start + share * (end - start)


def ramp(t: Times, start: float, end: float) -> Float[np.ndarray, "t"]:
    """Minimum-jerk rise from 0 at ``start`` to 1 at ``end``.

    Source:
        Flash & Hogan 1985, "The coordination of arm movements", eq. for point-to-point movement: 10 u^3 - 15 u^4 + 6 u^5.
    """
    u = np.clip((t - start) / max(end - start, 1e-6), 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u**2)


def window(t: Times, start: float, end: float, blend: float = 0.3) -> Float[np.ndarray, "t"]:
    """1 between ``start`` and ``end``, minimum-jerk sides of ``blend`` seconds outside them."""
    return ramp(t, start - blend, start) * (1.0 - ramp(t, end, end + blend))


def noise(
    t: Times,
    *,
    rng: np.random.Generator,
    amplitude: float | Sequence[float] | Float[np.ndarray, "d"],
    low: float = 0.1,
    high: float = 0.9,
) -> Float[np.ndarray, "t *c"]:
    """Band-limited 1/f noise: a sum of seven sines of random frequency and phase.

    Args:
        amplitude: Root mean square; one number, or one per channel.
        low: Lowest frequency, Hz.
        high: Highest frequency, Hz.
    Returns:
        Shape (t,) for one amplitude, (t, channels) for several.
    """
    amplitudes = np.atleast_1d(np.asarray(amplitude, float))
    frequency = np.exp(rng.uniform(np.log(low), np.log(high), (7, len(amplitudes))))
    phase = rng.uniform(0.0, 2.0 * np.pi, (7, len(amplitudes)))
    weight = 1.0 / frequency
    weight /= np.sqrt((weight**2).sum(axis=0) / 2.0)
    waves = (weight * np.sin(2.0 * np.pi * frequency * t[:, None, None] + phase)).sum(axis=1) * amplitudes
    return waves[:, 0] if np.ndim(amplitude) == 0 else waves


def smooth(values: Float[np.ndarray, "t *d"], sigma: float) -> Float[np.ndarray, "t *d"]:
    """Gaussian filter along time; ``sigma`` in frames, ends held."""
    return gaussian_filter1d(values, sigma, axis=0, mode="nearest") if sigma > 0 and len(values) > 1 else values


def envelope(values: Float[np.ndarray, "t"], frames: int, sigma: float) -> Float[np.ndarray, "t"]:
    """A smooth curve that lies on or above ``values``: the running maximum over ``frames`` either side, then smoothed."""
    return smooth(maximum_filter1d(values, 2 * frames + 1, mode="nearest"), sigma)
