"""Laws of simulated falls: exact conversion, no tunnelling, joints within reach, energy, order of labels, determinism."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from augment.actions import FALLS
from augment.body.model import joints_of, pose_body
from augment.body.shapes import betas_from_phenotype
from augment.motion.library.falls.anatomy import HINGES, MASS_FRACTION, plain_name
from augment.motion.library.falls.humanoid import build_humanoid
from augment.motion.library.falls.labels import LIMIT_SLACK_DEG
from augment.motion.library.falls.plan import CAUSES, FallRequest
from augment.motion.library.falls.poses import NEUTRAL, joint_rotation, muscle_targets, standing_start, walking_start
from augment.motion.library.falls.simulate import attempt_fall, resolve_direction, simulate_fall
from augment.motion.library.falls.state import motion_to_qpos, qpos_to_rotations, skin_heights, state_joints
from augment.types import JOINT, SMPL_JOINTS, Motion


@pytest.fixture(scope="module")
def betas(body):
    return betas_from_phenotype(body, height_m=1.7, weight=0.5)


@pytest.fixture(scope="module")
def runs(body, betas):
    """One accepted fall of each kind."""
    found = {}
    for kind in FALLS:
        for seed in range(10):
            run = attempt_fall(FallRequest(kind=kind, betas=betas), rng=np.random.default_rng(seed), body=body)
            if run.problem is None:
                found[kind] = run
                break
        assert kind in found, f"ten draws of {kind} in a row were rejected"
    return found


def accepted(request: FallRequest, body, *, seed: int) -> Motion:
    """The first accepted fall of a generator's draws."""
    rng = np.random.default_rng(seed)
    runs = (attempt_fall(request, rng=rng, body=body) for _ in range(12))
    return next(run.motion for run in runs if run.problem is None)


def test_the_motion_has_the_simulation_s_joints(runs, body):
    for run in runs.values():
        states = np.array(run.trace.qpos)
        rotations = qpos_to_rotations(run.human, states)
        motion = replace(
            run.motion,
            global_orient=rotations[:, 0],
            body_pose=rotations[:, 1:],
            transl=states[:, :3] - run.human.rest_joints[0],
        )
        assert np.abs(joints_of(body, motion) - state_joints(run.human, states)).max() < 1e-3


def test_nothing_tunnels_the_floor(runs, body):
    for run in runs.values():
        vertices, _ = pose_body(body, run.motion)
        assert vertices[..., 1].min() > -0.02
        assert abs(vertices[-10:, :, 1].min()) < 0.02


def test_the_skin_seen_by_the_simulation_is_the_mesh_s_lowest(runs, body):
    motion = runs["fall_backward"].motion
    rotations = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
    lowest = skin_heights(runs["fall_backward"].human, rotations, motion.transl).min(1)
    vertices, _ = pose_body(body, motion)
    assert np.abs(lowest - vertices[..., 1].min(1)).max() < 0.02


def test_joints_stay_within_reach(runs):
    for run in runs.values():
        assert np.rad2deg(run.trace.limit_excess) <= LIMIT_SLACK_DEG
        states = motion_to_qpos(run.human, run.motion)[run.release + 1 :]
        knees = [address for joint, _, address in run.human.dofs if "knee" in SMPL_JOINTS[joint]]
        assert np.rad2deg(states[:, knees].min()) > -5.0


def test_labels_go_from_the_start_s_to_fall_to_fallen_without_gaps(runs):
    for kind, run in runs.items():
        segments = run.motion.segments
        labels = [segment.label for segment in segments]
        assert labels[-2:] == ["fall", "fallen"]
        assert labels[0] in (("sitting",) if kind == "fall_from_chair" else ("standing", "walk"))
        assert segments[0].start_sec == 0.0
        assert segments[-1].end_sec == pytest.approx(run.motion.seconds)
        for before, after in itertools.pairwise(segments):
            assert before.end_sec == after.start_sec
            assert before.end_sec > before.start_sec
        assert 0.4 < segments[-2].end_sec - segments[-2].start_sec < 3.0
        assert run.motion.seconds - segments[-1].start_sec > 0.5


def test_the_body_lies_still_at_the_end(runs, body):
    for run in runs.values():
        last = joints_of(body, run.motion)[-10:]
        assert np.linalg.norm(np.diff(last, axis=0), axis=-1).max() * run.motion.fps < 0.3
        assert last[-1, JOINT["head"], 1] < 0.4


def test_energy_never_rises_beyond_the_work_done(runs):
    for run in runs.values():
        energy, work = np.array(run.trace.energy), np.array(run.trace.work)
        gained = (energy - energy[0]) - (work - work[0])
        assert gained.max() < 0.03 * energy[0] + 10.0


def test_forces_are_those_of_a_fall(runs):
    for run in runs.values():
        weight = run.human.mass * 9.81
        assert weight < run.trace.peak_force < 35 * weight


def test_the_same_seed_gives_the_same_bytes(runs, body, betas):
    first = runs["fall_sideways"].motion
    for seed in range(10):
        again = attempt_fall(FallRequest(kind="fall_sideways", betas=betas), rng=np.random.default_rng(seed), body=body)
        if again.problem is None:
            break
    second = again.motion
    for name in ("global_orient", "body_pose", "transl"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert (first.segments, first.caption, first.provenance) == (second.segments, second.caption, second.provenance)


@pytest.mark.parametrize(("kind", "asked", "toward"), [
    ("fall_sideways", "left", (1.0, 0.0)), ("fall_sideways", "right", (-1.0, 0.0)),
    ("fall_forward_hands", 20.0, (np.sin(np.deg2rad(20)), np.cos(np.deg2rad(20)))),
])  # fmt: skip
def test_it_falls_the_way_it_was_asked_to(body, betas, kind, asked, toward):
    motion = accepted(FallRequest(kind=kind, betas=betas, direction=asked, cause="push"), body, seed=0)
    head = joints_of(body, motion)[:, JOINT["head"]][:, [0, 2]]
    travel = head[-1] - head[0]
    assert travel @ np.array(toward) > 0.5 * np.linalg.norm(travel)


def test_a_turned_start_turns_the_fall(body, betas):
    human = build_humanoid(body, betas)
    start = standing_start(human, rng=np.random.default_rng(0), fps=20, seconds=1.0)
    turn = Rotation.from_euler("y", 90, degrees=True)
    pelvis = start.transl + human.rest_joints[0]
    turned = replace(
        start, global_orient=(turn * Rotation.from_rotvec(start.global_orient)).as_rotvec(),
        transl=turn.apply(pelvis) - human.rest_joints[0],
    )  # fmt: skip
    motion = accepted(FallRequest(kind="fall_backward", start=turned, cause="push"), body, seed=1)
    head = joints_of(body, motion)[:, JOINT["head"]]
    assert head[-1, 0] - head[0, 0] < -0.4


def test_the_fall_goes_on_where_the_start_left_off(body, betas):
    human = build_humanoid(body, betas)
    start = walking_start(human, rng=np.random.default_rng(2), fps=20, seconds=1.5)
    run = attempt_fall(FallRequest(kind="fall_forward_hands", start=start), rng=np.random.default_rng(3), body=body)
    assert run.release < len(start)
    assert np.abs(joints_of(body, run.motion)[run.release] - joints_of(body, start)[-1]).max() < 0.05
    steps = np.linalg.norm(np.diff(run.motion.transl, axis=0), axis=1)
    assert steps[run.release] < 2.0 * steps[: run.release].max() + 0.02


def test_seconds_and_rate_are_kept(body, betas):
    motion = accepted(FallRequest(kind="fall_backward", betas=betas, fps=30, seconds=6.0), body, seed=4)
    assert motion.fps == 30
    assert len(motion) == 180
    assert motion.segments[-1].end_sec == pytest.approx(6.0)


def test_a_chair_is_where_the_sitter_sat(runs):
    motion = runs["fall_from_chair"].motion
    assert motion.support == "chair"
    assert 0.3 < motion.support_height < 0.6
    assert motion.support_center is not None


def test_wrong_questions_are_answered_with_the_valid_ones(body, betas):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="fall_backward"):
        simulate_fall(FallRequest(kind="fall_upwards", betas=betas), rng=rng, body=body)
    with pytest.raises(ValueError, match="give_way"):
        simulate_fall(FallRequest(kind="fall_backward", betas=betas, cause="magic"), rng=rng, body=body)
    with pytest.raises(ValueError, match="backward"):
        simulate_fall(FallRequest(kind="fall_backward", betas=betas, direction="left"), rng=rng, body=body)
    with pytest.raises(ValueError, match="seconds"):
        simulate_fall(FallRequest(kind="fall_backward", betas=betas, seconds=1.0), rng=rng, body=body)
    with pytest.raises(ValueError, match="left"):
        resolve_direction("fall_sideways", "upward", rng=rng)
    standing = standing_start(build_humanoid(body, betas), rng=rng, fps=20, seconds=1.0)
    with pytest.raises(ValueError, match="chair"):
        simulate_fall(FallRequest(kind="fall_from_chair", start=standing), rng=rng, body=body)
    with pytest.raises(ValueError, match="betas"):
        simulate_fall(FallRequest(kind="fall_backward", start=standing, betas=betas + 1.0), rng=rng, body=body)


def test_mass_is_shared_out_in_full(body, betas):
    human = build_humanoid(body, betas)
    assert human.model.body_mass.sum() == pytest.approx(human.mass, rel=1e-6)
    assert 50 < human.mass < 100
    thigh = human.model.body_mass[human.body_id[JOINT["left_hip"]]] / human.mass
    assert thigh == pytest.approx(MASS_FRACTION["hip"] / 100, rel=0.01)
    assert {plain_name(name) for name in SMPL_JOINTS} == set(MASS_FRACTION)


def test_postures_reach_the_muscles(body, betas):
    human = build_humanoid(body, betas)
    targets = muscle_targets(human, {"left_knee_x": 60.0, "hip_x": -30.0})
    named = {(name, axis): value for name, axis, value in zip(human.actuator_joint, human.actuator_axis, targets, strict=True)}
    assert np.rad2deg(named["left_knee", "x"]) == pytest.approx(60.0)
    assert np.rad2deg(named["right_knee", "x"]) == pytest.approx(NEUTRAL["knee_x"])
    assert np.rad2deg(named["right_hip", "x"]) == pytest.approx(-30.0)
    hanging = joint_rotation("right_shoulder", {"shoulder_raise": -90.0}).apply([-1.0, 0.0, 0.0])
    assert np.allclose(hanging, [0.0, -1.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("cause", ["slip", "give_way"])
def test_the_cause_asked_for_is_the_cause(body, betas, cause):
    assert cause in CAUSES
    run = attempt_fall(FallRequest(kind="fall_backward", betas=betas, cause=cause), rng=np.random.default_rng(1), body=body)
    assert run.plan.cause == cause
    assert run.motion.provenance["cause"] == cause


def test_limits_are_ordered():
    for hinges in HINGES.values():
        assert all(hinge.low < 0.0 <= hinge.high for hinge in hinges)
