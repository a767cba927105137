"""``augment merge``: join the parts of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Join the parts that `augment generate --part i/n` made, to the bytes that one run would have made.

    All parts must be there once, finished, and of one recipe, seed and version; what is missing, doubled or damaged is named.
    Safe to interrupt: the same command continues.

    augment merge parts/* --out shards
    """

    parts: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Folders of all parts, or their URLs, in any order. They stay; on the same disk their shards are linked, not copied."""
    out: str
    """Folder for the whole run, or its URL."""

    def run(self) -> None:
        from ..generate.merge import merge
        from ..remote import place_of

        out = place_of(self.out)
        manifest = merge([place_of(part) for part in self.parts], out)
        print(
            f"{out}: {manifest['samples']} of {manifest['planned']} clips in {len(manifest['shards'])} shards from "
            f"{len(self.parts)} parts; look at {out / 'sheet.png'} and coverage.png"
        )
