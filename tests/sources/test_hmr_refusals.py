"""Damaged, foreign and hostile files of body estimators are refused with the file and the field."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch

from augment.sources.people.hmr import HMR_READERS, read_hmr
from tests.make.hmr import (
    FRAMES,
    gvhmr,
    intrinsics,
    make_truth,
    phalp,
    prompthmr,
    read,
    tram,
    vibe,
    wham,
)


def spoil_pose(data: dict) -> None:
    data[0]["pose"] = data[0]["pose"][:, :69]


def spoil_length(data: dict) -> None:
    data[0]["frame_ids"] = np.arange(2)


def spoil_fraction(data: dict) -> None:
    data[0]["frame_ids"] = FRAMES + 0.5


def spoil_units(data: dict) -> None:
    data[0]["trans"] = data[0]["trans"] * 1000


def spoil_nan(data: dict) -> None:
    data[0]["pose"][1, 5] = np.nan


def spoil_missing(data: dict) -> None:
    del data[0]["betas"]


def spoil_behind(data: dict) -> None:
    data[0]["trans"] = data[0]["trans"] * [1, 1, -1]


def spoil_negative(data: dict) -> None:
    data[0]["frame_ids"] = FRAMES - 5


def spoil_kind(data: dict) -> None:
    data[0]["trans"] = "nowhere"


def spoil_empty(data: dict) -> None:
    for name in ("pose", "trans", "betas", "frame_ids"):
        data[0][name] = data[0][name][:0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_pose, r"\[0\].pose: expected shape \(n, 72\), found \(3, 69\)"),
        (spoil_length, r"\[0\].frame_ids has 2 entries for 3 poses"),
        (spoil_fraction, r"\[0\].frame_ids must be whole"),
        (spoil_units, r"transl: bodies lie \d+ m away .* divide by 1000"),
        (spoil_nan, r"body_pose holds NaN or infinity at frame 1"),
        (spoil_missing, r"lacks the field \[0\].betas"),
        (spoil_behind, r"transl: 3 of 3 bodies lie behind the camera"),
        (spoil_negative, r"a frame number is negative"),
        (spoil_kind, r"\[0\].trans is not an array of numbers"),
        (spoil_empty, r"nobody in it"),
    ],
)
def test_bad_fields_are_named(tmp_path, spoil: Callable[[dict], None], message):
    data = wham({0: make_truth(0)})
    spoil(data)
    joblib.dump(data, tmp_path / "w.pkl")
    with pytest.raises(ValueError, match=f"w.pkl: .*{message}"):
        read(tmp_path / "w.pkl")


def test_bad_phalp_is_named(tmp_path):
    path = tmp_path / "demo.pkl"

    def check(change: Callable[[dict], None], message: str, **options) -> None:
        data = phalp({3: make_truth(0)}, **options)
        change(data)
        joblib.dump(data, path, compress=3)
        with pytest.raises(ValueError, match=f"demo.pkl: .*{message}"):
            read(path)

    first = "outputs/_DEMO/video7/img/000001.jpg"
    check(lambda d: None, "field size is 480x640 but the video is 640x480", size=(640, 480))
    check(lambda d: d[first]["camera"].pop(), "000001.jpg.*: field camera has 0 entries for 1 in tid")
    check(lambda d: d[first]["smpl"][0].pop("betas"), r"field smpl\[0\]: expected global_orient")
    check(
        lambda d: d[first]["smpl"][0].update(body_pose=np.zeros((23, 3, 3))),
        r"smpl\[\].body_pose does not hold rotation .* frame .*000001.jpg",
    )
    check(lambda d: d[first]["smpl"][0].update(body_pose=np.zeros((21, 3, 3))), r"body_pose: expected shape \(23, 3, 3\)")
    check(lambda d: [e.update(tracked_time=[1]) for e in d.values()], "nobody in it")
    check(lambda d: d.update({"other/000001.jpg": d[first]}), "one frame number twice")


def test_a_lens_of_another_picture_is_named(tmp_path):
    torch.save(gvhmr(make_truth(0), intrinsics(700, 1920, 1080)), tmp_path / "g.pt")
    with pytest.raises(ValueError, match=r"g.pt: field K_fullimg .* picture of 1920x1080; the video is 640x480"):
        read(tmp_path / "g.pt")
    joblib.dump({1: vibe(make_truth(0))[0]}, tmp_path / "v.pkl")
    with pytest.raises(ValueError, match=r"v.pkl: field \[1\].orig_cam belongs to a picture of aspect 1.333"):
        read_hmr(tmp_path / "v.pkl", width=480, height=640)
    joblib.dump(prompthmr({1: make_truth(0)}, 1.0, 650), tmp_path / "p.pkl")
    with pytest.raises(ValueError, match=r"p.pkl: field img_center .* another aspect"):
        read_hmr(tmp_path / "p.pkl", width=480, height=640)


def test_unknown_content_says_what_was_found_and_what_is_known(tmp_path):
    contents = {
        "a.pkl": ({"keypoints": np.ones(3), "boxes": np.ones(4)}, "found the keys keypoints, boxes"),
        "b.pkl": ({1: {"theta": 1}}, "the first holding theta"),
        "c.pkl": ([1, 2], "holds a list"),
        "d.pkl": ({}, "empty dictionary: nobody"),
    }
    for name, (content, message) in contents.items():
        joblib.dump(content, tmp_path / name)
        with pytest.raises(ValueError, match=message) as error:
            read(tmp_path / name)
        assert all(known in str(error.value) for known in HMR_READERS)
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "absent.pkl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no .npy, .npz or .pkl"):
        read(tmp_path / "empty")


def leaves(content: Any, path: tuple = ()):
    """Ways to everything in nested dictionaries and lists."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield (*path, key)
            yield from leaves(value, (*path, key))


MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "none": lambda value: None,
    "word": lambda value: "x",
    "list": lambda value: [],
    "cut": lambda value: value[:1] if getattr(value, "ndim", 0) else 3.0,
    "nan": lambda value: value * float("nan") if getattr(value, "ndim", 0) else {},
}


@pytest.mark.parametrize("name", ["wham", "gvhmr", "prompthmr", "phalp", "vibe", "tram"])
def test_whatever_field_is_spoilt_the_error_names_the_file(tmp_path, name):
    """One value at a time: the file is read all the same (a field nobody needs), or refused with its name."""
    t, path, refusals = make_truth(0), tmp_path / "spoilt.pkl", []
    content = {
        "wham": lambda: {0: dict(wham({0: t})[0])}, "gvhmr": lambda: gvhmr(t, intrinsics(700)),
        "prompthmr": lambda: prompthmr({1: t}, 1.0, 650), "phalp": lambda: dict(list(phalp({3: t}).items())[:1]),
        "vibe": lambda: {7: vibe(t)[0]}, "tram": lambda: {"hps_track_0": tram(t)},
    }[name]  # fmt: skip
    for way in leaves(content()):
        for change in MUTATIONS.values():
            spoilt = content()
            holder = spoilt
            for key in way[:-1]:
                holder = holder[key]
            holder[way[-1]] = change(holder[way[-1]])
            path.write_bytes(pickle.dumps(spoilt))
            try:
                read(path, focal=650)
            except ValueError as error:
                refusals.append(str(error))
    assert len(refusals) > 20
    assert [text for text in refusals if str(path) not in text] == []


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["a.pkl", "a.npy", "a.npz", "a.pt"])
def test_hostile_files_are_refused(tmp_path, name):
    path, marker = tmp_path / name, tmp_path / "it_ran"
    bad = {"pose": Touch(marker)}
    {
        ".pkl": lambda: path.write_bytes(pickle.dumps(bad)),
        ".npy": lambda: np.save(path, bad, allow_pickle=True),
        ".npz": lambda: np.savez(path, a=np.array(bad, object)),
        ".pt": lambda: torch.save(bad, path),
    }[path.suffix]()
    with pytest.raises(ValueError, match=rf"{name}: refused to unpickle \w+.system"):
        read(path)
    assert not marker.exists()
