"""A fixed camera's height, pitch, roll and focal length from whatever there is, joined into one estimate with its uncertainty.

Upright people of known stature, the feet of people whose 3D points a detector gives, the straight edges of the room, and wide
priors. The world has its origin on the floor below the camera; the camera looks along +z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ...geometry import rigid
from ...types import Camera
from .given import Given, Picture
from .lines import RoomLines, line_residuals, line_starts
from .rotation import rotation_world_camera
from .upright import PARTS, UprightPeople, spread_out
from .whole_body import WholeBodies, floor_residuals, heights_above

HFOV_DEG = 62.0
"""Prior of a room camera's horizontal field of view, degrees."""
_SIGMA_LOG_FOCAL = 0.3
_SIGMA_ROLL = np.radians(2.5)
_SIGMA_SHARES = (0.015, 0.025, 0.015, 0.01)
"""Prior spread of the heights of ``PARTS``, as shares of the stature."""
_PITCH, _SIGMA_PITCH = np.radians(15.0), np.radians(15.0)
_HEIGHT, _SIGMA_LOG_HEIGHT = 1.6, 0.45
"""Prior of the camera's pitch, and of its height in metres: from a phone on a chair to a camera below the ceiling."""
_LEAST_LINES, _LEAST_PEOPLE = 20, 8
_SHARES = np.array([share for _, share in PARTS])
_YAW, _SHARE = 4, 5
"""Places of the room's turn and of the body's deviations among the unknowns."""
_STEPS = np.array([0.03, 0.01, 0.01, 0.03, 0.02, *[0.005] * len(PARTS)])
"""Moves of the unknowns that matter."""


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
    """One standard deviation of ``focal`` (share), ``height`` (metres), ``pitch`` and ``roll`` (radians), and of the height if
    the stature is right (``height_alone``)."""
    people: int = 0
    """Detections of upright people it was estimated from."""
    bodies: int = 0
    """Detections whose 3D points and feet it was estimated from."""
    lines: int = 0
    """Straight edges of the picture it was estimated from."""
    shares: tuple[float, ...] = ()
    """Heights of ``PARTS`` as shares of the stature, as estimated."""
    near_far: float = 1.0
    """Ratio of the distances of the farthest and the nearest of them (ninetieth and tenth percentile)."""

    @property
    def unsure(self) -> tuple[str, ...]:
        """Which of focal, height and pitch people and edges do not determine; the priors mostly do."""
        spread = {"focal": "focal", "height": "height_alone", "pitch": "pitch"}
        most = {"focal": 0.12, "height": 0.15 * self.height, "pitch": np.radians(2.5)}
        return tuple(name for name, key in spread.items() if not self.std.get(key, np.inf) < most[name])

    @property
    def observed(self) -> bool:
        """Whether people and edges determine the camera."""
        return not self.unsure

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


def guess_calibration(picture: Picture, given: Given) -> Calibration:
    """A guessed camera: what is given, else ``HFOV_DEG``, 2.4 m up, looking down by 20 degrees, level."""
    return Calibration(
        focal=given.focal or expected_focal(picture), height=2.4 if given.camera_height is None else given.camera_height,
        pitch=np.radians(20.0 if given.pitch is None else given.pitch), roll=np.radians(given.roll or 0.0), picture=picture,
    )  # fmt: skip


def expected_focal(picture: Picture) -> float:
    """Focal length of the usual field of view, pixels."""
    return picture.content_width / 2 / np.tan(np.radians(HFOV_DEG / 2))


def calibrate(
    upright: UprightPeople, picture: Picture, given: Given | None = None, *, lines: RoomLines | None = None,
    bodies: WholeBodies | None = None,
) -> Calibration | Uncalibrated:  # fmt: skip
    """The most probable camera given people and the room's edges, with the spread of what else they allow.

    For every camera considered each upright person's place on the floor is solved for in closed form; the remaining distances
    between body points and their images, the heights of the feet of ``bodies`` above the floor and the angles between edges and
    the way to vanishing points are minimised, robustly, over focal length, pitch, roll, camera height, the room's turn, and
    small deviations of the body's proportions and stature, with wide priors. A second of a detector's points counts as one
    observation. The spread is that of the Gaussian which fits the minimum.

    Args:
        upright: Upright people.
        picture: The picture they are in.
        given: The stature, which sets the scale; known parameters of the camera are kept.
        lines: Straight edges of the picture.
        bodies: People with 3D points.
    Returns:
        The camera, or why there is none: too few upright people and edges.
    Raises:
        ValueError: If the stature is out of range.
    """
    given = given or Given()
    if not 0.5 < given.stature < 2.5:
        raise ValueError(f"person_height must be a stature in metres (0.5 to 2.5); got {given.person_height}")
    if len(upright) < _LEAST_PEOPLE and (lines is None or len(lines) < _LEAST_LINES):
        return Uncalibrated(
            reason=f"only {len(upright)} frames show a person standing or walking upright with shoulders and hips in the "
            f"picture; at least {_LEAST_PEOPLE} are needed. Add a video in which somebody walks about, or give the camera with "
            "--focal, --camera-height and --pitch"
        )
    evidence = _Evidence(
        upright=spread_out(upright) if len(upright) else upright, bodies=bodies if bodies is not None and len(bodies) else None,
        lines=lines if lines is not None and len(lines) >= _LEAST_LINES else None, picture=picture, given=given,
    )  # fmt: skip
    x, spread = evidence.minimum()
    used = evidence.upright
    place, error = place_upright(used, x, _SHARES, given.stature, picture.center)
    unsure = given.sigma_stature if given.camera_height is None else 0.0
    near, far = np.percentile(place[:, 1], [10, 90]) if len(used) else (1.0, 1.0)
    return Calibration(
        focal=float(np.exp(x[0])), height=float(np.exp(x[3])), pitch=float(x[1]), roll=float(x[2]), picture=picture,
        residual_px=float(np.nanmedian(np.linalg.norm(error, axis=-1))) if len(used) else float("nan"), people=len(used),
        bodies=len(evidence.bodies or ()), lines=len(evidence.lines or ()),
        std={"focal": float(spread[0]), "height": float(np.hypot(spread[3], unsure) * np.exp(x[3])), "pitch": float(spread[1]),
             "roll": float(spread[2]), "height_alone": float(spread[3] * np.exp(x[3]))},
        shares=tuple(float(s) for s in _SHARES + x[_SHARE:]), near_far=float(far / max(near, 0.1)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """Everything a camera is estimated from, and its probability.

    Unknowns: log focal, pitch, roll, log camera height, the room's turn, deviations of the shares. Lengths scale with the
    stature, whose own uncertainty is added to the height's afterwards.
    """

    upright: UprightPeople
    bodies: WholeBodies | None
    lines: RoomLines | None
    picture: Picture
    given: Given

    def minimum(self) -> tuple[np.ndarray, np.ndarray]:
        """The most probable unknowns and their standard deviations."""
        from scipy.optimize import approx_fprime, least_squares

        fits = [least_squares(self.residuals, start, x_scale=_STEPS, max_nfev=40) for start in self._starts()]
        best = min(fits, key=lambda fit: fit.cost).x
        slopes = np.array(approx_fprime(best, self._of_people, 1e-6), float)
        return best, np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes + self._curvature_of_lines(best))))

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """What half the sum of squares is the negative log probability of."""
        return np.concatenate([self._of_people(x), self._of_lines(x)])

    def _of_people(self, x: np.ndarray) -> np.ndarray:
        """Priors, upright people, feet."""
        parts = [np.array([(x[index] - value) / sigma for index, value, sigma in self._priors()]), self._of_upright(x)]
        if self.bodies is not None:
            parts.append(floor_residuals(
                self.bodies, float(np.exp(x[0])), rotation_world_camera(x[1], x[2]), float(np.exp(x[3])),
                stature=self.given.stature, center=self.picture.center,
            ))  # fmt: skip
        return np.concatenate(parts)

    def _of_lines(self, x: np.ndarray) -> np.ndarray:
        if self.lines is None:
            return np.zeros(0)
        return line_residuals(self.lines, float(np.exp(x[0])), rotation_world_camera(x[1], x[2]), float(x[_YAW]))

    def _curvature_of_lines(self, x: np.ndarray) -> Float[np.ndarray, "k k"]:
        """Second derivatives of the lines' negative log likelihood by differences, as wide as what is to be told apart.

        Their residuals' slopes would give others: they are far from zero and far from linear.
        """
        curvature = np.zeros((len(x), len(x)))
        if self.lines is None:
            return curvature

        def cost(*moves: tuple[int, float]) -> float:
            moved = x.copy()
            for index, share in moves:
                moved[index] += share * _STEPS[index]
            return 0.5 * float((self._of_lines(moved) ** 2).sum())

        here, unknowns = cost(), (0, 1, 2, _YAW)
        for i in unknowns:
            curvature[i, i] = cost((i, 1)) + cost((i, -1)) - 2 * here
            for j in (j for j in unknowns if j < i):
                mixed = cost((i, 1), (j, 1)) + cost((i, -1), (j, -1)) - cost((i, 1), (j, -1)) - cost((i, -1), (j, 1))
                curvature[i, j] = curvature[j, i] = mixed / 4
        values, vectors = np.linalg.eigh(curvature)
        return vectors @ np.diag(np.maximum(values, 0.0)) @ vectors.T / np.outer(_STEPS, _STEPS)

    def _of_upright(self, x: np.ndarray) -> np.ndarray:
        if not len(self.upright):
            return np.zeros(0)
        _, error = place_upright(self.upright, x, _SHARES, self.given.stature, self.picture.center)
        error = np.where(np.isfinite(error), error / self.upright.sigma[:, None, None], 0.0).ravel()
        return np.sign(error) * np.sqrt(self.upright.weight * np.log1p(error**2))

    def _priors(self) -> list[tuple[int, float, float]]:
        """Index into the unknowns, expected value and its standard deviation."""
        given = self.given
        return [
            (0, np.log(given.focal or expected_focal(self.picture)), 1e-4 if given.focal else _SIGMA_LOG_FOCAL),
            (2, 0.0, _SIGMA_ROLL) if given.roll is None else (2, np.radians(given.roll), 1e-5),
            (1, _PITCH, _SIGMA_PITCH) if given.pitch is None else (1, np.radians(given.pitch), 1e-5),
            (3, np.log(_HEIGHT), _SIGMA_LOG_HEIGHT) if given.camera_height is None else (3, np.log(given.camera_height), 1e-5),
            (_YAW, np.pi / 4, 10.0),  # any; it must not be free where there are no edges
            *((_SHARE + k, 0.0, sigma) for k, sigma in enumerate(_SIGMA_SHARES)),
        ]

    def _starts(self) -> list[np.ndarray]:
        """Starts of the minimisation: the cameras that the edges allow, or a few pitches; each with its likeliest height."""
        given, focal = self.given, self.given.focal or expected_focal(self.picture)
        roll = np.radians(given.roll or 0.0)
        if self.lines is None:
            pitches: Sequence[float] = (0.0, 0.2, 0.5) if given.pitch is None else (float(np.radians(given.pitch)),)
            cameras = [(focal, pitch, roll, 0.0) for pitch in pitches]
        else:
            focals = np.array([float(focal)]) if given.focal else focal * np.exp(np.linspace(-1.8, 1.8, 7) * _SIGMA_LOG_FOCAL)
            tried = np.radians(np.arange(-12, 62, 4.0) if given.pitch is None else np.array([float(given.pitch)]))
            rolls = np.radians(np.array([-3.0, 0, 3])) if given.roll is None else np.array([roll])
            f, pitch, turned = np.meshgrid(focals, tried, rolls, indexing="ij")
            log_prior = -0.5 * (
                (np.log(f / focal) / _SIGMA_LOG_FOCAL) ** 2
                + ((pitch - _PITCH) / _SIGMA_PITCH) ** 2
                + (turned / _SIGMA_ROLL) ** 2
            )
            cameras = line_starts(self.lines, focals, tried, rolls, log_prior)
        return [self._with_height(camera) for camera in cameras]

    def _with_height(self, camera: tuple[float, float, float, float]) -> np.ndarray:
        focal, pitch, roll, yaw = camera
        heights = [self.given.camera_height] if self.given.camera_height is not None else [0.8, 1.2, 1.6, 2.0, 2.5, 3.2]
        if self.bodies is not None and self.given.camera_height is None:
            rotation = rotation_world_camera(pitch, roll)
            above = heights_above(self.bodies, focal, rotation, stature=self.given.stature, center=self.picture.center)
            heights.append(float(np.clip(np.median(above), 0.3, 6.0)))
        rest = [0.0] * len(PARTS)
        starts = [np.array([np.log(focal), pitch, roll, np.log(height), yaw, *rest]) for height in heights]
        return min(starts, key=lambda start: float((self.residuals(start) ** 2).sum()))


def place_upright(
    upright: UprightPeople, x: np.ndarray, shares: np.ndarray, person_height: float, center: tuple[float, float]
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 4 2"]]:
    """Place everybody on the floor where their reprojection error is least.

    Args:
        upright: Upright people.
        x: The unknowns, see ``_Evidence``.
        shares: Heights of the parts over the stature.
        person_height: Metres.
        center: Principal point, pixels.
    Returns:
        Places (x, z), metres; reprojection error of each part, pixels, NaN where it was not seen.
    """
    focal, up = np.exp(x[0]), np.exp(x[3])
    rotation = rotation_world_camera(x[1], x[2]).T
    y = person_height * (shares + x[_SHARE:]) - up
    # (f r1 + (cx - u) r3) . (X, y, Z) = 0 and likewise for v: linear in the place (X, Z)
    row_u = focal * rotation[0] + (center[0] - upright.points[..., :1]) * rotation[2]
    row_v = focal * rotation[1] + (center[1] - upright.points[..., 1:]) * rotation[2]
    rows = np.stack([row_u, row_v], axis=-2).reshape(len(upright), 2 * len(y), 3)
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
    camera = [np.log(calibration.focal), calibration.pitch, calibration.roll, np.log(calibration.height)]
    x = np.array([*camera, *[0.0] * (1 + len(PARTS))])
    shares = np.array(calibration.shares or _SHARES)
    place, error = place_upright(upright, x, shares, person_height, calibration.picture.center)
    distance = np.nanmean(np.linalg.norm(error, axis=-1), axis=1)
    return place[(distance < 4 * upright.sigma) & (place[:, 1] > 0.2)]
