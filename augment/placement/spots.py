"""Candidate places for a performance: on free floor, on a seat or bed of the room, or on one brought along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ..geometry import turn_about_y
from ..scene.solid import Solid, any_in_box, on_ground
from ..types import Motion, Scene, Surface
from .gates import BODY_RADIUS

FIT = {"chair": 0.06, "bed": 0.12}
"""Metres by which a seat's or bed's height may differ from the one a motion was made for."""
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


def draw_spot(
    motion: Motion, joints: Sequence[np.ndarray], scene: Scene, supply: Supply, *, rng: np.random.Generator
) -> Spot | None:
    own = own_support(motion)
    if own is not None:
        wholly = _rests_wholly(joints[0], own)
        fit = np.inf if wholly else FIT[own.kind]
        fitting = [s for s in scene.surfaces if s.kind == own.kind and abs(s.center[1] - own.center[1]) <= fit]
        if fitting and not supply.instead and not (supply.props and supply.prefer):
            surface = fitting[int(rng.integers(len(fitting)))]
            slack = 0.5 * np.maximum(np.array(surface.size) - np.array(own.size), 0) + 0.02
            aside, along = rng.uniform(-slack, slack)
            yaw = surface.yaw - own.yaw + rng.normal(0, 0.03)
            here = turn_about_y(own.center, yaw)
            there = surface.center + turn_about_y(np.array([aside, 0.0, along]), surface.yaw)
            rise = float(surface.center[1] - own.center[1]) if wholly else 0.0
            return Spot(yaw=yaw, shift=(there - here) * [1, 0, 1], support=surface, rise=rise)
        if not supply.props:  # and nothing fits
            return None
    yaw = float(rng.uniform(-np.pi, np.pi))
    points = np.concatenate([turn_about_y(person, yaw).reshape(-1, 3) for person in joints])
    middle = (points.min(0) + points.max(0)) / 2
    shift = (_draw_on_floor(scene.floor, rng=rng) - middle) * [1, 0, 1]
    if own is None:
        return Spot(yaw=yaw, shift=shift)
    if supply.instead:
        own = replace(own, size=PROP_SIZE[supply.instead])
    brought = replace(own, center=turn_about_y(own.center, yaw) + shift, yaw=own.yaw + yaw)
    return Spot(yaw=yaw, shift=shift, support=brought, is_prop=True)


def _rests_wholly(joints: np.ndarray, support: Surface) -> bool:
    """Whether nothing of the body is ever beside or below its support: then a surface of any height can carry it."""
    return bool((joints[..., 1] > support.center[1] - 0.02).all())


def _draw_on_floor(floor: Float[np.ndarray, "n 2"], *, rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    low, high = floor.min(0), floor.max(0)
    for _ in range(100):
        point = rng.uniform(low, high)
        if on_ground(point, floor):
            return np.array([point[0], 0.0, point[1]])
    middle = floor.mean(0)
    return np.array([middle[0], 0.0, middle[1]])


def prop_fits(prop: Surface, solid: Solid) -> bool:
    """Whether added furniture stands on the floor and clear of obstacles, checked on a grid over its footprint."""
    across, along = np.meshgrid(*(np.linspace(-extent / 2, extent / 2, 7) for extent in prop.size))
    grid = turn_about_y(np.stack([across, along], axis=-1).reshape(-1, 2), prop.yaw) + prop.center[[0, 2]]
    if not on_ground(grid, solid.floor).all():
        return False
    points = np.insert(grid, 1, 0.1, axis=1)
    return not any_in_box(solid.blocking, points, BODY_RADIUS).any()
