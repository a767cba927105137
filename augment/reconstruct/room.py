"""The room of a reconstruction: its depth measured against bodies, or guessed; floor, seats, furniture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from ..body.model import Body
from ..motion.seats import seats_from_people
from ..scene.cloud import Cloud, cloud_from_depth
from ..scene.mesh import mesh_from_depth
from ..sources.depth.maps import DepthMaps
from ..sources.people.mediapipe import Keypoints
from ..types import Camera, Obstacle, SceneMesh, Surface
from .bodies.cover import depth_frames, z_buffers
from .camera.calibrate import Calibration, places
from .camera.floor import LEAST_FEET, floor_buffer, floor_for_scale, visible_floor, walked_floor
from .camera.upright import find_upright
from .config import ReconstructConfig
from .depth.fuse import fuse_depth
from .depth.room import room_from_depth
from .depth.scale import fit_disparity
from .guess.layout import Layout, guess_layout
from .people import Recovered
from .plate.looks import Plate
from .recordings import Recording
from .watch.masks import person_mask

_DEPTH_FRAMES = 16
"""Frames of a video whose depth maps are compared with bodies."""
_REACH, _UNWALKED_REACH = 8.0, 4.0
"""Assumed reach of the visible floor, with and without people who walked on it, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is known of a room before its depth: videos, camera, plate and people."""

    recordings: tuple[Recording, ...]
    calibration: Calibration
    plate: Plate
    people: tuple[Recovered, ...]
    outlines: tuple[tuple[Keypoints, ...], ...]
    """For each video the outlines of people, which are left out of plate and depth."""

    @property
    def camera(self) -> Camera:
        """The calibrated camera in the world."""
        return self.calibration.camera


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Geometry of the room, measured or guessed."""

    depth: Float32[np.ndarray, "h w"]
    """z-depth, metres, 0 = unknown."""
    floor: Float[np.ndarray, "n 2"]
    """Polygon (x, z), world, metres."""
    surfaces: tuple[Surface, ...]
    obstacles: tuple[Obstacle, ...]
    mesh: SceneMesh
    cloud: Cloud | None
    guessed: tuple[str, ...]
    """Parts that were not measured, as text."""
    depth_info: dict[str, Any]
    """``Reconstruction.depth``; empty if the room is guessed."""
    layout: Layout | None = None
    """Walls and floor of a guessed room."""
    feet: Float[np.ndarray, "m 2"]
    """Where people stood, (x, z), world, metres."""


def find_room(seen: Observation, body: Body, config: ReconstructConfig) -> Room:
    """Depth, floor, furniture and walls: measured from the first video that has depth maps, else guessed from the plate.

    Raises:
        ValueError: If the picture shows no floor, or the maps cannot be put into metres; the message names their file.
    """
    feet = standing_places(seen.people) if config.people else _upright_places(seen, config.given.stature)
    visible = visible_floor(seen.calibration, seen.plate.content, reach=_REACH if len(feet) else _UNWALKED_REACH)
    number = next((i for i, recording in enumerate(seen.recordings) if recording.inputs.depth is not None), None)
    if number is None:
        return _guessed_room(seen, feet, visible, cloud=config.people)
    return _measured_room(seen, number, feet, visible, body, config)


def _guessed_room(seen: Observation, feet: np.ndarray, visible: np.ndarray, *, cloud: bool) -> Room:
    camera, plate = seen.camera, seen.plate
    layout = guess_layout(plate.image, camera, feet, walked_floor(feet, visible), content=plate.content)
    return Room(
        depth=layout.depth, floor=layout.floor, surfaces=_seats(seen), obstacles=layout.obstacles,
        mesh=mesh_from_depth(camera, layout.depth, plate.image, stride=8, jump=0.5),
        cloud=cloud_from_depth(camera, layout.depth, plate.image, stride=4) if cloud else None, guessed=layout.guessed,
        depth_info={}, layout=layout, feet=feet,
    )  # fmt: skip


def _measured_room(
    seen: Observation, number: int, feet: np.ndarray, visible: np.ndarray, body: Body, config: ReconstructConfig
) -> Room:
    maps, camera = seen.recordings[number].inputs.depth, seen.camera
    assert isinstance(maps, DepthMaps)
    known = seen.calibration.observed or None not in (config.given.focal, config.given.camera_height, config.given.pitch)
    floor = floor_for_scale(feet, visible) if known else None
    contacts = np.stack([feet[:, 0], np.zeros(len(feet)), feet[:, 1]], axis=1) if len(feet) >= LEAST_FEET else None
    try:
        depth, info = _measured_depth(seen, number, maps, floor, body, config.seed)
        room = room_from_depth(seen.plate.image, depth, camera.K, camera, contacts=contacts)
    except ValueError as error:
        raise error if maps.path.name in str(error) else ValueError(f"{maps.path}: {error}") from error
    used = [
        seat for seat in _seats(seen)
        if all(np.linalg.norm((seat.center - other.center)[[0, 2]]) >= 0.5 for other in room.surfaces)
    ]  # fmt: skip
    return Room(
        depth=depth, floor=room.floor if len(room.floor) >= 3 else walked_floor(feet, visible),
        surfaces=(*room.surfaces, *used), obstacles=room.obstacles, mesh=room.mesh, cloud=room.cloud,
        guessed=(*maps.notes, *room.notes, "surfaces and obstacles: only their visible sides were measured"),
        depth_info=info | {"floor_tilt_deg": room.floor_tilt_deg, "floor_rise_m": room.floor_rise_m}, feet=feet,
    )  # fmt: skip


def _measured_depth(
    seen: Observation, number: int, maps: DepthMaps, floor: np.ndarray | None, body: Body, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Depth of the empty room in metres from one video's maps, and the fit of its scale."""
    info, camera = seen.recordings[number].info, seen.camera
    people = [person for person in seen.people if person.video == number]
    frames = depth_frames(maps.frame, people, camera, _DEPTH_FRAMES)
    fit = fit_disparity(
        maps, z_buffers(people, camera, body, frames), rng=np.random.default_rng(seed),
        floor=None if floor is None else floor_buffer(camera, floor),
    )  # fmt: skip

    def covered(frame: int) -> Bool[np.ndarray, "h w"]:
        mask = np.zeros((info.height, info.width), bool)
        for outline in seen.outlines[number]:
            mask |= person_mask(outline, frame, info.height, info.width)
        return mask

    depth, _ = fuse_depth(maps, fit, covered)
    return depth, {
        "source": maps.source, "file": maps.path.name, "kind": fit.kind, "scale": fit.scale, "offset": fit.offset,
        "inlier_ratio": fit.inlier_ratio, "residual": fit.residual, "frames_agreed": fit.frames_agreed, "frames": fit.frames,
        "scale_std": fit.scale_std, "left_out": fit.left_out,
    }  # fmt: skip


def standing_places(people: Sequence[Recovered]) -> Float[np.ndarray, "n 2"]:
    """(x, z) of feet on the floor, of trusted frames, metres."""
    found = [np.zeros((0, 2))]
    for person in people:
        for column, joint in enumerate((7, 10, 8, 11)):
            down = person.trusted & (person.contact[:, column] > 0.7)
            found.append(person.joints[down, joint][:, [0, 2]])
    return np.concatenate(found)


def _upright_places(seen: Observation, person_height: float) -> np.ndarray:
    """(x, z) of people detected upright, metres. Shape (n, 2)."""
    outlines = [outline for video in seen.outlines for outline in video]
    return places(find_upright(outlines), seen.calibration, person_height) if outlines else np.zeros((0, 2))


def _seats(seen: Observation) -> tuple[Surface, ...]:
    """Seats and beds that people were seen to use."""
    if not seen.people:
        return ()
    joints = [np.where(person.trusted[:, None, None], person.joints, np.nan) for person in seen.people]
    return seats_from_people(joints, seen.recordings[0].info.fps)
