"""Errors of a real 2D pose detector, measured on UP-Fall's two synchronised cameras.

    python -m benchmarks.truth.detector_noise --data DATA

Those recordings have no ground truth, but two views: a point seen in one must lie on its epipolar line in the other.
One fundamental matrix is fitted to all recordings together (the cameras never move), and the signed Sampson distance of every
landmark that lies inside both pictures is taken as the error of one coordinate in one picture, noise and bias alike. All
lengths are shares of the person's extent in the picture (the long side of the box around all landmarks), so that they hold at
any distance. Not measured are errors along the epipolar line, errors that both views share, and the detector's lag.
"Spread" is 1.4826 times the median distance from 0: the standard deviation without tails.

The figures went into ``recognition.inputs.detector_errors.MEDIAPIPE_UPFALL``.
"""

from __future__ import annotations

import csv
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from jaxtyping import Bool, Float
from scipy.signal import savgol_coeffs, savgol_filter

from augment.sources.people.mediapipe import LANDMARKS, read_mediapipe
from recognition.inputs.detector_errors import ERROR_BINS, GROUPS, QUANTILES, STATES, group_of

OUTLIER = 0.10
"""Share of the extent beyond which a landmark counts as misplaced."""
_WINDOW, _ORDER = 7, 2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Measure the detector's errors."""

    data: Path
    """Folder with ``upfall``."""
    out: Path | None = None
    """JSON file for the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One recording seen by both cameras."""

    name: str
    views: tuple[Float[np.ndarray, "t 33 3"], Float[np.ndarray, "t 33 3"]]
    state: np.ndarray
    """Key of ``STATES`` for each frame."""
    fps: float
    size: tuple[int, int]


def main() -> None:
    settings = tyro.cli(Settings, description=__doc__)
    takes = read_takes(settings.data / "upfall")
    figures = {"jitter": jitter(takes), "lost": lost(takes), "swaps": swaps(takes), **epipolar(takes)}
    text = json.dumps(figures, indent=1, default=float)
    if settings.out is not None:
        settings.out.write_text(text)
    print(text)


def read_takes(folder: Path) -> list[Take]:
    """All recordings, views paired by activity and trial."""
    with open(folder / "labels.csv", newline="") as file:
        rows = {(row["action"], row["trial"], row["camera"]): row for row in csv.DictReader(file)}
    takes = []
    for (action, trial, camera), row in rows.items():
        if camera != "1":
            continue
        first, second = (read_mediapipe(folder / rows[action, trial, c]["keypoints"]) for c in "12")
        count = min(len(first), len(second))
        views = (first.landmarks2d[:count].astype(float), second.landmarks2d[:count].astype(float))
        state = _states(row["segments"], count, first.fps)
        takes.append(Take(name=f"{action} {trial}", views=views, state=state, fps=first.fps, size=(first.width, first.height)))
    return takes


def _states(segments: str, count: int, fps: float) -> np.ndarray:
    state = np.full(count, "still", dtype=object)
    for segment in segments.split(";"):
        label, span = segment.split(":")
        start, end = (round(float(second) * fps) for second in span.split("-"))
        state[start:end] = next(name for name, labels in STATES.items() if label in labels)
    return state


def extent(points: Float[np.ndarray, "t k 3"]) -> Float[np.ndarray, " t"]:
    """Long side of the box around all points, pixels; NaN where there are none."""
    found = np.isfinite(points[:, 0, 0])
    result = np.full(len(points), np.nan)
    result[found] = np.ptp(points[found, :, :2], axis=1).max(axis=-1)
    return result


def spread(values: np.ndarray) -> float:
    """1.4826 times the median distance from 0."""
    return float(1.4826 * np.nanmedian(np.abs(values)))


def _runs(flags: Bool[np.ndarray, " t"]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def jitter(takes: list[Take]) -> dict[str, Any]:
    """Frame-to-frame noise, from the residual of a Savitzky-Golay smoother (7 frames, order 2)."""
    share = 1.0 - savgol_coeffs(_WINDOW, _ORDER)[_WINDOW // 2]
    left: dict[str, list[np.ndarray]] = {name: [] for name in STATES}
    for take in takes:
        for view in take.views:
            size = extent(view)
            for start, end in _runs(np.isfinite(size)):
                if end - start <= _WINDOW:
                    continue
                points = view[start:end, :, :2]
                rest = (points - savgol_filter(points, _WINDOW, _ORDER, axis=0)) / size[start:end, None, None] / np.sqrt(share)
                for name in STATES:
                    left[name].append(rest[take.state[start:end] == name])
    whole = {name: np.concatenate(parts) for name, parts in left.items()}
    return {name: {"spread": spread(rest), "rms": float(np.sqrt(np.mean(rest**2)))} for name, rest in whole.items()}


def lost(takes: list[Take]) -> dict[str, Any]:
    """Frames in which nobody was found: how many in each state, how long at a stretch, and where the person was before."""
    frames = {name: [0, 0] for name in STATES}
    lengths: dict[str, list[int]] = {name: [] for name in (*STATES, "leaving the picture")}
    for take in takes:
        for view in take.views:
            gone = ~np.isfinite(view[:, 0, 0])
            for name in STATES:
                frames[name][0] += int((gone & (take.state == name)).sum())
                frames[name][1] += int((take.state == name).sum())
            for start, end in _runs(gone):
                beside = view[max(start - 1, 0), :, :2] if start else view[min(end, len(view) - 1), :, :2]
                inside = (beside > 0).all(-1) & (beside < take.size).all(-1)
                lengths["leaving the picture" if inside.mean() < 0.5 else take.state[start]].append(end - start)
    return {"frames lost, of": frames, "lengths in frames": {name: sorted(values) for name, values in lengths.items()}}


def swaps(takes: list[Take]) -> dict[str, Any]:
    """Changes of side (the frame fits the last one better with left and right exchanged) and leaps of the whole person."""
    left = [LANDMARKS.index(f"left_{part}") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
    right = [LANDMARKS.index(f"right_{part}") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
    changes, leaps = dict.fromkeys(STATES, 0), dict.fromkeys(STATES, 0)
    for take in takes:
        for view in take.views:
            points, size = view[..., :2], extent(view)[1:]
            kept = np.linalg.norm(points[1:, left + right] - points[:-1, left + right], axis=-1).mean(1) / size
            changed = np.linalg.norm(points[1:, right + left] - points[:-1, left + right], axis=-1).mean(1) / size
            middle = points[:, [*left[:1], *right[:1], left[3], right[3]]].mean(axis=1)
            leap = np.linalg.norm(np.diff(middle, axis=0), axis=-1) / size
            for frame in np.flatnonzero((changed < 0.7 * kept) & (kept - changed > 0.03)):
                changes[take.state[frame + 1]] += 1
            for frame in np.flatnonzero(leap > 0.25):
                leaps[take.state[frame + 1]] += 1
    return {"changes of side": changes, "leaps over a quarter of the extent in a frame": leaps}


def fundamental_matrix(takes: list[Take], *, rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """From camera 1 to camera 2, robustly from confident landmarks, the activities evenly."""
    import cv2
    from scipy.optimize import least_squares

    ours, theirs = [], []
    for take in takes:
        sure = _both_inside(take) & (take.views[0][..., 2] > 0.9) & (take.views[1][..., 2] > 0.9)
        rows = np.argwhere(sure)
        rows = rows[rng.choice(len(rows), min(1500, len(rows)), replace=False)]
        ours.append(take.views[0][rows[:, 0], rows[:, 1], :2])
        theirs.append(take.views[1][rows[:, 0], rows[:, 1], :2])
    a, b = np.concatenate(ours), np.concatenate(theirs)
    matrix, _ = cv2.findFundamentalMat(a, b, cv2.USAC_MAGSAC, 6.0, 0.999, 20000)
    start = np.asarray(matrix, float).ravel() / np.linalg.norm(matrix)
    fit = least_squares(lambda f: sampson(f.reshape(3, 3) / np.linalg.norm(f), a, b), start, loss="soft_l1", f_scale=5.0)
    u, s, vt = np.linalg.svd(fit.x.reshape(3, 3))
    return u @ np.diag([s[0], s[1], 0.0]) @ vt


def sampson(
    matrix: Float[np.ndarray, "3 3"], ours: Float[np.ndarray, "*n 2"], theirs: Float[np.ndarray, "*n 2"]
) -> Float[np.ndarray, "*n"]:
    """Signed Sampson distance of a pair of points, pixels: as large as the noise of one coordinate.

    Source:
        Hartley & Zisserman 2004, eq. 11.9 (its square root).
    """
    a, b = (np.concatenate([p, np.ones((*p.shape[:-1], 1))], axis=-1) for p in (ours, theirs))
    line_b, line_a = a @ matrix.T, b @ matrix
    return (b * line_b).sum(-1) / np.sqrt((line_b[..., :2] ** 2).sum(-1) + (line_a[..., :2] ** 2).sum(-1))


def _both_inside(take: Take) -> Bool[np.ndarray, "t 33"]:
    inside = np.ones(take.views[0].shape[:2], bool)
    for view in take.views:
        inside &= (view[..., :2] > 5).all(-1) & (view[..., :2] < np.array(take.size) - 5).all(-1)
    return inside


def epipolar(takes: list[Take]) -> dict[str, Any]:
    """Error by state and part of the body: shared by the whole person, lasting and changing; tails; visibility beside error."""
    matrix = fundamental_matrix(takes, rng=np.random.default_rng(0))
    error = {}
    for take in takes:
        size = (extent(take.views[0]) + extent(take.views[1])) / 2
        distance = sampson(matrix, take.views[0][..., :2], take.views[1][..., :2]) / size[:, None]
        error[take.name] = np.where(_both_inside(take), distance, np.nan)
    shared = {name: np.nanmedian(e, axis=1) for name, e in error.items()}
    own = {name: e - shared[name][:, None] for name, e in error.items()}
    lasting = {n: np.nanmedian(e, axis=0) for n, e in own.items() if not n.startswith("fall")}
    columns = {part: [i for i, name in enumerate(LANDMARKS) if group_of(name) == part] for part in GROUPS}
    states = {t.name: t.state for t in takes}
    result: dict[str, Any] = {
        "lasting": {p: spread(np.array([lasting[n][c] for n in lasting])) for p, c in columns.items()},
    }
    result["shared without geometry"] = shared_without_geometry(takes, shared)
    for name in STATES:
        rest = {n: own[n][states[n] == name] - lasting.get(n, 0.0) for n in own}
        parts = np.concatenate(list(rest.values()))
        result[name] = {
            "shared": spread(np.concatenate([shared[n][states[n] == name] for n in own])),
            "changing": {p: spread(parts[:, c]) for p, c in columns.items()},
            "misplaced": {
                p: float(np.nanmean(np.abs(parts[:, c][np.isfinite(parts[:, c])]) > OUTLIER)) for p, c in columns.items()
            },
            "misplaced by": float(np.nanmedian(np.abs(parts[np.abs(parts) > OUTLIER]))),
            "correlation after frames": {lag: _correlation(list(rest.values()), lag) for lag in (1, 2, 5, 9, 18)},
            "misplaced for frames": _mean_run([np.abs(r) > OUTLIER for r in rest.values()]),
        }
    worse = np.concatenate([np.minimum(t.views[0][..., 2], t.views[1][..., 2]).ravel() for t in takes])
    size = np.abs(np.concatenate([own[t.name].ravel() for t in takes]))
    result["visibility by error"] = {
        f"{low:.2f}-{high:.2f}": np.quantile(worse[(size >= low) & (size < high)], QUANTILES).round(3).tolist()
        for low, high in itertools.pairwise(ERROR_BINS)
    }
    outside = [v[..., 2][((v[..., :2] < 0) | (v[..., :2] > t.size)).any(-1)] for t in takes for v in t.views]
    result["visibility outside the picture"] = np.quantile(np.concatenate(outside), QUANTILES).round(3).tolist()
    return result


def shared_without_geometry(takes: list[Take], shared: dict[str, Float[np.ndarray, " t"]]) -> dict[str, float]:
    """The whole person's shared error after removing a quadratic function of the positions in both pictures.

    Lens distortion and a fundamental matrix a little off depend on where the person is; the detector's own error does not.
    Fitted to frames still and moving; falls and lying are outside what it was fitted to, and come out too large.
    """
    places, errors, states, weights = [], [], [], []
    for take in takes:
        trunk = [LANDMARKS.index(f"{side}_{part}") for side in ("left", "right") for part in ("shoulder", "hip")]
        place = np.concatenate([view[:, trunk, :2].mean(axis=1) / take.size[0] - 0.5 for view in take.views], axis=1)
        known = np.isfinite(place).all(axis=1) & np.isfinite(shared[take.name])
        places.append(place[known])
        errors.append(shared[take.name][known])
        states.append(take.state[known])
        weights.append(np.full(int(known.sum()), 1 / np.sqrt(max(known.sum(), 1))))
    place, error, state, weight = (np.concatenate(parts) for parts in (places, errors, states, weights))
    i, j = np.triu_indices(4)
    terms = np.column_stack([np.ones(len(place)), place, place[:, i] * place[:, j]])
    upright = (state == "still") | (state == "moving")
    use, rest = upright, error
    for _ in range(5):
        solution = np.linalg.lstsq(terms[use] * weight[use, None], error[use] * weight[use], rcond=None)[0]
        rest = error - terms @ solution
        use = upright & (np.abs(rest) < 3 * spread(rest[upright]))
    return {name: spread(rest[state == name]) for name in STATES}


def _correlation(parts: list[np.ndarray], lag: int) -> float:
    clipped = [np.clip(part, -OUTLIER, OUTLIER) for part in parts if len(part) > lag + 3]
    if not clipped:
        return float("nan")
    products = np.concatenate([(part[lag:] * part[:-lag]).ravel() for part in clipped])
    return float(np.nanmean(products) / np.nanmean(np.concatenate(clipped) ** 2))


def _mean_run(flags: list[np.ndarray]) -> float:
    lengths = [end - start for part in flags for column in part.T for start, end in _runs(column)]
    return float(np.mean(lengths)) if lengths else 0.0


if __name__ == "__main__":
    main()
