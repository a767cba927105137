"""Pick something up from the floor. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import ik
from .curves import noise, ramp
from .gait import Footprint
from .goals import Hand
from .manner import Manner, Take, draw_manner, pick, posture, relaxed, stance_prints, stand_on
from .pose import PosePlan, solve
from .rig import ARM, SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class PickUpManner(Manner):
    """``side`` is the hand that picks up."""

    style: str
    """``squat`` (knees bend) or ``stoop`` (back bends)."""
    ahead: float
    """Distance of the object in front of the toes, metres."""
    out: float
    """Distance of the object to the side, metres."""
    size: float
    """Height at which the object is gripped, metres."""


def draw_pick_up(rng: np.random.Generator, rig: Rig) -> PickUpManner:
    return PickUpManner(
        **draw_manner(rng, 3.0, 6.0), style=pick(rng, squat=0.55, stoop=0.45), ahead=float(rng.uniform(0.02, 0.18)),
        out=float(rng.uniform(0.0, 0.25)), size=float(rng.uniform(0.03, 0.15)),
    )  # fmt: skip


def act_pick_up(t: np.ndarray, rig: Rig, manner: PickUpManner, *, rng: np.random.Generator) -> Take:
    """Bend until the hand reaches the object, grip it, rise with it held in front of the body."""
    plan = posture(t, rig, manner, rng=rng)
    prints = stance_prints(rig, manner, rng=rng, back=0.05)
    stand_on(plan, rig, prints)
    toes = rig.ball["left"][2] + 0.06 - 0.05
    # The wrist is above the object by most of a hand that slants down to it.
    grip = np.array(
        [manner.out * rig.scale, max(manner.size - 0.03, 0.015) + 0.8 * rig.hand_length, toes + manner.ahead * rig.scale]
    )
    squat = manner.style == "squat"
    down = rng.uniform(0.25, 0.7)
    bottom = down + (rng.uniform(0.8, 1.1) if squat else rng.uniform(0.9, 1.2)) * (1 + 0.5 * manner.old)
    lift = min(bottom + rng.uniform(0.25, 0.6), manner.seconds - 1.3)
    bottom = min(bottom, lift - 0.15)
    up = min(lift + rng.uniform(0.9, 1.3) * (1 + 0.5 * manner.old), manner.seconds - 0.1)
    depth = _depth(rig, manner, plan, grip)
    w = ramp(t, down, bottom) * (1 - ramp(t, lift, up))
    _bend(plan, rig, depth * w, squat, manner.out)
    plan.head[:, 2] += 0.4 * manner.out * w
    hand = Hand(at=grip + noise(t, rng=rng, amplitude=0.004 * np.ones(3), low=0.3, high=1.0), pole=(0.6, 0.3, -0.5),
                fingers=(-0.05, -0.8, 0.6), palm=(-0.75, -0.4, -0.5))  # fmt: skip
    held = Hand(at=np.array([0.15, 0.08, 0.30]) * rig.scale + noise(t, rng=rng, amplitude=0.01 * np.ones(3), low=0.2, high=1.0),
                frame="pelvis", pole=(0.5, -0.7, -0.7), fingers=(-0.4, 0.1, 1.0), palm=(-0.9, 0.2, -0.2))  # fmt: skip
    plan.arms["left"] = [
        (0.0, 0.0, relaxed(t, manner, rng=rng, flexion=1.0 * depth * w)), (down + 0.15, bottom, hand), (lift + 0.05, up, held),
    ]  # fmt: skip
    plan.arms["right"] = [(0.0, 0.0, relaxed(t, manner, rng=rng, flexion=(0.75 if squat else 1.6) * depth * w))]
    if not squat and depth < 0.8 and (manner.old > 0.3 or rng.random() < 0.4):
        brace = Hand(at=(0.02, -0.86 * rig.thigh, 0.9 * rig.thigh_radius + rig.palm), frame="thigh", pole=(1.0, 0.1, 0.5),
                     fingers=(-0.2, -1.0, 0.0), palm=(0, 0, -1))  # fmt: skip
        plan.arms["right"] += [(down + 0.1, bottom - 0.1, brace), (lift + 0.3, up, relaxed(t, manner, rng=rng))]
    return Take(plan=plan, segments=[("standing", down + 0.1), ("other", up), ("standing", manner.seconds)])


def _bend(plan: PosePlan, rig: Rig, depth: np.ndarray, squat: bool, out: float) -> None:
    """Bend a standing plan down; ``depth`` 1 is about the deepest that people bend."""
    drop, back, hips, spine = (0.62, 0.17, 0.55, 0.32) if squat else (0.20, 0.19, 1.15, 0.68)
    plan.pelvis = plan.pelvis + np.stack(
        [0.25 * out * depth, -drop * rig.leg * depth, -back * rig.scale * np.sin(np.clip(depth, 0, 1.2) * np.pi / 2)], axis=1
    )
    plan.turn = plan.turn @ ik.lean(hips * depth, 0.0, 0.3 * out * depth)
    plan.spine = plan.spine + np.stack([spine * depth, -0.35 * out * depth, 0.25 * depth], axis=1)
    plan.head = plan.head + np.stack([-0.25 * depth, 0 * depth, 0 * depth], axis=1)


def _depth(rig: Rig, manner: PickUpManner, plan: PosePlan, grip: np.ndarray) -> float:
    """The smallest bend at which the hand reaches the object."""
    prints = {side: Footprint(on=-9.0, off=99.0, x=SIGN[side] * 0.5 * rig.hip_width, z=-0.05, yaw=0.1) for side in SIDES}
    for depth in np.linspace(0.4, 1.25, 12):
        trial = PosePlan(
            t=np.zeros(1), pelvis=np.array([[0.0, plan.pelvis[:, 1].mean(), 0.0]]), turn=ik.lean(np.array([0.05])),
            spine=np.array([[manner.stoop, 0.0, 0.0]]), head=np.zeros((1, 3)),
        )  # fmt: skip
        stand_on(trial, rig, prints)
        trial.arms["left"] = [(0.0, 0.0, Hand(at=tuple(grip), pole=(0.6, 0.3, -0.5)))]
        _bend(trial, rig, np.array([depth]), manner.style == "squat", manner.out)
        wrist = solve(trial, rig, rounds=0).positions[0, ARM["left"][3]]
        if np.linalg.norm(wrist - grip) < 0.004:
            break
    return float(min(depth + 0.04, 1.25))
