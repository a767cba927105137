"""Bodies in other proportions."""

from __future__ import annotations

import numpy as np

from augment.body.model import load_body
from benchmarks.other_body import BODIES, body_file, stretched


def test_each_interval_is_stretched_by_its_factor_and_0_stays():
    at = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
    assert np.allclose(stretched(at, (-1.0, 1.0), (2.0, 3.0, 0.5)), [-5.0, -3.0, 0.0, 1.5, 3.0, 4.0])


def test_bones_have_the_proportions_asked_for(body, tmp_path):
    """Law: each part has the length asked for, but for what joints at an edge take from the skin on its other side."""
    shape = BODIES["long legs"]
    other = load_body(body_file(body, shape, tmp_path / "body.npz"))
    ours, theirs = (one.rest_joints(np.zeros(10)) for one in (body, other))

    def share(ends: list[int], axis: int) -> float:
        return float(np.ptp(theirs[ends, axis]) / np.ptp(ours[ends, axis]))

    assert np.allclose(share([1, 7], 1), shape.legs, atol=0.05)  # hip to ankle
    assert np.allclose(share([1, 12], 1), shape.trunk, atol=0.05)  # hip to neck
    assert np.allclose(share([16, 20], 0), shape.arms, atol=0.05)  # shoulder to wrist
