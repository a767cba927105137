"""Put a performance into a room: on free floor, or on a seat or bed that fits it; a place that fails a gate is rejected.

People move as one rigid group, turned about +y and shifted; a seated or lying motion may also be lifted a little to meet its
seat. Where a room has no seat of the right height, a plain one is added (``provenance["props"]``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ..body.model import Body, joints_of, pose_body
from ..geometry import axis_angle_to_matrix, matrix_to_axis_angle, turn_about_y, yaw_to_matrix
from ..motion.legs import reach_ankles
from ..motion.posture import place_joints, with_pose, world_rotations
from ..polygon import inside_polygon
from ..scene.boxes import blocking_boxes, depth_is_guessed, hiding_boxes, inside_box
from ..types import JOINT, Camera, Motion, Performance, Scene, Surface
from .gates import BODY_RADIUS, REASONS, carries, pierces, seen, stands_free

FIT = {"chair": 0.06, "bed": 0.12}
"""Metres by which a seat's or bed's height may differ from the one a motion was made for."""
SETTLE = 0.05
"""Metres by which a whole performance may be lifted or lowered so that it stands on the floor."""
PROP_SIZE = {"chair": (0.44, 0.44), "bed": (0.95, 2.0)}
"""Extent of added furniture, metres, across and along."""
_GATE_SECONDS, _MESH_FRAMES, _SKIN_STEP = 0.15, 14, 9
"""Time between the frames whose joints are checked; number of frames whose skin is; one vertex of so many is then taken."""


class PlacementRejected(Exception):
    """No drawn place in the room passed the gates."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts
        """How often each reason of ``gates.REASONS`` rejected a try."""
        self.reason = counts.most_common(1)[0][0]
        """The most frequent of them."""
        super().__init__(f"{self.reason}: {REASONS[self.reason]} ({', '.join(f'{k} {n}' for k, n in counts.most_common())})")


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


def place(
    performance: Performance,
    scene: Scene,
    body: Body,
    *,
    rng: np.random.Generator,
    tries: int = 80,
    camera: Camera | None = None,
    props: bool = True,
) -> Performance:
    """Move a performance to a drawn place in a room.

    Args:
        performance: In a frame of its own, the floor at y = 0.
        tries: Places drawn before giving up.
        camera: Must see the person; the room's own if None. For another one, the scene's boxes tell what is hidden.
        props: Add a chair or bed where the room has none that fits.
    Returns:
        The same movement, rigidly moved (a seated pelvis may be lifted up to ``FIT``, who lies all the time to any
        bed). ``provenance["placement"]`` says how, ``provenance["props"]`` what was added: ``kind``, ``center``, ``yaw``,
        ``size``.
    Raises:
        PlacementRejected: If no place passed the gates; it counts the reasons.
    """
    lead = performance.people[0]
    counts: Counter[str] = Counter()
    settled = _settle(performance, body)
    if settled.problem is not None:
        raise PlacementRejected(Counter([settled.problem]))
    count = max(round(lead.seconds / _GATE_SECONDS), 2)
    frames = np.unique(np.linspace(0, len(lead) - 1, count).astype(int))
    joints = [joints_of(body, motion.take(frames)) for motion in performance.people]
    for number in range(1, tries + 1):
        # The room's own seats are tried first; furniture is added only where none of them fits.
        spot = _draw_spot(lead, joints, scene, props, number > tries // 3, rng=rng)
        reason = "no_support" if spot is None else _judge(spot, settled, joints, scene, camera)
        if spot is not None and reason is None:
            return _moved(performance, spot, settled.lift, body, number, counts)
        counts[reason or ""] += 1
    raise PlacementRejected(counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """A performance on its floor and support."""

    lift: float = 0.0
    """Metres up that put it on the floor."""
    skin: tuple[np.ndarray, ...] = ()
    """Some vertices of each person in a few frames, lifted, in the performance's own frame."""
    problem: str | None = None
    """The reason to reject it even then."""


def _judge(spot: Spot, settled: _Settled, joints: Sequence[np.ndarray], scene: Scene, camera: Camera | None) -> str | None:
    turn = yaw_to_matrix(torch.tensor(spot.yaw, dtype=torch.float64)).numpy()
    moved = [points @ turn.T + spot.shift + [0.0, settled.lift, 0.0] for points in joints]
    moved[0] = moved[0] + [0.0, spot.rise, 0.0]
    # The seat or bed carries the first person alone.
    supports = [spot.support, *[None] * (len(moved) - 1)]
    for points, support in zip(moved, supports, strict=True):
        reason = stands_free(points, scene, support)
        if reason is not None:
            return reason
    if spot.is_prop and spot.support is not None and not _prop_fits(spot.support, scene):
        return "in_furniture"
    reason = _seen(moved[0], scene, camera)
    if reason is not None:
        return reason
    for skin, support in zip(settled.skin, supports, strict=True):
        up = 0.0 if support is None else spot.rise
        if pierces(skin @ turn.T + spot.shift + [0.0, up, 0.0], scene, support):
            return "in_furniture"
    return None


def _seen(joints: np.ndarray, scene: Scene, camera: Camera | None) -> str | None:
    if camera is not None:
        return seen(joints, camera, None, hiding_boxes(scene))
    # A measured depth shows what really hides somebody; elsewhere the scene's boxes tell.
    measured = (scene.depth > 0).all() and not depth_is_guessed(scene)
    return seen(joints, scene.camera, scene.depth, () if measured else hiding_boxes(scene))


def _settle(performance: Performance, body: Body) -> _Settled:
    lead = performance.people[0]
    rows = np.unique(np.linspace(0, len(lead) - 1, _MESH_FRAMES).astype(int))
    fps = lead.fps * (len(rows) - 1) / max(len(lead) - 1, 1)
    posed = [pose_body(body, motion.take(rows)) for motion in performance.people]
    support = _own_support(lead)
    lift = 0.0
    if support is None:
        lowest = np.median([vertices[..., 1].min() for vertices, _ in posed[:1]])
        lift = float(np.clip(-lowest, -SETTLE, SETTLE)) if abs(lowest) > 0.01 else 0.0
    skin = []
    for person, (vertices, joints) in enumerate(posed):
        vertices = vertices + np.array([0.0, lift, 0.0], np.float32)
        problem = carries(vertices, joints, fps, support if person == 0 else None, body.part_of_vertex)
        if problem is not None:
            return _Settled(problem=problem)
        skin.append(vertices[:, ::_SKIN_STEP])
    return _Settled(lift=lift, skin=tuple(skin))


def _own_support(motion: Motion) -> Surface | None:
    """The seat or bed that a motion was made for, in its own frame."""
    if motion.support == "floor" or motion.support_center is None:
        return None
    x, z = motion.support_center
    center = np.array([x, motion.support_height, z])
    return Surface(kind=motion.support, center=center, size=PROP_SIZE[motion.support], yaw=motion.support_yaw)


def _draw_spot(
    motion: Motion, joints: Sequence[np.ndarray], scene: Scene, props: bool, prefer_props: bool, *, rng: np.random.Generator
) -> Spot | None:
    own = _own_support(motion)
    if own is not None:
        wholly = _rests_wholly(joints[0], own)
        fit = np.inf if wholly else FIT[own.kind]
        fitting = [s for s in scene.surfaces if s.kind == own.kind and abs(s.center[1] - own.center[1]) <= fit]
        if fitting and not (props and prefer_props):
            surface = fitting[int(rng.integers(len(fitting)))]
            slack = 0.5 * np.maximum(np.array(surface.size) - np.array(own.size), 0) + 0.02
            aside, along = rng.uniform(-slack, slack)
            yaw = surface.yaw - own.yaw + rng.normal(0, 0.03)
            here = turn_about_y(own.center, yaw)
            there = surface.center + turn_about_y(np.array([aside, 0.0, along]), surface.yaw)
            rise = float(surface.center[1] - own.center[1]) if wholly else 0.0
            return Spot(yaw=yaw, shift=(there - here) * [1, 0, 1], support=surface, rise=rise)
        if not props:  # and nothing fits
            return None
    yaw = float(rng.uniform(-np.pi, np.pi))
    points = np.concatenate([turn_about_y(person, yaw).reshape(-1, 3) for person in joints])
    middle = (points.min(0) + points.max(0)) / 2
    shift = (_draw_on_floor(scene.floor, rng=rng) - middle) * [1, 0, 1]
    if own is None:
        return Spot(yaw=yaw, shift=shift)
    brought = replace(own, center=turn_about_y(own.center, yaw) + shift, yaw=own.yaw + yaw)
    return Spot(yaw=yaw, shift=shift, support=brought, is_prop=True)


def _rests_wholly(joints: np.ndarray, support: Surface) -> bool:
    """Whether nothing of the body is ever beside or below its support: then a surface of any height can carry it."""
    return bool((joints[..., 1] > support.center[1] - 0.02).all())


def _draw_on_floor(floor: Float[np.ndarray, "n 2"], *, rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    low, high = floor.min(0), floor.max(0)
    for _ in range(100):
        point = rng.uniform(low, high)
        if inside_polygon(point, floor):
            return np.array([point[0], 0.0, point[1]])
    middle = floor.mean(0)
    return np.array([middle[0], 0.0, middle[1]])


def _prop_fits(prop: Surface, scene: Scene) -> bool:
    """Whether added furniture stands on the floor and clear of obstacles, checked on a grid over its footprint."""
    across, along = np.meshgrid(*(np.linspace(-extent / 2, extent / 2, 7) for extent in prop.size))
    grid = turn_about_y(np.stack([across, along], axis=-1).reshape(-1, 2), prop.yaw) + prop.center[[0, 2]]
    if not inside_polygon(grid, scene.floor).all():
        return False
    points = np.insert(grid, 1, 0.1, axis=1)
    return not any(inside_box(box, points, BODY_RADIUS).any() for box in blocking_boxes(scene))


def move_motion(motion: Motion, yaw: float, shift: Float[np.ndarray, "3"], body: Body) -> Motion:
    """The motion turned by ``yaw`` radians about the world's +y through the origin, then shifted (metres)."""
    turn = yaw_to_matrix(torch.tensor(yaw, dtype=torch.float64))
    root = axis_angle_to_matrix(torch.as_tensor(motion.global_orient, dtype=torch.float64))
    pelvis = np.array(body.rest_joints(motion.betas))[0]
    transl = (np.asarray(motion.transl, np.float64) + pelvis) @ turn.numpy().T + shift - pelvis
    center = motion.support_center
    if center is not None:
        moved = turn_about_y(np.array([center[0], 0.0, center[1]]), yaw) + shift
        center = (float(moved[0]), float(moved[2]))
    return replace(
        motion,
        global_orient=matrix_to_axis_angle(turn @ root).numpy(),
        transl=transl,
        support_center=center,
        support_yaw=motion.support_yaw + yaw if motion.support != "floor" else motion.support_yaw,
    )


def raise_seated(motion: Motion, rise: float, body: Body) -> Motion:
    """Lift the pelvis by ``rise`` metres while it rests on its support, blending to nothing as it stands up; the feet stay."""
    rest = np.array(body.rest_joints(motion.betas), np.float64)
    worlds, pelvis = world_rotations(motion), np.asarray(motion.transl, np.float64) + rest[0]
    joints = place_joints(worlds, rest, pelvis)
    seated = float(np.percentile(pelvis[:, 1], 5))
    share = np.clip(1 - (pelvis[:, 1] - seated) / 0.25, 0, 1)
    ankles = joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]]].copy()
    # Feet on the bed rise with it, feet on the floor stay.
    on_top = np.clip((ankles[..., 1] - 0.5 * motion.support_height) / 0.15, 0, 1)
    ankles[..., 1] += rise * share[:, None] * on_top
    pelvis = pelvis + np.outer(rise * share, [0.0, 1.0, 0.0])
    worlds = reach_ankles(worlds, place_joints(worlds, rest, pelvis), ankles)
    return replace(with_pose(motion, worlds, pelvis, rest), support_height=motion.support_height + rise)


def _moved(performance: Performance, spot: Spot, lift: float, body: Body, number: int, counts: Counter[str]) -> Performance:
    shift = spot.shift + [0.0, lift, 0.0]
    people = [move_motion(motion, spot.yaw, shift, body) for motion in performance.people]
    rise = 0.0
    if spot.support is not None:
        rise = float(spot.support.center[1] - people[0].support_height)
        if spot.rise:
            lifted = people[0].transl + np.array([0.0, rise, 0.0])
            people[0] = replace(people[0], transl=lifted, support_height=people[0].support_height + rise)
        elif abs(rise) > 1e-3:
            people[0] = raise_seated(people[0], rise, body)
    note: dict[str, Any] = {
        "yaw": spot.yaw, "shift": [float(v) for v in shift], "rise": rise, "tries": number, "turned_down": dict(counts),
        "support": "none" if spot.support is None else ("prop" if spot.is_prop else "room"),
    }  # fmt: skip
    brought = []
    if spot.is_prop and spot.support is not None:
        s = spot.support
        brought = [{"kind": s.kind, "center": [float(v) for v in s.center], "yaw": float(s.yaw), "size": list(s.size)}]
    provenance = performance.provenance | {"placement": note, "props": brought}
    return replace(performance, people=tuple(people), provenance=provenance)
