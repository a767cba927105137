"""``augment motions import``: mocap files into a motion store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class MotionsImport:
    """Import mocap into a motion store, retargeted to the SMPL skeleton.

    It reads BVH, AMASS npz (with BABEL's labels), HumanML3D (new_joints, with its texts), InterHuman (motions, with its
    annots), HumanAct12 and NTU13 as ACTOR has them, DeepMimic's JSON, and motion stores.

    Files that cannot be used are counted with the reason, and the run goes on. An interrupted run picks up where it stopped.
    """

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Motion files, folders or .tar/.tar.xz/.zip of them, or motion stores."""
    out: Path
    """The store to write; motions already in it stay."""
    fps: float = 20.0
    """Frames a second in the store."""
    action: str = ""
    """Label all motions with this action instead of what their names say: one of the table's, or one of your own."""
    label: str = ""
    """Frame label of all of each motion; an action of your own needs it. OmniFall's (walk, fall, other, ...) or your own."""
    caption: str = ""
    """Sentence for all motions, with {who} for the person."""
    support: Literal["auto", "floor", "chair", "bed"] = "auto"
    """What the motions were made on; auto finds chair or bed where somebody sits or lies above the floor."""
    source: str = ""
    """Source to record for all motions, instead of what their names say."""
    licence: str = ""
    """Licence to record for all motions, instead of what their names say."""
    babel: Path | None = None
    """BABEL's train.json or val.json: frame labels and captions of AMASS's recordings (folders as AMASS has them)."""
    body: Path | None = None
    """SMPL-family model file the motions are made for; the open default body otherwise."""

    def run(self) -> None:
        from ..motion.importing import Overrides, import_motions

        overrides = Overrides(
            action=self.action, label=self.label, caption=self.caption, source=self.source, licence=self.licence,
            support=self.support,
        )  # fmt: skip
        summary = import_motions(
            self.sources, self.out, fps=self.fps, overrides=overrides, body_path=self.body, babel=self.babel
        )
        for reason, names in sorted(summary.rejected_by_reason().items()):
            print(f"rejected {len(names)}: {reason} (such as {names[0]})")
        print(summary.figures())
        print(f"{self.out}: {summary.kept} motions ({summary.added} new), {len(summary.rejected)} rejected")
