"""Props that move with a person: where a walker, stick or tray is in every frame.

A prop's own frame: +y up, +z the way the person faces, origin on the floor below the grips (walker), at the tip (stick) or in
the middle of the plate (tray). A prop is held as long as the person is on their feet, and then let go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from ..body.model import Body, joints_of
from ..geometry import axis_angle_to_matrix, heading_of, heading_vector
from ..types import JOINT, Motion
from .contacts import foot_contacts
from .library.scripted import ik
from .library.scripted.curves import ramp
from .library.scripted.rig import SIGN

STEADY = 0.22
"""Seconds (sigma) over which a prop evens out the sway of the body that moves it."""
HALF_WALKER, HALF_TRAY = 0.28, 0.20
"""Half the distance between the grips, metres."""
_GRAVITY = 9.81
_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """How a person moves, without arms: what props follow. World, metres, (t, 3) each."""

    at: Float[np.ndarray, "t 3"]
    """The pelvis on the floor plane, without its sway."""
    ahead: Float[np.ndarray, "t 3"]
    """Unit, level: where the person faces."""
    left: Float[np.ndarray, "t 3"]
    shoulders: Float[np.ndarray, "t"]
    """Height of the shoulders."""
    chest: Float[np.ndarray, "t 3"]
    """The chest on the floor plane."""
    joints: Float[np.ndarray, "t 24 3"]
    fps: float


def carrier_of(motion: Motion, body: Body) -> Carrier:
    """Read off a motion what props follow; arms have no influence."""
    joints = np.asarray(joints_of(body, motion), np.float64)
    rest = np.asarray(body.rest_joints(motion.betas), np.float64)
    root = axis_angle_to_matrix(torch.as_tensor(np.asarray(motion.global_orient, np.float64)))
    heading = steady(np.unwrap(heading_of(root).numpy())[:, None], motion.fps)[:, 0]
    ahead = heading_vector(heading)
    shoulder = rest[[JOINT["left_shoulder"], JOINT["right_shoulder"]], 1].mean() - rest[JOINT["neck"], 1]
    flat = np.array([1.0, 0.0, 1.0])
    return Carrier(
        at=steady(joints[:, 0] * flat, motion.fps), ahead=ahead, left=np.cross(_UP, ahead),
        shoulders=steady(joints[:, JOINT["neck"], 1:2] + shoulder, motion.fps)[:, 0],
        chest=steady(joints[:, JOINT["spine3"]] * flat, motion.fps), joints=joints, fps=motion.fps,
    )  # fmt: skip


def steady(values: Float[np.ndarray, "t d"], fps: float) -> Float[np.ndarray, "t d"]:
    """Values evened out over ``STEADY`` seconds; going on straight beyond both ends."""
    pad = min(int(4 * STEADY * fps) + 1, len(values) - 1)
    if pad < 1:
        return values
    padded = np.pad(values, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(padded, STEADY * fps, axis=0)[pad:-pad]


def prop_track(entry: dict[str, Any], carrier: Carrier) -> Float[np.ndarray, "t 4 4"]:
    """T_world_prop of a moving prop in every frame."""
    track = PROPS[entry["kind"]].follow(entry, carrier)
    held = held_frames(entry, carrier)
    return track if held >= len(track) else _let_fall(track, held, entry, carrier)


def held_frames(entry: dict[str, Any], carrier: Carrier) -> int:
    """Number of frames before the prop is let go; all if it never is."""
    count, end = len(carrier.at), entry["let_go_sec"]
    return count if end is None else min(max(round(end * carrier.fps), 1), count)


def _frames(origin: np.ndarray, ahead: np.ndarray, up: np.ndarray = _UP) -> np.ndarray:
    """Transforms with +y along ``up`` and +z as near to ``ahead`` as that allows."""
    up = ik.unit(np.broadcast_to(up, origin.shape))
    forward = ik.unit(ahead - (ahead * up).sum(-1, keepdims=True) * up)
    track = np.broadcast_to(np.eye(4), (len(origin), 4, 4)).copy()
    track[:, :3, :3] = np.stack([np.cross(up, forward), up, forward], axis=-1)
    track[:, :3, 3] = origin
    return track


def _walker(entry: dict[str, Any], carrier: Carrier) -> np.ndarray:
    return _frames(carrier.at + entry["reach"] * carrier.ahead, carrier.ahead)


def _tray(entry: dict[str, Any], carrier: Carrier) -> np.ndarray:
    drop = entry["grip"] - np.median(carrier.shoulders[: held_frames(entry, carrier)])
    height = (carrier.shoulders + drop)[:, None] * _UP
    return _frames(carrier.chest + entry["reach"] * carrier.ahead + height, carrier.ahead)


def _stick(entry: dict[str, Any], carrier: Carrier) -> np.ndarray:
    """The tip is set down beside the other side's foot and moves while that foot does; the handle follows the hand."""
    tip = _plants(entry, carrier)
    outward = SIGN[entry["side"]] * carrier.left
    hand = carrier.at + 0.24 * outward + entry["reach"] * carrier.ahead + entry["grip"] * _UP
    return _frames(tip, carrier.ahead, hand - tip)


def _plants(entry: dict[str, Any], carrier: Carrier) -> np.ndarray:
    """Places of the stick's tip, (t, 3): still while the opposite foot stands, in a low arc to the next one while it swings."""
    other = "right" if entry["side"] == "left" else "left"
    column = slice(0, 2) if other == "left" else slice(2, 4)
    stands = foot_contacts(carrier.joints, carrier.fps)[:, column].any(1)
    outward = SIGN[entry["side"]] * carrier.left
    foot = carrier.joints[:, [JOINT[f"{other}_ankle"], JOINT[f"{other}_foot"]]].mean(1)
    along = ((foot - carrier.at) * carrier.ahead).sum(-1, keepdims=True)
    wanted = carrier.at + 0.30 * outward + (along + 0.10) * carrier.ahead
    count = len(wanted)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], stands.astype(int), [0]])))
    stances = [(a, b) for a, b in edges.reshape(-1, 2).tolist() if b - a >= 2]
    if not stances:
        return wanted
    tip = np.empty((count, 3))
    places = [wanted[a:b].mean(0) for a, b in stances]
    for (a, b), place in zip(stances, places, strict=True):
        tip[a:b] = place
    first, last = stances[0][0], stances[-1][1]
    # Before the first and after the last stance the tip is on its way in the air.
    tip[:first] = places[0] + (wanted[:first] - wanted[first])
    tip[last:] = places[-1] + (wanted[last:] - wanted[last - 1])
    tip[:first, 1] = tip[last:, 1] = 0.03
    for (_, a), (b, _), here, there in zip(stances[:-1], stances[1:], places[:-1], places[1:], strict=True):
        share = ramp(np.arange(a, b, dtype=float), float(a - 1), float(b))[:, None]
        tip[a:b] = here + share * (there - here) + 0.05 * np.sin(np.pi * share) * _UP
    return tip


def _let_fall(track: np.ndarray, start: int, entry: dict[str, Any], carrier: Carrier) -> np.ndarray:
    """What the prop does once let go: a walker rolls to a stop, a stick tips over, a tray drops."""
    track = track.copy()
    since = np.arange(1, len(track) - start + 1)[:, None] / carrier.fps
    held = track[start - 1]
    speed = (track[start - 1, :3, 3] - track[max(start - 2, 0), :3, 3]) * carrier.fps
    speed = speed * min(1.0, 1.2 / max(float(np.linalg.norm(speed)), 1e-6)) * [1.0, 0.0, 1.0]
    track[start:] = held
    if entry["kind"] == "stick":
        up, outward = held[:3, 1], SIGN[entry["side"]] * carrier.left[start - 1]
        angle = np.minimum(0.15 * since + 0.5 * _GRAVITY * since**2, np.pi / 2)
        level = ik.unit((outward + 0.3 * held[:3, 2]) * [1.0, 0.0, 1.0])
        tip = held[:3, 3] * [1.0, 0.0, 1.0] + 0.012 * _UP
        upright = ik.unit(up * [0.0, 1.0, 0.0])
        # From its slant to the floor: the slant fades as it tips.
        lean = np.cos(angle) * (upright + (up - upright) * np.exp(-8 * since)) + np.sin(angle) * level
        track[start:] = _frames(np.broadcast_to(tip, lean.shape), np.broadcast_to(held[:3, 2], lean.shape), lean)
        return track
    if entry["kind"] == "walker":
        track[start:, :3, 3] += 0.3 * speed * (1 - np.exp(-since / 0.3))
        return track
    fall = np.maximum(held[1, 3] - 0.5 * _GRAVITY * since[:, 0] ** 2, 0.02)
    landing = np.sqrt(2 * max(held[1, 3] - 0.02, 0.0) / _GRAVITY)
    track[start:, :3, 3] += speed * np.minimum(since, landing)
    track[start:, 1, 3] = fall
    return track


def grip_points(entry: dict[str, Any], track: Float[np.ndarray, "t 4 4"], side: str) -> Float[np.ndarray, "t 3"]:
    """The place on a prop that a hand holds, world, metres."""
    local = {
        "walker": (SIGN[side] * HALF_WALKER, entry["grip"], 0.0), "stick": (0.0, entry["grip"], 0.0),
        "tray": (SIGN[side] * HALF_TRAY, -0.01, -0.02),
    }[entry["kind"]]  # fmt: skip
    return track[:, :3, :3] @ np.array(local) + track[:, :3, 3]


def outline_points(entry: dict[str, Any], track: Float[np.ndarray, "t 4 4"]) -> Float[np.ndarray, "t k 3"]:
    """Points of a moving prop that must keep clear of walls and furniture, world, metres."""
    local = np.array(PROPS[entry["kind"]].outline)
    return np.einsum("tij,kj->tki", track[:, :3, :3], local) + track[:, None, :3, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class PropKind:
    """A kind of prop."""

    hands: int
    """Number of hands that hold it."""
    follow: Callable[[dict[str, Any], Carrier], np.ndarray]
    """(entry, carrier) -> T_world_prop while it is held."""
    outline: tuple[tuple[float, float, float], ...]
    """Points in its own frame that must be over free floor, metres."""
    actions: tuple[str, ...]
    """The embedded library's actions in which it has a place; other sources' motions are judged one by one."""
    words: str
    """What a caption says of it."""
    pace: tuple[float, float] | None = None
    """Speeds at which people walk with it, metres a second; None for any."""


def _nothing(*_: Any) -> Any:
    raise AssertionError("a wheelchair is not held")


_WALKER_OUTLINE = tuple((x, y, z) for x in (-0.31, 0.0, 0.31) for y in (0.1, 0.6) for z in (-0.05, 0.3, 0.62))
_FALLS = ("fall_forward_hands", "fall_forward_knees", "fall_backward", "fall_sideways")
PROPS: dict[str, PropKind] = {
    "walker": PropKind(
        hands=2, follow=_walker, outline=_WALKER_OUTLINE, words="with a walker", pace=(0.3, 0.7),
        # Who falls forward comes down on it; who lies down swings the legs through it.
        actions=("walk", "stand", "sit_down", "fall_backward", "fall_sideways"),
    ),
    "wheelchair": PropKind(
        hands=0, follow=_nothing, outline=(), words="in a wheelchair",
        actions=("sit", "sit_down", "stand_up", "fall_from_chair"),
    ),
    "stick": PropKind(
        hands=1, follow=_stick, outline=((0.0, 0.02, 0.0), (0.0, 0.4, 0.0)), words="with a stick", pace=(0.4, 0.9),
        actions=("walk", "stand", "sit_down", "lie_down", "kneel", "pick_up", *_FALLS),
    ),
    "tray": PropKind(
        hands=2, follow=_tray, outline=tuple((x, 0.0, z) for x in (-0.23, 0.23) for z in (-0.15, 0.0, 0.15)),
        words="with a tray", pace=(0.5, 1.1), actions=("walk", "stand", *_FALLS),
    ),
}  # fmt: skip
"""Every prop by its name: what a recipe's ``prop`` may ask for."""
