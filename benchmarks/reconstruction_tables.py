"""The figures of ``benchmarks.reconstruction`` as markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.truth.pose_errors import ratio_interval

ROWS: tuple[tuple[str, str, float], ...] = (
    ("mpjpe", "MPJPE, mm", 1000), ("pa_mpjpe", "PA-MPJPE, mm", 1000), ("root", "root, mm", 1000),
    ("root_depth", "root along the view, mm", 1000), ("world_mpjpe", "joints in the world, mm", 1000),
    ("acceleration", "acceleration, m/s²", 1), ("skate", "foot skate, m/s", 1),
)  # fmt: skip


def all_tables(work: Path) -> str:
    """Every part that has figures in ``work``."""
    parts = [_truth(folder) for folder in sorted(work.glob("truth-*"))]
    parts += [_depths(work / name, title) for name, title in (("room", "Room depth, known truth"), ("depth", "Real depth"))]
    parts += [_peer(work / "peer"), _video(work / "video"), _stored_output(work / "speed" / "reconstruct.json", "Speed")]
    parts += [_stored_output(work / "tracking.json", "Tracking")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _read(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Figures of all successful steps, and the error messages of the others."""
    figures, refused = [], []
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text())
        refused.append(f"{path.stem}: {data['refused']}") if "refused" in data else figures.append(data)
    return figures, refused


def _truth(folder: Path) -> str:
    figures, refused = _read(folder)
    if not figures:
        return ""
    modes = [mode for mode in ("bodies+keypoints", "bodies", "keypoints") if mode in figures[0]]
    lines = [
        f"### People, known truth ({folder.name}): {len(figures)} sequences, mean; share of the given error, 95 % interval",
        "", f"| | bodies as given | {' | '.join(f'{mode} | share' for mode in modes)} |", "|---" * (2 + 2 * len(modes)) + "|",
    ]  # fmt: skip
    for key, title, unit in ROWS:
        before = np.array([row["before"][key] for row in figures], float)
        cells = [f"{np.nanmean(before) * unit:.3g}"]
        for mode in modes:
            after = np.array([row[mode][key] for row in figures], float)
            ratio, low, high = ratio_interval(after, before, rng=np.random.default_rng(0))
            cells += [f"{np.nanmean(after) * unit:.3g}", f"{ratio:.2f} ({low:.2f}-{high:.2f})"]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    off = [abs(row[modes[0]]["height"] - row["height"]) * 100 for row in figures]
    spent = [row[modes[0]]["seconds"] / row["frames"] * 1000 for row in figures]
    lines += ["", f"Stature off by {np.median(off):.1f} cm (median); {np.median(spent):.0f} ms a frame."]
    lines += ["", *_by_name(figures, modes), *[f"- refused: {line}" for line in refused]]
    return "\n".join(lines)


def _by_name(figures: list[dict[str, Any]], modes: list[str]) -> list[str]:
    lines = [f"| sequence | MPJPE given | {' | '.join(modes)} | root given | {' | '.join(modes)} |"]
    lines.append("|---" * (3 + 2 * len(modes)) + "|")
    for row in figures:
        cells = [f"{row[who][key] * 1000:.0f}" for key in ("mpjpe", "root") for who in ("before", *modes)]
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    return lines


def _depths(folder: Path, title: str) -> str:
    figures, refused = _read(folder)
    if not figures:
        return ""
    shares = [key for key in figures[0] if key[:2] == "0."]
    head = f"| | {' | '.join(f'{float(share):.0%} outliers' for share in shares)} |"
    lines = [f"### {title}: relative error of depth, median over pixels", "", head, "|---" * (1 + len(shares)) + "|"]
    for row in figures:
        cells = [f"{row[s]['error']:.2%}" if "error" in row[s] else "refused" for s in shares]
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    medians = [[row[s]["error"] for row in figures if "error" in row[s]] for s in shares]
    lines.append(f"| **median** | {' | '.join(f'{np.median(m):.2%} of {len(m)}' if m else '-' for m in medians)} |")
    return "\n".join([*lines, *[f"- refused: {line}" for line in refused]])


def _peer(folder: Path) -> str:
    figures, refused = _read(folder)
    if not figures:
        return ""
    lines = [
        "### Beside SMPLify through smplx alone (same keypoints, true camera, same frames)",
        "",
        "| | peer | ours | share |",
    ]
    lines.append("|---|---|---|---|")
    for key, title, unit in ROWS[:5]:
        peer, ours = (np.array([row[who][key] for row in figures], float) for who in ("peer", "ours"))
        ratio, low, high = ratio_interval(ours, peer, rng=np.random.default_rng(0))
        lines.append(f"| {title} | {peer.mean() * unit:.3g} | {ours.mean() * unit:.3g} | {ratio:.2f} ({low:.2f}-{high:.2f}) |")
    theirs, mine = (np.mean([row[key] for row in figures]) for key in ("peer seconds a frame", "our seconds a frame"))
    lines.append(f"| seconds a frame | {theirs:.2f} | {mine:.3f} | {mine / theirs:.2f} |")
    return "\n".join([*lines, *[f"- refused: {line}" for line in refused]])


def _video(folder: Path) -> str:
    path = folder / "compared.json"
    if not path.exists():
        return ""
    data = json.loads(path.read_text())
    columns = (
        ("rigid", 1000, "one rigid motion, mm"), ("rigid down", 1000, "of it fall and down"), ("root", 1000, "pelvis, mm"),
        ("frame", 1000, "rigid each frame, mm"), ("pa", 1000, "similar each frame, mm"),
        ("pa down", 1000, "of it fall and down"), ("scale", 1, "size 2/1"),
    )  # fmt: skip
    head = ["trusted 1, 2, both", *(title for _, _, title in columns), "stature 1, 2, m"]
    head += ["off 1, 2, px", "off 1, 2, % of stature", "soles at contact above floor 1, 2, cm"]
    lines = ["### Two real cameras, each reconstructed alone: distance of the joints between the views", ""]
    lines += [f"| activity | {' | '.join(head)} |", "|---" * (1 + len(head)) + "|"]
    for action in dict.fromkeys(row["action"] for row in data["recordings"]):
        rows = [row for row in data["recordings"] if row["action"] == action]
        lines.append(f"| {action} | {' | '.join(_video_cells(rows, columns))} |")
    lines.append(f"| **mean** | {' | '.join(_video_cells(data['recordings'], columns))} |")
    room = data["room"]
    lines += [
        "",
        f"All recordings after ONE rigid motion: mean {room['mean'] * 1000:.0f} mm, median {room['median'] * 1000:.0f} mm.",
    ]
    for name in ("stature 1", "stature 2", "stature difference"):
        row = data[name]
        spread = f"standard deviation {row['std'] * 100:.1f} cm, largest less smallest {row['range'] * 100:.1f} cm, "
        spread += f"5th to 95th percentile {row['p5-p95'] * 100:.1f} cm ({row['clips']} clips)"
        lines += ["", f"{name.capitalize()}: mean {row['mean']:.3f} m, {spread}."]
    return "\n".join(lines)


def _video_cells(rows: list[dict[str, Any]], columns: tuple[tuple[str, float, str], ...]) -> list[str]:
    """One line of the table: means over recordings."""

    def mean(key: str) -> float:
        found = [row[key] for row in rows if row.get(key) is not None]
        return float(np.mean(found)) if found else float("nan")

    def both(form: str, keys: tuple[str, str], unit: float = 1.0) -> str:
        return ", ".join(form.format(mean(key) * unit) for key in keys)

    frames = sum(row["of"] for row in rows)
    trusted = [sum(row.get(key, 0) for row in rows) / frames for key in ("trusted 1", "trusted 2", "frames")]
    soles = [np.median([row[key][1] for row in rows if row.get(key)] or [np.nan]) * 100 for key in ("soles 1", "soles 2")]
    cells = [", ".join(f"{share:.0%}" for share in trusted)]
    cells += [f"{mean(key) * unit:.{0 if unit > 1 else 2}f}".replace("nan", "") for key, unit, _ in columns]
    cells += [both("{:.2f}", ("height 1", "height 2")), both("{:.1f}", ("reprojection 1", "reprojection 2"))]
    return [*cells, both("{:.1f}", ("share 1", "share 2"), 100), ", ".join(f"{value:.1f}" for value in soles)]


def _stored_output(path: Path, title: str) -> str:
    if not path.exists():
        return ""
    data = json.loads(path.read_text())
    seconds = f"{data['seconds']:.1f} s wall\n\n" if "seconds" in data else ""
    return f"### {title}\n\n{seconds}{data.get('said', data.get('refused', '')).strip()}"
