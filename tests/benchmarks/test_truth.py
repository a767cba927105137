"""The known truth and what spoils it: consistent with itself, and spoiled as much as was measured or published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from augment.body.model import joints_of
from augment.geometry import invert_transform, project, transform_points
from augment.motion.library.scripted.act import make_action
from augment.raster.rasterize import make_rasterizer
from augment.sources.people.mediapipe import read_mediapipe
from augment.sources.people.people import LAYOUTS, check_people
from augment.types import Segment
from benchmarks.truth.maker import CROSSING, make_truth, write_mediapipe
from benchmarks.truth.pose_errors import acceleration_error, mpjpe, pa_mpjpe
from benchmarks.truth.spoil_bodies import HMR2_LIKE, WHAM_LIKE, BodyNoise, bodies_to_joints, spoil_bodies
from benchmarks.truth.spoil_depth import spoil_depth
from recognition.inputs.detector_errors import GROUPS, MEDIAPIPE_UPFALL, STATES, group_of, spoil_keypoints, states_of

QUIET_BODY = BodyNoise(
    **(dict.fromkeys(BodyNoise.__dataclass_fields__, 0.0) | {"slow_sec": 0.5, "lost_sec": 0.1, "flip_sec": 0.1})
)


@pytest.fixture(scope="module")
def walk():
    return make_truth(0, "walk", seconds=2.0, fps=18.0)


def test_the_world_is_the_reconstructions_own(walk):
    """Origin on the floor below the camera, which heads along +z; furniture stands on the floor; the depth is the mesh's."""
    T = walk.camera.T_world_camera
    assert np.allclose(T[[0, 2], 3], 0.0, atol=1e-9)
    assert abs(T[0, 2]) < 1e-9 < T[2, 2]
    assert abs(walk.scene.mesh.vertices[:, 1].min()) < 0.05
    again = make_rasterizer("compiled").render_mesh(walk.scene.mesh, walk.camera)[1]
    assert np.median(np.abs(again - walk.scene.depth)) < 1e-4
    assert len(walk) == 36 == len(walk.joints[0])


def test_keypoints_of_the_skeleton_are_its_joints(walk):
    """Known answer: SMPL's own layout projects the joints."""
    points, inside = walk.keypoints("smpl24")
    local = transform_points(invert_transform(walk.camera.T_world_camera), walk.joints[0].reshape(-1, 3))
    assert np.allclose(points.reshape(-1, 2), project(local, walk.camera.K), atol=0.05)
    assert inside.mean() > 0.9
    for layout in LAYOUTS:
        people = check_people(walk.people(layout))
        assert people.keypoints2d.shape == (36, len(LAYOUTS[layout]), 3)


def test_the_z_buffer_holds_the_joints(walk):
    """At the middle of the trunk the body's surface lies within a hand's breadth before the joint, and never behind it."""
    rasterizer = make_rasterizer("compiled")
    points, _ = walk.keypoints("smpl24")
    z = transform_points(invert_transform(walk.camera.T_world_camera), walk.joints[0][20])[:, 2]
    buffer = walk.z_buffer(20, rasterizer=rasterizer)
    for joint in (3, 6, 9):
        u, v = points[20, joint].astype(int)
        assert 0.0 < z[joint] - buffer[v, u] < 0.25
    both = walk.depth_with_people(20, rasterizer=rasterizer)
    assert (both[buffer > 0] <= walk.scene.depth[buffer > 0] + 1e-4).mean() > 0.99
    assert np.array_equal(both[buffer == 0], walk.scene.depth[buffer == 0])
    assert not walk.occluded("smpl24", 0, rasterizer=rasterizer)[20, [3, 6, 9]].any()


def test_crossing_people_hide_each_other_and_never_touch():
    truth = make_truth(5, CROSSING, seconds=2.0, fps=8.0)
    gap = np.linalg.norm(truth.joints[0][:, 0] - truth.joints[1][:, 0], axis=-1)
    assert gap.min() > 0.5
    u = [truth.keypoints("smpl24", person)[0][:, 0, 0] for person in (0, 1)]
    assert (u[0] - u[1])[0] * (u[0] - u[1])[-1] < 0
    hidden = [truth.occluded("smpl24", person, rasterizer=make_rasterizer("compiled")) for person in (0, 1)]
    assert max(h.any(axis=1).sum() for h in hidden) >= 2
    assert len(truth.people("coco17")) == 32


def test_cut_legs_lie_outside_and_cameras_differ():
    cut = make_truth(6, "walk", seconds=2.0, cut_legs=True)
    _, inside = cut.keypoints("smpl24")
    assert inside[:, [7, 8, 10, 11]].mean() < 0.15
    assert inside[:, [12, 15, 16, 17]].mean() > 0.8
    whole = make_truth(6, "walk", seconds=2.0)
    assert whole.camera.T_world_camera[1, 3] == cut.camera.T_world_camera[1, 3]
    other = make_truth(7, "walk", seconds=2.0, fps=30.0, size=(800, 480), stature=1.6)
    assert other.camera.K[0, 0] / 800 != pytest.approx(cut.camera.K[0, 0] / 640, abs=0.005)
    assert other.heights()[0] == pytest.approx(1.6, abs=0.01)
    assert (other.fps, other.camera.width) == (30.0, 800)


def test_falls_and_seats_are_where_they_should_be():
    """A fall ends on the floor and says so; a sitter's pelvis is over a seat of the room."""
    fall = make_truth(1, "fall_backward", seconds=3.0, fps=18.0)
    assert fall.joints[0][-1, :, 1].max() < 0.8 < fall.joints[0][0, :, 1].max()
    assert {"fall", "fallen"} <= {segment.label for segment in fall.motions[0].segments}
    sit = make_truth(2, "sit", seconds=1.0)
    pelvis = sit.joints[0][0, 0]
    seats = [surface.center for surface in sit.scene.surfaces if surface.kind == "chair"]
    assert min(np.linalg.norm((seat - pelvis)[[0, 2]]) for seat in seats) < 0.45


def _quiet(**changes):
    none = dict.fromkeys(GROUPS, 0.0)
    states = dict.fromkeys(STATES, none)
    zero = dict.fromkeys(STATES, 0.0)
    return replace(
        MEDIAPIPE_UPFALL, lasting=none, changing=states, shared=zero, misplaced=states, lost_per_sec=zero, swaps_per_sec=zero,
        **changes,
    )  # fmt: skip


def _standing(frames, seed=0):
    """33 points of somebody about 300 px tall, not moving."""
    points = np.random.default_rng(seed).uniform([200, 100], [300, 400], size=(33, 2))
    return np.repeat(points[None], frames, axis=0), np.ones((frames, 33), bool)


def _spoil(points, seen, noise=MEDIAPIPE_UPFALL, seed=0, states=None, layout="mediapipe33", **more):
    return spoil_keypoints(
        points,
        seen,
        rng=np.random.default_rng(seed),
        layout=layout,
        fps=18.0,
        size=(640, 480),
        states=states,
        noise=noise,
        **more,
    )


def test_a_perfect_detector_changes_nothing_and_chance_comes_from_the_rng():
    points, seen = _standing(40)
    assert np.allclose(_spoil(points, seen, _quiet())[..., :2], points)
    assert np.allclose(_spoil(points, seen, strength=0.0, states=["still"] * 40)[..., :2], points)
    assert np.array_equal(_spoil(points, seen), _spoil(points, seen), equal_nan=True)
    assert not np.array_equal(_spoil(points, seen), _spoil(points, seen, seed=1), equal_nan=True)


def test_errors_are_as_large_and_as_slow_as_measured():
    """The spread of the changing error, its correlation and the share misplaced come out as they went in."""
    frames = 4000
    points, seen = _standing(frames)
    extent = np.ptp(points[0], axis=0).max()
    hands = [i for i, name in enumerate(LAYOUTS["mediapipe33"]) if group_of(name) == "hand"]
    for state, slowest in (("moving", 0.35), ("still", 3.0)):
        quiet = _quiet()
        noise = replace(quiet, changing=MEDIAPIPE_UPFALL.changing)
        error = (_spoil(points, seen, noise, states=[state] * frames)[..., :2] - points)[:, hands] / extent
        wanted = MEDIAPIPE_UPFALL.changing[state]["hand"]
        assert np.std(error) == pytest.approx(wanted, rel=0.1)
        lags = [(error[lag:] * error[:-lag]).mean() / error.var() for lag in (1, 18)]
        assert lags[0] > 0.6
        assert lags[1] < (0.15 if state == "moving" else 0.9)
        held = round(18 * MEDIAPIPE_UPFALL.correlation_sec[state])
        assert 0.2 < (error[held:] * error[:-held]).mean() / error.var() < 0.6, slowest
    noise = replace(_quiet(), misplaced=MEDIAPIPE_UPFALL.misplaced)
    off = np.abs(_spoil(points, seen, noise, states=["fallen"] * frames)[..., :2] - points)[:, hands].max(-1) / extent > 0.05
    assert off.mean() == pytest.approx(MEDIAPIPE_UPFALL.misplaced["fallen"]["hand"], rel=0.35)


def test_confidence_is_low_where_errors_are_large_and_nobody_is_found_outside():
    points, seen = _standing(600)
    spoiled = _spoil(points, seen, states=["fallen"] * 600)
    found = np.isfinite(spoiled[:, 0, 0])
    error = np.linalg.norm(spoiled[found][..., :2] - points[found], axis=-1)
    assert spearmanr(error.ravel(), spoiled[found][..., 2].ravel()).statistic < -0.3
    assert (spoiled[found][..., 2] >= 0).all()
    assert (spoiled[found][..., 2] <= 1).all()
    away = points + [600.0, 0.0]
    assert np.isnan(_spoil(away, np.zeros_like(seen))).all()
    openpose = _spoil(points[:, :25], seen[:, :25], layout="openpose25", states=["fallen"] * 600)
    assert np.isnan(openpose[found][..., 0]).mean() < 0.5
    assert (openpose[np.isfinite(openpose[..., 0])][:, 2] >= 0.1).all()


def test_swaps_exchange_the_sides_and_come_with_falls():
    points, seen = _standing(3000)
    noise = replace(_quiet(), swaps_per_sec=MEDIAPIPE_UPFALL.swaps_per_sec)
    names = LAYOUTS["mediapipe33"]
    left, right = names.index("left_knee"), names.index("right_knee")
    swapped = (_spoil(points, seen, noise, states=["falling"] * 3000)[:, left, :2] == points[:, right]).all(-1)
    assert 0.003 < swapped.mean() < 0.06
    assert not (_spoil(points, seen, noise, states=["still"] * 3000)[:, left, :2] == points[:, right]).all(-1).any()


def test_the_detectors_own_3d_points_are_off_as_the_two_views_were(walk):
    """Two draws of the same truth disagree by about what UP-Fall's two views do, after a rigid alignment of each frame."""
    draws = [walk.detections("mediapipe33", rng=np.random.default_rng(seed)).keypoints3d for seed in (0, 1)]
    limbs = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
    apart = pa_mpjpe(draws[0][:, limbs], draws[1][:, limbs], scale=False)
    assert apart.mean() == pytest.approx(0.091, rel=0.3)


def test_states_follow_the_labels():
    segments = tuple(
        Segment(label=label, start_sec=s, end_sec=s + 1.0) for s, label in enumerate(("standing", "fall", "fallen"))
    )
    assert states_of(segments, frames=35, fps=10.0) == ["still"] * 10 + ["falling"] * 10 + ["fallen"] * 10 + ["moving"] * 5


def test_a_perfect_body_estimator_gives_the_motion_back(walk):
    """Round trip: camera frame and back; and at another focal length the same picture from another distance."""
    same = spoil_bodies(walk.motions[0], walk.camera, walk.body, rng=np.random.default_rng(0), noise=QUIET_BODY)
    shrunk = replace(walk.motions[0], betas=walk.motions[0].betas * 2 / 3)
    found = bodies_to_joints(same, walk.camera, walk.body, frames=len(walk))
    assert np.abs(found[:, 0] - walk.joints[0][:, 0]).max() < 1e-3
    assert pa_mpjpe(found, walk.joints[0]).max() < 0.02
    assert walk.body.height(shrunk.betas) != walk.heights()[0]
    far = spoil_bodies(walk.motions[0], walk.camera, walk.body, rng=np.random.default_rng(0), noise=QUIET_BODY, focal=1000.0)
    rest = np.array(walk.body.rest_joints(far.betas[0]))[0]
    pelvis = [project(people.transl + rest, people.K) for people in (same, far)]
    assert np.allclose(pelvis[0], pelvis[1], atol=1e-6)
    assert np.allclose(far.transl[:, 2] + rest[2], (same.transl[:, 2] + rest[2]) * 1000.0 / walk.camera.K[0, 0])


def test_body_estimators_err_as_published(walk):
    """HMR 2.0 on 3DPW about 70 / 45 mm, WHAM 58 / 36 mm; pelvis-aligned acceleration about 18 and 7 m/s^2."""
    motions = [walk.motions[0]]
    for seed, action in enumerate(("sit_down", "pick_up", "stand", "walk", "kneel")):
        motions.append(make_action(action, rng=np.random.default_rng(seed), body=walk.body, fps=30.0, seconds=5.0))
    for noise, pose, aligned, shake in ((HMR2_LIKE, 70, 45, (12, 28)), (WHAM_LIKE, 58, 36, (3, 9))):
        errors = []
        for seed, motion in enumerate(motions):
            people = spoil_bodies(motion, walk.camera, walk.body, rng=np.random.default_rng(seed), noise=noise)
            found = bodies_to_joints(people, walk.camera, walk.body, frames=len(motion))
            truth = joints_of(walk.body, motion)
            relative = found - found[:, :1], truth - truth[:, :1]
            errors.append(
                [
                    np.nanmean(mpjpe(found, truth)), np.nanmean(pa_mpjpe(found, truth)),
                    acceleration_error(*relative, fps=motion.fps) if motion.fps == 30 else np.nan,
                ]
            )  # fmt: skip
        mean = np.nanmean(errors, axis=0)
        assert mean[0] * 1000 == pytest.approx(pose, rel=0.25)
        assert mean[1] * 1000 == pytest.approx(aligned, rel=0.25)
        assert shake[0] < mean[2] < shake[1]


def test_depth_is_affine_but_for_its_outliers():
    """Known answer without noise; with it, the share that is wrong is as asked and the rest stays within a few per cent."""
    z = np.linspace(1.5, 6.0, 96 * 128, dtype=np.float32).reshape(1, 96, 128).repeat(2, axis=0)
    clean = spoil_depth(z, rng=np.random.default_rng(0), outliers=0.0, warp=0.0, flicker=0.0, blur=0.0)
    assert np.allclose(1 / (clean.scale * clean.values + clean.offset), z, rtol=1e-4)
    for share in (0.02, 0.1, 0.3):
        spoiled = spoil_depth(z, rng=np.random.default_rng(3), outliers=share)
        assert spoiled.wrong.mean() == pytest.approx(share, rel=0.15)
        error = np.abs(1 / (spoiled.scale * spoiled.values + spoiled.offset) / z - 1)
        assert np.median(error[~spoiled.wrong]) < 0.02
        assert np.median(error[spoiled.wrong]) > 0.1
    with pytest.raises(ValueError, match="outliers"):
        spoil_depth(z, rng=np.random.default_rng(0), outliers=1.5)


def test_written_keypoints_are_read_back(walk, tmp_path):
    people = walk.detections("mediapipe33", rng=np.random.default_rng(0))
    stored = read_mediapipe(write_mediapipe(people, tmp_path / "points.npz"))
    assert len(stored) == len(walk)
    assert np.allclose(stored.landmarks2d[people.frame], people.keypoints2d, atol=1e-3)
