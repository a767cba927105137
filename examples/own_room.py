"""Make a room by hand and film in it: python examples/own_room.py OUT

A scene is a picture of the empty room, its depth, and where a body can stand, sit and lie. Here both pictures are drawn from a
mesh; a photograph with measured depth does as well (`mesh` may be left out).
"""

import sys
from pathlib import Path

import numpy as np

from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from augment.geometry import look_at
from augment.raster.room import render_room
from augment.scene.rooms.parts import box, merge, rectangle
from augment.scene.store import save_scene
from augment.types import Camera, Light, Obstacle, Scene, Surface

RECIPE = """
name: own-room
scenes: [{path: room}]
clips: [{action: walk, count: 1, from: library}]
film: {height: 96, fps: 5, seconds: 2}
"""


def make_scene() -> Scene:
    """A room of 5 x 4 m with a bed and a table; x to the right, y up, metres, the floor at y = 0."""
    grey, white, wood = (150, 150, 145), (225, 222, 214), (140, 105, 70)
    floor = np.array([[-2.5, 2.0], [2.5, 2.0], [2.5, -2.0], [-2.5, -2.0]])  # (x, z), counter-clockwise from above
    mesh = merge(
        [
            rectangle(np.array([-2.5, 0, 2.0]), np.array([5.0, 0, 0]), np.array([0, 0, -4.0]), grey),
            rectangle(np.array([-2.5, 0, -2.0]), np.array([5.0, 0, 0]), np.array([0, 2.6, 0]), white),
            rectangle(np.array([-2.5, 0, 2.0]), np.array([0, 0, -4.0]), np.array([0, 2.6, 0]), white),
            rectangle(np.array([2.5, 0, -2.0]), np.array([0, 0, 4.0]), np.array([0, 2.6, 0]), white),
            box((1.9, 0.25, -0.8), (1.0, 0.5, 2.0), white),
            box((-2.0, 0.36, -1.5), (0.8, 0.72, 0.6), wood),
        ]
    )
    K = np.array([[150.0, 0, 128], [0, 150, 96], [0, 0, 1]])
    camera = Camera(K=K, T_world_camera=look_at((0.0, 2.3, 3.2), (0.0, 0.6, -0.6)), width=256, height=192)
    lights = (Light(kind="point", position=np.array([0, 2.5, 0.5]), color=np.array([1, 0.96, 0.9]), intensity=0.6),)
    plate, depth = render_room(mesh, camera, lights)
    return Scene(
        name="own-room",
        camera=camera,
        plate=plate,
        depth=depth,
        floor=floor,
        surfaces=(Surface(kind="bed", center=np.array([1.9, 0.5, -0.8]), size=(1.0, 2.0), yaw=np.pi),),
        obstacles=(
            Obstacle(name="bed", center=np.array([1.9, 0.25, -0.8]), size=np.array([1.0, 0.5, 2.0])),
            Obstacle(name="table", center=np.array([-2.0, 0.36, -1.5]), size=np.array([0.8, 0.72, 0.6])),
        ),
        lights=lights,
        mesh=mesh,
    )


def main(out: Path) -> None:
    save_scene(make_scene(), out / "room")
    (out / "recipe.yaml").write_text(RECIPE)
    generate(load_recipe(out / "recipe.yaml"), out / "clips", workers=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
