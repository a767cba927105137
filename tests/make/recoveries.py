"""Reconstructions of videos we filmed ourselves: what a good fit gives, made from the truth with a detector's noise on it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from augment import geometry
from augment.body.model import Body, joints_of
from augment.body.shapes import betas_from_phenotype
from augment.film.appearance import sample_look
from augment.film.film import film
from augment.film.view import prepare_view
from augment.motion.contacts import foot_contacts
from augment.motion.library.falls.plan import FallRequest
from augment.motion.library.falls.simulate import FallRejected, simulate_fall
from augment.motion.library.scripted.act import make_action
from augment.placement.place import PlacementRejected, place
from augment.raster.rasterize import Rasterizer
from augment.reconstruct.people import Reconstruction, Recovered
from augment.shards.video_codec import encode_video
from augment.sources.people.people import LAYOUTS
from augment.types import Camera, Motion, Performance, Scene


def act(name: str, body: Body, *, rng: np.random.Generator, fps: float, seconds: float) -> Motion:
    """A library action or a simulated fall of somebody."""
    betas = betas_from_phenotype(body, height_m=float(rng.uniform(1.6, 1.8)))
    if name.startswith("fall"):
        return simulate_fall(FallRequest(kind=name, betas=betas, fps=fps, seconds=seconds), rng=rng, body=body)
    return make_action(name, rng=rng, body=body, betas=betas, fps=fps, seconds=seconds)


def _act_in(scene: Scene, name: str, body: Body, *, rng: np.random.Generator, fps: float, seconds: float) -> Motion:
    """The same, somewhere in a room where there is space for it."""
    for _ in range(12):
        with contextlib.suppress(PlacementRejected, FallRejected):
            motion = act(name, body, rng=rng, fps=fps, seconds=seconds)
            alone = Performance(people=(motion,), action=motion.action, caption=motion.caption, segments=motion.segments)
            return place(alone, scene, body, rng=rng, props=False).people[0]
    raise AssertionError(f"no place for {name} in {scene.name}: take another seed")


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """World points to pixels."""
    return geometry.project(geometry.transform_points(geometry.invert_transform(camera.T_world_camera), points), camera.K)


def recover(
    motion: Motion, camera: Camera, body: Body, *, video: int, track: int, rng: np.random.Generator, noise_px: float = 3.0,
    person_class: str = "patient", layout: str = "smpl24", gap: tuple[int, int] | None = None,
    rejected: tuple[tuple[int, int, str], ...] = (),
) -> Recovered:  # fmt: skip
    """What a fit would say of a known motion: the truth itself, seen by a noisy detector."""
    joints = joints_of(body, motion)
    count = len(motion)
    points = joints if layout == "smpl24" else joints[:, :0]
    assert layout in ("smpl24", "")
    assert len(LAYOUTS["smpl24"]) == 24
    fitted = project(camera, points)
    observed = np.concatenate([fitted + rng.normal(0, noise_px, fitted.shape), np.ones((*fitted.shape[:2], 1))], axis=-1)
    seen = np.ones(count, bool)
    if gap:
        seen[slice(*gap)] = False
    observed[~seen] = np.nan
    error = np.linalg.norm(observed[..., :2] - fitted, axis=-1)
    return Recovered(
        video=video, track=track, person_class=person_class, frames=np.arange(count), observed=seen, motion=motion,
        joints=joints, layout=layout, observed2d=observed, fitted2d=fitted,
        reprojection_px=error.mean(axis=1) if error.shape[1] else np.full(count, np.nan),
        contact=foot_contacts(joints, motion.fps).astype(float), height_m=body.height(motion.betas),
        stages={"root": {"data": 812.4, "prior": 0.0}, "all": {"data": 131.7, "prior": 22.1, "smooth": 8.25}},
        rejected=rejected,
    )  # fmt: skip


def film_clips(
    scene: Scene, clips: Sequence[Sequence[str]], folder: Path, body: Body, rasterizer: Rasterizer, *, seed: int, height: int,
    fps: float, seconds: float, **options: object,
) -> Reconstruction:  # fmt: skip
    """Film clips of one room, write them as mp4, and say what reconstruction would recover.

    Args:
        clips: The actions of each clip's people.
        options: For ``recover``, of the first person of every clip.
    """
    camera = scene.camera
    videos, people = [], []
    for number, names in enumerate(clips):
        rng = np.random.default_rng([seed, number])
        placed = [_act_in(scene, name, body, rng=rng, fps=fps, seconds=seconds) for name in names]
        together = Performance(people=tuple(placed), action="other", caption="", segments=())
        looks = [sample_look(body, rng=rng, outfit="day") for _ in placed]
        view = prepare_view(scene, height=height)
        shot = film(together, view, body, looks, rng=rng, fps=fps)
        path = folder / f"clip-{number:02d}.mp4"
        path.write_bytes(encode_video(shot["frames"], fps=fps))
        videos.append(path)
        camera = shot["camera"]
        for track, motion in enumerate(shot["people"]):
            chosen = options if track == 0 else {}
            people.append(recover(motion, camera, body, video=number, track=track, rng=rng, **chosen))  # type: ignore[arg-type]
    return Reconstruction(scene=scene_at(scene, camera), videos=tuple(videos), people=tuple(people))


def scene_at(scene: Scene, camera: Camera) -> Scene:
    """The same room with plate and depth at a video's size."""
    from dataclasses import replace

    import cv2

    size = (camera.width, camera.height)
    return replace(
        scene, camera=camera, plate=cv2.resize(scene.plate, size, interpolation=cv2.INTER_AREA),
        depth=cv2.resize(scene.depth, size, interpolation=cv2.INTER_NEAREST),
    )  # fmt: skip
