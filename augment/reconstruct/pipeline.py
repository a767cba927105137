"""From videos of one fixed camera to a scene with the people in it: everything in one metric, gravity-aligned world.

watch (read, check, track) -> calibrate -> fit people -> plate -> depth in metres, or a guess -> scene, motions, report
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..body.model import Body, load_body
from ..priors.load import load_prior
from ..priors.state import Prior
from ..scene.store import save_scene
from ..sources.people.keypoints import read_keypoints
from ..types import Camera, Scene, Segment
from .annotate.labels import identify, labels_of
from .bodies.cover import body_outlines
from .bodies.fit import depth_in_boxes, fit_people, rejected_people
from .bodies.problem import Setting
from .bodies.terms import boxes_of
from .cache import digest_of, load_fit, save_fit
from .camera.calibrate import Calibration
from .camera.choose import calibrate_from, count_rejected, refine
from .config import Inputs, ReconstructConfig
from .from_video import ceiling_light, provenance_of
from .motions import SHORTEST_SEC, store_motions, trusted_stretches
from .people import Reconstruction, Recovered
from .plate.looks import Plate, make_plate
from .report.page import write_report
from .room import Room, find_room, open_depth
from .watch.watch import Watched, track_of, watch

FORMAT = 8
"""Raised whenever a fit's result changes, so that fits kept in ``work`` by older code are not reused."""


def reconstruct(
    inputs: Sequence[Inputs], out: Path, *, config: ReconstructConfig | None = None, body: Body | None = None,
    segments: dict[str, tuple[Segment, ...]] | None = None, progress: Callable[[str, float], None] | None = None,
) -> Reconstruction:  # fmt: skip
    """Reconstruct room and people from videos of one fixed camera, and write scene, motions and report.

    Fits are kept under ``out/work`` and taken from there when the same inputs come again, so an interrupted run goes on.

    Args:
        inputs: One or more videos of the same fixed camera, each with what estimators found in it.
        out: The scene's folder: ``scene.json`` and its files, ``motions/`` (a motion store), ``report.html``, ``work/``.
        config: Options.
        body: Whose shape space is used; the open default body when None.
        segments: Frame labels by annotated person, by the video's file name (or its stem), or by track number where there is
            one video (see ``labels_of``).
        progress: Called with what is being done and the share of the whole that is done, 0..1.
    Returns:
        The scene and the people; everything turned down is counted in ``rejections``.
    Raises:
        ValueError: If no video can be used; with several videos one that cannot is counted and left out.
    """
    config, body, clock = config or ReconstructConfig(), body or load_body(), Clock(progress or (lambda what, share: None))
    if not inputs:
        raise ValueError("no video given; name one or more videos of one fixed camera")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is a file; name a folder for the scene")
    prior = load_prior(config.prior)
    rejections: dict[str, int] = {}
    with clock.step("watch", 0.0):
        used, watched = _watch_all(inputs, body, config, rejections)
        used = open_depth(used, watched, config)
    with clock.step("calibrate", 0.15):
        calibration = calibrate_from(watched, config)
    if config.fit.refine_camera:
        with clock.step("refine", 0.18):
            calibration = refine(calibration, watched, body, prior, config, rejections)
    with clock.step("fit", 0.2):
        people = _fit_all(used, watched, calibration.camera, body, prior, config, out / "work", clock, rejections)
    with clock.step("plate", 0.55):
        camera = calibration.camera
        outlines = [body_outlines(w, [p for p in people if p.video == i], body, camera) for i, w in enumerate(watched)]
        plate = make_plate([w.info.path for w in watched], outlines if any(outlines) else None, mask=config.mask)
    with clock.step("room", 0.7):
        room = find_room(used, watched, people, calibration, plate, body, config, outlines)
    with clock.step("settle", 0.8):
        people = _settle(watched, people, calibration.camera, body, prior, config, room)
    scene = _scene(out.resolve().name, watched, people, calibration, plate, config, room)
    with clock.step("write", 0.85):
        save_scene(scene, out, cloud=room.cloud)
        identities = [_identities(item, w, body) for item, w in zip(used, watched, strict=True)]
        labels = [labels_of(person, watched, segments, identities) for person in people]
        if segments and not any(labels):
            rejections["annotations: none of the names in the file is one of these videos or tracks"] = len(segments)
        store_motions(
            out / "motions", people, videos=[w.info.path.name for w in watched], segments=labels,
            rest_pelvis={i: body.rest_joints(person.motion.betas)[0] for i, person in enumerate(people)},
        )  # fmt: skip
    for person in people:
        for first, end, reason in person.rejected:
            rejections[f"frames: {reason}"] = rejections.get(f"frames: {reason}", 0) + end - first
        short = len(trusted_stretches(person, shortest_sec=0.0)) - len(trusted_stretches(person))
        if short:
            reason = f"trusted stretches shorter than {SHORTEST_SEC:g} s, not stored as motions"
            rejections[reason] = rejections.get(reason, 0) + short
    for w in watched:
        for reason, count in w.counts.items():
            rejections[reason] = rejections.get(reason, 0) + count
    result = Reconstruction(
        scene=scene, videos=tuple(w.info.path for w in watched), people=tuple(people), depth=room.depth_info,
        rejections=rejections, seconds=clock.seconds,
    )  # fmt: skip
    with clock.step("report", 0.9):
        write_report(result, out, body=body, max_overlays=config.max_overlays)
    return result


class Clock:
    """Times the steps and tells the caller how far the whole is."""

    def __init__(self, progress: Callable[[str, float], None]) -> None:
        self.seconds: dict[str, float] = {}
        self.tell = progress

    @contextmanager
    def step(self, name: str, share: float) -> Iterator[None]:
        self.tell(name, share)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 2)


def _watch_all(
    inputs: Sequence[Inputs], body: Body, config: ReconstructConfig, rejections: dict[str, int]
) -> tuple[list[Inputs], list[Watched]]:
    """All videos that can be used; of several, those that cannot are counted by reason."""
    used, watched, first_error = [], [], None
    for item in inputs:
        try:
            one = watch(item.video, keypoints=item.keypoints, hmr=item.hmr, body=body, focal=config.given.focal)
            if watched and (one.info.width, one.info.height) != (watched[0].info.width, watched[0].info.height):
                raise ValueError(
                    f"{item.video}: {one.info.width}x{one.info.height}, but {watched[0].info.path} is "
                    f"{watched[0].info.width}x{watched[0].info.height}; a scene is made from videos of ONE fixed camera"
                )
        except ValueError as error:
            if len(inputs) == 1:
                raise
            first_error = first_error or error
            rejections[f"video: {error}"] = rejections.get(f"video: {error}", 0) + 1
            continue
        used.append(item)
        watched.append(one)
    if not watched:
        raise ValueError(f"none of the {len(inputs)} videos can be used; the first one: {first_error}")
    return used, watched


def _fit_all(
    used: Sequence[Inputs], watched: Sequence[Watched], camera: Camera, body: Body, prior: Prior, config: ReconstructConfig,
    work: Path, clock: Clock, rejections: dict[str, int],
) -> list[Recovered]:  # fmt: skip
    """Fit every video's people, each video on its own; what an earlier run fitted is taken from ``work``."""
    people: list[Recovered] = []
    for number, (item, seen) in enumerate(zip(used, watched, strict=True)):
        if not seen.people:
            continue
        key = digest_of(
            FORMAT, item.video, item.keypoints, item.hmr, config.prior, asdict(config.fit), config.person_height,
            {"K": camera.K, "T": camera.T_world_camera, "body": body.name},
        )  # fmt: skip
        path = work / f"{item.video.stem}-{key}.npz"
        setting = Setting(
            camera=camera, body=body, fps=seen.info.fps, prior=prior, person_height=config.person_height, config=config.fit
        )
        found = load_fit(path)
        if found is None:
            share = 0.2 + 0.35 * number / len(used)

            def tell(stage: str, step: int, steps: int, share: float = share, name: str = item.video.name) -> None:
                clock.tell(f"fit {name}: {stage} {step}/{steps}", share)

            fitted = fit_people(seen.people, setting, video=number, progress=tell)
            found = list(fitted.people)
            count_rejected(fitted.rejected, rejections)
            work.mkdir(parents=True, exist_ok=True)
            save_fit(path, found)
        elif len(found) < len(seen.people):
            count_rejected(rejected_people(seen.people, setting), rejections)
        classes = {track_of(tables): name for tables, name in zip(seen.people, seen.classes, strict=True)}
        people += [replace(person, video=number, person_class=classes[person.track]) for person in found]
    return people


def _settle(
    watched: Sequence[Watched], people: list[Recovered], camera: Camera, body: Body, prior: Prior,
    config: ReconstructConfig, room: Room,
) -> list[Recovered]:  # fmt: skip
    """Fit the people again who intersect measured furniture, now that it is known; the others stay as they are."""
    boxes = boxes_of(room.obstacles, room.surfaces)
    if not room.depth_info or boxes is None:
        return people
    result = list(people)
    for index, person in enumerate(people):
        if depth_in_boxes(person, boxes) < 0.06:
            continue
        tables = next(own for own in watched[person.video].people if track_of(own) == person.track)
        setting = Setting(
            camera=camera, body=body, fps=person.motion.fps, prior=prior, person_height=config.person_height, boxes=boxes,
            config=config.fit,
        )  # fmt: skip
        again = fit_people([tables], setting, video=person.video, start=[person])
        result[index] = replace(again.people[0], video=person.video, person_class=person.person_class)
    return result


def _scene(
    name: str, watched: Sequence[Watched], people: Sequence[Recovered], calibration: Calibration, plate: Plate,
    config: ReconstructConfig, room: Room,
) -> Scene:  # fmt: skip
    provenance = provenance_of(
        [w.info.path for w in watched], plate, calibration, config.given, config.person_height, config.mask,
        bool(people), room.layout, room.feet,
    )  # fmt: skip
    provenance["guessed"] = [*room.guessed, *(g for g in provenance["guessed"] if g not in room.guessed)]
    provenance["people"] = len(people)
    provenance["depth"] = room.depth_info
    provenance["estimators"] = sorted({table.source for w in watched for person in w.people for table in person})
    return Scene(
        name=name, camera=calibration.camera, plate=plate.image, depth=room.depth.astype(np.float32), floor=room.floor,
        surfaces=room.surfaces, obstacles=room.obstacles, lights=ceiling_light(room.floor), mesh=room.mesh,
        provenance=provenance,
    )  # fmt: skip


def _identities(item: Inputs, watched: Watched, body: Body) -> dict[int, int]:
    if item.annotated is None:
        return {}
    return identify(watched, read_keypoints(item.annotated, width=watched.info.width, height=watched.info.height), body)
