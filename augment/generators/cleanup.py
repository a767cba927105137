"""Put sampled motions back on the floor: feet that stand do not slide, nothing sinks below the floor, nothing trembles.

The network gets all of this nearly right; what is left is removed by a few steps of gradient descent on small corrections to
the root and the legs, so that the movement itself stays the network's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..geometry import axis_angle_to_matrix
from ..motion.contacts import FOOT_JOINTS
from ..motion.features import pose_joints
from ..types import JOINT

LEGS = tuple(JOINT[f"{side}_{part}"] for part in ("hip", "knee", "ankle") for side in ("left", "right"))
"""Joints whose rotations may be corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupConfig:
    """What counts how much; costs are in square metres a frame."""

    iterations: int = 30
    rate: float = 0.01
    """Step size of Adam, metres and radians."""
    slide: float = 30.0
    """A standing foot's movement from frame to frame."""
    sink: float = 20.0
    """Depth below the height a joint keeps above the floor."""
    hover: float = 5.0
    """Height of a standing foot above where it should stand."""
    stay: float = 0.05
    """Size of the correction."""
    smooth: float = 2.0
    """Second differences of the correction."""


def smooth_frames(features: Float[Tensor, "b t d"], valid: Bool[Tensor, "b t"], *, passes: int = 1) -> Float[Tensor, "b t d"]:
    """Average each frame with its neighbours, weights 1 2 1; ends stay, frames past a motion's end do not leak in."""
    inner = (valid[:, :-2] & valid[:, 1:-1] & valid[:, 2:])[..., None]
    for _ in range(passes):
        mean = (features[:, :-2] + 2 * features[:, 1:-1] + features[:, 2:]) / 4
        features = torch.cat([features[:, :1], torch.where(inner, mean, features[:, 1:-1]), features[:, -1:]], dim=1)
    return features


def clean(
    rotations: Float[Tensor, "b t 24 3 3"],
    root: Float[Tensor, "b t 3"],
    contacts: Float[Tensor, "b t 4"],
    valid: Bool[Tensor, "b t"],
    rest_joints: Float[Tensor, "b 24 3"],
    *,
    lowest: Float[Tensor, "24"],
    standing: Float[Tensor, "4"],
    config: CleanupConfig | None = None,
) -> tuple[Float[Tensor, "b t 24 3 3"], Float[Tensor, "b t 3"]]:
    """Correct root and legs.

    Args:
        rotations: Root in the world, then joints relative to their parents.
        root: The pelvis, metres.
        contacts: 1 where a foot joint stands; anything between counts in part.
        valid: False past the end of a motion.
        rest_joints: Each body in the zero pose, metres.
        lowest: The height each joint keeps at least, metres.
        standing: Height of each foot joint while it stands, metres.
        config: Weights.
    """
    config = config or CleanupConfig()
    shift = torch.zeros_like(root, requires_grad=True)
    turns = torch.zeros(*root.shape[:2], len(LEGS), 3, requires_grad=True)
    optimiser = torch.optim.Adam([shift, turns], lr=config.rate)
    weight = valid.float()
    stands = ((contacts - 0.5) * 4).clamp(0, 1) * weight[..., None]
    both = stands[:, 1:] * stands[:, :-1]
    triple = (weight[:, 2:] * weight[:, 1:-1] * weight[:, :-2])[..., None]

    def corrected() -> tuple[Tensor, Tensor]:
        parts = list(rotations.unbind(2))
        for index, joint in enumerate(LEGS):
            parts[joint] = parts[joint] @ axis_angle_to_matrix(turns[:, :, index])
        return torch.stack(parts, dim=2), root + shift

    with torch.enable_grad():
        for _ in range(config.iterations):
            joints = pose_joints(*corrected(), rest_joints)
            feet = joints[:, :, list(FOOT_JOINTS)]
            slide = (both[..., None] * (feet[:, 1:] - feet[:, :-1])).square().sum()
            sink = ((lowest - joints[..., 1]).clamp(min=0) * weight[..., None]).square().sum()
            hover = (stands * (feet[..., 1] - standing).clamp(min=0)).square().sum()
            stay = (shift.square().sum(-1) + 0.1 * turns.square().sum((-1, -2))) * weight
            second = [(part[:, 2:] - 2 * part[:, 1:-1] + part[:, :-2]) * triple for part in (shift, 0.3 * turns.flatten(2))]
            cost = (
                config.slide * slide
                + config.sink * sink
                + config.hover * hover
                + config.stay * stay.sum()
                + config.smooth * sum(part.square().sum() for part in second)
            )
            optimiser.zero_grad(set_to_none=True)
            cost.backward()
            optimiser.step()
    with torch.no_grad():
        final_rotations, final_root = corrected()
    return final_rotations.detach(), final_root.detach()
