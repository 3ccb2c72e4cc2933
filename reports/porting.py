"""A porting guide as Markdown, for a terminal and for ``docs/porting``.

The guide is the plain data that :mod:`nnconform.conformance.porting.guide` measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .digest import number, plural
from .table import rows_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

Guide = Mapping[str, Any]


def function_markdown(guide: Guide) -> str:
    """What one function is, how it is called, and how its calls are ported."""
    parts = [f"# {guide['function']}", *_described(guide)]
    if guide["calls"]:
        parts += ["## Calls", *(part for call in guide["calls"] for part in _call(call))]
    if guide.get("run"):
        parts += ["## Measured by the run", _measured(guide["run"])]
    for pair in guide["pairs"]:
        parts.append(f"## From `{pair['from']}` to `{pair['to']}`")
        ports = [port for section in pair["functions"] for port in section["ports"]]
        parts += [part for port in ports for part in _port(port, "###")]
    return _joined(parts)


def _measured(rows: list[Guide]) -> str:
    """What a run measured: the largest error in units of u·scale, and the verdict."""
    head = ["callable", "version", "dtype", "aspect", "error", "verdict", ""]
    return _table(
        head,
        [
            [
                _said(f"{row['surface']}.{row['callable']}"),
                *(row[c] for c in ("version", "dtype")),
                " ".join(filter(None, (row["aspect"], row["reduction"]))),
                number(row["error"]),
                row["verdict"],
                " ".join(row["note"].split()),
            ]
            for row in rows
        ],
    )


def function_terminal(guide: Guide, console: Console) -> None:
    """The same on a terminal. Code stands there in lines of its own length, so that it can be pasted."""
    from rich.markdown import Markdown

    for text in re.split(r"(^```.*?^```$)", function_markdown(guide), flags=re.M | re.S):
        if text.startswith("```"):
            code = text.partition("\n")[2].removesuffix("\n```")
            console.print(f"\n{code}\n", markup=False, highlight=False, soft_wrap=True)
        elif text.strip():
            console.print(Markdown(text))


def pair_markdown(guide: Guide) -> str:
    """The guide from one surface to another."""
    here, there = guide["from"], guide["to"]
    parts = [
        f"# From `{here}` to `{there}`",
        f"Made and measured by `nnconform explain --out docs/porting` with {guide['versions']}, in "
        "float32, over the corpus of each callable. *Here* and *there* are "
        f"`{here}` and `{there}`; *exact* is the oracle's answer to what the call here is documented "
        "to compute. How to read it: [README](README.md).",
    ]
    for section in guide["functions"]:
        parts.append(f"## {section['function']}")
        parts += [part for port in section["ports"] for part in _port(port, "###")]
    return _joined(parts)


def index_markdown(guides: Sequence[Guide]) -> str:
    """Which guides there are, and how many functions of each agree."""
    surfaces = list(dict.fromkeys(g["from"] for g in guides))
    cells = {(g["from"], g["to"]): g for g in guides}
    rows = []
    for here in surfaces:
        row = [f"`{here}`"]
        for there in surfaces:
            guide = cells.get((here, there))
            row.append(_cell(guide) if guide else "")
        rows.append(row)
    return _joined(
        [
            "# Porting guides",
            "One page for every ordered pair of surfaces that share functions: the call here, the call "
            "there, and what stays different, all of it executed and measured while the page was made "
            "(`nnconform explain --out docs/porting`; `nnconform explain FUNCTION` prints the same for "
            "one function). A cell counts the shared functions (without those whose results are drawn), and "
            "of how many every call agrees to rounding under its mapping.",
            _table(["from \\ to", *(f"`{s}`" for s in surfaces)], rows),
            "- **Under this mapping** says how many results of the corpus (value and gradients, under "
            "pseudo-random cotangents) lie within rounding of each other: 16 units of u·scale, twice "
            "the suite's bound ([the error measure](../error.md)).",
            "- **Stays different** names parameters that one side fixes, optional inputs it does not "
            "take, and results that differ by more than rounding, with the simplest example that was "
            "found; `[record]` is the [recorded divergence](../divergences.md) that shows in it.",
        ]
    )


def _cell(guide: Guide) -> str:
    compared = [f for f in guide["functions"] if not any(p.get("random") for p in f["ports"])]
    same = sum(all(_agrees(port) for port in f["ports"]) for f in compared)
    return f"[{len(compared)}: {same} agree]({page(guide)})"


def page(guide: Guide) -> str:
    """The file of a guide."""
    return f"{guide['from']}--{guide['to']}.md"


def _agrees(port: Guide) -> bool:
    if port["to"] is None:
        return False
    found = port["agreement"]
    return not found["refused"] and not any(part["differ"] for part in found["parts"])


# -- parts of a page -------------------------------------------------------------------------------


def _described(guide: Guide) -> Iterator[str]:
    yield f"```text\n{guide['formula']}\n```"
    yield _table(
        ["input", "encodings", "shape", ""],
        [
            [f"`{i['name']}`", ", ".join(i["kinds"]), i["shape"], "optional" * i["optional"]]
            for i in guide["inputs"]
        ],
    )
    if guide["parameters"]:
        yield _table(
            ["parameter", "domain", "default"],
            [[f"`{p['name']}`", p["domain"], f"`{p['default']}`"] for p in guide["parameters"]],
        )


def _call(call: Guide) -> Iterator[str]:
    yield f"`{call['surface']}`: {_said(call['callable'])}"
    yield _code(call)


def _port(port: Guide, level: str) -> Iterator[str]:
    here, there = port["from"], port["to"]
    if there is None:
        yield f"{level} {_said(here['callable'])} → none"
        yield _code(here)
        reasons = [f"{_said(name)} {reason}" for name, reason in port["reasons"].items()]
        yield f"No equivalent: {'; '.join(reasons) or 'no callable there computes it'}."
        return
    name = "a composition" if there["composed"] else _said(there["callable"])
    yield f"{level} {_said(here['callable'])} → {name}"
    yield _code(here)
    yield _code(there)
    if there["composed"]:
        yield "No callable there computes it; this composition does."
    if there["steps"]:
        yield "Converted: " + "; ".join(dict.fromkeys(there["steps"])) + "."
    for title, rows in (("parameter", port["parameters"]), ("reduction", port["reductions"])):
        named = [[f"`{r['name']}`"] if "name" in r else [] for r in rows]
        if rows:
            head = [title, "here", "there"] if named[0] else [f"{title} here", "there"]
            yield _table(
                head, [[*n, r["here"], r["there"]] for n, r in zip(named, rows, strict=True)]
            )
    if port.get("random"):
        yield "The results are drawn: the calls are shown, their numbers not compared."
        return
    yield from _defaults(port.get("defaults"))
    yield from _differences(port)


def _defaults(found: Guide | None) -> Iterator[str]:
    if found is None:
        return
    why = "; ".join(found["why"])
    for must in found["must"]:
        yield (
            f"`{must['said']}` must be said {must['side']}: without it, it gives "
            f"{_cut(must['without'])}."
        )
    if found["same"] is None:
        yield f"**With their defaults** they cannot be called alike: {why}."
    elif found["same"]:
        yield (
            f"**With their {'other ' if found['must'] else ''}defaults** both give the same here"
            + (f", though the defaults are not: {why}." if why else ".")
        )
    else:
        yield (
            f"**With their defaults** they differ: {_cut(found['result here'])} here, "
            f"{_cut(found['result there'])} there" + (f" ({why})." if why else ".")
        )


def _differences(port: Guide) -> Iterator[str]:
    found = port["agreement"]
    results = sum(part["results"] for part in found["parts"])
    differ = sum(part["differ"] for part in found["parts"])
    judged = found["cases"] - sum(found["refused"].values())
    if not judged:
        yield "**Under this mapping** no case of the corpus could be compared."
    elif found["identical"]:
        yield f"**Under this mapping** all {results:,} results of {judged} cases agree bit for bit."
    elif not differ:
        yield f"**Under this mapping** all {results:,} results of {judged} cases agree to rounding."
    else:
        yield (
            f"**Under this mapping** {results - differ:,} of {results:,} results of {judged} cases "
            "agree to rounding."
        )
    lines = [*found["left"], *_examples(found["parts"])]
    lines += [
        f"{plural(count, 'case')} of the corpus not possible: {reason}"
        for reason, count in found["refused"].items()
    ]
    if not port["to"]["composed"]:
        lines += [
            f"{plural(count, 'case')} of the corpus by a composition: {_said(expression)}"
            for expression, count in found["composed"].items()
        ]
    lines += [*port["edges"], *port["dtypes"]]
    if lines:
        yield "**Stays different:**\n\n" + "\n".join(f"- {line}" for line in lines)


def _examples(parts: list[Guide]) -> Iterator[str]:
    named: set[str] = set()
    for part in parts:
        what = f"the gradient by `{part['of']}`" if part["of"] else "the value"
        if part["differ"] and not part["examples"]:
            yield f"{part['differ']:,} of {part['results']:,} results of {what}"
        for e in part["examples"]:
            inputs = ", ".join(f"{k} = {v}" for k, v in {**e["inputs"], **e["params"]}.items())
            text = (
                f"{what}, {part['differ']:,} of {part['results']:,} results: at {inputs} it is "
                f"{e['here']} here, {e['there']} there; exact: {e['exact']}"
            )
            if e["agree"]:
                text += f". They agree for {e['agree']}"
            for record in e["records"]:
                text += f". {_prose(record, again=record in named)}"
                named.add(record)
            yield text


def _prose(record: str, *, again: bool = False) -> str:
    """A record's line, its name as code and its link as one; the name alone where it stood before."""
    if again:
        return f"`{record.partition(' ')[0]}` again"
    text = re.sub(r"^\[([^\]]+)\]", r"`[\1]`", record)
    return re.sub(r"\((https?://[^\s)]+)\)$", r"([link](\1))", text)


def _code(call: Guide) -> str:
    result = call.get("raises") or call["result"]
    shown = "" if call.get("random") else f"  # {_cut(result)}" if result else ""
    return f"```python\n{call['code']}{shown}\n```"


def _cut(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:88]} …"


def _said(name: str) -> str:
    return f"`{' '.join(name.split())}`"


def _table(head: list[str], rows: list[list[str]]) -> str:
    escaped = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"


# -- tolerances ------------------------------------------------------------------------------------


def tolerances_markdown(table: pd.DataFrame) -> str:
    """The table of tolerances as Markdown."""
    rows = [[_tolerance(c, value) for c, value in row.items()] for row in rows_of(table)]
    return _table([str(column) for column in table], rows) + "\n"


def tolerances_terminal(table: pd.DataFrame, console: Console) -> None:
    """The table of tolerances, for a terminal."""
    from rich.table import Table

    columns = [str(c) for c in table][6:-1]
    for _, rows in groupby(
        rows_of(table), key=lambda row: (row["function"], row["from"], row["to"])
    ):
        measured = list(rows)
        first = measured[0]
        console.print(f"[bold]{first['function']}[/] ({first['dtype']})", highlight=False)
        console.print(f"  {first['from']} → {first['to']}", highlight=False, soft_wrap=True)
        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        shown.add_column("  result", min_width=20)
        shown.add_column("magnitudes", min_width=11)
        for column in columns:
            shown.add_column(column, justify="right", min_width=6)
        for row in measured:
            result = f"  {row['result']}"
            shown.add_row(result, row["magnitudes"], *(_tolerance(c, row[c]) for c in columns))
        console.print(shown)
    for why in sorted({line for text in table["why"] for line in text.split("; ") if line}):
        console.print(f"differs by {why}", markup=False, highlight=False)


def _tolerance(column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if column in ("rtol", "atol") else f"{int(value):,}"
