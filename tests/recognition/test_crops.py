"""Squares around the person: found by keypoints, mask or plate, following it, alike wherever it stands."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from recognition.csv_table import read_csv
from recognition.inputs.crops import motion_store, person_store
from recognition.inputs.motion import PER_SPEED, mirrored_motion, vary_motion
from recognition.inputs.places import AROUND, cut_square, empty_room, followed, person_boxes
from recognition.inputs.rgb import MARGIN
from recognition.recordings import recordings_digest
from recognition.study_file import make_study
from recognition.windows import Window
from tests.make.realdata import require
from tests.make.videos import study_data, write_videos
from tests.make.walkers import FPS, SIZE, boxes_of, film, keypoints_of, recording_of, room, walking

WINDOW = Window(recording=0, middle_sec=2.5, label=0)


def stores(folder: Path):
    return [make(folder=folder, size=48, frames=4, window_sec=2.0) for make in (person_store, motion_store)]


def overlap(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (t, 4)."""
    low, high = np.maximum(ours[:, :2], theirs[:, :2]), np.minimum(ours[:, 2:], theirs[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    return both / ((ours[:, 2:] - ours[:, :2]).prod(axis=1) + (theirs[:, 2:] - theirs[:, :2]).prod(axis=1) - both)


def test_shifting_picture_and_person_gives_the_same_square():
    places = walking(24)
    frames, boxes = film(places), boxes_of(places)
    moved = np.roll(frames, (5, 7), axis=(1, 2))
    for index in (10, 12):
        ours, theirs = (
            cut_square(picture[index], followed(found, fps=FPS)[index], side=60, outside=(0, 0, 0))
            for picture, found in ((frames, boxes), (moved, boxes + [7, 5, 7, 5]))
        )
        x, _, wide = followed(boxes, fps=FPS)[index]
        assert ours.shape == (60, 60, 3)
        assert 7 < x - wide / 2 < x + wide / 2 < 150
        np.testing.assert_array_equal(ours[6:48], theirs[6:48])  # above and below are rows that were rolled around


def test_a_picture_twice_as_large_gives_the_same_square():
    frame, boxes = film(walking(8))[4], boxes_of(walking(8))
    large = cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    ours = cut_square(frame, followed(boxes, fps=FPS)[4], side=30, outside=(0, 0, 0))
    theirs = cut_square(large, followed(boxes * 2, fps=FPS)[4], side=30, outside=(0, 0, 0))
    assert np.abs(ours.astype(int) - theirs).mean() < 6


def test_a_fall_goes_down_in_the_square_and_a_walker_stays_in_its_middle():
    fall = walking(48, speed=0.0)
    fall[20:28, 1] += np.linspace(0, 30, 8)
    fall[28:, 1] += 30
    for places, least, most in ((fall, 0.35, 0.7), (walking(40), -0.02, 0.02)):
        boxes = boxes_of(places)
        squares = followed(boxes, fps=FPS)
        axis = 1 if places is fall else 0
        inside = ((boxes[:, axis] + boxes[:, axis + 2]) / 2 - squares[:, axis]) / squares[:, 2] * AROUND * MARGIN
        assert least < inside[29] - inside[19] < most
    assert followed(boxes, fps=FPS)[20, 2] == pytest.approx(AROUND * MARGIN * SIZE[1], rel=0.01)


def test_frames_without_a_person_take_the_nearest_place():
    boxes = boxes_of(walking(40))
    boxes[:30] = np.nan
    squares = followed(boxes, fps=FPS)
    np.testing.assert_allclose(squares[:12], np.broadcast_to(squares[0], (12, 3)), rtol=1e-3)
    assert squares[0, 0] == pytest.approx((boxes[30, 0] + boxes[30, 2]) / 2, abs=2)


@pytest.mark.parametrize("evidence", ["keypoints", "mask"])
def test_points_and_masks_find_the_person(tmp_path, evidence):
    places = walking()
    recording = recording_of(tmp_path, places, mask=evidence == "mask")
    if evidence == "keypoints":
        recording = dataclasses.replace(recording, keypoints=keypoints_of(tmp_path, places), is_synthetic=True)
    boxes = person_boxes(recording)
    found = np.isfinite(boxes).all(axis=1)
    assert found.mean() > 0.9
    assert np.median(overlap(boxes[found], boxes_of(places)[found])) > (0.5 if evidence == "keypoints" else 0.75)


def test_the_empty_room_is_seen_behind_a_walker_and_unknown_behind_who_stays(tmp_path):
    places = walking()
    found = empty_room(recording_of(tmp_path, places), boxes=boxes_of(places))
    assert not found.unknown.any()
    assert np.abs(found.picture.astype(int) - room()).mean() < 3
    still = walking(speed=0.0)
    alone = empty_room(recording_of(tmp_path, still), boxes=boxes_of(still))
    assert alone.unknown[45:70, 12:20].all()
    assert alone.unknown.mean() < 0.1
    with_plate = empty_room(recording_of(tmp_path, still, plate=True), boxes=boxes_of(still))
    assert not with_plate.unknown.any()
    assert np.abs(with_plate.picture.astype(int) - room()).mean() < 3


def test_motion_shows_the_person_alone_and_how_fast_it_moves(tmp_path):
    places = walking()
    recording = dataclasses.replace(recording_of(tmp_path, places, mask=True), is_synthetic=True)
    video = stores(tmp_path / "kept")[1].plain(recording, WINDOW).numpy().astype(float)
    assert video.shape == (3, 4, 48, 48)
    middle, edge = video[:, :, 20:28, 22:26], video[:, :, 10:38, 2:8]
    assert middle[0].mean() > 200
    assert edge[0].mean() < 15
    speed = 3.0 * FPS / SIZE[1]
    assert np.median(middle[1]) == pytest.approx(128 + PER_SPEED * (speed - 0.15), abs=0.15 * PER_SPEED)
    assert np.median(middle[2]) == pytest.approx(128, abs=4)
    assert abs(np.median(edge[1]) - 128) < 2


def test_who_stays_in_one_place_is_shown_by_the_mask_or_the_plate(tmp_path):
    still = walking(speed=0.0)
    shown = {}
    for name, given in (("mask", {"mask": True}), ("both", {"mask": True, "plate": True}), ("neither", {})):
        (tmp_path / name).mkdir()
        recording = recording_of(tmp_path / name, still, **given)
        if name == "neither":
            recording = dataclasses.replace(recording, keypoints=keypoints_of(tmp_path / name, still), is_synthetic=True)
        video = stores(tmp_path / name / "kept")[1].plain(recording, WINDOW)
        shown[name] = float(video[0, :, 20:28, 22:26].float().mean())
    assert shown["mask"] > 200
    assert shown["both"] > 200
    assert shown["neither"] < 40


def test_mirroring_motion_undoes_itself_and_exchanges_directions():
    video = torch.from_numpy(np.random.default_rng(0).integers(1, 256, (4, 3, 8, 8)).astype(np.uint8))
    assert torch.equal(mirrored_motion(mirrored_motion(video)), video)
    still = torch.full((1, 3, 4, 4), 128, dtype=torch.uint8)
    assert torch.equal(mirrored_motion(still)[:, 1:], still[:, 1:])
    right = still.clone()
    right[:, 1] += 40
    assert (mirrored_motion(right)[:, 1] == 88).all()
    assert torch.equal(vary_motion(still, rng=np.random.default_rng(1))[:, 1:], still[:, 1:])


def test_augmentation_follows_its_seed_and_windows_their_time(tmp_path):
    recording = recording_of(tmp_path, walking(), mask=True)
    for store in stores(tmp_path / "kept"):
        drawn = [store.augmented(recording, WINDOW, rng=np.random.default_rng(seed)) for seed in (0, 0, 1)]
        assert drawn[0].shape == (3, 4, 48, 48)
        assert drawn[0].dtype == torch.uint8
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])
        other = store.plain(recording, dataclasses.replace(WINDOW, middle_sec=1.2))
        assert not torch.equal(store.plain(recording, WINDOW), other)


def test_another_plate_is_not_answered_with_what_was_kept_for_the_first(tmp_path):
    recording = recording_of(tmp_path, walking(speed=0.0), plate=True, mask=True)
    first, digest = stores(tmp_path / "kept")[1].plain(recording, WINDOW), recordings_digest([recording])
    assert torch.equal(stores(tmp_path / "kept")[1].plain(recording, WINDOW), first)
    cv2.imwrite(str(recording.plate), film(walking(speed=0.0))[0, :, :, ::-1])
    assert not torch.equal(stores(tmp_path / "kept")[1].plain(recording, WINDOW), first)
    assert recordings_digest([recording]) != digest


def test_a_video_without_a_person_is_named_with_the_field(tmp_path):
    nobody = np.full((12, 2), np.nan)
    plain, store = recording_of(tmp_path, nobody), stores(tmp_path / "kept")[0]
    for recording, message in (
        (plain, "no `keypoints`, no `mask`, no `plate`: no silhouette"),
        (recording_of(tmp_path, nobody, plate=True), r"`plate` \(plate.png\): no silhouette"),
        (recording_of(tmp_path, nobody, mask=True), "`mask.mp4`: it is empty"),
    ):
        with pytest.raises(ValueError, match=rf"walk.mp4: nobody found in it: {message}"):
            store.get(recording)


def test_a_film_of_one_frame_is_cut(tmp_path):
    recording = recording_of(tmp_path, walking(1), mask=True)
    for store in stores(tmp_path / "kept"):
        assert store.plain(recording, WINDOW).shape == (3, 4, 48, 48)


def test_a_plate_of_another_camera_is_refused(tmp_path):
    recording = recording_of(tmp_path, walking(4), plate=True)
    cv2.imwrite(str(recording.plate), room()[:50])
    with pytest.raises(ValueError, match=r"walk.mp4: `plate`: .*plate.png is 160x50, the video 160x96"):
        person_boxes(recording)
    recording.plate.write_text("no picture")
    with pytest.raises(ValueError, match=r"walk.mp4: `plate`: .*plate.png is no readable picture"):
        person_boxes(recording)


def test_a_table_or_the_study_names_the_plate(tmp_path):
    table = write_videos(tmp_path, 1, seed=0, columns={"plate": "rooms/empty.png"})
    assert read_csv(table)[0].plate == tmp_path / "rooms/empty.png"
    data = study_data(Path("r.csv"), Path("t.csv"), real={"csv": "r.csv", "plate": "empty.png"})
    study = make_study(data, folder=tmp_path)
    assert study.real is not None
    assert study.real.plate == (tmp_path / "empty.png").resolve()
    with pytest.raises(ValueError, match="`plate` is of one camera's videos"):
        make_study({**data, "synthetic": {"shards": "x", "plate": "empty.png"}})


def test_real_people_are_inside_their_squares():
    for recording in read_csv(require("upfall") / "labels.csv", where={"camera": [1], "trial": [1]}):
        boxes = person_boxes(recording)
        squares = followed(boxes, fps=recording.fps)
        found = np.isfinite(boxes).all(axis=1)
        half = squares[found, 2:] / 2
        inside = (boxes[found, :2] > squares[found, :2] - half).all(1) & (boxes[found, 2:] < squares[found, :2] + half).all(1)
        assert inside.mean() > 0.9, recording.name
