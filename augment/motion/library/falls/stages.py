"""Random stages of each kind of fall: protective reactions, landing, and lying."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .plan import Stage
from .poses import NEUTRAL, Posture, swapped

Rng = np.random.Generator

LIMP = {"leg": 0.04, "trunk": 0.06, "neck": 0.10, "arm": 0.03}
"""Muscle tone of a person lying still."""
ALERT = {"leg": 0.9, "trunk": 0.9, "neck": 0.8, "arm": 0.8}
"""Muscle tone of a person losing balance."""

_SEATED: Posture = {"hip_x": -82.0, "knee_x": 80.0, "elbow_y": -50.0, "shoulder_forward": 55.0, "shoulder_raise": -62.0}
_TRUNK = ("hands", "arms", "chest", "head")


def stages_for(kind: str, cause: str, *, rng: Rng, side: str, mode: str) -> tuple[Stage, ...]:
    """Draw the stages of a fall.

    Args:
        side: Side fallen on or turned to.
        mode: A key of ``MODES``.
    """
    weak = cause == "give_way"
    standing = NEUTRAL | {"knee_x": 14.0, "hip_x": -10.0}
    latency = Stage(
        posture=NEUTRAL | _SEATED if kind == "fall_from_chair" else standing,
        tone=ALERT | {"leg": 0.12 if weak else float(rng.uniform(0.5, 0.9))},
        blend=0.25,
        hold=float(rng.uniform(0.08, 0.18)),
    )
    stages = (latency, *MODES[mode](rng, weak), *_come_to_lie(rng))
    if side == "right":
        stages = tuple(
            replace(s, posture=swapped(s.posture), lying={up: swapped(p) for up, p in s.lying.items()}) for s in stages
        )
    return tuple(
        replace(s, posture=_noisy(s.posture, rng), lying={up: _noisy(p, rng) for up, p in s.lying.items()}) for s in stages
    )


def _noisy(posture: Posture, rng: Rng) -> Posture:
    """Add noise to the large joints, each side separately."""
    noisy = dict(posture)
    for key in ("hip_x", "knee_x", "elbow_y", "shoulder_raise", "shoulder_forward"):
        for side in ("left", "right"):
            base = posture.get(f"{side}_{key}", posture.get(key, NEUTRAL.get(key, 0.0)))
            noisy[f"{side}_{key}"] = base + 7.0 * float(rng.standard_normal())
    return noisy


def _come_to_lie(rng: Rng) -> tuple[Stage, ...]:
    """From the last impact to lying limp: legs and arms relax, the head turns to a side."""
    turn = float(rng.uniform(20, 34) * rng.choice([-1, 1]))
    bent, arms_up = float(rng.uniform(0, 1)), bool(rng.random() < 0.5)
    back: Posture = {
        "hip_x": -4.0 - 14.0 * bent, "knee_x": 6.0 + 26.0 * bent, "hip_z": float(rng.uniform(5, 14)), "hip_y": 14.0,
        "ankle_x": 24.0, "shoulder_forward": -8.0, "shoulder_raise": -float(rng.uniform(20, 62)), "neck_y": 0.5 * turn,
        "elbow_y": -float(rng.uniform(10, 45)), "head_y": 0.5 * turn,
    }  # fmt: skip
    side: Posture = {
        "hip_x": -float(rng.uniform(10, 45)), "knee_x": float(rng.uniform(20, 65)), "ankle_x": 18.0, "neck_z": 4.0,
        "left_shoulder_forward": float(rng.uniform(70, 100)), "left_shoulder_raise": float(rng.uniform(-35, 20)),
        "left_elbow_y": -float(rng.uniform(20, 70)), "right_shoulder_forward": float(rng.uniform(55, 85)),
        "right_shoulder_raise": -float(rng.uniform(40, 65)), "right_elbow_y": -float(rng.uniform(30, 70)),
    }  # fmt: skip
    arms: Posture = (
        {"shoulder_forward": 15.0, "shoulder_raise": float(rng.uniform(-15, 30)), "elbow_y": -80.0}
        if arms_up
        else {"shoulder_forward": 5.0, "shoulder_raise": -float(rng.uniform(40, 60)), "elbow_y": -30.0}
    )
    front: Posture = {"hip_x": -2.0, "knee_x": 8.0, "ankle_x": 34.0, "hip_z": 8.0, "neck_y": turn, "head_y": turn, **arms}
    lying = {"front": back, "side": side, "back": front}
    return (
        Stage(posture={}, lying=lying, tone=_tone(0.12, 0.25, 0.5, 0.05), blend=0.45, hold=0.35),
        Stage(posture={}, lying=lying, tone=_tone(0.10, 0.20, 0.4, 0.04), blend=0.45, hold=0.4),
        Stage(posture={}, lying=lying, tone=LIMP, blend=0.7, hold=0.8),
    )


def _reach(rng: Rng) -> Posture:
    """Both arms ahead to reach the floor, head up."""
    return {
        "shoulder_forward": float(rng.uniform(78, 95)), "shoulder_raise": float(rng.uniform(-15, 8)),
        "elbow_y": -float(rng.uniform(22, 42)), "wrist_z": 45.0, "neck_x": -18.0, "head_x": -12.0, "spine2_x": 4.0,
    }  # fmt: skip


def _tone(leg: float, trunk: float, neck: float, arm: float) -> dict[str, float]:
    return {"leg": leg, "trunk": trunk, "neck": neck, "arm": arm}


def _absorb(rng: Rng, brace: Posture) -> Stage:
    """The arms bend under the trunk."""
    posture = brace | {"elbow_y": -100.0, "shoulder_forward": 60.0, "hip_x": -4.0, "knee_x": float(rng.uniform(10, 45))}
    tone = _tone(0.3, 0.6, 0.9, 0.4)
    return Stage(posture=posture | {"ankle_x": 30.0}, tone=tone, blend=0.2, hold=float(rng.uniform(0.28, 0.45)))


def _forward(rng: Rng, weak: bool) -> tuple[Stage, ...]:
    brace = _reach(rng) | {"hip_x": -float(rng.uniform(5, 20)), "knee_x": float(rng.uniform(18, 42)), "ankle_x": 15.0}
    tone = ALERT | {"leg": 0.25 if weak else 0.5, "arm": 1.0}
    return (Stage(posture=brace, tone=tone, blend=0.2, until=_TRUNK, hold=1.6), _absorb(rng, brace))


def _knees(rng: Rng, weak: bool) -> tuple[Stage, ...]:
    fold: Posture = {
        "hip_x": -float(rng.uniform(14, 30)), "knee_x": float(rng.uniform(85, 105)), "ankle_x": 20.0, "spine1_x": 6.0,
        "shoulder_forward": 62.0, "shoulder_raise": -float(rng.uniform(35, 60)), "elbow_y": -45.0,
    }  # fmt: skip
    kneel = _reach(rng) | {"hip_x": -float(rng.uniform(32, 58)), "knee_x": 75.0, "ankle_x": 42.0, "spine1_x": 8.0}
    kneel["shoulder_raise"] = -float(rng.uniform(0, 25))
    return (
        Stage(posture=fold, tone=ALERT | {"leg": 0.25}, blend=0.25, until=("knees", *_TRUNK), hold=1.0),
        Stage(posture=kneel, tone=ALERT | {"leg": 0.45, "arm": 1.0}, blend=0.3, until=_TRUNK, hold=1.5),
        _absorb(rng, kneel),
    )


def _backward(rng: Rng, weak: bool) -> tuple[Stage, ...]:
    sit: Posture = {
        "hip_x": -float(rng.uniform(45, 75)), "knee_x": float(rng.uniform(45, 80)), "spine1_x": 12.0, "spine2_x": 10.0,
        "spine3_x": 8.0, "neck_x": 22.0, "head_x": 15.0, "shoulder_forward": -float(rng.uniform(25, 50)),
        "shoulder_raise": -float(rng.uniform(25, 50)), "elbow_y": -20.0, "wrist_z": 40.0, "ankle_x": 8.0,
    }  # fmt: skip
    roll = sit | {"hip_x": -float(rng.uniform(50, 75)), "knee_x": float(rng.uniform(30, 70))}
    tone = ALERT | {"leg": 0.25 if weak else 0.45}
    return (
        Stage(posture=sit, tone=tone, blend=0.28, until=("pelvis", "chest", "head"), hold=1.6),
        Stage(posture=roll, tone=_tone(0.3, 0.45, 1.0, 0.4), blend=0.15, until=("chest", "head"), hold=0.6),
        Stage(posture=roll, tone=_tone(0.2, 0.4, 1.0, 0.3), blend=0.2, hold=float(rng.uniform(0.05, 0.3))),
    )


def _sideways(rng: Rng, weak: bool) -> tuple[Stage, ...]:
    """Fall to the left."""
    brace: Posture = {
        "left_shoulder_forward": float(rng.uniform(10, 40)), "left_shoulder_raise": -float(rng.uniform(20, 40)),
        "left_elbow_y": -25.0, "left_wrist_z": 45.0, "right_shoulder_forward": float(rng.uniform(45, 80)),
        "right_shoulder_raise": -float(rng.uniform(20, 50)), "right_elbow_y": -40.0, "spine1_z": 5.0, "spine2_z": 7.0,
        "spine3_z": 5.0, "neck_z": 14.0, "head_z": 10.0, "left_hip_x": -float(rng.uniform(18, 40)),
        "right_hip_x": -float(rng.uniform(8, 28)), "left_knee_x": float(rng.uniform(35, 70)),
        "right_knee_x": float(rng.uniform(18, 45)), "left_hip_z": -4.0, "right_hip_z": 14.0,
    }  # fmt: skip
    land = brace | {"left_elbow_y": -60.0, "left_hip_x": -30.0, "right_hip_x": -26.0}
    trunk = ("pelvis", "thighs", "chest", "head")
    tone = ALERT | {"leg": 0.2 if weak else 0.45}
    return (
        Stage(posture=brace, tone=tone, blend=0.25, until=trunk, hold=1.6),
        Stage(posture=land, tone=_tone(0.35, 0.55, 1.0, 0.4), blend=0.2, until=("chest", "head"), hold=0.6),
        Stage(posture=land, tone=_tone(0.25, 0.5, 0.9, 0.15), blend=0.2, hold=float(rng.uniform(0.05, 0.25))),
    )


def _off_chair_sideways(rng: Rng, weak: bool) -> tuple[Stage, ...]:
    """Fall over the seat's left edge with bent legs."""
    first, *rest = _sideways(rng, weak)
    legs = {"left_hip_x": -72.0, "right_hip_x": -66.0, "left_knee_x": 85.0, "right_knee_x": 75.0, "right_hip_z": 4.0}
    tone = _tone(0.15, 0.9, 0.9, 0.8)
    stages = (replace(first, posture=first.posture | legs, tone=tone), *(replace(s, posture=s.posture | legs) for s in rest))
    return tuple(replace(s, tone=s.tone | {"leg": min(s.tone["leg"], 0.2)}) for s in stages)


def _off_chair(rng: Rng, weak: bool) -> tuple[Stage, ...]:
    """Fall forward off the seat."""
    slump: Posture = {
        "hip_x": -118.0, "knee_x": float(rng.uniform(88, 105)), "ankle_x": -12.0, "spine1_x": 22.0, "spine2_x": 18.0,
        "spine3_x": 12.0, "neck_x": 10.0, "shoulder_forward": 80.0, "shoulder_raise": -float(rng.uniform(20, 45)),
        "elbow_y": -35.0,
    }  # fmt: skip
    brace = _reach(rng) | {"hip_x": -float(rng.uniform(50, 75)), "knee_x": float(rng.uniform(80, 100)), "ankle_x": 10.0}
    tone = ALERT | {"leg": 0.3 if weak else 0.45, "trunk": 0.6}
    return (
        Stage(posture=slump, tone=tone, blend=0.3, until=("knees", *_TRUNK), hold=float(rng.uniform(0.3, 0.45))),
        Stage(posture=brace, tone=ALERT | {"leg": 0.4, "arm": 1.0}, blend=0.25, until=("chest", "head", "hands"), hold=1.2),
        _absorb(rng, brace),
    )


def _slide_off_chair(rng: Rng, weak: bool) -> tuple[Stage, ...]:
    """Slide over the seat's front edge, then fall to the left."""
    slide: Posture = {
        "hip_x": -float(rng.uniform(40, 60)), "knee_x": float(rng.uniform(40, 65)), "shoulder_forward": -10.0,
        "shoulder_raise": -45.0, "elbow_y": -40.0, "neck_x": 15.0, "head_x": 10.0,
    }  # fmt: skip
    topple = slide | {
        "spine1_z": -14.0, "spine2_z": -12.0, "spine3_z": -12.0, "neck_z": -8.0, "spine1_y": 12.0, "hip_x": -45.0, "hip_y": 0.0,
        "left_shoulder_forward": 20.0, "left_shoulder_raise": -30.0,
    }  # fmt: skip
    return (
        Stage(posture=slide, tone=ALERT | {"leg": 0.15}, blend=0.3, until=("pelvis", "chest", "head"), hold=1.8),
        Stage(posture=topple, tone=_tone(0.08, 0.7, 0.6, 0.1), blend=0.25, until=("chest", "head"), hold=1.4),
    )


MODES = {
    "forward": _forward, "knees": _knees, "backward": _backward, "sideways": _sideways,
    "off_chair": _off_chair, "off_chair_sideways": _off_chair_sideways, "slide_off_chair": _slide_off_chair,
}  # fmt: skip
"""Ways of landing; defined for the left side and mirrored for the right."""
