"""A guessed room: the calibrated camera's floor, and upright walls at edges seen in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from ...geometry import depth_to_floor, heading_vector, invert_transform, pixel_grid, pixel_rays, project, transform_points
from ...polygon import clip_convex, convex_hull
from ...types import Camera, Obstacle
from .manhattan import angle_to_vanishing_point, lengths, line_segments, manhattan_angle

_ROOM_FOR_A_BODY = 0.35
"""Least distance of a wall from where somebody stood, metres."""
_DEFAULT_MARGIN = 1.0
"""Distance of a wall without evidence behind where people walked, metres."""
_REACH, _STEP = 5.0, 0.05
"""Distance behind where people walked within which walls are searched, and the step of the search, metres."""
_LEAST_SUPPORT = 0.22
"""Least evidence of a wall that counts as seen, see ``_Evidence.support``."""
_HEIGHT, _THICK = 2.5, 0.1
"""Size of a wall's box, metres."""
_SURE_TURN = 0.08
"""Least confidence in the room's turn from the picture's lines; below it the room is assumed to face the camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """An upright plane ``normal . (x, z) = offset`` that bounds the room."""

    normal: Float[np.ndarray, "2"]
    """(x, z), unit, out of the room."""
    offset: float
    """Metres."""
    confidence: float
    """0 at the default margin, else the share of its foot that is seen as an edge, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Floor and walls of a room as guessed from one picture."""

    depth: Float32[np.ndarray, "h w"]
    """z-depth of floor and walls, metres; 0 where a ray meets neither."""
    floor: Float[np.ndarray, "n 2"]
    """Polygon (x, z) inside the walls and the given floor."""
    walls: tuple[Wall, ...]
    obstacles: tuple[Obstacle, ...]
    """The walls as boxes."""
    turn: float
    """Turn of the walls about +y, radians, in [0, pi / 2)."""
    guessed: tuple[str, ...]
    """Description, as text for the report."""


def guess_layout(
    plate: UInt8[np.ndarray, "h w 3"], camera: Camera, feet: Float[np.ndarray, "n 2"], floor: Float[np.ndarray, "m 2"], *,
    content: tuple[int, int, int, int] | None = None,
) -> Layout:  # fmt: skip
    """Guess a room from the empty picture and the places people stood.

    Args:
        plate: RGB, without people.
        camera: Calibrated over the floor; the plate's.
        feet: Where people stood, (x, z) metres; walls are put behind them.
        floor: Polygon to be cut to the walls, counter-clockwise as ``convex_hull`` gives it; without feet, walls are
            put behind it.
        content: x0, y0, x1, y1 of the picture inside black bars; what is outside has no depth.
    Returns:
        The guess; every wall with its confidence.
    """
    segments = inside_picture(line_segments(plate), content)
    turn, sure = manhattan_angle(segments, camera)
    if sure < _SURE_TURN:
        forward = camera.T_world_camera[:3, 2]
        turn = float(np.arctan2(forward[0], forward[2]) % (np.pi / 2))
    inside = np.concatenate([feet if len(feet) else floor, camera.T_world_camera[[0, 2], 3][None]])
    evidence = _Evidence(plate, camera, segments, inside[:-1])
    walls = []
    for quarter in range(4):
        direction = heading_vector(turn + quarter * np.pi / 2)
        if not _in_view(camera, direction):
            continue
        normal = direction[[0, 2]]
        stood = float((inside[:-1] @ normal).max())
        nearest = max(stood + _ROOM_FOR_A_BODY, float(inside[-1] @ normal) + 0.05)
        offsets = np.arange(nearest, nearest + _REACH, _STEP)
        support = np.array([evidence.support(normal, offset) for offset in offsets.tolist()])
        # of two similar edges the nearer one is the wall's foot: nothing behind a wall is seen
        best = int(np.argmax(support * np.exp(-(offsets - nearest) / 8)))
        if support[best] >= _LEAST_SUPPORT:
            walls.append(Wall(normal=normal, offset=float(offsets[best]), confidence=float(min(1.0, support[best]))))
        else:
            far = max(stood + _DEFAULT_MARGIN, nearest)
            walls.append(Wall(normal=normal, offset=far, confidence=0.0))
    return Layout(
        depth=layout_depth(camera, walls, content), floor=_cut(floor, walls), walls=tuple(walls),
        obstacles=tuple(_box(wall, walls, number) for number, wall in enumerate(walls)), turn=turn,
        guessed=_words(walls, sure),
    )  # fmt: skip


def inside_picture(segments: np.ndarray, content: tuple[int, int, int, int] | None) -> np.ndarray:
    """Segments that are not the rims of black bars."""
    if content is None:
        return segments
    x0, y0, x1, y1 = content
    low, high = segments.reshape(-1, 2, 2).min(axis=1), segments.reshape(-1, 2, 2).max(axis=1)
    return segments[((high > (x0 + 4, y0 + 4)) & (low < (x1 - 4, y1 - 4))).all(axis=1)]


def _words(walls: list[Wall], sure: float) -> tuple[str, ...]:
    found = sum(wall.confidence > 0 for wall in walls)
    words = [
        f"depth: the calibrated floor and {len(walls)} upright walls, {found} of them at edges seen in the picture, the others "
        f"{_DEFAULT_MARGIN:g} m behind where people walked; furniture is not in it"
    ]
    if sure < _SURE_TURN:
        words.append("walls: the picture's lines do not tell how the room is turned; taken to face the camera")
    return tuple(words)


def _in_view(camera: Camera, direction: np.ndarray) -> bool:
    """Whether a wall in this direction can be in the picture: the ray of a corner or border points to it by 10 degrees."""
    border = [[u, v] for u in (0, camera.width / 2, camera.width) for v in (0, camera.height / 2, camera.height)]
    rays = pixel_rays(np.array(border), camera)
    return bool(((rays @ direction) / np.linalg.norm(rays, axis=1) > np.sin(np.radians(10))).any())


class _Evidence:
    """Evidence in the picture for a wall's foot at a given place; holds what all queries share."""

    def __init__(self, plate: np.ndarray, camera: Camera, segments: np.ndarray, feet: np.ndarray) -> None:
        import cv2

        lab = cv2.cvtColor(np.ascontiguousarray(plate), cv2.COLOR_RGB2LAB).astype(np.float32)
        self.lab = cv2.GaussianBlur(lab, (0, 0), max(1.0, plate.shape[1] / 320))
        self.camera, self.segments = camera, segments
        self.T_camera_world = invert_transform(camera.T_world_camera)
        self.below_horizon = (pixel_rays(segments.reshape(-1, 2, 2), camera)[..., 1] < -1e-6).all(axis=1)
        seen = self._pixels(feet)
        colors = self.lab[seen[:, 1].astype(int), seen[:, 0].astype(int)] if len(seen) else self.lab[-20:].reshape(-1, 3)
        self.ground = np.median(colors, axis=0)
        self.unlike = 2.5 * np.median(np.abs(colors - self.ground), axis=0) + (14, 5, 5)

    def _pixels(self, places: np.ndarray) -> np.ndarray:
        """Places (n, 2) on the floor that are in the picture, as pixels (m, 2)."""
        world = np.stack([places[:, 0], np.zeros(len(places)), places[:, 1]], axis=1)
        local = transform_points(self.T_camera_world, world)
        pixels = project(local[local[:, 2] > 0.1], self.camera.K)
        return pixels[((pixels >= 0) & (pixels < [self.camera.width, self.camera.height])).all(axis=1)]

    def support(self, normal: np.ndarray, offset: float) -> float:
        """Share of the wall's foot that is an edge with floor in front of it and something else behind it, 0..1."""
        along = np.array([normal[1], -normal[0]])
        places = normal * offset + np.linspace(-8, 8, 400)[:, None] * along
        pixels = self._pixels(places)
        width = self.camera.width
        if len(pixels) < 8 or np.ptp(pixels, axis=0).max() < 0.08 * width:
            return 0.0
        span = float(np.linalg.norm(pixels[-1] - pixels[0]))
        across = np.array([-(pixels[-1] - pixels[0])[1], (pixels[-1] - pixels[0])[0]]) / span
        if across[1] > 0:
            across = -across  # up in the picture: away from the floor
        edge = self._edge(normal, pixels[0], across, span)
        even = pixels[0] + np.linspace(0, 1, 40)[:, None] * (pixels[-1] - pixels[0])
        near, far = (self._look(even + side * 0.012 * width * across) for side in (-1, 1))
        changes = float((np.abs(near - far) > (10, 4, 4)).any(axis=1).mean())
        other = [float((np.abs(look - self.ground) > self.unlike).any(axis=1).mean()) for look in (near, far)]
        return float(np.sqrt(edge) * (0.4 * changes + 0.6 * max(0.0, other[1] - other[0])))

    def _look(self, pixels: np.ndarray) -> np.ndarray:
        at = np.clip(pixels.astype(int), 0, [self.camera.width - 1, self.camera.height - 1])
        return self.lab[at[:, 1], at[:, 0]]

    def _edge(self, normal: np.ndarray, point: np.ndarray, across: np.ndarray, span: float) -> float:
        """Share of the foot's length in the picture that segments running along it cover."""
        if not len(self.segments):
            return 0.0
        runs = angle_to_vanishing_point(self.segments, self.camera, np.array([normal[1], 0.0, -normal[0]])) < np.radians(4)
        runs &= self.below_horizon
        middle = (self.segments[runs, :2] + self.segments[runs, 2:]) / 2
        away = (middle - point) @ across / (0.006 * self.camera.width)
        return min(1.0, float(lengths(self.segments[runs]) @ np.exp(-(away**2)) / span))


def layout_depth(
    camera: Camera, walls: list[Wall], content: tuple[int, int, int, int] | None = None
) -> Float32[np.ndarray, "h w"]:
    """z-depth of floor and walls, metres, 0 where a ray meets neither or lies outside ``content``."""
    rays = pixel_rays(pixel_grid(camera.height, camera.width), camera)
    origin = camera.T_world_camera[:3, 3]
    depth = depth_to_floor(rays, origin[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        for wall in walls:
            run = rays[..., [0, 2]] @ wall.normal
            depth = np.minimum(depth, np.where(run > 0, (wall.offset - origin[[0, 2]] @ wall.normal) / run, np.inf))
    if content is not None:
        x0, y0, x1, y1 = content
        outside = np.ones(depth.shape, bool)
        outside[y0:y1, x0:x1] = False
        depth[outside] = np.inf
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)


def _cut(polygon: np.ndarray, walls: list[Wall]) -> np.ndarray:
    """The part of a convex polygon inside all walls."""
    for wall in walls:
        along = np.array([wall.normal[1], -wall.normal[0]])
        foot = wall.normal * wall.offset
        window = np.array([foot - 50 * along, foot + 50 * along, foot + 50 * along - 100 * wall.normal,
                           foot - 50 * along - 100 * wall.normal])  # fmt: skip
        cut = clip_convex(polygon, convex_hull(window))
        polygon = cut if len(cut) >= 3 else polygon
    return polygon


def _box(wall: Wall, walls: list[Wall], number: int) -> Obstacle:
    """A wall as a box behind its plane, from one neighbouring wall to the other (4 m where there is none)."""
    along = np.array([wall.normal[1], -wall.normal[0]])
    ends = [-4.0, 4.0]
    for other in walls:
        way = float(other.normal @ along)
        if abs(way) > 0.5:
            ends[int(way > 0)] = other.offset * way
    low, high = min(ends), max(ends)
    x, z = wall.normal * (wall.offset + _THICK / 2) + along * (low + high) / 2
    return Obstacle(
        name=f"wall{number}", center=np.array([x, _HEIGHT / 2, z]), size=np.array([high - low, _HEIGHT, _THICK]),
        yaw=float(np.arctan2(wall.normal[0], wall.normal[1])),
    )  # fmt: skip
