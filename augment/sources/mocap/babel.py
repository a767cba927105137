"""BABEL: what people do in AMASS's recordings, as sequences and as stretches of time (``train.json``, ``val.json``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BabelLabel:
    """One stretch of a recording."""

    text: str
    """As BABEL has processed it: ``walk backwards``."""
    start_sec: float
    end_sec: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BabelEntry:
    """What BABEL says of one recording."""

    caption: str
    """What the first annotator said of all of it."""
    labels: tuple[BabelLabel, ...]
    """In order of their start; they may overlap and leave gaps."""


def read_babel(path: Path) -> dict[str, BabelEntry]:
    """The entries by the last three parts of the recording's path in AMASS (data set, subject, file).

    Raises:
        ValueError: If it is no JSON of BABEL's form.
        OSError: If it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {amass_key(entry["feat_p"]): _entry(entry) for entry in content.values()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: expected BABEL's JSON (feat_p, dur, seq_ann, frame_ann), found {error!r}") from error


def amass_key(path: str) -> str:
    """The last three parts of a path, without the file's ending: files move between AMASS's archives and users' folders."""
    return "/".join(PurePosixPath(path).with_suffix("").parts[-3:])


def _entry(entry: dict[str, Any]) -> BabelEntry:
    whole, parts = ((entry.get(key) or {}).get("labels", []) for key in ("seq_ann", "frame_ann"))
    labels = [
        BabelLabel(text=str(label["proc_label"]), start_sec=float(label["start_t"]), end_sec=float(label["end_t"]))
        for label in parts
    ] or [BabelLabel(text=str(whole[0]["proc_label"]), start_sec=0.0, end_sec=float(entry["dur"]))]
    said = [str(label["raw_label"]) for label in (whole or parts)]
    return BabelEntry(caption=said[0], labels=tuple(sorted(labels, key=lambda label: (label.start_sec, label.end_sec))))
