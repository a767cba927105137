"""Light on a surface: one Lambert model, in linear light, shared by every rasterizer so that their pictures agree."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from scipy.sparse import csr_array

from ..types import Light, SceneMesh

AMBIENT = 0.35
"""Default share of light that comes from everywhere; the hemisphere above gives more of it than the floor below."""
Rendered = tuple[UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]
"""What a rasterizer gives: RGB, and z-depth in metres, 0 where nothing is."""
DEFAULT_LIGHTS: tuple[Light, ...] = (
    Light(kind="directional", position=np.array([0.35, 0.85, 0.4]), color=np.ones(3), intensity=0.75),
)
"""What shines where a scene names no light: one soft ceiling light, a little to the front."""


def srgb_to_linear(srgb: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Decode sRGB in 0..1 (IEC 61966-2-1 curve) to linear light."""
    srgb = np.asarray(srgb, np.float32)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Encode linear light as sRGB in 0..1; values outside are clipped."""
    linear = np.clip(np.asarray(linear, np.float32), 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.power(linear, 1 / 2.4) - 0.055)


def shoulder(linear: Float[np.ndarray, "*n"], knee: float = 0.7) -> Float[np.ndarray, "*n"]:
    """Roll bright light off towards 1 as a camera does: the identity below ``knee``, smooth above, never over 1."""
    over = np.maximum(linear - knee, 0.0)
    return np.minimum(linear, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))


def irradiance(
    points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], lights: Sequence[Light]
) -> Float[np.ndarray, "n 3"]:
    """Light that falls on surface points: hemispheric ambient plus every light's Lambert term.

    Args:
        points: World, metres. Shape (n, 3).
        normals: Unit, world. Shape (n, 3).
        lights: A point light gives ``intensity * (3 m / distance)^2`` (no more than at 1 m), a directional one ``intensity``.
    Returns:
        Linear RGB; 1 shows a white surface as white. Shape (n, 3).
    """
    total = (AMBIENT * (0.75 + 0.25 * normals[:, 1]))[:, None] * np.ones(3, np.float32)
    for light in lights:
        total = total + direct(points, normals, light)[:, None] * (light.color * light.intensity).astype(np.float32)
    return total


def direct(points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], light: Light) -> Float[np.ndarray, "n"]:
    """One light's cosine and distance term for unit intensity, with the terminator softened (lamps are not points)."""
    if light.kind == "directional":
        towards = np.broadcast_to(light.position / np.linalg.norm(light.position), points.shape)
        falloff = 1.0
    elif light.kind == "point":
        towards = light.position.astype(np.float32) - points
        squared = np.maximum(np.einsum("nk,nk->n", towards, towards), 1.0)
        towards = towards / np.sqrt(squared)[:, None]
        falloff = 9.0 / squared
    else:
        raise ValueError(f"Light.kind {light.kind!r}; expected one of: point, directional")
    cosine = np.einsum("nk,nk->n", normals, towards)
    wrap = 0.15
    return (np.maximum(cosine + wrap, 0.0) / (1 + wrap) * falloff).astype(np.float32)


def shade_vertices(mesh: SceneMesh, lights: Sequence[Light] | None) -> Float[np.ndarray, "v 3"]:
    """Lit vertex colours, sRGB in 0..1, from sRGB surface colours (0..255); ``lights=None`` leaves the colours as they are."""
    surface = np.asarray(mesh.colors, np.float32) / 255
    if lights is None:
        return surface
    light = irradiance(mesh.vertices.astype(np.float32), vertex_normals(mesh.vertices, mesh.faces), lights)
    return linear_to_srgb(shoulder(srgb_to_linear(surface) * light))


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Unit vertex normals, area-weighted over the faces around; outward where faces turn counter-clockwise."""
    columns = np.ascontiguousarray(vertices.T, np.float32)
    a, b, c = (columns[:, corner] for corner in faces.T)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    area = np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], axis=1)
    normals = _incidence(faces, len(vertices)) @ area
    length = np.sqrt(np.einsum("vk,vk->v", normals, normals))
    return (normals / np.maximum(length, 1e-12)[:, None]).astype(np.float32)


_incidences: dict[int, tuple[weakref.ref, Any]] = {}


def _incidence(faces: Int[np.ndarray, "f 3"], vertex_count: int) -> Any:
    """Sparse (v, f) matrix that sums over the faces at a vertex; cached while ``faces`` exists, as every frame uses it."""
    known = _incidences.get(id(faces))
    if known is not None and known[0]() is faces and known[1].shape[0] == vertex_count:
        return known[1]
    face_of_corner = np.repeat(np.arange(len(faces)), 3)
    ones = np.ones(faces.size, np.float32)
    matrix = csr_array((ones, (faces.ravel(), face_of_corner)), shape=(vertex_count, len(faces)))
    key = id(faces)
    _incidences[key] = (weakref.ref(faces, lambda _: _incidences.pop(key, None)), matrix)
    return matrix
