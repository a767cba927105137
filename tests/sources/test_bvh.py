"""BVH: forward kinematics against hand-computed poses, and a clear refusal of broken files."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from augment.sources.mocap.bvh import bvh_forward_kinematics, parse_bvh
from tests.make.realdata import require

ARM = """HIERARCHY
ROOT base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition %(root)s
  JOINT elbow
  {
    OFFSET 2 0 0
    CHANNELS 3 %(elbow)s
    JOINT hand
    {
      OFFSET 1 0 0
      CHANNELS %(hand)s
      End Site
      {
        OFFSET 9 9 9
      }
    }
  }
}
MOTION
Frames: %(frames)d
Frame Time: %(time)s
%(rows)s
"""


def arm(rows, *, root="Zrotation Xrotation Yrotation", elbow="Zrotation Xrotation Yrotation", hand="0", time="0.0333333"):
    text = ARM % {"root": root, "elbow": elbow, "hand": hand, "frames": len(rows), "time": time, "rows": "\n".join(rows)}
    return parse_bvh(text, name="arm")


def test_hand_computed_chain():
    # Root at (1, 2, 3) turned 90 deg about z: x goes to y. The elbow turns 90 deg about its own y: x goes to -z.
    positions, rotations = bvh_forward_kinematics(arm(["1 2 3 90 0 0  0 0 90"]))
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [1, 4, 3], [1, 4, 2]], atol=1e-12)
    np.testing.assert_allclose(rotations[0, 0] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(rotations[0, 1] @ [1, 0, 0], [0, 0, -1], atol=1e-12)


def test_channels_apply_in_their_own_order_per_joint():
    zx = bvh_forward_kinematics(arm(["0 0 0 90 90 0  0 0 0"]))[1][0, 0]
    xz = bvh_forward_kinematics(arm(["0 0 0 90 90 0  0 0 0"], root="Xrotation Zrotation Yrotation"))[1][0, 0]
    about_x, about_z = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]), np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(zx, about_z @ about_x, atol=1e-12)
    np.testing.assert_allclose(xz, about_x @ about_z, atol=1e-12)


def test_position_channels_of_any_joint_replace_its_offset():
    positions, _ = bvh_forward_kinematics(arm(["0 0 0 0 0 0  0 0 0  5 6 7"], hand="3 Xposition Yposition Zposition"))
    np.testing.assert_allclose(positions[0, 2], [2 + 5, 6, 7])


@pytest.mark.parametrize(("time", "fps"), [("0.0333333", 30), ("0.016667", 60), ("0.00833333", 120), ("0.04", 25)])
def test_rounded_frame_times_give_whole_rates(time, fps):
    assert arm(["0 0 0 0 0 0 0 0 0"], time=time).fps == fps


def test_a_file_cut_in_half_is_refused():
    whole = ARM % {
        "root": "Zrotation Xrotation Yrotation", "elbow": "Zrotation Xrotation Yrotation", "hand": "0",
        "frames": 50, "time": "0.0333333", "rows": "\n".join(["0 0 0 10 20 30 1 2 3"] * 50),
    }  # fmt: skip
    parse_bvh(whole, name="whole")
    with pytest.raises(ValueError, match=r"half: field MOTION: expected 50 frames x 9 channels = 450 values, found"):
        parse_bvh(whole[: len(whole) // 2 + 200], name="half")
    with pytest.raises(ValueError, match=r"stub: field MOTION"):
        parse_bvh(whole[:150], name="stub")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("10", "nan", "NaN or infinity in frame 0"),
        ("10", "ten", "numbers only"),
        ("Frames: 1", "Frames: 0", "at least one frame"),
        ("Frames: 1", "Count: 1", "expected 'Frames: <number>'"),
        ("Frame Time: 0.0333333", "Frame Time: fast", "expected 'Frame Time: <number>'"),
        ("JOINT elbow\n  {", "JOINT elbow\n  {{", "HIERARCHY"),
        ("OFFSET 2 0 0", "OFFSET 2 0", "expected 3 numbers after OFFSET"),
        ("Zrotation", "Wrotation", "found 'Xposition Yposition Zposition Wrotation"),
        ("JOINT hand", "ROOT hand", "found a second"),
        ("OFFSET 1 0 0", "LENGTH 1 0 0", "unexpected word 'LENGTH'"),
    ],
)
def test_broken_files_are_named_with_field_and_finding(old, new, message):
    text = ARM % {
        "root": "Zrotation Xrotation Yrotation", "elbow": "Zrotation Xrotation Yrotation", "hand": "0",
        "frames": 1, "time": "0.0333333", "rows": "0 0 0 10 0 0 0 0 0",
    }  # fmt: skip
    with pytest.raises(ValueError, match="broken: ") as error:
        parse_bvh(text.replace(old, new, 1), name="broken")
    assert message in str(error.value)


def test_real_files_keep_their_bone_lengths():
    archive = require("mocap/bandai_bvh.tar.xz")
    with tarfile.open(archive, mode="r|*") as stream:
        for member in stream:
            if member.name.endswith(".bvh"):
                bvh = parse_bvh(stream.extractfile(member).read().decode(), name=member.name)
                break
    positions, _ = bvh_forward_kinematics(bvh)
    assert bvh.fps == 30
    assert len(bvh.joints) == 22
    shin = np.linalg.norm(positions[:, bvh.joints.index("Foot_L")] - positions[:, bvh.joints.index("LowerLeg_L")], axis=1)
    np.testing.assert_allclose(shin, shin[0], rtol=1e-3)
    assert 35 < shin[0] < 50
