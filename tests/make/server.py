"""A folder served over HTTP on this machine, with or without parts of files (the header `Range`)."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def served(folder: Path, *, parts: bool = True, failures: int = 0, asked: list[str] | None = None) -> Iterator[str]:
    """The address of a folder, ending in ``/``; the server stops with the block.

    Args:
        folder: What is served.
        parts: Whether it gives parts of files, or only whole ones.
        failures: So many requests for parts are answered with 503 first.
        asked: Gets the header ``Range`` of each answered request for a part.
    """
    left = [failures]

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            path = folder / self.path.lstrip("/")
            if wanted is None or not parts or not path.is_file():
                return super().do_GET()
            if left[0]:
                left[0] -= 1
                return self.send_error(503)
            if asked is not None:
                asked.append(wanted)
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            content = path.read_bytes()[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
