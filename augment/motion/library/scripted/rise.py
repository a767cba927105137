"""Getting up: from a bed, or from the floor over hands and knees or over sitting and squatting. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from .bed import BedManner, act_get_up_from_bed, draw_bed
from .manner import Take, pick
from .rig import Rig
from .rise_kneeling import rise_kneeling
from .rise_sitting import rise_sitting


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUpManner(BedManner):
    """``side`` is the side rolled over or leaned on."""

    way: str
    """``bed``; from the floor: ``roll`` (hands and knees, one foot forward) or ``sit`` (sit up, feet in, push off)."""


def draw_get_up(rng: np.random.Generator, rig: Rig) -> GetUpManner:
    manner = draw_bed(rng, rig)
    way = pick(rng, bed=0.5, roll=0.3 + 0.15 * manner.old, sit=0.2 * (1.0 - manner.old))
    return GetUpManner(**asdict(manner), way=way)


def act_get_up(t: np.ndarray, rig: Rig, manner: GetUpManner, *, rng: np.random.Generator) -> Take:
    """Get up as the manner says."""
    if manner.way == "bed":
        return act_get_up_from_bed(t, rig, manner, rng=rng)
    if manner.way not in ("roll", "sit"):
        raise ValueError(f"get_up: way is 'bed', 'roll' or 'sit', not {manner.way!r}")
    rise = rise_kneeling if manner.way == "roll" else rise_sitting
    plan, begin, up = rise(t, rig, manner, rng=rng)
    segments = [("lying", begin), ("stand_up", up), ("standing", manner.seconds)]
    return Take(plan=plan, segments=segments)
