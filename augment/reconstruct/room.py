"""The room of a reconstruction: its depth measured against bodies, or guessed; floor, seats, furniture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..body.model import Body
from ..geometry import depth_to_floor, floor_points, pixel_grid, pixel_rays
from ..polygon import inside_polygon
from ..scene.cloud import cloud_from_depth
from ..scene.mesh import mesh_from_depth
from ..sources.depth.maps import DepthMaps, read_depth_maps
from ..types import Camera, Obstacle, Surface
from .bodies.cover import depth_frames, z_buffers
from .camera.calibrate import Calibration, visible_floor, walked_floor
from .config import Inputs, ReconstructConfig
from .depth.fuse import fuse_depth
from .depth.room import room_from_depth
from .depth.scale import DepthFit, fit_disparity
from .guess.layout import guess_layout
from .guess.seats import seats_from_people
from .people import Recovered
from .plate.looks import Plate
from .watch.watch import Watched


@dataclass(slots=True, kw_only=True)
class Room:
    """Geometry of the room, measured or guessed."""

    depth: np.ndarray
    """z-depth, metres, 0 = unknown. Shape (h, w)."""
    floor: np.ndarray
    """Polygon (x, z), world, metres. Shape (n, 2)."""
    surfaces: tuple[Surface, ...]
    obstacles: tuple[Obstacle, ...]
    mesh: Any
    cloud: Any
    guessed: tuple[str, ...]
    """What was not measured, in words."""
    depth_info: dict[str, Any]
    """``Reconstruction.depth``; empty where the room is a guess."""
    layout: Any = None
    """The ``layout.Layout`` of a guessed room."""
    feet: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    """Where people stood, (x, z), world, metres. Shape (n, 2)."""


def find_room(
    used: Sequence[Inputs], watched: Sequence[Watched], people: Sequence[Recovered], calibration: Calibration, plate: Plate,
    body: Body, config: ReconstructConfig, outlines: Sequence[Any],
) -> Room:  # fmt: skip
    """Depth, floor, furniture and walls: measured from the first video that has depth maps, else guessed from the plate.

    Args:
        outlines: For each video everybody's outline, to be kept out of the room's depth.
    Raises:
        ValueError: If the maps cannot be put into metres; the message names their file.
    """
    camera = calibration.camera
    feet = standing_places(people)
    seen = visible_floor(calibration, plate.content, reach=8.0 if len(feet) else 4.0)
    floor = walked_floor(feet, seen)
    seats = tuple(seat for seat in _seats(people, watched))
    maps = next(((i, item.depth) for i, item in enumerate(used) if item.depth is not None), None)
    if maps is None:
        layout = guess_layout(plate.image, camera, feet, floor=floor, content=plate.content)
        return Room(
            depth=layout.depth, floor=layout.floor, surfaces=seats, obstacles=layout.obstacles,
            mesh=mesh_from_depth(camera, layout.depth, plate.image, stride=8, jump=0.5),
            cloud=cloud_from_depth(camera, layout.depth, plate.image, stride=4), guessed=layout.guessed, depth_info={},
            layout=layout, feet=feet,
        )  # fmt: skip
    contacts = np.stack([feet[:, 0], np.zeros(len(feet)), feet[:, 1]], axis=1) if len(feet) >= 5 else None
    with _naming(maps[1].path if isinstance(maps[1], DepthMaps) else maps[1]):
        depth, info, notes = _measured_depth(
            maps, watched, people, calibration, floor_for_scale(feet, seen), body, config, outlines
        )
        room = room_from_depth(plate.image, depth, camera.K, camera, contacts=contacts)
    own = [seat for seat in seats if not any(_same_place(seat, other) for other in room.surfaces)]
    info |= {"floor_tilt_deg": room.floor_tilt_deg, "floor_rise_m": room.floor_rise_m}
    guessed = (*notes, *room.notes, "surfaces and obstacles: only their visible sides were measured")
    return Room(
        depth=depth, floor=room.floor if len(room.floor) >= 3 else floor, surfaces=(*room.surfaces, *own),
        obstacles=room.obstacles, mesh=room.mesh, cloud=room.cloud, guessed=guessed, depth_info=info, feet=feet,
    )  # fmt: skip


def open_depth(used: Sequence[Inputs], watched: Sequence[Watched], config: ReconstructConfig) -> list[Inputs]:
    """Open every depth file before anything long is done; the maps themselves are read when needed.

    Raises:
        ValueError: If one cannot be used, or is of another size or length than its video.
    """
    opened = []
    for item, seen in zip(used, watched, strict=True):
        if isinstance(item.depth, Path):
            maps = read_depth_maps(
                item.depth, width=seen.info.width, height=seen.info.height, frames=seen.info.frames,
                encoding=config.depth_encoding, depth_scale=config.depth_scale, kind=config.depth_kind,
            )  # fmt: skip
            item = replace(item, depth=maps)
        opened.append(item)
    return opened


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file into errors that do not name it."""
    try:
        yield
    except ValueError as error:
        raise error if path.name in str(error) else ValueError(f"{path}: {error}") from error


def _same_place(one: Surface, other: Surface) -> bool:
    return float(np.linalg.norm(one.center[[0, 2]] - other.center[[0, 2]])) < 0.5


def _measured_depth(
    given: tuple[int, Any], watched: Sequence[Watched], people: Sequence[Recovered], calibration: Calibration,
    floor: np.ndarray | None, body: Body, config: ReconstructConfig, outlines: Sequence[Any],
) -> tuple[np.ndarray, dict[str, Any], tuple[str, ...]]:  # fmt: skip
    """Depth of the empty room in metres from one video's maps, and how it was put into metres."""
    number, source = given
    info, camera = watched[number].info, calibration.camera
    assert isinstance(source, DepthMaps)
    maps = source
    own = [person for person in people if person.video == number]
    frames = depth_frames(maps.frame, own, camera, config.depth_frames)
    given_whole = None not in (config.given.focal, config.given.height, config.given.pitch)
    known = floor is not None and (calibration.observed or given_whole)
    on_floor = floor_buffer(camera, floor) if known and floor is not None else None
    fit: DepthFit = fit_disparity(
        maps, z_buffers(own, camera, body, frames), rng=np.random.default_rng(config.seed), floor=on_floor
    )
    from .watch.masks import person_mask

    def masks(frame: int) -> np.ndarray:
        covered = np.zeros((info.height, info.width), bool)
        for outline in outlines[number]:
            covered |= person_mask(outline, frame, info.height, info.width)
        return covered

    depth, _ = fuse_depth(maps, fit, masks)
    return depth, {
        "source": maps.source, "file": maps.path.name, "kind": fit.kind, "scale": fit.scale, "offset": fit.offset,
        "inlier_ratio": fit.inlier_ratio, "residual": fit.residual, "frames_agreed": fit.frames_agreed, "frames": fit.frames,
        "scale_std": fit.scale_std, "left_out": fit.left_out,
    }, tuple(maps.notes)  # fmt: skip


def floor_buffer(camera: Camera, floor: np.ndarray) -> np.ndarray:
    """z-depth of the floor inside a polygon (x, z), through the calibrated camera; 0 elsewhere."""
    pixels = pixel_grid(camera.height, camera.width).reshape(-1, 2)
    inside = inside_polygon(floor_points(pixels, camera), floor)
    depth = np.where(inside, depth_to_floor(pixel_rays(pixels, camera), camera.T_world_camera[1, 3]), 0.0)
    return depth.reshape(camera.height, camera.width).astype(np.float32)


def floor_for_scale(feet: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """The floor that may tell depth maps their scale, a polygon (x, z): where people stood, or all that is ``seen`` if nobody
    did. None if they stood outside the picture: what it shows of the floor then is mostly what stands on it."""
    floor = walked_floor(feet, seen)
    return None if floor is seen and len(feet) >= 5 else floor


def standing_places(people: Sequence[Recovered]) -> np.ndarray:
    """(x, z) of feet that stand, of trusted frames, metres. Shape (n, 2)."""
    found = [np.zeros((0, 2))]
    for person in people:
        trusted = person.observed & person.believed
        for column, joint in enumerate((7, 10, 8, 11)):
            down = trusted & (person.contact[:, column] > 0.7)
            found.append(person.joints[down, joint][:, [0, 2]])
    return np.concatenate(found)


def _seats(people: Sequence[Recovered], watched: Sequence[Watched]) -> tuple[Surface, ...]:
    if not people:
        return ()
    joints = []
    for person in people:
        own = person.joints.copy()
        own[~(person.observed & person.believed)] = np.nan
        joints.append(own)
    return seats_from_people(joints, watched[0].info.fps)
