"""``augment motions sheet``: pictures of a store's motions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class MotionsSheet:
    """Draw motions of a store as strips of bodies, one row a motion; of two people both are in one row."""

    store: Annotated[Path, tyro.conf.Positional]
    """The motion store."""
    out: Path
    """The PNG to write."""
    actions: tuple[str, ...] = ()
    """Only motions of these actions."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 12
    """At most so many rows, taken evenly from the store."""
    columns: int = 8
    """Pictures a row."""
    height: int = 240
    """Of a picture, pixels."""
    yaw: float = 70.0
    """From where the first person is seen, degrees from the front to the left."""

    def run(self) -> None:
        import numpy as np

        from ..body.model import load_body
        from ..film.sheet import sheet_row, stack_rows
        from ..film.strip import strip
        from ..motion.partners import partner_of, together
        from ..motion.store import read_store

        for name, value in (("-n", self.n), ("--columns", self.columns)):
            if value < 1:
                raise ValueError(f"{name}: expected 1 or more, found {value}")
        if self.height < 16:
            raise ValueError(f"--height: expected 16 or more pixels, found {self.height}")
        store, body = read_store(self.store), load_body()
        known = {row["action"] for row in store.rows}
        for action in self.actions:
            if action not in known:
                raise ValueError(f"{self.store}: no motion of action {action!r}; it holds: {', '.join(sorted(known))}")
        fitting = [
            index for index, row in enumerate(store.rows)
            if (not self.actions or row["action"] in self.actions) and row.get("partner", {}).get("number", 1) == 1
        ]  # fmt: skip
        rows = []
        for place in np.unique(np.linspace(0, len(fitting) - 1, min(self.n, len(fitting))).round().astype(int)):
            motion = store[fitting[place]]
            partner = partner_of(motion)
            people = (motion,) if partner is None else together(motion, store.named(partner["name"]), body)
            pictures = strip(people, body, columns=self.columns, height=self.height, yaw=self.yaw)
            title = f"{motion.name}: {motion.caption}"
            rows.append(sheet_row(pictures, title, columns=self.columns, height=self.height))
        if not rows:
            raise ValueError(f"{self.store}: expected motions, found none")
        stack_rows(rows, self.out)
        print(f"{self.out}: {len(rows)} of {len(fitting)} motions")
