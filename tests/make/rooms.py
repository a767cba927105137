"""A small box room, a shape to draw and a person to film, for the tests of filming."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from augment.body.model import Body, load_body, pose_body
from augment.geometry import look_at
from augment.raster.room import render_room
from augment.types import Camera, Light, Motion, Obstacle, Performance, Scene, SceneMesh, Segment, Surface


def camera(height: int = 96, width: int = 128, eye=(0.0, 2.2, 2.6), target=(0.0, 0.7, -0.4)) -> Camera:
    K = np.array([[0.8 * height, 0, width / 2], [0, 0.8 * height, height / 2], [0, 0, 1.0]])
    return Camera(K=K, T_world_camera=look_at(eye, target), width=width, height=height)


def box(center, size, color, inward: bool = False) -> SceneMesh:
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * size + center
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    return SceneMesh(
        vertices=corners, faces=faces[:, ::-1] if inward else faces, colors=np.tile(np.array(color, np.uint8), (8, 1))
    )


def join(*meshes: SceneMesh) -> SceneMesh:
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes])
    return SceneMesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        faces=np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=False)]),
        colors=np.concatenate([m.colors for m in meshes]),
    )


def ball(radius: float = 0.5, center=(0.0, 0.9, 0.0), rings: int = 40, around: int = 60) -> tuple[np.ndarray, np.ndarray]:
    polar, turn = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, around, endpoint=False), indexing="ij"
    )
    unit = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], axis=-1).reshape(-1, 3)
    a = (np.arange(rings)[:, None] * around + np.arange(around)).reshape(-1)
    b = (np.arange(rings)[:, None] * around + (np.arange(around) + 1) % around).reshape(-1)
    faces = np.concatenate([np.stack([a, a + around, b], 1), np.stack([b, a + around, b + around], 1)])
    return unit * radius + center, faces


@lru_cache(maxsize=1)
def room() -> Scene:
    """5 x 4 m, one lamp, a table, a bed and a chair."""
    shell = box([0, 1.3, 0], [5, 2.6, 4], [205, 200, 190], inward=True)
    table, bed = box([-0.9, 0.35, 0.2], [0.8, 0.7, 0.5], [90, 130, 100]), box([1.9, 0.25, -0.8], [1.0, 0.5, 2.0], [235] * 3)
    seat = box([-1.9, 0.22, -1.5], [0.45, 0.44, 0.45], [120, 70, 50])
    mesh, view = join(shell, table, bed, seat), camera()
    lights = (Light(kind="point", position=np.array([0.3, 2.4, 0.4]), color=np.array([1, 0.96, 0.9]), intensity=0.5),)
    plate, depth = render_room(mesh, view, lights)
    return Scene(
        name="box",
        camera=view,
        plate=plate,
        depth=depth,
        floor=np.array([[-2.5, 2.0], [2.5, 2.0], [2.5, -2.0], [-2.5, -2.0]]),
        surfaces=(
            Surface(kind="bed", center=np.array([1.9, 0.5, -0.8]), size=(1.0, 2.0), yaw=np.pi),
            Surface(kind="chair", center=np.array([-1.9, 0.44, -1.5]), size=(0.45, 0.45), yaw=0.0),
        ),
        obstacles=(
            Obstacle(name="table", center=np.array([-0.9, 0.35, 0.2]), size=np.array([0.8, 0.7, 0.5])),
            Obstacle(name="bed", center=np.array([1.9, 0.25, -0.8]), size=np.array([1.0, 0.5, 2.0])),
            Obstacle(name="chair", center=np.array([-1.9, 0.22, -1.5]), size=np.array([0.45, 0.44, 0.45])),
        ),
        lights=lights,
        mesh=mesh,
    )


def standing(body: Body, frames: int = 3, at=(0.0, 0.0), step: float = 0.0, betas: np.ndarray | None = None) -> Motion:
    """Standing with hanging arms at (x, z), facing +z, moving ``step`` metres a frame; soles on the floor."""
    pose = np.zeros((frames, 23, 3))
    pose[:, 15, 2], pose[:, 16, 2] = -1.2, 1.2
    transl = np.zeros((frames, 3))
    transl[:, 0], transl[:, 2] = at[0], at[1] + step * np.arange(frames)
    motion = Motion(
        global_orient=np.zeros((frames, 3)), body_pose=pose, transl=transl, betas=np.zeros(10) if betas is None else betas,
        fps=10.0, action="stand", segments=(Segment(label="standing", start_sec=0.0, end_sec=frames / 10),),
    )  # fmt: skip
    lowest = pose_body(body, motion)[0][..., 1].min()
    return replace(motion, transl=transl - [0, lowest, 0])


def performance(*people: Motion) -> Performance:
    return Performance(people=people, action=people[0].action, caption="", segments=people[0].segments)


@lru_cache(maxsize=1)
def the_body() -> Body:
    return load_body()
