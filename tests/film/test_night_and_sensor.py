"""Laws of the infrared look and of a camera's effects on finished frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.film.night import MIDDLE, infrared_colors, night_view
from augment.film.sensor import QUALITIES, Sensor, apply_sensor, exposures, sample_sensor
from augment.film.view import prepare_view
from augment.raster.shading import srgb_to_linear
from tests.make.rooms import room


def pictures(count: int = 6, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = rng.integers(30, 220, (1, height // 8, width // 8, 3))
    return np.repeat(np.kron(smooth, np.ones((1, 8, 8, 1))), count, axis=0).astype(np.uint8)


def applied(sensor: Sensor, frames: np.ndarray, seed: int = 0, fps: float = 10.0) -> np.ndarray:
    return apply_sensor(frames, sensor, fps, rng=np.random.default_rng(seed))


def test_at_night_there_is_no_colour_and_the_floor_is_darker_with_distance():
    day = prepare_view(room(), height=96)
    night = night_view(day)
    assert night.grey
    assert (night.plate == night.plate[..., :1]).all()
    eye = night.camera.T_world_camera[:3, 3]
    assert np.allclose(night.lights[0].position, eye)
    floor = night.solid & (night.normals[..., 1] > 0.9) & (np.abs(night.points[..., 1]) < 0.02)
    away = np.linalg.norm(night.points - eye, axis=-1)
    linear = srgb_to_linear(night.plate[..., 0] / 255)
    near, far = np.quantile(away[floor], [0.2, 0.8])
    assert linear[floor & (away < near)].mean() > 1.3 * linear[floor & (away > far)].mean()
    assert np.median(linear[floor]) == pytest.approx(MIDDLE, rel=0.1)


def test_infrared_keeps_the_order_of_greys_and_lifts_dark_cloth():
    ramp = np.repeat(np.arange(0, 256, 15, dtype=np.uint8)[:, None], 3, axis=1)
    seen = infrared_colors(ramp)
    assert (np.diff(seen[:, 0].astype(int)) > 0).all()
    assert (seen == seen[:, :1]).all()
    assert seen[1, 0] > 55 > ramp[1, 0]


def test_the_light_on_a_body_is_that_of_the_plate():
    """Gain, ambient and lamp give a surface the brightness that the plate shows for it."""
    night = night_view(prepare_view(room(), height=96))
    lit = (night.ambient + night.direct[0]) * night.gain[0]
    linear = srgb_to_linear(night.plate[..., 0] / 255)
    floor = night.solid & (night.normals[..., 1] > 0.9) & (np.abs(night.points[..., 1]) < 0.02)
    surface = (linear / lit)[floor]
    assert np.quantile(surface, 0.9) < 1.4 * np.quantile(surface, 0.1)


def test_a_sensor_without_effects_gives_the_frames_back():
    frames = pictures()
    assert applied(Sensor(), frames) is frames
    assert sample_sensor(rng=np.random.default_rng(0)) == Sensor()


def test_the_same_seed_gives_the_same_bytes_and_frames_are_not_changed():
    frames = pictures()
    kept = frames.copy()
    for compression in ("none", *QUALITIES):
        sensor = sample_sensor("night", "auto", compression, rng=np.random.default_rng(1))
        assert sensor == sample_sensor("night", "auto", compression, rng=np.random.default_rng(1))
        first, again = applied(sensor, frames), applied(sensor, frames)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, applied(sensor, frames, seed=1))
        assert first.shape == frames.shape
        assert first.dtype == np.uint8
    assert np.array_equal(frames, kept)


def test_exposure_drifts_slowly_and_flickers_around_one():
    sensor = Sensor(drift=0.1, drift_seconds=4.0, flicker=0.0)
    course = exposures(400, sensor, 10.0, rng=np.random.default_rng(0))
    assert np.abs(np.diff(course)).max() < 0.05 < np.ptp(course)
    assert course.mean() == pytest.approx(1, abs=0.1)
    flicker = exposures(400, Sensor(flicker=0.03, flicker_hz=2.0), 10.0, rng=np.random.default_rng(0))
    assert np.ptp(flicker) == pytest.approx(0.06, rel=0.1)


def test_vignette_darkens_corners_bloom_spreads_light_noise_varies():
    frames = np.full((2, 48, 64, 3), 120, np.uint8)
    dark = applied(Sensor(vignette=0.5), frames)
    assert dark[0, 0, 0, 0] < 0.8 * dark[0, 24, 32, 0]
    assert abs(int(dark[0, 24, 32, 0]) - 120) <= 1
    frames[:, 20:28, 28:36] = 250
    glow = applied(Sensor(bloom=0.5), frames)
    assert glow[0, 18, 32, 0] > 121
    assert glow[0, 2, 2, 0] <= 121
    noisy = applied(Sensor(noise=5.0), np.full((2, 48, 64, 3), 120, np.uint8)).astype(float)
    assert 3 < noisy.std() < 7
    assert (noisy[0] != noisy[1]).mean() > 0.5


@pytest.mark.parametrize(("kind", "good", "poor"), [("jpeg", 90, 20), ("h264", 10, 44)])
def test_poorer_compression_is_farther_from_the_picture(kind: str, good: int, poor: int):
    frames = applied(Sensor(noise=6.0), pictures(height=49, width=63))  # odd sides survive
    fine, coarse = (applied(Sensor(compression=kind, quality=quality), frames) for quality in (good, poor))
    off = [np.abs(result.astype(int) - frames).mean() for result in (fine, coarse)]
    assert off[0] < 0.7 * off[1]


def test_a_grey_sensor_shows_no_colour():
    grey = applied(Sensor(grey=True), pictures())
    assert (grey == grey[..., :1]).all()


def test_night_noise_is_stronger_in_the_dark():
    frames = np.full((4, 48, 64, 3), 20, np.uint8)
    bright = replace(Sensor(noise=4.0), grey=True)
    assert applied(bright, frames + 10).astype(float).std() > applied(bright, frames + 200).astype(float).std()
