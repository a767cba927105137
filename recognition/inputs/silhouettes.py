"""Where the person is in a fixed camera's video without keypoints: silhouettes of all people, and which of them is followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ..networks.silhouette import AT_ONCE, silhouettes
from ..recordings import Recording
from .rgb import each_frame

LOOK_HEIGHT, LOOK_RATE = 128, 8.0
"""Height and rate of the pictures in which people are looked for, pixels and frames a second."""
MEDIAN_FRAMES, PART = 33, 0.4
"""Frames of a recording of which medians are taken, and the share of them that is its beginning, and its end."""
SOMEBODY = 0.35
"""Probability from which a pixel is of a person."""
LEAST_AREA = 0.002
"""Share of the picture that a person takes at least."""
MEMORY_SEC = 10.0
"""Who has moved is taken for the person for some time: the weight of a motion falls to 1/e in so long."""
STILL_COUNTS = 0.2
"""How much being there counts beside moving; 1 is a silhouette that within one looked-at frame leaves its place."""
HELD_COUNTS = 0.3
"""How much it counts, beside being seen, to have been seen last in a place where nobody has been seen since."""
MOST_HELD = 6
"""So many places of people who are no longer seen are remembered."""
JUMP, FARTHEST, NEVER = 5.0, 0.4, 100.0
"""What it costs to be followed from one place to another a picture's height away, in such frames of a full picture; nobody goes
farther than ``FARTHEST`` from one looked-at frame to the next."""
FADE = float(np.exp(-1 / (MEMORY_SEC * LOOK_RATE)))
"""What is left of a motion's weight after one looked-at frame."""


@dataclass(slots=True)
class Patch:
    """A connected silhouette in one looked-at frame."""

    box: Float[np.ndarray, "4"]
    """Left, top, right, bottom, pixels of the looked-at picture."""
    area: float
    """Share of the picture."""
    activity: float = 0.0
    """How much of it changed since the last frame, in its own area; then the largest such value near in time."""
    before: list[Patch] = field(default_factory=list, repr=False)
    """The patches of the last frame that it overlaps."""
    is_held: bool = False
    """Nothing is seen there in this frame; whoever was last seen there may still be."""


def silhouette_boxes(
    recording: Recording, *, plate: UInt8[np.ndarray, "h w 3"] | None, looked_at: Bool[np.ndarray, "h w"] | None
) -> Float[np.ndarray, "t 4"]:
    """The box around one person's silhouette, pixels, in some frames a second; NaN in those between and where nobody is.

    Of several people it is the one who moves most, wherever it goes.

    Args:
        recording: What to look through.
        plate: The empty room, where there is a picture of it.
        looked_at: False where people do not count: a window on a street, somebody who sits at a desk all day.
    """
    rooms = usual_pictures(recording)
    height, width = rooms[0].shape[:2]
    empty = rooms[0] if plate is None else cv2.resize(plate, (width, height), interpolation=cv2.INTER_AREA)
    counts = np.ones(((height + 1) // 2, (width + 1) // 2), bool)
    if looked_at is not None:
        counts = cv2.resize(looked_at.astype(np.uint8), counts.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    patches: list[list[Patch]] = []
    last: Bool[np.ndarray, "hh ww"] | None = None
    boxes, numbers = np.full((recording.frames, 4), np.nan), []
    pictures_of = _looked_at(recording)
    while some := list(islice(pictures_of, AT_ONCE)):
        pictures = np.stack([picture for _, picture, _ in some])
        plates = np.broadcast_to(empty, pictures.shape)
        each = [silhouettes(pictures, plates=plates, usual=np.broadcast_to(room, pictures.shape)) for room in rooms]
        for (index, _, scale), seen in zip(some, np.max(each, axis=0), strict=True):
            found, last = _patches((seen > SOMEBODY) & counts, last, patches[-1] if patches else [])
            patches.append(found)
            numbers.append((index, scale))
    for (index, scale), patch in zip(numbers, the_person(patches), strict=True):
        if patch is not None and index < len(boxes):
            boxes[index] = patch.box * scale
    return boxes


def usual_pictures(recording: Recording) -> list[UInt8[np.ndarray, "h w 3"]]:
    """What a recording shows most of the time, ``LOOK_HEIGHT`` tall: medians over frames of all of it, its beginning, its end.

    Somebody who comes to rest in view, or leaves it, is not in all of them.
    """
    rate = min(LOOK_RATE, recording.fps * MEDIAN_FRAMES / recording.frames)
    pictures = [picture for _, picture, _ in _looked_at(recording, rate=rate)]
    part = max(1, round(PART * len(pictures)))
    return [np.median(np.stack(some), axis=0).astype(np.uint8) for some in (pictures, pictures[:part], pictures[-part:])]


def _looked_at(
    recording: Recording, *, rate: float = LOOK_RATE
) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "4"]]]:
    """Number of a frame, the frame ``LOOK_HEIGHT`` tall, and from its pixels to the video's."""
    for index, frame in each_frame(recording, rate=rate):
        picture = frame.to_ndarray(format="rgb24")
        height, width = picture.shape[:2]
        size = (max(16, round(width * LOOK_HEIGHT / height)), LOOK_HEIGHT)
        yield index, cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.tile([width / size[0], height / size[1]], 2)


def _patches(
    somebody: Bool[np.ndarray, "hh ww"], last: Bool[np.ndarray, "hh ww"] | None, before: list[Patch]
) -> tuple[list[Patch], Bool[np.ndarray, "hh ww"]]:
    """The patches of one frame, with how they changed, and all of them as one mask."""
    closed = cv2.morphologyEx(somebody.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(closed)
    found, kept = [], np.zeros(somebody.shape, bool)
    for number in range(1, count):
        left, top, wide, tall, area = (int(value) for value in facts[number])
        if area < LEAST_AREA * somebody.size:
            continue
        mask = labels == number
        kept |= mask
        patch = Patch(box=2.0 * np.array([left, top, left + wide, top + tall]), area=area / somebody.size)
        patch.before = [other for other in before if _overlap(patch.box, other.box)]
        if last is not None and patch.before:
            inside = np.zeros(somebody.shape, bool)
            for other in (patch, *patch.before):
                x0, y0, x1, y1 = (other.box / 2).astype(int)
                inside[y0:y1, x0:x1] = True
            patch.activity = float(((mask != last) & inside).sum()) / area
        found.append(patch)
    return found, kept


def _overlap(one: Float[np.ndarray, "4"], other: Float[np.ndarray, "4"]) -> bool:
    return bool((np.minimum(one[2:], other[2:]) > np.maximum(one[:2], other[:2])).all())


def the_person(frames: list[list[Patch]]) -> list[Patch | None]:
    """For each frame the patch of the person who moves most, through all frames; None where there is no patch.

    The path of patches for which size and motion less the ways between them are largest (Viterbi's algorithm).
    """
    _remember_motion(frames)
    there = [patches for patches in _held(frames) if patches]
    if not there:
        return [None] * len(frames)
    best = [_weight(patch) for patch in there[0]]
    came: list[list[int]] = []
    for earlier, now in pairwise(there):
        ways = [[value - _cost(old, new) for old, value in zip(earlier, best, strict=True)] for new in now]
        came.append([int(np.argmax(way)) for way in ways])
        best = [max(way) + _weight(new) for way, new in zip(ways, now, strict=True)]
    at = int(np.argmax(best))
    path = [at]
    for back in reversed(came):
        path.append(at := back[at])
    chosen = [patches[index] for patches, index in zip(there, reversed(path), strict=True)]
    nobody = [None] * (len(frames) - len(there))  # until somebody is seen first
    return nobody + [None if patch.is_held else patch for patch in chosen]


def _held(frames: list[list[Patch]]) -> list[list[Patch]]:
    """The patches of each frame, and beside them those seen last where nothing is seen any more."""
    found: list[list[Patch]] = []
    for patches in frames:
        gone = [
            Patch(box=old.box, area=old.area, activity=old.activity * FADE, is_held=True)
            for old in (found[-1] if found else [])
            if not any(_overlap(old.box, new.box) for new in patches)
        ]
        found.append([*patches, *sorted(gone, key=_weight, reverse=True)[:MOST_HELD]])
    return found


def _remember_motion(frames: list[list[Patch]]) -> None:
    """Carry each patch's activity on to those that it becomes and that it was, weaker and weaker."""
    for patches in frames:
        for patch in patches:
            patch.activity = max([patch.activity, *(FADE * other.activity for other in patch.before)])
    for patches in reversed(frames):
        for patch in patches:
            for other in patch.before:
                other.activity = max(other.activity, FADE * patch.activity)


def _weight(patch: Patch) -> float:
    return float(np.sqrt(patch.area)) * (STILL_COUNTS + min(patch.activity, 1.0)) * (HELD_COUNTS if patch.is_held else 1.0)


def _cost(old: Patch, new: Patch) -> float:
    """Of going from one patch to another in one frame."""
    between = (old.box[:2] + old.box[2:] - new.box[:2] - new.box[2:]) / 2
    way = float(np.linalg.norm(between)) / LOOK_HEIGHT
    return JUMP * way + (NEVER if way > FARTHEST else 0.0)
