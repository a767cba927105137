"""Contact sheet of motions: one row per motion, stick figures at even intervals."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..files import write_atomic
from ..types import SMPL_JOINTS, SMPL_PARENTS, Motion

_COLORS = {"left": "#2471a3", "right": "#c0392b"}


def contact_sheet(
    motions: Sequence[Motion], joints: Sequence[Float[np.ndarray, "_ 24 3"]], path: Path, *, columns: int = 10
) -> None:
    """Draw motions as stick figures seen from the side and a little above; the left side is blue, the right red.

    Args:
        motions: What to draw; at most 24 are.
        joints: Their joints, world, metres.
        path: The PNG.
        columns: Figures a motion.
    """
    from matplotlib.figure import Figure

    rows = min(len(motions), 24)
    figure = Figure(figsize=(1.7 * columns, 2.0 * rows), dpi=70)
    grid = figure.subplots(rows, columns, squeeze=False)
    for row, (motion, points) in enumerate(zip(motions[:rows], joints[:rows], strict=True)):
        shown = np.linspace(0, len(points) - 1, columns).round().astype(int)
        middle = (points[:, 0].min(0) + points[:, 0].max(0)) / 2
        reach = max(1.0, float(np.abs(points[..., [0, 2]] - middle[[0, 2]]).max()))
        for column, frame in enumerate(shown):
            axes = grid[row, column]
            _draw(axes, points[frame] - [middle[0], 0, middle[2]])
            axes.set(xlim=(-reach, reach), ylim=(-0.5, 2 * reach - 0.5), aspect="equal")
            axes.axis("off")
            label = next((s.label for s in motion.segments if s.start_sec <= (frame + 0.5) / motion.fps < s.end_sec), "")
            axes.set_title(f"{frame / motion.fps:.1f} s {label}", fontsize=7, pad=1)
        grid[row, 0].text(0, 1.12, motion.name, transform=grid[row, 0].transAxes, fontsize=8, weight="bold")
    figure.tight_layout(pad=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomic(path, buffer.getvalue())


def _view(points: np.ndarray) -> np.ndarray:
    """World points to the picture: seen from the left front, 20 degrees down; shape (n, 2)."""
    yaw, pitch = np.radians(60.0), np.radians(20.0)
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    up = np.array([np.sin(pitch) * -np.sin(yaw), np.cos(pitch), np.sin(pitch) * -np.cos(yaw)])
    return np.stack([points @ right, points @ up], axis=-1)


def _draw(axes, joints: np.ndarray) -> None:
    floor = _view(np.array([[-1, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1.0]]))
    axes.fill(*floor.T, color="#ecf0f1", zorder=0)
    flat = _view(joints * [1, 0, 1])
    picture = _view(joints)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        axes.plot(*flat[[parent, joint]].T, color="#bdc3c7", linewidth=1.5, zorder=1)
        color = _COLORS.get(SMPL_JOINTS[joint].split("_")[0], "#34495e")
        axes.plot(*picture[[parent, joint]].T, color=color, linewidth=2, solid_capstyle="round", zorder=2)
