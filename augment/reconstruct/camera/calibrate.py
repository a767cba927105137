"""Camera height, pitch, roll and focal length from upright people of known height; the floor they walked on; its depth.

The world has its origin on the floor below the camera; the camera looks along +z.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ...geometry import floor_points, rigid
from ...polygon import clip_convex, convex_hull
from ...types import Camera
from .upright import PARTS, Rods, spread_out

HFOV_DEG = 62.0
"""Horizontal field of view expected of a room camera before anything is measured."""
_SIGMA_LOG_FOCAL = 0.2
_SIGMA_ROLL = np.radians(3.0)
_SIGMA_SHARES = (0.015, 0.025, 0.015, 0.01)
"""Prior spread of the heights of ``PARTS``, as shares of the stature."""
_PITCH, _SIGMA_PITCH = np.radians(15.0), np.radians(12.0)
_HEIGHT, _SIGMA_LOG_HEIGHT = 2.0, 0.25
"""A camera in a room looks down a little, from somewhere between a shelf and the ceiling."""
_LEAST_RODS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is known of the camera beforehand; None is estimated (or, without people, guessed)."""

    focal: float | None = None
    """Pixels."""
    height: float | None = None
    """Metres above the floor."""
    pitch: float | None = None
    """Radians, positive looking down."""
    roll: float | None = None
    """Radians, positive when the picture's content is turned counter-clockwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A camera over a floor, and how sure that is."""

    focal: float
    """Pixels."""
    height: float
    """Metres."""
    pitch: float
    """Radians, positive looking down."""
    roll: float
    """Radians."""
    center: tuple[float, float]
    """Principal point, pixels; assumed, never estimated."""
    width: int
    picture_height: int
    residual_px: float = float("nan")
    """Median distance between a body point and where the model puts it, pixels."""
    std: dict[str, float] = field(default_factory=dict)
    """One standard deviation of ``focal`` (share), ``height`` (metres), ``pitch`` and ``roll`` (radians)."""
    rods: int = 0
    """Upright people used."""
    shares: tuple[float, ...] = ()
    """Heights of ``PARTS`` as shares of the stature, as estimated."""

    near_far: float = 1.0
    """How many times nearer the nearest of them stood than the farthest (tenth and ninetieth percentile)."""

    @property
    def observed(self) -> bool:
        """Whether people's places tell the camera; if all stood in one spot, expectation did most of it."""
        sure = self.rods > 0 and self.near_far > 1.25 and self.std["focal"] < 0.12 and self.std["pitch"] < np.radians(2.5)
        return bool(sure)

    @property
    def camera(self) -> Camera:
        """The camera in the world."""
        K = np.array([[self.focal, 0, self.center[0]], [0, self.focal, self.center[1]], [0, 0, 1.0]])
        T_world_camera = rigid(rotation_world_camera(self.pitch, self.roll), np.array([0, self.height, 0]))
        return Camera(K=K, T_world_camera=T_world_camera, width=self.width, height=self.picture_height)


def rotation_world_camera(pitch: float, roll: float) -> Float[np.ndarray, "3 3"]:
    """Camera axes (right, down, forward) as columns in the world, for a camera that heads along +z."""
    forward = np.array([0, -np.sin(pitch), np.cos(pitch)])
    right, down = np.array([-1.0, 0, 0]), np.array([0, -np.cos(pitch), -np.sin(pitch)])
    return np.stack([np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right, forward], axis=1)


def guess_calibration(width: int, height: int, center: tuple[float, float], given: Given, content_width: int) -> Calibration:
    """A camera nobody measured: what is given, else ``HFOV_DEG``, 2.4 m up, looking down by 20 degrees, level."""
    return Calibration(
        focal=given.focal or expected_focal(content_width), height=2.4 if given.height is None else given.height,
        pitch=np.radians(20.0) if given.pitch is None else given.pitch, roll=given.roll or 0.0, center=center, width=width,
        picture_height=height,
    )  # fmt: skip


def expected_focal(width: int) -> float:
    """Focal length in pixels of a picture this wide with the usual field of view."""
    return width / 2 / np.tan(np.radians(HFOV_DEG / 2))


def calibrate(
    rods: Rods, *, width: int, height: int, person_height: float = 1.70, center: tuple[float, float] | None = None,
    given: Given | None = None, content_width: int | None = None,
) -> Calibration:  # fmt: skip
    """Fit the camera to upright people of known height.

    For every camera considered each rod's place on the floor is solved for in closed form; what remains of the distance
    between its body points and their images is minimised, robustly, over focal length, pitch, roll, camera height and small
    deviations of the body's proportions, with weak priors (``HFOV_DEG``, level, looking down a little, average proportions).

    Args:
        rods: Upright people.
        width: Picture width, pixels.
        height: Picture height, pixels.
        person_height: Stature, metres; the metric scale of everything rests on it.
        center: Principal point, pixels; None = middle of the picture.
        given: What is known beforehand and is to be kept.
        content_width: Width inside black bars, pixels.
    Raises:
        ValueError: If there are too few upright people.
    """
    from scipy.optimize import least_squares

    given = given or Given()
    if not 0.5 < person_height < 2.5:
        raise ValueError(f"person_height must be a stature in metres (0.5 to 2.5); got {person_height}")
    if len(rods) < _LEAST_RODS:
        raise ValueError(
            f"only {len(rods)} frames show a person standing or walking upright with shoulders and hips in the picture; "
            f"at least {_LEAST_RODS} are needed. Add a video in which somebody walks about, or give the camera with "
            "--focal, --camera-height and --pitch"
        )
    center = center or (width / 2, height / 2)
    used = spread_out(rods)
    expected = np.log(given.focal or expected_focal(content_width or width))
    shares = np.array([share for _, share in PARTS])
    pins = [
        (0, expected, 1e-4 if given.focal else _SIGMA_LOG_FOCAL),
        (2, given.roll or 0.0, 1e-5 if given.roll is not None else _SIGMA_ROLL),
        (1, _PITCH, _SIGMA_PITCH) if given.pitch is None else (1, given.pitch, 1e-5),
        (3, np.log(_HEIGHT), _SIGMA_LOG_HEIGHT) if given.height is None else (3, np.log(given.height), 1e-5),
        *((4 + k, 0.0, sigma) for k, sigma in enumerate(_SIGMA_SHARES)),
    ]

    def residuals(x: np.ndarray) -> np.ndarray:
        _, error = stand(used, x, shares, person_height, center)
        error = np.where(np.isfinite(error), error / used.sigma[:, None, None], 0.0)
        prior = [(x[index] - value) / sigma for index, value, sigma in pins]
        return np.concatenate([error.ravel(), prior])

    best = None
    for pitch in (0.0, 0.2, 0.5) if given.pitch is None else (given.pitch,):
        for up in (1.2, 2.4) if given.height is None else (given.height,):
            start = np.array([expected, pitch, given.roll or 0.0, np.log(up), *np.zeros(len(PARTS))])
            fit = least_squares(residuals, start, loss="soft_l1", x_scale=[0.1, 0.1, 0.03, 0.1, *[0.01] * len(PARTS)])
            if best is None or fit.cost < best.cost:
                best = fit
    assert best is not None
    x = best.x
    place, error = stand(used, x, shares, person_height, center)
    near, far = np.percentile(place[:, 1], [10, 90])
    distance = np.linalg.norm(error, axis=-1)
    covariance = np.linalg.pinv(best.jac.T @ best.jac)
    spread = np.sqrt(np.diag(covariance))
    return Calibration(
        focal=float(np.exp(x[0])), height=float(np.exp(x[3])), pitch=float(x[1]), roll=float(x[2]), center=center, width=width,
        picture_height=height, residual_px=float(np.nanmedian(distance)), rods=len(used),
        std={"focal": float(spread[0]), "height": float(spread[3] * np.exp(x[3])), "pitch": float(spread[1]),
             "roll": float(spread[2])},
        shares=tuple(float(s) for s in shares + x[4:]), near_far=float(far / max(near, 0.1)),
    )  # fmt: skip


def stand(
    rods: Rods, x: np.ndarray, shares: np.ndarray, person_height: float, center: tuple[float, float]
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 4 2"]]:
    """Put every rod on the floor where it fits its image best.

    Args:
        rods: Upright people.
        x: log focal, pitch, roll, log camera height, deviations of the shares.
        shares: Heights of the parts over the stature.
        person_height: Metres.
        center: Principal point, pixels.
    Returns:
        Places (x, z), metres; reprojection error of each part, pixels, NaN where it was not seen.
    """
    focal, up = np.exp(x[0]), np.exp(x[3])
    rotation = rotation_world_camera(x[1], x[2]).T
    y = person_height * (shares + x[4:]) - up
    # (f r1 + (cx - u) r3) . (X, y, Z) = 0 and likewise for v: linear in the place (X, Z)
    row_u = focal * rotation[0] + (center[0] - rods.points[..., :1]) * rotation[2]
    row_v = focal * rotation[1] + (center[1] - rods.points[..., 1:]) * rotation[2]
    rows = np.stack([row_u, row_v], axis=-2).reshape(len(rods), -1, 3)
    rows = np.where(np.isfinite(rows), rows, 0.0)
    a, b = rows[..., [0, 2]], -rows[..., 1] * np.repeat(y, 2)
    normal = np.einsum("nki,nkj->nij", a, a) + 1e-9 * np.eye(2)
    place = np.linalg.solve(normal, np.einsum("nki,nk->ni", a, b)[..., None])[..., 0]
    n, parts = len(rods), len(y)
    points = np.stack([np.repeat(place[:, :1], parts, 1), np.tile(y, (n, 1)), np.repeat(place[:, 1:], parts, 1)], axis=-1)
    points = points @ rotation.T
    depth = np.maximum(points[..., 2:], 0.05)
    return place, focal * points[..., :2] / depth + np.array(center) - rods.points


def places(rods: Rods, calibration: Calibration, person_height: float) -> Float[np.ndarray, "n 2"]:
    """Where on the floor the rods stood, (x, z) metres; only those that fit (within four times their expected error)."""
    x = np.array([np.log(calibration.focal), calibration.pitch, calibration.roll, np.log(calibration.height), 0, 0, 0, 0])
    shares = np.array(calibration.shares or [share for _, share in PARTS])
    place, error = stand(rods, x, shares, person_height, calibration.center)
    distance = np.nanmean(np.linalg.norm(error, axis=-1), axis=1)
    return place[(distance < 4 * rods.sigma) & (place[:, 1] > 0.2)]


def visible_floor(calibration: Calibration, content: tuple[int, int, int, int], *, reach: float = 8.0) -> np.ndarray:
    """The part of the floor inside the picture and within ``reach`` metres in depth: polygon (n, 2) of (x, z).

    Raises:
        ValueError: If the picture shows no floor (the camera looks up).
    """
    x0, y0, x1, y1 = content
    camera = calibration.camera
    border = np.concatenate([np.stack([np.linspace(x0, x1, 9), np.full(9, y)], axis=1) for y in np.linspace(y1, y0, 400)])
    points = floor_points(border, camera)
    points = points[(points[:, 1] <= reach) & (np.abs(points[:, 0]) <= reach)]
    if len(points) < 3 or np.ptp(points[:, 1]) < 0.2:
        raise ValueError(
            f"no floor in the picture: with pitch {np.degrees(calibration.pitch):.1f} deg and height {calibration.height:.2f} "
            "m the camera sees none within reach; check --pitch (positive looks down), --camera-height and --focal"
        )
    return convex_hull(points)


def walked_floor(feet: Float[np.ndarray, "n 2"], seen: Float[np.ndarray, "m 2"], *, margin: float = 0.6) -> np.ndarray:
    """The floor people stood on, widened by ``margin`` metres and cut to what the camera sees; polygon (n, 2).

    The outermost hundredth of the feet is left out, against stray detections. Without enough feet, all of ``seen``.
    """
    if len(feet) < 5:
        return seen
    middle = np.median(feet, axis=0)
    away = np.linalg.norm(feet - middle, axis=1)
    feet = feet[away <= np.percentile(away, 99)]
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    disc = margin * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    hull = convex_hull((convex_hull(feet)[:, None] + disc).reshape(-1, 2))
    cut = clip_convex(hull, seen)
    return cut if len(cut) >= 3 else seen
