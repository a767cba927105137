"""Measures of sampled motions: recognition accuracy, distribution, physical plausibility and novelty.

The evaluator is a small convolutional network trained here to recognise the action of a motion from its joints; results of
different evaluators are not comparable. Distributions are compared in its last hidden layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..motion.contacts import foot_contacts
from ..motion.features import FEATURES, mirror_features
from ..motion.plausibility import floor_penetration, foot_skate, jitter
from .dataset import FPS, MAX_FRAMES, TrainingSet, valid_frames

RESAMPLINGS = 20
"""Bootstrap draws behind every interval."""


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


def split_rows(data: TrainingSet, *, held_out: float, generator: torch.Generator) -> tuple[list[int], list[int]]:
    """Rows for training the evaluator, and rows held out (the same share of each action)."""
    train, test = [], []
    for action in range(len(data.actions)):
        rows = torch.nonzero(data.conditions.action == action)[:, 0]
        rows = rows[torch.randperm(len(rows), generator=generator)].tolist()
        count = int(len(rows) * held_out)
        test += rows[:count]
        train += rows[count:]
    return train, test


def frechet(a: Float[np.ndarray, "n e"], b: Float[np.ndarray, "m e"]) -> float:
    """Frechet distance between the Gaussians fitted to two sets of embeddings (Heusel et al. 2017, eq. 6)."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(first @ second))
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root))


def resampled(measure: Callable[[np.ndarray], float], count: int, *, rng: np.random.Generator) -> Figure:
    """A measure of all ``count`` items, and 1.96 std / sqrt(n) of it over bootstrap draws of them."""
    draws = [measure(rng.integers(count, size=count)) for _ in range(RESAMPLINGS)]
    return Figure(value=measure(np.arange(count)), interval=float(1.96 * np.std(draws) / np.sqrt(RESAMPLINGS)))


def recognition_figures(
    evaluator: Evaluator,
    made: Sequence[Float[Tensor, "_ _"]],
    actions: Float[np.ndarray, "n"] | np.ndarray,
    real: Sequence[Float[Tensor, "_ _"]],
    *,
    rng: np.random.Generator,
) -> dict[str, Figure]:
    """Accuracy of the evaluator on made motions, Frechet distance to real ones, and how far apart made ones are."""
    embeddings, logits = evaluator(made)
    ours, theirs = embeddings.numpy(), evaluator(real)[0].numpy()
    right = logits.argmax(-1).numpy() == np.asarray(actions)
    order = rng.permutation(len(made))

    def spread(rows: np.ndarray) -> float:
        half = len(rows) // 2
        return float(np.linalg.norm(ours[order[rows[:half]]] - ours[order[rows[half : 2 * half]]], axis=1).mean())

    return {
        "accuracy": resampled(lambda rows: float(right[rows].mean()), len(made), rng=rng),
        "frechet": resampled(lambda rows: frechet(ours[rows], theirs), len(made), rng=rng),
        "diversity": resampled(spread, len(made), rng=rng),
    }


def physics_figures(joints: Sequence[Float[np.ndarray, "_ 24 3"]], *, rng: np.random.Generator) -> dict[str, Figure]:
    """Foot skate (m/s), depth of the lowest joint below the floor (m), and jerk (m/s^3), means over motions."""
    rows = np.array(
        [(foot_skate(part, foot_contacts(part, FPS), FPS), floor_penetration(part), jitter(part, FPS)) for part in joints]
    )
    return {
        name: resampled(lambda draw, k=k: float(rows[draw, k].mean()), len(rows), rng=rng)
        for k, name in enumerate(("foot_skate", "floor_penetration", "jitter"))
    }


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
