"""Start a new generator from the weights of a trained one, whose data, actions and conditions may be others."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from ..files import sha256_of
from .checkpoint import MotionGenerator
from .denoiser import DenoiserConfig

SAME = ("width", "layers", "heads", "mlp", "patch")
"""Sizes of a network that both must have."""


def digest_of(model: MotionGenerator) -> str:
    """Digest of a network's weights."""
    return sha256_of(b"".join(value.numpy().tobytes() for value in model.denoiser.state_dict().values()))


def inherit(model: MotionGenerator, trained: MotionGenerator) -> None:
    """Copy the trained weights into a new network, in place: what one has and the other has not stays as it was drawn.

    Actions are matched by name; one that is new starts as "any action". Channels keep their meaning although the deviations by
    which they are normalised differ.

    Raises:
        ValueError: If the networks differ in size.
    """
    ours, theirs = model.denoiser.config, trained.denoiser.config
    for name in SAME:
        if getattr(ours, name) != getattr(theirs, name):
            raise ValueError(f"start: expected a network with {name} {getattr(ours, name)}, found {getattr(theirs, name)}")
    weights, state = trained.denoiser.state_dict(), model.denoiser.state_dict()
    factor, offset = model.std / trained.std, (model.mean - trained.mean) / trained.std
    with torch.no_grad():
        for name, value in weights.items():
            if name in state and name not in ("action.weight", "context.0.weight") and state[name].shape == value.shape:
                state[name].copy_(value)
        known = {action: row for row, action in enumerate(trained.actions)}
        rows = [known.get(action, len(known)) for action in (*model.actions, "any action")]
        state["action.weight"].copy_(weights["action.weight"][rows])
        columns = min(state["context.0.weight"].shape[1], weights["context.0.weight"].shape[1])
        state["context.0.weight"].zero_()
        state["context.0.weight"][:, :columns] = weights["context.0.weight"][:, :columns]
        if ours.overlap != theirs.overlap:
            _widen(state, weights, ours, theirs.overlap)
        for into, out, repeats in (("frames_in", "frames_out", ours.seen), ("fine.frames", "fine.out", 1)):
            if f"{into}.weight" in weights and f"{into}.weight" in state:
                _rescale(state, into, out, factor.repeat(repeats), offset.repeat(repeats) if repeats > 1 else 0.0 * offset)


def _widen(state: dict[str, Tensor], weights: dict[str, Tensor], ours: DenoiserConfig, overlap: int) -> None:
    """Let tokens see and predict frames of their neighbours: at first these do not matter, and are predicted to be as the
    nearest of the token's own."""
    more = ours.overlap - overlap
    if more < 0:
        raise ValueError(f"start: expected a network with an overlap of at most {ours.overlap}, found {overlap}")
    into = weights["frames_in.weight"].unflatten(1, (-1, ours.channels))
    state["frames_in.weight"].copy_(pad(into, (0, 0, more, more)).flatten(1))
    state["frames_in.bias"].copy_(weights["frames_in.bias"])
    nearest = torch.arange(-more, into.shape[1] + more).clamp(0, into.shape[1] - 1)
    for name in ("frames_out.weight", "frames_out.bias"):
        state[name].copy_(weights[name].unflatten(0, (-1, ours.channels))[nearest].flatten(0, 1))


def _rescale(state: dict[str, Tensor], into: str, out: str, factor: Float[Tensor, "d"], offset: Float[Tensor, "d"]) -> None:
    """Let layers read and write channels that are normalised in another way: theirs = factor * ours + offset."""
    state[f"{into}.weight"].mul_(factor)
    state[f"{out}.weight"].div_(factor[:, None])
    state[f"{out}.bias"].sub_(offset).div_(factor)
