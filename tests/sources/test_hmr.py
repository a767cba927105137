"""Law: bodies written as the producer writes them, and read, have their SMPL joints at the same pixels."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch

from augment.body.model import joints_of
from augment.geometry import axis_angle_to_matrix, project
from augment.sources.people.hmr import HMR_READERS, read_hmr
from augment.sources.people.people import People
from augment.types import Motion

WIDTH, HEIGHT = 640, 480
DIAGONAL = 800.0
FRAMES = np.array([0, 1, 3])


@dataclass
class Truth:
    """One person, seen in FRAMES."""

    pose: np.ndarray  # (3, 24, 3)
    betas: np.ndarray  # (10,)
    transl: np.ndarray  # (3, 3)

    @property
    def matrices(self) -> np.ndarray:
        return axis_angle_to_matrix(torch.as_tensor(self.pose)).numpy()

    @property
    def shapes(self) -> np.ndarray:
        return np.repeat(self.betas[None], len(self.pose), 0)


def make_truth(seed: int, *, flat_hands: bool = False) -> Truth:
    rng = np.random.default_rng(seed)
    pose = rng.normal(scale=0.3, size=(3, 24, 3))
    pose[:, 0] = [np.pi - 0.2, 0.1, 0.0]  # upright before an OpenCV camera
    pose[:, 0] += rng.normal(scale=0.1, size=(3, 3))
    if flat_hands:
        pose[:, 22:] = 0
    return Truth(pose, rng.normal(size=10), np.array([0.3, 0.2, 4.0]) + rng.normal(scale=0.3, size=(3, 3)))


def joints(body, pose: np.ndarray, betas: np.ndarray, transl: np.ndarray) -> np.ndarray:
    motion = Motion(global_orient=pose[:, 0], body_pose=pose[:, 1:], transl=transl, betas=betas, fps=30.0)
    return joints_of(body, motion)


def intrinsics(focal: float, width: float = WIDTH, height: float = HEIGHT) -> np.ndarray:
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])


def pixels_read(body, people: People, track: int) -> np.ndarray:
    person = people.take(people.track == track)
    pose = np.concatenate([person.global_orient[:, None], person.body_pose], axis=1)
    return project(joints(body, pose, person.betas[0], person.transl), person.K)


def read(path: Path, **options) -> People:
    return read_hmr(path, width=WIDTH, height=HEIGHT, **options)


def wham(truths: dict[Any, Truth], **change) -> dict:
    data = defaultdict(dict)
    for key, t in truths.items():
        data[key] = {
            "pose": t.pose.reshape(-1, 72), "trans": t.transl, "pose_world": np.zeros((3, 72)), "trans_world": t.transl * 9,
            "betas": t.shapes, "verts": np.zeros((3, 4, 3), np.float32), "frame_ids": FRAMES, **change,
        }  # fmt: skip
    return data


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


def gvhmr(t: Truth, K: np.ndarray) -> dict:
    params = {
        "global_orient": torch.tensor(t.pose[:, 0]).float(), "body_pose": torch.tensor(t.pose[:, 1:22].reshape(3, 63)).float(),
        "betas": torch.tensor(t.shapes).float(), "transl": torch.tensor(t.transl).float(),
    }  # fmt: skip
    world = {key: value + 1 for key, value in params.items()}
    return {
        "smpl_params_global": world, "smpl_params_incam": params, "K_fullimg": torch.tensor(K).float().repeat(3, 1, 1),
        "net_outputs": {"static_conf_logits": torch.zeros(1, 3, 6)},
    }  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
def test_gvhmr(tmp_path, body, legacy):
    t, path = make_truth(0, flat_hands=True), tmp_path / "hmr4d_results.pt"
    torch.save(gvhmr(t, intrinsics(700)), path, _use_new_zipfile_serialization=not legacy)
    people = read(path)
    assert (people.source, people.frames, people.frame.tolist()) == ("GVHMR", 3, [0, 1, 2])
    expected = project(joints(body, t.pose, t.betas, t.transl), intrinsics(700))
    np.testing.assert_allclose(pixels_read(body, people, 0), expected, atol=1e-2)
    assert any("SMPL-X" in note for note in people.notes)


def tram(t: Truth) -> dict:
    return {
        "pred_cam": torch.ones(3, 3), "pred_pose": torch.zeros(3, 144), "pred_shape": torch.tensor(t.shapes).float(),
        "pred_rotmat": torch.tensor(t.matrices).float(), "pred_trans": torch.tensor(t.transl).float()[:, None],
        "frame": torch.tensor(FRAMES),
    }  # fmt: skip


def write_tram(folder: Path, truths: list[Truth], focal: float) -> None:
    (folder / "hps").mkdir(parents=True)
    camera = {
        "pred_cam_R": np.eye(3)[None], "pred_cam_T": np.zeros((1, 3)), "img_focal": np.float64(focal),
        "img_center": np.array([WIDTH / 2, HEIGHT / 2]),
    }  # fmt: skip
    np.save(folder / "camera.npy", camera, allow_pickle=True)
    for k, t in enumerate(truths):
        np.save(folder / "hps" / f"hps_track_{k}.npy", tram(t), allow_pickle=True)


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


def prompthmr(truths: dict[Any, Truth], scale: float, focal: float) -> dict:
    people = {}
    for key, t in truths.items():
        pose = np.concatenate([t.pose[:, :22].reshape(3, 66), np.zeros((3, 9))], axis=1)
        people[key] = {
            "track_id": key, "frames": FRAMES, "bboxes": np.array([[10.0, 20, 30, 40]] * 3) * scale,
            "keypoints_2d": np.concatenate([np.full((3, 25, 2), 100.0 * scale), np.ones((3, 25, 1))], axis=2),
            "smplx_cam": {"rotmat": np.zeros((3, 55, 3, 3)), "pose": pose, "shape": t.shapes, "trans": t.transl},
            "smplx_world": {"pose": np.zeros((3, 165)), "shape": t.shapes, "trans": t.transl * 5},
        }  # fmt: skip
    camera = {"img_focal": np.float32(focal * scale), "img_center": np.array([WIDTH / 2, HEIGHT / 2]) * scale}
    return {"camera": camera, "people": people, "masks": None, "camera_world": {"Rwc": np.eye(3)[None]}, "timings": {}}


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


def phalp(truths: dict[int, Truth], *, first: int = 1, size: tuple[int, int] = (HEIGHT, WIDTH)) -> dict:
    """Camera as PHALP has it: a 5000 px lens on the padded square picture scaled to 256 px."""
    longer = max(size)
    nominal, true = 5000 / 256 * longer, 600.0
    data = {}
    for i in range(4):
        entry = {key: [] for key in ("tid", "tracked_time", "bbox", "size", "conf", "smpl", "camera", "mask", "class_name")}
        row = {frame: j for j, frame in enumerate(FRAMES)}.get(i)
        for track, t in truths.items():
            entry["tid"].append(track)
            entry["tracked_time"].append(0 if row is not None else 1)
            j = row or 0
            entry["bbox"].append(np.array([10.0, 20, 30, 40]))
            entry["size"].append(list(size))
            entry["conf"].append(np.float32(0.9))
            entry["smpl"].append({"global_orient": t.matrices[j, :1], "body_pose": t.matrices[j, 1:], "betas": t.betas})
            entry["camera"].append((t.transl[j] * [1, 1, nominal / true]).astype(np.float32))
            entry["mask"].append([{"size": list(size), "counts": "abc"}])
            entry["class_name"].append(np.int64(0))
        data[f"outputs/_DEMO/video7/img/{first + i:06d}.jpg"] = {
            "time": i, "shot": 0, "frame_path": "", "tracked_ids": [], **entry,
        }  # fmt: skip
    return data


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


def weak_pixels(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """VIBE's camera of the whole picture: normalised coordinates are s * (x + t)."""
    u = camera[:, 0, None] * (points[:, :, 0] + camera[:, 2, None])
    v = camera[:, 1, None] * (points[:, :, 1] + camera[:, 3, None])
    return np.stack([(u + 1) * WIDTH / 2, (v + 1) * HEIGHT / 2], axis=-1)


def vibe(t: Truth, *, matrices: bool = False, drop: tuple[str, ...] = ()) -> tuple[dict, np.ndarray]:
    """One person; orig_cam made from pred_cam and the square crop as VIBE and PARE make it."""
    s, tx, ty = np.array([0.9, 0.8, 0.95]), np.array([0.02, 0.0, -0.05]), np.array([0.1, 0.2, 0.15])
    cx, cy, side = np.array([300.0, 320, 350]), np.array([240.0, 250, 200]), np.array([200.0, 210, 190])
    sx, sy = s * side / WIDTH, s * side / HEIGHT
    tx_whole = tx + (cx - WIDTH / 2) / (WIDTH / 2) / sx
    ty_whole = ty + (cy - HEIGHT / 2) / (HEIGHT / 2) / sy
    camera = np.stack([sx, sy, tx_whole, ty_whole], axis=1)
    person = {
        "pred_cam": np.stack([s, tx, ty], axis=1).astype(np.float32), "orig_cam": camera, "verts": np.zeros((3, 4, 3)),
        "pose": t.matrices if matrices else t.pose.reshape(3, 72), "betas": t.shapes, "joints2d": None,
        "bboxes": np.stack([cx, cy, side, side], axis=1), "frame_ids": FRAMES,
    }  # fmt: skip
    return {key: value for key, value in person.items() if key not in drop}, camera


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


def spoil_pose(data: dict) -> None:
    data[0]["pose"] = data[0]["pose"][:, :69]


def spoil_length(data: dict) -> None:
    data[0]["frame_ids"] = np.arange(2)


def spoil_fraction(data: dict) -> None:
    data[0]["frame_ids"] = FRAMES + 0.5


def spoil_units(data: dict) -> None:
    data[0]["trans"] = data[0]["trans"] * 1000


def spoil_nan(data: dict) -> None:
    data[0]["pose"][1, 5] = np.nan


def spoil_missing(data: dict) -> None:
    del data[0]["betas"]


def spoil_behind(data: dict) -> None:
    data[0]["trans"] = data[0]["trans"] * [1, 1, -1]


def spoil_negative(data: dict) -> None:
    data[0]["frame_ids"] = FRAMES - 5


def spoil_kind(data: dict) -> None:
    data[0]["trans"] = "nowhere"


def spoil_empty(data: dict) -> None:
    for name in ("pose", "trans", "betas", "frame_ids"):
        data[0][name] = data[0][name][:0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_pose, r"\[0\].pose: expected shape \(n, 72\), found \(3, 69\)"),
        (spoil_length, r"\[0\].frame_ids has 2 entries for 3 poses"),
        (spoil_fraction, r"\[0\].frame_ids must be whole"),
        (spoil_units, r"transl: bodies lie \d+ m away .* divide by 1000"),
        (spoil_nan, r"body_pose holds NaN or infinity at frame 1"),
        (spoil_missing, r"lacks the field \[0\].betas"),
        (spoil_behind, r"transl: 3 of 3 bodies lie behind the camera"),
        (spoil_negative, r"a frame number is negative"),
        (spoil_kind, r"\[0\].trans is not an array of numbers"),
        (spoil_empty, r"nobody in it"),
    ],
)
def test_bad_fields_are_named(tmp_path, spoil: Callable[[dict], None], message):
    data = wham({0: make_truth(0)})
    spoil(data)
    joblib.dump(data, tmp_path / "w.pkl")
    with pytest.raises(ValueError, match=f"w.pkl: .*{message}"):
        read(tmp_path / "w.pkl")


def test_bad_phalp_is_named(tmp_path):
    path = tmp_path / "demo.pkl"

    def check(change: Callable[[dict], None], message: str, **options) -> None:
        data = phalp({3: make_truth(0)}, **options)
        change(data)
        joblib.dump(data, path, compress=3)
        with pytest.raises(ValueError, match=f"demo.pkl: .*{message}"):
            read(path)

    first = "outputs/_DEMO/video7/img/000001.jpg"
    check(lambda d: None, "field size is 480x640 but the video is 640x480", size=(640, 480))
    check(lambda d: d[first]["camera"].pop(), "000001.jpg.*: field camera has 0 entries for 1 in tid")
    check(lambda d: d[first]["smpl"][0].pop("betas"), r"field smpl\[0\]: expected global_orient")
    check(
        lambda d: d[first]["smpl"][0].update(body_pose=np.zeros((23, 3, 3))),
        r"smpl\[\].body_pose does not hold rotation .* frame .*000001.jpg",
    )
    check(lambda d: d[first]["smpl"][0].update(body_pose=np.zeros((21, 3, 3))), r"body_pose: expected shape \(23, 3, 3\)")
    check(lambda d: [e.update(tracked_time=[1]) for e in d.values()], "nobody in it")
    check(lambda d: d.update({"other/000001.jpg": d[first]}), "one frame number twice")


def test_a_lens_of_another_picture_is_named(tmp_path):
    torch.save(gvhmr(make_truth(0), intrinsics(700, 1920, 1080)), tmp_path / "g.pt")
    with pytest.raises(ValueError, match=r"g.pt: field K_fullimg .* picture of 1920x1080; the video is 640x480"):
        read(tmp_path / "g.pt")
    joblib.dump({1: vibe(make_truth(0))[0]}, tmp_path / "v.pkl")
    with pytest.raises(ValueError, match=r"v.pkl: field \[1\].orig_cam belongs to a picture of aspect 1.333"):
        read_hmr(tmp_path / "v.pkl", width=480, height=640)
    joblib.dump(prompthmr({1: make_truth(0)}, 1.0, 650), tmp_path / "p.pkl")
    with pytest.raises(ValueError, match=r"p.pkl: field img_center .* another aspect"):
        read_hmr(tmp_path / "p.pkl", width=480, height=640)


def test_unknown_content_says_what_was_found_and_what_is_known(tmp_path):
    contents = {
        "a.pkl": ({"keypoints": np.ones(3), "boxes": np.ones(4)}, "found the keys keypoints, boxes"),
        "b.pkl": ({1: {"theta": 1}}, "the first holding theta"),
        "c.pkl": ([1, 2], "holds a list"),
        "d.pkl": ({}, "empty dictionary: nobody"),
    }
    for name, (content, message) in contents.items():
        joblib.dump(content, tmp_path / name)
        with pytest.raises(ValueError, match=message) as error:
            read(tmp_path / name)
        assert all(known in str(error.value) for known in HMR_READERS)
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "absent.pkl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no .npy, .npz or .pkl"):
        read(tmp_path / "empty")


def leaves(content: Any, path: tuple = ()):
    """Ways to everything in nested dictionaries and lists."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield (*path, key)
            yield from leaves(value, (*path, key))


MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "none": lambda value: None,
    "word": lambda value: "x",
    "list": lambda value: [],
    "cut": lambda value: value[:1] if getattr(value, "ndim", 0) else 3.0,
    "nan": lambda value: value * float("nan") if getattr(value, "ndim", 0) else {},
}


@pytest.mark.parametrize("name", ["wham", "gvhmr", "prompthmr", "phalp", "vibe", "tram"])
def test_whatever_field_is_spoilt_the_error_names_the_file(tmp_path, name):
    """One value at a time: the file is read all the same (a field nobody needs), or refused with its name."""
    t, path, refusals = make_truth(0), tmp_path / "spoilt.pkl", []
    content = {
        "wham": lambda: {0: dict(wham({0: t})[0])}, "gvhmr": lambda: gvhmr(t, intrinsics(700)),
        "prompthmr": lambda: prompthmr({1: t}, 1.0, 650), "phalp": lambda: dict(list(phalp({3: t}).items())[:1]),
        "vibe": lambda: {7: vibe(t)[0]}, "tram": lambda: {"hps_track_0": tram(t)},
    }[name]  # fmt: skip
    for way in leaves(content()):
        for change in MUTATIONS.values():
            spoilt = content()
            holder = spoilt
            for key in way[:-1]:
                holder = holder[key]
            holder[way[-1]] = change(holder[way[-1]])
            path.write_bytes(pickle.dumps(spoilt))
            try:
                read(path, focal=650)
            except ValueError as error:
                refusals.append(str(error))
    assert len(refusals) > 20
    assert [text for text in refusals if str(path) not in text] == []


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["a.pkl", "a.npy", "a.npz", "a.pt"])
def test_hostile_files_are_refused(tmp_path, name):
    path, marker = tmp_path / name, tmp_path / "it_ran"
    bad = {"pose": Touch(marker)}
    {
        ".pkl": lambda: path.write_bytes(pickle.dumps(bad)),
        ".npy": lambda: np.save(path, bad, allow_pickle=True),
        ".npz": lambda: np.savez(path, a=np.array(bad, object)),
        ".pt": lambda: torch.save(bad, path),
    }[path.suffix]()
    with pytest.raises(ValueError, match=rf"{name}: refused to unpickle \w+.system"):
        read(path)
    assert not marker.exists()
