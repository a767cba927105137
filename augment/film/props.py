"""Props of a film: furniture brought along where a motion needs it, and what people carry or push."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, UInt8

from ..body.model import Body
from ..geometry import axis_rotation, transform_points
from ..motion.carrying import carrier_of, prop_track
from ..raster.room import draw_lit
from ..raster.shading import linear_to_srgb, srgb_to_linear
from ..raster.zbuffer import rasterize
from ..scene.rooms.furniture import DARK, METAL, rollator, wheelchair
from ..scene.rooms.parts import box, merge, moved, rod, tube
from ..types import Performance, SceneMesh
from .canvas import SUPERSAMPLE, TOLERANCE
from .plate_shadow import darkened_plate
from .view import View

_Box = tuple[tuple[float, float, float], tuple[float, float, float], tuple[int, int, int]]
"""Middle, extent, colour."""
_WOOD = ((120, 82, 52), (160, 118, 78), (92, 62, 44), (196, 170, 132), (70, 70, 74))
_CLOTH = ((150, 60, 55), (70, 90, 120), (95, 110, 85), (130, 120, 105), (60, 62, 70), (170, 150, 110))
_TRAYS = ((176, 132, 88), (120, 82, 54), (60, 80, 110), (205, 205, 200))
_LINEN = ((232, 232, 228), (214, 224, 232), (226, 220, 206))


def add_props(view: View, props: Iterable[Mapping[str, Any]], *, rng: np.random.Generator) -> View:
    """A view with furniture standing in it: plate, depth and what shadows fall on are all changed.

    Args:
        props: Each ``{"kind": "chair" | "bed" | "wheelchair", "center": (x, y, z) of the seat's or mattress's top,
            "yaw": radians, "size": (across, along) metres}``, as ``placement.place`` writes them. Those that are
            ``moving`` are left out, see ``moving_props``.
        rng: For the colours.
    """
    for mesh in _still(props, rng):
        view = _stand(view, mesh)
    return view


def furnish_depth(view: View, props: Iterable[Mapping[str, Any]]) -> Float32[np.ndarray, "h w"]:
    """The depth that ``add_props`` gives, without the picture."""
    depth, fine = view.depth, view.camera.scaled_to(view.camera.height * SUPERSAMPLE, view.camera.width * SUPERSAMPLE)
    for mesh in _still(props, np.random.default_rng(0)):
        piece, _ = rasterize(mesh.vertices, mesh.faces, np.zeros((len(mesh.vertices), 0)), fine)
        depth = _stood(depth, piece)[0]
    return depth


def _still(props: Iterable[Mapping[str, Any]], rng: np.random.Generator) -> Iterator[SceneMesh]:
    for prop in props:
        if not prop.get("moving"):
            center, size = np.asarray(prop["center"], float), tuple(prop["size"])
            yield prop_mesh(prop["kind"], center, float(prop["yaw"]), size, rng=rng)


def prop_mesh(kind: str, center: np.ndarray, yaw: float, size: tuple[float, float], *, rng: np.random.Generator) -> SceneMesh:
    """A seat or bed whose top lies at ``center``; local +z is the sitter's front, or from the bed's foot to its head."""
    if kind == "wheelchair":
        piece = wheelchair(rng=rng, seat=float(center[1]) - 0.015, footrests=False)
        return moved(piece.mesh, x=float(center[0]), z=float(center[2]), yaw=yaw)
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
        raise ValueError(f"unknown prop {kind!r}; expected one of: chair, wheelchair, bed")
    vertices, faces, colors = [], [], []
    turn = axis_rotation("y", yaw)
    for at, extent, color in boxes:
        faces.append(_BOX_FACES + 8 * len(vertices))
        vertices.append((_BOX_CORNERS * extent + at) @ turn.T + np.array([center[0], 0.0, center[2]]))
        colors.append(np.tile(np.array(color, np.uint8), (8, 1)))
    return SceneMesh(vertices=np.concatenate(vertices), faces=np.concatenate(faces), colors=np.concatenate(colors))


MovingMesh = tuple[Float32[np.ndarray, "t n 3"], Int[np.ndarray, "f 3"], UInt8[np.ndarray, "n 3"]]
"""Vertices in every frame, world, metres; faces; sRGB colours."""


def moving_props(performance: Performance, body: Body, *, rng: np.random.Generator) -> list[MovingMesh]:
    """What people of a performance carry or push, as meshes that move with them.

    Args:
        performance: As filmed: placed, its people at the film's rate; ``provenance["props"]`` lists the props, those with
            ``moving`` as ``motion.holding.take_up`` gives them.
        rng: For the colours.
    Returns:
        One mesh for each prop that moves, with as many frames as its person.
    """
    meshes = []
    for entry in performance.provenance.get("props", ()):
        if entry.get("moving"):
            track = prop_track(entry, carrier_of(performance.people[entry["person"]], body))
            mesh = CARRIED[entry["kind"]](entry["grip"], rng)
            vertices = transform_points(track, np.broadcast_to(mesh.vertices, (len(track), *mesh.vertices.shape)))
            meshes.append((vertices.astype(np.float32), mesh.faces, mesh.colors))
    return meshes


def _walker(grip: float, rng: np.random.Generator) -> SceneMesh:
    # The room's walker has its grips at z = -0.28.
    return moved(rollator(rng=rng, grip=grip).mesh, z=0.28)


def _stick(grip: float, rng: np.random.Generator) -> SceneMesh:
    wood = METAL if rng.random() < 0.3 else _WOOD[int(rng.integers(len(_WOOD)))]
    handle = [(0, grip - 0.02, -0.055), (0, grip, -0.02), (0, grip, 0.05), (0, grip - 0.012, 0.075)]
    return merge([
        rod((0, 0.03, 0), (0, grip - 0.01, 0), 0.011, wood, n=10), rod((0, 0, 0), (0, 0.045, 0), 0.017, DARK, n=10),
        tube(handle, 0.014, DARK if wood == METAL else wood),
    ])  # fmt: skip


def _tray(grip: float, rng: np.random.Generator) -> SceneMesh:
    """A plate with a rim, a cup, a dish and perhaps a bowl; its origin in the middle of the plate."""
    paint = _TRAYS[int(rng.integers(len(_TRAYS)))]
    china = (236, 236, 230)
    pieces = [box((0, 0, 0), (0.46, 0.012, 0.32), paint, step=0.2)]
    for x, z, size in ((0, 0.155, (0.46, 0.03, 0.012)), (0, -0.155, (0.46, 0.03, 0.012)),
                       (0.225, 0, (0.012, 0.03, 0.32)), (-0.225, 0, (0.012, 0.03, 0.32))):  # fmt: skip
        pieces.append(box((x, 0.012, z), size, paint))
    pieces.append(rod((-0.02, 0.006, 0.0), (-0.02, 0.02, 0.0), 0.075, china, n=20, tip=0.11))
    pieces.append(rod((0.15, 0.006, 0.07), (0.15, 0.095, 0.07), 0.032, china, n=14, tip=0.04))
    if rng.random() < 0.6:
        pieces.append(rod((-0.16, 0.006, 0.08), (-0.16, 0.055, 0.08), 0.03, (200, 120, 80), n=14, tip=0.055))
    return merge(pieces)


CARRIED: dict[str, Callable[[float, np.random.Generator], SceneMesh]] = {"walker": _walker, "stick": _stick, "tray": _tray}
"""Kind of a prop that moves to (height of its grips, rng) -> its mesh in the frame of ``motion.carrying``."""

_BOX_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def _stand(view: View, mesh: SceneMesh) -> View:
    n, (height, width) = SUPERSAMPLE, view.depth.shape
    corners, weights = surface_samples(mesh.vertices, mesh.faces)
    samples = np.einsum("skd,sk->sd", mesh.vertices[corners], weights).astype(np.float32)
    # A few dozen small balls near the floor darken what is under furniture; more would make it black.
    low = samples[samples[:, 1] < 0.3]
    low = low[:: max(len(low) // 40, 1)]
    plate = srgb_to_linear(darkened_plate(view, samples, low, 0.04, strength=0.9) / np.float32(255))
    picture, depth = draw_lit(mesh, view.camera.scaled_to(height * n, width * n), view.lights)
    picture = np.minimum(picture * view.gain, 1.0)
    if view.grey:
        picture = np.repeat((picture @ np.array([0.2126, 0.7152, 0.0722]))[..., None], 3, axis=-1)
    depth, solid_there, alpha, front = _stood(view.depth, depth)
    color = (picture * front[..., None]).reshape(height, n, width, n, 3).mean((1, 3))
    plate = linear_to_srgb(plate * (1 - alpha[..., None]) + color)
    return view.with_depth(np.rint(plate * 255).astype(np.uint8), depth, solid_there)


def _stood(
    room: Float32[np.ndarray, "h w"], piece: Float32[np.ndarray, "H W"]
) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"], Float[np.ndarray, "h w"], Bool[np.ndarray, "H W"]]:
    """A room's depth with a piece of furniture, of which ``SUPERSAMPLE`` times finer depth is given (0 where it is not).

    Returns:
        The depth; where it is the piece's; how much of each pixel the piece covers; which of the fine pixels are seen.
    """
    n, (height, width) = SUPERSAMPLE, room.shape
    wall = np.where(room > 0, room + TOLERANCE, np.inf).repeat(n, 0).repeat(n, 1)
    front = (piece > 0) & (piece < wall)
    blocks = front.reshape(height, n, width, n)
    alpha = blocks.mean((1, 3))
    mean_depth = (piece * front).reshape(height, n, width, n).sum((1, 3)) / np.maximum(blocks.sum((1, 3)), 1)
    solid_there = alpha >= 0.5
    return np.where(solid_there, mean_depth, room).astype(np.float32), solid_there, alpha, front


def surface_samples(
    vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Int32[np.ndarray, "s 3"], Float32[np.ndarray, "s 3"]]:
    """Points about 2 cm apart on every face, as the face's vertices and their weights: what casts a shadow."""
    corner, one, other = (vertices[column] for column in faces.T)
    longest = np.maximum(np.linalg.norm(one - corner, axis=1), np.linalg.norm(other - corner, axis=1))
    steps = np.clip((longest / 0.02).astype(int), 2, 120)
    owners, weights = [], []
    for count in np.unique(steps):  # all faces of one fineness at once
        mine = np.flatnonzero(steps == count)
        u, v = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count))
        u, v = u[(u + v) <= 1], v[(u + v) <= 1]
        weights.append(np.tile(np.stack([1 - u - v, u, v], axis=1), (len(mine), 1)))
        owners.append(np.repeat(mine, len(u)))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return faces[owner[order]].astype(np.int32), np.concatenate(weights)[order].astype(np.float32)
