from __future__ import annotations

import numpy as np
import pytest

from augment.body.model import joints_of
from augment.motion.library.build import make_clip
from augment.motion.seats import seats_from_people

SITS, LIES = ("sit_down-0000", "sit-0000", "sit-0001"), ("lie_down-0000", "lie-0000", "lie-0001")
OTHERS = ("stand-0000", "walk-0000", "kneel-0000", "pick_up-0000")


@pytest.fixture(scope="module")
def acted(body):
    """Motions of the embedded library, which knows what carried them, and their joints."""
    motions = {key: make_clip(key, seed=0, body=body)[0][0] for key in SITS + LIES + OTHERS}
    return {key: (motion, joints_of(body, motion)) for key, motion in motions.items() if motion is not None}


def turned(joints, angle, shift):
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    return joints @ rotation.T + np.array([shift[0], 0, shift[1]])


@pytest.mark.parametrize("key", SITS)
def test_a_seat_is_where_the_library_sat(acted, key):
    motion, joints = acted[key]
    (seat,) = seats_from_people([joints], motion.fps)
    assert seat.kind == "chair"
    assert seat.center[1] == pytest.approx(motion.support_height, abs=0.08)
    assert np.linalg.norm(seat.center[[0, 2]] - motion.support_center) < 0.2
    assert np.cos(seat.yaw - motion.support_yaw) > 0.9


@pytest.mark.parametrize("key", LIES)
def test_a_bed_is_where_the_library_lay(acted, key):
    motion, joints = acted[key]
    beds = [s for s in seats_from_people([joints], motion.fps) if s.kind == "bed"]
    if motion.support_height < 0.15:
        assert not beds
        return
    (bed,) = beds
    assert bed.center[1] == pytest.approx(motion.support_height, abs=0.07)
    assert np.linalg.norm(bed.center[[0, 2]] - motion.support_center) < 0.5
    assert np.cos(bed.yaw - motion.support_yaw) > 0.9


@pytest.mark.parametrize("key", OTHERS)
def test_who_neither_sits_nor_lies_leaves_no_seat(acted, key):
    motion, joints = acted[key]
    assert seats_from_people([joints], motion.fps) == ()


def test_turning_the_room_turns_its_seats(acted):
    motion, joints = acted["sit-0000"]
    (seat,) = seats_from_people([joints], motion.fps)
    (other,) = seats_from_people([turned(joints, 0.7, (1.0, 3.0))], motion.fps)
    np.testing.assert_allclose(other.center, turned(seat.center[None], 0.7, (1.0, 3.0))[0], atol=1e-9)
    assert np.angle(np.exp(1j * (other.yaw - seat.yaw))) == pytest.approx(0.7)


def test_two_sits_on_one_chair_are_one_seat_and_two_chairs_two(acted):
    motion, joints = acted["sit-0000"]
    again, elsewhere = turned(joints, 0.1, (0.1, 0.05)), turned(joints, 0, (1.5, 0))
    assert len(seats_from_people([joints, again], motion.fps)) == 1
    seats = seats_from_people([elsewhere, joints, again], motion.fps)
    assert len(seats) == 2
    np.testing.assert_allclose(seats[0].center[[0, 2]], joints[:, 0].mean(axis=0)[[0, 2]], atol=0.2)


def test_a_mattress_is_a_bed_of_its_height_and_the_floor_is_none(acted):
    motion, joints = acted["lie-0000"]
    drop = motion.support_height
    (mattress,) = seats_from_people([joints - [0, drop - 0.2, 0]], motion.fps)
    assert mattress.kind == "bed"
    assert mattress.center[1] == pytest.approx(0.2, abs=0.06)
    assert seats_from_people([joints - [0, drop, 0]], motion.fps) == ()


def test_a_moment_is_no_rest_and_gaps_are_no_seat(acted):
    motion, joints = acted["sit-0000"]
    assert seats_from_people([joints[: int(0.8 * motion.fps)]], motion.fps) == ()
    blinking = joints.copy()
    blinking[::2] = np.nan
    assert len(seats_from_people([blinking], motion.fps)) <= 1
    assert seats_from_people([np.full_like(joints, np.nan)], motion.fps) == ()
    with pytest.raises(ValueError, match="fps must be positive"):
        seats_from_people([joints], 0)
