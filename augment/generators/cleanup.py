"""Put sampled motions back on the floor: feet that stand do not slide, nothing sinks below the floor, nothing trembles.

The network gets all of this nearly right; what is left is removed by a few steps of gradient descent on small corrections to
the root and the legs, so that the movement itself stays the network's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
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


def _running_mean(values: Float[Tensor, "b t d"], valid: Bool[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
    """Binomial mean over those of five frames that belong to the motion."""
    weight = valid[..., None].to(values.dtype)
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=values.dtype)

    def total(sequence: Tensor) -> Tensor:
        channels = sequence.shape[-1]
        spread = F.conv1d(sequence.transpose(1, 2), kernel.expand(channels, 1, 5), padding=2, groups=channels)
        return spread.transpose(1, 2)

    return total(values * weight) / total(weight).clamp(min=1.0)


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
    # A large eps leaves alone what hardly costs anything; Adam would blow its rounding errors up to full steps.
    optimiser = torch.optim.Adam([shift, turns], lr=config.rate, eps=1e-3)
    weight = valid.float()
    stands = ((contacts - 0.5) * 4).clamp(0, 1) * weight[..., None]
    both = stands[:, 1:] * stands[:, :-1]
    scale = torch.cat([torch.ones(3), torch.full((3 * len(LEGS),), 0.3)])  # a radian moves a foot by some 0.3 m
    triple = (weight[:, 2:] * weight[:, 1:-1] * weight[:, :-2])[..., None]

    def corrected() -> tuple[Tensor, Tensor, Tensor]:
        # The optimiser's raw variables are noisy from frame to frame; what is applied is a running mean of them.
        change = _running_mean(torch.cat([shift, turns.flatten(2)], dim=-1), valid)
        leg_turns = change[..., 3:].unflatten(-1, (len(LEGS), 3))
        parts = list(rotations.unbind(2))
        for index, joint in enumerate(LEGS):
            parts[joint] = parts[joint] @ axis_angle_to_matrix(leg_turns[:, :, index])
        return torch.stack(parts, dim=2), root + change[..., :3], change

    with torch.enable_grad():
        for _ in range(config.iterations):
            turned, moved, change = corrected()
            joints = pose_joints(turned, moved, rest_joints)
            feet = joints[:, :, list(FOOT_JOINTS)]
            slide = (both[..., None] * (feet[:, 1:] - feet[:, :-1])).square().sum()
            sink = ((lowest - joints[..., 1]).clamp(min=0) * weight[..., None]).square().sum()
            hover = (stands * (feet[..., 1] - standing).clamp(min=0)).square().sum()
            stay = (change * scale).square().sum(-1) * weight
            second = (change[:, 2:] - 2 * change[:, 1:-1] + change[:, :-2]) * triple * scale
            cost = (
                config.slide * slide
                + config.sink * sink
                + config.hover * hover
                + config.stay * stay.sum()
                + config.smooth * second.square().sum()
            )
            optimiser.zero_grad(set_to_none=True)
            cost.backward()
            optimiser.step()
    with torch.no_grad():
        final_rotations, final_root, _ = corrected()
    return final_rotations.detach(), final_root.detach()
