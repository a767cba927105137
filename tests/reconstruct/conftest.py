"""The filmed clip that the tests of this folder share."""

from __future__ import annotations

import pytest

from tests.make.clip import Clip, make_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Clip:
    """Filmed once for all tests, which must not write into its folder."""
    return make_clip(tmp_path_factory.mktemp("clip"))
