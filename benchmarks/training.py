"""Seconds of a training step of X3D-XS with pytorchvideo's modules and with recognition's, in one run.

    python benchmarks/training.py [--threads 1] [--steps 3] [--shapes 8x160 8x112 8x96 4x80]

A shape is FRAMESxPIXELS; batches of 8. The time is processor time (of all threads), the least of the steps, which other work on
the machine hardly changes. ``float32`` computes what the stock network computes; ``bfloat16`` rounds.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn

from recognition.networks.build import to_network
from recognition.networks.video import stock_x3d_xs, x3d


def step_seconds(network: nn.Module, video: torch.Tensor, *, dtype: torch.dtype, steps: int) -> float:
    """Least processor time of forward, backward and update."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    target = torch.zeros(len(video), dtype=torch.long)
    best = float("inf")
    for _ in range(steps + 1):
        started = time.process_time()
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            logits = network(video)
        loss = nn.functional.cross_entropy(logits.float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--steps", type=int, default=3)
    options.add_argument("--shapes", nargs="+", default=["4x160", "8x112", "8x96", "4x80"])
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"{'batch of 8':>10s} {'stock':>9s} {'float32':>9s} {'bfloat16':>9s}   ratios to stock")
    for shape in chosen.shapes:
        frames, size = (int(part) for part in shape.split("x"))
        video = torch.randint(0, 255, (8, 3, frames, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        quick, plain = to_network(video), to_network(video).contiguous()
        times = [
            step_seconds(build(7, frames=frames, size=size), clip, dtype=dtype, steps=chosen.steps)
            for build, clip, dtype in (
                (stock_x3d_xs, plain, torch.float32),
                (x3d, quick, torch.float32),
                (x3d, quick, torch.bfloat16),
            )
        ]
        ratios = ", ".join(f"{times[0] / seconds:.1f}x" for seconds in times[1:])
        print(f"{shape:>10s} " + " ".join(f"{seconds:9.3f}" for seconds in times) + f"   {ratios}", flush=True)


if __name__ == "__main__":
    main()
