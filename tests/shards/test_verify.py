"""Every kind of damage to a folder of shards is found and named."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest

from augment.files import npz_bytes
from augment.shards.sample import clip_to_sample
from augment.shards.tar import read_manifest
from augment.shards.verify import sample_problems, verify
from augment.shards.video_codec import encode_mask, encode_video
from tests.make.shards import rewrite, tiny_clip, with_json, with_npz


def test_sound_shards_have_no_problems(folder):
    assert verify(folder) == []


def test_an_optional_layer_is_checked_too(folder):
    layers = clip_to_sample(
        "x", tiny_clip(), layers={"mask": np.ones((12, 48, 64), np.uint8), "depth": np.ones((12, 48, 64), np.float32)}
    )
    rewrite(folder, lambda samples: [layers, *samples])
    assert verify(folder) == []
    short = encode_mask(np.ones((5, 48, 64), np.uint8), fps=10)
    rewrite(folder, lambda samples: [samples[0] | {"mask.mp4": short}, *samples[1:]])
    assert any("mask.mp4: shape (5, 48, 64), expected (12, 48, 64)" in problem for problem in verify(folder))


def test_a_flipped_byte_is_found(folder):
    path = folder / "clips-000001.tar"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert any("clips-000001.tar: digest differs" in problem for problem in verify(folder))


def test_a_truncated_shard_is_found(folder):
    path = folder / "clips-000000.tar"
    path.write_bytes(path.read_bytes()[:3000])
    assert any("clips-000000.tar" in problem for problem in verify(folder))


def test_a_missing_shard_a_stranger_and_a_missing_manifest_are_found(folder):
    (folder / "clips-000001.tar").rename(folder / "other.tar")
    problems = verify(folder)
    assert any("clips-000001.tar: missing" in problem for problem in problems)
    assert any("other.tar: not in the manifest" in problem for problem in problems)
    (folder / "manifest.json").unlink()
    assert "unfinished" in verify(folder)[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (with_json(label="slips.badly"), "json: label: action 'slips.badly': expected letters"),
        (with_json(label=None), "json: label is missing"),
        (with_json(extra=1), "unknown field 'extra'"),
        (with_json(fps="10"), "fps is str, expected float"),
        (with_json(is_synthetic=1), "is_synthetic is int, expected bool"),
        (with_json(segments=[]), "segments: none"),
        (with_json(segments=[{"label": "fall", "start_sec": 0.0, "end_sec": 0.6}]), "segments: end at 0.600 s, the clip at"),
        (
            with_json(
                segments=[
                    {"label": "walk", "start_sec": 0.0, "end_sec": 0.4},
                    {"label": "fall", "start_sec": 0.6, "end_sec": 1.2},
                ]
            ),
            "starts at 0.600 s, expected 0.400 s (gap or overlap)",
        ),
        (
            with_json(segments=[{"label": "fly:ing", "start_sec": 0.0, "end_sec": 1.2}]),
            "segments[0]: label: frame label 'fly:ing': expected a name",
        ),
        (
            with_json(segments=[{"label": "fall", "start_sec": "0", "end_sec": 1.2}]),
            "expected seconds for start_sec and end_sec",
        ),
        (with_json(segments=[{"label": "fall", "start_sec": 0.0, "end_sec": float("nan")}]), "expected seconds for start_sec"),
        (
            with_json(segments=[{"label": ["fall"], "start_sec": 0.0, "end_sec": 1.2}]),
            "segments[0]: label is list, expected a name",
        ),
        (with_json(fps=float("nan")), "must be positive numbers"),
        (with_json(frames=13), "expected (13, 24, 3)"),
        (with_npz(joints=None), "npz: joints is missing"),
        (with_npz(transl=np.zeros((5, 3), np.float32)), "npz: transl has shape (5, 3), expected (12, 3)"),
        (with_npz(betas=np.zeros(10)), "npz: betas is float64, expected float32"),
        (with_npz(betas=np.full(10, np.nan, np.float32)), "not finite"),
        (with_npz(poses=np.zeros(3)), "unknown array 'poses'"),
        (lambda s: [{k: v for k, v in s[0].items() if k != "npz"}, s[1]], "member .npz is missing"),
        (lambda s: [{k: v for k, v in s[0].items() if k != "mp4"}, s[1]], "member .mp4 is missing"),
        (lambda s: [{k: v for k, v in s[0].items() if k != "json"}, s[1]], "member .json is missing"),
        (lambda s: [s[0] | {"mp4": b"x" * 900}, s[1]], "mp4: cannot be read"),
        (lambda s: [s[0] | {"npz": b"x" * 900}, s[1]], "npz: cannot be read"),
        (lambda s: [s[0] | {"txt": b"x"}, s[1]], "unknown member .txt"),
        (lambda s: [s[0], s[1] | {"__key__": "c-1-0"}], "key used before, in clips-000000.tar"),
        (
            lambda s: [s[0] | {"mp4": encode_video(tiny_clip(frames=7).frames, fps=10)}, s[1]],
            "mp4: shape (7, 48, 64, 3), expected (12, 48, 64, 3)",
        ),
    ],
)
def test_each_kind_of_damage_is_named(folder, change, expected):
    rewrite(folder, change)
    problems = verify(folder)
    assert any(expected in problem for problem in problems), problems


def test_names_of_ones_own_are_no_problem(folder):
    """Law: an action or frame label is valid whether or not our tables have it."""
    own = [{"label": "pacing up and down", "start_sec": 0.0, "end_sec": 1.2}]
    rewrite(folder, with_json(label="wander", segments=own))
    assert verify(folder) == []


@pytest.mark.parametrize("shards", [None, 3, [3], [{"name": "clips-000000.tar"}]])
def test_a_manifest_that_describes_no_shards_is_named(folder, shards):
    manifest = read_manifest(folder) | {"shards": shards}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (problem,) = verify(folder)
    assert "manifest.json: expected `samples` and a list `shards`" in problem


def test_flipped_bytes_in_a_member_are_a_problem_not_a_crash():
    rng = np.random.default_rng(0)
    depth = rng.integers(0, 9, (12, 48, 64)).astype(np.float32)
    sound = clip_to_sample("x", tiny_clip(), layers={"depth": depth})
    for member in ("npz", "depth.npz"):
        for _ in range(60):
            data = bytearray(sound[member])
            for place in rng.integers(0, len(data), 3):
                data[place] = rng.integers(256)
            list(sample_problems(sound | {member: bytes(data)}))


def test_real_video_needs_no_body(folder):
    clip = dataclasses.replace(tiny_clip(), is_synthetic=False, arrays={})
    sample = clip_to_sample("real", clip)
    del sample["npz"]
    rewrite(folder, lambda samples: [sample, *samples])
    assert verify(folder) == []


def test_a_sample_that_pickles_is_refused(folder):
    buffer = io.BytesIO()
    np.savez(buffer, joints=np.array([{"a": 1}], dtype=object))
    rewrite(folder, lambda samples: [samples[0] | {"npz": buffer.getvalue()}, *samples[1:]])
    assert any("npz: cannot be read" in problem for problem in verify(folder))


@pytest.mark.parametrize("layers", [None, 3, ["rgb", 4], ["rgb", "masks"]])
def test_layers_that_are_no_list_of_names_are_a_problem_not_a_crash(layers):
    sound = clip_to_sample("x", tiny_clip())
    meta = json.loads(sound["json"]) | {"layers": layers}
    assert any("layers" in problem for problem in sample_problems(sound | {"json": json.dumps(meta).encode()}))


def test_a_layer_of_another_type_is_a_problem():
    sound = clip_to_sample("x", tiny_clip(), layers={"flow": np.ones((12, 48, 64, 2), np.float32)})
    assert list(sample_problems(sound)) == []
    other = npz_bytes({"flow": np.ones((12, 48, 64, 2), np.float64)})
    assert "flow.npz: float64, expected float16" in list(sample_problems(sound | {"flow.npz": other}))
