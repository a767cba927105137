"""Falls by physics: a humanoid with the body's proportions loses its balance, protects itself, and comes to lie still."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ....actions import ACTIONS, FALLS, caption_for
from ....body.model import Body
from ....geometry import heading_vector
from ....types import JOINT, Motion
from .control import Trace, run_fall
from .humanoid import Humanoid, load_mujoco
from .labels import fall_interval, fall_segments, outcome_problem, physics_problem, start_segments, trunk_lean
from .plan import CAUSES, FallPlan, FallRequest
from .stages import stages_for
from .start import prepare_start, shape_of, swinging_foot
from .state import motion_to_qpos, qpos_to_rotations, skin_heights, state_joints

DIRECTIONS: dict[str, float] = {"forward": 0.0, "left": 90.0, "backward": 180.0, "right": -90.0}
"""Named directions in degrees from the person's heading, positive to the left."""

_KIND_DIRECTIONS: dict[str, tuple[str, ...]] = {
    "fall_forward_hands": ("forward",), "fall_forward_knees": ("forward",), "fall_backward": ("backward",),
    "fall_sideways": ("left", "right"), "fall_from_chair": ("forward", "left", "right"),
}  # fmt: skip
_CAUSE_SHARE: dict[str, dict[str, float]] = {
    "fall_forward_hands": {"trip": 0.6, "push": 0.3, "give_way": 0.1},
    "fall_forward_knees": {"give_way": 0.8, "trip": 0.2},
    "fall_backward": {"slip": 0.5, "push": 0.3, "give_way": 0.2},
    "fall_sideways": {"push": 0.35, "give_way": 0.35, "slip": 0.2, "trip": 0.1},
    "fall_from_chair": {"give_way": 0.5, "push": 0.3, "slip": 0.2},
}
STRENGTH: dict[str, tuple[float, float]] = {
    "fall_forward_hands": (0.85, 1.4), "fall_forward_knees": (0.9, 1.4), "fall_backward": (0.8, 1.35),
    "fall_sideways": (0.9, 1.5), "fall_from_chair": (1.5, 2.3), "off_chair_sideways": (1.0, 1.5),
}  # fmt: skip
"""Range of the perturbation's strength, m/s of the whole body."""
FALL_SECONDS = 4.5
"""Longest duration of a fall and the first moments of lying still."""
SHORTEST_SECONDS = 3.0
"""Shortest length that may be requested."""
_MAX_DEVIATION = 50.0
"""Largest deviation of a requested direction from one of its kind, degrees."""


class FallRejected(Exception):
    """A simulated fall that is implausible or not the one requested; another draw may succeed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FallRun:
    """A simulated fall and its measurements."""

    motion: Motion
    trace: Trace
    human: Humanoid
    plan: FallPlan
    release: int
    """Last frame of the motion before the perturbation."""
    problem: str | None
    """Why the fall is rejected, or None."""


def simulate_fall(request: FallRequest, *, rng: np.random.Generator, body: Body) -> Motion:
    """Simulate one fall.

    Returns:
        The start's end, the fall and lying still, labelled, in the start's own frame.
    Raises:
        ValueError: If the kind or cause is unknown, the direction is not one of this kind's, or the start does not fit.
        FallRejected: If the result is implausible or not what was requested.
    """
    run = attempt_fall(request, rng=rng, body=body)
    if run.problem is not None:
        raise FallRejected(run.problem)
    return run.motion


def attempt_fall(request: FallRequest, *, rng: np.random.Generator, body: Body) -> FallRun:
    """Simulate one fall and return the run, rejected or not; errors as in ``simulate_fall``."""
    kind = request.kind
    if kind not in FALLS:
        raise ValueError(f"unknown fall {kind!r}; expected one of: {', '.join(FALLS)}")
    cause = request.cause or _draw(_CAUSE_SHARE[kind], rng)
    if cause not in CAUSES:
        raise ValueError(f"unknown cause {cause!r}; expected one of: {', '.join(CAUSES)}")
    degrees = resolve_direction(kind, request.direction, rng=rng)
    if request.seconds is not None and request.seconds < SHORTEST_SECONDS:
        raise ValueError(f"seconds: a fall to lying still takes {SHORTEST_SECONDS} or more, found {request.seconds}")
    request = replace(request, cause=cause, betas=shape_of(request, body, rng))
    longest = 2.0 if request.seconds is None else float(np.clip(request.seconds - FALL_SECONDS, 0.4, 2.0))
    human, start = prepare_start(request, body, longest=longest, rng=rng)
    plan = _draw_plan(request, cause, degrees, start, rng)
    plan = replace(plan, foot=swinging_foot(human, start, plan.foot))
    return _simulate(human, plan, start, request, rng)


def resolve_direction(kind: str, direction: float | str | None, *, rng: np.random.Generator) -> float:
    """Direction in degrees from the heading, positive to the left; drawn if None.

    Raises:
        ValueError: If the direction is unknown or not possible for this kind of fall.
    """
    names = _KIND_DIRECTIONS[kind]
    if direction is None:
        spread = 8.0 if kind != "fall_from_chair" else 12.0
        return DIRECTIONS[str(rng.choice(names))] + float(np.clip(spread * rng.standard_normal(), -20.0, 20.0))
    if isinstance(direction, str):
        if direction not in DIRECTIONS:
            raise ValueError(f"unknown direction {direction!r}; expected degrees or one of: {', '.join(DIRECTIONS)}")
        degrees = DIRECTIONS[direction]
    else:
        degrees = float(direction)
    if min(abs(_wrapped(degrees - DIRECTIONS[name])) for name in names) > _MAX_DEVIATION:
        raise ValueError(f"direction {direction!r}: {kind} goes {' or '.join(names)}, +-{_MAX_DEVIATION:.0f} degrees")
    return degrees


def _wrapped(degrees: float) -> float:
    """The angle in [-180, 180)."""
    return (degrees + 180.0) % 360.0 - 180.0


def _draw(shares: dict[str, float], rng: np.random.Generator) -> str:
    return str(rng.choice(list(shares), p=np.array(list(shares.values()))))


def _mode(kind: str, cause: str, sideways: bool) -> str:
    if kind == "fall_from_chair":
        return "off_chair_sideways" if sideways else "slide_off_chair" if cause == "slip" else "off_chair"
    return {"fall_forward_hands": "forward", "fall_forward_knees": "knees", "fall_backward": "backward"}.get(kind, "sideways")


def _draw_plan(request: FallRequest, cause: str, degrees: float, start: Motion, rng: np.random.Generator) -> FallPlan:
    kind, fps, seconds = request.kind, request.fps, request.seconds
    front = Rotation.from_rotvec(start.global_orient[-1]).as_matrix()[:, 2]
    heading = float(np.arctan2(front[0], front[2]))
    relative = _wrapped(degrees)
    sideways = kind == "fall_sideways" or (kind == "fall_from_chair" and abs(relative) > 50.0)
    side = str(rng.choice(["left", "right"]))
    if sideways:
        side = "left" if relative > 0 else "right"
    stages = stages_for(kind, cause, rng=rng, side=side, mode=_mode(kind, cause, sideways))
    rest = float(rng.uniform(1.0, 4.0)) if seconds is None else seconds
    limit = 7.0 if seconds is None else seconds - (len(start) - 1) / fps
    direction = heading_vector(heading + np.deg2rad(degrees))
    velocity = (start.transl[-1] - start.transl[-2]) * fps
    low, high = STRENGTH["off_chair_sideways" if kind == "fall_from_chair" and sideways else kind]
    return FallPlan(
        kind=kind, cause=cause, direction=np.deg2rad(degrees), heading=heading, push_height=float(rng.uniform(0.3, 0.6)),
        opposing_speed=max(-float(velocity @ direction), 0.0), strength=float(rng.uniform(low, high)), stages=stages,
        rest=rest, side=side, foot=side, limit=limit,
    )  # fmt: skip


def _simulate(human: Humanoid, plan: FallPlan, start: Motion, request: FallRequest, rng: np.random.Generator) -> FallRun:
    fps, seconds = request.fps, request.seconds
    before, qvel = _release_state(human, start, fps)
    trace = run_fall(human, plan, before[-1], qvel, fps)
    states = np.concatenate([before, np.reshape(trace.qpos, (-1, human.model.nq))])
    too_short = False
    if seconds is not None:
        wanted = round(seconds * fps)
        still = np.inf if trace.still_at is None else len(before) + trace.still_at * fps
        too_short = wanted < still + 0.5 * fps or len(states) < wanted
        states = states[:wanted]
    release = len(before) - 1
    motion, sink = _to_motion(human, states, start, plan, fps)
    joints = state_joints(human, states)
    problem = physics_problem(trace, sink) or outcome_problem(plan, joints, trace, min(release, len(joints) - 1), fps)
    if problem is None and too_short:
        problem = "does not fit into the seconds asked for"
    if problem is None:
        motion = _labelled(motion, joints, start, release, fps)
    side = plan.side if plan.kind == "fall_sideways" else "side"
    caption = caption_for(ACTIONS[plan.kind].captions, rng=rng, side=side)
    motion = replace(motion, caption=caption, provenance=_provenance(human, plan, start, trace, sink))
    return FallRun(motion=motion, trace=trace, human=human, plan=plan, release=release, problem=problem)


def _release_state(human: Humanoid, start: Motion, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """States of the start, raised until the last one's skin is above the floor, and the velocity at its end."""
    states = motion_to_qpos(human, start)
    lowest = skin_heights(human, qpos_to_rotations(human, states[-1:]), states[-1:, :3] - human.rest_joints[0]).min()
    states[:, 1] += max(-float(lowest), 0.0)
    qvel = np.zeros(human.model.nv)
    load_mujoco().mj_differentiatePos(human.model, qvel, 1.0 / fps, states[-2], states[-1])
    return states, qvel


def _provenance(human: Humanoid, plan: FallPlan, start: Motion, trace: Trace, sink: float) -> dict[str, Any]:
    return {
        "generator": "falls", "cause": plan.cause, "direction_deg": float(np.rad2deg(plan.direction)), "start": start.action,
        "strength_mps": plan.strength, "mass_kg": human.mass, "lift_m": sink, "peak_force_n": round(trace.peak_force),
        "peak_part_force_n": round(trace.peak_part_force), "limit_excess_deg": float(np.rad2deg(trace.limit_excess)),
    }  # fmt: skip


def _to_motion(human: Humanoid, states: np.ndarray, start: Motion, plan: FallPlan, fps: float) -> tuple[Motion, float]:
    """The states as a SMPL motion lifted so that its skin stays above the floor, and the largest lift, metres."""
    rotvec = qpos_to_rotations(human, states)
    transl = states[:, :3] - human.rest_joints[0]
    lift = np.maximum(-skin_heights(human, rotvec, transl).min(1) - 0.002, 0.0)
    padded = np.pad(lift, 2, mode="edge")
    smooth = np.max([padded[shift : shift + len(lift)] for shift in range(5)], axis=0)
    padded = np.pad(smooth, 2, mode="edge")
    smooth = np.mean([padded[shift : shift + len(lift)] for shift in range(5)], axis=0)
    transl = transl + np.maximum(smooth, lift)[:, None] * [0.0, 1.0, 0.0]
    motion = Motion(
        global_orient=rotvec[:, 0], body_pose=rotvec[:, 1:], transl=transl, betas=human.betas, fps=fps, action=plan.kind,
        name=plan.kind, source="understudy falls", licence="CC0-1.0", subject=start.subject, support=start.support,
        support_height=start.support_height, support_center=start.support_center, support_yaw=start.support_yaw,
    )  # fmt: skip
    return motion, float(lift.max())


def _labelled(motion: Motion, joints: np.ndarray, start: Motion, release: int, fps: float) -> Motion:
    onset, fallen = fall_interval(joints, trunk_lean(_chest_rotvec(motion)), release, fps)
    before = start_segments(start, release + 1, fps)
    return replace(motion, segments=fall_segments(before, onset, fallen, len(motion), fps))


def _chest_rotvec(motion: Motion) -> np.ndarray:
    """World rotation vectors of the chest."""
    rotation = Rotation.from_rotvec(motion.global_orient)
    for name in ("spine1", "spine2", "spine3"):
        rotation = rotation * Rotation.from_rotvec(motion.body_pose[:, JOINT[name] - 1])
    return rotation.as_rotvec()
