"""Correct sampled motions: standing feet do not slide, nothing sinks below the floor, and there is no jitter.

The network's remaining errors are removed by a few steps of gradient descent on small corrections of the root and the legs.
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


ITERATIONS = 30
"""Steps of Adam."""
RATE = 0.01
"""Step size of Adam, metres and radians."""
SLIDE_WEIGHT = 30.0
"""Weight of a standing foot's displacement from frame to frame, per square metre."""
SINK_WEIGHT = 20.0
"""Weight of the depth of a joint below its lowest allowed height, per square metre."""
HOVER_WEIGHT = 5.0
"""Weight of the height of a standing foot above its standing height, per square metre."""
SIZE_WEIGHT = 0.05
"""Weight of the size of the correction."""
SMOOTH_WEIGHT = 2.0
"""Weight of the second differences of the correction."""
ROTATION_SCALE = 0.3
"""Metres that a foot moves per radian, about: relates rotations to translations in the size of the correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledPoses:
    """Poses of a batch of sampled motions."""

    rotations: Float[Tensor, "b t 24 3 3"]
    """Root in the world, then joints relative to their parents."""
    root: Float[Tensor, "b t 3"]
    """The pelvis, metres."""
    contacts: Float[Tensor, "b t 4"]
    """1 where a foot joint stands; values in between count in part."""
    valid: Bool[Tensor, "b t"]
    """False past the end of a motion."""
    rest_joints: Float[Tensor, "b 24 3"]
    """Each body in the zero pose, metres."""


def smooth_frames(features: Float[Tensor, "b t d"], valid: Bool[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
    """Average each frame with its neighbours, weights 1 2 1; both ends and frames past a motion's end are left as they are."""
    inner = (valid[:, :-2] & valid[:, 1:-1] & valid[:, 2:])[..., None]
    mean = (features[:, :-2] + 2 * features[:, 1:-1] + features[:, 2:]) / 4
    return torch.cat([features[:, :1], torch.where(inner, mean, features[:, 1:-1]), features[:, -1:]], dim=1)


def _running_mean(values: Float[Tensor, "b t d"], valid: Bool[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
    """Binomial mean over five frames, ignoring those past the motion's end."""
    weight = valid[..., None].to(values.dtype)
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=values.dtype)

    def total(sequence: Tensor) -> Tensor:
        channels = sequence.shape[-1]
        spread = F.conv1d(sequence.transpose(1, 2), kernel.expand(channels, 1, 5), padding=2, groups=channels)
        return spread.transpose(1, 2)

    return total(values * weight) / total(weight).clamp(min=1.0)


def clean(
    poses: SampledPoses, *, lowest: Float[Tensor, "24"], standing: Float[Tensor, "4"]
) -> tuple[Float[Tensor, "b t 24 3 3"], Float[Tensor, "b t 3"]]:
    """Correct root and legs.

    Args:
        poses: What the network sampled.
        lowest: Lowest allowed height of each joint, metres.
        standing: Height of each foot joint while it stands, metres.
    Returns:
        Rotations and root, as in ``SampledPoses``.
    """
    shift = torch.zeros_like(poses.root, requires_grad=True)
    turns = torch.zeros(*poses.root.shape[:2], len(LEGS), 3, requires_grad=True)
    # A large eps leaves alone what has almost no cost; Adam would amplify its rounding errors to full steps.
    optimiser = torch.optim.Adam([shift, turns], lr=RATE, eps=1e-3)
    with torch.enable_grad():
        for _ in range(ITERATIONS):
            rotations, root, change = _corrected(poses, shift, turns)
            joints = pose_joints(rotations, root, poses.rest_joints)
            cost = _pose_cost(poses, joints, lowest, standing)
            size, roughness = _change_costs(poses.valid, change)
            cost = cost + SIZE_WEIGHT * size + SMOOTH_WEIGHT * roughness
            optimiser.zero_grad(set_to_none=True)
            cost.backward()
            optimiser.step()
    with torch.no_grad():
        rotations, root, _ = _corrected(poses, shift, turns)
    return rotations.detach(), root.detach()


def _corrected(poses: SampledPoses, shift: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotations, root and the correction (b, t, 21) applied to them."""
    # The optimised variables are noisy from frame to frame; their running mean is applied.
    change = _running_mean(torch.cat([shift, turns.flatten(2)], dim=-1), poses.valid)
    leg_turns = change[..., 3:].unflatten(-1, (len(LEGS), 3))
    parts = list(poses.rotations.unbind(2))
    for index, joint in enumerate(LEGS):
        parts[joint] = parts[joint] @ axis_angle_to_matrix(leg_turns[:, :, index])
    return torch.stack(parts, dim=2), poses.root + change[..., :3], change


def _pose_cost(poses: SampledPoses, joints: Tensor, lowest: Tensor, standing: Tensor) -> Tensor:
    """Cost of sliding, sinking and hovering."""
    weight = poses.valid.float()
    stands = ((poses.contacts - 0.5) * 4).clamp(0, 1) * weight[..., None]
    both = stands[:, 1:] * stands[:, :-1]
    feet = joints[:, :, list(FOOT_JOINTS)]
    slide = (both[..., None] * (feet[:, 1:] - feet[:, :-1])).square().sum()
    sink = ((lowest - joints[..., 1]).clamp(min=0) * weight[..., None]).square().sum()
    hover = (stands * (feet[..., 1] - standing).clamp(min=0)).square().sum()
    return SLIDE_WEIGHT * slide + SINK_WEIGHT * sink + HOVER_WEIGHT * hover


def _change_costs(valid: Bool[Tensor, "b t"], change: Float[Tensor, "b t d"]) -> tuple[Tensor, Tensor]:
    """Size and roughness of the correction."""
    weight = valid.float()
    scale = torch.cat([torch.ones(3), torch.full((3 * len(LEGS),), ROTATION_SCALE)])
    triple = (weight[:, 2:] * weight[:, 1:-1] * weight[:, :-2])[..., None]
    size = (change * scale).square().sum(-1) * weight
    second = (change[:, 2:] - 2 * change[:, 1:-1] + change[:, :-2]) * triple * scale
    return size.sum(), second.square().sum()
