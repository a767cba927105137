"""What a camera does to finished frames: exposure that drifts and flickers, vignette, bloom, noise, and poor compression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ..raster.shading import linear_to_srgb, srgb_to_linear
from ..shards.video_codec import decode_video, encode_video

QUALITIES = {"jpeg": (18, 55), "h264": (30, 42)}
"""Compression in the camera, before the clip's own, to the range its quality is drawn from: JPEG quality, H.264 crf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A camera's effects on finished frames; drawn once per clip. The defaults change nothing."""

    grey: bool = False
    drift: float = 0.0
    """Slow changes of exposure, standard deviation as a share."""
    drift_seconds: float = 4.0
    """Time over which they come and go."""
    flicker: float = 0.0
    """Amplitude of a lamp's flicker, as a share of the light."""
    flicker_hz: float = 0.0
    """Its rate as the frames show it (aliased), 1/s."""
    vignette: float = 0.0
    """Share of light missing in the corners."""
    bloom: float = 0.0
    """Share of the light above ``white`` that spreads around."""
    white: float = 0.6
    """Linear brightness above which bloom starts."""
    noise: float = 0.0
    """Standard deviation in 8-bit steps at middle grey, more in the dark."""
    compression: str = "none"
    """``none``, or a key of ``QUALITIES``."""
    quality: int = 0
    """JPEG quality (0..100) or H.264 crf (0..51)."""


def sample_sensor(look: str = "day", exposure: str = "fixed", compression: str = "none", *, rng: np.random.Generator) -> Sensor:
    """Draw a camera; only what is asked for is drawn.

    Args:
        look: ``day`` or ``night``.
        exposure: ``fixed``, or ``auto``: it drifts, and lamps flicker.
        compression: ``none``, or a key of ``QUALITIES``.
    """
    sensor = Sensor()
    if look == "night":
        vignette, bloom, noise = rng.uniform([0.25, 0.15, 2.0], [0.6, 0.5, 6.0]).tolist()
        sensor = replace(sensor, grey=True, vignette=vignette, bloom=bloom, noise=noise)
    if exposure == "auto":
        drift, seconds, flicker, rate = rng.uniform([0.03, 1.0, 0.0, 0.5], [0.12, 6.0, 0.03, 5.0]).tolist()
        sensor = replace(sensor, drift=drift, drift_seconds=seconds, flicker=flicker, flicker_hz=rate)
    if compression in QUALITIES:
        sensor = replace(sensor, compression=compression, quality=int(rng.integers(*QUALITIES[compression])))
    return sensor


def apply_sensor(
    frames: UInt8[np.ndarray, "t h w 3"], sensor: Sensor, fps: float, *, rng: np.random.Generator
) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames as the camera would store them, RGB.

    Args:
        frames: RGB; not changed.
        fps: Frames a second.
        rng: For the course of the exposure, and the noise.
    """
    if sensor == Sensor():
        return frames
    gains, (height, width) = exposures(len(frames), sensor, fps, rng=rng), frames.shape[1:3]
    shade = _vignette(height, width, sensor.vignette)
    noise = _NoiseField((height, width), sensor, rng=rng) if sensor.noise > 0 else None
    result = np.empty_like(frames)
    for number, frame in enumerate(frames):
        picture = _develop(frame, sensor, shade * np.float32(gains[number])) if _changes_light(sensor) else frame
        if noise is not None:
            picture = noise.add(picture)
        result[number] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return _compress(result, sensor, fps)


def exposures(count: int, sensor: Sensor, fps: float, *, rng: np.random.Generator) -> Float[np.ndarray, "t"]:
    """Factor on each frame's light: a slow random drift and a steady flicker, 1 on average."""
    seconds = np.arange(count) / fps
    knots = rng.standard_normal(int(np.ceil(seconds[-1] / sensor.drift_seconds)) + 3)
    at = seconds / sensor.drift_seconds + rng.random()
    low, share = at.astype(int), 0.5 - 0.5 * np.cos(np.pi * (at % 1))
    drift = knots[low] * (1 - share) + knots[low + 1] * share
    wave = np.sin(2 * np.pi * (sensor.flicker_hz * seconds + rng.random()))
    return np.exp(sensor.drift * drift) * (1 + sensor.flicker * wave)


_LINEAR = srgb_to_linear(np.arange(256) / np.float32(255))
"""Linear light of every 8-bit value."""


def _changes_light(sensor: Sensor) -> bool:
    return sensor.grey or any(value > 0 for value in (sensor.drift, sensor.flicker, sensor.vignette, sensor.bloom))


def _vignette(height: int, width: int, strength: float) -> np.ndarray:
    v, u = np.mgrid[:height, :width] + 0.5
    square = ((u / width - 0.5) ** 2 + (v / height - 0.5) ** 2) / 0.5
    return (1 - strength * square).astype(np.float32)[..., None]


def _develop(frame: np.ndarray, sensor: Sensor, light: np.ndarray) -> np.ndarray:
    """A frame with other light, before noise; 0..255; one channel of a grey camera."""
    linear = _LINEAR[frame]
    if sensor.grey:
        linear = linear @ np.array([[0.2126], [0.7152], [0.0722]], np.float32)
    linear = linear * light
    if sensor.bloom > 0:
        over = np.maximum(linear - sensor.white, 0)
        height = frame.shape[0]
        glow = 0.6 * cv2.GaussianBlur(over, (0, 0), height / 90) + 0.4 * cv2.GaussianBlur(over, (0, 0), height / 22)
        linear = linear + sensor.bloom * 2 * glow.reshape(linear.shape)
    return linear_to_srgb(linear) * 255


class _NoiseField:
    """Noise of each frame, cut at drawn places from one larger field; coarser than a pixel, as a camera smooths it."""

    def __init__(self, shape: tuple[int, int], sensor: Sensor, *, rng: np.random.Generator) -> None:
        self.shape, self.rng = shape, rng
        field = rng.standard_normal((shape[0] + 61, shape[1] + 61, 1 if sensor.grey else 3), dtype=np.float32)
        soft = cv2.GaussianBlur(field, (0, 0), 0.6 * max(1.0, shape[0] / 224))
        self.field = (soft.reshape(field.shape) / soft.std() * sensor.noise).astype(np.float32)

    def add(self, picture: np.ndarray) -> np.ndarray:
        row, column = self.rng.integers(62, size=2)
        cut = self.field[row : row + self.shape[0], column : column + self.shape[1]]
        return picture + cut * (1.4 - 0.8 * np.asarray(picture, np.float32) / 255)


def _compress(frames: np.ndarray, sensor: Sensor, fps: float) -> np.ndarray:
    if sensor.compression == "jpeg":
        return np.stack([_jpeg(frame, sensor.quality) for frame in frames])
    if sensor.compression == "h264":
        # Its sides must be even; the last row and column are doubled for it and cut off again.
        height, width = frames.shape[1:3]
        even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        decoded, _ = decode_video(encode_video(even, fps=fps, crf=sensor.quality))
        return np.ascontiguousarray(decoded[:, :height, :width])
    return frames


def _jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    encoded, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert encoded
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1]
