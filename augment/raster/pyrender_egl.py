"""pyrender through EGL: a GPU where there is one, Mesa's software OpenGL where there is none.

The colours come in already lit (``shading.py``), so pyrender draws them flat. By itself it renders four samples a pixel, which
bleeds the background into the silhouette and costs most of the time; here it draws one, and smoothing is left to the caller.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from ..types import Camera, Light, SceneMesh
from .shading import DEFAULT_LIGHTS, Rendered, shade_vertices
from .zbuffer import NEAR

GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenGL's camera looks along -z with +y up."""


class PyrenderRasterizer:
    """Draws meshes with pyrender. All instances of a process share one OpenGL context: not for use from two threads.

    Raises:
        RuntimeError: At construction, if there is no working EGL; the message is the reason.
    """

    name = "pyrender"

    def __init__(self) -> None:
        self._pyrender = _import_pyrender()
        _offscreen(os.getpid())

    def render_mesh(
        self, mesh: SceneMesh, camera: Camera, *, lights: Sequence[Light] | None = DEFAULT_LIGHTS, cull: bool = True
    ) -> Rendered:
        """See ``rasterize.Rasterizer.render_mesh``."""
        pyrender = self._pyrender
        shaded = shade_vertices(mesh, lights)
        material = pyrender.MetallicRoughnessMaterial(doubleSided=not cull, alphaMode="OPAQUE")
        primitive = pyrender.Primitive(
            positions=np.asarray(mesh.vertices, np.float32),
            indices=np.asarray(mesh.faces, np.uint32),
            color_0=np.concatenate([shaded, np.ones((len(shaded), 1), np.float32)], axis=1),
            material=material,
        )
        scene = pyrender.Scene(bg_color=[0, 0, 0, 0])
        scene.add(pyrender.Mesh([primitive]))
        scene.add(_pyrender_camera(pyrender, mesh.vertices, camera), pose=camera.T_world_camera @ GL_FROM_CV)
        offscreen = _offscreen(os.getpid())
        offscreen.viewport_width, offscreen.viewport_height = camera.width, camera.height
        flags = pyrender.RenderFlags.FLAT | (0 if cull else pyrender.RenderFlags.SKIP_CULL_FACES)
        rgb, depth = offscreen.render(scene, flags=flags)
        return np.array(rgb), np.array(depth)


def _no_egl(error: Exception) -> str:
    packages = "libegl1 libegl-mesa0 libgl1-mesa-dri"
    return f"EGL does not work here: {type(error).__name__}: {error}; on Debian or Ubuntu: apt-get install {packages}"


@cache
def _offscreen(process: int) -> Any:
    """The process's only renderer: closing a second one would terminate the display of the first. A fork needs its own."""
    pyrender = _import_pyrender()
    try:
        offscreen = pyrender.OffscreenRenderer(64, 64)
        _draw_one_sample(offscreen._renderer)
    except Exception as error:  # PyOpenGL raises many types: missing library, no device, no config
        raise RuntimeError(_no_egl(error)) from error
    return offscreen


def _pyrender_camera(pyrender: Any, vertices: Float[np.ndarray, "v 3"], camera: Camera) -> Any:
    """Pyrender's camera with the far plane just behind the mesh, so that 24 bits of depth go where the mesh is."""
    T = camera.T_world_camera
    z = (np.asarray(vertices, np.float64) - T[:3, 3]) @ T[:3, 2]
    far = max(float(z.max()) * 1.05, 10 * NEAR)
    K = camera.K
    return pyrender.IntrinsicsCamera(fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2], znear=NEAR, zfar=far)


def _import_pyrender() -> Any:
    # PyOpenGL chooses its platform when it is imported; a platform set by the user is kept.
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender
    except Exception as error:  # PyOpenGL fails with ImportError, AttributeError or OSError where libEGL is missing
        raise RuntimeError(_no_egl(error)) from error
    return pyrender


def _draw_one_sample(renderer: Any) -> None:
    """Make pyrender's renderer draw one sample a pixel instead of four."""
    from OpenGL import GL

    class OneSampleRenderer(type(renderer)):
        """Pyrender's renderer whose multisample buffers hold a single sample."""

        def _configure_main_framebuffer(self) -> None:
            size = (self.viewport_width, self.viewport_height)
            fresh = self._main_fb is None or self._main_fb_dims != size
            super()._configure_main_framebuffer()
            if fresh:
                for buffer, kind in ((self._main_cb_ms, GL.GL_RGBA), (self._main_db_ms, GL.GL_DEPTH_COMPONENT24)):
                    GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, buffer)
                    GL.glRenderbufferStorage(GL.GL_RENDERBUFFER, kind, *size)

    renderer.__class__ = OneSampleRenderer
