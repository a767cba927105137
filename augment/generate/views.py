"""The rooms of a run as its cameras see them, each made once in a process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import Camera, Scene
from .filming import FilmOptions, SceneCameras
from .recipe import SCENES_AT_A_TIME

if TYPE_CHECKING:
    from ..film.through_lens import LensMap
    from ..film.view import View


KEPT_BYTES = 300_000_000
"""Most that a process keeps of views; what was not used for longest is made again when it is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """A room through one camera."""

    filmed: View
    """What people are filmed into: a pinhole's."""
    seen: View
    """What the clip shows of the room: the same, or through the lens."""
    bend: LensMap | None = None
    """From the one to the other; None without a lens."""


def room_view(folder: Path, cameras: SceneCameras, number: int, film: FilmOptions, look: str) -> RoomView:
    """A room ready for filming.

    Args:
        number: Of the camera, below ``cameras.views``.
        look: ``day`` or ``night``.
    """
    pictures = set(film.layers) != {"keypoints"}
    key = (folder, film.height, cameras, number, (film.lens, film.distortion, look), pictures)
    view = _views.pop(key) if key in _views else _make_view(*key)
    _views[key] = view  # the latest used is last
    while len(_views) > 1 and sum(_size(kept) for kept in _views.values()) > KEPT_BYTES:
        del _views[next(iter(_views))]
    return view


_views: dict[tuple[Any, ...], RoomView] = {}


def _size(view: RoomView) -> int:
    """Bytes of a view's arrays; one value repeated takes none."""
    parts = [view.filmed, *([view.seen, view.bend] if view.bend is not None else [])]
    arrays = [getattr(part, field.name) for part in parts for field in fields(part)]
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray) and any(array.strides))


def _make_view(
    folder: Path, height: int, cameras: SceneCameras, number: int, optics: tuple[str, tuple[float, ...], str], pictures: bool
) -> RoomView:
    from ..film.night import night_view
    from ..film.reshoot import has_whole_geometry, reshoot
    from ..film.through_lens import distort_view, fit_into, make_lens_map
    from ..film.view import depth_view, prepare_view

    lens, distortion, look = optics
    scene = scene_of(folder)
    camera = camera_of(scene, cameras, number)
    whole = has_whole_geometry(scene)
    if not whole and cameras.kind != "scene":
        scene = reshoot(scene, camera)
    bent = _with_lens(camera, lens, distortion, seed=f"{scene.name}/{number}").scaled_to(height)
    if bent.lens is None or not whole:
        # A room known from one picture shows through a lens what a pinhole sees of it.
        prepare = prepare_view if pictures or bent.lens is not None else depth_view
        filmed = prepare(scene, height=height, camera=camera if whole and cameras.kind != "scene" else None)
        bend = None if bent.lens is None else make_lens_map(fit_into(bent, filmed.camera), filmed.camera)
    else:
        bend = make_lens_map(bent)
        filmed = prepare_view(scene, height=bend.wide.height, camera=bend.wide)
    filmed = night_view(filmed) if look == "night" and pictures else filmed
    return RoomView(filmed=filmed, seen=filmed if bend is None else distort_view(filmed, bend), bend=bend)


def _with_lens(camera: Camera, kind: str, distortion: tuple[float, ...], *, seed: str) -> Camera:
    """The camera with the recipe's lens, drawn for this scene and camera."""
    from ..film.through_lens import add_lens, given_lens

    if distortion:
        return given_lens(camera, kind, distortion)
    digest = hashlib.sha256(f"{seed}/{kind}".encode()).digest()
    return add_lens(camera, kind, rng=np.random.default_rng(int.from_bytes(digest[:8], "big")))


def camera_of(scene: Scene, cameras: SceneCameras, number: int) -> Camera:
    """The ``number``-th camera that a scene is filmed from, at its plate's size.

    Raises:
        ValueError: If it is outside the room, or farther from the room's own than its geometry bears.
    """
    from ..film.cameras import CAMERAS, given_camera

    if cameras.given:
        return given_camera(scene, **cameras.given[number].model_dump())
    return CAMERAS[cameras.kind](scene, number)


@lru_cache(maxsize=SCENES_AT_A_TIME)
def scene_of(folder: Path) -> Scene:
    """The scene in a folder, read once."""
    from ..scene.store import load_scene

    return load_scene(folder)
