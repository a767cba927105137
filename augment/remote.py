"""Files behind a URL, through fsspec: ``s3://``, ``gs://``, ``memory://``, ... A transfer that falters is tried again."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

TRIES = 6
"""Times that a transfer is tried."""
WAIT_SEC = 0.5
"""Wait before the second try, doubled for each further one: 15 s in all, besides what the client of the store waits itself."""
FINAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EEXIST)
"""Errors that another try does not cure."""
CLIENTS = ("aiobotocore", "botocore", "aiohttp", "gcsfs", "adlfs", "azure", "google", "asyncio", "concurrent", "paramiko")
"""Packages whose own exceptions stand for a failed transfer."""
BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "az"}
"""Stores without folders."""
CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "RefreshError", "DefaultCredentialsError")
"""Their exceptions that another try does not cure."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store says about a file."""

    size: int
    """Bytes."""
    md5: str | None
    """Hexadecimal; None where the store does not say."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A folder behind a URL."""

    url: str
    """Without a slash at the end."""

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        return PurePosixPath(self.url).name

    def files(self) -> dict[str, Stored]:
        """Everything below, by its path relative to the folder; empty if there is nothing."""

        def find(fs: Any, root: str) -> dict[str, Stored]:
            fs.invalidate_cache()
            found = fs.find(root, detail=True)
            start = len(fs._strip_protocol(root).strip("/")) + 1
            return {
                path.strip("/")[start:]: Stored(size=int(info["size"] or 0), md5=_md5_of(info))
                for path, info in found.items()
                if info["type"] == "file"
            }

        try:
            return self._try("list", find)
        except FileNotFoundError:
            return {}

    def read(self, name: str) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: If there is none.
            OSError: If it cannot be read.
        """
        return self._try("read", lambda fs, root: fs.cat_file(f"{root}/{name}"), name)

    def read_part(self, name: str, offset: int, size: int) -> bytes:
        """Some of a file's bytes.

        Raises:
            OSError: If they cannot be read.
        """

        def cat(fs: Any, root: str) -> bytes:
            content = fs.cat_file(f"{root}/{name}", start=offset, end=offset + size)
            if len(content) != size:
                raise OSError(errno.EIO, f"{len(content)} of {size} bytes came")
            return content

        return self._try("read", cat, name)

    def read_all(self, names: list[str]) -> dict[str, bytes]:
        """Contents of many small files, fetched side by side."""
        if not names:
            return {}

        def cat(fs: Any, root: str) -> dict[str, bytes]:
            found = fs.cat([f"{root}/{name}" for name in names], on_error="raise")
            found = found if isinstance(found, dict) else {f"{root}/{names[0]}": found}
            start = len(fs._strip_protocol(root).strip("/")) + 1
            return {path.strip("/")[start:]: data for path, data in found.items()}

        return self._try("read", cat, names[0])

    def get(self, name: str, to: Path) -> None:
        """Copy a file to this machine."""
        self._try("read", lambda fs, root: fs.get_file(f"{root}/{name}", str(to)), name)

    def write(self, name: str, data: bytes) -> None:
        """Write a small file."""
        self._try("write", lambda fs, root: _pipe(fs, f"{root}/{name}", data), name)

    def put(self, path: Path, name: str) -> None:
        """Copy a file from this machine, a large one in several pieces; it is there whole, or not at all.

        Raises:
            OSError: If it cannot be written, or what arrived has another size.
        """

        def upload(fs: Any, root: str) -> None:
            _make_parent(fs, f"{root}/{name}")
            fs.put_file(str(path), f"{root}/{name}")
            fs.invalidate_cache()
            arrived = fs.info(f"{root}/{name}")["size"]
            if arrived != path.stat().st_size:
                raise OSError(errno.EIO, f"{arrived} of {path.stat().st_size} bytes arrived")

        self._try("write", upload, name)

    def remove(self, names: list[str]) -> None:
        """Delete files; those that are not there don't matter."""

        def delete(fs: Any, root: str) -> None:
            for name in names:
                try:
                    fs.rm_file(f"{root}/{name}")
                except FileNotFoundError:
                    continue

        self._try("delete", delete)

    def _try(self, what: str, work: Callable[[Any, str], Any], name: str = "") -> Any:
        """Do something with the file system, several times if need be."""
        fs, root = _open(self.url)
        where = f"{self.url}/{name}" if name else self.url
        for tries in range(1, TRIES + 1):
            try:
                return work(fs, root)
            except Exception as error:
                if isinstance(error, FileNotFoundError):
                    text = error.strerror or str(error) or "no such file"
                    raise FileNotFoundError(errno.ENOENT, f"cannot {what}: {text}", where) from error
                if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in CLIENTS:
                    raise
                if tries == TRIES or _is_final(error):
                    text = " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
                    raise OSError(getattr(error, "errno", None) or errno.EIO, f"cannot {what}: {text}", where) from error
                time.sleep(WAIT_SEC * 2 ** (tries - 1))
        raise AssertionError("unreachable")


def is_url(text: str | Path) -> bool:
    """Whether a text names something behind a URL; a path, also one with ``file://``, is on this machine."""
    return "://" in str(text) and not str(text).startswith("file://")


def place_of(text: str | Path) -> Path | Remote:
    """The folder that a path or URL names.

    Raises:
        ValueError: If no installed package opens such URLs.
    """
    if not is_url(text):
        return Path(str(text).removeprefix("file://")).expanduser()
    remote = Remote(str(text).rstrip("/"))
    _open(remote.url)
    return remote


@contextmanager
def local_copy(place: Path | Remote, name: str) -> Iterator[Path]:
    """A file of a folder as a file on this machine, for the time of the block."""
    if isinstance(place, Path):
        yield place / name
        return
    with TemporaryDirectory(prefix="understudy-") as scratch:
        path = Path(scratch) / PurePosixPath(name).name
        place.get(name, path)
        yield path


def read_bytes(place: Path | Remote, name: str) -> bytes:
    """A file's content.

    Raises:
        FileNotFoundError: If there is none.
    """
    return place.read(name) if isinstance(place, Remote) else (place / name).read_bytes()


def file_names(place: Path | Remote) -> list[str]:
    """Everything in a folder, relative to it, sorted."""
    if isinstance(place, Remote):
        return sorted(place.files())
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())


def copy_folder(source: Path | Remote, name: str, to: Path) -> None:
    """Copy what lies below ``source / name`` into a folder on this machine; nothing if there is nothing."""
    if isinstance(source, Path):
        if (source / name).is_dir():
            shutil.copytree(source / name, to, dirs_exist_ok=True)
        return
    for file in (source / name).files():
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        (source / name).get(file, to / file)


def open_stream(url: str) -> Any:
    """A file behind a URL as a stream, to be read from its beginning.

    Raises:
        OSError: If there is none, or it cannot be read.
    """
    folder, _, name = url.rpartition("/")
    return Remote(folder)._try("read", lambda fs, root: fs.open(f"{root}/{name}", "rb", block_size=1 << 22), name)


def _open(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        return url_to_fs(url, use_listings_cache=False) if url.startswith(("s3:", "s3a:")) else url_to_fs(url)
    except ImportError as error:
        package = "pip install 'understudy[cloud]'" if url.startswith(("s3:", "s3a:")) else "install that package"
        raise ValueError(f"{url}: {error}; {package}") from error
    except ValueError as error:
        from fsspec import available_protocols

        raise ValueError(f"{url}: {error}; expected a path, or one of: {', '.join(sorted(available_protocols()))}") from error


def _pipe(fs: Any, path: str, data: bytes) -> None:
    _make_parent(fs, path)
    fs.pipe_file(path, data)


def _make_parent(fs: Any, path: str) -> None:
    """Folders exist by themselves in a bucket, and making one may need rights that writing a file does not."""
    if not BUCKETS & ({fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)):
        fs.makedirs(fs._parent(path), exist_ok=True)


def _md5_of(info: dict[str, Any]) -> str | None:
    """S3's tag of a file is its MD5, unless it was sent in pieces."""
    tag = str(info.get("ETag", "")).strip('"')
    return tag if len(tag) == 32 and all(digit in "0123456789abcdef" for digit in tag) else None


def _is_final(error: Exception) -> bool:
    if isinstance(error, PermissionError) or type(error).__name__ in CREDENTIALS:
        return True
    return isinstance(error, OSError) and error.errno in FINAL
