"""Pictures to train the silhouette network on: films of our own rooms, with what misleads a comparison with the empty room.

Furniture moved since the empty room's picture was taken, people who keep still through a recording, other people, ghosts of
people in either background, shadows and light, the camera's exposure, noise and compression.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from augment.shards.tar import read_shard, shard_paths
from augment.shards.video_codec import decode_mask, decode_video

HEIGHT, WIDTH = 128, 168
"""Size of the drawn pictures, pixels."""
Picture = UInt8[np.ndarray, "h w 3"]
Mask = UInt8[np.ndarray, "h w"]
"""0 to 255: the share of each pixel that people cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one camera films in one room."""

    pictures: UInt8[np.ndarray, "n h w 3"]
    masks: UInt8[np.ndarray, "n h w"]
    plate: Picture


@dataclass(slots=True, kw_only=True)
class Shot:
    """A picture with its two backgrounds while it is made up."""

    picture: Picture
    mask: Mask
    plate: Picture
    usual: Picture
    still: list[tuple[Picture, Mask]] = field(default_factory=list)
    """People who are where they are all through the recording, with the picture that shows them."""


def read_views(folder: Path, *, per_clip: int, rng: np.random.Generator) -> list[View]:
    """Pictures of films, ``HEIGHT`` tall, by room and camera; a plate is the median of a view's pictures beside the people."""
    found: dict[tuple[str, str], list[tuple[Picture, Mask]]] = {}
    for sample in (each for path in shard_paths(folder) for each in read_shard(path, decode=False)):
        about = json.loads(sample["json"])["provenance"]["scene"]
        (pictures, _), masks = decode_video(sample["mp4"]), decode_mask(sample["mask.mp4"]) == 1
        size = (2 * round(pictures.shape[2] * HEIGHT / pictures.shape[1] / 2), HEIGHT)
        for index in rng.choice(len(pictures), min(per_clip, len(pictures)), replace=False):
            picture = cv2.resize(pictures[index], size, interpolation=cv2.INTER_AREA)
            mask = cv2.resize(masks[index].astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
            found.setdefault((about["name"], about["camera"]), []).append((picture, mask))
    return [_view(shots) for shots in found.values()]


def _view(shots: list[tuple[Picture, Mask]]) -> View:
    pictures, masks = (np.stack(each) for each in zip(*shots, strict=True))
    beside = pictures.astype(np.float32)
    for room, mask in zip(beside, masks, strict=True):
        room[cv2.dilate(mask, np.ones((9, 9), np.uint8)) > 10] = np.nan
    never = np.isnan(beside[..., 0]).all(axis=0)
    beside[:, never] = pictures[:, never]
    return View(pictures=pictures, masks=masks, plate=np.nanmedian(beside, axis=0).astype(np.uint8))


def draw(views: list[View], *, rng: np.random.Generator) -> tuple[Picture, Picture, Picture, Mask]:
    """A picture, the empty room, the recording's usual picture, and where people are in the first."""
    view = views[rng.integers(len(views))]
    number = rng.integers(len(view.pictures))
    plate = view.plate
    if rng.random() < 0.12:
        shot = Shot(picture=plate.copy(), mask=np.zeros_like(view.masks[0]), plate=plate.copy(), usual=plate.copy())
    else:
        shot = Shot(
            picture=view.pictures[number].copy(), mask=view.masks[number].copy(), plate=plate.copy(), usual=plate.copy()
        )
        if rng.random() < 0.4:
            shot.still.append((shot.picture.copy(), shot.mask))
    for _ in range(rng.integers(0, 5)):
        _add_thing(shot, views, plate, rng=rng)
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 3)):
            _add_somebody(shot, views, rng=rng)
    for picture, mask in shot.still:
        _show_in_usual(shot, picture, mask, rng=rng)
    kind = rng.random()
    if kind < 0.15:
        shot.plate = shot.usual.copy()  # there is no picture of the empty room
    elif kind < 0.25:
        shot.usual = shot.plate.copy()
    _light(shot, rng=rng)
    _zoom(shot, rng=rng)
    return _filmed(shot, rng=rng)


def _add_thing(shot: Shot, views: list[View], room: Picture, *, rng: np.random.Generator) -> None:
    """Furniture that was moved, brought or taken away: in the plate, or in the picture and mostly also in the usual one."""
    size = shot.mask.shape
    where = _bed(size, rng=rng) if rng.random() < 0.35 else _blob(size, rng=rng)
    texture = _texture(views, room, rng=rng)
    kind = rng.random()
    if kind < 0.4:
        shot.plate[where] = texture[where]
        return

    def behind(picture: Picture, mask: Mask) -> Picture:
        return np.where((where & (mask < 10))[..., None], texture, picture)

    shot.picture = behind(shot.picture, shot.mask)
    shot.still = [(behind(picture, mask), mask) for picture, mask in shot.still]
    if kind < 0.85:
        shot.usual[where] = texture[where]
    if kind > 0.7:
        shot.plate[where] = np.roll(texture, rng.integers(-10, 11), axis=1)[where]


def _texture(views: list[View], room: Picture, *, rng: np.random.Generator) -> Picture:
    """A part of this room from elsewhere in it, of another room, or one colour with soft patterns."""
    height, width = room.shape[:2]
    kind = rng.random()
    if kind < 0.5:
        return np.roll(room, (rng.integers(-16, 17), rng.integers(-40, 41)), axis=(0, 1))
    if kind < 0.75:
        scale = np.exp(rng.uniform(-0.3, 1.2))
        other = cv2.resize(views[rng.integers(len(views))].plate, None, fx=scale, fy=scale)
        other = cv2.resize(other, (max(width, other.shape[1]), max(height, other.shape[0])))
        top, left = rng.integers(other.shape[0] - height + 1), rng.integers(other.shape[1] - width + 1)
        return other[top : top + height, left : left + width]
    pattern = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 2.0)
    coloured = rng.uniform(20, 250, 3) + pattern[..., None] * rng.uniform(0, 120)
    return np.clip(coloured, 0, 255).astype(np.uint8)


def _blob(size: tuple[int, ...], *, rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """A star-shaped polygon."""
    height, width = size
    count = rng.integers(3, 9) if rng.random() < 0.7 else 24
    angle, aspect = np.sort(rng.uniform(0, 2 * np.pi, count)), np.exp(rng.normal(0, 0.5))
    radius = np.exp(rng.uniform(np.log(0.06), np.log(0.5))) * height * rng.uniform(0.5, 1, count)
    middle = rng.uniform(0, 1, 2) * (width, height)
    return _filled(np.stack([radius * np.cos(angle) * aspect, radius * np.sin(angle) / aspect], axis=1) + middle, size)


def _bed(size: tuple[int, ...], *, rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """A table's or mattress's top seen from above."""
    height, width = size
    corners = np.array([[-1, -0.6], [1, -0.6], [1.25, 0.6], [-1.25, 0.6]]) * rng.uniform(0.15, 0.4) * height
    corners = corners * (rng.uniform(0.6, 1.6), rng.uniform(0.5, 1.2))
    cos, sin = np.cos(turn := rng.normal(0, 0.4)), np.sin(turn)
    return _filled(corners @ np.array([[cos, sin], [-sin, cos]]) + (rng.uniform(0, width), rng.uniform(0.3, 1) * height), size)


def _filled(corners: np.ndarray, size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    mask = np.zeros(size[:2], np.uint8)
    cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    return mask.astype(bool)


def _add_somebody(shot: Shot, views: list[View], *, rng: np.random.Generator) -> None:
    """Another person in the picture, or left over in one of the backgrounds."""
    other = views[rng.integers(len(views))]
    number = rng.integers(len(other.pictures))
    height, width = shot.mask.shape
    if other.masks.shape[1:] != (height, width):
        return
    scale, across, down = np.exp(rng.normal(0, 0.25)), rng.integers(-50, 51), rng.integers(-10, 11)
    moved = np.array(
        [[scale, 0, across + (1 - scale) * width / 2], [0, scale, down + (1 - scale) * height / 2]], dtype=np.float32
    )
    picture = cv2.warpAffine(other.pictures[number], moved, (width, height))
    mask = cv2.warpAffine(other.masks[number], moved, (width, height))
    kind = rng.random()
    if kind < 0.15:
        shot.plate = _over(shot.plate, picture, mask)
    elif kind < 0.3:
        shot.usual = _over(shot.usual, picture, mask)
    else:
        shot.picture, shot.mask = _over(shot.picture, picture, mask), np.maximum(shot.mask, mask)
        if kind < 0.6:
            shot.still.append((picture, mask))


def _over(below: Picture, above: Picture, mask: Mask, share: float | np.ndarray = 1.0) -> Picture:
    covered = mask[..., None] / 255.0 * share
    return (below * (1 - covered) + above * covered).astype(np.uint8)


def _show_in_usual(shot: Shot, picture: Picture, mask: Mask, *, rng: np.random.Generator) -> None:
    """Who keeps still is in the usual picture too: sometimes moved a little, sometimes in part."""
    if rng.random() < 0.3:
        step = np.array([[1, 0, rng.normal(0, 2)], [0, 1, rng.normal(0, 2)]], dtype=np.float32)
        picture, mask = (cv2.warpAffine(each, step, mask.shape[::-1]) for each in (picture, mask))
    share: float | np.ndarray = 1.0
    if rng.random() < 0.3:
        share = cv2.GaussianBlur(_blob(mask.shape, rng=rng).astype(np.float32), (0, 0), 2.0)[..., None]
    shot.usual = _over(shot.usual, picture, mask, share)


def _light(shot: Shot, *, rng: np.random.Generator) -> None:
    """A shadow, or light from a window, in half of the pictures."""
    if rng.random() < 0.5:
        where = cv2.GaussianBlur(_blob(shot.mask.shape, rng=rng).astype(np.float32), (0, 0), rng.uniform(1, 8))[..., None]
        shot.picture = np.clip(shot.picture * (1 + where * (rng.uniform(0.55, 1.3) - 1)), 0, 255).astype(np.uint8)


def _zoom(shot: Shot, *, rng: np.random.Generator) -> None:
    """Another part of the view, smaller or larger; people at the lower edge more often. The plate is off by half a pixel."""
    height, width = shot.mask.shape
    scale = np.exp(rng.uniform(-0.35, 0.45))
    free = np.array([WIDTH - scale * width, HEIGHT - scale * height])
    shift = rng.uniform(np.minimum(free, 0), np.maximum(free, 0))
    rows = np.flatnonzero(shot.mask.max(axis=1) > 100)
    if len(rows) and rng.random() < 0.3:
        shift[1] = HEIGHT - scale * (rows[-1] - rng.uniform(0, 0.5) * (rows[-1] - rows[0] + 1))

    def seen(picture: np.ndarray, off: float = 0.0) -> np.ndarray:
        x, y = shift + rng.normal(0, 1, 2) * off
        matrix = np.array([[scale, 0, x], [0, scale, y]], dtype=np.float32)
        return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)

    shot.picture, shot.usual, shot.mask = seen(shot.picture), seen(shot.usual), seen(shot.mask)
    shot.plate = seen(shot.plate, 0.4)


def _filmed(shot: Shot, *, rng: np.random.Generator) -> tuple[Picture, Picture, Picture, Mask]:
    """What a camera makes of it; the recording's pictures have one exposure, the plate its own."""
    both, plate = _exposed(np.stack([shot.picture, shot.usual]), rng=rng), _exposed(shot.plate, rng=rng)
    picture, usual = both
    if rng.random() < 0.15:
        picture, usual, plate = (np.repeat(each.mean(axis=-1, keepdims=True), 3, axis=-1) for each in (picture, usual, plate))
    if rng.random() < 0.6:
        spread = rng.uniform(0.3, 1.6)
        picture, usual = (cv2.GaussianBlur(each, (0, 0), spread) for each in (picture, usual))
    if rng.random() < 0.6:
        plate = cv2.GaussianBlur(plate, (0, 0), rng.uniform(0.3, 1.6))
    picture = picture + rng.normal(0, rng.uniform(0, 6), picture.shape)
    picture, plate, usual = (np.clip(each, 0, 255).astype(np.uint8) for each in (picture, plate, usual))
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
        assert picture is not None
    step = -1 if rng.random() < 0.5 else 1
    return picture[:, ::step], plate[:, ::step], usual[:, ::step], shot.mask[:, ::step]


def _exposed(picture: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.03, 3))
    return (np.clip(picture / 255.0 * gain, 0, 1) ** np.exp(rng.normal(0, 0.15)) * 255).astype(np.float32)
