"""Labels of mocap files, from their names or from the index of their data set."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from ...actions import require_action
from ...types import Segment
from .babel import BabelEntry

BANDAI_ACTIONS: dict[str, str] = {
    "bow": "bow", "bye": "wave", "byebye": "wave", "call": "call", "dance-long": "dance", "dance-short": "dance", "dash": "run",
    "guide": "guide", "kick": "kick", "punch": "punch", "raise-up-both-hands": "raise_hand", "raise-up-left-hand": "raise_hand",
    "raise-up-right-hand": "raise_hand", "respond": "respond", "run": "run", "slash": "slash", "walk": "walk",
    "walk-back": "walk", "walk-left": "walk", "walk-right": "walk", "walk-turn-left": "turn", "walk-turn-right": "turn",
    "wave-both-hands": "wave", "wave-left-hand": "wave", "wave-right-hand": "wave",
}  # fmt: skip
"""Bandai-Namco's contents to keys of ``actions.ACTIONS``."""

KEYWORDS: tuple[tuple[str, str], ...] = (
    (r"\bfall\w*\b.*\bback", "fall_backward"), (r"\bfall\w*\b.*\bforward", "fall_forward_hands"),
    (r"\bfall\w*\b.*\b(side|sideways|left|right)\b", "fall_sideways"),
    (r"walk|stride|stroll|wander", "walk"), (r"run|jog", "run"), (r"danc|jete|pirouette|arabesque", "dance"),
    (r"jump|hop\b|leap", "jump"), (r"kick", "kick"), (r"punch|strike|box", "punch"), (r"crawl", "crawl"),
    (r"sword|slash", "slash"), (r"\bsit", "sit_down"), (r"get ?up|stand up|rise", "get_up"), (r"pick|scoop", "pick_up"),
    (r"wave|waving", "wave"), (r"kneel", "kneel"), (r"reach", "reach"), (r"turn", "turn"), (r"stand", "stand"),
)  # fmt: skip
"""Patterns in descriptions of a motion to actions; the first match counts."""

LABEL_WORDS: tuple[tuple[str, str], ...] = (
    (r"\bfall(s|ing)?\b(?! asleep)|collaps", "fall"), (r"\bsit(s|ting)? down|sat down", "sit_down"),
    (r"\bsit|seated", "sitting"), (r"\b(lie|lies|lying|lay) down", "lie_down"), (r"\blie\b|\blies\b|\blying", "lying"),
    (r"stand(s|ing)? up|get(s|ting)? up|\brise", "stand_up"), (r"kneel(s|ing)? down", "kneel_down"), (r"kneel", "kneeling"),
    (r"squat(s|ting)? down|crouch(es|ing)? down", "squat_down"), (r"squat|crouch", "squatting"), (r"crawl", "crawl"),
    (r"jump|\bhop|leap", "jump"), (r"walk|\bstep|stroll|wander|stride", "walk"), (r"stand|t-?pose|a-?pose|idle", "standing"),
)  # fmt: skip
"""Patterns in the words for a stretch of time to frame labels; the first match counts, and nothing is ``other``."""

UNKNOWN = "unknown"
"""Licence of a file that belongs to no known data set."""
_STYLED_WHO = {
    "elderly": "An elderly person",
    "old": "An elderly person",
    "exhausted": "A tired person",
    "tired": "A tired person",
}
_BANDAI_NAME = re.compile(r"dataset-\d+_([a-z-]+)_([a-z-]+)_(\d+)")
_CMU_NAME = re.compile(r"(\d{2,3})_(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MocapLabel:
    """Label of one file."""

    action: str
    caption: str
    source: str
    licence: str
    subject: str = ""
    style: str = ""


def label_of(name: str, descriptions: dict[str, str] | None = None) -> MocapLabel:
    """The label of a file called ``name`` (without its ending).

    Args:
        name: Bandai-Namco's ``dataset-D_action_style_NNN``, CMU's ``subject_trial``, or anything else, which is searched for
            words like walk.
        descriptions: CMU trial to its description, from ``read_cmu_index``.
    """
    if match := _BANDAI_NAME.fullmatch(name):
        content, style, _ = match.groups()
        action = BANDAI_ACTIONS.get(content, "other")
        return MocapLabel(
            action=action,
            caption=_caption(action, _STYLED_WHO.get(style, "A person"), content),
            source=f"Bandai-Namco Research Motiondataset/{name}",
            licence="CC-BY-NC-4.0",
            style=style,
        )
    if match := _CMU_NAME.fullmatch(name):
        subject, trial = (int(each) for each in match.groups())
        description = (descriptions or {}).get(f"{subject}_{trial}", "").lower()
        action = action_of_words(description)
        return MocapLabel(
            action=action,
            caption=f"A person: {description}." if description else _caption("other", "A person", ""),
            source=f"CMU Graphics Lab Motion Capture Database/{name}",
            licence="CMU-mocap (free use)",
            subject=f"cmu-{subject}",
        )
    action = action_of_words(re.sub(r"[^a-z]+", " ", name.lower()))
    return MocapLabel(action=action, caption=_caption(action, "A person", name.lower()), source=name, licence=UNKNOWN)


def read_cmu_index(text: str) -> dict[str, str]:
    """CMU's ``index.csv`` as ``{"<subject>_<trial>": description}``; an empty dict for a CSV with other columns."""
    rows = csv.DictReader(io.StringIO(text))
    columns = {"Subject", "Trial #", "Motion Description"}
    if not columns <= set(rows.fieldnames or ()):
        return {}
    return {f"{row['Subject']}_{row['Trial #']}": row["Motion Description"] for row in rows}


def action_of_words(text: str) -> str:
    """The action that a description is about, as far as ``KEYWORDS`` tell."""
    return next((action for pattern, action in KEYWORDS if re.search(pattern, text.lower())), "other")


def babel_segments(entry: BabelEntry, seconds: float) -> tuple[Segment, ...]:
    """BABEL's stretches as frame labels that cover a motion: what overlaps ends where the next begins, gaps are ``other``."""
    found: list[Segment] = []

    def add(label: str, start: float, end: float) -> None:
        if end - start < 1e-6:
            return
        if found and found[-1].label == label:
            start = found.pop().start_sec
        found.append(Segment(label=label, start_sec=start, end_sec=end))

    at = 0.0
    for number, label in enumerate(entry.labels):
        start = min(max(label.start_sec, at), seconds)
        following = entry.labels[number + 1].start_sec if number + 1 < len(entry.labels) else seconds
        end = min(label.end_sec, seconds, max(following, start))
        add("other", at, start)
        add(next((name for pattern, name in LABEL_WORDS if re.search(pattern, label.text.lower())), "other"), start, end)
        at = max(at, end)
    add("other", at, seconds)
    return tuple(found)


def _caption(action: str, who: str, content: str) -> str:
    side = "left" if "left" in content else "right" if "right" in content else "side"
    return require_action(action).captions[0].format(who=who, side=side)
