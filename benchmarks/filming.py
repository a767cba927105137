"""Frames a second of filming, beside bare pyrender drawing the same body, in one run.

    python benchmarks/filming.py [--frames 30] [--sizes 112 224 448]

The peer is pyrender as its examples use it: one body of about 20,000 faces, taken out and put back every frame
(``remove_node``, ``Mesh.from_trimesh``), lit by one lamp, colour and depth read back. ``draw`` is one of our rasterizers
given the same body at the same size; ``film`` is the whole of a clip's frame: a dressed body of about 43,000 faces drawn at
twice the size, its shadows in the room, depth test, blur and noise.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from augment.body.model import load_body, pose_body
from augment.film.appearance import sample_look
from augment.film.film import film
from augment.film.view import prepare_view
from augment.raster.pyrender_egl import GL_FROM_CV
from augment.raster.rasterize import make_rasterizer
from augment.scene.rooms.care_room import make_room
from augment.types import Camera, Motion, Performance, SceneMesh


def rate(step: Callable[[int], object], frames: int, rounds: int = 3) -> float:
    """Best frames a second of a few rounds (the machine may be busy); one frame is drawn beforehand."""
    step(0)
    best = 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        for frame in range(frames):
            step(frame)
        best = max(best, frames / (time.perf_counter() - start))
    return best


def peer(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> Callable[[int], object]:
    """Bare pyrender, body re-added every frame."""
    import pyrender
    import trimesh

    scene = pyrender.Scene(ambient_light=[0.3, 0.3, 0.3])
    K = camera.K
    pose = camera.T_world_camera @ GL_FROM_CV
    scene.add(pyrender.IntrinsicsCamera(fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2]), pose=pose)
    scene.add(pyrender.DirectionalLight(intensity=3.0), pose=pose)
    renderer = pyrender.OffscreenRenderer(camera.width, camera.height)
    node = None

    def step(frame: int) -> object:
        nonlocal node
        if node is not None:
            scene.remove_node(node)
        mesh = pyrender.Mesh.from_trimesh(trimesh.Trimesh(vertices[frame % len(vertices)], faces, process=False))
        node = scene.add(mesh)
        return renderer.render(scene)

    return step


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=30, help="frames a round")
    parser.add_argument("--sizes", type=int, nargs="+", default=[112, 224, 448], help="picture heights, pixels")
    options = parser.parse_args()
    body, scene, rng = load_body(), make_room(seed=0), np.random.default_rng(0)
    frames = options.frames
    middle = scene.floor.mean(0)
    transl = np.column_stack([np.linspace(-0.4, 0.4, frames) + middle[0], np.full(frames, 1.16), np.full(frames, middle[1])])
    motion = Motion(
        global_orient=np.zeros((frames, 3)), body_pose=np.zeros((frames, 23, 3)), transl=transl, betas=np.zeros(10), fps=20.0
    )  # fmt: skip
    performance = Performance(people=(motion,), action="stand", caption="", segments=())
    look = sample_look(body, rng=rng, outfit="day")
    vertices, _ = pose_body(body, motion)
    # As many faces as pyrender's recorded figure was measured with; the choice hardly matters.
    faces = body.faces[:20_000]
    colors = np.full((vertices.shape[1], 3), 170, np.uint8)
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}; {len(faces)} faces drawn, {len(look.faces)} filmed; frames/s")
    print(f"{'size':>5} {'pyrender':>9} | {'draw egl':>9} {'ratio':>6} {'sw':>9} {'ratio':>6} | {'film egl':>9} {'sw':>9}")
    peers = []  # kept alive: closing one pyrender renderer closes the display for all others
    for size in options.sizes:
        view = prepare_view(scene, height=size)
        square = Camera(K=view.camera.K, T_world_camera=view.camera.T_world_camera, width=size, height=size)
        peers.append(peer(vertices, faces, square))
        figures = {"peer": rate(peers[-1], frames)}
        for kind in ("egl", "software"):
            rasterizer = make_rasterizer(kind)

            def draw(frame: int, rasterizer=rasterizer, square=square) -> object:
                return rasterizer.render_mesh(SceneMesh(vertices=vertices[frame], faces=faces, colors=colors), square)

            def clip(_: int, rasterizer=rasterizer, view=view) -> object:
                return film(
                    performance, view, body, [look], rng=np.random.default_rng(0), fps=20.0, rasterizer=rasterizer,
                )  # fmt: skip

            figures[f"draw {kind}"] = rate(draw, frames)
            figures[f"film {kind}"] = frames * rate(clip, 1, rounds=2)
        p, e, s = figures["peer"], figures["draw egl"], figures["draw software"]
        print(
            f"{size:>5} {p:>9.1f} | {e:>9.1f} {e / p:>5.2f}x {s:>9.1f} {s / p:>5.2f}x | "
            f"{figures['film egl']:>9.1f} {figures['film software']:>9.1f}"
        )


if __name__ == "__main__":
    main()
