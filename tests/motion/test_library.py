"""Laws of the scripted actions and of the library they make."""

from __future__ import annotations

import json
import re
from functools import lru_cache

import numpy as np
import pytest

from augment.actions import DAILY, FALLS, FRAME_LABELS
from augment.body.model import joints_of, load_body, pose_body
from augment.body.shapes import sample_betas
from augment.motion.library.build import build_library, library_keys
from augment.motion.library.scripted import ik
from augment.motion.library.scripted.act import SCRIPTS, make_action
from augment.motion.library.scripted.rig import ELBOW_HINGE, make_rig
from augment.types import JOINT, Motion

CHEAP = ("stand", "kneel")


@lru_cache(maxsize=1)
def body():
    return load_body()


@lru_cache(maxsize=64)
def acted(name: str, seed: int = 1, **fixed) -> Motion:
    rng = np.random.default_rng(seed)
    return make_action(name, rng=rng, body=body(), betas=sample_betas(body(), rng=rng), **fixed)


@lru_cache(maxsize=32)
def mesh(name: str, seed: int = 1):
    return pose_body(body(), acted(name, seed))


def rotations(motion: Motion) -> np.ndarray:
    return ik.from_rotvec(np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1))


def during(motion: Motion, label: str) -> np.ndarray:
    times = (np.arange(len(motion)) + 0.5) / motion.fps
    return np.array([any(s.label == label and s.start_sec <= x < s.end_sec for s in motion.segments) for x in times])


def skin_of(name: str, parts: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return mesh(name, seed)[0][:, np.isin(body().part_of_vertex, parts)]


def test_every_daily_action_is_scripted():
    assert set(SCRIPTS) == set(DAILY)


@pytest.mark.parametrize("name", DAILY)
def test_starts_at_the_origin_and_is_labelled_without_gaps(name):
    motion = acted(name)
    joints = joints_of(body(), motion)
    assert motion.fps == 20
    assert 2.0 <= motion.seconds <= 10.0
    assert np.hypot(joints[0, 0, 0], joints[0, 0, 2]) < 0.6
    assert motion.segments[0].start_sec == 0.0
    assert motion.segments[-1].end_sec == pytest.approx(motion.seconds)
    for before, after in zip(motion.segments[:-1], motion.segments[1:], strict=True):
        assert before.end_sec == after.start_sec
        assert before.label != after.label
    assert {segment.label for segment in motion.segments} <= set(FRAME_LABELS)
    assert motion.caption
    assert motion.licence
    assert motion.provenance["params"]["side"] in ("left", "right")


@pytest.mark.parametrize("name", DAILY)
def test_every_action_is_told_in_several_wordings_and_to_the_right_with_the_words_swapped(name):
    told = {acted(name, seed).caption for seed in range(1, 9)}
    assert len(told) >= 3
    assert not any("{" in caption or "  " in caption for caption in told)
    left, right = (acted(name, 4, side=side) for side in ("left", "right"))
    assert right.caption == re.sub(r"\bleft\b", "right", left.caption)


def test_a_fast_walk_is_not_told_as_a_slow_one():
    for seed in range(1, 6):
        slow, fast = (acted("walk", seed, speed=speed, path="straight", seconds=3.0).caption for speed in (0.4, 1.4))
        assert "slow" in slow
        assert "quick" in fast or "brisk" in fast


@pytest.mark.parametrize("name", DAILY)
def test_no_skin_is_under_the_floor(name):
    vertices, _ = mesh(name)
    assert vertices[..., 1].min() > -0.02


@pytest.mark.parametrize("name", [name for name in DAILY if name not in ("lie", "lie_down", "get_up", "jump")])
def test_something_always_touches_the_floor(name):
    vertices, _ = mesh(name)
    assert vertices[..., 1].min(axis=1).max() < 0.006


@pytest.mark.parametrize("name", DAILY)
def test_knees_and_elbows_fold_the_way_they_can(name):
    motion = acted(name)
    turns = rotations(motion)
    for side in ("left", "right"):
        knee = np.degrees(ik.flexion(np.eye(3), turns[:, JOINT[f"{side}_knee"]], np.array([1.0, 0.0, 0.0])))
        assert knee.min() > -2.0
        assert knee.max() < 150.0
        along = np.array([1.0 if side == "left" else -1.0, 0.0, 0.0])
        forearm = ik.apply(turns[:, JOINT[f"{side}_elbow"]], along)
        elbow = np.degrees(np.arctan2(np.cross(along, forearm) @ ELBOW_HINGE[side], forearm @ along))
        assert elbow.min() > -3.0
        assert elbow.max() < 150.0


@pytest.mark.parametrize("name", DAILY)
def test_joints_turn_no_faster_than_people(name):
    turns = rotations(acted(name))
    speed = ik.angle(ik.transpose(turns[:-1]) @ turns[1:]) * 20
    assert speed.max() < np.radians(1300)


@pytest.mark.parametrize("name", DAILY)
def test_nothing_is_frozen(name):
    joints = joints_of(body(), acted(name))
    assert (np.abs(np.diff(joints[:, JOINT["head"]], axis=0)).max(axis=1) > 1e-6).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flat_feet_do_not_skate(seed):
    motion = acted("walk", seed)
    rig = make_rig(body(), motion.betas)
    joints = joints_of(body(), motion)
    seen = 0
    for side in ("left", "right"):
        ankle, toe = joints[:, JOINT[f"{side}_ankle"]], joints[:, JOINT[f"{side}_foot"]]
        flat = np.abs(ankle[:, 1] - rig.ankle_height) + np.abs(toe[:, 1] - rig.ankle_height - rig.ball[side][1]) < 0.002
        both = flat[:-1] & flat[1:]
        speed = np.linalg.norm(np.diff(ankle, axis=0)[:, [0, 2]], axis=1) * motion.fps
        assert speed[both].max() < 0.02
        seen += both.sum()
    assert seen > 10


def test_a_faster_walk_goes_further():
    gone = []
    for speed in (0.4, 1.2):
        pelvis = joints_of(body(), acted("walk", 1, speed=speed, seconds=4.0, path="straight", starts=False, stops=False))[:, 0]
        gone.append(float(np.hypot(*(pelvis[-1] - pelvis[0])[[0, 2]])))
    assert gone[0] == pytest.approx(0.4 * 4, rel=0.15)
    assert gone[1] == pytest.approx(1.2 * 4, rel=0.15)


def test_walking_feet_pass_each_other_and_arms_swing_against_them():
    motion = acted("walk", 2, speed=1.2, path="straight", turn=0.0, age=30.0, stoop=0.05)
    joints = joints_of(body(), motion)
    legs = (joints[:, JOINT["left_ankle"]] - joints[:, JOINT["right_ankle"]])[:, 2]
    arms = (joints[:, JOINT["left_wrist"]] - joints[:, JOINT["right_wrist"]])[:, 2]
    assert (np.diff(np.sign(legs)) != 0).sum() >= 3
    assert np.corrcoef(legs, arms)[0, 1] < -0.7


@pytest.mark.parametrize("name", ["sit_down", "sit", "stand_up"])
def test_buttocks_rest_on_the_seat(name):
    motion = acted(name)
    assert motion.support == "chair"
    assert 0.42 <= motion.support_height <= 0.50
    sitting = during(motion, "sitting")
    near = skin_of(name, (0, 1, 2))
    pelvis = mesh(name)[1][:, :1]
    close = np.linalg.norm((near - pelvis)[..., [0, 2]], axis=-1) < 0.22
    lowest = np.where(close, near[..., 1], 9.0).min(axis=1)[sitting] - motion.support_height
    assert np.abs(lowest).max() < 0.03
    assert motion.support_center is not None
    apart = np.abs(pelvis[sitting][:, 0, [0, 2]] - motion.support_center)
    assert apart.max() < 0.15


@pytest.mark.parametrize(("name", "seed"), [("lie", 1), ("lie", 2), ("lie_down", 1)])
def test_the_body_lies_on_the_bed(name, seed):
    motion = acted(name, seed)
    assert motion.support == "bed"
    lying = during(motion, "lying")
    lying &= np.arange(len(lying)) > np.flatnonzero(lying)[0] + 4
    heights = skin_of(name, (0, 1, 2, 3, 6, 9), seed)[lying][..., 1].min(axis=1) - motion.support_height
    assert heights.min() > -0.03
    assert heights.max() < 0.03
    head = mesh(name, seed)[1][lying, JOINT["head"]]
    assert head[:, 1].max() < motion.support_height + 0.40
    # The bed's heading points from foot to head.
    way = head[-1] - mesh(name, seed)[1][lying, JOINT["pelvis"]][-1]
    assert way[0] * np.sin(motion.support_yaw) + way[2] * np.cos(motion.support_yaw) > 0.3


@pytest.mark.parametrize("way", ["bed", "roll", "sit"])
def test_getting_up_ends_on_the_feet(way):
    motion = acted("get_up", 3, way=way)
    joints = joints_of(body(), motion)
    assert joints[0, JOINT["head"], 1] < motion.support_height + 0.35
    assert joints[-1, JOINT["head"], 1] > 1.3
    assert [segment.label for segment in motion.segments][-1] == "standing"
    assert (motion.support == "bed") == (way == "bed")


def test_flight_is_ballistic():
    motion = acted("jump", 2, height=0.3)
    vertices, joints = pose_body(body(), motion)
    air = vertices[..., 1].min(axis=1) > 0.03
    inside = air[:-2] & air[1:-1] & air[2:]
    fall = np.diff(joints[:, 0, 1], n=2)[inside] * motion.fps**2
    assert inside.sum() >= 3
    assert fall == pytest.approx(-9.81, rel=0.03)


def test_knees_and_palms_carry_the_crawler():
    vertices, _ = mesh("crawl")
    part = body().part_of_vertex
    for parts in ((4, 5), (20, 22), (21, 23)):
        assert vertices[:, np.isin(part, parts), 1].min() == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("name", ["wave", "walk", "sit", "kneel"])
def test_the_other_side_is_the_mirror_image(name):
    left, right = acted(name, 4, side="left"), acted(name, 4, side="right")
    names = list(JOINT)
    swap = [JOINT[n.replace("left", "?").replace("right", "left").replace("?", "right")] for n in names]
    ours = joints_of(body(), left)[:, swap] * [-1, 1, 1]
    assert ours == pytest.approx(joints_of(body(), right), abs=2e-3)


def test_a_seed_fixes_everything_and_another_changes_it():
    one, again, other = (make_action("wave", rng=np.random.default_rng(s), body=body()) for s in (5, 5, 6))
    assert np.array_equal(one.body_pose, again.body_pose)
    assert one.provenance == again.provenance
    assert one.provenance["params"] != other.provenance["params"]


def test_given_parameters_are_used_and_recorded():
    motion = acted("sit", 7, seat=0.44, seconds=3.0)
    assert motion.support_height == 0.44
    assert motion.seconds == 3.0
    assert motion.provenance["params"]["seat"] == 0.44


def test_unknown_names_list_the_valid_ones():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"'fly'.*walk"):
        make_action("fly", rng=rng, body=body())
    with pytest.raises(ValueError, match=r"'wings'.*seconds"):
        make_action("walk", rng=rng, body=body(), wings=2)
    with pytest.raises(ValueError, match=r"side"):
        make_action("walk", rng=rng, body=body(), side="up")
    with pytest.raises(ValueError, match=r"'fly'.*crawl"):
        library_keys(1, ["fly"])
    with pytest.raises(ValueError, match=r"per_action"):
        library_keys(0)
    assert len(library_keys(2)) == 2 * (len(DAILY) + len(FALLS))


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    for workers in (1, 2):
        summary = build_library(tmp_path / str(workers), per_action=1, seed=3, workers=workers, actions=CHEAP)
        assert (summary.kept, summary.added, summary.missing) == (2, 2, [])
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / w).iterdir()} for w in ("1", "2"))
    assert one == two
    rows = json.loads(one["index.json"])["motions"]
    assert {row["action"] for row in rows} == set(CHEAP)
    assert {row["licence"] for row in rows} == {"Apache-2.0"}


def test_a_second_run_adds_only_what_is_missing(tmp_path):
    first = build_library(tmp_path, per_action=1, seed=3, actions=("stand",))
    before = (tmp_path / "stand-0000.npz").read_bytes()
    second = build_library(tmp_path, per_action=2, seed=3, actions=("stand",))
    assert (first.added, second.added, second.kept) == (1, 1, 2)
    assert (tmp_path / "stand-0000.npz").read_bytes() == before
    assert build_library(tmp_path, per_action=1, seed=4, actions=("stand",)).added == 1
