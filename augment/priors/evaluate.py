"""Tables of ``augment priors evaluate``: energies of real and corrupted poses; errors of fits without and with a prior."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry import axis_angle_to_matrix, forward_kinematics
from ..types import JOINT, SMPL_PARENTS
from .joint_fit import OCCLUSIONS, JointFitConfig, fit_sequence, joint_errors, observe
from .poses import POSED_JOINTS, PoseDataset, sequence_at, sequences, windows_of
from .prior import PoseSequence, Prior

Corruption = Callable[[Float[Tensor, "t 21 3 3"], torch.Generator], Float[Tensor, "t 21 3 3"]]
"""From rotations of joints 1..21 and a random generator to corrupted rotations."""

FIT_FRAMES = 60
"""Length of a fitted clip."""

FIT_NOISE = 0.02
"""Standard deviation of the noise on observed joints, metres."""

COMPARED_FRAMES = 4000
"""Approximate number of held-out poses whose energies are compared."""


def noisy(degrees: float) -> Corruption:
    """Rotate every joint about a random axis; ``degrees`` is the standard deviation along each axis."""

    def corrupt(rotations: Tensor, generator: torch.Generator) -> Tensor:
        turns = torch.randn(len(rotations), POSED_JOINTS, 3, generator=generator) * torch.pi / 180 * degrees
        return rotations @ axis_angle_to_matrix(turns)

    return corrupt


def one_joint(rotations: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate one joint of each pose by 70 degrees about a random axis."""
    axis = torch.nn.functional.normalize(torch.randn(len(rotations), 3, generator=generator), dim=-1)
    turns = torch.zeros(len(rotations), POSED_JOINTS, 3)
    turns[torch.arange(len(rotations)), torch.randint(POSED_JOINTS, (len(rotations),), generator=generator)] = axis * 1.22
    return rotations @ axis_angle_to_matrix(turns)


def shuffled(rotations: Tensor, generator: torch.Generator) -> Tensor:
    """Combine each pose from joints of different frames of the same motion."""
    order = torch.rand(len(rotations), POSED_JOINTS, generator=generator).argsort(0)
    return rotations[order, torch.arange(POSED_JOINTS)]


def random_rotations(rotations: Tensor, generator: torch.Generator) -> Tensor:
    """Draw every joint's rotation uniformly from all rotations."""
    quaternions = torch.randn(len(rotations), POSED_JOINTS, 4, generator=generator)
    axis_angle = 2 * torch.nn.functional.normalize(quaternions[..., :3], dim=-1)
    half = torch.atan2(quaternions[..., :3].norm(dim=-1), quaternions[..., 3])
    return axis_angle_to_matrix(axis_angle * half[..., None])


CORRUPTIONS: dict[str, Corruption] = {
    "noise 5 degrees": noisy(5),
    "noise 10 degrees": noisy(10),
    "noise 20 degrees": noisy(20),
    "one joint 70 degrees": one_joint,
    "joints shuffled": shuffled,
    "random rotations": random_rotations,
}
"""Corruptions of poses by their name in the table."""


def corruption_rows(
    prior: Prior, dataset: PoseDataset, *, generator: torch.Generator
) -> Iterator[tuple[str, float, float | None]]:
    """Median energy of held-out poses, then of each corruption with the chance that a real pose's energy is lower.

    Args:
        prior: The prior to evaluate.
        dataset: With motions held out.
        generator: Source of randomness for the corruptions.
    Raises:
        ValueError: If no motions are held out.
    """
    motions = sequences(dataset, held_out=True)
    if not motions:
        raise ValueError("no motions are held out to measure on; give --held-out above 0")
    every = max(1, -(-sum(len(each.rotations) for each in motions) // COMPARED_FRAMES))
    motions = motions[::every]
    real = _energies(prior, motions)
    yield "real, held out", float(real.median()), None
    for name, corrupt in CORRUPTIONS.items():
        corrupted = _energies(prior, [_corrupted(each, corrupt, generator) for each in motions])
        yield name, float(corrupted.median()), share_lower(real, corrupted)


def share_lower(real: Float[Tensor, " n"], corrupted: Float[Tensor, " m"]) -> float:
    """Chance that a real pose's energy is lower than a corrupted one's (area under the ROC curve; ties count half)."""
    lower = torch.searchsorted(real.sort().values, corrupted, right=False)
    up_to = torch.searchsorted(real.sort().values, corrupted, right=True)
    return float((lower + up_to).double().mean() / 2 / len(real))


def fit_rows(
    prior: Prior, dataset: PoseDataset, *, clips: int, config: JointFitConfig, generator: torch.Generator
) -> Iterator[tuple[str, float, float]]:
    """Mean joint error, metres, of held-out clips fitted without and with a prior: all joints observed, then some occluded.

    If joints are occluded, the error is theirs alone.
    """
    first = windows_of(dataset, FIT_FRAMES, stride=FIT_FRAMES // 2, held_out=True)
    if len(first) == 0:
        raise ValueError(f"no held-out motion lasts {FIT_FRAMES} frames; import longer ones")
    first = first[torch.randperm(len(first), generator=generator)[:clips]]
    truth = sequence_at(dataset, first, FIT_FRAMES)
    rest = dataset.rest_joints[torch.searchsorted(dataset.starts, first, right=True) - 1]
    for name, missing in {"none": (), **OCCLUSIONS}.items():
        seen = observe(truth, rest, std=FIT_NOISE, missing=missing, generator=generator)
        counted = [JOINT[each] for each in missing] or list(range(24))
        errors = [float(joint_errors(fit_sequence(seen, used, config), truth)[:, counted].mean()) for used in (None, prior)]
        yield f"hidden: {name}", errors[0], errors[1]


def _corrupted(sequence: PoseSequence, corrupt: Corruption, generator: torch.Generator) -> PoseSequence:
    """The sequence with corrupted rotations and the same bone lengths."""
    root, body, hands = sequence.rotations.split([1, POSED_JOINTS, 2], dim=1)
    rotations = torch.cat([root, corrupt(body, generator), hands], dim=1)
    bones = torch.zeros_like(sequence.joints)
    real = forward_kinematics(sequence.rotations, bones)[1]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        offset = sequence.joints[:, joint] - sequence.joints[:, parent]
        bones[:, joint] = bones[:, parent] + (real[:, parent].mT @ offset[..., None])[..., 0]
    joints = forward_kinematics(rotations, bones)[0] + sequence.joints[:, :1]
    return PoseSequence(rotations=rotations, joints=joints, fps=sequence.fps)


def _energies(prior: Prior, motions: list[PoseSequence]) -> Tensor:
    with torch.no_grad():
        return torch.cat([prior.energy(each) for each in motions])
