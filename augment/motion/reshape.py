"""Transfer a motion to another body shape: same rotations, root scaled with the legs, feet on the floor."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from ..body.model import Body
from ..body.outline import extreme_points, lowest_point, sole_height, upper_outline
from ..body.points import SkinSample, sample_skin, terms_of
from ..body.skinning import skinned
from ..geometry import quantile, turn_about_y
from ..sources.mocap.amass import SMPL_REST_PELVIS
from ..types import JOINT, Motion
from .contacts import FOOT_JOINTS
from .legs import reach_ankles, reach_wrists
from .posture import face_forward, floor_height, leg_length, place_joints, with_pose, world_rotations

SINK = 0.012
"""Depth that soft tissue may sink into the floor, metres."""
SMOOTH = 1 / 30
"""Seconds (sigma) over which a change of height is evened out."""
HAND = 0.02
"""Least height of the middle of hands and forearms above a seat or bed, metres: it is soft."""
SEAT_HALF = {"chair": (0.2, 0.2), "bed": (0.45, 0.98)}
"""Half the extent, metres, across and along, within which hands do not go through a seat or bed."""
_ANKLES = list(FOOT_JOINTS[::2])
_ARMS = [[JOINT[f"{side}_{name}"] for name in ("elbow", "wrist", "hand")] for side in ("left", "right")]


def to_shape(motion: Motion, betas: Float[np.ndarray, "10"], body: Body) -> Motion:
    """The same motion on another shape of the body.

    Steps scale with the legs, and the ankles follow their scaled paths, so that standing feet do not slide. On a chair or bed
    the pelvis stays on the support while it rests there, and is raised by the difference of the legs while standing; horizontal
    positions scale about the support's middle. Where trunk, thighs, arms or head rested on floor or support, they do so again.

    Args:
        motion: Made for ``motion.betas``.
        betas: The new shape.
        body: The body model of both shapes.
    """
    before, after = np.array(body.rest_joints(motion.betas), np.float64), np.array(body.rest_joints(betas), np.float64)
    sole_before, sole_after = sole_height(body, motion.betas), sole_height(body, betas)
    ratio = leg_length(after) / leg_length(before)
    worlds = world_rotations(motion)
    pelvis = np.asarray(motion.transl, np.float64) + before[0]
    joints = place_joints(worlds, before, pelvis)
    supported = motion.support != "floor"
    middle = np.zeros(2) if motion.support_center is None else np.array(motion.support_center)
    new_pelvis, targets = pelvis.copy(), joints[:, _ANKLES].copy()
    for points in (new_pelvis, targets):
        points[..., [0, 2]] = middle + (points[..., [0, 2]] - middle) * ratio
    clearance = targets[..., 1] - (before[_ANKLES, 1] - sole_before)
    targets[..., 1] = clearance * (1.0 if supported else ratio) + after[_ANKLES, 1] - sole_after
    if supported:
        standing = before[0, 1] - sole_before
        resting = min(quantile(pelvis[:, 1], 0.05), standing - 1e-3)
        risen = np.clip((pelvis[:, 1] - resting) / (standing - resting), 0.0, 1.0)
        new_pelvis[:, 1] += risen * (after[0, 1] - sole_after - standing)
    else:
        new_pelvis[:, 1] *= ratio
        on_new = place_joints(worlds, after, new_pelvis)
        floor_before = floor_height(joints, worlds, before, sole_before)
        new_pelvis[:, 1] += floor_before * ratio - floor_height(on_new, worlds, after, sole_after)
    was = lowest_point(worlds, joints, upper_outline(body, motion.betas))
    resting_on = np.clip((0.15 - np.abs(was - motion.support_height)) / 0.1, 0.0, 1.0)
    if supported:
        # The knees of who stands are as high as a seat.
        resting_on *= 1.0 - np.clip((risen - 0.3) / 0.3, 0.0, 1.0)
    outline = upper_outline(body, np.asarray(betas))
    bent = worlds
    # On the floor the legs' bend and the pelvis' height depend on each other. On a seat one iteration is enough: the outline
    # of the thighs is too rough near the trunk for more.
    for _ in range(1 if supported else 3):
        now = lowest_point(bent, place_joints(bent, after, new_pelvis), outline)
        new_pelvis[:, 1] += gaussian_filter1d(resting_on * (was - now), SMOOTH * motion.fps, mode="nearest")
        bent = reach_ankles(worlds, place_joints(worlds, after, new_pelvis), targets)
    return replace(with_pose(motion, bent, new_pelvis, after), betas=np.asarray(betas, np.float32))


def above_floor(motion: Motion, body: Body) -> Motion:
    """The motion raised, smoothly over time, where skin is more than ``SINK`` under the floor."""
    rest = np.array(body.rest_joints(motion.betas), np.float64)
    worlds = world_rotations(motion)
    joints = place_joints(worlds, rest, np.asarray(motion.transl, np.float64) + rest[0])
    lowest = skinned(terms_of(body, motion.betas, _deciding(body)), joints, worlds)[..., 1].min(axis=1)
    under = np.maximum(-SINK - lowest, 0.0)
    if not under.any():
        return motion
    span = 1 + 2 * round(4 * SMOOTH * motion.fps)
    lift = gaussian_filter1d(maximum_filter1d(under, span, mode="nearest"), 1.5 * SMOOTH * motion.fps, mode="nearest")
    return replace(motion, transl=motion.transl + lift[:, None] * [0.0, 1.0, 0.0])


def above_seat(motion: Motion, body: Body) -> Motion:
    """The motion with hands raised, smoothly over time, where they are in the seat or bed that carries the body."""
    if motion.support == "floor" or motion.support_center is None:
        return motion
    rest = np.array(body.rest_joints(motion.betas), np.float64)
    worlds = world_rotations(motion)
    joints = place_joints(worlds, rest, np.asarray(motion.transl, np.float64) + rest[0])
    x, z = motion.support_center
    lift = np.stack([_depth_of_arm(joints[:, arm] - [x, motion.support_height, z], motion) for arm in _ARMS], axis=1)
    if not lift.any():
        return motion
    span, sigma = 1 + 2 * round(3 * SMOOTH * motion.fps), 2 * SMOOTH * motion.fps
    lift = gaussian_filter1d(maximum_filter1d(lift, span, axis=0, mode="nearest"), sigma, axis=0, mode="nearest")
    targets = joints[:, [arm[1] for arm in _ARMS]] + lift[..., None] * [0.0, 1.0, 0.0]
    return with_pose(motion, reach_wrists(worlds, joints, targets), joints[:, 0], rest)


def _depth_of_arm(arm: Float[np.ndarray, "t 3 3"], motion: Motion) -> Float[np.ndarray, " t"]:
    """How deep a forearm and hand (elbow, wrist, hand; relative to the middle of the top) are in the support, metres."""
    elbow, wrist, hand = np.moveaxis(arm, 1, 0)
    points = turn_about_y(np.stack([(elbow + wrist) / 2, wrist, hand, 2 * hand - wrist], axis=1), -motion.support_yaw)
    half = np.array(SEAT_HALF[motion.support])
    over = (np.abs(points[..., [0, 2]]) < half).all(-1)
    return np.where(over, np.maximum(HAND - points[..., 1], 0.0), 0.0).max(axis=1)


def adopt(motion: Motion, body: Body) -> Motion:
    """Transfer a motion of the SMPL body (an AMASS file) to another body: zero betas, root scaled to the legs.

    The file's betas do not apply to another shape space; they are kept in the provenance. Where the file does not know the
    floor (``provenance["floor"]`` is ``unknown``), it is put below the lowest feet.
    """
    betas = np.zeros(10)
    rest, sole = np.array(body.rest_joints(betas), np.float64), sole_height(body, betas)
    worlds = world_rotations(motion)
    pelvis = np.asarray(motion.transl, np.float64) + SMPL_REST_PELVIS
    hanging = place_joints(worlds, rest, np.zeros((len(motion), 3)))
    reach = -(hanging[:, FOOT_JOINTS, 1] - (rest[list(FOOT_JOINTS), 1] - sole)).min(axis=1)
    no_floor = motion.provenance.get("floor") == "unknown"
    upright = (reach > 0.7 * (rest[0, 1] - sole)) & (pelvis[:, 1] > 0.3)
    scale = float(np.clip(np.median(reach[upright] / pelvis[upright, 1]), 0.7, 1.4)) if upright.any() and not no_floor else 1.0
    pelvis = pelvis * scale
    level = floor_height(place_joints(worlds, rest, pelvis), worlds, rest, sole)
    if no_floor or (upright.any() and abs(level) < 0.25):
        pelvis[:, 1] -= level
    kept = {"file_betas": [float(each) for each in motion.betas], "root_scale": scale}
    provenance = {key: value for key, value in motion.provenance.items() if key != "foreign_body"} | kept
    adopted = replace(motion, betas=betas.astype(np.float32), provenance=provenance)
    return face_forward(with_pose(adopted, worlds, pelvis, rest), rest)


@lru_cache(maxsize=4)
def _deciding(body: Body) -> SkinSample:
    return sample_skin(body, extreme_points(body))
