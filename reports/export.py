"""A run's table in the formats that other tools take."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .digest import number
from .render import _code, _prose, _table
from .table import COUNTS, NUMBERS, RunError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "markdown", "latex", "parquet")
#: what Markdown and LaTeX have of a row, unless they are told
SHORT = (
    *("function", "framework", "version", "surface", "callable"),
    *("dtype", "aspect", "reduction", "error", "bound", "verdict"),
)


class Missing(RunError):
    """A package that a format needs."""


def export(table: pd.DataFrame, form: str, columns: Sequence[str] = ()) -> bytes:
    """The table in one of :data:`FORMATS`, with these columns: all by default, :data:`SHORT` for
    Markdown and LaTeX.

    CSV and Parquet have every digit that the run kept, Markdown and LaTeX three. LaTeX is a
    longtable with booktabs rules, for an engine that reads Unicode. Raises RunError for an unknown
    column, :class:`Missing` where Parquet lacks pyarrow.
    """
    if unknown := [name for name in columns if name not in table]:
        raise RunError(f"unknown column {unknown[0]!r}; the table has {', '.join(map(str, table))}")
    chosen = list(columns) or [*(SHORT if form in ("markdown", "latex") else table)]
    shown = table[chosen]
    if form == "csv":
        return shown.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()
    if form == "parquet":
        return _parquet(shown)
    words = [column for column in chosen if column not in (*COUNTS, *NUMBERS)]
    texts = shown.assign(
        **{c: shown[c].map(number) for c in NUMBERS if c in chosen},
        **{c: shown[c].str.split().str.join(" ") for c in words},
    )
    if form == "latex":
        return texts.to_latex(index=False, escape=True, longtable=True).encode()
    code = {"function", "surface", "callable", "worst", "reproducer"}
    cells = [
        [_code(v) if c in code else _prose(str(v)) for c, v in zip(chosen, row, strict=True)]
        for row in texts.itertuples(index=False, name=None)
    ]
    return f"{_table(chosen, cells)}\n".encode()


def _parquet(table: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    try:
        table.to_parquet(content, engine="pyarrow", index=False)
    except ImportError:
        raise Missing("Parquet needs pyarrow: pip install 'nnconform[parquet]'") from None
    return content.getvalue()
