"""Alarms of a classifier on whole recordings: falls found, delay, and false alarms an hour with their Poisson interval.

    python -m benchmarks.alarms [--data ../shared/data/upfall] [--checkpoint understudy:keypoints]

Every recording of UP-Fall's two cameras is watched from beginning to end as `recognition watch` does it; the falls' recordings
count too. One threshold is the checkpoint's own (0.5 where it has none); the other is the highest that finds a share of the
falls of the OTHER camera, so that neither is chosen on what it is judged on.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from scipy.stats import chi2

from recognition.alarms import AlarmRule, Watched
from recognition.checkpoint import load_checkpoint, rule_of
from recognition.csv_table import read_csv
from recognition.evaluate import watch_whole
from recognition.event_alarms import alarm_figures, alarm_threshold, events
from recognition.inputs.kinds import INPUTS
from recognition.scoring import tempered

DATA = Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data") / "upfall"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Count alarms on whole recordings."""

    data: Path = DATA
    """Folder with labels.csv, whose column `camera` is used."""
    checkpoint: Path = Path("understudy:keypoints")
    """Checkpoint of `recognition train`, or shipped weights by name."""
    recall: float = 0.9
    """Share of the other camera's falls that the second threshold finds."""
    cameras: tuple[str, ...] = ("1", "2")


def poisson_interval(count: int, hours: float) -> tuple[float, float]:
    """Exact 95 % interval of a rate an hour, from a count.

    Source:
        Garwood 1936, "Fiducial Limits for the Poisson Distribution".
    """
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return float(low / hours), float(chi2.ppf(0.975, 2 * count + 2) / 2 / hours)


@dataclass(frozen=True, kw_only=True)
class Cameras:
    """What a classifier says of each camera's recordings."""

    all: dict[str, list[Watched]]
    daily: dict[str, list[Watched]]
    """Of `all` those without a fall."""
    rule: AlarmRule
    rare: int
    """Index of the class of the alarms."""
    labels: list[str]
    """Its frame labels."""


def watch_cameras(settings: Settings) -> Cameras:
    """Watch every recording, each from beginning to end."""
    network, about = load_checkpoint(settings.checkpoint)
    labels = about["classes"][about["rare_class"]]
    everything, daily = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        sizes = {name: about[name] for name in ("size", "frames", "window_sec")}
        store = INPUTS[about["input"]].store(folder=Path(folder), **sizes)
        window = {name: about[name] for name in ("window_sec", "precision")}
        for camera in settings.cameras:
            recordings = read_csv(settings.data / "labels.csv", where={"camera": [camera]})
            everything[camera] = tempered(watch_whole(network, recordings, store=store, **window), about["temperature"])
            daily[camera] = [one for one in everything[camera] if not events(one, labels)]
    rule, rare = rule_of(about, watch_for=about["rare_class"]), list(about["classes"]).index(about["rare_class"])
    return Cameras(all=everything, daily=daily, rule=rule, rare=rare, labels=labels)


def rules_for(camera: str, seen: Cameras, *, recall: float) -> dict[str, AlarmRule]:
    """The checkpoint's own rule, and the one with the threshold that finds a share of the other cameras' falls."""
    others = [one for name, some in seen.all.items() if name != camera for one in some]
    way = {"windows": seen.rule.windows, "release": seen.rule.release}
    threshold = alarm_threshold(others, seen.rare, seen.labels, recall=recall, **way)
    rules = {"its own": seen.rule}
    return rules if threshold is None else {**rules, "the other camera's": replace(seen.rule, threshold=threshold)}


def row(camera: str, name: str, rule: AlarmRule, recordings: list[Watched], daily: list[Watched], seen: Cameras) -> str:
    """A line of the table."""
    whole, calm = (alarm_figures(some, seen.rare, seen.labels, rule=rule) for some in (recordings, daily))
    low, high = poisson_interval(calm["false_alarms"], calm["hours"])
    cells = (
        camera, f"{rule.threshold:.3g} ({name})", f"{whole['events_found'] * whole['events']:.0f} of {whole['events']}",
        "-" if whole["delay_sec"] is None else f"{whole['delay_sec']:.1f}",
        *(f"{figures['false_alarms']} in {60 * figures['hours']:.1f} min" for figures in (whole, calm)),
        f"{calm['false_alarms_an_hour']:.1f} ({low:.1f} to {high:.1f})",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Watch, count, print a table in Markdown."""
    settings = tyro.cli(Settings, description=__doc__)
    seen = watch_cameras(settings)
    columns = ("camera", "threshold", "falls found", "delay, s", "false alarms", "in daily activities", "an hour of these")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for camera in seen.all:
        for name, rule in rules_for(camera, seen, recall=settings.recall).items():
            print(row(camera, name, rule, seen.all[camera], seen.daily[camera], seen))
    everything, daily = ([one for some in found.values() for one in some] for found in (seen.all, seen.daily))
    print(row("both", "its own", seen.rule, everything, daily, seen))


if __name__ == "__main__":
    main()
