"""A lens in front of a filmed clip: layers made by a wider pinhole camera are bent to what the lens shows, all by one map.

The stage needs nothing of what drew the layers, and straight edges of walls and limbs bend as they should.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from ..geometry import pixel_grid
from ..lens import check_lens, distort, undistort
from ..types import Camera, Lens
from .view import View

STEEPEST = np.radians(74.0)
"""Angle from the axis beyond which a lens shows black, as at the rim of a fisheye's circle."""
MOST_PIXELS = 5.0
"""Pixels of the pinhole picture for each of the clip's: a wider one is made coarser."""
_FINE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LensMap:
    """Where each pixel of a clip is found in the pinhole picture it is made from."""

    camera: Camera
    """The clip's, with its lens."""
    wide: Camera
    """A pinhole in the same place."""
    uv: Float32[np.ndarray, "h w 2"]
    """Pixel (u, v) of the pinhole picture for each pixel centre of the clip."""
    fine: Float32[np.ndarray, "H W 2"]
    """Likewise for ``_FINE`` times as many pixels along each axis."""
    inside: Bool[np.ndarray, "h w"]
    """False where the lens shows nothing."""


def wide_lens(*, rng: np.random.Generator) -> Lens:
    """A wide-angle lens: barrel distortion, slightly off its axis."""
    k1, k2 = rng.uniform(-0.3, -0.18), rng.uniform(0.05, 0.1)
    p1, p2 = rng.normal(0, 0.0008, 2)
    return Lens(kind="brown", coefficients=(float(k1), float(k2), float(p1), float(p2), 0.0))


def fisheye_lens(*, rng: np.random.Generator) -> Lens:
    """A fisheye near the equidistant one."""
    k1, k2 = rng.uniform(-0.04, 0.03), rng.uniform(-0.008, 0.006)
    return Lens(kind="fisheye", coefficients=(float(k1), float(k2), 0.0, 0.0))


LENSES: dict[str, Callable[..., Lens] | None] = {"none": None, "wide": wide_lens, "fisheye": fisheye_lens}
"""A recipe's ``lens`` to the function that draws one."""
FISHEYE_FOV = (115.0, 140.0)
"""Horizontal field of view of a drawn fisheye, degrees."""


def add_lens(camera: Camera, kind: str, *, rng: np.random.Generator) -> Camera:
    """The camera with a drawn lens; a fisheye also gets its field of view.

    Args:
        kind: A key of ``LENSES``.
    """
    draw = LENSES[kind]
    if draw is None:
        return camera
    lens, K = draw(rng=rng), camera.K.copy()
    if lens.kind == "fisheye":
        half = np.radians(rng.uniform(*FISHEYE_FOV)) / 2
        K[0, 0] = K[1, 1] = camera.width / 2 / distort(np.array([np.tan(half), 0.0]), lens)[0]
    return replace(camera, K=K, lens=lens)


def given_lens(camera: Camera, kind: str, coefficients: tuple[float, ...]) -> Camera:
    """The camera with a lens of the user's own: ``wide`` by Brown's five coefficients, ``fisheye`` by its four.

    Raises:
        ValueError: If their number does not fit.
    """
    lens = Lens(kind="fisheye" if kind == "fisheye" else "brown", coefficients=tuple(coefficients))
    check_lens(lens)
    return replace(camera, lens=lens)


def fit_into(camera: Camera, picture: Camera) -> Camera:
    """A camera with a lens, zoomed until everything that it shows lies in a pinhole picture taken from the same place."""
    K, (low, high) = picture.K, (0.05, 20.0)
    for _ in range(40):
        zoom = np.sqrt(low * high)
        seen = _directions(_zoomed(camera, zoom), _border(camera)) * [K[0, 0], K[1, 1]] + K[:2, 2]
        fits = bool((seen >= 0).all() and (seen <= [picture.width, picture.height]).all())
        low, high = (low, zoom) if fits else (zoom, high)
    return _zoomed(camera, high)


def make_lens_map(camera: Camera, wide: Camera | None = None) -> LensMap:
    """The way from a pinhole picture to a lens's.

    Args:
        camera: With a lens, at the clip's size.
        wide: Pinhole in the same place; made just large enough if None.
    Raises:
        ValueError: If the lens is unknown, or has a wrong number of coefficients.
    """
    assert camera.lens is not None
    check_lens(camera.lens)
    wide = wide or wide_camera(camera)
    fine = camera.scaled_to(camera.height * _FINE, camera.width * _FINE)
    uv, inside = _pixels(camera, wide)
    return LensMap(camera=camera, wide=wide, uv=uv, fine=_pixels(fine, wide)[0], inside=inside)


def wide_camera(camera: Camera) -> Camera:
    """The pinhole camera, in the same place, whose picture holds all that a camera with a lens shows."""
    seen = _directions(camera, _border(camera))
    low, high = seen.min(0), seen.max(0)
    extent, focal = high - low, np.array([camera.K[0, 0], camera.K[1, 1]])
    focal = focal * min(1.0, np.sqrt(MOST_PIXELS * camera.width * camera.height / (extent * focal).prod()))
    width, height = np.ceil(extent * focal).astype(int) + 2
    K = np.array([[focal[0], 0, 1 - low[0] * focal[0]], [0, focal[1], 1 - low[1] * focal[1]], [0, 0, 1.0]])
    return replace(camera, K=K, width=int(width), height=int(height), lens=None)


def distort_view(view: View, bend: LensMap) -> View:
    """A view made by ``bend.wide``, as the lens shows it; its arrays keep their world positions and normals."""
    near = {name: _nearest(getattr(view, name), bend) for name in ("depth", "points", "normals", "ambient")}
    plate = _smooth(view.plate, bend)
    falls = np.stack([_nearest(lamp, bend) for lamp in view.direct]) if len(view.direct) else np.zeros((0, *bend.inside.shape))
    solid = _nearest(view.solid.astype(np.uint8), bend).astype(bool)
    return replace(view, camera=bend.camera, plate=plate, solid=solid, direct=falls.astype(np.float32), **near)


def bend_layers(layers: Mapping[str, Any], bend: LensMap) -> dict[str, Any]:
    """What ``film`` gives for ``bend.wide``, as the lens shows it.

    Pictures are resampled smoothly, labels and measures at the nearest pixel; points in the picture and flow are moved, and
    points that fall out of it get confidence 0. Depth stays z-depth.
    """
    result = dict(layers)
    for name, value in layers.items():
        if name == "frames":
            result[name] = np.stack([_smooth(frame, bend) for frame in value])
        elif name in ("mask", "depth", "parts", "normals"):
            result[name] = np.stack([_nearest(frame, bend) for frame in value])
        elif name == "flow":
            result[name] = np.stack([_bend_flow(flow, bend) for flow in value])
        elif name == "joints2d" or name.startswith("keypoints_"):
            result[name] = _bend_keypoints(value, bend)
    return result | {"camera": bend.camera}


def _zoomed(camera: Camera, zoom: float) -> Camera:
    K = camera.K.copy()
    K[:2, :2] *= zoom
    return replace(camera, K=K)


def _border(camera: Camera, count: int = 60) -> Float[np.ndarray, "n 2"]:
    """Pixels around the picture."""
    t, (w, h) = np.linspace(0, 1, count)[:, None], (camera.width, camera.height)
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h], [0, 0]], float)
    return np.concatenate([a + t * (b - a) for a, b in pairwise(corners)])


def _directions(camera: Camera, pixels: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
    """x / z and y / z of what a camera shows at pixels, not steeper than ``STEEPEST``."""
    assert camera.lens is not None
    K = camera.K
    points = undistort((pixels - K[:2, 2]) / [K[0, 0], K[1, 1]], camera.lens)
    radius = np.linalg.norm(points, axis=-1, keepdims=True)
    return points * np.minimum(1.0, np.tan(STEEPEST) / np.maximum(radius, 1e-9))


def _pixels(camera: Camera, wide: Camera) -> tuple[Float32[np.ndarray, "h w 2"], Bool[np.ndarray, "h w"]]:
    """Where each pixel centre lies in the pinhole picture, and whether it is in it."""
    directions = _directions(camera, pixel_grid(camera.height, camera.width))
    uv = directions * [wide.K[0, 0], wide.K[1, 1]] + wide.K[:2, 2]
    inside = np.linalg.norm(directions, axis=-1) < np.tan(STEEPEST) * 0.999
    inside &= (uv > -0.5).all(-1) & (uv < [wide.width + 0.5, wide.height + 0.5]).all(-1)
    return uv.astype(np.float32), inside


def _nearest(picture: np.ndarray, bend: LensMap) -> np.ndarray:
    """A picture at the nearest pixel; 0 where the lens shows nothing."""
    column, row = np.moveaxis(np.clip(bend.uv, 0, [bend.wide.width - 1, bend.wide.height - 1]).astype(int), -1, 0)
    found = picture[row, column]
    found[~bend.inside] = 0
    return found


def _smooth(picture: np.ndarray, bend: LensMap) -> np.ndarray:
    """A picture resampled between pixels, black where the lens shows nothing; the rim, where it shrinks, is averaged."""
    fine = cv2.remap(
        picture, bend.fine[..., 0] - 0.5, bend.fine[..., 1] - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    found = np.array(cv2.resize(fine, (bend.camera.width, bend.camera.height), interpolation=cv2.INTER_AREA))
    found[~bend.inside] = 0
    return found


def _to_lens(uv: Float[np.ndarray, "*batch 2"], bend: LensMap) -> Float[np.ndarray, "*batch 2"]:
    """Pixels of the pinhole picture to the clip's."""
    assert bend.camera.lens is not None
    wide, K = bend.wide.K, bend.camera.K
    points = (uv - wide[:2, 2]) / [wide[0, 0], wide[1, 1]]
    return distort(points, bend.camera.lens) * [K[0, 0], K[1, 1]] + K[:2, 2]


def _bend_keypoints(points: Float32[np.ndarray, "t j 3"], bend: LensMap) -> Float32[np.ndarray, "t j 3"]:
    uv = _to_lens(points[..., :2], bend)
    shown = (uv >= 0).all(-1) & (uv < [bend.camera.width, bend.camera.height]).all(-1)
    column, row = np.moveaxis(np.clip(uv, 0, [bend.camera.width - 1, bend.camera.height - 1]).astype(int), -1, 0)
    shown &= bend.inside[row, column]
    return np.concatenate([uv, np.where(shown, points[..., 2], 0)[..., None]], axis=-1).astype(np.float32)


def _bend_flow(flow: Float32[np.ndarray, "H W 2"], bend: LensMap) -> Float32[np.ndarray, "h w 2"]:
    step = _nearest(flow, bend)
    moves = (step != 0).any(-1)
    start = bend.uv[moves].astype(float)
    step[moves] = _to_lens(start + step[moves], bend) - _to_lens(start, bend)
    return step
