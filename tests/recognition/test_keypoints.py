"""Keypoints as input: the same person gives the same tensor wherever it stands; films and detections look alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from augment.shards.video_codec import encode_video
from augment.sources.people.people import COCO17
from augment.types import Segment
from recognition.csv_table import read_csv
from recognition.inputs.keypoints import MIRRORED, KeypointStore, normalized
from recognition.networks.build import build_model
from recognition.recordings import Place, Recording
from recognition.study_file import make_study
from recognition.windows import Window
from tests.make.realdata import require
from tests.make.videos import bar_keypoints, study_data, write_npz_keypoints, write_sound, write_videos

FPS, FRAMES = 10.0, 50


def person(*, rng: np.random.Generator) -> np.ndarray:
    """Seventeen points that wander about, all seen. Shape (50, 17, 3)."""
    start = rng.uniform(100, 200, (1, 17, 2)) * [1, 2]
    points = start + rng.normal(size=(FRAMES, 17, 2)).cumsum(axis=0)
    return np.concatenate([points, np.full((FRAMES, 17, 1), 0.9)], axis=-1)


def write_npz(path: Path, points: np.ndarray) -> Place:
    np.savez(path, keypoints_coco=points.astype(np.float32))
    return Place(path=path)


def film_of(folder: Path, points: np.ndarray, *, label: str = "walk") -> Recording:
    """A synthetic recording of keypoints alone."""
    place = write_npz(folder / "clip.npz", points)
    segments = (Segment(label=label, start_sec=0.0, end_sec=FRAMES / FPS),)
    return Recording(
        name="clip", path=place.path, fps=FPS, frames=FRAMES, segments=segments, is_synthetic=True, has_video=False,
        keypoints=place, size=(640, 480),
    )  # fmt: skip


def store(frames: int = 8) -> KeypointStore:
    return KeypointStore(folder=None, size=32, frames=frames, window_sec=2.0)


def test_moving_and_scaling_the_picture_changes_nothing():
    points = person(rng=np.random.default_rng(0))
    moved = points * [2.5, 2.5, 1] + [300, -40, 0]
    np.testing.assert_allclose(normalized(points), normalized(moved), atol=1e-4)
    assert np.abs(normalized(points)[..., :2]).max() < 1.5


def test_a_point_never_found_is_zero_and_does_not_move_the_others():
    points = person(rng=np.random.default_rng(1))
    points[:, 9] = [5000, 5000, 0]
    result = normalized(points)
    assert not result[:, 9].any()
    assert np.abs(result[..., :2]).max() < 1.5


def test_mirroring_exchanges_the_sides_and_undoes_itself():
    assert [COCO17[i] for i in MIRRORED[:3]] == ["nose", "right_eye", "left_eye"]
    assert [MIRRORED[i] for i in MIRRORED] == list(range(17))


def test_films_get_a_detectors_errors_that_depend_on_their_content_alone(tmp_path):
    points = person(rng=np.random.default_rng(2))
    recording = film_of(tmp_path, points)
    variants = store().get(recording)
    assert [v.shape for v in variants] == [(FRAMES, 17, 3)] * 2
    assert not np.allclose(variants[0], variants[1])
    found = np.concatenate([v[..., :2][v[..., 2] > 0.5] - points[..., :2][v[..., 2] > 0.5] for v in variants])
    extent = np.ptp(points[..., :2], axis=1).max()
    assert 0.002 < np.median(np.abs(found)) / extent < 0.05
    for ours, again in zip(variants, store().get(recording), strict=True):
        np.testing.assert_array_equal(ours, again)


def test_what_one_process_spoiled_another_takes_from_the_folder(tmp_path):
    recording = film_of(tmp_path, person(rng=np.random.default_rng(2)))
    ours, theirs = (KeypointStore(folder=tmp_path / "kept", size=32, frames=8, window_sec=2.0) for _ in range(2))
    made = ours.get(recording)
    (kept,) = (tmp_path / "kept").iterdir()
    written = kept.stat().st_mtime_ns
    for mine, other, alone in zip(made, theirs.get(recording), store().get(recording), strict=True):
        np.testing.assert_array_equal(mine, other)
        np.testing.assert_array_equal(mine, alone)
    assert kept.stat().st_mtime_ns == written
    # Other labels mean other errors.
    theirs.get(dataclasses.replace(recording, name="again", segments=(Segment(label="fall", start_sec=0.0, end_sec=5.0),)))
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_a_window_shows_its_own_time_and_augmentation_follows_its_seed(tmp_path):
    recording = film_of(tmp_path, person(rng=np.random.default_rng(3)))
    kept = store()
    first, last = (kept.plain(recording, Window(recording=0, middle_sec=s, label=0)) for s in (1.0, 4.0))
    assert first.shape == (3, 8, 17)
    assert not torch.allclose(first, last)
    window = Window(recording=0, middle_sec=1.0, label=0)
    drawn = [kept.augmented(recording, window, rng=np.random.default_rng(seed)) for seed in range(9)]
    assert len({float(d[0, 0, 5]) for d in drawn}) == 9
    again = kept.augmented(recording, window, rng=np.random.default_rng(0))
    assert torch.equal(again, drawn[0])


def test_the_network_tells_up_from_down_after_training():
    torch.manual_seed(0)
    network = build_model("keypoint_cnn", 2, frames=8, size=32)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    windows, labels = torch.randn(64, 3, 8, 17) * 0.1, torch.arange(64) % 2
    windows[:, 1] += torch.linspace(-1, 1, 8)[None, :, None] * (labels * 2 - 1)[:, None, None]
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(windows), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network.eval()(windows).argmax(1) == labels).float().mean() > 0.95


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: {"keypoints": None}, "no npz"),
        (lambda r: {"keypoints": write_npz(r.path.with_name("other.npz"), np.zeros((4, 4)))}, "keypoints_coco"),
        (lambda r: {"is_synthetic": False, "keypoints": None}, "column `keypoints`"),
    ],
)
def test_a_recording_without_keypoints_is_named(tmp_path, spoil, message):
    recording = film_of(tmp_path, person(rng=np.random.default_rng(4)))
    with pytest.raises(ValueError, match=f"clip: .*{message}"):
        store().get(dataclasses.replace(recording, **spoil(recording)))


def test_a_model_of_another_input_is_refused():
    data = study_data(Path("r.csv"), Path("t.csv"))
    with pytest.raises(ValueError, match="model 'x3d_xs' takes input rgb or person or motion, not keypoints"):
        make_study({**data, "input": "keypoints", "model": "x3d_xs"})
    with pytest.raises(ValueError, match=r"unknown input 'keypoint' \(did you mean 'keypoints'\?\)"):
        make_study({**data, "input": "keypoint"})


def test_keypoints_and_video_of_a_row_belong_together(tmp_path):
    """Points of another picture size, points of nobody, a file that is no video or a shorter one; a video may be absent."""
    (found,) = read_csv(write_videos(tmp_path, 1, seed=0, keypoints=True))
    assert found.keypoints is not None
    assert store().get(found)[0].shape == (40, 17, 3)
    points = found.keypoints.path
    whole = points.read_bytes()
    write_npz_keypoints(points, bar_keypoints(rng=np.random.default_rng(0)) * [10, 10, 1], size=(640, 480))
    with pytest.raises(ValueError, match=r"v0.npz: field size: found in a 640x480 video but this is 64x48"):
        store().get(found)
    write_npz_keypoints(points, bar_keypoints(rng=np.random.default_rng(0)) * [1, 1, 0], size=(64, 48))
    with pytest.raises(ValueError, match=r"v0.mp4: nobody found in it: `keypoints` \(v0.npz\): no point of confidence above"):
        store().get(found)
    points.write_bytes(whole)
    write_sound(found.path)
    with pytest.raises(ValueError, match=r"v0.mp4: no video stream in it"):
        store().get(found)
    found.path.write_bytes(encode_video(np.zeros((1, 48, 64, 3), np.uint8), fps=8.0))
    with pytest.raises(ValueError, match=r"v0.mp4: truncated: 1 of 40 frames"):
        store().get(found)
    found.path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"v0.mp4: not a decodable video"):
        store().get(found)
    found.path.unlink()
    assert store().get(found)[0].shape == (40, 17, 3)


def test_keypoints_of_another_video_are_refused():
    recordings = {r.name: r for r in read_csv(require("upfall") / "labels.csv")}
    names = list(recordings)
    fall, walk = recordings[names[0]], next(r for r in recordings.values() if "walk" in r.row["segments"])
    assert store().get(fall)[0].shape == (fall.frames, 17, 3)
    with pytest.raises(ValueError, match="different videos"):
        store().get(dataclasses.replace(fall, keypoints=walk.keypoints))
