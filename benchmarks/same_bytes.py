"""Whether a change of the code leaves every output byte as it was: run before and after a refactoring, and compare.

    python -m benchmarks.same_bytes --work DIR --data DATA --record benchmarks/same_bytes.json    # before
    python -m benchmarks.same_bytes --work DIR --data DATA                                        # after

It runs the commands as a user does and takes digests of what they write: the embedded library's motions, shards of three
recipes (library, generator, store), an ablation over those shards (its figures and verdicts), and, with the real data, the
fits and scenes of two videos, a scene from video without people, one from RGB-D and an import of mocap. Values that must
differ between versions of the code (its own digest) or between two runs (seconds) are left out.

Bytes are compared on one machine and one set of installed packages: another processor may round differently.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
import yaml

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "benchmarks" / "same_bytes.json"
ENVIRONMENT = {
    **os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
}  # fmt: skip

FILM = {"height": 96, "fps": 8.0, "seconds": 3.0, "rasterizer": "compiled"}
RECIPES: dict[str, dict[str, Any]] = {
    "library": {
        "name": "library",
        "seed": 3,
        "scenes": [{"room": 3}, {"room": 8}],
        "clips": [
            {"action": "walk", "count": 2, "others": 1},
            *(
                {"action": action}
                for action in ("stand", "sit", "lie", "pick_up", "sit_down", "fall_backward", "fall_from_chair")
            ),
        ],
        "film": {**FILM, "layers": ["rgb", "mask", "depth"]},
    },
    "generator": {
        "name": "generator",
        "seed": 4,
        "scenes": [{"rooms": 2}],
        "clips": [
            {"action": action, "count": 2, "from": "generator"}
            for action in ("walk", "sit", "lie", "fall_forward_hands", "fall_sideways")
        ],
        "film": {**FILM, "camera": "jitter", "views": 2},
    },
    "store": {
        "name": "store",
        "seed": 5,
        "scenes": [{"room": 5}],
        "clips": [
            {"action": action, "count": 2, "from": "store", "path": "motions"} for action in ("walk", "stand", "fall_sideways")
        ],
        "film": {**FILM, "fps": 12.0},
    },
}
STUDY = {
    "name": "same-bytes",
    "classes": {"walk": "walk", "fall": "fall", "down": ["fallen", "lying"], "sitting": "sitting", "standing": "standing"},
    "rare_class": "fall", "window_sec": 1.0, "frames": 4, "size": 48, "steps": 6, "batch": 4, "seeds": [0, 1],
    "arms": ["real", "real_synthetic", "synthetic"], "real": "store", "synthetic": "generator", "test": "library",
}  # fmt: skip
VIDEOS = {"a04_t1_c2": [], "a09_t1_c1": ["--person-height", "1.72"]}
"""Real videos that are reconstructed, with further options."""


@dataclass(frozen=True, kw_only=True)
class SameBytes:
    """Record or compare digests of what the commands write."""

    work: Path
    """Folder for the outputs; it must not exist or be empty."""
    data: Path | None = None
    """Folder of the real data; without it those outputs are left out."""
    record: Path | None = None
    """Write the digests here instead of comparing them."""
    reference: Path = REFERENCE
    """Digests to compare with."""
    only: tuple[Literal["motions", "films", "study", "fits", "scenes", "mocap"], ...] = ()
    """Only these outputs; all by default. ``films`` needs ``motions``, and ``study`` needs ``films``."""

    def run(self) -> int:
        if self.work.exists() and any(self.work.iterdir()):
            raise SystemExit(f"error: {self.work}: not empty; the outputs must be made anew")
        self.work.mkdir(parents=True, exist_ok=True)
        parts = self.only or tuple(PARTS)
        found: dict[str, str] = {}
        for part in parts:
            if self.data or part not in NEED_DATA:
                found |= PARTS[part](self.work.resolve(), (self.data or Path()).resolve())
        if self.record:
            about = {"cpu": _cpu(), "python": platform.python_version()}
            self.record.write_text(json.dumps({"about": about, "digests": found}, indent=1, sort_keys=True) + "\n")
            print(f"{self.record}: {len(found)} digests")
            return 0
        return compare(json.loads(self.reference.read_text()), found, whole=not self.only)


def compare(reference: dict[str, Any], found: dict[str, str], *, whole: bool) -> int:
    """Print what differs; 0 if nothing does."""
    expected = reference["digests"]
    different = [name for name, digest in found.items() if expected.get(name) != digest]
    absent = [name for name in expected if name not in found]
    for name in different:
        print(f"differs: {name}")
    for name in absent if whole else ():
        print(f"not made here: {name}")
    print(f"{len(found) - len(different)} of {len(expected)} digests are equal (recorded on {reference['about']['cpu']})")
    return 1 if different else 0


def motions(work: Path, data: Path) -> dict[str, str]:
    """The embedded library: scripted actions and simulated falls."""
    augment("motions", "library", "--out", work / "motions", "--per-action", "2", "--seed", "1", "--workers", "2")
    return folder_digests(work / "motions", "motions")


def films(work: Path, data: Path) -> dict[str, str]:
    """Shards of the three recipes, and what their manifests say."""
    found: dict[str, str] = {}
    for name, recipe in RECIPES.items():
        path = work / f"{name}.yaml"
        path.write_text(yaml.safe_dump(recipe))
        augment("generate", path, "--out", work / name, "--workers", "2")
        manifest = json.loads((work / name / "manifest.json").read_text())
        for shard in manifest["shards"]:
            found[f"{name}/{shard['name']}"] = shard["sha256"]
            found |= member_digests(work / name / shard["name"], f"{name}/{shard['name']}")
        kept = ("actions", "given_up", "planned", "recipe_sha256", "rejections", "scenes", "sources")
        found[f"{name}/manifest"] = digest_of({key: manifest[key] for key in kept})
    return found


def study(work: Path, data: Path) -> dict[str, str]:
    """An ablation over the shards: every run's figures, and the verdicts."""
    path = work / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    command("recognition.cli", "ablate", path, "--out", work / "report", "--workers", "2")
    found: dict[str, str] = {}
    for run in sorted((work / "report" / "runs").glob("*.json")):
        left_out = ("digest", "train_seconds", "test_seconds")
        text = run.read_text().replace(str(work), "")  # groups of windows are named after the shards' paths
        facts = {key: value for key, value in json.loads(text).items() if key not in left_out}
        found[f"ablation/{run.name.rsplit('-', 1)[0]}"] = digest_of(facts)
    report = json.loads((work / "report" / "report.json").read_text())
    return found | {"ablation/verdicts": digest_of(report["verdicts"])}


def fits(work: Path, data: Path) -> dict[str, str]:
    """Two real videos reconstructed: fits, scenes, motions."""
    found: dict[str, str] = {}
    for name, options in VIDEOS.items():
        out = work / name
        augment(
            "reconstruct", data / "upfall" / "videos" / f"{name}.mp4", *options,
            "--keypoints", data / "upfall" / "keypoints" / f"{name}.npz", "--max-overlays", "0", "--out", out,
        )  # fmt: skip
        for fit in (out / "work").glob("*.npz"):
            found |= array_digests(fit, f"{name}/fit")
        found |= scene_digests(out, name) | folder_digests(out / "motions", f"{name}/motions")
    return found


def scenes(work: Path, data: Path) -> dict[str, str]:
    """A room from videos without their people, and one from an RGB-D frame."""
    pair = [data / "upfall" / "videos" / f"a0{n}_t2_c2.mp4" for n in (1, 4)]
    keypoints = [data / "upfall" / "keypoints" / f"{video.stem}.npz" for video in pair]
    augment("scenes", "from-video", *pair, "--keypoints", *keypoints, "--out", work / "from-video")
    rgbd = data / "rgbd" / "open3d"
    augment(
        "scenes", "from-rgbd", rgbd / "color" / "00000.jpg", rgbd / "depth" / "00000.png", "--intrinsics",
        rgbd / "camera_primesense.json", "--out", work / "from-rgbd",
    )  # fmt: skip
    return scene_digests(work / "from-video", "from-video") | scene_digests(work / "from-rgbd", "from-rgbd")


def mocap(work: Path, data: Path) -> dict[str, str]:
    """Recorded motions imported into a store."""
    augment("motions", "import", data / "mocap" / "cmu_bvh", "--out", work / "cmu")
    return folder_digests(work / "cmu", "cmu")


PARTS: dict[str, Callable[[Path, Path], dict[str, str]]] = {
    "motions": motions, "films": films, "study": study, "fits": fits, "scenes": scenes, "mocap": mocap,
}  # fmt: skip
NEED_DATA = ("fits", "scenes", "mocap")
"""Parts that need real data: left out without ``--data``."""


def augment(*words: object) -> None:
    """Run ``augment`` of this checkout."""
    command("augment.cli", *words)


def command(module: str, *words: object) -> None:
    line = [sys.executable, "-m", module, *map(str, words)]
    print(" ".join(["$", *line[2:]])[:200], file=sys.stderr, flush=True)
    subprocess.run(line, check=True, env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.DEVNULL)


def scene_digests(folder: Path, name: str) -> dict[str, str]:
    """A scene's files, and its description without seconds."""
    found = {
        f"{name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (folder / "plate.png", folder / "mesh.glb", folder / "cloud.ply")
        if path.exists()
    }
    found |= array_digests(folder / "depth.npz", f"{name}/depth")
    description = json.loads((folder / "scene.json").read_text())
    return found | {f"{name}/scene.json": digest_of(description)}


def folder_digests(folder: Path, name: str) -> dict[str, str]:
    """A motion store: its index and the arrays of every motion."""
    found = {f"{name}/index": digest_of(json.loads((folder / "index.json").read_text()))}
    for path in sorted(folder.rglob("*.npz")):
        found[f"{name}/{path.stem}"] = digest_of(array_digests(path, ""))
    return found


def member_digests(tar: Path, name: str) -> dict[str, str]:
    """Members of a shard by their ending, so that a difference is located."""
    by_kind: dict[str, Any] = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            assert stream is not None
            kind = member.name.split(".", 1)[1]
            by_kind.setdefault(kind, hashlib.sha256()).update(member.name.encode() + stream.read())
    return {f"{name}:{kind}": digest.hexdigest() for kind, digest in by_kind.items()}


def array_digests(path: Path, name: str) -> dict[str, str]:
    """Each array of an ``npz`` file; files that hold the same arrays may differ in their zip headers."""
    found = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in sorted(arrays.files):
            values = np.ascontiguousarray(arrays[key])
            found[f"{name}:{key}"] = hashlib.sha256(str(values.dtype).encode() + values.tobytes()).hexdigest()
    return found


def digest_of(facts: Any) -> str:
    """SHA-256 of JSON values, keys sorted."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(tyro.cli(SameBytes).run())
