"""One pushes the other, who falls: the fall is simulated, the push follows it. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....geometry import heading_vector
from ....types import JOINT, Motion
from ..falls.plan import FallRequest
from ..falls.simulate import FallRejected, attempt_fall
from ..scripted import ik
from ..scripted.act import make_action
from ..scripted.curves import window
from ..scripted.goals import Track
from ..scripted.manner import Take, pick, relaxed
from ..scripted.pose import PosePlan, Solved
from ..scripted.rig import ARM, SIDES, SIGN, Rig
from .crouch import crouching
from .duo import (
    Duo,
    PairManner,
    Place,
    Player,
    Touch,
    arm_length,
    draw_people,
    hand_goal,
    on_body,
    shoulder_height,
    skin_beside,
)

Rigs = tuple[Rig, Rig]
SEEN_FROM = {"front": ("fall_backward", 180.0), "behind": ("fall_forward_hands", 0.0), "side": ("fall_sideways", 90.0)}
"""Where the one who pushes stands, to the fall that follows and its direction, degrees from the heading to the left."""
RAISE = 0.75
"""Seconds in which the hands come up before the push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushManner(PairManner):
    """``side`` is the side to which a push from the side goes."""

    where: str
    """A key of ``SEEN_FROM``."""
    stretch: float
    """How far the arms are stretched when they touch, share of their length."""


def draw_push(rng: np.random.Generator, rigs: Rigs) -> PushManner:
    shared = draw_people(rng, 6.2, 7.6, patient=bool(rng.random() < 0.6))
    return PushManner(**shared, where=pick(rng, front=0.4, behind=0.4, side=0.2), stretch=float(rng.uniform(0.80, 0.90)))


def act_push(t: np.ndarray, rigs: Rigs, manner: PushManner, *, rng: np.random.Generator) -> Duo:
    """Hands at the trunk, a push, a step back; raises ``FallRejected`` as ``simulate_fall`` does."""
    fps = round(1.0 / (t[1] - t[0]), 6)
    kind, degrees = SEEN_FROM[manner.where]
    start = make_action(
        "stand", rng=rng, body=rigs[0].body, betas=rigs[0].betas, fps=fps, seconds=2.5, arms="hang", side="left",
        age=manner.first.age, stoop=manner.first.stoop,
    )  # fmt: skip
    request = FallRequest(
        kind=kind,
        betas=rigs[0].betas,
        start=start,
        cause="push",
        direction=degrees + float(rng.uniform(-8.0, 8.0)),
        fps=fps,
        seconds=len(t) / fps,
    )
    run = attempt_fall(request, rng=rng, body=rigs[0].body)
    if run.problem is not None:
        raise FallRejected(run.problem)
    touch = run.release / fps
    if touch < RAISE:
        raise FallRejected("pushed before the hands are up")
    one = _recorded(run.motion, rigs[0])
    two = _pusher(t, rigs, manner, one, touch, run.plan.heading + run.plan.direction, rng=rng)
    return Duo(players=(one, two), touch=(touch, touch + 0.2))


def _recorded(motion: Motion, rig: Rig) -> Player:
    """A player whose motion is there already."""
    rotations = ik.from_rotvec(np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1))
    positions, worlds = ik.forward(rotations, rig.rest)
    positions = positions + (motion.transl + rig.rest[0])[:, None]
    still = np.zeros((len(motion), 3))
    plan = PosePlan(
        t=np.arange(len(motion)) / motion.fps, pelvis=positions[:, 0], turn=rotations[:, 0], spine=still, head=still
    )
    take = Take(plan=plan, segments=[(segment.label, segment.end_sec) for segment in motion.segments])
    return Player(rig=rig, take=take, place=Place(), solved=Solved(rotations=rotations, positions=positions, worlds=worlds))


def _pusher(
    t: np.ndarray, rigs: Rigs, manner: PushManner, one: Player, touch: float, way: float, *, rng: np.random.Generator
) -> Player:  # fmt: skip
    """Who pushes the other one towards ``way`` (radians about +y), from ``touch`` seconds on."""
    rig, person = rigs[1], manner.second
    heading = np.arctan2(one.turns()[:, 0, 0, 2], one.turns()[:, 0, 2, 2])[round(touch / (t[1] - t[0]))]
    off = (way + np.pi - heading + np.pi) % (2 * np.pi) - np.pi
    at = _places(one, manner.where, float(off))
    frame = min(round(touch / (t[1] - t[0])), len(t) - 1)
    last = min(round((touch + 0.22) / (t[1] - t[0])), len(t) - 1)
    rows = np.clip(np.arange(len(t)), frame - 3, last)
    on = heading_vector(way)
    middle = np.mean([at[side][frame] for side in SIDES], axis=0)
    down = shoulder_height(rig) - middle[1]
    reach = np.sqrt(max((manner.stretch * arm_length(rig)) ** 2 - down**2, 0.04))
    stand = middle - on * (reach + 0.03)
    place = Place(x=float(stand[0]), z=float(stand[2]), yaw=float(way))
    back = -float(rng.uniform(0.25, 0.45))
    plan = crouching(t, rig, person, np.full(len(t), 1.2), 0 * t, stands=[(-9.0, 0.0), (touch + 0.55, back)], rng=rng)
    thrust = window(t, touch + 0.02, touch + 0.2, 0.22)
    plan.pelvis += np.outer(thrust, [0.0, -0.015, 0.07])
    plan.turn = plan.turn @ ik.lean(0.10 * thrust)
    plan.spine[:, 0] += 0.16 * thrust
    two = Player(rig=rig, take=Take(plan=plan, segments=[("standing", manner.seconds)]), place=place)
    for side in SIDES:
        palm = Touch(
            at=at[side][rows] - 0.015 * on, fingers=0.6 * on + [0.0, 1.0, 0.0], palm=on,
            pole=place.out(np.array([0.5 * SIGN[side], -1.0, -0.2])) - [place.x, 0.0, place.z],
        )  # fmt: skip
        track: Track = [*plan.arms[side], (touch - 0.55, touch - 0.08, hand_goal(two, side, palm))]
        plan.arms[side] = [*track, (touch + 0.25, touch + 0.95, relaxed(t, person, rng=rng))]
    return two


def _places(one: Player, where: str, off: float) -> dict[str, np.ndarray]:
    """Where each hand of the one who pushes touches the trunk or arm, common frame, metres.

    ``off``: direction from who is pushed to who pushes, radians to the left of the heading.
    """
    rig, chest = one.rig, JOINT["spine3"]
    if where == "side":
        near = "left" if off > 0 else "right"
        shoulder, elbow = (one.joints()[:, JOINT[f"{near}_{name}"]] for name in ("shoulder", "elbow"))
        out = one.turns()[:, chest, :, 0] * SIGN[near]
        return {
            "left": 0.8 * shoulder + 0.2 * elbow + 0.05 * out,
            "right": 0.45 * shoulder + 0.55 * elbow + 0.05 * out,
        }
    z = 1.0 if where == "front" else -1.0
    aside = 0.5 * float(rig.rest[ARM["left"][1], 0])
    found = {}
    for side in SIDES:
        # Seen from the front the hands are on the other sides.
        x = SIGN[side] * aside * -z
        found[side] = on_body(one, chest, skin_beside(rig, chest, (0.0, z), 0.04) + [x, 0.0, 0.0])
    return found
