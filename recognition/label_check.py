"""Real labels checked by synthetic clips, whose labels are exact.

A few real recordings are often labelled coarsely: a whole recording of picking something up as ``other``, also where the
person only stands. One such recording can cost another class its recall. A network that has seen synthetic clips alone tells
which real windows cannot be what their label says; they are left out. Choosing samples by another network's opinion is known
from MentorNet (Jiang et al. 2018) and co-teaching (Han et al. 2018); here the other network has exact labels of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from .evaluate import predict
from .inputs.kinds import ClipInput
from .recordings import Recording, TrainingClips
from .study import Study
from .windows import WindowSampler

IMPOSSIBLE = 0.1
"""A label of less probability is doubted."""
LEAST_AGREEMENT = 0.5
"""Share of the real windows, of classes that synthetic clips show, whose label the network must find most probable; else it
knows too little to doubt any."""


@dataclass(slots=True, kw_only=True)
class LabelCheck:
    """Which real windows to leave out of training, and how many there were of each recording."""

    network: nn.Module
    """Trained on synthetic clips alone, ready to evaluate."""
    known: frozenset[int]
    """Classes whose labels may be doubted: those that synthetic clips show, but for the rare one. Of the rare class there are
    too few windows, and an unusual one is worth most."""
    drawn: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def weights(self, seen: Tensor, labels: Int64[Tensor, " b"], real: Sequence[Recording | None]) -> Float32[Tensor, " b"]:
        """1 for a window that counts, 0 for a real one whose label is doubted.

        Args:
            seen: The windows as the network takes them.
            labels: Their classes.
            real: The real recording that each is of; None for a synthetic one.
        """
        with torch.no_grad():
            sure = self.network(seen).float().softmax(dim=1).gather(1, labels[:, None])[:, 0].cpu()
        weights = torch.ones(len(labels))
        for index, recording in enumerate(real):
            if recording is not None:
                self.drawn[recording.name] += 1
                if sure[index] < IMPOSSIBLE and int(labels[index]) in self.known:
                    self.left_out[recording.name] += 1
                    weights[index] = 0
        return weights

    def doubted(self) -> dict[str, float]:
        """Name of each real recording to the share of its drawn windows that were left out."""
        return {name: round(self.left_out[name] / count, 3) for name, count in sorted(self.drawn.items())}


def label_check(network: nn.Module, clips: TrainingClips, study: Study, *, store: ClipInput) -> LabelCheck | None:
    """A check by a network that was trained on synthetic clips alone; None where it knows too little of real ones.

    Args:
        network: Ready to evaluate.
        clips: The training clips.
        study: Gives classes and windows.
        store: What the network looks at.
    """
    shown = set(WindowSampler(clips.synthetic, study.classes, window_sec=study.window_sec).classes)
    found = predict(network, clips.real, study, store=store)
    agrees = (found.probabilities.argmax(axis=1) == found.truth)[np.isin(found.truth, list(shown))]
    if not len(agrees) or agrees.mean() < LEAST_AGREEMENT:
        return None
    return LabelCheck(network=network, known=frozenset(shown - {list(study.classes).index(study.rare_class)}))
