"""The scenes that the tests of this folder share: the clip reconstructed with and without depth."""

from __future__ import annotations

from pathlib import Path

import pytest

from augment.reconstruct.annotate.segments import read_segments
from augment.reconstruct.config import Inputs
from augment.reconstruct.people import Reconstruction
from tests.make.clip import reconstruct_clip


@pytest.fixture(scope="session")
def guessed(clip, tmp_path_factory) -> tuple[Path, Reconstruction]:
    """From keypoints alone, with labels."""
    out = tmp_path_factory.mktemp("guessed") / "ward"
    (out.parent / "labels.csv").write_text("path,label,start,end\nday1/clip.mp4,standing,0,1\nday1/clip.mp4,walk,1,9\n")
    segments = read_segments(out.parent / "labels.csv")
    return out, reconstruct_clip(clip, out, Inputs(video=clip.video, keypoints=clip.keypoints), segments=segments)


@pytest.fixture(scope="session")
def measured(clip, tmp_path_factory) -> tuple[Path, Reconstruction]:
    """From keypoints, bodies and depth."""
    out = tmp_path_factory.mktemp("measured") / "ward"
    return out, reconstruct_clip(clip, out, Inputs(video=clip.video, keypoints=clip.keypoints, hmr=clip.hmr, depth=clip.depth))
