"""Give a person a prop: whether it has a place in their motion, how large it is, and arms that hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..body.balls import RADII, ball_centers
from ..body.model import Body
from ..types import Motion
from .carrying import PROPS, Carrier, carrier_of, grip_points, held_frames, prop_track
from .library.scripted import ik
from .library.scripted.curves import ramp
from .library.scripted.goals import Hand, Trunk
from .library.scripted.rig import ARM, SIDES, SIGN, make_rig
from .posture import local_rotations, place_joints, with_pose, world_rotations

ON_FEET = 0.82
"""Share of its standing height at which a pelvis counts as on its feet."""
_LET_GO_SEC = 0.35
"""Seconds from the grip to the arms' own movement."""
_LEAST_HELD_SEC = 0.5
"""Seconds for which a prop must be held at least."""
_UP = np.array([0.0, 1.0, 0.0])


def take_up(motion: Motion, kind: str, body: Body, *, rng: np.random.Generator) -> tuple[Motion, dict[str, Any]]:
    """Give a person a prop.

    Args:
        motion: Any movement that starts on its feet; for a wheelchair one that sits on a chair.
        kind: A key of ``PROPS``.
        rng: For the side of the hand and the size.
    Returns:
        The motion with arms that hold the prop until it is let go, and the prop as ``provenance["props"]`` has it.
    Raises:
        ValueError: If the kind is unknown, or the prop has no place in this motion.
    """
    if kind not in PROPS:
        raise ValueError(f"unknown prop {kind!r}; expected one of: {', '.join(PROPS)}")
    if kind == "wheelchair":
        if motion.support != "chair":
            raise ValueError("prop 'wheelchair' has no place: nobody sits in this motion; use it with sit")
        return motion, {"kind": kind, "moving": False}
    rig = make_rig(body, motion.betas)
    carrier = carrier_of(motion, body)
    arm = rig.upper_arm + rig.forearm
    entry: dict[str, Any] = {
        "kind": kind, "moving": True, "person": 0, "side": str(rng.choice(SIDES)),
        "let_go_sec": _let_go(motion, carrier, rig.standing),
    }  # fmt: skip
    held = carrier.shoulders[: held_frames(entry, carrier)]
    low = {"walker": 0.90, "stick": 0.95, "tray": 0.62}[kind]
    entry["grip"] = round(float(np.median(held) - low * arm * rng.uniform(0.98, 1.02)), 4)
    entry["reach"] = round(float(rig.scale * {"walker": 0.27, "stick": 0.17, "tray": 0.37}[kind] * rng.uniform(0.95, 1.05)), 4)
    track = prop_track(entry, carrier)
    if kind == "walker":
        _require_clear(carrier, track, entry)
    return _holding(motion, body, entry, track), entry


def _let_go(motion: Motion, carrier: Carrier, standing: float) -> float | None:
    """Seconds at which the person stops being on their feet; None if never.

    Raises:
        ValueError: If that is at the start.
    """
    low = carrier.joints[:, 0, 1] < ON_FEET * standing
    ends = [segment.start_sec + 0.15 for segment in motion.segments if segment.label == "fall"]
    if low.any():
        ends.append(float(np.argmax(low) / motion.fps))
    end = min(ends, default=None)
    if end is None:
        return None
    if end < _LEAST_HELD_SEC:
        raise ValueError(
            f"the prop has no place: {motion.action} is not on its feet for the first {_LEAST_HELD_SEC:g} s; use it with walk"
        )
    return round(end, 4)


def _require_clear(carrier: Carrier, track: np.ndarray, entry: dict[str, Any]) -> None:
    """Refuse a fall into the walker."""
    start = held_frames(entry, carrier)
    balls = ball_centers(carrier.joints[start:])
    local = np.einsum("tij,tbi->tbj", track[start:, :3, :3], balls - track[start:, None, :3, 3])
    low, high = np.array([-0.28, 0.0, 0.0]), np.array([0.28, entry["grip"] - 0.15, 0.5])
    within = ((local > low - 0.3 * RADII[:, None]) & (local < high + 0.3 * RADII[:, None])).all(-1)
    # Knees and feet walk between its wheels.
    upper = np.arange(len(RADII)) < 5
    if (within & upper).any():
        raise ValueError("prop 'walker' has no place: the body comes down on it; use it with other movements")


def _holding(motion: Motion, body: Body, entry: dict[str, Any], track: np.ndarray) -> Motion:
    """The motion with its arms at the prop, blended to its own when the prop is let go."""
    rig = make_rig(body, motion.betas)
    rest = np.array(body.rest_joints(motion.betas), np.float64)
    worlds, pelvis = world_rotations(motion), np.asarray(motion.transl, np.float64) + rest[0]
    local = local_rotations(worlds)
    trunk = Trunk(rig, place_joints(worlds, rest, pelvis), worlds)
    t = np.arange(len(motion)) / motion.fps
    end = entry["let_go_sec"]
    free = np.zeros(len(t)) if end is None else ramp(t, end, end + _LET_GO_SEC)
    for side in SIDES if PROPS[entry["kind"]].hands == 2 else (entry["side"],):
        held = HANDS[entry["kind"]](entry, track, side, rig.palm).solve(side, trunk)
        own = local[:, list(ARM[side])]
        local[:, list(ARM[side])] = ik.slerp(held, own, np.repeat(free[:, None], 4, axis=1))
    return with_pose(motion, ik.forward(local, rest)[1], pelvis, rest)


def _hand_on_top(entry: dict[str, Any], track: np.ndarray, side: str, palm: float) -> Hand:
    """A palm on a grip that runs along the prop's z."""
    turn, sign = track[:, :3, :3], SIGN[side]
    ahead, left = turn[..., 2], turn[..., 0]
    grip = grip_points(entry, track, side)
    level = ik.unit(ahead * [1.0, 0.0, 1.0])
    return Hand(
        at=grip - 0.075 * level + (palm + 0.012) * _UP, pole=-0.7 * level + 0.35 * sign * left - 0.7 * _UP,
        fingers=level - 0.15 * _UP, palm=-_UP - 0.15 * level,
    )  # fmt: skip


def _hand_below(entry: dict[str, Any], track: np.ndarray, side: str, palm: float) -> Hand:
    """A palm under the edge of a tray."""
    turn, sign = track[:, :3, :3], SIGN[side]
    ahead, left = turn[..., 2], turn[..., 0]
    grip = grip_points(entry, track, side)
    return Hand(
        at=grip - 0.08 * ahead - (palm + 0.008) * _UP, pole=-0.6 * ahead + 0.4 * sign * left - 0.8 * _UP,
        fingers=ahead - 0.35 * sign * left, palm=np.broadcast_to(_UP, ahead.shape),
    )  # fmt: skip


HANDS: dict[str, Callable[[dict[str, Any], np.ndarray, str, float], Hand]] = {
    "walker": _hand_on_top, "stick": _hand_on_top, "tray": _hand_below,
}  # fmt: skip
"""Kind of a held prop to (entry, track, side, height of the palm) -> goal of a hand."""
