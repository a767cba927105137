"""Clips in the formats of other tools, read by those tools where they install, else by the documented fields."""

from __future__ import annotations

import csv
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from augment.actions import FRAME_LABELS
from augment.files import npz_arrays
from augment.reconstruct.annotate.segments import read_segments
from augment.shards.tar import read_shard
from augment.shards.video_codec import decode_video
from augment.sources.people.keypoints import read_keypoints
from augment.sources.people.people import People
from recognition.cli import main
from recognition.commands.export import ExportClips
from recognition.export.formats import FORMATS, write_detections
from tests.make.shards import cut_between_samples
from tests.make.videos import CLASSES, FPS, SEGMENTS, write_samples, write_sound, write_videos


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return write_samples(tmp_path_factory.mktemp("export") / "shards", 2, 1, seed=0)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    columns = {"action": "fall_sideways", "subject": "S7", "camera": "2"}
    return write_videos(tmp_path_factory.mktemp("table"), 2, seed=1, columns=columns, keypoints=True)


def export(source: Path, form: str, out: Path, *more: str) -> None:
    assert main(["export", str(source), "--format", form, "--out", str(out), *more]) == 0


FRAMES = {"standing": 16, "fall": 8, "fallen": 16}
"""Frames of each segment of the made-up clips."""


@pytest.mark.parametrize("kind", ["shards", "table"])
def test_class_folders_hold_each_segment_under_its_label(kind, tmp_path, request, capsys):
    source = request.getfixturevalue(kind) if kind == "shards" else request.getfixturevalue("table")
    export(source, "class-folders", tmp_path)
    count = 3 if kind == "shards" else 2
    assert capsys.readouterr().out.splitlines()[-1] == f"{tmp_path / 'train'}: {3 * count} clips"
    from torchvision.datasets.folder import find_classes

    assert find_classes(tmp_path / "train")[0] == sorted(FRAMES)
    for label, frames in FRAMES.items():
        files = sorted((tmp_path / "train" / label).iterdir())
        assert len(files) == count
        for file in files:
            found, fps = decode_video(file)
            assert (len(found), fps) == (frames, FPS)


def test_pytorchvideo_reads_the_class_folders(shards, tmp_path):
    pytest.importorskip("pytorchvideo")
    from pytorchvideo.data import labeled_video_dataset, make_clip_sampler
    from torch.utils.data import SequentialSampler

    export(shards, "class-folders", tmp_path, "--unit", "clip")
    dataset = labeled_video_dataset(
        str(tmp_path / "train"), make_clip_sampler("uniform", 5.0), video_sampler=SequentialSampler, decode_audio=False
    )
    clips = list(dataset)
    assert len(clips) == 3
    assert clips[0]["video"].shape == (3, 40, 48, 64)


def test_mmaction2s_list_has_a_path_and_a_number_in_every_line(table, tmp_path):
    export(table, "mmaction2", tmp_path, "--split", "val")
    labels = (tmp_path / "labels.txt").read_text().split()
    assert labels == list(FRAME_LABELS)
    lines = [line.split(" ") for line in (tmp_path / "val.txt").read_text().splitlines()]
    assert [labels[int(number)] for _, number in lines] == ["standing", "fall", "fallen"] * 2
    assert all(len(decode_video(tmp_path / path)[0]) == FRAMES[labels[int(number)]] for path, number in lines)


def test_mmaction2s_poses_are_the_clips_keypoints(shards, tmp_path):
    export(shards, "mmaction2-pose", tmp_path, "--unit", "clip", "--split", "xsub_train")
    found = pickle.loads((tmp_path / "xsub_train.pkl").read_bytes())
    names = [row["frame_dir"] for row in found["annotations"]]
    assert found["split"] == {"xsub_train": names}
    assert len(set(names)) == 3
    samples = [sample for path in sorted(shards.glob("*.tar")) for sample in read_shard(path, decode=False)]
    for row, sample in zip(found["annotations"], samples, strict=True):
        truth = npz_arrays(sample["npz"])["keypoints_coco"]
        assert row["keypoint"].shape == (1, row["total_frames"], 17, 2) == (1, 40, 17, 2)
        assert row["keypoint_score"].shape == (1, 40, 17)
        assert row["img_shape"] == row["original_shape"] == (48, 64)
        np.testing.assert_array_equal(row["keypoint"][0], truth[..., :2])
        assert (tmp_path / "labels.txt").read_text().splitlines()[row["label"]] == "fall_sideways"


def test_a_detectors_errors_can_be_added_to_poses(shards, tmp_path):
    for name, more in {"true": (), "spoiled": ("--detector-errors",)}.items():
        export(shards, "mmaction2-pose", tmp_path / name, *more)
    rows = [pickle.loads((tmp_path / name / "train.pkl").read_bytes())["annotations"] for name in ("true", "spoiled")]
    distances = [np.abs(a["keypoint"] - b["keypoint"]).mean() for a, b in zip(*rows, strict=True)]
    assert 0.01 < np.median(distances) < 10


def test_coco_is_read_by_pycocotools(shards, tmp_path):
    export(shards, "coco", tmp_path, "--every", "4")
    path = tmp_path / "train.json"
    coco = pytest.importorskip("pycocotools.coco").COCO(str(path))
    people = coco.loadAnns(coco.getAnnIds(catIds=coco.getCatIds(catNms=["person"])))
    assert len(people) == len(coco.getImgIds()) == 3 * (4 + 2 + 4)
    assert all(person["num_keypoints"] == 17 and len(person["keypoints"]) == 51 for person in people)
    for image in coco.loadImgs(coco.getImgIds()):
        assert (tmp_path / image["file_name"]).is_file()
    evaluated = pytest.importorskip("pycocotools.cocoeval").COCOeval(
        coco, coco.loadRes([{**person, "score": 1.0} for person in people]), "keypoints"
    )
    evaluated.evaluate()
    evaluated.accumulate()
    evaluated.summarize()
    assert evaluated.stats[0] == pytest.approx(1.0)


def test_a_detectors_people_are_read_back_as_they_were(tmp_path):
    """Also without anybody in the first frames."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(5, 40, (6, 17, 2)), rng.uniform(0.1, 1, (6, 17, 1))], axis=-1)
    points[2, 3] = np.nan
    people = People(
        path=tmp_path, source="test", frame=np.array([3, 3, 4, 5, 7, 8]), track=np.array([0, 1, 0, 0, 0, 0]), layout="coco17",
        keypoints2d=points, width=64, height=48,
    )  # fmt: skip
    found = read_keypoints(write_detections(people, tmp_path / "people.json", frames=10))
    assert (found.frames, found.width, found.height) == (10, 64, 48)
    np.testing.assert_array_equal(found.frame, people.frame)
    np.testing.assert_array_equal(found.track, people.track)
    np.testing.assert_allclose(found.keypoints2d, points, atol=1e-4)


def test_omnifalls_rows_are_the_segments(table, tmp_path):
    export(table, "omnifall", tmp_path, "--split", "own")
    rows = list(csv.DictReader((tmp_path / "own.csv").open()))
    assert list(rows[0]) == ["path", "label", "start", "end", "subject", "cam", "dataset"]
    assert [int(row["label"]) for row in rows] == [FRAME_LABELS.index(s.label) for s in SEGMENTS] * 2
    assert {(row["subject"], row["cam"], row["dataset"]) for row in rows} == {("7", "2", "own")}
    for path, segments in read_segments(tmp_path / "own.csv").items():
        assert segments == SEGMENTS
        assert len(decode_video((tmp_path / path).with_suffix(".mp4"))[0]) == 40


def test_a_studys_classes_are_the_labels(table, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(f"classes: {{down: fallen, fall: fall}}\nreal: {table}\ntest: {table}\narms: [real]\n")
    export(table, "mmaction2", tmp_path / "out", "--study", str(study))
    assert (tmp_path / "out" / "labels.txt").read_text().split() == ["down", "fall"]
    assert [line[-1] for line in (tmp_path / "out" / "train.txt").read_text().splitlines()] == ["1", "0"] * 2
    assert set(CLASSES) == {"standing", "fall", "down"}


def test_a_last_segment_that_begins_in_the_last_frame_is_kept(table, tmp_path, capsys):
    """Also where its begin is rounded to the frame after the last; every frame lies in the video."""
    head, row = table.read_text().splitlines()[:2]
    late = table.parent / "last.csv"
    late.write_text(f"{head}\n{row.rpartition(',')[0]},standing:0-4.95;fall:4.95-5.0\n")
    for form in ("class-folders", "mmaction2-pose", "coco"):
        export(late, form, tmp_path / form)
        assert capsys.readouterr().out.splitlines()[-1].endswith(": 2 clips")
    (last,) = (tmp_path / "class-folders" / "train" / "fall").iterdir()
    assert len(decode_video(last)[0]) == 1
    poses = pickle.loads((tmp_path / "mmaction2-pose" / "train.pkl").read_bytes())["annotations"]
    assert [one["total_frames"] for one in poses] == [40, 1]


def test_the_help_names_every_format():
    assert ExportClips.__doc__ is not None
    assert re.findall(r"^    - ([\w-]+):", ExportClips.__doc__, re.MULTILINE) == list(FORMATS)


def test_what_cannot_be_exported_is_counted_with_its_reason(table, tmp_path, capsys):
    """A segment behind the video's end; the others are written, also one of a single frame."""
    head, row = table.read_text().splitlines()[:2]
    late = table.parent / "late.csv"
    late.write_text(f"{head}\n{row.rpartition(',')[0]},standing:0-0.01;fall:2.0-3.0;fallen:9.0-9.5\n")
    export(late, "class-folders", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "note: left out: videos/v0.mp4: truncated: it ends before frame 72 of 40"
    assert lines[-1] == f"{tmp_path / 'train'}: 2 clips, 1 left out"
    (short,) = (tmp_path / "train" / "standing").iterdir()
    assert len(decode_video(short)[0]) == 1


def test_bad_input_is_refused_in_one_line_that_names_it(table, shards, tmp_path, capsys):
    def refused(source: Path, form: str, *more: str) -> str:
        capsys.readouterr()
        assert main(["export", str(source), "--format", form, "--out", str(tmp_path / "out"), *more]) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        return line

    assert "nothing: no such CSV, folder or tar" in refused(tmp_path / "nothing", "coco")
    assert "--where camera: expected COLUMN=VALUE" in refused(table, "coco", "--where", "camera")
    assert "--format cocoa: unknown (did you mean 'coco'?); expected one of: class-folders, mmac" in refused(table, "cocoa")
    assert "--every: used with --format coco, not mmaction2-pose; leave" in refused(table, "mmaction2-pose", "--every", "2")
    used = "--detector-errors: used with --format mmaction2-pose and coco, not omnifall; leave it out"
    assert used in refused(shards, "omnifall", "--detector-errors")
    assert "leave --study and --unit out" in refused(table, "omnifall", "--unit", "clip")
    cut = tmp_path / "clips-000000.tar"
    cut.write_bytes((shards / "clips-000000.tar").read_bytes()[:20_000])
    assert "clips-000000.tar: " in refused(cut, "class-folders")
    cut_between_samples(shards / "clips-000000.tar", cut)
    assert "clips-000000.tar: cut short: it lacks the zeros" in refused(cut, "class-folders")
    lines = table.read_text().splitlines()
    bare = table.parent / "bare.csv"
    bare.write_text("\n".join(",".join(line.split(",")[:1] + line.split(",")[2:4] + line.split(",")[-1:]) for line in lines))
    assert "none of 6 clips can be exported: videos/v0.mp4: no keypoints" in refused(bare, "coco")
    for name, write, message in (
        ("sound", write_sound, "no video stream in it"),
        ("cut", lambda path: path.write_bytes((table.parent / "videos/v0.mp4").read_bytes()[:3000]), "not a decodable video"),
        ("gone", lambda path: None, "no such file"),
    ):
        write(table.parent / f"videos/{name}.mp4")
        (table.parent / "bad.csv").write_text("\n".join([lines[0], lines[1].replace("v0.mp4", f"{name}.mp4")]))
        whole = refused(table.parent / "bad.csv", "omnifall")  # it would be copied as it is
        assert f"none of 1 clips can be exported: videos/{name}.mp4: {message}" in whole
    assert "field action is empty or missing" in refused(bare, "mmaction2", "--unit", "clip")
