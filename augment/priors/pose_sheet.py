"""Sample poses from a prior, and draw them as a picture of stick figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..body.model import load_body
from ..files import write_atomic
from ..geometry import axis_angle_to_matrix, forward_kinematics
from ..types import SMPL_JOINTS, SMPL_PARENTS
from .poses import FPS
from .prior import PoseSequence, Prior

_COLUMNS = 8
"""Figures per row."""

_COLORS = {"left": "#2471a3", "right": "#c0392b"}


@runtime_checkable
class Sampler(Protocol):
    """A prior that can sample poses."""

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Tensor, "n 21 3 3"]:
        """Rotations of joints 1..21 relative to their parents."""
        ...


def sample_poses(
    prior: Prior, count: int, *, generator: torch.Generator
) -> tuple[Float[Tensor, "n 24 3 3"], Float[Tensor, " n"]]:
    """Sample poses with root and hands at rest, and their energies.

    Raises:
        ValueError: If this kind of prior cannot sample poses.
    """
    if not isinstance(prior, Sampler):
        raise ValueError(f"the {prior.name} prior cannot sample poses; name a gmm, vposer or posendf prior")
    body = prior.sample(count, generator=generator)
    still = torch.eye(3).expand(count, 1, 3, 3)
    rotations = torch.cat([still, body, still, still], dim=1)
    sequence = PoseSequence(rotations=rotations, joints=_joints(rotations), fps=FPS)
    with torch.no_grad():
        return rotations, prior.energy(sequence)


def pose_sheet(rotations: Float[Tensor, "n 24 3 3"], energies: Float[Tensor, " n"], path: Path) -> None:
    """Draw poses as stick figures, seen obliquely from the front; the left side is blue, the right red.

    Args:
        rotations: Poses to draw.
        energies: Written above each figure.
        path: The PNG file.
    """
    from matplotlib.figure import Figure

    turn = axis_angle_to_matrix(torch.tensor([0.0, -0.6, 0.0], dtype=rotations.dtype))
    joints = (_joints(rotations) @ turn.T).numpy()
    rows = -(-len(joints) // _COLUMNS)
    figure = Figure(figsize=(1.7 * _COLUMNS, 2.1 * rows), dpi=80)
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for place, axes in enumerate(grid.flat):
        axes.set(xlim=(-0.8, 0.8), ylim=(-1.0, 0.85), aspect="equal")
        axes.axis("off")
        if place >= len(joints):
            continue
        for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
            color = _COLORS.get(SMPL_JOINTS[joint].split("_")[0], "#34495e")
            line = joints[place][[parent, joint]] - joints[place][0]
            # Seen from the front, the body's left (+x) is on the right of the picture.
            axes.plot(line[:, 0], line[:, 1], color=color, linewidth=2, solid_capstyle="round")
        axes.set_title(f"{float(energies[place]):.2f}", fontsize=8, pad=1)
    figure.tight_layout(pad=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, buffer.getvalue())


def _joints(rotations: Float[Tensor, "n 24 3 3"]) -> Float[Tensor, "n 24 3"]:
    """Joints of the default body, metres."""
    rest = torch.tensor(np.array(load_body().rest_joints(np.zeros(10))), dtype=rotations.dtype)
    return forward_kinematics(rotations, rest)[0]
