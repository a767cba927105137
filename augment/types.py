"""READ FIRST. The data types of the package, as frozen dataclasses, with their axes, units and shapes.

World: right-handed, +y up, metres, the floor at y = 0. Camera: OpenCV (+x right, +y down, +z forward).
Pixels: (u, v) with pixel centres at +0.5. Rotations are stored as axis-angle in radians.
Transforms are called ``T_dst_src``: ``p_dst = T_dst_src @ p_src``.

Shape letters: ``t`` frames, ``j`` joints (24, SMPL's), ``v`` vertices, ``f`` faces, ``h w`` picture height and width.
This module needs NumPy alone: everything else may import it, it imports nothing of this package.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

SMPL_JOINTS: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
"""The 24 joints of SMPL in SMPL's order: the canonical skeleton of this package."""

SMPL_PARENTS: tuple[int, ...] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Parent of each joint of ``SMPL_JOINTS``; -1 for the root."""

JOINT = {name: index for index, name in enumerate(SMPL_JOINTS)}
"""Index of a joint by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """How a lens bends the picture: points at z = 1 in front of a pinhole to where the lens puts them (OpenCV's models)."""

    kind: str
    """``brown`` (radial and tangential) or ``fisheye``."""
    coefficients: tuple[float, ...]
    """``brown``: k1, k2, p1, p2, k3; ``fisheye``: k1, k2, k3, k4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera, still or moving: a pinhole, with a lens or without."""

    K: Float[np.ndarray, "3 3"]
    """Intrinsics, pixels."""
    T_world_camera: Float[np.ndarray, "*t 4 4"]
    """Camera to world; (4, 4) for a fixed camera, (t, 4, 4) for a moving one."""
    width: int
    """Picture width, pixels."""
    height: int
    """Picture height, pixels."""
    lens: Lens | None = None
    """None for a plain pinhole."""

    def scaled_to(self, height: int, width: int | None = None) -> Camera:
        """The same view at another size (the aspect may change): K scales with the picture."""
        width = width or round(self.width * height / self.height)
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return replace(self, K=scale @ self.K, width=width, height=height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of time with one frame-level label: one of OmniFall's (``actions.FRAME_LABELS``), or the user's own."""

    label: str
    start_sec: float
    """First instant of the stretch, seconds."""
    end_sec: float
    """First instant after it, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """One person's movement on the SMPL skeleton, in the world frame."""

    global_orient: Float[np.ndarray, "t 3"]
    """Root rotation, axis-angle, world."""
    body_pose: Float[np.ndarray, "t 23 3"]
    """Rotations of joints 1..23 relative to their parents, axis-angle."""
    transl: Float[np.ndarray, "t 3"]
    """Metres, added after posing; the pelvis lies at ``rest_pelvis(betas) + transl``."""
    betas: Float[np.ndarray, "10"]
    """Body shape the motion was made for."""
    fps: float
    """Frames a second."""
    action: str = "other"
    """A key of ``actions.ACTIONS``, or an action of the user's own."""
    label: str = ""
    """Frame label of the action's core, where it is not the one that ``actions.ACTIONS`` has; see ``motion.labels``."""
    segments: tuple[Segment, ...] = ()
    """Frame labels in time order, covering the motion without gaps."""
    caption: str = ""
    """One English sentence that says what happens."""
    name: str = ""
    """Unique within its store; letters, digits, ``_`` and ``-``."""
    source: str = ""
    """Origin: a file's name within its data set, or the generator with its seed."""
    licence: str = ""
    """SPDX id or a licence's short name."""
    subject: str = ""
    """The person, where known; data are split by it."""
    support: str = "floor"
    """What supports the body besides its feet: ``floor``, ``chair`` or ``bed``."""
    support_height: float = 0.0
    """Height of the seat or lying surface the motion was made for, metres; 0 for the floor."""
    support_center: tuple[float, float] | None = None
    """World (x, z) of the seat's or bed's middle, in the motion's own frame; None for the floor."""
    support_yaw: float = 0.0
    """Heading of the seat (the way the sitter faces) or of the bed (foot to head), radians about +y from +z."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Everything needed to make it again: seeds, parameters, digests."""

    def __len__(self) -> int:
        return len(self.transl)

    @property
    def seconds(self) -> float:
        """Length, seconds."""
        return len(self.transl) / self.fps

    def take(self, rows: slice | Int[np.ndarray, "n"]) -> Motion:
        """The frames chosen by a slice or by indices, all other fields as they are.

        The segments stay too: a caller that moves the start or the end and passes the motion on sets its own.
        """
        return replace(self, global_orient=self.global_orient[rows], body_pose=self.body_pose[rows], transl=self.transl[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Motions to be filmed: those of one or more people in one shared frame, with action, caption and segments."""

    people: tuple[Motion, ...]
    """All with the same number of frames and the same rate; the first one carries the label."""
    action: str
    caption: str
    segments: tuple[Segment, ...]
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A horizontal patch that supports a body: a seat or a bed."""

    kind: str
    """``chair`` or ``bed``."""
    center: Float[np.ndarray, "3"]
    """Middle of the patch, world, metres; y is its height."""
    size: tuple[float, float]
    """Extent across and along, metres, before turning by ``yaw``: across = local x, along = local z."""
    yaw: float
    """Radians about +y; a seat's local +z is the way the sitter faces, a bed's local +z points from foot to head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """An upright box that people cannot pass through: furniture or a wall."""

    name: str
    center: Float[np.ndarray, "3"]
    size: Float[np.ndarray, "3"]
    """Full extents along the box's own axes, metres."""
    yaw: float = 0.0
    """Radians about +y."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A point or directional light of the scene."""

    kind: str
    """``point`` or ``directional``."""
    position: Float[np.ndarray, "3"]
    """World, metres; for a directional light, the direction it shines FROM (unit vector)."""
    color: Float[np.ndarray, "3"]
    """Linear RGB, 0..1."""
    intensity: float
    """Relative; 1 exposes a grey wall at 3 m well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A room: its empty picture and depth, and where a body can stand, sit and lie."""

    name: str
    camera: Camera
    """The room's own fixed camera, at plate size."""
    plate: UInt8[np.ndarray, "h w 3"]
    """The empty room through ``camera``, RGB."""
    depth: Float32[np.ndarray, "h w"]
    """z-depth of the plate, metres, 0 = unknown (treated as infinitely far)."""
    floor: Float[np.ndarray, "n 2"]
    """Polygon (x, z) of the floor, world, metres, counter-clockwise seen from above."""
    surfaces: tuple[Surface, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    lights: tuple[Light, ...] = ()
    mesh: SceneMesh | None = None
    """The room's geometry, where there is one."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """How it was made; ``provenance["guessed"]`` lists what was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneMesh:
    """Triangles with a colour at each vertex."""

    vertices: Float[np.ndarray, "v 3"]
    """World, metres."""
    faces: Int[np.ndarray, "f 3"]
    """Counter-clockwise seen from the front."""
    colors: UInt8[np.ndarray, "v 3"]
    """sRGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One filmed performance, or one stretch of real video."""

    frames: UInt8[np.ndarray, "t h w 3"] | None
    """RGB; None for a clip of labels without pictures."""
    fps: float
    action: str
    segments: tuple[Segment, ...]
    shape: tuple[int, int, int] | None = None
    """Number of frames, height and width, where there are no pictures."""
    caption: str = ""
    is_synthetic: bool = True
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays of the sample's ``npz``; see the table in README.md."""
    provenance: dict[str, Any] = field(default_factory=dict)
