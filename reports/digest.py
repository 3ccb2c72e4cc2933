"""What a report says of a table, before it is Markdown or HTML."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .table import UNEXPECTED, VERDICTS, Run, rank, summary, unexpected

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

SYMBOLS = dict(zip(VERDICTS, "†✗↻≠≈–✓", strict=True))
MEANINGS = {
    "crash": "the process died or hung",
    "fail": "wrong by more than the bound, and no record explains it",
    "fixed": "a recorded divergence that no longer shows: update the record",
    "known": "a recorded divergence, still there",
    "limited": "as good as the textbook formula can be in this precision, no better",
    "unsupported": "the framework says that it does not offer this",
    "pass": "right within the bound",
}
_RECORD = re.compile(r"\[([^\[\]\s]+)\]\s*(.*)")


@dataclass(frozen=True)
class Group:
    """Rows that one explanation covers; `title` is the record, the message or the convention."""

    title: str
    rows: list[Row]
    why: str = ""

    def distinct(self, column: str) -> list[str]:
        """The values in ``column``, without the empty one."""
        values = {row[column] for row in self.rows} - {""}
        return sorted(values, key=lambda value: rank(column, value))

    @property
    def callables(self) -> list[str]:
        return sorted({name(row) for row in self.rows})

    @property
    def worst(self) -> Row:
        """The row with the largest error, preferably one that can be reproduced."""
        return max(self.rows, key=lambda row: (bool(row["reproducer"]), _size(row["error"])))

    @property
    def error(self) -> float:
        """The largest error, infinity included; NaN where none was measured."""
        return max((row["error"] for row in self.rows), key=_size)

    @property
    def anchor(self) -> str:
        return re.sub(r"[^\w.-]+", "-", f"known-{self.rows[0]['framework']}-{self.title}")


@dataclass(frozen=True)
class Place:
    """A column of the matrix; ``own`` unless a framework before it judges the same surface."""

    framework: str
    surface: str
    own: bool = True

    @property
    def title(self) -> str:
        """The surface, and the framework where the surface alone would be taken for another's."""
        return self.surface if self.own else f"{self.surface} ({self.framework})"

    @property
    def link(self) -> str:
        """How a deep link names it."""
        return quoted(self.surface) + ("" if self.own else f"@{quoted(self.framework)}")


def places_of(pairs: Iterable[tuple[str, str]]) -> list[Place]:
    """The places of pairs of a framework and a surface, in order."""
    ordered = sorted(pairs)
    first = {surface: framework for framework, surface in reversed(ordered)}
    return [Place(f, s, first[s] == f) for f, s in ordered]


@dataclass(frozen=True)
class Cell:
    """A function on a surface."""

    rows: list[Row]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many of each verdict, the most serious first."""
        found = [row["verdict"] for row in self.rows]
        return {verdict: found.count(verdict) for verdict in VERDICTS if verdict in found}

    @property
    def verdict(self) -> str:
        """The most serious."""
        return next(iter(self.counts))

    @cached_property
    def error(self) -> float:
        """The largest error among the numbers that are right; NaN where there are none."""
        return max((row["error"] for row in self.rows if exact(row)), default=math.nan)

    @property
    def grade(self) -> int:
        """How exact that is: 1 within one unit of roundoff, 2 within half the bound, 3 within the
        bound, 4 beyond it; 0 where nothing was measured."""
        bound = max(row["bound"] for row in self.rows)
        if math.isnan(self.error):
            return 0
        return 1 + sum(self.error > limit for limit in (1, bound / 2, bound))

    @property
    def said(self) -> str:
        """The cell in words."""
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in self.counts.items())
        return counts + (f"; error {number(self.error)}" if self.grade else "")


def exact(row: Row) -> bool:
    """Whether the error of a row is that of numbers, all of them right."""
    return (
        row["aspect"] in ("value", "gradient", "reduction")
        and row["verdict"] in ("pass", "limited")
        and math.isfinite(row["error"])
    )


class Digest:
    """The parts of a report on ``run``."""

    def __init__(self, run: Run) -> None:
        self.run, self.table = run, run.table

    @cached_property
    def rows(self) -> list[Row]:
        return _records(self.table)

    @cached_property
    def frameworks(self) -> list[str]:
        """Each framework with its version."""
        return sorted({f"{row['framework']} {row['version']}".strip() for row in self.rows})

    @cached_property
    def versions(self) -> dict[str, str]:
        """The version of each framework."""
        return {row["framework"]: row["version"] for row in self.rows}

    @cached_property
    def headline(self) -> str:
        """The run in one sentence."""
        if not self.rows:
            return "Nothing was measured."
        functions = len({row["function"] for row in self.rows})
        callables = len({name(row) for row in self.rows})
        counts = {verdict: 0 for verdict in VERDICTS}
        for row in self.rows:
            counts[row["verdict"]] += 1
        surprises = sum(counts[verdict] for verdict in UNEXPECTED)
        news = (
            ", ".join(f"{counts[v]:,} {v}" for v in VERDICTS if v in UNEXPECTED and counts[v])
            + (" needs" if surprises == 1 else " need")
            + " attention"
            if surprises
            else "nothing unexpected"
        )
        records = f" in {plural(len(self.known), 'record')}" if self.known else ""
        return (
            f"{plural(len(self.rows), 'measurement')} of {plural(callables, 'callable')} for "
            f"{plural(functions, 'function')}: {news}, {counts['known']:,} known{records}, "
            f"{counts['limited']:,} limited, {counts['unsupported']:,} unsupported, "
            f"{counts['pass']:,} pass."
        )

    @cached_property
    def bound(self) -> str:
        """The bound, where the run has one."""
        return " or ".join(number(b) for b in sorted(self.table["bound"].dropna().unique()))

    @cached_property
    def summary(self) -> list[Row]:
        return _records(summary(self.table))

    @cached_property
    def places(self) -> list[Place]:
        """The columns of the matrix: each surface of each framework."""
        return places_of({(row["framework"], row["surface"]) for row in self.rows})

    @cached_property
    def shared(self) -> set[str]:
        """The surfaces that several frameworks judge."""
        return {place.surface for place in self.places if not place.own}

    def link(self, row: Row) -> str:
        """The deep link to a measurement's cell and dtype."""
        at = (row["framework"], row["surface"])
        (place,) = (p for p in self.places if (p.framework, p.surface) == at)
        return f"#{quoted(row['function'])}/{place.link}/{quoted(row['dtype'])}"

    @cached_property
    def matrix(self) -> dict[str, list[Cell | None]]:
        """By function: what was found on each of the places, or None."""
        found: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row["function"], row["framework"], row["surface"]), []).append(row)
        return {
            function: [
                Cell(rows) if (rows := found.get((function, p.framework, p.surface))) else None
                for p in self.places
            ]
            for function in sorted({row["function"] for row in self.rows})
        }

    @cached_property
    def kinds(self) -> dict[str, list[str]]:
        """The functions of each kind."""
        kinds: dict[str, dict[str, None]] = {}
        for row in self.rows:
            kinds.setdefault(row["kind"], {})[row["function"]] = None
        return {kind: sorted(kinds[kind]) for kind in sorted(kinds)}

    @cached_property
    def totals(self) -> dict[str, int]:
        """How many measurements have each verdict; none of zero."""
        counts = {v: sum(row["verdict"] == v for row in self.rows) for v in VERDICTS}
        return {verdict: count for verdict, count in counts.items() if count}

    @cached_property
    def unexpected(self) -> list[Row]:
        return _records(unexpected(self.table))

    @cached_property
    def known(self) -> list[Group]:
        """The recorded divergences, by framework and record."""
        groups: dict[tuple[str, str], dict[int, Row]] = {}
        texts: dict[tuple[str, str], dict[str, None]] = {}
        for row in self._with("known"):
            found = [note for note in notes(row["note"]) if note[0]] or [("", row["note"])]
            for record, why in found:
                key = (row["framework"], record)
                groups.setdefault(key, {})[id(row)] = row
                texts.setdefault(key, {})[why] = None
        return [
            Group(key[1] or "no record", [*groups[key].values()], "\n".join(texts[key]).strip())
            for key in sorted(groups)
        ]

    @cached_property
    def limited(self) -> list[Group]:
        """One group a callable."""
        return _grouped(self._with("limited"), name, lambda row: [row["note"]])

    @cached_property
    def unsupported(self) -> list[Group]:
        """One group a framework and message."""
        return _grouped(
            self._with("unsupported"), lambda row: row["framework"], lambda row: [row["note"]]
        )

    @cached_property
    def conventions(self) -> list[Group]:
        """One group a function, aspect and note: who treats an edge of the domain in which way."""
        rows = [
            row
            for row in self._with("pass", "limited", "known")
            if row["aspect"] in ("special", "invalid")
        ]
        return _grouped(
            rows,
            lambda row: (row["function"], rank("aspect", row["aspect"])),
            lambda row: [why for record, why in notes(row["note"]) if not record],
        )

    @cached_property
    def dtypes(self) -> list[str]:
        dtypes = {row["dtype"] for row in self._accurate()}
        return sorted(dtypes, key=lambda dtype: rank("dtype", dtype))

    @cached_property
    def _judged(self) -> int:
        return len({row["dtype"] for row in self.rows} - {""})

    def said_dtypes(self, group: Group) -> str:
        """The dtypes of a group, in a word where they are all that were judged."""
        found = group.distinct("dtype")
        return "all" if len(found) == self._judged > 2 else ", ".join(found)

    @cached_property
    def accuracy(self) -> dict[str, dict[str, list[float | None]]]:
        """By function and framework: the largest error in units of the bound, for each dtype."""
        table: dict[str, dict[str, list[float | None]]] = {}
        for row in sorted(self._accurate(), key=lambda row: (row["function"], row["framework"])):
            cells = table.setdefault(row["function"], {})
            ratios = cells.setdefault(row["framework"], [None] * len(self.dtypes))
            at = self.dtypes.index(row["dtype"])
            ratios[at] = max(ratios[at] or 0.0, row["error"] / row["bound"])
        return table

    def _accurate(self) -> Iterator[Row]:
        for row in self._with("pass", "limited"):
            if math.isfinite(row["error"]) and row["bound"] > 0 and row["dtype"]:
                yield row

    def _with(self, *verdicts: str) -> list[Row]:
        return [row for row in self.rows if row["verdict"] in verdicts]


def _records(table: pd.DataFrame) -> list[Row]:
    columns = [str(column) for column in table]
    values = table.itertuples(index=False, name=None)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _grouped(
    rows: Iterable[Row], key: Callable[[Row], Any], texts: Callable[[Row], Iterable[str]]
) -> list[Group]:
    groups: dict[tuple[Any, str], list[Row]] = {}
    for row in rows:
        for text in texts(row):
            groups.setdefault((key(row), text), []).append(row)
    return [Group(text, groups[k, text]) for k, text in sorted(groups)]


def _size(error: float) -> float:
    return -1.0 if math.isnan(error) else error


def notes(text: str) -> list[tuple[str, str]]:
    """The notes of a row, as pairs of a record's name (empty where there is none) and the text."""
    pairs = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        found = _RECORD.fullmatch(line)
        pairs.append((found[1], found[2]) if found else ("", line))
    return pairs


def name(row: Row) -> str:
    """The callable with its namespace."""
    surface, callable_ = row["surface"], row["callable"]
    return callable_ if callable_.startswith(f"{surface}.") else f"{surface}.{callable_}"


def number(value: float | None, digits: int = 3) -> str:
    """A number for people: ``digits`` significant digits, a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}"
    if "e" in text and 1 <= abs(value) < 1e5:
        text = f"{value:.0f}"
    return text


def quoted(text: str) -> str:
    """The text as a part of a deep link."""
    return quote(text, "")


def plural(count: int, noun: str) -> str:
    """``3 functions``, ``1 function``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def worst_case(text: str) -> list[tuple[str, str]]:
    """The parts of a row's worst case, as pairs of a name and a value on one line."""
    try:
        case = json.loads(text or "{}")
    except ValueError:
        case = text
    if not isinstance(case, dict):
        return [("case", _plain(case))]
    pairs = []
    for key, value in case.items():
        if isinstance(value, dict):
            pairs += [(f"{key} {inner}", _plain(part)) for inner, part in value.items()]
        elif value is not None:
            pairs.append((key, _plain(value)))
    return pairs


def environment(run: Run) -> tuple[list[tuple[str, str]], dict[str, list[tuple[str, str]]]]:
    """The environment's single facts, and its lists by title, in the file's order."""
    facts, lists = [("folder", str(run.folder))], {}
    for key, value in run.environment.items():
        if isinstance(value, dict):
            lists[key] = [(str(inner), _plain(part)) for inner, part in value.items()]
        elif value is not None:
            facts.append((key, _plain(value)))
    return facts, lists


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            _plain(part) if key in ("version", "status") else f"{key} {_plain(part)}"
            for key, part in value.items()
            if part is not None
        )
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
