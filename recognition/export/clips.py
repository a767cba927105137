"""The clips of an export: whole recordings or single segments, with label, pictures and keypoints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from augment.actions import ACTIONS, FRAME_LABELS
from augment.files import DAMAGED_NPZ, npz_arrays, write_atomic
from augment.shards.video_codec import decode_video, encode_video
from augment.types import Segment

from ..inputs.keypoints import person_points
from ..inputs.stated import require_whole
from ..recordings import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportClip:
    """One clip to be written."""

    name: str
    """Letters, digits, ``_`` and ``-``; unique within an export."""
    label: str
    recording: Recording
    first: int
    """Its first frame in the recording."""
    last: int
    """The first frame after it."""

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole recording."""
        return self.first == 0 and self.last >= self.recording.frames


def export_clips(recordings: Sequence[Recording], *, unit: str) -> list[ExportClip]:
    """The clips of recordings.

    Args:
        recordings: Of a CSV or of shards.
        unit: ``segment``: each stretch with a frame label, which is the clip's label. ``clip``: each recording, with the action
            of its sample or the column ``action`` as label. ``recording``: each recording, without a label.
    Raises:
        ValueError: If a recording has no action.
    """
    clips: list[ExportClip] = []
    for recording in recordings:
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(Path(recording.name).with_suffix("")))
        if unit != "segment":
            label = recording.row.get("action", "") if unit == "clip" else ""
            if not label and unit == "clip":
                raise ValueError(f"{recording.name}: field action is empty or missing, and --unit clip takes its label from it")
            clips.append(ExportClip(name=name, label=label, recording=recording, first=0, last=recording.frames))
            continue
        for number, segment in enumerate(sorted(recording.segments, key=lambda segment: segment.start_sec)):
            first, last = frames_of(segment, recording)
            place = f"{name}_{number:02d}"
            clips.append(ExportClip(name=place, label=segment.label, recording=recording, first=first, last=last))
    names = [clip.name for clip in clips]
    if len(set(names)) == len(names):
        return clips
    return [replace(clip, name=f"{number:06d}_{clip.name}") for number, clip in enumerate(clips)]


def frames_of(segment: Segment, recording: Recording) -> tuple[int, int]:
    """The frames of a segment: first, and first one after; one at least of a segment that begins in the recording."""
    first = round(segment.start_sec * recording.fps)
    if segment.start_sec < recording.seconds:
        first = min(first, recording.frames - 1)
    return first, max(first + 1, min(round(segment.end_sec * recording.fps), recording.frames))


def label_names(clips: Sequence[ExportClip], *, unit: str, classes: Sequence[str] = ()) -> list[str]:
    """Labels in the order of their numbers. It doesn't depend on which known labels occur, so that exports go together.

    Args:
        clips: What is exported.
        unit: As in ``export_clips``.
        classes: A study's classes, if its mapping of labels was used; then they are the order.
    """
    known = list(classes) or list(ACTIONS if unit == "clip" else FRAME_LABELS)
    return [*known, *sorted({clip.label for clip in clips} - {*known, ""})]


def write_video(clip: ExportClip, path: Path, *, kept: dict[str, np.ndarray]) -> None:
    """Write a clip as mp4: the stored bytes where it is a whole mp4, else its frames encoded anew.

    Args:
        clip: What.
        path: The file.
        kept: Frames of the last recording that was decoded, by its name; filled here.
    Raises:
        ValueError: If the video cannot be decoded, or ends before the clip.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    video = clip.recording.video()
    if clip.is_whole and (isinstance(video, bytes) or video.suffix.lower() == ".mp4"):
        if isinstance(video, Path):
            require_whole(clip.recording, video)
        write_atomic(path, video if isinstance(video, bytes) else video.read_bytes())
        return
    frames = all_frames(clip.recording, kept)[clip.first : clip.last]
    if not len(frames):
        raise ValueError(f"{clip.recording.name}: truncated: it ends before frame {clip.first} of {clip.recording.frames}")
    write_atomic(path, encode_video(frames, fps=clip.recording.fps))


def all_frames(recording: Recording, kept: dict[str, np.ndarray]) -> UInt8[np.ndarray, "t h w 3"]:
    """A recording's frames, cropped to even sides; taken from ``kept`` if it was the last one.

    Raises:
        ValueError: If it cannot be decoded.
    """
    if recording.name not in kept:
        kept.clear()
        try:
            video = recording.video()
            frames, _ = decode_video(video)
        except ValueError as error:
            raise ValueError(f"{recording.name}: {str(error).removeprefix(f'{recording.path}: ')}") from error
        height, width = (side // 2 * 2 for side in frames.shape[1:3])
        kept[recording.name] = frames[:, :height, :width]
    return kept[recording.name]


def picture_size(recording: Recording) -> tuple[int, int]:
    """Width and height, pixels.

    Raises:
        ValueError: If neither the sample nor the video states them.
    """
    if recording.size is not None:
        return recording.size
    from augment.sources.video import probe

    video = recording.video()
    if isinstance(video, bytes):
        raise ValueError(f"{recording.name}: its json lacks the fields width and height; generate it anew")
    info = probe(video)
    return info.width, info.height


def keypoints_of(recording: Recording, *, errors: bool) -> Float[np.ndarray, "t 17 3"]:
    """COCO's 17 points of the person in every frame: u, v in pixels and confidence, 0 where there is none.

    Those of shards are the true ones (confidence 0 where hidden), or with ``errors`` as a real detector would give them.

    Raises:
        ValueError: If there are none, or they belong to another video.
    """
    if recording.is_synthetic and not errors:
        if recording.keypoints is None:
            raise ValueError(f"{recording.name}: the sample has no npz, so no keypoints; generate it anew")
        try:
            points = npz_arrays(recording.keypoints.read())["keypoints_coco"]
        except (*DAMAGED_NPZ, KeyError) as error:
            raise ValueError(f"{recording.name}: its npz has no readable keypoints_coco ({error}); generate it anew") from error
        return np.nan_to_num(np.asarray(points, float))
    return np.asarray(person_points(recording), float)


def with_classes(clips: Sequence[ExportClip], classes: dict[str, list[str]]) -> Iterator[ExportClip]:
    """The clips of a study's classes, the class as label; others are left out."""
    names = {label: name for name, labels in classes.items() for label in labels}
    for clip in clips:
        if clip.label in names:
            yield replace(clip, label=names[clip.label])
