"""Smaller versions of an arm: fewer recordings with the rare class (``Arm.real_events``, ``Arm.films``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .recordings import Recording, TrainingClips
from .study import Arm, Study


def rare_recordings(study: Study, recordings: Sequence[Recording]) -> list[Recording]:
    """Those that show the rare class."""
    labels = set(study.classes[study.rare_class])
    return [recording for recording in recordings if labels & {segment.label for segment in recording.segments}]


def clips_of(study: Study, arm: Arm, clips: TrainingClips, *, seed: int) -> TrainingClips:
    """What an arm is trained on with a seed: its clips, or with fewer of the rare class.

    For one seed, a smaller set is part of a larger one, and arms that take as many take the same.
    """

    def fewer(recordings: list[Recording], count: int | None, stream: int) -> list[Recording]:
        if count is None:
            return recordings
        rare = sorted(rare_recordings(study, recordings), key=lambda recording: recording.name)
        order = np.random.default_rng([seed, stream]).permutation(len(rare))
        left_out = {rare[index].place for index in order[count:]}
        return [recording for recording in recordings if recording.place not in left_out]

    return TrainingClips(real=fewer(clips.real, arm.real_events, 30), synthetic=fewer(clips.synthetic, arm.films, 31))


def without_useless_arms(study: Study, training: Mapping[str, TrainingClips]) -> tuple[Study, list[str]]:
    """The study without smaller arms that have nothing to train on, or as much as the arm they are taken from; warnings."""
    empty, same = [], []
    for arm in study.arms:
        if not arm.smaller:
            continue
        clips = training[arm.name]
        counts = [(arm.real_events, clips.real), (arm.films, clips.synthetic)]
        if any(wanted >= len(rare_recordings(study, found)) for wanted, found in counts if wanted is not None):
            same.append(arm.name)
            continue
        left = clips_of(study, arm, clips, seed=0)
        kinds = [left.all]
        if not all(kinds):
            empty.append(arm.name)
    rare, warnings = study.rare_class, []
    if same:
        warnings.append(f"No more recordings with “{rare}” than they ask for, so these are left out: {', '.join(same)}.")
    if empty:
        warnings.append(f"Every recording shows “{rare}”, so that none is left to train these on: {', '.join(empty)}.")
    return study.model_copy(update={"arms": [arm for arm in study.arms if arm.name not in {*same, *empty}]}), warnings
