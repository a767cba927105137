"""A plan (where pelvis, spine, head, feet and hands go over time) solved to SMPL rotations, and set down on what carries it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from . import ik
from .curves import envelope, smooth
from .goals import ArmAngles, LegAngles, Track, Trunk, follow
from .rig import ARM, LEG, SIDES, Rig, skin

SPINE_SHARE = np.array([0.28, 0.34, 0.38])
"""How a bend of the trunk is shared among spine1, spine2, spine3."""


@dataclass(slots=True, kw_only=True)
class Rest:
    """Skin that must touch (or must not pass through) a level surface; the solver raises or lowers the pelvis for it."""

    parts: tuple[int, ...]
    """SMPL joints whose skin counts."""
    weight: Float[np.ndarray, "t"]
    """How far the rule holds, 0..1."""
    height: float = 0.0
    """Of the surface, metres."""
    sink: float = 0.008
    """How far flesh gives, metres."""
    guard: bool = False
    """Only push up, never pull down."""
    radius: float = 0.0
    """Count only skin within this distance of the pelvis over the floor, metres; 0 counts all."""


@dataclass(slots=True, kw_only=True)
class Plan:
    """One clip before inverse kinematics. World frame, metres, radians."""

    t: Float[np.ndarray, "t"]
    pelvis: Float[np.ndarray, "t 3"]
    turn: Float[np.ndarray, "t 3 3"]
    """Pelvis rotation."""
    spine: Float[np.ndarray, "t 3"]
    """Chest against pelvis: pitch forward, roll to the right, yaw to the left."""
    head: Float[np.ndarray, "t 3"]
    """Head against chest, same three."""
    legs: dict[str, Track] = field(default_factory=dict)
    arms: dict[str, Track] = field(default_factory=dict)
    reach: dict[str, Float[np.ndarray, "t"]] = field(default_factory=dict)
    """Where a foot must be reached (1), the pelvis comes down as far as the leg is long."""
    rests: list[Rest] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Solved:
    """A plan after inverse kinematics."""

    rotations: Float[np.ndarray, "t 24 3 3"]
    """World for the root, local for the rest."""
    positions: Float[np.ndarray, "t 24 3"]
    """World joints."""
    worlds: Float[np.ndarray, "t 24 3 3"]

    def axis_angles(self) -> Float[np.ndarray, "t 24 3"]:
        """Rotation vectors."""
        flat = Rotation.from_matrix(self.rotations.reshape(-1, 3, 3)).as_rotvec()
        return flat.reshape(*self.rotations.shape[:2], 3)


def solve(plan: Plan, rig: Rig, rounds: int = 4) -> Solved:
    """Solve a plan; ``rounds`` times the pelvis is moved up or down for what carries the body, and the limbs follow."""
    pelvis = plan.pelvis.copy()
    rows = {id(rest): np.flatnonzero(np.isin(rig.part, rest.parts)) for rest in plan.rests}
    solved = _solve_at(plan, rig, pelvis)
    for _ in range(rounds if plan.rests or plan.reach else 0):
        lift = np.zeros(len(pelvis))
        for rest in plan.rests:
            near = skin(rig, solved.positions, solved.worlds, rows[id(rest)])
            heights = near[..., 1]
            if rest.radius:
                away = np.linalg.norm(near[..., [0, 2]] - solved.positions[:, :1, [0, 2]], axis=-1)
                heights = np.where(away < rest.radius, heights, np.inf)
            missing = rest.height - rest.sink - heights.min(axis=1)
            missing = np.where(np.isfinite(missing), missing, 0.0)
            if rest.guard:
                lift = np.maximum(lift, envelope(np.maximum(missing, 0.0) * rest.weight, 2, 1.5))
            else:
                lift = lift + smooth(np.clip(missing, -0.3, 0.3), 1.0) * rest.weight
        pelvis[:, 1] += lift
        pelvis[:, 1] -= _overreach(plan, rig, pelvis)
        solved = _solve_at(plan, rig, pelvis)
    return solved


def _overreach(plan: Plan, rig: Rig, pelvis: np.ndarray) -> np.ndarray:
    """How far (metres) the pelvis must come down for the legs to reach their planted feet."""
    drop = np.zeros(len(pelvis))
    for side, weight in plan.reach.items():
        ankle = np.broadcast_to(np.asarray(plan.legs[side][0][2].ankle, float), pelvis.shape)  # type: ignore[attr-defined]
        hip = pelvis + ik.apply(plan.turn, rig.rest[LEG[side][0]] - rig.rest[0])
        across = np.minimum(np.linalg.norm((hip - ankle)[:, [0, 2]], axis=1), 0.9 * rig.leg)
        allowed = ankle[:, 1] + np.sqrt((0.9935 * rig.leg) ** 2 - across**2)
        drop = np.maximum(drop, np.maximum(hip[:, 1] - allowed, 0.0) * weight)
    return envelope(drop, 1, 1.0)


def _solve_at(plan: Plan, rig: Rig, pelvis: np.ndarray) -> Solved:
    count = len(plan.t)
    rotations = np.broadcast_to(np.eye(3), (count, 24, 3, 3)).copy()
    rotations[:, 0] = plan.turn
    for joint, share in zip((3, 6, 9), SPINE_SHARE, strict=True):
        rotations[:, joint] = ik.lean(*(plan.spine * share).T)
    rotations[:, 12] = ik.lean(*(plan.head * 0.45).T)
    rotations[:, 15] = ik.lean(*(plan.head * 0.55).T)
    for limbs, tracks, default in ((LEG, plan.legs, LegAngles()), (ARM, plan.arms, ArmAngles())):
        positions, worlds = ik.forward(rotations, rig.rest)
        trunk = Trunk(rig, positions + pelvis[:, None], worlds)
        for side in SIDES:
            track = tracks.get(side) or [(0.0, 0.0, default)]
            rotations[:, limbs[side]] = follow(track, side, trunk, plan.t)
    positions, worlds = ik.forward(rotations, rig.rest)
    return Solved(rotations=rotations, positions=positions + pelvis[:, None], worlds=worlds)
