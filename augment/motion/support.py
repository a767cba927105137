"""What carries a recorded motion besides the floor: a mocap file holds the body, but not the chair or bed it was on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.model import Body, joints_of
from ..types import Motion, Surface
from .seats import seats_from_people

KINDS = ("auto", "floor", "chair", "bed")
"""What may be asked for."""
_OFF_FLOOR = 0.12
"""Least height of the lowest joint of somebody who lies on a bed, metres: otherwise hands or feet may carry the body."""


def find_support(motion: Motion, body: Body, kind: str = "auto") -> Motion:
    """The motion with the chair or bed that it must have been made on.

    Args:
        motion: World frame, the floor at y = 0.
        body: The motion's body.
        kind: ``floor``: none. ``chair`` or ``bed``: where it rested longest as on one. ``auto``: where it rested longest, if
            there was something to rest on.
    Raises:
        ValueError: If ``kind`` is unknown, or nobody rests for a second as on a chair or bed where one is asked for.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown support {kind!r}; expected one of: {', '.join(KINDS)}")
    none = replace(motion, support="floor", support_height=0.0, support_center=None, support_yaw=0.0)
    if kind == "floor":
        return none
    joints = joints_of(body, motion)
    found = [seat for seat in seats_from_people([joints], motion.fps) if kind in ("auto", seat.kind)]
    if kind == "auto":
        found = [seat for seat in found if seat.kind == "chair" or _lies_clear(joints, seat)]
    if not found:
        if kind == "auto":
            return none
        raise ValueError(f"{motion.name}: support {kind}: nobody rests as on a {kind} for a second; use auto or floor")
    seat = found[0]
    return replace(
        motion,
        support=seat.kind,
        support_height=float(seat.center[1]),
        support_center=(float(seat.center[0]), float(seat.center[2])),
        support_yaw=seat.yaw,
    )


def _lies_clear(joints: np.ndarray, bed: Surface) -> bool:
    """Whether the whole body is off the floor in most frames in which its pelvis is over the bed."""
    away = np.linalg.norm(joints[:, 0] - bed.center, axis=1) < 0.4
    return bool(away.any() and np.median(joints[away, :, 1].min(axis=1)) > _OFF_FLOOR)
