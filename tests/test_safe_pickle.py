"""Laws: what was written comes back; nothing hostile runs; a small file cannot unpack without bound."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import zipfile
import zlib

import joblib
import numpy as np
import pytest
import torch
from scipy import sparse

from augment.safe_pickle import load_npy, load_npz, load_pickle, load_torch


def contents() -> dict:
    rng = np.random.default_rng(0)
    return {
        "c": rng.normal(size=(3, 4)),
        "fortran": np.asfortranarray(rng.normal(size=(4, 5, 2))),
        "big_endian": np.arange(5, dtype=">i4"),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.float32(1.5),
        "words": ["a", b"raw", None, 3, (1, 2)],
        "ragged": np.array([{"x": np.arange(3)}, None], object),
        ("tuple", 1): {"deep": [np.eye(2)]},
    }


def assert_same(a, b) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, np.ndarray) and a.dtype == object:
        assert a.shape == b.shape
        for x, y in zip(a.ravel(), b.ravel(), strict=True):
            assert_same(x, y)
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("compress", [0, 3, ("zlib", 1), ("gzip", 3), ("bz2", 3), ("xz", 1), ("lzma", 1)])
def test_joblib_files_come_back_as_joblib_reads_them(tmp_path, compress):
    path = tmp_path / "file.pkl"
    joblib.dump(contents(), path, compress=compress)
    assert_same(joblib.load(path), load_pickle(path))


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_come_back(tmp_path, protocol):
    path = tmp_path / "file.pkl"
    path.write_bytes(pickle.dumps(contents(), protocol=protocol))
    assert_same(contents(), load_pickle(path))


def test_sparse_matrices_tensors_and_default_dicts_come_back(tmp_path):
    from collections import defaultdict

    nested = defaultdict(dict)
    nested[3]["pose"] = np.ones(2)
    data = {
        "regressor": sparse.csc_matrix(np.eye(3)), "nested": nested, "tensor": torch.arange(6.0).reshape(2, 3),
        "view": torch.arange(6).reshape(2, 3).T[1:],
    }  # fmt: skip
    for name, dump in {"plain": lambda p: p.write_bytes(pickle.dumps(data)), "joblib": lambda p: joblib.dump(data, p)}.items():
        path = tmp_path / name
        dump(path)
        back = load_pickle(path)
        assert (back["regressor"].toarray() == np.eye(3)).all()
        np.testing.assert_array_equal(back["nested"][3]["pose"], np.ones(2))
        assert torch.equal(back["tensor"], data["tensor"])
        assert torch.equal(back["view"], data["view"])


def test_memmaps_come_back_as_plain_arrays(tmp_path):
    array = np.memmap(tmp_path / "raw", np.float32, "w+", shape=(4,))
    array[:] = range(4)
    joblib.dump({"a": array}, tmp_path / "file.pkl")
    back = load_pickle(tmp_path / "file.pkl")["a"]
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, range(4))


class Call:
    """A pickle of this runs a function when read carelessly."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def attacks(marker) -> dict[str, tuple[Call, str]]:
    return {
        "system": (Call(os.system, f"touch {marker}"), "posix.system"),
        "eval": (Call(builtins.eval, f"open({str(marker)!r}, 'w')"), "builtins.eval"),
        "open": (Call(open, str(marker), "w"), "io.open"),
        "getattr": (Call(getattr, os, "system"), "builtins.getattr"),
    }


def write_hostile(kind: str, path, thing) -> None:
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"a": [thing]}))
    elif kind == "joblib":
        joblib.dump({"pose": np.ones(3), "a": thing}, path)
    elif kind == "joblib zlib":
        joblib.dump({"pose": np.ones(3), "a": thing}, path, compress=3)
    elif kind == "joblib object array":
        joblib.dump({"a": np.array([thing, None], object)}, path)
    elif kind == "npy":
        np.save(path, np.array([thing], object), allow_pickle=True)
    elif kind == "npz":
        np.savez(path, ok=np.ones(2), bad=np.array({"a": thing}, object))
    else:
        torch.save({"a": thing}, path)


LOADERS = {"npy": load_npy, "npz": load_npz, "pt": load_torch}


@pytest.mark.parametrize("kind", ["pickle", "joblib", "joblib zlib", "joblib object array", "npy", "npz", "pt"])
@pytest.mark.parametrize("attack", ["system", "eval", "open"])
def test_hostile_files_are_refused_by_name_and_do_not_run(tmp_path, kind, attack):
    marker = tmp_path / "it_ran"
    thing, name = attacks(marker)[attack]
    suffix = {"npy": ".npy", "npz": ".npz", "pt": ".pt"}.get(kind, ".pkl")
    path = tmp_path / f"hostile{suffix}"
    write_hostile(kind, path, thing)
    with pytest.raises(ValueError, match=rf"hostile{suffix}: refused to unpickle [\w.]*{name.split('.')[1]}"):
        LOADERS.get(kind, load_pickle)(path)
    assert not marker.exists()


def test_the_attack_works_on_a_careless_reader(tmp_path):
    """Else the test above would pass for a harmless file."""
    marker = tmp_path / "it_ran"
    for kind in ("pickle", "joblib"):
        path = tmp_path / kind
        write_hostile(kind, path, attacks(marker)["system"][0])
        joblib.load(path) if kind == "joblib" else pickle.loads(path.read_bytes())
        assert marker.exists()
        marker.unlink()


def test_a_memmap_called_from_a_pickle_writes_nothing(tmp_path):
    marker = tmp_path / "made"
    path = tmp_path / "file.pkl"
    path.write_bytes(pickle.dumps(Call(np.memmap, str(marker), "uint8", "w+", 0, (4,))))
    with pytest.raises(ValueError, match="not a readable pickle"):
        load_pickle(path)
    assert not marker.exists()


def test_classes_cannot_be_changed_by_a_pickle(tmp_path):
    path = tmp_path / "file.pkl"
    path.write_bytes(b"cscipy.sparse\ncsc_matrix\n}S'toarray'\nI1\nsb.")
    with pytest.raises(ValueError, match="tries to change a class"):
        load_pickle(path)
    assert callable(sparse.csc_matrix.toarray)


def test_dotted_names_do_not_reach_through_allowed_classes(tmp_path):
    path = tmp_path / "file.pkl"
    path.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")
    with pytest.raises(ValueError, match=r"refused to unpickle numpy\.ndarray\.tofile"):
        load_pickle(path)


def test_chumpy_says_how_to_convert(tmp_path):
    path = tmp_path / "smpl.pkl"
    path.write_bytes(b"cchumpy.ch\nCh\n.")
    with pytest.raises(ValueError, match=r"smpl.pkl: holds chumpy objects .* numpy.savez"):
        load_pickle(path)


@pytest.mark.parametrize("compress", ["zlib", "gzip", "bz2", "xz"])
def test_decompression_bombs_are_stopped(tmp_path, compress):
    path = tmp_path / "bomb.pkl"
    joblib.dump(np.zeros(2_000_000), path, compress=(compress, 3))
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"bomb.pkl: would unpack .* at most 1000000 bytes"):
        load_pickle(path, limit=1_000_000)


def test_npz_bombs_are_stopped(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(1_000_000))
    with pytest.raises(ValueError, match=r"bomb.npz: unpacks to more than 1000000"):
        load_npz(tmp_path / "bomb.npz", limit=1_000_000)


def test_an_array_that_claims_more_than_the_file_has_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "liar.npy"
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (2**26,)})
    path.write_bytes(buffer.getvalue() + b"\0" * 64)
    with pytest.raises(ValueError, match=r"liar.npy: cut short: an array needs 536870912 bytes"):
        load_npy(path)


def test_damaged_files_say_so(tmp_path):
    whole = tmp_path / "whole.pkl"
    joblib.dump(contents(), whole, compress=3)
    packed = whole.read_bytes()
    files = {
        "cut.pkl": packed[: len(packed) // 2], "noise.pkl": bytes(range(256)), "empty.pkl": b"", "text.pkl": b"hello\n",
        "flipped.pkl": packed[:200] + b"\xff\xff" + packed[202:], "zlib_noise.pkl": zlib.compress(b"no pickle"),
        "lz4.pkl": b"\x04\x22\x4d\x18rest",
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=name):
            load_pickle(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    for name in ("cut.pkl", "other.zip"):
        with pytest.raises(ValueError, match=f"{name}: not a readable PyTorch file"):
            load_torch(tmp_path / name)


class State(Call):
    """A thing with a state of our choosing."""

    def __init__(self, call: tuple, state: tuple) -> None:
        self.call = (*call, state)


def test_states_that_would_break_memory_are_refused(tmp_path):
    """NumPy itself crashes on some of these: objects made of bytes, dtypes with other flags, indices outside a matrix."""
    from numpy._core.multiarray import _reconstruct

    array = (_reconstruct, (np.ndarray, (0,), b"b"))
    unflagged = State((np.dtype, ("O8", False, True)), (3, "|", None, None, None, -1, -1, 0))
    fields = State((np.dtype, ("V8", False, True)), (3, "|", None, ("a",), {"a": (np.dtype(object), 0)}, 8, 1, 0))
    outside = sparse.csc_matrix(np.eye(3))
    outside.indices = np.array([0, 1, 1_000_000], np.int32)
    cases = {
        "bytes.pkl": (State(array, (1, (1,), np.dtype(object), False, b"\1" * 8)), "objects made of bytes"),
        "flags.pkl": (State(array, (1, (1,), unflagged, False, b"\1" * 8)), "objects made of bytes"),
        "fields.pkl": (State(array, (1, (1,), fields, False, b"\1" * 8)), "a dtype 'V8'"),
        "short.pkl": (State(array, (1, (1000,), np.dtype(float), False, b"\1" * 8)), "not a readable pickle"),
        "sparse.pkl": (outside, "not a readable pickle"),
    }
    for name, (thing, message) in cases.items():
        (tmp_path / name).write_bytes(pickle.dumps(thing))
        with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
            load_pickle(tmp_path / name)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["joblib.pkl", "packed.pkl", "plain.pkl", "a.npy", "a.npz", "a.pt", "legacy.pt"])
def test_flipped_bytes_give_an_error_or_numbers_never_a_crash(tmp_path, name):
    path = tmp_path / name
    {
        "joblib.pkl": lambda: joblib.dump(contents(), path),
        "packed.pkl": lambda: joblib.dump(contents(), path, compress=3),
        "plain.pkl": lambda: path.write_bytes(pickle.dumps({**contents(), "t": torch.ones(3)}, protocol=2)),
        "a.npy": lambda: np.save(path, contents(), allow_pickle=True),
        "a.npz": lambda: np.savez(path, a=np.ones(5), b=np.array(contents(), object)),
        "a.pt": lambda: torch.save({"a": torch.ones(3)}, path),
        "legacy.pt": lambda: torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False),
    }[name]()
    whole, rng, refusals = path.read_bytes(), np.random.default_rng(0), []
    load = LOADERS.get(path.suffix[1:], load_pickle)
    for _ in range(150):
        data = bytearray(whole[: rng.integers(len(whole)) if rng.random() < 0.1 else len(whole)])
        for at in rng.integers(max(len(data), 1), size=3):
            data[at : at + 1] = bytes([rng.integers(256)])
        path.write_bytes(data)
        try:
            load(path)
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert [text for text in refusals if name not in text] == []


def test_npy_and_npz_come_back(tmp_path):
    single = {"pose": np.ones((2, 3)), "tensor": torch.ones(2)}
    np.save(tmp_path / "a.npy", single, allow_pickle=True)
    back = load_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(back["pose"], single["pose"])
    np.savez(tmp_path / "a.npz", plain=np.asfortranarray(np.arange(6).reshape(2, 3)), thing=np.array(single, object))
    back = load_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(back["plain"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(back["thing"]["pose"], single["pose"])
