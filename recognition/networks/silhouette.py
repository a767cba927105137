"""A network that tells people from the room in pictures of a fixed camera, by what the room looks like without them.

It is shown a picture, the empty room, and the median of the recording's own pictures. What differs from both is somebody who
moves, or something that is carried; what differs from the empty room alone is somebody who keeps still, or furniture that was
moved since the room's picture was taken. Which of these it is, the network tells from its looks.
Its weights are trained on films made by this package alone (``benchmarks/silhouettes.py``).

Source: a U-Net (Ronneberger et al. 2015), given the two backgrounds as BSUV-Net is (Tezcan et al. 2020).
"""

from __future__ import annotations

import functools
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional

from .weights import FOLDER

SILHOUETTE_WEIGHTS = FOLDER / "silhouette.safetensors"
"""The weights shipped here."""
WIDTHS = (24, 40, 64, 96, 128)
"""Channels at a half, a quarter, ... of the picture's size."""
STEP = 32
"""Sides of what enters the network are multiples of this, pixels."""
CENTRE, CONTRAST, USUAL_DIFFERENCE = 0.45, 3.0, 0.3
"""Pixels (0..1) enter as themselves less ``CENTRE``; differences as ``CONTRAST`` times their size less ``USUAL_DIFFERENCE``."""
AT_ONCE = 16
"""Pictures that are looked at in one call."""


class SilhouetteNetwork(nn.Module):
    """From (b, 15, h, w), h and w multiples of ``STEP``, to logits of somebody being there, (b, h / 2, w / 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(15, WIDTHS[0], side=5, stride=2)
        down = pairwise(WIDTHS)
        self.encoder = nn.ModuleList(nn.Sequential(_convolution(a, b), _convolution(b, b)) for a, b in down)
        up = pairwise(reversed(WIDTHS))
        self.decoder = nn.ModuleList(_convolution(a + b, b) for a, b in up)
        self.head = nn.Conv2d(WIDTHS[0], 1, 3, padding=1)

    def forward(self, seen: Float[Tensor, "b 15 h w"]) -> Float[Tensor, "b hh ww"]:
        levels = [self.stem(seen)]
        for block in self.encoder:
            levels.append(block(functional.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for block in self.decoder:
            beside = levels.pop()
            x = block(torch.cat([functional.interpolate(x, size=beside.shape[-2:], mode="nearest"), beside], dim=1))
        return self.head(x)[:, 0]


def _convolution(inner: int, outer: int, *, side: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inner, outer, side, stride=stride, padding=side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outer), nn.ReLU(inplace=True))


def as_seen(
    pictures: UInt8[np.ndarray, "b h w 3"], plates: UInt8[np.ndarray, "b h w 3"], usual: UInt8[np.ndarray, "b h w 3"]
) -> Float32[Tensor, "b 15 h w"]:
    """What enters the network: the three pictures, and how far the first is from the others, each less its own median over the
    picture, because a camera's exposure changes."""
    seen, plate, mostly = (
        torch.from_numpy(np.array(each)).permute(0, 3, 1, 2).float() / 255 for each in (pictures, plates, usual)
    )

    def difference(room: Tensor) -> Tensor:
        found = seen - room
        return (found - found.flatten(2).median(dim=2).values[..., None, None]).abs() * CONTRAST - USUAL_DIFFERENCE

    centred = (seen - CENTRE, plate - CENTRE, mostly - CENTRE)
    return torch.cat([*centred, difference(plate), difference(mostly)], dim=1)


@functools.cache
def shipped_silhouette_network() -> SilhouetteNetwork:
    """The network with the weights shipped here, ready to use."""
    from safetensors.torch import load_file

    network = SilhouetteNetwork()
    network.load_state_dict({name: value.float() for name, value in load_file(SILHOUETTE_WEIGHTS).items()})
    return network.eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def silhouettes(
    pictures: UInt8[np.ndarray, "t h w 3"],
    *,
    plates: UInt8[np.ndarray, "t h w 3"],
    usual: UInt8[np.ndarray, "t h w 3"],
    network: SilhouetteNetwork | None = None,
) -> Float32[np.ndarray, "t hh ww"]:
    """The probability of somebody being there, at half the pictures' size.

    Args:
        pictures: RGB; people are 30 to 130 pixels tall in those that the network was trained on.
        plates: The same views of the empty room; where there is no picture of it, ``usual`` again.
        usual: The same views as the recording shows them most of the time.
        network: By default the shipped one.
    """
    network = shipped_silhouette_network() if network is None else network
    height, width = pictures.shape[1:3]
    found = []
    for start in range(0, len(pictures), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        seen = as_seen(pictures[part], plates[part], usual[part])
        seen = functional.pad(seen, (0, -width % STEP, 0, -height % STEP), mode="replicate")
        with torch.inference_mode():
            logits = network(seen.contiguous(memory_format=torch.channels_last))
        found.append(logits[:, : (height + 1) // 2, : (width + 1) // 2].sigmoid().numpy())
    return np.concatenate(found)
