"""One sample: its schema as data, and the way from a clip to bytes and back. The same clip always gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..files import canonical_json, npz_arrays, npz_bytes
from ..types import Camera, Clip, Motion
from .video_codec import DEFAULT_CRF, decode_mask, decode_video, encode_mask, encode_video

LAYERS = ("rgb", "keypoints", "mask", "depth", "parts", "normals", "flow")
"""What a sample can hold of a clip; keypoints are always there."""

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
    "layers": Field(
        member="json", kind="list", shape=("n",), meaning="layers of the clip that it holds, of `LAYERS`", required=False
    ),
    "is_synthetic": Field(member="json", kind="bool", meaning="false for real video"),
    "provenance": Field(
        member="json", kind="dict", meaning="recipe digest, seeds, scene, motion source and licence, look, attempts"
    ),
    "mp4": Field(
        member="mp4",
        kind="h264",
        shape=("t", "h", "w", 3),
        unit="sRGB",
        meaning="the video, yuv420p (layer `rgb`)",
        required=False,
    ),
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
    "keypoints_coco": Field(
        member="npz", kind="float32", shape=("t", 17, 3), unit="px", meaning="COCO's 17 keypoints, likewise", required=False
    ),
    "keypoints_mediapipe": Field(
        member="npz",
        kind="float32",
        shape=("t", 33, 3),
        unit="px",
        meaning="MediaPipe's 33 landmarks, likewise",
        required=False,
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
        meaning="lossless luma: 0 room, n the n-th person; read with `shards.video_codec.decode_mask`",
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
    "parts.mp4": Field(
        member="parts.mp4",
        kind="h264",
        shape=("t", "h", "w"),
        meaning="lossless luma, as the mask: 0 room, otherwise 1 + the SMPL joint that moves the surface most",
        required=False,
    ),
    "normals.npz": Field(
        member="normals.npz",
        kind="int8",
        shape=("t", "h", "w", 3),
        unit="1/127",
        meaning="`normals`: unit normals times 127, camera axes, 0 = unknown",
        required=False,
    ),
    "flow.npz": Field(
        member="flow.npz",
        kind="float16",
        shape=("t", "h", "w", 2),
        unit="px",
        meaning="`flow`: motion of each person's surface to the next frame, right and down; 0 in the last frame",
        required=False,
    ),
}
"""Every field of a sample; README quotes it, ``verify`` checks it."""


def motion_arrays(
    people: tuple[Motion, ...], camera: Camera, joints: np.ndarray, keypoints: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The ``npz`` of a sample: the first person under the plain names, further ones under ``others_``.

    Args:
        keypoints: ``joints2d`` and any other sets of 2D keypoints, by their names.
    """
    first, others = people[0], people[1:]
    arrays = {
        "global_orient": first.global_orient,
        "body_pose": first.body_pose,
        "transl": first.transl,
        "betas": first.betas,
        "joints": joints,
        **keypoints,
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
    layers: Mapping[str, np.ndarray] | None = None,
    crf: int = DEFAULT_CRF,
) -> Sample:
    """Encode a clip.

    Args:
        key: Letters, digits, ``_`` and ``-``.
        clip: Frames, labels, arrays.
        layers: Further layers, keys of ``ENCODERS``: ``mask`` and ``parts`` (t, h, w) uint8; ``depth`` (t, h, w), metres;
            ``normals`` (t, h, w, 3), unit; ``flow`` (t, h, w, 2), pixels.
        crf: Video quality.
    Raises:
        ValueError: If the key holds other characters, a layer is unknown, or the frames cannot be encoded.
    """
    require_key(key)
    layers = dict(layers or {})
    unknown = sorted(layers.keys() - ENCODERS.keys())
    if unknown:
        raise ValueError(f"clip_to_sample: unknown layer {unknown[0]!r}; expected one of: {', '.join(ENCODERS)}")
    shape = clip.shape if clip.frames is None else clip.frames.shape[:3]
    if shape is None:
        raise ValueError("clip_to_sample: a clip without frames needs its shape")
    there = {*layers, *(["rgb"] if clip.frames is not None else []), *(["keypoints"] if "joints2d" in clip.arrays else [])}
    held = [name for name in LAYERS if name in there]
    frames, height, width = shape
    meta = {
        "label": clip.action,
        "segments": [asdict(segment) for segment in clip.segments],
        "caption": clip.caption,
        "fps": clip.fps,
        "frames": frames,
        "width": width,
        "height": height,
        "layers": held,
        "is_synthetic": clip.is_synthetic,
        "provenance": clip.provenance,
    }
    sample: Sample = {
        "__key__": key,
        "json": canonical_json(meta, indent=None),
        "npz": npz_bytes(clip.arrays),
    }
    if clip.frames is not None:
        sample["mp4"] = encode_video(clip.frames, fps=clip.fps, crf=crf)
    for name, array in layers.items():
        member, encode = ENCODERS[name]
        sample[member] = encode(array, clip.fps)
    return sample


def _grey(layer: np.ndarray, fps: float) -> bytes:
    return encode_mask(layer, fps=fps)


def _array(name: str, kind: type, factor: float = 1.0) -> Callable[[np.ndarray, float], bytes]:
    def encode(layer: np.ndarray, fps: float) -> bytes:
        scaled = np.rint(layer * factor) if factor != 1 else layer
        return npz_bytes({name: scaled.astype(kind)}, compress=True)

    return encode


ENCODERS: dict[str, tuple[str, Callable[[np.ndarray, float], bytes]]] = {
    "mask": ("mask.mp4", _grey), "parts": ("parts.mp4", _grey), "depth": ("depth.npz", _array("depth", np.float16)),
    "normals": ("normals.npz", _array("normals", np.int8, 127.0)), "flow": ("flow.npz", _array("flow", np.float16)),
}  # fmt: skip
"""Layer to its member, and the function from array and frame rate to bytes."""

DECODERS = {
    "mp4": lambda data: decode_video(data)[0],
    "mask.mp4": decode_mask,
    "parts.mp4": decode_mask,
    "json": json.loads,
    "npz": npz_arrays,
    "depth.npz": lambda data: npz_arrays(data)["depth"],
    "normals.npz": lambda data: npz_arrays(data)["normals"],
    "flow.npz": lambda data: npz_arrays(data)["flow"],
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
