"""Which frames tell a depth map's scale: those in which a single camera knows best where somebody is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.reconstruct.bodies.cover import depth_frames
from augment.reconstruct.people import Recovered
from augment.types import Camera, Motion

COUNT = 40
CAMERA = Camera(
    K=np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]),
    T_world_camera=np.array([[-1.0, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 1, 0], [0, 0, 0, 1]]), width=640, height=480,
)  # fmt: skip


def somebody(*, away: np.ndarray, pelvis: np.ndarray, off: np.ndarray, rejected: tuple = ()) -> Recovered:
    """Feet on the floor all the time, the pelvis at these distances and heights, points off by so many pixels."""
    joints = np.zeros((COUNT, 24, 3))
    joints[:, :, 2] = away[:, None]
    joints[:, 0, 1] = pelvis
    motion = Motion(
        global_orient=np.zeros((COUNT, 3)), body_pose=np.zeros((COUNT, 23, 3)), transl=np.zeros((COUNT, 3)),
        betas=np.zeros(10), fps=20.0, name="a", source="test",
    )  # fmt: skip
    return Recovered(
        video=0, track=0, person_class="person", frames=np.arange(COUNT), observed=np.ones(COUNT, bool), motion=motion,
        joints=joints, layout="", observed2d=np.zeros((COUNT, 0, 3)), fitted2d=np.zeros((COUNT, 0, 2)), reprojection_px=off,
        contact=np.ones((COUNT, 4)), height_m=1.7, rejected=rejected,
    )  # fmt: skip


def falling(*, away: np.ndarray | None = None, pelvis: np.ndarray | None = None, off: np.ndarray | None = None) -> Recovered:
    """In one place; from frame 20 on they lie, and there the points fit as well as before."""
    return somebody(
        away=np.full(COUNT, 3.0) if away is None else away,
        pelvis=np.where(np.arange(COUNT) < 20, 0.9, 0.15) if pelvis is None else pelvis,
        off=np.full(COUNT, 4.0) if off is None else off,
    )


def test_of_who_keeps_to_one_place_the_frames_on_their_feet_are_taken() -> None:
    chosen = depth_frames(np.arange(COUNT), [falling()], CAMERA, 10)
    assert len(chosen) == 10
    assert max(chosen) < 20


def test_frames_whose_points_fit_badly_are_left_out() -> None:
    off = np.where(np.arange(COUNT) % 2 == 0, 4.0, 40.0)
    chosen = depth_frames(np.arange(COUNT), [falling(off=off)], CAMERA, 10)
    assert all(frame % 2 == 0 and frame < 20 for frame in chosen)


def test_too_few_frames_on_their_feet_are_no_reason_to_have_few() -> None:
    pelvis = np.where(np.arange(COUNT) < 3, 0.9, 0.15)
    assert len(depth_frames(np.arange(COUNT), [falling(pelvis=pelvis)], CAMERA, 10)) == 10


def test_who_walks_through_the_depth_of_the_room_gives_frames_from_end_to_end() -> None:
    chosen = depth_frames(np.arange(COUNT), [falling(away=np.linspace(2.0, 5.0, COUNT))], CAMERA, 10)
    assert (chosen[0], chosen[-1]) == (0, COUNT - 1)


def test_frames_without_a_map_or_without_trust_are_never_taken() -> None:
    person = replace(falling(), rejected=((0, 10, "made up"),))
    chosen = depth_frames(np.arange(0, COUNT, 2), [person], CAMERA, 50)
    assert all(frame >= 10 and frame % 2 == 0 for frame in chosen)
    with pytest.raises(ValueError, match="trusts them"):
        depth_frames(np.arange(10), [person], CAMERA, 10)
