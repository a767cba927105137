"""Run a simulated fall: the muscles follow the plan's stages, and a trace of states and contacts is recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from ....types import JOINT, SMPL_JOINTS
from .anatomy import GROUPS
from .humanoid import Humanoid, load_mujoco
from .plan import CAUSES, PARTS, FallPlan, Stage, slippery_parts
from .poses import Posture, muscle_targets

CONTROL_STEPS = 2
"""Simulation steps per step of the controller."""
STILL_SPEED = 0.06
"""Below this speed of every joint the body lies still, m/s."""


@dataclass(slots=True, kw_only=True)
class Trace:
    """Record of a simulation, filled in while it runs."""

    times: list[float] = field(default_factory=list)
    qpos: list[np.ndarray] = field(default_factory=list)
    """One state per output frame."""
    speed: list[float] = field(default_factory=list)
    """Greatest speed of any joint at each output frame, m/s."""
    first_touch: dict[str, float] = field(default_factory=dict)
    """Seconds from release to each region's first contact with the floor."""
    touch_axes: dict[str, np.ndarray] = field(default_factory=dict)
    """World rotation (3, 3) of the chest at those times."""
    peak_force: float = 0.0
    """Greatest sum of normal forces on the floor and chair, newtons."""
    peak_part_force: float = 0.0
    """Greatest normal force on one part, newtons."""
    peak_head_force: float = 0.0
    """Greatest normal force on the head, newtons."""
    limit_excess: float = 0.0
    """Largest violation of a joint limit, radians."""
    energy: list[float] = field(default_factory=list)
    """Kinetic and potential energy at each output frame, joules."""
    work: list[float] = field(default_factory=list)
    """Work done up to each output frame by external forces and muscles, joules."""
    still_at: float | None = None
    """Seconds from release to lying still."""
    failure: str = ""
    """Why the simulation failed; empty if it did not."""


def _tones(tone: dict[str, float]) -> np.ndarray:
    return np.array([tone[group] for group in GROUPS])


class _Muscles:
    """Blends postures and tones and writes them into the model's actuators."""

    def __init__(self, human: Humanoid, data: Any, start_tone: np.ndarray) -> None:
        model = human.model
        self.human, self.data = human, data
        self.gain = np.array(model.actuator_gainprm[:, 0])
        self.damp = np.array(-model.actuator_biasprm[:, 2])
        self.strongest = np.array(model.actuator_forcerange[:, 1])
        self.target = self.origin = np.array(data.actuator_length)
        self.goal, self.tone, self.began, self.blend = self.target, start_tone, 0.0, 1.0
        self.tone_goal, self.fade = start_tone, 0.1

    def aim(self, stage: Stage, time: float) -> None:
        self.origin, self.goal = self.target, muscle_targets(self.human, self._posture(stage))
        self.began, self.blend = time, max(stage.blend, 1e-3)
        self.tone_goal, self.fade = _tones(stage.tone), max(0.35 * stage.blend, 0.03)

    def _posture(self, stage: Stage) -> Posture:
        if not stage.lying:
            return stage.posture
        up = self.data.xmat[self.human.body_id[JOINT["spine2"]]][5]
        return stage.lying["front" if up > 0.4 else "back" if up < -0.35 else "side"]

    def act(self, time: float, dt: float) -> None:
        share = min((time - self.began) / self.blend, 1.0)
        share = share * share * (3.0 - 2.0 * share)
        self.target = self.origin + share * (self.goal - self.origin)
        self.tone = self.tone + (self.tone_goal - self.tone) * (1.0 - np.exp(-dt / self.fade))
        tone = self.tone[self.human.actuator_group]
        model = self.human.model
        model.actuator_gainprm[:, 0] = self.gain * tone
        model.actuator_biasprm[:, 1] = -self.gain * tone
        model.actuator_biasprm[:, 2] = -self.damp * np.sqrt(np.maximum(tone, 0.04))
        strongest = self.strongest * np.sqrt(tone)
        model.actuator_forcerange[:, 0], model.actuator_forcerange[:, 1] = -strongest, strongest
        self.data.ctrl[:] = self.target


class _ContactSensor:
    """Reads contacts: which regions touch the floor first, and their forces."""

    def __init__(self, human: Humanoid) -> None:
        mujoco = load_mujoco()
        model = human.model
        self.human = human
        joint_of_body = {int(body): joint for joint, body in enumerate(human.body_id)}
        self.joint_of_geom = np.array([joint_of_body.get(int(body), -1) for body in model.geom_bodyid])
        self.floor = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, "floor")
        region = {joint: name for name, joints in PARTS.items() for joint in joints}
        self.is_leg, self.is_thigh = (np.isin(np.arange(24), PARTS[name]) for name in ("knees", "thighs"))
        self.is_leg |= self.is_thigh
        self.knees = human.body_id[list(PARTS["knees"])]
        self.region_of_joint = [region.get(joint, "") for joint in range(24)]

    def read(self, data: Any, time: float, trace: Trace) -> set[str]:
        """Regions in contact with the floor; updates forces and first contacts in the trace."""
        contact = data.contact
        if data.ncon == 0:
            return set()
        geoms = contact.geom
        first, second = self.joint_of_geom[geoms[:, 0]], self.joint_of_geom[geoms[:, 1]]
        ground = ((first < 0) | (second < 0)) & (contact.efc_address >= 0)
        joints = np.maximum(first, second)[ground]
        force = data.efc_force[contact.efc_address[ground]]
        per_joint = np.bincount(joints, weights=force, minlength=24)
        trace.peak_force = max(trace.peak_force, float(per_joint.sum()))
        if per_joint.max() > trace.peak_part_force:
            trace.peak_part_force = float(per_joint.max())
        trace.peak_head_force = max(trace.peak_head_force, float(per_joint[JOINT["head"]]))
        on_floor = (geoms[ground] == self.floor).any(1)
        floor_force = np.bincount(joints[on_floor], weights=force[on_floor], minlength=24)
        touching = {self.region_of_joint[joint] for joint in np.flatnonzero(floor_force > 25.0)}
        legs = self.is_leg[joints] & on_floor & (force > 25.0)
        if legs.any():
            places = contact.pos[ground][legs]
            knees = data.xpos[self.knees]
            near = np.linalg.norm(places[:, None] - knees[None], axis=-1).min(1) < 0.16
            touching = (touching - {"knees", "thighs"}) | ({"knees"} if near.any() else set())
            touching |= {"thighs"} if (~near & self.is_thigh[joints[legs]]).any() else set()
        for region in touching - trace.first_touch.keys():
            trace.first_touch[region] = time
            trace.touch_axes[region] = data.xmat[self.human.body_id[JOINT["spine3"]]].reshape(3, 3).copy()
        return touching


def run_fall(human: Humanoid, plan: FallPlan, qpos: Float[np.ndarray, "q"], qvel: Float[np.ndarray, "n"], fps: float) -> Trace:
    """Simulate from release until the body has lain still.

    Args:
        qpos: State at release.
        qvel: Velocity at release, MuJoCo's convention.
        fps: Rate at which states are recorded; the first is one frame after release.
    """
    mujoco = load_mujoco()
    model = human.model
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(model, data)
    trace, sensor = Trace(), _ContactSensor(human)
    muscles = _Muscles(human, data, _tones(plan.stages[0].tone))
    slippery, slippery_seconds, factor = slippery_parts(plan)
    slippery_geoms = [model.geom(f"{SMPL_JOINTS[joint]}_hull").id for joint in slippery]
    grip = model.geom_friction[slippery_geoms].copy()
    saved = [model.actuator_gainprm.copy(), model.actuator_biasprm.copy(), model.actuator_forcerange.copy()]
    stages, entered, current = list(plan.stages), 0.0, -1
    step, since_still, work = model.opt.timestep, 0.0, 0.0
    touching: set[str] = set()
    while data.time < plan.limit:
        time = data.time
        stage = stages[max(current, 0)]
        ended = current >= 0 and (time - entered >= stage.hold or touching & set(stage.until))
        if current < 0 or (ended and current + 1 < len(stages)):
            current, entered = current + 1, time
            muscles.aim(stages[current], time)
        muscles.act(time, CONTROL_STEPS * step)
        data.xfrc_applied[:] = 0.0
        CAUSES[plan.cause](human, data, plan, time)
        model.geom_friction[slippery_geoms] = grip * (factor if time < slippery_seconds else 1.0)
        pushed = np.flatnonzero(data.xfrc_applied[:, :3].any(1))
        for _ in range(CONTROL_STEPS):
            mujoco.mj_step(model, data)
            work += step * (_outer_power(human, data, pushed) + float(data.actuator_force @ data.actuator_velocity))
        if (
            not np.isfinite(data.qpos).all()
            or np.abs(data.qvel).max() > 200.0
            or data.warning[mujoco.mjtWarning.mjWARN_BADQACC].number
        ):
            trace.failure = "simulation diverged"
            break
        touching = sensor.read(data, data.time, trace)
        if data.time >= (len(trace.times) + 1) / fps - 1e-6:
            _record(human, data, trace, work)
            moving = trace.speed[-1] > STILL_SPEED or current + 1 < len(stages)
            since_still = 0.0 if moving else since_still + 1.0 / fps
            if trace.still_at is None and since_still >= 0.4:
                trace.still_at = data.time - since_still
            if trace.still_at is not None and data.time - trace.still_at >= plan.rest:
                break
    model.geom_friction[slippery_geoms] = grip
    model.actuator_gainprm[:], model.actuator_biasprm[:], model.actuator_forcerange[:] = saved
    return trace


def _outer_power(human: Humanoid, data: Any, bodies: np.ndarray) -> float:
    """Power of the forces applied to some bodies, watts."""
    if len(bodies) == 0:
        return 0.0
    root = human.model.body_rootid[bodies]
    linear, angular = data.cvel[bodies, 3:], data.cvel[bodies, :3]
    velocity = linear + np.cross(angular, data.xipos[bodies] - data.subtree_com[root])
    return float((data.xfrc_applied[bodies, :3] * velocity).sum())


def _record(human: Humanoid, data: Any, trace: Trace, work: float) -> None:
    mujoco = load_mujoco()
    model = human.model
    trace.times.append(float(data.time))
    trace.qpos.append(data.qpos.copy())
    mujoco.mj_energyPos(model, data)
    mujoco.mj_energyVel(model, data)
    trace.energy.append(float(data.energy.sum()))
    trace.work.append(work)
    bodies = human.body_id
    spatial = data.cvel[bodies]
    velocity = spatial[:, 3:] + np.cross(spatial[:, :3], data.xpos[bodies] - data.subtree_com[bodies[0]])
    trace.speed.append(float(np.linalg.norm(velocity, axis=1).max()))
    hinge = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE)
    angle = data.qpos[model.jnt_qposadr[hinge]]
    excess = np.maximum(model.jnt_range[hinge, 0] - angle, angle - model.jnt_range[hinge, 1])
    balls = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_BALL)
    scalar = np.abs(data.qpos[model.jnt_qposadr[balls]])
    reach = 2.0 * np.arccos(np.clip(scalar, 0.0, 1.0)) - model.jnt_range[balls, 1]
    trace.limit_excess = max(trace.limit_excess, float(excess.max()), float(reach.max()))
