"""Files: atomic writes, digests, canonical JSON, and npz archives whose bytes depend on their arrays alone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

TEMPORARY = ".{name}.tmp-{pid}"
"""Name of an unfinished file, beside its final name."""
DAMAGED_NPZ = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, EOFError, OSError, ValueError, KeyError, AttributeError, RuntimeError,
)  # fmt: skip
"""Errors of NumPy and zipfile for a file that is truncated, damaged, or not an npz."""


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that readers find the old content or the new one, also after a power cut.

    Raises:
        OSError: If the file cannot be written; the message names the path, and no temporary file is left.
    """
    with open_atomic(path) as stream:
        stream.write(data)


@contextmanager
def open_atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing under a temporary name; at the end of the block it is flushed to disk and renamed.

    Raises:
        OSError: As ``write_atomic``. Any error inside the block removes the temporary file.
    """
    temporary = path.with_name(TEMPORARY.format(name=path.name, pid=os.getpid()))
    try:
        with open(temporary, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror or error}", str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Delete the temporary files that a killed ``write_atomic`` left in a folder."""
    for path in folder.glob(TEMPORARY.format(name="*", pid="*")):
        path.unlink()


def sha256_of(data: bytes) -> str:
    """SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal; the file is streamed."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_json(facts: Any) -> str:
    """SHA-256 of ``canonical_json(facts)``, hexadecimal."""
    return sha256_of(canonical_json(facts))


def cache_dir() -> Path:
    """Folder of files built once per machine: ``$UNDERSTUDY_CACHE``, else ``~/.cache/understudy``."""
    return Path(os.environ.get("UNDERSTUDY_CACHE") or Path.home() / ".cache" / "understudy")


def code_digest(*paths: Path) -> str:
    """SHA-256 of Python source files and of all those in folders, with their names: other code may give other results.

    Args:
        paths: Files and folders of this repository's packages.
    """
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    files = {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])}
    for file in sorted(files):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def canonical_json(value: Any, *, indent: int | None = 1) -> bytes:
    """JSON with sorted keys, the same bytes for equal values. NumPy scalars and arrays become numbers and lists.

    Args:
        indent: Columns of each level; None for one line, which is written several times as fast.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=indent, default=plain).encode()


def plain(item: Any) -> Any:
    """What JSON holds for a NumPy scalar, an array or a path: the ``default`` of ``json.dumps``."""
    if isinstance(item, np.ndarray | np.generic):
        return item.tolist()
    if isinstance(item, Path):
        return item.as_posix()
    raise TypeError(f"cannot write {type(item).__name__} to JSON: {item!r}")


def load_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        ValueError: If it cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from error


def read_json(path: Path, *, format: str, remedy: str) -> dict[str, Any]:
    """Read a JSON object whose field ``format`` names the expected format.

    Args:
        path: The file.
        format: The expected value of the field.
        remedy: What to do about a wrong file; ends the error message.
    Raises:
        ValueError: If it is not JSON, or of another format.
        FileNotFoundError: If it does not exist.
    """
    return parse_json(path.read_bytes(), str(path), format=format, remedy=remedy)


def parse_json(data: bytes, name: str, *, format: str, remedy: str) -> dict[str, Any]:
    """As ``read_json``, of a file's content; ``name`` says in errors which file."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{name}: not JSON ({error}); {remedy}") from error
    found = value.get("format") if isinstance(value, dict) else type(value).__name__
    if not isinstance(value, dict) or found != format:
        raise ValueError(f"{name}: expected format {format!r}, found {found!r}; {remedy}")
    return value


def npz_bytes(arrays: dict[str, np.ndarray], *, compress: bool = False) -> bytes:
    """A ``.npz`` with sorted members and fixed dates (``np.savez`` stamps the time of writing)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            info.compress_type = archive.compression
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


def npy_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and dtype of a ``.npy``, whose numbers follow in the stream."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)


def npz_arrays(data: bytes | Path, *, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an npz file, given by its content or its path. Pickled members are refused.

    Args:
        data: The content, or the path.
        names: Those to read; None: all.
    Raises:
        KeyError: If a named one is not in it.
        DAMAGED_NPZ: If it is damaged or not an npz.
    """
    with np.load(io.BytesIO(data) if isinstance(data, bytes) else data, allow_pickle=False) as archive:
        return {name: archive[name] for name in (archive.files if names is None else names)}


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
