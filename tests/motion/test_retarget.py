"""Retargeting: known poses on a hand-made skeleton, laws on the real recordings, and reshaping to other bodies."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.body.model import joints_of, pose_body
from augment.body.outline import lowest_point, upper_outline
from augment.body.shapes import betas_from_phenotype, sample_betas
from augment.motion.contacts import FOOT_JOINTS, foot_contacts
from augment.motion.library.scripted.act import make_action
from augment.motion.plausibility import foot_skate
from augment.motion.posture import leg_length, world_rotations
from augment.motion.reshape import SINK, above_floor, above_seat, adopt, to_shape
from augment.motion.retarget import LIMBS, retarget_bvh
from augment.motion.skeletons import FAMILIES
from augment.sources.mocap.bvh import Bvh, parse_bvh
from augment.types import JOINT, Motion
from tests.make.mocap import STRAIGHT, cmu_bvh
from tests.make.realdata import require


def test_a_t_pose_becomes_the_zero_pose(body):
    motion, report = retarget_bvh(cmu_bvh([STRAIGHT] * 5), body)
    rest = body.rest_joints(np.zeros(10))
    joints = joints_of(body, motion)
    for start, end in LIMBS:
        bone = (joints[:, JOINT[end]] - joints[:, JOINT[start]])[0]
        rest_bone = rest[JOINT[end]] - rest[JOINT[start]]
        angle = np.degrees(np.arccos(bone @ rest_bone / np.linalg.norm(bone) / np.linalg.norm(rest_bone)))
        assert angle < 4, (end, angle)
    assert np.abs(motion.global_orient).max() < 0.1
    assert report.family == "cmu"


def test_raising_the_left_arm_raises_the_left_arm_only(body):
    motion, _ = retarget_bvh(cmu_bvh([STRAIGHT | {"LeftArm": (60, 0, 0)}] * 5), body)
    joints = joints_of(body, motion)[0]
    arm = joints[JOINT["left_wrist"]] - joints[JOINT["left_shoulder"]]
    np.testing.assert_allclose(arm / np.linalg.norm(arm), [np.cos(np.pi / 3), np.sin(np.pi / 3), 0], atol=0.02)
    assert abs((joints[JOINT["right_wrist"]] - joints[JOINT["right_shoulder"]])[1]) < 0.02
    assert joints[JOINT["left_wrist"], 0] > 0.1


def test_twist_along_the_bone_survives(body):
    still, _ = retarget_bvh(cmu_bvh([STRAIGHT] * 5), body)
    twisted, _ = retarget_bvh(cmu_bvh([STRAIGHT | {"LeftArm": (0, 50, 0)}] * 5), body)
    turn = twisted.body_pose[0, JOINT["left_shoulder"] - 1] - still.body_pose[0, JOINT["left_shoulder"] - 1]
    np.testing.assert_allclose(np.degrees(turn), [50, 0, 0], atol=2)


def test_the_files_unit_does_not_matter(body):
    poses = [STRAIGHT | {"at": (0.1 * frame, 16, 0.3 * frame), "LeftArm": (frame, 0, 0)} for frame in range(20)]
    one, other = retarget_bvh(cmu_bvh(poses), body)[0], retarget_bvh(cmu_bvh(poses, unit=0.45), body)[0]
    np.testing.assert_allclose(one.transl, other.transl, atol=1e-5)
    np.testing.assert_allclose(one.body_pose, other.body_pose, atol=1e-4)


def test_a_leading_t_pose_frame_is_dropped(body):
    arms_down = STRAIGHT | {"LeftArm": (-80, 0, 0), "RightArm": (80, 0, 0)}
    poses = [arms_down | {"LeftForeArm": (0.2 * frame, 0, 0)} for frame in range(20)]
    with_t, _ = retarget_bvh(cmu_bvh([STRAIGHT, *poses]), body)
    without, _ = retarget_bvh(cmu_bvh(poses), body)
    assert with_t.provenance["dropped_t_pose"]
    assert not without.provenance["dropped_t_pose"]
    np.testing.assert_allclose(with_t.body_pose, without.body_pose, atol=1e-6)


def test_an_unknown_skeleton_is_refused_by_its_joints(body):
    with pytest.raises(ValueError, match=r"made: field HIERARCHY.*LeftArm.*closest \(cmu\).*Flipper"):
        retarget_bvh(cmu_bvh([{}], rename={"LeftArm": "Flipper"}), body)


def test_rest_frames_are_rotations():
    for family in FAMILIES.values():
        for joint, frame in family.rest.items():
            np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-9, err_msg=f"{family.name} {joint}")
            assert np.linalg.det(frame) == pytest.approx(1)
        assert set(family.rest) == set(family.source)


@pytest.fixture(scope="module")
def bandai():
    """Some of the real recordings by name; the archive is read once, as far as needed."""
    wanted = {
        "dataset-1_walk_normal_001", "dataset-2_walk_elderly_003", "dataset-2_wave-right-hand_normal_002",
        "dataset-2_raise-up-left-hand_normal_002", "dataset-1_dance-short_normal_001", "dataset-1_walk-left_normal_001",
    }  # fmt: skip
    found = {}
    with tarfile.open(require("mocap/bandai_bvh.tar.xz"), mode="r|*") as stream:
        for member in stream:
            name = Path(member.name).stem
            if name in wanted:
                found[name] = parse_bvh(stream.extractfile(member).read().decode(), name=name)
                if len(found) == len(wanted):
                    break
    return found


def check_quality(motion, report, body):
    assert np.median(list(report.direction_error_deg.values())) < 5
    assert (
        max(report.direction_error_deg[bone] for bone in ("trunk", "left_knee", "right_knee", "left_ankle", "right_ankle")) < 5
    )
    assert max(report.direction_error_deg[bone] for bone in ("left_elbow", "right_elbow", "left_wrist", "right_wrist")) < 0.1
    assert report.skate_result <= report.skate_source + 1e-6
    joints = joints_of(body, motion)
    assert -0.03 < np.percentile(joints[:, FOOT_JOINTS, 1].min(axis=1), 5) < 0.06
    np.testing.assert_allclose(joints[0, 0, [0, 2]], 0, atol=1e-5)


def test_real_bandai_directions_and_skate(bandai, body):
    for bvh in bandai.values():
        motion, report = retarget_bvh(bvh, body)
        assert report.family == "bandai"
        check_quality(motion, report, body)


def cmu(name: str) -> Bvh:
    return parse_bvh((require("mocap/cmu_bvh") / f"{name}.bvh").read_text(), name=name)


def test_real_cmu_directions_and_skate(body):
    for name in ("002_01", "005_05", "006_02"):
        motion, report = retarget_bvh(cmu(name), body)
        assert report.family == "reallusion"
        check_quality(motion, report, body)


def test_walkers_go_where_they_face_and_bend_knees_and_elbows_the_human_way(bandai, body):
    walks = [bandai["dataset-1_walk_normal_001"], cmu("002_01")]
    for bvh in walks:
        motion, _ = retarget_bvh(bvh, body)
        joints = joints_of(body, motion)
        travel = joints[-1, 0] - joints[0, 0]
        assert travel[2] > 1.0
        assert abs(travel[0]) < 0.35 * travel[2]
        assert (joints[:, JOINT["left_hip"], 0] > joints[:, JOINT["right_hip"], 0]).mean() > 0.9
        assert (joints[:, JOINT["left_foot"], 2] > joints[:, JOINT["left_ankle"], 2]).mean() > 0.9
        for side in ("left", "right"):
            hip, knee, ankle = (joints[:, JOINT[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
            assert (knee - (hip + ankle) / 2)[:, 2].mean() > 0.01
            shoulder, elbow, wrist = (joints[:, JOINT[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist"))
            assert (elbow - (shoulder + wrist) / 2)[:, 2].mean() < -0.01


def test_left_and_right_are_not_swapped(bandai, body):
    left = joints_of(body, retarget_bvh(bandai["dataset-2_raise-up-left-hand_normal_002"], body)[0])
    right = joints_of(body, retarget_bvh(bandai["dataset-2_wave-right-hand_normal_002"], body)[0])
    assert left[:, JOINT["left_wrist"], 1].max() > left[:, JOINT["right_wrist"], 1].max() + 0.3
    assert right[:, JOINT["right_wrist"], 1].max() > right[:, JOINT["left_wrist"], 1].max() + 0.3
    sideways = joints_of(body, retarget_bvh(bandai["dataset-1_walk-left_normal_001"], body)[0])
    assert (sideways[-1, 0] - sideways[0, 0])[0] > 0.5


def standing(body, **fields):
    rest = body.rest_joints(np.zeros(10))
    sole = body.rest_vertices(np.zeros(10))[:, 1].min()
    n_frames = 20
    pelvis = np.stack([np.zeros(n_frames), np.full(n_frames, rest[0, 1] - sole), np.linspace(0, 1, n_frames)], axis=1)
    return Motion(
        global_orient=np.zeros((n_frames, 3), np.float32), body_pose=np.zeros((n_frames, 23, 3), np.float32),
        transl=(pelvis - rest[0]).astype(np.float32), betas=np.zeros(10, np.float32), fps=20.0, **fields,
    )  # fmt: skip


def test_the_same_shape_gives_the_same_motion(bandai, body):
    motion, _ = retarget_bvh(bandai["dataset-1_walk_normal_001"], body)
    same = to_shape(motion, motion.betas, body)
    np.testing.assert_allclose(joints_of(body, same), joints_of(body, motion), atol=1e-4)


def test_another_shape_keeps_feet_on_the_floor_and_steps_in_proportion(bandai, body):
    motion, _ = retarget_bvh(bandai["dataset-2_walk_elderly_003"], body)
    joints = joints_of(body, motion)
    contacts = foot_contacts(joints, motion.fps)
    for seed in (0, 1, 2):
        betas = sample_betas(body, rng=np.random.default_rng(seed))
        shaped = to_shape(motion, betas, body)
        ratio = leg_length(body.rest_joints(betas)) / leg_length(body.rest_joints(motion.betas))
        moved = joints_of(body, shaped)
        np.testing.assert_array_equal(shaped.betas, betas.astype(np.float32))
        np.testing.assert_allclose(np.ptp(moved[:, 0, 2]), np.ptp(joints[:, 0, 2]) * ratio, rtol=0.02)
        lift = body.rest_joints(betas)[JOINT["left_ankle"], 1] - body.rest_vertices(betas)[:, 1].min()
        lowest = np.percentile(moved[:, [JOINT["left_ankle"], JOINT["right_ankle"]], 1].min(axis=1), 5)
        assert lowest == pytest.approx(lift, abs=0.025)
        assert foot_skate(moved, contacts, motion.fps) < 1.15 * foot_skate(joints, contacts, motion.fps) + 0.005


def underside(body, motion):
    """Lowest skin of everything but feet and lower shins, per frame."""
    return lowest_point(world_rotations(motion), joints_of(body, motion), upper_outline(body, motion.betas))


def test_on_a_chair_the_seat_is_kept_and_the_feet_keep_to_the_floor(body):
    rest, sole = body.rest_joints(np.zeros(10)), body.rest_vertices(np.zeros(10))[:, 1].min()
    pose = np.zeros((20, 23, 3), np.float32)
    pose[:, [JOINT["left_hip"] - 1, JOINT["right_hip"] - 1], 0] = -np.pi / 2
    pose[:, [JOINT["left_knee"] - 1, JOINT["right_knee"] - 1], 0] = np.pi / 2
    hip_height = rest[JOINT["left_knee"], 1] - sole
    transl = np.tile([0.0, hip_height - rest[JOINT["left_hip"], 1], 0.0], (20, 1)).astype(np.float32)
    sitting = replace(standing(body), body_pose=pose, transl=transl, support="chair", support_center=(0.0, 0.0))
    seated = np.isin(body.part_of_vertex, [JOINT[name] for name in ("pelvis", "left_hip", "right_hip")])

    def seat(motion):
        return float(pose_body(body, motion, slice(0, 1))[0][0, seated, 1].min())

    sitting = replace(sitting, support_height=seat(sitting))
    for seed in (3, 4, 5):
        betas = sample_betas(body, rng=np.random.default_rng(seed))
        shaped = to_shape(sitting, betas, body)
        assert seat(shaped) == pytest.approx(sitting.support_height, abs=0.03)
        ankle = body.rest_joints(betas)[JOINT["left_ankle"], 1] - body.rest_vertices(betas)[:, 1].min()
        np.testing.assert_allclose(joints_of(body, shaped)[:, JOINT["left_ankle"], 1], ankle, atol=0.02)


def test_who_stands_stooped_before_a_seat_keeps_their_feet_on_the_floor_on_shorter_legs(body):
    tall = betas_from_phenotype(body, height_m=1.9, age=1.0)
    motion = make_action("sit_down", rng=np.random.default_rng(1), body=body, betas=tall, fps=10, stoop=0.45)
    for height in (1.5, 1.6, 1.75):
        shaped = to_shape(motion, betas_from_phenotype(body, height_m=height), body)
        assert abs(pose_body(body, shaped, slice(0, 1))[0][0, :, 1].min()) < 0.02


def test_hands_are_raised_out_of_the_seat_and_nothing_else_moves(body):
    motion = make_action("sit", rng=np.random.default_rng(0), body=body, fps=10)
    pose = motion.body_pose.copy()
    arms = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist", "hand")]
    for side, roll in (("left", -1.5), ("right", 1.5)):
        pose[len(motion) // 2 :, JOINT[f"{side}_shoulder"] - 1] = [0, 0, roll]
        pose[len(motion) // 2 :, JOINT[f"{side}_elbow"] - 1] = 0
    center = joints_of(body, motion)[-1, 0, [0, 2]]
    hanging = replace(motion, body_pose=pose, support_center=(float(center[0]), float(center[1])))
    raised = above_seat(hanging, body)
    before, after = joints_of(body, hanging), joints_of(body, raised)
    hands = [JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "hand")]
    assert before[-1, hands, 1].min() < motion.support_height - 0.05
    assert after[-5:, hands, 1].min() > motion.support_height - 0.03
    others = np.setdiff1d(np.arange(24), arms)
    np.testing.assert_allclose(after[:, others], before[:, others], atol=1e-5)
    assert above_seat(raised, body) is raised or np.abs(joints_of(body, above_seat(raised, body)) - after).max() < 0.03
    standing_by = replace(hanging, support="floor", support_center=None)
    assert above_seat(standing_by, body) is standing_by


def test_lying_on_the_floor_thin_and_thick_bodies_lie_on_it(body):
    lying = standing(body)
    lying = replace(lying, global_orient=np.tile(np.array([-np.pi / 2, 0, 0], np.float32), (20, 1)))
    lying = replace(lying, transl=lying.transl - [0, underside(body, lying)[0], 0])
    for weight, height in ((0.05, 1.5), (1.0, 1.6), (0.5, 1.95)):
        shaped = to_shape(lying, betas_from_phenotype(body, height_m=height, weight=weight), body)
        np.testing.assert_allclose(underside(body, shaped), 0, atol=0.01)
        assert pose_body(body, shaped, slice(0, 1))[0][..., 1].min() > -0.03


def test_a_foreign_smpl_motion_is_adopted_onto_our_floor(body):
    rest = body.rest_joints(np.zeros(10))
    own = standing(body)
    smaller = replace(own, transl=(own.transl + rest[0].astype(np.float32)) * 0.9, betas=np.ones(10, np.float32))
    adopted = adopt(replace(smaller, provenance={"foreign_body": True}), body)
    joints = joints_of(body, adopted)
    sole = body.rest_vertices(np.zeros(10))[:, 1].min()
    np.testing.assert_allclose(joints[:, JOINT["left_ankle"], 1], rest[JOINT["left_ankle"], 1] - sole, atol=5e-3)
    assert (adopted.betas == 0).all()
    assert adopted.provenance["file_betas"] == [1.0] * 10
    assert "foreign_body" not in adopted.provenance


def test_skin_is_raised_out_of_the_floor_and_what_is_above_it_stays(body):
    motion = make_action("stand", rng=np.random.default_rng(0), body=body, seconds=3.0)
    assert above_floor(motion, body) is motion
    sunk = replace(motion, transl=motion.transl - np.outer(np.arange(len(motion)) > 20, [0.0, 0.05, 0.0]))
    raised = above_floor(sunk, body)
    assert pose_body(body, raised)[0][..., 1].min() > -SINK - 0.003
    np.testing.assert_array_equal(raised.transl[:, [0, 2]], sunk.transl[:, [0, 2]])
    np.testing.assert_array_equal(raised.transl[:10], sunk.transl[:10])
    assert (raised.transl[21:, 1] < motion.transl[21:, 1]).all()
