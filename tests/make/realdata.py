"""Where the real data lie, for the tests that need them: ``$UNDERSTUDY_DATA``, else ``../shared/data`` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def require(name: str) -> Path:
    """The path of one data set or file below the root; the calling test is skipped, with the reason, where it is absent."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"real data {name!r} not found below {ROOT}; set UNDERSTUDY_DATA to run this test")
    return path
