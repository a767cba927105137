"""Training data of the generator: features, annotations and conditions of a motion store; augmentation and batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..actions import ACTIONS, FRAME_LABELS, Action
from ..files import canonical_json, sha256_of
from ..geometry import heading_of, rotation6d_to_matrix, yaw_to_matrix
from ..motion.contacts import FOOT_JOINTS
from ..motion.features import FEATURES, canonicalise, mirror_features, mirror_joints, motion_to_features
from ..motion.labels import core_label
from ..types import Motion
from .conditions import (
    ANNOTATIONS,
    CHANNELS,
    Conditions,
    annotations_of,
    conditions_of,
    label_channels,
    mirror_channels,
    stack_conditions,
)

FPS = 20.0
"""Frames a second the generator works at."""

MAX_FRAMES = 200
"""Longest example: 10 s."""

MOST_CAPTIONS = 20
"""Captions that are kept of an action of the user's own."""

RestJoints = Callable[[np.ndarray], np.ndarray]
"""From betas (10,) to joints in the zero pose (24, 3), metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """All motions of a store as features."""

    channels: tuple[Float[Tensor, "_ 315"], ...]
    """Features and annotations of each motion, canonical frame."""
    rest_joints: Float[Tensor, "n 24 3"]
    """Each motion's body in the zero pose, metres."""
    conditions: Conditions
    """One row a motion."""
    actions: tuple[str, ...]
    """The actions that occur, sorted."""
    labels: tuple[str, ...]
    """Frame labels of the 16 channels, see ``conditions.label_channels``."""
    own: dict[str, Action]
    """Actions of the user's own, as their motions show them."""
    digest: str
    """Digest of the features, to compare a checkpoint's data."""

    def __len__(self) -> int:
        return len(self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Examples padded to a common length."""

    x0: Float[Tensor, "b t 315"]
    """Channels, not normalised; 0 past the end."""
    valid: Bool[Tensor, "b t"]
    rest_joints: Float[Tensor, "b 24 3"]
    conditions: Conditions


def default_rest_joints() -> RestJoints:
    """Rest joints of the open default body."""
    from ..body.model import load_body

    return load_body().rest_joints


def load_training_set(store_dir: Path) -> TrainingSet:
    """Read a motion store, resampled to 20 frames/s.

    Raises:
        ValueError: If the store is empty.
    """
    from ..motion.resample import resample
    from ..motion.store import read_store

    store = read_store(Path(store_dir))
    motions = (store[index] for index in range(len(store)))
    return training_set((motion if motion.fps == FPS else resample(motion, FPS) for motion in motions), default_rest_joints())


def training_set(motions: Iterable[Motion], rest_joints_of: RestJoints) -> TrainingSet:
    """Features of motions at 20 frames/s.

    Raises:
        ValueError: If there are no motions, or one has another rate.
    """
    channels, rests, kept = [], [], list(motions)
    labels = label_channels(segment.label for motion in kept for segment in motion.segments)
    for motion in kept:
        if motion.fps != FPS:
            raise ValueError(f"motion {motion.name!r}: expected {FPS:g} frames/s, found {motion.fps:g}; resample it first")
        rest = np.array(rest_joints_of(np.asarray(motion.betas)))
        features, T_world_canonical = motion_to_features(motion, rest)
        channels.append(torch.cat([features.float(), annotations_of(motion, T_world_canonical, labels)], dim=-1))
        rests.append(torch.tensor(rest, dtype=torch.float32))
    if not kept:
        raise ValueError("the motion store holds no motions; build one with `augment motions library` or `import`")
    actions, own = tuple(sorted({motion.action for motion in kept})), own_actions(kept)
    return TrainingSet(
        channels=tuple(channels),
        rest_joints=torch.stack(rests),
        conditions=conditions_of(
            action=[actions.index(motion.action) for motion in kept],
            support=[motion.support for motion in kept],
            support_height=[motion.support_height for motion in kept],
            betas=np.stack([np.asarray(motion.betas, dtype=np.float32) for motion in kept]),
            seconds=[motion.seconds for motion in kept],
        ),
        actions=actions,
        labels=labels,
        own=own,
        digest=sha256_of(b"".join(part.numpy().tobytes() for part in channels) + _own_names(labels, own)),
    )


def own_actions(motions: Sequence[Motion]) -> dict[str, Action]:
    """Each action that is not in ``ACTIONS``, with the frame label that most of its motions have for it, and their captions."""
    found: dict[str, list[Motion]] = {}
    for motion in motions:
        if motion.action not in ACTIONS:
            found.setdefault(motion.action, []).append(motion)
    actions = {}
    for name, shown in sorted(found.items()):
        counts = Counter(core_label(motion) for motion in shown)
        said = sorted({motion.caption.replace("{", "{{").replace("}", "}}") for motion in shown if motion.caption})
        actions[name] = Action(label=max(sorted(counts), key=lambda label: counts[label]), captions=tuple(said[:MOST_CAPTIONS]))
    return actions


def _own_names(labels: Sequence[str], own: dict[str, Action]) -> bytes:
    """What the names of the user's own add to a digest; nothing where there are none."""
    if not own and tuple(labels) == FRAME_LABELS:
        return b""
    return canonical_json([labels, {name: asdict(action) for name, action in own.items()}])


def normalisation(data: TrainingSet) -> tuple[Float[Tensor, "315"], Float[Tensor, "315"]]:
    """Mean and standard deviation of each channel over all frames, both mirrors.

    A channel's deviation is at least 0.3 of its part's mean, so that joints that hardly move are not amplified; annotations
    have mean 0 and deviation 0.5, so that a one-hot weighs like a feature.
    """
    frames = torch.cat(data.channels)
    frames = torch.cat([frames, mirror_features(mirror_channels(frames))]).double()
    mean, std = frames.mean(0), frames.std(0)
    for part in FEATURES.values():
        std[part] = torch.maximum(std[part], 0.3 * std[part].mean()).clamp(min=1e-3)
    annotations = slice(ANNOTATIONS["labels"].start, CHANNELS)
    mean[annotations], std[annotations] = 0.0, 0.5
    return mean.float(), std.float()


def floor_heights(data: TrainingSet) -> tuple[Float[Tensor, "24"], Float[Tensor, "4"]]:
    """Lowest height of each joint (1 % quantile), and height of each foot joint while it stands (median), metres.

    These are estimated from the data, because they depend on the body.
    """
    frames = torch.cat(data.channels)
    heights = frames[:, FEATURES["joints"]].unflatten(-1, (24, 3))[..., 1]
    contacts = frames[:, FEATURES["contacts"]] > 0.5
    lowest = torch.quantile(heights[torch.linspace(0, len(heights) - 1, min(len(heights), 100_000)).long()], 0.01, dim=0)
    feet = heights[:, list(FOOT_JOINTS)]
    standing = torch.stack(
        [feet[contacts[:, k], k].median() if contacts[:, k].any() else lowest[FOOT_JOINTS[k]] for k in range(4)]
    )
    return lowest, standing


def example(
    data: TrainingSet, index: int, *, generator: torch.Generator, mirror: bool, trim: float
) -> tuple[Tensor, Tensor, Conditions]:
    """One motion, cut to at most 10 s at a random place, its ends trimmed with chance ``trim``, mirrored with chance 1/2."""
    channels, rest = data.channels[index], data.rest_joints[index]
    conditions = data.conditions.rows(slice(index, index + 1))
    draws = torch.rand(5, generator=generator).tolist()
    first, last = 0, len(channels)
    if draws[0] < trim and last > 40:
        first, last = int(draws[1] * 0.15 * last), last - int(draws[2] * 0.15 * last)
    if last - first > MAX_FRAMES:
        first += int(draws[3] * (last - first - MAX_FRAMES + 1))
        last = first + MAX_FRAMES
    channels = channels[first:last]
    if mirror and draws[4] < 0.5:
        channels, rest = mirror_features(mirror_channels(channels)), mirror_joints(rest)
    if first > 0:
        channels = recanonicalise(channels)
    goal, heading = goal_of(channels)
    seconds = torch.tensor([len(channels) / FPS])
    given = torch.zeros(1, dtype=torch.bool)
    conditions = replace(
        conditions, seconds=seconds, goal=goal[None], heading=heading[None], drop_goal=given, drop_heading=given
    )
    return channels, rest, conditions


def goal_of(channels: Float[Tensor, "t 315"]) -> tuple[Float[Tensor, "2"], Float[Tensor, ""]]:
    """(x, z) of the pelvis in the last frame, metres, and its heading there, radians; canonical frame."""
    last = channels[-1]
    return last[FEATURES["root"]][[0, 2]], heading_of(rotation6d_to_matrix(last[FEATURES["orient"]]))


def part_of(data: TrainingSet, rows: Sequence[int]) -> TrainingSet:
    """Some of the motions; actions, labels and digest stay those of the whole."""
    index = torch.as_tensor(list(rows), dtype=torch.long)
    return replace(
        data,
        channels=tuple(data.channels[row] for row in rows),
        rest_joints=data.rest_joints[index],
        conditions=data.conditions.rows(index),
    )


def split_rows(data: TrainingSet, *, held_out: float, generator: torch.Generator) -> tuple[list[int], list[int]]:
    """Rows to train on, and rows held out (the same share of each action, at least one kept)."""
    train, test = [], []
    for action in range(len(data.actions)):
        rows = torch.nonzero(data.conditions.action == action)[:, 0]
        rows = rows[torch.randperm(len(rows), generator=generator)].tolist()
        count = int(len(rows) * held_out)
        test += rows[:count]
        train += rows[count:]
    return train, test


def recanonicalise(channels: Float[Tensor, "t 315"]) -> Float[Tensor, "t 315"]:
    """Move features and annotations to the canonical start of the first frame that is left."""
    moved = canonicalise(channels)
    yaw = heading_of(rotation6d_to_matrix(channels[0, FEATURES["orient"]]))
    turn = yaw_to_matrix(-yaw)[[0, 2]][:, [0, 2]]
    has_support = channels[:, ANNOTATIONS["yaw"]].norm(dim=-1, keepdim=True) > 0.5
    offset = channels[0, FEATURES["root"]][[0, 2]]
    moved[:, ANNOTATIONS["center"]] = (channels[:, ANNOTATIONS["center"]] - offset) @ turn.T * has_support
    # (sin, cos) of a heading is the (x, z) of its direction, so it turns like a point.
    moved[:, ANNOTATIONS["yaw"]] = channels[:, ANNOTATIONS["yaw"]] @ turn.T
    return moved


def draw_batch(data: TrainingSet, size: int, *, generator: torch.Generator, mirror: bool, trim: float) -> Batch:
    """Draw examples, each action as likely as any other, of similar lengths, which need little padding."""
    counts = torch.bincount(data.conditions.action, minlength=len(data.actions)).float()
    weights = 1.0 / counts[data.conditions.action]
    candidates = torch.multinomial(weights, 4 * size, replacement=True, generator=generator)
    lengths = torch.tensor([len(data.channels[int(index)]) for index in candidates])
    order = candidates[lengths.argsort(stable=True)]
    start = int(torch.randint(4, (1,), generator=generator)) * size
    chosen = order[start : start + size].tolist()
    return collate([example(data, index, generator=generator, mirror=mirror, trim=trim) for index in chosen])


def collate(examples: Sequence[tuple[Tensor, Tensor, Conditions]]) -> Batch:
    """Pad examples with zeros to the longest."""
    channels, rests, conditions = zip(*examples, strict=True)
    return Batch(
        x0=torch.nn.utils.rnn.pad_sequence(list(channels), batch_first=True),
        valid=valid_frames([len(part) for part in channels]),
        rest_joints=torch.stack(list(rests)),
        conditions=stack_conditions(conditions),
    )


def valid_frames(frames: Sequence[int]) -> Bool[Tensor, "b t"]:
    """True within each motion, False past its end."""
    lengths: Int[Tensor, "b"] = torch.tensor(list(frames))
    return torch.arange(int(lengths.max()))[None] < lengths[:, None]
