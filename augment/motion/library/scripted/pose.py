"""Solve a plan (motion of pelvis, spine, head, feet and hands) to SMPL rotations, resting on its supports."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ....body.skinning import Terms, lowest_skin, skinned
from . import ik
from .curves import envelope, smooth
from .goals import ArmAngles, LegAngles, Track, Trunk, follow, goes_with_trunk
from .rig import ARM, LEG, SIDES, Rig, skin_of

SPINE_SHARE = np.array([0.28, 0.34, 0.38])
"""Shares of spine1, spine2, spine3 in the bend of the trunk."""

SMPL_CHILD = {7: 10, 8: 11, 20: 22, 21: 23}
"""Ankle to foot, wrist to hand."""

MATTRESS_GIVE = 0.012
"""Depth that limbs may sink into a mattress, metres."""

SETTLED = 1e-4
"""A pelvis that would move less than this is where it belongs, metres."""


@dataclass(slots=True, kw_only=True)
class Rest:
    """Skin that must touch (or not penetrate) a level surface; the solver moves the pelvis up or down for it."""

    parts: tuple[int, ...]
    """SMPL joints whose skin counts."""
    weight: Float[np.ndarray, "t"]
    """Weight of the rule, 0..1."""
    height: float = 0.0
    """Of the surface, metres."""
    sink: float = 0.008
    """Compression of soft tissue, metres."""
    guard: bool = False
    """Only move up, never down."""
    radius: float = 0.0
    """Horizontal distance from the pelvis within which skin counts, metres; 0 for all skin."""


@dataclass(slots=True, kw_only=True)
class Bed:
    """The surface of a bed that limbs must not penetrate."""

    height: float
    center: tuple[float, float]
    half: tuple[float, float]
    """Half extents along x and z, metres."""

    def depth(self, points: Float[np.ndarray, "t n 3"]) -> Float[np.ndarray, "t"]:
        """Penetration of the deepest point within the bed's outline, metres; points deeper than 15 cm do not count."""
        inside = (np.abs(points[..., 0] - self.center[0]) < self.half[0]) & (
            np.abs(points[..., 2] - self.center[1]) < self.half[1]
        )
        depth = self.height - MATTRESS_GIVE - points[..., 1]
        return np.where(inside & (depth < 0.15), depth, -1.0).max(axis=1)


@dataclass(slots=True, kw_only=True)
class PosePlan:
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
    """1 where a foot must be reached; the pelvis is lowered as far as needed."""
    rests: list[Rest] = field(default_factory=list)
    bed: Bed | None = None
    """Kept free of hands and feet."""


@dataclass(slots=True, kw_only=True)
class Solved:
    """A plan after inverse kinematics."""

    rotations: Float[np.ndarray, "t 24 3 3"]
    """World for the root, local for the rest."""
    positions: Float[np.ndarray, "t 24 3"]
    """World joints."""
    worlds: Float[np.ndarray, "t 24 3 3"]


def solve(plan: PosePlan, rig: Rig, rounds: int = 4) -> Solved:
    """Solve a plan; up to ``rounds`` times the pelvis is moved up or down for the supports, and the limbs are solved again."""
    pelvis = plan.pelvis.copy()
    skin = {rest.parts: skin_of(rig, *rest.parts) for rest in plan.rests}
    solved = _solve_at(plan, rig, pelvis)
    for _ in range(rounds if plan.rests or plan.reach else 0):
        lift = np.zeros(len(pelvis))
        # Supports first; guards then move up what is still below the surface.
        for rest in sorted(plan.rests, key=lambda rest: rest.guard):
            missing = _missing(rest, solved, skin[rest.parts], lift)
            if rest.guard:
                lift = lift + envelope(np.maximum(missing - lift, 0.0) * rest.weight, 2, 1.5)
            else:
                lift = lift + smooth(np.clip(missing, -0.3, 0.3), 1.0) * rest.weight
        pelvis[:, 1] += lift
        drop = _overreach(plan, rig, pelvis)
        if max(np.abs(lift).max(), drop.max()) < SETTLED:
            break
        pelvis[:, 1] -= drop
        solved = _solve_at(plan, rig, pelvis, before=solved)
    return keep_limbs_out(solved, plan, rig)


def _missing(rest: Rest, solved: Solved, skin: Terms, lift: np.ndarray) -> np.ndarray:
    """Distance of the lowest skin of a rule below its target height, metres.

    Args:
        lift: What is decided already (t,). A guard needs to know its distance only where that is larger.
    """
    active = np.flatnonzero(rest.weight > 1e-3)
    missing = np.zeros(len(solved.positions))
    if len(active):
        below = rest.height - rest.sink - lift[active] + 1e-9 if rest.guard and not rest.radius else None
        low = lowest_skin(skin, solved.positions[active], solved.worlds[active], rest.radius or np.inf, below)
        missing[active] = np.where(np.isfinite(low), rest.height - rest.sink - low, 0.0)
    return missing


def keep_limbs_out(solved: Solved, plan: PosePlan, rig: Rig) -> Solved:
    """Raise hands and feet that penetrate the floor or the bed between two goals by bending elbow or knee."""
    for limbs in (LEG, ARM):
        for side in SIDES:
            joints = limbs[side]
            end = joints[3] if limbs is ARM else joints[2]
            skin = skin_of(rig, end, SMPL_CHILD[end])
            above = np.full(len(solved.positions), -0.006)
            under = -0.006 - lowest_skin(skin, solved.positions, solved.worlds, below=above)
            if plan.bed is not None:
                under = np.maximum(under, plan.bed.depth(skinned(skin, solved.positions, solved.worlds)))
            lift = envelope(np.maximum(under, 0.0), 1, 0.8)
            if lift.max() > 1e-4:
                _raise_end(solved, rig, limbs is ARM, joints, lift)
    positions, worlds = ik.forward(solved.rotations, rig.rest)
    return Solved(rotations=solved.rotations, positions=positions + solved.positions[:, :1], worlds=worlds)


def _raise_end(solved: Solved, rig: Rig, is_arm: bool, joints: tuple[int, ...], lift: np.ndarray) -> None:
    """Bend a limb so that its end is ``lift`` metres higher with the same rotation; changes ``solved.rotations``."""
    before, upper, middle, end = (
        (joints[0], joints[1], joints[2], joints[3]) if is_arm else (0, joints[0], joints[1], joints[2])
    )
    root, hinge, tip = (solved.positions[:, joint] for joint in (upper, middle, end))
    pole = hinge - 0.5 * (root + tip) + 1e-4 * solved.worlds[:, upper, :, 2]
    up = lift[:, None] * np.array([0.0, 1.0, 0.0])
    lengths = np.linalg.norm(rig.rest[middle] - rig.rest[upper]), np.linalg.norm(rig.rest[end] - rig.rest[middle])
    first, second, _ = ik.two_bone(root, tip + up, pole, float(lengths[0]), float(lengths[1]))
    new_upper = ik.between(ik.unit(hinge - root), first) @ solved.worlds[:, upper]
    new_lower = ik.between(ik.unit(tip - hinge), second) @ solved.worlds[:, middle]
    moved = (lift > 1e-5)[:, None, None]
    for joint, local in (
        (upper, ik.transpose(solved.worlds[:, before]) @ new_upper), (middle, ik.transpose(new_upper) @ new_lower),
        (end, ik.transpose(new_lower) @ solved.worlds[:, end]),
    ):  # fmt: skip
        solved.rotations[:, joint] = np.where(moved, local, solved.rotations[:, joint])


def _overreach(plan: PosePlan, rig: Rig, pelvis: np.ndarray) -> np.ndarray:
    """Distance by which the pelvis must be lowered for the legs to reach planted feet, metres."""
    drop = np.zeros(len(pelvis))
    for side, weight in plan.reach.items():
        ankle = np.broadcast_to(np.asarray(plan.legs[side][0][2].ankle, float), pelvis.shape)  # type: ignore[attr-defined]
        hip = pelvis + ik.apply(plan.turn, rig.rest[LEG[side][0]] - rig.rest[0])
        across = np.minimum(np.linalg.norm((hip - ankle)[:, [0, 2]], axis=1), 0.9 * rig.leg)
        allowed = ankle[:, 1] + np.sqrt((0.9935 * rig.leg) ** 2 - across**2)
        drop = np.maximum(drop, np.maximum(hip[:, 1] - allowed, 0.0) * weight)
    return envelope(drop, 1, 1.0)


def _solve_at(plan: PosePlan, rig: Rig, pelvis: np.ndarray, before: Solved | None = None) -> Solved:
    """Solve all limbs for a path of the pelvis; ``before``: the same plan, solved for a higher or lower one."""
    count = len(plan.t)
    if before is not None:
        rotations = before.rotations
    else:
        rotations = np.broadcast_to(np.eye(3), (count, 24, 3, 3)).copy()
        rotations[:, 0] = plan.turn
        for joint, share in zip((3, 6, 9), SPINE_SHARE, strict=True):
            rotations[:, joint] = ik.lean(*(plan.spine * share).T)
        rotations[:, 12] = ik.lean(*(plan.head * 0.45).T)
        rotations[:, 15] = ik.lean(*(plan.head * 0.55).T)
    for limbs, tracks, default in ((LEG, plan.legs, LegAngles()), (ARM, plan.arms, ArmAngles())):
        todo = {side: tracks.get(side) or [(0.0, 0.0, default)] for side in SIDES}
        if before is not None:
            todo = {side: track for side, track in todo.items() if not goes_with_trunk(track)}
        if todo:
            positions, worlds = ik.forward(rotations, rig.rest)
            trunk = Trunk(rig, positions + pelvis[:, None], worlds)
        for side, track in todo.items():
            rotations[:, limbs[side]] = follow(track, side, trunk, plan.t)
    positions, worlds = ik.forward(rotations, rig.rest)
    return Solved(rotations=rotations, positions=positions + pelvis[:, None], worlds=worlds)
