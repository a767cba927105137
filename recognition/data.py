"""The clips of a study: read, checked for leaks, and identified by digests."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from augment.files import code_digest, sha256_of_json

from .clip_warnings import (
    belonging_warnings,
    label_warnings,
    late_warnings,
    no_class,
    person_warnings,
    require_labels,
)
from .csv_table import read_csv
from .device import compute_device, compute_dtype
from .held_out import hold_out
from .inputs.kinds import INPUTS, ClipInput
from .inputs.readable import decodable
from .leaks import has_unknown_sources, refuse_leaks
from .networks.build import build_model, start_from
from .networks.weights import weights_file
from .recordings import Place, Recording, TrainingClips, describe, place_digest, recordings_digest
from .shard_samples import read_samples
from .study import Arm, Source, Study
from .subsets import clips_of, without_useless_arms


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyData:
    """A study with its clips, checked for leaks."""

    study: Study
    training: dict[str, TrainingClips]
    """Training clips of each arm."""
    test: list[Recording]
    held_out: list[Recording]
    """Neither trained nor tested on: temperature and alarm threshold are set on them."""
    warnings: list[str]
    """Limits of the conclusions; shown in the report."""


def read_source(source: Source, *, group_by: Sequence[str] = ()) -> list[Recording]:
    """The recordings of a CSV or of shards.

    Raises:
        ValueError: If they are malformed.
        OSError: If a file cannot be read.
    """
    if source.csv is not None:
        found = read_csv(source.csv, where=source.where, group_by=group_by)
        return [recording if recording.plate else replace(recording, plate=source.plate) for recording in found]
    return [recording for path in source.shards for recording in read_samples(path)]


def read_data(study: Study) -> StudyData:
    """Read all clips of a study, decoding nothing, and refuse it if an arm would be trained on what it is tested on.

    Raises:
        ValueError: For clips that cannot be read or would leak, if no test clip has a class, or for weights that do not fit.
        OSError: If a file cannot be read.
    """
    read: dict[str, list[Recording]] = {}

    def clips(source: Source | None) -> list[Recording]:
        if source is None:
            return []
        key = source.model_dump_json()
        if key not in read:
            read[key] = read_source(source, group_by=study.group_by)
        return read[key]

    for one in study.each_input().values():
        require_weights(one)
    test = clips(study.test)
    training = {
        arm.name: TrainingClips(real=clips(study.source(arm, "real")), synthetic=clips(study.source(arm, "synthetic")))
        for arm in study.arms
    }
    arms = [arm for arm in study.arms if not arm.smaller]  # the smaller ones have clips of these and no others
    for arm in arms:
        refuse_leaks(training[arm.name].all, test, arm=arm.name)
    everything = _once([*test, *(recording for found in training.values() for recording in found.all)])
    require_labels(study, everything, lambda: [*clips(study.real), *clips(study.synthetic)])
    warnings = [
        *_test_warnings(study, test),
        *_training_warnings(study, {arm.name: training[arm.name] for arm in arms}, test),
        *label_warnings(study, everything),
        *late_warnings(everything),
        *person_warnings(study, everything),
        *belonging_warnings(study, everything),
    ]
    if len(study.seeds) < 3:
        warnings.append(f"{len(study.seeds)} seed(s): intervals over seeds need at least three.")
    held_out, training = _keep_apart(study, training, test, clips)
    study, dropped = without_useless_arms(study, training)
    training = {arm.name: training[arm.name] for arm in study.arms}
    return StudyData(study=study, training=training, test=test, held_out=held_out, warnings=warnings + dropped)


def require_weights(study: Study) -> None:
    """Check that the file of ``weights`` of a study with one input fits its network, before anything is decoded.

    Raises:
        ValueError: If it does not; the message names the field and the file.
    """
    if weights_file(study.weights, input=study.input, model=study.model) is None:
        return
    with torch.random.fork_rng():
        network = build_model(study.model, len(study.classes), frames=study.frames, size=study.size)
        start_from(network, study.weights, model=study.model, input=study.input)


def _keep_apart(
    study: Study,
    training: dict[str, TrainingClips],
    test: list[Recording],
    clips: Callable[[Source | None], list[Recording]],
) -> tuple[list[Recording], dict[str, TrainingClips]]:
    """The recordings to set temperature and alarm threshold on, and every arm's clips without them."""
    if study.validation is not None:
        held_out = clips(study.validation)
        if not any(describe(held_out, study.classes)["seconds_per_class"].values()):
            raise ValueError(f"validation: {no_class(study, held_out)}")
        refuse_leaks(held_out, test, arm="validation", sides=("validation", "test"))
        for name, found in training.items():
            refuse_leaks(found.all, held_out, arm=name, sides=("training", "validation"))
        return held_out, training
    for source in (study.real, study.synthetic):
        found = clips(source)
        if groups := hold_out(found, study.classes, rare=study.rare_class, share=study.held_out):
            kept = {name: training_clips.without(groups) for name, training_clips in training.items()}
            return [recording for recording in found if recording.group in groups], kept
    return [], training


def held_out_from(data: StudyData) -> str:
    """What temperature and alarm threshold are set on, in words."""
    if not data.held_out:
        return "nothing"
    if data.study.validation is not None:
        return "clips of `validation`"
    return "synthetic clips held out" if data.held_out[0].is_synthetic else "real clips held out of training"


def open_input(study: Study, folder: Path) -> ClipInput:
    """What the study's classifiers look at; it keeps what it reads in ``folder``."""
    kind = INPUTS[study.input]
    return kind.store(folder=folder, size=study.size, frames=study.frames, window_sec=study.window_sec, room_gb=study.keep_gb)


def _test_warnings(study: Study, test: list[Recording]) -> list[str]:
    counts = describe(test, study.classes)
    empty = [name for name, seconds in counts["seconds_per_class"].items() if seconds == 0]
    if len(empty) == len(study.classes):
        raise ValueError(f"test: {no_class(study, test)}")
    found = []
    if empty:
        found.append(f"No test window of: {', '.join(empty)}; macro accuracy is over the other classes.")
    if counts["synthetic"]:
        found.append(
            f"{counts['synthetic']} of {counts['recordings']} test clips are synthetic: "
            "the results say nothing about real clips."
        )
    return found


def _training_warnings(study: Study, training: dict[str, TrainingClips], test: list[Recording]) -> list[str]:
    found = []
    for name, clips in training.items():
        seconds = describe(clips.all, study.classes)["seconds_per_class"]
        if missing := [label for label, value in seconds.items() if value == 0]:
            found.append(f"Arm {name} has no training clip of: {', '.join(missing)}.")
    synthetic = _once(r for clips in training.values() for r in clips.synthetic if r.is_synthetic)
    unknown = sum(map(has_unknown_sources, synthetic))
    if unknown and any(not r.is_synthetic for r in test):
        found.append(
            f"{unknown} of {len(synthetic)} synthetic clips do not say which recordings they were made from (`recordings` in "
            "their provenance): whether their rooms or motions come from test recordings could not be checked."
        )
    tested = {r.row["subject"] for r in test if r.row.get("subject")}
    trained = {r.row["subject"] for clips in training.values() for r in clips.real if r.row.get("subject")}
    if shared := sorted(tested & trained):
        found.append(f"Training and test show the same person(s): {', '.join(shared)}; others may be harder to recognize.")
    return found


def _once(recordings: Iterable[Recording]) -> list[Recording]:
    return list({recording.place: recording for recording in recordings}.values())


def all_recordings(data: StudyData) -> list[Recording]:
    """Every recording of a study, each once."""
    training = (recording for clips in data.training.values() for recording in clips.all)
    return _once([*training, *data.test, *data.held_out])


def drop_undecodable(data: StudyData, store: ClipInput, *, progress: Callable[[int, int], Any]) -> tuple[StudyData, list[str]]:
    """Decode all videos of a study; ``progress`` is called with how many are decoded, and how many there are.

    Returns:
        The study without the videos that cannot be decoded, and the reason for each of those.
    Raises:
        ValueError: If of the films, the real training clips or the test clips more than ``Study.max_bad_share`` are.
    """
    tested = {recording.place for recording in data.test}
    parts: dict[str, list[Recording]] = {}
    for recording in all_recordings(data):
        part = "test" if recording.place in tested else "synthetic" if recording.is_synthetic else "real"
        parts.setdefault(part, []).append(recording)
    places, problems, before, total = set(), [], 0, sum(map(len, parts.values()))
    for recordings in parts.values():
        done = functools.partial(_shifted, progress, before, total)
        near = [recording for recording in recordings if not recording.url]  # the others are fetched when they are drawn
        good, bad = decodable(near, store, max_bad_share=data.study.max_bad_share, progress=done)
        places |= {recording.place for recording in recordings if recording.url} | {recording.place for recording in good}
        problems, before = problems + bad, before + len(recordings)

    def keep(recordings: list[Recording]) -> list[Recording]:
        return [recording for recording in recordings if recording.place in places]

    training = {
        name: TrainingClips(real=keep(clips.real), synthetic=keep(clips.synthetic)) for name, clips in data.training.items()
    }
    return replace(data, training=training, test=keep(data.test), held_out=keep(data.held_out)), problems


def _shifted(progress: Callable[[int, int], Any], before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


def _weights_digest(study: Study) -> str:
    path = weights_file(study.weights, input=study.input, model=study.model)
    return place_digest(Place(path=path)) if path else study.weights


def run_digest(data: StudyData, arm: Arm, seed: int, *, threads: int) -> str:
    """SHA-256 over everything that decides a run's result: settings, clips, code, torch's version, threads.

    ``data.study`` has one input. Every setting counts except those listed here: a new field of ``Study`` or ``Arm`` changes the
    digest by default.
    """
    labels = {"name", "note", "baseline", "max_bad_share", "labels", "hard_negatives", "alarm_windows", "alarm_recall"}
    labels |= {"alarm_release", "show_clips", "keep_gb"}
    labels |= {"shares", "few", "films"}  # they make arms, whose settings count
    elsewhere = {
        "real",
        "synthetic",
        "test",
        "arms",
        "seeds",
        "precision",
        "inputs",
        "validation",
        "held_out",
        "weights",
    }  # their content is in the facts below
    clips, device = clips_of(data.study, arm, data.training[arm.name], seed=seed), compute_device()
    facts = {
        "classes": list(data.study.classes),  # their order decides the numbers of the classes
        "study": data.study.model_dump(mode="json", exclude=labels | elsewhere),
        "arm": arm.model_dump(mode="json", exclude={"name", "real", "synthetic", "reference", "smaller"}),
        "seed": seed,
        "weights": _weights_digest(data.study),
        "clips": [recordings_digest(recordings) for recordings in (clips.real, clips.synthetic, data.test, data.held_out)],
        "code": code_digest(Path(__file__).parent),
        "computed": [str(compute_dtype(data.study.precision, device)), device.type, threads, torch.__version__],
    }
    return sha256_of_json(facts)
