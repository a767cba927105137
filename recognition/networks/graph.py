"""ST-GCN: keypoints as a graph, joined along the body's bones and over time.

Source:
    Yan et al. 2018, "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition": the partition of a
    point's neighbours into itself, those nearer to the body's middle and those farther from it; learnt weights of the edges.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

BONES = (
    (0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (0, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12),
    (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip
"""COCO's points, joined."""
STEPS = (2, 3, 3, 4, 4, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1, 2, 2)
"""Bones between each point and the hips, the middle of the body."""
WIDTHS = (48, 48, 96, 96, 192, 192)
"""Channels of the layers; where they double, time is halved."""
REACH = 9
"""Times that a layer's convolution sees."""


def adjacency() -> Float[Tensor, "3 17 17"]:
    """For itself, neighbours nearer to the hips (or as near), and those farther: each row sums to 1, or to 0 without any."""
    joined = torch.zeros(3, 17, 17)
    joined[0] = torch.eye(17)
    for one, other in BONES:
        for to, of in ((one, other), (other, one)):
            joined[1 if STEPS[of] <= STEPS[to] else 2, to, of] = 1
    return joined / joined.sum(dim=-1, keepdim=True).clamp(min=1)


class _Layer(nn.Module):
    def __init__(self, width: int, out: int, *, stride: int) -> None:
        super().__init__()
        self.mixed = nn.Conv2d(width, 3 * out, 1)
        self.edges = nn.Parameter(torch.ones(3, 17, 17))
        self.over_time = nn.Sequential(
            nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, (REACH, 1), stride=(stride, 1), padding=(REACH // 2, 0)), nn.BatchNorm2d(out), nn.Dropout(0.2),
        )  # fmt: skip
        self.past = nn.Identity()
        if stride > 1 or width != out:
            self.past = nn.Sequential(nn.Conv2d(width, out, 1, stride=(stride, 1)), nn.BatchNorm2d(out))

    def forward(self, x: Float[Tensor, "b c t 17"], joined: Float[Tensor, "3 17 17"]) -> Float[Tensor, "b d t2 17"]:
        parts = self.mixed(x).unflatten(1, (3, -1))
        gathered = torch.einsum("bpctj,pij->bcti", parts, joined * self.edges)
        return torch.relu(self.over_time(gathered) + self.past(x))


class StGcn(nn.Module):
    """Six layers of graph and temporal convolution, mean over times and points, one linear layer. 1.1 M weights."""

    joined: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("joined", adjacency(), persistent=False)
        self.start = nn.BatchNorm1d(5 * 17)
        widths = (5, *WIDTHS)
        self.layers = nn.ModuleList(
            _Layer(width, out, stride=2 if out > width > 5 else 1) for width, out in zip(widths, WIDTHS, strict=False)
        )
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, points: Float[Tensor, "b 3 t 17"]) -> Float[Tensor, "b c"]:
        """Logits of windows as ``inputs.keypoints.KeypointStore`` gives them; each point's velocity is added."""
        velocity = torch.diff(points[:, :2], dim=2, prepend=points[:, :2, :1]) * points.shape[2] / 4
        x = torch.cat([points, velocity], dim=1)
        x = self.start(x.permute(0, 1, 3, 2).flatten(1, 2)).unflatten(1, (5, 17)).permute(0, 1, 3, 2)
        for layer in self.layers:
            x = layer(x, self.joined)
        return self.head(x.mean(dim=(2, 3)))


def st_gcn(classes: int, *, frames: int, size: int) -> nn.Module:
    """ST-GCN, smaller than the paper's, for COCO's points."""
    del frames, size
    return StGcn(classes)
