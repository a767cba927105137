"""Frames a second of filming on one core, beside bare pyrender drawing the same body, in one run.

    python -m benchmarks.filming [--frames 48] [--sizes 112 224 448]
    python -m benchmarks.filming --generate 100 --out DIR [--workers 2] [--sizes 224] [--layers keypoints] [--motions 20]

The peer is pyrender as its examples use it: one body of about 20,000 faces, taken out and put back every frame
(``remove_node``, ``Mesh.from_trimesh``), lit by one lamp, colour and depth read back. ``z-buffer`` is our rasterizer's own time
for the same body at the same size; ``film`` is the whole of a clip's frame: a dressed body drawn at twice the size, its light
and shadows in the room, depth test, blur and noise. Processor time of one thread, so other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LP_NUM_THREADS", "0")

import numpy as np
import torch

from augment.body.model import load_body, pose_body
from augment.film import film as film_module
from augment.film import shot as shot_module
from augment.film.appearance import sample_look
from augment.film.canvas import new_canvas
from augment.film.detail import finest_detail
from augment.film.film import film
from augment.film.view import prepare_view
from augment.motion.library.scripted.act import make_action
from augment.placement.place import PlacementRejected, move_motion, place
from augment.raster.pyrender_egl import GL_FROM_CV
from augment.raster.zbuffer import draw_triangles
from augment.scene.rooms.care_room import make_room
from augment.shards.tar import read_shard
from augment.types import Camera, Performance
from benchmarks.watch import describe, watched

STAGES = {
    film_module: ("fit_look", "pose_joints", "visibility", "keypoints_3d", "project_keypoints", "Grain"),
    shot_module: (
        "project_vertices", "draw_triangles", "hide_behind_room", "sum_normals", "draw_shadow_maps", "light_vertices",
        "room_light", "darken_plate", "resolve", "soften", "blend", "develop", "ground_of",
    ),
}  # fmt: skip
"""Functions whose time is told apart."""


def cost(step: Callable[[int], object], count: int, rounds: int = 4) -> float:
    """Processor seconds of one step: the least mean of a few rounds, after one step beforehand."""
    step(0)
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        for number in range(count):
            step(number)
        best = min(best, (time.process_time() - start) / count)
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


def bare_z_buffer(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> Callable[[int], object]:
    """Our z-buffer alone, of projected vertices."""
    local = (vertices - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, :3]
    homogeneous = local @ camera.K.T
    pixels = np.concatenate([homogeneous[..., :2] / homogeneous[..., 2:], 1 / local[..., 2:]], axis=-1).astype(np.float32)
    triangles, canvas = faces.astype(np.int32), new_canvas(camera.height // 2, camera.width // 2)

    def step(frame: int) -> object:
        canvas.nearness[:], canvas.triangle[:] = 0, -1
        return draw_triangles(pixels[frame % len(pixels)], triangles, 0, True, *canvas)

    return step


def staged(people: int, frames: int) -> Performance:
    """One walking person, or more who stand, in the room with seed 0."""
    body, scene = load_body(), make_room(seed=0)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        motions = [
            make_action("stand" if number else "walk", rng=rng, body=body, fps=10.0).take(slice(frames))
            for number in range(people)
        ]
        motions = [
            motions[0], *(move_motion(m, 0.5, np.array([1.1 * k, 0, 0.3]), body) for k, m in enumerate(motions[1:], start=1))
        ]  # fmt: skip
        count = min(len(motion) for motion in motions)
        taken = tuple(motion.take(slice(count)) for motion in motions)
        try:
            return place(Performance(people=taken, action="walk", caption="", segments=()), scene, body, rng=rng)
        except PlacementRejected:
            continue
    raise RuntimeError("no placement found in fifty draws")


def stage_times(step: Callable[[], object], frames: int) -> dict[str, float]:
    """Milliseconds a frame of each stage, by processor time."""
    spent: Counter[str] = Counter()
    originals = {(module, name): getattr(module, name) for module, names in STAGES.items() for name in names}
    for (module, name), function in originals.items():

        def timed(*args: object, function=function, name=name, **rest: object) -> object:
            start = time.process_time()
            result = function(*args, **rest)
            spent[name] += time.process_time() - start  # type: ignore[assignment]
            return result

        setattr(module, name, timed)
    try:
        start = time.process_time()
        step()
        spent["all"] = time.process_time() - start  # type: ignore[assignment]
    finally:
        for (module, name), function in originals.items():
            setattr(module, name, function)
    return {name: 1e3 * seconds / frames for name, seconds in spent.most_common()}


def measure_films(sizes: list[int], frames: int) -> None:
    """Print the table of rates, and the stages of the middle size."""
    torch.set_num_threads(1)
    body, scene = load_body(), make_room(seed=0)
    performances = [staged(1, frames), staged(2, frames)]
    vertices, _ = pose_body(body, performances[0].people[0])
    # As many faces as pyrender's recorded figure was measured with; the choice hardly matters.
    faces = body.faces[:20_000]
    print(f"one core; {len(faces)} faces drawn by pyrender and the z-buffer; frames a second")
    print("  px  pyrender |  z-buffer |    film  ratio | two people  of one | all layers | faces filmed, of one, of two")
    peers = []  # kept alive: closing one pyrender renderer closes the display for all others
    for size in sizes:
        view = prepare_view(scene, height=size)
        peers.append(peer(vertices, faces, view.camera))
        usual, bare = cost(peers[-1], 20), cost(bare_z_buffer(vertices, faces, view.camera), 50)
        looks = [
            [
                sample_look(
                    body, rng=np.random.default_rng(1), outfit="day", finest=finest_detail(motion, body, view.camera)
                )
                for motion in performance.people
            ]
            for performance in performances
        ]  # fmt: skip

        def shoot(people: int, view=view, looks=looks, layers=("rgb",), only: int | None = None) -> Callable[[int], object]:
            performance, worn = performances[people - 1], looks[people - 1]
            if only is not None:
                performance, worn = replace(performance, people=performance.people[only : only + 1]), worn[only : only + 1]
            return lambda _: film(performance, view, body, worn, rng=np.random.default_rng(0), fps=10.0, layers=layers)

        lengths = [len(performance.people[0]) for performance in performances]
        one, two = (cost(shoot(people), 1, rounds=6) / lengths[people - 1] for people in (1, 2))
        alone = [cost(shoot(2, only=number), 1, rounds=4) / lengths[1] for number in (0, 1)]
        everything = cost(shoot(1, layers=film_module.LAYERS), 1, rounds=3) / lengths[0]
        print(
            f"{size:>4} {1 / usual:>9.0f} | {1 / bare:>9.0f} | {1 / one:>7.0f} {usual / one:>5.1f}x | {1 / two:>10.0f} "
            f"{np.mean(alone) / two:>7.2f} | {1 / everything:>10.0f} | "
            f"{', '.join(str(len(look.faces)) for worn in looks for look in worn)}"
        )
        if size == sizes[len(sizes) // 2]:
            stages = [stage_times(lambda shoot=shoot, n=n: shoot(n)(0), lengths[n - 1]) for n in (1, 2)]
    for people, shares in zip(("one person", "two people"), stages, strict=True):
        parts = ", ".join(f"{name} {value:.2f}" for name, value in shares.items())
        print(f"ms a frame at {sizes[len(sizes) // 2]} px, {people}: {parts}")


def measure_runs(clips: int, out: Path, workers: int, film: dict[str, Any], motions: int | None) -> None:
    """Film a recipe of daily actions and print clips, frames, seconds, and what the workers took over the run."""
    from augment.generate.recipe import Recipe
    from augment.generate.run import generate

    recipe = Recipe.model_validate(
        {
            "scenes": [{"rooms": 2}],
            "clips": [
                {"action": name, "count": clips // 4, "motions": motions and motions // 4}
                for name in ("walk", "sit_down", "stand", "pick_up")
            ],
            "film": {"fps": 10, **film},
        }
    )
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    with watched() as marks:
        manifest = generate(recipe, out, workers=workers)
    seconds = time.perf_counter() - start
    frames = sum(
        sample["json"]["frames"]
        for shard in manifest["shards"]
        for sample in read_shard(out / shard["name"], members=("json",))
    )
    print(describe(marks, frames / max(manifest["samples"], 1)))
    rate = f"{manifest['samples'] / seconds:.2f} clips/s, {frames / seconds:.0f} frames/s"
    print(f"{manifest['samples']} clips, {workers} workers, {seconds:.1f} s in all: {rate}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=48, help="frames of the clip that is filmed")
    parser.add_argument("--sizes", type=int, nargs="+", default=[112, 224, 448], help="picture heights, pixels")
    parser.add_argument("--generate", type=int, default=0, help="instead, film so many clips of a recipe")
    parser.add_argument("--out", type=Path, default=Path("runs/filming"), help="folder for those; it is emptied first")
    parser.add_argument("--workers", type=int, default=1, help="processes for those")
    parser.add_argument("--layers", nargs="+", default=["rgb"], help="layers of those")
    parser.add_argument("--motions", type=int, help="different motions of those; one a clip if left out")
    options = parser.parse_args()
    if options.generate:
        size = 224 if len(options.sizes) > 1 else options.sizes[0]
        film = {"height": size, "layers": options.layers}
        measure_runs(options.generate, options.out, options.workers, film, options.motions)
    else:
        measure_films(options.sizes, options.frames)


if __name__ == "__main__":
    main()
