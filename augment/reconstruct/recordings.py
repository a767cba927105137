"""The videos a reconstruction is made from: read, checked and tracked; those that cannot be used are counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..body.model import Body
from ..sources.depth.maps import read_depth_maps
from ..sources.people.mediapipe import read_mediapipe
from ..sources.video import VideoInfo, probe
from .config import Inputs, ReconstructConfig
from .watch.checks import require_same_video
from .watch.watch import TrackedVideo, track_video


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A video that can be used."""

    inputs: Inputs
    """The video's inputs, with its depth file opened; maps are read when needed."""
    seen: TrackedVideo
    """The people tracked in it."""

    @property
    def info(self) -> VideoInfo:
        """Path, size, rate and length of the video."""
        return self.seen.info


def read_recordings(inputs: Sequence[Inputs], config: ReconstructConfig, body: Body) -> tuple[list[Recording], Counter[str]]:
    """Read all videos with their detections and depth files; of several, unusable ones are left out and counted.

    Raises:
        ValueError: If none can be used, one cannot and people are not fitted, or a depth file does not fit its video.
    """
    recordings: list[Recording] = []
    rejections: Counter[str] = Counter()
    first_error: ValueError | None = None
    for item in inputs:
        try:
            seen = _track(item, config, body)
            if recordings:
                _require_same_size(seen.info, recordings[0].info)
        except ValueError as error:
            if len(inputs) == 1 or not config.people:
                raise
            first_error = first_error or error
            rejections[f"video: {error}"] += 1
        else:
            recordings.append(Recording(inputs=item, seen=seen))
    if not recordings:
        raise ValueError(f"none of the {len(inputs)} videos can be used; the first one: {first_error}")
    return [_with_depth(recording, config) for recording in recordings], rejections


def _track(item: Inputs, config: ReconstructConfig, body: Body) -> TrackedVideo:
    if config.people:
        return track_video(item.video, keypoints=item.keypoints, hmr=item.hmr, body=body, focal=config.given.focal)
    info = probe(item.video)
    if item.keypoints is None:
        return TrackedVideo(info=info, people=(), classes=(), outlines=())
    assert isinstance(item.keypoints, Path)
    found = read_mediapipe(item.keypoints)
    require_same_video(info, found)
    return TrackedVideo(info=info, people=(), classes=(), outlines=(found,))


def _require_same_size(info: VideoInfo, first: VideoInfo) -> None:
    if (info.width, info.height) != (first.width, first.height):
        raise ValueError(
            f"{info.path}: {info.width}x{info.height}, but {first.path} is {first.width}x{first.height}; a scene is made from "
            "videos of ONE fixed camera"
        )


def _with_depth(recording: Recording, config: ReconstructConfig) -> Recording:
    """The recording with its depth file opened, so that a mismatch is found before any long work."""
    item, info = recording.inputs, recording.info
    if not isinstance(item.depth, Path):
        return recording
    maps = read_depth_maps(
        item.depth, width=info.width, height=info.height, frames=info.frames, encoding=config.depth_encoding,
        depth_scale=config.depth_scale, kind=config.depth_kind,
    )  # fmt: skip
    return replace(recording, inputs=replace(item, depth=maps))
