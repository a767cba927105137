"""Read untrusted pickles without running code: arrays, sparse matrices, tensors and plain containers, nothing else.

``load_pickle`` reads pickles and joblib files (compressed ones too), ``load_npy`` and ``load_npz`` NumPy's files with pickled
objects inside, ``load_torch`` PyTorch's. Any other class or function is refused before it is called, and the error names it.
Sizes are bounded: a small file must not unpack to more than ``MAX_UNPACKED_BYTES``.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
import tokenize
import zipfile
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .files import npy_header
from .unpack import MAX_UNPACKED_BYTES, LimitedReader, open_unpacked

_ALLOWED = {
    ("builtins", "dict"), ("builtins", "list"), ("builtins", "set"), ("builtins", "slice"), ("builtins", "complex"),
    ("collections", "OrderedDict"), ("collections", "defaultdict"), ("_codecs", "encode"),
    ("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor"), ("__builtin__", "dict"), ("__builtin__", "list"),
    ("__builtin__", "set"), ("__builtin__", "bytes"), ("builtins", "object"), ("__builtin__", "object"),
}  # fmt: skip
_NUMPY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_SPARSE = {"csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array"}
_DAMAGED = (
    pickle.UnpicklingError, EOFError, LookupError, UnicodeDecodeError, TypeError, AttributeError, MemoryError, OverflowError,
    AssertionError, RuntimeError, ImportError,
)  # fmt: skip
"""Errors of the unpickler and NumPy for a file that is truncated, damaged, or of another kind."""


class _ArrayClass:
    """Replaces numpy.ndarray and its subclasses where a pickle names them; calling it creates nothing.

    numpy.memmap called from a pickle would open and write files.
    """


class _JoblibArray:
    """Replaces joblib's NumpyArrayWrapper: describes the array that follows in the file, and runs nothing."""

    __slots__ = ("state",)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


def _make_dtype(code: Any, *_: Any) -> np.dtype:
    """A dtype of numbers, strings or objects. Structured ones would let a pickle choose the memory layout."""
    if isinstance(code, bytes):
        code = code.decode("latin1")
    if not isinstance(code, str) or not re.fullmatch(r"[<>=|]?(\?|[biufcSU?]\d*|O8?)", code):
        raise pickle.UnpicklingError(f"a dtype {code!r}; only numbers, strings and objects are read")
    return np.dtype(code)


def _make_array(*_: Any) -> np.ndarray:
    """An empty array, to be filled by the state that follows."""
    return np.empty(0, np.int8)


def _make_scalar(dtype: np.dtype, data: Any) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("a scalar that is not a number")
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype, 1)[0]


def _make_from_buffer(data: Any, dtype: np.dtype, shape: Any, order: str) -> np.ndarray:
    array = np.frombuffer(bytearray(data), dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


_NUMPY = {"_reconstruct": _make_array, "scalar": _make_scalar, "_frombuffer": _make_from_buffer}
"""Replacements for NumPy's functions, which do not check the pickle: a wrong state crashes the interpreter."""


class _SafeUnpickler(pickle._Unpickler):  # the C one reads ahead, so that arrays written between the opcodes would be lost
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[assignment]

    def __init__(self, file: LimitedReader, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path, self._reader = path, file
        self._sparse: list[Any] = []

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("chumpy"):
            raise ValueError(
                f"{self._path}: holds chumpy objects ({module}.{name}), which are programs, not data. Convert the file once "
                "where chumpy is installed: load it there and save every array with numpy.savez as .npz, then name the .npz"
            )
        if module in ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle") and name == "NumpyArrayWrapper":
            return _JoblibArray
        if module in ("numpy", "numpy.matrixlib.defmatrix") and name in ("ndarray", "memmap", "matrix"):
            return _ArrayClass
        if (module, name) == ("numpy", "dtype"):
            return _make_dtype
        if module in _NUMPY_MODULES and name in _NUMPY:
            return _NUMPY[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return self._load_storage
        allowed = (module, name) in _ALLOWED or ((module + ".").startswith("scipy.sparse.") and name in _SPARSE)
        if not allowed:
            raise ValueError(
                f"{self._path}: refused to unpickle {module}.{name}; only NumPy arrays, tensors and plain containers are read"
            )
        return super().find_class(module, name)

    def load_build(self) -> None:
        """Set an object's state; if it describes a joblib array, read the array that follows."""
        stack: list[Any] = self.stack  # type: ignore[attr-defined]
        if len(stack) < 2 or isinstance(stack[-2], type) or callable(stack[-2]):
            raise ValueError(f"{self._path}: refused: the pickle tries to change a class or a function")
        thing = stack[-2]
        if isinstance(thing, np.dtype):
            self._replace(thing, _with_byte_order(thing, stack.pop()))
        elif isinstance(thing, np.ndarray):
            self._replace(thing, _filled(thing, stack.pop()))
        else:
            pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]
            if isinstance(thing, _JoblibArray):
                stack[-1] = self._inline_array(thing.state)
            elif type(thing).__name__ in _SPARSE:
                self._sparse.append(thing)

    def _replace(self, thing: Any, by: Any) -> None:
        """Replace a placeholder by the object built from it, on the stack and in the memo."""
        if by is thing:
            return
        self.stack[-1] = by  # type: ignore[attr-defined]
        memo: dict[int, Any] = self.memo  # type: ignore[attr-defined]
        for key in reversed(memo):  # the placeholder was memoised just now
            if memo[key] is thing:
                memo[key] = by
                return

    def load(self) -> Any:
        result = super().load()
        for matrix in self._sparse:  # at the end: indices outside the matrix would make SciPy write beyond its memory
            check = getattr(type(matrix), "check_format", None)
            check(matrix, full_check=True) if check else type(matrix)._check(matrix)
        return result

    dispatch[pickle.BUILD[0]] = load_build

    def _inline_array(self, state: dict[str, Any]) -> np.ndarray:
        """The array that joblib wrote after its wrapper: an alignment byte and padding, then the plain bytes."""
        dtype, shape, order = state["dtype"], state["shape"], state["order"]
        if not isinstance(dtype, np.dtype) or not isinstance(shape, tuple):
            raise ValueError(f"{self._path}: a joblib array without a dtype or shape; the file is damaged")
        if dtype.hasobject:
            inner = _SafeUnpickler(self._reader, self._path).load()
            if not isinstance(inner, np.ndarray):
                raise ValueError(f"{self._path}: a joblib object array holds {type(inner).__name__}; the file is damaged")
            return inner
        if state.get("numpy_array_alignment_bytes") is not None:
            self._reader.read(self._reader.read(1)[0])
        data = self._reader.read_exactly(prod(int(n) for n in shape) * dtype.itemsize)
        array = np.frombuffer(data, dtype)
        array = array.reshape(shape[::-1]).T if order == "F" else array.reshape(shape)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    def _load_storage(self, data: bytes) -> Any:
        return _torch_load(io.BytesIO(data), self._path)


def _with_byte_order(dtype: np.dtype, state: Any) -> np.dtype:
    """A dtype's pickled state matters for its byte order alone; NumPy would let it set flags that break memory."""
    if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
        raise pickle.UnpicklingError("a structured dtype; only numbers, strings and objects are read")
    order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
    return dtype.newbyteorder(">") if order == ">" else dtype


def _filled(empty: np.ndarray, state: Any) -> np.ndarray:
    """The array of a pickled state (version, shape, dtype, Fortran order, bytes or a list of objects)."""
    if empty.size or not isinstance(state, tuple) or len(state) not in (4, 5):
        raise pickle.UnpicklingError("an array that is filled twice, or by a state of another form")
    shape, dtype, fortran, data = state[-4:]
    if not isinstance(dtype, np.dtype) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array without a dtype or shape")
    order = "F" if fortran else "C"
    if dtype.hasobject:
        if not isinstance(data, list):
            raise pickle.UnpicklingError("an array of objects made of bytes")
        array = np.empty(len(data), object)
        for i, value in enumerate(data):
            array[i] = value
        return array.reshape(shape, order=order)
    array = np.frombuffer(bytearray(data.encode("latin1") if isinstance(data, str) else data), dtype)
    return array.reshape(shape, order=order)


def _rebuild_tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Any:
    """A tensor without hooks or gradient over a storage."""
    import torch

    return torch.as_strided(torch.tensor([], dtype=storage.dtype).set_(storage), tuple(size), tuple(stride), offset)


def load_pickle(path: Path, *, data: bytes | None = None, limit: int = MAX_UNPACKED_BYTES) -> Any:
    """Read a pickle or joblib file of arrays, tensors and plain containers; compression is recognised by the first bytes.

    Args:
        path: The file; for ``data``, what messages call it.
        data: Its bytes, where they are at hand already (a member of an archive).
        limit: Bytes that it may unpack to.
    Raises:
        ValueError: If it names any other class or function (the message says which), unpacks to more than ``limit`` bytes, or
            is no pickle.
    """
    with io.BytesIO(data) if data is not None else open(path, "rb") as file, open_unpacked(file, path, limit) as reader:
        return _unpickle(reader, path)


def _unpickle(reader: LimitedReader, path: Path) -> Any:
    try:
        return _SafeUnpickler(reader, path).load()
    except (ValueError, *_DAMAGED) as error:
        if str(error).startswith(str(path)):  # raised by this module
            raise
        raise ValueError(f"{path}: not a readable pickle ({type(error).__name__}: {error})") from error


def load_npy(path: Path, *, limit: int = MAX_UNPACKED_BYTES) -> Any:
    """Read a ``.npy``; a pickled object array in it goes through the safe unpickler, a single object is returned itself.

    Raises:
        ValueError: As ``load_pickle``.
    """
    with open(path, "rb") as file:
        return _read_npy(LimitedReader(file, path, limit), path)


def load_npz(path: Path, *, limit: int = MAX_UNPACKED_BYTES) -> dict[str, Any]:
    """Read all members of a ``.npz``, each as ``load_npy`` does.

    Raises:
        ValueError: As ``load_pickle``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if sum(info.file_size for info in members) > limit:
                raise ValueError(f"{path}: unpacks to more than {limit} bytes; refused (raise the limit if you trust the file)")
            result = {}
            for info in members:
                with archive.open(info) as member:
                    result[info.filename[:-4]] = _read_npy(LimitedReader(member, path, limit), path)
            return result
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"{path}: not a readable .npz ({error})") from error


def _read_npy(reader: LimitedReader, path: Path) -> Any:
    try:
        shape, fortran, dtype = npy_header(reader)
    except (EOFError, SyntaxError, tokenize.TokenError, ValueError) as error:
        raise ValueError(f"{path}: not a readable .npy ({error})") from error
    if dtype.hasobject:
        value = _unpickle(reader, path)
        return value.item() if isinstance(value, np.ndarray) and value.shape == () else value
    data = reader.read_exactly(prod(shape) * dtype.itemsize)
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def load_torch(path: Path) -> Any:
    """Read a file of ``torch.save`` onto the CPU: tensors and plain containers (``weights_only``).

    Raises:
        ValueError: If it names a class or function that is not allowed (the message says which), or is no such file.
    """
    with open(path, "rb") as file:
        return _torch_load(file, path)


def _torch_load(file: Any, path: Path) -> Any:
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named:
            raise ValueError(
                f"{path}: refused to unpickle {named[1]}; only tensors and plain containers are read from PyTorch files"
            ) from error
        raise ValueError(f"{path}: not a readable PyTorch file ({_first_line(error)})") from error
    except (ValueError, struct.error, OSError, *_DAMAGED) as error:
        raise ValueError(f"{path}: not a readable PyTorch file ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
