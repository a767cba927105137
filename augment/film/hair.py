"""Skin, face and hair of a body's pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from .cloth import Field, ripple
from .pattern import FEET, HANDS, HEAD, Pattern, Points
from .pieces import tube_faces

SKIN_TONES = np.array(
    [
        [243, 214, 196], [234, 196, 172], [226, 184, 152], [214, 166, 132], [198, 150, 116], [178, 128, 94],
        [154, 106, 76], [128, 84, 60], [100, 66, 48], [76, 50, 39],
    ]
)  # fmt: skip
"""sRGB, light to dark; people are drawn between neighbours."""

HAIR_COLORS: dict[str, tuple[tuple[int, int, int], float]] = {
    "black": ((32, 28, 27), 0.20), "dark brown": ((62, 44, 34), 0.20), "brown": ((104, 74, 50), 0.15),
    "blond": ((186, 152, 104), 0.09), "red": ((138, 72, 42), 0.04), "grey": ((142, 140, 138), 0.17),
    "white": ((190, 188, 184), 0.15),
}  # fmt: skip
"""sRGB and how often."""

HAIR_STYLES: dict[str, float] = {
    "bald": 0.08, "receding": 0.10, "short": 0.30, "full": 0.18, "bob": 0.14, "long": 0.10, "bun": 0.10,
}  # fmt: skip
"""Hair styles and how often."""

_HAIRLINE = ((0.0, 0.86), (0.36, 0.80), (0.44, 0.50), (0.66, 0.43), (0.80, 0.36), (0.92, 0.20), (1.0, 0.17))
"""How far down the head hair reaches (share of the head's height from the crown), from the back (0) to the front (1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Measures of a head in the zero pose, metres."""

    crown: float
    height: float
    """Crown to chin."""
    width: float
    back: float
    front: float
    """z of the back of the skull and of the forehead."""

    def down(self, share: float) -> float:
        """Height that lies this share of the way from crown to chin."""
        return self.crown - share * self.height


@lru_cache(maxsize=4)
def measure_head(pattern: Pattern) -> Head:
    """Measure the head of a pattern."""
    points = pattern.points
    skull = points.rest[(points.share(HEAD) > 0.5)]
    crown, height = float(skull[:, 1].max()), 0.13 * points.stature
    upper = skull[skull[:, 1] > crown - 0.6 * height]
    brow = skull[(skull[:, 1] > crown - 0.45 * height) & (skull[:, 1] < crown - 0.3 * height)]
    return Head(
        crown=crown,
        height=height,
        width=float(np.ptp(upper[:, 0])),
        back=float(upper[:, 2].min()),
        front=float(brow[:, 2].max()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """Skin and face as they were drawn."""

    head: Head
    eyes: tuple[float, float] | None
    """x (of the left one) and y of the middle of separate eyeballs, metres."""
    base: Float[np.ndarray, "3"]
    """sRGB."""
    hair: Float[np.ndarray, "3"]
    """Of the brows, sRGB."""
    iris: Float[np.ndarray, "3"]
    blotch: Field
    hairline: Callable[[Points], Float[np.ndarray, "n"]] | None
    """Signed distance to the edge of the hair, metres; None for a bald head."""

    def color(self, points: Points) -> Float[np.ndarray, "n 3"]:
        """Bare skin with a face, sRGB 0..255."""
        head, p, base = self.head, points.rest, self.base
        color = base * (1 + 0.025 * self.blotch(p))[:, None]
        rosy = 0.5 * points.share(HANDS) + 0.5 * points.share(FEET)
        face = (points.share(HEAD) > 0.5) & (p[:, 2] > (head.back + head.front) / 2)
        side = np.abs(p[:, 0]) / head.width

        def spot(across: float, down: float, wide: float, tall: float) -> np.ndarray:
            x, y = (side - across) / wide, (p[:, 1] - head.down(down)) / (tall * head.height)
            return np.where(face, np.exp(-0.5 * (x * x + y * y)), 0.0)

        rosy = rosy + 0.8 * spot(0.28, 0.62, 0.1, 0.07) + 0.6 * spot(0.0, 0.62, 0.07, 0.06)
        color *= 1 - rosy[:, None] * np.array([0.02, 0.12, 0.11])
        color *= 1 - 0.22 * np.clip(spot(0.21, 0.50, 0.09, 0.035), 0, 1)[:, None]
        lips = np.clip(1.4 * spot(0.0, 0.80, 0.11, 0.020), 0, 1)[:, None]
        color = color * (1 - 0.65 * lips) + 0.65 * lips * base * [0.80, 0.52, 0.52]
        if self.hairline:
            # Hair thins out towards its edge.
            stubble = 0.45 * np.clip(1 + self.hairline(points) / 0.012, 0, 1)[:, None]
            color = color * (1 - stubble) + stubble * self.hair
        paint_brows_and_eyes(self, points, color)
        return color


def draw_skin(pattern: Pattern, style: str, hair: Float[np.ndarray, "3"], *, rng: np.random.Generator) -> Skin:
    """Draw the skin of a person with this colour of hair (sRGB)."""
    tone = rng.beta(0.9, 1.3) * (len(SKIN_TONES) - 1)
    low = int(min(tone, len(SKIN_TONES) - 2))
    base = SKIN_TONES[low] + (tone - low) * (SKIN_TONES[low + 1] - SKIN_TONES[low])
    # Light eyes are rare in dark faces.
    light = rng.random() < 0.6 * (1 - tone / (len(SKIN_TONES) - 1)) ** 2
    head, uneven = measure_head(pattern), ripple(rng=rng, period=(0.015, 0.05))
    ball = pattern.points.rest[pattern.points.eye > 0.5]
    return Skin(
        head=head,
        eyes=(float(np.abs(ball[:, 0]).mean()), float(ball[:, 1].mean())) if len(ball) else None,
        base=base + rng.normal(0, 4, 3),
        hair=hair,
        iris=np.array([62, 76, 84] if light else [46, 32, 25], float),
        blotch=ripple(rng=rng, period=(0.05, 0.15)),
        hairline=None if style == "bald" else lambda points: hairline(head, points, style, uneven),
    )


def paint_brows_and_eyes(skin: Skin, points: Points, color: Float[np.ndarray, "n 3"]) -> None:
    """Brows in the hair's colour and eyes, in place."""
    head, p = skin.head, points.rest
    face = (points.share(HEAD) > 0.5) & (p[:, 2] > head.front - 0.45 * (head.front - head.back))
    side = np.abs(p[:, 0]) / head.width
    x, y = (side - 0.22) / 0.10, (p[:, 1] - head.down(0.43)) / (0.016 * head.height)
    brow = (0.6 * np.exp(-0.5 * (x**4 + y * y)) * face)[:, None]
    color[:] = color * (1 - brow) + brow * skin.hair * 0.8
    if skin.eyes is not None:
        middle_x, middle_y = skin.eyes
        away = np.hypot(np.abs(p[:, 0]) - middle_x, p[:, 1] - middle_y)
        # White is never seen as white: lids and lashes keep the light off it.
        white = 0.55 * np.array([205.0, 196.0, 190.0]) + 0.45 * skin.base * 0.8
        ball = points.eye > 0.5
        color[ball] = np.where((away < 0.0068)[:, None], skin.iris, white)[ball]
        color[ball & (away < 0.0036)] = 24
    else:
        x, y = (side - 0.21) / 0.055, (p[:, 1] - head.down(0.5)) / (0.02 * head.height)
        eye = (0.7 * np.exp(-0.5 * (x * x + y * y)) * face)[:, None]
        color[:] = color * (1 - eye) + eye * np.array([40, 32, 30])


def hairline(head: Head, points: Points, style: str, uneven: Field) -> Float[np.ndarray, "n"]:
    """Signed distance to the edge of the hair, about metres, positive where it grows."""
    # Away from the head there is none.
    near = np.flatnonzero(points.share(HEAD) > 0)
    distance = np.full(len(points.rest), -0.04)
    p = points.rest[near]
    along = np.clip((p[:, 2] - head.back) / (head.front - head.back), 0, 1)
    reach = np.interp(along, [a for a, _ in _HAIRLINE], [b for _, b in _HAIRLINE])
    if style in ("full", "bob", "long", "bun"):
        reach = reach + np.where(along < 0.6, 0.06, 0.02)
    grows = p[:, 1] - head.down(1.0) - (1 - reach) * head.height
    # Ears stand out sideways from the skull; hair grows behind and above them.
    beside = np.maximum(0.455 * head.width - np.abs(p[:, 0]), p[:, 1] - head.down(0.40))
    above = np.maximum(p[:, 1] - head.down(0.43), (0.36 - along) * (head.front - head.back))
    grows = np.minimum(grows, np.minimum(above, np.maximum(beside, (0.30 - along) * (head.front - head.back))))
    if style == "receding":
        grows = np.minimum(grows, -np.minimum(p[:, 1] - head.down(0.30), (along - 0.12) * 0.2))
    distance[near] = np.minimum(grows + 0.004 * uneven(p), (points.share(HEAD)[near] - 0.4) * 0.1)
    return distance


def hair_volumes(head: Head, style: str, *, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Closed shapes that hang from the head, zero pose: (vertices, faces) each; none for short hair."""
    width, depth = head.width, head.front - head.back
    middle = head.back + 0.5 * depth
    if style == "bob":
        low = rng.uniform(0.95, 1.15)
        center = [0.0, head.down(0.5 * low + 0.02), middle - 0.19 * depth]
        return [_ellipsoid(center, [0.62 * width, 0.53 * low * head.height, 0.44 * depth])]
    if style == "long":
        low = rng.uniform(1.5, 1.9)
        nape = [0.5 * width, 0.5 * low * head.height, 0.24 * depth]
        return [
            _ellipsoid([0.0, head.down(0.52), middle - 0.19 * depth], [0.62 * width, 0.55 * head.height, 0.43 * depth]),
            _ellipsoid([0.0, head.down(0.55 + low / 2), head.back + 0.09 * depth], nape),
        ]
    if style == "bun":
        high = rng.uniform(0.15, 0.6)
        return [_ellipsoid([0.0, head.down(high), head.back - 0.04 * depth], [0.26 * width, 0.26 * width, 0.22 * width])]
    return []


def peak(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """The peak of a cap, zero pose: vertices and faces."""
    points, faces = _ellipsoid([0.0, 0.0, 0.0], [0.40 * head.width, 0.006, 0.075])
    # It bends down to the sides and to the front.
    points[:, 1] -= 1.6 * points[:, 0] ** 2 + 0.25 * np.maximum(points[:, 2], 0)
    return points + [0.0, head.down(0.27), head.front - 0.005], faces


def _ellipsoid(center: list[float], radii: list[float]) -> tuple[np.ndarray, np.ndarray]:
    rings, around = 10, 16
    polar = np.linspace(0, np.pi, rings + 1)[:, None]
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    unit = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn, np.sin(polar) * np.cos(turn)], axis=-1)
    return unit.reshape(-1, 3) * radii + center, tube_faces(rings + 1, around)


def draw_weighted(options: dict[str, float], *, rng: np.random.Generator) -> str:
    """One key, as often as its value says."""
    names, odds = list(options), np.array(list(options.values()))
    return names[int(rng.choice(len(names), p=odds / odds.sum()))]
