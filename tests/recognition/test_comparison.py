"""Comparisons and verdicts follow from seeds and events; what films are worth is read from the curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recognition.comparison import WORTH_HAVING, advise, compare
from recognition.curves import few_curves, worth
from recognition.evaluate import Predictions, score
from recognition.study_file import make_study
from tests.make.videos import study_data

INTERVALS = ("macro_accuracy", "macro_accuracy_over_recordings")


def study(seeds: int, **changes: object):
    arms = ["real", "real_synthetic", "synthetic"]
    changes = {"arms": arms, "synthetic": "shards", "seeds": list(range(seeds)), **changes}
    return make_study(study_data(Path("r.csv"), Path("t.csv"), **changes))


def runs_of(
    accuracy: float, *, seeds: int, events: int, spread: float, gain_events: int | None = None, seed: int = 0
) -> list[dict]:
    """Runs whose windows are right with a chance; above 0.5 in the first ``gain_events`` events alone, where that is given."""
    found = []
    for number in range(seeds):
        rng = np.random.default_rng([seed, number])
        truth = np.tile([0, 1, 2], 4 * events)
        event = np.arange(len(truth)) // 12
        chance = np.where(event < (events if gain_events is None else gain_events), accuracy, 0.5)
        # The same number of right windows in every event, so that chance alone makes no verdict.
        right = (np.arange(len(truth)) * 7) % 12 < np.round(12 * (chance + spread * rng.normal()))
        predicted = np.where(right, truth, (truth + 1) % 3)
        predictions = Predictions(
            probabilities=np.eye(3)[predicted] * 0.8 + 0.1, truth=truth, recordings=[f"{e}" for e in event],
            groups=[f"{e}" for e in event], seconds=np.ones(len(truth)),
        )  # fmt: skip
        found.append({
            "seed": number, "truth": truth.tolist(), "predicted": predicted.tolist(), "groups": predictions.groups,
            **score(predictions, study(3)),
        })  # fmt: skip
    return found


def advice_of(real: list[dict], mixed: list[dict], films: list[dict]) -> tuple[dict, list[dict]]:
    plan = study(len(real))
    comparisons = compare({"real": real, "real_synthetic": mixed, "synthetic": films}, plan)
    advice = advise(comparisons, plan)
    assert advice is not None
    return advice, comparisons


def test_a_gain_in_all_seeds_and_events_is_to_be_used_with_its_share():
    sizes = {"seeds": 5, "events": 12, "spread": 0.0}
    advice, comparisons = advice_of(*(runs_of(accuracy, **sizes) for accuracy in (0.5, 0.75, 0.25)))
    assert [comparison["verdict"] for comparison in comparisons] == ["gain", "harm"]
    assert advice["advice"] == "use"
    assert "as 50 % of the windows (real_synthetic), +0.250 macro accuracy against real" in advice["sentence"]


def test_the_gap_to_the_reference_is_said():
    sizes = {"seeds": 5, "events": 12, "spread": 0.0}
    plan = study(5, arms=["real", "real_synthetic", {"name": "oracle", "real": "more.csv", "reference": True}])
    arms = {"real": 0.5, "real_synthetic": 0.75, "oracle": 1.0}
    (comparison,) = compare({name: runs_of(accuracy, **sizes) for name, accuracy in arms.items()}, plan)
    assert comparison["gap_closed"] == {"reference": "oracle", "share": pytest.approx(0.5)}
    assert "closes 50 % of the gap to oracle" in comparison["sentence"]


def test_a_gain_in_a_single_event_only_holds_on_these():
    """Of 40 events it is no gain worth having for others; of 12 that is not excluded, and can't be said."""
    cases = {40: ("don't", "only holds on these 40 test events"), 12: ("can't say", "12 test events cannot show")}
    for events, (word, reason) in cases.items():
        sizes = {"seeds": 5, "events": events, "spread": 0.0}
        mixed = runs_of(1.0, gain_events=1, **sizes)
        advice, comparisons = advice_of(runs_of(0.5, **sizes), mixed, mixed)
        assert comparisons[0]["verdict"] == "gain"
        assert advice["advice"] == word
        assert reason in advice["sentence"]
        assert "may not for others" in comparisons[0]["sentence"]


@pytest.mark.parametrize(
    ("seeds", "events", "accuracies", "advice", "words"),
    [
        (5, 12, (0.5, 0.25, 0.25), "don't", "they harm"),
        (5, 12, (0.5, 0.5, 0.25), "don't", "no gain"),
        (2, 12, (0.5, 0.75, 0.75), "can't say", "2 seeds only; run 5"),
        (1, 12, (0.5, 0.75, 0.75), "can't say", "1 seed only; run 5"),
        (5, 4, (0.5, 0.75, 0.75), "can't say", "4 test events cannot show"),
        (3, 12, (0.5, 0.75, 0.75), "use", "With 3 seeds this is preliminary"),
    ],
)
def test_the_verdict_says_why(seeds, events, accuracies, advice, words):
    found, comparisons = advice_of(*(runs_of(accuracy, seeds=seeds, events=events, spread=0.0) for accuracy in accuracies))
    assert found["advice"] == advice
    assert words in found["sentence"]
    assert all("\n" not in comparison["sentence"] for comparison in comparisons)


def test_no_advice_where_no_arm_uses_synthetic_clips():
    plan = study(3, arms=["real", "real_augmented"])
    runs = runs_of(0.5, seeds=3, events=6, spread=0.05)
    assert advise(compare({"real": runs, "real_augmented": runs}, plan), plan) is None


def test_noise_between_seeds_is_neither_a_gain_nor_none():
    """Law: "no gain" is said only where the intervals exclude a gain worth having."""
    real, mixed = (runs_of(0.5, seeds=5, events=12, spread=0.15, seed=seed) for seed in (1, 2))
    advice, comparisons = advice_of(real, mixed, mixed)
    seeds = comparisons[0]["macro_accuracy"]
    assert seeds["low"] < 0 < WORTH_HAVING < seeds["high"]
    assert (comparisons[0]["verdict"], advice["advice"]) == ("can't say", "can't say")
    for sentence in (comparisons[0]["sentence"], advice["sentence"]):
        assert "10 points" in sentence
        assert "more seeds" in sentence
    # Less noise, as many seeds: now the intervals exclude it.
    real, mixed = (runs_of(0.5, seeds=5, events=12, spread=0.02, seed=seed) for seed in (1, 2))
    advice, comparisons = advice_of(real, mixed, mixed)
    assert max(comparisons[0][name]["high"] for name in INTERVALS) < WORTH_HAVING
    assert (comparisons[0]["verdict"], advice["advice"]) == ("no gain", "don't")


def test_few_events_that_differ_exclude_no_gain_however_the_seeds_agree():
    sizes = {"seeds": 5, "events": 6, "spread": 0.0}
    real, mixed = runs_of(0.75, gain_events=3, **sizes), runs_of(0.75, gain_events=3, **sizes)
    for run in mixed:  # right in the other half of the events
        predicted = np.roll(run["predicted"], 36)
        assert (np.roll(run["truth"], 36) == run["truth"]).all()
        run["predicted"] = predicted.tolist()
    advice, comparisons = advice_of(real, mixed, mixed)
    assert comparisons[0]["macro_accuracy"]["high"] < WORTH_HAVING < comparisons[0]["macro_accuracy_over_recordings"]["high"]
    assert advice["advice"] == "can't say"
    assert "more test events would tell" in advice["sentence"]


@pytest.mark.parametrize(
    ("value", "have", "words"),
    [
        (0.6, 0, "worth 2.0 further"),
        (0.5, 1, "worth 0.0 further"),
        (0.7, 1, "worth 2.0 further"),
        (0.4, 1, "worth less than nothing: the real recordings alone reach 0.50"),
        (0.9, 2, "worth 2 further real recordings or more"),
    ],
)
def test_films_are_worth_what_the_curve_of_real_recordings_says(value, have, words):
    assert words in worth(value, [0, 1, 2, 4], [0.2, 0.5, 0.6, 0.8], have=have)


def test_what_films_are_worth_cannot_always_be_said():
    assert "change nothing" in worth(0.6, [0, 4], [0.5, 0.5], have=0)
    assert "fewer than two points" in worth(0.6, [0], [0.5], have=0)
    assert "fewer than two points" in worth(float("nan"), [0, 4], [0.5, 0.7], have=0)


def test_the_curve_has_a_point_for_every_count_and_compares_with_and_without_films():
    plan = study(3, few=[0, 2], films=[5], arms=["real", "real_synthetic"])
    by_arm = {}
    for arm in plan.arms:
        level = 0.3 + 0.1 * (4 if arm.real_events is None else arm.real_events) + (0.2 if arm.mixes else 0)
        by_arm[arm.name] = [{"rare_average_precision": level + 0.01 * seed} for seed in range(3)]
    found = few_curves(by_arm, plan, most=4)
    assert found is not None
    assert [point["events"] for point in found["curves"]["real"]] == [0, 2, 4]
    assert [round(point["mean"], 2) for point in found["curves"]["real_synthetic"]] == [0.51, 0.71, 0.91]
    assert [(one["events"], one["verdict"]) for one in found["differences"]] == [(0, "gain"), (2, "gain"), (4, "gain")]
    assert "all synthetic clips beside 0 real (0.51): worth 2.0 further real recordings" in found["films"][0]
    assert any("5 synthetic clips" in line for line in found["films"])
    assert few_curves(by_arm, study(3), most=4) is None
    # Where every real recording shows the rare class, none is left to train on without films.
    without = few_curves(
        by_arm, plan.model_copy(update={"arms": [arm for arm in plan.arms if arm.name != "real_few0"]}), most=4
    )
    assert without is not None
    assert "nothing to train on" in without["films"][0]
    # With films no better than without, beside two real recordings: what they are worth there is noise.
    by_arm["real_synthetic_few2"] = [{"rare_average_precision": value} for value in (0.4, 0.53, 0.6)]
    again = few_curves(by_arm, plan, most=4)
    assert again is not None
    assert any("beside 2 real" in line and "no measurable difference" in line for line in again["films"])
