"""Annotations assigned: annotated people matched to tracks, and their frame labels given to recovered motions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...body.model import Body
from ...sources.people.people import People, join_people
from ...types import Segment
from ..people import Recovered
from ..watch.watch import TrackedVideo, bodies_as_points
from .match import match_tracks


def identify(video: TrackedVideo, annotated: People, body: Body) -> dict[int, int]:
    """The annotated person of each track that has one.

    Args:
        video: The video with its tracks.
        annotated: People of the same video, each row with a person's id in ``track``.
        body: For the points of estimated bodies, where there are no keypoints.
    """
    if not video.people:
        return {}
    tables = [person[0] if person[0].keypoints2d is not None else bodies_as_points(person[0], body) for person in video.people]
    matches = match_tracks(join_people(tables), annotated, miss_px=0.1 * video.info.height)
    return {match.track: match.person for match in matches}


def labels_of(
    person: Recovered, videos: Sequence[TrackedVideo], segments: dict[str, tuple[Segment, ...]] | None,
    identities: Sequence[dict[int, int]],
) -> tuple[Segment, ...]:  # fmt: skip
    """Frame labels of a recovered person: by the annotated person they were matched to, by the video, or by the track.

    Args:
        person: The recovered person.
        videos: The videos.
        segments: Labels by annotated person, by the video's file name or stem, or (one video) by track number.
        identities: For each video what ``identify`` found.
    """
    if not segments:
        return ()
    who = identities[person.video].get(person.track)
    if who is not None and str(who) in segments:
        return segments[str(who)]
    key = annotated_as(videos[person.video].info.path, segments)
    if key is not None:
        return segments[key]
    return segments.get(str(person.track), ()) if len(videos) == 1 and not identities[0] else ()


def annotated_as(video: Path, names: Iterable[str]) -> str | None:
    """The annotation name that refers to a video; None if there is none.

    A name may be a path: of several with the same file name the one that shares the most folders with the video is taken.
    """
    best, most = None, 0
    for name in names:
        path = Path(name)
        if path.name not in (video.name, video.stem) and path.stem != video.stem:
            continue
        pairs = zip(path.parts[-2::-1], video.resolve().parts[-2::-1], strict=False)
        shared = 1 + sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        if shared > most:
            best, most = name, shared
    return best
