"""Furniture brought along to a film: a plain chair or bed where a motion needs one and the room's is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..geometry import axis_rotation
from ..raster.room import draw_lit
from ..raster.shading import linear_to_srgb, srgb_to_linear
from ..types import SceneMesh
from .body_shadow import BodyShadow
from .composite import SUPERSAMPLE, TOLERANCE, Style, fine_camera, plate_light
from .view import View

_Box = tuple[tuple[float, float, float], tuple[float, float, float], tuple[int, int, int]]
"""Middle, extent, colour."""
_WOOD = ((120, 82, 52), (160, 118, 78), (92, 62, 44), (196, 170, 132), (70, 70, 74))
_CLOTH = ((150, 60, 55), (70, 90, 120), (95, 110, 85), (130, 120, 105), (60, 62, 70), (170, 150, 110))
_LINEN = ((232, 232, 228), (214, 224, 232), (226, 220, 206))


def add_props(view: View, props: Iterable[Mapping[str, Any]], *, rng: np.random.Generator) -> View:
    """A view with furniture standing in it: plate, depth and what shadows fall on are all changed.

    Args:
        props: Each ``{"kind": "chair" | "bed", "center": (x, y, z) of the seat's or mattress's top, "yaw": radians,
            "size": (across, along) metres}``, as ``placement.place`` writes them.
        rng: For the colours.
    """
    for prop in props:
        mesh = prop_mesh(prop["kind"], np.asarray(prop["center"], float), float(prop["yaw"]), tuple(prop["size"]), rng=rng)
        view = _stand(view, mesh)
    return view


def prop_mesh(kind: str, center: np.ndarray, yaw: float, size: tuple[float, float], *, rng: np.random.Generator) -> SceneMesh:
    """A chair or bed whose top lies at ``center``; local +z is the sitter's front, or from the bed's foot to its head."""
    across, along = size
    top = float(center[1])
    wood = _WOOD[int(rng.integers(len(_WOOD)))]
    if kind == "chair":
        cloth = _CLOTH[int(rng.integers(len(_CLOTH)))]
        seat = 0.05
        boxes: list[_Box] = [((0, top - seat / 2, 0), (across, seat, along), cloth)]
        for x in (-1, 1):
            for z in (-1, 1):
                at = (x * (across / 2 - 0.025), (top - seat) / 2, z * (along / 2 - 0.025))
                boxes.append((at, (0.04, top - seat, 0.04), wood))
            boxes.append(((x * (across / 2 - 0.025), top + 0.22, -along / 2 - 0.01), (0.04, 0.44, 0.04), wood))
        boxes.append(((0, top + 0.32, -along / 2 - 0.01), (across - 0.06, 0.22, 0.03), cloth))
    elif kind == "bed":
        linen = _LINEN[int(rng.integers(len(_LINEN)))]
        blanket = _CLOTH[int(rng.integers(len(_CLOTH)))] if rng.random() < 0.5 else linen
        thick = min(0.18, top - 0.08)
        boxes = [
            ((0, top - thick / 2, 0), (across, thick, along), linen),
            ((0, top - thick / 2 - 0.002, -along * 0.28), (across + 0.02, thick, along * 0.42), blanket),
            ((0, (top - thick) * 0.6, 0), (across + 0.04, (top - thick) * 0.8, along + 0.04), wood),
            ((0, top * 0.5 + 0.2, along / 2 + 0.04), (across + 0.06, top + 0.4, 0.04), wood),
        ]
    else:
        raise ValueError(f"unknown prop {kind!r}; expected one of: chair, bed")
    vertices, faces, colors = [], [], []
    turn = axis_rotation("y", yaw)
    for at, extent, color in boxes:
        faces.append(_BOX_FACES + 8 * len(vertices))
        vertices.append((_BOX_CORNERS * extent + at) @ turn.T + np.array([center[0], 0.0, center[2]]))
        colors.append(np.tile(np.array(color, np.uint8), (8, 1)))
    return SceneMesh(vertices=np.concatenate(vertices), faces=np.concatenate(faces), colors=np.concatenate(colors))


_BOX_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def _stand(view: View, mesh: SceneMesh) -> View:
    n, (height, width) = SUPERSAMPLE, view.depth.shape
    samples = _surface_samples(mesh)
    lamps = [BodyShadow(lamp, samples) for lamp in view.lights]
    # A few dozen small balls near the floor darken what is under furniture; more would make it black.
    low = samples[samples[:, 1] < 0.3].astype(np.float32)
    low = low[:: max(len(low) // 40, 1)]
    share = plate_light(view, [lamps], [(low, np.full(len(low), 0.04, np.float32))], Style(shadow=0.9))
    plate = srgb_to_linear(view.plate / np.float32(255)) * share[..., None]
    picture, depth = draw_lit(mesh, fine_camera(view.camera), view.lights)
    picture = np.minimum(picture * view.gain, 1.0)
    if view.grey:
        picture = np.repeat((picture @ np.array([0.2126, 0.7152, 0.0722]))[..., None], 3, axis=-1)
    wall = np.where(view.depth > 0, view.depth + TOLERANCE, np.inf).repeat(n, 0).repeat(n, 1)
    front = (depth > 0) & (depth < wall)
    blocks = front.reshape(height, n, width, n)
    alpha = blocks.mean((1, 3))
    color = (picture * front[..., None]).reshape(height, n, width, n, 3).mean((1, 3))
    plate = linear_to_srgb(plate * (1 - alpha[..., None]) + color)
    mean_depth = (depth * front).reshape(height, n, width, n).sum((1, 3)) / np.maximum(blocks.sum((1, 3)), 1)
    solid_there = alpha >= 0.5
    depth = np.where(solid_there, mean_depth, view.depth).astype(np.float32)
    return view.with_depth(np.rint(plate * 255).astype(np.uint8), depth, solid_there)


def _surface_samples(mesh: SceneMesh) -> np.ndarray:
    """Points about 2 cm apart on every box face: what casts the furniture's shadow."""
    points = []
    for a, b, c in mesh.vertices[mesh.faces]:
        steps = int(np.clip(max(np.linalg.norm(b - a), np.linalg.norm(c - a)) / 0.02, 2, 120))
        u, v = np.meshgrid(np.linspace(0, 1, steps), np.linspace(0, 1, steps))
        inside = (u + v) <= 1
        points.append(a + u[inside, None] * (b - a) + v[inside, None] * (c - a))
    return np.concatenate(points)
