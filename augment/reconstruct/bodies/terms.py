"""Energy terms of a pose sequence: functions of the posed bodies that give one value a frame.

Residuals are divided by their expected size, so that every term is in squared standard deviations and weights are around 1.
Frames of all people lie one after another along ``t``; ``Chain`` tells people apart, so that nothing is smoothed across.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...body.balls import BALLS, RADII
from ...geometry import axis_rotation, rigid, transform_points
from ...motion.contacts import FOOT_JOINTS, standing_steps
from ...motion.plausibility import depth_below_floor
from ...types import JOINT, Obstacle, Surface

SOLE = (0.085, 0.03, 0.085, 0.03)
"""Height of ``FOOT_JOINTS`` above the floor in a standing body with shoes on, metres."""
_RADII = torch.from_numpy(RADII)


@dataclass(frozen=True, slots=True)
class Chain:
    """Person and frame rate of each row."""

    person: Int[Tensor, " t"]
    fps: Float[Tensor, " t"]

    @property
    def inner(self) -> Bool[Tensor, " s"]:
        """True for those of the t - 2 middle frames whose neighbours belong to the same person."""
        return (self.person[2:] == self.person[:-2]) & (self.person[1:-1] == self.person[:-2])

    @property
    def joined(self) -> Bool[Tensor, " s"]:
        """True for those of the t - 1 steps that are within one person."""
        return self.person[1:] == self.person[:-1]


def geman_mcclure(squared: Float[Tensor, "*b"], scale: float) -> Float[Tensor, "*b"]:
    """``r^2 / (1 + r^2/s^2)`` of squared residuals: near 0 like ``r^2``, never above ``s^2``.

    Source:
        Geman & McClure 1987, as in Bogo et al. 2016 (SMPLify), with the scale factored out so that weights keep their meaning.
    """
    return squared / (1 + squared / scale**2)


def huber(squared: Float[Tensor, "*b"], scale: float) -> Float[Tensor, "*b"]:
    """``r^2`` below ``s``, growing linearly beyond (smooth form ``2 s^2 (sqrt(1 + r^2/s^2) - 1)``)."""
    return 2 * scale**2 * (torch.sqrt(1 + squared / scale**2) - 1)


def reprojection(
    uv: Float[Tensor, "t k 2"], seen: Float[Tensor, "t k 2"], weight: Float[Tensor, "t k"], sigma: Float[Tensor, "t k"],
    scale: float,
) -> Float[Tensor, " t"]:  # fmt: skip
    """Distance to the detector's points, ``sum w rho((u - u')^2 / sigma^2)``; pixels over pixels."""
    squared = ((uv - seen) ** 2).sum(-1) / sigma**2
    return (weight * geman_mcclure(squared, scale)).sum(-1)


def relative_points(
    points: Float[Tensor, "t k 3"], seen: Float[Tensor, "t k 3"], weight: Float[Tensor, "t k"], sigma: float
) -> Float[Tensor, " t"]:
    """Distance to a detector's own 3D points, both about their weighted mean (their place is not known), metres."""
    total = weight.sum(-1, keepdim=True).clamp_min(1e-6)[..., None]

    def centred(x: Tensor) -> Tensor:
        return x - (weight[..., None] * x).sum(-2, keepdim=True) / total

    squared = ((centred(points) - centred(seen)) ** 2).sum(-1) / sigma**2
    return (weight * geman_mcclure(squared, 4.0)).sum(-1)


def turned_from(
    rotations: Float[Tensor, "t j 3 3"], start: Float[Tensor, "t j 3 3"], sigma: Float[Tensor, " j"], scale: float = 3.0
) -> Float[Tensor, " t"]:
    """Squared angle from the estimator's rotations, radians over ``sigma``."""
    squared = rotation_distance2(rotations, start) / sigma**2
    return geman_mcclure(squared, scale).sum(-1)


def rotation_distance2(a: Float[Tensor, "*b 3 3"], b: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b"]:
    """Squared angle of small rotations (radians^2): the chord ``|a - b|^2 / 2``, which is smooth at 0 and at pi."""
    return ((a - b) ** 2).sum((-1, -2)) / 2


def bend(rotations: Float[Tensor, "t 24 3 3"]) -> Float[Tensor, " t"]:
    """``sum exp(bend)`` of elbows and knees that bend the wrong way, about 0 for those that do not.

    SMPL's knees turn about +x, its left elbow about -y, its right one about +y when they bend.

    Source:
        Bogo et al. 2016, eq. 4; the exponent is steeper, and the value at rest taken off.
    """
    chosen = rotations[:, [JOINT["left_knee"], JOINT["right_knee"], JOINT["left_elbow"], JOINT["right_elbow"]]]
    vectors = roma.rotmat_to_rotvec(chosen)
    wrong = torch.stack([-vectors[:, 0, 0], -vectors[:, 1, 0], vectors[:, 2, 1], -vectors[:, 3, 1]], dim=-1)
    return torch.exp(6 * wrong.clamp(max=1.0)).sum(-1)


def acceleration(points: Float[Tensor, "t j 3"], chain: Chain, sigma: float) -> Float[Tensor, " t"]:
    """Second differences over time, m/s^2 over ``sigma``; grows linearly beyond, for impacts."""
    second = (points[2:] - 2 * points[1:-1] + points[:-2]) * (chain.fps[1:-1] ** 2)[:, None, None]
    cost = huber((second**2).sum(-1) / sigma**2, 2.0).mean(-1) * chain.inner
    return _pad(cost)


def turning(rotations: Float[Tensor, "t 24 3 3"], chain: Chain, sigma: float) -> Float[Tensor, " t"]:
    """Second differences of the rotations, rad/s^2 over ``sigma``: constrains what joint positions do not, such as twist."""
    second = (rotations[2:] - 2 * rotations[1:-1] + rotations[:-2]) * (chain.fps[1:-1] ** 2)[:, None, None, None]
    cost = huber((second**2).sum((-1, -2)) / 2 / sigma**2, 2.0).mean(-1) * chain.inner
    return _pad(cost)


def foot_skate(joints: Float[Tensor, "t 24 3"], contact: Float[Tensor, "t 4"], chain: Chain) -> Float[Tensor, " t"]:
    """``(contact * speed)^2`` of ankles and feet, in units of 0.1 m/s."""
    steps, standing = standing_steps(joints, contact)
    squared = ((steps * chain.fps[1:, None, None]) ** 2).sum(-1) / 0.1**2
    cost = (huber(squared, 3.0) * (standing * chain.joined[:, None])).sum(-1)
    return torch.nn.functional.pad(cost, (1, 0))


def hover(joints: Float[Tensor, "t 24 3"], contact: Float[Tensor, "t 4"], unit: float) -> Float[Tensor, " t"]:
    """Height of touching feet above where soles put them, metres over ``unit``."""
    height = joints[:, list(FOOT_JOINTS), 1] - joints.new_tensor(SOLE)
    return (contact * huber(height**2 / unit**2, 5.0)).sum(-1)


def floor_penetration(balls: Float[Tensor, "t b 3"], unit: float) -> Float[Tensor, " t"]:
    """Depth of balls below the floor, metres over ``unit``."""
    depth = depth_below_floor(balls, _RADII)
    return huber(depth**2 / unit**2, 3.0).sum(-1)


def unsupported(balls: Float[Tensor, "t b 3"], unit: float, scale: float) -> Float[Tensor, " t"]:
    """Gap between the lowest point and the floor, metres over ``unit``; robust, as a jump or a bed may hold the body up."""
    gap = (balls[..., 1] - _RADII).amin(-1).clamp_min(0)
    return geman_mcclure(gap**2 / unit**2, scale)


def self_contact(balls: Float[Tensor, "t b 3"]) -> Float[Tensor, " t"]:
    """Overlap of balls of different limbs, in units of 2 cm, beyond soft contact."""
    first, second, allowed = _limb_pairs()
    distance = (balls[:, first] - balls[:, second]).norm(dim=-1)
    depth = (allowed - distance).clamp_min(0)
    return huber(depth**2 / 0.02**2, 5.0).sum(-1)


def between_people(balls: Float[Tensor, "t b 3"], partner: Int[Tensor, "n 2"]) -> Float[Tensor, " n"]:
    """Overlap of two people's balls, in units of 2 cm.

    Args:
        partner: Pairs of rows of ``balls`` that show two people at the same instant.
    """
    first, second = balls[partner[:, 0]], balls[partner[:, 1]]
    distance = torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
    depth = (_RADII[:, None] + _RADII[None] - 0.02 - distance).clamp_min(0)
    return huber(depth**2 / 0.02**2, 5.0).sum((-1, -2))


@dataclass(frozen=True, slots=True)
class Boxes:
    """Furniture and walls as boxes, for ``inside_boxes``."""

    T_box_world: Float[Tensor, "n 4 4"]
    half: Float[Tensor, "n 3"]


def boxes_of(obstacles: tuple[Obstacle, ...], surfaces: tuple[Surface, ...]) -> Boxes | None:
    """Boxes of a scene; a seat or bed reaches from the floor to 4 cm below its surface, as it yields. None without any."""
    rows = [(item.center, np.asarray(item.size) / 2, item.yaw) for item in obstacles]
    for item in surfaces:
        top = max(float(item.center[1]) - 0.04, 0.02)
        center = np.array([item.center[0], top / 2, item.center[2]])
        rows.append((center, np.array([item.size[0] / 2, top / 2, item.size[1] / 2]), item.yaw))
    if not rows:
        return None
    transforms = []
    for center, _, yaw in rows:
        turn = axis_rotation("y", -yaw)
        transforms.append(rigid(turn, -turn @ center))
    half = np.array([row[1] for row in rows])
    return Boxes(torch.tensor(np.array(transforms), dtype=torch.float32), torch.tensor(half, dtype=torch.float32))


def inside_boxes(balls: Float[Tensor, "t b 3"], boxes: Boxes) -> Float[Tensor, " t"]:
    """Depth of balls in boxes, in units of 3 cm."""
    return huber(box_depth(balls, boxes) ** 2 / 0.03**2, 5.0).sum((0, -1))


def box_depth(balls: Float[Tensor, "t b 3"], boxes: Boxes) -> Float[Tensor, "n t b"]:
    """Depth of each ball in each box, metres, 0.3 at most: a greater depth comes from a wrong box.

    Source:
        The box's signed distance after Quilez, "Distance functions".
    """
    local = transform_points(boxes.T_box_world[:, None], balls[None])
    away = local.abs() - boxes.half[:, None, None]
    distance = away.clamp_min(0).norm(dim=-1) + away.amax(-1).clamp_max(0)
    return (0.8 * _RADII - distance).clamp(0, 0.3)


def _pad(cost: Float[Tensor, " s"]) -> Float[Tensor, " t"]:
    return torch.nn.functional.pad(cost, (1, 1))


@cache
def _limb_pairs() -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of balls that should not overlap: of different limbs, and not near the same joint.

    Returns:
        First and second ball of each pair; the distance of their centres below which they overlap, metres. Shape (p,) each.
    """
    limb = []
    for name, _, _, _ in BALLS:
        side = name.split("_")[0] if "_" in name else ""
        leg = name.split("_")[-1] in ("hip", "knee", "ankle")
        limb.append("trunk" if not side else side + ("leg" if leg else "arm"))
    share = [s for _, _, s, _ in BALLS]
    first, second, allowed = [], [], []
    for i, (a1, _, _, r1) in enumerate(BALLS):
        for j in range(i):
            a2, _, _, r2 = BALLS[j]
            if limb[i] == limb[j]:
                continue
            roots = ("hip", "shoulder")
            near = any(n.split("_")[-1] in roots and share[k] < 0.6 for n, k in ((a1, i), (a2, j)))
            if near and "trunk" in (limb[i], limb[j]):
                continue
            if near and a1.split("_")[-1] == a2.split("_")[-1] == "hip":
                continue
            first.append(i)
            second.append(j)
            allowed.append(0.85 * (r1 + r2) - 0.01)
    return torch.tensor(first), torch.tensor(second), torch.tensor(allowed)
