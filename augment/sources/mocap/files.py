"""Iterate over motion files in folders, tar and zip archives, or single files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ENDINGS = (".bvh", ".npz")
ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".tgz", ".txz", ".zip")


@dataclass(frozen=True, slots=True)
class MocapFile:
    """One file's bytes."""

    name: str
    """Without folder and ending."""
    ending: str
    """One of ``ENDINGS``."""
    data: bytes


def iterate_files(source: Path) -> Iterator[MocapFile]:
    """All BVH and npz files of a file, folder or archive, in a fixed order (an archive's own).

    Raises:
        ValueError: If the source does not exist, is of no known kind, or is an archive that cannot be read.
    """
    if source.is_dir():
        for path in sorted(each for each in source.rglob("*") if each.suffix.lower() in ENDINGS):
            yield _wrap(path.as_posix(), path.read_bytes())
    elif not source.exists():
        raise ValueError(f"{source}: expected a BVH or npz file, a folder, an archive or a motion store; there is nothing")
    elif source.name.lower().endswith(".zip"):
        yield from _iterate_zip(source)
    elif source.name.lower().endswith(ARCHIVES):
        yield from _iterate_tar(source)
    elif source.suffix.lower() in ENDINGS:
        yield _wrap(source.name, source.read_bytes())
    else:
        raise ValueError(f"{source}: expected one of {', '.join(ENDINGS + ARCHIVES)} or a folder, found {source.suffix!r}")


def count_files(source: Path) -> int | None:
    """How many files ``iterate_files`` will give; None where that takes reading the whole archive."""
    if source.is_dir():
        return sum(each.suffix.lower() in ENDINGS for each in source.rglob("*"))
    return None if source.name.lower().endswith(ARCHIVES) else 1


def _iterate_tar(source: Path) -> Iterator[MocapFile]:
    try:
        with tarfile.open(source, mode="r|*") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name.lower().endswith(ENDINGS) and member.isfile() else None
                if stream is not None:
                    yield _wrap(member.name, stream.read())
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{source}: expected a whole tar archive, found a damaged one ({error}); fetch it again") from error


def _iterate_zip(source: Path) -> Iterator[MocapFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(source.read_bytes())) as archive:
            for name in sorted(archive.namelist()):
                if name.lower().endswith(ENDINGS):
                    yield _wrap(name, archive.read(name))
    except zipfile.BadZipFile as error:
        raise ValueError(f"{source}: expected a whole zip archive, found a damaged one ({error}); fetch it again") from error


def _wrap(name: str, data: bytes) -> MocapFile:
    path = PurePosixPath(name)
    return MocapFile(path.stem, path.suffix.lower(), data)
