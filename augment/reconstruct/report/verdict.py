"""Figures graded: each with its limits, in words for the reader, and what to do where it is not good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GOOD, FAIR, POOR, UNKNOWN = "good", "fair", "poor", "not measured"
WORDS = {GOOD: "good", FAIR: "usable with care", POOR: "not to be trusted", UNKNOWN: "not measured"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a figure of which less is better."""

    good: float
    fair: float
    """Beyond this the figure is poor."""

    def grade(self, value: float | None) -> str:
        """A key of ``WORDS``."""
        if value is None:
            return UNKNOWN
        return GOOD if abs(value) <= self.good else FAIR if abs(value) <= self.fair else POOR


REPROJECTION = Limits(0.02, 0.04)
"""Median reprojection error, share of the person's height in the picture."""
LOST = Limits(0.1, 0.3)
"""Share of the time that is bridged or rejected."""
STATURE = (1.40, 2.05)
"""Least and largest plausible stature, metres."""
STATURE_SPREAD = Limits(0.04, 0.1)
"""Difference between the statures of one person in several clips, metres."""
SOLE_HEIGHT = Limits(0.02, 0.05)
"""Height of standing soles over the floor, metres."""
FOOT_SKATE = Limits(0.08, 0.2)
"""Speed of standing feet, m/s."""
PENETRATION = Limits(0.01, 0.03)
"""Mean depth of bodies in the floor, metres."""
CAMERA_HEIGHT = Limits(0.08, 0.2)
"""Standard deviation of the camera's height, metres."""
CAMERA_PITCH = Limits(1.0, 2.5)
"""Standard deviation of the camera's pitch, degrees."""
FOCAL = Limits(0.05, 0.12)
"""Standard deviation of the focal length, share of it."""
FLOOR_TILT = Limits(1.5, 3.0)
"""Tilt of the recovered floor, degrees."""
DEPTH_OUTLIERS = Limits(0.3, 0.5)
"""Share of compared points where depth map and bodies disagree."""
DEPTH_RESIDUAL = Limits(0.03, 0.08)
"""Median difference between depth map and bodies where they agree, share of the distance."""
DEPTH_FRAMES = Limits(0.2, 0.5)
"""Share of the frames that do not agree on the depth map's scale."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 person``, ``3 people``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def length(metres: float | None) -> str:
    """Centimetres below 30 cm, else metres."""
    if metres is None:
        return "–"
    return f"{100 * metres:.1f} cm" if abs(metres) < 0.3 else f"{metres:.2f} m"


def headline(summary: dict[str, Any]) -> str:
    """One sentence: how many people were recovered, for how long, in how many clips."""
    totals = summary["totals"]
    clips = count(totals["clips"], "clip")
    if not totals["people"]:
        return f"Nobody was recovered in {clips}: this is the room alone."
    text = f"{count(totals['people'], 'person', 'people')} recovered in {clips}: {totals['seconds']:.1f} s of movement"
    text += f", of which {totals['seconds_trusted']:.1f} s seen and trusted"
    if totals["seconds_bridged"]:
        text += f", {totals['seconds_bridged']:.1f} s bridged over gaps"
    if totals["seconds_rejected"]:
        text += f", {totals['seconds_rejected']:.1f} s rejected"
    text += "."
    if totals["people"] > totals["clips_with_people"]:
        text += " A person is counted once for each unbroken track, so somebody who left and came back may count twice."
    if totals["lying"]:
        text += f" Somebody lies down in {count(totals['lying'], 'place')}."
    return text


def checks(summary: dict[str, Any]) -> list[dict[str, str]]:
    """Every check: ``name``, ``found``, ``good``, ``grade``, ``why`` it matters and what to do."""
    return [*_people(summary), *_camera(summary), *_depth(summary)]


def _check(name: str, what: str, good: str, grade: str, why: str) -> dict[str, str]:
    return {"name": name, "found": what, "good": good, "grade": grade, "why": why}


def _people(summary: dict[str, Any]) -> list[dict[str, str]]:
    totals = summary["totals"]
    if not totals["people"]:
        return []
    share, px = totals["reprojection_share"], totals["reprojection_px"]
    what = "no keypoints to compare with" if px is None else f"{px:.1f} px"
    if share is not None:
        what += f", {100 * share:.1f} % of the person's height"
    return [
        _check(
            "Reprojection error", what, "up to 2 % of the height", REPROJECTION.grade(share),
            "How far the fitted body's joints are from the points the detector marked, in the picture (median). The detector "
            "itself is off by 1 to 2 %. Much more: the body does not follow the person; look at the overlay.",
        ),
        _seen(totals),
        _heights(totals),
        _check(
            "Feet on the floor", "the feet never stand" if totals["foot_height_m"] is None
            else f"soles at {round(100 * totals['foot_height_m'], 1) + 0.0:+.1f} cm while they stand",
            "within 2 cm of 0", SOLE_HEIGHT.grade(totals["foot_height_m"]),
            "Standing feet should be on the floor. Above or below it: camera height or floor are off by about as much.",
        ),
        _check(
            "Foot skate", "the feet never stand" if totals["foot_skate_m_s"] is None
            else f"{100 * totals['foot_skate_m_s']:.1f} cm/s",
            "up to 8 cm/s", FOOT_SKATE.grade(totals["foot_skate_m_s"]),
            "How fast feet slide that are said to stand. Much more than motion capture's few cm/s looks like skating.",
        ),
        _check(
            "Into the floor", "no frame is trusted" if totals["floor_penetration_m"] is None
            else f"{100 * totals['floor_penetration_m']:.1f} cm on average, "
            f"deepest {length(totals['floor_penetration_deepest_m'])}",
            "up to 1 cm on average", PENETRATION.grade(totals["floor_penetration_m"]),
            "How deep the lowest point of the body is below the floor.",
        ),
    ]  # fmt: skip


def _seen(totals: dict[str, Any]) -> dict[str, str]:
    lost = 1 - totals["seconds_trusted"] / totals["seconds"] if totals["seconds"] else None
    what = f"{100 * (1 - lost):.0f} % of {totals['seconds']:.1f} s" if lost is not None else "–"
    return _check(
        "Seen and trusted", what, "at least 90 %", LOST.grade(lost),
        "The rest was bridged (the person was hidden or missed) or rejected; rejected stretches are not in the motion store.",
    )  # fmt: skip


def _heights(totals: dict[str, Any]) -> dict[str, str]:
    least, most, spread = totals["height_m_least"], totals["height_m_most"], totals["height_m_spread"]
    good, why = (
        f"{STATURE[0]:.2f} to {STATURE[1]:.2f} m",
        "A standing height outside this range means that the scale of the whole room is off.",
    )
    if spread is None:
        grade = GOOD if STATURE[0] <= most <= STATURE[1] else POOR
        return _check("Height of the person", f"{most:.2f} m", good, grade, why)
    what = f"{least:.2f} to {most:.2f} m"
    if not totals["one_a_clip"]:
        return _check("Heights of the people", what, good, GOOD if least >= STATURE[0] and most <= STATURE[1] else POOR, why)
    what += f", spread {100 * spread:.1f} cm (standard deviation {100 * totals['height_m_std']:.1f} cm)"
    return _check(
        "Height over the clips", what, "spread up to 4 cm if it is one person", STATURE_SPREAD.grade(spread),
        "Every clip holds one person. If it is the same one, each should find the same height; if not, ignore this.",
    )  # fmt: skip


def _camera(summary: dict[str, Any]) -> list[dict[str, str]]:
    camera, floor = summary["camera"], summary["floor"]
    focal = Limits(FOCAL.good * camera["focal_px"], FOCAL.fair * camera["focal_px"])
    rows = [
        ("height_m", "Camera height", " m", 2, CAMERA_HEIGHT, "Sets the scale: 5 % too high makes people 5 % too tall."),
        ("pitch_deg", "Camera pitch", "° down", 1, CAMERA_PITCH, "Down is positive. Off by 1°, the floor at 5 m is 9 cm off."),
        ("focal_px", "Focal length", " px", 0, focal,
         f"A field of view of {camera['fov_deg']:.0f}° across. Too long, and people walk too slowly away from the camera."),
    ]  # fmt: skip
    result = []
    for field, name, unit, digits, limits, why in rows:
        std, guessed = camera["std"][field], camera["guessed"][field]
        # A guess has no standard deviation of its own.
        if guessed or (std is None and camera["observed"] is False):
            worth, grade = "guessed", POOR
        elif std is None:
            worth, grade = "as given, no uncertainty known", UNKNOWN
        else:
            worth, grade = f"± {std:.{digits}f}, measured", limits.grade(std)
            if camera["observed"] is False:
                worth, grade = f"± {std:.{digits}f}, guessed for the most part", max(grade, FAIR, key=[GOOD, FAIR, POOR].index)
        limit = f"measured, ± {limits.good:.{digits}f}{unit.replace(' down', '')} or less"
        result.append(_check(name, f"{camera[field]:.{digits}f}{unit} ({worth})", limit, grade, why))
    tilts = {
        "of the depth picture's floor": floor["tilt_deg_depth"], "of where feet stand": floor["tilt_deg_feet"],
        "between the depth map's own floor and the camera's": floor["tilt_deg_told"],
    }  # fmt: skip
    if not summary["depth"]:  # a guessed room is level because it was made so
        del tilts["of the depth picture's floor"]
    known = {where: tilt for where, tilt in tilts.items() if tilt is not None}
    worst = max(known.values(), default=None)
    text = ", ".join(f"{tilt:.1f}° {where}" for where, tilt in known.items()) or "too few points on the floor"
    result.append(_check(
        "Floor tilt", text, "up to 1.5°", FLOOR_TILT.grade(worst),
        "The floor should be level in the recovered world. A tilt comes from a wrong pitch, focal length or depth.",
    ))  # fmt: skip
    return result


def _depth(summary: dict[str, Any]) -> list[dict[str, str]]:
    depth = summary["depth"]
    if not depth:
        return [_check(
            "Depth", "none was given: the room is a floor with upright walls, guessed", "a depth map scaled by the people",
            UNKNOWN, "Without it, furniture hides nobody and only people's places on the floor are measured.",
        )]  # fmt: skip
    result = []
    ratio, residual = depth.get("inlier_ratio"), depth.get("residual")
    if isinstance(ratio, (int, float)):
        result.append(_check(
            "Depth agrees with bodies", f"{100 * ratio:.0f} % of the compared points", "at least 70 %",
            DEPTH_OUTLIERS.grade(1 - ratio),
            "Share of places on people where the scaled depth map and the fitted bodies say the same. Low: the bodies are at "
            "the wrong distance, or the map is poor.",
        ))  # fmt: skip
    if isinstance(residual, (int, float)):
        result.append(_check(
            "Depth residual", f"{100 * residual:.1f} % of the distance", "up to 3 %", DEPTH_RESIDUAL.grade(residual),
            "How far depth map and bodies are apart where they agree (median). The room is about as exact as this.",
        ))  # fmt: skip
    agreed, frames = depth.get("frames_agreed"), depth.get("frames")
    frames = len(frames) if isinstance(frames, list) else frames
    if isinstance(agreed, (int, float)) and isinstance(frames, (int, float)) and frames:
        result.append(_check(
            "Frames that agree on the scale", f"{agreed:.0f} of {frames:.0f}", "at least 80 %",
            DEPTH_FRAMES.grade(1 - agreed / frames),
            "The same scale and offset should serve every frame of a fixed camera.",
        ))  # fmt: skip
    return result or [_check("Depth", f"source: {depth.get('source', 'unknown')}", "inlier ratio at least 70 %", UNKNOWN,
                             "The fit reported no figure of how well it agrees.")]  # fmt: skip


def overall(rows: list[dict[str, str]]) -> dict[str, Any]:
    """The verdict: the worst grade as ``word``, and the names of the checks of each grade."""
    by_grade = {grade: [row["name"].lower() for row in rows if row["grade"] == grade] for grade in WORDS}
    word = POOR if by_grade[POOR] else FAIR if by_grade[FAIR] else GOOD if by_grade[GOOD] else UNKNOWN
    return {"word": word, **{grade.replace(" ", "_"): names for grade, names in by_grade.items()}}
