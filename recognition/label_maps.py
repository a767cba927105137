"""Ready lists of classes: class name to the frame labels that it gathers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from augment.actions import FRAME_LABELS, did_you_mean

LABEL_MAPS: dict[str, Mapping[str, tuple[str, ...]]] = {
    "omnifall": {label: (label,) for label in FRAME_LABELS},
    "care_home": {
        "walking": ("walk",),
        "standing": ("standing", "stand_up"),
        "sitting": ("sitting", "sit_down"),
        "in_bed": ("lying", "lie_down"),
        "fall": ("fall",),
        "on_floor": ("fallen", "crawl"),
        "bending": ("kneel_down", "kneeling", "squat_down", "squatting"),
        "other": ("other", "jump"),
    },
}
"""Name to classes. ``omnifall``: its 16 labels, one class each; ``care_home``: what a night watch needs to tell apart."""


def with_classes(data: dict[str, Any]) -> dict[str, Any]:
    """A study's plain data with ``labels`` resolved into ``classes``; the file's own classes take their labels from the list's.

    Raises:
        ValueError: If there is no such list.
    """
    name = data.get("labels")
    if name is None:
        return data
    if name not in LABEL_MAPS:
        raise ValueError(
            f"labels: unknown list {name!r}{did_you_mean(str(name), LABEL_MAPS)}; expected one of: {', '.join(LABEL_MAPS)}"
        )
    own = data.get("classes") or {}
    if not isinstance(own, dict):
        return data
    taken = {label for labels in own.values() for label in (labels if isinstance(labels, list | tuple) else [labels])}
    ready = {
        cls: [label for label in labels if label not in taken] for cls, labels in LABEL_MAPS[name].items() if cls not in own
    }
    return {**data, "classes": {**{cls: labels for cls, labels in ready.items() if labels}, **own}}
