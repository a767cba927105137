from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from augment.commands.scenes_real import SceneFromRgbd
from augment.reconstruct.depth.floor import pitch_deg
from augment.reconstruct.depth.from_rgbd import scene_from_depth
from augment.scene.store import load_scene
from tests.make.realdata import require
from tests.make.scenery import box_room, camera_of

CAMERA = camera_of(focal=260, height=1.6, pitch=24, roll=2, width=320, tall=240)
COLOR = np.full((240, 320, 3), 128, np.uint8)


@pytest.mark.parametrize("noise", [0.0, 0.003])
@pytest.mark.parametrize("boxes", [(), ((-1.3, 1.3, 0.74, 1.8, 2.8),)])
def test_floor_is_recovered_even_below_a_table(boxes, noise):
    scene = scene_from_depth(COLOR, box_room(CAMERA, boxes, noise=noise), CAMERA.K)
    assert scene.camera.T_world_camera[1, 3] == pytest.approx(1.6, abs=0.03)
    assert pitch_deg(scene.camera.T_world_camera) == pytest.approx(24, abs=0.6)
    np.testing.assert_allclose(scene.camera.T_world_camera[:3, :3], CAMERA.T_world_camera[:3, :3], atol=0.012)
    low = scene.mesh.vertices[:, 1]
    assert np.percentile(low, 2) > -0.08


def test_seat_bed_and_obstacles_are_found():
    seat, back, bed = (0.5, 0.95, 0.45, 2.2, 2.65), (0.5, 0.95, 0.95, 2.65, 2.72), (-1.6, -0.6, 0.5, 2.2, 4.2)
    scene = scene_from_depth(COLOR, box_room(CAMERA, (seat, back, bed)), CAMERA.K)
    kinds = {s.kind: s for s in scene.surfaces}
    assert set(kinds) == {"bed", "chair"}
    np.testing.assert_allclose(kinds["chair"].center, [0.72, 0.45, 2.42], atol=0.1)
    assert np.cos(kinds["chair"].yaw - np.pi) > 0.95
    np.testing.assert_allclose(kinds["bed"].center, [-1.1, 0.5, 3.2], atol=0.25)
    assert kinds["bed"].size[1] > kinds["bed"].size[0]
    inside = [o for o in scene.obstacles if np.hypot(o.center[0] - 0.72, o.center[2] - 2.45) < 0.4]
    assert inside
    assert max(o.center[1] + o.size[1] / 2 for o in inside) == pytest.approx(0.95, abs=0.1)


def test_mesh_lies_on_the_depth_and_is_cut_at_jumps():
    depth = box_room(CAMERA, ((-0.3, 0.3, 1.0, 2.0, 2.3),))
    mesh = scene_from_depth(COLOR, depth, CAMERA.K).mesh
    corners = mesh.vertices[mesh.faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    assert edges.max() < 0.8
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards = np.array([0, 1.6, 0]) - corners.mean(axis=1)
    assert ((normals * towards).sum(axis=1) >= -1e-9).all()


def test_no_floor_says_what_to_do():
    wall = np.full((240, 320), 2.0, np.float32)
    with pytest.raises(ValueError, match="no floor found"):
        scene_from_depth(COLOR, wall, CAMERA.K)


def write_frame(folder, depth, K, *, width=320, height=240):
    cv2.imwrite(str(folder / "color.png"), np.full((240, 320, 3), 99, np.uint8))
    cv2.imwrite(str(folder / "depth.png"), (depth * 5000).clip(0, 65535).astype(np.uint16))
    flat = (K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]).T.ravel().tolist()
    (folder / "camera.json").write_text(json.dumps({"width": width, "height": height, "intrinsic_matrix": flat}))
    return folder / "color.png", folder / "depth.png", folder / "camera.json"


def test_command_round_trip(tmp_path):
    color, depth, intrinsics = write_frame(tmp_path, box_room(CAMERA, ()), CAMERA.K)
    SceneFromRgbd(color=color, depth=depth, intrinsics=intrinsics, out=tmp_path / "room", depth_scale=5000, stride=4).run()
    scene = load_scene(tmp_path / "room")
    assert scene.camera.T_world_camera[1, 3] == pytest.approx(1.6, abs=0.02)
    np.testing.assert_allclose(scene.camera.K, CAMERA.K)
    assert len(scene.mesh.vertices) < 320 * 240 / 12
    with pytest.raises(ValueError, match="stride"):
        SceneFromRgbd(color=color, depth=depth, intrinsics=intrinsics, out=tmp_path, stride=0).run()


def test_intrinsics_of_another_size_are_refused(tmp_path):
    color, depth, intrinsics = write_frame(tmp_path, box_room(CAMERA, ()), CAMERA.K, width=640, height=480)
    with pytest.raises(ValueError, match=r"320x240 but .* is for 640x480"):
        SceneFromRgbd(color=color, depth=depth, intrinsics=intrinsics, out=tmp_path / "x", depth_scale=5000).run()


def test_real_frames_rise_and_tilt_as_the_recorded_trajectory_does():
    from augment.reconstruct.depth.from_rgbd import scene_from_rgbd

    root = require("rgbd/open3d")
    numbers = np.array(
        [
            [float(x) for x in line.split()]
            for line in (root / "trajectory.log").read_text().splitlines()
            if len(line.split()) == 4
        ]
    ).reshape(-1, 4, 4)
    scenes = [
        scene_from_rgbd(root / f"color/0000{i}.jpg", root / f"depth/0000{i}.png", root / "camera_primesense.json", stride=8)
        for i in (0, 4)
    ]
    ups = [s.camera.T_world_camera[1, 3] for s in scenes]
    assert ups[1] - ups[0] == pytest.approx(numbers[4][1, 3] - numbers[0][1, 3], abs=0.01)
    for scene, truth in zip(scenes, (numbers[0], numbers[4]), strict=True):
        assert pitch_deg(scene.camera.T_world_camera) == pytest.approx(np.degrees(np.arcsin(-truth[1, 2])), abs=0.3)
