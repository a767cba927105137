"""Keypoints drawn as spots: in the right channel, at the right place, as high as their confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from recognition.inputs.heatmaps import REACH, HeatmapStore, drawn
from recognition.windows import Window
from tests.make.walkers import keypoints_of, recording_of, walking


def test_each_point_is_a_spot_at_its_place_as_high_as_its_confidence():
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform(-0.6, 0.6, (3, 4, 17)).astype(np.float32))
    points[2] = torch.from_numpy(rng.uniform(0.2, 1.0, (4, 17)).astype(np.float32))
    volume = drawn(points, size=48)
    assert volume.shape == (17, 4, 48, 48)
    grid = (torch.arange(48) + 0.5) / 48 * 2 * REACH - REACH
    mass = volume.sum(dim=(2, 3))
    torch.testing.assert_close((volume.sum(dim=2) * grid).sum(-1) / mass, points[0].T, atol=2e-3, rtol=0)
    torch.testing.assert_close((volume.sum(dim=3) * grid).sum(-1) / mass, points[1].T, atol=2e-3, rtol=0)
    assert (volume.amax(dim=(2, 3)) <= points[2].T + 1e-6).all()
    assert (volume.amax(dim=(2, 3)) > 0.7 * points[2].T).all()


def test_points_never_seen_and_beyond_the_edge_leave_their_channel_empty():
    points = torch.zeros(3, 2, 17)
    points[2, :, 3], points[0, :, 3] = 1.0, 2.5
    assert float(drawn(points, size=32).max()) < 1e-6


def test_windows_come_from_the_keypoint_input(tmp_path):
    import dataclasses

    places = walking()
    recording = dataclasses.replace(recording_of(tmp_path, places), keypoints=keypoints_of(tmp_path, places), is_synthetic=True)
    store = HeatmapStore(folder=Path(), size=32, frames=4, window_sec=2.0)
    window = Window(recording=0, middle_sec=2.5, label=0)
    assert torch.equal(store.plain(recording, window), drawn(store.keypoints.plain(recording, window), size=32))
    ours, again = (store.augmented(recording, window, rng=np.random.default_rng(3)) for _ in range(2))
    assert ours.shape == (17, 4, 32, 32)
    assert torch.equal(ours, again)
