"""Functions compiled to machine code by Numba: the inner loops of drawing and filming.

Numba was chosen over NVIDIA Warp by measurement (one core, 43,000 triangles at 448 x 598 samples): normals 0.36 against 0.61
ms, projection 0.07 against 0.12, z-buffer 0.31 against 0.97, noise 0.17 against 1.53. Warp's CPU backend runs one kernel
instance for each element and does not vectorise across them. Machine code is cached on disk: only the first run compiles.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from .files import cache_dir, code_digest

_NOT_COMPILED_IN = {"cli.py", "demo.py", "commands", "generate", "reconstruct", "priors", "generators"}
"""Parts of the package that no compiled function may import from (a contract in ``pyproject.toml``)."""


def _cache_folder() -> Path:
    """A folder for each state of the code: Numba knows only the file of a function itself, not those of the functions and
    constants that it compiles in."""
    parts = [path for path in Path(__file__).parent.iterdir() if path.name not in _NOT_COMPILED_IN]
    return cache_dir() / "compiled" / code_digest(*(path for path in parts if path.suffix in ("", ".py")))[:12]


numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]

F = TypeVar("F", bound=Callable)


def compiled(function: F) -> F:
    """Compile a function of numbers and arrays.

    No fast-math: additions keep their order, so the same input gives the same bytes. Division by zero gives inf, as in NumPy.
    """
    # The tests' import hook wraps functions to check shapes; Numba needs the function itself.
    return cast(F, numba.njit(cache=True, error_model="numpy", nogil=True)(inspect.unwrap(function)))


def inlined(function: F) -> F:
    """The same for a part of other compiled functions, put into them: in inner loops a call that passes arrays costs time."""
    return cast(F, numba.njit(cache=True, error_model="numpy", nogil=True, forceinline=True)(inspect.unwrap(function)))
