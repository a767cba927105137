"""README.md tells the truth about the code."""

from __future__ import annotations

from pathlib import Path

from lint.schema_table import schema_table

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_readme_quotes_the_schema_as_it_is():
    assert schema_table().strip() in README


def test_file_map_names_what_exists():
    """Every module of both packages stands in the file map, by its name or its folder's."""
    root = Path(__file__).parents[1]
    for package in ("augment", "recognition"):
        for path in (root / package).glob("*.py"):
            assert path.name in README or path.name == "__init__.py", path
        for path in (root / package).iterdir():
            if path.is_dir() and path.name != "__pycache__":
                assert f"{path.name}/" in README, path
