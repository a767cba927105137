"""Estimators with a weak-perspective camera on a crop: VIBE, PARE and ProHMR, converted to the whole picture's camera."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from .hmr_rows import (
    Picture,
    Rows,
    array_of,
    axis_angle_of,
    betas_of,
    field_of,
    frames_from_names,
    frames_of,
    numbers,
    pose_of,
    table,
)
from .hmr_tracked import people_of, track_id
from .people import People


def crop_to_transl(
    camera: Float[np.ndarray, "n 3"], centre: Float[np.ndarray, "n 2"], size: Float[np.ndarray, "n"], picture: Picture,
    focal: float,
) -> Float[np.ndarray, "n 3"]:  # fmt: skip
    """A weak-perspective crop camera as a translation before a perspective camera of the whole picture.

    Args:
        camera: (s, tx, ty): crop coordinates in -1..1 are ``s * (x + tx)``, ``s * (y + ty)``.
        centre: Middle of the square crop, pixels of the whole picture.
        size: Its side, pixels.
        picture: The video.
        focal: Pixels.
    Returns:
        Metres, camera frame, at which a body has the same size and place in the picture.
    Source:
        Li et al. 2022, "CLIFF", as WHAM's ``cam_pred2full`` has it.
    """
    per_metre = size * camera[:, 0] / 2  # pixels
    with np.errstate(divide="ignore"):
        x = camera[:, 1] + (centre[:, 0] - picture.width / 2) / per_metre
        y = camera[:, 2] + (centre[:, 1] - picture.height / 2) / per_metre
        return np.stack([x, y, focal / per_metre], axis=1)


def weak_to_transl(camera: Float[np.ndarray, "n 4"], picture: Picture, focal: float) -> Float[np.ndarray, "n 3"]:
    """A weak-perspective camera of the whole picture (sx, sy, tx, ty) as a translation; else as ``crop_to_transl``."""
    with np.errstate(divide="ignore"):
        return np.stack([camera[:, 2], camera[:, 3], 2 * focal / (camera[:, 0] * picture.width)], axis=1)


def _lens_note(picture: Picture) -> list[str]:
    if picture.focal is not None:
        return []
    return [f"focal length assumed: the picture's diagonal, {picture.diagonal:.0f} px (a weak-perspective camera states none)"]


def is_vibe(data: Any) -> bool:
    """Whether this is VIBE's or PARE's dictionary by person."""
    tracks = people_of(data).values()
    return any({"pose", "betas"} <= set(t) and ("orig_cam" in t or {"pred_cam", "bboxes"} <= set(t)) for t in tracks)


def read_vibe(path: Path, data: dict[Any, Any], picture: Picture) -> People:
    """Bodies of VIBE or PARE on a video; frames from ``frame_ids``.

    Their camera is weak-perspective: ``orig_cam`` (sx, sy, tx, ty) on the whole picture or, where that is absent, ``pred_cam``
    (s, tx, ty) on the square ``bboxes`` (middle x, middle y, side, side). ``transl`` holds for the focal length
    given (else the picture's diagonal) and keeps a body's size in the picture.

    Raises:
        ValueError: If a field is absent or of a wrong shape, ``frame_ids`` is not as long as ``pose``, or ``orig_cam`` belongs
            to a picture of another aspect.
    Source:
        Keys and cameras confirmed in mkocabas/VIBE (demo.py, lib/utils/demo_utils.py) and mkocabas/PARE (pare/core/tester.py);
        PARE's pose is taken as axis-angle or matrices, as its code does not say which is saved.
    """
    parts = []
    for index, (key, person) in enumerate(people_of(data).items()):
        parts.append(_weak_rows(path, person, f"[{key}]", picture, keys=("pose", "betas"), track=track_id(key, index)))
    K = picture.intrinsics(picture.focal or picture.diagonal)
    return table(path, "VIBE or PARE", parts, K, picture, notes=_lens_note(picture))


def is_pare_images(data: Any) -> bool:
    """Whether these are PARE's results of single images, by file name."""
    return any({"pred_pose", "pred_shape", "orig_cam"} <= set(image) for image in people_of(data).values())


def read_pare_images(path: Path, data: dict[str, Any], picture: Picture) -> People:
    """PARE on a folder of images: one file an image, its number in the name (``frames_from_names``); no person ids.

    Raises:
        ValueError: As ``read_vibe``.
    Source:
        Keys confirmed in mkocabas/PARE (pare/core/tester.py: run_on_image_folder).
    """
    frames = _image_frames(path, data)
    parts = []
    for frame, (name, image) in zip(frames.tolist(), data.items(), strict=True):
        parts.append(_weak_rows(path, image, name, picture, keys=("pred_pose", "pred_shape"), frame=frame, track=-1))
    K = picture.intrinsics(picture.focal or picture.diagonal)
    return table(path, "PARE (images)", parts, K, picture, notes=_lens_note(picture))


def _weak_rows(
    path: Path, fields: dict[str, Any], name: str, picture: Picture, *, keys: tuple[str, str], track: int,
    frame: int | None = None,
) -> Rows:  # fmt: skip
    """Rows of one person or image from its dictionary ``fields``, called ``name`` in messages.

    ``keys`` are those of pose and shape. All rows are of one ``frame``, or of ``frame_ids`` where that is None.
    """
    pose, betas = keys
    root, body = pose_of(path, fields.get(pose), f"{name}.{pose}")
    count, focal = len(root), picture.focal or picture.diagonal
    boxes = None
    if fields.get("bboxes") is not None:
        boxes = field_of(path, fields, "bboxes", (count, None), name)[:, :3]
    if fields.get("orig_cam") is not None:
        camera = field_of(path, fields, "orig_cam", (count, 4), name)
        aspect = float(np.median(camera[:, 1] / camera[:, 0]))
        if abs(aspect * picture.height / picture.width - 1) > 0.02:
            raise ValueError(
                f"{path}: field {name}.orig_cam belongs to a picture of aspect {aspect:.3f}; the video's is "
                f"{picture.width / picture.height:.3f}: use the estimates of this very video"
            )
        transl = weak_to_transl(camera, picture, focal)
    else:
        camera = field_of(path, fields, "pred_cam", (count, 3), name)
        if boxes is None:
            raise ValueError(f"{path}: {name} has neither orig_cam nor bboxes, so the body's place in the picture is unknown")
        transl = crop_to_transl(camera, boxes[:, :2], boxes[:, 2], picture, focal)
    corners = None
    if boxes is not None:
        corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    return Rows(
        frame=frames_of(path, fields.get("frame_ids") if frame is None else [frame] * count, count, f"{name}.frame_ids"),
        track=track, global_orient=root, body_pose=body, transl=transl, bbox=corners,
        betas=betas_of(path, fields.get(betas), count, f"{name}.{betas}"),
    )  # fmt: skip


def _parameters(image: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """ProHMR's SMPL parameters, whether nested, flattened with a dot, or bare."""
    nested = image.get("pred_smpl_params")
    if isinstance(nested, Mapping):
        return nested
    for prefix in ("pred_smpl_params.", "pred_smpl_params_", ""):
        names = {name: f"{prefix}{name}" for name in ("global_orient", "body_pose", "betas")}
        if set(names.values()) <= set(image):
            return {name: image[key] for name, key in names.items()}
    return None


def is_prohmr(data: Any) -> bool:
    """Whether these are ProHMR's outputs of single images, by file name."""
    images = people_of(data).values()
    return bool(images) and all("pred_cam" in image and _parameters(image) is not None for image in images)


def read_prohmr(path: Path, data: dict[str, Any], picture: Picture) -> People:
    """ProHMR's network output saved as one ``.npz`` an image, its number in the name (``frames_from_names``); no person ids.

    Of several samples of a body the first is taken: the mode. ``pred_cam`` is weak-perspective on the crop; with
    ``box_center`` and ``box_size`` (pixels of the whole picture) it becomes a place, without them ``transl`` is None.

    Raises:
        ValueError: If a field is absent or of a wrong shape.
    Source:
        Names, shapes and the mode's place confirmed in nkolot/ProHMR (prohmr/models/prohmr.py); it saves pictures only.
    """
    frames = _image_frames(path, data)
    placed = all({"box_center", "box_size"} <= set(image) for image in data.values())
    parts = [
        _pro_rows(path, name, image, frame, placed, picture)
        for frame, (name, image) in zip(frames.tolist(), data.items(), strict=True)
    ]
    notes = _lens_note(picture) if placed else ["no box_center and box_size: where the bodies stand is unknown"]
    K = picture.intrinsics(picture.focal or picture.diagonal)
    return table(path, "ProHMR", parts, K, picture, notes=notes)


def _image_frames(path: Path, data: Mapping[str, Any]) -> np.ndarray:
    names = list(data)
    if len(names) == 1 and not any(c.isdigit() for c in names[0]):
        return np.zeros(1, np.int64)
    return frames_from_names(path, names)


def _pro_rows(path: Path, name: str, image: dict[str, Any], frame: int, placed: bool, picture: Picture) -> Rows:
    found = _parameters(image) or {}
    if not {"global_orient", "body_pose", "betas"} <= set(found):
        raise ValueError(
            f"{path}: field {name}.pred_smpl_params: expected global_orient, body_pose and betas, found {', '.join(found)}"
        )
    pose = _mode(path, found["body_pose"], (23, 3, 3), f"{name}.body_pose")
    count = len(pose)
    root = _mode(path, found["global_orient"], (1, 3, 3), f"{name}.global_orient")[:, 0]
    betas = _mode(path, found["betas"], (10,), f"{name}.betas")
    transl = None
    if placed:
        camera = _mode(path, image["pred_cam"], (3,), f"{name}.pred_cam")
        centre = numbers(path, np.atleast_2d(image["box_center"]), (count, 2), f"{name}.box_center")
        size = numbers(path, np.ravel(image["box_size"]), (count,), f"{name}.box_size")
        transl = crop_to_transl(camera, centre, size, picture, picture.focal or picture.diagonal)
    return Rows(
        frame=np.full(count, frame), track=-1, transl=transl,
        global_orient=axis_angle_of(path, root, f"{name}.global_orient"),
        body_pose=axis_angle_of(path, pose, f"{name}.body_pose"),
        betas=betas_of(path, betas, count, f"{name}.betas"),
    )  # fmt: skip


def _mode(path: Path, value: Any, shape: tuple[int, ...], label: str) -> np.ndarray:
    """The first sample of every person: (people, samples, *shape), (people, *shape) or one person's *shape."""
    array = array_of(path, value, label)
    leading = array.ndim - len(shape)
    if leading == 2:
        array = array[:, 0]
    elif leading == 0:
        array = array[None]
    return numbers(path, array, (None, *shape), label)
