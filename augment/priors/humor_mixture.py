"""HuMoR's other half: which states people are in at all, as a mixture of Gaussians over height, up and body rotations.

Transitions alone do not mind a leg that stays absurdly straight, as long as it stays so.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .humor_state import STATE

MOMENT_DIM = 130
"""Numbers of a state that the mixture looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """A mixture over scaled states, rates and joints left out."""

    means: Float[Tensor, "g 130"]
    whiteners: Float[Tensor, "g 130 130"]
    """Upper triangular U with inverse covariance = U U^T."""
    offsets: Float[Tensor, " g"]
    """How much unlikelier a Gaussian's best state is than the best of all, nats; at least 0."""

    def energy(self, inside: Float[Tensor, "*b 262"]) -> Float[Tensor, "*b"]:
        """Root mean square of the deviations from the best Gaussian, about 1 for what it was fitted to; grows like a distance.

        Args:
            inside: Scaled states.
        """
        away = moments_of(inside)[..., None, :] - self.means
        white = torch.einsum("...gi,gij->...gj", away, self.whiteners)
        nats = (white.square().sum(-1) / 2 + self.offsets).amin(-1)
        return (2 * nats / MOMENT_DIM + 1e-6).sqrt()


def moments_of(states: Float[Tensor, "*b 262"]) -> Float[Tensor, "*b 130"]:
    """Height, up and body rotations."""
    return torch.cat([states[..., STATE["height"]], states[..., STATE["up"]], states[..., STATE["body"]]], dim=-1)


def fit_moments(inside: Float[Tensor, "n 262"], *, components: int, smallest: float, seed: int) -> dict[str, Tensor]:
    """Tensors of ``Moments`` by expectation-maximisation.

    Args:
        inside: Scaled states.
        components: Gaussians, at most as many as there are states.
        smallest: Added to the variance of each scaled number.
        seed: Decides where the search begins.
    """
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        min(components, len(inside)),
        covariance_type="full",
        reg_covar=smallest,
        max_iter=30,
        tol=0.02,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 30 rounds are enough: the last digits of the likelihood are of no use here
        mixture.fit(moments_of(inside).double().numpy())
    whiteners = np.asarray(mixture.precisions_cholesky_)
    best = np.log(np.asarray(mixture.weights_)) + np.log(np.diagonal(whiteners, axis1=1, axis2=2)).sum(-1)
    return {
        "means": torch.tensor(np.asarray(mixture.means_), dtype=torch.float32),
        "whiteners": torch.tensor(whiteners, dtype=torch.float32),
        "offsets": torch.tensor(best.max() - best, dtype=torch.float32),
    }
