"""The scene of a reconstruction, and the origin of its parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..files import sha256_of_file
from ..types import Light, Scene
from .camera.calibrate import Calibration
from .camera.floor import LEAST_FEET
from .config import ReconstructConfig
from .room import Observation, Room


def make_scene(name: str, seen: Observation, room: Room, config: ReconstructConfig) -> Scene:
    """Camera, plate and room as one scene; ``provenance["guessed"]`` lists what was not measured."""
    return Scene(
        name=name, camera=seen.camera, plate=seen.plate.image, depth=room.depth.astype(np.float32), floor=room.floor,
        surfaces=room.surfaces, obstacles=room.obstacles, lights=ceiling_light(room.floor), mesh=room.mesh,
        provenance=provenance_of(seen, room, config),
    )  # fmt: skip


def ceiling_light(floor: np.ndarray) -> tuple[Light, ...]:
    """An assumed lamp over the middle of the floor."""
    x, z = floor.mean(axis=0)
    return (Light(kind="point", position=np.array([x, 2.6, z]), color=np.ones(3), intensity=1.0),)


def provenance_of(seen: Observation, room: Room, config: ReconstructConfig) -> dict[str, Any]:
    """The scene's sources, how its camera was found, and what was guessed."""
    videos, plate, layout = [recording.info.path for recording in seen.recordings], seen.plate, room.layout
    detected = bool(seen.people) if config.people else any(seen.outlines)
    facts: dict[str, Any] = {
        "source": "video",
        "videos": [video.name for video in videos],
        "recordings": [entry for video in videos for entry in (video.name, sha256_of_file(video))],
        "plate_videos": [videos[i].name for i in plate.layout_videos],
        "plate_frames": plate.frames,
        "plate_guessed_share": float(plate.guessed.mean()),
        "masked_share": 0.0 if config.mask is None else float(config.mask.mean()),
        "content": list(plate.content),
        "person_height_m": config.given.stature if detected else None,
        "camera": _camera(seen.calibration),
        "walls": [] if layout is None else [
            {"normal": w.normal.tolist(), "offset_m": w.offset, "confidence": w.confidence} for w in layout.walls
        ],
        "room_turn_deg": None if layout is None else float(np.degrees(layout.turn)),
        "guessed": _guessed(seen, room, config, detected=detected),
    }  # fmt: skip
    if config.people:
        tables = [table for recording in seen.recordings for person in recording.seen.people for table in person]
        facts |= {
            "people": len(seen.people), "depth": room.depth_info, "estimators": sorted({table.source for table in tables}),
        }  # fmt: skip
    return facts


def _camera(calibration: Calibration) -> dict[str, Any]:
    return {
        "height_m": calibration.height, "pitch_deg": float(np.degrees(calibration.pitch)),
        "roll_deg": float(np.degrees(calibration.roll)), "focal_px": calibration.focal,
        "residual_px": calibration.residual_px if calibration.people else None, "upright_people": calibration.people,
        "bodies": calibration.bodies, "edges": calibration.lines, "near_far": calibration.near_far, "std": calibration.std,
        "observed": calibration.observed,
    }  # fmt: skip


def _guessed(seen: Observation, room: Room, config: ReconstructConfig, *, detected: bool) -> list[str]:
    """Parts of the scene that were not measured, as text."""
    calibration, share = seen.calibration, float(seen.plate.guessed.mean())
    guessed = [*room.guessed, "lights"]
    if not detected:
        guessed.append("plate: made without keypoints; look at it, somebody who kept still may be left in it")
    if share:
        guessed.append(f"plate: {share:.2%} of the pixels, never seen free, painted in from around them")
    if not calibration.observed:
        measured = calibration.people or calibration.bodies
        why = " (no keypoints)" if not detected else "" if measured else " (too few people upright in view)"
        given = {"focal": config.given.focal, "height": config.given.camera_height, "pitch": config.given.pitch}
        guessed += [f"camera {name}{why}" for name, value in given.items() if value is None and name in calibration.unsure]
    if detected and not calibration.observed:
        guessed.append("too little is seen to measure the camera well; add a video of somebody walking about")
    if len(room.feet) < LEAST_FEET:
        guessed.append("floor: all that the picture shows")
    return guessed
