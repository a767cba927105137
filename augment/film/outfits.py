"""What people wear: the table of outfits, each drawn anew for every clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfit:
    """What is worn, as drawn; lengths are shares: of the arm to the wrist, of the leg to the ankle."""

    top: str
    """``shirt`` or ``vneck``."""
    sleeve: float
    bottom: str
    """``trousers`` or ``skirt`` (a tube around both legs)."""
    leg: float
    """How far down the bottom reaches."""
    one_piece: bool = False
    """Top and bottom are one cloth (gown, dress)."""
    same_cloth: bool = False
    """Top and bottom have the same colour (scrubs, pyjamas)."""
    shoes: str = "shoes"
    """``shoes``, ``slippers``, ``socks`` or ``bare``."""
    palette: str = "day"
    over: str = ""
    """Over it: ``cardigan``, ``jacket``, ``coat``, ``labcoat``, ``apron`` or nothing."""
    open_front: bool = False
    """What is worn over it is not buttoned."""
    hat: str = ""
    """``cap``, ``woolly hat``, ``surgical cap``, ``headscarf`` or nothing."""


def _one_of(options: dict[str, float], *, rng: np.random.Generator) -> str:
    return str(rng.choice(list(options), p=list(options.values())))


def _day(rng: np.random.Generator) -> Outfit:
    sleeve = float(rng.choice([0.32, 0.42, 0.97, 0.97, 0.97, 0.75]))
    leg = float(rng.choice([0.97, 0.97, 0.97, 0.97, 0.9, 0.5]))
    return Outfit(
        top=str(rng.choice(["shirt", "shirt", "vneck"])),
        sleeve=sleeve,
        bottom="trousers",
        leg=leg,
        shoes=_one_of({"shoes": 0.70, "slippers": 0.18, "socks": 0.06, "bare": 0.06}, rng=rng),
        over=_one_of({"": 0.74, "cardigan": 0.16, "jacket": 0.10}, rng=rng),
        open_front=bool(rng.random() < 0.7),
        hat=_one_of({"": 0.91, "cap": 0.04, "woolly hat": 0.02, "headscarf": 0.03}, rng=rng),
    )


def _skirted(rng: np.random.Generator) -> Outfit:
    return Outfit(
        top="shirt", sleeve=float(rng.choice([0.35, 0.97])), bottom="skirt", leg=float(rng.uniform(0.45, 0.85)),
        over=_one_of({"": 0.7, "cardigan": 0.3}, rng=rng), open_front=bool(rng.random() < 0.7),
        hat=_one_of({"": 0.88, "headscarf": 0.12}, rng=rng),
    )  # fmt: skip


def _dress(rng: np.random.Generator) -> Outfit:
    sleeve, leg = float(rng.choice([0.12, 0.35, 0.97])), float(rng.uniform(0.5, 0.85))
    return Outfit(
        top="vneck", sleeve=sleeve, bottom="skirt", leg=leg, one_piece=True, hat=_one_of({"": 0.9, "headscarf": 0.1}, rng=rng)
    )  # fmt: skip


def _gown(rng: np.random.Generator) -> Outfit:
    shoes = str(rng.choice(["bare", "socks", "slippers"]))
    leg = float(rng.uniform(0.52, 0.72))
    return Outfit(top="shirt", sleeve=0.42, bottom="skirt", leg=leg, one_piece=True, shoes=shoes, palette="gown")


def _scrubs(rng: np.random.Generator) -> Outfit:
    return Outfit(
        top="vneck", sleeve=0.38, bottom="trousers", leg=0.97, same_cloth=True, palette="scrubs",
        over=_one_of({"": 0.88, "labcoat": 0.12}, rng=rng), open_front=True,
        hat=_one_of({"": 0.7, "surgical cap": 0.3}, rng=rng),
    )  # fmt: skip


def _pyjamas(rng: np.random.Generator) -> Outfit:
    shoes = str(rng.choice(["bare", "socks", "slippers"]))
    return Outfit(top="vneck", sleeve=0.96, bottom="trousers", leg=0.96, same_cloth=True, shoes=shoes, palette="pyjamas")


def _coat(rng: np.random.Generator) -> Outfit:
    hat = _one_of({"": 0.5, "woolly hat": 0.25, "cap": 0.12, "headscarf": 0.13}, rng=rng)
    return replace(_day(rng), over="coat", sleeve=0.97, leg=0.97, shoes="shoes", open_front=bool(rng.random() < 0.5), hat=hat)


def _labcoat(rng: np.random.Generator) -> Outfit:
    return replace(_day(rng), over="labcoat", leg=0.97, shoes="shoes", open_front=bool(rng.random() < 0.7), hat="")


def _apron(rng: np.random.Generator) -> Outfit:
    hat = _one_of({"": 0.75, "surgical cap": 0.15, "headscarf": 0.10}, rng=rng)
    return replace(_day(rng), over="apron", leg=0.97, sleeve=float(rng.choice([0.4, 0.75])), shoes="shoes", hat=hat)


OUTFITS: dict[str, tuple[float, Callable[[np.random.Generator], Outfit]]] = {
    "day": (0.36, _day), "skirt": (0.07, _skirted), "dress": (0.07, _dress), "gown": (0.14, _gown),
    "scrubs": (0.12, _scrubs), "pyjamas": (0.12, _pyjamas), "coat": (0.05, _coat), "labcoat": (0.04, _labcoat),
    "apron": (0.03, _apron),
}  # fmt: skip
"""Outfit to its relative frequency and the function that draws it."""
