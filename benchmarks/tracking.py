"""Identity switches where two people cross: greedy beside optimal assignment, with and without bridging gaps.

    python -m benchmarks.tracking [--seeds 100]

Two walkers of the embedded library cross in one camera's view, near each other in depth. Their joints are spoiled as a
detector's are: jitter that grows with the person, points lost, points of the person behind placed on the person in
front, and the person behind missed for a while during the occlusion. Tracking gets them in the picture (pixels), or in space
(metres, with an error in depth). Identities are known, so every change of id is counted.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from augment.body.model import joints_of, load_body
from augment.geometry import project, turn_about_y
from augment.motion.library.scripted.act import make_action
from augment.reconstruct.watch.track import TrackConfig, track_people
from augment.sources.people.people import People

FPS = 10
WIDTH, HEIGHT = 640, 480
K = np.array([[620.0, 0, 320], [0, 620, 240], [0, 0, 1]])

_PLAIN = TrackConfig(min_frames=1, duplicate=0.0)
ARMS: dict[str, TrackConfig] = {
    "greedy, latest state (thesis)": replace(_PLAIN, assignment="greedy", damping=0.0),
    "greedy, no bridging": replace(_PLAIN, assignment="greedy", max_gap=0),
    "Hungarian, no bridging": replace(_PLAIN, assignment="hungarian", max_gap=0),
    "greedy, bridged": replace(_PLAIN, assignment="greedy"),
    "Hungarian, bridged": replace(_PLAIN, assignment="hungarian"),
}
"""The arms that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Detections of two people who cross, and the truth about them."""

    people: People
    joints: np.ndarray
    """(n, 24, 3) camera frame, metres, as an estimator would give them."""
    who: np.ndarray
    """(n,) 0 or 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: means over the seeds and the half widths of their 95 % intervals."""

    arm: str
    seen_in: str
    """``picture`` or ``space``."""
    switches: tuple[float, float]
    """Changes of id within a person, a sequence."""
    right: tuple[float, float]
    """Share of the detections that carry their person's id, under the best pairing of persons and tracks."""
    tracks: tuple[float, float]
    """Tracks a person; 1 is ideal."""


def walks(count: int, *, rng: np.random.Generator) -> list[np.ndarray]:
    """Joints (t, 24, 3) of straight walks of 4 s, each centred on its own middle and heading along +x."""
    body, result = load_body(), []
    for _ in range(count):
        joints = joints_of(body, make_action("walk", rng=rng, body=body, fps=FPS, seconds=4.0, path="straight", turn=0.0))
        ahead = joints[-1, 0] - joints[0, 0]
        c, s = np.array([ahead[0], ahead[2]]) / np.hypot(ahead[0], ahead[2])
        turned = joints @ np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]).T
        middle = turned[:, 0].mean(axis=0)
        result.append(turned - np.array([middle[0], 0.0, middle[2]]))
    return result


def cross(pool: Sequence[np.ndarray], *, rng: np.random.Generator) -> Crossing:
    """Let two of the walks cross in front of the camera, and add a detector's errors."""
    places = []
    depth = rng.uniform(3.5, 5.0)
    for person, number in enumerate(rng.choice(len(pool), 2, replace=False)):
        turn = (0.0, np.pi)[person] + rng.uniform(-0.4, 0.4)
        shift = np.array([rng.uniform(-0.25, 0.25), 0.0, depth + (person - 0.5) * rng.uniform(0.2, 0.8)])
        places.append(turn_about_y(pool[number], turn) + shift)
    length = min(map(len, places))
    # World (+y up, camera at 2.1 m, looking down 14 degrees) to OpenCV.
    tilt = np.radians(14)
    down = np.array([[1, 0, 0], [0, -np.cos(tilt), -np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    space = np.stack([(p[:length] - np.array([0, 2.1, 0])) @ down.T for p in places])
    picture = project(space, K)
    extent = np.linalg.norm(np.ptp(picture, axis=2), axis=2)
    behind = (space[1, :, 0, 2] > space[0, :, 0, 2]).astype(int)
    apart = np.abs(picture[0, :, 0, 0] - picture[1, :, 0, 0]) / extent.mean(axis=0)
    frames, who, points, joints = [], [], [], []
    drift = rng.normal(0, 0.12, 2)
    hidden = np.zeros(2, bool)
    for t in range(length):
        drift = 0.9 * drift + rng.normal(0, 0.05, 2)
        for person in range(2):
            beside = apart[t] < 0.35
            covered = behind[t] == person and beside
            hidden[person] = (
                rng.random() < (0.9 if hidden[person] else 0.5) if covered else rng.random() < (0.1 if beside else 0.02)
            )
            seen = picture[person, t]
            if hidden[person] or not (0 < seen[0, 0] < WIDTH):
                continue
            spoiled = seen + rng.normal(0, 0.015 * extent[person, t], seen.shape)
            stray = rng.random(24) < (0.25 if covered else 0.02)
            spoiled[stray] = picture[1 - person, t][stray] if covered else spoiled[stray] + rng.normal(0, 25, (stray.sum(), 2))
            spoiled[rng.random(24) < (0.3 if covered else 0.05)] = np.nan
            frames.append(t)
            who.append(person)
            points.append(np.concatenate([spoiled, np.where(np.isfinite(spoiled[:, :1]), 0.8, 0.0)], axis=1))
            # An estimator errs most along the ray, and errors of neighbouring frames are correlated.
            scale = 1 + (drift[person] + (rng.normal(0, 0.1) if covered else 0.0)) / space[person, t, 0, 2]
            joints.append(space[person, t] * scale + rng.normal(0, 0.02, (24, 3)))
    people = People(
        path=Path("crossing"), source="made", frame=np.array(frames), track=np.full(len(frames), -1), layout="smpl24",
        keypoints2d=np.array(points), width=WIDTH, height=HEIGHT, frames=length, fps=float(FPS),
    )  # fmt: skip
    return Crossing(people=people, joints=np.array(joints), who=np.array(who))


def score(truth: Crossing, config: TrackConfig, *, in_space: bool) -> tuple[int, float, float]:
    """ID switches, share of detections with their person's id, tracks a person."""
    tracked, report = track_people(truth.people, config, joints=truth.joints if in_space else None)
    who, track = truth.who[report.rows], tracked.track
    switches = sum(int((np.diff(track[who == person]) != 0).sum()) for person in range(2))
    counts = np.array([[(track[who == p] == i).sum() for i in range(report.tracks)] + [0] for p in range(2)])
    best = max(counts[0, i] + counts[1, j] for i in range(counts.shape[1]) for j in range(counts.shape[1]) if i != j)
    return switches, float(best / len(truth.who)), report.tracks / 2


def measure(seeds: int = 100, *, pool: int = 16) -> list[Row]:
    """All arms on the same crossings."""
    motions = walks(pool, rng=np.random.default_rng(0))
    crossings = [cross(motions, rng=np.random.default_rng([1, seed])) for seed in range(seeds)]
    rows = []
    for in_space in (False, True):
        for arm, config in ARMS.items():
            found = np.array([score(c, config, in_space=in_space) for c in crossings], float)
            mean, half = found.mean(axis=0), 1.96 * found.std(axis=0, ddof=1) / np.sqrt(seeds)
            switches, right, tracks = ((float(m), float(h)) for m, h in zip(mean, half, strict=True))
            rows.append(
                Row(arm=arm, seen_in="space" if in_space else "picture", switches=switches, right=right, tracks=tracks)
            )  # fmt: skip
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| seen in | arm | ID switches a sequence | detections right | tracks a person |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [f"{mean:.2f} ± {half:.2f}" for mean, half in (row.switches, row.right, row.tracks)]
        lines.append(f"| {row.seen_in} | {row.arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=100, help="crossings")
    seeds = parser.parse_args().seeds
    print(f"{seeds} crossings of two people, 4 s at {FPS} frames a second; mean and 95 % interval\n")
    print(table(measure(seeds)))


if __name__ == "__main__":
    main()
