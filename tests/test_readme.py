"""README.md tells the truth about the code."""

from __future__ import annotations

import re
from pathlib import Path

from lint.schema_table import schema_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SOURCES = [path for package in ("augment", "recognition") for path in (ROOT / package).glob("**/*.py")]
FILE_MAP = README[README.index("    augment/\n") : README.index("## Licences")]


def _sources(folder: Path) -> set[Path]:
    return {path for path in folder.iterdir() if path.suffix == ".py" and path.name != "__init__.py"}


def test_readme_quotes_the_schema_as_it_is():
    assert schema_table().strip() in README


def test_the_file_map_lists_the_two_top_floors_and_nothing_else():
    """Every folder and file of the packages' two top floors has its name below its own folder's, and every name exists."""
    listed: set[Path] = set()
    path: dict[int, Path] = {}
    for line in FILE_MAP.splitlines():
        indent = len(line) - len(line.lstrip())
        words = line.split()
        if not words or indent < 4:
            continue
        names = [word for word in words if re.fullmatch(r"[a-z_0-9]+(\.py|/)", word)]
        parent = ROOT if indent == 4 else path[indent - 2]
        for name in names:
            place = parent / name.rstrip("/")
            if name.endswith("/") and name == words[0]:
                path[indent] = place
            if name == words[0] or name.endswith(".py"):
                # a file named in a folder's description lies in that folder
                inside = path[indent] / name if words[0].endswith("/") and name.endswith(".py") else place
                assert inside.exists(), f"README's file map names {inside.relative_to(ROOT)}"
                listed.add(inside)
    for package in (ROOT / "augment", ROOT / "recognition"):
        folders = {path for path in package.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
        floors = _sources(package) | folders | {source for folder in folders for source in _sources(folder)}
        floors |= {inner for folder in folders for inner in folder.iterdir() if (inner / "__init__.py").exists()}
        missing = {path for path in floors if path not in listed and path.name not in ("commands",)}
        assert not missing, f"README's file map lacks {sorted(str(path.relative_to(ROOT)) for path in missing)}"


def test_where_to_look_first_names_what_exists():
    table = README[README.index("Where to look first") : README.index("    augment/\n")]
    for name in re.findall(r"`(augment/[^`]+|recognition/[^`]+)`", table):
        assert (ROOT / name).exists(), name
    for row in re.findall(r"a row of `([A-Z_]+)`", table):
        assert any(f"\n{row}: dict" in path.read_text() or f"\n{row} = {{" in path.read_text() for path in SOURCES)
