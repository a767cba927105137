"""``recognition export``: clips in the formats of other tools."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from augment.actions import did_you_mean
from augment.progress import Progress

from .source import source_of


@dataclass(frozen=True, kw_only=True)
class ExportClips:
    """Write clips, of shards or of a CSV of real videos, in the format of another tool.

    - class-folders: SPLIT/LABEL/*.mp4 (Kinetics' layout: torchvision, pytorchvideo, Hugging Face)

    - mmaction2: videos and SPLIT.txt, `path number` in every line

    - mmaction2-pose: SPLIT.pkl for PoseDataset: keypoints, scores, labels

    - coco: SPLIT.json with keypoints of every frame, and the frames as pictures where there is a video

    - omnifall: SPLIT.csv with path, label, start, end, subject, cam, dataset, and the videos

    labels.txt beside them has the label of every number, one a line. Example:

    recognition export shards/falls --format mmaction2-pose --out falls-poses
    """

    source: tyro.conf.Positional[Path]
    """Folder of shards, one tar, or CSV of real videos."""
    format: str
    """What to write: one of the names above."""
    out: Path
    """Folder; files of the same names in it are replaced, so further splits can be added to it."""
    split: str = "train"
    """Name of this list of clips."""
    unit: Literal["segment", "clip"] = "segment"
    """A clip for each labelled stretch, or one for each recording with its action as label. OmniFall has recordings."""
    study: Path | None = None
    """STUDY.yaml: its classes are the labels, and what belongs to none is left out."""
    where: tuple[str, ...] = ()
    """Rows of the CSV to use: COLUMN=VALUE, or COLUMN=VALUE,VALUE."""
    detector_errors: bool = False
    """Keypoints of shards as a real detector would give them, not the true ones (coco, mmaction2-pose)."""
    every: int = 1
    """Of how many frames one is written (coco)."""

    def run(self) -> None:
        """Write, say what was left out."""
        from ..data import read_source
        from ..export.clips import export_clips, label_names, with_classes
        from ..export.formats import FORMATS, Export, export_to
        from ..study import Source
        from ..study_file import load_study

        if self.every < 1:
            raise ValueError(f"--every {self.every}: expected 1 or more")
        if not self.split.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"--split {self.split!r}: it becomes a file's name; use letters, digits, '_' and '-'")
        if self.format not in FORMATS:
            hint = did_you_mean(self.format, FORMATS)
            raise ValueError(f"--format {self.format}: unknown{hint}; expected one of: {', '.join(FORMATS)}")
        chosen = FORMATS[self.format]
        for name, given in {"detector_errors": self.detector_errors, "every": self.every != 1}.items():
            if given and name not in chosen.uses:
                users = " and ".join(other for other, form in FORMATS.items() if name in form.uses)
                raise ValueError(f"--{name.replace('_', '-')}: used with --format {users}, not {self.format}; leave it out")
        if chosen.whole and (self.study or self.unit != "segment"):
            raise ValueError(
                f"--format {self.format}: it has whole recordings and its own labels; leave --study and --unit out"
            )
        recordings = read_source(Source.model_validate(source_of(self.source, self.where)))
        clips = export_clips(recordings, unit="recording" if chosen.whole else self.unit)
        classes = {} if self.study is None else load_study(self.study).classes
        if self.study is not None:
            clips = list(with_classes(clips, classes))
        labels = label_names(clips, unit=self.unit, classes=list(classes))
        export = Export(
            out=self.out, labels=labels, split=self.split, errors=self.detector_errors, every=self.every, rows=[], kept={}
        )
        with Progress() as progress:
            path, problems = export_to(self.format, export, clips, progress=functools.partial(progress.update, "exporting"))
        for reason in problems[:5]:
            print(f"note: left out: {reason}")
        if not chosen.whole:
            print(", ".join(f"{count} {label}" for label, count in Counter(clip.label for clip in clips).most_common()))
        print(f"{path}: {len(clips) - len(problems)} clips" + (f", {len(problems)} left out" if problems else ""))
