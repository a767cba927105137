"""A scene out of a fixed camera's videos: the empty plate, the camera over its floor, and a guess at the room's depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from ..files import sha256_of_file
from ..scene.mesh import mesh_from_depth
from ..sources.people.mediapipe import Keypoints, read_mediapipe
from ..sources.video import probe
from ..types import Light, Scene
from .camera.calibrate import (
    Calibration,
    Given,
    calibrate,
    guess_calibration,
    places,
    visible_floor,
    walked_floor,
)  # fmt: skip
from .camera.upright import find_upright
from .guess.layout import Layout, guess_layout
from .plate.frames import Sampling
from .plate.looks import Plate, make_plate


def scene_from_video(
    videos: Sequence[Path], keypoints: Sequence[Path] | None, *, person_height_m: float = 1.70,
    mask: Bool[np.ndarray, "h w"] | None = None, given: Given | None = None, name: str = "room", max_frames: int = 200,
    trust_undetected: bool = False, empty: tuple[float, float] | None = None,
) -> Scene:  # fmt: skip
    """Build a scene from one or more videos of the same fixed camera.

    Args:
        videos: Video files of one size.
        keypoints: A MediaPipe keypoints file for each video, or None: the plate then rests on what is seen most often, and
            the camera is guessed (or given).
        person_height_m: Stature of whoever walks in them, metres; all measures scale with it.
        mask: True where somebody sat still and is to be painted out.
        given: What is known of the camera.
        name: The scene's name.
        max_frames: Frames sampled for the plate, over all videos.
        trust_undetected: Take frames without a detection for empty.
        empty: Seconds of the first video in which nobody is in the picture; the plate is then taken from them alone.
    Returns:
        The scene; ``provenance["guessed"]`` lists what was not measured.
    Raises:
        ValueError: If a file cannot be used, or video and keypoints do not belong together.
    """
    if not videos:
        raise ValueError("no video given; name one or more videos of one fixed camera")
    given = given or Given()
    found = None if keypoints is None else _read_keypoints(videos, keypoints)
    outlines = None if found is None else [(each,) for each in found]
    sampling = Sampling(frames=max_frames, trust_undetected=trust_undetected, empty=empty)
    plate = make_plate(videos, outlines, mask=mask, sampling=sampling)
    height, width = plate.guessed.shape
    x0, y0, x1, y1 = plate.content
    center, content_width = ((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0
    if found is None:
        calibration, feet = guess_calibration(width, height, center, given, content_width), np.zeros((0, 2))
    else:
        rods = find_upright(found)
        calibration = calibrate(
            rods, width=width, height=height, person_height=person_height_m, center=center, given=given,
            content_width=content_width,
        )  # fmt: skip
        feet = places(rods, calibration, person_height_m)
    seen = visible_floor(calibration, plate.content, reach=8.0 if len(feet) else 4.0)
    floor = walked_floor(feet, seen)
    layout = guess_layout(plate.image, calibration.camera, feet, floor=floor, content=plate.content)
    return Scene(
        name=name, camera=calibration.camera, plate=plate.image, depth=layout.depth, floor=layout.floor,
        obstacles=layout.obstacles, lights=ceiling_light(layout.floor),
        mesh=mesh_from_depth(calibration.camera, layout.depth, plate.image, stride=8, jump=0.5),
        provenance=provenance_of(videos, plate, calibration, given, person_height_m, mask, found is not None, layout, feet),
    )  # fmt: skip


def _read_keypoints(videos: Sequence[Path], files: Sequence[Path]) -> list[Keypoints]:
    if len(files) != len(videos):
        raise ValueError(f"{len(videos)} videos but {len(files)} keypoints files; give one for each video, in the same order")
    result = []
    for video, file in zip(videos, files, strict=True):
        info, keypoints = probe(video), read_mediapipe(file)
        if (keypoints.width, keypoints.height) != (info.width, info.height):
            raise ValueError(
                f"{file}: found in a {keypoints.width}x{keypoints.height} video but {video} is {info.width}x{info.height}; "
                "use the keypoints of this very video"
            )
        if abs(len(keypoints) - info.frames) > max(2, 0.01 * info.frames):
            raise ValueError(
                f"{file}: has {len(keypoints)} frames but {video} has {info.frames}; they belong to different videos (or the "
                "video was cut or resampled after detection): run the detector on this very file"
            )
        result.append(keypoints)
    return result


def ceiling_light(floor: np.ndarray) -> tuple[Light, ...]:
    """A lamp over the middle of the floor: nobody measured the lights."""
    x, z = floor.mean(axis=0)
    return (Light(kind="point", position=np.array([x, 2.6, z]), color=np.ones(3), intensity=1.0),)


def provenance_of(
    videos: Sequence[Path], plate: Plate, calibration: Calibration, given: Given, person_height: float,
    mask: np.ndarray | None, found: bool, layout: Layout | None, feet: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Where a scene came from, how its camera was found, and what is a guess."""
    guessed = [*(layout.guessed if layout is not None else ()), "lights"]
    if not found:
        guessed.append("plate: made without keypoints; look at it, somebody who kept still may be left in it")
    share = float(plate.guessed.mean())
    if share:
        guessed.append(f"plate: {share:.2%} of the pixels, never seen free, painted in from around them")
    for field in ("focal", "height", "pitch"):
        if getattr(given, field) is None and not calibration.observed:
            why = "" if calibration.rods else " (too few people upright in view)" if found else " (no keypoints)"
            guessed.append(f"camera {field}{why}")
    if found and not calibration.observed:
        guessed.append("the person stood in too few places to measure the camera well; add a video of somebody walking about")
    if len(feet) < 5:
        guessed.append("floor: all that the picture shows")
    return {
        "source": "video",
        "videos": [Path(video).name for video in videos],
        "recordings": [entry for video in videos for entry in (Path(video).name, sha256_of_file(Path(video)))],
        "plate_videos": [Path(videos[i]).name for i in plate.layout_videos],
        "plate_frames": plate.frames,
        "plate_guessed_share": share,
        "masked_share": 0.0 if mask is None else float(mask.mean()),
        "content": list(plate.content),
        "person_height_m": person_height if found else None,
        "camera": {
            "height_m": calibration.height, "pitch_deg": float(np.degrees(calibration.pitch)),
            "roll_deg": float(np.degrees(calibration.roll)), "focal_px": calibration.focal,
            "residual_px": None if not calibration.rods else calibration.residual_px, "upright_people": calibration.rods,
            "near_far": calibration.near_far, "std": calibration.std, "observed": bool(calibration.observed),
        },
        "walls": [] if layout is None else [
            {"normal": w.normal.tolist(), "offset_m": w.offset, "confidence": w.confidence} for w in layout.walls
        ],
        "room_turn_deg": None if layout is None else float(np.degrees(layout.turn)),
        "guessed": guessed,
    }  # fmt: skip


def mask_from_polygon(polygon: Sequence[tuple[float, float]], width: int, height: int) -> Bool[np.ndarray, "h w"]:
    """Fill a polygon of (x, y) pixel corners.

    Raises:
        ValueError: If it has fewer than three corners.
    """
    import cv2

    if len(polygon) < 3:
        raise ValueError(f"a mask polygon needs at least 3 corners x,y; got {len(polygon)}")
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(np.asarray(polygon, float)).astype(np.int32)], 1)
    return mask.astype(bool)


def read_mask(path: Path | str, width: int, height: int) -> Bool[np.ndarray, "h w"]:
    """Read a mask picture: white (above 127) where somebody sat still.

    Raises:
        ValueError: If the file is no picture, has another size than the video, or marks nothing or everything.
    """
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if Path(path).is_file() else None
    if picture is None:
        raise ValueError(f"{path}: no readable mask picture")
    if picture.shape != (height, width):
        raise ValueError(
            f"{path}: {picture.shape[1]}x{picture.shape[0]}, but the video is {width}x{height}; draw it on a frame"
        )
    mask = picture > 127
    if not mask.any() or mask.mean() > 0.6:
        raise ValueError(f"{path}: marks {mask.mean():.0%} of the picture; white is what is painted out, and the rest is black")
    return mask
