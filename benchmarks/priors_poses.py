"""Poses drawn from each prior: diversity and realism; and whether priors tell real poses from spoiled ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from augment.priors.evaluate import corruption_rows
from augment.priors.humor.humor import HumorPrior
from augment.priors.joint_fit import average_pairwise_distance, nearest_pose_distance, root_aligned
from augment.priors.pose_sheet import sample_poses
from augment.priors.posendf.posendf import PoseNDFPrior
from augment.priors.poses import PoseDataset, dataset_of, sequence_at, windows_of
from augment.priors.prior import Prior
from augment.types import Motion

AHEAD = 30
"""Frames of a rollout before its pose is taken: one second."""


def drawn(prior: Prior, count: int, real: PoseDataset, generator: torch.Generator) -> Tensor:
    """Rotations (n, 24, 3, 3); HuMoR models transitions only and continues real motions for a second."""
    if isinstance(prior, HumorPrior):
        windows = windows_of(real, 2, held_out=False)
        first = windows[torch.randint(len(windows), (count,), generator=generator)]
        return prior.rollout(sequence_at(real, first, 2), AHEAD, generator=generator).rotations[:, -1]
    if isinstance(prior, PoseNDFPrior):
        rotations = torch.eye(3).repeat(count, 24, 1, 1)
        rotations[:, 1:22] = prior.sample(count, generator=generator)
        return rotations
    return sample_poses(prior, count, generator=generator)[0]


def generation_table(
    priors: dict[str, Prior], test: Sequence[Motion], validation: Sequence[Motion], names: dict[str, str], *, count: int = 500
) -> str:
    """Markdown: diversity and nearest real pose, cm; the validation styles' own poses are the reference."""
    real, other = dataset_of(test, held_out=0.0), dataset_of(validation, held_out=0.0)
    generator = torch.Generator().manual_seed(0)
    rest = real.rest_joints[0]
    known = root_aligned(real.rotations[:: max(1, len(real.rotations) // 10_000)], rest)
    poses = {
        "real poses of the validation styles": other.rotations[
            torch.randperm(len(other.rotations), generator=generator)[:count]
        ]
    }
    poses |= {names[kind]: drawn(prior, count, other, generator) for kind, prior in priors.items()}
    lines = [
        "| poses | average pairwise distance, cm | to the nearest real pose, cm: mean | 95th percentile |",
        "|---|---|---|---|",
    ]
    for name, rotations in poses.items():
        joints = root_aligned(rotations, rest)
        near = nearest_pose_distance(joints, known)
        spread = 100 * average_pairwise_distance(joints)
        lines.append(f"| {name} | {spread:.1f} | {100 * float(near.mean()):.1f} | {100 * float(near.quantile(0.95)):.1f} |")
    return "\n".join(lines)


def spoil_table(priors: dict[str, Prior], test: Sequence[Motion], names: dict[str, str]) -> str:
    """Markdown: chance that a real pose's energy is lower than a spoiled one's; spoiled frames keep the bones and the root."""
    data = dataset_of(test, held_out=0.0)
    data = replace(data, held_out=torch.ones_like(data.held_out))
    columns = [list(corruption_rows(prior, data, generator=torch.Generator().manual_seed(0))) for prior in priors.values()]
    lines = ["| poses | " + " | ".join(names[kind] for kind in priors) + " |", "|---" * (1 + len(priors)) + "|"]
    lines.append("| real: median energy | " + " | ".join(f"{rows[0][1]:.2f}" for rows in columns) + " |")
    for row in zip(*(rows[1:] for rows in columns), strict=True):
        lines.append(f"| {row[0][0]} | " + " | ".join(f"{share:.3f}" for _, _, share in row) + " |")
    return "\n".join(lines)
