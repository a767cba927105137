"""Sample motions from a generator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..actions import caption_for, captions_of
from ..geometry import axis_rotation
from ..motion.features import FEATURES, features_to_motion, velocities_of
from ..motion.posture import turn_and_shift
from ..seeds import clip_rng
from ..types import Motion, Segment
from .checkpoint import MotionGenerator
from .cleanup import even_out, settle, settle_at, shares_of_path
from .conditions import (
    ANNOTATIONS,
    SUPPORTS,
    WITHOUT,
    Conditions,
    conditions_of,
    segments_from_labels,
    stack_conditions,
    support_from_channels,
)
from .dataset import FPS, MAX_FRAMES, RestJoints, default_rest_joints
from .diffusion import dpm_sample, guide, noise_levels, sampling_steps
from .noise import smooth

STEPS = 8
"""Denoising steps of a sample."""

QUICKEST = 2.5
"""Metres a second: a goal that asks for more is refused."""
PACE = 0.9
"""Metres a second at which a length is chosen for a goal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What may be asked of a motion besides its action."""

    seconds: float | None = None
    """Length, 0.2 to 10; that of a random training motion, or one that suits the goal, if not given."""
    start: tuple[float, float] = (0.0, 0.0)
    """(x, z) of the pelvis in the first frame, metres."""
    goal: tuple[float, float] | None = None
    """(x, z) of the pelvis in the last frame, metres; the person faces it at the start."""
    heading: float | None = None
    """Heading in the last frame, degrees from +z towards +x."""
    guidance: Mapping[str, float] = field(default_factory=dict)
    """Weights of ``conditions.WITHOUT`` in classifier-free guidance; 1, the default, is as trained. Others cost time."""
    steps: int = STEPS
    """Denoising steps, at most those of training."""


def sample(
    model: MotionGenerator,
    actions: Sequence[str],
    *,
    generator: torch.Generator,
    wish: Wish | None = None,
    rest_joints_of: RestJoints | None = None,
) -> list[Motion]:
    """Sample one motion for each requested action.

    Support, body and (if not given) length are those of a random training motion of the same action. Each motion is denoised
    by itself, on one thread: the n-th of an action has the same bytes whatever else is asked for.

    Args:
        model: See ``checkpoint.load_generator``.
        actions: Names of actions the model knows.
        generator: Source of randomness.
        wish: What else is asked of them all.
        rest_joints_of: Joints of a body in the zero pose; those of the open default body if None.
    Returns:
        Motions at 20 frames/s with segments, caption and support; at the start the pelvis is over ``wish.start``, and the
        heading is +z or towards the goal.
    Raises:
        ValueError: If the model does not know an action, or something else that is asked for cannot be had.
    """
    wish, actions = wish or Wish(), list(actions)
    check_wish(model, actions, wish)
    rest_joints_of = rest_joints_of or default_rest_joints()
    run, named = int(torch.randint(2**62, (1,), generator=generator)), generator.initial_seed()
    numbers = [actions[:index].count(action) for index, action in enumerate(actions)]

    def one(action: str, number: int) -> Motion:
        own = torch.Generator().manual_seed(int(clip_rng(run, action, number).integers(2**62)))
        motion = _sample_one(model, action, wish, generator=own, rest_joints_of=rest_joints_of)
        source = f"generator seed {named} number {number}"
        asked = {"guidance": dict(wish.guidance), "steps": wish.steps, "made_by": source}
        name, provenance = f"{action}_{named}_{number:04d}", motion.provenance | asked
        return replace(motion, name=name, source=source, licence="Apache-2.0", provenance=provenance)

    workers = min(torch.get_num_threads(), len(actions))
    if workers < 2:
        return list(map(one, actions, numbers))
    # A motion's matrices are too small to be shared by cores.
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(one, actions, numbers))


def check_wish(model: MotionGenerator, actions: Sequence[str], wish: Wish) -> None:
    """Refuse what cannot be had.

    Raises:
        ValueError: What is wrong, and what would be right.
    """
    sampling_steps(len(model.schedule), wish.steps)
    if wish.seconds is not None and not 0.2 <= wish.seconds <= MAX_FRAMES / FPS:
        raise ValueError(f"seconds: expected 0.2 to {MAX_FRAMES / FPS:g}, found {wish.seconds}")
    for name in wish.guidance:
        if name not in WITHOUT:
            raise ValueError(f"guidance: unknown condition {name!r}; expected some of: {', '.join(WITHOUT)}")
    if not model.denoiser.config.goals and wish.heading is not None:
        raise ValueError("heading: this generator learnt none; train another with `augment motions train`")
    longest = QUICKEST * (wish.seconds or MAX_FRAMES / FPS)
    if wish.goal is not None and (far := math.dist(wish.start, wish.goal)) > longest:
        raise ValueError(f"goal: {far:.1f} m away, more than the {longest:.1f} m that a person gets in that time")
    for action in actions:
        own = model.profiles[model.profiles[:, 0] == model.action_index(action)]
        if wish.goal is not None and bool((own[:, 2] > 0).all()):
            raise ValueError(f"goal: {action!r} ends on a chair or bed, which decides where; leave the goal out")


def _sample_one(
    model: MotionGenerator, action: str, wish: Wish, *, generator: torch.Generator, rest_joints_of: RestJoints
) -> Motion:
    profile = _draw_profile(model, action, generator=generator)
    way = np.subtract(wish.goal, wish.start) if wish.goal is not None else None
    if wish.seconds is not None:
        profile[1] = round(wish.seconds * FPS)
    elif way is not None:
        profile[1] = min(max(round((1.0 + np.hypot(*way) / PACE) * FPS), 20), MAX_FRAMES)
    words = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    noise = torch.randn((int(profile[1]), model.mean.shape[0]), generator=generator)
    # In the canonical frame the start is the origin, and the person faces +z.
    facing = 0.0 if way is None else math.atan2(way[0], way[1])
    conditions = _with_end(profile_conditions(profile[None]), way, wish.heading, facing)
    levels = noise_levels(model.schedule, wish.steps)
    goal = None if way is None else conditions.goal[0]
    channels = denoise(model, conditions, noise, guidance=wish.guidance, levels=levels, goal=goal)
    if not model.denoiser.config.overlap:
        channels = even_out(channels, model.denoiser.config.patch)
    if goal is not None:
        channels = reach(channels, goal)
    rest = np.asarray(rest_joints_of(profile[4:].numpy()), np.float64)
    motion = _to_motion(model, action, profile, channels, rest)
    contacts = channels[:, FEATURES["contacts"]].numpy()
    correct = settle if goal is None else settle_at
    motion = correct(motion, contacts, rest, lowest=model.lowest.double().numpy())
    motion = replace(motion, caption=_caption(model, motion, rng=words))
    if way is None and wish.start == (0.0, 0.0):
        return motion
    # The network starts its motions at the origin to within a few centimetres.
    first = axis_rotation("y", facing) @ (np.asarray(motion.transl[0], np.float64) + rest[0])
    return turn_and_shift(motion, facing, np.array([wish.start[0] - first[0], 0.0, wish.start[1] - first[2]]), rest[0])


def _with_end(conditions: Conditions, way: np.ndarray | None, heading: float | None, facing: float) -> Conditions:
    """One row of conditions with the goal and the heading at the end, if there are any, in the canonical frame."""
    given = torch.tensor([False])
    if way is not None:
        conditions = replace(conditions, goal=torch.tensor([[0.0, float(np.hypot(*way))]]), drop_goal=given)
    if heading is not None:
        turn = torch.tensor([math.radians(heading) - facing], dtype=torch.float32)
        conditions = replace(conditions, heading=turn, drop_heading=given)
    return conditions


def reach(channels: Float[Tensor, "t d"], goal: Float[Tensor, "2"]) -> Float[Tensor, "t d"]:
    """Let the pelvis' path lead from the origin to ``goal``: what is missing is spread over it in proportion to its length.

    Joints and their velocities move with the pelvis.
    """
    root, joints, velocities = (FEATURES[name] for name in ("root", "joints", "velocities"))
    path = channels[:, root][:, [0, 2]]
    share = torch.from_numpy(shares_of_path(path.double().numpy())).float()
    shift = torch.zeros(len(path), 3)
    shift[:, [0, 2]] = share[:, None] * (goal - path[-1] + path[0]) - path[0]
    result = channels.clone()
    result[:, root] += shift
    result[:, joints] += shift.repeat(1, 24)
    result[:, velocities] += velocities_of(shift[:, None].expand(-1, 24, -1), fps=FPS).flatten(1)
    return result


def _draw_profile(model: MotionGenerator, action: str, *, generator: torch.Generator) -> Float[Tensor, "14"]:
    """The profile (length, support, body) of one of an action's training motions."""
    own = model.profiles[model.profiles[:, 0] == model.action_index(action)]
    return own[int(torch.randint(len(own), (1,), generator=generator))].clone()


def profile_conditions(profiles: Float[Tensor, "b 14"]) -> Conditions:
    """Conditions of profile rows (see ``MotionGenerator.profiles``)."""
    return conditions_of(
        action=[int(index) for index in profiles[:, 0]],
        support=[SUPPORTS[int(kind)] for kind in profiles[:, 2]],
        support_height=profiles[:, 3].tolist(),
        betas=profiles[:, 4:].numpy(),
        seconds=(profiles[:, 1] / FPS).tolist(),
    )


def denoise(
    model: MotionGenerator,
    conditions: Conditions,
    noise: Float[Tensor, "t d"],
    *,
    guidance: Mapping[str, float],
    levels: Sequence[int],
    goal: Float[Tensor, "2"] | None = None,
) -> Float[Tensor, "t d"]:
    """Denoise one motion to channels that are not normalised.

    Args:
        model: The generator.
        conditions: One row.
        noise: White noise, as many frames as the motion has.
        guidance: See ``Wish``.
        levels: Falling steps, see ``diffusion.noise_levels``.
        goal: Every prediction is led there (``reach``), so that the body finds steps that fit.
    """
    weights = {name: weight for name, weight in guidance.items() if weight != 1.0}
    passes = stack_conditions([conditions, *(WITHOUT[name](conditions, len(model.actions)) for name in weights)])
    valid = torch.ones((len(passes), len(noise)), dtype=torch.bool)

    def predict(x_t: Tensor, step: int) -> Tensor:
        level = torch.full((len(passes),), step)
        given, *without = model.denoiser(x_t.expand(len(passes), -1, -1), level, passes, valid)
        x0 = guide(given, without, list(weights.values()))
        return x0 if goal is None else (reach(x0 * model.std + model.mean, goal) - model.mean) / model.std

    with torch.inference_mode():
        noise = smooth(noise) if model.denoiser.config.coloured else noise
        x0 = dpm_sample(model.schedule, predict, noise, levels)
    return x0.clone() * model.std + model.mean


def _caption(model: MotionGenerator, motion: Motion, *, rng: np.random.Generator) -> str:
    own = model.own[motion.action].captions if motion.action in model.own else ()
    side = fall_side(motion.transl, motion.segments, FPS)
    return caption_for(own or captions_of(motion.action), rng=rng, side=side)


def _to_motion(model: MotionGenerator, action: str, profile: Tensor, channels: Tensor, rest: np.ndarray) -> Motion:
    """A motion of one row of channels."""
    support = SUPPORTS[int(profile[2])]
    center, yaw = support_from_channels(channels)
    on_floor = support == "floor"
    return features_to_motion(
        channels,
        rest,
        betas=profile[4:].numpy().astype(np.float64),
        fps=FPS,
        action=action,
        label=model.own[action].label if action in model.own else "",
        segments=segments_from_labels(channels[:, ANNOTATIONS["labels"]], fps=FPS, names=model.labels),
        support=support,
        support_height=0.0 if on_floor else float(profile[3]),
        support_center=None if on_floor else center,
        support_yaw=0.0 if on_floor else yaw,
        provenance={"generator": model.facts},
    )


def fall_side(transl: Float[np.ndarray, "t 3"], segments: Sequence[Segment], fps: float) -> str:
    """``left`` or ``right``: the direction in which a motion from the canonical start moves during its fall (+x is left)."""
    falls = [segment for segment in segments if segment.label == "fall"]
    first = round(falls[0].start_sec * fps) if falls else 0
    last = min(round(falls[-1].end_sec * fps) if falls else len(transl), len(transl)) - 1
    return "left" if transl[last, 0] >= transl[min(first, last), 0] else "right"
