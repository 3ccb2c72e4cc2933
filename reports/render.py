"""A run for people: on a terminal and as Markdown; :mod:`.page` is the HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from .digest import (
    MEANINGS,
    SYMBOLS,
    Digest,
    Row,
    environment,
    name,
    number,
    plural,
    worst_case,
)
from .table import VERDICTS, Run

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "crash": "bold white on red",
    "fail": "bold red",
    "fixed": "magenta",
    "known": "yellow",
    "limited": "cyan",
    "unsupported": "dim",
    "pass": "green",
}
_SHOWN = 50  # unexpected rows on a terminal; the report has them all
_SPAN = re.compile(r"(`[^`]+`)|(https?://[^\s<>\"'`|\])]+[^\s<>\"'`|\]).,;:!?])")


# --- terminal ------------------------------------------------------------------------------


def terminal(run: Run, console: Console) -> None:
    """Print the summary of ``run``, what is unexpected in it, and where its report lies."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    def text(value: object, style: str = "") -> Text:
        plain = str(value).encode(console.encoding, "replace").decode(console.encoding)
        return Text(plain, style)

    digest = Digest(run)
    wide = ("callables", "functions") if console.width >= 100 else ()
    shown = [v for v in VERDICTS if any(row[v] for row in digest.summary)]
    table = Table(box=SIMPLE_HEAD, header_style="", padding=0, pad_edge=False, show_edge=False)
    table.add_column("surface", min_width=21, overflow="fold")
    for column in (*wide, "measured", *shown):
        title = text(column, _STYLES.get(column, ""))
        table.add_column(title, justify="right", no_wrap=True)
    for framework, rows in groupby(digest.summary, lambda r: f"{r['framework']} {r['version']}"):
        table.add_row(text(framework, "bold"))
        for row in rows:
            counts = [text(f"{row[c]:,}") for c in (*wide, "measurements")]
            for v in shown:
                counts.append(text(f"{row[v]:,}", _STYLES[v]) if row[v] else text("·", "dim"))
            table.add_row(text(f"  {row['surface']}"), *counts)
    if digest.rows:
        console.print(table)
        console.print()
    for row in digest.unexpected[:_SHOWN]:
        verdict = row["verdict"]
        line = text(f"{SYMBOLS[verdict]} {verdict}", _STYLES[verdict])
        line.append_text(text(f" {row['function']}", "bold"))
        line.append_text(text(f" {_where(row, digest.shared)}"))
        line.append_text(text(f"  {figures}" if (figures := _figures(row)[0]) else ""))
        console.print(line, soft_wrap=True)
        if note := row["note"].partition("\n")[0]:
            console.print(text(f"    {note}", "dim"), soft_wrap=True)
    if (more := len(digest.unexpected) - _SHOWN) > 0:
        console.print(text(f"… and {more:,} more unexpected"))
    console.print(text(digest.headline), soft_wrap=True)
    console.print(text(f"Report: {run.folder / 'report.html'}"), soft_wrap=True)


def _figures(row: Row) -> tuple[str, str]:
    """The error in the suite's unit, and in others, as far as they were measured."""
    main = f"error {number(row['error'])} (bound {number(row['bound'])})"
    others = {"absolute": row["max_abs"], "relative": row["max_rel"], "ULP": row["max_ulp"]}
    said = (f"{number(value)} {unit}" for unit, value in others.items() if value == value)
    return main if row["error"] == row["error"] else "", ", ".join(said)


def _where(row: Row, shared: Container[str] = ()) -> str:
    """The callable and the circumstances, those that go without saying left out; the framework
    where the surface is one of those that several ``shared``."""
    circumstances = [row["dtype"], row["aspect"], row["reduction"], row["mode"], row["device"]]
    said = [c for c in circumstances if c and c not in ("none", "eager", "cpu")]
    return " · ".join([name(row), *said, *([row["framework"]] if row["surface"] in shared else [])])


# --- Markdown ------------------------------------------------------------------------------


def markdown(run: Run) -> str:
    """The report as Markdown. Dates and paths are in its last section, Environment, alone."""
    return "\n\n".join(filter(None, _sections(run))) + "\n"


def _sections(run: Run) -> Iterable[str]:
    digest = Digest(run)
    yield "# nnconform report"
    yield _prose(digest.headline)
    yield _prose(" · ".join(digest.frameworks))
    yield _prose(_explanation(digest))

    yield "## Verdicts"
    yield _table(
        ["", "verdict", "meaning"], [[SYMBOLS[v], f"**{v}**", MEANINGS[v]] for v in VERDICTS]
    )

    yield "## Summary"
    counted = ("callables", "functions", "measurements", *VERDICTS)
    yield _table(
        ["framework", "version", "surface", *counted],
        [
            [_prose(row["framework"]), _prose(row["version"]), _code(row["surface"])]
            + [f"{row[c]:,}" if row[c] else "·" for c in counted]
            for row in digest.summary
        ],
        right=len(counted),
    )

    yield "## Functions and surfaces"
    yield "The most serious verdict of each function on each surface."
    yield _table(
        ["function", *(_code(place.title) for place in digest.places)],
        [
            [_code(function), *(f"{SYMBOLS[c.verdict]} {c.verdict}" if c else "" for c in cells)]
            for function, cells in digest.matrix.items()
        ],
    )

    yield f"## Unexpected ({len(digest.unexpected):,})"
    if not digest.unexpected:
        yield "Nothing."
    for row in digest.unexpected:
        yield f"### {SYMBOLS[row['verdict']]} {row['verdict']}: {_prose(_where(row, digest.shared))}"
        yield ", ".join(filter(None, _figures(row)))
        yield "  \n".join(_prose(line) for line in row["note"].split("\n") if line)
        yield _worst(row)

    yield f"## Known divergences ({len(digest.known):,})"
    if digest.known:
        yield _table(
            [
                "framework",
                "record",
                "functions",
                "aspects",
                "dtypes",
                "largest error",
                "measurements",
            ],
            [
                [_prose(group.rows[0]["framework"]), _code(group.title)]
                + [_codes(group.distinct("function"))]
                + [", ".join(map(_prose, group.distinct(c))) for c in ("aspect", "dtype")]
                + [number(group.error), f"{len(group.rows):,}"]
                for group in digest.known
            ],
            right=2,
        )
    for framework, groups in groupby(digest.known, lambda group: group.rows[0]["framework"]):
        yield f"### {_prose(framework)}"
        for group in groups:
            yield f"#### {_code(group.title)}"
            yield "  \n".join(map(_prose, group.why.split("\n")))
            scope = [("callables", _codes(group.callables))]
            for column in ("aspect", "dtype", "reduction", "mode", "device"):
                values = group.distinct(column)
                if values and values not in (["none"], ["eager"], ["cpu"]):
                    scope.append((f"{column}s", ", ".join(map(_prose, values))))
            yield "\n".join(f"- {title}: {text}" for title, text in scope)
            yield f"Largest of {plural(len(group.rows), 'measurement')}: {_error(group.worst)}"
            yield _worst(group.worst)

    yield f"## Limited ({sum(len(group.rows) for group in digest.limited):,})"
    yield _table(
        ["callable", "aspects", "dtypes", "largest error", "note"],
        [
            [_codes(group.callables)]
            + [", ".join(map(_prose, group.distinct(c))) for c in ("aspect", "dtype")]
            + [number(group.error), _prose(group.title)]
            for group in digest.limited
        ],
    )

    yield f"## Unsupported ({sum(len(group.rows) for group in digest.unsupported):,})"
    yield _table(
        ["framework", "message", "callables", "dtypes", "aspects"],
        [
            [_prose(group.rows[0]["framework"]), _prose(group.title), _codes(group.callables)]
            + [", ".join(map(_prose, group.distinct(c))) for c in ("dtype", "aspect")]
            for group in digest.unsupported
        ],
    )

    yield f"## Conventions ({len(digest.conventions):,})"
    yield "What each does at the edges of a function's domain and with invalid arguments."
    yield _table(
        ["function", "aspect", "convention", "callables", "dtypes"],
        [
            [
                *(_code(group.rows[0]["function"]), _prose(group.rows[0]["aspect"])),
                *(_prose(group.title), _codes(group.callables)),
                ", ".join(map(_prose, group.distinct("dtype"))),
            ]
            for group in digest.conventions
        ],
    )

    yield "## Accuracy"
    yield _ACCURACY
    yield _table(
        ["function", "framework", *map(_prose, digest.dtypes)],
        [
            [_code(function), _prose(framework), *map(number, ratios)]
            for function, cells in digest.accuracy.items()
            for framework, ratios in cells.items()
        ],
        right=len(digest.dtypes),
    )

    yield "## Environment"
    facts, lists = environment(run)
    yield "\n".join(f"- {_prose(key)}: {_prose(value)}" for key, value in facts)
    for title, items in lists.items():
        yield f"### {_prose(title)}"
        yield "\n".join(f"- {_prose(key)} {_prose(value)}" for key, value in items)


_ACCURACY = (
    "The largest error of each function as a share of the bound, over all measurements with "
    "verdict pass or limited: below 1 is a pass."
)


def _explanation(digest: Digest) -> str:
    bound = f", {digest.bound}" if digest.bound else ""
    return (
        "An error of 1 is one unit roundoff of the dtype, relative to the result and to how much "
        f"the exact function itself moves when its inputs do. One bound{bound}, holds for all."
    )


def _error(row: Row) -> str:
    return ", ".join(filter(None, _figures(row))) + f" in {_prose(_where(row))}"


def _worst(row: Row) -> str:
    parts = [f"- {_prose(key)}: {_code(_short(value))}" for key, value in worst_case(row["worst"])]
    if code := row["reproducer"]:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
        parts.append(f"\n{fence}python\n{code.rstrip()}\n{fence}")
    return "\n".join(parts)


def _short(text: str, length: int = 200) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: int = 0) -> str:
    if not rows:
        return "None."
    rule = ["---"] * (len(header) - right) + ["--:"] * right
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(_code, texts))


def _code(text: str) -> str:
    """A code span that holds ``text``, whatever it contains, in a table too."""
    text = " ".join(text.split()).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}" if text else ""


def _prose(text: str) -> str:
    """Plain text on one line in which only code spans and links keep a meaning."""

    def plain(part: str) -> str:
        return re.sub(r"([\\`*<>\[\]|&~]|(?<!\w)_|_(?!\w)|^[#+-])", r"\\\1", part)

    return _spans(" ".join(text.split()), plain, lambda code: _code(code), lambda url: f"<{url}>")


def _spans(
    text: str,
    plain: Callable[[str], str],
    code: Callable[[str], str],
    link: Callable[[str], str],
) -> str:
    parts, at = [], 0
    for found in _SPAN.finditer(text):
        parts.append(plain(text[at : found.start()]))
        parts.append(code(found[1][1:-1]) if found[1] else link(found[2]))
        at = found.end()
    return "".join([*parts, plain(text[at:])])
