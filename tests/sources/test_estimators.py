"""Estimators with real but tiny, random networks: what comes out is what the network says of the right frames; refusals."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from augment.sources.depth.estimate import MANIFEST, estimate_depth
from augment.sources.depth.maps import read_depth_maps
from augment.sources.people.detectors import DetectOptions, detect_keypoints
from augment.sources.people.mediapipe import LANDMARKS
from augment.sources.video import read_frames
from tests.make.detector import SURE, write_rcnn
from tests.make.scenery import write_video

W, H, FRAMES = 84, 56, 8


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (FRAMES, H // 14, W // 14, 3), np.uint8)
    return write_video(tmp_path_factory.mktemp("video") / "room.mkv", coarse.repeat(14, axis=1).repeat(14, axis=2), fps=5)


def _save_depth_model(folder: Path, kind: str, size: int = 56) -> Path:
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, DPTImageProcessor

    torch.manual_seed(0)
    backbone = {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56,
        "patch_size": 14, "out_features": ["stage1", "stage2"], "reshape_hidden_states": False,
    }  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, reassemble_factors=[4, 2], neck_hidden_sizes=[8, 8],
        fusion_hidden_size=8, head_hidden_size=8, initializer_range=0.2, depth_estimation_type=kind, max_depth=20,
    )  # fmt: skip
    network = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        network.head.conv3.bias.fill_(1.0)
    network.save_pretrained(folder)
    prepare = DPTImageProcessor(size={"height": size, "width": size}, keep_aspect_ratio=True, ensure_multiple_of=14)
    prepare.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["relative", "metric"])
def model(request, tmp_path_factory) -> Path:
    return _save_depth_model(tmp_path_factory.mktemp("model") / request.param, request.param)


def test_depth_is_what_the_network_says(video, model, tmp_path):
    """Law: the maps are the network's own numbers for the very frames they are numbered with."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    maps = estimate_depth(video, model=model, frames=3, out=tmp_path / "out", device="cpu")
    metric = model.name == "metric"
    assert (maps.kind, maps.metric) == (("depth", True) if metric else ("disparity", False))
    assert maps.frame.tolist() == [1, 4, 6]
    assert maps.notes == (f"estimated by {model.name} through transformers",)
    prepare, network = AutoImageProcessor.from_pretrained(model), AutoModelForDepthEstimation.from_pretrained(model)
    pictures = dict(read_frames(video))
    for index, number in enumerate(maps.frame):
        with torch.inference_mode():
            want = network(**prepare(images=pictures[int(number)], return_tensors="pt")).predicted_depth[0].numpy()
        values, valid = maps.load(index)
        assert want.shape == (H, W)
        np.testing.assert_array_equal(valid, want > 0)
        np.testing.assert_allclose(values[valid], want[valid], rtol=1e-5)
    again = read_depth_maps(tmp_path / "out", width=W, height=H)
    assert (again.kind, again.metric, again.frame.tolist()) == (maps.kind, maps.metric, [1, 4, 6])


def test_frames_are_spread_and_never_more_than_there_are(video, model, tmp_path):
    maps = estimate_depth(video, model=model, frames=50, out=tmp_path / "all")
    assert maps.frame.tolist() == list(range(FRAMES))
    assert estimate_depth(video, model=model, frames=1, out=tmp_path / "one").frame.tolist() == [4]


def test_maps_are_given_at_the_videos_size(video, tmp_path):
    model = _save_depth_model(tmp_path / "small", "relative", size=28)
    maps = estimate_depth(video, model=model, frames=2, out=tmp_path / "out")
    assert maps.load(1)[0].shape == (H, W)


def test_a_stopped_run_goes_on(video, model, tmp_path, monkeypatch):
    """Law: stopping, damaging and going on gives the bytes of an undisturbed run, and only what is missing is made."""
    import augment.sources.depth.estimate as module

    calls = []
    infer = module._infer_depth
    monkeypatch.setattr(module, "_infer_depth", lambda *args: calls.append(1) or infer(*args))
    options = {"model": model, "frames": 4}
    estimate_depth(video, out=tmp_path / "whole", **options)
    assert len(calls) == 4

    def stop_after_two(*args):
        if len(calls) == 6:
            raise KeyboardInterrupt
        return calls.append(1) or infer(*args)

    monkeypatch.setattr(module, "_infer_depth", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        estimate_depth(video, out=tmp_path / "stopped", **options)
    monkeypatch.setattr(module, "_infer_depth", lambda *args: calls.append(1) or infer(*args))
    first = sorted((tmp_path / "stopped").glob("*.npy"))[0]
    first.write_bytes(first.read_bytes()[:-9])
    estimate_depth(video, out=tmp_path / "stopped", **options)
    assert len(calls) == 9
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").glob("*.npy")}
    assert {p.name: p.read_bytes() for p in (tmp_path / "stopped").glob("*.npy")} == whole
    assert len(whole) == 4


def test_depth_of_another_run_is_not_mixed_in(video, model, tmp_path):
    out = tmp_path / "out"
    estimate_depth(video, model=model, frames=2, out=out)
    with pytest.raises(ValueError, match=r"out: holds depth of another run: field frames differs"):
        estimate_depth(video, model=model, frames=3, out=out)
    other = _save_depth_model(tmp_path / "other", "relative", size=28)
    with pytest.raises(ValueError, match="field model differs"):
        estimate_depth(video, model=other, frames=2, out=out)
    (out / MANIFEST).write_text("{")
    with pytest.raises(ValueError, match=f"{MANIFEST}: not what this program wrote"):
        estimate_depth(video, model=model, frames=2, out=out)
    (out / MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"but no estimated_depth\.json"):
        estimate_depth(video, model=model, frames=2, out=out)


def test_depth_models_that_cannot_be_used(video, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match=r"empty: no depth model that transformers can load"):
        estimate_depth(video, model=empty, out=tmp_path / "out")
    from transformers import DPTImageProcessor, GLPNConfig, GLPNForDepthEstimation

    small = {"hidden_sizes": [8, 8, 8, 8], "decoder_hidden_size": 8, "depths": [1, 1, 1, 1], "num_attention_heads": [1] * 4}
    GLPNForDepthEstimation(GLPNConfig(**small)).save_pretrained(tmp_path / "glpn")
    DPTImageProcessor().save_pretrained(tmp_path / "glpn")
    with pytest.raises(ValueError, match=r"model of type 'glpn' .* expected one of depth_anything"):
        estimate_depth(video, model=tmp_path / "glpn", out=tmp_path / "out")
    with pytest.raises(ValueError, match="frames must be at least 1, found 0"):
        estimate_depth(video, model=empty, frames=0, out=tmp_path / "out")
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        estimate_depth(video, model=empty, device="tpu", out=tmp_path / "out")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"pip install 'understudy\[estimators\]'"):
        estimate_depth(video, model=empty, out=tmp_path / "out")


@pytest.fixture(scope="module")
def rcnn(tmp_path_factory) -> Path:
    return write_rcnn(tmp_path_factory.mktemp("rcnn") / "weights.pth")


QUICK = DetectOptions(short_side=56, max_people=2, every=4, device="cpu")


def test_keypointrcnn_reads_the_users_weights(video, rcnn):
    """Known answer: people, certainty and the order of the 17 points are the network's."""
    people = detect_keypoints(video, weights=rcnn, options=QUICK)
    assert (people.source, people.layout, people.width, people.height) == ("keypointrcnn", "coco17", W, H)
    assert people.frame.tolist() == [0, 0, 4, 4]
    assert (people.track == -1).all()
    np.testing.assert_allclose(people.confidence, 1 / (1 + np.exp(-2.0)), rtol=1e-5)
    np.testing.assert_allclose(people.keypoints2d[:, :, 2], np.tile(1 / (1 + np.exp(-SURE)), (4, 1)), rtol=1e-4)
    low, high = people.bbox[:, None, :2], people.bbox[:, None, 2:]
    assert (people.bbox[:, 2] > people.bbox[:, 0]).all()
    assert ((people.keypoints2d[:, :, :2] >= low - 1) & (people.keypoints2d[:, :, :2] <= high + 1)).all()
    assert ((people.bbox >= 0) & (people.bbox <= [W, H, W, H])).all()


def test_a_video_with_nobody_in_it(video, monkeypatch):
    from augment.sources.people import detectors

    def sees_two(pictures):
        import torch

        assert pictures[0].shape == (3, H, W)
        assert 0 <= pictures[0].min() < pictures[0].max() <= 1
        found = {"scores": [0.9, 0.4], "labels": [1, 1], "boxes": [[0, 0, 9, 9]] * 2, "keypoints_scores": np.zeros((2, 17))}
        return [{key: torch.tensor(np.array(value)) for key, value in found.items()} | {"keypoints": torch.ones(2, 17, 3)}]

    network = SimpleNamespace(to=lambda device: SimpleNamespace(eval=lambda: sees_two))
    monkeypatch.setattr(detectors, "_load_keypointrcnn", lambda weights, options: network)
    counts = {least: len(detect_keypoints(video, options=replace(QUICK, min_score=least))) for least in (0.3, 0.5)}
    assert counts == {0.3: 4, 0.5: 2}
    with pytest.raises(ValueError, match=r"room\.mkv: keypointrcnn: nobody in it"):
        detect_keypoints(video, options=replace(QUICK, min_score=0.95))


def test_detectors_that_cannot_be_used(video, tmp_path, monkeypatch):
    import torch

    with pytest.raises(ValueError, match="unknown detector 'openpose'; choose one of keypointrcnn, mediapipe"):
        detect_keypoints(video, detector="openpose")
    with pytest.raises(ValueError, match=r"none\.pth: no such file of keypointrcnn weights"):
        detect_keypoints(video, weights=tmp_path / "none.pth", options=QUICK)
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth: no state dict of torchvision's keypointrcnn_resnet50_fpn"):
        detect_keypoints(video, weights=tmp_path / "other.pth", options=QUICK)
    with pytest.raises(ValueError, match="every and max_people must be at least 1"):
        DetectOptions(every=0)
    from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(KeypointRCNN_ResNet50_FPN_Weights, "get_state_dict", offline)
    with pytest.raises(ValueError, match=r"could not fetch the weights of keypointrcnn \(no network\)"):
        detect_keypoints(video, options=QUICK)


def test_mediapipe_wants_its_package(video, tmp_path, monkeypatch):
    options = DetectOptions()
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ValueError, match=r"needs the package mediapipe .* pip install 'mediapipe==0\.10\.14'"):
        detect_keypoints(video, detector="mediapipe", options=options)
    monkeypatch.setitem(sys.modules, "mediapipe", SimpleNamespace(__version__="0.11.0"))
    with pytest.raises(ValueError, match=r"mediapipe 0\.11\.0 has no legacy 'solutions'"):
        detect_keypoints(video, detector="mediapipe", options=options)
    with pytest.raises(ValueError, match="mediapipe takes no weights"):
        detect_keypoints(video, detector="mediapipe", weights=tmp_path / "w", options=options)


class _Pose:
    """Stands in for MediaPipe's Pose where the package is absent: sees somebody in every other picture it is given."""

    seen: ClassVar[list[np.ndarray]] = []

    def __init__(self, *, static_image_mode: bool, model_complexity: int) -> None:
        assert not static_image_mode
        self.complexity = model_complexity

    def __enter__(self) -> _Pose:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def process(self, picture: np.ndarray) -> SimpleNamespace:
        self.seen.append(picture)
        if len(self.seen) % 2 == 0:
            return SimpleNamespace(pose_landmarks=None, pose_world_landmarks=None)
        image = [SimpleNamespace(x=k / 100, y=k / 50, z=0.0, visibility=k / 33) for k in range(33)]
        world = [SimpleNamespace(x=k / 10, y=-k / 10, z=k / 20, visibility=1.0) for k in range(33)]
        return SimpleNamespace(
            pose_landmarks=SimpleNamespace(landmark=image), pose_world_landmarks=SimpleNamespace(landmark=world)
        )


def test_mediapipes_answers_become_pixels_and_metres(video, monkeypatch):
    """Known answer: fractions of the picture become pixels, metres stay, frames where nobody was found have no row."""
    monkeypatch.setattr(_Pose, "seen", [])
    pose = SimpleNamespace(solutions=SimpleNamespace(pose=SimpleNamespace(Pose=_Pose)))
    monkeypatch.setitem(sys.modules, "mediapipe", pose)
    people = detect_keypoints(video, detector="mediapipe", options=DetectOptions())
    assert people.frame.tolist() == [0, 2, 4, 6]
    assert people.layout == "mediapipe33"
    k = np.arange(33)
    np.testing.assert_allclose(people.keypoints2d[1], np.column_stack([k / 100 * W, k / 50 * H, k / 33]))
    np.testing.assert_allclose(people.keypoints3d[1], np.column_stack([k / 10, -k / 10, k / 20]))
    np.testing.assert_allclose(people.point("left_ankle")[0, 0], LANDMARKS.index("left_ankle") / 100 * W)
    assert all((a == b).all() for a, (_, b) in zip(_Pose.seen, read_frames(video), strict=True))


def test_the_manifest_says_what_made_the_maps(video, model, tmp_path):
    estimate_depth(video, model=model, frames=1, out=tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert set(manifest) == {"video", "model", "frames", "files"}
    assert manifest["model"]["name"] == model.name
    assert str(tmp_path) not in json.dumps(manifest)
