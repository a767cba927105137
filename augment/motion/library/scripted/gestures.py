"""Actions on the spot: wave, reach, pick up, jump. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import ik
from .curves import noise, ramp, window
from .gait import Foot
from .goals import ArmAngles, Hand
from .manner import (
    Manner,
    Take,
    along,
    draw_manner,
    oldness,
    pick,
    planted,
    posture,
    relaxed,
    stance_prints,
    stand_on,
    use_feet,
)
from .pose import PosePlan, solve
from .rig import ARM, SIDES, Rig

GRAVITY = 9.81
"""m/s^2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveManner(Manner):
    """``side`` is the waving hand."""

    height: float
    """0 waves beside the shoulder, 1 above the head."""
    swing: float
    """Amplitude of the forearm to either side, radians."""
    pace: float
    """Waves a second."""


def draw_wave(rng: np.random.Generator, rig: Rig) -> WaveManner:
    return WaveManner(
        **draw_manner(rng, 2.5, 5.5), height=float(rng.beta(1.3, 1.3)), swing=float(rng.uniform(0.25, 0.6)),
        pace=float(rng.uniform(1.1, 2.2)),
    )  # fmt: skip


def act_wave(t: np.ndarray, rig: Rig, manner: WaveManner, *, rng: np.random.Generator) -> Take:
    """Raise a hand, wave the forearm from side to side, lower it."""
    plan = posture(t, rig, manner, rng=rng)
    stand_on(plan, rig, stance_prints(rig, manner, rng=rng))
    up = rng.uniform(0.2, 0.6)
    raised = up + rng.uniform(0.5, 0.9) * (1 + 0.4 * manner.old)
    lower = manner.seconds - rng.uniform(0.9, 1.3) if rng.random() < 0.7 else manner.seconds + 9.0
    phase = 2 * np.pi * manner.pace * (t - raised) + 0.5 * noise(t, rng=rng, amplitude=0.5, low=0.2, high=0.8)
    angle = manner.swing * np.sin(phase) * window(t, raised, min(lower, manner.seconds + 1), 0.4)
    angle = 0.15 - angle + 0.15 * (1 - manner.height)
    high = manner.height * (1 - 0.45 * manner.old)
    toward = ik.unit(np.array([0.62 + 0.18 * high, -0.75 + 0.95 * high, 0.55 - 0.15 * high]))
    shoulder = rig.rest[16] - rig.rest[9]
    elbow = shoulder + rig.upper_arm * toward + noise(t, rng=rng, amplitude=[0.012, 0.012, 0.01], low=0.3, high=1.2)
    forearm = ik.unit(np.stack([np.sin(angle), np.cos(angle), np.full(len(t), 0.22 - 0.1 * high)], axis=1))
    delayed = 0.15 + 0.55 * manner.swing * np.sin(phase - 0.6) * -1.0
    fingers = np.stack([np.sin(angle + 0.5 * delayed), np.cos(angle + 0.5 * delayed), 0.1 + 0 * t], axis=1)
    hand = Hand(
        at=elbow + forearm * rig.forearm * 0.97, frame="chest", pole=tuple(toward), fingers=fingers, palm=(0.0, -0.1, 1.0)
    )
    plan.arms["left"] += [(up, raised, hand), (lower, lower + 0.8, relaxed(t, manner, rng=rng))]
    lift = window(t, raised, min(lower, manner.seconds + 1), 0.5)
    plan.spine[:, 1] += 0.05 * lift * (0.4 + high)
    plan.head[:, 0] -= 0.1 * lift
    return Take(plan=plan, segments=[("standing", manner.seconds)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachManner(Manner):
    """``side`` is the reaching hand."""

    height: float
    """Elevation of the target, as a share of a right angle: 0 forward, 1 straight up."""
    out: float
    """Azimuth of the target, to the side (positive) or across the body, radians."""
    tiptoe: float
    """Pitch of the raised heels, radians."""
    both: bool
    """Both hands reach."""


def draw_reach(rng: np.random.Generator, rig: Rig) -> ReachManner:
    manner = draw_manner(rng, 2.5, 5.5)
    return ReachManner(
        **manner, height=float(rng.uniform(0.45, 0.97)), out=float(rng.uniform(-0.3, 0.6)),
        tiptoe=float(rng.uniform(0.15, 0.5) if rng.random() < 0.4 and float(manner["age"]) < 75 else 0.0),
        both=bool(rng.random() < 0.3),
    )  # fmt: skip


def act_reach(t: np.ndarray, rig: Rig, manner: ReachManner, *, rng: np.random.Generator) -> Take:
    """Look up, reach for something high, hold, come back."""
    plan = posture(t, rig, manner, rng=rng)
    prints = stance_prints(rig, manner, rng=rng)
    up = rng.uniform(0.2, 0.7)
    there = up + rng.uniform(0.7, 1.1) * (1 + 0.5 * manner.old)
    leave = max(there + 0.3, manner.seconds - rng.uniform(1.1, 1.6)) if rng.random() < 0.75 else manner.seconds + 9
    hold = window(t, there, min(leave, manner.seconds + 9), 0.6)
    feet = stand_on(plan, rig, prints)
    heels = manner.tiptoe * window(t, there - 0.1, leave, 0.45) * (1 + 0.06 * np.sin(7 * t))
    for foot in feet.values():
        foot.pitch = heels
    use_feet(plan, rig, feet)
    toe_length = float(np.hypot(*rig.ball["left"][1:]))
    plan.pelvis[:, 1] += toe_length * np.sin(heels) * 0.95
    plan.pelvis[:, 2] += 0.05 * hold + 0.5 * toe_length * np.sin(heels)
    high = manner.height
    rise = np.sin(high * np.pi / 2)
    ahead = np.cos(high * np.pi / 2)
    direction = ik.unit(np.array([np.sin(manner.out) * 0.6, rise, max(ahead, 0.15) + 0.1]))
    shoulder = rig.rest[16] - rig.rest[0]
    base = plan.pelvis.mean(axis=0) * [0, 1, 0] + shoulder + [0.0, 0.05 * rise, 0.10]
    reach = (rig.upper_arm + rig.forearm) * rng.uniform(0.93, 1.03)
    wander = noise(t, rng=rng, amplitude=[0.015, 0.012, 0.012], low=0.3, high=1.3)
    spot = base + direction * reach + wander + toe_length * np.sin(heels)[:, None] * [0, 1, 0.3]
    for side in SIDES if manner.both else ("left",):
        sign = 1.0 if side == "left" else -1.0
        at = spot * [sign, 1, 1] if not manner.both else spot * [0, 1, 1] + [0.12 * sign, 0, 0]
        hand = Hand(
            at=at,
            pole=(0.7 * sign, -0.8, -0.2),
            fingers=tuple(ik.unit(direction * [sign, 1, 1] + [0, 0.1, 0.5])),
            palm=(0.0, -0.35, 1.0),
        )
        plan.arms[side] += [(up, there, hand), (leave, leave + 1.0, relaxed(t, manner, rng=rng))]
    plan.spine[:, 1] -= 0.14 * hold * rise * (0.0 if manner.both else 1.0)
    plan.spine[:, 0] -= (0.10 * rise - 0.08 * ahead) * hold
    plan.head[:, 0] -= (0.35 * rise) * hold
    plan.head[:, 2] += 0.15 * hold * np.sign(manner.out)
    plan.turn = plan.turn @ ik.lean(roll=-0.03 * hold)
    return Take(plan=plan, segments=[("standing", manner.seconds)])


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
    half = 0.5 * rig.hip_width
    for depth in np.linspace(0.4, 1.25, 12):
        trial = PosePlan(
            t=np.zeros(1), pelvis=np.array([[0.0, plan.pelvis[:, 1].mean(), 0.0]]), turn=ik.lean(np.array([0.05])),
            spine=np.array([[manner.stoop, 0.0, 0.0]]), head=np.zeros((1, 3)),
        )  # fmt: skip
        for side, x in (("left", half), ("right", -half)):
            trial.legs[side] = [(0.0, 0.0, planted(rig, side, x, -0.05, yaw=0.1))]
        trial.arms["left"] = [(0.0, 0.0, Hand(at=tuple(grip), pole=(0.6, 0.3, -0.5)))]
        _bend(trial, rig, np.array([depth]), manner.style == "squat", manner.out)
        wrist = solve(trial, rig, rounds=0).positions[0, ARM["left"][3]]
        if np.linalg.norm(wrist - grip) < 0.004:
            break
    return float(min(depth + 0.04, 1.25))


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


def draw_jump(rng: np.random.Generator, rig: Rig) -> JumpManner:
    manner = draw_manner(rng, 2.2, 4.5)
    fit = 1.0 - 0.75 * oldness(manner["age"])
    seconds = float(manner["seconds"])
    return JumpManner(
        **manner, height=float(rng.uniform(0.10, 0.36) * fit + 0.02), depth=float(rng.uniform(0.14, 0.30)),
        count=int(rng.integers(1, max(2, int(seconds / 1.5) + 1))), arms=float(rng.uniform(0.2, 1.0)),
        forward=float(rng.uniform(0.0, 0.35) * (rng.random() < 0.3)),
    )  # fmt: skip


OFF_PITCH, LAND_PITCH = 0.75, 0.45
"""Pitch of the feet at take-off and at landing, radians."""


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


def _plan_jump(rig: Rig, manner: JumpManner, stand: float, *, rng: np.random.Generator) -> Jump:
    """Ballistic flight of the drawn height, from the toes to the toes."""
    toe = float(np.hypot(*rig.ball["left"][1:]))
    off = stand + 0.93 * toe * np.sin(OFF_PITCH)
    land = stand + 0.9 * toe * np.sin(LAND_PITCH) - 0.01
    speed = np.sqrt(2 * GRAVITY * manner.height)
    flight = (speed + np.sqrt(speed**2 + 2 * GRAVITY * (off - land))) / GRAVITY
    low, landing = stand - manner.depth, stand - 0.75 * manner.depth - 0.25 * manner.height
    impact = GRAVITY * flight - speed
    return Jump(
        stand=stand, low=low, off=off, land=land, landing=landing, speed=speed, impact=impact, flight=flight,
        push=1.5 * (off - low) / speed, absorb=1.5 * (land - landing) / impact, crouch=rng.uniform(0.35, 0.5),
        recover=rng.uniform(0.4, 0.6),
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
        self.pitch = self.pitch + along(
            t, (bottom + 0.35 * jump.push, 0.0), (leave, OFF_PITCH), (leave + 0.5 * jump.flight, 0.9 * OFF_PITCH),
            (touch, LAND_PITCH), (touch + 0.5 * jump.absorb, 0.0), (touch + jump.absorb, 0.0),
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
    jump = _plan_jump(rig, manner, float(plan.pelvis[:, 1].mean()), rng=rng)
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
