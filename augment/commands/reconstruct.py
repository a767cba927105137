"""``augment reconstruct``: room and people from videos of one fixed camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from ..reconstruct.config import Inputs, ReconstructConfig

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True, kw_only=True)
class Reconstruct:
    """Reconstruct room and people from videos of one fixed camera.

    Give what an estimator found in the videos: 2D keypoints (--keypoints), 3D bodies (--hmr), best both. With several videos
    name folders; the files in them are matched to the videos by name. Somebody should walk about in at least one video, in
    full view: that calibrates the camera. With --depth the room is measured, without it floor and walls are guessed.

    Example: augment reconstruct ward/*.mp4 --keypoints ward/keypoints --depth ward/depth --out rooms/ward

    What comes out: OUT/scene.json with plate, depth, mesh and point cloud (films with `augment generate`), OUT/motions, a
    motion store of what people did, and OUT/report.html, which grades its quality. An interrupted run continues.
    """

    video: Annotated[list[Path], tyro.conf.Positional]
    """Video files of one fixed camera, or one folder of them."""
    out: Path
    """Folder for the scene."""
    keypoints: Path | None = None
    """2D keypoints: COCO or OpenPose JSON, MediaPipe .npz, a folder of them (one for each video, named like it), or the name
    of a detector to run here: keypointrcnn or mediapipe."""
    hmr: Path | None = None
    """Bodies from 4D-Humans/PHALP, WHAM, GVHMR, TRAM, PromptHMR, VIBE, PARE or ProHMR; a file, or a folder as above."""
    depth: Path | None = None
    """Depth or disparity maps of one video (Depth Anything, MoGe, UniDepth, VGGT, a depth camera): file or folder; or
    `depth-anything` to run it here (needs the extra `estimators` and the model, see --depth-model)."""
    depth_model: str = "depth-anything/Depth-Anything-V2-Small-hf"
    """Model folder or hub name for `--depth depth-anything`."""
    detector_weights: Path | None = None
    """Weights for `--keypoints keypointrcnn`; None lets torchvision fetch its own."""
    annotations: Path | None = None
    """Frame labels for the recovered motions: CSV with path, person or track, and label, start, end in seconds."""
    annotated_people: Path | None = None
    """Annotated people, if --annotations is about persons: COCO JSON with track_id, a file or a folder as above.
    Tracks are matched to them."""
    camera: Path | None = None
    """Cameras solved by COLMAP (its folder) or nerfstudio (transforms.json): the focal length is taken from them."""
    mask: Path | None = None
    """Picture, white where somebody sat still and is to be painted out of the plate."""
    reconstruction: ReconstructConfig = field(default_factory=ReconstructConfig)
    """How the reconstruction is made."""

    def run(self) -> None:
        from ..progress import Progress
        from ..reconstruct.annotate.segments import read_segments
        from ..reconstruct.pipeline import reconstruct

        self._check()
        videos = find_videos(self.video)
        (self.out / "work").mkdir(parents=True, exist_ok=True)  # before any long work: it may not be writable
        segments = None if self.annotations is None else read_segments(self.annotations)
        given = self.reconstruction.given
        config = replace(
            self.reconstruction, given=replace(given, focal=given.focal or self._solved_focal(videos)),
            mask=None if self.mask is None else _mask(self.mask, videos),
        )  # fmt: skip
        inputs = self._inputs(videos)
        with Progress() as progress:

            def report(what: str, share: float) -> None:
                progress.update("reconstruct", round(100 * share), 100, note=what)

            result = reconstruct(inputs, self.out, config=config, segments=segments, progress=report)
            report("done", 1.0)
        seconds = sum(result.seconds.values())
        for reason, count in sorted(result.rejections.items(), key=lambda row: -row[1])[:6]:
            print(f"note: {count} x {reason}")
        print(
            f"{self.out / 'report.html'}: {len(result.people)} people in {len(result.videos)} videos, scene and motions "
            f"beside it ({seconds:.0f} s)"
        )

    def _solved_focal(self, videos: list[Path]) -> float | None:
        """Focal length of the solved cameras, at the video's size; None where none were given.

        Raises:
            ValueError: If they disagree or are of pictures of another shape.
        """
        if self.camera is None:
            return None
        from ..sources.cameras import read_cameras
        from ..sources.video import probe

        info = probe(videos[0])
        focals = []
        for solved in read_cameras(self.camera):
            camera = solved.camera
            if abs(camera.width * info.height - camera.height * info.width) > 0.01 * camera.width * info.height:
                raise ValueError(
                    f"--camera {self.camera}: {solved.name} is {camera.width}x{camera.height}, {videos[0].name} is "
                    f"{info.width}x{info.height}: another shape; solve pictures taken from the video itself"
                )
            focals.append(float(camera.K[0, 0]) * info.width / camera.width)
        if max(focals) > 1.02 * min(focals):
            raise ValueError(
                f"--camera {self.camera}: focal lengths from {min(focals):.0f} to {max(focals):.0f} px; a fixed camera has one"
            )
        return sum(focals) / len(focals)

    def _check(self) -> None:
        """Refuse options out of range and an unusable output folder before any long work."""
        config, given = self.reconstruction, self.reconstruction.given
        limits = {
            "focal": (given.focal, 1, 1e5, "pixels"), "camera-height": (given.camera_height, 0.05, 20, "metres"),
            "pitch": (given.pitch, -60, 89, "degrees"), "person-height": (given.person_height, 0.5, 2.5, "metres"),
            "depth-scale": (config.depth_scale, 1e-6, 1e9, "units a metre"),
            "smoothness": (config.fit.smoothness, 0, 1e3, "times"), "prior-weight": (config.fit.prior_weight, 0, 1e3, "times"),
            "max-overlays": (config.max_overlays, 0, 1e4, "clips"),
        }  # fmt: skip
        for name, (value, low, high, unit) in limits.items():
            if value is not None and not low <= value <= high:
                raise ValueError(f"--{name} {value:g}: expected {low:g} to {high:g} {unit}")
        if not self.video:
            raise ValueError("no video given; name video files of one fixed camera, or a folder of them")
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"{self.out}: is a file; name a folder for the scene")
        scene = self.out / "scene.json"
        if scene.exists():
            import json

            try:
                source = json.loads(scene.read_text()).get("provenance", {}).get("source")
            except (ValueError, AttributeError):
                source = "something else"
            if source != "video":
                raise ValueError(f"{self.out}: holds another scene (made from {source}); name another folder for --out")

    def _inputs(self, videos: list[Path]) -> list[Inputs]:
        keypoints: list = [None] * len(videos)
        if self.keypoints is not None:
            from ..sources.people.detectors import DETECTORS, detect_keypoints

            name = str(self.keypoints)
            if name in DETECTORS and not self.keypoints.exists():
                keypoints = [detect_keypoints(video, weights=self.detector_weights, detector=name) for video in videos]
            else:
                keypoints = list(match_files(videos, self.keypoints, "keypoints"))
        bodies = match_files(videos, self.hmr, "hmr")
        depth: list = [None] * len(videos)
        if str(self.depth) == "depth-anything" and not Path("depth-anything").exists():
            from ..sources.depth.estimate import estimate_depth

            depth[0] = estimate_depth(videos[0], model=self.depth_model, out=self.out / "work" / "depth")
        elif self.depth is not None:
            depth = _depth_of(videos, self.depth)
        people = match_files(videos, self.annotated_people, "annotated-people")
        return [
            Inputs(video=v, keypoints=k, hmr=h, depth=d, annotated=a)
            for v, k, h, d, a in zip(videos, keypoints, bodies, depth, people, strict=True)
        ]


def _mask(path: Path, videos: list[Path]):
    """The mask at the size of the first readable video; unreadable ones are rejected later, with the reason."""
    from ..reconstruct.plate.mask import read_mask
    from ..sources.video import probe

    for number, video in enumerate(videos):
        try:
            info = probe(video)
        except ValueError:
            if number == len(videos) - 1:
                raise
        else:
            return read_mask(path, info.width, info.height)
    raise ValueError(f"--mask {path}: no video to paint it on")


def find_videos(named: list[Path]) -> list[Path]:
    """Files as named; a folder stands for the videos in it, in order of their names.

    Raises:
        ValueError: If there is none.
    """
    videos: list[Path] = []
    for path in named:
        videos += (
            sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else [path]
        )  # fmt: skip
    if not videos:
        raise ValueError(f"no video in {', '.join(map(str, named))}; expected files ending in {', '.join(VIDEO_SUFFIXES)}")
    return videos


def match_files(videos: list[Path], given: Path | None, what: str) -> Sequence[Path | None]:
    """The file (or folder) that goes with each video: by name in a folder, or the one that was given for the one video.

    None for each where nothing was given.

    Raises:
        ValueError: If a video has none.
    """
    if given is None:
        return [None] * len(videos)
    if not given.exists():
        raise ValueError(f"--{what} {given}: no such file or folder")
    if given.is_file():
        if len(videos) > 1:
            raise ValueError(f"--{what} {given}: one file for {len(videos)} videos; name a folder with a file for each video")
        return [given]
    found = {path.name.split(".")[0]: path for path in sorted(given.iterdir()) if not path.name.startswith(".")}
    matched = [found.get(video.stem) or found.get(video.stem.split(".")[0]) for video in videos]
    missing = [video.name for video, path in zip(videos, matched, strict=True) if path is None]
    if len(videos) == 1 and missing:
        return [given]  # a folder of one file a frame
    if missing:
        raise ValueError(f"--{what} {given}: nothing in it is named like {', '.join(missing[:3])} (of {len(missing)} missing)")
    return matched


def _depth_of(videos: list[Path], given: Path) -> list[Path | None]:
    """Depth may be given for some of the videos only."""
    if given.is_file() or len(videos) == 1:
        return [*match_files(videos[:1], given, "depth"), *[None] * (len(videos) - 1)]
    found = {path.name.split(".")[0]: path for path in sorted(given.iterdir())}
    matched = [found.get(video.stem) for video in videos]
    if not any(matched):
        raise ValueError(f"--depth {given}: nothing in it is named like any of the {len(videos)} videos")
    return matched
