"""A MuJoCo humanoid with the body's proportions: convex hulls of its mesh, anatomical joints, muscles as limited springs.

The simulation uses the world frame of this package (+y up, metres, floor y = 0), and every MuJoCo body is the frame of a SMPL
joint, so its states convert directly to SMPL: the pelvis is a free joint, each hinge rotates about an axis of the SMPL frame,
and a shoulder is a ball joint whose zero is the middle of its range.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from ....body.model import Body
from ....types import JOINT, SMPL_JOINTS, SMPL_PARENTS
from .anatomy import (
    AXIS,
    CAPSULES,
    GROUPS,
    HINGES,
    MASS_FRACTION,
    SHOULDER_REACH_DEG,
    SHOULDER_REFERENCE_DEG,
    STIFFNESS,
    TRUNK_PARTS,
    mirror_sign,
    plain_name,
)

SOFT = {"solref": [0.026, 0.85], "solimp": [0.25, 0.95, 0.035, 0.5, 2.0]}
"""Contact of soft tissue, compressed by two or three centimetres under a falling trunk."""
FIRM = {"solref": [0.009, 1.0], "solimp": [0.8, 0.97, 0.006, 0.5, 2.0]}
"""Contact of bone under thin skin."""
FIRM_PARTS = ("wrist", "hand", "elbow", "ankle", "foot", "knee", "head")

_LIMB_HULL, _TRUNK_HULL, _CAPSULE, _GROUND = (0, 1), (2, 1), (4, 6), (1, 0)
"""MuJoCo's (contype, conaffinity): hulls meet the ground, capsules meet capsules and the trunk, hulls never meet hulls."""


def load_mujoco() -> Any:
    """Import MuJoCo when it is first needed."""
    return importlib.import_module("mujoco")


TIMESTEP = 0.002
"""Seconds."""

CHAIR = -1
"""Stands for the chair in a pair of parts that do not collide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chair:
    """A chair to fall from, world frame."""

    height: float
    """Metres above the floor."""
    center: tuple[float, float]
    """World (x, z) of the seat's middle."""
    yaw: float
    """Direction that a sitting person faces, radians about +y from +z."""
    width: float = 0.44
    depth: float = 0.42


@dataclass(frozen=True, slots=True, kw_only=True)
class Humanoid:
    """A compiled model and the tables that relate it to SMPL."""

    model: Any
    """``mujoco.MjModel``."""
    betas: Float[np.ndarray, "10"]
    rest_joints: Float[np.ndarray, "24 3"]
    """Metres, zero pose."""
    body_id: Int[np.ndarray, "24"]
    """MuJoCo body of each SMPL joint."""
    mass: float
    """Kilograms."""
    dofs: tuple[tuple[int, str, int], ...]
    """(SMPL joint, axis or ``ball``, address in qpos), in the order of the model."""
    actuator_joint: tuple[str, ...]
    """SMPL joint name of each actuator."""
    actuator_axis: tuple[str, ...]
    """``x``, ``y`` or ``z``."""
    actuator_group: Int[np.ndarray, "a"]
    """Index into ``GROUPS``."""
    skin: Float[np.ndarray, "s 3"]
    """Outermost vertices of every part in the zero pose, metres, used to find contact with the floor."""
    skin_weights: Float[np.ndarray, "s 24"]


def mesh_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume inside a triangle mesh, cubic metres (small holes have little effect)."""
    a, b, c = (vertices[faces[:, corner]] - vertices.mean(0) for corner in range(3))
    return float(abs(np.einsum("ni,ni->n", a, np.cross(b, c)).sum()) / 6.0)


def body_mass(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Kilograms: mesh volume times 985 kg/m^3, clipped to body-mass indices from 16 to 42."""
    stature = float(np.ptp(vertices[:, 1]))
    return float(np.clip(985.0 * mesh_volume(vertices, faces), 16.0 * stature**2, 42.0 * stature**2))


def _directions(count: int) -> np.ndarray:
    """Points spread evenly over the sphere (a Fibonacci spiral)."""
    index = np.arange(count) + 0.5
    height, angle = 1.0 - 2.0 * index / count, np.pi * (1.0 + 5.0**0.5) * index
    ring = np.sqrt(1.0 - height**2)
    return np.stack([ring * np.cos(angle), height, ring * np.sin(angle)], axis=1)


def _outermost(points: np.ndarray, count: int) -> np.ndarray:
    """Indices of the extreme points in ``count`` directions and along the axes."""
    directions = np.concatenate([_directions(count), np.eye(3), -np.eye(3)])
    return np.unique(np.argmax(points @ directions.T, axis=0))


def _part_points(vertices: np.ndarray, part_of_vertex: np.ndarray, joint: int, rest: np.ndarray) -> np.ndarray:
    """Indices of a part's outermost vertices; empty if its vertices do not span a volume."""
    index = np.flatnonzero(part_of_vertex == joint)
    if len(index) < 8 or np.linalg.matrix_rank(vertices[index] - vertices[index].mean(0), tol=1e-3) < 3:
        return index[:0]
    hull = index[ConvexHull(vertices[index]).vertices]
    return hull[_outermost(vertices[hull] - rest[joint], 64)]


def build_humanoid(
    body: Body,
    betas: Float[np.ndarray, "10"],
    *,
    chair: Chair | None = None,
    skip_pairs: frozenset[tuple[int, int]] = frozenset(),
) -> Humanoid:
    """Compile the model of one person on a floor, optionally with a chair.

    Args:
        chair: A chair on the floor.
        skip_pairs: Pairs of SMPL joints that do not collide (they overlap at the start).
    """
    mujoco = load_mujoco()
    vertices, rest = np.asarray(body.rest_vertices(betas), float), np.asarray(body.rest_joints(betas), float)
    mass = body_mass(vertices, body.faces)
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.gravity = TIMESTEP, [0.0, -9.81, 0.0]
    spec.option.integrator, spec.option.cone = mujoco.mjtIntegrator.mjINT_IMPLICITFAST, mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.iterations, spec.option.ls_iterations = 30, 20
    _add_ground(spec, chair)

    nodes: list[Any] = []
    skin_index: list[np.ndarray] = []
    dofs: list[tuple[str, str]] = []
    scale = mass / 70.0
    for joint, name in enumerate(SMPL_JOINTS):
        parent = SMPL_PARENTS[joint]
        offset = rest[joint] - (rest[parent] if parent >= 0 else 0.0)
        node = (nodes[parent] if parent >= 0 else spec.worldbody).add_body(name=name, pos=offset)
        nodes.append(node)
        dofs += _add_joints(node, name, scale)
        points = _part_points(vertices, body.part_of_vertex, joint, rest)
        skin_index.append(points)
        _add_hull(spec, node, name, vertices[points] - rest[joint], mass)
        _add_capsule(node, joint, vertices[body.part_of_vertex == joint] - rest[joint], rest)
    for first, second in {*_neighbours(), *skip_pairs}:
        spec.add_exclude(bodyname1=SMPL_JOINTS[first], bodyname2="chair" if second == CHAIR else SMPL_JOINTS[second])
    actuators = _add_muscles(spec, dofs, scale)

    model = spec.compile()
    keep = np.concatenate(skin_index)
    return Humanoid(
        model=model, betas=np.asarray(betas, float), rest_joints=rest, mass=mass,
        body_id=np.array([model.body(name).id for name in SMPL_JOINTS]),
        dofs=tuple((JOINT[name], axis, int(model.joint(f"{name}_{axis}").qposadr[0])) for name, axis in dofs),
        actuator_joint=tuple(name for name, _ in actuators), actuator_axis=tuple(axis for _, axis in actuators),
        actuator_group=np.array([GROUPS.index(STIFFNESS[plain_name(name)][3]) for name, _ in actuators]),
        skin=vertices[keep], skin_weights=np.asarray(body.weights, float)[keep],
    )  # fmt: skip


def _add_ground(spec: Any, chair: Chair | None) -> None:
    mujoco = load_mujoco()
    ground = {"contype": _GROUND[0], "conaffinity": _GROUND[1], "friction": [0.75, 0.01, 0.003], "condim": 4}
    upright = [np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0]
    spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], quat=upright, **ground)
    if chair is None:
        return
    x, z = chair.center
    turn = [np.cos(chair.yaw / 2), 0.0, np.sin(chair.yaw / 2), 0.0]
    node = spec.worldbody.add_body(name="chair", pos=[x, 0.0, z], quat=turn)
    thick, back = 0.03, 0.02
    node.add_geom(
        name="seat", type=mujoco.mjtGeom.mjGEOM_BOX, size=[chair.width / 2, thick, chair.depth / 2],
        pos=[0.0, chair.height - thick, 0.0], **ground,
    )  # fmt: skip
    node.add_geom(
        name="chair_back", type=mujoco.mjtGeom.mjGEOM_BOX, size=[chair.width / 2, 0.25, back],
        pos=[0.0, chair.height + 0.25, -chair.depth / 2 - back], **ground,
    )  # fmt: skip
    node.add_geom(
        name="chair_foot", type=mujoco.mjtGeom.mjGEOM_BOX, size=[chair.width / 2 - 0.03, chair.height / 2 - thick, 0.1],
        pos=[0.0, chair.height / 2 - thick, -chair.depth / 2 + 0.1], **ground,
    )  # fmt: skip


def _add_joints(node: Any, name: str, scale: float) -> list[tuple[str, str]]:
    """Add the joints of a body; returns (joint name, axis) of each."""
    mujoco = load_mujoco()
    plain = plain_name(name)
    soft = {"solref_limit": [0.02, 1.0], "solimp_limit": [0.9, 0.98, 0.03, 0.5, 2.0]}
    if plain == "pelvis":
        node.add_freejoint(name="root")
        return []
    if plain == "shoulder":
        reference = shoulder_reference(name).as_quat()
        node.quat = reference[[3, 0, 1, 2]]
        node.add_joint(
            name=f"{name}_ball", type=mujoco.mjtJoint.mjJNT_BALL, limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            range=[0.0, SHOULDER_REACH_DEG], damping=[0.6 * scale], armature=0.01 * scale, **soft,
        )  # fmt: skip
        return [(name, "ball")]
    for hinge in HINGES.get(plain, ()):
        stiffness = STIFFNESS[plain][0]
        node.add_joint(
            name=f"{name}_{hinge.axis}", type=mujoco.mjtJoint.mjJNT_HINGE,
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            axis=AXIS[hinge.axis] * mirror_sign(name, hinge.axis), range=[hinge.low, hinge.high],
            damping=[0.006 * stiffness * scale], armature=0.00012 * stiffness * scale, **soft,
        )  # fmt: skip
    return [(name, hinge.axis) for hinge in HINGES.get(plain, ())]


def _add_hull(spec: Any, node: Any, name: str, points: np.ndarray, mass: float) -> None:
    mujoco = load_mujoco()
    share = mass * MASS_FRACTION[plain_name(name)] / sum(MASS_FRACTION[plain_name(other)] for other in SMPL_JOINTS)
    trunk = JOINT[name] in TRUNK_PARTS or name in ("neck", "head")
    bits = dict(zip(("contype", "conaffinity"), _TRUNK_HULL if trunk else _LIMB_HULL, strict=True))
    flesh = FIRM if plain_name(name) in FIRM_PARTS else SOFT
    common = dict(name=f"{name}_hull", mass=share, condim=4, friction=[0.75, 0.01, 0.003], priority=1, **flesh, **bits)
    if len(points) == 0:
        node.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.03, 0, 0], **common)
        return
    spec.add_mesh(
        name=name, uservert=points.astype(np.float32).ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
        maxhullvert=48,
    )  # fmt: skip
    node.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, **common)


def _add_capsule(node: Any, joint: int, points: np.ndarray, rest: np.ndarray) -> None:
    mujoco = load_mujoco()
    name = SMPL_JOINTS[joint]
    if plain_name(name) not in CAPSULES or len(points) < 8:
        return
    end_name, start, share = CAPSULES[plain_name(name)]
    bone = rest[JOINT[name.split("_", 1)[0] + "_" + end_name]] - rest[joint]
    along = points @ bone / (bone @ bone)
    inside = (along > 0.2) & (along < 0.9)
    radial = np.linalg.norm(points - along[:, None] * bone, axis=1)
    radius = float(share * np.median(radial[inside])) if inside.sum() > 4 else 0.03
    node.add_geom(
        name=f"{name}_capsule", type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[radius, 0, 0], mass=0.0,
        fromto=[*(start * bone), *(0.97 * bone)], contype=_CAPSULE[0], conaffinity=_CAPSULE[1], condim=3,
        friction=[0.35, 0.005, 0.001], solref=[0.03, 1.0],
    )  # fmt: skip


def _neighbours() -> set[tuple[int, int]]:
    """Pairs of parts that overlap anatomically and do not collide."""
    pairs = set()
    for side in ("left", "right"):
        pairs |= {(f"{side}_hip", other) for other in ("pelvis", "spine1")}
        pairs |= {(f"{side}_shoulder", other) for other in (f"{side}_collar", "spine3", "neck")}
        pairs |= {(f"{side}_elbow", f"{side}_collar"), (f"{side}_hip", f"{side}_ankle"), (f"{side}_shoulder", f"{side}_wrist")}
        pairs |= {(f"{side}_elbow", f"{side}_hand"), (f"{side}_knee", f"{side}_foot")}
    return {(JOINT[first], JOINT[second]) for first, second in pairs}


def _add_muscles(spec: Any, dofs: list[tuple[str, str]], scale: float) -> list[tuple[str, str]]:
    """Add a spring-damper of limited torque about every axis; returns (joint name, axis) of each."""
    mujoco = load_mujoco()
    muscles = []
    for name, kind in dofs:
        stiffness, damping, strongest = (value * scale for value in STIFFNESS[plain_name(name)][:3])
        for axis in "xyz" if kind == "ball" else kind:
            gear = [*AXIS[axis], 0, 0, 0] if kind == "ball" else [1, 0, 0, 0, 0, 0]
            spec.add_actuator(
                name=f"{name}_{axis}_muscle", target=f"{name}_{kind}", trntype=mujoco.mjtTrn.mjTRN_JOINT, gear=gear,
                gaintype=mujoco.mjtGain.mjGAIN_FIXED, biastype=mujoco.mjtBias.mjBIAS_AFFINE,
                gainprm=[stiffness, *[0.0] * 9], biasprm=[0.0, -stiffness, -damping, *[0.0] * 7],
                forcelimited=mujoco.mjtLimited.mjLIMITED_TRUE, forcerange=[-strongest, strongest],
            )  # fmt: skip
            muscles.append((name, axis))
    return muscles


def shoulder_reference(name: str) -> Rotation:
    """Rotation of a shoulder in the middle of its range, relative to the collar."""
    x, y, z = np.deg2rad(SHOULDER_REFERENCE_DEG)
    sign = mirror_sign(name, "y")
    return Rotation.from_rotvec([x, sign * y, sign * z])
