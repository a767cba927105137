"""Write an ablation's results: report.html (self-contained), report.png and report.json."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jinja2

from augment.files import write_atomic

from .comparison import WORTH_HAVING
from .event_alarms import LATEST_SEC
from .plots import PLOTS, draw_all, view_of
from .scoring import OUTPUTS
from .summary import ALARM_METRICS, METRICS
from .windows import LEAST_WINDOWS, SLIDE_SEC, STRIDE_SEC


def write_report(result: dict[str, Any], out: Path) -> None:
    """Write report.json, report.png and report.html.

    Args:
        result: What ``ablation.ablate`` returned.
        out: The folder; made if it is missing.
    Raises:
        OSError: If the folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    template = jinja2.Template((Path(__file__).parent / "report.html").read_text(), autoescape=True)
    views = {name: view_of(result, name) for name in result["inputs"]}
    pictures = {
        name: {title: base64.b64encode(png).decode() for title, draw in PLOTS.items() if (png := draw(view))}
        for name, view in views.items()
    }
    html = template.render(
        result=result,
        metrics=METRICS,
        views=views,
        several=len(views) > 1,
        pictures=pictures,
        show=show_interval,
        first_arm=next(iter(views.values()))["arms"][result["baseline"]],
        trained_on={arm["name"]: trained_on(arm, result) for arm in result["study"]["arms"] if not arm["smaller"]},
        rare_share=rare_share(result),
        alarm_metrics=ALARM_METRICS,
        slide_sec=SLIDE_SEC,
        latest_sec=LATEST_SEC,
        stride_sec=STRIDE_SEC,
        least_windows=LEAST_WINDOWS,
        worth_having=f"{100 * WORTH_HAVING:g}",
    )
    written = {
        **result,
        "runs": [{key: value for key, value in run.items() if key not in OUTPUTS} for run in result["runs"]],
        "clips": [{key: value for key, value in clip.items() if key != "film"} for clip in result["clips"]],
    }
    write_atomic(out / "report.json", json.dumps(written, indent=1).encode())
    write_atomic(out / "report.png", draw_all(result))
    write_atomic(out / "report.html", html.encode())


def trained_on(arm: dict[str, Any], result: dict[str, Any]) -> str:
    """An arm's training clips in words: ``17 real clips and 108 synthetic clips, 50 % of the windows synthetic``."""
    counts = {kind: described["recordings"] for kind, described in result["data"]["training"][arm["name"]].items()}
    real, synthetic = (f"{counts[kind]} {kind} clips" for kind in ("real", "synthetic"))
    if not counts["synthetic"]:
        words = real
    elif not counts["real"]:
        words = f"{synthetic} alone"
    else:
        words = f"{real} and {synthetic}, {100 * arm['synthetic_share']:g} % of the windows synthetic"
    words += ", with standard augmentation" if arm["augment"] else ""
    return words + ("; real windows whose label the synthetic clips contradict left out" if arm["check_labels"] else "")


def rare_share(result: dict[str, Any]) -> float:
    """The share of test windows that show the rare class: the average precision of guessing."""
    truth = result["runs"][0]["truth"]
    return truth.count(list(result["study"]["classes"]).index(result["study"]["rare_class"])) / len(truth)


def show_interval(interval: dict[str, Any] | None, digits: int = 3, sign: bool = False) -> str:
    """An interval as text: ``0.512 (0.480 to 0.544)``."""
    if interval is None:
        return "–"
    form = f"{'+' if sign else ''}.{digits}f"
    mean = format(interval["mean"], form)
    if interval["low"] is None:
        return mean
    return f"{mean} ({format(interval['low'], form)} to {format(interval['high'], form)})"
