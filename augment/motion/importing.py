"""Import mocap files of all supported formats into a store, with a report of the retargeting errors."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..actions import ACTIONS, captions_of, did_you_mean, own_action, said
from ..body.model import Body, load_body
from ..files import canonical_json, code_digest, sha256_of, sha256_of_file, write_atomic
from ..progress import Progress
from ..sources.mocap.amass import load_amass
from ..sources.mocap.babel import BabelEntry, read_babel
from ..sources.mocap.files import MocapFile, count_files, iterate_files
from ..sources.mocap.humanml3d import CaptionLine
from ..sources.mocap.labels import UNKNOWN, MocapLabel, label_of, read_cmu_index
from ..types import Motion, Segment
from .labels import core_label, own_label
from .motion_files import captioned, captions_beside, motions_in, with_babel
from .resample import resample
from .store import StoreWriter
from .support import find_support

REPORT = "retarget_report.json"
CODE = tuple(
    Path(__file__).parents[1] / name
    for name in (
        "actions.py", "body", "files.py", "geometry.py", "motion", "safe_pickle.py", "sources/mocap", "types.py", "unpack.py"
    )
)  # fmt: skip
"""Source that decides what an import gives: motions imported by other code are imported again."""
FPS = 20.0
"""Frames a second of imported motions, unless asked for others."""
_SHORTEST_SEC = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Labels that replace those of the file names, unless empty."""

    action: str = ""
    """A key of ``actions.ACTIONS``, or one of the user's own."""
    label: str = ""
    """Frame label of the whole motion; needed for an action that ``actions.ACTIONS`` does not have."""
    caption: str = ""
    """A sentence with ``{who}`` for the person."""
    source: str = ""
    licence: str = ""
    support: str = "auto"
    """See ``support.find_support``."""

    def check(self, remedy: str) -> None:
        """Raises ValueError if an action has no frame label (``remedy``: how to give one), or a name is malformed."""
        if self.action and self.action not in ACTIONS and not self.label:
            raise ValueError(
                f"action {self.action!r} is none of ours{did_you_mean(self.action, ACTIONS)}, and one of your own needs "
                f"a frame label, {remedy}; ours are: {', '.join(ACTIONS)}"
            )
        own_action(self.action or "other", self.label or "other", [self.caption] if self.caption else [])


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """Result of an import."""

    kept: int
    """Motions in the store afterwards."""
    added: int
    rejected: dict[str, str]
    """Reason of each rejected file."""
    overall: dict[str, Any]
    """The report's overall figures."""

    def rejected_by_reason(self) -> dict[str, list[str]]:
        """Each message, without the file's name, to the names of the files it is about."""
        reasons: dict[str, list[str]] = {}
        for name, message in self.rejected.items():
            reasons.setdefault(message.removeprefix(f"{name}: "), []).append(name)
        return reasons

    def figures(self) -> str:
        """One line about the retargeting."""
        if not self.overall.get("files"):
            return "nothing retargeted"
        skate = f"{self.overall['skate_source']:.3f} m/s in the source, {self.overall['skate_result']:.3f} m/s in the result"
        return f"joint directions off by {self.overall['median_direction_error_deg']:.2f} deg median; foot skate {skate}"


def import_motions(
    sources: tuple[Path, ...],
    out: Path,
    *,
    fps: float = FPS,
    overrides: Overrides | None = None,
    body_path: Path | None = None,
    babel: Path | None = None,
) -> ImportSummary:
    """Import files into a store; unusable files are counted with the reason.

    Args:
        sources: Motion files, folders or archives of them, or stores.
        out: The store.
        fps: Rate of its motions, frames a second.
        overrides: Labels instead of those that files and their names give.
        body_path: The body to retarget to; the open one by default.
        babel: BABEL's JSON, whose labels AMASS's recordings get.
    Raises:
        ValueError: If a source is missing or damaged, an override is unknown, or nothing could be imported.
    """
    overrides = overrides or Overrides()
    overrides.check("such as --label other")
    if not fps > 0:
        raise ValueError(f"fps: expected frames a second > 0, found {fps}")
    if not sources:
        raise ValueError("sources: expected at least one motion file, folder, archive or store, found none")
    entries = read_babel(babel) if babel else {}
    body = load_body(body_path)
    rest_pelvis = np.array(body.rest_joints(np.zeros(10)))[0]
    # 1: the format of this list
    options = json.dumps([1, fps, asdict(overrides), str(body_path or ""), *([sha256_of_file(babel)] if babel else [])])
    rejected: dict[str, str] = {}
    added, seen = 0, set()
    with StoreWriter(out) as store, Progress() as progress:
        _reset_other_code(out, store)
        for source in sources:
            total, descriptions = count_files(source), _descriptions(source)
            for number, file in enumerate(iterate_files(source), start=1):
                progress.update(source.name, number, total)
                origin = sha256_of(options.encode() + file.data)
                if store.rows.get(_clean(file.name), {}).get("origin") == origin and _clean(file.name) not in seen:
                    seen.add(_clean(file.name))
                    continue
                try:
                    captions = captions_beside(file)
                    for motion in motions_in(file, body):
                        name = _clean(motion.name)
                        try:
                            if name in seen:
                                raise ValueError(f"{file.name}: another file of this import has the same name; rename one")
                            seen.add(name)
                            if store.rows.get(name, {}).get("origin") == origin:
                                continue
                            motion = _complete(motion, file, body, support=overrides.support, captions=captions, babel=entries)
                            motion = _described(motion, file, descriptions, overrides)
                            motion = replace(motion, name=name, provenance=motion.provenance | {"origin": origin})
                            store.add(resample(motion, fps), rest_pelvis=rest_pelvis)
                            added += 1
                        except ValueError as error:  # the file's other motions may be good
                            rejected[motion.name] = str(error)
                except ValueError as error:
                    rejected[file.name] = str(error)
        overall = _write_report(out, store, rejected)
        kept = len(store.rows)
    if kept == 0:
        first = next(iter(rejected.values()), "no motion file in the sources")
        raise ValueError(f"{out}: expected to import at least one motion, found none usable; first reason: {first}")
    return ImportSummary(kept=kept, added=added, rejected=rejected, overall=overall)


def _reset_other_code(out: Path, store: StoreWriter) -> None:
    """Motions that other code imported lose their origin in the index, so that they are imported again."""
    code = code_digest(*CODE)
    try:
        known = json.loads((out / REPORT).read_text())["code_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        known = None
    if known == code:
        return
    for row in store.rows.values():
        if len(row.get("origin", "")) == len(code):  # a digest marks an import; other origins are text
            row["origin"] = ""
    store.close()  # the index first: a run killed in between resets again
    write_atomic(out / REPORT, canonical_json({"code_sha256": code}))


def read_motion(path: Path, body: Body, *, action: str, label: str = "", support: str = "auto", fps: float = FPS) -> Motion:
    """Read one motion file as a motion of an action, without a store; the first of a file of several.

    Args:
        path: The file.
        body: The body to retarget to.
        action: What it shows. A file that was written here keeps its own action, label and segments.
        label: The action's frame label; may be empty where ``actions.ACTIONS`` or the file has it.
        support: See ``support.find_support``.
        fps: Rate of the motion, frames a second.
    Raises:
        ValueError: If the file is missing, cannot be used, or nothing says the action's frame label.
    """
    file = next(iter(iterate_files(path)))
    motion = next(motions_in(file, body))
    motion = _complete(motion, file, body, support=support, captions=captions_beside(file), babel={})
    overrides = Overrides(action=action, label=label)
    if not motion.segments or motion.action != action:
        try:
            overrides.check(f"such as actions: {{{action}: {{label: other}}}} in the recipe")
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    motion = _described(motion, file, _descriptions(path), Overrides() if motion.segments else overrides)
    provenance = motion.provenance | {"file": path.name, "sha256": sha256_of(file.data)}
    return resample(replace(motion, name=_clean(file.name), provenance=provenance), fps)


def _described(motion: Motion, file: MocapFile, descriptions: dict[str, str], overrides: Overrides) -> Motion:
    """The motion of a file with labels, source and licence."""
    label = label_of(file.name, descriptions)
    if motion.caption and not motion.segments:
        label = replace(label, action=motion.action)
    return replace(
        _labelled(motion, label, overrides),
        source=overrides.source or motion.source or label.source,
        licence=overrides.licence or motion.licence or label.licence,
        subject=motion.subject or label.subject,
    )


def _complete(
    motion: Motion,
    file: MocapFile,
    body: Body,
    *,
    support: str,
    captions: tuple[CaptionLine, ...],
    babel: dict[str, BabelEntry],
) -> Motion:
    """A motion of a file with what supports it, and what its data set says of it."""
    if motion.seconds < _SHORTEST_SEC:
        raise ValueError(f"{motion.name}: expected at least {_SHORTEST_SEC} s, found {motion.seconds:.3f} s; too short to use")
    written_here = bool(motion.segments)
    motion = with_babel(captioned(motion, captions), file, babel)
    return motion if written_here and support == "auto" else find_support(motion, body, support)


def _labelled(motion: Motion, label: MocapLabel, overrides: Overrides) -> Motion:
    """The motion with action, segments and caption: those asked for, else its own, else those of its file's name."""
    ours = bool(motion.segments)
    action = overrides.action or (motion.action if ours else label.action)
    if overrides.action or overrides.label or not ours:
        core = overrides.label or (ACTIONS[action].label if action in ACTIONS else core_label(motion))
        segment = Segment(label=core, start_sec=0.0, end_sec=motion.seconds)
        motion = replace(motion, label=own_label(action, core), segments=(segment,))
    # What a data set says of a recording holds whatever action it is filed under; a guess from the file's name does not.
    caption = motion.caption or (label.caption if action == label.action or label.licence != UNKNOWN else "")
    if overrides.caption or not caption:
        caption = said(overrides.caption or captions_of(action)[0])
    return replace(motion, action=action, caption=caption)


def _write_report(out: Path, store: StoreWriter, rejected: dict[str, str]) -> dict[str, Any]:
    """Write the retargeting errors per file and overall; returns the overall ones."""
    files = {}
    for name, row in sorted(store.rows.items()):
        motion = load_amass(io.BytesIO((out / row["file"]).read_bytes()), name=name)
        if "retarget" in motion.provenance:
            files[name] = motion.provenance["retarget"]
    overall: dict[str, Any] = {"files": len(files)}
    if files:
        frames = np.array([each["frames"] for each in files.values()], float)
        bones = {bone for each in files.values() for bone in each["direction_error_deg"]}
        per_bone = {
            bone: float(np.median([of[bone] for each in files.values() if bone in (of := each["direction_error_deg"])]))
            for bone in sorted(bones)
        }
        skate = {key: np.array([each[key] for each in files.values()]) for key in ("skate_source", "skate_result")}
        overall |= {
            "median_direction_error_deg": float(np.median(list(per_bone.values()))),
            "median_direction_error_deg_per_bone": per_bone,
            "skate_source": float(np.average(skate["skate_source"], weights=frames)),
            "skate_result": float(np.average(skate["skate_result"], weights=frames)),
            "files_skating_more_than_source": int((skate["skate_result"] > skate["skate_source"] + 1e-6).sum()),
        }
    report = {"code_sha256": code_digest(*CODE), "overall": overall, "files": files, "rejected": rejected}
    text = json.dumps(report, indent=1, sort_keys=True)
    write_atomic(out / REPORT, (text + "\n").encode())
    return overall


def _descriptions(source: Path) -> dict[str, str]:
    """CMU's descriptions, if its ``index.csv`` is in the folder or beside the file."""
    index = (source if source.is_dir() else source.parent) / "index.csv"
    return read_cmu_index(index.read_text(encoding="utf-8", errors="replace")) if index.exists() else {}


def _clean(name: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each in "_-") else "-" for each in name) or "motion"
