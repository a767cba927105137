"""List the functions, classes, methods and constants of the packages that nothing but tests uses; fail if there are any.

Vulture finds the names that are defined and never read in the packages, the benchmarks and the examples. Fields of classes and
attributes are left out: dataclasses are printed and stored whole, and attributes are set on objects of other libraries.

    python -m lint.dead_code
"""

from __future__ import annotations

import sys

from vulture import Vulture

PACKAGES = ("augment", "recognition")
USERS = ("benchmarks", "examples", "lint")
"""Read for uses only."""
CALLED_BY_LIBRARIES = (
    "readable", "readinto",  # io.RawIOBase
    "persistent_id", "persistent_load",  # pickle.Pickler, Unpickler
)  # fmt: skip
PYDANTIC = ["@model_validator", "@field_validator"]
KINDS = ("function", "class", "method", "property", "variable", "import", "unreachable_code")


def unused_names() -> list[str]:
    """One line for each unused definition: where it is and what it is called."""
    vulture = Vulture(ignore_names=list(CALLED_BY_LIBRARIES), ignore_decorators=PYDANTIC)
    vulture.scavenge([*PACKAGES, *USERS])
    unused = vulture.get_unused_code(min_confidence=60)
    lines = [item.get_report() for item in unused if item.typ in KINDS and not _is_field(item)]
    return [line for line in lines if line.startswith(PACKAGES)]


def _is_field(item) -> bool:
    """Whether a variable stands in the body of a class: indented, as nothing else that Vulture calls a variable."""
    line = item.filename.read_text().splitlines()[item.first_lineno - 1]
    return item.typ == "variable" and line.startswith(" ")


if __name__ == "__main__":
    found = unused_names()
    print("\n".join(found) or "no dead code")
    sys.exit(bool(found))
