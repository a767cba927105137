"""A recovered person of random numbers: for tests of what is kept, not of what is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from augment.reconstruct.people import Recovered
from augment.types import Motion

FPS, COUNT = 10.0, 40
"""Rate and length of everything here."""


def a_motion(seed: int = 0, **changes) -> Motion:
    rng = np.random.default_rng(seed)
    fields = {
        "global_orient": rng.normal(size=(COUNT, 3)), "body_pose": rng.normal(size=(COUNT, 23, 3)) * 0.3,
        "transl": np.linspace([0, 1, 2], [1, 1, 3], COUNT), "betas": rng.normal(size=10), "fps": FPS, "name": "v0_p0",
        "source": "clip.npz", "provenance": {"fitted_from": "MediaPipe"},
    }  # fmt: skip
    return Motion(**(fields | changes))


def somebody(seed: int = 0, *, first: int = 0, rejected: tuple = (), **changes) -> Recovered:
    rng = np.random.default_rng(seed)
    observed = np.ones(COUNT, bool)
    observed[5:8] = False
    points = rng.normal(size=(COUNT, 33, 3))
    points[5:8] = np.nan
    person = Recovered(
        video=0, track=3, person_class="patient", frames=np.arange(first, first + COUNT), observed=observed,
        motion=a_motion(seed), joints=rng.normal(size=(COUNT, 24, 3)), layout="mediapipe33", observed2d=points,
        fitted2d=rng.normal(size=(COUNT, 33, 2)), reprojection_px=np.where(observed, 2.5, np.nan),
        contact=rng.uniform(size=(COUNT, 4)), height_m=1.71, stages={"all": {"prior": 1.25}}, rejected=rejected,
    )  # fmt: skip
    return replace(person, **changes)
