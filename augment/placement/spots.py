"""Candidate places for a performance: on free floor, on a seat or bed of the room, or on one brought along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ..compiled import compiled
from ..geometry import turn_about_y
from ..scene.solid import Solid, on_floor
from ..types import Motion, Scene, Surface
from .gates import furniture_free

FIT = {"chair": 0.06, "bed": 0.12}
"""Metres by which a seat's or bed's height may differ from the one a motion was made for."""
HELD_FIT = 0.015
"""Likewise for somebody whom a partner holds: the hands do not follow."""
PROP_SIZE = {"chair": (0.44, 0.44), "bed": (0.95, 2.0), "wheelchair": (0.68, 0.95)}
"""Extent of added furniture, metres, across and along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A candidate place: where the motion's own frame goes."""

    yaw: float
    shift: Float[np.ndarray, "3"]
    """Metres, world, after the turn."""
    support: Surface | None = None
    """The seat or bed used, in the world; None on the floor."""
    is_prop: bool = False
    rise: float = 0.0
    """Metres by which the first person, who rests on the support all the time, is lifted to its height."""


@dataclass(frozen=True, slots=True)
class Supply:
    """Where the seat or bed of a try may come from."""

    props: bool
    """Furniture may be added."""
    instead: str
    """The kind of prop to sit in whatever the room has, or ``""``."""
    prefer: bool
    """Furniture is added even where the room has some that fits."""


def own_support(motion: Motion) -> Surface | None:
    """The seat or bed that a motion was made for, in its own frame."""
    if motion.support == "floor" or motion.support_center is None:
        return None
    x, z = motion.support_center
    center = np.array([x, motion.support_height, z])
    return Surface(kind=motion.support, center=center, size=PROP_SIZE[motion.support], yaw=motion.support_yaw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a performance asks of a place: the same for every try."""

    support: Surface | None
    """The seat or bed it was made for, in its own frame."""
    fitting: tuple[Surface, ...]
    """The room's that can take its place."""
    wholly: bool
    """Nothing of the body is ever beside or below it: then a surface of any height can carry it."""
    joints: Float[np.ndarray, "n 3"]
    """Of all people in all frames, in its own frame."""
    floor: Float[np.ndarray, "_ 2"]
    """The room's, world, metres."""
    corners: tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]
    """Least and greatest (x, z) of the floor."""


def need_of(motion: Motion, joints: Sequence[Float[np.ndarray, "_ 24 3"]], scene: Scene, *, held: bool = False) -> Need:
    """What the first person's motion and everybody's joints ask of a room; ``held``: by the second person's hands."""
    own, wholly = own_support(motion), False
    fitting: tuple[Surface, ...] = ()
    if own is not None:
        wholly = bool((joints[0][..., 1] > own.center[1] - 0.02).all())
        fit = np.inf if wholly else FIT[own.kind]
        if held:
            wholly, fit = False, HELD_FIT
        fitting = tuple(s for s in scene.surfaces if s.kind == own.kind and abs(s.center[1] - own.center[1]) <= fit)
    everything = np.concatenate([points.reshape(-1, 3) for points in joints]).astype(np.float64)
    floor = np.ascontiguousarray(scene.floor, np.float64)
    return Need(
        support=own, fitting=fitting, wholly=wholly, joints=everything, floor=floor, corners=(floor.min(0), floor.max(0))
    )  # fmt: skip


def draw_spot(need: Need, supply: Supply, *, rng: np.random.Generator) -> Spot | None:
    """A candidate; None if the room has no seat or bed that fits and none may be added."""
    own = need.support
    if own is not None:
        if need.fitting and not supply.instead and not (supply.props and supply.prefer):
            surface = need.fitting[int(rng.integers(len(need.fitting)))]
            slack = 0.5 * np.maximum(np.array(surface.size) - np.array(own.size), 0) + 0.02
            aside, along = rng.uniform(-slack, slack)
            yaw = surface.yaw - own.yaw + rng.normal(0, 0.03)
            here = turn_about_y(own.center, yaw)
            there = surface.center + turn_about_y(np.array([aside, 0.0, along]), surface.yaw)
            rise = float(surface.center[1] - own.center[1]) if need.wholly else 0.0
            return Spot(yaw=yaw, shift=(there - here) * [1, 0, 1], support=surface, rise=rise)
        if not supply.props:  # and nothing fits
            return None
    yaw = float(rng.uniform(-np.pi, np.pi))
    x, z = _middle(need.joints, np.cos(yaw), np.sin(yaw))
    shift = _draw_on_floor(need, rng=rng) - np.array([x, 0.0, z])
    if own is None:
        return Spot(yaw=yaw, shift=shift)
    if supply.instead:
        own = replace(own, size=PROP_SIZE[supply.instead])
    brought = replace(own, center=turn_about_y(own.center, yaw) + shift, yaw=own.yaw + yaw)
    return Spot(yaw=yaw, shift=shift, support=brought, is_prop=True)


def at_spot(points: Float[np.ndarray, "t n 3"], spot: Spot, up: float = 0.0) -> Float[np.ndarray, "t n 3"]:
    """Points of a performance where a spot puts them, and ``up`` metres higher."""
    points = np.ascontiguousarray(points, np.float64)
    moved = np.empty(points.shape)
    _turn(points, np.cos(spot.yaw), np.sin(spot.yaw), spot.shift + np.array([0.0, up, 0.0]), moved)
    return moved


def _draw_on_floor(need: Need, *, rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    for _ in range(100):
        x, z = rng.uniform(*need.corners)
        if on_floor(x, z, need.floor):
            return np.array([x, 0.0, z])
    middle = need.floor.mean(0)
    return np.array([middle[0], 0.0, middle[1]])


def prop_fits(prop: Surface, solid: Solid) -> bool:
    """Whether added furniture stands on the floor and clear of obstacles, checked on a grid over its footprint."""
    grid = turn_about_y(_GRID * np.array([prop.size[0], 0.0, prop.size[1]]), prop.yaw) + prop.center
    grid[:, 1] = 0.1
    return furniture_free(grid, solid) is None


_GRID = np.array([[x, 0.0, z] for z in np.linspace(-0.5, 0.5, 7) for x in np.linspace(-0.5, 0.5, 7)])


@compiled
def _middle(points, cosine, sine):
    left, right, back, front = np.inf, -np.inf, np.inf, -np.inf
    for row in range(len(points)):
        x, z = points[row, 0], points[row, 2]
        across, along = cosine * x + sine * z, cosine * z - sine * x
        left, right, back, front = min(left, across), max(right, across), min(back, along), max(front, along)
    return (left + right) / 2, (back + front) / 2


@compiled
def _turn(points, cosine, sine, shift, moved):
    for frame in range(len(points)):
        for row in range(points.shape[1]):
            x, y, z = points[frame, row, 0], points[frame, row, 1], points[frame, row, 2]
            moved[frame, row, 0] = cosine * x + sine * z + shift[0]
            moved[frame, row, 1] = y + shift[1]
            moved[frame, row, 2] = cosine * z - sine * x + shift[2]
