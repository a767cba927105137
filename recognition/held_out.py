"""Recordings kept out of training to set temperature and alarm threshold on: never those that are tested on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from .recordings import Recording, class_of_label

MOST = 60
"""Recordings held out at most."""
KEPT_EVENTS = 8
"""Training events that every class keeps, at least: fewer are worth more in training."""
LEAST_EVENTS = 3
"""Events of the rare class that a threshold can be set on."""


def hold_out(recordings: Sequence[Recording], classes: Mapping[str, Sequence[str]], *, rare: str, share: float) -> set[str]:
    """Groups of recordings to keep out of training; empty if the recordings are too few.

    They are taken in an order that depends on their names alone.

    Args:
        recordings: All that may be trained on, real ones or synthetic ones.
        classes: Class to frame labels.
        rare: The rare class.
        share: Share of the groups, 0..1.
    """
    index = class_of_label(classes)
    shown: dict[str, set[int]] = {}
    members: dict[str, int] = {}
    for recording in recordings:
        found = {index[segment.label] for segment in recording.segments if segment.label in index}
        shown.setdefault(recording.group, set()).update(found)
        members[recording.group] = members.get(recording.group, 0) + 1
    left = {label: sum(label in found for found in shown.values()) for label in range(len(classes))}
    chosen: set[str] = set()
    count = 0
    for group in sorted(shown, key=_order):
        if len(chosen) + 1 > math.ceil(share * len(shown)) or count + members[group] > MOST:
            break
        if shown[group] and all(left[label] > KEPT_EVENTS for label in shown[group]):
            chosen.add(group)
            count += members[group]
            for label in shown[group]:
                left[label] -= 1
    rare_index = list(classes).index(rare)
    return chosen if sum(rare_index in shown[group] for group in chosen) >= LEAST_EVENTS else set()


def _order(group: str) -> str:
    """A shuffle that does not depend on where the recordings lie."""
    return hashlib.sha256(group.rsplit("/", 1)[-1].encode()).hexdigest()
