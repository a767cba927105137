"""Open compressed files by their first bytes, through a reader with a limit on the unpacked size."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

MAX_UNPACKED_BYTES = 8 << 30
"""Most bytes a file may unpack to: an hour of SMPL meshes (25 frames a second, 6890 vertices) is 7.4 GB."""

_CHUNK = 1 << 20


class LimitedReader:
    """The file interface of an unpickler over a stream, with a bound on what is read in all."""

    def __init__(self, stream: Any, path: Path, limit: int) -> None:
        self._stream, self._path, self._limit, self._left = stream, path, limit, limit

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; ValueError if that exceeds the bound."""
        if size < 0 or size > self._left:
            size_text = "everything" if size < 0 else f"{size} bytes more"
            raise ValueError(
                f"{self._path}: would unpack {size_text}, but at most {self._limit} bytes are allowed; it is damaged or a "
                "decompression bomb (raise the limit if you trust the file)"
            )
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise ValueError(f"{self._path}: the compressed data are damaged ({error})") from error
        self._left -= len(data)
        return data

    def readline(self) -> bytes:
        """One line, of at most a megabyte."""
        data = self._stream.readline(min(self._left, _CHUNK))
        self._left -= len(data)
        return data

    def read_exactly(self, size: int) -> bytearray:
        """``size`` bytes, read in pieces so that a wrong size costs no memory; ValueError if the file ends first."""
        data = bytearray()
        if size < 0 or size > self._left:
            self.read(size)
        while len(data) < size:
            piece = self.read(min(size - len(data), 16 * _CHUNK))
            if not piece:
                raise ValueError(f"{self._path}: cut short: an array needs {size} bytes, {size - len(data)} are missing")
            data += piece
        return data


class _ZlibStream(io.RawIOBase):
    """A bare zlib stream as a file; the standard library has this for gzip only."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._inflate = file, zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(_CHUNK)
            data = self._inflate.decompress(packed, len(buffer))
            if not packed and not data:
                raise EOFError("zlib stream cut short")
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0


@contextmanager
def open_unpacked(file: BinaryIO | io.BytesIO, path: Path, limit: int) -> Iterator[LimitedReader]:
    """Content of a plain, zlib, gzip, bzip2, xz or lzma file, by its first bytes; a plain one is bounded by its size."""
    start = file.read(6)
    file.seek(0)
    if start[:4] == b"\x04\x22\x4d\x18" or start[:2] == b"ZF":
        kind = "lz4" if start[0] == 4 else "joblib older than 0.10"
        raise ValueError(f"{path}: packed by {kind}, which is not read; load it where it was made and dump it with compress=3")
    if start[:1] == b"\x78":
        stream: Any = io.BufferedReader(_ZlibStream(file), _CHUNK)
    elif start[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=file)
    elif start[:3] == b"BZh":
        stream = bz2.BZ2File(file)
    elif start[:5] == b"\xfd7zXZ" or start[:2] == b"\x5d\x00":
        stream = lzma.LZMAFile(file)  # noqa: SIM115 - closed below
    else:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        yield LimitedReader(file, path, size)
        return
    with stream:
        yield LimitedReader(stream, path, limit)
