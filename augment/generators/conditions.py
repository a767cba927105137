"""Conditions and annotations of the motion generator.

Conditions are inputs: action, length, support and its height, body shape, goal, heading at the end. Annotations are outputs:
20 channels appended to the 295 features, with the frame labels and the place of the chair or bed.

===========  ====  ==================================================================================
labels         16  one-hot frame label, ``actions.FRAME_LABELS``; the user's own take the places of those that never occur
center          2  (x, z) of the support's middle, canonical frame, metres; 0 on the floor
yaw             2  sine and cosine of the support's heading, canonical frame; 0 on the floor
===========  ====  ==================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..actions import FRAME_LABELS
from ..motion.features import FEATURE_DIM
from ..types import Motion, Segment

SUPPORTS: tuple[str, ...] = ("floor", "chair", "bed")
"""Supports of a body, in the order of the network's one-hot encoding."""

PLAIN_DIM = len(SUPPORTS) + 1 + 10 + 2 + 2
"""Support one-hot, its height, body shape, length (seconds and its square), two flags for what is left out."""

CONDITION_DIM = PLAIN_DIM + 4 + 2
"""The same; goal, heading at the end (sine, cosine), two flags."""

ANNOTATIONS: dict[str, slice] = {
    "labels": slice(FEATURE_DIM, FEATURE_DIM + 16),
    "center": slice(FEATURE_DIM + 16, FEATURE_DIM + 18),
    "yaw": slice(FEATURE_DIM + 18, FEATURE_DIM + 20),
}
"""Slice of each annotation within a frame's channels."""

CHANNELS = FEATURE_DIM + 20
"""Channels of a frame: features and annotations."""

SHORTEST_SEC = 0.2
"""Shortest segment of a sampled motion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions of a batch, one row per motion."""

    action: Int[Tensor, "b"]
    """Index into the model's actions; one past the last means any action."""
    support: Int[Tensor, "b"]
    """Index into ``SUPPORTS``."""
    support_height: Float[Tensor, "b"]
    """Metres; 0 for the floor."""
    betas: Float[Tensor, "b 10"]
    """Body shape."""
    seconds: Float[Tensor, "b"]
    """Length of the motion."""
    goal: Float[Tensor, "b 2"]
    """(x, z) of the pelvis in the last frame, canonical frame, metres."""
    heading: Float[Tensor, "b"]
    """Heading in the last frame, canonical frame, radians."""
    drop_support: Bool[Tensor, "b"]
    """True where the support is not given."""
    drop_betas: Bool[Tensor, "b"]
    """True where the body shape is not given."""
    drop_goal: Bool[Tensor, "b"]
    """True where the goal is not given."""
    drop_heading: Bool[Tensor, "b"]
    """True where the heading is not given."""

    def context(self) -> Float[Tensor, "b 24"]:
        """All conditions but the action as one vector; what is left out is zero, with a flag."""
        has_support, has_betas = (~self.drop_support).float()[:, None], (~self.drop_betas).float()[:, None]
        kind = torch.nn.functional.one_hot(self.support, len(SUPPORTS)).float()
        has_goal, has_heading = (~self.drop_goal).float()[:, None], (~self.drop_heading).float()[:, None]
        turn = torch.stack([self.heading.sin(), self.heading.cos()], dim=-1).float()
        length = self.seconds[:, None].float() / 5.0 - 1.0
        return torch.cat(
            [
                kind * has_support,
                self.support_height[:, None].float() * 2.0 * has_support,
                self.betas.float() * 0.5 * has_betas,
                length,
                length**2,
                1 - has_support,
                1 - has_betas,
                self.goal.float() * has_goal,
                turn * has_heading,
                1 - has_goal,
                1 - has_heading,
            ],
            dim=-1,
        )

    def __len__(self) -> int:
        return len(self.action)

    def rows(self, index: Tensor | slice) -> Conditions:
        """Select rows."""
        return Conditions(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def stack_conditions(parts: Sequence[Conditions]) -> Conditions:
    """Concatenate rows."""
    return Conditions(**{field.name: torch.cat([getattr(p, field.name) for p in parts]) for field in fields(Conditions)})


def conditions_of(
    *,
    action: Sequence[int],
    support: Sequence[str],
    support_height: Sequence[float],
    betas: Float[np.ndarray, "b 10"],
    seconds: Sequence[float],
    goal: Float[np.ndarray, "b 2"] | None = None,
    heading: Sequence[float] | None = None,
) -> Conditions:
    """Conditions from plain values, nothing left out but a goal or heading of None.

    Raises:
        ValueError: If a support is none of ``SUPPORTS``.
    """
    for kind in support:
        if kind not in SUPPORTS:
            raise ValueError(f"unknown support {kind!r}; expected one of: {', '.join(SUPPORTS)}")
    given = torch.zeros(len(action), dtype=torch.bool)
    return Conditions(
        action=torch.as_tensor(list(action), dtype=torch.long),
        support=torch.as_tensor([SUPPORTS.index(kind) for kind in support], dtype=torch.long),
        support_height=torch.as_tensor(list(support_height), dtype=torch.float32),
        betas=torch.as_tensor(np.asarray(betas), dtype=torch.float32).reshape(len(action), 10),
        seconds=torch.as_tensor(list(seconds), dtype=torch.float32),
        goal=torch.as_tensor(np.zeros((len(action), 2)) if goal is None else goal, dtype=torch.float32),
        heading=torch.as_tensor([0.0] * len(action) if heading is None else list(heading), dtype=torch.float32),
        drop_support=given,
        drop_betas=given.clone(),
        drop_goal=given | (goal is None),
        drop_heading=given | (heading is None),
    )


def drop_some(
    conditions: Conditions, *, unknown: int, action: float, others: float, goal: float, generator: torch.Generator
) -> Conditions:
    """Leave conditions out at random, each kind independently, for classifier-free guidance.

    Args:
        conditions: Of a training batch.
        unknown: Index that stands for any action.
        action: Chance of leaving the action out.
        others: Chance of leaving the support out, and of leaving the body out.
        goal: Chance of leaving the goal out, and of leaving the heading at the end out.
        generator: Source of randomness.
    """
    draws = torch.rand((5, len(conditions)), generator=generator)
    return replace(
        conditions,
        action=torch.where(draws[0] < action, unknown, conditions.action),
        drop_support=draws[1] < others,
        drop_betas=draws[2] < others,
        drop_goal=draws[3] < goal,
        drop_heading=draws[4] < goal,
    )


def _without(flag: str) -> Callable[[Conditions, int], Conditions]:
    return lambda conditions, unknown: replace(conditions, **{flag: torch.ones_like(getattr(conditions, flag))})


WITHOUT: dict[str, Callable[[Conditions, int], Conditions]] = {
    "action": lambda conditions, unknown: replace(conditions, action=torch.full_like(conditions.action, unknown)),
    "support": _without("drop_support"),
    "body": _without("drop_betas"),
    "goal": _without("drop_goal"),
    "heading": _without("drop_heading"),
}
"""Each condition that has a guidance weight, to the function that leaves it out; the second argument stands for any action."""


def label_channels(found: Iterable[str]) -> tuple[str, ...]:
    """The frame labels of the 16 channels of a training set: ``FRAME_LABELS``, with the user's own in the places of some of
    those that never occur, the last ones first (``other`` stays: it is that of a frame without a label).

    Args:
        found: The frame labels that occur.
    Raises:
        ValueError: If more labels occur than there are channels.
    """
    names, found = list(FRAME_LABELS), set(found)
    free = [place for place, name in enumerate(names) if name not in found and name != "other"]
    own = sorted(found - set(names))
    if len(own) > len(free):
        raise ValueError(
            f"the motions have {len(found)} frame labels, and a generator learns at most {len(names)} with 'other'; "
            f"your own are: {', '.join(own)}: give some of them the same name"
        )
    for label in own:
        names[free.pop()] = label
    return tuple(names)


def annotations_of(
    motion: Motion, T_world_canonical: Float[np.ndarray, "4 4"], names: Sequence[str] = FRAME_LABELS
) -> Float[Tensor, "t 20"]:
    """Annotation channels of a motion; ``names`` are the channels' frame labels. A frame no segment covers is ``other``."""
    channels = torch.zeros(len(motion), 20)
    times = (np.arange(len(motion)) + 0.5) / motion.fps
    labels = np.full(len(motion), names.index("other"))
    for segment in motion.segments:
        inside = (times >= segment.start_sec) & (times < segment.end_sec)
        labels[inside] = names.index(segment.label)
    channels[torch.arange(len(motion)), torch.as_tensor(labels)] = 1.0
    if motion.support != "floor" and motion.support_center is not None:
        world = np.array([motion.support_center[0], 0.0, motion.support_center[1]])
        turn = T_world_canonical[:3, :3]
        center = turn.T @ (world - T_world_canonical[:3, 3])
        yaw = motion.support_yaw - math.atan2(turn[0, 2], turn[2, 2])
        channels[:, 16:] = torch.tensor([center[0], center[2], math.sin(yaw), math.cos(yaw)])
    return channels


def mirror_channels(channels: Float[Tensor, "*batch t 315"]) -> Float[Tensor, "*batch t 315"]:
    """Mirror the annotations in x = 0 (``features.mirror_features`` does the rest): x and sine change sign."""
    mirrored = channels.clone()
    for index in (ANNOTATIONS["center"].start, ANNOTATIONS["yaw"].start):
        mirrored[..., index] = -channels[..., index]
    return mirrored


def segments_from_labels(
    scores: Float[Tensor, "t 16"], *, fps: float, names: Sequence[str] = FRAME_LABELS
) -> tuple[Segment, ...]:
    """Segments covering the motion, from frames' label scores; a run shorter than ``SHORTEST_SEC`` joins the one before."""
    labels = scores.argmax(-1).tolist()
    starts = [i for i in range(len(labels)) if i == 0 or labels[i] != labels[i - 1]]
    runs: list[tuple[int, int, int]] = []
    for start, end in zip(starts, [*starts[1:], len(labels)], strict=True):
        label = labels[start]
        if runs and (end - start < SHORTEST_SEC * fps or runs[-1][2] == label):
            runs[-1] = (runs[-1][0], end, runs[-1][2])
        elif runs and runs[-1][1] - runs[-1][0] < SHORTEST_SEC * fps:  # only the very first run can still be short
            runs[-1] = (runs[-1][0], end, label)
        else:
            runs.append((start, end, label))
    return tuple(Segment(label=names[k], start_sec=start / fps, end_sec=end / fps) for start, end, k in runs)


def support_from_channels(channels: Float[Tensor, "t 315"]) -> tuple[tuple[float, float], float]:
    """(x, z) of the support's middle, metres, and its heading, radians: means over time, canonical frame."""
    x, z = channels[:, ANNOTATIONS["center"]].mean(0).tolist()
    sine, cosine = channels[:, ANNOTATIONS["yaw"]].mean(0).tolist()
    return (x, z), math.atan2(sine, cosine)
