from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.geometry import floor_points, pixel_grid
from augment.reconstruct.depth import scale as scale_module
from augment.reconstruct.depth.from_rgbd import scene_from_rgbd
from augment.reconstruct.depth.scale import fit_disparity
from augment.scene.rooms.care_room import make_room
from tests.make.depth_scenes import ArrayMaps, film, places_in, scrambled
from tests.make.realdata import require

SCALE, OFFSET = 2.3, 0.11


@pytest.fixture(scope="module")
def room():
    return make_room(seed=0, height=150)


@pytest.fixture(scope="module")
def filmed(room, body):
    rng = np.random.default_rng(3)
    return film(room, body, places_in(room, room.camera, 30, rng), rng=rng)


@pytest.fixture(scope="module")
def exact(room, body):
    rng = np.random.default_rng(4)
    feet = places_in(room, room.camera, 6, rng)
    return film(room, body, feet, rng=rng, body_error=0, bias=0, thicker=0, aside=0)


def maps_of(values, **how) -> ArrayMaps:
    return ArrayMaps(values, np.arange(len(values)), **how)


def fit(maps, bodies, **how):
    return fit_disparity(maps, bodies, rng=np.random.default_rng(0), **how)


def error(result, room, scale=SCALE, offset=OFFSET) -> float:
    """Median relative error of the empty room's depth."""
    z = result.depth((1 / room.astype(float) - offset) / scale)
    return float(np.median(np.abs(z / room - 1)))


def test_known_answer_for_disparity_depth_and_metric_depth(exact):
    noiseless = scrambled(exact.depth, scale=SCALE, offset=OFFSET, rng=np.random.default_rng(0), noise=0)
    cases = {
        (SCALE, OFFSET): maps_of(noiseless),
        (0.5, -0.25): maps_of((exact.depth + 0.25) / 0.5, kind="depth"),
        (1.25, 0.0): maps_of(exact.depth / 1.25, kind="depth", metric=True),
    }
    for (scale, offset), maps in cases.items():
        result = fit(maps, exact.bodies)
        assert result.scale == pytest.approx(scale, rel=2e-3)
        assert result.offset == pytest.approx(offset, abs=2e-3)
        assert (result.frames_agreed, result.frames, result.inlier_ratio) == (6, 6, pytest.approx(1))
        np.testing.assert_allclose(result.depth(maps.values[0], 0), exact.depth[0], rtol=5e-3)


@pytest.mark.parametrize("outliers", [0.0, 0.3])
def test_room_is_within_two_per_cent_despite_bodies_and_maps_that_err(filmed, outliers):
    maps = maps_of(scrambled(filmed.depth, scale=SCALE, offset=OFFSET, rng=np.random.default_rng(1), outliers=outliers))
    result = fit(maps, filmed.bodies)
    assert error(result, filmed.room) < 0.02
    assert result.frames_agreed >= 0.8 * result.frames
    assert 0.6 < result.inlier_ratio <= 1
    assert result.residual < 0.06


def test_units_of_the_map_do_not_matter(filmed):
    values = scrambled(filmed.depth, scale=SCALE, offset=OFFSET, rng=np.random.default_rng(1))
    one, other = fit(maps_of(values), filmed.bodies), fit(maps_of(1000 * values + 77), filmed.bodies)
    np.testing.assert_allclose(one.depth(values[0]), other.depth(1000 * values[0].astype(float) + 77), rtol=2e-3)


def test_floor_of_the_calibrated_camera_steadies_the_fit(filmed):
    values = scrambled(filmed.depth, scale=SCALE, offset=OFFSET, rng=np.random.default_rng(1), outliers=0.3)
    spots = floor_points(pixel_grid(*filmed.room.shape).reshape(-1, 2), filmed.camera)
    near = np.linalg.norm(spots[:, None] - filmed.feet[None], axis=2).min(axis=1) < 0.3
    floor = np.where(near.reshape(filmed.room.shape), filmed.room, 0).astype(np.float32)
    few = filmed.bodies[:4]
    alone, steadied = fit(maps_of(values), few), fit(maps_of(values), few, floor=floor)
    assert steadied.scale_std < alone.scale_std
    assert error(steadied, filmed.room) < 0.02


def test_every_frame_its_own_affine_map_is_tied_by_the_background(filmed):
    rng = np.random.default_rng(5)
    values = scrambled(filmed.depth, scale=SCALE, offset=OFFSET, rng=rng, noise=0.005)
    factor, summand = rng.uniform(0.6, 1.6, len(values)), rng.uniform(-0.2, 0.2, len(values))
    values = (values * factor[:, None, None] + summand[:, None, None]).astype(np.float32)
    values[7] = rng.random(values[7].shape)
    maps = maps_of(values, per_frame_affine=True)
    result = fit(maps, filmed.bodies)
    off = [np.median(np.abs(result.depth(v, i) / d - 1)) for i, (v, d) in enumerate(zip(values, filmed.depth, strict=True))]
    assert np.delete(off, 7).max() < 0.03
    assert not result.agreed[7]
    assert result.left_out == {"not to be aligned with the other frames": 1}


def test_a_frame_that_disagrees_is_left_out_and_counted(filmed):
    values = scrambled(filmed.depth, scale=SCALE, offset=OFFSET, rng=np.random.default_rng(1))
    bodies = [(t, z * (1.5 if t in (2, 9) else 1)) for t, z in filmed.bodies]
    result = fit(maps_of(values), [*bodies, (999, bodies[0][1])])
    assert not result.agreed[[2, 9]].any()
    assert result.left_out["its bodies disagree with the rest"] >= 2
    assert result.left_out["no depth map of it"] == 1
    assert error(result, filmed.room) < 0.025


def test_the_wrong_kind_no_overlap_and_another_videos_map_are_refused(exact, filmed, monkeypatch):
    rng = np.random.default_rng(0)
    disparity = scrambled(exact.depth, scale=SCALE, offset=OFFSET, rng=rng, noise=0)
    with pytest.raises(ValueError, match="looks like depth given as disparity"):
        fit(maps_of(exact.depth), exact.bodies)
    with pytest.raises(ValueError, match="looks like disparity given as depth"):
        fit(maps_of(disparity, kind="depth"), exact.bodies)
    with pytest.raises(ValueError, match="meet in only 0 patches"):
        fit(maps_of(disparity), [(t, np.zeros_like(z)) for t, z in exact.bodies])
    with pytest.raises(ValueError, match="meet in only 0 patches"):
        fit(replace(maps_of(disparity), valid=np.zeros(disparity.shape, bool)), exact.bodies)
    with pytest.raises(ValueError, match=r"no consensus|one distance"):
        fit(maps_of(rng.random(filmed.depth.shape).astype(np.float32)), filmed.bodies)
    with pytest.raises(ValueError, match="z-buffer is 10x10"):
        fit(maps_of(disparity), [(0, np.ones((10, 10), np.float32))])
    with pytest.raises(ValueError, match="unknown kind"):
        fit(maps_of(disparity, kind="inverse"), exact.bodies)
    monkeypatch.setattr(scale_module, "LEAST_INLIERS", 1.01)
    with pytest.raises(ValueError, match="no consensus"):
        fit(maps_of(disparity), exact.bodies)


def test_bodies_at_one_distance_cannot_tell_scale_from_offset(filmed):
    level = [(t, np.where(z > 0, 3.0 + 0.1 * t, 0).astype(np.float32)) for t, z in filmed.bodies[:3]]
    flat = np.full(filmed.depth[:3].shape, 0.3, np.float32) + 1e-3 * np.random.default_rng(0).normal(size=(3, 1, 1))
    with pytest.raises(ValueError, match=r"one distance|no consensus"):
        fit(maps_of(flat.astype(np.float32)), level)


def test_real_depth_scrambled_is_recovered_from_bodies_stood_into_it(body):
    root = require("rgbd/open3d")
    scene = scene_from_rgbd(
        root / "color/00000.jpg", root / "depth/00000.png", root / "camera_primesense.json", stride=8
    )  # fmt: skip
    small = scene.camera.scaled_to(240)
    scene = replace(scene, camera=small, depth=scene.depth[1::2, 1::2].copy(), plate=scene.plate[1::2, 1::2].copy())
    rng = np.random.default_rng(0)
    spots = scene.floor.mean(axis=0) + rng.uniform([-0.7, -0.6], [0.7, 1.2], size=(24, 2))
    shot = film(scene, body, spots, rng=rng)
    values = scrambled(shot.depth, scale=0.7, offset=-0.05, rng=rng, outliers=0.2)
    maps = maps_of(np.nan_to_num(values), valid=np.isfinite(values))
    result = fit(maps, shot.bodies)
    known = scene.depth > 0
    z = result.depth((1 / scene.depth[known].astype(float) + 0.05) / 0.7)
    assert np.median(np.abs(z / scene.depth[known] - 1)) < 0.02
