"""Body shapes: ``betas`` from stature, age, weight and sex, and random adults."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from . import open_body
from .model import Body


def betas_from_phenotype(
    body: Body,
    *,
    height_m: float | None = None,
    weight: float = 0.5,
    age: float = 0.5,
    gender: float = 0.5,
    muscle: float = 0.5,
    proportions: float = 0.5,
) -> Float[np.ndarray, "10"]:
    """Body shape of an adult described by a few properties.

    Args:
        height_m: Stature, metres; None for the phenotypes' own.
        weight: 0 thin, 0.5 average, 1 heavy.
        age: 0 about 25 years, 1 about 90.
        gender: 0 male, 1 female.
        muscle: 0 little, 1 much.
        proportions: 0 uncommon, 1 ideal.
    Raises:
        ValueError: If a value lies outside 0..1, the stature outside 1.2..2.3 m, or the body has no phenotypes and the
            stature cannot be had from its first shape number.
    """
    named = {"gender": gender, "age": age, "muscle": muscle, "weight": weight, "proportions": proportions}
    for name, value in named.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name}: expected 0..1, found {value}")
    if height_m is not None and not 1.2 <= height_m <= 2.3:
        raise ValueError(f"height_m: expected 1.2..2.3 metres, found {height_m}")
    if body.corner_betas is None:
        if height_m is None:
            return np.zeros(10)
        unit = np.eye(10)[0]
        slope = body.height(unit) - body.height(np.zeros(10))
        return unit * (height_m - body.height(np.zeros(10))) / slope

    if height_m is None:
        return _between_corners(body.corner_betas, named | {"height": 0.38})
    low, high = (_between_corners(body.corner_betas, named | {"height": height}) for height in (0.3, 0.5))
    shortest, slope = body.height(low), body.height(high) - body.height(low)
    share = (height_m - shortest) / slope
    for _ in range(3):  # stature is almost linear in betas: the crown and the sole may change vertices
        betas = low + share * (high - low)
        share += (height_m - body.height(betas)) / slope
    return low + share * (high - low)


def _between_corners(values: np.ndarray, named: dict[str, float]) -> np.ndarray:
    for name, anchors in open_body.PHENOTYPE_GRID.items():
        value = anchors[0] + named[name] * (anchors[-1] - anchors[0])
        upper = int(np.clip(np.searchsorted(anchors, value), 1, len(anchors) - 1))
        share = (value - anchors[upper - 1]) / (anchors[upper] - anchors[upper - 1])
        values = (1 - share) * values[upper - 1] + share * values[upper]
    return values


def sample_betas(body: Body, *, rng: np.random.Generator) -> Float[np.ndarray, "10"]:
    """Draw an adult: sexes equally likely, age 25-90, average build, stature by sex (female 1.62, male 1.75, sd 0.07 m)."""
    if body.corner_betas is None:
        return rng.normal(size=10)
    gender = float(rng.uniform(0, 0.15) if rng.random() < 0.5 else rng.uniform(0.85, 1.0))
    return betas_from_phenotype(
        body,
        height_m=float(np.clip(rng.normal(1.62 if gender > 0.5 else 1.75, 0.07), 1.45, 1.98)),
        gender=gender,
        age=float(rng.beta(1.6, 1.2)),
        weight=float(np.clip(rng.normal(0.52, 0.18), 0.05, 0.98)),
        muscle=float(np.clip(rng.normal(0.45, 0.18), 0.0, 1.0)),
        proportions=float(rng.uniform(0.2, 0.9)),
    )
