"""The contact sheet of a run: each pictured clip's row is drawn by the worker that filmed it, so no video is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .recipe import PlannedClip

SHEET = "sheet.png"
SHEET_CLIPS = 14
"""Clips on the contact sheet."""
SPARE = 2
"""Rows more than are needed of each action, for clips that cannot be made."""


def pictured(plan: Sequence[PlannedClip]) -> dict[str, str]:
    """Keys of the clips whose rows are drawn, with the names of their rows: as many actions as there are, then more of each."""
    seen: Counter[str] = Counter()
    names: dict[str, str] = {}
    most = -(-SHEET_CLIPS // max(len({clip.action for clip in plan}), 1)) + SPARE
    for clip in plan:
        rank = seen[clip.action]
        seen[clip.action] += 1
        if rank < most:
            names[clip.key] = f"{rank:03d}-{clip.action}"
    return names


def draw_row(layers: dict[str, Any], plate: np.ndarray, title: str) -> bytes:
    """A clip's row as a JPEG: the first frame whole, then closeups of the person."""
    from ..film.sheet import closeup, sheet_row, stick_figures

    joints2d = layers["joints2d"]
    frames = layers["frames"] if "frames" in layers else stick_figures(plate, joints2d)
    row = sheet_row(np.concatenate([frames[:1], closeup(frames, joints2d)]), title)
    ok, data = cv2.imencode(".jpg", row[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert ok
    return data.tobytes()


def chosen(names: Mapping[str, str], made: Collection[str]) -> list[str]:
    """Keys of the clips on the sheet, one action after the other.

    Args:
        names: As ``pictured`` gives them.
        made: Keys of the clips that could be made.
    """
    kept = sorted((name, key) for key, name in names.items() if key in made)[:SHEET_CLIPS]
    return [key for _, key in sorted(kept, key=lambda item: item[0].partition("-")[2])]


def write_sheet(rows: Sequence[bytes], path: Path) -> None:
    """Join rows to the sheet."""
    from ..film.sheet import stack_rows

    pictures = [cv2.imdecode(np.frombuffer(row, np.uint8), cv2.IMREAD_COLOR) for row in rows]
    stack_rows([np.asarray(picture)[..., ::-1] for picture in pictures], path)
