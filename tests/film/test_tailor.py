"""Laws of cutting: lines become edges of the mesh, nothing tears, no area is lost; thinning keeps the surface."""

from __future__ import annotations

import numpy as np
import pytest

from augment.film.pattern import LEGS, make_pattern, pattern_of
from augment.film.sewing import rows_of, sew
from augment.film.tailor import SNAP, Garment, carve, cut, dot, spread, stripe
from augment.film.thin import thin
from tests.make.rooms import ball, the_body


@pytest.fixture(scope="module")
def sheet():
    return spread(pattern_of(the_body()))


def area(rest, faces):
    a, b, c = (rest[faces[:, k]] for k in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()


def volume(rest, faces):
    a, b, c = (rest[faces[:, k]] for k in range(3))
    return np.einsum("fk,fk->f", a, np.cross(b, c)).sum() / 6


def open_edges(faces):
    """Directed edges that have no opposite."""
    edges = set(zip(faces.ravel().tolist(), np.roll(faces, -1, axis=1).ravel().tolist(), strict=True))
    return [edge for edge in edges if edge[::-1] not in edges]


def a_garment(inside, off=0.01):
    return Garment(
        inside=inside,
        stand_off=lambda points: np.full(len(points.rest), off),
        color=lambda points, ink: np.full((len(points.rest), 3), 100.0 + 50 * ink),
    )


def test_the_pattern_keeps_the_surface_with_half_of_the_vertices():
    body, pattern = the_body(), pattern_of(the_body())
    rest = body.rest_vertices(np.zeros(10))
    assert len(pattern.points.rest) < 0.6 * len(rest)
    assert not open_edges(pattern.faces)
    assert volume(pattern.points.rest, pattern.faces) == pytest.approx(volume(rest, body.faces), rel=0.01)


def test_a_pattern_that_was_kept_is_the_one_that_was_made(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path))
    body, made = the_body(), make_pattern(the_body())
    for damage in (b"", b"", b"no pattern"):
        pattern_of.cache_clear()
        pattern = pattern_of(body)
        np.testing.assert_array_equal(pattern.points.values, made.points.values)
        np.testing.assert_array_equal(pattern.faces, made.faces)
        assert (pattern.mix != made.mix).nnz == 0
        (kept,) = (tmp_path / "patterns").iterdir()
        if damage:
            kept.write_bytes(damage)
    pattern_of.cache_clear()
    np.testing.assert_array_equal(pattern_of(body).points.values, made.points.values)


def test_thinning_keeps_a_ball_closed_and_round():
    vertices, faces = ball(radius=0.3)
    faces = faces[[len(set(map(tuple, np.round(vertices[f], 9)))) == 3 for f in faces]]
    _, same = np.unique(np.round(vertices, 9), axis=0, return_inverse=True)
    first = np.zeros(same.max() + 1, int)
    first[same] = np.arange(len(vertices))
    faces = first[same[faces]]
    everywhere = np.ones(len(vertices))
    lean = thin(vertices, faces, longest=0.06 * everywhere, tolerance=0.002 * everywhere)
    assert len(np.unique(lean)) < 0.5 * len(np.unique(faces))
    assert not open_edges(lean)
    assert volume(vertices, lean) == pytest.approx(volume(vertices, faces), rel=0.03)


def test_thinning_with_no_tolerance_changes_nothing():
    vertices, faces = ball(radius=0.3)
    everywhere = np.ones(len(vertices))
    lean = thin(vertices, faces, longest=0 * everywhere, tolerance=0.001 * everywhere)
    np.testing.assert_array_equal(lean, faces)


@pytest.mark.parametrize("snap", [0.0, SNAP])
@pytest.mark.parametrize("every", [False, True])
def test_no_face_lies_on_both_sides_of_a_line_after_a_cut(sheet, snap, every):
    height = lambda points: points.rest[:, 1] / 0.05  # noqa: E731
    everything = np.ones(len(sheet.faces), bool)
    done, value = cut(sheet, height(sheet.points), everything, every=every, snap=snap)
    if every:
        done, value = cut(done, value, np.ones(len(done.faces), bool), every=True, snap=snap)
    np.testing.assert_allclose(value, height(done.points), atol=1e-9)
    corners = value[done.faces]
    low, high = np.floor(corners.min(1) + 1e-9), np.ceil(corners.max(1) - 1e-9)
    assert ((high - low) <= 1).all() if every else not ((corners.min(1) < -1e-9) & (corners.max(1) > 1e-9)).any()
    assert not open_edges(done.faces)


def test_a_cut_without_moved_vertices_loses_no_area(sheet):
    done, _ = cut(sheet, sheet.points.rest[:, 1] + 0.3, np.ones(len(sheet.faces), bool), snap=0.0)
    assert area(done.points.rest, done.faces) == pytest.approx(area(sheet.points.rest, sheet.faces), rel=1e-9)
    assert volume(done.points.rest, done.faces) == pytest.approx(volume(sheet.points.rest, sheet.faces), rel=1e-9)


def test_every_point_of_a_sheet_is_where_its_row_says(sheet):
    done, _ = cut(sheet, sheet.points.rest[:, 0] - 0.1, np.ones(len(sheet.faces), bool))
    rest = the_body().rest_vertices(np.zeros(10))
    count = len(sheet.points.rest)
    np.testing.assert_allclose(rows_of(done) @ (sheet.pattern.mix[:count] @ rest), done.points.rest, atol=1e-9)
    np.testing.assert_allclose(rows_of(done).sum(axis=1), 1.0, atol=1e-9)


def test_what_is_carved_first_is_not_cut_by_what_lies_under_it(sheet):
    upper = a_garment(lambda points: points.rest[:, 1] + 0.2)
    lower = a_garment(lambda points: 0.1 - points.rest[:, 1])
    once = carve(sheet, upper, 1)
    twice = carve(once, lower, 0)
    assert area(twice.points.rest, twice.faces[twice.worn == 1]) == pytest.approx(
        area(once.points.rest, once.faces[once.worn == 1]), rel=1e-3
    )
    assert (twice.worn >= 0).all()


def test_sewn_garments_stand_off_and_colours_end_at_the_hem(sheet):
    garment = a_garment(lambda points: -0.3 - points.rest[:, 1])
    rows, _, colors, offsets = sew(carve(sheet, garment, 0), [garment], lambda points: np.full((len(points.rest), 3), 200.0))
    assert rows.shape[0] == len(colors) == len(offsets)
    rest = rows @ the_body().rest_vertices(np.zeros(10))
    bare, cloth = colors[:, 0] == 200, colors[:, 0] == 100
    assert (offsets[bare] == 0).all()
    assert np.quantile(offsets[cloth], 0.3) == pytest.approx(0.01)
    assert rest[bare, 1].min() > -0.3 - 1e-6
    assert rest[cloth, 1].max() < -0.3 + 0.02
    # The underside of the hem leads down to the skin.
    rim = ~bare & ~cloth
    assert (np.abs(offsets[rim]) < 0.002).all()
    assert 10 < rim.sum() < 200


def test_stripes_change_ink_at_every_whole_number(sheet):
    garment = a_garment(lambda points: (points.share(LEGS) - 0.5) * 0.1)
    carved = carve(sheet, garment, 0)
    striped = stripe(carved, 0, carved.points.rest[:, 1] / 0.06)
    middle = striped.points.rest[striped.faces].mean(1)[:, 1] / 0.06
    mine = striped.worn == 0
    np.testing.assert_array_equal(striped.ink[mine], np.floor(middle[mine]).astype(int) % 2)
    assert (striped.ink[~mine] == 0).all()
    np.testing.assert_array_equal(np.unique(striped.worn), [-1, 0])


def test_dots_are_small_and_apart(sheet):
    garment = a_garment(lambda points: (points.share(LEGS) - 0.5) * 0.1)
    dotted = dot(carve(sheet, garment, 0), 0, 0.008, 0.07, rng=np.random.default_rng(0))
    inked = dotted.faces[dotted.ink == 1]
    share = area(dotted.points.rest, inked) / area(dotted.points.rest, dotted.faces[dotted.worn == 0])
    assert 0.005 < share < 0.06
    assert not open_edges(dotted.faces)
