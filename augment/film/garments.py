"""Garments that lie on the body's surface: where each one ends, and how far it stands off."""

from __future__ import annotations

import numpy as np

from .cloth import Dye, Field, soft
from .hair import Head, Skin
from .outfits import Outfit
from .pattern import ARMS, HANDS, HEAD, LEGS, Points
from .tailor import Garment

SKIRTED = ("coat", "labcoat", "apron")
"""What is worn over the top and hangs down over the legs."""


def sock(height: float, dye: Dye) -> Garment:
    """A sock that ends at a height in the zero pose, metres."""

    def inside(points: Points) -> np.ndarray:
        return np.minimum(height - points.rest[:, 1], (points.share(LEGS) - 0.5) * 0.1)

    # Nothing may reach below the sole: it stands on the floor.
    return Garment(inside=inside, stand_off=lambda points: 0.003 * soft(points.normals[:, 1] + 0.35, 0.6), color=dye.color)


def trousers(worn: Outfit, dye: Dye, fit: float, folds: Field) -> Garment:
    """Trousers, looser towards the cuff."""

    def inside(points: Points) -> np.ndarray:
        y, hip, ankle = points.rest[:, 1], points.at("hip")[1], points.at("ankle")[1]
        cuff = hip + worn.leg * (ankle - hip) - 0.01
        waist = points.at("pelvis")[1] + 0.03 * points.stature
        return np.minimum(np.minimum(waist - y, y - cuff), (0.5 - points.share(ARMS)) * 0.1)

    def stand_off(points: Points) -> np.ndarray:
        hip, ankle = points.at("hip")[1], points.at("ankle")[1]
        loose = 0.4 + 0.9 * np.clip((hip - points.rest[:, 1]) / (hip - ankle), 0, 1)
        return 0.006 + 0.012 * fit * loose + 0.003 * folds(points.rest * [1, 0.6, 1]) + 0.3 * points.slack

    return Garment(inside=inside, stand_off=stand_off, color=dye.color)


def hips(dye: Dye) -> Garment:
    """What is under a skirt."""

    def inside(points: Points) -> np.ndarray:
        y = points.rest[:, 1]
        waist = points.at("pelvis")[1] + 0.04 * points.stature
        crotch = points.at("hip")[1] - 0.08 * points.stature
        return np.minimum(np.minimum(waist - y, y - crotch), (0.5 - points.share(ARMS)) * 0.1)

    return Garment(inside=inside, stand_off=lambda points: np.full(len(points.rest), 0.008), color=dye.color)


def top(worn: Outfit, dye: Dye, fit: float, folds: Field) -> Garment:
    """A shirt, or the upper part of a gown or dress."""

    def inside(points: Points) -> np.ndarray:
        hem = waist_of_skirt(points) - 0.04 if worn.bottom == "skirt" else points.at("hip")[1]
        cuff = _along_arm(points, worn.sleeve)
        collar = _collar(points, 0.055 if worn.top == "vneck" else 0.0)
        return _trunk(points, np.minimum(np.minimum(points.rest[:, 1] - hem, collar), cuff))

    def stand_off(points: Points) -> np.ndarray:
        close = _near_collar(_collar(points, 0.055 if worn.top == "vneck" else 0.0))
        off = close * (_hang(points, fit) + 0.004 * folds(points.rest * [1, 0.6, 1]))
        if worn.one_piece:
            return _onto_skirt(points, off, 0.015)
        return off * _tucked(points) if worn.bottom == "skirt" or worn.over in SKIRTED else off

    return Garment(inside=inside, stand_off=stand_off, color=dye.color, rim=0.8 if worn.one_piece else 0.45)


def over(worn: Outfit, dye: Dye, fit: float, folds: Field) -> Garment:
    """A cardigan, jacket or coat down to the hips (a coat's skirt is a piece of its own), or an apron's bib."""
    if worn.over == "apron":
        return _bib(dye)
    long = worn.over in SKIRTED

    def inside(points: Points) -> np.ndarray:
        x, y = np.abs(points.rest[:, 0]), points.rest[:, 1]
        skirted = long or worn.bottom == "skirt"
        hem = waist_of_skirt(points) - 0.04 if skirted else points.at("hip")[1] - 0.015 * points.stature
        collar = _collar(points, 0.05 if worn.over == "jacket" or long else 0.075)
        shape = np.minimum(np.minimum(y - hem, collar), _along_arm(points, 0.98))
        if worn.open_front:
            front = points.rest[:, 2] - points.at("neck")[2] + 0.02
            # It falls open a little more towards the hem.
            opening = 0.022 + 0.12 * np.clip(points.at("neck")[1] - y, 0, 0.5)
            shape = np.minimum(shape, np.maximum(x - opening, -front))
        return _trunk(points, shape)

    def stand_off(points: Points) -> np.ndarray:
        thick = 0.007 if worn.over == "coat" else 0.004
        off = thick + _hang(points, fit) + 0.003 * folds(points.rest * [1, 0.6, 1])
        if long:
            return _onto_skirt(points, off, 0.026)
        return np.maximum(off, points.hollow + 0.024 * _at_skirt(points)) if worn.bottom == "skirt" else off

    return Garment(inside=inside, stand_off=stand_off, color=dye.color, rim=0.8 if long else 0.45)


def _bib(dye: Dye) -> Garment:
    def inside(points: Points) -> np.ndarray:
        x, y, front = np.abs(points.rest[:, 0]), points.rest[:, 1], points.rest[:, 2] - points.at("spine3")[2]
        upper = points.at("spine3")[1] + 0.06
        waist = points.at("pelvis")[1] + 0.05 * points.stature
        straps = np.minimum(0.018 - np.abs(x - 0.085), points.at("neck")[1] + 0.1 - y)
        wide = np.minimum(0.11 + 0.25 * np.clip(waist + 0.06 - y, 0, 0.3) - x, upper - y)
        hem = points.at("hip")[1] - 0.02
        shape = np.minimum(np.maximum(np.minimum(wide, front), straps), y - hem)
        return _trunk(points, np.minimum(shape, (0.4 - points.share(ARMS)) * 0.1))

    return Garment(inside=inside, stand_off=lambda points: np.full(len(points.rest), 0.004), color=dye.color)


def hair(style: str, skin: Skin, strands: Field) -> Garment:
    """Hair that lies on the head."""
    thick = {"receding": 0.006, "short": 0.010, "full": 0.022, "bob": 0.018, "long": 0.016, "bun": 0.010}[style]
    assert skin.hairline is not None
    distance = skin.hairline

    def stand_off(points: Points) -> np.ndarray:
        return thick * soft(distance(points) - 0.015, 0.03) * (1 + 0.15 * strands(points.rest * [1, 0.5, 1]))

    def color(points: Points, _: int) -> np.ndarray:
        dense = (0.55 + 0.45 * np.clip(distance(points) / 0.012, 0, 1))[:, None]
        return dense * skin.hair * (1 + 0.10 * strands(points.rest * [1, 0.5, 1]))[:, None] + (1 - dense) * skin.base

    return Garment(inside=distance, stand_off=stand_off, color=color)


def hat(head: Head, kind: str, dye: Dye) -> Garment:
    """A hat, from the crown down to its edge."""

    def inside(points: Points) -> np.ndarray:
        p = points.rest
        along = np.clip((p[:, 2] - head.back) / (head.front - head.back), 0, 1)
        if kind == "headscarf":
            face = np.hypot(p[:, 0] / (0.40 * head.width), (p[:, 1] - head.down(0.60)) / (0.40 * head.height)) - 1
            face = np.maximum(face * 0.4 * head.width, 0.02 - (p[:, 2] - 0.5 * (head.back + head.front)))
            low = points.at("neck")[1] - 0.04 - 0.07 * soft(p[:, 2] - points.at("neck")[2], 0.1)
            near = 0.14 - np.abs(p[:, 0])
            return np.minimum(np.minimum(face, p[:, 1] - low), np.minimum(near, (0.5 - points.share(ARMS)) * 0.1))
        edge = {"cap": (0.44, 0.27), "woolly hat": (0.62, 0.30), "surgical cap": (0.66, 0.24)}[kind]
        line = p[:, 1] - head.down(1.0) - (1 - np.interp(along, [0, 0.45, 1], [edge[0], 0.47, edge[1]])) * head.height
        return np.minimum(line, (points.share(HEAD) - 0.4) * 0.1)

    def stand_off(points: Points) -> np.ndarray:
        up = np.clip((points.rest[:, 1] - head.down(0.45)) / (0.45 * head.height), 0, 1)
        deep = np.clip(inside(points) / 0.03, 0, 1)
        thick = {"cap": 0.010, "woolly hat": 0.014, "surgical cap": 0.007, "headscarf": 0.007}[kind]
        tall = {"cap": 0.012, "woolly hat": 0.020, "surgical cap": 0.018, "headscarf": 0.014}[kind]
        return thick * (0.5 + 0.5 * deep) + tall * up * up

    return Garment(inside=inside, stand_off=stand_off, color=dye.color)


def _along_arm(points: Points, sleeve: float) -> np.ndarray:
    """Distance to the cuff of a sleeve that covers this share of the arm."""
    shoulder, wrist = abs(points.at("shoulder")[0]), abs(points.at("wrist")[0])
    return shoulder + sleeve * (wrist - shoulder) - np.abs(points.rest[:, 0])


def _collar(points: Points, depth: float) -> np.ndarray:
    """Distance to the neckline; ``depth`` of a V in front, as a share of the stature."""
    p, neck, s = points.rest, points.at("neck"), points.stature
    front = soft(p[:, 2] - neck[2], 0.10)
    # The collar's plane slants down to the front, but cuts only what is near the neck, not the shoulders.
    line = neck[1] - 0.002 * s - 0.026 * s * front - front * np.maximum(depth * s - 1.1 * np.abs(p[:, 0]), 0)
    down, out = line - p[:, 1], np.abs(p[:, 0]) - 0.045 * s
    return 0.5 * (down + out + np.sqrt((down - out) ** 2 + (0.008 * s) ** 2)) - 0.002 * s


def waist_of_skirt(points: Points) -> float:
    """Height of a skirt's upper edge in the zero pose, metres."""
    return float(points.at("pelvis")[1] + 0.035 * points.stature)


def _at_skirt(points: Points) -> np.ndarray:
    """1 below a skirt's upper edge, 0 above it."""
    return soft(waist_of_skirt(points) - points.rest[:, 1], 0.06)


def _tucked(points: Points) -> np.ndarray:
    """Share of its looseness that a shirt keeps above a skirt: below the waist it lies under it."""
    return 1 - 0.8 * _at_skirt(points)


def _onto_skirt(points: Points, off: np.ndarray, edge: float) -> np.ndarray:
    """How far a gown or coat stands off: above its skirt a little more than that, by ``edge`` off the trunk's outline."""
    free = soft(points.rest[:, 1] - waist_of_skirt(points) - 0.03, 0.14)
    return free * off + (1 - free) * (points.hollow + edge)


def _near_collar(collar: np.ndarray) -> np.ndarray:
    """Share of its looseness that cloth has near a neckline: it lies close there."""
    return 0.3 + 0.7 * soft(collar - 0.03, 0.06)


def _trunk(points: Points, distance: np.ndarray) -> np.ndarray:
    """A shape without head and hands."""
    body = np.minimum((0.5 - points.share(HEAD)) * 0.1, (0.9 - points.share(HANDS)) * 0.1)
    return np.minimum(distance, body)


def _hang(points: Points, fit: float) -> np.ndarray:
    loose = 0.6 + 0.4 * (1 - points.share(ARMS))
    return 0.006 + 0.012 * fit * loose + (0.4 + 0.5 * fit) * points.slack
