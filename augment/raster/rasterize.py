"""Draw one mesh through one camera: the interface of the rasterizers, and the choice of one that works here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ..types import Camera, Light, SceneMesh
from .egl import EglRasterizer
from .shading import DEFAULT_LIGHTS, Rendered
from .software import SoftwareRasterizer

GL_PACKAGES = ("libegl1", "libegl-mesa0", "libgl1-mesa-dri")
"""Debian packages that make EGL work without a GPU."""


@runtime_checkable
class Rasterizer(Protocol):
    """Draws a lit, smoothly shaded mesh. The same input gives the same bytes, whatever was drawn before."""

    @property
    def name(self) -> str:
        """``egl`` or ``software``."""
        ...

    def render_mesh(
        self, mesh: SceneMesh, camera: Camera, *, lights: Sequence[Light] | None = DEFAULT_LIGHTS, cull: bool = True
    ) -> Rendered:
        """Picture and z-depth of a mesh, one sample a pixel, at the pixel's centre.

        Args:
            mesh: Vertices in the world; its colours are those before lighting.
            camera: ``T_world_camera`` must be one (4, 4).
            lights: What shines; None draws the colours as they are (they are lit already).
            cull: Leave out triangles seen from behind.
        Returns:
            RGB (h, w, 3), black where nothing is; z-depth (h, w), metres, 0 where nothing is.
        """
        ...


def _auto() -> Rasterizer:
    try:
        return EglRasterizer()
    except RuntimeError as error:
        warnings.warn(
            f"drawing in pure NumPy, several times slower than OpenGL ({error}); "
            f"on Debian or Ubuntu this would be faster: apt-get install {' '.join(GL_PACKAGES)}",
            RuntimeWarning,
            stacklevel=3,
        )
        return SoftwareRasterizer()


RASTERIZERS = {"auto": _auto, "egl": EglRasterizer, "software": SoftwareRasterizer}
"""Every kind by its name; ``auto`` is EGL where it works, else software with a warning."""


def make_rasterizer(kind: str = "auto") -> Rasterizer:
    """Open a rasterizer.

    Args:
        kind: ``auto``, ``egl`` or ``software``.
    Raises:
        ValueError: If the kind is unknown.
        RuntimeError: For ``egl``, if EGL does not work on this machine; the message is the reason.
    """
    if kind not in RASTERIZERS:
        raise ValueError(f"unknown rasterizer {kind!r}; expected one of: {', '.join(RASTERIZERS)}")
    return RASTERIZERS[kind]()
