"""From videos of one fixed camera to a scene with the people in it: everything in one metric, gravity-aligned world.

read, check, track -> calibrate -> fit people -> plate -> depth, measured or guessed -> scene, motions, report

Without ``config.people`` nobody is tracked or fitted, and the scene is all that is written.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..actions import DOUBTFUL, FRAME_LABELS, did_you_mean
from ..body.model import Body, load_body
from ..priors.prior import Prior
from ..priors.registry import load_prior
from ..scene.store import save_scene
from ..sources.people.keypoints import read_keypoints
from ..types import Camera, Segment
from .annotate.labels import identify, labels_of
from .bodies.cover import body_outlines
from .bodies.problem import Setting
from .bodies.terms import boxes_of
from .camera.calibrate import Uncalibrated
from .camera.choose import calibrate_or_guess, calibrate_videos, picture_of, still_picture
from .camera.given import Picture
from .config import Inputs, ReconstructConfig
from .fitting import fit_recordings, refine_camera, refit_inside
from .motions import SHORTEST_SEC, store_motions, trusted_stretches
from .people import Reconstruction
from .plate.frames import Outlines
from .plate.looks import Plate, make_plate
from .provenance import make_scene
from .recordings import Recording, read_recordings
from .report.page import write_report
from .room import Observation, Room, find_room

Segments = dict[str, tuple[Segment, ...]]
"""Frame labels by annotated person, by the video's file name (or its stem), or by track number."""


def reconstruct(
    inputs: Sequence[Inputs], out: Path, *, config: ReconstructConfig | None = None, body: Body | None = None,
    segments: Segments | None = None, progress: Callable[[str, float], None] | None = None,
) -> Reconstruction:  # fmt: skip
    """Reconstruct room and people from videos of one fixed camera, and write scene, motions and report.

    Fits are kept under ``out/work`` and loaded from there when the same inputs come again, so an interrupted run continues.

    Args:
        inputs: One or more videos of the same fixed camera, each with its detections.
        out: The scene's folder: ``scene.json`` and its files, ``motions/`` (a motion store), ``report.html``, ``work/``.
        config: Options.
        body: The body to fit; the open default body when None.
        segments: Frame labels of people (see ``labels_of``).
        progress: Called with the name of the step and the share of the whole that is done, 0..1.
    Returns:
        The scene and the people; everything rejected is counted in ``rejections``.
    Raises:
        ValueError: If no video can be used; of several videos, unusable ones are counted and left out.
    """
    if not inputs:
        raise ValueError("no video given; name one or more videos of one fixed camera")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is a file; name a folder for the scene")
    config = config or ReconstructConfig()
    clock = _Clock(progress or (lambda what, share: None))
    run = _Run(config, body or load_body(), load_prior(config.prior) if config.people else None, clock, Counter())
    with clock.step("watch", 0.0):
        recordings, rejected = read_recordings(inputs, config, run.body)
        run.rejections.update(rejected)
    seen = _observe_people(run, recordings, out / "work") if config.people else _observe_room(run, recordings)
    with clock.step("room", 0.7):
        room = find_room(seen, run.body, config)
    with clock.step("settle", 0.8):
        seen = _refit(run, seen, room)
    scene = make_scene(out.resolve().name, seen, room, config)
    with clock.step("write", 0.85):
        save_scene(scene, out, cloud=room.cloud)
        if config.people:
            _store(run, seen, out / "motions", segments)
    _count(run.rejections, seen)
    result = Reconstruction(
        scene=scene, videos=tuple(recording.info.path for recording in seen.recordings), people=seen.people,
        depth=room.depth_info, rejections=dict(run.rejections), seconds=clock.seconds,
    )  # fmt: skip
    if config.people:
        with clock.step("report", 0.9):
            write_report(result, out, body=run.body, max_overlays=config.max_overlays)
    return result


class _Clock:
    """Times the steps and reports the overall progress."""

    def __init__(self, progress: Callable[[str, float], None]) -> None:
        self.seconds: dict[str, float] = {}
        self.progress = progress

    @contextmanager
    def step(self, name: str, share: float) -> Iterator[None]:
        self.progress(name, share)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 2)


@dataclass(frozen=True, slots=True)
class _Run:
    """Inputs and results shared by all steps."""

    config: ReconstructConfig
    body: Body
    prior: Prior | None
    """None where nobody is fitted."""
    clock: _Clock
    rejections: Counter[str]
    """Everything rejected so far, by reason."""

    def setting(self, camera: Camera, fps: float) -> Setting:
        """Inputs of a fit besides the people."""
        return Setting(
            camera=camera, body=self.body, fps=fps, prior=self.prior, person_height=self.config.given.stature,
            config=self.config.fit,
        )  # fmt: skip


def _observe_people(run: _Run, recordings: Sequence[Recording], work: Path) -> Observation:
    """Camera, people and plate; pixels that fitted bodies cover are left out of the plate."""
    config, clock = run.config, run.clock
    with clock.step("calibrate", 0.15):
        videos = [recording.seen for recording in recordings]
        still = still_picture([seen.info.path for seen in videos])
        calibration = calibrate_or_guess(videos, picture_of(still), config.given, still)
    setting = run.setting(calibration.camera, recordings[0].info.fps)
    if config.fit.refine_camera:
        with clock.step("refine", 0.18):
            calibration, rejected = refine_camera(recordings, calibration, setting)
            setting = replace(setting, camera=calibration.camera)
            run.rejections.update(rejected)
    with clock.step("fit", 0.2):
        people, rejected = fit_recordings(
            recordings, setting, prior=config.prior, work=work,
            progress=lambda what, share: clock.progress(what, 0.2 + 0.35 * share),
        )  # fmt: skip
        run.rejections.update(rejected)
    with clock.step("plate", 0.55):
        outlines = [
            tuple(body_outlines(recording.seen, [p for p in people if p.video == i], run.body, calibration.camera))
            for i, recording in enumerate(recordings)
        ]
        plate = _plate(run, recordings, outlines)
    return Observation(
        recordings=tuple(recordings), calibration=calibration, plate=plate, people=tuple(people), outlines=tuple(outlines)
    )


def _observe_room(run: _Run, recordings: Sequence[Recording]) -> Observation:
    """Plate, then camera, as the plate shows the black bars exactly; nobody is fitted.

    Raises:
        ValueError: If people were detected but too few of them upright.
    """
    outlines = tuple(recording.seen.outlines for recording in recordings)
    with run.clock.step("plate", 0.1):
        plate = _plate(run, recordings, outlines)
    with run.clock.step("calibrate", 0.6):
        info = recordings[0].info
        picture = Picture(width=info.width, height=info.height, content=plate.content)
        calibration = calibrate_videos([item.seen for item in recordings], picture, run.config.given, plate.image)
    if isinstance(calibration, Uncalibrated):
        raise ValueError(calibration.reason)
    return Observation(recordings=tuple(recordings), calibration=calibration, plate=plate, people=(), outlines=outlines)


def _plate(run: _Run, recordings: Sequence[Recording], outlines: Outlines) -> Plate:
    videos = [recording.info.path for recording in recordings]
    return make_plate(videos, outlines if any(outlines) else None, mask=run.config.mask, sampling=run.config.sampling)


def _refit(run: _Run, seen: Observation, room: Room) -> Observation:
    """Fit again the people who intersect measured furniture."""
    boxes = boxes_of(room.obstacles, room.surfaces)
    if not room.depth_info or boxes is None:
        return seen
    setting = run.setting(seen.camera, seen.recordings[0].info.fps)
    return replace(seen, people=tuple(refit_inside(seen.people, seen.recordings, setting, boxes)))


def _store(run: _Run, seen: Observation, folder: Path, segments: Segments | None) -> None:
    """Write the people's motions with their labels."""
    videos = [recording.seen for recording in seen.recordings]
    identities = [_identities(recording, run.body) for recording in seen.recordings]
    labels = [labels_of(person, videos, segments, identities) for person in seen.people]
    if segments and not any(labels):
        run.rejections["annotations: none of the names in the file is one of these videos or tracks"] = len(segments)
    for label, count in Counter(segment.label for given in labels for segment in given).items():
        if label not in FRAME_LABELS and (hint := did_you_mean(label, FRAME_LABELS, least=DOUBTFUL)):
            run.rejections[f"annotations: taken as a frame label of your own: {label!r}{hint}"] = count
    store_motions(
        folder, seen.people, videos=[recording.info.path.name for recording in seen.recordings], segments=labels,
        rest_pelvis={i: run.body.rest_joints(person.motion.betas)[0] for i, person in enumerate(seen.people)},
    )  # fmt: skip


def _identities(recording: Recording, body: Body) -> dict[int, int]:
    """The annotated person of each track that has one."""
    path, info = recording.inputs.annotated, recording.info
    if path is None:
        return {}
    return identify(recording.seen, read_keypoints(path, width=info.width, height=info.height), body)


def _count(rejections: Counter[str], seen: Observation) -> None:
    """Add the frames and stretches that are not trusted, and what was left out or repaired in tracking."""
    for person in seen.people:
        for first, end, reason in person.rejected:
            rejections[f"frames: {reason}"] += end - first
        short = len(trusted_stretches(person, shortest_sec=0.0)) - len(trusted_stretches(person))
        if short:
            rejections[f"trusted stretches shorter than {SHORTEST_SEC:g} s, not stored as motions"] += short
    for recording in seen.recordings:
        rejections.update(recording.seen.counts)
