"""Law: bodies written as the producer writes them, and read, have their SMPL joints at the same pixels."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
import torch

from augment.geometry import project
from tests.make.hmr import (
    DIAGONAL,
    HEIGHT,
    WIDTH,
    gvhmr,
    intrinsics,
    joints,
    make_truth,
    phalp,
    pixels_read,
    prompthmr,
    read,
    vibe,
    weak_pixels,
    wham,
    write_tram,
)


def test_wham(tmp_path, body):
    truths = {0: make_truth(0), 5: make_truth(1)}
    joblib.dump(wham(truths), tmp_path / "wham_output.pkl")
    people = read(tmp_path / "wham_output.pkl")
    assert (people.source, len(people), people.width, people.height) == ("WHAM", 6, WIDTH, HEIGHT)
    assert people.frame.tolist() == [0, 0, 1, 1, 3, 3]
    assert people.track.tolist() == [0, 5] * 3
    for track, t in truths.items():
        expected = project(joints(body, t.pose, t.betas, t.transl), intrinsics(DIAGONAL))
        np.testing.assert_allclose(pixels_read(body, people, track), expected, atol=1e-6)


@pytest.mark.parametrize("legacy", [False, True])
def test_gvhmr(tmp_path, body, legacy):
    t, path = make_truth(0, flat_hands=True), tmp_path / "hmr4d_results.pt"
    torch.save(gvhmr(t, intrinsics(700)), path, _use_new_zipfile_serialization=not legacy)
    people = read(path)
    assert (people.source, people.frames, people.frame.tolist()) == ("GVHMR", 3, [0, 1, 2])
    expected = project(joints(body, t.pose, t.betas, t.transl), intrinsics(700))
    np.testing.assert_allclose(pixels_read(body, people, 0), expected, atol=1e-2)
    assert any("SMPL-X" in note for note in people.notes)


def test_tram(tmp_path, body):
    truths = [make_truth(0), make_truth(1)]
    write_tram(tmp_path, truths, 650)
    for path in (tmp_path, tmp_path / "hps"):
        people = read(path)
        assert people.source == "TRAM"
        assert people.track.tolist() == [0, 1] * 3
        for track, t in enumerate(truths):
            expected = project(joints(body, t.pose, t.betas, t.transl), intrinsics(650))
            np.testing.assert_allclose(pixels_read(body, people, track), expected, atol=1e-2)
    assert len(read(tmp_path / "hps" / "hps_track_1.npy")) == 3
    (tmp_path / "camera.npy").unlink()
    with pytest.raises(ValueError, match=r"camera.npy is not beside"):
        read(tmp_path / "hps" / "hps_track_1.npy")
    assert read(tmp_path / "hps", focal=650).K[0, 0] == 650


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_prompthmr_also_of_a_resized_video(tmp_path, body, scale):
    truths = {1: make_truth(0, flat_hands=True), 2: make_truth(1, flat_hands=True)}
    joblib.dump(prompthmr(truths, scale, 650), tmp_path / "results.pkl")
    people = read(tmp_path / "results.pkl")
    assert (people.source, people.layout) == ("PromptHMR", "openpose25")
    for track, t in truths.items():
        expected = project(joints(body, t.pose, t.betas, t.transl), intrinsics(650))
        np.testing.assert_allclose(pixels_read(body, people, track), expected, atol=1e-3)
    np.testing.assert_allclose(people.bbox[0], [10, 20, 30, 40])
    np.testing.assert_allclose(people.keypoints2d[0, 0], [100, 100, 1])


@pytest.mark.parametrize("first", [0, 1])
def test_phalp(tmp_path, body, first):
    truths = {3: make_truth(0), 4: make_truth(1)}
    joblib.dump(phalp(truths, first=first), tmp_path / "demo.pkl", compress=3)
    people = read(tmp_path / "demo.pkl")
    assert (people.source, people.frames) == ("4D-Humans (PHALP)", 4)
    assert people.frame.tolist() == [0, 0, 1, 1, 3, 3]
    assert any("2 predicted bodies (ghosts" in note for note in people.notes)
    np.testing.assert_allclose(people.bbox[0], [10, 20, 40, 60])
    np.testing.assert_allclose(people.confidence, 0.9, rtol=1e-6)
    nominal = 5000 / 256 * WIDTH
    assert people.K[0, 0] == nominal
    for track, t in truths.items():
        far = t.transl * [1, 1, nominal / 600]
        expected = project(joints(body, t.pose, t.betas, far), intrinsics(nominal))
        np.testing.assert_allclose(pixels_read(body, people, track), expected, atol=1e-2)


def test_another_focal_length_brings_bodies_where_it_sees_them(tmp_path):
    """Equivariance: z scales with the focal length, the pixel of the origin stays; back again is the identity."""
    t = make_truth(0)
    joblib.dump(phalp({3: t}), tmp_path / "demo.pkl", compress=3)
    near, far = read(tmp_path / "demo.pkl", focal=600.0), read(tmp_path / "demo.pkl")
    np.testing.assert_allclose(near.transl, t.transl, rtol=1e-5)
    assert near.K[0, 0] == near.K[1, 1] == 600.0
    np.testing.assert_allclose(project(near.transl, near.K), project(far.transl, far.K), atol=1e-6)
    assert any("from the producer's focal length of 12500 px to 600 px" in note for note in near.notes)


@pytest.mark.parametrize("drop", [(), ("orig_cam",)])
@pytest.mark.parametrize("matrices", [False, True])
def test_vibe_and_pare(tmp_path, body, drop, matrices):
    """Through a very long lens perspective is weak perspective: the joints lie at the producer's own pixels."""
    t = make_truth(0)
    person, camera = vibe(t, matrices=matrices, drop=drop)
    joblib.dump({7: person}, tmp_path / "vibe_output.pkl")
    people = read(tmp_path / "vibe_output.pkl", focal=1e6)
    expected = weak_pixels(joints(body, t.pose, t.betas, np.zeros((3, 3))), camera)
    np.testing.assert_allclose(pixels_read(body, people, 7), expected, atol=0.05)
    np.testing.assert_allclose(people.bbox[0], [200, 140, 400, 340])
    usual = read(tmp_path / "vibe_output.pkl")
    assert usual.K[0, 0] == DIAGONAL
    np.testing.assert_allclose(usual.transl[:, 2] * 1e6 / DIAGONAL, people.transl[:, 2], rtol=1e-6)


def test_pare_images(tmp_path, body):
    t = make_truth(0)
    person, camera = vibe(t)
    for i, number in enumerate((1, 2, 4)):
        image = {
            "pred_pose": t.matrices[[i]], "pred_shape": t.betas[None], "pred_cam": person["pred_cam"][[i]],
            "orig_cam": camera[[i]], "bboxes": person["bboxes"][[i]],
        }  # fmt: skip
        joblib.dump(image, tmp_path / f"{number:06d}.pkl")
    people = read(tmp_path, focal=1e6)
    assert (people.frame.tolist(), people.track.tolist()) == ([0, 1, 3], [-1, -1, -1])
    expected = weak_pixels(joints(body, t.pose, t.betas, np.zeros((3, 3))), camera)
    np.testing.assert_allclose(pixels_read(body, people, -1), expected, atol=0.05)


@pytest.mark.parametrize("nested", [True, False])
def test_prohmr(tmp_path, body, nested):
    """The first of several samples is the mode; its crop camera is put before the whole picture."""
    t = make_truth(0)
    person, camera = vibe(t)
    for i, number in enumerate((0, 1, 3)):
        params = {
            "global_orient": np.stack([t.matrices[i, :1], np.eye(3)[None]])[None],
            "body_pose": np.stack([t.matrices[i, 1:], np.broadcast_to(np.eye(3), (23, 3, 3))])[None],
            "betas": np.stack([t.betas, np.zeros(10)])[None],
        }
        members = {"pred_smpl_params": params} if nested else {f"pred_smpl_params.{k}": v for k, v in params.items()}
        np.savez(
            tmp_path / f"frame_{number:04d}.npz", pred_cam=np.stack([person["pred_cam"][i], np.ones(3)])[None],
            box_center=person["bboxes"][[i], :2], box_size=person["bboxes"][[i], 2], **members,
        )  # fmt: skip
    people = read(tmp_path, focal=1e6)
    assert (people.source, people.frame.tolist()) == ("ProHMR", [0, 1, 3])
    expected = weak_pixels(joints(body, t.pose, t.betas, np.zeros((3, 3))), camera)
    np.testing.assert_allclose(pixels_read(body, people, -1), expected, atol=0.05)
    assert len(read(tmp_path / "frame_0003.npz")) == 1


def test_prohmr_without_boxes_has_no_place(tmp_path):
    t = make_truth(0)
    params = {"global_orient": t.matrices[:1, :1], "body_pose": t.matrices[:1, 1:], "betas": t.betas[None]}
    np.savez(tmp_path / "a.npz", pred_cam=np.ones((1, 3)), **params)
    people = read(tmp_path / "a.npz")
    assert people.transl is None
    assert people.K is None
    assert people.has_bodies
    assert any("unknown" in note for note in people.notes)


def test_two_people_under_one_id_become_two_tracks(tmp_path):
    data = wham({2: make_truth(0)})
    for name in ("pose", "trans", "betas"):
        data[2][name] = np.concatenate([data[2][name], make_truth(1).transl if name == "trans" else data[2][name]])
    data[2]["frame_ids"] = np.array([0, 1, 3, 1, 3, 4])
    joblib.dump(data, tmp_path / "w.pkl")
    people = read(tmp_path / "w.pkl")
    assert list(zip(people.frame.tolist(), people.track.tolist(), strict=True)) == [
        (0, 2),
        (1, 2),
        (1, 3),
        (3, 2),
        (3, 3),
        (4, 2),
    ]
    assert any("2 rows stood a second time" in note for note in people.notes)
