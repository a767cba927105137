"""Known truth: people in a furnished room before a calibrated camera, from a seed. Tests and benchmarks measure against it.

The world is reconstruction's own: +y up, the floor at y = 0, the origin on the floor below the camera, the camera heading
along +z. Focal length, height and pitch of the camera differ from seed to seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from augment.actions import FALLS
from augment.body.landmarks import landmarks_of, place_landmarks
from augment.body.model import Body, joints_of, load_body, pose_body
from augment.body.shapes import betas_from_phenotype
from augment.geometry import (
    axis_angle_to_matrix,
    forward_kinematics,
    invert_transform,
    look_at,
    project_clamped,
    rigid,
    transform_points,
    yaw_to_matrix,
)
from augment.motion.contacts import foot_contacts
from augment.motion.library.falls.plan import FallRequest
from augment.motion.library.falls.simulate import attempt_fall
from augment.motion.library.scripted.act import make_action
from augment.motion.resample import crop
from augment.placement.place import PlacementRejected, move_motion, place
from augment.raster.rasterize import Rasterizer, make_rasterizer
from augment.scene.rooms.care_room import design_room, make_lights, wall_things
from augment.scene.rooms.furnish import Placed
from augment.scene.rooms.parts import merge, moved
from augment.scene.rooms.shell import make_shell
from augment.shards.video_codec import encode_video
from augment.sources.people.people import LAYOUTS, People
from augment.types import Camera, Light, Motion, Performance, Scene, SceneMesh
from benchmarks.truth.spoil import spoil_points3d
from recognition.inputs.detector_errors import MEDIAPIPE_UPFALL, DetectorNoise, spoil_keypoints, states_of


class DrawCamera(Protocol):
    """Draws a camera in a room."""

    def __call__(
        self, room: SceneMesh, square: tuple[float, float, float], size: tuple[int, int], *, rng: np.random.Generator
    ) -> Camera | None:
        """From the room, the middle and side of its clear floor, and the picture's width and height."""
        ...


CROSSING = "crossing"
"""Name of the case in which two people walk past each other, one hiding the other."""


@dataclass(frozen=True)
class Truth:
    """A case with known truth. Arrays are per person, in the order of ``motions``."""

    name: str
    scene: Scene
    """True camera, depth, floor, seats and obstacles; the plate is plainly lit unless the case is filmed."""
    motions: tuple[Motion, ...]
    """World, all of the same length."""
    body: Body

    @property
    def camera(self) -> Camera:
        return self.scene.camera

    @property
    def fps(self) -> float:
        return self.motions[0].fps

    def __len__(self) -> int:
        return len(self.motions[0])

    @cached_property
    def joints(self) -> tuple[np.ndarray, ...]:
        """SMPL joints (t, 24, 3), world, metres."""
        return tuple(joints_of(self.body, motion) for motion in self.motions)

    @cached_property
    def contacts(self) -> tuple[np.ndarray, ...]:
        """Which feet stand (t, 4), bool, in ``foot_contact``'s order."""
        return tuple(foot_contacts(joints, self.fps) > 0.5 for joints in self.joints)

    def heights(self) -> list[float]:
        """Statures, metres."""
        return [self.body.height(motion.betas) for motion in self.motions]

    def keypoints(self, layout: str, person: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """True points (t, k, 2), pixels, NaN behind the camera; and whether each lies in the picture, bool (t, k)."""
        return _project(self.points(layout, person), self.camera)

    def points(self, layout: str, person: int = 0) -> np.ndarray:
        """The layout's points on the body (t, k, 3), world, metres."""
        motion = self.motions[person]
        pose = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
        rotations = axis_angle_to_matrix(torch.as_tensor(pose, dtype=torch.float64))
        rest = torch.as_tensor(np.array(self.body.rest_joints(motion.betas), np.float64))
        joints, worlds = forward_kinematics(rotations, rest)
        joints = joints + torch.as_tensor(np.asarray(motion.transl, np.float64))[:, None]
        betas = torch.as_tensor(np.asarray(motion.betas, np.float64))
        return place_landmarks(landmarks_of(self.body, layout), joints, worlds, betas).numpy()

    def z_buffer(self, frame: int, *, rasterizer: Rasterizer, camera: Camera | None = None) -> np.ndarray:
        """z-depth (h, w) of all people in one frame, metres, 0 = nobody; through the scene's camera or another."""
        nearest = None
        for motion in self.motions:
            vertices, _ = pose_body(self.body, motion, slice(frame, frame + 1))
            grey = np.full((len(vertices[0]), 3), 128, np.uint8)
            _, depth = rasterizer.render_mesh(
                SceneMesh(vertices=vertices[0], faces=self.body.faces, colors=grey), camera or self.camera, lights=None
            )
            hidden = np.zeros_like(depth, bool) if nearest is None else (nearest > 0) & (nearest < depth)
            nearest = depth if nearest is None else np.where((depth > 0) & ~hidden, depth, nearest)
        assert nearest is not None
        return nearest.astype(np.float32)

    def depth_with_people(self, frame: int, *, rasterizer: Rasterizer) -> np.ndarray:
        """z-depth (h, w) of room and people in one frame, metres: what a depth camera would measure."""
        people = self.z_buffer(frame, rasterizer=rasterizer)
        room = self.scene.depth
        return np.where((people > 0) & ((room == 0) | (people < room)), people, room).astype(np.float32)

    def occluded(self, layout: str, person: int, *, rasterizer: Rasterizer, margin: float = 0.2) -> np.ndarray:
        """Whether room or people stand more than ``margin`` metres before a point, bool (t, k); drawn small."""
        small = self.camera.scaled_to(max(self.camera.height // 3, 96))
        points, inside = self.keypoints(layout, person)
        pixels = points * [small.width / self.camera.width, small.height / self.camera.height]
        scale = np.array(self.scene.depth.shape) / (small.height, small.width)
        rows = (
            ((np.arange(small.height) + 0.5) * scale[0]).astype(int),
            ((np.arange(small.width) + 0.5) * scale[1]).astype(int),
        )
        room = self.scene.depth[np.ix_(*rows)]
        z = self._z_of(layout, person)
        hidden = np.zeros(inside.shape, bool)
        for frame in range(len(self)):
            bodies = self.z_buffer(frame, rasterizer=rasterizer, camera=small)
            front = np.where((bodies > 0) & ((room == 0) | (bodies < room)), bodies, room)
            columns = np.clip(np.nan_to_num(pixels[frame]).astype(int), 0, [small.width - 1, small.height - 1])
            there = front[columns[:, 1], columns[:, 0]]
            hidden[frame] = (there > 0) & (z[frame] > there + margin)
        return hidden & inside

    def _z_of(self, layout: str, person: int) -> np.ndarray:
        """z-depth (t, k), metres, of the joints nearest to the points: exact to about 10 cm."""
        joint = landmarks_of(self.body, layout).joint
        local = transform_points(invert_transform(self.camera.T_world_camera), self.joints[person].reshape(-1, 3))
        return local.reshape(-1, 24, 3)[:, joint, 2]

    def people(self, layout: str, *, path: Path = Path("truth.json")) -> People:
        """Perfect detections of everyone, one row a person and frame, confidence 1 inside the picture and NaN outside."""
        return self._table(layout, [_with_confidence(*self.keypoints(layout, n)) for n in range(len(self.motions))], path)

    def detections(
        self,
        layout: str,
        *,
        rng: np.random.Generator,
        noise: DetectorNoise = MEDIAPIPE_UPFALL,
        strength: float = 1.0,
        rasterizer: Rasterizer | None = None,
        path: Path = Path("spoiled.json"),
    ) -> People:
        """Detections with a real detector's errors; with a rasterizer, hidden points have larger ones."""
        tables = []
        for person, motion in enumerate(self.motions):
            points, visible = self.keypoints(layout, person)
            if rasterizer is not None:
                visible &= ~self.occluded(layout, person, rasterizer=rasterizer)
            tables.append(
                spoil_keypoints(
                    points, visible, rng=rng, layout=layout, fps=self.fps, size=(self.camera.width, self.camera.height),
                    states=states_of(motion.segments, frames=len(self), fps=self.fps), noise=noise, strength=strength,
                )
            )  # fmt: skip
        people = self._table(layout, tables, path)
        return self._with_points3d(people, rng=rng) if layout == "mediapipe33" else people

    def _with_points3d(self, people: People, *, rng: np.random.Generator) -> People:
        """MediaPipe's 3D points: camera axes, relative to the middle of the hips."""
        names = LAYOUTS[people.layout]
        hips = [names.index("left_hip"), names.index("right_hip")]
        tables = []
        for person, motion in enumerate(self.motions):
            local = self.points(people.layout, person) @ self.camera.T_world_camera[:3, :3]
            local = local - local[:, hips].mean(axis=1, keepdims=True)
            states = states_of(motion.segments, frames=len(self), fps=self.fps)
            tables.append(spoil_points3d(local, rng=rng, fps=self.fps, states=states))
        points = np.stack([tables[p][t] for t, p in zip(people.frame, people.track, strict=True)])
        return replace(people, keypoints3d=points)

    def _table(self, layout: str, tables: Sequence[np.ndarray], path: Path) -> People:
        rows = [(t, p) for t in range(len(self)) for p, k in enumerate(tables) if np.isfinite(k[t, :, 0]).any()]
        return People(
            path=path, source="truth", frame=np.array([t for t, _ in rows]), track=np.array([p for _, p in rows]),
            layout=layout, keypoints2d=np.stack([tables[p][t] for t, p in rows]), width=self.camera.width,
            height=self.camera.height, frames=len(self), fps=float(self.fps),
        )  # fmt: skip


def make_truth(
    seed: int,
    action: str = "walk",
    *,
    seconds: float = 3.0,
    fps: float = 25.0,
    people: int = 1,
    size: tuple[int, int] = (640, 480),
    cut_legs: bool = False,
    stature: float | None = None,
    draw_camera: DrawCamera | None = None,
    tries: int = 30,
) -> Truth:
    """Make a case.

    Args:
        seed: Seed of all random numbers.
        action: Any daily action or fall of the library; or ``crossing``: two people pass, one occluding the other.
        seconds: Length of the motions; falls are cut around the fall.
        people: With ``crossing`` two. More than one otherwise adds people who stand or walk somewhere else.
        size: Width and height of the picture.
        cut_legs: Aim the camera so high that shins and feet are outside the picture.
        stature: Metres; drawn when None.
        draw_camera: Draws another camera than ``_draw_camera``; None where its view is of no use.
        tries: Draws of camera and place.
    Raises:
        ValueError: If the action finds no place in the room with any of the draws; take another seed.
    """
    rng = np.random.default_rng([seed, 0x72])
    body, room = load_body(), _room(seed)
    square, script = room.square, _Script(body, seconds, fps, stature)
    for _ in range(tries):
        camera = draw_camera(room.mesh, square, size, rng=rng) if draw_camera else _draw_camera(square, size, rng=rng)
        if camera is None:
            continue
        scene = _scene(f"truth-{seed}", room, camera)
        try:
            motions = _cross(scene, square, script, rng=rng) if action == CROSSING else None
            motions = motions or _perform(action, people, scene, script, rng=rng)
        except PlacementRejected:
            continue
        if cut_legs:
            camera = _aim_above_shins(camera, np.concatenate([joints_of(body, m) for m in motions]))
            scene = _scene(scene.name, room, camera)
        return _settled(Truth(f"{action}-{seed}", scene, motions, body))
    raise ValueError(f"make_truth: seed {seed} finds no place for {action!r} in {tries} draws; take another seed")


def film_truth(truth: Truth, path: Path, *, rng: np.random.Generator) -> Truth:
    """Film a case into an mp4 and return it with its real plate: takes seconds."""
    from augment.film.appearance import sample_look
    from augment.film.film import film
    from augment.film.view import prepare_view
    from augment.raster.room import render_room

    assert truth.scene.mesh is not None
    plate, depth = render_room(truth.scene.mesh, truth.camera, truth.scene.lights, supersample=1)
    scene = replace(truth.scene, plate=plate, depth=depth)
    looks = [sample_look(truth.body, rng=rng) for _ in truth.motions]
    performance = Performance(
        people=truth.motions, action=truth.motions[0].action, caption="", segments=truth.motions[0].segments
    )
    layers = film(
        performance, prepare_view(scene, height=truth.camera.height), truth.body, looks, rng=rng, fps=truth.fps,
    )  # fmt: skip
    path.write_bytes(encode_video(layers["frames"], fps=truth.fps))
    return replace(truth, scene=scene)


def write_mediapipe(people: People, path: Path) -> Path:
    """One person's ``mediapipe33`` detections as the npz of ``sources.mediapipe``; frames without them are NaN."""
    assert people.layout == "mediapipe33"
    assert people.keypoints2d is not None and people.fps is not None  # noqa: PT018
    table = np.full((people.frames or int(people.frame.max()) + 1, len(LAYOUTS["mediapipe33"]), 3), np.nan, np.float32)
    table[people.frame] = people.keypoints2d
    np.savez(path, landmarks2d=table, fps=people.fps, size=np.array([people.width, people.height]))
    return path


@dataclass(frozen=True, slots=True)
class _Room:
    mesh: SceneMesh
    placed: tuple[Placed, ...]
    square: tuple[float, float, float]
    lights: tuple[Light, ...]


@lru_cache(maxsize=8)
def _room(seed: int) -> _Room:
    _, plan, placed, square, _, rng = design_room(seed=seed)
    shell, _ = make_shell(plan, rng=rng)
    lights, lamps = make_lights(plan, rng=rng)
    furniture = [moved(put.piece.mesh, x=put.x, z=put.z, yaw=put.yaw) for put in placed]
    mesh = merge([shell, *furniture, lamps, *wall_things(plan, placed, rng=rng)])
    return _Room(mesh, tuple(placed), square, lights)


def _draw_camera(square: tuple[float, float, float], size: tuple[int, int], *, rng: np.random.Generator) -> Camera:
    """A camera in the room's corner at 1.5-2.4 m, aimed at its clear floor; focal length 0.62-0.95 of the width."""
    width, height = size
    focal = rng.uniform(0.62, 0.95) * width
    eye = np.array([rng.uniform(0.1, 0.3), rng.uniform(1.5, 2.4), rng.uniform(0.1, 0.3)])
    aim = np.array([square[0], rng.uniform(0.5, 0.95), square[1]])
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Camera(K=K, T_world_camera=look_at(eye, aim), width=width, height=height)


def _scene(name: str, room: _Room, camera: Camera) -> Scene:
    """The room, plainly lit, in its builder's frame."""
    mesh = room.mesh
    rgb, depth = make_rasterizer("compiled").render_mesh(mesh, camera)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    floor = np.array([[low[0], low[2]], [low[0], high[2]], [high[0], high[2]], [high[0], low[2]]])
    surfaces = tuple(put.surface for put in room.placed if put.surface is not None)
    return Scene(
        name=name, camera=camera, plate=rgb, depth=depth, floor=floor, surfaces=surfaces,
        obstacles=tuple(put.obstacle for put in room.placed), lights=room.lights, mesh=mesh,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Script:
    """Options of the motions of any action."""

    body: Body
    seconds: float
    fps: float
    stature: float | None
    """Stature of the first person, metres; drawn when None."""


def _perform(action: str, people: int, scene: Scene, script: _Script, *, rng: np.random.Generator) -> tuple[Motion, ...]:
    fps, body, extras = script.fps, script.body, replace(script, stature=None)
    cast = [_act(action, script, rng=rng)]
    cast += [_act(str(rng.choice(["stand", "walk"])), extras, rng=rng) for _ in range(people - 1)]
    frames = min(len(motion) for motion in cast)
    placed: list[Motion] = []
    for motion in cast:
        motion = crop(motion, 0.0, frames / fps)
        alone = Performance(people=(motion,), action=action, caption="", segments=motion.segments)
        for _ in range(20):
            found = place(alone, scene, body, rng=rng, props=False).people[0]
            if all(_keep_distance(found, other, body) for other in placed):
                placed.append(found)
                break
        else:
            raise PlacementRejected(Counter(["people"]))
    return tuple(placed)


def _act(action: str, script: _Script, *, rng: np.random.Generator) -> Motion:
    body, seconds, fps = script.body, script.seconds, script.fps
    tall = float(rng.uniform(1.52, 1.92)) if script.stature is None else script.stature
    betas = betas_from_phenotype(
        body, height_m=tall, weight=float(rng.uniform(0.3, 0.7)), age=float(rng.uniform(0, 1)), gender=float(rng.uniform(0, 1))
    )
    if action not in FALLS:
        return make_action(action, rng=rng, body=body, betas=betas, fps=fps, seconds=seconds)
    motion = _fall(FallRequest(kind=action, betas=betas, fps=fps), body, rng=rng)
    onset = next(segment.start_sec for segment in motion.segments if segment.label == "fall")
    start = float(np.clip(onset - 0.3 * seconds, 0.0, max(motion.seconds - seconds, 0.0)))
    return crop(motion, start, min(start + seconds, motion.seconds))


def _fall(request: FallRequest, body: Body, *, rng: np.random.Generator) -> Motion:
    reasons = Counter[str]()
    for _ in range(12):
        run = attempt_fall(request, rng=rng, body=body)
        if run.problem is None:
            return run.motion
        reasons[run.problem] += 1
    raise ValueError(f"make_truth: {request.kind} failed every time: {dict(reasons)}")


def _keep_distance(motion: Motion, other: Motion, body: Body, least: float = 0.55) -> bool:
    """Whether two people's pelvises stay ``least`` metres apart on the floor."""
    gap = joints_of(body, motion)[:, 0] - joints_of(body, other)[:, 0]
    return bool(np.linalg.norm(gap[:, [0, 2]], axis=-1).min() > least)


def _cross(
    scene: Scene, square: tuple[float, float, float], script: _Script, *, rng: np.random.Generator
) -> tuple[Motion, Motion]:
    """Two straight walks at right angles to the view, opposite ways, 0.75 m one behind the other."""
    body, seconds, fps = script.body, script.seconds, script.fps
    ahead = scene.camera.T_world_camera[[0, 2], 2]
    ahead = ahead / np.linalg.norm(ahead)
    heading = float(np.arctan2(ahead[0], ahead[1])) + np.pi / 2
    motions = []
    for side in (1.0, -1.0):
        tall = float(rng.uniform(1.55, 1.9))
        betas = betas_from_phenotype(body, height_m=tall, weight=float(rng.uniform(0.3, 0.7)), gender=float(rng.uniform(0, 1)))
        walk = make_action(
            "walk", rng=rng, body=body, betas=betas, fps=fps, seconds=seconds, path="straight", speed=float(1.6 / seconds),
            turn=0.0, starts=False, stops=False,
        )  # fmt: skip
        walk = move_motion(walk, heading + (np.pi if side < 0 else 0.0), np.zeros(3), body)
        pelvis = joints_of(body, walk)[:, 0]
        goal = np.array([square[0], square[1]]) + side * 0.375 * ahead
        shift = goal - (pelvis.min(0) + pelvis.max(0))[[0, 2]] / 2
        motions.append(move_motion(walk, 0.0, np.array([shift[0], 0.0, shift[1]]), body))
    return motions[0], motions[1]


def _aim_above_shins(camera: Camera, joints: np.ndarray) -> Camera:
    """The same camera tipped up until the ankles lie a tenth of the picture below its edge."""
    eye, forward = camera.T_world_camera[:3, 3], camera.T_world_camera[:3, 2]
    flat = np.array([forward[0], 0.0, forward[2]]) / np.hypot(forward[0], forward[2])
    for pitch in np.radians(np.arange(30.0, -25.0, -0.5)):
        aim = eye + flat * np.cos(pitch) - np.array([0.0, np.sin(pitch), 0.0])
        tipped = replace(camera, T_world_camera=look_at(eye, aim))
        pixels, _ = _project(joints[:, [7, 8]], tipped)
        if np.nanpercentile(pixels[..., 1], 10) > 1.06 * camera.height:
            return tipped
    raise ValueError("make_truth: cut_legs: no pitch leaves the feet out of the picture; take another seed")


def _settled(truth: Truth) -> Truth:
    """The case moved into reconstruction's world: origin below the camera, heading along +z."""
    T = truth.camera.T_world_camera
    yaw = -float(np.arctan2(T[0, 2], T[2, 2]))
    turn = yaw_to_matrix(torch.tensor(yaw, dtype=torch.float64)).numpy()
    shift = -turn @ (T[:3, 3] * [1, 0, 1])
    T_new_old = rigid(turn, shift)
    scene, mesh = truth.scene, truth.scene.mesh
    assert mesh is not None

    def there(item: Any) -> Any:
        return replace(item, center=transform_points(T_new_old, item.center[None])[0], yaw=item.yaw + yaw)

    scene = replace(
        scene,
        camera=replace(scene.camera, T_world_camera=T_new_old @ T),
        floor=scene.floor @ turn[np.ix_([0, 2], [0, 2])].T + shift[[0, 2]],
        surfaces=tuple(there(surface) for surface in scene.surfaces),
        obstacles=tuple(there(obstacle) for obstacle in scene.obstacles),
        lights=tuple(_moved_lamp(light, T_new_old) for light in scene.lights),
        mesh=replace(mesh, vertices=transform_points(T_new_old, mesh.vertices)),
    )
    motions = tuple(move_motion(motion, yaw, shift, truth.body) for motion in truth.motions)
    return Truth(truth.name, scene, motions, truth.body)


def _moved_lamp(light: Light, T_new_old: np.ndarray) -> Light:
    if light.kind == "directional":
        return replace(light, position=T_new_old[:3, :3] @ light.position)
    return replace(light, position=transform_points(T_new_old, light.position[None])[0])


def _project(points: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """World points (t, k, 3) to pixels, NaN behind the camera, and whether they lie in the picture."""
    T_camera_world = invert_transform(camera.T_world_camera)
    local = points @ T_camera_world[:3, :3].T + T_camera_world[:3, 3]
    ahead = local[..., 2:] > 0.05
    pixels = np.where(ahead, project_clamped(local, camera.K, nearest=0.05), np.nan)
    inside = ahead[..., 0] & (pixels > 0).all(-1) & (pixels < [camera.width, camera.height]).all(-1)
    return pixels, inside


def _with_confidence(pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    points = np.concatenate([pixels, inside[..., None].astype(float)], axis=-1)
    points[~inside] = np.nan
    return points
