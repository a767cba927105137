"""``augment demo``: the whole workflow on embedded data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Film falls and daily actions in embedded rooms, train classifiers with and without them, and write a report.

    Takes about ten minutes on two cores. Needs no data and no GPU. Safe to interrupt: the same command continues.
    """

    out: Path = Path("runs/demo")
    """Folder for the recipes, the clips, the contact sheets and the report."""
    seed: int = 0
    """The same seed gives the same clips."""
    workers: int = 2
    """Processes."""
    steps: int = 200
    """Updates of each classifier."""
    seeds: int = 5
    """Classifiers of each arm."""
    scale: float = 1.0
    """Multiplies the number of clips; 0.2 is a quick look."""

    def run(self) -> None:
        """Film, train, report."""
        from ..demo import demo

        for name, least in (("workers", 1), ("steps", 1), ("seeds", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"--{name} {getattr(self, name)}: expected {least} or more")
        if not 0 < self.scale <= 100:
            raise ValueError(f"--scale {self.scale}: expected more than 0, at most 100")
        report = demo(self.out, seed=self.seed, workers=self.workers, steps=self.steps, seeds=self.seeds, scale=self.scale)
        print(f"report: {report}")
