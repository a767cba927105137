"""One video with its people: detections read, checked and tracked, keypoints and bodies of a person matched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from ...body.landmarks import landmarks_of, place_landmarks
from ...body.model import Body
from ...geometry import axis_angle_to_matrix, forward_kinematics, project_clamped
from ...sources.people.hmr import read_hmr
from ...sources.people.keypoints import read_keypoints, to_mediapipe
from ...sources.people.mediapipe import LANDMARKS, Keypoints
from ...sources.people.people import LAYOUTS, People
from ...sources.video import VideoInfo, probe
from .checks import require_belonging, require_same_video, require_upright
from .stillness import people_masks, require_still, sample_frames
from .track import TrackConfig, track_people, vote_class

_ALONE = 1.0
"""Largest jump from frame to frame of the only person detected, body extents; more is somebody else."""
_SAME_PERSON = 0.35
"""Keypoints and bodies farther apart than this share of the person's extent are of different people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedVideo:
    """A video and the people tracked in it."""

    info: VideoInfo
    people: tuple[tuple[People, ...], ...]
    """For each person their tables: keypoints, bodies, or both."""
    classes: tuple[str, ...]
    """Class of each person, voted over the track."""
    outlines: tuple[Keypoints, ...]
    """Each person's points in MediaPipe's layout, for calibration and masks."""
    counts: dict[str, int] = field(default_factory=dict)
    """Numbers of dropped or corrected detections, by reason."""


def track_of(tables: tuple[People, ...]) -> int:
    """Track number of one person's tables; unique within a video."""
    return int(tables[0].track[0])


def track_video(
    video: Path, *, keypoints: Path | People | None, hmr: Path | None, body: Body, focal: float | None = None,
    tracking: TrackConfig | None = None,
) -> TrackedVideo:  # fmt: skip
    """Read, check and track a video's detections.

    Args:
        video: The file.
        keypoints: Detections of a 2D detector: a file, or its table.
        hmr: File of an estimator's bodies.
        body: For the outline of an estimator's bodies.
        focal: Focal length of the camera, pixels, where it is known.
        tracking: Options of ``track_people``.
    Raises:
        ValueError: If a file cannot be used, belongs to another video, the camera moves, or the video is rotated.
    """
    info = probe(video)
    size = {"width": info.width, "height": info.height}
    counts: dict[str, int] = {}
    points = bodies = None
    if keypoints is not None:
        points = keypoints if isinstance(keypoints, People) else read_keypoints(keypoints, **size)
        points = _tracked(points, info, counts, tracking, trust=False)
    if hmr is not None:
        bodies = _tracked(read_hmr(hmr, focal=focal, **size), info, counts, tracking, trust=True)
    seen = points if points is not None else None if bodies is None else bodies_as_points(bodies, body)
    _check_video(info, seen)
    persons = _pair_tables(points, bodies, body)
    outlines = []
    for person in persons:
        first = person[0] if person[0].keypoints2d is not None else bodies_as_points(person[0], body)
        outlines.append(to_mediapipe(first, frames=info.frames, width=info.width, height=info.height, fps=info.fps))
    return TrackedVideo(
        info=info, people=persons, classes=tuple(_class_of(person) for person in persons), outlines=tuple(outlines),
        counts=counts,
    )  # fmt: skip


def _tracked(people: People, info: VideoInfo, counts: dict[str, int], config: TrackConfig | None, *, trust: bool) -> People:
    require_same_video(info, people)
    config = config or TrackConfig(max_gap=round(2 * info.fps), min_frames=max(5, round(0.4 * info.fps)))
    if config.max_cost is None and people.keypoints2d is not None and len(np.unique(people.frame)) == len(people):
        # a single person can only be confused with bystanders, and detections jitter in a fall
        config = replace(config, max_cost=_ALONE)
    tracked, report = track_people(people, replace(config, trust_ids=trust))
    for name, reason in (
        ("duplicates", "the same person twice in a frame"), ("short_rows", "in a track too short to fit"),
        ("unplaceable", "without a single point"), ("split_ids", "ids that held two people, split"),
        ("gap_frames", "frames bridged over a gap"),
    ):  # fmt: skip
        if getattr(report, name):
            counts[reason] = counts.get(reason, 0) + getattr(report, name)
    if not len(tracked):
        raise ValueError(
            f"{people.path}: nobody is followed for {config.min_frames} frames or more: all {len(people)} detections are too "
            "scattered to be one person's; run the detector on every frame, or lower min_frames"
        )
    return tracked


def _check_video(info: VideoInfo, people: People | None) -> None:
    """Refuse a moving camera, a rotated video, and detections of another video."""
    sampled = sample_frames(info.path)
    masks = None if people is None else people_masks(sampled, people)
    require_still(sampled, masks)
    if people is not None:
        require_upright(people)
        require_belonging(sampled, people)


def _class_of(person: tuple[People, ...]) -> str:
    named = [vote_class(table)[0] for table in person if table.class_probabilities is not None]
    return named[0] if named else "person"


def bodies_as_points(bodies: People, body: Body) -> People:
    """MediaPipe's landmarks of an estimator's bodies, projected into the picture.

    Raises:
        ValueError: If the bodies have no translation or no focal length.
    """
    if bodies.transl is None or bodies.K is None or bodies.global_orient is None or bodies.body_pose is None:
        raise ValueError(
            f"{bodies.path}: {bodies.source}: bodies without a place in the picture; give --keypoints as well, or --focal"
        )
    pose = np.concatenate([bodies.global_orient[:, None], bodies.body_pose], axis=1)
    points = posed_landmarks(body, np.zeros(10), pose, bodies.transl)
    uv = project_clamped(points, bodies.K, nearest=0.05)
    sure = np.full((*uv.shape[:2], 1), 0.9)
    return replace(bodies, layout="mediapipe33", keypoints2d=np.concatenate([uv, sure], axis=-1), keypoints3d=None)


def posed_landmarks(body: Body, betas: np.ndarray, pose: np.ndarray, transl: np.ndarray) -> Float[np.ndarray, "n 33 3"]:
    """MediaPipe's landmarks on a body in poses (n, 24, 3), radians, at translations (n, 3), metres; in their frame."""
    shape = torch.as_tensor(betas, dtype=torch.float32)
    rest = torch.tensor(body.rest_joints(betas), dtype=torch.float32)
    joints, worlds = forward_kinematics(axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float32)), rest)
    joints = joints + torch.as_tensor(transl, dtype=torch.float32)[:, None]
    return place_landmarks(landmarks_of(body, "mediapipe33"), joints, worlds, shape).numpy().astype(float)


def _pair_tables(points: People | None, bodies: People | None, body: Body) -> tuple[tuple[People, ...], ...]:
    """Tables of each person: keypoint tracks and body tracks are paired by their distance in the picture."""
    if points is None or bodies is None:
        table = points if points is not None else bodies
        return () if table is None else tuple((table.take(table.track == n),) for n in np.unique(table.track))
    projected = bodies_as_points(bodies, body) if bodies.transl is not None and bodies.K is not None else None
    point_tracks, body_tracks = np.unique(points.track), np.unique(bodies.track)
    cost = np.full((len(point_tracks), len(body_tracks)), 1e3)
    for i, p in enumerate(point_tracks):
        for j, b in enumerate(body_tracks):
            if projected is not None:
                cost[i, j] = _distance(points.take(points.track == p), projected.take(projected.track == b))
    if projected is None and cost.size == 1:
        cost[:] = 0.0  # bodies without a translation: the only body track belongs to the only person
    pairs = {int(i): int(j) for i, j in zip(*linear_sum_assignment(cost), strict=True) if cost[i, j] < _SAME_PERSON}
    persons = []
    for i, p in enumerate(point_tracks):
        mine = (points.take(points.track == p),)
        persons.append((*mine, bodies.take(bodies.track == body_tracks[pairs[i]])) if i in pairs else mine)
    highest = int(point_tracks.max())
    for j, b in enumerate(body_tracks):
        if j not in pairs.values() and projected is not None:
            highest += 1
            alone = bodies.take(bodies.track == b)
            persons.append((replace(alone, track=np.full(len(alone), highest)),))
    return tuple(persons)


def _distance(points: People, projected: People) -> float:
    """Median distance between the same points, as a share of the person's extent; 1000 with fewer than three common frames."""
    frames, a, b = np.intersect1d(points.frame, projected.frame, return_indices=True)
    if len(frames) < 3:
        return 1e3
    names = [name for name in LAYOUTS[points.layout] if name in LANDMARKS]
    one = np.stack([points.point(name)[a] for name in names], axis=1)
    other = np.stack([projected.point(name)[b] for name in names], axis=1)
    extent = np.maximum(np.ptp(other[..., :2], axis=1).max(axis=-1), 10.0)
    away: Float[np.ndarray, "n k"] = np.linalg.norm(one[..., :2] - other[..., :2], axis=-1) / extent[:, None]
    return float(np.nanmedian(away)) if np.isfinite(away).any() else 1e3
