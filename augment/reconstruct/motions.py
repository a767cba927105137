"""Recovered people as motions: each trusted stretch is written into a motion store, with its labels and its action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..actions import FRAME_LABELS
from ..motion.labels import own_label
from ..motion.store import StoreWriter
from ..types import Motion, Segment
from .annotate.segments import cut_segments
from .people import Recovered

SHORTEST_SEC = 0.8
"""Trusted stretches shorter than this are not stored."""


def trusted_stretches(person: Recovered, *, shortest_sec: float = SHORTEST_SEC) -> list[slice]:
    """Maximal runs of frames outside all rejected stretches, as slices of the person's frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], person.accepted.astype(int), [0]])))
    least = shortest_sec * person.motion.fps
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def store_motions(
    folder: Path, people: Sequence[Recovered], *, videos: Sequence[str], segments: Sequence[Sequence[Segment]],
    rest_pelvis: dict[int, np.ndarray],
) -> int:  # fmt: skip
    """Write every trusted stretch into a motion store, in the scene's world, with segments where there are some.

    Args:
        folder: The store; what an earlier run recovered from the same videos is replaced.
        people: Recovered people.
        videos: Name of each video.
        segments: Frame labels of each person, seconds of the video; empty where there are none.
        rest_pelvis: For each index into ``people``, the body's pelvis in its zero pose.
    Returns:
        Number of motions written.
    """
    stems, written = _stems(videos), set()
    with StoreWriter(folder) as store:
        for index, (person, labels) in enumerate(zip(people, segments, strict=True)):
            for number, part in enumerate(trusted_stretches(person)):
                motion = cut_motion(person, part, videos[person.video], number, labels, stem=stems[person.video])
                store.add(motion, rest_pelvis=rest_pelvis[index])
                written.add(motion.name)
        for name, row in list(store.rows.items()):
            if name not in written and row["source"] in videos:  # of an earlier run with other people or another camera
                (Path(folder) / row["file"]).unlink(missing_ok=True)
                del store.rows[name]
    return len(written)


def _stems(videos: Sequence[str]) -> list[str]:
    """For each video a unique name that is valid in a motion's name."""
    stems: list[str] = []
    for video in videos:
        stem = _in_name(Path(video).stem)
        taken = sum(other == stem or other.startswith(f"{stem}_v") for other in stems)
        stems.append(f"{stem}_v{taken + 1}" if taken else stem)
    return stems


def _in_name(text: str) -> str:
    """The text with ``_`` for what may not be in a name."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in text)


def cut_motion(
    person: Recovered, part: slice, video: str, number: int, labels: Sequence[Segment], *, stem: str | None = None
) -> Motion:
    """One stretch of a recovered person as a motion of its own, named after its video unless a ``stem`` is given."""
    motion, fps = person.motion, person.motion.fps
    start, end = (int(person.frames[0]) + part.start) / fps, (int(person.frames[0]) + part.stop) / fps
    own = cut_segments(labels, start, end) if labels else ()
    stem = stem or _stems([video])[0]
    action = _action_of(_whole(own, labels), motion, part)
    label = next((own_label(action, segment.label) for segment in own if _in_name(segment.label) == action), "")
    return replace(
        motion.take(part), name=f"{stem}_p{person.track}_{number}", segments=own, caption="",
        action=action, label=label, source=video, licence="as the video it was recovered from",
        subject=f"{stem}_p{person.track}", provenance=motion.provenance | {
            "origin": "reconstruction", "video": video, "start_sec": start, "end_sec": end, "person_class": person.person_class,
            "bridged_share": float(1 - person.observed[part].mean()),
        },
    )  # fmt: skip


def _whole(own: Sequence[Segment], labels: Sequence[Segment]) -> list[Segment]:
    """The segments of a stretch that hold at least half of what was labelled, or a second of it."""
    longest: dict[str, float] = {}
    for label in labels:
        longest[label.label] = max(longest.get(label.label, 0.0), label.end_sec - label.start_sec)
    return [s for s in own if s.end_sec - s.start_sec >= min(0.5 * longest.get(s.label, 0.0), 1.0)]


_ACTION_OF_LABEL = {
    "walk": "walk", "sit_down": "sit_down", "sitting": "sit", "lie_down": "lie_down", "lying": "lie", "stand_up": "stand_up",
    "standing": "stand", "kneel_down": "kneel", "kneeling": "kneel", "crawl": "crawl", "jump": "jump", "fallen": "lie",
}  # fmt: skip
_TELLING = ("fall", "jump", "sit_down", "lie_down", "stand_up", "crawl", "kneel_down", "walk")
"""Labels that decide a motion's action whatever its other labels, the rarest first; the user's own come after ``fall``."""


def _action_of(segments: Sequence[Segment], motion: Motion, part: slice) -> str:
    """The action of a stretch by its labels; a fall is named after its direction, a label of the user's own after itself."""
    if not segments:
        return "other"
    labels = [segment.label for segment in segments]
    longest = max(segments, key=lambda s: s.end_sec - s.start_sec).label
    own = [name for name in labels if name not in FRAME_LABELS]
    label = next((name for name in ("fall", *own, *_TELLING) if name in labels), longest)
    if label != "fall":
        return _in_name(label) if label in own else _ACTION_OF_LABEL.get(label, "other")
    fall = next(segment for segment in segments if segment.label == "fall")
    before = [name for name in labels[: labels.index("fall")] if name != "other"]
    if before and before[-1] in ("sitting", "sit_down"):
        return "fall_from_chair"
    first = part.start + round(fall.start_sec * motion.fps)
    last = min(part.start + round(fall.end_sec * motion.fps), part.stop - 1)
    return fall_direction(motion, min(first, last), last)


def fall_direction(motion: Motion, first: int, last: int) -> str:
    """Which fall: by the direction of the head relative to the way the body faced when it began.

    Returns:
        ``fall_forward_hands``, ``fall_backward`` or ``fall_sideways``.
    """
    import torch

    from ..geometry import axis_angle_to_matrix, heading_of, turn_about_y

    rotation = axis_angle_to_matrix(torch.as_tensor(motion.global_orient[[first, last]], dtype=torch.float64))
    heading = float(heading_of(rotation[:1])[0])
    up = (rotation[1, :, 1] - rotation[0, :, 1]).numpy()
    aside, _, ahead = turn_about_y(up, -heading)
    if abs(aside) > abs(ahead):
        return "fall_sideways"
    return "fall_forward_hands" if ahead > 0 else "fall_backward"
