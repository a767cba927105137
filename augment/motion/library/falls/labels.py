"""Labels and checks of a simulated fall: when it begins and ends, and whether it is the requested one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ....types import JOINT, Motion, Segment
from ...labels import core_label
from .control import Trace
from .plan import FallPlan, world_direction

ONSET_TILT_DEG = 12.0
"""Change of the trunk's lean at which balance counts as lost."""
ONSET_DROP_M = 0.05
"""Descent of the pelvis at which balance counts as lost."""
SETTLED_SPEED = 0.5
"""Speed of the joints' mean below which the fall has ended, m/s."""
PEAK_FORCE_N = 25_000.0
"""Largest plausible ground force of a fall from standing height."""
PEAK_PART_FORCE_N = 15_000.0
"""Largest plausible force on one part (hips hit a floor with 2-8 kN; the model has no soft tissue to damp it)."""
PEAK_HEAD_FORCE_N = 8_000.0
"""Largest plausible force on the head of a person who protects it."""
LIMIT_SLACK_DEG = 22.0
"""Largest violation of a joint limit at an impact."""
SINK_M = 0.04
"""Largest penetration of the floor by the skin."""


def trunk_lean(rotvec: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, " t"]:
    """Angle between the rotated and the world's up axis, degrees."""
    return np.rad2deg(np.arccos(np.clip(Rotation.from_rotvec(rotvec).as_matrix()[:, 1, 1], -1.0, 1.0)))


def fall_interval(
    joints: Float[np.ndarray, "t 24 3"], lean: Float[np.ndarray, " t"], release: int, fps: float
) -> tuple[int, int]:
    """First frame of the fall and first frame of lying, from joints.

    Args:
        joints: Metres, world.
        lean: Lean of the trunk from upright, degrees.
        release: Last frame before the perturbation.
    """
    pelvis = joints[:, JOINT["pelvis"], 1]
    settled_lean, settled_height = lean[: release + 1].mean(), pelvis[: release + 1].min()
    lost = (np.abs(lean - settled_lean) > ONSET_TILT_DEG) | (pelvis < settled_height - ONSET_DROP_M)
    lost[: release + 1] = False
    onset = int(np.argmax(lost)) - round(0.1 * fps) if lost.any() else release + 1
    onset = max(onset, release + 1)
    middle = joints.mean(1)
    speed = np.linalg.norm(np.diff(middle, axis=0, prepend=middle[:1]), axis=1) * fps
    chest, low = joints[:, JOINT["spine3"], 1], pelvis[-1] + 0.15
    moving = (speed > SETTLED_SPEED) | (pelvis > low) | (chest > chest[-1] + 0.2)
    moving[:onset] = True
    fallen = int(np.flatnonzero(moving)[-1]) + 1
    return onset, min(max(fallen, onset + 1), len(joints) - 1)


def start_segments(start: Motion, frames: int, fps: float) -> tuple[Segment, ...]:
    """Labels of the last ``frames`` frames of a start motion, beginning at 0 s."""
    end, length = len(start) / start.fps, frames / fps
    if not start.segments:
        return (Segment(label=core_label(start), start_sec=0.0, end_sec=length),)
    shift = end - length
    kept = [
        Segment(label=s.label, start_sec=max(s.start_sec - shift, 0.0), end_sec=min(s.end_sec - shift, length))
        for s in start.segments
        if s.end_sec > shift + 1e-6 and s.start_sec < end - 1e-6
    ]
    last = kept[-1]
    kept[-1] = Segment(label=last.label, start_sec=last.start_sec, end_sec=length)
    return tuple(kept)


def fall_segments(before: tuple[Segment, ...], onset: int, fallen: int, frames: int, fps: float) -> tuple[Segment, ...]:
    """The start's labels up to the onset, then ``fall``, then ``fallen``, without gaps."""
    last = before[-1]
    lead = (*before[:-1], Segment(label=last.label, start_sec=last.start_sec, end_sec=onset / fps))
    fall = Segment(label="fall", start_sec=onset / fps, end_sec=fallen / fps)
    return (*lead, fall, Segment(label="fallen", start_sec=fallen / fps, end_sec=frames / fps))


def physics_problem(trace: Trace, sink: float) -> str | None:
    """Why a simulation is implausible, or None if it is not."""
    if trace.failure:
        return trace.failure
    if trace.still_at is None:
        return "did not come to rest"
    if trace.peak_force > PEAK_FORCE_N or trace.peak_part_force > PEAK_PART_FORCE_N:
        return "impact force too great"
    if trace.peak_head_force > PEAK_HEAD_FORCE_N:
        return "struck the head too hard"
    if np.rad2deg(trace.limit_excess) > LIMIT_SLACK_DEG:
        return "joint forced beyond its limit"
    if sink > SINK_M:
        return "sank into the floor"
    return None


def outcome_problem(plan: FallPlan, joints: Float[np.ndarray, "t 24 3"], trace: Trace, release: int, fps: float) -> str | None:
    """Why the fall is not the requested one, or None if it is.

    The head must move in the requested direction and end low; a forward fall ends on the front or a side, a backward one on the
    back or a side; and the region named by the kind must touch the floor first.
    """
    end, start = joints[-1], joints[release]
    scale = float(np.ptp(start[:, 1])) if plan.kind != "fall_from_chair" else 1.5
    if end[JOINT["pelvis"], 1] > 0.145 * scale:
        return "did not go down"
    if end[JOINT["head"], 1] > 0.2 * scale or end[JOINT["spine3"], 1] > 0.19 * scale:
        return "still upright"
    if min(end[JOINT["left_knee"], 1], end[JOINT["right_knee"], 1]) > 0.38:
        return "legs in the air at rest"
    travel = (end[JOINT["head"]] - start[JOINT["head"]])[[0, 2]]
    requested = world_direction(plan)[[0, 2]]
    angle = np.rad2deg(np.arccos(np.clip(travel @ requested / max(np.linalg.norm(travel), 1e-6), -1.0, 1.0)))
    chair = plan.kind == "fall_from_chair"
    if np.linalg.norm(travel) < (0.15 if chair else 0.25) * scale or angle > (65.0 if chair else 55.0):
        return "fell in another direction"
    if _upside_down(joints) > 0.2 * fps:
        return "stood on the head"
    return _posture_problem(plan, joints, trace)


def _upside_down(joints: Float[np.ndarray, "t 24 3"]) -> int:
    """Number of frames with the head on the floor, and pelvis and feet well above it."""
    feet = joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]], 1].min(1)
    return int(((joints[:, JOINT["head"], 1] < 0.3) & (joints[:, JOINT["pelvis"], 1] > 0.42) & (feet > 0.3)).sum())


def _front(joints: np.ndarray) -> np.ndarray:
    """Unit vector to the front of the chest."""
    across = joints[JOINT["left_shoulder"]] - joints[JOINT["right_shoulder"]]
    up = joints[JOINT["spine3"]] - joints[JOINT["pelvis"]]
    front = np.cross(across, up)
    return front / np.linalg.norm(front)


def _posture_problem(plan: FallPlan, joints: np.ndarray, trace: Trace) -> str | None:
    touch, facing = trace.first_touch, float(_front(joints[-1])[1])
    never = np.inf
    if plan.kind in ("fall_forward_hands", "fall_forward_knees") and facing > 0.35:
        return "ended on the back"
    if plan.kind == "fall_backward" and facing < -0.35:
        return "ended on the front"
    if plan.kind == "fall_forward_hands" and touch.get("hands", never) > min(
        touch.get("head", never), touch.get("chest", never)
    ):
        return "hands did not break the fall"
    if plan.kind == "fall_forward_knees":
        others = [touch.get(region, never) for region in ("hands", "chest", "head", "pelvis")]
        if touch.get("knees", never) > min(others):
            return "knees did not land first"
    if plan.kind == "fall_backward" and min(touch.get("pelvis", never), touch.get("thighs", never)) > touch.get("head", never):
        return "head landed first"
    if plan.kind == "fall_sideways":
        return _side_problem(plan, trace)
    return None


def _side_problem(plan: FallPlan, trace: Trace) -> str | None:
    regions = [region for region in ("pelvis", "thighs", "chest") if region in trace.first_touch]
    if not regions:
        return "did not go down"
    first = min(regions, key=lambda region: trace.first_touch[region])
    tilt = float(trace.touch_axes[first][1, 0]) * (1.0 if plan.side == "left" else -1.0)
    return None if tilt < -0.2 else "did not land on the side"
