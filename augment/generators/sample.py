"""Sample motions from a generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..actions import caption_for, captions_of
from ..geometry import matrix_to_rotation6d
from ..motion.features import FEATURES, features_to_motion, features_to_rotations
from ..types import Motion, Segment
from .checkpoint import MotionGenerator
from .cleanup import SampledPoses, clean, smooth_frames
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
"""Largest number of denoising steps; more do not help (see the model card)."""

BATCH = 32
"""Motions denoised at once."""


def sample(
    model: MotionGenerator,
    actions: Sequence[str],
    *,
    generator: torch.Generator,
    seconds: float | None = None,
    guidance: float = 1.5,
    steps: int = MAX_STEPS,
    rest_joints_of: RestJoints | None = None,
) -> list[Motion]:
    """Sample one motion for each requested action.

    Support, body and (if not given) length are those of a random training motion of the same action. A motion depends on
    its index in ``actions``, but not on the others in its batch.

    Args:
        model: See ``checkpoint.load_generator``.
        actions: Names of actions the model knows.
        generator: Source of randomness.
        seconds: Length of the motions, 0.2 to 10.
        guidance: Weight of classifier-free guidance; 1 = as trained.
        steps: Denoising steps, at most 20.
        rest_joints_of: Joints of a body in the zero pose; those of the open default body if None.
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
        if not 0.2 <= seconds <= MAX_FRAMES / FPS:
            raise ValueError(f"seconds: expected 0.2 to {MAX_FRAMES / FPS:g}, found {seconds}")
        profiles[:, 1] = round(seconds * FPS)
    frames = [int(count) for count in profiles[:, 1]]
    noise = [torch.randn((count, model.mean.shape[0]), generator=generator) for count in frames]
    captions = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    motions: dict[int, Motion] = {}
    order = sorted(range(len(actions)), key=lambda k: frames[k])  # batches of similar lengths need little padding
    for first in range(0, len(order), BATCH):
        chosen = order[first : first + BATCH]
        channels = denoise(
            model, profile_conditions(profiles[chosen]), [noise[k] for k in chosen], guidance=guidance, steps=steps
        )
        rests = np.stack([np.asarray(rest_joints_of(row)) for row in profiles[chosen, 4:].numpy()])
        channels = _cleaned(model, channels, [frames[k] for k in chosen], rests)
        for k, row, rest in zip(chosen, channels, rests, strict=True):
            motions[k] = _to_motion(model, actions[k], profiles[k], row[: frames[k]], rest)
    seed = generator.initial_seed()
    return [
        replace(
            motion,
            name=f"{motion.action}_{seed}_{k:04d}",
            source=(source := f"generator seed {seed} number {k}"),
            licence="Apache-2.0",
            caption=_caption(model, motion, rng=captions),
            provenance=motion.provenance | {"guidance": guidance, "made_by": source},
        )
        for k, motion in sorted(motions.items())
    ]


def _draw_profiles(model: MotionGenerator, indices: Sequence[int], *, generator: torch.Generator) -> Float[Tensor, "b 14"]:
    """For each action, the profile (length, support, body) of one of its training motions."""
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
    """Denoise to channels that are not normalised; motions shorter than the longest are padded."""
    x_t = torch.nn.utils.rnn.pad_sequence(list(noise), batch_first=True)
    valid = valid_frames([len(part) for part in noise])
    any_action = replace(conditions, action=torch.full_like(conditions.action, len(model.actions)))
    both = stack_conditions([conditions, any_action])

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


def _cleaned(
    model: MotionGenerator, channels: Float[Tensor, "b t d"], frames: Sequence[int], rests: Float[np.ndarray, "b 24 3"]
) -> Float[Tensor, "b t d"]:
    """Channels smoothed and corrected (see ``cleanup``)."""
    valid = valid_frames(frames)
    channels = smooth_frames(channels, valid)
    rotations, root = features_to_rotations(channels)
    poses = SampledPoses(
        rotations=rotations,
        root=root,
        contacts=channels[..., FEATURES["contacts"]],
        valid=valid,
        rest_joints=torch.as_tensor(rests, dtype=torch.float32),
    )
    rotations, root = clean(poses, lowest=model.lowest, standing=model.standing)
    channels[..., FEATURES["root"]] = root
    channels[..., FEATURES["orient"]] = matrix_to_rotation6d(rotations[:, :, 0])
    channels[..., FEATURES["body"]] = matrix_to_rotation6d(rotations[:, :, 1:]).flatten(-2)
    return channels


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
