"""Training data of priors: a motion store as frames and windows at one rate, split by person or recording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..body.model import joints_of, load_body
from ..files import sha256_of
from ..geometry import axis_angle_to_matrix
from ..motion.features import MIRROR_JOINTS, mirror_joints
from ..motion.resample import resample
from ..motion.store import MotionStore, read_store
from ..types import Motion
from .prior import PoseSequence

POSED_JOINTS = 21
"""Number of body joints that priors use; SMPL's two hand joints hardly move in any data."""

FPS = 30.0
"""Frames a second of the shipped priors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseDataset:
    """Concatenated motions at one rate, each either for training or held out."""

    rotations: Float[Tensor, "n 24 3 3"]
    """World rotation of the root (+y up), then each joint's rotation relative to its parent."""
    joints: Float[Tensor, "n 24 3"]
    """World, metres."""
    rest_joints: Float[Tensor, "m 24 3"]
    """Each motion's body in the zero pose, metres."""
    starts: Int[Tensor, " m+1"]
    """Motion ``i`` is frames ``starts[i]`` to ``starts[i + 1]``."""
    held_out: Bool[Tensor, " m"]
    """Motions not trained on: all motions of a person or recording, or none."""
    names: tuple[str, ...]
    groups: tuple[str, ...]
    """Person, or recording if the person is unknown; data are split by it."""
    fps: float
    origins: tuple[dict[str, object], ...]
    """One row per data set: ``source`` (motions' sources up to the first slash), ``licence``, ``motions``, ``frames``."""
    digest: str
    """Of the rotations and the split."""

    def __len__(self) -> int:
        return len(self.names)


def pose_dataset(store: Path | str, *, fps: float = FPS, held_out: float = 0.1, max_frames: int = 400_000) -> PoseDataset:
    """Read all motions of a store, resampled to one rate.

    Args:
        store: Folder of a motion store.
        fps: Frames a second.
        held_out: Share of the people (or recordings) held out; 0 for none.
        max_frames: Largest number of frames; of a larger store, whole motions are left out by a digest of their names.
    Raises:
        ValueError: If the store is empty, ``held_out`` lies outside 0..1, or there is only one person to hold out.
    """
    motions = read_store(store)
    if len(motions) == 0:
        raise ValueError(f"{motions.folder}: the motion store is empty; build one with `augment motions library` or `import`")
    chosen = _thinned(motions, fps, max_frames)
    return dataset_of((motions[index] for index in chosen), fps=fps, held_out=held_out)


def dataset_of(motions: Iterable[Motion], *, fps: float = FPS, held_out: float = 0.1) -> PoseDataset:
    """Make a dataset of motions in memory; arguments and errors as in ``pose_dataset``."""
    if not 0.0 <= held_out < 1.0:
        raise ValueError(f"held_out: expected 0 or more and less than 1, found {held_out}")
    if not fps > 0:
        raise ValueError(f"fps: expected more than 0, found {fps}")
    body = load_body()
    rotations, joints, rests, names, groups, origins = [], [], [], [], [], []
    for motion in motions:
        motion = resample(motion, fps)
        vectors = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
        rotations.append(axis_angle_to_matrix(torch.as_tensor(vectors, dtype=torch.float64)).float())
        joints.append(torch.as_tensor(joints_of(body, motion), dtype=torch.float32))
        rests.append(torch.tensor(np.array(body.rest_joints(motion.betas)), dtype=torch.float32))
        names.append(motion.name)
        groups.append(group_of(motion.name, motion.subject))
        collection = motion.source.split("/")[0] or "unknown"
        origins.append((collection, motion.licence or "unknown", len(motion)))
    if not names:
        raise ValueError("no motions to learn from; build a store with `augment motions library` or `augment motions import`")
    starts = torch.tensor([0, *np.cumsum([len(each) for each in rotations])])
    held = _split(groups, held_out)
    everything = torch.cat(rotations)
    return PoseDataset(
        rotations=everything,
        joints=torch.cat(joints),
        rest_joints=torch.stack(rests),
        starts=starts,
        held_out=held,
        names=tuple(names),
        groups=tuple(groups),
        fps=float(fps),
        origins=_tally(origins),
        digest=sha256_of(everything.numpy().tobytes() + repr((fps, names, held.tolist())).encode()),
    )


def group_of(name: str, subject: str = "") -> str:
    """The subject; if unknown, the motion's name without a final ``_number``, which is the recording."""
    return subject or re.sub(r"_\d+$", "", name)


def frames_of(dataset: PoseDataset, *, held_out: bool) -> Int[Tensor, " k"]:
    """Indices of the training frames, or of those held out."""
    lengths = dataset.starts[1:] - dataset.starts[:-1]
    return torch.nonzero(dataset.held_out.repeat_interleave(lengths) == held_out)[:, 0]


def windows_of(dataset: PoseDataset, length: int, *, stride: int = 1, held_out: bool) -> Int[Tensor, " w"]:
    """First frames of all windows of ``length`` frames within one motion, every ``stride`` frames."""
    if length < 1 or stride < 1:
        raise ValueError(f"windows: expected length and stride of 1 or more, found {length} and {stride}")
    pieces = [torch.zeros(0, dtype=torch.long)]
    for index in torch.nonzero(dataset.held_out == held_out)[:, 0].tolist():
        start, stop = int(dataset.starts[index]), int(dataset.starts[index + 1])
        pieces.append(torch.arange(start, stop - length + 1, stride) if stop - start >= length else pieces[0])
    return torch.cat(pieces)


def sequence_at(dataset: PoseDataset, first: Int[Tensor, " b"], length: int) -> PoseSequence:
    """Windows as a batch of sequences, shape (b, length, ...)."""
    index = first[:, None] + torch.arange(length)
    return PoseSequence(rotations=dataset.rotations[index], joints=dataset.joints[index], fps=dataset.fps)


def sequences(dataset: PoseDataset, *, held_out: bool) -> list[PoseSequence]:
    """Every training motion, or every one held out, as sequences of shape (t, ...)."""
    result = []
    for index in torch.nonzero(dataset.held_out == held_out)[:, 0].tolist():
        part = slice(int(dataset.starts[index]), int(dataset.starts[index + 1]))
        result.append(PoseSequence(rotations=dataset.rotations[part], joints=dataset.joints[part], fps=dataset.fps))
    return result


def mirror_sequence(sequence: PoseSequence) -> PoseSequence:
    """Mirror a sequence in x = 0; left and right joints are swapped."""
    return PoseSequence(rotations=mirror_rotations(sequence.rotations), joints=mirror_joints(sequence.joints), fps=sequence.fps)


def mirror_rotations(rotations: Float[Tensor, "*batch 24 3 3"]) -> Float[Tensor, "*batch 24 3 3"]:
    """Mirror rotations: R becomes S R S with S = diag(-1, 1, 1), and sides are swapped."""
    flip = torch.tensor([-1.0, 1.0, 1.0], dtype=rotations.dtype, device=rotations.device)
    return rotations[..., list(MIRROR_JOINTS), :, :] * (flip[:, None] * flip)


def _split(groups: Sequence[str], share: float) -> Bool[Tensor, " m"]:
    """Which motions are held out: groups in order of their digests, so that adding motions changes the split of few others."""
    distinct = sorted(set(groups), key=lambda group: sha256_of(group.encode()))
    if share == 0.0:
        return torch.zeros(len(groups), dtype=torch.bool)
    if len(distinct) < 2:
        raise ValueError(
            f"field subject: all motions are of one person or recording ({distinct[0]!r}), so none can be held out; "
            "import more, or ask for held_out 0"
        )
    count = min(max(round(share * len(distinct)), 1), len(distinct) - 1)
    out = set(distinct[:count])
    return torch.tensor([group in out for group in groups])


def _thinned(store: MotionStore, fps: float, max_frames: int) -> list[int]:
    """Indices of motions that fit into ``max_frames``, in the store's order."""
    sizes = [row.get("frames", 0) * fps / (row.get("fps") or fps) for row in store.rows]
    if sum(sizes) <= max_frames:
        return list(range(len(store)))
    order = sorted(range(len(store)), key=lambda i: sha256_of(store.rows[i]["name"].encode()))
    kept: list[int] = []
    total = 0.0
    for index in order:
        total += sizes[index]
        if total > max_frames and kept:
            break
        kept.append(index)
    return sorted(kept)


def _tally(origins: Sequence[tuple[str, str, int]]) -> tuple[dict[str, object], ...]:
    table: dict[tuple[str, str], list[int]] = {}
    for source, licence, frames in origins:
        table.setdefault((source, licence), []).append(frames)
    return tuple(
        {"source": source, "licence": licence, "motions": len(frames), "frames": sum(frames)}
        for (source, licence), frames in sorted(table.items())
    )
