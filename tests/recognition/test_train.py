"""Which clips a network is trained on, and what it keeps of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from recognition.inputs.rgb import FrameStore
from recognition.recordings import TrainingClips
from recognition.study import Arm
from recognition.study_file import make_study
from recognition.train import batches
from tests.make.videos import recording, study_data

CLIPS = TrainingClips(real=[recording()], synthetic=[recording("made", is_synthetic=True)])


class MarkedStore(FrameStore):
    """Gives every window a single pixel: 1 for a synthetic clip, plus 2 if it is augmented."""

    def plain(self, recording, window):
        return torch.full((3, self.frames, self.size, self.size), int(recording.is_synthetic), dtype=torch.uint8)

    def augmented(self, recording, window, *, rng):
        return self.plain(recording, window) + 2


STORE = MarkedStore(folder=Path(), size=1, frames=1, window_sec=1.0)


def draws(arm: Arm, **changes) -> np.ndarray:
    """The marks of each batch's windows. Shape (steps, batch)."""
    study = make_study(study_data(Path("r.csv"), Path("t.csv"), **changes))
    return np.stack([batch.windows[:, 0, 0, 0, 0].numpy() for batch in batches(study, arm, CLIPS, store=STORE, seed=0)])


def test_synthetic_share_is_the_share_of_synthetic_windows():
    for share in (0.2, 0.5, 0.9):
        arm = Arm(name="mixed", synthetic=True, synthetic_share=share)
        assert abs(draws(arm, steps=100).mean() - share) < 0.06


def test_an_arm_that_checks_labels_sees_real_clips_in_the_second_half_alone():
    made = draws(Arm(name="a", synthetic=True, check_labels=True), steps=41)
    assert made[:20].all()
    assert abs(made[20:].mean() - 0.5) < 0.1
    nothing_real = TrainingClips(real=[], synthetic=CLIPS.synthetic)
    study = make_study(study_data(Path("r.csv"), Path("t.csv"), steps=3))
    arm = Arm(name="a", synthetic=True, check_labels=True)
    assert len(list(batches(study, arm, nothing_real, store=STORE, seed=0))) == 3


def test_augment_augments_every_window():
    assert (draws(Arm(name="a", synthetic=True, augment=True), steps=3) >= 2).all()


def test_every_class_is_drawn_equally_often():
    study = make_study(study_data(Path("r.csv"), Path("t.csv"), steps=100))
    labels = torch.cat([batch.labels for batch in batches(study, study.arms[0], CLIPS, store=STORE, seed=0)])
    assert (abs(labels.bincount(minlength=3) / len(labels) - 1 / 3) < 0.06).all()
