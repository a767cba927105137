"""Files of body estimators as their producers write them, with the pixels their bodies must have."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augment.body.model import joints_of
from augment.geometry import axis_angle_to_matrix, project
from augment.sources.people.hmr import read_hmr
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
