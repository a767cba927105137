"""What a study may say about each of its inputs: kind, network, windows, updates."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from augment.actions import did_you_mean

from .inputs.kinds import INPUTS
from .networks.build import check_weights, check_windows

FUSED = "fused"
"""Name of the further input that stands for the mean of the others' probabilities."""


class Strict(BaseModel):
    """A part of a study: no key that is not listed, no change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSettings(Strict):
    """Settings that each input of a study may have for itself; those of the study hold for inputs that do not state theirs."""

    model: str = "x3d_xs"
    """A network that takes this input: a key of ``networks.build.MODELS``."""
    frames: int = Field(8, ge=1, le=128)
    """Frames taken from a window, evenly."""
    size: int = Field(160, ge=32, le=512)
    """Side of the square picture that the network sees, pixels."""
    weights: str = "none"
    """What training starts from: ``none``, a checkpoint of ``recognition train`` (its .safetensors file) of the same model, all
    of it but the head, ``understudy`` for those shipped here, or a library's own (``torchvision``, ``pytorchvideo``,
    ``transformers``), which needs a network once."""
    steps: int = Field(300, ge=1)
    """Updates: the same for every arm."""
    batch: int = Field(8, ge=2)
    """Windows an update."""
    lr: float = Field(2e-3, gt=0)
    """Peak learning rate of AdamW; a tenth of the steps warm up, then a cosine to zero."""


class ChosenInput(InputSettings):
    """One of several inputs of a study."""

    kind: str
    """What the classifier looks at: a key of ``inputs.kinds.INPUTS``."""
    name: str
    """Its name in the report; by default its kind."""


def with_inputs(data: dict[str, Any]) -> dict[str, Any]:
    """A study's plain data with ``input`` resolved: the settings of its first input; if it has several, of all in ``inputs``.

    An input's setting is its own, else the study's, else its kind's default. A study's ``model`` holds for the inputs that
    it can take.

    Raises:
        ValueError: If an input is unknown, or two have one name.
    """
    if "inputs" in data:
        raise ValueError("unknown key 'inputs' (did you mean 'input'?): `input` takes a name, or a list of names and mappings")
    given = data.get("input", "rgb")
    items = given if isinstance(given, list | tuple) else [given]
    if not items:
        raise ValueError(f"input: the list is empty; expected one or more of: {', '.join(INPUTS)}")
    chosen = [_chosen(item, data, several=len(items) > 1) for item in items]
    names = [one["name"] for one in chosen]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two inputs are named {name!r}; give one of them another `name`")
        if not isinstance(name, str) or not name.replace("_", "").replace("-", "").isalnum() or name == FUSED:
            raise ValueError(f"input name {name!r}: use letters, digits, '_' and '-', and not {FUSED!r}")
    first = {key: value for key, value in chosen[0].items() if key not in ("kind", "name")}
    return {**data, **first, "input": chosen[0]["kind"], "inputs": chosen if len(chosen) > 1 else []}


def _chosen(item: Any, data: dict[str, Any], *, several: bool) -> dict[str, Any]:
    """One item of ``input`` with all its settings."""
    own = dict(item) if isinstance(item, dict) else {"kind": item}
    kind = own.pop("kind", None)
    if kind not in INPUTS:
        hint = did_you_mean(str(kind), INPUTS)
        raise ValueError(f"unknown input {kind!r}{hint}; expected one of: {', '.join(INPUTS)}, or a mapping with `kind`")
    stated = {key: data[key] for key in InputSettings.model_fields if key in data}
    takers = [name for name, other in INPUTS.items() if stated.get("model") in other.models]
    if several and takers and kind not in takers:
        del stated["model"]  # it is meant for the inputs that it can take
    return {"name": kind, **INPUTS[kind].defaults, **stated, **own, "kind": kind}


def require_network(kind: str, settings: InputSettings) -> None:
    """Check an input's network, its windows and the weights it starts from.

    Raises:
        ValueError: With what would be right, if the network does not take the input, or windows of this size, or there are no
            such weights.
    """
    model, models = settings.model, INPUTS[kind].models
    if model not in models:
        other = [name for name, entry in INPUTS.items() if model in entry.models]
        valid = f"expected one of: {', '.join(models)}"
        if other:
            raise ValueError(f"model {model!r} takes input {' or '.join(other)}, not {kind}; {valid}")
        raise ValueError(f"unknown model {model!r}{did_you_mean(model, models)}; {valid}")
    check_windows(model, frames=settings.frames, size=settings.size)
    check_weights(settings.weights, model=model, input=kind)
