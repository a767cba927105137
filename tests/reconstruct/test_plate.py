from __future__ import annotations

import numpy as np
import pytest

from augment.reconstruct.plate.config import Sampling
from augment.reconstruct.plate.inpaint import fill_holes
from augment.reconstruct.plate.looks import content_box, make_plate
from augment.reconstruct.watch.masks import followed, keeps_still, person_mask
from augment.sources.people.mediapipe import read_mediapipe
from tests.make.realdata import require
from tests.make.scenery import background, box_landmarks, write_keypoints, write_video

SHIRT = np.array([250, 20, 20], np.uint8)


def walk_then_lie(empty: np.ndarray, walk: int = 16, lie: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """A red box crosses the picture and then lies still for most of the video; frames and boxes."""
    boxes = [(8 + 4 * t, 24, 24 + 4 * t, 72) for t in range(walk)] + [(56, 66, 108, 84)] * lie
    frames = np.repeat(empty[None], len(boxes), axis=0)
    for frame, (x0, y0, x1, y1) in zip(frames, boxes, strict=True):
        frame[y0:y1, x0:x1] = SHIRT
    return frames, np.array(boxes, float)


def red(image: np.ndarray) -> np.ndarray:
    return np.abs(image.astype(int) - SHIRT).max(axis=2) < 60


def test_plate_behind_a_moving_square_is_the_background_exactly(tmp_path):
    empty = background()
    frames, boxes = walk_then_lie(empty, walk=24, lie=0)
    video = write_video(tmp_path / "a.mkv", frames)
    keypoints = read_mediapipe(write_keypoints(tmp_path / "a.npz", box_landmarks(boxes), (128, 96)))
    plate = make_plate([video], [[keypoints]])
    np.testing.assert_array_equal(plate.image, empty)
    assert not plate.guessed.any()


def test_without_keypoints_too(tmp_path):
    empty = background()
    video = write_video(tmp_path / "a.mkv", walk_then_lie(empty, walk=24, lie=0)[0])
    np.testing.assert_array_equal(make_plate([video], None).image, empty)


def test_who_lies_still_to_the_end_is_not_in_the_plate(tmp_path):
    empty = background()
    frames, boxes = walk_then_lie(empty)
    video = write_video(tmp_path / "a.mkv", frames)
    keypoints = read_mediapipe(write_keypoints(tmp_path / "a.npz", box_landmarks(boxes), (128, 96)))
    plate = make_plate([video], [[keypoints]])
    assert not red(plate.image).any()
    known = ~plate.guessed
    np.testing.assert_array_equal(plate.image[known], empty[known])


def test_frames_without_detection_are_no_proof_of_an_empty_room(tmp_path):
    empty = background()
    frames, boxes = walk_then_lie(empty)
    landmarks = box_landmarks(boxes)
    landmarks[16:] = np.nan
    video = write_video(tmp_path / "a.mkv", frames)
    keypoints = read_mediapipe(write_keypoints(tmp_path / "a.npz", landmarks, (128, 96)))
    careful, trusting = (
        make_plate([video], [[keypoints]], sampling=Sampling(trust_undetected=trust)) for trust in (False, True)
    )
    assert not red(careful.image).any()
    assert (careful.frames, trusting.frames) == (16, 40)


def test_without_keypoints_who_lies_still_gives_way_to_the_room(tmp_path):
    empty = np.full((96, 128, 3), 120, np.uint8)
    video = write_video(tmp_path / "a.mkv", walk_then_lie(empty)[0])
    assert not red(make_plate([video], None).image).any()


def test_an_empty_stretch_is_taken_as_it_is(tmp_path):
    empty = background()
    frames = walk_then_lie(empty)[0]
    frames[:5] = empty
    video = write_video(tmp_path / "a.mkv", frames)
    np.testing.assert_array_equal(make_plate([video], None, sampling=Sampling(empty=(0, 0.5))).image, empty)
    with pytest.raises(ValueError, match="does not lie in"):
        make_plate([video], None, sampling=Sampling(empty=(3, 99)))


def test_masked_pixels_are_painted_over_and_said_to_be_guessed(tmp_path):
    empty = np.full((96, 128, 3), 120, np.uint8)
    frames, _ = walk_then_lie(empty, walk=24, lie=0)
    frames[:, 10:30, 100:120] = SHIRT
    video = write_video(tmp_path / "a.mkv", frames)
    mask = np.zeros((96, 128), bool)
    mask[8:32, 98:122] = True
    plate = make_plate([video], None, mask=mask)
    assert plate.guessed[mask].all()
    assert np.abs(plate.image[mask].astype(int) - 120).max() <= 2
    with pytest.raises(ValueError, match="mask is 10x10 but the video 128x96"):
        make_plate([video], None, mask=np.zeros((10, 10), bool))


def test_a_gap_in_one_furnishing_is_not_filled_with_another_ones_furniture(tmp_path):
    empty = background()
    furnished = empty.copy()
    furnished[60:92, 8:120] = (30, 220, 40)
    videos, keypoints = [], []
    for name, room in (("a", empty), ("b", empty), ("c", furnished)):
        frames, boxes = walk_then_lie(room, walk=24, lie=0)
        videos.append(write_video(tmp_path / f"{name}.mkv", frames))
        keypoints.append([read_mediapipe(write_keypoints(tmp_path / f"{name}.npz", box_landmarks(boxes), (128, 96)))])
    plate = make_plate(videos, keypoints)
    assert plate.layout_videos == (0, 1)
    np.testing.assert_array_equal(plate.image, empty)


def test_a_detector_that_jumps_to_a_bystander_proves_nothing_about_the_floor(tmp_path):
    empty = background()
    frames, boxes = walk_then_lie(empty)
    boxes[16:] = (2, 2, 14, 40)
    video = write_video(tmp_path / "a.mkv", frames)
    keypoints = read_mediapipe(write_keypoints(tmp_path / "a.npz", box_landmarks(boxes), (128, 96)))
    assert followed(keypoints).tolist() == [True] * 16 + [False] * 24
    assert not red(make_plate([video], [[keypoints]]).image).any()


def test_person_mask_covers_the_landmarks_and_a_margin(tmp_path):
    keypoints = read_mediapipe(write_keypoints(tmp_path / "a.npz", box_landmarks(np.array([[40.0, 20, 60, 80]])), (128, 96)))
    mask = person_mask(keypoints, 0, 96, 128)
    assert mask[20:80, 40:60].all()
    assert mask[16, 50]
    assert not mask[:, 100:].any()


def test_black_bars_are_found():
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 10:90] = 90
    assert content_box(image) == (10, 0, 90, 60)


def test_filling_continues_a_texture_and_touches_nothing_else():
    stripes = (
        np.repeat(np.where(np.arange(128) // 8 % 2, 60, 190)[None, :, None], 96, axis=0).repeat(3, axis=2).astype(np.uint8)
    )
    hole = np.zeros((96, 128), bool)
    hole[30:60, 50:80] = True
    damaged = stripes.copy()
    damaged[hole] = (255, 0, 255)
    filled = fill_holes(damaged, hole)
    np.testing.assert_array_equal(filled[~hole], stripes[~hole])
    assert np.abs(filled[hole].astype(int) - stripes[hole]).mean() < 25
    np.testing.assert_array_equal(filled, fill_holes(damaged, hole))


def test_videos_of_two_sizes_are_refused(tmp_path):
    a = write_video(tmp_path / "a.mkv", np.zeros((4, 96, 128, 3), np.uint8))
    b = write_video(tmp_path / "b.mkv", np.zeros((4, 64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="ONE fixed camera"):
        make_plate([a, b], None)


def test_real_clips_leave_no_white_shirt_on_the_dark_floor(tmp_path):
    root = require("upfall")
    names = ["a09_t1_c1", "a09_t2_c1"]
    plate = make_plate(
        [root / "videos" / f"{n}.mp4" for n in names], [[read_mediapipe(root / "keypoints" / f"{n}.npz")] for n in names],
        sampling=Sampling(frames=40),
    )  # fmt: skip
    assert plate.image[300:420, 250:400].mean() < 120


def two_people(empty: np.ndarray, length: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One red box walks from left to right, another sits on the right all the time and fidgets; frames and both boxes."""
    rng = np.random.default_rng(0)
    walker = np.array([(4 + 3 * t, 24, 20 + 3 * t, 72) for t in range(length)], float)
    sitter = np.array([(100, 40, 120, 80)] * length, float) + rng.integers(-1, 2, size=(length, 1))
    frames = np.repeat(empty[None], length, axis=0)
    for frame, *boxes in zip(frames, walker.astype(int), sitter.astype(int), strict=True):
        for x0, y0, x1, y1 in boxes:
            frame[y0:y1, x0:x1] = SHIRT
    return frames, walker, sitter


def test_who_never_left_is_painted_out_and_said_to_be_guessed(tmp_path):
    empty = np.full((96, 128, 3), 120, np.uint8)
    frames, *tracks = two_people(empty)
    # the sitter is found in two thirds of the frames, and the outline found is too small in some
    tracks[1][::3] = np.nan
    tracks[1][1::6] += (3, 3, -3, -3)
    video = write_video(tmp_path / "a.mkv", frames)
    people = [
        read_mediapipe(write_keypoints(tmp_path / f"{i}.npz", box_landmarks(boxes), (128, 96)))
        for i, boxes in enumerate(tracks)
    ]
    assert [keeps_still(p, len(frames)) for p in people] == [False, True]
    plate = make_plate([video], [people])
    assert not red(plate.image).any()
    assert plate.guessed[42:78, 102:118].all()
    assert not plate.guessed[:, :90].any()
    alone = make_plate([video], [people[:1]])
    assert red(alone.image)[42:78, 102:118].all()


def test_a_frame_in_which_one_of_two_is_lost_proves_nothing(tmp_path):
    empty = np.full((96, 128, 3), 120, np.uint8)
    frames, walker, _ = two_people(empty, 30)
    low = np.array([(90 - 2 * t, 76, 104 - 2 * t, 92) for t in range(30)], float)
    for frame, (x0, y0, x1, y1) in zip(frames, low.astype(int), strict=True):
        frame[:, 96:] = 120
        frame[y0:y1, x0:x1] = SHIRT
    low[12:20] = np.nan
    video = write_video(tmp_path / "a.mkv", frames)
    people = [
        read_mediapipe(write_keypoints(tmp_path / f"{i}.npz", box_landmarks(b), (128, 96))) for i, b in enumerate((walker, low))
    ]
    plate = make_plate([video], [people])
    assert plate.frames == 22
    assert not red(plate.image).any()
