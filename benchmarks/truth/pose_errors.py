"""Errors of recovered people against a truth: the measures the literature reports, in metres and seconds.

All take joints of SMPL's skeleton over time. Frames in which a position is NaN (nobody found) are ignored; the
caller reports their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from augment.motion.contacts import FOOT_JOINTS, standing_steps

"""Order of ``foot_contact``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseErrors:
    """Errors of one sequence; metres, except where stated."""

    mpjpe: float
    """Mean distance of the joints after aligning the pelvis."""
    pa_mpjpe: float
    """The same after the best similarity transform of each frame."""
    root: float
    """Mean distance of the pelvis."""
    root_depth: float
    """Mean distance of the pelvis along the camera's axis."""
    world_mpjpe: float
    """Mean distance of the joints, without alignment."""
    acceleration: float
    """Mean distance of the joints' accelerations, metres a second squared."""
    skate: float
    """Mean speed along the floor of feet that stand in the truth, metres a second."""
    frames: int
    """Frames judged."""


def judge(
    found: Float[np.ndarray, "t 24 3"],
    truth: Float[np.ndarray, "t 24 3"],
    *,
    fps: float,
    contact: Bool[np.ndarray, "t 4"],
    forward: Float[np.ndarray, "3"],
) -> PoseErrors:
    """All errors of one sequence.

    Args:
        found: Recovered joints, world, metres; NaN where nobody was found.
        truth: The same joints as they are.
        contact: Which feet stand in the truth, in the order of ``FOOT_JOINTS``.
        forward: Direction of the camera's axis in the same world, a unit vector.
    Raises:
        ValueError: If the shapes differ, or no frame was found.
    """
    _check(found, truth)
    seen = np.isfinite(found).all(axis=(1, 2))
    if not seen.any():
        raise ValueError("judge: every frame of the recovered joints is NaN; nothing to compare")
    offset = found[seen, 0] - truth[seen, 0]
    return PoseErrors(
        mpjpe=float(mpjpe(found, truth)[seen].mean()),
        pa_mpjpe=float(pa_mpjpe(found[seen], truth[seen]).mean()),
        root=float(np.linalg.norm(offset, axis=-1).mean()),
        root_depth=float(np.abs(offset @ forward).mean()),
        world_mpjpe=float(np.linalg.norm(found[seen] - truth[seen], axis=-1).mean()),
        acceleration=acceleration_error(found, truth, fps=fps),
        skate=foot_skate(found, contact, fps=fps),
        frames=int(seen.sum()),
    )


def mpjpe(found: Float[np.ndarray, "t j 3"], truth: Float[np.ndarray, "t j 3"], *, root: int = 0) -> Float[np.ndarray, " t"]:
    """Mean per-joint position error after aligning the root joint, metres, for each frame."""
    _check(found, truth)
    relative = (found - found[:, root : root + 1]) - (truth - truth[:, root : root + 1])
    return np.linalg.norm(relative, axis=-1).mean(axis=-1)


def pa_mpjpe(
    found: Float[np.ndarray, "t j 3"], truth: Float[np.ndarray, "t j 3"], *, scale: bool = True
) -> Float[np.ndarray, " t"]:
    """Mean per-joint position error after Procrustes alignment of each frame, metres; NaN where a joint is.

    Args:
        scale: Whether the size may be fitted too, as the literature does.
    """
    _check(found, truth)
    errors = np.full(len(found), np.nan)
    whole = np.isfinite(found).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
    if whole.any():
        errors[whole] = np.linalg.norm(
            _moved_onto(found[whole], found[whole], truth[whole], scale) - truth[whole], axis=-1
        ).mean(-1)
    return errors


def align(points: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"], *, scale: bool) -> Float[np.ndarray, "n 3"]:
    """Points moved onto ``target`` by the least-squares rigid motion, or with ``scale`` similarity.

    Rows in which either is NaN are left out of the fit, but moved too.

    Raises:
        ValueError: If fewer than three rows are left.
    Source:
        ``roma.rigid_points_registration``: orthogonal Procrustes.
    """
    both = np.isfinite(points).all(axis=-1) & np.isfinite(target).all(axis=-1)
    if both.sum() < 3:
        raise ValueError(f"align: {int(both.sum())} points are known on both sides; a rigid motion needs 3")
    return _moved_onto(points[None], points[None, both], target[None, both], scale)[0]


def _moved_onto(points: np.ndarray, source: np.ndarray, target: np.ndarray, scale: bool) -> np.ndarray:
    """``points`` (b, n, 3) moved by the transform that fits ``source`` (b, m, 3) best to ``target`` (b, m, 3)."""
    import roma

    ours, theirs = (torch.as_tensor(np.asarray(p, np.float64)) for p in (source, target))
    found: Any = roma.rigid_points_registration(ours, theirs, compute_scaling=scale)
    turn, shift, factor = found if scale else (*found, torch.ones(len(ours)))
    return factor.numpy()[:, None, None] * (points @ turn.mT.numpy()) + shift.numpy()[:, None]


def acceleration_error(found: Float[np.ndarray, "t j 3"], truth: Float[np.ndarray, "t j 3"], *, fps: float) -> float:
    """Mean distance between the joints' second differences, metres a second squared; NaN with no three frames in a row."""
    _check(found, truth)
    second = np.diff(found - truth, n=2, axis=0) * fps**2
    lengths = np.linalg.norm(second, axis=-1)
    return float(np.nanmean(lengths)) if np.isfinite(lengths).any() else float("nan")


def foot_skate(joints: Float[np.ndarray, "t 24 3"], contact: Bool[np.ndarray, "t 4"], *, fps: float) -> float:
    """Mean speed along the floor of ankles and toes standing in two frames running, metres a second; NaN if none is."""
    steps, held = standing_steps(joints, contact.astype(float))
    speed = np.linalg.norm(steps[..., [0, 2]], axis=-1) * fps
    standing = (held > 0) & np.isfinite(speed)
    return float(speed[standing].mean()) if standing.any() else float("nan")


def floor_heights(joints: Float[np.ndarray, "t 24 3"], contact: Bool[np.ndarray, "t 4"]) -> Float[np.ndarray, " n"]:
    """Height above the floor of every ankle and toe joint that stands, metres."""
    heights = joints[:, FOOT_JOINTS, 1]
    return heights[contact & np.isfinite(heights)]


def ratio_interval(
    after: Float[np.ndarray, " n"], before: Float[np.ndarray, " n"], *, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float, float]:
    """Mean of ``after`` over mean of ``before``, and its 95 % interval by paired bootstrap over the sequences.

    Pairs in which either is NaN are left out.

    Raises:
        ValueError: If no pair is left.
    """
    both = np.isfinite(after) & np.isfinite(before)
    if not both.any():
        raise ValueError("ratio_interval: no sequence has both figures")
    after, before = after[both], before[both]
    rows = rng.integers(len(after), size=(draws, len(after)))
    ratios = after[rows].mean(axis=1) / before[rows].mean(axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(after.mean() / before.mean()), float(low), float(high)


def _check(found: np.ndarray, truth: np.ndarray) -> None:
    if found.shape != truth.shape:
        raise ValueError(f"pose errors: recovered joints are {found.shape}, the truth {truth.shape}; they must match")
