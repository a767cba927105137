"""Clips as PyTorchVideo's dictionaries in a loop of your own: python examples/pytorchvideo_loop.py CSV_OR_SHARDS_OR_URL OUT

A CSV of real videos or a folder of shards is decoded once and kept; shards at an address (http://host/shards/) are streamed.
"""

import sys
from pathlib import Path

import torch

from recognition.stream import Streaming
from recognition.torch_data import ClipDataset, StreamedClipDataset

CLASSES = {"standing": ["standing"], "fall": ["fall"], "down": ["fallen", "lying"]}


def main(source: str, out: Path) -> None:
    if "://" in source:
        streamed = StreamedClipDataset(source, Streaming(classes=CLASSES, window_sec=1.0, frames=4, size=32, augment=True))
        loader = torch.utils.data.DataLoader(streamed, batch_size=2)
    else:
        kept = ClipDataset(source, CLASSES, folder=out / "decoded", window_sec=1.0, frames=4, size=32, augment=True)
        loader = torch.utils.data.DataLoader(kept, batch_size=2, shuffle=True)
    network = torch.nn.Sequential(
        torch.nn.Conv3d(3, 8, 3, stride=(1, 2, 2)), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(),
        torch.nn.Linear(8, len(CLASSES)),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for clip in loader:
        loss = torch.nn.functional.cross_entropy(network(clip["video"] / 255), clip["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"{clip['video_name'][0]} and others: loss {loss.item():.3f}")
    out.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), out / "network.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
