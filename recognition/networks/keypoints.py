"""Networks that look at keypoints."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

POINTS = 17
WIDTH = 128


class KeypointCnn(nn.Module):
    """Four 1-D convolutions over time, mean and maximum over time, one linear layer. 0.3 M weights.

    Beside place and confidence, its first layer sees each point's velocity and its place relative to the middle of the hips.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 7 * POINTS
        for _ in range(4):
            layers += [nn.Conv1d(width, WIDTH, 5, padding=2, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Dropout(0.2)]
            width = WIDTH
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(2 * WIDTH, classes)

    def forward(self, points: Float[Tensor, "b 3 t 17"]) -> Float[Tensor, "b c"]:
        """Logits of windows as ``inputs.keypoints.KeypointStore`` gives them."""
        place = points[:, :2]
        velocity = torch.diff(place, dim=2, prepend=place[:, :, :1]) * place.shape[2] / 4
        hips = place[..., 11:13].mean(dim=-1, keepdim=True)
        features = torch.cat([points, velocity, place - hips], dim=1)
        seen = self.layers(features.permute(0, 1, 3, 2).flatten(1, 2))
        return self.head(torch.cat([seen.mean(dim=2), seen.amax(dim=2)], dim=1))


def keypoint_cnn(classes: int, *, frames: int, size: int) -> nn.Module:
    """1-D convolutions over keypoints."""
    del frames, size
    return KeypointCnn(classes)
