"""Estimators whose bodies are in the whole picture's camera frame: WHAM, GVHMR, TRAM and PromptHMR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ...safe_pickle import load_npy
from .hmr_rows import Picture, Rows, betas_of, body21, field_of, frames_of, numbers, pose_of, table
from .people import People

_OTHER_SHAPE = "betas are SMPL-X's: its shape space differs from SMPL's, so they are a guess for an SMPL body"


def people_of(data: Any) -> dict[Any, dict[str, Any]]:
    """The values of a dictionary keyed by person id, or nothing where this is no such dictionary."""
    if not isinstance(data, dict) or not data or not all(isinstance(value, dict) for value in data.values()):
        return {}
    return data


def track_id(key: Any, index: int) -> int:
    """A producer's id as a number; its index in the file where the id is not a number."""
    return int(key) if str(key).lstrip("-").isdigit() else index


def is_wham(data: Any) -> bool:
    """Whether this is WHAM's dictionary: by person, with ``trans_world`` or ``trans`` beside ``pose``."""
    return any({"pose", "trans", "frame_ids"} <= set(person) for person in people_of(data).values())


def read_wham(path: Path, data: dict[Any, Any], picture: Picture) -> People:
    """Bodies of WHAM in the camera frame (``pose``, ``trans``; not ``pose_world``, ``trans_world``).

    The file does not state the lens. WHAM takes a focal length as long as the picture's diagonal unless it was given a
    calibration; then ``transl`` holds for that one and not for the ``K`` assumed here. Frames are ``frame_ids``.

    Raises:
        ValueError: If a field is absent or of a wrong shape, or ``frame_ids`` is not as long as ``pose``.
    Source:
        Keys, shapes and the lens confirmed in yohanshin/WHAM (demo.py, lib/utils/imutils.py: compute_cam_intrinsics).
    """
    parts = []
    for index, (key, person) in enumerate(people_of(data).items()):
        where = f"[{key}]"
        pose = field_of(path, person, "pose", (None, 72), where)
        root, body = pose_of(path, pose, f"{where}.pose")
        parts.append(
            Rows(
                frame=frames_of(path, person.get("frame_ids"), len(pose), f"{where}.frame_ids"),
                track=track_id(key, index),
                global_orient=root,
                body_pose=body,
                betas=betas_of(path, person.get("betas"), len(pose), f"{where}.betas"),
                transl=field_of(path, person, "trans", (len(pose), 3), where),
            )
        )
    note = f"focal length assumed: the picture's diagonal, {picture.diagonal:.0f} px (WHAM's own, unless it had a calibration)"
    return table(path, "WHAM", parts, picture.intrinsics(picture.diagonal), picture, notes=[note])


def is_gvhmr(data: Any) -> bool:
    """Whether this is GVHMR's dictionary."""
    return isinstance(data, dict) and "smpl_params_incam" in data


def read_gvhmr(path: Path, data: dict[str, Any], picture: Picture) -> People:
    """The one body of GVHMR in the camera frame (``smpl_params_incam``), one row a frame from 0.

    Its body is SMPL-X: 21 body joints, hands flat; ``betas`` are kept, although SMPL-X's shape space is another.

    Raises:
        ValueError: If a field is absent or of a wrong shape, or ``K_fullimg`` belongs to a picture of another size.
    Source:
        Keys and the per-frame ``K_fullimg`` confirmed in zju3dv/GVHMR (hmr4d/model/gvhmr/gvhmr_pl_demo.py).
    """
    params, where = data["smpl_params_incam"], "smpl_params_incam"
    pose = field_of(path, params, "body_pose", (None, 63), where)
    count = len(pose)
    given: Any = data.get("K_fullimg")
    lens = numbers(path, given[None] if getattr(given, "ndim", 0) == 2 else given, (None, 3, 3), "K_fullimg")
    K = np.median(lens, axis=0)
    if abs(2 * K[0, 2] / picture.width - 1) > 0.02 or abs(2 * K[1, 2] / picture.height - 1) > 0.02:
        raise ValueError(
            f"{path}: field K_fullimg has its middle at {K[0, 2]:.0f}, {K[1, 2]:.0f}, so it is for a picture of "
            f"{2 * K[0, 2]:.0f}x{2 * K[1, 2]:.0f}; the video is {picture.width}x{picture.height}: use its own estimates"
        )
    transl = field_of(path, params, "transl", (count, 3), where)
    if len(lens) == count:  # the lens changes from frame to frame: convert all to the median one
        transl = transl * np.stack([np.ones(count), np.ones(count), K[0, 0] / lens[:, 0, 0]], axis=1)
    rows = Rows(
        frame=np.arange(count),
        track=0,
        global_orient=field_of(path, params, "global_orient", (count, 3), where),
        body_pose=body21(pose),
        betas=betas_of(path, params.get("betas"), count, f"{where}.betas"),
        transl=transl,
    )
    return table(path, "GVHMR", [rows], K, picture, notes=[_OTHER_SHAPE], frames=count)


def is_tram(data: Any) -> bool:
    """Whether this is one or more of TRAM's tracks, by their file names."""
    tracks = people_of(data)
    return bool(tracks) and all({"pred_rotmat", "pred_trans", "frame"} <= set(track) for track in tracks.values())


def read_tram(path: Path, data: dict[str, Any], picture: Picture) -> People:
    """Bodies of TRAM: ``hps/hps_track_k.npy`` (one track) or the folder ``hps`` or its parent (all); frames from ``frame``.

    The lens is in ``camera.npy`` beside the folder ``hps``; without it, ``focal`` must be the focal length TRAM ran with.

    Raises:
        ValueError: If a field is absent or of a wrong shape, there is no lens, or it belongs to another picture.
    Source:
        Keys, shapes (``pred_trans`` is (n, 1, 3)) and ``camera.npy`` confirmed in yufu-wang/tram (lib/models/hmr_vimo.py,
        scripts/estimate_camera.py, scripts/estimate_humans.py).
    """
    notes: list[str] = []
    folder = next((f for f in (path, path.parent, path.parent.parent) if (f / "camera.npy").is_file()), None)
    if folder is not None:
        K = _scaled_lens(folder / "camera.npy", load_npy(folder / "camera.npy"), picture, "")
    elif picture.focal is not None:
        K = picture.intrinsics(picture.focal)
        notes.append(f"no camera.npy: the given focal length of {picture.focal:.0f} px taken for the one TRAM ran with")
    else:
        raise ValueError(f"{path}: TRAM's camera.npy is not beside the folder hps; put it back, or give its focal length")
    parts = []
    for index, (name, track) in enumerate(data.items()):
        matrices = field_of(path, track, "pred_rotmat", (None, 24, 3, 3), name)
        root, body = pose_of(path, matrices, f"{name}.pred_rotmat")
        transl = track["pred_trans"]
        transl = transl[:, 0] if getattr(transl, "ndim", 0) == 3 else transl
        digits = "".join(c for c in name if c.isdigit())
        parts.append(
            Rows(
                frame=frames_of(path, track["frame"], len(matrices), f"{name}.frame"),
                track=int(digits) if digits else index,
                global_orient=root,
                body_pose=body,
                betas=betas_of(path, track.get("pred_shape"), len(matrices), f"{name}.pred_shape"),
                transl=numbers(path, transl, (len(matrices), 3), f"{name}.pred_trans"),
            )
        )
    return table(path, "TRAM", parts, K, picture, notes=notes)


def is_prompthmr(data: Any) -> bool:
    """Whether this is PromptHMR's dictionary."""
    return isinstance(data, dict) and isinstance(data.get("people"), dict) and "camera" in data


def read_prompthmr(path: Path, data: dict[str, Any], picture: Picture) -> People:
    """Bodies of PromptHMR in the camera frame (``smplx_cam``), with boxes and OpenPose's 25 keypoints where they were kept.

    PromptHMR reduces videos to at most 896 px in height: the lens, boxes and keypoints are scaled back to the
    video's own size. It also skips frames of videos above 60 frames a second; ``frames`` then counts the frames it kept.
    SMPL-X body: 21 joints, hands flat.

    Raises:
        ValueError: If a field is absent or of a wrong shape, or ``camera`` belongs to a picture of another aspect.
    Source:
        Keys, the resizing and the order of keypoints confirmed in yufu-wang/PromptHMR (pipeline/pipeline.py, phmr_vid.py,
        utils.py, kp_utils.py).
    """
    K = _scaled_lens(path, data["camera"], picture, "camera")
    scale = K[0, 2] / float(data["camera"]["img_center"][0])
    keep = all(_has_keypoints(person) for person in data["people"].values())
    parts = [_prompt_rows(path, key, i, person, scale, keep) for i, (key, person) in enumerate(data["people"].items())]
    notes = [_OTHER_SHAPE]
    if not np.isclose(scale, 1.0):
        notes.append(f"found in a picture resized by {1 / scale:.4g}; lens, boxes and keypoints scaled back")
    return table(path, "PromptHMR", parts, K, picture, notes=notes, layout="openpose25")


def _has_keypoints(person: Any) -> bool:
    shape = getattr(person.get("keypoints_2d") if isinstance(person, dict) else None, "shape", ())
    return len(shape) == 3 and shape[1] >= 25 and shape[2] == 3


def _prompt_rows(path: Path, key: Any, index: int, person: Any, scale: float, keypoints: bool) -> Rows:
    where = f"people[{key}]"
    if not isinstance(person, dict):
        raise ValueError(f"{path}: field {where}: expected a dictionary, found {type(person).__name__}")
    body, inside = person.get("smplx_cam"), f"people[{key}].smplx_cam"
    pose = field_of(path, body, "pose", (None, None), inside)
    if pose.shape[1] < 66:
        raise ValueError(f"{path}: field {inside}.pose: expected at least 66 numbers (22 joints) a row, found {pose.shape[1]}")
    count = len(pose)
    points = None
    if keypoints:
        points = numbers(path, person["keypoints_2d"], (count, None, 3), f"{where}.keypoints_2d")[:, :25].copy()
        points[points[:, :, 2] <= 0] = np.nan
        points[:, :, :2] *= scale
    return Rows(
        frame=frames_of(path, person.get("frames"), count, f"{where}.frames"),
        track=track_id(key, index),
        global_orient=pose[:, :3],
        body_pose=body21(pose[:, 3:66]),
        betas=betas_of(path, (body or {}).get("shape"), count, f"{inside}.shape"),
        transl=field_of(path, body, "trans", (count, 3), inside),
        bbox=field_of(path, person, "bboxes", (count, 4), where) * scale if "bboxes" in person else None,
        keypoints2d=points,
    )


def _scaled_lens(path: Path, camera: Any, picture: Picture, where: str) -> Float[np.ndarray, "3 3"]:
    """K of ``img_focal`` and ``img_center``, scaled from the picture they hold for to the video's size."""
    centre = field_of(path, camera, "img_center", (2,), where)
    focal = float(numbers(path, [camera.get("img_focal")], (1,), f"{where}.img_focal".lstrip("."))[0])
    across, down = picture.width / (2 * centre[0]), picture.height / (2 * centre[1])
    if abs(across / down - 1) > 0.02:
        raise ValueError(
            f"{path}: field img_center {centre[0]:.0f}, {centre[1]:.0f} is the middle of a picture of another aspect than the "
            f"video's {picture.width}x{picture.height}; use the estimates of this very video"
        )
    return picture.intrinsics(focal * across)
