"""Laws of carried props: hands are on the grips, the prop goes where the person goes, and what is let go ends on the floor."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from augment.body.model import joints_of, pose_body
from augment.motion.carrying import PROPS, carrier_of, grip_points, outline_points, prop_track
from augment.motion.holding import take_up
from augment.motion.library.scripted.act import make_action
from augment.motion.resample import resample
from augment.placement.place import move_motion
from augment.types import JOINT, SMPL_JOINTS, Segment
from tests.make.rooms import standing, the_body

HELD = [kind for kind in PROPS if PROPS[kind].hands]
ARMS = [
    i for i, name in enumerate(SMPL_JOINTS) if any(part in name for part in ("collar", "shoulder", "elbow", "wrist", "hand"))
]


@lru_cache(maxsize=32)
def carried(kind: str, action: str = "walk", seed: int = 1):
    """(the motion before, with the prop, its entry, its track)."""
    before = make_action(action, rng=np.random.default_rng(seed), body=the_body(), fps=20)
    motion, entry = take_up(before, kind, the_body(), rng=np.random.default_rng(seed))
    return before, motion, entry, prop_track(entry, carrier_of(motion, the_body()))


def toppling(way: float, frames: int = 40):
    """Stands for a second, then tips over stiffly about the feet, forward for ``way`` 1, backward for -1."""
    motion = standing(the_body(), frames=frames)
    pitch = way * np.clip((np.arange(frames) - 10) / 10, 0, 1) * np.pi / 2
    turned = motion.global_orient.copy()
    turned[:, 0] = pitch
    pelvis = the_body().rest_joints(motion.betas)[0]
    height = motion.transl[0, 1] + pelvis[1]
    place = np.stack([0 * pitch, height * np.cos(pitch) + 0.12 * np.abs(np.sin(pitch)), height * np.sin(pitch)], axis=1)
    fall = (Segment(label="standing", start_sec=0, end_sec=1), Segment(label="fall", start_sec=1, end_sec=frames / 10))
    return replace(motion, global_orient=turned, transl=place - pelvis, segments=fall)


@pytest.mark.parametrize("kind", HELD)
@pytest.mark.parametrize(("action", "seed"), [("walk", 1), ("walk", 5), ("stand", 2)])
def test_hands_are_on_the_grips_in_every_frame(kind, action, seed):
    _, motion, entry, track = carried(kind, action, seed)
    some = slice(None, None, 10)
    skin, _ = pose_body(the_body(), motion.take(some))
    parts = np.asarray(the_body().part_of_vertex)
    for side in ("left", "right") if PROPS[kind].hands == 2 else (entry["side"],):
        hand = skin[:, np.isin(parts, [JOINT[f"{side}_wrist"], JOINT[f"{side}_hand"]])]
        away = np.linalg.norm(hand - grip_points(entry, track, side)[some, None], axis=-1).min(1)
        assert away.max() < 0.04


@pytest.mark.parametrize("kind", HELD)
def test_a_prop_changes_arms_alone_and_follows_no_arm(kind):
    before, motion, entry, track = carried(kind)
    old, new = (joints_of(the_body(), m) for m in (before, motion))
    others = [i for i in range(24) if i not in ARMS]
    np.testing.assert_allclose(new[:, others], old[:, others], atol=1e-5)
    assert np.abs(new[:, ARMS] - old[:, ARMS]).max() > 0.1
    np.testing.assert_allclose(prop_track(entry, carrier_of(before, the_body())), track, atol=1e-5)


@pytest.mark.parametrize("kind", HELD)
def test_a_moved_person_moves_the_prop_alike(kind):
    _, motion, entry, track = carried(kind)
    moved = move_motion(motion, 0.8, np.array([1.0, 0.0, -2.0]), the_body())
    turn = np.eye(4)
    turn[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(0.8), np.sin(0.8), -np.sin(0.8), np.cos(0.8)
    turn[:3, 3] = 1.0, 0.0, -2.0
    np.testing.assert_allclose(prop_track(entry, carrier_of(moved, the_body())), turn @ track, atol=1e-4)


@pytest.mark.parametrize("kind", HELD)
def test_a_prop_is_in_the_same_place_at_another_rate(kind):
    _, motion, entry, track = carried(kind)
    slow = prop_track(entry, carrier_of(resample(motion, 10.0), the_body()))
    gap = np.linalg.norm(slow[:, :3, 3] - track[::2][: len(slow), :3, 3], axis=1)
    # A stick's tip swings by up to 2 m/s: there a frame's difference in the time of a footfall counts.
    assert np.median(gap) < 0.02
    assert gap.max() < (0.25 if kind == "stick" else 0.03)


def test_a_walker_rolls_upright_on_the_floor_ahead_of_its_person():
    _, motion, _, track = carried("walker")
    np.testing.assert_allclose(track[:, 1, 3], 0, atol=1e-9)
    np.testing.assert_allclose(track[:, :3, 1], np.tile([0.0, 1, 0], (len(track), 1)), atol=1e-9)
    ahead = (track[:, :3, 3] - joints_of(the_body(), motion)[:, 0]) * track[:, :3, 2]
    assert (ahead.sum(1) > 0.15).all()
    assert (ahead.sum(1) < 0.45).all()


def test_a_tray_is_level_and_in_front_of_the_chest():
    _, motion, _, track = carried("tray")
    np.testing.assert_allclose(track[:, 1, 1], 1, atol=1e-9)
    chest = joints_of(the_body(), motion)[:, JOINT["spine3"]]
    assert (np.abs(track[:, 1, 3] - chest[:, 1]) < 0.35).all()
    assert (((track[:, :3, 3] - chest) * track[:, :3, 2]).sum(1) > 0.2).all()


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_a_sticks_tip_stands_still_or_is_in_the_air(seed):
    tip = carried("stick", "walk", seed)[3][:, :3, 3]
    step = np.linalg.norm(np.diff(tip, axis=0), axis=1)
    down = (tip[:-1, 1] < 1e-6) & (tip[1:, 1] < 1e-6)
    assert step[down].max() < 1e-6
    assert 0.2 < down.mean() < 0.95
    assert tip[:, 1].max() < 0.08


def test_what_is_let_go_ends_at_rest_on_the_floor():
    fall = toppling(-1.0)
    for kind in HELD:
        motion, entry = take_up(fall, kind, the_body(), rng=np.random.default_rng(0))
        assert 0.9 < entry["let_go_sec"] < 1.5
        track = prop_track(entry, carrier_of(motion, the_body()))
        assert np.abs(track[-1] - track[-2]).max() < 2e-3
        if kind == "walker":
            assert np.abs(track[:, 1, 3]).max() < 1e-9
        else:
            top = np.array([0.0, entry["grip"] if kind == "stick" else 0.0, 0.0, 1.0])
            assert 0 <= (track[-1] @ top)[1] < 0.04
        # Its arms are its own again.
        np.testing.assert_allclose(
            joints_of(the_body(), motion)[-1], joints_of(the_body(), fall)[-1], atol=1e-4
        )  # fmt: skip


def test_who_falls_onto_the_walker_gets_none():
    with pytest.raises(ValueError, match=r"walker.*no place.*comes down on it"):
        take_up(toppling(1.0), "walker", the_body(), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("kind", "action", "words"),
    [
        ("walker", "lie", "not on its feet"), ("tray", "sit", "not on its feet"), ("wheelchair", "walk", "nobody sits"),
        ("sled", "walk", "expected one of: walker, wheelchair, stick, tray"),
    ],
)  # fmt: skip
def test_a_prop_without_a_place_is_one_line(kind, action, words):
    motion = make_action(action, rng=np.random.default_rng(0), body=the_body(), fps=10)
    with pytest.raises(ValueError, match=words) as caught:
        take_up(motion, kind, the_body(), rng=np.random.default_rng(0))
    assert "\n" not in str(caught.value)


def test_the_outline_goes_with_the_prop():
    _, _, entry, track = carried("walker")
    points = outline_points(entry, track)
    local = np.einsum("tij,tki->tkj", track[:, :3, :3], points - track[:, None, :3, 3])
    np.testing.assert_allclose(local, np.broadcast_to(local[0], local.shape), atol=1e-9)
    assert points[..., 1].min() > 0
