"""Feet: planted footprints, the roll from heel to toe between them, and walking along a curved path. World frame, metres."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from ....geometry import axis_rotation
from . import ik
from .curves import keyed, ramp, smooth
from .goals import Planted
from .rig import SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """A foot's stay on the floor."""

    on: float
    """Second the foot lands."""
    off: float
    """Second it leaves."""
    x: float
    z: float
    """Under the ankle."""
    yaw: float
    """Where the toes point, radians about +y from +z."""


@dataclass(slots=True, kw_only=True)
class Foot:
    """One foot over the clip."""

    ground: Float[np.ndarray, "t 3"]
    """Point under the ankle were the foot level; y = how high the sole is lifted."""
    yaw: Float[np.ndarray, "t"]
    pitch: Float[np.ndarray, "t"]
    """Heel up (positive, turning about the toe base) or toes up (negative, turning about the heel)."""
    contact: Float[np.ndarray, "t"]
    """1 while planted."""

    def goal(self, rig: Rig, side: str) -> Planted:
        """What the leg must do."""
        ankle, foot = ankle_of(rig, side, self.ground, self.yaw, self.pitch)
        return Planted(ankle=ankle, foot=foot, toe=np.clip(self.pitch, 0.0, 1.25))


def ankle_of(
    rig: Rig, side: str, ground: np.ndarray, yaw: np.ndarray, pitch: np.ndarray
) -> tuple[Float[np.ndarray, "t 3"], Float[np.ndarray, "t 3 3"]]:
    """Ankle and foot rotation of a foot that rolls over toe base (pitch > 0) or heel (pitch < 0)."""
    turn = axis_rotation("y", yaw)
    foot = turn @ axis_rotation("x", pitch)
    pivot = np.where(np.asarray(pitch)[:, None] > 0, rig.ball[side], rig.heel[side])
    ankle = ground + np.array([0.0, rig.ankle_height, 0.0]) + ik.apply(turn, pivot) - ik.apply(foot, pivot)
    return ankle, foot


def step_feet(t: np.ndarray, prints: dict[str, list[Footprint]], *, clearance: float, roll: float = 1.0) -> dict[str, Foot]:
    """Feet that go from footprint to footprint; the longer the step, the higher they swing and the more they roll.

    Args:
        prints: For each side, in time order, without overlap.
        clearance: Height of the swinging sole for a full step, metres.
        roll: 0 for a flat-footed shuffle, 1 for heel strike and push-off.
    """
    return {side: _step_foot(t, prints[side], clearance, roll) for side in SIDES}


def _step_foot(t: np.ndarray, prints: list[Footprint], clearance: float, roll: float) -> Foot:
    first = prints[0]
    ground = np.tile([first.x, 0.0, first.z], (len(t), 1))
    yaw, pitch, contact = np.full(len(t), first.yaw), np.zeros(len(t)), np.ones(len(t))
    for before, after in pairwise(prints):
        length = float(np.hypot(after.x - before.x, after.z - before.z))
        heading = np.array([np.sin(after.yaw), np.cos(after.yaw)])
        ahead = np.clip((np.array([after.x - before.x, after.z - before.z]) @ heading) / 1.2, 0.0, 1.1)
        swing = after.on - before.off
        push, strike = roll * np.radians(58.0) * ahead, -roll * np.radians(24.0) * ahead
        stance = before.off - before.on
        heel_up = max(before.on + 0.45 * stance, before.off - 0.35)
        level = min(after.on + 0.16, after.on + 0.3 * (after.off - after.on))
        in_air = (t > before.off) & (t < after.on)
        progress = ramp(t, before.off, after.on)
        late = t >= before.off
        ground[late, 0] = (before.x + (after.x - before.x) * progress)[late]
        ground[late, 2] = (before.z + (after.z - before.z) * progress)[late]
        yaw[late] = (before.yaw + (after.yaw - before.yaw) * progress)[late]
        u = np.clip((t - before.off) / swing, 0.0, 1.0)
        height = clearance * min(1.0, 0.45 + length) * np.sin(np.pi * u) ** 2
        ground[:, 1] = np.where(in_air, height, ground[:, 1])
        curve = keyed(
            t, [(heel_up, 0.0), (before.off, push), (before.off + 0.15 * swing, 1.05 * push),
                (before.off + 0.6 * swing, 0.05 * push), (before.off + 0.88 * swing, strike), (after.on, strike), (level, 0.0)]
        )  # fmt: skip
        active = (t >= heel_up) & (t <= level)
        pitch[active] = curve[active]
        contact[in_air] = 0.0
    return Foot(ground=ground, yaw=yaw, pitch=pitch, contact=contact)


@dataclass(slots=True, kw_only=True)
class Trail:
    """A path over the floor and when the walker is where on it."""

    s: Float[np.ndarray, "n"]
    """Metres along the path."""
    xz: Float[np.ndarray, "n 2"]
    heading: Float[np.ndarray, "n"]

    def at(self, s: float | Float[np.ndarray, "t"]) -> tuple[Any, Any, Any]:
        """x, z and heading at ``s`` metres."""
        x, z = np.interp(s, self.s, self.xz[:, 0]), np.interp(s, self.s, self.xz[:, 1])
        return x, z, np.interp(s, self.s, self.heading)


def make_trail(before: float, length: float, turns: list[tuple[float, float, float]]) -> Trail:
    """A path through the origin heading +z, ``before`` metres straight up to it, then ``length`` metres on.

    Args:
        turns: (start, end, angle): turn left by ``angle`` radians between these metres.
    """
    s = np.arange(-before - 0.5, length + 0.8, 0.01)
    heading = sum((angle * ramp(s, start, end) for start, end, angle in turns), np.zeros(len(s)))
    steps = 0.01 * np.stack([np.sin(heading), np.cos(heading)], axis=1)
    xz = np.cumsum(steps, axis=0)
    return Trail(s=s, xz=xz - xz[np.abs(s).argmin()], heading=heading)


@dataclass(slots=True, kw_only=True)
class Walk:
    """A walk laid out on the floor."""

    feet: dict[str, Foot]
    center: Float[np.ndarray, "t 3"]
    """Under the pelvis, y = 0."""
    heading: Float[np.ndarray, "t"]
    sway: Float[np.ndarray, "t"]
    """-1 over the right foot, +1 over the left."""
    ahead: Float[np.ndarray, "t"]
    """How far the left foot is before the right one along the heading, metres."""


def lay_walk(
    t: np.ndarray, rig: Rig, trail: Trail, falls: list[tuple[float, float]], *, width: float, toe_out: float,
    double_support: float, clearance: float, roll: float, first: str, start_s: float | None, end_pause: bool,
) -> Walk:  # fmt: skip
    """Feet and pelvis for footfalls at (second, metre) along a trail, alternately left and right.

    Args:
        width: Between the feet's middles, metres.
        double_support: Share of a step's time that both feet are down.
        first: Side of the first footfall.
        start_s: Metre at which both feet stand before the first footfall; None if the clip begins in mid-walk.
        end_pause: Both feet stay where they are after the last footfall.
    """
    gap = float(np.median(np.diff([fall[0] for fall in falls])))
    prints: dict[str, list[Footprint]] = {side: [] for side in SIDES}

    def put(side: str, on: float, off: float, s: float) -> None:
        x, z, heading = (float(v) for v in trail.at(s))
        offset = SIGN[side] * width / 2
        prints[side].append(
            Footprint(on=on, off=off, x=x + offset * np.cos(heading), z=z - offset * np.sin(heading),
                      yaw=heading + SIGN[side] * toe_out)
        )  # fmt: skip

    second = SIDES[1 - SIDES.index(first)]
    times = [fall[0] for fall in falls]
    if start_s is not None:
        put(first, -9.0, times[0] - (1 - double_support) * gap, start_s)
        put(second, -9.0, times[0] + double_support * gap, start_s)
    for k, (time, s) in enumerate(falls):
        side = first if k % 2 == 0 else second
        off = (
            time + gap + double_support * gap
            if k + 1 >= len(falls)
            else times[k + 1] + double_support * ((times[k + 2] if k + 2 < len(falls) else times[k + 1] + gap) - times[k + 1])
        )
        if k + 2 >= len(falls):
            off = t[-1] + 9.0
        put(side, time, off, s)
    feet = step_feet(t, prints, clearance=clearance, roll=roll)
    keys = [(times[0] - gap, start_s if start_s is not None else falls[0][1] - (falls[1][1] - falls[0][1]))]
    previous = keys[0][1]
    for time, s in falls:
        keys.append((time + 0.5 * double_support * gap, 0.5 * (s + previous)))
        previous = s
    if end_pause:
        keys.append((times[-1] + gap, 0.5 * (falls[-1][1] + falls[-2][1])))
    s = smooth(keyed(t, keys) if end_pause else np.interp(t, [key[0] for key in keys], [key[1] for key in keys]), 1.0)
    x, z, heading = trail.at(s)
    sway_keys = [(times[0] - 1.3 * gap, 0.0)] if start_s is not None else []
    for k, time in enumerate(times):
        stance = first if k % 2 == 0 else second
        if k == 0 and start_s is not None:
            sway_keys.append((time - 0.55 * gap, SIGN[second]))
        sway_keys.append((time + 0.55 * gap, SIGN[stance]))
    if end_pause:
        sway_keys[-1] = (times[-1] + 0.8 * gap, 0.0)
    sway = keyed(t, sway_keys)
    between = feet["left"].ground - feet["right"].ground
    ahead = between[:, 0] * np.sin(heading) + between[:, 2] * np.cos(heading)
    return Walk(
        feet=feet, center=np.stack([x, 0 * x, z], axis=1), heading=smooth(heading, 2.0), sway=smooth(sway, 1.0),
        ahead=smooth(ahead, 1.0),
    )  # fmt: skip
