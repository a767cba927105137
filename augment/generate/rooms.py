"""The rooms of a run: embedded ones built or copied, all of them checked for the cameras asked for."""

from __future__ import annotations

import contextlib
import shutil
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from ..files import cache_dir, code_digest
from ..progress import Progress
from ..workers import map_unordered
from .coverage import RoomOutline, outline_of
from .recipe import Recipe, scene_cameras, scene_names
from .views import camera_of

SCENES = "scenes"
"""Folder in the output where embedded rooms are kept."""


def prepare_scenes(recipe: Recipe, out: Path, *, workers: int) -> dict[str, tuple[Path, str]]:
    """Each scene's folder and digest; embedded rooms that are missing or damaged are built into ``out``."""
    from ..scene.store import scene_digest

    folders, missing = {}, []
    for name, scene in scene_names(recipe).items():
        folders[name] = scene if isinstance(scene, Path) else out / SCENES / name
        if isinstance(scene, Path) or _room_is_intact(folders[name], scene):
            continue
        if _room_is_intact(_kept_room(scene), scene):
            _copy_room(scene, folders[name])
        else:
            missing.append((scene, folders[name]))
    if missing:
        with Progress() as progress, closing(map_unordered(_build_room, missing, workers=min(workers, len(missing)))) as built:
            progress.update("rooms", 0, len(missing))
            for done, name in enumerate(built, start=1):
                progress.update("rooms", done, len(missing), note=name)
    return {name: (folder, scene_digest(folder)) for name, folder in folders.items()}


def check_rooms(recipe: Recipe, scenes: dict[str, tuple[Path, str]]) -> dict[str, RoomOutline]:
    """The rooms from above, by digest.

    Raises:
        ValueError: If a scene is damaged or does not bear the cameras asked for.
    """
    from ..film.reshoot import check_unseen
    from ..scene.store import load_scene

    outlines = {}
    embedded = {name for name, scene in scene_names(recipe).items() if not isinstance(scene, Path)}
    for name, cameras in scene_cameras(recipe).items():
        folder, digest = scenes[name]
        scene = load_scene(folder)
        outlines[digest] = outline_of(name, scene)
        # Drawn cameras of embedded rooms always exist.
        for number in range(0 if name in embedded and not cameras.given else cameras.views):
            check_unseen(scene, camera_of(scene, cameras, number))
    return outlines


def _room_is_intact(folder: Path, seed: int) -> bool:
    from ..scene.store import load_scene

    try:
        return load_scene(folder).provenance.get("seed") == seed
    except ValueError:
        return False


def _kept_room(seed: int) -> Path:
    """Where this machine keeps an embedded room, as the present code builds it."""
    package = Path(__file__).parents[1]
    code = code_digest(package / "scene", package / "raster", package / "geometry.py")
    return cache_dir() / "rooms" / f"{code[:12]}-{seed}"


def _copy_room(seed: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_kept_room(seed), folder)


def _build_room(task: tuple[int, Path]) -> str:
    """Build an embedded room, for this run and for later ones on this machine."""
    from ..scene.rooms.care_room import make_room
    from ..scene.store import save_scene

    seed, folder = task
    kept = _kept_room(seed)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=kept.parent) as scratch:
        save_scene(make_room(seed=seed), Path(scratch) / "room")
        if kept.exists() and not _room_is_intact(kept, seed):
            shutil.rmtree(kept, ignore_errors=True)
        # Another process may have been faster; its room is the same.
        with contextlib.suppress(OSError):
            (Path(scratch) / "room").rename(kept)
    _copy_room(seed, folder)
    return f"room-{seed}"
