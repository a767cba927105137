"""People are found by silhouettes where there are no keypoints, and of several the one who moves is followed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from augment.shards.video_codec import decode_video, encode_video
from augment.types import Segment
from benchmarks.silhouette_pairs import HEIGHT, WIDTH, View, draw
from recognition.inputs.places import person_boxes
from recognition.inputs.silhouettes import Patch, the_person
from recognition.networks.silhouette import SilhouetteNetwork, silhouettes
from recognition.recordings import Place, Recording


def recording_of(folder: Path, frames: np.ndarray, *, fps: float = 10.0) -> Recording:
    path = folder / "film.mp4"
    path.write_bytes(encode_video(frames, fps=fps))
    segments = (Segment(label="walk", start_sec=0.0, end_sec=len(frames) / fps),)
    return Recording(name="film.mp4", path=path, fps=fps, frames=len(frames), segments=segments)


def overlap(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Median over frames of the intersection over union of boxes (t, 4), where both are there."""
    both = np.isfinite(ours).all(axis=1) & np.isfinite(theirs).all(axis=1)
    ours, theirs = ours[both], theirs[both]
    low, high = np.maximum(ours[:, :2], theirs[:, :2]), np.minimum(ours[:, 2:], theirs[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (ours, theirs)]
    return float(np.median(shared / (areas[0] + areas[1] - shared)))


@pytest.fixture(scope="module")
def walk(clip):
    """Frames of a walk filmed by us, the box of its points in each, and the empty room."""
    frames, _ = decode_video(clip.video)
    given = Place(path=clip.keypoints)
    recording = Recording(
        name="clip.mp4", path=clip.video, fps=10.0, frames=len(frames), keypoints=given, size=(320, 240),
        segments=(Segment(label="walk", start_sec=0.0, end_sec=3.0),),
    )  # fmt: skip
    return frames, person_boxes(recording), clip.truth.scene.plate


def with_plate(recording: Recording, plate: np.ndarray) -> Recording:
    place = recording.path.with_name("plate.png")
    cv2.imwrite(str(place), plate[..., [2, 1, 0, 3][: plate.shape[2]]])
    return replace(recording, plate=place)


@pytest.mark.parametrize("evidence", ["plate", "median"])
def test_a_walker_is_found_without_keypoints(walk, tmp_path, evidence):
    frames, points, room = walk
    recording = recording_of(tmp_path, frames)
    boxes = person_boxes(with_plate(recording, room) if evidence == "plate" else recording)
    assert overlap(boxes, points) > 0.5


def test_furniture_moved_since_the_plate_was_taken_is_not_the_person(walk, tmp_path):
    frames, points, room = walk
    moved = room.copy()
    moved[150:230, 20:140] = 255 - moved[150:230, 20:140]  # larger than the person
    assert overlap(person_boxes(with_plate(recording_of(tmp_path, frames), moved)), points) > 0.5


def test_who_keeps_still_throughout_is_found_by_the_plate(walk, tmp_path):
    frames, points, room = walk
    middle = len(frames) // 2
    still = recording_of(tmp_path, np.repeat(frames[middle][None], 20, axis=0))
    assert overlap(person_boxes(with_plate(still, room)), np.repeat(points[middle][None], 20, axis=0)) > 0.5


def test_nobody_is_looked_for_where_the_plate_is_transparent(walk, tmp_path):
    frames, _, room = walk
    recording = recording_of(tmp_path, frames)
    hidden = np.dstack([room, np.zeros(room.shape[:2], np.uint8)])
    with pytest.raises(ValueError, match=r"film.mp4: nobody found in it: `plate` \(plate.png\): no silhouette of a person"):
        person_boxes(with_plate(recording, hidden))
    boxes = person_boxes(with_plate(recording, np.dstack([room, np.full(room.shape[:2], 255, np.uint8)])))
    np.testing.assert_array_equal(boxes, person_boxes(with_plate(recording, room)))


def test_an_empty_room_holds_nobody(walk, tmp_path):
    _, _, room = walk
    with pytest.raises(ValueError, match=r"film.mp4: nobody found in it: no `keypoints`, no `mask`, no `plate`"):
        person_boxes(recording_of(tmp_path, np.repeat(room[None], 12, axis=0)))


def patch(x: float, *, moving: float = 0.0, size: float = 40.0) -> Patch:
    box = np.array([x, 40.0, x + size / 2, 40.0 + size])
    return Patch(box=box, area=size * size / 2 / (128 * 170), activity=moving)


def linked(frames: list[list[Patch]]) -> list[list[Patch]]:
    for earlier, now in pairwise(frames):
        for one in now:
            one.before = [other for other in earlier if abs(other.box[0] - one.box[0]) < 10]
    return frames


def test_of_two_people_the_one_who_moves_is_followed_even_when_at_rest():
    sitter = [patch(120.0, moving=0.05, size=50.0) for _ in range(60)]
    faller = [patch(20.0, moving=0.6 if 10 < t < 20 else 0.0) for t in range(60)]
    chosen = the_person(linked([[a, b] for a, b in zip(sitter, faller, strict=True)]))
    assert all(one is other for one, other in zip(chosen, faller, strict=True))


def test_who_is_no_longer_seen_is_not_taken_for_a_passer_by():
    faller = [patch(20.0, moving=0.8) for _ in range(16)]
    passer = [patch(100.0 + 2 * t, moving=0.3, size=20.0) for t in range(20)]
    frames = linked([[one] for one in faller] + [[one] for one in passer])
    chosen = the_person(frames)
    assert chosen[:16] == faller
    assert chosen[16:] == [None] * 20


def test_frames_without_anybody_have_no_person():
    one = patch(20.0)
    assert the_person([[], [one], []]) == [None, one, None]
    assert the_person([[], []]) == [None, None]


@pytest.mark.parametrize("size", [(128, 170), (96, 61), (33, 32)])
def test_silhouettes_have_half_the_size_of_any_picture_and_do_not_depend_on_the_others(size):
    torch.manual_seed(0)
    network = SilhouetteNetwork().eval()
    rng = np.random.default_rng(0)
    pictures, plates, usual = rng.integers(0, 255, (3, 20, *size, 3), dtype=np.uint8)
    together = silhouettes(pictures, plates=plates, usual=usual, network=network)
    assert together.shape == (20, (size[0] + 1) // 2, (size[1] + 1) // 2)
    alone = silhouettes(pictures[17:18], plates=plates[17:18], usual=usual[17:18], network=network)
    np.testing.assert_allclose(together[17], alone[0], atol=1e-4)


def test_drawn_pictures_show_people_where_their_mask_says():
    rng = np.random.default_rng(3)
    room = rng.integers(90, 110, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:90, 60:90] = 255
    picture = np.where(mask[..., None] > 0, np.array([250, 20, 20], np.uint8), room)
    views = [View(pictures=picture[None], masks=mask[None], plate=room)]
    inside, seen = [], 0
    for _ in range(60):
        shown, plate, usual, where = draw(views, rng=rng)
        assert shown.shape == plate.shape == usual.shape == (*where.shape, 3) == (HEIGHT, WIDTH, 3)
        if (where > 200).sum() > 100:
            red = shown[..., 0].astype(int) - shown[..., 2]
            inside.append(np.median(red[where > 200]) - np.median(red[where == 0]))
            seen += 1
    assert seen > 30
    assert np.mean(np.array(inside) > 20) > 0.75  # some pictures are grey
