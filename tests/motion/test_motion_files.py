"""Laws of the readers of motion data sets: known poses come back, real files keep their directions, bad ones are refused."""

from __future__ import annotations

import io
import json
import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from augment.body.model import joints_of
from augment.motion.importing import import_motions
from augment.motion.joint_turns import turns_of_joints
from augment.motion.library.scripted.act import make_action
from augment.motion.motion_files import motions_in
from augment.motion.posture import place_joints, world_rotations
from augment.motion.retarget import retarget
from augment.motion.store import read_store
from augment.sources.mocap.babel import BabelEntry, BabelLabel
from augment.sources.mocap.deepmimic import load_deepmimic
from augment.sources.mocap.files import MocapFile, iterate_files
from augment.sources.mocap.humanml3d import load_joints, read_captions
from augment.sources.mocap.labels import babel_segments
from augment.sources.mocap.smpl_pickles import load_smpl_pickle
from augment.types import JOINT
from tests.make.mocap import smplh
from tests.make.realdata import require

Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def deepmimic_text(frames, **changes):
    return json.dumps({"Loop": "none", "Frames": [list(map(float, frame)) for frame in frames]} | changes)


def deepmimic_frame(**joints):
    """Standing, arms hanging; a joint's quaternion (real part first) or angle may be given."""
    still = {
        "chest": [1, 0, 0, 0], "neck": [1, 0, 0, 0], "right_hip": [1, 0, 0, 0], "right_knee": [0], "right_ankle": [1, 0, 0, 0],
        "right_shoulder": [1, 0, 0, 0], "right_elbow": [0], "left_hip": [1, 0, 0, 0], "left_knee": [0],
        "left_ankle": [1, 0, 0, 0], "left_shoulder": [1, 0, 0, 0], "left_elbow": [0],
    }  # fmt: skip
    values = [1 / 30, 0, 0.9, 0, 1, 0, 0, 0]
    for joint, given in still.items():
        values += joints.get(joint, given)
    return values


def interhuman_pickle(n_frames=40, **changes):
    """Two people of InterHuman, z-up, upright, 1.2 m apart, face to face."""

    def person(x, yaw):
        upright = Rotation.from_matrix(Z_UP_FROM_Y_UP) * Rotation.from_euler("y", yaw)
        return {
            "trans": np.tile([x, 0.0, 1.15], (n_frames, 1)).astype(np.float32),
            "root_orient": np.tile(upright.as_rotvec(), (n_frames, 1)).astype(np.float32),
            "pose_body": np.zeros((n_frames, 63), np.float32), "betas": np.zeros(10, np.float32), "gender": "neutral",
        }  # fmt: skip

    return {"person1": person(0.0, np.pi / 2), "person2": person(1.2, -np.pi / 2), "frames": n_frames} | changes


def test_turns_from_positions_give_the_joints_back_and_the_twist_of_bent_limbs(body):
    """Law: rotations found from joints alone place all joints where they were; a bent knee's twist is the true one."""
    rest = np.array(body.rest_joints(np.zeros(10)), np.float64)
    poses = Rotation.from_euler("y", 25, degrees=True).as_matrix()
    worlds = np.tile(np.eye(3), (1, 24, 1, 1))
    thigh = Rotation.from_euler("x", -70, degrees=True).as_matrix() @ poses  # lifted, and twisted about its own bone
    shin = thigh @ Rotation.from_euler("x", 80, degrees=True).as_matrix()
    worlds[:, JOINT["left_hip"]], worlds[:, JOINT["left_knee"]] = thigh, shin
    worlds[:, [JOINT["left_ankle"], JOINT["left_foot"]]] = shin
    joints = place_joints(worlds, rest, np.zeros((1, 3)))
    turns = turns_of_joints(joints, rest)
    np.testing.assert_allclose(place_joints(turns, rest, np.zeros((1, 3))), joints, atol=2e-3)
    away = np.degrees(Rotation.from_matrix(turns[0, JOINT["left_hip"]].T @ thigh).magnitude())
    assert away < 3
    assert np.degrees(Rotation.from_matrix(turns[0, JOINT["pelvis"]]).magnitude()) < 1e-6


def test_deepmimic_stands_lifts_the_right_leg_and_bends_the_right_way(body):
    """Law: a DeepMimic hip turned about its left-right axis lifts that leg ahead, a negative knee angle bends it backward."""
    lifted = Rotation.from_euler("z", 80, degrees=True).as_quat(scalar_first=True)
    frames = [deepmimic_frame()] * 10 + [deepmimic_frame(right_hip=list(lifted), right_knee=[-1.2])] * 10
    motion, report = retarget(load_deepmimic(deepmimic_text(frames), name="x"), body)
    joints = joints_of(body, motion)
    assert motion.fps == 30
    assert "left_shoulder" not in report.direction_error_deg  # it has no collar bones
    still, up = joints[0], joints[-1]
    assert still[JOINT["left_wrist"], 1] < still[JOINT["left_elbow"], 1] < still[JOINT["left_shoulder"], 1]
    assert still[JOINT["left_hip"], 0] > 0 > still[JOINT["right_hip"], 0]
    assert up[JOINT["right_knee"], 2] - up[JOINT["right_hip"], 2] > 0.3
    assert up[JOINT["right_ankle"], 1] < up[JOINT["right_knee"], 1] - 0.2
    np.testing.assert_allclose(up[JOINT["left_knee"]], still[JOINT["left_knee"]], atol=0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "field Frames"),
        ("not json", "field Frames"),
        (deepmimic_text([[0.1] * 43] * 5), "rows of 44 numbers"),
        (deepmimic_text([[np.nan] * 44] * 5), "finite"),
        (deepmimic_text([[0.0] * 44] * 5), "seconds of a frame"),
    ],
)
def test_what_is_no_deepmimic_motion_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        load_deepmimic(text, name="x")


def test_two_people_of_interhuman_keep_their_distance_and_know_each_other(body):
    """Law: each person stands upright over the origin, and says where the other is."""
    file = MocapFile("77", ".pkl", pickle.dumps(interhuman_pickle()), "motions/77.pkl", None)
    one, other = motions_in(file, body)
    assert (one.name, other.name) == ("77-1", "77-2")
    for motion, partner in ((one, other), (other, one)):
        joints = joints_of(body, motion)[0]
        assert joints[JOINT["head"], 1] > 1.2
        assert np.linalg.norm(joints[JOINT["pelvis"], [0, 2]]) < 0.02
        known = motion.provenance["partner"]
        assert known["name"] == partner.name
        np.testing.assert_allclose(known["at"], [0.0, 1.2], atol=0.02)  # straight ahead
        assert abs(abs(known["yaw"]) - np.pi) < 0.01


def test_humanact12_and_ntu13_come_out_upright_with_what_they_show(body):
    """Law: poses in a camera's frame (y down) stand upright here."""
    upside_down = Rotation.from_euler("x", 180, degrees=True).as_rotvec()
    pose = np.zeros((30, 72))
    pose[:, :3] = upside_down
    joints = np.tile([0.1, 0.2, 3.0], (30, 24, 1))
    many = pickle.dumps({"poses": [pose, pose], "joints3D": [joints, joints], "y": [1, 6], "oldposes": []})
    one = pickle.dumps({1: {"pose": pose, "joints3d": np.zeros((30, 18, 3))}})
    walk, sit = motions_in(MocapFile("humanact12poses", ".pkl", many, "", None), body)
    (kick,) = motions_in(MocapFile("S001C001P001R001A024", ".pkl", one, "", None), body)
    assert [motion.caption for motion in (walk, sit, kick)] == ["walk", "sit", "kick"]
    assert (walk.name, sit.name) == ("humanact12poses-0000", "humanact12poses-0001")
    for motion in (walk, sit, kick):
        assert joints_of(body, motion)[0, JOINT["head"], 1] > 1.2


def test_a_motion_of_a_file_that_is_too_short_leaves_the_others(tmp_path, body):
    """Law: of a file of many motions the good ones are imported, and the bad one is named."""
    clips = [np.zeros((n_frames, 72)) for n_frames in (30, 2, 30)]
    joints = [np.zeros((len(clip), 24, 3)) for clip in clips]
    (tmp_path / "act.pkl").write_bytes(pickle.dumps({"poses": clips, "joints3D": joints, "y": [1, 1, 6]}))
    summary = import_motions((tmp_path / "act.pkl",), tmp_path / "store")
    assert summary.kept == 2
    assert list(summary.rejected) == ["act-0001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a pickle of InterHuman"),
        (interhuman_pickle(person2={"trans": np.zeros((40, 3))}), "person2: field root_orient: expected it"),
        (interhuman_pickle() | {"person1": interhuman_pickle()["person1"] | {"trans": np.full((40, 3), np.nan)}}, "finite"),
        ({"poses": [np.zeros((5, 72))], "joints3D": [], "y": [0]}, "as many poses"),
        ({"poses": [np.zeros((5, 72))], "joints3D": [np.zeros((5, 24, 3))], "y": [12]}, "field y"),
        ({1: {"pose": np.zeros((5, 71))}}, "field pose"),
        ({1: {"pose": np.zeros((0, 72))}}, "at least one frame"),
    ],
)
def test_what_is_no_pickle_of_motions_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        list(load_smpl_pickle(pickle.dumps(content), name="x"))


def test_a_pickle_that_names_code_is_refused():
    hostile = b"cos\nsystem\n(S'true'\ntR."
    with pytest.raises(ValueError, match="refused to unpickle"):
        list(load_smpl_pickle(hostile, name="x"))


def walking_amass(n_frames):
    """An AMASS file of somebody who stands, 20 frames a second."""
    buffer = io.BytesIO()
    np.savez(buffer, **smplh(n_frames, mocap_framerate=np.array(20.0)))
    return buffer.getvalue()


def humanml3d_folder(folder, body):
    """A folder as HumanML3D is: a scripted walk's joints, and its captions."""
    motion = make_action("walk", rng=np.random.default_rng(0), body=body)
    joints = joints_of(body, motion)[:, :22]
    for name in ("new_joints", "new_joint_vecs", "texts"):
        (folder / name).mkdir(parents=True)
    np.save(folder / "new_joints" / "000007.npy", joints.astype(np.float32))
    np.save(folder / "new_joint_vecs" / "000007.npy", np.zeros((len(joints), 263), np.float32))
    np.save(folder / "Mean.npy", np.zeros(263, np.float32))
    (folder / "all.txt").write_text("000007\n")
    (folder / "texts" / "000007.txt").write_text(
        "a person takes a step#a/DET person/NOUN take/VERB a/DET step/NOUN#0.5#1.5\n"
        "someone walks ahead#someone/NOUN walk/VERB ahead/ADV#0.0#0.0\nbroken line#x#y#z\n"
    )
    return joints


def test_a_humanml3d_folder_is_imported_with_its_captions(tmp_path, body):
    """Law: joints come back to a centimetre for a body of the same bones; the caption about all of it is the motion's."""
    joints = humanml3d_folder(tmp_path / "HumanML3D", body)
    summary = import_motions((tmp_path / "HumanML3D",), tmp_path / "store", fps=20.0)
    assert summary.kept == 1
    assert not summary.rejected
    motion = read_store(tmp_path / "store")[0]
    assert (motion.name, motion.action, motion.caption) == ("000007", "walk", "someone walks ahead")
    assert [each["caption"] for each in motion.provenance["captions"]] == ["a person takes a step", "someone walks ahead"]
    found = joints_of(body, motion)[:, :22]
    bones = lambda points: np.linalg.norm(points[:, 1:] - points[:, :1], axis=-1)  # noqa: E731
    assert np.abs(bones(found) - bones(joints)).mean() < 0.02


def test_babel_labels_amass_recordings_by_their_path(tmp_path, body):
    """Law: stretches become segments that cover the recording, gaps are `other`, words become frame labels."""
    folder = tmp_path / "KIT" / "3"
    folder.mkdir(parents=True)
    (folder / "walking_01_poses.npz").write_bytes(walking_amass(100))
    (tmp_path / "train.json").write_text(
        json.dumps({
            "1": {
                "feat_p": "KIT/KIT/3/walking_01_poses.npz", "dur": 5.0, "url": "",
                "seq_ann": {"labels": [{"raw_label": "somebody walks and falls", "proc_label": "walk", "act_cat": ["walk"]}]},
                "frame_ann": {"labels": [
                    {"raw_label": "walks", "proc_label": "walk", "act_cat": ["walk"], "start_t": 0.0, "end_t": 3.0},
                    {"raw_label": "falls", "proc_label": "fall backwards", "act_cat": ["fall"], "start_t": 3.5, "end_t": 4.5},
                ]},
            }
        })
    )  # fmt: skip
    import_motions((tmp_path / "KIT",), tmp_path / "store", fps=20.0, babel=tmp_path / "train.json")
    motion = read_store(tmp_path / "store")[0]
    assert motion.caption == "somebody walks and falls"
    assert [(each.label, each.start_sec, each.end_sec) for each in motion.segments] == [
        ("walk", 0.0, 3.0), ("other", 3.0, 3.5), ("fall", 3.5, 4.5), ("other", 4.5, 5.0)
    ]  # fmt: skip
    assert motion.action == "walk"
    (tmp_path / "bad.json").write_text('{"1": {"feat_p": "a"}}')
    with pytest.raises(ValueError, match="expected BABEL's JSON"):
        import_motions((tmp_path / "KIT",), tmp_path / "store2", babel=tmp_path / "bad.json")


def test_babel_stretches_that_overlap_follow_each_other():
    labels = tuple(
        BabelLabel(text=text, start_sec=start, end_sec=end)
        for text, start, end in (("walk", 0, 4), ("wave right hand", 1, 2), ("sit down", 3, 9))
    )
    found = babel_segments(BabelEntry(caption="", labels=labels), 6.0)
    assert [(each.label, each.start_sec, each.end_sec) for each in found] == [
        ("walk", 0.0, 1.0), ("other", 1.0, 3.0), ("sit_down", 3.0, 6.0)
    ]  # fmt: skip


def test_a_folder_gives_its_motions_alone(tmp_path, body):
    """Law: lists, texts and statistics beside motions are no motions; a file that is named is read as what its ending says."""
    humanml3d_folder(tmp_path / "h", body)
    (tmp_path / "h" / "notes.json").write_text("{}")
    assert [file.name for file in iterate_files(tmp_path / "h")] == ["000007"]
    (named,) = iterate_files(tmp_path / "h" / "new_joint_vecs" / "000007.npy")
    with pytest.raises(ValueError, match="of HumanML3D"):
        list(motions_in(named, body))
    buffer = io.BytesIO()
    np.save(buffer, np.full((5, 22, 3), np.nan))
    with pytest.raises(ValueError, match="finite"):
        load_joints(buffer.getvalue(), name="x")
    assert read_captions(tmp_path / "missing.txt") == ()


def test_real_deepmimic_and_humanml3d_keep_the_directions_of_their_bones(body):
    """Law: limbs and trunk of real files point where they did, within 3 degrees at the median; people end upright."""
    folder = require("mocap/deepmimic")
    for name in ("humanoid3d_getup_faceup", "humanoid3d_getup_facedown"):
        recording = load_deepmimic((folder / f"{name}.txt").read_text(), name=name)
        motion, report = retarget(recording, body)
        limbs = [value for bone, value in report.direction_error_deg.items() if bone not in ("head", "left_foot", "right_foot")]
        assert max(limbs) < 3
        heads = joints_of(body, motion)[:, JOINT["head"], 1]
        assert heads[0] < 0.5 < 1.3 < heads[-1]
        assert report.skate_result <= report.skate_source
    file = next(iterate_files(require("mocap/humanml3d/HumanML3D/new_joints/012314.npy")))
    (motion,) = motions_in(file, body)
    errors = motion.provenance["retarget"]["direction_error_deg"]
    assert max(value for bone, value in errors.items() if "shoulder" not in bone) < 3
    assert np.isfinite(world_rotations(motion)).all()
