"""Depth estimated with models of transformers, one file a frame; an interrupted run continues."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...files import sha256_of, sha256_of_file, write_atomic
from ...progress import track
from ..device import pick_device
from ..video import VideoInfo, probe, read_frames
from .frames import SUFFIXES
from .maps import DepthMaps, read_depth_maps, resize_map

MANIFEST = "estimated_depth.json"
"""Facts and digests of a folder of estimated depth; a map is reused only if its digest agrees."""

DEPTH_MODELS: dict[str, Callable[[Any], bool]] = {
    "depth_anything": lambda config: config.depth_estimation_type == "metric",
}
"""Model types of transformers whose raw output is known, and whether it is metres (else disparity).

Source:
    transformers, ``models/depth_anything`` (``DepthAnythingConfig.depth_estimation_type``).
"""


def estimate_depth(video: Path, *, model: str | Path, frames: int = 16, out: Path, device: str = "auto") -> DepthMaps:
    """Estimate depth for some frames of a video with a model of transformers (Depth Anything V2, relative or metric).

    One ``.npy`` a frame is written into ``out`` at the video's size; an interrupted run continues.

    Args:
        video: The video.
        model: Folder of a saved model, or its name on the hub (fetched by transformers).
        frames: How many, the middles of as many equal stretches of the video; all of them where the video has fewer.
        out: Folder for the maps; empty, absent, or left by the same call before.
        device: ``cpu``, ``cuda``, or ``auto``.
    Raises:
        ValueError: If transformers is not installed, the model cannot be loaded or gives something of unknown meaning, the
            video cannot be read, or ``out`` holds maps of another model, video or choice of frames.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, found {frames}")
    video, out, info = Path(video), Path(out), probe(video)
    count = min(frames, info.frames)
    numbers = (2 * np.arange(count) + 1) * info.frames // (2 * count)  # the middles of as many equal stretches
    network, prepare, metric, identity = _load_depth_model(model, pick_device(device))
    suffix = "_raw_depth_meter" if metric else ""  # the name by which read_depth_maps knows metres
    names = {int(number): f"frame_{number:06d}{suffix}.npy" for number in numbers}
    made = {"video": sha256_of_file(video), "model": identity, "frames": list(names)}
    digests = _resume(out, made)
    missing = np.array([n for n in names if digests.get(names[n]) is None], int)
    pictures = read_frames(video, missing) if len(missing) else iter(())
    for number, picture in track(pictures, "depth", total=len(missing)):
        values = _infer_depth(network, prepare, picture, info)
        buffer = io.BytesIO()
        np.save(buffer, values)
        write_atomic(out / names[number], buffer.getvalue())
        digests[names[number]] = sha256_of(buffer.getvalue())
        write_atomic(out / MANIFEST, json.dumps(made | {"files": digests}, indent=1).encode())
    maps = read_depth_maps(out, width=info.width, height=info.height, frames=info.frames)
    return replace(maps, notes=(f"estimated by {identity['name']} through transformers",))


def _load_depth_model(model: str | Path, device: str) -> tuple[Any, Any, bool, dict[str, str]]:
    """Network, its preparation of pictures, whether it gives metres, and what identifies it."""
    try:
        import transformers
    except ImportError as error:
        raise ValueError(f"estimating depth needs transformers ({error}); pip install 'understudy[estimators]'") from error
    local = Path(model).is_dir()
    try:
        prepare = transformers.AutoImageProcessor.from_pretrained(str(model), local_files_only=local)
        network = transformers.AutoModelForDepthEstimation.from_pretrained(
            str(model), local_files_only=local, use_safetensors=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{model}: no depth model that transformers can load ({first}); name a folder with config.json, "
            "preprocessor_config.json and model.safetensors, or a model of the hub such as Depth Anything V2"
        ) from error
    kind = network.config.model_type
    if kind not in DEPTH_MODELS:
        raise ValueError(
            f"{model}: what a model of type {kind!r} gives (depth or disparity) is not known here; expected one of "
            f"{', '.join(DEPTH_MODELS)}; save its maps yourself and name them as depth, with what they are"
        )
    identity = {
        "name": Path(model).name if local else str(model),
        "config": sha256_of(network.config.to_json_string().encode()),
    }
    if local:
        identity |= {p.name: sha256_of_file(p) for p in sorted(Path(model).iterdir()) if p.suffix in (".safetensors", ".json")}
    else:
        identity["commit"] = str(getattr(network.config, "_commit_hash", ""))
    return network.to(device).eval(), prepare, DEPTH_MODELS[kind](network.config), identity


def _infer_depth(network: Any, prepare: Any, picture: np.ndarray, info: VideoInfo) -> np.ndarray:
    """The network's output for one picture at the video's size, 0 where invalid."""
    import torch

    inputs = prepare(images=picture, return_tensors="pt").to(network.device)
    with torch.inference_mode():
        values = network(**inputs).predicted_depth[0].float().cpu().numpy()
    valid = np.isfinite(values) & (values > 0)
    values, valid = resize_map(np.where(valid, values, 0).astype(np.float32), valid, width=info.width, height=info.height)
    return np.where(valid, values, 0).astype(np.float32)


def _resume(out: Path, made: dict[str, Any]) -> dict[str, str]:
    """Digests of the intact maps of an earlier call in ``out``."""
    manifest = out / MANIFEST
    out.mkdir(parents=True, exist_ok=True)
    present = [p for p in out.iterdir() if p.suffix.lower() in sum(SUFFIXES, ()) and not p.name.startswith(".")]
    if not manifest.is_file():
        if present:
            raise ValueError(f"{out}: holds depth maps but no {MANIFEST} ({present[0].name}); name another folder")
        return {}
    try:
        before = json.loads(manifest.read_text())
        files = dict(before["files"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{manifest}: not what this program wrote ({error}); remove the folder and estimate again") from error
    for field, value in made.items():
        if before.get(field) != value:
            raise ValueError(f"{out}: holds depth of another run: field {field} differs; name another folder")
    return {name: digest for name, digest in files.items() if (out / name).is_file() and sha256_of_file(out / name) == digest}
