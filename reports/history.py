"""Several versions in a row: which function changed with which of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from .comparison import CHANGES

if TYPE_CHECKING:
    import pandas as pd


def history(steps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What changed in each function with each version: a row per function, a column per version.

    ``steps`` are the tables of the comparisons, each under the version that the changes came with.
    A cell says how many callables changed, the most serious change first; blank if none.
    """
    import pandas as pd

    cells: dict[str, dict[str, str]] = {}
    for version, table in steps.items():
        for function, changes in table.groupby("function", sort=False):
            found = changes.drop_duplicates(["framework", "surface", "callable", "change"])[
                "change"
            ]
            counts = {change: int((found == change).sum()) for change in CHANGES}
            said = ", ".join(f"{count} {change}" for change, count in counts.items() if count)
            cells.setdefault(str(function), {})[version] = said
    names = sorted(cells)
    rows = [[cells[name].get(version, "") for version in steps] for name in names]
    return pd.DataFrame(rows, pd.Index(names, name="function"), [*steps], dtype="str")


def history_markdown(table: pd.DataFrame) -> str:
    """The table as Markdown."""
    head = ["function", *table.columns]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [
        f"| `{name}` | {' | '.join(row)} |"
        for name, row in zip(table.index, table.values, strict=True)
    ]
    return "\n".join(lines) + "\n"


def history_text(table: pd.DataFrame) -> str:
    """The table for a terminal."""
    rows = [["function", *table.columns]]
    rows += [
        [str(name), *(cell or "·" for cell in row)]
        for name, row in zip(table.index, table.values, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines) + "\n"


def history_json(table: pd.DataFrame) -> str:
    """The table as JSON: function → version → what changed, nothing where nothing did."""
    content = {
        name: {version: cell for version, cell in zip(table.columns, row, strict=True) if cell}
        for name, row in zip(table.index, table.values, strict=True)
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def history_html(table: pd.DataFrame) -> str:
    """The table as a part of an HTML document."""

    def line(tag: str, cells: list[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"

    rows = [line("td", [str(n), *row]) for n, row in zip(table.index, table.values, strict=True)]
    head = line("th", ["function", *table.columns])
    return f"<table>\n{head}\n{chr(10).join(rows)}\n</table>\n"
