"""Laws of the coverage plot: its numbers are those of the samples, and it reads no video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augment.generate.coverage import CLIPS, PATHS, covered, draw_coverage, figures, outline_of, read_takes, take_of
from augment.geometry import look_at
from augment.scene.store import load_scene, save_scene
from augment.shards.tar import write_shard
from tests.make.rooms import room

EYE = np.array([0.0, 2.0, 3.0])


def sample(*, pelvis=(0.0, 1.0, 0.0), heading: float = 0.0, target=(0.0, 1.0, 0.0), key: str = "a", scene: str = "x") -> dict:
    """One frame: a person at ``pelvis`` who faces ``heading`` degrees, joints in a column of 100 px."""
    joints2d = np.stack([np.full(24, 40.0), np.linspace(20, 120, 24), np.ones(24)], axis=-1)[None]
    return {
        "__key__": key,
        "json": {"label": "walk", "width": 200, "height": 150, "provenance": {"scene": {"sha256": scene}}},
        "npz": {
            "joints": np.tile(np.array(pelvis), (1, 24, 1)), "joints2d": joints2d, "T_world_camera": look_at(EYE, target),
            "global_orient": np.array([[0, np.radians(heading), 0]]), "K": np.array([[100.0, 0, 100], [0, 100, 75], [0, 0, 1]]),
        },
    }  # fmt: skip


def test_a_take_says_how_the_camera_sees_the_person():
    take = take_of(sample(pelvis=(0.0, 1.0, 1.0), target=(0.0, 0.0, 1.0)))
    assert take.pitch == pytest.approx(45)
    assert abs(take.yaw) == pytest.approx(180)
    assert take.fov == pytest.approx(90)
    assert take.distance == pytest.approx(np.hypot(2.0, 1.0))
    assert take.height == pytest.approx(100)
    assert np.allclose(take.pelvis, [[0.0, 1.0]])


def test_a_lens_shows_more_than_a_pinhole():
    shown = sample()
    shown["npz"]["distortion"] = np.array([-0.2, 0.05, 0, 0, 0], np.float32)
    assert take_of(shown).fov > 95
    shown["npz"]["distortion"] = np.zeros(4, np.float32)  # an equidistant fisheye: the angle itself, 1 to each side
    assert take_of(shown).fov == pytest.approx(np.degrees(2))


@pytest.mark.parametrize(("heading", "expected"), [(0, 0), (90, 90), (-60, -60), (180, -180)])
def test_heading_zero_faces_the_camera(heading: float, expected: float):
    assert take_of(sample(heading=heading)).heading == pytest.approx(expected)


def test_joints_outside_the_picture_do_not_make_a_person_larger():
    shown = sample()
    shown["npz"]["joints2d"][0, :3, 1] = [-900, 5000, 60]
    assert take_of(shown).height == pytest.approx(150)


def test_the_picture_is_the_same_for_the_same_clips_and_shows_more_with_more(tmp_path: Path):
    digest = save_scene(room(), tmp_path / "room")
    takes = [take_of(sample(pelvis=(0.2 * k, 1.0, 0.1 * k), scene=digest)) for k in range(PATHS // 8)]
    scenes = {digest: outline_of("box", load_scene(tmp_path / "room"))}
    for name, some in (("a", takes), ("b", takes), ("c", takes[:2])):
        draw_coverage(some, scenes, tmp_path / f"{name}.png")
    pictures = [(tmp_path / f"{name}.png").read_bytes() for name in "abc"]
    assert pictures[0] == pictures[1] != pictures[2]
    numbers = figures(takes)
    assert numbers["cameras"] == 1
    assert numbers["person_height_px"] == [100, 100, 100]


def test_no_video_is_read(tmp_path: Path):
    """A sample whose video is damaged is counted like any other."""
    from augment.files import canonical_json, npz_bytes

    made = sample()
    made |= {"json": canonical_json(made["json"]), "npz": npz_bytes(made["npz"]), "mp4": b"not a video"}
    write_shard(tmp_path / "clips-000000.tar", [made])
    assert len(list(read_takes([tmp_path / "clips-000000.tar"]))) == 1


@pytest.mark.parametrize(("planned", "size"), [(1, 1), (CLIPS, 32), (CLIPS + 1, 32), (1_000_000, 32), (100_000, 1000)])
def test_of_a_large_run_only_so_many_clips_are_read_spread_over_all_of_it(planned: int, size: int):
    names = [f"{number:06d}" for number in range(-(-planned // size))]
    taken = covered(names, planned)
    assert len(taken) * size < CLIPS + 2 * size
    assert taken[0] == names[0]
    assert planned > CLIPS or taken == names
    assert len(names) - names.index(taken[-1]) <= -(-planned // CLIPS)
