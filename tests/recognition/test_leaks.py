"""Training clips that show, or were made from, test recordings are refused."""

from __future__ import annotations

import pytest

from recognition.leaks import named_sources, refuse_leaks
from recognition.recordings import Recording
from tests.make.videos import recording


def test_a_shared_group_is_refused_by_name():
    with pytest.raises(ValueError, match=r"arm 'real' leaks: 1 group\(s\) are in training and test: trial=2; change `where`"):
        refuse_leaks([recording("a", group="trial=2")], [recording("b", group="trial=2")], arm="real")


def test_the_same_video_under_another_name_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(b"same")
    pair = [recording(name, path=tmp_path / f"{name}.mp4") for name in ("a", "b")]
    with pytest.raises(ValueError, match="a is the same video as b"):
        refuse_leaks(pair[:1], pair[1:], arm="real")


@pytest.mark.parametrize(
    "provenance",
    [
        {"scene": {"recordings": ["trial=2"]}},
        {"scene": {"made_from": ["/somewhere/else/b.mp4"]}},
        {"motion": {"digests": ["2" * 64]}},
    ],
)
def test_a_synthetic_clip_made_from_a_test_recording_is_refused(tmp_path, provenance, monkeypatch):
    monkeypatch.setattr(Recording, "digest", lambda self: ("1" if self.is_synthetic else "2") * 64)
    made = recording("clip", is_synthetic=True, sources=frozenset(named_sources(provenance)))
    with pytest.raises(
        ValueError, match=r"1 synthetic clip\(s\), such as clip, were made from test recording\(s\) videos/b.mp4"
    ):
        refuse_leaks([made], [recording("videos/b.mp4", group="trial=2")], arm="synthetic")


def test_what_does_not_leak_passes():
    made = recording("clip", is_synthetic=True, group="sample clip", sources=frozenset({"trial=1", "c.mp4"}))
    refuse_leaks([recording("a"), made], [recording("b")], arm="real")
