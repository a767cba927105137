"""Every test runs with the shapes and dtypes of annotated arrays checked (jaxtyping + beartype)."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

from jaxtyping import install_import_hook

import tests.typechecker  # noqa: F401 - the hook finds the checker by its name, and does not import it

install_import_hook(["augment", "recognition"], "tests.typechecker.check")

import pytest  # noqa: E402


@pytest.fixture(scope="session")
def body():
    """The open default body."""
    from augment.body.model import load_body

    return load_body()


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A short filmed clip with estimators' files; its folder is shared, so a test writes elsewhere."""
    from tests.make.clip import make_clip

    return make_clip(tmp_path_factory.mktemp("clip"))
