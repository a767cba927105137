"""Crawl on palms and knees. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from . import ik
from .curves import noise, smooth
from .gait import Foot, Footprint, step_feet
from .goals import Hand, Knelt, collar
from .manner import Manner, Take, draw_manner, oldness, posture
from .pose import SPINE_SHARE, PosePlan, Rest
from .rig import SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlManner(Manner):
    """``side`` is the hand that moves first."""

    stride: float
    """Length of a knee's step, metres."""
    cycle: float
    """Seconds of a full cycle (both knees)."""
    look: float
    """Extension of the head, radians."""


def draw_crawl(rng: np.random.Generator, rig: Rig) -> CrawlManner:
    manner = draw_manner(rng, 3.0, 6.5)
    old = oldness(manner["age"])
    return CrawlManner(
        **manner, stride=float(rng.uniform(0.26, 0.42) * (1 - 0.25 * old)),
        cycle=float(rng.uniform(1.1, 1.8) * (1 + 0.4 * old)),
        look=float(rng.uniform(0.2, 0.7)),
    )  # fmt: skip


def crawl_trunk(rig: Rig, bend: float) -> tuple[float, float]:
    """Pitch of the pelvis (radians) at which, with the knees under the hips, the arms are almost straight; and the distance of
    the shoulders ahead of the hips (metres). ``bend`` is that of the spine, radians."""
    hip = rig.knee_radius + 0.985 * rig.thigh
    wanted = rig.palm + 0.95 * (rig.upper_arm + rig.forearm)
    tilt, shoulder = 1.5, np.zeros(3)
    for _ in range(8):
        rotations = np.broadcast_to(np.eye(3), (1, 24, 3, 3)).copy()
        rotations[0, 0] = ik.lean(tilt)
        for joint, share in zip((3, 6, 9), SPINE_SHARE, strict=True):
            rotations[0, joint] = ik.lean(bend * share)
        rotations[0, 13] = collar("left", np.array([[0.0, -0.2, 1.0]]))[0]
        positions, _ = ik.forward(rotations, rig.rest)
        shoulder = positions[0, 16] - positions[0, 1]
        tilt -= 0.9 * (wanted - hip - shoulder[1]) / 0.5
    return float(np.clip(tilt, 0.9, 1.8)), float(shoulder[2])


def act_crawl(t: np.ndarray, rig: Rig, manner: CrawlManner, *, rng: np.random.Generator) -> Take:
    """Crawl on palms and knees; a hand and the opposite knee move together."""
    plan = posture(t, rig, manner, rng=rng)
    speed = manner.stride * rig.scale / manner.cycle
    bend = 0.35 * manner.stoop - 0.05
    tilt, reach = crawl_trunk(rig, bend)
    knees, hands = _crawl_steps(t, rig, manner, speed, reach, rng=rng)
    contact = knees["left"].contact - knees["right"].contact
    sway = smooth(contact, 0.12 * manner.cycle / max(t[1] - t[0], 1e-3)) * 0.022
    height = rig.knee_radius + rig.thigh * 0.985 + rig.hip_drop * np.cos(tilt)
    wander = noise(t, rng=rng, amplitude=[0.006, 0.003, 0.006], low=0.1, high=0.6)
    plan.pelvis = np.stack([sway, 0 * t + height, speed * t + rig.hip_drop * np.sin(tilt)], axis=1) + wander
    shake = noise(t, rng=rng, amplitude=[0.02, 0.02, 0.02], low=0.2, high=0.9)
    yaw = -0.20 * (knees["left"].ground[:, 2] - knees["right"].ground[:, 2])
    hands_apart = hands["left"].ground[:, 2] - hands["right"].ground[:, 2]
    plan.turn = ik.lean(tilt + shake[:, 0], 0.3 * sway / 0.03 * 0.2, yaw + shake[:, 2])
    plan.spine = np.stack(
        [0.04 * shake[:, 0] + 0 * t + bend, shake[:, 1] - 0.25 * (yaw + 0.35 * hands_apart), 0.2 * hands_apart], axis=1
    )
    plan.head = np.stack([-manner.look - bend + noise(t, rng=rng, amplitude=0.08, low=0.1, high=0.6), 0 * t,
                          noise(t, rng=rng, amplitude=0.12, low=0.1, high=0.5)], axis=1)  # fmt: skip
    _crawl_limbs(plan, rig, knees, hands)
    plan.rests = [Rest(parts=(4, 5), weight=np.ones(len(t)), sink=0.006)]
    return Take(plan=plan, segments=[("crawl", manner.seconds)])


def _crawl_steps(
    t: np.ndarray, rig: Rig, manner: CrawlManner, speed: float, reach: float, *, rng: np.random.Generator
) -> tuple[dict[str, Foot], dict[str, Foot]]:
    """Knees and hands, which step like feet; ``reach`` is the distance of the shoulders ahead of the hips, metres."""
    cycle, swing = manner.cycle, 0.36 * manner.cycle
    offset = -rng.uniform(0.0, 1.0) * cycle
    half_knee, half_hand = 0.5 * rig.hip_width, 0.5 * (rig.rest[16, 0] - rig.rest[17, 0]) + 0.01
    knees: dict[str, list[Footprint]] = {side: [] for side in SIDES}
    hands: dict[str, list[Footprint]] = {side: [] for side in SIDES}
    for side in SIDES:
        # The left hand moves with the right knee.
        for prints, phase, ahead, wide in (
            (knees, 0.0 if side == "right" else 0.5, 0.0, half_knee),
            (hands, 0.06 if side == "left" else 0.56, reach, half_hand)
        ):  # fmt: skip
            for k in count(-2):
                off = offset + (k + phase) * cycle
                on = off + swing
                jitter = 0.02 * rng.standard_normal(2) * rig.scale if ahead else 0.008 * rng.standard_normal(2)
                # In the middle of its stance a knee is under the hip, a hand under the shoulder.
                middle = on + 0.5 * (cycle - swing)
                prints[side].append(Footprint(
                    on=on, off=off + cycle, x=SIGN[side] * wide + jitter[0], z=speed * middle + ahead + jitter[1], yaw=0.0
                ))  # fmt: skip
                if off > manner.seconds:
                    break
    return step_feet(t, knees, clearance=0.045, roll=0.0), step_feet(t, hands, clearance=0.07, roll=0.0)


def _crawl_limbs(plan: PosePlan, rig: Rig, knees: dict[str, Foot], hands: dict[str, Foot]) -> None:
    """Goals of the legs and arms for where knees and hands are."""
    still = 0 * plan.t
    for side in SIDES:
        knee = knees[side].ground + [0.0, rig.knee_radius, 0.0]
        ankle_y = 0.085 + 0.02 * (1 - knees[side].contact)
        # The foot stays low behind the knee while the knee swings forward.
        ankle = knee + np.stack(
            [still + SIGN[side] * 0.03, ankle_y - knee[:, 1] + 0.6 * knees[side].ground[:, 1], still - rig.shank], axis=1
        )
        plan.legs[side] = [(0.0, 0.0, Knelt(knee=knee, ankle=ankle, bend=1.0))]
        wrist = hands[side].ground + [0.0, rig.palm + 0.004, 0.0]
        plan.arms[side] = [(0.0, 0.0, Hand(
            at=wrist, pole=(SIGN[side] * 0.45, 0.2, -1.0), fingers=(SIGN[side] * -0.12, -0.06, 1.0), palm=(0.0, -1.0, 0.0)
        ))]  # fmt: skip
