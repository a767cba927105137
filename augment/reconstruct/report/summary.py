"""Figures of the report as JSON values, computed from the reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ...body.model import Body
from ...geometry import invert_transform, pixel_grid, transform_points, unproject
from ...motion.contacts import FOOT_JOINTS
from ...motion.plausibility import foot_skate
from ...polygon import inside_polygon, polygon_area
from ...types import Camera, Scene
from ..people import Reconstruction, Recovered
from .skin import coarse_vertices, joint_transforms, make_skin, pose_skin

LYING_DEG = 55.0
"""A person whose trunk is farther than this from upright lies, degrees."""
LYING_SECONDS = 0.5
"""Shorter stretches do not count as lying, seconds."""
DOWN_BELOW = 0.45
"""Height of the pelvis below which a lying person is on the floor, metres."""


def summarize(reconstruction: Reconstruction, body: Body) -> dict[str, Any]:
    """Figures of the report.

    Args:
        reconstruction: What was recovered.
        body: The body the people were fitted with.
    Returns:
        JSON values: ``camera``, ``floor``, ``people`` (one entry each), ``totals``, ``videos``, ``depth``, ``rejections``,
        ``guessed``, ``provenance``, ``seconds``.
    """
    scene = reconstruction.scene
    people = [describe_person(person, reconstruction, body) for person in reconstruction.people]
    return {
        "scene": scene.name,
        "videos": [
            {"name": path.name, "people": sum(person.video == i for person in reconstruction.people)}
            for i, path in enumerate(reconstruction.videos)
        ],
        "camera": describe_camera(scene),
        "floor": {
            "tilt_deg_depth": depth_floor_tilt(scene),
            "tilt_deg_feet": feet_floor_tilt(reconstruction.people, body),
            "tilt_deg_told": plain(reconstruction.depth.get("floor_tilt_deg")),
            "area_m2": polygon_area(scene.floor),
        },
        "people": people,
        "totals": _totals(reconstruction, people),
        "depth": {str(key): plain(value) for key, value in reconstruction.depth.items()},
        "rejections": {str(reason): int(count) for reason, count in reconstruction.rejections.items()},
        "guessed": [str(entry) for entry in scene.provenance.get("guessed", ())],
        "provenance": plain(scene.provenance),
        "seconds": {str(step): round(float(value), 3) for step, value in reconstruction.seconds.items()},
    }


def plain(value: Any) -> Any:
    """A value as JSON: arrays become lists (long ones their shape), NaN and infinity None, other objects their text."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist()) if value.size <= 64 else f"array {'x'.join(map(str, value.shape))}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value if value is None or isinstance(value, str) else str(value)


def median(values: Any) -> float | None:
    """Median of the finite values; None if there are none."""
    values = np.asarray(values, float).reshape(-1)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None


def label_of(person: Recovered) -> str:
    """Name of a person in the report."""
    return f"{person.person_class} {person.track}"


def height_in_picture(person: Recovered, camera: Camera) -> Float[np.ndarray, " t"]:
    """Height of the standing person at the pelvis' distance, pixels; NaN behind the camera."""
    z = transform_points(invert_transform(camera.T_world_camera), np.asarray(person.joints[:, 0], float))[:, 2]
    return np.where(z > 0.05, camera.K[1, 1] * person.height_m / np.maximum(z, 0.05), np.nan)


def describe_person(person: Recovered, reconstruction: Reconstruction, body: Body) -> dict[str, Any]:
    """One person's figures; lengths in metres, angles in degrees, shares 0..1."""
    trusted = person.trusted
    fps = person.motion.fps
    reprojection = np.where(trusted, person.reprojection_px, np.nan)
    finite = reprojection[np.isfinite(reprojection)]
    sole, on_floor = sole_heights(person, body), (np.asarray(person.contact) > 0.5) & trusted[:, None]
    depth = floor_penetration(person, body)[trusted]
    return {
        "video": int(person.video),
        "video_name": reconstruction.videos[person.video].name,
        "track": int(person.track),
        "label": label_of(person),
        "layout": person.layout,
        "first_frame": int(person.frames[0]) if len(person.frames) else None,
        "frames": len(person.frames),
        "fps": float(fps),
        "seconds": len(person.frames) / fps,
        "seconds_bridged": int((~np.asarray(person.observed)).sum()) / fps,
        "seconds_rejected": int((~person.accepted).sum()) / fps,
        "seconds_trusted": int(trusted.sum()) / fps,
        "reprojection_px": median(finite),
        "reprojection_px_worst_tenth": float(np.percentile(finite, 90)) if len(finite) else None,
        "reprojection_share": median(reprojection / height_in_picture(person, reconstruction.scene.camera)),
        "height_m": float(person.height_m),
        "foot_height_m": median(sole[on_floor]),
        "foot_contacts": int(on_floor.sum()),
        "foot_skate_m_s": foot_skate(person.joints, np.where(on_floor, person.contact, 0.0), fps) if on_floor.any() else None,
        "floor_penetration_m": float(depth.mean()) if len(depth) else None,
        "floor_penetration_deepest_m": float(depth.max()) if len(depth) else None,
        "lying": lying_places(person),
        "stages": {str(name): plain(terms) for name, terms in person.stages.items()},
        "rejected": [{"first": int(a), "after": int(b), "reason": str(reason)} for a, b, reason in person.rejected],
    }  # fmt: skip


def sole_heights(person: Recovered, body: Body) -> Float[np.ndarray, "t 4"]:
    """Height of the four soles over the floor, metres: the foot joints less their height in a standing body."""
    rest = body.rest_joints(person.motion.betas)[list(FOOT_JOINTS), 1] - body.rest_vertices(person.motion.betas)[:, 1].min()
    return np.asarray(person.joints)[:, list(FOOT_JOINTS), 1] - rest


def floor_penetration(person: Recovered, body: Body) -> Float[np.ndarray, " t"]:
    """Depth of the body's lowest point below the floor in every frame, metres, 0 above it; by the coarse mesh."""
    skin = make_skin(body, person.motion.betas, coarse_vertices(body))
    lowest = [np.zeros(0)]
    for rows in np.array_split(np.arange(len(person.frames)), max(1, len(person.frames) // 64)):
        lowest.append(pose_skin(skin, joint_transforms(body, person.motion, rows))[..., 1].min(axis=1))
    return np.maximum(-np.concatenate(lowest), 0.0)


def lying_places(person: Recovered) -> list[dict[str, Any]]:
    """Where and when a person lies: trunk down for at least half a second."""
    trunk = np.asarray(person.joints)[:, 12] - np.asarray(person.joints)[:, 0]
    tilt = np.degrees(np.arccos(np.clip(trunk[:, 1] / np.maximum(np.linalg.norm(trunk, axis=1), 1e-9), -1, 1)))
    down = np.concatenate([[False], tilt > LYING_DEG, [False]])
    starts, ends = np.flatnonzero(np.diff(down.astype(int)) == 1), np.flatnonzero(np.diff(down.astype(int)) == -1)
    places = []
    for start, end in zip(starts, ends, strict=True):
        if (end - start) / person.motion.fps < LYING_SECONDS:
            continue
        x, y, z = np.median(person.joints[start:end, 0], axis=0)
        places.append({
            "start_sec": float(person.frames[start] / person.motion.fps), "seconds": float((end - start) / person.motion.fps),
            "x": float(x), "z": float(z), "pelvis_m": float(y), "on_floor": bool(y < DOWN_BELOW),
        })  # fmt: skip
    return places


def describe_camera(scene: Scene) -> dict[str, Any]:
    """Height, pitch, roll and focal length with their standard deviations, and whether they were measured."""
    camera, given = scene.camera, scene.provenance.get("camera")
    given = given if isinstance(given, dict) else {}
    std = given.get("std") or {}
    T = camera.T_world_camera
    forward, right = T[:3, 2], T[:3, 0]
    focal = float(camera.K[1, 1])
    deviations = {
        "height_m": std.get("height"), "focal_px": std["focal"] * focal if std.get("focal") is not None else None,
        "pitch_deg": np.degrees(std["pitch"]) if std.get("pitch") is not None else None,
        "roll_deg": np.degrees(std["roll"]) if std.get("roll") is not None else None,
    }  # fmt: skip
    guessed = [str(entry) for entry in scene.provenance.get("guessed", ())]
    words = {"height_m": "camera height", "focal_px": "camera focal", "pitch_deg": "camera pitch", "roll_deg": "camera roll"}
    values = {
        "height_m": float(T[1, 3]), "pitch_deg": float(np.degrees(np.arcsin(np.clip(-forward[1], -1, 1)))),
        "roll_deg": float(np.degrees(np.arcsin(np.clip(-right[1], -1, 1)))), "focal_px": focal,
    }  # fmt: skip
    return {
        **values,
        "fov_deg": float(np.degrees(2 * np.arctan(camera.width / 2 / camera.K[0, 0]))),
        "width": camera.width,
        "height": camera.height,
        "std": {name: plain(deviations[name]) for name in values},
        "guessed": {name: any(entry.startswith(words[name]) for entry in guessed) for name in values},
        "observed": bool(given["observed"]) if "observed" in given else None,
    }


def plane_tilt(points: Float[np.ndarray, "n 3"]) -> float | None:
    """Angle between the vertical and the normal of the plane fitted to points, degrees; None if they do not span one."""
    if len(points) < 10 or np.linalg.svd(np.cov(points[:, [0, 2]].T), compute_uv=False)[-1] < 0.15**2:
        return None
    kept = points
    for _ in range(5):
        matrix = np.column_stack([kept[:, 0], kept[:, 2], np.ones(len(kept))])
        slope, *_ = np.linalg.lstsq(matrix, kept[:, 1], rcond=None)
        off = np.abs(points @ [-slope[0], 1.0, -slope[1]] - slope[2])
        kept = points[off <= max(0.01, 2.5 * float(np.median(off)))]
    return float(np.degrees(np.arctan(np.hypot(slope[0], slope[1]))))


def depth_floor_tilt(scene: Scene) -> float | None:
    """Tilt of what the depth picture shows within 12 cm of the floor, inside its polygon, degrees; None without depth there."""
    camera, depth = scene.camera, scene.depth
    step = max(1, depth.shape[0] // 120)
    z = depth[::step, ::step].astype(float).reshape(-1)
    pixels = pixel_grid(*depth.shape)[::step, ::step].reshape(-1, 2)
    points = transform_points(camera.T_world_camera, unproject(pixels[z > 0], z[z > 0], camera.K))
    near = points[np.abs(points[:, 1]) < 0.12]
    return plane_tilt(near[inside_polygon(near[:, [0, 2]], scene.floor)]) if len(near) else None


def feet_floor_tilt(people: Sequence[Recovered], body: Body) -> float | None:
    """Tilt of the plane through the soles while they stand, degrees; None if nobody walked."""
    points = [np.zeros((0, 3))]
    for person in people:
        standing = (np.asarray(person.contact) > 0.5) & person.trusted[:, None]
        feet = np.asarray(person.joints, float)[:, list(FOOT_JOINTS)].copy()
        feet[..., 1] = sole_heights(person, body)
        points.append(feet[standing])
    return plane_tilt(np.concatenate(points))


def _totals(reconstruction: Reconstruction, people: list[dict[str, Any]]) -> dict[str, Any]:
    """Over all people; figures are medians over people unless their name says otherwise."""

    def over(name: str) -> float | None:
        return median([each[name] for each in people if each[name] is not None])

    heights = [each["height_m"] for each in people]
    skates = [(each["foot_skate_m_s"], each["foot_contacts"]) for each in people if each["foot_skate_m_s"] is not None]
    deepest = [each["floor_penetration_deepest_m"] for each in people if each["floor_penetration_deepest_m"] is not None]
    return {
        "people": len(people),
        "clips": len(reconstruction.videos),
        "clips_with_people": len({each["video"] for each in people}),
        "one_a_clip": len({each["video"] for each in people}) == len(people) > 1,
        "seconds": sum(each["seconds"] for each in people),
        "seconds_trusted": sum(each["seconds_trusted"] for each in people),
        "seconds_bridged": sum(each["seconds_bridged"] for each in people),
        "seconds_rejected": sum(each["seconds_rejected"] for each in people),
        "reprojection_px": over("reprojection_px"),
        "reprojection_share": over("reprojection_share"),
        "height_m_least": min(heights, default=None),
        "height_m_most": max(heights, default=None),
        "height_m_spread": max(heights) - min(heights) if len(heights) > 1 else None,
        "height_m_std": float(np.std(heights, ddof=1)) if len(heights) > 1 else None,
        "foot_height_m": over("foot_height_m"),
        "foot_skate_m_s": float(np.average([speed for speed, _ in skates], weights=[n for _, n in skates])) if skates else None,
        "floor_penetration_m": over("floor_penetration_m"),
        "floor_penetration_deepest_m": max(deepest, default=None),
        "lying": sum(len(each["lying"]) for each in people),
    }
