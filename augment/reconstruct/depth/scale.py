"""Metres for a relative depth map: the fitted bodies stand at known depths, and where they meet the map they tell its scale.

Monocular disparity d is affine in inverse depth, so ``1/z = scale * d + offset``; relative depth gives ``z = scale * d +
offset``, metric depth is only scaled. A body's depth is off by a few per cent in each frame, the same way for all its
pixels, and its outline by some pixels: so outlines are eroded, medians over patches are compared, errors are relative
(``log`` of map over body), and a frame is kept or left out as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32

from .overlap import Maps, Overlap, align_frames, look_at_overlap

FARTHEST = 30.0
"""What a map puts farther away, metres, is unknown: no room is that long, and inverse depth ends there."""
_BODY_ERROR, _PATCH_ERROR = 0.04, 0.015
"""Expected relative errors of a body's depth: shared by all patches of one frame, and each patch's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleConfig:
    """How depth maps are put into metres."""

    threshold: float = 0.12
    """Largest relative difference of map and body, in ``log``, at which they agree."""
    least_inliers: float = 0.45
    """Least weighted share of patches that must agree on one scale."""
    hypotheses: int = 1500
    """Pairs of patches tried by RANSAC."""
    least_patches: int = 12
    """Least number of patches where bodies and maps meet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthFit:
    """What turns a map's values into metres, and how sure that is."""

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
    """Frames with a body whose patches agree with the whole."""
    frames: int
    """Frames in which a body met a map."""
    patches: int
    """Medians compared."""
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


def fit_disparity(
    maps: Maps, bodies: Iterable[tuple[int, Float32[np.ndarray, "h w"]]], *, rng: np.random.Generator,
    floor: Float32[np.ndarray, "h w"] | None = None, config: ScaleConfig | None = None,
) -> DepthFit:  # fmt: skip
    """Scale and offset of a clip's depth maps from the bodies seen in it.

    Args:
        maps: The maps, disparity or depth.
        bodies: Frame of the video and the fitted bodies' z-buffer there, metres, 0 = no body; map-sized. Read once, in turn.
        rng: Draws RANSAC's pairs.
        floor: z-depth of the floor people walked on, from the calibrated camera; 0 elsewhere. Weighs as much as all bodies.
        config: Thresholds.
    Raises:
        ValueError: If bodies and maps hardly meet, agree on no scale, or the map is the wrong way round.
    """
    config = config or ScaleConfig()
    if maps.kind not in ("disparity", "depth"):
        raise ValueError(f"depth maps: unknown kind {maps.kind!r}; expected disparity or depth")
    overlap = look_at_overlap(maps, bodies, floor)
    left_out, per_frame = dict(overlap.skipped), np.tile([1.0, 0.0], (len(maps.frame), 1))
    usable = np.ones(len(maps.frame), bool)
    if maps.per_frame_affine:
        per_frame, usable = align_frames(maps, overlap)
        if not usable.all():
            left_out["not to be aligned with the other frames"] = int((~usable).sum())
    values = per_frame[overlap.index, 0] * overlap.value + per_frame[overlap.index, 1]
    use = usable[overlap.index]
    bodily = int((use & ~overlap.floor).sum())
    if bodily < config.least_patches:
        raise ValueError(
            f"depth maps: bodies and maps meet in only {bodily} patches (at least {config.least_patches} are needed; "
            f"{_say(left_out)}): are the maps of this very video, and are people seen large enough?"
        )
    if maps.metric and maps.kind == "disparity":
        values = np.where(values > 0, values, np.nan)
        use &= np.isfinite(values)
    target = 1 / overlap.z if maps.kind == "disparity" else overlap.z
    kept, agreed = use, usable.copy()
    scale, offset = _consensus(values, target, overlap, kept, maps, rng, config)
    for _ in range(2):
        scale, offset = _refine(values, target, overlap.weight, kept, (scale, offset), maps.metric, config)
        off = _relative(values, target, scale, offset)
        bad = _frames_off(off, overlap, use, config)
        agreed = usable & ~bad
        kept = use & (agreed[overlap.index] | overlap.floor)
    frames = np.unique(overlap.index[use & ~overlap.floor])
    agreeing = int(agreed[frames].sum())
    if agreeing < len(frames):
        left_out["its bodies disagree with the rest"] = len(frames) - agreeing
    inlier = use & (np.abs(off) < config.threshold)
    ratio = float(overlap.weight[inlier].sum() / overlap.weight[use].sum())
    if ratio < config.least_inliers or not agreeing:
        raise ValueError(
            f"depth maps: no consensus: only {ratio:.0%} of {int(use.sum())} patches agree on one scale (at least "
            f"{config.least_inliers:.0%} needed). Are the maps of this very video and in its order? Are the bodies well fitted?"
        )
    std = _scale_std(values, scale, offset, overlap, kept, maps.metric)
    _refuse_wrong_way_round(maps, scale, std)
    return DepthFit(
        kind=maps.kind, scale=scale, offset=offset, scale_std=std, inlier_ratio=ratio,
        residual=float(np.median(np.abs(off[inlier]))), frames_agreed=agreeing, frames=len(frames), patches=int(use.sum()),
        agreed=agreed, per_frame=per_frame, left_out=left_out,
    )  # fmt: skip


def _say(counts: dict[str, int]) -> str:
    return "; ".join(f"{count} frames: {reason}" for reason, count in counts.items()) or "nothing was left out"


def _relative(values: np.ndarray, target: np.ndarray, scale: np.ndarray | float, offset: np.ndarray | float) -> np.ndarray:
    """log of prediction over target; infinite where the prediction is not positive."""
    p = scale * values + offset
    return np.where(p > 0, np.log(np.where(p > 0, p, 1.0) / target), np.inf)


def _consensus(
    values: np.ndarray, target: np.ndarray, overlap: Overlap, use: np.ndarray, maps: Maps, rng: np.random.Generator,
    config: ScaleConfig,
) -> tuple[float, float]:  # fmt: skip
    """The hypothesis with the least truncated squared error over weighted patches, all hypotheses at once."""
    rows = np.flatnonzero(use)
    share = overlap.weight[rows] / overlap.weight[rows].sum()
    first = rng.choice(rows, config.hypotheses, p=share)
    if maps.metric:
        scale, offset = target[first] / values[first], np.zeros(len(first))
    else:
        second = rng.choice(rows, config.hypotheses, p=share)
        run = values[second] - values[first]
        apart = np.abs(run) > 1e-6 * max(1e-12, float(np.ptp(values[rows])))
        scale = (target[second] - target[first])[apart] / run[apart]
        offset = target[first][apart] - scale * values[first][apart]
        if not len(scale):
            raise ValueError("depth maps: every patch under a body has the same value: the maps are flat")
    cost = np.zeros(len(scale))
    for chunk in np.array_split(rows, max(1, len(rows) // 500)):
        off = _relative(values[chunk], target[chunk], scale[:, None], offset[:, None])
        cost += np.minimum((off / config.threshold) ** 2, 1) @ overlap.weight[chunk]
    best = int(np.argmin(cost))
    return float(scale[best]), float(offset[best])


def _refine(
    values: np.ndarray, target: np.ndarray, weight: np.ndarray, use: np.ndarray, start: tuple[float, float], scale_only: bool,
    config: ScaleConfig,
) -> tuple[float, float]:  # fmt: skip
    """Gauss-Newton on relative errors with Tukey's weights, from a consensus."""
    x = np.array(start)
    free = slice(0, 1) if scale_only else slice(0, 2)
    for _ in range(30):
        off = _relative(values, target, x[0], x[1])
        near = use & (np.abs(off) < 2 * config.threshold)
        if near.sum() < 3:
            break
        pull = weight[near] * (1 - (off[near] / (2 * config.threshold)) ** 2) ** 2
        p = x[0] * values[near] + x[1]
        J = np.stack([values[near] / p, 1 / p], axis=1)[:, free]
        normal = J.T @ (pull[:, None] * J)
        step = np.linalg.lstsq(normal, J.T @ (pull * off[near]), rcond=1e-12)[0]
        x[free] -= step
        if np.abs(step).max() < 1e-9 * np.abs(x).max():
            break
    return float(x[0]), float(x[1])


def _frames_off(off: np.ndarray, overlap: Overlap, use: np.ndarray, config: ScaleConfig) -> np.ndarray:
    """Maps (n,) most of whose body patches disagree with the common fit."""
    rows = use & ~overlap.floor
    count = np.bincount(overlap.index[rows], minlength=overlap.maps)
    inside = np.bincount(overlap.index[rows & (np.abs(off) < config.threshold)], minlength=overlap.maps)
    return (count > 0) & (inside < 0.5 * count)


def _scale_std(values: np.ndarray, scale: float, offset: float, overlap: Overlap, use: np.ndarray, scale_only: bool) -> float:
    """Relative error of the scale if bodies err as ``_BODY_ERROR`` and ``_PATCH_ERROR`` expect."""
    p = scale * values + offset
    use = use & (p > 0)
    J = np.stack([values / p, 1 / p], axis=1)[use][:, : 1 if scale_only else 2]
    pull, index, floor = overlap.weight[use, None] * J, overlap.index[use], overlap.floor[use]
    score = _PATCH_ERROR**2 * pull.T @ pull
    for frame in np.unique(index[~floor]):
        shared = _BODY_ERROR * pull[(index == frame) & ~floor].sum(axis=0)
        score += np.outer(shared, shared)
    inverse = np.linalg.pinv(pull.T @ J, rcond=1e-14)
    return float(np.sqrt((inverse @ score @ inverse.T)[0, 0]) / max(abs(scale), 1e-12))


def _refuse_wrong_way_round(maps: Maps, scale: float, std: float) -> None:
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
