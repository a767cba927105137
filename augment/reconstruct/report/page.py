"""The quality report: report.html, which needs no other file, and report.json with its figures."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...body.model import Body
from ...files import write_atomic
from ...raster.rasterize import Rasterizer, make_rasterizer
from ..people import Reconstruction, Recovered
from . import overlay as drawing
from . import verdict
from .floor_grid import draw_floor_grid
from .pictures import draw_curves, draw_depth, draw_top_view
from .summary import summarize
from .view3d import pack_view

SWITCHES = (
    ("room", "room", True), ("cloud", "depth points", False), ("walls", "see through walls from behind", True),
    ("people", "people", True), ("ghosts", "other instants", True), ("paths", "paths", True),
    ("outlines", "floor and furniture outlines", True), ("camera", "camera", True),
)  # fmt: skip
"""Parts of the 3D view: name, title, whether shown at first."""


def choose_clips(reconstruction: Reconstruction, summary: dict[str, Any], most: int) -> list[int]:
    """Clips that get an overlay video: all, or the worst and as many others spread evenly; in order."""
    total = len(reconstruction.videos)
    if total <= most:
        return list(range(total))
    trouble = np.zeros(total)
    for person in summary["people"]:
        seconds = max(person["seconds"], 1e-6)
        bad = person["seconds_rejected"] / seconds + (person["reprojection_share"] or 0.0) / 0.04
        trouble[person["video"]] = max(trouble[person["video"]], bad)
    worst = [int(i) for i in np.argsort(-trouble, kind="stable")[: most // 2]]
    rest = [i for i in range(total) if i not in worst]
    spread = np.linspace(0, len(rest) - 1, most - len(worst)).round().astype(int)
    return sorted(worst + [rest[i] for i in spread])


def write_report(
    reconstruction: Reconstruction,
    folder: Path,
    *,
    body: Body,
    rasterizer: Rasterizer | None = None,
    overlay_height: int = 360,
    max_overlays: int = 6,
    overlay_pictures: int = 120,
) -> Path:
    """Write ``report.html``, which needs no other file and no network, and ``report.json`` with its figures.

    Args:
        reconstruction: What was recovered. A video that cannot be read is named in the report with the reason.
        folder: Made if absent; an older report in it is replaced.
        body: The body the people were fitted with.
        rasterizer: Draws the bodies over the clips; the best one this machine has if None.
        overlay_height: Height of the overlay videos, pixels, never more than a clip's own.
        max_overlays: Clips that get an overlay video and curves; of the others four frames are shown.
        overlay_pictures: Pictures of an overlay video at most; a longer clip plays faster.
    Returns:
        Path of ``report.html``.
    Raises:
        ValueError: If a person names a video the reconstruction lacks.
        OSError: If the folder cannot be written.
    """
    for person in reconstruction.people:
        if not 0 <= person.video < len(reconstruction.videos):
            raise ValueError(
                f"person {person.track}: field video: expected 0 to {len(reconstruction.videos) - 1}, found {person.video}"
            )
    renderer = drawing.Renderer(camera=reconstruction.scene.camera, body=body, rasterizer=rasterizer or make_rasterizer("auto"))
    summary = summarize(reconstruction, body)
    chosen = choose_clips(reconstruction, summary, max_overlays)
    clips = [_clip(reconstruction, video, renderer, overlay_height, overlay_pictures) for video in chosen]
    others = [video for video in range(len(reconstruction.videos)) if video not in chosen]
    strips = [_strip(reconstruction, video, renderer) for video in others]
    rows = verdict.checks(summary)
    html = _render(reconstruction, summary, rows, clips, strips, body)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        **summary, "checks": rows, "verdict": verdict.overall(rows), "found": verdict.headline(summary),
        "overlays": [{"name": each["name"], "problem": each["problem"], **(each["overlay"] or {})} for each in clips],
    }  # fmt: skip
    write_atomic(folder / "report.json", json.dumps(figures, indent=1, allow_nan=False).encode())
    write_atomic(folder / "report.html", html.encode())
    return folder / "report.html"


def _render(
    reconstruction: Reconstruction, summary: dict[str, Any], rows: list[dict[str, str]], clips: list[dict[str, Any]],
    strips: list[dict[str, Any]], body: Body,
) -> str:  # fmt: skip
    """The page as HTML."""
    import jinja2

    here = Path(__file__).parent
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    view = pack_view(reconstruction, body)
    return environment.from_string((here / "page.html.j2").read_text()).render(
        s=summary, checks=rows, verdict=verdict.overall(rows), found=verdict.headline(summary), words=verdict.WORDS,
        problems=_problems(reconstruction, clips, strips), clips=clips, strips=strips, view=view,
        viewer=(here / "viewer.js").read_text(), switches=_switches(view), pictures=_pictures(reconstruction),
        colors=[drawing.css(drawing.color_of(i)) for i in range(len(summary["people"]))],
        states=drawing.STATES, css=drawing.css, n=_figure, value_text=_value_text, ordinal=_ordinal,
        stretches=[{**row, **{k: each[k] for k in ("label", "video_name", "fps")}}
                   for each in summary["people"] for row in each["rejected"]],
        provenance=json.dumps(summary["provenance"], indent=1, ensure_ascii=False),
        total_seconds=sum(summary["seconds"].values()),
        made={"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "body": f"body: {body.name}"},
    )  # fmt: skip


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _of_video(reconstruction: Reconstruction, video: int) -> list[tuple[int, Recovered]]:
    return [(i, p) for i, p in enumerate(reconstruction.people) if p.video == video and len(p.frames)]


def _clip(reconstruction: Reconstruction, video: int, renderer: drawing.Renderer, height: int, pictures: int) -> dict[str, Any]:
    """One clip with its overlay, or with the reason why there is none, and its curves."""
    path, people = reconstruction.videos[video], _of_video(reconstruction, video)
    clip: dict[str, Any] = {"name": path.name, "problem": "", "video": "", "poster": "", "overlay": None, "curves": ""}
    try:
        mp4, poster, facts = drawing.draw_overlay(path, people, renderer, height=height, pictures=pictures)
        clip |= {"video": _base64(mp4), "poster": _base64(poster), "overlay": facts}
    except ValueError as error:  # a video that is gone or damaged does not stop the report
        clip["problem"] = str(error)
    if people:
        clip["curves"] = _base64(draw_curves(people))
    return clip


def _strip(reconstruction: Reconstruction, video: int, renderer: drawing.Renderer) -> dict[str, Any]:
    path = reconstruction.videos[video]
    try:
        picture = drawing.draw_strip(path, _of_video(reconstruction, video), renderer, height=120)
    except ValueError as error:
        return {"name": path.name, "picture": "", "problem": str(error)}
    return {"name": path.name, "picture": _base64(picture), "problem": ""}


def _problems(reconstruction: Reconstruction, clips: Sequence[dict], strips: Sequence[dict]) -> list[str]:
    """Notes below the verdict."""
    unread = [each["name"] for each in [*clips, *strips] if each["problem"]]
    problems = []
    if unread:
        problems.append(f"{verdict.count(len(unread), 'video')} could not be read for this report: {', '.join(unread[:5])}"
                        + (" and more." if len(unread) > 5 else "."))  # fmt: skip
    guessed = len(reconstruction.scene.provenance.get("guessed", ()))
    if guessed:
        things = f"{verdict.count(guessed, 'thing')} in this room {'is' if guessed == 1 else 'are'} guessed, not measured"
        problems.append(f"{things}: see “Rejected and guessed” below.")
    return problems


def _pictures(reconstruction: Reconstruction) -> dict[str, str]:
    import cv2

    def small(picture: np.ndarray) -> str:
        scale = min(1.0, 640 / picture.shape[1])
        reduced = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        return _base64(drawing.jpeg(np.ascontiguousarray(reduced)))

    scene, depth = reconstruction.scene, draw_depth(reconstruction.scene)
    return {
        "top": _base64(draw_top_view(reconstruction)), "plate": small(scene.plate),
        "grid": small(draw_floor_grid(scene.plate, scene.camera)), "depth": "" if depth is None else _base64(depth),
    }  # fmt: skip


def _switches(view: dict[str, Any]) -> list[tuple[str, str, bool, bool]]:
    """Switches of the parts there are; without a mesh, the points are shown at first."""
    there = {"room": view["room"] is not None, "walls": view["room"] is not None, "cloud": view["cloud"] is not None}
    there |= dict.fromkeys(("people", "ghosts", "paths"), bool(view["clips"]))
    return [(name, title, on or (name == "cloud" and not view["room"]), there.get(name, True)) for name, title, on in SWITCHES]


def _figure(value: float | None, digits: int, times: float = 1.0) -> str:
    return "–" if value is None else f"{round(value * times, digits) + 0.0:.{digits}f}"


def _value_text(value: Any) -> str:
    """A figure of the depth fit as text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and len(value) > 12:
        return ", ".join(_value_text(each) for each in value[:12]) + f", … ({len(value)})"
    if isinstance(value, list):
        return ", ".join(_value_text(each) for each in value)
    return "–" if value is None else str(value)


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
