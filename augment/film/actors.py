"""What moves through a film: dressed people, and the props that they carry or push."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from ..body.balls import RADII, ball_centers
from ..raster.shading import srgb_to_linear
from ..types import Motion
from .costume import Costume, pose_costume
from .props import MovingMesh, surface_samples

SPLATS = 2500
"""At least as many of a person's vertices cast shadows, if there are so many: they lie 1 to 3 cm apart, the shadow map's
pixels 2 cm."""
PROP_BALLS = 24
"""Balls that stand for the lowest part of a prop, for contact shadows."""
PROP_BALL_RADIUS = 0.03
"""Metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One moving object."""

    pose: Callable[[slice], Float32[np.ndarray, "c n 3"]]
    """Vertices in some frames, world, metres."""
    faces: Int32[np.ndarray, "f 3"]
    linear: Float32[np.ndarray, "n 3"]
    """Colours in linear light, 0..1."""
    parts: UInt8[np.ndarray, " n"]
    """Body part of each vertex; not used for props."""
    mask: int
    """Its value in the mask: a person's number, 0 for a prop."""
    open: bool
    """Its inside can be seen."""
    balls: Float32[np.ndarray, "t k 4"]
    """Balls that fill it, centre and radius, metres."""
    samples: tuple[Int32[np.ndarray, "s 3"], Float32[np.ndarray, "s 3"]] | None = None
    """Points about 2 cm apart on its surface, as vertices and their weights; None if its vertices lie that close."""

    def blockers(self, vertices: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "s 3"]:
        """Points all over its surface in one frame: what casts its shadow."""
        if self.samples is None:
            return np.ascontiguousarray(vertices[:: max(len(vertices) // SPLATS, 1)])
        corners, weights = self.samples
        return np.einsum("skd,sk->sd", vertices[corners], weights)


Skeleton = tuple[Float32[np.ndarray, "t 24 3"], Float32[np.ndarray, "t 24 3 3"]]
"""Joints and rotations as ``costume.pose_joints`` gives them."""


def person(costume: Costume, motion: Motion, skeleton: Skeleton, number: int) -> Actor:
    """A dressed person.

    Args:
        costume: For the motion's shape.
        motion: All frames.
        skeleton: Of the motion.
        number: In the mask, from 1.
    """
    joints = skeleton[0]
    balls = np.concatenate([ball_centers(joints), np.tile(RADII[:, None], (len(joints), 1, 1))], axis=-1)
    return Actor(
        pose=lambda part: pose_costume(costume, motion, *skeleton, part),
        faces=costume.look.faces.astype(np.int32), linear=costume.look.linear.astype(np.float32), parts=costume.parts,
        mask=number, open=costume.look.open, balls=balls.astype(np.float32),
    )  # fmt: skip


def carried(mesh: MovingMesh) -> Actor:
    """A prop that moves; each triangle gets corners of its own, so that its edges stay sharp."""
    vertices, faces, colors = mesh
    soup = np.ascontiguousarray(vertices[:, faces.reshape(-1)], np.float32)
    corners, weights = surface_samples(vertices[0], faces)
    low = vertices[0][:, 1].min() + 0.3
    points = np.einsum("tskd,sk->tsd", vertices[:, corners], weights)
    near_floor = np.flatnonzero(points[0, :, 1] < low)
    chosen = near_floor[:: max(len(near_floor) // PROP_BALLS, 1)]
    balls = np.concatenate([points[:, chosen], np.full((len(points), len(chosen), 1), PROP_BALL_RADIUS)], axis=-1)
    index = np.arange(3 * len(faces), dtype=np.int32)
    where = np.zeros(len(vertices[0]), np.int32)
    where[faces.reshape(-1)] = index  # any of a vertex's copies
    return Actor(
        pose=lambda part: soup[part], faces=index.reshape(-1, 3),
        linear=srgb_to_linear(colors[faces.reshape(-1)] / np.float32(255)).astype(np.float32),
        parts=np.zeros(3 * len(faces), np.uint8), mask=0, open=True, balls=balls.astype(np.float32),
        samples=(where[corners], weights.astype(np.float32)),
    )  # fmt: skip
