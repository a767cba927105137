"""Parts of ``benchmarks.reconstruction`` with known truth: synthetic people and rooms, with realistic errors added."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from augment.geometry import axis_rotation, floor_points
from augment.polygon import convex_hull
from augment.raster.rasterize import Rasterizer, make_rasterizer
from augment.reconstruct.bodies.cover import depth_frames, z_buffers
from augment.reconstruct.bodies.fit import fit_people
from augment.reconstruct.bodies.problem import Setting
from augment.reconstruct.camera.floor import floor_buffer, floor_for_scale
from augment.reconstruct.depth.fuse import fuse_depth
from augment.reconstruct.depth.scale import fit_disparity
from augment.reconstruct.people import Recovered
from augment.reconstruct.room import standing_places
from augment.sources.people.people import LAYOUTS, People
from augment.types import Camera
from benchmarks.smplify_peer import smplify
from benchmarks.truth.maker import Truth, make_truth
from benchmarks.truth.pose_errors import judge
from benchmarks.truth.spoil_bodies import HMR2_LIKE, bodies_to_joints, spoil_bodies
from benchmarks.truth.spoil_depth import Disparity, spoil_depth

CASES: tuple[tuple[str, float, bool], ...] = (
    ("walk", 25.0, False), ("fall_backward", 18.0, False), ("sit_down", 30.0, False), ("fall_forward_hands", 25.0, False),
    ("pick_up", 18.0, False), ("walk", 30.0, True), ("lie", 25.0, False), ("fall_sideways", 18.0, False),
    ("stand_up", 25.0, False), ("walk", 18.0, False), ("kneel", 25.0, False), ("fall_from_chair", 18.0, False),
)  # fmt: skip
"""Action, frames a second, and whether the legs are outside the picture; sequence n is case n modulo their number."""
LAYOUT = "mediapipe33"
CAMERA_SIGMA = (0.1, 0.05, 0.05)
"""Expected error of focal length (share), pitch (radians) and height (share) where the camera is refined."""
MODES = ("keypoints", "bodies+keypoints", "bodies")
"""Inputs of the fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """One case with its inputs."""

    truth: Truth
    keypoints: People
    bodies: People


def sequence(number: int, *, seconds: float, rasterizer: Rasterizer | None) -> Sequence:
    """The case ``number`` and its spoiled inputs.

    Args:
        rasterizer: Finds what is hidden; None takes only what lies outside the picture as unseen.
    """
    action, fps, cut = CASES[number % len(CASES)]
    truth = make_truth(1000 + number, action, seconds=seconds, fps=fps, cut_legs=cut)
    rng = np.random.default_rng([number, 7])
    keypoints = truth.detections(LAYOUT, rng=rng, rasterizer=rasterizer)
    bodies = spoil_bodies(truth.motions[0], truth.camera, truth.body, rng=rng, noise=HMR2_LIKE)
    return Sequence(truth=truth, keypoints=keypoints, bodies=bodies)


def joined(bodies: People, keypoints: People) -> People:
    """Bodies with the keypoints of the same frames; NaN where the detector lost the person."""
    assert keypoints.keypoints2d is not None
    table = np.full((int(max(bodies.frame.max(), keypoints.frame.max())) + 1, *keypoints.keypoints2d.shape[1:]), np.nan)
    table[keypoints.frame] = keypoints.keypoints2d
    # Without the detector's 3D points: the bodies are the better ones, and tables of bodies have none.
    return replace(bodies, layout=keypoints.layout, keypoints2d=table[bodies.frame])


def given_camera(truth: Truth, *, rng: np.random.Generator, error: float) -> Camera:
    """The camera as calibration would give it: focal length, pitch and height off by normal errors of ``error`` times
    10 %, 2 degrees and 3 %."""
    focal, pitch, height = error * rng.normal(size=3) * [0.10, np.radians(2.0), 0.03]
    camera = truth.camera
    K, T = camera.K.copy(), camera.T_world_camera.copy()
    K[[0, 1], [0, 1]] *= np.exp(focal)
    T[:3, :3] = T[:3, :3] @ axis_rotation("x", pitch)
    T[1, 3] *= np.exp(height)
    return replace(camera, K=K, T_world_camera=T)


def run_fit(
    tracks: list[People], camera: Camera, truth: Truth, *, prior: Any, refine: bool
) -> tuple[tuple[Recovered, ...], Camera, float]:
    """The fit under test, with the stature given as in ``augment reconstruct``, and its seconds."""
    setting = Setting(
        camera=camera, body=truth.body, fps=truth.fps, prior=prior, person_height=truth.body.height(truth.motions[0].betas),
        camera_sigma=CAMERA_SIGMA if refine else None,
    )  # fmt: skip
    start = time.perf_counter()
    fitted = fit_people([[table] for table in tracks], setting)
    return fitted.people, fitted.camera, time.perf_counter() - start


def errors_of(joints: Float[np.ndarray, "t 24 3"], truth: Truth, person: int = 0) -> dict[str, float]:
    """``pose_errors.judge`` against the truth, as a dict."""
    forward = truth.camera.T_world_camera[:3, 2]
    return asdict(judge(joints, truth.joints[person], fps=truth.fps, contact=truth.contacts[person], forward=forward))


def whole(recovered: Recovered, frames: int) -> Float[np.ndarray, "t 24 3"]:
    """Joints of a recovered person over the whole video, NaN before and after."""
    joints = np.full((frames, 24, 3), np.nan)
    joints[recovered.frames] = recovered.joints
    return joints


def judge_sequence(number: int, *, seconds: float, prior: Any, camera_error: float) -> dict[str, Any]:
    """Errors of one sequence: the input's, and the fit's from each kind of input.

    Args:
        camera_error: See ``given_camera``; with more than 0 the fit may refine the camera.
    """
    case = sequence(number, seconds=seconds, rasterizer=make_rasterizer("compiled"))
    truth = case.truth
    camera = given_camera(truth, rng=np.random.default_rng([number, 11]), error=camera_error)
    result: dict[str, Any] = {
        "name": truth.name, "frames": len(truth), "fps": truth.fps, "height": truth.heights()[0],
        "before": errors_of(bodies_to_joints(case.bodies, truth.camera, truth.body, frames=len(truth)), truth),
    }  # fmt: skip
    inputs = {"keypoints": case.keypoints, "bodies+keypoints": joined(case.bodies, case.keypoints), "bodies": case.bodies}
    for mode in MODES:
        recovered, refined, spent = run_fit([inputs[mode]], camera, truth, prior=prior, refine=camera_error > 0)
        result[mode] = errors_of(whole(recovered[0], len(truth)), truth) | {
            "seconds": spent, "height": recovered[0].height_m, "focal": float(refined.K[0, 0] / truth.camera.K[0, 0]),
            "reprojection": float(np.nanmedian(recovered[0].reprojection_px)),
        }  # fmt: skip
    return result


def judge_peer(number: int, *, seconds: float, stride: int, prior: Any) -> dict[str, Any]:
    """SMPLify and our fit on the same keypoints with the true camera, judged on every ``stride``-th frame found."""
    case = sequence(number, seconds=seconds, rasterizer=make_rasterizer("compiled"))
    truth, points = case.truth, case.keypoints
    assert points.keypoints2d is not None
    enough = (points.keypoints2d[..., 2] > 0.1).sum(1) >= 8
    rows = np.flatnonzero(enough)[::stride]
    frames = points.frame[rows]
    start = time.perf_counter()
    peer = smplify(points.keypoints2d[rows], LAYOUT, truth.camera, truth.body)
    spent = time.perf_counter() - start
    recovered, _, ours = run_fit([points], truth.camera, truth, prior=prior, refine=False)
    theirs = np.full((len(truth), 24, 3), np.nan)
    theirs[frames] = peer.joints
    same = np.where(np.isfinite(theirs), whole(recovered[0], len(truth)), np.nan)
    return {
        "name": truth.name, "peer": errors_of(theirs, truth), "ours": errors_of(same, truth),
        "peer seconds a frame": spent / len(frames), "our seconds a frame": ours / len(recovered[0].frames),
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMaps:
    """Depth maps in memory, a ``reconstruct.depth.overlap.Maps``."""

    frame: Int[np.ndarray, " n"]
    values: Float32[np.ndarray, "n h w"]
    kind: str = "disparity"
    metric: bool = False
    per_frame_affine: bool = False

    def load(self, index: int) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        values = self.values[index]
        return values, np.isfinite(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A video's people and floor, beside its depth maps."""

    frames: np.ndarray
    """Frames that have a map."""
    bodies: list[tuple[int, np.ndarray]]
    """Frame and z-depth of the fitted people."""
    masks: dict[int, np.ndarray]
    """Frame to the true mask of people."""
    floor: np.ndarray
    """z-depth (h, w) of the floor, metres, 0 elsewhere."""


def judge_room(number: int, *, seconds: float, prior: Any, outliers: tuple[float, ...], maps: int = 15) -> dict[str, Any]:
    """Median relative error of the room's depth, fused with FITTED bodies, for each share of outliers."""
    case = sequence(number, seconds=seconds, rasterizer=make_rasterizer("compiled"))
    truth, rasterizer = case.truth, make_rasterizer("auto")
    recovered, camera, _ = run_fit([joined(case.bodies, case.keypoints)], truth.camera, truth, prior=prior, refine=False)
    frames = np.array(depth_frames(np.arange(len(truth)), recovered, camera, maps))
    depth = np.stack([truth.depth_with_people(int(frame), rasterizer=rasterizer) for frame in frames])
    seen = _Seen(
        frames=frames, bodies=list(z_buffers(recovered, camera, truth.body, frames.tolist())),
        masks={int(frame): truth.z_buffer(int(frame), rasterizer=rasterizer) > 0 for frame in frames},
        floor=known_floor(recovered, camera),
    )  # fmt: skip
    result: dict[str, Any] = {"name": truth.name, "root": errors_of(whole(recovered[0], len(truth)), truth)["root"]}
    for share in outliers:
        spoiled = spoil_depth(depth, rng=np.random.default_rng([number, 13]), outliers=share)
        result[f"{share:.2f}"] = _room_error(spoiled, seen, truth.scene.depth, number)
    return result


def seen_floor(camera: Camera, *, reach: float) -> Float[np.ndarray, "n 2"]:
    """Polygon (x, z) of the floor in the picture, ``reach`` metres from the camera at most."""
    across, down = (np.linspace(0, size, 41) for size in (camera.width, camera.height))
    pixels = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    points = floor_points(pixels, camera)
    near = np.linalg.norm(points - camera.T_world_camera[[0, 2], 3], axis=1) < reach
    return convex_hull(points[near])


def known_floor(recovered: tuple[Recovered, ...], camera: Camera) -> Float32[np.ndarray, "h w"]:
    """z-depth of the floor round standing feet, 0 elsewhere, as ``reconstruct`` passes it to ``fit_disparity``."""
    feet = standing_places(recovered)
    floor = floor_for_scale(feet, seen_floor(camera, reach=8.0 if len(feet) else 4.0))
    return np.zeros((camera.height, camera.width), np.float32) if floor is None else floor_buffer(camera, floor)


def _room_error(spoiled: Disparity, seen: _Seen, room: np.ndarray, number: int) -> dict[str, Any]:
    """Errors against the true room, of the fit and of the true affine map."""
    from scipy.ndimage import binary_dilation

    maps = HeldMaps(frame=seen.frames, values=spoiled.values)
    inverse = spoiled.scale * spoiled.values + spoiled.offset
    ideal = np.median(np.where(inverse > 0, 1 / np.where(inverse > 0, inverse, 1.0), np.nan), axis=0)
    known = room > 0
    figures: dict[str, Any] = {"true map": float(np.nanmedian(np.abs(ideal[known] / room[known] - 1)))}
    try:
        fit = fit_disparity(
            maps, seen.bodies, rng=np.random.default_rng([number, 17]), floor=seen.floor if seen.floor.any() else None
        )
    except ValueError as error:
        return figures | {"refused": str(error)}
    grown = {frame: binary_dilation(mask, iterations=3) for frame, mask in seen.masks.items()}
    fused, _ = fuse_depth(maps, fit, lambda frame: grown[frame])
    both = known & (fused > 0)
    return figures | {
        "error": float(np.median(np.abs(fused[both] / room[both] - 1))), "covered": float(both.sum() / known.sum()),
        "scale": float(fit.scale / spoiled.scale), "frames": int(fit.agreed.sum()), "inlier_ratio": float(fit.inlier_ratio),
    }  # fmt: skip


assert LAYOUT in LAYOUTS
