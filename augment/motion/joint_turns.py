"""How joints are turned, from where they are: for recordings of positions alone.

Pelvis and chest are turned as the triangles of hips and spine, collars and neck; a limb as its bones, twisted so that knees and
elbows bend the way they do.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..body.kinematics import rotation_matrices
from ..types import JOINT
from .legs import rotation_between

BENT = 0.35, 0.7
"""Sine of a knee's or elbow's angle from which its bend tells the twist at all, and from which alone."""
_HINGES = {"hip": (1.0, 0.0, 0.0), "left_shoulder": (0.0, -1.0, 0.0), "right_shoulder": (0.0, 1.0, 0.0)}
"""Upper bone crossed with lower bone in the T-pose when the joint between them bends: knees backward, elbows forward."""


def turns_of_joints(positions: Float[np.ndarray, "t 24 3"], rest: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "t 24 3 3"]:
    """World rotations of SMPL's joints, away from the T-pose.

    Args:
        positions: SMPL's joints, any unit; hands are not looked at.
        rest: Joints of the body in the T-pose.
    """
    turns = np.empty((len(positions), 24, 3, 3))
    pelvis = _triangle(positions, rest, ("left_hip", "right_hip"), "spine1")
    chest = _triangle(positions, rest, ("left_collar", "right_collar"), "neck")
    for name in ("pelvis", "spine1", "spine2"):
        turns[:, JOINT[name]] = pelvis
    turns[:, JOINT["spine3"]] = chest
    turns[:, JOINT["neck"]] = turns[:, JOINT["head"]] = _along(chest, positions, rest, "neck", "head")
    for side in ("left", "right"):
        collar = _along(chest, positions, rest, f"{side}_collar", f"{side}_shoulder")
        turns[:, JOINT[f"{side}_collar"]] = collar
        shin = _limb(turns, positions, rest, side, ("hip", "knee", "ankle"), pelvis)
        foot = _along(shin, positions, rest, f"{side}_ankle", f"{side}_foot")
        turns[:, JOINT[f"{side}_ankle"]] = turns[:, JOINT[f"{side}_foot"]] = foot
        forearm = _limb(turns, positions, rest, side, ("shoulder", "elbow", "wrist"), collar)
        turns[:, JOINT[f"{side}_wrist"]] = turns[:, JOINT[f"{side}_hand"]] = forearm
    return turns


def _triangle(positions: np.ndarray, rest: np.ndarray, sides: tuple[str, str], above: str) -> np.ndarray:
    """The turn of two joints side by side and one above them, from rest."""
    left, right, top = (JOINT[name] for name in (*sides, above))

    def axes(joints: np.ndarray) -> np.ndarray:
        x = _unit(joints[..., left, :] - joints[..., right, :])
        z = _unit(np.cross(x, joints[..., top, :] - (joints[..., left, :] + joints[..., right, :]) / 2))
        return np.stack([x, np.cross(z, x), z], axis=-1)

    return axes(positions) @ axes(rest).T


def _along(turn: np.ndarray, positions: np.ndarray, rest: np.ndarray, near: str, far: str) -> np.ndarray:
    """``turn``, turned further as little as gives the bone between two joints its direction."""
    bone = turn @ (rest[JOINT[far]] - rest[JOINT[near]])
    return rotation_between(bone, positions[:, JOINT[far]] - positions[:, JOINT[near]]) @ turn


def _limb(
    turns: np.ndarray, positions: np.ndarray, rest: np.ndarray, side: str, names: tuple[str, str, str], above: np.ndarray
) -> np.ndarray:
    """Write the turns of a limb's two bones; returns the lower one's."""
    near, middle, far = (f"{side}_{name}" for name in names)
    upper = _along(above, positions, rest, near, middle)
    bone = _unit(positions[:, JOINT[middle]] - positions[:, JOINT[near]])
    bend = np.cross(bone, _unit(positions[:, JOINT[far]] - positions[:, JOINT[middle]]))
    hinge = upper @ np.array(_HINGES.get(near, _HINGES["hip"]))
    hinge = hinge - (hinge * bone).sum(-1, keepdims=True) * bone
    twist = np.arctan2((np.cross(hinge, bend) * bone).sum(-1), (hinge * bend).sum(-1))
    sure = np.clip((np.linalg.norm(bend, axis=-1) - BENT[0]) / (BENT[1] - BENT[0]), 0.0, 1.0)
    turns[:, JOINT[near]] = rotation_matrices(bone * (sure * twist)[:, None]) @ upper
    turns[:, JOINT[middle]] = _along(turns[:, JOINT[near]], positions, rest, middle, far)
    return turns[:, JOINT[middle]]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
