"""A room as an infrared camera sees it at night: without colour, lit from beside the lens, darker with distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from ..raster.shading import AMBIENT, direct, linear_to_srgb, shoulder, srgb_to_linear
from ..types import Light
from .view import View

GLOW = 5.0
"""Light of the ring of diodes 3 m away, beside that from everywhere: the dark room gives hardly any."""
MIDDLE = 0.11
"""Linear brightness that the camera's exposure gives to the floor; a wall near the lens is blown out."""
BARE = 0.85
"""Most that a surface may reflect; what shines by itself (lamps, the sky in a window) is dark at night."""
DARK = 0.12
"""Reflectance given to what shines by itself by day."""


def infrared_colors(colors: UInt8[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "n 3"]:
    """Colours (sRGB) of skin and cloth as greys by infrared light, to which most dyes are clear: dark cloth is grey, too."""
    grey = srgb_to_linear(colors / np.float32(255)) @ np.array([0.45, 0.4, 0.15], np.float32)
    bright = linear_to_srgb(0.05 + 0.75 * grey**0.75)
    return np.repeat(np.rint(bright * 255).astype(np.uint8)[:, None], 3, axis=1)


def night_view(view: View) -> View:
    """The view at night, its lamps replaced by diodes around the lens.

    The plate's own light is divided out where the room's surfaces are known; elsewhere the plate only loses its colour.
    """
    eye = view.camera.T_world_camera[:3, 3]
    lamp = Light(kind="point", position=eye, color=np.ones(3), intensity=GLOW * AMBIENT)
    shape = view.plate.shape[:2]
    falls = direct(view.points.reshape(-1, 3), view.normals.reshape(-1, 3), lamp).reshape(shape) * np.float32(lamp.intensity)
    # Infrared tells pigments apart less than light does: cloth and paint come nearer to each other.
    grey = srgb_to_linear(view.plate / 255) @ np.array([0.45, 0.4, 0.15], np.float32)
    day = np.maximum(view.ambient + view.direct.sum(0), 0.05) * float(view.gain.mean())
    surface = grey / day
    surface = np.where(surface > 1.6 * BARE, DARK, np.minimum(surface, BARE)) ** 0.8
    light = np.where(view.solid, view.ambient + falls, float(np.median(falls[view.solid])) if view.solid.any() else 1.0)
    shown = surface * light
    floor = view.solid & (view.normals[..., 1] > 0.8) & (np.abs(view.points[..., 1]) < 0.1)
    exposure = MIDDLE / max(float(np.median(shown[floor] if floor.mean() > 0.02 else shown)), 1e-6)
    plate = np.rint(linear_to_srgb(shoulder(shown * exposure)) * 255).astype(np.uint8)
    return replace(
        view, plate=np.repeat(plate[..., None], 3, axis=2), lights=(lamp,), direct=falls[None].astype(np.float32),
        gain=np.full(3, exposure, np.float32), grey=True,
    )  # fmt: skip
