"""Cloth: its colours, prints and folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from .pattern import ARMS, Points
from .tailor import Sheet, dot, stripe

Field = Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n"]]
"""A number at every point in space."""

PALETTES: dict[str, list[tuple[int, int, int]]] = {
    "day": [
        (222, 222, 218), (40, 42, 48), (58, 74, 108), (118, 34, 40), (62, 92, 70), (150, 148, 142), (176, 150, 118),
        (92, 120, 156), (200, 176, 96), (132, 92, 128), (196, 112, 84), (74, 60, 52), (178, 196, 204), (52, 110, 116),
        (206, 160, 160), (232, 220, 196), (90, 40, 62), (158, 176, 132), (236, 236, 236),
    ],
    "bottom": [
        (38, 40, 48), (52, 62, 88), (76, 88, 112), (96, 90, 82), (140, 126, 104), (58, 52, 48), (112, 114, 116), (30, 30, 32),
        (86, 92, 74), (172, 160, 138), (66, 46, 42),
    ],
    "gown": [(206, 220, 232), (226, 230, 232), (190, 214, 206), (168, 196, 218), (212, 204, 222), (228, 220, 204)],
    "scrubs": [(58, 120, 140), (70, 96, 150), (94, 140, 118), (226, 230, 232), (44, 62, 98), (120, 58, 86), (60, 60, 66)],
    "pyjamas": [
        (150, 168, 196), (196, 182, 190), (120, 132, 150), (214, 208, 196), (92, 104, 132), (176, 128, 130), (84, 70, 96),
        (140, 164, 150),
    ],
    "knit": [(84, 92, 104), (140, 120, 104), (112, 52, 56), (64, 72, 60), (196, 186, 170), (58, 60, 84), (150, 148, 150)],
    "coat": [(44, 44, 50), (70, 62, 54), (120, 104, 80), (52, 60, 80), (96, 96, 98), (92, 44, 44)],
    "labcoat": [(236, 238, 240), (228, 232, 236), (206, 222, 230)],
    "apron": [(96, 126, 164), (120, 160, 146), (226, 226, 222), (142, 104, 146), (60, 76, 110)],
    "headwear": [(44, 46, 54), (120, 44, 48), (84, 92, 104), (196, 186, 170), (60, 84, 110), (176, 130, 60), (72, 92, 70)],
    "surgical cap": [(120, 170, 190), (100, 150, 132), (86, 120, 168), (206, 220, 226)],
    "shoes": [(36, 34, 34), (70, 52, 42), (200, 200, 198), (112, 84, 60), (60, 64, 76), (228, 228, 228), (84, 34, 34)],
    "slippers": [(96, 72, 60), (70, 78, 100), (136, 120, 108), (112, 52, 60)],
    "socks": [(210, 210, 206), (52, 54, 60), (120, 126, 136), (92, 76, 64)],
}  # fmt: skip
"""Colours that cloth is drawn from, sRGB, by the name in ``Outfit.palette``."""

PRINTS: dict[str, dict[str, float]] = {
    "day": {"plain": 0.6, "stripes": 0.18, "checks": 0.10, "dots": 0.12},
    "gown": {"plain": 0.4, "stripes": 0.15, "dots": 0.45},
    "pyjamas": {"plain": 0.42, "stripes": 0.30, "checks": 0.15, "dots": 0.13},
    "coat": {"plain": 0.85, "checks": 0.15},
}
"""Prints and how often, by palette; cloth of the others is plain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dye:
    """A cloth as it was drawn."""

    inks: Float[np.ndarray, "3 3"]
    """sRGB: the ground, the print, and where two bands of the print cross."""
    kind: str
    """A key of the tables in ``PRINTS``."""
    size: float
    """Width of a band, or distance between dots, metres."""
    shade: Field
    """Smooth differences in brightness."""
    seed: int
    """Says where dots lie."""

    def color(self, points: Points, ink: int) -> Float[np.ndarray, "n 3"]:
        """Colours of one ink, sRGB 0..255."""
        return self.inks[min(ink, 2)] * self.shade(points.rest)[:, None]


def draw_dye(palette: str, *, rng: np.random.Generator, plain: bool = False) -> Dye:
    """Draw a cloth's colour and print."""
    odds = {"plain": 1.0} if plain else PRINTS.get(palette, {"plain": 1.0})
    colors = PALETTES[palette]
    base = np.clip(np.array(colors[int(rng.integers(len(colors)))], float) + rng.normal(0, 7, 3), 12, 240)
    kind = str(rng.choice(list(odds), p=list(odds.values())))
    darker = base.mean() > 150 or (base.mean() > 90 and rng.random() < 0.5)
    print_color = np.clip(base + (-1 if darker else 1) * rng.uniform(40, 90) + rng.normal(0, 18, 3), 10, 245)
    inks = np.stack([base, print_color, print_color + 0.6 * (print_color - base)])
    inks[1] = base + 0.5 * (print_color - base) if kind == "checks" else inks[1]
    inks[2] = print_color if kind == "checks" else inks[2]
    slow, quick = ripple(rng=rng, period=(0.12, 0.35)), ripple(rng=rng, period=(0.05, 0.10))
    size = float(rng.uniform(0.03, 0.06))
    return Dye(
        inks=np.clip(inks, 5, 250), kind=kind, size=1.35 * size if kind == "checks" else size, seed=int(rng.integers(1 << 30)),
        shade=lambda rest: 1 + 0.035 * slow(rest * [1, 0.6, 1]) + 0.02 * quick(rest),
    )  # fmt: skip


def print_on(sheet: Sheet, index: int, dye: Dye) -> Sheet:
    """Cut a garment along its print."""
    if dye.kind == "dots":
        return dot(sheet, index, 0.2 * dye.size, 0.05 + 0.7 * dye.size, rng=np.random.default_rng(dye.seed))
    if dye.kind == "plain":
        return sheet
    # A sleeve is a piece of its own: its bands are counted along the arm.
    points, sleeve = sheet.points, 4
    shoulder = abs(points.at("shoulder")[0]) - 0.01
    value = np.minimum(np.abs(points.rest[:, 0]) - shoulder, (points.share(ARMS) - 0.3) * 0.2)
    sheet = stripe(sheet, index, value, every=False, ink=sleeve)
    for arm in (False, True):
        along = np.abs(sheet.points.rest[:, 0]) if arm else sheet.points.rest[:, 1]
        sheet = stripe(sheet, index, along / dye.size, (sheet.ink >= sleeve) == arm)
        if dye.kind == "checks":
            across = sheet.points.rest[:, 1 if arm else 0]
            sheet = stripe(sheet, index, across / dye.size + 0.5, (sheet.ink >= sleeve) == arm)
    return replace(sheet, ink=sheet.ink % sleeve)


def ripple(*, rng: np.random.Generator, period: tuple[float, float]) -> Field:
    """Smooth random bumps, about -1..1: waves of drawn directions, phases and periods (metres)."""
    waves = 4
    directions = rng.normal(size=(3, waves))
    directions *= 2 * np.pi / rng.uniform(*period, waves) / np.linalg.norm(directions, axis=0)
    phases, sway, sway_phase = rng.uniform(0, 6.28, waves), rng.normal(size=3) * 9, rng.uniform(0, 6.28)

    def at(rest: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        # Sines of single-precision numbers are several times faster.
        bend = 0.7 * np.sin((rest @ sway + sway_phase).astype(np.float32))
        waved = np.sin((rest @ directions + (phases + bend[:, None])).astype(np.float32))
        return np.asarray(waved @ np.ones(waves, np.float32), np.float64) / (1.6 * np.sqrt(waves / 2))

    return at


def soft(distance: Float[np.ndarray, "n"], width: float = 0.012) -> Float[np.ndarray, "n"]:
    """A soft edge: 0 outside, 1 inside, smooth over ``width`` metres around distance 0 (positive inside)."""
    x = np.clip(distance / width + 0.5, 0.0, 1.0)
    return x * x * (3 - 2 * x)
