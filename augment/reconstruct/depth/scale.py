"""Metres for depth maps of unknown scale: fitted bodies have known depths, and give the scale of a map that shows them.

Monocular disparity d is affine in inverse depth, so ``1/z = scale * d + offset``; relative depth gives ``z = scale * d +
offset``, metric depth is only scaled. A body's depth is off by a few per cent in each frame, the same way for all its
pixels, and its outline by some pixels. So outlines are eroded, medians over patches are compared, errors are relative
(``log`` of map over body), and a frame is kept or left out as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32

from .overlap import Maps, Overlap, align_frames, look_at_overlap

FARTHEST = 30.0
"""Depths beyond this, metres, are unknown: rooms are smaller, and inverse depth is inexact there."""
THRESHOLD = 0.12
"""Largest relative difference of map and body, in ``log``, at which they agree."""
LEAST_INLIERS = 0.45
"""Least weighted share of patches that must agree on one scale."""
HYPOTHESES = 1500
"""Pairs of patches tried by RANSAC."""
LEAST_PATCHES = 12
"""Least number of patches where bodies and maps overlap."""
_BODY_ERROR, _PATCH_ERROR = 0.04, 0.015
"""Expected relative errors of a body's depth: shared by all patches of one frame, and each patch's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthFit:
    """Conversion of a map's values to metres, with its uncertainty."""

    kind: str
    """``disparity`` or ``depth``, of the maps it was fitted to."""
    scale: float
    offset: float
    """Inverse metres for disparity, metres for depth; 0 for metric maps."""
    scale_std: float
    """Expected relative error of ``scale`` from the bodies' own errors."""
    inlier_ratio: float
    """Weighted share of patches within the threshold."""
    residual: float
    """Median relative difference of map and body over the inliers."""
    frames_agreed: int
    """Frames with a body whose patches agree with the common fit."""
    frames: int
    """Frames in which a body overlaps a map."""
    agreed: Bool[np.ndarray, " n"]
    """For each map, whether it may be used: False where its bodies disagree or it could not be aligned with the others."""
    per_frame: Float[np.ndarray, "n 2"]
    """Factor and summand that bring each map's values to the common ones that ``scale`` and ``offset`` hold for."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Frames left out, counted by reason."""

    def depth(self, values: Float[np.ndarray, "*shape"], index: int | None = None) -> Float32[np.ndarray, "*shape"]:
        """z-depth in metres, 0 = unknown, of a map's values; with ``index`` that map's own, else common ones."""
        factor, summand = (1.0, 0.0) if index is None else self.per_frame[index]
        p = self.scale * (factor * np.asarray(values, float) + summand) + self.offset
        with np.errstate(divide="ignore", invalid="ignore"):
            z = 1 / p if self.kind == "disparity" else p
        return np.where(np.isfinite(z) & (z > 0) & (z < FARTHEST), z, 0).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patches:
    """Values of the maps in each patch, and their targets."""

    value: Float[np.ndarray, " m"]
    """Value of the map, aligned with the other maps."""
    target: Float[np.ndarray, " m"]
    """Depth of the body or the floor, metres; inverse depth for disparity."""
    overlap: Overlap
    metric: bool
    """Whether the maps have no offset."""

    def error(
        self, scale: np.ndarray | float, offset: np.ndarray | float, rows: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """log of prediction over target; infinite where the prediction is not positive."""
        p = scale * self.value[rows] + offset
        return np.where(p > 0, np.log(np.where(p > 0, p, 1.0) / self.target[rows]), np.inf)


def fit_disparity(
    maps: Maps, bodies: Iterable[tuple[int, Float32[np.ndarray, "h w"]]], *, rng: np.random.Generator,
    floor: Float32[np.ndarray, "h w"] | None = None,
) -> DepthFit:  # fmt: skip
    """Scale and offset of a clip's depth maps from the bodies seen in it.

    Args:
        maps: The maps, disparity or depth.
        bodies: Frame of the video and the fitted bodies' z-buffer there, metres, 0 = no body; map-sized. Read once, in turn.
        rng: Draws RANSAC's pairs.
        floor: z-depth of the floor people walked on, from the calibrated camera; 0 elsewhere. Weighs as much as all bodies.
    Raises:
        ValueError: If bodies and maps hardly overlap, agree on no scale, or disparity is given as depth or the reverse.
    """
    if maps.kind not in ("disparity", "depth"):
        raise ValueError(f"depth maps: unknown kind {maps.kind!r}; expected disparity or depth")
    overlap = look_at_overlap(maps, bodies, floor)
    left_out, per_frame = dict(overlap.skipped), np.tile([1.0, 0.0], (len(maps.frame), 1))
    usable = np.ones(len(maps.frame), bool)
    if maps.per_frame_affine:
        per_frame, usable = align_frames(maps, overlap)
        if not usable.all():
            left_out["not to be aligned with the other frames"] = int((~usable).sum())
    use = usable[overlap.index]
    _require_patches(int((use & ~overlap.floor).sum()), left_out)
    patches = _patches_of(maps, overlap, per_frame)
    use &= np.isfinite(patches.value)
    scale, offset, agreed = _robust_fit(patches, use, usable, rng)
    frames = np.unique(overlap.index[use & ~overlap.floor])
    agreeing = int(agreed[frames].sum())
    if agreeing < len(frames):
        left_out["its bodies disagree with the rest"] = len(frames) - agreeing
    error = patches.error(scale, offset)
    inlier = use & (np.abs(error) < THRESHOLD)
    ratio = float(overlap.weight[inlier].sum() / overlap.weight[use].sum())
    if ratio < LEAST_INLIERS or not agreeing:
        raise ValueError(
            f"depth maps: no consensus: only {ratio:.0%} of {int(use.sum())} patches agree on one scale (at least "
            f"{LEAST_INLIERS:.0%} needed). Are the maps of this very video and in its order? Are the bodies well fitted?"
        )
    std = _scale_std(patches, use & (agreed[overlap.index] | overlap.floor), scale, offset)
    _require_right_kind(maps, scale, std)
    return DepthFit(
        kind=maps.kind, scale=scale, offset=offset, scale_std=std, inlier_ratio=ratio,
        residual=float(np.median(np.abs(error[inlier]))), frames_agreed=agreeing, frames=len(frames),
        agreed=agreed, per_frame=per_frame, left_out=left_out,
    )  # fmt: skip


def _require_patches(count: int, left_out: dict[str, int]) -> None:
    if count < LEAST_PATCHES:
        why = "; ".join(f"{frames} frames: {reason}" for reason, frames in left_out.items()) or "nothing was left out"
        raise ValueError(
            f"depth maps: bodies and maps meet in only {count} patches (at least {LEAST_PATCHES} are needed; {why}): are the "
            "maps of this very video, and are people seen large enough?"
        )


def _patches_of(maps: Maps, overlap: Overlap, per_frame: np.ndarray) -> _Patches:
    """Aligned values, NaN where metric disparity is not positive; and their targets."""
    value = per_frame[overlap.index, 0] * overlap.value + per_frame[overlap.index, 1]
    if maps.metric and maps.kind == "disparity":
        value = np.where(value > 0, value, np.nan)
    target = 1 / overlap.z if maps.kind == "disparity" else overlap.z
    return _Patches(value=value, target=target, overlap=overlap, metric=maps.metric)


def _robust_fit(
    patches: _Patches, use: np.ndarray, usable: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, np.ndarray]:
    """Scale, offset, and for each map whether its bodies agree with them: RANSAC, then refined without maps that disagree."""
    overlap, kept, agreed = patches.overlap, use, usable
    scale, offset = _consensus(patches, use, rng)
    for _ in range(2):
        scale, offset = _refine(patches, kept, scale, offset)
        agreed = usable & ~_disagreeing(overlap, use, patches.error(scale, offset))
        kept = use & (agreed[overlap.index] | overlap.floor)
    return scale, offset, agreed


def _consensus(patches: _Patches, use: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The hypothesis with the least truncated squared error over weighted patches, all hypotheses at once."""
    rows, value, target, weight = np.flatnonzero(use), patches.value, patches.target, patches.overlap.weight
    share = weight[rows] / weight[rows].sum()
    first = rng.choice(rows, HYPOTHESES, p=share)
    if patches.metric:
        scale, offset = target[first] / value[first], np.zeros(len(first))
    else:
        second = rng.choice(rows, HYPOTHESES, p=share)
        run = value[second] - value[first]
        distinct = np.abs(run) > 1e-6 * max(1e-12, float(np.ptp(value[rows])))
        scale = (target[second] - target[first])[distinct] / run[distinct]
        offset = target[first][distinct] - scale * value[first][distinct]
        if not len(scale):
            raise ValueError("depth maps: every patch under a body has the same value: the maps are flat")
    cost = np.zeros(len(scale))
    for chunk in np.array_split(rows, max(1, len(rows) // 500)):
        error = patches.error(scale[:, None], offset[:, None], chunk)
        cost += np.minimum((error / THRESHOLD) ** 2, 1) @ weight[chunk]
    best = int(np.argmin(cost))
    return float(scale[best]), float(offset[best])


def _refine(patches: _Patches, use: np.ndarray, scale: float, offset: float) -> tuple[float, float]:
    """Gauss-Newton on relative errors with Tukey's weights, from a consensus."""
    x = np.array([scale, offset])
    free = slice(0, 1) if patches.metric else slice(0, 2)
    for _ in range(30):
        error = patches.error(x[0], x[1])
        near = use & (np.abs(error) < 2 * THRESHOLD)
        if near.sum() < 3:
            break
        weight = patches.overlap.weight[near] * (1 - (error[near] / (2 * THRESHOLD)) ** 2) ** 2
        p = x[0] * patches.value[near] + x[1]
        J = np.stack([patches.value[near] / p, 1 / p], axis=1)[:, free]
        normal = J.T @ (weight[:, None] * J)
        step = np.linalg.lstsq(normal, J.T @ (weight * error[near]), rcond=1e-12)[0]
        x[free] -= step
        if np.abs(step).max() < 1e-9 * np.abs(x).max():
            break
    return float(x[0]), float(x[1])


def _disagreeing(overlap: Overlap, use: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Maps (n,) most of whose body patches disagree with the common fit."""
    rows = use & ~overlap.floor
    count = np.bincount(overlap.index[rows], minlength=overlap.maps)
    inside = np.bincount(overlap.index[rows & (np.abs(error) < THRESHOLD)], minlength=overlap.maps)
    return (count > 0) & (inside < 0.5 * count)


def _scale_std(patches: _Patches, use: np.ndarray, scale: float, offset: float) -> float:
    """Relative error of the scale if bodies err as ``_BODY_ERROR`` and ``_PATCH_ERROR`` expect."""
    overlap, p = patches.overlap, scale * patches.value + offset
    use = use & (p > 0)
    J = np.stack([patches.value / p, 1 / p], axis=1)[use][:, : 1 if patches.metric else 2]
    weighted, index, floor = overlap.weight[use, None] * J, overlap.index[use], overlap.floor[use]
    score = _PATCH_ERROR**2 * weighted.T @ weighted
    for frame in np.unique(index[~floor]):
        shared = _BODY_ERROR * weighted[(index == frame) & ~floor].sum(axis=0)
        score += np.outer(shared, shared)
    inverse = np.linalg.pinv(weighted.T @ J, rcond=1e-14)
    return float(np.sqrt((inverse @ score @ inverse.T)[0, 0]) / max(abs(scale), 1e-12))


def _require_right_kind(maps: Maps, scale: float, std: float) -> None:
    other = "depth" if maps.kind == "disparity" else "disparity"
    if scale < 0 and std < 0.5:
        raise ValueError(
            f"depth maps: the scale comes out negative ({scale:.3g}): larger values lie "
            f"{'farther' if maps.kind == 'disparity' else 'nearer'}, so this looks like {other} given as {maps.kind}; "
            f"say that its kind is {other}"
        )
    if scale <= 0 or std > 0.5:
        raise ValueError(
            "depth maps: the bodies all stand at about one distance, so that scale and offset cannot be told apart; use a "
            "video in which somebody walks towards or away from the camera, or give the floor from the calibrated camera"
        )
