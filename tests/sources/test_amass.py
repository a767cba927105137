"""AMASS npz: exact round trip, a known z-up pose, both flavours, and refusals that name the field."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from augment.sources.mocap.amass import SMPL_REST_PELVIS, load_amass, save_amass
from tests.make.mocap import smplh, some_motion, turns


def as_file(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("pelvis", [None, np.array([0.0, -0.2, 0.03])])
def test_round_trip_is_exact(pelvis):
    motion = some_motion()
    stream = io.BytesIO()
    save_amass(stream, motion, rest_pelvis=pelvis)
    stream.seek(0)
    back = load_amass(stream, name="file")
    np.testing.assert_allclose(turns(back.global_orient), turns(motion.global_orient), atol=1e-5)
    np.testing.assert_allclose(turns(back.body_pose), turns(motion.body_pose), atol=1e-5)
    np.testing.assert_allclose(back.transl, motion.transl, atol=1e-5)
    np.testing.assert_allclose(back.betas, motion.betas, atol=1e-6)
    for field in ("fps", "action", "segments", "caption", "name", "source", "licence", "subject"):
        assert getattr(back, field) == getattr(motion, field)
    for field in ("support", "support_height", "support_center", "support_yaw"):
        assert getattr(back, field) == getattr(motion, field)
    assert back.provenance == {"seed": 3, "scale": 0.5, "nested": {"list": [1, 2]}}


def test_equal_motions_give_equal_bytes():
    first, second = io.BytesIO(), io.BytesIO()
    save_amass(first, some_motion())
    save_amass(second, some_motion())
    assert first.getvalue() == second.getvalue()


def test_someone_upright_in_z_up_is_upright_in_y_up():
    # Turned by 90 deg about x, a y-up rest pose stands in a z-up world; its pelvis is 1 m above the floor at (2, 3).
    poses = np.zeros((5, 156))
    poses[:, 0] = np.pi / 2
    trans = np.tile([2.0, 3.0, 1.0] - SMPL_REST_PELVIS, (5, 1))
    motion = load_amass(as_file(**smplh(poses=poses, trans=trans)), name="upright")
    np.testing.assert_allclose(motion.global_orient, 0, atol=1e-6)
    np.testing.assert_allclose(motion.transl + SMPL_REST_PELVIS, np.tile([2.0, 1.0, -3.0], (5, 1)), atol=1e-5)
    assert motion.provenance["foreign_body"]
    assert motion.fps == 120


def test_smplx_files_are_read_in_both_layouts():
    rng = np.random.default_rng(1)
    poses = rng.normal(scale=0.3, size=(7, 165))
    common = {"trans": np.zeros((7, 3)), "betas": np.zeros(16), "gender": "male", "mocap_frame_rate": 60.0}
    whole = load_amass(as_file(poses=poses, **common), name="whole")
    parts = load_amass(as_file(root_orient=poses[:, :3], pose_body=poses[:, 3:66], **common), name="parts")
    np.testing.assert_array_equal(parts.body_pose, whole.body_pose)
    np.testing.assert_allclose(whole.body_pose[:, :21].reshape(7, 63), poses[:, 3:66], atol=1e-6)
    assert (whole.body_pose[:, 21:] == 0).all()


def test_flipped_bytes_are_a_value_error_or_do_no_harm():
    buffer = io.BytesIO()
    save_amass(buffer, some_motion())
    rng = np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(buffer.getvalue())
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        with contextlib.suppress(ValueError):
            load_amass(io.BytesIO(bytes(data)), name="bad")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": None}, "field poses: expected it"),
        ({"poses": np.zeros((5, 72))}, r"field poses: expected \(t, 156\) of SMPL\+H .* found shape \(5, 72\)"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "field poses: expected at least one frame"),
        ({"poses": np.full((5, 156), np.nan)}, "field poses: expected finite numbers"),
        ({"trans": None}, "field trans: expected it"),
        ({"trans": np.zeros((4, 3))}, r"field trans: expected numbers of shape \(5, 3\), found float64 of shape \(4, 3\)"),
        ({"trans": np.full((5, 3), "x")}, "field trans: expected numbers"),
        ({"mocap_framerate": None}, "field mocap_framerate"),
        ({"mocap_framerate": 0.0}, "field mocap_framerate: expected frames a second > 0, found 0"),
        ({"betas": np.zeros((2, 10))}, "field betas: expected a vector"),
        ({"understudy": "{}", "rest_pelvis": np.zeros(3)}, "field understudy: expected the JSON"),
    ],
)  # fmt: skip
def test_wrong_fields_are_named(changes, message):
    with pytest.raises(ValueError, match="bad: " + message):
        load_amass(as_file(**smplh(**changes)), name="bad")


def test_other_bytes_and_halves_are_refused():
    whole = as_file(**smplh()).getvalue()
    for data in (b"", b"hello", whole[: len(whole) // 2]):
        with pytest.raises(ValueError, match="odd: expected an AMASS npz"):
            load_amass(io.BytesIO(data), name="odd")


def test_pickled_objects_are_never_loaded():
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was executed",))

    stream = as_file(**smplh(trans=np.array([Bomb()], dtype=object)))
    with pytest.raises(ValueError, match="field trans: expected it"):
        load_amass(stream, name="evil")
