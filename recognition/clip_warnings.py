"""What a reader must know about a study's clips: labels that fit nothing, times beyond the video, people in doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from augment.actions import DOUBTFUL, FRAME_LABELS, did_you_mean
from augment.reconstruct.watch.checks import require_belonging
from augment.reconstruct.watch.stillness import sample_frames

from .inputs.keypoints import detected_person, person_doubts
from .recordings import Recording, class_of_label
from .study import Study

FEW_EVENTS = 20
"""With fewer test events the report warns."""
LATE_SEC = 1.0
"""A segment that begins so long after its video's end is pointed out."""
LOOKED_AT, LONGEST_SEC = 8, 120.0
"""Of so many recordings, none longer, it is looked at whether their keypoints move where the picture changes (0.7 s each)."""
DOUBTS = 5
"""Of so many recordings at most it is said that somebody else may be meant."""


def require_labels(study: Study, recordings: Sequence[Recording], others: Callable[[], Sequence[Recording]]) -> None:
    """Check that the frame labels of the user's own in ``classes`` occur in some clip.

    Args:
        study: Its classes.
        recordings: The clips it uses.
        others: Gives further clips that its file names; asked only if a label is missing.
    Raises:
        ValueError: If such a label occurs nowhere: then it is a typing mistake in ``classes``.
    """
    own = {label: name for name, labels in study.classes.items() for label in labels if label not in FRAME_LABELS}
    present = _labels_in(recordings)
    if not own.keys() <= present:
        present |= _labels_in(others())
    for label, name in own.items():
        if label not in present:
            hint, found = did_you_mean(label, {*present, *FRAME_LABELS}), ", ".join(sorted(present))
            raise ValueError(f"class {name!r}: no clip has the frame label {label!r}{hint}; the clips have: {found}")


def _labels_in(recordings: Iterable[Recording]) -> set[str]:
    return {segment.label for recording in recordings for segment in recording.segments}


def label_warnings(study: Study, recordings: Sequence[Recording]) -> list[str]:
    """Own frame labels that no class has, with the class's label they may have been meant to be."""
    gathered = class_of_label(study.classes)
    missed = sorted(_labels_in(recordings) - gathered.keys() - set(FRAME_LABELS))
    if not missed:
        return []
    named = ", ".join(f"{label!r}{did_you_mean(label, gathered, least=DOUBTFUL)}" for label in missed)
    return [f"No class has the frame label(s) {named}: clips are not used where they have these."]


def late_warnings(recordings: Iterable[Recording]) -> list[str]:
    """A warning where segments lie behind the end of their videos: their times may be frames, not seconds."""
    late = [recording for recording in recordings if recording.segments[-1].start_sec >= recording.seconds + LATE_SEC]
    if not late:
        return []
    first = late[0]
    return [
        f"{len(late)} recording(s) have segments behind their end, which are not used: {first.name} lasts "
        f"{first.seconds:.1f} s and has one at {first.segments[-1].start_sec:.1f} s; `segments` are in seconds, not in frames."
    ]


def person_warnings(study: Study, recordings: Sequence[Recording]) -> list[str]:
    """The recordings in whose keypoints somebody else may be meant than is taken, where an input of the study uses them."""
    if all(one.input == "rgb" for one in study.each_input().values()):
        return []
    doubts = person_doubts(recordings)
    return (
        doubts
        if len(doubts) <= DOUBTS
        else [*doubts[:DOUBTS], f"The same may be so in {len(doubts) - DOUBTS} other recordings."]
    )


def belonging_warnings(study: Study, recordings: Iterable[Recording]) -> list[str]:
    """A warning for each recording looked at whose keypoints move where its picture does not change: they may be of another
    video of the same length, such as the other camera's. Some with keypoints and a video are looked at, spread over the table.
    """
    if all(one.input == "rgb" for one in study.each_input().values()):
        return []
    asked = [r for r in recordings if r.keypoints and not r.is_synthetic and r.seconds <= LONGEST_SEC and r.path.is_file()]
    found = []
    for recording in asked[:: max(1, -(-len(asked) // LOOKED_AT))]:
        try:
            people = detected_person(recording)
            sampled = sample_frames(recording.path)
        except ValueError:  # told where it is read for use
            continue
        try:
            require_belonging(sampled, people)
        except ValueError as error:
            found.append(f"{recording.name}: `keypoints`: {error}.")
    return found


def no_class(study: Study, recordings: Sequence[Recording]) -> str:
    """Why none of the clips has a window, in words."""
    gathered = ", ".join(class_of_label(study.classes))
    found = ", ".join(sorted(_labels_in(recordings)))
    return f"no clip has a segment of any class: `classes` gathers {gathered}, the clips have: {found}"


def few_events(groups: Iterable[str]) -> list[str]:
    """A warning where there are few test events: groups of recordings that have a test window.

    They are those that comparisons are made over; a recording whose labels are all outside the classes is none.
    """
    count = len(set(groups))
    several = f"{count} test event{'' if count == 1 else 's'}"
    return [f"The test windows are of {several}: small differences may not carry over to others."] if count < FEW_EVENTS else []
