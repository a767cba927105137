"""A MuJoCo person with the body's own proportions: hulls of its mesh, anatomical joints, muscles as limited springs.

The simulation lives in our own world frame (+y up, metres, floor y = 0) and every MuJoCo body is a SMPL joint's frame, so a
state of the simulation *is* a SMPL motion: the pelvis is a free joint, each hinge turns about an axis of the SMPL frame, and a
shoulder is a ball whose zero is the middle of its reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from ...body import Body
from ...types import JOINT, SMPL_JOINTS, SMPL_PARENTS, Motion

GROUPS: tuple[str, ...] = ("leg", "trunk", "neck", "arm")
"""Muscle groups whose tone is set apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinge:
    """One degree of freedom of the left side or the middle; the right side mirrors it."""

    axis: str
    """``x``, ``y`` or ``z`` of the SMPL frame; +x bends the trunk forward, bends the knee, points the toes."""
    low: float
    """Anatomical limit, degrees."""
    high: float
    """Anatomical limit, degrees."""


def _hinges(*rows: tuple[str, float, float]) -> tuple[Hinge, ...]:
    return tuple(Hinge(axis=axis, low=low, high=high) for axis, low, high in rows)


HINGES: dict[str, tuple[Hinge, ...]] = {
    "hip": _hinges(("x", -125, 22), ("z", -22, 45), ("y", -35, 45)),
    "knee": _hinges(("x", -3, 145)),
    "ankle": _hinges(("x", -28, 48), ("z", -20, 20), ("y", -20, 20)),
    "foot": _hinges(("x", -65, 25)),
    "spine1": _hinges(("x", -12, 32), ("z", -14, 14), ("y", -12, 12)),
    "spine2": _hinges(("x", -10, 26), ("z", -12, 12), ("y", -15, 15)),
    "spine3": _hinges(("x", -10, 22), ("z", -12, 12), ("y", -15, 15)),
    "neck": _hinges(("x", -30, 30), ("z", -20, 20), ("y", -38, 38)),
    "head": _hinges(("x", -25, 25), ("z", -18, 18), ("y", -38, 38)),
    "collar": _hinges(("z", -12, 32), ("y", -22, 22)),
    "elbow": _hinges(("y", -148, 4), ("x", -85, 85)),
    "wrist": _hinges(("z", -75, 75), ("y", -25, 25), ("x", -60, 60)),
}
"""Degrees of freedom by joint, outermost rotation first; ranges as in goniometry, a little wider for passive stretch."""

SHOULDER_REFERENCE_DEG = (0.0, -50.0, -15.0)
"""Rotation vector of the left shoulder in the middle of its reach: the arm ahead, out to the side and a little down."""
SHOULDER_REACH_DEG = 118.0
"""Half angle of the shoulder's cone about that middle."""

STIFFNESS: dict[str, tuple[float, float, float, str]] = {
    "hip": (380.0, 26.0, 170.0, "leg"),
    "knee": (300.0, 18.0, 170.0, "leg"),
    "ankle": (170.0, 9.0, 95.0, "leg"),
    "foot": (15.0, 0.8, 20.0, "leg"),
    "spine1": (420.0, 28.0, 190.0, "trunk"),
    "spine2": (380.0, 24.0, 170.0, "trunk"),
    "spine3": (340.0, 20.0, 150.0, "trunk"),
    "neck": (60.0, 4.0, 45.0, "neck"),
    "head": (45.0, 3.0, 35.0, "neck"),
    "collar": (150.0, 8.0, 70.0, "arm"),
    "shoulder": (110.0, 7.5, 72.0, "arm"),
    "elbow": (75.0, 4.0, 55.0, "arm"),
    "wrist": (16.0, 0.8, 14.0, "arm"),
}
"""Full-tone spring (N m/rad), damper (N m s/rad), greatest torque (N m) and muscle group, for a 70 kg adult."""

MASS_FRACTION: dict[str, float] = {
    "pelvis": 12.0, "spine1": 8.0, "spine2": 8.0, "spine3": 13.0, "collar": 1.0, "neck": 1.3, "head": 5.6, "shoulder": 2.65,
    "elbow": 1.5, "wrist": 0.4, "hand": 0.18, "hip": 14.4, "knee": 4.5, "ankle": 1.0, "foot": 0.3,
}  # fmt: skip
"""Share of body mass in per cent, near de Leva's (1996) segment means of both sexes, the trunk split over SMPL's joints."""

CAPSULES: dict[str, tuple[str, float, float]] = {
    "hip": ("knee", 0.22, 0.74), "knee": ("ankle", 0.12, 0.80), "ankle": ("foot", 0.1, 0.7),
    "shoulder": ("elbow", 0.38, 0.80), "elbow": ("wrist", 0.15, 0.85), "wrist": ("hand", 0.2, 0.85),
}  # fmt: skip
"""Inner capsules that keep limbs apart: joint to which joint, start along the bone, share of the limb's own radius."""

SOFT = {"solref": [0.026, 0.85], "solimp": [0.25, 0.95, 0.035, 0.5, 2.0]}
"""Contact of flesh that gives two or three centimetres under a falling trunk."""
FIRM = {"solref": [0.009, 1.0], "solimp": [0.8, 0.97, 0.006, 0.5, 2.0]}
"""Contact of bone under thin skin."""
FIRM_PARTS = ("wrist", "hand", "elbow", "ankle", "foot", "knee", "head")

AXIS = {"x": np.array([1.0, 0.0, 0.0]), "y": np.array([0.0, 1.0, 0.0]), "z": np.array([0.0, 0.0, 1.0])}
FOOT_PARTS = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot"))
HAND_PARTS = tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "hand"))
TRUNK_PARTS = tuple(JOINT[name] for name in ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"))

_LIMB_HULL, _TRUNK_HULL, _CAPSULE, _GROUND = (0, 1), (2, 1), (4, 6), (1, 0)
"""MuJoCo's (contype, conaffinity): hulls meet the ground, capsules meet capsules and the trunk, hulls never meet hulls."""


def plain_name(joint: str) -> str:
    """``left_knee`` to ``knee``."""
    return joint.removeprefix("left_").removeprefix("right_")


def mirror_sign(joint: str, axis: str) -> float:
    """-1 for a right-hand joint's y and z rotations: the mirror image of a turn of the left side."""
    return -1.0 if joint.startswith("right_") and axis != "x" else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chair:
    """A seat to fall from, in the simulation's world."""

    height: float
    """Metres above the floor."""
    center: tuple[float, float]
    """World (x, z) of the seat's middle."""
    yaw: float
    """Which way the sitter faces, radians about +y from +z."""
    width: float = 0.44
    depth: float = 0.42


@dataclass(frozen=True, slots=True, kw_only=True)
class Humanoid:
    """A compiled model and the tables that tie it to SMPL."""

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
    """Outermost vertices of every part in the zero pose, metres: enough to see the skin touch the floor."""
    skin_weights: Float[np.ndarray, "s 24"]


def mesh_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume inside a triangle mesh, cubic metres (small holes do little harm)."""
    a, b, c = (vertices[faces[:, corner]] - vertices.mean(0) for corner in range(3))
    return float(abs(np.einsum("ni,ni->n", a, np.cross(b, c)).sum()) / 6.0)


def body_mass(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Kilograms: mesh volume at the density of a body (985 kg/m3), held between body-mass indices 16 and 42."""
    stature = float(np.ptp(vertices[:, 1]))
    return float(np.clip(985.0 * mesh_volume(vertices, faces), 16.0 * stature**2, 42.0 * stature**2))


def _directions(count: int) -> np.ndarray:
    """Points spread evenly over the sphere (a Fibonacci spiral)."""
    index = np.arange(count) + 0.5
    height, angle = 1.0 - 2.0 * index / count, np.pi * (1.0 + 5.0**0.5) * index
    ring = np.sqrt(1.0 - height**2)
    return np.stack([ring * np.cos(angle), height, ring * np.sin(angle)], axis=1)


def _outermost(points: np.ndarray, count: int) -> np.ndarray:
    """Indices of the points farthest out in ``count`` directions, plus those along the axes."""
    directions = np.concatenate([_directions(count), np.eye(3), -np.eye(3)])
    return np.unique(np.argmax(points @ directions.T, axis=0))


def _part_points(vertices: np.ndarray, part_of_vertex: np.ndarray, joint: int, rest: np.ndarray) -> np.ndarray:
    """Indices of a part's outermost vertices; empty where the body has no skin there that spans a volume."""
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
    timestep: float = 0.002,
) -> Humanoid:
    """Compile the model of one person on a floor, with a chair where asked.

    Args:
        skip_pairs: Pairs of SMPL joints whose capsules may pass through one another (they overlap at the start).
        timestep: Seconds.
    """
    import mujoco

    vertices, rest = np.asarray(body.rest_vertices(betas), float), np.asarray(body.rest_joints(betas), float)
    mass = body_mass(vertices, body.faces)
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.gravity = timestep, [0.0, -9.81, 0.0]
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
        spec.add_exclude(bodyname1=SMPL_JOINTS[first], bodyname2=SMPL_JOINTS[second])
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
    import mujoco

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
    """Give a body its joints; returns (joint name, axis) of each."""
    import mujoco

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
    import mujoco

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
    import mujoco

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
    """Pairs that overlap by anatomy: thighs and lower trunk, upper arms and the chest, collars and all above."""
    pairs = set()
    for side in ("left", "right"):
        pairs |= {(f"{side}_hip", other) for other in ("pelvis", "spine1")}
        pairs |= {(f"{side}_shoulder", other) for other in (f"{side}_collar", "spine3", "neck")}
        pairs |= {(f"{side}_elbow", f"{side}_collar"), (f"{side}_hip", f"{side}_ankle"), (f"{side}_shoulder", f"{side}_wrist")}
        pairs |= {(f"{side}_elbow", f"{side}_hand"), (f"{side}_knee", f"{side}_foot")}
    return {(JOINT[first], JOINT[second]) for first, second in pairs}


def _add_muscles(spec: Any, dofs: list[tuple[str, str]], scale: float) -> list[tuple[str, str]]:
    """A spring-damper of limited strength about every axis; returns (joint name, axis) of each."""
    import mujoco

    muscles = []
    for name, kind in dofs:
        stiffness, damping, strongest, _ = (
            value * scale if isinstance(value, float) else value for value in STIFFNESS[plain_name(name)]
        )
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
    """Rotation of a shoulder's middle, relative to the collar."""
    x, y, z = np.deg2rad(SHOULDER_REFERENCE_DEG)
    sign = mirror_sign(name, "y")
    return Rotation.from_rotvec([x, sign * y, sign * z])


def motion_to_qpos(human: Humanoid, motion: Motion) -> Float[np.ndarray, "t q"]:
    """The simulation's states nearest to a motion: what the joints cannot do (a knee's twist, a bent hand) is dropped."""
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
    """Rotation vectors of all joints (the pelvis' in the world, the others' relative to their parents)."""
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
