"""Film one fall in a furnished room: python examples/film_one_clip.py OUT"""

import sys
from pathlib import Path

import numpy as np

from augment.body.model import load_body
from augment.body.shapes import betas_from_phenotype
from augment.film.appearance import sample_look
from augment.film.film import film
from augment.film.view import prepare_view
from augment.motion.library.falls.plan import FallRequest
from augment.motion.library.falls.simulate import simulate_fall
from augment.placement.place import place
from augment.scene.rooms.care_room import make_room
from augment.shards.video_codec import encode_video
from augment.types import Performance


def main(out: Path) -> None:
    rng = np.random.default_rng(2)
    body, room = load_body(), make_room(seed=3, height=144)
    shape = betas_from_phenotype(body, height_m=1.65, age=0.9)
    fall = simulate_fall(FallRequest(kind="fall_sideways", betas=shape, seconds=4), rng=rng, body=body)
    performance = Performance(people=(fall,), action=fall.action, caption=fall.caption, segments=fall.segments)
    placed, view = place(performance, room, body, rng=rng), prepare_view(room, height=144)
    looks = [sample_look(body, rng=rng)]
    layers = film(placed, view, body, looks, rng=rng, fps=10)
    out.mkdir(parents=True, exist_ok=True)
    (out / "fall.mp4").write_bytes(encode_video(layers["frames"], fps=10))
    np.savez(out / "fall.npz", mask=layers["mask"], depth=layers["depth"], joints=layers["joints"], K=layers["camera"].K)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
