"""Iterate over motion files in folders, tar and zip archives, or single files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ENDINGS = (".bvh", ".npz", ".npy", ".pkl", ".txt", ".json")
NOT_MOTIONS = ("new_joint_vecs", "texts", "annots", "split", "motions_processed")
"""Folders of HumanML3D and InterHuman that hold something else, or the same again."""
ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".tgz", ".txz", ".zip")


@dataclass(frozen=True, slots=True)
class MocapFile:
    """One file's bytes."""

    name: str
    """Without folder and ending."""
    ending: str
    """One of ``ENDINGS``."""
    data: bytes
    path: str
    """With its folders."""
    folder: Path | None
    """Where it lies; None in an archive."""


def iterate_files(source: Path) -> Iterator[MocapFile]:
    """All motion files of a file, folder or archive, in a fixed order (an archive's own).

    Of ``.npy`` files those in ``new_joints`` are motions (HumanML3D), of text files those with JSON that has ``Frames``
    (DeepMimic); a file that is named itself is taken whatever it is.

    Raises:
        ValueError: If the source does not exist, is of no known kind, or is an archive that cannot be read.
    """
    if source.is_dir():
        for path in sorted(each for each in source.rglob("*") if _may_be_motion(each.as_posix())):
            yield from _wrap(path.as_posix(), path.read_bytes(), path.parent)
    elif not source.exists():
        raise ValueError(f"{source}: expected a motion file, a folder, an archive or a motion store; there is nothing")
    elif source.name.lower().endswith(".zip"):
        yield from _iterate_zip(source)
    elif source.name.lower().endswith(ARCHIVES):
        yield from _iterate_tar(source)
    elif source.suffix.lower() in ENDINGS:
        yield MocapFile(source.stem, source.suffix.lower(), source.read_bytes(), source.as_posix(), source.parent)
    else:
        raise ValueError(f"{source}: expected one of {', '.join(ENDINGS + ARCHIVES)} or a folder, found {source.suffix!r}")


def count_files(source: Path) -> int | None:
    """How many files ``iterate_files`` will give; None where that takes reading the whole archive."""
    if source.is_dir():
        return sum(_may_be_motion(each.as_posix()) for each in source.rglob("*"))
    return None if source.name.lower().endswith(ARCHIVES) else 1


def _iterate_tar(source: Path) -> Iterator[MocapFile]:
    try:
        with tarfile.open(source, mode="r|*") as archive:
            for member in archive:
                stream = archive.extractfile(member) if _may_be_motion(member.name) and member.isfile() else None
                if stream is not None:
                    yield from _wrap(member.name, stream.read(), None)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{source}: expected a whole tar archive, found a damaged one ({error}); fetch it again") from error


def _iterate_zip(source: Path) -> Iterator[MocapFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(source.read_bytes())) as archive:
            for name in sorted(archive.namelist()):
                if _may_be_motion(name):
                    yield from _wrap(name, archive.read(name), None)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{source}: expected a whole zip archive, found a damaged one ({error}); fetch it again") from error


def _may_be_motion(name: str) -> bool:
    """Whether a file's path is one of motions; of texts the content decides."""
    path = PurePosixPath(name)
    folder = path.parent.name
    if path.suffix.lower() == ".npy":
        return folder == "new_joints"
    return path.suffix.lower() in ENDINGS and folder not in NOT_MOTIONS


def _wrap(name: str, data: bytes, folder: Path | None) -> Iterator[MocapFile]:
    path = PurePosixPath(name)
    ending = path.suffix.lower()
    if ending not in (".txt", ".json") or (data.lstrip()[:1] == b"{" and b'"Frames"' in data[:4096]):
        yield MocapFile(path.stem, ending, data, name, folder)
