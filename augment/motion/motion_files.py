"""What a motion file of any format holds, as motions of our body."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace

from ..body.model import Body
from ..sources.mocap.amass import load_amass
from ..sources.mocap.babel import BabelEntry, amass_key
from ..sources.mocap.bvh import parse_bvh
from ..sources.mocap.deepmimic import load_deepmimic
from ..sources.mocap.files import MocapFile
from ..sources.mocap.humanml3d import CaptionLine, load_joints, read_captions
from ..sources.mocap.labels import action_of_words, babel_segments, label_of
from ..sources.mocap.smpl_pickles import load_smpl_pickle
from ..types import Motion
from .reshape import adopt
from .retarget import retarget, retarget_bvh

CAPTION_FOLDERS = {".npy": "texts", ".pkl": "annots"}
"""Beside the folder of a motion file: HumanML3D's and InterHuman's captions, in a text file of the motion's name. Not read in
archives."""


def motions_in(file: MocapFile, body: Body) -> Iterator[Motion]:
    """The motions of a file, of our body, at their own rate; labelled only if they were written here.

    Raises:
        ValueError: If the file is not what its ending says, or is damaged.
    """
    return READERS[file.ending](file, body)


def _text(file: MocapFile) -> str:
    try:
        return file.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.name}: expected text, found bytes that are no text ({error.reason})") from error


def _bvh(file: MocapFile, body: Body) -> Iterator[Motion]:
    motion, report = retarget_bvh(parse_bvh(_text(file), name=file.name), body)
    yield replace(motion, provenance=motion.provenance | {"style": label_of(file.name).style, "retarget": asdict(report)})


def _amass(file: MocapFile, body: Body) -> Iterator[Motion]:
    motion = replace(load_amass(io.BytesIO(file.data), name=file.name), name=file.name)
    yield adopt(motion, body) if motion.provenance.get("foreign_body") else motion


def _humanml3d(file: MocapFile, body: Body) -> Iterator[Motion]:
    motion, report = retarget(load_joints(file.data, name=file.name), body)
    yield replace(
        motion,
        source=f"HumanML3D/{file.name}",
        licence="AMASS and HumanAct12 terms",
        provenance=motion.provenance | {"retarget": asdict(report)},
    )


def _deepmimic(file: MocapFile, body: Body) -> Iterator[Motion]:
    motion, report = retarget(load_deepmimic(_text(file), name=file.name), body)
    yield replace(
        motion, source=f"DeepMimic/{file.name}", licence="MIT", provenance=motion.provenance | {"retarget": asdict(report)}
    )


def _smpl_pickle(file: MocapFile, body: Body) -> Iterator[Motion]:
    for motion in load_smpl_pickle(file.data, name=file.name):
        yield adopt(motion, body)


READERS: dict[str, Callable[[MocapFile, Body], Iterator[Motion]]] = {
    ".bvh": _bvh, ".npz": _amass, ".npy": _humanml3d, ".txt": _deepmimic, ".json": _deepmimic, ".pkl": _smpl_pickle,
}  # fmt: skip
"""A file's ending to its reader. Extending = one function and one line here, and the ending in ``sources.mocap.files``."""


def captions_beside(file: MocapFile) -> tuple[CaptionLine, ...]:
    """The captions that HumanML3D and InterHuman keep in another folder; none where there are none."""
    name = CAPTION_FOLDERS.get(file.ending)
    if name is None or file.folder is None:
        return ()
    return read_captions(file.folder.parent / name / f"{file.name}.txt")


def captioned(motion: Motion, captions: tuple[CaptionLine, ...]) -> Motion:
    """The motion with what its data set says of it: the first caption about all of it, and the action that its words tell."""
    if captions:
        lines = [asdict(line) for line in captions]
        about_all = [line.caption for line in captions if line.end_sec <= line.start_sec] or [captions[0].caption]
        motion = replace(motion, caption=about_all[0], provenance=motion.provenance | {"captions": lines})
    if motion.segments or not motion.caption:
        return motion
    return replace(motion, action=action_of_words(motion.caption))


def with_babel(motion: Motion, file: MocapFile, babel: Mapping[str, BabelEntry]) -> Motion:
    """The motion with BABEL's caption, and its stretches as segments; as it is where BABEL does not know the recording."""
    entry = babel.get(amass_key(file.path))
    if entry is None:
        return motion
    segments = babel_segments(entry, motion.seconds)
    longest = max(segments, key=lambda segment: segment.end_sec - segment.start_sec)
    said = max(entry.labels, key=lambda label: label.end_sec - label.start_sec).text
    return replace(
        motion, caption=entry.caption, segments=segments, label=longest.label, action=action_of_words(said),
        provenance=motion.provenance | {"babel": [asdict(label) for label in entry.labels]},
    )  # fmt: skip
