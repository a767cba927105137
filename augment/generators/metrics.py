"""Measures of sampled motions: recognition accuracy, distribution, physical plausibility and novelty.

The evaluator is a small convolutional network trained here to recognise the action of a motion from its joints; results of
different evaluators are not comparable. Distributions are compared in its last hidden layer.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.spatial.distance
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..files import sha256_of, write_atomic
from ..motion.contacts import foot_contacts
from ..motion.features import FEATURES, mirror_features
from ..motion.plausibility import floor_penetration, foot_skate, jitter
from .dataset import FPS, MAX_FRAMES, TrainingSet, valid_frames

RESAMPLINGS = 20
"""Bootstrap draws behind every interval."""
NEIGHBOURS = 5
"""Neighbours that bound a training motion's surroundings, for ``coverage``."""
FLOATS = 0.15
"""Height, metres, above which nothing touches the floor: an ankle stands at 6 to 11 cm."""
LOW_PELVIS = 0.45
"""Greatest height of the pelvis at the end of a fall that counts as low, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with the half-width of its 95 % confidence interval over resamplings."""

    value: float
    interval: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.interval:.3f}"


class Evaluator(nn.Module):
    """Joints and velocities of a canonical motion to its action."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        width, embedding = 96, 32
        self.layers = nn.ModuleList(nn.Conv1d(width if k else 144, width, kernel_size=5, stride=2, padding=2) for k in range(3))
        self.embedding = nn.Linear(2 * width, embedding)
        self.classes = nn.Linear(embedding, actions)

    def forward(self, motions: Sequence[Float[Tensor, "_ _"]]) -> tuple[Float[Tensor, "b e"], Float[Tensor, "b a"]]:
        """Embeddings and logits of feature sequences of any lengths."""
        x = nn.utils.rnn.pad_sequence(
            [m[:MAX_FRAMES, FEATURES["joints"].start : FEATURES["body"].start] for m in motions], True
        )
        valid = valid_frames([min(len(m), MAX_FRAMES) for m in motions])
        x = (x * torch.tensor([1.0] * 72 + [0.3] * 72)).transpose(1, 2)
        for layer in self.layers:
            x = torch.relu(layer(x))
            valid = valid[:, ::2]
            x = x * valid[:, None]
        mean = x.sum(-1) / valid.sum(-1, keepdim=True)
        hidden = torch.tanh(self.embedding(torch.cat([mean, x.amax(-1)], dim=-1)))
        return hidden, self.classes(hidden)


def train_evaluator(data: TrainingSet, rows: Sequence[int], *, generator: torch.Generator, steps: int = 400) -> Evaluator:
    """Train on the given rows of a training set and their mirror images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        evaluator = Evaluator(len(data.actions))
    optimiser = torch.optim.AdamW(evaluator.parameters(), lr=2e-3, weight_decay=0.05)
    for _ in range(steps):
        draw = torch.randint(len(rows), (32,), generator=generator).tolist()
        flips = torch.rand(32, generator=generator) < 0.5
        motions = [data.channels[rows[k]] for k in draw]
        motions = [mirror_features(motion) if flip else motion for motion, flip in zip(motions, flips, strict=True)]
        targets = data.conditions.action[[rows[k] for k in draw]]
        loss = nn.functional.cross_entropy(evaluator(motions)[1], targets, label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return evaluator.requires_grad_(False).eval()


def save_evaluator(evaluator: Evaluator, actions: Sequence[str], path: Path) -> str:
    """Write an evaluator's file; its digest, which stands beside its figures."""
    content = save(evaluator.state_dict(), {"actions": json.dumps(list(actions))})
    write_atomic(path, content)
    return sha256_of(content)


def load_evaluator(path: Path) -> tuple[Evaluator, tuple[str, ...]]:
    """An evaluator and the actions that it knows.

    Raises:
        ValueError: If the file is not an evaluator's.
    """
    try:
        with safe_open(path, framework="pt") as file:
            actions = tuple(json.loads((file.metadata() or {})["actions"]))
            evaluator = Evaluator(len(actions))
            evaluator.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - not a mapping
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{path}: not an evaluator ({error}); train one with `python -m benchmarks.motion evaluator`"
        ) from error
    return evaluator.requires_grad_(False).eval(), actions


def frechet(a: Float[np.ndarray, "n e"], b: Float[np.ndarray, "m e"]) -> float:
    """Frechet distance between the Gaussians fitted to two sets of embeddings (Heusel et al. 2017, eq. 6)."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(first @ second))
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root))


def resampled(measure: Callable[[np.ndarray], float], count: int, *, rng: np.random.Generator) -> Figure:
    """A measure of all ``count`` items, and 1.96 std / sqrt(n) of it over bootstrap draws of them."""
    draws = [measure(rng.integers(count, size=count)) for _ in range(RESAMPLINGS)]
    return Figure(value=measure(np.arange(count)), interval=float(1.96 * np.std(draws) / np.sqrt(RESAMPLINGS)))


def figures_of(
    evaluator: Evaluator,
    made: Sequence[Float[Tensor, "_ _"]],
    actions: Int[np.ndarray, "n"],
    known: Sequence[Float[Tensor, "_ _"]],
    *,
    falls: Container[int] = (),
    rng: np.random.Generator,
) -> dict[str, Figure]:
    """Every figure of a set of motions.

    Args:
        evaluator: See ``train_evaluator``.
        made: Features of the motions to be measured.
        actions: Their actions' indices.
        known: Features of the training motions.
        falls: Indices of the actions that are falls.
        rng: Of the resampling.
    Returns:
        By name: see ``recognition_figures``, ``physics_figures``; ``nearest`` (``nearest_distances``); ``fall_*`` of the falls.
    """
    distances = nearest_distances(made, known)
    joints = [joints_of_features(part) for part in made]
    found = recognition_figures(evaluator, made, actions, known, rng=rng) | physics_figures(joints, rng=rng)
    found["nearest"] = resampled(lambda rows: float(np.median(distances[rows])), len(made), rng=rng)
    fallen = [part for part, action in zip(joints, actions, strict=True) if int(action) in falls]
    return found | (fall_figures(fallen, rng=rng) if fallen else {})


def joints_of_features(features: Float[Tensor, "t _"]) -> Float[np.ndarray, "t 24 3"]:
    """The joints that features hold, metres."""
    return features[:, FEATURES["joints"]].unflatten(-1, (24, 3)).numpy().astype(np.float64)


def recognition_figures(
    evaluator: Evaluator,
    made: Sequence[Float[Tensor, "_ _"]],
    actions: Int[np.ndarray, "n"],
    known: Sequence[Float[Tensor, "_ _"]],
    *,
    rng: np.random.Generator,
) -> dict[str, Figure]:
    """What the evaluator says of made motions.

    Returns:
        ``accuracy``; ``frechet`` distance to the training motions; ``diversity``: mean distance of two motions;
        ``multimodality``: that of two of the same action; ``coverage``: share of training motions that have a made one nearer
        than their fifth neighbour among themselves.
    """
    embeddings, logits = evaluator(made)
    ours, theirs = embeddings.numpy(), evaluator(known)[0].numpy()
    right = logits.argmax(-1).numpy() == actions
    order = rng.permutation(len(made))
    among = np.sort(scipy.spatial.distance.cdist(theirs, theirs), axis=1)[:, min(NEIGHBOURS, len(theirs) - 1)]
    across = scipy.spatial.distance.cdist(theirs, ours)

    def spread(rows: np.ndarray) -> float:
        half = len(rows) // 2
        return float(np.linalg.norm(ours[order[rows[:half]]] - ours[order[rows[half : 2 * half]]], axis=1).mean())

    def spread_within(rows: np.ndarray) -> float:
        pairs = [pair for action in np.unique(actions[rows]) for pair in _pairs(rows[actions[rows] == action])]
        return float(np.mean([np.linalg.norm(ours[a] - ours[b]) for a, b in pairs])) if pairs else 0.0

    measures: dict[str, Callable[[np.ndarray], float]] = {
        "accuracy": lambda rows: float(right[rows].mean()),
        "frechet": lambda rows: frechet(ours[rows], theirs),
        "diversity": spread,
        "multimodality": spread_within,
        "coverage": lambda rows: float((across[:, rows].min(axis=1) <= among).mean()),
    }
    return {name: resampled(measure, len(made), rng=rng) for name, measure in measures.items()}


def _pairs(rows: np.ndarray) -> list[tuple[int, int]]:
    """Each row with the next one; a resampling's copies of one motion are no pair."""
    return [(int(a), int(b)) for a, b in itertools.pairwise(rows) if a != b]


def physics_figures(joints: Sequence[Float[np.ndarray, "_ 24 3"]], *, rng: np.random.Generator) -> dict[str, Figure]:
    """Means over motions: ``foot_skate`` (m/s), ``floor_penetration`` of the lowest joint (m), ``float``: share of the frames
    in which no joint is lower than ``FLOATS``, ``jitter``: jerk (m/s^3)."""
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "foot_skate": lambda part: foot_skate(part, foot_contacts(part, FPS), FPS),
        "floor_penetration": floor_penetration,
        "float": lambda part: float((part[..., 1].min(axis=1) > FLOATS).mean()),
        "jitter": lambda part: jitter(part, FPS),
    }
    return means_of(measures, joints, rng=rng)


def fall_figures(joints: Sequence[Float[np.ndarray, "_ 24 3"]], *, rng: np.random.Generator) -> dict[str, Figure]:
    """Means over falls: ``fall_speed`` and ``fall_acceleration``, the pelvis' peaks over a tenth of a second (m/s, m/s^2), so
    that jitter hardly changes them; ``fall_seconds`` that it takes from 90 to 10 % of its way down; ``falls_end_low``: share
    that ends with the pelvis below ``LOW_PELVIS``."""
    lag = round(0.1 * FPS)

    def peak(part: np.ndarray, order: int) -> float:
        change = part[:, 0]
        for _ in range(order):
            change = (change[lag:] - change[:-lag]) * (FPS / lag)
        return float(np.linalg.norm(change, axis=-1).max(initial=0.0))

    measures: dict[str, Callable[[np.ndarray], float]] = {
        "fall_speed": lambda part: peak(part, 1),
        "fall_acceleration": lambda part: peak(part, 2),
        "fall_seconds": lambda part: _seconds_down(part[:, 0, 1]),
        "falls_end_low": lambda part: float(part[-1, 0, 1] < LOW_PELVIS),
    }
    return means_of(measures, joints, rng=rng)


def _seconds_down(heights: Float[np.ndarray, "t"]) -> float:
    share = (heights - heights.min()) / max(float(np.ptp(heights)), 1e-6)
    low = int(np.argmax(share <= 0.1))
    high = np.flatnonzero(share[: low + 1] >= 0.9)
    return float(low - (high[-1] if len(high) else 0)) / FPS


def means_of(
    measures: Mapping[str, Callable[[np.ndarray], float]], parts: Sequence[np.ndarray], *, rng: np.random.Generator
) -> dict[str, Figure]:
    """The mean of each measure over motions."""
    found = {}
    for name, measure in measures.items():
        values = np.array([measure(part) for part in parts])
        found[name] = resampled(lambda rows, values=values: float(values[rows].mean()), len(values), rng=rng)
    return found


def paced(features: Float[Tensor, "t d"], frames: int = 40) -> Float[Tensor, "n"]:
    """Joints at ``frames`` evenly spaced instants as one vector, metres: motions of different lengths become comparable."""
    index = torch.linspace(0, len(features) - 1, frames).round().long()
    return features[index][:, FEATURES["joints"]].flatten()


def nearest_distances(
    motions: Sequence[Float[Tensor, "_ _"]], training: Sequence[Float[Tensor, "_ _"]], *, same: bool = False
) -> Float[np.ndarray, "n"]:
    """Mean joint distance, roughly metres, from each motion to the nearest training motion or its mirror image.

    Args:
        motions: Features.
        training: Features.
        same: Both are the same list, so that a motion is not its own neighbour.
    """
    queries = torch.stack([paced(motion) for motion in motions])
    stored = torch.stack([paced(motion) for motion in training])
    mirrored = torch.stack([paced(mirror_features(motion)) for motion in training])
    frames_joints = queries.shape[1] / 3
    straight = torch.cdist(queries, stored)
    if same:
        straight.fill_diagonal_(torch.inf)
    distances = torch.minimum(straight, torch.cdist(queries, mirrored)).amin(1)
    return (distances / frames_joints**0.5).numpy()
