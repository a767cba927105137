"""Fits stored on disk: one made from the same inputs is loaded instead of being repeated."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..files import canonical_json, code_digest, npz_arrays, npz_bytes, sha256_of_file, write_atomic
from ..sources.people.people import People
from ..types import Motion
from .bodies.problem import Setting
from .config import Inputs
from .people import Recovered

FIT_CODE = tuple(
    Path(__file__).parents[1] / name
    for name in (
        "actions.py", "body", "compiled.py", "files.py", "geometry.py", "lens.py", "motion", "priors", "reconstruct/bodies",
        "raster/shading.py", "reconstruct/people.py",
        "reconstruct/watch", "safe_pickle.py", "sources", "types.py", "unpack.py",
    )
)  # fmt: skip
"""Source code that decides the result of a fit: fits stored by other code are not reused."""
_MOTION = ("global_orient", "body_pose", "transl", "betas")
_WORDS = ("fps", "name", "source", "provenance")
_ARRAYS = ("frames", "observed", "joints", "observed2d", "fitted2d", "reprojection_px", "contact")


def fit_key(inputs: Inputs, prior: Path | None, setting: Setting) -> str:
    """A digest of all that a fit of one video depends on."""
    camera = {"K": setting.camera.K, "T": setting.camera.T_world_camera, "body": setting.body.name}
    options = (asdict(setting.config), setting.person_height)
    return digest_of(code_digest(*FIT_CODE), inputs.video, inputs.keypoints, inputs.hmr, prior, *options, camera)


def digest_of(*parts: Any) -> str:
    """A short digest of JSON values, arrays, the contents of paths, and tables of people."""
    whole = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            whole.update(_content(part))
        elif isinstance(part, People):
            columns = {field.name: getattr(part, field.name) for field in fields(part)}
            whole.update(npz_bytes({name: value for name, value in columns.items() if isinstance(value, np.ndarray)}))
            whole.update(part.layout.encode())
        else:
            whole.update(canonical_json(part))
    return whole.hexdigest()[:20]


def _content(path: Path) -> bytes:
    """Digest of a file, or of all files in a folder with their names."""
    if path.is_dir():
        inner = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            inner.update(file.relative_to(path).as_posix().encode() + _content(file))
        return inner.digest()
    return bytes.fromhex(sha256_of_file(path))


def save_fit(path: Path, people: Sequence[Recovered]) -> None:
    """Write the result of a video's fit atomically."""
    arrays: dict[str, np.ndarray] = {}
    rows = []
    for i, person in enumerate(people):
        arrays |= {f"{i}_{name}": np.asarray(getattr(person, name)) for name in _ARRAYS}
        arrays |= {f"{i}_{name}": np.asarray(getattr(person.motion, name)) for name in _MOTION}
        rows.append({
            "video": person.video, "track": person.track, "person_class": person.person_class, "layout": person.layout,
            "height_m": person.height_m, "stages": person.stages, "rejected": person.rejected, "fps": person.motion.fps,
            "name": person.motion.name, "source": person.motion.source, "provenance": person.motion.provenance,
        })  # fmt: skip
    arrays["rows"] = np.frombuffer(canonical_json(rows), np.uint8)
    write_atomic(path, npz_bytes(arrays, compress=True))


def load_fit(path: Path) -> list[Recovered] | None:
    """The fit that ``save_fit`` wrote; None if there is none or it is unreadable."""
    try:
        arrays = npz_arrays(path.read_bytes())
        rows = json.loads(arrays["rows"].tobytes())
        people = []
        for i, row in enumerate(rows):
            own: dict[str, Any] = {name: arrays[f"{i}_{name}"] for name in (*_ARRAYS, *_MOTION)}
            own |= {name: row.pop(name) for name in _WORDS}
            motion = Motion(**{name: own.pop(name) for name in (*_MOTION, *_WORDS)})
            row["rejected"] = tuple((a, b, reason) for a, b, reason in row["rejected"])
            people.append(Recovered(motion=motion, **own, **row))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None
    return people
