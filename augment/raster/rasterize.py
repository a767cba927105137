"""Draw one mesh through one camera: the interface of the rasterizers, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from ..types import Camera, Light, SceneMesh
from .pyrender_egl import PyrenderRasterizer
from .shading import DEFAULT_LIGHTS, Rendered
from .zbuffer import CompiledRasterizer


@runtime_checkable
class Rasterizer(Protocol):
    """Draws a lit, smoothly shaded mesh. The same input gives the same bytes, whatever was drawn before."""

    @property
    def name(self) -> str:
        """Its key in ``RASTERIZERS``."""
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


RASTERIZERS: dict[str, Callable[[], Rasterizer]] = {
    "auto": CompiledRasterizer, "compiled": CompiledRasterizer, "pyrender": PyrenderRasterizer,
}  # fmt: skip
"""Every kind by its name. ``compiled`` works everywhere; ``pyrender`` needs OpenGL through EGL and is there to compare with.
``auto`` is compiled, which is many times faster without a GPU; with one they have not been compared."""


def make_rasterizer(kind: str = "compiled") -> Rasterizer:
    """Open a rasterizer.

    Args:
        kind: A key of ``RASTERIZERS``.
    Raises:
        ValueError: If the kind is unknown.
        RuntimeError: For ``pyrender``, if EGL does not work on this machine; the message is the reason.
    """
    if kind not in RASTERIZERS:
        raise ValueError(f"unknown rasterizer {kind!r}; expected one of: {', '.join(RASTERIZERS)}")
    return RASTERIZERS[kind]()
