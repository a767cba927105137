"""Detectors' landmarks on a body: each is fixed to one joint, at an offset that is linear in the shape.

The same name is the same place for COCO, OpenPose and MediaPipe (``sources.people.LAYOUTS``); limb points are SMPL's joints.
This makes a fit fifty times cheaper than skinning the mesh and costs millimetres of accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..sources.people.people import LAYOUTS
from ..types import JOINT
from .model import Body

HIP_HALF_SHARE = 0.065
"""Half the distance between the detectors' hip points as a share of the stature: 0.229 m between MediaPipe's own world
landmarks (median over UP-Fall's walks), where SMPL's hip joints are 0.13 m apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """Points on a body."""

    names: tuple[str, ...]
    joint: Int[np.ndarray, " k"]
    """The joint each is fixed to."""
    base: Float[np.ndarray, "k 3"]
    """Offset from that joint in the zero pose of the mean shape, metres."""
    basis: Float[np.ndarray, "k 3 10"]
    """Its change with ``betas``, metres."""
    sigma: Float[np.ndarray, " k"]
    """Expected error of an accurate detector, as a share of the stature: joints 0.01, faces and hands more."""


def landmarks_of(body: Body, layout: str) -> Landmarks:
    """The points of a layout on a body.

    Raises:
        ValueError: If the layout is unknown.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"unknown keypoint layout {layout!r}; expected one of {', '.join(LAYOUTS)}")
    rest = _RestPose(body)
    joints, bases, bases_by_shape, sigmas = [], [], [], []
    for name in LAYOUTS[layout]:
        joint, point, sigma = rest.locate(name)
        offset = point - rest.joints[joint]
        joints.append(joint)
        bases.append(offset[:, 0])
        bases_by_shape.append(offset[:, 1:])
        sigmas.append(sigma)
    return Landmarks(
        names=LAYOUTS[layout], joint=np.array(joints), base=np.array(bases), basis=np.array(bases_by_shape),
        sigma=np.array(sigmas),
    )  # fmt: skip


def place_landmarks(
    landmarks: Landmarks,
    joints: Float[Tensor, "*b 24 3"],
    rotations: Float[Tensor, "*b 24 3 3"],
    betas: Float[Tensor, "10"],
) -> Float[Tensor, "*b k 3"]:
    """Landmarks of a posed body.

    Args:
        landmarks: From ``landmarks_of`` for the same body.
        joints: Metres, any frame.
        rotations: Rotation of every joint in that same frame (``geometry.forward_kinematics`` gives both).
        betas: Shape.
    Returns:
        Metres, same frame. Shape (*b, k, 3).
    """
    index = torch.as_tensor(landmarks.joint)
    offset = joints.new_tensor(landmarks.base) + joints.new_tensor(landmarks.basis) @ betas
    return joints[..., index, :] + (rotations[..., index, :, :] @ offset[..., None])[..., 0]


class _RestPose:
    """A body in its zero pose as affine functions of the shape: arrays (..., 3, 11), constant first."""

    def __init__(self, body: Body) -> None:
        model = body.model
        template, shapes = model.v_template.numpy().astype(float), model.shapedirs[..., :10].numpy().astype(float)
        self.vertices = np.concatenate([template[..., None], shapes], axis=-1)
        mean = body.rest_joints(np.zeros(10))
        steps = np.stack([body.rest_joints(row) - mean for row in np.eye(10)], axis=-1)
        self.joints = np.concatenate([mean[..., None], steps], axis=-1)
        self.part = body.part_of_vertex
        self.stature = float(np.ptp(template[:, 1]))

    def locate(self, name: str) -> tuple[int, np.ndarray, float]:
        """The joint a point is fixed to, its offset (3, 11), and the detectors' expected error."""
        if name.startswith("smpl_"):
            joint = JOINT[name[5:]]
            return joint, self.joints[joint], 0.025
        side, _, part = name.partition("_")
        if part in ("shoulder", "elbow", "wrist", "knee", "ankle"):
            return JOINT[name], self.joints[JOINT[name]], 0.025
        if part == "hip" and side in ("left", "right"):
            return self._hip(name)
        if name in ("neck", "mid_hip"):
            ends = ("left_shoulder", "right_shoulder") if name == "neck" else ("left_hip", "right_hip")
            middle = (self.joints[JOINT[ends[0]]] + self.joints[JOINT[ends[1]]]) / 2
            return JOINT["spine3" if name == "neck" else "pelvis"], middle, 0.025
        if part in ("index", "pinky", "thumb"):
            return self._finger(side, part)
        return self._surface(name)

    def _hip(self, name: str) -> tuple[int, np.ndarray, float]:
        point = self.joints[JOINT[name]].copy()
        outward = HIP_HALF_SHARE * self.stature - abs(point[0, 0])
        point[0, 0] += np.sign(point[0, 0]) * max(outward, 0.0)
        return JOINT["pelvis"], point, 0.03

    def _finger(self, side: str, part: str) -> tuple[int, np.ndarray, float]:
        """Knuckles: on the way from wrist to hand joint, the thumb's side in front (palms look down in the zero pose)."""
        wrist, hand = JOINT[f"{side}_wrist"], JOINT[f"{side}_hand"]
        along, aside = {"index": (0.95, 0.02), "pinky": (0.8, -0.03), "thumb": (0.3, 0.03)}[part]
        point = self.joints[wrist] * (1 - along) + self.joints[hand] * along
        point = point.copy()
        point[2, 0] += aside
        return wrist, point, 0.05

    def _surface(self, name: str) -> tuple[int, np.ndarray, float]:
        """Points of the face and the sole, by where they lie on the mesh in the zero pose."""
        rest = self.vertices[..., 0]
        side = 1.0 if name.startswith("left") else -1.0
        if "heel" in name or "toe" in name or "foot_index" in name:
            foot = rest[:, 1] < rest[:, 1].min() + 0.045 * self.stature
            mine = foot & (side * rest[:, 0] > 0.01)
            if "heel" in name:
                return JOINT[("left" if side > 0 else "right") + "_ankle"], self._best(-rest[:, 2], mine), 0.03
            towards = -0.3 if "foot_index" in name else 1.0
            joint = JOINT[("left" if side > 0 else "right") + "_foot"]
            return joint, self._best(rest[:, 2] + towards * side * rest[:, 0], mine), 0.03
        head = np.isin(self.part, [JOINT["head"], JOINT["neck"]]) & (rest[:, 1] > rest[:, 1].max() - 0.13 * self.stature)
        nose = self._best(rest[:, 2], head)
        ear = self._best(side * rest[:, 0] - 0.5 * abs(rest[:, 1] - nose[1, 0]), head)
        if name == "nose":
            point = nose
        elif "ear" in name:
            point = ear
        elif "mouth" in name:  # MediaPipe's corners, named mouth_left and mouth_right
            corner = 1.0 if name.endswith("left") else -1.0
            point = nose + _shift([corner * 0.014, -0.024, -0.012], self.stature)
        else:
            across = {"inner": 0.009, "outer": 0.026}.get(name.rsplit("_", 1)[-1], 0.018)
            point = nose + _shift([side * across, 0.019, -0.016], self.stature)
        return JOINT["head"], point, 0.025

    def _best(self, score: np.ndarray, where: np.ndarray) -> np.ndarray:
        return self.vertices[int(np.where(where, score, -np.inf).argmax())]


def _shift(by: list[float], stature: float) -> np.ndarray:
    """A displacement in shares of the stature as a constant (3, 11)."""
    shift = np.zeros((3, 11))
    shift[:, 0] = np.array(by) * stature
    return shift
