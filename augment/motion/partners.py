"""Two motions that belong together: what each knows of the other, and both in one frame.

``provenance["partner"]`` has the other one's ``name``, ``at`` (where its pelvis is in the first frame, (x, z), metres) and
``yaw`` (its heading, radians), both seen from this one; for two that were made together ``number``: 1 for the one whom the
label is about, and ``one_frame``: their motions are in one frame as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..body.model import Body, joints_of
from ..geometry import turn_about_y
from ..types import Motion
from .posture import turn_and_shift, world_rotations


def partner_of(motion: Motion) -> dict[str, Any] | None:
    """What a motion knows of its partner; None if it has none."""
    return motion.provenance.get("partner")


def name_pair(one: Motion, other: Motion, name: str, body: Body) -> tuple[Motion, Motion]:
    """Two motions in one frame, named ``name``-1 and -2, each with the other's name and place."""
    named = [replace(motion, name=f"{name}-{number}") for number, motion in ((1, one), (2, other))]
    starts = [_start(motion, body) for motion in named]
    known = []
    for number, motion in enumerate(named):
        (here, heading), (there, turned) = starts[number], starts[1 - number]
        at = turn_about_y(there - here, -heading)
        yaw = (turned - heading + np.pi) % (2 * np.pi) - np.pi
        partner = {
            "name": named[1 - number].name, "at": [round(float(at[0]), 4), round(float(at[2]), 4)], "yaw": round(float(yaw), 4),
            "number": number + 1, "one_frame": True,
        }  # fmt: skip
        known.append(replace(motion, provenance=motion.provenance | {"partner": partner}))
    return known[0], known[1]


def together(one: Motion, other: Motion, body: Body) -> tuple[Motion, Motion]:
    """Both in the frame of the first one, cut to the shorter one's length.

    Raises:
        ValueError: If they are no partners, or their rates differ.
    """
    known = partner_of(one)
    if known is None or known["name"] != other.name:
        raise ValueError(f"motion {one.name!r} has no partner {other.name!r}; expected motions of two people together")
    if one.fps != other.fps:
        raise ValueError(
            f"motions {one.name!r} and {other.name!r}: expected the same rate, found {one.fps:g} and {other.fps:g}"
        )
    if not known.get("one_frame"):
        (here, heading), (there, turned) = _start(one, body), _start(other, body)
        x, z = known["at"]
        target, yaw = here + turn_about_y(np.array([x, 0.0, z]), heading), heading + known["yaw"] - turned
        shift = (target - turn_about_y(there, yaw)) * [1.0, 0.0, 1.0]
        other = turn_and_shift(other, yaw, shift, np.asarray(body.rest_joints(other.betas), np.float64)[0])
    count = min(len(one), len(other))
    return one.take(slice(count)), other.take(slice(count))


def _start(motion: Motion, body: Body) -> tuple[np.ndarray, float]:
    """Pelvis (metres) and heading (radians) of the first frame."""
    first = motion.take(slice(1))
    front = world_rotations(first)[0, 0, :, 2]
    return np.asarray(joints_of(body, first), np.float64)[0, 0], float(np.arctan2(front[0], front[2]))
