"""What a recipe may say about events: actions of the user's own, and the clips that show an action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..actions import (
    ACTIONS,
    DAILY,
    DOUBTFUL,
    FALLS,
    FRAME_LABELS,
    PAIRS,
    did_you_mean,
    require_action_name,
    require_caption,
    require_label,
)
from ..sources.mocap.files import ENDINGS

SourceName = Literal["library", "physics", "generator", "store", "file"]
"""Where motions come from; ``file`` is written as the motion file's path."""


class Strict(BaseModel):
    """A section of a recipe: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class ActionItem(Strict):
    """One entry of ``actions``: an action of your own, or another label and other captions for one of ``actions.ACTIONS``.

    ``wander: other`` is short for ``wander: {label: other}``.
    """

    label: Annotated[str, AfterValidator(require_label)]
    """Frame label of the action's core: one of ``actions.FRAME_LABELS``, or one of your own."""
    captions: Annotated[tuple[Annotated[str, AfterValidator(require_caption)], ...], BeforeValidator(_as_list)] = ()
    """Sentences, drawn at random, with ``{who}`` for the person; instead of the motions' own where there are some."""

    @model_validator(mode="before")
    @classmethod
    def _has_label(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"label": value}
        if value is None or (isinstance(value, dict) and "label" not in value):
            valid = ", ".join(FRAME_LABELS)
            raise ValueError(f"an action needs a frame label, as in {{label: other}}; one of your own, or one of: {valid}")
        return value


def _known_prop(name: str) -> str:
    from ..motion.carrying import PROPS

    if name not in PROPS:
        raise ValueError(f"unknown prop {name!r}{did_you_mean(name, PROPS)}; expected one of: {', '.join(PROPS)}")
    return name


class ClipItem(Strict):
    """One line of ``clips``."""

    action: Annotated[str, AfterValidator(require_action_name)]
    """The action: a key of ``actions.ACTIONS``, or one of your own."""
    count: int = Field(default=1, ge=1)
    """Number of clips."""
    motions: int | None = Field(default=None, ge=1)
    """Number of different motions among the clips, made ahead and each used by several clips with another body, look, place
    and camera; a motion of its own for every clip if left out. It saves time where motions take long: falls, the generator.
    A clip in whose room its motion finds no place gets one of its own."""
    source: SourceName = Field(default="library", alias="from")
    """``library``: scripted, falls simulated; ``physics``: simulated falls only; ``generator``: the trained network; ``store``:
    recorded or imported motions; a path that ends in .bvh or .npz (AMASS): this motion."""
    path: Path | None = None
    """The store's folder, or the generator's weights (the shipped ones if left out), relative to the recipe."""
    support: Literal["auto", "floor", "chair", "bed"] = "auto"
    """Of a motion file: where its body rests besides the feet; ``auto`` finds it in the motion."""
    people: Literal[1, 2] | None = None
    """How many take part in the action: 2 for those of two people (``hand_over``, ``push``, ...), their default, and for a
    store of motions with partners (InterHuman); else 1. Two keep their places to each other, and from a store their bodies."""
    others: int = Field(default=0, ge=0, le=2)
    """Number of other people in the room, who have nothing to do with the action."""
    prop: Annotated[str, AfterValidator(_known_prop)] | None = None
    """What the person pushes, leans on, carries or sits in: ``walker``, ``stick``, ``tray`` or ``wheelchair``."""

    @model_validator(mode="before")
    @classmethod
    def _file_as_source(cls, value: Any) -> Any:
        """``from: walk.bvh`` becomes ``from: file`` with the path."""
        source = value.get("from") if isinstance(value, dict) else None
        if not isinstance(source, str) or source in get_args(SourceName):
            return value
        if Path(source).suffix.lower() not in ENDINGS:
            names = get_args(SourceName)[:-1]
            valid = f"{', '.join(names)}, or a motion file, whose name ends in {' or '.join(ENDINGS)}"
            raise ValueError(f"from: unknown source {source!r}{did_you_mean(source, names)}; expected one of: {valid}")
        if value.get("path") is not None:
            raise ValueError(f"from: {source} is a motion file; leave out path")
        return value | {"from": "file", "path": source}

    @model_validator(mode="after")
    def _source_fits(self) -> ClipItem:
        if self.source == "store" and self.path is None:
            raise ValueError("from: store needs path: the motion store's folder")
        if self.source == "file" and self.path is None:
            raise ValueError("from: file needs path; shorter: from: the motion file itself")
        if self.source != "file" and self.support != "auto":
            raise ValueError(f"support is for motion files; motions from: {self.source} know their own")
        if self.source in ("library", "physics") and self.path is not None:
            raise ValueError(f"from: {self.source} takes no path; use from: store or from: generator")
        if self.motions is not None and self.source in ("store", "file"):
            raise ValueError(f"motions is for motions that a run makes; those from: {self.source} are there already")
        if self.motions is not None and self.motions > self.count:
            raise ValueError(f"motions: expected at most count, {self.count}, found {self.motions}")
        if self.source == "physics" and self.action not in FALLS:
            found = f"{self.action!r}{did_you_mean(self.action, FALLS)}"
            raise ValueError(f"from: physics makes falls only ({', '.join(FALLS)}), not {found}; use from: library")
        return self

    @model_validator(mode="after")
    def _people_fit(self) -> ClipItem:
        wanted = ACTIONS[self.action].people if self.action in ACTIONS else 1
        if self.people is not None and self.people != wanted and self.source in ("library", "physics"):
            others = PAIRS if self.people == 2 else (*DAILY, *FALLS)
            raise ValueError(
                f"people: {self.action!r} is done by {wanted}, not by {self.people}; of {self.people} there are: "
                f"{', '.join(others)}"
            )
        if self.two and self.source in ("generator", "file"):
            raise ValueError(f"people: from: {self.source} gives motions of one person; take two from: library, or from: store")
        if self.two and self.motions is not None:
            raise ValueError("motions is for actions of one person: two people's hands meet on their own bodies alone")
        if self.two and self.prop is not None:
            raise ValueError(f"prop: {self.prop} has no place in an action of two people")
        return self

    @property
    def two(self) -> bool:
        """Whether two people take part."""
        usual = ACTIONS[self.action].people if self.action in ACTIONS and self.source in ("library", "store") else 1
        return (self.people or usual) == 2

    @model_validator(mode="after")
    def _prop_has_a_place(self) -> ClipItem:
        if self.prop is not None and self.source in ("library", "physics"):
            from ..motion.carrying import PROPS

            fitting = PROPS[self.prop].actions
            if self.action not in fitting:
                raise ValueError(f"prop: {self.prop} has no place in {self.action!r}; it fits: {', '.join(fitting)}")
        return self


def doubtful_labels(own: Mapping[str, ActionItem]) -> list[str]:
    """One line for each frame label of the user's own that is nearly one of ``actions.FRAME_LABELS``."""
    lines = []
    for name, item in own.items():
        if item.label not in FRAME_LABELS and (hint := did_you_mean(item.label, FRAME_LABELS, least=DOUBTFUL)):
            lines.append(f"actions.{name}: {item.label!r} is taken as a frame label of your own{hint}")
    return lines


def require_known_actions(own: Mapping[str, ActionItem], clips: Sequence[ClipItem]) -> None:
    """Check names against what is known before anything is opened; stores, files and generators are asked later.

    Args:
        own: The recipe's ``actions``.
        clips: Its ``clips``.
    Raises:
        ValueError: If the library or the shipped generator cannot know a clip's action, or if an entry of ``own`` that no clip
            shows nearly has a clip's name.
    """
    for number, clip in enumerate(clips):
        if clip.action in ACTIONS or clip.source in ("store", "file") or (clip.source == "generator" and clip.path):
            continue
        if clip.action in own:
            maker = "the shipped generator" if clip.source == "generator" else f"from: {clip.source}"
            reason = f"is your own: {maker} cannot make it; take it from: a motion file, store, or generator with path"
        else:
            known = [*ACTIONS, *own]
            reason = f"is unknown{did_you_mean(clip.action, known)}; expected one of: {', '.join(known)}"
        raise ValueError(f"clips[{number}].action: {clip.action!r} {reason}")
    shown = {clip.action for clip in clips}
    for name in own.keys() - shown:
        if hint := did_you_mean(name, shown - own.keys()):
            raise ValueError(f"actions.{name}: no clip shows it{hint}")
