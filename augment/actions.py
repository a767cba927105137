"""The action vocabulary: names, frame labels, captions, and maps to the labels of public data sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRAME_LABELS: tuple[str, ...] = (
    "walk", "fall", "fallen", "sit_down", "sitting", "lie_down", "lying", "stand_up", "standing", "other",
    "kneel_down", "kneeling", "squat_down", "squatting", "crawl", "jump",
)  # fmt: skip
"""OmniFall's frame-level taxonomy, in its own order (index = its class id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action that a person can perform."""

    label: str
    """Frame label of the action's core, one of ``FRAME_LABELS``."""
    captions: tuple[str, ...]
    """English sentences with ``{who}`` in them; a clip's caption is drawn from these."""
    is_fall: bool = False
    """Simulated by the embedded library, and named after UP-Fall's activities 1-5."""
    is_scripted: bool = False
    """Scripted by the embedded library."""


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
        label="fall", is_fall=True, captions=("{who} falls forward onto the hands.", "{who} trips and falls forward.")
    ),
    "fall_forward_knees": Action(
        label="fall", is_fall=True, captions=("{who} collapses forward onto the knees.", "{who} falls onto the knees.")
    ),
    "fall_backward": Action(label="fall", is_fall=True, captions=("{who} falls backward.", "{who} slips and falls backward.")),
    "fall_sideways": Action(label="fall", is_fall=True, captions=("{who} falls to the {side}.",)),
    "fall_from_chair": Action(
        label="fall", is_fall=True, captions=("{who} slides off a chair and falls.", "{who} falls off a chair.")
    ),
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
FALLS = tuple(name for name, action in ACTIONS.items() if action.is_fall)
"""Falls of the embedded library."""


def require_action(name: str) -> Action:
    """Look an action up.

    Raises:
        ValueError: If there is no such action; the message lists the valid ones.
    """
    if name not in ACTIONS:
        raise ValueError(f"unknown action {name!r}; expected one of: {', '.join(ACTIONS)}")
    return ACTIONS[name]


def caption_for(action: str, *, rng: np.random.Generator, who: str = "A person", side: str = "side") -> str:
    """Draw one of the action's sentences."""
    captions = require_action(action).captions
    return captions[int(rng.integers(len(captions)))].format(who=who, side=side)
