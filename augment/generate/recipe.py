"""A recipe in YAML, validated, and the plan of clips that follows from it."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from ..actions import Action, own_action, require_action_name
from ..files import sha256_of_json
from ..seeds import clip_rng
from ..shards.sample import KEY_PATTERN
from .events import ActionItem, ClipItem, Strict, require_known_actions
from .filming import CameraKind, FilmOptions, GivenCamera, SceneCameras


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"expected [low, high], found [{pair[0]:g}, {pair[1]:g}]")
    return pair


def _named(name: str) -> str:
    if not KEY_PATTERN.fullmatch(name):
        raise ValueError(f"expected letters, digits, '_' and '-', found {name!r}")
    return name


def _known_outfits(names: tuple[str, ...]) -> tuple[str, ...]:
    from ..film.outfits import OUTFITS

    for name in names:
        if name not in OUTFITS:
            raise ValueError(f"unknown outfit {name!r}; expected one of: {', '.join(OUTFITS)}")
    return names


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


class SceneItem(Strict):
    """One line of ``scenes``: exactly one of room, rooms, path."""

    room: int | None = None
    """Seed of an embedded room."""
    rooms: int | None = Field(default=None, ge=1)
    """So many embedded rooms, their seeds 0, 1, 2, ..."""
    path: Path | None = None
    """A scene folder (``augment scenes ...`` writes them), relative to the recipe."""
    camera: CameraKind | None = None
    """Kind of camera in this scene; ``film.camera`` if left out."""
    cameras: tuple[GivenCamera, ...] = ()
    """Cameras to film from in this scene instead of drawn ones."""

    @model_validator(mode="after")
    def _cameras_fit(self) -> SceneItem:
        if self.cameras and self.camera is not None:
            raise ValueError("expected camera or cameras, not both")
        if self.cameras and self.rooms is not None:
            raise ValueError("cameras belong to one scene; use room or path, not rooms")
        return self

    @model_validator(mode="after")
    def _one_key(self) -> SceneItem:
        if sum(value is not None for value in (self.room, self.rooms, self.path)) != 1:
            raise ValueError("expected exactly one of room, rooms, path")
        return self


class PeopleOptions(Strict):
    """What bodies are drawn."""

    height_m: Range = (1.5, 1.9)
    """Stature, metres."""
    age: Range = (60.0, 90.0)
    """Years, 25-90; it changes body shape and hair."""
    outfits: Annotated[tuple[str, ...], AfterValidator(_known_outfits)] = ()
    """Keys of ``film.outfits.OUTFITS`` to draw from; empty: all, by their usual odds."""
    body: Path | None = None
    """An SMPL-family file instead of the open default body, relative to the recipe."""


class ShardOptions(Strict):
    """How clips are stored."""

    samples_per_shard: int = Field(default=32, ge=1)
    """Clips in one tar; at most so many are lost if the run is killed."""


class Recipe(Strict):
    """A whole run."""

    name: Annotated[str, AfterValidator(_named)] = "clips"
    """Goes in front of every sample's key."""
    seed: int = Field(default=0, ge=0)
    """The run's seed; ``--seed`` overrides it."""
    actions: dict[Annotated[str, AfterValidator(require_action_name)], ActionItem] = Field(default_factory=dict)
    """Actions of your own, by name: frame label and captions. Their motions come from a motion file, a store or a generator."""
    scenes: tuple[SceneItem, ...] = Field(min_length=1)
    clips: tuple[ClipItem, ...] = Field(min_length=1)
    people: PeopleOptions = PeopleOptions()
    film: FilmOptions = FilmOptions()
    shards: ShardOptions = ShardOptions()
    attempts: int = Field(default=8, ge=1)
    """Tries before a clip is given up."""

    @model_validator(mode="after")
    def _known_actions(self) -> Recipe:
        require_known_actions(self.actions, self.clips)
        return self


SECTIONS: dict[str, type[Strict]] = {
    "": Recipe, "actions": ActionItem, "scenes": SceneItem, "cameras": GivenCamera, "clips": ClipItem,
    "people": PeopleOptions, "film": FilmOptions, "shards": ShardOptions,
}  # fmt: skip
"""Section of the recipe to what may stand in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedClip:
    """One clip to make."""

    key: str
    """The sample's key."""
    number: int
    """Index of the clip among those of this action."""
    action: str
    source: str
    path: Path | None
    others: int
    scene: str
    """Name of its scene, see ``scene_names``."""
    support: str = "auto"
    """Of a motion file, see ``ClipItem.support``."""
    prop: str | None = None
    """See ``ClipItem.prop``."""
    two: bool = False
    """Two people take part in the action."""
    motion: str | None = None
    """Name of its motion in the run's pool (``motion_pool``); None for a motion of its own."""
    defined: Action | None = None
    """What the recipe says about the action; None if nothing."""


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe; its paths become relative to the recipe's own folder.

    Raises:
        ValueError: One line a fault, naming file, key, what was found and what is valid.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such recipe") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected keys such as {', '.join(SECTIONS[''].model_fields)}, found {type(data).__name__}")
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise ValueError("\n".join(f"{path}: {_explain(fault)}" for fault in _causes(error))) from error
    return _resolve_paths(recipe, path.resolve().parent)


def _causes(error: ValidationError) -> list[Any]:
    """The faults without those that only follow from others: a list of which no item is valid counts as too short."""
    faults = error.errors()
    inner = [fault["loc"] for fault in faults if fault["type"] != "too_short"]
    return [
        fault for fault in faults
        if fault["type"] != "too_short" or not any(loc[: len(fault["loc"])] == fault["loc"] for loc in inner)
    ]  # fmt: skip


def _explain(fault: Any) -> str:
    """One validation fault in words."""
    loc = [part for part in fault["loc"] if part != "[key]"]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    if fault["type"] != "extra_forbidden":
        message = " ".join(fault["msg"].removeprefix("Value error, ").split())
        found = (
            "" if isinstance(fault["input"], dict | list) or repr(fault["input"]) in message else f" (found {fault['input']!r})"
        )
        return f"{where}: {message}{found}" if where else f"{message}{found}"
    # Keys of ``actions`` are names of the user's own, whatever sections are called.
    outer = loc[:1] if loc[0] == "actions" and len(loc) > 1 else loc[-2::-1]
    section = next((part for part in outer if isinstance(part, str)), "")
    valid = [field.alias or name for name, field in SECTIONS[section].model_fields.items()]
    near = difflib.get_close_matches(str(fault["loc"][-1]), valid, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{where}: unknown key; {guess}valid: {', '.join(valid)}"


def _resolve_paths(recipe: Recipe, folder: Path) -> Recipe:
    def resolved(item: Any, name: str = "path") -> Any:
        path = getattr(item, name)
        return item if path is None else item.model_copy(update={name: (folder / path).resolve()})

    return recipe.model_copy(
        update={
            "scenes": tuple(resolved(scene) for scene in recipe.scenes),
            "clips": tuple(resolved(clip) for clip in recipe.clips),
            "people": resolved(recipe.people, "body"),
        }
    )


def scene_names(recipe: Recipe) -> dict[str, int | Path]:
    """Each scene's name to the embedded room's seed or the scene's folder, in the recipe's order.

    Raises:
        ValueError: If two scenes get the same name.
    """
    names: dict[str, int | Path] = {}
    for item in recipe.scenes:
        found: list[int | Path]
        if item.path is not None:
            found = [item.path]
        else:
            found = [item.room] if item.room is not None else list(range(item.rooms or 0))
        for scene in found:
            name = scene.name if isinstance(scene, Path) else f"room-{scene}"
            if names.get(name, scene) != scene:
                raise ValueError(f"scenes: {scene} and {names[name]} are both called {name!r}; rename one folder")
            names[name] = scene
    return names


def scene_cameras(recipe: Recipe) -> dict[str, SceneCameras]:
    """Each scene's name to the cameras it is filmed from.

    Raises:
        ValueError: If a scene is named twice with different cameras.
    """
    cameras: dict[str, SceneCameras] = {}
    for item in recipe.scenes:
        kind = item.camera or recipe.film.camera
        views = 1 if kind == "scene" else recipe.film.views
        own = SceneCameras(kind=kind, views=views)
        if item.cameras:
            own = SceneCameras(kind="given", views=len(item.cameras), given=item.cameras)
        for name in scene_names(recipe.model_copy(update={"scenes": (item,)})):
            if cameras.setdefault(name, own) != own:
                raise ValueError(f"scenes: {name!r} is listed twice with different cameras; list all of them on one line")
    return cameras


SCENES_AT_A_TIME = 16
"""Scenes whose clips are mixed in the same shards; a worker holds as many."""


def make_plan(recipe: Recipe, seed: int) -> list[PlannedClip]:
    """Every clip of the run, mixed so that each shard holds all actions.

    Scenes take turns within an action, so that no action is tied to a room. ``SCENES_AT_A_TIME`` of them are filmed before the
    next ones, so that a worker does not read a scene and see it through its cameras again for every clip.
    """
    scenes, counts, clips = list(scene_names(recipe)), Counter[str](), []
    own = {name: own_action(name, item.label, item.captions) for name, item in recipe.actions.items()}
    for line, item in enumerate(recipe.clips):
        for index in range(item.count):
            number = counts[item.action]
            counts[item.action] += 1
            clips.append(
                PlannedClip(
                    key=f"{recipe.name}-{item.action}-{number:06d}", number=number, action=item.action, source=item.source,
                    path=item.path, others=item.others, scene=scenes[number % len(scenes)], support=item.support,
                    defined=own.get(item.action), prop=item.prop, motion=_motion_name(item, line, index), two=item.two,
                )
            )  # fmt: skip
    mixed = [clips[index] for index in clip_rng(seed, "order", 0).permutation(len(clips))]
    turn = {scene: number // SCENES_AT_A_TIME for number, scene in enumerate(scenes)}
    return sorted(mixed, key=lambda clip: turn[clip.scene])


def _motion_name(item: ClipItem, line: int, index: int) -> str | None:
    """Name of the shared motion of an item's clip. Each round begins with another motion, so that none is tied to a scene."""
    if item.motions is None:
        return None
    return f"{item.action}-{line}-{(index + index // item.motions) % item.motions:06d}"


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 of the recipe's content, independent of its folder: of paths only the last name counts."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [bare(item) for item in value]
        return value.name if isinstance(value, Path) else value

    return sha256_of_json(bare(recipe.model_dump(exclude={"seed"})))
