"""Other skeletons: the joint that drives each SMPL joint, and its rotation in the T-pose.

A family is recognised by its joint names. ``rest`` holds, per driven SMPL joint, the world rotation that the source joint has
when its owner stands in SMPL's zero pose (T-pose, facing +z, +y up, soles flat): so ``R_source @ rest.T`` is that joint's turn
away from the T-pose, whatever the skeleton's own axes. Constants below were read off the recordings' upright,
flat-footed frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

_X, _Y, _Z = np.eye(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkeletonFamily:
    """A family of skeletons with the same joint names."""

    name: str
    source: dict[str, str]
    """Driven SMPL joint to the name of the source joint that turns it."""
    rest: dict[str, Float[np.ndarray, "3 3"]]
    """Driven SMPL joint to the source joint's world rotation in the T-pose."""
    optional: tuple[str, ...] = ()
    """Driven joints that may be missing in a file (toes); they are not rotated."""


def find_family(joints: tuple[str, ...], *, name: str) -> SkeletonFamily:
    """Find the family of a file's skeleton by its joint names.

    Args:
        joints: The file's joint names.
        name: The file, for the message.
    Raises:
        ValueError: If no family fits; the message names what is missing from the closest one.
    """
    present = set(joints)
    lacks = {
        family.name: [
            source for joint, source in family.source.items() if joint not in family.optional and source not in present
        ]
        for family in FAMILIES.values()
    }
    closest = min(lacks, key=lambda each: len(lacks[each]))
    if lacks[closest]:
        known = {source for family in FAMILIES.values() for source in family.source.values()}
        unknown = [each for each in joints if each not in known]
        raise ValueError(
            f"{name}: field HIERARCHY: expected the joints of one of {', '.join(FAMILIES)}, found a skeleton that lacks "
            f"{', '.join(lacks[closest][:6])} of the closest ({closest}) and has unknown joints {', '.join(unknown[:6])}; "
            "add its names to augment/motion/skeletons.py"
        )
    return FAMILIES[closest]


def _axes(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.stack([x, y, z], axis=1)


def _about(axis: str, degrees: float) -> np.ndarray:
    return Rotation.from_euler(axis, degrees, degrees=True).as_matrix()


def _both_sides(names: dict[str, str], left: str, right: str) -> dict[str, str]:
    """``{"hip": "%Thigh"}`` to both sides' joints, ``%`` standing for the side's own mark."""
    return {
        f"{side}_{joint}": name.replace("%", mark)
        for joint, name in names.items()
        for side, mark in (("left", left), ("right", right))
    }


def _bandai() -> SkeletonFamily:
    """Bandai-Namco: x along the bone on the left, against it on the right; the ankle-toe line slopes 39.6 deg when flat."""
    arms = _both_sides({"collar": "Shoulder_%", "shoulder": "UpperArm_%", "elbow": "LowerArm_%", "wrist": "Hand_%"}, "L", "R")
    legs = _both_sides({"hip": "UpperLeg_%", "knee": "LowerLeg_%", "ankle": "Foot_%", "foot": "Toes_%"}, "L", "R")
    trunk = {"pelvis": "Hips", "spine3": "Chest", "neck": "Neck", "head": "Head"}
    rest = {"pelvis": _axes(_Y, -_X, _Z)} | {each: _axes(_Y, _Z, _X) for each in ("spine3", "neck", "head")}
    for side, arm, leg, sign in (
        ("left", np.eye(3), _axes(-_Y, _X, _Z), 1.0),
        ("right", _axes(_X, -_Y, -_Z), _axes(_Y, _X, -_Z), -1.0),
    ):
        rest |= {f"{side}_{joint}": arm for joint in ("collar", "shoulder", "elbow")}
        rest[f"{side}_wrist"] = _about("z", 14.0 * sign) @ arm
        rest |= {f"{side}_{joint}": leg for joint in ("hip", "knee")}
        rest |= {f"{side}_ankle": _about("x", -50.41) @ leg, f"{side}_foot": _about("x", -67.0) @ leg}
    return SkeletonFamily(name="bandai", source=trunk | arms | legs, rest=rest)


def _reallusion() -> SkeletonFamily:
    """Character Creator (CC_Base_*), as in the 60 Hz CMU conversions: y along the bone; the collar bones never move."""
    arms = {"collar": "Clavicle", "shoulder": "Upperarm", "elbow": "Forearm", "wrist": "Hand"}
    legs = {"hip": "Thigh", "knee": "Calf", "ankle": "Foot", "foot": "ToeBase"}
    limbs = _both_sides({joint: f"CC_Base_%_{name}" for joint, name in (arms | legs).items()}, "L", "R")
    trunk = {
        "pelvis": "CC_Base_Hip", "spine3": "CC_Base_Spine02", "neck": "CC_Base_NeckTwist01", "head": "CC_Base_Head",
    }  # fmt: skip
    rest = {joint: np.eye(3) for joint in trunk}
    for side, arm, sign in (("left", _axes(-_Y, _X, _Z), 1.0), ("right", _axes(_Y, -_X, _Z), -1.0)):
        collar = Rotation.from_rotvec(np.radians([10.6, 14.78 * sign, 2.96 * sign])).as_matrix()
        rest[f"{side}_collar"] = collar @ arm
        rest |= {f"{side}_{joint}": arm for joint in ("shoulder", "elbow", "wrist")}
        rest |= {f"{side}_{joint}": _axes(-_X, -_Y, _Z) for joint in ("hip", "knee")}
        toes = _axes(-_X, _Z, _Y)
        rest |= {f"{side}_ankle": _about("x", 12.2) @ toes, f"{side}_foot": _about("x", 4.8) @ toes}
    return SkeletonFamily(name="reallusion", source=trunk | limbs, rest=rest)


def _cmu() -> SkeletonFamily:
    """CMU's own joint names, as in the widespread conversions from ASF/AMC: world axes at zero, legs splayed by 20 deg."""
    arms = _both_sides({"collar": "%Shoulder", "shoulder": "%Arm", "elbow": "%ForeArm", "wrist": "%Hand"}, "Left", "Right")
    legs = _both_sides({"hip": "%UpLeg", "knee": "%Leg", "ankle": "%Foot", "foot": "%ToeBase"}, "Left", "Right")
    trunk = {"pelvis": "Hips", "spine3": "Spine1", "neck": "Neck", "head": "Head"}
    rest = {joint: np.eye(3) for joint in trunk | arms}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rest |= {f"{side}_{joint}": _about("z", -20.0 * sign) for joint in ("hip", "knee", "ankle", "foot")}
    return SkeletonFamily(name="cmu", source=trunk | arms | legs, rest=rest, optional=("left_foot", "right_foot"))


def _deepmimic() -> SkeletonFamily:
    """DeepMimic's humanoid3d, with the ends that ``sources.mocap.deepmimic`` adds: world axes at zero, arms hanging."""
    limbs = {
        f"{side}_{joint}": f"{side}_{joint}" for side in ("left", "right")
        for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    }  # fmt: skip
    source = {"pelvis": "root", "spine3": "chest", "neck": "neck", "head": "head"} | limbs
    source |= {f"{side}_foot": f"{side}_toes" for side in ("left", "right")}
    rest = {joint: np.eye(3) for joint in source}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rest |= {f"{side}_{joint}": _about("z", 90.0 * sign) for joint in ("shoulder", "elbow", "wrist")}
    return SkeletonFamily(name="deepmimic", source=source, rest=rest)


FAMILIES: dict[str, SkeletonFamily] = {family.name: family for family in (_bandai(), _reallusion(), _cmu(), _deepmimic())}
"""Every skeleton the package can retarget. Extending = one function and its place in this line."""
