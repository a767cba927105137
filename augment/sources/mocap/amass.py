"""AMASS npz files (SMPL+H and SMPL-X): read them as motions, write motions the SMPL+H way.

AMASS is z-up; the root turns about the rest pose's pelvis, so changing the up axis needs that pelvis. Files
written here contain it (``rest_pelvis``), and what the format has no field for (``smpl_hands``: SMPL's two hand joints, and
``understudy``: labels, source and licence as JSON), so that reading restores the motion. Other readers ignore the extra keys.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from io import BufferedIOBase
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ...files import DAMAGED_NPZ, plain
from ...types import Motion, Segment

SMPL_REST_PELVIS = np.array([-0.0018, -0.2233, 0.0282])
"""Pelvis of SMPL's neutral template, metres: for files that do not state one."""

_Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
_N_POSE = {156: "SMPL+H", 165: "SMPL-X"}
_LABELS = (
    "action",
    "caption",
    "name",
    "source",
    "licence",
    "subject",
    "support",
    "support_height",
    "support_yaw",
    "provenance",
)


def load_amass(stream: BufferedIOBase, *, name: str) -> Motion:
    """An AMASS npz, SMPL+H or SMPL-X, as a motion in our y-up world.

    Finger, jaw and eye rotations are left out; the hands stay flat unless the file holds ``smpl_hands``. For a file that is
    not ours ``provenance`` records its gender and ``foreign_body``: its betas and translation then belong to SMPL's own body,
    for ``motion.reshape.adopt`` to adapt.

    Raises:
        ValueError: If it is no npz, a field is missing, or a field's shape or values are wrong.
    """
    arrays = _load_npz(stream, name)
    poses = _poses(arrays, name)
    n_frames = len(poses)
    trans = _field(arrays, "trans", name, (n_frames, 3))
    fps = float(_field(arrays, _rate_key(arrays, name), name, ()))
    if not 0 < fps < 10_000:
        raise ValueError(f"{name}: field mocap_framerate: expected frames a second > 0, found {fps}")
    all_betas = np.atleast_1d(arrays["betas"]).astype(np.float64) if "betas" in arrays else np.zeros(10)
    if all_betas.ndim != 1 or not np.isfinite(all_betas).all():
        raise ValueError(f"{name}: field betas: expected a vector of finite numbers, found shape {all_betas.shape}")
    betas = np.zeros(10)
    betas[: min(10, len(all_betas))] = all_betas[:10]
    ours = "rest_pelvis" in arrays
    pelvis = _field(arrays, "rest_pelvis", name, (3,)) if ours else SMPL_REST_PELVIS
    hands = _field(arrays, "smpl_hands", name, (n_frames, 6)) if "smpl_hands" in arrays else np.zeros((n_frames, 6))
    root = Rotation.from_matrix(_Z_UP_FROM_Y_UP.T) * Rotation.from_rotvec(poses[:, :3])
    labels: dict[str, Any] = {"name": name} | _labels(arrays, name)
    provenance = labels.pop("provenance", {}) | (
        {} if ours else {"foreign_body": True, "gender": str(arrays.get("gender", ""))}
    )
    return Motion(
        global_orient=root.as_rotvec().astype(np.float32),
        body_pose=np.concatenate([poses[:, 3:66], hands], axis=1).reshape(n_frames, 23, 3).astype(np.float32),
        transl=((trans + pelvis) @ _Z_UP_FROM_Y_UP - pelvis).astype(np.float32),
        betas=betas.astype(np.float32),
        fps=fps,
        provenance=provenance,
        **labels,
    )


def save_amass(stream: BufferedIOBase, motion: Motion, *, rest_pelvis: Float[np.ndarray, "3"] | None = None) -> None:
    """Write a motion as SMPL+H npz; equal motions give equal bytes.

    Args:
        stream: The file.
        motion: The motion.
        rest_pelvis: Pelvis in the zero pose of the body that the motion was made for, metres; the origin by default. Other
            readers need it; ``load_amass`` restores the motion whatever it is.
    """
    pelvis = np.zeros(3) if rest_pelvis is None else np.asarray(rest_pelvis, np.float64)
    n_frames = len(motion)
    poses = np.zeros((n_frames, 156), np.float32)
    root = Rotation.from_matrix(_Z_UP_FROM_Y_UP) * Rotation.from_rotvec(np.asarray(motion.global_orient, np.float64))
    poses[:, :3] = root.as_rotvec()
    poses[:, 3:66] = motion.body_pose[:, :21].reshape(n_frames, 63)
    labels = {key: getattr(motion, key) for key in _LABELS} | ({"label": motion.label} if motion.label else {})
    labels["support_center"] = motion.support_center
    labels["segments"] = [asdict(segment) for segment in motion.segments]
    np.savez_compressed(
        stream,
        trans=(np.asarray(motion.transl, np.float64) + pelvis) @ _Z_UP_FROM_Y_UP.T - pelvis,
        gender=np.array("neutral"),
        mocap_framerate=np.array(float(motion.fps)),
        betas=np.concatenate([motion.betas, np.zeros(6)]).astype(np.float64),
        dmpls=np.zeros((n_frames, 8), np.float32),
        poses=poses,
        smpl_hands=motion.body_pose[:, 21:].reshape(n_frames, 6).astype(np.float32),
        rest_pelvis=pelvis,
        understudy=np.array(json.dumps(labels, sort_keys=True, default=plain)),
    )


def _load_npz(stream: BufferedIOBase, name: str) -> dict[str, np.ndarray]:
    try:
        with np.load(stream, allow_pickle=False) as archive:
            arrays = {}
            for key in archive.files:
                try:
                    arrays[key] = archive[key]
                except ValueError:
                    continue  # an object array: none is needed, and unpickling is not safe
            return arrays
    except DAMAGED_NPZ as error:
        raise ValueError(f"{name}: expected an AMASS npz, found another or a truncated file ({error})") from error


def _poses(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """(t, >= 66) axis-angles: ``poses``, or SMPL-X's ``root_orient`` and ``pose_body``."""
    if "poses" in arrays:
        poses = np.asarray(arrays["poses"])
        if poses.ndim != 2 or poses.shape[1] not in _N_POSE:
            found = f"found shape {poses.shape}"
            raise ValueError(f"{name}: field poses: expected (t, 156) of SMPL+H or (t, 165) of SMPL-X, {found}")
        poses = _field(arrays, "poses", name, poses.shape)
    elif "root_orient" in arrays and "pose_body" in arrays:
        n_frames = len(np.atleast_1d(arrays["root_orient"]))
        root, body = _field(arrays, "root_orient", name, (n_frames, 3)), _field(arrays, "pose_body", name, (n_frames, 63))
        poses = np.concatenate([root, body], axis=1)
    else:
        keys = ", ".join(sorted(arrays)) or "nothing"
        raise ValueError(f"{name}: field poses: expected it (or root_orient and pose_body), found only {keys}")
    if len(poses) == 0:
        raise ValueError(f"{name}: field poses: expected at least one frame, found none")
    return poses


def _rate_key(arrays: dict[str, np.ndarray], name: str) -> str:
    for key in ("mocap_framerate", "mocap_frame_rate"):
        if key in arrays:
            return key
    raise ValueError(
        f"{name}: field mocap_framerate (or mocap_frame_rate): expected it, found only {', '.join(sorted(arrays))}"
    )


def _field(arrays: dict[str, np.ndarray], key: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if key not in arrays:
        raise ValueError(f"{name}: field {key}: expected it, found only {', '.join(sorted(arrays))}")
    values = np.asarray(arrays[key])
    if values.shape != shape or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name}: field {key}: expected numbers of shape {shape}, found {values.dtype} of shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: field {key}: expected finite numbers, found NaN or infinity; leave the file out")
    return values.astype(np.float64)


def _labels(arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """Motion's other fields, from the JSON of files written here; empty for others."""
    if "understudy" not in arrays:
        return {}
    try:
        labels = json.loads(str(arrays["understudy"]))
        center = labels.pop("support_center")
        segments = tuple(Segment(**each) for each in labels.pop("segments"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{name}: field understudy: expected the JSON that augment writes, found {error!r}") from error
    known = {key: labels[key] for key in (*_LABELS, "label") if key in labels}
    return known | {"segments": segments, "support_center": None if center is None else (center[0], center[1])}
