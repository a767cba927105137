"""Arms against the baseline, and what that says of synthetic clips, in words.

Two questions are asked of a difference. Would training again show it? Student's paired test over the seeds. Would other test
events show it? A permutation test over the events. Both p-values are adjusted by Holm over the arms of one input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from . import statistics
from .statistics import Interval
from .study import Arm, Study

ENOUGH_SEEDS = 5
"""With fewer the verdict says so."""
LEAST_SEEDS = 3
"""With fewer there is no verdict."""
WORTH_HAVING = 0.1
"""A gain in macro accuracy that would be worth having: "no gain" is said only where the intervals exclude it."""

Runs = Sequence[dict[str, Any]]


def as_json(interval: Interval) -> dict[str, Any]:
    """An interval as JSON values: None for an infinite end."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in asdict(interval).items()
    }


def over_seeds(values: Sequence[float | None]) -> dict[str, Any] | None:
    """Mean and interval over seeds, as JSON values; None if one is undefined."""
    if not values or any(value is None for value in values):
        return None
    return as_json(statistics.t_interval([float(value) for value in values if value is not None]))


def compare(by_arm: Mapping[str, Runs], study: Study) -> list[dict[str, Any]]:
    """Every arm against the baseline, as JSON values.

    Args:
        by_arm: Runs of each arm, ordered by seed.
        study: Its arms; those for reference, and smaller versions of others, are not compared.
    """
    baseline = study.baseline_arm
    arms = [arm.name for arm in study.arms if arm.name != baseline and not arm.reference and not arm.smaller]
    found = [_measure(by_arm[name], by_arm[baseline], name, baseline) for name in arms]
    if not found:
        return []
    for key in ("seeds", "events"):
        for comparison, adjusted in zip(found, statistics.holm([one[f"p_{key}"] for one in found]), strict=True):
            comparison[f"p_{key}_holm"] = adjusted
    for comparison in found:
        comparison["verdict"] = _verdict(comparison)
        comparison["holds_for_events"] = comparison["p_events_holm"] < 1 - statistics.LEVEL
        comparison["too_few_events"] = statistics.least_sign_flip_p(comparison["events"]) * len(found) >= 1 - statistics.LEVEL
        comparison["gap_closed"] = _gap_closed(by_arm, comparison["arm"], study)
        comparison["sentence"] = sentence(comparison)
    return found


def _gap_closed(by_arm: Mapping[str, Runs], name: str, study: Study) -> dict[str, Any] | None:
    """How much of the way from the baseline to the first reference arm an arm goes; None without one that is better."""
    references = [arm.name for arm in study.arms if arm.reference]
    if not references:
        return None
    ours, base, best = (
        float(np.mean([run["macro_accuracy"] for run in by_arm[arm]])) for arm in (name, study.baseline_arm, references[0])
    )
    return {"reference": references[0], "share": (ours - base) / (best - base)} if best > base else None


def _measure(runs: Runs, base: Runs, name: str, baseline: str) -> dict[str, Any]:
    """The difference of two arms and its p-values, before they are adjusted."""
    ours, theirs = ([run["macro_accuracy"] for run in one] for one in (runs, base))
    truth, groups, classes = np.asarray(runs[0]["truth"]), runs[0]["groups"], len(runs[0]["confusion"])
    pairs = [(np.asarray(run["predicted"]), np.asarray(other["predicted"])) for run, other in zip(runs, base, strict=True)]

    def difference(index: np.ndarray) -> float:
        def macro(predicted: np.ndarray) -> float:
            return statistics.macro_accuracy(statistics.confusion(truth[index], predicted[index], classes))

        return float(np.mean([macro(our) - macro(their) for our, their in pairs]))

    events = np.mean([statistics.event_differences(our, their, truth, groups) for our, their in pairs], axis=0)
    rare = [run["rare_average_precision"] for run in [*runs, *base]]
    rare_seeds = None if None in rare else statistics.paired_interval(rare[: len(runs)], rare[len(runs) :])
    return {
        "arm": name,
        "baseline": baseline,
        "events": len(events),
        "macro_accuracy": as_json(statistics.paired_interval(ours, theirs)),
        "macro_accuracy_over_recordings": as_json(
            statistics.group_bootstrap(difference, groups, rng=np.random.default_rng(0))
        ),
        "p_seeds": statistics.paired_p(ours, theirs),
        "p_events": statistics.sign_flip_p(events.tolist(), rng=np.random.default_rng(0)),
        "rare_average_precision": rare_seeds and as_json(rare_seeds),
        "rare_verdict": rare_seeds and statistics.verdict(rare_seeds),
    }  # fmt: skip


def _verdict(comparison: Mapping[str, Any]) -> str:
    """``gain``, ``harm``, ``no gain``, ``can't say``, or ``too few seeds``."""
    seeds = comparison["macro_accuracy"]
    if seeds["count"] < LEAST_SEEDS:
        return "too few seeds"
    if comparison["p_seeds_holm"] < 1 - statistics.LEVEL:
        return "gain" if seeds["mean"] > 0 else "harm"
    return "can't say" if would_tell(comparison) else "no gain"


def would_tell(comparison: Mapping[str, Any]) -> list[str]:
    """What there should be more of, ``seeds`` or ``test events``: their interval does not exclude a gain worth having."""
    intervals = {"seeds": comparison["macro_accuracy"], "test events": comparison["macro_accuracy_over_recordings"]}
    return [name for name, interval in intervals.items() if interval["high"] is None or interval["high"] >= WORTH_HAVING]


def sentence(comparison: Mapping[str, Any]) -> str:
    """A comparison in one line."""
    name, baseline, verdict = comparison["arm"], comparison["baseline"], comparison["verdict"]
    seeds, events = comparison["macro_accuracy"], comparison["macro_accuracy_over_recordings"]
    if verdict == "too few seeds":
        return (
            f"{name} against {baseline}: {seeds['mean']:+.3f} macro accuracy with {_count(seeds['count'], 'seed')}; "
            "no verdict, run more seeds"
        )
    text = (
        f"{name} against {baseline}: {verdict}. Macro accuracy {seeds['mean']:+.3f}, 95 % interval {seeds['low']:+.3f} to "
        f"{seeds['high']:+.3f} over {seeds['count']} seeds (p {_p(comparison['p_seeds_holm'])})"
    )
    if events["low"] is not None:
        text += (
            f", {events['low']:+.3f} to {events['high']:+.3f} over {_count(comparison['events'], 'test event')} "
            f"(p {_p(comparison['p_events_holm'])})"
        )
    if verdict == "gain" and (gap := comparison["gap_closed"]):
        text += f"; it closes {100 * gap['share']:.0f} % of the gap to {gap['reference']}"
    if verdict in ("gain", "harm") and not comparison["holds_for_events"]:
        text += "; it holds for these test clips, and may not for others"
    if verdict == "can't say":
        more = " and ".join(would_tell(comparison))
        text += f"; no gain is shown, and one of {_points(WORTH_HAVING)} not excluded: more {more} would tell"
    if verdict == "no gain":
        text += f"; a gain of {_points(WORTH_HAVING)} is excluded"
    return text


def _points(share: float) -> str:
    return f"{100 * share:g} points"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def advise(comparisons: Sequence[Mapping[str, Any]], study: Study) -> dict[str, Any] | None:
    """Whether to use synthetic clips with an input, and how: ``advice`` (use, don't, can't say), ``arm`` and ``sentence``.

    It can't be said while some arm may still turn out to gain what is worth having.
    None if no arm that is compared uses synthetic clips, or the baseline does.
    """
    arms = {arm.name: arm for arm in study.arms}
    if arms[study.baseline_arm].synthetic is not False:
        return None
    tried = [comparison for comparison in comparisons if arms[comparison["arm"]].synthetic is not False]
    if not tried:
        return None

    def rank(comparison: Mapping[str, Any]) -> tuple[bool, bool, float]:
        gain = comparison["verdict"] == "gain"
        undecided = comparison["verdict"] == "can't say" or (gain and _undecided_over_events(comparison))
        return gain and comparison["holds_for_events"], undecided, comparison["macro_accuracy"]["mean"]

    best = max(tried, key=rank)
    seeds, arm = best["macro_accuracy"], arms[best["arm"]]
    advice, text = _advice(best, arm, harmful=all(comparison["verdict"] == "harm" for comparison in tried))
    if LEAST_SEEDS <= seeds["count"] < ENOUGH_SEEDS and advice != "can't say":
        text += f". With {seeds['count']} seeds this is preliminary: run {ENOUGH_SEEDS}"
    return {"advice": advice, "arm": arm.name, "sentence": f"Synthetic clips: {text}."}


def _advice(best: Mapping[str, Any], arm: Arm, *, harmful: bool) -> tuple[str, str]:
    """The advice and its reason, from the best arm with synthetic clips; ``harmful``: all such arms harm."""
    verdict, seeds, number = best["verdict"], best["macro_accuracy"], _count(best["events"], "test event")
    gained = f"{seeds['mean']:+.3f} macro accuracy against {best['baseline']}"
    if verdict == "too few seeds":
        return "can't say", f"can't say: {_count(seeds['count'], 'seed')} only; run {ENOUGH_SEEDS}"
    whole, worth = f"the best arm, {arm.name}, has {gained}, {_both_ranges(best)}", _points(WORTH_HAVING)
    if verdict == "can't say":
        more = " and ".join(would_tell(best))
        return "can't say", f"can't say: {whole}; a gain of {worth} is not excluded, more {more} would tell"
    if verdict == "gain" and best["holds_for_events"]:
        return "use", f"use them: {how(arm)}, {gained}, {_range(seeds)} over {seeds['count']} seeds"
    if verdict == "gain" and _undecided_over_events(best):
        return "can't say", f"can't say: {gained}, but {number} cannot show that it holds for others; test on more"
    if verdict == "gain":
        p = _p(best["p_events_holm"])
        return "don't", (
            f"don't rely on them: {gained}, but it only holds on these {number} (p {p} over events); for others, a gain of "
            f"{worth} is excluded"
        )
    if harmful:
        return "don't", f"don't use them: they harm; {whole}"
    return "don't", f"don't use them: no gain; {whole}"


def _undecided_over_events(comparison: Mapping[str, Any]) -> bool:
    """Whether test events neither show that a gain holds nor exclude one worth having."""
    wide = comparison["too_few_events"] or "test events" in would_tell(comparison)
    return wide and not comparison["holds_for_events"]


def how(arm: Arm) -> str:
    """How an arm uses synthetic clips, in words."""
    if arm.real is False:
        return f"alone ({arm.name})"
    return f"as {100 * arm.synthetic_share:g} % of the windows ({arm.name})"


def _range(interval: Mapping[str, Any]) -> str:
    return f"{interval['low']:+.3f} to {interval['high']:+.3f}"


def _both_ranges(comparison: Mapping[str, Any]) -> str:
    seeds, events = comparison["macro_accuracy"], comparison["macro_accuracy_over_recordings"]
    text = f"{_range(seeds)} over {seeds['count']} seeds"
    return text if events["low"] is None else f"{text}, {_range(events)} over {_count(comparison['events'], 'test event')}"
