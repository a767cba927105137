"""Film an event of your own, from motion capture of it: python examples/own_motion.py wander.bvh OUT"""

import sys
from pathlib import Path

from augment.generate.recipe import load_recipe
from augment.generate.run import generate
from augment.scene.rooms.care_room import make_room
from augment.scene.store import save_scene

RECIPE = """
name: own-motion
scenes: [{{path: room}}]
actions: {{wander: {{label: wandering, captions: "{{who}} wanders about."}}}}
clips: [{{action: wander, from: {motion}}}]
film: {{height: 96, fps: 5, seconds: 2}}
"""


def main(bvh: Path, out: Path) -> None:
    save_scene(make_room(seed=3, height=96), out / "room")
    (out / "recipe.yaml").write_text(RECIPE.format(motion=bvh.resolve()))
    generate(load_recipe(out / "recipe.yaml"), out / "clips", workers=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
