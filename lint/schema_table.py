"""The table of a sample's fields that README.md quotes; tests/test_readme.py compares them.

python -m lint.schema_table
"""

from __future__ import annotations

from augment.shards.sample import SCHEMA


def schema_table() -> str:
    """The schema as a Markdown table."""
    rows = ["| field | in | type | shape | unit | meaning |", "|---|---|---|---|---|---|"]
    for name, field in SCHEMA.items():
        shape = f"({','.join(map(str, field.shape))})".replace("(4|t,4,4)", "(4,4) or (t,4,4)") if field.shape else ""
        meaning = field.meaning if field.required else f"{field.meaning} (optional)"
        rows.append(f"| `{name}` | {field.member} | {field.kind} | {shape} | {field.unit} | {meaning} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(schema_table())
