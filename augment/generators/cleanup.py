"""Correct sampled motions: no step shows between tokens, nothing sinks below the floor, and standing feet do not slide."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from torch import Tensor

from ..motion.contacts import FOOT_JOINTS
from ..motion.legs import reach_ankles, reach_wrists
from ..motion.posture import place_joints, with_pose, world_rotations
from ..types import JOINT, Motion

MEANS, FRAMES = 100.0, 0.1
"""How much the tokens' means and single frames count beside the second differences in ``even_out``: sampled motions then have
the jerk of unseen ones (with ``FRAMES`` 1 one and a half times that)."""
SMOOTH = 1.0
"""Frames (sigma) over which a change of a foot's correction is evened out."""
ROUNDS, NEAR = 5, 0.003
"""Times that ``settle_at`` stretches a path, and metres from its end that are near enough."""
LIFT_SPAN, LIFT_SMOOTH = 5, 1.5
"""Frames that a lift is held for, and over which (sigma) it is evened out."""
FROM_ROOT = 4.0
"""Frames (sigma): slower corrections of the feet move the whole body, faster ones the legs."""
_HANDS = [[JOINT[f"{side}_{name}"] for name in ("wrist", "hand")] for side in ("left", "right")]
_BODY = [joint for joint in range(24) if joint not in np.ravel(_HANDS)]


def even_out(features: Float[Tensor, "t d"], patch: int) -> Float[Tensor, "t d"]:
    """Remove the network's steps from token to token: the smoothest motion whose tokens have the same means.

    A network whose tokens do not overlap says little of the changes within a token, and jumps at its edges. The result has the
    least squared second differences, ``MEANS`` times the squared change of the tokens' means, and ``FRAMES`` times that of
    single frames. Straight lines stay as they are.

    Args:
        features: Channels of frames.
        patch: Frames of a token.
    """
    count = len(features)
    if patch < 2 or count < 3:
        return features.clone()
    # The matrix of the least squares is banded: a second difference joins three frames, a mean those of a token.
    bands = np.zeros((max(patch, 3), count))
    for shift, weights in enumerate(([1.0, 4.0, 1.0], [-2.0, -2.0], [1.0])):
        for first, weight in enumerate(weights):
            bands[shift, first : first + count - 2] += weight
    bands[0] += FRAMES
    given = features.double().numpy()
    wanted = FRAMES * given
    for first in range(0, count, patch):
        frames = slice(first, min(first + patch, count))
        size = frames.stop - first
        wanted[frames] += MEANS / size * given[frames].mean(axis=0)
        for shift in range(size):
            bands[shift, first : frames.stop - shift] += MEANS / size**2
    return torch.from_numpy(solveh_banded(bands, wanted, lower=True)).to(features.dtype)


def settle(
    motion: Motion,
    contacts: Float[np.ndarray, "t 4"],
    rest: Float[np.ndarray, "24 3"],
    *,
    lowest: Float[np.ndarray, "24"],
    keep_end: bool = False,
) -> Motion:
    """Lift body and hands where they are too low, and hold every foot where it stands, on the mean of its places there.

    The pelvis starts over the same place as before.

    Args:
        motion: What the network sampled.
        contacts: Above 0.5 where a foot joint stands.
        rest: Joints of the motion's body in the zero pose, metres.
        lowest: Lowest allowed height of each joint, metres.
        keep_end: The pelvis also ends over the same place, if need be with sliding feet.
    """
    worlds, pelvis = world_rotations(motion), np.asarray(motion.transl, np.float64) + rest[0]
    joints = place_joints(worlds, rest, pelvis)
    up = _lift((lowest - joints[..., 1])[:, _BODY])
    shift = np.stack([_held(joints, contacts, side) for side in range(2)], axis=1)
    whole = gaussian_filter1d(shift.mean(axis=1), FROM_ROOT, axis=0, mode="nearest")
    away = np.linspace(whole[0], whole[-1] if keep_end else whole[0], len(whole))
    shift, whole = shift - away[:, None], whole - away
    targets = joints[:, FOOT_JOINTS[::2]] + shift + up[:, None]
    pelvis = pelvis + whole + up
    worlds = reach_ankles(worlds, place_joints(worlds, rest, pelvis), targets)
    joints = place_joints(worlds, rest, pelvis)
    raised = np.stack([_lift((lowest - joints[..., 1])[:, hand]) for hand in _HANDS], axis=1)
    if raised.any():
        worlds = reach_wrists(worlds, joints, joints[:, [hand[0] for hand in _HANDS]] + raised)
    return with_pose(motion, worlds, pelvis, rest)


def settle_at(
    motion: Motion,
    contacts: Float[np.ndarray, "t 4"],
    rest: Float[np.ndarray, "24 3"],
    *,
    lowest: Float[np.ndarray, "24"],
) -> Motion:
    """As ``settle``, but the pelvis also ends over the same place: the path is stretched until holding the feet leads there.

    Where that fails, the feet slide. Arguments are those of ``settle``.
    """
    goal, tried = motion.transl[-1, [0, 2]].astype(np.float64), motion
    for _ in range(ROUNDS):
        settled = settle(tried, contacts, rest, lowest=lowest)
        missing = goal - settled.transl[-1, [0, 2]]
        if np.hypot(*missing) < NEAR:
            return settled
        transl = np.array(tried.transl, np.float64)
        transl[:, [0, 2]] += shares_of_path(transl[:, [0, 2]])[:, None] * missing
        tried = replace(tried, transl=transl)
    return settle(motion, contacts, rest, lowest=lowest, keep_end=True)


def shares_of_path(path: Float[np.ndarray, "t 2"]) -> Float[np.ndarray, "t"]:
    """How much of its length a path has behind it in each frame, 0 to 1; a path of no length is as if at an even pace."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1) + 1e-4
    return np.concatenate([[0.0], steps.cumsum()]) / steps.sum() if len(steps) else np.zeros(len(path))


def _lift(under: Float[np.ndarray, "t n"]) -> Float[np.ndarray, "t 3"]:
    """How far to lift what is so far under its lowest height, smooth over time."""
    sunk = maximum_filter1d(under.max(axis=1).clip(min=0.0), LIFT_SPAN, mode="nearest")
    return gaussian_filter1d(sunk, LIFT_SMOOTH, mode="nearest")[:, None] * [0.0, 1.0, 0.0]


def _held(joints: Float[np.ndarray, "t 24 3"], contacts: Float[np.ndarray, "t 4"], side: int) -> Float[np.ndarray, "t 3"]:
    """Horizontal shift of a leg that keeps its ankle and ball still while they stand; in between, from one to the next."""
    total, count = np.zeros((len(joints), 3)), np.zeros(len(joints))
    for column in (2 * side, 2 * side + 1):
        points = joints[:, FOOT_JOINTS[column]] * [1.0, 0.0, 1.0]
        for stands, run in groupby(range(len(joints)), key=lambda frame, column=column: contacts[frame, column] > 0.5):
            frames = list(run)
            if stands and len(frames) > 1:
                total[frames] += points[frames].mean(axis=0) - points[frames]
                count[frames] += 1
    known = np.flatnonzero(count)
    if not len(known):
        return total
    means = total[known] / count[known, None]
    shift = np.stack([np.interp(np.arange(len(joints)), known, means[:, axis]) for axis in range(3)], axis=1)
    return gaussian_filter1d(shift, SMOOTH, axis=0, mode="nearest")
