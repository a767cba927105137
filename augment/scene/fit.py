"""Pose-sequence optimisation: all people of a clip, all frames at once, one camera, one shape a person.

    E = reprojection + prior + bend + shape + start + smoothness + feet + floor + overlap        (method.md, section 3)

Three stages: the root (where the body is and how it is turned), then the pose, then everything with contacts and overlaps,
and the camera if it may move. Each stage is one batched problem on torch, minimised by Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..body import Body
from ..geometry import axis_angle_to_matrix, forward_kinematics, matrix_to_axis_angle
from ..priors.state import PoseSequence, Prior
from ..sources.people import People
from ..types import JOINT, Camera, Motion, Obstacle, Surface
from . import fit_terms as terms
from .fit_evidence import Evidence, gather
from .fit_start import betas_of_height, fill_gaps, solve_translation, starting_rotations
from .landmarks import Landmarks, landmarks_of, place_landmarks
from .recovered import Recovered


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """Weights of the energy and how long it is minimised. Terms are in squared standard deviations: 1 is the natural weight."""

    reprojection: float = 1.0
    points3d: float = 0.5
    """The detector's own 3D points, where it gives any: they settle what a single view leaves open, and are often wrong."""
    start: float = 1.5
    """Staying near the bodies the fit started from; counts only where an estimator gave them."""
    shift: float = 0.015
    """Expected distance between a detector's idea of a point and ours, as a share of the stature, for the whole clip."""
    prior: float = 1.0
    bend: float = 0.3
    shape: float = 1.0
    person_height: float | None = None
    """Stature, metres, that people are expected to have; None = any."""
    height_sigma: float = 0.04
    """How far they may be from it, metres."""
    acceleration: float = 0.3
    turning: float = 1.0
    skate: float = 1.0
    hover: float = 1.0
    penetration: float = 1.0
    support: float = 0.3
    """The lowest point of a body touches the floor, unless it is far above it."""
    self_contact: float = 1.0
    people: float = 1.0
    scene: float = 1.0
    iterations: tuple[int, int, int] = (80, 100, 150)
    """Steps of each stage."""
    refine_camera: bool = False
    """Let focal length, pitch and height of the camera move, held by ``camera_sigma``."""
    camera_sigma: tuple[float, float, float] = (0.1, 0.05, 0.05)
    """Expected error of the given focal length (share), pitch (radians) and height (share)."""
    reprojection_scale: tuple[float, float, float] = (8.0, 4.0, 3.0)
    """Where the robust loss of reprojection levels off in each stage, in units of the expected error."""
    frame_scale: float = 20.0
    """Reprojection cost of a frame beyond which it counts ever less."""
    trust_px: float = 0.08
    """A frame whose points are on average this share of the person's stature off is not trusted."""


@dataclass(slots=True)
class _Problem:
    """Everything the energy looks at, as tensors over the long row of frames of all people."""

    chain: terms.Chain
    evidence: list[Evidence]
    landmarks: list[Landmarks]
    rows: list[slice]
    start: Tensor
    start_weight: Tensor
    K: Tensor
    T_world_camera: Tensor
    joints0: Tensor
    joints_basis: Tensor
    height0: float
    height_basis: Tensor
    boxes: terms.Boxes | None
    partner: Tensor
    prior: Prior | None
    contact: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    carried: Tensor = field(default_factory=lambda: torch.zeros(0))


@dataclass(slots=True)
class _Unknowns:
    """What is solved for: turns on top of ``base``, pelvis, shape, log focal, pitch and log height of the camera, and how far a
    detector's idea of each point lies from ours throughout, in the picture, as a share of the stature."""

    base: Tensor
    turn: Tensor
    pelvis: Tensor
    betas: Tensor
    camera: Tensor
    shift: Tensor

    def rotations(self) -> Tensor:
        return self.base @ axis_angle_to_matrix(self.turn)

    def rebase(self) -> None:
        """Take the turns into ``base``: small turns are well conditioned."""
        with torch.no_grad():
            self.base = self.rotations()
            self.turn = torch.zeros_like(self.turn)


def fit_people(
    tracks: Sequence[People | Sequence[People]],
    camera: Camera,
    body: Body,
    *,
    fps: float | Sequence[float],
    prior: Prior | None = None,
    config: FitConfig | None = None,
    videos: Sequence[int] | None = None,
    obstacles: tuple[Obstacle, ...] = (),
    surfaces: tuple[Surface, ...] = (),
    start: Sequence[Recovered] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[list[Recovered], Camera]:
    """Fit bodies to tracked people seen by one fixed camera.

    Args:
        tracks: One table a person (rows of one track), or several tables of the same person (see ``gather``), all through the
            same camera; of one or several videos.
        camera: The calibrated camera in the gravity-aligned world.
        body: Whose shape space is used.
        fps: Of the video, or of each track's video.
        prior: Pose or motion prior; None for none.
        config: Weights.
        videos: Which video each track is from; people of the same video must not overlap in space. None = all one video.
        obstacles: Furniture and walls people are not inside of.
        surfaces: Seats and beds that may carry them.
        start: What an earlier fit of the same tracks found: only the last stage is run, from there.
        progress: Called with stage name, step and number of steps.
    Returns:
        One ``Recovered`` a track, in order; and the camera, refined if the config lets it.
    Raises:
        ValueError: If a track gives nothing to start from; the message names its file.
    """
    config = config or FitConfig()
    rates = [float(fps)] * len(tracks) if isinstance(fps, (int, float)) else [float(rate) for rate in fps]
    numbers = list(videos) if videos is not None else [0] * len(tracks)
    if not tracks:
        return [], camera
    rest = body.rest_joints(np.zeros(10))
    evidence = [gather(track, camera, fps=rate, rest_joints=rest) for track, rate in zip(tracks, rates, strict=True)]
    problem, unknowns = _set_up(evidence, camera, body, prior, config, numbers, obstacles, surfaces)
    if start is not None:
        _take_over(problem, unknowns, start, body)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these tensors are small: a second thread waits more than it works, tenfold on a busy machine
    try:
        stages = _run_stages(problem, unknowns, config, surfaces, start is not None, progress)
    finally:
        torch.set_num_threads(threads)
    final = _camera_of(camera, unknowns)
    posed = _pose(problem, unknowns)
    recovered = [
        _recover(i, track, problem, unknowns, posed, body, final, config, stages, numbers[i]) for i, track in enumerate(tracks)
    ]
    return recovered, final


def _run_stages(
    problem: _Problem, unknowns: _Unknowns, config: FitConfig, surfaces: tuple[Surface, ...], last_only: bool,
    progress: Callable[[str, int, int], None] | None,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """All stages in order; what each energy term came to at the end of each."""
    stages: dict[str, dict[str, float]] = {}
    for number, name in enumerate(("root", "pose", "all")):
        if last_only and number < 2:
            continue
        if number:
            problem.contact, problem.carried = _contacts(problem, unknowns, surfaces)
        report = None if progress is None else lambda step, name=name, n=number: progress(name, step, config.iterations[n])
        stages[name] = _minimise(problem, unknowns, config, number, report)
    return stages


def _set_up(
    evidence: list[Evidence], camera: Camera, body: Body, prior: Prior | None, config: FitConfig, videos: list[int],
    obstacles: tuple[Obstacle, ...], surfaces: tuple[Surface, ...],
) -> tuple[_Problem, _Unknowns]:  # fmt: skip
    betas0 = betas_of_height(body, config.person_height or 1.70)
    landmarks = [_marks(body, item.layout) for item in evidence]
    ends = np.cumsum([0, *(len(item.frames) for item in evidence)])
    rows = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    base = torch.cat([_started(item, camera, marks, body, betas0) for item, marks in zip(evidence, landmarks, strict=True)])
    person = torch.repeat_interleave(torch.arange(len(evidence)), torch.as_tensor(np.diff(ends)))
    fps = torch.tensor([item.fps for item in evidence], dtype=torch.float32)[person]
    mean = body.rest_joints(np.zeros(10))
    basis = np.stack([body.rest_joints(row) - mean for row in np.eye(10)], axis=-1)
    heights = np.array([body.height(row) for row in np.eye(10)]) - body.height(np.zeros(10))
    problem = _Problem(
        chain=terms.Chain(person, fps), evidence=evidence, landmarks=landmarks, rows=rows, start=base.clone(),
        start_weight=torch.cat([_start_weight(item) for item in evidence]), K=torch.as_tensor(camera.K, dtype=torch.float32),
        T_world_camera=torch.as_tensor(camera.T_world_camera, dtype=torch.float32),
        joints0=torch.tensor(mean, dtype=torch.float32), joints_basis=torch.as_tensor(basis, dtype=torch.float32),
        height0=body.height(np.zeros(10)), height_basis=torch.as_tensor(heights, dtype=torch.float32),
        boxes=terms.boxes_of(obstacles, surfaces), partner=_partners(evidence, rows, videos), prior=prior,
    )  # fmt: skip
    problem.contact, problem.carried = torch.zeros(len(base), 4), torch.zeros(len(base))
    unknowns = _Unknowns(
        base=base, turn=torch.zeros(len(base), 24, 3), pelvis=torch.zeros(len(base), 3),
        betas=torch.as_tensor(betas0, dtype=torch.float32).repeat(len(evidence), 1), camera=torch.zeros(3),
        shift=torch.zeros(len(evidence), max(len(marks.names) for marks in landmarks), 2),
    )  # fmt: skip
    unknowns.pelvis = _first_places(problem, unknowns, camera)
    return problem, unknowns


def _started(item: Evidence, camera: Camera, marks: Landmarks, body: Body, betas: np.ndarray) -> Tensor:
    try:
        return starting_rotations(item, camera, marks, body, betas)
    except ValueError as error:
        raise ValueError(f"{item.name}, frames {item.frames[0]} to {item.frames[-1]}: {error}") from error


def _take_over(problem: _Problem, unknowns: _Unknowns, start: Sequence[Recovered], body: Body) -> None:
    """Put an earlier result in place of the rough start."""
    for i, (person, rows) in enumerate(zip(start, problem.rows, strict=True)):
        motion = person.motion
        pose = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
        unknowns.base[rows] = axis_angle_to_matrix(_tensor(pose))
        unknowns.pelvis[rows] = _tensor(motion.transl + body.rest_joints(motion.betas)[0])
        unknowns.betas[i] = _tensor(motion.betas)


def depth_in_boxes(person: Recovered, obstacles: tuple[Obstacle, ...], surfaces: tuple[Surface, ...]) -> float:
    """How deep somebody sticks in furniture or walls in the worst tenth of the frames, metres."""
    boxes = terms.boxes_of(obstacles, surfaces)
    if boxes is None:
        return 0.0
    depth = terms.box_depth(terms.body_balls(_tensor(person.joints)), boxes).amax((0, 2))
    return float(torch.quantile(depth, 0.9))


def _marks(body: Body, layout: str) -> Landmarks:
    if layout:
        return landmarks_of(body, layout)
    empty = np.zeros((0, 3))
    return Landmarks(names=(), joint=np.zeros(0, int), base=empty, basis=np.zeros((0, 3, 10)), sigma=np.zeros(0))


def _start_weight(item: Evidence) -> Tensor:
    weight = torch.zeros(len(item.frames))
    if item.bodies is not None:
        weight[torch.as_tensor(item.body_rows)] = 1.0
    return weight


def _partners(evidence: list[Evidence], rows: list[slice], videos: list[int]) -> Tensor:
    """Pairs of rows that show two people of one video in the same frame."""
    pairs = []
    for i in range(len(evidence)):
        for j in range(i):
            if videos[i] == videos[j]:
                _, a, b = np.intersect1d(evidence[i].frames, evidence[j].frames, return_indices=True)
                pairs.append(np.stack([a + rows[i].start, b + rows[j].start], axis=1))
    return torch.as_tensor(np.concatenate(pairs) if pairs else np.zeros((0, 2), int))


def _first_places(problem: _Problem, unknowns: _Unknowns, camera: Camera) -> Tensor:
    """Pelvis in every frame from the points' projection, else from the estimator's own translation; world, metres."""
    posed = _pose(problem, unknowns)
    R = problem.T_world_camera[:3, :3]
    places = []
    for item, marks, rows in zip(problem.evidence, problem.landmarks, problem.rows, strict=True):
        betas = unknowns.betas[0]
        joints = posed["joints"][rows] - posed["joints"][rows][:, :1]
        points, uv, weights = place_landmarks(marks, joints, posed["worlds"][rows], betas), item.uv, item.weight
        if item.own_uv is not None and item.own_weight is not None:
            points = torch.cat([points, joints], dim=1)
            uv, weights = np.concatenate([uv, item.own_uv], 1), np.concatenate([weights, item.own_weight], 1)
        local = solve_translation(points @ R, uv, weights, camera.K).numpy().astype(float)
        weight = weights.sum(axis=1)
        filled = torch.as_tensor(fill_gaps(local, weight), dtype=torch.float32)
        places.append(filled @ R.T + problem.T_world_camera[:3, 3])
    return torch.cat(places)


def _pose(problem: _Problem, unknowns: _Unknowns) -> dict[str, Tensor]:
    """Joints, their world rotations, and the relative rotations, for the unknowns as they are."""
    rotations = unknowns.rotations()
    rest = problem.joints0 + torch.einsum("jcb,pb->pjc", problem.joints_basis, unknowns.betas)
    joints, worlds = forward_kinematics(rotations, rest[problem.chain.person])
    joints = joints - joints[:, :1] + unknowns.pelvis[:, None]
    return {"rotations": rotations, "joints": joints, "worlds": worlds}


def _view(problem: _Problem, unknowns: _Unknowns) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation and place of the camera in the world, and K, with the refinement in."""
    focal, pitch, height = unknowns.camera
    zero = torch.zeros(())
    turn = axis_angle_to_matrix(torch.stack([-pitch, zero, zero]))
    R = problem.T_world_camera[:3, :3] @ turn
    at = problem.T_world_camera[:3, 3] * torch.stack([torch.ones(()), torch.exp(height), torch.ones(())])
    K = torch.stack([
        torch.stack([problem.K[0, 0] * torch.exp(focal), zero, problem.K[0, 2]]),
        torch.stack([zero, problem.K[1, 1] * torch.exp(focal), problem.K[1, 2]]),
        torch.tensor([0.0, 0.0, 1.0]),
    ])  # fmt: skip
    return R, at, K


def _energy(problem: _Problem, unknowns: _Unknowns, config: FitConfig, stage: int) -> dict[str, Tensor]:
    """Every term, weighted, summed over frames and divided by their number."""
    posed = _pose(problem, unknowns)
    R, at, K = _view(problem, unknowns)
    joints, rotations, chain = posed["joints"], posed["rotations"], problem.chain
    count = len(joints)
    energy: dict[str, Tensor] = {"reprojection": joints.new_zeros(())}
    for i, (item, marks, rows) in enumerate(zip(problem.evidence, problem.landmarks, problem.rows, strict=True)):
        points = place_landmarks(marks, joints[rows], posed["worlds"][rows], unknowns.betas[i])
        stature = (K[0, 0] * 1.7 / ((joints[rows, 0].detach() - at) @ R)[:, 2].clamp_min(0.3)).detach()
        scale = config.reprojection_scale[stage]
        sigma = stature[:, None] * _tensor(marks.sigma)
        uv = _pixels(points, R, at, K) + unknowns.shift[i, : len(marks.names)] * stature[:, None, None]
        cost = terms.reprojection(uv, _tensor(item.uv), _tensor(item.weight), sigma, scale)
        if item.own_uv is not None and item.own_weight is not None:
            uv = _pixels(joints[rows], R, at, K)
            sigma = 0.03 * stature[:, None].expand(-1, 24)
            cost = cost + terms.reprojection(uv, _tensor(item.own_uv), _tensor(item.own_weight), sigma, scale)
        # a frame in which most points are off (a detector in mid-fall) is believed less as a whole
        cost = config.frame_scale * torch.log1p(cost / config.frame_scale)
        energy["reprojection"] = energy["reprojection"] + config.reprojection * cost.sum() / count
        if item.points3d is not None and item.weight3d is not None:
            cost = terms.relative_points(points @ R, _tensor(item.points3d), _tensor(item.weight3d), 0.08)
            energy["points3d"] = energy.get("points3d", 0) + config.points3d * cost.sum() / count
    # What holds for a whole clip counts as ten frames' worth, as frames next to each other err alike; and never less than a
    # tenth, as a detector also errs alike through a whole clip, however long.
    lasting = max(10 / count, 0.1)
    energy["shift"] = (unknowns.shift**2).sum() / config.shift**2 * lasting
    energy["acceleration"] = config.acceleration * terms.acceleration(joints, chain, 4.0).mean() * 24 / 4
    energy["turning"] = config.turning * terms.turning(rotations, chain, 60.0).mean()
    if problem.start_weight.any():
        sigma = torch.full((24,), 0.2)
        sigma[0] = 0.15
        energy["start"] = config.start * (problem.start_weight * terms.turned_from(rotations, problem.start, sigma)).mean()
    if stage >= 1:
        energy["bend"] = config.bend * terms.bend(rotations).mean()
        energy["shape"] = config.shape * (unknowns.betas**2).sum() / 4 * lasting
        if config.person_height is not None:
            height = problem.height0 + unknowns.betas @ problem.height_basis
            off = (height - config.person_height) / config.height_sigma
            energy["shape"] = energy["shape"] + (off**2).sum() * lasting
        if problem.prior is not None:
            energy["prior"] = config.prior * _prior_energy(problem, posed)
    # The floor speaks from the first stage on: where the picture leaves depth open, it is the floor that settles it, and it
    # must settle the root before the pose can bend to it.
    balls = terms.body_balls(joints)
    unit = (0.08, 0.04, 0.02)[stage]
    energy["penetration"] = config.penetration * terms.floor_penetration(balls, unit).mean()
    energy["support"] = config.support * terms.unsupported(balls, (0.2, 0.1, 0.05)[stage], (1.5, 1.5, 3.0)[stage]).mean()
    energy["hover"] = config.hover * terms.hover(joints, problem.contact, problem.carried, unit).mean()
    energy["skate"] = config.skate * terms.foot_skate(joints, problem.contact, chain).mean()
    if stage == 2:
        energy["self_contact"] = config.self_contact * terms.self_contact(balls).mean()
        if len(problem.partner):
            energy["people"] = config.people * terms.between_people(balls, problem.partner).sum() / count
        if problem.boxes is not None:
            energy["scene"] = config.scene * terms.inside_boxes(balls, problem.boxes).mean()
    if config.refine_camera:
        # the camera is one for all frames: its prior counts as one observation, not one a frame
        energy["camera"] = ((unknowns.camera / torch.tensor(config.camera_sigma)) ** 2).sum() / count * 10
    return energy


def _pixels(points: Tensor, R_world_camera: Tensor, at: Tensor, K: Tensor) -> Tensor:
    """Project world points; those behind the camera end up far outside the picture."""
    local = (points - at) @ R_world_camera
    z = local[..., 2].clamp_min(0.1)
    return torch.stack([local[..., 0] / z * K[0, 0] + K[0, 2], local[..., 1] / z * K[1, 1] + K[1, 2]], dim=-1)


def _prior_energy(problem: _Problem, posed: dict[str, Tensor]) -> Tensor:
    """Mean over frames of the prior's energy, person by person (a motion prior looks at neighbours)."""
    assert problem.prior is not None
    total = posed["joints"].new_zeros(())
    for item, rows in zip(problem.evidence, problem.rows, strict=True):
        sequence = PoseSequence(rotations=posed["rotations"][rows], joints=posed["joints"][rows], fps=item.fps)
        total = total + problem.prior.energy(sequence).sum()
    return total / len(posed["joints"])


def _minimise(
    problem: _Problem, unknowns: _Unknowns, config: FitConfig, stage: int, report: Callable[[int], None] | None
) -> dict[str, float]:
    """Adam with a rate that rises and falls, on a pyramid in time.

    Turns and pelvis are sums of a value a frame and of values every few frames, interpolated: what smoothness ties together
    (where a person is for seconds) moves as one, and settles in tens of steps instead of thousands.
    """
    unknowns.rebase()
    turns = torch.ones(24, 1)
    turns[[JOINT["left_hand"], JOINT["right_hand"]]] = 0.0  # no landmark says how a fist turns
    if stage == 0:
        turns[1:] = 0.0
    pyramid = _pyramid(problem)
    names = ("turn", "pelvis", "betas", "camera", "shift")
    start = [getattr(unknowns, name).clone() for name in names]
    free = [torch.zeros_like(tensor, requires_grad=True) for tensor in start]
    coarse = [torch.zeros(pyramid.shape[1], *start[k].shape[1:], requires_grad=True) for k in (0, 1)]
    rates = (0.03, 0.02, 0.03 if stage else 0.0, 0.004 if config.refine_camera else 0.0,
             0.002 if stage else 0.0, 0.02, 0.02)  # fmt: skip
    steps = config.iterations[stage]
    groups: list[dict[str, Any]] = [{"params": [f], "lr": r} for f, r in zip([*free, *coarse], rates, strict=True)]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, list(rates), total_steps=steps + 1, pct_start=0.1)

    def assign() -> None:
        for k, (name, first, move) in enumerate(zip(names, start, free, strict=True)):
            whole = first + move
            if k < 2:
                whole = whole + torch.tensordot(pyramid, coarse[k], dims=1)
            setattr(unknowns, name, whole * turns if name == "turn" else whole)

    for step in range(steps):
        optimiser.zero_grad()
        assign()
        torch.stack(list(_energy(problem, unknowns, config, stage).values())).sum().backward()
        optimiser.step()
        schedule.step()
        if report is not None:
            report(step + 1)
    with torch.no_grad():
        assign()
        for name in names:
            setattr(unknowns, name, getattr(unknowns, name).detach())
        return {name: float(value) for name, value in _energy(problem, unknowns, config, stage).items()}


def _pyramid(problem: _Problem) -> Tensor:
    """Interpolation from knots every 4, 16 and 64 frames of each person to all frames. Shape (t, knots)."""
    columns = []
    for rows in problem.rows:
        count = rows.stop - rows.start
        for stride in (4, 16, 64):
            if count < 2 * stride:
                continue
            knots = np.linspace(0, count - 1, count // stride + 1)
            hats = np.stack([np.interp(np.arange(count), knots, unit) for unit in np.eye(len(knots))], axis=1)
            column = np.zeros((problem.rows[-1].stop, len(knots)))
            column[rows] = hats
            columns.append(column)
    whole = np.concatenate(columns, axis=1) if columns else np.zeros((problem.rows[-1].stop, 0))
    return torch.as_tensor(whole, dtype=torch.float32)


def _contacts(problem: _Problem, unknowns: _Unknowns, surfaces: tuple[Surface, ...]) -> tuple[Tensor, Tensor]:
    """How surely each ankle and foot stands, 0..1, from its speed and height so far; and the height of what is under it."""
    with torch.no_grad():
        joints = _pose(problem, unknowns)["joints"]
    contact = torch.zeros(len(joints), 4)
    for item, rows in zip(problem.evidence, problem.rows, strict=True):
        feet = joints[rows][:, list(terms.FEET)].numpy().astype(float)
        if len(feet) < 2:
            continue
        speed = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * item.fps
        height = feet[..., 1] - np.array(terms.SOLE)
        sure = 1 / (1 + np.exp((speed - 0.45) / 0.1)) / (1 + np.exp((height - 0.2) / 0.04))
        contact[rows] = torch.as_tensor(sure, dtype=torch.float32)
    return contact, torch.zeros(len(joints))


def _camera_of(camera: Camera, unknowns: _Unknowns) -> Camera:
    focal, pitch, height = (float(value) for value in unknowns.camera)
    if not (focal or pitch or height):
        return camera
    K, T = camera.K.copy(), camera.T_world_camera.copy()
    K[0, 0] *= np.exp(focal)
    K[1, 1] *= np.exp(focal)
    turn = axis_angle_to_matrix(torch.tensor([-pitch, 0.0, 0.0], dtype=torch.float64)).numpy()
    T[:3, :3] = T[:3, :3] @ turn
    T[1, 3] *= np.exp(height)
    return replace(camera, K=K, T_world_camera=T)


def _recover(
    index: int, track: People | Sequence[People], problem: _Problem, unknowns: _Unknowns, posed: dict[str, Tensor], body: Body,
    camera: Camera, config: FitConfig, stages: dict[str, dict[str, float]], video: int,
) -> Recovered:  # fmt: skip
    item, rows = problem.evidence[index], problem.rows[index]
    first = track if isinstance(track, People) else track[0]
    betas = unknowns.betas[index].numpy().astype(float)
    pose = matrix_to_axis_angle(posed["rotations"][rows].double()).numpy()
    joints = posed["joints"][rows].numpy().astype(float)
    motion = Motion(
        global_orient=pose[:, 0], body_pose=pose[:, 1:], transl=joints[:, 0] - body.rest_joints(betas)[0], betas=betas,
        fps=item.fps, name=f"v{video}_p{index}", source=first.path.name, provenance={"fitted_from": first.source},
    )  # fmt: skip
    points = place_landmarks(
        problem.landmarks[index], posed["joints"][rows], posed["worlds"][rows], unknowns.betas[index]
    ).numpy().astype(float)  # fmt: skip
    local = (points - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, :3]
    z = np.maximum(local[..., 2], 0.05)
    fitted = np.stack([local[..., k] / z * camera.K[k, k] + camera.K[k, 2] for k in (0, 1)], axis=-1)
    error = np.linalg.norm(fitted - item.uv, axis=-1)
    total = item.weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        reprojection = np.where(total > 0.5, (item.weight * error).sum(axis=1) / total, np.nan)
    observed2d = np.concatenate([item.uv, item.weight[..., None]], axis=-1)
    observed2d[item.weight <= 0, :2] = np.nan
    depth = (joints[:, 0] - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]
    stature_px = camera.K[0, 0] * body.height(betas) / np.maximum(depth, 0.1)
    return Recovered(
        video=video, track=int(first.track[0]), person_class="person", frames=item.frames, observed=item.observed,
        motion=motion, joints=joints, layout=item.layout, observed2d=observed2d, fitted2d=fitted, reprojection_px=reprojection,
        contact=problem.contact[rows].numpy().astype(float), height_m=body.height(betas), stages=stages,
        rejected=_rejected(item, reprojection / stature_px, depth, config),
    )  # fmt: skip


def _rejected(item: Evidence, off: np.ndarray, depth: np.ndarray, config: FitConfig) -> tuple[tuple[int, int, str], ...]:
    """Stretches of frames that are not to be believed, with reasons."""
    reasons: list[tuple[np.ndarray, str]] = [
        (np.nan_to_num(off, nan=0.0) > config.trust_px, f"points more than {config.trust_px:.0%} of the stature off"),
        (np.asarray(depth < 0.4), "behind or at the camera"),
        (_long_gaps(item.observed, round(item.fps)), "not seen for more than a second"),
    ]
    found = []
    for bad, reason in reasons:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(int), [0]])))
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            found.append((int(item.frames[a]), int(item.frames[b - 1]) + 1, reason))
    return tuple(sorted(found))


def _long_gaps(observed: np.ndarray, longest: int) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[1], observed.astype(int), [1]])))
    gap = np.zeros(len(observed), bool)
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        gap[a:b] = b - a > longest
    return gap


def _tensor(array: np.ndarray) -> Any:
    return torch.as_tensor(array, dtype=torch.float32)
