"""Two-bone inverse kinematics: move ankles or wrists; trunk, plane of knees or elbows, feet and hands stay as they are."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..body.kinematics import product, rotation_matrices, smallest_turn
from ..compiled import compiled
from ..geometry import rotation_vector_between
from ..types import JOINT


def rotation_between(start: Float[np.ndarray, "t 3"], end: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3 3"]:
    """The smallest rotations that turn directions ``start`` into ``end`` (lengths do not matter)."""
    start = start / np.linalg.norm(start, axis=-1, keepdims=True)
    end = end / np.linalg.norm(end, axis=-1, keepdims=True)
    return rotation_matrices(rotation_vector_between(start, end))


def reach_ankles(
    worlds: Float[np.ndarray, "t 24 3 3"], joints: Float[np.ndarray, "t 24 3"], targets: Float[np.ndarray, "t 2 3"]
) -> Float[np.ndarray, "t 24 3 3"]:
    """Rotate thighs and shins so that the ankles reach ``targets``.

    Args:
        worlds: World rotations of the joints.
        joints: Their positions, metres, from the same pose.
        targets: Positions of the left and right ankle, metres; if out of reach, an almost straight leg points at them.
    Returns:
        World rotations with thighs and shins changed, and all others as before.
    """
    return _reached(worlds, joints, targets, _LEGS, 1.0)


def reach_wrists(
    worlds: Float[np.ndarray, "t 24 3 3"], joints: Float[np.ndarray, "t 24 3"], targets: Float[np.ndarray, "t 2 3"]
) -> Float[np.ndarray, "t 24 3 3"]:
    """Rotate upper arms and forearms so that the wrists reach ``targets``; otherwise as ``reach_ankles``."""
    return _reached(worlds, joints, targets, _ARMS, -1.0)


def _reached(worlds: np.ndarray, joints: np.ndarray, targets: np.ndarray, limbs: np.ndarray, bend: float) -> np.ndarray:
    result = np.array(worlds, np.float64)
    worlds, joints, targets = (np.ascontiguousarray(array, np.float64) for array in (worlds, joints, targets))
    _reach(worlds, joints, targets, limbs, bend, result)
    return result


_LEGS = np.array([[JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle")] for side in ("left", "right")])
_ARMS = np.array([[JOINT[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")] for side in ("left", "right")])


@compiled
def _reach(worlds, joints, targets, limbs, bend, result):
    # ``bend``: a straight knee bends to the front (1), an elbow to the back (-1).
    leg, wanted, thigh, shin, along, pole = np.empty((6, 3))
    swing, turn, both = np.empty((3, 3, 3))
    for frame in range(len(worlds)):
        for side in range(2):
            hip, knee, ankle = limbs[side]
            for axis in range(3):
                thigh[axis] = joints[frame, knee, axis] - joints[frame, hip, axis]
                shin[axis] = joints[frame, ankle, axis] - joints[frame, knee, axis]
                leg[axis] = thigh[axis] + shin[axis]
                wanted[axis] = targets[frame, side, axis] - joints[frame, hip, axis]
            upper, lower, length, reach = _size(thigh), _size(shin), _size(leg), _size(wanted)
            # Out of reach, the leg stays almost straight.
            straight = max(0.9995 * (upper + lower), length)
            distance = min(max(reach, abs(upper - lower) + 1e-4), straight)
            smallest_turn(leg, wanted, swing)
            thigh[:], shin[:] = _turned(swing, thigh), _turned(swing, shin)
            along[:] = wanted / max(reach, 1e-9)
            pole[:] = _across(thigh, along)
            if _size(pole) <= 0.02 * upper:
                pole[:] = _across(bend * _turned(swing, worlds[frame, knee, :, 2]), along)
            pole /= max(_size(pole), 1e-9)
            cosine = min(max((upper**2 + distance**2 - lower**2) / (2 * upper * distance), -1.0), 1.0)
            new_thigh = upper * (cosine * along + np.sqrt(1 - cosine**2) * pole)
            smallest_turn(thigh, new_thigh, turn)
            product(turn, swing, both)
            product(both, worlds[frame, hip], result[frame, hip])
            smallest_turn(shin, distance * along - new_thigh, turn)
            product(turn, swing, both)
            product(both, worlds[frame, knee], result[frame, knee])


@compiled
def _size(v):
    return np.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


@compiled
def _turned(matrix, v):
    out = np.empty(3)
    for axis in range(3):
        out[axis] = matrix[axis, 0] * v[0] + matrix[axis, 1] * v[1] + matrix[axis, 2] * v[2]
    return out


@compiled
def _across(v, along):
    # The part of a vector perpendicular to a unit vector.
    return v - (v[0] * along[0] + v[1] * along[1] + v[2] * along[2]) * along
