"""Make one planned clip: cast, place, film, encode. This is the work of a worker process."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..body.model import Body, load_body
from ..seeds import clip_rng
from ..shards.sample import ENCODERS, Sample, clip_to_sample, motion_arrays
from ..types import Clip, Performance, Segment
from ..workers import stopping
from .casting import cast
from .contact import draw_row
from .recipe import PlannedClip, Recipe, scene_cameras
from .views import RoomView, room_view, scene_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmingJob:
    """Settings shared by all clips of a run; sent to every worker once."""

    recipe: Recipe
    seed: int
    recipe_sha256: str
    scenes: dict[str, tuple[Path, str]]
    """Name to the scene's folder and digest."""
    pictured: dict[str, str] = field(default_factory=dict)
    """Keys of the clips that get a row on the contact sheet."""
    pool: Path | None = None
    """The pool of motions that clips share, see ``motion_pool``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeClip:
    """A clip, or the reasons why there is none."""

    key: str
    sample: Sample | None
    """None if every attempt failed."""
    rejections: Counter[str] = field(default_factory=Counter)
    """Number of failed attempts by reason."""
    row: bytes | None = None
    """Its row of the contact sheet, a JPEG, if it is pictured."""


_job: FilmingJob | None = None
_load_body = lru_cache(maxsize=1)(load_body)


def init_worker(job: FilmingJob) -> None:
    """Prepare this process for ``make_clip``."""
    import torch

    global _job
    _job = job
    torch.set_num_threads(1)


def make_clip(clip: PlannedClip) -> MadeClip:
    """Try up to ``recipe.attempts`` times, each with random numbers of its own."""
    from ..motion.library.falls.simulate import FallRejected
    from ..placement.place import PlacementRejected

    assert _job is not None, "init_worker comes first"
    rejections: Counter[str] = Counter()
    for attempt in range(_job.recipe.attempts):
        if stopping():
            break
        try:
            sample, row = _attempt(_job, clip, attempt)
            return MadeClip(key=clip.key, sample=sample, rejections=rejections, row=row)
        except (FallRejected, PlacementRejected) as rejected:
            rejections[f"{clip.action}: {rejected.reason}"] += 1
        except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
            # One bad body or motion must not end a long run; it is counted like any other reason.
            rejections[f"{clip.action}: error: {str(error).splitlines()[0] if str(error) else type(error).__name__}"] += 1
    return MadeClip(key=clip.key, sample=None, rejections=rejections)


def _attempt(job: FilmingJob, clip: PlannedClip, attempt: int) -> tuple[Sample, bytes | None]:
    from ..film.keypoints import film_keypoints
    from ..film.through_lens import bend_layers
    from ..placement.place import place

    recipe, rng = job.recipe, clip_rng(job.seed, clip.key, attempt)
    body = _load_body(recipe.people.body)
    folder, digest = job.scenes[clip.scene]
    cameras = scene_cameras(recipe)[clip.scene]
    number = 0 if cameras.kind == "scene" else int(rng.integers(cameras.views))
    look = recipe.film.look[int(rng.integers(len(recipe.film.look))) if len(recipe.film.look) > 1 else 0]
    scene, room = scene_of(folder), room_view(folder, cameras, number, recipe.film, look)
    if cameras.kind != "scene" or room.bend is not None:
        # Placement must judge what this camera sees.
        scene = replace(scene, camera=room.seen.camera, plate=room.seen.plate, depth=room.seen.depth)
    if attempt > recipe.attempts // 2:
        clip = replace(clip, motion=None)  # the shared motion seems to have no place here: the last tries have one of their own
    performance = cast(clip, recipe.people, body, rng=rng, seconds=recipe.film.seconds, pool=job.pool, fps=recipe.film.fps)
    performance = place(performance, scene, body, rng=rng)
    if set(recipe.film.layers) == {"keypoints"}:
        layers, made = film_keypoints(performance, room.filmed, body, fps=recipe.film.fps), {}
        layers = layers if room.bend is None else bend_layers(layers, room.bend)
    else:
        layers, made = _shoot(recipe, performance, room, body, look, rng=rng)
    provenance = {
        "run": {"name": recipe.name, "seed": job.seed, "recipe_sha256": job.recipe_sha256, "attempt": attempt},
        "scene": {
            "name": scene.name, "sha256": digest, "camera": "scene" if cameras.kind == "scene" else f"{cameras.kind} {number}",
            # Real video that the room was made from: a study that tests on it refuses these clips.
            "recordings": scene.provenance.get("recordings", []),
        },
        **made,
        "body": {"name": body.name, "licence": body.licence},
        **performance.provenance,
    }  # fmt: skip
    row = None
    if clip.key in job.pictured:
        row = draw_row(layers, room.seen.plate, f"{performance.action}: {performance.caption}")
    return _to_sample(recipe, clip.key, performance, layers, provenance), row


def _shoot(
    recipe: Recipe, performance: Performance, room: RoomView, body: Body, look: str, *, rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A placed performance's layers through the camera and its lens, and what was drawn for them."""
    from ..film.appearance import sample_look
    from ..film.detail import finest_detail
    from ..film.film import film
    from ..film.night import infrared_colors
    from ..film.sensor import apply_sensor, sample_sensor
    from ..film.through_lens import bend_layers

    outfits = recipe.people.outfits
    looks = [
        sample_look(
            body, rng=rng, outfit=str(rng.choice(outfits)) if outfits else None,
            finest=finest_detail(motion, body, room.filmed.camera),
        )
        for motion in performance.people
    ]  # fmt: skip
    if look == "night":
        looks = [replace(worn, colors=infrared_colors(worn.colors)) for worn in looks]
    layers = film(
        performance, room.filmed, body, looks, rng=rng, fps=recipe.film.fps,
        layers=[name for name in recipe.film.layers if name != "keypoints"], rasterizer=_rasterizer(recipe.film.rasterizer),
    )  # fmt: skip
    sensor = sample_sensor(look, recipe.film.exposure, recipe.film.compression, rng=rng)
    layers = layers if room.bend is None else bend_layers(layers, room.bend)
    if "frames" in layers:
        layers["frames"] = apply_sensor(layers["frames"], sensor, recipe.film.fps, rng=rng)
    return layers, {
        "looks": [worn.description for worn in looks], "style": asdict(layers["style"]), "look": look, "sensor": asdict(sensor),
    }  # fmt: skip


def _to_sample(
    recipe: Recipe, key: str, performance: Performance, layers: dict[str, Any], provenance: dict[str, Any]
) -> Sample:
    """Layers to a sample; an odd last row or column is left out (the video halves its colours)."""
    from ..film.keypoints import LAYOUTS

    camera = layers["camera"]
    count, height, width = len(layers["joints"]), camera.height // 2 * 2, camera.width // 2 * 2

    def cut(name: str) -> np.ndarray:
        return np.ascontiguousarray(layers[name][:, :height, :width])

    camera = replace(camera, width=width, height=height)
    clip = Clip(
        frames=cut("frames") if "frames" in layers else None,
        shape=(count, height, width),
        fps=recipe.film.fps,
        action=performance.action,
        segments=end_segments(performance.segments, count / recipe.film.fps),
        caption=performance.caption,
        arrays=motion_arrays(layers["people"], camera, layers["joints"], {name: layers[name] for name in LAYOUTS}),
        provenance=provenance,
    )
    extra = {name: cut(name) for name in recipe.film.layers if name in ENCODERS}
    return clip_to_sample(key, clip, crf=recipe.film.crf, layers=extra)


def end_segments(segments: tuple[Segment, ...], seconds: float) -> tuple[Segment, ...]:
    """The segments fitted to a film of ``seconds``: resampling moves the end by part of a frame."""
    kept = [segment for segment in segments if segment.start_sec < seconds - 1e-6]
    return tuple(
        Segment(
            label=segment.label,
            start_sec=0.0 if number == 0 else segment.start_sec,
            end_sec=round(seconds, 6) if number == len(kept) - 1 else segment.end_sec,
        )
        for number, segment in enumerate(kept)
    )


@lru_cache(maxsize=1)
def _rasterizer(kind: str) -> Any:
    """What draws people instead of the engine itself, if anything."""
    if kind != "pyrender":
        return None
    from ..raster.rasterize import make_rasterizer

    return make_rasterizer(kind)
