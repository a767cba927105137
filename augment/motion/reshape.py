"""Transfer a motion to another body shape: same rotations, root scaled with the legs, feet on the floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from ..body.model import Body
from ..body.outline import lowest_point, sole_height, upper_outline
from ..body.skinning import lowest_skin, make_terms
from ..sources.mocap.amass import SMPL_REST_PELVIS
from ..types import Motion
from .contacts import FOOT_JOINTS
from .legs import reach_ankles
from .posture import face_forward, floor_height, leg_length, place_joints, with_pose, world_rotations

SINK = 0.012
"""Depth that soft tissue may sink into the floor, metres."""
SPARSE = 3
"""Every third vertex tells how low the skin comes."""
_ANKLES = list(FOOT_JOINTS[::2])


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
        resting = min(float(np.percentile(pelvis[:, 1], 5)), standing - 1e-3)
        risen = np.clip((pelvis[:, 1] - resting) / (standing - resting), 0.0, 1.0)
        new_pelvis[:, 1] += risen * (after[0, 1] - sole_after - standing)
    else:
        new_pelvis[:, 1] *= ratio
        on_new = place_joints(worlds, after, new_pelvis)
        floor_before = floor_height(joints, worlds, before, sole_before)
        new_pelvis[:, 1] += floor_before * ratio - floor_height(on_new, worlds, after, sole_after)
    was = lowest_point(worlds, joints, upper_outline(body, motion.betas))
    resting_on = np.clip((0.15 - np.abs(was - motion.support_height)) / 0.1, 0.0, 1.0)
    outline = upper_outline(body, np.asarray(betas))
    bent = worlds
    # On the floor the legs' bend and the pelvis' height depend on each other. On a seat one iteration is enough: the outline
    # of the thighs is too rough near the trunk for more.
    for _ in range(1 if supported else 3):
        now = lowest_point(bent, place_joints(bent, after, new_pelvis), outline)
        new_pelvis[:, 1] += _smooth(resting_on * (was - now))
        bent = reach_ankles(worlds, place_joints(worlds, after, new_pelvis), targets)
    return replace(with_pose(motion, bent, new_pelvis, after), betas=np.asarray(betas, np.float32))


def above_floor(motion: Motion, body: Body) -> Motion:
    """The motion raised, smoothly over time, where skin is more than ``SINK`` under the floor."""
    rest = np.array(body.rest_joints(motion.betas), np.float64)
    worlds = world_rotations(motion)
    joints = place_joints(worlds, rest, np.asarray(motion.transl, np.float64) + rest[0])
    points = np.asarray(body.rest_vertices(motion.betas), np.float64)
    lowest = lowest_skin(make_terms(points[::SPARSE], body.weights[::SPARSE], rest), joints, worlds)
    under = np.maximum(-SINK - lowest, 0.0)
    if not under.any():
        return motion
    lift = gaussian_filter1d(maximum_filter1d(under, 9, mode="nearest"), 1.5, mode="nearest")
    return replace(motion, transl=motion.transl + lift[:, None] * [0.0, 1.0, 0.0])


def adopt(motion: Motion, body: Body) -> Motion:
    """Transfer a motion of the SMPL body (an AMASS file) to another body: zero betas, root scaled to the legs.

    The file's betas do not apply to another shape space; they are kept in the provenance.
    """
    betas = np.zeros(10)
    rest, sole = np.array(body.rest_joints(betas), np.float64), sole_height(body, betas)
    worlds = world_rotations(motion)
    pelvis = np.asarray(motion.transl, np.float64) + SMPL_REST_PELVIS
    hanging = place_joints(worlds, rest, np.zeros((len(motion), 3)))
    reach = -(hanging[:, FOOT_JOINTS, 1] - (rest[list(FOOT_JOINTS), 1] - sole)).min(axis=1)
    upright = (reach > 0.7 * (rest[0, 1] - sole)) & (pelvis[:, 1] > 0.3)
    scale = float(np.clip(np.median(reach[upright] / pelvis[upright, 1]), 0.7, 1.4)) if upright.any() else 1.0
    pelvis = pelvis * scale
    level = floor_height(place_joints(worlds, rest, pelvis), worlds, rest, sole)
    if upright.any() and abs(level) < 0.25:
        pelvis[:, 1] -= level
    kept = {"file_betas": [float(each) for each in motion.betas], "root_scale": scale}
    provenance = {key: value for key, value in motion.provenance.items() if key != "foreign_body"} | kept
    adopted = replace(motion, betas=betas.astype(np.float32), provenance=provenance)
    return face_forward(with_pose(adopted, worlds, pelvis, rest), rest)


def _smooth(values: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Binomial smoothing (1/4, 1/2, 1/4), applied twice."""
    for _ in range(2):
        padded = np.pad(values, 1, mode="edge")
        values = padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4
    return values
