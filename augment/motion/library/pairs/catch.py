"""One falls backward and is caught under the arms by another, who lowers them to the floor. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....types import JOINT
from ..scripted import ik
from ..scripted.curves import along, between, ramp, smooth
from ..scripted.gait import Foot
from ..scripted.goals import ArmAngles
from ..scripted.manner import Take, posture, stance_prints, standing_height, use_feet
from ..scripted.pose import Rest
from ..scripted.rig import SIDES, SIGN, Rig
from .crouch import crouching
from .duo import Duo, PairManner, Place, Player, Touch, draw_people, hand_goal, on_body, skin_beside

Rigs = tuple[Rig, Rig]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchManner(PairManner):
    """``side`` is the side to which the one who falls turns a little."""

    start: float
    """Second at which the balance is lost."""
    lasting: float
    """Seconds from then to the floor."""
    recline: float
    """How far the trunk leans back while it is lowered, radians."""
    aside: float
    """Sideways lean, radians."""


def draw_catch_faller(rng: np.random.Generator, rigs: Rigs) -> CatchManner:
    shared = draw_people(rng, 4.2, 6.5)
    start = float(rng.uniform(0.7, 1.4))
    return CatchManner(
        **shared, start=start, lasting=float(np.clip(rng.uniform(1.4, 2.2), 1.2, shared["seconds"] - start - 0.6)),
        recline=float(rng.uniform(0.32, 0.5)), aside=float(rng.uniform(0.0, 0.12)),
    )  # fmt: skip


def act_catch_faller(t: np.ndarray, rigs: Rigs, manner: CatchManner, *, rng: np.random.Generator) -> Duo:
    """The trunk tips back, is held at the ribs after half a second, and sinks until its owner sits on the floor."""
    start, down = manner.start, manner.start + manner.lasting
    caught = start + 0.28 * manner.lasting
    one = Player(rig=rigs[0], take=_faller(t, rigs[0], manner, caught, down, rng=rng), place=Place())
    chest = JOINT["spine3"]
    under = {
        side: on_body(one, chest, skin_beside(rigs[0], chest, (SIGN[side], 0.0), -0.07 * rigs[0].scale) + [0.0, 0.0, -0.02])
        for side in SIDES
    }
    middle = 0.5 * (under["left"] + under["right"])
    frames = [min(int(np.searchsorted(t, second)), len(t) - 1) for second in (caught, down)]
    size = rigs[1].scale
    at = [float(middle[frames[0], 2]) - 0.44 * size, float(middle[frames[1], 2]) - 0.52 * size]
    place = Place(z=at[0])
    bent = ramp(t, start + 0.1, caught + 0.1)
    height = smooth(np.where(t < caught, middle[frames[0], 1], middle[:, 1]), 2.0)
    stands = [(-9.0, 0.0), (caught + 0.1, at[1] - at[0])]
    plan = crouching(t, rigs[1], manner.second, height, bent, stands=stands, rng=rng)
    two = Player(rig=rigs[1], take=Take(plan=plan, segments=[("standing", caught), ("other", manner.seconds)]), place=place)
    for side in SIDES:
        touch = Touch(
            at=under[side], fingers=(-0.15 * SIGN[side], 0.15, 1.0), palm=(-SIGN[side], 0.25, 0.0),
            pole=(0.8 * SIGN[side], -0.8, -0.5),
        )  # fmt: skip
        plan.arms[side].append((start + 0.05, caught, hand_goal(two, side, touch)))
    return Duo(players=(one, two), touch=(caught, manner.seconds))


def _faller(t: np.ndarray, rig: Rig, manner: CatchManner, caught: float, down: float, *, rng: np.random.Generator) -> Take:
    person, start, size = manner.first, manner.start, rig.scale
    plan = posture(t, rig, person, rng=rng)
    stand = standing_height(rig, person)
    idle = (plan.pelvis - [0.0, stand, 0.0]) * (1 - ramp(t, start, caught))[:, None]
    sit = 0.115 * size
    half = between(caught, down, 0.5)
    plan.pelvis = idle + along(
        t, (start, (0.0, stand, 0.0)), (caught, (0.0, 0.93 * stand, -0.17 * size)), (half, (0.0, 0.5 * stand, -0.40 * size)),
        (down, (0.0, sit, -0.52 * size)),
    )  # fmt: skip
    back = along(t, (start, 0.0), (caught, 1.0), (half, 1.05), (down, 1.0), (down + 0.6, 0.9))
    plan.turn = plan.turn @ ik.lean(-manner.recline * back, -manner.aside * back)
    limp = ramp(t, caught, down)
    plan.spine[:, 0] += along(t, (start, 0.0), (start + 0.25, -0.12), (caught, 0.05), (down, 0.22))
    plan.head[:, 0] += along(t, (start, 0.0), (start + 0.25, -0.15), (caught, 0.25), (down, 0.2), (down + 0.7, 0.3))
    prints, feet = stance_prints(rig, person, rng=rng), {}
    for side, at in prints.items():
        toes_up = -0.35 * np.interp(t, [start, start + 0.3, caught + 0.1, half], [0, 1, 0.8, 0])
        feet[side] = Foot(
            ground=np.tile([at.x, 0.0, at.z], (len(t), 1)), yaw=np.full(len(t), at.yaw), pitch=smooth(toes_up, 2.0),
            contact=1.0 - limp,
        )  # fmt: skip
    use_feet(plan, rig, feet)
    for side in SIDES:
        flung = ArmAngles(
            flexion=rng.uniform(0.6, 1.3), abduction=rng.uniform(0.6, 1.0), twist=0.1, elbow=rng.uniform(0.3, 0.9)
        )
        loose = ArmAngles(flexion=0.45 + 0.2 * rng.random(), abduction=0.55, twist=0.3, elbow=0.5 + 0.4 * rng.random())
        plan.arms[side].append((start, start + 0.4, flung))
        plan.arms[side].append((caught, between(caught, down, 0.7), loose))
    plan.rests.append(Rest(parts=(0, 1, 2), weight=ramp(t, down - 0.2, down), sink=0.008, radius=0.22))
    return Take(plan=plan, segments=[("standing", start), ("fall", down), ("fallen", manner.seconds)])
