"""Motion store: a folder with one AMASS-style npz per motion, and ``index.json`` with labels, source, licence.

Actions and frame labels may be the user's own: a row then has ``label``, the frame label of its action's core.

Files are written under a temporary name and renamed; a journal line follows each, the index is written last. A file is used
only if the index or the journal has its digest, so an interrupted import resumes safely.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..actions import ACTIONS, require_action_name, require_label
from ..files import read_json, sha256_of, write_atomic
from ..sources.mocap.amass import load_amass, save_amass
from ..types import Motion

INDEX = "index.json"
JOURNAL = "journal.jsonl"
FORMAT = "understudy-motions-1"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_ROW = {"name", "file", "action", "sha256"}
"""Required fields of a row of the index."""


class MotionStore:
    """A store opened for reading: a sequence of motions, loaded on access."""

    def __init__(self, folder: Path, rows: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.rows = rows
        """One dict a motion, as in ``index.json``, sorted by name."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Motion:
        path = self.folder / self.rows[index]["file"]
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise ValueError(f"{path}: listed in {INDEX} but missing; import the motions again") from error
        if sha256_of(data) != self.rows[index]["sha256"]:
            raise ValueError(f"{path}: differs from the digest in {INDEX}; import the motions again")
        return load_amass(io.BytesIO(data), name=path.stem)

    def named(self, name: str) -> Motion:
        """The motion of this name.

        Raises:
            ValueError: If there is none, or its file is damaged.
        """
        found = [index for index, row in enumerate(self.rows) if row["name"] == name]
        if not found:
            raise ValueError(f"{self.folder}: expected a motion {name!r}, found none; import or make both people's motions")
        return self[found[0]]

    def __iter__(self) -> Iterator[Motion]:
        return (self[index] for index in range(len(self)))


class StoreWriter:
    """Adds motions to a store; as a context manager it writes the index at the end, also when an error ends the block.

    Opening an existing or interrupted store keeps what it holds; adding a motion of the same name replaces it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = _read_index(self.folder) if (self.folder / INDEX).exists() else []
        self.rows: dict[str, dict[str, Any]] = {row["name"]: row for row in rows}
        for row in _read_journal(self.folder / JOURNAL):
            self.rows[row["name"]] = row
        for row in list(self.rows.values()):
            path = self.folder / row["file"]
            if not path.exists() or sha256_of(path.read_bytes()) != row["sha256"]:
                del self.rows[row["name"]]

    def add(self, motion: Motion, *, rest_pelvis: np.ndarray | None = None) -> None:
        """Write one motion to ``<name>.npz`` and its row to the journal.

        Args:
            motion: The motion; its name becomes the file's.
            rest_pelvis: See ``sources.mocap.amass.save_amass``.
        Raises:
            ValueError: If the motion's name, action or numbers are not fit for a store.
        """
        _check(motion)
        buffer = io.BytesIO()
        save_amass(buffer, motion, rest_pelvis=rest_pelvis)
        data = buffer.getvalue()
        write_atomic(self.folder / f"{motion.name}.npz", data)
        row = _row(motion, sha256_of(data))
        with (self.folder / JOURNAL).open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(row, sort_keys=True) + "\n")
        self.rows[row["name"]] = row

    def close(self) -> None:
        """Write the index and drop the journal."""
        rows = sorted(self.rows.values(), key=lambda row: row["name"])
        text = json.dumps({"format": FORMAT, "motions": rows}, indent=1, sort_keys=True)
        write_atomic(self.folder / INDEX, (text + "\n").encode())
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read_store(folder: Path | str) -> MotionStore:
    """Open a store.

    Raises:
        ValueError: If the folder holds no readable ``index.json``.
    """
    folder = Path(folder)
    return MotionStore(folder, _read_index(folder))


def _check(motion: Motion) -> None:
    if not _NAME.fullmatch(motion.name):
        raise ValueError(f"motion {motion.name!r}: field name: expected letters, digits, '_' and '-' only")
    require_action_name(motion.action)
    if motion.action not in ACTIONS and not motion.label and not motion.segments:
        raise ValueError(f"motion {motion.name}: action {motion.action!r}: an action of your own needs a frame label")
    for label in {segment.label for segment in motion.segments} | ({motion.label} if motion.label else set()):
        require_label(label)
    n_frames = len(motion)
    shapes = {"global_orient": (n_frames, 3), "body_pose": (n_frames, 23, 3), "transl": (n_frames, 3), "betas": (10,)}
    for field, shape in shapes.items():
        values = np.asarray(getattr(motion, field))
        if values.shape != shape or n_frames == 0:
            raise ValueError(f"motion {motion.name}: field {field}: expected shape {shape}, found {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"motion {motion.name}: field {field}: expected finite numbers, found NaN or infinity")


def _row(motion: Motion, digest: str) -> dict[str, Any]:
    own: dict[str, Any] = {"label": motion.label} if motion.label else {}
    partner = motion.provenance.get("partner")
    if partner is not None:
        own["partner"] = {"name": partner["name"], "number": partner.get("number", 1)}
    return own | {
        "name": motion.name,
        "file": f"{motion.name}.npz",
        "action": motion.action,
        "segments": [asdict(segment) for segment in motion.segments],
        "caption": motion.caption,
        "source": motion.source,
        "licence": motion.licence,
        "subject": motion.subject,
        "fps": float(motion.fps),
        "frames": len(motion),
        "support": motion.support,
        "support_height": motion.support_height,
        "support_center": None if motion.support_center is None else list(motion.support_center),
        "support_yaw": motion.support_yaw,
        "origin": motion.provenance.get("origin", ""),
        "sha256": digest,
    }


def _read_index(folder: Path) -> list[dict[str, Any]]:
    path = folder / INDEX
    try:
        index = read_json(path, format=FORMAT, remedy="import the motions again")
    except FileNotFoundError as error:
        raise ValueError(
            f"{folder}: expected a motion store with {INDEX}, found none; make one with 'augment motions import' or "
            "'augment motions library'"
        ) from error
    rows = index.get("motions")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() >= _ROW for row in rows):
        raise ValueError(
            f"{path}: field motions: expected a list of rows with {', '.join(sorted(_ROW))}, found something else; "
            "import the motions again"
        )
    return rows


def _read_journal(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a journal; a last line cut short is ignored."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
