"""The page that says which parameter of which function each surface can be given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .render import _table

if TYPE_CHECKING:
    import pandas as pd

HEAD = """# Parameters

What `nnconform list --parameters` prints: for every function, its parameters and optional inputs, and how each surface
that offers the function can be given them: the keyword of its callables, or what it is there instead. Every parameter
that is reached is measured over its domain, its default and its boundary values included.
"""


def parameters_markdown(reach: pd.DataFrame, left_out: pd.DataFrame) -> str:
    """The page, from the tables of :mod:`nnconform.conformance.parameters`."""
    parts = [HEAD]
    for function, rows in reach.groupby("function", sort=False):
        surfaces = list(dict.fromkeys(rows["surface"]))
        lines = []
        for (name, domain, default), cells in rows.groupby(
            ["parameter", "domain", "default"], sort=False
        ):
            found = dict(zip(cells["surface"], cells["reach"], strict=True))
            lines.append([f"`{name}`", domain, default, *(found[s] for s in surfaces)])
        header = ["parameter", "domain", "default", *(f"`{s}`" for s in surfaces)]
        parts += [f"## `{function}`\n", _table(header, lines) + "\n"]
    parts += [
        "## Parameters of the callables that are left out\n",
        _table(
            ["surface", "callables", "parameters", "why"],
            [
                [f"`{s}`", "all" if c == "*" else f"`{c}`", f"`{p}`", why]
                for s, c, p, why in left_out.itertuples(index=False)
            ],
        )
        + "\n",
    ]
    return "\n".join(parts)
