"""``augment scenes from-video`` and ``augment scenes from-rgbd``: real rooms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from tyro.conf import Positional

from ..reconstruct.camera.given import Given
from ..reconstruct.config import Inputs, ReconstructConfig
from ..reconstruct.plate.config import Sampling


@dataclass(frozen=True, kw_only=True)
class SceneFromVideo:
    """Make a scene of a room from a fixed camera's video: an empty plate, the camera over its floor, guessed depth."""

    videos: Positional[tuple[Path, ...]]
    """One or more videos of the same fixed camera; more of them leave fewer gaps and calibrate better."""
    out: Path
    """Folder for scene.json, plate.png, depth.npz and mesh.glb."""
    keypoints: tuple[Path, ...] = ()
    """A MediaPipe keypoints file (.npz) for each video, in the same order; without any the camera is guessed or given."""
    mask: Path | None = None
    """Black-and-white picture of the video's size: white where somebody sat still and is to be painted out."""
    mask_polygon: tuple[tuple[float, float], ...] = ()
    """Corners x y x y ... in pixels of a region to paint out, instead of a mask picture."""
    given: Given = field(default_factory=Given)
    """Known measurements."""
    roll: float | None = None
    """Degrees the picture's content is turned counter-clockwise, if known."""
    sampling: Sampling = field(default_factory=Sampling)
    """Frames the plate is made from."""

    def run(self) -> None:
        from ..reconstruct.pipeline import reconstruct

        if self.mask and self.mask_polygon:
            raise ValueError("give --mask or --mask-polygon, not both")
        if self.sampling.frames < 8:
            raise ValueError(f"--frames must be at least 8; got {self.sampling.frames}")
        if self.keypoints and len(self.keypoints) != len(self.videos):
            raise ValueError(
                f"{len(self.videos)} videos but {len(self.keypoints)} keypoints files; give one for each video, in the same "
                "order"
            )
        files = self.keypoints or (None,) * len(self.videos)
        inputs = [Inputs(video=video, keypoints=file) for video, file in zip(self.videos, files, strict=True)]
        config = ReconstructConfig(
            people=False, given=replace(self.given, roll=self.roll), sampling=self.sampling, mask=self._mask()
        )
        scene = reconstruct(inputs, self.out, config=config).scene
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

    def _mask(self) -> np.ndarray | None:
        """The mask that was given, at the size of the first video; None where none was."""
        if not self.videos or not (self.mask or self.mask_polygon):
            return None
        from ..reconstruct.plate.mask import mask_from_polygon, read_mask
        from ..sources.video import probe

        info = probe(self.videos[0])
        if self.mask:
            return read_mask(self.mask, info.width, info.height)
        return mask_from_polygon(self.mask_polygon, info.width, info.height)


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
