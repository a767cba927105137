"""A bank of poses seen from all sides, to initialise bodies from 2D points alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int

from ...body.landmarks import Landmarks, place_landmarks
from ...body.model import Body
from ...geometry import axis_angle_to_matrix, forward_kinematics
from ...priors.registry import load_prior

_POSES, _HEADINGS = 160, 16
_TILTS = (0.0, 0.35, 0.8, 1.3, -0.5, -1.2)
"""Tilts of the trunk towards the camera (head nearer), radians; its rotation in the picture is solved for."""
_SEED = 0
"""Seed of the drawn poses: the bank is a constant, so that a fit does not depend on a run's seed."""
_KEPT = 12
"""Candidates kept for each frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplars:
    """``e`` poses, rotated and tilted before an orthographic camera."""

    rotations: Float[np.ndarray, "e 24 3 3"]
    """Root in camera axes, joints relative to their parents."""
    points: Float[np.ndarray, "e k 2"]
    """The landmarks, x right and y down, metres."""
    upright: Float[np.ndarray, " e"]
    """Cost of an exemplar's tilt: people are mostly upright."""


@lru_cache(maxsize=1)
def _poses() -> Float[np.ndarray, "p 23 3 3"]:
    """Poses drawn from the package's prior, the same in every run."""
    prior = load_prior(None)
    generator = torch.Generator().manual_seed(_SEED)
    drawn = prior.sample(_POSES, generator=generator)  # type: ignore[attr-defined]
    rotations = np.tile(np.eye(3), (len(drawn), 23, 1, 1))
    rotations[:, :21] = drawn.numpy()[:, :21]
    return rotations


def exemplars(body: Body, landmarks: Landmarks, betas: Float[np.ndarray, "10"]) -> Exemplars:
    """The bank posed on a body."""
    poses = _poses()
    flip = np.diag([-1.0, -1.0, 1.0])  # a body facing +z in a y-up frame, before a camera that looks along +z with y down
    roots, cost = [], []
    for tilt in _TILTS:
        lean = axis_angle_to_matrix(torch.tensor([-tilt, 0.0, 0.0], dtype=torch.float64)).numpy()
        for heading in np.arange(_HEADINGS) * 2 * np.pi / _HEADINGS:
            turn = axis_angle_to_matrix(torch.tensor([0.0, heading, 0.0], dtype=torch.float64)).numpy()
            roots.append(flip @ lean @ turn)
            cost.append(0.02 * abs(tilt))
    count = len(roots)
    rotations = np.zeros((len(poses) * count, 24, 3, 3), np.float32)
    rotations[:, 0] = np.tile(np.array(roots), (len(poses), 1, 1))
    rotations[:, 1:] = np.repeat(poses, count, axis=0)
    rest = torch.tensor(body.rest_joints(betas), dtype=torch.float32)
    joints, worlds = forward_kinematics(torch.as_tensor(rotations), rest)
    points = place_landmarks(landmarks, joints - joints[:, :1], worlds, torch.as_tensor(betas, dtype=torch.float32))
    return Exemplars(
        rotations=rotations, points=points[..., :2].numpy().astype(float), upright=np.tile(np.array(cost), len(poses))
    )


def compare(
    bank: Exemplars, uv: Float[np.ndarray, "n k 2"], weight: Float[np.ndarray, "n k"]
) -> tuple[Int[np.ndarray, "n h"], Float[np.ndarray, "n h"], Float[np.ndarray, "n h"]]:
    """The closest exemplars of each frame.

    Translation, scale and rotation in the picture are the least-squares ones, in closed form (points as complex numbers).
    Rotation has a small cost, as the camera is upright.

    Returns:
        Exemplar; cost, the squared distance as a share of the points' own spread; turn in the picture, radians.
    """
    model = bank.points[..., 0] + 1j * bank.points[..., 1]
    best, costs, turns = [], [], []
    for points, w in zip(uv, weight, strict=True):
        share = w / w.sum()
        seen = points[:, 0] + 1j * points[:, 1]
        seen = seen - (share * seen).sum()
        own = model - (model @ share)[:, None]
        spread = float((share * np.abs(seen) ** 2).sum())
        match = (np.conj(own) * seen) @ share
        size = (np.abs(own) ** 2) @ share
        turn = np.angle(match)
        # the share of the spread that the best similarity leaves unexplained
        left = 1 - np.abs(match) ** 2 / np.maximum(size * spread, 1e-12)
        cost = 8 * left + 0.05 * turn**2 + bank.upright
        nearest = np.argpartition(cost, _KEPT)[:_KEPT]
        best.append(nearest)
        costs.append(cost[nearest])
        turns.append(turn[nearest])
    return np.array(best), np.array(costs), np.array(turns)
