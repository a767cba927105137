"""Few real events: average precision by the number of real recordings with the rare class, and what films are worth in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import statistics
from .comparison import as_json, over_seeds
from .study import Arm, Study

METRIC = "rare_average_precision"


def few_curves(by_arm: Mapping[str, Sequence[dict[str, Any]]], study: Study, *, most: int) -> dict[str, Any] | None:
    """Average precision by the number of real recordings with the rare class, as JSON values; None if the study asks for none.

    Args:
        by_arm: Runs of each arm, ordered by seed.
        study: Its arms.
        most: Real recordings with the rare class that an arm which takes all has.
    Returns:
        ``curves``: arm to points (count, interval over seeds); ``differences``: with synthetic clips against without, at each
        count; ``films``: sentences on what synthetic clips are worth.
    """
    smaller = [arm for arm in study.arms if arm.smaller and arm.films is None]
    if not smaller:
        return None
    families = list(dict.fromkeys(arm.smaller for arm in smaller))
    values: dict[str, dict[int, list[float | None]]] = {family: {} for family in families}
    for arm in smaller:
        values[arm.smaller][arm.real_events or 0] = [run[METRIC] for run in by_arm[arm.name]]
    for family in families:
        values[family][most] = [run[METRIC] for run in by_arm[family]]
    base, sentences = study.baseline_arm, []
    for arm in [arm for arm in study.arms if arm.mixes and (arm.films is not None or arm in smaller)]:
        if arm.name in by_arm and base in values and arm.smaller != base:
            sentences.append(_worth(arm, [run[METRIC] for run in by_arm[arm.name]], values[base]))
    return {
        "curves": {
            family: [{"events": count, **(over_seeds(found) or {"mean": None})} for count, found in sorted(points.items())]
            for family, points in values.items()
        },
        "differences": [
            {"arm": family, "events": count, **_difference(values[family][count], values[base][count])}
            for family in families
            if family != base and base in values
            for count in sorted(values[family].keys() & values[base].keys())
        ],
        "films": sentences,
    }


def _difference(ours: Sequence[float | None], theirs: Sequence[float | None]) -> dict[str, Any]:
    if None in ours or None in theirs:
        return {"mean": None, "verdict": "undefined"}
    found = statistics.paired_interval([x for x in ours if x is not None], [x for x in theirs if x is not None])
    return {**as_json(found), "verdict": statistics.verdict(found)}


def _worth(arm: Arm, found: Sequence[float | None], base: Mapping[int, Sequence[float | None]]) -> str:
    films = "all synthetic clips" if arm.films is None else f"{arm.films} synthetic clips with the rare class"
    counts = sorted(base)
    means = [float(np.mean([value if value is not None else np.nan for value in base[count]])) for count in counts]
    value = float(np.mean([value if value is not None else np.nan for value in found]))
    before = f"{arm.smaller}: {films} beside {arm.real_events} real ({value:.2f})"
    have = arm.real_events or 0
    if have not in base:
        return f"{before}: cannot be said: without them there is nothing to train on"
    if _difference(found, base[have])["verdict"] not in ("gain", "harm"):
        return f"{before}: cannot be said: no measurable difference from {have} real recordings alone"
    return f"{before}: {worth(value, counts, means, have=have)}"


def worth(value: float, counts: Sequence[int], means: Sequence[float], *, have: int) -> str:
    """How many real recordings a figure is worth, read from the curve of real recordings alone, in words.

    Args:
        value: The figure reached with ``have`` real recordings and synthetic clips.
        counts: Numbers of real recordings, rising.
        means: The figure with so many and no synthetic clips.
        have: Real recordings that the figure was reached with.
    """
    if not np.isfinite([value, *means]).all() or len(counts) < 2:
        return "cannot be said: the curve of real recordings alone has fewer than two points"
    rising = np.maximum.accumulate(np.asarray(means, float))
    if rising[-1] - rising[0] < 0.02:
        return "cannot be said: more real recordings alone change nothing here"
    at = float(np.interp(have, counts, rising))
    if value < at:
        return f"worth less than nothing: the real recordings alone reach {at:.2f}"
    if value > rising[-1]:
        return f"worth {counts[-1] - have} further real recordings or more: the curve goes no further"
    after = int(np.searchsorted(rising, value, side="left"))
    if after == 0 or rising[after] == value:
        reached = float(counts[after])
    else:
        low, high = rising[after - 1], rising[after]
        reached = counts[after - 1] + (value - low) / (high - low) * (counts[after] - counts[after - 1])
    return f"worth {max(reached - have, 0):.1f} further real recordings"
