"""Kept fits: what was saved is loaded, and a digest changes with every input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augment.reconstruct.cache import FIT_CODE, digest_of, load_fit, save_fit
from augment.reconstruct.people import Recovered
from tests.make.random_people import COUNT, somebody


def same(one: Recovered, other: Recovered) -> None:
    for name in Recovered.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        if name == "motion":
            for field in ("global_orient", "body_pose", "transl", "betas"):
                np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
            assert (a.fps, a.name, a.source, a.provenance) == (b.fps, b.name, b.source, b.provenance)
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        else:
            assert a == b


def test_the_digest_of_a_fit_covers_all_code_that_a_fit_runs():
    import grimp

    graph, package = grimp.build_graph("augment"), Path(__file__).parents[2] / "augment"
    covered = {file for path in FIT_CODE for file in (path.rglob("*.py") if path.is_dir() else [path])}
    for module in ("augment.reconstruct.bodies.fit", "augment.reconstruct.watch.watch"):
        for name in graph.find_upstream_modules(module) | {module}:
            path = package.joinpath(*name.split(".")[1:])
            assert path.is_dir() or path.with_suffix(".py") in covered, name


def test_what_is_saved_is_loaded(tmp_path):
    """Round trip: every field of every person, NaN and all; the camera as refined; the same bytes each time."""
    people = [somebody(0, rejected=((3, 9, "why"),)), somebody(1, first=7, layout="", observed2d=np.zeros((COUNT, 0, 3)),
                                                                fitted2d=np.zeros((COUNT, 0, 2)))]  # fmt: skip
    for name in ("a.npz", "b.npz"):
        save_fit(tmp_path / name, people)
    found = load_fit(tmp_path / "a.npz")
    assert found is not None
    assert len(found) == 2
    for one, other in zip(people, found, strict=True):
        same(one, other)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_nobody_round_trips(tmp_path):
    save_fit(tmp_path / "none.npz", [])
    assert load_fit(tmp_path / "none.npz") == []


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "text", "other"])
def test_a_damaged_fit_is_no_fit(tmp_path, damage):
    """Whatever a crash left behind is fitted again, never an error."""
    path = tmp_path / "fit.npz"
    save_fit(path, [somebody()])
    whole = path.read_bytes()
    if damage == "absent":
        path.unlink()
    elif damage == "other":
        np.savez(path, rows=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello"}[damage])
    assert load_fit(path) is None


def test_a_digest_tells_contents_not_names(tmp_path):
    """The same content under another name is the same; any change of a byte, a file's name in a folder, a value is not."""
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"one")
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"two")
    assert digest_of(tmp_path / "a") != digest_of(tmp_path / "b")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.json").write_bytes(b"1")
    before = digest_of(folder)
    (folder / "x.json").rename(folder / "y.json")
    assert digest_of(folder) != before
    assert digest_of(1, {"K": np.eye(3)}) == digest_of(1, {"K": np.eye(3)}) != digest_of(1, {"K": np.eye(3) * 2})


def test_a_digest_tells_tables_of_people_apart():
    """Points found in memory count like a file: the same ones are the same, other ones, or none, are not."""
    from augment.sources.people.people import People

    def table(left: float) -> People:
        points = np.full((2, 17, 3), left)
        return People(
            path=Path("memory"), source="test", frame=np.arange(2), track=np.zeros(2, int), layout="coco17", keypoints2d=points
        )

    assert digest_of(table(1.0), None) == digest_of(table(1.0), None)
    assert (
        len({digest_of(table(1.0), None), digest_of(table(2.0), None), digest_of(None, None), digest_of(None, table(1.0))}) == 4
    )
