"""Variational autoencoder of body pose: rotations of 21 joints, 32 latent dimensions, a unit Gaussian prior."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import forward_kinematics, rotation6d_to_matrix
from .loop import Trained, TrainOptions, train_network
from .poses import POSED_JOINTS, PoseDataset, frames_of, mirror_rotations
from .prior import PoseSequence
from .prior_file import PriorFile, check_sizes, load_network


@dataclass(frozen=True, slots=True, kw_only=True)
class VPoserConfig:
    """Size, losses and training of the autoencoder."""

    latent: int = 32
    """Latent dimensions."""
    width: int = 256
    """Width of the hidden layers."""
    steps: int = 6000
    """Training steps."""
    batch: int = 256
    """Poses per step."""
    rate: float = 1e-3
    """Highest learning rate."""
    kl: float = 0.005
    """Weight of the divergence from the unit Gaussian."""
    rotations: float = 1.0
    """Weight of the squared difference of rotation matrices, summed over a pose."""
    joints: float = 6.0
    """Weight of the squared distance of joints (forward kinematics), per square metre, summed over a pose."""
    mirror: bool = True
    """Mirror each pose with chance 1/2."""
    off_manifold: float = 10.0
    """Weight in the energy, not in training, of the squared difference between a pose and its reconstruction."""


class VPoserNetwork(nn.Module):
    """Encoder and decoder, with smooth activations because poses are optimised through them."""

    def __init__(self, config: VPoserConfig) -> None:
        super().__init__()
        width, latent = config.width, config.latent
        self.encoder = nn.Sequential(
            nn.Linear(POSED_JOINTS * 9, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, POSED_JOINTS * 6)
        )

    def encode(self, rotations: Float[Tensor, "*b 21 3 3"]) -> tuple[Float[Tensor, "*b z"], Float[Tensor, "*b z"]]:
        """Mean and log variance of the latent code."""
        mean, log_variance = self.encoder(rotations.flatten(-3)).chunk(2, dim=-1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def decode(self, z: Float[Tensor, "*b z"]) -> Float[Tensor, "*b 21 3 3"]:
        """Rotations relative to the parents; an output of zero is the zero pose."""
        upright = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], dtype=z.dtype, device=z.device)
        return rotation6d_to_matrix(self.decoder(z).unflatten(-1, (POSED_JOINTS, 6)) + upright)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VPoserPrior:
    """E = ||z||^2 + w ||R - R^||^2, z the encoder's mean and R^ the reconstruction.

    ||z||^2 alone is the published prior. It is low for implausible poses that the encoder maps near 0; the decoder does not
    reconstruct those, so the second term penalises them. (Measured on the embedded library: with ||z||^2 alone, one in four
    random rotations has a lower energy than a held-out pose; with the second term, none.)
    """

    network: VPoserNetwork
    config: VPoserConfig
    normalisation: float
    name: str = "vposer"

    def energy(self, sequence: PoseSequence) -> Float[Tensor, "*b t"]:
        """Energy of each frame."""
        rotations = sequence.rotations[..., 1 : POSED_JOINTS + 1, :, :]
        network = self.network.to(rotations.device)
        mean, _ = network.encode(rotations.to(torch.float32))
        residual = (network.decode(mean) - rotations.to(torch.float32)).square().sum((-1, -2, -3))
        return (mean.square().sum(-1) + self.config.off_manifold * residual).to(rotations.dtype) / self.normalisation

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Tensor, "n 21 3 3"]:
        """Draw poses."""
        with torch.no_grad():
            return self.network.decode(torch.randn(count, self.config.latent, generator=generator))


def train_vposer(dataset: PoseDataset, config: VPoserConfig, generator: torch.Generator, options: TrainOptions) -> Trained:
    """Train the autoencoder.

    Of the published loss's five terms, ||R R^T - I||^2 and |det R - 1| are left out: Gram-Schmidt makes them zero. The penalty
    on the weights is AdamW's decay. Joints are those of the mean body of the data, its root upright.

    Source:
        Pavlakos et al. 2019, "Expressive Body Capture: 3D Hands, Face, and Body from a Single Image".
    """
    network = VPoserNetwork(config)
    index = frames_of(dataset, held_out=False)
    rest = dataset.rest_joints.mean(0)

    def losses(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        chosen = index[torch.randint(len(index), (config.batch,), generator=generator)]
        rotations = dataset.rotations[chosen]
        if config.mirror:
            flip = torch.rand(config.batch, 1, 1, 1, generator=generator) < 0.5
            rotations = torch.where(flip, mirror_rotations(rotations), rotations)
        return vposer_losses(network, rotations[:, 1 : POSED_JOINTS + 1], rest, config, generator=generator)

    origin = {"config": asdict(config), "data": dataset.digest}
    last = train_network(network, losses, rate=config.rate, options=options, origin=origin)
    tensors = {name: value.detach().half() for name, value in network.state_dict().items()}
    return tensors, {"steps": options.steps, "loss": last}


def vposer_losses(
    network: VPoserNetwork,
    rotations: Float[Tensor, "b 21 3 3"],
    rest_joints: Float[Tensor, "24 3"],
    config: VPoserConfig,
    *,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Losses of a batch: ``kl``, ``rotations``, ``joints`` and their weighted ``total``."""
    mean, log_variance = network.encode(rotations)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator)
    decoded = network.decode(z)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()
    matrices = (decoded - rotations).square().sum((-1, -2, -3)).mean()
    offsets = _joints(decoded, rest_joints) - _joints(rotations, rest_joints)
    joints = offsets.square().sum((-1, -2)).mean()
    return {
        "kl": kl,
        "rotations": matrices,
        "joints": joints,
        "total": config.kl * kl + config.rotations * matrices + config.joints * joints,
    }


def vposer_from_file(stored: PriorFile) -> VPoserPrior:
    """Make the prior from its file.

    Raises:
        ValueError: If an option or a tensor is missing or does not fit.
    """
    check_sizes(stored.where, {name: stored.config.get(name) for name in ("latent", "width")})
    config = VPoserConfig(**stored.config)
    if not (isinstance(config.off_manifold, int | float) and 0 <= config.off_manifold < float("inf")):
        raise ValueError(
            f"{stored.where}: field config.off_manifold: expected a number of 0 or more, found {config.off_manifold!r}"
        )
    network = load_network(VPoserNetwork(config), stored)
    return VPoserPrior(network=network, config=config, normalisation=stored.normalisation)


def _joints(rotations: Float[Tensor, "b 21 3 3"], rest_joints: Float[Tensor, "24 3"]) -> Float[Tensor, "b 24 3"]:
    """Joints with the root upright and the hands straight, metres."""
    still = torch.eye(3, dtype=rotations.dtype).expand(len(rotations), 1, 3, 3)
    return forward_kinematics(torch.cat([still, rotations, still, still], dim=1), rest_joints)[0]
