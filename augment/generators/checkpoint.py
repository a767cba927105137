"""A trained generator and its file (safetensors: half-precision weights, tables, and facts as metadata)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..actions import FRAME_LABELS, Action, did_you_mean, own_action
from ..files import write_atomic
from .conditions import CHANNELS, SUPPORTS
from .dataset import MAX_FRAMES, TrainingSet, floor_heights, normalisation
from .denoiser import Denoiser, DenoiserConfig
from .diffusion import cosine_schedule

SHIPPED = Path(__file__).parent / "weights" / "generator.safetensors"
"""The weights that come with the package."""

FILE_NAME = "generator.safetensors"
"""The generator's file within a training run's folder."""

FORMAT = "understudy-motion-generator-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionGenerator:
    """A denoiser with everything needed to sample motions."""

    denoiser: Denoiser
    actions: tuple[str, ...]
    """Actions it can sample."""
    labels: tuple[str, ...] = FRAME_LABELS
    """Frame labels of the 16 channels."""
    own: dict[str, Action] = field(default_factory=dict)
    """Those of ``actions`` that are the user's own."""
    schedule: Float[Tensor, "steps"]
    """See ``diffusion``."""
    mean: Float[Tensor, "315"]
    std: Float[Tensor, "315"]
    profiles: Float[Tensor, "n 14"]
    """One row a training motion: action, frames, support, support height (m), betas (10). Sampling draws its defaults here."""
    lowest: Float[Tensor, "24"]
    """Lowest height of each joint, metres."""
    standing: Float[Tensor, "4"]
    """Height of each foot joint while it stands, metres."""
    facts: dict[str, Any] = field(default_factory=dict)
    """How it was trained: data, steps, seed."""

    def action_index(self, action: str) -> int:
        """Index of an action in the network's vocabulary.

        Raises:
            ValueError: If this generator was not trained on it; the message lists what it knows.
        """
        if action not in self.actions:
            hint, known = did_you_mean(action, self.actions), ", ".join(self.actions)
            raise ValueError(f"this generator does not know the action {action!r}{hint}; it knows: {known}")
        return self.actions.index(action)


def new_generator(data: TrainingSet, config: DenoiserConfig, *, seed: int) -> MotionGenerator:
    """An untrained generator for a training set."""
    mean, std = normalisation(data)
    lowest, standing = floor_heights(data)
    conditions = data.conditions
    lengths = torch.tensor([min(len(channels), MAX_FRAMES) for channels in data.channels])
    columns = [conditions.action, lengths, conditions.support, conditions.support_height]
    with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
        torch.manual_seed(seed)
        denoiser = Denoiser(config)
    return MotionGenerator(
        denoiser=denoiser,
        actions=data.actions,
        labels=data.labels,
        own=data.own,
        schedule=cosine_schedule(config.diffusion_steps),
        mean=mean,
        std=std,
        profiles=torch.cat([torch.stack([column.float() for column in columns], dim=1), conditions.betas], dim=1),
        lowest=lowest,
        standing=standing,
    )


def save_generator(model: MotionGenerator, path: Path, *, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write a generator's file, weights in half precision.

    Args:
        model: The generator.
        path: The file.
        weights: Written in place of the denoiser's own (training gives the running average).
    """
    state = weights if weights is not None else model.denoiser.state_dict()
    tensors = {f"denoiser.{name}": value.detach().half().contiguous() for name, value in state.items()}
    tensors |= {name: getattr(model, name).contiguous() for name in ("mean", "std", "profiles", "lowest", "standing")}
    metadata = {
        "format": FORMAT,
        "config": json.dumps(asdict(model.denoiser.config)),
        "actions": json.dumps(model.actions),
        "supports": json.dumps(SUPPORTS),
        "facts": json.dumps(model.facts, sort_keys=True),
    }
    if model.own or model.labels != FRAME_LABELS:
        own = {name: asdict(action) for name, action in model.own.items()}
        metadata |= {"labels": json.dumps(model.labels), "own": json.dumps(own, sort_keys=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, save(tensors, metadata))


def load_generator(path: Path | None = None) -> MotionGenerator:
    """Read a generator: a file, a training run's folder, or (None) the weights that come with the package.

    Raises:
        ValueError: If there is none, or it is not a generator's file.
    """
    path = SHIPPED if path is None else Path(path)
    if path.is_dir():
        path = path / FILE_NAME
    if not path.is_file():
        raise ValueError(f"no motion generator at {path}; train one with `augment motions train STORE --out MODEL`")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error}); expected a motion generator") from error
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path}: expected format {FORMAT!r}, found {metadata.get('format')!r}; train the generator again")
    config = DenoiserConfig(**json.loads(metadata["config"]))
    if config.channels != CHANNELS or tuple(json.loads(metadata["supports"])) != SUPPORTS:
        raise ValueError(f"{path}: made for other features ({config.channels} channels); train the generator again")
    with torch.random.fork_rng(devices=[]):
        denoiser = Denoiser(config)
    weights = {name.removeprefix("denoiser."): value.float() for name, value in tensors.items() if "." in name}
    denoiser.load_state_dict(weights)
    denoiser.requires_grad_(False).eval()
    own = json.loads(metadata.get("own", "{}"))
    return MotionGenerator(
        denoiser=denoiser,
        actions=tuple(json.loads(metadata["actions"])),
        labels=tuple(json.loads(metadata["labels"])) if "labels" in metadata else FRAME_LABELS,
        own={name: own_action(name, said["label"], said["captions"]) for name, said in own.items()},
        schedule=cosine_schedule(config.diffusion_steps),
        **{name: tensors[name] for name in ("mean", "std", "profiles", "lowest", "standing")},
        facts=json.loads(metadata["facts"]),
    )
