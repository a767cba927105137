"""Train Pose-NDF's field on real poses and on corrupted poses with known distances."""

from __future__ import annotations

from dataclasses import asdict

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from ..loop import Trained, TrainOptions, train_network
from ..poses import POSED_JOINTS, PoseDataset, frames_of, mirror_rotations
from .field import (
    JOINT_WEIGHTS,
    PoseField,
    PoseNDFConfig,
    field_and_gradient,
    inverse_metric,
    one_hemisphere,
    pose_distance,
    pose_quaternions,
)

_CHUNK = 1024
"""Queries compared with all poses at once."""


def train_posendf(dataset: PoseDataset, config: PoseNDFConfig, generator: torch.Generator, options: TrainOptions) -> Trained:
    """Train the field on the training poses of a dataset."""
    poses = training_poses(dataset, config.poses, generator=generator)
    queries = corrupted(poses, config.pairs, noise=config.noise, swap=config.swap, generator=generator)
    distances = nearest_distances(queries, poses, candidates=config.candidates, neighbours=config.neighbours)
    field = PoseField(config)

    def losses(step: int, draw: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(len(queries), (config.batch,), generator=draw)
        real = torch.randint(len(poses), (config.batch // 2,), generator=draw)
        few = max(1, config.batch // 4)
        value, gradient = field_and_gradient(field, queries[chosen[:few]], create_graph=True)
        length = (gradient.square().sum(-1) * inverse_metric(gradient)[..., 0]).sum(-1).add(1e-12).sqrt()
        value = torch.cat([value, field(queries[chosen[few:]])])
        parts = {
            "distance": (value - distances[chosen]).abs().mean(),
            "poses": field(poses[real]).mean(),
            "eikonal": (length - 1).square().mean(),
        }
        return {"total": parts["distance"] + config.on_poses * parts["poses"] + config.eikonal * parts["eikonal"], **parts}

    origin = {"kind": "posendf", "config": repr(asdict(config)), "data": dataset.digest}
    last = train_network(field, losses, rate=config.rate, options=options, origin=origin)
    center = roma.rotmat_to_unitquat(roma.special_procrustes(roma.unitquat_to_rotmat(poses).mean(0)))
    vectors = roma.unitquat_to_rotvec(roma.quat_product(roma.quat_conjugation(center).expand_as(poses), poses))
    centred = vectors - vectors.mean(0)
    covariance = torch.einsum("nja,njb->jab", centred, centred) / len(poses) + 1e-8 * torch.eye(3)
    tensors = {f"field.{name}": value for name, value in field.state_dict().items()}
    tensors |= {"center": center, "spread": torch.linalg.cholesky(covariance)}
    return tensors, {"steps": options.steps, "poses": len(poses), "pairs": len(queries), "loss": last}


def training_poses(dataset: PoseDataset, count: int, *, generator: torch.Generator) -> Float[Tensor, "n 21 4"]:
    """Quaternions of at most ``count`` training frames, every other one mirrored."""
    frames = frames_of(dataset, held_out=False)
    frames = frames[torch.randperm(len(frames), generator=generator)[:count]]
    rotations = dataset.rotations[frames]
    rotations[1::2] = mirror_rotations(rotations[1::2])
    return pose_quaternions(rotations)


def corrupted(
    poses: Float[Tensor, "n 21 4"], count: int, *, noise: tuple[float, ...], swap: float, generator: torch.Generator
) -> Float[Tensor, "m 21 4"]:
    """Implausible poses: noise of several scales on some or all joints, and joints swapped between poses."""
    chosen = poses[torch.randint(len(poses), (count,), generator=generator)]
    other = poses[torch.randint(len(poses), (count,), generator=generator)]
    swapped = torch.rand(count, 1, generator=generator) < swap
    taken = swapped & (torch.rand(count, POSED_JOINTS, generator=generator) < 0.3)
    chosen = torch.where(taken[..., None], other, chosen)
    scales = torch.tensor(noise)[torch.randint(len(noise), (count,), generator=generator)]
    touched = torch.rand(count, 1, generator=generator).clamp(min=0.15)
    turned = torch.rand(count, POSED_JOINTS, generator=generator) < touched
    vectors = torch.randn(count, POSED_JOINTS, 3, generator=generator) * (scales[:, None] * turned)[..., None]
    return one_hemisphere(roma.quat_product(chosen, roma.rotvec_to_unitquat(vectors)))


def nearest_distances(
    queries: Float[Tensor, "n 21 4"], poses: Float[Tensor, "m 21 4"], *, candidates: int, neighbours: int
) -> Float[Tensor, " n"]:
    """Mean ``pose_distance`` to the nearest poses.

    Candidates are preselected by the weighted Euclidean distance of quaternions, which for small angles is proportional.
    """
    candidates = min(max(candidates, neighbours), len(poses))
    scale = torch.tensor(JOINT_WEIGHTS).sqrt()[:, None]
    flat, result = (poses * scale).flatten(1), []
    for part in queries.split(_CHUNK):
        # All vectors have the same length, so the nearest ones have the largest product.
        found = ((part * scale).flatten(1) @ flat.T).topk(candidates, dim=1).indices
        exact = pose_distance(part[:, None].expand(-1, candidates, -1, -1), poses[found])
        result.append(exact.topk(min(neighbours, candidates), dim=1, largest=False).values.mean(1))
    return torch.cat(result)
