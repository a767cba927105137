"""Laws of filming: the room hides people and they hide it, shadows only darken, labels agree with the pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.film.appearance import sample_look
from augment.film.canvas import TOLERANCE, Drawn, hide_behind_room, new_canvas
from augment.film.film import film
from augment.film.ground import ground_of
from augment.film.keypoints import visibility
from augment.film.layers import resolve
from augment.film.light import lamps_of
from augment.film.picture import blend
from augment.film.plate_shadow import darkened_plate
from augment.film.props import add_props
from augment.film.shadow_map import draw_shadow_maps, lamp_share, may_shade, new_shadow_maps
from augment.film.sheet import contact_sheet
from augment.film.style import Style
from augment.film.view import prepare_view
from augment.raster.room import render_room
from augment.scene.boxes import box_depth, hiding_boxes
from augment.types import Camera, Light
from tests.make.rooms import ball, camera, performance, room, standing, the_body

CLEAN = Style(blur=0.0, noise=0.0)


def shoot(*people, seed=0, style=CLEAN, scene=None, height=96, camera=None):
    rng = np.random.default_rng(seed)
    looks = [sample_look(the_body(), rng=rng, outfit="day") for _ in people]
    return film(
        performance(*people), prepare_view(scene or room(), height=height, camera=camera), the_body(), looks, rng=rng, fps=10.0,
        style=style,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shot():
    return shoot(standing(the_body(), frames=3, at=(0.5, 0.3), step=0.05))


def test_layers_have_the_shapes_they_promise(shot):
    assert shot["frames"].shape == (3, 96, 128, 3)
    assert shot["frames"].dtype == shot["mask"].dtype == np.uint8
    assert shot["mask"].shape == shot["depth"].shape == (3, 96, 128)
    assert shot["joints"].shape == shot["joints2d"].shape == (3, 24, 3)
    assert set(np.unique(shot["mask"])) == {0, 1}


def test_the_same_seed_films_the_same_bytes(shot):
    again = shoot(standing(the_body(), frames=3, at=(0.5, 0.3), step=0.05))
    for name in ("frames", "mask", "depth", "joints", "joints2d"):
        assert shot[name].tobytes() == again[name].tobytes()


def test_noise_and_style_come_from_the_generator_alone():
    person = standing(the_body(), frames=2, at=(0.5, 0.3))
    a, b, c = (shoot(person, seed=seed, style=None) for seed in (3, 3, 4))
    assert a["frames"].tobytes() == b["frames"].tobytes()
    assert a["frames"].tobytes() != c["frames"].tobytes()


def test_away_from_the_person_the_picture_only_gets_darker(shot):
    plate = room().plate.astype(int)
    outside = shot["mask"][1] == 0
    ring = outside & ~np.pad(shot["mask"][1] > 0, 2)[:-4, 2:-2] & ~np.pad(shot["mask"][1] > 0, 2)[4:, 2:-2]
    ring &= ~np.pad(shot["mask"][1] > 0, 2)[2:-2, :-4] & ~np.pad(shot["mask"][1] > 0, 2)[2:-2, 4:]
    change = shot["frames"][1].astype(int)[ring] - plate[ring]
    assert change.max() <= 1
    assert (change.mean(-1) < -6).sum() > 40  # there is a shadow


def test_shadow_is_darkest_at_the_feet(shot):
    plate, frame = room().plate.astype(float), shot["frames"][1].astype(float)
    feet = shot["joints2d"][1, [10, 11], :2].mean(0)
    v, u = np.mgrid[:96, :128] + 0.5
    distance = np.hypot(u - feet[0], v - feet[1])
    floor = (shot["mask"][1] == 0) & (v > feet[1] - 3)
    lost = (plate - frame).mean(-1)
    assert lost[floor & (distance < 8)].mean() > 2 * lost[floor & (distance > 25)].mean()


def test_furniture_in_front_hides_the_person_and_only_where_it_is_nearer():
    behind = standing(the_body(), frames=1, at=(-0.9, -0.5))  # behind the table as the camera sees it
    shot = shoot(behind)
    hidden = shot["joints2d"][0, [7, 8, 10, 11], 2]
    assert (hidden == 0).all()
    assert (shot["joints2d"][0, [12, 15], 2] > 0).all()
    assert (shot["depth"][0][shot["mask"][0] > 0] < room().depth[shot["mask"][0] > 0] + 0.04).all()
    empty = replace(room(), depth=np.zeros_like(room().depth), surfaces=(), obstacles=())
    through = shoot(behind, scene=empty)
    assert (through["mask"][0] > 0).sum() > 1.2 * (shot["mask"][0] > 0).sum()


@pytest.mark.parametrize("known", ["nothing", "a guess"])
def test_furniture_without_measured_depth_hides_to_the_pixel(known):
    """Boxes from the scene's description hide the same pixels as the depth of the drawn room does."""
    behind = standing(the_body(), frames=2, at=(-0.9, -0.5), step=0.05)
    measured = shoot(behind)
    shell = replace(room(), depth=np.zeros_like(room().depth))
    if known == "a guess":
        far = np.where(room().depth > 0, 9.0, 0.0).astype(np.float32)
        shell = replace(room(), depth=far, provenance={"guessed": ["depth: floor and walls"]})
    shot = shoot(behind, scene=shell)
    np.testing.assert_array_equal(shot["mask"], measured["mask"])
    boxes = box_depth(hiding_boxes(shell), shell.camera)
    for mask, depth in zip(shot["mask"], shot["depth"], strict=True):
        assert (depth[mask > 0] <= boxes[mask > 0] + TOLERANCE).all()
    assert (prepare_view(shell, height=96).plate == room().plate).all()


def test_joints_project_into_their_own_mask(shot):
    for frame in range(3):
        uv = shot["joints2d"][frame, :, :2]
        inside = shot["mask"][frame][np.floor(uv[:, 1]).astype(int), np.floor(uv[:, 0]).astype(int)]
        assert (inside[[0, 3, 6, 9, 12, 15]] == 1).all()


def test_of_two_people_the_nearer_covers_the_farther():
    shot = shoot(standing(the_body(), frames=1, at=(0.5, 0.6)), standing(the_body(), frames=1, at=(0.5, -0.4)))
    swapped = shoot(standing(the_body(), frames=1, at=(0.5, -0.4)), standing(the_body(), frames=1, at=(0.5, 0.6)))
    assert set(np.unique(shot["mask"])) == {0, 1, 2}
    ones, twos = (swapped["mask"][0] == 1).sum(), (swapped["mask"][0] == 2).sum()
    assert abs(int((shot["mask"][0] == 2).sum()) - int(ones)) < 0.1 * ones + 20
    assert abs(int((shot["mask"][0] == 1).sum()) - int(twos)) < 0.1 * twos + 20


def test_a_half_covered_pixel_mixes_person_and_plate():
    canvas, box = new_canvas(96, 128), (0, 95, 0, 127)
    corners = np.array([[58.0, 38.0, 0.5], [58.0, 46.0, 0.5], [66.0, 38.0, 0.5]], np.float32)
    drawn = Drawn(corners, np.array([[0, 1, 2]], np.int32), np.full((3, 3), 200, np.float32), np.ones(3, np.uint8))
    for y, x in ((40, 60), (41, 61)):
        canvas.nearness[y, x], canvas.triangle[y, x] = 0.5, 0
    hide_behind_room(canvas, (0, 191, 0, 255), np.zeros((96, 128), np.float32), drawn.faces, np.zeros(3, bool))
    rgba, mask, depth = np.zeros((96, 128, 4), np.float32), np.zeros((96, 128), np.uint8), np.zeros((96, 128), np.float32)
    nothing, mask_of = np.zeros((0, 0, 3), np.float32), np.arange(2, dtype=np.uint8)
    resolve(canvas, box, drawn, nothing, mask_of, (rgba, mask, depth, np.full((96, 128), -1, np.int32)))
    picture = room().plate.astype(np.float32)
    blend(rgba, box, picture)
    np.testing.assert_allclose(picture[20, 30], 0.5 * room().plate[20, 30] + 100, atol=1e-3)
    assert mask[20, 30] == 1
    assert depth[20, 30] == pytest.approx(2.0)
    np.testing.assert_array_equal(picture[50:], room().plate[50:])


def test_confidence_tells_seen_from_hidden_from_absent():
    mask, depth = np.zeros((4, 4), np.uint8), np.full((4, 4), 3.0, np.float32)
    mask[1, 1], depth[1, 1] = 1, 2.0
    points = np.array([[1.5, 1.5, 2.1], [1.5, 1.5, 2.6], [2.5, 2.5, 2.5], [2.5, 2.5, 3.5], [-3.0, 1.0, 2.0]], np.float32)
    confidence = np.zeros(5, np.float32)
    visibility(points, mask, depth, 1, confidence)
    np.testing.assert_array_equal(confidence, [1.0, 0.5, 1.0, 0.0, 0.0])


def test_a_monochrome_room_gets_a_monochrome_person():
    grey = replace(room(), plate=np.repeat(room().plate.mean(-1, keepdims=True).astype(np.uint8), 3, -1), mesh=None, lights=())
    frame = shoot(standing(the_body(), frames=1, at=(0.5, 0.3)), scene=grey)["frames"][0].astype(int)
    assert np.ptp(frame, axis=-1).max() <= 2


def test_a_dark_room_gets_a_dark_person():
    bright = replace(room(), mesh=None, lights=())
    dark = replace(bright, plate=(room().plate * 0.35).astype(np.uint8))
    person = standing(the_body(), frames=1, at=(0.5, 0.3))
    a, b = (shoot(person, scene=scene) for scene in (bright, dark))
    where = a["mask"][0] > 0
    assert b["frames"][0][where].mean() < 0.65 * a["frames"][0][where].mean()


def test_another_camera_needs_the_rooms_geometry_and_sees_it_from_there():
    other = camera(eye=(1.8, 2.1, 1.5), target=(-0.5, 0.6, -0.5))
    shot = shoot(standing(the_body(), frames=1, at=(0.2, -0.2)), camera=other)
    assert (shot["mask"] > 0).sum() > 300
    with pytest.raises(ValueError, match="no mesh"):
        shoot(standing(the_body(), frames=1), camera=other, scene=replace(room(), mesh=None))


def test_a_moving_camera_is_refused():
    moving = replace(camera(), T_world_camera=np.tile(camera().T_world_camera, (3, 1, 1)))
    with pytest.raises(ValueError, match="moves"):
        shoot(standing(the_body(), frames=1), camera=moving)


def test_one_look_a_person():
    person, look = standing(the_body(), frames=1), sample_look(the_body(), rng=np.random.default_rng(0))
    options = {"rng": np.random.default_rng(0), "fps": 10.0}
    with pytest.raises(ValueError, match="2 people but 1 looks"):
        film(performance(person, person), prepare_view(room(), height=48), the_body(), [look], **options)


def test_resampling_to_the_clips_rate_keeps_the_length():
    person = standing(the_body(), frames=11, at=(0.5, 0.3), step=0.02)
    looks = [sample_look(the_body(), rng=np.random.default_rng(0))]
    shot = film(
        performance(person), prepare_view(room(), height=48), the_body(), looks, rng=np.random.default_rng(0), fps=5.0
    )  # fmt: skip
    assert len(shot["frames"]) == len(shot["people"][0]) == 6
    np.testing.assert_allclose(shot["joints"][-1, 0, 2] - shot["joints"][0, 0, 2], 0.2, atol=1e-3)


@pytest.mark.parametrize("kind", ["chair", "bed"])
def test_a_prop_stands_in_the_picture_and_its_top_is_where_it_was_asked_for(kind):
    view = prepare_view(room(), height=96)
    size = {"chair": (0.44, 0.44), "bed": (0.95, 2.0)}[kind]
    prop = {"kind": kind, "center": (0.6, 0.5, -0.2), "yaw": 0.4, "size": size}
    with_prop = add_props(view, [prop], rng=np.random.default_rng(0))
    nearer = (with_prop.depth < view.depth - 0.05) & with_prop.solid
    assert nearer.sum() > 100
    on_top = nearer & (np.abs(with_prop.points[..., 1] - 0.5) < 0.02)
    assert on_top.sum() > 20
    assert with_prop.points[nearer][:, 1].min() > -0.05
    assert not np.array_equal(view.plate, with_prop.plate)


def test_a_lamp_behind_the_body_is_hidden_and_one_beside_it_is_not():
    vertices, _ = ball(radius=0.3, center=(0, 1.2, 0), rings=120, around=120)
    lamp = Light(kind="point", position=np.array([0.0, 2.5, 0.0]), color=np.ones(3), intensity=1.0)
    maps = new_shadow_maps(1, 1)
    draw_shadow_maps(maps, 0, vertices.astype(np.float32), lamps_of((lamp,)))
    points = np.array([[0, 0.0, 0], [1.5, 0, 0], [0, 2.0, 0]], np.float32)
    share = [lamp_share(maps.views[0, 0], maps.count[0, 0], maps.depth[0, 0], *point) for point in points]
    np.testing.assert_allclose(share, [0, 1, 1], atol=0.1)


@pytest.mark.parametrize("kind", ["point", "directional"])
def test_where_no_shadow_is_expected_every_point_sees_the_whole_lamp(kind):
    vertices, _ = ball(radius=0.3, center=(0.2, 1.0, -0.1), rings=120, around=120)
    lamp = Light(kind=kind, position=np.array([0.5, 2.5, 0.3]), color=np.ones(3), intensity=1.0)
    maps = new_shadow_maps(1, 1)
    draw_shadow_maps(maps, 0, vertices.astype(np.float32), lamps_of((lamp,)))
    view, tables = maps.views[0, 0], (maps.count[0, 0], maps.depth[0, 0])
    rng, passed_over, darkest = np.random.default_rng(0), 0, 1.0
    for _ in range(600):
        radius = rng.uniform(0.02, 0.5)
        middle = rng.uniform([-2, -0.5, -2], [2, 3.0, 2])
        way = rng.normal(size=(40, 3))
        points = middle + way / np.linalg.norm(way, axis=1, keepdims=True) * radius * rng.uniform(0, 1, (40, 1)) ** (1 / 3)
        shares = [lamp_share(view, *tables, *point) for point in points.astype(np.float32)]
        darkest = min(darkest, *shares)
        if not may_shade(view, maps.nearest.shape[2], np.append(middle, radius + 1e-4).astype(np.float32)):
            passed_over += 1
            assert min(shares) == 1
    assert passed_over > 200
    assert darkest < 0.1


def test_a_contact_shadow_fades_with_distance_and_never_brightens():
    view = prepare_view(room(), height=96)
    touching = np.array([[0.6, 0.05, 0.3]], np.float32)
    # The object itself is far above the room: only its contact with the floor is left.
    picture = darkened_plate(
        view, touching + np.float32([0, 40, 0]) + np.zeros((9, 3), np.float32), touching, 0.05, strength=1.0
    )
    lost = view.plate.astype(np.float32) - picture
    assert lost.min() > -0.01
    away = np.linalg.norm(view.points - touching, axis=-1)
    on_floor = view.solid & (view.points[..., 1] < 0.02)
    rings = [lost[on_floor & (away >= low) & (away < low + 0.1)].mean() for low in (0.0, 0.1, 0.2, 0.4)]
    assert rings[0] > 5
    assert (np.diff(rings) < 0).all()
    assert lost[away > 0.9].max() < 0.01


def test_a_room_drawn_twice_is_the_same_and_its_shadows_only_darken():
    scene = room()
    plate, depth = render_room(scene.mesh, scene.camera, scene.lights)
    assert plate.tobytes() == scene.plate.tobytes()
    assert depth.tobytes() == scene.depth.tobytes()
    bare, _ = render_room(scene.mesh, scene.camera, scene.lights, shadows=False)
    assert (plate.astype(int) - bare).max() <= 0
    assert (bare.astype(int) - plate).max() > 20


def test_scaled_views_keep_depth_values_and_never_mix_them():
    view = prepare_view(room(), height=40)
    assert set(np.unique(view.depth)) <= set(np.unique(room().depth))
    assert isinstance(view.camera, Camera)


def test_a_view_larger_than_the_plate_keeps_flat_surfaces_flat():
    view = prepare_view(room(), height=240)
    floor = view.solid & (np.abs(view.points[..., 1]) < 0.02) & (view.normals[..., 1] > 0.5)
    assert floor.mean() > 0.1
    assert np.quantile(view.normals[floor][:, 1], 0.05) > 0.98
    assert ground_of(view).even.mean() > 0.6


def test_a_contact_sheet_has_a_row_for_every_clip(tmp_path):
    clips = [(np.zeros((5, 40, 60, 3), np.uint8), "one"), (np.full((9, 30, 30, 3), 90, np.uint8), "two")]
    sheet = contact_sheet(clips, tmp_path / "sheet.png", columns=4, height=50)
    assert (tmp_path / "sheet.png").stat().st_size > 100
    assert sheet.shape[0] == 2 * (50 + 22 + 4)
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
