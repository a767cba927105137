"""Train on shards that are streamed, by path or URL: torchrun --nproc-per-node=2 examples/stream_loop.py SHARDS OUT

Without torchrun (python examples/stream_loop.py SHARDS OUT) it is one process. Run again after an interruption, it goes on
where the last file was written.
"""

import json
import os
import sys
from pathlib import Path

import torch

from recognition.networks.build import build_model, to_network
from recognition.stream import Streaming, stream_windows

STREAMING = Streaming(
    classes={"standing": ["standing"], "fall": ["fall"], "down": ["fallen", "lying"]}, window_sec=1.0, frames=4, size=32,
    batch=2, windows=2, even=True,
)  # fmt: skip
EPOCHS, SAVE_EVERY = 2, 4


def main(shards: str, out: Path) -> None:
    if "RANK" in os.environ:  # torchrun
        torch.distributed.init_process_group("gloo")
    torch.manual_seed(0)
    network: torch.nn.Module = build_model("x3d_xs", len(STREAMING.classes), frames=STREAMING.frames, size=STREAMING.size)
    saved = out / f"process{os.environ.get('RANK', '0')}.pt"
    out.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    state = None
    if saved.exists():
        kept = torch.load(saved, weights_only=True)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        state = json.loads(kept["stream"])
    trained = torch.nn.parallel.DistributedDataParallel(network) if "RANK" in os.environ else network
    stream = stream_windows(shards, STREAMING, workers=1, state=state)
    while stream.epoch < EPOCHS:
        for batch in stream:
            loss = torch.nn.functional.cross_entropy(trained(to_network(batch.windows)), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if stream.done % SAVE_EVERY == 0:
                save(saved, network, optimizer, stream.state())
        save(saved, network, optimizer, stream.state())
        print(f"epoch {stream.epoch - 1}: loss {loss.item():.3f}, {len(stream.problems)} clips left out")


def save(path: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer, state: dict) -> None:
    kept = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "stream": json.dumps(state)}
    torch.save(kept, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
