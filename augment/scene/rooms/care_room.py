"""Embedded care rooms: furnished, lit and seen from a ceiling corner, all drawn from a seed.

Nothing is guessed: floor, seats, beds, obstacles, lights and camera are known because the room was built.
"""

from __future__ import annotations

import numpy as np

from ...geometry import heading_vector, invert_transform, look_at, project_clamped, transform_points, turn_about_y
from ...types import Camera, Light, Scene, SceneMesh
from .furnish import FREE, Placed, clear_square, furnish
from .parts import box, merge, moved, rod, tinted
from .shell import Opening, Plan, make_shell, to_wall

PLATE_HEIGHT = 480


def make_room(*, seed: int, height: int = PLATE_HEIGHT) -> Scene:
    """Build, furnish and film an empty care room.

    Args:
        seed: The same seed gives the same room, byte for byte.
        height: Plate height, pixels; the plate is 4:3.
    Returns:
        A scene whose floor holds a clear square of ``FREE`` metres in the camera's view.
    """
    from ...raster.room import render_room

    attempt, plan, placed, square, camera, rng = design_room(seed=seed, height=height)
    shell, floor_kind = make_shell(plan, rng=rng)
    furniture = merge([moved(p.piece.mesh, x=p.x, z=p.z, yaw=p.yaw) for p in placed])
    lights, lamps = make_lights(plan, rng=rng)
    extras = merge([lamps, *wall_things(plan, placed, rng=rng)])
    mesh = soft_corners(merge([shell, furniture, extras]), plan, placed)
    plate, depth = render_room(mesh, camera, lights, supersample=2)
    plate = film_look(plate, rng=rng)
    return Scene(
        name=f"room-{seed}",
        camera=camera,
        plate=plate,
        depth=depth,
        floor=np.array([[0, 0], [0, plan.length], [plan.width, plan.length], [plan.width, 0.0]]),
        surfaces=tuple(p.surface for p in placed if p.surface is not None),
        obstacles=tuple(p.obstacle for p in placed),
        lights=lights,
        mesh=mesh,
        provenance={
            "kind": "embedded room", "seed": seed, "attempt": attempt, "floor": floor_kind, "clear_square": square,
            "furniture": [p.piece.name for p in placed], "guessed": [],
        },
    )  # fmt: skip


def design_room(
    *, seed: int, height: int = PLATE_HEIGHT
) -> tuple[int, Plan, list[Placed], tuple[float, float, float], Camera, np.random.Generator]:
    """Everything about a room but its looks: attempt, measures, furniture, clear square, camera, and the generator for
    what is drawn next.

    Raises:
        ValueError: If the seed gives no room (none is known).
    """
    # Furnishing at random fails now and then (no clear square, bed out of view); the next attempt has its own stream.
    for attempt in range(400):
        rng = np.random.default_rng([seed, attempt])
        plan = draw_plan(rng=rng)
        placed = furnish(plan, rng=rng)
        square = clear_square(plan, placed)
        if square is None:
            continue
        camera = corner_camera(plan, placed, square, rng=rng, height=height)
        if camera is not None:
            return attempt, plan, placed, square, camera, rng
    raise ValueError(f"make_room: seed {seed} gave no furnishable room in 400 attempts; take another seed")


def draw_plan(*, rng: np.random.Generator) -> Plan:
    """Measures of the room; the camera will hang above (0, 0), so the window is in one of the two far walls or beside it."""
    width, length, height = rng.uniform(3.4, 4.7), rng.uniform(4.0, 5.3), rng.uniform(2.45, 2.85)
    window_wall = int(rng.choice([1, 2, 2, 1, 0, 3]))
    door_wall = int(rng.choice([wall for wall in range(4) if wall != window_wall]))

    def opening(wall: int, broad: float, bottom: float, top: float) -> Opening:
        room = (width if wall % 2 == 0 else length) - broad
        return Opening(wall=wall, start=float(rng.uniform(0.35, max(0.4, room - 0.35))), width=broad, bottom=bottom, top=top)

    sill, broad = float(rng.choice([0.45, 0.75, 0.85, 0.9])), float(rng.uniform(1.2, 2.2))
    window = opening(window_wall, broad, sill, float(rng.uniform(2.05, height - 0.2)))
    return Plan(
        width=width,
        length=length,
        height=height,
        window=window,
        door=opening(door_wall, float(rng.uniform(0.95, 1.15)), 0.0, 2.08),
    )


def corner_camera(
    plan: Plan, placed: list[Placed], square: tuple[float, float, float], *, rng: np.random.Generator, height: int
) -> Camera | None:
    """A camera in the ceiling corner above (0, 0) that passes ``_sees``; None if none of a dozen does."""
    width = round(height * 4 / 3)
    for _ in range(12):
        eye = np.array([rng.uniform(0.1, 0.3), min(rng.uniform(2.2, 2.7), plan.height - 0.08), rng.uniform(0.1, 0.3)])
        focal = width / 2 / np.tan(np.radians(rng.uniform(64, 92)) / 2)
        K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        aim = 0.55 * np.array([square[0], 0, square[1]]) + 0.45 * np.array([plan.width / 2, 0, plan.length / 2])
        aim += [rng.normal(0, 0.15), rng.uniform(0.3, 0.8), rng.normal(0, 0.15)]
        camera = Camera(K=K, T_world_camera=look_at(eye, aim), width=width, height=height)
        if _sees(camera, square, placed):
            return camera
    return None


def _sees(camera: Camera, square: tuple[float, float, float], placed: list[Placed]) -> bool:
    """Nine tenths of the clear floor are in view, a head at its middle, most of the bed, and a seat."""
    x, z, _ = square
    offsets = np.linspace(-FREE / 2, FREE / 2, 9)
    floor = np.stack([*(a.ravel() for a in np.meshgrid(x + offsets, [0.0], z + offsets, indexing="ij"))], axis=1)
    if _in_view(camera, floor).mean() < 0.9 or not _in_view(camera, np.array([[x, 1.75, z]])).all():
        return False
    carried = {"bed": [], "chair": []}
    for put in placed:
        if put.piece.surface is not None:
            kind, height, *_ = put.piece.surface
            corners = np.concatenate([put.corners(), [[put.x, put.z]]])
            carried[kind].append(_in_view(camera, np.insert(corners, 1, height, axis=1)).mean())
    return all(max(shares, default=0.0) >= 0.75 for shares in carried.values())


def _in_view(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Which world points (n, 3) fall into the picture."""
    local = transform_points(invert_transform(camera.T_world_camera), points)
    u, v = project_clamped(local, camera.K, nearest=1e-6).T
    return (local[:, 2] > 0.1) & (u > 0) & (u < camera.width) & (v > 0) & (v < camera.height)


def make_lights(plan: Plan, *, rng: np.random.Generator) -> tuple[tuple[Light, ...], SceneMesh]:
    """Daylight at the window and a ceiling lamp or two, with the lamps' own geometry."""
    day = rng.uniform(0.25, 1.0)
    window = plan.window
    x, z, _ = plan.on_wall(window.wall, window.start + window.width / 2, 0.35)
    lights = [
        Light(
            kind="point", position=np.array([x, (window.bottom + window.top) / 2 + 0.2, z]),
            color=np.array([0.92, 0.97, 1.0]), intensity=float(0.42 * day),
        )
    ]  # fmt: skip
    warmth = rng.uniform(0.74, 0.95)
    count = 2 if plan.length > 5.0 and rng.random() < 0.5 else 1
    pieces = []
    for k in range(count):
        place = np.array([plan.width / 2, plan.height - 0.4, plan.length * (k + 1) / (count + 1)])
        power = float(rng.uniform(0.3, 0.46) / count + 0.12 * (1 - day))
        color = np.array([1.0, (1 + warmth) / 2 * 0.98, warmth])
        lights.append(Light(kind="point", position=place, color=color, intensity=power))
        top, bottom = (place[0], plan.height, place[2]), (place[0], plan.height - 0.07, place[2])
        pieces.append(rod(top, bottom, 0.2, (255, 252, 244), n=22, tip=0.17))
    return tuple(lights), merge(pieces)


def wall_things(plan: Plan, placed: list[Placed], *, rng: np.random.Generator) -> list[SceneMesh]:
    """Pictures, a grab rail and a call button on the free stretches of wall."""
    pieces = []
    for wall in range(4):
        room = plan.wall_length(wall)
        busy = [(o.start - 0.45, o.start + o.width + 0.45) for o in (plan.window, plan.door) if o.wall == wall]
        for _ in range(int(rng.integers(0, 3))):
            w, h = rng.uniform(0.35, 0.8), rng.uniform(0.3, 0.6)
            start = rng.uniform(0.2, room - w - 0.2)
            if any(start < b and start + w > a for a, b in busy):
                continue
            busy.append((start - 0.1, start + w + 0.1))
            frame = (60, 48, 40) if rng.random() < 0.5 else (226, 220, 206)
            y = rng.uniform(1.45, 1.65)
            art = tinted(rng.uniform(70, 220, 3), 1.0)
            local = [
                box((start + w / 2, y, 0.012), (w, h, 0.024), frame),
                box((start + w / 2, y, 0.026), (w - 0.06, h - 0.06, 0.004), (236, 232, 222)),
            ]
            local.append(box((start + w / 2, y, 0.029), (w * 0.62, h * 0.58, 0.004), art))
            local.append(box((start + w / 2, y - h * 0.14, 0.032), (w * 0.62, h * 0.3, 0.004), tinted(art, 0.7)))
            pieces.append(to_wall(merge(local), plan, wall))
        if rng.random() < 0.3:
            start, long = rng.uniform(0.2, 0.8), rng.uniform(1.0, room - 1.2)
            if not any(start < b and start + long > a for a, b in busy):
                pieces.append(to_wall(rod((start, 0.9, 0.07), (start + long, 0.9, 0.07), 0.02, (196, 160, 118)), plan, wall))
    head = next((p for p in placed if p.piece.name == "bed"), None)
    if head is not None:
        x, _, z = [head.x, 0.0, head.z] + heading_vector(head.yaw) * (head.piece.size[2] / 2)
        pieces.append(moved(box((0, 1.25, 0), (0.5, 0.12, 0.05), (225, 225, 222), bevel=0.01), x=x, z=z, yaw=head.yaw))
    return pieces


def soft_corners(mesh: SceneMesh, plan: Plan, placed: list[Placed]) -> SceneMesh:
    """Approximate ambient occlusion, baked into the colours: darker along edges of the room and under furniture."""
    x, y, z = mesh.vertices.T
    inside = np.stack([x, plan.width - x, z, plan.length - z, y, plan.height - y])
    # A vertex on one wall is close to that wall everywhere; what darkens it is the second nearest plane.
    second = np.sort(np.maximum(inside, 0), axis=0)[1]
    shade = 1 - 0.16 * np.exp(-second / 0.12) - 0.1 * np.exp(-second / 0.6)
    for put in placed:
        across, along = turn_about_y(np.stack([x - put.x, z - put.z], axis=-1), -put.yaw).T
        dx, dz = np.abs(across) - put.piece.size[0] / 2, np.abs(along) - put.piece.size[2] / 2
        outside = np.hypot(np.maximum(dx, 0), np.maximum(dz, 0))
        near_floor = y < 0.01
        strength = min(1.0, put.piece.size[1] / 0.8)
        under = np.where(near_floor, 0.42 * strength * np.exp(-outside / 0.13), 0.0)
        own = (outside <= 0.05) & ~near_floor
        shade *= 1 - np.where(own, 0.35 * np.exp(-y / 0.15), under)
    colors = np.clip(mesh.colors * shade[:, None], 0, 255).round().astype(np.uint8)
    return SceneMesh(vertices=mesh.vertices, faces=mesh.faces, colors=colors)


def film_look(plate: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """The errors of a cheap ceiling camera: darker corners, a colour cast, a little grain."""
    height, width = plate.shape[:2]
    v, u = np.mgrid[:height, :width]
    radius = np.hypot((u - width / 2) / (width / 2), (v - height / 2) / (height / 2))
    cast = 1 + rng.normal(0, 0.02, 3)
    gain = rng.uniform(0.92, 1.06) * (1 - rng.uniform(0.04, 0.14) * radius[..., None] ** 2) * cast
    grain = rng.normal(0, rng.uniform(0.6, 1.6), plate.shape)
    return np.clip(plate * gain + grain, 0, 255).round().astype(np.uint8)
