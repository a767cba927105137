"""From what a fall starts: the body's shape, the posture and speed, the chair sat on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....body.model import Body, sample_betas
from ....types import JOINT, Motion
from ...resample import resample
from .humanoid import CHAIR, Chair, Humanoid, build_humanoid, load_mujoco
from .labels import start_segments
from .poses import sitting_start, standing_start, walking_start
from .state import motion_to_qpos, state_joints

STARTS = {"stand": standing_start, "walk": walking_start, "sit": sitting_start}
"""Starts made here when the caller brings none."""

_WALKING_SHARE = {"trip": 0.8, "slip": 0.5, "push": 0.3, "give_way": 0.35}
_WALKING_ODDS = {"fall_sideways": 0.4, "fall_backward": 0.6}


DEEPEST_SEAT_M = 0.04
"""How far a seat may give way under a sitter; what lies deeper in it passes through, metres."""


def shape_of(body: Body, betas: np.ndarray | None, start: Motion | None, rng: np.random.Generator) -> np.ndarray:
    if start is not None and betas is not None and not np.allclose(start.betas, betas):
        raise ValueError("start: made for another body shape than betas; bring it over with motion.retarget.to_shape first")
    if betas is not None:
        return np.asarray(betas, float)
    if start is not None:
        return np.asarray(start.betas, float)
    return sample_betas(body, rng=rng)


def ready_to_fall(
    kind: str,
    cause: str,
    body: Body,
    betas: np.ndarray,
    start: Motion | None,
    rng: np.random.Generator,
    fps: float,
    longest: float,
) -> tuple[Humanoid, Motion]:
    """The humanoid, with a chair where it sits on one, and the end of the motion it starts from, at ``fps``."""
    seconds = float(rng.uniform(0.3, longest))
    if start is None:
        walking = rng.random() < _WALKING_SHARE[cause] * _WALKING_ODDS.get(kind, 1.0)
        made = STARTS["sit" if kind == "fall_from_chair" else "walk" if walking else "stand"]
        human = build_humanoid(body, betas)
        start = made(human, rng=rng, fps=fps, seconds=seconds)
    else:
        if len(start) < 2:
            raise ValueError("start: a fall needs at least 2 frames to know the speed, found 1")
        if start.fps != fps:
            start = resample(start, fps)
        start = _last_frames(start, max(round(seconds * fps), 2))
        human = build_humanoid(body, betas)
    chair = None
    if kind == "fall_from_chair":
        if start.support != "chair" or start.support_center is None:
            raise ValueError(f"start: fall_from_chair needs a motion sitting on a chair, found support {start.support!r}")
        chair = Chair(height=start.support_height, center=start.support_center, yaw=start.support_yaw)
    last = motion_to_qpos(human, start)[-1]
    overlaps = _overlaps(human, last)
    if chair is not None:
        seated = build_humanoid(body, betas, chair=chair, skip_pairs=overlaps)
        chair, stuck = _fitted(seated, last, chair)
        overlaps |= stuck
    if chair is not None or overlaps:
        human = build_humanoid(body, betas, chair=chair, skip_pairs=overlaps)
    return human, start


def _last_frames(start: Motion, frames: int) -> Motion:
    cut = max(len(start) - frames, 0)
    segments = start_segments(start, len(start) - cut, start.fps)
    return replace(start.take(slice(cut, None)), segments=segments)


def swinging_foot(human: Humanoid, start: Motion, otherwise: str) -> str:
    """The foot that moves faster at the start's end; ``otherwise`` when both stand."""
    joints = state_joints(human, motion_to_qpos(human, start)[-2:])
    speed = {
        side: float(np.linalg.norm(np.diff(joints[:, JOINT[f"{side}_ankle"]], axis=0)) * start.fps)
        for side in ("left", "right")
    }
    fastest = max(speed, key=lambda side: speed[side])
    return fastest if speed[fastest] > 0.3 else otherwise


def _overlaps(human: Humanoid, qpos: np.ndarray) -> frozenset[tuple[int, int]]:
    """Pairs of SMPL joints whose parts overlap in a state: they may not push each other apart at release."""
    mujoco = load_mujoco()
    data = mujoco.MjData(human.model)
    data.qpos[:] = qpos
    mujoco.mj_forward(human.model, data)
    joint = {int(body): index for index, body in enumerate(human.body_id)}
    pairs = set()
    for geoms, distance in zip(data.contact.geom, data.contact.dist, strict=True):
        first, second = (joint.get(int(human.model.geom_bodyid[geom]), -1) for geom in geoms)
        if min(first, second) >= 0 and distance < -0.004:
            pairs.add((min(first, second), max(first, second)))
    return frozenset(pairs)


def _fitted(human: Humanoid, qpos: np.ndarray, chair: Chair) -> tuple[Chair, frozenset[tuple[int, int]]]:
    """The chair lowered to carry the sitter where the start has it, and parts too deep in it to be pushed out at release."""
    mujoco = load_mujoco()
    data = mujoco.MjData(human.model)
    data.qpos[:] = qpos
    mujoco.mj_forward(human.model, data)
    node = human.model.body("chair").id
    joint = {int(body): index for index, body in enumerate(human.body_id)}
    lower, stuck = 0.0, set()
    for geoms, distance in zip(data.contact.geom, data.contact.dist, strict=True):
        bodies = [int(human.model.geom_bodyid[geom]) for geom in geoms]
        if node not in bodies:
            continue
        if -distance > DEEPEST_SEAT_M:
            stuck.add((joint[bodies[1 - bodies.index(node)]], CHAIR))
        else:
            lower = max(lower, -float(distance))
    return replace(chair, height=chair.height - lower), frozenset(stuck)
