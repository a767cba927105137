from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from augment.commands.scenes_real import SceneFromVideo
from augment.geometry import invert_transform, project, transform_points
from augment.reconstruct.camera.given import Given
from augment.reconstruct.config import Inputs, ReconstructConfig
from augment.reconstruct.pipeline import reconstruct
from augment.reconstruct.plate.config import Sampling
from augment.reconstruct.plate.mask import mask_from_polygon, read_mask
from augment.scene.store import load_scene
from augment.types import Scene
from tests.make.scenery import background, camera_of, people_landmarks, write_keypoints, write_video

SIZE = (160, 120)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A 1.70 m box of a person walks about before a camera of known pose; (video, keypoints, camera, empty picture)."""
    folder = tmp_path_factory.mktemp("walk")
    rng = np.random.default_rng(0)
    camera = camera_of(focal=140, height=2.0, pitch=18, width=160, tall=120)
    t = np.linspace(0, 1, 60)
    feet = np.stack([1.2 * np.sin(9 * t), 3.2 + 1.6 * np.cos(5 * t)], axis=1)
    landmarks = people_landmarks(camera, feet, noise=0.4, rng=rng)
    empty = background(112, 160)
    empty = np.concatenate([empty, empty[-8:]])
    frames = np.repeat(empty[None], len(feet), axis=0)
    for frame, points in zip(frames, landmarks, strict=True):
        (x0, y0), (x1, y1) = points[:, :2].min(axis=0).astype(int), points[:, :2].max(axis=0).astype(int)
        frame[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1] = (250, 10, 10)
    video = write_video(folder / "walk.mkv", frames)
    return video, write_keypoints(folder / "walk.npz", landmarks, SIZE), camera, empty


def room_of(out: Path, video: Path, keypoints: Path | None, given: Given | None = None) -> Scene:
    """The room alone, nobody fitted."""
    config = ReconstructConfig(people=False, given=given or Given())
    return reconstruct([Inputs(video=video, keypoints=keypoints)], out, config=config).scene


def test_scene_has_the_empty_room_the_camera_and_a_floor(walk, tmp_path):
    video, keypoints, _, empty = walk
    scene = room_of(tmp_path / "room", video, keypoints)
    known = np.abs(scene.plate.astype(int) - empty).max(axis=2) == 0
    assert known.mean() > 0.97
    assert scene.camera.T_world_camera[1, 3] == pytest.approx(2.0, rel=0.06)
    floor = np.concatenate([scene.floor, np.zeros((len(scene.floor), 1))], axis=1)[:, [0, 2, 1]]
    pixels = project(transform_points(invert_transform(scene.camera.T_world_camera), floor), scene.camera.K)
    assert (pixels > -3).all()
    assert (pixels < np.array(SIZE) + 3).all()
    assert scene.depth.shape == (120, 160)
    assert scene.mesh is not None
    assert any("depth" in line for line in scene.provenance["guessed"])
    assert scene.provenance["camera"]["residual_px"] < 3


def test_command_writes_a_scene_that_loads(walk, tmp_path, capsys):
    video, keypoints, _, _ = walk
    SceneFromVideo(
        videos=(video,), keypoints=(keypoints,), out=tmp_path / "room", mask_polygon=((2, 2), (12, 2), (7, 12))
    ).run()
    scene = load_scene(tmp_path / "room")
    assert scene.name == "room"
    assert scene.provenance["masked_share"] > 0
    assert re.search(r"camera (1\.9|2\.0)\d* m up", capsys.readouterr().out)


def test_options_reach_the_camera(walk, tmp_path):
    video, keypoints, _, _ = walk
    SceneFromVideo(
        videos=(video,), keypoints=(keypoints,), out=tmp_path / "a", roll=1,
        given=Given(person_height=1.6, focal=150, camera_height=2.2, pitch=20),
        sampling=Sampling(frames=30, trust_undetected=True, empty=(0, 1)),
    ).run()  # fmt: skip
    camera = load_scene(tmp_path / "a").provenance["camera"]
    assert camera["focal_px"] == pytest.approx(150, rel=1e-2)
    assert camera["height_m"] == pytest.approx(2.2, rel=1e-2)
    assert camera["pitch_deg"] == pytest.approx(20, abs=0.1)
    assert camera["roll_deg"] == pytest.approx(1, abs=0.1)


def test_without_keypoints_the_camera_is_said_to_be_guessed(walk, tmp_path):
    scene = room_of(tmp_path / "room", walk[0], None, Given(camera_height=2.7))
    assert scene.camera.T_world_camera[1, 3] == pytest.approx(2.7)
    guessed = " ".join(scene.provenance["guessed"])
    assert "camera focal" in guessed
    assert "camera pitch" in guessed
    assert "camera height" not in guessed


def test_keypoints_of_another_video_are_refused(walk, tmp_path):
    video, _, camera, _ = walk
    rng = np.random.default_rng(0)
    short = write_keypoints(tmp_path / "s.npz", people_landmarks(camera, np.full((20, 2), 3.0), rng=rng), SIZE)
    with pytest.raises(ValueError, match=r"has 20 frames but .* has 60"):
        room_of(tmp_path / "room", video, short)
    other = write_keypoints(tmp_path / "o.npz", people_landmarks(camera, np.full((60, 2), 3.0), rng=rng), (640, 480))
    with pytest.raises(ValueError, match=r"found in a 640x480 video"):
        room_of(tmp_path / "room", video, other)
    with pytest.raises(ValueError, match="1 videos but 2 keypoints"):
        SceneFromVideo(videos=(video,), keypoints=(other, other), out=tmp_path / "room").run()
    nobody = write_keypoints(tmp_path / "n.npz", np.full((60, 33, 3), np.nan), SIZE)
    with pytest.raises(ValueError, match="nobody found"):
        room_of(tmp_path / "room", video, nobody)
    with pytest.raises(ValueError, match="no video given"):
        SceneFromVideo(videos=(), out=tmp_path / "room").run()


def test_masks(tmp_path):
    import cv2

    mask = mask_from_polygon([(10, 10), (30, 10), (30, 30), (10, 30)], 64, 48)
    assert mask[20, 20]
    assert not mask[40, 40]
    cv2.imwrite(str(tmp_path / "m.png"), mask.astype(np.uint8) * 255)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", 64, 48), mask)
    with pytest.raises(ValueError, match="64x48, but the video is 32x32"):
        read_mask(tmp_path / "m.png", 32, 32)
    with pytest.raises(ValueError, match="no readable mask"):
        read_mask(tmp_path / "absent.png", 64, 48)
    with pytest.raises(ValueError, match="at least 3 corners"):
        mask_from_polygon([(0, 0), (1, 1)], 64, 48)


def test_mask_twice_and_too_few_frames_are_refused(walk, tmp_path):
    triangle = ((0, 0), (9, 0), (0, 9))
    with pytest.raises(ValueError, match="not both"):
        SceneFromVideo(videos=(walk[0],), out=tmp_path, mask=tmp_path / "m.png", mask_polygon=triangle).run()
    with pytest.raises(ValueError, match="at least 8"):
        SceneFromVideo(videos=(walk[0],), out=tmp_path, sampling=Sampling(frames=2)).run()
