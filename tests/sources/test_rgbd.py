from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from augment.sources.depth.rgbd import nyu_to_metres, read_color, read_depth, read_intrinsics, sun_to_metres
from tests.make.realdata import require


def test_plain_depth_keeps_unknown_at_zero(tmp_path):
    raw = np.full((20, 30), 1500, np.uint16)
    raw[:5] = 0
    cv2.imwrite(str(tmp_path / "d.png"), raw)
    depth = read_depth(tmp_path / "d.png")
    assert set(np.unique(depth)) == {0.0, 1.5}
    assert read_depth(tmp_path / "d.png", scale=5000).max() == pytest.approx(0.3)


def test_sun_bits_are_rotated_back():
    millimetres = np.arange(0, 7000, 7, dtype=np.uint16).reshape(10, 100)
    rotated = (millimetres << 3) | (millimetres >> 13)
    np.testing.assert_allclose(sun_to_metres(rotated), millimetres / 1000, rtol=1e-6)


def test_nyu_disparity_grows_with_distance_and_no_return_is_unknown():
    disparity = np.array([[600, 900, 1000, 1091, 2047]], np.uint16)
    depth = nyu_to_metres(disparity.byteswap())[0]
    np.testing.assert_allclose(depth[:3], 351.3 / (1092.5 - disparity[0, :3]), rtol=1e-6)
    assert depth[3] == 0
    assert depth[4] == 0


def test_intrinsics_in_three_spellings(tmp_path):
    K = np.array([[500.0, 0, 320.5], [0, 510, 240.5], [0, 0, 1]])
    size = {"width": 640, "height": 480}
    raw = K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    spellings = (
        {"intrinsic_matrix": raw.T.ravel().tolist()}, {"intrinsic_matrix": raw.tolist()},
        {"fx": 500, "fy": 510, "cx": 320, "cy": 240},
    )  # fmt: skip
    for spelling in spellings:
        (tmp_path / "k.json").write_text(json.dumps(size | spelling))
        found, width, height = read_intrinsics(tmp_path / "k.json")
        np.testing.assert_allclose(found, K)
        assert (width, height) == (640, 480)


def test_bad_files_say_what_is_wrong(tmp_path):
    cv2.imwrite(str(tmp_path / "rgb.png"), np.zeros((9, 9, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "void.png"), np.zeros((9, 9), np.uint16))
    cv2.imwrite(str(tmp_path / "far.png"), np.full((9, 9), 60000, np.uint16))
    (tmp_path / "text.png").write_text("x")
    with pytest.raises(ValueError, match="one 16-bit channel"):
        read_depth(tmp_path / "rgb.png")
    with pytest.raises(ValueError, match="0 of 81 pixels"):
        read_depth(tmp_path / "void.png")
    with pytest.raises(ValueError, match="--depth-scale"):
        read_depth(tmp_path / "far.png")
    with pytest.raises(ValueError, match="choose one of"):
        read_depth(tmp_path / "far.png", encoding="kinect")
    with pytest.raises(ValueError, match="must be positive"):
        read_depth(tmp_path / "far.png", scale=0)
    with pytest.raises(ValueError, match="not a readable picture"):
        read_color(tmp_path / "text.png")
    with pytest.raises(ValueError, match="swapped"):
        read_color(tmp_path / "far.png")
    for text, message in (("{", "not readable as JSON"), ("[]", "expected an object"), ("{}", "needs width"), (
        '{"width": 9, "height": 9, "fx": -1, "fy": 1, "cx": 4, "cy": 4}', "no camera"
    )):  # fmt: skip
        (tmp_path / "k.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            read_intrinsics(tmp_path / "k.json")


@pytest.mark.parametrize(
    ("name", "kwargs", "middle"),
    [
        ("other_formats/NYU_depth.pgm", {"encoding": "nyu"}, (1.5, 5)),
        ("other_formats/SUN_depth.png", {"encoding": "sun"}, (1.5, 5)),
        ("other_formats/TUM_depth.png", {"scale": 5000}, (1.5, 4)),
        ("depth/00000.png", {}, (1, 3)),
    ],
)
def test_real_depth_in_metres(name, kwargs, middle):
    depth = read_depth(require("rgbd/open3d") / name, **kwargs)
    assert depth.shape == (480, 640)
    assert middle[0] < np.median(depth[depth > 0]) < middle[1]
