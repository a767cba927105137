"""Real labels that films contradict are left out of training, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from recognition.inputs.rgb import FrameStore
from recognition.label_check import LabelCheck, label_check
from recognition.networks.build import to_network
from recognition.recordings import Recording, TrainingClips
from recognition.study_file import make_study
from recognition.windows import evaluation_windows
from tests.make.videos import SEGMENTS, recording, study_data

STUDY = make_study(study_data(Path("r.csv"), Path("t.csv")))
RIGHT = recording("right")
COARSE = recording("coarse", segments=tuple(replace(segment, label="standing") for segment in SEGMENTS))
"""The whole recording has one label, as tables often have it."""
SHIFTED = recording("shifted", segments=tuple(replace(segment, label="fall") for segment in SEGMENTS))

FILM = recording("film", is_synthetic=True)


class TruthStore(FrameStore):
    """Every window is one grey: 80 times the class that a recording truly shows at that time."""

    def plain(self, recording, window):
        shown = next(s.label for s in SEGMENTS if window.middle_sec < s.end_sec)
        grey = 80 * next(index for index, labels in enumerate(STUDY.classes.values()) if shown in labels)
        return torch.full((3, self.frames, self.size, self.size), grey, dtype=torch.uint8)


STORE = TruthStore(folder=Path(), size=1, frames=1, window_sec=1.0)


class Knows(nn.Module):
    """Tells the class by its grey, moved by ``shift``."""

    def __init__(self, shift: int = 0) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, seen):
        grey = (seen[:, 0, 0, 0, 0] * 0.225 + 0.45) * 255 / 80
        return 20.0 * functional.one_hot((grey.round().long() + self.shift) % 3, 3).float()


def check_by(network: nn.Module, real: list[Recording], *, films: Recording = FILM) -> LabelCheck | None:
    return label_check(network, TrainingClips(real=real, synthetic=[films]), STUDY, store=STORE)


def weights(check, of: Recording) -> list[tuple[str, float]]:
    """True class and weight of the windows of a recording, as labelled."""
    windows = evaluation_windows([of], STUDY.classes, window_sec=1.0)
    seen = to_network(torch.stack([STORE.plain(of, window) for window in windows]))
    labels = torch.tensor([window.label for window in windows])
    truth = [int(STORE.plain(of, window)[0, 0, 0, 0]) // 80 for window in windows]
    names = list(STUDY.classes)
    found = check.weights(seen, labels, [None if of.is_synthetic else of] * len(windows)).tolist()
    return [(names[shown], weight) for shown, weight in zip(truth, found, strict=True)]


def test_what_films_contradict_is_left_out_and_nothing_else():
    check = check_by(Knows(), [RIGHT, RIGHT, COARSE])
    assert check is not None
    assert {weight for _, weight in weights(check, RIGHT)} == {1.0}
    assert {(shown, weight) for shown, weight in weights(check, COARSE)} == {("standing", 1.0), ("fall", 0.0), ("down", 0.0)}
    assert check.doubted() == {"coarse": pytest.approx(2 / 3, abs=0.1), "right": 0.0}


def test_the_rare_class_is_never_left_out():
    check = check_by(Knows(), [RIGHT])
    assert check is not None
    assert {weight for _, weight in weights(check, SHIFTED)} == {1.0}


def test_synthetic_windows_always_count():
    check = check_by(Knows(), [RIGHT])
    assert check is not None
    coarse = recording("film", segments=COARSE.segments, is_synthetic=True)
    assert {weight for _, weight in weights(check, coarse)} == {1.0}
    assert check.doubted() == {}


def test_a_network_that_knows_too_little_of_real_clips_doubts_none():
    assert check_by(Knows(shift=1), [RIGHT]) is None


def test_classes_that_no_film_shows_are_never_doubted():
    films = recording("film", segments=SEGMENTS[:1], is_synthetic=True)
    check = check_by(Knows(), [RIGHT], films=films)
    assert check is not None
    down = recording("down", segments=tuple(replace(segment, label="fallen") for segment in SEGMENTS))
    assert {weight for _, weight in weights(check, down)} == {1.0}
    # Agreement counts where the films can know: "Knows" is wrong about all that they show here.
    assert check_by(Knows(shift=1), [RIGHT], films=films) is None
    only_down = recording("down", segments=(replace(SEGMENTS[2], label="fallen"),))
    assert check_by(Knows(), [only_down], films=films) is None
