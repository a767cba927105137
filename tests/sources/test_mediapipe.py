from __future__ import annotations

import numpy as np
import pytest

from augment.sources.people.mediapipe import LANDMARK, LANDMARKS, read_mediapipe
from tests.make.realdata import require
from tests.make.scenery import write_keypoints


def landmarks(frames: int = 5) -> np.ndarray:
    points = np.random.default_rng(0).uniform(10, 60, size=(frames, 33, 3))
    points[2] = np.nan
    return points


def test_round_trip_and_found(tmp_path):
    points = landmarks()
    keypoints = read_mediapipe(write_keypoints(tmp_path / "k.npz", points, (64, 64), fps=18, world=points / 100))
    np.testing.assert_allclose(keypoints.landmarks2d, points, rtol=1e-6)
    assert keypoints.found.tolist() == [True, True, False, True, True]
    assert (len(keypoints), keypoints.fps, keypoints.width, keypoints.height) == (5, 18.0, 64, 64)
    assert keypoints.landmarks_world is not None
    assert len(LANDMARKS) == 33
    assert LANDMARK["right_foot_index"] == 32


def test_bad_files_say_what_is_wrong(tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "poor.npz", points=np.zeros(3))
    np.savez(tmp_path / "object.npz", landmarks2d=np.array([{}], object), fps=1, size=[1, 1])
    cases = {
        "absent.npz": "no such keypoints", "text.npz": "not a readable", "poor.npz": "lacks", "object.npz": "not a readable",
    }  # fmt: skip
    for name, message in cases.items():
        with pytest.raises(ValueError, match=message):
            read_mediapipe(tmp_path / name)


@pytest.mark.parametrize(
    ("points", "size", "message"),
    [
        (np.zeros((4, 17, 3)), (64, 64), "must be"),
        (np.full((4, 33, 3), np.nan), (64, 64), "nobody found"),
        (np.full((4, 33, 3), 0.5), (64, 64), "normalised"),
        (np.full((4, 33, 3), 9.0), (64, 0), "size must be"),
    ],
)
def test_bad_contents_say_what_is_wrong(tmp_path, points, size, message):
    with pytest.raises(ValueError, match=message):
        read_mediapipe(write_keypoints(tmp_path / "k.npz", points, size))


def test_real_detections():
    keypoints = read_mediapipe(require("upfall/keypoints/a03_t1_c1.npz"))
    assert len(keypoints) == 140
    assert 0.2 < keypoints.found.mean() < 0.5
