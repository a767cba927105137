"""``augment verify``: check shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Check a folder of shards: digests, schema, shapes, labels, segments, video. Problems go one to a line; exit code 1."""

    shards: Annotated[str, tyro.conf.Positional]
    """Folder that `augment generate --out` wrote, or its URL."""
    quick: bool = False
    """Do not decode the videos (digests and labels only)."""

    def run(self) -> None:
        from ..remote import place_of
        from ..shards.tar import read_manifest
        from ..shards.verify import verify

        shards = place_of(self.shards)
        problems = verify(shards, decode_frames=not self.quick)
        for problem in problems:
            print(problem)
        if problems:
            print(f"{len(problems)} problem{'s' * (len(problems) != 1)} in {shards}")
            raise SystemExit(1)
        manifest = read_manifest(shards)
        print(f"ok: {shards}: {manifest['samples']} clips in {len(manifest['shards'])} shards")
