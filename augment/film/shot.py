"""One shot: everything that the frames of a clip share, and the buffers they are made in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from ..geometry import invert_transform
from ..raster.rasterize import Rasterizer
from ..raster.zbuffer import draw_triangles
from ..types import Camera, SceneMesh
from .actors import Actor
from .canvas import SUPERSAMPLE, Drawn, Optics, clear, hide_behind_room, new_canvas, project_vertices, sum_normals
from .ground import ground_of
from .layers import Traced, read_labels, resolve
from .light import Exposure, Surface, lamps_of, light_vertices
from .picture import blend, develop, soften
from .plate_shadow import darken_plate
from .room_light import Casters, room_light
from .shadow_map import draw_shadow_maps, new_shadow_maps
from .style import Grain, Style
from .view import View

CHUNK = 16
"""Frames whose vertices are held at once."""
TRACED = frozenset({"parts", "normals", "flow"})
"""Layers that need to know which triangle is seen."""


class Layers:
    """The arrays of a clip; what was not asked for is one frame that is used again and again."""

    def __init__(self, names: Sequence[str], count: int, view: View) -> None:
        self.names = tuple(names)
        height, width = view.depth.shape

        def empty(name: str, *last: int, dtype: Any = np.float32) -> np.ndarray:
            return np.zeros((count if name in names else 1, height, width, *last), dtype)

        self.rgb, self.mask = empty("rgb", 3, dtype=np.uint8), empty("mask", dtype=np.uint8)
        self.depth, self.parts = empty("depth"), empty("parts", dtype=np.uint8)
        self.normals, self.flow = empty("normals", 3), empty("flow", 2)
        self.depth[:] = view.depth

    def at(self, name: str, frame: int) -> np.ndarray:
        """One frame of a layer."""
        array = getattr(self, name)
        return array[frame] if name in self.names else array[0]

    def asked_for(self) -> dict[str, np.ndarray]:
        """The layers asked for, by their names in a clip."""
        return {("frames" if name == "rgb" else name): getattr(self, name) for name in self.names}


class Shot:
    """Everything that the frames of a clip share, and the buffers they are made in."""

    def __init__(self, view: View, actors: Sequence[Actor], style: Style, rasterizer: Rasterizer | None) -> None:
        self.view, self.style, self.actors, self.rasterizer = view, style, actors, rasterizer
        sizes = [len(actor.parts) for actor in actors]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.face_starts = np.concatenate([[0], np.cumsum([len(actor.faces) for actor in actors])])
        total = int(self.starts[-1])
        faces = [actor.faces + start for actor, start in zip(actors, self.starts, strict=False)]
        self.faces = np.concatenate(faces).astype(np.int32)
        self.linear = np.concatenate([actor.linear for actor in actors])
        self.parts = np.concatenate([actor.parts for actor in actors])
        self.owner = np.repeat(np.arange(1, len(actors) + 1), sizes).astype(np.uint8)
        self.mask_of = np.array([0, *(actor.mask for actor in actors)], np.uint8)
        self.optics, (height, width) = _optics(view.camera), view.depth.shape
        self.canvas = new_canvas(height, width)
        self.lamps, self.ground = lamps_of(view.lights), ground_of(view)
        self.maps = new_shadow_maps(len(actors), len(view.lights))
        self.balls = _stack_balls(actors)
        self.pixels, self.after = np.zeros((total, 3), np.float32), np.zeros((total, 3), np.float32)
        self.normals, self.colors = np.zeros((total, 3), np.float32), np.zeros((total, 3), np.float32)
        self.seen, self.share = np.zeros(total, bool), np.ones(self.ground.lattice_ambient.shape, np.float32)
        self.plate = view.plate.astype(np.float32)
        self.picture = self.plate.copy()
        self.rgba, self.spare = np.zeros((2, height, width, 4), np.float32)
        self.sample = np.full((height, width), -1, np.int32)
        self.nobody, self.used = np.zeros((height, width), np.uint8), (0, -1, 0, -1)
        self.exposure = (view.gain * np.float32(style.exposure)).astype(np.float32)
        inside = view.normals @ view.camera.T_world_camera[:3, :3].astype(np.float32)
        self.room_normals = np.where(view.solid[..., None], inside, 0).astype(np.float32)
        self.held: tuple[int, np.ndarray] = (-CHUNK, np.zeros((0, total, 3), np.float32))

    def vertices(self, frame: int) -> Float32[np.ndarray, "n 3"]:
        """Vertices of all actors in one frame, metres, world."""
        first, held = self.held
        if not first <= frame < first + len(held):
            # One more frame than drawn from it, for the motion to the next.
            part = slice(frame, frame + CHUNK + 1)
            posed = [actor.pose(part) for actor in self.actors]
            self.held = first, held = frame, posed[0] if len(posed) == 1 else np.concatenate(posed, axis=1)
        return held[frame - first]

    def draw(self, frame: int, clip: Layers, grain: Grain) -> tuple[np.ndarray, np.ndarray]:
        """Make one frame; gives its mask and depth."""
        vertices, color = self.vertices(frame), "rgb" in clip.names
        mask, depth = self._empty_labels(frame, clip)
        project_vertices(vertices, self.optics, self.pixels)
        fine, painted = self._draw_triangles() if self.rasterizer is None else self._paint(vertices)
        self.seen[:] = False
        hide_behind_room(self.canvas, fine, self.view.depth, self.faces, self.seen)
        if color and self.rasterizer is None:
            self._light_actors(vertices)
        box, drawn = self._pixel_box(fine), Drawn(self.pixels, self.faces, self.colors, self.owner)
        resolve(self.canvas, box, drawn, painted, self.mask_of, (self.rgba, mask, depth, self.sample))
        if color:
            self._finish_picture(frame, box, clip.at("rgb", frame), grain)
        if not TRACED.isdisjoint(clip.names):
            self._label(frame, vertices, box, drawn, clip)
        self.sample[box[0] : box[1] + 1, box[2] : box[3] + 1] = -1
        self.used = box
        clear(self.canvas, fine)
        return mask, depth

    def _empty_labels(self, frame: int, clip: Layers) -> tuple[np.ndarray, np.ndarray]:
        """Mask and depth of the empty room; in a buffer that is used again, what the last frame changed is reset."""
        top, bottom, left, right = self.used
        labels = clip.at("mask", frame), clip.at("depth", frame)
        for name, array, empty in (("mask", labels[0], self.nobody), ("depth", labels[1], self.view.depth)):
            if name not in clip.names:
                changed = slice(top, bottom + 1), slice(left, right + 1)
                array[changed] = empty[changed]
        return labels

    def _draw_triangles(self) -> tuple[tuple[int, ...], np.ndarray]:
        height, width = self.canvas.nearness.shape
        box = (height, -1, width, -1)
        for number, actor in enumerate(self.actors):
            first, last = self.face_starts[number], self.face_starts[number + 1]
            part = draw_triangles(self.pixels, self.faces[first:last], first, not actor.open, *self.canvas)
            box = _join_boxes(box, part)
        return box, np.zeros((0, 0, 3), np.float32)

    def _paint(self, vertices: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
        """The same by another rasterizer, which needs every vertex lit beforehand."""
        assert self.rasterizer is not None
        self.seen[:] = True
        self._light_actors(vertices)
        camera = self.view.camera.scaled_to(self.canvas.nearness.shape[0], self.canvas.nearness.shape[1])
        painted = np.zeros((*self.canvas.nearness.shape, 3), np.float32)
        for number, actor in enumerate(self.actors):
            rows = slice(self.starts[number], self.starts[number + 1])
            colors = np.rint(self.colors[rows]).astype(np.uint8)
            mesh = SceneMesh(vertices=vertices[rows], faces=actor.faces, colors=colors)
            rgb, depth = self.rasterizer.render_mesh(mesh, camera, lights=None, cull=not actor.open)
            nearness = np.where(depth > 0, 1 / np.maximum(depth, 1e-6), 0)
            front = nearness > self.canvas.nearness
            self.canvas.nearness[front], self.canvas.triangle[front], painted[front] = nearness[front], -2 - number, rgb[front]
        height, width = self.canvas.nearness.shape
        return (0, height - 1, 0, width - 1), painted

    def _light_actors(self, vertices: np.ndarray) -> None:
        sum_normals(vertices, self.faces, self.seen, self.normals)
        objects = [slice(a, b) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]
        for number, (actor, rows) in enumerate(zip(self.actors, objects, strict=True)):
            draw_shadow_maps(self.maps, number, actor.blockers(vertices[rows]), self.lamps)
        for number, rows in enumerate(objects):
            light_vertices(
                Surface(vertices[rows], self.normals[rows], self.linear[rows], self.seen[rows]), number, self.maps, self.lamps,
                Exposure(self.exposure, np.float32(self.style.shadow), self.view.grey), self.colors[rows],
            )  # fmt: skip

    def _finish_picture(self, frame: int, box: tuple[int, ...], picture: np.ndarray, grain: Grain) -> None:
        balls = self.balls[frame]
        low = np.where(balls[..., 3:] > 0, balls[..., :3], np.inf).min(1)
        high = np.where(balls[..., 3:] > 0, balls[..., :3], -np.inf).max(1)
        casters = Casters(self.maps, low, high, balls)
        strength = np.float32(self.style.shadow)
        room_light(self.ground, casters, strength, self.share)
        dark = darken_plate(self.ground, casters, strength, self.share, self.view.plate, self.picture)
        sigma = self.style.blur * picture.shape[0] / 224
        if sigma > 0.05:
            soften(self.rgba, box, np.float32(sigma), self.spare)
        blend(self.rgba, box, self.picture)
        develop(self.picture.reshape(len(picture), -1), grain.field, grain.next(), picture.reshape(len(picture), -1))
        for top, bottom, left, right in (dark, box):
            changed = slice(top, bottom + 1), slice(left, right + 1)
            self.picture[changed] = self.plate[changed]

    def _label(self, frame: int, vertices: np.ndarray, box: tuple[int, ...], drawn: Drawn, clip: Layers) -> None:
        parts, normals, flow = (clip.at(name, frame) for name in ("parts", "normals", "flow"))
        parts[:], flow[:], normals[:] = 0, 0, self.room_normals
        has_next = frame + 1 < len(self.balls)
        self.after[:, 2] = 0
        if has_next and "flow" in clip.names:
            project_vertices(self.vertices(frame + 1), self.optics, self.after)
        if "normals" in clip.names:
            sum_normals(vertices, self.faces, self.seen, self.normals)
        length = np.maximum(np.linalg.norm(self.normals, axis=1, keepdims=True), 1e-12)
        turned = (self.normals / length) @ self.view.camera.T_world_camera[:3, :3].astype(np.float32)
        traced = Traced(self.parts, turned, self.after)
        read_labels(self.canvas, box, drawn, (clip.at("mask", frame), self.sample), traced, (parts, normals, flow))

    def _pixel_box(self, fine: tuple[int, ...]) -> tuple[int, int, int, int]:
        """The part of the picture that a part of the canvas reaches once it has been blurred."""
        height, width = self.view.depth.shape
        top, bottom, left, right = (int(edge) // SUPERSAMPLE for edge in fine)
        if fine[1] < fine[0] or fine[3] < fine[2]:
            return 0, -1, 0, -1
        margin = 2 + height // 100
        return max(top - margin, 0), min(bottom + margin, height - 1), max(left - margin, 0), min(right + margin, width - 1)


def _join_boxes(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), max(a[3], b[3])


def _optics(camera: Camera) -> Optics:
    n = SUPERSAMPLE
    return Optics(
        np.ascontiguousarray(invert_transform(camera.T_world_camera)[:3], np.float32),
        (np.float32(camera.K[0, 0] * n), np.float32(camera.K[1, 1] * n)),
        (np.float32(camera.K[0, 2] * n), np.float32(camera.K[1, 2] * n)),
    )


def _stack_balls(actors: Sequence[Actor]) -> Float32[np.ndarray, "t o k 4"]:
    """Every actor's balls, filled up with balls of radius 0."""
    most = max(actor.balls.shape[1] for actor in actors)
    filled = [np.pad(actor.balls, ((0, 0), (0, most - actor.balls.shape[1]), (0, 0))) for actor in actors]
    return np.stack(filled, axis=1)
