"""One sample: its schema as data, and the way from a clip to bytes and back. The same clip always gives the same bytes."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..files import canonical_json, npz_arrays, npz_bytes
from ..types import Camera, Clip, Motion
from .video_codec import DEFAULT_CRF, decode_mask, decode_video, encode_mask, encode_video

KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]+")
"""A sample's key: no dots (WebDataset splits there), no slashes."""

Sample = dict[str, Any]
"""``__key__`` and one entry a member, bytes or decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row of the schema."""

    member: str
    """``json`` or ``npz``, or the member itself."""
    kind: str
    """JSON type, or NumPy dtype."""
    shape: tuple[int | str, ...] = ()
    """Letters stand for sizes that agree within a sample: ``t`` frames, ``p`` other people."""
    unit: str = ""
    meaning: str
    required: bool = True


SCHEMA: dict[str, Field] = {
    "label": Field(member="json", kind="str", meaning="what the clip shows: a key of `augment.actions.ACTIONS`, or your own"),
    "segments": Field(
        member="json",
        kind="list",
        shape=("s",),
        unit="s",
        meaning="`{label, start_sec, end_sec}`, OmniFall's frame labels or your own in time order, covering the clip, no gaps",
    ),
    "caption": Field(member="json", kind="str", meaning="one English sentence"),
    "fps": Field(member="json", kind="float", unit="1/s", meaning="frames a second"),
    "frames": Field(member="json", kind="int", meaning="number of frames t"),
    "width": Field(member="json", kind="int", unit="px", meaning="picture width"),
    "height": Field(member="json", kind="int", unit="px", meaning="picture height"),
    "is_synthetic": Field(member="json", kind="bool", meaning="false for real video"),
    "provenance": Field(
        member="json", kind="dict", meaning="recipe digest, seeds, scene, motion source and licence, look, attempts"
    ),
    "mp4": Field(member="mp4", kind="h264", shape=("t", "h", "w", 3), unit="sRGB", meaning="the video, yuv420p"),
    "global_orient": Field(member="npz", kind="float32", shape=("t", 3), unit="rad", meaning="root axis-angle, world"),
    "body_pose": Field(
        member="npz",
        kind="float32",
        shape=("t", 23, 3),
        unit="rad",
        meaning="SMPL joints 1..23, axis-angle, relative to parent",
    ),
    "transl": Field(member="npz", kind="float32", shape=("t", 3), unit="m", meaning="added after posing; not the pelvis"),
    "betas": Field(member="npz", kind="float32", shape=(10,), meaning="body shape"),
    "joints": Field(member="npz", kind="float32", shape=("t", 24, 3), unit="m", meaning="SMPL joints, world"),
    "joints2d": Field(
        member="npz",
        kind="float32",
        shape=("t", 24, 3),
        unit="px",
        meaning="u, v (pixel centres at +0.5), confidence (0 = not visible)",
    ),
    "K": Field(member="npz", kind="float32", shape=(3, 3), unit="px", meaning="intrinsics of the clip's camera"),
    "T_world_camera": Field(
        member="npz",
        kind="float32",
        shape=("4|t,4", 4),
        unit="m",
        meaning="camera to world, (4, 4) still or (t, 4, 4) moving; OpenCV axes",
    ),
    "distortion": Field(
        member="npz",
        kind="float32",
        shape=("4|5",),
        meaning="the lens, OpenCV's coefficients: 5 k1, k2, p1, p2, k3, or 4 k1..k4 of a fisheye; a pinhole if absent",
        required=False,
    ),
    "others_global_orient": Field(
        member="npz",
        kind="float32",
        shape=("p", "t", 3),
        unit="rad",
        meaning="as above, the other people in view",
        required=False,
    ),
    "others_body_pose": Field(
        member="npz", kind="float32", shape=("p", "t", 23, 3), unit="rad", meaning="as above, the other people", required=False
    ),
    "others_transl": Field(
        member="npz", kind="float32", shape=("p", "t", 3), unit="m", meaning="as above, the other people", required=False
    ),
    "others_betas": Field(member="npz", kind="float32", shape=("p", 10), meaning="as above, the other people", required=False),
    "mask.mp4": Field(
        member="mask.mp4",
        kind="h264",
        shape=("t", "h", "w"),
        meaning="lossless grey: 0 room, otherwise a person (see `film.film`)",
        required=False,
    ),
    "depth.npz": Field(
        member="depth.npz",
        kind="float16",
        shape=("t", "h", "w"),
        unit="m",
        meaning="`depth`: z-depth, 0 = none",
        required=False,
    ),
}
"""Every field of a sample; README quotes it, ``verify`` checks it."""


def motion_arrays(
    people: tuple[Motion, ...], camera: Camera, joints: np.ndarray, joints2d: np.ndarray
) -> dict[str, np.ndarray]:
    """The ``npz`` of a sample: the first person under the plain names, further ones under ``others_``."""
    first, others = people[0], people[1:]
    arrays = {
        "global_orient": first.global_orient,
        "body_pose": first.body_pose,
        "transl": first.transl,
        "betas": first.betas,
        "joints": joints,
        "joints2d": joints2d,
        "K": camera.K,
        "T_world_camera": camera.T_world_camera,
    }
    if camera.lens is not None:
        arrays["distortion"] = np.array(camera.lens.coefficients)
    if others:
        for name in ("global_orient", "body_pose", "transl", "betas"):
            arrays[f"others_{name}"] = np.stack([getattr(person, name) for person in others])
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def clip_to_sample(
    key: str,
    clip: Clip,
    *,
    mask: np.ndarray | None = None,
    depth: np.ndarray | None = None,
    crf: int = DEFAULT_CRF,
) -> Sample:
    """Encode a clip.

    Args:
        key: Letters, digits, ``_`` and ``-``.
        clip: Frames, labels, arrays.
        mask: Optional layer, (t, h, w) uint8, stored losslessly as ``mask.mp4``.
        depth: Optional layer, (t, h, w) metres, stored as float16 in ``depth.npz``.
        crf: Video quality.
    Raises:
        ValueError: If the key holds other characters, or the frames cannot be encoded.
    """
    require_key(key)
    frames, height, width = clip.frames.shape[:3]
    meta = {
        "label": clip.action,
        "segments": [asdict(segment) for segment in clip.segments],
        "caption": clip.caption,
        "fps": clip.fps,
        "frames": frames,
        "width": width,
        "height": height,
        "is_synthetic": clip.is_synthetic,
        "provenance": clip.provenance,
    }
    sample: Sample = {
        "__key__": key,
        "json": canonical_json(meta),
        "mp4": encode_video(clip.frames, fps=clip.fps, crf=crf),
        "npz": npz_bytes(clip.arrays),
    }
    if mask is not None:
        sample["mask.mp4"] = encode_mask(mask, fps=clip.fps)
    if depth is not None:
        sample["depth.npz"] = npz_bytes({"depth": np.asarray(depth, np.float16)}, compress=True)
    return sample


DECODERS = {
    "mp4": lambda data: decode_video(data)[0],
    "mask.mp4": decode_mask,
    "json": json.loads,
    "npz": npz_arrays,
    "depth.npz": lambda data: npz_arrays(data)["depth"],
}
"""Member to function from bytes to value; what is not listed stays bytes."""


def decode_sample(sample: Sample) -> Sample:
    """Decode a sample's members, leaving what is decoded already."""
    return {
        name: DECODERS[name](value) if isinstance(value, bytes) and name in DECODERS else value
        for name, value in sample.items()
    }


def require_key(key: str) -> str:
    """Raises ValueError unless ``key`` may name a sample."""
    if not KEY_PATTERN.fullmatch(key):
        raise ValueError(f"sample key {key!r}: expected letters, digits, '_' and '-' (WebDataset splits names at dots)")
    return key
