"""The network: a transformer over patches of frames, with a path of single frames beside it, that predicts the clean motion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .conditions import CONDITION_DIM, PLAIN_DIM, Conditions
from .diffusion import cosine_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoiserConfig:
    """Size of the network."""

    channels: int
    """Channels per frame."""
    actions: int
    """Number of actions."""
    width: int = 256
    """Width of a token."""
    layers: int = 5
    heads: int = 4
    mlp: int = 3
    """Hidden width of a block's MLP, in widths."""
    patch: int = 4
    """Frames per token."""
    overlap: int = 0
    """Frames of its neighbours on either side that a token also sees and predicts, so that no step shows between tokens."""
    fine: int = 0
    """Width of the path of single frames; 0 for none."""
    copies_below: float = 0.0
    """Noise, in deviations of the normalised channels, below which the input is copied more than predicted; 0 for never."""
    coloured: bool = False
    """Noise as smooth in time as motions are (``diffusion.smooth_noise``)."""
    goals: bool = False
    """Whether goal and heading at the end are among the conditions."""
    diffusion_steps: int = 1000
    """Noise levels of the cosine schedule."""

    @property
    def seen(self) -> int:
        """Frames that a token sees and predicts."""
        return self.patch + 2 * self.overlap

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.overlap <= self.patch:
            raise ValueError(f"overlap must lie in 0..{self.patch // 2}, half a patch of {self.patch}, found {self.overlap}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width must be a multiple of 2 * heads = {2 * self.heads}, found {self.width}")


def sinusoid(values: Float[Tensor, "*batch"], width: int, *, longest: float = 10000.0) -> Float[Tensor, "*batch width"]:
    """Sines and cosines of a number at wavelengths from 2 pi to 2 pi ``longest`` (Vaswani et al. 2017, section 3.5)."""
    rates = torch.exp(-math.log(longest) * torch.arange(width // 2, dtype=torch.float32) / (width // 2))
    angles = values[..., None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def tokens_from_ends(valid: Bool[Tensor, "b n"], width: int) -> Float[Tensor, "b n width"]:
    """Position of each token, counted from the start and from the end of the motion."""
    index = torch.arange(valid.shape[1]).float()
    left = valid.sum(1, keepdim=True) - 1 - index
    start = sinusoid(index, width // 2, longest=200.0).expand(len(valid), -1, -1)
    return torch.cat([start, sinusoid(left, width // 2, longest=200.0)], dim=-1)


class Block(nn.Module):
    """Attention and MLP, each modulated by the conditions (adaptive layer norm, Peebles & Xie 2022, "DiT", section 3.2)."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.up = nn.Linear(config.width, config.mlp * config.width)
        self.down = nn.Linear(config.mlp * config.width, config.width)
        # One projection of the conditions serves all blocks; each adds its own constant (adaLN-single, PixArt-alpha 2023).
        self.own_modulation = nn.Parameter(torch.zeros(6, config.width))
        nn.init.normal_(self.own_modulation, std=0.02)

    def forward(
        self, tokens: Float[Tensor, "b n w"], modulation: Float[Tensor, "b 6 w"], mask: Bool[Tensor, "b 1 1 n"]
    ) -> Float[Tensor, "b n w"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = (modulation + self.own_modulation)[:, :, None].unbind(1)
        width = tokens.shape[-1:]
        normed = F.layer_norm(tokens, width) * (1 + scale1) + shift1
        query, key, value = self.qkv(normed).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # Not torch's fused attention: for some fifty tokens it is several times slower on a CPU, mostly in the backward pass.
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        attended = scores.masked_fill(~mask, -torch.inf).softmax(-1).to(value.dtype) @ value
        tokens = tokens + gate1 * self.out(attended.transpose(1, 2).flatten(-2))
        normed = F.layer_norm(tokens, width) * (1 + scale2) + shift2
        return tokens + gate2 * self.down(F.gelu(self.up(normed), approximate="tanh"))


class Fine(nn.Module):
    """Frames beside the tokens: what four frames a token round off, and what joins one token to the next."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config, width = config, config.fine
        self.frames = nn.Linear(config.channels, width)
        self.tokens = nn.Linear(config.width, config.patch * width)
        self.modulation = nn.Linear(config.width, 2 * width)
        self.mixers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(2))
        self.out = nn.Linear(width, config.channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, frames: Float[Tensor, "b t d"], tokens: Float[Tensor, "b n w"], context: Float[Tensor, "b w"], present: Tensor
    ) -> Float[Tensor, "b t d"]:
        """What is added to the tokens' prediction."""
        coarse = self.tokens(tokens).unflatten(-1, (self.config.patch, -1)).flatten(1, 2)
        hidden = self.frames(frames) + coarse
        shift, scale = self.modulation(context)[:, None].chunk(2, dim=-1)
        hidden = F.layer_norm(hidden, hidden.shape[-1:]) * (1 + scale) + shift
        for mixer in self.mixers:
            hidden = hidden + F.gelu(mixer((hidden * present).transpose(1, 2)).transpose(1, 2), approximate="tanh")
        return self.out(hidden)


class Denoiser(nn.Module):
    """Predicts normalised clean features from normalised noisy ones."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.frames_in = nn.Linear(config.seen * config.channels, width)
        self.frames_out = nn.Linear(width, config.seen * config.channels)
        self.step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.action = nn.Embedding(config.actions + 1, width)  # the last row stands for "any action"
        asked = CONDITION_DIM if config.goals else PLAIN_DIM
        self.context = nn.Sequential(nn.Linear(asked, width), nn.SiLU(), nn.Linear(width, width))
        self.place = nn.Linear(width, width)
        self.what = nn.Linear(width, width)
        self.modulation = nn.Linear(width, 6 * width)
        self.last_modulation = nn.Linear(width, 2 * width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.fine = Fine(config) if config.fine else None
        self.signal: Tensor
        self.skip: Tensor
        self.predicted: Tensor
        alpha_bar = cosine_schedule(config.diffusion_steps)
        skip, predicted = skip_shares(alpha_bar, config.copies_below)
        for name, values in (("signal", alpha_bar.sqrt()), ("skip", skip), ("predicted", predicted)):
            self.register_buffer(name, values.float(), persistent=False)
        nn.init.normal_(self.action.weight, std=0.5)
        for last in (self.frames_out, self.last_modulation):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self,
        x_t: Float[Tensor, "b t d"],
        step: Int[Tensor, "b"],
        conditions: Conditions,
        valid: Bool[Tensor, "b t"],
    ) -> Float[Tensor, "b t d"]:
        """Predict x_0.

        Args:
            x_t: Noisy features; t may be any number of frames.
            step: Noise level of each motion.
            conditions: What is asked of each motion.
            valid: False where a motion has ended; what x_t holds there does not matter.
        """
        config, frames, width = self.config, x_t.shape[1], self.config.width
        missing = -frames % config.patch
        # sqrt(abar) x_t is the best estimate of x_0 given only its unit variance; with x_t itself as input the network would
        # have to learn to ignore noise, which takes longer training.
        given = F.pad(x_t * self.signal[step][:, None, None] * valid[..., None], (0, 0, 0, missing))
        present = F.pad(valid, (0, missing))
        whole = present.unflatten(1, (-1, config.patch)).any(-1)
        tokens = self.frames_in(split(given, config.patch, config.overlap))
        context = self.step(sinusoid(step * (1000 / config.diffusion_steps), width))
        asked = conditions.context()[:, : CONDITION_DIM if config.goals else PLAIN_DIM]
        context = F.silu(context + self.action(conditions.action) + self.context(asked))
        tokens = tokens + self.place(tokens_from_ends(whole, width)) + self.what(context)[:, None]
        modulation = self.modulation(context).unflatten(-1, (6, -1))
        for block in self.blocks:
            tokens = block(tokens, modulation, whole[:, None, None, :])
        shift, scale = self.last_modulation(context)[:, None].chunk(2, dim=-1)
        tokens = F.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale) + shift
        found = join(self.frames_out(tokens), whole, config.patch, config.overlap)
        if self.fine is not None:
            found = found + self.fine(given, tokens, context, present[..., None])
        skip, predicted = self.skip[step][:, None, None], self.predicted[step][:, None, None]
        return skip * x_t + predicted * found[:, :frames].float()


def split(frames: Float[Tensor, "b t d"], patch: int, overlap: int) -> Float[Tensor, "b n w"]:
    """Frames to tokens: each has its ``patch`` frames and ``overlap`` more on either side, zeros beyond the ends."""
    return F.pad(frames, (0, 0, overlap, overlap)).unfold(1, patch + 2 * overlap, patch).transpose(-1, -2).flatten(-2)


def join(tokens: Float[Tensor, "b n w"], whole: Bool[Tensor, "b n"], patch: int, overlap: int) -> Float[Tensor, "b t d"]:
    """Tokens to frames, the inverse of ``split``: where two overlap, their weighted mean passes from one to the other."""
    parts = tokens.unflatten(-1, (patch + 2 * overlap, -1))
    if not overlap:
        return parts.flatten(1, 2)
    ramp = torch.sin((torch.arange(2 * overlap) + 0.5) * (math.pi / (4 * overlap))) ** 2
    window = torch.cat([ramp, torch.ones(patch - 2 * overlap), ramp.flip(0)])
    weights = (window * whole[..., None])[..., None]
    total, weight = _overlap_add(parts.float() * weights, patch, overlap), _overlap_add(weights, patch, overlap)
    return total / weight.clamp(min=1e-6)


def _overlap_add(parts: Float[Tensor, "b n s d"], patch: int, overlap: int) -> Float[Tensor, "b t d"]:
    """Sum of parts that start ``overlap`` frames before each patch and end as many after it."""
    before, own, after = parts.split([overlap, patch, overlap], dim=2)
    # What a token has of its neighbours' frames is added to their first and last ones.
    early = F.pad(after[:, :-1], (0, 0, 0, patch - overlap, 1, 0))
    late = F.pad(before[:, 1:], (0, 0, patch - overlap, 0, 0, 1))
    return (own + early + late).flatten(1, 2)


def skip_shares(
    alpha_bar: Float[Tensor, "steps"], copies_below: float
) -> tuple[Float[Tensor, "steps"], Float[Tensor, "steps"]]:
    """Factors of the noisy input and of the network's own prediction at each step.

    With noise sigma = sqrt((1 - abar) / abar) on x_0 the input weighs d^2 / (d^2 + sigma^2), d = ``copies_below``, the
    prediction the rest: a clean motion comes out as it is, and the network need not carry noise through its tokens. (As the
    skip path of Karras et al. 2022, "EDM", table 1, with x_0 in place of the mixture that is predicted there.)
    """
    share = copies_below**2 * alpha_bar / (copies_below**2 * alpha_bar + 1 - alpha_bar)
    return share / alpha_bar.sqrt(), 1 - share
