"""Retarget motions of other skeletons to SMPL's.

Every driven joint keeps its world rotation relative to the T-pose; limbs are then aligned so that SMPL's thighs, shins, upper
arms and forearms have the source's directions in every frame, including twist. Feet are aligned by their soles, not by bones
(ankle heights differ between skeletons), the trunk by its hip-to-neck line.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ..body.model import Body
from ..geometry import axis_angle_to_matrix, matrix_to_axis_angle
from ..sources.mocap.bvh import Bvh, bvh_forward_kinematics
from ..sources.mocap.skeleton import SkeletonRecording
from ..types import JOINT, SMPL_JOINTS, SMPL_PARENTS, Motion
from .contacts import FOOT_JOINTS, foot_contacts
from .joint_turns import turns_of_joints
from .legs import reach_ankles, rotation_between
from .plausibility import foot_skate
from .posture import face_forward, floor_height, leg_length, mid_hip, place_joints, with_pose
from .skeletons import SkeletonFamily, find_family

LIMBS: tuple[tuple[str, str], ...] = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
    for side in ("left", "right")
)
"""Bones whose directions are matched exactly."""
POSTURE: tuple[tuple[str, str], ...] = (
    ("neck", "head"), ("left_collar", "left_shoulder"), ("right_collar", "right_shoulder"), ("left_ankle", "left_foot"),
    ("right_ankle", "right_foot"),
)  # fmt: skip
"""Bones whose rotation from the rest pose is matched; their directions differ as the skeletons differ at rest."""


POSITIONS_ALONE = SkeletonFamily(name="smpl-positions", source={name: name for name in SMPL_JOINTS}, rest={})
"""Joints with SMPL's names, of which only the places are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetargetReport:
    """Errors of the result relative to its source."""

    family: str
    frames: int
    direction_error_deg: dict[str, float]
    """Median over frames of the angle between source and result, per bone, named after its far joint; ``trunk`` is the line
    from between the hips to the neck."""
    skate_source: float
    """Mean speed of standing feet in the source, scaled to the result's legs, metres a second."""
    skate_result: float
    """Mean speed of standing feet in the result, over the same contacts, metres a second."""


def retarget_bvh(bvh: Bvh, body: Body) -> tuple[Motion, RetargetReport]:
    """Retarget a BVH recording to the SMPL skeleton, as ``retarget`` does."""
    positions, rotations = bvh_forward_kinematics(bvh)
    recording = SkeletonRecording(name=bvh.name, joints=bvh.joints, positions=positions, rotations=rotations, fps=bvh.fps)
    return retarget(recording, body)


def retarget(recording: SkeletonRecording, body: Body) -> tuple[Motion, RetargetReport]:
    """Retarget a recording to the SMPL skeleton.

    Size is normalised by leg length (so the file's unit does not matter), the first frame stands over the origin facing +z,
    the feet stand on y = 0, and a leading T-pose frame is dropped.

    Args:
        recording: Where its joints are and how they are turned.
        body: The target body, of which the mean shape is used.
    Raises:
        ValueError: If the skeleton's joint names are unknown or its legs have no length.
    """
    betas = np.zeros(10)
    rest = np.array(body.rest_joints(betas), np.float64)
    sole = float(np.asarray(body.rest_vertices(betas))[:, 1].min())
    family, positions, rotations = _source_joints(recording, rest)
    first = 1 if _starts_with_calibration(positions) else 0
    positions, rotations = positions[first:], rotations[first:]
    source_leg = leg_length(np.median(positions, axis=0))
    if not source_leg > 0:
        raise ValueError(
            f"{recording.name}: field OFFSET: expected legs with a length, found {source_leg}; the skeleton is broken"
        )
    scale = leg_length(rest) / source_leg
    positions = positions * scale
    worlds = _world_rotations(positions, rotations, rest)
    joints = place_joints(worlds, rest, np.zeros((len(worlds), 3)))
    positions[..., 1] -= np.percentile(positions[:, FOOT_JOINTS[1::2], 1].min(axis=1), 5) - (rest[FOOT_JOINTS[1], 1] - sole)
    joints += (mid_hip(positions) - mid_hip(joints))[:, None]
    contacts = foot_contacts(positions, recording.fps)
    worlds, joints = _steady_feet(positions, worlds, joints, rest, contacts)
    joints[..., 1] -= floor_height(joints, worlds, rest, sole)
    report = RetargetReport(
        family=family.name,
        frames=len(joints),
        direction_error_deg=_direction_errors(positions, joints, family.source),
        skate_source=foot_skate(positions, contacts, recording.fps),
        skate_result=foot_skate(joints, contacts, recording.fps),
    )
    blank = Motion(
        global_orient=np.zeros((len(joints), 3), np.float32),
        body_pose=np.zeros((len(joints), 23, 3), np.float32),
        transl=np.zeros((len(joints), 3), np.float32),
        betas=betas.astype(np.float32),
        fps=recording.fps,
        name=recording.name,
        provenance={"skeleton": family.name, "metres_per_unit": scale, "dropped_t_pose": bool(first)},
    )
    motion = with_pose(blank, worlds, joints[:, 0], rest)
    return face_forward(motion, rest), report


def _source_joints(recording: SkeletonRecording, rest: np.ndarray) -> tuple[SkeletonFamily, np.ndarray, np.ndarray]:
    """The skeleton's family, positions (t, 24, 3) in file units and turns away from the T-pose (t, 24, 3, 3), in the places of
    SMPL's joints.

    Joints without a source take the values of their nearest driven ancestor.
    """
    if recording.rotations is None:
        family = POSITIONS_ALONE
    else:
        family = find_family(recording.joints, name=recording.name)
    index = {name: joint for joint, name in enumerate(recording.joints)}
    places = np.empty((len(recording), 24, 3))
    turns = np.empty((len(recording), 24, 3, 3))
    for joint, name in enumerate(SMPL_JOINTS):
        if name in family.source and family.source[name] in index:
            source = index[family.source[name]]
            places[:, joint] = recording.positions[:, source]
            if recording.rotations is not None:
                turns[:, joint] = recording.rotations[:, source] @ family.rest[name].T
        else:
            places[:, joint], turns[:, joint] = places[:, SMPL_PARENTS[joint]], turns[:, SMPL_PARENTS[joint]]
    return family, places, turns if recording.rotations is not None else turns_of_joints(places, rest)


def _steady_feet(
    source: np.ndarray, worlds: np.ndarray, joints: np.ndarray, rest: np.ndarray, contacts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World rotations and joints with the legs corrected so that standing feet slide no more than in the source.

    Corrected feet first move as the source's do; if they still slide more, their movement is reduced in steps.
    """
    allowed, given = foot_skate(source, contacts, 1.0), (worlds, joints)
    for keep in (1.0, 0.7, 0.4, 0.0):
        if foot_skate(given[1], contacts, 1.0) <= allowed:
            break
        ankles = joints[:, FOOT_JOINTS[::2]] + _plant(source, joints, contacts, keep)
        bent = reach_ankles(worlds, joints, ankles)
        given = bent, place_joints(bent, rest, joints[:, 0])
    return given


def _plant(source: np.ndarray, result: np.ndarray, contacts: np.ndarray, keep: float) -> np.ndarray:
    """Horizontal shifts (t, 2, 3) of the ankles that make standing feet move ``keep`` times as far as in the source.

    During a contact the shift integrates the difference, with zero mean; between contacts it is interpolated.
    """
    shifts = np.zeros((len(source), 2, 3))
    gap = np.diff((keep * source - result)[:, FOOT_JOINTS][..., [0, 2]], axis=0)
    standing = np.minimum(contacts[:-1], contacts[1:])
    for side in range(2):
        weight = standing[:, 2 * side : 2 * side + 2]
        total = weight.sum(axis=1)
        if not total.any():
            continue
        rate = (gap[:, 2 * side : 2 * side + 2] * weight[..., None]).sum(axis=1) / np.maximum(total, 1.0)[:, None]
        shift = np.concatenate([np.zeros((1, 2)), np.cumsum(rate, axis=0)])
        edges = np.flatnonzero(np.diff(np.concatenate([[False], total > 0, [False]]).astype(int)))
        stood = np.zeros(len(source), bool)
        for start, end in edges.reshape(-1, 2):
            shift[start : end + 1] -= shift[start : end + 1].mean(axis=0)
            stood[start : end + 1] = True
        frames = np.flatnonzero(stood)
        for axis, values in zip((0, 2), shift.T, strict=True):
            shifts[:, side, axis] = np.interp(np.arange(len(source)), frames, values[frames])
    return shifts


def _starts_with_calibration(positions: np.ndarray) -> bool:
    """Whether frame 0 is a T-pose followed by a jump."""
    if len(positions) < 4:
        return False
    arms = positions[0, [JOINT["left_wrist"], JOINT["right_wrist"]]] - positions[0, [JOINT["left_elbow"], JOINT["right_elbow"]]]
    level = np.abs(arms[:, 1]) < 0.2 * np.linalg.norm(arms, axis=1)
    body = positions - positions[:, :1]
    jumps = np.linalg.norm(np.diff(body, axis=0), axis=-1).mean(axis=1)
    return bool(level.all() and jumps[0] > 5 * max(np.percentile(jumps[1:], 95), 1e-9))


def _world_rotations(positions: np.ndarray, turns: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """World rotations of SMPL's joints (t, 24, 3, 3): spine rotations distributed, limbs and trunk aligned."""
    worlds = turns.copy()
    pelvis, chest = JOINT["pelvis"], JOINT["spine3"]
    bend = matrix_to_axis_angle(torch.from_numpy(worlds[:, pelvis].swapaxes(-1, -2) @ worlds[:, chest]))
    for joint, share in (("spine1", 1 / 3), ("spine2", 2 / 3)):
        worlds[:, JOINT[joint]] = worlds[:, pelvis] @ axis_angle_to_matrix(bend * share).numpy()
    straighten = _trunk_correction(positions, worlds, rest)
    for joint in ("spine1", "spine2", "spine3", "left_collar", "right_collar"):
        worlds[:, JOINT[joint]] = straighten @ worlds[:, JOINT[joint]]
    for start, end in LIMBS:
        near, far = JOINT[start], JOINT[end]
        bone = worlds[:, near] @ (rest[far] - rest[near])
        worlds[:, near] = rotation_between(bone, positions[:, far] - positions[:, near]) @ worlds[:, near]
    for side in ("left", "right"):
        worlds[:, JOINT[f"{side}_hand"]] = worlds[:, JOINT[f"{side}_wrist"]]
    return worlds


def _trunk_correction(positions: np.ndarray, worlds: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The smallest rotation of the spine that gives the hip-to-neck line the source's direction.

    With p the part below spine1 (the pelvis turns it) and s the rest, find Q with p + Q s along the wanted direction.
    """
    chain = [JOINT[name] for name in ("pelvis", "spine1", "spine2", "spine3", "neck")]
    hips = rest[[JOINT["left_hip"], JOINT["right_hip"]]].mean(axis=0)
    fixed = worlds[:, 0] @ (rest[chain[1]] - hips)
    free = np.sum([worlds[:, near] @ (rest[far] - rest[near]) for near, far in pairwise(chain[1:])], axis=0)
    wanted = positions[:, chain[-1]] - mid_hip(positions)
    wanted = wanted / np.linalg.norm(wanted, axis=-1, keepdims=True)
    along = (wanted * fixed).sum(-1)
    reach = along + np.sqrt(np.maximum(along**2 - (fixed**2).sum(-1) + (free**2).sum(-1), 0.0))
    return rotation_between(free, reach[:, None] * wanted - fixed)


def _direction_errors(source: np.ndarray, result: np.ndarray, driven: Collection[str]) -> dict[str, float]:
    """Median angle in degrees per bone of which the source has both ends; both (t, 24, 3)."""

    def angle(first: np.ndarray, second: np.ndarray) -> float:
        cross = np.linalg.norm(np.cross(first, second), axis=-1)
        return float(np.degrees(np.median(np.arctan2(cross, (first * second).sum(-1)))))

    errors = {"trunk": angle(source[:, JOINT["neck"]] - mid_hip(source), result[:, JOINT["neck"]] - mid_hip(result))}
    for start, end in LIMBS + POSTURE:
        if not {start, end} <= set(driven):
            continue
        near, far = JOINT[start], JOINT[end]
        errors[end] = angle(source[:, far] - source[:, near], result[:, far] - result[:, near])
    return errors
