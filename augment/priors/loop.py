"""Train a prior's network: seeded step by step and kept every minute, so that a run cut anywhere ends the same when resumed."""

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
"""From a step's number and its random numbers to named losses; ``total`` is the one to descend."""

Report = Callable[[int, int, dict[str, float]], None]
"""Called with the steps done, those to do, and the losses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a trainer is told besides data and options."""

    seed: int = 0
    steps: int | None = None
    """Steps in total, those before a resume included; None for the kind's own number."""
    checkpoint: Path | None = None
    """Where to keep an unfinished run; None keeps nothing."""
    save_seconds: float = 60.0
    """Time between checkpoints."""
    report: Report | None = None


def train_network(
    network: nn.Module, losses: Losses, *, steps: int, rate: float, run: Run, origin: dict[str, Any], clip: float = 1.0
) -> dict[str, float]:
    """Descend ``losses`` with AdamW from ``rate`` to zero along a cosine, in place; the last step's losses.

    A step draws from a generator seeded by the run's seed and the step's number alone.

    Args:
        network: What to train; left in evaluation mode.
        losses: See ``Losses``.
        steps: Steps in total.
        rate: Highest learning rate.
        run: Seed, checkpoint, progress.
        origin: Options and digest of the data; a checkpoint made with others is refused.
        clip: Largest norm of a gradient.
    Raises:
        ValueError: If ``steps`` is not positive, or the checkpoint is of another run.
    """
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, found {steps}")
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    origin = {**origin, "seed": run.seed, "steps": steps}
    done = _restore(run.checkpoint, network, optimiser, origin)
    network.train()
    kept, plain = time.monotonic(), {}
    try:
        for step in range(done, steps):
            for group in optimiser.param_groups:
                group["lr"] = rate * float(0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / steps))))
            parts = losses(step, torch.Generator().manual_seed(run.seed * 1_000_003 + step))
            optimiser.zero_grad(set_to_none=True)
            parts["total"].backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimiser.step()
            done = step + 1
            plain = {name: float(value.detach()) for name, value in parts.items()}
            if run.report is not None:
                run.report(done, steps, plain)
            if time.monotonic() - kept > run.save_seconds:
                _keep(run.checkpoint, done, network, optimiser, origin)
                kept = time.monotonic()
    except KeyboardInterrupt:
        _keep(run.checkpoint, done, network, optimiser, origin)
        raise
    network.eval()
    return plain


def _keep(path: Path | None, done: int, network: nn.Module, optimiser: torch.optim.Optimizer, origin: dict[str, Any]) -> None:
    if path is None:
        return
    buffer = io.BytesIO()
    torch.save({"step": done, "network": network.state_dict(), "optimiser": optimiser.state_dict(), "origin": origin}, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, buffer.getvalue())


def _restore(path: Path | None, network: nn.Module, optimiser: torch.optim.Optimizer, origin: dict[str, Any]) -> int:
    """Load a checkpoint in place, if there is one; the steps it had done."""
    if path is None or not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        found = state["origin"]
    except Exception as error:  # torch raises its own of many kinds for a damaged file
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
