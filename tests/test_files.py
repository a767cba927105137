"""Laws of files: whole or not at all, the same bytes for the same content, damage is reported."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from augment.files import (
    DAMAGED_NPZ,
    canonical_json,
    code_digest,
    npz_arrays,
    npz_bytes,
    open_atomic,
    remove_unfinished,
    sha256_of,
    sha256_of_file,
    sha256_of_json,
    write_atomic,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")

    def write_and_fail() -> None:
        with open_atomic(path) as stream:
            stream.write(b"half of the ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.txt", b"old")]
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_refused_write_names_the_path(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="cannot write") as caught:
        write_atomic(tmp_path / "absent" / "a.txt", b"")
    assert caught.value.filename == str(tmp_path / "absent" / "a.txt")


def test_a_written_file_is_flushed_before_it_gets_its_name_and_its_folder_after(tmp_path: Path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append(os.readlink(f"/proc/self/fd/{handle}")))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append(f"rename to {b}"), replace(a, b)))
    write_atomic(tmp_path / "a", b"x")
    assert calls == [str(tmp_path / f".a.tmp-{os.getpid()}"), f"rename to {tmp_path / 'a'}", str(tmp_path)]


def test_unfinished_files_of_killed_runs_are_removed(tmp_path: Path):
    (tmp_path / ".a.tar.tmp-17").write_bytes(b"half")
    (tmp_path / "a.tmp").write_bytes(b"somebody's")
    remove_unfinished(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tmp"]


def test_digests_of_bytes_file_and_json_agree(tmp_path: Path):
    facts = {"b": np.arange(2), "a": Path("x/y")}
    write_atomic(tmp_path / "a", canonical_json(facts))
    same = canonical_json({"a": "x/y", "b": [0, 1]})
    assert sha256_of_json(facts) == sha256_of(same) == sha256_of_file(tmp_path / "a")
    assert sha256_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(TypeError, match="cannot write set"):
        canonical_json({"a": {1}})


def test_the_digest_of_code_knows_names_and_content_of_every_file():
    package = Path(__file__).parents[1] / "augment"
    whole = code_digest(package / "shards", package / "files.py")
    assert whole == code_digest(package / "files.py", *(package / "shards").glob("*.py"))
    assert len({whole, code_digest(package / "shards"), code_digest(package / "files.py")}) == 3


def test_npz_bytes_depend_on_the_arrays_alone_and_are_read_back(tmp_path: Path):
    arrays = {"b": np.arange(6, dtype=np.int16).reshape(2, 3), "a": np.zeros(0)}
    for compress in (False, True):
        data = npz_bytes(arrays, compress=compress)
        assert data == npz_bytes(dict(reversed(arrays.items())), compress=compress)
        (tmp_path / "a.npz").write_bytes(data)
        for read in (npz_arrays(data), npz_arrays(tmp_path / "a.npz")):
            assert read.keys() == arrays.keys()
            assert all(read[name].dtype == arrays[name].dtype and (read[name] == arrays[name]).all() for name in arrays)


def test_every_damage_of_an_npz_is_one_of_the_listed_errors():
    data = npz_bytes({"a": np.arange(100.0), "b": np.arange(50)}, compress=True)
    rng = np.random.default_rng(0)
    for place in rng.integers(len(data), size=300):
        spoiled = bytearray(data)
        spoiled[place] ^= int(rng.integers(1, 256))
        for bad in (bytes(spoiled), data[:place]):
            try:
                npz_arrays(bad)
            except DAMAGED_NPZ:
                continue
