"""Frame labels of a motion: what its core is called, and its segments."""

from __future__ import annotations

from dataclasses import replace

from ..actions import ACTIONS
from ..types import Motion, Segment


def core_label(motion: Motion) -> str:
    """Frame label of what a motion is named for: its own, else that of ``ACTIONS``, else that of its longest segment."""
    if motion.label or motion.action in ACTIONS:
        return motion.label or ACTIONS[motion.action].label
    return max(motion.segments, key=lambda segment: segment.end_sec - segment.start_sec).label if motion.segments else "other"


def with_action(motion: Motion, action: str, label: str) -> Motion:
    """The motion under another action: what its core was called is called ``label``; without segments all of it is the core."""
    core = core_label(motion)
    segments = motion.segments or (Segment(label=core, start_sec=0.0, end_sec=motion.seconds),)
    named = tuple(replace(segment, label=label) if segment.label == core else segment for segment in segments)
    return replace(motion, action=action, label=own_label(action, label), segments=named)


def own_label(action: str, label: str) -> str:
    """``Motion.label`` of an action: empty where ``ACTIONS`` says the same."""
    return "" if action in ACTIONS and ACTIONS[action].label == label else label
