"""Degrees of freedom, strength and share of mass of every joint of SMPL's skeleton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....types import JOINT

GROUPS: tuple[str, ...] = ("leg", "trunk", "neck", "arm")
"""Muscle groups with separate tones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinge:
    """One degree of freedom of a left or central joint; the right side mirrors it."""

    axis: str
    """``x``, ``y`` or ``z`` of the SMPL frame; +x bends the trunk forward, bends the knee, points the toes."""
    low: float
    """Anatomical limit, degrees."""
    high: float
    """Anatomical limit, degrees."""


def _hinges(*rows: tuple[str, float, float]) -> tuple[Hinge, ...]:
    return tuple(Hinge(axis=axis, low=low, high=high) for axis, low, high in rows)


HINGES: dict[str, tuple[Hinge, ...]] = {
    "hip": _hinges(("x", -125, 22), ("z", -22, 45), ("y", -35, 45)),
    "knee": _hinges(("x", -3, 145)),
    "ankle": _hinges(("x", -28, 48), ("z", -20, 20), ("y", -20, 20)),
    "foot": _hinges(("x", -65, 25)),
    "spine1": _hinges(("x", -12, 32), ("z", -14, 14), ("y", -12, 12)),
    "spine2": _hinges(("x", -10, 26), ("z", -12, 12), ("y", -15, 15)),
    "spine3": _hinges(("x", -10, 22), ("z", -12, 12), ("y", -15, 15)),
    "neck": _hinges(("x", -30, 30), ("z", -20, 20), ("y", -38, 38)),
    "head": _hinges(("x", -25, 25), ("z", -18, 18), ("y", -38, 38)),
    "collar": _hinges(("z", -12, 32), ("y", -22, 22)),
    "elbow": _hinges(("y", -148, 4), ("x", -85, 85)),
    "wrist": _hinges(("z", -75, 75), ("y", -25, 25), ("x", -60, 60)),
}
"""Degrees of freedom by joint, outermost rotation first; ranges as in goniometry, a little wider for passive stretch."""

SHOULDER_REFERENCE_DEG = (0.0, -50.0, -15.0)
"""Rotation vector of the left shoulder in the middle of its range: the arm forward, abducted and a little lowered."""
SHOULDER_REACH_DEG = 118.0
"""Half angle of the cone of the shoulder's range."""

STIFFNESS: dict[str, tuple[float, float, float, str]] = {
    "hip": (380.0, 26.0, 170.0, "leg"),
    "knee": (300.0, 18.0, 170.0, "leg"),
    "ankle": (170.0, 9.0, 95.0, "leg"),
    "foot": (15.0, 0.8, 20.0, "leg"),
    "spine1": (420.0, 28.0, 190.0, "trunk"),
    "spine2": (380.0, 24.0, 170.0, "trunk"),
    "spine3": (340.0, 20.0, 150.0, "trunk"),
    "neck": (60.0, 4.0, 45.0, "neck"),
    "head": (45.0, 3.0, 35.0, "neck"),
    "collar": (150.0, 8.0, 70.0, "arm"),
    "shoulder": (110.0, 7.5, 72.0, "arm"),
    "elbow": (75.0, 4.0, 55.0, "arm"),
    "wrist": (16.0, 0.8, 14.0, "arm"),
}
"""Full-tone spring (N m/rad), damper (N m s/rad), greatest torque (N m) and muscle group, for a 70 kg adult."""

MASS_FRACTION: dict[str, float] = {
    "pelvis": 12.0, "spine1": 8.0, "spine2": 8.0, "spine3": 13.0, "collar": 1.0, "neck": 1.3, "head": 5.6, "shoulder": 2.65,
    "elbow": 1.5, "wrist": 0.4, "hand": 0.18, "hip": 14.4, "knee": 4.5, "ankle": 1.0, "foot": 0.3,
}  # fmt: skip
"""Share of body mass in per cent, near de Leva's (1996) segment means of both sexes, the trunk split over SMPL's joints."""

CAPSULES: dict[str, tuple[str, float, float]] = {
    "hip": ("knee", 0.22, 0.74), "knee": ("ankle", 0.12, 0.80), "ankle": ("foot", 0.1, 0.7),
    "shoulder": ("elbow", 0.38, 0.80), "elbow": ("wrist", 0.15, 0.85), "wrist": ("hand", 0.2, 0.85),
}  # fmt: skip
"""Inner capsules for collisions between limbs: end joint, start along the bone, share of the limb's radius."""

AXIS = {"x": np.array([1.0, 0.0, 0.0]), "y": np.array([0.0, 1.0, 0.0]), "z": np.array([0.0, 0.0, 1.0])}
FOOT_PARTS = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot"))
HAND_PARTS = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "hand"))
TRUNK_PARTS = tuple(JOINT[name] for name in ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"))


def plain_name(joint: str) -> str:
    """``left_knee`` to ``knee``."""
    return joint.removeprefix("left_").removeprefix("right_")


def mirror_sign(joint: str, axis: str) -> float:
    """-1 for y and z rotations of a right joint, which mirror those of the left side."""
    return -1.0 if joint.startswith("right_") and axis != "x" else 1.0
