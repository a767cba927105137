"""Feet: footprints, the roll from heel to toe between them, and walking along a curved path. World frame, metres."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from ....geometry import axis_rotation
from . import ik
from .curves import along, ramp, smooth
from .goals import Planted
from .rig import SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """One stance of a foot."""

    on: float
    """Second the foot lands."""
    off: float
    """Second it leaves."""
    x: float
    z: float
    """World position under the ankle, metres."""
    yaw: float
    """Direction of the toes, radians about +y from +z."""


@dataclass(slots=True, kw_only=True)
class Foot:
    """One foot over time."""

    ground: Float[np.ndarray, "t 3"]
    """Point on the sole under the ankle if the foot were level; y is the height of the sole."""
    yaw: Float[np.ndarray, "t"]
    pitch: Float[np.ndarray, "t"]
    """Heel up (positive, about the toe base) or toes up (negative, about the heel), radians."""
    contact: Float[np.ndarray, "t"]
    """1 while planted."""

    def goal(self, rig: Rig, side: str) -> Planted:
        """The leg's goal."""
        ankle, foot = ankle_of(rig, side, self.ground, self.yaw, self.pitch)
        return Planted(ankle=ankle, foot=foot, toe=np.clip(self.pitch, 0.0, 1.25))


def ankle_of(
    rig: Rig, side: str, ground: np.ndarray, yaw: np.ndarray, pitch: np.ndarray
) -> tuple[Float[np.ndarray, "t 3"], Float[np.ndarray, "t 3 3"]]:
    """Position of the ankle and rotation of a foot that rolls over its toe base (pitch > 0) or heel (pitch < 0)."""
    turn = axis_rotation("y", yaw)
    foot = turn @ axis_rotation("x", pitch)
    pivot = np.where(np.asarray(pitch)[:, None] > 0, rig.ball[side], rig.heel[side])
    ankle = ground + np.array([0.0, rig.ankle_height, 0.0]) + ik.apply(turn, pivot) - ik.apply(foot, pivot)
    return ankle, foot


def step_feet(t: np.ndarray, prints: dict[str, list[Footprint]], *, clearance: float, roll: float = 1.0) -> dict[str, Foot]:
    """Feet that step from footprint to footprint; longer steps swing higher and roll more.

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
        curve = along(
            t, (heel_up, 0.0), (before.off, push), (before.off + 0.15 * swing, 1.05 * push),
            (before.off + 0.6 * swing, 0.05 * push), (before.off + 0.88 * swing, strike), (after.on, strike), (level, 0.0),
        )  # fmt: skip
        active = (t >= heel_up) & (t <= level)
        pitch[active] = curve[active]
        contact[in_air] = 0.0
    return Foot(ground=ground, yaw=yaw, pitch=pitch, contact=contact)


@dataclass(slots=True, kw_only=True)
class Trail:
    """A path on the floor."""

    s: Float[np.ndarray, "n"]
    """Metres along the path."""
    xz: Float[np.ndarray, "n 2"]
    heading: Float[np.ndarray, "n"]

    def at(self, s: float | Float[np.ndarray, "t"]) -> tuple[Any, Any, Any]:
        """x, z and heading at ``s`` metres."""
        x, z = np.interp(s, self.s, self.xz[:, 0]), np.interp(s, self.s, self.xz[:, 1])
        return x, z, np.interp(s, self.s, self.heading)


def make_trail(before: float, length: float, turns: list[tuple[float, float, float]]) -> Trail:
    """A path through the origin heading +z, from ``before`` metres before it to ``length`` metres after it.

    Args:
        before: Length before the origin, metres.
        length: Length after the origin, metres.
        turns: (start, end, angle): turn left by ``angle`` radians between these metres.
    """
    s = np.arange(-before - 0.5, length + 0.8, 0.01)
    heading = sum((angle * ramp(s, start, end) for start, end, angle in turns), np.zeros(len(s)))
    steps = 0.01 * np.stack([np.sin(heading), np.cos(heading)], axis=1)
    xz = np.cumsum(steps, axis=0)
    return Trail(s=s, xz=xz - xz[np.abs(s).argmin()], heading=heading)


@dataclass(slots=True, kw_only=True)
class Walk:
    """Feet and pelvis of a walk."""

    feet: dict[str, Foot]
    center: Float[np.ndarray, "t 3"]
    """Under the pelvis, y = 0."""
    heading: Float[np.ndarray, "t"]
    sway: Float[np.ndarray, "t"]
    """-1 over the right foot, +1 over the left one."""
    ahead: Float[np.ndarray, "t"]
    """Distance of the left foot ahead of the right one, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gait:
    """How the feet are put down."""

    width: float
    """Between the feet's middles, metres."""
    toe_out: float
    """Rotation of the toes outwards, radians."""
    double_support: float
    """Share of a step's time that both feet are down."""
    clearance: float
    """See ``step_feet``."""
    roll: float
    """See ``step_feet``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footfalls:
    """When and where the feet land, alternately the left and the right one."""

    falls: list[tuple[float, float]]
    """(second, metre along the trail) of each."""
    start_s: float | None
    """Metre at which both feet stand before the first footfall; None if the clip begins in mid-walk."""
    end_pause: bool
    """Both feet stay where they are after the last footfall."""

    @property
    def gap(self) -> float:
        """Median time between two footfalls, seconds."""
        return float(np.median(np.diff([fall[0] for fall in self.falls])))


def lay_walk(t: np.ndarray, trail: Trail, steps: Footfalls, gait: Gait) -> Walk:
    """Feet and pelvis for footfalls along a trail."""
    feet = step_feet(t, _footprints(t, trail, steps, gait), clearance=gait.clearance, roll=gait.roll)
    x, z, heading = trail.at(_pelvis_path(t, steps, gait))
    between_feet = feet["left"].ground - feet["right"].ground
    ahead = between_feet[:, 0] * np.sin(heading) + between_feet[:, 2] * np.cos(heading)
    return Walk(
        feet=feet, center=np.stack([x, 0 * x, z], axis=1), heading=smooth(heading, 2.0), sway=smooth(_sway(t, steps), 1.0),
        ahead=smooth(ahead, 1.0),
    )  # fmt: skip


def _footprints(t: np.ndarray, trail: Trail, steps: Footfalls, gait: Gait) -> dict[str, list[Footprint]]:
    gap, double_support = steps.gap, gait.double_support
    prints: dict[str, list[Footprint]] = {side: [] for side in SIDES}

    def put(side: str, on: float, off: float, s: float) -> None:
        x, z, heading = (float(v) for v in trail.at(s))
        offset = SIGN[side] * gait.width / 2
        prints[side].append(
            Footprint(on=on, off=off, x=x + offset * np.cos(heading), z=z - offset * np.sin(heading),
                      yaw=heading + SIGN[side] * gait.toe_out)
        )  # fmt: skip

    times = [fall[0] for fall in steps.falls]
    if steps.start_s is not None:
        put(SIDES[0], -9.0, times[0] - (1 - double_support) * gap, steps.start_s)
        put(SIDES[1], -9.0, times[0] + double_support * gap, steps.start_s)
    for k, (time, s) in enumerate(steps.falls):
        if k + 2 < len(times):
            off = times[k + 1] + double_support * (times[k + 2] - times[k + 1])
        else:
            off = t[-1] + 9.0
        put(SIDES[k % 2], time, off, s)
    return prints


def _pelvis_path(t: np.ndarray, steps: Footfalls, gait: Gait) -> Float[np.ndarray, "t"]:
    """Metre of the pelvis along the trail: halfway between the feet while both are down."""
    falls, gap = steps.falls, steps.gap
    first = steps.start_s if steps.start_s is not None else falls[0][1] - (falls[1][1] - falls[0][1])
    keys = [(falls[0][0] - gap, first)]
    previous = first
    for time, s in falls:
        keys.append((time + 0.5 * gait.double_support * gap, 0.5 * (s + previous)))
        previous = s
    if steps.end_pause:
        keys.append((falls[-1][0] + gap, 0.5 * (falls[-1][1] + falls[-2][1])))
    s = along(t, *keys) if steps.end_pause else np.interp(t, [key[0] for key in keys], [key[1] for key in keys])
    return smooth(s, 1.0)


def _sway(t: np.ndarray, steps: Footfalls) -> Float[np.ndarray, "t"]:
    """Which foot carries the body: -1 the right one, +1 the left one."""
    times, gap = [fall[0] for fall in steps.falls], steps.gap
    keys = [(times[0] - 1.3 * gap, 0.0)] if steps.start_s is not None else []
    for k, time in enumerate(times):
        if k == 0 and steps.start_s is not None:
            keys.append((time - 0.55 * gap, SIGN[SIDES[1]]))
        keys.append((time + 0.55 * gap, SIGN[SIDES[k % 2]]))
    if steps.end_pause:
        keys[-1] = (times[-1] + 0.8 * gap, 0.0)
    return along(t, *keys)
