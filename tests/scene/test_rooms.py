"""Laws of embedded rooms: what is said about them is so, for any seed."""

from __future__ import annotations

import numpy as np
import pytest

from augment.geometry import invert_transform, pixel_grid, transform_points, unproject
from augment.scene.rooms.care_room import design_room, make_room
from augment.scene.rooms.furnish import FREE, _overlap
from augment.scene.rooms.furniture import FURNITURE
from augment.scene.rooms.parts import box, pillow, rod
from augment.types import SceneMesh

SEEDS = range(14)


@pytest.fixture(scope="module")
def designs():
    return [design_room(seed=seed, height=120) for seed in SEEDS]


@pytest.fixture(scope="module")
def room():
    return make_room(seed=1, height=96)


def volume(mesh: SceneMesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (box((1, 2, 3), (0.4, 0.5, 0.6), (1, 1, 1)), 0.12),
        (box((1, 2, 3), (0.4, 0.5, 0.6), (1, 1, 1), bevel=0.001), 0.12),
        (rod((1, 0, 2), (1, 1, 2), 0.5, (1, 1, 1), n=200), np.pi / 4),
        (rod((0, 0, 0), (2, 0, 0), 0.5, (1, 1, 1), n=200), np.pi / 2),
        (pillow((3, 1, 0), (2, 2, 2), (1, 1, 1), squareness=1.0, n=120), 4 * np.pi / 3),
    ],
)
def test_faces_of_closed_pieces_turn_outward(mesh: SceneMesh, expected: float):
    assert volume(mesh) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("name", list(FURNITURE))
def test_furniture_stands_on_the_floor_within_its_box(name: str):
    for seed in range(5):
        piece = FURNITURE[name](rng=np.random.default_rng(seed))
        low, high = piece.mesh.vertices.min(0), piece.mesh.vertices.max(0)
        assert -0.03 < low[1] < 0.12
        # Leaves, rails and pillows may lean out a little.
        reach = 0.25 if name in ("plant", "dresser") else 0.09
        assert (high[[0, 2]] < np.array(piece.size)[[0, 2]] / 2 + reach).all()
        assert (low[[0, 2]] > -np.array(piece.size)[[0, 2]] / 2 - reach).all()
        if piece.surface is not None:
            kind, height, *_ = piece.surface
            assert (0.42 <= height <= 0.50) if kind == "chair" else (0.45 <= height <= 0.60)


def test_every_seed_gives_a_room_with_a_bed_and_a_seat(designs):
    for _, _, placed, *_ in designs:
        kinds = [put.piece.surface[0] for put in placed if put.piece.surface]
        assert "bed" in kinds
        assert "chair" in kinds


def test_furniture_stands_within_the_walls_and_apart(designs):
    for _, plan, placed, *_ in designs:
        for number, put in enumerate(placed):
            corners = put.corners()
            assert (corners >= 0).all()
            assert (corners <= [plan.width, plan.length]).all()
            assert not any(_overlap(corners, other.corners()) for other in placed[:number])


def test_the_clear_square_is_clear_and_in_view(designs):
    for _, _, placed, (x, z, side), camera, _ in designs:
        assert side >= FREE
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2 + [x, z]
        assert not any(_overlap(square, put.corners(-0.01)) for put in placed)
        (middle,) = transform_points(invert_transform(camera.T_world_camera), np.array([[x, 0.9, z]]))
        u, v, w = camera.K @ middle
        assert w > 0
        assert 0 < u / w < camera.width
        assert 0 < v / w < camera.height


def test_the_camera_hangs_in_a_ceiling_corner_and_looks_down(designs):
    for _, plan, _, _, camera, _ in designs:
        eye, forward = camera.T_world_camera[:3, 3], camera.T_world_camera[:3, 2]
        assert 2.2 <= eye[1] <= 2.7
        assert eye[1] < plan.height
        assert (eye[[0, 2]] <= 0.3).all()
        assert forward[1] < -0.15
        assert 60 <= np.degrees(2 * np.arctan(camera.width / 2 / camera.K[0, 0])) <= 95


def test_the_depth_shows_the_floor_where_the_floor_is(room):
    grid = pixel_grid(room.camera.height, room.camera.width)
    points = unproject(grid, room.depth.astype(float), room.camera.K).reshape(-1, 3)
    world = transform_points(room.camera.T_world_camera, points)
    assert (room.depth > 0).mean() > 0.99
    assert world[:, 1].min() > -0.02
    assert (np.abs(world[:, 1]) < 0.01).mean() > 0.15
    low, high = room.floor.min(0), room.floor.max(0)
    inside = ((world[:, [0, 2]] > low - 0.2) & (world[:, [0, 2]] < high + 0.2)).all(1)
    assert inside.mean() > 0.99


def test_the_bed_is_where_the_depth_says(room):
    bed = next(surface for surface in room.surfaces if surface.kind == "bed")
    (middle,) = transform_points(invert_transform(room.camera.T_world_camera), bed.center[None])
    u, v, w = room.camera.K @ middle
    seen = room.depth[int(v / w), int(u / w)]
    assert seen == pytest.approx(middle[2], abs=0.15)


def test_the_same_seed_gives_the_same_room_and_another_another(room):
    again, other = make_room(seed=1, height=96), make_room(seed=2, height=96)
    np.testing.assert_array_equal(room.plate, again.plate)
    np.testing.assert_array_equal(room.depth, again.depth)
    np.testing.assert_array_equal(room.mesh.vertices, again.mesh.vertices)
    assert not np.array_equal(room.plate, other.plate)


def test_the_floor_runs_counter_clockwise_seen_from_above(room):
    x, z = room.floor.T
    # Seen from above with x to the right, z points down the page, so the usual sign turns over.
    area = 0.5 * (x * np.roll(z, -1) - z * np.roll(x, -1)).sum()
    assert area < 0
