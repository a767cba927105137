"""The model card of a prior: its kind, training data and their licences, and how to reproduce it."""

from __future__ import annotations

from pathlib import Path

from ..files import write_atomic
from .prior_file import PriorFile
from .registry import PRIORS


def write_card(stored: PriorFile, path: Path, notes: tuple[str, ...] = ()) -> None:
    """Write the model card, Markdown.

    Args:
        stored: The prior's file.
        path: The card.
        notes: More lines, such as the command that made it.
    """
    facts = stored.facts
    rows = [
        f"| {row.get('source')} | {row.get('licence')} | {row.get('motions')} | {row.get('frames')} |"
        for row in stored.training_data
    ]
    options = ", ".join(f"{name} {value}" for name, value in sorted(stored.config.items()))
    lines = [
        f"# {stored.kind}: a prior of human pose",
        "",
        PRIORS[stored.kind].title,
        "Its energy is low for what people do; 1 is the median of real poses it was not trained on.",
        "",
        "## Data",
        "| source | licence | motions | frames |",
        "|---|---|---|---|",
        *rows,
        "",
        f"{facts.get('motions')} motions for training, {facts.get('held_out_motions')} held out, split by person or recording, "
        f"at {facts.get('fps'):g} frames/s. Digest: `{str(facts.get('data'))[:16]}`. The weights may be used as far as these "
        "licences allow.",
        "",
        "## Training",
        f"{facts.get('steps')} steps, seed {facts.get('seed')}. Options: {options}.",
        f"Raw energies are divided by {stored.normalisation:.4g}.",
        *notes,
        "",
        "## Limits",
        "It knows the poses of its training data; others cost more than they should. It is for reconstruction and for making",
        "training data, not for judging how people move.",
        "",
    ]
    write_atomic(path, "\n".join(lines).encode())
