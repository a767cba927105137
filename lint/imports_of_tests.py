"""List the imports from a test module or a conftest; fail if there are any. What tests share lives in ``tests/make``.

python -m lint.imports_of_tests
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

IMPORT = re.compile(r"^\s*(from|import)\s.*\b(test_\w+|conftest)\b")


def imports_of_tests() -> list[str]:
    """One line for each such import: file, line number and the statement."""
    return [
        f"{path}:{number}: {line.strip()}"
        for path in sorted(Path().glob("[!.]*/**/*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if IMPORT.match(line)
    ]


if __name__ == "__main__":
    found = imports_of_tests()
    print("\n".join(found) or "no imports from tests")
    sys.exit(bool(found))
