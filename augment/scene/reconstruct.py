"""From videos of one fixed camera to a scene with the people in it: everything in one metric, gravity-aligned world.

watch (read, check, track) -> calibrate -> fit people -> plate -> depth in metres, or a guess -> scene, motions, report
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from ..body import Body, load_body
from ..priors.load import load_prior
from ..priors.state import Prior
from ..sources.depth import DepthMaps, read_depth_maps
from ..sources.keypoints import read_keypoints
from ..sources.people import People
from ..types import Camera, Obstacle, Scene, Segment, Surface
from .body_buffers import body_outlines, depth_frames, z_buffers
from .depth_mesh import mesh_from_depth
from .depth_room import cloud_from_depth, room_from_depth
from .fit import FitConfig, fit_people
from .from_video import ceiling_light, provenance_of
from .fuse import fuse_depth
from .ground import Calibration, Given, calibrate, guess_calibration, visible_floor, walked_floor
from .labels import identify, labels_of
from .layout import guess_layout
from .plate import Plate, make_plate
from .recovered import Reconstruction, Recovered
from .recovered_store import digest_of, load_fit, save_fit, store_motions
from .report import write_report
from .scale import DepthFit, fit_disparity
from .seats import seats_from_people
from .store import save_scene
from .upright import find_upright
from .watched import Watched, track_of, watch

FORMAT = 4
"""Raised whenever a fit's result changes, so that fits kept in ``work`` by older code are not reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One video and what goes with it."""

    video: Path
    keypoints: Path | People | None = None
    hmr: Path | None = None
    depth: DepthMaps | Path | None = None
    annotated: Path | None = None
    """Keypoints or boxes of annotated people (COCO JSON with ``track_id``), for whom ``segments`` holds labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructConfig:
    """How a reconstruction is made."""

    person_height: float = 1.70
    """Stature of whoever walks in the videos, metres; all measures scale with it."""
    given: Given = field(default_factory=Given)
    """What is known of the camera."""
    prior: Path | None = None
    """Pose or motion prior; None takes the one the package brings."""
    fit: FitConfig = field(default_factory=FitConfig)
    """Weights of the fit."""
    depth_frames: int = 16
    """Frames of a video whose depth maps are compared with bodies."""
    depth_kind: str | None = None
    """``disparity``, ``depth`` or ``metric``; None tells by the file."""
    depth_encoding: str = "plain"
    depth_scale: float = 1000.0
    """Units a metre of 16-bit depth pictures."""
    mask: Bool[np.ndarray, "h w"] | None = None
    """True where somebody sat still and is to be painted out of the plate."""
    max_overlays: int = 6
    """Clips that get an overlay video in the report."""
    seed: int = 0
    """Decides what RANSAC draws."""


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
        room = _room(used, watched, people, calibration, plate, body, config, outlines)
    with clock.step("settle", 0.8):
        people = _settle(used, watched, people, calibration.camera, body, prior, config, room)
    scene = _scene(out.resolve().name, used, watched, people, calibration, plate, config, room)
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


def calibrate_from(watched: Sequence[Watched], config: ReconstructConfig) -> Calibration:
    """The camera over its floor, from everybody who stands or walks in any of the videos; guessed if nobody does."""
    width, height = watched[0].info.width, watched[0].info.height
    x0, y0, x1, y1 = _content(watched[0])
    center = ((x0 + x1) / 2, (y0 + y1) / 2)
    outlines = [outline for w in watched for outline in w.outlines]
    if not outlines:
        return guess_calibration(width, height, center, config.given, x1 - x0)
    try:
        return calibrate(
            find_upright(outlines), width=width, height=height, person_height=config.person_height, center=center,
            given=config.given, content_width=x1 - x0,
        )  # fmt: skip
    except ValueError as error:
        given = config.given
        if "upright" not in str(error):
            raise
        return guess_calibration(width, height, center, given, x1 - x0)


def refine(
    calibration: Calibration, watched: Sequence[Watched], body: Body, prior: Prior, config: ReconstructConfig,
    rejections: dict[str, int],
) -> Calibration:  # fmt: skip
    """The camera that lets the people of the most telling video stand and move best; all videos share it afterwards.

    The most telling video is the one in which somebody's size in the picture changes most: near and far tell the focal length.
    """
    telling = max(watched, key=_near_and_far)
    if not telling.people:
        return calibration
    std = calibration.std
    sigma = (max(2 * std["focal"], 0.02), max(2 * std["pitch"], 0.01), max(2 * std["height"] / calibration.height, 0.02)) if (
        calibration.rods
    ) else (0.2, 0.2, 0.2)  # fmt: skip
    fit = replace(config.fit, person_height=config.person_height, refine_camera=True, camera_sigma=sigma)
    able = _fittable(telling, calibration.camera, body, rejections)
    if not able:
        return calibration
    _, camera = fit_people(able, calibration.camera, body, fps=telling.info.fps, prior=prior, config=fit)
    pitch = float(np.arcsin(np.clip(-camera.T_world_camera[1, 2], -1, 1)))
    return replace(calibration, focal=float(camera.K[0, 0]), height=float(camera.T_world_camera[1, 3]), pitch=pitch)


def _near_and_far(watched: Watched) -> float:
    """How many times larger somebody is in the picture at the nearest than at the farthest, the best over all people."""
    best = 0.0
    for outline in watched.outlines:
        points = outline.landmarks2d[outline.found][:, [11, 12, 23, 24], :2].astype(float)
        if len(points) < 10:
            continue
        trunk = np.linalg.norm(points[:, :2].mean(axis=1) - points[:, 2:].mean(axis=1), axis=-1)
        small, large = np.percentile(trunk, [10, 90])
        best = max(best, float(large / max(small, 1.0)))
    return best


def _content(watched: Watched) -> tuple[int, int, int, int]:
    from .plate import content_box
    from .stillness import sample_frames

    sampled = sample_frames(watched.info.path, 6)
    box = content_box(np.median(sampled.frames, axis=0).astype(np.uint8))
    x0, y0, x1, y1 = (round(value / sampled.scale) for value in box)
    return x0, y0, min(x1, watched.info.width), min(y1, watched.info.height)


def _fit_all(
    used: Sequence[Inputs], watched: Sequence[Watched], camera: Camera, body: Body, prior: Prior, config: ReconstructConfig,
    work: Path, clock: Clock, rejections: dict[str, int],
) -> list[Recovered]:  # fmt: skip
    """Fit every video's people, each video on its own; what an earlier run fitted is taken from ``work``."""
    people: list[Recovered] = []
    # only one person's stature was told; where several are seen, theirs may differ
    several = any(len(seen.people) > 1 for seen in watched)
    sigma = max(config.fit.height_sigma, 0.08) if several else config.fit.height_sigma
    fit = replace(config.fit, person_height=config.person_height, height_sigma=sigma, refine_camera=False)
    for number, (item, seen) in enumerate(zip(used, watched, strict=True)):
        if not seen.people:
            continue
        key = digest_of(
            FORMAT, item.video, *(p for p in (item.keypoints, item.hmr) if isinstance(p, Path)), asdict(fit),
            {"K": camera.K, "T": camera.T_world_camera, "body": body.name, "prior": str(config.prior)},
        )  # fmt: skip
        path = work / f"{item.video.stem}-{key}.npz"
        kept = load_fit(path, camera) if not isinstance(item.keypoints, People) else None
        if kept is None:
            share = 0.2 + 0.35 * number / len(used)
            able = _fittable(seen, camera, body, rejections)
            found, _ = fit_people(
                able, camera, body, fps=seen.info.fps, prior=prior, config=fit, videos=[number] * len(able),
                progress=lambda stage, step, steps, share=share, name=item.video.name: clock.tell(
                    f"fit {name}: {stage} {step}/{steps}", share
                ),
            )  # fmt: skip
            work.mkdir(parents=True, exist_ok=True)
            save_fit(path, found, camera)
        else:
            found = kept[0]
            _fittable(seen, camera, body, rejections)
        classes = {track_of(tables): name for tables, name in zip(seen.people, seen.classes, strict=True)}
        people += [replace(person, video=number, person_class=classes[person.track]) for person in found]
    return people


def _fittable(seen: Watched, camera: Camera, body: Body, rejections: dict[str, int]) -> list[tuple[People, ...]]:
    """The people that show enough for a fit to start from; the others are counted, so that one does not stop the rest."""
    able = []
    for tables in seen.people:
        try:
            fit_people([tables], camera, body, fps=seen.info.fps, config=FitConfig(iterations=(0, 0, 0)))
        except ValueError as error:
            reason = f"person not fitted: {error}"
            rejections[reason] = rejections.get(reason, 0) + 1
        else:
            able.append(tables)
    return able


@dataclass(slots=True, kw_only=True)
class _Room:
    """Geometry of the room, measured or guessed."""

    depth: np.ndarray
    floor: np.ndarray
    surfaces: tuple[Surface, ...]
    obstacles: tuple[Obstacle, ...]
    mesh: Any
    cloud: Any
    guessed: tuple[str, ...]
    depth_info: dict[str, Any]
    layout: Any = None
    feet: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


def _room(
    used: Sequence[Inputs], watched: Sequence[Watched], people: Sequence[Recovered], calibration: Calibration, plate: Plate,
    body: Body, config: ReconstructConfig, outlines: Sequence[Any],
) -> _Room:  # fmt: skip
    camera = calibration.camera
    feet = standing_places(people)
    seen = visible_floor(calibration, plate.content, reach=8.0 if len(feet) else 4.0)
    floor = walked_floor(feet, seen)
    seats = tuple(seat for seat in _seats(people, watched))
    maps = next(((i, item.depth) for i, item in enumerate(used) if item.depth is not None), None)
    if maps is None:
        layout = guess_layout(plate.image, camera, feet, floor=floor, content=plate.content)
        return _Room(
            depth=layout.depth, floor=layout.floor, surfaces=seats, obstacles=layout.obstacles,
            mesh=mesh_from_depth(camera, layout.depth, plate.image, stride=8, jump=0.5),
            cloud=cloud_from_depth(camera, layout.depth, plate.image, stride=4), guessed=layout.guessed, depth_info={},
            layout=layout, feet=feet,
        )  # fmt: skip
    contacts = np.stack([feet[:, 0], np.zeros(len(feet)), feet[:, 1]], axis=1) if len(feet) >= 5 else None
    with _naming(maps[1].path if isinstance(maps[1], DepthMaps) else maps[1]):
        depth, info, notes = _measured_depth(
            maps, used, watched, people, calibration, floor_for_scale(feet, seen), body, config, outlines
        )
        room = room_from_depth(plate.image, depth, camera.K, camera, contacts=contacts)
    own = [seat for seat in seats if not any(_same_place(seat, other) for other in room.surfaces)]
    info |= {"floor_tilt_deg": room.floor_tilt_deg, "floor_rise_m": room.floor_rise_m}
    guessed = (*notes, *room.notes, "surfaces and obstacles: only their visible sides were measured")
    return _Room(
        depth=depth, floor=room.floor if len(room.floor) >= 3 else floor, surfaces=(*room.surfaces, *own),
        obstacles=room.obstacles, mesh=room.mesh, cloud=room.cloud, guessed=guessed, depth_info=info, feet=feet,
    )  # fmt: skip


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file into errors that do not name it."""
    try:
        yield
    except ValueError as error:
        raise error if path.name in str(error) else ValueError(f"{path}: {error}") from error


def _same_place(one: Surface, other: Surface) -> bool:
    return float(np.linalg.norm(one.center[[0, 2]] - other.center[[0, 2]])) < 0.5


def _measured_depth(
    given: tuple[int, Any], used: Sequence[Inputs], watched: Sequence[Watched], people: Sequence[Recovered],
    calibration: Calibration, floor: np.ndarray | None, body: Body, config: ReconstructConfig, outlines: Sequence[Any],
) -> tuple[np.ndarray, dict[str, Any], tuple[str, ...]]:  # fmt: skip
    """Depth of the empty room in metres from one video's maps, and how it was put into metres."""
    number, source = given
    info, camera = watched[number].info, calibration.camera
    maps = source if isinstance(source, DepthMaps) else read_depth_maps(
        source, width=info.width, height=info.height, frames=info.frames, encoding=config.depth_encoding,
        depth_scale=config.depth_scale, kind=config.depth_kind,
    )  # fmt: skip
    own = [person for person in people if person.video == number]
    frames = depth_frames(maps.frame, own, camera, config.depth_frames)
    given_whole = None not in (config.given.focal, config.given.height, config.given.pitch)
    known = floor is not None and (calibration.observed or given_whole)
    on_floor = floor_buffer(camera, floor) if known and floor is not None else None
    fit: DepthFit = fit_disparity(
        maps, z_buffers(own, camera, body, frames), rng=np.random.default_rng(config.seed), floor=on_floor
    )
    from .samples import person_mask

    def masks(frame: int) -> np.ndarray:
        covered = np.zeros((info.height, info.width), bool)
        for outline in outlines[number]:
            covered |= person_mask(outline, frame, info.height, info.width)
        return covered

    depth, _ = fuse_depth(maps, fit, masks)
    return depth, {
        "source": maps.source, "file": maps.path.name, "kind": fit.kind, "scale": fit.scale, "offset": fit.offset,
        "inlier_ratio": fit.inlier_ratio, "residual": fit.residual, "frames_agreed": fit.frames_agreed, "frames": fit.frames,
        "scale_std": fit.scale_std, "left_out": fit.left_out,
    }, tuple(maps.notes)  # fmt: skip


def floor_buffer(camera: Camera, floor: np.ndarray) -> np.ndarray:
    """z-depth of the floor inside a polygon (x, z), through the calibrated camera; 0 elsewhere."""
    from ..geometry import inside_polygon, pixel_grid
    from .ground import floor_points

    pixels = pixel_grid(camera.height, camera.width).reshape(-1, 2)
    points, ahead = floor_points(camera, pixels)
    rays = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1) @ np.linalg.inv(camera.K).T
    reach = -camera.T_world_camera[1, 3] / np.where(ahead, (rays @ camera.T_world_camera[:3, :3].T)[:, 1], -1.0)
    inside = ahead & inside_polygon(points, floor)
    return np.where(inside, reach, 0.0).reshape(camera.height, camera.width).astype(np.float32)


def floor_for_scale(feet: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """The floor that may tell depth maps their scale, a polygon (x, z): where people stood, or all that is ``seen`` if nobody
    did. None if they stood outside the picture: what it shows of the floor then is mostly what stands on it."""
    floor = walked_floor(feet, seen)
    return None if floor is seen and len(feet) >= 5 else floor


def standing_places(people: Sequence[Recovered]) -> np.ndarray:
    """(x, z) of feet that stand, of trusted frames, metres. Shape (n, 2)."""
    found = [np.zeros((0, 2))]
    for person in people:
        trusted = person.observed.copy()
        for first, end, _ in person.rejected:
            trusted[max(first - int(person.frames[0]), 0) : end - int(person.frames[0])] = False
        for column, joint in enumerate((7, 10, 8, 11)):
            down = trusted & (person.contact[:, column] > 0.7)
            found.append(person.joints[down, joint][:, [0, 2]])
    return np.concatenate(found)


def _seats(people: Sequence[Recovered], watched: Sequence[Watched]) -> tuple[Surface, ...]:
    if not people:
        return ()
    joints = []
    for person in people:
        own = person.joints.copy()
        own[~person.observed] = np.nan
        for first, end, _ in person.rejected:
            own[max(first - int(person.frames[0]), 0) : end - int(person.frames[0])] = np.nan
        joints.append(own)
    return seats_from_people(joints, watched[0].info.fps)


def _settle(
    used: Sequence[Inputs], watched: Sequence[Watched], people: list[Recovered], camera: Camera, body: Body, prior: Prior,
    config: ReconstructConfig, room: _Room,
) -> list[Recovered]:  # fmt: skip
    """Fit those again who stick in measured furniture, now that it is known; the others stay as they are."""
    if not room.depth_info or not (room.obstacles or room.surfaces):
        return people
    from .fit import depth_in_boxes

    result = list(people)
    fit = replace(config.fit, person_height=config.person_height, refine_camera=False)
    for index, person in enumerate(people):
        if depth_in_boxes(person, room.obstacles, room.surfaces) < 0.06:
            continue
        tables = next(own for own in watched[person.video].people if track_of(own) == person.track)
        again, _ = fit_people(
            [tables], camera, body, fps=person.motion.fps, prior=prior, config=fit,
            videos=[person.video], obstacles=room.obstacles, surfaces=room.surfaces, start=[person],
        )  # fmt: skip
        result[index] = replace(again[0], video=person.video, person_class=person.person_class)
    return result


def _scene(
    name: str, used: Sequence[Inputs], watched: Sequence[Watched], people: Sequence[Recovered], calibration: Calibration,
    plate: Plate, config: ReconstructConfig, room: _Room,
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
