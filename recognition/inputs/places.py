"""Where the person is in every frame of a recording, and a square that follows it.

Taken from keypoints if there are any; else from a sample's mask; else from silhouettes, which a network finds by what the room
looks like without people: a picture of it (``Recording.plate``), and medians of the recording's own frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from scipy.ndimage import gaussian_filter1d, median_filter, percentile_filter

from augment.files import DAMAGED_NPZ, npz_arrays
from augment.shards.video_codec import decode_mask

from ..recordings import Recording
from .keypoints import SURE, person_points
from .rgb import MARGIN, each_frame
from .silhouettes import silhouette_boxes

AROUND = 1.6
"""Side of the network's square in extents of the person (the long side of the box around it); the kept one is larger."""
SMOOTHED_SEC = (0.7, 1.0)
"""Spread of the smoothing of the square's place, across and down, seconds: of a fall of one second half stays to be seen."""
LEAST_POINTS = 4
"""Keypoints of a frame from which a person's place is taken."""
PLATE_FRAMES = 21
"""Frames of a recording of which the median is its plate."""
MOSTLY = 0.85
"""Pixels hidden in more than this share of those frames count as never uncovered."""


def person_boxes(recording: Recording) -> Float[np.ndarray, "t 4"]:
    """Left, top, right and bottom of the person in each frame, pixels; NaN where nobody was found.

    Raises:
        ValueError: If nobody is found in any frame; the message names file and field.
    """
    if recording.keypoints is not None and (not recording.is_synthetic or _has_coco(recording)):
        field = f"`keypoints` ({recording.keypoints.path.name})"
        boxes = _boxes_of_points(person_points(recording))
        why = f"no frame has {LEAST_POINTS} points of confidence above {SURE}"
    elif recording.mask is not None:
        field, why = "`mask.mp4`", "it is empty"
        boxes = _boxes_of_mask(decode_mask(recording.mask.read()) == 1)
    else:
        field = f"`plate` ({recording.plate.name})" if recording.plate else "no `keypoints`, no `mask`, no `plate`"
        plate, looked_at = _plate_picture(recording) if recording.plate else (None, None)
        boxes = silhouette_boxes(recording, plate=plate, looked_at=looked_at)
        why = "no silhouette of a person in any frame; give keypoints"
        why += "" if recording.plate else ", or a plate of the empty room"
    if not np.isfinite(boxes).all(axis=1).any():
        raise ValueError(f"{recording.name}: nobody found in it: {field}: {why}")
    return boxes


def _has_coco(recording: Recording) -> bool:
    try:
        return recording.keypoints is not None and "keypoints_coco" in npz_arrays(recording.keypoints.read())
    except DAMAGED_NPZ as error:
        raise ValueError(f"{recording.name}: its npz cannot be read ({error}); generate it anew") from error


def _boxes_of_points(points: Float[np.ndarray, "t 17 3"]) -> Float[np.ndarray, "t 4"]:
    seen = (points[..., 2] > SURE)[..., None]
    low, high = np.where(seen, points[..., :2], np.inf).min(axis=1), np.where(seen, points[..., :2], -np.inf).max(axis=1)
    boxes = np.concatenate([low, high], axis=1).astype(float)
    boxes[seen[..., 0].sum(axis=1) < LEAST_POINTS] = np.nan
    return boxes


def _boxes_of_mask(mask: np.ndarray) -> Float[np.ndarray, "t 4"]:
    boxes = np.full((len(mask), 4), np.nan)
    for index, frame in enumerate(mask):
        rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
        if len(rows):
            boxes[index] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyRoom:
    """What a camera sees without the person."""

    picture: UInt8[np.ndarray, "h w 3"]
    unknown: Bool[np.ndarray, "h w"]
    """Where somebody stood or lay from beginning to end and there is no plate: the picture shows the person there."""


def empty_room(recording: Recording, *, boxes: Float[np.ndarray, "t 4"]) -> EmptyRoom:
    """The room without the person: the median over frames spread over the recording, each without the person's box.

    What the boxes never uncover is taken from the recording's plate if it has one, and else is ``unknown``. So things that were
    moved since the plate was taken do no harm.

    Raises:
        ValueError: If the plate is no picture of the video's size, or the video cannot be decoded.
    """
    plate = _plate_picture(recording)[0] if recording.plate is not None else None
    frames, covered = [], []
    for index, frame in each_frame(recording, rate=recording.fps * min(1.0, PLATE_FRAMES / recording.frames)):
        frames.append(frame.to_ndarray(format="rgb24"))
        covered.append(_inside(boxes[min(index, len(boxes) - 1)], frames[-1].shape[:2]))
    stack, hidden = np.stack(frames).astype(np.int16), np.stack(covered)
    unknown = hidden.mean(axis=0) > MOSTLY
    hidden[:, unknown] = False
    stack[hidden] = 256
    stack.sort(axis=0)
    middle = (len(stack) - hidden.sum(axis=0) - 1) // 2
    picture = np.take_along_axis(stack, middle[None, ..., None], axis=0)[0].astype(np.uint8)
    if plate is not None:
        picture[unknown] = plate[unknown]
        unknown = np.zeros_like(unknown)
    return EmptyRoom(picture=picture, unknown=unknown)


def _inside(box: Float[np.ndarray, "4"], size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """A box with a border of a tenth, as pixels of the picture; none where nobody was found."""
    inside = np.zeros(size[:2], bool)
    if np.isfinite(box).all():
        left, top, right, bottom = box
        border = 0.1 * max(right - left, bottom - top)
        edges = [max(0, round(value)) for value in (top - border, bottom + border, left - border, right + border)]
        inside[edges[0] : edges[1], edges[2] : edges[3]] = True
    return inside


def _plate_picture(recording: Recording) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """The picture of the empty room, and where people are looked for: where it is not transparent."""
    place = recording.plate
    picture = cv2.imread(str(place), cv2.IMREAD_UNCHANGED) if place is not None and place.is_file() else None
    if picture is None:
        raise ValueError(f"{recording.name}: `plate`: {place} is no readable picture; expected a PNG or JPEG of the empty room")
    _, first = next(each_frame(recording, rate=recording.fps))
    if picture.shape[:2] != (first.height, first.width):
        raise ValueError(
            f"{recording.name}: `plate`: {place} is {picture.shape[1]}x{picture.shape[0]}, the video "
            f"{first.width}x{first.height}; expected a picture from the same camera, of the video's size"
        )
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    looked_at = picture[..., 3] > 0 if picture.shape[2] == 4 else np.ones(picture.shape[:2], bool)
    return np.ascontiguousarray(picture[..., 2::-1]), looked_at


def followed(boxes: Float[np.ndarray, "t 4"], *, fps: float) -> Float32[np.ndarray, "t 3"]:
    """A square that follows the person: x and y of its middle, and its side, pixels.

    Its middle is smoothed over about two seconds and its side is ``AROUND * MARGIN`` times the largest extent of some seconds
    around, so that a fall still goes down in it and somebody who lies looks as long as when standing. Frames without a person
    take the nearest found place.

    Raises:
        ValueError: If nobody was found in any frame.
    """
    found = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    if not len(found):
        raise ValueError("nobody found in any frame")
    times = np.arange(len(boxes))
    after = np.clip(np.searchsorted(found, times), 0, len(found) - 1)
    before = np.maximum(after - 1, 0)
    nearest = found[np.where(times - found[before] < np.abs(found[after] - times), before, after)]
    full = boxes[nearest]
    middle = (full[:, :2] + full[:, 2:]) / 2
    extent = (full[:, 2:] - full[:, :2]).max(axis=1)
    middle = median_filter(middle, size=(2 * round(0.25 * fps) + 1, 1), mode="nearest")
    for axis, seconds in enumerate(SMOOTHED_SEC):
        middle[:, axis] = gaussian_filter1d(middle[:, axis], seconds * fps, mode="nearest")
    extent = percentile_filter(extent, 85, size=2 * round(2 * fps) + 1, mode="nearest")
    extent = gaussian_filter1d(extent, 1.0 * fps, mode="nearest")
    return np.concatenate([middle, AROUND * MARGIN * np.maximum(extent, 8.0)[:, None]], axis=1).astype(np.float32)


def cut_square(
    picture: UInt8[np.ndarray, "h w *c"], square: Float32[np.ndarray, "3"], *, side: int, outside: tuple[int, ...]
) -> UInt8[np.ndarray, "side side *c"]:
    """A square of a picture, scaled to ``side`` pixels; ``outside`` is the colour beyond the picture's edges."""
    x, y, wide = (float(value) for value in square)
    left, top, size = round(x - wide / 2), round(y - wide / 2), max(2, round(wide))
    height, width = picture.shape[:2]
    beyond = [max(0, -top), max(0, top + size - height), max(0, -left), max(0, left + size - width)]
    cut = picture[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)]
    if any(beyond):
        if not cut.size:
            return np.broadcast_to(np.array(outside, np.uint8), (side, side, len(outside))).reshape(
                side, side, *picture.shape[2:]
            )
        cut = cv2.copyMakeBorder(cut, *beyond, borderType=cv2.BORDER_CONSTANT, value=outside)
    return cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA if size > side else cv2.INTER_LINEAR)
