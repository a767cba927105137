"""Film somebody's own motion capture: python examples/own_motion.py walk.bvh OUT"""

import sys
from pathlib import Path

from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from augment.motion.importing import Overrides, import_motions
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene

RECIPE = """
name: own-motion
scenes: [{path: room}]
clips: [{action: walk, count: 1, from: store, path: motions}]
film: {height: 96, fps: 5, seconds: 2}
"""


def main(bvh: Path, out: Path) -> None:
    overrides = Overrides(action="walk", source=bvh.name, licence="my own")
    summary = import_motions((bvh,), out / "motions", fps=20, overrides=overrides)
    print(summary.figures())  # how well the retargeted skeleton follows the recorded one
    save_scene(make_room(seed=3, height=96), out / "room")
    (out / "recipe.yaml").write_text(RECIPE)
    generate(load_recipe(out / "recipe.yaml"), out / "clips", workers=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
