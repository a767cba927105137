"""A folder of two shards of two clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.make.shards import write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "shards")
