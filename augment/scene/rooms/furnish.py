"""Places of a care room's furniture: drawn along the walls, without overlap, with a clear square left for a fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry import heading_vector, turn_about_y
from ...types import Obstacle, Surface
from .furniture import FURNITURE, Piece
from .shell import Plan

FREE = 2.2
"""Side of the clear square every room keeps for a fall, metres."""
GAP = 0.06
"""Least distance between two pieces of furniture, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A piece of furniture in its place."""

    piece: Piece
    x: float
    z: float
    yaw: float

    def corners(self, grow: float = 0.0) -> np.ndarray:
        """Footprint, (4, 2) as (x, z)."""
        half = np.array([self.piece.size[0], self.piece.size[2]]) / 2 + grow
        local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        return turn_about_y(local, self.yaw) + [self.x, self.z]

    @property
    def surface(self) -> Surface | None:
        """The seat or bed it carries, in the room; None without one."""
        if self.piece.surface is None:
            return None
        kind, height, forward, across, along = self.piece.surface
        center = np.array([self.x, height, self.z]) + heading_vector(self.yaw) * forward
        return Surface(kind=kind, center=center, size=(across, along), yaw=float(np.angle(np.exp(1j * self.yaw))))

    @property
    def obstacle(self) -> Obstacle:
        """The box nobody may walk through, in the room."""
        w, h, d = self.piece.size
        center = np.array([self.x, h / 2, self.z])
        return Obstacle(
            name=self.piece.name, center=center, size=np.array([w, h, d]), yaw=float(np.angle(np.exp(1j * self.yaw)))
        )


def furnish(plan: Plan, *, rng: np.random.Generator) -> list[Placed]:
    """Bed, bedside cabinet, armchair, table with a chair, and a few of the rest, along the walls and clear of the door."""
    placed: list[Placed] = []
    bed = FURNITURE["bed"](rng=rng)
    if (put := _put_bed(plan, bed, rng=rng)) is None:
        return placed
    placed.append(put)
    cabinet = FURNITURE["cabinet"](rng=rng)
    for side in rng.permutation([-1.0, 1.0]):
        # Beside the head end, its back to the wall behind the head.
        reach = bed.size[0] / 2 + cabinet.size[0] / 2 + 0.1
        back = bed.size[2] / 2 - cabinet.size[2] / 2
        x = put.x + np.sin(put.yaw) * back + side * np.cos(put.yaw) * reach
        z = put.z + np.cos(put.yaw) * back - side * np.sin(put.yaw) * reach
        beside = Placed(piece=cabinet, x=float(x), z=float(z), yaw=put.yaw + np.pi)
        if _fits(plan, beside, placed):
            placed.append(beside)
            break
    for name, chance in (("armchair", 1.0), ("wardrobe", 0.6), ("table", 0.9), ("dresser", 0.55)):
        if rng.random() < chance:
            piece = FURNITURE[name](rng=rng)
            if (put := _put_at_wall(plan, piece, placed, rng=rng, low_window=name not in ("wardrobe", "dresser"))) is None:
                continue
            placed.append(put)
            if name == "table":
                _add_chair(plan, put, placed, rng=rng)
    for name, chance in (("rollator", 0.4), ("wheelchair", 0.25), ("plant", 0.4), ("bin", 0.5)):
        if rng.random() < chance and (put := _put_at_wall(plan, FURNITURE[name](rng=rng), placed, rng=rng)) is not None:
            placed.append(put)
    return placed


def _put_bed(plan: Plan, bed: Piece, *, rng: np.random.Generator) -> Placed | None:
    """Head to a wall, one side near a corner or free on both sides."""
    for _ in range(30):
        wall = int(rng.integers(4))
        margin = bed.size[0] / 2 + rng.choice([0.06, 0.06, 0.75])
        room = plan.wall_length(wall)
        along = margin if rng.random() < 0.5 else room - margin
        x, z, yaw = plan.on_wall(wall, float(along), bed.size[2] / 2 + 0.03)
        put = Placed(piece=bed, x=x, z=z, yaw=yaw + np.pi)
        # Not under the camera: there it would fill the foreground.
        if _fits(plan, put, []) and np.hypot(x, z) > 2.3:
            return put
    return None


def _put_at_wall(
    plan: Plan, piece: Piece, placed: list[Placed], *, rng: np.random.Generator, low_window: bool = True
) -> Placed | None:
    """Back to a wall, in a corner or at a random place, slightly turned if it is a seat."""
    for _ in range(40):
        wall = int(rng.integers(4))
        room = plan.wall_length(wall)
        half = piece.size[0] / 2 + 0.05
        along = float(rng.choice([half, room - half, rng.uniform(half, max(half, room - half))]))
        turn = float(rng.normal(0, 0.2)) if piece.name in ("armchair", "chair", "rollator", "wheelchair") else 0.0
        out = piece.size[2] / 2 + 0.04 + abs(np.sin(turn)) * piece.size[0] / 2
        x, z, yaw = plan.on_wall(wall, along, out)
        put = Placed(piece=piece, x=x, z=z, yaw=yaw + turn)
        covers = plan.window.wall == wall and abs(along - plan.window.start - plan.window.width / 2) < (
            plan.window.width / 2 + half
        )
        near_camera = np.hypot(x, z) < (1.6 if piece.size[1] < 1.2 else 2.6)
        if _fits(plan, put, placed) and not near_camera and (low_window or not covers):
            return put
    return None


def _add_chair(plan: Plan, at: Placed, placed: list[Placed], *, rng: np.random.Generator) -> None:
    """A chair at the table's free side, facing it or turned away a little."""
    piece = FURNITURE["chair"](rng=rng)
    turns = {0.0: at.piece.size[2], np.pi / 2: at.piece.size[0], -np.pi / 2: at.piece.size[0]}
    for turn in rng.permutation(list(turns)):
        reach = turns[float(turn)] / 2 + piece.size[2] / 2 + rng.uniform(0.05, 0.25)
        way = at.yaw + turn
        away = rng.choice([0.0, np.pi], p=[0.6, 0.4])
        x, _, z = [at.x, 0.0, at.z] + heading_vector(way) * reach
        put = Placed(piece=piece, x=float(x), z=float(z), yaw=float(way + np.pi + away + rng.normal(0, 0.15)))
        if _fits(plan, put, placed) and np.hypot(put.x, put.z) > 1.5:
            placed.append(put)
            return


def _fits(plan: Plan, put: Placed, placed: list[Placed]) -> bool:
    """Within the walls, off the other pieces, not in front of the door, not against the curtain."""
    corners = put.corners()
    if (corners < 0.01).any() or (corners > [plan.width - 0.01, plan.length - 0.01]).any():
        return False
    door = plan.door
    x, z, yaw = plan.on_wall(door.wall, door.start + door.width / 2, 0.5)
    swing = Placed(piece=Piece(name="swing", mesh=put.piece.mesh, size=(door.width, 2.0, 1.0)), x=x, z=z, yaw=yaw)
    return not any(_overlap(put.corners(GAP / 2), other.corners(GAP / 2)) for other in [*placed, swing])


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two convex quadrilaterals overlap, by separating axes."""
    for shape in (a, b):
        for edge in shape - np.roll(shape, 1, axis=0):
            normal = np.array([-edge[1], edge[0]])
            p, q = a @ normal, b @ normal
            if p.max() <= q.min() or q.max() <= p.min():
                return False
    return True


def clear_square(plan: Plan, placed: list[Placed]) -> tuple[float, float, float] | None:
    """The largest axis-aligned clear square: (x, z of its middle, side), or None if below ``FREE``."""
    step = 0.1
    xs, zs = np.arange(step / 2, plan.width, step), np.arange(step / 2, plan.length, step)
    taken = np.zeros((len(xs), len(zs)), bool)
    grid = np.stack(np.meshgrid(xs, zs, indexing="ij"), axis=-1)
    for put in placed:
        across, along = np.moveaxis(turn_about_y(grid - [put.x, put.z], -put.yaw), -1, 0)
        taken |= (np.abs(across) < put.piece.size[0] / 2 + step / 2) & (np.abs(along) < put.piece.size[2] / 2 + step / 2)
    # Side of the largest free square that ends at each cell: one more than its three neighbours' least.
    side = np.where(taken, 0, 1)
    for i in range(1, len(xs)):
        for j in range(1, len(zs)):
            if side[i, j]:
                side[i, j] = 1 + min(side[i - 1, j], side[i, j - 1], side[i - 1, j - 1])
    i, j = np.unravel_index(int(side.argmax()), side.shape)
    cells = int(side[i, j])
    if cells * step < FREE:
        return None
    return float(xs[i] - (cells - 1) * step / 2), float(zs[j] - (cells - 1) * step / 2), round(cells * step, 3)
