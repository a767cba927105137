"""Train on shards with nothing but webdataset and PyTorch: python examples/pytorch_loop.py SHARDS OUT"""

import functools
import sys
from pathlib import Path

import torch
import webdataset

from augment.shards.video_codec import decode_video

FRAMES = 6


def to_tensors(sample: dict, actions: list[str]) -> tuple[torch.Tensor, int]:
    """One sample as (video (3, FRAMES, h, w) in 0..1, index of its action)."""
    frames, _ = decode_video(sample["mp4"])  # (t, h, w, 3) u8
    rows = torch.linspace(0, len(frames) - 1, FRAMES).long()
    return torch.from_numpy(frames)[rows].permute(3, 0, 1, 2).float() / 255, actions.index(sample["json"]["label"])


def main(shards: Path, out: Path) -> None:
    urls = [str(path) for path in sorted(shards.glob("*.tar"))]
    stored = webdataset.WebDataset(urls, shardshuffle=False)  # type: ignore[attr-defined]
    actions = sorted({sample["json"]["label"] for sample in stored.decode(only=["json"])})  # those of your own too
    dataset = stored.shuffle(100).decode().map(functools.partial(to_tensors, actions=actions))
    loader = torch.utils.data.DataLoader(dataset, batch_size=2)
    network = torch.nn.Sequential(
        torch.nn.Conv3d(3, 8, 3, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(),
        torch.nn.Linear(8, len(actions)),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for epoch in range(2):
        for video, label in loader:
            loss = torch.nn.functional.cross_entropy(network(video), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print(f"epoch {epoch}: loss {loss.item():.3f}")
    out.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), out / "network.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
