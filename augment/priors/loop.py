"""Training loop of a prior's network: seeded per step and checkpointed, so that a resumed run gives the same weights."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..files import write_atomic

Losses = Callable[[int, torch.Generator], dict[str, Tensor]]
"""From a step's number and its random generator to named losses; ``total`` is minimised."""

Report = Callable[[int, int, dict[str, float]], None]
"""Called with the number of steps done, the total number of steps, and the losses."""


MAX_GRADIENT_NORM = 1.0
"""Gradients are clipped to this norm."""


Trained = tuple[dict[str, Tensor], dict[str, Any]]
"""Result of training, before the energy is scaled: tensors, and facts for the file's metadata (steps, last losses)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of a training run that do not depend on the kind of prior."""

    steps: int
    """Total number of steps, including those before a resume."""
    checkpoint: Path
    """File for checkpoints."""
    seed: int = 0
    save_seconds: float = 60.0
    """Time between checkpoints, seconds."""
    report: Report | None = None


def train_network(
    network: nn.Module, losses: Losses, *, rate: float, options: TrainOptions, origin: dict[str, Any]
) -> dict[str, float]:
    """Minimise ``losses`` with AdamW and a cosine schedule from ``rate`` to zero, in place.

    Each step's generator is seeded by the seed and the step's number alone.

    Args:
        network: Left in evaluation mode.
        losses: See ``Losses``.
        rate: Highest learning rate.
        options: Steps, seed, checkpoint, progress.
        origin: Config and digest of the data; a checkpoint with other ones is refused.
    Returns:
        Losses of the last step.
    Raises:
        ValueError: If ``steps`` is not positive, or the checkpoint belongs to another run.
    """
    steps = options.steps
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, found {steps}")
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    origin = {**origin, "seed": options.seed, "steps": steps}
    done = _restore(options.checkpoint, network, optimiser, origin)
    network.train()
    saved_at, plain = time.monotonic(), {}
    try:
        for step in range(done, steps):
            for group in optimiser.param_groups:
                group["lr"] = rate * float(0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / steps))))
            parts = losses(step, torch.Generator().manual_seed(options.seed * 1_000_003 + step))
            optimiser.zero_grad(set_to_none=True)
            parts["total"].backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
            optimiser.step()
            done = step + 1
            plain = {name: float(value.detach()) for name, value in parts.items()}
            if options.report is not None:
                options.report(done, steps, plain)
            if time.monotonic() - saved_at > options.save_seconds:
                _save(options.checkpoint, done, network, optimiser, origin)
                saved_at = time.monotonic()
    except KeyboardInterrupt:
        _save(options.checkpoint, done, network, optimiser, origin)
        raise
    network.eval()
    return plain


def _save(path: Path, done: int, network: nn.Module, optimiser: torch.optim.Optimizer, origin: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save({"step": done, "network": network.state_dict(), "optimiser": optimiser.state_dict(), "origin": origin}, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, buffer.getvalue())


def _restore(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, origin: dict[str, Any]) -> int:
    """Load a checkpoint in place if there is one; returns the number of steps done."""
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        found = state["origin"]
    except Exception as error:  # torch raises exceptions of many types for a damaged file
        raise ValueError(f"{path}: expected a checkpoint, found a damaged file ({error}); delete it to start over") from error
    differing = sorted(key for key in origin | found if origin.get(key) != found.get(key))
    if differing:
        raise ValueError(
            f"{path}: field {differing[0]}: the unfinished run there had another one; "
            "give the same arguments to go on with it, or delete it to start over"
        )
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"]
