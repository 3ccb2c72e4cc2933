"""The measurement table: its columns, the journal it grows from, the files it is kept in."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("cases", "points")
NUMBERS = ("max_abs", "max_rel", "max_ulp", "error", "bound", "tolerance")
COLUMNS = (
    *("function", "kind", "framework", "surface", "callable", "version", "device", "mode"),
    *("dtype", "aspect", "reduction"),
    *COUNTS,
    *NUMBERS,
    *("verdict", "worst", "reproducer", "note"),
)
"""The columns of every table, in this order; a table may have more, after these."""

KEY = (
    *("framework", "surface", "function", "callable"),
    *("dtype", "aspect", "reduction", "device", "mode"),
)
"""The columns that identify a measurement: no two rows of a table agree in all of them."""

CALLABLE = (
    *("framework", "surface", "callable", "status", "functions"),
    *("signature", "deprecated"),
)
"""The columns of callables.csv that a comparison reads."""

KEPT = {
    "calls": (
        *("framework", "surface", "function", "callable"),
        *("call", "result", "dialect", "defaults"),
    ),
    "curves": (
        *("framework", "surface", "function", "callable", "dtype", "aspect", "mode"),
        *("of", "bins", "ulp", "allowed"),
    ),
    "records": ("id", "reason", "why", "link", "evidence"),
}
"""What a run keeps for its reports beside the measurements: the tables, one file each, and their columns."""

VERDICTS = ("crash", "fail", "fixed", "known", "limited", "unsupported", "pass")
"""The verdicts, the most serious first."""

UNEXPECTED = frozenset({"crash", "fail", "fixed"})
"""The verdicts that make a run exit with status 1."""

ORDERS = {
    "aspect": ("value", "gradient", "reduction", "special", "property", "consistency", "invalid"),
    "dtype": ("float16", "bfloat16", "float32", "float64"),
    "verdict": VERDICTS,
}
"""The columns whose values have an order of their own; all others sort as text."""

_SORT = (
    *("function", "surface", "callable", "aspect", "dtype", "reduction"),
    *("framework", "device", "mode"),
)
_MEASUREMENTS, _ENVIRONMENT, _JOURNAL = "measurements.csv", "environment.json", "journal"
_CALLABLES = "callables.csv"
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class RunError(ValueError):
    """A folder that cannot be read as a run: says which, what is wrong, what is expected."""


@dataclass(frozen=True)
class Run:
    """All measurements of one environment, with that environment's fingerprint."""

    folder: Path
    table: pd.DataFrame
    environment: dict[str, Any]


def rank(column: str, value: str) -> tuple[int, str]:
    """The sort key of ``value`` in ``column``."""
    order = ORDERS.get(column, ())
    return (order.index(value) if value in order else len(order), value)


def tabulate(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A table of ``rows``: every column present, the last row of a `KEY` kept, in stable order.

    Numbers keep six significant digits and control characters become visible escapes, so that
    a table is the same before it is written and after it is loaded.
    """
    import pandas as pd

    kept: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        tidy = {column: _tidy(column, row.get(column)) for column in (*COLUMNS, *row)}
        if tidy["verdict"] not in VERDICTS:
            raise ValueError(f"unknown verdict {tidy['verdict']!r}; one of {', '.join(VERDICTS)}")
        kept[tuple(tidy[column] for column in KEY)] = tidy
    ordered = sorted(kept.values(), key=lambda row: [rank(c, row[c]) for c in _SORT])
    extra = sorted({column for row in ordered for column in row}.difference(COLUMNS))
    table = pd.DataFrame(ordered, columns=[*COLUMNS, *extra])
    table[extra] = table[extra].fillna("")
    return table.astype(
        {c: "int64" if c in COUNTS else "float64" if c in NUMBERS else "str" for c in table}
    )


def _tidy(column: str, value: Any) -> Any:
    if column in COUNTS:
        return int(value or 0)
    if column in NUMBERS:
        return float("nan") if value is None or value == "" else float(f"{float(value):.6g}")
    if value is None or value != value:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\r\n", "\n")
    return _UNPRINTABLE.sub(lambda c: c[0].encode("unicode_escape").decode(), text)


def journal(folder: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The events in ``folder``'s journal, file by file in the order of their names.

    A process can be killed in the middle of a line. Such a line is skipped, and an event that a
    later process appended to it is not lost.
    """
    for file in sorted(Path(folder, _JOURNAL).glob("*.jsonl")):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                for part in (line, line[max(0, line.rfind('{"event"')) :]):
                    try:
                        event = json.loads(part)
                    except ValueError:
                        continue
                    if isinstance(event, dict):
                        yield event
                    break


def gather(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """The table of every row in ``folder``'s journal."""
    return tabulate(
        event["row"]
        for event in journal(folder)
        if event.get("event") == "row" and isinstance(event.get("row"), dict)
    )


def gather_callables(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """What ``folder``'s journal says of the bound callables, in the order of the bindings."""
    import pandas as pd

    rows = [
        row
        for event in journal(folder)
        if event.get("event") == "callables"
        for row in event["rows"]
    ]
    return pd.DataFrame(rows).drop_duplicates().reset_index(drop=True)


def load_callables(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """What a run kept of its callables, all of it text; no rows where it kept nothing.

    Raises `RunError` where the file is damaged.
    """
    import pandas as pd

    path = Path(folder, _CALLABLES)
    if not path.exists():
        table = gather_callables(folder)
        return table if len(table.columns) else pd.DataFrame(columns=[*CALLABLE])
    try:
        table = pd.read_csv(path, dtype="str", na_filter=False, index_col=False, encoding="utf-8")
    except (ValueError, OSError) as error:
        raise RunError(f"{path}: cannot be read as CSV ({error})") from error
    if missing := [column for column in CALLABLE if column not in table]:
        raise RunError(f"{path}: lacks the columns {', '.join(missing)}")
    return table.fillna("")


def write_callables(table: pd.DataFrame, folder: str | os.PathLike[str]) -> Path:
    """Write ``table`` to ``folder``/callables.csv, all or nothing, and return that path."""
    path = Path(folder, _CALLABLES)
    replace(path, table.to_csv(index=False, lineterminator="\n"))
    return path


def gather_kept(folder: str | os.PathLike[str], name: str) -> pd.DataFrame:
    """The table of `KEPT` of that name, as ``folder``'s journal has it; all of it text."""
    import pandas as pd

    rows = [
        {column: _tidy(column, row.get(column)) for column in KEPT[name]}
        for event in journal(folder)
        if event.get("event") == name and isinstance(event.get("rows"), list)
        for row in event["rows"]
    ]
    return pd.DataFrame(rows, columns=[*KEPT[name]], dtype="str").drop_duplicates(ignore_index=True)


def load_kept(folder: str | os.PathLike[str], name: str) -> pd.DataFrame:
    """The table of `KEPT` of that name, or of the journal of a run cut short; no rows where a run,
    as older ones did, kept none.

    Raises `RunError` where the file is damaged.
    """
    import pandas as pd

    path = Path(folder, f"{name}.csv")
    if not path.exists():
        return gather_kept(folder, name)
    try:
        table = pd.read_csv(path, dtype="str", na_filter=False, index_col=False, encoding="utf-8")
    except (ValueError, OSError) as error:
        raise RunError(f"{path}: cannot be read as CSV ({error})") from error
    if missing := [column for column in KEPT[name] if column not in table]:
        raise RunError(f"{path}: lacks the columns {', '.join(missing)}")
    return table.fillna("")


def write_kept(table: pd.DataFrame, folder: str | os.PathLike[str], name: str) -> Path:
    """Write the table of `KEPT` of that name into ``folder``, all or nothing; its path."""
    path = Path(folder, f"{name}.csv")
    replace(path, table.to_csv(index=False, lineterminator="\n"))
    return path


def write(table: pd.DataFrame, folder: str | os.PathLike[str]) -> Path:
    """Write ``table`` to ``folder``/measurements.csv, all or nothing, and return that path."""
    path = Path(folder, _MEASUREMENTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    replace(path, text)
    return path


def replace(path: Path, text: str) -> None:
    """Put ``text`` in ``path`` in one step: a reader sees the old file or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)


def load(folder: str | os.PathLike[str]) -> Run:
    """Read a run: measurements.csv and environment.json, or the journal of a run cut short.

    Raises `RunError` where ``folder`` is not a run.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; expected one that `nnconform run --out` made")
    path = folder / _MEASUREMENTS
    if path.exists():
        table = _read(path)
    elif any(folder.glob(f"{_JOURNAL}/*.jsonl")):
        try:
            table = gather(folder)
        except (ValueError, TypeError) as error:
            raise RunError(f"{folder / _JOURNAL}: {error}") from error
    else:
        raise RunError(
            f"{folder}: no measurements; expected {_MEASUREMENTS}, or {_JOURNAL}/*.jsonl of a "
            "run that was cut short, as `nnconform run --out` leaves them"
        )
    environment = _environment(folder / _ENVIRONMENT)
    return Run(folder, _versioned(table, environment), environment)


def _versioned(table: pd.DataFrame, environment: Mapping[str, Any]) -> pd.DataFrame:
    """The table with the versions that a baseline states once, in its environment."""
    stated = environment.get("frameworks")
    if not isinstance(stated, dict) or not (table["version"] == "").any():
        return table
    versions = {n: str(f.get("version") or "") for n, f in stated.items() if isinstance(f, dict)}
    known = table["framework"].map(versions).fillna("")
    return table.assign(version=table["version"].where(table["version"] != "", known))


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            table = pd.read_csv(
                path, dtype="str", na_filter=False, index_col=False, encoding="utf-8"
            ).fillna("")
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        raise RunError(
            f"{path}: cannot be read as CSV ({error}); expected UTF-8 text with the header "
            f"{','.join(COLUMNS)}"
        ) from error
    if missing := [column for column in COLUMNS if column not in table]:
        raise RunError(
            f"{path}: lacks the columns {', '.join(missing)}; expected {', '.join(COLUMNS)}"
        )
    for column in (*COUNTS, *NUMBERS):
        parse, empty = (int, "0") if column in COUNTS else (float, "nan")
        try:
            numbers = [parse(text or empty) for text in table[column]]
        except ValueError as error:
            raise RunError(f"{path}: column {column}: {error}") from error
        table[column] = pd.Series(numbers, dtype="int64" if column in COUNTS else "float64")
    if strange := sorted(set(table["verdict"]).difference(VERDICTS)):
        raise RunError(
            f"{path}: unknown verdict {strange[0]!r}; expected one of {', '.join(VERDICTS)}"
        )
    return table[[*COLUMNS, *table.columns.difference([*COLUMNS])]]


def incomplete(run: Run) -> dict[str, str]:
    """The frameworks that were not judged to the end, or whose adapter is broken, and why."""
    return {
        name: facts["status"]
        for name, facts in run.environment.get("frameworks", {}).items()
        if facts.get("broken")
        or (facts["version"] is not None and facts["status"] not in ("complete", "installed"))
    }


def _environment(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        environment = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise RunError(f"{path}: not valid JSON ({error}); expected a JSON object") from error
    if not isinstance(environment, dict):
        raise RunError(f"{path}: a JSON {type(environment).__name__}; expected a JSON object")
    return environment


def unexpected(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``table`` that nobody has explained yet, the most serious verdict first."""
    rows = table[table["verdict"].isin(UNEXPECTED)]
    return rows.sort_values("verdict", key=lambda v: v.map(VERDICTS.index), kind="stable")


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """How many callables, functions, measurements, and of each verdict, on each surface."""
    marked = table.assign(**{verdict: table["verdict"] == verdict for verdict in VERDICTS})
    return marked.groupby(["framework", "version", "surface"], as_index=False).agg(
        callables=("callable", "nunique"),
        functions=("function", "nunique"),
        measurements=("verdict", "size"),
        **{verdict: (verdict, "sum") for verdict in VERDICTS},
    )


def matrix(table: pd.DataFrame) -> pd.DataFrame:
    """The most serious verdict of each function on each surface, blank where it has none.

    A column is a framework and a surface: two frameworks may judge surfaces of the same name.
    """
    places = ["framework", "surface"]
    worst = table.groupby(["function", *places])["verdict"].agg(
        lambda verdicts: min(verdicts, key=VERDICTS.index)
    )
    columns = table.set_index(places).index.unique().sort_values()
    return worst.unstack(places, fill_value="").reindex(columns=columns)


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each by column."""
    return [{str(column): v for column, v in row.items()} for row in table.to_dict("records")]
