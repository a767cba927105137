"""Read strangers' pickles without running them: NumPy arrays, SciPy sparse matrices and plain containers, nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

_ALLOWED = {
    ("builtins", "dict"), ("builtins", "list"), ("builtins", "set"), ("builtins", "slice"), ("builtins", "complex"),
    ("collections", "OrderedDict"), ("_codecs", "encode"), ("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor"),
    ("builtins", "object"), ("__builtin__", "object"), ("numpy", "ndarray"), ("numpy", "dtype"),
}  # fmt: skip
_ALLOWED_FUNCTIONS = {"_reconstruct", "scalar", "_frombuffer"}
_SPARSE = {"csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array"}


class _SafeUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        allowed = (
            (module, name) in _ALLOWED
            or (module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
                and name in _ALLOWED_FUNCTIONS)
            or (module.startswith("scipy.sparse") and name in _SPARSE)
        )  # fmt: skip
        if module.startswith("chumpy"):
            raise ValueError(
                f"{self._path}: holds chumpy objects ({module}.{name}), which are programs, not data. Convert the file once "
                "where chumpy is installed: load it there and save every array with numpy.savez as .npz, then name the .npz"
            )
        if not allowed:
            raise ValueError(
                f"{self._path}: refused to unpickle {module}.{name}; only NumPy arrays and plain containers are read"
            )
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_pickle(path: Path) -> Any:
    """Read a pickle of arrays and plain containers.

    Raises:
        ValueError: If it names any other class or function (the message says which), or is not a pickle.
    """
    with open(path, "rb") as file:
        try:
            return _SafeUnpickler(file, path).load()
        except (pickle.UnpicklingError, EOFError, IndexError, KeyError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: not a readable pickle ({error})") from error
