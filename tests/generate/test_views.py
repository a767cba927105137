"""Laws of views: each is made once, as long as all of them fit into the memory set aside for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augment.generate import views
from augment.generate.filming import FilmOptions, SceneCameras
from augment.scene.store import save_scene
from tests.make.rooms import room

SWEEP = SceneCameras(kind="sweep", views=4)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(views, "_views", {})
    save_scene(room(), tmp_path / "room")
    return tmp_path / "room"


def test_a_view_is_made_once_and_the_oldest_goes_when_memory_is_used_up(folder: Path, monkeypatch: pytest.MonkeyPatch):
    film = FilmOptions(height=48)
    first = views.room_view(folder, SWEEP, 0, film, "day")
    assert views.room_view(folder, SWEEP, 0, film, "day") is first
    size = first.filmed.points.nbytes
    monkeypatch.setattr(views, "KEPT_BYTES", 8 * size)
    for number in (1, 2, 3, 1, 2, 3):
        views.room_view(folder, SWEEP, number, film, "day")
        assert sum(view.filmed.points.nbytes for view in views._views.values()) <= 8 * size
    assert len(views._views) > 1
    again = views.room_view(folder, SWEEP, 0, film, "day")
    assert again is not first
    assert np.array_equal(again.filmed.plate, first.filmed.plate)


def test_without_a_lens_what_is_filmed_is_what_is_seen(folder: Path):
    plain = views.room_view(folder, SWEEP, 0, FilmOptions(height=48), "day")
    assert plain.bend is None
    assert plain.seen is plain.filmed
    bent = views.room_view(folder, SWEEP, 0, FilmOptions(height=48, lens="fisheye"), "day")
    assert bent.seen.plate.shape == plain.seen.plate.shape
    assert bent.filmed.plate.size > plain.filmed.plate.size
    assert bent.seen.camera.lens is not None
    assert bent.filmed.camera.lens is None


def test_a_view_for_keypoints_alone_has_the_same_depth_and_takes_less_memory(folder: Path):
    pictures = views.room_view(folder, SWEEP, 1, FilmOptions(height=48), "day")
    alone = views.room_view(folder, SWEEP, 1, FilmOptions(height=48, layers=("keypoints",)), "day")
    np.testing.assert_array_equal(alone.filmed.depth, pictures.filmed.depth)
    np.testing.assert_array_equal(alone.filmed.camera.T_world_camera, pictures.filmed.camera.T_world_camera)
    assert not alone.filmed.plate.any()
    assert views._size(alone) < views._size(pictures) / 5
