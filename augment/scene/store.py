"""Scenes on disk: ``scene.json`` (camera, floor, surfaces, lights, digests), ``plate.png``, ``depth.npz``, ``mesh.glb``;
``cloud.ply`` where the depth was measured or estimated: for viewing only."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..files import canonical_json, npz_arrays, npz_bytes, read_json, sha256_of, sha256_of_file, write_atomic
from ..types import Camera, Light, Obstacle, Scene, SceneMesh, Surface
from .boxes import inside_box, volume
from .cloud import Cloud, cloud_to_ply

FORMAT = "understudy-scene-1"
SCENE_FILE = "scene.json"


def save_scene(scene: Scene, folder: Path, *, cloud: Cloud | None = None) -> str:
    """Write a scene; ``scene.json``, which holds the digests of the other files, is written last.

    Args:
        scene: Any scene.
        folder: Made if absent; files of an older scene in it are replaced.
        cloud: The room's points, kept beside it as ``cloud.ply``.
    Returns:
        SHA-256 of ``scene.json``, which stands for the whole scene.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoded, png = cv2.imencode(".png", cv2.cvtColor(scene.plate, cv2.COLOR_RGB2BGR))
    assert encoded
    files = {"plate.png": png.tobytes(), "depth.npz": npz_bytes({"depth": scene.depth}, compress=True)}
    if scene.mesh is not None:
        files["mesh.glb"] = mesh_to_glb(scene.mesh)
    if cloud is not None:
        files["cloud.ply"] = cloud_to_ply(cloud)
    for name, data in files.items():
        write_atomic(folder / name, data)
    for name in {"mesh.glb", "cloud.ply"} - files.keys():
        (folder / name).unlink(missing_ok=True)
    description = {
        "format": FORMAT,
        "name": scene.name,
        # A scene's own camera is a pinhole.
        "camera": {name: value for name, value in asdict(scene.camera).items() if name != "lens"},
        "floor": scene.floor,
        "surfaces": [asdict(surface) for surface in scene.surfaces],
        "obstacles": [asdict(obstacle) for obstacle in scene.obstacles],
        "lights": [asdict(light) for light in scene.lights],
        "provenance": scene.provenance,
        "sha256": {name: sha256_of(data) for name, data in files.items()},
    }  # fmt: skip
    data = canonical_json(description)
    write_atomic(folder / SCENE_FILE, data)
    return sha256_of(data)


def load_scene(folder: Path) -> Scene:
    """Read a scene back, checking every file against its digest.

    Raises:
        ValueError: If ``scene.json`` is absent or of another format, or a file is missing or changed; the message names it.
    """
    description = _read_description(folder)
    files = {}
    digests = description.get("sha256")
    if not isinstance(digests, dict) or not {"plate.png", "depth.npz"} <= digests.keys():
        raise ValueError(
            f"{folder / SCENE_FILE}: field sha256: expected the digests of plate.png and depth.npz; make the scene again"
        )
    for name, digest in digests.items():
        path = folder / name
        if not path.exists():
            raise ValueError(f"{path}: missing, though {SCENE_FILE} lists it; make the scene again")
        files[name] = path.read_bytes()
        if sha256_of(files[name]) != digest:
            raise ValueError(f"{path}: changed since {SCENE_FILE} was written (its digest differs); make the scene again")
    try:
        camera = description["camera"]
        plate = cv2.imdecode(np.frombuffer(files["plate.png"], np.uint8), cv2.IMREAD_COLOR)
        assert plate is not None
        return Scene(
            name=description["name"],
            camera=Camera(
                K=np.array(camera["K"], float),
                T_world_camera=np.array(camera["T_world_camera"], float),
                width=camera["width"],
                height=camera["height"],
            ),
            plate=cv2.cvtColor(plate, cv2.COLOR_BGR2RGB),
            depth=npz_arrays(files["depth.npz"])["depth"],
            floor=np.array(description["floor"], float).reshape(-1, 2),
            surfaces=tuple(
                Surface(**(row | {"center": np.array(row["center"], float), "size": tuple(row["size"])}))
                for row in description["surfaces"]
            ),
            obstacles=tuple(
                Obstacle(**(row | {"center": np.array(row["center"], float), "size": np.array(row["size"], float)}))
                for row in description["obstacles"]
            ),
            lights=tuple(
                Light(**(row | {"position": np.array(row["position"], float), "color": np.array(row["color"], float)}))
                for row in description["lights"]
            ),
            mesh=glb_to_mesh(files["mesh.glb"]) if "mesh.glb" in files else None,
            provenance=description["provenance"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{folder / SCENE_FILE}: a field is missing or wrong ({error}); make the scene again") from error


def add_furniture(folder: Path, piece: Surface | Obstacle) -> int:
    """Add a seat, bed or obstacle to a scene on disk, in place of those whose middle it covers; nothing else is touched.

    Returns:
        Number of pieces it replaces.
    Raises:
        ValueError: If the folder holds no scene of this format.
    """
    description = _read_description(folder)
    key = "surfaces" if isinstance(piece, Surface) else "obstacles"
    box = volume(piece) if isinstance(piece, Surface) else piece
    reach = replace(box, size=np.array([box.size[0], np.inf, box.size[2]]))
    kept = [row for row in description[key] if not inside_box(reach, np.array(row["center"], float))]
    replaced = len(description[key]) - len(kept)
    description[key] = [*kept, asdict(piece)]
    write_atomic(folder / SCENE_FILE, canonical_json(description))
    return replaced


def scene_digest(folder: Path) -> str:
    """SHA-256 of ``scene.json``; as it holds the other files' digests, it stands for the whole scene."""
    _read_description(folder)
    return sha256_of_file(folder / SCENE_FILE)


def mesh_to_glb(mesh: SceneMesh) -> bytes:
    """A binary glTF with vertex colours; the same mesh gives the same bytes."""
    import trimesh

    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=mesh.colors, process=False)
    data = trimesh.Scene({"room": shape}).export(file_type="glb")
    assert isinstance(data, bytes)
    return data


def glb_to_mesh(data: bytes) -> SceneMesh:
    """Read a mesh that ``mesh_to_glb`` wrote (positions come back as float32, as glTF keeps them)."""
    import io

    import trimesh

    shape: Any = trimesh.load(io.BytesIO(data), file_type="glb", force="mesh", process=False)
    return SceneMesh(
        vertices=np.asarray(shape.vertices, float),
        faces=np.asarray(shape.faces, np.int64),
        colors=np.asarray(shape.visual.vertex_colors, np.uint8)[:, :3],
    )


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / SCENE_FILE
    if not path.exists():
        raise ValueError(f"{path}: no such file; make a scene with `augment scenes room` or `augment scenes from-video`")
    return read_json(path, format=FORMAT, remedy="make the scene again")
