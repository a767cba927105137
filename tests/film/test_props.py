"""Laws of props in a film: they are where hands hold them, on the floor, and hide what is behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.film.appearance import sample_look
from augment.film.film import film
from augment.film.props import CARRIED, add_props, furnish_depth, moving_props, prop_mesh
from augment.film.style import Style
from augment.film.view import prepare_view
from augment.geometry import axis_rotation, invert_transform, project, transform_points
from augment.motion.carrying import PROPS, carrier_of, grip_points, prop_track
from augment.motion.holding import take_up
from augment.motion.library.scripted.act import make_action
from augment.types import Performance
from tests.make.rooms import room, the_body


def with_prop(kind: str, seed: int = 1) -> Performance:
    walk = make_action("walk", rng=np.random.default_rng(seed), body=the_body(), fps=10)
    motion, entry = take_up(walk, kind, the_body(), rng=np.random.default_rng(seed))
    return Performance(people=(motion,), action="walk", caption="", segments=walk.segments, provenance={"props": [entry]})


def test_every_prop_that_is_held_has_a_mesh():
    assert set(CARRIED) == {kind for kind in PROPS if PROPS[kind].hands}


@pytest.mark.parametrize("kind", list(CARRIED))
def test_a_moving_props_mesh_is_rigid_and_where_the_hands_are(kind):
    shown = with_prop(kind)
    ((vertices, faces, colors),) = moving_props(shown, the_body(), rng=np.random.default_rng(0))
    assert vertices.dtype == np.float32
    assert len(vertices) == len(shown.people[0])
    assert vertices.shape[1] == len(colors)
    assert faces.max() < len(colors)
    ends = vertices[:, [0, vertices.shape[1] // 2, -1]]
    sides = np.linalg.norm(ends - np.roll(ends, 1, axis=1), axis=-1)
    np.testing.assert_allclose(sides, np.broadcast_to(sides[0], sides.shape), atol=1e-4)
    (entry,) = shown.provenance["props"]
    track = prop_track(entry, carrier_of(shown.people[0], the_body()))
    for side in ("left", "right") if PROPS[kind].hands == 2 else (entry["side"],):
        grips = grip_points(entry, track, side)
        away = np.linalg.norm(vertices - grips[:, None], axis=-1).min(1)
        assert away.max() < 0.06


@pytest.mark.parametrize("kind", ["walker", "stick"])
def test_what_is_pushed_or_leant_on_reaches_the_floor_and_not_below(kind):
    ((vertices, _, _),) = moving_props(with_prop(kind), the_body(), rng=np.random.default_rng(0))
    lowest = vertices[..., 1].min(1)
    assert lowest.min() > -0.02
    assert np.median(np.abs(lowest)) < 0.015


def test_a_seed_gives_the_same_props_and_moving_ones_are_not_in_the_plate():
    shown = with_prop("walker")
    a, b = (moving_props(shown, the_body(), rng=np.random.default_rng(seed))[0] for seed in (4, 4))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    view = prepare_view(room(), height=96)
    assert add_props(view, shown.provenance["props"], rng=np.random.default_rng(0)) is view
    still = replace(shown, provenance={"props": [{"kind": "chair", "center": (0, 0.4, 0), "yaw": 0.0, "size": (0.4, 0.4)}]})
    assert moving_props(still, the_body(), rng=np.random.default_rng(0)) == []


def test_furniture_is_in_the_depth_alone_as_it_is_in_the_picture():
    view = prepare_view(room(), height=96)
    props = [
        {"kind": "chair", "center": (0.6, 0.44, -0.4), "yaw": 0.4, "size": (0.44, 0.44)},
        {"kind": "bed", "center": (-0.6, 0.5, -0.9), "yaw": -0.3, "size": (0.95, 2.0)},
    ]
    depth = furnish_depth(view, props)
    np.testing.assert_array_equal(depth, add_props(view, props, rng=np.random.default_rng(5)).depth)
    assert (depth != view.depth).mean() > 0.05


def test_a_wheelchair_has_its_seat_where_it_was_asked_for():
    mesh = prop_mesh("wheelchair", np.array([0.4, 0.46, -0.3]), 0.7, (0.68, 0.95), rng=np.random.default_rng(0))
    local = (mesh.vertices - [0.4, 0.46, -0.3]) @ axis_rotation("y", 0.7)
    seat = (np.abs(local[:, [0, 2]]) < 0.23).all(1) & (np.abs(local[:, 1]) < 0.002)
    assert seat.sum() >= 4
    assert np.ptp(local[seat], axis=0)[0] > 0.4
    assert mesh.vertices[:, 1].min() == pytest.approx(0.0, abs=0.03)
    with pytest.raises(ValueError, match="expected one of: chair, wheelchair, bed"):
        prop_mesh("throne", np.zeros(3), 0.0, (1.0, 1.0), rng=np.random.default_rng(0))


def test_a_carried_prop_is_filmed_hides_its_person_and_is_not_in_the_mask():
    shown, empty_handed = with_prop("tray"), replace(with_prop("tray"), provenance={})
    view = prepare_view(room(), height=128)
    looks = [sample_look(the_body(), rng=np.random.default_rng(0), outfit="scrubs")]
    options = {"fps": shown.people[0].fps, "style": Style(blur=0.0, noise=0.0), "layers": ("rgb", "mask", "depth", "flow")}
    shots = [film(p, view, the_body(), looks, rng=np.random.default_rng(1), **options) for p in (shown, empty_handed)]
    ((vertices, _, _),) = moving_props(shown, the_body(), rng=np.random.default_rng(0))
    changed = np.abs(shots[0]["frames"].astype(int) - shots[1]["frames"]).max(-1) > 20
    assert set(np.unique(shots[0]["mask"])) == {0, 1}
    for frame in (0, len(vertices) // 2):
        local = transform_points(invert_transform(view.camera.T_world_camera), vertices[frame].astype(float))
        uv = project(local, view.camera.K)
        low, high = uv.min(0) - 8, uv.max(0) + 8
        nearer = shots[0]["depth"][frame] < shots[1]["depth"][frame] - 0.02
        rows, columns = np.nonzero(nearer)
        assert len(rows) > 4
        assert ((columns > low[0]) & (columns < high[0]) & (rows > low[1]) & (rows < high[1])).all()
        assert (shots[0]["mask"][frame][nearer] == 0).all()
        assert (nearer & changed[frame]).sum() > 4
