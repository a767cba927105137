"""``augment verify``: check shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Check a folder of shards: digests, schema, shapes, labels, segments, video. Problems go one to a line; exit code 1."""

    shards: Annotated[Path, tyro.conf.Positional]
    """Folder that `augment generate --out` wrote."""
    quick: bool = False
    """Do not decode the videos (digests and labels only)."""

    def run(self) -> None:
        from ..shards.tar import read_manifest
        from ..shards.verify import verify

        problems = verify(self.shards, decode_frames=not self.quick)
        for problem in problems:
            print(problem)
        if problems:
            print(f"{len(problems)} problem{'s' * (len(problems) != 1)} in {self.shards}")
            raise SystemExit(1)
        manifest = read_manifest(self.shards)
        print(f"ok: {self.shards}: {manifest['samples']} clips in {len(manifest['shards'])} shards")
