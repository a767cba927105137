"""Lying: poses in contact with a surface, and movements while lying. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ....body.skinning import skinned
from ....geometry import axis_rotation
from . import ik
from .curves import noise, ramp
from .goals import ArmAngles, Goal, Hand, LegAngles
from .manner import FLESH, Manner, Take, draw_manner, pick, posture
from .pose import Bed, PosePlan, Rest, solve
from .rig import LEG, SIDES, Rig, skin_of

MATTRESS = 0.015
"""Compression of mattress and back, metres."""
BED_HALF = 0.45
"""Half the width of the bed of ``lie_down`` and ``get_up``, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LieManner(Manner):
    """``side`` is the side rolled onto."""

    bed: float
    """Height of the bed, metres; 0 lies on the floor."""
    pose: str
    """``supine`` or ``side``."""
    hands: str
    """``beside`` the body, on the ``belly``, or ``one`` of each."""
    knee: float
    """Flexion of one knee when supine, 0..1."""
    change: str
    """Movement while lying: ``rest``, ``arm`` (moves a hand), ``knees`` (bends one knee) or ``roll`` (turns over)."""


def draw_lie(rng: np.random.Generator, rig: Rig) -> LieManner:
    manner = draw_manner(rng, 3.0, 7.0)
    return LieManner(
        **manner, bed=float(rng.uniform(0.45, 0.60)), pose=pick(rng, supine=0.65, side=0.35),
        hands=pick(rng, beside=0.45, belly=0.3, one=0.25), knee=float(max(0.0, rng.uniform(-0.8, 0.9))),
        change=pick(rng, rest=0.3, arm=0.25, knees=0.2, roll=0.25),
    )  # fmt: skip


TRUNK = (0, 1, 2, 3, 4, 5, 6, 9, 13, 14, 16, 17)
"""Parts supported by a bed."""
GUARDED = tuple(part for part in FLESH if part not in (18, 19))
"""Parts kept out of the floor while getting up from it: all but feet, hands and forearms."""
SIDE_ARMS = {
    "left": ArmAngles(flexion=1.45, abduction=0.0, twist=0.1, elbow=1.7, wrist=0.1),
    "right": ArmAngles(flexion=0.45, abduction=0.14, twist=0.5, elbow=1.0, wrist=0.2),
}


@dataclass(slots=True, kw_only=True)
class LyingPose:
    """A lying pose; the head points to -z."""

    height: float
    """Height of the pelvis above the surface, metres."""
    turn: Float[np.ndarray, "3 3"]
    spine: Float[np.ndarray, "3"]
    head: Float[np.ndarray, "3"]
    legs: dict[str, LegAngles]


def settle_lying(rig: Rig, *, pose: str, knee: float, pillow: float, stoop: float) -> LyingPose:
    """Find the pelvis height, trunk tilt, neck and leg angles at which back, head and heels touch a level surface.

    Fixed-point iterations: each measured distance corrects the angle that it depends on.
    """
    tilt, neck, spine = 0.0, 0.15, np.array([0.3 * stoop, 0.0, 0.0])
    rho = 0.0 if pose == "supine" else 1.40
    flexion = {"left": 0.75 * knee, "right": 0.0}
    bend = {"left": 0.06 + 1.5 * knee, "right": 0.06}
    if pose == "side":
        flexion, bend = {"left": 0.7, "right": 1.1}, {"left": 1.0, "right": 1.5}
        spine = np.array([0.15 + 0.3 * stoop, 0.10, 0.05])
    height, roll, roll_head = 0.12, 0.0, 0.0
    result, skin = None, skin_of(rig)
    for _ in range(9):
        turn = ik.lean(-np.pi / 2 + tilt) @ axis_rotation("y", rho) @ axis_rotation("z", roll)
        legs = {
            side: LegAngles(flexion=flexion[side], knee=bend[side], abduction=0.09, twist=0.25 * (1 - knee), ankle=0.35)
            for side in SIDES
        }
        if pose == "side":
            legs["left"].abduction, legs["right"].abduction, legs["left"].twist, legs["right"].twist = 0.0, -0.12, 0.0, 0.05
        plan = PosePlan(
            t=np.zeros(1), pelvis=np.array([[0.0, height, 0.0]]), turn=turn[None], spine=spine[None],
            head=np.array([[neck, roll_head, 0.0]]), legs={side: [(0.0, 0.0, legs[side])] for side in SIDES},
            arms={side: [(0.0, 0.0, SIDE_ARMS[side] if pose == "side" else ArmAngles())] for side in SIDES},
        )  # fmt: skip
        result = LyingPose(height=height, turn=turn, spine=spine, head=plan.head[0], legs=legs)
        solved = solve(plan, rig)
        heights = skinned(skin, solved.positions, solved.worlds)[0, :, 1]

        def lowest(*parts: int, of: np.ndarray = heights) -> float:
            return float(of[np.isin(rig.part, parts)].min())

        seat, back, skull = lowest(0, 1, 2), lowest(6, 9, 13, 14, 16, 17), lowest(15)
        height -= min(seat, back) + MATTRESS if pose == "side" else seat + MATTRESS
        if pose == "supine":
            tilt = float(np.clip(tilt + 0.7 * (seat - back) / 0.40, -0.35, 0.35))
            neck += 0.6 * (pillow - (skull - seat)) / 0.22
            neck = float(np.clip(neck, -0.4, 0.9))
            for side in SIDES:
                _, knee_joint, ankle, toe = LEG[side]
                flexion[side] -= 0.7 * (lowest(ankle, toe, knee_joint) - seat) / rig.leg if bend[side] < 0.3 else 0.0
        else:
            roll = float(np.clip(roll + 0.6 * (seat - back) / 0.42, -0.3, 0.3))
            roll_head = float(np.clip(roll_head + 0.6 * (pillow + 0.02 - (skull - min(seat, back))) / 0.22, -0.5, 0.5))
    assert result is not None
    return result


def lying_hands(hands: str, pose: LyingPose, rig: Rig, *, rng: np.random.Generator, t: np.ndarray) -> dict[str, Goal]:
    """Goals of the hands while lying: palms down beside the body, or on the belly."""
    goals: dict[str, Goal] = {}
    for side in SIDES:
        wander = noise(t, rng=rng, amplitude=[0.006, 0.006, 0.0], low=0.08, high=0.4)
        where = ("belly" if side == "left" else "beside") if hands == "one" else hands
        if where == "belly":
            at = np.array([0.045, rng.uniform(0.04, 0.12), 0.155]) * rig.scale + wander
            goals[side] = Hand(at=at, frame="pelvis", pole=(1.0, -0.2, -0.8), fingers=(-1.0, 0.25, 0.0), palm=(0.0, 0.0, -1.0))
        else:
            out = 0.5 * rig.hip_width + rng.uniform(0.12, 0.26)
            at = np.array([out, rng.uniform(-0.06, 0.08), rig.palm + 0.01 - pose.height]) * [rig.scale, rig.scale, 1] + wander
            goals[side] = Hand(
                at=at, frame="pelvis", pole=(1.0, 0.0, -0.15), fingers=(-0.1, -1.0, 0.0), palm=(-0.05, 0.0, -1.0)
            )
    return goals


def side_arms(*, rng: np.random.Generator, t: np.ndarray) -> dict[str, Goal]:
    """Arms while lying on the left side: the lower one in front of the face, the upper one along the body."""
    goals: dict[str, Goal] = {}
    for side in SIDES:
        wander = noise(t, rng=rng, amplitude=[0.02, 0.01, 0.03, 0.04], low=0.08, high=0.4)
        base, tall = SIDE_ARMS[side], np.ones(len(t))
        goals[side] = replace(
            base, flexion=base.flexion * tall + wander[:, 0], abduction=base.abduction * tall + wander[:, 1],
            twist=base.twist * tall + wander[:, 2], elbow=base.elbow * tall + wander[:, 3],
        )  # fmt: skip
    return goals


def act_lie(t: np.ndarray, rig: Rig, manner: LieManner, *, rng: np.random.Generator) -> Take:
    """Lie and breathe; move a hand, bend a knee, or turn over."""
    pillow = 0.05 if manner.bed > 0 else 0.0
    first = settle_lying(
        rig, pose=manner.pose, knee=manner.knee if manner.pose == "supine" else 0.0, pillow=pillow, stoop=manner.stoop
    )
    begin = rng.uniform(0.2, 0.45) * manner.seconds
    done = begin + min(rng.uniform(1.2, 2.2), 0.45 * manner.seconds)
    then = first
    if manner.change == "roll":
        other = "side" if manner.pose == "supine" else "supine"
        then = settle_lying(rig, pose=other, knee=manner.knee if other == "supine" else 0.0, pillow=pillow, stoop=manner.stoop)
    elif manner.change == "knees" and manner.pose == "supine":
        then = settle_lying(rig, pose="supine", knee=0.85 if manner.knee < 0.4 else 0.0, pillow=pillow, stoop=manner.stoop)
    plan = posture(t, rig, replace(manner, stoop=0.0), rng=rng)
    _lie_on(plan, (first, then), (begin, done), manner.bed, rng=rng, quiet=0.5 * manner.restless)
    hands = {
        id(pose): lying_hands(manner.hands, pose, rig, rng=rng, t=t) if _is_supine(pose) else side_arms(rng=rng, t=t)
        for pose in (first, then)
    }
    for side in SIDES:
        plan.arms[side] = [(0.0, 0.0, hands[id(first)][side])]
        if then is not first:
            plan.arms[side].append((begin + 0.1, done, hands[id(then)][side]))
    if manner.change == "arm" and manner.pose == "supine":
        plan.arms["left"] += [
            (begin, begin + 0.9, face_hand(rig, rng=rng, t=t)),
            (done + 0.3, done + 1.2, hands[id(then)]["left"]),
        ]
    plan.bed = Bed(height=manner.bed, center=(0.0, 0.0), half=(0.6, 1.3))
    head = 0.74 * rig.scale
    feet = rig.leg + rig.ankle_height + 0.1
    return Take(
        plan=plan, segments=[("lying", manner.seconds)],
        support="bed" if manner.bed > 0 else "floor", support_height=manner.bed,
        support_center=(0.0, 0.5 * (feet - head)) if manner.bed > 0 else None, support_yaw=np.pi if manner.bed > 0 else 0.0,
    )  # fmt: skip


def face_hand(rig: Rig, *, rng: np.random.Generator, t: np.ndarray) -> Hand:
    """Goal of a hand at the face."""
    wander = noise(t, rng=rng, amplitude=[0.01, 0.012, 0.004], low=0.4, high=1.2)
    at = np.array([0.07, -0.08, 0.12]) * rig.scale + wander
    return Hand(at=at, frame="head", pole=(1.0, -0.6, 0.2), fingers=(-0.5, 1.0, -0.1), palm=(-0.4, 0.0, -0.9))


def _is_supine(pose: LyingPose) -> bool:
    return bool(pose.turn[1, 2] > 0.7)


def _lie_on(
    plan: PosePlan, poses: tuple[LyingPose, LyingPose], change: tuple[float, float], surface: float,
    *, rng: np.random.Generator, quiet: float,
) -> None:  # fmt: skip
    """Set a plan to lie in the first pose and, over the seconds ``change``, to move to the second; the feet point to +z."""
    t, (first, then) = plan.t, poses
    count = len(t)
    turn = np.broadcast_to(first.turn, (count, 3, 3))
    height = np.full(count, first.height)
    spine, head = np.tile(first.spine, (count, 1)), np.tile(first.head, (count, 1))
    plan.legs = {side: [(0.0, 0.0, first.legs[side])] for side in SIDES}
    if then is not first:
        w = ramp(t, *change)
        turn = ik.slerp(turn, np.broadcast_to(then.turn, (count, 3, 3)), w)
        height = height + (then.height - height) * w
        spine, head = spine + (then.spine - spine) * w[:, None], head + (then.head - head) * w[:, None]
        for side in SIDES:
            plan.legs[side].append((*change, then.legs[side]))
    small = noise(t, rng=rng, amplitude=[0.006, 0.01, 0.008], low=0.08, high=0.5) * quiet
    breath = 0.012 * np.sin(2 * np.pi * (0.25 * t + rng.random()))
    plan.turn = turn @ axis_rotation("y", small[:, 1])
    plan.pelvis = np.stack([small[:, 0], surface + height, small[:, 2]], axis=1)
    plan.spine = spine + np.stack([breath, small[:, 0], small[:, 2]], axis=1)
    plan.head = head + noise(t, rng=rng, amplitude=[0.01, 0.02, 0.22], low=0.06, high=0.35) * quiet * 2
    for side in SIDES:
        plan.legs[side] = [(a, b, restless(leg, t, rng=rng, quiet=quiet)) for a, b, leg in plan.legs[side]]
    plan.rests = [Rest(parts=TRUNK, weight=np.ones(count), height=surface, sink=MATTRESS)]


def restless(leg: Goal, t: np.ndarray, *, rng: np.random.Generator, quiet: float) -> LegAngles:
    """A leg with a little idle motion."""
    assert isinstance(leg, LegAngles)
    wander = noise(t, rng=rng, amplitude=[0.04, 0.012, 0.08], low=0.08, high=0.6) * quiet
    return replace(leg, twist=leg.twist + wander[:, 0], knee=leg.knee + np.abs(wander[:, 1]), ankle=leg.ankle + wander[:, 2])


def start_lying(t: np.ndarray, rig: Rig, manner: Manner, *, rng: np.random.Generator) -> tuple[PosePlan, LyingPose]:
    """A standing plan whose legs lie on the floor, to be changed into getting up, and the lying pose that it begins with."""
    plan = posture(t, rig, manner, rng=rng)
    lying = settle_lying(rig, pose="supine", knee=0.0, pillow=0.0, stoop=manner.stoop)
    for side in SIDES:
        plan.legs[side] = [(0.0, 0.0, restless(lying.legs[side], t, rng=rng, quiet=0.5 * manner.restless))]
    return plan, lying
