"""Laws: keypoints written as the producer writes them come back by name, frame and pixel; MediaPipe's table round-trips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.reconstruct.camera.upright import find_upright
from augment.reconstruct.watch.masks import followed, person_mask
from augment.sources.people.keypoints import KEYPOINT_READERS, read_keypoints, to_mediapipe
from augment.sources.people.mediapipe import LANDMARK, read_mediapipe
from augment.sources.people.people import COCO17, LAYOUTS, OPENPOSE25, People
from tests.make.realdata import require
from tests.make.scenery import write_keypoints


def dump(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def some_points(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(50, 300, (count, 2)), rng.uniform(0.2, 1, count)])


def flat(points: np.ndarray) -> list[float]:
    return np.nan_to_num(points).reshape(-1).tolist()


def openpose(*people: np.ndarray, ids: list[int] | None = None) -> dict:
    rows = [{"pose_keypoints_2d": flat(p), "face_keypoints_2d": [], "hand_left_keypoints_2d": []} for p in people]
    for row, number in zip(rows, ids or [], strict=False):
        row["person_id"] = [number]
    return {"version": 1.3, "people": rows}


def test_openpose_folder_round_trip(tmp_path):
    points = [some_points(25, seed) for seed in range(3)]
    points[0][4] = np.nan
    dump(tmp_path / "cam2_000000000000_keypoints.json", openpose(points[0], points[1], ids=[3, 1]))
    dump(tmp_path / "cam2_000000000001_keypoints.json", openpose())
    dump(tmp_path / "cam2_000000000002_keypoints.json", openpose(points[2], ids=[-1]))
    people = read_keypoints(tmp_path, width=640, height=480)
    assert (people.source, people.layout, people.frames) == ("OpenPose", "openpose25", 3)
    assert (people.frame.tolist(), people.track.tolist()) == ([0, 0, 2], [1, 3, -1])
    np.testing.assert_allclose(people.keypoints2d, [points[1], points[0], points[2]])
    np.testing.assert_allclose(people.point("right_heel")[0], points[1][OPENPOSE25.index("right_heel")])


def test_openpose_frames_keep_their_numbers_when_a_video_was_cut(tmp_path):
    for number in (7, 9):
        dump(tmp_path / f"v_{number:012d}_keypoints.json", openpose(some_points(25)))
    people = read_keypoints(tmp_path)
    assert people.frame.tolist() == [7, 9]
    assert people.frames is None


def test_openpose_of_extracted_pictures_counts_from_one(tmp_path):
    for number in (1, 2):
        dump(tmp_path / f"{number:06d}_keypoints.json", openpose(some_points(25)))
    assert read_keypoints(tmp_path).frame.tolist() == [0, 1]


def test_openposes_older_body_becomes_coco(tmp_path):
    """The 18 points are those of COCO in another order, plus the neck."""
    coco = some_points(17)
    order = (
        "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
        "right_ear", "left_ear",
    )  # fmt: skip
    old = np.array([[1, 1, 1] if name == "neck" else coco[COCO17.index(name)] for name in order])
    people = read_keypoints(dump(tmp_path / "a.json", openpose(old)))
    assert people.layout == "coco17"
    np.testing.assert_allclose(people.keypoints2d[0], coco)


def test_real_openpose_file():
    folder = require("hmr/openpose_spin")
    people = read_keypoints(folder / "im1010_openpose.json")
    assert (len(people), people.layout, people.frame.tolist(), people.track.tolist()) == (1, "openpose25", [0], [-1])
    missing = {name for name in OPENPOSE25 if np.isnan(people.point(name)[0, 0])}
    assert missing == {"right_elbow", "right_wrist", "right_ear"}
    x0, y0, w, h = json.loads((folder / "im1010_bbox.json").read_text())["bbox"]
    found = people.keypoints2d[0][np.isfinite(people.keypoints2d[0, :, 0])]
    assert ((found[:, 0] > x0 - 20) & (found[:, 0] < x0 + w + 20) & (found[:, 1] > y0 - 20) & (found[:, 1] < y0 + h + 20)).all()
    whole = read_keypoints(folder)
    np.testing.assert_array_equal(whole.keypoints2d, people.keypoints2d)
    assert any("1 .json files that are not OpenPose's" in note for note in whole.notes)


def coco_rows(image_ids: list, **extra) -> list[dict]:
    return [
        {"image_id": i, "category_id": 1, "keypoints": flat(some_points(17, k)), "score": 0.9, **extra}
        for k, i in enumerate(image_ids)
    ]


@pytest.mark.parametrize(
    ("ids", "frames"),
    [([0, 1, 5], [0, 1, 5]), ([1, 2, 6], [0, 1, 5]), (["img_000001.jpg", "img_000002.jpg", "img_000009.jpg"], [0, 1, 8])],
)
def test_coco_results_round_trip(tmp_path, ids, frames):
    rows = coco_rows(ids)
    people = read_keypoints(dump(tmp_path / "results.json", rows), width=640, height=480)
    assert (people.source, people.layout) == ("COCO keypoints", "coco17")
    assert people.frame.tolist() == frames
    assert people.track.tolist() == [-1] * 3
    np.testing.assert_allclose(people.keypoints2d, [np.reshape(row["keypoints"], (17, 3)) for row in rows])
    np.testing.assert_allclose(people.confidence, 0.9)


def test_coco_annotations_use_the_file_names_flags_and_boxes(tmp_path):
    points = some_points(17)
    points[:, 2] = 2
    points[3] = 0
    points[5, 2] = 1
    content = {
        "images": [
            {"id": 900 + i, "file_name": f"f_{n:05d}.png", "width": 640, "height": 480} for i, n in enumerate((2, 1, 3))
        ],
        "annotations": [
            {"id": 1, "image_id": 900, "category_id": 1, "keypoints": flat(points), "bbox": [10, 20, 30, 40], "track_id": 4},
            {"id": 2, "image_id": 902, "category_id": 1, "keypoints": [0] * 51, "bbox": [0, 0, 1, 1]},
        ],
        "categories": [{"id": 1, "name": "person"}],
    }
    people = read_keypoints(dump(tmp_path / "person_keypoints.json", content))
    assert (people.frame.tolist(), people.track.tolist(), people.frames) == ([1], [4], 3)
    assert (people.width, people.height) == (640, 480)
    np.testing.assert_allclose(people.bbox, [[10, 20, 40, 60]])
    assert np.isnan(people.keypoints2d[0, 3]).all()
    assert people.keypoints2d[0, [5, 6], 2].tolist() == [0.5, 1.0]
    assert any("1 rows without keypoints" in note for note in people.notes)
    for image, name in zip(content["images"], "bac", strict=True):
        image["file_name"] = f"{name}.png"
    assert read_keypoints(dump(tmp_path / "named.json", content)).frame.tolist() == [0]  # order of ids


def test_alphapose_ids_and_confidences(tmp_path):
    rows = coco_rows(["1.jpg", "1.jpg"], idx=[2.0])
    rows[0]["keypoints"][2] = 3.5
    people = read_keypoints(dump(tmp_path / "alphapose-results.json", rows))
    assert people.track.tolist() == [2, 3]  # two people under one id
    assert np.nanmax(people.keypoints2d[:, :, 2]) == 1.0
    assert any("confidences above 1" in note for note in people.notes)
    assert any("stood a second time" in note for note in people.notes)


def coco_with(value: list) -> list[dict]:
    rows = coco_rows([1])
    rows[0]["keypoints"] = value
    return rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco_with([1.0] * 50), r"annotations\[0\].keypoints: expected 51 or 399 numbers"),
        (coco_with(["a"] * 51), r"annotations\[0\].keypoints is not a list of numbers"),
        (coco_with([0.0] * 51), "nobody in it"),
        (coco_with([0.5, 0.4, 0.9] * 17), "normalised .* multiply by width"),
        (coco_with([5000.0, 4000.0, 0.9] * 17), "100% of the keypoints lie outside 640x480"),
        (openpose(), "nobody in it"),
        (openpose(some_points(20)), r"people\[0\].pose_keypoints_2d: expected 75 or 54 numbers"),
        ({"people": [{"hand": []}]}, r"lacks the field people\[0\].pose_keypoints_2d"),
        ({"images": [{"id": 1}], "annotations": coco_rows([2])}, r"image_id: 2 is not among images"),
        ({"shapes": 1}, f"found shapes; expected one of: {', '.join(KEYPOINT_READERS)}"),
    ],
)
def test_bad_contents_are_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"k.json: .*{message}"):
        read_keypoints(dump(tmp_path / "k.json", content), width=640, height=480)


def test_bad_files_are_named(tmp_path):
    (tmp_path / "text.json").write_text("{no json")
    with pytest.raises(ValueError, match=r"text.json: not readable as JSON"):
        read_keypoints(tmp_path / "text.json")
    with pytest.raises(ValueError, match="no such file"):
        read_keypoints(tmp_path / "absent.json")
    dump(tmp_path / "folder" / "a.json", {"x": 1})
    with pytest.raises(ValueError, match=r"1 .json files, none of them OpenPose's"):
        read_keypoints(tmp_path / "folder")
    path = write_keypoints(tmp_path / "k.npz", np.full((2, 33, 3), 9.0), (64, 64))
    with pytest.raises(ValueError, match=r"k.npz: field size: found in a 64x64 video but this is 640x480"):
        read_keypoints(path, width=640, height=480)


def test_mediapipe_round_trip(tmp_path):
    points = np.random.default_rng(0).uniform(10, 60, size=(5, 33, 3))
    points[:, :, 2] /= 100
    points[2] = np.nan
    path = write_keypoints(tmp_path / "k.npz", points, (64, 48), fps=18, world=points / 100)
    people, direct = read_keypoints(path), read_mediapipe(path)
    assert (people.frame.tolist(), people.frames, people.fps, people.width) == ([0, 1, 3, 4], 5, 18.0, 64)
    back = to_mediapipe(people, frames=5, width=64, height=48, fps=18.0)
    np.testing.assert_allclose(back.landmarks2d, direct.landmarks2d)
    np.testing.assert_allclose(back.landmarks_world, direct.landmarks_world)


def test_real_mediapipe_file_round_trip():
    path = require("upfall/keypoints/a03_t1_c1.npz")
    direct = read_mediapipe(path)
    people = read_keypoints(path, width=direct.width, height=direct.height)
    assert len(people) == direct.found.sum()
    back = to_mediapipe(people, frames=len(direct), width=direct.width, height=direct.height, fps=direct.fps)
    np.testing.assert_array_equal(back.found, direct.found)
    np.testing.assert_allclose(back.landmarks2d[back.found], direct.landmarks2d[direct.found], atol=1e-4)


def standing(layout: str, frames: int = 6) -> People:
    """Somebody who stands upright and steps to the right, with the points of a layout."""
    where = {
        "nose": (0, 20), "neck": (0, 40), "mid_hip": (0, 110), "smpl_pelvis": (0, 105), "smpl_head": (0, 22),
        "smpl_neck": (0, 38), "smpl_spine1": (0, 95), "smpl_spine2": (0, 80), "smpl_spine3": (0, 60),
    }  # fmt: skip
    heights = {
        "eye": 16, "ear": 18, "shoulder": 42, "collar": 41, "elbow": 75, "wrist": 108, "hand": 116, "hip": 110, "knee": 155,
        "ankle": 195, "heel": 200, "foot": 202, "foot_index": 203, "small_toe": 203,
    }  # fmt: skip
    points = []
    for name in LAYOUTS[layout]:
        side, _, part = name.removeprefix("smpl_").partition("_")
        x, y = where.get(name) or ((8 if side == "left" else -8), heights[part])
        points.append([100.0 + x, 20.0 + y, 0.9])
    table = np.repeat(np.array(points)[None], frames, 0)
    table[:, :, 0] += 12.0 * np.arange(frames)[:, None]
    rows = np.arange(frames)
    return People(
        path=Path("k.json"), source="test", frame=rows, track=np.zeros(frames, int), layout=layout, keypoints2d=table
    )  # fmt: skip


@pytest.mark.parametrize("layout", ["coco17", "openpose25", "smpl24"])
def test_any_layout_serves_the_plate_and_the_calibration(layout):
    """What is written for MediaPipe works: upright rods are found, the track is followed, the mask covers the person."""
    people = standing(layout)
    keypoints = to_mediapipe(people, frames=8, width=320, height=240, fps=10.0)
    assert keypoints.found.tolist() == [True] * 6 + [False] * 2
    assert followed(keypoints).tolist() == [True] * 6 + [False] * 2
    assert len(find_upright([keypoints])) == 6
    mask = person_mask(keypoints, 0, 240, 320, reach=0)
    for u, v in people.keypoints2d[0, :, :2]:
        assert mask[int(v), int(u)]
    assert not mask[:, 250:].any()


def test_missing_points_are_lent_by_their_neighbours_and_marked_unseen():
    people = standing("coco17")
    points = people.keypoints2d.copy()
    points[0, COCO17.index("left_ankle")] = np.nan
    points[1, [COCO17.index(name) for name in ("nose", "left_eye", "right_eye")]] = np.nan
    marks = to_mediapipe(replace(people, keypoints2d=points), frames=6, width=320, height=240, fps=10.0).landmarks2d

    def at(frame: int, name: str) -> np.ndarray:
        return marks[frame, LANDMARK[name]]

    for name, lender in {
        "left_heel": "left_ankle", "right_foot_index": "right_ankle", "left_thumb": "left_wrist", "right_pinky": "right_wrist",
        "mouth_left": "nose", "left_eye_inner": "left_eye",
    }.items():  # fmt: skip
        np.testing.assert_allclose(at(3, name)[:2], points[3, COCO17.index(lender), :2], rtol=1e-6)
        assert at(3, name)[2] == 0
    np.testing.assert_allclose(at(0, "left_heel")[:2], points[0, COCO17.index("left_knee"), :2], rtol=1e-6)
    assert at(0, "left_ankle")[2] == 0
    assert at(0, "right_ankle")[2] == np.float32(0.9)
    np.testing.assert_allclose(at(1, "nose")[:2], points[1, COCO17.index("left_ear"), :2], rtol=1e-6)


@pytest.mark.parametrize("layout", ["coco17", "openpose25", "smpl24", "mediapipe33"])
def test_one_found_point_lends_to_all(layout):
    """Whatever single point was found, the frame counts as found and every landmark lies there."""
    count = len(LAYOUTS[layout])
    points = np.full((count, count, 3), np.nan)
    points[np.arange(count), np.arange(count)] = some_points(count)
    people = People(
        path=Path("k.json"),
        source="test",
        frame=np.arange(count),
        track=np.zeros(count, int),
        layout=layout,
        keypoints2d=points,
    )
    keypoints = to_mediapipe(people, frames=count, width=320, height=240, fps=10.0)
    expected = np.broadcast_to(some_points(count)[:, None, :2], (count, 33, 2))
    np.testing.assert_allclose(keypoints.landmarks2d[:, :, :2], expected, rtol=1e-6)


def test_to_mediapipe_refuses_what_is_not_one_track_of_this_video():
    people = standing("coco17")
    options = {"width": 320, "height": 240, "fps": 10.0}
    with pytest.raises(ValueError, match=r"frame 5 but the video has 3 frames"):
        to_mediapipe(people, frames=3, **options)
    with pytest.raises(ValueError, match="a frame holds two people"):
        to_mediapipe(replace(people, frame=np.zeros(6, int)), frames=6, **options)
    with pytest.raises(ValueError, match="no keypoints2d"):
        to_mediapipe(replace(people, keypoints2d=None, layout=""), frames=6, **options)
