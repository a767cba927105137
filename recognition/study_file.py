"""STUDY.yaml read: a study from plain data, its paths made absolute, mistakes explained in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from augment.actions import did_you_mean

from .input_settings import ChosenInput, InputSettings
from .networks.weights import is_file
from .study import Arm, Source, Study


def load_study(path: Path) -> Study:
    """Read STUDY.yaml.

    Raises:
        ValueError: One line that names the file, the key and what was expected.
        OSError: If the file cannot be read.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected a mapping with keys such as classes, real, synthetic, test, arms")
    return make_study(data, folder=path.parent, name=str(path))


def make_study(data: dict[str, Any], *, folder: Path = Path(), name: str = "study") -> Study:
    """A checked study from plain data; relative paths are taken from ``folder``.

    Raises:
        ValueError: One line that names ``name``, the key and what was expected.
    """
    try:
        study = Study.model_validate(data)
        study = study.model_copy(update={"arms": study.smaller_arms()})
    except ValidationError as error:
        # `real: {...}` in an arm is validated as a bool first; that error says nothing.
        problems = [problem for problem in error.errors() if problem["type"] not in ("bool_type", "bool_parsing")]
        once = _once(problems or error.errors(), data)
        raise ValueError(f"{name}: " + "; ".join(dict.fromkeys(map(_explain, once)))) from error
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error

    def absolute(source: Any) -> Any:
        if not isinstance(source, Source):
            return source
        csv = source.csv and (folder / source.csv.expanduser()).resolve()
        return source.model_copy(
            update={
                "csv": csv,
                "plate": source.plate and (folder / source.plate.expanduser()).resolve(),
                "shards": tuple(
                    path if isinstance(path, str) else (folder / path.expanduser()).resolve() for path in source.shards
                ),
            }
        )

    def placed(weights: str) -> str:
        return str((folder / Path(weights).expanduser()).resolve()) if is_file(weights) else weights

    arms = [arm.model_copy(update={kind: absolute(getattr(arm, kind)) for kind in ("real", "synthetic")}) for arm in study.arms]
    found = {kind: absolute(getattr(study, kind)) for kind in ("real", "synthetic", "test", "validation")}
    inputs = tuple(one.model_copy(update={"weights": placed(one.weights)}) for one in study.inputs)
    return study.model_copy(update={"arms": arms, "weights": placed(study.weights), "inputs": inputs, **found})


def _once(problems: Sequence[Any], data: Mapping[str, Any]) -> list[Any]:
    """The problems without repetitions: a setting of several inputs is checked for each of them and for the study.

    It is told where the file states it: in the study, or in an input.
    """
    several = any(problem["loc"][:1] == ("inputs",) for problem in problems)

    def stated(problem: Any) -> bool:
        place = problem["loc"]
        if place[:1] == ("inputs",) and len(place) == 3:
            return not (place[2] in data and data[place[2]] == problem["input"])
        return not (several and len(place) == 1 and place[0] in InputSettings.model_fields and place[0] not in data)

    return [problem for problem in problems if stated(problem)]


def _explain(problem: Any) -> str:
    """One line for one of pydantic's errors, with the nearest valid key for an unknown one."""
    parts = [str(part) for part in problem["loc"] if not str(part).startswith(("function-", "bool", "Source"))]
    if parts[:1] == ["inputs"]:
        parts[0] = "input"
    where = ".".join(parts)
    if problem["type"] == "extra_forbidden":
        owner: type[BaseModel] = Study
        if len(parts) > 1:
            owner = Arm if parts[0] == "arms" and len(parts) <= 3 else ChosenInput if parts[0] == "input" else Source
        return f"unknown key {where!r}{did_you_mean(parts[-1], owner.model_fields)}; valid: {', '.join(owner.model_fields)}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"key {where!r} is missing"
    return f"{where}: {message} (found {problem['input']!r:.60})" if where and problem["type"] != "value_error" else message
