"""Mixture of Gaussians over single states: height, up vector and body rotations.

Transitions alone do not penalise an implausible pose that stays the same.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .state import STATE

MIXTURE_DIM = 130
"""Dimensions of a state that the mixture is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMixture:
    """A mixture of Gaussians over scaled states without their rates and joints."""

    means: Float[Tensor, "g 130"]
    whiteners: Float[Tensor, "g 130 130"]
    """Upper triangular U with inverse covariance = U U^T."""
    offsets: Float[Tensor, " g"]
    """Negative log density at each Gaussian's mean, relative to the highest one, nats; at least 0."""

    def energy(self, states: Float[Tensor, "*b 262"]) -> Float[Tensor, "*b"]:
        """Root mean square of the whitened deviations from the best Gaussian; about 1 for the states it was fitted to.

        Args:
            states: Scaled states.
        """
        offset = mixture_part(states)[..., None, :] - self.means
        white = torch.einsum("...gi,gij->...gj", offset, self.whiteners)
        nats = (white.square().sum(-1) / 2 + self.offsets).amin(-1)
        return (2 * nats / MIXTURE_DIM + 1e-6).sqrt()


def mixture_part(states: Float[Tensor, "*b 262"]) -> Float[Tensor, "*b 130"]:
    """Height, up vector and body rotations."""
    return torch.cat([states[..., STATE["height"]], states[..., STATE["up"]], states[..., STATE["body"]]], dim=-1)


def fit_mixture(states: Float[Tensor, "n 262"], *, components: int, smallest: float, seed: int) -> dict[str, Tensor]:
    """Fit the tensors of ``StateMixture`` by expectation-maximisation.

    Args:
        states: Scaled states.
        components: Number of Gaussians, at most the number of states.
        smallest: Added to the variance of each dimension.
        seed: Seed of the initialisation.
    """
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        min(components, len(states)),
        covariance_type="full",
        reg_covar=smallest,
        max_iter=30,
        tol=0.02,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 30 iterations suffice: full convergence changes little
        mixture.fit(mixture_part(states).double().numpy())
    whiteners = np.asarray(mixture.precisions_cholesky_)
    best = np.log(np.asarray(mixture.weights_)) + np.log(np.diagonal(whiteners, axis1=1, axis2=2)).sum(-1)
    return {
        "means": torch.tensor(np.asarray(mixture.means_), dtype=torch.float32),
        "whiteners": torch.tensor(whiteners, dtype=torch.float32),
        "offsets": torch.tensor(best.max() - best, dtype=torch.float32),
    }
