"""Sample motions from a generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..actions import caption_for, captions_of
from ..motion.features import FEATURES, features_to_motion
from ..seeds import clip_rng
from ..types import Motion, Segment
from .checkpoint import MotionGenerator
from .cleanup import even_out, settle
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
from .diffusion import dpm_sample, guide, sampling_steps

STEPS = 8
"""Denoising steps of a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What may be asked of a motion besides its action."""

    seconds: float | None = None
    """Length, 0.2 to 10; that of a random training motion if not given."""
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
        Motions at 20 frames/s in the canonical frame, with segments, caption and support.
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
    for action in actions:
        model.action_index(action)


def _sample_one(
    model: MotionGenerator, action: str, wish: Wish, *, generator: torch.Generator, rest_joints_of: RestJoints
) -> Motion:
    profile = _draw_profile(model, action, generator=generator)
    if wish.seconds is not None:
        profile[1] = round(wish.seconds * FPS)
    words = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    noise = torch.randn((int(profile[1]), model.mean.shape[0]), generator=generator)
    levels = sampling_steps(len(model.schedule), wish.steps)
    channels = denoise(model, profile_conditions(profile[None]), noise, guidance=wish.guidance, levels=levels)
    channels = even_out(channels, model.denoiser.config.patch)
    rest = np.asarray(rest_joints_of(profile[4:].numpy()), np.float64)
    motion = _to_motion(model, action, profile, channels, rest)
    contacts = channels[:, FEATURES["contacts"]].numpy()
    motion = settle(motion, contacts, rest, lowest=model.lowest.double().numpy())
    return replace(motion, caption=_caption(model, motion, rng=words))


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
) -> Float[Tensor, "t d"]:
    """Denoise one motion to channels that are not normalised.

    Args:
        model: The generator.
        conditions: One row.
        noise: As many frames as the motion has.
        guidance: See ``Wish``.
        levels: Falling steps, see ``diffusion.sampling_steps``.
    """
    weights = {name: weight for name, weight in guidance.items() if weight != 1.0}
    passes = stack_conditions([conditions, *(WITHOUT[name](conditions, len(model.actions)) for name in weights)])
    valid = torch.ones((len(passes), len(noise)), dtype=torch.bool)

    def predict(x_t: Tensor, step: int) -> Tensor:
        level = torch.full((len(passes),), step)
        given, *without = model.denoiser(x_t.expand(len(passes), -1, -1), level, passes, valid)
        return guide(given, without, list(weights.values()))

    with torch.inference_mode():
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
