"""Put a performance into a room: on free floor, or on a seat or bed that fits it; a place that fails a gate is rejected.

People move as one rigid group, turned about +y and shifted; a seated or lying motion may also be lifted a little to meet its
seat. Where a room has no seat of the right height, a plain one is added (``provenance["props"]``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ..body.model import Body, joints_of
from ..body.outline import extreme_points
from ..body.points import SkinSample, pose_points, sample_skin
from ..geometry import quantile
from ..motion.carrying import carrier_of, outline_points, prop_track
from ..motion.legs import reach_ankles
from ..motion.posture import place_joints, turn_and_shift, with_pose, world_rotations
from ..scene.boxes import depth_is_guessed, volume
from ..scene.solid import Boxes, Solid, box_rows, in_some_box, solid_of
from ..types import JOINT, Camera, Motion, Performance, Scene
from .gates import REASONS, body_free, body_points, carries, lowest_height, pierces, props_free, seen
from .spots import Spot, Supply, at_spot, draw_spot, need_of, own_support, prop_fits

SETTLE = 0.05
"""Metres by which a whole performance may be lifted or lowered so that it stands on the floor."""
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
        performance: In a frame of its own, the floor at y = 0. ``provenance["props"]`` may list what people carry, see
            ``motion.holding.take_up``: it must have room, too; a wheelchair is brought along even where seats are free.
        tries: Places drawn before giving up.
        camera: Must see the person; the room's own if None. For another one, the scene's boxes tell what is hidden.
        props: Add a chair or bed where the room has none that fits.
    Returns:
        The same movement, rigidly moved (a seated pelvis may be lifted up to ``FIT``, who lies all the time to any
        bed). ``provenance["placement"]`` says how, ``provenance["props"]`` what moves and what was added: ``kind``,
        ``center``, ``yaw``, ``size``.
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
    held = "partner" in performance.provenance
    view, need = _view_of(scene, camera), need_of(lead, joints, scene, held=held)
    settled = replace(
        settled,
        points=tuple(map(body_points, joints)),
        carried=tuple(points[frames] for points in _carried(performance, body)),
        acting=2 if held else 1,
    )
    seat = "wheelchair" if any(prop["kind"] == "wheelchair" for prop in asked_props(performance)) else ""
    for number in range(1, tries + 1):
        # The room's own seats are tried first; furniture is added only where none of them fits.
        spot = draw_spot(need, Supply(props, seat, number > tries // 3), rng=rng)
        reason = "no_support" if spot is None else _judge(spot, settled, view)
        if spot is not None and reason is None:
            return _moved(performance, spot, settled.lift, body, number, counts)
        counts[reason or ""] += 1
    raise PlacementRejected(counts)


def asked_props(performance: Performance) -> list[dict[str, Any]]:
    """What people of a performance use besides furniture of the room."""
    return list(performance.provenance.get("props", ()))


def _carried(performance: Performance, body: Body) -> list[np.ndarray]:
    """Points of everything that moves with somebody, (t, k, 3) each, in the performance's own frame."""
    found = []
    for prop in asked_props(performance):
        if prop.get("moving"):
            track = prop_track(prop, carrier_of(performance.people[prop["person"]], body))
            found.append(outline_points(prop, track))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """A performance on its floor and support."""

    lift: float = 0.0
    """Metres up that put it on the floor."""
    points: tuple[np.ndarray, ...] = ()
    """Each person's ``gates.body_points`` at the frames of the gates, in the performance's own frame."""
    skin: tuple[np.ndarray, ...] = ()
    """Some vertices of each person in a few frames, lifted, in the performance's own frame."""
    carried: tuple[np.ndarray, ...] = ()
    """Points of props that move, at the frames of the gates, in that frame."""
    acting: int = 1
    """How many of the people take part in the action: 2 for partners."""
    problem: str | None = None
    """The reason to reject it even then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A room, and what of it the camera sees."""

    solid: Solid
    camera: Camera
    depth: np.ndarray | None
    """What this camera sees; None if it is not known."""
    boxes: Boxes | None
    """What hides people besides."""


def _view_of(scene: Scene, camera: Camera | None) -> _View:
    solid = solid_of(scene)
    if camera is not None:
        return _View(solid=solid, camera=camera, depth=None, boxes=solid.hiding)
    # A measured depth shows what really hides somebody; elsewhere the scene's boxes tell.
    measured = scene.depth.size > 0 and scene.depth.min() > 0 and not depth_is_guessed(scene)
    return _View(solid=solid, camera=scene.camera, depth=scene.depth, boxes=None if measured else solid.hiding)


def _judge(spot: Spot, settled: _Settled, view: _View) -> str | None:
    # The seat or bed carries the first person alone.
    others = len(settled.points) - 1
    supports, rises = [spot.support, *[None] * others], [spot.rise, *[0.0] * others]
    moved_all = []
    for points, rise, support in zip(settled.points, rises, supports, strict=True):
        moved = at_spot(points, spot, settled.lift + rise)
        reason = body_free(moved, view.solid, support)
        if reason is not None:
            return reason
        moved_all.append(moved)
    lead = moved_all[0]
    for points in settled.carried:
        reason = props_free(at_spot(points, spot), view.solid, spot.support)
        if reason is not None:
            return reason
    if spot.is_prop and spot.support is not None and not prop_fits(spot.support, view.solid):
        return "in_furniture"
    for points in (lead, *moved_all[1 : settled.acting]):
        reason = seen(points[:, :24], view.camera, view.depth, view.boxes)
        if reason is not None:
            return reason
    if spot.is_prop and spot.support is not None and settled.acting > 1:
        # The partner must not stand in the seat that is brought along.
        own = np.ascontiguousarray(box_rows([volume(spot.support)]))
        if in_some_box(own, np.zeros(1, np.bool_), moved_all[1], np.zeros(moved_all[1].shape[1])):
            return "in_furniture"
    for skin, rise, support in zip(settled.skin, rises, supports, strict=True):
        if pierces(at_spot(skin, spot, rise), view.solid, support):
            return "in_furniture"
    return None


def _settle(performance: Performance, body: Body) -> _Settled:
    lead = performance.people[0]
    rows = np.unique(np.linspace(0, len(lead) - 1, _MESH_FRAMES).astype(int))
    fps = lead.fps * (len(rows) - 1) / max(len(lead) - 1, 1)
    sample, spread = deciding_skin(body)
    posed = [pose_points(body, motion.take(rows), sample) for motion in performance.people]
    support = own_support(lead)
    lift = 0.0
    if support is None:
        lowest = lowest_height(posed[0][0])
        lift = float(np.clip(-lowest, -SETTLE, SETTLE)) if abs(lowest) > 0.01 else 0.0
    skin = []
    for person, (vertices, joints) in enumerate(posed):
        if lift:
            vertices[..., 1] += lift
        problem = carries(vertices, joints, fps, support if person == 0 else None, body.part_of_vertex[sample.rows])
        if problem is not None:
            return _Settled(problem=problem)
        skin.append(np.ascontiguousarray(vertices[:, spread]))
    return _Settled(lift=lift, skin=tuple(skin))


@lru_cache(maxsize=4)
def deciding_skin(body: Body) -> tuple[SkinSample, Int[np.ndarray, " s"]]:
    """Vertices that stand for the whole skin, and which of them are spread evenly over it."""
    spread = np.arange(0, len(body.weights), _SKIN_STEP)
    rows = np.union1d(spread, extreme_points(body))
    return sample_skin(body, rows), np.searchsorted(rows, spread)


def move_motion(motion: Motion, yaw: float, shift: Float[np.ndarray, "3"], body: Body) -> Motion:
    """The motion turned by ``yaw`` radians about the world's +y through the origin, then shifted (metres)."""
    return turn_and_shift(motion, yaw, shift, body.rest_joints(motion.betas)[0])


def raise_seated(motion: Motion, rise: float, body: Body) -> Motion:
    """Lift the pelvis by ``rise`` metres while it rests on its support, blending to nothing as it stands up; the feet stay."""
    rest = np.array(body.rest_joints(motion.betas), np.float64)
    worlds, pelvis = world_rotations(motion), np.asarray(motion.transl, np.float64) + rest[0]
    joints = place_joints(worlds, rest, pelvis)
    seated = quantile(pelvis[:, 1], 0.05)
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
    props = asked_props(performance)
    if spot.is_prop and spot.support is not None:
        s = spot.support
        here = {"center": [float(v) for v in s.center], "yaw": float(s.yaw), "size": list(s.size)}
        asked = [prop for prop in props if prop["kind"] == "wheelchair"]
        props = [prop for prop in props if prop not in asked] + [{"kind": "wheelchair" if asked else s.kind} | here]
    provenance = performance.provenance | {"placement": note, "props": props}
    return replace(performance, people=tuple(people), provenance=provenance)
