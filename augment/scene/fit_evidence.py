"""What is known of tracked people before the fit: their tracks laid out on a gapless row of frames, with weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from ..sources.people import LAYOUTS, People
from ..types import Camera

LEAST_CONFIDENCE = 0.1
"""A point the detector trusts less is not looked at."""
_GROUP = 0.25
"""Points that err together (a face's eleven, a hand's three) count for less each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One tracked person from the first frame they were seen to the last; rows without a detection weigh nothing."""

    frames: Int[np.ndarray, " t"]
    observed: Bool[np.ndarray, " t"]
    fps: float
    layout: str
    uv: Float[np.ndarray, "t k 2"]
    """Pixels; 0 where the weight is 0."""
    weight: Float[np.ndarray, "t k"]
    points3d: Float[np.ndarray, "t k 3"] | None
    """The detector's own 3D points, camera axes, metres."""
    weight3d: Float[np.ndarray, "t k"] | None
    bodies: People | None
    """The rows with bodies, as many as ``observed`` frames."""
    swapped: int = 0
    """Frames whose left and right were exchanged back."""

    @property
    def rows(self) -> Int[np.ndarray, " n"]:
        """Indices of the observed frames in the row of frames."""
        return np.flatnonzero(self.observed)


def gather(track: People, camera: Camera, *, fps: float) -> Evidence:
    """Lay a track out on consecutive frames.

    Args:
        track: Rows of one person, one a frame.
        camera: For the picture's size: points outside it are extrapolations and count little.
        fps: Of the video.
    Raises:
        ValueError: If two rows share a frame, or there is neither a keypoint nor a body.
    """
    if len(np.unique(track.frame)) != len(track):
        twice = track.frame[:-1][np.diff(track.frame) == 0][0]
        raise ValueError(f"{track.path}: one track holds two people at frame {twice}; run track_people on it first")
    if track.keypoints2d is None and not track.has_bodies:
        raise ValueError(f"{track.path}: neither keypoints nor bodies to fit to")
    frames = np.arange(track.frame[0], track.frame[-1] + 1)
    rows = track.frame - track.frame[0]
    observed = np.zeros(len(frames), bool)
    observed[rows] = True
    names = LAYOUTS.get(track.layout, ())
    uv, weight = np.zeros((len(frames), len(names), 2)), np.zeros((len(frames), len(names)))
    points3d = weight3d = None
    if track.keypoints2d is not None:
        weight[rows] = _weights(track.keypoints2d, camera) * group_weights(track.layout)
        uv[rows] = np.where(weight[rows][..., None] > 0, np.nan_to_num(track.keypoints2d[..., :2]), 0.0)
    if track.keypoints3d is not None:
        known = np.asarray(np.isfinite(track.keypoints3d).all(axis=-1))
        points3d, weight3d = np.zeros((*uv.shape[:2], 3)), np.zeros(uv.shape[:2])
        points3d[rows] = np.where(known[..., None], track.keypoints3d, 0.0)
        weight3d[rows] = known * group_weights(track.layout) * np.maximum(weight[rows] > 0, 0.3)
    evidence = Evidence(
        frames=frames, observed=observed, fps=fps, layout=track.layout, uv=uv, weight=weight, points3d=points3d,
        weight3d=weight3d, bodies=track if track.has_bodies else None,
    )  # fmt: skip
    return unswap(evidence)


def group_weights(layout: str) -> Float[np.ndarray, " k"]:
    """How much each point of a layout counts."""
    face = ("eye", "ear", "mouth", "nose")
    hand = ("index", "pinky", "thumb")
    return np.array([
        _GROUP if any(part in name for part in (*face, *hand)) and "foot" not in name
        else 0.6 if any(part in name for part in ("heel", "toe", "foot_index")) else 1.0
        for name in LAYOUTS.get(layout, ())
    ])  # fmt: skip


def _weights(keypoints: Float[np.ndarray, "n k 3"], camera: Camera) -> Float[np.ndarray, "n k"]:
    """Confidence, 0 where nothing was found or hardly trusted, a tenth outside the picture."""
    known = np.isfinite(keypoints).all(axis=-1)
    filled = np.nan_to_num(keypoints)
    u, v, confidence = filled[..., 0], filled[..., 1], filled[..., 2].clip(0, 1)
    margin = 0.01 * camera.width
    inside = (u > margin) & (v > margin) & (u < camera.width - margin) & (v < camera.height - margin)
    weight = np.where(known & (confidence >= LEAST_CONFIDENCE), confidence, 0.0)
    return weight * np.where(inside, 1.0, 0.1)


def unswap(evidence: Evidence) -> Evidence:
    """Exchange left and right back where a detector exchanged them for some frames.

    Upper and lower body each are swapped or not; the cheapest path through the frames (Viterbi) moves points as little as
    can be and is swapped in as few frames as can be, so that what a detector says most of the time stands.
    """
    names = LAYOUTS.get(evidence.layout, ())
    partner = partners(evidence.layout)
    rows = np.flatnonzero((evidence.weight > 0).sum(axis=1) >= 4)
    if not len(names) or len(rows) < 3 or (partner == np.arange(len(names))).all():
        return evidence
    low = np.array([any(part in name for part in ("hip", "knee", "ankle", "heel", "toe", "foot")) for name in names])
    swaps = [np.arange(len(names)), np.where(low, partner, np.arange(len(names)))]
    swaps += [np.where(low, np.arange(len(names)), partner), partner]
    uv, weight = evidence.uv[rows], evidence.weight[rows]
    extent = np.array([max(np.ptp(u[w > 0], axis=0).max(), 20.0) for u, w in zip(uv, weight, strict=True)])
    variants = np.stack([uv[:, s] for s in swaps])
    weights = np.stack([weight[:, s] for s in swaps])
    gap = np.diff(rows)
    cost, back = np.array([0.0, 0.5, 0.5, 0.5]), []
    for i in range(1, len(rows)):
        moved = np.linalg.norm(variants[:, None, i] - variants[None, :, i - 1], axis=-1) / extent[i]
        both = np.minimum(weights[:, None, i], weights[None, :, i - 1])
        step = (both * np.minimum(moved, 0.5)).sum(-1) / np.sqrt(gap[i - 1])
        total = cost[None, :] + step + np.array([0.0, 0.02, 0.02, 0.02])[:, None]
        back.append(total.argmin(axis=1))
        cost = total.min(axis=1)
    state = [int(cost.argmin())]
    for previous in reversed(back):
        state.append(int(previous[state[-1]]))
    states = np.array(state[::-1])
    if not states.any():
        return evidence
    new = {name: None if array is None else array.copy() for name, array in (
        ("uv", evidence.uv), ("weight", evidence.weight), ("points3d", evidence.points3d), ("weight3d", evidence.weight3d),
    )}  # fmt: skip
    for row, chosen in zip(rows, states, strict=True):
        for array in new.values():
            if chosen and array is not None:
                array[row] = array[row][swaps[chosen]]
    if evidence.points3d is not None and new["points3d"] is not None:
        # a detector that takes the front for the back mirrors its depth as well
        for row, chosen in zip(rows, states, strict=True):
            if chosen == 3:
                new["points3d"][row, :, 2] *= -1
    return replace(evidence, swapped=int((states > 0).sum()), **new)  # type: ignore[arg-type]


def partners(layout: str) -> Int[np.ndarray, " k"]:
    """For each point of a layout the index of its mirror image; a point on the midline is its own."""
    names = LAYOUTS.get(layout, ())
    table = {name: index for index, name in enumerate(names)}

    def mirrored(name: str) -> str:
        if "left" in name:
            return name.replace("left", "right")
        return name.replace("right", "left")

    return np.array([table.get(mirrored(name), index) for index, name in enumerate(names)], int)


def spread_of(people: Sequence[Evidence]) -> Int[np.ndarray, " t"]:
    """Which person each row of the concatenated frames belongs to."""
    return np.repeat(np.arange(len(people)), [len(person.frames) for person in people])
