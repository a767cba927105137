"""Mixture of Gaussians over body pose in axis-angle, the prior of SMPLify."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry import axis_angle_to_matrix, matrix_to_axis_angle
from ..motion.features import MIRROR_JOINTS
from .loop import Trained, TrainOptions
from .poses import POSED_JOINTS, PoseDataset, frames_of
from .prior import PoseSequence
from .prior_file import PriorFile, check_sizes

POSE_DIM = 3 * POSED_JOINTS
"""Size of a pose vector: axis-angle of joints 1..21."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GmmConfig:
    """Options of the mixture."""

    components: int = 8
    """Number of Gaussians."""
    steps: int = 100
    """Largest number of iterations of expectation-maximisation."""
    frames: int = 60_000
    """Largest number of training poses, evenly spaced."""
    mirror: bool = True
    """Add each Gaussian's mirror image, so that a pose and its mirror image cost exactly the same."""
    wide: float = 0.02
    """Weight of one more Gaussian fitted to all poses and widened by ``spread``; 0 for none. It bounds the energy of unusual
    poses, so that a fit can follow them: on mocap outside the training data the largest energies are halved."""
    spread: float = 0.2
    """Standard deviation added to the wide Gaussian, radians."""
    smallest: float = 1e-2
    """Added to the variance of each coordinate, rad^2, so that a joint that never moves in the data may turn a little."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GmmPrior:
    """E = min_j of the negative log of each weighted Gaussian, shifted so that it is never negative."""

    means: Float[Tensor, "g 63"]
    """Axis-angle of joints 1..21, radians."""
    whiteners: Float[Tensor, "g 63 63"]
    """Matrices U with inverse covariance = U U^T; upper triangular in the first ``fitted``."""
    offsets: Float[Tensor, " g"]
    """-log(c g_j / sqrt((2 pi)^63 det Sigma_j)), at least 0."""
    fitted: int
    """Number of fitted Gaussians; the rest are their mirror images."""
    normalisation: float
    name: str = "gmm"

    def energy(self, sequence: PoseSequence) -> Float[Tensor, "*b t"]:
        """Energy of each frame; discontinuous where a joint's rotation passes a half turn (axis-angle is the shortest one)."""
        pose = body_vector(sequence.rotations)
        means, whiteners, offsets = (each.to(pose) for each in (self.means, self.whiteners, self.offsets))
        white = torch.einsum("...gi,gij->...gj", pose[..., None, :] - means, whiteners)
        return (0.5 * white.square().sum(-1) + offsets).amin(-1) / self.normalisation

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Tensor, "n 21 3 3"]:
        """Draw poses: rotations of joints 1..21 relative to their parents."""
        return axis_angle_to_matrix(sample_gmm(self, count, generator=generator).unflatten(-1, (POSED_JOINTS, 3)))


def body_vector(rotations: Float[Tensor, "*b 24 3 3"]) -> Float[Tensor, "*b 63"]:
    """Axis-angle of joints 1..21, radians, concatenated."""
    return matrix_to_axis_angle(rotations[..., 1 : POSED_JOINTS + 1, :, :]).flatten(-2)


def mirror_vector(pose: Float[Tensor, "*b 63"]) -> Float[Tensor, "*b 63"]:
    """Mirror a pose vector in x = 0: sides swap, and y and z of each rotation vector change sign."""
    swap = [joint - 1 for joint in MIRROR_JOINTS[1 : POSED_JOINTS + 1]]
    flip = torch.tensor([1.0, -1.0, -1.0], dtype=pose.dtype, device=pose.device)
    return (pose.unflatten(-1, (POSED_JOINTS, 3))[..., swap, :] * flip).flatten(-2)


def train_gmm(dataset: PoseDataset, config: GmmConfig, generator: torch.Generator, options: TrainOptions) -> Trained:
    """Fit the mixture with scikit-learn's expectation-maximisation, full covariances."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    index = frames_of(dataset, held_out=False)
    index = index[:: max(1, -(-len(index) // config.frames))]
    poses = body_vector(dataset.rotations[index].double())
    if len(poses) < 2 * config.components:
        raise ValueError(f"gmm: expected at least {2 * config.components} poses to fit to, found {len(poses)}; import more")
    if options.report is not None:
        options.report(0, 1, {})
    mixture = GaussianMixture(
        config.components,
        covariance_type="full",
        reg_covar=config.smallest,
        max_iter=options.steps,
        random_state=int(torch.randint(2**31 - 1, (1,), generator=generator)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the facts tell whether it converged
        mixture.fit(poses.numpy())
    if options.report is not None:
        options.report(1, 1, {"log_likelihood": float(mixture.lower_bound_)})
    weights, means = torch.as_tensor(mixture.weights_), torch.as_tensor(mixture.means_)
    whiteners = torch.as_tensor(mixture.precisions_cholesky_)
    if config.wide > 0:
        covariance = torch.cov(poses.T) + config.spread**2 * torch.eye(POSE_DIM, dtype=poses.dtype)
        whitener = torch.linalg.inv(torch.linalg.cholesky(covariance)).mT
        weights = torch.cat([weights * (1 - config.wide), torch.tensor([config.wide], dtype=weights.dtype)])
        means = torch.cat([means, poses.mean(0, keepdim=True)])
        whiteners = torch.cat([whiteners, whitener[None]])
    tensors = {"weights": weights.float(), "means": means.float(), "whiteners": whiteners.float()}
    facts = {
        "poses": len(poses),
        "steps": int(mixture.n_iter_),
        "converged": bool(mixture.converged_),
        "log_likelihood": float(mixture.lower_bound_),
    }
    return tensors, facts


def gmm_from_file(stored: PriorFile) -> GmmPrior:
    """Make the prior from its file.

    Raises:
        ValueError: If a tensor is missing, has another shape, or has values no mixture has.
    """
    config = stored.config
    check_sizes(stored.where, {"components": config.get("components")})
    count = config["components"] + (1 if config.get("wide", 0.0) else 0)
    weights = stored.tensor("weights", (count,)).float()
    means = stored.tensor("means", (count, POSE_DIM)).float()
    whiteners = stored.tensor("whiteners", (count, POSE_DIM, POSE_DIM)).float()
    if bool((weights <= 0).any()):
        raise ValueError(f"{stored.where}: tensor weights: expected positive shares, found {float(weights.min())}")
    diagonal = whiteners.diagonal(dim1=-2, dim2=-1)
    if bool((diagonal <= 0).any()):
        raise ValueError(f"{stored.where}: tensor whiteners: expected a positive diagonal, found {float(diagonal.min())}")
    # -log(g_j / sqrt det Sigma_j), shifted by the narrowest Gaussian's density so that energies are not negative.
    density = diagonal.log().sum(-1)
    offsets = density.max() - density - (weights / weights.sum()).log()
    if config.get("mirror") is True:
        means = torch.cat([means, mirror_vector(means)])
        whiteners = torch.cat([whiteners, mirror_vector(whiteners.mT).mT])
        offsets = torch.cat([offsets, offsets])
    return GmmPrior(means=means, whiteners=whiteners, offsets=offsets, fitted=count, normalisation=stored.normalisation)


def sample_gmm(prior: GmmPrior, count: int, *, generator: torch.Generator) -> Float[Tensor, "n 63"]:
    """Draw poses, axis-angle of joints 1..21, radians; half of them mirrored if the prior is."""
    fitted = slice(0, prior.fitted)
    diagonal = prior.whiteners[fitted].diagonal(dim1=-2, dim2=-1)
    shares = torch.softmax(-prior.offsets[fitted] - diagonal.log().sum(-1), dim=0)
    which = torch.multinomial(shares, count, replacement=True, generator=generator)
    noise = torch.randn(count, POSE_DIM, 1, generator=generator)
    # U U^T is the inverse covariance, so y with U^T y = noise has the covariance.
    offset = torch.linalg.solve_triangular(prior.whiteners[which].mT, noise, upper=False)[..., 0]
    pose = prior.means[which] + offset
    flip = torch.rand(count, 1, generator=generator) < 0.5
    return torch.where(flip & (prior.fitted < len(prior.means)), mirror_vector(pose), pose)
