"""The action vocabulary: names, frame labels, captions; and what users may name their own actions and frame labels.

The tables are where the embedded library and public data sets meet. A user's own actions and frame labels are not in them:
whatever reads a name accepts it if it is well formed, and looks it up here only for a label or caption that nobody gave.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

FRAME_LABELS: tuple[str, ...] = (
    "walk", "fall", "fallen", "sit_down", "sitting", "lie_down", "lying", "stand_up", "standing", "other",
    "kneel_down", "kneeling", "squat_down", "squatting", "crawl", "jump",
)  # fmt: skip
"""OmniFall's frame-level taxonomy, in its own order (index = its class id). Users may add frame labels of their own."""

DOUBTFUL = 0.75
"""Similarity to a known frame label from which one of the user's own may be a slip: ``wlak``, but not ``walking``."""

WHO, OTHER = "A person", "another person"
"""Whom captions are about."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action that a person can perform."""

    label: str
    """Frame label of the action's core: one of ``FRAME_LABELS``, or one of the user's own."""
    captions: tuple[str, ...]
    """English sentences with ``{who}`` in them (``{side}``: left or right; ``{other}``: the second person); a clip's caption is
    drawn from these."""
    is_fall: bool = False
    """Simulated by the embedded library, and named after UP-Fall's activities 1-5."""
    is_scripted: bool = False
    """Scripted by the embedded library."""
    people: int = 1
    """How many take part; the label is about the first one."""


ACTIONS: dict[str, Action] = {
    "walk": Action(
        label="walk", is_scripted=True, captions=("{who} walks through the room.", "{who} walks slowly across the floor.")
    ),
    "stand": Action(label="standing", is_scripted=True, captions=("{who} stands still.", "{who} stands and shifts weight.")),
    "sit_down": Action(label="sit_down", is_scripted=True, captions=("{who} sits down on a chair.",)),
    "sit": Action(
        label="sitting", is_scripted=True, captions=("{who} sits on a chair.", "{who} is seated and moves a little.")
    ),
    "stand_up": Action(label="stand_up", is_scripted=True, captions=("{who} stands up from a chair.",)),
    "lie_down": Action(label="lie_down", is_scripted=True, captions=("{who} lies down on a bed.",)),
    "lie": Action(label="lying", is_scripted=True, captions=("{who} lies on a bed.", "{who} is lying down.")),
    "get_up": Action(label="stand_up", is_scripted=True, captions=("{who} gets up from lying.",)),
    "pick_up": Action(label="other", is_scripted=True, captions=("{who} picks something up from the floor.",)),
    "wave": Action(label="standing", is_scripted=True, captions=("{who} waves a hand.",)),
    "reach": Action(label="standing", is_scripted=True, captions=("{who} reaches for something high.",)),
    "jump": Action(label="jump", is_scripted=True, captions=("{who} jumps on the spot.",)),
    "kneel": Action(label="kneeling", is_scripted=True, captions=("{who} kneels on the floor.",)),
    "crawl": Action(label="crawl", is_scripted=True, captions=("{who} crawls on hands and knees.",)),
    "fall_forward_hands": Action(
        label="fall",
        is_fall=True,
        captions=(
            "{who} falls forward onto the hands.",
            "{who} trips and falls forward.",
            "{who} falls headlong, hands first.",
            "{who} goes down forward and catches the fall with the hands.",
        ),
    ),
    "fall_forward_knees": Action(
        label="fall",
        is_fall=True,
        captions=(
            "{who} collapses forward onto the knees.",
            "{who} falls onto the knees.",
            "{who} sinks to the knees and falls forward.",
            "{who} falls forward, knees first.",
        ),
    ),
    "fall_backward": Action(
        label="fall",
        is_fall=True,
        captions=(
            "{who} falls backward.",
            "{who} slips and falls backward.",
            "{who} falls on the back.",
            "{who} tips over backward and lies on the floor.",
        ),
    ),
    "fall_sideways": Action(
        label="fall",
        is_fall=True,
        captions=(
            "{who} falls to the {side}.",
            "{who} falls over sideways, to the {side}.",
            "{who} topples to the {side} and lies there.",
        ),
    ),
    "fall_from_chair": Action(
        label="fall",
        is_fall=True,
        captions=(
            "{who} slides off a chair and falls.",
            "{who} falls off a chair.",
            "{who} falls from a chair to the floor.",
            "{who} sits on a chair and falls down from it.",
        ),
    ),
    "hand_over": Action(label="standing", people=2, captions=("{who} hands something to {other}.",)),
    "shake_hands": Action(label="standing", people=2, captions=("{who} and {other} shake hands.",)),
    "walk_supported": Action(label="walk", people=2, captions=("{who} walks, held by {other}.",)),
    "help_up_from_chair": Action(label="stand_up", people=2, captions=("{other} helps {who} up from a chair.",)),
    "help_up_from_floor": Action(label="stand_up", people=2, captions=("{other} helps {who} up from the floor.",)),
    "catch_faller": Action(label="fall", people=2, captions=("{who} falls backward and is caught by {other}.",)),
    "push": Action(label="fall", people=2, captions=("{who} is pushed by {other} and falls.",)),
    "run": Action(label="other", captions=("{who} runs.",)),
    "turn": Action(label="other", captions=("{who} turns around.",)),
    "bow": Action(label="other", captions=("{who} bows.",)),
    "call": Action(label="other", captions=("{who} calls out with a hand at the mouth.",)),
    "guide": Action(label="other", captions=("{who} shows the way with one arm.",)),
    "respond": Action(label="other", captions=("{who} nods and gestures.",)),
    "raise_hand": Action(label="standing", captions=("{who} raises a hand.",)),
    "kick": Action(label="other", captions=("{who} kicks.",)),
    "punch": Action(label="other", captions=("{who} punches the air.",)),
    "slash": Action(label="other", captions=("{who} swings an arm as if cutting.",)),
    "dance": Action(label="other", captions=("{who} dances.",)),
    "other": Action(label="other", captions=("{who} moves.",)),
}
"""All actions by name. To extend: one line here."""

DAILY = tuple(name for name, action in ACTIONS.items() if action.is_scripted)
"""Scripted daily actions of the embedded library."""
PAIRS = tuple(name for name, action in ACTIONS.items() if action.people == 2)
"""Actions of two people of the embedded library."""
FALLS = tuple(name for name, action in ACTIONS.items() if action.is_fall)
"""Falls of the embedded library."""


def own_action(name: str, label: str, captions: Sequence[str] = ()) -> Action:
    """An action of the user's own, or another label and other captions for one of ``ACTIONS``.

    Args:
        name: Letters, digits, ``_`` and ``-``.
        label: Its frame label.
        captions: As ``Action.captions``; may be empty.
    Raises:
        ValueError: If the name, the label or a caption is malformed.
    """
    require_action_name(name)
    return Action(label=require_label(label), captions=tuple(map(require_caption, captions)))


def require_action(name: str) -> Action:
    """Look an action up.

    Raises:
        ValueError: If there is no such action; the message lists the valid ones.
    """
    if name not in ACTIONS:
        raise ValueError(f"unknown action {name!r}{did_you_mean(name, ACTIONS)}; expected one of: {', '.join(ACTIONS)}")
    return ACTIONS[name]


def require_action_name(name: str) -> str:
    """Raises ValueError unless ``name`` may name an action: it becomes part of files' names and samples' keys."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"action {name!r}: expected letters, digits, '_' and '-'")
    return name


def require_label(label: str) -> str:
    """Raises ValueError unless ``label`` may be a frame label: tables write it as ``label:start-end;...``, or as a number."""
    if not label or label != label.strip() or set(label) & set(":;\r\n") or label.isdecimal():
        raise ValueError(
            f"frame label {label!r}: expected a name without ':' and ';', such as one of: {', '.join(FRAME_LABELS)}"
        )
    return label


def require_caption(caption: str) -> str:
    """Raises ValueError unless ``caption`` is a sentence; its placeholders may be ``{who}``, ``{other}`` and ``{side}``."""
    try:
        text = said(caption, side="left").strip()
    except (LookupError, ValueError, AttributeError) as error:
        raise ValueError(
            f"caption {caption!r}: expected no other placeholders than {{who}}, {{other}} and {{side}} ({error!r})"
        ) from error
    if not text:
        raise ValueError("caption: expected a sentence, found an empty text")
    return caption


def captions_of(name: str) -> tuple[str, ...]:
    """The captions that ``ACTIONS`` has for an action; for one of the user's own a sentence that names it."""
    return ACTIONS[name].captions if name in ACTIONS else (f"{{who}} performs the action {name.replace('_', ' ')}.",)


def caption_for(captions: Sequence[str], *, rng: np.random.Generator, who: str = WHO, side: str = "side") -> str:
    """Draw one of an action's sentences."""
    return said(captions[int(rng.integers(len(captions)))], who=who, side=side)


def said(caption: str, *, who: str = WHO, side: str = "side") -> str:
    """A sentence with people in it; of two, ``who`` is the one who comes first."""
    people = (who, OTHER)
    if "{other}" in caption and caption.find("{other}") < caption.find("{who}"):
        people = (OTHER, who)
    return caption.format(who=people[0], other=people[1], side=side)


def did_you_mean(name: str, valid: Iterable[str], *, least: float = 0.6) -> str:
    """`` (did you mean 'walk'?)`` for the nearest valid name, or nothing where none is near.

    Args:
        name: What was found.
        valid: What is right.
        least: Least similarity (``difflib``'s ratio). ``DOUBTFUL`` for a name that may be right.
    """
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=least)
    return f" (did you mean {close[0]!r}?)" if close else ""
