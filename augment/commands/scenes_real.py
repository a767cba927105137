"""``augment scenes from-video`` and ``augment scenes from-rgbd``: rooms that exist."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class SceneFromVideo:
    """Make a scene of a room from a fixed camera's video: an empty plate, the camera over its floor, guessed depth."""

    videos: Positional[tuple[Path, ...]]
    """One or more videos of the same fixed camera; more of them leave fewer gaps and calibrate better."""
    out: Path
    """Folder for scene.json, plate.png, depth.npz and mesh.glb."""
    keypoints: tuple[Path, ...] = ()
    """A MediaPipe keypoints file (.npz) for each video, in the same order; without any the camera is guessed or given."""
    person_height: float = 1.70
    """Height of whoever walks in the videos, metres."""
    mask: Path | None = None
    """Black-and-white picture of the video's size: white where somebody sat still and is to be painted out."""
    mask_polygon: tuple[tuple[float, float], ...] = ()
    """Corners x y x y ... in pixels of a region to paint out, instead of a mask picture."""
    focal: float | None = None
    """Focal length, pixels, where it is known."""
    camera_height: float | None = None
    """Metres above the floor, where it is known."""
    pitch: float | None = None
    """Degrees the camera looks down, where it is known."""
    roll: float | None = None
    """Degrees the picture's content is turned counter-clockwise, where it is known."""
    frames: int = 200
    """Frames sampled for the plate, over all videos."""
    empty: tuple[float, float] | None = None
    """First and last second of a stretch of the first video with nobody in the picture: the plate is taken from it alone."""
    trust_undetected: bool = False
    """Take frames in which the detector found nobody for empty; only if you looked: it misses people on the floor."""

    def run(self) -> None:
        import numpy as np

        from ..reconstruct.camera.calibrate import Given
        from ..reconstruct.from_video import mask_from_polygon, read_mask, scene_from_video
        from ..scene.store import save_scene
        from ..sources.video import probe

        if self.mask and self.mask_polygon:
            raise ValueError("give --mask or --mask-polygon, not both")
        if self.frames < 8:
            raise ValueError(f"--frames must be at least 8; got {self.frames}")
        mask = None
        if self.videos and (self.mask or self.mask_polygon):
            info = probe(self.videos[0])
            size = (info.width, info.height)
            mask = read_mask(self.mask, *size) if self.mask else mask_from_polygon(self.mask_polygon, *size)
        scene = scene_from_video(
            self.videos, self.keypoints or None, person_height_m=self.person_height, mask=mask, name=self.out.name,
            given=Given(
                focal=self.focal, height=self.camera_height, pitch=None if self.pitch is None else np.radians(self.pitch),
                roll=None if self.roll is None else np.radians(self.roll),
            ),
            max_frames=self.frames, trust_undetected=self.trust_undetected, empty=self.empty,
        )  # fmt: skip
        save_scene(scene, self.out)
        camera = scene.provenance["camera"]
        fit = (
            ""
            if camera["residual_px"] is None
            else f", {camera['residual_px']:.1f} px off over {camera['upright_people']} people"
        )
        print(
            f"{self.out}: camera {camera['height_m']:.2f} m up, looking down {camera['pitch_deg']:.1f} deg, "
            f"focal {camera['focal_px']:.0f} px{fit}"
        )
        for line in scene.provenance["guessed"]:
            print(f"  guessed: {line}")


@dataclass(frozen=True, kw_only=True)
class SceneFromRgbd:
    """Make a scene of a room from one RGB-D frame: coloured mesh, floor, camera, seats and obstacles."""

    color: Positional[Path]
    """Colour picture."""
    depth: Positional[Path]
    """16-bit depth picture, registered to the colour picture."""
    intrinsics: Path
    """JSON with width, height and intrinsic_matrix (Open3D's, column by column) or fx, fy, cx, cy."""
    out: Path
    """Folder for scene.json, plate.png, depth.npz and mesh.glb."""
    depth_encoding: Literal["plain", "nyu", "sun"] = "plain"
    """How depth is stored: plain units, NYU's byte-swapped disparity, SUN's rotated bits."""
    depth_scale: float = 1000.0
    """Units a metre of plain depth: PrimeSense and Redwood 1000, TUM 5000."""
    stride: int = 2
    """Every so many pixels a mesh vertex."""

    def run(self) -> None:
        from ..reconstruct.depth.from_rgbd import scene_from_rgbd
        from ..scene.store import save_scene

        if self.stride < 1:
            raise ValueError(f"--stride must be at least 1; got {self.stride}")
        scene = scene_from_rgbd(
            self.color, self.depth, self.intrinsics, encoding=self.depth_encoding, depth_scale=self.depth_scale,
            name=self.out.name, stride=self.stride,
        )  # fmt: skip
        save_scene(scene, self.out)
        camera = scene.provenance["camera"]
        assert scene.mesh is not None
        print(
            f"{self.out}: camera {camera['height_m']:.2f} m up, looking down {camera['pitch_deg']:.1f} deg; "
            f"{len(scene.mesh.faces)} triangles, {len(scene.surfaces)} seats or beds, {len(scene.obstacles)} obstacle boxes"
        )
