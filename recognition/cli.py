"""``recognition``: train, evaluate and compare video classifiers."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from augment.command_line import exit_code_of
from augment.files import write_atomic
from augment.progress import Progress

from .commands.detect import Detect
from .commands.export import ExportClips
from .commands.source import source_of
from .commands.watch import Watch

if TYPE_CHECKING:
    from .scoring import Settled

Positional = tyro.conf.Positional


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one arm of a study with one seed, test it, and keep the network with its temperature and alarm threshold.

    These are set on clips kept out of training, as `recognition ablate` does it (`held_out`, `validation` of the study), and
    said in the last lines; `recognition watch` and `evaluate` use them.

    Example: recognition train study.yaml --arm real_synthetic --out real_synthetic.safetensors
    """

    study: Positional[Path]
    """STUDY.yaml: classes, windows, model, clips (see `recognition ablate --help`)."""
    out: Path = Path("classifier.safetensors")
    """File of the checkpoint."""
    arm: str | None = None
    """An arm of the study; by default its first."""
    seed: int | None = None
    """Decides weights, batches and dropout; by default the study's first."""
    input: str | None = None
    """An input of the study, by name; by default its first."""

    def run(self) -> None:
        """Train, save, print figures."""
        import tempfile

        from .checkpoint import save_checkpoint
        from .clip_warnings import few_events
        from .data import drop_undecodable, held_out_from, open_input, read_data
        from .evaluate import predict, watch_whole
        from .scoring import figures_of, settle
        from .study_file import load_study
        from .subsets import clips_of
        from .train import train

        inputs = load_study(self.study).each_input()
        if self.input is not None and self.input not in inputs:
            raise ValueError(f"unknown input {self.input!r}; the study has: {', '.join(inputs)}")
        study = inputs[self.input or next(iter(inputs))]
        names = [arm.name for arm in study.arms]
        if self.arm is not None and self.arm not in names:
            raise ValueError(f"unknown arm {self.arm!r}; the study has: {', '.join(names)}")
        arm = study.arms[names.index(self.arm) if self.arm else 0]
        seed = study.seeds[0] if self.seed is None else self.seed
        data = read_data(study.model_copy(update={"arms": [arm]}))
        with tempfile.TemporaryDirectory(prefix="recognition-") as folder, Progress() as progress:
            store = open_input(study, Path(folder))
            decoding, training = (functools.partial(progress.update, what) for what in ("decoding videos", "training"))
            data, problems = drop_undecodable(data, store, progress=decoding)
            clips = clips_of(study, arm, data.training[arm.name], seed=seed)
            trained = train(study, arm, clips, store=store, seed=seed, progress=training)
            network, settings = trained.network, {"window_sec": study.window_sec, "precision": study.precision, "store": store}
            held_out = predict(network, data.held_out, study, store=store) if data.held_out else None
            settled = settle(held_out, watch_whole(network, data.held_out, **settings), study)
            threshold = settled.rule and settled.rule.threshold
            save_checkpoint(
                self.out, network, study, arm=arm.name, seed=seed, temperature=settled.temperature, alarm_threshold=threshold
            )
            predictions = predict(network, data.test, study, store=store)
            watched = watch_whole(network, data.test, **settings)
        _print_figures(
            figures_of(predictions, watched, study, settled=settled), data.warnings + few_events(predictions.groups) + problems
        )
        print(_settled_line(settled, f"{len(data.held_out)} {held_out_from(data)}", study.rare_class))
        print(f"checkpoint: {self.out} (arm {arm.name}, input {study.input}, seed {seed})")


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Test a trained network on clips: a CSV of real videos, or shards.

    Calibration is also stated after the checkpoint's temperature, and alarms are counted at its threshold, where it has them.

    Example: recognition evaluate classifier.safetensors --data labels.csv --where camera=2 trial=2
    """

    checkpoint: Positional[Path]
    """Checkpoint of `recognition train`, or weights shipped here as they are: `understudy:keypoints`, `:person` or `:rgb`
    (`:person-x3d_xs` and `:rgb-x3d_xs` for those of X3D-XS)."""
    data: Path
    """CSV of real videos, folder of shards, or one tar."""
    where: tuple[str, ...] = ()
    """Rows of the CSV to use: COLUMN=VALUE, or COLUMN=VALUE,VALUE."""
    out: Path | None = None
    """Also write the figures here, as JSON."""

    def run(self) -> None:
        """Predict, print figures."""
        import json
        import tempfile

        from .checkpoint import load_checkpoint, rule_of, study_of
        from .clip_warnings import belonging_warnings, label_warnings, late_warnings, person_warnings
        from .data import open_input, read_source
        from .evaluate import predict, watch_whole
        from .inputs.readable import decodable
        from .scoring import Settled, figures_of

        test = source_of(self.data, self.where)
        network, about = load_checkpoint(self.checkpoint)
        study = study_of(about, test=test, path=self.checkpoint)
        recordings = read_source(study.test)
        with tempfile.TemporaryDirectory(prefix="recognition-") as folder, Progress() as progress:
            store = open_input(study, Path(folder))
            decoding, testing = (functools.partial(progress.update, what) for what in ("decoding videos", "testing"))
            good, problems = decodable(recordings, store, max_bad_share=study.max_bad_share, progress=decoding)
            predictions = predict(network, good, study, store=store, progress=testing)
            settings = {"window_sec": study.window_sec, "precision": study.precision, "store": store}
            watched = watch_whole(network, good, **settings, progress=testing)
        rule = None if about["alarm_threshold"] is None else rule_of(about, watch_for=study.rare_class)
        settled = Settled(temperature=about["temperature"], rule=rule)
        figures = figures_of(predictions, watched, study, settled=settled)
        _print_figures(
            figures,
            problems
            + label_warnings(study, good)
            + late_warnings(good)
            + person_warnings(study, good)
            + belonging_warnings(study, good),
        )
        if self.out:
            write_atomic(self.out, json.dumps(figures, indent=1).encode())
            print(f"figures: {self.out}")


@dataclass(frozen=True, kw_only=True)
class Ablate:
    """Compare arms (real / real + augmentation / real + synthetic / synthetic) and write a report.

    Every arm is trained from scratch for the same number of updates, with every seed, and tested on the same windows. A study
    whose training clips show, or were made from, what is tested on is refused. Finished runs are kept in OUT/runs and
    reused, so an interrupted study continues where it stopped.

    STUDY.yaml, paths relative to it:

    - classes: {walk: walk, fall: fall, down: [fallen, lying]} -- class to frame labels, OmniFall's or your own; a window has
      the label at its middle

    - real: {csv: labels.csv, where: {camera: 1}} -- columns video, fps, frames, segments (like standing:0.0-2.8;fall:2.8-3.7),
      and for the inputs that need them keypoints (a detector's results), person (whose number in these, where there are several
      and not the one who moves most is meant) or plate (a picture of the empty room)

    - synthetic: shards/ -- what `augment generate` wrote; several folders as a list

    - test: {csv: labels.csv, where: {camera: 2}} -- or a folder of shards

    - group_by: [subject, action, trial] -- columns that name one real event or person; none may be in both training and test

    - arms: [real, real_augmented, real_synthetic, real_synthetic_mixed, synthetic] -- or written out: {name: oracle,
      real: {csv: ...}, augment: true}. real_synthetic is trained on synthetic clips in its first half, then on both without the
      real windows whose label that network finds impossible (check_labels); real_synthetic_mixed on both throughout

    - input: keypoints -- what the classifiers look at: rgb (whole frames), person (a square around the person), motion (its
      difference to the empty room, and flow), keypoints, heatmaps; or several, each with settings of its own, and their mean
      beside them: [keypoints, {kind: rgb, steps: 200, size: 96}]

    - labels: omnifall -- a ready list of classes (or care_home); `classes` adds to it

    - seeds: [0, 1, 2, 3, 4] -- classifiers of each arm; with fewer than 5 the verdict is preliminary

    - shares: [0.25, 0.5, 0.75] -- each arm that mixes real and synthetic clips, once with each share of synthetic windows

    - few: [0, 1, 2, 4, 8] -- the baseline and the arms that mix, also with so few real recordings of the rare class: a curve

    - films: [10, 50] -- how many real recordings so many synthetic clips of the rare class are worth (needs `few`)

    - hard_negatives: [lying, kneeling, pick_up] -- labels or actions that are shown apart: how often are they taken for a fall?

    - validation: {csv: labels.csv, where: {camera: 3}} -- clips to set temperature and alarm threshold on; without it a tenth
      of the training events is held out (held_out: 0.1). Alarms are counted on whole test recordings, labelled or not, where
      the rare class reaches a threshold in alarm_windows: 2 in a row, until it falls below alarm_release: 0.6 of it; the
      threshold finds alarm_recall: 0.9 of the held-out events. `recognition watch` raises the same alarms

    - weights: understudy -- what training starts from: those shipped here (keypoints; person and rgb with frame_cnn or
      x3d_xs), a library's own (torchvision, pytorchvideo, transformers), or the file of a checkpoint of the same model

    - show_clips: all -- the report plays up to five clips: films, and of real people drawn keypoints at most (synthetic, the
      default), real footage too (all: mind who gets the report), or no clip (none)

    - further keys: rare_class, window_sec, frames, size, model (frame_cnn, x3d_xs, mvit_v2_s, ...), steps, batch, lr,
      baseline, note
    """

    study: Positional[Path]
    """STUDY.yaml."""
    out: Path
    """Folder for report.html, report.png, report.json and the runs."""
    workers: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: one for each core)")] = None
    """Runs at a time, each a process of its own."""

    def run(self) -> None:
        """Run, compare, report."""
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"--workers {self.workers}: expected 1 or more")
        page = compare_arms(self.study, self.out, workers=self.workers)
        print(f"report: {page} (also report.png, report.json)")


def compare_arms(study: Path, out: Path, *, workers: int | None = None) -> Path:
    """Run a study with progress on stderr, write its report, print the verdicts.

    Args:
        study: STUDY.yaml.
        out: Folder for runs and report.
        workers: Runs at a time; None: one for each core.
    Returns:
        The report's page.
    Raises:
        ValueError: If the study or its clips cannot be used.
        OSError: If something cannot be read or written, or a worker process dies.
    """
    from .ablation import ablate
    from .report import write_report
    from .study_file import load_study

    checked = load_study(study)
    with Progress() as progress:
        result = ablate(checked, out, workers=workers, progress=progress.update)
    write_report(result, out)
    for name, view in result["inputs"].items():
        scores = ", ".join(f"{arm} {figures['macro_accuracy']['mean']:.2f}" for arm, figures in view["arms"].items())
        print(f"{name}: macro accuracy {scores}; chance {result['chance']:.2f}")
    for line in result["verdicts"]:
        print(line)
    return out / "report.html"


def _print_figures(figures: dict[str, Any], warnings: list[str]) -> None:
    from .evaluate import table

    for name, value in table(figures):
        print(f"{name:40s} {value}")
    for warning in warnings:
        print(f"note: {warning}")


def _settled_line(settled: Settled, held_out: str, rare_class: str) -> str:
    """What `recognition train` set, and on what."""
    if settled.temperature is None:
        return (
            "temperature and alarm threshold: not set, no clips were held out; name some as `validation` "
            "(`recognition watch` takes 0.5 as threshold)"
        )
    threshold = f"not set, none shows {rare_class}" if settled.rule is None else f"{settled.rule.threshold:.3f}"
    return f"temperature {settled.temperature:.3f}, alarm threshold {threshold}: set on {held_out}"


COMMANDS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "ablate": Ablate,
    "watch": Watch,
    "detect": Detect,
    "export": ExportClips,
}
"""Subcommand to its options."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for invalid input, 130 after Ctrl-C."""
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="recognition", description=__doc__, args=arguments, sort_subcommands=False
    )
    return exit_code_of(command.run)


if __name__ == "__main__":
    sys.exit(main())
