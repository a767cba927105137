"""What a recipe says about cameras and films."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..lens import check_lens
from ..types import Lens
from .events import Strict


def _usable_rasterizer(kind: str) -> str:
    if kind == "pyrender":
        from ..raster.rasterize import make_rasterizer

        try:
            make_rasterizer(kind)
        except RuntimeError as error:
            raise ValueError(f"{error}; use rasterizer: compiled") from error
    return kind


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _known_camera(kind: str) -> str:
    from ..film.cameras import CAMERAS

    if kind not in CAMERAS:
        raise ValueError(f"unknown camera {kind!r}; expected one of: {', '.join(CAMERAS)}")
    return kind


CameraKind = Annotated[str, AfterValidator(_known_camera)]


class GivenCamera(Strict):
    """A camera by its measures, in the scene's world."""

    position: tuple[float, float, float]
    """x, y (up), z, metres; inside the room."""
    yaw: float = 0.0
    """Heading, degrees about +y from +z: 90 looks along +x."""
    pitch: float = Field(default=20.0, ge=-85, le=85)
    """Degrees downwards."""
    fov: float = Field(default=75.0, ge=5, le=150)
    """Horizontal field of view, degrees."""


Layer = Literal["rgb", "keypoints", "mask", "depth", "parts", "normals", "flow"]
"""See ``shards.sample.LAYERS``."""


class FilmOptions(Strict):
    """How clips are filmed."""

    height: int = Field(default=224, ge=32, le=2160)
    """Picture height, pixels; the width follows from the scene's camera."""
    fps: float = Field(default=10.0, gt=0, le=60)
    """Frames a second."""
    seconds: float | None = Field(default=10.0, gt=0.5)
    """Longest clip; longer motions are cut around what they are named for. null: no cut."""
    camera: CameraKind = "scene"
    """``scene``: the room's own camera. ``jitter``: cameras near it. ``sweep``: ceiling corners, walls and bedside in turns
    (needs rooms known from all sides)."""
    views: int = Field(default=3, ge=1)
    """Number of cameras in each room, with ``jitter`` and ``sweep``."""
    lens: Literal["none", "wide", "fisheye"] = "none"
    """``wide``: barrel distortion, drawn for each camera; ``fisheye``: 115 to 140 degrees across, likewise."""
    distortion: tuple[float, ...] = ()
    """Coefficients of your own lens, as OpenCV gives them, instead of drawn ones: k1, k2, p1, p2, k3 with ``lens: wide``; k1,
    k2, k3, k4 with ``lens: fisheye``."""
    look: Annotated[tuple[Literal["day", "night"], ...], BeforeValidator(_as_tuple)] = ("day",)
    """``night``: an infrared camera, without colour and lit from the lens; of several, each clip draws one."""
    exposure: Literal["fixed", "auto"] = "fixed"
    """``auto``: exposure drifts and lamps flicker over a clip."""
    compression: Literal["none", "jpeg", "h264"] = "none"
    """Compression in the camera, of drawn poor quality, before the clip's own."""
    crf: int = Field(default=20, ge=0, le=40)
    """Video quality: 0 best, 20 looks like the source, 40 poor."""
    layers: tuple[Layer, ...] = Field(default=("rgb",), min_length=1)
    """What every sample holds: ``rgb`` the video, ``mask`` who is where, ``depth`` in metres, ``parts`` SMPL's body parts,
    ``normals`` of surfaces, ``flow`` to the next frame. 2D keypoints are always there; ``[keypoints]`` makes no pictures."""
    rasterizer: Annotated[Literal["auto", "compiled", "pyrender"], AfterValidator(_usable_rasterizer)] = "auto"
    """What draws the people: ``auto`` and ``compiled`` need nothing, ``pyrender`` needs OpenGL and is there to compare with."""

    @model_validator(mode="after")
    def _lens_fits(self) -> FilmOptions:
        if not self.look:
            raise ValueError("look: expected day, night or both, found none")
        if self.distortion:
            if self.lens == "none":
                raise ValueError("distortion needs lens: wide or lens: fisheye")
            check_lens(Lens(kind="fisheye" if self.lens == "fisheye" else "brown", coefficients=self.distortion))
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneCameras:
    """The cameras that a scene is filmed from."""

    kind: str
    """A key of ``film.cameras.CAMERAS``, or ``given``."""
    views: int
    """Number of them."""
    given: tuple[GivenCamera, ...] = ()
