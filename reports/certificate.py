"""The oracle's certificate for people: a table on a terminal, and a page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .digest import number, plural
from .render import _code, _table
from .table import replace, rows_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

CSV, PAGE = "certificate.csv", "certificate.md"
_ASPECTS = ("value", "gradient")
_PRECISIONS = ("extended", "float64")

_PREFACE = """\
# The oracle's certificate

How far the oracle is from the exact result, proven: every formula and gradient of `reference/` beside rigorous
enclosures (Arb balls, through python-flint) of an independent definition, at points chosen to be hard. Regenerate it with

    nnconform certify --out docs && mv docs/certificate.csv reference/

**ULP** counts units in the last place of a float64 at the exact result. In *extended* precision the oracle computes
in `np.longdouble` and its result is rounded to float64 once, which alone costs up to 0.5; so it judges float64 results.
In *float64* it judges the narrower dtypes. Overflow, underflow and NaN where the exact result is a number count as the
errors they are; subnormal results are held to their own last place.

Where a result can vanish at a point that no float is (logsumexp, a difference of two probabilities), no float comes
near the root with a small relative error. What misses the goal in ULP there must meet it in **units of u·scale**, the
error measure of the whole suite ([error.md](error.md)): `near roots` counts such points and gives the largest of them.

| precision | values | gradients |
| --- | ---: | ---: |
| extended | 0.51 ULP, 1 unit near roots | the same |
| float64 | 4 ULP, 4 units near roots | 8 ULP, 8 units near roots |
"""

_POINTS = """\
## Where it was examined

Points are float64 numbers, the same at every run (`conformance/hard_points.py`): magnitudes from the smallest
subnormal to the largest number; around every kink, parameter, overflow, saturation and root, found by bisection;
random bit patterns; rows that are tied, nearly level, widely spread or dominated by one element; every corner of a
target's domain; parameters at their defaults, bounds and in between, and each dialect. `undefined` are points at which
the definition gives no finite number (log 0, 0/0, the slope of an infinite loss); the tests of special values say what
the oracle does there.

Left out: `ctc` with its dialect `from_logits`, whose gradient, softmax − posterior, cancels without limit (its value is
compared in the tests); rows longer than 500.
"""


def write_certificate(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write certificate.csv and certificate.md into ``folder`` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / CSV, folder / PAGE]
    replace(paths[0], table.to_csv(index=False, float_format="%.4g", lineterminator="\n"))
    replace(paths[1], certificate_page(table))
    return paths


def certificate_page(table: pd.DataFrame) -> str:
    """The certificate as Markdown."""
    return "\n\n".join(part.strip("\n") for part in _sections(table)) + "\n"


def _sections(table: pd.DataFrame) -> Iterable[str]:
    yield _PREFACE
    yield "## Verdict"
    yield _headline(table)
    yield "Computed with " + "; ".join(sorted(table["environment"].unique())) + "."
    yield "## Worst errors, in ULP of float64"
    lines = {(row["function"], row["aspect"], row["precision"]): row for row in rows_of(table)}
    columns = [(a, p) for p in _PRECISIONS for a in _ASPECTS]
    first = table[table["precision"] == table["precision"].iloc[0]]
    every = first.groupby("function", sort=False)["points"].sum()
    yield _table(
        ["function", "points", *(f"{aspect}, {precision}" for aspect, precision in columns)],
        [
            [_code(name), f"{points:,}"] + [_cell(lines.get((name, *c))) for c in columns]
            for name, points in every.items()
        ],
        right=5,
    )
    yield _POINTS
    yield "## Worst points"
    yield _table(
        ["function", "aspect", "precision", "undefined", "where", "exact", "oracle"],
        [
            [
                *(_code(row["function"]), row["aspect"], row["precision"]),
                *(f"{row['undefined']:,}", *_worst(row["worst"])),
            ]
            for row in rows_of(table)
            if row["ulp"] > 0
        ],
    )


def _headline(table: pd.DataFrame) -> str:
    missed = table[~table["holds"].astype(bool)]
    kinked = int(table["at_kinks"].sum())
    counted = f"{plural(int(table['points'].sum()), 'result')} of {plural(table['function'].nunique(), 'function')}"
    if missed.empty:
        beside = f"; at {kinked:,} a kink is nearer than a rounding of the inputs, and it is one side's result"
        return f"It holds: {counted}, every one within its goal{beside if kinked else ''}."
    names = ", ".join(f"{r.function} ({r.aspect}, {r.precision})" for r in missed.itertuples())
    return f"It does **not** hold: {counted}; beyond their goals: {names}."


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    text = number(row["ulp"], 4)
    if row["near_roots"]:
        text += f" ({row['near_roots']:,} near roots: {number(row['units'], 2)} units)"
    return text if row["holds"] else f"**{text} ✗**"


def _worst(text: str) -> list[str]:
    worst = json.loads(text)
    where = [f"{n} = {_short(v)}" for n, v in worst["inputs"].items()]
    where += [f"{n} = {v}" for n, v in worst["params"].items()]
    of = f"∂/∂{worst['gradient of']} at " if "gradient of" in worst else ""
    return [of + _code(", ".join(where)), _code(_short(worst["want"])), _code(str(worst["got"]))]


def _short(value: object, length: int = 90) -> str:
    text = str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def certificate_terminal(table: pd.DataFrame, console: Console) -> None:
    """Print the certificate, a line for each aspect and working precision."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(box=SIMPLE_HEAD, header_style="", padding=0, pad_edge=False, show_edge=False)
    for title in ("function", "aspect", "precision"):
        shown.add_column(title, no_wrap=True)
    for title in ("points", "ULP", "units", "holds"):
        shown.add_column(" " + title, justify="right", no_wrap=True)
    for row in rows_of(table):
        shown.add_row(
            row["function"],
            f" {row['aspect']}",
            f" {row['precision']}",
            f"{row['points']:,}",
            number(row["ulp"]),
            number(row["units"], 2) if row["near_roots"] else "·",
            "yes" if row["holds"] else "NO",
            style=None if row["holds"] else "bold red",
        )
    console.print(shown)
    console.print()
    console.print(_headline(table).replace("**", ""), soft_wrap=True)
