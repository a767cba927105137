"""A real S3 server (moto's) on loopback with faults to order, and a file system that behaves like a full or read-only disk."""

from __future__ import annotations

import errno
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Faults:
    """A WSGI application in front of the server: refuses every n-th PUT as a throttled bucket does."""

    def __init__(self, application: Any) -> None:
        self.application, self.every, self.refused, self.puts = application, 0, 0, 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "PUT":
            self.puts += 1
            if self.every and self.puts % self.every == 0:
                self.refused += 1
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))])
                return [SLOW_DOWN]
        return self.application(environ, start_response)


@contextmanager
def s3_server() -> Iterator[tuple[str, Faults]]:
    """URL of the server, which ends with the block, and its faults."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    faults = Faults(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, faults, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", faults
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def bucket(monkeypatch: Any) -> Iterator[Faults]:
    """A server with the empty bucket ``s3://bucket``, known to the environment; skips where an extra is missing."""
    import pytest

    s3fs = pytest.importorskip("s3fs", reason="needs the extra cloud: pip install 'understudy[cloud]'")
    pytest.importorskip("moto", reason="needs the S3 server of the extra dev: moto[s3], flask, flask-cors")
    pytest.importorskip("flask_cors", reason="needs the S3 server of the extra dev: moto[s3], flask, flask-cors")
    with s3_server() as (url, faults):
        for name, value in (("ENDPOINT_URL", url), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("REGION", "eu-west-1")):
            monkeypatch.setenv(f"AWS_{name}", value)
        # Servers of one process share what they hold.
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("bucket")
        try:
            yield faults
        finally:
            s3fs.S3FileSystem.clear_instance_cache()


class Failing(MemoryFileSystem):
    """``failing://``: files in memory; writing one whose name ends like a key of ``refuse`` raises that error."""

    protocol = "failing"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    refuse: dict[str, list[BaseException]] = {}  # noqa: RUF012
    """End of a path to the errors that the next tries of writing it raise."""

    def _check(self, path: str) -> None:
        for end, errors in self.refuse.items():
            if path.endswith(end) and errors:
                raise errors.pop(0)

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        self._check(rpath)
        super().put_file(lpath, rpath, **options)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._check(path)
        super().pipe_file(path, value, **options)


def full() -> OSError:
    """What a full disk raises."""
    return OSError(errno.ENOSPC, "No space left on device")
