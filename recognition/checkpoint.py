"""Save a trained classifier with what is needed to use it, and load it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from augment.files import write_atomic

from .alarms import UNSET_THRESHOLD, AlarmRule
from .device import compute_device
from .networks.build import build_model
from .networks.weights import CHECKPOINT_FORMAT, read_checkpoint
from .study import Study
from .study_file import make_study

KEPT = ("input", "classes", "rare_class", "window_sec", "frames", "size", "model", "precision", "max_bad_share")
"""Settings of the study that a checkpoint stores: all that testing needs."""
KEPT_LATER = ("alarm_windows", "alarm_release")
"""The same, of which older checkpoints have none: then they are the study's defaults."""


def save_checkpoint(
    path: Path,
    network: nn.Module,
    study: Study,
    *,
    arm: str,
    seed: int,
    temperature: float | None = None,
    alarm_threshold: float | None = None,
) -> None:
    """Write weights (safetensors) with what is needed to use them, atomically.

    The classes are stored in the order of the network's outputs.

    Args:
        path: The file.
        network: The weights.
        study: What it was trained for.
        arm: Name of the arm.
        seed: Of the training.
        temperature: What its logits are divided by before its probabilities are trusted; None if it is not known.
        alarm_threshold: Probability of the rare class, after temperature, that raises an alarm; None likewise.
    """
    from safetensors.torch import save

    settings = study.model_dump(mode="json", include={*KEPT, *KEPT_LATER})
    about = {"format": CHECKPOINT_FORMAT, "arm": arm, "seed": seed, **settings}
    about |= {"temperature": temperature, "alarm_threshold": alarm_threshold}
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(path, save(tensors, metadata={"understudy": json.dumps(about)}))


def load_checkpoint(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network, ready to evaluate, and what was written about it.

    Raises:
        ValueError: If it is not a checkpoint of ``recognition train``.
        OSError: If it cannot be read.
    """
    tensors, about = read_checkpoint(path)
    if missing := [name for name in KEPT if name not in about]:
        raise ValueError(f"{path}: field {missing[0]}: missing; train the classifier again")
    later = {name: Study.model_fields[name].default for name in KEPT_LATER}
    about = {**later, "temperature": None, "alarm_threshold": None, **about}
    for name, least, most in (("temperature", 0.01, 100), ("alarm_threshold", 0, 1)):
        value = about[name]
        if value is not None and not (isinstance(value, int | float) and least <= value <= most):
            raise ValueError(
                f"{path}: field {name}: expected a number, {least} to {most}, found {value!r}; train the classifier again"
            )
    study_of(about, test={"csv": "test.csv"}, path=path)
    try:
        network = build_model(about["model"], len(about["classes"]), frames=about["frames"], size=about["size"])
        network.load_state_dict(tensors)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: its weights do not fit what is written about them ({reason:.160})") from error
    return network.to(compute_device()).eval(), about


def study_of(about: Mapping[str, Any], *, test: Mapping[str, Any], path: Path) -> Study:
    """A study that tests a checkpoint's network.

    Args:
        about: What is written about it.
        test: The source of test clips, as in STUDY.yaml.
        path: The checkpoint, for errors.
    Raises:
        ValueError: If a setting of the checkpoint is not what a study may say.
    """
    settings = {key: about[key] for key in (*KEPT, *KEPT_LATER)}
    return make_study({**settings, "arms": [{"name": "test", "real": test}], "test": test}, name=str(path))


def rule_of(about: Mapping[str, Any], *, watch_for: str, threshold: float | None = None) -> AlarmRule:
    """When a checkpoint's probabilities are an alarm.

    Args:
        about: What ``load_checkpoint`` returned.
        watch_for: The class of the alarms.
        threshold: Instead of the checkpoint's, which is the rare class's; without either, ``alarms.UNSET_THRESHOLD``.
    """
    if threshold is None and watch_for == about["rare_class"]:
        threshold = about["alarm_threshold"]
    return AlarmRule(
        windows=about["alarm_windows"],
        release=about["alarm_release"],
        threshold=UNSET_THRESHOLD if threshold is None else threshold,
    )
