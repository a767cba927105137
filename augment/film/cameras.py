"""Cameras in a room: the kinds that a recipe can name, drawn from the scene and a number, and cameras given by measures.

A drawn camera stands inside the room, under the ceiling and outside furniture, and sees floor where people can stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ..geometry import heading_vector, invert_transform, look_at, project_clamped, transform_points, turn_about_y
from ..polygon import inside_polygon
from ..raster.room import render_room
from ..types import Camera, Scene, Surface
from .reshoot import check_reach, has_whole_geometry, limit_of, unseen_share

FAR_UP = 85.0
"""Largest pitch of a given camera, degrees: straight down, "upright" is undefined."""
CLEARANCE = 0.05
"""Metres kept between a camera and walls, ceiling and furniture."""
PELVIS = 0.9
"""Height at which a standing person is looked for, metres."""
LEAST_PEOPLE, LEAST_FLOOR = 0.4, 0.25
"""Share of the places where people can stand whose pelvis, and whose floor, a drawn camera must see."""
NEAR, MOST_NEAR = 0.5, 0.06
"""Metres, and the share of the picture that may be nearer: a camera must not look into a wall beside it."""
_TRIES = 80
_LOOK = 72
"""Height of the picture in which a camera is judged, pixels."""


def own_camera(scene: Scene, number: int) -> Camera:
    """The room's own camera."""
    del number
    return scene.camera


def jittered_camera(scene: Scene, number: int) -> Camera:
    """The ``number``-th camera near the scene's own: moved up to 0.25 m along each axis, aimed up to 0.3 m off, zoomed by up
    to a tenth; in a room that is known from one picture as far as that picture bears, and zoomed in."""
    rng = np.random.default_rng([0x0CA, number])
    own = scene.camera
    eye, forward = own.T_world_camera[:3, 3], own.T_world_camera[:3, 2]
    # Into the room, never back into the corner's walls.
    inward = np.sign(scene.floor.mean(0) - eye[[0, 2]])
    step = rng.uniform(0.03, 0.25, 2) * inward
    move = np.array([step[0], -rng.uniform(0.0, 0.25), step[1]])
    aim = forward * (eye[1] / max(-forward[1], 0.2))
    off, zoom = rng.uniform(-0.3, 0.3, 3), float(rng.uniform(0.92, 1.1))

    def camera(move: np.ndarray, off: np.ndarray, zoom: float) -> Camera:
        K = own.K.copy()
        K[:2, :2] *= zoom
        return Camera(K=K, T_world_camera=look_at(eye + move, eye + aim + off), width=own.width, height=own.height)

    if has_whole_geometry(scene):
        return camera(move, off, zoom)
    limit = limit_of(scene)
    move, zoom = move * limit.metres / np.linalg.norm([0.25, 0.25, 0.25]), 1.0 + 0.5 * (zoom - 0.92)
    for share in (1.0, 0.7, 0.45, 0.2):
        near = camera(share * move, share * (move + 0.5 * off), zoom)
        if unseen_share(scene, near) <= limit.unseen / 2:
            return near
    return camera(np.zeros(3), np.zeros(3), zoom)


def swept_camera(scene: Scene, number: int) -> Camera:
    """The ``number``-th camera of a sweep through the room: in a ceiling corner, on a wall, beside a bed, in turns.

    Raises:
        ValueError: If the room's geometry does not bear it, or no camera was found that sees enough floor.
    """
    check_sweep(scene)
    # A room without a place for this turn, such as no bed, gets a camera of the next kind.
    for attempt in range(len(MOUNTS)):
        mount = list(MOUNTS)[(number + attempt) % len(MOUNTS)]
        seed = hashlib.sha256(f"{scene.name}/{number}/{mount}".encode()).digest()[:8]
        camera = _best_camera(scene, MOUNTS[mount], rng=np.random.default_rng(int.from_bytes(seed, "big")))
        if camera is not None:
            return camera
    raise ValueError(
        f"scene {scene.name!r}: no camera {number} of a sweep sees enough of the floor; use camera: scene or camera: jitter"
    )


CAMERAS: dict[str, Callable[[Scene, int], Camera]] = {
    "scene": own_camera, "jitter": jittered_camera, "sweep": swept_camera,
}  # fmt: skip
"""A recipe's ``camera`` to the function that gives a room's camera of that kind with a number."""


def check_sweep(scene: Scene) -> None:
    """Raises ValueError if the room is known from one picture only."""
    if not has_whole_geometry(scene):
        raise ValueError(
            f"camera: sweep needs a room known from all sides, but scene {scene.name!r} is known from one picture, which bears "
            f"cameras up to {limit_of(scene)} from its own; use camera: jitter or camera: scene"
        )


def given_camera(
    scene: Scene, *, position: tuple[float, float, float], yaw: float, pitch: float, fov: float
) -> Camera:  # fmt: skip
    """A camera by its measures, at the scene's plate size.

    Args:
        position: World (x, y, z), metres.
        yaw: Heading, degrees about +y from +z (90 looks along +x).
        pitch: Degrees downwards.
        fov: Horizontal field of view, degrees.
    Raises:
        ValueError: If the camera is outside the room, above its ceiling or inside furniture, or farther from the room's own
            camera than the room's geometry bears.
    """
    own, eye = scene.camera, np.array(position, float)
    focal = own.width / 2 / np.tan(np.radians(fov) / 2)
    K = np.array([[focal, 0, own.width / 2], [0, focal, own.height / 2], [0, 0, 1.0]])
    camera = Camera(K=K, T_world_camera=look_at(eye, eye + _way(yaw, pitch)), width=own.width, height=own.height)
    if not has_whole_geometry(scene):
        check_reach(scene, camera)
        return camera
    problem = outside(scene, eye)
    if problem is not None:
        where = ", ".join(f"{value:g}" for value in position)
        raise ValueError(f"camera at ({where}): {problem} of scene {scene.name!r}; move it")
    return camera


def outside(scene: Scene, eye: Float[np.ndarray, "3"], clearance: float = 0.0) -> str | None:
    """Why a camera cannot be at a place (world, metres) of a room known from all sides; None if it can."""
    low, high = scene.floor.min(0), scene.floor.max(0)
    around = eye[[0, 2]] + clearance * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    if not inside_polygon(around, scene.floor).all():
        return f"outside the floor (x {low[0]:.2f} to {high[0]:.2f} m, z {low[1]:.2f} to {high[1]:.2f} m)"
    top = ceiling(scene)
    if not 0.05 <= eye[1] <= top - clearance:
        return f"not between the floor and the ceiling ({top:.2f} m)"
    for obstacle in scene.obstacles:
        local = np.abs(turn_about_y(eye - obstacle.center, -obstacle.yaw))
        if (local < np.asarray(obstacle.size) / 2 + clearance).all():
            return f"inside the furniture ({obstacle.name})"
    return None


def ceiling(scene: Scene) -> float:
    """Height of the room, metres: of the highest point of its geometry."""
    assert scene.mesh is not None
    return float(scene.mesh.vertices[:, 1].max())


def standing_places(scene: Scene, step: float = 0.25, clearance: float = 0.2) -> Float[np.ndarray, "n 2"]:
    """Places (x, z) on a grid over the floor, metres, that are clear of furniture; the floor's middle if none is."""
    low, high = scene.floor.min(0), scene.floor.max(0)
    axes = [np.arange(a + step / 2, b, step) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    free = inside_polygon(grid, scene.floor)
    for obstacle in scene.obstacles:
        offset = np.stack([grid[:, 0] - obstacle.center[0], grid[:, 1] - obstacle.center[2]], axis=-1)
        local = np.abs(turn_about_y(offset, -obstacle.yaw))
        free &= ~(local < np.asarray(obstacle.size)[[0, 2]] / 2 + clearance).all(1)
    return grid[free] if free.any() else scene.floor.mean(0)[None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a camera sees of a room's people."""

    people: float
    """Share of the standing places whose pelvis is in the picture and not hidden."""
    floor: float
    """Share of them whose floor is."""
    near: float
    """Share of the picture that is nearer than ``NEAR``, or shows nothing."""

    @property
    def enough(self) -> bool:
        """Whether the camera serves to film in."""
        return self.people >= LEAST_PEOPLE and self.floor >= LEAST_FLOOR and self.near <= MOST_NEAR


def sight(scene: Scene, camera: Camera, places: Float[np.ndarray, "n 2"]) -> Sight:
    """Judge a camera by a small depth picture of a room known from all sides."""
    assert scene.mesh is not None
    small = camera.scaled_to(_LOOK)
    _, depth = render_room(scene.mesh, small, supersample=1, shadows=False)
    return Sight(
        people=float(_seen(small, depth, np.insert(places, 1, PELVIS, axis=1)).mean()),
        floor=float(_seen(small, depth, np.insert(places, 1, 0.0, axis=1)).mean()),
        near=float((depth < NEAR).mean()),
    )


def _seen(camera: Camera, depth: np.ndarray, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    local = transform_points(invert_transform(camera.T_world_camera), points)
    u, v = project_clamped(local, camera.K, nearest=1e-3).T
    inside = (local[:, 2] > NEAR) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    column, row = np.clip(u, 0, camera.width - 1).astype(int), np.clip(v, 0, camera.height - 1).astype(int)
    wall = depth[row, column]
    return inside & ((wall == 0) | (local[:, 2] < wall + 0.25))


def _best_camera(scene: Scene, mount: Mount, *, rng: np.random.Generator) -> Camera | None:
    """The first drawn camera that sees enough; None if none does."""
    places = standing_places(scene)
    for _ in range(_TRIES):
        eye, (least, most) = mount(scene, rng=rng)
        if eye is None or outside(scene, eye, CLEARANCE) is not None:
            continue
        # Aimed at the middle of a few places, so that the open floor is met more often than its rim.
        x, z = places[rng.integers(len(places), size=3)].mean(0)
        aim = np.array([x, rng.uniform(0.2, 1.2), z]) - eye
        yaw = np.degrees(np.arctan2(aim[0], aim[2])) + rng.normal(0, 6)
        pitch = np.clip(np.degrees(np.arctan2(-aim[1], np.hypot(aim[0], aim[2]))) + rng.normal(0, 3), -10, 70)
        focal = scene.camera.width / 2 / np.tan(np.radians(rng.uniform(least, most)) / 2)
        K = np.array([[focal, 0, scene.camera.width / 2], [0, focal, scene.camera.height / 2], [0, 0, 1.0]])
        T = look_at(eye, eye + _way(float(yaw), float(pitch)))
        camera = Camera(K=K, T_world_camera=T, width=scene.camera.width, height=scene.camera.height)
        if sight(scene, camera, places).enough:
            return camera
    return None


def _way(yaw: float, pitch: float) -> Float[np.ndarray, "3"]:
    """Unit vector of a heading and a pitch downwards, degrees."""
    down = np.radians(np.clip(pitch, -FAR_UP, FAR_UP))
    return heading_vector(np.radians(yaw)) * np.cos(down) - np.array([0.0, np.sin(down), 0.0])


Mount = Callable[..., tuple[np.ndarray | None, tuple[float, float]]]
"""Draws a place for a camera (None: there is none), and gives the range of its horizontal field of view, degrees."""


def _in_corner(scene: Scene, *, rng: np.random.Generator) -> tuple[np.ndarray | None, tuple[float, float]]:
    corner = scene.floor[rng.integers(len(scene.floor))]
    inward = scene.floor.mean(0) - corner
    x, z = corner + inward / np.linalg.norm(inward) * rng.uniform(0.15, 0.45)
    return np.array([x, ceiling(scene) - rng.uniform(0.08, 0.4), z]), (68, 100)


def _on_wall(scene: Scene, *, rng: np.random.Generator) -> tuple[np.ndarray | None, tuple[float, float]]:
    number = int(rng.integers(len(scene.floor)))
    start, end = scene.floor[number], scene.floor[(number + 1) % len(scene.floor)]
    along = (end - start) / np.linalg.norm(end - start)
    x, z = start + (end - start) * rng.uniform(0.2, 0.8) + np.array([-along[1], along[0]]) * 0.12 * rng.choice([-1, 1])
    return np.array([x, rng.uniform(1.3, ceiling(scene) - 0.1), z]), (60, 95)


def _at_bedside(scene: Scene, *, rng: np.random.Generator) -> tuple[np.ndarray | None, tuple[float, float]]:
    """Beside the upper half of a bed (a seat where there is none), as on a bedside table or a stand."""
    beds = [s for s in scene.surfaces if s.kind == "bed"] or list(scene.surfaces)
    if not beds:
        return None, (0, 0)
    bed: Surface = beds[int(rng.integers(len(beds)))]
    side, along = rng.choice([-1, 1]) * (bed.size[0] / 2 + rng.uniform(0.1, 0.5)), bed.size[1] * rng.uniform(0.0, 0.55)
    x, _, z = bed.center + turn_about_y(np.array([side, 0.0, along]), bed.yaw)
    return np.array([x, rng.uniform(0.75, 1.5), z]), (65, 100)


MOUNTS: dict[str, Mount] = {"corner": _in_corner, "wall": _on_wall, "bedside": _at_bedside}
"""Where the cameras of a sweep hang or stand, taken in turns."""
