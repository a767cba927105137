"""Parts of files behind URLs: the bytes of one clip out of a shard that is not copied."""

from __future__ import annotations

import time
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from augment.remote import Remote

TRIES = 4
"""Attempts to read a part; the wait before the next doubles, from ``WAIT_SEC`` on."""
WAIT_SEC = 0.5
TIMEOUT_SEC = 60
PASSING = (429, 500, 502, 503, 504)
"""HTTP codes that another attempt may not give."""


def read_part(url: str, offset: int, size: int) -> bytes:
    """Some bytes of a file behind a URL: http and https without further packages, or whatever fsspec opens.

    Raises:
        OSError: If they cannot be had; the message names the URL.
        ValueError: If no installed package opens such URLs.
    """
    if not url.startswith(("http://", "https://")):
        folder, _, name = url.rpartition("/")
        return Remote(folder).read_part(name, offset, size)
    request = Request(url, headers={"Range": f"bytes={offset}-{offset + size - 1}"})
    for attempt in range(TRIES):
        try:
            with urlopen(request, timeout=TIMEOUT_SEC) as answer:
                if answer.status != 206:
                    raise OSError(95, f"{url}: its server hands out whole files only; copy the shards, or name their folder")
                content = answer.read()
            if len(content) == size:
                return content
            reason = f"{len(content)} of {size} bytes came"
        except HTTPError as error:
            reason = f"HTTP {error.code}"
            if error.code not in PASSING:
                break
        except (URLError, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", error))
        if attempt < TRIES - 1:
            time.sleep(WAIT_SEC * 2**attempt)
    raise OSError(5, f"{url}: bytes {offset} to {offset + size} cannot be read ({reason})")
