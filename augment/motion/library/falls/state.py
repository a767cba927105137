"""Conversion between the simulation's states and SMPL: rotations, joints and the height of the skin."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ....types import SMPL_JOINTS, SMPL_PARENTS, Motion
from .anatomy import AXIS, HINGES, mirror_sign, plain_name
from .humanoid import Humanoid, load_mujoco, shoulder_reference


def motion_to_qpos(human: Humanoid, motion: Motion) -> Float[np.ndarray, "t q"]:
    """The simulation's states closest to a motion; rotations that the joints do not have (a knee's twist) are dropped."""
    t = len(motion)
    qpos = np.zeros((t, human.model.nq))
    qpos[:, :3] = human.rest_joints[0] + motion.transl
    qpos[:, 3:7] = Rotation.from_rotvec(motion.global_orient).as_quat()[:, [3, 0, 1, 2]]
    for joint in range(1, 24):
        name = SMPL_JOINTS[joint]
        rotation = Rotation.from_rotvec(motion.body_pose[:, joint - 1])
        own = [(axis, address) for owner, axis, address in human.dofs if owner == joint]
        if own and own[0][0] == "ball":
            qpos[:, own[0][1] : own[0][1] + 4] = (shoulder_reference(name).inv() * rotation).as_quat()[:, [3, 0, 1, 2]]
        elif own:
            axes = [axis for axis, _ in own]
            order = "".join(axes + [axis for axis in "xyz" if axis not in axes]).upper()
            angles = rotation.as_euler(order)
            hinges = HINGES[plain_name(name)]
            for column, ((axis, address), hinge) in enumerate(zip(own, hinges, strict=True)):
                angle = np.unwrap(angles[:, column]) * mirror_sign(name, axis)
                qpos[:, address] = np.clip(angle, np.deg2rad(hinge.low), np.deg2rad(hinge.high))
    return qpos


def qpos_to_rotations(human: Humanoid, qpos: Float[np.ndarray, "t q"]) -> Float[np.ndarray, "t 24 3"]:
    """Rotation vectors of all joints: the pelvis in the world, the others relative to their parents."""
    rotvec = np.zeros((len(qpos), 24, 3))
    rotvec[:, 0] = Rotation.from_quat(qpos[:, [4, 5, 6, 3]]).as_rotvec()
    rotations: dict[int, Rotation] = {}
    for joint, axis, address in human.dofs:
        name = SMPL_JOINTS[joint]
        if axis == "ball":
            quat = qpos[:, [address + 1, address + 2, address + 3, address]]
            rotations[joint] = shoulder_reference(name) * Rotation.from_quat(quat)
        else:
            turn = Rotation.from_rotvec(qpos[:, address, None] * AXIS[axis] * mirror_sign(name, axis))
            rotations[joint] = rotations[joint] * turn if joint in rotations else turn
    for joint, rotation in rotations.items():
        rotvec[:, joint] = rotation.as_rotvec()
    return rotvec


def skin_heights(human: Humanoid, rotvec: Float[np.ndarray, "t 24 3"], transl: Float[np.ndarray, "t 3"]) -> np.ndarray:
    """Height of every ``human.skin`` vertex in each frame, metres, by linear blend skinning; shape (t, s)."""
    t = len(rotvec)
    local = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(t, 24, 3, 3)
    world, position = np.empty((t, 24, 3, 3)), np.empty((t, 24, 3))
    for joint in range(24):
        parent = SMPL_PARENTS[joint]
        if parent < 0:
            world[:, 0], position[:, 0] = local[:, 0], human.rest_joints[0]
            continue
        world[:, joint] = world[:, parent] @ local[:, joint]
        offset = human.rest_joints[joint] - human.rest_joints[parent]
        position[:, joint] = position[:, parent] + world[:, parent] @ offset
    row = world[:, :, 1, :]
    shift = position[:, :, 1] - np.einsum("tji,ji->tj", row, human.rest_joints)
    blended = np.einsum("sj,tji->tsi", human.skin_weights, row)
    return np.einsum("tsi,si->ts", blended, human.skin) + shift @ human.skin_weights.T + transl[:, None, 1]


def state_joints(human: Humanoid, states: Float[np.ndarray, "t q"]) -> Float[np.ndarray, "t 24 3"]:
    """Joint positions in the simulation, metres, world."""
    mujoco = load_mujoco()
    data = mujoco.MjData(human.model)
    joints = np.empty((len(states), 24, 3))
    for frame, state in enumerate(states):
        data.qpos[:] = state
        mujoco.mj_kinematics(human.model, data)
        joints[frame] = data.xpos[human.body_id]
    return joints
