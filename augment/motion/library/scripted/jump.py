"""Jump once or several times. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import ik
from .curves import along, ramp
from .gait import Foot
from .goals import ArmAngles
from .manner import Manner, Take, draw_manner, oldness, posture, relaxed, stance_prints, use_feet
from .rig import SIDES, Rig

GRAVITY = 9.81
"""m/s^2."""
OFF_PITCH, LAND_PITCH = 0.75, 0.45
"""Pitch of the feet at take-off and at landing, radians."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpManner(Manner):
    """``side`` has no effect but for the mirroring."""

    height: float
    """Rise of the pelvis in flight, metres."""
    depth: float
    """Depth of the crouch before the jump, metres."""
    count: int
    """Number of jumps."""
    arms: float
    """Swing of the arms, 0..1."""
    forward: float
    """Distance forward per jump, metres."""
    crouch: float
    """Time to sink before the jump, seconds."""
    recover: float
    """Time to stand up after it, seconds."""
    pitch: float = 1.0
    """Share of ``OFF_PITCH`` and ``LAND_PITCH``."""


HOPS = 0.4
"""Share of people who hop: low, two or three times a second, from the balls of the feet."""


def draw_jump(rng: np.random.Generator, rig: Rig) -> JumpManner:
    manner = draw_manner(rng, 2.2, 4.5)
    fit = 1.0 - 0.75 * oldness(manner["age"])
    seconds = float(manner["seconds"])
    if rng.random() < HOPS:
        return JumpManner(
            **manner, height=float(rng.uniform(0.02, 0.07) * fit + 0.01), depth=float(rng.uniform(0.02, 0.05)),
            count=int(seconds / 0.3), arms=float(rng.uniform(0.0, 0.25)), forward=0.0, crouch=float(rng.uniform(0.02, 0.08)),
            recover=float(rng.uniform(0.02, 0.10)), pitch=float(rng.uniform(0.35, 0.6)),
        )  # fmt: skip
    return JumpManner(
        **manner, height=float(rng.uniform(0.10, 0.36) * fit + 0.02), depth=float(rng.uniform(0.14, 0.30)),
        count=int(rng.integers(1, max(2, int(seconds / 1.5) + 1))), arms=float(rng.uniform(0.2, 1.0)),
        forward=float(rng.uniform(0.0, 0.35) * (rng.random() < 0.3)), crouch=float(rng.uniform(0.35, 0.5)),
        recover=float(rng.uniform(0.4, 0.6)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """Pelvis heights (metres), speeds (m/s) and durations (seconds) of a jump's phases."""

    stand: float
    low: float
    """Height of the crouch."""
    off: float
    """Height at take-off."""
    land: float
    """Height at landing."""
    landing: float
    """Lowest height after landing."""
    speed: float
    """At take-off, upwards."""
    impact: float
    """At landing, downwards."""
    crouch: float
    push: float
    flight: float
    absorb: float
    recover: float
    pitch: float
    """Share of ``OFF_PITCH`` and ``LAND_PITCH``."""


def _plan_jump(rig: Rig, manner: JumpManner, stand: float) -> Jump:
    """Ballistic flight of the drawn height, from the toes to the toes."""
    toe = float(np.hypot(*rig.ball["left"][1:]))
    off = stand + 0.93 * toe * np.sin(OFF_PITCH * manner.pitch)
    land = stand + 0.9 * toe * np.sin(LAND_PITCH * manner.pitch) - 0.01
    speed = np.sqrt(2 * GRAVITY * manner.height)
    flight = (speed + np.sqrt(speed**2 + 2 * GRAVITY * (off - land))) / GRAVITY
    low, landing = stand - manner.depth, stand - 0.75 * manner.depth - 0.25 * manner.height
    impact = GRAVITY * flight - speed
    return Jump(
        stand=stand, low=low, off=off, land=land, landing=landing, speed=speed, impact=impact, flight=flight,
        push=1.5 * (off - low) / speed, absorb=1.5 * (land - landing) / impact, crouch=manner.crouch, recover=manner.recover,
        pitch=manner.pitch,
    )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class JumpCurves:
    """What several jumps add up to, each (t,)."""

    height: np.ndarray
    """Of the pelvis, metres."""
    lift: np.ndarray
    """Of the feet, metres."""
    pitch: np.ndarray
    """Of the feet, radians."""
    forward: np.ndarray
    """Distance covered, metres."""
    bend: np.ndarray
    """Of the trunk, 1 in the crouch."""
    arms: np.ndarray
    """Swing of the arms."""

    def add(self, jump: Jump, t: np.ndarray, start: float, level: float, forward: float) -> float:
        """Add a jump from the pelvis height ``level``; returns the second of the lowest point after landing."""
        bottom = start + jump.crouch
        leave = bottom + jump.push
        touch = leave + jump.flight
        low_again = touch + jump.absorb
        done = low_again + jump.recover
        u = (t - start) / jump.crouch
        y = np.where((u >= 0) & (u < 1), level + (jump.low - level) * (u * u * (3 - 2 * u)), self.height)
        u = (t - bottom) / jump.push
        driven = jump.low + (jump.off - jump.low) * u * u * (3 - 2 * u) + jump.push * jump.speed * (u**3 - u**2)
        y = np.where((u >= 0) & (u < 1), driven, y)
        s = t - leave
        air = (s >= 0) & (s < jump.flight)
        y = np.where(air, jump.off + jump.speed * s - GRAVITY * s * s / 2, y)
        foot_base = jump.off + (jump.land - jump.off) * np.clip(s / jump.flight, 0, 1)
        self.lift = np.where(air, np.maximum(y - foot_base, 0.0) * 0.97, self.lift)
        u = (t - touch) / jump.absorb
        braked = jump.land + (jump.landing - jump.land) * u * u * (3 - 2 * u)
        y = np.where((u >= 0) & (u < 1), braked - jump.absorb * jump.impact * (u - 2 * u * u + u**3), y)
        self.height = np.where(u >= 1, jump.landing + (jump.stand - jump.landing) * ramp(t, low_again, done), y)
        off = OFF_PITCH * jump.pitch
        self.pitch = self.pitch + along(
            t, (bottom + 0.35 * jump.push, 0.0), (leave, off), (leave + 0.5 * jump.flight, 0.9 * off),
            (touch, LAND_PITCH * jump.pitch), (touch + 0.5 * jump.absorb, 0.0), (touch + jump.absorb, 0.0),
        )  # fmt: skip
        self.forward = self.forward + forward * np.clip(s / jump.flight, 0, 1)
        self.bend = self.bend + along(
            t, (start, 0.0), (bottom, 1.0), (leave, 0.0), (touch, 0.15), (low_again, 0.8), (done, 0.0)
        )  # fmt: skip
        self.arms = self.arms + along(
            t, (start, 0.0), (bottom - 0.1, -0.7), (leave + 0.06, 1.2), (leave + 0.7 * jump.flight, 1.1), (low_again, 0.1),
            (done, 0.0),
        )  # fmt: skip
        return low_again


def act_jump(t: np.ndarray, rig: Rig, manner: JumpManner, *, rng: np.random.Generator) -> Take:
    """Crouch, push off, fly ballistically, land and absorb: once or several times."""
    plan = posture(t, rig, manner, rng=rng)
    prints = stance_prints(rig, manner, rng=rng)
    jump = _plan_jump(rig, manner, float(plan.pelvis[:, 1].mean()))
    still = np.zeros(len(t))
    curves = JumpCurves(height=still + jump.stand, lift=still, pitch=still, forward=still, bend=still, arms=still)
    start, level, segments = rng.uniform(0.25, 0.6), jump.stand, []
    for index in range(manner.count):
        low_again = curves.add(jump, t, start, level, manner.forward)
        segments += [("standing" if index == 0 else "jump", start), ("jump", low_again + 0.5 * jump.recover)]
        start = low_again + 0.6 * jump.recover
        level = jump.stand + (jump.landing - jump.stand) * (1 - float(ramp(np.array([0.6]), 0, 1)[0]))
        if start + jump.crouch + jump.push + jump.flight + 0.3 > manner.seconds:
            break
    bend, arms = curves.bend, curves.arms
    plan.pelvis[:, 1] = curves.height
    plan.pelvis[:, 2] += curves.forward - 0.35 * manner.depth * bend
    plan.turn = plan.turn @ ik.lean(0.55 * bend * manner.depth / 0.25)
    plan.spine[:, 0] += 0.3 * bend
    plan.head[:, 0] -= 0.45 * bend
    feet = {}
    for side, at in prints.items():
        ground = np.stack([0 * t + at.x, curves.lift, at.z + curves.forward], axis=1)
        feet[side] = Foot(ground=ground, yaw=np.full(len(t), at.yaw), pitch=curves.pitch, contact=(curves.lift <= 0) * 1.0)
    use_feet(plan, rig, feet)
    for side in SIDES:
        hang = relaxed(t, manner, rng=rng)
        wide = 0.25 * np.clip(arms, 0, 1.5) * manner.arms
        plan.arms[side] = [(0.0, 0.0, ArmAngles(
            flexion=hang.flexion + arms * manner.arms, abduction=hang.abduction + wide,
            twist=hang.twist * (1 - 0.7 * np.clip(arms, 0, 1)),
            elbow=hang.elbow + 0.5 * np.abs(arms) * manner.arms, wrist=hang.wrist,
        ))]  # fmt: skip
    plan.reach = {}
    segments.append(("standing", manner.seconds))
    return Take(plan=plan, segments=segments, notes={"take_off_speed": float(jump.speed)})
