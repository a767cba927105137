"""A body's surface as a few hundred extreme points, each fixed to one joint: fast tests of contact with floor and support."""

from __future__ import annotations

from itertools import product

import numpy as np
from jaxtyping import Float, Int

from ..types import JOINT
from .model import Body

_DIRECTIONS = np.array([each for each in product((-1.0, 0.0, 1.0), repeat=3) if any(each)])


def upper_outline(body: Body, betas: Float[np.ndarray, "10"]) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Extreme points of the parts that can rest on a surface besides the feet: all down to just below the knees.

    Returns:
        The joint each point is fixed to (n,), and its offset from that joint in the zero pose, metres (n, 3).
    """
    vertices, rest = np.asarray(body.rest_vertices(betas), np.float64), np.asarray(body.rest_joints(betas), np.float64)
    parts = np.asarray(body.part_of_vertex)
    below_knee = rest[JOINT["left_knee"], 1] - 0.3 * (rest[JOINT["left_knee"], 1] - rest[JOINT["left_ankle"], 1])
    feet = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("ankle", "foot")]
    shins = [JOINT["left_knee"], JOINT["right_knee"]]
    usable = ~np.isin(parts, feet) & ~(np.isin(parts, shins) & (vertices[:, 1] < below_knee))
    carriers, points = [], []
    for part in np.unique(parts[usable]):
        skin = vertices[usable & (parts == part)]
        chosen = np.unique((skin @ _DIRECTIONS.T).argmax(axis=0))
        carriers.append(np.full(len(chosen), part))
        points.append(skin[chosen] - rest[part])
    return np.concatenate(carriers).astype(np.int64), np.concatenate(points)


def lowest_point(
    worlds: Float[np.ndarray, "t 24 3 3"],
    joints: Float[np.ndarray, "t 24 3"],
    outline: tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]],
) -> Float[np.ndarray, " t"]:
    """Height of the lowest of these points in every frame, metres."""
    carriers, points = outline
    return (joints[:, carriers, 1] + (worlds[:, carriers, 1] * points).sum(-1)).min(axis=1)
