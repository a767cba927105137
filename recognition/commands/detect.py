"""``recognition detect``: keypoints of a table of videos."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import tyro

from augment.progress import Progress

from .source import source_of


@dataclass(frozen=True, kw_only=True)
class Detect:
    """Find people's keypoints in the videos of a table, for studies with `input: keypoints` or `heatmaps`.

    The table is written again with a column of their files. An interrupted run goes on where it stopped.

    Example: recognition detect labels.csv --detector mediapipe --out detected
    """

    table: tyro.conf.Positional[Path]
    """CSV of videos, as studies take it."""
    out: Path
    """Folder for labels.csv (the table with the column `keypoints`) and keypoints/."""
    detector: str = "keypointrcnn"
    """keypointrcnn (torchvision, finds everybody) or mediapipe (finds one person, and needs that package)."""
    detector_weights: Path | None = None
    """Weights for keypointrcnn; None lets torchvision fetch its own."""
    every: int = 1
    """Look at every n-th frame. Frames between have no keypoints."""
    where: tuple[str, ...] = ()
    """Rows of the table to use: COLUMN=VALUE, or COLUMN=VALUE,VALUE."""

    def run(self) -> None:
        """Detect, say where the table is."""
        from augment.sources.people.detectors import DETECTORS, DetectOptions

        from ..detection import detect_table

        if self.detector not in DETECTORS:
            raise ValueError(f"--detector {self.detector}: unknown; choose one of {', '.join(DETECTORS)}")
        if self.every < 1:
            raise ValueError(f"--every {self.every}: expected 1 or more")
        source = source_of(self.table, self.where)
        if "csv" not in source:
            raise ValueError(f"{self.table}: expected a CSV of videos; shards have their keypoints already")
        with Progress() as progress:
            found = detect_table(
                self.table, self.out, detector=self.detector, weights=self.detector_weights,
                options=DetectOptions(every=self.every), where=source["where"],
                progress=functools.partial(progress.update, "videos"),
            )  # fmt: skip
        for video in found.without_people:
            print(f"note: {video}: nobody found in it; its row is left out")
        print(f"{found.table}: keypoints of {found.videos} videos ({found.reused} from an earlier run)")
