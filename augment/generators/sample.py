"""Ask a generator for motions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..actions import caption_for
from ..geometry import matrix_to_rotation6d
from ..motion.features import FEATURES, features_to_motion, features_to_rotations
from ..types import Motion, Segment
from .checkpoint import MotionGenerator
from .cleanup import clean, smooth_frames
from .conditions import (
    ANNOTATIONS,
    SUPPORTS,
    Conditions,
    conditions_of,
    segments_from_labels,
    stack_conditions,
    support_from_channels,
)
from .dataset import FPS, MAX_FRAMES, RestJoints, default_rest_joints, valid_frames
from .diffusion import ddim_sample, guide, sampling_steps

MAX_STEPS = 20
"""Denoising steps at most: more do not help (see the model card)."""


def sample(
    model: MotionGenerator,
    actions: Sequence[str],
    *,
    generator: torch.Generator,
    seconds: float | Sequence[float] | None = None,
    support_height: float | None = None,
    betas: Float[np.ndarray, "10"] | None = None,
    guidance: float = 1.5,
    steps: int = MAX_STEPS,
    cleanup: bool = True,
    rest_joints_of: RestJoints | None = None,
    batch: int = 32,
) -> list[Motion]:
    """Sample one motion for each action asked for.

    What is not given (length, support and its height, body) is taken from a random training motion of the same action. A motion
    does not depend on what it is batched with, but on its place in ``actions``.

    Args:
        model: See ``checkpoint.load_generator``.
        actions: Names of actions the model knows.
        generator: The source of chance.
        seconds: Length of all motions or of each, at most 10.
        support_height: Metres, for the actions on a chair or bed.
        betas: Body shape.
        guidance: How much more than usual to heed the action; 1 = as trained.
        steps: Denoising steps, at most 20.
        cleanup: Hold standing feet, lift what sinks into the floor, smooth.
        rest_joints_of: Joints of a body in the zero pose; the open default body's if not given.
        batch: Motions denoised at once.
    Returns:
        Motions at 20 frames/s in the canonical frame, with segments, caption and support.
    Raises:
        ValueError: If the model does not know an action, or a length or the number of steps is out of range.
    """
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"steps must lie in 1..{MAX_STEPS}, found {steps}")
    actions = list(actions)
    indices = [model.action_index(action) for action in actions]
    rest_joints_of = rest_joints_of or default_rest_joints()
    profiles = _draw_profiles(model, indices, generator=generator)
    if seconds is not None:
        lengths = [float(seconds)] * len(actions) if isinstance(seconds, int | float) else [float(s) for s in seconds]
        if len(lengths) != len(actions) or not all(0.2 <= length <= MAX_FRAMES / FPS for length in lengths):
            raise ValueError(f"seconds: expected {len(actions)} lengths from 0.2 to {MAX_FRAMES / FPS:g}, found {seconds}")
        profiles[:, 1] = torch.tensor([round(length * FPS) for length in lengths])
    if support_height is not None:
        profiles[:, 3] = torch.where(profiles[:, 2] > 0, support_height, profiles[:, 3])
    if betas is not None:
        profiles[:, 4:] = torch.as_tensor(np.asarray(betas), dtype=torch.float32)
    frames = [int(count) for count in profiles[:, 1]]
    noise = [torch.randn((count, model.mean.shape[0]), generator=generator) for count in frames]
    captions = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    motions: list[Motion | None] = [None] * len(actions)
    order = sorted(range(len(actions)), key=lambda k: frames[k])  # similar lengths together: padding is wasted work
    for first in range(0, len(order), batch):
        chosen = order[first : first + batch]
        made = _sample_batch(model, profiles[chosen], [noise[k] for k in chosen], guidance, steps, cleanup, rest_joints_of)
        for k, (channels, rest) in zip(chosen, made, strict=True):
            motions[k] = _to_motion(model, actions[k], profiles[k], channels, rest)
    seed = generator.initial_seed()
    return [
        _named(motion, f"{motion.action}_{seed}_{k:04d}", f"generator seed {seed} number {k}", guidance, captions)
        for k, motion in enumerate(motions)
        if motion is not None
    ]


def _draw_profiles(model: MotionGenerator, indices: Sequence[int], *, generator: torch.Generator) -> Float[Tensor, "b 14"]:
    """For each action, length, support and body of one of its training motions."""
    rows = []
    for index in indices:
        own = model.profiles[model.profiles[:, 0] == index]
        rows.append(own[int(torch.randint(len(own), (1,), generator=generator))])
    return torch.stack(rows).clone()


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
    noise: Sequence[Float[Tensor, "_ d"]],
    *,
    guidance: float,
    steps: int,
) -> Float[Tensor, "b t d"]:
    """From noise to channels in metres and radians; rows shorter than the longest are padded."""
    x_t = torch.nn.utils.rnn.pad_sequence(list(noise), batch_first=True)
    valid = valid_frames([len(part) for part in noise])
    both = stack_conditions([conditions, conditions.any_action(len(model.actions))])

    def predict(x_t: Tensor, step: int) -> Tensor:
        level = torch.full((len(x_t),), step)
        if guidance == 1.0:
            return model.denoiser(x_t, level, conditions, valid)
        predicted = model.denoiser(x_t.repeat(2, 1, 1), level.repeat(2), both, valid.repeat(2, 1))
        conditional, unconditional = predicted.chunk(2)
        return guide(unconditional, conditional, guidance)

    with torch.inference_mode():
        x0 = ddim_sample(model.schedule, predict, x_t, sampling_steps(len(model.schedule), steps))
    return x0.clone() * model.std + model.mean


def _sample_batch(
    model: MotionGenerator,
    profiles: Float[Tensor, "b 14"],
    noise: Sequence[Tensor],
    guidance: float,
    steps: int,
    cleanup: bool,
    rest_joints_of: RestJoints,
) -> list[tuple[Tensor, np.ndarray]]:
    """Channels of each motion, cleaned, and its body's rest joints."""
    channels = denoise(model, profile_conditions(profiles), noise, guidance=guidance, steps=steps)
    rests = [np.asarray(rest_joints_of(row)) for row in profiles[:, 4:].numpy()]
    if cleanup:
        valid = valid_frames([len(part) for part in noise])
        channels = smooth_frames(channels, valid)
        rotations, root = clean(
            *features_to_rotations(channels),
            channels[..., FEATURES["contacts"]],
            valid,
            torch.as_tensor(np.stack(rests), dtype=torch.float32),
            lowest=model.lowest,
            standing=model.standing,
        )
        channels[..., FEATURES["root"]] = root
        channels[..., FEATURES["orient"]] = matrix_to_rotation6d(rotations[:, :, 0])
        channels[..., FEATURES["body"]] = matrix_to_rotation6d(rotations[:, :, 1:]).flatten(-2)
    return [(row[: len(part)], rest) for row, part, rest in zip(channels, noise, rests, strict=True)]


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
        segments=segments_from_labels(channels[:, ANNOTATIONS["labels"]], fps=FPS),
        support=support,
        support_height=0.0 if on_floor else float(profile[3]),
        support_center=None if on_floor else center,
        support_yaw=0.0 if on_floor else yaw,
        provenance={"generator": model.facts},
    )


def _named(motion: Motion, name: str, source: str, guidance: float, rng: np.random.Generator) -> Motion:
    """The motion with its name, sentence and origin."""
    return replace(
        motion,
        name=name,
        source=source,
        licence="Apache-2.0",
        caption=caption_for(motion.action, rng=rng, side=fall_side(motion.transl, motion.segments, motion.fps)),
        provenance=motion.provenance | {"guidance": guidance, "made_by": source},
    )


def fall_side(transl: Float[np.ndarray, "t 3"], segments: Sequence[Segment], fps: float) -> str:
    """``left`` or ``right``: where a motion from the canonical start is carried during its fall (the left hand is at +x)."""
    falls = [segment for segment in segments if segment.label == "fall"]
    first = round(falls[0].start_sec * fps) if falls else 0
    last = min(round(falls[-1].end_sec * fps) if falls else len(transl), len(transl)) - 1
    return "left" if transl[last, 0] >= transl[min(first, last), 0] else "right"
