"""``augment motions library``: the embedded motions into a motion store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class MotionsLibrary:
    """Make the embedded motion library: scripted daily actions and simulated falls, free of anyone's licence.

    The same seed gives the same store, whatever the number of workers. An interrupted run picks up where it stopped.
    """

    out: Path
    """The store to write."""
    per_action: int = 40
    """Clips of each action."""
    seed: int = 0
    """Seed of all random numbers."""
    workers: int = 1
    """Processes."""
    actions: tuple[str, ...] = ()
    """Only these actions; all daily actions and falls by default."""
    people: int | None = None
    """2: the actions of two people (hand_over, push, ...), each clip two motions that know each other; 1: those of one."""

    def run(self) -> None:
        from ..motion.library.build import build_library

        if self.workers < 1:
            raise ValueError(f"--workers {self.workers}: expected 1 or more")
        summary = build_library(
            self.out, per_action=self.per_action, seed=self.seed, workers=self.workers, actions=self.actions or None,
            people=self.people,
        )  # fmt: skip
        for reason, count in sorted(summary.rejected.items()):
            print(f"tried again {count}: {reason}")
        for key in summary.missing:
            print(f"given up: {key}")
        print(f"{self.out}: {summary.kept} motions ({summary.added} new), {len(summary.missing)} given up")
