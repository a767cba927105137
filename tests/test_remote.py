"""Laws of files behind URLs: what was written is read back; a fault that passes is outlived, another is named at once."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import fsspec
import pytest

from augment import remote
from augment.remote import Remote, copy_folder, file_names, is_url, local_copy, open_stream, place_of, read_bytes
from tests.make.bucket import Failing, full


@pytest.fixture
def store(monkeypatch) -> Remote:
    """An empty folder of the file system ``failing://``, without waits between tries."""
    fsspec.register_implementation("failing", Failing, clobber=True)
    monkeypatch.setattr(Failing, "store", {})
    monkeypatch.setattr(Failing, "refuse", {})
    monkeypatch.setattr(remote, "WAIT_SEC", 0.0)
    return Remote("failing://bucket/run")


def test_files_come_back_as_they_went(store: Remote, tmp_path: Path):
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 100)
    store.put(tmp_path / "a.bin", "deep/er/a.bin")
    store.write("b.json", b"{}")
    assert file_names(store) == ["b.json", "deep/er/a.bin"]
    assert {name: stored.size for name, stored in store.files().items()} == {"b.json": 2, "deep/er/a.bin": 25600}
    with local_copy(store, "deep/er/a.bin") as path:
        assert path.read_bytes() == (tmp_path / "a.bin").read_bytes()
    assert not path.exists()
    assert store.read_all(["b.json", "deep/er/a.bin"])["b.json"] == read_bytes(store, "b.json") == b"{}"
    assert open_stream("failing://bucket/run/b.json").read() == b"{}"
    copy_folder(store, "deep", tmp_path / "copied")
    assert (tmp_path / "copied" / "er" / "a.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()
    store.remove(["b.json", "absent"])
    assert file_names(store) == ["deep/er/a.bin"]


def test_a_path_is_a_path_and_a_url_a_url(tmp_path: Path):
    assert place_of(f"file://{tmp_path}") == place_of(str(tmp_path)) == tmp_path
    assert place_of("memory://a/b/") == Remote("memory://a/b")
    assert is_url("s3://bucket/run")
    assert not is_url("C/odd:name")
    with pytest.raises(ValueError, match=r"nope://x: Protocol not known.*memory"):
        place_of("nope://x")


def test_a_store_that_falters_is_tried_again_and_one_that_goes_on_so_is_named(store: Remote):
    busy = [OSError(errno.EBUSY, "Please reduce your request rate") for _ in range(20)]
    Failing.refuse = {"a.json": busy[: remote.TRIES - 1], "b.json": busy}
    store.write("a.json", b"1")
    assert store.read("a.json") == b"1"
    with pytest.raises(OSError, match="cannot write: Please reduce your request rate") as caught:
        store.write("b.json", b"2")
    assert caught.value.filename == "failing://bucket/run/b.json"
    assert file_names(store) == ["a.json"]


@pytest.mark.parametrize("error", [full(), PermissionError(errno.EACCES, "Access Denied"), OSError(errno.EROFS, "Read-only")])
def test_a_full_or_forbidden_store_is_named_at_once(store: Remote, error: OSError):
    Failing.refuse = {"a.json": [error] * 9}
    with pytest.raises(OSError, match=f"cannot write: {error.strerror}") as caught:
        store.write("a.json", b"1")
    assert caught.value.errno == error.errno
    assert len(Failing.refuse["a.json"]) == 8


def test_a_file_that_is_not_there_is_named(store: Remote, tmp_path: Path):
    for read in (lambda: store.read("x.json"), lambda: store.get("x.json", tmp_path / "x"), lambda: store.read_all(["x.json"])):
        with pytest.raises(FileNotFoundError) as caught:
            read()
        assert str(caught.value.filename).endswith("bucket/run/x.json")
    assert store.files() == {}


def test_what_arrives_short_is_sent_again(store: Remote, tmp_path: Path, monkeypatch):
    """A store that keeps half of a file the first time."""
    (tmp_path / "a.bin").write_bytes(os.urandom(1000))
    whole, sent = Failing.put_file, []

    def halved(self, lpath: str, rpath: str, **options) -> None:
        sent.append(rpath)
        if len(sent) == 1:
            self.pipe_file(rpath, Path(lpath).read_bytes()[:500])
        else:
            whole(self, lpath, rpath, **options)

    monkeypatch.setattr(Failing, "put_file", halved)
    store.put(tmp_path / "a.bin", "a.bin")
    assert len(sent) == 2
    assert store.read("a.bin") == (tmp_path / "a.bin").read_bytes()
