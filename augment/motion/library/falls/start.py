"""The start of a fall: body shape, posture and velocity, and the chair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ....body.model import Body
from ....body.shapes import sample_betas
from ....types import JOINT, Motion
from ...resample import resample
from .humanoid import CHAIR, Chair, Humanoid, build_humanoid, load_mujoco
from .labels import start_segments
from .plan import FallRequest
from .poses import sitting_start, standing_start, walking_start
from .state import motion_to_qpos, state_joints

STARTS = {"stand": standing_start, "walk": walking_start, "sit": sitting_start}
"""Starts by name, for requests without one."""

_WALKING_SHARE = {"trip": 0.8, "slip": 0.5, "push": 0.3, "give_way": 0.35}
_WALKING_ODDS = {"fall_sideways": 0.4, "fall_backward": 0.6}

DEEPEST_SEAT_M = 0.04
"""Largest penetration of the seat, metres, that lowers the seat; parts that are deeper do not collide with it."""


def shape_of(request: FallRequest, body: Body, rng: np.random.Generator) -> np.ndarray:
    """The requested body shape, the start's, or a drawn one.

    Raises:
        ValueError: If the start was made for another shape than the requested one.
    """
    betas, start = request.betas, request.start
    if start is not None and betas is not None and not np.allclose(start.betas, betas):
        raise ValueError("start: made for another body shape than betas; bring it over with motion.reshape.to_shape first")
    if betas is not None:
        return np.asarray(betas, float)
    if start is not None:
        return np.asarray(start.betas, float)
    return sample_betas(body, rng=rng)


def prepare_start(request: FallRequest, body: Body, *, longest: float, rng: np.random.Generator) -> tuple[Humanoid, Motion]:
    """Build the humanoid, with its chair if it sits on one, and the motion before the fall.

    Args:
        request: With cause and body shape given.
        body: The body model.
        longest: Longest motion before the fall, seconds.
        rng: Source of randomness.
    Raises:
        ValueError: If the requested start is too short, or does not sit on a chair for ``fall_from_chair``.
    """
    betas = request.betas
    assert betas is not None
    human = build_humanoid(body, betas)
    start = _start_motion(request, human, float(rng.uniform(0.3, longest)), rng)
    chair = None
    if request.kind == "fall_from_chair":
        if start.support != "chair" or start.support_center is None:
            raise ValueError(f"start: fall_from_chair needs a motion sitting on a chair, found support {start.support!r}")
        chair = Chair(height=start.support_height, center=start.support_center, yaw=start.support_yaw)
    last = motion_to_qpos(human, start)[-1]
    overlaps = _overlaps(human, last)
    if chair is not None:
        seated = build_humanoid(body, betas, chair=chair, skip_pairs=overlaps)
        chair, too_deep = _fitted(seated, last, chair)
        overlaps |= too_deep
    if chair is not None or overlaps:
        human = build_humanoid(body, betas, chair=chair, skip_pairs=overlaps)
    return human, start


def _start_motion(request: FallRequest, human: Humanoid, seconds: float, rng: np.random.Generator) -> Motion:
    """The last ``seconds`` of the requested start, or a start of that length made here."""
    start = request.start
    if start is None:
        walking = rng.random() < _WALKING_SHARE[str(request.cause)] * _WALKING_ODDS.get(request.kind, 1.0)
        make = STARTS["sit" if request.kind == "fall_from_chair" else "walk" if walking else "stand"]
        return make(human, rng=rng, fps=request.fps, seconds=seconds)
    if len(start) < 2:
        raise ValueError("start: a fall needs at least 2 frames to know the speed, found 1")
    if start.fps != request.fps:
        start = resample(start, request.fps)
    return _last_frames(start, max(round(seconds * request.fps), 2))


def _last_frames(start: Motion, frames: int) -> Motion:
    cut = max(len(start) - frames, 0)
    segments = start_segments(start, len(start) - cut, start.fps)
    return replace(start.take(slice(cut, None)), segments=segments)


def swinging_foot(human: Humanoid, start: Motion, otherwise: str) -> str:
    """The foot that moves faster at the end of the start; ``otherwise`` if both stand."""
    joints = state_joints(human, motion_to_qpos(human, start)[-2:])
    speed = {
        side: float(np.linalg.norm(np.diff(joints[:, JOINT[f"{side}_ankle"]], axis=0)) * start.fps)
        for side in ("left", "right")
    }
    fastest = max(speed, key=lambda side: speed[side])
    return fastest if speed[fastest] > 0.3 else otherwise


def _contacts_at(human: Humanoid, qpos: np.ndarray) -> tuple[Any, dict[int, int]]:
    """MuJoCo's data with the contacts of a state, and the SMPL joint of each MuJoCo body."""
    mujoco = load_mujoco()
    data = mujoco.MjData(human.model)
    data.qpos[:] = qpos
    mujoco.mj_forward(human.model, data)
    return data, {int(body): index for index, body in enumerate(human.body_id)}


def _overlaps(human: Humanoid, qpos: np.ndarray) -> frozenset[tuple[int, int]]:
    """Pairs of SMPL joints whose parts overlap in a state, which would be pushed apart at release."""
    data, joint = _contacts_at(human, qpos)
    pairs = set()
    for geoms, distance in zip(data.contact.geom, data.contact.dist, strict=True):
        first, second = (joint.get(int(human.model.geom_bodyid[geom]), -1) for geom in geoms)
        if min(first, second) >= 0 and distance < -0.004:
            pairs.add((min(first, second), max(first, second)))
    return frozenset(pairs)


def _fitted(human: Humanoid, qpos: np.ndarray, chair: Chair) -> tuple[Chair, frozenset[tuple[int, int]]]:
    """The chair lowered to the height at which it carries the body, and the parts too deep in it to collide with it."""
    data, joint = _contacts_at(human, qpos)
    node = human.model.body("chair").id
    lower, too_deep = 0.0, set()
    for geoms, distance in zip(data.contact.geom, data.contact.dist, strict=True):
        bodies = [int(human.model.geom_bodyid[geom]) for geom in geoms]
        if node not in bodies:
            continue
        if -distance > DEEPEST_SEAT_M:
            too_deep.add((joint[bodies[1 - bodies.index(node)]], CHAIR))
        else:
            lower = max(lower, -float(distance))
    return replace(chair, height=chair.height - lower), frozenset(too_deep)
