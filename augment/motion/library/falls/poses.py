"""Postures as joint angles in degrees, and standing, walking and sitting starts made of them.

A posture is a dict such as ``{"hip_x": -30, "left_knee_x": 60}``: a key without a side means both sides, right-hand values are
mirror images of the left's. Hips and elbows bend with negative angles, knees and trunk with positive ones. An arm is given by
``shoulder_forward`` (0 = out to the side, 90 = ahead), ``shoulder_raise`` (-90 = hanging, 0 = level) and ``shoulder_twist``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ....types import JOINT, SMPL_JOINTS, Motion
from .anatomy import AXIS, FOOT_PARTS, mirror_sign, plain_name
from .humanoid import Humanoid, shoulder_reference
from .state import skin_heights

Posture = dict[str, float]

NEUTRAL: Posture = {
    "shoulder_raise": -74.0, "shoulder_forward": 12.0, "elbow_y": -16.0, "knee_x": 4.0, "hip_x": -3.0, "hip_z": 3.0,
}  # fmt: skip
"""Standing quietly."""


def joint_rotation(name: str, posture: Posture) -> Rotation:
    """Rotation of a joint relative to its parent (SMPL's convention) in a posture."""
    plain = plain_name(name)

    def value(key: str) -> float:
        return np.deg2rad(posture.get(f"{name}_{key}", posture.get(f"{plain}_{key}", 0.0)))

    if plain == "shoulder":
        sign = mirror_sign(name, "y")
        around = Rotation.from_rotvec(AXIS["y"] * -value("forward") * sign)
        return (
            around * Rotation.from_rotvec(AXIS["z"] * value("raise") * sign) * Rotation.from_rotvec(AXIS["x"] * value("twist"))
        )
    rotation = Rotation.identity()
    for axis in ("y", "x", "z") if plain == "elbow" else ("z", "y", "x") if plain in ("wrist", "collar") else ("x", "z", "y"):
        rotation = rotation * Rotation.from_rotvec(AXIS[axis] * value(axis) * mirror_sign(name, axis))
    return rotation


def posture_pose(posture: Posture) -> Float[np.ndarray, "23 3"]:
    """A posture as SMPL's ``body_pose``."""
    return np.stack([joint_rotation(name, posture).as_rotvec() for name in SMPL_JOINTS[1:]])


def muscle_targets(human: Humanoid, posture: Posture) -> Float[np.ndarray, "a"]:
    """Target angles of the humanoid's muscles in a posture, radians."""
    full = NEUTRAL | posture
    targets = np.zeros(len(human.actuator_joint))
    for index, (name, axis) in enumerate(zip(human.actuator_joint, human.actuator_axis, strict=True)):
        if plain_name(name) == "shoulder":
            relative = shoulder_reference(name).inv() * joint_rotation(name, full)
            targets[index] = relative.as_rotvec()["xyz".index(axis)]
        else:
            key = f"{plain_name(name)}_{axis}"
            targets[index] = np.deg2rad(full.get(f"{name}_{axis}", full.get(key, 0.0)))
    return targets


def swapped(posture: Posture) -> Posture:
    """The mirrored posture: sides swap, rotations of the trunk about y and z change sign."""
    result = {}
    for key, value in posture.items():
        if key.startswith(("left_", "right_")):
            side, rest = key.split("_", 1)
            result[f"{'right' if side == 'left' else 'left'}_{rest}"] = value
        elif key.split("_")[0] in ("spine1", "spine2", "spine3", "neck", "head") and key[-1] in "yz":
            result[key] = -value
        else:
            result[key] = value
    return result


def _grounded(human: Humanoid, orient: np.ndarray, poses: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """The translation with the lowest skin of every frame on the floor."""
    lowest = skin_heights(human, np.concatenate([orient[:, None], poses], axis=1), transl).min(1)
    return transl - np.stack([0 * lowest, lowest, 0 * lowest], axis=1)


def _motion(human: Humanoid, action: str, poses: np.ndarray, transl: np.ndarray, orient: np.ndarray, fps: float) -> Motion:
    return Motion(
        global_orient=orient, body_pose=poses, transl=transl, betas=human.betas, fps=fps, action=action, name=f"start_{action}"
    )


def _jittered(posture: Posture, rng: np.random.Generator, degrees: float) -> Posture:
    return {key: value + degrees * float(rng.standard_normal()) for key, value in posture.items()}


def standing_start(human: Humanoid, *, rng: np.random.Generator, fps: float, seconds: float) -> Motion:
    """Quiet standing with a little sway."""
    frames = max(round(seconds * fps), 2)
    posture = _jittered(NEUTRAL | {"spine1_x": 3.0, "neck_x": 4.0, "hip_z": 4.0, "ankle_x": -1.0}, rng, 1.5)
    time = np.arange(frames) / fps
    sway = np.deg2rad(0.7) * np.sin(2 * np.pi * (0.35 * time + rng.random()))
    orient = np.stack([sway, 0 * sway, 0.5 * sway], axis=1)
    poses = np.repeat(posture_pose(posture)[None], frames, axis=0)
    poses[:, [JOINT["left_ankle"] - 1, JOINT["right_ankle"] - 1], 0] -= sway[:, None]
    return _motion(human, "stand", poses, _grounded(human, orient, poses, np.zeros((frames, 3))), orient, fps)


def _gait(phase: float, swing: float) -> Posture:
    """One frame of walking; the left heel strikes at phase 0."""
    posture: Posture = {"spine1_x": 3.0, "spine2_x": 2.0, "neck_x": 2.0, "shoulder_raise": -74.0}
    for side, offset in (("left", 0.0), ("right", np.pi)):
        own = (phase + offset) % (2 * np.pi)
        lift, yielding = np.exp(-(((own - 1.42 * np.pi) / 0.95) ** 2)), np.exp(-(((own - 0.3 * np.pi) / 0.6) ** 2))
        push = np.exp(-(((own - 1.0 * np.pi) / 0.5) ** 2))
        posture[f"{side}_hip_x"] = -swing * (6.0 + 20.0 * np.cos(own))
        posture[f"{side}_knee_x"] = 5.0 + 52.0 * swing * lift + 8.0 * yielding
        posture[f"{side}_ankle_x"] = 14.0 * swing * push - 6.0 * yielding
        posture[f"{side}_foot_x"] = -16.0 * swing * push
        posture[f"{side}_shoulder_forward"] = 90.0
        posture[f"{side}_shoulder_raise"] = -82.0 - 18.0 * swing * np.cos(own)
        posture[f"{side}_elbow_y"] = -22.0 + 8.0 * swing * np.cos(own)
    return posture


def walking_start(human: Humanoid, *, rng: np.random.Generator, fps: float, seconds: float) -> Motion:
    """Walking forward (+z); the stance foot does not move."""
    frames = max(round(seconds * fps), 3)
    swing, cadence = rng.uniform(0.7, 1.1), rng.uniform(0.75, 1.0)
    phases = 2 * np.pi * (rng.random() + cadence * np.arange(frames) / fps)
    poses = np.stack([posture_pose(_gait(phase, swing)) for phase in phases])
    orient = np.zeros((frames, 3))
    orient[:, 0] = np.deg2rad(3.0)
    transl = np.zeros((frames, 3))
    ankles = _ankles(human, poses, orient)
    for frame in range(1, frames):
        low = int(np.argmin(ankles[frame, :, 1]))
        transl[frame, 2] = transl[frame - 1, 2] - (ankles[frame, low, 2] - ankles[frame - 1, low, 2])
    transl[:, 2] -= transl[-1, 2]
    return _motion(human, "walk", poses, _grounded(human, orient, poses, transl), orient, fps)


def _ankles(human: Humanoid, poses: np.ndarray, orient: np.ndarray) -> np.ndarray:
    """Ankles relative to the pelvis, (t, 2, 3), by forward kinematics of the legs."""
    result = np.empty((len(poses), 2, 3))
    for column, side in enumerate(("left", "right")):
        hip, knee, ankle = (JOINT[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
        root = Rotation.from_rotvec(orient)
        thigh = root * Rotation.from_rotvec(poses[:, hip - 1])
        shin = thigh * Rotation.from_rotvec(poses[:, knee - 1])
        rest = human.rest_joints
        result[:, column] = (
            root.apply(rest[hip] - rest[0]) + thigh.apply(rest[knee] - rest[hip]) + shin.apply(rest[ankle] - rest[knee])
        )
    return result


def sitting_start(human: Humanoid, *, rng: np.random.Generator, fps: float, seconds: float) -> Motion:
    """Sitting with the feet on the floor, facing +z; the seat is as high as the shins are long."""
    frames = max(round(seconds * fps), 2)
    posture = _jittered(
        NEUTRAL
        | {
            "hip_x": -84.0, "hip_z": 6.0, "knee_x": 82.0, "spine1_x": 6.0, "spine2_x": 6.0, "neck_x": 6.0, "elbow_y": -55.0,
            "shoulder_forward": 55.0, "shoulder_raise": -62.0,
        }, rng, 2.0,
    )  # fmt: skip
    time = np.arange(frames) / fps
    lean = np.deg2rad(1.5) * np.sin(2 * np.pi * (0.3 * time + rng.random()))
    orient = np.stack([lean - 0.05, 0 * lean, 0 * lean], axis=1)
    poses = np.repeat(posture_pose(posture)[None], frames, axis=0)
    heights = skin_heights(human, np.concatenate([orient[:, None], poses], axis=1), np.zeros((frames, 3)))
    part = np.argmax(human.skin_weights, axis=1)
    feet = heights[:, np.isin(part, FOOT_PARTS)].min()
    seat = heights[:, np.isin(part, (JOINT["pelvis"], JOINT["left_hip"], JOINT["right_hip"]))].min()
    transl = np.tile([0.0, -feet, 0.0], (frames, 1))
    motion = _motion(human, "sit", poses, transl, orient, fps)
    return replace(motion, support="chair", support_height=float(seat - feet), support_center=(0.0, 0.07), support_yaw=0.0)
