"""Falls by physics: a humanoid with the body's own proportions is upset, protects itself, and falls until it lies still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ....actions import FALLS, caption_for
from ....body.model import Body
from ....geometry import heading_vector
from ....types import JOINT, Motion
from .control import Trace, run_fall
from .humanoid import Humanoid, load_mujoco
from .labels import fall_interval, fall_segments, outcome_problem, physics_problem, start_segments, trunk_lean
from .plan import CAUSES, Plan
from .stages import stages_for
from .start import ready_to_fall, shape_of, swinging_foot
from .state import motion_to_qpos, qpos_to_rotations, skin_heights, state_joints

DIRECTIONS: dict[str, float] = {"forward": 0.0, "left": 90.0, "backward": 180.0, "right": -90.0}
"""Named directions in degrees from the faller's facing, positive to the left."""

_WAYS: dict[str, tuple[str, ...]] = {
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
"""How hard balance is upset, least and most, m/s of the whole body."""
FALL_SECONDS = 4.5
"""Time that a fall and the first of lying still may take."""
SHORTEST_SECONDS = 3.0
"""Least length one may ask for."""
_WIDEST = 50.0
"""Degrees by which a direction may differ from its kind's middle."""


class FallRejected(Exception):
    """A simulated fall that is implausible or not the one asked for; try again with another draw."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FallRun:
    """A simulated fall with everything that was measured on the way."""

    motion: Motion
    trace: Trace
    human: Humanoid
    plan: Plan
    release: int
    """Last frame of the motion before balance is upset."""
    problem: str | None
    """Why it is not to be used, or None."""


def simulate_fall(
    kind: str,
    *,
    rng: np.random.Generator,
    body: Body,
    betas: Float[np.ndarray, "10"] | None = None,
    start: Motion | None = None,
    cause: str | None = None,
    direction: float | str | None = None,
    fps: float = 20,
    seconds: float | None = None,
) -> Motion:
    """Let a person fall.

    Args:
        kind: One of ``actions.FALLS``.
        betas: Body shape; the start's, or drawn, when None.
        start: The motion during which it happens: its last 0.3-2 s come first, its last frames give posture and speed.
            When None, one is made: standing or walking, sitting for ``fall_from_chair``.
        cause: A key of ``CAUSES``; drawn when None.
        direction: A key of ``DIRECTIONS`` or degrees from the facing, positive to the left; drawn when None.
        fps: Frames a second of the result.
        seconds: Length of the result; drawn (lying still for 1-4 s) when None.
    Returns:
        The start's end, the fall and the lying still, labelled, in the start's own frame.
    Raises:
        ValueError: If the kind or cause is unknown, the direction is not one of this kind's, or the start does not fit.
        FallRejected: If what happened is implausible or not what was asked for.
    """
    run = attempt_fall(
        kind, rng=rng, body=body, betas=betas, start=start, cause=cause, direction=direction, fps=fps, seconds=seconds
    )
    if run.problem is not None:
        raise FallRejected(run.problem)
    return run.motion


def simulate_falls(
    kinds: Iterable[str], *, rng: np.random.Generator, body: Body, attempts: int = 12, **options: Any
) -> tuple[list[Motion], Counter[str]]:
    """One fall for each of ``kinds``, trying again after a rejection.

    Args:
        attempts: Tries for one fall.
        options: Passed on to ``simulate_fall``.
    Returns:
        The falls, and how often each reason (``kind: reason``) made a try fail. A fall that failed every time is missing from
        the list and counted under ``kind: given up``.
    """
    motions, reasons = [], Counter[str]()
    for kind in kinds:
        for _ in range(attempts):
            try:
                motions.append(simulate_fall(kind, rng=rng, body=body, **options))
                break
            except FallRejected as rejected:
                reasons[f"{kind}: {rejected.reason}"] += 1
        else:
            reasons[f"{kind}: given up"] += 1
    return motions, reasons


def attempt_fall(
    kind: str,
    *,
    rng: np.random.Generator,
    body: Body,
    betas: np.ndarray | None = None,
    start: Motion | None = None,
    cause: str | None = None,
    direction: float | str | None = None,
    fps: float = 20,
    seconds: float | None = None,
) -> FallRun:
    """``simulate_fall`` without the judgement: the run is returned whatever came of it."""
    if kind not in FALLS:
        raise ValueError(f"unknown fall {kind!r}; expected one of: {', '.join(FALLS)}")
    cause = cause or _draw(_CAUSE_SHARE[kind], rng)
    if cause not in CAUSES:
        raise ValueError(f"unknown cause {cause!r}; expected one of: {', '.join(CAUSES)}")
    degrees = resolve_direction(kind, direction, rng=rng)
    if seconds is not None and seconds < SHORTEST_SECONDS:
        raise ValueError(f"seconds: a fall to lying still takes {SHORTEST_SECONDS} or more, found {seconds}")
    betas = shape_of(body, betas, start, rng)
    longest = 2.0 if seconds is None else float(np.clip(seconds - FALL_SECONDS, 0.4, 2.0))
    human, start = ready_to_fall(kind, cause, body, betas, start, rng, fps, longest)
    plan = _draw_plan(kind, cause, degrees, start, rng, seconds, fps)
    plan = replace(plan, caught=swinging_foot(human, start, plan.caught))
    return _simulate(human, plan, start, fps, seconds, rng)


def resolve_direction(kind: str, direction: float | str | None, *, rng: np.random.Generator) -> float:
    """Degrees from the facing, positive to the left.

    Raises:
        ValueError: If the direction is unknown or not one this kind of fall can take.
    """
    ways = _WAYS[kind]
    if direction is None:
        spread = 8.0 if kind != "fall_from_chair" else 12.0
        return DIRECTIONS[str(rng.choice(ways))] + float(np.clip(spread * rng.standard_normal(), -20.0, 20.0))
    if isinstance(direction, str):
        if direction not in DIRECTIONS:
            raise ValueError(f"unknown direction {direction!r}; expected degrees or one of: {', '.join(DIRECTIONS)}")
        degrees = DIRECTIONS[direction]
    else:
        degrees = float(direction)
    if min(_apart(degrees, DIRECTIONS[way]) for way in ways) > _WIDEST:
        raise ValueError(f"direction {direction!r}: {kind} goes {' or '.join(ways)}, give or take {_WIDEST:.0f} degrees")
    return degrees


def _apart(first: float, second: float) -> float:
    return abs((first - second + 180.0) % 360.0 - 180.0)


def _draw(shares: dict[str, float], rng: np.random.Generator) -> str:
    return str(rng.choice(list(shares), p=np.array(list(shares.values()))))


def _mode(kind: str, cause: str, sidewards: bool) -> str:
    if kind == "fall_from_chair":
        return "off_chair_sideways" if sidewards else "slide_off_chair" if cause == "slip" else "off_chair"
    return {"fall_forward_hands": "forward", "fall_forward_knees": "knees", "fall_backward": "backward"}.get(kind, "sideways")


def _draw_plan(
    kind: str, cause: str, degrees: float, start: Motion, rng: np.random.Generator, seconds: float | None, fps: float
) -> Plan:
    front = Rotation.from_rotvec(start.global_orient[-1]).as_matrix()[:, 2]
    heading = float(np.arctan2(front[0], front[2]))
    relative = (degrees + 180.0) % 360.0 - 180.0
    sidewards = kind == "fall_sideways" or (kind == "fall_from_chair" and abs(relative) > 50.0)
    side = str(rng.choice(["left", "right"]))
    if sidewards:
        side = "left" if relative > 0 else "right"
    stages = stages_for(kind, cause, rng=rng, side=side, mode=_mode(kind, cause, sidewards))
    rest = float(rng.uniform(1.0, 4.0)) if seconds is None else seconds
    limit = 7.0 if seconds is None else seconds - (len(start) - 1) / fps
    goes = heading_vector(heading + np.deg2rad(degrees))
    moves = (start.transl[-1] - start.transl[-2]) * fps
    low, high = STRENGTH["off_chair_sideways" if kind == "fall_from_chair" and sidewards else kind]
    drawn = {"push_height": float(rng.uniform(0.3, 0.6)), "against": max(-float(moves @ goes), 0.0)}
    return Plan(
        kind=kind, cause=cause, direction=np.deg2rad(degrees), heading=heading, strength=float(rng.uniform(low, high)),
        stages=stages, rest=rest, side=side, caught=side, drawn=drawn, limit=limit,
    )  # fmt: skip


def _simulate(
    human: Humanoid, plan: Plan, start: Motion, fps: float, seconds: float | None, rng: np.random.Generator
) -> FallRun:
    mujoco = load_mujoco()
    before = motion_to_qpos(human, start)
    lowest = skin_heights(human, qpos_to_rotations(human, before[-1:]), before[-1:, :3] - human.rest_joints[0]).min()
    before[:, 1] += max(-float(lowest), 0.0)
    qvel = np.zeros(human.model.nv)
    mujoco.mj_differentiatePos(human.model, qvel, 1.0 / fps, before[-2], before[-1])
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
    caption = caption_for(plan.kind, rng=rng, side=side)
    peaks = {"peak_force_n": round(trace.peak_force), "peak_part_force_n": round(trace.peak_part_force)}
    provenance = {
        "generator": "falls", "cause": plan.cause, "direction_deg": float(np.rad2deg(plan.direction)), "start": start.action,
        "strength_mps": plan.strength, "mass_kg": human.mass, "lift_m": sink, **peaks,
        "limit_excess_deg": float(np.rad2deg(trace.limit_excess)),
    }  # fmt: skip
    motion = replace(motion, caption=caption, provenance=provenance)
    return FallRun(motion=motion, trace=trace, human=human, plan=plan, release=release, problem=problem)


def _to_motion(human: Humanoid, states: np.ndarray, start: Motion, plan: Plan, fps: float) -> tuple[Motion, float]:
    """The states as a SMPL motion whose skin stays above the floor, and the greatest lift that took, metres."""
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
