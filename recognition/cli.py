"""``recognition``: train, evaluate and compare video classifiers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

Positional = tyro.conf.Positional


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one arm of a study with one seed, test it, and keep the network.

    Example: recognition train study.yaml --arm real_synthetic --out real_synthetic.safetensors
    """

    study: Positional[Path]
    """STUDY.yaml: classes, windows, model, clips (see `recognition ablate --help`)."""
    out: Path = Path("classifier.safetensors")
    """Where the checkpoint goes."""
    arm: str | None = None
    """An arm of the study; by default its first."""
    seed: int | None = None
    """Decides weights, batches and dropout; by default the study's first."""

    def run(self) -> None:
        """Train, save, print figures."""
        import tempfile

        from .ablation import make_store, plan_study
        from .clips import evaluation_windows
        from .evaluate import predict, score
        from .frames import decodable
        from .study import load_study
        from .train import save_checkpoint, train

        study = load_study(self.study)
        names = [arm.name for arm in study.arms]
        if self.arm is not None and self.arm not in names:
            raise ValueError(f"unknown arm {self.arm!r}; the study has: {', '.join(names)}")
        arm = study.arms[names.index(self.arm) if self.arm else 0]
        seed = study.seeds[0] if self.seed is None else self.seed
        plan = plan_study(study.model_copy(update={"arms": [arm]}))
        with tempfile.TemporaryDirectory(prefix="recognition-") as folder, progress_bar() as progress:
            store = make_store(study, Path(folder))
            lists, counts = [plan.real[arm.name], plan.synthetic[arm.name], plan.test], [0, 0]
            total = sum(map(len, lists))
            share = study.max_bad_share
            kept = [decodable(clips, store, max_bad_share=share, tick=_counting(progress, "decoding", counts, 0, total))
                    for clips in lists]  # fmt: skip
            (real, _), (synthetic, _), (test, _) = kept
            tick = _counting(progress, "training", counts, 1, study.steps)
            trained = train(study, arm, real, synthetic, store=store, seed=seed, tick=tick)
            save_checkpoint(self.out, trained.network, study, arm=arm.name, seed=seed)
            windows = evaluation_windows(test, study.classes, window_sec=study.window_sec, stride_sec=study.eval_stride_sec)
            predictions = predict(trained.network, test, windows, store=store, precision=study.precision)
        figures = score(predictions, list(study.classes), rare_class=study.rare_class, alarm_recall=study.alarm_recall)
        _print_figures(figures, plan.warnings + [reason for _, problems in kept for reason in problems])
        print(f"checkpoint: {self.out}")


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Test a trained network on clips: a CSV of real videos, or shards.

    Example: recognition evaluate classifier.safetensors --data labels.csv --where camera=2 trial=2
    """

    checkpoint: Positional[Path]
    """What `recognition train` wrote."""
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

        from .ablation import write_atomic
        from .clips import evaluation_windows, read_source
        from .evaluate import predict, score
        from .frames import FrameStore, decodable
        from .study import make_study
        from .train import KEPT, load_checkpoint

        pairs = [text.partition("=") for text in self.where]
        if bad := [text for text, (_, equals, _) in zip(self.where, pairs, strict=True) if not equals]:
            raise ValueError(f"--where {bad[0]}: expected COLUMN=VALUE")
        network, about = load_checkpoint(self.checkpoint)
        kind = "csv" if self.data.suffix == ".csv" else "shards"
        test = {kind: str(self.data.resolve()), "where": {column: values.split(",") for column, _, values in pairs}}
        study = make_study({**{key: about[key] for key in KEPT}, "arms": [{"name": "test", "real": test}], "test": test})
        recordings = read_source(study.test)
        with tempfile.TemporaryDirectory(prefix="recognition-") as folder, progress_bar() as progress:
            store = FrameStore(folder=Path(folder), size=study.size, frames=study.frames, window_sec=study.window_sec)
            counts = [0, 0]
            tick = _counting(progress, "decoding", counts, 0, len(recordings))
            good, problems = decodable(recordings, store, max_bad_share=study.max_bad_share, tick=tick)
            windows = evaluation_windows(good, study.classes, window_sec=study.window_sec, stride_sec=study.eval_stride_sec)
            if not windows:
                raise ValueError(f"{self.data}: no segment with a label of: {', '.join(study.classes)}")
            tick = _counting(progress, "testing", counts, 1, -(-len(windows) // 16))
            predictions = predict(network, good, windows, store=store, precision=study.precision, tick=tick)
        figures = score(predictions, list(study.classes), rare_class=study.rare_class, alarm_recall=study.alarm_recall)
        _print_figures(figures, problems)
        if self.out:
            write_atomic(self.out, json.dumps(figures, indent=1).encode())
            print(f"figures: {self.out}")


@dataclass(frozen=True, kw_only=True)
class Ablate:
    """Compare arms (real / real + augmentation / real + synthetic / synthetic) and write a report.

    Every arm is trained from scratch for the same number of updates, with every seed, and tested on the same windows. A study
    whose training clips show, or were made from, what is tested on is refused. Finished runs are kept in OUT/runs and
    reused, so an interrupted study goes on where it stopped.

    STUDY.yaml, paths relative to it:

    - classes: {walk: walk, fall: fall, down: [fallen, lying]} -- class to frame labels; a window has the label at its middle

    - real: {csv: labels.csv, where: {camera: 1}} -- columns video, fps, frames, segments (like standing:0.0-2.8;fall:2.8-3.7)

    - synthetic: shards/ -- what `augment generate` wrote; several folders as a list

    - test: {csv: labels.csv, where: {camera: 2}} -- or a folder of shards

    - group_by: [subject, trial] -- columns that name one real event or person; none may be in both training and test

    - arms: [real, real_augmented, real_synthetic, synthetic] -- or written out: {name: oracle, real: {csv: ...}, augment: true}

    - further keys: rare_class, window_sec, frames, size, model (x3d_xs or r2plus1d_18), steps, batch, lr, seeds, baseline, note
    """

    study: Positional[Path]
    """STUDY.yaml."""
    out: Path
    """Folder for report.html, report.png, report.json and the runs."""
    workers: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: one for each core)")] = None
    """Runs at a time, each a process of its own."""

    def run(self) -> None:
        """Run, compare, report."""
        from .ablation import ablate
        from .report import write_report
        from .study import load_study

        if self.workers is not None and self.workers < 1:
            raise ValueError(f"--workers {self.workers}: expected 1 or more")
        study = load_study(self.study)
        with progress_bar() as progress:
            result = ablate(study, self.out, workers=self.workers, progress=progress)
        write_report(result, self.out)
        for line in result["verdicts"]:
            print(line)
        print(f"report: {self.out / 'report.html'} (also report.png, report.json)")


def _print_figures(figures: dict[str, Any], warnings: list[str]) -> None:
    from .evaluate import table

    for name, value in table(figures):
        print(f"{name:40s} {value}")
    for warning in warnings:
        print(f"note: {warning}")


def _counting(
    progress: Callable[[str, int, int], Any], what: str, counts: list[int], slot: int, total: int
) -> Callable[[], None]:
    def tick() -> None:
        counts[slot] += 1
        progress(what, counts[slot], total)

    return tick


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr with the time left; gives the function ``(what, done, total)`` that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield move


COMMANDS: dict[str, Any] = {"train": Train, "evaluate": Evaluate, "ablate": Ablate}
"""Subcommand to its options."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for a user's mistake, 130 after Ctrl-C."""
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="recognition", description=__doc__, args=arguments, sort_subcommands=False
        )
        command.run()
    except (ValueError, OSError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.strerror and error.filename:
            text = f"{error.filename}: {error.strerror}"
        print(f"error: {' '.join(text.split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
