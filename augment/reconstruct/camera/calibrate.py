"""Camera height, pitch, roll and focal length from upright people of known height.

The world has its origin on the floor below the camera; the camera looks along +z.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ...geometry import rigid
from ...types import Camera
from .given import Given, Picture
from .upright import PARTS, UprightPeople, spread_out

HFOV_DEG = 62.0
"""Prior of a room camera's horizontal field of view, degrees."""
_SIGMA_LOG_FOCAL = 0.2
_SIGMA_ROLL = np.radians(3.0)
_SIGMA_SHARES = (0.015, 0.025, 0.015, 0.01)
"""Prior spread of the heights of ``PARTS``, as shares of the stature."""
_PITCH, _SIGMA_PITCH = np.radians(15.0), np.radians(12.0)
_HEIGHT, _SIGMA_LOG_HEIGHT = 2.0, 0.25
"""Prior of the camera's pitch, and of its height in metres: it looks down a little."""
_LEAST_PEOPLE = 8
_SHARES = np.array([share for _, share in PARTS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A camera over a floor, with its uncertainty."""

    focal: float
    """Pixels."""
    height: float
    """Metres."""
    pitch: float
    """Radians, positive looking down."""
    roll: float
    """Radians."""
    picture: Picture
    """Its centre is assumed to be the principal point."""
    residual_px: float = float("nan")
    """Median reprojection error of the body points, pixels."""
    std: dict[str, float] = field(default_factory=dict)
    """One standard deviation of ``focal`` (share), ``height`` (metres), ``pitch`` and ``roll`` (radians)."""
    people: int = 0
    """Detections of upright people it was estimated from; 0 where it is guessed or given."""
    shares: tuple[float, ...] = ()
    """Heights of ``PARTS`` as shares of the stature, as estimated."""
    near_far: float = 1.0
    """Ratio of the distances of the farthest and the nearest of them (ninetieth and tenth percentile)."""

    @property
    def observed(self) -> bool:
        """Whether people's places determine the camera; if all stood in one spot, the priors mostly do."""
        known = self.people > 0 and self.near_far > 1.25 and self.std["focal"] < 0.12 and self.std["pitch"] < np.radians(2.5)
        return bool(known)

    @property
    def camera(self) -> Camera:
        """The camera in the world."""
        u, v = self.picture.center
        K = np.array([[self.focal, 0, u], [0, self.focal, v], [0, 0, 1.0]])
        T_world_camera = rigid(rotation_world_camera(self.pitch, self.roll), np.array([0, self.height, 0]))
        return Camera(K=K, T_world_camera=T_world_camera, width=self.picture.width, height=self.picture.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncalibrated:
    """The camera cannot be calibrated from these people."""

    reason: str
    """What is missing, and what to do."""


def rotation_world_camera(pitch: float, roll: float) -> Float[np.ndarray, "3 3"]:
    """Camera axes (right, down, forward) as columns in the world, for a camera that heads along +z."""
    forward = np.array([0, -np.sin(pitch), np.cos(pitch)])
    right, down = np.array([-1.0, 0, 0]), np.array([0, -np.cos(pitch), -np.sin(pitch)])
    return np.stack([np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right, forward], axis=1)


def guess_calibration(picture: Picture, given: Given) -> Calibration:
    """A guessed camera: what is given, else ``HFOV_DEG``, 2.4 m up, looking down by 20 degrees, level."""
    return Calibration(
        focal=given.focal or expected_focal(picture), height=2.4 if given.camera_height is None else given.camera_height,
        pitch=np.radians(20.0 if given.pitch is None else given.pitch), roll=np.radians(given.roll or 0.0), picture=picture,
    )  # fmt: skip


def expected_focal(picture: Picture) -> float:
    """Focal length of the usual field of view, pixels."""
    return picture.content_width / 2 / np.tan(np.radians(HFOV_DEG / 2))


def calibrate(upright: UprightPeople, picture: Picture, given: Given | None = None) -> Calibration | Uncalibrated:
    """Fit the camera to upright people of known height.

    For every camera considered each person's place on the floor is solved for in closed form; the remaining distances
    between body points and their images are minimised, robustly, over focal length, pitch, roll, camera height and small
    deviations of the body's proportions, with weak priors (``HFOV_DEG``, level, looking down a little, average proportions).

    Args:
        upright: Upright people.
        picture: The picture they are in.
        given: The stature, which sets the scale; known parameters of the camera are kept.
    Returns:
        The camera, or why there is none: too few upright people.
    Raises:
        ValueError: If the stature is out of range.
    """
    from scipy.optimize import least_squares

    given = given or Given()
    if not 0.5 < given.person_height < 2.5:
        raise ValueError(f"person_height must be a stature in metres (0.5 to 2.5); got {given.person_height}")
    if len(upright) < _LEAST_PEOPLE:
        return Uncalibrated(
            reason=f"only {len(upright)} frames show a person standing or walking upright with shoulders and hips in the "
            f"picture; at least {_LEAST_PEOPLE} are needed. Add a video in which somebody walks about, or give the camera with "
            "--focal, --camera-height and --pitch"
        )
    used, priors = spread_out(upright), _priors(picture, given)

    def residuals(x: np.ndarray) -> np.ndarray:
        _, error = place_upright(used, x, _SHARES, given.person_height, picture.center)
        error = np.where(np.isfinite(error), error / used.sigma[:, None, None], 0.0)
        return np.concatenate([error.ravel(), [(x[index] - value) / sigma for index, value, sigma in priors]])

    scale = [0.1, 0.1, 0.03, 0.1, *[0.01] * len(PARTS)]
    fits = [least_squares(residuals, start, loss="soft_l1", x_scale=scale) for start in _starts(picture, given)]
    best = min(fits, key=lambda fit: fit.cost)
    x = best.x
    place, error = place_upright(used, x, _SHARES, given.person_height, picture.center)
    near, far = np.percentile(place[:, 1], [10, 90])
    spread = np.sqrt(np.diag(np.linalg.pinv(best.jac.T @ best.jac)))
    return Calibration(
        focal=float(np.exp(x[0])), height=float(np.exp(x[3])), pitch=float(x[1]), roll=float(x[2]), picture=picture,
        residual_px=float(np.nanmedian(np.linalg.norm(error, axis=-1))), people=len(used),
        std={"focal": float(spread[0]), "height": float(spread[3] * np.exp(x[3])), "pitch": float(spread[1]),
             "roll": float(spread[2])},
        shares=tuple(float(s) for s in _SHARES + x[4:]), near_far=float(far / max(near, 0.1)),
    )  # fmt: skip


def _priors(picture: Picture, given: Given) -> list[tuple[int, float, float]]:
    """Index into the unknowns (see ``place_upright``), expected value and its standard deviation."""
    return [
        (0, np.log(given.focal or expected_focal(picture)), 1e-4 if given.focal else _SIGMA_LOG_FOCAL),
        (2, 0.0, _SIGMA_ROLL) if given.roll is None else (2, np.radians(given.roll), 1e-5),
        (1, _PITCH, _SIGMA_PITCH) if given.pitch is None else (1, np.radians(given.pitch), 1e-5),
        (3, np.log(_HEIGHT), _SIGMA_LOG_HEIGHT) if given.camera_height is None else (3, np.log(given.camera_height), 1e-5),
        *((4 + k, 0.0, sigma) for k, sigma in enumerate(_SIGMA_SHARES)),
    ]


def _starts(picture: Picture, given: Given) -> list[np.ndarray]:
    """Start of the minimisation."""
    focal, roll = np.log(given.focal or expected_focal(picture)), np.radians(given.roll or 0.0)
    pitches = (0.0, 0.2, 0.5) if given.pitch is None else (np.radians(given.pitch),)
    heights = (1.2, 2.4) if given.camera_height is None else (given.camera_height,)
    return [
        np.array([focal, pitch, roll, np.log(height), *np.zeros(len(PARTS))])
        for pitch, height in itertools.product(pitches, heights)
    ]


def place_upright(
    upright: UprightPeople, x: np.ndarray, shares: np.ndarray, person_height: float, center: tuple[float, float]
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 4 2"]]:
    """Place everybody on the floor where their reprojection error is least.

    Args:
        upright: Upright people.
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
    row_u = focal * rotation[0] + (center[0] - upright.points[..., :1]) * rotation[2]
    row_v = focal * rotation[1] + (center[1] - upright.points[..., 1:]) * rotation[2]
    rows = np.stack([row_u, row_v], axis=-2).reshape(len(upright), -1, 3)
    rows = np.where(np.isfinite(rows), rows, 0.0)
    a, b = rows[..., [0, 2]], -rows[..., 1] * np.repeat(y, 2)
    normal = np.einsum("nki,nkj->nij", a, a) + 1e-9 * np.eye(2)
    place = np.linalg.solve(normal, np.einsum("nki,nk->ni", a, b)[..., None])[..., 0]
    n, parts = len(upright), len(y)
    points = np.stack([np.repeat(place[:, :1], parts, 1), np.tile(y, (n, 1)), np.repeat(place[:, 1:], parts, 1)], axis=-1)
    points = points @ rotation.T
    depth = np.maximum(points[..., 2:], 0.05)
    return place, focal * points[..., :2] / depth + np.array(center) - upright.points


def places(upright: UprightPeople, calibration: Calibration, person_height: float) -> Float[np.ndarray, "n 2"]:
    """Places on the floor where people stood, (x, z) metres; those within four times the expected error."""
    x = np.array([np.log(calibration.focal), calibration.pitch, calibration.roll, np.log(calibration.height), 0, 0, 0, 0])
    shares = np.array(calibration.shares or _SHARES)
    place, error = place_upright(upright, x, shares, person_height, calibration.picture.center)
    distance = np.nanmean(np.linalg.norm(error, axis=-1), axis=1)
    return place[(distance < 4 * upright.sigma) & (place[:, 1] > 0.2)]
