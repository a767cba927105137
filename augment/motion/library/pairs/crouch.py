"""A person who bends the knees and leans forward as low hands need it, and steps. World frame, metres, radians."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..scripted import ik
from ..scripted.curves import smooth
from ..scripted.gait import Footprint, step_feet
from ..scripted.manner import Manner, posture, relaxed, use_feet
from ..scripted.pose import PosePlan
from ..scripted.rig import SIDES, SIGN, Rig

LOW = [0.25, 0.45, 0.7, 0.95, 1.15]
"""Heights of hands, metres for an average adult, at which lean and crouch are known."""


def crouching(
    t: np.ndarray, rig: Rig, person: Manner, height: Float[np.ndarray, "t"], bent: Float[np.ndarray, "t"],
    *, stands: list[tuple[float, float]], rng: np.random.Generator,
) -> PosePlan:  # fmt: skip
    """Stand, bend the knees and lean forward as low hands need it, and step where the stands say.

    Args:
        t: Seconds.
        rig: The body.
        person: Its manner.
        height: Of the hands, metres (t,).
        bent: 1 where they are reached for, 0 where the person stands upright.
        stands: (second at which the first foot leaves for it, metre along z), in time order.
        rng: For idle motion.
    """
    size = rig.scale
    plan = posture(t, rig, person, rng=rng)
    feet = step_feet(t, _prints(stands, rig), clearance=0.05, roll=0.2)
    use_feet(plan, rig, feet)
    lean = bent * np.interp(height / size, LOW, [1.0, 0.95, 0.6, 0.25, 0.08])
    crouch = bent * np.interp(height / size, LOW, [0.38, 0.24, 0.14, 0.03, 0.0]) * size
    middle = 0.5 * (feet["left"].ground + feet["right"].ground) * [0.0, 0.0, 1.0]
    plan.pelvis = plan.pelvis + smooth(middle, 2.0) - np.stack([0 * t, crouch, 0.22 * lean * size], axis=1)
    plan.turn = plan.turn @ ik.lean(0.55 * lean)
    plan.spine[:, 0] += 0.45 * lean
    plan.head[:, 0] -= 0.45 * lean
    for side in SIDES:
        plan.arms[side] = [(0.0, 0.0, relaxed(t, person, rng=rng, flexion=0.85 * lean))]
    return plan


def _prints(stands: list[tuple[float, float]], rig: Rig) -> dict[str, list[Footprint]]:
    """Footprints a little apart, one foot ahead; each step takes 0.35 s, the other foot follows."""
    half, found = 0.5 * rig.hip_width + 0.05, {}
    for number, side in enumerate(SIDES):
        offs = [start + 0.42 * number for start, _ in stands[1:]] + [99.0]
        ons = [-9.0] + [start + 0.42 * number + 0.35 for start, _ in stands[1:]]
        found[side] = [
            Footprint(on=on, off=off, x=SIGN[side] * half, z=z + 0.08 * SIGN[side], yaw=SIGN[side] * 0.2)
            for on, off, (_, z) in zip(ons, offs, stands, strict=True)
        ]
    return found
